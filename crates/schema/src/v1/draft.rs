//! Events of drafts of invoices.

use std::sync::Arc;

use encours_domain::terms::Due;
use encours_domain::{CustomerNo, Day, InvoiceNo, LedgerNo, event};
use serde::{Deserialize, Serialize};

use super::invoice::Content;
use super::values::{self, FrozenTerms};
use crate::error::{InvalidValue, Unfit};
use crate::{EventKind, Frozen};

/// What a draft says; at most one of `due_terms` and `due_date` is there.
#[derive(Serialize, Deserialize)]
struct Draft<'a> {
    customer: u32,
    currency: [u8; 3],
    total: i64,
    number: Option<&'a str>,
    issue_date: Option<i32>,
    due_terms: Option<FrozenTerms>,
    due_date: Option<i32>,
    reference: Option<&'a str>,
    #[serde(borrow)]
    content: Content<'a>,
}

impl<'a> Draft<'a> {
    fn freeze(draft: &'a event::Draft) -> Result<Self, InvalidValue> {
        let (due_terms, due_date) = match draft.due {
            None => (None, None),
            Some(Due::Terms(terms)) => (Some(FrozenTerms::freeze("due_terms", terms)?), None),
            Some(Due::Date(date)) => (None, Some(date.number())),
        };
        Ok(Self {
            customer: draft.customer.0,
            currency: values::code(draft.currency),
            total: values::not_negative("total", draft.total)?,
            number: draft.number.as_deref(),
            issue_date: draft.issue_date.map(Day::number),
            due_terms,
            due_date,
            reference: draft.reference.as_deref(),
            content: Content::freeze(&draft.content)?,
        })
    }

    fn thaw(self) -> Result<Arc<event::Draft>, InvalidValue> {
        let due = match (self.due_terms, self.due_date) {
            (None, None) => None,
            (Some(terms), None) => Some(Due::Terms(terms.thaw("due_terms")?)),
            (None, Some(date)) => Some(Due::Date(values::day("due_date", date)?)),
            (Some(_), Some(date)) => {
                return Err(InvalidValue::new("due_date", &format_args!("{date} beside terms")));
            }
        };
        let issue_date = self.issue_date.map(|date| values::day("issue_date", date)).transpose()?;
        Ok(Arc::new(event::Draft {
            customer: CustomerNo(self.customer),
            currency: values::currency("currency", self.currency)?,
            total: values::not_negative("total", self.total)?,
            number: self.number.map(Into::into),
            issue_date,
            due,
            reference: self.reference.map(Into::into),
            content: self.content.thaw()?,
        }))
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct DraftCreated<'a> {
    ledger: u32,
    invoice: u32,
    id: &'a str,
    #[serde(borrow)]
    draft: Draft<'a>,
}

impl<'a> Frozen<'a> for DraftCreated<'a> {
    const KIND: EventKind = EventKind::DraftCreated;
    const VERSION: u16 = 1;
    type Live = event::DraftCreated;

    fn freeze(event: &'a event::DraftCreated) -> Result<Self, Unfit> {
        Ok(Self {
            ledger: event.ledger.0,
            invoice: event.invoice.0,
            id: event.id.as_str(),
            draft: Draft::freeze(&event.draft)?,
        })
    }

    fn thaw(self) -> Result<event::DraftCreated, InvalidValue> {
        Ok(event::DraftCreated {
            ledger: LedgerNo(self.ledger),
            invoice: InvoiceNo(self.invoice),
            id: values::id("id", self.id)?,
            draft: self.draft.thaw()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct DraftUpdated<'a> {
    ledger: u32,
    invoice: u32,
    #[serde(borrow)]
    draft: Draft<'a>,
}

impl<'a> Frozen<'a> for DraftUpdated<'a> {
    const KIND: EventKind = EventKind::DraftUpdated;
    const VERSION: u16 = 1;
    type Live = event::DraftUpdated;

    fn freeze(event: &'a event::DraftUpdated) -> Result<Self, Unfit> {
        Ok(Self {
            ledger: event.ledger.0,
            invoice: event.invoice.0,
            draft: Draft::freeze(&event.draft)?,
        })
    }

    fn thaw(self) -> Result<event::DraftUpdated, InvalidValue> {
        Ok(event::DraftUpdated {
            ledger: LedgerNo(self.ledger),
            invoice: InvoiceNo(self.invoice),
            draft: self.draft.thaw()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct DraftDeleted {
    ledger: u32,
    invoice: u32,
}

impl Frozen<'_> for DraftDeleted {
    const KIND: EventKind = EventKind::DraftDeleted;
    const VERSION: u16 = 1;
    type Live = event::DraftDeleted;

    fn freeze(event: &event::DraftDeleted) -> Result<Self, Unfit> {
        Ok(Self { ledger: event.ledger.0, invoice: event.invoice.0 })
    }

    fn thaw(self) -> Result<event::DraftDeleted, InvalidValue> {
        Ok(event::DraftDeleted { ledger: LedgerNo(self.ledger), invoice: InvoiceNo(self.invoice) })
    }
}
