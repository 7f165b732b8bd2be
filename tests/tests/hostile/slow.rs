//! Connections that say little or nothing, and requests that never end (F32).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use encours_tests::{Client, Server, data_folder};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::raw::{END_HEADERS, HEADERS, PREFACE, SETTINGS, call, connect, frame, read};
use crate::{METRICS, Normal, acme, figure, figure_soon, is_long, memory, start, times};

/// How long a normal client may wait for a connection and an answer beside them.
const PATIENCE: Duration = Duration::from_secs(10);

/// Files that the server may open in the normal run. WHY so few: the connections are open in this
/// process, too, which may often open 1,024 files.
const FILES: u64 = 348;

/// A server with few places for connections; in the long run one with as many as there can be.
fn small(data: &std::path::Path) -> Server {
    if is_long() {
        return start(data, &[]);
    }
    let limited = format!("ulimit -n {FILES}; exec \"$@\"");
    Server::try_start_with(&["sh", "-c", &limited, "sh"], data, &METRICS)
        .unwrap_or_else(|ran| panic!("the server did not start: {ran}"))
}

/// How a slow connection behaves: it sends this, then the rest byte by byte.
fn slow(kind: usize) -> (Vec<u8>, Vec<u8>) {
    match kind % 4 {
        // Nothing.
        0 => (Vec::new(), Vec::new()),
        // The preface.
        1 => (Vec::new(), [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()),
        // Settings without end.
        2 => (PREFACE.to_vec(), frame(SETTINGS, 0, 0, &[]).repeat(100)),
        // The head of a request over HTTP/1.
        _ => (b"POST /x HTTP/1.1\r\nx: ".to_vec(), vec![b'y'; 1_000]),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_connections_beyond_the_cap_do_not_lock_anybody_out() {
    let folder = data_folder();
    let server = small(folder.path());
    let company = acme(&server).await;
    let places = figure(&server, "encours_connections_limit{state=\"all\"}");
    let before = memory(&server, "VmRSS");
    let (stop, stopped) = watch::channel(false);
    let normal = Normal::on(company.client.clone(), stopped);
    let count = times(400, 5_000);
    let connected = Arc::new(AtomicUsize::new(0));
    let mut slow_ones = JoinSet::new();
    for no in 0..count {
        let (address, connected) = (server.address().to_owned(), Arc::clone(&connected));
        slow_ones.spawn(async move {
            let mut stream = TcpStream::connect(address).await.expect("ulimit -n allows as many");
            connected.fetch_add(1, Ordering::Relaxed);
            let (at_once, rest) = slow(no);
            if stream.write_all(&at_once).await.is_err() {
                return;
            }
            for byte in rest {
                sleep(Duration::from_secs(1)).await;
                if stream.write_all(&[byte]).await.is_err() {
                    return;
                }
            }
            std::future::pending::<()>().await;
        });
        if no % 100 == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    }
    // New clients, each on a connection of its own.
    let (mut longest, mut served) = (Duration::ZERO, 0);
    let end = Instant::now() + Duration::from_secs(times(4, 60) as u64);
    while Instant::now() < end {
        let begun = Instant::now();
        let client = Client::connect(&server.url()).await;
        client.head().await;
        longest = longest.max(begun.elapsed());
        served += 1;
        sleep(Duration::from_millis(20)).await;
    }
    let open: u64 = ["new", "http1", "http2"]
        .map(|state| figure(&server, &format!("encours_connections{{state=\"{state}\"}}")))
        .iter()
        .sum();
    let room = figure(&server, "encours_connections_closed_total{limit=\"room\"}");
    stop.send_replace(true);
    let (median, most) = normal.times().await;
    let growth = memory(&server, "VmRSS").saturating_sub(before);
    println!(
        "{count} slow connections, {open} open of at most {places}, {room} gave way, {growth} KiB more; \
         {served} new clients, the slowest after {longest:?}; one on its connection: {median:?}, \
         at most {most:?}"
    );
    while let Some(ended) = slow_ones.try_join_next() {
        ended.expect("a slow connection is made");
    }
    assert_eq!(connected.load(Ordering::Relaxed), count, "all of them were tried");
    assert!(open <= places, "{open} connections");
    assert!(room > 0, "nobody gave way");
    assert!(longest < PATIENCE && most < PATIENCE, "{longest:?}, {most:?}");
    assert!(growth < 200 * 1024, "{growth} KiB more");
    slow_ones.abort_all();
    assert_eq!(server.stop().ran.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_is_ended() {
    if !is_long() {
        println!("skipped: it waits for limits of half a minute; ENCOURS_HOSTILE=long runs it");
        return;
    }
    let folder = data_folder();
    let server = start(folder.path(), &[]);
    let company = acme(&server).await;
    // Half a frame, half a block of headers, and a call whose message never comes.
    let mut half = connect(&server).await;
    half.write_all(&frame(SETTINGS, 0, 0, &[0; 6])[..11]).await.unwrap();
    let mut headers = connect(&server).await;
    let path = call("/encours.v1.LedgerService/GetLedger");
    headers.write_all(&frame(HEADERS, 0, 1, &path)).await.unwrap();
    let mut body = connect(&server).await;
    body.write_all(&frame(HEADERS, END_HEADERS, 1, &path)).await.unwrap();
    let begun = Instant::now();
    for stream in [&mut half, &mut headers] {
        let end = read(stream, Duration::from_secs(40)).await;
        assert!(end.is_over, "{end:?}");
    }
    println!("half a frame and half a block of headers: closed after {:?}", begun.elapsed());
    figure_soon(&server, "encours_connections_closed_total{limit=\"unfinished\"}", |n| n == 2)
        .await;
    figure_soon(&server, "encours_errors_total{reason=\"REQUEST_TOO_SLOW\"}", |n| n == 1).await;
    println!("a message that never comes: refused after {:?}", begun.elapsed());
    company.client.head().await;
    drop(body);
    assert_eq!(server.stop().ran.code, Some(0));
}
