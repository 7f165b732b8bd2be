//! Dunning: when an unpaid invoice is reminded of, by which step.
//!
//! A plan is a pure function of the facts of an invoice, the policy and the calendar. No date to
//! come is stored.

mod plan;

pub use plan::{emission, to_come};

use serde::{Deserialize, Serialize};

use crate::position::Day;
use crate::terms::DueTerms;

/// A plan of reminders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Policy {
    /// The built-in one: three cases, by where the sending lies against the due date.
    #[default]
    ThreeCases,
    /// No reminders.
    None,
}

impl Policy {
    /// Every policy.
    pub const ALL: &'static [Self] = &[Self::ThreeCases, Self::None];

    /// The id in interfaces and in the log.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::ThreeCases => "three-cases",
            Self::None => "none",
        }
    }

    /// The policy with this id.
    #[must_use]
    pub fn by_id(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|policy| policy.id() == id)
    }
}

/// A step of a plan, in the order in which steps follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Step {
    /// The invoice is announced, on the day it is sent. Not part of an opening item's plan.
    IssueNotice,
    /// Between sending and due date.
    Midpoint,
    /// On the due date.
    DueDate,
    /// The nth step after the due date, from 1.
    Overdue(u8),
}

impl Step {
    /// How severe it is: 0 up to the due date, then 1, 2 …
    ///
    /// WHY: an issue notice that goes out after the due date announces the invoice, it does not
    /// remind of it; it has level 0 too, and the first reminder after it level 1.
    #[must_use]
    pub const fn level(self) -> u8 {
        match self {
            Self::IssueNotice | Self::Midpoint | Self::DueDate => 0,
            Self::Overdue(nth) => nth,
        }
    }

    /// The code in the log: 0, 1, 2, and 2 more than its level after that.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::IssueNotice => 0,
            Self::Midpoint => 1,
            Self::DueDate => 2,
            Self::Overdue(nth) => 2 + nth,
        }
    }

    /// The step with this code; codes end at 11.
    #[must_use]
    pub const fn by_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::IssueNotice),
            1 => Some(Self::Midpoint),
            2 => Some(Self::DueDate),
            3..=11 => Some(Self::Overdue(code - 2)),
            _ => None,
        }
    }

    /// The name of the text to send: `issue-notice`, `before-due`, `due`, `overdue-1` …
    #[must_use]
    pub const fn template(self) -> &'static str {
        match self {
            Self::IssueNotice => "issue-notice",
            Self::Midpoint => "before-due",
            Self::DueDate => "due",
            Self::Overdue(1) => "overdue-1",
            Self::Overdue(2) => "overdue-2",
            Self::Overdue(3) => "overdue-3",
            Self::Overdue(_) => "overdue-4",
        }
    }
}

/// How a reminder goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Channel {
    Email,
    Letter,
    Sms,
    Phone,
}

/// A step that went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Emitted {
    /// Which step.
    pub step: Step,
    /// The day the plan had for it.
    pub planned: Day,
    /// The day it went out; not before `planned`.
    pub date: Day,
}

/// What a plan is a function of, besides policy and calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Facts {
    /// The first day it was sent; without one nothing is planned.
    pub sent_on: Option<Day>,
    /// The due date and the grace after it.
    pub due: DueTerms,
    /// Whether it is an opening item, which needs no issue notice.
    pub opening: bool,
    /// The last step that went out.
    pub last: Option<Emitted>,
}

/// A step to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Planned {
    /// Which step.
    pub step: Step,
    /// How it is to go out.
    pub channel: Channel,
    /// The day.
    pub date: Day,
}
