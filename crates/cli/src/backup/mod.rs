//! `encours backup` and `encours restore`: the truth of a data folder in another place, and back.
//!
//! | in the folder of a backup | what |
//! | --- | --- |
//! | `backup.json` | the files that belong to it, with length and hash, and how far the log reaches |
//! | `log/`, `keys/`, `checkpoints/` | those files |
//! | `backup.lock` | held while a backup is made; names its process |
//!
//! A backup is finished by `backup.json` alone, which is replaced as a whole. No file that the one
//! before names is written over: full segments never change, and every other file bears the beginning
//! of its hash in its name. So an interruption at any moment leaves the backup before it usable.

mod files;
mod fork;
mod manifest;
mod restore;
mod signed;
mod site;
mod take;
mod unsynced;

use std::path::{Path, PathBuf};

use clap::Args;
use encours_log::{Disk, Known, LogId, OsDisk, Position, VerifyProgress, VerifyReport};

use self::files::{Stored, sum};
pub(crate) use self::manifest::moment;
use self::manifest::{Entry, Manifest, TailOf};
pub(crate) use self::restore::{RESTORE_EXAMPLES, RestoreArgs, restore};
use self::signed::Signed;
use crate::audit::{Audited, Depth, audit_frames};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{
    Cell, Column, Format, OutputArgs, Printer, Unit, fields, print_text, progress_bar,
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  encours backup --data ./encours-data --to /backup/encours
  encours backup --to /backup/encours --verify-only
  encours backup --data ./encours-data/logs/south --to /backup/south --output json

A server may go on writing. Another backup into the same folder copies what is new; one that is
interrupted leaves the one before it as it was. `encours restore` puts a backup into a new folder.";

#[derive(Args, Debug)]
pub(crate) struct BackupArgs {
    /// The data folder, also of a running server; of several logs one of DIR/logs/NAME
    #[arg(long, value_name = "DIR", required_unless_present = "verify_only")]
    data: Option<PathBuf>,

    /// The folder of the backup; made where it does not exist
    #[arg(long, value_name = "DIR")]
    to: PathBuf,

    /// Copies nothing: checks the backup that is there
    #[arg(long, conflicts_with = "data")]
    verify_only: bool,

    #[command(flatten)]
    output: OutputArgs,
}

/// How often a backup is read that newer ones take the place of meanwhile.
const TURNS: u32 = 8;

/// What was done.
struct Done {
    manifest: Manifest,
    audited: Audited,
    /// Files copied, and those that an earlier backup had copied.
    copied: u64,
    kept: u64,
    /// The log that a restored one was forked from, and the last position that was taken over.
    forked: Option<(LogId, Position)>,
}

/// The last two are told of a fork alone.
const COLUMNS: [Column; 14] = [
    Column::left("result"),
    Column::left("log_id"),
    Column::right("frames"),
    Column::right("events"),
    Column::right("position"),
    Column::left("tail_hash"),
    Column::left("recorded_at"),
    Column::left("made_at"),
    Column::right("keys"),
    Column::right("bytes"),
    Column::right("copied"),
    Column::right("kept"),
    Column::left("forked_from"),
    Column::right("forked_at"),
];

/// Makes a backup, or checks one.
pub(crate) fn backup(args: &BackupArgs) -> Outcome {
    let done = match &args.data {
        Some(data) => take::take(data, &args.to, args.output.lang)?,
        None => steady(&args.to, |manifest| {
            let audited = check(&args.to, &manifest, Vec::new(), &[], args.output)?;
            let kept = manifest.files.len() as u64;
            Ok(Done { manifest, audited, copied: 0, kept, forked: None })
        })?,
    };
    print(args.output, done)
}

/// The manifest of a backup that has to be there.
fn existing(dir: &Path) -> Outcome<Manifest> {
    Manifest::read(dir)?.ok_or_else(|| {
        Failure::usage(format!("no_backup: {} holds no backup.json", dir.display()))
            .hint("`encours backup --data DIR --to DIR` makes a backup; one that was not finished is none")
    })
}

/// Reads a backup that is there; once more where a newer one has taken its place meanwhile, which takes
/// files of the one before away.
///
/// WHY without its lock: a backup may lie where nothing can be written.
fn steady<T>(dir: &Path, mut read: impl FnMut(Manifest) -> Outcome<T>) -> Outcome<T> {
    let mut manifest = existing(dir)?;
    for _ in 0..TURNS {
        let failure = match read(manifest.clone()) {
            Err(failure) => failure,
            read => return read,
        };
        let now = existing(dir)?;
        if now == manifest {
            return Err(failure);
        }
        manifest = now;
    }
    let message = format!(
        "backup_replaced: {TURNS} newer backups were made in {} while it was read",
        dir.display()
    );
    Err(Failure::new(Exit::Unavailable, message)
        .hint("nothing is wrong with it: try again when none is being made"))
}

/// What does not fit in a backup, or in the folder that it was made of.
enum Unfit {
    /// Files, log or keys.
    Folder(Failure),
    /// A file of `checkpoints/`: all the rest may be in order.
    Checkpoint(Failure),
    /// The signing key, without which no checkpoint can be checked.
    Key(Failure),
}

impl From<Failure> for Unfit {
    fn from(failure: Failure) -> Self {
        Self::Folder(failure)
    }
}

impl From<Unfit> for Failure {
    fn from(unfit: Unfit) -> Self {
        let (Unfit::Folder(failure) | Unfit::Checkpoint(failure) | Unfit::Key(failure)) = unfit;
        failure
    }
}

/// Checks a backup as a whole: every file but those that were `read` just now, then the log, every event
/// and every key in it. `known` are frames that the log must have.
fn check(
    dir: &Path,
    manifest: &Manifest,
    mut known: Vec<Known>,
    read: &[&str],
    how: OutputArgs,
) -> Result<Audited, Unfit> {
    known.extend(manifest.as_known());
    for entry in manifest.files.iter().filter(|entry| !read.contains(&entry.path.as_str())) {
        is_whole(dir, entry)?;
    }
    let progress = progress_bar(how.lang, "verifying", Unit::Bytes);
    let disk = Stored::of(dir, &manifest.files);
    let audited = look_through(&disk, dir, manifest, &known, &mut |at| {
        progress.set_length(at.total);
        progress.set_position(at.read);
    });
    progress.finish_and_clear();
    audited
}

/// Checks log, events, keys and checkpoints of the data folder that a backup holds, or was put into.
fn look_through(
    disk: &dyn Disk,
    data: &Path,
    manifest: &Manifest,
    known: &[Known],
    progress: &mut dyn FnMut(VerifyProgress),
) -> Result<Audited, Unfit> {
    let mut signed = Signed::of(disk, data)?;
    let audited = audit_frames(disk, data, Depth::Keys, known, &mut |passed| {
        progress(passed.progress());
        signed.look(passed)
    })
    .map_err(Failure::from)?;
    signed.agrees(&audited.report).map_err(Unfit::Checkpoint)?;
    agrees(manifest, &audited.report)?;
    Ok(audited)
}

/// Refuses a file of a backup that is not what was stored.
fn is_whole(dir: &Path, entry: &Entry) -> Outcome {
    let path = Manifest::place(dir, entry);
    let what = match sum(&path)? {
        None => "is missing".to_owned(),
        Some(found) if found.bytes != entry.bytes => {
            format!("has {} bytes, {} were stored", found.bytes, entry.bytes)
        }
        Some(found) if found.sha256 != entry.sha256 => {
            format!("has hash {}, with {} it was stored", found.sha256, entry.sha256)
        }
        Some(_) => return Ok(()),
    };
    Err(damaged(format!("{} {what}", path.display())))
}

fn damaged(what: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Damaged, format!("backup_damaged: {what}")).hint(
        "use another backup; one more into this folder puts right what the data folder still has",
    )
}

/// Refuses a manifest that belongs to other files.
///
/// WHY without the time: who copies a segment that has no frame yet does not know when the frame before
/// it was recorded, and the hash vouches for that.
fn agrees(manifest: &Manifest, report: &VerifyReport) -> Outcome {
    let found = TailOf::of(&report.tail);
    if manifest.log_id != report.log_id.to_string() {
        let (wanted, found) = (&manifest.log_id, report.log_id);
        return Err(damaged(format!("backup.json is of log {wanted}, its files of {found}")));
    }
    let wanted = &manifest.tail;
    let end = |tail: &TailOf| (tail.frame, tail.position, tail.hash.clone());
    if end(wanted) != end(&found) {
        return Err(damaged(format!(
            "backup.json ends at frame {}, position {}; its log at frame {}, position {}",
            wanted.frame, wanted.position, found.frame, found.position
        )));
    }
    Ok(())
}

fn print(how: OutputArgs, done: Done) -> Outcome {
    let Done { manifest, audited: Audited { report, keys }, copied, kept, forked } = done;
    let mut row = vec![
        Cell::Status("OK".to_owned()),
        Cell::text(manifest.log_id),
        Cell::Count(report.frames),
        Cell::Count(report.events),
        Cell::Count(manifest.tail.position),
        Cell::text(manifest.tail.hash),
        Cell::text(manifest.tail.recorded_at),
        Cell::text(manifest.made_at),
        Cell::Count(keys),
        Cell::Count(manifest.files.iter().map(|entry| entry.bytes).sum()),
        Cell::Count(copied),
        Cell::Count(kept),
    ];
    if let Some((from, position)) = forked {
        row.extend([Cell::text(from.to_string()), Cell::Count(position.0)]);
    }
    let columns: &'static [Column] = COLUMNS.get(..row.len()).unwrap_or(&COLUMNS);
    if how.format == Format::Table {
        let names = columns.iter().map(|column| column.name);
        return print_text(&fields(&names.zip(row).collect::<Vec<_>>(), how.lang));
    }
    let mut printer = Printer::start(how, "backup", columns)?;
    printer.row(row)?;
    printer.finish()
}

/// The names in a folder; none where there is no such folder.
fn names(dir: &Path) -> Outcome<Vec<String>> {
    match OsDisk.list(dir) {
        Ok(names) => Ok(names),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(files::unreadable(dir, &error)),
    }
}
