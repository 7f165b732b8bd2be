//! The publisher: one session with a server after the other, for ever.

use std::num::NonZeroU8;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_nats::ServerAddr;
use encours_log::{Access, Disk, Position};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::message::Format;
use crate::problem::Problem;
use crate::session;
use crate::source::Source;

/// The stream that is published to where no other is named.
pub const DEFAULT_STREAM: &str = "ENCOURS_EVENTS";
/// The stream of the log of this name where no other is named; of the only one, or the default one,
/// without a name.
#[must_use]
pub fn stream_of(log: Option<&str>) -> String {
    log.map_or_else(|| DEFAULT_STREAM.to_owned(), |log| format!("{DEFAULT_STREAM}_{log}"))
}

/// The pause after the first failure; it doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// So long a session has to last, where it had nothing to publish, to have worked.
const LASTS: Duration = Duration::from_secs(60);
/// The longest pause between two tries.
pub const MAX_PAUSE: Duration = Duration::from_secs(15);

/// What a publisher is started with.
#[derive(Clone)]
pub struct PublisherOptions {
    /// The servers, at least one.
    pub servers: Vec<ServerAddr>,
    /// What the servers are shown, and have to show.
    pub access: Access,
    /// The stream; [`stream_of`] names one.
    pub stream: String,
    /// The name of the log, `a-z 0-9 _ -`, where several publish to one account; `None` for the only
    /// or the default one. The stream of a named log listens on subjects of its own, and stores what
    /// comes under the same subjects as every other.
    pub log: Option<String>,
    /// What the bodies are.
    pub format: Format,
    /// Replicas of a stream that is made.
    pub replicas: NonZeroU8,
    /// Bytes past which a stream that is made drops its oldest messages; `None` for no limit.
    pub max_bytes: Option<u64>,
    /// The first event to publish where neither the stream nor the cursor tells; else the first of
    /// all.
    pub from: Option<Position>,
    /// The folder of the cursor; made where it does not exist.
    pub folder: PathBuf,
    /// The disk.
    pub disk: Arc<dyn Disk>,
}

/// How a publisher is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The last event that the stream has acknowledged, as far as is known by now.
    pub published: Position,
    /// Whether it has a stream that it publishes to.
    pub up: bool,
    /// How often a session has ended with a problem.
    pub failures: u64,
    /// Why it is not up; `None` before the first try.
    pub problem: Option<Problem>,
}

/// A running publisher. To drop it ends it where it stands.
#[derive(Debug)]
pub struct Publisher {
    stop: watch::Sender<bool>,
    status: watch::Receiver<Status>,
    task: JoinHandle<()>,
}

impl Publisher {
    /// Starts to publish; returns at once, whether or not a server answers. Must be called within a
    /// tokio runtime.
    ///
    /// # Errors
    /// Where the contract that was compiled in cannot be read.
    pub fn spawn<S: Source>(source: S, options: PublisherOptions) -> Result<Self, Problem> {
        let (stop, stopped) = watch::channel(false);
        let (told, status) = watch::channel(Status::default());
        let work = session::Work::new(source, options, told, stopped)?;
        Ok(Self { stop, status, task: tokio::spawn(run(work)) })
    }

    /// Follows how it is.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Waits for what is on its way, a few seconds at most, writes the cursor and ends.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the publisher has failed");
        }
    }
}

async fn run<S: Source>(mut work: session::Work<S>) {
    let mut pause = FIRST_PAUSE;
    let mut told = None;
    loop {
        let (before, begun) = (work.status.borrow().published, Instant::now());
        let ended = work.session().await;
        work.keep_cursor().await;
        let Err(problem) = ended else { return };
        let (up, published) = {
            let status = work.status.borrow();
            (status.up, status.published)
        };
        // WHY also told: what comes after that is another loss, though of the same kind.
        if up && (published > before || begun.elapsed() >= LASTS) {
            (pause, told) = (FIRST_PAUSE, None);
        }
        if told.as_ref() == Some(&problem) {
            tracing::debug!(%problem, "still not publishing");
        } else if problem.needs_a_person() {
            tracing::error!(%problem, "not publishing");
        } else {
            tracing::warn!(%problem, "not publishing");
        }
        work.status.send_modify(|status| {
            status.up = false;
            status.failures += 1;
            status.problem = Some(problem.clone());
        });
        told = Some(problem);
        if work.stopped_within(pause).await {
            return;
        }
        pause = (pause * 2).min(MAX_PAUSE);
    }
}
