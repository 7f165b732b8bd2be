//! Why publishing pauses.

use std::fmt::Display;

/// Why publishing pauses. It is tried again, ever more seldom, for as long as the publisher runs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// No server answers, or it cannot store now.
    #[error("publisher_unavailable: {0}")]
    Unavailable(String),
    /// The stream, or what is in it, is not as it has to be: a person has to act.
    #[error("publisher_refused: {0}")]
    Refused(String),
    /// The events cannot be read.
    #[error("publisher_source: {0}")]
    Source(String),
}

impl Problem {
    pub(crate) fn unavailable(doing: &str, why: impl Display) -> Self {
        Self::Unavailable(format!("{doing}: {why}"))
    }

    /// Whether it lasts until a person acts.
    #[must_use]
    pub const fn needs_a_person(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}
