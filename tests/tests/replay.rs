//! `encours replay`: what the log alone gives, at any point of it, is what the server shows of that point.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::collections::BTreeMap;
use std::path::Path;

use encours_proto::v1;
use encours_tests::{
    Client, Company, Ran, Server, amount, copy, data_folder, every_file, fingerprint, flip_bit, run,
};
use serde_json::Value;

const USAGE: i32 = 2;
const REFUSED: i32 = 3;
const DAMAGED: i32 = 5;

fn replay(data: &Path, more: &[&str]) -> Ran {
    let words = ["replay", "--output", "json", "--data", data.to_str().unwrap()];
    run(words.iter().chain(more))
}

fn told(ran: Ran) -> Value {
    serde_json::from_str(&ran.ok().stdout).unwrap()
}

fn minor(money: &Value) -> i64 {
    let text = money["amount"].as_str().unwrap();
    text.replace('.', "").parse().unwrap()
}

fn sent(value: Option<&v1::Money>) -> i64 {
    value.map_or(0, |value| amount(Some(value)).replace('.', "").parse().unwrap())
}

/// Books in which something happens on most days: invoices, payments in part and in full, credit, money
/// that goes back, and days that are opened many at once.
async fn play(company: &Company) {
    for customer in ["dupont", "martin", "durand"] {
        company.customer(customer, customer).await;
    }
    for n in 0..12 {
        let customer = ["dupont", "martin", "durand"][n % 3];
        let due = format!("2024-02-{:02}", 1 + n);
        company.issue(&format!("i{n}"), customer, &format!("{}.50", 100 + n), &due).await;
    }
    for n in 0..6 {
        company.pay_invoice(&format!("p{n}"), &format!("i{n}"), "40.00").await;
    }
    company.advance("2024-02-06").await;
    let reverse = v1::ReversePaymentRequest {
        ledger_id: company.ledger.clone(),
        payment_id: "p2".to_owned(),
        kind: v1::ReversalKind::Bounced.into(),
        ..Default::default()
    };
    let _ = company.client.payments.clone().reverse_payment(reverse).await.unwrap();
    company.pay_invoice("p-much", "i7", "900.00").await;
    company.advance("2024-03-20").await;
    company.issue("late", "durand", "70.00", "2024-04-30").await;
}

/// What all customers have at a position, as the server shows it: invoiced, collected, outstanding,
/// overdue, unapplied.
async fn shown(company: &Company, position: u64) -> [i64; 5] {
    let request = v1::ListCustomersRequest {
        ledger_id: company.ledger.clone(),
        page_size: 1_000,
        as_known_at: Some(v1::AsKnownAt { at: Some(v1::as_known_at::At::Position(position)) }),
        ..Default::default()
    };
    let answer = company.client.customers.clone().list_customers(request).await.unwrap();
    let mut sums = [0; 5];
    for customer in answer.into_inner().customers {
        for b in customer.balances {
            let figures = [&b.invoiced, &b.collected, &b.outstanding, &b.overdue, &b.unapplied];
            for (sum, figure) in sums.iter_mut().zip(figures) {
                *sum += sent(figure.as_ref());
            }
        }
    }
    sums
}

const FIGURES: [&str; 5] = ["invoiced", "collected", "outstanding", "overdue", "unapplied"];

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_are_the_servers_at_every_position() {
    let folder = data_folder();
    let server = Server::start(folder.path());
    let company = Company::create(Client::connect(&server.url()).await, "acme", "2024-01-01").await;
    play(&company).await;
    let last = company.client.head().await.position;
    let step = usize::try_from(last / 9).unwrap().max(1);
    let mut positions: Vec<u64> = (4..last).step_by(step).collect();
    positions.push(last);
    let mut seen = BTreeMap::new();
    for position in positions {
        let books = told(replay(folder.path(), &["--to", &position.to_string()]));
        assert_eq!(books["position"], position);
        let ledger = &books["ledgers"][0];
        let figures = FIGURES.map(|figure| minor(&ledger[figure]));
        assert_eq!(figures, shown(&company, position).await, "position {position}");
        let known = position.to_string();
        let words = ["ageing", "--ledger", "acme", "--output", "json", "--as-known", &known];
        let ageing = told(run(words.iter().chain(&["--server", &server.url()])));
        let [_, _, outstanding, _, unapplied] = figures;
        let totals = &ageing["totals"][0];
        if ageing["totals"].is_array() {
            assert_eq!(minor(&totals["balance"]), outstanding - unapplied, "position {position}");
            assert_eq!(minor(&totals["unapplied"]), unapplied, "position {position}");
        } else {
            assert_eq!((outstanding, unapplied), (0, 0), "position {position}");
        }
        seen.insert(books["digest"].as_str().unwrap().to_owned(), figures);
    }
    assert!(seen.len() > 8, "positions tell different things: {seen:?}");
    let words = ["ledger", "totals", "--ledger", "acme", "--output", "json"];
    let totals = told(run(words.iter().chain(&["--server", &server.url()])));
    let books = told(replay(folder.path(), &[]));
    for figure in FIGURES {
        assert_eq!(books["ledgers"][0][figure], totals["totals"][0][figure], "{figure}");
    }
    assert_eq!(books["ledgers"][0]["customers"], 3);
    assert_eq!(books["ledgers"][0]["invoices"], 13);
    let live = told(replay(folder.path(), &["--server", &server.url()]));
    assert_eq!((&live["result"], &live["digest"]), (&Value::from("EQUAL"), &books["digest"]));
    // An earlier position has no digest of the server's to be held against, but figures.
    let earlier = told(replay(folder.path(), &["--server", &server.url(), "--to", "30"]));
    assert_eq!((&earlier["result"], &earlier["position"]), (&Value::from("EQUAL"), &30.into()));
    let _ = server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_points_are_compared_ledger_by_ledger_and_customer_by_customer() {
    let folder = data_folder();
    let server = Server::start(folder.path());
    let company = Company::create(Client::connect(&server.url()).await, "acme", "2024-01-01").await;
    play(&company).await;
    let _ = server.stop();
    let before = fingerprint(folder.path());
    let (one, two) = ("12", "150");
    let [first, second] = [one, two].map(|to| told(replay(folder.path(), &["--to", to])));
    for words in [["--to", one, "--compare", two], ["--to", two, "--compare", one]] {
        let compared = told(replay(folder.path(), &words));
        assert_eq!(compared["digest_before"], first["digest"], "the earlier one comes first");
        assert_eq!(compared["digest_after"], second["digest"]);
        let rows = compared["differences"].as_array().unwrap();
        let of = |customer: &str, figure: &str| {
            rows.iter().find(|row| row["customer_id"] == customer && row["figure"] == figure)
        };
        for figure in FIGURES {
            let [a, b] = [&first, &second].map(|books| minor(&books["ledgers"][0][figure]));
            let Some(row) = of("TOTAL", figure) else {
                assert_eq!([a, b], [0, 0], "{figure} is left out where it is zero: {compared}");
                continue;
            };
            let told = ["before", "after", "difference"].map(|column| minor(&row[column]));
            assert_eq!(told, [a, b, b - a], "{figure}");
            let each = rows.iter().filter(|row| row["figure"] == figure);
            let each = each.filter(|row| row["customer_id"] != "TOTAL");
            let sum: i64 = each.map(|row| minor(&row["difference"])).sum();
            assert_eq!(sum, b - a, "customers make up the difference of {figure}");
        }
        let [a, b] =
            [&first, &second].map(|books| books["ledgers"][0]["invoices"].as_u64().unwrap());
        let row = of("TOTAL", "invoices").unwrap();
        assert!(b > a);
        assert_eq!(
            (&row["before"], &row["after"], &row["difference"]),
            (&a.into(), &b.into(), &(b - a).to_string().into())
        );
    }
    let table = run([
        "replay",
        "--data",
        folder.path().to_str().unwrap(),
        "--to",
        one,
        "--compare",
        two,
        "--lang",
        "fr",
    ])
    .ok();
    assert!(table.stdout.contains("écart") && table.stdout.contains("dupont"), "{table}");
    assert_eq!(fingerprint(folder.path()), before, "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_or_a_moment_stands_for_what_was_recorded_by_then() {
    let folder = data_folder();
    let server = Server::start(folder.path());
    let company = Company::create(Client::connect(&server.url()).await, "acme", "2024-01-01").await;
    company.customer("dupont", "Dupont").await;
    std::thread::sleep(std::time::Duration::from_millis(5));
    company.customer("martin", "Martin").await;
    let words = ["events", "read", "--output", "json", "--server", &server.url()];
    let events = run(words).ok().stdout;
    let events: Vec<Value> =
        events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [.., before, last] = &events[..] else { panic!("events") };
    let at = |event: &Value| event["recordedAt"].as_str().unwrap().to_owned();
    let head: u64 = last["position"].as_str().unwrap().parse().unwrap();
    assert_eq!(told(replay(folder.path(), &["--to", &at(before)]))["position"], head - 1);
    assert_eq!(told(replay(folder.path(), &["--to", &at(last)]))["position"], head);
    let day = at(last)[..10].to_owned();
    assert_eq!(told(replay(folder.path(), &["--to", &day]))["position"], head);
    let nothing = told(replay(folder.path(), &["--to", "2020-01-01"]));
    assert_eq!(
        (&nothing["position"], nothing["ledgers"].as_array().unwrap().len()),
        (&0.into(), 0)
    );
    let beyond = (head + 1).to_string();
    let ran = replay(folder.path(), &["--to", &beyond]).fails(REFUSED);
    assert!(ran.stderr.contains(&format!("the log ends at position {head}")), "{ran}");
    let _ = replay(folder.path(), &["--to", "yesterday"]).fails(USAGE);
    let _ = server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_shows_something_else_is_told_of() {
    let folder = data_folder();
    let (data, fork) = (folder.path().join("data"), folder.path().join("fork"));
    let server = Server::start(&data);
    let company = Company::create(Client::connect(&server.url()).await, "acme", "2024-01-01").await;
    company.customer("dupont", "Dupont").await;
    let _ = server.stop();
    copy(&data, &fork);
    for (at, total) in [(&data, "10.00"), (&fork, "12.00")] {
        let server = Server::start(at);
        let company = Company::existing(Client::connect(&server.url()).await, "acme");
        company.issue("F-1", "dupont", total, "2024-02-01").await;
        let _ = server.stop();
    }
    let server = Server::start(&data);
    let ran = replay(&fork, &["--server", &server.url()]);
    // The start of this server added an event that the other folder has not.
    let _ = ran.fails(REFUSED);
    let position = replay(&fork, &[]);
    let position = told(position)["position"].as_u64().unwrap().to_string();
    let ran = replay(&fork, &["--server", &server.url(), "--to", &position]).fails(DAMAGED);
    assert!(ran.stderr.contains("replay_differs"), "{ran}");
    let rows: Value = serde_json::from_str(&ran.stdout).unwrap();
    let row = rows["differences"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["customer_id"] == "dupont" && row["figure"] == "invoiced");
    let row = row.unwrap_or_else(|| panic!("{ran}"));
    let told = ["replayed", "shown", "difference"].map(|column| minor(&row[column]));
    assert_eq!(told, [1_200, 1_000, -200]);
    let other = folder.path().join("other");
    let _ = Server::start(&other).stop();
    let ran = replay(&other, &["--server", &server.url()]).fails(DAMAGED);
    assert!(ran.stderr.contains("wrong_log"), "{ran}");
    let _ = server.stop();
}

#[test]
fn a_damaged_log_is_not_replayed() {
    let folder = data_folder();
    let server = Server::start(folder.path());
    let line = "ledger create --ledger shop --currency EUR --test-clock 2026-01-05";
    let _ = run(line.split(' ').chain(["--server", &server.url()])).ok();
    let _ = server.stop();
    let files = every_file(&folder.path().join("log"));
    let segment = files.iter().find(|path| path.to_str().unwrap().ends_with("1.seg")).unwrap();
    flip_bit(segment, 8 * 700);
    let ran = replay(folder.path(), &[]).fails(DAMAGED);
    assert!(ran.stdout.is_empty() && ran.stderr.contains("frame_corrupt"), "{ran}");
    let ran = replay(&folder.path().join("nothing"), &[]).fails(USAGE);
    assert!(ran.stderr.contains("no_log"), "{ran}");
}
