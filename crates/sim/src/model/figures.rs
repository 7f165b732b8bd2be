//! Figures, each computed from all the facts of a ledger every time it is asked for.

use std::collections::BTreeSet;

use encours_domain::status::{CustomerStatus, Headline};
use encours_domain::{Currency, Day, Position, Source};

use super::facts::Book;

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

    fn sees(self, date: Day, known: Position) -> bool {
        self.as_of.is_none_or(|day| date <= day) && self.known_at.is_none_or(|at| known <= at)
    }
}

/// What a customer was invoiced, has paid and owes in one currency, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the reference of behaviour")]
pub struct Figures {
    pub currency: Currency,
    pub invoiced: i128,
    pub credited: i128,
    pub collected: i128,
    pub outstanding: i128,
    pub overdue: i128,
    pub unapplied: i128,
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
        let all = [self.invoiced, self.credited, self.collected, self.outstanding, self.unapplied];
        all.into_iter().all(|figure| i64::try_from(figure).is_ok())
    }

    /// The identity that always holds, and that nothing is below zero.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.net() == self.invoiced - self.credited - self.collected
            && self.outstanding >= 0
            && self.unapplied >= 0
            && self.overdue >= 0
            && self.overdue <= self.outstanding
    }
}

impl Book {
    /// Whether an invoice is there.
    #[must_use]
    pub fn sees_invoice(&self, invoice: usize, view: View) -> bool {
        let row = &self.invoices[invoice];
        view.sees(row.date, row.known)
    }

    /// What is owed on an invoice; 0 where it is not there.
    #[must_use]
    pub fn open(&self, invoice: usize, view: View) -> i128 {
        if !self.sees_invoice(invoice, view) {
            return 0;
        }
        let settled = self.allocated(view, |_, on| on == invoice);
        i128::from(self.invoices[invoice].total) - settled
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
        let (amount, date, known) = match source {
            Source::Payment(no) => {
                let row = &self.payments[no.0 as usize];
                (row.amount, row.date, row.known)
            }
            Source::CreditNote(no) => {
                let row = &self.credits[no.0 as usize];
                (row.amount, row.date, row.known)
            }
        };
        if !view.sees(date, known) {
            return 0;
        }
        let reversed: i128 = match source {
            Source::Payment(no) => self.reversed(no.0 as usize, view),
            Source::CreditNote(_) => 0,
        };
        i128::from(amount) - reversed - self.allocated(view, |from, _| from == source)
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

    /// The customer and currency of a payment or credit note.
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
        }
    }

    /// The day from which a payment or credit note counts.
    #[must_use]
    pub fn source_date(&self, source: Source) -> Day {
        match source {
            Source::Payment(no) => self.payments[no.0 as usize].date,
            Source::CreditNote(no) => self.credits[no.0 as usize].date,
        }
    }

    /// Every payment and credit note.
    pub fn sources(&self) -> impl Iterator<Item = Source> + use<> {
        let credits = (0_u32..).take(self.credits.len());
        let payments = (0_u32..).take(self.payments.len());
        credits
            .map(|no| Source::CreditNote(encours_domain::CreditNoteNo(no)))
            .chain(payments.map(|no| Source::Payment(encours_domain::PaymentNo(no))))
    }

    /// The currencies in which a customer was ever invoiced or paid.
    #[must_use]
    pub fn currencies(&self, customer: usize, view: View) -> BTreeSet<Currency> {
        let invoiced = self.invoices.iter().filter(|i| i.customer == customer);
        let paid = self.payments.iter().filter(|p| p.customer == customer);
        invoiced
            .filter(|i| view.sees(i.date, i.known))
            .map(|i| i.currency)
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
            invoiced: 0,
            credited: 0,
            collected: 0,
            outstanding: 0,
            overdue: 0,
            unapplied: 0,
        };
        for (no, invoice) in self.invoices.iter().enumerate() {
            if (invoice.customer, invoice.currency) != (customer, currency)
                || !view.sees(invoice.date, invoice.known)
            {
                continue;
            }
            let open = self.open(no, view);
            figures.invoiced += i128::from(invoice.total);
            figures.outstanding += open;
            // What is settled today, and reopens on a day to come, is not overdue yet.
            let today_open = self.open(no, View { as_of: Some(today), ..view }) > 0;
            let overdue = today >= invoice.overdue_from && today_open;
            figures.overdue += if overdue { open } else { 0 };
        }
        for source in self.sources().filter(|s| self.owner(*s) == (customer, currency)) {
            figures.unapplied += self.unapplied(source, view);
            match source {
                Source::Payment(no) => {
                    let row = &self.payments[no.0 as usize];
                    if view.sees(row.date, row.known) {
                        figures.collected += i128::from(row.amount);
                    }
                    figures.collected -= self.reversed(no.0 as usize, view);
                }
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
                let bucket = match day.since(invoice.due) {
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

    /// Whether credit notes reach the total, nothing is open, and no payment and no credit of
    /// another invoice is allocated. A zero total is paid, not cancelled.
    #[must_use]
    pub fn cancelled(&self, invoice: usize, view: View) -> bool {
        let total = i128::from(self.invoices[invoice].total);
        total > 0
            && self.sees_invoice(invoice, view)
            && self.credit_noted(invoice, view) == total
            && self.open(invoice, view) == 0
            && self
                .sources()
                .filter(|source| !self.own_credit(*source, invoice))
                .all(|source| self.allocated(view, |from, on| from == source && on == invoice) == 0)
    }

    /// Whether a source is a credit note issued against this invoice.
    #[must_use]
    pub fn own_credit(&self, source: Source, invoice: usize) -> bool {
        match source {
            Source::CreditNote(no) => self.credits[no.0 as usize].invoice == invoice,
            Source::Payment(_) => false,
        }
    }

    /// Whether a dispute is open.
    #[must_use]
    pub fn disputed(&self, invoice: usize, view: View) -> bool {
        let count = |facts: &[super::facts::Dated]| {
            facts.iter().filter(|f| f.invoice == invoice && view.sees(f.date, f.known)).count()
        };
        count(&self.disputes) > count(&self.resolutions)
    }

    /// The headline status on a day.
    #[must_use]
    pub fn headline(&self, invoice: usize, view: View, today: Day) -> Headline {
        let row = &self.invoices[invoice];
        let open = self.open(invoice, view);
        if self.cancelled(invoice, view) {
            Headline::Cancelled
        } else if open == 0 {
            Headline::Paid
        } else if today >= row.overdue_from {
            Headline::Overdue
        } else if open < i128::from(row.total) {
            Headline::PartiallyPaid
        } else {
            Headline::NotDue
        }
    }

    /// The status of a customer on a day.
    #[must_use]
    pub fn customer_status(&self, customer: usize, view: View, today: Day) -> CustomerStatus {
        let figures = self.figures(customer, view, today);
        if figures.iter().any(|f| f.overdue > 0) {
            CustomerStatus::Overdue
        } else if figures.iter().any(|f| f.outstanding > 0) {
            CustomerStatus::AwaitingPayment
        } else if figures.iter().any(|f| f.unapplied > 0) {
            CustomerStatus::InCredit
        } else {
            CustomerStatus::UpToDate
        }
    }
}
