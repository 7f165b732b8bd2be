//! An invoice is cancelled as long as its figures make it so, whenever it was told.

use encours_domain::event::{Direction, InvoiceCancelled, InvoiceReopened, OpeningItemAdded};
use encours_domain::number::{CustomerNo, InvoiceNo, Source};
use encours_domain::status::Headline;
use encours_domain::terms::DueTerms;

use super::{credited_by, headline, paid_by};
use crate::testing::{Book, LEDGER, currency, day, id};

const INVOICE: InvoiceNo = InvoiceNo(0);

fn cancelled(book: &mut Book, on: i32) {
    book.push(InvoiceCancelled { ledger: LEDGER, invoice: INVOICE, date: day(on) });
}

/// A book with an invoice of 100, and credit notes against it that are allocated to it.
fn credited_book(amounts: &[i64]) -> Book {
    let mut book = Book::new();
    book.customer();
    book.invoice(0, 100, 0, 20);
    for amount in amounts {
        let no = book.credit_note("EUR", 0, 0, *amount, 0);
        book.allocate(credited_by(no), 0, *amount, 0);
    }
    book
}

/// What the headline of invoice 0 is, in lists and in the totals alike.
fn told(book: &Book) -> Headline {
    let model = book.model();
    let headline = headline(&model, 0);
    let invoices = model.ledgers[0].index.counts.totals().invoices;
    assert_eq!(invoices.get(headline), 1, "{invoices:?}");
    headline
}

#[test]
fn an_invoice_cancelled_before_a_credit_comes_off_is_cancelled_at_once() {
    let mut book = credited_book(&[40]);
    book.deallocate(credited_by(0), 0, 40, 5);
    assert_eq!(told(&book), Headline::PartiallyPaid);
    // Cancelled today: the rest is credited now, what comes off is put back on the day it does.
    book.credit_note("EUR", 0, 0, 60, 0);
    book.allocate(credited_by(1), 0, 60, 0);
    book.allocate(credited_by(0), 0, 40, 5);
    cancelled(&mut book, 5);
    assert_eq!(told(&book), Headline::Cancelled, "nothing is open until then, all by its credits");
    book.open_day(6);
    assert_eq!(told(&book), Headline::Cancelled);
}

#[test]
fn a_cancelled_invoice_of_which_more_comes_off_before_it_is_reopened_is_not_cancelled() {
    let mut book = credited_book(&[40, 60]);
    cancelled(&mut book, 0);
    book.deallocate(credited_by(0), 0, 40, 5);
    book.push(InvoiceReopened { ledger: LEDGER, invoice: INVOICE, date: day(5), open: 40 });
    // It is open in the end already: no second reopening is told.
    book.deallocate(credited_by(1), 0, 60, 2);
    assert_eq!(told(&book), Headline::Cancelled);
    book.open_day(2);
    assert_eq!(told(&book), Headline::PartiallyPaid);
    book.open_day(5);
    assert_eq!(told(&book), Headline::NotDue);
}

#[test]
fn what_others_settle_is_paid_though_its_credit_notes_reach_its_total() {
    let others: [fn(&mut Book) -> Source; 3] = [
        |book| paid_by(book.payment(0, 40, 0)),
        |book| {
            let other = book.invoice(0, 40, 0, 20);
            credited_by(book.credit_note("EUR", 0, other, 40, 0))
        },
        |book| {
            let invoice = InvoiceNo(1);
            book.push(OpeningItemAdded {
                ledger: LEDGER,
                invoice,
                id: id("O1"),
                customer: CustomerNo(0),
                number: "O1".into(),
                direction: Direction::Owing,
                currency: currency("EUR"),
                amount: 40,
                paid: 0,
                date: day(0),
                due: DueTerms { date: day(0), grace_days: 0 },
                reference: "".into(),
                sent_on: None,
            });
            Source::Opening(invoice)
        },
    ];
    for other in others {
        let mut book = credited_book(&[60]);
        let source = other(&mut book);
        book.allocate(source, 0, 40, 0);
        let kept = book.credit_note("EUR", 0, 0, 40, 0);
        assert_eq!(headline(&book.model(), 0), Headline::Paid, "{source:?}");
        // Its own credit takes the other's place on a day to come.
        book.deallocate(source, 0, 40, 3);
        book.allocate(credited_by(kept), 0, 40, 3);
        cancelled(&mut book, 3);
        assert_eq!(headline(&book.model(), 0), Headline::Paid, "{source:?}");
        book.open_day(3);
        assert_eq!(headline(&book.model(), 0), Headline::Cancelled, "{source:?}");
    }
}

#[test]
fn a_total_of_zero_is_paid() {
    let mut book = Book::new();
    book.customer();
    book.invoice(0, 0, 0, 20);
    assert_eq!(told(&book), Headline::Paid);
}
