//! Lists, page by page, and answers to writes: what all verbs print alike.

use encours_proto::v1;
use tonic::{Response, Status};

use crate::failure::Outcome;
use crate::output::{Cell, Column, OutputArgs, Printer};

/// A page of a list.
pub(super) trait Page {
    /// What is listed.
    type Item;

    /// The items, the token of the next page, and the position that the page reflects.
    fn parts(self) -> (Vec<Self::Item>, String, u64);
}

macro_rules! pages {
    ($($answer:ident: $items:ident of $item:ident;)*) => {$(
        impl Page for v1::$answer {
            type Item = v1::$item;

            fn parts(self) -> (Vec<Self::Item>, String, u64) {
                (self.$items, self.next_page_token, self.position)
            }
        }
    )*};
}

pages! {
    ListCreditNotesResponse: credit_notes of CreditNote;
    ListCustomersResponse: customers of Customer;
    ListInvoicesResponse: invoices of Invoice;
    ListLedgersResponse: ledgers of Ledger;
    ListPaymentsResponse: payments of Payment;
    ListUpcomingRemindersResponse: reminders of UpcomingReminder;
}

/// Prints a list, asking for page after page: `fetch` is given the token of each. An item is one row
/// or several.
pub(super) async fn list<P: Page>(
    how: OutputArgs,
    name: &'static str,
    columns: &'static [Column],
    rows: impl Fn(&P::Item) -> Outcome<Vec<Vec<Cell>>>,
    fetch: impl AsyncFn(String) -> Result<Response<P>, Status>,
) -> Outcome {
    let mut printer = Printer::start(how, name, columns)?;
    let mut count = 0;
    let mut token = String::new();
    loop {
        let (items, next, position) = fetch(token).await?.into_inner().parts();
        for item in &items {
            count += 1;
            for row in rows(item)? {
                printer.row(row)?;
            }
        }
        if next.is_empty() {
            printer.fact("count", Cell::Count(count));
            printer.fact("position", Cell::Count(position));
            return printer.finish();
        }
        token = next;
    }
}

/// What a write has left.
pub(super) struct Written {
    /// The version of what was written.
    pub(super) version: u64,
    /// The position of the last event.
    pub(super) position: u64,
    /// Whether it had been done before.
    pub(super) repeat: bool,
    /// Whether it was only asked whether it could be done.
    pub(super) validate_only: bool,
}

/// Prints the answer to a write: the thing as it is now, with `more` single values under it.
pub(super) fn written(
    how: OutputArgs,
    name: &'static str,
    columns: &'static [Column],
    rows: Vec<Vec<Cell>>,
    more: Vec<(&'static str, Cell)>,
    done: &Written,
) -> Outcome {
    let mut printer = Printer::start(how, name, columns)?;
    for row in rows {
        printer.row(row)?;
    }
    for (name, value) in more {
        printer.fact(name, value);
    }
    let result = match (done.validate_only, done.repeat) {
        (true, _) => Cell::phrase("would be done; nothing was appended", []),
        (_, true) => Cell::phrase("done before; nothing was appended", []),
        _ => Cell::phrase("appended", []),
    };
    printer.fact("version", Cell::Count(done.version));
    printer.fact("result", result);
    printer.fact("position", Cell::Count(done.position));
    printer.finish()
}
