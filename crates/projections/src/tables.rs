//! The tables of a ledger, and the indexes made of them.

use std::collections::BTreeMap;

use encours_domain::balance::Balance;
use encours_domain::status::CustomerStatus;
use encours_domain::table::Table;
use encours_domain::{Currency, Day};

use crate::counts::Counts;
use crate::heap::{Block, Heap};
use crate::id_index::IdIndex;
use crate::rows::{
    Allocations, Balances, Change, CreditNotes, Customers, History, InvoiceFlags, Invoices, Item,
    NONE, Payments,
};

/// What a checkpoint holds of a ledger. A clone shares the pages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    pub(crate) heap: Heap,
    pub(crate) customers: Customers,
    pub(crate) balances: Balances,
    pub(crate) invoices: Invoices,
    pub(crate) payments: Payments,
    pub(crate) credit_notes: CreditNotes,
    pub(crate) allocations: Allocations,
    pub(crate) history: History,
}

/// Links from row to row of the history, so that the history of one item needs no scan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    /// By row: the next row about its item.
    item: Table<u32, 1024>,
    /// By row: the next row about its other item.
    other: Table<u32, 1024>,
}

/// What is made of the tables at load and kept in step with them; never stored.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) customers: IdIndex,
    pub(crate) invoices: IdIndex,
    pub(crate) invoice_numbers: IdIndex,
    pub(crate) payments: IdIndex,
    pub(crate) credit_notes: IdIndex,
    pub(crate) links: Links,
    /// Rows of the history dated after today, by day; each list in log order.
    pub(crate) waiting: BTreeMap<Day, Vec<u32>>,
    /// Invoices by the day on which they become overdue, where that is after today. Settled ones
    /// stay: whether something is open is asked on the day.
    pub(crate) overdue_from: BTreeMap<Day, Vec<u32>>,
    /// Rows of the allocations that are free.
    pub(crate) free: Vec<u32>,
    pub(crate) counts: Counts,
}

impl Links {
    /// Makes room for the links of a new row.
    pub(crate) fn push(&mut self) {
        self.item.push(NONE);
        self.other.push(NONE);
    }

    /// Says that `row` follows `previous` in the history of `item`.
    pub(crate) fn set(&mut self, history: &History, previous: u32, item: Item, row: u32) {
        let is_item = history.get(previous).is_some_and(|change| change.item() == item);
        let links = if is_item { &mut self.item } else { &mut self.other };
        if let Some(link) = links.get_mut(previous) {
            *link = row;
        }
    }

    /// The row after `row` in the history of `item`.
    pub(crate) fn next(&self, row: u32, change: &Change, item: Item) -> u32 {
        let links = if change.item() == item { &self.item } else { &self.other };
        links.get(row).copied().unwrap_or(NONE)
    }
}

impl Tables {
    /// Where an item keeps the newest row of its history.
    pub(crate) fn last_mut(&mut self, item: Item) -> Option<&mut u32> {
        Some(match item {
            Item::Customer(no) => &mut self.customers.get_mut(no)?.last,
            Item::Invoice(no) => &mut self.invoices.get_mut(no)?.last,
            Item::Payment(no) => &mut self.payments.get_mut(no)?.last,
            Item::CreditNote(no) => &mut self.credit_notes.get_mut(no)?.last,
        })
    }

    /// The position of this row of the history.
    pub(crate) fn position(&self, row: u32) -> u64 {
        self.history.get(row).map_or(0, |change| change.position)
    }

    /// The balances from this row on, by currency code.
    pub(crate) fn balances(&self, first: u32) -> impl Iterator<Item = &Balance> {
        let mut at = first;
        std::iter::from_fn(move || {
            let row = self.balances.get(at)?;
            at = row.next;
            Some(&row.balance)
        })
    }

    /// The row with the balance in this currency, from this row on.
    pub(crate) fn balance_of(&self, first: u32, currency: Currency) -> Option<u32> {
        let mut at = first;
        while let Some(row) = self.balances.get(at) {
            if row.balance.currency == currency {
                return Some(at);
            }
            at = row.next;
        }
        None
    }

    /// The status that the balances from this row on make.
    pub(crate) fn status(&self, first: u32) -> CustomerStatus {
        CustomerStatus::of(self.balances(first).map(Balance::figures))
    }

    /// Whether the first text of a block is this one.
    fn named(&self, block: Option<Block>, id: &str) -> bool {
        block
            .and_then(|block| self.heap.bytes(block, 0))
            .is_some_and(|bytes| bytes.as_ref() == id.as_bytes())
    }
}

/// The number of rows at the start of `table` for which `before` holds.
pub(crate) fn partition<T, const N: usize>(
    table: &Table<T, N>,
    before: impl Fn(&T) -> bool,
) -> u32 {
    let (mut low, mut high) = (0, table.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if table.get(middle).is_some_and(&before) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

impl Index {
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
            index.invoice_numbers.insert(&heap.bytes(row.texts, 1)?, no);
            let overdue_from = row.due.overdue_from();
            if overdue_from > today {
                index.overdue_from.entry(overdue_from).or_default().push(no);
            }
            if row.flags.has(InvoiceFlags::COUNTS) {
                index.counts.invoice(None, Some((row, today)));
            }
        }
        for (no, row) in (0..).zip(tables.payments.iter()) {
            index.payments.insert(&heap.bytes(row.texts, 0)?, no);
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
                self.waiting.entry(change.date).or_default().push(row);
            }
        }
        Some(())
    }
}
