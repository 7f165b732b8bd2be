//! Spreading the logs over the nodes: so that no node leads two more than another one.
//!
//! Each node tells that it is there, and counts from the leases who leads how many. Of those that lead
//! most, the first by name gives a log up where some node leads at least two fewer; and who leads
//! more than another one is slow to ask for a lease that is free. One log at a time, and only after things
//! have stood so for a while, so that leases do not go to and fro.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use encours_log::Lease;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;
use tracing::{debug, info};

use super::lease::Held;

/// How often a node tells that it is there, and looks whether it leads too many.
const ROUND: Duration = Duration::from_secs(1);
/// How many rounds a node must have led too many before it gives one up: longer than it takes until
/// a node that has gone is known to be gone.
const ROUNDS: u32 = 4;
/// How much longer a node that leads more than another one waits before it asks for a free lease, for
/// each log that it leads.
const WAIT: Duration = Duration::from_millis(300);
/// For how many logs at most: somebody has to lead soon.
const WAIT_MOST: u32 = 3;

/// A log that a node follows.
pub(super) struct Part {
    pub(super) log: String,
    pub(super) held: watch::Receiver<Held>,
    pub(super) give_up: Arc<Notify>,
}

/// What a node does beside one log. Clones are of the same node; the default is one that has no other
/// logs.
#[derive(Clone, Default)]
pub(super) struct Others(Option<Arc<Whole>>);

struct Whole {
    parts: Mutex<Vec<Part>>,
    begun: watch::Sender<bool>,
    /// Whether another node leads fewer, as far as is known.
    more: AtomicBool,
}

impl Others {
    /// Those of a node with several logs, which asks for no lease before it is told to.
    pub(super) fn of_several() -> Self {
        Self(Some(Arc::new(Whole {
            parts: Mutex::default(),
            begun: watch::Sender::new(false),
            more: AtomicBool::new(true),
        })))
    }

    /// Lets the node ask for the leases of these logs.
    pub(super) fn begin(&self, parts: Vec<Part>) {
        if let Some(whole) = &self.0 {
            *whole.parts.lock().unwrap_or_else(PoisonError::into_inner) = parts;
            whole.begun.send_replace(true);
        }
    }

    /// Waits until the node may ask for leases.
    pub(super) async fn begun(&self) {
        if let Some(whole) = &self.0 {
            // The sender is here.
            let _ = whole.begun.subscribe().wait_for(|begun| *begun).await;
        }
    }

    /// How long to wait before asking for a free lease.
    pub(super) fn manners(&self) -> Duration {
        if !self.0.as_ref().is_some_and(|whole| whole.more.load(Ordering::Relaxed)) {
            return Duration::ZERO;
        }
        let led = self.held().iter().filter(|(_, held)| *held == Held::Mine).count();
        WAIT * u32::try_from(led).unwrap_or(WAIT_MOST).min(WAIT_MOST)
    }

    fn held(&self) -> Vec<(String, Held)> {
        let Some(whole) = &self.0 else { return Vec::new() };
        let parts = whole.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.iter().map(|part| (part.log.clone(), part.held.borrow().clone())).collect()
    }

    fn give_up(&self, log: &str) {
        let Some(whole) = &self.0 else { return };
        let parts = whole.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = parts.iter().find(|part| part.log == log) {
            part.give_up.notify_one();
        }
    }

    /// Tells that this node is there, and gives up what it leads too many, for ever.
    pub(super) async fn spread(self, lease: Lease, node: String) {
        let mut rounds = 0;
        loop {
            let held = self.held();
            let logs: Vec<_> = held.iter().map(|(log, _)| log.as_str()).collect();
            if let Err(error) = lease.appear(&logs).await {
                debug!(%error, "others cannot tell that this node is there");
            }
            let nodes = lease.nodes().await.unwrap_or_default();
            let counts = counts(&node, &held, &nodes);
            let mine = counts.get(node.as_str()).copied().unwrap_or_default();
            if let Some(whole) = &self.0 {
                let more = counts.values().any(|count| *count < mine);
                whole.more.store(more, Ordering::Relaxed);
            }
            match surplus(&node, &held, &nodes) {
                None => rounds = 0,
                Some(_) if rounds + 1 < ROUNDS => rounds += 1,
                Some(log) => {
                    info!(log, leads = mine, "another node leads fewer logs");
                    self.give_up(log);
                    rounds = 0;
                }
            }
            sleep(ROUND).await;
        }
    }
}

/// How many logs each node leads that is there or leads any.
fn counts<'a>(
    node: &'a str,
    held: &'a [(String, Held)],
    nodes: &'a [(String, Vec<String>)],
) -> BTreeMap<&'a str, usize> {
    let mut counts: BTreeMap<_, _> = nodes.iter().map(|(other, _)| (other.as_str(), 0)).collect();
    for (_, held) in held {
        match held {
            Held::Mine => *counts.entry(node).or_default() += 1,
            Held::Of(holder) => *counts.entry(&holder.node).or_default() += 1,
            Held::Leaving | Held::Unknown => {}
        }
    }
    counts
}

/// The log that this node is to give up: one that a node keeps which leads at least two fewer.
fn surplus<'a>(
    node: &str,
    held: &'a [(String, Held)],
    nodes: &[(String, Vec<String>)],
) -> Option<&'a str> {
    if held.iter().any(|(_, held)| matches!(held, Held::Leaving | Held::Unknown)) {
        return None;
    }
    let counts = counts(node, held, nodes);
    let mine = counts.get(node).copied().unwrap_or_default();
    let is_first = |(other, count): (&&str, &usize)| (*count, node) < (mine, *other);
    if !counts.iter().all(|(other, count)| *other == node || is_first((other, count))) {
        return None;
    }
    let keeps = |log: &str| {
        let mut fewer = nodes.iter().filter(|(other, _)| counts[other.as_str()] + 2 <= mine);
        fewer.any(|(_, logs)| logs.iter().any(|kept| kept == log))
    };
    let led = held.iter().rev().filter(|(_, held)| *held == Held::Mine);
    led.map(|(log, _)| log.as_str()).find(|log| keeps(log))
}

#[cfg(test)]
mod tests {
    use encours_log::Holder;

    use super::*;

    /// What `me` gives up, where each node leads the logs beside it and keeps all.
    fn given(leads: &[(&str, &str)]) -> Option<String> {
        let mut held: Vec<_> = leads
            .iter()
            .flat_map(|(node, logs)| logs.split_whitespace().map(move |log| (*node, log)))
            .map(|(node, log)| match node {
                "me" => (log.to_owned(), Held::Mine),
                node => {
                    let holder = Holder { node: node.to_owned(), address: String::new() };
                    (log.to_owned(), Held::Of(holder))
                }
            })
            .collect();
        held.sort_by(|(one, _), (other, _)| one.cmp(other));
        let all: Vec<_> = held.iter().map(|(log, _)| log.clone()).collect();
        let nodes: Vec<_> =
            leads.iter().map(|(node, _)| ((*node).to_owned(), all.clone())).collect();
        surplus("me", &held, &nodes).map(str::to_owned)
    }

    #[test]
    fn who_leads_two_more_than_another_gives_one_up() {
        assert_eq!(given(&[("me", "a b c d"), ("you", "")]).as_deref(), Some("d"));
        assert_eq!(given(&[("me", "a c d"), ("you", "b")]).as_deref(), Some("d"));
        assert_eq!(given(&[("me", "a c"), ("you", "b d")]), None);
        assert_eq!(given(&[("me", "a b c"), ("you", "d e")]), None);
        assert_eq!(given(&[("me", "a b c d")]), None);
    }

    #[test]
    fn of_those_that_lead_most_the_first_by_name_gives() {
        assert_eq!(given(&[("me", "a b"), ("you", "c d"), ("new", "")]).as_deref(), Some("b"));
        assert_eq!(given(&[("me", "a b"), ("anna", "c d"), ("new", "")]), None);
        assert_eq!(given(&[("me", "a b"), ("you", "c d e"), ("new", "")]), None);
    }

    #[test]
    fn nothing_is_given_to_who_does_not_keep_it() {
        let held: Vec<_> = ["a", "b", "c"].map(|log| (log.to_owned(), Held::Mine)).into();
        let nodes = |kept: &str| {
            let logs = |logs: &str| logs.split(',').map(str::to_owned).collect();
            vec![("me".to_owned(), logs("a,b,c")), ("you".to_owned(), logs(kept))]
        };
        assert_eq!(surplus("me", &held, &nodes("a,x")), Some("a"));
        assert_eq!(surplus("me", &held, &nodes("x")), None);
    }

    #[test]
    fn who_cannot_tell_who_leads_gives_nothing_up() {
        let held = [("a", Held::Mine), ("b", Held::Mine), ("c", Held::Unknown)];
        let held = held.map(|(log, held)| (log.to_owned(), held));
        let nodes = ["me", "you"].map(|node| (node.to_owned(), vec!["a".to_owned()]));
        assert_eq!(surplus("me", &held, &nodes), None);
    }
}
