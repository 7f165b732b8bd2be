//! The days of a file: what is played on each, in which order.

use std::collections::BTreeMap;

use encours_domain::Day;

use super::columns::Key;
use super::rows::Row;

/// What is played on a day. The numbers are places in the list of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// Invoices of this day, in the order of the file.
    pub(crate) issued: Vec<usize>,
    /// Invoices settled on this day, in the order of the file.
    pub(crate) settled: Vec<usize>,
}

/// The days on which something happens, in order.
pub(crate) fn plan(rows: &[(u64, Row)]) -> BTreeMap<Day, Work> {
    let mut days: BTreeMap<Day, Work> = BTreeMap::new();
    for (at, (_, row)) in rows.iter().enumerate() {
        days.entry(row.issue_date).or_default().issued.push(at);
        // WHY: money that came before its invoice is played with it; its own date is kept.
        if let Some(paid_on) = row.paid_on.filter(|_| row.total.minor > 0) {
            days.entry(paid_on.max(row.issue_date)).or_default().settled.push(at);
        }
    }
    days
}

/// A day that lies far behind the one before it: most likely a mistyped year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// The place of its row in the list.
    pub(crate) row: usize,
    /// What it is of that row.
    pub(crate) key: Key,
    /// The day.
    pub(crate) day: Day,
    /// The last day before it.
    pub(crate) before: Day,
}

impl Gap {
    /// Whole years, rounded down.
    pub(crate) fn years(&self) -> i32 {
        self.day.since(self.before) * 4 / 1_461
    }
}

/// The first day that lies more than `years` behind the one before it; the first of all days is held
/// against `today`.
pub(crate) fn gap(days: &BTreeMap<Day, Work>, today: Option<Day>, years: i32) -> Option<Gap> {
    let mut last = today;
    for (day, work) in days {
        if let Some(before) = last.filter(|last| day.since(*last) > years * 366) {
            let issued = work.issued.first().map(|row| (*row, Key::IssueDate));
            let settled = work.settled.first().map(|row| (*row, Key::PaidOn));
            let (row, key) = issued.or(settled)?;
            return Some(Gap { row, key, day: *day, before });
        }
        last = last.max(Some(*day));
    }
    None
}

#[cfg(test)]
mod tests {
    use encours_domain::{Currency, Id, Money};

    use super::*;

    fn row(customer: &str, invoice: &str, issue: i32, paid: Option<i32>) -> (u64, Row) {
        let id = |text| Id::parse("id", text).unwrap();
        let day = |number| Day::from_number(number).unwrap();
        let currency = Currency::parse("currency", "EUR").unwrap();
        let row = Row {
            customer_id: id(customer),
            customer_name: customer.into(),
            invoice_id: id(invoice),
            number: invoice.into(),
            reference: String::new(),
            issue_date: day(issue),
            due_date: None,
            total: Money::new(100, currency),
            disputed: false,
            paid_on: paid.map(day),
        };
        (0, row)
    }

    #[test]
    fn days_are_in_order_and_rows_of_a_day_in_the_order_of_the_file() {
        let rows = [
            row("b", "F2", 20, Some(30)),
            row("a", "F1", 10, Some(20)),
            row("a", "F3", 20, Some(15)),
        ];
        let days = plan(&rows);
        assert_eq!(days.keys().map(|day| day.number()).collect::<Vec<_>>(), [10, 20, 30]);
        let twentieth = &days[&Day::from_number(20).unwrap()];
        assert_eq!(twentieth.issued, [0, 2]);
        assert_eq!(twentieth.settled, [1, 2], "money from before its invoice waits for it");
    }

    #[test]
    fn a_mistyped_year_is_a_gap() {
        let day = |number| Day::from_number(number).unwrap();
        let rows = [row("a", "F1", 10, Some(20)), row("a", "F2", 30, Some(30 + 40 * 366))];
        let days = plan(&rows);
        let found = gap(&days, None, 10).unwrap();
        assert_eq!((found.row, found.key), (1, Key::PaidOn));
        assert_eq!((found.before, found.day, found.years()), (day(30), day(30 + 40 * 366), 40));
        assert_eq!(gap(&days, None, 40), None);
        let days = plan(&rows[..1]);
        assert_eq!(gap(&days, None, 1), None, "the first day alone is no gap");
        assert_eq!(gap(&days, Some(day(10 - 400)), 1).unwrap().key, Key::IssueDate);
        assert_eq!(gap(&days, Some(day(9_000)), 1), None, "a clock that is further already");
    }
}
