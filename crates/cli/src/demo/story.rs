//! Two years of the company, decided beforehand: which commands on which day. The same every time.

use std::collections::BTreeMap;

use chrono::{Datelike, Weekday};
use encours_domain::{Day, Money};
use encours_proto::v1::{self, command::Command};

use super::company::{Customer, Habit, LEDGER, customers};
use crate::output;

/// What happens on a day, in order of the phases and then of the telling.
pub(super) type Days = BTreeMap<Day, BTreeMap<Phase, Vec<Command>>>;

/// The order of what happens within a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Customers,
    Invoices,
    Sent,
    Corrections,
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
}

/// Pseudo-random numbers: SplitMix64.
struct Dice(u64);

impl Dice {
    /// A number from 0 to below `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides.max(1)
    }

    /// A number of days from `least` to `most`.
    fn days(&mut self, least: i32, most: i32) -> i32 {
        let range = u64::from(most.abs_diff(least)) + 1;
        least + i32::try_from(self.roll(range)).unwrap_or_default()
    }
}

/// An invoice that was just told of.
#[derive(Clone)]
struct Told {
    id: String,
    issued: Day,
    due: Day,
    /// Cents, tax included.
    total: i64,
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
        };
        for customer in &customers() {
            story.customer(customer);
        }
        story
    }

    fn add(&mut self, day: Day, phase: Phase, command: Command) {
        if day <= self.last {
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
        let mut month = self.first;
        while month <= self.last {
            self.month(customer, month);
            month = next_month(month);
        }
    }

    /// None to three invoices in the month that begins on `first`.
    fn month(&mut self, customer: &Customer, first: Day) {
        // Whoever rounds up orders nothing in the end, so that what is left over shows.
        if customer.habit == Habit::RoundsUp && self.last.since(first) < 100 {
            return;
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
            return;
        }
        for invoice in &told {
            if !self.mishap(customer, invoice) {
                self.settle(customer, invoice);
            }
        }
    }

    fn invoice(&mut self, customer: &Customer, day: Day) -> Told {
        self.invoices += 1;
        // Multiples of 5 euros: 20 % of them is exact.
        let percent = 50 + self.dice.roll(101);
        let euros = (customer.usual_euros * percent / 500 * 5).max(40);
        let total = i64::try_from(euros * 120).unwrap_or_default();
        let id = format!("{}/{}-{}", customer.id(), day.date().format("%y%m%d"), self.invoices);
        let what = ["Agencement", "Restauration de meubles", "Pose", "Étude et plans", "Entretien"];
        let line = v1::InvoiceLine {
            description: what[usize::try_from(self.dice.roll(5)).unwrap_or_default()].to_owned(),
            quantity: "1".to_owned(),
            unit_price: euros.to_string(),
            tax_rate: "20".to_owned(),
            ..Default::default()
        };
        let issue = v1::IssueInvoiceRequest {
            ledger_id: LEDGER.to_owned(),
            invoice_id: id.clone(),
            customer_id: customer.id(),
            lines: vec![line],
            total: Some(euro(total)),
            ..Default::default()
        };
        self.add(day, Phase::Invoices, Command::IssueInvoice(issue));
        let sent = v1::MarkSentRequest {
            ledger_id: LEDGER.to_owned(),
            invoice_id: id.clone(),
            ..Default::default()
        };
        self.add(day, Phase::Sent, Command::MarkSent(sent));
        let due = day.plus(customer.net_days).unwrap_or(day);
        Told { id, issued: day, due, total }
    }

    /// One cheque for several invoices.
    fn cheque(&mut self, customer: &Customer, told: &[Told]) {
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

    fn payment(&mut self, customer: &Customer, day: Day, payment: v1::RecordPaymentRequest) {
        let payment = v1::RecordPaymentRequest {
            ledger_id: LEDGER.to_owned(),
            customer_id: customer.id(),
            ..payment
        };
        if let Some(day) = workday(day) {
            self.add(day, Phase::Payments, Command::RecordPayment(payment));
        }
    }

    /// Puts an amount against an invoice, as the customer's habit has it.
    fn pay(&mut self, customer: &Customer, invoice: &Told, days_late: i32, cents: i64, nth: u32) {
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

    fn settle(&mut self, customer: &Customer, invoice: &Told) {
        let total = invoice.total;
        match customer.habit {
            Habit::Punctual | Habit::OneCheque => {
                let late = self.dice.days(-8, 0);
                self.pay(customer, invoice, late, total, 1);
            }
            Habit::Late => {
                let late = self.dice.days(2, 24);
                self.pay(customer, invoice, late, total, 1);
            }
            Habit::VeryLate => {
                let late = self.dice.days(25, 100);
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
            }
            Habit::Fails => {
                let late = self.dice.days(-4, 10);
                let stops = self.last.plus(-200).unwrap_or(self.last);
                if invoice.due < stops {
                    self.pay(customer, invoice, late, total, 1);
                }
            }
        }
    }

    /// What goes wrong now and then. Answers whether the invoice is dealt with by it.
    fn mishap(&mut self, customer: &Customer, invoice: &Told) -> bool {
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
        if self.bounced.is_empty() && settled {
            self.bounced.clone_from(&invoice.id);
        }
    }
}

/// Euros of the protocol.
fn euro(cents: i64) -> v1::Money {
    let currency = encours_domain::Currency::parse("currency", "EUR");
    let (units, nanos) = currency.map_or((0, 0), |currency| Money::new(cents, currency).to_units());
    v1::Money { currency_code: "EUR".to_owned(), units, nanos }
}

/// This day, or the Monday after it.
fn workday(day: Day) -> Option<Day> {
    match day.date().weekday() {
        Weekday::Sat => day.plus(2),
        Weekday::Sun => day.plus(1),
        _ => Some(day),
    }
}

fn next_month(first: Day) -> Day {
    let date = first.date();
    let (year, month) = match date.month() {
        12 => (date.year() + 1, 1),
        month => (date.year(), month + 1),
    };
    Day::from_ymd(year, month, 1).unwrap_or(Day::MAX)
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
    fn the_story_is_the_same_every_time() {
        let (first, last) =
            (Day::from_ymd(2025, 1, 1).unwrap(), Day::from_ymd(2026, 12, 31).unwrap());
        let (one, two) = (Story::tell(first, last), Story::tell(first, last));
        assert_eq!(one.days, two.days);
        assert!(!one.bounced.is_empty());
        assert!(one.days.keys().all(|day| *day >= first && *day <= last));
        assert!((1_200..2_000).contains(&one.invoices), "{}", one.invoices);
    }
}
