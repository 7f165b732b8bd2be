//! Accepting connections, a bounded number of them at a time, and closing those that do nothing.
//!
//! HTTP/2 and HTTP/1.1 (gRPC-Web) share the listener. What each connection speaks is seen here, in
//! its first bytes: HTTP/1 has a smaller share of the places, because each of its connections may
//! hold more memory, and has no pings that would tell a dead caller from a quiet one.

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

use crate::server::{MAX_CONNECTIONS, MAX_HTTP1_CONNECTIONS};

/// How long to wait after the system could not accept a connection, such as for want of file
/// descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// What a connection of HTTP/2 begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A connection must have said what it speaks within this.
const HELLO_LIMIT: Duration = Duration::from_secs(10);
/// One on which nothing moved for this long, in either direction, is closed, at the latest after
/// twice as long. Pings of HTTP/2 and the signs of life of streams come more often.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

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
}

/// How many connections there are and were closed.
#[derive(Debug)]
pub(crate) struct Connections {
    /// New, HTTP/1, HTTP/2.
    open: [AtomicU64; 3],
    /// By [`Limit`].
    closed: [AtomicU64; 3],
    places: Arc<Semaphore>,
    http1_places: Arc<Semaphore>,
}

impl Default for Connections {
    fn default() -> Self {
        Self::new(MAX_CONNECTIONS, MAX_HTTP1_CONNECTIONS)
    }
}

impl Connections {
    fn new(all: usize, http1: usize) -> Self {
        Self {
            open: Default::default(),
            closed: Default::default(),
            places: Arc::new(Semaphore::new(all)),
            http1_places: Arc::new(Semaphore::new(http1)),
        }
    }

    /// The open connections by what they speak.
    pub(crate) fn open(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let names = ["new", "http1", "http2"].into_iter();
        names.zip(&self.open).map(|(name, count)| (name, count.load(Ordering::Relaxed)))
    }

    /// The connections that a limit closed, by which.
    pub(crate) fn closed(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let names = ["hello", "idle", "http1"].into_iter();
        names.zip(&self.closed).map(|(name, count)| (name, count.load(Ordering::Relaxed)))
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
    /// The next look at whether it does anything.
    look: Pin<Box<Sleep>>,
    /// Whether a byte was read or written since the last look.
    moved: bool,
    _place: OwnedSemaphorePermit,
    http1_place: Option<OwnedSemaphorePermit>,
}

/// Connections as they come, as many at a time as there are places; more wait in the system's queue.
pub(crate) fn accept(
    listener: TcpListener,
    connections: Arc<Connections>,
) -> impl Stream<Item = io::Result<Connection>> {
    stream::unfold((listener, connections), |(listener, connections)| async move {
        let place = Arc::clone(&connections.places).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    // Without it answers wait for the acknowledgement of the ones before.
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "a connection ended at once");
                        continue;
                    }
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
        Self {
            stream,
            connections: Arc::clone(connections),
            speaks,
            look: Box::pin(sleep(HELLO_LIMIT)),
            moved: false,
            _place: place,
            http1_place: None,
        }
    }

    /// Looks at the first bytes until they say what is spoken.
    fn hear(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.moved = true;
        let Speaks::New(heard) = self.speaks else { return Ok(()) };
        let rest = &PREFACE[heard..];
        let length = rest.len().min(bytes.len());
        let speaks = if rest[..length] != bytes[..length] {
            let Ok(place) = Arc::clone(&self.connections.http1_places).try_acquire_owned() else {
                return Err(self.close(Limit::Http1));
            };
            self.http1_place = Some(place);
            Speaks::Http1
        } else if length < rest.len() {
            self.speaks = Speaks::New(heard + length);
            return Ok(());
        } else {
            Speaks::Http2
        };
        self.connections.open_as(self.speaks).fetch_sub(1, Ordering::Relaxed);
        self.connections.open_as(speaks).fetch_add(1, Ordering::Relaxed);
        self.speaks = speaks;
        self.look.as_mut().reset(Instant::now() + IDLE_LIMIT);
        Ok(())
    }

    /// Ready once it has to be closed for doing nothing.
    fn poll_look(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.look.as_mut().poll(cx));
            if matches!(self.speaks, Speaks::New(_)) {
                return Poll::Ready(self.close(Limit::Hello));
            }
            if !std::mem::take(&mut self.moved) {
                return Poll::Ready(self.close(Limit::Idle));
            }
            self.look.as_mut().reset(Instant::now() + IDLE_LIMIT);
        }
    }

    fn close(&self, limit: Limit) -> io::Error {
        self.connections.closed[limit as usize].fetch_add(1, Ordering::Relaxed);
        tracing::debug!(?limit, "a connection is closed");
        let kind = match limit {
            Limit::Hello | Limit::Idle => io::ErrorKind::TimedOut,
            Limit::Http1 => io::ErrorKind::QuotaExceeded,
        };
        io::Error::new(kind, "a limit of connections was reached")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
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
            Poll::Pending => this.poll_look(cx).map(Err),
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
        let written = ready!(Pin::new(&mut this.stream).poll_write(cx, buf))?;
        this.moved = true;
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.stream).poll_write_vectored(cx, bufs))?;
        this.moved = true;
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
mod tests {
    use futures_util::StreamExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::timeout;

    use super::*;

    /// The two ends of a connection that was accepted.
    async fn pair(connections: &Arc<Connections>) -> (TcpStream, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let caller = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut accepted = Box::pin(accept(listener, Arc::clone(connections)));
        let accepted = accepted.next().await.unwrap().unwrap();
        (caller, accepted)
    }

    fn counts<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> Vec<u64> {
        counts.map(|(_, count)| count).collect()
    }

    #[tokio::test]
    async fn the_first_bytes_tell_what_is_spoken() {
        let connections = Arc::new(Connections::new(8, 1));
        let (mut caller, mut accepted) = pair(&connections).await;
        let mut byte = [0; 64];
        for sent in PREFACE.chunks(5) {
            assert_eq!(counts(connections.open()), [1, 0, 0]);
            caller.write_all(sent).await.unwrap();
            accepted.read_exact(&mut byte[..sent.len()]).await.unwrap();
        }
        assert_eq!(counts(connections.open()), [0, 0, 1]);
        let (mut web, mut accepted_web) = pair(&connections).await;
        web.write_all(b"POST /").await.unwrap();
        accepted_web.read_exact(&mut byte[..6]).await.unwrap();
        assert_eq!(counts(connections.open()), [0, 1, 1]);
        // There is one place for HTTP/1.
        let (mut more, mut accepted_more) = pair(&connections).await;
        more.write_all(b"GET /").await.unwrap();
        assert!(accepted_more.read_exact(&mut byte[..5]).await.is_err());
        drop((accepted, accepted_web, accepted_more));
        assert_eq!(counts(connections.open()), [0, 0, 0]);
        assert_eq!(counts(connections.closed()), [0, 0, 1]);
        assert_eq!(connections.http1_places.available_permits(), 1);
    }

    #[tokio::test]
    async fn one_more_than_there_are_places_waits_for_a_place() {
        let connections = Arc::new(Connections::new(2, 2));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut accepted = Box::pin(accept(listener, Arc::clone(&connections)));
        let mut callers = Vec::new();
        for _ in 0..3 {
            callers.push(TcpStream::connect(address).await.unwrap());
        }
        let first = accepted.next().await.unwrap().unwrap();
        let second = accepted.next().await.unwrap().unwrap();
        let early = timeout(Duration::from_millis(100), accepted.next()).await;
        assert!(early.is_err(), "a third connection was accepted");
        assert_eq!(counts(connections.open()), [2, 0, 0]);
        // The third one is not lost: it waited in the system's queue.
        drop(first);
        let third = timeout(Duration::from_secs(10), accepted.next()).await.unwrap();
        assert!(third.unwrap().is_ok());
        drop(second);
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_or_stops_is_closed() {
        let connections = Arc::new(Connections::new(8, 8));
        let (mut caller, mut accepted) = pair(&connections).await;
        let mut byte = [0; 64];
        caller.write_all(&PREFACE[..10]).await.unwrap();
        accepted.read_exact(&mut byte[..10]).await.unwrap();
        // One byte now and then does not help.
        let read = timeout(2 * HELLO_LIMIT, accepted.read_exact(&mut byte[..1])).await;
        assert_eq!(read.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);

        let (mut caller, mut accepted) = pair(&connections).await;
        caller.write_all(PREFACE).await.unwrap();
        accepted.read_exact(&mut byte[..PREFACE.len()]).await.unwrap();
        let early = timeout(IDLE_LIMIT, accepted.read_exact(&mut byte[..1])).await;
        assert!(early.is_err(), "{early:?}");
        let read = timeout(3 * IDLE_LIMIT, accepted.read_exact(&mut byte[..1])).await;
        assert_eq!(read.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(counts(connections.closed()), [1, 1, 0]);
    }
}
