//! Commands about payments and allocations.

use encours_domain::commands::{
    Allocate, Deallocate, ExplicitAllocation, From, Put, RecordPayment, ReversePayment,
};
use encours_domain::event::{Method, ReversalKind};
use encours_domain::{Day, Id, Source};

use super::{Workload, id};
use crate::model::{Book, View};

impl Workload {
    pub(super) fn record_payment(&mut self, book: &Book, today: Day) -> RecordPayment {
        let aim = self.any_invoice(book);
        let open = aim.map_or(0, |no| Self::open(book, no));
        let mut command = RecordPayment {
            ledger_id: book.id.clone(),
            payment_id: Some(self.new_id("p")),
            customer_id: self.customer_of(book, aim),
            amount: Some(self.any_amount()),
            currency: aim.map(|no| book.invoices[no].currency),
            method: self.one_of(&[Method::Transfer, Method::Card]).unwrap_or(Method::Other),
            received_on: self.any_date(today),
            reference: String::new(),
            put: Put::Nothing,
        };
        match (self.rng.below(10), aim) {
            (0..3, Some(no)) => {
                command.put = Put::Invoice(book.invoices[no].id.clone());
                command.amount = match self.rng.below(3) {
                    0 => None,
                    1 => Some(self.part_of(open.max(1))),
                    _ => Some(open.saturating_add(self.any_amount())),
                };
                command.customer_id = command.customer_id.filter(|_| self.rng.one_in(2));
                command.currency = command.currency.filter(|_| self.rng.one_in(2));
            }
            (3..5, Some(no)) => {
                let (list, sum) = self.explicit(book, no);
                command.put = Put::Explicit(list);
                let more = if self.rng.one_in(3) { self.any_amount() } else { 0 };
                command.amount = Some(sum.max(1).saturating_add(more));
            }
            (5..9, Some(no)) => {
                command.put = Put::Auto;
                let row = &book.invoices[no];
                // A reference is only worth aiming with while the invoice is open.
                match self.rng.below(if open > 0 { 5 } else { 2 }) {
                    0 | 1 => command.amount = Some(self.any_amount()),
                    2 => command.amount = Some(open),
                    3 => command.reference.clone_from(&row.number),
                    _ => command.reference.clone_from(&row.reference),
                }
            }
            _ => {}
        }
        command
    }

    /// Parts of up to four open invoices of one customer and currency, and their sum.
    fn explicit(&mut self, book: &Book, first: usize) -> (Vec<ExplicitAllocation>, i64) {
        let owner = |no: usize| (book.invoices[no].customer, book.invoices[no].currency);
        let same: Vec<usize> = (0..book.invoices.len())
            .filter(|&no| owner(no) == owner(first) && book.open(no, View::ALL) > 0)
            .collect();
        let count = 1 + self.rng.index(4);
        let mut list = Vec::new();
        for no in same.into_iter().take(count) {
            let amount = self.part_of(Self::open(book, no));
            list.push(ExplicitAllocation { invoice_id: book.invoices[no].id.clone(), amount });
        }
        let sum = list.iter().fold(0_i64, |sum, part| sum.saturating_add(part.amount));
        (list, sum)
    }

    fn customer_of(&mut self, book: &Book, invoice: Option<usize>) -> Option<Id> {
        let customer = match invoice {
            Some(no) => book.invoices[no].customer,
            None => self.rng.index(book.customers.len()),
        };
        book.customers.get(customer).map(|row| row.id.clone())
    }

    pub(super) fn allocate(&mut self, book: &Book, today: Day) -> Allocate {
        let pair = self.free_pair(book);
        let (source, invoice) = pair.map_or((None, None), |(s, no)| (Some(s), Some(no)));
        let left = source.map_or(1, |s| {
            let free = i64::try_from(book.unapplied(s, View::ALL)).unwrap_or_default();
            free.min(invoice.map_or(1, |no| Self::open(book, no)))
        });
        let from = match self.rng.below(7) {
            0 => From::Anything,
            1 => From::CreditNotes,
            2 => From::Payments,
            _ => match source {
                Some(Source::Payment(no)) => From::Payment(book.payments[no.0 as usize].id.clone()),
                Some(Source::CreditNote(no)) => {
                    From::CreditNote(book.credits[no.0 as usize].id.clone())
                }
                Some(Source::Opening(no)) => {
                    From::OpeningItem(book.invoices[no.0 as usize].id.clone())
                }
                None => From::Anything,
            },
        };
        let target = invoice.or_else(|| self.any_invoice(book));
        Allocate {
            ledger_id: book.id.clone(),
            invoice_id: Self::id_of(book, target),
            from,
            amount: self.maybe(2, |w| w.part_of(left.max(1))),
            currency: self.maybe(6, |_| Self::currency_of(book, invoice)),
            date: self.any_date(today),
        }
    }

    pub(super) fn deallocate(&mut self, book: &Book, today: Day) -> Deallocate {
        let pair = self.bound_pair(book);
        let there = pair.map_or(1, |pair| {
            let there = book.allocated(View::ALL, |s, no| (s, no) == pair);
            i64::try_from(there).unwrap_or_default()
        });
        let (mut payment_id, mut credit_note_id, mut opening_item_id) = (None, None, None);
        match pair.map(|(source, _)| source) {
            Some(Source::Payment(no)) => {
                payment_id = Some(book.payments[no.0 as usize].id.clone());
            }
            Some(Source::CreditNote(no)) => {
                credit_note_id = Some(book.credits[no.0 as usize].id.clone());
            }
            Some(Source::Opening(no)) => {
                opening_item_id = Some(book.invoices[no.0 as usize].id.clone());
            }
            None => payment_id = Some(id("nothing")),
        }
        let invoice = pair.map(|(_, no)| no);
        let target = invoice.or_else(|| self.any_invoice(book));
        Deallocate {
            ledger_id: book.id.clone(),
            invoice_id: Self::id_of(book, target),
            payment_id,
            credit_note_id,
            opening_item_id,
            amount: self.maybe(2, |w| w.part_of(there.max(1))),
            currency: self.maybe(6, |_| Self::currency_of(book, invoice)),
            date: self.any_date(today),
        }
    }

    pub(super) fn reverse_payment(&mut self, book: &Book, today: Day) -> ReversePayment {
        let payment = self.rng.index(book.payments.len());
        let kinds = [ReversalKind::Bounced, ReversalKind::Duplicate, ReversalKind::Chargeback];
        ReversePayment {
            ledger_id: book.id.clone(),
            payment_id: book.payments.get(payment).map_or_else(|| id("none"), |p| p.id.clone()),
            kind: self.one_of(&kinds).unwrap_or(ReversalKind::EntryError),
            date: self.any_date(today).filter(|_| self.rng.one_in(2)),
        }
    }
}
