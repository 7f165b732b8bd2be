//! Floods of frames that are no calls, resets without end, more streams than there may be (F33).

use std::time::Duration;

use encours_tests::{Client, Server, data_folder};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::raw::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, End, HEADERS, PING, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, call, connect, field, flood, frame, read,
};
use crate::{Normal, SOON, acme, figure, memory, processor, start, times};

/// What a server may grow by under a flood, in KiB.
const GROWTH: u64 = 100 * 1024;
/// How long a normal client may wait beside one.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a flood is made of.
type Part = fn(usize) -> Vec<u8>;

/// A name, what comes once, and what comes again and again.
type Flood = (&'static str, fn() -> Vec<u8>, Part);

fn nothing() -> Vec<u8> {
    Vec::new()
}

fn begun() -> Vec<u8> {
    frame(HEADERS, 0, 1, &call("/encours.v1.EventLogService/GetHead"))
}

fn opened() -> Vec<u8> {
    frame(HEADERS, END_HEADERS, 1, &call("/encours.v1.BatchService/ExecuteStream"))
}

const FLOODS: [Flood; 8] = [
    ("ping", nothing, |_| frame(PING, 0, 0, &[1; 8]).repeat(100)),
    ("acknowledged ping", nothing, |_| frame(PING, 1, 0, &[1; 8]).repeat(100)),
    ("settings", nothing, |_| frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9]).repeat(100)),
    ("window update", nothing, |_| frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]).repeat(100)),
    ("priority", nothing, |_| frame(2, 0, 1, &[0, 0, 0, 3, 1]).repeat(100)),
    ("unknown frame", nothing, |_| frame(0xfa, 0, 0, &[0; 16]).repeat(100)),
    ("headers that go on", begun, |n| frame(CONTINUATION, 0, 1, &field("x", &n.to_string()))),
    ("empty data", opened, |_| frame(DATA, 0, 1, &[]).repeat(100)),
];

/// How often a caller was told to keep calm, or cut off because of a flood or of what does not end.
fn cut_off(server: &Server) -> u64 {
    let closed = |limit| format!("encours_connections_closed_total{{limit=\"{limit}\"}}");
    let calm = "encours_h2_goaway_total{reason=\"enhance_your_calm\"}".to_owned();
    [calm, closed("flood"), closed("unfinished")].iter().map(|name| figure(server, name)).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_cut_off_and_normal_clients_go_on() {
    let folder = data_folder();
    let server = start(folder.path(), &[]);
    let company = acme(&server).await;
    let (stop, stopped) = watch::channel(false);
    let normal = Normal::on(company.client.clone(), stopped);
    for (what, once, again) in FLOODS {
        let (before, began) = (memory(&server, "VmRSS"), Instant::now());
        let used = processor(&server);
        let before_it = cut_off(&server);
        let (mut calm, mut sent) = (0, 0);
        let connections = times(1, 10) as u64;
        for _ in 0..connections {
            let mut stream = connect(&server).await;
            stream.write_all(&once()).await.unwrap();
            let (parts, end) = flood(stream, again, 20_000).await;
            sent += parts;
            assert!(end.is_over, "{what}: {parts} parts were taken: {end:?}");
            calm += u32::from(end.code == Some(ENHANCE_YOUR_CALM));
        }
        let (took, used) = (began.elapsed(), processor(&server) - used);
        let growth = memory(&server, "VmRSS").saturating_sub(before);
        println!(
            "{what}: cut off after {sent} parts, {took:?}, {used}0 ms of processor, {growth} KiB more, calm {calm}"
        );
        assert!(growth < GROWTH, "{what}: {growth} KiB more");
        // Not for any reason, such as a thread that panicked: a limit says that it was a flood.
        let end = Instant::now() + SOON;
        while cut_off(&server) < before_it + connections {
            assert!(Instant::now() < end, "{what} is not told as a flood");
            sleep(Duration::from_millis(20)).await;
        }
    }
    stop.send_replace(true);
    let (median, longest) = normal.times().await;
    println!("a normal client beside: {median:?}, at most {longest:?}");
    assert!(longest < PATIENCE, "{longest:?}");
    assert!(figure(&server, "encours_h2_goaway_total{reason=\"enhance_your_calm\"}") > 0);
    assert!(figure(&server, "encours_connections_closed_total{limit=\"flood\"}") > 0);
    assert!(server.said().lines().count() < 200, "callers cannot fill the log with lines");
    assert_eq!(server.stop().ran.code, Some(0));
}

/// The stream of a client by its number.
fn stream(no: usize) -> u32 {
    2 * no as u32 + 1
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_are_reset_at_once_are_no_way_around_the_limits() {
    let folder = data_folder();
    let server = start(folder.path(), &[]);
    let company = acme(&server).await;
    let (stop, stopped) = watch::channel(false);
    let normal = Normal::on(company.client.clone(), stopped);
    let (before, used) = (memory(&server, "VmRSS"), processor(&server));
    let began = Instant::now();
    let path = call("/encours.v1.EventLogService/GetHead");
    let (mut resets, mut connections, mut calm) = (0, 0, 0);
    while resets < times(20_000, 100_000) {
        let path = path.clone();
        let again = move |n: usize| {
            let one = |n| {
                let headers = frame(HEADERS, END_HEADERS, stream(n), &path);
                [headers, frame(RST_STREAM, 0, stream(n), &[0, 0, 0, 8])].concat()
            };
            (50 * n..50 * n + 50).flat_map(one).collect()
        };
        let (parts, end) = flood(connect(&server).await, again, 2_000).await;
        assert!(end.is_over, "{parts} parts were taken: {end:?}");
        resets += 50 * parts.max(1);
        connections += 1;
        calm += usize::from(end.code == Some(ENHANCE_YOUR_CALM));
    }
    let (took, used) = (began.elapsed(), processor(&server) - used);
    stop.send_replace(true);
    let (median, longest) = normal.times().await;
    let growth = memory(&server, "VmRSS").saturating_sub(before);
    let goaways = figure(&server, "encours_h2_goaway_total{reason=\"enhance_your_calm\"}");
    println!(
        "{resets} resets on {connections} connections in {took:?}: {used}0 ms of processor, \
         {growth} KiB more, {goaways} asked for calm ({calm} heard it); a normal client: \
         {median:?}, at most {longest:?}"
    );
    assert!(goaways > 0);
    assert!(growth < GROWTH, "{growth} KiB more");
    assert!(longest < PATIENCE, "{longest:?}");
    assert_eq!(server.stop().ran.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_streams_than_there_may_be_are_refused() {
    let folder = data_folder();
    let server = start(folder.path(), &[]);
    let company = acme(&server).await;
    let before = memory(&server, "VmRSS");
    let mut hanging = Vec::new();
    let mut refused = 0;
    for _ in 0..times(4, 40) {
        let mut stream = connect(&server).await;
        // Calls whose message never comes, with all the metadata that there may be.
        let metadata: Vec<_> =
            (0..100).map(|n| field(&format!("x-{n}"), &"y".repeat(100))).collect();
        let headers = [call("/encours.v1.LedgerService/GetLedger"), metadata.concat()].concat();
        for no in 0..400 {
            let one = frame(HEADERS, END_HEADERS, self::stream(no), &headers);
            stream.write_all(&one).await.unwrap();
        }
        // Those past the limit of the connection are reset, those past that of all are answered.
        let mut told = 0;
        for _ in 0..20 {
            let end: End = read(&mut stream, Duration::from_millis(500)).await;
            told += end.resets + end.answers;
            if told >= 100 || end.is_over {
                break;
            }
        }
        assert!(told >= 100, "{told} of 400");
        refused += told;
        hanging.push(stream);
    }
    let growth = memory(&server, "VmRSS").saturating_sub(before);
    let connections = hanging.len();
    println!("{connections} connections full of calls: {refused} refused, {growth} KiB more");
    assert!(growth < connections as u64 * 20 * 1024, "{growth} KiB more");
    // Others have their own streams, and calls that nobody can use up.
    let (other, begun) = (Client::connect(&server.url()).await, Instant::now());
    for client in [other, company.client.clone()] {
        client.head().await;
    }
    println!("others were served after {:?}", begun.elapsed());
    drop(hanging);
    assert_eq!(server.stop().ran.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_beyond_their_limit_are_refused() {
    let folder = data_folder();
    let server = start(folder.path(), &[]);
    let company = acme(&server).await;
    let before = memory(&server, "VmRSS");
    let wide: Vec<_> = (0..400).map(|n| field(&format!("x-{n}"), &"y".repeat(100))).collect();
    let headers = [call("/encours.v1.EventLogService/GetHead"), wide.concat()].concat();
    let mut stream = connect(&server).await;
    for no in 0..20 {
        // 45 KiB, in three frames. Settings are never acknowledged: the limit holds all the same.
        let parts: Vec<_> = headers.chunks(16_000).collect();
        let mut bytes = frame(HEADERS, END_STREAM, self::stream(no), parts[0]);
        for (at, part) in parts[1..].iter().enumerate() {
            let flags = if at + 2 == parts.len() { END_HEADERS } else { 0 };
            bytes.extend(frame(CONTINUATION, flags, self::stream(no), part));
        }
        if stream.write_all(&bytes).await.is_err() {
            break;
        }
    }
    let end = read(&mut stream, Duration::from_millis(500)).await;
    // Request header fields too large.
    assert_eq!((end.status, end.well), (Some(431), 0), "{end:?}");
    let growth = memory(&server, "VmRSS").saturating_sub(before);
    println!("headers beyond their limit: {end:?}, {growth} KiB more");
    assert!(growth < GROWTH, "{growth} KiB more");
    company.client.head().await;
    // Streams that were reset and not closed would hold up the stop.
    drop(stream);
    assert_eq!(server.stop().ran.code, Some(0));
}
