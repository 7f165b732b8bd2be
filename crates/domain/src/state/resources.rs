//! From rows to the resources that answers show.

use super::rows::{Clock, Ledger, Rows};
use crate::balance::Balance;
use crate::dunning;
use crate::event::Direction;
use crate::id::Id;
use crate::number::{CustomerNo, InvoiceNo, LedgerNo, Source, Subject};
use crate::position::Day;
use crate::resource::{self, ItemKind, Resource};
use crate::state::rows::Stage;
use crate::status::{CustomerStatus, Document, Facets, Standing};

impl Rows {
    /// The resource with this number.
    #[must_use]
    pub fn resource(&self, subject: Subject) -> Option<Resource> {
        Some(match subject {
            Subject::Clock(no) => Resource::Clock(clock(no, self.clocks.get(no.0)?)),
            Subject::Ledger(no) => Resource::Ledger(self.ledger_resource(no)?),
            Subject::Customer(no, customer) => {
                Resource::Customer(self.ledger(no)?.customer_resource(customer)?)
            }
            Subject::Invoice(no, invoice) => {
                let ledger = self.ledger(no)?;
                let today = self.clocks.get(ledger.clock.0)?.today;
                Resource::Invoice(ledger.invoice_resource(invoice, today)?)
            }
            Subject::Payment(no, payment) => {
                let ledger = self.ledger(no)?;
                let row = ledger.payments.get(payment.0)?;
                Resource::Payment(resource::Payment {
                    ledger: no,
                    ledger_id: ledger.id.clone(),
                    no: payment,
                    id: row.id.clone(),
                    customer_id: ledger.customer_id(row.customer)?,
                    currency: row.currency,
                    amount: row.amount,
                    unapplied: row.unapplied,
                    refunded: row.refunded(),
                    reversed: row.reversed,
                    reversal: row.reversal,
                    method: row.method,
                    received_on: row.received_on,
                    reference: row.reference.clone(),
                    allocations: ledger.allocations(&row.invoices, Source::Payment(payment)),
                    created: row.created,
                    version: row.version,
                })
            }
            Subject::CreditNote(no, credit_note) => {
                let ledger = self.ledger(no)?;
                let row = ledger.credit_note(credit_note)?;
                Resource::CreditNote(resource::CreditNote {
                    ledger: no,
                    ledger_id: ledger.id.clone(),
                    no: credit_note,
                    id: row.id.clone(),
                    number: row.number.clone(),
                    invoice_id: ledger.invoices.get(row.invoice.0)?.id.clone(),
                    customer_id: ledger.customer_id(row.customer)?,
                    currency: row.currency,
                    amount: row.amount,
                    unapplied: row.unapplied,
                    issue_date: row.issue_date,
                    allocations: ledger.allocations(&row.invoices, Source::CreditNote(credit_note)),
                    created: row.created,
                    version: row.version,
                })
            }
        })
    }

    fn ledger_resource(&self, no: LedgerNo) -> Option<resource::Ledger> {
        let row = self.ledger(no)?;
        Some(resource::Ledger {
            no,
            id: row.id.clone(),
            name: row.name.clone(),
            currency: row.currency,
            clock: clock(row.clock, self.clocks.get(row.clock.0)?),
            terms: row.terms,
            invoice_pattern: row.invoice_series.pattern.clone(),
            credit_note_pattern: row.credit_note_series.pattern.clone(),
            calendar: row.calendar,
            reminders: row.reminders,
            customers: row.customers.len(),
            invoices: row.invoices.len(),
            payments: row.payments.len(),
            credit_notes: row.credit_notes.len(),
            created: row.created,
            version: row.version,
        })
    }
}

fn clock(no: crate::number::ClockNo, row: &Clock) -> resource::Clock {
    resource::Clock {
        no,
        id: row.id.clone(),
        test: row.test,
        zone: row.zone.clone(),
        today: row.today,
        finished: row.finished,
        target: row.target,
    }
}

impl Ledger {
    fn customer_id(&self, no: CustomerNo) -> Option<Id> {
        self.customers.get(no.0).map(|row| row.id.clone())
    }

    fn customer_resource(&self, no: CustomerNo) -> Option<resource::Customer> {
        let row = self.customers.get(no.0)?;
        Some(resource::Customer {
            ledger: self.no,
            ledger_id: self.id.clone(),
            no,
            id: row.id.clone(),
            currency: row.currency,
            terms: row.terms,
            details: row.details.clone(),
            balances: row.balances.clone(),
            credit_limits: row.credit_limits.clone(),
            reminder: row.reminder,
            status: CustomerStatus::of(row.balances.iter().map(Balance::figures)),
            created: row.created,
            version: row.version,
        })
    }

    fn invoice_resource(&self, no: InvoiceNo, today: Day) -> Option<resource::Invoice> {
        let row = self.invoices.get(no.0)?;
        let credits = row.allocations.iter().filter_map(|allocation| match allocation.source {
            Source::CreditNote(_) | Source::Opening(_) => Some(allocation.amount),
            Source::Payment(_) => None,
        });
        let draft = match &row.stage {
            Stage::Draft(draft) => Some(draft),
            Stage::Deleted | Stage::Issued => None,
        };
        let issued = row.stage == Stage::Issued;
        let due = if issued { Some(row.due) } else { draft.and_then(|draft| draft.due_date()) };
        let facts = row.dunning_facts();
        let next_step = dunning::to_come(self.reminders, self.calendar, &facts).next();
        let unapplied = row.opening.as_ref().map_or(0, |opening| opening.unapplied);
        let owing = row.opening.as_ref().is_some_and(|o| o.direction == Direction::Owing);
        Some(resource::Invoice {
            ledger: self.no,
            ledger_id: self.id.clone(),
            no,
            id: row.id.clone(),
            kind: match &row.opening {
                None => ItemKind::Invoice,
                Some(_) if owing => ItemKind::OpeningOwing,
                Some(_) => ItemKind::OpeningOwed,
            },
            deleted: row.stage == Stage::Deleted,
            number: row.number.clone(),
            customer_id: self.customer_id(row.customer)?,
            currency: row.currency,
            total: row.total,
            open: row.open,
            paid_before: row.paid_before(),
            unapplied,
            credited: credits.sum(),
            credit_noted: row.credit_noted,
            issue_date: if issued {
                Some(row.issue_date)
            } else {
                draft.and_then(|d| d.issue_date)
            },
            due,
            sent_on: row.sent_on,
            reference: row.reference.clone(),
            facets: Facets::of(&Standing {
                document: match row.stage {
                    Stage::Issued if row.cancelled => Document::Cancelled,
                    Stage::Issued => Document::Issued,
                    Stage::Draft(_) | Stage::Deleted => Document::Draft,
                },
                left: if owing { unapplied } else { row.open },
                total: row.total,
                due: Some(row.due).filter(|_| issued && !owing),
                today,
                disputed: row.dispute.is_some(),
                planned: row.planned.is_some(),
                stopped: row.reminders_stopped,
                exhausted: row.last_step.is_some() && next_step.is_none(),
                level: row.reminder_level,
            }),
            planned: row.planned,
            over_limit: row.over_limit,
            last_reminder: row.last_step,
            next_reminder: next_step.filter(|_| row.is_reminded()),
            content: row.content,
            created: row.created,
            version: row.version,
        })
    }

    fn allocations(&self, invoices: &[InvoiceNo], source: Source) -> Vec<resource::Allocation> {
        let on_invoice = |no: &InvoiceNo| {
            let row = self.invoices.get(no.0)?;
            let mut parts = row.allocations.iter().filter(|a| a.source == source).peekable();
            let date = parts.peek()?.date;
            let (amount, date) = parts.fold((0, date), |(amount, date), part| {
                (amount + part.amount, date.max(part.date))
            });
            Some(resource::Allocation { invoice_id: row.id.clone(), amount, date })
        };
        invoices.iter().filter_map(on_invoice).collect()
    }
}
