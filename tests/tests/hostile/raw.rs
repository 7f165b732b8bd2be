//! HTTP/2 by hand, for what no library sends.

use std::time::Duration;

use encours_tests::Server;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GO_AWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame as bytes.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u32).to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A field of headers: name and value as they are, not remembered.
pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    let len = |text: &str| u8::try_from(text.len()).ok().filter(|len| *len < 127).unwrap();
    [&[0, len(name)], name.as_bytes(), &[len(value)], value.as_bytes()].concat()
}

/// The headers of a call.
pub(crate) fn call(path: &str) -> Vec<u8> {
    // POST and http are numbers 3 and 6 of the static table.
    let fields = [
        vec![0x83, 0x86],
        field(":path", path),
        field(":authority", "localhost"),
        field("content-type", "application/grpc"),
        field("te", "trailers"),
    ];
    fields.concat()
}

/// A connection that has said hello.
pub(crate) async fn connect(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    // WHY never an acknowledgement of the server's settings: what it limits it must limit without.
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await.unwrap();
    stream
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct End {
    /// The code with which the server said so, where it did.
    pub(crate) code: Option<u32>,
    /// Whether it is over.
    pub(crate) is_over: bool,
    /// Streams that were reset.
    pub(crate) resets: usize,
    /// Streams that were answered.
    pub(crate) answers: usize,
    /// Those of them that were answered with status 200.
    pub(crate) well: usize,
    /// The status of the first answer.
    pub(crate) status: Option<u16>,
}

/// What the first byte of an answer with status 200 is: number 8 of the static table.
const WELL: u8 = 0x88;

/// The status that a block of headers begins with, where it is in the static table or spelled out, as
/// it is in the first answer of a connection.
fn status(block: &[u8]) -> Option<u16> {
    const TABLE: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    let (first, rest) = block.split_first()?;
    match first {
        0x88..=0x8e => Some(TABLE[usize::from(first - WELL)]),
        // A name of the table with a value of its own, to be remembered or not.
        0x48..=0x4e | 0x08..=0x0e => {
            let (length, rest) = rest.split_first()?;
            let value = rest.get(..usize::from(length & 0x7f))?;
            if length & 0x80 == 0 {
                return std::str::from_utf8(value).ok()?.parse().ok();
            }
            packed(value)
        }
        _ => None,
    }
}

/// Three digits in Huffman's code: 0 to 2 have five bits, 3 to 9 six.
fn packed(bytes: &[u8]) -> Option<u16> {
    let mut left = 8 * bytes.len();
    let bits = bytes.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
    let mut number = 0;
    for _ in 0..3 {
        let short = bits >> left.checked_sub(5)? & 31;
        let digit = if short <= 2 { short } else { (bits >> left.checked_sub(6)? & 63) - 22 };
        left -= if short <= 2 { 5 } else { 6 };
        number = 10 * number + u16::try_from(digit).ok()?;
    }
    Some(number)
}

/// Reads what comes until the end, or until nothing comes for a while.
pub(crate) async fn read(stream: &mut (impl tokio::io::AsyncRead + Unpin), quiet: Duration) -> End {
    let mut end = End::default();
    loop {
        let mut head = [0; 9];
        match timeout(quiet, stream.read_exact(&mut head)).await {
            Err(_) => return end,
            Ok(Err(_)) => {
                end.is_over = true;
                return end;
            }
            Ok(Ok(_)) => {}
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut content = vec![0; length];
        if stream.read_exact(&mut content).await.is_err() {
            end.is_over = true;
            return end;
        }
        match head[3] {
            GO_AWAY => end.code = content[4..8].try_into().ok().map(u32::from_be_bytes),
            RST_STREAM => end.resets += 1,
            HEADERS => {
                end.status = end.status.or_else(|| status(&content));
                end.well += usize::from(content.first() == Some(&WELL));
                end.answers += 1;
            }
            _ => {}
        }
    }
}

/// Sends the same bytes again and again, and reads what comes meanwhile; how often, and the end.
pub(crate) async fn flood(
    stream: TcpStream,
    bytes: impl Fn(usize) -> Vec<u8>,
    most: usize,
) -> (usize, End) {
    let (mut from, mut to) = stream.into_split();
    let reading = tokio::spawn(async move { read(&mut from, Duration::from_secs(5)).await });
    let mut sent = 0;
    while sent < most && to.write_all(&bytes(sent)).await.is_ok() {
        sent += 1;
    }
    (sent, reading.await.unwrap())
}
