//! Counts calls by method and code. The methods are those of the contract, and the rest is one: what
//! callers send cannot make the counters grow.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use encours_domain::Reason;
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tower_layer::Layer;
use tower_service::Service;

use crate::connections::{Good, Held, Share};
use crate::failure::{Failure, OVERLOADED, REASONS};
use crate::server::{MAX_QUESTION_BYTES, MAX_REQUEST_BYTES};
use crate::unsaid::refusal;

/// The names of the codes, by number.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// What the server answers beside the contract.
const BESIDE: [&str; 5] = [
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/List",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];
/// What tells who watches over this process that it is well. WHY not refused with the others: it would
/// be started anew for being busy.
const CHECK: &str = BESIDE[0];
/// When to try again past them.
const RETRY: Duration = Duration::from_secs(1);
/// The name of all that is no method.
const OTHER: &str = "other";

type Counts = [AtomicU64; CODES.len()];

/// The calls that have ended, by method and code.
#[derive(Debug)]
pub(crate) struct Calls {
    /// Where each method stands in `counts`.
    methods: HashMap<String, usize>,
    /// By name.
    counts: Vec<(String, Counts)>,
    /// Those that ended with an error, by reason.
    reasons: HashMap<&'static str, AtomicU64>,
}

impl Calls {
    pub(crate) fn new() -> Self {
        let mut paths = encours_proto::method_paths();
        paths.extend(BESIDE.map(str::to_owned));
        paths.sort();
        let name = |path: &String| path.trim_start_matches('/').to_owned();
        let names = paths.iter().map(name).chain([OTHER.to_owned()]);
        let reasons = REASONS.iter().map(|(reason, ..)| *reason);
        let reasons = reasons.chain(Reason::ALL.iter().map(|reason| reason.rule().code));
        Self {
            reasons: reasons.map(|reason| (reason, AtomicU64::new(0))).collect(),
            counts: names.map(|name| (name, Counts::default())).collect(),
            methods: paths.into_iter().zip(0..).collect(),
        }
    }

    /// How often calls ended with an error for this reason.
    pub(crate) fn for_reason(&self, reason: &str) -> u64 {
        self.reasons.get(reason).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Reason and how often, where that is ever, by name.
    pub(crate) fn reasons(&self) -> Vec<(&'static str, u64)> {
        let counted = self.reasons.iter().map(|(reason, n)| (*reason, n.load(Ordering::Relaxed)));
        let mut counted: Vec<_> = counted.filter(|(_, count)| *count > 0).collect();
        counted.sort_unstable();
        counted
    }

    /// Method, code and how often, where that is ever.
    pub(crate) fn ended(&self) -> impl Iterator<Item = (&str, &'static str, u64)> {
        self.counts.iter().flat_map(|(method, counts)| {
            let counts = CODES.iter().zip(counts);
            counts.filter_map(move |(code, count)| {
                let count = count.load(Ordering::Relaxed);
                (count > 0).then_some((method.as_str(), *code, count))
            })
        })
    }
}

/// A call under way. Where it is dropped before its end, its caller has left or its time was over.
struct Call {
    calls: Arc<Calls>,
    method: usize,
    ended: bool,
    /// Its place among those of its connection; `None` where it is refused.
    _place: Option<Held>,
}

impl Call {
    /// The most bytes of a message.
    fn limit(&self) -> usize {
        let name = self.calls.counts.get(self.method).map_or(OTHER, |(name, _)| name);
        let is_beside = BESIDE.iter().any(|path| path.trim_start_matches('/') == name);
        if is_beside { MAX_QUESTION_BYTES } else { MAX_REQUEST_BYTES }
    }

    fn end(&mut self, code: Code) {
        if !self.ended {
            self.ended = true;
            let counts = self.calls.counts.get(self.method);
            if let Some(count) = counts.and_then(|(_, counts)| counts.get(code as usize)) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Ends where the headers or trailers have a status. One of the library gets its reason here.
    fn end_by(&mut self, headers: &mut HeaderMap) {
        let Some(code) =
            headers.get(Status::GRPC_STATUS).map(|code| Code::from_bytes(code.as_bytes()))
        else {
            return;
        };
        if code == Code::Ok {
            return self.end(code);
        }
        let Some(mut status) = Status::from_header_map(headers) else { return self.end(code) };
        if let Some(refusal) = refusal(&status, self.limit()) {
            let named = Status::from(refusal);
            let mut told = HeaderMap::new();
            if named.add_header(&mut told).is_ok() {
                headers.extend(told);
                status = named;
            }
        }
        let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
        if let Some(count) = self.calls.reasons.get(&*reason).filter(|_| !self.ended) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.end(status.code());
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}

/// Puts the counting around a service.
#[derive(Clone, Debug)]
pub(crate) struct CountLayer(pub(crate) Arc<Calls>);

impl<S> Layer<S> for CountLayer {
    type Service = Counting<S>;

    fn layer(&self, inner: S) -> Counting<S> {
        Counting { inner, calls: Arc::clone(&self.0) }
    }
}

/// A service whose calls are counted.
#[derive(Clone, Debug)]
pub(crate) struct Counting<S> {
    inner: S,
    calls: Arc<Calls>,
}

impl<S> Service<Request<Body>> for Counting<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let calls = Arc::clone(&self.calls);
        let other = calls.methods.len();
        let method = calls.methods.get(request.uri().path()).copied().unwrap_or(other);
        let share = Share::of(&request);
        let is_check = request.uri().path() == CHECK;
        let check = is_check.then(|| share.take(Good::Checks, 1)).flatten();
        let place = check.or_else(|| share.take(Good::Calls, 1));
        let is_refused = place.is_none();
        let mut call = Call { calls, method, ended: false, _place: place };
        if is_refused {
            let held = share.holds(Good::Calls);
            return Box::pin(async move {
                let message = format!(
                    "too many calls are under way, {held} of them on this connection, which may \
                     have no more at present"
                );
                let refusal = Failure::new(OVERLOADED, message).retry_after(RETRY);
                let mut response: Response<Body> = Status::from(refusal).into_http();
                call.end_by(response.headers_mut());
                Ok(response)
            });
        }
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            call.end_by(response.headers_mut());
            Ok(response.map(|inner| Body::new(Counted { inner, call })))
        })
    }
}

/// A body that tells how its call ended.
struct Counted {
    inner: Body,
    call: Call,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut polled = Pin::new(&mut self.inner).poll_frame(cx);
        match &mut polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_mut() {
                    self.call.end_by(trailers);
                }
            }
            Poll::Ready(Some(Err(status))) => self.call.end(status.code()),
            Poll::Ready(None) => self.call.end(Code::Unknown),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_counted_by_its_name() {
        let calls = Arc::new(Calls::new());
        let path = "/encours.v1.InvoiceService/IssueInvoice";
        let method = calls.methods[path];
        assert!(calls.methods.len() > 20 + BESIDE.len(), "{:?}", calls.methods);
        let begin = |method| Call { calls: Arc::clone(&calls), method, ended: false, _place: None };
        drop(begin(method));
        let mut call = begin(method);
        call.end(Code::NotFound);
        call.end(Code::Ok);
        drop(call);
        let other = calls.methods.len();
        begin(other).end(Code::Unimplemented);
        let ended: Vec<_> = calls.ended().collect();
        let name = path.trim_start_matches('/');
        let wanted = [(name, "CANCELLED", 1), (name, "NOT_FOUND", 1), (OTHER, "UNIMPLEMENTED", 1)];
        assert_eq!(ended, wanted);
    }
}
