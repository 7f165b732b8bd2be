//! A log kept by a server that cannot always be reached, and the copies of it that nodes keep.
//!
//! The server stores a frame where it follows the last one, and nothing else. What goes wrong is drawn
//! from a seed: messages are lost, come late (also after their writer was replaced), are stored without
//! an answer; the server is away for a while, or full.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use encours_log::{
    AppendOutcome, ChainError, Epoch, EventLog, Frame, FrameNumber, LogError, LogId, LogReader,
    MemoryLog, Seen, Tail,
};

use crate::rng::Rng;

/// How often what goes wrong: once in so many messages, 0 for never.
#[derive(Clone, Copy, Debug, Default)]
pub struct StreamFaults {
    /// A message is lost.
    pub lost: u64,
    /// A message comes at any later time, and is taken for lost until then.
    pub late: u64,
    /// A message is stored, but its answer is lost.
    pub unanswered: u64,
    /// A question is not answered.
    pub silent: u64,
}

/// The server's end: frames and keys. A clone is the same server.
#[derive(Clone)]
pub struct SimStream(Arc<Mutex<Server>>);

struct Server {
    log_id: LogId,
    rng: Rng,
    faults: StreamFaults,
    frames: Vec<Frame>,
    tail: Tail,
    stored: u64,
    room: Option<u64>,
    keys: Vec<Vec<u8>>,
    late: Vec<Message>,
    /// Messages and questions that still come to nothing.
    away: u32,
}

#[derive(Clone)]
enum Message {
    Frame(Frame),
    /// Keys, to follow so many bodies.
    Keys(usize, Vec<u8>),
}

/// What the server says about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Stored,
    /// What it follows is not there.
    Gap,
    /// Another writer's frame stands there, or before it.
    Other(Epoch),
    Full,
    Nothing,
}

impl SimStream {
    /// An empty stream.
    #[must_use]
    pub fn new(log_id: LogId, seed: u64) -> Self {
        let server = Server {
            log_id,
            rng: Rng::new(seed),
            faults: StreamFaults::default(),
            frames: Vec::new(),
            tail: Tail::genesis(log_id),
            stored: 0,
            room: None,
            keys: Vec::new(),
            late: Vec::new(),
            away: 0,
        };
        Self(Arc::new(Mutex::new(server)))
    }

    fn server(&self) -> MutexGuard<'_, Server> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what goes wrong from here on.
    pub fn set_faults(&self, faults: StreamFaults) {
        self.server().faults = faults;
    }

    /// Lets so many messages and questions come to nothing.
    pub fn go_away(&self, for_messages: u32) {
        self.server().away = for_messages;
    }

    /// Leaves room for so many bytes of frames beyond those stored; `None` for any number.
    pub fn set_room(&self, beyond: Option<u64>) {
        let mut server = self.server();
        server.room = beyond.map(|room| server.stored + room);
    }

    /// Ends all faults; what is late comes now.
    pub fn heal(&self) {
        let mut server = self.server();
        server.faults = StreamFaults::default();
        server.room = None;
        server.away = 0;
        let mut late = std::mem::take(&mut server.late);
        while !late.is_empty() {
            let index = server.rng.index(late.len());
            server.take(late.swap_remove(index));
        }
    }

    /// The copy of a new node.
    #[must_use]
    pub fn copy(&self) -> SimCopy {
        let log = MemoryLog::new(self.server().log_id);
        SimCopy { stream: self.clone(), log, keys_seen: 0 }
    }
}

impl Server {
    /// Lets late messages come, or not.
    fn tick(&mut self) {
        let late = std::mem::take(&mut self.late);
        for message in late {
            if self.rng.one_in(6) {
                self.take(message);
            } else {
                self.late.push(message);
            }
        }
    }

    /// Sends a message on its way.
    fn send(&mut self, message: Message) -> Said {
        self.tick();
        if self.is_away() || self.rng.one_in(self.faults.lost) {
            if self.rng.one_in(8) {
                self.late.push(message);
            }
            return Said::Nothing;
        }
        if self.rng.one_in(self.faults.late) {
            self.late.push(message);
            return Said::Nothing;
        }
        let said = self.take(message);
        if self.rng.one_in(self.faults.unanswered) { Said::Nothing } else { said }
    }

    fn is_away(&mut self) -> bool {
        let is_away = self.away > 0;
        self.away = self.away.saturating_sub(1);
        is_away
    }

    fn take(&mut self, message: Message) -> Said {
        match message {
            Message::Frame(frame) => self.take_frame(frame),
            Message::Keys(after, body) => match self.keys.get(after) {
                Some(there) if *there == body => Said::Stored,
                Some(_) => Said::Other(self.tail.epoch),
                None if self.keys.len() == after => {
                    self.keys.push(body);
                    Said::Stored
                }
                None => Said::Gap,
            },
        }
    }

    fn take_frame(&mut self, frame: Frame) -> Said {
        let number = frame.header().number;
        if let Some(there) = self.frame(number) {
            let same = there.hash() == frame.hash();
            return if same { Said::Stored } else { Said::Other(there.header().epoch) };
        }
        let len = frame.header().frame_len() as u64;
        match self.tail.follow(self.log_id, frame.header()) {
            Ok(_) if self.room.is_some_and(|room| self.stored + len > room) => Said::Full,
            Ok(tail) => {
                self.tail = tail;
                self.stored += len;
                self.frames.push(frame);
                Said::Stored
            }
            Err(ChainError::Number { .. }) => Said::Gap,
            Err(_) => Said::Other(self.tail.epoch),
        }
    }

    fn frame(&self, number: FrameNumber) -> Option<&Frame> {
        let index = number.0.checked_sub(1).and_then(|index| usize::try_from(index).ok());
        self.frames.get(index?)
    }

    /// Asks something that may not be answered.
    fn ask(&mut self) -> Result<(), LogError> {
        self.tick();
        let silent = self.is_away() || self.rng.one_in(self.faults.silent);
        if silent { Err(no_answer()) } else { Ok(()) }
    }
}

/// A node's copy of the stream. It outlives the node's crashes.
pub struct SimCopy {
    stream: SimStream,
    log: MemoryLog,
    keys_seen: usize,
}

impl SimCopy {
    /// A reading end of the copy.
    #[must_use]
    pub fn reader(&self) -> Arc<dyn LogReader> {
        self.log.reader()
    }

    /// Forgets which keys were handed out, as after a restart.
    pub fn forget_keys(&mut self) {
        self.keys_seen = 0;
    }

    /// Brings in at most so many frames: all keys that there are first, each body by itself.
    ///
    /// # Errors
    /// What `keys` says.
    pub fn pull<E>(
        &mut self,
        frames: usize,
        mut keys: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let (bodies, news) = {
            let server = self.stream.server();
            let from = usize::try_from(self.log.tail().number.0).unwrap_or(usize::MAX);
            let news: Vec<Frame> = server.frames.iter().skip(from).take(frames).cloned().collect();
            (server.keys.clone(), news)
        };
        for body in &bodies[self.keys_seen..] {
            keys(body)?;
        }
        self.keys_seen = bodies.len();
        for frame in news {
            store(&mut self.log, frame);
        }
        Ok(())
    }

    /// A writing end with this window. It expects its own keys after those that the copy has seen.
    #[must_use]
    pub fn writer(&self, window: usize) -> SimStreamLog {
        SimStreamLog {
            stream: self.stream.clone(),
            copy: self.log.reopen(),
            window,
            in_flight: VecDeque::new(),
            keys: self.keys_seen,
        }
    }
}

/// Puts a frame into a copy, where it is next.
fn store(copy: &mut MemoryLog, frame: Frame) {
    if copy.tail().number.next() == frame.header().number {
        copy.submit(frame);
        let settled = copy.settle();
        assert!(settled.is_some_and(|(_, outcome)| outcome.is_committed()), "a chain broke");
    }
}

/// A writing end of a [`SimStream`].
pub struct SimStreamLog {
    stream: SimStream,
    copy: MemoryLog,
    window: usize,
    in_flight: VecDeque<(Frame, Said)>,
    keys: usize,
}

impl EventLog for SimStreamLog {
    fn log_id(&self) -> LogId {
        self.copy.log_id()
    }

    fn tail(&self) -> Tail {
        self.copy.tail()
    }

    fn window(&self) -> usize {
        self.window
    }

    fn admits(&self) -> Result<(), LogError> {
        let server = self.stream.server();
        match server.room {
            Some(room) if server.stored + 2_000 > room => Err(full()),
            _ => Ok(()),
        }
    }

    fn submit(&mut self, frame: Frame) {
        assert!(self.in_flight.len() < self.window, "more in flight than the window");
        let said = self.stream.server().send(Message::Frame(frame.clone()));
        self.in_flight.push_back((frame, said));
    }

    fn settle(&mut self) -> Option<(FrameNumber, AppendOutcome)> {
        let (frame, said) = self.in_flight.pop_front()?;
        let number = frame.header().number;
        let coin = self.stream.server().rng.one_in(2);
        let outcome = match said {
            // Readers may not see it yet: an earlier one is in doubt.
            Said::Stored if self.copy.tail().number.next() < number && coin => {
                AppendOutcome::Unknown(no_answer())
            }
            Said::Stored => {
                store(&mut self.copy, frame);
                AppendOutcome::Committed
            }
            Said::Full => AppendOutcome::Rejected(full()),
            Said::Other(by) if coin => AppendOutcome::Fenced { by: Some(by) },
            Said::Other(_) | Said::Gap | Said::Nothing => AppendOutcome::Unknown(no_answer()),
        };
        Some((number, outcome))
    }

    fn look(&mut self, frame: &Frame) -> Result<Seen, LogError> {
        let mut server = self.stream.server();
        server.ask()?;
        let Some(there) = server.frame(frame.header().number) else { return Ok(Seen::Absent) };
        if there.hash() != frame.hash() {
            return Ok(Seen::Other { by: there.header().epoch });
        }
        store(&mut self.copy, frame.clone());
        Ok(Seen::Same)
    }

    fn wants_keys(&self) -> bool {
        self.stream.server().keys.is_empty()
    }

    fn share_keys(&mut self, records: &[u8]) -> Result<(), LogError> {
        match self.stream.server().send(Message::Keys(self.keys, records.to_vec())) {
            Said::Stored => {
                self.keys += 1;
                Ok(())
            }
            Said::Nothing => Err(no_answer()),
            Said::Gap | Said::Other(_) | Said::Full => {
                let frame = self.copy.tail().number.next();
                Err(LogError::NotNext { frame, source: ChainError::Previous })
            }
        }
    }

    fn maintain(&mut self) -> Result<(), LogError> {
        Ok(())
    }

    fn reader(&self) -> Arc<dyn LogReader> {
        self.copy.reader()
    }

    fn close(&mut self) -> Result<(), LogError> {
        self.copy.close()
    }
}

fn no_answer() -> LogError {
    LogError::Unavailable { doing: "publish".into(), why: "no answer in time".into() }
}

fn full() -> LogError {
    LogError::StreamFull { stream: "SIM".into(), max_bytes: 1 }
}
