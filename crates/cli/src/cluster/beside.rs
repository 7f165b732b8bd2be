//! What runs beside the engine on the node that leads: the publisher of public events.

use encours_api::{Api, PublisherFigures};
use encours_publisher::{Publisher, PublisherOptions, Status};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tracing::error;

use crate::publish::{figures, spawn};

/// Starts and ends the publisher with the time of leading.
pub(super) struct Beside {
    runtime: Handle,
    api: Api,
    options: Option<PublisherOptions>,
    publisher: Option<Publisher>,
    status: watch::Sender<Option<watch::Receiver<Status>>>,
}

impl Beside {
    pub(super) fn new(runtime: Handle, api: Api, options: Option<PublisherOptions>) -> Self {
        let status = watch::Sender::new(None);
        Self { runtime, api, options, publisher: None, status }
    }

    /// How the publisher is; `None` where none runs.
    pub(super) fn figures(&self) -> impl Fn() -> Option<PublisherFigures> + Send + Sync + use<> {
        let status = self.status.subscribe();
        move || status.borrow().as_ref().map(|status| figures(&status.borrow()))
    }

    pub(super) fn start(&mut self) {
        let Some(options) = self.options.clone() else { return };
        let inside = self.runtime.enter();
        let spawned = spawn(&self.api, options);
        drop(inside);
        match spawned {
            Ok(publisher) => {
                self.status.send_replace(Some(publisher.status()));
                self.publisher = Some(publisher);
            }
            Err(failure) => error!(%failure, "not publishing"),
        }
    }

    pub(super) fn stop(&mut self) {
        self.status.send_replace(None);
        if let Some(publisher) = self.publisher.take() {
            self.runtime.block_on(publisher.stop());
        }
    }
}
