//! Numbers as people and programs get them wrong: each is refused as it stands, nothing is rounded,
//! nothing overflows, and sums at the limit stay exact.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking"
)]

use encours_proto::v1;
use encours_tests::{Client, Company, Server, Told, data_folder, run};

/// Texts that are no amount above 0 in euro, and what is said of them.
const WRONG: [(&str, &str); 33] = [
    ("NaN", NUMBER),
    ("nan", NUMBER),
    ("inf", NUMBER),
    ("-inf", NUMBER),
    ("Infinity", NUMBER),
    ("1e5", NUMBER),
    ("1E400", NUMBER),
    ("0x10", NUMBER),
    ("1,000.00", NUMBER),
    ("10,50", NUMBER),
    ("1_000", NUMBER),
    ("10€", NUMBER),
    ("١٢", NUMBER),
    ("１２", NUMBER),
    ("", NUMBER),
    (".", NUMBER),
    ("-", NUMBER),
    ("+-1", NUMBER),
    ("--1", NUMBER),
    ("1.2.3", NUMBER),
    ("123456789012345678901234567890", NUMBER),
    ("123456789012345678901234567890.12", NUMBER),
    ("0.000000000000000000000000000001", NUMBER),
    ("1 000", CURRENCY),
    (" 10", CURRENCY),
    ("EURO 10", CURRENCY),
    ("10.001", DIGITS),
    ("0.005", DIGITS),
    ("9.999999999", DIGITS),
    ("0.0000000000000000000000000001", DIGITS),
    ("92233720368547758.08", BITS),
    ("99999999999999999999", BITS),
    ("-0.01", "NOT_POSITIVE"),
];
const NUMBER: &str = "is not a decimal number";
const CURRENCY: &str = "is not an active ISO 4217 code";
const DIGITS: &str = "EUR has 2 fraction digits";
const BITS: &str = "it does not fit 64 bits of minor units";

fn command_line(url: &str, words: &[&str]) -> encours_tests::Ran {
    run(words.iter().copied().chain(["--ledger", "acme", "--server", url]))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_text_is_taken_for_an_amount_that_is_none() {
    let folder = data_folder();
    let server = Server::start(folder.path());
    let url = server.url();
    let company = Company::create(Client::connect(&url).await, "acme", "2024-01-01").await;
    company.customer("ada", "Ada").await;
    company.issue("i", "ada", "100.00", "2024-02-01").await;
    let before = company.client.head().await.position;
    for (text, told) in WRONG {
        // One word, so that a sign is not taken for a flag.
        let total = format!("--total={text}");
        let amount = format!("--amount={text}");
        for ran in [
            command_line(&url, &["invoice", "issue", "--customer", "ada", &total]),
            command_line(&url, &["payment", "record", "--customer", "ada", &amount]),
        ] {
            assert!(matches!(ran.code, Some(2 | 3)), "{text:?}: {ran}");
            assert!(ran.stderr.contains(told), "{text:?}: {ran}");
            assert!(!ran.stderr.contains("panicked"), "{text:?}: {ran}");
        }
    }
    assert_eq!(company.client.head().await.position, before, "nothing was done");
    company.expect_balance("ada", "invoiced 100.00, outstanding 100.00, net 100.00").await;
    println!("{} texts, twice each", WRONG.len());
}

fn cents(units: i64, nanos: i32) -> Option<v1::Money> {
    Some(v1::Money { currency_code: "EUR".to_owned(), units, nanos })
}

fn invoice(total: Option<v1::Money>) -> v1::IssueInvoiceRequest {
    v1::IssueInvoiceRequest {
        ledger_id: "acme".to_owned(),
        customer_id: "ada".to_owned(),
        total,
        ..Default::default()
    }
}

/// A quarter of 64 bits of cents, in whole euro: as much as a ledger may move.
const MOST: i64 = i64::MAX / 4 / 100;

#[tokio::test(flavor = "multi_thread")]
async fn sums_at_the_limit_are_exact_and_none_goes_past_it() {
    let folder = data_folder();
    let server = Server::start(folder.path());
    let company = Company::create(Client::connect(&server.url()).await, "acme", "2024-01-01").await;
    company.customer("ada", "Ada").await;
    let mut invoices = company.client.invoices.clone();
    for (units, nanos, reason) in [
        (i64::MAX, 999_999_999, "AMOUNT_OVERFLOW TOO_MANY_DECIMALS"),
        (i64::MIN, -999_999_999, "AMOUNT_OVERFLOW TOO_MANY_DECIMALS NOT_POSITIVE"),
        (i64::MIN, 0, "AMOUNT_OVERFLOW NOT_POSITIVE"),
        (0, i32::MAX, "INVALID_AMOUNT"),
        (0, i32::MIN, "INVALID_AMOUNT"),
        (0, 1, "TOO_MANY_DECIMALS"),
        (0, -10_000_000, "NOT_POSITIVE"),
        (-1, 10_000_000, "INVALID_AMOUNT"),
        (MOST + 1, 0, "AMOUNT_OVERFLOW VOLUME"),
    ] {
        let refused = invoices.issue_invoice(invoice(cents(units, nanos))).await.unwrap_err();
        let told = Told::from(&refused);
        let is_told = reason.split(' ').any(|reason| told.reason.contains(reason));
        assert!(is_told && !told.reason.is_empty(), "{units} {nanos}: {told:?}");
    }
    // Almost all that there may be, and then cent by cent.
    let large = invoices.issue_invoice(invoice(cents(MOST - 1, 0))).await.unwrap().into_inner();
    company.saw(large.position);
    for _ in 0..100 {
        let one = invoices.issue_invoice(invoice(cents(0, 10_000_000))).await.unwrap();
        company.saw(one.into_inner().position);
    }
    let told = Told::from(&invoices.issue_invoice(invoice(cents(1, 0))).await.unwrap_err());
    assert!(!told.reason.is_empty() && !told.is_of_faults(), "{told:?}");
    let figure = format!("{MOST}.00");
    let expected = format!("invoiced {figure}, outstanding {figure}, net {figure}");
    company.expect_balance("ada", &expected).await;
    let stopped = tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    assert!(!stopped.ran.stderr.contains("panicked"), "{}", stopped.ran);
    println!("the last one is refused with {}", told.reason);
}
