//! Rows of a file as invoices: every field read and checked, and what is wrong with file, line and
//! field. A row is good as a whole or left out as a whole.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use chrono::format::{Item, StrftimeItems};
use encours_domain::limits::MAX_NUMBER_CHARS;
use encours_domain::{Currency, Day, Id, Money, reference, text};

use super::columns::{Columns, Key};
use super::raw::{Followed, Place, clip, clip_message};
use crate::failure::{Exit, Failure, Outcome};

/// The most rows of a file: what comes together in memory stays under a gigabyte.
const ROWS_MAX: usize = 2_000_000;

/// A row: an invoice and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) customer_id: Id,
    pub(crate) customer_name: String,
    pub(crate) invoice_id: Id,
    pub(crate) number: String,
    pub(crate) reference: String,
    pub(crate) issue_date: Day,
    pub(crate) due_date: Option<Day>,
    pub(crate) total: Money,
    pub(crate) disputed: bool,
    pub(crate) paid_on: Option<Day>,
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) file: PathBuf,
    pub(crate) line: u64,
    pub(crate) field: String,
    pub(crate) message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, field, message } = self;
        write!(f, "{}:{line}: {field}: {}", file.display(), clip_message(message))
    }
}

/// How the file writes things.
#[derive(Clone, Debug)]
pub(crate) struct Conventions {
    pub(crate) currency: Currency,
    pub(crate) date_format: String,
    pub(crate) delimiter: u8,
    pub(crate) columns: String,
}

/// What a file holds.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Good rows with their lines, in the order of the file.
    pub(crate) rows: Vec<(u64, Row)>,
    /// What is wrong with the others.
    pub(crate) problems: Vec<Problem>,
    /// How many rows the file has, good or not.
    pub(crate) total: usize,
}

/// Checks that a date format is one.
pub(crate) fn check_date_format(format: &str) -> Result<String, String> {
    let wrong = StrftimeItems::new(format).any(|item| matches!(item, Item::Error));
    if wrong || !format.contains('%') {
        return Err("a date format looks like %Y-%m-%d or %m/%d/%Y".into());
    }
    Ok(format.to_owned())
}

/// Reads a file. Wrong rows are told in [`Contents::problems`].
///
/// # Errors
/// A [`Failure`] where the file cannot be read, is not in UTF-8, has a quote that is never closed, no
/// header or not the columns asked for.
pub(crate) fn read(path: &Path, input: impl Read, how: &Conventions) -> Outcome<Contents> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(how.delimiter)
        .flexible(true)
        .has_headers(true)
        .from_reader(Followed::new(input, how.delimiter));
    let unreadable =
        |error: &csv::Error| Failure::new(Exit::Failure, format!("{}: {error}", path.display()));
    let header = reader.byte_headers().map_err(|error| unreadable(&error))?.clone();
    if reader.get_ref().is_utf16() {
        let message = format!("{}:1: the file is in UTF-16, not in UTF-8", path.display());
        return Err(Failure::usage(message).hint("save it as UTF-8"));
    }
    let header = header_names(path, &header)?;
    let columns = Columns::find(path, &how.columns, &header, how.delimiter)?;
    let mut rows = Rows::new(path);
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|error| unreadable(&error))? {
        rows.contents.total += 1;
        let line = record.position().map_or(0, csv::Position::line);
        let parser = Parser { how, columns: &columns };
        let text = csv::StringRecord::from_byte_record(record.clone())
            .map_err(|error| not_utf8(path, line, &columns.name(error.utf8_error().field())))?;
        match parser.row(&text) {
            Err(wrong) => rows.problem(line, wrong),
            Ok(row) => rows.add(line, row),
        }
        if rows.contents.total > ROWS_MAX {
            let message = format!("{}: more than {ROWS_MAX} rows", path.display());
            return Err(Failure::usage(message).hint("split the file by date"));
        }
    }
    if let Some(Place { line, field }) = reader.get_ref().open_quote() {
        let name = columns.name(field - 1);
        let message =
            format!("{}:{line}: {name}: the quote that opens here is never closed", path.display());
        return Err(Failure::usage(message).hint("close it, or write \"\" for a quote in a field"));
    }
    Ok(rows.contents)
}

/// The names of the columns.
fn header_names(path: &Path, header: &csv::ByteRecord) -> Outcome<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for (at, name) in header.iter().enumerate() {
        let name = str::from_utf8(name)
            .map_err(|_| not_utf8(path, 1, &format!("column {}", at + 1)))?
            .trim_start_matches('\u{feff}')
            .trim();
        if let Some(first) = names.iter().position(|other| other == name && !name.is_empty()) {
            let message = format!(
                "{}:1: {:?} is the name of columns {} and {}",
                path.display(),
                clip(name),
                first + 1,
                at + 1
            );
            return Err(Failure::usage(message).hint("give every column a name of its own"));
        }
        names.push(name.to_owned());
    }
    if names.iter().all(String::is_empty) {
        return Err(Failure::usage(format!("{}: the file has no header line", path.display())));
    }
    Ok(names)
}

fn not_utf8(path: &Path, line: u64, field: &str) -> Failure {
    let message =
        format!("{}:{line}: {}: has bytes that are not UTF-8", path.display(), clip(field));
    Failure::usage(message).hint(
        "the file looks like Latin-1 or Windows-1252; as in `iconv -f WINDOWS-1252 -t UTF-8`, save \
         it as UTF-8",
    )
}

/// Rows as they come, held against those before.
struct Rows<'a> {
    path: &'a Path,
    contents: Contents,
    seen: BTreeMap<Id, usize>,
    numbers: BTreeMap<String, u64>,
}

impl<'a> Rows<'a> {
    fn new(path: &'a Path) -> Self {
        let (seen, numbers) = (BTreeMap::new(), BTreeMap::new());
        Self { path, contents: Contents::default(), seen, numbers }
    }

    fn problem(&mut self, line: u64, (field, message): Wrong<'_>) {
        let (file, field) = (self.path.to_owned(), field.to_owned());
        self.contents.problems.push(Problem { file, line, field, message });
    }

    fn add(&mut self, line: u64, row: Row) {
        if let Some(earlier) = self.seen.get(&row.invoice_id) {
            let (first, other) = &self.contents.rows[*earlier];
            // A row that says the same again adds nothing.
            if *other != row {
                let wrong = differs(*first, other, &row);
                self.problem(line, wrong);
            }
            return;
        }
        if let Some(first) = self.numbers.get(&row.number) {
            let message = format!("{} stands on line {first} too", row.number);
            return self.problem(line, (Key::Number.name(), message));
        }
        self.numbers.insert(row.number.clone(), line);
        self.seen.insert(row.invoice_id.clone(), self.contents.rows.len());
        self.contents.rows.push((line, row));
    }
}

/// What an id that was used before with other content differs in.
fn differs(first: u64, other: &Row, row: &Row) -> (&'static str, String) {
    let shown = |day: Option<Day>| day.map_or("none".to_owned(), |day| day.to_string());
    let fields: [(&str, String, String); 7] = [
        ("customer_id", other.customer_id.to_string(), row.customer_id.to_string()),
        ("total", other.total.to_string(), row.total.to_string()),
        ("issue_date", other.issue_date.to_string(), row.issue_date.to_string()),
        ("due_date", shown(other.due_date), shown(row.due_date)),
        ("paid_on", shown(other.paid_on), shown(row.paid_on)),
        ("disputed", other.disputed.to_string(), row.disputed.to_string()),
        ("number", other.number.clone(), row.number.clone()),
    ];
    let difference = fields.into_iter().find(|(_, before, now)| before != now).map_or_else(
        || "another content".to_owned(),
        |(name, before, now)| format!("{name} {before}, here {now}"),
    );
    let id = &row.invoice_id;
    ("invoice_id", format!("{id} stands on line {first} with {difference}"))
}

/// Reads the fields of a row; what is wrong is the key and a message with the figures.
struct Parser<'a> {
    how: &'a Conventions,
    columns: &'a Columns,
}

type Wrong<'a> = (&'a str, String);

impl<'a> Parser<'a> {
    fn row(&self, record: &csv::StringRecord) -> Result<Row, Wrong<'a>> {
        if record.len() != self.columns.len() {
            let (found, wanted) = (record.len(), self.columns.len());
            return Err(("row", format!("has {found} fields, the header has {wanted}")));
        }
        let currency = match self.given(Key::Currency, record) {
            Some(code) => Currency::parse(self.columns.title(Key::Currency), code)
                .map_err(|refusal| (Key::Currency.name(), refusal.message))?,
            None => self.how.currency,
        };
        let customer_id = self.id(Key::CustomerId, record)?;
        let invoice_id = self.id(Key::InvoiceId, record)?;
        let issue_date = self.day(Key::IssueDate, self.needed(Key::IssueDate, record)?)?;
        let due_date = match self.columns.value(Key::DueDate, record) {
            None => None,
            Some(_) => Some(self.day(Key::DueDate, self.needed(Key::DueDate, record)?)?),
        };
        if let Some(due) = due_date.filter(|due| *due < issue_date) {
            let message = format!("{due} lies before the issue date {issue_date}");
            return Err((Key::DueDate.name(), message));
        }
        let paid_on = match self.given(Key::PaidOn, record) {
            Some(text) => Some(self.day(Key::PaidOn, text)?),
            None => None,
        };
        let own = |key: Key| match self.given(key, record) {
            None => Ok(None),
            Some(text) => text::check(key.name(), text)
                .map(|()| Some(text.to_owned()))
                .map_err(|refusal| (key.name(), refusal.message)),
        };
        let given = own(Key::Reference)?.unwrap_or_default();
        if !given.is_empty() {
            reference::check(&given).map_err(|no| (Key::Reference.name(), no.message))?;
        }
        let number = own(Key::Number)?.unwrap_or_else(|| invoice_id.to_string());
        let length = number.chars().count();
        if length > MAX_NUMBER_CHARS {
            let message =
                format!("has {length} characters, at most {MAX_NUMBER_CHARS} are allowed");
            return Err((Key::Number.name(), message));
        }
        Ok(Row {
            customer_name: own(Key::CustomerName)?.unwrap_or_else(|| customer_id.to_string()),
            number,
            reference: given,
            total: self.total(record, currency)?,
            disputed: self.disputed(record)?,
            customer_id,
            invoice_id,
            issue_date,
            due_date,
            paid_on,
        })
    }

    /// The value of a key, where it has a column and is not empty.
    fn given<'r>(&self, key: Key, record: &'r csv::StringRecord) -> Option<&'r str> {
        self.columns.value(key, record).filter(|text| !text.is_empty())
    }

    fn needed<'r>(
        &self,
        key: Key,
        record: &'r csv::StringRecord,
    ) -> Result<&'r str, Wrong<'static>> {
        self.given(key, record)
            .ok_or_else(|| (key.name(), format!("{} is empty", self.columns.title(key))))
    }

    fn id(&self, key: Key, record: &csv::StringRecord) -> Result<Id, Wrong<'static>> {
        let text = self.needed(key, record)?;
        Id::parse(key.name(), text)
            .map_err(|refusal| (key.name(), format!("{:?}: {}", clip(text), refusal.message)))
    }

    fn day(&self, key: Key, text: &str) -> Result<Day, Wrong<'static>> {
        let format = &self.how.date_format;
        let title = self.columns.title(key);
        let date = NaiveDate::parse_from_str(text, format).map_err(|_| {
            (key.name(), format!("{title} is {:?}, no date as {format}", clip(text)))
        })?;
        Day::from_date(date).ok_or_else(|| {
            let message = format!("{title} is {date}, outside {} to {}", Day::MIN, Day::MAX);
            (key.name(), message)
        })
    }

    fn total(
        &self,
        record: &csv::StringRecord,
        currency: Currency,
    ) -> Result<Money, Wrong<'static>> {
        let name = Key::Total.name();
        let title = self.columns.title(Key::Total);
        let text = self.needed(Key::Total, record)?;
        let total =
            Money::parse(title, text, currency).map_err(|refusal| (name, refusal.message))?;
        if total.minor < 0 {
            return Err((name, format!("{title} is {total}, it must be 0 or more")));
        }
        Ok(total)
    }

    fn disputed(&self, record: &csv::StringRecord) -> Result<bool, Wrong<'static>> {
        let text = self.columns.value(Key::Disputed, record).unwrap_or_default();
        match text.to_lowercase().as_str() {
            "yes" | "y" | "true" | "1" | "oui" => Ok(true),
            "" | "no" | "n" | "false" | "0" | "non" => Ok(false),
            _ => {
                let title = self.columns.title(Key::Disputed);
                let text = clip(text);
                let message = format!("{title} is {text:?}, expected Yes or No, true or false");
                Err((Key::Disputed.name(), message))
            }
        }
    }
}

// WHY: the fuzz targets take this file in by its path, and formatting follows it from there.
#[cfg(test)]
#[path = "rows/tests.rs"]
mod tests;
