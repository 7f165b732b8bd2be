//! What goes wrong now and then: credit notes, cancellations, disputes, debits that bounce.

use encours_proto::v1::{self, command::Command};

use super::tools::{euro, workday};
use super::{Phase, Story, Told};
use crate::demo::company::{Customer, LEDGER};

impl Story {
    /// What goes wrong now and then. Answers whether the invoice is dealt with by it.
    pub(super) fn mishap(&mut self, customer: &Customer, invoice: &Told) -> bool {
        match self.dice.roll(100) {
            0..=2 => {
                let part = invoice.total / 1_000 * 150;
                let days = self.dice.days(4, 12);
                self.credit(invoice, days, part);
                self.pay(customer, invoice, 3, invoice.total - part, 1);
            }
            3 => self.cancel(invoice),
            4..=5 => self.dispute(customer, invoice),
            6..=7 => self.bounce(customer, invoice),
            _ => return false,
        }
        true
    }

    fn credit(&mut self, invoice: &Told, days: i32, cents: i64) {
        self.credit_notes += 1;
        let note = v1::IssueCreditNoteRequest {
            ledger_id: LEDGER.to_owned(),
            credit_note_id: format!("credit-{}", self.credit_notes),
            invoice_id: invoice.id.clone(),
            amount: Some(euro(cents)),
            reason: "remise commerciale".to_owned(),
            ..Default::default()
        };
        if let Some(day) = invoice.issued.plus(days).and_then(workday) {
            self.add(day, Phase::Corrections, Command::IssueCreditNote(note));
        }
    }

    fn cancel(&mut self, invoice: &Told) {
        self.credit_notes += 1;
        let cancel = v1::CancelInvoiceRequest {
            ledger_id: LEDGER.to_owned(),
            invoice_id: invoice.id.clone(),
            credit_note_id: format!("credit-{}", self.credit_notes),
            reason: "commande annulée".to_owned(),
            ..Default::default()
        };
        if let Some(day) = invoice.issued.plus(3).and_then(workday) {
            self.add(day, Phase::Corrections, Command::CancelInvoice(cancel));
        }
    }

    fn dispute(&mut self, customer: &Customer, invoice: &Told) {
        let ledger_id = || LEDGER.to_owned();
        let dispute = v1::DisputeInvoiceRequest {
            ledger_id: ledger_id(),
            invoice_id: invoice.id.clone(),
            reason: "livraison incomplète".to_owned(),
            ..Default::default()
        };
        let resolve = v1::ResolveDisputeRequest {
            ledger_id: ledger_id(),
            invoice_id: invoice.id.clone(),
            reason: "complément livré".to_owned(),
            ..Default::default()
        };
        let (opened, solved) = (self.dice.days(6, 20), self.dice.days(40, 75));
        if let Some(day) = invoice.issued.plus(opened).and_then(workday) {
            self.add(day, Phase::Corrections, Command::DisputeInvoice(dispute));
        }
        if let Some(day) = invoice.issued.plus(solved).and_then(workday) {
            self.add(day, Phase::Corrections, Command::ResolveDispute(resolve));
        }
        let late = solved - customer.net_days + 5;
        self.pay(customer, invoice, late, invoice.total, 1);
    }

    /// A direct debit that the bank takes back, and a transfer weeks later.
    fn bounce(&mut self, customer: &Customer, invoice: &Told) {
        let Some(paid) = workday(invoice.due) else { return };
        let payment_id = format!("{}:debit", invoice.id);
        self.payment(
            customer,
            paid,
            v1::RecordPaymentRequest {
                payment_id: payment_id.clone(),
                amount: Some(euro(invoice.total)),
                method: v1::PaymentMethod::DirectDebit.into(),
                invoice_id: invoice.id.clone(),
                ..Default::default()
            },
        );
        let reverse = v1::ReversePaymentRequest {
            ledger_id: LEDGER.to_owned(),
            payment_id,
            kind: v1::ReversalKind::Bounced.into(),
            reason: "provision insuffisante".to_owned(),
            ..Default::default()
        };
        if let Some(day) = paid.plus(4).and_then(workday) {
            self.add(day, Phase::Afterwards, Command::ReversePayment(reverse));
        }
        let late = self.dice.days(14, 30);
        self.pay(customer, invoice, late, invoice.total, 2);
        let settled = invoice.due.plus(40).is_some_and(|day| day < self.last);
        if self.bounced.is_empty() && settled && invoice.at_once {
            self.bounced.clone_from(&invoice.id);
        }
    }
}
