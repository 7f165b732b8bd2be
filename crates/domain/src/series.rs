//! Number series: patterns such as `FA-{year}-{seq:5}` and what they allot.

use std::fmt::Write;
use std::sync::Arc;

use crate::limits::MAX_NUMBER_CHARS;
use crate::position::Day;
use crate::refusal::{Reason, Refusal};
use crate::state::Series;

/// The pattern of invoice numbers where a ledger names none.
pub const DEFAULT_INVOICE_PATTERN: &str = "INV-{year}-{seq:5}";
/// The pattern of credit-note numbers where a ledger names none.
pub const DEFAULT_CREDIT_NOTE_PATTERN: &str = "CN-{year}-{seq:5}";

/// A parsed pattern: text with one `{seq}` or `{seq:N}` (at least N digits, 1 to 12) and at most
/// one `{year}`, which starts the sequence anew every year.
///
/// ```
/// use encours_domain::series::Pattern;
/// let pattern = Pattern::parse("invoice_number_pattern", "FA-{year}-{seq:5}").unwrap();
/// assert_eq!(pattern.number(2026, 42), "FA-2026-00042");
/// assert!(pattern.could_allot("FA-2031-123456") && !pattern.could_allot("FA-1"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern<'a> {
    parts: Vec<Part<'a>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part<'a> {
    Text(&'a str),
    Year,
    Sequence(usize),
}

impl<'a> Pattern<'a> {
    /// Reads a pattern.
    ///
    /// # Errors
    /// `INVALID_PATTERN`, naming `field`.
    pub fn parse(field: &str, text: &'a str) -> Result<Self, Refusal> {
        let wrong = |why: &str| {
            Refusal::new(Reason::InvalidPattern, field, format!("{field} {text:?}: {why}"))
        };
        let mut parts = Vec::with_capacity(4);
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            push_text(&mut parts, &rest[..open]);
            let close = rest[open..].find('}').ok_or_else(|| wrong("a brace is not closed"))?;
            parts.push(match &rest[open + 1..open + close] {
                "year" => Part::Year,
                "seq" => Part::Sequence(1),
                other => other
                    .strip_prefix("seq:")
                    .and_then(|digits| digits.parse().ok())
                    .filter(|digits| (1..=12).contains(digits))
                    .map(Part::Sequence)
                    .ok_or_else(|| wrong("braces may hold year, seq or seq:1 to seq:12"))?,
            });
            rest = &rest[open + close + 1..];
        }
        push_text(&mut parts, rest);
        let count =
            |wanted: fn(&Part<'_>) -> bool| parts.iter().filter(|part| wanted(part)).count();
        if count(|part| matches!(part, Part::Sequence(_))) != 1 {
            return Err(wrong("it needs {seq} once"));
        }
        if count(|part| matches!(part, Part::Year)) > 1 {
            return Err(wrong("it may have {year} once"));
        }
        let adjacent = |pair: &[Part<'_>]| {
            !matches!(pair[0], Part::Text(_)) && !matches!(pair[1], Part::Text(_))
        };
        if parts.windows(2).any(adjacent) {
            return Err(wrong("year and sequence need a text between them"));
        }
        // WHY: else a number that the series allots could be read in two ways, and be given before.
        let runs_on = |pair: &[Part<'_>]| {
            matches!(pair, [Part::Sequence(_), Part::Text(text)]
                if text.starts_with(|c: char| c.is_ascii_digit()))
        };
        if parts.windows(2).any(runs_on) {
            return Err(wrong("the text after {seq} must not begin with a digit"));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-:/.".contains(c);
        let texts = parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(*text),
            Part::Year | Part::Sequence(_) => None,
        });
        if !texts.clone().all(|text| text.chars().all(allowed)) {
            return Err(wrong("its text may hold A-Z a-z 0-9 _ - : / . only"));
        }
        // 20 digits are the longest sequence number.
        if texts.map(str::len).sum::<usize>() + 24 > MAX_NUMBER_CHARS {
            return Err(wrong("its text is longer than 40 characters"));
        }
        Ok(Self { parts })
    }

    /// The number with this year and sequence number.
    #[must_use]
    pub fn number(&self, year: i32, sequence: u64) -> String {
        let mut number = String::with_capacity(MAX_NUMBER_CHARS);
        for part in &self.parts {
            // WHY: writing to a String cannot fail.
            let _ = match part {
                Part::Text(text) => number.write_str(text),
                Part::Year => write!(number, "{year:04}"),
                Part::Sequence(digits) => write!(number, "{sequence:0digits$}"),
            };
        }
        number
    }

    /// Whether the sequence starts anew every year.
    #[must_use]
    pub fn is_yearly(&self) -> bool {
        self.parts.contains(&Part::Year)
    }

    /// Whether a number has the form that this pattern allots, in any year.
    #[must_use]
    pub fn could_allot(&self, number: &str) -> bool {
        self.read(number).is_some()
    }

    /// The year of a number that this pattern could have allotted; `None` where it could not, or
    /// says no year.
    #[must_use]
    pub fn year_of(&self, number: &str) -> Option<i32> {
        self.read(number).flatten()
    }

    /// What a number of this form says of the year; `None` for a number of another form.
    fn read(&self, number: &str) -> Option<Option<i32>> {
        let mut rest = number;
        let mut year = None;
        for part in &self.parts {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let taken = match part {
                Part::Text(text) if rest.starts_with(text) => text.len(),
                Part::Year if digits >= 4 => {
                    year = rest.get(..4)?.parse().ok();
                    4
                }
                Part::Sequence(least) if digits >= *least => digits,
                _ => return None,
            };
            rest = &rest[taken..];
        }
        rest.is_empty().then_some(year)
    }
}

fn push_text<'a>(parts: &mut Vec<Part<'a>>, text: &'a str) {
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
}

impl Series {
    /// A series that has allotted nothing yet.
    #[must_use]
    pub const fn new(pattern: Arc<str>) -> Self {
        Self { pattern, year: 0, next: 1, last_date: None }
    }

    /// The number that the series allots to a document issued on `date`.
    ///
    /// # Errors
    /// `ISSUE_DATE_ORDER` where the date lies before the series' last, or after `today`.
    pub fn allot(&self, date: Day, today: Day) -> Result<Arc<str>, Refusal> {
        let order = |message: String| Refusal::new(Reason::IssueDateOrder, "issue_date", message);
        if let Some(last) = self.last_date.filter(|last| date < *last) {
            return Err(order(format!(
                "the issue date {date} lies before {last}, up to where the series has come"
            ))
            .with("issue_date", date)
            .with("last_date", last));
        }
        if date > today {
            return Err(order(format!(
                "the issue date {date} lies after today, {today}: the series allots no number"
            ))
            .with("issue_date", date)
            .with("today", today));
        }
        let pattern = Pattern::parse("pattern", &self.pattern)?;
        let anew = pattern.is_yearly() && date.year() != self.year;
        Ok(pattern.number(date.year(), if anew { 1 } else { self.next }).into())
    }

    /// Notes that a number was allotted to a document issued on `date`.
    pub fn advance(&mut self, date: Day) {
        // INVARIANT: the pattern was read when the ledger was created, and braces stand in it for this
        // and the sequence only.
        let yearly = self.pattern.contains("{year}");
        if yearly && date.year() != self.year {
            self.next = 1;
        }
        self.year = date.year();
        self.next += 1;
        self.last_date = Some(date);
    }

    /// Notes that a document from before the ledger has a number of this series' form: from here on
    /// the series allots none in that year or before.
    pub fn pass(&mut self, number: &str) {
        let pattern = Pattern::parse("pattern", &self.pattern).ok();
        let year = pattern.and_then(|pattern| pattern.year_of(number));
        let next = year.and_then(|year| Day::from_ymd(year + 1, 1, 1));
        self.last_date = self.last_date.max(next);
    }
}

/// Checks a number that the caller gives: its form, and that no series could allot it.
///
/// # Errors
/// `INVALID_TEXT`, `TOO_LARGE` or `NUMBER_RESERVED`.
pub fn check_given(number: &str, series: &Series) -> Result<Arc<str>, Refusal> {
    check_form(number)?;
    if Pattern::parse("pattern", &series.pattern)?.could_allot(number) {
        return Err(reserved(number, series, ""));
    }
    Ok(number.into())
}

/// Checks the number of a document from before the ledger. It may have the form of the series, as
/// when the same numbering goes on in another program, where it is of a year before `today`'s:
/// [`Series::pass`] then closes that year.
///
/// # Errors
/// `INVALID_TEXT`, `TOO_LARGE` or `NUMBER_RESERVED`.
pub fn check_old(number: &str, series: &Series, today: Day) -> Result<Arc<str>, Refusal> {
    check_form(number)?;
    let pattern = Pattern::parse("pattern", &series.pattern)?;
    let is_past = pattern.year_of(number).is_some_and(|year| year < today.year());
    if pattern.could_allot(number) && !is_past {
        return Err(reserved(number, series, " from this year on"));
    }
    Ok(number.into())
}

fn check_form(number: &str) -> Result<(), Refusal> {
    let length = number.chars().count();
    if length > MAX_NUMBER_CHARS {
        return Err(Refusal::new(
            Reason::TooLarge,
            "number",
            format!("the number has {length} characters, at most {MAX_NUMBER_CHARS} are allowed"),
        ));
    }
    if number.trim() != number || number.is_empty() || number.chars().any(char::is_control) {
        return Err(Refusal::new(
            Reason::InvalidText,
            "number",
            format!("the number {number:?} is empty, has spaces around it or control characters"),
        ));
    }
    Ok(())
}

fn reserved(number: &str, series: &Series, when: &str) -> Refusal {
    let pattern = &series.pattern;
    Refusal::new(
        Reason::NumberReserved,
        "number",
        format!(
            "the number {number} has the form {pattern} that the ledger's own series allots{when}"
        ),
    )
    .with("pattern", pattern)
}
