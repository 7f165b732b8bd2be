//! `encours reminder list`, the plan of an invoice's reminders, and what a reminder by hand is.

use clap::{Args, Subcommand};
use encours_domain::Day;
use encours_proto::v1;

use super::choices::Reminding;
use super::pages;
use super::{LedgerArgs, day};
use crate::client::{Client, PAGE};
use crate::failure::Outcome;
use crate::output::{self, Cell, Column, Printer};

#[derive(Subcommand, Debug)]
pub(crate) enum ReminderVerb {
    /// The next reminder of every invoice that has one, by date
    #[command(after_help = "Examples:\n  encours reminder list --ledger acme --until 2026-02-28")]
    List(ListArgs),
}

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    target: LedgerArgs,
    /// The last day to look at; 30 days after the ledger's today where left out
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    until: Option<Day>,
}

/// What a reminder was that a person made.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReminderArgs {
    /// How severe it was: 1 to 9
    #[arg(long, value_name = "N")]
    pub(super) level: i32,
    /// How it went out
    #[arg(long, value_enum)]
    channel: Reminding,
    /// The day, not after today; the ledger's today where left out
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    date: Option<Day>,
    /// What was said; no personal data here
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(super) text: String,
}

impl ReminderArgs {
    pub(super) fn channel(&self) -> i32 {
        v1::ReminderChannel::from(self.channel).into()
    }

    pub(super) fn date(&self) -> Option<v1::Date> {
        self.date.map(output::day)
    }
}

pub(crate) const COLUMNS: [Column; 9] = [
    Column::left("date"),
    Column::left("template"),
    Column::right("level"),
    Column::left("channel"),
    Column::left("invoice_id"),
    Column::left("number"),
    Column::left("customer_id"),
    Column::left("due_date"),
    Column::right("open"),
];

/// The next reminder of an invoice as a row.
pub(crate) fn row(upcoming: &v1::UpcomingReminder) -> Outcome<Vec<Cell>> {
    let next = upcoming.reminder.clone().unwrap_or_default();
    Ok(vec![
        output::date(next.date),
        Cell::word(&next.template),
        level(next.level),
        channel(next.channel()),
        Cell::text(&upcoming.invoice_id),
        Cell::text(&upcoming.number),
        Cell::text(&upcoming.customer_id),
        output::date(upcoming.due_date),
        output::money(upcoming.open.as_ref())?,
    ])
}

fn level(level: i32) -> Cell {
    Cell::Count(u64::try_from(level).unwrap_or_default())
}

fn channel(channel: v1::ReminderChannel) -> Cell {
    Cell::word(output::word(channel.as_str_name(), "REMINDER_CHANNEL_"))
}

pub(crate) async fn run(verb: &ReminderVerb) -> Outcome {
    match verb {
        ReminderVerb::List(args) => list(args).await,
    }
}

async fn list(args: &ListArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let request = v1::ListUpcomingRemindersRequest {
        ledger_id: ledger.clone(),
        until_date: args.until.map(output::day),
        page_size: PAGE,
        page_token: String::new(),
        min_position: client.position(ledger).await?,
    };
    let rows = |upcoming: &v1::UpcomingReminder| Ok(vec![row(upcoming)?]);
    pages::list(common.output, "reminders", &COLUMNS, rows, async |page_token| {
        let request = v1::ListUpcomingRemindersRequest { page_token, ..request.clone() };
        client.invoices().list_upcoming_reminders(request).await
    })
    .await
}

/// The invoice whose plan is asked for.
#[derive(Args, Debug)]
pub(crate) struct PlanArgs {
    /// The invoice
    #[arg(value_name = "INVOICE")]
    invoice: String,
    #[command(flatten)]
    target: LedgerArgs,
}

const PLAN: [Column; 8] = [
    Column::left("date"),
    Column::left("state"),
    Column::left("template"),
    Column::right("level"),
    Column::left("channel"),
    Column::left("planned_date"),
    Column::right("open"),
    Column::right("position"),
];

/// Prints the whole plan of an invoice: what went out, what a person did, what is to come.
pub(super) async fn plan(args: &PlanArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let request = v1::GetReminderPlanRequest {
        ledger_id: ledger.clone(),
        invoice_id: args.invoice.clone(),
        min_position: client.position(ledger).await?,
    };
    let plan = client.invoices().get_reminder_plan(request).await?.into_inner();
    let mut printer = Printer::start(common.output, "reminders", &PLAN)?;
    for entry in &plan.entries {
        let position = Some(entry.position).filter(|position| *position > 0);
        printer.row(vec![
            output::date(entry.date),
            Cell::word(output::word(entry.state().as_str_name(), "REMINDER_STATE_")),
            Cell::word(&entry.template),
            level(entry.level),
            channel(entry.channel()),
            output::date(entry.planned_date),
            output::money(entry.open.as_ref())?,
            position.map_or(Cell::Empty, Cell::Count),
        ])?;
    }
    let state = output::word(plan.state().as_str_name(), "REMINDER_PLAN_STATE_");
    printer.fact("plan", Cell::word(state));
    printer.fact("reminders", Cell::word(&plan.reminder_policy_id));
    printer.fact("calendar", Cell::word(&plan.calendar_id));
    printer.fact("position", Cell::Count(plan.position));
    printer.finish()
}
