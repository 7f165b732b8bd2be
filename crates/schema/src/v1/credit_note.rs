//! Events of credit notes.

use encours_domain::{CreditNoteNo, CustomerNo, InvoiceNo, LedgerNo, event};
use serde::{Deserialize, Serialize};

use super::values;
use crate::error::{InvalidValue, Unfit};
use crate::{EventKind, Frozen};

#[derive(Serialize, Deserialize)]
pub(crate) struct CreditNoteIssued<'a> {
    ledger: u32,
    credit_note: u32,
    id: &'a str,
    invoice: u32,
    customer: u32,
    number: &'a str,
    allotted: bool,
    currency: [u8; 3],
    amount: i64,
    issue_date: i32,
    reason: &'a str,
}

impl<'a> Frozen<'a> for CreditNoteIssued<'a> {
    const KIND: EventKind = EventKind::CreditNoteIssued;
    const VERSION: u16 = 1;
    type Live = event::CreditNoteIssued;

    fn freeze(event: &'a event::CreditNoteIssued) -> Result<Self, Unfit> {
        Ok(Self {
            ledger: event.ledger.0,
            credit_note: event.credit_note.0,
            id: event.id.as_str(),
            invoice: event.invoice.0,
            customer: event.customer.0,
            number: &event.number,
            allotted: event.allotted,
            currency: values::code(event.currency),
            amount: values::positive("amount", event.amount)?,
            issue_date: event.issue_date.number(),
            reason: &event.reason,
        })
    }

    fn thaw(self) -> Result<event::CreditNoteIssued, InvalidValue> {
        Ok(event::CreditNoteIssued {
            ledger: LedgerNo(self.ledger),
            credit_note: CreditNoteNo(self.credit_note),
            id: values::id("id", self.id)?,
            invoice: InvoiceNo(self.invoice),
            customer: CustomerNo(self.customer),
            number: self.number.into(),
            allotted: self.allotted,
            currency: values::currency("currency", self.currency)?,
            amount: values::positive("amount", self.amount)?,
            issue_date: values::day("issue_date", self.issue_date)?,
            reason: self.reason.into(),
        })
    }
}
