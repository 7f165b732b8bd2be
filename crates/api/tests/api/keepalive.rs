//! The limits of a connection of HTTP/2, by hand over a raw socket: what the server says of them, and
//! what becomes of a caller that is gone without a word.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::support::Server;

/// What a connection begins with: the preface, and settings that say nothing.
const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const ACK: u8 = 1;

/// A frame: its type, its flags, its content.
type Frame = (u8, u8, Vec<u8>);

/// The next frame; `None` at the end of the connection.
async fn frame(stream: &mut TcpStream) -> Option<Frame> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    let mut content = vec![0; length];
    stream.read_exact(&mut content).await.ok()?;
    Some((head[3], head[4], content))
}

async fn connect(server: &Server) -> TcpStream {
    let mut stream =
        TcpStream::connect(server.address.trim_start_matches("http://")).await.unwrap();
    stream.write_all(HELLO).await.unwrap();
    stream
}

#[tokio::test]
async fn the_server_says_how_much_a_connection_may_carry() {
    let server = Server::start().await;
    let mut stream = connect(&server).await;
    let said = timeout(Duration::from_secs(10), async {
        loop {
            match frame(&mut stream).await.unwrap() {
                (SETTINGS, flags, content) if flags & ACK == 0 => return content,
                _ => {}
            }
        }
    });
    let said = said.await.unwrap();
    let setting = |id: u16| {
        let found = said.chunks(6).find(|entry| entry[..2] == id.to_be_bytes()).unwrap();
        u32::from_be_bytes(found[2..].try_into().unwrap())
    };
    assert_eq!(setting(3), encours_api::MAX_STREAMS_PER_CONNECTION);
    assert_eq!(setting(6), encours_api::MAX_METADATA_BYTES);
}

/// Time is paused: it passes as soon as everybody waits.
#[tokio::test(start_paused = true)]
async fn a_caller_that_is_gone_is_noticed() {
    let server = Server::start().await;
    let start = Instant::now();
    let mut gone = connect(&server).await;
    let mut asked = None;
    while let Some((kind, flags, _)) = frame(&mut gone).await {
        if kind == PING && flags & ACK == 0 {
            asked = asked.or(Some(start.elapsed()));
        }
    }
    // Asked after 30 seconds of silence, closed 20 seconds later; nothing else closes it before.
    let (asked, closed) = (asked.unwrap(), start.elapsed());
    assert!((29..=31).contains(&asked.as_secs()), "{asked:?}");
    assert!((48..=52).contains(&closed.as_secs()), "{closed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_answers_stays_though_it_asks_nothing() {
    let server = Server::start().await;
    let mut quiet = connect(&server).await;
    let answered = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&answered);
    let answering = tokio::spawn(async move {
        while let Some((kind, flags, content)) = frame(&mut quiet).await {
            if kind == PING && flags & ACK == 0 {
                // In one piece: half a frame would wait for the acknowledgement of the other.
                let head = [0, 0, 8, PING, ACK, 0, 0, 0, 0];
                quiet.write_all(&[&head[..], &content].concat()).await.unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    for second in 0..240 {
        tokio::time::advance(Duration::from_secs(1)).await;
        // WHY: paused time passes by itself while bytes are under way; somebody who never waits
        // holds it, so that both ends are done with them first.
        for _ in 0..500 {
            tokio::task::yield_now().await;
        }
        assert!(!answering.is_finished(), "closed after {second} seconds");
    }
    let answered = answered.load(Ordering::Relaxed);
    assert!((7..=8).contains(&answered), "{answered}");
    answering.abort();
}
