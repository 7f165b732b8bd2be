use std::io;

use encours_domain::{Reason, Refusal};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

#[test]
fn what_is_handed_on_says_from_whom_and_for_which_log() {
    let until = Some(Instant::now() + Duration::from_secs(5));
    let caller = Caller { actor: "ann".into(), until, handed_on: false };
    let request = Roads::new(1).of_log("north").handed_on((), &caller);
    let said = |name| request.metadata().get(name).map(AsciiMetadataValue::as_bytes);
    assert_eq!(said(ACTOR_METADATA), Some(&b"ann"[..]));
    assert_eq!(said(FORWARDED_METADATA), Some(&b"1"[..]));
    assert_eq!(said(LOG_METADATA), Some(&b"north"[..]));
    assert!(said("grpc-timeout").is_some());
}

/// The address of a server that takes the first call of a connection, then says goodbye and names
/// this as the last one that came.
async fn leaving(last: u8) -> String {
    const HEADERS: u8 = 1;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
        stream.read_exact(&mut [0; 24]).await.unwrap();
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.unwrap();
            let len = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            stream.read_exact(&mut vec![0; len]).await.unwrap();
            if head[3] == HEADERS {
                break;
            }
        }
        let goodbye = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, last, 0, 0, 0, 0];
        stream.write_all(&goodbye).await.unwrap();
        stream.shutdown().await.unwrap();
        // What else comes is read, so that nothing is reset.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    address
}

#[tokio::test]
async fn what_came_after_a_goodbye_was_not_done() {
    let caller = Caller { actor: "ann".into(), until: None, handed_on: false };
    let execute = async |last| {
        let (roads, address) = (Roads::new(1), leaving(last).await);
        roads.execute(&address, Vec::new(), &caller, future::pending()).await
    };
    let late = execute(0).await;
    assert!(matches!(late, Err(Broken::Undone(_))), "{late:?}");
    let heard = execute(1).await;
    assert!(matches!(heard, Err(Broken::Doubtful)), "{heard:?}");
}

#[test]
fn only_what_certainly_was_not_done_is_tried_again() {
    let answer = |failure: Failure| judge("x", &Status::from(failure));
    for undone in [Failure::no_leader(), Failure::not_leader(), Failure::stopping()] {
        assert!(matches!(answer(undone), Broken::Undone(_)));
    }
    let refused = ConnectError(Box::new(io::Error::from(io::ErrorKind::ConnectionRefused)));
    let refused = Status::from_error(Box::new(refused));
    assert!(matches!(judge("x", &refused), Broken::Undone(_)), "{refused:?}");
    let reset = Status::from_error(Box::new(io::Error::from(io::ErrorKind::ConnectionReset)));
    let open = [reset, Status::unavailable("gone"), Status::cancelled("Timeout expired")];
    for status in open {
        assert!(matches!(judge("x", &status), Broken::Doubtful), "{status:?}");
    }
    let refusal = Refusal::new(Reason::TooLarge, "text", "too long");
    let Broken::Ended(said) = answer(refusal.clone().into()) else { panic!() };
    assert_eq!(said.details(), Status::from(Failure::from(refusal)).details());
}
