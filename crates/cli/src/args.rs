//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::demo::DemoArgs;
use crate::failure::EXIT_CODES;
use crate::import::ImportArgs;
use crate::serve::ServeArgs;
use crate::verbs::ageing::AgeingArgs;
use crate::verbs::customer::CustomerVerb;
use crate::verbs::invoice::InvoiceVerb;
use crate::verbs::ledger::LedgerVerb;
use crate::verbs::log::LogVerb;
use crate::verbs::payment::PaymentVerb;

const EXAMPLES: &str = "\
Examples:
  encours demo
  encours serve --data ./encours-data
  encours ledger create --ledger acme --currency EUR --time-zone Europe/Paris
  encours customer create --ledger acme --customer dupont --name \"Dupont SARL\"
  encours invoice issue --ledger acme --customer dupont --total 1200.00
  encours payment record --ledger acme --customer dupont --amount 450.00 --auto
  encours ageing --ledger acme --as-of 2026-06-30 --output csv
  encours log verify --data ./encours-data";

const IMPORT_EXAMPLE: &str = "\
Example:
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
    Demo(DemoArgs),
    /// Runs the server
    Serve(ServeArgs),
    /// Plays a CSV file of invoices into a ledger
    #[command(after_help = IMPORT_EXAMPLE)]
    Import(ImportArgs),
    /// Ledgers: list, show, create
    #[command(subcommand)]
    Ledger(LedgerVerb),
    /// Customers: list, show, create
    #[command(subcommand)]
    Customer(CustomerVerb),
    /// Invoices: list, show, issue
    #[command(subcommand)]
    Invoice(InvoiceVerb),
    /// Payments: list, record
    #[command(subcommand)]
    Payment(PaymentVerb),
    /// What is open, by how long it is past its due date
    Ageing(AgeingArgs),
    /// The log: verify, stat
    #[command(subcommand)]
    Log(LogVerb),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_commands_of_the_readme_parse() {
        for line in EXAMPLES.lines().skip(1) {
            let words = line.trim().replace("\"Dupont SARL\"", "Dupont");
            Cli::try_parse_from(words.split_whitespace()).unwrap();
        }
    }
}
