//! Values of the protocol as they are printed.

use encours_domain::{Currency, Day, Money};
use encours_proto::v1;

use super::Cell;
use crate::failure::{Exit, Failure, Outcome};

/// An amount of the protocol.
pub(crate) fn amount(amount: &v1::Money) -> Outcome<Money> {
    Currency::parse("currency_code", &amount.currency_code)
        .and_then(|currency| Money::from_units("amount", amount.units, amount.nanos, currency))
        .map_err(|refusal| {
            let message = format!("the server sent an amount that is none: {refusal}");
            Failure::new(Exit::Failure, message)
        })
}

/// An amount as a cell; an empty one where the server gave none.
pub(crate) fn money(value: Option<&v1::Money>) -> Outcome<Cell> {
    value.map_or(Ok(Cell::Empty), |value| amount(value).map(Cell::Money))
}

/// A day as a cell; an empty one where the server gave none.
pub(crate) fn date(date: Option<v1::Date>) -> Cell {
    date.map_or(Cell::Empty, Cell::Date)
}

/// A day for the protocol.
pub(crate) fn day(day: Day) -> v1::Date {
    encours_proto::money::date_message(day)
}

/// A name of the protocol without its prefix: `INVOICE_STATUS_NOT_DUE` is `NOT_DUE`; what is not
/// said is empty.
pub(crate) fn word(name: &str, prefix: &str) -> String {
    let short = name.strip_prefix(prefix).unwrap_or(name);
    if short == "UNSPECIFIED" { String::new() } else { short.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_prefix() {
        assert_eq!(word("INVOICE_STATUS_NOT_DUE", "INVOICE_STATUS_"), "NOT_DUE");
        assert_eq!(word("INVOICE_STATUS_UNSPECIFIED", "INVOICE_STATUS_"), "");
    }
}
