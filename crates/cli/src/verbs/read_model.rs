//! `encours read-model rebuild`: what a server answers with, built anew from its log while it serves.

use clap::{Args, Subcommand};
use encours_proto::v1;
use encours_proto::v1::rebuild_read_model_response::Step;

use super::VerbArgs;
use crate::client::Client;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Cell, Column, Format, Printer, Unit, fields, print_text, progress_bar};

const EXAMPLES: &str = "\
Examples:
  encours read-model rebuild
  encours read-model rebuild --server http://127.0.0.1:50051 --log south

The server goes on answering from the read model that it has until the new one takes its place, and tells
whether both hold the same. Exit code 5 where they do not: what was answered before was not what the log
gives, and now it is. Of several nodes each has a read model of its own: say which one with --server.
Ctrl-C gives it up until the two are compared, and then nothing has changed.";

#[derive(Subcommand, Debug)]
pub(crate) enum ReadModelVerb {
    /// Builds the read model anew from the log while the server answers, and compares
    #[command(after_help = EXAMPLES)]
    Rebuild(RebuildArgs),
}

#[derive(Args, Debug)]
pub(crate) struct RebuildArgs {
    /// The log, where the server keeps several
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    log: String,
    #[command(flatten)]
    common: VerbArgs,
}

const COLUMNS: [Column; 7] = [
    Column::left("result"),
    Column::left("log_id"),
    Column::right("position"),
    Column::left("digest"),
    Column::left("digest_before"),
    Column::right("milliseconds"),
    Column::left("stopped"),
];

pub(crate) async fn run(verb: &ReadModelVerb) -> Outcome {
    let ReadModelVerb::Rebuild(args) = verb;
    let client = Client::connect(&args.common.server).await?;
    let request = v1::RebuildReadModelRequest { log: args.log.clone() };
    let mut steps = client.event_streams().rebuild_read_model(request).await?.into_inner();
    let progress = progress_bar(args.common.output.lang, "rebuilding", Unit::Events);
    while let Some(answer) = steps.message().await? {
        match answer.step {
            Some(Step::Progress(at)) => {
                progress.set_length(at.log_position);
                progress.set_position(at.position);
            }
            Some(Step::Result(result)) => {
                progress.finish_and_clear();
                return told(args, result);
            }
            None => {}
        }
    }
    Err(Failure::new(Exit::Unavailable, "the server ended the rebuild without a result"))
}

fn told(args: &RebuildArgs, result: v1::RebuildResult) -> Outcome {
    let v1::RebuildResult { position, differs, stopped, digest, digest_before, .. } = result;
    let result_is = match &*digest_before {
        _ if differs => "DIFFERENT",
        "" => "NOT COMPARED",
        _ => "EQUAL",
    };
    let stands_still = (!stopped.is_empty()).then(|| stopped.clone());
    let is_shown = !digest_before.is_empty() && digest != digest_before;
    print(
        args,
        vec![
            Cell::Status(result_is.to_owned()),
            Cell::text(result.log_id),
            Cell::Count(position),
            Cell::text(digest),
            Cell::text(digest_before),
            Cell::Count(result.milliseconds),
            Cell::text(stopped),
        ],
    )?;
    if differs {
        return Err(differed(position, is_shown, stands_still.as_deref()));
    }
    stands_still.map_or(Ok(()), |why| {
        Err(Failure::new(Exit::Unavailable, why)
            .hint("a version of encours in which that is mended goes on after that event"))
    })
}

/// What the server showed was not what the log gives, or may not have been: up to an event that its read
/// model could not fold, it held the same once it was made anew.
fn differed(position: u64, is_shown: bool, stands_still: Option<&str>) -> Failure {
    let showed = if is_shown { "showed" } else { "may have shown" };
    let now = match stands_still {
        None => "now it shows what the log gives".to_owned(),
        Some(why) => format!("now it shows what the log gives, and stands still: {why}"),
    };
    let message = format!(
        "read_model_differed: up to position {position} the server {showed} what the log does not \
         give; {now}"
    );
    Failure::new(Exit::Damaged, message)
        .hint("check the memory of that machine, and tell what was read from it in the meantime")
}

/// Prints one row: for people as one value a line.
fn print(args: &RebuildArgs, row: Vec<Cell>) -> Outcome {
    if args.common.output.format == Format::Table {
        let names = COLUMNS.iter().map(|column| column.name);
        let facts: Vec<_> = names.zip(row).collect();
        return print_text(&fields(&facts, args.common.output.lang));
    }
    let mut printer = Printer::start(args.common.output, "read_model", &COLUMNS)?;
    printer.row(row)?;
    printer.finish()
}
