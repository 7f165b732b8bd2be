//! Events drawn at random.

use std::sync::Arc;

use encours_domain::calendar::Calendar;
use encours_domain::details::{DetailKind, Secret};
use encours_domain::dunning::Policy;
use encours_domain::event::{
    Allocated, ClockAdvanced, ClockCreated, CreditNoteIssued, CustomerCreated, CustomerUpdated,
    DayFinished, DayOpened, Deallocated, DisputeResolved, InvoiceCancelled, InvoiceContent,
    InvoiceDisputed, InvoiceDue, InvoiceIssued, InvoiceOverdue, InvoicePaid, InvoiceReopened,
    InvoiceSent, LedgerCreated, Line, LogCreated, LogForked, Method, PaymentRecorded,
    PaymentReversed, Rate, ReversalKind, Tax, WriterOpened,
};
use encours_domain::terms::{DueTerms, Terms};
use encours_domain::{
    ClockNo, CreditNoteNo, Currency, CustomerNo, Day, Event, Id, InvoiceNo, LedgerNo, PaymentNo,
    Position, Source,
};
use encours_schema::EventKind;
use rust_decimal::Decimal;

/// Makes values of the raw numbers that proptest draws and shrinks; zeros when they are used up.
pub(crate) struct Draw(std::vec::IntoIter<u64>);

impl Draw {
    pub(crate) fn new(raw: Vec<u64>) -> Self {
        Self(raw.into_iter())
    }

    fn raw(&mut self) -> u64 {
        self.0.next().unwrap_or_default()
    }

    pub(crate) fn below(&mut self, limit: u64) -> usize {
        usize::try_from(self.raw() % limit).unwrap()
    }

    pub(crate) fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        let at = self.below(choices.len() as u64);
        choices[at].clone()
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.below(2) == 1
    }

    pub(crate) fn number(&mut self) -> u32 {
        u32::try_from(self.raw() >> 32).unwrap()
    }

    pub(crate) fn amount(&mut self) -> i64 {
        i64::try_from(self.raw() >> 1).unwrap()
    }

    pub(crate) fn positive(&mut self) -> i64 {
        self.amount().max(1)
    }

    pub(crate) fn signed(&mut self) -> i64 {
        self.raw().cast_signed()
    }

    pub(crate) fn day(&mut self) -> Day {
        let days = u64::try_from(Day::MAX.since(Day::MIN)).unwrap() + 1;
        Day::MIN.plus(i32::try_from(self.below(days)).unwrap()).unwrap()
    }

    pub(crate) fn text(&mut self) -> String {
        let length = self.below(12);
        (0..length).map(|_| self.of(&['a', 'Z', '0', ' ', 'é', '漢', '\u{1f600}', '\n'])).collect()
    }

    pub(crate) fn id(&mut self) -> Id {
        let length = 1 + self.below(64);
        let text: String =
            (0..length).map(|_| self.of(&['a', 'Z', '0', '_', '-', ':', '/'])).collect();
        Id::parse("id", &text).unwrap()
    }

    pub(crate) fn currency(&mut self) -> Currency {
        let code = self.of(&["EUR", "JPY", "BHD", "USD", "CLF", "AED", "ZWG"]);
        Currency::parse("currency", code).unwrap()
    }

    pub(crate) fn terms(&mut self) -> Terms {
        if self.flag() {
            return Terms::OnReceipt;
        }
        let days = u16::try_from(self.below(367)).unwrap();
        Terms::NetDays { days, grace_days: u8::try_from(self.below(91)).unwrap() }
    }

    pub(crate) fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| make(self))
    }

    fn many<T>(&mut self, limit: u64, make: impl Fn(&mut Self) -> T) -> Vec<T> {
        let length = self.below(limit);
        (0..length).map(|_| make(self)).collect()
    }

    fn detail(&mut self) -> (DetailKind, Secret) {
        use DetailKind::{Address, Contacts, Name, Note};
        let kind = self.of(&[Name, Address, Contacts, Note]);
        let sealed = self.many(60, |draw| u8::try_from(draw.below(256)).unwrap());
        (kind, Secret::Sealed(sealed.into()))
    }

    fn decimal(&mut self) -> Decimal {
        let mantissa = i128::from(self.signed()) * i128::from(self.number());
        let scale = u32::try_from(self.below(29)).unwrap();
        Decimal::from_i128_with_scale(mantissa, scale)
    }

    fn rate(&mut self) -> Rate {
        Rate(u32::try_from(self.below(100_001)).unwrap())
    }

    fn source(&mut self) -> Source {
        let number = self.number();
        self.of(&[
            Source::Payment(PaymentNo(number)),
            Source::CreditNote(CreditNoteNo(number)),
            Source::Opening(InvoiceNo(number)),
        ])
    }

    pub(crate) fn due(&mut self) -> DueTerms {
        let grace = u8::try_from(self.below(91)).unwrap();
        let last = Day::MAX.plus(-91).unwrap();
        DueTerms::new(Some(self.day().min(last)), grace).unwrap()
    }

    pub(crate) fn content(&mut self) -> InvoiceContent {
        InvoiceContent {
            lines: self.many(5, |draw| Line {
                description: draw.text(),
                quantity: draw.maybe(Self::decimal),
                unit_price: draw.maybe(Self::decimal),
                amount: draw.signed(),
                rate: draw.rate(),
            }),
            taxes: self.many(3, |draw| Tax {
                rate: draw.rate(),
                base: draw.signed(),
                tax: draw.signed(),
            }),
            purchase_order: self.text(),
            text: self.text(),
            metadata: self.many(4, |draw| (draw.text(), draw.text())),
        }
    }

    fn invoice(&mut self) -> InvoiceIssued {
        InvoiceIssued {
            ledger: LedgerNo(self.number()),
            invoice: InvoiceNo(self.number()),
            id: self.id(),
            customer: CustomerNo(self.number()),
            number: self.text().into(),
            allotted: self.flag(),
            currency: self.currency(),
            total: self.amount(),
            issue_date: self.day(),
            due: self.due(),
            reference: self.text().into(),
            content: Arc::new(self.content()),
        }
    }

    fn payment(&mut self) -> PaymentRecorded {
        use Method::{Card, Cash, Cheque, DirectDebit, Other, Transfer};
        PaymentRecorded {
            ledger: LedgerNo(self.number()),
            payment: PaymentNo(self.number()),
            id: self.id(),
            customer: CustomerNo(self.number()),
            currency: self.currency(),
            amount: self.positive(),
            method: self.of(&[Transfer, Card, DirectDebit, Cheque, Cash, Other]),
            received_on: self.day(),
            reference: self.text().into(),
        }
    }

    fn reversal(&mut self) -> PaymentReversed {
        use ReversalKind::{Bounced, Chargeback, Duplicate, EntryError};
        PaymentReversed {
            ledger: LedgerNo(self.number()),
            payment: PaymentNo(self.number()),
            kind: self.of(&[EntryError, Duplicate, Bounced, Chargeback]),
            amount: self.positive(),
            date: self.day(),
        }
    }

    fn credit_note(&mut self) -> CreditNoteIssued {
        CreditNoteIssued {
            ledger: LedgerNo(self.number()),
            credit_note: CreditNoteNo(self.number()),
            id: self.id(),
            invoice: InvoiceNo(self.number()),
            customer: CustomerNo(self.number()),
            number: self.text().into(),
            allotted: self.flag(),
            currency: self.currency(),
            amount: self.positive(),
            issue_date: self.day(),
            reason: self.text().into(),
        }
    }

    fn allocated(&mut self) -> Allocated {
        Allocated {
            ledger: LedgerNo(self.number()),
            source: self.source(),
            invoice: InvoiceNo(self.number()),
            amount: self.positive(),
            date: self.day(),
            open_after: self.amount(),
            unapplied_after: self.amount(),
        }
    }

    fn ledger(&mut self) -> LedgerCreated {
        LedgerCreated {
            ledger: LedgerNo(self.number()),
            id: self.id(),
            name: self.text().into(),
            currency: self.currency(),
            clock: ClockNo(self.number()),
            terms: self.terms(),
            invoice_pattern: self.text().into(),
            credit_note_pattern: self.text().into(),
            calendar: self.of(Calendar::ALL),
            reminders: self.of(Policy::ALL),
        }
    }

    fn customer(&mut self) -> CustomerCreated {
        CustomerCreated {
            ledger: LedgerNo(self.number()),
            customer: CustomerNo(self.number()),
            id: self.id(),
            currency: self.maybe(Self::currency),
            terms: self.maybe(Self::terms),
            details: self.many(4, Self::detail),
        }
    }

    /// An event about an invoice after it was issued.
    fn invoice_fact(&mut self, kind: EventKind) -> Option<Event> {
        let (ledger, invoice) = (LedgerNo(self.number()), InvoiceNo(self.number()));
        let (date, open) = (self.day(), self.amount());
        Some(match kind {
            EventKind::InvoiceSent => InvoiceSent { ledger, invoice, date }.into(),
            EventKind::InvoiceDisputed => {
                InvoiceDisputed { ledger, invoice, date, reason: self.text().into() }.into()
            }
            EventKind::DisputeResolved => DisputeResolved { ledger, invoice, date }.into(),
            EventKind::InvoiceDue => InvoiceDue { ledger, invoice, date, open }.into(),
            EventKind::InvoiceOverdue => InvoiceOverdue { ledger, invoice, date, open }.into(),
            EventKind::InvoicePaid => InvoicePaid { ledger, invoice, date }.into(),
            EventKind::InvoiceReopened => InvoiceReopened { ledger, invoice, date, open }.into(),
            EventKind::InvoiceCancelled => InvoiceCancelled { ledger, invoice, date }.into(),
            _ => return None,
        })
    }

    pub(crate) fn event(&mut self, kind: EventKind) -> Option<Event> {
        let clock = ClockNo(self.number());
        Some(match kind {
            EventKind::LogCreated => {
                LogCreated { log_id: u128::from(self.raw()).to_le_bytes() }.into()
            }
            EventKind::WriterOpened => WriterOpened { epoch: self.raw() }.into(),
            EventKind::LogForked => {
                let log_id = u128::from(self.raw()).to_be_bytes();
                let (frame, position) = (self.raw(), Position(self.raw()));
                let frame_hash = std::array::from_fn(|_| self.raw().to_le_bytes()[0]);
                LogForked { log_id, frame, frame_hash, position }.into()
            }
            EventKind::ClockCreated => {
                let (id, zone) = (self.id(), self.text().into());
                ClockCreated { clock, id, test: self.flag(), zone, day: self.day() }.into()
            }
            EventKind::ClockAdvanced => {
                ClockAdvanced { clock, target: self.day(), outage: self.flag() }.into()
            }
            EventKind::DayOpened => {
                DayOpened { clock, day: self.day(), on_time: self.flag() }.into()
            }
            EventKind::DayFinished => DayFinished { clock, day: self.day() }.into(),
            EventKind::LedgerCreated => self.ledger().into(),
            EventKind::CustomerCreated => self.customer().into(),
            EventKind::CustomerUpdated => {
                let CustomerCreated { ledger, customer, currency, terms, details, .. } =
                    self.customer();
                CustomerUpdated { ledger, customer, currency, terms, details }.into()
            }
            EventKind::InvoiceIssued => self.invoice().into(),
            EventKind::PaymentRecorded => self.payment().into(),
            EventKind::PaymentReversed => self.reversal().into(),
            EventKind::CreditNoteIssued => self.credit_note().into(),
            EventKind::Allocated => self.allocated().into(),
            EventKind::Deallocated => {
                let Allocated { ledger, source, invoice, amount, date, .. } = self.allocated();
                let (open_after, unapplied_after) = (self.amount(), self.amount());
                Deallocated { ledger, source, invoice, amount, date, open_after, unapplied_after }
                    .into()
            }
            other => return self.invoice_fact(other).or_else(|| self.later(other)),
        })
    }
}
