//! What a payment or a credit note is put against, as rows.

use encours_proto::v1;

use crate::failure::Outcome;
use crate::output::{self, Cell, Column};

pub(crate) const COLUMNS: [Column; 3] =
    [Column::left("invoice_id"), Column::left("date"), Column::right("allocated")];

/// An allocation as a row.
pub(crate) fn row(allocation: &v1::Allocation) -> Outcome<Vec<Cell>> {
    Ok(vec![
        Cell::text(&allocation.invoice_id),
        output::date(allocation.date),
        output::money(allocation.amount.as_ref())?,
    ])
}
