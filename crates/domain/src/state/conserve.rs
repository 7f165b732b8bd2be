//! Money is conserved: what a command's events say that it moved is what moved in the documents, and
//! in the balances of the customers.
//!
//! Each event is checked by itself where it is applied. This is the check over a whole command, by
//! another way: from the amounts in the events, the rows of documents before and after, and the
//! balances before and after, three sums that must be one. It stays on in release.

use crate::currency::Currency;
use crate::event::{Direction, Event};
use crate::number::{CreditNoteNo, CustomerNo, InvoiceNo, LedgerNo, PaymentNo, Source};
use crate::position::Position;
use crate::state::rows::{Invoice, Ledger, Rows};

/// A document that money can be open on or unapplied of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Doc {
    Invoice(InvoiceNo),
    Payment(PaymentNo),
    CreditNote(CreditNoteNo),
}

impl Doc {
    /// What is open on it less what is unapplied of it; 0 of one that is not there yet.
    fn net(self, ledger: &Ledger) -> i64 {
        match self {
            Self::Invoice(no) => ledger.invoices.get(no.0).map_or(0, net_of),
            Self::Payment(no) => ledger.payments.get(no.0).map_or(0, |row| -row.unapplied),
            Self::CreditNote(no) => ledger.credit_notes.get(no.0).map_or(0, |row| -row.unapplied),
        }
    }
}

fn net_of(row: &Invoice) -> i64 {
    row.open - row.opening.as_ref().map_or(0, |opening| opening.unapplied)
}

/// What a command touches, as it was before each of its events: the first of each is as it was before
/// the command. Kept from command to command, so that nothing is allocated for each.
///
/// WHY not looked for as it is noted: a command with a thousand allocations would look through a
/// thousand documents for each.
#[derive(Debug, Default)]
pub(super) struct Books {
    documents: Vec<((LedgerNo, Doc), i64)>,
    balances: Vec<((LedgerNo, CustomerNo, Currency), i64)>,
    /// By how much what customers owe on balance grows, as the events say.
    said: i128,
}

impl Books {
    /// Notes what an event is going to touch. To be called before it is applied.
    pub(super) fn note(&mut self, rows: &Rows, event: &Event) {
        let Some(ledger) = event.ledger().and_then(|no| rows.ledger(no)) else { return };
        match event {
            Event::InvoiceIssued(e) => {
                self.touch(ledger, Doc::Invoice(e.invoice), (e.customer, e.currency), e.total);
            }
            Event::OpeningItemAdded(e) => {
                let left = signed(e.direction, e.amount - e.paid);
                self.touch(ledger, Doc::Invoice(e.invoice), (e.customer, e.currency), left);
            }
            Event::OpeningItemCorrected(e) => {
                let Some(row) = ledger.invoices.get(e.invoice.0) else { return };
                let Some(opening) = &row.opening else { return };
                let more = (e.amount - e.paid) - (row.total - opening.paid);
                let more = signed(opening.direction, more);
                self.touch(ledger, Doc::Invoice(e.invoice), (row.customer, row.currency), more);
            }
            Event::PaymentRecorded(e) => {
                self.touch(ledger, Doc::Payment(e.payment), (e.customer, e.currency), -e.amount);
            }
            Event::PaymentReversed(e) => self.back(ledger, e.payment, e.amount),
            Event::PaymentRefunded(e) => self.back(ledger, e.payment, e.amount),
            Event::CreditNoteIssued(e) => {
                let owner = (e.customer, e.currency);
                self.touch(ledger, Doc::CreditNote(e.credit_note), owner, -e.amount);
            }
            Event::Allocated(e) => self.between(ledger, e.source, e.invoice),
            Event::Deallocated(e) => self.between(ledger, e.source, e.invoice),
            _ => {}
        }
    }

    /// Money of a payment goes back to the customer.
    fn back(&mut self, ledger: &Ledger, payment: PaymentNo, amount: i64) {
        if let Some(row) = ledger.payments.get(payment.0) {
            self.touch(ledger, Doc::Payment(payment), (row.customer, row.currency), amount);
        }
    }

    /// Money moves between a source and an invoice: on balance nothing changes.
    fn between(&mut self, ledger: &Ledger, source: Source, invoice: InvoiceNo) {
        let Some(row) = ledger.invoices.get(invoice.0) else { return };
        let owner = (row.customer, row.currency);
        let source = match source {
            Source::Payment(no) => Doc::Payment(no),
            Source::CreditNote(no) => Doc::CreditNote(no),
            Source::Opening(no) => Doc::Invoice(no),
        };
        self.touch(ledger, Doc::Invoice(invoice), owner, 0);
        self.touch(ledger, source, owner, 0);
    }

    fn touch(&mut self, ledger: &Ledger, doc: Doc, owner: (CustomerNo, Currency), said: i64) {
        self.said += i128::from(said);
        self.documents.push(((ledger.no, doc), doc.net(ledger)));
        let (customer, currency) = owner;
        let of = (ledger.no, customer, currency);
        // One customer's, nearly always.
        if self.balances.last().is_none_or(|(known, _)| *known != of) {
            self.balances.push((of, balance(ledger, customer, currency)));
        }
    }

    /// Checks the sums after the last event of a command, and forgets what was noted.
    ///
    /// # Panics
    /// Where documents or balances have moved by something else than the events say.
    pub(super) fn settle(&mut self, rows: &Rows, last: Position) {
        if self.documents.is_empty() {
            return;
        }
        keep_first(&mut self.documents);
        keep_first(&mut self.balances);
        let mut documents = 0;
        for ((ledger, doc), before) in self.documents.drain(..) {
            let now = rows.ledger(ledger).map_or(0, |ledger| doc.net(ledger));
            documents += i128::from(now) - i128::from(before);
        }
        let mut balances = 0;
        for ((ledger, customer, currency), before) in self.balances.drain(..) {
            let now = rows.ledger(ledger).map_or(0, |ledger| balance(ledger, customer, currency));
            balances += i128::from(now) - i128::from(before);
        }
        let said = std::mem::take(&mut self.said);
        assert!(
            documents == said && balances == said,
            "money is not conserved by the command that ends at position {last}: its events move \
             {said} minor units, documents moved by {documents}, balances by {balances}"
        );
    }
}

/// Keeps what was noted first of each.
fn keep_first<K: Ord + Copy>(noted: &mut Vec<(K, i64)>) {
    // Sorting keeps the order of those that are the same.
    noted.sort_by_key(|(of, _)| *of);
    noted.dedup_by_key(|(of, _)| *of);
}

/// An amount of an opening item as part of what the customer owes on balance.
const fn signed(direction: Direction, amount: i64) -> i64 {
    match direction {
        Direction::Owed => amount,
        Direction::Owing => -amount,
    }
}

fn balance(ledger: &Ledger, customer: CustomerNo, currency: Currency) -> i64 {
    let Some(row) = ledger.customers.get(customer.0) else { return 0 };
    let found = row.balances.binary_search_by_key(&currency, |balance| balance.currency);
    found.map_or(0, |index| row.balances[index].net())
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;

    use super::*;
    use crate::calendar::Calendar;
    use crate::dunning::Policy;
    use crate::event::{
        Allocated, ClockCreated, CustomerCreated, Draft, InvoiceContent, InvoiceIssued,
        LedgerCreated, Method, PaymentRecorded,
    };
    use crate::id::Id;
    use crate::number::{ClockNo, Subject};
    use crate::position::Day;
    use crate::state::{Stage, State};
    use crate::terms::{DueTerms, Terms};

    const LEDGER: LedgerNo = LedgerNo(0);
    const CUSTOMER: CustomerNo = CustomerNo(0);
    const TODAY: Day = Day::MIN;

    fn id(text: &str) -> Id {
        Id::parse("id", text).unwrap()
    }

    fn euro() -> Currency {
        Currency::parse("currency", "EUR").unwrap()
    }

    fn invoice(total: i64) -> Event {
        invoice_of(InvoiceNo(0), total)
    }

    fn invoice_of(invoice: InvoiceNo, total: i64) -> Event {
        Event::from(InvoiceIssued {
            ledger: LEDGER,
            invoice,
            id: id("i"),
            customer: CUSTOMER,
            number: "1".into(),
            allotted: false,
            currency: euro(),
            total,
            issue_date: TODAY,
            due: DueTerms { date: TODAY, grace_days: 0 },
            reference: "".into(),
            content: Arc::new(InvoiceContent::default()),
        })
    }

    fn payment(amount: i64) -> Event {
        Event::from(PaymentRecorded {
            ledger: LEDGER,
            payment: PaymentNo(0),
            id: id("p"),
            customer: CUSTOMER,
            currency: euro(),
            amount,
            method: Method::Transfer,
            received_on: TODAY,
            reference: "".into(),
        })
    }

    fn allocated(amount: i64, open_after: i64, unapplied_after: i64) -> Event {
        allocated_to(InvoiceNo(0), amount, open_after, unapplied_after)
    }

    fn allocated_to(
        invoice: InvoiceNo,
        amount: i64,
        open_after: i64,
        unapplied_after: i64,
    ) -> Event {
        let source = Source::Payment(PaymentNo(0));
        let (ledger, date) = (LEDGER, TODAY);
        Event::from(Allocated {
            ledger,
            source,
            invoice,
            amount,
            date,
            open_after,
            unapplied_after,
        })
    }

    /// A ledger with a customer, at position 3.
    fn begun() -> State {
        let mut state = State::default();
        let begin = [
            Event::from(ClockCreated {
                clock: ClockNo(0),
                id: id("clock"),
                test: true,
                zone: "UTC".into(),
                day: TODAY,
            }),
            Event::from(LedgerCreated {
                ledger: LEDGER,
                id: id("acme"),
                name: "".into(),
                currency: euro(),
                clock: ClockNo(0),
                terms: Terms::DEFAULT,
                invoice_pattern: "{seq}".into(),
                credit_note_pattern: "{seq}".into(),
                calendar: Calendar::France,
                reminders: Policy::ThreeCases,
            }),
            Event::from(CustomerCreated {
                ledger: LEDGER,
                customer: CUSTOMER,
                id: id("c"),
                currency: None,
                terms: None,
                details: Vec::new(),
            }),
        ];
        state.apply_all(Position(1), [0; 16], &begin);
        state
    }

    /// Applies `done` where `said` was noted.
    fn settle(said: &[Event], done: &[Event], tamper: impl FnOnce(&mut Rows)) {
        let mut rows = begun().rows().clone();
        let mut books = Books::default();
        for (event, instead) in said.iter().zip(done) {
            books.note(&rows, event);
            rows.apply(Position(4), [0; 16], instead);
        }
        tamper(&mut rows);
        books.settle(&rows, Position(4));
    }

    #[test]
    fn what_events_say_is_what_moves() {
        let events = [invoice(100), payment(70), allocated(60, 40, 10)];
        settle(&events, &events, |_| {});
        let mut state = begun();
        state.apply_all(Position(4), [0; 16], &events);
        let ledger = state.rows().ledger(LEDGER).unwrap();
        assert_eq!(balance(ledger, CUSTOMER, euro()), 30);
        assert!(state.books.documents.is_empty() && state.books.balances.is_empty());
    }

    /// Each document is noted for every event that touches it, and counts once, as it was at first.
    #[test]
    fn many_allocations_are_one_sum() {
        let mut events: Vec<Event> = (0..1_000).map(|n| invoice_of(InvoiceNo(n), 3)).collect();
        events.push(payment(2_000));
        for (turn, open_after) in [2, 1].into_iter().enumerate() {
            let left = 2_000 - 1_000 * i64::try_from(turn).unwrap();
            let each = (0..1_000_u32)
                .map(|n| allocated_to(InvoiceNo(n), 1, open_after, left - i64::from(n) - 1));
            events.extend(each);
        }
        settle(&events, &events, |_| {});
        let mut mixed = vec![(2, 7), (1, 5), (2, 8), (1, 6), (3, 9), (2, 0)];
        keep_first(&mut mixed);
        assert_eq!(mixed, [(1, 5), (2, 7), (3, 9)]);
    }

    #[test]
    #[should_panic(
        expected = "its events move 100 minor units, documents moved by 90, balances by 90"
    )]
    fn another_amount_than_the_event_says_stops_the_writer() {
        settle(&[invoice(100)], &[invoice(90)], |_| {});
    }

    #[test]
    #[should_panic(expected = "documents moved by -70, balances by -71")]
    fn a_balance_that_moves_by_itself_stops_the_writer() {
        settle(&[payment(70)], &[payment(70)], |rows| {
            let ledger = rows.ledgers.get_mut(0).unwrap();
            ledger.customers.get_mut(0).unwrap().balances[0].unapplied += 1;
        });
    }

    #[test]
    #[should_panic(expected = "documents moved by 101, balances by 100")]
    fn a_document_that_moves_by_itself_stops_the_writer() {
        settle(&[invoice(100)], &[invoice(100)], |rows| {
            let ledger = rows.ledgers.get_mut(0).unwrap();
            ledger.invoices.get_mut(0).unwrap().open += 1;
        });
    }

    /// A draft that counts, which no command makes: the invoice it becomes claims nothing more.
    fn with_a_draft_that_is_open() -> State {
        let mut state = begun();
        state.apply_all(Position(4), [0; 16], &[invoice(100)]);
        let ledger = state.rows.ledgers.get_mut(0).unwrap();
        ledger.invoices.get_mut(0).unwrap().stage = Stage::Draft(Arc::new(Draft {
            customer: CUSTOMER,
            currency: euro(),
            total: 100,
            number: None,
            issue_date: None,
            due: None,
            reference: None,
            content: InvoiceContent::default(),
        }));
        state
    }

    #[test]
    fn a_dry_run_says_what_the_real_one_would() {
        let said = |run: fn(&mut State)| {
            let mut state = with_a_draft_that_is_open();
            let panic = catch_unwind(AssertUnwindSafe(|| run(&mut state))).unwrap_err();
            panic.downcast_ref::<String>().unwrap().clone()
        };
        let real = said(|state| state.apply_all(Position(5), [0; 16], &[invoice(100)]));
        let dry = said(|state| {
            let subject = Subject::Invoice(LEDGER, InvoiceNo(0));
            let _ = state.preview(Position(5), [0; 16], &[invoice(100)], subject);
        });
        assert!(real.contains("move 100 minor units, documents moved by 0"), "{real}");
        assert_eq!(dry, real);
    }
}
