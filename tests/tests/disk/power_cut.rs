//! A power cut on a real file system: the file below a mounted one is copied at the moment at which
//! the server dies. The copy holds what the file system has given to its disk, and nothing else.

use std::fs;
use std::io::Write as _;
use std::time::Duration;

use encours_sim::Rng;
use encours_tests::{Client, Load, LoadOptions, Server, check, data_folder, send};

use crate::image::Image;
use crate::support::{audit, times};

/// MiB of the file: xfs and btrfs want more than ext4 to begin with.
const EXT4_MIB: u64 = 96;
const OTHER_MIB: u64 = 320;

/// The file system to try, by `ENCOURS_TEST_FS`.
fn kind() -> String {
    std::env::var("ENCOURS_TEST_FS").unwrap_or_else(|_| "ext4".to_owned())
}

fn mib(kind: &str) -> u64 {
    if kind == "ext4" { EXT4_MIB } else { OTHER_MIB }
}

/// How often the power is cut: `ENCOURS_TEST_POWER_CUTS`.
#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_loses_nothing_that_was_acknowledged() {
    let (kind, rounds) = (kind(), times("ENCOURS_TEST_POWER_CUTS", 4));
    let seed = times("ENCOURS_TEST_SEED", 9) as u64;
    let folder = data_folder();
    let file = |n: usize| folder.path().join(format!("{n}.image"));
    let mut image = match Image::make(&kind, mib(&kind), &file(0)) {
        Ok(image) => image,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
    println!("{kind}, {rounds} cuts, seed {seed} (ENCOURS_TEST_SEED)");
    let mut rng = Rng::new(seed);
    let (mut acknowledged, mut unsure, mut done, mut torn) = (0, 0, 0, 0);
    let mut server = Server::start(&image.path().join("data"));
    Load::prepare(&server.url()).await;
    let mut all = encours_tests::Heard::default();
    for round in 1..=rounds {
        let options = LoadOptions::new(&format!("r{round}"), rng.next_u64());
        let load = Load::start(&[server.url()], &options);
        tokio::time::sleep(Duration::from_millis(20 + rng.below(400))).await;
        server.kill9();
        image.copy_to(&file(round));
        let heard = load.stop().await;
        acknowledged += heard.acknowledged.len();
        unsure += heard.unknown.len();

        // What was there before the cut is gone with its mount; the copy is what is left.
        drop(image);
        let _ = fs::remove_file(file(round - 1));
        image = Image::mount(&file(round)).unwrap();
        let data = image.path().join("data");
        audit(&data);
        server = Server::start(&data);
        torn += usize::from(server.said().contains("unfinished write"));
        let client = Client::connect(&server.url()).await;
        for (sent, position) in &heard.acknowledged {
            let again = send(&client, sent).await.unwrap();
            assert_eq!(again, (*position, true), "round {round} (seed {seed}): {sent:?}");
        }
        all.add(heard);
        done += check(&mut all, &server.url()).await;
    }
    let data = image.path().join("data");
    assert_eq!(server.stop().ran.code, Some(0));
    audit(&data);
    println!(
        "{kind}: {rounds} power cuts, {acknowledged} commands acknowledged before them and there \
         after them, {unsure} in flight ({done} of them done), {torn} torn ends"
    );
}

/// The method itself: what was synced is in the copy, what was not is not.
#[test]
fn a_copy_of_a_file_system_shows_what_was_not_synced() {
    let folder = data_folder();
    let image = match Image::make("ext4", EXT4_MIB, &folder.path().join("image")) {
        Ok(image) => image,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
    let write = |name: &str| {
        let mut file = fs::File::create(image.path().join(name)).unwrap();
        file.write_all(name.as_bytes()).unwrap();
        file
    };
    write("synced").sync_all().unwrap();
    drop(write("not synced"));
    let cut = folder.path().join("cut");
    image.copy_to(&cut);
    drop(image);
    let after = Image::mount(&cut).unwrap();
    assert_eq!(fs::read_to_string(after.path().join("synced")).unwrap(), "synced");
    let lost = fs::read_to_string(after.path().join("not synced")).unwrap_or_default();
    assert_eq!(lost, "", "bytes that nobody synced outlived the cut: the copy proves nothing");
}
