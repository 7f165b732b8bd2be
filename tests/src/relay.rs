//! A relay between a client and a server that breaks off, once.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// Passes on what a client and a server say, and breaks off the first connection in the midst of
/// it: commands reach the server of which the client never hears. Ends with the runtime it was
/// started on.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
}

impl Relay {
    /// Starts a relay on loopback that passes this many bytes of answers on the first connection, and
    /// everything on later ones.
    ///
    /// # Panics
    /// Where it cannot listen.
    pub async fn start(server: &str, answer_bytes: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let server = server.trim_start_matches("http://").to_owned();
        tokio::spawn(async move {
            let mut left = answer_bytes;
            while let Ok((client, _)) = listener.accept().await {
                let Ok(upstream) = TcpStream::connect(&server).await else { continue };
                tokio::spawn(pass(client, upstream, left));
                left = usize::MAX;
            }
        });
        Self { address }
    }

    /// Where it listens, such as `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Passes on both ways until one side ends, or so many bytes of answers have gone by.
async fn pass(client: TcpStream, server: TcpStream, answer_bytes: usize) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = copy(from_client, to_server, usize::MAX) => {}
        () = copy(from_server, to_client, answer_bytes) => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut left: usize) {
    let mut buffer = vec![0; 16 << 10];
    while left > 0 {
        let Ok(read @ 1..) = from.read(&mut buffer).await else { return };
        let passed = read.min(left);
        left -= passed;
        if to.write_all(&buffer[..passed]).await.is_err() {
            return;
        }
    }
}
