//! Queries against books by hand, against the writer, and against an oracle that adds up the events.

mod lists;
mod past;
mod search;
mod writer;

use encours_domain::dunning::{Channel, Step};
use encours_domain::event::{
    Direction, InvoiceDisputed, InvoiceSent, OpeningItemAdded, OpeningItemCorrected,
    ReminderEmitted, ReminderRecorded, RemindersStopped,
};
use encours_domain::number::{CustomerNo, InvoiceNo, PaymentNo, Source};
use encours_domain::resource::ItemKind;
use encours_domain::status::{CustomerStatus, Headline, Settlement, Timing};
use encours_domain::terms::DueTerms;
use encours_domain::{LedgerNo, Micros, Position};

use super::{
    AsOf, CustomerFilter, InvoiceFilter, Key, MAX_PAGE, NameOf, Page, PaymentFilter, PlanState,
};
use crate::testing::{Book, LEDGER, caught_up, currency, day, id};
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
fn a_plan_tells_what_went_out_what_is_to_come_and_why_not() {
    let mut book = Book::new();
    book.customer();
    for _ in 0..4 {
        book.invoice(0, 100, 0, 30);
    }
    let sent = |book: &mut Book, no: u32| {
        book.push(InvoiceSent { ledger: LEDGER, invoice: InvoiceNo(no), date: day(0) });
        book.push(ReminderEmitted {
            ledger: LEDGER,
            invoice: InvoiceNo(no),
            step: Step::IssueNotice,
            level: 0,
            channel: Channel::Email,
            template: "issue-notice".into(),
            planned: day(0),
            date: day(0),
            open: 100,
        });
    };
    (0..3).for_each(|no| sent(&mut book, no));
    let (date, text) = (day(0), "");
    let (ledger, invoice) = (LEDGER, InvoiceNo(0));
    let channel = Channel::Phone;
    book.push(ReminderRecorded { ledger, invoice, level: 2, channel, date, text: text.into() });
    let invoice = InvoiceNo(1);
    // The dispute is dated later, and holds the plan at once.
    book.push(InvoiceDisputed { ledger, invoice, date: day(3), reason: text.into() });
    let invoice = InvoiceNo(2);
    book.push(RemindersStopped { ledger, invoice, date, reason: text.into() });
    let read = book.read();
    let plan = |no: u32| read.reminder_plan(LEDGER, &format!("I{no}")).value.unwrap();
    let running = plan(0);
    assert_eq!(running.state, PlanState::Running);
    let shown: Vec<_> = running.sent.iter().map(|sent| (sent.step, sent.level)).collect();
    assert_eq!(shown, [(Some(Step::IssueNotice), 0), (None, 2)]);
    assert_eq!((running.sent[0].open, running.sent[0].date), (100, day(0)));
    let days: Vec<_> = running.to_come.iter().map(|next| (next.step, next.date)).collect();
    assert_eq!(days[..2], [(Step::Midpoint, day(15)), (Step::DueDate, day(30))]);
    assert_eq!(days.len(), 5);
    assert_eq!(running.invoice.facets.level, 2);
    assert_eq!((plan(1).state, plan(1).to_come.len()), (PlanState::Paused, 5));
    assert_eq!((plan(2).state, plan(2).to_come.len()), (PlanState::Stopped, 0));
    assert_eq!((plan(3).state, plan(3).to_come.len()), (PlanState::NotSent, 0));
    let next = |until| read.upcoming_reminders(LEDGER, day(until), Page::first(9)).value.items;
    assert!(next(14).is_empty());
    assert_eq!(next(15).iter().map(|next| next.invoice.no.0).collect::<Vec<_>>(), [0]);
    assert_eq!(read.reminder_plan(LEDGER, "I9").value, None);
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
