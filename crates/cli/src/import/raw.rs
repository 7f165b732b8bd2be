//! The bytes of a file before they are rows: what makes the whole of it unreadable is found here, and
//! told with the line and the column where it begins.

use std::io::{self, Read};

/// The most characters of a field that are told,
const FIELD_CHARS: usize = 60;
/// and of a whole message.
const MESSAGE_CHARS: usize = 400;

/// A field of the file as it is told.
pub(crate) fn clip(text: &str) -> String {
    clip_to(FIELD_CHARS, text)
}

/// A message about the file, which may hold fields, as it is told.
pub(crate) fn clip_message(text: &str) -> String {
    clip_to(MESSAGE_CHARS, text)
}

/// The beginning of a text, where it is long, without control characters.
fn clip_to(most: usize, text: &str) -> String {
    let clean = |c: char| if c.is_control() { '·' } else { c };
    let length = text.chars().count();
    let begins: String = text.chars().take(most).map(clean).collect();
    if length <= most { begins } else { format!("{begins}… ({length} characters)") }
}

/// Where a field stands: its line and its number in the row, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) field: usize,
}

/// Where the reader of the file is within a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    /// Before its first byte.
    Start,
    /// In a field without quotes, or behind its closing quote.
    Plain,
    /// Between its quotes.
    Quotes,
    /// Behind a quote that closes it, or that is the first of two.
    Quote,
}

/// Passes the bytes of a file on and follows its quotes as the parser of rows does.
///
/// WHY: to the parser a quote that is never closed is a field that takes up all rows after it.
pub(crate) struct Followed<R> {
    inner: R,
    delimiter: u8,
    within: Within,
    at: Place,
    opened: Place,
    first: [u8; 2],
    read: u64,
}

impl<R: Read> Followed<R> {
    pub(crate) const fn new(inner: R, delimiter: u8) -> Self {
        let at = Place { line: 1, field: 1 };
        Self { inner, delimiter, within: Within::Start, at, opened: at, first: [0; 2], read: 0 }
    }

    /// Where the quote stands that nothing has closed; to be asked at the end of the file.
    pub(crate) fn open_quote(&self) -> Option<Place> {
        (self.within == Within::Quotes).then_some(self.opened)
    }

    /// Whether the file begins as one of UTF-16 does: with its byte order mark, or with every other
    /// byte zero.
    pub(crate) const fn is_utf16(&self) -> bool {
        self.read >= 2 && matches!(self.first, [0xff, 0xfe] | [0xfe, 0xff] | [0, _] | [_, 0])
    }

    fn follow(&mut self, byte: u8) {
        if let Some(first) = usize::try_from(self.read).ok().and_then(|at| self.first.get_mut(at)) {
            *first = byte;
        }
        self.read += 1;
        self.within = match (self.within, byte) {
            (Within::Quotes, b'"') => Within::Quote,
            (Within::Quotes, _) => Within::Quotes,
            (Within::Start, b'"') => {
                self.opened = self.at;
                Within::Quotes
            }
            (Within::Quote, b'"') => Within::Quotes,
            (_, byte) if byte == self.delimiter => {
                self.at.field += 1;
                Within::Start
            }
            (_, b'\n' | b'\r') => {
                self.at.field = 1;
                Within::Start
            }
            _ => Within::Plain,
        };
        self.at.line += u64::from(byte == b'\n');
    }
}

impl<R: Read> Read for Followed<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buf)?;
        for byte in buf.iter().take(count) {
            self.follow(*byte);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(text: &[u8]) -> Followed<&[u8]> {
        let mut followed = Followed::new(text, b';');
        io::copy(&mut followed, &mut io::sink()).unwrap();
        followed
    }

    #[test]
    fn an_open_quote_is_found_where_it_stands() {
        let open = |text: &str| followed(text.as_bytes()).open_quote();
        assert_eq!(open("a;b\n1;\"2\n3;4\n"), Some(Place { line: 2, field: 2 }));
        assert_eq!(open("a;\"b\"\"\n;c\n"), Some(Place { line: 1, field: 2 }));
        for closed in ["a;b\n", "\"a;\n\"\"b\"\n", "a;b\"c\n", "\"a\"b\";c\n", ""] {
            assert_eq!(open(closed), None, "{closed}");
        }
    }

    #[test]
    fn utf_16_is_known_by_its_first_bytes() {
        for text in [&b"\xff\xfea\0"[..], b"\xfe\xff\0a", b"a\0b\0", b"\0a\0b"] {
            assert!(followed(text).is_utf16(), "{text:?}");
        }
        for text in [&b"ab"[..], b"", b"\xef\xbb\xbfa", b"\xe9t\xe9"] {
            assert!(!followed(text).is_utf16(), "{text:?}");
        }
    }

    #[test]
    fn long_texts_are_clipped() {
        assert_eq!(clip("a\tb"), "a·b");
        assert_eq!(clip(&"é".repeat(60)), "é".repeat(60));
        assert_eq!(clip(&"é".repeat(61)), format!("{}… (61 characters)", "é".repeat(60)));
        assert!(clip_message(&"a".repeat(401)).ends_with("a… (401 characters)"));
    }
}
