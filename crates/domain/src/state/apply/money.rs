//! Applying events of payments, credit notes and allocations.

use super::{At, must};
use crate::currency::Currency;
use crate::event::{
    Allocated, CreditNoteIssued, Deallocated, PaymentRecorded, PaymentRefunded, PaymentReversed,
};
use crate::number::{CustomerNo, InvoiceNo, Source};
use crate::position::Day;
use crate::state::rows::{CreditNote, Ledger, Payment, Refund, Spell};
use crate::state::spells;

impl Ledger {
    pub(super) fn record_payment(&mut self, e: &PaymentRecorded, at: At) {
        let no = self.payments.push(Payment {
            id: e.id.clone(),
            customer: e.customer,
            currency: e.currency,
            amount: e.amount,
            unapplied: e.amount,
            refunds: Vec::new(),
            reversed: 0,
            reversal: None,
            method: e.method,
            received_on: e.received_on,
            reference: e.reference.clone(),
            invoices: Vec::new(),
            spells: Vec::new(),
            created: at.position,
            version: at.position,
            digest: at.digest,
        });
        assert_eq!(no, e.payment.0, "payment numbers are dense");
        assert!(e.amount > 0, "a payment is above 0");
        self.add_volume(e.currency, e.amount);
        self.balance(e.customer, e.currency, at, |balance| {
            balance.collected += e.amount;
            balance.unapplied += e.amount;
        });
    }

    pub(super) fn reverse_payment(&mut self, e: &PaymentReversed, at: At) {
        let row = must(self.payments.get_mut(e.payment.0), "payment", at);
        assert!(e.amount > 0 && e.amount <= row.unapplied, "what is reversed is unapplied");
        row.unapplied -= e.amount;
        row.reversed += e.amount;
        row.reversal = Some(e.kind);
        row.version = at.position;
        let (customer, currency) = (row.customer, row.currency);
        self.balance(customer, currency, at, |balance| {
            balance.collected -= e.amount;
            balance.unapplied -= e.amount;
        });
    }

    pub(super) fn refund_payment(&mut self, e: &PaymentRefunded, at: At) {
        let row = must(self.payments.get_mut(e.payment.0), "payment", at);
        assert!(e.amount > 0 && e.amount <= row.unapplied, "what is refunded is unapplied");
        row.unapplied -= e.amount;
        assert_eq!(row.unapplied, e.unapplied_after, "the event tells what is unapplied");
        row.refunds.push(Refund { date: e.date, amount: e.amount });
        row.version = at.position;
        let (customer, currency) = (row.customer, row.currency);
        self.balance(customer, currency, at, |balance| {
            balance.refunded += e.amount;
            balance.unapplied -= e.amount;
        });
    }

    pub(super) fn issue_credit_note(&mut self, e: &CreditNoteIssued, at: At) {
        let no = self.credit_notes.push(CreditNote {
            id: e.id.clone(),
            number: e.number.clone(),
            invoice: e.invoice,
            customer: e.customer,
            currency: e.currency,
            amount: e.amount,
            unapplied: e.amount,
            issue_date: e.issue_date,
            invoices: Vec::new(),
            spells: Vec::new(),
            created: at.position,
            version: at.position,
            digest: at.digest,
        });
        assert_eq!(no, e.credit_note.0, "credit-note numbers are dense");
        assert!(e.amount > 0, "a credit note is above 0");
        self.add_volume(e.currency, e.amount);
        if e.allotted {
            self.credit_note_series.advance(e.issue_date);
        }
        let invoice = self.invoice(e.invoice, at);
        invoice.credit_noted += e.amount;
        invoice.credit_notes.push(e.credit_note);
        assert!(invoice.credit_noted <= invoice.total, "credits never exceed the invoice");
        self.balance(e.customer, e.currency, at, |balance| {
            balance.credited += e.amount;
            balance.unapplied += e.amount;
        });
    }

    pub(super) fn allocate(&mut self, e: &Allocated, at: At) {
        let row = self.invoice(e.invoice, at);
        assert!(e.amount > 0 && e.amount <= row.open, "an allocation fits what is open");
        row.put_on(e.source, e.amount, e.date);
        assert_eq!(row.open, e.open_after, "the event tells what is open");
        let overdue = if row.overdue { e.amount } else { 0 };
        let (customer, currency) = (row.customer, row.currency);
        let (unapplied, owner, invoices, _) = self.source(e.source, at);
        assert_eq!(owner, (customer, currency), "customer and currency of both sides agree");
        *unapplied -= e.amount;
        assert!(*unapplied >= 0, "an allocation fits what is unapplied");
        assert_eq!(*unapplied, e.unapplied_after, "the event tells what is unapplied");
        if let Err(index) = invoices.binary_search(&e.invoice) {
            invoices.insert(index, e.invoice);
        }
        self.balance(customer, currency, at, |balance| {
            balance.outstanding -= e.amount;
            balance.overdue -= overdue;
            balance.unapplied -= e.amount;
        });
    }

    pub(super) fn deallocate(&mut self, e: &Deallocated, told_from: Day, at: At) {
        let row = self.invoice(e.invoice, at);
        let off = row.take_off(e.source, e.amount, e.date);
        row.told_from = Some(told_from);
        assert_eq!(row.open, e.open_after, "the event tells what is open");
        let overdue = if row.overdue { e.amount } else { 0 };
        let (customer, currency) = (row.customer, row.currency);
        let (unapplied, _, invoices, noted) = self.source(e.source, at);
        *unapplied += e.amount;
        assert_eq!(*unapplied, e.unapplied_after, "the event tells what is unapplied");
        if off.gone {
            invoices.retain(|invoice| *invoice != e.invoice);
        }
        for (from, amount) in off.parts {
            spells::note(noted, from, e.date, amount);
        }
        self.balance(customer, currency, at, |balance| {
            balance.outstanding += e.amount;
            balance.overdue += overdue;
            balance.unapplied += e.amount;
        });
    }

    /// What a source has unapplied, whose it is, the invoices it has something on, its spells.
    fn source(
        &mut self,
        source: Source,
        at: At,
    ) -> (&mut i64, (CustomerNo, Currency), &mut Vec<InvoiceNo>, &mut Vec<Spell>) {
        match source {
            Source::Payment(no) => {
                let row = must(self.payments.get_mut(no.0), "payment", at);
                row.version = at.position;
                let owner = (row.customer, row.currency);
                (&mut row.unapplied, owner, &mut row.invoices, &mut row.spells)
            }
            Source::Opening(no) => {
                let row = must(self.invoices.get_mut(no.0), "invoice", at);
                row.version = at.position;
                let owner = (row.customer, row.currency);
                let opening = must(row.opening.as_deref_mut(), "opening item", at);
                (&mut opening.unapplied, owner, &mut opening.invoices, &mut opening.spells)
            }
            Source::CreditNote(no) => {
                let row = must(self.credit_notes.get_mut(no.0), "credit note", at);
                row.version = at.position;
                let owner = (row.customer, row.currency);
                (&mut row.unapplied, owner, &mut row.invoices, &mut row.spells)
            }
        }
    }
}
