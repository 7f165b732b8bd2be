//! Figures, each computed from all the facts of a ledger every time it is asked for.

use std::collections::BTreeSet;

use encours_domain::balance::Balance;
use encours_domain::{Currency, Day, Position, Source};

use super::facts::{Book, Correction, Stage};
use super::status::opening;

/// Which facts count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Only those that take effect up to this day.
    pub as_of: Option<Day>,
    /// Only those recorded up to this position, which is the last one of a command.
    pub known_at: Option<Position>,
}

impl View {
    /// All facts, whenever they take effect.
    pub const ALL: Self = Self { as_of: None, known_at: None };

    /// What is in effect on a day.
    #[must_use]
    pub const fn as_of(day: Day) -> Self {
        Self { as_of: Some(day), known_at: None }
    }

    pub(super) fn sees(self, date: Day, known: Position) -> bool {
        self.as_of.is_none_or(|day| date <= day) && self.known_at.is_none_or(|at| known <= at)
    }
}

/// What a customer was invoiced, has paid and owes in one currency, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the reference of behaviour")]
pub struct Figures {
    pub currency: Currency,
    pub opening: i128,
    pub invoiced: i128,
    pub credited: i128,
    pub collected: i128,
    pub refunded: i128,
    pub outstanding: i128,
    pub overdue: i128,
    pub unapplied: i128,
}

impl From<&Balance> for Figures {
    fn from(b: &Balance) -> Self {
        Self {
            currency: b.currency,
            opening: b.opening.into(),
            invoiced: b.invoiced.into(),
            credited: b.credited.into(),
            collected: b.collected.into(),
            refunded: b.refunded.into(),
            outstanding: b.outstanding.into(),
            overdue: b.overdue.into(),
            unapplied: b.unapplied.into(),
        }
    }
}

impl Figures {
    /// What is owed on balance.
    #[must_use]
    pub const fn net(&self) -> i128 {
        self.outstanding - self.unapplied
    }

    /// Whether each figure fits 64 bits.
    #[must_use]
    pub fn fits(&self) -> bool {
        let documents = [self.opening, self.invoiced, self.credited, self.collected, self.refunded];
        let balances = [self.outstanding, self.unapplied];
        documents.into_iter().chain(balances).all(|figure| i64::try_from(figure).is_ok())
    }

    /// The identity that always holds, and that nothing is below zero.
    #[must_use]
    pub const fn holds(&self) -> bool {
        let facts = self.opening + self.invoiced - self.credited - self.collected + self.refunded;
        self.net() == facts
            && self.refunded >= 0
            && self.outstanding >= 0
            && self.unapplied >= 0
            && self.overdue >= 0
            && self.overdue <= self.outstanding
    }
}

impl Book {
    /// Whether an invoice or opening item is there; a draft is not.
    #[must_use]
    pub fn sees_invoice(&self, invoice: usize, view: View) -> bool {
        let row = &self.invoices[invoice];
        !matches!(row.stage, Stage::Draft(_) | Stage::Deleted) && view.sees(row.date, row.known)
    }

    /// What an invoice or opening item comes to with its corrections; 0 where it is not there.
    #[must_use]
    pub fn comes_to(&self, invoice: usize, view: View) -> i128 {
        if !self.sees_invoice(invoice, view) {
            return 0;
        }
        let corrections = self.corrections.iter().filter(|c| c.invoice == invoice);
        let seen = corrections.filter(|c| view.sees(c.date, c.known));
        seen.fold(i128::from(self.invoices[invoice].claim), |sum, c| sum + i128::from(c.more))
    }

    /// The due date of an invoice or opening item, and the first day on which it is overdue.
    #[must_use]
    pub fn due_in(&self, invoice: usize, view: View) -> (Day, Day) {
        let seen = |c: &&Correction| c.invoice == invoice && view.sees(c.date, c.known);
        let last = self.corrections.iter().rfind(seen);
        last.map_or(self.invoices[invoice].first_due, |c| c.due)
    }

    /// What is owed on an invoice; 0 where it is not there.
    #[must_use]
    pub fn open(&self, invoice: usize, view: View) -> i128 {
        if !self.sees_invoice(invoice, view) || self.invoices[invoice].stage == Stage::Owing {
            return 0;
        }
        self.comes_to(invoice, view) - self.allocated(view, |_, on| on == invoice)
    }

    /// What is allocated, of the pairs of source and invoice that are asked for.
    #[must_use]
    pub fn allocated(&self, view: View, wanted: impl Fn(Source, usize) -> bool) -> i128 {
        self.allocations
            .iter()
            .filter(|a| wanted(a.source, a.invoice) && view.sees(a.date, a.known))
            .map(|a| i128::from(a.amount))
            .sum()
    }

    /// Amounts of the credit notes issued against an invoice.
    #[must_use]
    pub fn credit_noted(&self, invoice: usize, view: View) -> i128 {
        self.credits
            .iter()
            .filter(|c| c.invoice == invoice && view.sees(c.date, c.known))
            .map(|c| i128::from(c.amount))
            .sum()
    }

    /// What is neither allocated nor taken back of a payment or credit note.
    #[must_use]
    pub fn unapplied(&self, source: Source, view: View) -> i128 {
        let granted = match source {
            Source::Payment(no) => {
                let (payment, row) = (no.0 as usize, &self.payments[no.0 as usize]);
                let seen = view.sees(row.date, row.known);
                let amount = if seen { i128::from(row.amount) } else { 0 };
                amount - self.reversed(payment, view) - self.refunded(payment, view)
            }
            Source::Opening(no) => self.comes_to(no.0 as usize, view),
            Source::CreditNote(no) => {
                let row = &self.credits[no.0 as usize];
                if view.sees(row.date, row.known) { i128::from(row.amount) } else { 0 }
            }
        };
        granted - self.allocated(view, |from, _| from == source)
    }

    /// What was taken back of a payment.
    #[must_use]
    pub fn reversed(&self, payment: usize, view: View) -> i128 {
        self.reversals
            .iter()
            .filter(|r| r.payment == payment && view.sees(r.date, r.known))
            .map(|r| i128::from(r.amount))
            .sum()
    }

    /// What was paid back of a payment.
    #[must_use]
    pub fn refunded(&self, payment: usize, view: View) -> i128 {
        self.refunds
            .iter()
            .filter(|r| r.payment == payment && view.sees(r.date, r.known))
            .map(|r| i128::from(r.amount))
            .sum()
    }

    /// The customer and currency of a payment or credit.
    #[must_use]
    pub fn owner(&self, source: Source) -> (usize, Currency) {
        match source {
            Source::Payment(no) => {
                let row = &self.payments[no.0 as usize];
                (row.customer, row.currency)
            }
            Source::CreditNote(no) => {
                let row = &self.invoices[self.credits[no.0 as usize].invoice];
                (row.customer, row.currency)
            }
            Source::Opening(no) => {
                let row = &self.invoices[no.0 as usize];
                (row.customer, row.currency)
            }
        }
    }

    /// The day from which a payment or credit note counts.
    #[must_use]
    pub fn source_date(&self, source: Source) -> Day {
        match source {
            Source::Payment(no) => self.payments[no.0 as usize].date,
            Source::CreditNote(no) => self.credits[no.0 as usize].date,
            Source::Opening(no) => self.invoices[no.0 as usize].date,
        }
    }

    /// Every credit note, opening item owing to a customer, and payment.
    #[must_use]
    pub fn sources(&self) -> Vec<Source> {
        let credits = (0_u32..).take(self.credits.len());
        let payments = (0_u32..).take(self.payments.len());
        let owing = (0..self.invoices.len()).filter(|&no| self.invoices[no].stage == Stage::Owing);
        let credits = credits.map(|no| Source::CreditNote(encours_domain::CreditNoteNo(no)));
        let payments = payments.map(|no| Source::Payment(encours_domain::PaymentNo(no)));
        credits.chain(owing.map(opening)).chain(payments).collect()
    }

    /// The currencies in which a customer was ever invoiced or paid.
    #[must_use]
    pub fn currencies(&self, customer: usize, view: View) -> BTreeSet<Currency> {
        let invoiced = (0..self.invoices.len()).filter(|&no| self.sees_invoice(no, view));
        let paid = self.payments.iter().filter(|p| p.customer == customer);
        invoiced
            .filter(|&no| self.invoices[no].customer == customer)
            .map(|no| self.invoices[no].currency)
            .chain(paid.filter(|p| view.sees(p.date, p.known)).map(|p| p.currency))
            .collect()
    }

    /// A customer's figures by currency; what is past due is counted on `today`.
    #[must_use]
    pub fn figures(&self, customer: usize, view: View, today: Day) -> Vec<Figures> {
        self.currencies(customer, view)
            .into_iter()
            .map(|currency| self.figures_in(customer, currency, view, today))
            .collect()
    }

    fn figures_in(&self, customer: usize, currency: Currency, view: View, today: Day) -> Figures {
        let mut figures = Figures {
            currency,
            opening: 0,
            invoiced: 0,
            credited: 0,
            collected: 0,
            refunded: 0,
            outstanding: 0,
            overdue: 0,
            unapplied: 0,
        };
        for (no, invoice) in self.invoices.iter().enumerate() {
            if (invoice.customer, invoice.currency) != (customer, currency)
                || !self.sees_invoice(no, view)
            {
                continue;
            }
            let open = self.open(no, view);
            match invoice.stage {
                Stage::Owed => figures.opening += self.comes_to(no, view),
                Stage::Owing => figures.opening -= self.comes_to(no, view),
                _ => figures.invoiced += i128::from(invoice.total),
            }
            figures.outstanding += open;
            figures.overdue += if today >= self.due_in(no, view).1 { open } else { 0 };
        }
        let own = |source: &Source| self.owner(*source) == (customer, currency);
        for source in self.sources().into_iter().filter(own) {
            figures.unapplied += self.unapplied(source, view);
            match source {
                Source::Payment(no) => {
                    let row = &self.payments[no.0 as usize];
                    if view.sees(row.date, row.known) {
                        figures.collected += i128::from(row.amount);
                    }
                    figures.collected -= self.reversed(no.0 as usize, view);
                    figures.refunded += self.refunded(no.0 as usize, view);
                }
                Source::Opening(_) => {}
                Source::CreditNote(no) => {
                    let row = &self.credits[no.0 as usize];
                    if view.sees(row.date, row.known) {
                        figures.credited += i128::from(row.amount);
                    }
                }
            }
        }
        figures
    }

    /// Open amounts by age on a day, from the due date, grace left aside: not due, 1-30, 31-60,
    /// 61-90, 91-120, over 120 days late.
    #[must_use]
    pub fn ageing(&self, customer: usize, currency: Currency, view: View, day: Day) -> [i128; 6] {
        let mut buckets = [0; 6];
        for (no, invoice) in self.invoices.iter().enumerate() {
            if (invoice.customer, invoice.currency) == (customer, currency) {
                let bucket = match day.since(self.due_in(no, view).0) {
                    ..=0 => 0,
                    1..=30 => 1,
                    31..=60 => 2,
                    61..=90 => 3,
                    91..=120 => 4,
                    _ => 5,
                };
                buckets[bucket] += self.open(no, view);
            }
        }
        buckets
    }
}
