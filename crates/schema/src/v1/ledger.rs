//! Events of ledgers.

use encours_domain::{ClockNo, LedgerNo, event};
use serde::{Deserialize, Serialize};

use super::values::{self, FrozenTerms};
use crate::error::{InvalidValue, Unfit};
use crate::{EventKind, Frozen};

#[derive(Serialize, Deserialize)]
pub(crate) struct LedgerCreated<'a> {
    ledger: u32,
    id: &'a str,
    name: &'a str,
    currency: [u8; 3],
    clock: u32,
    terms: FrozenTerms,
    invoice_pattern: &'a str,
    credit_note_pattern: &'a str,
}

impl<'a> Frozen<'a> for LedgerCreated<'a> {
    const KIND: EventKind = EventKind::LedgerCreated;
    const VERSION: u16 = 1;
    type Live = event::LedgerCreated;

    fn freeze(event: &'a event::LedgerCreated) -> Result<Self, Unfit> {
        Ok(Self {
            ledger: event.ledger.0,
            id: event.id.as_str(),
            name: &event.name,
            currency: values::code(event.currency),
            clock: event.clock.0,
            terms: FrozenTerms::freeze("terms", event.terms)?,
            invoice_pattern: &event.invoice_pattern,
            credit_note_pattern: &event.credit_note_pattern,
        })
    }

    fn thaw(self) -> Result<event::LedgerCreated, InvalidValue> {
        Ok(event::LedgerCreated {
            ledger: LedgerNo(self.ledger),
            id: values::id("id", self.id)?,
            name: self.name.into(),
            currency: values::currency("currency", self.currency)?,
            clock: ClockNo(self.clock),
            terms: self.terms.thaw("terms")?,
            invoice_pattern: self.invoice_pattern.into(),
            credit_note_pattern: self.credit_note_pattern.into(),
        })
    }
}
