//! Indexes of the state: made of rows, never stored, built anew with a snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound;
use std::sync::Arc;

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
    /// The reference of an invoice of this customer; where several have the same, the first.
    Reference(CustomerNo),
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

type OpenByDue = (LedgerNo, CustomerNo, Currency, Day, Arc<str>, InvoiceNo);
type OpenByReference = (LedgerNo, CustomerNo, Currency, Arc<str>, Day, Arc<str>, InvoiceNo);
type OpenByAmount = (LedgerNo, CustomerNo, Currency, i64, Day, InvoiceNo);
type Free = (LedgerNo, CustomerNo, Currency, bool, Day, Source);

/// The indexes.
#[derive(Debug)]
pub struct Indexes {
    names: Vec<BTreeMap<(u64, u32), Named>>,
    open_by_due: BTreeSet<OpenByDue>,
    open_by_reference: BTreeSet<OpenByReference>,
    open_by_amount: BTreeSet<OpenByAmount>,
    free: BTreeSet<Free>,
    timers: BTreeSet<(ClockNo, Day, Timer, LedgerNo, InvoiceNo)>,
    reminders: BTreeSet<(ClockNo, Day, LedgerNo, InvoiceNo)>,
}

/// What a name stands for. Names with the same hash stand one after the other.
#[derive(Debug)]
struct Named {
    kind: Kind,
    ledger: LedgerNo,
    text: Arc<str>,
    number: u32,
}

impl Named {
    fn is(&self, kind: Kind, ledger: LedgerNo, text: &str) -> bool {
        self.kind == kind && self.ledger == ledger && *self.text == *text
    }
}

/// WHY: trees grow a node at a time, where a hash map that doubles would stop the writer; keyed by
/// a hash they are searched without touching the texts, and split they stay shallow. Names are
/// compared in the end, so a collision costs time only, and `SipHash` makes many of them infeasible.
const SHARDS: usize = 1_024;

impl Default for Indexes {
    fn default() -> Self {
        Self {
            names: (0..SHARDS).map(|_| BTreeMap::new()).collect(),
            open_by_due: BTreeSet::new(),
            open_by_reference: BTreeSet::new(),
            open_by_amount: BTreeSet::new(),
            free: BTreeSet::new(),
            timers: BTreeSet::new(),
            reminders: BTreeSet::new(),
        }
    }
}

impl Indexes {
    /// The indexes of these rows.
    #[must_use]
    pub fn of(rows: &Rows) -> Self {
        let mut indexes = Self::default();
        for (no, clock) in (0..).zip(rows.clocks.iter()) {
            indexes.name(Kind::Clock, LedgerNo(0), clock.id.shared(), no);
        }
        for ledger in rows.ledgers.iter() {
            indexes.name(Kind::Ledger, LedgerNo(0), ledger.id.shared(), ledger.no.0);
            for (no, row) in (0..).zip(ledger.customers.iter()) {
                indexes.name(Kind::Customer, ledger.no, row.id.shared(), no);
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
        let (shard, hash) = place(kind, ledger, text);
        let same_hash = self.names[shard].range((hash, 0)..=(hash, u32::MAX));
        same_hash.map(|(_, named)| named).find(|n| n.is(kind, ledger, text)).map(|n| n.number)
    }

    /// The open invoices of a customer in a currency, oldest due date first, then by number.
    pub fn open_invoices(
        &self,
        ledger: LedgerNo,
        customer: CustomerNo,
        currency: Currency,
    ) -> impl Iterator<Item = InvoiceNo> {
        let from = (ledger, customer, currency, Day::MIN, Arc::from(""), InvoiceNo(0));
        self.open_by_due
            .range(from..)
            .take_while(move |key| (key.0, key.1, key.2) == (ledger, customer, currency))
            .map(|key| key.5)
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
        let from = (ledger, customer, currency, reference, Day::MIN, Arc::from(""), InvoiceNo(0));
        self.open_by_reference
            .range(from..)
            .take_while(move |key| {
                (key.0, key.1, key.2) == (ledger, customer, currency) && key.3 == text
            })
            .map(|key| key.6)
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
        let from = (ledger, customer, currency, open, Day::MIN, InvoiceNo(0));
        let key = self.open_by_amount.range(from..).next()?;
        ((key.0, key.1, key.2, key.3) == (ledger, customer, currency, open)).then_some(key.5)
    }

    /// The sources of a customer with something unapplied: credits, then payments, oldest first.
    pub fn free_sources(
        &self,
        ledger: LedgerNo,
        customer: CustomerNo,
        currency: Currency,
    ) -> impl Iterator<Item = Source> {
        let least = Source::CreditNote(CreditNoteNo(0));
        let from = (ledger, customer, currency, false, Day::MIN, least);
        self.free
            .range(from..)
            .take_while(move |key| (key.0, key.1, key.2) == (ledger, customer, currency))
            .map(|key| key.5)
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
                self.name(Kind::Clock, LedgerNo(0), e.id.shared(), e.clock.0);
            }
            Event::LedgerCreated(e) => {
                self.name(Kind::Ledger, LedgerNo(0), e.id.shared(), e.ledger.0);
            }
            Event::CustomerCreated(e) => {
                self.name(Kind::Customer, e.ledger, e.id.shared(), e.customer.0);
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
        let by_due = (ledger.no, row.customer, row.currency, row.due.date, row.number.clone(), no);
        change(&mut self.open_by_due, by_due, insert);
        let (no_of, customer, currency) = (ledger.no, row.customer, row.currency);
        let (reference, number) = (row.reference.clone(), row.number.clone());
        let by_reference = (no_of, customer, currency, reference, row.due.date, number, no);
        change(&mut self.open_by_reference, by_reference, insert);
        let by_amount = (ledger.no, row.customer, row.currency, row.open, row.due.date, no);
        change(&mut self.open_by_amount, by_amount, insert);
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
            let key = (ledger.no, customer, currency, payment, date, source);
            change(&mut self.free, key, insert);
        }
    }

    fn invoice_names(&mut self, ledger: &Ledger, no: InvoiceNo) {
        let Some(row) = ledger.invoices.get(no.0) else { return };
        self.name(Kind::Invoice, ledger.no, row.id.shared(), no.0);
        if row.stage != Stage::Issued {
            return;
        }
        self.name(Kind::InvoiceNumber, ledger.no, &row.number, no.0);
        self.name(Kind::Reference(row.customer), ledger.no, &row.reference, no.0);
    }

    fn payment_name(&mut self, ledger: &Ledger, no: PaymentNo) {
        if let Some(row) = ledger.payments.get(no.0) {
            self.name(Kind::Payment, ledger.no, row.id.shared(), no.0);
        }
    }

    fn credit_note_names(&mut self, ledger: &Ledger, no: CreditNoteNo) {
        if let Some(row) = ledger.credit_notes.get(no.0) {
            self.name(Kind::CreditNote, ledger.no, row.id.shared(), no.0);
            self.name(Kind::CreditNoteNumber, ledger.no, &row.number, no.0);
        }
    }

    fn name(&mut self, kind: Kind, ledger: LedgerNo, text: &Arc<str>, number: u32) {
        if self.find(kind, ledger, text).is_some() {
            return;
        }
        let (shard, hash) = place(kind, ledger, text);
        let names = &mut self.names[shard];
        let last = names.range((hash, 0)..=(hash, u32::MAX)).next_back();
        let nth = last.map_or(0, |((_, nth), _)| nth + 1);
        names.insert((hash, nth), Named { kind, ledger, text: text.clone(), number });
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

fn place(kind: Kind, ledger: LedgerNo, text: &str) -> (usize, u64) {
    let mut hasher = DefaultHasher::new();
    (kind, ledger, text).hash(&mut hasher);
    let hash = hasher.finish();
    (usize::try_from(hash % SHARDS as u64).unwrap_or_default(), hash)
}
