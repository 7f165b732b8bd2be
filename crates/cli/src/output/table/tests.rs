//! Tables: aligned, within a width, in every language.

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
        [Column::left("customer_id"), Column::left("name").spare(1), Column::right("open")];
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
         without name: the terminal is\n  too narrow\n"
    );
    assert!(plain(&render_within(&listing, Some(16), EN)).contains("A long name"));
}

#[test]
fn spare_columns_go_by_rank_and_what_all_rows_share_is_said_once() {
    let columns = [
        Column::left("name").spare(3),
        Column::left("currency").spare_if_same(1),
        Column::right("open"),
        Column::right("net").spare(2),
    ];
    let row = |currency: &str| {
        let [name, currency] = ["Dupont SARL", currency].map(Cell::text);
        vec![name, currency, Cell::Count(7), Cell::Count(9)]
    };
    let listing = |second| Listing {
        columns: columns.to_vec().into(),
        rows: vec![row("EUR"), row(second)],
        totals: vec![],
        facts: vec![],
        ..customers()
    };
    let within = |second, width| plain(&render_within(&listing(second), Some(width), EN));
    let first = |text: &str| text.lines().next().map(str::to_owned);
    let same = within("EUR", 29);
    assert_eq!(first(&same).as_deref(), Some("name         open  net"));
    let note = "without currency (EUR): the\n  terminal is too narrow\n";
    assert!(same.ends_with(note), "{same}");
    assert_eq!(first(&within("EUR", 21)).as_deref(), Some("name         open"));
    assert_eq!(first(&within("EUR", 16)).as_deref(), Some("open"));
    assert_eq!(first(&within("USD", 29)).as_deref(), Some("name         currency  open"));
    assert_eq!(first(&within("USD", 16)).as_deref(), Some("currency  open"));
}

#[test]
fn a_text_is_broken_between_words() {
    let lines = |most| wrapped("one two three", most, "  ");
    assert_eq!(lines(None), ["one two three"]);
    assert_eq!(lines(Some(12)), ["one two", "  three"]);
    assert_eq!(lines(Some(4)), ["one", "  two", "  three"]);
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
    let expected = "client  1-30 jours\nLéa              1\n\nsituation au  1\néchéance      2\n";
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
    let facts = [("detail", Cell::text("due 2026-01-31 by mail"))];
    let text = plain(&fields_within(&facts, Some(16), EN));
    assert_eq!(text, "detail\n  due 2026-01-31\n  by mail\n");
}
