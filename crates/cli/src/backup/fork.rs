//! `encours restore --fork`: a backup as the beginning of a log of its own.
//!
//! Where the server went on after the backup, what it gave out after that is lost, and the same positions
//! will be given out again. Under the old log id nobody could tell the two apart, and one key would sign
//! both. So every frame is sealed again under a new log id, and the first new one says from where the log
//! goes on. See `docs/adr/0016-a-restore-that-loses-frames-forks.md`.

use std::path::Path;
use std::sync::Arc;

use encours_domain::Event;
use encours_domain::event::LogForked;
use encours_engine::{EngineError, KeysOf, move_keys};
use encours_log::{
    AppendOutcome, CommandRecord, Disk as _, EventLog as _, EventRecord, Frame, FrameDraft,
    FrameError, Journal, JournalOptions, LogError, LogId, OsDisk, Position, SealWith, Tail,
    VerifyReport, inspect,
};
use encours_schema::Encoded;
use indicatif::ProgressBar;

use super::agrees;
use super::files::{Stored, unwritten};
use super::manifest::{Manifest, TailOf};
use super::restore::put;
use super::unsynced::{Unsynced, sync_folder};
use crate::audit::{Audited, Broken, Depth, audit};
use crate::failure::{Exit, Failure, Outcome};
use crate::node::log_dir;

/// What the checkpoints of other logs begin with in `checkpoints/`: what this one signs never does.
const FROM: &str = "forked-from-";

/// A folder that holds a log of its own.
pub(super) struct Forked {
    pub(super) audited: Audited,
    /// The log that it was forked from.
    pub(super) from: LogId,
    /// The last position that was taken over.
    pub(super) position: Position,
    /// Files that were made.
    pub(super) files: u64,
}

/// Makes a folder with the frames, keys and checkpoints of a backup that was checked, as those of
/// another log.
pub(super) fn fork(
    from: &Path,
    manifest: &Manifest,
    into: &Path,
    progress: &ProgressBar,
) -> Outcome<Forked> {
    let log_id = LogId::random()
        .ok_or_else(|| Failure::new(Exit::Failure, "the system gives no random numbers"))?;
    if manifest.tail.frame == 0 {
        let message = format!("no_frames: the log in {} is empty", from.display());
        return Err(Failure::new(Exit::Refused, message)
            .hint("a server that is started on a new folder begins a log of its own"));
    }
    let stored = Stored::of(from, &manifest.files);
    for folder in ["log", "keys"] {
        let dir = into.join(folder);
        OsDisk.create_dir_all(&dir).map_err(|error| unwritten(&dir, &error))?;
    }
    let old = frames(&stored, (from, manifest), log_id, into, progress)?;
    sync_folder(&log_dir(into))?;
    let (from_keys, keys) = (from.join("keys"), into.join("keys"));
    let of_backup = KeysOf { disk: &stored, dir: &from_keys, log_id: old.log_id };
    move_keys(of_backup, KeysOf { disk: &OsDisk, dir: &keys, log_id })
        .map_err(EngineError::from)?;
    let checkpoints = checkpoints(from, manifest, old.log_id, into)?;
    let audited = audit(&OsDisk, into, Depth::Keys, &[], &mut |_| {})?;
    let report = &audited.report;
    let position = last(&old.tail);
    let is_whole = report.log_id == log_id
        && report.frames == old.frames + 1
        && report.events == old.events + 1
        && report.commands == old.commands + 1;
    if !is_whole {
        let path = log_dir(into);
        let message = format!(
            "{} has {} frames and {} events of {} and {}: look after the disk",
            path.display(),
            report.frames,
            report.events,
            old.frames + 1,
            old.events + 1
        );
        return Err(Failure::new(Exit::Failure, message));
    }
    OsDisk.sync_dir(into).map_err(|error| unwritten(into, &error))?;
    // The anchor and the key file are one each.
    let files = audited.report.segments + checkpoints + 2;
    Ok(Forked { audited, from: old.log_id, position, files })
}

impl Forked {
    /// The manifest of the backup, as one of this log.
    pub(super) fn as_manifest(&self, manifest: Manifest) -> Manifest {
        let VerifyReport { log_id, tail, .. } = &self.audited.report;
        Manifest { log_id: log_id.to_string(), tail: TailOf::of(tail), ..manifest }
    }
}

/// Seals each frame again, and the one after them; answers what the backup held.
fn frames(
    stored: &Stored,
    (from, manifest): (&Path, &Manifest),
    log_id: LogId,
    into: &Path,
    progress: &ProgressBar,
) -> Outcome<VerifyReport> {
    let options =
        JournalOptions { create: Some(log_id), background: false, ..JournalOptions::default() };
    let (mut journal, _) = Journal::open(Arc::new(Unsynced), &log_dir(into), options)?;
    let mut failed = None;
    let read = inspect(stored, &log_dir(from), &manifest.as_known(), &mut |passed| {
        let at = passed.progress();
        progress.set_length(at.total);
        progress.set_position(at.read);
        let number = passed.header().number;
        let frame = Frame::decode(passed.bytes()).map_err(|error| LogError::Corrupt {
            file: String::new(),
            offset: passed.offset(),
            frame: number,
            position: passed.header().first_position,
            source: error.into(),
        })?;
        let moved = frame.moved(log_id, journal.tail().hash);
        append(&mut journal, moved).inspect_err(|error| failed = Some(error.clone()))
    });
    let old = match (read, failed) {
        (_, Some(error)) => return Err(unmade(error)),
        (Err(flaw), None) => return Err(Broken::from(flaw).into()),
        (Ok(old), None) => old,
    };
    agrees(manifest, &old)?;
    let end = journal.tail();
    append(&mut journal, first_own(&old, &end, log_id)?).map_err(unmade)?;
    journal.close().map_err(unmade)?;
    Ok(old)
}

fn append(journal: &mut Journal, frame: Frame) -> Result<(), LogError> {
    journal.submit(frame);
    match journal.settle() {
        Some((_, AppendOutcome::Committed)) => Ok(()),
        Some((_, AppendOutcome::Rejected(error) | AppendOutcome::Unknown(error))) => Err(error),
        Some((_, AppendOutcome::Fenced { .. })) | None => {
            Err(LogError::Options("the frame was not taken"))
        }
    }
}

/// A log that could not be written.
fn unmade(error: LogError) -> Failure {
    if error.is_full() {
        return Failure::new(Exit::Failure, format!("no_room: {error}"))
            .hint("make room there, or give another folder; what was there is as it was");
    }
    error.into()
}

/// The frame that says from where the log goes on.
///
/// WHY with the time of the frame before: what a log has recorded never goes back, and a wrong clock here
/// would be in it for good. The first server that opens the log says when that was, by a clock that
/// it holds against the time that the log knows.
fn first_own(old: &VerifyReport, end: &Tail, log_id: LogId) -> Outcome<Frame> {
    let event = Event::from(LogForked {
        log_id: old.log_id.0,
        frame: old.tail.number.0,
        frame_hash: old.tail.hash.0,
        position: last(&old.tail),
    });
    let unsealed = |error: &dyn std::fmt::Display| Failure::new(Exit::Failure, error.to_string());
    let encoded = encours_schema::encode(&event).map_err(|error| unsealed(&error))?;
    let Encoded { kind, version, payload } = encoded;
    let command = CommandRecord {
        request_id: String::new(),
        // Of no request.
        digest: [0; 32],
        actor: "system".to_owned(),
        reason: String::new(),
        causation: Position::START,
        event_count: 1,
    };
    let mut draft = FrameDraft::new(end.next_position);
    let sealed = draft.push(&command, &[EventRecord { kind, version, payload }]).and_then(|()| {
        draft.seal(SealWith {
            log_id,
            epoch: end.epoch,
            number: end.number.next(),
            recorded_at: end.recorded_at,
            previous: end.hash,
        })
    });
    sealed.map_err(|error: FrameError| unsealed(&error))
}

/// The position of the last event.
const fn last(tail: &Tail) -> Position {
    Position(tail.next_position.0.saturating_sub(1))
}

/// Keeps what was signed of the old log under names of its own, for those who hold the new one against
/// it; answers how many files that are.
fn checkpoints(from: &Path, manifest: &Manifest, old: LogId, into: &Path) -> Outcome<u64> {
    let mut kept = 0;
    for entry in &manifest.files {
        let Some(name) = entry.path.strip_prefix("checkpoints/") else { continue };
        let name =
            if name.starts_with(FROM) { name.to_owned() } else { format!("{FROM}{old}.{name}") };
        put(from, entry, &into.join("checkpoints").join(name), &mut |_| {})?;
        kept += 1;
    }
    Ok(kept)
}
