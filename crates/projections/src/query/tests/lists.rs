//! Lists of a random book beside the same filter over every resource.

use std::collections::BTreeSet;

use encours_domain::labels::{CustomerLabels, InvoiceLabels};
use encours_domain::number::{CustomerNo, InvoiceNo, Source};
use encours_domain::resource::{self, ItemKind};
use encours_domain::status::{CustomerStatus, Document, Dunning, Headline, Settlement, Timing};
use encours_domain::{Currency, Event, Position};

use super::writer::Writer;
use super::{NAMELESS, NOW, all};
use crate::model::Model;
use crate::read_model::ReadModel;
use crate::testing::{LEDGER, currency, seeds};
use crate::{
    AmountRange, CustomerFilter, DateRange, DunningState, InvoiceFilter, Order, Page, PaymentFilter,
};

fn ordered(order: Order) -> impl Fn(Page) -> Page {
    move |page| Page { order, ..page }
}

const ORDERS: [Order; 4] = [Order::Created, Order::CreatedDesc, Order::Due, Order::DueDesc];

type Like = Box<dyn Fn(&resource::Invoice) -> bool>;

fn euros(min: i64, max: i64) -> AmountRange {
    AmountRange { currency: currency("EUR"), min: Some(min), max: Some(max) }
}

/// Filters, each beside what it means.
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn filters(today: encours_domain::Day) -> Vec<(InvoiceFilter, Like)> {
    let none = InvoiceFilter::default;
    let (from, until) = (today.plus(-8), today.plus(3));
    let range = DateRange { from, until };
    let within = move |day: Option<encours_domain::Day>| {
        day.is_some_and(|day| Some(day) >= from && Some(day) <= until)
    };
    let mut cases: Vec<(InvoiceFilter, Like)> = vec![
        (none(), Box::new(|_| true)),
        (
            InvoiceFilter { customer: Some(CustomerNo(1)), ..none() },
            Box::new(|i| i.customer_id.as_str() == "C1"),
        ),
        (
            InvoiceFilter { hide_drafts: true, ..none() },
            Box::new(|i| i.facets.document != Document::Draft),
        ),
        (InvoiceFilter { due: range, ..none() }, Box::new(move |i| within(i.due.map(|d| d.date)))),
        (InvoiceFilter { issued: range, ..none() }, Box::new(move |i| within(i.issue_date))),
        (
            InvoiceFilter { open_amount: Some(euros(50, 120)), ..none() },
            Box::new(|i| i.currency == currency("EUR") && (50..=120).contains(&i.open)),
        ),
        (
            InvoiceFilter { min_level: Some(1), max_level: Some(4), ..none() },
            Box::new(|i| (1..=4).contains(&i.facets.level)),
        ),
        (
            InvoiceFilter { due: range, customer: Some(CustomerNo(0)), ..none() },
            Box::new(move |i| i.customer_id.as_str() == "C0" && within(i.due.map(|d| d.date))),
        ),
        (
            InvoiceFilter { kinds: vec![ItemKind::OpeningOwed, ItemKind::OpeningOwing], ..none() },
            Box::new(|i| i.kind != ItemKind::Invoice),
        ),
    ];
    for wanted in [true, false] {
        let some = Some(wanted);
        cases.push((
            InvoiceFilter { disputed: some, ..none() },
            Box::new(move |i| i.facets.disputed == wanted),
        ));
        cases.push((
            InvoiceFilter { planned: some, ..none() },
            Box::new(move |i| i.facets.planned == wanted),
        ));
        cases.push((
            InvoiceFilter { open: some, ..none() },
            Box::new(move |i| (i.open > 0) == wanted),
        ));
        cases.push((
            InvoiceFilter { over_limit: some, ..none() },
            Box::new(move |i| (i.over_limit > 0) == wanted),
        ));
    }
    for headline in [Headline::Draft, Headline::Overdue, Headline::PaymentPlanned, Headline::Paid] {
        let filter = InvoiceFilter { headlines: vec![headline, Headline::Cancelled], ..none() };
        let like = move |i: &resource::Invoice| {
            [headline, Headline::Cancelled].contains(&i.facets.headline())
        };
        cases.push((filter, Box::new(like)));
    }
    for document in [Document::Draft, Document::Issued, Document::Cancelled] {
        let filter = InvoiceFilter { document: Some(document), ..none() };
        cases.push((filter, Box::new(move |i| i.facets.document == document)));
    }
    for settlement in [Settlement::Unpaid, Settlement::PartiallyPaid, Settlement::Paid] {
        let filter = InvoiceFilter { settlement: Some(settlement), ..none() };
        cases.push((filter, Box::new(move |i| i.facets.settlement == settlement)));
    }
    for timing in [Timing::NotDue, Timing::Due, Timing::Overdue] {
        let filter = InvoiceFilter { timing: Some(timing), ..none() };
        cases.push((filter, Box::new(move |i| i.facets.timing == timing)));
    }
    let of_levels = |dunning| matches!(dunning, Dunning::Level(_));
    type Of = fn(Dunning) -> bool;
    let states: [(DunningState, Of); 5] = [
        (DunningState::None, |d| d == Dunning::None),
        (DunningState::Level, of_levels),
        (DunningState::OnHold, |d| d == Dunning::OnHold),
        (DunningState::Stopped, |d| d == Dunning::Stopped),
        (DunningState::Exhausted, |d| d == Dunning::Exhausted),
    ];
    for (state, like) in states {
        let filter = InvoiceFilter { dunning: Some(state), ..none() };
        cases.push((filter, Box::new(move |i| like(i.facets.dunning))));
    }
    for set in InvoiceLabels::ALL {
        for word in set.words() {
            let filter = InvoiceFilter { label: set.parse(word), ..none() };
            let of = move |i: &resource::Invoice| {
                i.kind != resource::ItemKind::OpeningOwing && set.label(i.facets) == *word
            };
            cases.push((filter, Box::new(of)));
        }
    }
    cases
}

fn check_invoices(read: &ReadModel, every: &[resource::Invoice], repeat: &str) -> BTreeSet<usize> {
    let today = read.ledger("acme").value.unwrap().clock.today;
    let mut met = BTreeSet::new();
    for (case, (filter, like)) in filters(today).into_iter().enumerate() {
        for order in ORDERS {
            let by_due = matches!(order, Order::Due | Order::DueDesc);
            let wanted = every.iter().filter(|i| !i.deleted && like(i) && (!by_due || i.open > 0));
            let key = |i: &&resource::Invoice| order.key(i.no.0, i.due.map(|due| due.date));
            let mut wanted: Vec<_> = wanted.map(|i| (key(&i), i)).collect();
            wanted.sort_by_key(|(key, _)| *key);
            if matches!(order, Order::CreatedDesc | Order::DueDesc) {
                wanted.reverse();
            }
            let wanted: Vec<_> = wanted.into_iter().map(|(_, i)| i.clone()).collect();
            let list = |page| read.invoices(LEDGER, &filter, ordered(order)(page), NAMELESS).value;
            let shown = all(3, list);
            assert_eq!(shown, wanted, "{repeat}: {order:?} {filter:?}");
            if !wanted.is_empty() && wanted.len() < every.len() {
                met.insert(case);
            }
        }
    }
    met
}

fn check_customers(read: &ReadModel, repeat: &str) {
    let none = CustomerFilter::default;
    let every = all(9, |page| read.customers(LEDGER, &none(), NOW, page, NAMELESS).value);
    type Like = Box<dyn Fn(&resource::Customer) -> bool>;
    let mut cases: Vec<(CustomerFilter, Like)> = Vec::new();
    for status in [
        CustomerStatus::Overdue,
        CustomerStatus::AwaitingPayment,
        CustomerStatus::InCredit,
        CustomerStatus::UpToDate,
    ] {
        let label = CustomerLabels::Tiime.parse(CustomerLabels::Tiime.label(status));
        let like = move |customer: &resource::Customer| customer.status == status;
        cases.push((CustomerFilter { statuses: vec![status], ..none() }, Box::new(like)));
        cases.push((CustomerFilter { label, ..none() }, Box::new(like)));
    }
    type Figure = fn(&encours_domain::balance::Balance) -> i64;
    type Set = fn(&mut CustomerFilter, AmountRange);
    let figures: [(Set, Figure); 5] = [
        (|filter, range| filter.invoiced = Some(range), |b| b.invoiced),
        (|filter, range| filter.collected = Some(range), |b| b.collected),
        (|filter, range| filter.outstanding = Some(range), |b| b.outstanding),
        (|filter, range| filter.overdue = Some(range), |b| b.overdue),
        (|filter, range| filter.unapplied = Some(range), |b| b.unapplied),
    ];
    let eur: Currency = currency("EUR");
    for (set, figure) in figures {
        for (min, max) in [(0, 0), (1, 400), (300, 9_000)] {
            let mut filter = none();
            set(&mut filter, euros(min, max));
            let like = move |customer: &resource::Customer| {
                let balance = customer.balances.iter().find(|balance| balance.currency == eur);
                (min..=max).contains(&balance.map_or(0, figure))
            };
            cases.push((filter, Box::new(like)));
        }
    }
    let past = crate::AsOf { date: None, known: Some(read.position()) };
    for (filter, like) in cases {
        let mut wanted: Vec<_> = every.iter().filter(|customer| like(customer)).cloned().collect();
        for order in [Order::Created, Order::CreatedDesc] {
            let list = |as_of| {
                let page = ordered(order);
                all(2, |p| read.customers(LEDGER, &filter, as_of, page(p), NAMELESS).value)
            };
            assert_eq!(list(NOW), wanted, "{repeat}: {filter:?}");
            assert_eq!(list(past), wanted, "{repeat}: {filter:?}");
            wanted.reverse();
        }
    }
}

fn check_payments(read: &ReadModel, repeat: &str) {
    let every = all(9, |page| read.payments(LEDGER, PaymentFilter::default(), page).value);
    for customer in 0..4 {
        let filter =
            PaymentFilter { customer: Some(CustomerNo(customer)), has_unapplied: Some(true) };
        let name = format!("C{customer}");
        let like = |p: &&resource::Payment| p.customer_id.as_str() == name && p.unapplied > 0;
        let mut wanted: Vec<_> = every.iter().filter(like).cloned().collect();
        for order in [Order::Created, Order::CreatedDesc] {
            let shown = all(2, |page| read.payments(LEDGER, filter, ordered(order)(page)).value);
            assert_eq!(shown, wanted, "{repeat}");
            wanted.reverse();
        }
    }
}

/// Whether an event is about an invoice.
fn is_about(event: &Event, no: InvoiceNo) -> bool {
    let of = |source: Source| source == Source::Opening(no);
    match event {
        Event::DraftCreated(e) => e.invoice == no,
        Event::DraftUpdated(e) => e.invoice == no,
        Event::DraftDeleted(e) => e.invoice == no,
        Event::InvoiceIssued(e) => e.invoice == no,
        Event::CreditLimitExceeded(e) => e.invoice == no,
        Event::OpeningItemAdded(e) => e.invoice == no,
        Event::OpeningItemCorrected(e) => e.invoice == no,
        Event::PaymentPlanned(e) => e.invoice == no,
        Event::PlannedPaymentCancelled(e) => e.invoice == no,
        Event::PlannedPaymentCleared(e) => e.invoice == no,
        Event::PlannedPaymentLapsed(e) => e.invoice == no,
        Event::ReminderEmitted(e) => e.invoice == no,
        Event::ReminderRecorded(e) => e.invoice == no,
        Event::RemindersStopped(e) => e.invoice == no,
        Event::InvoiceSent(e) => e.invoice == no,
        Event::InvoiceDisputed(e) => e.invoice == no,
        Event::DisputeResolved(e) => e.invoice == no,
        Event::InvoiceDue(e) => e.invoice == no,
        Event::InvoiceOverdue(e) => e.invoice == no,
        Event::InvoicePaid(e) => e.invoice == no,
        Event::InvoiceReopened(e) => e.invoice == no,
        Event::InvoiceCancelled(e) => e.invoice == no,
        Event::CreditNoteIssued(e) => e.invoice == no,
        Event::Allocated(e) => e.invoice == no || of(e.source),
        Event::Deallocated(e) => e.invoice == no || of(e.source),
        _ => false,
    }
}

#[test]
fn lists_and_activities_of_a_written_book_are_complete() {
    let mut met = BTreeSet::new();
    let mut cases = 0;
    let one = seeds(2).len() == 1;
    for seed in seeds(12) {
        let repeat = format!("ENCOURS_SEED={seed} cargo test -p encours-projections lists_and");
        let mut writer = Writer::new(seed ^ 0x11, false);
        (0..260).for_each(|_| writer.step());
        let read = writer.book.read();
        let of_book = |no: u32| format!("I{no}");
        let ledger = read.ledger("acme").value.unwrap();
        let every =
            (0..ledger.invoices).map(|no| read.invoice(LEDGER, &of_book(no)).value.unwrap());
        let every: Vec<_> = every.collect();
        met.extend(check_invoices(&read, &every, &repeat));
        cases = filters(ledger.clock.today).len();
        check_customers(&read, &repeat);
        check_payments(&read, &repeat);
        for invoice in &every {
            let events = (1..).zip(&writer.book.events);
            let about = events.filter(|(_, event)| is_about(event, invoice.no));
            let about: Vec<_> = about.map(|(position, _)| Position(position)).collect();
            let id = invoice.id.as_str();
            let shown = all(4, |page| read.activity(LEDGER, id, page).value.unwrap());
            assert_eq!(shown, about, "{repeat}: {id}");
        }
        let of_ledger =
            (1..).zip(&writer.book.events).filter(|(_, event)| event.ledger().is_some());
        let of_ledger: Vec<_> = of_ledger.map(|(position, _)| Position(position)).collect();
        assert_eq!(read.positions(LEDGER, Position::START, 10_000).value, of_ledger, "{repeat}");
        read.stop();
        check_indexes(&writer.book.model(), &repeat);
    }
    // The first asks for nothing; the others choose some and leave some out, in some book.
    let idle: Vec<_> = (1..cases).filter(|case| !met.contains(case)).collect();
    assert!(one || idle.is_empty(), "filters {idle:?} chose all or nothing in every book");
}

/// The indexes kept in step are those built at load.
fn check_indexes(model: &Model, repeat: &str) {
    let ledgers = model.ledgers.iter().map(|ledger| ledger.tables.clone()).collect();
    let again = Model::of(model.seen, model.root.clone(), ledgers).unwrap();
    let (kept, built) = (&model.ledgers[0].index, &again.ledgers[0].index);
    assert_eq!(kept.waiting, built.waiting, "{repeat}");
    assert_eq!(kept.ahead, built.ahead, "{repeat}");
    assert_eq!(kept.overdue_from, built.overdue_from, "{repeat}");
    assert_eq!(kept.open_by_due, built.open_by_due, "{repeat}");
    assert_eq!(kept.counts.totals(), built.counts.totals(), "{repeat}");
    assert_eq!(model.digest(), again.digest(), "{repeat}");
    for no in 0..model.ledgers[0].tables.customers.len() {
        assert_eq!(kept.invoices_of.of(no), built.invoices_of.of(no), "{repeat}");
        assert_eq!(kept.payments_of.of(no), built.payments_of.of(no), "{repeat}");
    }
}
