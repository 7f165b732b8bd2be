//! `encours draft issue|delete`: many at once, one line of outcome each.

use clap::Args;
use encours_domain::Day;
use encours_proto::v1;
use encours_proto::v1::command::Command;
use encours_proto::v1::command_outcome::Resource;
use encours_proto::v1::command_result::Result as Done;

use super::super::{ChangeArgs, LedgerArgs, WriteArgs, day};
use crate::client::{Client, PAGE};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{self, Cell, Column, Printer};
use crate::status::Told;

/// Commands of one call.
const BATCH: usize = 1_000;

/// Which drafts.
#[derive(Args, Debug)]
pub(crate) struct DraftsArgs {
    /// The drafts
    #[arg(value_name = "DRAFT", conflicts_with = "all")]
    drafts: Vec<String>,
    /// All that there are, or with --customer all of that customer
    #[arg(long)]
    all: bool,
    /// Only those of this customer
    #[arg(
        long,
        value_name = "ID",
        default_value = "",
        hide_default_value = true,
        requires = "all"
    )]
    customer: String,
    #[command(flatten)]
    target: LedgerArgs,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Args, Debug)]
pub(crate) struct IssueArgs {
    #[command(flatten)]
    which: DraftsArgs,
    /// The issue date; the draft's, else the ledger's today, where left out
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    date: Option<Day>,
    /// The number of the one invoice; the draft's, else allotted by the series, where left out
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    number: String,
    /// Issues them though a credit limit would refuse it; the log says so
    #[arg(long)]
    override_credit_limit: bool,
    /// Notes them as sent on their issue date too
    #[arg(long)]
    sent: bool,
}

#[derive(Args, Debug)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    which: DraftsArgs,
}

const COLUMNS: [Column; 8] = [
    Column::left("invoice_id"),
    Column::left("number"),
    Column::left("customer_id"),
    Column::left("currency"),
    Column::right("total"),
    Column::left("result"),
    Column::right("position"),
    Column::left("detail"),
];

pub(super) async fn issue(args: &IssueArgs) -> Outcome {
    let which = &args.which;
    which.any()?;
    if which.is_many() && !args.number.is_empty() {
        return Err(Failure::usage("--number is for one draft"));
    }
    let client = Client::connect(&which.target.common.server).await?;
    let WriteArgs { request_id, validate_only, reason } = which.change.write.clone();
    let command = |draft: &String| {
        Command::IssueInvoice(v1::IssueInvoiceRequest {
            ledger_id: which.target.ledger.clone(),
            request_id: request_id.clone(),
            expected_version: which.change.expected_version,
            validate_only,
            reason: reason.clone(),
            invoice_id: draft.clone(),
            number: args.number.clone(),
            issue_date: args.date.map(output::day),
            from_draft: true,
            override_credit_limit: args.override_credit_limit,
            ..Default::default()
        })
    };
    let mut results = which.execute(&client, command).await?;
    if args.sent && !validate_only {
        mark_sent(&client, which, &mut results).await?;
    }
    if validate_only && results.len() > 1 {
        forget_numbers(&mut results);
    }
    which.print(results)
}

pub(super) async fn delete(args: &DeleteArgs) -> Outcome {
    let which = &args.which;
    which.any()?;
    let client = Client::connect(&which.target.common.server).await?;
    let WriteArgs { request_id, validate_only, reason } = which.change.write.clone();
    let command = |draft: &String| {
        Command::DeleteDraft(v1::DeleteDraftRequest {
            ledger_id: which.target.ledger.clone(),
            request_id: request_id.clone(),
            expected_version: which.change.expected_version,
            validate_only,
            reason: reason.clone(),
            invoice_id: draft.clone(),
        })
    };
    let results = which.execute(&client, command).await?;
    which.print(results)
}

/// A draft with what became of it.
type Result = (String, Option<Done>);

/// Sends commands in batches; answers what became of each.
async fn send(client: &Client, commands: Vec<Command>) -> Outcome<Vec<Option<Done>>> {
    let mut results = Vec::with_capacity(commands.len());
    for batch in commands.chunks(BATCH) {
        let commands = batch.iter().map(|command| v1::Command { command: Some(command.clone()) });
        let request = v1::ExecuteRequest { commands: commands.collect() };
        let answer = client.write(client.batch().execute(request)).await?;
        results.extend(answer.results.into_iter().map(|result| result.result));
    }
    Ok(results)
}

/// Notes those that were issued, also at an earlier try, as sent on their issue date.
async fn mark_sent(client: &Client, which: &DraftsArgs, results: &mut [Result]) -> Outcome {
    let mut of = Vec::new();
    let mut commands = Vec::new();
    for (at, (_, done)) in results.iter().enumerate() {
        let Some(invoice) = done.as_ref().and_then(invoice) else { continue };
        if invoice.sent_on.is_none() {
            of.push(at);
            commands.push(Command::MarkSent(v1::MarkSentRequest {
                ledger_id: which.target.ledger.clone(),
                invoice_id: invoice.invoice_id.clone(),
                date: invoice.issue_date,
                ..Default::default()
            }));
        }
    }
    for (at, sent) in of.into_iter().zip(send(client, commands).await?) {
        if let (Some(Done::Error(_)), Some(result)) = (&sent, results.get_mut(at)) {
            result.1 = sent;
        }
    }
    Ok(())
}

/// Takes out the numbers that would be allotted: each of several is tried by itself, and is told the
/// same next number of the series.
fn forget_numbers(results: &mut [Result]) {
    for (_, done) in results {
        if let Some(Done::Outcome(outcome)) = done
            && !outcome.repeat
            && let Some(Resource::Invoice(invoice)) = &mut outcome.resource
        {
            invoice.number.clear();
        }
    }
}

/// The invoice of a command that was done.
fn invoice(done: &Done) -> Option<&v1::Invoice> {
    match done {
        Done::Outcome(v1::CommandOutcome {
            resource: Some(Resource::Invoice(invoice)), ..
        }) => Some(invoice),
        _ => None,
    }
}

impl DraftsArgs {
    /// Refuses a command that means no draft.
    fn any(&self) -> Outcome {
        if self.all || !self.drafts.is_empty() {
            return Ok(());
        }
        Err(Failure::usage("no draft is named").hint("name drafts, or say --all"))
    }

    fn is_many(&self) -> bool {
        self.all || self.drafts.len() > 1
    }

    /// Sends a command for each of the drafts.
    async fn execute(
        &self,
        client: &Client,
        command: impl Fn(&String) -> Command,
    ) -> Outcome<Vec<Result>> {
        let once = [
            ("--request-id", !self.change.write.request_id.is_empty()),
            ("--expected-version", self.change.expected_version.is_some()),
        ];
        if let Some((flag, _)) = once.iter().find(|(_, given)| *given && self.is_many()) {
            return Err(Failure::usage(format!("{flag} is for one draft")));
        }
        let drafts = if self.all { self.every(client).await? } else { self.drafts.clone() };
        let results = send(client, drafts.iter().map(command).collect()).await?;
        Ok(drafts.into_iter().zip(results).collect())
    }

    /// The ids of all drafts that are meant.
    async fn every(&self, client: &Client) -> Outcome<Vec<String>> {
        let mut drafts = Vec::new();
        let mut request = v1::ListInvoicesRequest {
            ledger_id: self.target.ledger.clone(),
            filter: Some(super::filter(&self.customer)),
            page_size: PAGE,
            min_position: client.position(&self.target.ledger).await?,
            ..Default::default()
        };
        loop {
            let page = client.invoices().list_invoices(request.clone()).await?.into_inner();
            drafts.extend(page.invoices.into_iter().map(|draft| draft.invoice_id));
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                return Ok(drafts);
            }
        }
    }

    /// Prints what became of each, and fails where any was not done.
    fn print(&self, results: Vec<Result>) -> Outcome {
        let common = &self.target.common;
        let (all, mut wrong, mut exit) = (results.len(), 0, Exit::Refused);
        let mut printer = Printer::start(common.output, "drafts", &COLUMNS)?;
        for (draft, done) in results {
            match done {
                Some(Done::Outcome(outcome)) => printer.row(self.row(&draft, &outcome)?)?,
                Some(Done::Error(error)) => {
                    wrong += 1;
                    let told = Told::from(error);
                    if told.retry {
                        exit = Exit::Unavailable;
                    }
                    printer.row(refused(&draft, &told))?;
                }
                None => return Err(Failure::new(Exit::Failure, format!("{draft}: no outcome"))),
            }
        }
        printer.fact("count", Cell::Count(all as u64));
        printer.fact("refused", Cell::Count(wrong));
        printer.finish()?;
        match wrong {
            0 => Ok(()),
            wrong => {
                let hint = match (wrong == all as u64, self.change.write.validate_only) {
                    (true, _) => "the lines above say why",
                    (false, true) => "the others would be done; the lines above say why",
                    (false, false) => "the others are done; the lines above say why",
                };
                let message = format!("refused: {wrong} of {all} drafts");
                Err(Failure::new(exit, message).hint(hint))
            }
        }
    }

    fn row(&self, draft: &str, outcome: &v1::CommandOutcome) -> Outcome<Vec<Cell>> {
        let invoice = match &outcome.resource {
            Some(Resource::Invoice(invoice)) => invoice.clone(),
            _ => v1::Invoice::default(),
        };
        let result = match (self.change.write.validate_only, outcome.repeat) {
            (_, true) => "DONE_BEFORE",
            (true, _) => "WOULD_BE_DONE",
            _ => "DONE",
        };
        let currency = invoice.total.as_ref().map(|total| total.currency_code.clone());
        Ok(vec![
            Cell::text(draft),
            Cell::text(&invoice.number),
            Cell::text(&invoice.customer_id),
            Cell::text(currency.unwrap_or_default()),
            output::money(invoice.total.as_ref())?,
            Cell::Status(result.to_owned()),
            Cell::Count(outcome.position),
            Cell::Empty,
        ])
    }
}

fn refused(draft: &str, told: &Told) -> Vec<Cell> {
    let mut row = vec![Cell::text(draft)];
    row.resize(COLUMNS.len() - 3, Cell::Empty);
    row.extend([Cell::Status("REFUSED".to_owned()), Cell::Empty, Cell::text(told.to_string())]);
    row
}
