//! Events of ledgers.

use encours_domain::calendar::Calendar;
use encours_domain::dunning::Policy;
use encours_domain::{ClockNo, LedgerNo, event};
use serde::{Deserialize, Serialize};

use crate::error::{InvalidValue, Unfit};
use crate::v1;
use crate::v1::values::{self, FrozenTerms};
use crate::{EventKind, Frozen, Superseded};

/// Since version 2 it names the calendar and the plan of reminders, by their ids.
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
    calendar: &'a str,
    reminders: &'a str,
}

fn calendar(id: &str) -> Result<Calendar, InvalidValue> {
    Calendar::by_id(id).ok_or_else(|| InvalidValue::new("calendar", &format_args!("{id:?}")))
}

fn reminders(id: &str) -> Result<Policy, InvalidValue> {
    Policy::by_id(id).ok_or_else(|| InvalidValue::new("reminders", &format_args!("{id:?}")))
}

impl<'a> Frozen<'a> for LedgerCreated<'a> {
    const KIND: EventKind = EventKind::LedgerCreated;
    const VERSION: u16 = 2;
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
            calendar: event.calendar.id(),
            reminders: event.reminders.id(),
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
            calendar: calendar(self.calendar)?,
            reminders: reminders(self.reminders)?,
        })
    }
}

impl<'a> Superseded<'a> for v1::LedgerCreated<'a> {
    const VERSION: u16 = 1;
    type Newer = LedgerCreated<'a>;

    /// Ledgers of version 1 had the calendar and the reminders that are the default ones.
    fn upcast(self) -> LedgerCreated<'a> {
        LedgerCreated {
            ledger: self.ledger,
            id: self.id,
            name: self.name,
            currency: self.currency,
            clock: self.clock,
            terms: self.terms,
            invoice_pattern: self.invoice_pattern,
            credit_note_pattern: self.credit_note_pattern,
            calendar: "france",
            reminders: "three-cases",
        }
    }
}
