//! Status: facets kept apart, the headline derived from them. No command sets a status.

use serde::{Deserialize, Serialize};

/// The life of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Document {
    Issued,
    Cancelled,
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
    /// Whether a dispute is open.
    pub disputed: bool,
}

/// The one word that lists show, first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Headline {
    Cancelled,
    Paid,
    Overdue,
    PartiallyPaid,
    NotDue,
}

impl Facets {
    /// The facets of an invoice with these figures on `today`.
    #[must_use]
    pub fn of(
        figures: (i64, i64),
        due: crate::terms::DueTerms,
        today: crate::position::Day,
        cancelled: bool,
        disputed: bool,
    ) -> Self {
        let (open, total) = figures;
        Self {
            document: if cancelled { Document::Cancelled } else { Document::Issued },
            settlement: match open {
                0 => Settlement::Paid,
                _ if open < total => Settlement::PartiallyPaid,
                _ => Settlement::Unpaid,
            },
            timing: if today < due.date {
                Timing::NotDue
            } else if today < due.overdue_from() {
                Timing::Due
            } else {
                Timing::Overdue
            },
            disputed,
        }
    }

    /// The headline.
    #[must_use]
    pub const fn headline(self) -> Headline {
        match (self.document, self.settlement, self.timing) {
            (Document::Cancelled, _, _) => Headline::Cancelled,
            (_, Settlement::Paid, _) => Headline::Paid,
            (_, _, Timing::Overdue) => Headline::Overdue,
            (_, Settlement::PartiallyPaid, _) => Headline::PartiallyPaid,
            _ => Headline::NotDue,
        }
    }
}

impl Headline {
    /// The name in interfaces: `NOT_DUE`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cancelled => "CANCELLED",
            Self::Paid => "PAID",
            Self::Overdue => "OVERDUE",
            Self::PartiallyPaid => "PARTIALLY_PAID",
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
