//! The server: all services on one listener, with their limits, health and reflection.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use encours_log::Space;
use encours_projections::ReadModel;
use encours_proto::FILE_DESCRIPTOR_SET;
use encours_proto::v1::batch_service_server::{BatchService, BatchServiceServer};
use encours_proto::v1::credit_note_service_server::{CreditNoteService, CreditNoteServiceServer};
use encours_proto::v1::customer_service_server::{CustomerService, CustomerServiceServer};
use encours_proto::v1::event_log_service_server::{EventLogService, EventLogServiceServer};
use encours_proto::v1::invoice_service_server::{InvoiceService, InvoiceServiceServer};
use encours_proto::v1::ledger_service_server::{LedgerService, LedgerServiceServer};
use encours_proto::v1::payment_service_server::{PaymentService, PaymentServiceServer};
use encours_proto::v1::report_service_server::{ReportService, ReportServiceServer};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tonic_web::GrpcWebLayer;

use crate::api::{Api, Asked};
use crate::bodies::BodyLayer;
use crate::connections::{Connections, accept};
use crate::metrics::{Calls, CountLayer};
use crate::web::{WebLayer, WebOrigin};

/// The most bytes of a request message, decompressed; on a stream, of each.
pub const MAX_REQUEST_BYTES: usize = 1024 * 1024;
/// How much longer a message may be that holds another one of that size: a write that is handed on
/// to another node.
const WRAPPING_BYTES: usize = 32;
/// The most bytes of a message to the services beside the contract, which ask for health and for names.
pub(crate) const MAX_QUESTION_BYTES: usize = 16 * 1024;
/// The most bytes of a call's metadata.
pub const MAX_METADATA_BYTES: u32 = 16 * 1024;
/// The most connections at a time; more wait until one ends.
pub const MAX_CONNECTIONS: usize = 1_024;
/// How many of them may speak HTTP/1.1, for gRPC-Web; more of those are closed.
///
/// WHY fewer: tonic leaves hyper's buffer for the head of a request over HTTP/1 at 400 KB, so that
/// this many connections can hold 100 MB; and slow callers over HTTP/1 leave places for the others.
pub const MAX_HTTP1_CONNECTIONS: usize = 256;
/// The most calls at a time, of all connections together. WHY: with all the metadata that it may have a
/// call takes some 50 KB.
pub(crate) const MAX_CALLS: usize = 8_192;
/// The most calls at a time on one connection of HTTP/2.
pub const MAX_STREAMS_PER_CONNECTION: u32 = 256;
/// Bytes that a call may have sent and the server not read yet.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 128 * 1024;
/// The same for all calls of a connection.
///
/// WHY so much larger: h2 closes a connection (`too_many_data_frames`) once the unread frames below
/// 256 bytes, each counted as what it lacks to 256, pass half of this. Clients in Python and others
/// send every command of a stream as a frame of its own: a stream that waits holds up to 4,096 of 32
/// bytes, which count as 0.9 MB. Half of this has room for 18 such streams.
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 32 * 1024 * 1024;
/// A silent connection is asked for a sign of life after this long,
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// and closed where none comes within this.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// A connection takes no new calls after this long; its caller connects again for them.
const CONNECTION_AGE: Duration = Duration::from_secs(2 * 3_600);
/// How often the health of the read model is looked at.
const HEALTH_INTERVAL: Duration = Duration::from_secs(1);
/// How long calls under way may take to end after the server was told to stop.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// Why the server ended otherwise than by being told to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The transport failed.
    #[error("the server has failed: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// The descriptors of the services cannot be served.
    #[error("reflection cannot be set up: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// The services of the contract.
const SERVICES: [&str; 8] = [
    <LedgerServiceServer<Api> as NamedService>::NAME,
    <CustomerServiceServer<Api> as NamedService>::NAME,
    <InvoiceServiceServer<Api> as NamedService>::NAME,
    <PaymentServiceServer<Api> as NamedService>::NAME,
    <CreditNoteServiceServer<Api> as NamedService>::NAME,
    <ReportServiceServer<Api> as NamedService>::NAME,
    <BatchServiceServer<Api> as NamedService>::NAME,
    <EventLogServiceServer<Api> as NamedService>::NAME,
];

/// Tells the health of the server as a whole and of each service. They stand and fall together:
/// writes show nothing of their own to read without the read model.
async fn tell(health: &HealthReporter, status: ServingStatus) {
    for service in SERVICES.iter().chain(&[""]) {
        health.set_service_status(service, status).await;
    }
}

/// Tells that nothing is served while a read model stands still, until the server stops.
async fn watch_read_models(
    models: Vec<ReadModel>,
    health: HealthReporter,
    stopping: watch::Receiver<bool>,
) -> Infallible {
    let mut told = true;
    while !*stopping.borrow() {
        let served = models.iter().all(|model| model.health().stopped.is_none());
        if served != told {
            let status = if served { ServingStatus::Serving } else { ServingStatus::NotServing };
            tell(&health, status).await;
            told = served;
        }
        tokio::time::sleep(HEALTH_INTERVAL).await;
    }
    std::future::pending().await
}

/// A service with the limits and the compression of all.
macro_rules! limited {
    ($server:ident, $services:expr) => {
        $server::new($services.clone())
            .max_decoding_message_size(MAX_REQUEST_BYTES)
            .accept_compressed(Gzip)
            .send_compressed(Gzip)
    };
}

/// What belongs to a listener, whatever is served there.
#[derive(Clone)]
pub(crate) struct Front {
    pub(crate) stopping: watch::Sender<bool>,
    pub(crate) web_origins: Arc<[WebOrigin]>,
    pub(crate) calls: Arc<Calls>,
    pub(crate) connections: Arc<Connections>,
    /// Asks how full the data folder's disk is.
    pub(crate) disk: Option<Asked<Option<Space>>>,
}

impl Front {
    /// That of these services.
    pub(crate) fn of(api: &Api) -> Self {
        Self {
            stopping: api.stopping.clone(),
            web_origins: Arc::clone(&api.web_origins),
            calls: Arc::clone(&api.calls),
            connections: Arc::clone(&api.connections),
            disk: api.disk.clone(),
        }
    }
}

/// All services of the contract.
pub(crate) fn routes<S>(services: &S) -> Routes
where
    S: LedgerService
        + CustomerService
        + InvoiceService
        + PaymentService
        + CreditNoteService
        + ReportService
        + BatchService
        + EventLogService
        + Clone,
{
    Routes::new(limited!(LedgerServiceServer, services))
        .add_service(limited!(CustomerServiceServer, services))
        .add_service(limited!(InvoiceServiceServer, services))
        .add_service(limited!(PaymentServiceServer, services))
        .add_service(limited!(CreditNoteServiceServer, services))
        .add_service(limited!(ReportServiceServer, services))
        .add_service(
            limited!(BatchServiceServer, services)
                .max_decoding_message_size(MAX_REQUEST_BYTES + WRAPPING_BYTES),
        )
        .add_service(limited!(EventLogServiceServer, services))
}

impl Api {
    /// Serves gRPC and gRPC-Web on `listener` until `shutdown` ends. Then new calls are refused, streams end with
    /// `UNAVAILABLE`, and calls under way have ten seconds to end.
    ///
    /// # Errors
    /// [`ServeError`] where the server cannot go on.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), ServeError> {
        let models = vec![self.model.clone()];
        serve(Front::of(&self), models, routes(&self), listener, shutdown).await
    }
}

/// Serves `services` until `shutdown` ends.
pub(crate) async fn serve(
    front: Front,
    models: Vec<ReadModel>,
    services: Routes,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let Front { stopping, web_origins, calls, connections, .. } = front;
    let (health, health_service) = tonic_health::server::health_reporter();
    tell(&health, ServingStatus::Serving).await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let following = watch_read_models(models, health.clone(), stopping.subscribe());
    let mut stopped = stopping.subscribe();
    let stop = async move {
        shutdown.await;
        tell(&health, ServingStatus::NotServing).await;
        stopping.send_replace(true);
    };
    let services = services
        .add_service(health_service.max_decoding_message_size(MAX_QUESTION_BYTES))
        .add_service(reflection().build_v1()?.max_decoding_message_size(MAX_QUESTION_BYTES))
        .add_service(reflection().build_v1alpha()?.max_decoding_message_size(MAX_QUESTION_BYTES));
    let server = Server::builder()
        .max_concurrent_streams(MAX_STREAMS_PER_CONNECTION)
        .http2_max_header_list_size(MAX_METADATA_BYTES)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        // WHY no end for what is under way then: a watch may go on for weeks. New calls come on a new
        // connection, which may end at another node.
        .max_connection_age(CONNECTION_AGE)
        .accept_http1(true)
        .layer(WebLayer(web_origins))
        .layer(GrpcWebLayer::new())
        .layer(BodyLayer)
        // WHY the innermost: here every answer is plain gRPC with its status in trailers.
        .layer(CountLayer(calls))
        .add_routes(services)
        .serve_with_incoming_shutdown(accept(listener, connections), stop);
    let grace = async move {
        let _ = stopped.wait_for(|stopped| *stopped).await;
        tokio::time::sleep(STOP_GRACE).await;
    };
    tokio::select! {
        ended = server => Ok(ended?),
        never = following => match never {},
        () = grace => {
            tracing::warn!("calls were still under way when the server stopped");
            Ok(())
        }
    }
}
