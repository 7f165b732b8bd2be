//! Aligned tables for people.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::{Cell, Language, Listing};

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
pub(crate) fn render_within(listing: &Listing, width: Option<usize>, lang: Language) -> String {
    let widths = widths(listing, lang);
    let gaps = GAP.len() * widths.len().saturating_sub(1);
    let needed = widths.iter().sum::<usize>() + gaps;
    match width {
        Some(width) if needed > width => records(listing, width, lang),
        width => render(listing, width, lang),
    }
}

/// Every row as a block of single values; empty ones are left out.
fn records(listing: &Listing, width: usize, lang: Language) -> String {
    let Listing { columns, rows, totals, facts, .. } = listing;
    let mut blocks: Vec<String> = Vec::new();
    for row in rows.iter().chain(totals) {
        let named = columns.iter().map(|column| column.name).zip(row.iter().cloned());
        let given: Vec<_> = named.filter(|(_, cell)| !cell.shown(lang).is_empty()).collect();
        blocks.push(fields_within(&given, Some(width), lang));
    }
    if let Some(nothing) = nothing(listing, lang) {
        blocks.push(nothing);
    }
    if !facts.is_empty() {
        let at = if listing.facts_first { 0 } else { blocks.len() };
        blocks.insert(at, fields_within(facts, Some(width), lang));
    }
    blocks.join("\n")
}

/// What stands in the place of rows where there are none; a thing that is shown by itself may go
/// without.
fn nothing(listing: &Listing, lang: Language) -> Option<String> {
    let is_empty = listing.rows.is_empty() && listing.totals.is_empty() && !listing.facts_first;
    is_empty.then(|| format!("{}\n", Paint::Dim.on(&lang.phrase("nothing found", &[]))))
}

/// The characters that each column takes.
fn widths(listing: &Listing, lang: Language) -> Vec<usize> {
    let Listing { columns, rows, totals, .. } = listing;
    let heading = |name| lang.heading(name).chars().count();
    let mut widths: Vec<usize> = columns.iter().map(|column| heading(column.name)).collect();
    for row in rows.iter().chain(totals) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.shown(lang).chars().count());
        }
    }
    widths
}

/// The text of a table: heading, rows, totals under a line, facts under those.
fn render(listing: &Listing, width: Option<usize>, lang: Language) -> String {
    let facts = &listing.facts;
    let rows = match nothing(listing, lang) {
        Some(nothing) => nothing,
        None if listing.rows.is_empty() && listing.totals.is_empty() => String::new(),
        None => grid(listing, lang),
    };
    let facts = fields_within(facts, width, lang);
    let [first, second] = if listing.facts_first { [facts, rows] } else { [rows, facts] };
    let gap = if first.is_empty() || second.is_empty() { "" } else { "\n" };
    format!("{first}{gap}{second}")
}

/// Heading, rows, totals under a line.
fn grid(listing: &Listing, lang: Language) -> String {
    let Listing { columns, rows, totals, .. } = listing;
    let widths = widths(listing, lang);
    let mut out = String::new();
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
    line(&mut columns.iter().map(|column| (lang.heading(column.name), Paint::Strong)));
    for row in rows {
        line(&mut row.iter().map(|cell| (cell.shown(lang), cell.paint())));
    }
    if !totals.is_empty() {
        line(&mut widths.iter().map(|width| ("─".repeat(*width), Paint::Dim)));
    }
    for row in totals {
        line(&mut row.iter().map(|cell| (cell.shown(lang), Paint::Strong)));
    }
    out
}

/// Single values, one a line, the names aligned, as they fit the terminal.
pub(crate) fn fields(facts: &[(&'static str, Cell)], lang: Language) -> String {
    fields_within(facts, line_width(), lang)
}

/// Single values, the names aligned; one that is too long to stand beside its name stands under it.
fn fields_within(facts: &[(&'static str, Cell)], most: Option<usize>, lang: Language) -> String {
    let names: Vec<_> = facts.iter().map(|(name, _)| lang.heading(name)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    let mut out = String::new();
    for (name, (_, cell)) in names.iter().zip(facts) {
        let shown = match cell {
            Cell::Money(money) => format!("{} {}", cell.shown(lang), money.currency),
            _ => cell.shown(lang),
        };
        let needed = width + GAP.len() + shown.chars().count();
        let gap = match most {
            Some(most) if needed > most => format!("\n{GAP}"),
            _ => " ".repeat(width - name.chars().count()) + GAP,
        };
        let _ = writeln!(out, "{}{gap}{}", Paint::Dim.on(name), cell.paint().on(&shown));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::Column;
    use super::*;

    const EN: Language = Language::En;

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
        assert_eq!(render_within(&listing, Some(21), EN), render(&listing, None, EN));
        assert_eq!(render_within(&listing, None, EN), render(&listing, None, EN));
        assert_eq!(
            plain(&render_within(&listing, Some(20), EN)),
            "customer id  Léa\n\
             open         7\n\
             \n\
             customer id\n  a-longer-name\n\
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
        let plain = plain(&render(&customers(), None, EN));
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

    #[test]
    fn headings_of_any_language_are_aligned() {
        let listing = Listing {
            columns: const { &[Column::left("customer_id"), Column::right("d1_30")] },
            rows: vec![vec![Cell::text("Léa"), Cell::Count(1)]],
            totals: Vec::new(),
            facts: vec![("as_of", Cell::Count(1)), ("due_date", Cell::Count(2))],
            ..customers()
        };
        let french = plain(&render(&listing, None, Language::Fr));
        let expected =
            "client  1-30 jours\nLéa              1\n\nsituation au  1\néchéance      2\n";
        assert_eq!(french, expected);
    }

    #[test]
    fn where_nothing_is_found_that_is_said() {
        let (rows, totals) = (Vec::new(), Vec::new());
        let listing = Listing { rows, totals, ..customers() };
        for width in [None, Some(16)] {
            let french = plain(&render_within(&listing, width, Language::Fr));
            assert_eq!(french, "aucun résultat\n\nopen items  2\n");
        }
        let listing = Listing { facts_first: true, ..listing };
        assert_eq!(plain(&render(&listing, None, EN)), "open items  2\n");
    }

    #[test]
    fn a_value_too_long_to_stand_beside_its_name_stands_under_it() {
        let facts = [("status", Cell::text("awaiting")), ("customer_id", Cell::text("c"))];
        let within = |width| plain(&fields_within(&facts, Some(width), EN));
        assert_eq!(within(21), "status       awaiting\ncustomer id  c\n");
        assert_eq!(within(20), "status\n  awaiting\ncustomer id  c\n");
    }
}
