//! A disk in memory that fails on purpose, the same way for the same seed.
//!
//! It keeps for every file what outlives a power cut and what is only shown, and for every folder the
//! names that were not synced. A power cut ([`SimDisk::restart`]) leaves any part of what was not
//! synced: nothing, a prefix, any sectors, half a write, a length without bytes; created, renamed and
//! removed names are lost from some point on. Every call counts as a step, so that a test can cut at
//! the n-th ([`SimDisk::stop_at_step`]).
//!
//! Folders themselves are durable at once, as [`Disk::create_dir_all`] promises.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use encours_log::{Disk, DiskFile, LockError, LockGuard};

use crate::image::{Image, index};
use crate::rng::Rng;

/// The process id that locks of the simulated disk name.
pub const SIM_PID: u32 = 4242;

/// What ends a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Only the process dies: the system keeps what was written, synced or not.
    Process,
    /// The power goes: what was not synced may be lost.
    Power,
}

/// A simulated disk. A clone is the same disk.
#[derive(Clone, Debug)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    rng: Rng,
    files: BTreeMap<u64, Image>,
    next_file: u64,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    pending_names: Vec<NameChange>,
    dirs: BTreeSet<PathBuf>,
    locks: BTreeSet<PathBuf>,
    /// Grows with each restart; open files of an earlier one are dead.
    life: u64,
    steps: u64,
    stop_at: Option<u64>,
    is_down: bool,
    is_read_only: bool,
    room: Option<u64>,
    syncs: u64,
    fail_sync: Option<u64>,
    writes: u64,
    misdirect_write: Option<u64>,
    flip_reads_one_in: u64,
    /// Calls neither count nor fail: whoever looks on is not the process.
    is_observed: bool,
}

#[derive(Clone, Debug)]
enum NameChange {
    Create(PathBuf, u64),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Self::Create(path, file) => {
                names.insert(path.clone(), *file);
            }
            Self::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
            Self::Remove(path) => {
                names.remove(path);
            }
        }
    }

    fn dir(&self) -> Option<&Path> {
        match self {
            Self::Create(path, _) | Self::Rename(_, path) | Self::Remove(path) => path.parent(),
        }
    }
}

impl SimDisk {
    /// An empty disk with a root folder. The seed decides what is lost and what is damaged.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let state = State {
            rng: Rng::new(seed),
            files: BTreeMap::new(),
            next_file: 1,
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending_names: Vec::new(),
            dirs: BTreeSet::from([PathBuf::from("/")]),
            locks: BTreeSet::new(),
            life: 1,
            steps: 0,
            stop_at: None,
            is_down: false,
            is_read_only: false,
            room: None,
            syncs: 0,
            fail_sync: None,
            writes: 0,
            misdirect_write: None,
            flip_reads_one_in: 0,
            is_observed: false,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Calls so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.lock_state().steps
    }

    /// Stops in the midst of the `steps`-th call from now (1: the next). It and all later ones fail
    /// until [`restart`](Self::restart). See [`is_stopped`](Self::is_stopped).
    pub fn stop_at_step(&self, steps: u64) {
        let mut state = self.lock_state();
        state.stop_at = Some(state.steps + steps);
    }

    /// Whether the disk has stopped and waits for a restart.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.lock_state().is_down
    }

    /// Ends the process that uses the disk, with or without the power, and starts again: open files
    /// are dead, locks are free, faults that were to come are off, and after a power cut only what was
    /// durable is certain.
    pub fn restart(&self, cut: Cut) {
        let mut state = self.lock_state();
        if cut == Cut::Power {
            state.cut_power();
        }
        state.life += 1;
        state.locks.clear();
        state.is_down = false;
        state.stop_at = None;
        state.fail_sync = None;
        state.misdirect_write = None;
    }

    /// How many bytes all files together may have from now on; `None`: any.
    pub fn set_room(&self, room: Option<u64>) {
        self.lock_state().room = room;
    }

    /// Bytes that all files have.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.lock_state().used()
    }

    /// Refuses every change from now on, or allows it again.
    pub fn set_read_only(&self, is_read_only: bool) {
        self.lock_state().is_read_only = is_read_only;
    }

    /// Lets the `syncs`-th sync of a file from now (1: the next) fail with an I/O error. What was
    /// pending never becomes durable by itself after that, whether it is still shown or not.
    pub fn fail_sync(&self, syncs: u64) {
        let mut state = self.lock_state();
        state.fail_sync = Some(state.syncs + syncs);
    }

    /// Lets the `writes`-th write from now (1: the next) land some sectors off its place.
    pub fn misdirect_write(&self, writes: u64) {
        let mut state = self.lock_state();
        state.misdirect_write = Some(state.writes + writes);
    }

    /// Flips one bit in one of so many reads; 0: never.
    pub fn flip_reads(&self, one_in: u64) {
        self.lock_state().flip_reads_one_in = one_in;
    }

    /// The bytes of a file, as a read shows them; `None` where there is none.
    #[must_use]
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.lock_state();
        let file = state.names.get(path)?;
        Some(state.files.get(file)?.live().to_vec())
    }

    /// Replaces the bytes of a file durably, behind the back of whoever uses it. Makes no file.
    pub fn set_bytes(&self, path: &Path, bytes: Vec<u8>) {
        self.with_image(path, |image| image.reset(bytes));
    }

    /// Flips a stored bit of a file, behind the back of whoever uses it.
    pub fn flip_bit(&self, path: &Path, bit: u64) {
        self.with_image(path, |image| image.flip(bit));
    }

    /// Removes a file durably, behind the back of whoever uses it.
    pub fn lose(&self, path: &Path) {
        let mut state = self.lock_state();
        state.names.remove(path);
        state.durable_names.remove(path);
    }

    /// Lets calls pass uncounted, also on a disk that has stopped, until it is switched off again: for a
    /// test that reads beside the process, and must not change when it is cut off.
    pub fn observe(&self, is_observed: bool) {
        self.lock_state().is_observed = is_observed;
    }

    /// A disk of its own with the same content, all of it durable.
    #[must_use]
    pub fn copy(&self, seed: u64) -> Self {
        let copy = Self::new(seed);
        {
            let from = self.lock_state();
            let mut to = copy.lock_state();
            to.dirs.clone_from(&from.dirs);
            to.names.clone_from(&from.names);
            to.durable_names.clone_from(&from.names);
            to.next_file = from.next_file;
            for file in from.names.values() {
                let mut image = Image::default();
                image.reset(from.files.get(file).map_or_else(Vec::new, |i| i.live().to_vec()));
                to.files.insert(*file, image);
            }
        }
        copy
    }

    fn with_image(&self, path: &Path, change: impl FnOnce(&mut Image)) {
        let mut state = self.lock_state();
        if let Some(file) = state.names.get(path).copied()
            && let Some(image) = state.files.get_mut(&file)
        {
            change(image);
        }
    }

    fn lock_state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.lock_state();
        state.step()?;
        let file = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        let life = state.life;
        drop(state);
        Ok(Box::new(SimFile { state: Arc::clone(&self.state), file, life }))
    }
}

impl State {
    /// Counts a call; fails where the disk is stopped, or stops here.
    fn step(&mut self) -> io::Result<()> {
        if self.is_observed {
            return Ok(());
        }
        if self.is_down {
            return Err(stopped());
        }
        self.steps += 1;
        if self.stop_at.is_some_and(|at| self.steps >= at) {
            self.is_down = true;
            return Err(stopped());
        }
        Ok(())
    }

    fn may_change(&self) -> io::Result<()> {
        if self.is_read_only { Err(io::ErrorKind::ReadOnlyFilesystem.into()) } else { Ok(()) }
    }

    fn used(&self) -> u64 {
        self.names
            .values()
            .filter_map(|file| self.files.get(file))
            .map(|image| image.live().len() as u64)
            .sum()
    }

    fn image(&mut self, file: u64, life: u64) -> io::Result<&mut Image> {
        if life != self.life {
            return Err(io::Error::other("the file was opened before the restart"));
        }
        self.files.get_mut(&file).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn change_name(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending_names.push(change);
    }

    fn cut_power(&mut self) {
        // WHY: file systems write changes of names in order, so a prefix of them survives.
        let reached = self.rng.index(self.pending_names.len() + 1);
        for change in &std::mem::take(&mut self.pending_names)[..reached] {
            change.apply(&mut self.durable_names);
        }
        self.names.clone_from(&self.durable_names);
        let named: BTreeSet<u64> = self.names.values().copied().collect();
        self.files.retain(|file, _| named.contains(file));
        for image in self.files.values_mut() {
            image.cut_power(&mut self.rng);
        }
    }
}

fn stopped() -> io::Error {
    io::Error::other("the simulated disk has stopped")
}

impl Disk for SimDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.step()?;
        if state.dirs.contains(dir) {
            return Ok(());
        }
        state.may_change()?;
        state.dirs.extend(dir.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut state = self.lock_state();
        state.step()?;
        if !state.dirs.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut names: Vec<String> = state
            .names
            .keys()
            .chain(&state.dirs)
            .filter(|path| path.parent() == Some(dir))
            .filter_map(|path| path.file_name()?.to_str().map(str::to_owned))
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let mut state = self.lock_state();
        state.step()?;
        Ok(state.names.contains_key(path) || state.dirs.contains(path))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.lock_state();
        state.step()?;
        state.may_change()?;
        if state.names.contains_key(path) || state.dirs.contains(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if !path.parent().is_some_and(|dir| state.dirs.contains(dir)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let file = state.next_file;
        state.next_file += 1;
        state.files.insert(file, Image::default());
        state.change_name(NameChange::Create(path.to_owned(), file));
        let life = state.life;
        drop(state);
        Ok(Box::new(SimFile { state: Arc::clone(&self.state), file, life }))
    }

    fn open_rw(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.lock_state().may_change()?;
        self.open(path)
    }

    fn open_ro(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.step()?;
        state.may_change()?;
        if !state.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change_name(NameChange::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.step()?;
        state.may_change()?;
        if !state.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change_name(NameChange::Remove(path.to_owned()));
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.step()?;
        let pending = std::mem::take(&mut state.pending_names);
        for change in pending {
            if change.dir() == Some(dir) {
                change.apply(&mut state.durable_names);
            } else {
                state.pending_names.push(change);
            }
        }
        Ok(())
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn LockGuard>, LockError> {
        let mut state = self.lock_state();
        state.step()?;
        state.may_change()?;
        if !state.locks.insert(path.to_owned()) {
            return Err(LockError::Held { holder: Some(SIM_PID) });
        }
        if !state.names.contains_key(path) {
            let file = state.next_file;
            state.next_file += 1;
            state.files.insert(file, Image::default());
            state.change_name(NameChange::Create(path.to_owned(), file));
        }
        let life = state.life;
        drop(state);
        Ok(Box::new(SimLock { state: Arc::clone(&self.state), path: path.to_owned(), life }))
    }
}

/// An open file of a simulated disk.
struct SimFile {
    state: Arc<Mutex<State>>,
    file: u64,
    life: u64,
}

impl SimFile {
    fn lock_state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.lock_state();
        state.step()?;
        state.syncs += 1;
        let fails = state.fail_sync == Some(state.syncs);
        let mut rng = if fails { state.rng.split() } else { Rng::new(0) };
        let image = state.image(self.file, self.life)?;
        if fails {
            image.fail_sync(&mut rng);
            return Err(io::Error::other("simulated I/O error"));
        }
        image.sync();
        Ok(())
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.lock_state();
        state.step()?;
        let live = state.image(self.file, self.life)?.live();
        let from = index(offset).min(live.len());
        let len = buf.len().min(live.len() - from);
        buf[..len].copy_from_slice(&live[from..from + len]);
        let one_in = state.flip_reads_one_in;
        if len > 0 && state.rng.one_in(one_in) {
            let bit = state.rng.index(len * 8);
            buf[bit / 8] ^= 1 << (bit % 8);
        }
        Ok(len)
    }

    fn write_all_at(&self, bytes: &[u8], mut offset: u64) -> io::Result<()> {
        let mut state = self.lock_state();
        let was_down = state.is_down;
        if let Err(error) = state.step() {
            // The write that the disk stops in may have got anywhere.
            if !was_down {
                let part = state.rng.index(bytes.len() + 1);
                let part = if part == bytes.len() { part } else { part - part % 8 };
                state.image(self.file, self.life)?.write(offset, &bytes[..part]);
            }
            return Err(error);
        }
        state.may_change()?;
        state.writes += 1;
        if state.misdirect_write == Some(state.writes) {
            offset += 512 * (1 + state.rng.below(8));
        }
        let len = state.image(self.file, self.life)?.live().len() as u64;
        let grows = (offset + bytes.len() as u64).saturating_sub(len);
        let free = state.room.map_or(u64::MAX, |room| room.saturating_sub(state.used()));
        if grows > free {
            let fits = bytes.len().saturating_sub(index(grows - free));
            state.image(self.file, self.life)?.write(offset, &bytes[..fits]);
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.image(self.file, self.life)?.write(offset, bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.lock_state();
        state.step()?;
        state.may_change()?;
        state.image(self.file, self.life)?.set_len(len);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync()
    }

    fn len(&self) -> io::Result<u64> {
        let mut state = self.lock_state();
        state.step()?;
        Ok(state.image(self.file, self.life)?.live().len() as u64)
    }
}

struct SimLock {
    state: Arc<Mutex<State>>,
    path: PathBuf,
    life: u64,
}

impl LockGuard for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.life == self.life {
            state.locks.remove(&self.path);
        }
    }
}
