//! Aligned tables for people.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::{Cell, Column, Language, Listing};

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
    let needed = |kept: &[usize]| {
        let widths = kept.iter().filter_map(|at| widths.get(*at)).sum::<usize>();
        widths + GAP.len() * kept.len().saturating_sub(1)
    };
    while needed(&kept) > most {
        let Some(least) = least(listing, &kept) else {
            return records(listing, most, lang);
        };
        kept.retain(|at| *at != least);
    }
    if kept.len() == widths.len() {
        return render(listing, width, lang);
    }
    let mut table = render(&without(listing, &kept), width, lang);
    let left_out = (0..widths.len()).filter(|at| !kept.contains(at));
    let left_out = left_out.filter_map(|at| Some((listing.columns.get(at)?, at)));
    let name = |(column, at): (&Column, usize)| {
        let heading = lang.heading(column.name);
        let same = listing.rows.first().and_then(|row| row.get(at)).filter(|_| column.if_same);
        same.map_or(heading.clone(), |same| format!("{heading} ({})", same.shown(lang)))
    };
    let names: Vec<_> = left_out.map(name).collect();
    let note = lang.phrase("without {}: the terminal is too narrow", &[names.join(", ")]);
    for line in wrapped(&note, width, GAP) {
        let _ = writeln!(table, "{}", Paint::Dim.on(&line));
    }
    table
}

/// Which of these columns is left out next.
fn least(listing: &Listing, kept: &[usize]) -> Option<usize> {
    let is_same = |at: usize| {
        let mut cells = listing.rows.iter().chain(&listing.totals).map(|row| row.get(at));
        let first = cells.next();
        cells.all(|cell| Some(cell) == first)
    };
    let rank = |at: usize| {
        let column = listing.columns.get(at)?;
        (column.rank > 0 && (!column.if_same || is_same(at))).then_some((column.rank, at))
    };
    let spare = kept.iter().rev().filter_map(|at| rank(*at));
    spare.min_by_key(|(rank, _)| *rank).map(|(_, at)| at)
}

/// A text in lines of at most this many characters, broken between words; all but the first begin
/// with `indent`. A word longer than that has a line of its own.
pub(crate) fn wrapped(text: &str, most: Option<usize>, indent: &str) -> Vec<String> {
    let most = most.unwrap_or(usize::MAX);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= most => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) => lines.push(format!("{indent}{word}")),
            None => lines.push(word.to_owned()),
        }
    }
    lines
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
        let (gap, lines) = match most {
            Some(most) if needed > most => {
                let lines = wrapped(shown, Some(most.saturating_sub(GAP.len())), "");
                (format!("\n{GAP}"), lines)
            }
            _ => (" ".repeat(width - name.chars().count()) + GAP, vec![shown.clone()]),
        };
        let lines: Vec<_> = lines.iter().map(|line| cell.paint().on(line)).collect();
        let _ = writeln!(out, "{}{gap}{}", Paint::Dim.on(name), lines.join(&format!("\n{GAP}")));
    }
    out
}

#[cfg(test)]
mod tests;
