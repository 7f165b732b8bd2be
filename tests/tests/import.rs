//! The main job on real input: 2,466 real invoices of 100 customers, imported, and the figures that
//! must come out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use encours_proto::v1;
use encours_tests::{Client, Server, amount, data_folder, date, root, run};

const COLUMNS: &str = "customer_id=customerID,invoice_id=invoiceNumber,issue_date=InvoiceDate,\
                       due_date=DueDate,total=InvoiceAmount,disputed=Disputed,paid_on=SettledDate";

/// The file: beside the checkout, or where `ENCOURS_TEST_DATA` says.
fn histories() -> Option<PathBuf> {
    let folder = std::env::var_os("ENCOURS_TEST_DATA")
        .map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let file = folder.join("ibm-late-payment-histories.csv");
    file.is_file().then_some(file)
}

fn rows(csv: &str) -> Vec<Vec<&str>> {
    csv.lines().map(|line| line.split(',').collect()).collect()
}

/// Open invoices, outstanding, not due and 1-30 days late, customers by status: at the end of a day.
async fn at(client: &Client, day: &str) -> (u32, [String; 3], [u32; 3]) {
    let request = v1::GetAgeingRequest {
        ledger_id: "ibm".to_owned(),
        as_of_date: date(day),
        min_position: client.head().await.position,
        ..Default::default()
    };
    let answer = client.reports.clone().get_ageing(request).await.unwrap().into_inner();
    let [total] = &answer.totals[..] else { panic!("one currency: {:?}", answer.totals) };
    let figures = [&total.balance, &total.not_due, &total.days_1_to_30];
    let customers = answer.customers.unwrap();
    (
        answer.open_invoices,
        figures.map(|figure| amount(figure.as_ref())),
        [customers.overdue, customers.awaiting_payment, customers.up_to_date],
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_histories_give_the_figures_they_must() {
    let Some(file) = histories() else {
        println!("skipped: ibm-late-payment-histories.csv is not in ../shared/data");
        return;
    };
    let folder = data_folder();
    let server = Server::start(folder.path());
    let url = server.url();
    let import = || {
        let target = ["--ledger", "ibm", "--currency", "USD", "--date-format", "%m/%d/%Y"];
        let arguments = ["import", file.to_str().unwrap(), "--columns", COLUMNS, "--server", &url];
        run(arguments.iter().chain(&target)).ok()
    };
    let begun = Instant::now();
    let imported = import();
    println!("{}\nimported in {} ms", imported.stdout.trim(), begun.elapsed().as_millis());
    let client = Client::connect(&url).await;
    let head = client.head().await;
    let _ = import();
    let again = client.head().await;
    assert_eq!(again.position, head.position, "a second import appends nothing");

    let totals = v1::GetLedgerTotalsRequest { ledger_id: "ibm".to_owned(), min_position: 0 };
    let totals = client.reports.clone().get_ledger_totals(totals).await.unwrap().into_inner();
    let balance = &totals.balances[0];
    assert_eq!(amount(balance.invoiced.as_ref()), "147703.18");
    assert_eq!(amount(balance.collected.as_ref()), "147703.18");
    assert_eq!(amount(balance.outstanding.as_ref()), "0.00");
    assert_eq!(totals.ever_overdue_invoices, 877);
    assert_eq!(totals.invoices.unwrap().paid, 2_466);
    let june = ["5119.85", "4284.29", "835.56"].map(str::to_owned);
    assert_eq!(at(&client, "2013-06-30").await, (84, june, [12, 40, 48]));
    let (open, figures, _) = at(&client, "2012-12-31").await;
    assert_eq!((open, &figures[0][..], &figures[2][..]), (99, "5725.06", "788.74"));

    let verb = |line: &str| run(line.split(' ').chain(["--server", &url])).ok().stdout;
    let ageing = verb("ageing --ledger ibm --as-of 2013-06-30 --output csv");
    let ageing = rows(&ageing);
    let expected = "TOTAL,USD,4284.29,835.56,0.00,0.00,0.00,0.00,0.00,5119.85";
    assert_eq!(ageing.last().unwrap().join(","), expected);
    assert_eq!(ageing.len(), 102, "a header, a row per customer, a total");
    let customers = verb("customer list --ledger ibm --output csv");
    let customers = rows(&customers);
    assert_eq!(customers.len(), 101);
    let cents = |text: &str| text.replace('.', "").parse::<i64>().unwrap();
    let invoiced: i64 = customers[1..].iter().map(|row| cents(row[4])).sum();
    assert_eq!(invoiced, 14_770_318);
    let invoices = verb("invoice list --ledger ibm --output csv");
    let mut statuses = BTreeMap::new();
    for row in &rows(&invoices)[1..] {
        *statuses.entry(row[8]).or_insert(0) += 1;
    }
    assert_eq!(statuses, BTreeMap::from([("PAID", 2_466)]));
    let _ = verb("log verify");
    println!("{} events in {} frames", head.position, head.frame_number);
}
