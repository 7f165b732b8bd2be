//! Who writes the log that these services are about, and waiting for somebody who does.
//!
//! A write is carried out by the node that writes the log, the leader. Another one hands it on, once:
//! a call that was handed on and finds no leader goes back with `NOT_LEADER`, so that two nodes which
//! take each other for the leader do not hand it to and fro. A write is tried again only where it is
//! certain that nothing was done.

use std::time::Duration;

use encours_engine::EngineHandle;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::api::Api;
use crate::call::Caller;
use crate::failure::Failure;

/// How long a write waits for a leader at most.
pub const LEADER_WAIT: Duration = Duration::from_secs(10);
/// How long an answer may still come from a node that leads no more.
const LAST_ANSWER: Duration = Duration::from_millis(500);
/// When to try the same leader again where there is no news.
const PAUSE: Duration = Duration::from_millis(200);

/// Who writes the log, as far as this node knows.
#[derive(Clone)]
pub enum Writing {
    /// This node, through this engine.
    Here(EngineHandle),
    /// Another node, whose services are at this address, such as `http://10.0.0.2:50051`.
    There(String),
    /// Nobody just now.
    Nobody,
}

impl std::fmt::Debug for Writing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Here(_) => f.write_str("Here"),
            Self::There(address) => f.debug_tuple("There").field(address).finish(),
            Self::Nobody => f.write_str("Nobody"),
        }
    }
}

impl Writing {
    /// The engine, where it is this node that writes.
    pub(crate) const fn engine(&self) -> Option<&EngineHandle> {
        match self {
            Self::Here(engine) => Some(engine),
            Self::There(_) | Self::Nobody => None,
        }
    }
}

/// A write's search for the leader.
pub(crate) struct Search {
    writing: watch::Receiver<Writing>,
    stopping: watch::Receiver<bool>,
    until: Instant,
    /// Another node has handed the call on already.
    handed_on: bool,
}

impl Search {
    /// Who is to carry the write out now.
    ///
    /// # Errors
    /// `NOT_LEADER` where another node takes this one wrongly for the leader.
    pub(crate) fn leader(&mut self) -> Result<Writing, Failure> {
        let writing = self.writing.borrow_and_update().clone();
        if self.handed_on && writing.engine().is_none() {
            return Err(Failure::not_leader());
        }
        Ok(writing)
    }

    /// Waits for news of the leader or a moment, after an attempt that changed nothing.
    ///
    /// # Errors
    /// Why the write was not done, where it has to be given up.
    pub(crate) async fn wait(&mut self, undone: Failure) -> Result<(), Failure> {
        if self.handed_on {
            return Err(undone);
        }
        // An attempt for which little time is left would end without an answer.
        let again = Instant::now() + PAUSE;
        let pause = if again + PAUSE <= self.until { again } else { self.until };
        tokio::select! {
            biased;
            _ = self.stopping.wait_for(|stopping| *stopping) => Err(Failure::stopping()),
            news = self.writing.changed() => news.map_err(|_| undone),
            () = sleep_until(pause) => if pause == again { Ok(()) } else { Err(undone) },
        }
    }

    /// Ends once another node than the one at `address` leads, with a moment for an answer that is
    /// under way: nothing good comes from there any more.
    pub(crate) fn moved(&self, address: &str) -> impl Future<Output = ()> + Send + use<> {
        let (mut writing, address) = (self.writing.clone(), address.to_owned());
        async move {
            let elsewhere = |writing: &Writing| match writing {
                Writing::Here(_) => true,
                Writing::There(other) => *other != address,
                Writing::Nobody => false,
            };
            if writing.wait_for(elsewhere).await.is_err() {
                std::future::pending::<()>().await;
            }
            sleep(LAST_ANSWER).await;
        }
    }

    /// Ends once the leader changes from the one that was told last.
    pub(crate) async fn change(mut self) {
        if self.writing.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Api {
    /// Looks for the leader, for as long as the call has time.
    pub(crate) fn search(&self, caller: &Caller) -> Search {
        let most = Instant::now() + LEADER_WAIT;
        Search {
            writing: self.writing.clone(),
            stopping: self.stopping.subscribe(),
            until: caller.until.map_or(most, |until| until.min(most)),
            handed_on: caller.handed_on,
        }
    }

    /// Why an engine that stops does nothing: the node leaves, or it writes the log no more.
    pub(crate) fn stepped_down(&self) -> Failure {
        if *self.stopping.borrow() || self.writing.has_changed().is_err() {
            Failure::stopping()
        } else {
            Failure::no_leader()
        }
    }
}
