//! Events that create something, and the one that changes a customer.

use encours_domain::Position;
use encours_domain::details::{DetailKind, Secret};
use encours_domain::event::{
    CreditNoteIssued, CustomerCreated, CustomerUpdated, InvoiceIssued, PaymentRecorded,
};
use encours_domain::status::CustomerStatus;

use super::{known, next};
use crate::error::FoldError;
use crate::heap::{Block, Heap};
use crate::model::Ledger;
use crate::rows::{
    Change, ChangeKind, CreditNoteRow, CustomerRow, InvoiceFlags, InvoiceRow, NONE, PaymentRow,
};

/// The code of a detail in the heap, and back by its place in this list.
pub(crate) const DETAILS: [DetailKind; 4] =
    [DetailKind::Name, DetailKind::Address, DetailKind::Contacts, DetailKind::Note];

/// Sealed details by kind, as they lie in the heap.
pub(crate) fn read_details(heap: &Heap, block: Block) -> Vec<(DetailKind, Vec<u8>)> {
    let mut details = Vec::new();
    for index in 0..DETAILS.len() {
        let Some(bytes) = heap.bytes(block, index) else { break };
        if let Some((code, sealed)) = bytes.split_first()
            && let Some(kind) = DETAILS.get(usize::from(*code))
        {
            details.push((*kind, sealed.to_vec()));
        }
    }
    details
}

/// Writes `old` details, changed by `new` ones, to the heap.
fn put_details(
    heap: &mut Heap,
    mut old: Vec<(DetailKind, Vec<u8>)>,
    new: &[(DetailKind, Secret)],
) -> Result<Block, FoldError> {
    for (kind, secret) in new {
        // INVARIANT: clear details never get into the read model; sled pages hold ciphertext only.
        let Secret::Sealed(sealed) = secret else { return Err(FoldError::NotSealed) };
        match old.binary_search_by_key(kind, |(kind, _)| *kind) {
            Ok(index) => old[index].1 = sealed.to_vec(),
            Err(index) => old.insert(index, (*kind, sealed.to_vec())),
        }
    }
    let mut texts = Vec::with_capacity(old.len());
    for (kind, mut sealed) in old {
        let code = DETAILS.iter().position(|known| *known == kind).unwrap_or_default();
        sealed.insert(0, u8::try_from(code).unwrap_or_default());
        texts.push(sealed);
    }
    let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
    heap.put(&texts).ok_or(FoldError::NoRoom)
}

impl Ledger {
    pub(super) fn create_customer(
        &mut self,
        position: Position,
        e: &CustomerCreated,
    ) -> Result<(), FoldError> {
        let no = e.customer.0;
        next("customer", self.tables.customers.len(), no)?;
        let heap = &mut self.tables.heap;
        let details = put_details(heap, Vec::new(), &e.details)?;
        let texts = heap.put(&[e.id.as_str().as_bytes()]).ok_or(FoldError::NoRoom)?;
        self.tables.customers.push(CustomerRow {
            texts,
            details,
            currency: e.currency,
            terms: e.terms,
            balance: NONE,
            created: position.0,
            version: position.0,
            first: self.tables.history.len(),
            last: NONE,
        });
        self.index.customers.insert(e.id.as_str().as_bytes(), no);
        self.index.counts.status(None, Some(CustomerStatus::UpToDate));
        self.record(Change {
            position: position.0,
            amount: 0,
            item: no,
            other: NONE,
            date: self.today,
            kind: ChangeKind::CustomerCreated,
        })
    }

    pub(super) fn update_customer(
        &mut self,
        position: Position,
        e: &CustomerUpdated,
    ) -> Result<(), FoldError> {
        let no = e.customer.0;
        let old = known(self.tables.customers.get(no), "customer", no)?.details;
        let details = if e.details.is_empty() {
            old
        } else {
            let old = read_details(&self.tables.heap, old);
            put_details(&mut self.tables.heap, old, &e.details)?
        };
        let row = known(self.tables.customers.get_mut(no), "customer", no)?;
        row.details = details;
        row.currency = e.currency.or(row.currency);
        row.terms = e.terms.or(row.terms);
        row.version = position.0;
        self.record(Change {
            position: position.0,
            amount: 0,
            item: no,
            other: NONE,
            date: self.today,
            kind: ChangeKind::CustomerUpdated,
        })
    }

    pub(super) fn issue_invoice(
        &mut self,
        position: Position,
        e: &InvoiceIssued,
    ) -> Result<(), FoldError> {
        let no = e.invoice.0;
        next("invoice", self.tables.invoices.len(), no)?;
        known(self.tables.customers.get(e.customer.0), "customer", e.customer.0)?;
        let texts = [e.id.as_str(), &e.number, &e.reference].map(str::as_bytes);
        let block = self.tables.heap.put(&texts).ok_or(FoldError::NoRoom)?;
        self.tables.invoices.push(InvoiceRow {
            texts: block,
            customer: e.customer.0,
            currency: e.currency,
            total: e.total,
            open: e.total,
            credited: 0,
            credit_noted: 0,
            issue_date: e.issue_date,
            due: e.due,
            sent_on: None,
            flags: InvoiceFlags::default(),
            first: self.tables.history.len(),
            last: NONE,
        });
        self.index.invoices.insert(texts[0], no);
        self.index.invoice_numbers.insert(texts[1], no);
        let overdue_from = e.due.overdue_from();
        if overdue_from > self.today {
            self.index.overdue_from.entry(overdue_from).or_default().push(no);
        }
        self.record(Change {
            position: position.0,
            amount: e.total,
            item: no,
            other: e.customer.0,
            date: e.issue_date,
            kind: ChangeKind::InvoiceIssued,
        })
    }

    pub(super) fn record_payment(
        &mut self,
        position: Position,
        e: &PaymentRecorded,
    ) -> Result<(), FoldError> {
        let no = e.payment.0;
        next("payment", self.tables.payments.len(), no)?;
        known(self.tables.customers.get(e.customer.0), "customer", e.customer.0)?;
        let texts = [e.id.as_str(), &e.reference].map(str::as_bytes);
        let block = self.tables.heap.put(&texts).ok_or(FoldError::NoRoom)?;
        self.tables.payments.push(PaymentRow {
            texts: block,
            customer: e.customer.0,
            currency: e.currency,
            amount: e.amount,
            unapplied: e.amount,
            reversed: 0,
            reversal: None,
            method: e.method,
            received_on: e.received_on,
            allocation: NONE,
            first: self.tables.history.len(),
            last: NONE,
        });
        self.index.payments.insert(texts[0], no);
        self.record(Change {
            position: position.0,
            amount: e.amount,
            item: no,
            other: e.customer.0,
            date: e.received_on,
            kind: ChangeKind::PaymentRecorded,
        })
    }

    pub(super) fn issue_credit_note(
        &mut self,
        position: Position,
        e: &CreditNoteIssued,
    ) -> Result<(), FoldError> {
        let no = e.credit_note.0;
        next("credit note", self.tables.credit_notes.len(), no)?;
        known(self.tables.invoices.get(e.invoice.0), "invoice", e.invoice.0)?;
        known(self.tables.customers.get(e.customer.0), "customer", e.customer.0)?;
        let texts = [e.id.as_str(), &e.number].map(str::as_bytes);
        let block = self.tables.heap.put(&texts).ok_or(FoldError::NoRoom)?;
        self.tables.credit_notes.push(CreditNoteRow {
            texts: block,
            invoice: e.invoice.0,
            customer: e.customer.0,
            currency: e.currency,
            amount: e.amount,
            unapplied: e.amount,
            issue_date: e.issue_date,
            allocation: NONE,
            first: self.tables.history.len(),
            last: NONE,
        });
        self.index.credit_notes.insert(texts[0], no);
        self.record(Change {
            position: position.0,
            amount: e.amount,
            item: no,
            other: e.invoice.0,
            date: e.issue_date,
            kind: ChangeKind::CreditNoteIssued,
        })
    }
}
