use super::*;

const HEADER: &str = "client,nr,date,due,amount,Disputed,paid\n";

fn conventions(date_format: &str, currency: &str) -> Conventions {
    Conventions {
        currency: Currency::parse("currency", currency).unwrap(),
        date_format: date_format.into(),
        delimiter: b',',
        columns: "customer_id=client,invoice_id=nr,issue_date=date,due_date=due,total=amount,\
                  disputed=Disputed,paid_on=paid"
            .into(),
    }
}

fn read_text(rows: &str) -> Contents {
    let text = format!("{HEADER}{rows}");
    read(Path::new("f.csv"), text.as_bytes(), &conventions("%m/%d/%Y", "USD")).unwrap()
}

/// The one problem of one row.
fn problem(row: &str) -> String {
    let contents = read_text(row);
    assert!(contents.rows.is_empty(), "{contents:?}");
    assert_eq!(contents.problems.len(), 1);
    contents.problems[0].to_string()
}

#[test]
fn a_row_is_read_with_dates_of_one_or_two_digits() {
    let contents = read_text("0379-NEVHP,0000611365,1/2/2013,02/1/2013,55.94,Yes,1/15/2013\n");
    let (line, row) = &contents.rows[0];
    assert_eq!(*line, 2);
    assert_eq!(row.invoice_id.as_str(), "0000611365");
    assert_eq!(row.number, "0000611365");
    assert_eq!(row.customer_name, "0379-NEVHP");
    assert_eq!(row.issue_date.to_string(), "2013-01-02");
    assert_eq!(row.due_date.unwrap().to_string(), "2013-02-01");
    assert_eq!(row.paid_on.unwrap().to_string(), "2013-01-15");
    assert_eq!(row.total.minor, 5_594);
    assert!(row.disputed);
}

#[test]
fn what_is_wrong_is_told_with_file_line_field_and_figures() {
    for (row, told) in [
        ("c,F1,13/2/2013,2/1/2013,1,No,", "issue_date: date is \"13/2/2013\", no date as %m/%d/%Y"),
        ("c,F1,2/30/2013,3/1/2013,1,No,", "issue_date: date is \"2/30/2013\", no date as"),
        ("c,F1,1/2/2013,1/1/2013,1,No,", "due_date: 2013-01-01 lies before the issue date"),
        ("c,F1,1/2/2013,,1,No,", "due_date: due is empty"),
        ("c,F1,1/2/2013,2/1/2013,-5,No,", "total: amount is -5.00 USD, it must be 0 or more"),
        ("c,F1,1/2/2013,2/1/2013,5.001,No,", "total: amount is 5.001: USD has 2 fraction digits"),
        ("c,F1,1/2/2013,2/1/2013,12a,No,", "total: amount is not a decimal number: \"12a\""),
        ("c,F1,1/2/2013,2/1/2013,,No,", "total: amount is empty"),
        ("c,,1/2/2013,2/1/2013,1,No,", "invoice_id: nr is empty"),
        ("c,F 1,1/2/2013,2/1/2013,1,No,", "invoice_id: \"F 1\": invoice_id may hold"),
        ("c,F1,1/2/2013,2/1/2013,1,perhaps,", "disputed: Disputed is \"perhaps\", expected Yes"),
        ("c,F1,1/2/2013", "row: has 3 fields, the header has 7"),
        ("c,F1,1/2/1800,2/1/2013,1,No,", "issue_date: date is 1800-01-02, outside 1900-01-01"),
    ] {
        let found = problem(row);
        assert!(found.starts_with(&format!("f.csv:2: {told}")), "{row}\n{found}");
    }
}

#[test]
fn a_wrong_row_does_not_stop_the_others() {
    let contents = read_text(
        "c,F1,1/2/2013,2/1/2013,1,No,\nc,F2,1/2/2013,2/1/2013,x,No,\nc,F3,1/2/2013,2/1/2013,1,No,\n",
    );
    assert_eq!(contents.rows.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 4]);
    assert_eq!(contents.problems[0].line, 3);
}

#[test]
fn an_id_twice_is_a_repeat_or_a_contradiction() {
    let contents = read_text(
        "c,F1,1/2/2013,2/1/2013,1,No,\nc,F1,1/2/2013,2/1/2013,1.00,No,\nc,F1,1/2/2013,2/1/2013,2,No,\n",
    );
    assert_eq!((contents.rows.len(), contents.total), (1, 3));
    assert_eq!(
        contents.problems[0].to_string(),
        "f.csv:4: invoice_id: F1 stands on line 2 with total 1.00 USD, here 2.00 USD"
    );
}

/// What a file as a whole is refused with.
fn refused(bytes: &[u8]) -> String {
    let failure = read(Path::new("f.csv"), bytes, &conventions("%m/%d/%Y", "USD")).unwrap_err();
    assert_eq!(failure.exit(), Exit::Usage, "{failure}");
    failure.to_string().lines().next().unwrap().to_owned()
}

fn file(rows: &[u8]) -> Vec<u8> {
    [HEADER.as_bytes(), rows].concat()
}

#[test]
fn files_that_are_not_in_utf_8_are_refused_as_a_whole() {
    let good = b"c,F0,1/2/2013,2/1/2013,1,No,\n";
    let latin = [good.as_slice(), b"c\xe9,F1,1/2/2013,2/1/2013,1,No,\n"].concat();
    assert_eq!(refused(&file(&latin)), "f.csv:3: client: has bytes that are not UTF-8");
    assert_eq!(refused(b"client,num\xe9ro\n"), "f.csv:1: column 2: has bytes that are not UTF-8");
    for (mark, bytes) in [("\u{feff}", u16::to_le_bytes as fn(u16) -> _), ("", u16::to_be_bytes)] {
        let text = format!("{mark}{HEADER}");
        let bytes: Vec<u8> = text.encode_utf16().flat_map(bytes).collect();
        assert_eq!(refused(&bytes), "f.csv:1: the file is in UTF-16, not in UTF-8");
    }
}

#[test]
fn a_quote_that_is_never_closed_is_told_where_it_opens() {
    let rows = b"c,F1,1/2/2013,2/1/2013,1,No,\nc,F2,\"1/2/2013,2/1/2013,1,No,\nc,F3,1,1,1,No,\n";
    assert_eq!(refused(&file(rows)), "f.csv:3: date: the quote that opens here is never closed");
    let rows = "c,F1,1/2/2013,2/1/2013,\"1\",No,\"\"\n\"c\",F2,1/2/2013,2/1/2013,1,No,\n";
    assert_eq!(read_text(rows).rows.len(), 2);
}

#[test]
fn columns_of_one_name_are_refused() {
    assert_eq!(
        refused(b"client,nr,client\n"),
        "f.csv:1: \"client\" is the name of columns 1 and 3"
    );
    let text = format!("{},,\nc,F1,1/2/2013,2/1/2013,1,No,,,\n", HEADER.trim_end());
    let contents = read(Path::new("f.csv"), text.as_bytes(), &conventions("%m/%d/%Y", "USD"));
    assert_eq!(contents.unwrap().rows.len(), 1, "columns without a name hold nothing");
}

#[test]
fn a_huge_field_is_told_by_its_beginning() {
    let huge = "9".repeat(100_000);
    for (row, key) in [
        (format!("c,F1,{huge},2/1/2013,1,No,"), "issue_date"),
        (format!("c,F1,1/2/2013,2/1/2013,{huge},No,"), "total"),
        (format!("c,{huge},1/2/2013,2/1/2013,1,No,"), "invoice_id"),
        (format!("c,F1,1/2/2013,2/1/2013,1,{huge},"), "disputed"),
    ] {
        let told = problem(&row);
        assert!(told.starts_with(&format!("f.csv:2: {key}: ")), "{told}");
        assert!(told.contains("… (10") && told.chars().count() < 500, "{told}");
    }
}

#[test]
fn a_byte_order_mark_and_semicolons_are_read() {
    let how = Conventions {
        delimiter: b';',
        columns: "customer_id=client,invoice_id=nr,issue_date=date,total=montant".into(),
        ..conventions("%d/%m/%Y", "JPY")
    };
    let text = "\u{feff}client;nr;date;montant\nc;F1;31/12/2012;500\n";
    let contents = read(Path::new("f.csv"), text.as_bytes(), &how).unwrap();
    assert_eq!(contents.rows[0].1.total.to_string(), "500 JPY");
    assert_eq!(contents.rows[0].1.due_date, None);
}

#[test]
fn a_date_format_is_checked() {
    assert!(check_date_format("%m/%d/%Y").is_ok());
    assert!(check_date_format("mm/dd/yyyy").is_err());
    assert!(check_date_format("%Q").is_err());
}
