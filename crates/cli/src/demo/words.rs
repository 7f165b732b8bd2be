//! The labels of the demo, in English and in French.

pub(super) use crate::output::Language;

impl Language {
    /// The one or the other.
    pub(super) const fn say(self, english: &'static str, french: &'static str) -> &'static str {
        match self {
            Self::En => english,
            Self::Fr => french,
        }
    }
}
