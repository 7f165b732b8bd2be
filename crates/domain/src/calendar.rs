//! Calendars: which days are business days.

use serde::{Deserialize, Serialize};

/// Which days of a ledger are business days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Calendar {
    /// Monday to Friday without the public holidays of France.
    #[default]
    France,
    /// Monday to Friday.
    Weekdays,
}

impl Calendar {
    /// Every calendar.
    pub const ALL: &'static [Self] = &[Self::France, Self::Weekdays];

    /// The id in interfaces and in the log.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::France => "france",
            Self::Weekdays => "weekdays",
        }
    }

    /// The calendar with this id.
    #[must_use]
    pub fn by_id(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|calendar| calendar.id() == id)
    }
}
