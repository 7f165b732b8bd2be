//! `encours serve`: a node behind gRPC, until it is told to stop.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use encours_api::WebOrigin;
use encours_log::{Clock, Disk, OsDisk, StreamOptions, SystemClock};
use encours_publisher::{CheckpointOptions, Publisher};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use crate::checkpoints::Signing;
use crate::clock_args::ClockArgs;
use crate::cluster::{Member, MemberOptions, Members, MembersOptions};
use crate::disk_space::DiskSpace;
use crate::failure::{Exit, Failure, Outcome};
use crate::nats_args::{DEFAULT_LOG, NatsArgs, check_reachable};
use crate::node::{Node, NodeOptions};
use crate::port::{Port, address};
use crate::publish::{self, PublishArgs};
use crate::running::{Running, Services};
use crate::threads;

/// The folder in the data folder with those of several logs.
const LOGS_FOLDER: &str = "logs";

/// What `encours serve` takes.
#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    /// The data folder; made where it does not exist
    #[arg(long, env = "ENCOURS_DATA", default_value = "./encours-data", value_name = "DIR")]
    data: PathBuf,

    /// Where to listen; port 0 takes a free one
    #[arg(long, env = "ENCOURS_LISTEN", default_value = "127.0.0.1:50051", value_name = "ADDRESS")]
    listen: String,

    /// Where to serve metrics for Prometheus under /metrics, such as 127.0.0.1:9464; none are served
    /// without it
    #[arg(long, env = "ENCOURS_METRICS", value_name = "ADDRESS")]
    metrics: Option<String>,

    /// Lets browsers call by gRPC-Web for pages of this origin, such as https://app.example.com; may
    /// be given several times
    #[arg(long, env = "ENCOURS_WEB_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    web_origin: Vec<WebOrigin>,

    /// Listens beyond this machine without encryption: whoever reaches the port reads and writes
    #[arg(long)]
    insecure: bool,

    /// MiB of a new segment of the log
    #[arg(long, default_value_t = 64, value_name = "N",
          value_parser = clap::value_parser!(u64).range(1..=4096))]
    segment_mib: u64,

    /// Seconds after which a watch of events that nobody reads is ended
    #[arg(long, default_value_t = 60, value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    watch_stall: u64,

    #[command(flatten)]
    clock: ClockArgs,

    /// What happens to commands once the read model has stopped at an event that it cannot fold
    #[arg(long, value_enum, default_value_t = Then::Continue, value_name = "WHAT")]
    when_read_model_stops: Then,

    /// Begins no new log: the data folder must hold one, so that a disk that is not mounted is not
    /// taken for a first start
    #[arg(long, conflicts_with = "nats")]
    existing: bool,

    #[command(flatten)]
    nats: NatsArgs,

    /// Where the other nodes on the same servers reach this one; what it listens on without it
    #[arg(long, env = "ENCOURS_ADVERTISE", value_name = "ADDRESS", requires = "nats")]
    advertise: Option<String>,

    #[command(flatten)]
    publish: PublishArgs,

    /// Seconds between two signed checkpoints of a log that grows
    #[arg(long, env = "ENCOURS_CHECKPOINT_EVERY", default_value_t = 60, value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    checkpoint_every: u64,
}

/// What becomes of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Then {
    /// They go on, though queries do not show what they do
    Continue,
    /// They are refused until the server is started again
    Stop,
}

/// Serves until SIGTERM or SIGINT; a second signal ends the process at once.
pub(crate) async fn run(args: &ServeArgs) -> Outcome {
    let (listen, metrics) = addresses(args).await?;
    // Taken before anything is made or read, and listened on once there is something to answer.
    let listen = Port::take("--listen", listen)?;
    let metrics = metrics.map(|metrics| Port::take("--metrics", metrics)).transpose()?;
    let signals = Signals::listen()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let open = || args.open(&listen, Arc::clone(&clock)).inspect_err(not_started);
    let (running, mut signals) = opened(signals, open).await?;
    // The read model may have all of the log to fold.
    tokio::select! {
        ready = running.ready() => ready?,
        name = signals.next() => {
            info!(signal = name, "stopping before it is ready");
            running.stop().await?;
            info!("stopped");
            return Ok(());
        }
    }
    let (listener, metrics) = match listeners(listen, metrics) {
        Ok(listeners) => listeners,
        Err(failure) => {
            running.stop().await?;
            return Err(failure);
        }
    };
    let stall = Duration::from_secs(args.watch_stall);
    let disk = DiskSpace::new(Arc::new(OsDisk), args.data.clone());
    disk.watch();
    let mut services = running
        .services()
        .with_disk(disk)
        .with_web_origins(args.web_origin.clone())
        .with_watch_stall(stall)
        .with_writes_stopping(args.when_read_model_stops == Then::Stop);
    let mut publisher = None;
    if let Running::Alone(node) = &running
        && let Some(options) = args.publish.options(&args.data, Arc::new(OsDisk), None)
    {
        let started = publish::spawn(&node.api(), options)?;
        let status = started.status();
        services = services.with_publisher(move || Some(publish::figures(&status.borrow())));
        publisher = Some(started);
    }
    let metrics =
        metrics.map(|listener| Metrics::serve(listener, services.clone(), clock)).transpose()?;
    until_told(running, services, listener, Beside { metrics, publisher }, signals).await
}

impl ServeArgs {
    /// Threads that serving takes beside those of the runtime.
    pub(crate) fn threads(&self) -> usize {
        threads::of_logs(self.nats.logs())
    }

    /// Opens the data folder: a node on a log of its own, or one of several on the servers' logs.
    fn open(&self, listen: &Port, clock: Arc<dyn Clock>) -> Outcome<Running> {
        self.publish.check()?;
        let disk: Arc<dyn Disk> = Arc::new(OsDisk);
        let (data, segment_len) = (self.data.clone(), self.segment_mib << 20);
        let limits = self.clock.limits();
        let mut streams = self.nats.each()?;
        let signing = self.signing(&streams);
        if streams.is_empty() {
            let existing = self.existing;
            let options = NodeOptions { data, segment_len, existing, disk, clock, limits, signing };
            return Ok(Running::Alone(Box::new(Node::open(options)?)));
        }
        let address = match &self.advertise {
            Some(address) => address.clone(),
            None => listen.address()?.to_string(),
        };
        for stream in &streams {
            check_reachable(&address, &stream.servers)?;
        }
        let publish = |stream: &StreamOptions, data: &Path| {
            let own_name = Some(stream.log.as_str()).filter(|name| *name != DEFAULT_LOG);
            self.publish.options(data, Arc::clone(&disk), own_name)
        };
        if let [_] = *streams
            && let Some(stream) = streams.pop()
        {
            let (publish, whole) = (publish(&stream, &data), None);
            let options = MemberOptions {
                data,
                segment_len,
                disk,
                clock,
                limits,
                signing,
                stream,
                address,
                publish,
                whole,
            };
            return Ok(Running::Member(Box::new(Member::open(options)?)));
        }
        self.publish.for_several()?;
        let with_folder = |stream: StreamOptions| {
            let folder = data.join(LOGS_FOLDER).join(stream.log.as_str());
            let publish = publish(&stream, &folder);
            (stream, folder, publish)
        };
        let logs = streams.into_iter().map(with_folder).collect();
        let options =
            MembersOptions { data, segment_len, disk, clock, limits, signing, address, logs };
        Ok(Running::Members(Box::new(Members::open(options)?)))
    }

    /// Checkpoints are published where public events are, else where the log is kept.
    fn signing(&self, streams: &[StreamOptions]) -> Signing {
        let beside = |stream: &StreamOptions| CheckpointOptions {
            servers: stream.servers.clone(),
            access: stream.access.clone(),
            replicas: stream.replicas,
        };
        let publish = self.publish.checkpoints().or_else(|| streams.first().map(beside));
        Signing { every: Duration::from_secs(self.checkpoint_every), publish }
    }
}

/// Opens a node, which may read the whole log. A signal meanwhile ends the process at once: it has
/// promised nothing yet, and what it leaves is what any crash may leave.
async fn opened(
    mut signals: Signals,
    open: impl FnOnce() -> Outcome<Running>,
) -> Outcome<(Running, Signals)> {
    let (done, over) = oneshot::channel::<()>();
    let watching = tokio::spawn(async move {
        tokio::select! {
            biased;
            _ = over => {}
            name = signals.next() => {
                info!(signal = name, "stopped before the data folder was open");
                std::process::exit(0);
            }
        }
        signals
    });
    let opened = tokio::task::block_in_place(open);
    drop(done);
    let signals = watching.await.map_err(|error| Failure::new(Exit::Failure, error.to_string()))?;
    Ok((opened?, signals))
}

/// Serves a node that is open already, as `encours demo --serve` does.
pub(crate) async fn run_node(node: Node, listener: TcpListener, signals: Signals) -> Outcome {
    let running = Running::Alone(Box::new(node));
    let services = running.services();
    until_told(running, services, listener, Beside::default(), signals).await
}

/// Tells why there is no start where log lines are collected, too.
pub(crate) fn not_started(failure: &Failure) {
    let hint = failure.advice().unwrap_or_default();
    error!(exit_code = failure.exit() as u8, hint, "not started: {}", failure.message());
}

/// What runs beside the calls.
#[derive(Default)]
struct Beside {
    metrics: Option<Metrics>,
    publisher: Option<Publisher>,
}

async fn until_told(
    mut running: Running,
    services: Services,
    listener: TcpListener,
    beside: Beside,
    mut signals: Signals,
) -> Outcome {
    let Beside { metrics, publisher } = beside;
    let (stop, stopped) = oneshot::channel::<()>();
    let address = listener.local_addr()?;
    let mut server = tokio::spawn(services.serve(listener, async move {
        let _ = stopped.await;
    }));
    ready(address, metrics.as_ref().map(|metrics| metrics.address));
    let mut broken = None;
    let mut fatal = None;
    tokio::select! {
        name = signals.next() => info!(signal = name, "stopping"),
        ended = &mut server => {
            let why = ended.map_or_else(|error| error.to_string(), |served| match served {
                Ok(()) => "the server has ended".to_owned(),
                Err(error) => error.to_string(),
            });
            fatal = Some(Failure::new(Exit::Failure, why));
        }
        failure = running.failure() => broken = Some(failure),
    }
    tokio::spawn(async move {
        let name = signals.next().await;
        warn!(signal = name, "stopping at once");
        std::process::exit(Exit::Failure as i32);
    });
    drop(stop);
    // WHY not for a broken node: nothing that its calls wait for comes any more.
    if broken.is_none() && !server.is_finished() {
        let _ = server.await;
    }
    if let Some(metrics) = metrics {
        metrics.task.abort();
    }
    if let Some(publisher) = publisher {
        publisher.stop().await;
    }
    let closed = running.stop().await;
    if let Some(failure) = broken.or(fatal) {
        return Err(failure);
    }
    closed?;
    info!("stopped");
    Ok(())
}

/// The addresses for calls and for metrics.
async fn addresses(args: &ServeArgs) -> Outcome<(SocketAddr, Option<SocketAddr>)> {
    let listen = address("--listen", &args.listen, args.insecure).await?;
    let metrics = match &args.metrics {
        Some(metrics) => Some(address("--metrics", metrics, args.insecure).await?),
        None => None,
    };
    // WHY here: two sockets can take the same port, and only one of them can listen on it.
    if listen.port() != 0 && metrics == Some(listen) {
        return Err(Failure::usage(format!("--listen and --metrics are both {listen}"))
            .hint("give --metrics another port"));
    }
    Ok((listen, metrics))
}

/// The listeners for calls and for metrics.
fn listeners(listen: Port, metrics: Option<Port>) -> Outcome<(TcpListener, Option<TcpListener>)> {
    Ok((listen.listen()?, metrics.map(Port::listen).transpose()?))
}

/// The metrics, for as long as the calls are served and those under way end.
struct Metrics {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Metrics {
    fn serve(listener: TcpListener, services: Services, clock: Arc<dyn Clock>) -> Outcome<Self> {
        let address = listener.local_addr()?;
        let task = tokio::spawn(services.serve_metrics(listener, clock));
        Ok(Self { address, task })
    }
}

/// The lines on standard output: programs wait for the first and read the address. The second is
/// there where metrics are served.
fn ready(address: SocketAddr, metrics: Option<SocketAddr>) {
    info!(%address, "ready");
    let mut lines = format!("listening on http://{address}\n");
    if let Some(metrics) = metrics {
        info!(address = %metrics, "metrics");
        lines.push_str(&format!("metrics on http://{metrics}/metrics\n"));
    }
    let mut out = std::io::stdout().lock();
    // WHY ignored: nobody needs to read it for the server to serve.
    let _ = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
}

/// The signals that ask for an end.
pub(crate) struct Signals {
    term: Signal,
    int: Signal,
    /// A write past the limit of a file's length: it fails instead of ending the process.
    _too_large: Signal,
}

/// SIGXFSZ, which has no name in tokio.
const FILE_TOO_LARGE: i32 = 25;

impl Signals {
    pub(crate) fn listen() -> Outcome<Self> {
        let term = signal(SignalKind::terminate())?;
        let int = signal(SignalKind::interrupt())?;
        let too_large = signal(SignalKind::from_raw(FILE_TOO_LARGE))?;
        Ok(Self { term, int, _too_large: too_large })
    }

    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
        }
    }
}
