//! The commands of the clients.

use std::collections::BTreeMap;

use encours_domain::calendar::Calendar;
use encours_domain::commands::{
    AddOpeningItem, Allocate, CorrectOpeningItem, CreateCustomer, CreateDraft, CreateLedger,
    CreditUse, CustomerDetails, DeleteDraft, From, IssueCreditNote, IssueDraft, IssueInvoice,
    MarkSent, PlanPayment, Put, RecordPayment, RecordReminder, RefundPayment, ReminderTarget,
    RunDay, SetCreditLimit, StopReminders, Time, UpdateCustomer, UpdateDraft,
};
use encours_domain::dunning::{Channel, Policy};
use encours_domain::event::{CreditPolicy, Direction, Method};
use encours_domain::terms::{Due, Terms};
use encours_domain::{Command, Currency, Id};

use super::{START, World, id};

impl World {
    fn some_id(&mut self, kind: &str, of: u64) -> Id {
        id(&format!("{kind}{}", self.rng.below(of)))
    }

    pub(super) fn command(&mut self) -> Command {
        let ledger_id = self.some_id("l", 2);
        let amount = i64::try_from(1 + self.rng.below(500)).unwrap();
        match self.rng.below(32) {
            which @ 0..5 => self.party(which, ledger_id),
            5..11 => self.invoice(ledger_id).into(),
            11..16 => RecordPayment {
                ledger_id,
                payment_id: (!self.rng.one_in(3)).then(|| self.some_id("p", 60)),
                customer_id: Some(self.some_id("c", 8)),
                amount: Some(amount),
                currency: None,
                method: Method::Transfer,
                received_on: None,
                reference: String::new(),
                put: if self.rng.one_in(3) { Put::Nothing } else { Put::Auto },
            }
            .into(),
            16 => Allocate {
                ledger_id,
                invoice_id: self.some_id("i", 60),
                from: From::Anything,
                amount: None,
                currency: None,
                date: None,
            }
            .into(),
            17 => IssueCreditNote {
                ledger_id,
                credit_note_id: None,
                invoice_id: self.some_id("i", 60),
                number: None,
                amount: None,
                currency: None,
                issue_date: None,
                usage: CreditUse::OffsetThenKeep,
                reason: String::new(),
            }
            .into(),
            which @ 18..29 => self.agreement(which, ledger_id),
            _ => self.run_day(),
        }
    }

    fn invoice(&mut self, ledger_id: Id) -> IssueInvoice {
        IssueInvoice {
            ledger_id,
            invoice_id: (!self.rng.one_in(3)).then(|| self.some_id("i", 60)),
            customer_id: self.some_id("c", 8),
            number: None,
            issue_date: None,
            due: self.rng.one_in(2).then_some(Due::Terms(Terms::OnReceipt)),
            currency: None,
            total: Some(i64::try_from(1 + self.rng.below(500)).unwrap()),
            lines: Vec::new(),
            taxes: Vec::new(),
            reference: None,
            purchase_order: String::new(),
            text: "x".repeat(self.rng.index(300)),
            metadata: BTreeMap::default(),
            override_credit_limit: false,
        }
    }

    /// Drafts, opening items, limits, plans, refunds and reminders.
    fn agreement(&mut self, which: u64, ledger_id: Id) -> Command {
        let invoice_id = self.some_id("i", 60);
        let amount = i64::try_from(1 + self.rng.below(500)).unwrap();
        match which {
            18 | 19 => CreateDraft { invoice: self.invoice(ledger_id) }.into(),
            20 => {
                let invoice = self.invoice(ledger_id);
                UpdateDraft { invoice: IssueInvoice { invoice_id: Some(invoice_id), ..invoice } }
                    .into()
            }
            21 => DeleteDraft { ledger_id, invoice_id }.into(),
            22 => IssueDraft {
                ledger_id,
                invoice_id,
                issue_date: None,
                number: None,
                override_credit_limit: self.rng.one_in(2),
            }
            .into(),
            23 => self.opening_item(ledger_id, amount),
            24 => CorrectOpeningItem {
                ledger_id,
                invoice_id,
                amount: Some(amount),
                paid: Some(0),
                currency: None,
                due_date: None,
                date: None,
            }
            .into(),
            25 => MarkSent { ledger_id, invoice_id, date: None }.into(),
            26 => self.promise(ledger_id, invoice_id),
            27 => RefundPayment {
                ledger_id,
                payment_id: self.some_id("p", 60),
                invoice_id: None,
                amount: None,
                currency: None,
                method: None,
                date: None,
                reference: String::new(),
            }
            .into(),
            _ => self.reminder(ledger_id, invoice_id),
        }
    }

    fn opening_item(&mut self, ledger_id: Id, amount: i64) -> Command {
        let direction = if self.rng.one_in(3) { Direction::Owing } else { Direction::Owed };
        AddOpeningItem {
            ledger_id,
            invoice_id: Some(self.some_id("i", 60)),
            customer_id: self.some_id("c", 8),
            direction,
            amount,
            paid: amount / 3,
            currency: None,
            date: None,
            due_date: None,
            number: None,
            reference: None,
            sent_on: None,
        }
        .into()
    }

    fn promise(&mut self, ledger_id: Id, invoice_id: Id) -> Command {
        let today = encours_engine::local_day("Europe/Paris", START).unwrap();
        if self.rng.one_in(2) {
            let date = today.plus(4).unwrap();
            return PlanPayment { ledger_id, invoice_id, date, amount: None, currency: None }
                .into();
        }
        SetCreditLimit {
            ledger_id,
            customer_id: self.some_id("c", 8),
            currency: None,
            limit: (!self.rng.one_in(4)).then_some(800),
            policy: if self.rng.one_in(2) { CreditPolicy::Warn } else { CreditPolicy::Refuse },
        }
        .into()
    }

    fn reminder(&mut self, ledger_id: Id, invoice_id: Id) -> Command {
        if self.rng.one_in(2) {
            return StopReminders { ledger_id, invoice_id, reason: String::new() }.into();
        }
        RecordReminder {
            ledger_id,
            target: ReminderTarget::Customer(self.some_id("c", 8)),
            level: 1,
            channel: Channel::Phone,
            date: None,
            text: "x".repeat(self.rng.index(50)),
        }
        .into()
    }

    pub(super) fn party(&mut self, which: u64, ledger_id: Id) -> Command {
        match which {
            0 => CreateLedger {
                ledger_id: Some(ledger_id),
                name: String::new(),
                currency: Currency::parse("currency", "EUR").unwrap(),
                time_zone: "Europe/Paris".into(),
                time: Time::System,
                terms: None,
                invoice_pattern: None,
                credit_note_pattern: None,
                calendar: Calendar::default(),
                reminders: Policy::default(),
            }
            .into(),
            1..4 => CreateCustomer {
                ledger_id,
                customer_id: (!self.rng.one_in(4)).then(|| self.some_id("c", 8)),
                currency: None,
                terms: None,
                details: self.details(),
            }
            .into(),
            _ => UpdateCustomer {
                ledger_id,
                customer_id: self.some_id("c", 8),
                currency: None,
                terms: None,
                details: self.details(),
            }
            .into(),
        }
    }

    fn details(&mut self) -> CustomerDetails {
        let name = Some(format!("Customer {}", self.rng.below(1_000)));
        CustomerDetails { name, ..CustomerDetails::default() }
    }

    /// As the scheduler does it, though not always for the right day.
    fn run_day(&mut self) -> Command {
        let today = encours_engine::local_day("Europe/Paris", START).unwrap();
        let ahead = i32::try_from(self.rng.below(4)).unwrap();
        let day = today.plus(ahead).unwrap();
        RunDay { clock: encours_domain::ClockNo(0), day, limit: 10 }.into()
    }
}
