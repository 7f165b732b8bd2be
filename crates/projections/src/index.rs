//! The indexes of a ledger: made of its tables at load and kept in step with them.

use std::collections::{BTreeMap, BTreeSet};

use encours_domain::{Currency, Day};

use crate::counts::{Counted, Counts};
use crate::id_index::IdIndex;
use crate::query::Key;
use crate::rows::{Change, ChangeKind, InvoiceFlags, InvoiceRow, Item, NONE};
use crate::tables::{Links, Tables};

/// What is made of the tables at load and kept in step with them; never stored.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    pub(crate) customers: IdIndex,
    pub(crate) invoices: IdIndex,
    pub(crate) invoice_numbers: IdIndex,
    pub(crate) payments: IdIndex,
    pub(crate) credit_notes: IdIndex,
    pub(crate) links: Links,
    /// Rows of the history dated after today, by day; each list in log order.
    pub(crate) waiting: BTreeMap<Day, Vec<u32>>,
    /// By customer and currency: what the waiting rows will add to its net balance.
    pub(crate) ahead: BTreeMap<(u32, Currency), i64>,
    /// Invoices by the day on which they become overdue, where that is after today. Settled ones
    /// stay: whether something is open is asked on the day.
    pub(crate) overdue_from: ByDay,
    /// Items with something open, by due date.
    pub(crate) open_by_due: BTreeSet<Key>,
    pub(crate) invoices_of: ByCustomer,
    pub(crate) payments_of: ByCustomer,
    /// Rows of the allocations that are free.
    pub(crate) free: Vec<u32>,
    pub(crate) counts: Counts,
}

/// Numbers of a kind of document by customer, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ByCustomer(Vec<Vec<u32>>);

impl ByCustomer {
    pub(crate) fn of(&self, customer: u32) -> &[u32] {
        self.0.get(customer as usize).map_or(&[], Vec::as_slice)
    }

    /// Adds a number that the customer does not have.
    pub(crate) fn add(&mut self, customer: u32, no: u32) {
        let customer = customer as usize;
        if customer >= self.0.len() {
            self.0.resize(customer + 1, Vec::new());
        }
        let numbers = &mut self.0[customer];
        add_in_order(numbers, no);
    }

    pub(crate) fn remove(&mut self, customer: u32, no: u32) {
        if let Some(numbers) = self.0.get_mut(customer as usize)
            && let Ok(at) = numbers.binary_search(&no)
        {
            numbers.remove(at);
        }
    }
}

/// Numbers by day, those of a day ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ByDay(BTreeMap<Day, Vec<u32>>);

impl ByDay {
    /// Adds a number that the day does not have.
    fn add(&mut self, day: Day, no: u32) {
        add_in_order(self.0.entry(day).or_default(), no);
    }

    /// Takes a number off a day, if the day has it.
    pub(crate) fn remove(&mut self, day: Day, no: u32) {
        if let Some(numbers) = self.0.get_mut(&day)
            && let Ok(at) = numbers.binary_search(&no)
        {
            numbers.remove(at);
            if numbers.is_empty() {
                self.0.remove(&day);
            }
        }
    }

    /// Takes off the first day with all its numbers, unless it comes after `until`.
    pub(crate) fn take_first(&mut self, until: Day) -> Option<Vec<u32>> {
        let first = self.0.first_entry().filter(|entry| *entry.key() <= until)?;
        Some(first.remove())
    }
}

/// Adds a number to ascending ones that do not have it.
fn add_in_order(numbers: &mut Vec<u32>, no: u32) {
    // WHY from the end: documents are numbered as they come; only drafts come later or change hands.
    if numbers.last().is_none_or(|last| *last < no) {
        numbers.push(no);
    } else {
        numbers.insert(numbers.partition_point(|other| *other < no), no);
    }
}

/// What the indexes hold of an invoice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Indexed {
    counted: Option<Counted>,
    /// Its due date, where something is open.
    open_due: Option<Day>,
}

impl Indexed {
    /// What they hold of it on a day.
    pub(crate) fn of(row: &InvoiceRow, today: Day) -> Self {
        let is_open = row.flags.has(InvoiceFlags::COUNTS) && row.open() > 0;
        let open_due = if is_open { row.claim_due().map(|due| due.date) } else { None };
        Self { counted: Counted::of(row, today), open_due }
    }
}

/// Whose net balance a row of the history changes, and by how much.
fn net_effect(tables: &Tables, change: &Change) -> Option<((u32, Currency), i64)> {
    let (owner, amount) = match change.kind {
        ChangeKind::InvoiceIssued => {
            let row = tables.invoices.get(change.item)?;
            ((row.customer, row.currency), change.amount)
        }
        ChangeKind::OpeningAdded | ChangeKind::OpeningCorrected => {
            let row = tables.invoices.get(change.item)?;
            let owing = row.flags.has(InvoiceFlags::OWING);
            ((row.customer, row.currency), if owing { -change.amount } else { change.amount })
        }
        ChangeKind::CreditNoteIssued => {
            let row = tables.credit_notes.get(change.item)?;
            ((row.customer, row.currency), -change.amount)
        }
        ChangeKind::PaymentRecorded | ChangeKind::PaymentReversed | ChangeKind::PaymentRefunded => {
            let row = tables.payments.get(change.item)?;
            let received = change.kind == ChangeKind::PaymentRecorded;
            ((row.customer, row.currency), if received { -change.amount } else { change.amount })
        }
        _ => return None,
    };
    Some((owner, amount))
}

impl Index {
    /// A row of the history, dated after today, waits for its day.
    pub(crate) fn wait(&mut self, tables: &Tables, row: u32, change: &Change) {
        self.waiting.entry(change.date).or_default().push(row);
        if let Some((owner, amount)) = net_effect(tables, change) {
            *self.ahead.entry(owner).or_default() += amount;
        }
    }

    /// A row of the history has waited for its day.
    pub(crate) fn waited(&mut self, tables: &Tables, change: &Change) {
        if let Some((owner, amount)) = net_effect(tables, change)
            && let Some(ahead) = self.ahead.get_mut(&owner)
        {
            *ahead -= amount;
            if *ahead == 0 {
                self.ahead.remove(&owner);
            }
        }
    }

    /// Notes the day on which an invoice becomes overdue, where that is to come.
    pub(crate) fn watch(&mut self, no: u32, row: &InvoiceRow, today: Day) {
        if let Some(due) = row.claim_due()
            && due.overdue_from() > today
        {
            self.overdue_from.add(due.overdue_from(), no);
        }
    }

    /// Of an invoice this was held and that is.
    pub(crate) fn change(&mut self, no: u32, before: Indexed, after: Indexed) {
        self.counts.invoice(before.counted, after.counted);
        if before.open_due == after.open_due {
            return;
        }
        if let Some(due) = before.open_due {
            self.open_by_due.remove(&Key::dated(due, no));
        }
        if let Some(due) = after.open_due {
            self.open_by_due.insert(Key::dated(due, no));
        }
    }

    pub(crate) fn customer(&self, tables: &Tables, id: &str) -> Option<u32> {
        self.customers.find(id.as_bytes(), |no| {
            tables.named(tables.customers.get(no).map(|row| row.texts), id)
        })
    }

    pub(crate) fn invoice(&self, tables: &Tables, id: &str) -> Option<u32> {
        self.invoices.find(id.as_bytes(), |no| {
            tables.named(tables.invoices.get(no).map(|row| row.texts), id)
        })
    }

    pub(crate) fn invoice_number(&self, tables: &Tables, number: &str) -> Option<u32> {
        self.invoice_numbers.find(number.as_bytes(), |no| {
            let texts = tables.invoices.get(no).map(|row| row.texts);
            texts.and_then(|texts| tables.heap.text(texts, 1)).is_some_and(|text| text == number)
        })
    }

    pub(crate) fn payment(&self, tables: &Tables, id: &str) -> Option<u32> {
        self.payments.find(id.as_bytes(), |no| {
            tables.named(tables.payments.get(no).map(|row| row.texts), id)
        })
    }

    pub(crate) fn credit_note(&self, tables: &Tables, id: &str) -> Option<u32> {
        self.credit_notes.find(id.as_bytes(), |no| {
            tables.named(tables.credit_notes.get(no).map(|row| row.texts), id)
        })
    }

    /// The index of these tables on this day; `None` where the tables contradict themselves.
    pub(crate) fn of(tables: &Tables, today: Day) -> Option<Self> {
        let mut index = Self::default();
        let heap = &tables.heap;
        for (no, row) in (0..).zip(tables.customers.iter()) {
            index.customers.insert(&heap.bytes(row.texts, 0)?, no);
        }
        for (no, row) in (0..).zip(tables.invoices.iter()) {
            index.invoices.insert(&heap.bytes(row.texts, 0)?, no);
            if !row.flags.has(InvoiceFlags::DRAFT) {
                index.invoice_numbers.insert(&heap.bytes(row.texts, 1)?, no);
            }
            index.invoices_of.add(row.customer, no);
            index.watch(no, row, today);
            index.change(no, Indexed::default(), Indexed::of(row, today));
        }
        for (no, row) in (0..).zip(tables.payments.iter()) {
            index.payments.insert(&heap.bytes(row.texts, 0)?, no);
            index.payments_of.add(row.customer, no);
        }
        for (no, row) in (0..).zip(tables.credit_notes.iter()) {
            index.credit_notes.insert(&heap.bytes(row.texts, 0)?, no);
        }
        for (no, row) in (0..).zip(tables.allocations.iter()) {
            if row.amount == 0 {
                index.free.push(no);
            }
        }
        for row in tables.customers.iter() {
            for balance in tables.balances(row.balance) {
                index.counts.add(balance);
            }
            index.counts.status(None, Some(tables.status(row.balance)));
        }
        index.replay_links(tables, today)?;
        Some(index)
    }

    /// Builds links and waiting facts from the history.
    fn replay_links(&mut self, tables: &Tables, today: Day) -> Option<()> {
        let none = |len: u32| vec![NONE; len as usize];
        let mut customers = none(tables.customers.len());
        let mut invoices = none(tables.invoices.len());
        let mut payments = none(tables.payments.len());
        let mut credit_notes = none(tables.credit_notes.len());
        for (row, change) in (0..).zip(tables.history.iter()) {
            self.links.push();
            for item in [Some(change.item()), change.other()].into_iter().flatten() {
                let (list, no) = match item {
                    Item::Customer(no) => (&mut customers, no),
                    Item::Invoice(no) => (&mut invoices, no),
                    Item::Payment(no) => (&mut payments, no),
                    Item::CreditNote(no) => (&mut credit_notes, no),
                };
                let last = list.get_mut(usize::try_from(no).ok()?)?;
                let previous = std::mem::replace(last, row);
                if previous != NONE {
                    self.links.set(&tables.history, previous, item, row);
                }
            }
            if change.date > today {
                self.wait(tables, row, change);
            }
        }
        Some(())
    }
}
