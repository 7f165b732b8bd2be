//! `GET /metrics` on a port of its own.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use encours_log::Clock;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Told, page, text};
use crate::api::Api;
use crate::logs::Logs;

/// The most scrapes at a time; more wait until one ends.
pub(crate) const MAX_SCRAPES: usize = 16;
/// How long a connection may take, from its beginning to the end of the answer.
const SCRAPE_LIMIT: Duration = Duration::from_secs(10);
/// The most bytes of a request's head, which hyper reads as a whole.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// How long to wait after the system could not accept a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl Api {
    /// Serves `GET /metrics` on `listener` until `shutdown` ends, in the text format of Prometheus;
    /// one request a connection, at most 16 at a time, each within ten seconds. `clock` says how far
    /// the days are behind.
    pub async fn serve_metrics(
        self,
        listener: TcpListener,
        clock: Arc<dyn Clock>,
        shutdown: impl Future<Output = ()> + Send,
    ) {
        serve(self.into(), listener, clock, shutdown).await;
    }
}

impl Logs {
    /// Serves metrics as [`Api::serve_metrics`] does; those of a log have a label `log`.
    pub async fn serve_metrics(
        self,
        listener: TcpListener,
        clock: Arc<dyn Clock>,
        shutdown: impl Future<Output = ()> + Send,
    ) {
        serve(self.into(), listener, clock, shutdown).await;
    }
}

async fn serve(
    told: Told,
    listener: TcpListener,
    clock: Arc<dyn Clock>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let places = Arc::new(Semaphore::new(MAX_SCRAPES));
    let mut scrapes = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => return,
            accepted = accept(&listener, &places) => accepted,
        };
        while scrapes.try_join_next().is_some() {}
        let Some((stream, place)) = accepted else { return };
        let (told, clock) = (told.clone(), Arc::clone(&clock));
        scrapes.spawn(async move {
            let _place = place;
            answer(stream, &told, &*clock).await;
        });
    }
}

type Place = tokio::sync::OwnedSemaphorePermit;

/// The next connection, once there is a place for it.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<(TcpStream, Place)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Some((stream, place)),
            Err(error) => {
                tracing::warn!(%error, "a connection for metrics could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn answer(stream: TcpStream, told: &Told, clock: &dyn Clock) {
    let service = service_fn(|request| async move {
        Ok::<_, Infallible>(respond(&request, || text(told, clock.now())))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(SCRAPE_LIMIT, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a scrape of the metrics has failed"),
        Err(_) => tracing::debug!("a scrape of the metrics took too long"),
    }
}

fn respond(request: &Request<Incoming>, text: impl FnOnce() -> String) -> Response<Full<Bytes>> {
    let plain = HeaderValue::from_static(page::CONTENT_TYPE);
    let mut response = if request.uri().path() != "/metrics" {
        let mut response = Response::new(Full::from("the metrics are at /metrics\n"));
        *response.status_mut() = StatusCode::NOT_FOUND;
        response
    } else if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        response
    } else {
        Response::new(Full::from(text()))
    };
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}
