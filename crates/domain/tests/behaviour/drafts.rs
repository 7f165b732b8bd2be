//! Drafts: written, changed, given up and issued.

use crate::scenario::*;
use encours_domain::commands::*;
use encours_domain::event::Tax;
use encours_domain::limits::MAX_VOLUME;
use encours_domain::status::{Document, Headline, Timing};
use encours_domain::terms::{Due, Terms};
use encours_domain::{Command, Decision, Event, Reason};

fn draft(name: &str, total: i64) -> CreateDraft {
    CreateDraft { invoice: invoice(name, total) }
}

fn update(invoice: IssueInvoice) -> UpdateDraft {
    UpdateDraft { invoice }
}

fn delete(invoice: &str) -> DeleteDraft {
    DeleteDraft { ledger_id: id("acme"), invoice_id: id(invoice) }
}

fn issued(events: &[Event]) -> &encours_domain::event::InvoiceIssued {
    match events {
        [Event::InvoiceIssued(issued), ..] => issued,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_draft_counts_in_no_balance_and_takes_no_number() {
    let mut s = Scenario::new();
    assert_eq!(names(&s.accept(draft("a", 10_000))), ["DraftCreated"]);
    let shown = s.invoice("a");
    assert_eq!((&*shown.number, &*shown.reference), ("DRAFT-1", ""));
    assert_eq!((shown.total, shown.open), (10_000, 0));
    assert_eq!(
        (shown.facets.document, shown.facets.headline()),
        (Document::Draft, Headline::Draft)
    );
    assert_eq!((shown.issue_date, shown.due), (None, None));
    assert_eq!(s.customer("dupont").balances, []);
    s.accept(invoice("direct", 100));
    assert_eq!(&*s.invoice("direct").number, "FA-2026-00001", "the draft took no number");
    s.accept(issue_draft("a"));
    assert_eq!(&*s.invoice("a").number, "FA-2026-00002");
    assert_eq!(s.figures("dupont"), (10_100, 0, 0));
    assert_eq!(s.customer("dupont").balances[0].invoiced, 10_100);
}

#[test]
fn an_update_says_everything_anew_the_customer_too() {
    let mut s = Scenario::new();
    let mut first = invoice("a", 10_000);
    first.due = Some(Due::Date(day("2026-02-01")));
    first.issue_date = Some(day("2026-01-01"));
    first.purchase_order = "PO 7".into();
    s.accept(CreateDraft { invoice: first });
    let created = s.invoice("a").created;
    assert_eq!(s.invoice("a").due.unwrap().date, day("2026-02-01"));
    let mut second = invoice("a", 2_500);
    second.customer_id = id("martin");
    second.currency = Some(currency("USD"));
    assert_eq!(names(&s.accept(update(second.clone()))), ["DraftUpdated"]);
    let shown = s.invoice("a");
    assert_eq!((shown.total, shown.currency), (2_500, currency("USD")));
    assert_eq!(shown.customer_id, id("martin"));
    assert_eq!(
        (shown.issue_date, shown.due),
        (None, None),
        "what is left out is not said any more"
    );
    assert_eq!(shown.created, created);
    assert!(shown.version > created && shown.content == shown.version);
    let events = s.accept(issue_draft("a"));
    assert_eq!(issued(&events).content.purchase_order, "");
    assert_eq!(s.customer("dupont").balances, []);
    assert_eq!(s.customer("martin").balances[0].outstanding, 2_500);
}

#[test]
fn a_deleted_draft_keeps_its_id_and_nothing_can_be_done_with_it() {
    let mut s = Scenario::new();
    s.accept(draft("a", 10_000));
    assert_eq!(names(&s.accept(delete("a"))), ["DraftDeleted"]);
    assert!(s.invoice("a").deleted);
    let gone = "invoice a is a deleted draft";
    for refusal in [
        s.refuse(update(invoice("a", 1))),
        s.refuse(issue_draft("a")),
        s.refuse(payment("p", 10, Put::Invoice(id("a")))),
    ] {
        assert_eq!((refusal.reason, refusal.message.as_str()), (Reason::WrongState, gone));
    }
    let refused = s.refuse(draft("a", 10_001));
    assert_eq!(refused.reason, Reason::IdExists);
    assert_eq!(refused.message, "invoice a was a draft that was given up: give another id");
    assert_eq!(s.reason(invoice("a", 10_000)), Reason::IdExists);
    assert!(s.repeats(draft("a", 10_000)).is_some(), "created again: it was created before");
    assert_eq!(s.figures("dupont"), (0, 0, 0));
    s.accept(invoice("b", 100));
    assert_eq!(&*s.invoice("b").number, "FA-2026-00001");
}

#[test]
fn issuing_settles_date_due_date_number_and_reference() {
    let mut s = Scenario::new();
    let mut customer = create_customer("prompt");
    customer.terms = Some(Terms::NetDays { days: 8, grace_days: 2 });
    s.accept(customer);
    let mut says = invoice("says", 100);
    says.number = Some("own-1".into());
    says.issue_date = Some(day("2026-01-03"));
    says.due = Some(Due::Terms(Terms::NetDays { days: 60, grace_days: 1 }));
    says.reference = Some("rf18 5390 0754 7034".into());
    let mut silent = invoice("silent", 100);
    silent.customer_id = id("prompt");
    for invoice in [says.clone(), silent] {
        s.accept(CreateDraft { invoice });
    }
    s.advance("2026-01-05");
    s.accept(issue_draft("says"));
    let shown = s.invoice("says");
    assert_eq!((&*shown.number, &*shown.reference), ("own-1", "RF18539007547034"));
    assert_eq!(shown.issue_date, Some(day("2026-01-03")));
    assert_eq!(shown.due.unwrap().date, day("2026-03-04"));
    assert_eq!(shown.due.unwrap().grace_days, 1);
    s.accept(issue_draft("silent"));
    let shown = s.invoice("silent");
    assert_eq!(&*shown.number, "FA-2026-00001");
    assert_eq!(&*shown.reference, &*encours_domain::reference::of_number("FA-2026-00001"));
    assert_eq!(shown.issue_date, Some(day("2026-01-05")));
    assert_eq!(shown.due.unwrap().overdue_from(), day("2026-01-16"));
    (says.invoice_id, says.number) = (Some(id("over")), Some("own-2".into()));
    s.accept(CreateDraft { invoice: says });
    let mut command = issue_draft("over");
    (command.issue_date, command.number) = (Some(day("2026-01-04")), Some("own-3".into()));
    s.accept(command);
    let shown = s.invoice("over");
    assert_eq!((&*shown.number, shown.issue_date), ("own-3", Some(day("2026-01-04"))));
    assert_eq!(shown.due.unwrap().date, day("2026-03-05"), "terms count from the date of issue");
}

#[test]
fn a_draft_is_checked_like_an_invoice_but_for_what_its_issue_settles() {
    let mut s = Scenario::new();
    let mut taken = invoice("taken", 100);
    taken.number = Some("own-1".into());
    s.accept(taken);
    type Change = fn(&mut IssueInvoice);
    let wrong: [(Change, Reason); 12] = [
        (|i| i.customer_id = id("nobody"), Reason::UnknownCustomer),
        (|i| i.ledger_id = id("nowhere"), Reason::UnknownLedger),
        (|i| i.total = Some(-1), Reason::NotPositive),
        (|i| i.total = None, Reason::MissingField),
        (|i| i.total = Some(MAX_VOLUME + 1), Reason::AmountOverflow),
        (
            |i| i.taxes = vec![Tax { rate: Default::default(), base: 99, tax: 0 }],
            Reason::TotalMismatch,
        ),
        (|i| i.number = Some("own-1".into()), Reason::NumberExists),
        (|i| i.number = Some("FA-2031-00009".into()), Reason::NumberReserved),
        (|i| i.reference = Some("RF00 1".into()), Reason::InvalidReference),
        (
            |i| i.due = Some(Due::Terms(Terms::NetDays { days: 400, grace_days: 0 })),
            Reason::InvalidTerms,
        ),
        (
            |i| {
                i.issue_date = Some(day("2026-05-01"));
                i.due = Some(Due::Date(day("2026-04-30")));
            },
            Reason::DueBeforeIssue,
        ),
        (|i| i.override_credit_limit = true, Reason::ConflictingFields),
    ];
    s.accept(draft("there", 100));
    for (change, reason) in wrong {
        let (mut new, mut known) = (invoice("new", 100), invoice("there", 100));
        change(&mut new);
        change(&mut known);
        assert_eq!(s.reason(CreateDraft { invoice: new }), reason);
        assert_eq!(s.reason(update(known)), reason);
    }
    let mut ahead = invoice("ahead", 100);
    ahead.issue_date = Some(day("2026-03-01"));
    s.accept(CreateDraft { invoice: ahead });
    assert_eq!(s.reason(issue_draft("ahead")), Reason::IssueDateOrder, "it is no March yet");
    let mut unnamed = invoice("x", 100);
    unnamed.invoice_id = None;
    assert_eq!(s.reason(update(unnamed)), Reason::MissingField);
    assert_eq!(s.reason(update(invoice("unknown", 1))), Reason::UnknownInvoice);
    assert_eq!(s.reason(delete("unknown")), Reason::UnknownInvoice);
    assert_eq!(s.reason(issue_draft("unknown")), Reason::UnknownInvoice);
}

#[test]
fn what_was_free_or_in_order_when_it_was_written_is_checked_again_at_issue() {
    let mut s = Scenario::new();
    for name in ["a", "b"] {
        let mut invoice = invoice(name, 100);
        invoice.number = Some("own-1".into());
        s.accept(CreateDraft { invoice });
    }
    s.accept(issue_draft("a"));
    assert_eq!(s.reason(issue_draft("b")), Reason::NumberExists);
    let mut command = issue_draft("b");
    command.number = Some("FA-2026-00001".into());
    assert_eq!(s.reason(command.clone()), Reason::NumberReserved);
    command.number = Some("own-2".into());
    s.accept(command);
    let mut early = invoice("c", 100);
    early.issue_date = Some(day("2026-01-02"));
    early.due = Some(Due::Date(day("2026-01-09")));
    s.accept(CreateDraft { invoice: early });
    s.advance("2026-01-10");
    s.accept(invoice("direct", 100));
    assert_eq!(s.reason(issue_draft("c")), Reason::IssueDateOrder);
    let mut today = issue_draft("c");
    today.issue_date = Some(day("2026-01-10"));
    assert_eq!(s.reason(today), Reason::DueBeforeIssue);
}

#[test]
fn what_follows_at_issue_follows_for_a_draft_too() {
    let mut s = Scenario::new();
    s.accept(draft("zero", 0));
    assert_eq!(names(&s.accept(issue_draft("zero"))), ["InvoiceIssued", "InvoicePaid"]);
    assert_eq!(s.invoice("zero").facets.headline(), Headline::Paid);
    for (name, due) in [("soon", "2026-03-05"), ("now", "2026-03-01"), ("late", "2026-02-01")] {
        let mut invoice = invoice(name, 100);
        (invoice.number, invoice.due) = (Some(name.into()), Some(Due::Date(day(due))));
        invoice.issue_date = Some(day("2026-01-15"));
        s.accept(CreateDraft { invoice });
    }
    let days = s.advance("2026-03-01");
    assert!(
        days.iter().all(|event| event.name().starts_with("Day") || event.name() == "ClockAdvanced")
    );
    assert_eq!(names(&s.accept(issue_draft("soon"))), ["InvoiceIssued"]);
    assert_eq!(names(&s.accept(issue_draft("now"))), ["InvoiceIssued", "InvoiceDue"]);
    assert_eq!(names(&s.accept(issue_draft("late"))), ["InvoiceIssued", "InvoiceOverdue"]);
    assert_eq!(s.figures("dupont"), (300, 100, 0));
    assert_eq!(s.invoice("late").facets.timing, Timing::Overdue);
    let told = s.advance("2026-03-06");
    let count = |name| names(&told).iter().filter(|event| **event == name).count();
    assert_eq!((count("InvoiceDue"), count("InvoiceOverdue")), (1, 2));
    s.accept(payment("p", 300, Put::Auto));
    assert_eq!(s.figures("dupont"), (0, 0, 0));
}

#[test]
fn each_command_twice_is_done_once() {
    let mut s = Scenario::new();
    s.accept(draft("a", 100));
    let subject = Command::from(delete("a")).subject(&s.state, &[]).unwrap();
    let created = s.invoice("a").created;
    assert_eq!(s.repeats(draft("a", 100)), Some((subject, created)));
    assert_eq!(s.reason(draft("a", 101)), Reason::IdExists);
    s.accept(update(invoice("a", 200)));
    let updated = s.invoice("a").version;
    assert_eq!(s.repeats(update(invoice("a", 200))), Some((subject, updated)));
    assert_eq!(s.repeats(draft("a", 100)), Some((subject, created)), "changed since, created once");
    s.accept(issue_draft("a"));
    let content = s.invoice("a").content;
    s.accept(payment("p", 50, Put::Invoice(id("a"))));
    assert_eq!(s.repeats(issue_draft("a")), Some((subject, content)));
    let mut other = issue_draft("a");
    other.number = Some("own-1".into());
    assert_eq!(s.reason(other), Reason::WrongState);
    assert_eq!(s.repeats(draft("a", 100)), Some((subject, created)));
    s.accept(draft("b", 100));
    s.accept(delete("b"));
    let deleted = s.invoice("b").version;
    assert_eq!(s.repeats(delete("b")).unwrap().1, deleted);
}

#[test]
fn commands_about_a_draft_name_it_and_expect_its_version() {
    let mut s = Scenario::new();
    let mut create: Command = draft("a", 100).into();
    assert_eq!(create.ledger_id(), Some(&id("acme")));
    assert_eq!(create.new_id(), Some(&mut Some(id("a"))));
    let Decision::Accept(events) = s.decide(draft("a", 100), None).unwrap() else { panic!() };
    let created = create.subject(&s.state, &events).unwrap();
    s.accept(create);
    let (first, second) = (invoice("a", 200), invoice("a", 300));
    for command in [update(first.clone()).into(), delete("a").into(), issue_draft("a").into()] {
        let mut command: Command = command;
        assert_eq!(command.ledger_id(), Some(&id("acme")));
        assert_eq!(command.new_id(), None);
        assert_eq!(command.subject(&s.state, &[]), Some(created));
    }
    let old = Some(s.invoice("a").version);
    assert!(s.decide(draft("b", 1), old).is_err_and(|no| no.reason == Reason::ConflictingFields));
    s.accept(update(first));
    let new = Some(s.invoice("a").version);
    for command in [update(second).into(), delete("a").into(), issue_draft("a").into()] {
        let command: Command = command;
        let refused = s.decide(command.clone(), old).unwrap_err();
        assert_eq!(refused.reason, Reason::VersionMismatch, "{}", command.name());
        assert!(s.decide(command, new).is_ok());
    }
}

#[test]
fn only_what_is_issued_counts_towards_what_a_ledger_can_hold() {
    let mut s = Scenario::new();
    for name in ["a", "b"] {
        s.accept(draft(name, MAX_VOLUME));
    }
    s.accept(update(invoice("a", MAX_VOLUME - 1)));
    s.accept(issue_draft("a"));
    assert_eq!(s.reason(issue_draft("b")), Reason::AmountOverflow);
    assert_eq!(s.reason(update(invoice("b", 2))), Reason::AmountOverflow, "it could not be issued");
    s.accept(update(invoice("b", 1)));
    s.accept(issue_draft("b"));
    assert_eq!(s.figures("dupont"), (MAX_VOLUME, 0, 0));
}

#[test]
fn a_dry_run_shows_the_invoice_that_a_draft_would_become() {
    let mut s = Scenario::new();
    s.accept(draft("a", 100));
    let command = Command::from(issue_draft("a"));
    let Decision::Accept(events) = s.decide(command.clone(), None).unwrap() else { panic!() };
    let subject = command.subject(&s.state, &events).unwrap();
    let position = encours_domain::Position(99);
    let shown = s.state.preview(position, [0; 16], &events, subject).unwrap();
    let encours_domain::Resource::Invoice(shown) = shown else { panic!("{shown:?}") };
    assert_eq!((&*shown.number, shown.open), ("FA-2026-00001", 100));
    assert_eq!(s.invoice("a").facets.document, Document::Draft);
}

#[test]
fn snapshot_rows_with_drafts_make_the_same_state_again() {
    let mut s = Scenario::new();
    for name in ["a", "b", "c", "d"] {
        s.accept(draft(name, 100));
    }
    s.accept(update(invoice("b", 50)));
    s.accept(delete("c"));
    s.accept(issue_draft("d"));
    let again = encours_domain::State::from_rows(s.state.rows().clone());
    assert_eq!(format!("{:?}", s.state), format!("{again:?}"));
}
