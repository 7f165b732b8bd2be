//! Totals of a ledger, kept in step with every change so that asking for them costs nothing.

use encours_domain::balance::Balance;
use encours_domain::status::{CustomerStatus, Document, Facets, Headline, Standing};
use encours_domain::{Currency, Day};

use crate::rows::{InvoiceFlags, InvoiceRow, Plans};

/// How many customers have each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the statuses")]
pub struct CustomerCounts {
    pub overdue: u32,
    pub awaiting_payment: u32,
    pub in_credit: u32,
    pub up_to_date: u32,
}

impl CustomerCounts {
    /// How many customers have this status.
    #[must_use]
    pub const fn get(&self, status: CustomerStatus) -> u32 {
        match status {
            CustomerStatus::Overdue => self.overdue,
            CustomerStatus::AwaitingPayment => self.awaiting_payment,
            CustomerStatus::InCredit => self.in_credit,
            CustomerStatus::UpToDate => self.up_to_date,
        }
    }

    pub(crate) const fn of(&mut self, status: CustomerStatus) -> &mut u32 {
        match status {
            CustomerStatus::Overdue => &mut self.overdue,
            CustomerStatus::AwaitingPayment => &mut self.awaiting_payment,
            CustomerStatus::InCredit => &mut self.in_credit,
            CustomerStatus::UpToDate => &mut self.up_to_date,
        }
    }
}

/// How many invoices, drafts and opening items show each headline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the headlines")]
pub struct InvoiceCounts {
    pub draft: u32,
    pub cancelled: u32,
    pub paid: u32,
    pub overdue: u32,
    pub partially_paid: u32,
    pub payment_planned: u32,
    pub not_due: u32,
}

impl InvoiceCounts {
    /// How many invoices show this headline.
    #[must_use]
    pub const fn get(&self, headline: Headline) -> u32 {
        match headline {
            Headline::Draft => self.draft,
            Headline::Cancelled => self.cancelled,
            Headline::Paid => self.paid,
            Headline::Overdue => self.overdue,
            Headline::PartiallyPaid => self.partially_paid,
            Headline::PaymentPlanned => self.payment_planned,
            Headline::NotDue => self.not_due,
        }
    }

    const fn of(&mut self, headline: Headline) -> &mut u32 {
        match headline {
            Headline::Draft => &mut self.draft,
            Headline::Cancelled => &mut self.cancelled,
            Headline::Paid => &mut self.paid,
            Headline::Overdue => &mut self.overdue,
            Headline::PartiallyPaid => &mut self.partially_paid,
            Headline::PaymentPlanned => &mut self.payment_planned,
            Headline::NotDue => &mut self.not_due,
        }
    }
}

/// The totals of a ledger at its today. Invoices dated later do not count yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The customers' balances added up, one per currency, by code.
    pub balances: Vec<Balance>,
    /// Customers by status.
    pub customers: CustomerCounts,
    /// Invoices by headline.
    pub invoices: InvoiceCounts,
    /// Invoices with something open.
    pub open_items: u32,
    /// Invoices that were overdue at some time.
    pub ever_overdue: u32,
}

/// The sums of one currency. Wider than a balance, since customers are added up.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    opening: i128,
    invoiced: i128,
    credited: i128,
    collected: i128,
    refunded: i128,
    outstanding: i128,
    overdue: i128,
    unapplied: i128,
}

/// What [`Totals`] are made of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// By code. A list, since a ledger has few currencies and every change of a balance looks here.
    sums: Vec<(Currency, Sums)>,
    customers: CustomerCounts,
    invoices: InvoiceCounts,
    open_items: u32,
    ever_overdue: u32,
}

/// What is counted of an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    headline: Headline,
    is_open: bool,
    was_overdue: bool,
}

impl Counted {
    /// What is counted of an invoice on a day. `None` of what does not count yet, and of drafts that
    /// were given up.
    pub(crate) fn of(row: &InvoiceRow, today: Day) -> Option<Self> {
        counts(row).then(|| Self {
            headline: headline(row, today),
            is_open: row.open() > 0,
            was_overdue: row.flags.has(InvoiceFlags::EVER_OVERDUE),
        })
    }
}

/// The status of a customer with these balances.
pub(crate) fn status(balances: &[Balance]) -> CustomerStatus {
    CustomerStatus::of(balances.iter().map(Balance::figures))
}

/// What the facets of an invoice are derived from. `exhausted`: whether its plan is.
pub(crate) fn standing(row: &InvoiceRow, today: Day, exhausted: bool) -> Standing {
    let has = |flag| row.flags.has(flag);
    Standing {
        document: if has(InvoiceFlags::DRAFT) {
            Document::Draft
        } else if row.is_cancelled() {
            Document::Cancelled
        } else {
            Document::Issued
        },
        left: row.left,
        total: row.total,
        due: row.claim_due(),
        today,
        disputed: has(InvoiceFlags::DISPUTED),
        planned: row.planned.is_some(),
        stopped: has(InvoiceFlags::STOPPED),
        exhausted,
        level: row.level,
    }
}

/// The facets of an invoice.
pub(crate) fn facets(row: &InvoiceRow, today: Day, plans: Plans) -> Facets {
    Facets::of(&standing(row, today, plans.is_exhausted(row)))
}

/// The headline of an invoice, for which its plan need not be known.
fn headline(row: &InvoiceRow, today: Day) -> Headline {
    Facets::of(&standing(row, today, false)).headline()
}

/// A sum of customers' figures. More than 92 quadrillion units cannot be shown: the largest is.
pub(crate) fn shown(sum: i128) -> i64 {
    i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX })
}

/// Whether an item is among those counted.
const fn counts(row: &InvoiceRow) -> bool {
    row.flags.has(InvoiceFlags::COUNTS | InvoiceFlags::DRAFT)
        && !row.flags.has(InvoiceFlags::DELETED)
}

impl Counts {
    /// Adds the change of a balance.
    pub(crate) fn add(&mut self, change: &Balance) {
        let at = self.sums.binary_search_by_key(&change.currency, |(currency, _)| *currency);
        let at = at.unwrap_or_else(|at| {
            self.sums.insert(at, (change.currency, Sums::default()));
            at
        });
        let sums = &mut self.sums[at].1;
        sums.opening += i128::from(change.opening);
        sums.invoiced += i128::from(change.invoiced);
        sums.credited += i128::from(change.credited);
        sums.collected += i128::from(change.collected);
        sums.refunded += i128::from(change.refunded);
        sums.outstanding += i128::from(change.outstanding);
        sums.overdue += i128::from(change.overdue);
        sums.unapplied += i128::from(change.unapplied);
    }

    /// A customer's status was this and is that.
    pub(crate) fn status(&mut self, before: Option<CustomerStatus>, after: Option<CustomerStatus>) {
        if before == after {
            return;
        }
        if let Some(status) = before {
            *self.customers.of(status) -= 1;
        }
        if let Some(status) = after {
            *self.customers.of(status) += 1;
        }
    }

    /// Of an invoice this was counted and that is.
    pub(crate) fn invoice(&mut self, before: Option<Counted>, after: Option<Counted>) {
        if before == after {
            return;
        }
        if let Some(counted) = before {
            *self.invoices.of(counted.headline) -= 1;
            self.open_items -= u32::from(counted.is_open);
            self.ever_overdue -= u32::from(counted.was_overdue);
        }
        if let Some(counted) = after {
            *self.invoices.of(counted.headline) += 1;
            self.open_items += u32::from(counted.is_open);
            self.ever_overdue += u32::from(counted.was_overdue);
        }
    }

    /// The totals.
    pub(crate) fn totals(&self) -> Totals {
        let balance = |(currency, sums): &(Currency, Sums)| Balance {
            currency: *currency,
            opening: shown(sums.opening),
            invoiced: shown(sums.invoiced),
            credited: shown(sums.credited),
            collected: shown(sums.collected),
            refunded: shown(sums.refunded),
            outstanding: shown(sums.outstanding),
            overdue: shown(sums.overdue),
            unapplied: shown(sums.unapplied),
        };
        Totals {
            balances: self.sums.iter().map(balance).collect(),
            customers: self.customers,
            invoices: self.invoices,
            open_items: self.open_items,
            ever_overdue: self.ever_overdue,
        }
    }
}
