//! Checks of texts and lists against their limits.

use std::sync::Arc;

use crate::details::too_large;
use crate::limits::MAX_TEXT_BYTES;
use crate::refusal::{Reason, Refusal};

/// Checks a text: at most 4 KiB, no control characters but tab and line feed.
///
/// # Errors
/// `TOO_LARGE` or `INVALID_TEXT`, naming `field`.
pub fn check(field: &str, text: &str) -> Result<(), Refusal> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(too_large(field, text.len()));
    }
    match text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        None => Ok(()),
        Some(wrong) => Err(Refusal::new(
            Reason::InvalidText,
            field,
            format!("{field} has the control character {wrong:?}"),
        )),
    }
}

/// A text to share; an empty one takes no memory.
pub(crate) fn shared(text: &str) -> Arc<str> {
    if text.is_empty() { Arc::default() } else { text.into() }
}

/// `field` has more entries than its limit.
#[must_use]
pub fn too_many(field: &str, count: usize, limit: usize) -> Refusal {
    Refusal::new(
        Reason::TooLarge,
        field,
        format!("{field} has {count} entries, at most {limit} are allowed"),
    )
    .with("count", count)
    .with("limit", limit)
}
