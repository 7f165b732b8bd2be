//! The rules for opening items.

use encours_domain::commands::{AddOpeningItem, CorrectOpeningItem};
use encours_domain::event::Direction;
use encours_domain::{Day, Position, Reason};

use super::View;
use super::facts::{Book, Invoice, Stage};
use super::money::minor;
use super::numbers;
use super::plan::{Fact, Plan};

impl Book {
    pub(super) fn add_opening_item(&self, c: &AddOpeningItem, today: Day) -> Plan {
        let mut plan = Plan::default();
        let Some(id) = c.invoice_id.clone() else {
            return Plan::refused(Reason::MissingField);
        };
        let Some(customer) = self.customer_no(&c.customer_id) else {
            return Plan::refused(Reason::UnknownCustomer);
        };
        let owing = c.direction == Direction::Owing;
        plan.refuse_if(c.amount <= 0 || c.paid < 0, Reason::NotPositive);
        plan.refuse_if(c.paid > c.amount, Reason::OverAllocation);
        let given = owing && (c.due_date.is_some() || c.sent_on.is_some());
        plan.refuse_if(given, Reason::ConflictingFields);
        let number = c.number.clone().unwrap_or_else(|| id.to_string());
        plan.refuse_if(self.taken_numbers().contains(&number.as_str()), Reason::NumberExists);
        let year = numbers::year(&self.invoice_pattern, &number);
        let own = numbers::has_form(&self.invoice_pattern, &number)
            && year.is_none_or(|year| year >= today.year());
        plan.refuse_if(own, Reason::NumberReserved);
        let reference = self.reference_of(c.reference.as_deref(), &number, &mut plan);
        let date = c.date.unwrap_or(today);
        let due = c.due_date.unwrap_or(date);
        if let Some(sent) = c.sent_on {
            plan.facts.push(Fact::Sent(self.invoices.len(), sent));
        }
        let overdue_from = due.plus(1).unwrap_or(Day::MAX);
        let claim = c.amount - c.paid;
        plan.facts.push(Fact::Invoice(Invoice {
            id,
            number,
            allotted: false,
            customer,
            currency: c.currency.or(self.customers[customer].currency).unwrap_or(self.currency),
            stage: if owing { Stage::Owing } else { Stage::Owed },
            total: c.amount,
            paid: c.paid,
            claim,
            volume: c.amount,
            date,
            due,
            overdue_from,
            first_due: (due, overdue_from),
            reference,
            planned: None,
            over_limit: 0,
            level: 0,
            stopped: false,
            known: Position::START,
        }));
        plan
    }

    pub(super) fn correct_opening_item(
        &self,
        invoice: usize,
        c: &CorrectOpeningItem,
        today: Day,
    ) -> Plan {
        let (mut plan, row) = (Plan::default(), &self.invoices[invoice]);
        let owing = row.stage == Stage::Owing;
        if !owing && row.stage != Stage::Owed {
            return Plan::refused(Reason::WrongState);
        }
        plan.refuse_if(
            c.currency.is_some_and(|code| code != row.currency),
            Reason::CurrencyMismatch,
        );
        plan.refuse_if(owing && c.due_date.is_some(), Reason::ConflictingFields);
        let (amount, paid) = (c.amount.unwrap_or(row.total), c.paid.unwrap_or(row.paid));
        plan.refuse_if(amount < 0 || paid < 0, Reason::NotPositive);
        plan.refuse_if(paid > amount, Reason::OverAllocation);
        let due = c.due_date.unwrap_or(row.due);
        plan.repeat = (amount, paid, due) == (row.total, row.paid, row.due);
        let corrected = self.corrections.iter().filter(|old| old.invoice == invoice);
        let last = corrected.map(|old| old.date).chain([row.date]).max().unwrap_or(row.date);
        let date = c.date.unwrap_or(today.max(last));
        plan.refuse_if(date < last, Reason::DatedBeforeFact);
        // Dated ahead, it would wait: the page wants it up to today.
        plan.refuse_if(date > today.max(last), Reason::WrongState);
        let more = (amount - paid) - (row.total - row.paid);
        let left = minor(self.left(invoice, View::ALL));
        plan.refuse_if(left + more < 0, Reason::OverAllocation);
        if more < 0 && left + more >= 0 {
            let below = self
                .days_of(invoice)
                .into_iter()
                .filter(|day| *day > date)
                .chain([date])
                .any(|day| self.left(invoice, View::as_of(day)) + i128::from(more) < 0);
            plan.refuse_if(below, Reason::DatedBeforeFact);
        }
        plan.facts.push(Fact::Corrected { invoice, amount, paid, due, more, date });
        plan
    }

    /// Every day on which what is left of an opening item changes.
    fn days_of(&self, invoice: usize) -> Vec<Day> {
        let source = super::status::opening(invoice);
        let touches = |on: usize, from| on == invoice || from == source;
        let allocated = self.allocations.iter().filter(|a| touches(a.invoice, a.source));
        let corrected = self.corrections.iter().filter(|c| c.invoice == invoice);
        let mut days: Vec<Day> = allocated.map(|a| a.date).collect();
        days.extend(corrected.map(|c| c.date));
        days.push(self.invoices[invoice].date);
        days
    }
}
