//! Statuses, derived from the figures every time they are asked for.

use encours_domain::status::{CustomerStatus, Dunning, Headline, Settlement, Timing};
use encours_domain::{Day, InvoiceNo, Source};

use super::facts::{Book, Dated, Stage};
use super::figures::{Figures, View};

/// An opening item as what money comes from.
pub(super) fn opening(invoice: usize) -> Source {
    Source::Opening(InvoiceNo(u32::try_from(invoice).unwrap_or(u32::MAX)))
}

impl Book {
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
                .into_iter()
                .filter(|source| !self.own_credit(*source, invoice))
                .all(|source| self.allocated(view, |from, on| from == source && on == invoice) == 0)
    }

    /// Whether a source is a credit note issued against this invoice.
    #[must_use]
    pub fn own_credit(&self, source: Source, invoice: usize) -> bool {
        match source {
            Source::CreditNote(no) => self.credits[no.0 as usize].invoice == invoice,
            Source::Payment(_) | Source::Opening(_) => false,
        }
    }

    /// Whether a dispute is open.
    #[must_use]
    pub fn disputed(&self, invoice: usize, view: View) -> bool {
        let count = |facts: &[Dated]| {
            facts.iter().filter(|f| f.invoice == invoice && view.sees(f.date, f.known)).count()
        };
        count(&self.disputes) > count(&self.resolutions)
    }

    /// What is open on an invoice or opening item, or left of one owing to the customer.
    #[must_use]
    pub fn left(&self, invoice: usize, view: View) -> i128 {
        match self.invoices[invoice].stage {
            Stage::Owing => self.unapplied(opening(invoice), view),
            _ => self.open(invoice, view),
        }
    }

    /// How much of it is settled.
    #[must_use]
    pub fn settlement(&self, invoice: usize, view: View) -> Settlement {
        let row = &self.invoices[invoice];
        let left = self.left(invoice, view);
        match row.stage {
            Stage::Draft(_) | Stage::Deleted => Settlement::Unpaid,
            _ if left == 0 => Settlement::Paid,
            _ if left < i128::from(row.total) => Settlement::PartiallyPaid,
            _ => Settlement::Unpaid,
        }
    }

    /// Where a day lies against the due date.
    #[must_use]
    pub fn timing(&self, invoice: usize, view: View, today: Day) -> Timing {
        let (due, overdue_from) = self.due_in(invoice, view);
        match self.invoices[invoice].stage {
            Stage::Draft(_) | Stage::Deleted | Stage::Owing => Timing::NotDue,
            _ if today >= overdue_from => Timing::Overdue,
            _ if today >= due => Timing::Due,
            _ => Timing::NotDue,
        }
    }

    /// How far the follow-up went, all facts counted.
    #[must_use]
    pub fn dunning(&self, invoice: usize) -> Dunning {
        let row = &self.invoices[invoice];
        let went_out = self.steps.iter().any(|out| out.invoice == invoice);
        if self.open(invoice, View::ALL) == 0 {
            // One owing to the customer is not reminded of, whatever is left of it.
            Dunning::None
        } else if row.stopped {
            Dunning::Stopped
        } else if self.disputed(invoice, View::ALL) {
            Dunning::OnHold
        } else if went_out && self.plan_of(invoice).is_empty() {
            Dunning::Exhausted
        } else if row.level == 0 {
            Dunning::None
        } else {
            Dunning::Level(row.level)
        }
    }

    /// The headline status on a day.
    #[must_use]
    pub fn headline(&self, invoice: usize, view: View, today: Day) -> Headline {
        let row = &self.invoices[invoice];
        if matches!(row.stage, Stage::Draft(_) | Stage::Deleted) {
            Headline::Draft
        } else if self.cancelled(invoice, view) {
            Headline::Cancelled
        } else if self.settlement(invoice, view) == Settlement::Paid {
            Headline::Paid
        } else if self.timing(invoice, view, today) == Timing::Overdue {
            Headline::Overdue
        } else if self.settlement(invoice, view) == Settlement::PartiallyPaid {
            Headline::PartiallyPaid
        } else if row.planned.is_some() {
            Headline::PaymentPlanned
        } else {
            Headline::NotDue
        }
    }

    /// The status of a customer on a day.
    #[must_use]
    pub fn customer_status(&self, customer: usize, view: View, today: Day) -> CustomerStatus {
        status_of(&self.figures(customer, view, today))
    }
}

/// The status of a customer by its figures.
#[must_use]
pub fn status_of(figures: &[Figures]) -> CustomerStatus {
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
