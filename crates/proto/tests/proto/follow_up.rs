//! Requests about planned payments and reminders.

use encours_domain::commands::ReminderTarget;
use encours_domain::dunning::{Channel, Emitted, Planned, Step};
use encours_domain::{Command, Day, Reason};
use encours_proto::reminder::{next_message, sent_message};
use encours_proto::v1;

use crate::commands::{eur, read, refused};

#[test]
fn a_planned_payment_has_a_day() {
    let request = v1::PlanPaymentRequest {
        ledger_id: "acme".into(),
        invoice_id: "F1".into(),
        date: Some(v1::Date { year: 2026, month: 2, day: 1 }),
        amount: eur(3),
        ..Default::default()
    };
    let Command::PlanPayment(plan) = read(request.clone()).unwrap().command else { panic!() };
    assert_eq!((plan.amount, plan.date), (Some(300), Day::from_ymd(2026, 2, 1).unwrap()));
    let all = v1::PlanPaymentRequest { amount: None, ..request.clone() };
    let Command::PlanPayment(plan) = read(all).unwrap().command else { panic!() };
    assert_eq!((plan.amount, plan.currency), (None, None));
    let some_day = v1::PlanPaymentRequest { date: None, ..request.clone() };
    assert_eq!(refused(some_day), (Reason::MissingField, "date".into()));
    let no_day = v1::Date { year: 2026, month: 2, day: 30 };
    let wrong = v1::PlanPaymentRequest { date: Some(no_day), ..request };
    assert_eq!(refused(wrong), (Reason::InvalidDate, "date".into()));
}

#[test]
fn a_recorded_reminder_is_about_an_invoice_or_a_customer() {
    let channel = v1::ReminderChannel::Phone.into();
    let of_invoice = v1::RecordReminderRequest {
        ledger_id: "acme".into(),
        invoice_id: "F1".into(),
        level: 2,
        channel,
        ..Default::default()
    };
    let command = read(of_invoice.clone()).unwrap().command;
    let Command::RecordReminder(record) = command else { panic!() };
    assert!(matches!(record.target, ReminderTarget::Invoice(_)));
    assert_eq!((record.level, record.channel), (2, Channel::Phone));
    let of_customer = v1::CustomerServiceRecordReminderRequest {
        ledger_id: "acme".into(),
        customer_id: "ada".into(),
        level: 1,
        channel,
        ..Default::default()
    };
    let Command::RecordReminder(record) = read(of_customer).unwrap().command else { panic!() };
    assert!(matches!(record.target, ReminderTarget::Customer(_)));

    let silent = v1::RecordReminderRequest { channel: 0, ..of_invoice.clone() };
    assert_eq!(refused(silent), (Reason::MissingField, "channel".into()));
    let pigeon = v1::RecordReminderRequest { channel: 7, ..of_invoice.clone() };
    assert_eq!(refused(pigeon), (Reason::UnknownValue, "channel".into()));
    for level in [-1, 256, i32::MAX] {
        let wrong = v1::RecordReminderRequest { level, ..of_invoice.clone() };
        assert_eq!(refused(wrong), (Reason::UnknownValue, "level".into()), "{level}");
    }
}

#[test]
fn a_stop_says_why() {
    let request = v1::StopRemindersRequest {
        ledger_id: "acme".into(),
        invoice_id: "F1".into(),
        reason: "settled by hand".into(),
        ..Default::default()
    };
    let write = read(request).unwrap();
    assert_eq!(write.reason, "settled by hand");
    let Command::StopReminders(stop) = write.command else { panic!() };
    assert_eq!(stop.reason, "settled by hand");
}

#[test]
fn steps_show_level_and_template() {
    let (planned, date) = (Day::from_ymd(2026, 1, 5).unwrap(), Day::from_ymd(2026, 1, 7).unwrap());
    let shown = |step| {
        let sent = sent_message(&Emitted { step, planned, date });
        assert_ne!(sent.planned_date, sent.date);
        let next = next_message(&Planned { step, channel: Channel::Email, date });
        assert_eq!(
            (next.step, next.level, &next.template),
            (sent.step, sent.level, &sent.template)
        );
        (sent.step(), sent.level, sent.template)
    };
    use v1::ReminderStep as S;
    assert_eq!(shown(Step::IssueNotice), (S::IssueNotice, 0, "issue-notice".into()));
    assert_eq!(shown(Step::Midpoint), (S::Midpoint, 0, "before-due".into()));
    assert_eq!(shown(Step::DueDate), (S::DueDate, 0, "due".into()));
    assert_eq!(shown(Step::Overdue(3)), (S::Overdue, 3, "overdue-3".into()));
}
