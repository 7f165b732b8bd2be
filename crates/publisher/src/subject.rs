//! Subjects: `encours.v1.<ledger>.<entity>.<event>`.

use std::fmt::Write as _;

use encours_proto::v1::PublicEvent;

/// What every subject begins with.
pub const SUBJECT_PREFIX: &str = "encours.v1";
/// Stands for the ledger of events that belong to none; no ledger's token is like it.
pub const NO_LEDGER: &str = "~";

/// The subject of an event, such as `encours.v1.acme.invoice.overdue`.
#[must_use]
pub fn subject(event: &PublicEvent) -> String {
    let ledger = match event.ledger_id.as_str() {
        "" => NO_LEDGER.to_owned(),
        ledger => token(ledger),
    };
    format!("{SUBJECT_PREFIX}.{ledger}.{}", event.event)
}

/// An id as one token of a subject: `A-Z a-z 0-9 _ -` as they are, every other byte as `%` and two
/// hexadecimal digits in capitals, as in URLs.
///
/// ```
/// use encours_publisher::{id_of_token, token};
/// assert_eq!(token("acme"), "acme");
/// assert_eq!(token("fr/paris:2"), "fr%2Fparis%3A2");
/// assert_eq!(id_of_token("fr%2Fparis%3A2").as_deref(), Some("fr/paris:2"));
/// ```
#[must_use]
pub fn token(id: &str) -> String {
    let mut token = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') {
            token.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(token, "%{byte:02X}");
        }
    }
    token
}

/// The id that [`token`] made this of; `None` where it made it of none.
#[must_use]
pub fn id_of_token(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(part.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes).ok().filter(|id| token(id) == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_stays_one_token() {
        for id in ["a", "ACME_1-2", "fr/paris", "a:b/c", "%", "~", "é", "a b", "a.b", "*", ">"] {
            let token = token(id);
            assert_eq!(id_of_token(&token).as_deref(), Some(id), "{token}");
            let fits = |c: char| c.is_ascii_alphanumeric() || "_-%".contains(c);
            assert!(token.chars().all(fits), "{token}");
        }
    }

    #[test]
    fn other_texts_are_no_token() {
        for text in ["~", "a/b", "%2f", "%", "%2", "%zz", "%41", "a.b"] {
            assert_eq!(id_of_token(text), None, "{text}");
        }
    }

    #[test]
    fn an_event_of_no_ledger_has_a_subject_too() {
        let event = |ledger_id: &str, event: &str| PublicEvent {
            ledger_id: ledger_id.to_owned(),
            event: event.to_owned(),
            ..Default::default()
        };
        assert_eq!(subject(&event("", "day.opened")), "encours.v1.~.day.opened");
        assert_eq!(
            subject(&event("a/b", "credit_note.issued")),
            "encours.v1.a%2Fb.credit_note.issued"
        );
    }
}
