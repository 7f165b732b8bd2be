//! The connection to a server, for all that speaks gRPC.
//!
//! Every call ends within `--timeout`. A stream may take as long as it likes, on a connection that is
//! given up where the server does not answer pings. After a write without an answer nobody knows here
//! whether it was carried out, and [`Client::write`] says so.

use std::future::Future;
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
use tonic::{Code, Request, Response, Status, TimeoutExpired};

use crate::failure::{Exit, Failure, Outcome};
use crate::status::Told;

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a connection without traffic is tried, and how long it may stay without an answer then.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
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

    /// How long a call may take; `events watch`, `export` and `log verify` take as long as they need
    #[arg(long, env = "ENCOURS_TIMEOUT", default_value_t = 30, value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
}

/// Says who acts and how long the call may take, on every call.
#[derive(Clone)]
pub(crate) struct Caller {
    actor: MetadataValue<Ascii>,
    timeout: Option<Duration>,
}

impl Interceptor for Caller {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("encours-actor", self.actor.clone());
        if let Some(timeout) = self.timeout {
            request.set_timeout(timeout);
        }
        Ok(request)
    }
}

type Road = InterceptedService<Channel, Caller>;

/// A connection to a server.
#[derive(Clone)]
pub(crate) struct Client {
    /// For calls with one answer.
    road: Road,
    /// For streams of answers.
    stream: Road,
    timeout: Duration,
}

macro_rules! services {
    ($($name:ident: $client:ident on $road:ident;)*) => {
        impl Client {
            $(pub(crate) fn $name(&self) -> $client<Road> {
                $client::new(self.$road.clone()).max_decoding_message_size(ANSWER_MAX_BYTES)
            })*
        }
    };
}

services! {
    batch: BatchServiceClient on road;
    credit_notes: CreditNoteServiceClient on road;
    customers: CustomerServiceClient on road;
    event_log: EventLogServiceClient on road;
    event_streams: EventLogServiceClient on stream;
    invoices: InvoiceServiceClient on road;
    ledgers: LedgerServiceClient on road;
    payments: PaymentServiceClient on road;
    reports: ReportServiceClient on road;
    report_streams: ReportServiceClient on stream;
}

impl Client {
    /// Connects, and fails at once where no server answers.
    pub(crate) async fn connect(args: &ServerArgs) -> Outcome<Self> {
        let ServerArgs { server, actor, timeout } = args;
        let printable = actor.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        let actor = actor.parse().ok().filter(|_| printable).ok_or_else(|| {
            Failure::usage(format!("--actor {actor:?} has characters outside printable ASCII"))
        })?;
        let endpoint = Endpoint::from_shared(server.clone())
            .ok()
            .filter(|endpoint| endpoint.uri().scheme_str() == Some("http"))
            .ok_or_else(|| {
                Failure::usage(format!("--server {server:?} is not of the form http://HOST:PORT"))
                    .hint("it looks like http://127.0.0.1:50051")
            })?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_TIMEOUT)
            .keep_alive_while_idle(true)
            .tcp_nodelay(true);
        let channel = endpoint.connect().await.map_err(|error| {
            let message = format!("no server answers at {server}: {}", innermost(&error));
            Failure::new(Exit::Unavailable, message)
                .hint("is the server running? `encours serve` starts one")
        })?;
        let timeout = Duration::from_secs(*timeout);
        let caller = Caller { actor, timeout: Some(timeout) };
        let without_end = Caller { timeout: None, ..caller.clone() };
        let stream = InterceptedService::new(channel.clone(), without_end);
        Ok(Self { road: InterceptedService::new(channel, caller), stream, timeout })
    }

    /// The answer to a write.
    ///
    /// # Errors
    /// What the server said. Where it said nothing, that the write may have been carried out or not.
    pub(crate) async fn write<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Outcome<T> {
        call.await.map(Response::into_inner).map_err(|status| self.unsettled(&status))
    }

    /// What a write has failed with.
    fn unsettled(&self, status: &Status) -> Failure {
        let why = match Silence::of(status) {
            None => return Failure::from_status(status),
            Some(Silence::Late) => format!("no answer within {} s", self.timeout.as_secs()),
            Some(Silence::Broken(why)) => format!("the connection broke: {why}"),
        };
        let message = format!("{why}; the command may have been carried out or not");
        Failure::new(Exit::Unavailable, message).hint(
            "look before repeating it; with the same --request-id a repeat is never done twice",
        )
    }

    /// The newest frame of a log: of the one of this name, or that this ledger is in, or the only one.
    pub(crate) async fn head(&self, log: &str, ledger_id: &str) -> Outcome<v1::GetHeadResponse> {
        let (log, ledger_id) = (log.to_owned(), ledger_id.to_owned());
        let request = v1::GetHeadRequest { log, ledger_id };
        Ok(self.event_log().get_head(request).await?.into_inner())
    }

    /// The newest position of the log that a ledger is in: what a read waits for, so that it shows
    /// what was written before it was asked.
    pub(crate) async fn position(&self, ledger_id: &str) -> Outcome<u64> {
        Ok(self.head("", ledger_id).await?.position)
    }

    /// The same of a log by its name, or of the only one; 0 where there are several and none is
    /// named, since each counts for itself.
    pub(crate) async fn position_of_all(&self, log: &str) -> Outcome<u64> {
        let request = v1::GetHeadRequest { log: log.to_owned(), ..Default::default() };
        match self.event_log().get_head(request).await {
            Ok(head) => Ok(head.into_inner().position),
            Err(status) if is_about_one(&status) => Ok(0),
            Err(status) => Err(status.into()),
        }
    }
}

/// Whether a call was refused because it has to be about one of several logs.
fn is_about_one(status: &Status) -> bool {
    Told::of(status).reason == "MISSING_LOG"
}

/// How a call ended that the server gave no answer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Its time was up.
    Late,
    /// The connection broke, and what the system said.
    Broken(String),
}

impl Silence {
    /// Tells it from an answer: a status that was made on this side has a cause, and one that the
    /// server cuts a call off with has no details.
    pub(crate) fn of(status: &Status) -> Option<Self> {
        let mut cause = std::error::Error::source(status);
        if cause.is_none() {
            let cut_off = matches!(status.code(), Code::Cancelled | Code::DeadlineExceeded);
            return (cut_off && status.details().is_empty()).then_some(Self::Late);
        }
        while let Some(error) = cause {
            if error.is::<TimeoutExpired>() {
                return Some(Self::Late);
            }
            cause = error.source();
        }
        Some(Self::Broken(innermost(status)))
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

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn an_answer_is_told_from_silence() {
        let late = Some(Silence::Late);
        assert_eq!(Silence::of(&Status::cancelled("Timeout expired")), late);
        assert_eq!(Silence::of(&Status::from_error(Box::new(TimeoutExpired(())))), late);
        let broken = Status::from_error(Box::new(io::Error::other("reset by peer")));
        assert_eq!(Silence::of(&broken), Some(Silence::Broken("reset by peer".to_owned())));
        for answer in [
            Status::unavailable("the service is stopping"),
            Status::with_details(Code::DeadlineExceeded, "not yet", vec![1].into()),
            Status::not_found("there is no customer x"),
        ] {
            assert_eq!(Silence::of(&answer), None, "{answer}");
        }
    }
}
