//! A bit that flips while the server runs: found by the first read of it, and nothing goes on.

use std::path::Path;

use encours_proto::v1;
use encours_tests::{Server, Told, data_folder, flip_bit};
use tonic::Code;

use crate::support::{DAMAGED, company, newest_segment, refused};

/// Frames begin at multiples of this many bytes.
const SECTOR: usize = 512;

/// Where the frame of this number begins in a segment.
fn place_of(segment: &Path, number: u64) -> u64 {
    let bytes = std::fs::read(segment).unwrap();
    let is_it = |frame: &&[u8]| frame.starts_with(b"ENCF") && frame[32..40] == number.to_le_bytes();
    let at = bytes.chunks(SECTOR).position(|chunk| is_it(&chunk)).expect("the frame is there");
    (at * SECTOR) as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_under_a_running_server_stops_it_at_the_first_read() {
    // In the header, in the body, in a hash.
    for (byte, bit) in [(41, 3), (230, 0), (110, 7)] {
        let folder = data_folder();
        let server = Server::start(folder.path());
        let company = company(&server, 30).await;
        let frame = 12;
        let segment = newest_segment(folder.path());
        let at = (place_of(&segment, frame) + byte) * 8 + bit;
        flip_bit(&segment, at);
        // Nobody has read it, and nobody is hurt.
        company.issue("after", "c1", "1.00", "2024-02-01").await;
        let request = v1::ReadEventsRequest { page_size: 1_000, ..Default::default() };
        let told = company.client.log.clone().read_events(request).await.unwrap_err();
        let told = Told::from(&told);
        assert_eq!((told.code, &*told.reason), (Code::DataLoss, "LOG_UNREADABLE"), "{told:?}");
        let ran = server.end();
        assert_eq!(ran.code, Some(DAMAGED), "{ran}");
        let line = ran.stderr.lines().find(|line| line.contains(" frame_corrupt ")).unwrap();
        assert!(line.contains("ERROR") && line.contains("frame=12"), "{line}");
        assert!(ran.stderr.lines().last().unwrap().contains("backup"), "{ran}");
        let again = refused(folder.path());
        assert_eq!(again.code, Some(DAMAGED), "{again}");
        assert!(again.stderr.contains("frame_corrupt"), "{again}");
        flip_bit(&segment, at);
        let server = Server::start(folder.path());
        let client = encours_tests::Client::connect(&server.url()).await;
        let events = client.events_after(0).await;
        let issued = events.iter().filter(|event| event.event == "invoice.issued").count();
        assert_eq!(issued, 31, "all is there once the bit is back");
        println!("byte {byte} of frame {frame}: {}", line.trim());
    }
}
