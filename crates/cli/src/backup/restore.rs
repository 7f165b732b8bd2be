//! Putting a backup into a new data folder.
//!
//! The backup is checked before anything is made, the copy again before it has its name: a folder of
//! that name is a whole one, whenever the restore is interrupted.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use encours_log::{Disk as _, OsDisk};
use indicatif::ProgressBar;

use super::files::{Draft, copy, unwritten};
use super::fork::{Forked, fork};
use super::manifest::{Entry, Manifest};
use super::{Done, check, damaged, existing, look_through, names, print};
use crate::audit::Audited;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{OutputArgs, Paint, Unit, progress_bar};

pub(crate) const RESTORE_EXAMPLES: &str = "\
Examples:
  encours restore --from /backup/encours --data ./encours-data
  encours restore --from /backup/encours --data ./encours-data --fork

The backup is checked as a whole first, and the copy again: where anything is missing, damaged or of
another backup, nothing is made. Without --fork the folder is the same log as before: for a server that
was stopped before the backup was made, and is not started again. Where it went on after that, or may
have, say --fork: positions that it gave out will be given out again, and another log id tells them
apart.";

#[derive(Args, Debug)]
pub(crate) struct RestoreArgs {
    /// The folder of a backup
    #[arg(long, value_name = "DIR")]
    from: PathBuf,

    /// The data folder to make; it must not exist, or be empty
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// Makes a log of its own, with another log id, that goes on from the backup: for where the server
    /// went on after it
    #[arg(long)]
    fork: bool,

    #[command(flatten)]
    output: OutputArgs,
}

/// A folder that was made, whole but for its name.
struct Made {
    done: Done,
    /// What is to be said to people.
    note: String,
}

/// Restores a backup.
pub(crate) fn restore(args: &RestoreArgs) -> Outcome {
    let RestoreArgs { from, data, fork, output } = args;
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
    let make = if *fork { make_fork } else { make_same };
    let made = make(from, manifest, &unfinished, &progress);
    progress.finish_and_clear();
    let made = match made.and_then(|made| named(&unfinished, data).map(|()| made)) {
        Ok(made) => made,
        Err(failure) => {
            // WHY ignored: what is left behind is told of by the next restore.
            drop(fs::remove_dir_all(&unfinished));
            return Err(failure);
        }
    };
    print(*output, made.done)?;
    let label = Paint::Note.on("note:");
    // WHY ignored: nobody needs to read it.
    let _ = writeln!(anstream::stderr(), "{label} {}", made.note);
    Ok(())
}

/// The same log.
fn make_same(
    from: &Path,
    manifest: Manifest,
    into: &Path,
    progress: &ProgressBar,
) -> Outcome<Made> {
    let audited = make(from, &manifest, into, progress)?;
    let note = format!(
        "it is the same log; where the server went on after position {}, remove the folder and restore \
         with --fork",
        manifest.tail.position
    );
    let copied = manifest.files.len() as u64;
    Ok(Made { done: Done { manifest, audited, copied, kept: 0, forked: None }, note })
}

/// A log of its own.
fn make_fork(
    from: &Path,
    manifest: Manifest,
    into: &Path,
    progress: &ProgressBar,
) -> Outcome<Made> {
    let made = fork(from, &manifest, into, progress)?;
    let note = format!(
        "it is another log, forked from {} at position {}; its first start makes a signing key, whose \
         verifier key has to be given to those who check",
        made.from, made.position
    );
    let manifest = made.as_manifest(manifest);
    let Forked { audited, from, position, files: copied } = made;
    let forked = Some((from, position));
    Ok(Made { done: Done { manifest, audited, copied, kept: 0, forked }, note })
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
        put(from, entry, &into.join(&entry.path), &mut |more| progress.inc(more))?;
    }
    let audited = look_through(&OsDisk, into, manifest, &manifest.as_known(), &mut |_| {})?;
    OsDisk.sync_dir(into).map_err(|error| unwritten(into, &error))?;
    Ok(audited)
}

/// Copies a file of a backup, durably, and checks what was copied.
pub(super) fn put(from: &Path, entry: &Entry, target: &Path, told: &mut dyn FnMut(u64)) -> Outcome {
    let dir = target.parent().unwrap_or(Path::new("."));
    OsDisk.create_dir_all(dir).map_err(|error| unwritten(dir, &error))?;
    let draft = Draft::begin(target)?;
    let _copied = copy(&Manifest::place(from, entry), &draft, told)?;
    let found = draft.synced()?;
    if (found.bytes, &found.sha256) != (entry.bytes, &entry.sha256) {
        return Err(damaged(format!("{} has another hash than it was stored with", entry.stored)));
    }
    draft.keep(target)?;
    OsDisk.sync_dir(dir).map_err(|error| unwritten(dir, &error))
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
