//! What commands print: one listing, as an aligned table for people, or as CSV or JSON for programs.
//!
//! Tables come in English or French; CSV and JSON are the same in every language. Colours stand on a terminal only, and never where `NO_COLOR` is set.

mod listing;
mod progress;
mod table;
mod values;
mod words;

use clap::{Args, ValueEnum};

pub(crate) use listing::{Cell, Column, Listing, Printer, print_text};
pub(crate) use progress::{Unit, progress_bar};
pub(crate) use table::{Paint, fields, line_width, render_within, wrapped};
pub(crate) use values::{amount, date, day, money, word};
pub(crate) use words::Language;

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// An aligned table for people.
    #[default]
    Table,
    /// One JSON document; amounts are texts with their currency.
    Json,
    /// CSV as in RFC 4180 with a header line.
    Csv,
}

/// How to print, as on the command line.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct OutputArgs {
    /// How to print
    #[arg(long = "output", env = "ENCOURS_OUTPUT", value_enum, default_value_t)]
    pub(crate) format: Format,

    /// The language of tables; CSV and JSON are the same in every language
    #[arg(long, env = "ENCOURS_LANG", value_enum, default_value_t)]
    pub(crate) lang: Language,
}
