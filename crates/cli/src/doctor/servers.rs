//! What every server has to be: reached, new enough, with JetStream that syncs each message, room for
//! the streams and a clock that goes with this machine's.

use std::collections::{BTreeMap, BTreeSet};

use encours_log::{FRAME_MAX, LogError, OLDEST_SERVER, ServerFacts, is_too_old};

use super::check::{Check, Verdict, size};
use super::monitor::Page;
use crate::failure::{Exit, Failure};

/// Bytes of headers that go with a frame, amply.
const HEADERS: u64 = 4_096;
/// How far clocks may be apart until that deserves a look: the lease of the leader lasts three
/// seconds, and recorded times are those of the leader.
const SKEW_WARN_US: i64 = 500_000;

/// How to have what only the servers' own pages tell.
const ASK_PAGES: &str = "give --monitor http://HOST:8222 of every server, or credentials that may ask \
                         $SYS.REQ.SERVER.PING.VARZ";

/// The pages of the servers by their names, and what was wrong with others.
#[derive(Debug, Default)]
pub(super) struct Pages {
    pub(super) by_name: BTreeMap<String, Page>,
    /// Where a page was asked for, and why there is none.
    pub(super) failed: Vec<(String, String)>,
}

/// Judges what a server said when it was connected to.
pub(super) fn connected(at: &str, facts: Result<&ServerFacts, &LogError>) -> Vec<Check> {
    let facts = match facts {
        Ok(facts) => facts,
        Err(error) => {
            return vec![Check::failure("reached", at, &Failure::from(error.clone()))];
        }
    };
    let ServerFacts { name, version, jetstream, max_payload, .. } = facts;
    let mut checks = vec![Check::ok("reached", at, format!("it is {name}"))];
    checks.push(self::version(name, version));
    checks.push(if *jetstream {
        Check::ok("jetstream", name, "on")
    } else {
        let next = "put a jetstream { … } block into its configuration and restart it";
        Check::new(Verdict::Failed(Exit::Failure), "jetstream", name, "off", next)
    });
    let needed = FRAME_MAX as u64 + HEADERS;
    checks.push(if *max_payload >= needed {
        Check::ok("max_payload", name, size(*max_payload))
    } else {
        let finding = format!("{}, a frame needs {needed} bytes", size(*max_payload));
        let next = "set max_payload: 1MB in its configuration and reload it";
        Check::new(Verdict::Failed(Exit::Failure), "max_payload", name, finding, next)
    });
    checks
}

fn version(name: &str, version: &str) -> Check {
    if is_too_old(version) {
        let [major, minor, patch] = OLDEST_SERVER;
        let finding = format!("{version}: it loses data in known ways");
        let next = format!("upgrade it to {major}.{minor}.{patch} or later");
        return Check::new(Verdict::Failed(Exit::Failure), "version", name, finding, next);
    }
    Check::ok("version", name, version)
}

/// Judges which servers of the cluster a node would find at its start.
pub(super) fn cluster(found: &[(String, ServerFacts)]) -> Option<Check> {
    let (_, first) = found.first()?;
    let clusters = found.iter().map(|(_, facts)| &facts.cluster);
    if let Some(other) = clusters.clone().find(|cluster| **cluster != first.cluster) {
        let named = |cluster: &Option<String>| cluster.clone().unwrap_or("no cluster".to_owned());
        let finding = format!("servers of {} and of {}", named(&first.cluster), named(other));
        let next = "name servers of one cluster with --nats: each holds streams of its own";
        return Some(Check::new(Verdict::Failed(Exit::Usage), "cluster", "", finding, next));
    }
    let cluster = first.cluster.as_ref()?;
    let reached: BTreeSet<_> = found.iter().map(|(_, facts)| &facts.name).collect();
    let most = found.iter().map(|(_, facts)| facts.others.len()).max().unwrap_or_default();
    let finding = format!("{} of its servers reached", reached.len());
    Some(if most > reached.len() {
        let next = "name all of them with --nats, so that a node starts while any of them is away";
        let finding = format!("{finding}, {most} are told of");
        Check::new(Verdict::Warning, "cluster", cluster, finding, next)
    } else {
        Check::ok("cluster", cluster, finding)
    })
}

/// Judges the servers' pages. `needed` bytes will be taken on each server that keeps a copy of what is
/// still to be made.
pub(super) fn pages(reached: &[ServerFacts], pages: &Pages, needed: u64) -> Vec<Check> {
    let mut checks = Vec::new();
    for (at, why) in &pages.failed {
        let next = "look whether http: or http_port: is set in the server's configuration, and the \
                    port open to this machine";
        let verdict = Verdict::Failed(Exit::Unavailable);
        checks.push(Check::new(verdict, "monitor", at, why.clone(), next));
    }
    for facts in reached.iter().filter(|facts| !pages.by_name.contains_key(&facts.name)) {
        let finding = "what it syncs, what is free and its clock: its page was not seen";
        checks.push(Check::new(Verdict::NotChecked, "sync", &facts.name, finding, ASK_PAGES));
    }
    for (name, page) in &pages.by_name {
        if !reached.iter().any(|facts| facts.name == *name) {
            checks.push(version(name, &page.varz.version));
        }
        checks.extend(self::page(name, page, needed));
    }
    checks
}

fn page(name: &str, page: &Page, needed: u64) -> Vec<Check> {
    let failed = Verdict::Failed(Exit::Failure);
    let Some(config) = page.config() else {
        let next = "put a jetstream { … } block into its configuration and restart it";
        return vec![Check::new(failed, "jetstream", name, "off", next)];
    };
    let sync = if config.sync_always {
        Check::ok("sync", name, "every message is synced before it is acknowledged")
    } else {
        let seconds = config.sync_interval / 1_000_000_000;
        let finding = format!(
            "synced every {seconds} seconds: a power cut loses frames that were acknowledged"
        );
        let next = "set sync_interval: always in its jetstream block and restart it";
        Check::new(failed, "sync", name, finding, next)
    };
    let free = page.free_bytes();
    let store = if free < needed {
        let finding = format!("{} free, the streams will take {}", size(free), size(needed));
        let next = "raise max_file_store in its jetstream block, or lower --nats-max-mib";
        Check::new(failed, "store", name, finding, next)
    } else {
        let max = u64::try_from(config.max_storage).unwrap_or_default();
        Check::ok("store", name, format!("{} of {} are free", size(free), size(max)))
    };
    vec![sync, store, clock(name, page)]
}

fn clock(name: &str, page: &Page) -> Check {
    let Page { ahead_us, within_us, .. } = page;
    let apart_us = ahead_us.saturating_abs();
    let sense = if *ahead_us < 0 { "behind" } else { "ahead of" };
    let finding = format!(
        "{} ms {sense} this machine, within {} ms",
        apart_us / 1_000,
        within_us / 1_000 + 1
    );
    if apart_us.saturating_sub(*within_us) > SKEW_WARN_US {
        let next = "have both machines take their time from the same source (NTP)";
        return Check::new(Verdict::Warning, "clock", name, finding, next);
    }
    Check::ok("clock", name, finding)
}
