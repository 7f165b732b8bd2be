//! `encours ledger list|show|create`.

use clap::{Args, Subcommand};
use encours_domain::Day;
use encours_proto::v1;

use super::{LedgerArgs, VerbArgs, WriteArgs, day, written};
use crate::client::{Client, PAGE};
use crate::failure::Outcome;
use crate::output::{self, Cell, Column, Printer};

#[derive(Subcommand, Debug)]
pub(crate) enum LedgerVerb {
    /// The ledgers of the server
    List(VerbArgs),
    /// One ledger with its totals
    Show(LedgerArgs),
    /// Creates a ledger
    Create(CreateArgs),
}

#[derive(Args, Debug)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    target: LedgerArgs,
    /// ISO 4217 currency of documents that name none
    #[arg(long, value_name = "CUR")]
    currency: String,
    /// IANA time zone in which its days are counted
    #[arg(long, value_name = "ZONE", default_value = "Europe/Paris")]
    time_zone: String,
    /// Name of the selling entity
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    name: String,
    /// Puts it on a test clock that starts on this day, instead of the system's time
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    test_clock: Option<Day>,
    #[command(flatten)]
    write: WriteArgs,
}

const COLUMNS: [Column; 10] = [
    Column::left("ledger_id"),
    Column::left("name"),
    Column::left("currency"),
    Column::left("clock"),
    Column::left("time_zone"),
    Column::left("today"),
    Column::right("customers"),
    Column::right("invoices"),
    Column::right("payments"),
    Column::right("credit_notes"),
];

fn row(ledger: &v1::Ledger) -> Vec<Cell> {
    let clock = ledger.clock.clone().unwrap_or_default();
    let count = |count: u32| Cell::Count(u64::from(count));
    vec![
        Cell::text(&ledger.ledger_id),
        Cell::text(&ledger.name),
        Cell::text(&ledger.currency_code),
        Cell::text(if clock.test { "test" } else { "system" }),
        Cell::text(&clock.time_zone),
        output::date(clock.today),
        count(ledger.customer_count),
        count(ledger.invoice_count),
        count(ledger.payment_count),
        count(ledger.credit_note_count),
    ]
}

pub(crate) async fn run(verb: &LedgerVerb) -> Outcome {
    match verb {
        LedgerVerb::List(args) => list(args).await,
        LedgerVerb::Show(args) => show(args).await,
        LedgerVerb::Create(args) => create(args).await,
    }
}

async fn list(args: &VerbArgs) -> Outcome {
    let client = Client::connect(&args.server).await?;
    let min_position = client.head().await?.position;
    let mut printer = Printer::start(args.output, "ledgers", &COLUMNS)?;
    let mut page_token = String::new();
    loop {
        let request = v1::ListLedgersRequest { page_size: PAGE, page_token, min_position };
        let page = client.ledgers().list_ledgers(request).await?.into_inner();
        for ledger in &page.ledgers {
            printer.row(row(ledger))?;
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return printer.finish();
        }
    }
}

async fn show(args: &LedgerArgs) -> Outcome {
    let client = Client::connect(&args.common.server).await?;
    let min_position = client.head().await?.position;
    let ledger = super::ledger(&client, &args.ledger, min_position).await?;
    let request = v1::GetLedgerTotalsRequest { ledger_id: args.ledger.clone(), min_position };
    let totals = client.reports().get_ledger_totals(request).await?.into_inner();
    let mut printer = Printer::start(args.common.output, "ledger", &COLUMNS)?;
    printer.row(row(&ledger))?;
    for balance in &totals.balances {
        for (name, amount) in [
            ("invoiced", &balance.invoiced),
            ("credited", &balance.credited),
            ("collected", &balance.collected),
            ("outstanding", &balance.outstanding),
            ("overdue", &balance.overdue),
            ("unapplied", &balance.unapplied),
            ("net", &balance.net),
        ] {
            printer.fact(name, output::money(amount.as_ref())?);
        }
    }
    let count = |count: u32| Cell::Count(u64::from(count));
    printer.fact("open_invoices", count(totals.open_invoices));
    printer.fact("ever_overdue_invoices", count(totals.ever_overdue_invoices));
    let customers = totals.customers.unwrap_or_default();
    printer.fact("customers_overdue", count(customers.overdue));
    printer.fact("customers_awaiting_payment", count(customers.awaiting_payment));
    printer.fact("customers_in_credit", count(customers.in_credit));
    printer.fact("customers_up_to_date", count(customers.up_to_date));
    printer.fact("position", Cell::Count(totals.position));
    printer.finish()
}

async fn create(args: &CreateArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let WriteArgs { request_id, validate_only, reason } = args.write.clone();
    let request = v1::CreateLedgerRequest {
        ledger_id: ledger.clone(),
        request_id,
        validate_only,
        reason,
        name: args.name.clone(),
        currency_code: args.currency.clone(),
        time_zone: args.time_zone.clone(),
        test_clock: args.test_clock.map(|start| v1::TestClock {
            clock_id: String::new(),
            start_date: Some(output::day(start)),
        }),
        ..Default::default()
    };
    let answer = client.ledgers().create_ledger(request).await?.into_inner();
    let mut printer = Printer::start(common.output, "ledger", &COLUMNS)?;
    printer.row(row(&answer.ledger.unwrap_or_default()))?;
    for (name, value) in written(answer.position, answer.repeat, validate_only) {
        printer.fact(name, value);
    }
    printer.finish()
}
