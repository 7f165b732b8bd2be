//! Accepting connections, a bounded number of them at a time, and closing those that do nothing.
//!
//! HTTP/2 and HTTP/1.1 (gRPC-Web) share the listener. What each connection speaks is seen here, in
//! its first bytes: HTTP/1 has a smaller share of the places, because each of its connections may
//! hold more memory, and has no pings that would tell a dead caller from a quiet one.

mod places;
mod quiet;
mod share;
mod traffic;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::stream::{self, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep};
use tonic::transport::server::Connected;

pub(crate) use places::{Connections, Files};
use places::{Limit, Speaks};
use quiet::Seat;
pub(crate) use share::{Good, Held, Share};
use traffic::{ENHANCE_YOUR_CALM, NO_ERROR, Traffic};

/// How long to wait after the system could not accept a connection, such as for want of file
/// descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// What a connection of HTTP/2 begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A connection must have said what it speaks within this. Then it is looked at as often: a frame or
/// a block of headers that has begun must have ended by the next look but one.
const HELLO_LIMIT: Duration = Duration::from_secs(10);
/// One on which nothing moved for so many looks, in either direction, is closed. Pings of HTTP/2 and
/// the signs of life of streams come more often.
const IDLE_LOOKS: u32 = 6;

/// A connection that holds its place among the allowed ones.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    connections: Arc<Connections>,
    speaks: Speaks,
    /// What passes over it, where it speaks HTTP/2.
    traffic: Box<Traffic>,
    /// What its calls hold.
    share: Arc<Share>,
    seat: Arc<Seat>,
    /// Whether it had a call when it was looked at last.
    busy: bool,
    /// Whether bytes may wait that the library has not written yet.
    unsaid: bool,
    /// The next look at whether it does anything.
    look: Pin<Box<Sleep>>,
    /// Whether a byte was read or written since the last look.
    moved: bool,
    /// Looks since anything moved.
    idle_looks: u32,
    _place: OwnedSemaphorePermit,
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
        connections.opened(speaks);
        let seat = Arc::new(Seat::default());
        connections.quiet.add(&seat, false, false);
        Self {
            stream,
            connections: Arc::clone(connections),
            speaks,
            traffic: Box::new(Traffic::new()),
            share: Share::new(&connections.pools),
            seat,
            busy: false,
            unsaid: false,
            look: Box::pin(sleep(HELLO_LIMIT)),
            moved: false,
            idle_looks: 0,
            _place: place,
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
                if !self.connections.has_room_for_http1() {
                    return Err(self.close(Limit::Http1));
                }
                self.connections.quiet.add(&self.seat, true, false);
                Speaks::Http1
            } else if begin.len() < rest.len() {
                self.speaks = Speaks::New(heard + begin.len());
                return Ok(());
            } else {
                Speaks::Http2
            };
            self.connections.ended(self.speaks);
            self.connections.opened(speaks);
            self.speaks = speaks;
            self.look.as_mut().reset(Instant::now() + HELLO_LIMIT);
            bytes = others;
        }
        if self.speaks != Speaks::Http2 {
            return Ok(());
        }
        let is_fine = self.traffic.read(bytes);
        self.take_seat();
        if is_fine {
            return Ok(());
        }
        self.say_goodbye(ENHANCE_YOUR_CALM);
        Err(self.close(Limit::Flood))
    }

    /// Notes what was written.
    fn said(&mut self, bytes: &[u8]) {
        self.moved = true;
        if self.speaks == Speaks::Http2 {
            if let Some(code) = self.traffic.wrote(bytes) {
                self.connections.went_away(code);
            }
            self.take_seat();
        }
    }

    /// Whether a call is open, or its answer not written yet.
    fn is_busy(&self) -> bool {
        match self.speaks {
            Speaks::New(_) => false,
            Speaks::Http1 => self.share.has_calls() || self.unsaid,
            Speaks::Http2 => self.traffic.is_busy(),
        }
    }

    /// Gives way to others while no call is open.
    fn take_seat(&mut self) {
        let is_busy = self.is_busy();
        if std::mem::replace(&mut self.busy, is_busy) == is_busy {
            return;
        }
        let (quiet, is_http1) = (&self.connections.quiet, self.speaks == Speaks::Http1);
        if is_busy {
            quiet.remove(&self.seat);
        } else if is_http1 && self.connections.has_too_many_of_http1() {
            // Another one was to leave for one that came, and had a call just then.
            self.seat.tell();
        } else {
            quiet.add(&self.seat, is_http1, true);
        }
    }

    /// Ready once it has to be closed for doing nothing, or for another one.
    fn poll_look(&mut self, cx: &mut Context<'_>, is_read: bool) -> Poll<io::Error> {
        if self.seat.must_leave(cx) && !self.is_busy() {
            self.say_goodbye(NO_ERROR);
            return Poll::Ready(self.close(Limit::Room));
        }
        loop {
            ready!(self.look.as_mut().poll(cx));
            if matches!(self.speaks, Speaks::New(_)) {
                return Poll::Ready(self.close(Limit::Hello));
            }
            self.idle_looks = if std::mem::take(&mut self.moved) { 0 } else { self.idle_looks + 1 };
            if self.idle_looks == IDLE_LOOKS {
                self.say_goodbye(NO_ERROR);
                return Poll::Ready(self.close(Limit::Idle));
            }
            // What is not read cannot go on.
            if is_read && self.speaks == Speaks::Http2 && self.traffic.is_stuck() {
                return Poll::Ready(self.close(Limit::Unfinished));
            }
            self.look.as_mut().reset(Instant::now() + HELLO_LIMIT);
        }
    }

    /// Tells a caller of HTTP/2 that this is the end, and which call was the last one that came: it may
    /// send later ones again elsewhere.
    ///
    /// WHY by hand: the library knows nothing of these ends. Where there is no room to say it, the
    /// connection ends without.
    fn say_goodbye(&self, code: u32) {
        if self.speaks == Speaks::Http2
            && let Some(frame) = self.traffic.goodbye(code)
            && self.stream.try_write(&frame).is_ok_and(|written| written == frame.len())
        {
            self.connections.went_away(code);
        }
    }

    fn close(&self, limit: Limit) -> io::Error {
        self.connections.closed_by(limit);
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
        self.connections.ended(self.speaks);
    }
}

impl Connected for Connection {
    type ConnectInfo = Arc<Share>;

    fn connect_info(&self) -> Arc<Share> {
        Arc::clone(&self.share)
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
        this.unsaid = true;
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
        this.unsaid = true;
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
        let this = self.get_mut();
        let flushed = ready!(Pin::new(&mut this.stream).poll_flush(cx));
        // The library does this once it has written all that it has to say.
        this.unsaid = false;
        if this.speaks == Speaks::Http1 {
            this.take_seat();
        }
        Poll::Ready(flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
