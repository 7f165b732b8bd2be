//! What a replay prints.

use encours_domain::{Money, Position};

use super::books::{Amount, Books, Difference, FIGURES};
use super::live::Live;
use super::player::Player;
use crate::backup::moment;
use crate::failure::Outcome;
use crate::output::{Cell, Column, OutputArgs, Printer};

const LEDGERS: [Column; 12] = [
    Column::left("ledger_id"),
    Column::right("customers"),
    Column::right("invoices"),
    Column::left("currency"),
    Column::right("opening").spare(1),
    Column::right("invoiced"),
    Column::right("credited").spare(1),
    Column::right("collected"),
    Column::right("refunded").spare(1),
    Column::right("outstanding"),
    Column::right("overdue"),
    Column::right("unapplied"),
];

/// Two positions.
const BEFORE_AFTER: [Column; 7] = [
    Column::left("ledger_id"),
    Column::left("customer_id"),
    Column::left("figure"),
    Column::left("currency"),
    Column::right("before"),
    Column::right("after"),
    Column::right("difference"),
];

/// The log and a server.
const REPLAYED_SHOWN: [Column; 7] = [
    Column::left("ledger_id"),
    Column::left("customer_id"),
    Column::left("figure"),
    Column::left("currency"),
    Column::right("replayed"),
    Column::right("shown"),
    Column::right("difference"),
];

/// The ledgers at the position that was reached.
pub(super) fn played(how: OutputArgs, player: &Player) -> Outcome {
    ledgers(how, player)?.finish()
}

/// The same, with the server that shows the same.
pub(super) fn equal(how: OutputArgs, player: &Player, live: &Live) -> Outcome {
    let mut printer = ledgers(how, player)?;
    printer.fact("result", Cell::word("EQUAL"));
    printer.fact("against", Cell::text(&live.url));
    printer.finish()
}

fn ledgers(how: OutputArgs, player: &Player) -> Outcome<Printer> {
    let mut printer = Printer::start(how, "ledgers", &LEDGERS)?;
    for ledger in Books::of(&player.model).ledgers {
        let mut total = ledger.total;
        if total.is_empty() {
            total.insert(ledger.currency, [0; FIGURES.len()]);
        }
        for (currency, figures) in total {
            let mut row = vec![
                Cell::text(&ledger.id),
                Cell::Count(ledger.customers),
                Cell::Count(ledger.invoices),
                Cell::text(currency.code()),
            ];
            row.extend(figures.map(|figure| Cell::Money(Money::new(figure, currency))));
            printer.row(row)?;
        }
    }
    printer.fact("log_id", Cell::text(player.reader().log_id().to_string()));
    printer.fact("position", Cell::Count(player.model.position().0));
    if player.model.position() > Position::START {
        printer.fact("recorded_at", Cell::text(moment(player.model.recorded_at())));
    }
    printer.fact("digest", Cell::text(player.digest()));
    Ok(printer)
}

/// Two positions side by side: `before`, and the one that was reached.
pub(super) fn compared(
    how: OutputArgs,
    player: &Player,
    before: &(Books, u64),
    digest: &str,
) -> Outcome {
    let (books, position) = before;
    let mut printer = Printer::start(how, "differences", &BEFORE_AFTER)?;
    for difference in books.against(&Books::of(&player.model)) {
        printer.row(row(&difference))?;
    }
    printer.fact("log_id", Cell::text(player.reader().log_id().to_string()));
    printer.fact("position_before", Cell::Count(*position));
    printer.fact("position_after", Cell::Count(player.model.position().0));
    printer.fact("digest_before", Cell::text(digest));
    printer.fact("digest_after", Cell::text(player.digest()));
    printer.finish()
}

/// Prints what a server shows differently; answers how many figures that is.
pub(super) fn differences(how: OutputArgs, books: &Books, shown: &Books) -> Outcome<usize> {
    let mut found = books.against(shown);
    found.retain(|difference| !difference.amount.is_same());
    if found.is_empty() {
        return Ok(0);
    }
    let mut printer = Printer::start(how, "differences", &REPLAYED_SHOWN)?;
    for difference in &found {
        printer.row(row(difference))?;
    }
    printer.finish()?;
    Ok(found.len())
}

fn row(difference: &Difference) -> Vec<Cell> {
    let Difference { ledger, customer, figure, amount } = difference;
    let mut row = vec![
        Cell::text(ledger),
        customer.as_ref().map_or_else(|| Cell::word("TOTAL"), Cell::text),
        Cell::word(*figure),
    ];
    match *amount {
        Amount::Money(currency, one, other) => {
            let money = |minor| Cell::Money(Money::new(minor, currency));
            row.push(Cell::text(currency.code()));
            row.extend([money(one), money(other), money(other.saturating_sub(one))]);
        }
        Amount::Count(one, other) => {
            let less = if other < one { "-" } else { "" };
            row.extend([Cell::Empty, Cell::Count(one), Cell::Count(other)]);
            row.push(Cell::text(format!("{less}{}", one.abs_diff(other))));
        }
    }
    row
}
