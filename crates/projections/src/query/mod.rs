//! Queries: point reads, bounded pages and reports, each with the position that it reflects.
//!
//! Point reads and pages hold the read lock for as long as they take, which is bounded; reports,
//! text searches and reads of the past clone the tables' page vectors and compute without a lock.

mod activity;
mod ageing;
mod credit;
mod customers;
mod invoices;
mod ledgers;
mod names;
mod page;
mod past;
mod payments;
mod reminders;
mod resources;
#[cfg(test)]
mod tests;

use encours_domain::number::CustomerNo;
use encours_domain::{Currency, Day, Id, LedgerNo, Position};

use crate::model::{Ledger, Model};
use crate::read_model::ReadModel;

pub use ageing::{Ageing, AgeingFigures, AgeingRow};
pub use credit::{CreditCheck, CreditVerdict};
pub use customers::CustomerFilter;
pub use invoices::{DunningState, InvoiceFilter};
pub use page::{Items, Key, MAX_PAGE, MAX_SCAN, Order, Page};
pub use payments::{CreditNoteFilter, PaymentFilter};
pub use reminders::{PlanState, ReminderPlan, SentReminder, UpcomingReminder};

/// An answer and the position it reflects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View<T> {
    /// The last event that the answer knows of.
    pub position: Position,
    /// The answer.
    pub value: T,
}

/// Amounts of a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AmountRange {
    /// The currency.
    pub currency: Currency,
    /// The least, in minor units.
    pub min: Option<i64>,
    /// The most, in minor units.
    pub max: Option<i64>,
}

/// Days of a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DateRange {
    /// The first.
    pub from: Option<Day>,
    /// The last.
    pub until: Option<Day>,
}

impl AmountRange {
    fn holds(&self, amount: i64) -> bool {
        self.min.is_none_or(|min| min <= amount) && self.max.is_none_or(|max| amount <= max)
    }
}

impl DateRange {
    /// Whether it holds a day; no day only where it has no bounds.
    fn holds(&self, day: Option<Day>) -> bool {
        match day {
            Some(day) => {
                self.from.is_none_or(|from| from <= day)
                    && self.until.is_none_or(|until| day <= until)
            }
            None => self.from.is_none() && self.until.is_none(),
        }
    }
}

/// How a text search reads the sealed name of a customer: `None` where it cannot be opened. It is
/// asked at most once a call for each customer, and nothing of what it says is kept.
pub type NameOf<'a> = &'a dyn Fn(CustomerNo, &[u8]) -> Option<String>;

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

impl Ledger {
    pub(crate) fn customer_id(&self, no: u32) -> Option<Id> {
        self.tables.customer_id(no)
    }

    pub(crate) fn invoice_id(&self, no: u32) -> Option<Id> {
        self.tables.invoice_id(no)
    }
}
