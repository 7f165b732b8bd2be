//! The files of older request ids: written, merged, repaired in the background, looked up by the
//! deciding thread.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use encours_domain::Position;
use encours_log::{Disk, LogId};
use tracing::{info, warn};

use super::file::IdFile;
use super::{Entry, Fingerprint, Generation, IdFileError};

/// Files that may stand side by side before the smallest neighbours are merged.
const FILES_MAX: usize = 8;

/// What the deciding thread looks older ids up in. A clone shares the open files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lookup {
    files: Arc<[Arc<IdFile>]>,
}

impl Lookup {
    /// The last position covered; every command up to it is in the files.
    pub(crate) fn covered(&self) -> Position {
        self.files.last().map_or(Position::START, |file| file.last)
    }

    /// The position of the first event of the command with this id. Asks the newest file first.
    pub(crate) fn get(&self, id: &Fingerprint) -> Result<Option<Position>, IdFileError> {
        for file in self.files.iter().rev() {
            if let Some(position) = file.get(id)? {
                return Ok(Some(position));
            }
        }
        Ok(None)
    }
}

/// The files, seen by the one who writes them. Their ranges follow each other without a gap from
/// position 1 on.
pub(crate) struct IdFiles {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    log_id: LogId,
    files: Vec<Arc<IdFile>>,
    /// Files of more ids are not merged any further.
    file_ids_max: usize,
}

impl IdFiles {
    /// Opens the files of this log. What is damaged, left over or not adjacent is removed: the log has
    /// it all, and the caller reads it there again from [`Lookup::covered`] on.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        log_id: LogId,
        durable: Position,
        file_ids_max: usize,
    ) -> Result<Self, IdFileError> {
        let io = |source| IdFileError::Io { path: dir.clone(), source };
        disk.create_dir_all(&dir).map_err(io)?;
        let names = disk.list(&dir).map_err(io)?;
        let mut ranges: Vec<(Position, Position)> =
            names.iter().filter_map(|name| IdFile::range(name)).collect();
        // WHY the longer first: it is the merged one; what it was merged from may have been left.
        ranges.sort_unstable_by_key(|(first, last)| (*first, std::cmp::Reverse(*last)));
        let mut files: Vec<Arc<IdFile>> = Vec::new();
        for range in ranges {
            let next = files.last().map_or(Position(1), |file| file.last.next());
            if range.0 != next || range.1 > durable {
                continue;
            }
            match IdFile::open(&*disk, &dir, log_id, range) {
                Ok(file) => files.push(file),
                Err(IdFileError::Damaged { path, what }) => {
                    warn!(path = %path.display(), what, "request_ids_rejected");
                }
                Err(error) => return Err(error),
            }
        }
        let mut removed = Vec::new();
        for name in &names {
            let used = files.iter().any(|file| IdFile::name(file.first, file.last) == *name);
            let ours = IdFile::range(name).is_some() || name.ends_with(".tmp");
            if ours && !used {
                disk.remove(&dir.join(name)).map_err(io)?;
                removed.push(name.as_str());
            }
        }
        if !removed.is_empty() {
            warn!(?removed, dir = %dir.display(), "request-id files left over or not usable removed");
        }
        Ok(Self { disk, dir, log_id, files, file_ids_max })
    }

    /// What the deciding thread looks ids up in.
    pub(crate) fn lookup(&self) -> Lookup {
        Lookup { files: self.files.clone().into() }
    }

    /// Whether the files hold this generation already.
    pub(crate) fn covers(&self, generation: &Generation) -> bool {
        generation.last <= self.lookup().covered()
    }

    /// Writes a generation that follows what the files cover.
    pub(crate) fn add(&mut self, generation: &Generation) -> Result<(), IdFileError> {
        let range = (generation.first, generation.last);
        self.files.push(self.write(range, &generation.entries())?);
        Ok(())
    }

    /// The next pair of neighbours to merge, where there are too many files.
    fn to_merge(&self) -> Option<usize> {
        if self.files.len() <= FILES_MAX {
            return None;
        }
        let counts = self.files.windows(2).map(|pair| pair[0].count + pair[1].count);
        let (pair, count) = counts.enumerate().min_by_key(|(_, count)| *count)?;
        (count <= self.file_ids_max).then_some(pair)
    }

    /// Merges neighbours until no more than eight files are left, or the files are as large as they
    /// may be. A damaged one is made anew by `from_log`.
    pub(crate) fn merge(
        &mut self,
        from_log: &dyn Fn(Position, Position) -> Result<Vec<Entry>, String>,
    ) -> Result<(), IdFileError> {
        while let Some(pair) = self.to_merge() {
            let mut entries = self.entries(pair, from_log)?;
            entries.extend(self.entries(pair + 1, from_log)?);
            entries.sort_unstable();
            let range = (self.files[pair].first, self.files[pair + 1].last);
            let merged = self.write(range, &entries)?;
            let old: Vec<_> = self.files.splice(pair..pair + 2, [merged]).collect();
            for file in old {
                self.remove(&file)?;
            }
        }
        Ok(())
    }

    /// Reads every file and makes the damaged ones anew from the log. Returns how many.
    pub(crate) fn repair(
        &mut self,
        from_log: &dyn Fn(Position, Position) -> Result<Vec<Entry>, String>,
    ) -> Result<usize, IdFileError> {
        let mut repaired = 0;
        for index in 0..self.files.len() {
            if let Err(IdFileError::Damaged { .. }) = self.files[index].entries() {
                let entries = self.entries(index, from_log)?;
                let range = (self.files[index].first, self.files[index].last);
                self.files[index] = self.write(range, &entries)?;
                repaired += 1;
            }
        }
        info!(repaired, files = self.files.len(), "request-id files checked");
        Ok(repaired)
    }

    fn entries(
        &self,
        index: usize,
        from_log: &dyn Fn(Position, Position) -> Result<Vec<Entry>, String>,
    ) -> Result<Vec<Entry>, IdFileError> {
        let file = &self.files[index];
        match file.entries() {
            Err(IdFileError::Damaged { path, what }) => {
                warn!(path = %path.display(), what, "request_ids_rejected");
                let mut entries = from_log(file.first, file.last).map_err(|error| {
                    IdFileError::Io { path, source: std::io::Error::other(error) }
                })?;
                entries.sort_unstable();
                Ok(entries)
            }
            other => other,
        }
    }

    fn write(
        &self,
        range: (Position, Position),
        entries: &[Entry],
    ) -> Result<Arc<IdFile>, IdFileError> {
        IdFile::write(&*self.disk, &self.dir, self.log_id, range, entries)
    }

    fn remove(&self, file: &IdFile) -> Result<(), IdFileError> {
        let path: &Path = &self.dir.join(IdFile::name(file.first, file.last));
        self.disk.remove(path).map_err(|source| IdFileError::Io { path: path.to_owned(), source })
    }
}
