//! `encours clock advance`: moves a test clock.

use clap::{Args, Subcommand};
use encours_domain::Day;
use encours_proto::v1;

use super::pages::{self, Written};
use super::{ChangeArgs, LedgerArgs, WriteArgs, day, ledger};
use crate::client::Client;
use crate::failure::Outcome;
use crate::output;

#[derive(Subcommand, Debug)]
pub(crate) enum ClockVerb {
    /// Moves the test clock of a ledger: every day on the way opens, and what falls due on it is told
    #[command(after_help = ADVANCE_EXAMPLES)]
    Advance(AdvanceArgs),
}

const ADVANCE_EXAMPLES: &str = "\
Examples:
  encours clock advance --ledger trial --to 2026-02-28
  encours clock advance --ledger trial --to 2026-03-09 --outage";

#[derive(Args, Debug)]
pub(crate) struct AdvanceArgs {
    #[command(flatten)]
    target: LedgerArgs,
    /// The day to reach: today or later, at most ten years on
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    to: Day,
    /// Simulates an outage: the days before that one open late, and of the reminders of an invoice
    /// only the last one due goes out
    #[arg(long)]
    outage: bool,
    #[command(flatten)]
    change: ChangeArgs,
}

pub(crate) async fn run(verb: &ClockVerb) -> Outcome {
    let ClockVerb::Advance(args) = verb;
    let common = &args.target.common;
    let client = Client::connect(&common.server).await?;
    let WriteArgs { request_id, validate_only, reason } = args.change.write.clone();
    let request = v1::AdvanceClockRequest {
        ledger_id: args.target.ledger.clone(),
        request_id,
        expected_version: args.change.expected_version,
        validate_only,
        reason,
        to: Some(output::day(args.to)),
        outage: args.outage,
    };
    let answer = client.write(client.ledgers().advance_clock(request)).await?;
    let ledger = answer.ledger.unwrap_or_default();
    let (version, position, repeat) = (ledger.version, answer.position, answer.repeat);
    let done = Written { version, position, repeat, validate_only };
    let rows = vec![ledger::row(&ledger)];
    pages::written(common.output, "ledger", &ledger::COLUMNS, rows, Vec::new(), &done)
}
