//! `kill -9` at any moment, again and again: what was acknowledged is there, once, and the log is
//! intact.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use encours_sim::Rng;
use encours_tests::{Client, Heard, Load, LoadOptions, Server, check, data_folder, run, send};

const ROUNDS: u64 = 20;
/// Acknowledged commands of earlier rounds that are sent again in each round.
const SAMPLE: usize = 40;

fn seed() -> u64 {
    let given = std::env::var("ENCOURS_TEST_SEED").ok();
    given.map_or(20_261_121, |seed| seed.parse().expect("ENCOURS_TEST_SEED is a number"))
}

fn verify(data: &Path) {
    let ran = run(["log", "verify", "--data", data.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_kills_lose_nothing_that_was_acknowledged() {
    let seed = seed();
    println!(
        "seed {seed}; again: ENCOURS_TEST_SEED={seed} cargo test -p encours-tests --test kill9"
    );
    let mut rng = Rng::new(seed);
    let folder = data_folder();
    let mut all = Heard::default();
    let (mut unsure, mut unsure_done, mut slowest) = (0, 0, Duration::ZERO);

    let mut server = Server::start(folder.path());
    Load::prepare(&server.url()).await;
    for round in 0..ROUNDS {
        let options = LoadOptions::new(&format!("r{round}"), rng.next_u64());
        let load = Load::start(&[server.url()], &options);
        tokio::time::sleep(Duration::from_millis(20 + rng.below(400))).await;
        server.kill9();
        let heard = load.stop().await;

        verify(folder.path());
        let begun = Instant::now();
        server = Server::start(folder.path());
        slowest = slowest.max(begun.elapsed());
        let client = Client::connect(&server.url()).await;
        for (sent, position) in &heard.acknowledged {
            let again = send(&client, sent).await.unwrap();
            assert_eq!(again, (*position, true), "round {round}: {sent:?}");
        }
        unsure += heard.unknown.len();
        all.add(heard);
        unsure_done += check(&mut all, &server.url()).await;
        for _ in 0..SAMPLE.min(all.acknowledged.len()) {
            let (sent, position) = &all.acknowledged[rng.index(all.acknowledged.len())];
            let again = send(&client, sent).await.unwrap();
            assert_eq!(again, (*position, true), "round {round}: {sent:?}");
        }
    }
    let client = Client::connect(&server.url()).await;
    let head = client.head().await;
    assert_eq!(head.epoch, ROUNDS + 1, "one writer per start");
    let stopped = server.stop();
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
    verify(folder.path());
    println!(
        "{ROUNDS} kills, {} commands acknowledged, {unsure} in flight ({unsure_done} of them done), \
         {} events in {} frames, slowest start {} ms",
        all.acknowledged.len(),
        head.position,
        head.frame_number,
        slowest.as_millis()
    );
}
