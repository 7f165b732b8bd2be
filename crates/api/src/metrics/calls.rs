//! Counts calls by method and code. The methods are those of the contract, and the rest is one: what
//! callers send cannot make the counters grow.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};
use tower_layer::Layer;
use tower_service::Service;

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
}

impl Calls {
    pub(crate) fn new() -> Self {
        let mut paths = encours_proto::method_paths();
        paths.extend(BESIDE.map(str::to_owned));
        paths.sort();
        let name = |path: &String| path.trim_start_matches('/').to_owned();
        let names = paths.iter().map(name).chain([OTHER.to_owned()]);
        Self {
            counts: names.map(|name| (name, Counts::default())).collect(),
            methods: paths.into_iter().zip(0..).collect(),
        }
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
}

impl Call {
    fn end(&mut self, code: Code) {
        if !self.ended {
            self.ended = true;
            let counts = self.calls.counts.get(self.method);
            if let Some(count) = counts.and_then(|(_, counts)| counts.get(code as usize)) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Ends where the headers or trailers have a status.
    fn end_by(&mut self, headers: &HeaderMap) {
        if let Some(status) = headers.get(Status::GRPC_STATUS) {
            self.end(Code::from_bytes(status.as_bytes()));
        }
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
        let mut call = Call { calls, method, ended: false };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            call.end_by(response.headers());
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
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
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
        drop(Call { calls: Arc::clone(&calls), method, ended: false });
        let mut call = Call { calls: Arc::clone(&calls), method, ended: false };
        call.end(Code::NotFound);
        call.end(Code::Ok);
        drop(call);
        let other = calls.methods.len();
        Call { calls: Arc::clone(&calls), method: other, ended: false }.end(Code::Unimplemented);
        let ended: Vec<_> = calls.ended().collect();
        let name = path.trim_start_matches('/');
        let wanted = [(name, "CANCELLED", 1), (name, "NOT_FOUND", 1), (OTHER, "UNIMPLEMENTED", 1)];
        assert_eq!(ended, wanted);
    }
}
