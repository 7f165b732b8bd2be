//! What gRPC-Web needs around the services: which pages may call, and the limit of headers that HTTP/1
//! lacks.
//!
//! A browser sends `Origin` with every call it makes for a page. Such a call is refused unless the
//! origin was named when the service was started. WHY also where the page is of this very address: a
//! page can make a browser take this machine's address for its own (DNS rebinding), and only the
//! `Origin` then tells.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use tonic::body::Body;
use tower_layer::Layer;
use tower_service::Service;

use crate::server::MAX_METADATA_BYTES;

/// What HTTP/2 counts for each header beside its name and value; HTTP/1 is measured the same.
const HEADER_OVERHEAD: usize = 32;

const ALLOWED_HEADERS: HeaderValue =
    HeaderValue::from_static("content-type, grpc-timeout, x-grpc-web, x-user-agent, encours-actor");
const EXPOSED_HEADERS: HeaderValue =
    HeaderValue::from_static("grpc-status, grpc-message, grpc-status-details-bin");
/// Seconds for which a browser may keep the answer to its question.
const PREFLIGHT_SECONDS: HeaderValue = HeaderValue::from_static("3600");

/// Why a text is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no origin: it is a scheme, a host and maybe a port, as in https://app.example.com"
)]
pub struct InvalidOrigin(String);

/// The origin of pages that may call, such as `https://app.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebOrigin(HeaderValue);

impl std::str::FromStr for WebOrigin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let invalid = || InvalidOrigin(text.chars().take(200).collect());
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let host = |rest: &&str| {
            !rest.is_empty()
                && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b))
                // As browsers write it.
                && !rest.bytes().any(|b| b.is_ascii_uppercase())
        };
        rest.filter(host).ok_or_else(invalid)?;
        HeaderValue::from_str(text).map(Self).map_err(|_| invalid())
    }
}

/// Puts the rules around all services.
#[derive(Clone, Debug)]
pub(crate) struct WebLayer(pub(crate) Arc<[WebOrigin]>);

impl<S> Layer<S> for WebLayer {
    type Service = Web<S>;

    fn layer(&self, inner: S) -> Web<S> {
        Web { inner, origins: Arc::clone(&self.0) }
    }
}

/// The services behind the rules.
#[derive(Clone, Debug)]
pub(crate) struct Web<S> {
    inner: S,
    origins: Arc<[WebOrigin]>,
}

impl<S> Service<Request<Body>> for Web<S>
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
        let is_http1 = request.version() < Version::HTTP_2;
        if is_http1 && header_bytes(request.headers()) > MAX_METADATA_BYTES as usize {
            return at_once(refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
        }
        let origin = match request.headers().get(ORIGIN) {
            None => None,
            Some(origin) if self.origins.iter().any(|allowed| allowed.0 == origin) => {
                Some(origin.clone())
            }
            Some(_) => return at_once(refuse(StatusCode::FORBIDDEN)),
        };
        if let Some(origin) = &origin
            && request.method() == Method::OPTIONS
            && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        {
            return at_once(preflight(origin));
        }
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            if let Some(origin) = origin {
                let headers = response.headers_mut();
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
                headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
                headers.append(VARY, HeaderValue::from_static("origin"));
            }
            Ok(response)
        })
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

fn at_once(response: Response<Body>) -> Answer {
    Box::pin(std::future::ready(Ok(response)))
}

/// An answer without the services.
fn refuse(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The answer to a browser that asks whether a page may call.
fn preflight(origin: &HeaderValue) -> Response<Body> {
    let mut response = refuse(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS);
    headers.insert(VARY, HeaderValue::from_static("origin"));
    response
}

fn header_bytes(headers: &HeaderMap) -> usize {
    let size = |name: &str, value: &HeaderValue| name.len() + value.len() + HEADER_OVERHEAD;
    headers.iter().map(|(name, value)| size(name.as_str(), value)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for right in ["https://app.example.com", "http://localhost:8080", "http://[::1]:3000"] {
            assert!(right.parse::<WebOrigin>().is_ok(), "{right}");
        }
        let wrong = ["", "*", "null", "app.example.com", "https://", "https://a/b", "https://A.b"];
        for wrong in wrong {
            assert!(wrong.parse::<WebOrigin>().is_err(), "{wrong}");
        }
    }
}
