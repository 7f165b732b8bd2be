//! The rules for credit limits, planned payments, refunds and reminders made by hand.

use encours_domain::commands::{
    PlanPayment, RecordReminder, RefundPayment, ReminderTarget, SetCreditLimit,
};
use encours_domain::event::CreditPolicy;
use encours_domain::limits::MAX_VOLUME;
use encours_domain::{Currency, Day, Reason, Source};

use super::View;
use super::facts::{Book, Limit, Planned};
use super::money::minor;
use super::plan::{Fact, Plan, When};

impl Book {
    pub(super) fn set_credit_limit(&self, c: &SetCreditLimit) -> Plan {
        let Some(customer) = self.customer_no(&c.customer_id) else {
            return Plan::refused(Reason::UnknownCustomer);
        };
        let mut plan = Plan::default();
        let currency = c.currency.or(self.customers[customer].currency).unwrap_or(self.currency);
        plan.refuse_if(c.limit.is_some_and(|limit| limit < 0), Reason::NotPositive);
        plan.refuse_if(c.limit.is_some_and(|limit| limit > MAX_VOLUME), Reason::AmountOverflow);
        let now = self.limit_of(customer, currency);
        plan.repeat =
            now.map(|limit| (limit.limit, limit.policy)) == c.limit.map(|l| (l, c.policy));
        let policy = c.policy;
        let limit = c.limit.map(|limit| Limit { customer, currency, limit, policy });
        plan.facts.push(Fact::Limit(customer, currency, limit));
        plan
    }

    /// The credit limit of a customer.
    pub(super) fn limit_of(&self, customer: usize, currency: Currency) -> Option<&Limit> {
        self.limits.iter().find(|l| (l.customer, l.currency) == (customer, currency))
    }

    /// What the credit limit says to an invoice: limit and exposure, where they are to be told.
    pub(super) fn weigh(
        &self,
        (customer, currency): (usize, Currency),
        total: i64,
        overridden: bool,
        plan: &mut Plan,
    ) -> Option<(i64, i64, bool)> {
        let limit = self.limit_of(customer, currency)?;
        let figures = self.figures(customer, View::ALL, Day::MIN);
        let of_currency = figures.iter().find(|f| f.currency == currency);
        let exposure = of_currency.map_or(0, super::Figures::net) + i128::from(total);
        if total <= 0 || exposure <= i128::from(limit.limit) {
            return None;
        }
        let exposure = minor(exposure);
        match limit.policy {
            CreditPolicy::Allow => None,
            CreditPolicy::Warn => Some((limit.limit, exposure, false)),
            CreditPolicy::Refuse => {
                plan.refuse_if(!overridden, Reason::CreditLimitExceeded);
                Some((limit.limit, exposure, true))
            }
        }
    }

    pub(super) fn plan_payment(&self, invoice: usize, c: &PlanPayment, today: Day) -> Plan {
        let (mut plan, row) = (Plan::default(), &self.invoices[invoice]);
        plan.refuse_if(
            c.currency.is_some_and(|code| code != row.currency),
            Reason::CurrencyMismatch,
        );
        let open = self.open_now(invoice);
        if open == 0 {
            return plan.and(Reason::NothingLeft);
        }
        let amount = c.amount.unwrap_or(open);
        plan.repeat = row.planned.is_some_and(|p| (p.amount, p.date) == (amount, c.date));
        plan.refuse_if(amount <= 0, Reason::NotPositive);
        plan.refuse_if(amount > open, Reason::OverAllocation);
        plan.refuse_if(c.date < today, Reason::DatedBeforeFact);
        let planned = Planned { amount, remaining: amount, date: c.date };
        plan.facts.push(Fact::Planned(invoice, Some(planned)));
        plan
    }

    pub(super) fn cancel_planned(&self, invoice: usize) -> Plan {
        let mut plan = Plan::default();
        plan.refuse_if(self.invoices[invoice].planned.is_none(), Reason::WrongState);
        plan.facts.push(Fact::Planned(invoice, None));
        plan
    }

    pub(super) fn refund_payment(&self, c: &RefundPayment, today: Day) -> Plan {
        let Some(no) = self.payment_no(&c.payment_id) else {
            return Plan::refused(Reason::UnknownPayment);
        };
        let (mut plan, payment) = (Plan::default(), no.0 as usize);
        let (row, source) = (&self.payments[payment], Source::Payment(no));
        plan.check_text(&c.reference);
        plan.refuse_if(
            c.currency.is_some_and(|code| code != row.currency),
            Reason::CurrencyMismatch,
        );
        plan.refuse_if(c.amount.is_some_and(|amount| amount <= 0), Reason::NotPositive);
        plan.refuse_if(self.reversed(payment, View::ALL) > 0, Reason::WrongState);
        let (there, invoice) = match &c.invoice_id {
            None => (minor(self.unapplied(source, View::ALL)), None),
            Some(id) => match self.invoice_no(id) {
                None => return plan.and(Reason::UnknownInvoice),
                Some(invoice) if !self.is_owed(invoice) => return plan.and(Reason::WrongState),
                Some(invoice) => (self.on_invoice(source, invoice), Some(invoice)),
            },
        };
        plan.refuse_if(there == 0, Reason::NothingLeft);
        let amount = c.amount.unwrap_or(there);
        plan.refuse_if(amount > there, Reason::OverAllocation);
        let off = invoice.map(|invoice| {
            let date = self.undo_date(source, invoice, c.date, today, &mut plan);
            (invoice, date)
        });
        if let Some((invoice, date)) = off {
            plan.facts.push(Fact::Allocation { source, invoice, amount: -amount, date });
        }
        if let Some(date) = c.date {
            let more = if off.is_some() { amount } else { 0 };
            let left = |day| self.unapplied(source, View::as_of(day)) + i128::from(more);
            let early = date < row.date
                || self.days_from(source, date).any(|day| left(day) < amount.into());
            plan.refuse_if(early, Reason::DatedBeforeFact);
        }
        let base = c.date.map_or(When::From(today), When::On);
        plan.facts.push(Fact::Refund { payment, amount, date: base, with_invoice: off.is_some() });
        plan
    }

    /// A day, and every later one on which what is unapplied of a source changes.
    pub(super) fn days_from(&self, source: Source, date: Day) -> impl Iterator<Item = Day> {
        let allocated = self.allocations.iter().filter(move |a| a.source == source);
        let mut days: Vec<Day> = allocated.map(|a| a.date).collect();
        if let Source::Payment(no) = source {
            let own = |payment: usize| payment == no.0 as usize;
            days.extend(self.refunds.iter().filter(|r| own(r.payment)).map(|r| r.date));
            days.extend(self.reversals.iter().filter(|r| own(r.payment)).map(|r| r.date));
        }
        days.retain(|day| *day > date);
        days.push(date);
        days.into_iter()
    }

    /// The first day from which `amount` of a payment can be paid back for good.
    pub(super) fn refundable_from(&self, payment: usize, amount: i64, base: Day) -> Day {
        let no = encours_domain::PaymentNo(u32::try_from(payment).unwrap_or(u32::MAX));
        let source = Source::Payment(no);
        let base = base.max(self.payments[payment].date);
        let mut days: Vec<Day> = self.days_from(source, base).collect();
        days.sort();
        let fits = |day: &Day| self.unapplied(source, View::as_of(*day)) >= i128::from(amount);
        let tight = days.iter().rposition(|day| !fits(day));
        tight.map_or(base, |at| days.get(at + 1).copied().unwrap_or(Day::MAX))
    }

    pub(super) fn stop_reminders(&self, invoice: usize, reason: &str) -> Plan {
        let mut plan = Plan { repeat: self.invoices[invoice].stopped, ..Plan::default() };
        plan.check_text(reason);
        plan.facts.push(Fact::Stopped(invoice));
        plan
    }

    pub(super) fn record_reminder(&self, c: &RecordReminder, today: Day) -> Plan {
        let mut plan = Plan::default();
        plan.refuse_if(!(1..=9).contains(&c.level), Reason::UnknownValue);
        plan.check_text(&c.text);
        let first = match &c.target {
            ReminderTarget::Customer(id) => match self.customer_no(id) {
                None => return plan.and(Reason::UnknownCustomer),
                Some(customer) => {
                    let day = c.date.unwrap_or(today);
                    plan.facts.push(Fact::CustomerReminded(customer, c.level, day));
                    Day::MIN
                }
            },
            ReminderTarget::Invoice(id) => match self.invoice_no(id) {
                None => return plan.and(Reason::UnknownInvoice),
                Some(invoice) if !self.is_owed(invoice) => return plan.and(Reason::WrongState),
                Some(invoice) => {
                    plan.facts.push(Fact::Reminded(invoice, c.level));
                    self.may_be_sent_from(invoice)
                }
            },
        };
        plan.refuse_if(c.date.is_some_and(|date| date < first), Reason::DatedBeforeFact);
        let late = c.date.unwrap_or(today.max(first)) > today;
        plan.refuse_if(late, Reason::WrongState);
        plan
    }
}
