//! Bytes that are no messages, and messages that are too much (F30, F31), to every method.

use encours_proto::{FILE_DESCRIPTOR_SET, method_paths, v1};
use encours_tests::{Raw, Server, data_folder};
use prost::Message as _;
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind};
use tokio::time::timeout;
use tonic::codec::CompressionEncoding;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use crate::{SOON, acme, figure, memory, reason, start, times};

const MIB: usize = 1 << 20;
/// What a server may grow by under bodies that it refuses, in KiB.
const GROWTH: u64 = 150 * 1024;

async fn connect(server: &Server) -> Channel {
    Endpoint::from_shared(server.url()).unwrap().connect().await.unwrap()
}

/// Why a call with this one message is refused.
///
/// # Panics
/// Where it is not: it ends well, or goes on.
async fn refusal(channel: &Channel, path: &str, message: Vec<u8>, gzip: bool) -> Status {
    let mut client = tonic::client::Grpc::new(channel.clone());
    if gzip {
        client = client.send_compressed(CompressionEncoding::Gzip);
    }
    client.ready().await.unwrap();
    let request = Request::new(tokio_stream::once(message));
    let called = client.streaming(request, path.parse().unwrap(), Raw);
    let mut answers = match timeout(SOON, called).await.expect("an answer in time") {
        Ok(answers) => answers.into_inner(),
        Err(status) => return status,
    };
    loop {
        match timeout(SOON, answers.message()).await.expect("a refusal in time") {
            Ok(Some(_)) => {}
            Ok(None) => panic!("{path} took it"),
            Err(status) => return status,
        }
    }
}

/// A varint.
fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A field with a wire type that is not its own, and with bytes behind it that would fit.
fn wrong_type(field: &FieldDescriptor) -> Vec<u8> {
    let number = u64::from(field.number()) << 3;
    match field.kind() {
        Kind::String | Kind::Bytes | Kind::Message(_) => [varint(number), vec![1]].concat(),
        // 32 bits; a list of numbers may also come packed, never so.
        _ => [varint(number | 5), vec![1; 4]].concat(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_message_is_the_callers_fault_and_counted() {
    let folder = data_folder();
    let server = start(folder.path(), &[]);
    let company = acme(&server).await;
    let head = company.client.head().await.position;
    let channel = connect(&server).await;
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let services: Vec<_> = pool.services().filter(|s| s.package_name() == "encours.v1").collect();
    let (mut malformed, mut unknown, mut tried) = (0, 0, 0);
    for method in services.iter().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        let mut wrong: Vec<_> = method.input().fields().map(|field| wrong_type(&field)).collect();
        // Groups within groups, deeper than any stack, and one that ends what never began.
        wrong.push(vec![0x0b; 500_000]);
        wrong.push(vec![0x0c]);
        for message in wrong {
            let status = refusal(&channel, &path, message, false).await;
            assert_eq!(status.code(), Code::InvalidArgument, "{path}: {status:?}");
            assert_eq!(reason(&status), "MALFORMED_MESSAGE", "{path}: {status:?}");
            malformed += 1;
        }
        // Values that no enum has.
        for field in method.input().fields().filter(|field| matches!(field.kind(), Kind::Enum(_))) {
            let number = varint(u64::from(field.number()) << 3);
            let ledger = [&[0x0a, 4], LEDGER_BYTES].concat();
            let message = [ledger, number, varint(9_999)].concat();
            let status = refusal(&channel, &path, message, false).await;
            assert_eq!(status.code(), Code::InvalidArgument, "{path} {}", field.name());
            assert!(!reason(&status).is_empty(), "{path} {}", field.name());
            unknown += 1;
        }
        tried += 1;
    }
    assert_eq!(tried, method_paths().len());
    let counted = figure(&server, "encours_errors_total{reason=\"MALFORMED_MESSAGE\"}");
    println!("{tried} methods: {malformed} malformed messages, {unknown} unknown values");
    assert_eq!(counted, malformed);
    assert_eq!(company.client.head().await.position, head, "something was appended");
    assert!(!server.said().contains("panicked"), "{}", server.said());
    assert_eq!(server.stop().ran.code, Some(0));
}

const LEDGER_BYTES: &[u8] = b"acme";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_around_a_message_may_be_wrong_too() {
    let folder = data_folder();
    let server = start(folder.path(), &[]);
    let _company = acme(&server).await;
    let (client, connection) = {
        let stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
        h2::client::handshake(stream).await.unwrap()
    };
    tokio::spawn(async move {
        // Its streams tell.
        let _ = connection.await;
    });
    let mut client = client.ready().await.unwrap();
    let bodies: [(&str, &[u8]); 6] = [
        ("nothing at all", &[]),
        ("half a length", &[0, 0, 0]),
        ("less than its length", &[0, 0, 0, 0, 9, 1]),
        ("a flag that there is none of", &[7, 0, 0, 0, 0]),
        ("compressed by nothing", &[1, 0, 0, 0, 1, 0]),
        ("no gzip", &[1, 0, 0, 0, 3, 1, 2, 3]),
    ];
    for (what, body) in bodies {
        let uri = format!("{}/encours.v1.LedgerService/GetLedger", server.url());
        let mut request = http::Request::post(uri).header("content-type", "application/grpc");
        if what == "no gzip" {
            request = request.header("grpc-encoding", "gzip");
        }
        let request = request.header("te", "trailers").body(()).unwrap();
        let (response, mut send) = client.send_request(request, false).unwrap();
        send.send_data(bytes::Bytes::copy_from_slice(body), true).unwrap();
        let response = timeout(SOON, response).await.unwrap().unwrap();
        let status = Status::from_header_map(response.headers()).unwrap();
        assert_eq!(status.code(), Code::InvalidArgument, "{what}: {status:?}");
        assert_eq!(reason(&status), "MALFORMED_MESSAGE", "{what}: {status:?}");
    }
    assert_eq!(server.stop().ran.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_at_the_limit() {
    let folder = data_folder();
    let server = start(folder.path(), &[]);
    let _company = acme(&server).await;
    let channel = connect(&server).await;
    let before = memory(&server, "VmRSS");
    let mut refused = 0;
    for path in method_paths() {
        let status = refusal(&channel, &path, vec![0; 2 * MIB], false).await;
        assert_eq!(status.code(), Code::OutOfRange, "{path}: {status:?}");
        assert_eq!(reason(&status), "REQUEST_TOO_LARGE", "{path}: {status:?}");
        refused += 1;
    }
    // What asks for the health has less.
    let check = "/grpc.health.v1.Health/Check";
    let status = refusal(&channel, check, vec![0; 20 * 1024], false).await;
    let info = status.get_details_error_info().unwrap();
    assert_eq!((&*info.reason, &*info.metadata["limit"]), ("REQUEST_TOO_LARGE", "16384"));
    refused += 1;
    // 64 MiB, eight at a time; and as much again in 64 KiB that unpack to it.
    for gzip in [false, true] {
        for _ in 0..times(1, 20) {
            let calls = (0..8).map(|_| {
                let channel = channel.clone();
                let path = "/encours.v1.BatchService/Execute";
                tokio::spawn(async move { refusal(&channel, path, vec![0; 64 * MIB], gzip).await })
            });
            for call in calls.collect::<Vec<_>>() {
                let status = call.await.unwrap();
                assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
                assert_eq!(reason(&status), "REQUEST_TOO_LARGE", "{status:?}");
                refused += 1;
            }
        }
    }
    let growth = memory(&server, "VmHWM").saturating_sub(before);
    println!("{refused} messages that are too large: {growth} KiB more");
    assert!(growth < GROWTH, "{growth} KiB more");
    assert_eq!(figure(&server, "encours_request_too_large_total"), refused);
    assert_eq!(server.stop().ran.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_very_many_parts_takes_no_more_than_it_may() {
    let folder = data_folder();
    let server = start(folder.path(), &[]);
    let _company = acme(&server).await;
    let channel = connect(&server).await;
    // Half a million commands, or lines, of two bytes each.
    let execute = [0x0a, 0].repeat(MIB / 2 - 10);
    let lines = v1::IssueInvoiceRequest {
        ledger_id: "acme".to_owned(),
        lines: vec![v1::InvoiceLine::default(); MIB / 2 - 100],
        ..Default::default()
    };
    let many = [
        ("/encours.v1.BatchService/Execute", execute),
        ("/encours.v1.InvoiceService/IssueInvoice", lines.encode_to_vec()),
    ];
    let before = memory(&server, "VmRSS");
    for (path, message) in many {
        assert!(message.len() < MIB);
        let calls = (0..times(4, 64)).map(|_| {
            let (channel, message) = (channel.clone(), message.clone());
            tokio::spawn(async move { refusal(&channel, path, message, false).await })
        });
        for call in calls.collect::<Vec<_>>() {
            let status = call.await.unwrap();
            assert_eq!(status.code(), Code::OutOfRange, "{path}: {status:?}");
            assert_eq!(reason(&status), "REQUEST_TOO_LARGE", "{path}: {status:?}");
        }
        let growth = memory(&server, "VmHWM").saturating_sub(before);
        println!("{path} of {} bytes: {growth} KiB more", message.len());
        assert!(growth < GROWTH, "{path}: {growth} KiB more");
    }
    assert_eq!(server.stop().ran.code, Some(0));
}
