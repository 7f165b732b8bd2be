//! A writer that takes random commands, and the book of its events.

mod beside;

use std::collections::BTreeMap;

use encours_domain::commands::{
    AddOpeningItem, AdvanceClock, Allocate, CancelInvoice, CancelPlannedPayment, Command, Context,
    CorrectOpeningItem, CreateCustomer, CreateDraft, CreditUse, CustomerDetails, Deallocate,
    Decision, DeleteDraft, DisputeInvoice, From as Of, IssueCreditNote, IssueDraft, IssueInvoice,
    MarkSent, PlanPayment, Put, RecordPayment, RecordReminder, RefundPayment, ReminderTarget,
    ResolveDispute, ReversePayment, RunDay, SetCreditLimit, StopReminders, UpdateDraft,
};
use encours_domain::details::{Detail, Secret};
use encours_domain::dunning::Channel;
use encours_domain::event::{CreditPolicy, Direction, Method, ReversalKind};
use encours_domain::number::{ClockNo, CustomerNo};
use encours_domain::state::Invoice;
use encours_domain::terms::{Due, Terms};
use encours_domain::{Day, Event, Id, Position, State};

use crate::testing::{Book, LEDGER, Random, currency, id};

/// A writer and the book of its events.
pub(super) struct Writer {
    state: State,
    pub(super) book: Book,
    random: Random,
    commands: u64,
    /// Whether facts may be dated after today.
    ahead: bool,
}

const NAMES: [&str; 4] = ["Café Élodie", "Durand SARL", "Łódź Export", "Éditions Rhône"];

/// Stands in for the engine's encryption.
fn seal(event: &mut Event) {
    let Event::CustomerCreated(e) = event else { return };
    for (_, secret) in &mut e.details {
        if let Secret::Clear(Detail::Name(name)) = secret {
            let sealed: Vec<u8> = name.bytes().map(|byte| byte ^ 0x5A).collect();
            *secret = Secret::Sealed(sealed.into());
        }
    }
}

/// Opens what [`seal`] sealed.
pub(super) fn open(_: CustomerNo, sealed: &[u8]) -> Option<String> {
    String::from_utf8(sealed.iter().map(|byte| byte ^ 0x5A).collect()).ok()
}

impl Writer {
    pub(super) fn new(seed: u64, ahead: bool) -> Self {
        let (mut state, book) = (State::default(), Book::new());
        for (position, event) in (1..).zip(&book.events) {
            state.apply(Position(position), [0; 16], event);
        }
        let random = Random::new(seed ^ 0x5EED);
        let mut writer = Self { state, book, random, commands: 0, ahead };
        for (no, name) in NAMES.iter().enumerate() {
            let details = CustomerDetails { name: Some((*name).into()), ..Default::default() };
            writer.submit(CreateCustomer {
                ledger_id: id("acme"),
                customer_id: Some(id(&format!("C{no}"))),
                currency: None,
                terms: (no == 1).then_some(Terms::NetDays { days: 10, grace_days: 3 }),
                details,
            });
        }
        writer
    }

    pub(super) fn submit(&mut self, command: impl Into<Command>) -> bool {
        let command = command.into();
        self.commands += 1;
        let digest = u128::from(self.commands).to_le_bytes();
        let position = Position(self.book.events.len() as u64 + 1);
        let context = Context { position, digest, expected_version: None, zone_day: None };
        let Ok(Decision::Accept(events)) = command.decide(&self.state, &context) else {
            return false;
        };
        for mut event in events {
            seal(&mut event);
            let position = Position(self.book.events.len() as u64 + 1);
            self.state.apply(position, digest, &event);
            self.book.push(event);
        }
        if self.random.below(3) == 0 {
            self.book.commit();
        }
        true
    }

    /// Today, the last day finished, the day to reach.
    fn clock(&self) -> (Day, Day, Day) {
        let clock = self.state.rows().clocks.get(0).unwrap();
        (clock.today, clock.finished, clock.target)
    }

    fn advance(&mut self, days: i32) {
        let to = self.clock().0.plus(days).unwrap();
        let outage = self.random.below(6) == 0;
        self.submit(AdvanceClock { ledger_id: id("acme"), to, outage });
        while self.clock().1 < self.clock().2 {
            let day = self.clock().1.plus(1).unwrap();
            let limit = 1 + u32::try_from(self.random.below(4)).unwrap();
            assert!(self.submit(RunDay { clock: ClockNo(0), day, limit }));
        }
    }

    fn pick(&mut self, letter: char, len: u32) -> Id {
        id(&format!("{letter}{}", self.random.below(u64::from(len) + 1)))
    }

    /// The first invoice like this.
    fn first(&self, like: fn(&Invoice) -> bool) -> Option<Id> {
        let ledger = self.state.rows().ledger(LEDGER)?;
        ledger.invoices.iter().find(|row| like(row)).map(|row| row.id.clone())
    }

    fn amount(&mut self) -> i64 {
        i64::from(self.random.within(1, 300))
    }

    fn maybe<T>(&mut self, value: T) -> Option<T> {
        (self.random.below(2) == 0).then_some(value)
    }

    /// A day in the past, or to come where that is wanted; often none.
    fn date(&mut self) -> Option<Day> {
        let today = self.clock().0;
        let last = if self.ahead { 20 } else { 0 };
        let date = today.plus(self.random.within(-15, last));
        date.filter(|_| self.random.below(2) == 0)
    }

    pub(super) fn invoice(&mut self, invoice_id: Id) -> IssueInvoice {
        let words = ["Pose de câble", "maintenance n° 12", "", "Œuvre complète"];
        let text = words[usize::try_from(self.random.below(4)).unwrap()];
        let due = self.clock().0.plus(self.random.within(0, 25)).map(Due::Date);
        IssueInvoice {
            ledger_id: id("acme"),
            invoice_id: Some(invoice_id),
            customer_id: self.pick('C', 3),
            number: None,
            issue_date: None,
            due: due.filter(|_| self.random.below(3) > 0),
            currency: (self.random.below(5) == 0).then(|| currency("USD")),
            total: Some(self.amount()),
            lines: Vec::new(),
            taxes: Vec::new(),
            reference: None,
            purchase_order: format!("PO-{}", self.random.below(50)),
            text: text.into(),
            metadata: BTreeMap::from([("site".into(), format!("Lyon {}", self.commands))]),
            override_credit_limit: self.random.below(2) == 0,
        }
    }

    #[expect(clippy::too_many_lines, reason = "a table of commands")]
    pub(super) fn step(&mut self) {
        let ledger_id = id("acme");
        let ledger = self.state.rows().ledger(LEDGER).unwrap();
        let (invoices, payments) = (ledger.invoices.len(), ledger.payments.len());
        let notes = ledger.credit_notes.len();
        let new = |letter: char, no: u32| id(&format!("{letter}{no}"));
        let invoice_id = self.pick('I', invoices);
        let payment_id = self.pick('P', payments);
        let (date, amount) = (self.date(), self.amount());
        match self.random.below(28) {
            0..=2 => {
                let invoice = self.invoice(new('I', invoices));
                self.submit(invoice);
            }
            3 => {
                let invoice = self.invoice(new('I', invoices));
                self.submit(CreateDraft { invoice });
            }
            4 => {
                let invoice = self.invoice(invoice_id);
                self.submit(UpdateDraft { invoice });
            }
            5 => _ = self.submit(DeleteDraft { ledger_id, invoice_id }),
            6 => {
                self.submit(IssueDraft {
                    ledger_id,
                    invoice_id,
                    issue_date: None,
                    number: None,
                    override_credit_limit: true,
                });
            }
            7 => self.opening(new('I', invoices), date, amount),
            8 => {
                let due_date = self.clock().0.plus(self.random.within(-9, 9));
                let (amount, paid) = (self.maybe(amount), self.maybe(amount / 4));
                let due_date = due_date.filter(|_| amount.is_none());
                let currency = None;
                let date = None;
                self.submit(CorrectOpeningItem {
                    ledger_id,
                    invoice_id,
                    amount,
                    paid,
                    currency,
                    due_date,
                    date,
                });
            }
            9..=10 => _ = self.submit(MarkSent { ledger_id, invoice_id, date: None }),
            11..=13 => self.pay(new('P', payments), invoice_id, date, amount),
            14 => {
                let from = match self.random.below(4) {
                    0 => Of::Anything,
                    1 => Of::Payment(payment_id),
                    2 => Of::CreditNote(self.pick('N', notes)),
                    _ => Of::OpeningItem(self.pick('I', invoices)),
                };
                let amount = None;
                let (currency, date) = (None, None);
                self.submit(Allocate { ledger_id, invoice_id, from, amount, currency, date });
            }
            15 => {
                let opening = self.pick('I', invoices);
                let from = self.random.below(2) == 0;
                self.submit(Deallocate {
                    ledger_id,
                    invoice_id,
                    payment_id: Some(payment_id).filter(|_| from),
                    credit_note_id: None,
                    opening_item_id: Some(opening).filter(|_| !from),
                    amount: None,
                    currency: None,
                    date: None,
                });
            }
            16 => {
                let kind = ReversalKind::Bounced;
                self.submit(ReversePayment { ledger_id, payment_id, kind, date: None });
            }
            17 => {
                let (invoice_id, amount) = (self.maybe(invoice_id), self.maybe(1 + amount / 9));
                self.submit(RefundPayment {
                    ledger_id,
                    payment_id,
                    invoice_id,
                    amount,
                    currency: None,
                    method: None,
                    date: None,
                    reference: String::new(),
                });
            }
            18 => {
                let usage =
                    if amount % 2 == 0 { CreditUse::Keep } else { CreditUse::OffsetThenKeep };
                let amount = self.maybe(1 + amount / 5);
                self.submit(IssueCreditNote {
                    ledger_id,
                    credit_note_id: Some(new('N', notes)),
                    invoice_id,
                    number: None,
                    amount,
                    currency: None,
                    issue_date: None,
                    usage,
                    reason: String::new(),
                });
            }
            19 => {
                self.submit(CancelInvoice {
                    ledger_id,
                    invoice_id,
                    credit_note_id: Some(new('N', notes)),
                    number: None,
                    date: None,
                    reason: String::new(),
                    keep_unapplied: true,
                });
            }
            20 => self.plan(invoice_id, amount),
            21 => self.limit(amount),
            22..=24 => self.follow_up(invoice_id),
            _ => {
                let days = self.random.within(1, 6);
                self.advance(days);
            }
        }
    }

    fn opening(&mut self, invoice_id: Id, date: Option<Day>, amount: i64) {
        let owed = self.random.below(3) > 0;
        let due_date = self.clock().0.plus(self.random.within(-20, 20)).filter(|_| owed);
        let item = AddOpeningItem {
            ledger_id: id("acme"),
            invoice_id: Some(invoice_id),
            customer_id: self.pick('C', 3),
            direction: if owed { Direction::Owed } else { Direction::Owing },
            amount,
            paid: amount / 3,
            currency: None,
            date,
            due_date: self.maybe(due_date).flatten(),
            number: Some(format!("OLD {}", self.commands)),
            reference: None,
            sent_on: date.filter(|date| owed && *date <= self.clock().0),
        };
        self.submit(item);
    }

    fn pay(&mut self, payment_id: Id, invoice_id: Id, received_on: Option<Day>, amount: i64) {
        let put = match self.random.below(3) {
            0 => Put::Nothing,
            1 => Put::Auto,
            _ => Put::Invoice(invoice_id),
        };
        let customer_id = self.pick('C', 3);
        self.submit(RecordPayment {
            ledger_id: id("acme"),
            payment_id: Some(payment_id),
            customer_id: Some(customer_id).filter(|_| !matches!(put, Put::Invoice(_))),
            amount: Some(amount),
            currency: None,
            method: Method::Transfer,
            received_on,
            reference: "merci".into(),
            put,
        });
    }

    fn plan(&mut self, invoice_id: Id, amount: i64) {
        let ledger_id = id("acme");
        if self.random.below(4) == 0 {
            let Some(invoice_id) = self.first(|row| row.planned.is_some()) else { return };
            self.submit(CancelPlannedPayment { ledger_id, invoice_id });
            return;
        }
        let date = self.clock().0.plus(self.random.within(0, 9)).unwrap();
        let amount = self.maybe(amount / 3 + 1);
        self.submit(PlanPayment { ledger_id, invoice_id, date, amount, currency: None });
    }

    fn limit(&mut self, amount: i64) {
        let policies = [CreditPolicy::Allow, CreditPolicy::Warn, CreditPolicy::Refuse];
        let policy = policies[usize::try_from(self.random.below(3)).unwrap()];
        let lifted = self.random.below(4) == 0;
        let limit = Some(amount * 2).filter(|_| !lifted);
        let customer_id = self.pick('C', 3);
        let currency = (self.random.below(4) == 0).then(|| currency("USD"));
        self.submit(SetCreditLimit { ledger_id: id("acme"), customer_id, currency, limit, policy });
    }

    fn follow_up(&mut self, invoice_id: Id) {
        let (ledger_id, customer) = (id("acme"), self.pick('C', 3));
        let (text, date) = (String::new(), None);
        match self.random.below(8) {
            0..=1 => {
                let reason = String::new();
                self.submit(DisputeInvoice { ledger_id, invoice_id, date, reason });
            }
            2..=4 => {
                let Some(invoice_id) = self.first(|row| row.dispute.is_some()) else { return };
                self.submit(ResolveDispute { ledger_id, invoice_id, date });
            }
            5 => {
                let reason = String::new();
                self.submit(StopReminders { ledger_id, invoice_id, reason });
            }
            of => {
                let target = match of {
                    6 => ReminderTarget::Customer(customer),
                    _ => ReminderTarget::Invoice(invoice_id),
                };
                let level = 1 + u8::try_from(self.random.below(9)).unwrap();
                let channel = Channel::Phone;
                self.submit(RecordReminder { ledger_id, target, level, channel, date, text });
            }
        }
    }
}
