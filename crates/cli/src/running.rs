//! What serves: a node on a log of its own, or one of several on a log that NATS servers keep.

use encours_api::Api;
use tracing::error;

use crate::cluster::Member;
use crate::failure::{Failure, Outcome};
use crate::node::{Node, failed};

/// A node, opened.
pub(crate) enum Running {
    /// The only one on its log.
    Alone(Box<Node>),
    /// One of several.
    Member(Box<Member>),
}

impl Running {
    /// The gRPC services.
    pub(crate) fn api(&self) -> Api {
        match self {
            Self::Alone(node) => node.api(),
            Self::Member(member) => member.api(),
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
        }
    }

    /// Stops cleanly.
    pub(crate) async fn stop(self) -> Outcome {
        match self {
            Self::Alone(node) => node.stop().await,
            Self::Member(member) => member.stop().await,
        }
    }
}
