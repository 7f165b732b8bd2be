//! What payments, allocations and reversals do to invoices and balances.

use crate::scenario::*;
use encours_domain::Reason;
use encours_domain::commands::{
    AddOpeningItem, CreateDraft, CreditUse, ExplicitAllocation, From, Put,
};
use encours_domain::limits::MAX_ALLOCATIONS;
use encours_domain::state::State;
use encours_domain::status::{CustomerStatus, Headline};

fn explicit(parts: &[(&str, i64)]) -> Put {
    let part = |(invoice, amount): &(&str, i64)| ExplicitAllocation {
        invoice_id: id(invoice),
        amount: *amount,
    };
    Put::Explicit(parts.iter().map(part).collect())
}

#[test]
fn part_of_an_invoice_leaves_it_partially_paid_and_a_cent_stays_open() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 10_000));
    let events = s.accept(payment("p", 9_999, Put::Invoice(id("a"))));
    assert_eq!(names(&events), ["PaymentRecorded", "Allocated"]);
    assert_eq!(
        (s.invoice("a").open, s.invoice("a").facets.headline()),
        (1, Headline::PartiallyPaid)
    );
    let events = s.accept(payment("q", 1, Put::Invoice(id("a"))));
    assert_eq!(names(&events), ["PaymentRecorded", "Allocated", "InvoicePaid"]);
    assert_eq!(s.invoice("a").facets.headline(), Headline::Paid);
}

#[test]
fn five_hundred_on_an_invoice_of_one_hundred_and_fifty_leaves_three_hundred_and_fifty() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 15_000));
    s.accept(payment("p", 50_000, Put::Invoice(id("a"))));
    assert_eq!(s.figures("dupont"), (0, 0, 35_000));
    assert_eq!(s.customer("dupont").status, CustomerStatus::InCredit);
    s.accept(invoice("b", 40_000));
    assert_eq!(s.figures("dupont"), (40_000, 0, 35_000), "nothing is allocated unasked");
    s.accept(allocate("b", From::Anything, None));
    assert_eq!(s.figures("dupont"), (5_000, 0, 0));
}

#[test]
fn one_cheque_settles_two_invoices() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 10_000));
    s.accept(invoice("b", 5_000));
    s.accept(payment("p", 15_000, explicit(&[("a", 10_000), ("b", 5_000)])));
    assert_eq!((s.invoice("a").open, s.invoice("b").open), (0, 0));
    assert_eq!(s.payment("p").allocations.len(), 2);
}

#[test]
fn no_amount_means_the_open_amount_and_no_customer_that_of_the_invoice() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 12_345));
    let mut command = payment("p", 0, Put::Invoice(id("a")));
    (command.amount, command.customer_id) = (None, None);
    s.accept(command.clone());
    assert_eq!(s.payment("p").amount, 12_345);
    command.payment_id = Some(id("q"));
    assert_eq!(s.reason(command), Reason::NothingLeft);
}

#[test]
fn an_explicit_allocation_above_either_side_is_refused_with_the_figures() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 4_000));
    let refusal = s.refuse(payment("p", 9_000, explicit(&[("a", 5_000)])));
    assert_eq!(refusal.reason, Reason::OverAllocation);
    assert_eq!(refusal.field, "allocations[0].amount");
    assert!(refusal.message.contains("open amount is 40.00 EUR, asked 50.00 EUR"), "{refusal}");
    let refusal = s.refuse(payment("p", 3_000, explicit(&[("a", 3_500)])));
    assert!(
        refusal.message.contains("unapplied amount is 30.00 EUR, asked 35.00 EUR"),
        "{refusal}"
    );
    assert_eq!(s.figures("dupont"), (4_000, 0, 0));
}

#[test]
fn amounts_sides_and_names_that_do_not_fit_are_refused() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 4_000));
    assert_eq!(s.reason(payment("p", 0, Put::Nothing)), Reason::NotPositive);
    assert_eq!(s.reason(payment("p", -5, Put::Nothing)), Reason::NotPositive);
    assert_eq!(s.reason(payment("p", 5, explicit(&[("a", -5)]))), Reason::NotPositive);
    assert_eq!(s.reason(payment("p", 5, Put::Invoice(id("none")))), Reason::UnknownInvoice);
    let mut command = payment("p", 5, Put::Invoice(id("a")));
    command.currency = Some(currency("USD"));
    assert_eq!(s.reason(command.clone()), Reason::CurrencyMismatch);
    (command.currency, command.customer_id) = (None, Some(id("martin")));
    assert_eq!(s.reason(command.clone()), Reason::CustomerMismatch);
    command.customer_id = Some(id("nobody"));
    assert_eq!(s.reason(command.clone()), Reason::UnknownCustomer);
    command.ledger_id = id("elsewhere");
    assert_eq!(s.reason(command), Reason::UnknownLedger);
}

#[test]
fn auto_takes_what_the_reference_names_and_leaves_the_rest_unapplied() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    s.accept(invoice("b", 2_000));
    let mut command = payment("p", 2_500, Put::Auto);
    command.reference = format!("facture {}, merci", s.invoice("b").number);
    s.accept(command.clone());
    assert_eq!((s.invoice("a").open, s.invoice("b").open), (1_000, 0));
    assert_eq!(s.payment("p").unapplied, 500);
    let rf = s.invoice("a").reference.to_string();
    command.reference = format!("VIR {} {} SEPA", &rf[..4], &rf[4..]);
    command.payment_id = Some(id("q"));
    s.accept(command);
    assert_eq!((s.invoice("a").open, s.payment("q").unapplied), (0, 1_500));
}

#[test]
fn auto_prefers_an_exact_open_amount_then_the_oldest_due() {
    let mut s = Scenario::new();
    for (name, total) in [("a", 1_000), ("b", 2_000), ("c", 3_000)] {
        s.accept(invoice(name, total));
    }
    s.accept(payment("p", 2_000, Put::Auto));
    assert_eq!([s.invoice("a").open, s.invoice("b").open, s.invoice("c").open], [1_000, 0, 3_000]);
    s.accept(payment("q", 1_500, Put::Auto));
    assert_eq!([s.invoice("a").open, s.invoice("c").open], [0, 2_500]);
    s.accept(payment("r", 9_000, Put::Auto));
    assert_eq!((s.invoice("c").open, s.payment("r").unapplied), (0, 6_500));
}

#[test]
fn auto_stops_at_the_limit_of_allocations() {
    let mut s = Scenario::new();
    for n in 0..=MAX_ALLOCATIONS {
        s.accept(invoice(&format!("i{n}"), 100));
    }
    let all = i64::try_from(MAX_ALLOCATIONS).unwrap() * 100;
    s.accept(payment("p", all + 100, Put::Auto));
    assert_eq!(s.payment("p").allocations.len(), MAX_ALLOCATIONS);
    assert_eq!(s.payment("p").unapplied, 100);
    let full = allocate(&format!("i{MAX_ALLOCATIONS}"), From::Payment(id("p")), None);
    assert_eq!(s.reason(full), Reason::LimitReached);
}

#[test]
fn auto_passes_over_an_invoice_that_takes_no_more_allocations() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000_000));
    for n in 0..MAX_ALLOCATIONS {
        s.accept(payment(&format!("p{n}"), 1, Put::Invoice(id("a"))));
    }
    s.accept(invoice("b", 500));
    s.accept(payment("q", 700, Put::Auto));
    assert_eq!((s.invoice("b").open, s.payment("q").unapplied), (0, 200));
    assert_eq!(s.reason(payment("r", 1, Put::Invoice(id("a")))), Reason::LimitReached);
}

#[test]
fn an_invoice_takes_credits_first_then_payments_oldest_first() {
    let mut s = Scenario::new();
    s.accept(payment("late", 1_000, Put::Nothing));
    let mut early = payment("early", 1_000, Put::Nothing);
    early.received_on = Some(day("2025-12-01"));
    s.accept(early);
    s.accept(invoice("a", 700));
    s.accept(credit("c", "a", 700, CreditUse::Keep));
    s.accept(invoice("b", 2_000));
    s.accept(allocate("b", From::Anything, None));
    assert_eq!(s.credit_note("c").unapplied, 0);
    assert_eq!((s.payment("early").unapplied, s.payment("late").unapplied), (0, 700));
    assert_eq!(s.reason(allocate("b", From::Anything, None)), Reason::NothingLeft);
}

#[test]
fn a_reversal_reopens_what_the_payment_had_settled_and_keeps_the_due_date() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    s.accept(payment("p", 1_500, Put::Invoice(id("a"))));
    s.advance("2026-02-05");
    let due = s.invoice("a").due;
    let events = s.accept(reverse("p"));
    let expected = ["Deallocated", "PaymentReversed", "InvoiceReopened", "InvoiceOverdue"];
    assert_eq!(names(&events), expected);
    assert_eq!((s.invoice("a").open, s.invoice("a").due), (1_000, due));
    assert_eq!(s.figures("dupont"), (1_000, 1_000, 0));
    assert_eq!(s.reason(reverse("p")), Reason::WrongState);
}

/// More comes off than reopened the invoice, and earlier: it is overdue from then.
#[test]
fn what_opens_before_the_day_of_a_reopening_is_told_on_its_own() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    s.advance("2026-02-05");
    s.accept(payment("p", 900, Put::Invoice(id("a"))));
    s.accept(payment("q", 100, Put::Invoice(id("a"))));
    let mut later = deallocate_payment("a", "p", None);
    later.date = Some(day("2026-02-12"));
    assert_eq!(names(&s.accept(later)), ["Deallocated", "InvoiceReopened"]);
    let mut sooner = deallocate_payment("a", "q", None);
    sooner.date = Some(day("2026-02-08"));
    assert_eq!(names(&s.accept(sooner)), ["Deallocated"]);
    let overdue: Vec<(String, i64)> = s
        .advance("2026-02-20")
        .iter()
        .filter_map(|event| match event {
            encours_domain::Event::InvoiceOverdue(e) => Some((e.date.to_string(), e.open)),
            _ => None,
        })
        .collect();
    assert_eq!(overdue, [("2026-02-08".to_owned(), 100)]);
}

#[test]
fn what_undoes_a_fact_is_never_dated_before_it() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    let mut later = payment("p", 1_000, Put::Invoice(id("a")));
    later.received_on = Some(day("2026-01-20"));
    s.accept(later);
    let mut command = reverse("p");
    command.date = Some(day("2026-01-19"));
    assert_eq!(s.reason(command), Reason::DatedBeforeFact);
    let mut command = deallocate_payment("a", "p", Some(400));
    command.date = Some(day("2026-01-19"));
    assert_eq!(s.reason(command.clone()), Reason::DatedBeforeFact);
    command.date = None;
    let events = s.accept(command);
    assert_eq!(names(&events), ["Deallocated", "InvoiceReopened"]);
    assert_eq!((s.invoice("a").open, s.payment("p").unapplied), (400, 400));
    let over = deallocate_payment("a", "p", Some(601));
    assert_eq!(s.reason(over), Reason::OverAllocation);
}

#[test]
fn a_repeat_by_id_does_nothing_and_other_content_is_refused() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    s.accept(payment("p", 400, Put::Invoice(id("a"))));
    assert_eq!(s.accept(payment("p", 400, Put::Invoice(id("a")))), []);
    assert_eq!(s.reason(payment("p", 401, Put::Invoice(id("a")))), Reason::IdExists);
    assert_eq!(s.accept(invoice("a", 1_000)), []);
    assert_eq!(s.reason(invoice("a", 1_001)), Reason::IdExists);
    assert_eq!(s.accept(create_customer("dupont")), []);
    assert_eq!(s.invoice("a").open, 600);
}

/// The days and amounts of what was put on invoices.
fn allocated(events: &[encours_domain::Event]) -> Vec<(String, i64)> {
    let allocated = |event: &encours_domain::Event| match event {
        encours_domain::Event::Allocated(e) => Some((e.date.to_string(), e.amount)),
        _ => None,
    };
    events.iter().filter_map(allocated).collect()
}

#[test]
fn money_received_while_an_invoice_was_settled_counts_from_the_day_that_it_reopened() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    s.advance("2026-01-05");
    s.accept(payment("p", 900, Put::Invoice(id("a"))));
    s.advance("2026-01-20");
    s.accept(reverse("p"));
    // 100 fit beside the 900 that were there from the 5th to the 20th, 101 do not.
    let mut early = payment("q", 100, Put::Invoice(id("a")));
    early.received_on = Some(day("2026-01-10"));
    assert_eq!(allocated(&s.accept(early.clone())), [("2026-01-10".to_owned(), 100)]);
    (early.payment_id, early.amount) = (Some(id("r")), Some(101));
    assert_eq!(allocated(&s.accept(early.clone())), [("2026-01-20".to_owned(), 101)]);
    assert_eq!(s.payment("r").received_on, day("2026-01-10"), "the receipt keeps its date");
    // What came before fits where it does not reach into the time that is taken.
    (early.payment_id, early.received_on) = (Some(id("t")), Some(day("2026-01-02")));
    assert_eq!(allocated(&s.accept(early)), [("2026-01-20".to_owned(), 101)]);
}

#[test]
fn money_that_was_elsewhere_counts_from_the_day_that_it_came_off() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    s.accept(invoice("b", 1_000));
    s.accept(payment("p", 700, Put::Invoice(id("a"))));
    s.advance("2026-01-20");
    s.accept(deallocate_payment("a", "p", Some(500)));
    let mut command = allocate("b", From::Payment(id("p")), Some(500));
    command.date = Some(day("2026-01-10"));
    assert_eq!(allocated(&s.accept(command)), [("2026-01-20".to_owned(), 500)]);
}

#[test]
fn a_payment_is_not_taken_back_in_the_time_that_it_was_on_an_invoice() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    s.advance("2026-01-05");
    s.accept(payment("p", 700, Put::Invoice(id("a"))));
    s.advance("2026-01-20");
    s.accept(deallocate_payment("a", "p", None));
    let mut command = reverse("p");
    command.date = Some(day("2026-01-19"));
    assert_eq!(s.reason(command.clone()), Reason::DatedBeforeFact);
    command.date = Some(day("2026-01-20"));
    s.accept(command);
}

#[test]
fn a_reference_that_several_invoices_share_names_the_open_ones_oldest_first() {
    let mut s = Scenario::new();
    for (name, total) in [("a", 1_000), ("b", 2_000), ("c", 3_000)] {
        let mut command = invoice(name, total);
        command.reference = Some("RF18539007547034".into());
        s.accept(command);
    }
    s.accept(invoice("other", 2_500));
    let mut command = payment("p", 1_000, Put::Auto);
    command.reference = "RF18 5390 0754 7034".into();
    s.accept(command.clone());
    (command.payment_id, command.amount) = (Some(id("q")), Some(2_500));
    s.accept(command.clone());
    assert_eq!(["a", "b", "c", "other"].map(|name| s.invoice(name).open), [0, 0, 2_500, 2_500]);
    (command.payment_id, command.amount) = (Some(id("r")), Some(9_000));
    s.accept(command);
    assert_eq!((s.invoice("other").open, s.payment("r").unapplied), (2_500, 6_500));
}

#[test]
fn what_a_shared_reference_names_does_not_depend_on_the_order_or_a_restart() {
    const SHARED: &str = "RF18539007547034";
    let shared = |name, code: &str| {
        let mut command = invoice(name, 1_000);
        command.reference = Some(SHARED.into());
        command.currency = Some(currency(code));
        command
    };
    for order in [["dollars", "euros"], ["euros", "dollars"]] {
        for restarted in [false, true] {
            let mut s = Scenario::new();
            s.accept(invoice("other", 700));
            // Their numbers are in the order of the drafts, not in that in which they are issued.
            s.accept(CreateDraft { invoice: shared("dollars", "USD") });
            s.accept(CreateDraft { invoice: shared("euros", "EUR") });
            for name in order {
                s.accept(issue_draft(name));
                let mut all = payment(&format!("of-{name}"), 1_000, Put::Invoice(id(name)));
                all.currency = Some(s.invoice(name).currency);
                s.accept(all);
            }
            if restarted {
                s.state = State::from_rows(s.state.rows().clone());
            }
            let mut command = payment("p", 700, Put::Auto);
            command.reference = SHARED.into();
            s.accept(command);
            let left = (s.payment("p").unapplied, s.invoice("other").open);
            assert_eq!(left, (700, 700), "it names what is settled: {order:?}, {restarted}");
        }
    }
}

#[test]
fn a_credit_of_the_same_reference_does_not_hide_what_is_settled() {
    let mut s = Scenario::new();
    let reference = Some("RF18539007547034".to_owned());
    s.accept(AddOpeningItem { reference: reference.clone(), ..owing("credit", 800) });
    s.accept(AddOpeningItem { reference, ..owed("old", 500) });
    s.accept(invoice("other", 700));
    s.accept(payment("all", 500, Put::Invoice(id("old"))));
    let mut command = payment("p", 700, Put::Auto);
    command.reference = "RF18539007547034".into();
    s.accept(command);
    assert_eq!((s.payment("p").unapplied, s.invoice("other").open), (700, 700));
}

#[test]
fn the_documents_of_a_ledger_together_never_reach_what_a_sum_could_not_hold() {
    let mut s = Scenario::new();
    let most = encours_domain::limits::MAX_VOLUME;
    let refusal = s.refuse(payment("p", most + 1, Put::Nothing));
    assert_eq!((refusal.reason, refusal.field.as_str()), (Reason::AmountOverflow, "amount"));
    s.accept(payment("p", most - 10, Put::Nothing));
    let mut back = reverse("p");
    back.date = Some(day("2026-06-01"));
    s.accept(back);
    assert_eq!(
        s.reason(payment("q", 11, Put::Nothing)),
        Reason::AmountOverflow,
        "taken back or not"
    );
    assert_eq!(s.reason(invoice("a", 11)), Reason::AmountOverflow);
    s.accept(invoice("a", 5));
    assert_eq!(s.reason(credit("c", "a", 6, CreditUse::Keep)), Reason::OverCredit);
    let mut dollars = payment("d", most, Put::Nothing);
    dollars.currency = Some(currency("USD"));
    s.accept(dollars);
}

#[test]
fn an_invoice_takes_as_many_sources_as_it_may() {
    let mut s = Scenario::new();
    for n in 0..=MAX_ALLOCATIONS {
        s.accept(payment(&format!("p{n}"), 100, Put::Nothing));
    }
    s.accept(invoice("a", 1_000_000));
    s.accept(allocate("a", From::Anything, None));
    let most = i64::try_from(MAX_ALLOCATIONS).unwrap() * 100;
    assert_eq!(s.invoice("a").open, 1_000_000 - most);
}

#[test]
fn what_is_printed_of_a_command_shows_no_personal_detail() {
    let command: encours_domain::Command = create_customer("secret").into();
    assert!(!format!("{command:?}").contains("SECRET"), "{command:?}");
}
