//! Putting a backup into a new data folder.
//!
//! The backup is checked before anything is made, the copy again before it has its name: a folder of
//! that name is a whole one, whenever the restore is interrupted.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use encours_log::{Disk as _, OsDisk};
use indicatif::ProgressBar;

use super::files::{Draft, copy, unwritten};
use super::manifest::Manifest;
use super::{Done, check, damaged, existing, look_through, names, print};
use crate::audit::Audited;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{OutputArgs, Unit, progress_bar};

pub(crate) const RESTORE_EXAMPLES: &str = "\
Examples:
  encours restore --from /backup/encours --data ./encours-data

The backup is checked as a whole first, and the copy again: where anything is missing, damaged or of
another backup, nothing is made. Never start the old folder again beside the restored one: both are the
same log, and would go on differently.";

#[derive(Args, Debug)]
pub(crate) struct RestoreArgs {
    /// The folder of a backup
    #[arg(long, value_name = "DIR")]
    from: PathBuf,

    /// The data folder to make; it must not exist, or be empty
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    #[command(flatten)]
    output: OutputArgs,
}

/// Restores a backup.
pub(crate) fn restore(args: &RestoreArgs) -> Outcome {
    let RestoreArgs { from, data, output } = args;
    let manifest = existing(from)?;
    if !names(data)?.is_empty() {
        let message = format!("not_empty: {} is not empty", data.display());
        return Err(Failure::new(Exit::Refused, message)
            .hint("give a new folder, or move away what is there; it is not touched"));
    }
    let unfinished = unfinished(data)?;
    if OsDisk.exists(&unfinished)? {
        let message = format!("not_empty: {} is there already", unfinished.display());
        return Err(Failure::new(Exit::Refused, message)
            .hint("another restore is running, or one was interrupted: remove it then"));
    }
    let _checked = check(from, &manifest, Vec::new(), &[], *output)?;
    let progress = progress_bar(output.lang, "restoring", Unit::Bytes);
    progress.set_length(manifest.files.iter().map(|entry| entry.bytes).sum());
    let made = make(from, &manifest, &unfinished, &progress);
    progress.finish_and_clear();
    let audited = match made.and_then(|audited| named(&unfinished, data).map(|()| audited)) {
        Ok(audited) => audited,
        Err(failure) => {
            // WHY ignored: what is left behind is told of by the next restore.
            drop(fs::remove_dir_all(&unfinished));
            return Err(failure);
        }
    };
    let copied = manifest.files.len() as u64;
    print(*output, Done { manifest, audited, copied, kept: 0 })
}

/// What the folder is called until it is whole.
fn unfinished(data: &Path) -> Outcome<PathBuf> {
    let name = data.file_name().ok_or_else(|| {
        Failure::usage(format!("{} names no folder that could be made", data.display()))
    })?;
    let mut name = name.to_owned();
    name.push(".restoring");
    Ok(data.with_file_name(name))
}

/// Copies every file, and checks the folder that they make.
fn make(from: &Path, manifest: &Manifest, into: &Path, progress: &ProgressBar) -> Outcome<Audited> {
    for folder in ["log", "keys"] {
        let dir = into.join(folder);
        OsDisk.create_dir_all(&dir).map_err(|error| unwritten(&dir, &error))?;
    }
    for entry in &manifest.files {
        let target = into.join(&entry.path);
        let dir = into.join(entry.folder());
        OsDisk.create_dir_all(&dir).map_err(|error| unwritten(&dir, &error))?;
        let draft = Draft::begin(&target)?;
        let _copied = copy(&Manifest::place(from, entry), &draft, &mut |more| progress.inc(more))?;
        let found = draft.synced()?;
        if (found.bytes, &found.sha256) != (entry.bytes, &entry.sha256) {
            return Err(damaged(format!(
                "{} has another hash than it was stored with",
                entry.stored
            )));
        }
        draft.keep(&target)?;
        OsDisk.sync_dir(&dir).map_err(|error| unwritten(&dir, &error))?;
    }
    let audited = look_through(&OsDisk, into, manifest, &manifest.as_known(), &mut |_| {})?;
    OsDisk.sync_dir(into).map_err(|error| unwritten(into, &error))?;
    Ok(audited)
}

/// Gives a whole folder its name.
fn named(unfinished: &Path, data: &Path) -> Outcome {
    let parent = match data.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    OsDisk
        .rename(unfinished, data)
        .and_then(|()| OsDisk.sync_dir(parent))
        .map_err(|error| unwritten(data, &error))
}
