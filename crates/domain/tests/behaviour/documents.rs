//! What invoices, credit notes, cancellations, disputes and days do.

use crate::scenario::*;
use encours_domain::calendar::Calendar;
use encours_domain::commands::*;
use encours_domain::dunning::Policy;
use encours_domain::event::{Rate, Tax};
use encours_domain::status::{Headline, Timing};
use encours_domain::terms::{Due, Terms};
use encours_domain::{Event, Reason};

#[test]
fn a_series_allots_gapless_numbers_in_date_order_and_starts_anew_each_year() {
    let mut s = Scenario::new();
    s.advance("2026-12-31");
    let mut dated = |name: &str, date: &str| {
        let mut command = invoice(name, 100);
        command.issue_date = Some(day(date));
        s.try_do(command).map(|_| s.invoice(name).number.to_string())
    };
    assert_eq!(dated("a", "2026-03-01").unwrap(), "FA-2026-00001");
    assert_eq!(dated("b", "2026-03-01").unwrap(), "FA-2026-00002");
    assert_eq!(dated("c", "2026-02-28").unwrap_err().reason, Reason::IssueDateOrder);
    assert_eq!(dated("c", "2027-01-01").unwrap_err().reason, Reason::IssueDateOrder);
    s.advance("2027-01-02");
    s.accept(invoice("d", 100));
    assert_eq!(&*s.invoice("d").number, "FA-2027-00001");
}

#[test]
fn a_given_number_is_unique_and_never_one_that_the_series_could_allot() {
    let mut s = Scenario::new();
    let mut command = invoice("a", 100);
    command.number = Some("0000611365".into());
    s.accept(command.clone());
    command.invoice_id = Some(id("b"));
    assert_eq!(s.reason(command.clone()), Reason::NumberExists);
    command.number = Some("FA-2030-00017".into());
    assert_eq!(s.reason(command.clone()), Reason::NumberReserved);
    command.number = Some(" x".into());
    assert_eq!(s.reason(command.clone()), Reason::InvalidText);
    command.number = Some("x".repeat(65));
    assert_eq!(s.reason(command), Reason::TooLarge);
}

#[test]
fn terms_come_from_the_invoice_else_the_customer_else_the_ledger() {
    let mut s = Scenario::new();
    s.accept(invoice("ledger", 100));
    assert_eq!(s.invoice("ledger").due.unwrap().date, day("2026-01-31"));
    let mut customer = create_customer("prompt");
    customer.terms = Some(Terms::NetDays { days: 8, grace_days: 2 });
    s.accept(customer);
    let mut command = invoice("customer", 100);
    command.customer_id = id("prompt");
    s.accept(command.clone());
    assert_eq!(s.invoice("customer").due.unwrap().date, day("2026-01-09"));
    assert_eq!(s.invoice("customer").due.unwrap().overdue_from(), day("2026-01-12"));
    (command.invoice_id, command.due) = (Some(id("explicit")), Some(Due::Date(day("2026-03-15"))));
    s.accept(command.clone());
    assert_eq!(s.invoice("explicit").due.unwrap().overdue_from(), day("2026-03-16"));
    (command.invoice_id, command.due) = (Some(id("x")), Some(Due::Date(day("2025-12-31"))));
    assert_eq!(s.reason(command.clone()), Reason::DueBeforeIssue);
    command.due = Some(Due::Terms(Terms::NetDays { days: 367, grace_days: 0 }));
    assert_eq!(s.reason(command), Reason::InvalidTerms);
}

#[test]
fn net_thirty_is_overdue_on_the_thirty_first_day_and_on_receipt_on_the_fourth() {
    let mut s = Scenario::new();
    s.accept(invoice("net", 100));
    let mut command = invoice("receipt", 100);
    command.due = Some(Due::Terms(Terms::OnReceipt));
    assert_eq!(names(&s.accept(command)), ["InvoiceIssued", "InvoiceDue"]);
    s.advance("2026-01-04");
    assert_eq!(s.invoice("receipt").facets.timing, Timing::Due, "in grace");
    let events = s.advance("2026-01-05");
    assert_eq!(names(&events), ["ClockAdvanced", "DayOpened", "InvoiceOverdue", "DayFinished"]);
    assert_eq!(s.figures("dupont"), (200, 100, 0));
    s.advance("2026-01-30");
    assert_eq!(s.invoice("net").facets.timing, Timing::NotDue);
    let events = s.advance("2026-01-31");
    assert!(names(&events).contains(&"InvoiceDue"));
    let events = s.advance("2026-02-01");
    assert!(names(&events).contains(&"InvoiceOverdue"));
    assert_eq!(s.invoice("net").facets.headline(), Headline::Overdue);
}

#[test]
fn every_day_on_the_way_opens_and_each_fact_is_dated_its_day() {
    let mut s = Scenario::new();
    for (name, due) in [("a", "2026-01-10"), ("b", "2026-01-10"), ("c", "2026-01-12")] {
        let mut command = invoice(name, 100);
        command.due = Some(Due::Date(day(due)));
        s.accept(command);
    }
    let events = s.advance("2026-01-15");
    let overdue: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::InvoiceOverdue(e) => Some(e.date.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(overdue, ["2026-01-11", "2026-01-11", "2026-01-13"]);
    let count = |name| names(&events).iter().filter(|event| **event == name).count();
    assert_eq!((count("DayOpened"), count("DayFinished"), count("InvoiceDue")), (14, 14, 3));
}

#[test]
fn a_clock_never_moves_backwards_nor_further_than_ten_years_nor_without_being_a_test_clock() {
    let mut s = Scenario::new();
    let to = |date| AdvanceClock { ledger_id: id("acme"), to: day(date), outage: false };
    s.advance("2026-01-05");
    assert_eq!(s.reason(to("2026-01-04")), Reason::DayBackwards);
    assert_eq!(s.accept(to("2026-01-05")), []);
    assert_eq!(s.reason(to("2036-12-01")), Reason::LimitReached);
    let mut live = CreateLedger {
        ledger_id: Some(id("live")),
        name: String::new(),
        currency: currency("EUR"),
        time_zone: "Europe/Paris".into(),
        time: Time::System,
        terms: None,
        invoice_pattern: None,
        credit_note_pattern: None,
        calendar: Default::default(),
        reminders: Default::default(),
    };
    assert_eq!(names(&s.accept(live.clone())), ["ClockCreated", "LedgerCreated"]);
    let refused = AdvanceClock { ledger_id: id("live"), to: day("2026-02-01"), outage: false };
    assert_eq!(s.reason(refused), Reason::NotATestClock);
    live.ledger_id = Some(id("live-2"));
    assert_eq!(names(&s.accept(live)), ["LedgerCreated"], "one clock per time zone");
}

#[test]
fn a_ledger_keeps_its_calendar_and_its_reminders() {
    let mut s = Scenario::new();
    let mut command = CreateLedger {
        ledger_id: Some(id("us")),
        name: String::new(),
        currency: currency("USD"),
        time_zone: "Europe/Paris".into(),
        time: Time::Test { clock_id: Some(id("acme")), start: None },
        terms: None,
        invoice_pattern: None,
        credit_note_pattern: None,
        calendar: Calendar::Weekdays,
        reminders: Policy::None,
    };
    let events = s.accept(command.clone());
    let [Event::LedgerCreated(created)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((created.calendar, created.reminders), (Calendar::Weekdays, Policy::None));
    assert!(s.repeats(command.clone()).is_some());
    command.calendar = Calendar::France;
    assert_eq!(s.reason(command.clone()), Reason::IdExists);
    (command.calendar, command.reminders) = (Calendar::Weekdays, Policy::ThreeCases);
    assert_eq!(s.reason(command), Reason::IdExists);
    let acme = s.ledger();
    assert_eq!((acme.calendar, acme.reminders), (Calendar::France, Policy::ThreeCases));
}

#[test]
fn a_zero_total_is_paid_at_issue_and_a_negative_one_refused() {
    let mut s = Scenario::new();
    assert_eq!(names(&s.accept(invoice("a", 0))), ["InvoiceIssued", "InvoicePaid"]);
    assert_eq!(s.invoice("a").facets.headline(), Headline::Paid);
    assert_eq!(s.reason(invoice("b", -1)), Reason::NotPositive);
    assert_eq!(s.reason(cancel("a", true)), Reason::WrongState);
}

#[test]
fn lines_and_taxes_add_up_or_are_refused() {
    let mut s = Scenario::new();
    let mut command = invoice("a", 0);
    command.total = None;
    let decimal = |text: &str| Some(rust_decimal::Decimal::from_str_exact(text).unwrap());
    command.lines = vec![
        InvoiceLine {
            description: "pain".into(),
            quantity: decimal("3"),
            unit_price: decimal("0.835"),
            amount: None,
            rate: Rate(5_500),
        },
        InvoiceLine {
            description: "conseil".into(),
            quantity: None,
            unit_price: None,
            amount: Some(10_000),
            rate: Rate(20_000),
        },
    ];
    s.accept(command.clone());
    // 3 × 0.835 = 2.505 → 2.51; 5.5 % of 2.51 = 0.138 → 0.14; 100.00 + 20.00.
    assert_eq!(s.invoice("a").total, 251 + 14 + 10_000 + 2_000);
    command.invoice_id = Some(id("b"));
    command.total = Some(12_266);
    assert_eq!(s.reason(command.clone()), Reason::TotalMismatch);
    command.total = Some(12_265);
    command.taxes = vec![Tax { rate: Rate(20_000), base: 10_000, tax: 2_000 }];
    assert_eq!(s.reason(command.clone()), Reason::TotalMismatch);
    command.lines.clear();
    command.total = Some(12_000);
    s.accept(command.clone());
    command.invoice_id = Some(id("c"));
    command.taxes[0].tax = 1_999;
    assert_eq!(s.reason(command.clone()), Reason::TotalMismatch);
    (command.taxes, command.total) = (vec![], None);
    assert_eq!(s.reason(command), Reason::MissingField);
}

#[test]
fn a_credit_note_offsets_what_is_open_and_keeps_the_rest() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    s.accept(payment("p", 700, Put::Invoice(id("a"))));
    let events = s.accept(credit("c", "a", 400, CreditUse::OffsetThenKeep));
    assert_eq!(names(&events), ["CreditNoteIssued", "Allocated", "InvoicePaid"]);
    assert_eq!(s.invoice("a").facets.headline(), Headline::Paid, "partly credited, not cancelled");
    assert_eq!((s.invoice("a").credited, s.invoice("a").credit_noted), (300, 400));
    assert_eq!(s.credit_note("c").unapplied, 100);
    assert_eq!(&*s.credit_note("c").number, "AV-2026-00001");
    assert_eq!(s.reason(credit("d", "a", 601, CreditUse::Keep)), Reason::OverCredit);
    assert_eq!(s.reason(credit("d", "a", 0, CreditUse::Keep)), Reason::NotPositive);
    s.accept(credit("d", "a", 600, CreditUse::Keep));
    assert_eq!(s.reason(credit("e", "a", 1, CreditUse::Keep)), Reason::NothingLeft);
}

#[test]
fn an_offset_above_what_is_open_is_refused() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    s.accept(payment("p", 700, Put::Invoice(id("a"))));
    assert_eq!(s.reason(credit("c", "a", 500, CreditUse::Offset(301))), Reason::OverCredit);
    s.accept(credit("c", "a", 500, CreditUse::Offset(300)));
    assert_eq!((s.invoice("a").open, s.credit_note("c").unapplied), (0, 200));
}

#[test]
fn credits_that_reach_the_total_cancel_and_a_partial_one_never_does() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    s.accept(credit("c", "a", 400, CreditUse::Offset(400)));
    assert_eq!(s.invoice("a").facets.headline(), Headline::PartiallyPaid);
    let events = s.accept(credit("d", "a", 600, CreditUse::Offset(600)));
    assert_eq!(names(&events), ["CreditNoteIssued", "Allocated", "InvoiceCancelled"]);
    assert_eq!(s.invoice("a").facets.headline(), Headline::Cancelled);
    assert_eq!(s.figures("dupont"), (0, 0, 0));
    let off = Deallocate {
        ledger_id: id("acme"),
        invoice_id: id("a"),
        payment_id: None,
        credit_note_id: Some(id("d")),
        opening_item_id: None,
        amount: None,
        currency: None,
        date: None,
    };
    assert_eq!(names(&s.accept(off)), ["Deallocated", "InvoiceReopened"]);
    assert_eq!(s.invoice("a").open, 600);
}

#[test]
fn cancelling_credits_the_rest_and_returns_other_credits() {
    let mut s = Scenario::new();
    s.accept(invoice("other", 500));
    s.accept(credit("kept", "other", 500, CreditUse::Keep));
    s.accept(invoice("a", 1_000));
    s.accept(allocate("a", From::CreditNote(id("kept")), None));
    s.accept(credit("own", "a", 200, CreditUse::Keep));
    let events = s.accept(cancel("a", false));
    let expected =
        ["Deallocated", "CreditNoteIssued", "Allocated", "Allocated", "InvoiceCancelled"];
    assert_eq!(names(&events), expected);
    assert_eq!(s.credit_note("kept").unapplied, 500);
    assert_eq!(s.credit_note("own").unapplied, 0);
    assert_eq!(s.invoice("a").facets.headline(), Headline::Cancelled);
    assert_eq!(s.reason(cancel("a", false)), Reason::WrongState);
}

#[test]
fn cancelling_with_money_allocated_says_what_becomes_of_it() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    s.accept(payment("p", 300, Put::Invoice(id("a"))));
    let refusal = s.refuse(cancel("a", false));
    assert_eq!(refusal.reason, Reason::MoneyAllocated);
    assert!(refusal.message.contains("3.00 EUR"), "{refusal}");
    s.accept(cancel("a", true));
    assert_eq!(s.figures("dupont"), (0, 0, 300));
    assert_eq!(s.invoice("a").facets.headline(), Headline::Cancelled);
}

#[test]
fn a_credit_used_elsewhere_stands_in_the_way_of_cancelling() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    s.accept(credit("own", "a", 200, CreditUse::Keep));
    s.accept(invoice("b", 150));
    s.accept(allocate("b", From::CreditNote(id("own")), None));
    assert_eq!(s.reason(cancel("a", false)), Reason::WrongState);
}

#[test]
fn disputes_open_once_and_end_not_before_they_began() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    let mut dispute = DisputeInvoice {
        ledger_id: id("acme"),
        invoice_id: id("a"),
        date: Some(day("2026-01-03")),
        reason: "short delivery".into(),
    };
    s.accept(dispute.clone());
    assert!(s.invoice("a").facets.disputed);
    assert_eq!(s.reason(dispute.clone()), Reason::WrongState);
    let mut resolve = ResolveDispute {
        ledger_id: id("acme"),
        invoice_id: id("a"),
        date: Some(day("2026-01-02")),
    };
    assert_eq!(s.reason(resolve.clone()), Reason::DatedBeforeFact);
    resolve.date = None;
    s.accept(resolve.clone());
    assert_eq!(s.reason(resolve), Reason::WrongState);
    dispute.date = Some(day("2025-12-31"));
    assert_eq!(s.reason(dispute.clone()), Reason::DatedBeforeFact);
    (dispute.date, dispute.reason) = (None, "x".repeat(4_097));
    assert_eq!(s.reason(dispute), Reason::TooLarge);
}

#[test]
fn the_first_sent_date_stands() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    let sent =
        |date| MarkSent { ledger_id: id("acme"), invoice_id: id("a"), date: Some(day(date)) };
    assert_eq!(s.reason(sent("2025-12-31")), Reason::DatedBeforeFact);
    s.accept(sent("2026-01-02"));
    assert_eq!(s.accept(sent("2026-01-02")), []);
    s.accept(sent("2026-01-09"));
    assert_eq!(s.reason(sent("2026-01-01")), Reason::DatedBeforeFact);
    assert_eq!(s.invoice("a").sent_on, Some(day("2026-01-02")));
}

#[test]
fn a_dispute_does_not_begin_before_the_last_one_ended() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    let dispute = |date| DisputeInvoice {
        ledger_id: id("acme"),
        invoice_id: id("a"),
        date: Some(day(date)),
        reason: String::new(),
    };
    let resolve = ResolveDispute {
        ledger_id: id("acme"),
        invoice_id: id("a"),
        date: Some(day("2026-01-08")),
    };
    s.accept(dispute("2026-01-08"));
    s.accept(resolve);
    assert_eq!(s.reason(dispute("2026-01-02")), Reason::DatedBeforeFact);
    s.accept(dispute("2026-01-08"));
}

#[test]
fn an_invoice_issued_late_is_overdue_at_once_and_only_once() {
    let mut s = Scenario::new();
    s.advance("2026-03-01");
    let mut command = invoice("a", 1_000);
    (command.number, command.issue_date) = (Some("old-1".into()), Some(day("2026-01-15")));
    assert_eq!(names(&s.accept(command)), ["InvoiceIssued", "InvoiceOverdue"]);
    let events = s.advance("2026-03-05");
    assert!(!names(&events).contains(&"InvoiceOverdue"));
    assert_eq!(s.figures("dupont"), (1_000, 1_000, 0));
}

#[test]
fn snapshot_rows_make_the_same_state_again() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    s.accept(payment("p", 400, Put::Auto));
    s.advance("2026-02-10");
    let again = encours_domain::State::from_rows(s.state.rows().clone());
    let (before, after) = (format!("{:?}", s.state), format!("{again:?}"));
    assert_eq!(before, after);
}

#[test]
fn a_dry_run_shows_what_would_be_and_changes_nothing() {
    let s = {
        let mut s = Scenario::new();
        s.accept(invoice("a", 1_000));
        s
    };
    let command: encours_domain::Command = payment("p", 400, Put::Invoice(id("a"))).into();
    let context = Context {
        position: encours_domain::Position(99),
        digest: [0; 16],
        expected_version: None,
        zone_day: None,
    };
    let Decision::Accept(events) = command.decide(&s.state, &context).unwrap() else { panic!() };
    let subject = command.subject(&s.state, &events).unwrap();
    let shown = s.state.preview(context.position, context.digest, &events, subject).unwrap();
    let encours_domain::Resource::Payment(shown) = shown else { panic!() };
    assert_eq!((shown.amount, shown.unapplied), (400, 0));
    assert_eq!(s.invoice("a").open, 1_000);
}

#[test]
fn an_expected_version_that_is_old_is_refused() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    let command: encours_domain::Command = cancel("a", false).into();
    let mut context = Context {
        position: encours_domain::Position(99),
        digest: [0; 16],
        expected_version: Some(encours_domain::Position(1)),
        zone_day: None,
    };
    let mut command = command;
    *command.new_id().unwrap() = Some(id("c"));
    let refused = command.decide(&s.state, &context).unwrap_err();
    assert_eq!(refused.reason, Reason::VersionMismatch);
    context.expected_version = Some(s.invoice("a").version);
    assert!(command.decide(&s.state, &context).is_ok());
}

#[test]
fn a_cancelling_credit_counts_at_once_where_the_money_was_still_to_come() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 10_000));
    let paid_on = day("2026-01-08");
    let mut later = payment("p", 4_000, Put::Invoice(id("a")));
    later.received_on = Some(paid_on);
    s.accept(later);
    let mut before = cancel("a", true);
    before.date = Some(day("2026-01-05"));
    assert_eq!(s.reason(before), Reason::DatedBeforeFact);
    let dates = s.accept(cancel("a", true)).into_iter().filter_map(|event| match event {
        Event::Deallocated(e) => Some(e.date),
        Event::Allocated(e) => Some(e.date),
        _ => None,
    });
    assert_eq!(dates.collect::<Vec<_>>(), [paid_on, day("2026-01-01")]);
}

/// Else the invoice would have less than nothing open in between.
#[test]
fn a_cancelling_credit_counts_from_the_day_the_money_came_off() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 10_000));
    s.accept(payment("p", 4_000, Put::Invoice(id("a"))));
    s.advance("2026-01-10");
    let mut off = cancel("a", true);
    off.date = Some(day("2026-01-05"));
    let dates = s.accept(off).into_iter().filter_map(|event| match event {
        Event::Deallocated(e) => Some((e.date, e.amount)),
        Event::Allocated(e) => Some((e.date, e.amount)),
        _ => None,
    });
    let day = day("2026-01-05");
    assert_eq!(dates.collect::<Vec<_>>(), [(day, 4_000), (day, 10_000)]);
}

#[test]
fn money_dated_later_does_not_silence_due_and_overdue() {
    let mut s = Scenario::new();
    let mut command = invoice("a", 1_000);
    command.due = Some(Due::Date(day("2026-01-05")));
    s.accept(command);
    let mut later = payment("p", 1_000, Put::Invoice(id("a")));
    later.received_on = Some(day("2026-02-01"));
    s.accept(later);
    let told = |events: Vec<Event>| -> Vec<_> {
        let told = |event: &Event| match event {
            Event::InvoiceDue(e) => Some(("due", e.date.to_string(), e.open)),
            Event::InvoiceOverdue(e) => Some(("overdue", e.date.to_string(), e.open)),
            _ => None,
        };
        events.iter().filter_map(told).collect()
    };
    let events = told(s.advance("2026-02-10"));
    let expected =
        [("due", "2026-01-05".to_owned(), 1_000), ("overdue", "2026-01-06".to_owned(), 1_000)];
    assert_eq!(events, expected);
    // Reopened on a day to come: that day tells, and not before.
    let mut back = reverse("p");
    back.date = Some(day("2026-02-20"));
    assert_eq!(told(s.accept(back)), []);
    assert_eq!(s.figures("dupont"), (1_000, 0, 0));
    assert_eq!(told(s.advance("2026-02-25")), [("overdue", "2026-02-20".to_owned(), 1_000)]);
    assert_eq!(s.figures("dupont"), (1_000, 1_000, 0));
}
