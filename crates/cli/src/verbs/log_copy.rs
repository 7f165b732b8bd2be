//! `encours log copy`: moves a log between a data folder and the NATS servers, frames unchanged, with
//! its keys.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{ArgGroup, Args};
use encours_engine::{read_key_bodies, write_key_bodies};
use encours_log::{
    Bucket, Disk, EventLog as _, FrameNumber, Hash, Holder, Journal, JournalOptions, Link,
    LogError, LogId, LogReader, OsDisk, Replica, SEGMENT_LEN, Seeding, ServerAddr, StreamOptions,
    Tail,
};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use crate::audit::{Audited, Depth, audit};
use crate::failure::{Exit, Failure, Outcome};
use crate::nats_args::{StreamArgs, server};
use crate::node::{lock, log_dir};
use crate::output::{Cell, Column, Format, OutputArgs, Paint, Printer, fields, print_text};

pub(super) const EXAMPLES: &str = "\
Examples:
  encours log copy --from ./encours-data --to-nats nats://127.0.0.1:4222 --log-id main --replicas 3
  encours log copy --from-nats nats://127.0.0.1:4222 --log-id main --to ./encours-data

Stop the servers of the log first. A copy into streams that was interrupted goes on where it stood when
the same command is given again; a folder must hold no log.";

/// What `encours log copy` takes.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("source").required(true).args(["from", "from_nats"])))]
pub(crate) struct CopyArgs {
    /// Copies the log of this data folder, which no server may have open
    #[arg(long, value_name = "DIR", requires = "to_nats")]
    from: Option<PathBuf>,

    /// ...to the log's streams on these NATS servers; several with commas between
    #[arg(long, value_name = "URL,...", value_delimiter = ',', value_parser = server,
          requires = "from")]
    to_nats: Vec<ServerAddr>,

    /// Copies the log from its streams on these NATS servers; several with commas between
    #[arg(long, value_name = "URL,...", value_delimiter = ',', value_parser = server,
          requires = "to")]
    from_nats: Vec<ServerAddr>,

    /// ...to this data folder, which must hold no log; made where it does not exist
    #[arg(long, value_name = "DIR", requires = "from_nats")]
    to: Option<PathBuf>,

    /// Copies into streams also where the servers remember a later frame of the log than the folder
    /// has, or another log: what the folder lacks is given up
    #[arg(long, requires = "from")]
    replace_mark: bool,

    #[command(flatten)]
    stream: StreamArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// What was copied.
struct Copied {
    log_id: LogId,
    frames: u64,
    events: u64,
    bytes: u64,
    hash: Hash,
    /// Customers with a key.
    keys: u64,
}

const COLUMNS: [Column; 7] = [
    Column::left("result"),
    Column::left("log_id"),
    Column::right("frames"),
    Column::right("events"),
    Column::right("bytes"),
    Column::left("tail_hash"),
    Column::right("keys"),
];

pub(super) async fn run(args: &CopyArgs) -> Outcome {
    let runtime = Handle::current();
    let progress = bar(args);
    let (bar, data) = (progress.clone(), args.from.clone().or_else(|| args.to.clone()));
    let data = data.ok_or_else(|| Failure::usage("--from or --to is missing"))?;
    // The calls of the log block, so they run on a thread of their own.
    let copied = if args.to_nats.is_empty() {
        let options = args.stream.options(&args.from_nats)?;
        spawn_blocking(move || to_folder(runtime, options, &data, &bar)).await
    } else {
        let (options, over_mark) = (args.stream.options(&args.to_nats)?, args.replace_mark);
        spawn_blocking(move || to_streams(runtime, options, &data, over_mark, &bar)).await
    };
    progress.finish_and_clear();
    let copied = copied.map_err(|error| Failure::new(Exit::Failure, error.to_string()))?;
    print(args, &copied?)
}

/// From a folder into streams.
fn to_streams(
    runtime: Handle,
    options: StreamOptions,
    data: &Path,
    over_mark: bool,
    progress: &ProgressBar,
) -> Outcome<Copied> {
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let dir = log_dir(data);
    if !disk.exists(&dir)? {
        return Err(LogError::NoLog { dir }.into());
    }
    let _lock = lock(&*disk, data)?;
    let checked = check(data, progress)?;
    let bodies = read_key_bodies(&*disk, &data.join("keys"), checked.log_id);
    let bodies = bodies.map_err(encours_engine::EngineError::from)?;
    let (journal, _) = Journal::open(disk, &dir, JournalOptions::default())?;
    let reader = journal.reader();
    let tail = reader.tail();
    let stream = options.log.log_stream();
    let link = Link::connect(runtime, options)?;
    warn_of_leader(&link);
    // WHY before anything is made.
    if !over_mark {
        meet_mark(&link, checked.log_id, &*reader)?;
    }
    let mut seeding = Seeding::open(link, checked.log_id)?;
    refuse_others(&seeding, &*reader, &stream, progress)?;
    if !seeding.put_keys(&bodies)? {
        return Err(not_ours(&stream, "other keys"));
    }
    while seeding.last() < tail.number {
        let number = seeding.last().next();
        let frame = reader.read(number)?.ok_or(LogError::NoSegment { frame: number })?;
        seeding.put(&frame)?;
        progress.set_position(number.0);
    }
    seeding.finish(&tail, over_mark)?;
    Ok(checked)
}

/// Refuses a folder that lacks what the servers remember to have acknowledged.
fn meet_mark(link: &Link, log_id: LogId, reader: &dyn LogReader) -> Outcome {
    let Some(mark) = link.mark()? else { return Ok(()) };
    let bucket = Bucket::Marks.name();
    let (number, tail) = (mark.number, reader.tail().number);
    if mark.log_id != log_id {
        let found = mark.log_id;
        let why = format!("the mark in bucket {bucket} is of log {found}, the folder of {log_id}");
        return Err(Failure::new(Exit::Refused, why).hint(
            "give another name with --log-id; where that log is given up for good, delete its \
             streams and say --replace-mark",
        ));
    }
    let why = if number > tail {
        format!("the mark in bucket {bucket} has frame {number}, the folder ends at {tail}")
    } else if reader.read(number)?.is_none_or(|frame| frame.hash() != mark.hash) {
        format!("the mark in bucket {bucket} has another frame {number} than the folder")
    } else {
        return Ok(());
    };
    Err(Failure::new(Exit::Refused, format!("{why}: frames that were acknowledged would be lost"))
        .hint(
            "copy from the folder that has them; where none has, --replace-mark gives them up for good",
        ))
}

/// Tells where a node leads the log: what it writes from here on is not in the copy.
fn warn_of_leader(link: &Link) {
    // WHY passed over: who cannot be asked for the lease may still be copied from.
    let Ok(Some(Holder { node, address })) = link.leader() else { return };
    let warning = Paint::Warn.on("warning:");
    // WHY ignored: nobody needs to read it.
    let _ = writeln!(
        anstream::stderr(),
        "{warning} node {node} at {address} leads the log: what it writes from now on is not copied; \
         stop all nodes and copy again"
    );
}

/// Refuses streams that hold anything but the log's beginning.
fn refuse_others(
    seeding: &Seeding,
    reader: &dyn LogReader,
    stream: &str,
    progress: &ProgressBar,
) -> Outcome {
    let tail = reader.tail().number;
    if seeding.last() > tail {
        let what = format!("{} frames, and the folder {tail}", seeding.last());
        return Err(not_ours(stream, &what));
    }
    let mut see = |number: FrameNumber| progress.set_position(number.0);
    match seeding.first_difference(reader, &mut see)? {
        None => Ok(()),
        Some(number) => Err(not_ours(stream, &format!("another frame {number}"))),
    }
}

fn not_ours(stream: &str, what: &str) -> Failure {
    let message = format!("stream {stream} holds {what}: it is no unfinished copy of this log");
    Failure::new(Exit::Refused, message).hint("give another name with --log-id")
}

/// From streams into a folder.
fn to_folder(
    runtime: Handle,
    options: StreamOptions,
    data: &Path,
    progress: &ProgressBar,
) -> Outcome<Copied> {
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    for name in ["log", "keys"] {
        let dir = data.join(name);
        if disk.exists(&dir)? && !disk.list(&dir)?.is_empty() {
            let message = format!("{} is not empty", dir.display());
            return Err(Failure::new(Exit::Refused, message)
                .hint("give a folder without a log, or remove an unfinished copy first"));
        }
    }
    let link = Link::connect(runtime, options)?;
    warn_of_leader(&link);
    // WHY before anything is made: a wrong name must not leave a folder behind.
    let facts = link.stream(None)?;
    let _lock = lock(&*disk, data)?;
    let options = JournalOptions { segment_len: SEGMENT_LEN, ..JournalOptions::default() };
    let mut replica = Replica::open(link, Arc::clone(&disk), &log_dir(data), options)?;
    progress.set_length(facts.last.0);
    let log_id = replica.log_id();
    let mut bodies: Vec<Vec<u8>> = Vec::new();
    let mut take = |body: &[u8]| {
        bodies.push(body.to_vec());
        Ok(())
    };
    let tail = replica.catch_up(&mut take)?;
    drop(replica);
    write_key_bodies(&*disk, &data.join("keys"), log_id, bodies.iter().map(|body| &**body))?;
    let copied = check(data, progress)?;
    agree(&copied, &tail)?;
    Ok(copied)
}

/// Checks that what the files hold is what came.
fn agree(copied: &Copied, tail: &Tail) -> Outcome {
    if copied.frames == tail.number.0 && copied.hash == tail.hash {
        return Ok(());
    }
    let message =
        format!("the copy ends at frame {}, the stream at {}", copied.frames, tail.number);
    Err(Failure::new(Exit::Damaged, message).hint("remove the folder and copy again"))
}

/// Checks log, events and keys of a folder.
fn check(data: &Path, progress: &ProgressBar) -> Outcome<Copied> {
    let Audited { report, keys } = audit(&OsDisk, data, Depth::Keys, &[], &mut |_| {})?;
    progress.set_length(report.frames);
    Ok(Copied {
        log_id: report.log_id,
        frames: report.frames,
        events: report.events,
        bytes: report.bytes,
        hash: report.tail.hash,
        keys,
    })
}

fn print(args: &CopyArgs, copied: &Copied) -> Outcome {
    let Copied { log_id, frames, events, bytes, hash, keys } = copied;
    let row = vec![
        Cell::Status("OK".to_owned()),
        Cell::text(log_id.to_string()),
        Cell::Count(*frames),
        Cell::Count(*events),
        Cell::Count(*bytes),
        Cell::text(hash.to_string()),
        Cell::Count(*keys),
    ];
    if args.output.format == Format::Table {
        let names = COLUMNS.iter().map(|column| column.name);
        return print_text(&fields(&names.zip(row).collect::<Vec<_>>(), args.output.lang));
    }
    let mut printer = Printer::start(args.output, "log", &COLUMNS)?;
    printer.row(row)?;
    printer.finish()
}

/// A progress bar on standard error; none where that is no terminal.
fn bar(args: &CopyArgs) -> ProgressBar {
    let prefix = args.output.lang.phrase("copying", &[]);
    let bar = ProgressBar::new(0).with_prefix(prefix);
    let style = ProgressStyle::with_template(
        "{prefix} {bar:32.cyan/dim} {pos}/{len} frames {elapsed:.dim}",
    );
    style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style.progress_chars("━╸─")))
}
