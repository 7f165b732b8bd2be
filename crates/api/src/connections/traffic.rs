//! What passes over a connection of HTTP/2, frame by frame: the calls that are open, whether something
//! that was begun comes to its end, and how much is asked for that is no call.
//!
//! WHY: the library answers each PING, SETTINGS and RST_STREAM and asks for no end of them, and it waits
//! without end for the rest of a frame. Only heads of frames are read here; what is in them is the
//! library's business.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

/// Bytes of the head of a frame.
const HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const GO_AWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// The code by which a caller is asked to keep calm.
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;
pub(crate) const NO_ERROR: u32 = 0;

/// Frames that carry no part of a call which may come at once...
const BURST: u32 = 10_000;
/// ...how soon there may be one more...
const PAUSE: Duration = Duration::from_millis(1);
/// ...and how many more for each part of an answer. Clients acknowledge what they were sent with up to
/// two windows and a ping.
const FOR_ANSWER: u32 = 4;

/// Frames one after another, as their bytes come.
#[derive(Debug, Default)]
struct Frames {
    head: [u8; HEAD],
    /// Bytes of the head that are there.
    have: usize,
    /// Bytes that the frame still has after its head.
    left: usize,
    /// How many frames have ended.
    ended: u64,
    /// The first bytes after the head.
    first: [u8; 8],
}

/// The head of a frame.
#[derive(Clone, Copy)]
struct Head {
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Frames {
    fn head(&self) -> Head {
        let [_, _, _, kind, flags, a, b, c, d] = self.head;
        Head { kind, flags, stream: u32::from_be_bytes([a, b, c, d]) & 0x7fff_ffff }
    }

    fn len(&self) -> usize {
        let [a, b, c, ..] = self.head;
        u32::from_be_bytes([0, a, b, c]) as usize
    }

    /// Takes bytes up to the end of a head, or of the frame; what is left of them, and the frame where
    /// it has ended.
    fn take<'a>(&mut self, bytes: &'a [u8]) -> (&'a [u8], Option<Head>) {
        let mut rest = bytes;
        if self.have < HEAD {
            let (part, others) = rest.split_at(rest.len().min(HEAD - self.have));
            self.head[self.have..self.have + part.len()].copy_from_slice(part);
            self.have += part.len();
            rest = others;
            if self.have < HEAD {
                return (rest, None);
            }
            self.left = self.len();
        }
        let at = self.len() - self.left;
        let (part, others) = rest.split_at(rest.len().min(self.left));
        if let Some(space) = self.first.get_mut(at..) {
            let len = part.len().min(space.len());
            space[..len].copy_from_slice(&part[..len]);
        }
        self.left -= part.len();
        if self.left > 0 {
            return (others, None);
        }
        self.have = 0;
        self.ended += 1;
        (others, Some(self.head()))
    }

    const fn is_within(&self) -> bool {
        self.have > 0
    }

    /// The code of the GOAWAY that has just ended.
    const fn code(&self) -> u32 {
        let [.., a, b, c, d] = self.first;
        u32::from_be_bytes([a, b, c, d])
    }
}

/// What passes over one connection.
#[derive(Debug)]
pub(crate) struct Traffic {
    read: Frames,
    written: Frames,
    /// The calls that are open.
    calls: BTreeSet<u32>,
    last_call: u32,
    /// Blocks of headers that have begun, and whether the last one has ended.
    blocks: (u64, bool),
    /// Frames beside calls that may still come.
    budget: u32,
    counted: Instant,
    /// How far it was at the last look.
    seen: (u64, u64, bool),
}

impl Traffic {
    pub(crate) fn new() -> Self {
        Self {
            read: Frames::default(),
            written: Frames::default(),
            calls: BTreeSet::new(),
            last_call: 0,
            blocks: (0, true),
            budget: BURST,
            counted: Instant::now(),
            seen: (0, 0, false),
        }
    }

    /// Whether a call is open.
    pub(crate) fn is_busy(&self) -> bool {
        !self.calls.is_empty()
    }

    /// Bytes of the caller; false where it asks for too much.
    pub(crate) fn read(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let (rest, ended) = self.read.take(bytes);
            bytes = rest;
            if let Some(head) = ended
                && !self.heard(head)
            {
                return false;
            }
        }
        true
    }

    fn heard(&mut self, head: Head) -> bool {
        let Head { kind, flags, stream } = head;
        match kind {
            DATA => return true,
            HEADERS => {
                self.blocks = (self.blocks.0 + 1, flags & END_HEADERS != 0);
                if stream > self.last_call {
                    self.last_call = stream;
                    self.calls.insert(stream);
                }
                return true;
            }
            CONTINUATION => self.blocks.1 = flags & END_HEADERS != 0,
            RST_STREAM => drop(self.calls.remove(&stream)),
            _ => {}
        }
        self.refill();
        self.budget = self.budget.saturating_sub(1);
        self.budget > 0
    }

    fn refill(&mut self) {
        let passed = self.counted.elapsed().as_millis() / PAUSE.as_millis();
        if let Some(more) = u32::try_from(passed).ok().filter(|more| *more > 0) {
            self.counted += PAUSE * more;
            self.more(more);
        }
    }

    fn more(&mut self, frames: u32) {
        self.budget = self.budget.saturating_add(frames).min(BURST);
    }

    /// Bytes of the server; the code with which it closes, where it does.
    pub(crate) fn wrote(&mut self, mut bytes: &[u8]) -> Option<u32> {
        let mut code = None;
        while !bytes.is_empty() {
            let (rest, ended) = self.written.take(bytes);
            bytes = rest;
            let Some(Head { kind, flags, stream }) = ended else { continue };
            match kind {
                DATA | HEADERS => {
                    self.more(FOR_ANSWER);
                    if flags & END_STREAM != 0 {
                        self.calls.remove(&stream);
                    }
                }
                RST_STREAM => drop(self.calls.remove(&stream)),
                GO_AWAY => code = Some(self.written.code()),
                _ => {}
            }
        }
        code
    }

    /// The frame that ends the connection with this code, and says which call was the last one that
    /// came: what comes after it is known not to have been done. `None` while another frame is half
    /// written, or before the first one, which must not be this.
    pub(crate) fn goodbye(&self, code: u32) -> Option<[u8; HEAD + 8]> {
        if self.written.is_within() || self.written.ended == 0 {
            return None;
        }
        let mut frame = [0, 0, 8, GO_AWAY, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        frame[HEAD..HEAD + 4].copy_from_slice(&self.last_call.to_be_bytes());
        frame[HEAD + 4..].copy_from_slice(&code.to_be_bytes());
        Some(frame)
    }

    /// Whether a frame, or a block of headers, that had begun at the last look has not ended since.
    pub(crate) fn is_stuck(&mut self) -> bool {
        let within = self.read.is_within() || !self.blocks.1;
        let (frames, blocks, was_within) = self.seen;
        let same_frame = self.read.is_within() && frames == self.read.ended;
        let same_block = !self.blocks.1 && blocks == self.blocks.0;
        self.seen = (self.read.ended, self.blocks.0, within);
        was_within && (same_frame || same_block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: u8 = 6;
    const SETTINGS: u8 = 4;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    #[tokio::test]
    async fn calls_are_open_until_one_side_has_ended_them() {
        let mut traffic = Traffic::new();
        assert!(!traffic.is_busy());
        let call = frame(HEADERS, END_HEADERS, 1, b"head");
        // Byte by byte as well as all at once.
        for byte in &call {
            assert!(traffic.read(&[*byte]));
        }
        assert!(traffic.read(&[call, frame(HEADERS, END_HEADERS, 3, b"head")].concat()));
        assert!(traffic.is_busy());
        assert_eq!(traffic.wrote(&frame(HEADERS, END_HEADERS | END_STREAM, 1, b"ok")), None);
        assert!(traffic.is_busy());
        assert!(traffic.read(&frame(RST_STREAM, 0, 3, &[0; 4])));
        assert!(!traffic.is_busy());
    }

    #[tokio::test(start_paused = true)]
    async fn pings_beyond_measure_are_too_many() {
        let mut traffic = Traffic::new();
        let ping = frame(PING, 0, 0, &[1; 8]);
        let burst = usize::try_from(BURST).unwrap();
        assert!(traffic.read(&ping.repeat(burst - 1)));
        assert!(!traffic.read(&ping));
        // Time and answers give new ones.
        tokio::time::advance(Duration::from_millis(500)).await;
        assert!(traffic.read(&ping.repeat(499)));
        assert_eq!(traffic.wrote(&frame(DATA, 0, 1, b"answer")), None);
        assert!(traffic.read(&ping.repeat(3)));
        assert!(!traffic.read(&ping.repeat(2)));
        // Data is never too much: windows bound it.
        assert!(traffic.read(&frame(DATA, 0, 1, &[0; 100]).repeat(2 * burst)));
    }

    #[tokio::test]
    async fn what_does_not_end_is_seen() {
        let mut traffic = Traffic::new();
        assert!(!traffic.is_stuck());
        assert!(traffic.read(&frame(PING, 0, 0, &[1; 8])[..12]));
        assert!(!traffic.is_stuck());
        assert!(traffic.is_stuck());
        assert!(traffic.read(&[1; 5]));
        assert!(!traffic.is_stuck() && !traffic.is_stuck());
        // Headers that go on and on.
        assert!(traffic.read(&frame(HEADERS, 0, 1, b"x")));
        assert!(!traffic.is_stuck());
        assert!(traffic.read(&frame(CONTINUATION, 0, 1, b"x")));
        assert!(traffic.is_stuck());
    }

    #[tokio::test]
    async fn the_end_of_a_connection_is_told_with_its_code() {
        let mut traffic = Traffic::new();
        assert!(traffic.goodbye(NO_ERROR).is_none(), "settings come first");
        assert_eq!(traffic.wrote(&frame(SETTINGS, 0, 0, &[])), None);
        assert!(traffic.read(&frame(HEADERS, END_HEADERS, 7, b"head")));
        // Half of one that nobody has seen yet.
        assert!(traffic.read(&frame(HEADERS, END_HEADERS, 9, b"head")[..11]));
        let calm = traffic.goodbye(ENHANCE_YOUR_CALM).unwrap();
        assert_eq!(calm[9..], [0, 0, 0, 7, 0, 0, 0, 11]);
        assert_eq!(traffic.wrote(&calm[..10]), None);
        assert!(traffic.goodbye(ENHANCE_YOUR_CALM).is_none());
        assert_eq!(traffic.wrote(&calm[10..]), Some(ENHANCE_YOUR_CALM));
        assert_eq!(traffic.wrote(&frame(GO_AWAY, 0, 0, &[0; 20])), Some(NO_ERROR));
    }
}
