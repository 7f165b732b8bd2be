//! Money, dates, numbers and references: exact, checked, and the same both ways.

use encours_domain::event::Rate;
use encours_domain::series::Pattern;
use encours_domain::{Currency, Day, Id, Money, Reason, reference, tax};
use proptest::prelude::*;

use crate::scenario::{currency, day};

fn any_currency() -> impl Strategy<Value = Currency> {
    prop::sample::select(vec!["JPY", "EUR", "BHD", "CLF", "USD"]).prop_map(currency)
}

proptest! {
    #[test]
    fn money_is_the_same_through_units_and_nanos(minor: i64, currency in any_currency()) {
        let money = Money::new(minor, currency);
        let (units, nanos) = money.to_units();
        prop_assert!(units == 0 || nanos == 0 || (units < 0) == (nanos < 0));
        prop_assert_eq!(Money::from_units("amount", units, nanos, currency), Ok(money));
    }

    #[test]
    fn money_is_the_same_through_its_text(minor: i64, currency in any_currency()) {
        let money = Money::new(minor, currency);
        prop_assert_eq!(Money::parse("amount", &money.number(), currency), Ok(money));
    }

    #[test]
    fn any_units_and_nanos_are_read_or_refused(units: i64, nanos: i32, c in any_currency()) {
        if let Ok(money) = Money::from_units("amount", units, nanos, c) {
            prop_assert_eq!(money.to_units(), (units, nanos));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text: String, currency in any_currency()) {
        let _ = Money::parse("amount", &text, currency);
        let _ = Id::parse("id", &text);
        let _ = Pattern::parse("pattern", &text);
        let _ = reference::check(&text);
    }

    #[test]
    fn a_reference_made_from_a_number_checks(number in "\\PC{0,64}") {
        let made = reference::of_number(&number);
        prop_assert_eq!(reference::check(&made), Ok(made.clone()));
        // One character changed is noticed.
        let wrong = format!("RF{:02}{}", (made[2..4].parse::<u32>().unwrap() + 1) % 97, &made[4..]);
        prop_assert!(reference::check(&wrong).is_err());
    }

    #[test]
    fn a_day_is_the_same_through_its_number_and_date(number in -25_567..84_005_i32) {
        let day = Day::from_number(number).unwrap();
        prop_assert_eq!(Day::from_date(day.date()), Some(day));
        prop_assert_eq!(day.plus(1).unwrap().since(day), 1);
    }

    #[test]
    fn an_allotted_number_is_one_the_pattern_could_allot(
        year in 1900..2199_i32,
        sequence in 1..u64::MAX,
        pattern in prop::sample::select(vec!["FA-{year}-{seq:5}", "{seq}", "A{seq:12}/{year}x"]),
    ) {
        let pattern = Pattern::parse("pattern", pattern).unwrap();
        prop_assert!(pattern.could_allot(&pattern.number(year, sequence)));
    }

    #[test]
    fn tax_is_rounded_half_up_away_from_zero(base in -1_000_000_000..1_000_000_000_i64, rate in 0..100_000_u32) {
        let tax = tax::tax(base, Rate(rate)).unwrap();
        let exact = i128::from(base) * i128::from(rate);
        let twice_off = (i128::from(tax) * 100_000 - exact) * 2;
        prop_assert!(twice_off.abs() <= 100_000);
        prop_assert!(twice_off.abs() < 100_000 || twice_off.signum() == exact.signum());
    }
}

#[test]
fn amounts_that_do_not_fit_are_refused_with_their_reason() {
    let reason =
        |text: &str, code| Money::parse("amount", text, currency(code)).unwrap_err().reason;
    assert_eq!(reason("1.5", "JPY"), Reason::TooManyDecimals);
    assert_eq!(reason("1.001", "EUR"), Reason::TooManyDecimals);
    assert_eq!(reason("1.0001", "BHD"), Reason::TooManyDecimals);
    for text in ["", "NaN", "1e3", "1,50", "0x10", "--1", "1.2.3", "∞"] {
        assert_eq!(reason(text, "EUR"), Reason::InvalidAmount, "{text}");
    }
    assert_eq!(reason("92233720368547758.08", "EUR"), Reason::AmountOverflow);
    assert!(Money::parse("amount", "92233720368547758.07", currency("EUR")).is_ok());
    assert!(Money::parse("amount", "1.500", currency("EUR")).is_ok(), "zeros are no decimals");
    let mixed = Money::from_units("amount", 1, -1, currency("EUR")).unwrap_err();
    assert_eq!(mixed.reason, Reason::InvalidAmount);
    let large = Money::from_units("amount", i64::MAX, 0, currency("EUR")).unwrap_err();
    assert_eq!(large.reason, Reason::AmountOverflow);
}

#[test]
fn ids_have_one_to_sixty_four_characters_of_a_small_alphabet() {
    for good in ["a", "A-1_b:c/d", &"x".repeat(64)] {
        assert!(Id::parse("id", good).is_ok(), "{good}");
    }
    for bad in ["", "a b", "é", "a\n", "a.b", "%", &"x".repeat(65)] {
        assert_eq!(Id::parse("id", bad).unwrap_err().reason, Reason::InvalidId, "{bad:?}");
    }
}

#[test]
fn patterns_that_could_not_be_gapless_are_refused() {
    for bad in [
        "",
        "FA",
        "{year}",
        "{seq}{year}",
        "{seq}-{seq}",
        "{seq:0}",
        "{seq:13}",
        "{x}",
        "{",
        "F{seq}9",
    ] {
        assert!(Pattern::parse("pattern", bad).is_err(), "{bad}");
    }
    assert!(Pattern::parse("pattern", "a b{seq}").is_err());
}

#[test]
fn there_is_no_thirtieth_of_february() {
    assert_eq!(Day::from_ymd(2026, 2, 30), None);
    assert_eq!(Day::from_ymd(1899, 12, 31), None);
    assert_eq!(Day::from_ymd(2200, 1, 1), None);
    assert_eq!(day("2024-02-29").plus(366), Some(day("2025-03-01")));
}

#[test]
fn every_refusal_has_a_code_of_its_own_and_says_what_it_means() {
    let mut codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.rule().code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), Reason::ALL.len());
    assert!(Reason::ALL.iter().all(|reason| reason.describe().ends_with('.')));
}
