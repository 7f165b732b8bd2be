//! Connections that take what they can of what all share: calls, memory, files, turns. Everybody else is
//! served beside them (F31, F32, F33).

use std::time::Duration;

use bytes::Bytes;
use encours_proto::v1;
use encours_tests::{Client, Server, data_folder};
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tonic::Status;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::raw::{DATA, END_HEADERS, END_STREAM, HEADERS, call, connect, frame};
use crate::{
    METRICS, SOON, acme, figure, figure_soon, is_long, issue, memory, reason, start, times,
};

const MIB: usize = 1 << 20;
/// The most calls at a time on a connection.
const STREAMS: usize = 256;
const WATCH: &str = "/encours.v1.EventLogService/WatchEvents";
const EXECUTE: &str = "/encours.v1.BatchService/Execute";
const STREAM: &str = "/encours.v1.BatchService/ExecuteStream";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const REFUSED: &str = "encours_errors_total{reason=\"OVERLOADED\"}";

/// A connection whose every call is made by hand.
struct Taker(SendRequest<Bytes>);

/// A call that was begun, and what would end it.
type Begun = (ResponseFuture, SendStream<Bytes>);

impl Taker {
    async fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(async move {
            // Where the server ends it, the calls tell.
            let _ = connection.await;
        });
        Self(client.ready().await.unwrap())
    }

    /// Begins a call with these bytes, which may go on.
    async fn begin(&mut self, server: &Server, path: &str, bytes: &Bytes, is_all: bool) -> Begun {
        let request = http::Request::post(format!("{}{path}", server.url()))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .unwrap();
        let client = self.0.clone();
        self.0 = timeout(SOON, client.ready()).await.expect("a free stream in time").unwrap();
        let (response, mut send) = self.0.send_request(request, false).unwrap();
        send.send_data(bytes.clone(), is_all).unwrap();
        (response, send)
    }
}

/// A message of so many bytes but for its last one.
fn unfinished(len: usize) -> Bytes {
    let prefix = [&[0], &(len as u32).to_be_bytes()[..]].concat();
    [prefix, vec![0; len - 1]].concat().into()
}

/// Why a call was refused, once it is answered; `None` where it goes on.
async fn refused(response: ResponseFuture) -> Option<String> {
    let response = timeout(SOON, response).await.expect("an answer in time").unwrap();
    Status::from_header_map(response.headers()).map(|status| reason(&status))
}

/// The health, asked for on a connection of its own.
async fn is_well(server: &Server) {
    let channel = tonic::transport::Endpoint::from_shared(server.url()).unwrap();
    let mut health = HealthClient::new(channel.connect().await.unwrap());
    let checked = timeout(SOON, health.check(HealthCheckRequest::default())).await;
    checked.expect("health in time").unwrap();
}

/// A client that was there before and one that comes anew are served at once, and so is who asks for
/// the health. How long that took.
async fn others_are_served(server: &Server, before: &Client, round: &str) -> Duration {
    let begun = Instant::now();
    is_well(server).await;
    for (no, client) in [before.clone(), Client::connect(&server.url()).await].iter().enumerate() {
        timeout(SOON, client.head()).await.expect("a head in time");
        let write = issue(&format!("{round}-{no}"), 4_000);
        let written = timeout(SOON, client.invoices.clone().issue_invoice(write)).await;
        written.expect("a write in time").expect("a write is not refused");
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_fills_the_memory_for_messages_has_others_refused_in_nothing() {
    let folder = data_folder();
    let server = start(folder.path(), &[]);
    let company = acme(&server).await;
    let before = memory(&server, "VmRSS");
    let bytes = unfinished(MIB);
    // One connection alone, then as many as use up what is common.
    for connections in [1, times(4, 24)] {
        let already = figure(&server, REFUSED);
        let mut hanging = Vec::new();
        for _ in 0..connections {
            let mut taker = Taker::connect(&server).await;
            for _ in 0..STREAMS {
                hanging.push(taker.begin(&server, EXECUTE, &bytes, false).await);
            }
        }
        let refused = figure_soon(&server, REFUSED, |n| n > already).await - already;
        let took = others_are_served(&server, &company.client, &connections.to_string()).await;
        let growth = memory(&server, "VmRSS").saturating_sub(before);
        println!(
            "{connections} connections with {STREAMS} unfinished messages of 1 MiB each: {refused} \
             refused so far, {growth} KiB more; others are served in {took:?}"
        );
        assert!(growth < 500 * 1024, "{growth} KiB more");
        drop(hanging);
    }
    assert_eq!(server.stop().ran.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_as_often_as_possible_has_nobody_else_refused() {
    let folder = data_folder();
    let server = start(folder.path(), &[]);
    let company = acme(&server).await;
    let before = memory(&server, "VmRSS");
    let empty = Bytes::from_static(&[0; 5]);
    let (mut open, mut turned_away) = (Vec::new(), 0);
    // One after another: each takes what those before it have left.
    let connections = times(40, 64);
    let mut last = None;
    for _ in 0..connections {
        let mut taker = Taker::connect(&server).await;
        let mut begun = Vec::new();
        for _ in 0..STREAMS {
            begun.push(taker.begin(&server, WATCH, &empty, true).await);
        }
        let mut held = 0;
        for (response, send) in begun {
            let answer = timeout(SOON, response).await.expect("an answer in time").unwrap();
            match Status::from_header_map(answer.headers()) {
                None => {
                    open.push((answer, send));
                    held += 1;
                }
                Some(status) => {
                    assert_eq!(reason(&status), "OVERLOADED", "{status:?}");
                    turned_away += 1;
                }
            }
        }
        assert!(held >= 4, "each connection has some calls of its own");
        last = Some((taker, held));
    }
    let took = others_are_served(&server, &company.client, "watch").await;
    // Also on a connection that may have no more calls the health is told.
    let (mut taker, held) = last.unwrap();
    assert!(held < STREAMS, "the calls of all connections are used up");
    let check = taker.begin(&server, "/grpc.health.v1.Health/Check", &empty, true).await;
    assert_eq!(refused(check.0).await, None, "the health is told");
    let head = taker.begin(&server, "/encours.v1.EventLogService/GetHead", &empty, true).await;
    assert_eq!(refused(head.0).await.as_deref(), Some("OVERLOADED"));
    let growth = memory(&server, "VmRSS").saturating_sub(before);
    println!(
        "{connections} connections with {STREAMS} watches each: {} open, {turned_away} refused, {growth} \
         KiB more; others are served in {took:?}",
        open.len()
    );
    assert!(open.len() <= 8_192 && turned_away > 0, "{} open", open.len());
    drop(open);
    assert_eq!(server.stop().ran.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_messages_that_never_end_take_no_more_than_they_may() {
    let folder = data_folder();
    let server = start(folder.path(), &[]);
    let company = acme(&server).await;
    let before = memory(&server, "VmRSS");
    let bytes = unfinished(MIB);
    let mut hanging = Vec::new();
    // 1 GiB, where nothing counts it.
    let connections = times(4, 24);
    for _ in 0..connections {
        let mut taker = Taker::connect(&server).await;
        for _ in 0..STREAMS {
            hanging.push(taker.begin(&server, STREAM, &bytes, false).await);
        }
    }
    // Those of one connection alone are more than it may hold.
    let refused_calls = figure_soon(&server, REFUSED, |n| n >= 128).await;
    let took = others_are_served(&server, &company.client, "stream").await;
    let growth = memory(&server, "VmRSS").saturating_sub(before);
    println!(
        "{connections} connections with {STREAMS} unfinished commands of 1 MiB each: {refused_calls} \
         refused so far, {growth} KiB more; others are served in {took:?}"
    );
    assert!(growth < 500 * 1024, "{growth} KiB more");
    // Questions for names are short: a call that begins a long one is over at once.
    let mut taker = Taker::connect(&server).await;
    let long = taker.begin(&server, REFLECTION, &unfinished(MIB), false).await;
    let answer = timeout(SOON, long.0).await.expect("an answer in time").unwrap();
    let mut body = answer.into_body();
    while timeout(SOON, body.data()).await.expect("it does not wait for the rest").is_some() {}
    drop(hanging);
    assert_eq!(server.stop().ran.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_that_nobody_reads_ends_and_another_one_may_begin() {
    let folder = data_folder();
    let server = start(folder.path(), &[]);
    let company = acme(&server).await;
    // In the long run more frames than its messages can wait for: 64 times 512.
    let frames = times(200, 34_000) as u64;
    // One after another: each has a frame of its own.
    let mut no = 0;
    while company.client.head().await.frame_number < frames {
        for _ in 0..50 {
            let write = issue(&format!("V{no}"), 0);
            timeout(SOON, company.client.invoices.clone().issue_invoice(write))
                .await
                .unwrap()
                .unwrap();
            no += 1;
        }
    }
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let mut builder = h2::client::Builder::new();
    // Not a byte of an answer fits.
    builder.initial_window_size(0);
    let (client, connection) = builder.handshake::<_, Bytes>(stream).await.unwrap();
    tokio::spawn(async move {
        let _ = connection.await;
    });
    let mut taker = Taker(client.ready().await.unwrap());
    let path = "/encours.v1.EventLogService/VerifyLog";
    let (response, _send) = taker.begin(&server, path, &Bytes::from_static(&[0; 5]), true).await;
    let answer = timeout(SOON, response).await.expect("an answer in time").unwrap();
    let begun = Instant::now();
    let mut turned_away = 0;
    let result = loop {
        let mut log = company.client.log.clone();
        match log.verify_log(v1::VerifyLogRequest::default()).await {
            Ok(steps) => {
                let mut steps = steps.into_inner();
                let mut last = None;
                while let Some(step) = timeout(SOON, steps.message()).await.unwrap().unwrap() {
                    last = step.step;
                }
                break last;
            }
            Err(status) => {
                assert_eq!(reason(&status), "VERIFICATION_RUNNING", "{status:?}");
                assert!(begun.elapsed() < SOON, "it does not end");
                turned_away += 1;
                sleep(Duration::from_millis(20)).await;
            }
        }
    };
    let Some(v1::verify_log_response::Step::Result(result)) = result else { panic!("{result:?}") };
    assert!(result.intact, "{}", result.problem);
    println!(
        "{} frames, a verification that nobody reads: the next one after {:?}, {turned_away} times \
         turned away",
        result.frames,
        begun.elapsed()
    );
    assert!(!is_long() || result.frames > 64 * 512, "{}", result.frames);
    drop(answer);
    assert_eq!(server.stop().ran.code, Some(0));
}

/// Files that the server may open, and commands of 4 KB in a message of almost a mebibyte.
const FILES: u64 = 256;
const BATCH: usize = 200;

/// Writes so many segments of a mebibyte; each command is acknowledged.
async fn write_segments(client: &Client, round: &str, count: usize) {
    for batch in 0..count * 5 / 4 {
        let command = |no| issue(&format!("{round}-{batch}-{no}"), 4_000);
        let command = |no| v1::command::Command::IssueInvoice(command(no));
        let commands = (0..BATCH).map(|no| v1::Command { command: Some(command(no)) }).collect();
        let request = v1::ExecuteRequest { commands };
        // WHY again: a disk that is busy may not have the next segment ready, which is told as LOG_FULL.
        for tries in 1.. {
            let mut client = client.batch.clone();
            let executed = client.execute(request.clone());
            let answer = timeout(SOON, executed).await.expect("in time").unwrap().into_inner();
            let is_done = |answer: &v1::CommandResult| match answer.result.as_ref().unwrap() {
                v1::command_result::Result::Outcome(_) => true,
                v1::command_result::Result::Error(error) => {
                    assert!(error.reason == "LOG_FULL" && tries < 100, "{error:?}");
                    false
                }
            };
            if answer.results.iter().filter(|result| !is_done(result)).count() == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_connected_the_log_can_begin_another_segment() {
    let folder = data_folder();
    let limited = format!("ulimit -n {FILES}; exec \"$@\"");
    let server =
        Server::try_start_with(&["sh", "-c", &limited, "sh"], folder.path(), &METRICS).unwrap();
    let company = acme(&server).await;
    // As many segments as stay open for reading, and more.
    write_segments(&company.client, "before", 36).await;
    // With a call it keeps its place.
    let mut log = company.client.log.clone();
    let head = company.client.head().await.position;
    let watch = v1::WatchEventsRequest { after_position: head, ..Default::default() };
    let watch = log.watch_events(watch).await.unwrap();
    let places = figure(&server, "encours_connections_limit{state=\"all\"}");
    let mut crowd = Vec::new();
    let call = [frame(HEADERS, END_HEADERS, 1, &call(WATCH)), frame(DATA, END_STREAM, 1, &[0; 5])];
    for _ in 0..places + 20 {
        let mut stream = connect(&server).await;
        stream.write_all(&call.concat()).await.unwrap();
        crowd.push(stream);
    }
    figure_soon(&server, "encours_connections{state=\"http2\"}", |n| n == places).await;
    // Scrapes that do not ask, but for a few places.
    let mut scrapes = Vec::new();
    for _ in 0..12 {
        scrapes.push(TcpStream::connect(server.metrics_address()).await.unwrap());
    }
    // Every segment is read, from its own place on.
    let reads = (0..64).map(|part| {
        let mut log = company.client.log.clone();
        let after_position = head * part / 64;
        tokio::spawn(async move {
            let request =
                v1::ReadEventsRequest { after_position, page_size: 1, ..Default::default() };
            log.read_events(request).await.unwrap()
        })
    });
    for read in reads.collect::<Vec<_>>() {
        timeout(SOON, read).await.expect("in time").unwrap();
    }
    let files = figure(&server, "encours_open_files");
    write_segments(&company.client, "after", 4).await;
    println!("{files} of {FILES} files open with {places} connections; 4 more segments begun");
    assert!(files > places + 32, "{files}: the house is full");
    drop((watch, scrapes, crowd));
    let stopped = tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
}
