//! `encours log verify|stat|copy`: whether the log is intact, what it is, and another place for it.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use chrono::DateTime;
use clap::{Args, Subcommand};
use encours_log::{Disk, FrameNumber, LogError, OsDisk, VerifyProgress, VerifyReport, verify};
use encours_proto::v1;
use encours_proto::v1::verify_log_response::Step;
use indicatif::{ProgressBar, ProgressStyle};

use super::VerbArgs;
use super::log_copy::{self, CopyArgs};
use crate::audit;
use crate::client::Client;
use crate::failure::{Exit, Failure, Outcome};
use crate::node::log_dir;
use crate::output::{Cell, Column, Format, Paint, Printer, fields, print_text};

#[derive(Subcommand, Debug)]
pub(crate) enum LogVerb {
    /// Checks every byte, hash and link of the log
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
    /// What the log holds
    #[command(after_help = "Examples:\n  encours log stat --output json")]
    Stat(LogArgs),
    /// Moves a log between a data folder and NATS servers, frames unchanged, with its keys
    #[command(after_help = log_copy::EXAMPLES)]
    Copy(CopyArgs),
}

#[derive(Args, Debug)]
pub(crate) struct LogArgs {
    /// Reads the files of this data folder alone, without a server, a lock or a write
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The log, where the server keeps several
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true,
        conflicts_with = "data"
    )]
    log: String,
    #[command(flatten)]
    common: VerbArgs,
}

const VERIFY_EXAMPLES: &str = "\
Examples:
  encours log verify
  encours log verify --data ./encours-data
  encours log verify --data ./copy-of-the-log --log-only

With --data every event is read too, the ledgers are built from the events, and every personal detail
is opened with the keys in keys/; nothing is written.";

#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    log: LogArgs,
    /// Leaves out the keys: for a copy of the log that was made without them
    #[arg(long, requires = "data")]
    log_only: bool,
}

const COLUMNS: [Column; 10] = [
    Column::left("result"),
    Column::left("log_id"),
    Column::right("frames"),
    Column::right("events"),
    Column::right("bytes"),
    Column::right("position"),
    Column::left("tail_hash"),
    Column::left("recorded_at"),
    Column::left("digest"),
    Column::right("keys"),
];

pub(crate) async fn run(verb: &LogVerb) -> Outcome {
    match verb {
        LogVerb::Verify(VerifyArgs { log, log_only }) => match &log.data {
            Some(data) => files(log, data, Some(*log_only)),
            None => running(log).await,
        },
        LogVerb::Stat(args) => match &args.data {
            Some(data) => files(args, data, None),
            None => head(args).await,
        },
        LogVerb::Copy(args) => log_copy::run(args).await,
    }
}

/// Prints one row: for people as one value a line, because a log is one thing.
fn print(args: &LogArgs, row: Vec<Cell>) -> Outcome {
    if args.common.output.format == Format::Table {
        let names = COLUMNS.iter().map(|column| column.name);
        let facts: Vec<_> = names.zip(row).filter(|(_, cell)| *cell != Cell::Empty).collect();
        return print_text(&fields(&facts, args.common.output.lang));
    }
    let mut printer = Printer::start(args.common.output, "log", &COLUMNS)?;
    printer.row(row)?;
    printer.finish()
}

fn moment(micros: i64) -> Cell {
    DateTime::from_timestamp_micros(micros)
        .map_or(Cell::Empty, |at| Cell::text(at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()))
}

/// Checks the files: where `log_only` is given their events too, and where it says no the keys.
fn files(args: &LogArgs, data: &Path, log_only: Option<bool>) -> Outcome {
    let dir = log_dir(data);
    if !OsDisk.exists(&dir)? {
        return Err(LogError::NoLog { dir }.into());
    }
    let progress = bar(args);
    let report = verify(&OsDisk, &dir, &[], &mut |at: VerifyProgress| {
        progress.set_position(at.frames);
    });
    progress.finish_and_clear();
    let report = report?;
    remark(&report);
    if log_only.is_some() {
        audit::events(data)?;
    }
    let keys = match log_only {
        Some(false) => Cell::Count(audit::keys(data)?),
        _ => Cell::Empty,
    };
    let VerifyReport { log_id, frames, events, bytes, tail, .. } = report;
    print(
        args,
        vec![
            Cell::Status("OK".to_owned()),
            Cell::text(log_id.to_string()),
            Cell::Count(frames),
            Cell::Count(events),
            Cell::Count(bytes),
            Cell::Count(tail.next_position.0.saturating_sub(1)),
            Cell::text(if tail.number == FrameNumber(0) {
                String::new()
            } else {
                tail.hash.to_string()
            }),
            moment(tail.recorded_at.0),
            Cell::Empty,
            keys,
        ],
    )
}

/// Tells of damage that no frame of the log is in: a crash leaves the same behind.
fn remark(report: &VerifyReport) {
    let VerifyReport { unfinished_bytes, damaged_anchor_slots, .. } = report;
    let warn = |what: String| {
        let warning = Paint::Warn.on("warning:");
        // WHY ignored: nobody needs to read it.
        let _ = writeln!(anstream::stderr(), "{warning} {what}");
    };
    if *unfinished_bytes > 0 {
        warn(format!(
            "{unfinished_bytes} bytes after the last frame are not zero: an unfinished write, or \
             damage to space that holds nothing"
        ));
    }
    if *damaged_anchor_slots > 0 {
        warn("a slot of the anchor is damaged, the other one is intact and was used".to_owned());
    }
}

/// Has the server check.
async fn running(args: &LogArgs) -> Outcome {
    let client = Client::connect(&args.common.server).await?;
    let mut steps = client
        .event_streams()
        .verify_log(v1::VerifyLogRequest { log: args.log.clone() })
        .await?
        .into_inner();
    let progress = bar(args);
    while let Some(answer) = steps.message().await? {
        match answer.step {
            Some(Step::Progress(at)) => {
                progress.set_length(at.total_frames);
                progress.set_position(at.frames);
            }
            Some(Step::Result(result)) => {
                progress.finish_and_clear();
                return told(args, result);
            }
            None => {}
        }
    }
    Err(Failure::new(Exit::Unavailable, "the server ended the check without a result"))
}

fn told(args: &LogArgs, result: v1::VerifyResult) -> Outcome {
    if !result.intact {
        let message = format!(
            "{}: {} frames with {} events and {} bytes are intact before it",
            result.problem, result.frames, result.events, result.bytes
        );
        return Err(Failure::new(Exit::Damaged, message)
            .hint("keep the folder as it is, and restore it from a backup"));
    }
    print(
        args,
        vec![
            Cell::Status("OK".to_owned()),
            Cell::text(result.log_id),
            Cell::Count(result.frames),
            Cell::Count(result.events),
            Cell::Count(result.bytes),
            Cell::Count(result.events),
            Cell::text(hex(&result.frame_hash)),
            Cell::Empty,
            Cell::text(result.digest),
            Cell::Empty,
        ],
    )
}

/// What the server knows of its log, without reading it.
async fn head(args: &LogArgs) -> Outcome {
    let client = Client::connect(&args.common.server).await?;
    let head = client.head(&args.log, "").await?;
    let at = head.recorded_at.unwrap_or_default();
    print(
        args,
        vec![
            Cell::word("not checked"),
            Cell::text(head.log_id),
            Cell::Count(head.frame_number),
            Cell::Count(head.position),
            Cell::Empty,
            Cell::Count(head.position),
            Cell::text(hex(&head.frame_hash)),
            moment(at.seconds.saturating_mul(1_000_000) + i64::from(at.nanos / 1_000)),
            Cell::Empty,
            Cell::Empty,
        ],
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A progress bar on standard error; none where that is no terminal.
fn bar(args: &LogArgs) -> ProgressBar {
    let prefix = args.common.output.lang.phrase("verifying", &[]);
    let bar = ProgressBar::new(0).with_prefix(prefix);
    let style = ProgressStyle::with_template(
        "{prefix} {bar:32.cyan/dim} {pos}/{len} frames {elapsed:.dim}",
    );
    style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style.progress_chars("━╸─")))
}
