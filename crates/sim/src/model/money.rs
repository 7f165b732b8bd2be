//! The rules for payments and allocations.

use encours_domain::commands::{Allocate, Deallocate, From, Put, RecordPayment, ReversePayment};
use encours_domain::{CreditNoteNo, Currency, Day, Id, PaymentNo, Position, Reason, Source};

use super::View;
use super::facts::{Allocation, Book, Payment, Stage};
use super::plan::{Fact, Plan, When};
use super::status::opening;

pub(super) fn minor(amount: i128) -> i64 {
    i64::try_from(amount).unwrap_or_default()
}

impl Book {
    pub(super) fn open_now(&self, invoice: usize) -> i64 {
        minor(self.open(invoice, View::ALL))
    }

    /// What a source has on an invoice, all facts counted.
    pub(super) fn on_invoice(&self, source: Source, invoice: usize) -> i64 {
        minor(self.allocated(View::ALL, |from, on| from == source && on == invoice))
    }

    pub(super) fn record_payment(&self, c: &RecordPayment, today: Day) -> Plan {
        let mut plan = Plan::default();
        let named: Vec<&Id> = match &c.put {
            Put::Nothing | Put::Auto => vec![],
            Put::Invoice(id) => vec![id],
            Put::Explicit(list) => list.iter().map(|a| &a.invoice_id).collect(),
        };
        let mut invoices = Vec::new();
        for id in named {
            match self.invoice_no(id) {
                Some(no) if !self.is_owed(no) => return Plan::refused(Reason::WrongState),
                Some(no) => invoices.push(no),
                None => return Plan::refused(Reason::UnknownInvoice),
            }
        }
        let customer = match &c.customer_id {
            Some(id) => self.customer_no(id),
            None => match invoices.first() {
                Some(&invoice) => Some(self.invoices[invoice].customer),
                None => return Plan::refused(Reason::MissingField),
            },
        };
        let Some(customer) = customer else {
            return Plan::refused(Reason::UnknownCustomer);
        };
        let Some(id) = c.payment_id.clone() else {
            return Plan::refused(Reason::MissingField);
        };
        let of_invoice = invoices.first().map(|&invoice| self.invoices[invoice].currency);
        let default = of_invoice.or(self.customers[customer].currency).unwrap_or(self.currency);
        let currency = c.currency.unwrap_or(default);
        for &invoice in &invoices {
            let row = &self.invoices[invoice];
            plan.refuse_if(row.customer != customer, Reason::CustomerMismatch);
            plan.refuse_if(row.currency != currency, Reason::CurrencyMismatch);
        }
        let amount = match (c.amount, &c.put, invoices.first()) {
            (Some(amount), _, _) => amount,
            (None, Put::Invoice(_), Some(&invoice)) => {
                plan.refuse_if(self.open_now(invoice) == 0, Reason::NothingLeft);
                self.open_now(invoice)
            }
            _ => {
                plan.refuse(Reason::MissingField);
                0
            }
        };
        plan.refuse_if(amount <= 0, Reason::NotPositive);
        plan.check_text(&c.reference);
        let put = match &c.put {
            Put::Nothing => vec![],
            Put::Invoice(_) => {
                invoices.iter().map(|&no| (no, amount.min(self.open_now(no)))).collect()
            }
            Put::Auto => self.auto(customer, currency, amount, &c.reference),
            Put::Explicit(list) => {
                let put: Vec<_> =
                    invoices.iter().copied().zip(list.iter().map(|a| a.amount)).collect();
                self.check_explicit(&put, amount, &mut plan);
                put
            }
        };
        let date = c.received_on.unwrap_or(today);
        let no = PaymentNo(u32::try_from(self.payments.len()).unwrap_or(u32::MAX));
        let known = Position::START;
        plan.facts.push(Fact::Payment(Payment { id, customer, currency, amount, date, known }));
        for (invoice, amount) in put.into_iter().filter(|(_, amount)| *amount > 0) {
            let (source, date) = (Source::Payment(no), When::From(date));
            plan.facts.push(Fact::Allocation { source, invoice, amount, date });
        }
        plan
    }

    fn check_explicit(&self, put: &[(usize, i64)], amount: i64, plan: &mut Plan) {
        let mut sum = 0_i128;
        for &(invoice, part) in put {
            plan.refuse_if(part <= 0, Reason::NotPositive);
            plan.refuse_if(part > self.open_now(invoice), Reason::OverAllocation);
            sum += i128::from(part);
        }
        plan.refuse_if(sum > i128::from(amount), Reason::OverAllocation);
        // An empty list and an invoice named twice are left open.
        let twice =
            put.iter().any(|(no, _)| put.iter().filter(|(other, _)| other == no).count() > 1);
        plan.silent |= twice || put.is_empty();
    }

    /// What `auto` puts the money on: what the payment names, else an exact amount, else the
    /// oldest due.
    fn auto(
        &self,
        customer: usize,
        currency: Currency,
        amount: i64,
        reference: &str,
    ) -> Vec<(usize, i64)> {
        let mut open: Vec<(usize, i64)> = (0..self.invoices.len())
            .filter(|&no| {
                let row = &self.invoices[no];
                (row.customer, row.currency) == (customer, currency)
            })
            .map(|no| (no, self.open_now(no)))
            .filter(|(_, open)| *open > 0)
            .collect();
        open.sort_by_key(|&(no, _)| (self.invoices[no].due, self.invoices[no].number.clone()));
        let compact: String = reference.chars().filter(|c| *c != ' ').collect();
        let names = |no: usize| {
            let row = &self.invoices[no];
            row.number == reference || row.reference == compact
        };
        // Several may have been given the same reference: then it names them all.
        let mut named = open.iter().copied().filter(|(no, _)| names(*no)).peekable();
        if named.peek().is_some() {
            return spread(amount, named);
        }
        // It may name what is settled: then it is for nothing else.
        let settled = |no: &usize| {
            let row = &self.invoices[*no];
            let owner = (row.customer, row.currency) == (customer, currency);
            owner && names(*no) && matches!(row.stage, Stage::Issued | Stage::Owed)
        };
        if (0..self.invoices.len()).any(|no| settled(&no)) {
            return vec![];
        }
        // Among several of that amount the page names none: the oldest due, then the oldest.
        let exact = open.iter().filter(|(_, left)| *left == amount);
        if let Some(&exact) = exact.min_by_key(|(no, _)| (self.invoices[*no].due, *no)) {
            return vec![exact];
        }
        spread(amount, open.into_iter())
    }

    pub(super) fn allocate(&self, invoice: usize, c: &Allocate, today: Day) -> Plan {
        let mut plan = Plan::default();
        let row = &self.invoices[invoice];
        let other = c.currency.is_some_and(|currency| currency != row.currency);
        plan.refuse_if(other, Reason::CurrencyMismatch);
        let open = self.open_now(invoice);
        plan.refuse_if(open == 0, Reason::NothingLeft);
        if let Some(amount) = c.amount {
            plan.refuse_if(amount <= 0, Reason::NotPositive);
            plan.refuse_if(amount > open, Reason::OverAllocation);
        }
        let sources: Vec<Source> = match &c.from {
            From::Payment(id) => match self.payment_no(id) {
                Some(no) => vec![Source::Payment(no)],
                None => return plan.and(Reason::UnknownPayment),
            },
            From::CreditNote(id) => match self.credit_no(id) {
                Some(no) => vec![Source::CreditNote(no)],
                None => return plan.and(Reason::UnknownCreditNote),
            },
            From::OpeningItem(id) => match self.owing(id) {
                Ok(source) => vec![source],
                Err(reason) => return plan.and(reason),
            },
            From::Anything => self.usable(invoice, |_| true),
            From::CreditNotes => self.usable(invoice, |s| !matches!(s, Source::Payment(_))),
            From::Payments => self.usable(invoice, |s| matches!(s, Source::Payment(_))),
        };
        for source in &sources {
            let (customer, currency) = self.owner(*source);
            plan.refuse_if(customer != row.customer, Reason::CustomerMismatch);
            plan.refuse_if(currency != row.currency, Reason::CurrencyMismatch);
        }
        let free = |source: Source| minor(self.unapplied(source, View::ALL));
        let available: i64 = sources.iter().map(|source| free(*source)).sum();
        plan.refuse_if(available == 0, Reason::NothingLeft);
        let mut rest = c.amount.unwrap_or_else(|| open.min(available));
        plan.refuse_if(c.amount.is_some_and(|amount| amount > available), Reason::OverAllocation);
        for source in sources {
            let amount = free(source).min(rest);
            rest -= amount;
            if amount > 0 {
                let date = When::From(c.date.unwrap_or(today));
                plan.facts.push(Fact::Allocation { source, invoice, amount, date });
            }
        }
        plan
    }

    /// Credits, then payments, oldest first, of the customer and currency of an invoice.
    fn usable(&self, invoice: usize, wanted: impl Fn(Source) -> bool) -> Vec<Source> {
        let owner = (self.invoices[invoice].customer, self.invoices[invoice].currency);
        let mut sources: Vec<Source> = self
            .sources()
            .into_iter()
            .filter(|s| wanted(*s) && self.owner(*s) == owner)
            .filter(|s| self.unapplied(*s, View::ALL) > 0)
            .collect();
        sources.sort_by_key(|s| (matches!(s, Source::Payment(_)), self.source_date(*s), *s));
        sources
    }

    /// The first day from `base` and both documents' dates on, from which both sides have room for
    /// `amount`, that day and ever after: what was there for a time keeps its place in the past.
    pub(super) fn room(&self, source: Source, invoice: usize, amount: i64, base: Day) -> Day {
        let base = base.max(self.invoices[invoice].date).max(self.source_date(source));
        let touches = |a: &&Allocation| a.source == source || a.invoice == invoice;
        let mut days: Vec<Day> = self.allocations.iter().filter(touches).map(|a| a.date).collect();
        days.extend(self.reversals.iter().map(|r| r.date));
        days.extend(self.refunds.iter().map(|r| r.date));
        days.extend(self.corrections.iter().map(|c| c.date));
        days.retain(|day| *day > base);
        days.push(base);
        days.sort();
        let fits = |day: &Day| {
            let (view, amount) = (View::as_of(*day), i128::from(amount));
            self.open(invoice, view) >= amount && self.unapplied(source, view) >= amount
        };
        let tight = days.iter().rposition(|day| !fits(day));
        tight.map_or(base, |at| days.get(at + 1).copied().unwrap_or(Day::MAX))
    }

    /// The date on which a source comes off an invoice.
    pub(super) fn undo_date(
        &self,
        source: Source,
        invoice: usize,
        date: Option<Day>,
        today: Day,
        plan: &mut Plan,
    ) -> When {
        let dates = || {
            let same =
                self.allocations.iter().filter(|a| (a.source, a.invoice) == (source, invoice));
            same.map(|a| a.date)
        };
        let (first, last) = (dates().min().unwrap_or(today), dates().max().unwrap_or(today));
        match date {
            Some(date) => {
                plan.refuse_if(date < first, Reason::DatedBeforeFact);
                plan.doubt_if(date < last, Reason::DatedBeforeFact);
                When::On(date)
            }
            None if today >= last => When::On(today),
            None => When::Between(today.max(first), last),
        }
    }

    pub(super) fn deallocate(&self, invoice: usize, c: &Deallocate, today: Day) -> Plan {
        let mut plan = Plan::default();
        let other = c.currency.is_some_and(|code| code != self.invoices[invoice].currency);
        plan.refuse_if(other, Reason::CurrencyMismatch);
        let source = match (&c.payment_id, &c.credit_note_id, &c.opening_item_id) {
            (None, None, None) => return plan.and(Reason::MissingField),
            (Some(id), None, None) => match self.payment_no(id) {
                Some(no) => Source::Payment(no),
                None => return plan.and(Reason::UnknownPayment),
            },
            (None, Some(id), None) => match self.credit_no(id) {
                Some(no) => Source::CreditNote(no),
                None => return plan.and(Reason::UnknownCreditNote),
            },
            (None, None, Some(id)) => match self.owing(id) {
                Ok(source) => source,
                Err(reason) => return plan.and(reason),
            },
            _ => return plan.and(Reason::ConflictingFields),
        };
        let there = self.on_invoice(source, invoice);
        plan.refuse_if(there == 0, Reason::NothingLeft);
        let amount = c.amount.unwrap_or(there);
        plan.refuse_if(amount <= 0, Reason::NotPositive);
        plan.refuse_if(amount > there, Reason::OverAllocation);
        let date = self.undo_date(source, invoice, c.date, today, &mut plan);
        plan.facts.push(Fact::Allocation { source, invoice, amount: -amount, date });
        plan
    }

    pub(super) fn reverse_payment(&self, c: &ReversePayment, today: Day) -> Plan {
        let mut plan = Plan::default();
        let Some(no) = self.payment_no(&c.payment_id) else {
            return Plan::refused(Reason::UnknownPayment);
        };
        let (payment, source) = (no.0 as usize, Source::Payment(no));
        let row = &self.payments[payment];
        let gone = self.reversed(payment, View::ALL) + self.refunded(payment, View::ALL);
        let amount = row.amount - minor(gone);
        plan.refuse_if(amount == 0, Reason::NothingLeft);
        plan.refuse_if(self.reversed(payment, View::ALL) > 0, Reason::WrongState);
        plan.refuse_if(c.date.is_some_and(|date| date < row.date), Reason::DatedBeforeFact);
        let (mut first, mut last) = (today.max(row.date), today.max(row.date));
        let mut undone = Vec::new();
        for invoice in 0..self.invoices.len() {
            let there = self.on_invoice(source, invoice);
            if there != 0 {
                match self.undo_date(source, invoice, c.date, today, &mut plan) {
                    When::On(_) | When::From(_) => {}
                    When::Between(from, to) => (first, last) = (first.max(from), last.max(to)),
                }
                undone.push((invoice, -there));
            }
        }
        // Allocations made and undone at later dates would leave less than nothing in between.
        let later = self.allocations.iter().filter(|a| a.source == source && a.amount < 0);
        let refunded = self.refunds.iter().filter(|r| r.payment == payment).map(|r| r.date);
        let later = later.map(|a| a.date).chain(refunded).max();
        let early = c.date.is_some_and(|date| later.is_some_and(|later| date < later));
        plan.doubt_if(early, Reason::DatedBeforeFact);
        last = last.max(later.unwrap_or(last));
        let date = c.date.map_or(When::Between(first, last), When::On);
        for (invoice, amount) in undone {
            plan.facts.push(Fact::Allocation { source, invoice, amount, date });
        }
        plan.facts.push(Fact::Reversal { payment, amount, date });
        plan
    }

    pub(super) fn payment_no(&self, id: &Id) -> Option<PaymentNo> {
        let at = self.payments.iter().position(|p| &p.id == id)?;
        u32::try_from(at).ok().map(PaymentNo)
    }

    /// The credit in an opening item owing to the customer.
    fn owing(&self, id: &Id) -> Result<Source, Reason> {
        match self.invoice_no(id) {
            None => Err(Reason::UnknownInvoice),
            Some(no) if self.invoices[no].stage == Stage::Owing => Ok(opening(no)),
            Some(_) => Err(Reason::WrongState),
        }
    }

    pub(super) fn credit_no(&self, id: &Id) -> Option<CreditNoteNo> {
        let at = self.credits.iter().position(|c| &c.id == id)?;
        u32::try_from(at).ok().map(CreditNoteNo)
    }
}

/// What of an amount falls to each, in this order, none getting more than is open on it.
fn spread(amount: i64, on: impl Iterator<Item = (usize, i64)>) -> Vec<(usize, i64)> {
    let mut rest = amount;
    let part = |(no, left): (usize, i64)| {
        let part = left.min(rest);
        rest -= part;
        (no, part)
    };
    on.map(part).collect()
}
