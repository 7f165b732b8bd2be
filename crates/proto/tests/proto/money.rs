//! Money, days and moments at their edges, and on the wire.

use encours_domain::terms::Terms;
use encours_domain::{Currency, Day, Micros, Reason};
use encours_proto::money::{
    date_message, day, micros, money, money_in, money_message, terms, terms_message, timestamp,
};
use encours_proto::v1;
use proptest::prelude::*;
use prost::Message;

fn currency(code: &str) -> Currency {
    Currency::parse("currency", code).unwrap()
}

fn message(code: &str, units: i64, nanos: i32) -> v1::Money {
    v1::Money { currency_code: code.into(), units, nanos }
}

#[test]
fn amounts_are_exact() {
    let table = [
        ("EUR", 40, 500_000_000, 4_050),
        ("EUR", 0, 10_000_000, 1),
        ("EUR", 0, -10_000_000, -1),
        ("EUR", -1, -750_000_000, -175),
        ("EUR", -1, 0, -100),
        ("JPY", 5, 0, 5),
        ("BHD", 1, 1_000_000, 1_001),
        ("CLF", 1, 100_000, 10_001),
        ("EUR", 92_233_720_368_547_758, 70_000_000, i64::MAX),
        ("EUR", -92_233_720_368_547_758, -80_000_000, i64::MIN),
        ("JPY", i64::MIN, 0, i64::MIN),
    ];
    for (code, units, nanos, minor) in table {
        let read = money("amount", &message(code, units, nanos)).unwrap();
        assert_eq!((read.minor, read.currency), (minor, currency(code)), "{code} {units} {nanos}");
        assert_eq!(money_message(minor, currency(code)), message(code, units, nanos));
    }
}

#[test]
fn amounts_that_do_not_fit_are_refused() {
    let table = [
        ("EUR", 0, 5_000_000, Reason::TooManyDecimals),
        ("EUR", 0, 1, Reason::TooManyDecimals),
        ("JPY", 0, 500_000_000, Reason::TooManyDecimals),
        ("BHD", 0, 100_000, Reason::TooManyDecimals),
        ("EUR", 1, -10_000_000, Reason::InvalidAmount),
        ("EUR", -1, 10_000_000, Reason::InvalidAmount),
        ("EUR", 0, 1_000_000_000, Reason::InvalidAmount),
        ("EUR", 0, i32::MIN, Reason::InvalidAmount),
        ("EUR", i64::MAX, 0, Reason::AmountOverflow),
        ("EUR", 92_233_720_368_547_758, 80_000_000, Reason::AmountOverflow),
        ("EUR", i64::MIN, 0, Reason::AmountOverflow),
    ];
    for (code, units, nanos, reason) in table {
        let refusal = money("lines[2].amount", &message(code, units, nanos)).unwrap_err();
        assert_eq!(refusal.reason, reason, "{code} {units} {nanos}");
        assert_eq!(refusal.field, "lines[2].amount");
    }
    let missing = money("total", &message("", 1, 0)).unwrap_err();
    assert_eq!(
        (missing.reason, missing.field.as_str()),
        (Reason::MissingField, "total.currency_code")
    );
    for code in ["eur", "EURO", "XXX", "€"] {
        let refusal = money("total", &message(code, 1, 0)).unwrap_err();
        assert_eq!(refusal.reason, Reason::InvalidCurrency, "{code}");
    }
    let other = money_in("amount", &message("USD", 1, 0), currency("EUR")).unwrap_err();
    assert_eq!(other.reason, Reason::CurrencyMismatch);
}

/// `google.type.Money` and `google.type.Date`, written down from their own definition.
#[derive(Clone, PartialEq, Message)]
struct GoogleMoney {
    #[prost(string, tag = "1")]
    currency_code: String,
    #[prost(int64, tag = "2")]
    units: i64,
    #[prost(int32, tag = "3")]
    nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
struct GoogleDate {
    #[prost(int32, tag = "1")]
    year: i32,
    #[prost(int32, tag = "2")]
    month: i32,
    #[prost(int32, tag = "3")]
    day: i32,
}

#[test]
fn the_wire_is_that_of_google_type() {
    let theirs = GoogleMoney { currency_code: "EUR".into(), units: -3, nanos: -140_000_000 };
    let ours = message("EUR", -3, -140_000_000);
    assert_eq!(theirs.encode_to_vec(), ours.encode_to_vec());
    assert_eq!(v1::Money::decode(theirs.encode_to_vec().as_slice()).unwrap(), ours);
    let theirs = GoogleDate { year: 2026, month: 11, day: 21 };
    let ours = v1::Date { year: 2026, month: 11, day: 21 };
    assert_eq!(theirs.encode_to_vec(), ours.encode_to_vec());
}

#[test]
fn days_are_days() {
    let read = |year, month, day_of| day("issue_date", v1::Date { year, month, day: day_of });
    assert_eq!(read(2024, 2, 29).unwrap().to_string(), "2024-02-29");
    assert_eq!(read(1900, 1, 1), Ok(Day::MIN));
    assert_eq!(read(2199, 12, 31), Ok(Day::MAX));
    let wrong = [
        (2023, 2, 29),
        (2026, 0, 1),
        (2026, 1, 0),
        (2026, 13, 1),
        (0, 0, 0),
        (1899, 12, 31),
        (2200, 1, 1),
        (2026, -1, 1),
        (i32::MAX, 1, 1),
    ];
    for (year, month, day_of) in wrong {
        let refusal = read(year, month, day_of).unwrap_err();
        assert_eq!((refusal.reason, refusal.field.as_str()), (Reason::InvalidDate, "issue_date"));
    }
}

#[test]
fn terms_have_ranges() {
    let net = |days, grace_days| v1::Terms {
        terms: Some(v1::terms::Terms::NetDays(v1::NetDays { days, grace_days })),
    };
    for known in [Terms::OnReceipt, Terms::NetDays { days: 366, grace_days: 90 }, Terms::DEFAULT] {
        assert_eq!(terms("terms", terms_message(known)), Ok(known));
    }
    for (days, grace_days, field) in [
        (367, 0, "terms.net_days.days"),
        (-1, 0, "terms.net_days.days"),
        (70_000, 0, "terms.net_days.days"),
        (30, 91, "terms.net_days.grace_days"),
        (30, 256, "terms.net_days.grace_days"),
    ] {
        let refusal = terms("terms", net(days, grace_days)).unwrap_err();
        assert_eq!((refusal.reason, refusal.field.as_str()), (Reason::InvalidTerms, field));
    }
    let neither = terms("terms", v1::Terms { terms: None }).unwrap_err();
    assert_eq!(neither.reason, Reason::MissingField);
}

proptest! {
    #[test]
    fn every_amount_comes_back(minor: i64, code in prop::sample::select(vec!["JPY", "EUR", "BHD", "CLF"])) {
        let written = money_message(minor, currency(code));
        prop_assert_eq!(money("amount", &written).map(|money| money.minor), Ok(minor));
    }

    #[test]
    fn every_day_comes_back(number in Day::MIN.number()..=Day::MAX.number()) {
        let known = Day::from_number(number).unwrap();
        prop_assert_eq!(day("date", date_message(known)), Ok(known));
    }

    #[test]
    fn every_moment_comes_back(at: i64) {
        prop_assert_eq!(micros("at", &timestamp(Micros(at))), Ok(Micros(at)));
    }

    #[test]
    fn no_timestamp_is_too_odd_to_judge(seconds: i64, nanos: i32) {
        let _ = micros("at", &prost_types::Timestamp { seconds, nanos });
    }

    #[test]
    fn no_money_is_too_odd_to_judge(code: String, units: i64, nanos: i32) {
        let _ = money("amount", &v1::Money { currency_code: code, units, nanos });
    }
}
