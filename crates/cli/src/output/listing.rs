//! A listing: columns, rows, totals; printed as a table, as CSV or as JSON.

use std::borrow::Cow;
use std::io::{self, StdoutLock, Write};

use encours_domain::Money;
use encours_proto::v1;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::table::{Paint, line_width, render_within};
use super::{Format, Language, OutputArgs};
use crate::failure::Outcome;

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Nothing.
    Empty,
    /// A text.
    Text(String),
    /// A whole number.
    Count(u64),
    /// An amount: without its currency in tables and CSV, which have a column for it.
    Money(Money),
    /// A day.
    Date(v1::Date),
    /// A word of the protocol.
    Word(String),
    /// A status, coloured by what it means.
    Status(String),
    /// A phrase of the dictionary, `{}` standing for the values.
    Phrase(&'static str, Vec<Self>),
    /// A status under a label of its own.
    Labelled(String, String),
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn word(word: impl Into<String>) -> Self {
        Self::Word(word.into())
    }

    pub(crate) fn phrase(phrase: &'static str, values: impl Into<Vec<Self>>) -> Self {
        Self::Phrase(phrase, values.into())
    }

    /// As programs read it.
    pub(crate) fn plain(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) | Self::Word(text) | Self::Status(text) | Self::Labelled(text, _) => {
                text.clone()
            }
            Self::Count(count) => count.to_string(),
            Self::Money(money) => money.number(),
            Self::Date(date) => Language::En.day(*date),
            Self::Phrase(phrase, values) => {
                Language::En.phrase(phrase, &values.iter().map(Self::plain).collect::<Vec<_>>())
            }
        }
    }

    /// As people read it.
    pub(crate) fn shown(&self, lang: Language) -> String {
        // WHY: a control character in a name must not move the cursor of whoever lists it.
        let visible = |text: &str| -> String {
            text.chars().map(|c| if c.is_control() { '·' } else { c }).collect()
        };
        match self {
            Self::Money(money) => lang.number(&money.number()),
            Self::Count(count) => lang.number(&count.to_string()),
            Self::Date(date) => lang.day(*date),
            Self::Word(word) | Self::Status(word) | Self::Labelled(word, _) => {
                visible(&lang.word(word))
            }
            Self::Phrase(phrase, values) => {
                let values: Vec<_> = values.iter().map(|value| value.shown(lang)).collect();
                lang.phrase(phrase, &values)
            }
            Self::Text(_) | Self::Empty => visible(&self.plain()),
        }
    }

    pub(super) fn paint(&self) -> Paint {
        match self {
            Self::Status(status) | Self::Labelled(_, status) => match status.as_str() {
                "OVERDUE" | "REFUSED" | "FAILED" => Paint::Bad,
                "AWAITING_PAYMENT" | "PARTIALLY_PAID" | "WARNED" | "WARNING" | "not checked" => {
                    Paint::Warn
                }
                "PAID" | "UP_TO_DATE" | "OK" | "DONE" | "ALLOWED" => Paint::Good,
                "IN_CREDIT" | "PAYMENT_PLANNED" => Paint::Note,
                "DRAFT" | "CANCELLED" => Paint::Dim,
                _ => Paint::Plain,
            },
            Self::Money(money) if money.minor == 0 => Paint::Dim,
            _ => Paint::Plain,
        }
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Empty => serializer.serialize_none(),
            Self::Text(text) | Self::Word(text) | Self::Status(text) | Self::Labelled(text, _) => {
                serializer.serialize_str(text)
            }
            Self::Date(_) | Self::Phrase(..) => serializer.serialize_str(&self.plain()),
            Self::Count(count) => serializer.serialize_u64(*count),
            Self::Money(money) => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("amount", &money.number())?;
                map.serialize_entry("currency", money.currency.code())?;
                map.end()
            }
        }
    }
}

/// A column: its name for programs, which is also its title.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    /// The name, as in the CSV header.
    pub(crate) name: &'static str,
    /// Whether values stand at the right: numbers do.
    pub(crate) right: bool,
    /// When a table that would be too wide does without it: those of the lowest rank go first, 0
    /// stays.
    pub(crate) rank: u8,
    /// Whether it goes only where all rows say the same, which is then said once.
    pub(crate) if_same: bool,
}

impl Column {
    pub(crate) const fn left(name: &'static str) -> Self {
        Self { name, right: false, rank: 0, if_same: false }
    }

    pub(crate) const fn right(name: &'static str) -> Self {
        Self { name, right: true, rank: 0, if_same: false }
    }

    /// The same, left out of a table that would be too wide with it: the lowest rank, from 1, first,
    /// of equal ones the last.
    pub(crate) const fn spare(self, rank: u8) -> Self {
        Self { rank, ..self }
    }

    /// The same, left out only where all rows say the same.
    pub(crate) const fn spare_if_same(self, rank: u8) -> Self {
        Self { rank, if_same: true, ..self }
    }
}

/// What is printed.
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    /// The columns.
    pub(crate) columns: Cow<'static, [Column]>,
    /// What the JSON document calls the rows.
    pub(crate) name: &'static str,
    /// One value per column each.
    pub(crate) rows: Vec<Vec<Cell>>,
    /// Rows under a line.
    pub(crate) totals: Vec<Vec<Cell>>,
    /// Single values beside the rows: lines under a table, members of a JSON document.
    pub(crate) facts: Vec<(&'static str, Cell)>,
    /// Whether a table shows the single values before the rows.
    pub(crate) facts_first: bool,
}

/// Prints a listing row by row: CSV as the rows come, the others at the end.
pub(crate) struct Printer {
    how: OutputArgs,
    listing: Listing,
    csv: Option<csv::Writer<io::BufWriter<StdoutLock<'static>>>>,
}

impl Printer {
    /// Starts to print.
    pub(crate) fn start(
        how: OutputArgs,
        name: &'static str,
        columns: &'static [Column],
    ) -> Outcome<Self> {
        let listing = Listing {
            columns: Cow::Borrowed(columns),
            name,
            rows: Vec::new(),
            totals: Vec::new(),
            facts: Vec::new(),
            facts_first: false,
        };
        let csv = (how.format == Format::Csv).then(|| {
            csv::WriterBuilder::new().from_writer(io::BufWriter::new(io::stdout().lock()))
        });
        let mut printer = Self { how, listing, csv };
        if let Some(csv) = &mut printer.csv {
            csv.write_record(columns.iter().map(|column| column.name))?;
        }
        Ok(printer)
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, row: Vec<Cell>) -> Outcome {
        match &mut self.csv {
            Some(csv) => csv.write_record(row.iter().map(Cell::plain))?,
            None => self.listing.rows.push(row),
        }
        Ok(())
    }

    /// Adds a row under a line: in CSV the last ones.
    pub(crate) fn total(&mut self, row: Vec<Cell>) -> Outcome {
        match &mut self.csv {
            Some(csv) => csv.write_record(row.iter().map(Cell::plain))?,
            None => self.listing.totals.push(row),
        }
        Ok(())
    }

    /// Adds a single value; CSV has no place for it.
    pub(crate) fn fact(&mut self, name: &'static str, value: Cell) {
        self.listing.facts.push((name, value));
    }

    /// Adds a row as single values; empty ones are left out.
    pub(crate) fn facts(&mut self, columns: &[Column], row: Vec<Cell>) {
        let named = columns.iter().map(|column| column.name).zip(row);
        self.listing.facts.extend(named.filter(|(_, cell)| !cell.plain().is_empty()));
    }

    /// Shows the single values of a table before its rows.
    pub(crate) const fn facts_first(&mut self) {
        self.listing.facts_first = true;
    }

    /// Prints what is left to print.
    pub(crate) fn finish(self) -> Outcome {
        if let Some(mut csv) = self.csv {
            csv.flush()?;
            return Ok(());
        }
        if self.how.format == Format::Json {
            let mut out = io::BufWriter::new(io::stdout().lock());
            serde_json::to_writer_pretty(&mut out, &Document(&self.listing))?;
            writeln!(out)?;
            out.flush()?;
            return Ok(());
        }
        print_text(&render_within(&self.listing, line_width(), self.how.lang))
    }
}

/// Prints a text; colours are taken out where standard output is no terminal.
pub(crate) fn print_text(text: &str) -> Outcome {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// A listing as one JSON document.
struct Document<'a>(&'a Listing);
struct Rows<'a>(&'a [Column], &'a [Vec<Cell>]);
struct Object<'a>(&'a [Column], &'a [Cell]);

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Listing { columns, name, rows, totals, facts, .. } = self.0;
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in facts {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry(name, &Rows(columns, rows))?;
        if !totals.is_empty() {
            map.serialize_entry("totals", &Rows(columns, totals))?;
        }
        map.end()
    }
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.1.iter().map(|row| Object(self.0, row)))
    }
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|column| column.name).zip(self.1))
    }
}

#[cfg(test)]
mod tests {
    use encours_domain::Currency;

    use super::*;

    fn money(minor: i64) -> Cell {
        Cell::Money(Money::new(minor, Currency::parse("currency", "USD").unwrap()))
    }

    #[test]
    fn people_read_their_language_and_programs_always_the_same() {
        let due = Cell::phrase("due {}", [Cell::Date(v1::Date { year: 2026, month: 1, day: 31 })]);
        for (cell, plain, en, fr) in [
            (money(14_770_318), "147703.18", "147,703.18", "147\u{202f}703,18"),
            (Cell::Count(1_000), "1000", "1,000", "1\u{202f}000"),
            (Cell::Status("NOT_DUE".to_owned()), "NOT_DUE", "not due", "non échue"),
            (Cell::word("yes"), "yes", "yes", "oui"),
            (due, "due 2026-01-31", "due 2026-01-31", "échéance 31/01/2026"),
        ] {
            assert_eq!(cell.plain(), plain);
            assert_eq!(serde_json::to_value(&cell).unwrap().as_str().unwrap_or(plain), plain);
            assert_eq!(cell.shown(Language::En), en);
            assert_eq!(cell.shown(Language::Fr), fr);
        }
    }

    #[test]
    fn a_document_holds_facts_then_rows_with_amounts_as_texts() {
        let listing = Listing {
            columns: vec![Column::left("id"), Column::right("open")].into(),
            name: "invoices",
            rows: vec![vec![Cell::text("F1"), money(1_230)]],
            totals: vec![],
            facts: vec![("position", Cell::Count(7))],
            facts_first: false,
        };
        assert_eq!(
            serde_json::to_string(&Document(&listing)).unwrap(),
            r#"{"position":7,"invoices":[{"id":"F1","open":{"amount":"12.30","currency":"USD"}}]}"#
        );
    }

    #[test]
    fn control_characters_of_a_name_are_not_shown() {
        assert_eq!(Cell::text("a\u{1b}[31mb").shown(Language::En), "a·[31mb");
    }
}
