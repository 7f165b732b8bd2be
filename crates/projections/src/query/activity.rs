//! The activity of an invoice: every event about it.

use encours_domain::Position;
use encours_domain::number::LedgerNo;

use super::{Items, Page, View, page};
use crate::read_model::ReadModel;
use crate::rows::{Item, NONE};

impl ReadModel {
    /// The positions of every event about the invoice with this id, oldest first: issue, sending,
    /// disputes, due and overdue, allocations on and off, credit notes, payment in full, reopening,
    /// cancellation. `None` where there is no such invoice.
    ///
    /// [`Page::after`] is a place in the ledger's history here, as [`Items::next`] gives it.
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
            let after = which.after.filter(about);
            let first = found.tables.invoices.get(no).map_or(NONE, |row| row.first);
            let rows = found.chain(after.unwrap_or(first), item).map(|(row, _)| row);
            let rows = rows.filter(|row| Some(*row) != after);
            Some(page(which, rows, |row| Some(Position(history.get(row)?.position))))
        })
    }
}
