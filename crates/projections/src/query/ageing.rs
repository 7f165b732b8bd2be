//! Ageing: what is open by how late it is, as of any day and as known at any position.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use encours_domain::number::{CustomerNo, LedgerNo};
use encours_domain::status::{CustomerFigures, CustomerStatus};
use encours_domain::terms::DueTerms;
use encours_domain::{Currency, Day, Id, Position};

use super::past::Past;
use super::{AsOf, View};
use crate::counts::{CustomerCounts, shown};
use crate::heap::Heap;
use crate::model::Ledger;
use crate::read_model::ReadModel;
use crate::rows::{
    Change, ChangeKind, Corrections, CreditNotes, Customers, History, InvoiceFlags, Invoices, NONE,
    Payments,
};
use crate::tables::partition;

/// What is open, by days after the due date, in minor units. Gross: money and credit that are not
/// allocated stand apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AgeingFigures {
    /// Due on the day or later.
    pub not_due: i64,
    /// 1 to 30 days late.
    pub d1_30: i64,
    /// 31 to 60 days late.
    pub d31_60: i64,
    /// 61 to 90 days late.
    pub d61_90: i64,
    /// 91 to 120 days late.
    pub d91_120: i64,
    /// More than 120 days late.
    pub d121_plus: i64,
    /// Payments, credits and opening items owing that are not used; not negative.
    pub unapplied: i64,
    /// All that is open less what is unapplied.
    pub balance: i64,
}

/// The figures of a customer in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgeingRow {
    /// The customer.
    pub customer: CustomerNo,
    /// Its id.
    pub customer_id: Id,
    /// The currency.
    pub currency: Currency,
    /// The figures.
    pub figures: AgeingFigures,
}

/// Ageing of a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ageing {
    /// The day it is about.
    pub date: Day,
    /// The position up to which facts are counted.
    pub known: Position,
    /// Customers with anything open or unapplied, or all of them, in order of creation, then by
    /// currency code.
    pub rows: Vec<AgeingRow>,
    /// The sum of the rows of each currency, by code.
    pub totals: Vec<(Currency, AgeingFigures)>,
    /// Invoices and opening items with something open.
    pub open_items: u32,
    /// Customers by status.
    pub customers: CustomerCounts,
}

/// The last day late of each bucket but the last.
const BOUNDS: [i32; 5] = [0, 30, 60, 90, 120];
const BUCKETS: usize = BOUNDS.len() + 1;

/// Sums of a customer, or of all, in one currency.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    buckets: [i128; BUCKETS],
    unapplied: i128,
    /// Past due date and grace.
    overdue: i128,
}

/// The sums of a customer in one currency, and where its next are.
#[derive(Clone, Copy, Debug)]
struct Entry {
    currency: Currency,
    sums: Sums,
    next: u32,
}

/// The tables that ageing reads, taken under the lock.
struct Source {
    past: Past,
    /// The currency of customers that have none, where settled ones are wanted too.
    settled: Option<Currency>,
    heap: Heap,
    customers: Customers,
    invoices: Invoices,
    corrections: Corrections,
    payments: Payments,
    credit_notes: CreditNotes,
    history: History,
}

impl ReadModel {
    /// Ageing of a ledger by due date. Days of grace do not matter for it, but do for the statuses.
    /// With `settled`, a customer with nothing open and nothing left has a row of zeros in its default
    /// currency. `None` where there is no such ledger.
    #[must_use]
    pub fn ageing(&self, ledger: LedgerNo, as_of: AsOf, settled: bool) -> View<Option<Ageing>> {
        let source = self.view(|model| {
            let found = model.ledger(ledger.0)?;
            let currency = model.root.ledgers.get(ledger.0)?.currency;
            let settled = settled.then_some(currency);
            Some(Source::of(found, Past::at(model, found, as_of), settled))
        });
        View { position: source.position, value: source.value.and_then(|source| source.ageing()) }
    }
}

impl Source {
    fn of(ledger: &Ledger, past: Past, settled: Option<Currency>) -> Self {
        let tables = &ledger.tables;
        Self {
            past,
            settled,
            heap: tables.heap.clone(),
            customers: tables.customers.clone(),
            invoices: tables.invoices.clone(),
            corrections: tables.corrections.clone(),
            payments: tables.payments.clone(),
            credit_notes: tables.credit_notes.clone(),
            history: tables.history.clone(),
        }
    }

    fn ageing(&self) -> Option<Ageing> {
        let mut open = vec![0_i64; self.invoices.len() as usize];
        let mut paid = vec![0_i64; self.payments.len() as usize];
        let mut credited = vec![0_i64; self.credit_notes.len() as usize];
        self.replay(&mut open, &mut paid, &mut credited)?;

        let mut entries = Entries::new(self.customers.len());
        let mut open_items = 0;
        let due_before = self.due_before();
        // WHY by number: most are settled, and their rows need not be read.
        for (no, open) in (0..).zip(open).filter(|(_, open)| *open != 0) {
            let row = self.invoices.get(no)?;
            let sums = entries.of(row.customer, row.currency)?;
            if row.flags.has(InvoiceFlags::OWING) {
                sums.unapplied += i128::from(open);
                continue;
            }
            let due = due_before.get(&no).copied().or(row.due)?;
            let late = self.past.date.since(due.date);
            let bucket = BOUNDS.iter().filter(|bound| late > **bound).count();
            sums.buckets[bucket] += i128::from(open);
            if due.overdue_from() <= self.past.date {
                sums.overdue += i128::from(open);
            }
            open_items += u32::from(open > 0);
        }
        for (no, left) in (0..).zip(paid).filter(|(_, left)| *left != 0) {
            let row = self.payments.get(no)?;
            entries.of(row.customer, row.currency)?.unapplied += i128::from(left);
        }
        for (no, left) in (0..).zip(credited).filter(|(_, left)| *left != 0) {
            let row = self.credit_notes.get(no)?;
            entries.of(row.customer, row.currency)?.unapplied += i128::from(left);
        }
        self.report(&entries, open_items)
    }

    /// By opening item: when it was due, where later corrections say otherwise.
    fn due_before(&self) -> BTreeMap<u32, DueTerms> {
        let mut due = BTreeMap::new();
        for row in self.corrections.iter().filter(|row| self.past.is_before(row)) {
            due.entry(row.invoice).or_insert(row.before);
        }
        due
    }

    /// Adds up what the history says up to the date and position.
    fn replay(&self, open: &mut [i64], paid: &mut [i64], credited: &mut [i64]) -> Option<()> {
        let (known, date) = (self.past.known, self.past.date);
        // WHY by page: this loop is what a report costs, and an iterator over all rows looks at the
        // page for each of them.
        for page in self.history.pages() {
            for change in page.iter() {
                if change.position > known {
                    return Some(());
                }
                if change.date > date {
                    continue;
                }
                add(change, open, paid, credited)?;
            }
        }
        Some(())
    }

    fn report(&self, entries: &Entries, open_items: u32) -> Option<Ageing> {
        let mut ageing = Ageing {
            date: self.past.date,
            known: Position(self.past.known),
            rows: Vec::new(),
            totals: Vec::new(),
            open_items,
            customers: CustomerCounts::default(),
        };
        let mut totals = BTreeMap::<Currency, Sums>::new();
        // Customers are in log order: those known then come first.
        let known = partition(&self.customers, |row| row.created <= self.past.known);
        for (no, row) in (0..known).zip(self.customers.iter()) {
            let mut of_customer: Vec<&Entry> = entries.all(no).collect();
            of_customer.sort_unstable_by_key(|entry| entry.currency);
            let figures = of_customer.iter().map(|entry| entry.sums.status_figures());
            *ageing.customers.of(CustomerStatus::of(figures)) += 1;
            let open = of_customer.iter().filter(|entry| !entry.sums.is_zero());
            let mut shown: Vec<_> = open.map(|entry| (entry.currency, entry.sums)).collect();
            if let Some(currency) = self.settled.filter(|_| shown.is_empty()) {
                shown.push((row.currency.unwrap_or(currency), Sums::default()));
            }
            for (currency, sums) in shown {
                let id = self.heap.text(row.texts, 0)?;
                ageing.rows.push(AgeingRow {
                    customer: CustomerNo(no),
                    customer_id: Id::parse("customer_id", &id).ok()?,
                    currency,
                    figures: sums.figures(),
                });
                *totals.entry(currency).or_default() += sums;
            }
        }
        ageing.totals =
            totals.into_iter().map(|(currency, sums)| (currency, sums.figures())).collect();
        Some(ageing)
    }
}

/// Adds a row of the history to what is open, by invoice, and unapplied, by payment and credit note;
/// what is left of an opening item owing stands among the invoices.
fn add(change: &Change, open: &mut [i64], paid: &mut [i64], credited: &mut [i64]) -> Option<()> {
    let (item, other) = (change.item as usize, change.other as usize);
    let amount = change.amount;
    match change.kind {
        ChangeKind::InvoiceIssued | ChangeKind::OpeningAdded | ChangeKind::OpeningCorrected => {
            *open.get_mut(item)? += amount;
        }
        ChangeKind::PaymentAllocated => {
            *open.get_mut(item)? -= amount;
            *paid.get_mut(other)? -= amount;
        }
        ChangeKind::PaymentDeallocated => {
            *open.get_mut(item)? += amount;
            *paid.get_mut(other)? += amount;
        }
        ChangeKind::CreditAllocated => {
            *open.get_mut(item)? -= amount;
            *credited.get_mut(other)? -= amount;
        }
        ChangeKind::CreditDeallocated => {
            *open.get_mut(item)? += amount;
            *credited.get_mut(other)? += amount;
        }
        ChangeKind::OpeningAllocated => {
            *open.get_mut(item)? -= amount;
            *open.get_mut(other)? -= amount;
        }
        ChangeKind::OpeningDeallocated => {
            *open.get_mut(item)? += amount;
            *open.get_mut(other)? += amount;
        }
        ChangeKind::PaymentRecorded => *paid.get_mut(item)? += amount,
        ChangeKind::PaymentReversed | ChangeKind::PaymentRefunded => {
            *paid.get_mut(item)? -= amount;
        }
        ChangeKind::CreditNoteIssued => *credited.get_mut(item)? += amount,
        _ => {}
    }
    Some(())
}

/// Sums by customer and currency.
struct Entries {
    /// By customer: its first entry.
    first: Vec<u32>,
    entries: Vec<Entry>,
}

impl Entries {
    fn new(customers: u32) -> Self {
        Self { first: vec![NONE; customers as usize], entries: Vec::new() }
    }

    /// The sums of a customer in a currency; `None` where there is no such customer.
    fn of(&mut self, customer: u32, currency: Currency) -> Option<&mut Sums> {
        let first = self.first.get_mut(customer as usize)?;
        let mut at = *first as usize;
        // A customer has one entry for each of its few currencies.
        while self.entries.get(at).is_some_and(|entry| entry.currency != currency) {
            at = self.entries[at].next as usize;
        }
        if at >= self.entries.len() {
            at = self.entries.len();
            let next = std::mem::replace(first, u32::try_from(at).ok()?);
            self.entries.push(Entry { currency, sums: Sums::default(), next });
        }
        self.entries.get_mut(at).map(|entry| &mut entry.sums)
    }

    /// The entries of a customer.
    fn all(&self, customer: u32) -> impl Iterator<Item = &Entry> {
        let mut at = self.first.get(customer as usize).copied().unwrap_or(NONE);
        std::iter::from_fn(move || {
            let entry = self.entries.get(at as usize)?;
            at = entry.next;
            Some(entry)
        })
    }
}

impl Sums {
    fn open(&self) -> i128 {
        self.buckets.iter().sum()
    }

    fn is_zero(&self) -> bool {
        self.unapplied == 0 && self.buckets == [0; BUCKETS]
    }

    fn status_figures(&self) -> CustomerFigures {
        CustomerFigures {
            outstanding: shown(self.open()),
            overdue: shown(self.overdue),
            unapplied: shown(self.unapplied),
        }
    }

    fn figures(&self) -> AgeingFigures {
        let [not_due, d1_30, d31_60, d61_90, d91_120, d121_plus] = self.buckets.map(shown);
        AgeingFigures {
            not_due,
            d1_30,
            d31_60,
            d61_90,
            d91_120,
            d121_plus,
            unapplied: shown(self.unapplied),
            balance: shown(self.open() - self.unapplied),
        }
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        for (bucket, more) in self.buckets.iter_mut().zip(other.buckets) {
            *bucket += more;
        }
        self.unapplied += other.unapplied;
        self.overdue += other.overdue;
    }
}
