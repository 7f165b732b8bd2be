//! Payment terms: from an issue date to a due date, and how long the grace after it is.

use serde::{Deserialize, Serialize};

use crate::content::Content;
use crate::position::Day;
use crate::refusal::{Reason, Refusal};

/// Terms of a ledger or a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Terms {
    /// Due `days` after the issue date.
    NetDays {
        /// 0 to 366.
        days: u16,
        /// Days after the due date on which the invoice counts as due, not overdue: 0 to 90.
        grace_days: u8,
    },
    /// Due at issue, with [`ON_RECEIPT_GRACE_DAYS`] of grace.
    OnReceipt,
}

/// *On receipt* is overdue on the 4th day after issue.
pub const ON_RECEIPT_GRACE_DAYS: u8 = 3;

impl Terms {
    /// What holds where neither invoice, customer nor ledger says otherwise.
    ///
    /// Source: 30 days is the term of art. L441-10 of the French Code de commerce.
    pub const DEFAULT: Self = Self::NetDays { days: 30, grace_days: 0 };
    /// The longest net term.
    pub const MAX_NET_DAYS: u16 = 366;
    /// The longest grace.
    pub const MAX_GRACE_DAYS: u8 = 90;

    /// Checks the ranges.
    ///
    /// # Errors
    /// `INVALID_TERMS`.
    pub fn check(self) -> Result<(), Refusal> {
        match self {
            Self::NetDays { days, .. } if days > Self::MAX_NET_DAYS => Err(Refusal::new(
                Reason::InvalidTerms,
                "terms.net_days",
                format!("net days are {days}, at most {} are allowed", Self::MAX_NET_DAYS),
            )),
            Self::NetDays { grace_days, .. } if grace_days > Self::MAX_GRACE_DAYS => {
                Err(Refusal::new(
                    Reason::InvalidTerms,
                    "terms.grace_days",
                    format!(
                        "grace days are {grace_days}, at most {} are allowed",
                        Self::MAX_GRACE_DAYS
                    ),
                ))
            }
            _ => Ok(()),
        }
    }

    /// Writes the terms as the content of a command.
    pub(crate) fn content(self, field: u16, out: &mut dyn Content) {
        match self {
            Self::NetDays { days, grace_days } => {
                out.number(field, i64::from(days) * 256 + i64::from(grace_days));
            }
            Self::OnReceipt => out.number(field, -1),
        }
    }

    /// When an invoice issued on `issue_date` is due.
    ///
    /// # Errors
    /// `INVALID_DATE` where the due date lies outside the calendar.
    pub fn due(self, issue_date: Day) -> Result<DueTerms, Refusal> {
        let (days, grace_days) = match self {
            Self::NetDays { days, grace_days } => (days, grace_days),
            Self::OnReceipt => (0, ON_RECEIPT_GRACE_DAYS),
        };
        DueTerms::new(issue_date.plus(i32::from(days)), grace_days)
    }
}

/// When an invoice is due, as asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Due {
    /// By terms, from the issue date.
    Terms(Terms),
    /// On this date, without grace.
    Date(Day),
}

/// The due date of an invoice and the days of grace after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DueTerms {
    /// The due date, as printed.
    pub date: Day,
    /// Days after it on which the invoice counts as due, not overdue.
    pub grace_days: u8,
}

impl DueTerms {
    /// A due date and its grace.
    ///
    /// # Errors
    /// `INVALID_DATE` where the first overdue day lies outside the calendar.
    pub fn new(date: Option<Day>, grace_days: u8) -> Result<Self, Refusal> {
        date.filter(|date| date.plus(i32::from(grace_days) + 1).is_some())
            .map(|date| Self { date, grace_days })
            .ok_or_else(|| {
                let last = Day::MAX;
                Refusal::new(
                    Reason::InvalidDate,
                    "due_date",
                    format!("the due date with its grace lies beyond {last}"),
                )
            })
    }

    /// The first day on which the invoice is overdue while something is open.
    #[must_use]
    pub fn overdue_from(self) -> Day {
        self.date.plus(i32::from(self.grace_days) + 1).unwrap_or(Day::MAX)
    }
}
