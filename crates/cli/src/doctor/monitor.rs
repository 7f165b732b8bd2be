//! The monitoring page `/varz` of a NATS server: over HTTP, or as the system account hands it out.

use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use encours_log::{Clock, Micros};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest page that is read; one has some 3 KB.
const PAGE_MAX: usize = 1 << 20;

/// What a server's page tells that is looked at here.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Varz {
    pub(super) server_name: String,
    pub(super) version: String,
    /// The server's time, in RFC 3339.
    now: String,
    #[serde(default)]
    jetstream: JetStream,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct JetStream {
    config: Option<Config>,
    stats: Option<Stats>,
}

/// How the server keeps streams.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Config {
    /// Bytes that all streams may take.
    pub(super) max_storage: i64,
    /// Nanoseconds between syncs; of no effect where every message is synced.
    #[serde(default)]
    pub(super) sync_interval: u64,
    /// Whether every message is synced before it is acknowledged.
    #[serde(default)]
    pub(super) sync_always: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Stats {
    #[serde(default)]
    storage: u64,
    #[serde(default)]
    reserved_storage: u64,
}

/// A page and what its time says beside this machine's.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) varz: Varz,
    /// Microseconds that the server's clock is ahead of this machine's.
    pub(super) ahead_us: i64,
    /// Microseconds that `ahead_us` may be off by.
    pub(super) within_us: i64,
}

impl Page {
    /// Reads a page that was asked for at `asked` and was there `took` later.
    pub(super) fn read(varz: Varz, asked: Micros, took: Duration) -> Result<Self, String> {
        let now = DateTime::parse_from_rfc3339(&varz.now)
            .map_err(|error| format!("its time {:?}: {error}", varz.now))?;
        let half = i64::try_from(took.as_micros() / 2).unwrap_or(i64::MAX);
        let here = asked.0.saturating_add(half);
        let ahead_us = now.timestamp_micros().saturating_sub(here);
        Ok(Self { varz, ahead_us, within_us: half })
    }

    /// How the server keeps streams; `None` where JetStream is off.
    pub(super) const fn config(&self) -> Option<&Config> {
        self.varz.jetstream.config.as_ref()
    }

    /// Bytes that are neither taken nor promised to a stream.
    pub(super) fn free_bytes(&self) -> u64 {
        let max = self.config().map_or(0, |config| config.max_storage);
        let stats = self.varz.jetstream.stats.clone().unwrap_or_default();
        let taken = stats.reserved_storage.max(stats.storage);
        u64::try_from(max).unwrap_or_default().saturating_sub(taken)
    }
}

/// Gets a server's page from its monitoring port, such as `http://127.0.0.1:8222`.
pub(super) async fn get(at: &Uri, clock: &dyn Clock) -> Result<Page, String> {
    let (asked, begun) = (clock.now(), clock.monotonic());
    let body = timeout(PATIENCE, body(at)).await;
    let body = body.map_err(|_| format!("no answer in {} seconds", PATIENCE.as_secs()))??;
    let took = clock.monotonic().saturating_sub(begun);
    let varz = serde_json::from_slice(&body).map_err(|error| format!("no such page: {error}"))?;
    Page::read(varz, asked, took)
}

/// Reads a page that came over NATS: the same under `data`.
pub(super) fn from_nats(body: &[u8], asked: Micros, took: Duration) -> Result<Page, String> {
    #[derive(Deserialize)]
    struct Answer {
        data: Varz,
    }
    let answer: Answer =
        serde_json::from_slice(body).map_err(|error| format!("no such page: {error}"))?;
    Page::read(answer.data, asked, took)
}

async fn body(at: &Uri) -> Result<Bytes, String> {
    let host = at.host().unwrap_or_default();
    let authority = at.authority().map_or_else(String::new, ToString::to_string);
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), at.port_u16().unwrap_or(80)));
    let stream = stream.await.map_err(|error| error.to_string())?;
    let shaken = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| error.to_string())?;
    let connection = tokio::spawn(connection);
    let path = format!("{}/varz", at.path().trim_end_matches('/'));
    let request = Request::get(path).header(HOST, authority).body(Empty::<Bytes>::new());
    let request = request.map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
    if answer.status() != StatusCode::OK {
        return Err(format!("it answers {}", answer.status()));
    }
    let body = Limited::new(answer.into_body(), PAGE_MAX).collect().await;
    connection.abort();
    Ok(body.map_err(|error| error.to_string())?.to_bytes())
}

/// The address of a monitoring port, as a flag gives it.
pub(super) fn address(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|error| format!("{error}"))?;
    if uri.scheme_str() == Some("http") && uri.host().is_some_and(|host| !host.is_empty()) {
        return Ok(uri);
    }
    Err("it looks like http://127.0.0.1:8222".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What nats-server 2.15.1 serves, shortened.
    const VARZ: &str = r#"{"server_name": "one", "version": "2.15.1",
        "now": "2026-11-22T03:23:04.333830613Z", "jetstream": {"config": {
        "max_memory": 18957376512, "max_storage": 1073741824, "store_dir": "/s",
        "sync_interval": 120000000000, "sync_always": true, "strict": true},
        "stats": {"memory": 0, "storage": 5, "reserved_storage": 1048576}}}"#;
    const NOW: i64 = 1_795_317_784_333_830;

    #[test]
    fn a_page_tells_how_messages_are_synced_what_is_free_and_the_time() {
        let took = Duration::from_micros(800);
        let page = from_nats(
            format!("{{\"server\": {{}}, \"data\": {VARZ}}}").as_bytes(),
            Micros(NOW - 2_400),
            took,
        );
        let page = page.unwrap();
        assert!(page.config().unwrap().sync_always);
        assert_eq!(page.free_bytes(), (1 << 30) - (1 << 20));
        assert_eq!((page.ahead_us, page.within_us), (2_000, 400));
    }

    #[test]
    fn a_page_of_a_server_without_jetstream_says_so() {
        let varz = r#"{"server_name": "a", "version": "2.15.1", "now": "2026-11-22T03:23:04Z",
            "jetstream": {}}"#;
        let page = Page::read(serde_json::from_str(varz).unwrap(), Micros(0), Duration::ZERO);
        assert!(page.unwrap().config().is_none());
    }

    #[test]
    fn an_address_is_one_of_http() {
        for text in ["http://127.0.0.1:8222", "http://[::1]:8222/", "http://nats:8222/base"] {
            assert!(address(text).is_ok(), "{text}");
        }
        for text in ["https://a:8222", "127.0.0.1:8222", "http://", "nats://127.0.0.1:4222", ""] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
