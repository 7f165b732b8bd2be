//! Personal details of a customer: never in the log in clear.
//!
//! A decision yields them as [`Secret::Clear`]; the engine seals them under the customer's key
//! before anything is stored or applied, so that state, log, snapshots and the read model hold
//! [`Secret::Sealed`] only.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits::MAX_TEXT_BYTES;
use crate::refusal::{Reason, Refusal};

/// Which detail a secret holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DetailKind {
    /// [`Detail::Name`].
    Name,
    /// [`Detail::Address`].
    Address,
    /// [`Detail::Contacts`].
    Contacts,
    /// [`Detail::Note`].
    Note,
}

/// A personal detail in clear. Its `Debug` form shows nothing of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Detail {
    /// The customer's name; never empty.
    Name(String),
    /// Postal address; empty: none.
    Address(String),
    /// People to write to; empty: none.
    Contacts(Vec<Contact>),
    /// Free text; empty: none.
    Note(String),
}

/// Somebody to write to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Their name.
    pub name: String,
    /// Their mail address; may be empty.
    pub email: String,
    /// Their phone number; may be empty.
    pub phone: String,
}

impl Detail {
    /// Which detail it is.
    #[must_use]
    pub const fn kind(&self) -> DetailKind {
        match self {
            Self::Name(_) => DetailKind::Name,
            Self::Address(_) => DetailKind::Address,
            Self::Contacts(_) => DetailKind::Contacts,
            Self::Note(_) => DetailKind::Note,
        }
    }

    /// Checks the texts: at most 4 KiB in all, a name not blank.
    ///
    /// # Errors
    /// `MISSING_FIELD` or `TOO_LARGE`, naming the field.
    pub fn check(&self) -> Result<(), Refusal> {
        let (field, bytes) = match self {
            Self::Name(text) if text.trim().is_empty() => return Err(Refusal::missing("name")),
            Self::Name(text) => ("name", text.len()),
            Self::Address(text) => ("address", text.len()),
            Self::Note(text) => ("note", text.len()),
            Self::Contacts(contacts) => {
                let length = |c: &Contact| c.name.len() + c.email.len() + c.phone.len();
                ("contacts", contacts.iter().map(length).sum())
            }
        };
        if bytes > MAX_TEXT_BYTES {
            return Err(too_large(field, bytes));
        }
        Ok(())
    }
}

/// `field` has more bytes than a text may have.
#[must_use]
pub fn too_large(field: &str, bytes: usize) -> Refusal {
    Refusal::new(
        Reason::TooLarge,
        field,
        format!("{field} has {bytes} bytes, at most {MAX_TEXT_BYTES} are allowed"),
    )
    .with("bytes", bytes)
    .with("limit", MAX_TEXT_BYTES)
}

impl fmt::Debug for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}(…)", self.kind())
    }
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contact(…)")
    }
}

/// A personal detail on its way into the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// As decided: before it is sealed.
    Clear(Detail),
    /// As stored: nonce and authenticated ciphertext.
    Sealed(Arc<[u8]>),
}
