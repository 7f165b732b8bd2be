//! Resources, made of the rows.

use std::collections::BTreeMap;

use encours_domain::balance::Balance;
use encours_domain::number::{CreditNoteNo, CustomerNo, InvoiceNo, LedgerNo, PaymentNo};
use encours_domain::resource::ItemKind;
use encours_domain::state::CreditLimit;
use encours_domain::{Day, Id, Position, resource};

use crate::counts::{facets, status};
use crate::fold::read_details;
use crate::model::{Ledger, Model};
use crate::rows::{InvoiceFlags, InvoiceRow, Plans};
use crate::tables::Tables;

/// What a resource shows of its ledger, or depends on.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub(super) ledger: LedgerNo,
    pub(super) ledger_id: Id,
    pub(super) today: Day,
    pub(super) plans: Plans,
}

impl InvoiceRow {
    /// What kind of item it is.
    pub(super) const fn kind(&self) -> ItemKind {
        if self.flags.has(InvoiceFlags::OWING) {
            ItemKind::OpeningOwing
        } else if self.flags.has(InvoiceFlags::OPENING) {
            ItemKind::OpeningOwed
        } else {
            ItemKind::Invoice
        }
    }
}

impl Scope {
    pub(super) fn of(model: &Model, ledger: &Ledger, no: LedgerNo) -> Option<Self> {
        let ledger_id = model.ledger_id(no.0)?;
        Some(Self { ledger: no, ledger_id, today: ledger.today, plans: ledger.plans })
    }

    pub(super) fn invoice(&self, tables: &Tables, no: u32) -> Option<resource::Invoice> {
        let row = tables.invoices.get(no)?;
        let owing = row.flags.has(InvoiceFlags::OWING);
        Some(resource::Invoice {
            ledger: self.ledger,
            ledger_id: self.ledger_id.clone(),
            no: InvoiceNo(no),
            id: tables.id(row.texts)?,
            kind: row.kind(),
            deleted: row.flags.has(InvoiceFlags::DELETED),
            number: tables.heap.text(row.texts, 1)?.into(),
            customer_id: tables.customer_id(row.customer)?,
            currency: row.currency,
            total: row.total,
            open: row.open(),
            paid_before: row.paid_before,
            unapplied: if owing { row.left } else { 0 },
            credited: row.credited,
            credit_noted: row.credit_noted,
            issue_date: row.issue_date,
            due: row.due,
            sent_on: row.sent_on,
            reference: tables.heap.text(row.texts, 2)?.into(),
            facets: facets(row, self.today, self.plans),
            planned: row.planned,
            over_limit: row.over_limit,
            last_reminder: row.last_step,
            next_reminder: self.plans.next(row),
            content: Position(row.content),
            created: Position(tables.position(row.first)),
            version: Position(tables.position(row.last)),
        })
    }

    pub(super) fn customer(
        &self,
        tables: &Tables,
        no: u32,
        balances: Vec<Balance>,
    ) -> Option<resource::Customer> {
        let row = tables.customers.get(no)?;
        let details = read_details(&tables.heap, row.details);
        let limits = tables.limits(row.limit).filter_map(|(_, row)| {
            let (currency, policy) = (row.currency, row.policy);
            row.limit.map(|limit| CreditLimit { currency, limit, policy })
        });
        let mut credit_limits: Vec<CreditLimit> = limits.collect();
        credit_limits.sort_unstable_by_key(|limit| limit.currency);
        Some(resource::Customer {
            ledger: self.ledger,
            ledger_id: self.ledger_id.clone(),
            no: CustomerNo(no),
            id: tables.id(row.texts)?,
            currency: row.currency,
            terms: row.terms,
            details: details.into_iter().map(|(kind, sealed)| (kind, sealed.into())).collect(),
            status: status(&balances),
            balances,
            credit_limits,
            reminder: row.reminder,
            created: Position(row.created),
            version: Position(row.version),
        })
    }

    pub(super) fn payment(&self, tables: &Tables, no: u32) -> Option<resource::Payment> {
        let row = tables.payments.get(no)?;
        Some(resource::Payment {
            ledger: self.ledger,
            ledger_id: self.ledger_id.clone(),
            no: PaymentNo(no),
            id: tables.id(row.texts)?,
            customer_id: tables.customer_id(row.customer)?,
            currency: row.currency,
            amount: row.amount,
            unapplied: row.unapplied,
            refunded: row.refunded,
            reversed: row.reversed,
            reversal: row.reversal,
            method: row.method,
            received_on: row.received_on,
            reference: tables.heap.text(row.texts, 1)?.into(),
            allocations: allocations(tables, row.allocation),
            created: Position(tables.position(row.first)),
            version: Position(tables.position(row.last)),
        })
    }

    pub(super) fn credit_note(&self, tables: &Tables, no: u32) -> Option<resource::CreditNote> {
        let row = tables.credit_notes.get(no)?;
        Some(resource::CreditNote {
            ledger: self.ledger,
            ledger_id: self.ledger_id.clone(),
            no: CreditNoteNo(no),
            id: tables.id(row.texts)?,
            number: tables.heap.text(row.texts, 1)?.into(),
            invoice_id: tables.invoice_id(row.invoice)?,
            customer_id: tables.customer_id(row.customer)?,
            currency: row.currency,
            amount: row.amount,
            unapplied: row.unapplied,
            issue_date: row.issue_date,
            allocations: allocations(tables, row.allocation),
            created: Position(tables.position(row.first)),
            version: Position(tables.position(row.last)),
        })
    }
}

/// The allocations of a source, added up per invoice. A source has at most 1,000 live ones.
fn allocations(tables: &Tables, newest: u32) -> Vec<resource::Allocation> {
    let mut by_invoice = BTreeMap::new();
    let mut at = newest;
    while let Some(row) = tables.allocations.get(at) {
        let (amount, date) = by_invoice.entry(row.invoice).or_insert((0, row.date));
        *amount += row.amount;
        *date = row.date.max(*date);
        at = row.next;
    }
    by_invoice
        .into_iter()
        .filter_map(|(invoice, (amount, date))| {
            let invoice_id = tables.invoice_id(invoice)?;
            Some(resource::Allocation { invoice_id, amount, date })
        })
        .collect()
}
