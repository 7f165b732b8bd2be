//! Two years of the company, decided beforehand: which commands on which day. The same every time.

mod accounts;
mod mishaps;
mod payments;
mod tools;

use std::collections::BTreeMap;

use encours_domain::Day;
use encours_proto::v1::{self, command::Command};

use super::company::{Customer, Habit, LEDGER, customers};
use crate::output;
use tools::{Dice, euro, next_month, workday};

/// What happens on a day, in order of the phases and then of the telling.
pub(super) type Days = BTreeMap<Day, BTreeMap<Phase, Vec<Command>>>;

/// The order of what happens within a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Customers,
    Accounts,
    Drafts,
    Invoices,
    Sent,
    Corrections,
    Promises,
    Payments,
    Afterwards,
}

/// The story.
pub(super) struct Story {
    pub(super) days: Days,
    /// An invoice whose payment bounced: its activity is worth showing.
    pub(super) bounced: String,
    dice: Dice,
    first: Day,
    last: Day,
    invoices: u32,
    credit_notes: u32,
    /// Whether reminders of an invoice were stopped already.
    stopped: bool,
}

/// An invoice that was just told of.
#[derive(Clone)]
struct Told {
    id: String,
    issued: Day,
    due: Day,
    /// Cents, tax included.
    total: i64,
    /// Whether it went out on its issue date.
    at_once: bool,
}

impl Story {
    /// Tells everything from `first` to `last`.
    pub(super) fn tell(first: Day, last: Day) -> Self {
        let mut story = Self {
            days: Days::new(),
            bounced: String::new(),
            dice: Dice(2_025),
            first,
            last,
            invoices: 0,
            credit_notes: 0,
            stopped: false,
        };
        let customers = customers();
        for customer in &customers {
            story.customer(customer);
        }
        story.drafts_left(&customers);
        story
    }

    fn add(&mut self, day: Day, phase: Phase, command: Command) {
        if day >= self.first && day <= self.last {
            self.days.entry(day).or_default().entry(phase).or_default().push(command);
        }
    }

    fn customer(&mut self, customer: &Customer) {
        let terms = v1::NetDays { days: customer.net_days, grace_days: 0 };
        let terms = v1::Terms { terms: Some(v1::terms::Terms::NetDays(terms)) };
        let create = v1::CreateCustomerRequest {
            ledger_id: LEDGER.to_owned(),
            customer_id: customer.id(),
            name: customer.name.to_owned(),
            address: customer.city.to_owned(),
            terms: Some(terms),
            ..Default::default()
        };
        self.add(self.first, Phase::Customers, Command::CreateCustomer(create));
        self.limit(customer);
        let mut owing = self.opening(customer);
        let mut month = self.first;
        while month <= self.last {
            let told = self.month(customer, month);
            if let Some((item, invoice)) = owing.as_ref().zip(told.first()) {
                self.use_opening(item, invoice);
                owing = None;
            }
            month = next_month(month);
        }
    }

    /// None to three invoices in the month that begins on `first`.
    fn month(&mut self, customer: &Customer, first: Day) -> Vec<Told> {
        // Whoever rounds up orders nothing in the end, so that what is left over shows.
        if customer.habit == Habit::RoundsUp && self.last.since(first) < 100 {
            return Vec::new();
        }
        let count = match self.dice.roll(10) {
            0..=2 => 0,
            3..=7 => 1,
            8 => 2,
            _ => 3,
        };
        let mut days: Vec<i32> = (0..count).map(|_| self.dice.days(0, 27)).collect();
        days.sort_unstable();
        let told: Vec<Told> = days
            .into_iter()
            .filter_map(|days| workday(first.plus(days)?))
            .map(|day| self.invoice(customer, day))
            .collect();
        if customer.habit == Habit::OneCheque {
            self.cheque(customer, &told);
            return told;
        }
        for invoice in &told {
            if !self.mishap(customer, invoice) {
                self.settle(customer, invoice);
            }
        }
        told
    }

    /// Issues an invoice, now and then from a draft of some days before, and sends it.
    fn invoice(&mut self, customer: &Customer, day: Day) -> Told {
        self.invoices += 1;
        let (line, total) = self.work(customer);
        let id = format!("F-{}", self.invoices);
        let issue = v1::IssueInvoiceRequest {
            ledger_id: LEDGER.to_owned(),
            invoice_id: id.clone(),
            ..Default::default()
        };
        let before = self.dice.days(1, 6);
        let drafted = day.plus(-before).and_then(workday).filter(|drafted| {
            *drafted >= self.first && *drafted < day && self.invoices.is_multiple_of(9)
        });
        let issue = match drafted {
            Some(drafted) => {
                self.draft(customer, drafted, &id, line, total);
                v1::IssueInvoiceRequest { from_draft: true, ..issue }
            }
            None => v1::IssueInvoiceRequest {
                customer_id: customer.id(),
                lines: vec![line],
                total: Some(euro(total)),
                ..issue
            },
        };
        self.add(day, Phase::Invoices, Command::IssueInvoice(issue));
        let due = day.plus(customer.net_days).unwrap_or(day);
        let at_once = self.send(&id, day, due);
        Told { id, issued: day, due, total, at_once }
    }

    /// What a customer orders: a line and its total with tax, in cents.
    fn work(&mut self, customer: &Customer) -> (v1::InvoiceLine, i64) {
        const WORK: [&str; 5] =
            ["Agencement", "Restauration de meubles", "Pose", "Étude et plans", "Entretien"];
        // Multiples of 5 euros: 20 % of them is exact.
        let percent = 50 + self.dice.roll(101);
        let euros = (customer.usual_euros * percent / 500 * 5).max(40);
        let line = v1::InvoiceLine {
            description: WORK[usize::try_from(self.dice.roll(5)).unwrap_or_default()].to_owned(),
            quantity: "1".to_owned(),
            unit_price: euros.to_string(),
            tax_rate: "20".to_owned(),
            ..Default::default()
        };
        (line, i64::try_from(euros * 120).unwrap_or_default())
    }

    /// Most invoices go out on their issue date, some shortly before they are due, some after that:
    /// the three cases of the reminder plan. Answers whether it was at once.
    fn send(&mut self, id: &str, issued: Day, due: Day) -> bool {
        let days = match self.dice.roll(20) {
            0 => -2,
            1 => self.dice.days(1, 5),
            _ => issued.since(due),
        };
        let sent = v1::MarkSentRequest {
            ledger_id: LEDGER.to_owned(),
            invoice_id: id.to_owned(),
            ..Default::default()
        };
        let day = due.plus(days).unwrap_or(issued);
        self.add(day, Phase::Sent, Command::MarkSent(sent));
        day == issued
    }
}

/// The request that makes the ledger.
pub(super) fn ledger(name: &str, first: Day) -> v1::CreateLedgerRequest {
    let start_date = Some(output::day(first));
    v1::CreateLedgerRequest {
        ledger_id: LEDGER.to_owned(),
        name: name.to_owned(),
        currency_code: "EUR".to_owned(),
        time_zone: "Europe/Paris".to_owned(),
        test_clock: Some(v1::TestClock { clock_id: String::new(), start_date }),
        invoice_number_pattern: "FA-{year}-{seq:5}".to_owned(),
        credit_note_number_pattern: "AV-{year}-{seq:4}".to_owned(),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_is_the_same_every_time_and_has_everything() {
        let (first, last) =
            (Day::from_ymd(2025, 1, 1).unwrap(), Day::from_ymd(2026, 12, 31).unwrap());
        let (one, two) = (Story::tell(first, last), Story::tell(first, last));
        assert_eq!(one.days, two.days);
        assert!(!one.bounced.is_empty());
        assert!(one.days.keys().all(|day| *day >= first && *day <= last));
        assert!((1_200..2_000).contains(&one.invoices), "{}", one.invoices);
        let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
        for command in one.days.values().flat_map(BTreeMap::values).flatten() {
            let shown = format!("{command:?}");
            let kind = shown.split('(').next().unwrap().to_owned();
            *kinds.entry(kind).or_default() += 1;
        }
        for kind in [
            "AddOpeningItem",
            "Allocate",
            "CancelInvoice",
            "CreateDraft",
            "DeleteDraft",
            "DisputeInvoice",
            "IssueCreditNote",
            "PlanPayment",
            "RecordCustomerReminder",
            "RecordReminder",
            "RefundPayment",
            "ResolveDispute",
            "ReversePayment",
            "SetCreditLimit",
            "StopReminders",
        ] {
            assert!(kinds.contains_key(kind), "{kind} is missing in {kinds:?}");
        }
    }
}
