//! The spare: a zero-filled, synced file that becomes the next segment.
//!
//! WHY: writing into zero-filled space costs a half to a quarter of growing a file, because a sync has
//! no metadata to write; and a full disk is met here, before a frame depends on it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::segment::{SPARE, SPARE_TEMP, is_zero};
use crate::disk::{Disk, is_no_room};
use crate::error::LogError;

/// Bytes of zeros written or read at a time.
const CHUNK: u64 = 256 * 1024;
/// How long the background thread waits after a failure before it tries again.
const RETRY: Duration = Duration::from_secs(1);

/// Makes spares, in the background where asked.
pub(crate) struct SpareMaker {
    work: Arc<Work>,
    thread: Option<JoinHandle<()>>,
}

struct Work {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    segment_len: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
enum State {
    Absent,
    Wanted,
    Working,
    Ready,
    Failed(LogError),
    Stopped,
}

impl SpareMaker {
    /// `ready`: a spare of this length is there already.
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        dir: &Path,
        segment_len: u64,
        background: bool,
        ready: bool,
    ) -> Result<Self, LogError> {
        let state = Mutex::new(if ready { State::Ready } else { State::Absent });
        let dir = dir.to_owned();
        let work = Arc::new(Work { disk, dir, segment_len, state, changed: Condvar::new() });
        let thread = if background {
            let work = Arc::clone(&work);
            let spawned = std::thread::Builder::new()
                .name("encours-spare".to_owned())
                .spawn(move || work.run());
            let folder = Path::new(SPARE);
            Some(spawned.map_err(LogError::io("start the thread for", folder))?)
        } else {
            None
        };
        Ok(Self { work, thread })
    }

    /// Whether a spare is there.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(*self.work.lock(), State::Ready)
    }

    /// Sees to it that a spare is being made; without a background thread, makes it.
    ///
    /// # Errors
    /// Why the last attempt failed. The next call tries again, except after a fatal error.
    pub(crate) fn want(&self) -> Result<(), LogError> {
        let mut state = self.work.lock();
        match &*state {
            State::Absent if self.thread.is_some() => {
                drop(state);
                self.prepare();
                Ok(())
            }
            State::Failed(error) if self.thread.is_some() || error.is_fatal() => Err(error.clone()),
            State::Absent | State::Failed(_) => {
                let made = self.work.make();
                *state = State::after(&made);
                made
            }
            State::Wanted | State::Working | State::Ready | State::Stopped => Ok(()),
        }
    }

    /// Lets the background thread, where there is one, begin to make a spare.
    pub(crate) fn prepare(&self) {
        let mut state = self.work.lock();
        if self.thread.is_some() && matches!(*state, State::Absent) {
            *state = State::Wanted;
            self.work.changed.notify_all();
        }
    }

    /// Waits for a spare and leaves it where it is.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn await_ready(&self) -> Result<(), LogError> {
        self.want()?;
        match &*self.settled() {
            State::Failed(error) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// Waits for a spare and takes it out of this maker's care.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn take(&self) -> Result<(), LogError> {
        self.await_ready()?;
        *self.work.lock() = State::Absent;
        Ok(())
    }

    /// The state when nothing is being made.
    fn settled(&self) -> MutexGuard<'_, State> {
        let mut state = self.work.lock();
        while matches!(*state, State::Wanted | State::Working) {
            state = self.work.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }
}

impl Drop for SpareMaker {
    fn drop(&mut self) {
        *self.work.lock() = State::Stopped;
        self.work.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}

impl State {
    fn after(made: &Result<(), LogError>) -> Self {
        match made {
            Ok(()) => Self::Ready,
            Err(error) => Self::Failed(error.clone()),
        }
    }
}

impl Work {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The background thread.
    fn run(&self) {
        let mut state = self.lock();
        loop {
            state = match &*state {
                State::Stopped => return,
                State::Wanted => {
                    *state = State::Working;
                    drop(state);
                    let made = self.make();
                    let mut state = self.lock();
                    if !matches!(*state, State::Stopped) {
                        *state = State::after(&made);
                    }
                    self.changed.notify_all();
                    state
                }
                State::Failed(error) if !error.is_fatal() => {
                    let (mut state, waited) = self
                        .changed
                        .wait_timeout(state, RETRY)
                        .unwrap_or_else(PoisonError::into_inner);
                    if waited.timed_out() && matches!(*state, State::Failed(_)) {
                        *state = State::Wanted;
                    }
                    state
                }
                _ => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn make(&self) -> Result<(), LogError> {
        let temp = self.dir.join(SPARE_TEMP);
        let failed = |error: io::Error| {
            if is_no_room(&error) {
                return LogError::Full { segment_len: self.segment_len };
            }
            LogError::io("make", &temp)(error)
        };
        let filled = self.fill(&temp);
        if let Err(error) = filled {
            // WHY: half a spare must not keep the last room from others. Recovery removes it too.
            let _ = self.disk.remove(&temp);
            return Err(failed(error));
        }
        let spare = self.dir.join(SPARE);
        self.disk.rename(&temp, &spare).map_err(LogError::io("rename", &temp))?;
        self.disk.sync_dir(&self.dir).map_err(LogError::sync("syncing the folder", &self.dir))
    }

    fn fill(&self, temp: &Path) -> io::Result<()> {
        if self.disk.exists(temp)? {
            self.disk.remove(temp)?;
        }
        let file = self.disk.create(temp)?;
        let zeros = buffer(self.segment_len)?;
        let mut at = 0;
        while at < self.segment_len {
            let rest = usize::try_from(self.segment_len - at).unwrap_or(usize::MAX);
            let len = rest.min(zeros.len());
            file.write_all_at(&zeros[..len], at)?;
            at += len as u64;
        }
        file.sync_all()
    }
}

/// Whether the spare that a former process left can be used: right length, nothing but zeros.
pub(crate) fn is_usable(disk: &dyn Disk, dir: &Path, segment_len: u64) -> io::Result<bool> {
    let file = disk.open_ro(&dir.join(SPARE))?;
    if file.len()? != segment_len {
        return Ok(false);
    }
    let mut bytes = buffer(segment_len)?;
    let mut at = 0;
    while at < segment_len {
        let read = file.read_up_to(&mut bytes, at)?;
        if read == 0 || !is_zero(&bytes[..read]) {
            return Ok(false);
        }
        at += read as u64;
    }
    Ok(true)
}

fn buffer(segment_len: u64) -> io::Result<Vec<u8>> {
    Ok(vec![0; usize::try_from(segment_len.min(CHUNK)).map_err(io::Error::other)?])
}
