//! Given / when / then over the domain: a state, commands by name, and what comes of them.

use encours_domain::calendar::Calendar;
use encours_domain::commands::*;
use encours_domain::details::{DetailKind, Secret};
use encours_domain::dunning::Policy;
use encours_domain::event::{Direction, Method, ReversalKind};
use encours_domain::resource::{CreditNote, Customer, Invoice, Ledger, Payment};
use encours_domain::state::State;
use encours_domain::{
    Command, Context, Currency, Day, Decision, Event, Id, Position, Reason, Refusal, Resource,
    Subject,
};

/// A state with a ledger `acme` in EUR on a test clock that stands at 2026-01-01.
pub(crate) struct Scenario {
    pub(crate) state: State,
    position: Position,
    generated: u32,
}

pub(crate) fn id(text: &str) -> Id {
    Id::parse("id", text).unwrap()
}

pub(crate) fn day(text: &str) -> Day {
    let mut parts = text.split('-').map(|part| part.parse::<u32>().unwrap());
    let mut next = || parts.next().unwrap();
    Day::from_ymd(i32::try_from(next()).unwrap(), next(), next()).unwrap()
}

pub(crate) fn currency(code: &str) -> Currency {
    Currency::parse("currency", code).unwrap()
}

struct Digest(u128);

impl encours_domain::content::Content for Digest {
    fn bytes(&mut self, field: u16, value: &[u8]) {
        for byte in field.to_le_bytes().iter().chain(value) {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(0x0100_0000_01b3_0000_0000_0193);
        }
    }

    fn personal(&mut self, field: u16, value: &encours_domain::details::Detail) {
        let text = match value {
            encours_domain::details::Detail::Name(text) => text.clone(),
            other => format!("{other:?}"),
        };
        self.bytes(field, text.as_bytes());
    }
}

impl Scenario {
    pub(crate) fn new() -> Self {
        let mut scenario = Self { state: State::default(), position: Position(1), generated: 0 };
        scenario.accept(CreateLedger {
            ledger_id: Some(id("acme")),
            name: "Acme SARL".into(),
            currency: currency("EUR"),
            time_zone: "Europe/Paris".into(),
            time: Time::Test { clock_id: None, start: Some(day("2026-01-01")) },
            terms: None,
            invoice_pattern: Some("FA-{year}-{seq:5}".into()),
            credit_note_pattern: Some("AV-{year}-{seq:5}".into()),
            calendar: Calendar::France,
            reminders: Policy::ThreeCases,
        });
        for customer in ["dupont", "martin"] {
            scenario.accept(create_customer(customer));
        }
        scenario
    }

    fn context(&self, command: &Command) -> Context {
        let mut digest = Digest(7);
        command.content(&mut digest);
        Context {
            position: self.position,
            digest: digest.0.to_le_bytes(),
            expected_version: None,
            zone_day: Some(day("2026-01-01")),
        }
    }

    /// Decides and applies; what a repeat answers is told as no events.
    pub(crate) fn try_do(&mut self, command: impl Into<Command>) -> Result<Vec<Event>, Refusal> {
        let mut command = command.into();
        let context = self.context(&command);
        if let Some(new_id) = command.new_id() {
            self.generated += 1;
            new_id.get_or_insert_with(|| id(&format!("generated-{}", self.generated)));
        }
        let mut events = match command.decide(&self.state, &context)? {
            Decision::Accept(events) => events,
            Decision::Repeat { .. } => Vec::new(),
        };
        for event in &mut events {
            seal(event);
            self.state.apply(self.position, context.digest, event);
            self.position = self.position.next();
        }
        Ok(events)
    }

    pub(crate) fn accept(&mut self, command: impl Into<Command>) -> Vec<Event> {
        self.try_do(command).unwrap()
    }

    /// The refusal; checks that nothing changed.
    pub(crate) fn refuse(&mut self, command: impl Into<Command>) -> Refusal {
        let before = self.position;
        let refusal = self.try_do(command).unwrap_err();
        assert_eq!(self.position, before);
        refusal
    }

    /// The reason of the refusal.
    pub(crate) fn reason(&mut self, command: impl Into<Command>) -> Reason {
        self.refuse(command).reason
    }

    /// Moves the clock and runs every day on the way; tells the events of the days.
    pub(crate) fn advance(&mut self, to: &str) -> Vec<Event> {
        let to = AdvanceClock { ledger_id: id("acme"), to: day(to), outage: false };
        let mut events = self.accept(to);
        loop {
            let clock = self.ledger().clock;
            if clock.finished == clock.target {
                return events;
            }
            let day = clock.finished.plus(1).unwrap();
            events.extend(self.accept(RunDay { clock: clock.no, day, limit: 2 }));
        }
    }

    /// What a command yields where nothing of it is applied.
    pub(crate) fn decide(
        &self,
        command: impl Into<Command>,
        expected_version: Option<Position>,
    ) -> Result<Decision, Refusal> {
        let command = command.into();
        let context = Context { expected_version, ..self.context(&command) };
        command.decide(&self.state, &context)
    }

    /// The subject and the position that a command repeats; `None` where it is no repeat.
    pub(crate) fn repeats(&self, command: impl Into<Command>) -> Option<(Subject, Position)> {
        match self.decide(command, None).unwrap() {
            Decision::Repeat { subject, position } => Some((subject, position)),
            Decision::Accept(_) => None,
        }
    }

    fn find(&self, kind: encours_domain::state::Kind, text: &str) -> u32 {
        self.state.indexes().find(kind, encours_domain::LedgerNo(0), text).unwrap()
    }

    fn resource(&self, subject: Subject) -> Resource {
        self.state.resource(subject).unwrap()
    }

    pub(crate) fn ledger(&self) -> Ledger {
        match self.resource(Subject::Ledger(encours_domain::LedgerNo(0))) {
            Resource::Ledger(ledger) => ledger,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn customer(&self, text: &str) -> Customer {
        let no = encours_domain::CustomerNo(self.find(encours_domain::state::Kind::Customer, text));
        match self.resource(Subject::Customer(encours_domain::LedgerNo(0), no)) {
            Resource::Customer(customer) => customer,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn invoice(&self, text: &str) -> Invoice {
        let no = encours_domain::InvoiceNo(self.find(encours_domain::state::Kind::Invoice, text));
        match self.resource(Subject::Invoice(encours_domain::LedgerNo(0), no)) {
            Resource::Invoice(invoice) => invoice,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn payment(&self, text: &str) -> Payment {
        let no = encours_domain::PaymentNo(self.find(encours_domain::state::Kind::Payment, text));
        match self.resource(Subject::Payment(encours_domain::LedgerNo(0), no)) {
            Resource::Payment(payment) => payment,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn credit_note(&self, text: &str) -> CreditNote {
        let kind = encours_domain::state::Kind::CreditNote;
        let no = encours_domain::CreditNoteNo(self.find(kind, text));
        match self.resource(Subject::CreditNote(encours_domain::LedgerNo(0), no)) {
            Resource::CreditNote(credit_note) => credit_note,
            other => panic!("{other:?}"),
        }
    }

    /// Outstanding, overdue and unapplied of a customer in EUR.
    pub(crate) fn figures(&self, customer: &str) -> (i64, i64, i64) {
        let balances = self.customer(customer).balances;
        let balance = balances.iter().find(|balance| balance.currency == currency("EUR"));
        balance.map_or((0, 0, 0), |b| (b.outstanding, b.overdue, b.unapplied))
    }
}

/// The engine's sealing, without a key.
pub(crate) fn seal(event: &mut Event) {
    let details: &mut Vec<(DetailKind, Secret)> = match event {
        Event::CustomerCreated(e) => &mut e.details,
        Event::CustomerUpdated(e) => &mut e.details,
        _ => return,
    };
    for (_, secret) in details {
        *secret = Secret::Sealed(vec![0_u8; 4].into());
    }
}

pub(crate) fn create_customer(customer: &str) -> CreateCustomer {
    CreateCustomer {
        ledger_id: id("acme"),
        customer_id: Some(id(customer)),
        currency: None,
        terms: None,
        details: CustomerDetails { name: Some(customer.to_uppercase()), ..Default::default() },
    }
}

/// An invoice on `dupont` over `total` cents.
pub(crate) fn invoice(invoice: &str, total: i64) -> IssueInvoice {
    IssueInvoice {
        ledger_id: id("acme"),
        invoice_id: Some(id(invoice)),
        customer_id: id("dupont"),
        number: None,
        issue_date: None,
        due: None,
        currency: None,
        total: Some(total),
        lines: vec![],
        taxes: vec![],
        reference: None,
        purchase_order: String::new(),
        text: String::new(),
        metadata: Default::default(),
        override_credit_limit: false,
    }
}

/// The draft of an invoice, issued as it stands.
pub(crate) fn issue_draft(invoice: &str) -> IssueDraft {
    IssueDraft {
        ledger_id: id("acme"),
        invoice_id: id(invoice),
        issue_date: None,
        number: None,
        override_credit_limit: false,
    }
}

/// A payment of `dupont` over `amount` cents.
pub(crate) fn payment(payment: &str, amount: i64, put: Put) -> RecordPayment {
    RecordPayment {
        ledger_id: id("acme"),
        payment_id: Some(id(payment)),
        customer_id: Some(id("dupont")),
        amount: Some(amount),
        currency: None,
        method: Method::Transfer,
        received_on: None,
        reference: String::new(),
        put,
    }
}

pub(crate) fn credit(
    credit_note: &str,
    invoice: &str,
    amount: i64,
    usage: CreditUse,
) -> IssueCreditNote {
    IssueCreditNote {
        ledger_id: id("acme"),
        credit_note_id: Some(id(credit_note)),
        invoice_id: id(invoice),
        number: None,
        amount: Some(amount),
        currency: None,
        issue_date: None,
        usage,
        reason: String::new(),
    }
}

pub(crate) fn allocate(invoice: &str, from: From, amount: Option<i64>) -> Allocate {
    Allocate {
        ledger_id: id("acme"),
        invoice_id: id(invoice),
        from,
        amount,
        currency: None,
        date: None,
    }
}

pub(crate) fn deallocate_payment(invoice: &str, payment: &str, amount: Option<i64>) -> Deallocate {
    Deallocate {
        ledger_id: id("acme"),
        invoice_id: id(invoice),
        payment_id: Some(id(payment)),
        credit_note_id: None,
        opening_item_id: None,
        amount,
        currency: None,
        date: None,
    }
}

pub(crate) fn reverse(payment: &str) -> ReversePayment {
    ReversePayment {
        ledger_id: id("acme"),
        payment_id: id(payment),
        kind: ReversalKind::Bounced,
        date: None,
    }
}

pub(crate) fn cancel(invoice: &str, keep_unapplied: bool) -> CancelInvoice {
    CancelInvoice {
        ledger_id: id("acme"),
        invoice_id: id(invoice),
        credit_note_id: None,
        number: None,
        date: None,
        reason: String::new(),
        keep_unapplied,
    }
}

/// The names of the events.
pub(crate) fn names(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(Event::name).collect()
}

/// An opening item that `dupont` owes, over `amount` cents, due on the day it counts from.
pub(crate) fn owed(item: &str, amount: i64) -> AddOpeningItem {
    AddOpeningItem {
        ledger_id: id("acme"),
        invoice_id: Some(id(item)),
        customer_id: id("dupont"),
        direction: Direction::Owed,
        amount,
        paid: 0,
        currency: None,
        date: None,
        due_date: None,
        number: None,
        reference: None,
        sent_on: None,
    }
}

/// An opening item owing to `dupont` over `amount` cents.
pub(crate) fn owing(item: &str, amount: i64) -> AddOpeningItem {
    AddOpeningItem { direction: Direction::Owing, ..owed(item, amount) }
}

/// A correction of the amount of an opening item.
pub(crate) fn correct(item: &str, amount: Option<i64>) -> CorrectOpeningItem {
    CorrectOpeningItem {
        ledger_id: id("acme"),
        invoice_id: id(item),
        amount,
        paid: None,
        currency: None,
        due_date: None,
        date: None,
    }
}

pub(crate) fn plan(invoice: &str, date: &str, amount: Option<i64>) -> PlanPayment {
    PlanPayment {
        ledger_id: id("acme"),
        invoice_id: id(invoice),
        date: day(date),
        amount,
        currency: None,
    }
}

/// A refund of unapplied money, or of what the payment has on an invoice.
pub(crate) fn refund(payment: &str, invoice: Option<&str>, amount: Option<i64>) -> RefundPayment {
    RefundPayment {
        ledger_id: id("acme"),
        payment_id: id(payment),
        invoice_id: invoice.map(id),
        amount,
        currency: None,
        method: None,
        date: None,
        reference: String::new(),
    }
}

/// Takes what an opening item owing to the customer has on an invoice off again.
pub(crate) fn deallocate_opening(invoice: &str, item: &str) -> Deallocate {
    Deallocate {
        payment_id: None,
        opening_item_id: Some(id(item)),
        ..deallocate_payment(invoice, "none", None)
    }
}
