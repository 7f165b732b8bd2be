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

/// A listing as it fits into lines of this width: a table, where that is too wide one without its
/// spare columns, else one value a line.
pub(crate) fn render_within(listing: &Listing, width: Option<usize>, lang: Language) -> String {
    let Some(most) = width else { return render(listing, None, lang) };
    let widths = widths(listing, lang);
    let mut kept: Vec<usize> = (0..widths.len()).collect();
    let is_spare = |at: &usize| listing.columns.get(*at).is_some_and(|column| column.is_spare);
    let needed = |kept: &[usize]| {
        let widths = kept.iter().filter_map(|at| widths.get(*at)).sum::<usize>();
        widths + GAP.len() * kept.len().saturating_sub(1)
    };
    while needed(&kept) > most {
        let Some(last) = kept.iter().rposition(is_spare) else {
            return records(listing, most, lang);
        };
        kept.remove(last);
    }
    if kept.len() == widths.len() {
        return render(listing, width, lang);
    }
    let mut table = render(&without(listing, &kept), width, lang);
    let left_out = (0..widths.len()).filter(|at| !kept.contains(at));
    let left_out = left_out.filter_map(|at| listing.columns.get(at));
    let names: Vec<_> = left_out.map(|column| lang.heading(column.name)).collect();
    let note = lang.phrase("without {}: the terminal is too narrow", &[names.join(", ")]);
    let _ = writeln!(table, "{}", Paint::Dim.on(&note));
    table
}

/// A listing with these of its columns.
fn without(listing: &Listing, kept: &[usize]) -> Listing {
    let pick = |row: &Vec<Cell>| kept.iter().filter_map(|at| row.get(*at)).cloned().collect();
    Listing {
        columns: kept.iter().filter_map(|at| listing.columns.get(*at)).copied().collect(),
        rows: listing.rows.iter().map(pick).collect(),
        totals: listing.totals.iter().map(pick).collect(),
        ..listing.clone()
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

/// Single values, the names aligned; one that is too long to stand beside its name stands under it,
/// empty ones are left out.
fn fields_within(facts: &[(&'static str, Cell)], most: Option<usize>, lang: Language) -> String {
    let shown = facts.iter().map(|(name, cell)| match cell {
        Cell::Money(money) => (*name, format!("{} {}", cell.shown(lang), money.currency), cell),
        _ => (*name, cell.shown(lang), cell),
    });
    let shown = shown.filter(|(_, text, _)| !text.is_empty());
    let shown: Vec<_> = shown.map(|(name, text, cell)| (lang.heading(name), text, cell)).collect();
    let width = shown.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or_default();
    let mut out = String::new();
    for (name, shown, cell) in &shown {
        let needed = width + GAP.len() + shown.chars().count();
        let gap = match most {
            Some(most) if needed > most => format!("\n{GAP}"),
            _ => " ".repeat(width - name.chars().count()) + GAP,
        };
        let _ = writeln!(out, "{}{gap}{}", Paint::Dim.on(name), cell.paint().on(shown));
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
            columns: vec![Column::left("customer_id"), Column::right("open")].into(),
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
    fn a_table_that_is_too_wide_does_without_its_spare_columns() {
        let columns =
            [Column::left("customer_id"), Column::left("name").spare(), Column::right("open")];
        let row = vec![Cell::text("c1"), Cell::text("A long name"), Cell::Count(7)];
        let listing = Listing {
            columns: columns.to_vec().into(),
            rows: vec![row],
            totals: vec![],
            ..customers()
        };
        assert!(!plain(&render_within(&listing, Some(30), EN)).contains("without"));
        assert_eq!(
            plain(&render_within(&listing, Some(29), EN)),
            "customer id  open\n\
             c1              7\n\
             \n\
             open items  2\n\
             without name: the terminal is too narrow\n"
        );
        assert!(plain(&render_within(&listing, Some(16), EN)).contains("A long name"));
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
            columns: vec![Column::left("customer_id"), Column::right("d1_30")].into(),
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
