//! Events of ledgers and customers.

use std::sync::Arc;

use super::values::CreditPolicy;
use crate::calendar::Calendar;
use crate::currency::Currency;
use crate::details::{DetailKind, Secret};
use crate::dunning::{Channel, Policy};
use crate::id::Id;
use crate::number::{ClockNo, CustomerNo, LedgerNo};
use crate::position::Day;
use crate::terms::Terms;

facts! {
    /// A ledger exists.
    LedgerCreated {
        /// Its number.
        ledger: LedgerNo,
        /// Its id.
        id: Id,
        /// Name of the selling entity; may be empty.
        name: Arc<str>,
        /// Currency of documents that name none.
        currency: Currency,
        /// The clock that its today comes from.
        clock: ClockNo,
        /// Terms of customers that have none.
        terms: Terms,
        /// Pattern of the numbers allotted to invoices, such as `FA-{year}-{seq:5}`.
        invoice_pattern: Arc<str>,
        /// Pattern of the numbers allotted to credit notes.
        credit_note_pattern: Arc<str>,
        /// Which days are business days.
        calendar: Calendar,
        /// The plan of its reminders.
        reminders: Policy,
    }

    /// A customer exists.
    CustomerCreated {
        /// The ledger.
        ledger: LedgerNo,
        /// Its number.
        customer: CustomerNo,
        /// Its id.
        id: Id,
        /// Currency of documents that name none; the ledger's where missing.
        currency: Option<Currency>,
        /// Terms of invoices that name none; the ledger's where missing.
        terms: Option<Terms>,
        /// Name, contacts and free text, each sealed by itself.
        details: Vec<(DetailKind, Secret)>,
    }

    /// Some of a customer's data changed.
    CustomerUpdated {
        /// The ledger.
        ledger: LedgerNo,
        /// The customer.
        customer: CustomerNo,
        /// New default currency; unchanged where missing.
        currency: Option<Currency>,
        /// New default terms; unchanged where missing.
        terms: Option<Terms>,
        /// The details that changed; the others stay.
        details: Vec<(DetailKind, Secret)>,
    }

    /// How far a customer may go into debt in a currency.
    CreditLimitSet {
        /// The ledger.
        ledger: LedgerNo,
        /// The customer.
        customer: CustomerNo,
        /// The currency of the limit.
        currency: Currency,
        /// The limit, 0 or more; `None` lifts it.
        limit: Option<i64>,
        /// What happens to an invoice that passes it.
        policy: CreditPolicy,
    }

    /// A person reminded a customer, of all it owes.
    CustomerReminderRecorded {
        /// The ledger.
        ledger: LedgerNo,
        /// The customer.
        customer: CustomerNo,
        /// How severe it was: 1 to 9.
        level: u8,
        /// How it went out.
        channel: Channel,
        /// The day.
        date: Day,
        /// What was said; may be empty.
        text: Arc<str>,
    }
}
