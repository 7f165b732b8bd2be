//! Connections that say little or nothing, and requests that never end (F32).

use std::time::Duration;

use encours_tests::{Client, data_folder};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::raw::{END_HEADERS, HEADERS, PREFACE, SETTINGS, call, connect, frame, read};
use crate::{Normal, acme, figure, figure_soon, is_long, memory, start, times};

/// How long a normal client may wait for a connection and an answer beside them.
const PATIENCE: Duration = Duration::from_secs(10);

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
    let server = start(folder.path(), &[]);
    let company = acme(&server).await;
    let before = memory(&server, "VmRSS");
    let (stop, stopped) = watch::channel(false);
    let normal = Normal::on(company.client.clone(), stopped);
    let count = times(1_500, 5_000);
    let mut slow_ones = JoinSet::new();
    for no in 0..count {
        let address = server.address().to_owned();
        slow_ones.spawn(async move {
            let Ok(mut stream) = TcpStream::connect(address).await else { return };
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
        "{count} slow connections, {open} of them open, {room} gave way, {growth} KiB more; \
         {served} new clients, the slowest after {longest:?}; one on its connection: {median:?}, \
         at most {most:?}"
    );
    assert!(open <= 1_024, "{open} connections");
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
