//! What serves: a node on a log of its own, or one of several on logs that NATS servers keep.

use std::sync::Arc;
use std::time::Duration;

use encours_api::{Api, Logs, PublisherFigures, ServeError, WebOrigin};
use encours_log::Clock;
use tokio::net::TcpListener;
use tracing::error;

use crate::cluster::{Member, Members};
use crate::disk_space::DiskSpace;
use crate::failure::{Failure, Outcome};
use crate::node::{Node, failed};

/// A node, opened.
pub(crate) enum Running {
    /// The only one on its log.
    Alone(Box<Node>),
    /// One of several.
    Member(Box<Member>),
    /// One of several, on several logs.
    Members(Box<Members>),
}

/// The gRPC services of a node.
#[derive(Clone)]
pub(crate) enum Services {
    /// Over one log.
    One(Box<Api>),
    /// Over several.
    Several(Logs),
}

impl Services {
    /// Lets browsers call for pages of these origins.
    pub(crate) fn with_web_origins(self, origins: Vec<WebOrigin>) -> Self {
        match self {
            Self::One(api) => Self::One(Box::new(api.with_web_origins(origins))),
            Self::Several(logs) => Self::Several(logs.with_web_origins(origins)),
        }
    }

    /// Ends watches of events of which nothing was read for this long.
    pub(crate) fn with_watch_stall(self, stall: Duration) -> Self {
        match self {
            Self::One(api) => Self::One(Box::new(api.with_watch_stall(stall))),
            Self::Several(logs) => Self::Several(logs.with_watch_stall(stall)),
        }
    }

    /// Says whether commands are refused once the read model of their log has stopped.
    pub(crate) fn with_writes_stopping(self, they_stop: bool) -> Self {
        match self {
            Self::One(api) => Self::One(Box::new(api.with_writes_stopping(they_stop))),
            Self::Several(logs) => Self::Several(logs.with_writes_stopping(they_stop)),
        }
    }

    /// Has the metrics tell how full the data folder's disk is.
    pub(crate) fn with_disk(self, disk: DiskSpace) -> Self {
        match self {
            Self::One(api) => Self::One(Box::new(api.with_disk(move || disk.now()))),
            Self::Several(logs) => Self::Several(logs.with_disk(move || disk.now())),
        }
    }

    /// Has the metrics tell how the publisher of the one log is.
    pub(crate) fn with_publisher(
        self,
        figures: impl Fn() -> Option<PublisherFigures> + Send + Sync + 'static,
    ) -> Self {
        match self {
            Self::One(api) => Self::One(Box::new(api.with_publisher(figures))),
            // Each log tells of its own.
            several @ Self::Several(_) => several,
        }
    }

    /// Serves until `shutdown` ends.
    pub(crate) async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), ServeError> {
        match self {
            Self::One(api) => api.serve(listener, shutdown).await,
            Self::Several(logs) => logs.serve(listener, shutdown).await,
        }
    }

    /// Serves metrics for ever.
    pub(crate) async fn serve_metrics(self, listener: TcpListener, clock: Arc<dyn Clock>) {
        let never = std::future::pending();
        match self {
            Self::One(api) => api.serve_metrics(listener, clock, never).await,
            Self::Several(logs) => logs.serve_metrics(listener, clock, never).await,
        }
    }
}

impl Running {
    /// The gRPC services.
    pub(crate) fn services(&self) -> Services {
        match self {
            Self::Alone(node) => Services::One(Box::new(node.api())),
            Self::Member(member) => Services::One(Box::new(member.api())),
            Self::Members(members) => Services::Several(members.logs()),
        }
    }

    /// Waits until what is in the log can be read, and, where others may lead, until somebody does.
    pub(crate) async fn ready(&self) -> Outcome {
        match self {
            Self::Alone(node) => node.caught_up().await,
            Self::Member(member) => {
                member.caught_up().await?;
                member.led().await;
                Ok(())
            }
            Self::Members(members) => members.ready().await,
        }
    }

    /// Waits until it cannot go on. To drop it is safe.
    pub(crate) async fn failure(&mut self) -> Failure {
        match self {
            Self::Alone(node) => {
                let mut broken = node.engine().failed();
                // The sender lives in the engine, so that waiting cannot fail.
                let _ = broken.wait_for(Option::is_some).await;
                let error = broken.borrow().clone();
                let Some(error) = error else { return std::future::pending().await };
                error!(code = error.code(), %error, "the engine has stopped");
                failed(&error)
            }
            Self::Member(member) => {
                let failure = member.failure().await;
                error!(%failure, "the node has stopped");
                failure
            }
            Self::Members(members) => {
                let failure = members.failure().await;
                error!(%failure, "the node has stopped");
                failure
            }
        }
    }

    /// Stops cleanly.
    pub(crate) async fn stop(self) -> Outcome {
        match self {
            Self::Alone(node) => node.stop().await,
            Self::Member(member) => member.stop().await,
            Self::Members(members) => members.stop().await,
        }
    }
}
