use std::fs;
use std::path::Path;

use encours_proto::events::EVENT_NAMES;

use super::*;

/// The sources of the command line, without the demo, which has labels of its own.
fn sources(folder: &Path, texts: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.file_name().and_then(|name| name.to_str()) {
            Some("demo" | "output" | "tests.rs") => {}
            _ if path.is_dir() => sources(&path, texts),
            _ => texts.push(fs::read_to_string(&path).unwrap()),
        }
    }
}

/// The literal after each place where one of these stands in the sources.
fn literals(marks: &[&str]) -> Vec<String> {
    let mut texts = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut texts);
    let mut found = Vec::new();
    for text in &texts {
        let text = text.split("#[cfg(test)]").next().unwrap();
        for mark in marks {
            let after =
                text.split(mark).skip(1).filter_map(|rest| rest.trim_start().split_once('"'));
            found.extend(
                after
                    .filter(|(gap, _)| gap.is_empty())
                    .map(|(_, rest)| rest.split('"').next().unwrap().to_owned()),
            );
        }
    }
    found
}

#[test]
fn every_heading_has_a_french_one() {
    let names =
        literals(&["Column::left(", "Column::right(", "fact(", "vec![(", "push((", "insert(0, ("]);
    assert!(names.len() > 100, "{names:?}");
    for name in names {
        assert!(find(HEADINGS, &name).is_some(), "output/words.rs has no French for {name:?}");
    }
}

#[test]
fn every_phrase_has_a_french_one() {
    let phrases = literals(&["Cell::phrase(", ".phrase("]);
    assert!(phrases.len() > 10, "{phrases:?}");
    for phrase in phrases {
        let french = find(PHRASES, &phrase);
        let french =
            french.unwrap_or_else(|| panic!("output/words.rs has no French for {phrase:?}"));
        assert_eq!(french.matches("{}").count(), phrase.matches("{}").count(), "{french}");
    }
}

#[test]
fn every_word_of_the_protocol_has_a_french_one() {
    let mut words: Vec<String> = EVENT_NAMES.iter().map(|name| (*name).to_owned()).collect();
    macro_rules! add {
        ($($kind:ident $prefix:literal,)*) => {$(
            // 0 says nothing.
            let named = (1..100).map_while(|number| v1::$kind::try_from(number).ok());
            let before = words.len();
            words.extend(named.map(|kind| super::super::word(kind.as_str_name(), $prefix)));
            assert!(words.len() > before + 1, $prefix);
        )*};
    }
    add! {
        CustomerStatus "CUSTOMER_STATUS_",
        InvoiceStatus "INVOICE_STATUS_",
        DocumentState "DOCUMENT_STATE_",
        SettlementState "SETTLEMENT_STATE_",
        TimingState "TIMING_STATE_",
        DunningState "DUNNING_STATE_",
        InvoiceKind "INVOICE_KIND_",
        OpeningItemDirection "OPENING_ITEM_DIRECTION_",
        CreditPolicy "CREDIT_POLICY_",
        CreditVerdict "CREDIT_VERDICT_",
        ReminderChannel "REMINDER_CHANNEL_",
        ReminderStep "REMINDER_STEP_",
        ReminderState "REMINDER_STATE_",
        ReminderPlanState "REMINDER_PLAN_STATE_",
        PaymentMethod "PAYMENT_METHOD_",
        ReversalKind "REVERSAL_KIND_",
    }
    for word in words {
        assert!(find(WORDS, &word).is_some(), "output/words.rs has no French for {word:?}");
    }
}

#[test]
fn nothing_stands_in_the_dictionary_twice() {
    for pairs in [HEADINGS, WORDS, PHRASES] {
        let mut keys: Vec<_> = pairs.iter().map(|(key, _)| key.to_ascii_lowercase()).collect();
        keys.sort();
        let all = keys.len();
        keys.dedup();
        assert_eq!(keys.len(), all, "{keys:?}");
    }
}

#[test]
fn numbers_and_days_are_written_as_the_language_does() {
    let numbers = ["147703.18", "-1234.56", "-123.45", "1000", "999.9"];
    let [en, fr] = [Language::En, Language::Fr].map(|lang| numbers.map(|text| lang.number(text)));
    assert_eq!(en, ["147,703.18", "-1,234.56", "-123.45", "1,000", "999.9"]);
    assert_eq!(fr, ["147\u{202f}703,18", "-1\u{202f}234,56", "-123,45", "1\u{202f}000", "999,9"]);
    let day = v1::Date { year: 2013, month: 6, day: 3 };
    assert_eq!(Language::En.day(day), "2013-06-03");
    assert_eq!(Language::Fr.day(day), "03/06/2013");
}

#[test]
fn headings_and_phrases() {
    assert_eq!(Language::En.heading("d31_60"), "31-60 days");
    assert_eq!(Language::En.heading("d121_plus"), "121+ days");
    assert_eq!(Language::Fr.heading("d31_60"), "31-60 jours");
    assert_eq!(Language::Fr.heading("unapplied"), "reste à utiliser");
    assert_eq!(Language::Fr.heading("new_thing"), "new thing");
    assert_eq!(Language::Fr.word("transfer"), "virement");
    assert_eq!(Language::Fr.phrase("due {}", &["03/06/2013".to_owned()]), "échéance 03/06/2013");
    // What a value holds is no place for another one.
    assert_eq!(Language::En.phrase("{}: {}", &["{}".to_owned(), "b".to_owned()]), "{}: b");
}
