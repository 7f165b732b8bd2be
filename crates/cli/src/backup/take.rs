//! Making a backup beside a server that goes on writing.
//!
//! The order makes it consistent. Checkpoints first, then the anchor: what they name is durable, so it
//! is in the segments that are copied after them. Then the segments, the last one up to its last whole
//! frame. Then the keys: a key is durable before the frame that rests on it.

use std::path::Path;

use encours_log::{
    Clock as _, Disk as _, LastSegment, LockError, LockGuard, LogError, LogId, OsDisk, SystemClock,
    log_id_in, read_last_segment, segment_files,
};
use indicatif::ProgressBar;

use super::files::{Draft, Sum, copy, sum, unreadable, unwritten};
use super::manifest::{Entry, FOLDERS, MANIFEST, Manifest, TailOf};
use super::{Done, Unfit, check, names};
use crate::failure::{Exit, Failure, Outcome};
use crate::node::log_dir;
use crate::output::{Format, Language, OutputArgs, Unit, progress_bar};

/// Held while a backup is made; tells that a folder without a manifest is one that was not finished.
const LOCK: &str = "backup.lock";
/// How often a small file is read until it is not being written: the anchor, keys, checkpoints.
const LOOKS: u32 = 8;

/// A backup in the making.
struct Taking<'a> {
    data: &'a Path,
    to: &'a Path,
    before: Option<&'a Manifest>,
    files: Vec<Entry>,
    kept: Vec<String>,
    progress: ProgressBar,
}

/// Brings the backup in `to` up to what `data` holds.
pub(super) fn take(data: &Path, to: &Path, lang: Language) -> Outcome<Done> {
    let log_id = log_of(data)?;
    let _lock = lock(to)?;
    let before = Manifest::read(to)?;
    if let Some(before) = before.as_ref().filter(|before| before.log_id != log_id.to_string()) {
        let (to, other, data) = (to.display(), &before.log_id, data.display());
        let message =
            format!("wrong_log: {to} is a backup of log {other}, {data} holds log {log_id}");
        return Err(Failure::new(Exit::Refused, message).hint("give each log a folder of its own"));
    }
    for folder in FOLDERS {
        let dir = to.join(folder);
        OsDisk.create_dir_all(&dir).map_err(|error| unwritten(&dir, &error))?;
    }
    let before = before.as_ref();
    // What interrupted backups have left would take more room with each.
    clean(to, before.map_or(&[], |before| &before.files));
    let progress = progress_bar(lang, "backing up", Unit::Bytes);
    let mut taking = Taking { data, to, before, files: Vec::new(), kept: Vec::new(), progress };
    taking.folder("checkpoints")?;
    taking.small("log/anchor")?;
    let last = taking.segments()?;
    taking.folder("keys")?;
    taking.progress.finish_and_clear();
    let Taking { mut files, kept, .. } = taking;
    files.sort_by(|one, other| one.path.cmp(&other.path));
    let mut manifest = Manifest::new(log_id, SystemClock::new().now(), &last.tail, files);
    reaches(&manifest, before)?;
    let read: Vec<&str> = kept.iter().map(String::as_str).collect();
    let how = OutputArgs { format: Format::Table, lang };
    let seen = before.map(Manifest::as_known).unwrap_or_default();
    let audited =
        check(to, &manifest, seen, &read, how).map_err(|unfit| of_source(unfit, to, data))?;
    manifest.tail = TailOf::of(&audited.report.tail);
    for folder in FOLDERS {
        let dir = to.join(folder);
        OsDisk.sync_dir(&dir).map_err(|error| unwritten(&dir, &error))?;
    }
    manifest.write(to).map_err(|error| Failure::new(error.exit(), error.message()))?;
    clean(to, &manifest.files);
    let kept = kept.len() as u64;
    let copied = manifest.files.len() as u64 - kept;
    Ok(Done { manifest, audited, copied, kept, forked: None })
}

/// The log of a data folder.
fn log_of(data: &Path) -> Outcome<LogId> {
    let several = data.join("logs");
    if !OsDisk.exists(&log_dir(data))? && OsDisk.exists(&several)? {
        let names = OsDisk.list(&several)?.join(", ");
        let message = format!("{} keeps several logs: {names}", data.display());
        return Err(Failure::usage(message).hint(format!(
            "back each up into a folder of its own, as with --data {}/NAME",
            several.display()
        )));
    }
    Ok(log_id_in(&OsDisk, &log_dir(data))?)
}

/// Takes the folder of a backup for this process, and makes it where it does not exist.
fn lock(to: &Path) -> Outcome<Box<dyn LockGuard>> {
    let found = names(to)?;
    let is_ours = found.iter().any(|name| name == MANIFEST || name == LOCK);
    if !found.is_empty() && !is_ours {
        let message = format!("not_empty: {} is not empty, and no backup", to.display());
        return Err(Failure::new(Exit::Refused, message)
            .hint("give a new folder, or that of an earlier backup of the same log"));
    }
    OsDisk.create_dir_all(to).map_err(|error| unwritten(to, &error))?;
    OsDisk.lock(&to.join(LOCK)).map_err(|error| match error {
        LockError::Held { holder } => LogError::Locked { dir: to.to_owned(), holder }.into(),
        LockError::Io(error) => unwritten(&to.join(LOCK), &error),
    })
}

/// Refuses to put less into a folder than it holds.
fn reaches(manifest: &Manifest, before: Option<&Manifest>) -> Outcome {
    let Some(before) = before.filter(|before| before.tail.frame > manifest.tail.frame) else {
        return Ok(());
    };
    let (at, wanted, tail) = (&before.made_at, before.tail.frame, manifest.tail.frame);
    let message = format!(
        "log_rolled_back: the log ends at frame {tail}, but the backup made at {at} has frame {wanted}"
    );
    Err(Failure::new(Exit::Damaged, message).hint(
        "the backup holds more than the data folder: keep it, and restore it where frames were lost",
    ))
}

/// What is wrong with a copy that was made just now, in `to`, is wrong with the folder.
fn of_source(unfit: Unfit, to: &Path, data: &Path) -> Failure {
    let folder = data.display();
    let (failure, hint) = match unfit {
        Unfit::Folder(failure) => {
            (failure, format!("look at `encours log verify --data {folder}`"))
        }
        Unfit::Checkpoint(failure) => {
            let hint = format!(
                "the log of {folder} may be in order, and the file of another node, log or time: keep \
                 it elsewhere as evidence, and take the backup without it"
            );
            (failure, hint)
        }
        // It is named as if it were where its copy is.
        Unfit::Key(failure) => {
            let [copied, own] = [to, data].map(|at| at.join("").display().to_string());
            let hint = failure.advice().unwrap_or_default().to_owned();
            (Failure::new(failure.exit(), failure.message().replacen(&copied, &own, 1)), hint)
        }
    };
    let told = Failure::new(failure.exit(), failure.message());
    told.hint(format!("the backup before is as it was; {hint}"))
}

/// Removes what no backup names. WHY failures are let be: the next backup tries again.
fn clean(to: &Path, named: &[Entry]) {
    for folder in FOLDERS {
        for name in names(&to.join(folder)).unwrap_or_default() {
            let stored = format!("{folder}/{name}");
            if named.iter().all(|entry| entry.stored != stored) {
                drop(OsDisk.remove(&to.join(stored)));
            }
        }
    }
}

impl Taking<'_> {
    /// Every file of a folder, where it exists.
    fn folder(&mut self, folder: &str) -> Outcome {
        for name in names(&self.data.join(folder))? {
            // A file that is being made has its name only once it is whole.
            if !name.ends_with(".tmp") && !name.starts_with('.') {
                self.small(&format!("{folder}/{name}"))?;
            }
        }
        Ok(())
    }

    /// A file that may change: read until it stays the same, stored under its hash.
    fn small(&mut self, path: &str) -> Outcome {
        let (from, target) = (self.data.join(path), self.to.join(path));
        for look in 1.. {
            let draft = Draft::begin(&target)?;
            let copied = copy(&from, &draft, &mut |_| {})?;
            let again = sum(&from)?.ok_or_else(|| {
                Failure::new(Exit::Failure, format!("{} is gone", from.display()))
                    .hint("it was there a moment ago: look what removes files there")
            })?;
            // WHY: keys are appended to, so more of them is the same file with more in it, or a newer one
            // that has taken its place. What was read is whole in either case, and is checked later on.
            if copied == again || copied.bytes < again.bytes || look == LOOKS {
                let stored = format!("{path}.{}", &copied.sha256[..16]);
                self.keep(draft, path, &stored, &copied)?;
                break;
            }
        }
        Ok(())
    }

    /// Gives a draft its name, and notes it.
    fn keep(&mut self, draft: Draft, path: &str, stored: &str, wanted: &Sum) -> Outcome {
        let found = draft.synced()?;
        if found != *wanted {
            let path = draft.path().display();
            let message = format!("{path} does not read back as it was written");
            return Err(Failure::new(Exit::Failure, message).hint(
                "look after its disk, or give a folder on another; the backup before stays",
            ));
        }
        draft.keep(&self.to.join(stored))?;
        let Sum { bytes, sha256 } = found;
        let (path, stored) = (path.to_owned(), stored.to_owned());
        self.files.push(Entry { path, stored, bytes, sha256 });
        Ok(())
    }

    /// The segments in order; answers what the last one held.
    fn segments(&mut self) -> Outcome<LastSegment> {
        let dir = log_dir(self.data);
        let mut segments = segment_files(&OsDisk, &dir)?;
        let no_log = || LogError::NoLog { dir: dir.clone() };
        let last = segments.pop().ok_or_else(no_log)?;
        let mut total = 0;
        for name in &segments {
            let path = dir.join(name);
            total += path.metadata().map_err(|error| unreadable(&path, &error))?.len();
        }
        self.progress.set_length(total);
        for name in &segments {
            self.full(name)?;
        }
        self.last(&last)
    }

    /// A segment that nothing is written to any more: copied where the backup has no such one.
    fn full(&mut self, name: &str) -> Outcome {
        let path = format!("log/{name}");
        let (from, target) = (self.data.join(&path), self.to.join(&path));
        let earlier = self.before.and_then(|before| before.file(&path));
        if let Some(entry) = earlier.filter(|entry| entry.is_full_segment()) {
            let told =
                sum(&from)?.ok_or_else(|| Failure::from(LogError::NoLog { dir: from.clone() }))?;
            let (bytes, sha256) = (told.bytes, told.sha256.clone());
            if (bytes, &sha256) != (entry.bytes, &entry.sha256) {
                let message = format!(
                    "segment_differs: {} is not what the backup in {} holds of it",
                    from.display(),
                    self.to.display()
                );
                return Err(Failure::new(Exit::Damaged, message).hint(format!(
                    "look at `encours log verify --data {}`; another node's folder needs a backup of \
                     its own",
                    self.data.display()
                )));
            }
            self.progress.inc(bytes);
            // What the backup holds is read too: a copy that has rotted is made anew.
            if sum(&target)?.as_ref() == Some(&told) {
                self.kept.push(path.clone());
                self.files.push(entry.clone());
                return Ok(());
            }
            self.progress.dec(bytes);
        }
        let draft = Draft::begin(&target)?;
        let progress = self.progress.clone();
        let copied = copy(&from, &draft, &mut |bytes| progress.inc(bytes))?;
        self.keep(draft, &path, &path, &copied)
    }

    /// The segment that is being written, up to its last whole frame; zeros follow.
    fn last(&mut self, name: &str) -> Outcome<LastSegment> {
        let path = format!("log/{name}");
        let draft = Draft::begin(&self.to.join(&path))?;
        let mut failed = None;
        let read = read_last_segment(&OsDisk, &log_dir(self.data), name, &mut |offset, bytes| {
            draft.write(bytes, offset).inspect_err(|error| failed = Some(error.kind()))
        });
        let read = match (read, failed) {
            (Ok(read), _) => read,
            (Err(_), Some(kind)) => return Err(unwritten(draft.path(), &kind.into())),
            (Err(error), None) => {
                return Err(of_source(Unfit::Folder(error.into()), self.to, self.data));
            }
        };
        draft.set_len(read.len)?;
        let held = draft.synced()?;
        let stored = format!("{path}.{}", &held.sha256[..16]);
        self.keep(draft, &path, &stored, &held)?;
        Ok(read)
    }
}
