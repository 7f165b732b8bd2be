//! Queries: point reads, bounded pages and reports, each with the position that it reflects.
//!
//! Point reads and pages hold the read lock for as long as they take, which is bounded; reports
//! clone the tables' page vectors and compute without a lock.

mod activity;
mod ageing;
mod customers;
mod invoices;
mod ledgers;
mod names;
mod past;
mod payments;
#[cfg(test)]
mod tests;

use encours_domain::{Day, Id, LedgerNo, Position};

use crate::model::{Ledger, Model};
use crate::read_model::ReadModel;
use crate::rows::{Item, NONE};

pub use ageing::{Ageing, AgeingFigures, AgeingRow};
pub use customers::CustomerFilter;
pub use invoices::InvoiceFilter;
pub use payments::{CreditNoteFilter, PaymentFilter};

/// The most items of a page.
pub const MAX_PAGE: usize = 1_000;
/// The most rows that one call looks at for a page. Past it the page is short and says where to go
/// on.
pub const MAX_SCAN: usize = 10_000;

/// The most customers that one call looks at for a page of the past: each has a history to walk.
const MAX_PAST_SCAN: usize = 1_000;

/// An answer and the position it reflects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View<T> {
    /// The last event that the answer knows of.
    pub position: Position,
    /// The answer.
    pub value: T,
}

/// Which page of a list. Lists are in the order of creation; pages are bounded by the dense number
/// of an item, so that nothing is shown twice or skipped while items are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The number after which the page begins; `None`: the first page.
    pub after: Option<u32>,
    /// How many items it has at most: 1 to [`MAX_PAGE`].
    pub limit: usize,
}

impl Page {
    /// The first page.
    #[must_use]
    pub const fn first(limit: usize) -> Self {
        Self { after: None, limit }
    }
}

/// Items of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Items<T> {
    /// The items; may be fewer than asked for though more follow.
    pub items: Vec<T>,
    /// Where the next page begins, as [`Page::after`]; `None`: nothing follows.
    pub next: Option<u32>,
}

/// Which past a report is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AsOf {
    /// Facts dated up to this day; the ledger's today (as known) where left out.
    pub date: Option<Day>,
    /// Facts recorded up to this position; all where left out.
    pub known: Option<Position>,
}

impl AsOf {
    /// Whether this is the present.
    #[must_use]
    pub const fn is_now(&self) -> bool {
        self.date.is_none() && self.known.is_none()
    }
}

impl ReadModel {
    /// Reads the model under the lock.
    pub(crate) fn view<T>(&self, read: impl FnOnce(&Model) -> T) -> View<T> {
        let model = self.model();
        View { position: model.seen.position, value: read(&model) }
    }

    /// Reads a ledger under the lock; the default where it does not exist.
    pub(crate) fn view_ledger<T: Default>(
        &self,
        no: LedgerNo,
        read: impl FnOnce(&Model, &Ledger) -> T,
    ) -> View<T> {
        self.view(|model| model.ledger(no.0).map_or_else(T::default, |ledger| read(model, ledger)))
    }
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self { items: Vec::new(), next: None }
    }
}

/// Collects a page: `candidates` in ascending order, of which `make` turns those that belong into
/// items.
fn page<T>(
    page: Page,
    candidates: impl Iterator<Item = u32>,
    make: impl FnMut(u32) -> Option<T>,
) -> Items<T> {
    page_within(MAX_SCAN, page, candidates, make)
}

/// As [`page`], looking at `scan` candidates at most.
fn page_within<T>(
    scan: usize,
    page: Page,
    candidates: impl Iterator<Item = u32>,
    mut make: impl FnMut(u32) -> Option<T>,
) -> Items<T> {
    let limit = page.limit.clamp(1, MAX_PAGE);
    let mut items = Vec::new();
    let mut last = page.after;
    for (scanned, no) in candidates.enumerate() {
        if items.len() == limit || scanned == scan {
            return Items { items, next: last };
        }
        items.extend(make(no));
        last = Some(no);
    }
    Items { items, next: None }
}

/// The numbers of a table of `len` rows after `after`.
fn numbers(after: Option<u32>, len: u32) -> std::ops::Range<u32> {
    after.map_or(0, |after| after.saturating_add(1))..len
}

impl Ledger {
    /// The rows of the history about `item`, in order, from row `first` on.
    pub(crate) fn chain(
        &self,
        first: u32,
        item: Item,
    ) -> impl Iterator<Item = (u32, &crate::rows::Change)> {
        let mut row = first;
        std::iter::from_fn(move || {
            let change = (row != NONE).then(|| self.tables.history.get(row)).flatten()?;
            let next = self.index.links.next(row, change, item);
            let at = std::mem::replace(&mut row, next);
            Some((at, change))
        })
    }

    /// The id with this index in a block of texts.
    pub(crate) fn id(&self, texts: crate::heap::Block) -> Option<Id> {
        Id::parse("id", &self.tables.heap.text(texts, 0)?).ok()
    }

    pub(crate) fn customer_id(&self, no: u32) -> Option<Id> {
        self.id(self.tables.customers.get(no)?.texts)
    }

    pub(crate) fn invoice_id(&self, no: u32) -> Option<Id> {
        self.id(self.tables.invoices.get(no)?.texts)
    }
}
