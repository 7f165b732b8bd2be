//! Messages that a server tells of and cannot read, since a bit of its files has flipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use encours_log::{EventLog as _, LogError};
use encours_tests::flip_bit;

use crate::support::{KEYS, Place, STREAM, append, catch_up, writer};

const MARKS: &str = "KV_ENCOURS_MARKS";
/// A stream on one server is looked at again once.
const SOON: Duration = Duration::from_secs(20);

/// The least time until a second look.
const A_LOOK: Duration = Duration::from_millis(400);

/// Flips a bit of this message of a stream, while the server is down. It trusts its index, and tells of
/// the message, but cannot read it.
///
/// Answers the file and the bit.
fn spoil(place: &mut Place, stream: &str, body: &[u8]) -> (PathBuf, u64) {
    let before = place.admin().info(stream).state;
    let (file, at) = place
        .nats
        .message_files(stream)
        .into_iter()
        .find_map(|file| {
            let bytes = fs::read(&file).unwrap();
            let at = bytes.windows(body.len()).rposition(|part| part == body);
            at.map(|at| (file, at))
        })
        .expect("the message is in a file");
    let bit = 8 * (at + body.len() / 2) as u64;
    flip(place, &file, bit);
    let after = place.admin().info(stream).state;
    assert_eq!((after.messages, after.last_sequence), (before.messages, before.last_sequence));
    (file, bit)
}

fn flip(place: &mut Place, file: &Path, bit: u64) {
    place.nats.stop();
    flip_bit(file, bit);
    place.nats.restart();
}

fn lost(refused: &LogError, message: &str) {
    assert_eq!(refused.code(), "stream_diverged", "{refused}");
    assert!(refused.to_string().contains(message), "{refused}");
}

#[test]
fn a_last_frame_that_cannot_be_read_is_not_waited_for() {
    let Some(mut place) = Place::new() else { return };
    let (replica, mut log) = writer(&place, "a");
    append(&mut log, 10);
    append(&mut log, 20);
    let last = append(&mut log, 3000);
    log.close().unwrap();
    drop((log, replica));
    let _ = spoil(&mut place, STREAM, last.bytes());
    let begun = Instant::now();
    let refused = place.try_replica("a").err().unwrap();
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    lost(&refused, "no message 3 that can be read");
}

#[test]
fn keys_that_cannot_be_read_are_not_taken_for_erased() {
    let Some(mut place) = Place::new() else { return };
    let (replica, mut log) = writer(&place, "a");
    let spoilt = b"the second one, which cannot be read";
    log.share_keys(b"the first one").unwrap();
    log.share_keys(spoilt).unwrap();
    log.share_keys(b"the third one, which is erased").unwrap();
    log.share_keys(b"the last one").unwrap();
    append(&mut log, 10);
    log.close().unwrap();
    drop((log, replica));
    let admin = place.admin();
    admin.run(async {
        let stream = admin.context.get_stream(KEYS).await.unwrap();
        stream.delete_message(3).await.unwrap();
    });
    // As it should be: the erased one is left out.
    catch_up(&mut place.replica("b")).unwrap();
    let _ = spoil(&mut place, KEYS, spoilt);
    let mut came = Vec::new();
    let mut keys = |body: &[u8]| {
        came.push(body.to_vec());
        Ok(())
    };
    let begun = Instant::now();
    let refused = place.replica("c").catch_up(&mut keys).unwrap_err();
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    lost(&refused, "no message 2 that can be read");
    assert_eq!(came, [b"the first one"]);
}

#[test]
fn a_key_that_is_there_again_after_all_is_waited_for_anew_the_next_time() {
    let Some(mut place) = Place::new() else { return };
    let share = |place: &Place, body: &[u8]| {
        let (replica, mut log) = writer(place, "a");
        log.share_keys(body).unwrap();
        append(&mut log, 10);
        log.close().unwrap();
        drop((log, replica));
    };
    let first = b"the first one, which comes back";
    share(&place, first);
    let (file, bit) = spoil(&mut place, KEYS, first);
    let mut replica = place.replica("b");
    lost(&catch_up(&mut replica).unwrap_err(), "no message 1 that can be read");
    flip(&mut place, &file, bit);
    catch_up(&mut replica).unwrap();
    let second = b"the second one, which is lost";
    share(&place, second);
    let _ = spoil(&mut place, KEYS, second);
    let begun = Instant::now();
    lost(&catch_up(&mut replica).unwrap_err(), "no message 2 that can be read");
    assert!(begun.elapsed() >= A_LOOK, "it was looked at once: {:?}", begun.elapsed());
}

#[test]
fn a_mark_that_cannot_be_read_is_not_taken_for_none() {
    let Some(mut place) = Place::new() else { return };
    let (replica, mut log) = writer(&place, "a");
    append(&mut log, 10);
    log.close().unwrap();
    drop((log, replica));
    let mark = place.link().mark().unwrap().unwrap();
    let _ = spoil(&mut place, MARKS, format!("hash {}", mark.hash).as_bytes());
    for refused in [place.link().mark().unwrap_err(), place.try_replica("a").err().unwrap()] {
        assert_eq!(refused.code(), "stream_config", "{refused}");
        assert!(refused.to_string().contains("its key main is there and cannot be read"));
    }
}
