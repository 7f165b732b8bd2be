//! Accepting connections, a bounded number of them at a time, and closing those that do nothing.
//!
//! HTTP/2 and HTTP/1.1 (gRPC-Web) share the listener. What each connection speaks is seen here, in
//! its first bytes: HTTP/1 has a smaller share of the places, because each of its connections may
//! hold more memory, and has no pings that would tell a dead caller from a quiet one.

mod quiet;
mod traffic;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::stream::{self, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};
use tonic::transport::server::{Connected, TcpConnectInfo};

use crate::process::most_files;
use crate::server::{MAX_CONNECTIONS, MAX_HTTP1_CONNECTIONS};
use quiet::{Quiet, Seat};
use traffic::{ENHANCE_YOUR_CALM, NO_ERROR, Traffic};

/// How long to wait after the system could not accept a connection, such as for want of file
/// descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Files that are kept for the log, keys, the read model and metrics: a quiet server has about 20 open.
const FILES_FOR_OTHERS: u64 = 48;
/// Connections that there may be however few files the process may open.
const MIN_CONNECTIONS: usize = 4;
/// What a connection of HTTP/2 begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A connection must have said what it speaks within this. Then it is looked at as often: a frame or
/// a block of headers that has begun must have ended by the next look but one.
const HELLO_LIMIT: Duration = Duration::from_secs(10);
/// One on which nothing moved for so many looks, in either direction, is closed. Pings of HTTP/2 and
/// the signs of life of streams come more often.
const IDLE_LOOKS: u32 = 6;
/// How long to wait for the place of a connection that gives way, before another one has to.
const ROOM_PAUSE: Duration = Duration::from_millis(100);

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    /// Nothing yet, or so many bytes of the preface of HTTP/2.
    New(usize),
    Http1,
    Http2,
}

/// Which limit closed a connection.
#[derive(Clone, Copy, Debug)]
enum Limit {
    Hello,
    Idle,
    Http1,
    /// Something that had begun did not end.
    Unfinished,
    /// Too much was asked for that is no call.
    Flood,
    /// Another one needed the place, and no call was open.
    Room,
}

/// How many connections there are and were closed.
#[derive(Debug)]
pub(crate) struct Connections {
    /// New, HTTP/1, HTTP/2.
    open: [AtomicU64; 3],
    /// By [`Limit`].
    closed: [AtomicU64; 6],
    /// What the server said when it closed them: no error, keep calm, another one.
    goaways: [AtomicU64; 3],
    quiet: Quiet,
    /// How many there may be, all and those of HTTP/1.
    most: [usize; 2],
    places: Arc<Semaphore>,
    http1_places: Arc<Semaphore>,
}

impl Default for Connections {
    fn default() -> Self {
        let most = places(most_files());
        Self::new(most, most.min(MAX_HTTP1_CONNECTIONS))
    }
}

/// How many connections there may be where the process may have so many files open.
///
/// WHY fewer than files: the log must be able to begin another segment whoever has connected.
fn places(most_files: Option<u64>) -> usize {
    let left = most_files.unwrap_or(u64::MAX).saturating_sub(FILES_FOR_OTHERS);
    usize::try_from(left).unwrap_or(usize::MAX).clamp(MIN_CONNECTIONS, MAX_CONNECTIONS)
}

impl Connections {
    fn new(all: usize, http1: usize) -> Self {
        Self {
            open: Default::default(),
            closed: Default::default(),
            goaways: Default::default(),
            quiet: Quiet::default(),
            most: [all, http1],
            places: Arc::new(Semaphore::new(all)),
            http1_places: Arc::new(Semaphore::new(http1)),
        }
    }

    /// How many there may be, all and those of HTTP/1.
    pub(crate) const fn most(&self) -> [usize; 2] {
        self.most
    }

    /// The open connections by what they speak.
    pub(crate) fn open(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let names = ["new", "http1", "http2"].into_iter();
        names.zip(&self.open).map(|(name, count)| (name, count.load(Ordering::Relaxed)))
    }

    /// The connections that a limit closed, by which.
    pub(crate) fn closed(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let names = ["hello", "idle", "http1", "unfinished", "flood", "room"].into_iter();
        names.zip(&self.closed).map(|(name, count)| (name, count.load(Ordering::Relaxed)))
    }

    /// How often the server has told a caller of HTTP/2 to go away, by why.
    pub(crate) fn goaways(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let names = ["no_error", "enhance_your_calm", "other"].into_iter();
        names.zip(&self.goaways).map(|(name, count)| (name, count.load(Ordering::Relaxed)))
    }

    fn went_away(&self, code: u32) {
        let why = match code {
            NO_ERROR => 0,
            ENHANCE_YOUR_CALM => 1,
            _ => 2,
        };
        self.goaways[why].fetch_add(1, Ordering::Relaxed);
    }

    /// A place, as soon as there is one. While there is none, connections without a call give way.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                return Some(place);
            }
            self.quiet.make_room();
            let place = Arc::clone(&self.places).acquire_owned();
            if let Ok(place) = tokio::time::timeout(ROOM_PAUSE, place).await {
                return place.ok();
            }
        }
    }

    fn open_as(&self, speaks: Speaks) -> &AtomicU64 {
        match speaks {
            Speaks::New(_) => &self.open[0],
            Speaks::Http1 => &self.open[1],
            Speaks::Http2 => &self.open[2],
        }
    }
}

/// A connection that holds its place among the allowed ones.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    connections: Arc<Connections>,
    speaks: Speaks,
    /// What passes over it, where it speaks HTTP/2.
    traffic: Box<Traffic>,
    seat: Arc<Seat>,
    /// The next look at whether it does anything.
    look: Pin<Box<Sleep>>,
    /// Whether a byte was read or written since the last look.
    moved: bool,
    /// Looks since anything moved.
    idle_looks: u32,
    _place: OwnedSemaphorePermit,
    http1_place: Option<OwnedSemaphorePermit>,
}

/// Connections as they come, as many at a time as there are places; more wait in the system's queue.
pub(crate) fn accept(
    listener: TcpListener,
    connections: Arc<Connections>,
) -> impl Stream<Item = io::Result<Connection>> {
    stream::unfold((listener, connections), |(listener, connections)| async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    // Without it answers wait for the acknowledgement of the ones before.
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "a connection ended at once");
                        continue;
                    }
                    // WHY here: nobody gives way before somebody has come.
                    let place = connections.place().await?;
                    let connection = Connection::new(stream, &connections, place);
                    return Some((Ok(connection), (listener, connections)));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    })
}

impl Connection {
    fn new(stream: TcpStream, connections: &Arc<Connections>, place: OwnedSemaphorePermit) -> Self {
        let speaks = Speaks::New(0);
        connections.open_as(speaks).fetch_add(1, Ordering::Relaxed);
        let seat = Arc::new(Seat::default());
        connections.quiet.add(&seat, false);
        Self {
            stream,
            connections: Arc::clone(connections),
            speaks,
            traffic: Box::new(Traffic::new()),
            seat,
            look: Box::pin(sleep(HELLO_LIMIT)),
            moved: false,
            idle_looks: 0,
            _place: place,
            http1_place: None,
        }
    }

    /// Looks at the first bytes until they say what is spoken, then at what passes.
    fn hear(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.moved = true;
        let mut bytes = bytes;
        if let Speaks::New(heard) = self.speaks {
            let rest = &PREFACE[heard..];
            let (begin, others) = bytes.split_at(rest.len().min(bytes.len()));
            let speaks = if rest[..begin.len()] != *begin {
                let Ok(place) = Arc::clone(&self.connections.http1_places).try_acquire_owned()
                else {
                    return Err(self.close(Limit::Http1));
                };
                self.http1_place = Some(place);
                // What it has open cannot be seen; slow ones are bounded elsewhere.
                self.connections.quiet.remove(&self.seat);
                Speaks::Http1
            } else if begin.len() < rest.len() {
                self.speaks = Speaks::New(heard + begin.len());
                return Ok(());
            } else {
                Speaks::Http2
            };
            self.connections.open_as(self.speaks).fetch_sub(1, Ordering::Relaxed);
            self.connections.open_as(speaks).fetch_add(1, Ordering::Relaxed);
            self.speaks = speaks;
            self.look.as_mut().reset(Instant::now() + HELLO_LIMIT);
            bytes = others;
        }
        if self.speaks != Speaks::Http2 {
            return Ok(());
        }
        let was_busy = self.traffic.is_busy();
        let is_fine = self.traffic.read(bytes);
        self.take_seat(was_busy);
        if is_fine { Ok(()) } else { Err(self.ask_for_calm()) }
    }

    /// Notes what was written.
    fn said(&mut self, bytes: &[u8]) {
        self.moved = true;
        if self.speaks == Speaks::Http2 {
            let was_busy = self.traffic.is_busy();
            if let Some(code) = self.traffic.wrote(bytes) {
                self.connections.went_away(code);
            }
            self.take_seat(was_busy);
        }
    }

    /// Gives way to others while no call is open.
    fn take_seat(&self, was_busy: bool) {
        match (was_busy, self.traffic.is_busy()) {
            (false, true) => self.connections.quiet.remove(&self.seat),
            (true, false) => self.connections.quiet.add(&self.seat, self.traffic.has_called()),
            _ => {}
        }
    }

    /// Ready once it has to be closed for doing nothing, or for another one.
    fn poll_look(&mut self, cx: &mut Context<'_>, is_read: bool) -> Poll<io::Error> {
        if self.seat.must_leave(cx) && !self.traffic.is_busy() {
            return Poll::Ready(self.close(Limit::Room));
        }
        loop {
            ready!(self.look.as_mut().poll(cx));
            if matches!(self.speaks, Speaks::New(_)) {
                return Poll::Ready(self.close(Limit::Hello));
            }
            self.idle_looks = if std::mem::take(&mut self.moved) { 0 } else { self.idle_looks + 1 };
            if self.idle_looks == IDLE_LOOKS {
                return Poll::Ready(self.close(Limit::Idle));
            }
            // What is not read cannot go on.
            if is_read && self.speaks == Speaks::Http2 && self.traffic.is_stuck() {
                return Poll::Ready(self.close(Limit::Unfinished));
            }
            self.look.as_mut().reset(Instant::now() + HELLO_LIMIT);
        }
    }

    fn ask_for_calm(&self) -> io::Error {
        // WHY by hand: the library has no end of pings that it would say it at. Where there is no room
        // to say it, the connection ends without.
        if let Some(frame) = self.traffic.calm()
            && self.stream.try_write(&frame).is_ok_and(|written| written == frame.len())
        {
            self.connections.went_away(ENHANCE_YOUR_CALM);
        }
        self.close(Limit::Flood)
    }

    fn close(&self, limit: Limit) -> io::Error {
        self.connections.closed[limit as usize].fetch_add(1, Ordering::Relaxed);
        tracing::debug!(?limit, "a connection is closed");
        let kind = match limit {
            Limit::Hello | Limit::Idle | Limit::Unfinished => io::ErrorKind::TimedOut,
            Limit::Http1 | Limit::Flood | Limit::Room => io::ErrorKind::QuotaExceeded,
        };
        io::Error::new(kind, "a limit of connections was reached")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.connections.quiet.remove(&self.seat);
        self.connections.open_as(self.speaks).fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => Poll::Ready(this.hear(&buf.filled()[before..])),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => this.poll_look(cx, true).map(Err),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Poll::Ready(written) = Pin::new(&mut this.stream).poll_write(cx, buf) else {
            // WHY here too: who cannot write does not read, and the library waits without end.
            return this.poll_look(cx, false).map(Err);
        };
        let written = written?;
        this.said(&buf[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Poll::Ready(written) = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs) else {
            return this.poll_look(cx, false).map(Err);
        };
        let written = written?;
        let mut left = written;
        for buf in bufs {
            let part = &buf[..buf.len().min(left)];
            left -= part.len();
            this.said(part);
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
