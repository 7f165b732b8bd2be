//! Which column of a file holds what: `--columns key=column,...` against the file's header.

use std::path::Path;

use super::raw::{clip, clip_message};
use crate::failure::{Failure, Outcome};

/// What a column can hold. The names are those of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    CustomerId,
    InvoiceId,
    IssueDate,
    DueDate,
    Total,
    Disputed,
    PaidOn,
    CustomerName,
    Currency,
    Number,
    Reference,
}

impl Key {
    const ALL: [Self; 11] = [
        Self::CustomerId,
        Self::InvoiceId,
        Self::IssueDate,
        Self::DueDate,
        Self::Total,
        Self::Disputed,
        Self::PaidOn,
        Self::CustomerName,
        Self::Currency,
        Self::Number,
        Self::Reference,
    ];

    const REQUIRED: [Self; 4] = [Self::CustomerId, Self::InvoiceId, Self::IssueDate, Self::Total];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::CustomerId => "customer_id",
            Self::InvoiceId => "invoice_id",
            Self::IssueDate => "issue_date",
            Self::DueDate => "due_date",
            Self::Total => "total",
            Self::Disputed => "disputed",
            Self::PaidOn => "paid_on",
            Self::CustomerName => "customer_name",
            Self::Currency => "currency",
            Self::Number => "number",
            Self::Reference => "reference",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }
}

/// Where each key stands in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Columns {
    header: Vec<String>,
    at: Vec<(Key, usize)>,
}

impl Columns {
    /// Reads a mapping such as `customer_id=customerID,total=InvoiceAmount` and finds its columns
    /// in the header. A key that is not named stands in the column of its own name, if there is
    /// one.
    ///
    /// # Errors
    /// A usage [`Failure`] for an unknown key or column, a key given twice, a required key without
    /// a column, a header that another delimiter takes apart.
    pub(crate) fn find(
        path: &Path,
        mapping: &str,
        header: &[String],
        delimiter: u8,
    ) -> Outcome<Self> {
        if let [name] = header
            && let Some(other) = [';', ',', '\t', '|'].into_iter().find(|c| name.contains(*c))
            && other != char::from(delimiter)
        {
            let message = format!(
                "{}:1: the header is one column, {:?}: {other:?} seems to stand between fields",
                path.display(),
                clip(name)
            );
            let flag = if other == '\t' { "tab".to_owned() } else { format!("'{other}'") };
            return Err(Failure::usage(message).hint(format!("give --delimiter {flag}")));
        }
        let names = || clip_message(&header.join(", "));
        let column = |name: &str| header.iter().position(|column| column == name);
        let mut at: Vec<(Key, usize)> = Vec::new();
        for pair in mapping.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, wanted) = pair.split_once('=').ok_or_else(|| {
                Failure::usage(format!("--columns: {pair:?} is not of the form key=column"))
            })?;
            let key = Key::parse(name.trim()).ok_or_else(|| {
                let known = Key::ALL.map(Key::name).join(", ");
                Failure::usage(format!("--columns: there is no key {name:?}"))
                    .hint(format!("the keys are {known}"))
            })?;
            let position = column(wanted.trim()).ok_or_else(|| {
                Failure::usage(format!(
                    "--columns: {name}: the file has no column {:?}",
                    clip(wanted)
                ))
                .hint(format!("its columns are {}", names()))
            })?;
            if at.iter().any(|(given, _)| *given == key) {
                return Err(Failure::usage(format!("--columns: {name} is given twice")));
            }
            at.push((key, position));
        }
        for key in Key::ALL {
            if let Some(position) = column(key.name())
                && !at.iter().any(|(given, _)| *given == key)
            {
                at.push((key, position));
            }
        }
        let columns = Self { header: header.to_vec(), at };
        for key in Key::REQUIRED {
            if !columns.has(key) {
                let name = key.name();
                let message = format!("--columns: {name} must be given, as {name}=COLUMN");
                return Err(Failure::usage(message)
                    .hint(format!("the columns of the file are {}", names())));
            }
        }
        Ok(columns)
    }

    fn has(&self, key: Key) -> bool {
        self.at.iter().any(|(given, _)| *given == key)
    }

    /// What the file calls its column at `at`, from 0; its number where that is beyond the header.
    pub(crate) fn name(&self, at: usize) -> String {
        let name = self.header.get(at).filter(|name| !name.is_empty());
        name.map_or_else(|| format!("column {}", at + 1), |name| clip(name))
    }

    /// How many columns the file has.
    pub(crate) fn len(&self) -> usize {
        self.header.len()
    }

    /// The trimmed value of a key; `None` where it has no column.
    pub(crate) fn value<'a>(&self, key: Key, record: &'a csv::StringRecord) -> Option<&'a str> {
        let (_, at) = self.at.iter().find(|(given, _)| *given == key)?;
        Some(record.get(*at).unwrap_or_default().trim())
    }

    /// What the file calls a key.
    pub(crate) fn title(&self, key: Key) -> &str {
        self.at
            .iter()
            .find(|(given, _)| *given == key)
            .map_or(key.name(), |(_, at)| self.header[*at].as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    const FILE: [&str; 5] = ["customerID", "nr", "InvoiceDate", "Amount", "due_date"];
    const MAPPING: &str = "customer_id=customerID,invoice_id=nr,issue_date=InvoiceDate";

    fn find(mapping: &str, header: &[String]) -> Outcome<Columns> {
        Columns::find(Path::new("f.csv"), mapping, header, b',')
    }

    #[test]
    fn another_delimiter_is_recognised() {
        let failure = find("", &header(&["client;nr;date"])).unwrap_err().to_string();
        assert_eq!(
            failure,
            "f.csv:1: the header is one column, \"client;nr;date\": ';' seems to stand between \
             fields\n  give --delimiter ';'"
        );
        let failure = find("", &header(&["client\tnr"])).unwrap_err().to_string();
        assert!(failure.ends_with("give --delimiter tab"), "{failure}");
    }

    #[test]
    fn keys_are_found_by_mapping_or_by_their_own_name() {
        let columns = find(&format!("{MAPPING},total=Amount"), &header(&FILE)).unwrap();
        let record = csv::StringRecord::from(vec!["c1", " F1 ", "x", "y", "z"]);
        assert_eq!(columns.value(Key::InvoiceId, &record), Some("F1"));
        assert_eq!(columns.value(Key::DueDate, &record), Some("z"));
        assert_eq!(columns.value(Key::PaidOn, &record), None);
        assert_eq!(columns.title(Key::Total), "Amount");
    }

    #[test]
    fn an_unknown_column_is_refused_with_those_there_are() {
        let failure = find(&format!("{MAPPING},total=Sum"), &header(&FILE)).unwrap_err();
        let text = failure.to_string();
        assert!(text.contains("total: the file has no column \"Sum\""), "{text}");
        assert!(text.contains("customerID, nr, InvoiceDate, Amount, due_date"), "{text}");
    }

    #[test]
    fn keys_must_be_known_given_once_and_complete() {
        let message = |mapping: &str| find(mapping, &header(&FILE)).unwrap_err().to_string();
        assert!(message("client=nr").contains("no key \"client\""));
        assert!(message("total=nr,total=nr").contains("total is given twice"));
        assert!(message("total").contains("not of the form"));
        assert!(message(MAPPING).contains("total must be given"));
    }
}
