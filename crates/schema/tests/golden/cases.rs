//! The events of the golden files.

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
use rust_decimal::Decimal;

use crate::later;

pub(crate) fn day(year: i32, month: u32, day: u32) -> Day {
    Day::from_ymd(year, month, day).unwrap()
}

pub(crate) fn id(text: &str) -> Id {
    Id::parse("id", text).unwrap()
}

pub(crate) fn currency(code: &str) -> Currency {
    Currency::parse("currency", code).unwrap()
}

pub(crate) const LEDGER: LedgerNo = LedgerNo(300);
pub(crate) const INVOICE: InvoiceNo = InvoiceNo(70_000);

/// The events of the golden file by name of the case, which starts with the name of the event.
pub(crate) fn cases() -> Vec<(&'static str, Event)> {
    let mut all = log_and_clock_cases();
    all.extend(ledger_and_customer_cases());
    all.extend(invoice_cases());
    all.extend(money_cases());
    all.extend(later::cases());
    all
}

/// What the lines of older versions, which nothing writes any more, are read as.
pub(crate) fn superseded() -> Vec<(&'static str, Event)> {
    let mut all = vec![("ClockAdvanced", advanced(false))];
    all.extend(ledger_and_customer_cases().into_iter().take(2));
    all
}

fn advanced(outage: bool) -> Event {
    ClockAdvanced { clock: ClockNo(2), target: day(2024, 2, 29), outage }.into()
}

fn forked() -> LogForked {
    let (log_id, frame_hash) = (*b"0123456789abcdef", *b"0123456789abcdefghijklmnopqrstuv");
    LogForked { log_id, frame: 300, frame_hash, position: Position(70_000) }
}

fn log_and_clock_cases() -> Vec<(&'static str, Event)> {
    let clock = ClockNo(2);
    vec![
        ("LogCreated", LogCreated { log_id: *b"0123456789abcdef" }.into()),
        ("WriterOpened/first", WriterOpened { epoch: 1 }.into()),
        ("WriterOpened/last", WriterOpened { epoch: u64::MAX }.into()),
        ("LogForked", forked().into()),
        (
            "ClockCreated/test",
            ClockCreated {
                clock: ClockNo(0),
                id: id("ibm"),
                test: true,
                zone: "UTC".into(),
                day: day(2012, 1, 3),
            }
            .into(),
        ),
        (
            "ClockCreated/system",
            ClockCreated {
                clock,
                id: id("system:Europe/Paris"),
                test: false,
                zone: "Europe/Paris".into(),
                day: Day::MIN,
            }
            .into(),
        ),
        ("ClockAdvanced", advanced(false)),
        ("ClockAdvanced/outage", advanced(true)),
        ("DayOpened/on time", DayOpened { clock, day: day(2024, 2, 29), on_time: true }.into()),
        ("DayOpened/late", DayOpened { clock, day: Day::MAX, on_time: false }.into()),
        ("DayFinished", DayFinished { clock, day: day(1969, 12, 31) }.into()),
    ]
}

fn ledger_and_customer_cases() -> Vec<(&'static str, Event)> {
    let ledger = LedgerCreated {
        ledger: LEDGER,
        id: id("fr:sarl_1"),
        name: "Société d'exemple".into(),
        currency: currency("EUR"),
        clock: ClockNo(1),
        terms: Terms::NetDays { days: 366, grace_days: 90 },
        invoice_pattern: "FA-{year}-{seq:5}".into(),
        credit_note_pattern: "AV-{year}-{seq:5}".into(),
        calendar: Calendar::France,
        reminders: Policy::ThreeCases,
    };
    let other =
        LedgerCreated { calendar: Calendar::Weekdays, reminders: Policy::None, ..ledger.clone() };
    let on_receipt = LedgerCreated { name: "".into(), terms: Terms::OnReceipt, ..ledger.clone() };
    let sealed = |byte: u8, length: usize| Secret::Sealed(Arc::from(vec![byte; length]));
    let customer = CustomerCreated {
        ledger: LEDGER,
        customer: CustomerNo(u32::MAX),
        id: id("C-1"),
        currency: None,
        terms: None,
        details: vec![(DetailKind::Name, sealed(0xa1, 40))],
    };
    let full = CustomerCreated {
        currency: Some(currency("BHD")),
        terms: Some(Terms::DEFAULT),
        details: vec![
            (DetailKind::Name, sealed(0xff, 29)),
            (DetailKind::Address, sealed(0, 28)),
            (DetailKind::Contacts, sealed(0x80, 3)),
            (DetailKind::Note, sealed(1, 1)),
        ],
        ..customer.clone()
    };
    let nothing = CustomerUpdated {
        ledger: LEDGER,
        customer: CustomerNo(0),
        currency: None,
        terms: None,
        details: vec![],
    };
    let update = CustomerUpdated {
        currency: Some(currency("JPY")),
        terms: Some(Terms::OnReceipt),
        details: vec![(DetailKind::Note, sealed(9, 2))],
        ..nothing.clone()
    };
    vec![
        ("LedgerCreated/net days", ledger.into()),
        ("LedgerCreated/on receipt", on_receipt.into()),
        ("LedgerCreated/other plans", other.into()),
        ("CustomerCreated/minimal", customer.into()),
        ("CustomerCreated/full", full.into()),
        ("CustomerUpdated/minimal", nothing.into()),
        ("CustomerUpdated/full", update.into()),
    ]
}

pub(crate) fn invoice_content() -> InvoiceContent {
    InvoiceContent {
        lines: vec![
            Line {
                description: "Conseil – août".to_owned(),
                quantity: Some(Decimal::new(25, 1)),
                unit_price: Some(Decimal::new(-100_000, 3)),
                amount: -25_000,
                rate: Rate(5_500),
            },
            Line {
                description: String::new(),
                quantity: Some(Decimal::MAX),
                unit_price: None,
                amount: i64::MAX,
                rate: Rate(100_000),
            },
        ],
        taxes: vec![Tax { rate: Rate(20_000), base: 10_000, tax: 2_000 }],
        purchase_order: "PO 7".to_owned(),
        text: "Merci".to_owned(),
        metadata: vec![("k".to_owned(), "v".to_owned()), ("é".to_owned(), String::new())],
    }
}

fn invoice_cases() -> Vec<(&'static str, Event)> {
    let (ledger, invoice, date) = (LEDGER, INVOICE, day(2026, 11, 21));
    let issued = InvoiceIssued {
        ledger,
        invoice,
        id: id("F/2026-001"),
        customer: CustomerNo(5),
        number: "FA-2026-00001".into(),
        allotted: true,
        currency: currency("EUR"),
        total: 12_000,
        issue_date: date,
        due: DueTerms::new(Some(day(2026, 12, 21)), 0).unwrap(),
        reference: "RF18539007547034".into(),
        content: Arc::new(InvoiceContent::default()),
    };
    let full = InvoiceIssued {
        allotted: false,
        total: i64::MAX,
        due: DueTerms::new(Some(date), 3).unwrap(),
        content: Arc::new(invoice_content()),
        ..issued.clone()
    };
    vec![
        ("InvoiceIssued/minimal", issued.into()),
        ("InvoiceIssued/full", full.into()),
        ("InvoiceSent", InvoiceSent { ledger, invoice, date }.into()),
        (
            "InvoiceDisputed/no reason",
            InvoiceDisputed { ledger, invoice, date, reason: "".into() }.into(),
        ),
        (
            "InvoiceDisputed/reason",
            InvoiceDisputed { ledger, invoice, date, reason: "abîmé".into() }.into(),
        ),
        ("DisputeResolved", DisputeResolved { ledger, invoice, date }.into()),
        ("InvoiceDue", InvoiceDue { ledger, invoice, date, open: 1 }.into()),
        ("InvoiceOverdue", InvoiceOverdue { ledger, invoice, date, open: i64::MAX }.into()),
        ("InvoicePaid", InvoicePaid { ledger, invoice, date }.into()),
        ("InvoiceReopened", InvoiceReopened { ledger, invoice, date, open: 64 }.into()),
        ("InvoiceCancelled", InvoiceCancelled { ledger, invoice, date }.into()),
    ]
}

const METHODS: [(&str, Method); 6] = [
    ("PaymentRecorded/transfer", Method::Transfer),
    ("PaymentRecorded/card", Method::Card),
    ("PaymentRecorded/direct debit", Method::DirectDebit),
    ("PaymentRecorded/cheque", Method::Cheque),
    ("PaymentRecorded/cash", Method::Cash),
    ("PaymentRecorded/other", Method::Other),
];

const REVERSALS: [(&str, ReversalKind); 4] = [
    ("PaymentReversed/entry error", ReversalKind::EntryError),
    ("PaymentReversed/duplicate", ReversalKind::Duplicate),
    ("PaymentReversed/bounced", ReversalKind::Bounced),
    ("PaymentReversed/chargeback", ReversalKind::Chargeback),
];

fn money_cases() -> Vec<(&'static str, Event)> {
    let (ledger, invoice, date) = (LEDGER, INVOICE, day(2026, 11, 21));
    let payment = PaymentNo(128);
    let mut all: Vec<(&'static str, Event)> = Vec::new();
    for (name, method) in METHODS {
        let recorded = PaymentRecorded {
            ledger,
            payment,
            id: id("p:1"),
            customer: CustomerNo(5),
            currency: currency("USD"),
            amount: 14_770_318,
            method,
            received_on: date,
            reference: "RF18 5390".into(),
        };
        all.push((name, recorded.into()));
    }
    for (name, kind) in REVERSALS {
        all.push((name, PaymentReversed { ledger, payment, kind, amount: 1, date }.into()));
    }
    let note = CreditNoteIssued {
        ledger,
        credit_note: CreditNoteNo(0),
        id: id("cn_1"),
        invoice,
        customer: CustomerNo(5),
        number: "AV-2026-00001".into(),
        allotted: true,
        currency: currency("EUR"),
        amount: 4_000,
        issue_date: date,
        reason: "".into(),
    };
    let given = CreditNoteIssued { allotted: false, reason: "retour".into(), ..note.clone() };
    all.push(("CreditNoteIssued/allotted", note.into()));
    all.push(("CreditNoteIssued/given", given.into()));
    let allocated = Allocated {
        ledger,
        source: Source::Payment(payment),
        invoice,
        amount: 50,
        date,
        open_after: 0,
        unapplied_after: 35_000,
    };
    let from_opening = Allocated { source: Source::Opening(InvoiceNo(129)), ..allocated.clone() };
    let from_credit =
        Allocated { source: Source::CreditNote(CreditNoteNo(7)), ..allocated.clone() };
    all.push(("Allocated/payment", allocated.into()));
    all.push(("Allocated/credit note", from_credit.into()));
    all.push(("Allocated/opening item", from_opening.into()));
    let taken_off = Deallocated {
        ledger,
        source: Source::Payment(payment),
        invoice,
        amount: i64::MAX,
        date,
        open_after: i64::MAX,
        unapplied_after: 0,
    };
    let from_credit =
        Deallocated { source: Source::CreditNote(CreditNoteNo(7)), ..taken_off.clone() };
    all.push(("Deallocated/payment", taken_off.into()));
    all.push(("Deallocated/credit note", from_credit.into()));
    all
}
