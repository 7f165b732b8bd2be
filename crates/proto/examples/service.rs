//! What a service does with Encours, from its first ledger to its feed of events:
//! `cargo run -p encours-proto --example service [http://127.0.0.1:50051 [LEDGER]]`.
//!
//! Run it twice: every write has a request id, so the second time appends nothing. Stop the server
//! while it runs and start it again: it goes on where it was.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it gets")]

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use encours_proto::v1::batch_service_client::BatchServiceClient;
use encours_proto::v1::customer_service_client::CustomerServiceClient;
use encours_proto::v1::event_log_service_client::EventLogServiceClient;
use encours_proto::v1::invoice_service_client::InvoiceServiceClient;
use encours_proto::v1::ledger_service_client::LedgerServiceClient;
use encours_proto::v1::payment_service_client::PaymentServiceClient;
use encours_proto::v1::{
    self, AdvanceClockRequest, CreateCustomerRequest, CreateLedgerRequest, Date, EventFilter,
    ExecuteRequest, ExplicitAllocation, GetCustomerRequest, InvoiceStatus, IssueInvoiceRequest,
    ListInvoicesRequest, Money, PaymentMethod, RecordPaymentRequest, TestClock, WatchEventsRequest,
};
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;

const ATTEMPTS: u32 = 10;
const DEADLINE: Duration = Duration::from_secs(10);
const WATCH: Duration = Duration::from_secs(60);

/// A request with its deadline, and who acts: kept with every fact.
fn request<Q>(message: Q, deadline: Duration) -> Request<Q> {
    let mut request = Request::new(message);
    request.set_timeout(deadline);
    request.metadata_mut().insert("encours-actor", MetadataValue::from_static("example"));
    request
}

/// Waits before the next attempt, longer each time; fails where trying again cannot help.
async fn pause(status: Status, attempt: u32) -> Result<(), Status> {
    // A call that failed so may have been carried out, or not: repeating it with its request id is
    // safe. `Cancelled` is how tonic tells a connection that closed, or a deadline that passed.
    let may_have_happened = matches!(
        status.code(),
        Code::Unavailable | Code::Unknown | Code::DeadlineExceeded | Code::Cancelled
    );
    let told = status.get_details_retry_info().and_then(|retry| retry.retry_delay);
    if (told.is_none() && !may_have_happened) || attempt == ATTEMPTS {
        return Err(status);
    }
    eprintln!("{:?} {}: trying again", status.code(), reason(&status));
    let full = Duration::from_millis(100 << attempt).min(Duration::from_secs(2));
    let percent = 50 + RandomState::new().hash_one(attempt) % 51;
    let backoff = full / 100 * u32::try_from(percent).unwrap_or(100);
    tokio::time::sleep(backoff.max(told.unwrap_or_default())).await;
    Ok(())
}

/// Calls a method, and repeats the very same request while that may help.
async fn call<Q: Clone, A>(
    message: Q,
    method: impl AsyncFn(Request<Q>) -> Result<Response<A>, Status>,
) -> Result<A, Status> {
    let mut attempt = 1;
    loop {
        match method(request(message.clone(), DEADLINE)).await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) => pause(status, attempt).await?,
        }
        attempt += 1;
    }
}

/// The stable reason of an error; empty where it has none.
fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

fn euros(units: i64) -> Option<Money> {
    Some(Money { currency_code: "EUR".into(), units, nanos: 0 })
}

/// An amount of 0 or more, of whole cents, in integers: never a float.
fn text(money: Option<&Money>) -> String {
    money.map_or_else(String::new, |money| {
        format!("{}.{:02} {}", money.units, money.nanos / 10_000_000, money.currency_code)
    })
}

/// A ledger of its own, and what happens in it.
struct Story {
    ledger_id: String,
    ledgers: LedgerServiceClient<Channel>,
    customers: CustomerServiceClient<Channel>,
    invoices: InvoiceServiceClient<Channel>,
    payments: PaymentServiceClient<Channel>,
    batch: BatchServiceClient<Channel>,
    log: EventLogServiceClient<Channel>,
}

impl Story {
    fn new(channel: Channel, ledger_id: String) -> Self {
        Self {
            ledger_id,
            ledgers: LedgerServiceClient::new(channel.clone()),
            customers: CustomerServiceClient::new(channel.clone()),
            invoices: InvoiceServiceClient::new(channel.clone()),
            payments: PaymentServiceClient::new(channel.clone()),
            batch: BatchServiceClient::new(channel.clone()),
            log: EventLogServiceClient::new(channel),
        }
    }

    /// A ledger on a test clock, which only this program moves, and a customer in it.
    async fn begin(&self) -> Result<(), Status> {
        let start_date = Some(Date { year: 2026, month: 1, day: 5 });
        let ledger = CreateLedgerRequest {
            ledger_id: self.ledger_id.clone(),
            // Unique in the log; those of all other writes in their ledger.
            request_id: format!("{}-create", self.ledger_id),
            currency_code: "EUR".into(),
            time_zone: "Europe/Paris".into(),
            test_clock: Some(TestClock { start_date, ..Default::default() }),
            ..Default::default()
        };
        call(ledger, async |request| self.ledgers.clone().create_ledger(request).await).await?;
        let customer = CreateCustomerRequest {
            ledger_id: self.ledger_id.clone(),
            request_id: "customer-dupont".into(),
            customer_id: "dupont".into(),
            name: "Dupont SARL".into(),
            ..Default::default()
        };
        let create = async |request| self.customers.clone().create_customer(request).await;
        call(customer, create).await?;
        Ok(())
    }

    fn invoice(&self, invoice_id: &str, customer_id: &str, units: i64) -> IssueInvoiceRequest {
        IssueInvoiceRequest {
            ledger_id: self.ledger_id.clone(),
            request_id: format!("issue-{invoice_id}"),
            invoice_id: invoice_id.into(),
            customer_id: customer_id.into(),
            total: euros(units),
            ..Default::default()
        }
    }

    /// The same command again, as after an answer that was lost: the first outcome.
    async fn issue_twice(&self) -> Result<(), Status> {
        let message = self.invoice("F-1", "dupont", 1200);
        let issue = async |request| self.invoices.clone().issue_invoice(request).await;
        let first = call(message.clone(), issue).await?;
        let again = call(message, issue).await?;
        let [issued, repeated] = [first.invoice, again.invoice].map(Option::unwrap_or_default);
        let due = issued.due_date.unwrap_or_default();
        let due = format!("{:04}-{:02}-{:02}", due.year, due.month, due.day);
        println!("issued: {}, {}, due {due}", issued.number, text(issued.total.as_ref()));
        let same = repeated.number == issued.number && again.position == first.position;
        let told = if same && again.repeat { "the same" } else { "ANOTHER" };
        println!("issued again: {told}");
        Ok(())
    }

    /// A part payment, and the balance that it leaves: what one wrote is read.
    async fn pay(&self) -> Result<(), Status> {
        let payment = RecordPaymentRequest {
            ledger_id: self.ledger_id.clone(),
            request_id: "payment-1".into(),
            invoice_id: "F-1".into(),
            amount: euros(450),
            method: PaymentMethod::Transfer.into(),
            ..Default::default()
        };
        let record = async |request| self.payments.clone().record_payment(request).await;
        let position = call(payment, record).await?.position;
        let customer = GetCustomerRequest {
            ledger_id: self.ledger_id.clone(),
            customer_id: "dupont".into(),
            min_position: position,
            // Asked as known then, so that a second run sees the same.
            as_known_at: Some(v1::AsKnownAt { at: Some(v1::as_known_at::At::Position(position)) }),
            ..Default::default()
        };
        let get = async |request| self.customers.clone().get_customer(request).await;
        let customer = call(customer, get).await?.customer.unwrap_or_default();
        for balance in &customer.balances {
            println!(
                "{}: invoiced {}, collected {}, outstanding {}",
                customer.name,
                text(balance.invoiced.as_ref()),
                text(balance.collected.as_ref()),
                text(balance.outstanding.as_ref()),
            );
        }
        Ok(())
    }

    /// More than is open is refused, with the figures; then what is too much is kept apart.
    async fn pay_too_much(&self) -> Result<(), Status> {
        let payment = RecordPaymentRequest {
            ledger_id: self.ledger_id.clone(),
            request_id: "payment-2".into(),
            customer_id: "dupont".into(),
            amount: euros(800),
            allocations: vec![ExplicitAllocation { invoice_id: "F-1".into(), amount: euros(800) }],
            ..Default::default()
        };
        let record = async |request| self.payments.clone().record_payment(request).await;
        match call(payment, record).await {
            Ok(_) => println!("NOT REFUSED"),
            // Programs match on the reason, never on the text.
            Err(status) if reason(&status) == "OVER_ALLOCATION" => {
                let figures = status.get_details_error_info().map(|info| info.metadata);
                let figures = figures.unwrap_or_default();
                let figure = |name| figures.get(name).map_or("", String::as_str);
                let (asked, open) = (figure("asked"), figure("limit"));
                println!("refused: OVER_ALLOCATION, {asked} asked, {open} open");
            }
            Err(status) => return Err(status),
        }
        // Another request, so another id: the refused one bound none, but this one's will be bound.
        let payment = RecordPaymentRequest {
            ledger_id: self.ledger_id.clone(),
            request_id: "payment-2-as-fits".into(),
            invoice_id: "F-1".into(),
            amount: euros(800),
            ..Default::default()
        };
        let paid = call(payment, record).await?.payment.unwrap_or_default();
        let (amount, unapplied) = (text(paid.amount.as_ref()), text(paid.unapplied.as_ref()));
        println!("recorded: {amount}, of it unapplied {unapplied}");
        Ok(())
    }

    /// Many commands on one call; each stands for itself.
    async fn issue_many(&self) -> Result<(), Status> {
        let invoices = [("F-2", "dupont", 100), ("F-3", "nobody", 200), ("F-4", "dupont", 300)];
        let command = |(invoice, customer, units)| v1::Command {
            command: Some(v1::command::Command::IssueInvoice(
                self.invoice(invoice, customer, units),
            )),
        };
        let batch = ExecuteRequest { commands: invoices.into_iter().map(command).collect() };
        let execute = async |request| self.batch.clone().execute(request).await;
        let results = call(batch, execute).await?.results;
        for ((invoice, ..), result) in invoices.into_iter().zip(results) {
            use v1::command_outcome::Resource;
            use v1::command_result::Result;
            match result.result {
                Some(Result::Outcome(outcome)) => {
                    if let Some(Resource::Invoice(issued)) = outcome.resource {
                        println!("{invoice}: {}", issued.number);
                    }
                }
                Some(Result::Error(error)) => println!("{invoice}: refused: {}", error.reason),
                None => {}
            }
        }
        Ok(())
    }

    /// Moves the test clock past the due dates. The position by which all is emitted.
    async fn days_pass(&self) -> Result<u64, Status> {
        let to = AdvanceClockRequest {
            ledger_id: self.ledger_id.clone(),
            request_id: "to-february".into(),
            to: Some(Date { year: 2026, month: 2, day: 10 }),
            ..Default::default()
        };
        let advance = async |request| self.ledgers.clone().advance_clock(request).await;
        Ok(call(to, advance).await?.position)
    }

    /// All invoices, page by page.
    async fn show_invoices(&self, min_position: u64) -> Result<(), Status> {
        let mut message = ListInvoicesRequest {
            ledger_id: self.ledger_id.clone(),
            page_size: 2,
            min_position,
            ..Default::default()
        };
        loop {
            let list = async |request| self.invoices.clone().list_invoices(request).await;
            let page = call(message.clone(), list).await?;
            for invoice in &page.invoices {
                let status = InvoiceStatus::try_from(invoice.status).unwrap_or_default();
                let status = status.as_str_name().trim_start_matches("INVOICE_STATUS_");
                println!("{}: {status}, open {}", invoice.invoice_id, text(invoice.open.as_ref()));
            }
            if page.next_page_token.is_empty() {
                return Ok(());
            }
            message.page_token = page.next_page_token;
        }
    }

    /// The feed of events up to a position. Goes on after the last one where it breaks off.
    async fn watch(&self, until: u64) -> Result<(), Status> {
        let (mut after, mut attempt) = (0, 1);
        while after < until {
            // What is told before it breaks off is not told again.
            if let Err(status) = self.watch_once(&mut after, until).await {
                pause(status, attempt).await?;
                attempt += 1;
            }
        }
        Ok(())
    }

    async fn watch_once(&self, after: &mut u64, until: u64) -> Result<(), Status> {
        // With the days, of which the last one ends it: the filter leaves out what else happens.
        let entities = ["invoice", "payment", "allocation", "day"].map(String::from).to_vec();
        let ledger_id = self.ledger_id.clone();
        let message = WatchEventsRequest {
            filter: Some(EventFilter { ledger_id, entities, ..Default::default() }),
            after_position: *after,
            min_position: until,
            ..Default::default()
        };
        let answers = self.log.clone().watch_events(request(message, WATCH)).await?;
        let mut answers = answers.into_inner();
        while *after < until {
            let Some(answer) = answers.message().await? else { return Ok(()) };
            // A position also comes without an event: what was before it did not pass.
            *after = answer.position;
            let event = answer.event.filter(|event| event.entity != "day" && *after <= until);
            if let Some(event) = event {
                println!("event {}", event.event);
            }
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let server = arguments.next().unwrap_or_else(|| "http://127.0.0.1:50051".into());
    let ledger = arguments.next().unwrap_or_else(|| "example-rust".into());
    // Lazy: where the server is not there yet, the first call finds out and is tried again.
    let story = Story::new(Endpoint::from_shared(server)?.connect_lazy(), ledger);
    story.begin().await?;
    story.issue_twice().await?;
    story.pay().await?;
    story.pay_too_much().await?;
    story.issue_many().await?;
    let finished = story.days_pass().await?;
    story.show_invoices(finished).await?;
    story.watch(finished).await?;
    Ok(())
}
