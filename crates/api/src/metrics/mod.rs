//! What a running service tells about itself. `docs/operations.md` lists every metric.
//!
//! No label names a ledger, a customer or anything else that callers choose, so that the page stays
//! as short as the contract is.

mod calls;
mod page;
mod serve;
mod storage;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use encours_domain::{Micros, Position};
use encours_engine::{Behind, ClockInfo, EngineHandle, Figures, Outcome};
use encours_projections::{PROJECTION_VERSION, Rebuilds};

pub(crate) use calls::{Calls, CountLayer};
use page::{Kind, Page};
pub(crate) use serve::MAX_SCRAPES;
pub use storage::RecoveryFigures;

use crate::api::Api;
use crate::connections::Connections;
use crate::failure::REQUEST_TOO_LARGE;
use crate::logs::Logs;
use crate::process::{Taken, most_files, most_threads};
use crate::server::Front;

/// How the publisher of public events is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublisherFigures {
    /// Whether it publishes.
    pub up: bool,
    /// The last event that was acknowledged.
    pub position: Position,
    /// How often it had to begin anew since the process started.
    pub failures: u64,
}

/// How the connection is to the servers that keep the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkFigures {
    /// Whether there is a connection.
    pub connected: bool,
    /// Appends whose outcome had to be found out by reading the log.
    pub ambiguous: u64,
    /// Appends that found another writer's frame in their place.
    pub fenced: u64,
    /// Frames that did not follow the one before and were asked for again.
    pub gaps: u64,
}

/// What is to be told: the services of each log, with its name where there are several, and what
/// belongs to none.
#[derive(Clone)]
struct Told {
    logs: Arc<[(Option<Arc<str>>, Api)]>,
    front: Front,
}

impl From<Api> for Told {
    fn from(api: Api) -> Self {
        Self { front: Front::of(&api), logs: Arc::new([(None, api)]) }
    }
}

impl From<Logs> for Told {
    fn from(logs: Logs) -> Self {
        let named = logs.all().iter().map(|log| (Some(Arc::clone(&log.name)), log.api.clone()));
        Self { logs: named.collect(), front: logs.front().clone() }
    }
}

/// The page of all metrics.
fn text(told: &Told, now: Micros) -> String {
    let mut page = Page::default();
    page.metric("encours_build_info", Kind::Gauge, "The version that runs; always 1.");
    page.sample("encours_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    for (name, api) in told.logs.iter() {
        page.about(name.as_deref());
        log(&mut page, api, now);
    }
    page.about(None);
    if let Some(space) = told.front.disk.as_ref().and_then(|disk| disk()) {
        storage::disk(&mut page, space);
    }
    calls_and_connections(&mut page, &told.front.calls, &told.front.connections);
    process(&mut page);
    page.into_text()
}

/// What there is to tell of each log.
fn log(page: &mut Page, api: &Api, now: Micros) {
    let engine = api.writing.borrow().engine().cloned();
    commands(page, &engine.as_ref().map(EngineHandle::metrics).unwrap_or_default());
    log_and_model(page, api);
    if let Some(figures) = &api.recovery {
        storage::recovery(page, figures);
    }
    if let Some(figures) = api.publisher.as_ref().and_then(|figures| figures()) {
        publisher(page, figures, api.reader.tail().next_position.0.saturating_sub(1));
    }
    if let Some(figures) = &api.link {
        link(page, figures());
    }
    let clocks = engine.map(|engine| Arc::clone(&engine.clocks().borrow()));
    days(page, clocks.as_deref().unwrap_or_default(), now);
    leading(page, api, clocks.is_some());
}

fn commands(page: &mut Page, figures: &Figures) {
    let name = "encours_commands_total";
    page.metric(name, Kind::Counter, "Commands by how they ended.");
    for outcome in Outcome::ALL {
        page.sample(name, &[("outcome", outcome.name())], figures.count(outcome));
    }
    let name = "encours_command_duration_seconds";
    let help = "Time from taking a command until its answer was given, by how it ended.";
    page.metric(name, Kind::Histogram, help);
    for (outcome, timing) in Outcome::ALL.iter().zip(&figures.commands) {
        page.histogram(name, &[("outcome", outcome.name())], timing);
    }
    let help = "Commands that wait to be decided.";
    page.single("encours_queue_depth", Kind::Gauge, help, figures.queue_depth);
    let help = "Frames that became durable.";
    page.single("encours_frames_total", Kind::Counter, help, figures.frames);
    let name = "encours_fsync_seconds";
    page.metric(name, Kind::Histogram, "Time from submitting a frame until it was durable.");
    page.histogram(name, &[], &figures.sync);
    let help = "Seconds that a clock which has jumped is ahead while it is not believed; else 0.";
    page.single("encours_clock_jump_seconds", Kind::Gauge, help, figures.clock_ahead_s);
    let help = "1 while the log finds no room and commands are refused.";
    page.single("encours_log_full", Kind::Gauge, help, u8::from(figures.is_full));
}

fn log_and_model(page: &mut Page, api: &Api) {
    // WHY in this order: the log only grows, so that the model is never ahead of it.
    let model = api.model.position().0;
    let health = api.model.health();
    let log = api.reader.tail().next_position.0.saturating_sub(1);
    let help = "Events that became durable since the services were set up.";
    let written = log.saturating_sub(api.first_position.0);
    page.single("encours_events_total", Kind::Counter, help, written);
    let help = "The position of the last durable event.";
    page.single("encours_log_position", Kind::Gauge, help, log);
    let help = "Bytes that the log's frames take on the disk.";
    page.single("encours_log_bytes", Kind::Gauge, help, api.reader.stored_bytes());
    let help = "The position that answers to queries reflect.";
    page.single("encours_read_model_position", Kind::Gauge, help, model);
    let help = "Durable events that the read model does not know yet.";
    page.single("encours_read_model_lag_events", Kind::Gauge, help, log.saturating_sub(model));
    let help = "The version of the read model's rows and tables, as its stored form bears it.";
    page.single("encours_projection_version", Kind::Gauge, help, PROJECTION_VERSION);
    let up = health.stopped.is_none() && health.serving;
    let help = "1 while the read model follows the log.";
    page.single("encours_read_model_up", Kind::Gauge, help, u8::from(up));
    let rebuilt = health.rebuilt.is_some();
    let help =
        "1 where the last start could not use the stored read model, and built it from the log.";
    page.single("encours_read_model_rebuilt", Kind::Gauge, help, u8::from(rebuilt));
    rebuilds(page, api.model.rebuilds());
    let failed = health.checkpoint_failed.is_some();
    let help = "1 where the last checkpoint of the read model could not be written.";
    page.single("encours_checkpoint_failed", Kind::Gauge, help, u8::from(failed));
}

fn rebuilds(page: &mut Page, rebuilds: Rebuilds) {
    let Rebuilds { running, equal, different, failed } = rebuilds;
    let help = "1 while the read model is being rebuilt beside the one that answers.";
    page.single("encours_read_model_rebuilding", Kind::Gauge, help, u8::from(running));
    let name = "encours_read_model_rebuilds_total";
    page.metric(name, Kind::Counter, "Rebuilds of the read model by what came out.");
    for (outcome, count) in [("equal", equal), ("different", different), ("failed", failed)] {
        page.sample(name, &[("outcome", outcome)], count);
    }
}

fn publisher(page: &mut Page, figures: PublisherFigures, log: u64) {
    let PublisherFigures { up, position, failures } = figures;
    let help = "1 while public events are published.";
    page.single("encours_publisher_up", Kind::Gauge, help, u8::from(up));
    let help = "The last event that the public stream has acknowledged.";
    page.single("encours_publisher_position", Kind::Gauge, help, position);
    let help = "Durable events that the public stream has not acknowledged yet.";
    let lag = log.saturating_sub(position.0);
    page.single("encours_publisher_lag_events", Kind::Gauge, help, lag);
    let help = "How often the publisher had to begin anew.";
    page.single("encours_publisher_failures_total", Kind::Counter, help, failures);
}

fn link(page: &mut Page, figures: LinkFigures) {
    let LinkFigures { connected, ambiguous, fenced, gaps } = figures;
    let help = "1 while there is a connection to the servers that keep the log.";
    page.single("encours_nats_connected", Kind::Gauge, help, u8::from(connected));
    let help = "Appends whose outcome had to be found out by reading the log.";
    page.single("encours_append_ambiguous_total", Kind::Counter, help, ambiguous);
    let help = "Appends that found another writer's frame in their place.";
    page.single("encours_fenced_total", Kind::Counter, help, fenced);
    let help = "Frames that did not follow the one before and were asked for again.";
    page.single("encours_gap_detected_total", Kind::Counter, help, gaps);
}

fn days(page: &mut Page, clocks: &[ClockInfo], now: Micros) {
    let mut behind = [Behind::default(); 2];
    let mut count = [0_u64; 2];
    for clock in clocks {
        let this = clock.behind(now);
        let kind = usize::from(clock.test);
        count[kind] += 1;
        behind[kind].days = behind[kind].days.max(this.days);
        behind[kind].seconds = behind[kind].seconds.max(this.seconds);
    }
    let kinds = ["system", "test"];
    let name = "encours_clocks";
    page.metric(name, Kind::Gauge, "Clocks by what moves them.");
    for (kind, count) in kinds.iter().zip(count) {
        page.sample(name, &[("kind", kind)], count);
    }
    let name = "encours_scheduler_lag_days";
    let help = "Days that have begun and are not finished, of the clock that is furthest behind.";
    page.metric(name, Kind::Gauge, help);
    for (kind, behind) in kinds.iter().zip(behind) {
        page.sample(name, &[("kind", kind)], behind.days);
    }
    let help = "Seconds since the earliest unfinished day of a system clock began.";
    page.single("encours_scheduler_lag_seconds", Kind::Gauge, help, behind[0].seconds);
}

fn leading(page: &mut Page, api: &Api, is_leader: bool) {
    let help = "1 while this node writes the log.";
    page.single("encours_leader", Kind::Gauge, help, u8::from(is_leader));
    let name = "encours_forwarded_total";
    let help = "Batches, streams and single writes handed on to the node that writes the log.";
    page.metric(name, Kind::Counter, help);
    for (outcome, count) in api.roads.counts() {
        page.sample(name, &[("outcome", outcome)], count);
    }
    let help = "Watches of events that were ended because they were not read.";
    let dropped = api.tail_dropped.load(Ordering::Relaxed);
    page.single("encours_tail_dropped_total", Kind::Counter, help, dropped);
}

fn process(page: &mut Page) {
    let Taken { files, threads, bytes } = Taken::now();
    for (name, help, figure) in [
        ("encours_open_files", "Files and sockets that the process has open.", files),
        ("encours_open_files_limit", "The most that it may have open.", most_files()),
        ("encours_threads", "Threads of the process.", threads),
        ("encours_threads_limit", "The most that its user may have.", most_threads()),
        ("encours_resident_bytes", "Memory of the process.", bytes),
    ] {
        if let Some(figure) = figure {
            page.single(name, Kind::Gauge, help, figure);
        }
    }
}

fn calls_and_connections(page: &mut Page, calls: &Calls, connections: &Connections) {
    let name = "encours_grpc_requests_total";
    let help = "Calls that have ended, by method and code; CANCELLED where the caller had left.";
    page.metric(name, Kind::Counter, help);
    for (method, code, count) in calls.ended() {
        page.sample(name, &[("method", method), ("code", code)], count);
    }
    let name = "encours_errors_total";
    page.metric(name, Kind::Counter, "Calls that ended with an error, by reason.");
    for (reason, count) in calls.reasons() {
        page.sample(name, &[("reason", reason)], count);
    }
    let help = "Calls that ended because a request message was too long.";
    let too_large = calls.for_reason(REQUEST_TOO_LARGE);
    page.single("encours_request_too_large_total", Kind::Counter, help, too_large);
    let name = "encours_connections";
    page.metric(name, Kind::Gauge, "Open connections by what they speak; new: nothing yet.");
    for (state, count) in connections.open() {
        page.sample(name, &[("state", state)], count);
    }
    let name = "encours_connections_limit";
    page.metric(name, Kind::Gauge, "The most open connections, all and those of HTTP/1.");
    let [all, http1] = connections.most();
    page.sample(name, &[("state", "all")], all);
    page.sample(name, &[("state", "http1")], http1);
    let name = "encours_connections_closed_total";
    page.metric(name, Kind::Counter, "Connections closed by a limit, by which.");
    for (limit, count) in connections.closed() {
        page.sample(name, &[("limit", limit)], count);
    }
    let name = "encours_h2_goaway_total";
    page.metric(name, Kind::Counter, "Times that a caller of HTTP/2 was told to go, by why.");
    for (reason, count) in connections.goaways() {
        page.sample(name, &[("reason", reason)], count);
    }
}
