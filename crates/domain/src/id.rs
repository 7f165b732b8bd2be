//! Ids that callers choose, and the texts that travel with commands.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::refusal::{Reason, Refusal};

/// An id: 1 to 64 characters of `A-Z a-z 0-9 _ - : /`, unique in its ledger and kind.
///
/// ```
/// use encours_domain::Id;
/// assert!(Id::parse("invoice_id", "F/2026-001").is_ok());
/// let refusal = Id::parse("invoice_id", "F 1").unwrap_err();
/// assert_eq!(refusal.field, "invoice_id");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Id(Arc<str>);

impl Id {
    /// The most characters an id may have.
    pub const MAX_LEN: usize = 64;

    /// Reads an id.
    ///
    /// # Errors
    /// `INVALID_ID` naming `field`, and the first character that is not allowed or the length.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Refusal> {
        let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':' | '/');
        let length = text.chars().count();
        if length == 0 || length > Self::MAX_LEN {
            return Err(Refusal::new(
                Reason::InvalidId,
                field,
                format!("{field} must have 1 to 64 characters, has {length}"),
            )
            .with("length", length));
        }
        match text.chars().find(|c| !allowed(c)) {
            None => Ok(Self(text.into())),
            Some(wrong) => Err(Refusal::new(
                Reason::InvalidId,
                field,
                format!("{field} may hold A-Z a-z 0-9 _ - : / only, has {wrong:?}"),
            )
            .with("character", wrong.escape_default())),
        }
    }

    /// The id of the system's clock in a time zone.
    pub(crate) fn of_system_clock(zone: &str) -> Self {
        // WHY: `+`, as in Etc/GMT+5, is no character of an id, and `:` is none of a time zone.
        Self(format!("system:{}", zone.replace('+', ":")).into())
    }

    /// The id as a text to share.
    pub(crate) const fn shared(&self) -> &Arc<str> {
        &self.0
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for Id {
    fn borrow(&self) -> &str {
        &self.0
    }
}
