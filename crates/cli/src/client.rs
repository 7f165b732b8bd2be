//! The connection to a server, for all that speaks gRPC.

use std::time::Duration;

use clap::Args;
use encours_proto::v1;
use encours_proto::v1::batch_service_client::BatchServiceClient;
use encours_proto::v1::credit_note_service_client::CreditNoteServiceClient;
use encours_proto::v1::customer_service_client::CustomerServiceClient;
use encours_proto::v1::event_log_service_client::EventLogServiceClient;
use encours_proto::v1::invoice_service_client::InvoiceServiceClient;
use encours_proto::v1::ledger_service_client::LedgerServiceClient;
use encours_proto::v1::payment_service_client::PaymentServiceClient;
use encours_proto::v1::report_service_client::ReportServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::failure::{Exit, Failure, Outcome};

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer that is read: a page of a thousand entries or a batch fits many times over.
const ANSWER_MAX_BYTES: usize = 64 << 20;
/// The most entries of a page.
pub(crate) const PAGE: i32 = 1_000;

/// Where the server is and who asks.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServerArgs {
    /// The server to ask
    #[arg(
        long,
        env = "ENCOURS_SERVER",
        default_value = "http://127.0.0.1:50051",
        value_name = "URL"
    )]
    pub(crate) server: String,

    /// Who acts: kept with every fact
    #[arg(long, env = "ENCOURS_ACTOR", default_value = "encours-cli", value_name = "NAME")]
    pub(crate) actor: String,
}

/// Says who acts, on every call.
#[derive(Clone)]
pub(crate) struct Actor(MetadataValue<Ascii>);

impl Interceptor for Actor {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("encours-actor", self.0.clone());
        Ok(request)
    }
}

type Road = InterceptedService<Channel, Actor>;

/// A connection to a server.
#[derive(Clone)]
pub(crate) struct Client {
    road: Road,
}

macro_rules! services {
    ($($name:ident: $client:ident;)*) => {
        impl Client {
            $(pub(crate) fn $name(&self) -> $client<Road> {
                $client::new(self.road.clone()).max_decoding_message_size(ANSWER_MAX_BYTES)
            })*
        }
    };
}

services! {
    batch: BatchServiceClient;
    credit_notes: CreditNoteServiceClient;
    customers: CustomerServiceClient;
    event_log: EventLogServiceClient;
    invoices: InvoiceServiceClient;
    ledgers: LedgerServiceClient;
    payments: PaymentServiceClient;
    reports: ReportServiceClient;
}

impl Client {
    /// Connects, and fails at once where no server answers.
    pub(crate) async fn connect(args: &ServerArgs) -> Outcome<Self> {
        let ServerArgs { server, actor } = args;
        let printable = actor.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        let actor = actor.parse().ok().filter(|_| printable).ok_or_else(|| {
            Failure::usage(format!("--actor {actor:?} has characters outside printable ASCII"))
        })?;
        let endpoint = Endpoint::from_shared(server.clone())
            .ok()
            .filter(|endpoint| endpoint.uri().scheme_str() == Some("http"))
            .ok_or_else(|| {
                Failure::usage(format!("--server {server:?} is no URL"))
                    .hint("it looks like http://127.0.0.1:50051")
            })?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true);
        let channel = endpoint.connect().await.map_err(|error| {
            let message = format!("no server answers at {server}: {}", innermost(&error));
            Failure::new(Exit::Unavailable, message)
                .hint("is the server running? `encours serve` starts one")
        })?;
        Ok(Self { road: InterceptedService::new(channel, Actor(actor)) })
    }

    /// The newest position of the log: what a read waits for, so that it shows what was written
    /// before it was asked.
    pub(crate) async fn head(&self) -> Outcome<v1::GetHeadResponse> {
        Ok(self.event_log().get_head(v1::GetHeadRequest {}).await?.into_inner())
    }
}

/// The last cause of an error: what the system said.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
