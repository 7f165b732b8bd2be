//! How many connections there may be, and how many there are and were closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::quiet::Quiet;
use super::share::Pools;
use super::traffic::{ENHANCE_YOUR_CALM, NO_ERROR};
use crate::forward::MAX_FORWARDED_STREAMS;
use crate::metrics::MAX_SCRAPES;
use crate::process::most_files;
use crate::server::{MAX_CONNECTIONS, MAX_HTTP1_CONNECTIONS};

/// Files of a server that nobody calls: standard streams, listeners, the runtime, locks, a connection
/// that waits for its place, those to servers that keep logs. About 20 are open.
const FILES_AT_REST: u64 = 32;
/// Files of a scrape: its connection, and the listing of what is open.
const FILES_OF_SCRAPE: u64 = 2;
/// Segments that are read at the moment, beside those that stay open: one for each thread that reads.
const FILES_OF_READS: u64 = 64;
/// Files of a log: 32 segments stay open for reading; others are written or made: segments, anchor,
/// keys, checkpoints, snapshots, the read model.
const FILES_OF_LOG: u64 = 32 + 12;
/// Connections that there may be however few files the process may open.
const MIN_CONNECTIONS: usize = 4;
/// What part of the files that are left is for streams of commands that are handed on.
const HANDED_ON_PART: u64 = 4;
/// How long to wait for the place of a connection that gives way, before another one has to.
const ROOM_PAUSE: Duration = Duration::from_millis(100);

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    /// Nothing yet, or so many bytes of the preface of HTTP/2.
    New(usize),
    Http1,
    Http2,
}

/// Which limit closed a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    Hello,
    Idle,
    Http1,
    /// Something that had begun did not end.
    Unfinished,
    /// Too much was asked for that is no call.
    Flood,
    /// Another one needed the place, and no call was open.
    Room,
}

/// What the files are for that the process may have open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Files {
    /// How many connections there may be.
    pub(crate) connections: usize,
    /// How many streams of commands may be handed on, each on a connection of its own.
    pub(crate) handed_on: usize,
}

impl Files {
    /// For a node that keeps so many logs, and may hand on what is to be written to them.
    pub(crate) fn of_node(logs: usize, hands_on: bool) -> Self {
        Self::out_of(most_files(), logs, hands_on)
    }

    /// WHY fewer connections than files: the log must be able to begin another segment whoever has
    /// connected, and whatever is read, scraped and handed on; without a file for it the server ends.
    fn out_of(most: Option<u64>, logs: usize, hands_on: bool) -> Self {
        let scrapes = FILES_OF_SCRAPE.saturating_mul(MAX_SCRAPES as u64);
        let logs = FILES_OF_LOG.saturating_mul(logs as u64);
        let others = FILES_AT_REST + FILES_OF_READS + scrapes + logs;
        let left = most.unwrap_or(u64::MAX).saturating_sub(others);
        let within = |files: u64, most: usize| usize::try_from(files).unwrap_or(most).min(most);
        let handed_on = within(left / HANDED_ON_PART, MAX_FORWARDED_STREAMS);
        let handed_on = if hands_on { handed_on.max(1) } else { 0 };
        let connections = within(left.saturating_sub(handed_on as u64), MAX_CONNECTIONS);
        Self { connections: connections.max(MIN_CONNECTIONS), handed_on }
    }
}

/// How many connections there are and were closed.
#[derive(Debug)]
pub(crate) struct Connections {
    /// New, HTTP/1, HTTP/2.
    open: [AtomicU64; 3],
    /// By [`Limit`].
    closed: [AtomicU64; 6],
    /// What the server said when it closed them: no error, keep calm, another one.
    goaways: [AtomicU64; 3],
    pub(super) quiet: Quiet,
    /// What they share.
    pub(super) pools: Arc<Pools>,
    /// How many there may be, all and those of HTTP/1.
    most: [usize; 2],
    places: Arc<Semaphore>,
}

impl Connections {
    /// As many as there are files for.
    pub(crate) fn within(files: Files) -> Self {
        Self::new(files.connections, files.connections.min(MAX_HTTP1_CONNECTIONS))
    }

    pub(super) fn new(all: usize, http1: usize) -> Self {
        Self {
            open: Default::default(),
            closed: Default::default(),
            goaways: Default::default(),
            quiet: Quiet::default(),
            pools: Arc::default(),
            most: [all, http1],
            places: Arc::new(Semaphore::new(all)),
        }
    }

    /// How many there may be, all and those of HTTP/1.
    pub(crate) const fn most(&self) -> [usize; 2] {
        self.most
    }

    /// The open connections by what they speak.
    pub(crate) fn open(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let names = ["new", "http1", "http2"].into_iter();
        names.zip(&self.open).map(|(name, count)| (name, count.load(Ordering::Relaxed)))
    }

    /// The connections that a limit closed, by which.
    pub(crate) fn closed(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let names = ["hello", "idle", "http1", "unfinished", "flood", "room"].into_iter();
        names.zip(&self.closed).map(|(name, count)| (name, count.load(Ordering::Relaxed)))
    }

    /// How often the server has told a caller of HTTP/2 to go away, by why.
    pub(crate) fn goaways(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let names = ["no_error", "enhance_your_calm", "other"].into_iter();
        names.zip(&self.goaways).map(|(name, count)| (name, count.load(Ordering::Relaxed)))
    }

    pub(super) fn went_away(&self, code: u32) {
        let why = match code {
            NO_ERROR => 0,
            ENHANCE_YOUR_CALM => 1,
            _ => 2,
        };
        self.goaways[why].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn closed_by(&self, limit: Limit) {
        self.closed[limit as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn opened(&self, speaks: Speaks) {
        self.open_as(speaks).fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ended(&self, speaks: Speaks) {
        self.open_as(speaks).fetch_sub(1, Ordering::Relaxed);
    }

    fn open_as(&self, speaks: Speaks) -> &AtomicU64 {
        match speaks {
            Speaks::New(_) => &self.open[0],
            Speaks::Http1 => &self.open[1],
            Speaks::Http2 => &self.open[2],
        }
    }

    /// A place, as soon as there is one. While there is none, connections without a call give way.
    pub(super) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        let mut told = None;
        let place = loop {
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                break place;
            }
            told = self.quiet.make_room().or(told);
            let place = Arc::clone(&self.places).acquire_owned();
            if let Ok(place) = timeout(ROOM_PAUSE, place).await {
                break place.ok()?;
            }
        };
        // The place may be that of another one, which ended by itself.
        told.inspect(|told| self.quiet.keep(told));
        Some(place)
    }

    /// Whether one more may speak HTTP/1. Where there are as many as there may be, one without a call
    /// gives way, and there is one more for as long as that takes.
    pub(super) fn has_room_for_http1(&self) -> bool {
        self.open_as(Speaks::Http1).load(Ordering::Relaxed) < self.most[1] as u64
            || self.quiet.make_room_of_http1()
    }

    /// Whether more speak HTTP/1 than may.
    pub(super) fn has_too_many_of_http1(&self) -> bool {
        self.open_as(Speaks::Http1).load(Ordering::Relaxed) > self.most[1] as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_files_allow_few_connections() {
        let connections = |most| Files::out_of(most, 1, false).connections;
        let given = [Some(0), Some(64), Some(256), Some(1_024), Some(1_196), Some(u64::MAX), None];
        assert_eq!(given.map(connections), [4, 4, 84, 852, 1_024, 1_024, 1_024]);
        assert_eq!(Files::out_of(None, 1, false).handed_on, 0);
    }

    #[test]
    fn what_is_handed_on_and_every_log_take_files_too() {
        let files = |most, logs| {
            let Files { connections, handed_on } = Files::out_of(most, logs, true);
            [connections, handed_on]
        };
        assert_eq!(files(Some(1_024), 1), [639, 213]);
        assert_eq!(files(Some(1_024), 4), [540, 180]);
        assert_eq!(files(Some(65_536), 4), [1_024, 256]);
        assert_eq!(files(None, 1), [1_024, 256]);
        // However few, a caller is heard and a stream handed on.
        assert_eq!(files(Some(64), 4), [4, 1]);
    }
}
