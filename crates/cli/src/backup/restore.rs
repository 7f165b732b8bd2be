//! Putting a backup into a new data folder.
//!
//! The backup is checked before anything is made, the copy again before its parts are put in their
//! places: a folder with a log is a whole one, whenever the restore is interrupted.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use encours_log::{Disk as _, OsDisk};
use indicatif::ProgressBar;

use super::files::{Draft, copy, unwritten};
use super::fork::{Forked, fork};
use super::manifest::{Entry, Manifest};
use super::site::Site;
use super::{Done, check, damaged, existing, look_through, print, steady};
use crate::audit::Audited;
use crate::failure::Outcome;
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

/// What was made, and is not in its place yet.
struct Made {
    done: Done,
    /// What is to be said to people.
    note: String,
}

/// Restores a backup.
pub(crate) fn restore(args: &RestoreArgs) -> Outcome {
    let RestoreArgs { from, data, fork, output } = args;
    let _is_there = existing(from)?;
    let mut site = Site::begin(data)?;
    let make = if *fork { make_fork } else { make_same };
    let made = steady(from, |manifest| {
        let _checked = check(from, &manifest, Vec::new(), &[], *output)?;
        site.clear()?;
        let progress = progress_bar(output.lang, "restoring", Unit::Bytes);
        progress.set_length(manifest.files.iter().map(|entry| entry.bytes).sum());
        let made = make(from, manifest, site.building(), &progress);
        progress.finish_and_clear();
        made
    });
    let made = match made {
        Ok(made) => made,
        Err(failure) => {
            site.give_up();
            return Err(failure);
        }
    };
    site.finish()?;
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
