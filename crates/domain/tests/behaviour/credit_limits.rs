//! Credit limits: how far a customer may go into debt, and what happens past that.

use crate::scenario::*;
use encours_domain::commands::*;
use encours_domain::credit::{Credit, Verdict};
use encours_domain::event::{CreditLimitExceeded, CreditPolicy};
use encours_domain::limits::MAX_VOLUME;
use encours_domain::{Command, Event, Reason};
use proptest::prelude::*;

fn limit(limit: Option<i64>, policy: CreditPolicy) -> SetCreditLimit {
    SetCreditLimit {
        ledger_id: id("acme"),
        customer_id: id("dupont"),
        currency: None,
        limit,
        policy,
    }
}

fn overriding(name: &str, total: i64) -> IssueInvoice {
    IssueInvoice { override_credit_limit: true, ..invoice(name, total) }
}

fn exceeded(events: &[Event]) -> &CreditLimitExceeded {
    match events {
        [Event::InvoiceIssued(_), Event::CreditLimitExceeded(exceeded), ..] => exceeded,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_refusing_limit_refuses_what_passes_it_and_tells_the_figures() {
    let mut s = Scenario::new();
    s.accept(limit(Some(10_000), CreditPolicy::Refuse));
    s.accept(invoice("a", 7_000));
    let refusal = s.refuse(invoice("b", 3_001));
    assert_eq!(refusal.reason, Reason::CreditLimitExceeded);
    assert_eq!(refusal.reason.rule().code, "CREDIT_LIMIT_EXCEEDED");
    assert_eq!(refusal.field, "override_credit_limit");
    for (figure, expected) in
        [("limit", "100.00 EUR"), ("exposure", "100.01 EUR"), ("available", "30.00 EUR")]
    {
        let told = refusal.figures.iter().find(|(name, _)| *name == figure);
        assert_eq!(told.map(|(_, text)| text.as_str()), Some(expected));
    }
    assert!(refusal.message.contains("is 100.00 EUR, with this invoice it would owe 100.01 EUR"));
    let events = s.accept(invoice("b", 3_000));
    assert_eq!(names(&events), ["InvoiceIssued"], "up to the limit, the limit included");
    assert_eq!(s.invoice("b").over_limit, 0);
}

#[test]
fn an_override_issues_it_and_the_log_says_so_right_after_the_issue() {
    let mut s = Scenario::new();
    s.accept(limit(Some(10_000), CreditPolicy::Refuse));
    let mut late = overriding("a", 12_500);
    (late.number, late.issue_date) = (Some("old".into()), Some(day("2025-06-01")));
    let events = s.accept(late);
    assert_eq!(names(&events), ["InvoiceIssued", "CreditLimitExceeded", "InvoiceOverdue"]);
    let told = exceeded(&events);
    assert_eq!((told.limit, told.exposure, told.overridden), (10_000, 12_500, true));
    assert_eq!(s.invoice("a").over_limit, 2_500);
    assert_eq!(names(&s.accept(overriding("zero", 0))), ["InvoiceIssued", "InvoicePaid"]);
    assert_eq!(names(&s.accept(invoice("zero-2", 0))), ["InvoiceIssued", "InvoicePaid"]);
    assert_eq!(s.reason(invoice("b", 1)), Reason::CreditLimitExceeded);
    s.accept(payment("p", 12_500, Put::Nothing));
    let events = s.accept(overriding("b", 10_000));
    assert_eq!(names(&events), ["InvoiceIssued"], "an override that was not needed is not told");
}

#[test]
fn a_warning_limit_warns_and_an_allowing_one_says_nothing() {
    let mut s = Scenario::new();
    s.accept(limit(Some(0), CreditPolicy::Warn));
    let events = s.accept(invoice("a", 1));
    assert_eq!(names(&events), ["InvoiceIssued", "CreditLimitExceeded"]);
    assert!(!exceeded(&events).overridden);
    assert!(!exceeded(&s.accept(overriding("b", 1))).overridden, "there was nothing to override");
    assert_eq!(s.invoice("b").over_limit, 2);
    s.accept(limit(Some(0), CreditPolicy::Allow));
    assert_eq!(names(&s.accept(invoice("c", 1))), ["InvoiceIssued"]);
    assert_eq!(s.invoice("c").over_limit, 0);
}

#[test]
fn a_draft_passes_the_limit_when_it_is_issued_not_before() {
    let mut s = Scenario::new();
    s.accept(limit(Some(10_000), CreditPolicy::Refuse));
    for name in ["a", "b"] {
        s.accept(CreateDraft { invoice: invoice(name, 10_000) });
    }
    s.accept(UpdateDraft { invoice: invoice("b", 20_000) });
    s.accept(issue_draft("a"));
    let refusal = s.refuse(issue_draft("b"));
    assert_eq!(
        (refusal.reason, &*refusal.field),
        (Reason::CreditLimitExceeded, "override_credit_limit")
    );
    let overridden = IssueDraft { override_credit_limit: true, ..issue_draft("b") };
    let events = s.accept(overridden.clone());
    assert_eq!(names(&events), ["InvoiceIssued", "CreditLimitExceeded"]);
    assert_eq!(exceeded(&events).exposure, 30_000);
    assert_eq!(s.invoice("b").over_limit, 20_000);
    assert!(s.repeats(overridden).is_some());
    assert_eq!(s.reason(issue_draft("b")), Reason::WrongState);
}

#[test]
fn money_and_credit_that_are_left_count_against_the_exposure() {
    let mut s = Scenario::new();
    s.accept(payment("p", 5_000, Put::Nothing));
    s.accept(limit(Some(1_000), CreditPolicy::Refuse));
    assert_eq!(s.reason(invoice("a", 6_001)), Reason::CreditLimitExceeded);
    s.accept(invoice("a", 6_000));
    assert_eq!(s.reason(invoice("b", 1)), Reason::CreditLimitExceeded);
    s.accept(credit("c", "a", 500, CreditUse::Keep));
    s.accept(invoice("b", 500));
    s.accept(reverse("p"));
    let customer = s.customer("dupont");
    let credit = Credit::of(&customer.credit_limits, &customer.balances, currency("EUR"), 1);
    assert_eq!((credit.exposure, credit.exposure_after()), (6_000, 6_001));
    assert_eq!((credit.available(), credit.verdict()), (Some(-5_000), Verdict::Refused));
}

#[test]
fn limits_are_kept_apart_by_currency_and_customer() {
    let mut s = Scenario::new();
    s.accept(limit(Some(100), CreditPolicy::Refuse));
    let dollars =
        SetCreditLimit { currency: Some(currency("USD")), ..limit(Some(50), CreditPolicy::Warn) };
    s.accept(dollars.clone());
    let limits = s.customer("dupont").credit_limits;
    let shown: Vec<_> = limits.iter().map(|l| (l.currency.code(), l.limit, l.policy)).collect();
    assert_eq!(shown, [("EUR", 100, CreditPolicy::Refuse), ("USD", 50, CreditPolicy::Warn)]);
    let mut other = invoice("a", 1_000);
    other.customer_id = id("martin");
    assert_eq!(names(&s.accept(other)), ["InvoiceIssued"]);
    let mut other = invoice("b", 60);
    other.currency = Some(currency("USD"));
    assert_eq!(names(&s.accept(other)), ["InvoiceIssued", "CreditLimitExceeded"]);
    s.accept(invoice("c", 100));
    s.accept(SetCreditLimit { limit: None, ..dollars });
    assert_eq!(s.customer("dupont").credit_limits.len(), 1);
}

#[test]
fn the_currency_left_out_is_the_customers_else_the_ledgers() {
    let mut s = Scenario::new();
    let mut customer = create_customer("yank");
    customer.currency = Some(currency("USD"));
    s.accept(customer);
    let command = limit(Some(5), CreditPolicy::Warn);
    s.accept(SetCreditLimit { customer_id: id("yank"), ..command.clone() });
    s.accept(command);
    assert_eq!(s.customer("yank").credit_limits[0].currency, currency("USD"));
    assert_eq!(s.customer("dupont").credit_limits[0].currency, currency("EUR"));
}

#[test]
fn setting_lifting_and_both_again() {
    let mut s = Scenario::new();
    let lifted = limit(None, CreditPolicy::Refuse);
    assert!(s.repeats(lifted.clone()).is_some(), "there was none");
    assert_eq!(names(&s.accept(limit(Some(0), CreditPolicy::Refuse))), ["CreditLimitSet"]);
    let set = s.customer("dupont").version;
    let subject = Command::from(lifted.clone()).subject(&s.state, &[]).unwrap();
    assert_eq!(s.repeats(limit(Some(0), CreditPolicy::Refuse)), Some((subject, set)));
    assert_eq!(s.reason(invoice("a", 1)), Reason::CreditLimitExceeded);
    assert_eq!(names(&s.accept(limit(Some(0), CreditPolicy::Warn))), ["CreditLimitSet"]);
    let refused = s.decide(lifted.clone(), Some(set)).unwrap_err();
    assert_eq!(refused.reason, Reason::VersionMismatch);
    s.accept(lifted.clone());
    assert_eq!(s.customer("dupont").credit_limits, []);
    assert!(s.repeats(lifted).is_some());
    assert_eq!(names(&s.accept(invoice("a", 1))), ["InvoiceIssued"]);
}

#[test]
fn a_limit_is_zero_or_more_and_fits_a_ledger() {
    let mut s = Scenario::new();
    let refusal = s.refuse(limit(Some(-1), CreditPolicy::Warn));
    assert_eq!((refusal.reason, &*refusal.field), (Reason::NotPositive, "limit"));
    let refusal = s.refuse(limit(Some(MAX_VOLUME + 1), CreditPolicy::Warn));
    assert_eq!((refusal.reason, &*refusal.field), (Reason::AmountOverflow, "limit"));
    s.accept(limit(Some(MAX_VOLUME), CreditPolicy::Refuse));
    s.accept(invoice("a", MAX_VOLUME));
    let nobody = SetCreditLimit { customer_id: id("x"), ..limit(None, CreditPolicy::Warn) };
    assert_eq!(s.reason(nobody), Reason::UnknownCustomer);
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Limit(Option<i64>, CreditPolicy),
    Invoice { total: i64, overrides: bool, drafted: bool },
    Pay(i64),
}

fn any_op() -> impl Strategy<Value = Op> {
    let policy =
        prop::sample::select(vec![CreditPolicy::Allow, CreditPolicy::Warn, CreditPolicy::Refuse]);
    prop_oneof![
        1 => (prop::option::weighted(0.8, 0..20_i64), policy).prop_map(|(l, p)| Op::Limit(l, p)),
        3 => (0..8_i64, prop::bool::weighted(0.3), any::<bool>())
            .prop_map(|(total, overrides, drafted)| Op::Invoice { total, overrides, drafted }),
        1 => (1..10_i64).prop_map(Op::Pay),
    ]
}

/// The events of an issue past the limit or within it, or none where it is refused.
fn expected(
    limit: Option<i64>,
    policy: CreditPolicy,
    net: i64,
    op: (i64, bool),
) -> Option<Vec<&'static str>> {
    let (total, overrides) = op;
    let passed = total > 0 && limit.is_some_and(|limit| net + total > limit);
    let told = match policy {
        _ if !passed => false,
        CreditPolicy::Allow => false,
        CreditPolicy::Warn => true,
        CreditPolicy::Refuse if overrides => true,
        CreditPolicy::Refuse => return None,
    };
    let mut events = vec!["InvoiceIssued"];
    events.extend(told.then_some("CreditLimitExceeded"));
    events.extend((total == 0).then_some("InvoicePaid"));
    Some(events)
}

proptest! {
    #[test]
    fn what_passes_a_limit_is_told_or_refused(ops in prop::collection::vec(any_op(), 1..40)) {
        let mut s = Scenario::new();
        let (mut limited, mut policy, mut net) = (None, CreditPolicy::Allow, 0);
        for (at, op) in ops.into_iter().enumerate() {
            let name = format!("x{at}");
            match op {
                Op::Limit(to, how) => {
                    s.accept(limit(to, how));
                    (limited, policy) = (to, how);
                }
                Op::Pay(amount) => {
                    s.accept(payment(&name, amount, Put::Nothing));
                    net -= amount;
                }
                Op::Invoice { total, overrides, drafted } => {
                    let mut issue: Command = if overrides {
                        overriding(&name, total).into()
                    } else {
                        invoice(&name, total).into()
                    };
                    if drafted {
                        s.accept(CreateDraft { invoice: invoice(&name, total) });
                        let command = issue_draft(&name);
                        issue = IssueDraft { override_credit_limit: overrides, ..command }.into();
                    }
                    let events = s.try_do(issue);
                    let expected = expected(limited, policy, net, (total, overrides));
                    net += if expected.is_some() { total } else { 0 };
                    let told = events.as_ref().ok().map(|events| names(events));
                    prop_assert_eq!(told, expected);
                    let refused = events.err().map(|no| no.reason);
                    prop_assert!(refused.is_none_or(|no| no == Reason::CreditLimitExceeded));
                }
            }
            let (outstanding, _, unapplied) = s.figures("dupont");
            prop_assert_eq!(outstanding - unapplied, net);
        }
    }
}
