//! What makes two commands the same: their set fields by number.

use crate::details::Detail;

/// Receives the set fields of a command, in the order of their numbers.
///
/// Fields that are not set are not written, so that a field added later never changes the content
/// of an older command. The engine's implementation feeds a SHA-256 digest; personal details go
/// into it as a keyed hash, so that the digest in the log does not let anybody guess a name.
pub trait Content {
    /// A field of bytes.
    fn bytes(&mut self, field: u16, value: &[u8]);

    /// A personal detail.
    fn personal(&mut self, field: u16, value: &Detail);

    /// A field of text.
    fn text(&mut self, field: u16, value: &str) {
        self.bytes(field, value.as_bytes());
    }

    /// A field of text, where it is set.
    fn optional_text(&mut self, field: u16, value: Option<&str>) {
        if let Some(value) = value {
            self.text(field, value);
        }
    }

    /// A number.
    fn number(&mut self, field: u16, value: i64) {
        self.bytes(field, &value.to_le_bytes());
    }

    /// A number, where it is set.
    fn optional_number(&mut self, field: u16, value: Option<i64>) {
        if let Some(value) = value {
            self.number(field, value);
        }
    }
}
