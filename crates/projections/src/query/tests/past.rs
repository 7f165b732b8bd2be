//! Any past of a book beside an oracle that adds up the events themselves.

use std::collections::BTreeMap;

use encours_domain::balance::Balance;
use encours_domain::event::Direction;
use encours_domain::number::{CustomerNo, Source};
use encours_domain::status::CustomerStatus;
use encours_domain::{Currency, Day, Event, Position};

use super::{NAMELESS, NOW, all};
use crate::read_model::ReadModel;
use crate::testing::{Book, LEDGER, Random, day, random_book, seeds};
use crate::{AgeingFigures, AsOf, CustomerFilter};

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
pub(super) fn compare_pasts(read: &ReadModel, book: &Book, random: &mut Random, repeat: &str) {
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
