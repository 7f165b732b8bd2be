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

/// Kills where `ENCOURS_TEST_KILLS` says nothing.
const ROUNDS: u64 = 20;
/// Acknowledged commands of earlier rounds that are sent again in each round.
const SAMPLE: usize = 40;

fn seed() -> u64 {
    let given = std::env::var("ENCOURS_TEST_SEED").ok();
    given.map_or(20_261_121, |seed| seed.parse().expect("ENCOURS_TEST_SEED is a number"))
}

fn rounds() -> u64 {
    let given = std::env::var("ENCOURS_TEST_KILLS").ok();
    given.map_or(ROUNDS, |rounds| rounds.parse().expect("ENCOURS_TEST_KILLS is a number"))
}

fn verify(data: &Path) {
    let ran = run(["log", "verify", "--data", data.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{ran}");
}

/// What the lives of some data folders came to.
#[derive(Debug, Default)]
struct Sum {
    kills: u64,
    acknowledged: usize,
    unsure: usize,
    unsure_done: u64,
    events: u64,
    frames: u64,
    slowest: Duration,
}

/// Starts on a new folder and kills again and again; everything is checked after each kill.
async fn life(rng: &mut Rng, rounds: u64, sum: &mut Sum) {
    let folder = data_folder();
    let mut all = Heard::default();
    let mut server = Server::start(folder.path());
    Load::prepare(&server.url()).await;
    for round in 0..rounds {
        let options = LoadOptions::new(&format!("r{round}"), rng.next_u64());
        let load = Load::start(&[server.url()], &options);
        tokio::time::sleep(Duration::from_millis(20 + rng.below(400))).await;
        server.kill9();
        let heard = load.stop().await;

        verify(folder.path());
        let begun = Instant::now();
        server = Server::start(folder.path());
        sum.slowest = sum.slowest.max(begun.elapsed());
        let client = Client::connect(&server.url()).await;
        for (sent, position) in &heard.acknowledged {
            let again = send(&client, sent).await.unwrap();
            assert_eq!(again, (*position, true), "round {round}: {sent:?}");
        }
        sum.unsure += heard.unknown.len();
        all.add(heard);
        sum.unsure_done += check(&mut all, &server.url()).await;
        for _ in 0..SAMPLE.min(all.acknowledged.len()) {
            let (sent, position) = &all.acknowledged[rng.index(all.acknowledged.len())];
            let again = send(&client, sent).await.unwrap();
            assert_eq!(again, (*position, true), "round {round}: {sent:?}");
        }
    }
    let client = Client::connect(&server.url()).await;
    let head = client.head().await;
    assert_eq!(head.epoch, rounds + 1, "one writer per start");
    let stopped = server.stop();
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
    verify(folder.path());
    sum.kills += rounds;
    sum.acknowledged += all.acknowledged.len();
    sum.events += head.position;
    sum.frames += head.frame_number;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_nothing_that_was_acknowledged() {
    let (seed, rounds) = (seed(), rounds());
    println!(
        "seed {seed}; again: ENCOURS_TEST_SEED={seed} cargo test -p encours-tests --test kill9"
    );
    let mut rng = Rng::new(seed);
    let mut sum = Sum::default();
    while sum.kills < rounds {
        // WHY new folders: every check reads the whole log.
        life(&mut rng, ROUNDS.min(rounds - sum.kills), &mut sum).await;
        println!("{sum:?}");
    }
    assert!(sum.acknowledged as u64 >= sum.kills, "the clients were heard: {sum:?}");
}
