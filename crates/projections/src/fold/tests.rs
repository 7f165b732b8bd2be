//! Given some events, then these figures.

mod cancelled;

use encours_domain::Position;
use encours_domain::balance::Balance;
use encours_domain::details::{Detail, DetailKind, Secret};
use encours_domain::event::{
    ClockAdvanced, CustomerUpdated, DayFinished, DisputeResolved, InvoiceCancelled,
    InvoiceDisputed, InvoiceReopened, InvoiceSent,
};
use encours_domain::number::{ClockNo, CreditNoteNo, CustomerNo, InvoiceNo, PaymentNo, Source};
use encours_domain::status::{CustomerStatus, Headline};

use crate::counts::facets;
use crate::error::FoldError;
use crate::model::Model;
use crate::rows::InvoiceFlags;
use crate::testing::{Book, LEDGER, currency, day, seeds};

const fn paid_by(no: u32) -> Source {
    Source::Payment(PaymentNo(no))
}

const fn credited_by(no: u32) -> Source {
    Source::CreditNote(CreditNoteNo(no))
}

/// Figures of customer 0 in EUR: invoiced, credited, collected, outstanding, overdue, unapplied.
fn figures(model: &Model) -> [i64; 6] {
    let tables = &model.ledgers[0].tables;
    let first = tables.customers.get(0).unwrap().balance;
    let Some(row) = tables.balance_of(first, currency("EUR")) else { return [0; 6] };
    let b = tables.balances.get(row).unwrap().balance;
    assert!(b.balances(), "the books balance: {b:?}");
    [b.invoiced, b.credited, b.collected, b.outstanding, b.overdue, b.unapplied]
}

fn headline(model: &Model, no: u32) -> Headline {
    let ledger = &model.ledgers[0];
    facets(ledger.tables.invoices.get(no).unwrap(), ledger.today, ledger.plans).headline()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn figures_follow_the_facts() {
    type Case = (&'static str, fn(&mut Book), [i64; 6], Headline);
    let cases: &[Case] = &[
        ("issued", |_| {}, [100, 0, 0, 100, 0, 0], Headline::NotDue),
        (
            "in part",
            |b| {
                b.payment(0, 40, 0);
                b.allocate(paid_by(0), 0, 40, 0);
            },
            [100, 0, 40, 60, 0, 0],
            Headline::PartiallyPaid,
        ),
        (
            "overpaid: the rest stays unapplied",
            |b| {
                b.payment(0, 500, 0);
                b.allocate(paid_by(0), 0, 100, 0);
            },
            [100, 0, 500, 0, 0, 400],
            Headline::Paid,
        ),
        ("on its due date", |b| b.open_day(10), [100, 0, 0, 100, 0, 0], Headline::NotDue),
        ("the day after", |b| b.open_day(11), [100, 0, 0, 100, 100, 0], Headline::Overdue),
        (
            "late, then paid in part",
            |b| {
                b.open_day(12);
                b.payment(0, 30, 12);
                b.allocate(paid_by(0), 0, 30, 12);
            },
            [100, 0, 30, 70, 70, 0],
            Headline::Overdue,
        ),
        (
            "paid, then bounced after it was due",
            |b| {
                b.payment(0, 100, 0);
                b.allocate(paid_by(0), 0, 100, 0);
                b.open_day(20);
                b.deallocate(paid_by(0), 0, 100, 20);
                b.reverse(0, 100, 20);
            },
            [100, 0, 0, 100, 100, 0],
            Headline::Overdue,
        ),
        (
            "a credit note that offsets",
            |b| {
                b.credit_note("EUR", 0, 0, 30, 0);
                b.allocate(credited_by(0), 0, 30, 0);
            },
            [100, 30, 0, 70, 0, 0],
            Headline::PartiallyPaid,
        ),
        (
            "a credit note that is kept",
            |b| _ = b.credit_note("EUR", 0, 0, 30, 0),
            [100, 30, 0, 100, 0, 30],
            Headline::NotDue,
        ),
        (
            "a payment dated later does not count yet",
            |b| {
                b.payment(0, 100, 5);
                b.allocate(paid_by(0), 0, 100, 5);
            },
            [100, 0, 0, 100, 0, 0],
            Headline::NotDue,
        ),
        (
            "and counts on its day",
            |b| {
                b.payment(0, 100, 5);
                b.allocate(paid_by(0), 0, 100, 5);
                b.open_day(5);
            },
            [100, 0, 100, 0, 0, 0],
            Headline::Paid,
        ),
        (
            "an invoice dated later, past its due date on its day after days skipped",
            |b| {
                b.invoice(0, 7, 3, 3);
                b.open_day(4);
            },
            [107, 0, 0, 107, 7, 0],
            Headline::NotDue,
        ),
        (
            "cancelled and reopened",
            |b| {
                b.credit_note("EUR", 0, 0, 100, 0);
                b.allocate(credited_by(0), 0, 100, 0);
                let invoice = InvoiceNo(0);
                b.push(InvoiceCancelled { ledger: LEDGER, invoice, date: day(0) });
                b.deallocate(credited_by(0), 0, 100, 0);
                b.push(InvoiceReopened { ledger: LEDGER, invoice, date: day(0), open: 100 });
            },
            [100, 100, 0, 100, 0, 100],
            Headline::NotDue,
        ),
        (
            "cancelled",
            |b| {
                b.credit_note("EUR", 0, 0, 100, 0);
                b.allocate(credited_by(0), 0, 100, 0);
                let invoice = InvoiceNo(0);
                b.push(InvoiceCancelled { ledger: LEDGER, invoice, date: day(0) });
            },
            [100, 100, 0, 0, 0, 0],
            Headline::Cancelled,
        ),
    ];
    for (name, given, wanted, wanted_headline) in cases {
        let mut book = Book::new();
        book.customer();
        book.invoice(0, 100, 0, 10);
        given(&mut book);
        let model = book.model();
        assert_eq!(figures(&model), *wanted, "{name}");
        assert_eq!(headline(&model, 0), *wanted_headline, "{name}");
        let totals = model.ledgers[0].index.counts.totals();
        let balance: Vec<Balance> = totals.balances;
        assert_eq!(balance[0].outstanding, wanted[3], "{name}: totals");
    }
}

#[test]
fn a_future_invoice_waits_while_it_can_be_seen() {
    let mut book = Book::new();
    book.customer();
    book.invoice(0, 100, 3, 5);
    let totals = |book: &Book| book.model().ledgers[0].index.counts.totals();
    assert_eq!(figures(&book.model()), [0; 6]);
    assert_eq!((totals(&book).open_items, totals(&book).customers.up_to_date), (0, 1));
    assert_eq!(book.model().ledgers[0].tables.invoices.get(0).unwrap().open(), 100);
    book.open_day(3);
    assert_eq!(figures(&book.model()), [100, 0, 0, 100, 0, 0]);
    assert_eq!((totals(&book).open_items, totals(&book).customers.awaiting_payment), (1, 1));
    book.open_day(6);
    assert_eq!(figures(&book.model()), [100, 0, 0, 100, 100, 0]);
    assert_eq!((totals(&book).invoices.overdue, totals(&book).customers.overdue), (1, 1));
}

#[test]
fn grace_delays_overdue() {
    let mut book = Book::new();
    book.customer();
    book.invoice_in("EUR", 0, 100, 0, 0, 3);
    book.open_day(3);
    assert_eq!(figures(&book.model())[4], 0);
    book.open_day(4);
    assert_eq!(figures(&book.model())[4], 100);
}

#[test]
fn dispute_sending_and_ever_overdue_are_kept() {
    let mut book = Book::new();
    book.customer();
    book.invoice(0, 100, 0, 1);
    let invoice = InvoiceNo(0);
    book.push(InvoiceSent { ledger: LEDGER, invoice, date: day(2) });
    book.push(InvoiceSent { ledger: LEDGER, invoice, date: day(3) });
    book.push(InvoiceDisputed { ledger: LEDGER, invoice, date: day(0), reason: "".into() });
    let row = |book: &Book| *book.model().ledgers[0].tables.invoices.get(0).unwrap();
    assert_eq!(row(&book).sent_on, None, "sent tomorrow is not sent");
    assert!(row(&book).flags.has(InvoiceFlags::DISPUTED));
    book.open_day(4);
    book.overdue(0, 2);
    book.push(DisputeResolved { ledger: LEDGER, invoice, date: day(4) });
    book.payment(0, 100, 4);
    book.allocate(paid_by(0), 0, 100, 4);
    assert_eq!(row(&book).sent_on, Some(day(2)), "the first date stays");
    assert!(!row(&book).flags.has(InvoiceFlags::DISPUTED));
    let totals = book.model().ledgers[0].index.counts.totals();
    assert_eq!((totals.ever_overdue, totals.invoices.paid, totals.open_items), (1, 1, 0));
}

#[test]
fn currencies_stay_apart_and_in_order() {
    let mut book = Book::new();
    book.customer();
    for code in ["USD", "EUR", "JPY", "CHF"] {
        book.invoice_in(code, 0, 10, 0, 10, 0);
        book.payment_in(code, 0, 4, 0);
    }
    let model = book.model();
    let tables = &model.ledgers[0].tables;
    let balances: Vec<Balance> =
        tables.balances(tables.customers.get(0).unwrap().balance).copied().collect();
    let codes: Vec<&str> = balances.iter().map(|b| b.currency.code()).collect();
    assert_eq!(codes, ["CHF", "EUR", "JPY", "USD"]);
    assert!(balances.iter().all(|b| b.balances() && b.net() == 6));
}

#[test]
fn a_customer_keeps_details_that_are_not_updated() {
    let mut book = Book::new();
    book.customer();
    book.push(CustomerUpdated {
        ledger: LEDGER,
        customer: CustomerNo(0),
        currency: Some(currency("CHF")),
        terms: None,
        details: vec![(DetailKind::Note, Secret::Sealed(vec![9].into()))],
    });
    let model = book.model();
    let tables = &model.ledgers[0].tables;
    let row = tables.customers.get(0).unwrap();
    let details = super::read_details(&tables.heap, row.details);
    assert_eq!(details, [(DetailKind::Name, vec![1, 2, 0]), (DetailKind::Note, vec![9])]);
    assert_eq!((row.currency, row.created, row.version), (Some(currency("CHF")), 4, 5));
}

#[test]
fn clocks_move() {
    let mut book = Book::new();
    book.push(ClockAdvanced { clock: ClockNo(0), target: day(2), outage: false });
    book.open_day(1);
    book.push(DayFinished { clock: ClockNo(0), day: day(1) });
    let model = book.model();
    let clock = model.root.clocks.get(0).unwrap();
    assert_eq!((clock.today, clock.finished, clock.target), (day(1), day(1), day(2)));
    assert_eq!(model.root.today_at(0, Position(4)), Some(day(0)));
    assert_eq!(model.root.today_at(0, Position(5)), Some(day(1)));
    assert_eq!(model.root.today_at(0, Position(1)), None);
}

#[test]
fn an_event_that_does_not_fit_is_an_error() {
    let unknown = |what, number| FoldError::Unknown { what, number };
    let not_next = |what, wanted, found| FoldError::NotNext { what, wanted, found };
    type Case = (fn(&mut Book), FoldError);
    let cases: &[Case] = &[
        (|b| b.overdue(9, 0), unknown("invoice", 9)),
        (|b| b.allocate(paid_by(7), 0, 1, 0), unknown("payment", 7)),
        (|b| b.allocate(credited_by(7), 0, 1, 0), unknown("credit note", 7)),
        (|b| b.allocate(paid_by(0), 3, 1, 0), unknown("invoice", 3)),
        (|b| _ = b.invoice(5, 1, 0, 1), unknown("customer", 5)),
        (
            |b| b.deallocate(paid_by(0), 0, 51, 0),
            FoldError::NotAllocated { invoice: 0, missing: 1 },
        ),
        (
            |b| {
                b.invoice(0, 1, 0, 1);
                b.invoice(0, 1, 0, 1);
            },
            not_next("invoice", 1, 2),
        ),
        (
            |b| {
                b.push(CustomerUpdated {
                    ledger: LEDGER,
                    customer: CustomerNo(0),
                    currency: None,
                    terms: None,
                    details: vec![(DetailKind::Note, Secret::Clear(Detail::Note("secret".into())))],
                });
            },
            FoldError::NotSealed,
        ),
    ];
    for (given, wanted) in cases {
        let mut book = Book::new();
        book.customer();
        book.invoice(0, 100, 0, 10);
        book.payment(0, 50, 0);
        book.allocate(paid_by(0), 0, 50, 0);
        let mut model = book.model();
        given(&mut book);
        let event = book.events.last().unwrap();
        assert_eq!(model.fold(Position(99), event).as_ref(), Err(wanted));
    }
}

#[test]
fn indexes_built_at_load_are_those_kept_in_step() {
    for seed in seeds(30) {
        let model = crate::testing::random_book(seed, 300).model();
        let ledgers = model.ledgers.iter().map(|ledger| ledger.tables.clone()).collect();
        let again = Model::of(model.seen, model.root.clone(), ledgers).unwrap();
        let (kept, built) = (&model.ledgers[0].index, &again.ledgers[0].index);
        let repeat = format!("ENCOURS_SEED={seed} cargo test -p encours-projections indexes");
        assert_eq!(kept.waiting, built.waiting, "{repeat}");
        assert_eq!(kept.overdue_from, built.overdue_from, "{repeat}");
        assert_eq!(kept.counts.totals(), built.counts.totals(), "{repeat}");
        assert_eq!(model.digest(), again.digest(), "{repeat}");
        let mut free = (kept.free.clone(), built.free.clone());
        free.0.sort_unstable();
        free.1.sort_unstable();
        assert_eq!(free.0, free.1, "{repeat}");
    }
}

#[test]
fn statuses_are_derived() {
    let mut book = Book::new();
    for _ in 0..4 {
        book.customer();
    }
    book.invoice(0, 10, 0, 0);
    book.invoice(1, 10, 0, 9);
    book.payment(2, 5, 0);
    book.open_day(1);
    let model = book.model();
    let tables = &model.ledgers[0].tables;
    let statuses: Vec<CustomerStatus> =
        tables.customers.iter().map(|row| tables.status(row.balance)).collect();
    assert_eq!(
        statuses,
        [
            CustomerStatus::Overdue,
            CustomerStatus::AwaitingPayment,
            CustomerStatus::InCredit,
            CustomerStatus::UpToDate
        ]
    );
    let counts = model.ledgers[0].index.counts.totals().customers;
    assert!(statuses.iter().all(|status| counts.get(*status) == 1));
}
