//! `CreateLedger`: opens the receivables of one selling entity.

use crate::id::Id;
use crate::currency::Currency;
use crate::position::Day;
use crate::terms::Terms;

/// Creates a ledger, and its clock where that does not exist yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateLedger {
    /// Its id; assigned where left out.
    pub ledger_id: Option<Id>,
    /// Name of the selling entity; may be empty.
    pub name: String,
    /// Currency of documents that name none.
    pub currency: Currency,
    /// IANA time zone in which its days are counted, such as `Europe/Paris`.
    pub time_zone: String,
    /// Where its today comes from.
    pub time: Time,
    /// Terms of customers that have none; net 30 where left out.
    pub terms: Option<Terms>,
    /// Pattern of allotted invoice numbers; `INV-{year}-{seq:5}` where left out.
    pub invoice_pattern: Option<String>,
    /// Pattern of allotted credit-note numbers; `CN-{year}-{seq:5}` where left out.
    pub credit_note_pattern: Option<String>,
}

/// Where a ledger's today comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Time {
    /// The system's clock in the ledger's time zone.
    System,
    /// A test clock, moved by `AdvanceClock` only; shared by all ledgers that name it.
    Test {
        /// Its id; the ledger's id where left out.
        clock_id: Option<Id>,
        /// Its first day. For a clock that exists: left out, or its today.
        start: Option<Day>,
    },
}
