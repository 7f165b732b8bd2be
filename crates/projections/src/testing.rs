//! For tests: events by hand, a log in memory, and random books.

mod random;

use std::sync::Arc;
use std::time::{Duration, Instant};

use encours_domain::calendar::Calendar;
use encours_domain::details::{DetailKind, Secret};
use encours_domain::dunning::Policy;
use encours_domain::event::{
    Allocated, ClockCreated, CreditNoteIssued, CustomerCreated, DayOpened, Deallocated, Event,
    InvoiceContent, InvoiceIssued, InvoiceOverdue, LedgerCreated, LogCreated, Method,
    PaymentRecorded, PaymentReversed, ReversalKind,
};
use encours_domain::number::{
    ClockNo, CreditNoteNo, CustomerNo, InvoiceNo, LedgerNo, PaymentNo, Source,
};
use encours_domain::terms::{DueTerms, Terms};
use encours_domain::{Currency, Day, Id, Micros, Position};
use encours_log::{
    CommandRecord, Epoch, EventLog, EventRecord, FrameDraft, LogId, MemoryLog, SealWith,
    SystemClock,
};

use crate::checkpoint::Checkpoint;
use crate::digest::Digest;
use crate::model::Model;
use crate::read_model::{ReadModel, ReadModelOptions};
pub(crate) use random::{Random, random_book, seeds};

pub(crate) const LEDGER: LedgerNo = LedgerNo(0);
pub(crate) const LOG: LogId = LogId([7; 16]);

pub(crate) fn day(number: i32) -> Day {
    Day::from_number(20_000 + number).unwrap()
}

pub(crate) fn currency(code: &str) -> Currency {
    Currency::parse("currency", code).unwrap()
}

pub(crate) fn id(text: &str) -> Id {
    Id::parse("id", text).unwrap()
}

impl Model {
    pub(crate) fn digest(&self) -> Digest {
        self.facts().digest()
    }
}

/// A log of one ledger on a test clock, whose day 0 is open.
pub(crate) struct Book {
    pub(crate) events: Vec<Event>,
    pub(crate) log: MemoryLog,
    committed: usize,
    customers: u32,
    invoices: u32,
    payments: u32,
    credit_notes: u32,
    pub(crate) today: i32,
}

impl Book {
    pub(crate) fn new() -> Self {
        let mut book = Self {
            events: Vec::new(),
            log: MemoryLog::new(LOG),
            committed: 0,
            customers: 0,
            invoices: 0,
            payments: 0,
            credit_notes: 0,
            today: 0,
        };
        book.push(LogCreated { log_id: LOG.0 });
        book.push(ClockCreated {
            clock: ClockNo(0),
            id: id("test"),
            test: true,
            zone: "Europe/Paris".into(),
            day: day(0),
        });
        book.push(LedgerCreated {
            ledger: LEDGER,
            id: id("acme"),
            name: "Acme".into(),
            currency: currency("EUR"),
            clock: ClockNo(0),
            terms: Terms::DEFAULT,
            invoice_pattern: "FA-{seq:5}".into(),
            credit_note_pattern: "AV-{seq:5}".into(),
            calendar: Calendar::France,
            reminders: Policy::ThreeCases,
        });
        book
    }

    pub(crate) fn push(&mut self, event: impl Into<Event>) -> Position {
        self.events.push(event.into());
        Position(self.events.len() as u64)
    }

    pub(crate) fn customer(&mut self) -> u32 {
        let no = self.customers;
        self.customers += 1;
        self.push(CustomerCreated {
            ledger: LEDGER,
            customer: CustomerNo(no),
            id: id(&format!("C{no}")),
            currency: None,
            terms: None,
            details: vec![(
                DetailKind::Name,
                Secret::Sealed(vec![1, 2, no.to_le_bytes()[0]].into()),
            )],
        });
        no
    }

    /// An invoice in EUR without grace.
    pub(crate) fn invoice(&mut self, customer: u32, total: i64, issue: i32, due: i32) -> u32 {
        self.invoice_in("EUR", customer, total, issue, due, 0)
    }

    pub(crate) fn invoice_in(
        &mut self,
        code: &str,
        customer: u32,
        total: i64,
        issue: i32,
        due: i32,
        grace_days: u8,
    ) -> u32 {
        let no = self.invoices;
        self.invoices += 1;
        self.push(InvoiceIssued {
            ledger: LEDGER,
            invoice: InvoiceNo(no),
            id: id(&format!("I{no}")),
            customer: CustomerNo(customer),
            number: format!("FA-{no:05}").into(),
            allotted: true,
            currency: currency(code),
            total,
            issue_date: day(issue),
            due: DueTerms { date: day(due), grace_days },
            reference: format!("RF{no}").into(),
            content: Arc::new(InvoiceContent::default()),
        });
        no
    }

    pub(crate) fn payment(&mut self, customer: u32, amount: i64, on: i32) -> u32 {
        self.payment_in("EUR", customer, amount, on)
    }

    pub(crate) fn payment_in(&mut self, code: &str, customer: u32, amount: i64, on: i32) -> u32 {
        let no = self.payments;
        self.payments += 1;
        self.push(PaymentRecorded {
            ledger: LEDGER,
            payment: PaymentNo(no),
            id: id(&format!("P{no}")),
            customer: CustomerNo(customer),
            currency: currency(code),
            amount,
            method: Method::Transfer,
            received_on: day(on),
            reference: "thanks".into(),
        });
        no
    }

    pub(crate) fn credit_note(
        &mut self,
        code: &str,
        customer: u32,
        invoice: u32,
        amount: i64,
        issue: i32,
    ) -> u32 {
        let no = self.credit_notes;
        self.credit_notes += 1;
        self.push(CreditNoteIssued {
            ledger: LEDGER,
            credit_note: CreditNoteNo(no),
            id: id(&format!("N{no}")),
            invoice: InvoiceNo(invoice),
            customer: CustomerNo(customer),
            number: format!("AV-{no:05}").into(),
            allotted: true,
            currency: currency(code),
            amount,
            issue_date: day(issue),
            reason: "".into(),
        });
        no
    }

    pub(crate) fn allocate(&mut self, source: Source, invoice: u32, amount: i64, date: i32) {
        self.push(Allocated {
            ledger: LEDGER,
            source,
            invoice: InvoiceNo(invoice),
            amount,
            date: day(date),
            open_after: 0,
            unapplied_after: 0,
        });
    }

    pub(crate) fn deallocate(&mut self, source: Source, invoice: u32, amount: i64, date: i32) {
        self.push(Deallocated {
            ledger: LEDGER,
            source,
            invoice: InvoiceNo(invoice),
            amount,
            date: day(date),
            open_after: 0,
            unapplied_after: 0,
        });
    }

    pub(crate) fn reverse(&mut self, payment: u32, amount: i64, date: i32) {
        self.push(PaymentReversed {
            ledger: LEDGER,
            payment: PaymentNo(payment),
            kind: ReversalKind::Bounced,
            amount,
            date: day(date),
        });
    }

    pub(crate) fn overdue(&mut self, invoice: u32, date: i32) {
        let invoice = InvoiceNo(invoice);
        self.push(InvoiceOverdue { ledger: LEDGER, invoice, date: day(date), open: 1 });
    }

    /// Opens the days up to this one.
    pub(crate) fn open_day(&mut self, until: i32) {
        while self.today < until {
            self.today += 1;
            self.push(DayOpened { clock: ClockNo(0), day: day(self.today), on_time: true });
        }
    }

    /// The model that all events make, without log and threads.
    pub(crate) fn model(&self) -> Model {
        let mut model = Model::new(LOG);
        for (position, event) in (1..).zip(&self.events) {
            model.fold(Position(position), event).unwrap();
        }
        model
    }

    /// Makes what is new durable as one frame, recorded at its number in seconds.
    pub(crate) fn commit(&mut self) {
        let new = &self.events[self.committed..];
        if new.is_empty() {
            return;
        }
        let encoded: Vec<EventRecord> = new
            .iter()
            .map(|event| encours_schema::encode(event).unwrap())
            .map(|e| EventRecord { kind: e.kind, version: e.version, payload: e.payload })
            .collect();
        self.committed = self.events.len();
        self.commit_raw(&encoded);
    }

    pub(crate) fn commit_raw(&mut self, events: &[EventRecord]) {
        let tail = self.log.tail();
        let mut draft = FrameDraft::new(tail.next_position);
        let command = CommandRecord {
            request_id: String::new(),
            digest: [0; 32],
            actor: "test".into(),
            reason: String::new(),
            causation: Position::START,
            event_count: u32::try_from(events.len()).unwrap(),
        };
        draft.push(&command, events).unwrap();
        let number = tail.number.next();
        let frame = draft
            .seal(SealWith {
                log_id: LOG,
                epoch: Epoch(1),
                number,
                recorded_at: Micros(i64::try_from(number.0).unwrap() * 1_000_000),
                previous: tail.hash,
            })
            .unwrap();
        self.log.submit(frame);
        assert!(self.log.settle().unwrap().1.is_committed());
    }

    /// A read model that has caught up with the log.
    pub(crate) fn read(&mut self) -> ReadModel {
        self.read_from(None)
    }

    pub(crate) fn read_from(&mut self, checkpoint: Option<Checkpoint>) -> ReadModel {
        self.commit();
        let clock = Arc::new(SystemClock::new());
        let options = ReadModelOptions { reader: self.log.reader(), checkpoint, clock };
        let model = ReadModel::open(options).unwrap();
        caught_up(&model, Position(self.log.tail().next_position.0 - 1));
        model
    }
}

#[expect(clippy::disallowed_methods, reason = "a test waits on other threads")]
pub(crate) fn caught_up(model: &ReadModel, position: Position) {
    let start = Instant::now();
    while model.position() < position {
        assert!(model.health().stopped.is_none(), "{:?}", model.health());
        assert!(start.elapsed() < Duration::from_secs(60), "the fold hangs");
        std::thread::sleep(Duration::from_millis(1));
    }
}
