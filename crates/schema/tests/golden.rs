//! Golden bytes: what version 1 of every event looks like in the log, for ever.
//!
//! A difference means that existing logs can no longer be read, or no longer verify. Never change
//! a line of `golden/v1.txt`: a new need is a new version with a file of its own. A new event adds
//! lines; the failing test prints them.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use encours_domain::details::{Detail, DetailKind, Secret};
use encours_domain::event::{
    Allocated, ClockAdvanced, ClockCreated, CreditNoteIssued, CustomerCreated, CustomerUpdated,
    DayFinished, DayOpened, Deallocated, DisputeResolved, InvoiceCancelled, InvoiceContent,
    InvoiceDisputed, InvoiceDue, InvoiceIssued, InvoiceOverdue, InvoicePaid, InvoiceReopened,
    InvoiceSent, LedgerCreated, Line, LogCreated, Method, PaymentRecorded, PaymentReversed, Rate,
    ReversalKind, Tax, WriterOpened,
};
use encours_domain::terms::{DueTerms, Terms};
use encours_domain::{
    ClockNo, CreditNoteNo, Currency, CustomerNo, Day, Event, Id, InvoiceNo, LedgerNo, PaymentNo,
    Source,
};
use encours_schema::{EventKind, SchemaError, decode, encode};
use rust_decimal::Decimal;

const V1: &str = include_str!("golden/v1.txt");

fn day(year: i32, month: u32, day: u32) -> Day {
    Day::from_ymd(year, month, day).unwrap()
}

fn id(text: &str) -> Id {
    Id::parse("id", text).unwrap()
}

fn currency(code: &str) -> Currency {
    Currency::parse("currency", code).unwrap()
}

const LEDGER: LedgerNo = LedgerNo(300);
const INVOICE: InvoiceNo = InvoiceNo(70_000);

/// The events of the golden file by name of the case, which starts with the name of the event.
fn cases() -> Vec<(&'static str, Event)> {
    let mut all = log_and_clock_cases();
    all.extend(ledger_and_customer_cases());
    all.extend(invoice_cases());
    all.extend(money_cases());
    all
}

fn log_and_clock_cases() -> Vec<(&'static str, Event)> {
    let clock = ClockNo(2);
    vec![
        ("LogCreated", LogCreated { log_id: *b"0123456789abcdef" }.into()),
        ("WriterOpened/first", WriterOpened { epoch: 1 }.into()),
        ("WriterOpened/last", WriterOpened { epoch: u64::MAX }.into()),
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
        ("ClockAdvanced", ClockAdvanced { clock, target: day(2024, 2, 29) }.into()),
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
    };
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
        ("CustomerCreated/minimal", customer.into()),
        ("CustomerCreated/full", full.into()),
        ("CustomerUpdated/minimal", nothing.into()),
        ("CustomerUpdated/full", update.into()),
    ]
}

fn invoice_content() -> InvoiceContent {
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
    let from_credit =
        Allocated { source: Source::CreditNote(CreditNoteNo(7)), ..allocated.clone() };
    all.push(("Allocated/payment", allocated.into()));
    all.push(("Allocated/credit note", from_credit.into()));
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

/// A line of a golden file: case, type, version and payload, tab-separated.
fn golden_line(case: &str, event: &Event) -> String {
    let encoded = encode(event).unwrap();
    let mut line = format!("{case}\t{}\t{}\t", encoded.kind, encoded.version);
    for byte in &encoded.payload {
        write!(line, "{byte:02x}").unwrap();
    }
    line
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

#[test]
fn encoding_gives_the_golden_bytes() {
    let now: Vec<String> = cases().iter().map(|(case, event)| golden_line(case, event)).collect();
    let golden: Vec<&str> = V1.lines().collect();
    assert_eq!(now, golden, "the lines now:\n{}\n", now.join("\n"));
}

#[test]
fn golden_bytes_decode_to_the_events() {
    let cases = cases();
    assert_eq!(V1.lines().count(), cases.len());
    for (line, (case, event)) in V1.lines().zip(cases) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, kind, version, hex] = fields[..] else { panic!("{line}") };
        assert_eq!(name, case);
        let (kind, version) = (kind.parse().unwrap(), version.parse().unwrap());
        assert_eq!(decode(kind, version, &unhex(hex)).unwrap(), event, "{case}");
    }
}

#[test]
fn every_event_has_golden_bytes() {
    let cases = cases();
    let have: BTreeSet<EventKind> = cases.iter().map(|(_, event)| EventKind::of(event)).collect();
    // `EventKind::of` matches every event, so a new one without a type number does not compile.
    assert_eq!(have.into_iter().collect::<Vec<_>>(), EventKind::ALL);
    for (case, event) in &cases {
        assert_eq!(case.split('/').next(), Some(event.name()));
        let kind = EventKind::of(event);
        assert_eq!(EventKind::from_code(kind.code()), Some(kind));
        assert_eq!(EventKind::name(kind.code()), Some(event.name()));
    }
}

#[test]
fn a_byte_more_or_less_is_an_error() {
    for (case, event) in cases() {
        let mut bytes = encode(&event).unwrap();
        bytes.payload.push(0);
        let error = decode(bytes.kind, bytes.version, &bytes.payload).unwrap_err();
        assert!(matches!(error, SchemaError::TrailingBytes { bytes: 1, .. }), "{case}: {error}");
        bytes.payload.pop();
        bytes.payload.pop();
        let error = decode(bytes.kind, bytes.version, &bytes.payload).unwrap_err();
        assert!(matches!(error, SchemaError::Malformed { .. }), "{case}: {error}");
        assert!(error.is_corruption());
    }
}

#[test]
fn unknown_types_and_versions_are_told() {
    assert!(matches!(decode(0, 1, &[]), Err(SchemaError::UnknownKind { kind: 0 })));
    assert!(matches!(decode(999, 1, &[]), Err(SchemaError::UnknownKind { kind: 999 })));
    for kind in EventKind::ALL {
        for version in [0, 2, u16::MAX] {
            let error = decode(kind.code(), version, &[]).unwrap_err();
            assert!(error.is_unknown() && !error.is_corruption());
            assert!(error.to_string().contains(kind.event_name()), "{error}");
        }
    }
}

#[test]
fn a_detail_in_clear_is_never_encoded() {
    let name = "Claire Dupont";
    let event = CustomerUpdated {
        ledger: LEDGER,
        customer: CustomerNo(0),
        currency: None,
        terms: None,
        details: vec![
            (DetailKind::Address, Secret::Sealed(Arc::from(*b"sealed"))),
            (DetailKind::Name, Secret::Clear(Detail::Name(name.to_owned()))),
        ],
    };
    let error = encode(&event.into()).unwrap_err();
    assert!(matches!(error, SchemaError::Unsealed { event: "CustomerUpdated" }));
    assert!(!format!("{error} {error:?}").contains(name));
}

#[test]
fn values_that_no_event_may_have_are_refused_both_ways() {
    let (ledger, invoice, date) = (LEDGER, INVOICE, day(2026, 1, 1));
    let wrong: [Event; 4] = [
        InvoiceDue { ledger, invoice, date, open: -1 }.into(),
        PaymentReversed {
            ledger,
            payment: PaymentNo(0),
            kind: ReversalKind::Bounced,
            amount: 0,
            date,
        }
        .into(),
        CustomerUpdated {
            ledger,
            customer: CustomerNo(0),
            currency: None,
            terms: Some(Terms::NetDays { days: 367, grace_days: 0 }),
            details: vec![],
        }
        .into(),
        LedgerCreated {
            ledger,
            id: id("l"),
            name: "".into(),
            currency: currency("EUR"),
            clock: ClockNo(0),
            terms: Terms::NetDays { days: 0, grace_days: 91 },
            invoice_pattern: "{seq}".into(),
            credit_note_pattern: "{seq}".into(),
        }
        .into(),
    ];
    for event in wrong {
        assert!(matches!(encode(&event), Err(SchemaError::Invalid { .. })), "{event:?}");
    }
    let bytes: [(EventKind, &str, &[u8]); 10] = [
        (EventKind::ClockAdvanced, "target", &[0, 0xff, 0x8f, 0x03]),
        (EventKind::ClockCreated, "id", &[0, 1, b' ', 0, 0, 0]),
        (EventKind::CustomerUpdated, "currency", b"\0\0\x01eur\0\0"),
        (EventKind::CustomerUpdated, "terms", &[0, 0, 0, 1, 2, 1, 0, 0]),
        (EventKind::CustomerUpdated, "details.kind", &[0, 0, 0, 0, 1, 5, 0]),
        (EventKind::PaymentRecorded, "method", b"\0\0\x01p\0EUR\x02\x07\0\0"),
        (EventKind::PaymentReversed, "kind", &[0, 0, 5, 2, 0]),
        (EventKind::InvoiceDue, "open", &[0, 0, 0, 1]),
        (EventKind::Allocated, "source.kind", &[0, 3, 0, 0, 2, 0, 0, 0]),
        (
            EventKind::InvoiceIssued,
            "taxes.rate",
            b"\0\0\x01i\0\0\0EUR\0\0\0\0\0\0\x01\xa1\x8d\x06\0\0\0\0\0",
        ),
    ];
    for (kind, field, payload) in bytes {
        let error = decode(kind.code(), 1, payload).unwrap_err();
        assert!(error.is_corruption());
        assert!(
            matches!(&error, SchemaError::Invalid { source, .. } if source.field == field),
            "{kind:?}, not {field}: {error:?}"
        );
    }
}

/// A length is believed no further than the payload reaches.
#[test]
fn a_huge_length_takes_no_memory() {
    let mut payload = vec![0, 0, 0, 0];
    payload.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
    let error = decode(EventKind::CustomerUpdated.code(), 1, &payload).unwrap_err();
    assert!(matches!(error, SchemaError::Malformed { .. }), "{error}");
}
