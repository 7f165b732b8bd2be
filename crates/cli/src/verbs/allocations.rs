//! A payment or a credit note with what it is put against.

use encours_proto::v1;

use crate::failure::Outcome;
use crate::output::{self, Cell, Column, Format, OutputArgs, Printer};

const COLUMNS: [Column; 3] =
    [Column::left("invoice_id"), Column::left("date"), Column::right("allocated")];

fn row(allocation: &v1::Allocation) -> Outcome<Vec<Cell>> {
    Ok(vec![
        Cell::text(&allocation.invoice_id),
        output::date(allocation.date),
        output::money(allocation.amount.as_ref())?,
    ])
}

/// A payment or a credit note.
pub(super) struct Source<'a> {
    /// What it is, in JSON.
    pub(super) name: &'static str,
    /// Its columns; [`Cell::Empty`] ones are not shown.
    pub(super) columns: &'static [Column],
    /// Its values, one per column.
    pub(super) row: Vec<Cell>,
    /// How many of the columns are shown one a line; CSV has all.
    pub(super) shown: usize,
    /// What else there is to say of it.
    pub(super) more: Vec<(&'static str, Cell)>,
    /// What it is put against.
    pub(super) allocations: &'a [v1::Allocation],
}

/// Prints it: for programs that read CSV as its row, else its values and its allocations.
pub(super) fn show(how: OutputArgs, source: Source<'_>) -> Outcome {
    let Source { name, columns, mut row, shown, more, allocations } = source;
    if how.format == Format::Csv {
        let mut printer = Printer::start(how, name, columns)?;
        printer.row(row)?;
        return printer.finish();
    }
    let mut printer = Printer::start(how, "allocations", &COLUMNS)?;
    printer.facts_first();
    row.truncate(shown);
    printer.facts(columns, row);
    for (name, value) in more {
        printer.fact(name, value);
    }
    for allocation in allocations {
        printer.row(self::row(allocation)?)?;
    }
    printer.finish()
}
