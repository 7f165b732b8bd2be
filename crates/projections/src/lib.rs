//! The read model: folds the log into balances, statuses and history.
//!
//! One thread follows the log through its durable frames, decodes each event once and keeps current
//! rows and a history per ledger, all at one position. [`ReadModel`] is the handle: it answers
//! queries with the position they reflect, waits for a position, and says how it is. An event that
//! cannot be folded stops it there; nothing is ever skipped.

mod checkpoint;
mod counts;
mod digest;
mod error;
mod fold;
mod heap;
mod id_index;
mod index;
mod model;
mod query;
mod read_model;
mod replay;
mod rows;
mod search;
mod tables;
#[cfg(test)]
mod testing;
mod worker;

pub use checkpoint::{Checkpoint, PROJECTION_VERSION};
pub use counts::{CustomerCounts, InvoiceCounts, Totals};
pub use digest::Digest;
pub use error::{FoldError, OpenError, RebuildError, StopError};
pub use query::{
    Ageing, AgeingFigures, AgeingRow, AmountRange, AsOf, CreditCheck, CreditNoteFilter,
    CreditVerdict, CustomerFilter, DateRange, DunningState, InvoiceFilter, Items, Key, MAX_PAGE,
    MAX_SCAN, NameOf, Order, Page, PaymentFilter, PlanState, ReminderPlan, SentReminder,
    UpcomingReminder, View,
};
pub use read_model::{Health, ReadModel, ReadModelOptions, RebuildProgress, Rebuilds, Rebuilt};
pub use replay::position_at;
