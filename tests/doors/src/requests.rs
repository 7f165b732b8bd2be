//! Request messages of every method, from bytes to what is decided on them.

use std::cell::RefCell;

use encours_domain::commands::Digest;
use encours_domain::details::Secret;
use encours_domain::{Context, Day, Decision, Event, Position, Refusal, State};
use encours_proto::command::{WriteRequest, write};
use encours_proto::subject::Pattern;
use encours_proto::v1::command::Command as C;
use encours_proto::{Message, filter, v1};

/// A method and what is done with the bytes of its request.
type Method = (&'static str, fn(&[u8]));

macro_rules! methods {
    ($($kind:ident $path:literal $request:ident;)*) => {
        /// Every method of the contract. The order is that of the seeds: new ones come last.
        const METHODS: &[Method] = &[$(($path, |data| $kind::<v1::$request>(data)),)*];
    };
}

methods! {
    batch "Batch/Execute" ExecuteRequest;
    batch "Batch/ExecuteStream" ExecuteStreamRequest;
    change "CreditNote/IssueCreditNote" IssueCreditNoteRequest;
    ask "CreditNote/GetCreditNote" GetCreditNoteRequest;
    ask "CreditNote/ListCreditNotes" ListCreditNotesRequest;
    change "Customer/CreateCustomer" CreateCustomerRequest;
    change "Customer/UpdateCustomer" UpdateCustomerRequest;
    change "Customer/AddOpeningItem" AddOpeningItemRequest;
    change "Customer/CorrectOpeningItem" CorrectOpeningItemRequest;
    change "Customer/SetCreditLimit" SetCreditLimitRequest;
    ask "Customer/CheckCredit" CheckCreditRequest;
    change "Customer/RecordReminder" CustomerServiceRecordReminderRequest;
    ask "Customer/GetCustomer" GetCustomerRequest;
    ask "Customer/ListCustomers" ListCustomersRequest;
    watch "EventLog/ReadEvents" ReadEventsRequest;
    watch "EventLog/WatchEvents" WatchEventsRequest;
    ask "EventLog/GetHead" GetHeadRequest;
    ask "EventLog/VerifyLog" VerifyLogRequest;
    change "Invoice/CreateDraft" CreateDraftRequest;
    change "Invoice/UpdateDraft" UpdateDraftRequest;
    change "Invoice/DeleteDraft" DeleteDraftRequest;
    change "Invoice/IssueInvoice" IssueInvoiceRequest;
    change "Invoice/MarkSent" MarkSentRequest;
    change "Invoice/CancelInvoice" CancelInvoiceRequest;
    change "Invoice/DisputeInvoice" DisputeInvoiceRequest;
    change "Invoice/ResolveDispute" ResolveDisputeRequest;
    change "Invoice/PlanPayment" PlanPaymentRequest;
    change "Invoice/CancelPlannedPayment" CancelPlannedPaymentRequest;
    change "Invoice/StopReminders" StopRemindersRequest;
    change "Invoice/RecordReminder" RecordReminderRequest;
    ask "Invoice/GetReminderPlan" GetReminderPlanRequest;
    ask "Invoice/ListUpcomingReminders" ListUpcomingRemindersRequest;
    ask "Invoice/GetInvoice" GetInvoiceRequest;
    list "Invoice/ListInvoices" ListInvoicesRequest;
    ask "Invoice/ListInvoiceActivity" ListInvoiceActivityRequest;
    change "Ledger/CreateLedger" CreateLedgerRequest;
    ask "Ledger/GetLedger" GetLedgerRequest;
    ask "Ledger/ListLedgers" ListLedgersRequest;
    change "Ledger/AdvanceClock" AdvanceClockRequest;
    change "Payment/RecordPayment" RecordPaymentRequest;
    change "Payment/Allocate" AllocateRequest;
    change "Payment/Deallocate" DeallocateRequest;
    change "Payment/ReversePayment" ReversePaymentRequest;
    change "Payment/RefundPayment" RefundPaymentRequest;
    ask "Payment/GetPayment" GetPaymentRequest;
    ask "Payment/ListPayments" ListPaymentsRequest;
    ask "Report/GetLedgerTotals" GetLedgerTotalsRequest;
    ask "Report/GetAgeing" GetAgeingRequest;
    ask "Report/ExportCsv" ExportCsvRequest;
    ask "EventLog/GetProof" GetProofRequest;
    ask "EventLog/GetCheckpoint" GetCheckpointRequest;
    ask "EventLog/RebuildReadModel" RebuildReadModelRequest;
}

/// The methods, such as `Invoice/IssueInvoice`, by the byte that stands for them.
pub fn methods() -> impl Iterator<Item = &'static str> {
    METHODS.iter().map(|(path, _)| *path)
}

/// The request of a method, which the first byte tells.
///
/// # Panics
/// Where one of the functions behind it does.
pub fn request(data: &[u8]) {
    let Some((&method, message)) = data.split_first() else { return };
    if let Some((_, then)) = METHODS.get(usize::from(method)) {
        then(message);
    }
}

/// Reads a message; what was read is the same when it is written and read again.
fn read<M: Message + Default + PartialEq>(data: &[u8]) -> Option<M> {
    let message = M::decode(data).ok()?;
    let again = message.encode_to_vec();
    assert_eq!(again.len(), message.encoded_len());
    assert!(M::decode(&*again).expect("what was written is read") == message);
    Some(message)
}

fn ask<M: Message + Default + PartialEq>(data: &[u8]) {
    drop(read::<M>(data));
}

fn change<M: Message + Default + PartialEq + WriteRequest>(data: &[u8]) {
    if let Some(message) = read::<M>(data) {
        execute(v1::Command { command: Some(message.into_command()) });
    }
}

/// A message that holds commands.
trait Commands {
    fn commands(self) -> Vec<v1::Command>;
}

impl Commands for v1::ExecuteRequest {
    fn commands(self) -> Vec<v1::Command> {
        self.commands
    }
}

impl Commands for v1::ExecuteStreamRequest {
    fn commands(self) -> Vec<v1::Command> {
        self.command.into_iter().collect()
    }
}

fn batch<M: Message + Default + PartialEq + Commands>(data: &[u8]) {
    if let Some(message) = read::<M>(data) {
        message.commands().into_iter().take(16).for_each(execute);
    }
}

/// A message with a filter of events.
trait Filtered {
    fn filter(self) -> Option<v1::EventFilter>;
}

impl Filtered for v1::ReadEventsRequest {
    fn filter(self) -> Option<v1::EventFilter> {
        self.filter
    }
}

impl Filtered for v1::WatchEventsRequest {
    fn filter(self) -> Option<v1::EventFilter> {
        self.filter
    }
}

fn watch<M: Message + Default + PartialEq + Filtered>(data: &[u8]) {
    let Some(filter) = read::<M>(data).and_then(M::filter) else { return };
    for subject in filter.subjects {
        if let Ok(pattern) = Pattern::parse(&subject) {
            drop((pattern.admits("invoice.issued"), pattern.known_instead()));
        }
    }
}

fn list<M: Message + Default + PartialEq + Into<v1::ListInvoicesRequest>>(data: &[u8]) {
    let Some(request) = read::<M>(data) else { return };
    let Some(wanted) = request.into().filter else { return };
    for range in [wanted.issue_dates, wanted.due_dates].into_iter().flatten() {
        drop(filter::days("filter", range));
    }
    if let Some(range) = &wanted.open_amounts {
        drop(filter::amounts("filter", range));
    }
    if let Some(label) = &wanted.label {
        drop(filter::invoice_label("filter", label));
    }
    drop(filter::search("filter", wanted.text));
}

/// Books that a command is decided on.
struct Books {
    events: Vec<(Digest, Event)>,
    state: State,
}

thread_local! {
    static BOOKS: RefCell<Books> = RefCell::new(Books::of_acme());
}

impl Books {
    /// A ledger with a customer, invoices, a draft and a payment.
    fn of_acme() -> Self {
        let mut books = Self { events: Vec::new(), state: State::default() };
        for command in commands_of_acme() {
            let happened = books.decide(v1::Command { command: Some(command.clone()) });
            let happened = happened.unwrap_or_else(|refusal| panic!("{command:?}: {refusal}"));
            books.happen(happened);
        }
        books
    }

    /// The events of a command; none where it was done before.
    fn decide(&self, message: v1::Command) -> Result<Vec<(Digest, Event)>, Refusal> {
        let write = write(message)?;
        let digest = [u8::try_from(self.events.len() % 251).expect("small"); 16];
        let context = Context {
            position: Position(self.events.len() as u64 + 1),
            digest,
            expected_version: write.expected_version,
            zone_day: Day::from_ymd(2026, 1, 5),
        };
        match write.command.decide(&self.state, &context)? {
            Decision::Accept(events) => {
                let _ = write.command.subject(&self.state, &events);
                Ok(events.into_iter().map(|event| (digest, sealed(event))).collect())
            }
            Decision::Repeat { .. } => Ok(Vec::new()),
        }
    }

    fn happen(&mut self, events: Vec<(Digest, Event)>) {
        for (digest, event) in events {
            let position = Position(self.events.len() as u64 + 1);
            self.state.apply(position, digest, &event);
            self.events.push((digest, event));
        }
    }

    /// Whether events fit: to apply them must not panic.
    fn try_on(&self, events: Vec<(Digest, Event)>) {
        let mut other = Self { events: Vec::new(), state: State::default() };
        other.happen(self.events.clone());
        other.happen(events);
    }
}

/// The event as the engine has it before it is applied and stored: no detail is in clear. What is
/// sealed is not looked at, so that it may be anything.
fn sealed(mut event: Event) -> Event {
    let details = match &mut event {
        Event::CustomerCreated(created) => &mut created.details,
        Event::CustomerUpdated(updated) => &mut updated.details,
        _ => return event,
    };
    for (_, secret) in details {
        *secret = Secret::Sealed([0; 40].into());
    }
    event
}

/// Decides a command on the books, applies what it yields, and encodes it as the log would.
fn execute(command: v1::Command) {
    BOOKS.with_borrow(|books| {
        let Ok(events) = books.decide(command) else { return };
        for (_, event) in &events {
            match encours_schema::encode(event) {
                Ok(stored) => {
                    let read = encours_schema::decode(stored.kind, stored.version, &stored.payload);
                    assert_eq!(read.as_ref().ok(), Some(event), "{read:?}");
                }
                Err(error) => panic!("what was decided cannot be stored: {error}: {event:?}"),
            }
        }
        books.try_on(events);
    });
}

fn euro(cents: i64) -> Option<v1::Money> {
    let (units, nanos) = (cents / 100, i32::try_from(cents % 100).expect("small") * 10_000_000);
    Some(v1::Money { currency_code: "EUR".into(), units, nanos })
}

fn day(month: i32, day: i32) -> Option<v1::Date> {
    Some(v1::Date { year: 2026, month, day })
}

/// What happens in the ledger.
pub fn commands_of_acme() -> Vec<C> {
    let (ledger_id, customer_id) = ("acme".to_owned(), "ada".to_owned());
    let clock = v1::TestClock { clock_id: "sim".into(), start_date: day(1, 5) };
    let issue = |id: &str, cents| {
        C::IssueInvoice(v1::IssueInvoiceRequest {
            ledger_id: ledger_id.clone(),
            invoice_id: id.into(),
            customer_id: customer_id.clone(),
            total: euro(cents),
            ..Default::default()
        })
    };
    vec![
        C::CreateLedger(v1::CreateLedgerRequest {
            ledger_id: ledger_id.clone(),
            currency_code: "EUR".into(),
            time_zone: "Europe/Paris".into(),
            test_clock: Some(clock),
            ..Default::default()
        }),
        C::CreateCustomer(v1::CreateCustomerRequest {
            ledger_id: ledger_id.clone(),
            customer_id: customer_id.clone(),
            name: "Ada".into(),
            ..Default::default()
        }),
        issue("F1", 4_000),
        issue("F2", 12_345),
        C::CreateDraft(v1::CreateDraftRequest {
            ledger_id: ledger_id.clone(),
            invoice_id: "D1".into(),
            customer_id: customer_id.clone(),
            total: euro(700),
            ..Default::default()
        }),
        C::RecordPayment(v1::RecordPaymentRequest {
            ledger_id,
            payment_id: "P1".into(),
            customer_id,
            amount: euro(1_000),
            ..Default::default()
        }),
    ]
}
