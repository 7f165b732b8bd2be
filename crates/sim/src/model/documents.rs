//! The rules for invoices and credit notes.

use std::collections::BTreeMap;

use encours_domain::commands::{CancelInvoice, CreditUse, IssueCreditNote, IssueInvoice};
use encours_domain::limits::{MAX_LINES, MAX_METADATA};
use encours_domain::terms::{Due, Terms};
use encours_domain::{CreditNoteNo, Currency, Day, Reason, Source};

use super::facts::{Book, Invoice, Stage};
use super::money::minor;
use super::plan::{Fact, Plan, When};
use super::{View, numbers};

impl Book {
    pub(super) fn issue_invoice(&self, c: &IssueInvoice, today: Day) -> Plan {
        self.issue(c, self.invoices.len(), today)
    }

    /// Issues an invoice under this number, which a draft may have had.
    pub(super) fn issue(&self, c: &IssueInvoice, no: usize, today: Day) -> Plan {
        let mut plan = Plan::default();
        let Some(id) = c.invoice_id.clone() else {
            return Plan::refused(Reason::MissingField);
        };
        let Some(customer) = self.customer_no(&c.customer_id) else {
            return Plan::refused(Reason::UnknownCustomer);
        };
        let row = &self.customers[customer];
        let currency = c.currency.or(row.currency).unwrap_or(self.currency);
        let total = self.check_content(c, currency, &mut plan);
        let date = c.issue_date.unwrap_or(today);
        let allotted = self.invoices.iter().filter(|i| i.allotted).map(|i| i.date);
        if c.number.is_none() {
            let last = allotted.clone().chain(self.passed()).max();
            let early = last.is_some_and(|last| date < last);
            plan.refuse_if(early || date > today, Reason::IssueDateOrder);
        }
        let (due, grace) = match c.due {
            Some(Due::Date(due)) => {
                plan.refuse_if(due < date, Reason::DueBeforeIssue);
                (due, 0)
            }
            Some(Due::Terms(terms)) => due_by(terms, date, &mut plan),
            None => due_by(row.terms.unwrap_or(self.terms), date, &mut plan),
        };
        plan.refuse_if(due.plus(grace + 1).is_none(), Reason::InvalidDate);
        let next = numbers::next(&self.invoice_pattern, date, allotted);
        let taken = self.taken_numbers();
        let number = check_number(c.number.as_deref(), &taken, &self.invoice_pattern, &mut plan);
        let number = number.unwrap_or(next);
        let reference = self.reference_of(c.reference.as_deref(), &number, &mut plan);
        let (owner, overridden) = ((customer, currency), c.override_credit_limit);
        let told = self.weigh(owner, total, overridden, &mut plan);
        let overdue_from = due.plus(grace + 1).unwrap_or(Day::MAX);
        let issued = Invoice {
            id,
            number,
            allotted: c.number.is_none(),
            customer,
            currency,
            stage: Stage::Issued,
            total,
            paid: 0,
            claim: total,
            volume: total,
            date,
            due,
            overdue_from,
            first_due: (due, overdue_from),
            reference,
            planned: None,
            over_limit: told.map_or(0, |(limit, exposure, _)| exposure - limit),
            level: 0,
            stopped: false,
            known: encours_domain::Position::START,
        };
        plan.facts.push(match self.invoices.get(no) {
            None => Fact::Invoice(issued),
            Some(_) => Fact::Replaced(no, issued),
        });
        plan.facts.push(Fact::Exceeded(no, told));
        plan
    }

    /// The days after the years that old documents with numbers of the series' form are of.
    fn passed(&self) -> impl Iterator<Item = Day> {
        let old = self.invoices.iter().filter(|i| matches!(i.stage, Stage::Owed | Stage::Owing));
        let years = old.filter_map(|item| numbers::year(&self.invoice_pattern, &item.number));
        years.filter_map(|year| Day::from_ymd(year + 1, 1, 1))
    }

    /// The numbers that no document may have again.
    pub(super) fn taken_numbers(&self) -> Vec<&str> {
        let drafts = |row: &&Invoice| matches!(row.stage, Stage::Draft(_) | Stage::Deleted);
        self.invoices.iter().filter(|row| !drafts(row)).map(|row| row.number.as_str()).collect()
    }

    /// The reference as given, or made of the number.
    pub(super) fn reference_of(
        &self,
        given: Option<&str>,
        number: &str,
        plan: &mut Plan,
    ) -> String {
        match given {
            None => numbers::reference(number),
            Some(given) => numbers::given_reference(given).unwrap_or_else(|| {
                plan.refuse(Reason::InvalidReference);
                String::new()
            }),
        }
    }

    /// Texts, lines, taxes and total; gives the total.
    pub(super) fn check_content(
        &self,
        c: &IssueInvoice,
        currency: Currency,
        plan: &mut Plan,
    ) -> i64 {
        plan.check_text(&c.text);
        plan.check_text(&c.purchase_order);
        let too_many = c.lines.len() > MAX_LINES || c.metadata.len() > MAX_METADATA;
        plan.refuse_if(too_many, Reason::TooLarge);
        plan.refuse_if(c.total.is_some_and(|total| total < 0), Reason::NotPositive);
        if c.lines.is_empty() {
            plan.refuse_if(c.total.is_none(), Reason::MissingField);
            return c.total.unwrap_or_default();
        }
        let mut bases: BTreeMap<u32, i128> = BTreeMap::new();
        for line in &c.lines {
            let amount = match (line.amount, line.quantity, line.unit_price) {
                (Some(amount), _, _) => i128::from(amount),
                (None, Some(quantity), Some(price)) => {
                    let scale = quantity.scale() + price.scale();
                    let minor = 10_i128.pow(currency.digits());
                    let exact = quantity.mantissa() * price.mantissa() * minor;
                    divide_half_up(exact, 10_i128.pow(scale))
                }
                _ => {
                    plan.refuse(Reason::MissingField);
                    0
                }
            };
            *bases.entry(line.rate.0).or_default() += amount;
        }
        let tax = |(rate, base): (&u32, &i128)| divide_half_up(base * i128::from(*rate), 100_000);
        let sum: i128 = bases.values().sum::<i128>() + bases.iter().map(tax).sum::<i128>();
        let wrong = c.total.is_some_and(|total| i128::from(total) != sum);
        plan.refuse_if(wrong, Reason::TotalMismatch);
        plan.refuse_if(sum < 0, Reason::NotPositive);
        // Explicit taxes are for the rules of the crate itself.
        plan.silent |= !c.taxes.is_empty();
        i64::try_from(sum).unwrap_or_else(|_| {
            plan.refuse(Reason::AmountOverflow);
            0
        })
    }

    pub(super) fn issue_credit_note(
        &self,
        invoice: usize,
        c: &IssueCreditNote,
        today: Day,
    ) -> Plan {
        let mut plan = Plan::default();
        let other = c.currency.is_some_and(|code| code != self.invoices[invoice].currency);
        plan.refuse_if(other, Reason::CurrencyMismatch);
        let date = c.issue_date.unwrap_or(today.max(self.invoices[invoice].date));
        let creditable = self.creditable(invoice);
        if creditable == 0 {
            plan.refuse(Reason::NothingLeft);
            plan.refuse(Reason::OverCredit);
        }
        let amount = c.amount.unwrap_or(creditable);
        plan.refuse_if(amount <= 0, Reason::NotPositive);
        plan.refuse_if(amount > creditable, Reason::OverCredit);
        let open = self.open_now(invoice);
        let offset = match c.usage {
            CreditUse::Keep => 0,
            CreditUse::OffsetThenKeep => amount.min(open),
            CreditUse::Offset(offset) => {
                plan.refuse_if(offset < 0, Reason::NotPositive);
                plan.silent |= offset == 0;
                plan.refuse_if(offset > open || offset > amount, Reason::OverCredit);
                offset
            }
        };
        self.check_credit_number(c.number.as_deref(), date, today, &mut plan);
        plan.check_text(&c.reason);
        plan.refuse_if(date < self.invoices[invoice].date, Reason::DatedBeforeFact);
        self.push_credit(
            &mut plan,
            c.credit_note_id.clone(),
            c.number.clone(),
            invoice,
            amount,
            date,
        );
        self.push_offset(&mut plan, invoice, offset, date);
        plan
    }

    pub(super) fn cancel_invoice(&self, invoice: usize, c: &CancelInvoice, today: Day) -> Plan {
        let mut plan = Plan::default();
        let date = c.date.unwrap_or(today.max(self.invoices[invoice].date));
        let amount = self.creditable(invoice);
        let kept: Vec<(Source, i64)> = self
            .sources()
            .into_iter()
            .filter(|source| self.own_credit(*source, invoice))
            .map(|source| (source, minor(self.unapplied(source, View::ALL))))
            .filter(|(_, left)| *left > 0)
            .collect();
        if amount == 0 && kept.is_empty() {
            plan.refuse(Reason::NothingLeft);
            plan.refuse(Reason::WrongState);
        }
        if amount > 0 {
            self.check_credit_number(c.number.as_deref(), date, today, &mut plan);
        }
        plan.check_text(&c.reason);
        let early = date < self.invoices[invoice].date;
        plan.refuse_if(early && amount > 0, Reason::DatedBeforeFact);
        plan.silent |= amount == 0;
        let (mut came_off, mut open) = (Vec::new(), self.open_now(invoice));
        let own = |source: &Source| self.own_credit(*source, invoice);
        for source in self.sources().into_iter().filter(|source| !own(source)) {
            let there = self.on_invoice(source, invoice);
            if there == 0 {
                continue;
            }
            let money = matches!(source, Source::Payment(_));
            plan.refuse_if(money && !c.keep_unapplied, Reason::MoneyAllocated);
            let when = self.undo_date(source, invoice, c.date, today, &mut plan);
            came_off.push(Fact::Allocation { source, invoice, amount: -there, date: when });
            open += there;
        }
        if amount > 0 {
            let (id, number) = (c.credit_note_id.clone(), c.number.clone());
            self.push_credit(&mut plan, id, number, invoice, amount, date);
        }
        plan.facts.extend(came_off);
        // Credits of this invoice that were kept close it too; one that was used elsewhere stands
        // in the way.
        self.push_offset(&mut plan, invoice, amount, date);
        let mut closed = amount;
        for (source, amount) in kept {
            plan.facts.push(Fact::Allocation { source, invoice, amount, date: When::From(date) });
            closed += amount;
        }
        plan.refuse_if(closed < open, Reason::WrongState);
        plan
    }

    fn check_credit_number(&self, number: Option<&str>, date: Day, today: Day, plan: &mut Plan) {
        if number.is_none() {
            let last = self.credits.iter().filter(|c| c.allotted).map(|c| c.date).max();
            let early = last.is_some_and(|last| date < last);
            plan.refuse_if(early || date > today, Reason::IssueDateOrder);
        }
        let taken: Vec<&str> = self.credits.iter().map(|c| c.number.as_str()).collect();
        check_number(number, &taken, &self.credit_pattern, plan);
    }

    fn push_credit(
        &self,
        plan: &mut Plan,
        id: Option<encours_domain::Id>,
        number: Option<String>,
        invoice: usize,
        amount: i64,
        date: Day,
    ) {
        match id {
            None => plan.refuse(Reason::MissingField),
            Some(id) => plan.facts.push(Fact::Credit { id, number, invoice, amount, date }),
        }
    }

    /// The credit note about to exist settles `amount` of its invoice.
    fn push_offset(&self, plan: &mut Plan, invoice: usize, amount: i64, date: Day) {
        if amount > 0 {
            let number = u32::try_from(self.credits.len()).unwrap_or(u32::MAX);
            plan.facts.push(Fact::Allocation {
                source: Source::CreditNote(CreditNoteNo(number)),
                invoice,
                amount,
                date: When::From(date),
            });
        }
    }

    fn creditable(&self, invoice: usize) -> i64 {
        let left = i128::from(self.invoices[invoice].total) - self.credit_noted(invoice, View::ALL);
        i64::try_from(left).unwrap_or_default()
    }
}

fn due_by(terms: Terms, date: Day, plan: &mut Plan) -> (Day, i32) {
    plan.check_terms(Some(terms));
    let (days, grace) = match terms {
        Terms::NetDays { days, grace_days } => (i32::from(days), i32::from(grace_days)),
        Terms::OnReceipt => (0, 3),
    };
    (date.plus(days).unwrap_or(Day::MAX), grace)
}

pub(super) fn check_number(
    given: Option<&str>,
    taken: &[&str],
    pattern: &str,
    plan: &mut Plan,
) -> Option<String> {
    let number = given?;
    plan.refuse_if(taken.contains(&number), Reason::NumberExists);
    plan.refuse_if(numbers::has_form(pattern, number), Reason::NumberReserved);
    Some(number.to_owned())
}

/// `value / by`, halves away from zero.
fn divide_half_up(value: i128, by: i128) -> i128 {
    let (whole, rest) = (value / by, value % by);
    if rest.abs() * 2 >= by { whole + value.signum() } else { whole }
}
