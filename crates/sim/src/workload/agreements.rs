//! Commands about credit limits, planned payments, refunds and reminders.

use encours_domain::commands::{
    CancelPlannedPayment, PlanPayment, RecordReminder, RefundPayment, ReminderTarget,
    SetCreditLimit, StopReminders,
};
use encours_domain::dunning::Channel;
use encours_domain::event::{CreditPolicy, Method};
use encours_domain::{Day, PaymentNo, Source};

use super::{Workload, id};
use crate::model::{Book, View};

impl Workload {
    pub(super) fn set_credit_limit(&mut self, book: &Book) -> SetCreditLimit {
        let customer = self.rng.index(book.customers.len());
        let policies = [CreditPolicy::Allow, CreditPolicy::Warn, CreditPolicy::Refuse];
        let limit = [None, Some(0), Some(20_000), Some(60_000), Some(200_000)];
        SetCreditLimit {
            ledger_id: book.id.clone(),
            customer_id: book.customers[customer].id.clone(),
            currency: self.maybe(4, Self::any_currency),
            limit: self.one_of(&limit).flatten(),
            policy: self.one_of(&policies).unwrap_or(CreditPolicy::Warn),
        }
    }

    pub(super) fn plan_payment(&mut self, book: &Book, today: Day) -> PlanPayment {
        let invoice = self.any_invoice(book);
        let open = invoice.map_or(1, |no| Self::open(book, no));
        // Now and then the same again.
        let known = invoice.and_then(|no| book.invoices[no].planned).filter(|_| self.rng.one_in(3));
        let days = i32::try_from(self.rng.below(12)).unwrap_or_default();
        PlanPayment {
            ledger_id: book.id.clone(),
            invoice_id: Self::id_of(book, invoice),
            date: known.map_or(today.plus(days).unwrap_or(today), |planned| planned.date),
            amount: match known {
                Some(planned) => Some(planned.amount),
                None => self.maybe(2, |w| w.part_of(open.max(1))),
            },
            currency: self.maybe(6, |_| Self::currency_of(book, invoice)),
        }
    }

    pub(super) fn cancel_planned(&mut self, book: &Book) -> CancelPlannedPayment {
        let planned: Vec<usize> =
            (0..book.invoices.len()).filter(|&no| book.invoices[no].planned.is_some()).collect();
        let invoice = self.one_of(&planned).or_else(|| self.any_invoice(book));
        let (ledger_id, invoice_id) = (book.id.clone(), Self::id_of(book, invoice));
        CancelPlannedPayment { ledger_id, invoice_id }
    }

    /// A refund of unapplied money, or of what a payment has on an invoice.
    pub(super) fn refund_payment(&mut self, book: &Book, today: Day) -> RefundPayment {
        let bound = self.bound_pair(book).filter(|(s, _)| matches!(s, Source::Payment(_)));
        let free: Vec<PaymentNo> = (0_u32..)
            .take(book.payments.len())
            .map(PaymentNo)
            .filter(|no| book.unapplied(Source::Payment(*no), View::ALL) > 0)
            .collect();
        let aim = match (bound, self.one_of(&free)) {
            (Some((source, invoice)), _) if self.rng.one_in(2) => Some((source, Some(invoice))),
            (_, Some(no)) => Some((Source::Payment(no), None)),
            (bound, None) => bound.map(|(source, invoice)| (source, Some(invoice))),
        };
        let there = aim.map_or(1, |(source, invoice)| match invoice {
            None => book.unapplied(source, View::ALL),
            Some(on) => book.allocated(View::ALL, |s, no| (s, no) == (source, on)),
        });
        let there = i64::try_from(there).unwrap_or(1).max(1);
        let payment = match aim {
            Some((Source::Payment(no), _)) => book.payments.get(no.0 as usize),
            _ => None,
        };
        RefundPayment {
            ledger_id: book.id.clone(),
            payment_id: payment.map_or_else(|| id("nothing"), |p| p.id.clone()),
            invoice_id: aim.and_then(|(_, no)| no).map(|no| book.invoices[no].id.clone()),
            amount: self.maybe(2, |w| w.part_of(there)),
            currency: self.maybe(6, |_| payment.map_or(book.currency, |p| p.currency)),
            method: self.maybe(2, |_| Method::Transfer),
            date: self.any_date(today),
            reference: String::new(),
        }
    }

    pub(super) fn stop_reminders(&mut self, book: &Book) -> StopReminders {
        StopReminders {
            ledger_id: book.id.clone(),
            invoice_id: self.invoice_id(book),
            reason: "agreed".to_owned(),
        }
    }

    pub(super) fn record_reminder(&mut self, book: &Book, today: Day) -> RecordReminder {
        let target = if self.rng.one_in(3) {
            let at = self.rng.index(book.customers.len());
            ReminderTarget::Customer(book.customers[at].id.clone())
        } else {
            ReminderTarget::Invoice(self.invoice_id(book))
        };
        let channels = [Channel::Email, Channel::Letter, Channel::Sms, Channel::Phone];
        RecordReminder {
            ledger_id: book.id.clone(),
            target,
            level: u8::try_from(1 + self.rng.below(4)).unwrap_or(1),
            channel: self.one_of(&channels).unwrap_or(Channel::Phone),
            date: self.any_date(today),
            text: String::new(),
        }
    }
}
