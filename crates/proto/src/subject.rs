//! Subjects of public events, `encours.v1.<ledger>.<entity>.<event>`, and patterns of them.
//!
//! What subscribers of NATS filter by and what `EventFilter.subjects` takes is one language.

use std::fmt::Write as _;

use crate::events::EVENT_NAMES;
use crate::v1::PublicEvent;

/// What every subject begins with.
pub const SUBJECT_PREFIX: &str = "encours.v1";
/// Stands for the ledger of events that belong to none; no ledger's token is like it.
pub const NO_LEDGER: &str = "~";
/// The longest pattern, in bytes: a ledger's id of 64 with every character escaped has room.
pub const MAX_PATTERN_BYTES: usize = 320;

/// Stands for any one token.
const ANY: &str = "*";
/// Stands for one token or more; the last one of a pattern.
const REST: &str = ">";

/// The subject of an event, such as `encours.v1.acme.invoice.overdue`.
#[must_use]
pub fn subject(event: &PublicEvent) -> String {
    subject_below(SUBJECT_PREFIX, event)
}

/// The subject of an event with something else before the ledger.
#[must_use]
pub fn subject_below(prefix: &str, event: &PublicEvent) -> String {
    let ledger = match event.ledger_id.as_str() {
        "" => NO_LEDGER.to_owned(),
        ledger => token(ledger),
    };
    format!("{prefix}.{ledger}.{}", event.event)
}

/// An id as one token of a subject: `A-Z a-z 0-9 _ -` as they are, every other byte as `%` and two
/// hexadecimal digits in capitals, as in URLs.
///
/// ```
/// use encours_proto::subject::{id_of_token, token};
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

/// Of which ledger a pattern wants events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OfLedger {
    /// Of any, and of none.
    Any,
    /// Of none: events of the log, of clocks and of days.
    None,
    /// Of the ledger with this id.
    Id(String),
}

/// Which subjects are meant, as NATS says it: `payment.>`, `*.issued`, `encours.v1.acme.invoice.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    ledger: OfLedger,
    /// Entity and event; `None` for any.
    name: [Option<String>; 2],
}

/// Why a text is no pattern; one sentence that names the rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError(String);

impl std::fmt::Display for PatternError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PatternError {}

impl Pattern {
    /// Reads a pattern: `<entity>.<event>`, or `encours.v1.<ledger>.<entity>.<event>`.
    ///
    /// # Errors
    /// Which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.len() > MAX_PATTERN_BYTES {
            let why =
                format!("a subject has at most {MAX_PATTERN_BYTES} bytes, not {}", text.len());
            return Err(PatternError(why));
        }
        let wrong = |rule: &str| PatternError(format!("{text:?} is no subject: {rule}"));
        let (long, parts) = match text.strip_prefix(SUBJECT_PREFIX) {
            Some(rest) if rest.starts_with('.') => (true, &rest[1..]),
            _ => (false, text),
        };
        let mut tokens: Vec<&str> = parts.split('.').collect();
        for (at, token) in tokens.iter().enumerate() {
            match *token {
                "" => return Err(wrong("nothing stands before, between or after its dots")),
                REST if at + 1 < tokens.len() => return Err(wrong("> stands at the end only")),
                ANY | REST => {}
                token if token.contains(['*', '>']) => {
                    return Err(wrong("* and > stand alone between dots"));
                }
                _ => {}
            }
        }
        let (count, form) = if long {
            (3, "encours.v1.<ledger>.<entity>.<event>")
        } else {
            (2, "<entity>.<event>")
        };
        if tokens.last() == Some(&REST) && tokens.len() <= count {
            tokens.pop();
            tokens.resize(count, ANY);
        }
        if tokens.len() != count {
            return Err(wrong(&format!(
                "it is {form}, where * stands for any one part and > at the end for all that follow"
            )));
        }
        let ledger = if long { Some(tokens.remove(0)) } else { None };
        let ledger = match ledger {
            None | Some(ANY) => OfLedger::Any,
            Some(NO_LEDGER) => OfLedger::None,
            Some(token) => OfLedger::Id(id_of_token(token).ok_or_else(|| {
                wrong(
                    "a ledger is written with A-Z a-z 0-9 _ -, other characters as % and two \
                     hexadecimal digits, as in fr%2Fparis",
                )
            })?),
        };
        let word = |at: usize| tokens.get(at).filter(|word| **word != ANY).map(|&w| w.to_owned());
        Ok(Self { ledger, name: [word(0), word(1)] })
    }

    /// Of which ledger it wants events.
    #[must_use]
    pub const fn ledger(&self) -> &OfLedger {
        &self.ledger
    }

    /// Whether it wants events of this name, such as `invoice.overdue`.
    #[must_use]
    pub fn admits(&self, name: &str) -> bool {
        let mut parts = name.split('.');
        self.name.iter().all(|wanted| {
            let part = parts.next();
            wanted.as_deref().is_none_or(|wanted| part == Some(wanted))
        })
    }

    /// The names that would have been right where none that there is passes; `None` where one does.
    #[must_use]
    pub fn known_instead(&self) -> Option<Vec<&'static str>> {
        if EVENT_NAMES.iter().any(|name| self.admits(name)) {
            return None;
        }
        let of_entity = Self { name: [self.name[0].clone(), None], ..self.clone() };
        let known: Vec<_> =
            EVENT_NAMES.iter().copied().filter(|name| of_entity.admits(name)).collect();
        let mut known = if known.is_empty() {
            EVENT_NAMES.iter().map(|name| crate::events::entity_of(name)).collect()
        } else {
            known
        };
        known.dedup();
        Some(known)
    }
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

    fn admitted(text: &str) -> Vec<&'static str> {
        let pattern = Pattern::parse(text).unwrap();
        EVENT_NAMES.iter().copied().filter(|name| pattern.admits(name)).collect()
    }

    #[test]
    fn patterns_admit_what_nats_would() {
        assert_eq!(admitted(">"), EVENT_NAMES);
        assert_eq!(admitted("*.>"), EVENT_NAMES);
        assert_eq!(admitted("encours.v1.>"), EVENT_NAMES);
        let payments = ["payment.recorded", "payment.refunded", "payment.reversed"];
        for text in ["payment.>", "payment.*", "encours.v1.*.payment.>", "encours.v1.a.payment.*"] {
            assert_eq!(admitted(text), payments, "{text}");
        }
        assert_eq!(admitted("*.issued"), ["credit_note.issued", "invoice.issued"]);
        assert_eq!(admitted("invoice.overdue"), ["invoice.overdue"]);
        assert!(admitted("invoice.lost").is_empty());
    }

    #[test]
    fn a_long_pattern_says_of_which_ledger() {
        let ledger = |text| Pattern::parse(text).unwrap().ledger().clone();
        assert_eq!(ledger("payment.>"), OfLedger::Any);
        assert_eq!(ledger("encours.v1.>"), OfLedger::Any);
        assert_eq!(ledger("encours.v1.*.payment.>"), OfLedger::Any);
        assert_eq!(ledger("encours.v1.~.day.>"), OfLedger::None);
        assert_eq!(ledger("encours.v1.fr%2Fparis.>"), OfLedger::Id("fr/paris".to_owned()));
    }

    #[test]
    fn what_is_no_pattern_names_the_rule() {
        for (text, rule) in [
            ("", "nothing stands"),
            ("payment.", "nothing stands"),
            ("payment..recorded", "nothing stands"),
            ("encours.v1.", "nothing stands"),
            (">.recorded", "at the end only"),
            ("pay*.>", "stand alone"),
            ("payment.rec>", "stand alone"),
            ("payment", "it is <entity>.<event>"),
            ("*", "it is <entity>.<event>"),
            ("payment.recorded.>", "it is <entity>.<event>"),
            ("acme.payment.recorded", "it is <entity>.<event>"),
            ("encours.v2.acme.payment.recorded", "it is <entity>.<event>"),
            ("encours.v1.acme.payment", "it is encours.v1.<ledger>.<entity>.<event>"),
            ("encours.v1.acme.payment.recorded.>", "it is encours.v1.<ledger>"),
            ("encours.v1.fr/paris.payment.>", "fr%2Fparis"),
            ("encours.v1.%2f.payment.>", "fr%2Fparis"),
        ] {
            let why = Pattern::parse(text).unwrap_err().to_string();
            assert!(why.contains(rule), "{text}: {why}");
        }
        let why = Pattern::parse(&"a".repeat(MAX_PATTERN_BYTES + 1)).unwrap_err().to_string();
        assert_eq!(why, "a subject has at most 320 bytes, not 321");
    }

    #[test]
    fn names_that_no_event_has_are_told_with_those_that_there_are() {
        let instead = |text| Pattern::parse(text).unwrap().known_instead();
        assert_eq!(instead("payment.>"), None);
        assert_eq!(
            instead("payment.lost"),
            Some(vec!["payment.recorded", "payment.refunded", "payment.reversed"])
        );
        let entities = instead("bill.>").unwrap();
        assert!(entities.contains(&"invoice") && entities.len() == 13, "{entities:?}");
    }
}
