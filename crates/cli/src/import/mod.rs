//! `encours import`: a CSV file of invoices and their settlement, played in date order over gRPC.

mod columns;
mod commands;
mod plan;
mod play;
mod raw;
mod rows;

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use encours_domain::{Currency, Day, Money};
use encours_log::{Clock, SystemClock};
use encours_proto::v1;

use crate::client::{Client, ServerArgs};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{self, Cell, Column, OutputArgs, Printer};
use play::{Played, Player};
use rows::{Conventions, Problem, Row};

/// The most problems that are told one by one.
const PROBLEMS_TOLD: usize = 200;

/// What `encours import` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct ImportArgs {
    /// The CSV file: a header line, then one invoice per line
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The ledger to import into; made on a test clock where it does not exist
    #[arg(long, value_name = "ID")]
    ledger: String,

    /// ISO 4217 currency of the amounts
    #[arg(long, value_name = "CUR")]
    currency: String,

    /// How dates are written, as in strftime
    #[arg(long, value_name = "FMT", default_value = "%Y-%m-%d",
          value_parser = rows::check_date_format)]
    date_format: String,

    /// Which column holds what: key=COLUMN pairs with commas between. Keys: customer_id,
    /// invoice_id, issue_date, due_date, total, disputed, paid_on, customer_name, currency, number,
    /// reference. A key that is not named stands in the column of its own name
    #[arg(long, value_name = "KEY=COLUMN,...", default_value = "", hide_default_value = true)]
    columns: String,

    /// What stands between fields
    #[arg(long, value_name = "CHAR", default_value = ",", value_parser = delimiter)]
    delimiter: u8,

    /// The most years from one day of the file, or from the ledger's today, to the next: beyond them a
    /// year is mistyped, and nothing is imported
    #[arg(long, value_name = "YEARS", default_value_t = 10,
          value_parser = clap::value_parser!(i32).range(1..=300))]
    max_gap: i32,

    /// IANA time zone of a new ledger
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    time_zone: String,

    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    output: OutputArgs,
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && *byte != b'"' => Ok(*byte),
        b"\\t" | b"tab" => Ok(b'\t'),
        _ => Err("give one character, such as , or ; or tab".into()),
    }
}

/// A file that was read.
pub(crate) struct Source {
    path: PathBuf,
    how: Conventions,
    rows: Vec<(u64, Row)>,
}

impl Source {
    /// Refuses a file that would move the clock by decades.
    fn check_gaps(&self, today: Option<Day>, years: i32) -> Outcome {
        let Some(gap) = plan::gap(&plan::plan(&self.rows), today, years) else { return Ok(()) };
        let (path, line, key) = (self.path.display(), self.rows[gap.row].0, gap.key.name());
        let message = format!(
            "{path}:{line}: {key}: {} lies {} years after {}, the last day before it",
            gap.day,
            gap.years(),
            gap.before
        );
        Err(Failure::new(Exit::Refused, message).hint(format!(
            "correct the year, or allow it with --max-gap {}; nothing was imported",
            gap.years() + 1
        )))
    }
}

/// Imports a file.
pub(crate) async fn run(args: &ImportArgs) -> Outcome {
    let clock = SystemClock::new();
    let currency = Currency::parse("--currency", &args.currency)
        .map_err(|refusal| Failure::usage(refusal.message))?;
    let how = Conventions {
        currency,
        date_format: args.date_format.clone(),
        delimiter: args.delimiter,
        columns: args.columns.clone(),
    };
    let path = args.file.clone();
    // A file of the user's, read and left alone: the trait Disk is for what Encours stores.
    let file = File::open(&path)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    let rows::Contents { rows, mut problems, total } = rows::read(&path, file, &how)?;
    if rows.is_empty() && problems.is_empty() {
        return Err(Failure::usage(format!("{}: the file has no rows", path.display())));
    }
    let source = Source { path, how, rows };
    source.check_gaps(None, args.max_gap)?;
    let client = Client::connect(&args.server).await?;
    let mut played = Played::default();
    if !source.rows.is_empty() {
        played = play(&client, args, &source).await?;
    }
    problems.append(&mut played.problems);
    problems.sort_by_key(|problem| problem.line);
    tell(&problems);
    if !source.rows.is_empty() {
        summary(&client, args, &source, &played, problems.is_empty(), clock.monotonic()).await?;
    }
    if problems.is_empty() {
        return Ok(());
    }
    let wrong = problems.len();
    let message = format!("{}: {wrong} of {total} rows were left out", source.path.display());
    Err(Failure::new(Exit::Refused, message)
        .hint("correct them and import the file again: what is there already is not repeated"))
}

/// Plays the rows; where the server does not answer, what to do is told.
async fn play(client: &Client, args: &ImportArgs, source: &Source) -> Outcome<Played> {
    let played = async { Player::open(client, args, source).await?.play().await };
    played.await.map_err(|failure| match failure.exit() {
        Exit::Unavailable => {
            failure.hint("import the file again: what is there already is not repeated")
        }
        _ => failure,
    })
}

fn tell(problems: &[Problem]) {
    let mut err = anstream::stderr().lock();
    // WHY ignored: where standard error is closed, the exit code still tells.
    for problem in problems.iter().take(PROBLEMS_TOLD) {
        let _ = writeln!(err, "{problem}");
    }
    if problems.len() > PROBLEMS_TOLD {
        let _ = writeln!(err, "… and {} more", problems.len() - PROBLEMS_TOLD);
    }
}

const SUMMARY: [Column; 11] = [
    Column::left("ledger_id"),
    Column::left("currency"),
    Column::right("rows"),
    Column::right("invoices"),
    Column::right("payments"),
    Column::right("invoiced"),
    Column::right("collected"),
    Column::right("outstanding"),
    Column::right("ever_overdue"),
    Column::right("position"),
    Column::right("seconds"),
];

/// What the ledger holds now; `whole` where no row of the file was left out.
async fn summary(
    client: &Client,
    args: &ImportArgs,
    source: &Source,
    played: &Played,
    whole: bool,
    took: Duration,
) -> Outcome {
    let ledger_id = || args.ledger.clone();
    let min_position = client.position(&args.ledger).await?;
    let request = v1::GetLedgerTotalsRequest { ledger_id: ledger_id(), min_position };
    let totals = client.reports().get_ledger_totals(request).await?.into_inner();
    let request = v1::GetLedgerRequest { ledger_id: ledger_id(), min_position };
    let ledger = client.ledgers().get_ledger(request).await?.into_inner().ledger;
    let ledger = ledger.unwrap_or_default();
    let mut printer = Printer::start(args.output, "imported", &SUMMARY)?;
    let zero = Money::new(0, source.how.currency);
    for balance in &totals.balances {
        let amount = |money: &Option<v1::Money>| -> Outcome<Cell> {
            Ok(money
                .as_ref()
                .map(output::amount)
                .transpose()?
                .map_or(Cell::Money(zero), Cell::Money))
        };
        printer.row(vec![
            Cell::text(ledger_id()),
            Cell::text(&balance.currency_code),
            Cell::Count(source.rows.len() as u64),
            Cell::Count(u64::from(ledger.invoice_count)),
            Cell::Count(u64::from(ledger.payment_count)),
            amount(&balance.invoiced)?,
            amount(&balance.collected)?,
            amount(&balance.outstanding)?,
            Cell::Count(u64::from(totals.ever_overdue_invoices)),
            Cell::Count(totals.position),
            Cell::text(format!("{}.{:02}", took.as_secs(), took.subsec_millis() / 10)),
        ])?;
    }
    let done = match (played.appended, whole) {
        (0, true) => Cell::phrase("nothing new: the ledger holds all of this file", []),
        (0, false) => Cell::phrase("nothing appended", []),
        (appended, _) => {
            let counts = [appended, played.days].map(Cell::Count);
            Cell::phrase("{} commands, {} days opened", counts)
        }
    };
    printer.fact("done", done);
    printer.finish()
}
