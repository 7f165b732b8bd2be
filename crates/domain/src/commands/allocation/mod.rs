//! The book of one decision: what is open and unapplied while its allocations are made, and the
//! status events that follow from where it ends.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::lookup;
use crate::event::{Allocated, Deallocated, Event, OpeningItemCorrected};
use crate::limits::MAX_ALLOCATIONS;
use crate::money::Money;
use crate::number::{InvoiceNo, Source};
use crate::position::Day;
use crate::refusal::{Reason, Refusal};
use crate::state::{Clock, Invoice, Ledger, Spell, State, spells};

mod close;
mod row;

pub(super) use close::timing;

/// A working copy of what a decision touches.
pub(super) struct Book<'a> {
    ledger: &'a Ledger,
    clock: &'a Clock,
    // WHY boxes: a map of few takes room for eleven.
    invoices: BTreeMap<InvoiceNo, Box<Account>>,
    sources: BTreeMap<Source, Box<Free>>,
    events: Vec<Event>,
}

/// An invoice being settled or reopened.
struct Account {
    row: Invoice,
    /// What was open before the decision; `None` where the decision brings the item in.
    open_before: Option<i64>,
    /// The day of the last change made here.
    changed: Day,
    /// Whether it has another due date than before.
    retimed: bool,
}

/// A payment, a credit note or an opening item owing to the customer, being used.
#[derive(Clone)]
struct Free {
    amount: i64,
    unapplied: i64,
    date: Day,
    /// The invoices it has something on.
    invoices: Vec<InvoiceNo>,
    spells: Vec<Spell>,
    /// What was paid back of it: day and amount.
    refunds: Vec<(Day, i64)>,
}

impl<'a> Book<'a> {
    pub(super) fn open(state: &'a State, ledger: &'a Ledger) -> Result<Self, Refusal> {
        Ok(Self {
            ledger,
            clock: lookup::clock(state, ledger)?,
            invoices: BTreeMap::new(),
            sources: BTreeMap::new(),
            events: Vec::new(),
        })
    }

    /// Adds an event that is not an allocation.
    pub(super) fn push(&mut self, event: impl Into<Event>) {
        self.events.push(event.into());
    }

    /// Adds a payment or credit note that this decision creates.
    pub(super) fn add_source(&mut self, source: Source, amount: i64, date: Day) {
        let (invoices, spells, refunds) = (Vec::new(), Vec::new(), Vec::new());
        let free = Free { amount, unapplied: amount, date, invoices, spells, refunds };
        self.sources.insert(source, Box::new(free));
    }

    /// Adds an opening item that this decision brings in.
    pub(super) fn add_item(&mut self, invoice: InvoiceNo, row: Invoice) {
        let changed = row.issue_date;
        let account = Account { row, open_before: None, changed, retimed: false };
        self.invoices.insert(invoice, Box::new(account));
    }

    /// Enters the correction of an opening item that is owed.
    pub(super) fn correct(&mut self, event: OpeningItemCorrected) -> Result<(), Refusal> {
        let told_from = self.clock.first_unfinished();
        let account = self.account(event.invoice)?;
        account.retimed = event.due != account.row.due;
        account.changed = account.changed.max(event.date);
        account.row.correct(&event, told_from);
        self.push(event);
        Ok(())
    }

    /// Notes that a credit note is issued against an invoice.
    pub(super) fn credit_noted(&mut self, invoice: InvoiceNo, amount: i64) -> Result<(), Refusal> {
        self.account(invoice)?.row.credit_noted += amount;
        Ok(())
    }

    /// What is open on an invoice now.
    pub(super) fn open_on(&mut self, invoice: InvoiceNo) -> Result<i64, Refusal> {
        self.account(invoice).map(|account| account.row.open)
    }

    /// What is unapplied of a source now.
    pub(super) fn unapplied_of(&mut self, source: Source) -> Result<i64, Refusal> {
        self.free(source).map(|free| free.unapplied)
    }

    /// Whether an invoice takes another allocation.
    pub(super) fn has_room(&mut self, invoice: InvoiceNo) -> Result<bool, Refusal> {
        self.account(invoice).map(|account| account.row.allocations.len() < MAX_ALLOCATIONS)
    }

    /// Whether a source may be put on another invoice.
    pub(super) fn may_take_another(&mut self, source: Source) -> Result<bool, Refusal> {
        self.free(source).map(|free| free.invoices.len() < MAX_ALLOCATIONS)
    }

    /// Puts `amount` of a source on an invoice. `date` is the allocation's own date; it counts
    /// from the latest of it, both documents' dates, and the day from which there is room for it
    /// beside what had been allocated for a time.
    pub(super) fn allocate(
        &mut self,
        source: Source,
        invoice: InvoiceNo,
        amount: i64,
        date: Day,
    ) -> Result<(), Refusal> {
        let ledger = self.ledger;
        let free = self.free(source)?;
        let (unapplied, since, count) = (free.unapplied, free.date, free.invoices.len());
        let known = free.invoices.contains(&invoice);
        let row = &self.account(invoice)?.row;
        let money = |minor| Money::new(minor, row.currency);
        if amount > row.open {
            return Err(over("open amount", money(row.open), money(amount), row));
        }
        if amount > unapplied {
            return Err(over("unapplied amount", money(unapplied), money(amount), row));
        }
        if row.allocations.len() >= MAX_ALLOCATIONS {
            return Err(full("invoice", &row.id));
        }
        if !known && count >= MAX_ALLOCATIONS {
            return Err(full("source", &ledger.id));
        }
        let date = date.max(row.issue_date).max(since);
        let date = self.first_fit(source, invoice, amount, date)?;
        let account = self.account(invoice)?;
        let row = &mut account.row;
        row.put_on(source, amount, date);
        let open_after = row.open;
        account.changed = account.changed.max(date);
        let free = self.free(source)?;
        free.unapplied -= amount;
        if !known {
            free.invoices.push(invoice);
        }
        let unapplied_after = free.unapplied;
        let ledger = ledger.no;
        self.push(Allocated { ledger, source, invoice, amount, date, open_after, unapplied_after });
        Ok(())
    }

    /// The first day from `date` on from which both sides have room for `amount`, ever after.
    fn first_fit(
        &mut self,
        source: Source,
        invoice: InvoiceNo,
        amount: i64,
        mut date: Day,
    ) -> Result<Day, Refusal> {
        loop {
            let start = date;
            date = self.room_from(invoice, amount, date)?;
            date = self.free_from(source, amount, date)?;
            if date == start {
                return Ok(date);
            }
        }
    }

    /// The first day from `date` on from which `amount` of what is open on an invoice is open, that
    /// day and ever after.
    pub(super) fn room_from(
        &mut self,
        invoice: InvoiceNo,
        amount: i64,
        date: Day,
    ) -> Result<Day, Refusal> {
        let row = &self.account(invoice)?.row;
        if row.spells.iter().all(|spell| spell.to <= date) {
            return Ok(date);
        }
        let live: Vec<_> = row.allocations.iter().map(|a| (a.date, a.amount)).collect();
        Ok(spells::first_fit(date, amount, row.claim(), &live, &row.spells))
    }

    /// The first day from `date` on from which `amount` of what is unapplied of a source is
    /// unapplied, that day and ever after.
    pub(super) fn free_from(
        &mut self,
        source: Source,
        amount: i64,
        date: Day,
    ) -> Result<Day, Refusal> {
        let free = self.free(source)?;
        let date = date.max(free.date);
        if free.spells.iter().all(|spell| spell.to <= date) {
            return Ok(date);
        }
        let free = free.clone();
        let live = self.live_of(source, &free)?;
        Ok(spells::first_fit(date, amount, free.amount, &live, &free.spells))
    }

    /// What a source has on invoices, and what was paid back of it: day and amount.
    fn live_of(&mut self, source: Source, free: &Free) -> Result<Vec<(Day, i64)>, Refusal> {
        let mut live = free.refunds.clone();
        for invoice in &free.invoices {
            let row = &self.account(*invoice)?.row;
            let own = row.allocations.iter().filter(|allocation| allocation.source == source);
            live.extend(own.map(|allocation| (allocation.date, allocation.amount)));
        }
        Ok(live)
    }

    /// Takes `amount` of a source (all of it where `None`) off an invoice, the newest allocations
    /// first; tells the day. It is `date`, or from today on the first one that undoes no later fact.
    pub(super) fn deallocate(
        &mut self,
        source: Source,
        invoice: InvoiceNo,
        amount: Option<i64>,
        date: Option<Day>,
    ) -> Result<Day, Refusal> {
        let (today, ledger) = (self.clock.today, self.ledger.no);
        let mut free = Box::new(self.free(source)?.clone());
        let account = self.account(invoice)?;
        let row = &mut account.row;
        let has = row.allocated_from(source);
        let money = |minor| Money::new(minor, row.currency);
        if has == 0 {
            return Err(Refusal::new(
                Reason::NothingLeft,
                "invoice_id",
                format!("nothing of it is allocated to invoice {}", row.id),
            ));
        }
        let amount = amount.unwrap_or(has);
        if amount > has {
            return Err(over("allocated amount", money(has), money(amount), row));
        }
        let last = row.last_of(source, amount);
        let date = lookup::not_before(date, today, last, "the allocation")?;
        let off = row.take_off(source, amount, date);
        let open_after = row.open;
        account.changed = account.changed.max(date);
        free.unapplied += amount;
        if off.gone {
            free.invoices.retain(|known| *known != invoice);
        }
        for (from, amount) in off.parts {
            spells::note(&mut free.spells, from, date, amount);
        }
        let unapplied_after = free.unapplied;
        self.sources.insert(source, free);
        self.push(Deallocated {
            ledger,
            source,
            invoice,
            amount,
            date,
            open_after,
            unapplied_after,
        });
        Ok(date)
    }

    fn account(&mut self, invoice: InvoiceNo) -> Result<&mut Account, Refusal> {
        let ledger = self.ledger;
        let row = ledger.invoices.get(invoice.0);
        let Some(row) = row else {
            let message = format!("there is no invoice number {}", invoice.0);
            return Err(Refusal::new(Reason::UnknownInvoice, "invoice_id", message));
        };
        let account = || {
            let (row, open_before, changed) = (row.clone(), Some(row.open), row.issue_date);
            Box::new(Account { row, open_before, changed, retimed: false })
        };
        Ok(self.invoices.entry(invoice).or_insert_with(account))
    }

    fn free(&mut self, source: Source) -> Result<&mut Free, Refusal> {
        let new = match self.sources.entry(source) {
            Entry::Occupied(known) => return Ok(known.into_mut()),
            Entry::Vacant(new) => new,
        };
        let free = match source {
            Source::Payment(no) => self.ledger.payments.get(no.0).map(|row| Free {
                amount: row.amount,
                unapplied: row.unapplied,
                date: row.received_on,
                invoices: row.invoices.clone(),
                spells: row.spells.clone(),
                refunds: row.refunds.iter().map(|refund| (refund.date, refund.amount)).collect(),
            }),
            Source::Opening(no) => self.ledger.invoices.get(no.0).and_then(|row| {
                let opening = row.opening.as_ref()?;
                Some(Free {
                    amount: row.total - opening.paid,
                    unapplied: opening.unapplied,
                    date: row.issue_date,
                    invoices: opening.invoices.clone(),
                    spells: opening.spells.clone(),
                    refunds: Vec::new(),
                })
            }),
            Source::CreditNote(no) => self.ledger.credit_notes.get(no.0).map(|row| Free {
                amount: row.amount,
                unapplied: row.unapplied,
                date: row.issue_date,
                invoices: row.invoices.clone(),
                spells: row.spells.clone(),
                refunds: Vec::new(),
            }),
        };
        let free = free.ok_or_else(|| {
            let message = format!("there is no {source:?}");
            Refusal::new(Reason::UnknownPayment, "payment_id", message)
        })?;
        Ok(new.insert(Box::new(free)))
    }
}

/// More is asked of an invoice than there is.
pub(super) fn over(what: &str, limit: Money, asked: Money, row: &Invoice) -> Refusal {
    Refusal::new(
        Reason::OverAllocation,
        "amount",
        format!("{what} is {limit}, asked {asked} (invoice {})", row.id),
    )
    .with("limit", limit)
    .with("asked", asked)
    .with("invoice_id", &row.id)
}

fn full(what: &str, id: &crate::id::Id) -> Refusal {
    Refusal::new(
        Reason::LimitReached,
        "allocations",
        format!("the {what} {id} has {MAX_ALLOCATIONS} live allocations, the most there may be"),
    )
    .with("limit", MAX_ALLOCATIONS)
}
