//! The book of one decision: what is open and unapplied while its allocations are made, and the
//! status events that follow from where it ends.

use std::collections::BTreeMap;

use super::lookup;
use crate::event::{
    Allocated, Deallocated, Event, InvoiceCancelled, InvoiceDue, InvoiceOverdue, InvoicePaid,
    InvoiceReopened,
};
use crate::limits::MAX_ALLOCATIONS;
use crate::money::Money;
use crate::number::{CreditNoteNo, InvoiceNo, LedgerNo, Source};
use crate::position::Day;
use crate::refusal::{Reason, Refusal};
use crate::state::{Invoice, InvoiceAllocation, Ledger, Spell, State, spells};
use crate::terms::DueTerms;

/// A working copy of what a decision touches.
pub(super) struct Book<'a> {
    ledger: &'a Ledger,
    today: Day,
    invoices: BTreeMap<InvoiceNo, Account>,
    sources: BTreeMap<Source, Free>,
    events: Vec<Event>,
}

/// An invoice being settled or reopened.
struct Account {
    row: Invoice,
    open_before: i64,
    /// The day of the last change made here.
    changed: Day,
}

/// A payment or credit note being used.
#[derive(Clone)]
struct Free {
    amount: i64,
    unapplied: i64,
    date: Day,
    /// The invoices it has something on.
    invoices: Vec<InvoiceNo>,
    spells: Vec<Spell>,
}

impl<'a> Book<'a> {
    pub(super) fn open(state: &State, ledger: &'a Ledger) -> Result<Self, Refusal> {
        Ok(Self {
            ledger,
            today: lookup::today(state, ledger)?,
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
        let (invoices, spells) = (Vec::new(), Vec::new());
        let free = Free { amount, unapplied: amount, date, invoices, spells };
        self.sources.insert(source, free);
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
        let mut free = self.free(source)?;
        let account = self.account(invoice)?;
        let row = &mut account.row;
        let money = |minor| Money::new(minor, row.currency);
        if amount > row.open {
            return Err(over("open amount", money(row.open), money(amount), row));
        }
        if amount > free.unapplied {
            return Err(over("unapplied amount", money(free.unapplied), money(amount), row));
        }
        if row.allocations.len() >= MAX_ALLOCATIONS {
            return Err(full("invoice", &row.id));
        }
        let known = free.invoices.contains(&invoice);
        if !known && free.invoices.len() >= MAX_ALLOCATIONS {
            return Err(full("source", &ledger.id));
        }
        let date = date.max(row.issue_date).max(free.date);
        let date = self.first_fit(source, &free, invoice, amount, date)?;
        let account = self.account(invoice)?;
        let row = &mut account.row;
        row.open -= amount;
        row.allocations.push(InvoiceAllocation { source, amount, date });
        let open_after = row.open;
        account.changed = account.changed.max(date);
        free.unapplied -= amount;
        if !known {
            free.invoices.push(invoice);
        }
        let unapplied_after = free.unapplied;
        self.sources.insert(source, free);
        let ledger = ledger.no;
        self.push(Allocated { ledger, source, invoice, amount, date, open_after, unapplied_after });
        Ok(())
    }

    /// The first day from `date` on from which both sides have room for `amount`, ever after.
    fn first_fit(
        &mut self,
        source: Source,
        free: &Free,
        invoice: InvoiceNo,
        amount: i64,
        mut date: Day,
    ) -> Result<Day, Refusal> {
        loop {
            let start = date;
            let row = &self.account(invoice)?.row;
            if row.spells.iter().any(|spell| spell.to > date) {
                let live: Vec<_> = row.allocations.iter().map(|a| (a.date, a.amount)).collect();
                date = spells::first_fit(date, amount, row.claim(), &live, &row.spells);
            }
            if free.spells.iter().any(|spell| spell.to > date) {
                let live = self.live_of(source, free)?;
                date = spells::first_fit(date, amount, free.amount, &live, &free.spells);
            }
            if date == start {
                return Ok(date);
            }
        }
    }

    /// What a source has on invoices: day and amount.
    fn live_of(&mut self, source: Source, free: &Free) -> Result<Vec<(Day, i64)>, Refusal> {
        let mut live = Vec::new();
        for invoice in &free.invoices {
            let row = &self.account(*invoice)?.row;
            let own = row.allocations.iter().filter(|allocation| allocation.source == source);
            live.extend(own.map(|allocation| (allocation.date, allocation.amount)));
        }
        Ok(live)
    }

    /// Takes `amount` of a source (all of it where `None`) off an invoice, the newest allocations
    /// first. The date is `date`, or from today on the first one that undoes no later fact.
    pub(super) fn deallocate(
        &mut self,
        source: Source,
        invoice: InvoiceNo,
        amount: Option<i64>,
        date: Option<Day>,
    ) -> Result<(), Refusal> {
        let (today, ledger) = (self.today, self.ledger.no);
        let mut free = self.free(source)?;
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
        row.open += amount;
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
        Ok(())
    }

    /// The events, with those that say what became of the invoices.
    pub(super) fn close(mut self) -> Vec<Event> {
        let ledger = self.ledger;
        for (invoice, account) in std::mem::take(&mut self.invoices) {
            let row = &account.row;
            let cancelled = is_cancelled(ledger, row, invoice);
            let settled = row.allocations.iter().map(|allocation| allocation.date).max();
            let date = settled.filter(|_| row.open == 0).unwrap_or(account.changed);
            let ledger = ledger.no;
            if row.open == 0 && cancelled {
                if !row.cancelled {
                    self.push(InvoiceCancelled { ledger, invoice, date });
                }
            } else if row.open == 0 && (account.open_before > 0 || row.cancelled) {
                self.push(InvoicePaid { ledger, invoice, date });
            } else if row.open > account.open_before {
                let reopened = account.open_before == 0;
                if reopened {
                    self.push(InvoiceReopened { ledger, invoice, date, open: row.open });
                }
                // What is open again today is told at once; what will be on a day to come, then.
                let open = row.open_on(self.today);
                if open > 0 && (reopened || !row.overdue_emitted) {
                    let (due, told) = (row.due, row.due_emitted);
                    self.events.extend(timing(ledger, invoice, open, due, told, self.today));
                }
            }
        }
        self.events
    }

    fn account(&mut self, invoice: InvoiceNo) -> Result<&mut Account, Refusal> {
        let ledger = self.ledger;
        let row = ledger.invoices.get(invoice.0);
        let Some(row) = row else {
            let message = format!("there is no invoice number {}", invoice.0);
            return Err(Refusal::new(Reason::UnknownInvoice, "invoice_id", message));
        };
        Ok(self.invoices.entry(invoice).or_insert_with(|| Account {
            row: row.clone(),
            open_before: row.open,
            changed: row.issue_date,
        }))
    }

    fn free(&mut self, source: Source) -> Result<Free, Refusal> {
        if let Some(free) = self.sources.get(&source) {
            return Ok(free.clone());
        }
        let free = match source {
            Source::Payment(no) => self.ledger.payments.get(no.0).map(|row| Free {
                amount: row.amount,
                unapplied: row.unapplied,
                date: row.received_on,
                invoices: row.invoices.clone(),
                spells: row.spells.clone(),
            }),
            Source::Opening(no) => self.ledger.invoices.get(no.0).and_then(|row| {
                let opening = row.opening.as_ref()?;
                Some(Free {
                    amount: row.total - opening.paid,
                    unapplied: opening.unapplied,
                    date: row.issue_date,
                    invoices: opening.invoices.clone(),
                    spells: opening.spells.clone(),
                })
            }),
            Source::CreditNote(no) => self.ledger.credit_notes.get(no.0).map(|row| Free {
                amount: row.amount,
                unapplied: row.unapplied,
                date: row.issue_date,
                invoices: row.invoices.clone(),
                spells: row.spells.clone(),
            }),
        };
        free.ok_or_else(|| {
            let message = format!("there is no {source:?}");
            Refusal::new(Reason::UnknownPayment, "payment_id", message)
        })
    }
}

/// Credit notes reach the total, nothing is open, and nothing but them is allocated.
fn is_cancelled(ledger: &Ledger, row: &Invoice, invoice: InvoiceNo) -> bool {
    let own = |allocation: &InvoiceAllocation| match allocation.source {
        Source::Payment(_) | Source::Opening(_) => false,
        // A credit note that this decision creates is this invoice's own.
        Source::CreditNote(CreditNoteNo(no)) => {
            ledger.credit_notes.get(no).is_none_or(|credit_note| credit_note.invoice == invoice)
        }
    };
    row.open == 0
        && row.total > 0
        && row.credit_noted == row.total
        && row.allocations.iter().all(own)
}

/// What has to be said at once about an invoice whose due date or grace has passed already, since
/// the day that would have said it is over.
pub(super) fn timing(
    ledger: LedgerNo,
    invoice: InvoiceNo,
    open: i64,
    due: DueTerms,
    due_emitted: bool,
    today: Day,
) -> Option<Event> {
    if today >= due.overdue_from() {
        return Some(InvoiceOverdue { ledger, invoice, date: today, open }.into());
    }
    let due = today >= due.date && !due_emitted;
    due.then(|| InvoiceDue { ledger, invoice, date: today, open }.into())
}

impl Invoice {
    /// What a source has on this invoice.
    #[must_use]
    pub fn allocated_from(&self, source: Source) -> i64 {
        self.allocations.iter().filter(|a| a.source == source).map(|a| a.amount).sum()
    }

    /// The latest day of the allocations that taking `amount` of a source off would touch.
    fn last_of(&self, source: Source, amount: i64) -> Day {
        let own = self.allocations.iter().rev().filter(|a| a.source == source);
        let touched = own.scan(amount, |left, allocation| {
            let touched = (*left > 0).then_some(allocation.date);
            *left -= allocation.amount;
            touched
        });
        touched.max().unwrap_or(self.issue_date)
    }

    /// Takes `amount` of a source off on a day, the newest allocations first.
    pub(crate) fn take_off(&mut self, source: Source, amount: i64, date: Day) -> TakenOff {
        let mut left = amount;
        let mut parts = Vec::new();
        for allocation in self.allocations.iter_mut().rev() {
            if allocation.source == source && left > 0 {
                let part = allocation.amount.min(left);
                allocation.amount -= part;
                left -= part;
                parts.push((allocation.date, part));
            }
        }
        assert_eq!(left, 0, "what is taken off was allocated");
        for (from, amount) in &parts {
            spells::note(&mut self.spells, *from, date, *amount);
        }
        self.allocations.retain(|allocation| allocation.amount > 0);
        let gone = !self.allocations.iter().any(|allocation| allocation.source == source);
        TakenOff { parts, gone }
    }
}

/// What came off an invoice.
pub(crate) struct TakenOff {
    /// The days from which it had counted, and the amounts.
    pub(crate) parts: Vec<(Day, i64)>,
    /// Whether nothing of the source is left on the invoice.
    pub(crate) gone: bool,
}

fn over(what: &str, limit: Money, asked: Money, row: &Invoice) -> Refusal {
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
