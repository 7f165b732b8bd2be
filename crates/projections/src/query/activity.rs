//! The activity of an invoice: every event about it.

use encours_domain::Position;
use encours_domain::number::LedgerNo;

use super::page::page;
use super::{Items, Key, Page, View};
use crate::read_model::ReadModel;
use crate::rows::{Item, NONE};

impl ReadModel {
    /// The positions of every event about the invoice, draft or opening item with this id, oldest
    /// first, whatever the order asked for: drafts, issue, sending, disputes, reminders, planned
    /// payments, corrections, due and overdue, allocations on and off, credit notes, payment in
    /// full, reopening, cancellation. `None` where there is no such invoice.
    #[must_use]
    pub fn activity(
        &self,
        ledger: LedgerNo,
        invoice_id: &str,
        which: Page,
    ) -> View<Option<Items<Position>>> {
        self.view_ledger(ledger, |_, found| {
            let no = found.index.invoice(&found.tables, invoice_id)?;
            let item = Item::Invoice(no);
            let history = &found.tables.history;
            let about = |row: &u32| {
                let change = history.get(*row);
                change.is_some_and(|change| change.item() == item || change.other() == Some(item))
            };
            // A row of another invoice, from a token of another list, would lead astray.
            let after = which.after.map(Key::no).filter(about);
            let first = found.tables.invoices.get(no).map_or(NONE, |row| row.first);
            let links = &found.index.links;
            let rows = found.tables.chain(links, after.unwrap_or(first), item);
            let rows = rows.map(|(row, _)| row).filter(|row| Some(*row) != after);
            let position = |row| Some(Position(history.get(row)?.position));
            Some(page(which, rows.map(Key::number), position))
        })
    }
}
