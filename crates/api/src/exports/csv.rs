//! Comma-separated text by RFC 4180.

use std::fmt::Write as _;

use encours_domain::{Currency, Day, Money};

/// Lines of a table.
#[derive(Debug, Default)]
pub(super) struct Table {
    text: String,
    /// Where each line ends.
    ends: Vec<usize>,
    /// Whether the line under way has a field.
    begun: bool,
}

impl Table {
    /// The lines, each with its end.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.text[start..*end])
    }

    /// A field of our own making: an id, a status, a number.
    pub(super) fn field(&mut self, text: &str) -> &mut Self {
        if std::mem::replace(&mut self.begun, true) {
            self.text.push(',');
        }
        if text.contains([',', '"', '\r', '\n']) {
            self.text.push('"');
            self.text.push_str(&text.replace('"', "\"\""));
            self.text.push('"');
        } else {
            self.text.push_str(text);
        }
        self
    }

    /// A field that people wrote. Where a spreadsheet would take it for a formula, an apostrophe
    /// says that it is none.
    pub(super) fn free(&mut self, text: &str) -> &mut Self {
        if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            self.field(&format!("'{text}"))
        } else {
            self.field(text)
        }
    }

    /// An amount: a decimal number with the fraction digits of the currency.
    pub(super) fn amount(&mut self, minor: i64, currency: Currency) -> &mut Self {
        self.field(&Money::new(minor, currency).number())
    }

    /// A day, empty where there is none.
    pub(super) fn day(&mut self, day: Option<Day>) -> &mut Self {
        let mut text = String::new();
        if let Some(day) = day {
            let _ = write!(text, "{day}");
        }
        self.field(&text)
    }

    /// Ends the line.
    pub(super) fn end(&mut self) {
        self.text.push_str("\r\n");
        self.ends.push(self.text.len());
        self.begun = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(write: impl Fn(&mut Table)) -> String {
        let mut table = Table::default();
        write(&mut table);
        table.end();
        table.lines().collect()
    }

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let line = of(|table| {
            table.field("a").field("").field("b, c").field("say \"x\"").field("two\nlines");
        });
        assert_eq!(line, "a,,\"b, c\",\"say \"\"x\"\"\",\"two\nlines\"\r\n");
    }

    #[test]
    fn free_text_is_no_formula() {
        for (text, wanted) in [
            ("=1+1", "'=1+1\r\n"),
            ("+33 1 23", "'+33 1 23\r\n"),
            ("-x", "'-x\r\n"),
            ("@SUM(A1)", "'@SUM(A1)\r\n"),
            ("\tx", "'\tx\r\n"),
            ("\rx", "\"'\rx\"\r\n"),
            ("=HYPERLINK(\"a\",\"b\")", "\"'=HYPERLINK(\"\"a\"\",\"\"b\"\")\"\r\n"),
            ("a=b", "a=b\r\n"),
            ("", "\r\n"),
        ] {
            let line = of(|table| {
                table.free(text);
            });
            assert_eq!(line, wanted, "{text:?}");
        }
    }

    #[test]
    fn amounts_and_days_are_for_programs() {
        let currency = |code| Currency::parse("currency", code).unwrap();
        let line = of(|table| {
            let day = Day::from_ymd(2026, 1, 5);
            table.amount(-5, currency("EUR")).amount(7, currency("JPY")).day(day).day(None);
        });
        assert_eq!(line, "-0.05,7,2026-01-05,\r\n");
    }

    #[test]
    fn lines_are_told_apart_though_fields_break_them() {
        let mut table = Table::default();
        table.field("a\r\nb");
        table.end();
        table.field("c");
        table.end();
        assert_eq!(table.lines().collect::<Vec<_>>(), ["\"a\r\nb\"\r\n", "c\r\n"]);
        assert_eq!(Table::default().lines().count(), 0);
    }
}
