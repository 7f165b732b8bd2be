//! Somebody who watches events and does not read them (F24).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use encours_proto::{Message as _, v1};
use encours_tests::{Company, Server, data_folder};
use h2::client::{Builder, ResponseFuture, SendRequest};
use std::sync::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tonic::{Code, Status};

use crate::{SOON, acme, figure_soon, is_long, issue, memory, reason, start};

/// Watches that nobody reads.
const WATCHES: usize = 40;
/// Invoices that are written meanwhile, each event with so many bytes more: 12 MB.
const INVOICES: usize = 3_000;
const MORE: usize = 4_000;
/// What the server may grow by, in KiB. All that nobody reads would be 480 MB.
const GROWTH: u64 = 200 * 1024;

/// A connection whose owner may stop reading from it.
struct Gate {
    stream: TcpStream,
    shut: Arc<AtomicBool>,
    waiting: Arc<Mutex<Option<Waker>>>,
}

impl AsyncRead for Gate {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.waiting.lock().unwrap().replace(cx.waker().clone());
        if self.shut.load(Ordering::SeqCst) {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Gate {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A client with windows of its choice, and its gate.
struct Hanging {
    client: SendRequest<Bytes>,
    shut: Arc<AtomicBool>,
    waiting: Arc<Mutex<Option<Waker>>>,
}

impl Hanging {
    async fn connect(server: &Server, window: u32) -> Self {
        // A small buffer, so that the system does not read for somebody who does not.
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 * 1024).unwrap();
        let stream = socket.connect(server.address().parse().unwrap()).await.unwrap();
        let (shut, waiting) = (Arc::<AtomicBool>::default(), Arc::<Mutex<_>>::default());
        let gate = Gate { stream, shut: Arc::clone(&shut), waiting: Arc::clone(&waiting) };
        let mut builder = Builder::new();
        builder.initial_window_size(window).initial_connection_window_size(1 << 30);
        let (client, connection) = builder.handshake(gate).await.unwrap();
        tokio::spawn(async move {
            // Where the server ends it, the streams tell.
            let _ = connection.await;
        });
        Self { client: client.ready().await.unwrap(), shut, waiting }
    }

    fn watch(&mut self, server: &Server) -> ResponseFuture {
        let uri = format!("{}/encours.v1.EventLogService/WatchEvents", server.url());
        let request = http::Request::post(uri)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .unwrap();
        let (response, mut send) = self.client.send_request(request, false).unwrap();
        // The empty request: all events from the first on.
        send.send_data(Bytes::from_static(&[0; 5]), true).unwrap();
        response
    }

    fn shut(&self, shut: bool) {
        self.shut.store(shut, Ordering::SeqCst);
        if let Some(waker) = self.waiting.lock().unwrap().take() {
            waker.wake();
        }
    }
}

/// Reads a watch to its end: the positions told, and why it ended.
async fn read(response: ResponseFuture) -> (Vec<u64>, Status) {
    let mut body = timeout(SOON, response).await.unwrap().unwrap().into_body();
    let mut bytes = BytesMut::new();
    while let Some(data) = timeout(SOON, body.data()).await.expect("data in time") {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        bytes.extend_from_slice(&data);
    }
    let mut positions = Vec::new();
    while bytes.len() >= 5 {
        let length = u32::from_be_bytes(bytes[1..5].try_into().unwrap()) as usize;
        bytes.advance(5);
        let answer = v1::WatchEventsResponse::decode(bytes.split_to(length)).unwrap();
        positions.extend(answer.event.map(|event| event.position));
    }
    let trailers = timeout(SOON, body.trailers()).await.unwrap().unwrap().unwrap();
    (positions, Status::from_header_map(&trailers).unwrap())
}

/// Writes invoices while others hang; how long each hundred took.
async fn write(company: &Company) -> Vec<Duration> {
    let mut took = Vec::new();
    for no in (0..INVOICES).step_by(100) {
        let issue = |no| v1::command::Command::IssueInvoice(issue(&format!("F{no}"), MORE));
        let commands = (no..no + 100).map(|no| v1::Command { command: Some(issue(no)) }).collect();
        let begun = std::time::Instant::now();
        let mut client = company.client.batch.clone();
        let batch = client.execute(v1::ExecuteRequest { commands });
        let results = timeout(SOON, batch).await.unwrap().unwrap().into_inner().results;
        took.push(begun.elapsed());
        for result in results {
            let result = result.result.unwrap();
            assert!(matches!(result, v1::command_result::Result::Outcome(_)), "{result:?}");
        }
    }
    took
}

/// What was told, and what is there after the position that the status names, is every event once.
async fn resumes(company: &Company, told: &[u64], status: &Status) {
    assert_eq!((status.code(), &*reason(status)), (Code::DeadlineExceeded, "WATCH_STALLED"));
    let info = tonic_types::StatusExt::get_details_error_info(status).unwrap();
    let position: u64 = info.metadata["position"].parse().unwrap();
    assert!(told.last().is_none_or(|last| *last <= position), "{:?} {position}", told.last());
    let rest = company.client.events_after(position).await;
    let all: Vec<u64> =
        told.iter().copied().chain(rest.iter().map(|event| event.position)).collect();
    let head = company.client.head().await.position;
    assert_eq!(all, (1..=head).collect::<Vec<_>>(), "each event once");
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_that_nobody_reads_are_ended_and_go_on_where_they_were() {
    let folder = data_folder();
    let server = start(folder.path(), &["--watch-stall", "2"]);
    let company = acme(&server).await;
    // Read and forgotten: windows of one frame, which the client never opens again.
    let mut hanging = Hanging::connect(&server, 16_384).await;
    let watches: Vec<_> = (0..WATCHES).map(|_| hanging.watch(&server)).collect();
    // One that reads as it should, on a connection of its own.
    let mut reading = company.client.log.clone();
    let request = v1::WatchEventsRequest::default();
    let mut reading = reading.watch_events(request).await.unwrap().into_inner();
    let (reached, mut seen) = tokio::sync::watch::channel(0);
    let reader = tokio::spawn(async move {
        while let Some(message) = reading.message().await.unwrap() {
            if let Some(event) = message.event {
                assert_eq!(event.position, *reached.borrow() + 1);
                reached.send(event.position).unwrap();
            }
        }
    });
    let before = memory(&server, "VmRSS");
    let took = write(&company).await;
    let head = company.client.head().await.position;
    timeout(SOON, seen.wait_for(|last| *last >= head)).await.unwrap().unwrap();
    let dropped = |n| n == WATCHES as u64;
    figure_soon(&server, "encours_tail_dropped_total", dropped).await;
    let growth = memory(&server, "VmHWM").saturating_sub(before);
    println!(
        "{WATCHES} watches that nobody reads: {growth} KiB more; 100 invoices took {:?} at most",
        took.iter().max().unwrap()
    );
    assert!(growth < GROWTH, "{growth} KiB more");
    let mut watches = watches.into_iter();
    for watch in watches.by_ref().take(3) {
        let (told, status) = read(watch).await;
        resumes(&company, &told, &status).await;
    }
    drop(watches);
    reader.abort();
    assert_eq!(server.stop().ran.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_that_stops_reading_its_socket_holds_up_nobody() {
    let folder = data_folder();
    let server = start(folder.path(), &["--watch-stall", "2"]);
    let company = acme(&server).await;
    let mut hanging = Hanging::connect(&server, 1 << 30).await;
    let watch = hanging.watch(&server);
    let never = hanging.watch(&server);
    tokio::time::sleep(Duration::from_millis(200)).await;
    hanging.shut(true);
    let before = memory(&server, "VmRSS");
    write(&company).await;
    figure_soon(&server, "encours_tail_dropped_total", |n| n == 2).await;
    let growth = memory(&server, "VmHWM").saturating_sub(before);
    println!("a socket that nobody reads: {growth} KiB more");
    assert!(growth < GROWTH, "{growth} KiB more");
    if is_long() {
        // It answers no ping either: the server ends the connection.
        figure_soon(&server, "encours_connections{state=\"http2\"}", |n| n == 1).await;
        company.client.head().await;
    } else {
        // It reads again: what waited for it, and why there is no more.
        hanging.shut(false);
        let (told, status) = read(watch).await;
        resumes(&company, &told, &status).await;
    }
    drop(never);
    assert_eq!(server.stop().ran.code, Some(0));
}
