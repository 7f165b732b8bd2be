//! Commands about invoices and credit notes.

use std::collections::BTreeMap;

use encours_domain::commands::{
    CancelInvoice, CreditUse, DisputeInvoice, InvoiceLine, IssueCreditNote, IssueInvoice, MarkSent,
    ResolveDispute,
};
use encours_domain::event::Rate;
use encours_domain::terms::Due;
use encours_domain::{Day, Id};
use rust_decimal::Decimal;

use super::Workload;
use crate::model::{Book, reference};

impl Workload {
    pub(super) fn issue_invoice(&mut self, book: &Book, today: Day) -> IssueInvoice {
        let customer = self.rng.index(book.customers.len());
        let invoice_id = self.new_id("i");
        let number = self.maybe(3, |w| format!("G-{}", 1_000 + w.rng.below(9_000)));
        // A series takes no date after today; an invoice with a number of its own does.
        let issue_date = match &number {
            Some(_) => self.any_date(today),
            None => self.maybe(5, |_| today),
        };
        let due = match self.rng.below(4) {
            0 => Some(Due::Terms(self.any_terms())),
            1 => {
                let days = i32::try_from(self.rng.below(40)).unwrap_or_default();
                issue_date.unwrap_or(today).plus(days).map(Due::Date)
            }
            _ => None,
        };
        let currency = self.maybe(8, Self::any_currency);
        let lines = if self.rng.one_in(4) { self.lines() } else { vec![] };
        let total = match (lines.is_empty(), self.rng.below(30)) {
            (true, 0) => Some(0),
            (true, _) => Some(self.any_amount()),
            (false, _) => None,
        };
        let texts = |text: &str| text.to_owned();
        IssueInvoice {
            ledger_id: book.id.clone(),
            invoice_id: Some(invoice_id),
            customer_id: book.customers[customer].id.clone(),
            number,
            issue_date,
            due,
            currency,
            total,
            lines,
            taxes: vec![],
            // Few, so that invoices share them.
            reference: self.maybe(15, |w| spaced(&reference(&format!("OWN{}", w.count % 3)))),
            purchase_order: self.maybe(5, |_| texts("PO-7")).unwrap_or_default(),
            text: self.maybe(5, |_| texts("Merci de votre confiance")).unwrap_or_default(),
            metadata: self
                .maybe(5, |_| BTreeMap::from([(texts("project"), texts("X"))]))
                .unwrap_or_default(),
            override_credit_limit: self.rng.one_in(4),
        }
    }

    fn lines(&mut self) -> Vec<InvoiceLine> {
        let count = 1 + self.rng.below(4);
        (0..count)
            .map(|line| {
                let by_price = self.rng.one_in(2);
                let amount = self.any_amount();
                let rates = [0, 5_500, 10_000, 20_000];
                InvoiceLine {
                    description: format!("Line {line}"),
                    quantity: by_price.then(|| Decimal::new(amount % 100 + 1, 1)),
                    unit_price: by_price.then(|| Decimal::new(amount, 3)),
                    amount: (!by_price).then_some(amount),
                    rate: Rate(rates[self.rng.index(rates.len())]),
                }
            })
            .collect()
    }

    pub(super) fn issue_credit_note(&mut self, book: &Book, today: Day) -> IssueCreditNote {
        let invoice = self.any_invoice(book);
        let total = invoice.map_or(1, |no| book.invoices[no].total);
        let open = invoice.map_or(1, |no| Self::open(book, no));
        let amount = self.maybe(2, |w| w.part_of(total));
        let usage = match self.rng.below(4) {
            0 | 1 => CreditUse::OffsetThenKeep,
            2 => CreditUse::Keep,
            _ => CreditUse::Offset(self.part_of(amount.unwrap_or(total).min(open.max(1)))),
        };
        IssueCreditNote {
            ledger_id: book.id.clone(),
            credit_note_id: Some(self.new_id("n")),
            invoice_id: Self::id_of(book, invoice),
            number: self.maybe(4, |w| format!("H-{}", 1_000 + w.rng.below(9_000))),
            amount,
            currency: self.maybe(6, |_| Self::currency_of(book, invoice)),
            issue_date: self.maybe(8, |_| today),
            usage,
            reason: String::new(),
        }
    }

    pub(super) fn cancel_invoice(&mut self, book: &Book, today: Day) -> CancelInvoice {
        CancelInvoice {
            ledger_id: book.id.clone(),
            invoice_id: self.invoice_id(book),
            credit_note_id: Some(self.new_id("n")),
            number: self.maybe(4, |w| format!("H-{}", 1_000 + w.rng.below(9_000))),
            date: self.any_date(today),
            reason: "cancelled".to_owned(),
            keep_unapplied: self.rng.one_in(2),
        }
    }

    pub(super) fn dispute(&mut self, book: &Book, today: Day) -> DisputeInvoice {
        DisputeInvoice {
            ledger_id: book.id.clone(),
            invoice_id: self.invoice_id(book),
            date: self.any_date(today),
            reason: "contested".to_owned(),
        }
    }

    pub(super) fn resolve(&mut self, book: &Book, today: Day) -> ResolveDispute {
        let disputed: Vec<usize> = (0..book.invoices.len())
            .filter(|&no| book.disputed(no, crate::model::View::ALL))
            .collect();
        let invoice = self.one_of(&disputed).or_else(|| self.any_invoice(book));
        ResolveDispute {
            ledger_id: book.id.clone(),
            invoice_id: Self::id_of(book, invoice),
            date: self.any_date(today),
        }
    }

    pub(super) fn mark_sent(&mut self, book: &Book, today: Day) -> MarkSent {
        MarkSent {
            ledger_id: book.id.clone(),
            invoice_id: self.invoice_id(book),
            date: self.any_date(today),
        }
    }

    pub(super) fn id_of(book: &Book, invoice: Option<usize>) -> Id {
        invoice.map_or_else(|| super::id("nobody"), |no| book.invoices[no].id.clone())
    }

    pub(super) fn currency_of(book: &Book, invoice: Option<usize>) -> encours_domain::Currency {
        invoice.map_or(book.currency, |no| book.invoices[no].currency)
    }
}

/// A creditor reference in groups of four, as it is printed.
fn spaced(reference: &str) -> String {
    let letters: Vec<char> = reference.chars().collect();
    let groups: Vec<String> = letters.chunks(4).map(|four| four.iter().collect()).collect();
    groups.join(" ")
}
