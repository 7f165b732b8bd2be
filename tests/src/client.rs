//! A client of every service, and what a server's errors tell.

use std::collections::BTreeMap;
use std::time::Duration;

use encours_proto::v1;
use encours_proto::v1::batch_service_client::BatchServiceClient;
use encours_proto::v1::credit_note_service_client::CreditNoteServiceClient;
use encours_proto::v1::customer_service_client::CustomerServiceClient;
use encours_proto::v1::event_log_service_client::EventLogServiceClient;
use encours_proto::v1::invoice_service_client::InvoiceServiceClient;
use encours_proto::v1::ledger_service_client::LedgerServiceClient;
use encours_proto::v1::payment_service_client::PaymentServiceClient;
use encours_proto::v1::report_service_client::ReportServiceClient;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// How long a call may take.
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// Answers may be this long: a page of a thousand entries fits.
const ANSWER_MAX: usize = 16 << 20;

/// A client of every service, on one connection. Clones share it.
#[derive(Clone, Debug)]
pub struct Client {
    /// Ledgers and clocks.
    pub ledgers: LedgerServiceClient<Channel>,
    /// Customers.
    pub customers: CustomerServiceClient<Channel>,
    /// Invoices.
    pub invoices: InvoiceServiceClient<Channel>,
    /// Payments and allocations.
    pub payments: PaymentServiceClient<Channel>,
    /// Credit notes.
    pub credit_notes: CreditNoteServiceClient<Channel>,
    /// Totals and ageing.
    pub reports: ReportServiceClient<Channel>,
    /// Many commands on one call.
    pub batch: BatchServiceClient<Channel>,
    /// The event log.
    pub log: EventLogServiceClient<Channel>,
}

impl Client {
    /// Connects to a server.
    ///
    /// # Panics
    /// Where none answers.
    pub async fn connect(url: &str) -> Self {
        let channel = endpoint(url, CALL_LIMIT).connect().await;
        Self::on(channel.unwrap_or_else(|error| panic!("{url}: {error}")))
    }

    /// A client that connects when it is first used, and again where it has lost its connection; a
    /// call may take this long.
    ///
    /// # Panics
    /// Where this is no URL.
    #[must_use]
    pub fn lazy(url: &str, limit: Duration) -> Self {
        Self::on(endpoint(url, limit).connect_lazy())
    }

    fn on(channel: Channel) -> Self {
        Self {
            ledgers: LedgerServiceClient::new(channel.clone()),
            customers: CustomerServiceClient::new(channel.clone()),
            invoices: InvoiceServiceClient::new(channel.clone())
                .max_decoding_message_size(ANSWER_MAX),
            payments: PaymentServiceClient::new(channel.clone()),
            credit_notes: CreditNoteServiceClient::new(channel.clone()),
            reports: ReportServiceClient::new(channel.clone()),
            batch: BatchServiceClient::new(channel.clone()).max_decoding_message_size(ANSWER_MAX),
            log: EventLogServiceClient::new(channel).max_decoding_message_size(ANSWER_MAX),
        }
    }

    /// The newest durable frame.
    ///
    /// # Panics
    /// Where the call fails.
    pub async fn head(&self) -> v1::GetHeadResponse {
        let answer = self.log.clone().get_head(v1::GetHeadRequest::default()).await;
        answer.expect("GetHead").into_inner()
    }

    /// Every event after a position, up to the end of the log.
    ///
    /// # Panics
    /// Where a call fails, or the position does not move on.
    pub async fn events_after(&self, position: u64) -> Vec<v1::PublicEvent> {
        self.events_between(position, self.head().await.position).await
    }

    /// Every event after a position, up to the end of the log as this node has it once it has reached
    /// `min_position`.
    ///
    /// # Panics
    /// Where a call fails, or the position does not move on.
    pub async fn events_between(
        &self,
        mut position: u64,
        min_position: u64,
    ) -> Vec<v1::PublicEvent> {
        let mut events = Vec::new();
        loop {
            let request = v1::ReadEventsRequest {
                after_position: position,
                page_size: 1_000,
                min_position,
                ..Default::default()
            };
            let page = self.log.clone().read_events(request).await.expect("ReadEvents");
            let page = page.into_inner();
            events.extend(page.events);
            assert!(page.end || page.last_position > position, "ReadEvents goes on");
            position = page.last_position;
            if page.end {
                return events;
            }
        }
    }
}

fn endpoint(url: &str, limit: Duration) -> Endpoint {
    let endpoint = Endpoint::from_shared(url.to_owned()).expect("a URL");
    endpoint.connect_timeout(Duration::from_secs(10)).timeout(limit).tcp_nodelay(true)
}

/// What an error of a server tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The canonical code.
    pub code: Code,
    /// The stable reason; empty where the error has no details.
    pub reason: String,
    /// Who gave the reason: `encours`.
    pub domain: String,
    /// The figures.
    pub figures: BTreeMap<String, String>,
    /// The fields that are malformed.
    pub fields: Vec<String>,
    /// The sentence for people.
    pub message: String,
    /// After how many milliseconds to try again; 0 where it does not say.
    pub retry_ms: u128,
}

impl Told {
    /// Whether faults bring it about, not the command itself: trying again may help.
    #[must_use]
    pub fn is_of_faults(&self) -> bool {
        match self.code {
            Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted => true,
            // Those of the client's own transport, which has no reasons.
            Code::Cancelled | Code::Internal => self.reason.is_empty(),
            Code::Unknown => matches!(&*self.reason, "" | "OUTCOME_UNKNOWN"),
            _ => false,
        }
    }
}

impl From<&Status> for Told {
    fn from(status: &Status) -> Self {
        let info = status.get_details_error_info();
        let bad = status.get_details_bad_request();
        let fields = bad.map(|bad| bad.field_violations).unwrap_or_default();
        let retry = status.get_details_retry_info().and_then(|retry| retry.retry_delay);
        Self {
            code: status.code(),
            reason: info.as_ref().map(|info| info.reason.clone()).unwrap_or_default(),
            domain: info.as_ref().map(|info| info.domain.clone()).unwrap_or_default(),
            figures: info.map(|info| info.metadata.into_iter().collect()).unwrap_or_default(),
            fields: fields.into_iter().map(|violation| violation.field).collect(),
            message: status.message().to_owned(),
            retry_ms: retry.unwrap_or_default().as_millis(),
        }
    }
}

impl From<v1::CommandError> for Told {
    fn from(error: v1::CommandError) -> Self {
        Self {
            code: Code::from(error.code),
            reason: error.reason,
            domain: String::new(),
            figures: error.figures.into_iter().collect(),
            fields: Some(error.field).filter(|field| !field.is_empty()).into_iter().collect(),
            message: error.message,
            retry_ms: error.retry_after_ms.into(),
        }
    }
}
