//! Ports of loopback that a server keeps over its restarts, and pages that are read over HTTP.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The first port that is given out. WHY from here: the kernel gives outgoing connections ports from
/// 32,768 on, so that none of them takes the port of a server that is down for a moment.
const FIRST: u16 = 10_240;
/// Ports that a process has for itself at a time. WHY: test processes run side by side, and one of
/// them must not find the port of another's server free while that server is down.
const BLOCK: u16 = 32;
/// How many blocks there are below those of the kernel.
const BLOCKS: u16 = 700;
/// How long a page may take.
const PAGE_LIMIT: Duration = Duration::from_secs(10);

/// The ports that this process may still give out, and the locks of all that it ever could.
#[derive(Default)]
struct Mine {
    left: Range<u16>,
    locks: Vec<File>,
}

/// A port of loopback on which nobody listens, of this process for as long as it lives.
///
/// # Panics
/// Where none is free.
pub fn free_port() -> u16 {
    static MINE: Mutex<Option<Mine>> = Mutex::new(None);
    let mut mine = MINE.lock().unwrap_or_else(PoisonError::into_inner);
    let mine = mine.get_or_insert_default();
    loop {
        if mine.left.is_empty() {
            let (block, lock) = lock_block();
            let first = FIRST + block * BLOCK;
            mine.left = first..first + BLOCK;
            mine.locks.push(lock);
        }
        let port = mine.left.next().expect("it is not empty");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A block that no other process has, and what keeps it so.
fn lock_block() -> (u16, File) {
    let folder = std::env::temp_dir().join("encours-test-ports");
    fs::create_dir_all(&folder).expect("a folder can be made");
    let begin = std::process::id();
    for turn in 0..u32::from(BLOCKS) {
        let block = (begin + turn) % u32::from(BLOCKS);
        let file = folder.join(block.to_string());
        let lock = File::options().create(true).append(true).open(file).expect("it can be made");
        if lock.try_lock().is_ok() {
            return (u16::try_from(block).expect("it is below their number"), lock);
        }
    }
    panic!("every block of ports is in use");
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
