//! State: what the writer knows when it decides. Rows that a snapshot holds, and indexes made of
//! them.

mod apply;
mod conserve;
mod indexes;
mod names;
mod resources;
mod rows;
pub(crate) mod spells;

pub use indexes::{Indexes, Kind, Timer};
pub use rows::{
    Clock, CreditLimit, CreditNote, Customer, Dispute, Invoice, InvoiceAllocation, Ledger,
    ManualReminder, Opening, Payment, PlannedPayment, Refund, Rows, Series, Spell, Stage,
};

use crate::commands::Digest;
use crate::event::Event;
use crate::number::Subject;
use crate::position::Position;
use crate::resource::Resource;

/// The writer's state.
///
/// ```
/// use encours_domain::state::{Rows, State};
/// let state = State::default();
/// let again = State::from_rows(state.rows().clone());
/// assert_eq!(again.rows().ledgers.len(), 0);
/// ```
#[derive(Debug)]
pub struct State {
    rows: Rows,
    indexes: Indexes,
    books: conserve::Books,
}

impl Default for State {
    fn default() -> Self {
        Self::from_rows(Rows::default())
    }
}

impl State {
    /// The state that these rows make; indexes are built anew.
    #[must_use]
    pub fn from_rows(rows: Rows) -> Self {
        Self::salted(rows, 0)
    }

    /// The same, where callers choose ids: they do not know the salt, by which names are found, and
    /// cannot choose ids that are found slowly. Nothing else depends on it.
    #[must_use]
    pub fn salted(rows: Rows, salt: u64) -> Self {
        let indexes = Indexes::of(&rows, salt);
        Self { rows, indexes, books: conserve::Books::default() }
    }

    /// The rows. A clone of them is cheap, and is what a snapshot writes.
    #[must_use]
    pub const fn rows(&self) -> &Rows {
        &self.rows
    }

    /// The indexes.
    #[must_use]
    pub const fn indexes(&self) -> &Indexes {
        &self.indexes
    }

    /// Applies an event that was decided or read from the log. `digest` is that of the command it
    /// belongs to.
    ///
    /// # Panics
    /// Where the event does not fit the state: a number out of order, an unknown entity, books
    /// that no longer balance. Going on would write wrong figures, so the writer stops.
    pub fn apply(&mut self, position: Position, digest: Digest, event: &Event) {
        self.indexes.before(&self.rows, event);
        self.rows.apply(position, digest, event);
        self.indexes.after(&self.rows, event);
    }

    /// Applies all events of a command, the first of which stands at `first`.
    ///
    /// # Panics
    /// As [`apply`](Self::apply), and where they do not conserve money: where documents, or the
    /// balances of customers, have moved by something else than the events say.
    pub fn apply_all(&mut self, first: Position, digest: Digest, events: &[Event]) {
        let mut position = first;
        for event in events {
            self.books.note(&self.rows, event);
            self.apply(position, digest, event);
            position = position.next();
        }
        self.books.settle(&self.rows, Position(position.0.saturating_sub(1)));
    }

    /// The resource as it is now.
    #[must_use]
    pub fn resource(&self, subject: Subject) -> Option<Resource> {
        self.rows.resource(subject)
    }

    /// The resource as it would be after these events of a command, for a dry run.
    ///
    /// # Panics
    /// As [`apply_all`](Self::apply_all) of the same events: a dry run does not say yes to what would
    /// stop the writer.
    #[must_use]
    pub fn preview(
        &self,
        first: Position,
        digest: Digest,
        events: &[Event],
        subject: Subject,
    ) -> Option<Resource> {
        let mut rows = self.rows.clone();
        let mut books = conserve::Books::default();
        let mut position = first;
        for event in events {
            books.note(&rows, event);
            rows.apply(position, digest, event);
            position = position.next();
        }
        books.settle(&rows, Position(position.0.saturating_sub(1)));
        rows.resource(subject)
    }
}
