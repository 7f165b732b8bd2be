//! Events of ledgers.

use serde::Deserialize;

use super::values::FrozenTerms;

/// Superseded by [`v2::LedgerCreated`](crate::v2::LedgerCreated).
#[derive(Deserialize)]
pub(crate) struct LedgerCreated<'a> {
    pub(crate) ledger: u32,
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) currency: [u8; 3],
    pub(crate) clock: u32,
    pub(crate) terms: FrozenTerms,
    pub(crate) invoice_pattern: &'a str,
    pub(crate) credit_note_pattern: &'a str,
}
