//! Indexes of the state: made of rows, never stored, built anew with a snapshot.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use super::names::Names;
use super::rows::{Invoice, Ledger, Rows, Stage};
use crate::currency::Currency;
use crate::dunning;
use crate::event::Event;
use crate::number::{ClockNo, CreditNoteNo, CustomerNo, InvoiceNo, LedgerNo, PaymentNo, Source};
use crate::position::Day;

/// What a name names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Kind {
    Clock,
    Ledger,
    Customer,
    Invoice,
    Payment,
    CreditNote,
    InvoiceNumber,
    CreditNoteNumber,
    /// The reference of something that this customer owes or owed in this currency; where several have
    /// the same, that with the lowest number, in whatever order they were issued.
    Reference(CustomerNo, Currency),
}

impl Kind {
    /// A code, and the customer and currency where names are those of a customer in a currency.
    pub(super) const fn code(self) -> (u8, u32, u32) {
        match self {
            Self::Clock => (0, 0, 0),
            Self::Ledger => (1, 0, 0),
            Self::Customer => (2, 0, 0),
            Self::Invoice => (3, 0, 0),
            Self::Payment => (4, 0, 0),
            Self::CreditNote => (5, 0, 0),
            Self::InvoiceNumber => (6, 0, 0),
            Self::CreditNoteNumber => (7, 0, 0),
            Self::Reference(customer, currency) => (8, customer.0, currency.number()),
        }
    }
}

/// What is to be emitted on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// `InvoiceDue`.
    Due,
    /// `InvoiceOverdue`.
    Overdue,
    /// `PlannedPaymentLapsed`.
    Lapse,
}

/// A ledger, a customer and a currency, in this order. WHY one number: it is compared at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Owner(u128);

impl Owner {
    fn new(ledger: LedgerNo, customer: CustomerNo, currency: Currency) -> Self {
        let ledger_and_customer = u64::from(ledger.0) << 32 | u64::from(customer.0);
        Self(u128::from(ledger_and_customer) << 32 | u128::from(currency.number()))
    }
}

type OpenByDue = (Owner, Day, Arc<str>, InvoiceNo);
type OpenByReference = (Owner, Arc<str>, Day, Arc<str>, InvoiceNo);
type OpenByAmount = (Owner, i64, Day, InvoiceNo);
type Free = (Owner, bool, Day, Source);

/// The indexes.
#[derive(Debug)]
pub struct Indexes {
    names: Names,
    open_by_due: BTreeSet<OpenByDue>,
    open_by_reference: BTreeSet<OpenByReference>,
    open_by_amount: BTreeSet<OpenByAmount>,
    free: BTreeSet<Free>,
    timers: BTreeSet<(ClockNo, Day, Timer, LedgerNo, InvoiceNo)>,
    reminders: BTreeSet<(ClockNo, Day, LedgerNo, InvoiceNo)>,
}

impl Indexes {
    fn new(salt: u64) -> Self {
        Self {
            names: Names::new(salt),
            open_by_due: BTreeSet::new(),
            open_by_reference: BTreeSet::new(),
            open_by_amount: BTreeSet::new(),
            free: BTreeSet::new(),
            timers: BTreeSet::new(),
            reminders: BTreeSet::new(),
        }
    }

    /// The indexes of these rows; see [`State::salted`](super::State::salted).
    pub(super) fn of(rows: &Rows, salt: u64) -> Self {
        let mut indexes = Self::new(salt);
        for (no, clock) in (0..).zip(rows.clocks.iter()) {
            indexes.names.add(Kind::Clock, LedgerNo(0), clock.id.shared(), no);
        }
        for ledger in rows.ledgers.iter() {
            indexes.names.add(Kind::Ledger, LedgerNo(0), ledger.id.shared(), ledger.no.0);
            for (no, row) in (0..).zip(ledger.customers.iter()) {
                indexes.names.add(Kind::Customer, ledger.no, row.id.shared(), no);
            }
            for no in (0..ledger.invoices.len()).map(InvoiceNo) {
                indexes.invoice_names(ledger, no);
                indexes.invoice(ledger, no, true);
                indexes.source(ledger, Source::Opening(no), true);
            }
            for no in (0..ledger.payments.len()).map(PaymentNo) {
                indexes.payment_name(ledger, no);
                indexes.source(ledger, Source::Payment(no), true);
            }
            for no in (0..ledger.credit_notes.len()).map(CreditNoteNo) {
                indexes.credit_note_names(ledger, no);
                indexes.source(ledger, Source::CreditNote(no), true);
            }
        }
        indexes
    }

    /// The number of what is named; clocks and ledgers are named in ledger 0.
    #[must_use]
    pub fn find(&self, kind: Kind, ledger: LedgerNo, text: &str) -> Option<u32> {
        self.names.find(kind, ledger, text)
    }

    /// The open invoices of a customer in a currency, oldest due date first, then by number.
    pub fn open_invoices(
        &self,
        ledger: LedgerNo,
        customer: CustomerNo,
        currency: Currency,
    ) -> impl Iterator<Item = InvoiceNo> {
        let owner = Owner::new(ledger, customer, currency);
        let from = (owner, Day::MIN, Arc::default(), InvoiceNo(0));
        self.open_by_due.range(from..).take_while(move |key| key.0 == owner).map(|key| key.3)
    }

    /// The open invoices of a customer with this reference, oldest due date first, then by number.
    pub fn open_with_reference(
        &self,
        ledger: LedgerNo,
        customer: CustomerNo,
        currency: Currency,
        reference: &str,
    ) -> impl Iterator<Item = InvoiceNo> {
        let reference: Arc<str> = reference.into();
        let text = Arc::clone(&reference);
        let owner = Owner::new(ledger, customer, currency);
        let from = (owner, reference, Day::MIN, Arc::default(), InvoiceNo(0));
        self.open_by_reference
            .range(from..)
            .take_while(move |key| key.0 == owner && key.1 == text)
            .map(|key| key.4)
    }

    /// The invoice of a customer whose open amount is exactly this, the oldest due first.
    #[must_use]
    pub fn open_exactly(
        &self,
        ledger: LedgerNo,
        customer: CustomerNo,
        currency: Currency,
        open: i64,
    ) -> Option<InvoiceNo> {
        let owner = Owner::new(ledger, customer, currency);
        let key = self.open_by_amount.range((owner, open, Day::MIN, InvoiceNo(0))..).next()?;
        ((key.0, key.1) == (owner, open)).then_some(key.3)
    }

    /// The sources of a customer with something unapplied: credits, then payments, oldest first.
    pub fn free_sources(
        &self,
        ledger: LedgerNo,
        customer: CustomerNo,
        currency: Currency,
    ) -> impl Iterator<Item = Source> {
        let least = Source::CreditNote(CreditNoteNo(0));
        let owner = Owner::new(ledger, customer, currency);
        let from = (owner, false, Day::MIN, least);
        self.free.range(from..).take_while(move |key| key.0 == owner).map(|key| key.3)
    }

    /// What is to be emitted on a clock's days up to `day`, in order.
    pub fn due(
        &self,
        clock: ClockNo,
        day: Day,
    ) -> impl Iterator<Item = (Day, Timer, LedgerNo, InvoiceNo)> {
        let from = (clock, Day::MIN, Timer::Due, LedgerNo(0), InvoiceNo(0));
        let to = (clock, day, Timer::Lapse, LedgerNo(u32::MAX), InvoiceNo(u32::MAX));
        self.timers
            .range((Bound::Included(from), Bound::Included(to)))
            .map(|(_, day, timer, ledger, invoice)| (*day, *timer, *ledger, *invoice))
    }

    /// The invoices of a clock's ledgers that have a step of their plan to go out up to `day`, in
    /// the order of those days.
    pub fn to_remind(
        &self,
        clock: ClockNo,
        day: Day,
    ) -> impl Iterator<Item = (LedgerNo, InvoiceNo)> {
        let from = (clock, Day::MIN, LedgerNo(0), InvoiceNo(0));
        let to = (clock, day, LedgerNo(u32::MAX), InvoiceNo(u32::MAX));
        self.reminders
            .range((Bound::Included(from), Bound::Included(to)))
            .map(|(_, _, ledger, invoice)| (*ledger, *invoice))
    }

    /// Takes out the keys of the rows that the event is about to change.
    pub(super) fn before(&mut self, rows: &Rows, event: &Event) {
        self.touched(rows, event, false);
    }

    /// Puts in the keys of the rows that the event created or changed.
    pub(super) fn after(&mut self, rows: &Rows, event: &Event) {
        match event {
            Event::ClockCreated(e) => {
                self.names.add(Kind::Clock, LedgerNo(0), e.id.shared(), e.clock.0);
            }
            Event::LedgerCreated(e) => {
                self.names.add(Kind::Ledger, LedgerNo(0), e.id.shared(), e.ledger.0);
            }
            Event::CustomerCreated(e) => {
                self.names.add(Kind::Customer, e.ledger, e.id.shared(), e.customer.0);
            }
            _ => {}
        }
        if let Some(ledger) = event.ledger().and_then(|no| rows.ledger(no)) {
            match event {
                Event::DraftCreated(e) => self.invoice_names(ledger, e.invoice),
                Event::InvoiceIssued(e) => self.invoice_names(ledger, e.invoice),
                Event::OpeningItemAdded(e) => self.invoice_names(ledger, e.invoice),
                Event::PaymentRecorded(e) => self.payment_name(ledger, e.payment),
                Event::CreditNoteIssued(e) => self.credit_note_names(ledger, e.credit_note),
                _ => {}
            }
        }
        self.touched(rows, event, true);
    }

    fn touched(&mut self, rows: &Rows, event: &Event, insert: bool) {
        let Some(ledger) = event.ledger().and_then(|no| rows.ledger(no)) else { return };
        match event {
            Event::InvoiceIssued(e) => self.invoice(ledger, e.invoice, insert),
            Event::OpeningItemAdded(e) => {
                self.invoice(ledger, e.invoice, insert);
                self.source(ledger, Source::Opening(e.invoice), insert);
            }
            Event::OpeningItemCorrected(e) => {
                self.invoice(ledger, e.invoice, insert);
                self.source(ledger, Source::Opening(e.invoice), insert);
            }
            Event::InvoiceSent(e) => self.invoice(ledger, e.invoice, insert),
            Event::InvoiceDisputed(e) => self.invoice(ledger, e.invoice, insert),
            Event::DisputeResolved(e) => self.invoice(ledger, e.invoice, insert),
            Event::PaymentPlanned(e) => self.invoice(ledger, e.invoice, insert),
            Event::PlannedPaymentCancelled(e) => self.invoice(ledger, e.invoice, insert),
            Event::PlannedPaymentCleared(e) => self.invoice(ledger, e.invoice, insert),
            Event::PlannedPaymentLapsed(e) => self.invoice(ledger, e.invoice, insert),
            Event::ReminderEmitted(e) => self.invoice(ledger, e.invoice, insert),
            Event::RemindersStopped(e) => self.invoice(ledger, e.invoice, insert),
            Event::InvoiceDue(e) => self.invoice(ledger, e.invoice, insert),
            Event::InvoiceOverdue(e) => self.invoice(ledger, e.invoice, insert),
            Event::InvoicePaid(e) => self.invoice(ledger, e.invoice, insert),
            Event::InvoiceCancelled(e) => self.invoice(ledger, e.invoice, insert),
            Event::InvoiceReopened(e) => self.invoice(ledger, e.invoice, insert),
            Event::PaymentRecorded(e) => self.source(ledger, Source::Payment(e.payment), insert),
            Event::PaymentRefunded(e) => self.source(ledger, Source::Payment(e.payment), insert),
            Event::PaymentReversed(e) => self.source(ledger, Source::Payment(e.payment), insert),
            Event::CreditNoteIssued(e) => {
                self.source(ledger, Source::CreditNote(e.credit_note), insert);
            }
            Event::Allocated(e) => {
                self.invoice(ledger, e.invoice, insert);
                self.source(ledger, e.source, insert);
            }
            Event::Deallocated(e) => {
                self.invoice(ledger, e.invoice, insert);
                self.source(ledger, e.source, insert);
            }
            _ => {}
        }
    }

    fn invoice(&mut self, ledger: &Ledger, no: InvoiceNo, insert: bool) {
        let Some(row) = ledger.invoices.get(no.0) else { return };
        for (timer, day) in timers(row) {
            change(&mut self.timers, (ledger.clock, day, timer, ledger.no, no), insert);
        }
        if row.open == 0 {
            return;
        }
        if let Some(day) = reminder_day(ledger, row) {
            change(&mut self.reminders, (ledger.clock, day, ledger.no, no), insert);
        }
        let owner = Owner::new(ledger.no, row.customer, row.currency);
        let (due, reference) = (row.due.date, row.reference.clone());
        change(&mut self.open_by_due, (owner, due, row.number.clone(), no), insert);
        let by_reference = (owner, reference, due, row.number.clone(), no);
        change(&mut self.open_by_reference, by_reference, insert);
        change(&mut self.open_by_amount, (owner, row.open, due, no), insert);
    }

    fn source(&mut self, ledger: &Ledger, source: Source, insert: bool) {
        let key = match source {
            Source::Payment(no) => {
                let row = ledger.payments.get(no.0);
                row.map(|row| (row.unapplied, row.customer, row.currency, true, row.received_on))
            }
            Source::CreditNote(no) => {
                let row = ledger.credit_notes.get(no.0);
                row.map(|row| (row.unapplied, row.customer, row.currency, false, row.issue_date))
            }
            Source::Opening(no) => ledger.invoices.get(no.0).and_then(|row| {
                let unapplied = row.opening.as_ref()?.unapplied;
                Some((unapplied, row.customer, row.currency, false, row.issue_date))
            }),
        };
        if let Some((_, customer, currency, payment, date)) = key.filter(|key| key.0 > 0) {
            let owner = Owner::new(ledger.no, customer, currency);
            change(&mut self.free, (owner, payment, date, source), insert);
        }
    }

    fn invoice_names(&mut self, ledger: &Ledger, no: InvoiceNo) {
        let Some(row) = ledger.invoices.get(no.0) else { return };
        self.names.add(Kind::Invoice, ledger.no, row.id.shared(), no.0);
        if row.stage != Stage::Issued {
            return;
        }
        self.names.add(Kind::InvoiceNumber, ledger.no, &row.number, no.0);
        // What is owing to the customer is not paid by it.
        if !row.is_owing() {
            let kind = Kind::Reference(row.customer, row.currency);
            self.names.add(kind, ledger.no, &row.reference, no.0);
        }
    }

    fn payment_name(&mut self, ledger: &Ledger, no: PaymentNo) {
        if let Some(row) = ledger.payments.get(no.0) {
            self.names.add(Kind::Payment, ledger.no, row.id.shared(), no.0);
        }
    }

    fn credit_note_names(&mut self, ledger: &Ledger, no: CreditNoteNo) {
        if let Some(row) = ledger.credit_notes.get(no.0) {
            self.names.add(Kind::CreditNote, ledger.no, row.id.shared(), no.0);
            self.names.add(Kind::CreditNoteNumber, ledger.no, &row.number, no.0);
        }
    }
}

/// What is still to be said of an invoice, and when: on the first day on which it is due or overdue
/// and, as far as is known now, something is open. A payment dated later does not silence it.
fn timers(row: &Invoice) -> impl Iterator<Item = (Timer, Day)> {
    let overdue_from = row.due.overdue_from();
    let from = |day: Day| row.told_from.map_or(day, |told_from| told_from.max(day));
    let due = (!row.due_emitted).then(|| row.first_open_day(from(row.due.date))).flatten();
    let overdue = (!row.overdue_emitted).then(|| row.first_open_day(from(overdue_from))).flatten();
    let due = due.filter(|day| *day < overdue_from).map(|day| (Timer::Due, day));
    let lapse = row.planned.and_then(|planned| planned.date.plus(1)).map(|day| (Timer::Lapse, day));
    due.into_iter().chain(overdue.map(|day| (Timer::Overdue, day))).chain(lapse)
}

/// The first day on which a step of the plan is to go out and, as far as is known now, something
/// is open.
fn reminder_day(ledger: &Ledger, row: &Invoice) -> Option<Day> {
    if !row.is_reminded() || row.sent_on.is_none() {
        return None;
    }
    let facts = row.dunning_facts();
    let next = dunning::to_come(ledger.reminders, ledger.calendar, &facts).next()?;
    row.first_open_day(next.date)
}

fn change<T: Ord>(set: &mut BTreeSet<T>, key: T, insert: bool) {
    if insert {
        set.insert(key);
    } else {
        set.remove(&key);
    }
}
