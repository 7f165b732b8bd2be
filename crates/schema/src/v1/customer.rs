//! Events of customers. Personal details lie here as ciphertext only.

use encours_domain::details::{DetailKind, Secret};
use encours_domain::{CustomerNo, LedgerNo, event};
use serde::{Deserialize, Serialize};

use super::values::{self, FrozenTerms};
use crate::error::{InvalidValue, Unfit};
use crate::{EventKind, Frozen};

/// A sealed detail: kind 1 name, 2 address, 3 contacts, 4 note.
#[derive(Serialize, Deserialize)]
struct SealedDetail<'a> {
    kind: u8,
    sealed: &'a [u8],
}

impl<'a> SealedDetail<'a> {
    fn freeze((kind, secret): &'a (DetailKind, Secret)) -> Result<Self, Unfit> {
        let kind = match kind {
            DetailKind::Name => 1,
            DetailKind::Address => 2,
            DetailKind::Contacts => 3,
            DetailKind::Note => 4,
        };
        match secret {
            Secret::Sealed(sealed) => Ok(Self { kind, sealed }),
            Secret::Clear(_) => Err(Unfit::Unsealed),
        }
    }

    fn thaw(self) -> Result<(DetailKind, Secret), InvalidValue> {
        let kind = match self.kind {
            1 => DetailKind::Name,
            2 => DetailKind::Address,
            3 => DetailKind::Contacts,
            4 => DetailKind::Note,
            other => return Err(InvalidValue::new("details.kind", &other)),
        };
        Ok((kind, Secret::Sealed(self.sealed.into())))
    }
}

fn freeze_all(details: &[(DetailKind, Secret)]) -> Result<Vec<SealedDetail<'_>>, Unfit> {
    details.iter().map(SealedDetail::freeze).collect()
}

fn thaw_all(details: Vec<SealedDetail<'_>>) -> Result<Vec<(DetailKind, Secret)>, InvalidValue> {
    details.into_iter().map(SealedDetail::thaw).collect()
}

#[derive(Serialize, Deserialize)]
pub(crate) struct CustomerCreated<'a> {
    ledger: u32,
    customer: u32,
    id: &'a str,
    currency: Option<[u8; 3]>,
    terms: Option<FrozenTerms>,
    #[serde(borrow)]
    details: Vec<SealedDetail<'a>>,
}

impl<'a> Frozen<'a> for CustomerCreated<'a> {
    const KIND: EventKind = EventKind::CustomerCreated;
    const VERSION: u16 = 1;
    type Live = event::CustomerCreated;

    fn freeze(event: &'a event::CustomerCreated) -> Result<Self, Unfit> {
        Ok(Self {
            ledger: event.ledger.0,
            customer: event.customer.0,
            id: event.id.as_str(),
            currency: event.currency.map(values::code),
            terms: event.terms.map(|terms| FrozenTerms::freeze("terms", terms)).transpose()?,
            details: freeze_all(&event.details)?,
        })
    }

    fn thaw(self) -> Result<event::CustomerCreated, InvalidValue> {
        Ok(event::CustomerCreated {
            ledger: LedgerNo(self.ledger),
            customer: CustomerNo(self.customer),
            id: values::id("id", self.id)?,
            currency: self.currency.map(|code| values::currency("currency", code)).transpose()?,
            terms: self.terms.map(|terms| terms.thaw("terms")).transpose()?,
            details: thaw_all(self.details)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct CustomerUpdated<'a> {
    ledger: u32,
    customer: u32,
    currency: Option<[u8; 3]>,
    terms: Option<FrozenTerms>,
    #[serde(borrow)]
    details: Vec<SealedDetail<'a>>,
}

impl<'a> Frozen<'a> for CustomerUpdated<'a> {
    const KIND: EventKind = EventKind::CustomerUpdated;
    const VERSION: u16 = 1;
    type Live = event::CustomerUpdated;

    fn freeze(event: &'a event::CustomerUpdated) -> Result<Self, Unfit> {
        Ok(Self {
            ledger: event.ledger.0,
            customer: event.customer.0,
            currency: event.currency.map(values::code),
            terms: event.terms.map(|terms| FrozenTerms::freeze("terms", terms)).transpose()?,
            details: freeze_all(&event.details)?,
        })
    }

    fn thaw(self) -> Result<event::CustomerUpdated, InvalidValue> {
        Ok(event::CustomerUpdated {
            ledger: LedgerNo(self.ledger),
            customer: CustomerNo(self.customer),
            currency: self.currency.map(|code| values::currency("currency", code)).transpose()?,
            terms: self.terms.map(|terms| terms.thaw("terms")).transpose()?,
            details: thaw_all(self.details)?,
        })
    }
}
