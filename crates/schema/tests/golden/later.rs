//! The events of drafts, limits, opening items, plans, refunds and reminders.

use std::sync::Arc;

use encours_domain::dunning::{Channel, Step};
use encours_domain::event::{
    CreditLimitExceeded, CreditLimitSet, CreditPolicy, CustomerReminderRecorded, Direction, Draft,
    DraftCreated, DraftDeleted, DraftUpdated, InvoiceContent, Method, OpeningItemAdded,
    OpeningItemCorrected, PaymentPlanned, PaymentRefunded, PlannedPaymentCancelled,
    PlannedPaymentCleared, PlannedPaymentLapsed, ReminderEmitted, ReminderRecorded,
    RemindersStopped,
};
use encours_domain::terms::{Due, DueTerms, Terms};
use encours_domain::{CustomerNo, Event, PaymentNo};

use crate::cases::{INVOICE, LEDGER, currency, day, id, invoice_content};

/// The cases of these events.
pub(crate) fn cases() -> Vec<(&'static str, Event)> {
    let mut all = limits();
    all.extend(drafts());
    all.extend(openings());
    all.extend(plans());
    all.extend(reminders());
    all
}

fn limits() -> Vec<(&'static str, Event)> {
    let (ledger, customer) = (LEDGER, CustomerNo(5));
    let set = |limit, policy| {
        CreditLimitSet { ledger, customer, currency: currency("EUR"), limit, policy }.into()
    };
    let exceeded = |limit, exposure, overridden| {
        let invoice = INVOICE;
        CreditLimitExceeded { ledger, invoice, customer, limit, exposure, overridden }.into()
    };
    vec![
        ("CreditLimitSet/lifted", set(None, CreditPolicy::Allow)),
        ("CreditLimitSet/warn", set(Some(0), CreditPolicy::Warn)),
        ("CreditLimitSet/refuse", set(Some(i64::MAX), CreditPolicy::Refuse)),
        ("CreditLimitExceeded/warned", exceeded(0, 1, false)),
        ("CreditLimitExceeded/overridden", exceeded(500_000, i64::MAX, true)),
    ]
}

fn drafts() -> Vec<(&'static str, Event)> {
    let (ledger, invoice) = (LEDGER, INVOICE);
    let minimal = Draft {
        customer: CustomerNo(0),
        currency: currency("EUR"),
        total: 0,
        number: None,
        issue_date: None,
        due: None,
        reference: None,
        content: InvoiceContent::default(),
    };
    let by_terms = Draft {
        customer: CustomerNo(300),
        total: i64::MAX,
        number: Some("F-17".into()),
        issue_date: Some(day(2026, 11, 21)),
        due: Some(Due::Terms(Terms::NetDays { days: 45, grace_days: 2 })),
        reference: Some("RF18539007547034".into()),
        content: invoice_content(),
        ..minimal.clone()
    };
    let by_date = Draft { due: Some(Due::Date(day(1969, 12, 31))), ..minimal.clone() };
    let created = |draft: Draft| {
        DraftCreated { ledger, invoice, id: id("d/1"), draft: Arc::new(draft) }.into()
    };
    vec![
        ("DraftCreated/minimal", created(minimal)),
        ("DraftCreated/full", created(by_terms)),
        ("DraftUpdated", DraftUpdated { ledger, invoice, draft: Arc::new(by_date) }.into()),
        ("DraftDeleted", DraftDeleted { ledger, invoice }.into()),
    ]
}

fn openings() -> Vec<(&'static str, Event)> {
    let (ledger, invoice, date) = (LEDGER, INVOICE, day(2025, 12, 31));
    let owed = OpeningItemAdded {
        ledger,
        invoice,
        id: id("o-1"),
        customer: CustomerNo(5),
        number: "2025/118".into(),
        direction: Direction::Owed,
        currency: currency("EUR"),
        amount: 120_000,
        paid: 20_000,
        date,
        due: DueTerms::new(Some(day(2026, 1, 30)), 3).unwrap(),
        reference: "RF18539007547034".into(),
        sent_on: Some(date),
    };
    let owing = OpeningItemAdded {
        direction: Direction::Owing,
        paid: 0,
        due: DueTerms::new(Some(date), 0).unwrap(),
        sent_on: None,
        ..owed.clone()
    };
    let corrected = OpeningItemCorrected {
        ledger,
        invoice,
        amount: 100_000,
        paid: 20_000,
        due: owed.due,
        date: day(2026, 2, 1),
        left_after: 80_000,
        not_overdue: true,
    };
    let nothing = OpeningItemCorrected {
        amount: 0,
        paid: 0,
        left_after: 0,
        not_overdue: false,
        ..corrected.clone()
    };
    vec![
        ("OpeningItemAdded/owed", owed.into()),
        ("OpeningItemAdded/owing", owing.into()),
        ("OpeningItemCorrected/not overdue", corrected.into()),
        ("OpeningItemCorrected/to nothing", nothing.into()),
    ]
}

fn plans() -> Vec<(&'static str, Event)> {
    let (ledger, invoice, date) = (LEDGER, INVOICE, day(2026, 11, 21));
    let planned_for = day(2026, 12, 24);
    let payment = PaymentNo(128);
    let refunded = PaymentRefunded {
        ledger,
        payment,
        amount: 1,
        method: Method::Transfer,
        date,
        reference: "".into(),
        unapplied_after: 0,
    };
    let by_cheque = PaymentRefunded {
        amount: i64::MAX,
        method: Method::Cheque,
        reference: "chèque 17".into(),
        unapplied_after: 35_000,
        ..refunded.clone()
    };
    vec![
        (
            "PaymentPlanned",
            PaymentPlanned { ledger, invoice, amount: 2_500, planned_for, date }.into(),
        ),
        ("PlannedPaymentCancelled", PlannedPaymentCancelled { ledger, invoice, date }.into()),
        ("PlannedPaymentCleared", PlannedPaymentCleared { ledger, invoice, date }.into()),
        ("PlannedPaymentLapsed", PlannedPaymentLapsed { ledger, invoice, date }.into()),
        ("PaymentRefunded/transfer", refunded.into()),
        ("PaymentRefunded/cheque", by_cheque.into()),
    ]
}

fn reminders() -> Vec<(&'static str, Event)> {
    let (ledger, invoice, date) = (LEDGER, INVOICE, day(2026, 11, 21));
    let emitted = |step: Step, days_late: i32| {
        ReminderEmitted {
            ledger,
            invoice,
            step,
            level: step.level(),
            channel: Channel::Email,
            template: step.template().into(),
            planned: date,
            date: date.plus(days_late).unwrap(),
            open: 12_000,
        }
        .into()
    };
    let recorded = |level, channel, text: &str| {
        ReminderRecorded { ledger, invoice, level, channel, date, text: text.into() }.into()
    };
    let of_customer = CustomerReminderRecorded {
        ledger,
        customer: CustomerNo(5),
        level: 2,
        channel: Channel::Phone,
        date,
        text: "rappelle lundi".into(),
    };
    vec![
        ("ReminderEmitted/notice", emitted(Step::IssueNotice, 0)),
        ("ReminderEmitted/midpoint", emitted(Step::Midpoint, 1)),
        ("ReminderEmitted/due", emitted(Step::DueDate, 0)),
        ("ReminderEmitted/first", emitted(Step::Overdue(1), 0)),
        ("ReminderEmitted/ninth", emitted(Step::Overdue(9), 40)),
        ("ReminderRecorded/email", recorded(1, Channel::Email, "")),
        ("ReminderRecorded/letter", recorded(3, Channel::Letter, "recommandé")),
        ("ReminderRecorded/sms", recorded(9, Channel::Sms, "")),
        ("CustomerReminderRecorded", of_customer.into()),
        (
            "RemindersStopped",
            RemindersStopped { ledger, invoice, date, reason: "accord".into() }.into(),
        ),
    ]
}
