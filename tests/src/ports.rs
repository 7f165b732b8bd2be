//! Ports of loopback that a server keeps over its restarts, and pages that are read over HTTP.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The first port that is given out. WHY from here: the kernel gives outgoing connections ports from
/// 32,768 on, so that none of them takes the port of a server that is down for a moment.
const FIRST: u32 = 10_240;
/// How many ports there are below those.
const COUNT: u32 = 22_000;
/// Where each process begins: test processes run side by side.
const APART: u32 = 64;
/// How long a page may take.
const PAGE_LIMIT: Duration = Duration::from_secs(10);

/// A port of loopback on which nobody listens.
///
/// # Panics
/// Where there is none.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id() % (COUNT / APART) * APART;
    for _ in 0..COUNT {
        let port = FIRST + (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = u16::try_from(port).expect("the last one is below 32,768");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port of loopback is free");
}

/// Reads a page over HTTP, such as `/jsz` of `127.0.0.1:8222`; `None` where nobody answers, or answers
/// something else than 200.
#[must_use]
pub fn http_get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PAGE_LIMIT)).ok()?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.split_once(' ')?.1.starts_with("200").then(|| body.to_owned())
}
