use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::*;

/// The first frame of a server.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// The two ends of a connection that was accepted.
async fn pair(connections: &Arc<Connections>) -> (TcpStream, Connection) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let caller = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let mut accepted = Box::pin(accept(listener, Arc::clone(connections)));
    let accepted = accepted.next().await.unwrap().unwrap();
    (caller, accepted)
}

fn counts<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> Vec<u64> {
    counts.map(|(_, count)| count).collect()
}

#[tokio::test]
async fn the_first_bytes_tell_what_is_spoken() {
    let connections = Arc::new(Connections::new(8, 1));
    let (mut caller, mut accepted) = pair(&connections).await;
    let mut byte = [0; 64];
    for sent in PREFACE.chunks(5) {
        assert_eq!(counts(connections.open()), [1, 0, 0]);
        caller.write_all(sent).await.unwrap();
        accepted.read_exact(&mut byte[..sent.len()]).await.unwrap();
    }
    assert_eq!(counts(connections.open()), [0, 0, 1]);
    let (mut web, mut accepted_web) = pair(&connections).await;
    web.write_all(b"POST /").await.unwrap();
    accepted_web.read_exact(&mut byte[..6]).await.unwrap();
    assert_eq!(counts(connections.open()), [0, 1, 1]);
    drop((accepted, accepted_web));
    assert_eq!(counts(connections.open()), [0, 0, 0]);
    assert_eq!(counts(connections.closed()), [0; 6]);
}

/// Sends bytes and has them read.
async fn send(caller: &mut TcpStream, accepted: &mut Connection, bytes: &[u8]) {
    caller.write_all(bytes).await.unwrap();
    accepted.read_exact(&mut vec![0; bytes.len()]).await.unwrap();
}

/// Whether a connection goes on waiting for more.
async fn stays(accepted: &mut Connection) -> bool {
    timeout(Duration::from_millis(50), accepted.read_u8()).await.is_err()
}

#[tokio::test]
async fn one_more_of_http1_takes_the_place_of_one_without_a_call() {
    let connections = Arc::new(Connections::new(8, 2));
    let (mut asking, mut asked) = pair(&connections).await;
    send(&mut asking, &mut asked, b"POST /").await;
    let call = asked.connect_info().take(Good::Calls, 1).unwrap();
    asked.flush().await.unwrap();
    // A head that trickles is no call.
    let (mut trickling, mut trickled) = pair(&connections).await;
    send(&mut trickling, &mut trickled, b"POST /").await;
    let (mut third, mut accepted_third) = pair(&connections).await;
    send(&mut third, &mut accepted_third, b"GET /").await;
    assert_eq!(trickled.read_u8().await.unwrap_err().kind(), io::ErrorKind::QuotaExceeded);
    drop(trickled);
    assert!(stays(&mut asked).await && stays(&mut accepted_third).await);
    assert_eq!(counts(connections.open()), [0, 2, 0]);
    // With a call on each there is no place.
    let other_call = accepted_third.connect_info().take(Good::Calls, 1).unwrap();
    accepted_third.flush().await.unwrap();
    let (mut fourth, mut accepted_fourth) = pair(&connections).await;
    fourth.write_all(b"GET /").await.unwrap();
    assert!(accepted_fourth.read_u8().await.is_err());
    assert_eq!(counts(connections.closed()), [0, 0, 1, 0, 0, 1]);
    drop((call, other_call));
}

#[tokio::test]
async fn a_call_over_http1_that_begins_as_its_connection_is_to_leave_is_answered() {
    let connections = Arc::new(Connections::new(8, 8));
    let (mut caller, mut accepted) = pair(&connections).await;
    send(&mut caller, &mut accepted, b"POST /").await;
    let told = connections.quiet.make_room().unwrap();
    let call = accepted.connect_info().take(Good::Calls, 1).unwrap();
    assert!(stays(&mut accepted).await, "a call is open");
    // The library flushes before it waits.
    accepted.flush().await.unwrap();
    accepted.write_all(b"HTTP/1.1 200 OK").await.unwrap();
    drop(call);
    assert!(stays(&mut accepted).await, "the answer may not be written as a whole");
    accepted.flush().await.unwrap();
    assert!(stays(&mut accepted).await, "nobody waits for its place any more");
    // It is quiet again.
    assert!(Arc::ptr_eq(&connections.quiet.make_room().unwrap(), &told));
    assert!(!stays(&mut accepted).await);
    drop(caller);
}

#[tokio::test]
async fn one_more_than_there_are_places_takes_that_of_a_quiet_one() {
    let connections = Arc::new(Connections::new(2, 2));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut accepted = Box::pin(accept(listener, Arc::clone(&connections)));
    let mut callers = Vec::new();
    for _ in 0..3 {
        callers.push(TcpStream::connect(address).await.unwrap());
    }
    let mut first = accepted.next().await.unwrap().unwrap();
    let mut second = accepted.next().await.unwrap().unwrap();
    // Calls are open on both: nobody gives way, and who came waits.
    let call = [PREFACE, &[0, 0, 1, 1, 4, 0, 0, 0, 1, 0x82]].concat();
    let mut bytes = vec![0; call.len()];
    for (caller, accepted) in callers.iter_mut().zip([&mut first, &mut second]) {
        caller.write_all(&call).await.unwrap();
        accepted.read_exact(&mut bytes).await.unwrap();
    }
    let early = timeout(Duration::from_millis(300), accepted.next()).await;
    assert!(early.is_err(), "a third connection was accepted");
    assert_eq!(counts(connections.open()), [0, 0, 2]);
    // The first call is answered: its connection is the quiet one.
    let answer = [SETTINGS, &[0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88]].concat();
    first.write_all(&answer).await.unwrap();
    let (third, left) = tokio::join!(timeout(Duration::from_secs(10), accepted.next()), async {
        let left = first.read_u8().await;
        drop(first);
        left
    },);
    assert_eq!(left.unwrap_err().kind(), io::ErrorKind::QuotaExceeded);
    assert!(third.unwrap().unwrap().is_ok());
    assert_eq!(counts(connections.closed()), [0, 0, 0, 0, 0, 1]);
    // It was told which call was the last one that came.
    assert_eq!(counts(connections.goaways()), [1, 0, 0]);
    let mut said = vec![0; answer.len() + 17];
    callers[0].read_exact(&mut said).await.unwrap();
    assert_eq!(said[answer.len()..], [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
    drop(second);
}

#[tokio::test]
async fn who_floods_is_asked_to_keep_calm_and_left() {
    let connections = Arc::new(Connections::new(2, 2));
    let (mut caller, mut accepted) = pair(&connections).await;
    let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    let flood = ping.repeat(20_000);
    let mut sink = vec![0; flood.len()];
    send(&mut caller, &mut accepted, PREFACE).await;
    accepted.write_all(SETTINGS).await.unwrap();
    let (_, read) = tokio::join!(caller.write_all(&flood), async {
        let read = accepted.read_exact(&mut sink).await;
        accepted.shutdown().await.unwrap();
        read
    });
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::QuotaExceeded);
    assert_eq!(counts(connections.closed()), [0, 0, 0, 0, 1, 0]);
    assert_eq!(counts(connections.goaways()), [0, 1, 0]);
    let mut said = [0; 26];
    caller.read_exact(&mut said).await.unwrap();
    assert_eq!(said[9..], [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11]);
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_or_stops_is_closed() {
    let connections = Arc::new(Connections::new(8, 8));
    let (mut caller, mut accepted) = pair(&connections).await;
    let mut byte = [0; 64];
    caller.write_all(&PREFACE[..10]).await.unwrap();
    accepted.read_exact(&mut byte[..10]).await.unwrap();
    // One byte now and then does not help.
    let read = timeout(2 * HELLO_LIMIT, accepted.read_exact(&mut byte[..1])).await;
    assert_eq!(read.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);

    let (mut caller, mut accepted) = pair(&connections).await;
    caller.write_all(PREFACE).await.unwrap();
    accepted.read_exact(&mut byte[..PREFACE.len()]).await.unwrap();
    let idle = IDLE_LOOKS * HELLO_LIMIT;
    let early = timeout(idle, accepted.read_exact(&mut byte[..1])).await;
    assert!(early.is_err(), "{early:?}");
    let read = timeout(idle, accepted.read_exact(&mut byte[..1])).await;
    assert_eq!(read.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);

    // Half a frame.
    let (mut caller, mut accepted) = pair(&connections).await;
    let half = [PREFACE, &[0, 0, 6, 4, 0]].concat();
    caller.write_all(&half).await.unwrap();
    accepted.read_exact(&mut byte[..half.len()]).await.unwrap();
    let read = timeout(3 * HELLO_LIMIT, accepted.read_exact(&mut byte[..1])).await;
    assert_eq!(read.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(counts(connections.closed()), [1, 1, 0, 1, 0, 0]);
}
