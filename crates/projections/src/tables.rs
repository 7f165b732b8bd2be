//! The tables of a ledger, and the links between rows of its history.

use encours_domain::balance::Balance;
use encours_domain::status::CustomerStatus;
use encours_domain::table::Table;
use encours_domain::{Currency, Id};

use crate::heap::{Block, Heap};
use crate::rows::{
    Allocations, Balances, Change, Corrections, CreditNotes, Customers, History, Invoices, Item,
    LimitRow, Limits, NONE, Payments, Reminders,
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
    pub(crate) limits: Limits,
    pub(crate) corrections: Corrections,
    pub(crate) reminders: Reminders,
}

/// Links from row to row of the history, so that the history of one item needs no scan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    /// By row: the next row about its item, and the next about its other item.
    next: Table<[u32; 2], 512>,
}

impl Links {
    /// Makes room for the links of a new row.
    pub(crate) fn push(&mut self) {
        self.next.push([NONE; 2]);
    }

    /// Says that `row` follows `previous` in the history of `item`.
    pub(crate) fn set(&mut self, history: &History, previous: u32, item: Item, row: u32) {
        let is_item = history.get(previous).is_some_and(|change| change.item() == item);
        if let Some(next) = self.next.get_mut(previous) {
            next[usize::from(!is_item)] = row;
        }
    }

    /// The row after `row` in the history of `item`.
    pub(crate) fn next(&self, row: u32, change: &Change, item: Item) -> u32 {
        self.next.get(row).map_or(NONE, |next| next[usize::from(change.item() != item)])
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

    /// The credit limits from this row on, lifted ones too.
    pub(crate) fn limits(&self, first: u32) -> impl Iterator<Item = (u32, &LimitRow)> {
        let mut at = first;
        std::iter::from_fn(move || {
            let row = self.limits.get(at)?;
            Some((std::mem::replace(&mut at, row.next), row))
        })
    }

    /// The rows of the history about `item`, in order, from row `first` on.
    pub(crate) fn chain<'a>(
        &'a self,
        links: &'a Links,
        first: u32,
        item: Item,
    ) -> impl Iterator<Item = (u32, &'a Change)> {
        let mut row = first;
        std::iter::from_fn(move || {
            let change = (row != NONE).then(|| self.history.get(row)).flatten()?;
            let next = links.next(row, change, item);
            let at = std::mem::replace(&mut row, next);
            Some((at, change))
        })
    }

    /// The first text of a block, an id.
    pub(crate) fn id(&self, texts: Block) -> Option<Id> {
        Id::parse("id", &self.heap.text(texts, 0)?).ok()
    }

    pub(crate) fn customer_id(&self, no: u32) -> Option<Id> {
        self.id(self.customers.get(no)?.texts)
    }

    pub(crate) fn invoice_id(&self, no: u32) -> Option<Id> {
        self.id(self.invoices.get(no)?.texts)
    }

    /// The status that the balances from this row on make.
    pub(crate) fn status(&self, first: u32) -> CustomerStatus {
        CustomerStatus::of(self.balances(first).map(Balance::figures))
    }

    /// Whether the first text of a block is this one.
    pub(crate) fn named(&self, block: Option<Block>, id: &str) -> bool {
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
