//! The `encours` command: the server, the import, the log tools, the client verbs, the demo.

mod args;
mod audit;
mod backup;
mod checkpoints;
mod client;
mod clock_args;
mod cluster;
mod completions;
mod config;
mod demo;
mod disk_space;
mod doctor;
mod failure;
mod import;
mod nats_args;
mod node;
mod output;
mod overlay;
mod port;
mod publish;
mod replay;
mod running;
mod serve;
mod status;
mod threads;
mod verbs;

use std::io::{IsTerminal, Write as _};
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
use tracing_subscriber::EnvFilter;

use args::{Cli, Command};
use failure::{Failure, Outcome};

fn main() -> ExitCode {
    match parse().and_then(|cli| run(&cli.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            let error = output::Paint::Bad.on("error:");
            // WHY ignored: where standard error is closed, the exit code still tells.
            let _ = writeln!(anstream::stderr(), "{error} {failure}");
            ExitCode::from(failure.exit() as u8)
        }
    }
}

/// The command line, over the configuration file; ends the process where it makes no sense.
fn parse() -> Outcome<Cli> {
    let arguments: Vec<_> = std::env::args_os().collect();
    let mut command = Cli::command();
    if let Some(path) = config::path(&arguments, std::env::var_os("ENCOURS_CONFIG")) {
        command = config::apply(command, &path)?;
    }
    let matches = command.try_get_matches_from_mut(&arguments);
    matches.and_then(|matches| Cli::from_arg_matches(&matches)).map_err(|error| {
        use clap::error::ErrorKind;
        match error.kind() {
            ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => error.exit(),
            _ => {
                let variable = config::variable(&command, &arguments, &error);
                Failure::from_usage(&variable.unwrap_or_else(|| error.to_string()))
            }
        }
    })
}

fn run(command: &Command) -> Outcome {
    trace(if matches!(command, Command::Serve(_)) {
        "info,sled=warn,async_nats=warn,h2=error"
    } else {
        "error,async_nats=off"
    });
    let runtime = match command {
        Command::Serve(args) => threads::runtime(args.threads()).inspect_err(serve::not_started),
        Command::Demo(_) => threads::runtime(threads::of_logs(1)),
        _ => threads::runtime(0),
    };
    runtime?.block_on(async {
        match command {
            Command::Demo(args) => demo::run(args).await,
            Command::Serve(args) => serve::run(args).await,
            Command::Import(args) => import::run(args).await,
            Command::Ledger(verb) => verbs::ledger::run(verb).await,
            Command::Clock(verb) => verbs::clock::run(verb).await,
            Command::Customer(verb) => verbs::customer::run(verb).await,
            Command::Draft(verb) => verbs::draft::run(verb).await,
            Command::OpeningItem(verb) => verbs::opening_item::run(verb).await,
            Command::Reminder(verb) => verbs::reminder::run(verb).await,
            Command::Export(verb) => verbs::export::run(verb).await,
            Command::Invoice(verb) => verbs::invoice::run(verb).await,
            Command::Payment(verb) => verbs::payment::run(verb).await,
            Command::CreditNote(verb) => verbs::credit_note::run(verb).await,
            Command::Ageing(args) => verbs::ageing::run(args).await,
            Command::Events(verb) => verbs::events::run(verb).await,
            Command::Log(verb) => verbs::log::run(verb).await,
            Command::ReadModel(verb) => verbs::read_model::run(verb).await,
            Command::Backup(args) => backup::backup(args),
            Command::Restore(args) => backup::restore(args),
            Command::Replay(args) => replay::run(args).await,
            Command::Doctor(args) => doctor::run(args).await,
            Command::Completions(args) => completions::run(args),
        }
    })
}

/// Log lines go to standard error; `ENCOURS_LOG` says which, as in `debug` or
/// `info,encours_engine=trace`.
fn trace(default: &str) {
    let filter = EnvFilter::try_from_env("ENCOURS_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // WHY: telling of a line that could not be told panics where standard error is closed.
        .log_internal_errors(false)
        .init();
}
