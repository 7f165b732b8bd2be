//! How customers pay: by habit, with promises kept and broken, too much, or not at all.

use encours_domain::Day;
use encours_proto::v1::{self, command::Command};

use super::tools::{euro, workday};
use super::{Phase, Story, Told};
use crate::demo::company::{Customer, Habit, LEDGER};
use crate::output;

impl Story {
    /// One cheque for several invoices.
    pub(super) fn cheque(&mut self, customer: &Customer, told: &[Told]) {
        let Some(due) = told.iter().map(|invoice| invoice.due).min() else { return };
        let last = told.iter().map(|invoice| invoice.issued).max().unwrap_or(due);
        let early = self.dice.days(1, 9);
        let day = due.plus(-early).map_or(last, |day| day.max(last));
        let allocations: Vec<v1::ExplicitAllocation> = told
            .iter()
            .map(|invoice| v1::ExplicitAllocation {
                invoice_id: invoice.id.clone(),
                amount: Some(euro(invoice.total)),
            })
            .collect();
        let amount = told.iter().map(|invoice| invoice.total).sum();
        self.payment(
            customer,
            day,
            v1::RecordPaymentRequest {
                payment_id: format!("{}:cheque", told[0].id),
                amount: Some(euro(amount)),
                method: v1::PaymentMethod::Cheque.into(),
                allocations,
                ..Default::default()
            },
        );
    }

    pub(super) fn payment(
        &mut self,
        customer: &Customer,
        day: Day,
        payment: v1::RecordPaymentRequest,
    ) {
        let payment = v1::RecordPaymentRequest {
            ledger_id: LEDGER.to_owned(),
            customer_id: customer.id(),
            ..payment
        };
        if let Some(day) = workday(day) {
            self.add(day, Phase::Payments, Command::RecordPayment(payment));
        }
    }

    /// Puts an amount against an invoice, so many days after it is due.
    pub(super) fn pay(
        &mut self,
        customer: &Customer,
        invoice: &Told,
        days_late: i32,
        cents: i64,
        nth: u32,
    ) {
        let day = invoice.due.plus(days_late).unwrap_or(invoice.due).max(invoice.issued);
        self.payment(
            customer,
            day,
            v1::RecordPaymentRequest {
                payment_id: format!("{}:{nth}", invoice.id),
                amount: Some(euro(cents)),
                method: v1::PaymentMethod::Transfer.into(),
                reference: invoice.id.clone(),
                invoice_id: invoice.id.clone(),
                ..Default::default()
            },
        );
    }

    /// Pays an invoice as the customer's habit has it.
    pub(super) fn settle(&mut self, customer: &Customer, invoice: &Told) {
        let total = invoice.total;
        match customer.habit {
            Habit::Punctual | Habit::OneCheque => {
                let late = self.dice.days(-8, 0);
                if self.dice.roll(6) == 0 {
                    self.promise(invoice, -13, late);
                }
                self.pay(customer, invoice, late, total, 1);
            }
            Habit::Late => {
                let late = self.dice.days(2, 24);
                if late > 6 && self.dice.roll(3) == 0 {
                    self.promise(invoice, 3, late);
                }
                self.pay(customer, invoice, late, total, 1);
            }
            Habit::VeryLate => {
                let late = self.dice.days(25, 100);
                if self.dice.roll(3) == 0 {
                    self.promise(invoice, 8, 16);
                }
                self.pay(customer, invoice, late, total, 1);
            }
            Habit::InParts => {
                let (first, second) = (self.dice.days(-3, 4), self.dice.days(20, 70));
                let part = total * 2 / 5;
                self.pay(customer, invoice, first, part, 1);
                self.pay(customer, invoice, second, total - part, 2);
            }
            Habit::RoundsUp => {
                let late = self.dice.days(-9, 0);
                self.pay(customer, invoice, late, (total / 5_000 + 1) * 5_000, 1);
                if self.dice.roll(4) == 0 {
                    self.refund(invoice, late);
                }
            }
            Habit::Fails => {
                let late = self.dice.days(-4, 10);
                let stops = self.last.plus(-200).unwrap_or(self.last);
                if invoice.due < stops {
                    self.pay(customer, invoice, late, total, 1);
                } else {
                    self.insist(customer, invoice);
                }
            }
        }
    }

    /// So many days after the due date a customer says when it will pay.
    fn promise(&mut self, invoice: &Told, said: i32, paid: i32) {
        let day = |days: i32| invoice.due.plus(days).and_then(workday);
        let (Some(said), Some(paid)) = (day(said), day(paid)) else { return };
        let plan = v1::PlanPaymentRequest {
            ledger_id: LEDGER.to_owned(),
            invoice_id: invoice.id.clone(),
            date: Some(output::day(paid)),
            ..Default::default()
        };
        self.add(said, Phase::Promises, Command::PlanPayment(plan));
    }

    /// What came too much goes back.
    fn refund(&mut self, invoice: &Told, late: i32) {
        let paid = invoice.due.plus(late).unwrap_or(invoice.due).max(invoice.issued);
        let Some(day) = paid.plus(6).and_then(workday) else { return };
        let refund = v1::RefundPaymentRequest {
            ledger_id: LEDGER.to_owned(),
            payment_id: format!("{}:1", invoice.id),
            method: v1::PaymentMethod::Transfer.into(),
            reason: "trop-perçu".to_owned(),
            ..Default::default()
        };
        self.add(day, Phase::Afterwards, Command::RefundPayment(refund));
    }

    /// A call about an invoice and a letter about all; of the first one the reminders are stopped.
    fn insist(&mut self, customer: &Customer, invoice: &Told) {
        let after = |days: i32| invoice.due.plus(days).and_then(workday);
        let (Some(called), Some(wrote), Some(stopped)) = (after(30), after(45), after(60)) else {
            return;
        };
        let (ledger_id, invoice_id) = (LEDGER.to_owned(), invoice.id.clone());
        let call = v1::RecordReminderRequest {
            ledger_id: ledger_id.clone(),
            invoice_id: invoice_id.clone(),
            level: 3,
            channel: v1::ReminderChannel::Phone.into(),
            text: "message laissé".to_owned(),
            ..Default::default()
        };
        self.add(called, Phase::Promises, Command::RecordReminder(call));
        let letter = v1::CustomerServiceRecordReminderRequest {
            ledger_id: ledger_id.clone(),
            customer_id: customer.id(),
            level: 4,
            channel: v1::ReminderChannel::Letter.into(),
            text: "mise en demeure".to_owned(),
            ..Default::default()
        };
        self.add(wrote, Phase::Promises, Command::RecordCustomerReminder(letter));
        if !self.stopped && stopped <= self.last {
            self.stopped = true;
            let reason = "transmis au recouvrement".to_owned();
            let stop =
                v1::StopRemindersRequest { ledger_id, invoice_id, reason, ..Default::default() };
            self.add(stopped, Phase::Promises, Command::StopReminders(stop));
        }
    }
}
