//! What opening items do: those owed live like invoices, those owing are credits, both are
//! corrected.

use crate::scenario::*;
use encours_domain::commands::{
    CreditUse, Deallocate, DisputeInvoice, From, MarkSent, Put, RecordReminder, ReminderTarget,
};
use encours_domain::dunning::Channel;
use encours_domain::limits::MAX_VOLUME;
use encours_domain::resource::ItemKind;
use encours_domain::status::{CustomerStatus, Headline, Timing};
use encours_domain::{Event, Reason};

/// Opening, invoiced, outstanding, overdue, unapplied of `dupont` in EUR.
pub(crate) fn books(s: &Scenario) -> (i64, i64, i64, i64, i64) {
    let balances = s.customer("dupont").balances;
    let b = balances.iter().find(|balance| balance.currency == currency("EUR")).unwrap();
    (b.opening, b.invoiced, b.outstanding, b.overdue, b.unapplied)
}

pub(crate) fn dates(events: &[Event]) -> Vec<String> {
    let date = |event: &Event| match event {
        Event::Allocated(e) => Some(e.date),
        Event::Deallocated(e) => Some(e.date),
        Event::InvoicePaid(e) => Some(e.date),
        Event::InvoiceReopened(e) => Some(e.date),
        Event::InvoiceDue(e) => Some(e.date),
        Event::InvoiceOverdue(e) => Some(e.date),
        Event::OpeningItemCorrected(e) => Some(e.date),
        _ => None,
    };
    events.iter().filter_map(date).map(|day| day.to_string()).collect()
}

#[test]
fn an_item_owed_counts_in_outstanding_and_not_in_invoiced() {
    let mut s = Scenario::new();
    let mut command = owed("old-1", 10_000);
    (command.paid, command.due_date) = (4_000, Some(day("2026-02-10")));
    command.number = Some("F2025-77".into());
    assert_eq!(names(&s.accept(command.clone())), ["OpeningItemAdded"]);
    assert_eq!(books(&s), (6_000, 0, 6_000, 0, 0));
    let item = s.invoice("old-1");
    assert_eq!(
        (item.total, item.open, item.paid_before, item.unapplied),
        (10_000, 6_000, 4_000, 0)
    );
    assert_eq!((item.kind, &*item.number), (ItemKind::OpeningOwed, "F2025-77"));
    assert_eq!(item.facets.headline(), Headline::PartiallyPaid);
    assert_eq!(s.accept(command.clone()), [], "the same again");
    command.paid = 4_001;
    assert_eq!(s.reason(command), Reason::IdExists);
    let told = names(&s.advance("2026-02-12")).into_iter().filter(|name| name.starts_with("Inv"));
    assert_eq!(told.collect::<Vec<_>>(), ["InvoiceDue", "InvoiceOverdue"]);
    assert_eq!(books(&s), (6_000, 0, 6_000, 6_000, 0));
}

#[test]
fn an_item_says_at_once_that_it_is_paid_due_or_overdue() {
    let mut s = Scenario::new();
    let mut settled = owed("settled", 500);
    settled.paid = 500;
    assert_eq!(names(&s.accept(settled)), ["OpeningItemAdded", "InvoicePaid"]);
    assert_eq!(s.invoice("settled").facets.headline(), Headline::Paid);
    // Due the day it counts from where nothing is said: today.
    assert_eq!(names(&s.accept(owed("today", 500))), ["OpeningItemAdded", "InvoiceDue"]);
    let mut late = owed("late", 700);
    late.due_date = Some(day("2025-12-31"));
    assert_eq!(names(&s.accept(late)), ["OpeningItemAdded", "InvoiceOverdue"]);
    assert_eq!(books(&s), (1_200, 0, 1_200, 700, 0));
    let mut to_come = owed("to-come", 300);
    to_come.date = Some(day("2026-01-20"));
    assert_eq!(names(&s.accept(to_come)), ["OpeningItemAdded"]);
    assert_eq!(s.invoice("to-come").due.unwrap().date, day("2026-01-20"));
}

#[test]
fn an_item_to_come_that_was_due_before_is_overdue_from_the_day_it_counts() {
    let mut s = Scenario::new();
    let mut item = owed("old", 300);
    (item.date, item.due_date) = (Some(day("2026-01-20")), Some(day("2025-12-15")));
    assert_eq!(names(&s.accept(item)), ["OpeningItemAdded"]);
    assert_eq!(dates(&s.advance("2026-01-25")), ["2026-01-20"]);
    assert_eq!(books(&s), (300, 0, 300, 300, 0));
}

#[test]
fn amounts_numbers_and_fields_that_do_not_fit_are_refused() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    assert_eq!(s.reason(owed("x", 0)), Reason::NotPositive);
    assert_eq!(s.reason(owed("x", -1)), Reason::NotPositive);
    assert_eq!(s.reason(owed("a", 1_000)), Reason::IdExists);
    let mut paid = owed("x", 1_000);
    paid.paid = 1_001;
    let refusal = s.refuse(paid.clone());
    assert_eq!((refusal.reason, refusal.field.as_str()), (Reason::OverAllocation, "paid"));
    assert!(refusal.message.contains("amount is 10.00 EUR, paid before 10.01 EUR"), "{refusal}");
    paid.paid = -1;
    assert_eq!(s.reason(paid), Reason::NotPositive);
    let mut number = owed("x", 1_000);
    number.number = Some("FA-2026-00099".into());
    assert_eq!(s.reason(number.clone()), Reason::NumberReserved);
    number.number = Some(" ".into());
    assert_eq!(s.reason(number.clone()), Reason::InvalidText);
    number.number = Some("old".into());
    s.accept(number);
    assert_eq!(s.reason(owed("old", 1)), Reason::NumberExists, "the id is its number");
    let mut given = invoice("y", 1);
    given.number = Some("old".into());
    assert_eq!(s.reason(given), Reason::NumberExists, "one space with invoices");
    let mut reference = owed("z", 1);
    reference.reference = Some("RF19 5390 0754 7034".into());
    assert_eq!(s.reason(reference), Reason::InvalidReference);
    let mut nobody = owed("z", 1);
    nobody.customer_id = id("nobody");
    assert_eq!(s.reason(nobody), Reason::UnknownCustomer);
    assert_eq!(s.reason(owed("z", MAX_VOLUME - 1_999)), Reason::AmountOverflow);
    let mut credit = owing("z", 1);
    credit.due_date = Some(day("2026-02-01"));
    assert_eq!(s.refuse(credit.clone()).field, "due_date");
    (credit.due_date, credit.sent_on) = (None, Some(day("2026-01-01")));
    let refusal = s.refuse(credit);
    assert_eq!((refusal.reason, refusal.field.as_str()), (Reason::ConflictingFields, "sent_on"));
}

#[test]
fn an_item_owed_is_paid_by_name_by_reference_and_by_auto_like_an_invoice() {
    let mut s = Scenario::new();
    let mut old = owed("old", 3_000);
    (old.number, old.due_date) = (Some("F2025-9".into()), Some(day("2026-01-15")));
    s.accept(old);
    s.accept(invoice("new", 2_000));
    // The oldest due date first: the opening item, then the invoice.
    s.accept(payment("p", 3_500, Put::Auto));
    assert_eq!((s.invoice("old").open, s.invoice("new").open), (0, 1_500));
    s.accept(deallocate_payment("old", "p", Some(1_200)));
    assert_eq!(s.invoice("old").facets.headline(), Headline::PartiallyPaid);
    let mut named = payment("q", 1_500, Put::Auto);
    named.reference = "votre facture F2025-9".into();
    s.accept(named);
    assert_eq!((s.invoice("old").open, s.payment("q").unapplied), (0, 300));
    s.accept(deallocate_payment("old", "q", Some(700)));
    let mut by_reference = payment("r", 9_000, Put::Auto);
    by_reference.reference = s.invoice("old").reference.to_string();
    s.accept(by_reference);
    assert_eq!((s.invoice("old").open, s.payment("r").unapplied), (0, 8_300));
    assert_eq!(s.reason(payment("t", 1, explicit("old", 1))), Reason::OverAllocation);
    s.accept(deallocate_payment("old", "r", Some(1)));
    assert_eq!(s.reason(payment("t", 5, explicit("old", 2))), Reason::OverAllocation);
    let events = s.accept(payment("t", 5, explicit("old", 1)));
    assert_eq!(names(&events), ["PaymentRecorded", "Allocated", "InvoicePaid"]);
}

fn explicit(invoice: &str, amount: i64) -> Put {
    let part = encours_domain::commands::ExplicitAllocation { invoice_id: id(invoice), amount };
    Put::Explicit(vec![part])
}

#[test]
fn a_payer_that_names_a_credit_names_nothing_to_pay() {
    let mut s = Scenario::new();
    let mut old = owing("old", 800);
    old.number = Some("AV2025-3".into());
    s.accept(old);
    s.accept(invoice("a", 1_000));
    let mut command = payment("p", 600, Put::Auto);
    command.reference = "notre avoir AV2025-3".into();
    s.accept(command);
    // As if it named nothing: the oldest due date.
    assert_eq!((s.invoice("a").open, s.invoice("old").unapplied), (400, 800));
}

#[test]
fn versions_that_are_old_are_refused() {
    let mut s = Scenario::new();
    s.accept(owed("old", 500));
    s.accept(payment("p", 100, Put::Nothing));
    let old = Some(encours_domain::Position(1));
    let commands: [encours_domain::Command; 3] = [
        correct("old", Some(600)).into(),
        plan("old", "2026-01-20", None).into(),
        refund("p", None, None).into(),
    ];
    let versions = [s.invoice("old").version, s.invoice("old").version, s.payment("p").version];
    for (command, version) in commands.into_iter().zip(versions) {
        let refused = s.decide(command.clone(), old).unwrap_err();
        assert_eq!(refused.reason, Reason::VersionMismatch);
        assert!(s.decide(command, Some(version)).is_ok());
    }
    let refused = s.decide(owed("new", 500), old).unwrap_err();
    assert_eq!(refused.reason, Reason::ConflictingFields, "what is new has no version");
}

#[test]
fn an_item_owing_is_a_credit_among_credits_by_date() {
    let mut s = Scenario::new();
    let mut old = owing("old", 800);
    old.paid = 100;
    assert_eq!(names(&s.accept(old)), ["OpeningItemAdded"]);
    assert_eq!(books(&s), (-700, 0, 0, 0, 700));
    assert_eq!(s.customer("dupont").status, CustomerStatus::InCredit);
    let item = s.invoice("old");
    assert_eq!((item.kind, item.open, item.unapplied), (ItemKind::OpeningOwing, 0, 700));
    assert_eq!(item.facets.timing, Timing::NotDue, "a credit is never due");
    s.accept(payment("p", 5_000, Put::Nothing));
    s.accept(invoice("a", 400));
    s.advance("2026-01-05");
    s.accept(credit("c", "a", 400, CreditUse::Keep));
    s.accept(invoice("b", 1_000));
    // 700 of the item of January 1st, then 300 of the credit note of January 5th, no money.
    s.accept(allocate("b", From::CreditNotes, None));
    assert_eq!((s.invoice("old").unapplied, s.credit_note("c").unapplied), (0, 100));
    assert_eq!((s.payment("p").unapplied, s.invoice("b").credited), (5_000, 1_000));
    let events = s.accept(deallocate_opening("b", "old"));
    assert_eq!(names(&events), ["Deallocated", "InvoiceReopened"]);
    assert_eq!((s.invoice("old").unapplied, s.invoice("b").open), (700, 700));
    assert_eq!(s.reason(deallocate_opening("b", "old")), Reason::NothingLeft);
}

#[test]
fn an_item_owing_is_put_on_an_invoice_by_name_up_to_what_it_has() {
    let mut s = Scenario::new();
    s.accept(owing("old", 700));
    s.accept(owed("due", 300));
    s.accept(invoice("a", 1_000));
    let from = || From::OpeningItem(id("old"));
    let refusal = s.refuse(allocate("a", from(), Some(701)));
    assert_eq!(refusal.reason, Reason::OverAllocation);
    assert!(refusal.message.contains("unapplied amount is 7.00 EUR, asked 7.01 EUR"), "{refusal}");
    assert_eq!(names(&s.accept(allocate("due", from(), None))), ["Allocated", "InvoicePaid"]);
    s.accept(allocate("a", from(), Some(400)));
    assert_eq!((s.invoice("old").unapplied, s.invoice("a").open), (0, 600));
    assert_eq!(s.invoice("old").facets.headline(), Headline::Paid, "all of it is used");
    assert_eq!(s.reason(allocate("a", from(), None)), Reason::NothingLeft);
    let refusal = s.refuse(allocate("a", From::OpeningItem(id("due")), None));
    let named = (Reason::WrongState, "opening_item_id");
    assert_eq!((refusal.reason, refusal.field.as_str()), named, "owed is no credit");
    let refusal = s.refuse(allocate("a", From::OpeningItem(id("none")), None));
    let named = (Reason::UnknownInvoice, "opening_item_id");
    assert_eq!((refusal.reason, refusal.field.as_str()), named);
    let mut other = owing("martin-1", 10);
    other.customer_id = id("martin");
    s.accept(other);
    let mixed = allocate("a", From::OpeningItem(id("martin-1")), None);
    assert_eq!(s.reason(mixed), Reason::CustomerMismatch);
    let both = Deallocate { payment_id: Some(id("p")), ..deallocate_opening("a", "old") };
    let refusal = s.refuse(both);
    let named = (Reason::ConflictingFields, "opening_item_id");
    assert_eq!((refusal.reason, refusal.field.as_str()), named);
}

#[test]
fn what_is_for_claims_is_not_for_items_owing_and_credits_are_not_for_opening_items() {
    let mut s = Scenario::new();
    s.accept(owing("credit", 700));
    s.accept(owed("debt", 300));
    let ledger_id = id("acme");
    assert_eq!(s.reason(payment("p", 1, Put::Invoice(id("credit")))), Reason::WrongState);
    assert_eq!(s.reason(allocate("credit", From::Anything, None)), Reason::WrongState);
    let sent = MarkSent { ledger_id: ledger_id.clone(), invoice_id: id("credit"), date: None };
    assert_eq!(s.reason(sent), Reason::WrongState);
    let (invoice_id, reason) = (id("credit"), String::new());
    let dispute = DisputeInvoice { ledger_id, invoice_id, date: None, reason };
    assert_eq!(s.reason(dispute.clone()), Reason::WrongState);
    s.accept(DisputeInvoice { invoice_id: id("debt"), ..dispute });
    for item in ["credit", "debt"] {
        assert_eq!(s.reason(cancel(item, true)), Reason::WrongState);
        assert_eq!(s.reason(credit("c", item, 10, CreditUse::Keep)), Reason::WrongState);
    }
}

#[test]
fn cancelling_an_invoice_gives_the_items_owing_back() {
    let mut s = Scenario::new();
    s.accept(owing("old", 700));
    s.accept(invoice("a", 1_000));
    s.accept(allocate("a", From::OpeningItem(id("old")), None));
    let events = s.accept(cancel("a", false));
    let expected = ["Deallocated", "CreditNoteIssued", "Allocated", "InvoiceCancelled"];
    assert_eq!(names(&events), expected);
    assert_eq!((s.invoice("old").unapplied, s.invoice("a").open), (700, 0));
    assert_eq!(books(&s), (-700, 1_000, 0, 0, 700));
}

#[test]
fn an_old_number_of_the_series_own_form_closes_its_year() {
    // The ledger's series is FA-{year}-{seq:5}, its today 2026-01-10.
    let mut s = Scenario::new();
    let mut old = owed("old", 5_000);
    old.number = Some("FA-2026-00007".to_owned());
    assert_eq!(s.reason(old.clone()), Reason::NumberReserved, "this year's may still be allotted");
    old.number = Some("FA-2025-00007".to_owned());
    s.accept(old.clone());
    assert_eq!(&*s.invoice("old").number, "FA-2025-00007");
    let mut again = owed("again", 5_000);
    again.number = old.number;
    assert_eq!(s.reason(again), Reason::NumberExists);
    let mut new = invoice("new", 1_000);
    new.issue_date = Some(day("2025-12-31"));
    assert_eq!(s.reason(new.clone()), Reason::IssueDateOrder, "2025 is passed");
    new.issue_date = Some(day("2026-01-01"));
    s.accept(new);
    assert_eq!(&*s.invoice("new").number, "FA-2026-00001");
}

#[test]
fn an_item_may_have_been_sent_and_reminded_of_before_the_day_it_counts_from() {
    let mut s = Scenario::new();
    let mut old = owed("old", 5_000);
    old.due_date = Some(day("2025-12-01"));
    s.accept(old);
    s.accept(MarkSent {
        ledger_id: id("acme"),
        invoice_id: id("old"),
        date: Some(day("2025-11-01")),
    });
    assert_eq!(s.invoice("old").sent_on, Some(day("2025-11-01")));
    s.accept(RecordReminder {
        ledger_id: id("acme"),
        target: ReminderTarget::Invoice(id("old")),
        level: 1,
        channel: Channel::Phone,
        date: Some(day("2025-12-15")),
        text: String::new(),
    });
}
