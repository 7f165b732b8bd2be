//! `encours log verify|stat|prove|checkpoint|copy`: whether the log is intact, what it is, proofs for
//! others, and another place for it.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use chrono::DateTime;
use clap::{Args, Subcommand};
use encours_audit::Verifier;
use encours_log::{Flaw, FrameNumber, OsDisk, VerifyReport};
use encours_proto::v1;
use encours_proto::v1::verify_log_response::Step;

use super::VerbArgs;
use super::checkpoint::{self, CheckpointArgs};
use super::log_copy::{self, CopyArgs};
use super::prove::{self, ProveArgs};
use crate::audit::{Audited, Broken, Depth, audit, event_type};
use crate::checkpoints::{Fork, Held, hold, verifier};
use crate::client::Client;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Cell, Column, Format, Paint, Printer, Unit, fields, print_text, progress_bar};

#[derive(Subcommand, Debug)]
pub(crate) enum LogVerb {
    /// Checks every byte, hash and link of the log
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
    /// What the log holds
    #[command(after_help = "Examples:\n  encours log stat --output json")]
    Stat(LogArgs),
    /// Proves to others that an event is in the log, or that the log has only grown
    #[command(after_help = prove::EXAMPLES)]
    Prove(ProveArgs),
    /// The newest signed checkpoint of the log
    #[command(after_help = checkpoint::EXAMPLES)]
    Checkpoint(CheckpointArgs),
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
  encours log verify --data ./encours-data --checkpoint 2026-01-31.checkpoint \\
    --key encours/3a49041db70c208e7f511aeb926cbfaf+a9a3bc70+Ab583z8uu1t+cfUUDx0OXPVQMg24UjD8inrhZ4PT7S5Q

With --data every event is read too, and every personal detail is opened with the keys in keys/; nothing
is written, and a server may go on writing. What is wrong is told by file, byte, frame and event;
--output json has each as a field. `encours replay` builds the ledgers from the log.";

#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    log: LogArgs,
    /// Leaves out the keys: for a copy of the log that was made without them
    #[arg(long, requires = "data")]
    log_only: bool,
    /// Holds the log against this signed checkpoint too; may be given several times
    #[arg(long, value_name = "FILE", requires = "data", requires = "key")]
    checkpoint: Vec<PathBuf>,
    /// The key that has signed them, as `encours log checkpoint --key` prints it
    #[arg(long, value_name = "KEY", requires = "checkpoint", value_parser = verifier)]
    key: Option<Verifier>,
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

/// What is told of a log that is damaged.
const DAMAGE: [Column; 13] = [
    Column::left("result"),
    Column::left("problem"),
    Column::left("file"),
    Column::right("offset"),
    Column::right("until"),
    Column::right("frame"),
    Column::right("event"),
    Column::left("event_type"),
    Column::left("log_id"),
    Column::right("segments"),
    Column::right("frames"),
    Column::right("events"),
    Column::right("bytes"),
];

pub(crate) async fn run(verb: &LogVerb) -> Outcome {
    match verb {
        LogVerb::Verify(VerifyArgs { log, log_only, checkpoint, key }) => match &log.data {
            Some(data) => {
                let depth = if *log_only { Depth::Events } else { Depth::Keys };
                let held = key.as_ref().map(|key| (checkpoint.as_slice(), key));
                files(log, data, depth, held)
            }
            None => running(log).await,
        },
        LogVerb::Stat(args) => match &args.data {
            Some(data) => files(args, data, Depth::Bytes, None),
            None => head(args).await,
        },
        LogVerb::Prove(args) => prove::run(args).await,
        LogVerb::Checkpoint(args) => checkpoint::run(args).await,
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

/// Checks the files, and holds them against checkpoints of this key.
fn files(
    args: &LogArgs,
    data: &Path,
    depth: Depth,
    held: Option<(&[PathBuf], &Verifier)>,
) -> Outcome {
    let progress = progress_bar(args.common.output.lang, "verifying", Unit::Bytes);
    let audited = audit(&OsDisk, data, depth, &[], &mut |at| {
        progress.set_length(at.total);
        progress.set_position(at.read);
    });
    progress.finish_and_clear();
    let Audited { report, keys } = match audited {
        Ok(audited) => audited,
        Err(Broken { failure, flaw }) => {
            if let Some(flaw) = flaw.filter(|_| failure.exit() == Exit::Damaged) {
                damaged(args, flawed(&failure, &flaw))?;
            }
            return Err(failure);
        }
    };
    remark(&report);
    if let Some((checkpoints, key)) = held {
        let Held { size, fork } = hold(data, checkpoints, key)?;
        let label = Paint::Good.on("signed:");
        let forked = fork.map_or_else(String::new, |Fork { log_id, position, .. }| {
            format!(", as log {log_id}, from which this one was forked at position {position}")
        });
        // WHY ignored: nobody needs to read it.
        let _ = writeln!(anstream::stderr(), "{label} the log up to position {size}{forked}");
    }
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
            if depth == Depth::Keys { Cell::Count(keys) } else { Cell::Empty },
        ],
    )
}

/// Tells programs of damage as fields; people are told in one line.
fn damaged(args: &LogArgs, row: Vec<Cell>) -> Outcome {
    if args.common.output.format != Format::Json {
        return Ok(());
    }
    let mut printer = Printer::start(args.common.output, "log", &DAMAGE)?;
    printer.row(row)?;
    printer.finish()
}

fn flawed(failure: &Failure, flaw: &Flaw) -> Vec<Cell> {
    let Flaw { file, bytes, frame, event, good, .. } = flaw;
    let count = |number: Option<u64>| number.map_or(Cell::Empty, Cell::Count);
    let text = |text: Option<&str>| text.map_or(Cell::Empty, Cell::text);
    vec![
        Cell::Status("DAMAGED".to_owned()),
        Cell::text(failure.message()),
        text(file.as_deref()),
        count(bytes.map(|(from, _)| from)),
        count(bytes.map(|(_, until)| until)),
        count(frame.map(|frame| frame.0)),
        count(event.map(|event| event.position.0)),
        text(event_type(flaw)),
        Cell::text(good.log_id.to_string()),
        Cell::Count(good.segments),
        Cell::Count(good.frames),
        Cell::Count(good.events),
        Cell::Count(good.bytes),
    ]
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
    let progress = progress_bar(args.common.output.lang, "verifying", Unit::Frames);
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
    Err(Failure::unfinished_check())
}

fn told(args: &LogArgs, result: v1::VerifyResult) -> Outcome {
    if !result.intact {
        let message = format!(
            "{}: {} frames with {} events and {} bytes are intact before it",
            result.problem, result.frames, result.events, result.bytes
        );
        damaged(
            args,
            vec![
                Cell::Status("DAMAGED".to_owned()),
                Cell::text(&message),
                Cell::Empty,
                Cell::Empty,
                Cell::Empty,
                Cell::Count(result.frames + 1),
                Cell::Empty,
                Cell::Empty,
                Cell::text(result.log_id),
                Cell::Empty,
                Cell::Count(result.frames),
                Cell::Count(result.events),
                Cell::Count(result.bytes),
            ],
        )?;
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
