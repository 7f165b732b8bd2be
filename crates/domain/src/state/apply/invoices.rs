//! Applying events of drafts, invoices and their reminders.

use std::sync::Arc;

use super::At;
use crate::currency::Currency;
use crate::dunning::Emitted;
use crate::event::{
    CreditLimitExceeded, Draft, DraftCreated, DraftUpdated, InvoiceIssued, PaymentPlanned,
    ReminderEmitted,
};
use crate::id::Id;
use crate::number::{CustomerNo, InvoiceNo};
use crate::position::Day;
use crate::state::rows::{Invoice, Ledger, PlannedPayment, Stage};
use crate::terms::DueTerms;

/// The number of a draft: provisional, without value.
fn provisional(no: InvoiceNo) -> Arc<str> {
    format!("DRAFT-{}", u64::from(no.0) + 1).into()
}

impl Ledger {
    /// A new row of the invoices; `total` is open.
    pub(super) fn push_invoice(&mut self, row: Invoice, no: InvoiceNo) {
        assert_eq!(InvoiceNo(self.invoices.push(row)), no, "invoice numbers are dense");
    }

    pub(super) fn create_draft(&mut self, e: &DraftCreated, at: At) {
        let id = e.id.clone();
        let row = Invoice::new(id, provisional(e.invoice), e.draft.customer, e.draft.currency, at);
        self.push_invoice(row, e.invoice);
        self.write_draft(e.invoice, &e.draft, at);
    }

    pub(super) fn update_draft(&mut self, e: &DraftUpdated, at: At) {
        let known = &self.invoice(e.invoice, at).stage;
        assert!(matches!(known, Stage::Draft(_)), "what is changed is a draft");
        self.write_draft(e.invoice, &e.draft, at);
    }

    fn write_draft(&mut self, no: InvoiceNo, draft: &Arc<Draft>, at: At) {
        let row = self.invoice(no, at);
        row.customer = draft.customer;
        row.currency = draft.currency;
        row.total = draft.total;
        row.content = at.position;
        row.stage = Stage::Draft(Arc::clone(draft));
    }

    pub(super) fn delete_draft(&mut self, no: InvoiceNo, at: At) {
        let row = self.invoice(no, at);
        assert!(matches!(row.stage, Stage::Draft(_)), "what is deleted is a draft");
        row.stage = Stage::Deleted;
    }

    pub(super) fn issue_invoice(&mut self, e: &InvoiceIssued, at: At) {
        if e.invoice.0 == self.invoices.len() {
            let row = Invoice::new(e.id.clone(), e.number.clone(), e.customer, e.currency, at);
            self.push_invoice(row, e.invoice);
        } else {
            let row = self.invoice(e.invoice, at);
            assert!(matches!(row.stage, Stage::Draft(_)), "what is issued was a draft");
            row.issue_digest = Some(at.digest);
        }
        let row = self.invoice(e.invoice, at);
        assert!(e.total >= 0, "an invoice claims 0 or more");
        row.stage = Stage::Issued;
        row.number = e.number.clone();
        row.customer = e.customer;
        row.currency = e.currency;
        row.total = e.total;
        row.open = e.total;
        row.issue_date = e.issue_date;
        row.due = e.due;
        row.reference = e.reference.clone();
        row.content = at.position;
        self.add_volume(e.currency, e.total);
        if e.allotted {
            self.invoice_series.advance(e.issue_date);
        }
        self.balance(e.customer, e.currency, at, |balance| {
            balance.invoiced += e.total;
            balance.outstanding += e.total;
        });
    }

    pub(super) fn pass_limit(&mut self, e: &CreditLimitExceeded, at: At) {
        assert!(e.exposure > e.limit, "a limit is passed by what is above it");
        self.invoice(e.invoice, at).over_limit = e.exposure - e.limit;
    }

    pub(super) fn plan_payment(&mut self, e: &PaymentPlanned, at: At) {
        let row = self.invoice(e.invoice, at);
        assert!(e.amount > 0 && e.amount <= row.open, "what is planned is open");
        let (amount, date) = (e.amount, e.planned_for);
        row.planned = Some(PlannedPayment { amount, remaining: amount, date });
    }

    pub(super) fn emit_reminder(&mut self, e: &ReminderEmitted, at: At) {
        let row = self.invoice(e.invoice, at);
        let again = row.last_step.is_some_and(|last| last.step >= e.step);
        assert!(!again, "a step goes out once, in order");
        row.last_step = Some(Emitted { step: e.step, planned: e.planned, date: e.date });
        row.reminder_level = row.reminder_level.max(e.level);
    }

    pub(super) fn overdue(&mut self, no: InvoiceNo, at: At) {
        let invoice = self.invoice(no, at);
        assert!(!invoice.overdue_emitted, "an invoice becomes overdue once while it is open");
        invoice.due_emitted = true;
        invoice.overdue_emitted = true;
        // A payment dated later may have settled it for limits already.
        invoice.overdue = invoice.open > 0;
        let (customer, currency, open) = (invoice.customer, invoice.currency, invoice.open);
        self.balance(customer, currency, at, |balance| balance.overdue += open);
    }

    /// What is open again is told from the first day that is not over: part of it may be open before
    /// the day that the event names, where more comes off then.
    pub(super) fn reopen(&mut self, no: InvoiceNo, told_from: Day, at: At) {
        let invoice = self.invoice(no, at);
        invoice.cancelled = false;
        if std::mem::take(&mut invoice.overdue_emitted) {
            invoice.told_from = Some(told_from);
        }
    }

    pub(super) fn settled(&mut self, no: InvoiceNo, cancelled: bool, at: At) {
        let invoice = self.invoice(no, at);
        assert_eq!(invoice.open, 0, "a settled invoice has nothing open");
        invoice.overdue = false;
        invoice.cancelled = cancelled;
    }
}

impl Invoice {
    /// A row of which nothing is said yet.
    pub(super) fn new(
        id: Id,
        number: Arc<str>,
        customer: CustomerNo,
        currency: Currency,
        at: At,
    ) -> Self {
        Self {
            id,
            number,
            stage: Stage::Issued,
            opening: None,
            customer,
            currency,
            total: 0,
            open: 0,
            credit_noted: 0,
            issue_date: Day::MIN,
            due: DueTerms { date: Day::MIN, grace_days: 0 },
            sent_on: None,
            reference: Arc::default(),
            dispute: None,
            resolved_on: None,
            credit_notes: Vec::new(),
            due_emitted: false,
            overdue_emitted: false,
            overdue: false,
            told_from: None,
            cancelled: false,
            planned: None,
            over_limit: 0,
            reminders_stopped: false,
            last_step: None,
            reminder_level: 0,
            allocations: Vec::new(),
            spells: Vec::new(),
            content: at.position,
            created: at.position,
            version: at.position,
            digest: at.digest,
            issue_digest: None,
        }
    }
}
