//! `encours doctor`: whether NATS servers are set up to keep a log. It changes nothing.

mod buckets;
mod check;
mod monitor;
mod servers;
mod streams;

use std::path::PathBuf;

use clap::Args;
use encours_log::{
    AccountFacts, Bucket, Clock as _, Disk as _, Link, LogError, Mark, OsDisk, Placement,
    ServerFacts, StreamFacts, StreamOptions, Survey, SystemClock,
};
use hyper::Uri;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use crate::failure::{Failure, Outcome};
use crate::nats_args::NatsArgs;
use crate::node::log_dir;
use crate::output::OutputArgs;
use check::{Check, report};
use servers::Pages;

pub(crate) const EXAMPLES: &str = "\
Examples:
  encours doctor --nats nats://127.0.0.1:4222 --monitor http://127.0.0.1:8222
  encours doctor --nats nats://a:4222,nats://b:4222,nats://c:4222 --replicas 3 \\
    --nats-credentials service.creds --log-id main --data ./encours-data

Nothing is made and nothing is changed. Whether the servers sync every message is told only by their
own pages: over HTTP with --monitor, or over NATS where the credentials may ask for them. What was not
checked is said so, and is no failure.";

/// What `encours doctor` takes.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    nats: NatsArgs,

    /// The monitoring port of a server; may be given several times
    #[arg(long, env = "ENCOURS_MONITOR", value_name = "URL", value_delimiter = ',',
          value_parser = monitor::address)]
    monitor: Vec<Uri>,

    /// Also holds the local copy in this data folder against the stream; takes no lock
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    #[command(flatten)]
    output: OutputArgs,
}

/// Looks at everything, prints the list; fails where a check has.
pub(crate) async fn run(args: &DoctorArgs) -> Outcome {
    let options = args.nats.options()?.ok_or_else(|| {
        Failure::usage("--nats is missing").hint("name the servers: --nats nats://127.0.0.1:4222")
    })?;
    if let Some(data) = &args.data
        && !OsDisk.exists(&log_dir(data))?
    {
        // WHY no check: it says nothing of the servers.
        return Err(Failure::usage(format!("--data {} holds no log", data.display()))
            .hint("give the data folder of a node; of one with several logs DIR/logs/NAME"));
    }
    let mut checks = Vec::new();
    let mut found: Vec<(String, ServerFacts)> = Vec::new();
    for server in &options.servers {
        let at = format!("{}:{}", server.host(), server.port());
        let one = std::slice::from_ref(server);
        let facts = Survey::connect(one, &options.access).await;
        let facts = facts.map(|survey| survey.server());
        checks.extend(servers::connected(&at, facts.as_ref()));
        found.extend(facts.ok().map(|facts| (at, facts)));
    }
    checks.extend(servers::cluster(&found));
    let reached: Vec<_> = found.into_iter().map(|(_, facts)| facts).collect();
    // Where no server was reached, what was said of each is enough.
    let mut seen = None;
    if !reached.is_empty() {
        match Seen::ask(&options).await {
            Ok(found) => seen = Some(found),
            Err(error) => checks.push(Check::failure("reached", "", &Failure::from(error))),
        }
    }
    let pages = self::pages(seen.as_ref().map(|seen| &seen.survey), &args.monitor).await;
    let needed = seen.as_ref().map_or(0, |seen| seen.to_make(&options));
    checks.extend(servers::pages(&reached, &pages, needed));
    if let Some(seen) = &seen {
        checks.extend(seen.judge(&options, args.data.as_ref()).await);
    }
    report(args.output, &checks)
}

/// What there is to see over NATS.
struct Seen {
    survey: Survey,
    account: Result<AccountFacts, LogError>,
    log: Placed,
    keys: Placed,
    buckets: Vec<(Bucket, Placed)>,
    judged: Result<Judged, LogError>,
}

/// Where a stream lies, where it is there.
type Placed = Result<Option<Placement>, LogError>;

/// What a node would find at its start.
struct Judged {
    /// `None` where the stream of the frames is not there.
    streams: Option<Result<StreamFacts, LogError>>,
    /// Whether each bucket is there.
    buckets: Vec<(Bucket, Result<bool, LogError>)>,
    mark: Result<Option<Mark>, LogError>,
}

impl Seen {
    async fn ask(options: &StreamOptions) -> Result<Self, LogError> {
        let survey = Survey::connect(&options.servers, &options.access).await?;
        let log = survey.placement(&options.log.log_stream()).await;
        let mut buckets = Vec::new();
        for bucket in Bucket::ALL {
            buckets.push((bucket, survey.placement(&bucket.stream()).await));
        }
        let is_there = matches!(log, Ok(Some(_)));
        Ok(Self {
            account: survey.account().await,
            log,
            keys: survey.placement(&options.log.keys_stream()).await,
            buckets,
            judged: Judged::ask(options.clone(), is_there).await,
            survey,
        })
    }

    /// Bytes that the streams will take on each server once they are made.
    fn to_make(&self, options: &StreamOptions) -> u64 {
        let missing = |placed: &Placed, bytes| match placed {
            Ok(None) => bytes,
            _ => 0,
        };
        missing(&self.log, options.max_bytes) + missing(&self.keys, options.max_bytes / 8)
    }

    /// The checks of the account, of each stream and of the local copy.
    async fn judge(&self, options: &StreamOptions, data: Option<&PathBuf>) -> Vec<Check> {
        let needed = self.to_make(options).saturating_mul(u64::from(options.replicas.get()));
        let mut checks = vec![streams::account(&self.account, needed)];
        let (log, keys) = (options.log.log_stream(), options.log.keys_stream());
        let wanted = usize::from(options.replicas.get());
        for (stream, placed) in [(&log, &self.log), (&keys, &self.keys)] {
            checks.extend(streams::placement(stream, placed, wanted));
        }
        for (bucket, placed) in &self.buckets {
            checks.extend(buckets::placement(*bucket, placed, wanted));
        }
        let judged = match &self.judged {
            Ok(judged) => judged,
            Err(error) => {
                checks.push(Check::failure("settings", &log, &Failure::from(error.clone())));
                return checks;
            }
        };
        checks.extend(judged.streams.as_ref().map(|facts| streams::settings(&log, facts)));
        checks.extend(
            judged.buckets.iter().filter_map(|(bucket, there)| buckets::settings(*bucket, there)),
        );
        let facts = judged.streams.as_ref().and_then(|facts| facts.as_ref().ok());
        checks.push(buckets::mark(&self.survey, options, facts, &judged.mark).await);
        if let Some(data) = data {
            checks.push(streams::local_copy(&self.survey, options, facts, data).await);
        }
        checks
    }
}

impl Judged {
    async fn ask(options: StreamOptions, is_there: bool) -> Result<Self, LogError> {
        let runtime = Handle::current();
        let asked = spawn_blocking(move || {
            let link = Link::connect(runtime, options)?;
            Ok(Self {
                streams: is_there.then(|| link.stream(None)),
                buckets: Bucket::ALL.map(|bucket| (bucket, link.has_bucket(bucket))).into(),
                mark: link.mark(),
            })
        });
        asked.await.map_err(|error| LogError::Unavailable {
            doing: "checking the streams".to_owned(),
            why: error.to_string(),
        })?
    }
}

/// The pages of all servers: of those named by `--monitor`, and what NATS hands out.
async fn pages(survey: Option<&Survey>, monitors: &[Uri]) -> Pages {
    let clock = SystemClock::new();
    let mut pages = Pages::default();
    if let Some(survey) = survey {
        let asked = clock.now();
        for page in survey.pages().await.unwrap_or_default() {
            // WHY passed over: a server without a page is told as not checked.
            if let Ok(page) = monitor::from_nats(&page.body, asked, page.after) {
                pages.by_name.insert(page.varz.server_name.clone(), page);
            }
        }
    }
    for at in monitors {
        match monitor::get(at, &clock).await {
            Ok(page) => {
                pages.by_name.insert(page.varz.server_name.clone(), page);
            }
            Err(why) => pages.failed.push((at.to_string(), why)),
        }
    }
    pages
}
