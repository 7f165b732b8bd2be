//! A relay between a client and a server whose behaviour is changed while it runs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::ports::free_port;

/// Bytes that are read at once.
const PIECE: usize = 16 << 10;
/// Pieces that wait in each direction of a connection; the sender is held up beyond.
const WAITING: usize = 64;
/// Pauses a second at which a throttled direction goes on.
const TICKS: u64 = 20;

/// A way through the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// What the client says.
    Requests,
    /// What the server says.
    Answers,
}

/// What happens to what comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is passed on.
    Pass,
    /// It is passed on so much later, in both directions.
    Delay(Duration),
    /// It is passed on at so many bytes a second in each direction.
    Throttle(u64),
    /// A network that swallows all: connections are accepted, and nobody ever answers. What was said
    /// meanwhile arrives once this is over, as it does with TCP.
    Blackhole,
    /// What goes one way waits, and arrives once this is over; the other way is open.
    Hold(Way),
    /// What goes one way is lost, and its sender never learns; the other way is open. A connection that
    /// lost something breaks off once this is over.
    Drop(Way),
    /// New connections are refused; those that are there pass on.
    Refuse,
    /// The first text is replaced by the second one, of the same length, wherever the server says it.
    Replace(&'static str, &'static str),
}

/// A relay on loopback. Ends with the runtime it was started on. What waits in it is bounded: 1 MiB in
/// each direction of a connection.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    shared: Arc<Shared>,
}

/// What the connections of a proxy share.
#[derive(Debug)]
struct Shared {
    server: String,
    /// Grows by one each time all connections break off.
    resets: watch::Sender<u64>,
    /// Bytes of answers until the connection that carries them breaks off; `u64::MAX` is never.
    answers_left: AtomicU64,
    open: AtomicUsize,
    passed: [AtomicU64; 2],
}

impl Proxy {
    /// Starts a relay to a server, such as `http://127.0.0.1:40123`, that passes everything on.
    ///
    /// # Panics
    /// Where it cannot listen.
    pub async fn start(server: &str) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let server = server.split_once("://").map_or(server, |(_, address)| address).to_owned();
        let listener = TcpListener::bind(address).await.expect("the port is free");
        let (mode, modes) = watch::channel(Mode::Pass);
        let shared = Arc::new(Shared {
            server,
            resets: watch::Sender::new(0),
            answers_left: AtomicU64::new(u64::MAX),
            open: AtomicUsize::new(0),
            passed: Default::default(),
        });
        tokio::spawn(accept(listener, address, modes, Arc::clone(&shared)));
        Self { address, mode, shared }
    }

    /// Where it listens, without a scheme.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Where it listens, with a scheme such as `nats`.
    #[must_use]
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    /// Behaves so from now on, for connections that are there as well as for new ones.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Breaks off every connection, so that both sides see a reset.
    pub fn reset_all(&self) {
        self.shared.resets.send_modify(|resets| *resets += 1);
    }

    /// Passes on so many bytes of answers more, then breaks off the connection that carries them:
    /// commands reach the server of which the client never hears. Later connections pass everything.
    pub fn cut_after(&self, answer_bytes: u64) {
        self.shared.answers_left.store(answer_bytes, Ordering::SeqCst);
    }

    /// Connections that are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// Bytes that were passed on one way so far.
    #[must_use]
    pub fn passed(&self, way: Way) -> u64 {
        self.shared.passed[way as usize].load(Ordering::SeqCst)
    }
}

/// Accepts connections, except while they are refused.
async fn accept(
    listener: TcpListener,
    address: SocketAddr,
    mut modes: watch::Receiver<Mode>,
    shared: Arc<Shared>,
) {
    let mut listener = Some(listener);
    loop {
        let is_refusing = *modes.borrow_and_update() == Mode::Refuse;
        if is_refusing {
            listener = None;
        } else if listener.is_none() {
            listener = Some(TcpListener::bind(address).await.expect("its port is still free"));
        }
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = modes.changed() => if changed.is_err() { return },
            accepted = accepted => {
                let Ok((client, _)) = accepted else { return };
                tokio::spawn(connection(client, modes.clone(), Arc::clone(&shared)));
            }
        }
    }
}

/// A connection is to break off, so that both sides see a reset.
struct BreakOff;

/// One connection, from its start to its end.
async fn connection(mut client: TcpStream, modes: watch::Receiver<Mode>, shared: Arc<Shared>) {
    shared.open.fetch_add(1, Ordering::SeqCst);
    let mut resets = shared.resets.subscribe();
    let mut server = None;
    let through = async {
        let is_open = |mode: &Mode| *mode != Mode::Blackhole;
        modes.clone().wait_for(is_open).await.map_err(|_| BreakOff)?;
        let found = TcpStream::connect(&shared.server).await.map_err(|_| BreakOff)?;
        let server = server.insert(found);
        for stream in [&client, server] {
            stream.set_nodelay(true).map_err(|_| BreakOff)?;
        }
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let requests = Passage { way: Way::Requests, modes: modes.clone(), shared: &shared };
        let answers = Passage { way: Way::Answers, modes, shared: &shared };
        tokio::try_join!(
            requests.pass(from_client, to_server),
            answers.pass(from_server, to_client)
        )?;
        Ok(())
    };
    let ended = tokio::select! {
        ended = through => ended,
        _ = resets.changed() => Err(BreakOff),
    };
    if ended.is_err() {
        for stream in [Some(&client), server.as_ref()].into_iter().flatten() {
            // A side that is gone sees nothing any more.
            drop(stream.set_zero_linger());
        }
    }
    shared.open.fetch_sub(1, Ordering::SeqCst);
}

/// One way of one connection.
struct Passage<'a> {
    way: Way,
    modes: watch::Receiver<Mode>,
    shared: &'a Shared,
}

impl Passage<'_> {
    /// Passes on what comes, and its end.
    async fn pass(self, mut from: ReadHalf<'_>, to: WriteHalf<'_>) -> Result<(), BreakOff> {
        let (sender, pieces) = mpsc::channel(WAITING);
        let read = async move {
            loop {
                let mut piece = vec![0; PIECE];
                match from.read(&mut piece).await {
                    Ok(0) => return Ok(()),
                    Ok(read) => piece.truncate(read),
                    Err(_) => return Err(BreakOff),
                }
                sender.send((Instant::now(), piece)).await.map_err(|_| BreakOff)?;
            }
        };
        tokio::try_join!(read, self.write(pieces, to)).map(|_| ())
    }

    async fn write(
        mut self,
        mut pieces: mpsc::Receiver<(Instant, Vec<u8>)>,
        mut to: WriteHalf<'_>,
    ) -> Result<(), BreakOff> {
        let (mut is_lossy, mut held) = (false, Vec::new());
        while let Some((came, piece)) = pieces.recv().await {
            let piece = self.told(&mut held, piece);
            let mut rest = &piece[..];
            while !rest.is_empty() {
                let mode = self.moving().await?;
                if mode == Mode::Drop(self.way) {
                    is_lossy = true;
                    break;
                }
                if is_lossy {
                    return Err(BreakOff);
                }
                let len = paced(mode, came, rest.len()).await;
                // What was slowed down must not slip through a mode that came meanwhile.
                if *self.modes.borrow() != mode {
                    continue;
                }
                let (len, is_cut) = match self.way {
                    Way::Requests => (len, false),
                    Way::Answers => self.shared.take(len),
                };
                to.write_all(&rest[..len]).await.map_err(|_| BreakOff)?;
                self.shared.passed[self.way as usize].fetch_add(count(len), Ordering::SeqCst);
                if is_cut {
                    return Err(BreakOff);
                }
                rest = &rest[len..];
            }
        }
        self.moving().await?;
        to.write_all(&held).await.map_err(|_| BreakOff)?;
        to.shutdown().await.map_err(|_| BreakOff)
    }

    /// What is passed on of a piece, and of what was held back of the last one. Held back is an end
    /// with which the text may begin, so that it is found wherever a read ends.
    fn told(&self, held: &mut Vec<u8>, piece: Vec<u8>) -> Vec<u8> {
        let mut piece =
            if held.is_empty() { piece } else { [std::mem::take(held), piece].concat() };
        let (Way::Answers, Mode::Replace(text, other)) = (self.way, *self.modes.borrow()) else {
            return piece;
        };
        assert_eq!(text.len(), other.len(), "what is told has the length that was announced");
        for at in 0..(piece.len() + 1).saturating_sub(text.len()) {
            if piece[at..].starts_with(text.as_bytes()) {
                piece[at..at + text.len()].copy_from_slice(other.as_bytes());
            }
        }
        let is_begun = |len: &usize| piece.ends_with(&text.as_bytes()[..*len]);
        let begun = (1..text.len()).rev().find(is_begun).unwrap_or(0);
        *held = piece.split_off(piece.len() - begun);
        piece
    }

    /// Waits until something goes this way; how.
    async fn moving(&mut self) -> Result<Mode, BreakOff> {
        let still = [Mode::Blackhole, Mode::Hold(self.way)];
        let mode = self.modes.wait_for(|mode| !still.contains(mode)).await;
        mode.map(|mode| *mode).map_err(|_| BreakOff)
    }
}

/// Waits until something that came then may go on; how many of these bytes.
async fn paced(mode: Mode, came: Instant, len: usize) -> usize {
    match mode {
        Mode::Delay(delay) => {
            sleep_until(came + delay).await;
            len
        }
        Mode::Throttle(rate) => {
            let len = len.min(usize::try_from(rate / TICKS).expect("a rate fits").max(1));
            sleep(Duration::from_nanos(1_000_000_000 * count(len) / rate.max(1))).await;
            len
        }
        _ => len,
    }
}

fn count(len: usize) -> u64 {
    u64::try_from(len).expect("a length fits")
}

impl Shared {
    /// How many of these bytes of answers may pass, and whether the connection breaks off after them.
    fn take(&self, len: usize) -> (usize, bool) {
        let take = |left: u64| match left {
            u64::MAX => None,
            // The last byte passes: from here on nothing is cut.
            left => Some(if left <= count(len) { u64::MAX } else { left - count(len) }),
        };
        match self.answers_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take) {
            Ok(left) if left <= count(len) => (usize::try_from(left).expect("it is short"), true),
            _ => (len, false),
        }
    }
}
