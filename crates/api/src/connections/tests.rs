use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::*;

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

#[test]
fn few_files_allow_few_connections() {
    let given = [Some(0), Some(50), Some(64), Some(1_024), Some(1_072), Some(u64::MAX), None];
    assert_eq!(given.map(places), [4, 4, 16, 976, 1_024, 1_024, 1_024]);
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
    // There is one place for HTTP/1.
    let (mut more, mut accepted_more) = pair(&connections).await;
    more.write_all(b"GET /").await.unwrap();
    assert!(accepted_more.read_exact(&mut byte[..5]).await.is_err());
    drop((accepted, accepted_web, accepted_more));
    assert_eq!(counts(connections.open()), [0, 0, 0]);
    assert_eq!(counts(connections.closed()), [0, 0, 1, 0, 0, 0]);
    assert_eq!(connections.http1_places.available_permits(), 1);
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
    first.write_all(&[0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88]).await.unwrap();
    let (third, left) = tokio::join!(timeout(Duration::from_secs(10), accepted.next()), async {
        let left = first.read_u8().await;
        drop(first);
        left
    },);
    assert_eq!(left.unwrap_err().kind(), io::ErrorKind::QuotaExceeded);
    assert!(third.unwrap().unwrap().is_ok());
    assert_eq!(counts(connections.closed()), [0, 0, 0, 0, 0, 1]);
    drop(second);
}

#[tokio::test]
async fn who_floods_is_asked_to_keep_calm_and_left() {
    let connections = Arc::new(Connections::new(2, 2));
    let (mut caller, mut accepted) = pair(&connections).await;
    let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    let flood = [PREFACE, &ping.repeat(20_000)].concat();
    let mut sink = vec![0; flood.len()];
    let (_, read) = tokio::join!(caller.write_all(&flood), async {
        let read = accepted.read_exact(&mut sink).await;
        accepted.shutdown().await.unwrap();
        read
    });
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::QuotaExceeded);
    assert_eq!(counts(connections.closed()), [0, 0, 0, 0, 1, 0]);
    assert_eq!(counts(connections.goaways()), [0, 1, 0]);
    let mut said = [0; 17];
    caller.read_exact(&mut said).await.unwrap();
    assert_eq!(said, [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11]);
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
