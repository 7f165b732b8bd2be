//! What lists are filtered by.

use encours_domain::{Day, Reason, Refusal};
use encours_proto::filter::{amounts, customer_label, days, invoice_label, search};
use encours_proto::v1;

use crate::commands::{eur, usd};

fn told(refusal: Refusal) -> (Reason, String, String) {
    (refusal.reason, refusal.field, refusal.message)
}

fn label(set: &str, label: &str) -> v1::LabelFilter {
    v1::LabelFilter { label_set: set.into(), label: label.into() }
}

#[test]
fn a_label_belongs_to_its_set() {
    assert_eq!(
        invoice_label("filter.label", &label("libeo", "planifié")).unwrap().word,
        "planifié"
    );
    assert!(invoice_label("filter.label", &label("clicfacture", "relance 2")).is_ok());
    assert!(customer_label("filter.label", &label("tiime", "à jour")).is_ok());

    let wrong = invoice_label("filter.label", &label("tiime", "à jour")).unwrap_err();
    let (reason, field, message) = told(wrong);
    assert_eq!((reason, field.as_str()), (Reason::UnknownValue, "filter.label.label_set"));
    assert!(message.contains("libeo, clicfacture"), "{message}");
    let wrong = invoice_label("filter.label", &label("libeo", "payé")).unwrap_err();
    let (reason, field, message) = told(wrong);
    assert_eq!((reason, field.as_str()), (Reason::UnknownValue, "filter.label.label"));
    assert!(message.contains("solde à encaisser, planifié"), "{message}");
    let (_, _, message) = told(customer_label("f", &label("x", "")).unwrap_err());
    assert!(message.contains("tiime"), "{message}");
    // What is shown of a wrong word is bounded.
    let long = invoice_label("f", &label(&"x".repeat(10_000), "")).unwrap_err();
    assert!(long.message.len() < 200, "{}", long.message);
}

#[test]
fn a_range_of_days_begins_before_it_ends() {
    let date = |day| Some(v1::Date { year: 2026, month: 1, day });
    let day = |day| Day::from_ymd(2026, 1, day);
    let range = |first, last| days("filter.due_dates", v1::DateRange { first, last });
    assert_eq!(range(None, None), Ok((None, None)));
    assert_eq!(range(date(5), date(5)), Ok((day(5), day(5))));
    assert_eq!(range(None, date(7)), Ok((None, day(7))));
    let (reason, field, _) = told(range(date(8), date(7)).unwrap_err());
    assert_eq!((reason, field.as_str()), (Reason::InvalidDate, "filter.due_dates.last"));
    let (reason, field, _) = told(range(date(32), None).unwrap_err());
    assert_eq!((reason, field.as_str()), (Reason::InvalidDate, "filter.due_dates.first"));
}

#[test]
fn a_range_of_amounts_has_one_currency() {
    let range = |least, most| amounts("filter.overdue", &v1::MoneyRange { least, most });
    let both = range(eur(1), eur(1)).unwrap();
    assert_eq!((both.currency.code(), both.least, both.most), ("EUR", Some(100), Some(100)));
    let below = range(None, usd(4)).unwrap();
    assert_eq!((below.currency.code(), below.least, below.most), ("USD", None, Some(400)));
    let (reason, field, _) = told(range(None, None).unwrap_err());
    assert_eq!((reason, field.as_str()), (Reason::MissingField, "filter.overdue.least"));
    let (reason, field, _) = told(range(eur(1), usd(2)).unwrap_err());
    assert_eq!(reason, Reason::CurrencyMismatch);
    assert_eq!(field, "filter.overdue.most.currency_code");
    let (reason, field, _) = told(range(eur(2), eur(1)).unwrap_err());
    assert_eq!((reason, field.as_str()), (Reason::InvalidAmount, "filter.overdue.most"));
}

#[test]
fn what_is_searched_for_is_bounded() {
    assert_eq!(search("filter.text", "é".repeat(128)).unwrap().len(), 256);
    let (reason, field, _) = told(search("filter.text", "x".repeat(257)).unwrap_err());
    assert_eq!((reason, field.as_str()), (Reason::TooLarge, "filter.text"));
}
