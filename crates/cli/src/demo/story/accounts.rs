//! What stands beside invoices and payments: credit limits, what was owed before, drafts.

use encours_domain::Day;
use encours_proto::v1::{self, command::Command};

use super::tools::{euro, workday};
use super::{Phase, Story, Told};
use crate::demo::company::{Customer, Habit, LEDGER};
use crate::output;

impl Story {
    /// Whoever pays badly has a credit limit; passing it is told.
    pub(super) fn limit(&mut self, customer: &Customer) {
        if !matches!(customer.habit, Habit::VeryLate | Habit::Fails) {
            return;
        }
        let cents = i64::try_from(customer.usual_euros * 300).unwrap_or_default();
        let limit = v1::SetCreditLimitRequest {
            ledger_id: LEDGER.to_owned(),
            customer_id: customer.id(),
            limit: Some(euro(cents)),
            policy: v1::CreditPolicy::Warn.into(),
            ..Default::default()
        };
        self.add(self.first, Phase::Accounts, Command::SetCreditLimit(limit));
    }

    /// Brings in what the old books have of a customer. Answers an item owing to it.
    pub(super) fn opening(&mut self, customer: &Customer) -> Option<String> {
        // Days before the beginning to the due date, euros, euros paid before, day of payment.
        let (due, amount, paid, pays) = match customer.name {
            "Boulangerie Lefèvre" => (12, 2_400, 900, Some(13)),
            "Domaine de la Côte" => (1, 1_860, 0, Some(78)),
            "Hôtel des Remparts" => (-9, 3_120, 0, Some(8)),
            "Charpentes Bonnet" => (0, 150, 0, None),
            _ => return None,
        };
        let (first, item) = (self.first, format!("{}/2024", customer.id()));
        let before = |days: i32| first.plus(-days).map(output::day);
        let owed = v1::AddOpeningItemRequest {
            ledger_id: LEDGER.to_owned(),
            invoice_id: item.clone(),
            customer_id: customer.id(),
            direction: v1::OpeningItemDirection::Owed.into(),
            amount: Some(euro(amount * 100)),
            paid: Some(euro(paid * 100)),
            date: before(due + 30),
            due_date: before(due),
            sent_on: before(due + 30),
            ..Default::default()
        };
        let Some(pays) = pays else {
            let owing = v1::AddOpeningItemRequest {
                direction: v1::OpeningItemDirection::Owing.into(),
                due_date: None,
                sent_on: None,
                ..owed
            };
            self.add(first, Phase::Accounts, Command::AddOpeningItem(owing));
            return Some(item);
        };
        self.add(first, Phase::Accounts, Command::AddOpeningItem(owed));
        if let Some(day) = first.plus(pays) {
            self.payment(
                customer,
                day,
                v1::RecordPaymentRequest {
                    payment_id: format!("{item}:1"),
                    method: v1::PaymentMethod::Transfer.into(),
                    reference: item.clone(),
                    invoice_id: item,
                    ..Default::default()
                },
            );
        }
        None
    }

    /// Puts what is owing to a customer against its first invoice.
    pub(super) fn use_opening(&mut self, item: &str, invoice: &Told) {
        let allocate = v1::AllocateRequest {
            ledger_id: LEDGER.to_owned(),
            invoice_id: invoice.id.clone(),
            source: Some(v1::allocate_request::Source::OpeningItemId(item.to_owned())),
            ..Default::default()
        };
        self.add(invoice.issued, Phase::Corrections, Command::Allocate(allocate));
    }

    /// Writes a draft.
    pub(super) fn draft(
        &mut self,
        customer: &Customer,
        day: Day,
        id: &str,
        line: v1::InvoiceLine,
        total: i64,
    ) {
        let draft = v1::CreateDraftRequest {
            ledger_id: LEDGER.to_owned(),
            invoice_id: id.to_owned(),
            customer_id: customer.id(),
            lines: vec![line],
            total: Some(euro(total)),
            ..Default::default()
        };
        self.add(day, Phase::Drafts, Command::CreateDraft(draft));
    }

    /// Drafts of the last days that nobody has issued yet; one is given up.
    pub(super) fn drafts_left(&mut self, customers: &[Customer]) {
        for (nth, customer) in customers.iter().skip(3).step_by(11).enumerate() {
            let days = self.dice.days(2, 9);
            let Some(day) = self.last.plus(-days).and_then(workday) else { continue };
            let (line, total) = self.work(customer);
            let id = format!("{}/brouillon", customer.id());
            self.draft(customer, day, &id, line, total);
            if nth == 1 {
                let delete = v1::DeleteDraftRequest {
                    ledger_id: LEDGER.to_owned(),
                    invoice_id: id,
                    reason: "devis refusé".to_owned(),
                    ..Default::default()
                };
                self.add(self.last, Phase::Drafts, Command::DeleteDraft(delete));
            }
        }
    }
}
