//! The reference model: what the ledgers should look like, worked out the slow way.
//!
//! Written from the reference of behaviour alone. It shares the types of commands, events and
//! refusals with `encours-domain`, and none of its code: it keeps plain lists of facts and computes
//! every figure from all of them whenever it is asked. Where the reference is silent, the model
//! says so ([`Verdict::Silent`]) and follows what was decided.

mod agreements;
mod audit;
mod days;
mod documents;
mod drafts;
mod dunning;
mod facts;
mod figures;
mod money;
mod numbers;
mod openings;
mod plan;
mod record;
mod reminders;
mod status;

use std::collections::{BTreeMap, BTreeSet};

use encours_domain::commands::Command;
use encours_domain::limits::MAX_VOLUME;
use encours_domain::{Currency, Day, Id, Reason};

pub use audit::Audit;
pub use facts::{
    Allocation, Book, Clock, Correction, Credit, Customer, Dated, Invoice, Limit, Payment, Planned,
    Refund, Reversal, Stage, StepOut,
};
pub use figures::{Figures, View};
pub(crate) use numbers::reference;
use plan::{Fact, Plan};
pub use status::status_of;

/// The time zones that exist, as far as tests go.
pub const ZONES: [&str; 2] = ["UTC", "Europe/Paris"];

/// What the rules say about a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It must be accepted.
    Accept,
    /// It must be refused, for one of these reasons.
    Refuse(BTreeSet<Reason>),
    /// It was done before, and must change nothing.
    Repeat,
    /// The reference is silent: it may be refused, repeated or accepted.
    Silent,
}

/// All facts of a log.
#[derive(Clone, Debug)]
pub struct Model {
    /// Clocks, by dense number.
    pub clocks: Vec<Clock>,
    /// Ledgers, by dense number.
    pub books: Vec<Book>,
    /// The commands that created something, by ledger, kind and id.
    creators: BTreeMap<(String, &'static str, String), Command>,
    /// Today of the system's clock, in every zone.
    zone_day: Day,
}

impl Model {
    /// Nothing yet; `zone_day` is the day on which system clocks begin.
    #[must_use]
    pub const fn new(zone_day: Day) -> Self {
        Self { clocks: vec![], books: vec![], creators: BTreeMap::new(), zone_day }
    }

    /// The ledger with this id, by place.
    #[must_use]
    pub fn book_no(&self, id: &Id) -> Option<usize> {
        self.books.iter().position(|book| &book.id == id)
    }

    /// Today in a ledger.
    #[must_use]
    pub fn today(&self, book: usize) -> Day {
        self.clocks[self.books[book].clock].today
    }

    /// What the rules say about a command, now.
    #[must_use]
    pub fn judge(&self, command: &Command) -> Verdict {
        let mut plan = self.plan(command);
        plan.refuse_if(self.passes_volume(&plan), Reason::AmountOverflow);
        if let Some(first) = creates(command).and_then(|key| self.creators.get(&key)) {
            if first == command {
                return Verdict::Repeat;
            }
            // A draft is issued once: what it is then is another matter than its id.
            plan.refuse_if(!matches!(command, Command::IssueDraft(_)), Reason::IdExists);
        }
        if plan.repeat {
            // Where a rule is broken besides, which of the two is told first is left open.
            return if plan.refusals.is_empty() { Verdict::Repeat } else { Verdict::Silent };
        }
        if !plan.refusals.is_empty() {
            return Verdict::Refuse(&plan.refusals | &plan.doubts);
        }
        if plan.silent { Verdict::Silent } else { Verdict::Accept }
    }

    /// Whether the documents of a ledger in one currency would add up to more than they may.
    fn passes_volume(&self, plan: &Plan) -> bool {
        let Some(book) = self.books.get(plan.book) else { return false };
        let mut sums = BTreeMap::new();
        let mut add = |currency: Currency, amount: i64| {
            let sum: &mut i128 = sums.entry(currency).or_default();
            *sum += i128::from(amount.max(0));
            *sum > i128::from(MAX_VOLUME)
        };
        for row in &book.invoices {
            add(row.currency, row.volume);
        }
        for row in &book.payments {
            add(row.currency, row.amount);
        }
        for row in &book.credits {
            add(book.invoices[row.invoice].currency, row.amount);
        }
        plan.facts.iter().any(|fact| match fact {
            // A draft must fit too, though it does not count.
            Fact::Invoice(row) | Fact::Replaced(_, row) => add(row.currency, row.total),
            Fact::Corrected { invoice, amount, .. } => {
                let row = &book.invoices[*invoice];
                add(row.currency, (amount - row.total).max(0))
            }
            Fact::Payment(row) => add(row.currency, row.amount),
            Fact::Credit { invoice, amount, .. } => add(book.invoices[*invoice].currency, *amount),
            _ => false,
        })
    }
}

/// Where the id of what a command creates must be unique.
fn creates(command: &Command) -> Option<(String, &'static str, String)> {
    let (kind, id) = match command {
        Command::CreateLedger(c) => {
            return c.ledger_id.as_ref().map(|id| (String::new(), "ledger", id.to_string()));
        }
        Command::CreateCustomer(c) => ("customer", c.customer_id.as_ref()?),
        Command::IssueInvoice(c) => ("invoice", c.invoice_id.as_ref()?),
        Command::CreateDraft(c) => ("invoice", c.invoice.invoice_id.as_ref()?),
        Command::AddOpeningItem(c) => ("invoice", c.invoice_id.as_ref()?),
        Command::IssueDraft(c) => ("issue", &c.invoice_id),
        Command::RecordPayment(c) => ("payment", c.payment_id.as_ref()?),
        Command::IssueCreditNote(c) => ("credit note", c.credit_note_id.as_ref()?),
        Command::CancelInvoice(c) => ("credit note", c.credit_note_id.as_ref()?),
        _ => return None,
    };
    Some((command.ledger_id()?.to_string(), kind, id.to_string()))
}

impl Book {
    /// The customer with this id, by place.
    #[must_use]
    pub fn customer_no(&self, id: &Id) -> Option<usize> {
        self.customers.iter().position(|row| &row.id == id)
    }

    /// The invoice with this id, by place.
    #[must_use]
    pub fn invoice_no(&self, id: &Id) -> Option<usize> {
        self.invoices.iter().position(|row| &row.id == id)
    }
}
