//! Applying events to rows. Every step asserts, in release too, that the event fits the rows and
//! that the books balance after it: going on would write wrong figures.

use crate::balance::Balance;
use crate::commands::Digest;
use crate::currency::Currency;
use crate::details::{DetailKind, Secret};
use crate::event::{
    Allocated, CreditNoteIssued, CustomerCreated, CustomerUpdated, Deallocated, Event,
    InvoiceIssued, LedgerCreated, PaymentRecorded, PaymentReversed,
};
use crate::limits::MAX_VOLUME;
use crate::number::{CustomerNo, InvoiceNo, LedgerNo, Source};
use crate::position::Position;
use crate::state::rows::{
    Clock, CreditNote, Customer, Dispute, Invoice, InvoiceAllocation, Ledger, Payment, Rows,
    Series, Spell,
};
use crate::state::spells;

/// Where an event stands: its position and the digest of its command.
#[derive(Clone, Copy)]
struct At {
    position: Position,
    digest: Digest,
}

#[expect(clippy::panic, reason = "INVARIANT: an event that does not fit must stop the writer")]
fn must<T>(found: Option<T>, what: &str, at: At) -> T {
    match found {
        Some(found) => found,
        None => panic!("the event at position {} names an unknown {what}", at.position),
    }
}

impl Rows {
    /// Applies an event.
    ///
    /// # Panics
    /// As [`crate::State::apply`].
    pub fn apply(&mut self, position: Position, digest: Digest, event: &Event) {
        let at = At { position, digest };
        match event {
            Event::LogCreated(_) | Event::WriterOpened(_) => {}
            Event::ClockCreated(e) => {
                let no = self.clocks.push(Clock {
                    id: e.id.clone(),
                    test: e.test,
                    zone: e.zone.clone(),
                    today: e.day,
                    finished: e.day,
                    target: e.day,
                    created: position,
                    version: position,
                });
                assert_eq!(no, e.clock.0, "clock numbers are dense");
            }
            Event::ClockAdvanced(e) => self.clock(e.clock.0, at).target = e.target,
            Event::DayOpened(e) => {
                let clock = self.clock(e.clock.0, at);
                assert_eq!(e.day.since(clock.today), 1, "days open one after the other");
                clock.today = e.day;
                clock.target = clock.target.max(e.day);
            }
            Event::DayFinished(e) => {
                let clock = self.clock(e.clock.0, at);
                assert_eq!(e.day.since(clock.finished), 1, "days finish one after the other");
                clock.finished = e.day;
            }
            Event::LedgerCreated(e) => self.create_ledger(e, at),
            _ => {
                let ledger = event.ledger().and_then(|no| self.ledgers.get_mut(no.0));
                must(ledger, "ledger", at).apply(event, at);
            }
        }
    }

    fn clock(&mut self, no: u32, at: At) -> &mut Clock {
        let clock = must(self.clocks.get_mut(no), "clock", at);
        clock.version = at.position;
        clock
    }

    fn create_ledger(&mut self, e: &LedgerCreated, at: At) {
        let no = self.ledgers.push(Ledger {
            no: e.ledger,
            id: e.id.clone(),
            name: e.name.clone(),
            currency: e.currency,
            clock: e.clock,
            terms: e.terms,
            invoice_series: Series::new(e.invoice_pattern.clone()),
            credit_note_series: Series::new(e.credit_note_pattern.clone()),
            volume: Vec::new(),
            customers: crate::table::Table::default(),
            invoices: crate::table::Table::default(),
            payments: crate::table::Table::default(),
            credit_notes: crate::table::Table::default(),
            created: at.position,
            version: at.position,
            digest: at.digest,
        });
        assert_eq!(LedgerNo(no), e.ledger, "ledger numbers are dense");
    }
}

impl Ledger {
    fn apply(&mut self, event: &Event, at: At) {
        match event {
            Event::CustomerCreated(e) => self.create_customer(e, at),
            Event::CustomerUpdated(e) => self.update_customer(e, at),
            Event::InvoiceIssued(e) => self.issue_invoice(e, at),
            Event::InvoiceSent(e) => {
                let invoice = self.invoice(e.invoice, at);
                invoice.sent_on = invoice.sent_on.or(Some(e.date));
            }
            Event::InvoiceDisputed(e) => {
                self.invoice(e.invoice, at).dispute = Some(Dispute { since: e.date });
            }
            Event::DisputeResolved(e) => {
                let invoice = self.invoice(e.invoice, at);
                invoice.dispute = None;
                invoice.resolved_on = Some(e.date);
            }
            Event::InvoiceDue(e) => self.invoice(e.invoice, at).due_emitted = true,
            Event::InvoiceOverdue(e) => self.overdue(e.invoice, at),
            Event::InvoicePaid(e) => self.settled(e.invoice, false, at),
            Event::InvoiceCancelled(e) => self.settled(e.invoice, true, at),
            Event::InvoiceReopened(e) => {
                let invoice = self.invoice(e.invoice, at);
                invoice.cancelled = false;
                if std::mem::take(&mut invoice.overdue_emitted) {
                    invoice.overdue_again_from = Some(e.date);
                }
            }
            Event::PaymentRecorded(e) => self.record_payment(e, at),
            Event::PaymentReversed(e) => self.reverse_payment(e, at),
            Event::CreditNoteIssued(e) => self.issue_credit_note(e, at),
            Event::Allocated(e) => self.allocate(e, at),
            Event::Deallocated(e) => self.deallocate(e, at),
            Event::LogCreated(_)
            | Event::WriterOpened(_)
            | Event::ClockCreated(_)
            | Event::ClockAdvanced(_)
            | Event::DayOpened(_)
            | Event::DayFinished(_)
            | Event::LedgerCreated(_) => {}
        }
    }

    fn invoice(&mut self, no: InvoiceNo, at: At) -> &mut Invoice {
        let invoice = must(self.invoices.get_mut(no.0), "invoice", at);
        invoice.version = at.position;
        invoice
    }

    /// Changes a customer's balance and checks the identity it must keep.
    fn balance(
        &mut self,
        customer: CustomerNo,
        currency: Currency,
        at: At,
        change: impl FnOnce(&mut Balance),
    ) {
        let balances = &mut must(self.customers.get_mut(customer.0), "customer", at).balances;
        let index = match balances.binary_search_by_key(&currency, |balance| balance.currency) {
            Ok(index) => index,
            Err(index) => {
                balances.insert(index, Balance::zero(currency));
                index
            }
        };
        let balance = &mut balances[index];
        change(balance);
        assert!(balance.balances(), "books balance at {}: {balance:?}", at.position);
    }

    /// Adds a document's amount to the volume of its currency.
    fn add_volume(&mut self, currency: Currency, amount: i64) {
        match self.volume.iter_mut().find(|(known, _)| *known == currency) {
            Some((_, volume)) => *volume += amount,
            None => self.volume.push((currency, amount)),
        }
        assert!(self.volume_in(currency) <= MAX_VOLUME, "the volume of a ledger is limited");
    }

    fn create_customer(&mut self, e: &CustomerCreated, at: At) {
        let no = self.customers.push(Customer {
            id: e.id.clone(),
            currency: e.currency,
            terms: e.terms,
            details: Vec::new(),
            balances: Vec::new(),
            created: at.position,
            version: at.position,
            digest: at.digest,
        });
        assert_eq!(CustomerNo(no), e.customer, "customer numbers are dense");
        self.set_details(e.customer, &e.details, at);
    }

    fn update_customer(&mut self, e: &CustomerUpdated, at: At) {
        let row = must(self.customers.get_mut(e.customer.0), "customer", at);
        row.version = at.position;
        row.currency = e.currency.or(row.currency);
        row.terms = e.terms.or(row.terms);
        self.set_details(e.customer, &e.details, at);
    }

    fn set_details(&mut self, no: CustomerNo, details: &[(DetailKind, Secret)], at: At) {
        let row = must(self.customers.get_mut(no.0), "customer", at);
        for (kind, secret) in details {
            let sealed = match secret {
                Secret::Sealed(sealed) => Some(sealed.clone()),
                Secret::Clear(_) => None,
            };
            // INVARIANT: clear details never get into rows, of which snapshots are made.
            let sealed = must(sealed, "sealing of a detail", at);
            match row.details.binary_search_by_key(kind, |(kind, _)| *kind) {
                Ok(index) => row.details[index].1 = sealed,
                Err(index) => row.details.insert(index, (*kind, sealed)),
            }
        }
    }

    fn issue_invoice(&mut self, e: &InvoiceIssued, at: At) {
        let no = self.invoices.push(Invoice {
            id: e.id.clone(),
            number: e.number.clone(),
            customer: e.customer,
            currency: e.currency,
            total: e.total,
            open: e.total,
            credit_noted: 0,
            issue_date: e.issue_date,
            due: e.due,
            sent_on: None,
            reference: e.reference.clone(),
            dispute: None,
            resolved_on: None,
            credit_notes: Vec::new(),
            due_emitted: false,
            overdue_emitted: false,
            overdue: false,
            overdue_again_from: None,
            cancelled: false,
            allocations: Vec::new(),
            spells: Vec::new(),
            created: at.position,
            version: at.position,
            digest: at.digest,
        });
        assert_eq!(InvoiceNo(no), e.invoice, "invoice numbers are dense");
        assert!(e.total >= 0, "an invoice claims 0 or more");
        self.add_volume(e.currency, e.total);
        if e.allotted {
            self.invoice_series.advance(e.issue_date);
        }
        self.balance(e.customer, e.currency, at, |balance| {
            balance.invoiced += e.total;
            balance.outstanding += e.total;
        });
    }

    fn overdue(&mut self, no: InvoiceNo, at: At) {
        let invoice = self.invoice(no, at);
        assert!(!invoice.overdue_emitted, "an invoice becomes overdue once while it is open");
        invoice.due_emitted = true;
        invoice.overdue_emitted = true;
        // A payment dated later may have settled it for limits already.
        invoice.overdue = invoice.open > 0;
        let (customer, currency, open) = (invoice.customer, invoice.currency, invoice.open);
        self.balance(customer, currency, at, |balance| balance.overdue += open);
    }

    fn settled(&mut self, no: InvoiceNo, cancelled: bool, at: At) {
        let invoice = self.invoice(no, at);
        assert_eq!(invoice.open, 0, "a settled invoice has nothing open");
        invoice.overdue = false;
        invoice.cancelled = cancelled;
    }

    fn record_payment(&mut self, e: &PaymentRecorded, at: At) {
        let no = self.payments.push(Payment {
            id: e.id.clone(),
            customer: e.customer,
            currency: e.currency,
            amount: e.amount,
            unapplied: e.amount,
            reversed: 0,
            reversal: None,
            method: e.method,
            received_on: e.received_on,
            reference: e.reference.clone(),
            invoices: Vec::new(),
            spells: Vec::new(),
            created: at.position,
            version: at.position,
            digest: at.digest,
        });
        assert_eq!(no, e.payment.0, "payment numbers are dense");
        assert!(e.amount > 0, "a payment is above 0");
        self.add_volume(e.currency, e.amount);
        self.balance(e.customer, e.currency, at, |balance| {
            balance.collected += e.amount;
            balance.unapplied += e.amount;
        });
    }

    fn reverse_payment(&mut self, e: &PaymentReversed, at: At) {
        let row = must(self.payments.get_mut(e.payment.0), "payment", at);
        assert!(e.amount > 0 && e.amount <= row.unapplied, "what is reversed is unapplied");
        row.unapplied -= e.amount;
        row.reversed += e.amount;
        row.reversal = Some(e.kind);
        row.version = at.position;
        let (customer, currency) = (row.customer, row.currency);
        self.balance(customer, currency, at, |balance| {
            balance.collected -= e.amount;
            balance.unapplied -= e.amount;
        });
    }

    fn issue_credit_note(&mut self, e: &CreditNoteIssued, at: At) {
        let no = self.credit_notes.push(CreditNote {
            id: e.id.clone(),
            number: e.number.clone(),
            invoice: e.invoice,
            customer: e.customer,
            currency: e.currency,
            amount: e.amount,
            unapplied: e.amount,
            issue_date: e.issue_date,
            invoices: Vec::new(),
            spells: Vec::new(),
            created: at.position,
            version: at.position,
            digest: at.digest,
        });
        assert_eq!(no, e.credit_note.0, "credit-note numbers are dense");
        assert!(e.amount > 0, "a credit note is above 0");
        self.add_volume(e.currency, e.amount);
        if e.allotted {
            self.credit_note_series.advance(e.issue_date);
        }
        let invoice = self.invoice(e.invoice, at);
        invoice.credit_noted += e.amount;
        invoice.credit_notes.push(e.credit_note);
        assert!(invoice.credit_noted <= invoice.total, "credits never exceed the invoice");
        self.balance(e.customer, e.currency, at, |balance| {
            balance.credited += e.amount;
            balance.unapplied += e.amount;
        });
    }

    fn allocate(&mut self, e: &Allocated, at: At) {
        let row = self.invoice(e.invoice, at);
        assert!(e.amount > 0 && e.amount <= row.open, "an allocation fits what is open");
        row.open -= e.amount;
        assert_eq!(row.open, e.open_after, "the event tells what is open");
        row.allocations.push(InvoiceAllocation {
            source: e.source,
            amount: e.amount,
            date: e.date,
        });
        let overdue = if row.overdue { e.amount } else { 0 };
        let (customer, currency) = (row.customer, row.currency);
        let (unapplied, owner, invoices, _) = self.source(e.source, at);
        assert_eq!(owner, (customer, currency), "customer and currency of both sides agree");
        *unapplied -= e.amount;
        assert!(*unapplied >= 0, "an allocation fits what is unapplied");
        assert_eq!(*unapplied, e.unapplied_after, "the event tells what is unapplied");
        if let Err(index) = invoices.binary_search(&e.invoice) {
            invoices.insert(index, e.invoice);
        }
        self.balance(customer, currency, at, |balance| {
            balance.outstanding -= e.amount;
            balance.overdue -= overdue;
            balance.unapplied -= e.amount;
        });
    }

    fn deallocate(&mut self, e: &Deallocated, at: At) {
        let row = self.invoice(e.invoice, at);
        let off = row.take_off(e.source, e.amount, e.date);
        row.open += e.amount;
        assert_eq!(row.open, e.open_after, "the event tells what is open");
        let overdue = if row.overdue { e.amount } else { 0 };
        let (customer, currency) = (row.customer, row.currency);
        let (unapplied, _, invoices, noted) = self.source(e.source, at);
        *unapplied += e.amount;
        assert_eq!(*unapplied, e.unapplied_after, "the event tells what is unapplied");
        if off.gone {
            invoices.retain(|invoice| *invoice != e.invoice);
        }
        for (from, amount) in off.parts {
            spells::note(noted, from, e.date, amount);
        }
        self.balance(customer, currency, at, |balance| {
            balance.outstanding += e.amount;
            balance.overdue += overdue;
            balance.unapplied += e.amount;
        });
    }

    /// What a source has unapplied, whose it is, the invoices it has something on, its spells.
    fn source(
        &mut self,
        source: Source,
        at: At,
    ) -> (&mut i64, (CustomerNo, Currency), &mut Vec<InvoiceNo>, &mut Vec<Spell>) {
        match source {
            Source::Payment(no) => {
                let row = must(self.payments.get_mut(no.0), "payment", at);
                row.version = at.position;
                let owner = (row.customer, row.currency);
                (&mut row.unapplied, owner, &mut row.invoices, &mut row.spells)
            }
            Source::CreditNote(no) => {
                let row = must(self.credit_notes.get_mut(no.0), "credit note", at);
                row.version = at.position;
                let owner = (row.customer, row.currency);
                (&mut row.unapplied, owner, &mut row.invoices, &mut row.spells)
            }
        }
    }
}
