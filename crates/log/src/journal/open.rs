//! Opening a journal: the folder, the lock, the anchor, and either recovery or a new log.

use std::path::Path;
use std::sync::Arc;

use encours_domain::Position;
use tracing::{info, warn};

use super::anchor::{ANCHOR, ANCHOR_TEMP, Anchor, AnchorWriter, FoundAnchor};
use super::reader::{JournalReader, SegmentIndex};
use super::recovery::{OpenSegment, Scanned, Witnesses, scan};
use super::segment::{
    FIRST_FRAME_AT, LOCK, SPARE, SPARE_TEMP, SegmentHeader, aligned, segment_name, segments_of,
};
use super::spare::{SpareMaker, is_usable};
use super::{Active, Journal, JournalOptions, SEGMENT_LEN_MAX, SEGMENT_LEN_MIN};
use crate::chain::Tail;
use crate::disk::{Disk, LockError, LockGuard};
use crate::error::LogError;
use crate::id::{FrameNumber, LogId};

/// What opening a journal found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Whether the log is new.
    pub created: bool,
    /// Segments read.
    pub segments: u64,
    /// The newest frame, durable.
    pub tail: Tail,
    /// Bytes of frames read and checked.
    pub bytes: u64,
    /// The frame that was anchored.
    pub anchored: FrameNumber,
    /// Bytes of a torn tail that were zeroed.
    pub torn_bytes: u64,
    /// Bytes missing at the end of the last segment's file that were put back as zeros.
    pub restored_bytes: u64,
    /// Bytes of unanchored frames that were written again and synced.
    pub rewritten_bytes: u64,
    /// Slots of the anchor file, other than the one used, that were damaged.
    pub damaged_anchor_slots: u8,
    /// Files that a crash had left and that were removed.
    pub cleaned: Vec<String>,
}

/// A folder that is locked and read, but not judged.
struct Folder {
    options: JournalOptions,
    disk: Arc<dyn Disk>,
    lock: Box<dyn LockGuard>,
    segments: Vec<FrameNumber>,
    has_spare: bool,
    cleaned: Vec<String>,
    anchor: Option<FoundAnchor>,
}

impl Journal {
    /// Opens the journal in `dir`, making a new log where `options.create` says so.
    ///
    /// Everything is read and checked: 1.3 million events in 240 MB take a third of a second on a
    /// machine with two cores, of which one is used.
    ///
    /// # Errors
    /// [`LogError`]; on any of them nothing of the log was changed, apart from
    /// [`SyncFailed`](LogError::SyncFailed), where a repair did not reach the disk and the next open
    /// begins again.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: JournalOptions,
    ) -> Result<(Self, Recovery), LogError> {
        let len = options.segment_len;
        if !(SEGMENT_LEN_MIN..=SEGMENT_LEN_MAX).contains(&len) || aligned(len) != len {
            return Err(LogError::Options(
                "a segment has 2 KiB to 4 GiB, in multiples of 512 bytes",
            ));
        }
        let folder = Folder::open(disk, dir, options)?;
        let (journal, recovery) =
            if folder.segments.is_empty() { folder.create(dir)? } else { folder.recover(dir)? };
        journal.spare.prepare();
        if !journal.has_room()
            && let Err(error) = journal.spare.await_ready()
        {
            // Commands will be refused until there is room; what is there can be read.
            warn!(code = error.code(), %error, "the log has no room for another segment");
        }
        info!(
            log_id = %journal.reader.log_id, created = recovery.created,
            segments = recovery.segments, frame = %recovery.tail.number,
            next_position = %recovery.tail.next_position, bytes = recovery.bytes,
            "log open"
        );
        Ok((journal, recovery))
    }
}

impl Folder {
    fn open(disk: Arc<dyn Disk>, dir: &Path, options: JournalOptions) -> Result<Self, LogError> {
        if !disk.exists(dir).map_err(LogError::io("look for", dir))? {
            if options.create.is_none() {
                return Err(LogError::NoLog { dir: dir.to_owned() });
            }
            disk.create_dir_all(dir).map_err(LogError::io("make", dir))?;
        }
        let names = disk.list(dir).map_err(LogError::io("list", dir))?;
        let is_log = names.iter().any(|name| name == ANCHOR) || !segments_of(&names).is_empty();
        if !is_log && options.create.is_none() {
            return Err(LogError::NoLog { dir: dir.to_owned() });
        }
        let path = dir.join(LOCK);
        let lock = disk.lock(&path).map_err(|error| match error {
            LockError::Held { holder } => LogError::Locked { dir: dir.to_owned(), holder },
            LockError::Io(error) => LogError::io("lock", &path)(error),
        })?;
        // Once more, now that nobody else changes them.
        let names = disk.list(dir).map_err(LogError::io("list", dir))?;
        let anchor = Anchor::load(&*disk, dir)?;
        let segments = segments_of(&names);
        let mut cleaned = Vec::new();
        for name in [SPARE_TEMP, ANCHOR_TEMP] {
            if names.iter().any(|found| found == name) {
                clean(&*disk, dir, name, &mut cleaned)?;
            }
        }
        let has_spare = names.iter().any(|name| name == SPARE);
        Ok(Self { options, disk, lock, segments, has_spare, cleaned, anchor })
    }

    /// Begins a new log. The anchor is made before the first segment, so that a folder with segments
    /// always has one.
    fn create(self, dir: &Path) -> Result<(Journal, Recovery), LogError> {
        let start = FrameNumber::START;
        let mut known = self.options.known.clone();
        known.extend(self.anchor.map(|found| found.anchor.as_known()));
        if let Some(known) = known.iter().max_by_key(|known| known.number)
            && known.number > start
        {
            let (known, wanted) = (known.source.clone(), known.number);
            let position = Position::START;
            return Err(LogError::RolledBack { known, wanted, tail: start, position });
        }
        let Some(log_id) = self.options.create else {
            return Err(LogError::NoLog { dir: dir.to_owned() });
        };
        if self.options.expect.is_some_and(|expected| expected != log_id) {
            return Err(LogError::Options("the log to create is not the log that is expected"));
        }
        let disk = &*self.disk;
        let anchor = Anchor::genesis(log_id);
        anchor.create(disk, dir)?;
        let (spare, cleaned) = self.spare(dir)?;
        let tail = Tail::genesis(log_id);
        let reader = JournalReader::new(Arc::clone(&self.disk), dir.into(), log_id, tail, vec![]);
        let anchor = AnchorWriter::open(disk, dir, anchor)?;
        let mut journal = Journal {
            dir: dir.to_owned(),
            reader: Arc::new(reader),
            active: None,
            anchor,
            spare,
            segment_len: self.options.segment_len,
            in_flight: std::collections::VecDeque::new(),
            unanchored: 0,
            stopped: None,
            disk: Arc::clone(&self.disk),
            _lock: self.lock,
        };
        journal.roll()?;
        let recovery = Recovery {
            created: true,
            segments: 1,
            tail,
            bytes: 0,
            anchored: start,
            torn_bytes: 0,
            restored_bytes: 0,
            rewritten_bytes: 0,
            damaged_anchor_slots: 0,
            cleaned,
        };
        Ok((journal, recovery))
    }

    /// Reads, judges and repairs a log that is there.
    fn recover(self, dir: &Path) -> Result<(Journal, Recovery), LogError> {
        let Some(found) = self.anchor else {
            return Err(LogError::AnchorLost { dir: dir.to_owned() });
        };
        let log_id = self.log_id(dir, self.options.expect, found.anchor.log_id)?;
        let anchored = found.anchor.number;
        let mut known = self.options.known.clone();
        known.push(found.anchor.as_known());
        let mut witnesses = Witnesses::new(known);
        let disk = &*self.disk;
        let mut scanned = scan(disk, dir, &self.segments, anchored, log_id, &mut witnesses)?;
        let mut recovery = Recovery {
            created: false,
            segments: self.segments.len() as u64,
            tail: scanned.tail,
            bytes: scanned.bytes,
            anchored,
            torn_bytes: scanned.torn_to - scanned.end,
            restored_bytes: scanned.last.segment_len.saturating_sub(scanned.file_len),
            rewritten_bytes: 0,
            damaged_anchor_slots: found.damaged_slots,
            cleaned: Vec::new(),
        };
        warn_about(&recovery, &scanned);

        let path = dir.join(segment_name(scanned.last.first));
        let file = disk.open_rw(&path).map_err(LogError::io("open", &path))?;
        recovery.rewritten_bytes = scanned.repair(&*file, &path)?;
        disk.sync_dir(dir).map_err(LogError::sync("syncing the folder", dir))?;
        let mut anchor = AnchorWriter::open(disk, dir, found.anchor)?;
        if anchored < scanned.tail.number || found.damaged_slots > 0 {
            anchor.advance(&scanned.tail)?;
        }
        let (spare, cleaned) = self.spare(dir)?;
        recovery.cleaned = cleaned;
        let index = std::mem::take(&mut scanned.index);
        let reader =
            JournalReader::new(Arc::clone(&self.disk), dir.into(), log_id, scanned.tail, index);
        let journal = Journal {
            dir: dir.to_owned(),
            reader: Arc::new(reader),
            active: Some(Active { file, path, len: scanned.last.segment_len, at: scanned.end }),
            anchor,
            spare,
            segment_len: self.options.segment_len,
            in_flight: std::collections::VecDeque::new(),
            unanchored: 0,
            stopped: None,
            disk: Arc::clone(&self.disk),
            _lock: self.lock,
        };
        Ok((journal, recovery))
    }

    /// The log's identity, on which the first segment, the anchor and the caller must agree.
    fn log_id(
        &self,
        dir: &Path,
        expected: Option<LogId>,
        anchored: LogId,
    ) -> Result<LogId, LogError> {
        let first = self.segments.first().copied().unwrap_or_default();
        if first != FrameNumber(1) {
            return Err(LogError::NoSegment { frame: FrameNumber(1) });
        }
        let start = Tail::genesis(anchored);
        let found = match OpenSegment::open(&*self.disk, dir, first, &start) {
            Ok(segment) => segment.header.log_id,
            // The scan judges a damaged segment, with all that is known about it.
            Err(LogError::Corrupt { .. }) => anchored,
            Err(error) => return Err(error),
        };
        let file = segment_name(first);
        match expected {
            Some(expected) if expected != found => {
                Err(LogError::WrongLog { file, found, expected })
            }
            _ if found != anchored => Err(LogError::WrongLog { file, found, expected: anchored }),
            _ => Ok(found),
        }
    }

    /// Sees to the spare that a former process left.
    fn spare(&self, dir: &Path) -> Result<(SpareMaker, Vec<String>), LogError> {
        let mut cleaned = self.cleaned.clone();
        let mut ready = self.has_spare;
        if ready {
            let path = dir.join(SPARE);
            ready = is_usable(&*self.disk, dir, self.options.segment_len)
                .map_err(LogError::io("read", &path))?;
            if !ready {
                clean(&*self.disk, dir, SPARE, &mut cleaned)?;
            }
        }
        let disk = Arc::clone(&self.disk);
        let maker =
            SpareMaker::new(disk, dir, self.options.segment_len, self.options.background, ready)?;
        Ok((maker, cleaned))
    }
}

impl Journal {
    /// Makes the spare the next segment, for the frame after the tail.
    ///
    /// # Errors
    /// [`LogError::Full`] and [`LogError::Io`] where there is no spare: nothing has changed. A
    /// [fatal](LogError::is_fatal) error where the change may be half done.
    pub(super) fn roll(&mut self) -> Result<(), LogError> {
        self.spare.take()?;
        let tail = self.reader.tail_now();
        // WHY: so that a lost segment is missed, and so that the frames which recovery writes again
        // all stand in the last one.
        if self.anchor.number() < tail.number {
            self.anchor.advance(&tail)?;
            self.unanchored = 0;
        }
        let first = tail.number.next();
        let header = SegmentHeader {
            log_id: self.reader.log_id,
            first,
            first_position: tail.next_position,
            segment_len: self.segment_len,
            previous: tail.hash,
        };
        let spare = self.dir.join(SPARE);
        let path = self.dir.join(segment_name(first));
        let file = self.disk.open_rw(&spare).map_err(LogError::sync("opening", &spare))?;
        file.write_all_at(&header.encode(), 0)
            .and_then(|()| file.sync_data())
            .map_err(LogError::sync("beginning a segment in", &spare))?;
        self.disk.rename(&spare, &path).map_err(LogError::sync("renaming", &spare))?;
        self.disk.sync_dir(&self.dir).map_err(LogError::sync("syncing the folder", &self.dir))?;
        self.reader.add_segment(SegmentIndex::new(first, tail.next_position));
        self.active = Some(Active { file, path, len: self.segment_len, at: FIRST_FRAME_AT });
        self.spare.prepare();
        Ok(())
    }
}

fn clean(
    disk: &dyn Disk,
    dir: &Path,
    name: &str,
    cleaned: &mut Vec<String>,
) -> Result<(), LogError> {
    let path = dir.join(name);
    disk.remove(&path).map_err(LogError::io("remove", &path))?;
    warn!(file = %path.display(), "removed a file that an interrupted process had left");
    cleaned.push(name.to_owned());
    Ok(())
}

fn warn_about(recovery: &Recovery, scanned: &Scanned) {
    if recovery.torn_bytes > 0 || recovery.restored_bytes > 0 {
        warn!(
            file = segment_name(scanned.last.first), offset = scanned.end,
            torn_bytes = recovery.torn_bytes, restored_bytes = recovery.restored_bytes,
            frame = %scanned.tail.number, position = %scanned.last_position(),
            "the log ended in an unfinished write, which was never acknowledged; it is zeroed"
        );
    }
    if recovery.damaged_anchor_slots > 0 {
        warn!(slots = recovery.damaged_anchor_slots, "the anchor file had damaged slots");
    }
}
