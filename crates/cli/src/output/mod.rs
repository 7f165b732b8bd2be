//! What commands print: one listing, as an aligned table for people, or as CSV or JSON for programs.
//!
//! Colours stand on a terminal only, and never where `NO_COLOR` is set.

mod listing;
mod table;
mod values;

use clap::ValueEnum;

pub(crate) use listing::{Cell, Column, Listing, Printer, print_text};
pub(crate) use table::{Paint, fields, line_width, render_within};
pub(crate) use values::{amount, date, day, money, word};

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
