//! Clients that write through any of several nodes, and know what they were told: see [`Load`] and
//! [`check`].

mod check;
mod command;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use encours_sim::Rng;
use tokio::task::JoinSet;

use crate::client::{Client, Told};
use crate::company::Company;

pub use self::check::{check, repeat_unknown, verify};
pub use self::command::{Sent, send};

/// The ledger that a load writes to.
pub const LOAD_LEDGER: &str = "acme";
/// Customers that are there from the start, `c0` and so on.
const CUSTOMERS: u64 = 4;
/// How long a client waits for one answer: a node that is held still answers nobody. Longer than a
/// node waits for somebody to lead.
const PATIENCE: Duration = Duration::from_secs(12);
/// How long a client waits after a failure.
const PAUSE: Duration = Duration::from_millis(20);

/// What a load is like.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Clients that send one command at a time.
    pub singles: u64,
    /// Clients that send many on each call.
    pub batches: u64,
    /// How many those are.
    pub batch: u64,
    /// What the ids begin with: each load on a ledger has its own.
    pub stem: String,
    /// Commands come from this seed.
    pub seed: u64,
}

impl LoadOptions {
    /// Three clients with single commands and one with batches of 25.
    #[must_use]
    pub fn new(stem: &str, seed: u64) -> Self {
        Self { singles: 3, batches: 1, batch: 25, stem: stem.to_owned(), seed }
    }
}

/// Clients at work.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    begun: Instant,
    clients: JoinSet<Heard>,
}

/// What clients were told.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Commands that were done, each with its position.
    pub acknowledged: Vec<(Sent, u64)>,
    /// Commands whose outcome nobody told: each was done once or not at all.
    pub unknown: Vec<Sent>,
    /// When each answer came, from the start of the load.
    answered: Vec<Duration>,
    /// How often each failure was told: code and reason, or message where it has none.
    pub failures: BTreeMap<String, u64>,
}

impl Load {
    /// Creates the ledger and its customers; again, it is a repeat.
    ///
    /// # Panics
    /// Where that is refused.
    pub async fn prepare(url: &str) -> Company {
        let company = Company::create(Client::connect(url).await, LOAD_LEDGER, "2024-01-01").await;
        for customer in 0..CUSTOMERS {
            company.customer(&format!("c{customer}"), "Regular").await;
        }
        company
    }

    /// Starts clients that write through these nodes, each through another one first; where one does
    /// not answer, they go on with the next.
    ///
    /// # Panics
    /// Where there is no node.
    #[must_use]
    pub fn start(urls: &[String], options: &LoadOptions) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let begun = Instant::now();
        let mut rng = Rng::new(options.seed);
        let mut clients = JoinSet::new();
        let sizes = (0..options.batches).map(|_| options.batch);
        let sizes = sizes.chain((0..options.singles).map(|_| 1));
        for (client, batch) in sizes.enumerate() {
            let mut nodes: Vec<_> = urls.iter().map(|url| Client::lazy(url, PATIENCE)).collect();
            nodes.rotate_left(client % urls.len());
            let writer = Writer {
                nodes,
                stem: format!("{}-{client}", options.stem),
                rng: rng.split(),
                batch,
                begun,
                heard: Heard::default(),
            };
            clients.spawn(writer.run(Arc::clone(&stop)));
        }
        Self { stop, begun, clients }
    }

    /// How long it has been at work.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Has every client end after the answer that it waits for; what they were told.
    ///
    /// # Panics
    /// Where one was told what no server of ours should tell.
    pub async fn stop(self) -> Heard {
        self.stop.store(true, Ordering::SeqCst);
        let mut heard = Heard::default();
        for one in self.clients.join_all().await {
            heard.add(one);
        }
        heard
    }
}

impl Heard {
    /// Adds what others were told.
    pub fn add(&mut self, other: Self) {
        self.acknowledged.extend(other.acknowledged);
        self.unknown.extend(other.unknown);
        self.answered.extend(other.answered);
        self.answered.sort();
        for (failure, times) in other.failures {
            *self.failures.entry(failure).or_default() += times;
        }
    }

    /// The longest time in which no command of any client was acknowledged.
    #[must_use]
    pub fn longest_silence(&self) -> Duration {
        let pairs = self.answered.windows(2);
        pairs.map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    /// When the first command was acknowledged after so long; `None` where none was.
    #[must_use]
    pub fn first_after(&self, moment: Duration) -> Option<Duration> {
        self.answered.iter().copied().find(|answered| *answered > moment)
    }
}

/// One client.
struct Writer {
    nodes: Vec<Client>,
    stem: String,
    rng: Rng,
    batch: u64,
    begun: Instant,
    heard: Heard,
}

impl Writer {
    async fn run(mut self, stop: Arc<AtomicBool>) -> Heard {
        let mut next = 0;
        while !stop.load(Ordering::SeqCst) {
            let numbers = next..next + self.batch;
            next = numbers.end;
            let sent: Vec<_> =
                numbers.map(|n| Sent::new(&self.stem, n, CUSTOMERS, &mut self.rng)).collect();
            let results = match &sent[..] {
                [one] => vec![send(&self.nodes[0], one).await],
                many => command::send_batch(&self.nodes[0], many).await,
            };
            let failed = results.iter().any(Result::is_err);
            for (sent, result) in sent.into_iter().zip(results) {
                self.note(sent, result);
            }
            if failed {
                self.nodes.rotate_left(1);
                tokio::time::sleep(PAUSE).await;
            }
        }
        self.heard
    }

    fn note(&mut self, sent: Sent, result: Result<(u64, bool), Box<Told>>) {
        match result {
            Ok((position, repeat)) => {
                // A node that hands a command on repeats it by itself where an answer got lost.
                let alone = self.nodes.len() == 1;
                assert!(!(repeat && alone), "{sent:?} was never sent before");
                self.heard.acknowledged.push((sent, position));
                self.heard.answered.push(self.begun.elapsed());
            }
            Err(told) => {
                assert!(told.is_of_faults(), "{} was refused: {told:?}", sent.request_id);
                let why = if told.reason.is_empty() { &told.message } else { &told.reason };
                let failure = format!("{:?} {why}", told.code);
                *self.heard.failures.entry(failure).or_default() += 1;
                self.heard.unknown.push(sent);
            }
        }
    }
}
