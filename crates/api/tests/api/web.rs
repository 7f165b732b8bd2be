//! gRPC-Web over HTTP/1.1, by hand over a raw socket: no client library of ours is in between.

use encours_proto::Message;
use encours_proto::v1;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Server, acme, acme_on, soon};

const ORIGIN: &str = "https://app.example.com";

/// What came back over HTTP/1.1.
pub(crate) struct Answer {
    status: u16,
    pub(crate) head: String,
    /// With the chunks put together.
    body: Vec<u8>,
}

/// Frames of gRPC-Web: flag and content.
type Frames = Vec<(u8, Vec<u8>)>;

impl Answer {
    fn frames(&self) -> Frames {
        let (mut frames, mut rest) = (Vec::new(), self.body.as_slice());
        while let Some((head, after)) = rest.split_at_checked(5) {
            let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
            frames.push((head[0], after[..length].to_vec()));
            rest = &after[length..];
        }
        frames
    }
}

fn framed(message: &impl Message) -> Vec<u8> {
    let message = message.encode_to_vec();
    let mut framed = vec![0];
    framed.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    framed.extend(message);
    framed
}

fn head(method: &str, path: &str, headers: &[(&str, &str)], length: usize) -> String {
    let headers: String = headers.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
    format!(
        "{method} /{path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-length: {length}\r\n{headers}\r\n"
    )
}

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address.trim_start_matches("http://")).await.unwrap()
}

/// Sends a request and reads to the end of the connection.
async fn ask(server: &Server, head: String, body: &[u8]) -> Answer {
    let mut stream = connect(server).await;
    // Where it is closed at once, reading tells.
    let _ = stream.write_all(&[head.as_bytes(), body].concat()).await;
    let mut bytes = Vec::new();
    let ended = soon("the answer", stream.read_to_end(&mut bytes)).await;
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        // Closed without a word.
        assert!(bytes.is_empty(), "{ended:?} {bytes:?}");
        return Answer { status: 0, head: String::new(), body: bytes };
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut body = bytes[end + 4..].to_vec();
    if head.contains("transfer-encoding: chunked") {
        body = unchunk(&body);
    }
    Answer { status, head, body }
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let length = std::str::from_utf8(&rest[..end]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        body.extend(&rest[end + 2..][..length]);
        rest = &rest[end + 2 + length + 2..];
    }
    body
}

/// Calls a method with a message.
pub(crate) async fn call(
    server: &Server,
    path: &str,
    message: &impl Message,
    more: &[(&str, &str)],
) -> Answer {
    let body = framed(message);
    let mut headers = vec![("content-type", "application/grpc-web+proto"), ("x-grpc-web", "1")];
    headers.extend(more);
    ask(server, head("POST", path, &headers, body.len()), &body).await
}

const GET: &str = "encours.v1.LedgerService/GetLedger";

fn acme_please() -> v1::GetLedgerRequest {
    v1::GetLedgerRequest { ledger_id: "acme".into(), min_position: 3 }
}

#[tokio::test]
async fn a_unary_call_and_its_errors() {
    let (server, _client) = acme().await;
    let answer = call(&server, GET, &acme_please(), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.head);
    assert!(answer.head.contains("content-type: application/grpc-web+proto"), "{}", answer.head);
    let frames = answer.frames();
    assert_eq!(frames.iter().map(|frame| frame.0).collect::<Vec<_>>(), [0, 0x80]);
    let got = v1::GetLedgerResponse::decode(frames[0].1.as_slice()).unwrap();
    assert_eq!(got.ledger.unwrap().name, "Acme SA");
    let trailers = String::from_utf8(frames[1].1.clone()).unwrap();
    assert!(trailers.contains("grpc-status:0"), "{trailers}");

    let nope = v1::GetLedgerRequest { ledger_id: "nope".into(), ..Default::default() };
    let answer = call(&server, GET, &nope, &[]).await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("grpc-status: 5"), "{}", answer.head);
    assert!(answer.head.contains("grpc-status-details-bin"), "{}", answer.head);

    // Neither plain gRPC nor anything else is answered over HTTP/1.1.
    let plain = [("content-type", "application/grpc")];
    assert_eq!(ask(&server, head("POST", GET, &plain, 0), &[]).await.status, 400);
    assert_eq!(ask(&server, head("GET", "", &[], 0), &[]).await.status, 400);
}

#[tokio::test]
async fn a_stream_of_answers() {
    let (server, _client) = acme().await;
    let path = "encours.v1.EventLogService/VerifyLog";
    let answer = call(&server, path, &v1::VerifyLogRequest::default(), &[]).await;
    let frames = answer.frames();
    assert_eq!(frames.last().unwrap().0, 0x80);
    let last = &frames[frames.len() - 2].1;
    let verified = v1::VerifyLogResponse::decode(last.as_slice()).unwrap();
    let Some(v1::verify_log_response::Step::Result(result)) = verified.step else {
        panic!("{verified:?}");
    };
    assert!(result.intact, "{result:?}");
}

#[tokio::test]
async fn browsers_call_only_for_pages_that_were_named() {
    let (server, _client) = acme().await;
    let answer = call(&server, GET, &acme_please(), &[("origin", ORIGIN)]).await;
    assert_eq!(answer.status, 403, "{}", answer.head);
    let asks = [("origin", ORIGIN), ("access-control-request-method", "POST")];
    assert_eq!(ask(&server, head("OPTIONS", GET, &asks, 0), &[]).await.status, 403);

    let server = Server::start_with(|api| api.with_web_origins([ORIGIN.parse().unwrap()])).await;
    acme_on(&server).await;
    let allowed = format!("access-control-allow-origin: {ORIGIN}");
    let answer = ask(&server, head("OPTIONS", GET, &asks, 0), &[]).await;
    assert_eq!(answer.status, 204);
    assert!(answer.head.contains(&allowed), "{}", answer.head);
    assert!(answer.head.contains("access-control-allow-headers: content-type"), "{}", answer.head);
    let answer = call(&server, GET, &acme_please(), &[("origin", ORIGIN)]).await;
    assert!(answer.head.contains(&allowed), "{}", answer.head);
    assert!(answer.head.contains("access-control-expose-headers: grpc-status"), "{}", answer.head);
    let other = [("origin", "https://evil.example.com")];
    assert_eq!(call(&server, GET, &acme_please(), &other).await.status, 403);
}

#[tokio::test]
async fn the_limits_of_messages_and_metadata_hold_here_too() {
    let (server, mut client) = acme().await;
    let before = client.head().await;
    let long = "x".repeat(encours_api::MAX_METADATA_BYTES as usize);
    let answer = call(&server, GET, &acme_please(), &[("x-long", &long)]).await;
    assert_eq!(answer.status, 431, "{}", answer.head);

    // A message that says it is longer than allowed is refused by its length alone.
    let mut claim = vec![0];
    claim.extend(u32::try_from(encours_api::MAX_REQUEST_BYTES + 1).unwrap().to_be_bytes());
    let headers = [("content-type", "application/grpc-web+proto")];
    let path = "encours.v1.LedgerService/CreateLedger";
    let answer = ask(&server, head("POST", path, &headers, claim.len()), &claim).await;
    assert!(answer.head.contains("grpc-status: 11"), "{}", answer.head);

    // One that is cut off is refused, and so is a frame that is none.
    for broken in [&framed(&acme_please())[..7], &[1, 2, 3], b"not a frame at all"] {
        let answer = ask(&server, head("POST", path, &headers, broken.len()), broken).await;
        assert_eq!(answer.status, 200, "{}", answer.head);
        assert!(!answer.head.contains("grpc-status: 0"), "{}", answer.head);
    }
    assert_eq!(client.head().await, before);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_trickles_is_ended() {
    let server = Server::start().await;
    let mut stream = connect(&server).await;
    let headers = [("content-type", "application/grpc-web+proto")];
    stream.write_all(head("POST", GET, &headers, 100).as_bytes()).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    let trickling = tokio::spawn(async move {
        let mut sent = 0;
        while to.write_all(&[0]).await.is_ok() && sent < 99 {
            sent += 1;
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        }
        sent
    });
    let mut bytes = Vec::new();
    let _ = from.read_to_end(&mut bytes).await;
    let answer = String::from_utf8_lossy(&bytes).to_lowercase();
    assert!(answer.contains("grpc-status: 4"), "{answer}");
    trickling.abort();
}

#[tokio::test]
async fn slow_callers_over_http1_leave_places_for_the_others() {
    let (server, mut client) = acme().await;
    let mut slow = Vec::new();
    for _ in 0..encours_api::MAX_HTTP1_CONNECTIONS + 40 {
        let mut stream = connect(&server).await;
        stream.write_all(b"POST /encours.v1.").await.unwrap();
        slow.push(stream);
    }
    // A head that trickles is no call: whoever comes takes the place of one of those.
    for _ in 0..5 {
        assert_eq!(call(&server, GET, &acme_please(), &[]).await.status, 200);
    }
    client.customer("ada").await;
    let mut another = server.client().await;
    another.customer("bob").await;
    // With a call on each there are no more places.
    let headers = [("content-type", "application/grpc-web+proto")];
    for _ in 0..encours_api::MAX_HTTP1_CONNECTIONS {
        let mut stream = connect(&server).await;
        stream.write_all(head("POST", GET, &headers, 100).as_bytes()).await.unwrap();
        slow.push(stream);
    }
    assert!(answered(&server, |status| status != 200).await, "more than there may be");
    another.customer("eve").await;
    // They come back once the server has seen that the callers left.
    slow.clear();
    assert!(answered(&server, |status| status == 200).await, "there are places again");
}

/// Whether calls come to be answered with such a status.
async fn answered(server: &Server, is_right: impl Fn(u16) -> bool) -> bool {
    for _ in 0..500 {
        if is_right(call(server, GET, &acme_please(), &[]).await.status) {
            return true;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    false
}
