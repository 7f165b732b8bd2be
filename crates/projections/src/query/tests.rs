//! Queries against books by hand, and against an oracle that adds up the events themselves.

mod lists;
mod writer;

use std::collections::BTreeMap;

use encours_domain::balance::Balance;
use encours_domain::event::{
    Direction, InvoiceDisputed, InvoiceSent, OpeningItemAdded, OpeningItemCorrected,
};
use encours_domain::number::{CustomerNo, InvoiceNo, PaymentNo, Source};
use encours_domain::resource::ItemKind;
use encours_domain::status::{CustomerStatus, Headline, Settlement, Timing};
use encours_domain::terms::DueTerms;
use encours_domain::{Currency, Day, Event, LedgerNo, Micros, Position};

use super::{AsOf, CustomerFilter, InvoiceFilter, Key, MAX_PAGE, NameOf, Page, PaymentFilter};
use crate::read_model::ReadModel;
use crate::testing::{Book, LEDGER, Random, caught_up, currency, day, id, random_book, seeds};
use crate::{AgeingFigures, CreditNoteFilter};

const NOW: AsOf = AsOf { date: None, known: None };

const NAMELESS: NameOf<'_> = &|_, _| None;

fn as_of(date: i32) -> AsOf {
    AsOf { date: Some(day(date)), known: None }
}

/// Every item of a list, by pages of `limit`.
fn all<T>(limit: usize, list: impl Fn(Page) -> super::Items<T>) -> Vec<T> {
    let mut page = Page::first(limit);
    let mut found = Vec::new();
    loop {
        let items = list(page);
        assert!(items.items.len() <= limit);
        found.extend(items.items);
        match items.next {
            Some(after) => page.after = Some(after),
            None => return found,
        }
    }
}

#[test]
fn things_are_found_by_id_and_number() {
    let mut book = Book::new();
    book.customer();
    book.invoice(0, 100, 0, 10);
    book.payment(0, 30, 0);
    book.credit_note("EUR", 0, 0, 20, 0);
    book.allocate(Source::Payment(PaymentNo(0)), 0, 30, 0);
    let read = book.read();
    let ledger = read.ledger("acme").value.unwrap();
    assert_eq!((ledger.no, ledger.clock.today, ledger.invoices), (LEDGER, day(0), 1));
    assert_eq!(read.ledger("other").value, None);
    assert_eq!(read.ledgers(Page::first(10)).value.items, [ledger]);
    assert_eq!(read.ledger_no("acme").value, Some(LEDGER));

    let invoice = read.invoice(LEDGER, "I0").value.unwrap();
    assert_eq!(read.invoice_by_number(LEDGER, "FA-00000").value.as_ref(), Some(&invoice));
    assert_eq!((invoice.open, invoice.credited, invoice.credit_noted), (70, 0, 20));
    assert_eq!((invoice.created, invoice.version), (Position(5), Position(8)));
    assert_eq!((&*invoice.reference, invoice.customer_id.as_str()), ("RF0", "C0"));
    assert_eq!(invoice.facets.headline(), Headline::PartiallyPaid);

    let payment = read.payment(LEDGER, "P0").value.unwrap();
    assert_eq!((payment.unapplied, &*payment.reference), (0, "thanks"));
    assert_eq!(payment.allocations.len(), 1);
    assert_eq!((payment.allocations[0].amount, payment.allocations[0].date), (30, day(0)));
    let note = read.credit_note(LEDGER, "N0").value.unwrap();
    assert_eq!((note.unapplied, note.invoice_id.as_str(), &*note.number), (20, "I0", "AV-00000"));
    let customer = read.customer(LEDGER, "C0", NOW).value.unwrap();
    assert_eq!((customer.balances[0].outstanding, customer.details.len()), (70, 1));

    assert_eq!(read.invoice(LEDGER, "I1").value, None);
    assert_eq!(read.invoice(LedgerNo(9), "I0").value, None);
    assert_eq!(read.payment(LEDGER, "I0").value, None);
    assert_eq!(read.credit_note(LEDGER, "").value, None);
    assert_eq!(read.invoice(LEDGER, "I0").position, Position(8));
    assert_eq!(read.invoice_id(LEDGER, InvoiceNo(0)).unwrap().as_str(), "I0");
    assert_eq!(read.customer_id(LEDGER, CustomerNo(0)).unwrap().as_str(), "C0");
    assert_eq!(read.payment_id(LEDGER, PaymentNo(1)), None);
    assert_eq!(read.ledger_id(LEDGER).unwrap().as_str(), "acme");
    read.stop();
}

#[test]
fn a_past_report_does_not_change() {
    let mut book = Book::new();
    book.customer();
    book.invoice(0, 100, 0, 10);
    book.payment(0, 100, 5);
    book.allocate(Source::Payment(PaymentNo(0)), 0, 100, 5);
    book.open_day(30);
    book.commit();
    let known = AsOf { date: None, known: Some(Position(book.events.len() as u64)) };
    book.deallocate(Source::Payment(PaymentNo(0)), 0, 100, 30);
    book.reverse(0, 100, 30);
    book.payment(0, 60, 8);
    book.allocate(Source::Payment(PaymentNo(1)), 0, 60, 8);
    let read = book.read();
    let balance = |as_of| read.customer(LEDGER, "C0", as_of).value.unwrap().balances[0];
    let row = |as_of| {
        let ageing = read.ageing(LEDGER, as_of, false).value.unwrap();
        ageing.rows.first().map_or(AgeingFigures::default(), |row| row.figures)
    };
    assert_eq!((balance(as_of(4)).outstanding, row(as_of(4)).not_due), (100, 100));
    assert_eq!((balance(as_of(7)).outstanding, row(as_of(7)).not_due), (0, 0));
    // The money of day 8 was recorded on day 30, when the first payment was still allocated on 8.
    assert_eq!(balance(as_of(30)).outstanding, 40);
    assert_eq!((balance(NOW).overdue, row(NOW).d1_30, row(NOW).balance), (40, 40, 40));
    // As known before the reversal, all was paid.
    assert_eq!((balance(known).outstanding, row(known)), (0, AgeingFigures::default()));
    assert_eq!(read.position_at(Micros(1_999_999)).unwrap(), known.known.unwrap());
    assert_eq!(read.position_at(Micros(2_000_000)).unwrap(), read.position());
    assert_eq!(read.position_at(Micros(0)).unwrap(), Position::START);
    let unknown = AsOf { date: None, known: Some(Position(2)) };
    assert_eq!(read.customer(LEDGER, "C0", unknown).value, None);
    assert_eq!(read.ageing(LEDGER, unknown, false).value.unwrap().customers.up_to_date, 0);
    assert_eq!(read.ageing(LedgerNo(5), NOW, false).value, None);
    read.stop();
}

#[test]
fn ageing_shows_settled_customers_where_asked() {
    let mut book = Book::new();
    book.customer();
    book.customer();
    book.invoice_in("EUR", 1, 100, 0, 30, 0);
    book.commit();
    let read = book.read();
    let rows = |settled| read.ageing(LEDGER, NOW, settled).value.unwrap().rows;
    assert_eq!(rows(false).len(), 1);
    let all = rows(true);
    let shown: Vec<_> =
        all.iter().map(|row| (row.customer_id.as_str(), row.figures.balance)).collect();
    assert_eq!(shown, [("C0", 0), ("C1", 100)]);
    assert_eq!(all[0].currency, all[1].currency);
    read.stop();
}

#[test]
fn ageing_has_the_bounds_of_the_books() {
    let mut book = Book::new();
    book.customer();
    // Days late on day 130: 0, 1, 30, 31, 60, 61, 90, 91, 120, 121, 130.
    for late in [0, 1, 30, 31, 60, 61, 90, 91, 120, 121, 130] {
        book.invoice_in("EUR", 0, 1 << (late % 16), 0, 130 - late, 9);
    }
    book.payment(0, 7, 0);
    book.open_day(130);
    let read = book.read();
    let ageing = read.ageing(LEDGER, NOW, false).value.unwrap();
    let sum = |late: &[i32]| late.iter().map(|late| 1_i64 << (late % 16)).sum::<i64>();
    let wanted = AgeingFigures {
        not_due: sum(&[0]),
        d1_30: sum(&[1, 30]),
        d31_60: sum(&[31, 60]),
        d61_90: sum(&[61, 90]),
        d91_120: sum(&[91, 120]),
        d121_plus: sum(&[121, 130]),
        unapplied: 7,
        balance: sum(&[0, 1, 30, 31, 60, 61, 90, 91, 120, 121, 130]) - 7,
    };
    assert_eq!(ageing.rows[0].figures, wanted);
    assert_eq!(ageing.totals, [(currency("EUR"), wanted)]);
    assert_eq!((ageing.open_items, ageing.customers.overdue), (11, 1));
    read.stop();
}

#[test]
fn an_opening_item_ages_by_what_was_said_of_it_then() {
    let mut book = Book::new();
    book.customer();
    let mut opening = |no: u32, direction, amount, paid, due: i32| {
        book.push(OpeningItemAdded {
            ledger: LEDGER,
            invoice: InvoiceNo(no),
            id: id(&format!("O{no}")),
            customer: CustomerNo(0),
            number: format!("OLD-{no}").into(),
            direction,
            currency: currency("EUR"),
            amount,
            paid,
            date: day(0),
            due: DueTerms { date: day(due), grace_days: 0 },
            reference: "".into(),
            sent_on: None,
        });
    };
    opening(0, Direction::Owed, 120, 20, -5);
    opening(1, Direction::Owing, 50, 10, 0);
    book.allocate(Source::Opening(InvoiceNo(1)), 0, 15, 0);
    book.open_day(40);
    let added = Position(book.events.len() as u64);
    book.commit();
    book.push(OpeningItemCorrected {
        ledger: LEDGER,
        invoice: InvoiceNo(0),
        amount: 200,
        paid: 20,
        due: DueTerms { date: day(60), grace_days: 0 },
        date: day(40),
        left_after: 165,
        not_overdue: true,
    });
    let read = book.read();
    let row = |as_of| read.ageing(LEDGER, as_of, false).value.unwrap().rows[0].figures;
    let known = AsOf { date: None, known: Some(added) };
    let (then, now) = (row(known), row(NOW));
    assert_eq!((then.d31_60, then.not_due, then.unapplied, then.balance), (85, 0, 25, 60));
    assert_eq!((now.d31_60, now.not_due, now.unapplied, now.balance), (0, 165, 25, 140));
    assert_eq!(row(as_of(39)), AgeingFigures { d31_60: 85, ..then });
    let balance = |as_of| read.customer(LEDGER, "C0", as_of).value.unwrap().balances[0];
    assert_eq!((balance(NOW).opening, balance(NOW).overdue), (140, 0));
    assert_eq!((balance(known).opening, balance(known).overdue), (60, 85));
    assert_eq!((balance(NOW).invoiced, balance(NOW).credited), (0, 0));
    let owed = read.invoice(LEDGER, "O0").value.unwrap();
    assert_eq!((owed.total, owed.paid_before, owed.open, owed.credited), (200, 20, 165, 15));
    let owing = read.invoice_by_number(LEDGER, "OLD-1").value.unwrap();
    assert_eq!((owing.open, owing.unapplied, owing.kind), (0, 25, ItemKind::OpeningOwing));
    assert_eq!(read.totals(LEDGER).value.open_items, 1);
    read.stop();
}

#[test]
fn activity_is_every_event_about_the_invoice() {
    let mut book = Book::new();
    book.customer();
    book.customer();
    book.invoice(0, 100, 0, 10);
    book.invoice(1, 100, 0, 10);
    let mut about = vec![book.events.len() as u64 - 1];
    let mut noted = |book: &Book| about.push(book.events.len() as u64);
    let invoice = InvoiceNo(0);
    book.push(InvoiceSent { ledger: LEDGER, invoice, date: day(0) });
    noted(&book);
    book.push(InvoiceDisputed { ledger: LEDGER, invoice, date: day(0), reason: "".into() });
    noted(&book);
    book.payment(0, 90, 0);
    book.allocate(Source::Payment(PaymentNo(0)), 0, 50, 0);
    noted(&book);
    book.payment(1, 90, 0);
    book.allocate(Source::Payment(PaymentNo(1)), 1, 90, 0);
    book.deallocate(Source::Payment(PaymentNo(0)), 0, 10, 0);
    noted(&book);
    book.credit_note("EUR", 0, 0, 5, 0);
    noted(&book);
    book.open_day(11);
    book.overdue(0, 11);
    noted(&book);
    let read = book.read();
    for limit in [1, 2, 3, 100] {
        let found = all(limit, |page| read.activity(LEDGER, "I0", page).value.unwrap());
        assert_eq!(found, about.iter().copied().map(Position).collect::<Vec<_>>());
    }
    assert_eq!(read.activity(LEDGER, "I7", Page::first(5)).value, None);
    // A token of another invoice's list leads nowhere else.
    let astray =
        read.activity(LEDGER, "I0", Page { after: Some(Key(3)), ..Page::first(50) }).value.unwrap();
    assert_eq!(astray.items.len(), about.len());
    let positions = read.positions(LEDGER, Position(3), 4).value;
    assert_eq!(positions, [4, 5, 6, 7].map(Position));
    assert_eq!(read.positions(LEDGER, Position::START, 2).value, [3, 4].map(Position));
    // Days belong to the clock, not to the ledger.
    assert_eq!(read.positions(LEDGER, Position::START, 1_000).value.len(), 14);
    read.stop();
}

#[test]
fn lists_filter() {
    let mut book = Book::new();
    for _ in 0..3 {
        book.customer();
    }
    for no in 0..30 {
        book.invoice(no % 3, 10, 0, i32::try_from(no % 5).unwrap());
        book.payment(no % 3, 10, 0);
        if no % 2 == 0 {
            book.allocate(Source::Payment(PaymentNo(no)), no, 10, 0);
        } else if no % 3 == 0 {
            book.allocate(Source::Payment(PaymentNo(no)), no, 4, 0);
        }
    }
    book.credit_note("EUR", 1, 1, 3, 0);
    book.push(InvoiceDisputed {
        ledger: LEDGER,
        invoice: InvoiceNo(7),
        date: day(0),
        reason: "".into(),
    });
    book.open_day(3);
    let read = book.read();
    let invoices = |filter: InvoiceFilter| -> Vec<u32> {
        let found = all(4, |page| read.invoices(LEDGER, &filter, page, NAMELESS).value);
        found.iter().map(|invoice| invoice.no.0).collect()
    };
    let wanted = |keep: fn(u32) -> bool| (0..30).filter(|no| keep(*no)).collect::<Vec<_>>();
    let none = InvoiceFilter::default;
    let paid = |no: &u32| no.is_multiple_of(2);
    assert_eq!(invoices(none()), wanted(|_| true));
    let of_customer = InvoiceFilter { customer: Some(CustomerNo(2)), ..none() };
    assert_eq!(invoices(of_customer.clone()), wanted(|no| no % 3 == 2));
    let unpaid = InvoiceFilter { open: Some(true), ..of_customer };
    assert_eq!(invoices(unpaid), wanted(|no| no % 3 == 2 && no % 2 == 1));
    let headlines = vec![Headline::Overdue];
    let overdue = InvoiceFilter { headlines, ..none() };
    assert_eq!(invoices(overdue), wanted(|no| no % 2 == 1 && no % 5 < 3));
    let settlement = Some(Settlement::PartiallyPaid);
    let partly = InvoiceFilter { settlement, ..none() };
    assert_eq!(invoices(partly), wanted(|no| no % 6 == 3));
    let timing = InvoiceFilter { timing: Some(Timing::Due), ..none() };
    assert_eq!(invoices(timing), wanted(|no| no % 5 == 3));
    assert_eq!(invoices(InvoiceFilter { disputed: Some(true), ..none() }), [7]);
    let filter = PaymentFilter { customer: Some(CustomerNo(1)), has_unapplied: Some(false) };
    let payments = all(3, |page| read.payments(LEDGER, filter, page).value);
    let payments: Vec<u32> = payments.iter().map(|payment| payment.no.0).collect();
    assert_eq!(payments, (0..30).filter(|no| no % 3 == 1 && paid(no)).collect::<Vec<_>>());
    let filter = CreditNoteFilter { invoice: Some(InvoiceNo(1)), ..CreditNoteFilter::default() };
    assert_eq!(read.credit_notes(LEDGER, filter, Page::first(9)).value.items.len(), 1);
    let statuses = vec![CustomerStatus::Overdue];
    let filter = CustomerFilter { statuses, ..CustomerFilter::default() };
    let customers = all(2, |page| read.customers(LEDGER, &filter, NOW, page, NAMELESS).value);
    assert_eq!(customers.len(), 3);
    read.stop();
}

#[test]
fn pages_stand_still_while_the_log_grows() {
    let mut book = Book::new();
    book.customer();
    for _ in 0..25 {
        book.invoice(0, 10, 0, 5);
    }
    let read = book.read();
    let filter = InvoiceFilter { customer: Some(CustomerNo(0)), ..InvoiceFilter::default() };
    let mut seen = Vec::new();
    let mut page = Page::first(10);
    loop {
        let items = read.invoices(LEDGER, &filter, page, NAMELESS).value;
        seen.extend(items.items.iter().map(|invoice| invoice.no.0));
        let Some(after) = items.next else { break };
        page.after = Some(after);
        if seen.len() < 30 {
            book.invoice(0, 10, 0, 5);
            book.commit();
            caught_up(&read, Position(book.events.len() as u64));
        }
    }
    assert_eq!(seen, (0..u32::try_from(seen.len()).unwrap()).collect::<Vec<_>>());
    assert!(seen.len() >= 27);
    let items = read.invoices(LEDGER, &filter, Page::first(usize::MAX), NAMELESS).value;
    assert!(items.items.len() <= MAX_PAGE);
    read.stop();
}

/// What the events themselves add up to, as of a day and as known at a position.
struct Oracle {
    /// By invoice and opening item owed: customer, currency, due date, first overdue day, open amount.
    invoices: BTreeMap<u32, (u32, Currency, Day, Day, i64)>,
    /// By opening item: who owes whom, and its amount less what was settled before.
    openings: BTreeMap<u32, (Direction, i64)>,
    /// By source: customer, currency, unapplied.
    sources: BTreeMap<Source, (u32, Currency, i64)>,
    balances: BTreeMap<(u32, Currency), Balance>,
}

impl Oracle {
    fn of(events: &[Event], date: Day) -> Self {
        let mut oracle = Self {
            invoices: BTreeMap::new(),
            openings: BTreeMap::new(),
            sources: BTreeMap::new(),
            balances: BTreeMap::new(),
        };
        for event in events {
            oracle.add(event, date);
        }
        for (customer, currency, _, overdue_from, open) in oracle.invoices.values() {
            let balance = oracle.balances.get_mut(&(*customer, *currency)).unwrap();
            balance.outstanding += open;
            balance.overdue += if *overdue_from <= date { *open } else { 0 };
        }
        for (customer, currency, unapplied) in oracle.sources.values() {
            oracle.balances.get_mut(&(*customer, *currency)).unwrap().unapplied += unapplied;
        }
        oracle
    }

    fn balance(&mut self, customer: CustomerNo, currency: Currency) -> &mut Balance {
        self.balances.entry((customer.0, currency)).or_insert(Balance::zero(currency))
    }

    fn add(&mut self, event: &Event, date: Day) {
        match event {
            Event::InvoiceIssued(e) if e.issue_date <= date => {
                let due = e.due;
                let invoice = (e.customer.0, e.currency, due.date, due.overdue_from(), e.total);
                self.invoices.insert(e.invoice.0, invoice);
                self.balance(e.customer, e.currency).invoiced += e.total;
            }
            Event::PaymentRecorded(e) if e.received_on <= date => {
                let source = (e.customer.0, e.currency, e.amount);
                self.sources.insert(Source::Payment(e.payment), source);
                self.balance(e.customer, e.currency).collected += e.amount;
            }
            Event::CreditNoteIssued(e) if e.issue_date <= date => {
                let source = (e.customer.0, e.currency, e.amount);
                self.sources.insert(Source::CreditNote(e.credit_note), source);
                self.balance(e.customer, e.currency).credited += e.amount;
            }
            Event::PaymentReversed(e) if e.date <= date => {
                let source = self.sources.get_mut(&Source::Payment(e.payment)).unwrap();
                source.2 -= e.amount;
                let (customer, currency, _) = *source;
                self.balance(CustomerNo(customer), currency).collected -= e.amount;
            }
            Event::PaymentRefunded(e) if e.date <= date => {
                let source = self.sources.get_mut(&Source::Payment(e.payment)).unwrap();
                source.2 -= e.amount;
                let (customer, currency, _) = *source;
                self.balance(CustomerNo(customer), currency).refunded += e.amount;
            }
            Event::OpeningItemAdded(e) if e.date <= date => {
                let (due, left) = (e.due, e.amount - e.paid);
                self.openings.insert(e.invoice.0, (e.direction, left));
                let balance = self.balance(e.customer, e.currency);
                if e.direction == Direction::Owed {
                    balance.opening += left;
                    let item = (e.customer.0, e.currency, due.date, due.overdue_from(), left);
                    self.invoices.insert(e.invoice.0, item);
                } else {
                    balance.opening -= left;
                    let source = (e.customer.0, e.currency, left);
                    self.sources.insert(Source::Opening(e.invoice), source);
                }
            }
            Event::OpeningItemCorrected(e) if e.date <= date => {
                let (direction, left) = self.openings.get_mut(&e.invoice.0).unwrap();
                let (direction, more) = (*direction, e.amount - e.paid - *left);
                *left += more;
                if direction == Direction::Owed {
                    let item = self.invoices.get_mut(&e.invoice.0).unwrap();
                    (item.2, item.3) = (e.due.date, e.due.overdue_from());
                    item.4 += more;
                    let (customer, currency, ..) = *item;
                    self.balance(CustomerNo(customer), currency).opening += more;
                } else {
                    let source = self.sources.get_mut(&Source::Opening(e.invoice)).unwrap();
                    source.2 += more;
                    let (customer, currency, _) = *source;
                    self.balance(CustomerNo(customer), currency).opening -= more;
                }
            }
            Event::Allocated(e) if e.date <= date => {
                self.invoices.get_mut(&e.invoice.0).unwrap().4 -= e.amount;
                self.sources.get_mut(&e.source).unwrap().2 -= e.amount;
            }
            Event::Deallocated(e) if e.date <= date => {
                self.invoices.get_mut(&e.invoice.0).unwrap().4 += e.amount;
                self.sources.get_mut(&e.source).unwrap().2 += e.amount;
            }
            _ => {}
        }
    }

    fn customer(&self, no: u32) -> Vec<Balance> {
        let currencies = self.balances.iter().filter(|((customer, _), _)| *customer == no);
        currencies.map(|(_, balance)| *balance).collect()
    }
}

fn compare(read: &ReadModel, book: &Book, at: AsOf, repeat: &str) {
    let known = at.known.map_or(book.events.len(), |known| usize::try_from(known.0).unwrap());
    let events = &book.events[..known];
    let today = events.iter().rev().find_map(|event| match event {
        Event::DayOpened(e) => Some(e.day),
        _ => None,
    });
    let date = at.date.or(today).unwrap_or(day(0));
    let oracle = Oracle::of(events, date);

    let customers =
        all(7, |page| read.customers(LEDGER, &CustomerFilter::default(), at, page, NAMELESS).value);
    let created = events.iter().filter(|event| matches!(event, Event::CustomerCreated(_)));
    assert_eq!(customers.len(), created.count(), "{repeat}: {at:?}");
    for customer in &customers {
        assert_eq!(customer.balances, oracle.customer(customer.no.0), "{repeat}: {at:?}");
        let one = read.customer(LEDGER, customer.id.as_str(), at).value;
        assert_eq!(one.as_ref(), Some(customer), "{repeat}");
    }

    let ageing = read.ageing(LEDGER, at, false).value.unwrap();
    assert_eq!(ageing.date, date, "{repeat}");
    let open = oracle.invoices.values().filter(|invoice| invoice.4 > 0).count();
    assert_eq!(ageing.open_items as usize, open, "{repeat}: {at:?}");
    for row in &ageing.rows {
        let figures = row.figures;
        let balance = oracle.balances[&(row.customer.0, row.currency)];
        assert_eq!(figures.balance, balance.net(), "{repeat}: {at:?}");
        assert_eq!(figures.unapplied, balance.unapplied, "{repeat}: {at:?}");
        let not_due = oracle.invoices.values().filter(|(customer, currency, due, ..)| {
            (*customer, *currency) == (row.customer.0, row.currency) && *due >= date
        });
        assert_eq!(figures.not_due, not_due.map(|invoice| invoice.4).sum::<i64>(), "{repeat}");
    }
    let missing = oracle.balances.iter().filter(|((customer, currency), _)| {
        !ageing.rows.iter().any(|row| (row.customer.0, row.currency) == (*customer, *currency))
    });
    for ((customer, _), balance) in missing {
        assert_eq!(balance.net(), 0, "{repeat}: customer {customer} has no row");
    }
    for status in [
        CustomerStatus::Overdue,
        CustomerStatus::AwaitingPayment,
        CustomerStatus::InCredit,
        CustomerStatus::UpToDate,
    ] {
        let wanted = customers.iter().filter(|customer| customer.status == status).count();
        assert_eq!(ageing.customers.get(status) as usize, wanted, "{repeat}: {at:?} {status:?}");
    }
}

/// Compares the present and some pasts of a book.
fn compare_pasts(read: &ReadModel, book: &Book, random: &mut Random, repeat: &str) {
    let last = book.events.len() as u64;
    let today = book.events.iter().rev().find_map(|event| match event {
        Event::DayOpened(e) => Some(e.day),
        _ => None,
    });
    let today = today.unwrap_or(day(0)).since(day(0));
    compare(read, book, NOW, repeat);
    for _ in 0..6 {
        let known = Some(Position(3 + random.below(last - 2)));
        let date = Some(day(random.within(-25, today + 40)));
        compare(read, book, AsOf { date, known: None }, repeat);
        compare(read, book, AsOf { date: None, known }, repeat);
        compare(read, book, AsOf { date, known }, repeat);
    }
    let explicit = AsOf { date: Some(day(today)), known: Some(read.position()) };
    let totals = read.totals(LEDGER).value;
    let ageing = read.ageing(LEDGER, explicit, false).value.unwrap();
    assert_eq!(totals.customers, ageing.customers, "{repeat}");
    assert_eq!(totals.open_items, ageing.open_items, "{repeat}");
    for balance in &totals.balances {
        let found = ageing.totals.iter().find(|(currency, _)| *currency == balance.currency);
        let shown = found.map_or(AgeingFigures::default(), |(_, figures)| *figures);
        assert_eq!((shown.balance, shown.unapplied), (balance.net(), balance.unapplied));
    }
}

#[test]
fn any_past_is_what_the_events_add_up_to() {
    for seed in seeds(60) {
        let repeat = format!("ENCOURS_SEED={seed} cargo test -p encours-projections any_past");
        let mut book = random_book(seed, 150);
        let read = book.read();
        compare_pasts(&read, &book, &mut Random::new(seed ^ 0xABCD), &repeat);
        read.stop();
    }
}
