//! What keeps days from being run, and when it was told of: not at each try.

use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use encours_engine::Denied;
use tokio::time::Instant;
use tracing::info;

/// How often a hindrance that lasts is told of.
const TOLD_EVERY: Duration = Duration::from_secs(3_600);

/// The kinds of denial since days were last run, as few as there are kinds.
#[derive(Debug, Default)]
pub(crate) struct Hindrances(Vec<Told>);

#[derive(Debug)]
struct Told {
    kind: Discriminant<Denied>,
    since: Instant,
    last: Instant,
}

impl Hindrances {
    /// Whether a denial is to be told of: the first of its kind, and then one an hour.
    pub(crate) fn is_news(&mut self, denied: &Denied) -> bool {
        let (kind, now) = (discriminant(denied), Instant::now());
        let Some(told) = self.0.iter_mut().find(|told| told.kind == kind) else {
            self.0.push(Told { kind, since: now, last: now });
            return true;
        };
        let is_due = now.duration_since(told.last) >= TOLD_EVERY;
        if is_due {
            told.last = now;
        }
        is_due
    }

    /// Tells that days are run again, where they were not.
    pub(crate) fn over(&mut self) {
        if let Some(since) = self.0.drain(..).map(|told| told.since).min() {
            let seconds = since.elapsed().as_secs();
            info!(seconds, "days are run again");
        }
    }
}
