//! A server on a free port, clients for it, and short ways to say requests.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use encours_api::Api;
use encours_audit::Notary;
use encours_domain::Micros;
use encours_domain::commands::RunDay;
use encours_engine::{Engine, EngineHandle, EngineOptions, Submission};
use encours_log::{Clock, Disk, LogId, LogReader, MemoryLog};
use encours_projections::{ReadModel, ReadModelOptions};
use encours_proto::v1;
use encours_proto::v1::batch_service_client::BatchServiceClient;
use encours_proto::v1::credit_note_service_client::CreditNoteServiceClient;
use encours_proto::v1::customer_service_client::CustomerServiceClient;
use encours_proto::v1::event_log_service_client::EventLogServiceClient;
use encours_proto::v1::invoice_service_client::InvoiceServiceClient;
use encours_proto::v1::ledger_service_client::LedgerServiceClient;
use encours_proto::v1::payment_service_client::PaymentServiceClient;
use encours_proto::v1::report_service_client::ReportServiceClient;
use encours_sim::{SimClock, SimDisk};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

/// 2026-01-05T08:00:00Z.
pub(crate) const NOW: Micros = Micros(1_767_600_000_000_000);
/// Answers of a full page are longer than a client takes by default.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// A running server with its engine. Stops when it is dropped.
pub(crate) struct Server {
    engine: Engine,
    pub(crate) model: ReadModel,
    pub(crate) address: String,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) ended: Option<JoinHandle<()>>,
    days: JoinHandle<()>,
}

/// A client of every service.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) channel: Channel,
    pub(crate) ledgers: LedgerServiceClient<Channel>,
    pub(crate) customers: CustomerServiceClient<Channel>,
    pub(crate) invoices: InvoiceServiceClient<Channel>,
    pub(crate) payments: PaymentServiceClient<Channel>,
    pub(crate) credit_notes: CreditNoteServiceClient<Channel>,
    pub(crate) reports: ReportServiceClient<Channel>,
    pub(crate) batch: BatchServiceClient<Channel>,
    pub(crate) log: EventLogServiceClient<Channel>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(|api| api).await
    }

    /// A server whose services are set up further before they are served.
    pub(crate) async fn start_with(set_up: impl FnOnce(Api) -> Api) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SimClock::new(NOW));
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
        let log = Box::new(MemoryLog::new(LogId([7; 16])));
        let options = EngineOptions::new(log, disk, Arc::clone(&clock));
        let engine = Engine::open(options, Path::new("/data")).unwrap();
        let handle = engine.handle();
        let reader = handle.reader();
        let model = ReadModel::open(ReadModelOptions { reader, checkpoint: None, clock }).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let api = set_up(signing(Api::new(handle.clone(), model.clone()), handle.reader()));
        let ended = tokio::spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            api.serve(listener, shutdown).await.unwrap();
        });
        let days = tokio::spawn(run_days(handle));
        let (stop, ended) = (Some(stop), Some(ended));
        Self { engine, model, address, stop, ended, days }
    }

    pub(crate) fn engine(&self) -> EngineHandle {
        self.engine.handle()
    }

    pub(crate) async fn client(&self) -> Client {
        Client::to(&self.address).await
    }

    /// Leaves opened days unfinished from here on.
    pub(crate) fn stop_days(&self) {
        self.days.abort();
    }

    /// Asks the server to stop.
    pub(crate) fn stop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
    }
}

impl Client {
    pub(crate) async fn to(address: &str) -> Self {
        let channel = Endpoint::from_shared(address.to_owned()).unwrap().connect().await.unwrap();
        let answer = MAX_ANSWER;
        Self {
            ledgers: LedgerServiceClient::new(channel.clone()),
            customers: CustomerServiceClient::new(channel.clone())
                .max_decoding_message_size(answer),
            invoices: InvoiceServiceClient::new(channel.clone()),
            payments: PaymentServiceClient::new(channel.clone()),
            credit_notes: CreditNoteServiceClient::new(channel.clone()),
            reports: ReportServiceClient::new(channel.clone()),
            batch: BatchServiceClient::new(channel.clone()),
            log: EventLogServiceClient::new(channel.clone()),
            channel,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        self.days.abort();
        self.model.stop();
    }
}

/// The services with a notary that has signed the log as it stands, where it holds something.
pub(crate) fn signing(api: Api, reader: Arc<dyn LogReader>) -> Api {
    let notary = Notary::open(reader, Arc::new(SimDisk::new(1)), Path::new("/data")).unwrap();
    while !notary.advance(64).unwrap() {}
    let _ = notary.sign().unwrap();
    api.with_notary(Arc::new(notary))
}

/// Runs days until they are finished, as the scheduler does.
pub(crate) async fn run_days(engine: EngineHandle) {
    let mut clocks = engine.clocks();
    loop {
        let open =
            clocks.borrow_and_update().iter().find(|clock| clock.finished < clock.today).cloned();
        if let Some(clock) = open {
            let day = clock.finished.plus(1).unwrap();
            let command = RunDay { clock: clock.no, day, limit: 1_000 };
            let _ = engine.execute(Submission::new(command, "system")).await;
        }
        if clocks.changed().await.is_err() {
            return;
        }
    }
}

/// A server with the ledger `acme` on a test clock at 2026-01-05, in EUR.
pub(crate) async fn acme() -> (Server, Client) {
    let server = Server::start().await;
    let client = acme_on(&server).await;
    (server, client)
}

/// The same on a server that runs already.
pub(crate) async fn acme_on(server: &Server) -> Client {
    let mut client = server.client().await;
    let request = v1::CreateLedgerRequest {
        ledger_id: "acme".into(),
        name: "Acme SA".into(),
        currency_code: "EUR".into(),
        time_zone: "Europe/Paris".into(),
        test_clock: Some(v1::TestClock {
            clock_id: String::new(),
            start_date: Some(date(2026, 1, 5)),
        }),
        ..Default::default()
    };
    client.ledgers.create_ledger(request).await.unwrap();
    client
}

impl Client {
    pub(crate) async fn customer(&mut self, id: &str) -> v1::Customer {
        let request = customer(id);
        let response = self.customers.create_customer(request).await.unwrap().into_inner();
        response.customer.unwrap()
    }

    pub(crate) async fn invoice(&mut self, id: &str, customer: &str, cents: i64) -> v1::Invoice {
        let request = invoice(id, customer, cents);
        let response = self.invoices.issue_invoice(request).await.unwrap().into_inner();
        response.invoice.unwrap()
    }

    pub(crate) async fn advance(&mut self, year: i32, month: i32, day: i32) -> u64 {
        let request = v1::AdvanceClockRequest {
            ledger_id: "acme".into(),
            to: Some(date(year, month, day)),
            ..Default::default()
        };
        self.ledgers.advance_clock(request).await.unwrap().into_inner().position
    }

    pub(crate) async fn head(&mut self) -> u64 {
        self.log.get_head(v1::GetHeadRequest::default()).await.unwrap().into_inner().position
    }
}

pub(crate) fn customer(id: &str) -> v1::CreateCustomerRequest {
    v1::CreateCustomerRequest {
        ledger_id: "acme".into(),
        customer_id: id.into(),
        name: format!("Name of {id}"),
        ..Default::default()
    }
}

pub(crate) fn invoice(id: &str, customer: &str, cents: i64) -> v1::IssueInvoiceRequest {
    v1::IssueInvoiceRequest {
        ledger_id: "acme".into(),
        invoice_id: id.into(),
        customer_id: customer.into(),
        total: Some(eur(cents)),
        ..Default::default()
    }
}

pub(crate) fn payment(id: &str, customer: &str, cents: i64) -> v1::RecordPaymentRequest {
    v1::RecordPaymentRequest {
        ledger_id: "acme".into(),
        payment_id: id.into(),
        customer_id: customer.into(),
        amount: Some(eur(cents)),
        method: v1::PaymentMethod::Transfer.into(),
        ..Default::default()
    }
}

pub(crate) fn eur(cents: i64) -> v1::Money {
    v1::Money {
        currency_code: "EUR".into(),
        units: cents / 100,
        nanos: (cents % 100) as i32 * 10_000_000,
    }
}

pub(crate) const fn date(year: i32, month: i32, day: i32) -> v1::Date {
    v1::Date { year, month, day }
}

/// Reason, field violations and figures of an error.
pub(crate) fn reason(status: &Status) -> String {
    use tonic_types::StatusExt as _;
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!(info.domain, "encours");
    info.reason.clone()
}

/// The field that a bad request is about.
pub(crate) fn field(status: &Status) -> String {
    use tonic_types::StatusExt as _;
    let details = status.get_error_details();
    details
        .bad_request()
        .and_then(|bad| bad.field_violations.first().map(|violation| violation.field.clone()))
        .unwrap_or_default()
}

/// Fails after a while instead of hanging.
pub(crate) async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), work)
        .await
        .unwrap_or_else(|_| panic!("{what}: nothing within 20 seconds"))
}
