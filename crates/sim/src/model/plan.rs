//! What a command would do by the rules: the reasons to refuse it, or the facts it makes.

use std::collections::BTreeSet;

use encours_domain::commands::{Command, CreateCustomer, CreateLedger, Time, UpdateCustomer};
use encours_domain::limits::MAX_TEXT_BYTES;
use encours_domain::terms::Terms;
use encours_domain::{Day, Id, Reason, Source};

use super::Model;
use super::facts::{Book, Customer, Invoice, Limit, Planned, Stage};

/// The outcome of the rules for one command.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Rules that the command breaks; any of them may be named.
    pub refusals: BTreeSet<Reason>,
    /// The page is silent: refusing it is fine, accepting it makes these facts.
    pub silent: bool,
    /// Reasons that may be named in place of a rule that is broken: with them alone the page is silent.
    pub doubts: BTreeSet<Reason>,
    /// It is done already: nothing changes, where no rule is broken.
    pub repeat: bool,
    /// The ledger, by place in the model.
    pub book: usize,
    /// What it makes a fact.
    pub facts: Vec<Fact>,
}

/// Something that an accepted command adds.
#[derive(Clone, Debug)]
pub(super) enum Fact {
    Ledger(Box<Book>, Option<super::facts::Clock>),
    Target(usize, Day),
    Customer(Customer),
    CustomerDefaults(usize, Option<encours_domain::Currency>, Option<Terms>),
    Invoice(Invoice),
    Replaced(usize, Invoice),
    Deleted(usize),
    /// Limit, exposure, and whether it was overridden; where nothing is to be told, `None`.
    Exceeded(usize, Option<(i64, i64, bool)>),
    Corrected {
        invoice: usize,
        amount: i64,
        paid: i64,
        due: Day,
        more: i64,
        date: Day,
    },
    Limit(usize, encours_domain::Currency, Option<Limit>),
    Planned(usize, Option<Planned>),
    Refund {
        payment: usize,
        amount: i64,
        date: When,
        with_invoice: bool,
    },
    Stopped(usize),
    Reminded(usize, u8),
    CustomerReminded(usize, u8, Day),
    Credit {
        id: Id,
        number: Option<String>,
        invoice: usize,
        amount: i64,
        date: Day,
    },
    Payment(super::facts::Payment),
    Allocation {
        source: Source,
        invoice: usize,
        amount: i64,
        date: When,
    },
    Reversal {
        payment: usize,
        amount: i64,
        date: When,
    },
    Sent(usize, Day),
    Disputed(usize, Day),
    Resolved(usize, Day),
}

/// The date of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// On this day.
    On(Day),
    /// From this day, both documents' dates, and the day on which there is room for it for good.
    From(Day),
    /// The page leaves it open which of several allocations is undone first: learnt from the event.
    Between(Day, Day),
}

impl Plan {
    pub(super) fn refused(reason: Reason) -> Self {
        let mut plan = Self::default();
        plan.refuse(reason);
        plan
    }

    /// The plan with one more reason against it.
    pub(super) fn and(mut self, reason: Reason) -> Self {
        self.refuse(reason);
        self
    }

    pub(super) fn refuse(&mut self, reason: Reason) {
        self.refusals.insert(reason);
    }

    pub(super) fn refuse_if(&mut self, broken: bool, reason: Reason) {
        if broken {
            self.refuse(reason);
        }
    }

    /// The page leaves it open whether this reason counts.
    pub(super) fn doubt_if(&mut self, doubtful: bool, reason: Reason) {
        if doubtful {
            self.silent = true;
            self.doubts.insert(reason);
        }
    }

    pub(super) fn check_text(&mut self, text: &str) {
        self.refuse_if(text.len() > MAX_TEXT_BYTES, Reason::TooLarge);
        let wrong = |c: char| c.is_control() && !"\n\t".contains(c);
        self.refuse_if(text.contains(wrong), Reason::InvalidText);
    }

    pub(super) fn check_terms(&mut self, terms: Option<Terms>) {
        if let Some(Terms::NetDays { days, grace_days }) = terms {
            self.refuse_if(days > 366 || grace_days > 90, Reason::InvalidTerms);
        }
    }
}

impl Model {
    /// What `command` would do now, were its id new.
    pub(super) fn plan(&self, command: &Command) -> Plan {
        let book = match command {
            Command::CreateLedger(c) => return self.create_ledger(c),
            // What the commands about time emit is audited, not planned.
            Command::OpenDay(c) => return self.open_day(c.clock, c.day),
            Command::RunDay(c) => return self.run_day(c.clock, c.day),
            other => other.ledger_id().and_then(|id| self.book_no(id)),
        };
        let Some(book) = book else {
            return Plan::refused(Reason::UnknownLedger);
        };
        let (rules, today) = (&self.books[book], self.today(book));
        let mut plan = match command {
            Command::CreateLedger(_) | Command::OpenDay(_) | Command::RunDay(_) => Plan::default(),
            Command::AdvanceClock(c) => self.advance_clock(book, c.to),
            Command::CreateCustomer(c) => create_customer(c),
            Command::UpdateCustomer(c) => rules.update_customer(c),
            Command::SetCreditLimit(c) => rules.set_credit_limit(c),
            Command::IssueInvoice(c) => rules.issue_invoice(c, today),
            Command::CreateDraft(c) => rules.create_draft(&c.invoice),
            Command::UpdateDraft(c) => rules.update_draft(&c.invoice),
            Command::DeleteDraft(c) => rules.any(&c.invoice_id, |no| rules.delete_draft(no)),
            Command::IssueDraft(c) => {
                rules.any(&c.invoice_id, |no| rules.issue_draft(no, c, today))
            }
            Command::AddOpeningItem(c) => rules.add_opening_item(c, today),
            Command::CorrectOpeningItem(c) => {
                rules.any(&c.invoice_id, |no| rules.correct_opening_item(no, c, today))
            }
            Command::RecordPayment(c) => rules.record_payment(c, today),
            Command::ReversePayment(c) => rules.reverse_payment(c, today),
            Command::RefundPayment(c) => rules.refund_payment(c, today),
            Command::RecordReminder(c) => rules.record_reminder(c, today),
            other => rules.about_invoice(other, today),
        };
        plan.book = book;
        plan
    }

    fn create_ledger(&self, c: &CreateLedger) -> Plan {
        let mut plan = Plan { book: self.books.len(), ..Plan::default() };
        let Some(id) = c.ledger_id.clone() else {
            return Plan::refused(Reason::MissingField);
        };
        plan.check_terms(c.terms);
        plan.check_text(&c.name);
        let patterns = [&c.invoice_pattern, &c.credit_note_pattern];
        let wrong = patterns.into_iter().flatten().any(|text| !super::numbers::is_pattern(text));
        plan.refuse_if(wrong, Reason::InvalidPattern);
        if let Time::Test { clock_id: Some(id), .. } = &c.time {
            plan.refuse_if(id.as_str().starts_with("system:"), Reason::InvalidId);
        }
        plan.refuse_if(!super::ZONES.contains(&c.time_zone.as_str()), Reason::InvalidTimeZone);
        let (clock_id, start) = match &c.time {
            Time::System => (format!("system:{}", c.time_zone), Some(self.zone_day)),
            Time::Test { clock_id, start } => {
                (clock_id.as_ref().unwrap_or(&id).to_string(), *start)
            }
        };
        let test = matches!(c.time, Time::Test { .. });
        let found = self.clocks.iter().position(|clock| clock.id == clock_id);
        let mut new_clock = None;
        match found {
            Some(at) => {
                let clock = &self.clocks[at];
                let same_start = !test || start.is_none_or(|day| day == clock.today);
                // Which rule names it is left open.
                plan.silent |= clock.zone != c.time_zone || !same_start;
            }
            None => match start {
                None => plan.silent = true,
                Some(day) => {
                    new_clock = Some(super::facts::Clock {
                        id: clock_id,
                        test,
                        zone: c.time_zone.clone(),
                        today: day,
                        finished: day,
                        target: day,
                        outage: false,
                        late: None,
                    });
                }
            },
        }
        let book = new_book(c, id, found.unwrap_or(self.clocks.len()));
        plan.facts.push(Fact::Ledger(Box::new(book), new_clock));
        plan
    }
}

/// The book that a command opens, with what it leaves out filled in.
fn new_book(c: &CreateLedger, id: Id, clock: usize) -> Book {
    let pattern =
        |given: &Option<String>, default: &str| given.clone().unwrap_or_else(|| default.to_owned());
    Book {
        id,
        clock,
        currency: c.currency,
        terms: c.terms.unwrap_or(Terms::NetDays { days: 30, grace_days: 0 }),
        invoice_pattern: pattern(&c.invoice_pattern, "INV-{year}-{seq:5}"),
        credit_pattern: pattern(&c.credit_note_pattern, "CN-{year}-{seq:5}"),
        customers: vec![],
        invoices: vec![],
        credits: vec![],
        payments: vec![],
        allocations: vec![],
        reversals: vec![],
        sent: vec![],
        disputes: vec![],
        resolutions: vec![],
        calendar: c.calendar,
        reminders: c.reminders,
        corrections: vec![],
        refunds: vec![],
        limits: vec![],
        steps: vec![],
    }
}

fn create_customer(c: &CreateCustomer) -> Plan {
    let mut plan = Plan::default();
    let Some(id) = c.customer_id.clone() else {
        return Plan::refused(Reason::MissingField);
    };
    match &c.details.name {
        Some(name) if !name.trim().is_empty() => plan.check_text(name),
        _ => plan.refuse(Reason::MissingField),
    }
    plan.check_text(c.details.note.as_deref().unwrap_or_default());
    plan.check_terms(c.terms);
    plan.facts.push(Fact::Customer(Customer {
        id,
        currency: c.currency,
        terms: c.terms,
        reminded: None,
    }));
    plan
}

impl Book {
    fn update_customer(&self, c: &UpdateCustomer) -> Plan {
        let Some(customer) = self.customer_no(&c.customer_id) else {
            return Plan::refused(Reason::UnknownCustomer);
        };
        let mut plan = Plan::default();
        let d = &c.details;
        let changes = c.currency.is_some()
            || c.terms.is_some()
            || d.name.is_some()
            || d.address.is_some()
            || d.contacts.is_some()
            || d.note.is_some();
        plan.silent = !changes;
        plan.check_terms(c.terms);
        if let Some(name) = &d.name {
            plan.refuse_if(name.trim().is_empty(), Reason::MissingField);
            plan.check_text(name);
        }
        plan.check_text(d.note.as_deref().unwrap_or_default());
        plan.facts.push(Fact::CustomerDefaults(customer, c.currency, c.terms));
        plan
    }

    fn about_invoice(&self, command: &Command, today: Day) -> Plan {
        match command {
            Command::MarkSent(c) => {
                self.owed(&c.invoice_id, |no| self.mark_sent(no, c.date, today))
            }
            Command::DisputeInvoice(c) => {
                self.owed(&c.invoice_id, |no| self.dispute(no, c.date, today, &c.reason))
            }
            Command::ResolveDispute(c) => {
                self.owed(&c.invoice_id, |no| self.resolve(no, c.date, today))
            }
            Command::CancelInvoice(c) => {
                self.credited(&c.invoice_id, |no| self.cancel_invoice(no, c, today))
            }
            Command::IssueCreditNote(c) => {
                self.credited(&c.invoice_id, |no| self.issue_credit_note(no, c, today))
            }
            Command::Allocate(c) => self.owed(&c.invoice_id, |no| self.allocate(no, c, today)),
            Command::Deallocate(c) => self.owed(&c.invoice_id, |no| self.deallocate(no, c, today)),
            Command::PlanPayment(c) => {
                self.owed(&c.invoice_id, |no| self.plan_payment(no, c, today))
            }
            Command::CancelPlannedPayment(c) => {
                self.owed(&c.invoice_id, |no| self.cancel_planned(no))
            }
            Command::StopReminders(c) => {
                self.owed(&c.invoice_id, |no| self.stop_reminders(no, &c.reason))
            }
            other => unreachable!("{} is not about an invoice", other.name()),
        }
    }

    fn any(&self, invoice: &Id, rules: impl FnOnce(usize) -> Plan) -> Plan {
        self.invoice_no(invoice).map_or_else(|| Plan::refused(Reason::UnknownInvoice), rules)
    }

    /// About what can be sent and paid.
    fn owed(&self, invoice: &Id, rules: impl FnOnce(usize) -> Plan) -> Plan {
        self.any(invoice, |no| {
            if self.is_owed(no) { rules(no) } else { Plan::refused(Reason::WrongState) }
        })
    }

    /// About what can be credited: no opening item.
    fn credited(&self, invoice: &Id, rules: impl FnOnce(usize) -> Plan) -> Plan {
        self.any(invoice, |no| match self.invoices[no].stage {
            Stage::Issued => rules(no),
            _ => Plan::refused(Reason::WrongState),
        })
    }

    /// An opening item was issued elsewhere, so that it may have been sent at any time.
    pub(super) fn may_be_sent_from(&self, invoice: usize) -> Day {
        let row = &self.invoices[invoice];
        if row.stage == Stage::Issued { row.date } else { Day::MIN }
    }

    fn mark_sent(&self, invoice: usize, date: Option<Day>, today: Day) -> Plan {
        // The first one stands: noting the same again is left open, one before it is none.
        let of_invoice = self.sent.iter().filter(|s| s.invoice == invoice).map(|s| s.date);
        let first = of_invoice.min().unwrap_or(self.may_be_sent_from(invoice));
        let silent = self.sent.iter().any(|s| s.invoice == invoice);
        let day = date.unwrap_or(today.max(first));
        let mut plan = Plan { silent, facts: vec![Fact::Sent(invoice, day)], ..Plan::default() };
        plan.refuse_if(day < first, Reason::DatedBeforeFact);
        plan
    }

    fn dispute(&self, invoice: usize, date: Option<Day>, today: Day, reason: &str) -> Plan {
        let mut plan = Plan::default();
        let all = super::View::ALL;
        plan.refuse_if(self.disputed(invoice, all), Reason::WrongState);
        plan.check_text(reason);
        let resolved = self.resolutions.iter().filter(|r| r.invoice == invoice).map(|r| r.date);
        let last = resolved.chain([self.invoices[invoice].date]).max().unwrap_or(today);
        plan.refuse_if(date.is_some_and(|date| date < last), Reason::DatedBeforeFact);
        plan.silent = self.open(invoice, all) == 0;
        plan.refuse_if(plan.silent && !plan.refusals.is_empty(), Reason::WrongState);
        plan.facts.push(Fact::Disputed(invoice, date.unwrap_or(today.max(last))));
        plan
    }

    fn resolve(&self, invoice: usize, date: Option<Day>, today: Day) -> Plan {
        let mut plan = Plan::default();
        plan.refuse_if(!self.disputed(invoice, super::View::ALL), Reason::WrongState);
        let since = self.disputes.iter().rev().find(|d| d.invoice == invoice).map(|d| d.date);
        let since = since.unwrap_or(today);
        plan.refuse_if(date.is_some_and(|date| date < since), Reason::DatedBeforeFact);
        plan.facts.push(Fact::Resolved(invoice, date.unwrap_or(today.max(since))));
        plan
    }
}
