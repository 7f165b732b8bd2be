//! Creditor references by ISO 11649: `RF`, two check digits, 1 to 21 letters and digits.

use std::sync::Arc;

use crate::refusal::{Reason, Refusal};

const MAX_BODY: usize = 21;

/// Checks a reference and brings it to its electronic form: capitals, no spaces.
///
/// ```
/// use encours_domain::reference;
/// assert_eq!(&*reference::check("rf18 5390 0754 7034").unwrap(), "RF18539007547034");
/// assert!(reference::check("RF19 5390 0754 7034").is_err());
/// ```
///
/// # Errors
/// `INVALID_REFERENCE`.
pub fn check(text: &str) -> Result<Arc<str>, Refusal> {
    let wrong = |why: &str| {
        Refusal::new(
            Reason::InvalidReference,
            "reference",
            format!("the reference {text:?} is no ISO 11649 reference: {why}"),
        )
    };
    let form = normalise(text);
    let body = form.get(4..).unwrap_or_default();
    let head = form.strip_prefix("RF").and_then(|rest| rest.get(..2));
    let digits = head.is_some_and(|head| head.bytes().all(|b| b.is_ascii_digit()));
    let alphanumeric = body.bytes().all(|b| b.is_ascii_alphanumeric());
    if !digits || !alphanumeric || body.is_empty() || body.len() > MAX_BODY {
        return Err(wrong("it is RF, two digits and 1 to 21 letters and digits"));
    }
    if modulo_97(body.bytes().chain(form.bytes().take(4))) != 1 {
        return Err(wrong("its check digits do not fit"));
    }
    Ok(form.into())
}

/// The reference made from a document number: its letters and digits, the last 21 of them.
///
/// ```
/// use encours_domain::reference;
/// let made = reference::of_number("FA-2026-00042");
/// assert_eq!(&*reference::check(&made).unwrap(), &*made);
/// ```
#[must_use]
pub fn of_number(number: &str) -> Arc<str> {
    let mut body = [b'0'; MAX_BODY];
    let mut len = 0;
    for byte in number.bytes().rev().filter(u8::is_ascii_alphanumeric).take(MAX_BODY) {
        len += 1;
        body[MAX_BODY - len] = byte.to_ascii_uppercase();
    }
    let body = &body[MAX_BODY - len.max(1)..];
    let check = 98 - modulo_97(body.iter().copied().chain(*b"RF00"));
    let mut made = [0; 4 + MAX_BODY];
    made[..4].copy_from_slice(&[b'R', b'F', b'0' + check / 10, b'0' + check % 10]);
    let made = &mut made[..4 + body.len()];
    made[4..].copy_from_slice(body);
    str::from_utf8(made).unwrap_or_default().into()
}

/// Capitals without white space: how references are compared.
#[must_use]
pub fn normalise(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_uppercase()).collect()
}

/// ISO 7064 MOD 97-10 over digits and letters (A = 10 … Z = 35).
fn modulo_97(text: impl Iterator<Item = u8>) -> u8 {
    let number = text.fold(0_u64, |number, byte| {
        // WHY not every time: a remainder takes longer than all the rest of a step.
        let rest = if number < u64::MAX / 1_000 { number } else { number % 97 };
        match byte {
            b'0'..=b'9' => rest * 10 + u64::from(byte - b'0'),
            _ => rest * 100 + u64::from(byte.to_ascii_uppercase().wrapping_sub(b'A')) + 10,
        }
    });
    u8::try_from(number % 97).unwrap_or_default()
}
