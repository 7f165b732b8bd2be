//! Status: facets kept apart, the headline derived from them. No command sets a status.

use serde::{Deserialize, Serialize};

use crate::position::Day;
use crate::terms::DueTerms;

/// The life of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Document {
    Draft,
    Issued,
    Cancelled,
}

/// How far the follow-up of an unpaid invoice went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Dunning {
    /// No reminder after the due date went out, or nothing is open.
    None,
    /// Reminders of this level and below went out.
    Level(u8),
    /// A dispute pauses the plan.
    OnHold,
    /// Reminders were stopped for good.
    Stopped,
    /// Every step of the plan went out.
    Exhausted,
}

/// Open amount compared with total, whatever settled it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Settlement {
    Unpaid,
    PartiallyPaid,
    Paid,
}

/// Where today lies against the due date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Timing {
    /// Before the due date.
    NotDue,
    /// Due today, or in grace.
    Due,
    /// Past the due date and the grace.
    Overdue,
}

/// The facets of an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Facets {
    /// The life of the document.
    pub document: Document,
    /// How much of it is settled.
    pub settlement: Settlement,
    /// How it stands in time.
    pub timing: Timing,
    /// How far its follow-up went.
    pub dunning: Dunning,
    /// The highest level of the reminders that went out, whatever became of it since; 0: none.
    pub level: u8,
    /// Whether a dispute is open.
    pub disputed: bool,
    /// Whether a payment is planned.
    pub planned: bool,
}

/// What the facets of an item are derived from.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// The life of the document.
    pub document: Document,
    /// What is left of it: open on an invoice, unused of an opening item owing.
    pub left: i64,
    /// Its total.
    pub total: i64,
    /// When it is due; `None` where it never is: a draft, an opening item owing.
    pub due: Option<DueTerms>,
    /// The day it is.
    pub today: Day,
    /// Whether a dispute is open.
    pub disputed: bool,
    /// Whether a payment is planned.
    pub planned: bool,
    /// Whether its reminders were stopped.
    pub stopped: bool,
    /// Whether some step of its plan went out and none is to come.
    pub exhausted: bool,
    /// The highest level of the reminders that went out; 0: none.
    pub level: u8,
}

impl Facets {
    /// The facets of an item that stands like this.
    #[must_use]
    pub fn of(standing: &Standing) -> Self {
        let Standing { left, today, .. } = *standing;
        let open = left > 0 && standing.document == Document::Issued;
        Self {
            document: standing.document,
            settlement: match left {
                // A draft claims nothing yet, and owes nothing either.
                0 if standing.document != Document::Draft => Settlement::Paid,
                _ if left < standing.total && standing.document != Document::Draft => {
                    Settlement::PartiallyPaid
                }
                _ => Settlement::Unpaid,
            },
            timing: match standing.due {
                Some(due) if today >= due.overdue_from() => Timing::Overdue,
                Some(due) if today >= due.date => Timing::Due,
                _ => Timing::NotDue,
            },
            dunning: match standing.level {
                _ if !open => Dunning::None,
                _ if standing.stopped => Dunning::Stopped,
                _ if standing.disputed => Dunning::OnHold,
                _ if standing.exhausted => Dunning::Exhausted,
                0 => Dunning::None,
                level => Dunning::Level(level),
            },
            level: standing.level,
            disputed: standing.disputed,
            planned: standing.planned,
        }
    }

    /// The headline.
    #[must_use]
    pub const fn headline(self) -> Headline {
        match (self.document, self.settlement, self.timing) {
            (Document::Draft, _, _) => Headline::Draft,
            (Document::Cancelled, _, _) => Headline::Cancelled,
            (_, Settlement::Paid, _) => Headline::Paid,
            (_, _, Timing::Overdue) => Headline::Overdue,
            (_, Settlement::PartiallyPaid, _) => Headline::PartiallyPaid,
            _ if self.planned => Headline::PaymentPlanned,
            _ => Headline::NotDue,
        }
    }
}

/// The one word that lists show, first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Headline {
    Draft,
    Cancelled,
    Paid,
    Overdue,
    PartiallyPaid,
    PaymentPlanned,
    NotDue,
}

impl Headline {
    /// The name in interfaces: `NOT_DUE`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "DRAFT",
            Self::Cancelled => "CANCELLED",
            Self::Paid => "PAID",
            Self::Overdue => "OVERDUE",
            Self::PartiallyPaid => "PARTIALLY_PAID",
            Self::PaymentPlanned => "PAYMENT_PLANNED",
            Self::NotDue => "NOT_DUE",
        }
    }
}

/// The status of a customer, on its open items; first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CustomerStatus {
    /// An open item is overdue.
    Overdue,
    /// An item is open.
    AwaitingPayment,
    /// Nothing is open, and money or credit is left.
    InCredit,
    /// Nothing is open and nothing is left.
    UpToDate,
}

impl CustomerStatus {
    /// The status that these figures (minor units, one or several currencies) make.
    #[must_use]
    pub fn of(figures: impl IntoIterator<Item = CustomerFigures>) -> Self {
        figures
            .into_iter()
            .map(|f| match f {
                f if f.overdue > 0 => Self::Overdue,
                f if f.outstanding > 0 => Self::AwaitingPayment,
                f if f.unapplied > 0 => Self::InCredit,
                _ => Self::UpToDate,
            })
            .min()
            .unwrap_or(Self::UpToDate)
    }

    /// The name in interfaces: `UP_TO_DATE`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overdue => "OVERDUE",
            Self::AwaitingPayment => "AWAITING_PAYMENT",
            Self::InCredit => "IN_CREDIT",
            Self::UpToDate => "UP_TO_DATE",
        }
    }
}

/// What a customer's status is derived from, in one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CustomerFigures {
    /// Sum of the open amounts.
    pub outstanding: i64,
    /// Of it, past due date and grace.
    pub overdue: i64,
    /// Money and credit not allocated.
    pub unapplied: i64,
}
