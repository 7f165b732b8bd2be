//! `encours ledger list|show|totals|create`.

use clap::{Args, Subcommand};
use encours_domain::Day;
use encours_proto::v1;

use super::pages::{self, Written};
use super::{LedgerArgs, TermsArgs, VerbArgs, WriteArgs, day};
use crate::client::{Client, PAGE};
use crate::failure::Outcome;
use crate::output::{self, Cell, Column, Printer};

#[derive(Subcommand, Debug)]
pub(crate) enum LedgerVerb {
    /// The ledgers of the server
    #[command(after_help = "Examples:\n  encours ledger list --output json")]
    List(ListArgs),
    /// One ledger with its totals
    #[command(after_help = "Examples:\n  encours ledger show --ledger acme")]
    Show(LedgerArgs),
    /// What all customers of a ledger together were invoiced, have paid and still owe
    #[command(after_help = "Examples:\n  encours ledger totals --ledger acme --output csv")]
    Totals(LedgerArgs),
    /// Creates a ledger
    #[command(after_help = CREATE_EXAMPLE)]
    Create(Box<CreateArgs>),
}

const CREATE_EXAMPLE: &str = "\
Examples:
  encours ledger create --ledger acme --currency EUR --time-zone Europe/Paris
  encours ledger create --ledger trial --currency EUR --test-clock 2026-01-01 \\
    --invoice-numbers F{year}-{seq:4} --net-days 45
  encours ledger create --ledger hours --currency EUR --calendar weekdays --reminders none";

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// Only those of this log, where the server keeps several
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    log: String,
    #[command(flatten)]
    common: VerbArgs,
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
    /// Name of the test clock; ledgers that name the same one share it; the ledger's id where left
    /// out
    #[arg(
        long,
        value_name = "ID",
        default_value = "",
        hide_default_value = true,
        requires = "test_clock"
    )]
    clock: String,
    #[command(flatten)]
    terms: TermsArgs,
    /// Pattern of the numbers allotted to invoices; INV-{year}-{seq:5} where left out
    #[arg(long, value_name = "PATTERN", default_value = "", hide_default_value = true)]
    invoice_numbers: String,
    /// Pattern of the numbers allotted to credit notes; CN-{year}-{seq:5} where left out
    #[arg(long, value_name = "PATTERN", default_value = "", hide_default_value = true)]
    credit_note_numbers: String,
    /// Which days are business days: france or weekdays; france where left out
    #[arg(long, value_name = "CALENDAR", default_value = "", hide_default_value = true)]
    calendar: String,
    /// The plan of its reminders: three-cases or none; three-cases where left out
    #[arg(long, value_name = "POLICY", default_value = "", hide_default_value = true)]
    reminders: String,
    /// The log to put it in, where the server keeps several; the one with the fewest events where
    /// left out
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    log: String,
    #[command(flatten)]
    write: WriteArgs,
}

pub(super) const COLUMNS: [Column; 10] = [
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

pub(super) fn row(ledger: &v1::Ledger) -> Vec<Cell> {
    let clock = ledger.clock.clone().unwrap_or_default();
    let count = |count: u32| Cell::Count(u64::from(count));
    vec![
        Cell::text(&ledger.ledger_id),
        Cell::text(&ledger.name),
        Cell::text(&ledger.currency_code),
        Cell::word(if clock.test { "test" } else { "system" }),
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
        LedgerVerb::Totals(args) => totals(args).await,
        LedgerVerb::Create(args) => create(args).await,
    }
}

async fn list(args: &ListArgs) -> Outcome {
    let client = Client::connect(&args.common.server).await?;
    let min_position = client.position_of_all(&args.log).await?;
    let rows = |ledger: &v1::Ledger| Ok(vec![row(ledger)]);
    pages::list(args.common.output, "ledgers", &COLUMNS, rows, async |page_token| {
        let log = args.log.clone();
        let request = v1::ListLedgersRequest { page_size: PAGE, page_token, min_position, log };
        client.ledgers().list_ledgers(request).await
    })
    .await
}

async fn show(args: &LedgerArgs) -> Outcome {
    let client = Client::connect(&args.common.server).await?;
    let min_position = client.position(&args.ledger).await?;
    let ledger = super::ledger(&client, &args.ledger, min_position).await?;
    let request = v1::GetLedgerTotalsRequest { ledger_id: args.ledger.clone(), min_position };
    let totals = client.reports().get_ledger_totals(request).await?.into_inner();
    let mut printer = Printer::start(args.common.output, "ledger", &COLUMNS)?;
    printer.row(row(&ledger))?;
    printer.fact("version", Cell::Count(ledger.version));
    printer.fact("calendar", Cell::word(&ledger.calendar_id));
    printer.fact("reminders", Cell::word(&ledger.reminder_policy_id));
    if !ledger.log.is_empty() {
        printer.fact("log", Cell::text(&ledger.log));
    }
    for balance in &totals.balances {
        for (name, amount) in [
            ("opening", &balance.opening),
            ("invoiced", &balance.invoiced),
            ("credited", &balance.credited),
            ("collected", &balance.collected),
            ("refunded", &balance.refunded),
            ("outstanding", &balance.outstanding),
            ("overdue", &balance.overdue),
            ("unapplied", &balance.unapplied),
            ("net", &balance.net),
        ] {
            printer.fact(name, output::money(amount.as_ref())?);
        }
    }
    counts(&mut printer, &totals);
    printer.finish()
}

const TOTALS: [Column; 11] = [
    Column::left("currency"),
    Column::right("opening").spare(1),
    Column::right("invoiced"),
    Column::right("credited").spare(1),
    Column::right("collected"),
    Column::right("refunded").spare(1),
    Column::right("outstanding"),
    Column::right("overdue"),
    Column::right("not_due").spare(1),
    Column::right("unapplied"),
    Column::right("net"),
];

async fn totals(args: &LedgerArgs) -> Outcome {
    let client = Client::connect(&args.common.server).await?;
    let min_position = client.position(&args.ledger).await?;
    let request = v1::GetLedgerTotalsRequest { ledger_id: args.ledger.clone(), min_position };
    let totals = client.reports().get_ledger_totals(request).await?.into_inner();
    let mut printer = Printer::start(args.common.output, "totals", &TOTALS)?;
    for balance in &totals.balances {
        let mut row = vec![Cell::text(&balance.currency_code)];
        for amount in [
            &balance.opening,
            &balance.invoiced,
            &balance.credited,
            &balance.collected,
            &balance.refunded,
            &balance.outstanding,
            &balance.overdue,
            &balance.not_due,
            &balance.unapplied,
            &balance.net,
        ] {
            row.push(output::money(amount.as_ref())?);
        }
        printer.row(row)?;
    }
    counts(&mut printer, &totals);
    printer.finish()
}

/// Adds how many invoices and customers there are of each status.
fn counts(printer: &mut Printer, totals: &v1::GetLedgerTotalsResponse) {
    let mut fact = |name, count: u32| printer.fact(name, Cell::Count(u64::from(count)));
    let invoices = totals.invoices.unwrap_or_default();
    fact("open_invoices", totals.open_invoices);
    fact("ever_overdue_invoices", totals.ever_overdue_invoices);
    fact("invoices_cancelled", invoices.cancelled);
    fact("invoices_paid", invoices.paid);
    fact("invoices_overdue", invoices.overdue);
    fact("invoices_partially_paid", invoices.partially_paid);
    fact("invoices_not_due", invoices.not_due);
    fact("invoices_payment_planned", invoices.payment_planned);
    fact("invoices_draft", invoices.draft);
    let customers = totals.customers.unwrap_or_default();
    fact("customers_overdue", customers.overdue);
    fact("customers_awaiting_payment", customers.awaiting_payment);
    fact("customers_in_credit", customers.in_credit);
    fact("customers_up_to_date", customers.up_to_date);
    printer.fact("position", Cell::Count(totals.position));
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
            clock_id: args.clock.clone(),
            start_date: Some(output::day(start)),
        }),
        terms: args.terms.terms(),
        invoice_number_pattern: args.invoice_numbers.clone(),
        credit_note_number_pattern: args.credit_note_numbers.clone(),
        calendar_id: args.calendar.clone(),
        reminder_policy_id: args.reminders.clone(),
        log: args.log.clone(),
        ..Default::default()
    };
    let answer = client.write(client.ledgers().create_ledger(request)).await?;
    let ledger = answer.ledger.unwrap_or_default();
    let (version, position, repeat) = (ledger.version, answer.position, answer.repeat);
    let done = Written { version, position, repeat, validate_only };
    pages::written(common.output, "ledger", &COLUMNS, vec![row(&ledger)], Vec::new(), &done)
}
