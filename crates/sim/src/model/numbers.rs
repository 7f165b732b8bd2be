//! Document numbers and creditor references, the slow way.

use encours_domain::Day;

/// The next number of a series whose earlier ones bear these dates.
pub(super) fn next(pattern: &str, date: Day, earlier: impl Iterator<Item = Day>) -> String {
    let by_year = pattern.contains("{year}");
    let before = earlier.filter(|day| !by_year || day.year() == date.year()).count();
    fill(pattern, date.year(), before + 1)
}

/// A number of a pattern.
pub(super) fn fill(pattern: &str, year: i32, sequence: usize) -> String {
    let text = pattern.replace("{year}", &format!("{year:04}"));
    match parts(&text) {
        Some((head, width, tail)) => format!("{head}{sequence:0width$}{tail}"),
        None => text,
    }
}

/// What stands before and after `{seq}` or `{seq:n}`, and how many digits it has at least.
fn parts(pattern: &str) -> Option<(&str, usize, &str)> {
    let (head, rest) = pattern.split_once("{seq")?;
    let (inside, tail) = rest.split_once('}')?;
    let width = inside.strip_prefix(':').map_or(Some(1), |digits| digits.parse().ok())?;
    Some((head, width, tail))
}

/// Whether the series itself could allot this number.
pub(super) fn has_form(pattern: &str, number: &str) -> bool {
    years(pattern, number).next().is_some()
}

/// The year of a number of a series that says it.
pub(super) fn year(pattern: &str, number: &str) -> Option<i32> {
    years(pattern, number).next().filter(|_| pattern.contains("{year}"))
}

/// The years in which the series could allot this number: tried out for all of them.
fn years(pattern: &str, number: &str) -> impl Iterator<Item = i32> {
    (1_900..2_200).filter(move |year| {
        let text = pattern.replace("{year}", &format!("{year:04}"));
        parts(&text).is_some_and(|(head, width, tail)| {
            let inside = number.strip_prefix(head).and_then(|rest| rest.strip_suffix(tail));
            inside.is_some_and(|digits| {
                digits.parse().is_ok_and(|n: usize| n > 0 && format!("{n:0width$}") == digits)
            })
        })
    })
}

/// What the number and letters of a text are modulo 97, letters counting from 10.
fn mod_97(text: &str) -> u32 {
    text.chars().filter_map(|c| c.to_digit(36)).fold(0, |rest, digit| {
        let shift = if digit > 9 { 100 } else { 10 };
        (rest * shift + digit) % 97
    })
}

/// The ISO 11649 reference made of a document number.
pub(crate) fn reference(number: &str) -> String {
    let letters: Vec<char> = number.chars().filter(char::is_ascii_alphanumeric).collect();
    // The longest body has 21 characters: the last ones stand.
    let last = letters.iter().skip(letters.len().saturating_sub(21));
    let body = last.collect::<String>().to_ascii_uppercase();
    let check = 98 - mod_97(&format!("{body}RF00"));
    format!("RF{check:02}{body}")
}

/// A given ISO 11649 reference without its spaces; `None` where its check digits are wrong.
pub(super) fn given_reference(text: &str) -> Option<String> {
    let compact: String = text.chars().filter(|c| *c != ' ').collect();
    let (head, body) = compact.split_at_checked(4)?;
    (mod_97(&format!("{body}{head}")) == 1).then(|| compact.clone())
}

/// Whether braces hold nothing but `year`, `seq` and `seq:n`, and a sequence number once.
pub(super) fn is_pattern(text: &str) -> bool {
    let inside = text.split('{').skip(1).map(|rest| rest.split_once('}').map(|(inside, _)| inside));
    let mut sequences = 0;
    for part in inside {
        match part {
            Some("year") => {}
            Some("seq") => sequences += 1,
            Some(other) if other.strip_prefix("seq:").is_some_and(|n| n.parse::<u8>().is_ok()) => {
                sequences += 1;
            }
            _ => return false,
        }
    }
    sequences == 1
}
