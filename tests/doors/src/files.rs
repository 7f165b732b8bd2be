//! CSV files of invoices.

use std::collections::BTreeSet;
use std::path::Path;

use encours_domain::Currency;

use crate::import::rows::{Conventions, read};

/// How a file may write things, by the first byte.
const FORMATS: [&str; 4] = ["%Y-%m-%d", "%m/%d/%Y", "%d.%m.%y", "%-d %B %Y"];
const DELIMITERS: [u8; 4] = *b",;\t|";
const CURRENCIES: [&str; 4] = ["EUR", "JPY", "BHD", "USD"];

/// A file; its first byte tells delimiter, date format and currency.
///
/// # Panics
/// Where a row counts twice.
pub fn csv(data: &[u8]) {
    let Some((&how, file)) = data.split_first() else { return };
    let choice = |from: u8| usize::from(how >> from & 3);
    let conventions = Conventions {
        currency: Currency::parse("currency", CURRENCIES[choice(4)]).expect("a currency"),
        date_format: FORMATS[choice(2)].to_owned(),
        delimiter: DELIMITERS[choice(0)],
        columns: if how & 0x40 == 0 { "" } else { "total=amount,paid_on=paid" }.to_owned(),
    };
    let Ok(contents) = read(Path::new("file.csv"), file, &conventions) else { return };
    // A row that says the same as one before it is neither good nor a problem.
    let told = contents.rows.len() + contents.problems.len();
    assert!(told <= contents.total, "a row counts twice: {contents:?}");
    let lines: BTreeSet<_> = contents.rows.iter().map(|(line, _)| line).collect();
    assert_eq!(lines.len(), contents.rows.len(), "a row is read twice: {contents:?}");
    for problem in &contents.problems {
        assert!(problem.to_string().chars().count() < 1_000, "{problem}");
    }
}
