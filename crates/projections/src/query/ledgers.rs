//! Ledgers, their totals and the positions of their events.

use encours_domain::number::{ClockNo, LedgerNo};
use encours_domain::{Id, Position, resource};

use super::page::page;
use super::{Items, Page, View};
use crate::counts::Totals;
use crate::model::Model;
use crate::read_model::ReadModel;
use crate::tables::partition;

impl ReadModel {
    /// The number of the ledger with this id.
    #[must_use]
    pub fn ledger_no(&self, id: &str) -> View<Option<LedgerNo>> {
        self.view(|model| model.ledger_ids.get(id).copied().map(LedgerNo))
    }

    /// The ledger with this id.
    #[must_use]
    pub fn ledger(&self, id: &str) -> View<Option<resource::Ledger>> {
        self.view(|model| model.ledger_resource(*model.ledger_ids.get(id)?))
    }

    /// The ledgers.
    #[must_use]
    pub fn ledgers(&self, which: Page) -> View<Items<resource::Ledger>> {
        self.view(|model| {
            page(which, which.numbers(model.root.ledgers.len()), |no| model.ledger_resource(no))
        })
    }

    /// The clock with this number.
    #[must_use]
    pub fn clock(&self, no: ClockNo) -> View<Option<resource::Clock>> {
        self.view(|model| model.clock_resource(no.0))
    }

    /// The totals of a ledger at its today.
    #[must_use]
    pub fn totals(&self, ledger: LedgerNo) -> View<Totals> {
        self.view_ledger(ledger, |_, ledger| ledger.index.counts.totals())
    }

    /// The positions of a ledger's events after `after`, in order, at most `limit` of them. Fewer
    /// than that means that there are no more up to the position of the view.
    #[must_use]
    pub fn positions(
        &self,
        ledger: LedgerNo,
        after: Position,
        limit: usize,
    ) -> View<Vec<Position>> {
        self.view_ledger(ledger, |model, found| {
            // Every event of a ledger but the one that creates it has one row in its history.
            let created = model.root.ledgers.get(ledger.0).map(|row| row.created);
            let history = &found.tables.history;
            let first = partition(history, |change| change.position <= after.0);
            let rows = (first..history.len()).filter_map(|row| history.get(row));
            let created = created.filter(|created| *created > after.0);
            let positions = created.into_iter().chain(rows.map(|change| change.position));
            positions.take(limit).map(Position).collect()
        })
    }
}

impl Model {
    fn clock_resource(&self, no: u32) -> Option<resource::Clock> {
        let row = self.root.clocks.get(no)?;
        Some(resource::Clock {
            no: ClockNo(no),
            id: Id::parse("clock_id", &self.root.heap.text(row.texts, 0)?).ok()?,
            test: row.test,
            zone: self.root.heap.text(row.texts, 1)?.into(),
            today: row.today,
            finished: row.finished,
            target: row.target,
        })
    }

    pub(super) fn ledger_resource(&self, no: u32) -> Option<resource::Ledger> {
        let row = self.root.ledgers.get(no)?;
        let tables = &self.ledger(no)?.tables;
        let text = |index| self.root.heap.text(row.texts, index);
        Some(resource::Ledger {
            no: LedgerNo(no),
            id: Id::parse("ledger_id", &text(0)?).ok()?,
            name: text(1)?.into(),
            currency: row.currency,
            clock: self.clock_resource(row.clock)?,
            terms: row.terms,
            invoice_pattern: text(2)?.into(),
            credit_note_pattern: text(3)?.into(),
            calendar: row.plans.calendar,
            reminders: row.plans.policy,
            customers: tables.customers.len(),
            invoices: tables.invoices.len(),
            payments: tables.payments.len(),
            credit_notes: tables.credit_notes.len(),
            created: Position(row.created),
            // Nothing changes a ledger yet.
            version: Position(row.created),
        })
    }

    pub(super) fn ledger_id(&self, no: u32) -> Option<Id> {
        let texts = self.root.ledgers.get(no)?.texts;
        Id::parse("ledger_id", &self.root.heap.text(texts, 0)?).ok()
    }
}
