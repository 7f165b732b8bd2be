//! Random invoices, opening items, payments, credits, refunds and what undoes them, kept on paper
//! from the events alone: on every day, and in every sum, the books must agree with it.

use std::collections::{BTreeMap, BTreeSet};

use crate::scenario::*;
use encours_domain::balance::Balance;
use encours_domain::commands::*;
use encours_domain::event::Direction;
use encours_domain::{
    ClockNo, Command, CustomerNo, Day, Event, InvoiceNo, LedgerNo, Reason, Source, State,
};
use proptest::prelude::*;

const ITEMS: [&str; 5] = ["a", "b", "old-1", "old-2", "owing"];
const PAYMENTS: [&str; 3] = ["p", "q", "r"];
const CREDITS: [&str; 2] = ["c", "d"];

/// Amounts that change on days.
#[derive(Debug, Default)]
struct Amounts(Vec<(Day, i64)>);

impl Amounts {
    fn add(&mut self, date: Day, change: i64) {
        self.0.push((date, change));
    }

    fn on(&self, day: Day) -> i64 {
        self.0.iter().filter(|(date, _)| *date <= day).map(|(_, change)| change).sum()
    }
}

/// What the events say, and nothing else.
#[derive(Debug, Default)]
struct Paper {
    claims: BTreeMap<InvoiceNo, Amounts>,
    funds: BTreeMap<Source, Amounts>,
    put: BTreeMap<(Source, InvoiceNo), Amounts>,
    owners: BTreeMap<InvoiceNo, CustomerNo>,
    payers: BTreeMap<Source, CustomerNo>,
    opening: BTreeMap<InvoiceNo, (Direction, i64)>,
    books: BTreeMap<CustomerNo, [i64; 5]>,
    days: BTreeSet<Day>,
}

/// The places of `Paper::books`.
const OPENING: usize = 0;
const INVOICED: usize = 1;
const CREDITED: usize = 2;
const COLLECTED: usize = 3;
const REFUNDED: usize = 4;

impl Paper {
    fn book(&mut self, customer: CustomerNo, place: usize, change: i64) {
        self.books.entry(customer).or_default()[place] += change;
    }

    fn fund(&mut self, source: Source, date: Day, change: i64) {
        self.days.insert(date);
        self.funds.entry(source).or_default().add(date, change);
    }

    fn claim(&mut self, invoice: InvoiceNo, date: Day, change: i64) {
        self.days.insert(date);
        self.claims.entry(invoice).or_default().add(date, change);
    }

    fn put(&mut self, source: Source, invoice: InvoiceNo, date: Day, change: i64) {
        self.days.insert(date);
        self.put.entry((source, invoice)).or_default().add(date, change);
    }

    fn write(&mut self, event: &Event) {
        match event {
            Event::InvoiceIssued(e) => {
                self.owners.insert(e.invoice, e.customer);
                self.claim(e.invoice, e.issue_date, e.total);
                self.book(e.customer, INVOICED, e.total);
            }
            Event::OpeningItemAdded(e) => {
                self.owners.insert(e.invoice, e.customer);
                self.payers.insert(Source::Opening(e.invoice), e.customer);
                self.opening.insert(e.invoice, (e.direction, 0));
                self.opening_amount(e.invoice, e.date, e.amount - e.paid);
            }
            Event::OpeningItemCorrected(e) => {
                self.opening_amount(e.invoice, e.date, e.amount - e.paid);
            }
            Event::PaymentRecorded(e) => {
                self.payers.insert(Source::Payment(e.payment), e.customer);
                self.fund(Source::Payment(e.payment), e.received_on, e.amount);
                self.book(e.customer, COLLECTED, e.amount);
            }
            Event::PaymentReversed(e) => {
                self.fund(Source::Payment(e.payment), e.date, -e.amount);
                self.book(self.payers[&Source::Payment(e.payment)], COLLECTED, -e.amount);
            }
            Event::PaymentRefunded(e) => {
                self.fund(Source::Payment(e.payment), e.date, -e.amount);
                self.book(self.payers[&Source::Payment(e.payment)], REFUNDED, e.amount);
            }
            Event::CreditNoteIssued(e) => {
                self.payers.insert(Source::CreditNote(e.credit_note), e.customer);
                self.fund(Source::CreditNote(e.credit_note), e.issue_date, e.amount);
                self.book(e.customer, CREDITED, e.amount);
            }
            Event::Allocated(e) => self.put(e.source, e.invoice, e.date, e.amount),
            Event::Deallocated(e) => self.put(e.source, e.invoice, e.date, -e.amount),
            _ => {}
        }
    }

    /// An opening item comes to `amount` from a day on.
    fn opening_amount(&mut self, item: InvoiceNo, date: Day, amount: i64) {
        let (direction, before) = self.opening[&item];
        self.opening.insert(item, (direction, amount));
        let (change, customer) = (amount - before, self.owners[&item]);
        match direction {
            Direction::Owed => {
                self.claim(item, date, change);
                self.book(customer, OPENING, change);
            }
            Direction::Owing => {
                self.fund(Source::Opening(item), date, change);
                self.book(customer, OPENING, -change);
            }
        }
    }

    fn open(&self, invoice: InvoiceNo, day: Day) -> i64 {
        let put = self.put.iter().filter(|((_, to), _)| *to == invoice);
        self.claims[&invoice].on(day) - put.map(|(_, amounts)| amounts.on(day)).sum::<i64>()
    }

    fn unapplied(&self, source: Source, day: Day) -> i64 {
        let put = self.put.iter().filter(|((from, _), _)| *from == source);
        self.funds[&source].on(day) - put.map(|(_, amounts)| amounts.on(day)).sum::<i64>()
    }

    /// On no day is less than nothing open, unapplied, or on an invoice from a source.
    fn check_days(&self) -> Result<(), TestCaseError> {
        for day in &self.days {
            for invoice in self.claims.keys() {
                let open = self.open(*invoice, *day);
                prop_assert!(open >= 0, "{} open of {:?} on {}", open, invoice, day);
            }
            for source in self.funds.keys() {
                let left = self.unapplied(*source, *day);
                prop_assert!(left >= 0, "{} unapplied of {:?} on {}", left, source, day);
            }
            for (pair, amounts) in &self.put {
                prop_assert!(amounts.on(*day) >= 0, "{:?} on {}", pair, day);
            }
        }
        Ok(())
    }

    /// The customers' books, the rows and the paper tell the same.
    fn check_sums(&self, state: &State) -> Result<(), TestCaseError> {
        let ledger = state.rows().ledger(LedgerNo(0)).unwrap();
        let mut all = [0_i64; 2];
        for (no, customer) in (0..).map(CustomerNo).zip(ledger.customers.iter()) {
            let zero = Balance::zero(currency("EUR"));
            let balance = customer.balances.first().copied().unwrap_or(zero);
            let own = |owner: &CustomerNo| *owner == no;
            let claims = self.claims.keys().filter(|item| own(&self.owners[item]));
            let outstanding: i64 = claims.map(|item| self.open(*item, Day::MAX)).sum();
            let funds = self.funds.keys().filter(|source| own(&self.payers[source]));
            let unapplied: i64 = funds.map(|source| self.unapplied(*source, Day::MAX)).sum();
            let [opening, invoiced, credited, collected, refunded] =
                self.books.get(&no).copied().unwrap_or_default();
            prop_assert_eq!((balance.outstanding, balance.unapplied), (outstanding, unapplied));
            prop_assert_eq!((balance.opening, balance.invoiced), (opening, invoiced));
            prop_assert_eq!((balance.credited, balance.collected), (credited, collected));
            prop_assert_eq!(balance.refunded, refunded);
            let net = opening + invoiced - credited - collected + refunded;
            prop_assert_eq!(outstanding - unapplied, net);
            let overdue = ledger.invoices.iter().filter(|row| own(&row.customer) && row.overdue);
            prop_assert_eq!(balance.overdue, overdue.map(|row| row.open).sum::<i64>());
            all[0] += balance.outstanding;
            all[1] += balance.unapplied;
        }
        let open: i64 = ledger.invoices.iter().map(|row| row.open).sum();
        let kept = ledger.invoices.iter().filter_map(|row| row.opening.as_ref());
        let unapplied = ledger.payments.iter().map(|row| row.unapplied).sum::<i64>()
            + ledger.credit_notes.iter().map(|row| row.unapplied).sum::<i64>()
            + kept.map(|opening| opening.unapplied).sum::<i64>();
        prop_assert_eq!(all, [open, unapplied]);
        Ok(())
    }

    /// What falls due is told on a day from `today` on, of what is open on it.
    fn check_told<'a>(
        &self,
        events: impl Iterator<Item = &'a Event>,
        today: Day,
    ) -> Result<(), TestCaseError> {
        for event in events {
            let (invoice, date, open) = match event {
                Event::InvoiceDue(e) => (e.invoice, e.date, e.open),
                Event::InvoiceOverdue(e) => (e.invoice, e.date, e.open),
                _ => continue,
            };
            prop_assert!(date >= today && open > 0, "{:?} on {}", event, today);
            prop_assert_eq!(open, self.open(invoice, date), "{:?}", event);
        }
        Ok(())
    }

    /// Each item is overdue when its due date has passed and something is open, and a plan is
    /// there only while something of it is to come.
    fn check_items(&self, state: &State, today: Day) -> Result<(), TestCaseError> {
        let ledger = state.rows().ledger(LedgerNo(0)).unwrap();
        for (no, row) in (0..).map(InvoiceNo).zip(ledger.invoices.iter()) {
            if row.is_owing() {
                prop_assert!(row.open == 0 && !row.overdue_emitted && !row.due_emitted);
                continue;
            }
            prop_assert_eq!(row.open, self.open(no, Day::MAX));
            let passed = today >= row.due.overdue_from();
            prop_assert!(passed || !row.overdue, "overdue before its day: {:?}", row);
            if passed && row.open > 0 && self.open(no, today) > 0 {
                prop_assert!(row.overdue, "not overdue on {}: {:?}", today, row);
            }
            if let Some(planned) = row.planned {
                prop_assert!(row.open > 0 && planned.remaining > 0 && today <= planned.date);
            }
        }
        Ok(())
    }
}

#[derive(Clone, Debug)]
enum Op {
    Do(Box<Command>),
    Days(i32),
}

fn name(names: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(names)
}

fn date() -> impl Strategy<Value = Option<Day>> {
    prop_oneof![3 => Just(None), 2 => (0..25).prop_map(|days| day("2026-01-01").plus(days))]
}

fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![1 => Just(1), 3 => 1..1_000_i64]
}

fn some_amount() -> impl Strategy<Value = Option<i64>> {
    prop::option::of(amount())
}

fn documents() -> impl Strategy<Value = Command> {
    let issue = (name(&ITEMS[..2]), 0..1_000_i64, date(), date());
    let issue = issue.prop_map(|(name, total, issue_date, due)| {
        let number = issue_date.map(|_| format!("own-{name}"));
        let due = due.map(encours_domain::terms::Due::Date);
        IssueInvoice { issue_date, number, due, ..invoice(name, total) }.into()
    });
    let open = (name(&ITEMS[2..4]), amount(), 0..500_i64, date(), date());
    let open = open.prop_map(|(name, amount, paid, date, due_date)| {
        AddOpeningItem { paid: paid.min(amount), date, due_date, ..owed(name, amount) }.into()
    });
    let credit = (amount(), date())
        .prop_map(|(amount, date)| AddOpeningItem { date, ..owing("owing", amount) }.into());
    let other = (amount(), any::<bool>()).prop_map(|(amount, is_owed)| {
        let customer_id = id("martin");
        let item = if is_owed { owed("m-owed", amount) } else { owing("m-owing", amount) };
        AddOpeningItem { customer_id, ..item }.into()
    });
    prop_oneof![3 => issue, 3 => open, 2 => credit, 1 => other]
}

fn corrections() -> impl Strategy<Value = Command> {
    let asked = (name(&ITEMS), some_amount(), prop::option::of(0..500_i64), date(), date());
    asked.prop_map(|(name, amount, paid, due_date, date)| {
        CorrectOpeningItem { paid, due_date, date, ..correct(name, amount) }.into()
    })
}

fn money() -> impl Strategy<Value = Command> {
    let put = prop_oneof![
        Just(Put::Nothing),
        Just(Put::Auto),
        name(&ITEMS).prop_map(|name| Put::Invoice(id(name))),
    ];
    let pay = (name(&PAYMENTS), amount(), date(), put);
    let pay = pay.prop_map(|(name, amount, received_on, put)| {
        RecordPayment { received_on, ..payment(name, amount * 2, put) }.into()
    });
    let invoice = prop::option::of(name(&ITEMS));
    let back = (name(&PAYMENTS), invoice, some_amount(), date());
    let back = back.prop_map(|(name, invoice, amount, date)| {
        RefundPayment { date, ..refund(name, invoice, amount) }.into()
    });
    let bounce = (name(&PAYMENTS), date());
    let bounce = bounce.prop_map(|(name, date)| ReversePayment { date, ..reverse(name) }.into());
    let usage = prop_oneof![Just(CreditUse::OffsetThenKeep), Just(CreditUse::Keep)];
    let note = (name(&CREDITS), name(&ITEMS), amount(), usage, date());
    let note = note.prop_map(|(name, invoice, amount, usage, issue_date)| {
        let number = issue_date.map(|_| format!("own-{name}"));
        IssueCreditNote { number, issue_date, ..credit(name, invoice, amount, usage) }.into()
    });
    let void = (name(&ITEMS), any::<bool>(), date()).prop_map(|(name, keep, date)| {
        CancelInvoice { credit_note_id: Some(id("void")), date, ..cancel(name, keep) }.into()
    });
    prop_oneof![4 => pay, 3 => back, 1 => bounce, 2 => note, 1 => void]
}

fn moves() -> impl Strategy<Value = Command> {
    let from = prop_oneof![
        Just(From::Anything),
        Just(From::CreditNotes),
        name(&PAYMENTS).prop_map(|name| From::Payment(id(name))),
        name(&CREDITS).prop_map(|name| From::CreditNote(id(name))),
        Just(From::OpeningItem(id("owing"))),
    ];
    let on = (name(&ITEMS), from, some_amount(), date()).prop_map(|(name, from, amount, date)| {
        Allocate { date, ..allocate(name, from, amount) }.into()
    });
    let off = (name(&ITEMS), prop::option::of(name(&PAYMENTS)), some_amount(), date());
    let off = off.prop_map(|(name, paid, amount, date)| {
        let command = match paid {
            Some(paid) => deallocate_payment(name, paid, None),
            None => deallocate_opening(name, "owing"),
        };
        Deallocate { amount, date, ..command }.into()
    });
    let when = (name(&ITEMS), 0..20_i32, some_amount()).prop_map(|(name, days, amount)| {
        let date = day("2026-01-01").plus(days).unwrap();
        plan(name, &date.to_string(), amount).into()
    });
    prop_oneof![4 => on, 4 => off, 1 => when]
}

fn op() -> impl Strategy<Value = Op> {
    let boxed = |command| Op::Do(Box::new(command));
    prop_oneof![
        6 => documents().prop_map(boxed),
        4 => corrections().prop_map(boxed),
        10 => money().prop_map(boxed),
        10 => moves().prop_map(boxed),
        3 => (1..5).prop_map(Op::Days),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_books_agree_with_the_events_on_every_day(ops in prop::collection::vec(op(), 1..80)) {
        let (mut s, mut paper) = (Scenario::new(), Paper::default());
        let mut today = day("2026-01-01");
        for op in ops {
            let told = format!("{op:?}");
            let before = today;
            let done: Result<Vec<Event>, Reason> = match op {
                Op::Do(command) => s.try_do(*command).map_err(|refusal| refusal.reason),
                Op::Days(days) => {
                    today = today.plus(days).unwrap();
                    Ok(s.advance(&today.to_string()))
                }
            };
            for event in done.iter().flatten() {
                paper.write(event);
            }
            paper.check_told(done.iter().flatten(), before)?;
            // Every day is run: nothing is left to be told of today or a day before.
            let left = s.state.indexes().due(ClockNo(0), today).next();
            prop_assert!(left.is_none(), "{:?} is left on {} after {}", left, today, told);
            let checked = paper
                .check_days()
                .and_then(|()| paper.check_sums(&s.state))
                .and_then(|()| paper.check_items(&s.state, today));
            prop_assert!(checked.is_ok(), "{:?} after {}: {:?}", checked, told, done);
        }
        // Rows of a snapshot make the same indexes again.
        let again = State::from_rows(s.state.rows().clone());
        prop_assert_eq!(format!("{:?}", s.state), format!("{again:?}"));
    }
}
