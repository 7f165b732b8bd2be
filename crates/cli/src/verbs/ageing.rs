//! `encours ageing`: what is open by how long it is past its due date.

use clap::Args;
use encours_proto::v1;

use super::{LedgerArgs, PastArgs};
use crate::client::{Client, PAGE};
use crate::failure::Outcome;
use crate::output::{self, Cell, Column, Format, Printer};

#[derive(Args, Debug)]
pub(crate) struct AgeingArgs {
    #[command(flatten)]
    target: LedgerArgs,
    #[command(flatten)]
    past: PastArgs,
    /// Show customers with nothing open and nothing left too; CSV and JSON always do
    #[arg(long)]
    all: bool,
}

const COLUMNS: [Column; 10] = [
    Column::left("customer_id"),
    Column::left("currency"),
    Column::right("not_due"),
    Column::right("d1_30"),
    Column::right("d31_60"),
    Column::right("d61_90"),
    Column::right("d91_120"),
    Column::right("d121_plus"),
    Column::right("unapplied"),
    Column::right("balance"),
];

fn row(name: Cell, ageing: &v1::Ageing) -> Outcome<Vec<Cell>> {
    let mut row = vec![name, Cell::text(&ageing.currency_code)];
    for amount in [
        &ageing.not_due,
        &ageing.days_1_to_30,
        &ageing.days_31_to_60,
        &ageing.days_61_to_90,
        &ageing.days_91_to_120,
        &ageing.days_over_120,
        &ageing.unapplied,
        &ageing.balance,
    ] {
        row.push(output::money(amount.as_ref())?);
    }
    Ok(row)
}

pub(crate) async fn run(args: &AgeingArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let mut request = v1::GetAgeingRequest {
        ledger_id: ledger.clone(),
        page_size: PAGE,
        page_token: String::new(),
        min_position: client.position(ledger).await?,
        as_of_date: args.past.date(),
        as_known_at: args.past.known(),
        include_settled: args.all || common.output.format != Format::Table,
    };
    let mut printer = Printer::start(common.output, "ageing", &COLUMNS)?;
    loop {
        let page = client.reports().get_ageing(request.clone()).await?.into_inner();
        for entry in &page.rows {
            if let Some(ageing) = &entry.ageing {
                printer.row(row(Cell::text(&entry.customer_id), ageing)?)?;
            }
        }
        request.page_token = page.next_page_token.clone();
        if request.page_token.is_empty() {
            for total in &page.totals {
                printer.total(row(Cell::word("TOTAL"), total)?)?;
            }
            facts(&mut printer, &page);
            return printer.finish();
        }
    }
}

fn facts(printer: &mut Printer, page: &v1::GetAgeingResponse) {
    let count = |count: u32| Cell::Count(u64::from(count));
    let customers = page.customers.unwrap_or_default();
    printer.fact("as_of", output::date(page.as_of_date));
    printer.fact("as_known", Cell::Count(page.known_position));
    printer.fact("open_invoices", count(page.open_invoices));
    printer.fact("customers_overdue", count(customers.overdue));
    printer.fact("customers_awaiting_payment", count(customers.awaiting_payment));
    printer.fact("customers_in_credit", count(customers.in_credit));
    printer.fact("customers_up_to_date", count(customers.up_to_date));
    printer.fact("position", Cell::Count(page.position));
}
