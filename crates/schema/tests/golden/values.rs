//! Values that no event may have, in both directions.

use std::sync::Arc;

use encours_domain::calendar::Calendar;
use encours_domain::details::{Detail, DetailKind, Secret};
use encours_domain::dunning::{Channel, Policy, Step};
use encours_domain::event::{
    CreditLimitExceeded, CustomerUpdated, InvoiceDue, LedgerCreated, OpeningItemCorrected,
    PaymentReversed, ReminderEmitted, ReminderRecorded, ReversalKind,
};
use encours_domain::terms::{DueTerms, Terms};
use encours_domain::{ClockNo, CustomerNo, Event, PaymentNo};
use encours_schema::{EventKind, SchemaError, decode, encode};

use crate::cases::{INVOICE, LEDGER, currency, day, id};

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

fn wrong_values() -> Vec<Event> {
    let (ledger, invoice, date) = (LEDGER, INVOICE, day(2026, 1, 1));
    let (customer, payment) = (CustomerNo(0), PaymentNo(0));
    let bounced = PaymentReversed { ledger, payment, kind: ReversalKind::Bounced, amount: 0, date };
    let terms = CustomerUpdated {
        ledger,
        customer,
        currency: None,
        terms: Some(Terms::NetDays { days: 367, grace_days: 0 }),
        details: vec![],
    };
    let created = LedgerCreated {
        ledger,
        id: id("l"),
        name: "".into(),
        currency: currency("EUR"),
        clock: ClockNo(0),
        terms: Terms::NetDays { days: 0, grace_days: 91 },
        invoice_pattern: "{seq}".into(),
        credit_note_pattern: "{seq}".into(),
        calendar: Calendar::France,
        reminders: Policy::None,
    };
    let recorded = |level| {
        let channel = Channel::Sms;
        ReminderRecorded { ledger, invoice, level, channel, date, text: "".into() }.into()
    };
    let emitted = |step, level, planned, open| {
        let (channel, template) = (Channel::Email, "overdue-1".into());
        let of = ReminderEmitted {
            ledger,
            invoice,
            step,
            level,
            channel,
            template,
            planned,
            date,
            open,
        };
        of.into()
    };
    let corrected = |amount, paid, left_after| {
        let due = DueTerms::new(Some(date), 0).unwrap();
        let not_overdue = false;
        OpeningItemCorrected { ledger, invoice, amount, paid, due, date, left_after, not_overdue }
            .into()
    };
    let limit = |limit, exposure| {
        let overridden = false;
        CreditLimitExceeded { ledger, invoice, customer, limit, exposure, overridden }.into()
    };
    vec![
        InvoiceDue { ledger, invoice, date, open: -1 }.into(),
        bounced.into(),
        terms.into(),
        created.into(),
        recorded(0),
        recorded(10),
        emitted(Step::Overdue(0), 0, date, 1),
        emitted(Step::Overdue(10), 9, date, 1),
        emitted(Step::Overdue(1), 10, date, 1),
        emitted(Step::Overdue(1), 1, date.plus(1).unwrap(), 1),
        emitted(Step::DueDate, 0, date, 0),
        corrected(-1, 0, 0),
        corrected(1, 2, 0),
        corrected(1, -1, 0),
        corrected(1, 0, -1),
        limit(100, 100),
        limit(-1, 100),
    ]
}

#[test]
fn wrong_values_are_not_encoded() {
    for event in wrong_values() {
        assert!(matches!(encode(&event), Err(SchemaError::Invalid { .. })), "{event:?}");
    }
}

/// Payloads by type and version, with the field that is wrong in them.
const WRONG_BYTES: &[(EventKind, u16, &str, &[u8])] = &[
    (EventKind::ClockAdvanced, 1, "target", &[0, 0xff, 0x8f, 0x03]),
    (EventKind::ClockAdvanced, 2, "target", &[0, 0xff, 0x8f, 0x03, 0]),
    (EventKind::ClockCreated, 1, "id", &[0, 1, b' ', 0, 0, 0]),
    (EventKind::LedgerCreated, 2, "calendar", b"\0\x01l\0EUR\0\x02\0\0\0\0\x01x\x04none"),
    (EventKind::LedgerCreated, 2, "reminders", b"\0\x01l\0EUR\0\x02\0\0\0\0\x06france\x01x"),
    (EventKind::CustomerUpdated, 1, "currency", b"\0\0\x01eur\0\0"),
    (EventKind::CustomerUpdated, 1, "terms", &[0, 0, 0, 1, 2, 1, 0, 0]),
    (EventKind::CustomerUpdated, 1, "details.kind", &[0, 0, 0, 0, 1, 5, 0]),
    (EventKind::CreditLimitSet, 1, "policy", b"\0\0EUR\0\x04"),
    (EventKind::CreditLimitSet, 1, "limit", b"\0\0EUR\x01\x01\x03"),
    (EventKind::CreditLimitExceeded, 1, "exposure", &[0, 0, 0, 2, 2, 0]),
    (EventKind::CustomerReminderRecorded, 1, "level", &[0, 0, 0, 1, 0, 0]),
    (EventKind::ReminderRecorded, 1, "channel", &[0, 0, 1, 5, 0, 0]),
    (EventKind::ReminderRecorded, 1, "level", &[0, 0, 10, 1, 0, 0]),
    (EventKind::ReminderEmitted, 1, "step", &[0, 0, 12, 0, 1, 0, 0, 0, 2]),
    (EventKind::ReminderEmitted, 1, "level", &[0, 0, 3, 10, 1, 0, 0, 0, 2]),
    (EventKind::ReminderEmitted, 1, "date", &[0, 0, 3, 1, 1, 0, 2, 0, 2]),
    (EventKind::ReminderEmitted, 1, "open", &[0, 0, 3, 1, 1, 0, 0, 0, 0]),
    (EventKind::DraftUpdated, 1, "due_date", b"\0\0\0EUR\0\0\0\x01\x02\0\0\x01\0\0\0\0\0\0\0"),
    (EventKind::OpeningItemAdded, 1, "direction", b"\0\0\x01o\0\0\x03EUR\x02\0\0\0\0\0\0"),
    (EventKind::OpeningItemAdded, 1, "amount", b"\0\0\x01o\0\0\x01EUR\0\0\0\0\0\0\0"),
    (EventKind::OpeningItemAdded, 1, "paid", b"\0\0\x01o\0\0\x01EUR\x02\x04\0\0\0\0\0"),
    (EventKind::OpeningItemCorrected, 1, "paid", &[0, 0, 2, 4, 0, 0, 0, 0, 0]),
    (EventKind::PaymentPlanned, 1, "amount", &[0, 0, 0, 0, 0]),
    (EventKind::PaymentRecorded, 1, "method", b"\0\0\x01p\0EUR\x02\x07\0\0"),
    (EventKind::PaymentReversed, 1, "kind", &[0, 0, 5, 2, 0]),
    (EventKind::PaymentRefunded, 1, "method", &[0, 0, 2, 0, 0, 0, 0]),
    (EventKind::PaymentRefunded, 1, "unapplied_after", &[0, 0, 2, 1, 0, 0, 1]),
    (EventKind::InvoiceDue, 1, "open", &[0, 0, 0, 1]),
    (EventKind::Allocated, 1, "source.kind", &[0, 4, 0, 0, 2, 0, 0, 0]),
    (
        EventKind::InvoiceIssued,
        1,
        "taxes.rate",
        b"\0\0\x01i\0\0\0EUR\0\0\0\0\0\0\x01\xa1\x8d\x06\0\0\0\0\0",
    ),
];

#[test]
fn wrong_values_are_not_decoded() {
    for &(kind, version, field, payload) in WRONG_BYTES {
        let error = decode(kind.code(), version, payload).unwrap_err();
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
