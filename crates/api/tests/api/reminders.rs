//! Planned payments and reminders, from sending to the last step.

use encours_proto::v1;
use tonic::Code;

use crate::support::{Client, acme, date, eur, field, payment, reason};

impl Client {
    /// An invoice of 40 EUR, due on 4 February 2026, and sent on the day of its issue.
    async fn sent(&mut self, id: &str) -> v1::Invoice {
        self.invoice(id, "ada", 4_000).await;
        let request = v1::MarkSentRequest {
            ledger_id: "acme".into(),
            invoice_id: id.into(),
            ..Default::default()
        };
        let answer = self.invoices.mark_sent(request).await.unwrap().into_inner();
        answer.invoice.unwrap()
    }

    async fn plan(&mut self, id: &str) -> v1::GetReminderPlanResponse {
        let request = v1::GetReminderPlanRequest {
            ledger_id: "acme".into(),
            invoice_id: id.into(),
            min_position: self.head().await,
        };
        self.invoices.get_reminder_plan(request).await.unwrap().into_inner()
    }

    async fn upcoming(&mut self, until: Option<v1::Date>) -> Vec<(String, v1::Date)> {
        let request = v1::ListUpcomingRemindersRequest {
            ledger_id: "acme".into(),
            until_date: until,
            page_size: 1,
            min_position: self.head().await,
            ..Default::default()
        };
        let mut found = Vec::new();
        let mut token = String::new();
        for _ in 0..10 {
            let page = v1::ListUpcomingRemindersRequest { page_token: token, ..request.clone() };
            let page = self.invoices.list_upcoming_reminders(page).await.unwrap().into_inner();
            found.extend(page.reminders.into_iter().map(|entry| {
                (entry.invoice_id, entry.reminder.and_then(|next| next.date).unwrap())
            }));
            token = page.next_page_token;
            if token.is_empty() {
                return found;
            }
        }
        panic!("the pages do not end: {found:?}");
    }
}

/// State, level and day of every entry.
fn entries(plan: &v1::GetReminderPlanResponse) -> Vec<(v1::ReminderState, i32, v1::Date)> {
    plan.entries.iter().map(|entry| (entry.state(), entry.level, entry.date.unwrap())).collect()
}

#[tokio::test]
async fn a_plan_goes_from_the_notice_to_its_last_step() {
    use v1::ReminderState::{Recorded, Sent, ToCome};
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    client.invoice("F0", "ada", 100).await;
    let waiting = client.plan("F0").await;
    assert_eq!(waiting.state(), v1::ReminderPlanState::NotSent);
    assert!(waiting.entries.is_empty());

    // 5 January is a Monday; the due date a Wednesday.
    let shown = client.sent("F1").await;
    assert_eq!(shown.due_date, Some(date(2026, 2, 4)));
    let last = shown.last_reminder.unwrap();
    assert_eq!(
        (last.step(), last.template.as_str()),
        (v1::ReminderStep::IssueNotice, "issue-notice")
    );
    let next = shown.next_reminder.unwrap();
    assert_eq!((next.step(), next.date), (v1::ReminderStep::Midpoint, Some(date(2026, 1, 20))));
    let steps = [
        (0, date(2026, 1, 20)),
        (0, date(2026, 2, 4)),
        (1, date(2026, 2, 11)),
        (2, date(2026, 2, 18)),
        (3, date(2026, 2, 25)),
    ];
    let plan = client.plan("F1").await;
    assert_eq!(plan.state(), v1::ReminderPlanState::Running);
    assert_eq!(plan.reminder_policy_id, "three-cases");
    assert_eq!(plan.calendar_id, "france");
    let mut wanted = vec![(Sent, 0, date(2026, 1, 5))];
    wanted.extend(steps.iter().map(|(level, date)| (ToCome, *level, *date)));
    assert_eq!(entries(&plan), wanted);

    client.sent("F2").await;
    client.advance(2026, 2, 18).await;
    let record = v1::RecordReminderRequest {
        ledger_id: "acme".into(),
        invoice_id: "F1".into(),
        level: 5,
        channel: v1::ReminderChannel::Phone.into(),
        text: "promised to pay".into(),
        ..Default::default()
    };
    let recorded = client.invoices.record_reminder(record).await.unwrap().into_inner();
    let facets = recorded.invoice.clone().unwrap().facets.unwrap();
    assert_eq!((facets.dunning(), facets.reminder_level), (v1::DunningState::Level, 5));
    assert_eq!(recorded.invoice.unwrap().labels["clicfacture"], "relance 2");
    let plan = client.plan("F1").await;
    let mut wanted = vec![(Sent, 0, date(2026, 1, 5))];
    wanted.extend(steps[..4].iter().map(|(level, date)| (Sent, *level, *date)));
    wanted.push((Recorded, 5, date(2026, 2, 18)));
    wanted.push((ToCome, 3, date(2026, 2, 25)));
    assert_eq!(entries(&plan), wanted);
    assert!(plan.entries[..6].iter().all(|entry| entry.position > 0));

    let stop = v1::StopRemindersRequest {
        ledger_id: "acme".into(),
        invoice_id: "F2".into(),
        reason: "settled".into(),
        ..Default::default()
    };
    let stopped = client.invoices.stop_reminders(stop.clone()).await.unwrap().into_inner();
    assert!(stopped.invoice.unwrap().next_reminder.is_none());
    assert!(client.invoices.stop_reminders(stop).await.unwrap().into_inner().repeat);
    let plan = client.plan("F2").await;
    assert_eq!(plan.state(), v1::ReminderPlanState::Stopped);
    client.advance(2026, 2, 25).await;
    assert_eq!(client.plan("F1").await.state(), v1::ReminderPlanState::Exhausted);
    assert_eq!(client.plan("F2").await.entries.len(), plan.entries.len());
}

#[tokio::test]
async fn what_is_to_be_reminded_of_next_is_listed_by_day() {
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    client.sent("F1").await;
    client.sent("F2").await;
    let days = |found: &[(String, v1::Date)]| -> Vec<(String, i32)> {
        found.iter().map(|(id, date)| (id.clone(), date.day)).collect()
    };
    let both = client.upcoming(None).await;
    assert_eq!(days(&both), [("F1".into(), 20), ("F2".into(), 20)]);
    assert!(client.upcoming(Some(date(2026, 1, 19))).await.is_empty());
    assert_eq!(client.upcoming(Some(date(2026, 1, 20))).await.len(), 2);
}

#[tokio::test]
async fn an_outage_is_made_up_for_by_the_last_step_only() {
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    client.sent("F1").await;
    let request = v1::AdvanceClockRequest {
        ledger_id: "acme".into(),
        to: Some(date(2026, 2, 18)),
        outage: true,
        ..Default::default()
    };
    client.ledgers.advance_clock(request).await.unwrap();
    let plan = client.plan("F1").await;
    let sent = entries(&plan).into_iter().filter(|entry| entry.0 == v1::ReminderState::Sent);
    let sent: Vec<_> = sent.map(|(_, level, date)| (level, date)).collect();
    assert_eq!(sent, [(0, date(2026, 1, 5)), (2, date(2026, 2, 18))]);
}

#[tokio::test]
async fn a_planned_payment_clears_or_lapses() {
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    let plan = |id: &str, cents: Option<i64>, day| v1::PlanPaymentRequest {
        ledger_id: "acme".into(),
        invoice_id: id.into(),
        date: Some(date(2026, 1, day)),
        amount: cents.map(eur),
        ..Default::default()
    };
    for id in ["F1", "F2", "F3"] {
        client.invoice(id, "ada", 4_000).await;
    }
    let shown = client.invoices.plan_payment(plan("F1", None, 10)).await.unwrap().into_inner();
    let shown = shown.invoice.unwrap();
    assert_eq!(shown.status(), v1::InvoiceStatus::PaymentPlanned);
    assert_eq!(shown.labels["libeo"], "planifié");
    let planned = shown.planned_payment.unwrap();
    assert_eq!((planned.amount, planned.date), (Some(eur(4_000)), Some(date(2026, 1, 10))));
    let again = client.invoices.plan_payment(plan("F1", None, 10)).await.unwrap().into_inner();
    assert!(again.repeat);
    let above = client.invoices.plan_payment(plan("F2", Some(4_001), 10)).await.unwrap_err();
    assert_eq!(
        (above.code(), reason(&above).as_str()),
        (Code::FailedPrecondition, "OVER_ALLOCATION")
    );
    let past = client.invoices.plan_payment(plan("F2", None, 4)).await.unwrap_err();
    assert_eq!(
        (past.code(), reason(&past).as_str()),
        (Code::FailedPrecondition, "DATED_BEFORE_FACT")
    );
    client.invoices.plan_payment(plan("F2", Some(1_000), 10)).await.unwrap();
    client.invoices.plan_payment(plan("F3", None, 12)).await.unwrap();

    let pay = v1::RecordPaymentRequest { invoice_id: "F2".into(), ..payment("P1", "ada", 1_000) };
    client.payments.record_payment(pay).await.unwrap();
    let cancel = v1::CancelPlannedPaymentRequest {
        ledger_id: "acme".into(),
        invoice_id: "F3".into(),
        ..Default::default()
    };
    let cancelled = client.invoices.cancel_planned_payment(cancel.clone()).await.unwrap();
    assert!(cancelled.into_inner().invoice.unwrap().planned_payment.is_none());
    client.advance(2026, 1, 11).await;
    let read = v1::ReadEventsRequest {
        filter: Some(v1::EventFilter {
            ledger_id: "acme".into(),
            entities: vec!["payment_plan".into()],
            customer_id: "ada".into(),
            ..Default::default()
        }),
        min_position: client.head().await,
        ..Default::default()
    };
    let events = client.log.read_events(read).await.unwrap().into_inner().events;
    let names: Vec<&str> = events.iter().map(|event| event.event.as_str()).collect();
    let (made, end) = ("payment_plan.made", ["cleared", "cancelled", "lapsed"]);
    let wanted = end.map(|end| format!("payment_plan.{end}"));
    assert_eq!(names[..3], [made; 3]);
    assert_eq!(names[3..], wanted);
}

#[tokio::test]
async fn a_customer_is_reminded_by_hand() {
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    let record = |level, channel: v1::ReminderChannel| v1::CustomerServiceRecordReminderRequest {
        ledger_id: "acme".into(),
        customer_id: "ada".into(),
        level,
        channel: channel.into(),
        ..Default::default()
    };
    let told = record(3, v1::ReminderChannel::Letter);
    let told = client.customers.record_reminder(told).await.unwrap().into_inner();
    let last = told.customer.unwrap().last_reminder.unwrap();
    assert_eq!((last.level, last.date), (3, Some(date(2026, 1, 5))));
    let silent = record(3, v1::ReminderChannel::Unspecified);
    let silent = client.customers.record_reminder(silent).await.unwrap_err();
    assert_eq!((reason(&silent), field(&silent)), ("MISSING_FIELD".into(), "channel".into()));
    for level in [0, 10, -1, 1_000] {
        let wrong = record(level, v1::ReminderChannel::Letter);
        let wrong = client.customers.record_reminder(wrong).await.unwrap_err();
        assert_eq!((reason(&wrong), field(&wrong)), ("UNKNOWN_VALUE".into(), "level".into()));
    }
}
