//! Text search: words folded alike on both sides, found by their beginnings.
//!
//! A word is a run of letters and digits, in lower case and without accents. A search is met where
//! each of its words begins some word of what is searched.

use encours_domain::event::InvoiceContent;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// The words of a search that are looked for; what follows them is left out.
const MAX_WORDS: usize = 64;

/// Adds the folded words of a text to `out`, each after a space unless it is the first.
fn fold_into(text: &str, out: &mut String) {
    let mut in_word = false;
    if text.is_ascii() {
        for byte in text.bytes() {
            let is_letter = byte.is_ascii_alphanumeric();
            if is_letter && !in_word && !out.is_empty() {
                out.push(' ');
            }
            in_word = is_letter;
            if is_letter {
                out.push(char::from(byte.to_ascii_lowercase()));
            }
        }
        return;
    }
    for letter in text.nfkd().filter(|letter| !is_combining_mark(*letter)) {
        if !letter.is_alphanumeric() {
            in_word = false;
            continue;
        }
        if !in_word && !out.is_empty() {
            out.push(' ');
        }
        in_word = true;
        match letter {
            // What decomposes into no letter and accent, as people type it.
            'ß' | 'ẞ' => out.push_str("ss"),
            'æ' | 'Æ' => out.push_str("ae"),
            'œ' | 'Œ' => out.push_str("oe"),
            'ø' | 'Ø' => out.push('o'),
            'ł' | 'Ł' => out.push('l'),
            'đ' | 'Đ' => out.push('d'),
            _ => out.extend(letter.to_lowercase()),
        }
    }
}

/// The folded words of a text, apart by spaces.
pub(crate) fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    fold_into(text, &mut out);
    out
}

/// The folded words of what an invoice carries along, each once: purchase order, free text, values
/// of metadata and `more`.
pub(crate) fn words_of<'a>(
    content: &'a InvoiceContent,
    more: impl Iterator<Item = &'a str>,
) -> String {
    let mut all = String::new();
    for text in [content.purchase_order.as_str(), &content.text].into_iter().chain(more) {
        fold_into(text, &mut all);
    }
    for (_, value) in &content.metadata {
        fold_into(value, &mut all);
    }
    if !all.contains(' ') {
        return all;
    }
    let mut words: Vec<&str> = all.split(' ').collect();
    words.sort_unstable();
    words.dedup();
    words.join(" ")
}

/// What is searched for.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    words: Vec<String>,
    /// All words as one: a reference is often typed in groups.
    joined: String,
}

/// Which words of a search were found, one bit each.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found(u64);

impl Search {
    pub(crate) fn of(text: &str) -> Self {
        let folded = fold(text);
        let words = folded.split(' ').filter(|word| !word.is_empty());
        let words: Vec<String> = words.take(MAX_WORDS).map(str::to_owned).collect();
        let joined = words.concat();
        Self { words, joined }
    }

    /// Whether everything meets it.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Notes the words that begin some word of a folded text.
    pub(crate) fn look(&self, folded: &str, found: &mut Found) {
        for (at, wanted) in self.words.iter().enumerate() {
            let bit = 1 << at;
            let begins = |word: &str| word.starts_with(wanted.as_str());
            if found.0 & bit == 0 && folded.split(' ').any(begins) {
                found.0 |= bit;
            }
        }
    }

    /// Whether a reference, folded, begins like all that is searched for.
    pub(crate) fn begins(&self, reference: &str) -> bool {
        reference.starts_with(&self.joined)
    }

    /// Whether every word was found.
    pub(crate) const fn is_met(&self, found: Found) -> bool {
        found.0.count_ones() as usize == self.words.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_are_folded_alike() {
        let cases = [
            ("Société Générale", "societe generale"),
            ("FA-2026-00012", "fa 2026 00012"),
            ("ŒUVRE  n° 7", "oeuvre n 7"),
            ("STRASSE straße", "strasse strasse"),
            ("İstanbul", "istanbul"),
            ("  --  ", ""),
            ("e\u{301}te\u{301}", "ete"),
            ("ﬁn ½", "fin 1 2"),
        ];
        for (text, folded) in cases {
            assert_eq!(fold(text), folded, "{text}");
            assert_eq!(fold(&fold(text)), folded, "{text}: folding again changes nothing");
        }
    }

    #[test]
    fn every_word_of_a_search_begins_some_word() {
        let found = |search: &str, texts: &[&str]| {
            let search = Search::of(search);
            let mut found = Found::default();
            texts.iter().for_each(|text| search.look(&fold(text), &mut found));
            search.is_met(found)
        };
        let texts = ["FA-2026-00012", "Électricité du Rhône", "PO 77"];
        for met in ["", "elec", "rhone 77", "fa-2026", "ELECTRICITE", "77 00012 du", " é "] {
            assert!(found(met, &texts), "{met}");
        }
        for missed in ["lectricite", "rhone 78", "0012", "elec eau"] {
            assert!(!found(missed, &texts), "{missed}");
        }
        assert!(found(&"r ".repeat(500), &texts), "a long search has an end");
    }

    #[test]
    fn words_of_a_content_are_kept_once() {
        let content = InvoiceContent {
            purchase_order: "PO-1".into(),
            text: "Pose de 1 câble".into(),
            metadata: vec![("key".into(), "câblé PO".into())],
            ..InvoiceContent::default()
        };
        assert_eq!(words_of(&content, ["RF1"].into_iter()), "1 cable de po pose rf1");
        assert_eq!(words_of(&InvoiceContent::default(), std::iter::empty()), "");
    }
}
