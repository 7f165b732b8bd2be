//! Aligned tables for people.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::{Cell, Listing};

/// What a value means, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// As the terminal shows text.
    Plain,
    /// Of little weight.
    Dim,
    /// In order.
    Good,
    /// To be watched.
    Warn,
    /// Late, or wrong.
    Bad,
    /// Worth a look.
    Note,
    /// A heading or a total.
    Strong,
}

impl Paint {
    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Dim => Style::new().dimmed(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Warn => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
            Self::Note => AnsiColor::Cyan.on_default(),
            Self::Strong => Style::new().bold(),
        }
    }

    /// The text in this colour.
    pub(crate) fn on(self, text: &str) -> String {
        if self == Self::Plain || text.is_empty() {
            return text.to_owned();
        }
        let style = self.style();
        format!("{style}{text}{style:#}")
    }
}

/// What stands between two columns.
const GAP: &str = "  ";

/// How many characters a line may have: as `COLUMNS` says, else as wide as the terminal is; `None`
/// where standard output is none.
pub(crate) fn line_width() -> Option<usize> {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let measured = || terminal_size::terminal_size_of(std::io::stdout());
    said.filter(|width| *width > 0).or_else(|| measured().map(|(width, _)| usize::from(width.0)))
}

/// A listing as it fits into lines of this width: a table, or where that is too wide one value a
/// line.
pub(crate) fn render_within(listing: &Listing, width: Option<usize>) -> String {
    let widths = widths(listing);
    let gaps = GAP.len() * widths.len().saturating_sub(1);
    let needed = widths.iter().sum::<usize>() + gaps;
    match width {
        Some(width) if needed > width => records(listing),
        _ => render(listing),
    }
}

/// Every row as a block of single values; empty ones are left out.
fn records(listing: &Listing) -> String {
    let Listing { columns, rows, totals, facts, .. } = listing;
    let mut blocks: Vec<String> = Vec::new();
    for row in rows.iter().chain(totals) {
        let named = columns.iter().map(|column| column.name).zip(row.iter().cloned());
        let given: Vec<_> = named.filter(|(_, cell)| !cell.shown().is_empty()).collect();
        blocks.push(fields(&given));
    }
    if !facts.is_empty() {
        let at = if listing.facts_first { 0 } else { blocks.len() };
        blocks.insert(at, fields(facts));
    }
    blocks.join("\n")
}

/// The characters that each column takes.
fn widths(listing: &Listing) -> Vec<usize> {
    let Listing { columns, rows, totals, .. } = listing;
    let mut widths: Vec<usize> = columns.iter().map(|column| column.name.len()).collect();
    for row in rows.iter().chain(totals) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.shown().chars().count());
        }
    }
    widths
}

/// The text of a table: heading, rows, totals under a line, facts under those.
pub(crate) fn render(listing: &Listing) -> String {
    let Listing { columns, rows, totals, facts, .. } = listing;
    let widths = widths(listing);
    let mut out = String::new();
    if listing.facts_first {
        out.push_str(&fields(facts));
        out.push('\n');
    }
    let heading: Vec<String> = columns.iter().map(|column| title(column.name)).collect();
    let mut line = |texts: &mut dyn Iterator<Item = (String, Paint)>| {
        let mut gap = "";
        for ((text, paint), (column, width)) in texts.zip(columns.iter().zip(&widths)) {
            let fill = " ".repeat(width.saturating_sub(text.chars().count()));
            let text = paint.on(&text);
            let _ = if column.right {
                write!(out, "{gap}{fill}{text}")
            } else {
                write!(out, "{gap}{text}{fill}")
            };
            gap = GAP;
        }
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
    };
    line(&mut heading.into_iter().map(|text| (text, Paint::Strong)));
    for row in rows {
        line(&mut row.iter().map(|cell| (cell.shown(), cell.paint())));
    }
    if !totals.is_empty() {
        line(&mut widths.iter().map(|width| ("─".repeat(*width), Paint::Dim)));
    }
    for row in totals {
        line(&mut row.iter().map(|cell| (cell.shown(), Paint::Strong)));
    }
    if !facts.is_empty() && !listing.facts_first {
        out.push('\n');
        out.push_str(&fields(facts));
    }
    out
}

/// Single values, one a line, the names aligned.
pub(crate) fn fields(facts: &[(&'static str, Cell)]) -> String {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let mut out = String::new();
    for (name, cell) in facts {
        let name = title(name);
        let shown = match cell {
            Cell::Money(money) => format!("{} {}", cell.shown(), money.currency),
            _ => cell.shown(),
        };
        let _ = writeln!(
            out,
            "{}{}  {}",
            Paint::Dim.on(&name),
            " ".repeat(width - name.len()),
            cell.paint().on(&shown)
        );
    }
    out
}

/// The name of a column for people: `d31_60` is a band of days.
fn title(name: &str) -> String {
    let band = name.strip_prefix('d').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    match band.and_then(|band| band.split_once('_')) {
        Some((from, "plus")) => format!("{from}+ days"),
        Some((from, to)) => format!("{from}-{to} days"),
        None => name.replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Column;
    use super::*;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    fn customers() -> Listing {
        Listing {
            columns: const { &[Column::left("customer_id"), Column::right("open")] },
            name: "customers",
            rows: vec![
                vec![Cell::text("Léa"), Cell::Count(7)],
                vec![Cell::text("a-longer-name"), Cell::Count(12_345)],
            ],
            totals: vec![vec![Cell::text("TOTAL"), Cell::Count(12_352)]],
            facts: vec![("open_items", Cell::Count(2))],
            facts_first: false,
        }
    }

    #[test]
    fn where_a_table_is_too_wide_every_value_has_its_line() {
        let listing = customers();
        assert_eq!(render_within(&listing, Some(21)), render(&listing));
        assert_eq!(render_within(&listing, None), render(&listing));
        assert_eq!(
            plain(&render_within(&listing, Some(20))),
            "customer id  Léa\n\
             open         7\n\
             \n\
             customer id  a-longer-name\n\
             open         12,345\n\
             \n\
             customer id  TOTAL\n\
             open         12,352\n\
             \n\
             open items  2\n"
        );
    }

    #[test]
    fn columns_are_aligned_and_numbers_stand_at_the_right() {
        let plain = plain(&render(&customers()));
        assert_eq!(
            plain,
            "customer id      open\n\
             Léa                 7\n\
             a-longer-name  12,345\n\
             ─────────────  ──────\n\
             TOTAL          12,352\n\
             \n\
             open items  2\n"
        );
    }
}
