//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::backup::{self, BackupArgs, RestoreArgs};
use crate::completions::{self, CompletionsArgs};
use crate::demo::DemoArgs;
use crate::doctor::{self, DoctorArgs};
use crate::failure::EXIT_CODES;
use crate::import::ImportArgs;
use crate::replay::{self, ReplayArgs};
use crate::serve::ServeArgs;
use crate::verbs::ageing::AgeingArgs;
use crate::verbs::clock::ClockVerb;
use crate::verbs::credit_note::CreditNoteVerb;
use crate::verbs::customer::CustomerVerb;
use crate::verbs::draft::DraftVerb;
use crate::verbs::events::EventsVerb;
use crate::verbs::export::ExportVerb;
use crate::verbs::invoice::InvoiceVerb;
use crate::verbs::ledger::LedgerVerb;
use crate::verbs::log::LogVerb;
use crate::verbs::opening_item::OpeningItemVerb;
use crate::verbs::payment::PaymentVerb;
use crate::verbs::read_model::ReadModelVerb;
use crate::verbs::reminder::ReminderVerb;

const EXAMPLES: &str = "\
Examples:
  encours demo
  encours serve --data ./encours-data
  encours ledger create --ledger acme --currency EUR --time-zone Europe/Paris
  encours customer create --ledger acme --customer dupont --name \"Dupont SARL\"
  encours invoice issue --ledger acme --customer dupont --total 1200.00
  encours payment record --ledger acme --customer dupont --amount 450.00 --auto
  encours reminder list --ledger acme
  encours ageing --ledger acme --as-of 2026-06-30 --output csv
  encours export invoices --ledger acme --out invoices.csv
  encours log verify --data ./encours-data";

const IMPORT_EXAMPLE: &str = "\
Examples:
  encours import invoices.csv --ledger history --currency USD --date-format '%m/%d/%Y' \\
    --columns customer_id=Customer,invoice_id=Number,issue_date=Issued,due_date=Due,total=Amount,\\
disputed=Disputed,paid_on=Settled

Importing the same file again appends nothing. Rows that are wrong are told as FILE:LINE: FIELD:
message, nothing of them is appended, and the exit code is 3.";

/// Accounts receivable on an event log: what customers were invoiced, have paid and still owe.
#[derive(Parser, Debug)]
#[command(name = "encours", version, propagate_version = true)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Cli {
    /// A TOML file with defaults for these flags; flags and ENCOURS_* variables stand above it
    #[arg(long, global = true, env = "ENCOURS_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Plays two years of a made-up company and shows what comes out; needs nothing else
    #[command(after_help = "Examples:\n  encours demo --keep ./encours-data --lang fr")]
    Demo(DemoArgs),
    /// Runs the server
    #[command(after_help = "Examples:\n  encours serve --data ./encours-data")]
    Serve(ServeArgs),
    /// Plays a CSV file of invoices into a ledger
    #[command(after_help = IMPORT_EXAMPLE)]
    Import(ImportArgs),
    /// Ledgers: list, show, totals, create
    #[command(subcommand)]
    Ledger(LedgerVerb),
    /// Test clocks: advance
    #[command(subcommand)]
    Clock(ClockVerb),
    /// Customers: list, show, create, update, set-credit-limit, check-credit, record-reminder
    #[command(subcommand)]
    Customer(CustomerVerb),
    /// Drafts of invoices: list, show, create, update, issue, delete
    #[command(subcommand)]
    Draft(DraftVerb),
    /// Invoices: list, show, activity, issue, send, cancel, dispute, resolve, plan-payment,
    /// cancel-planned-payment, reminders, record-reminder, stop-reminders
    #[command(subcommand)]
    Invoice(InvoiceVerb),
    /// What was owed before the ledger: add, correct, show
    #[command(subcommand)]
    OpeningItem(OpeningItemVerb),
    /// Payments: list, show, record, allocate, deallocate, reverse, refund
    #[command(subcommand)]
    Payment(PaymentVerb),
    /// Credit notes: list, show, issue
    #[command(subcommand)]
    CreditNote(CreditNoteVerb),
    /// What is open, by how long it is past its due date
    #[command(after_help = "Examples:\n  encours ageing --ledger acme --as-of 2026-06-30")]
    Ageing(AgeingArgs),
    /// The reminders to come: list
    #[command(subcommand)]
    Reminder(ReminderVerb),
    /// CSV files: invoices, customers, payments
    #[command(subcommand)]
    Export(ExportVerb),
    /// Public events: read, watch
    #[command(subcommand)]
    Events(EventsVerb),
    /// The log: verify, stat, prove, checkpoint, copy
    #[command(subcommand)]
    Log(LogVerb),
    /// What a server answers with: rebuild
    #[command(subcommand)]
    ReadModel(ReadModelVerb),
    /// Builds the ledgers from the log alone, up to any point, and compares
    #[command(after_help = replay::EXAMPLES)]
    Replay(ReplayArgs),
    /// Copies log and keys to another place, beside a running server too, and checks the copy
    #[command(after_help = backup::EXAMPLES)]
    Backup(BackupArgs),
    /// Puts a backup into a new data folder
    #[command(after_help = backup::RESTORE_EXAMPLES)]
    Restore(RestoreArgs),
    /// Checks whether NATS servers are set up to keep a log
    #[command(after_help = doctor::EXAMPLES)]
    Doctor(DoctorArgs),
    /// Prints a script that completes commands and flags in a shell
    #[command(after_help = completions::EXAMPLES)]
    Completions(CompletionsArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    /// The words of a line as a shell takes them apart.
    fn words(line: &str) -> Vec<String> {
        let quoted = line.split(['"', '\'']).enumerate();
        let parts = quoted.flat_map(|(at, part)| {
            let whole = at % 2 == 1;
            let split = part.split_whitespace().map(str::to_owned);
            if whole { vec![part.to_owned()] } else { split.collect() }
        });
        parts.collect()
    }

    /// Checks that a command and all below it have examples that parse, each leaf one of its own;
    /// answers how many.
    fn examples_parse(path: &str, command: &clap::Command) -> usize {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let own = help.contains("Examples:\n") && help.contains(&format!("\n  {path}"));
        assert!(command.has_subcommands() || own, "`{path} --help` has no Examples: of its own");
        let help = help.replace("\\\n", "");
        let lines = help.lines().filter(|line| line.starts_with("  encours "));
        let mut count = 0;
        for line in lines {
            let line = line.split(" > ").next().unwrap();
            Cli::try_parse_from(words(line)).unwrap_or_else(|error| panic!("{line}: {error}"));
            count += 1;
        }
        let below = command.get_subcommands();
        let below = below.map(|verb| examples_parse(&format!("{path} {}", verb.get_name()), verb));
        count + below.sum::<usize>()
    }

    #[test]
    fn every_command_has_an_example_that_parses() {
        assert!(examples_parse("encours", &Cli::command()) > 35);
    }
}
