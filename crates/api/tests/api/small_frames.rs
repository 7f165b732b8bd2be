//! A client that sends every command as a frame of its own and is slow to read the answers.
//!
//! WHY by hand over h2: tonic's client puts small messages together, others do not.

use bytes::{BufMut as _, Bytes, BytesMut};
use encours_proto::Message as _;
use encours_proto::v1;
use encours_proto::v1::command::Command as C;
use h2::client::{SendRequest, handshake};
use tokio::net::TcpStream;

use crate::support::{acme, soon};

/// More than one stream's window holds.
const COMMANDS: usize = 6_000;

/// A message as gRPC frames it.
fn framed() -> Bytes {
    let command = C::MarkSent(v1::MarkSentRequest {
        ledger_id: "acme".into(),
        invoice_id: "no-such-invoice".into(),
        ..Default::default()
    });
    let command = Some(v1::Command { command: Some(command) });
    let message = v1::ExecuteStreamRequest { command }.encode_to_vec();
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap());
    framed.put_slice(&message);
    framed.freeze()
}

async fn connect(address: &str) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(address.trim_start_matches("http://")).await.unwrap();
    let (client, connection) = handshake(stream).await.unwrap();
    tokio::spawn(async move {
        // Where the server closes it, the streams tell.
        let _ = connection.await;
    });
    client.ready().await.unwrap()
}

#[tokio::test]
async fn many_small_frames_wait_and_nobody_is_cut_off() {
    let (server, _client) = acme().await;
    let mut client = connect(&server.address).await;
    let request =
        http::Request::post(format!("{}/encours.v1.BatchService/ExecuteStream", server.address))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .unwrap();
    let (response, mut send) = client.send_request(request, false).unwrap();
    let sending = tokio::spawn(async move {
        let message = framed();
        for _ in 0..COMMANDS {
            send.reserve_capacity(message.len());
            while send.capacity() < message.len() {
                std::future::poll_fn(|cx| send.poll_capacity(cx)).await.unwrap().unwrap();
            }
            send.send_data(message.clone(), false).unwrap();
        }
        send.send_data(Bytes::new(), true).unwrap();
    });
    // Long enough for the server to fill the window of the answers and to stop reading commands.
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    let mut body = soon("the answer", response).await.unwrap().into_body();
    let mut answers = BytesMut::new();
    while let Some(data) = soon("answers", body.data()).await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        answers.extend_from_slice(&data);
    }
    sending.await.unwrap();
    let mut count = 0;
    while let Some(header) = answers.first_chunk::<5>() {
        let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize;
        let message = answers.split_to(5 + length);
        let answer = v1::ExecuteStreamResponse::decode(&message[5..]).unwrap();
        let result = answer.result.unwrap().result.unwrap();
        assert!(matches!(result, v1::command_result::Result::Error(error) if error.code == 5));
        count += 1;
    }
    assert_eq!(count, COMMANDS);
    let trailers = soon("the status", body.trailers()).await.unwrap().unwrap();
    assert_eq!(trailers["grpc-status"], "0");
}
