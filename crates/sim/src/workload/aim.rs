//! Choices: ids, amounts, dates, and rows of a ledger worth aiming at.

use encours_domain::terms::Terms;
use encours_domain::{Currency, Day, Id, Source};

use super::{CURRENCIES, Workload, currency, id};
use crate::model::{Book, View};

impl Workload {
    pub(super) fn new_id(&mut self, kind: &str) -> Id {
        self.count += 1;
        id(&format!("{kind}-{}", self.count))
    }

    /// Something in one of so many cases.
    pub(super) fn maybe<T>(&mut self, cases: u64, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.rng.one_in(cases).then(|| make(self))
    }

    pub(super) fn one_of<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        let at = self.rng.index(choices.len());
        choices.get(at).copied()
    }

    pub(super) fn any_currency(&mut self) -> Currency {
        currency(CURRENCIES[self.rng.index(CURRENCIES.len())])
    }

    pub(super) fn any_terms(&mut self) -> Terms {
        match self.rng.below(4) {
            0 => Terms::OnReceipt,
            1 => Terms::NetDays { days: 0, grace_days: 0 },
            2 => Terms::NetDays { days: 5, grace_days: 2 },
            _ => Terms::NetDays { days: 30, grace_days: 0 },
        }
    }

    /// Mostly round figures, so that exact amounts meet.
    pub(super) fn any_amount(&mut self) -> i64 {
        let small = i64::try_from(1 + self.rng.below(20)).unwrap_or(1);
        match self.rng.below(4) {
            0 => small,
            1 | 2 => small * 1_000,
            _ => small * 12_345 + 67,
        }
    }

    /// Some of `whole`: all of it, one less, or any part.
    pub(super) fn part_of(&mut self, whole: i64) -> i64 {
        let any = i64::try_from(self.rng.below(whole.unsigned_abs())).unwrap_or_default();
        match self.rng.below(4) {
            0 | 1 => whole,
            2 => (whole - 1).max(1),
            _ => any.max(1),
        }
    }

    /// Mostly today (left out), now and then before or after it.
    pub(super) fn any_date(&mut self, today: Day) -> Option<Day> {
        let days = i32::try_from(1 + self.rng.below(12)).unwrap_or(1);
        match self.rng.below(12) {
            0 | 1 => today.plus(-days),
            2 => today.plus(days),
            3 => Some(today),
            _ => None,
        }
    }

    /// An invoice, rather one with something open.
    pub(super) fn any_invoice(&mut self, book: &Book) -> Option<usize> {
        let open: Vec<usize> =
            (0..book.invoices.len()).filter(|&no| book.open(no, View::ALL) > 0).collect();
        let open = self.one_of(&open);
        if self.rng.one_in(6) { None } else { open }
            .or_else(|| Some(self.rng.index(book.invoices.len())))
            .filter(|&no| no < book.invoices.len())
    }

    /// Ids of an invoice, or one that does not exist where there is none.
    pub(super) fn invoice_id(&mut self, book: &Book) -> Id {
        let no = self.any_invoice(book);
        no.map_or_else(|| id("nobody"), |no| book.invoices[no].id.clone())
    }

    /// A payment or credit note with something left, and an open invoice of its customer.
    pub(super) fn free_pair(&mut self, book: &Book) -> Option<(Source, usize)> {
        let mut pairs = Vec::new();
        let free = |source: &Source| book.unapplied(*source, View::ALL) > 0;
        for source in book.sources().into_iter().filter(free) {
            for (no, row) in book.invoices.iter().enumerate() {
                let fits = (row.customer, row.currency) == book.owner(source);
                if fits && book.open(no, View::ALL) > 0 {
                    pairs.push((source, no));
                }
            }
        }
        self.one_of(&pairs)
    }

    /// A payment or credit note and an invoice that it has something on.
    pub(super) fn bound_pair(&mut self, book: &Book) -> Option<(Source, usize)> {
        let pairs: Vec<(Source, usize)> = book
            .allocations
            .iter()
            .map(|a| (a.source, a.invoice))
            .filter(|pair| book.allocated(View::ALL, |s, no| (s, no) == *pair) > 0)
            .collect();
        self.one_of(&pairs)
    }

    /// The open amount of an invoice.
    pub(super) fn open(book: &Book, invoice: usize) -> i64 {
        i64::try_from(book.open(invoice, View::ALL)).unwrap_or_default()
    }
}
