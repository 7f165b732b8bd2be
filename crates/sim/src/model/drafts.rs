//! The rules for drafts of invoices.

use encours_domain::commands::{IssueDraft, IssueInvoice};
use encours_domain::terms::Due;
use encours_domain::{Day, Position, Reason};

use super::documents::check_number;
use super::facts::{Book, Invoice, Stage};
use super::numbers;
use super::plan::{Fact, Plan};

impl Book {
    /// Whether an item can be sent, paid, disputed and planned: an invoice, or owed since before.
    pub(super) fn is_owed(&self, invoice: usize) -> bool {
        matches!(self.invoices[invoice].stage, Stage::Issued | Stage::Owed)
    }

    pub(super) fn create_draft(&self, c: &IssueInvoice) -> Plan {
        if c.invoice_id.is_none() {
            return Plan::refused(Reason::MissingField);
        }
        let mut plan = Plan::default();
        if let Some(row) = self.draft_of(c, self.invoices.len(), &mut plan) {
            plan.facts.push(Fact::Invoice(row));
        }
        plan
    }

    pub(super) fn update_draft(&self, c: &IssueInvoice) -> Plan {
        let Some(id) = &c.invoice_id else {
            return Plan::refused(Reason::MissingField);
        };
        let Some(no) = self.invoice_no(id) else {
            return Plan::refused(Reason::UnknownInvoice);
        };
        let Stage::Draft(said) = &self.invoices[no].stage else {
            return Plan::refused(Reason::WrongState);
        };
        let mut plan = Plan::default();
        if let Some(row) = self.draft_of(c, no, &mut plan) {
            plan.repeat = row.stage == Stage::Draft(said.clone());
            plan.facts.push(Fact::Replaced(no, row));
        }
        plan
    }

    pub(super) fn delete_draft(&self, no: usize) -> Plan {
        match &self.invoices[no].stage {
            Stage::Draft(_) => {
                let facts = vec![Fact::Deleted(no)];
                Plan { facts, ..Plan::default() }
            }
            Stage::Deleted => Plan { repeat: true, ..Plan::default() },
            _ => Plan::refused(Reason::WrongState),
        }
    }

    pub(super) fn issue_draft(&self, no: usize, c: &IssueDraft, today: Day) -> Plan {
        let Stage::Draft(said) = &self.invoices[no].stage else {
            return Plan::refused(Reason::WrongState);
        };
        let mut invoice = said.as_ref().clone();
        invoice.issue_date = c.issue_date.or(invoice.issue_date);
        invoice.number = c.number.clone().or(invoice.number);
        invoice.override_credit_limit = c.override_credit_limit;
        self.issue(&invoice, no, today)
    }

    /// The row of a draft that says this; its currency is settled now.
    fn draft_of(&self, c: &IssueInvoice, no: usize, plan: &mut Plan) -> Option<Invoice> {
        let Some(customer) = self.customer_no(&c.customer_id) else {
            plan.refuse(Reason::UnknownCustomer);
            return None;
        };
        let currency = c.currency.or(self.customers[customer].currency).unwrap_or(self.currency);
        plan.refuse_if(c.override_credit_limit, Reason::ConflictingFields);
        let total = self.check_content(c, currency, plan);
        check_number(c.number.as_deref(), &self.taken_numbers(), &self.invoice_pattern, plan);
        let wrong = c.reference.as_deref().is_some_and(|r| numbers::given_reference(r).is_none());
        plan.refuse_if(wrong, Reason::InvalidReference);
        match (c.due, c.issue_date) {
            (Some(Due::Date(due)), date) => {
                plan.refuse_if(date.is_some_and(|date| due < date), Reason::DueBeforeIssue);
                plan.refuse_if(due == Day::MAX, Reason::InvalidDate);
            }
            (Some(Due::Terms(terms)), _) => plan.check_terms(Some(terms)),
            _ => {}
        }
        let said = IssueInvoice { currency: Some(currency), ..c.clone() };
        Some(Invoice {
            id: c.invoice_id.clone()?,
            number: format!("DRAFT-{}", no + 1),
            allotted: false,
            customer,
            currency,
            stage: Stage::Draft(Box::new(said)),
            total,
            paid: 0,
            claim: 0,
            volume: 0,
            date: Day::MIN,
            due: Day::MIN,
            overdue_from: Day::MIN,
            first_due: (Day::MIN, Day::MIN),
            reference: String::new(),
            planned: None,
            over_limit: 0,
            level: 0,
            stopped: false,
            known: Position::START,
        })
    }
}
