//! `encours demo`: two years of a made-up company, played day by day on the embedded log, then shown.
//!
//! No server and no set-up: commands and queries go through the same services that a server offers,
//! within this process. With `--serve` others may call them afterwards.

mod company;
mod show;
mod story;
mod words;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use encours_api::Api;
use encours_domain::Day;
use encours_engine::Limits;
use encours_log::{Clock, OsDisk, SystemClock};
use encours_proto::v1;
use encours_proto::v1::batch_service_server::BatchService;
use encours_proto::v1::command_result::Result as Done;
use encours_proto::v1::ledger_service_server::LedgerService;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::net::TcpListener;
use tonic::Request;

use crate::checkpoints::Signing;
use crate::failure::{Exit, Failure, Outcome};
use crate::node::{Node, NodeOptions};
use crate::output;
use crate::port::{self, Port};
use crate::serve::{self, Signals};
use crate::status::Told;
use story::Story;
use words::Language;

/// Bytes of a segment: little is written, and a segment is written out ahead.
const SEGMENT_LEN: u64 = 2 << 20;
/// Commands of one batch.
const BATCH: usize = 1_000;

/// Where `--serve` listens where nothing else is said.
const LISTEN: &str = "127.0.0.1:50051";

/// What `encours demo` takes.
#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// Keeps the data in this new folder, to be served afterwards
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,

    /// Serves the data once it is shown, until Ctrl-C
    #[arg(long)]
    serve: bool,

    /// Where to listen with --serve; port 0 takes a free one
    #[arg(long, default_value = LISTEN, value_name = "ADDRESS", requires = "serve")]
    listen: String,

    /// The language of the labels
    #[arg(long, env = "ENCOURS_LANG", value_enum, default_value_t)]
    lang: Language,
}

/// What was played.
struct Played {
    commands: usize,
    days: usize,
    took: Duration,
}

/// Plays and shows, and serves where that is asked for.
pub(crate) async fn run(args: &DemoArgs) -> Outcome {
    let listener = match args.serve {
        true => {
            let address = port::address("--listen", &args.listen, false).await?;
            Some(Port::take("--listen", address)?.listen()?)
        }
        false => None,
    };
    let mut signals = Signals::listen()?;
    let folder = Folder::new(args.keep.as_deref())?;
    let clock = Arc::new(SystemClock::new());
    let options = NodeOptions {
        data: folder.path.clone(),
        segment_len: SEGMENT_LEN,
        existing: false,
        disk: Arc::new(OsDisk),
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        limits: Limits::default(),
        signing: Signing::default(),
    };
    let node = tokio::task::block_in_place(|| Node::open(options))?;
    let shown = tokio::select! {
        shown = play_and_show(&node, &clock, args.lang) => shown,
        _ = signals.next() => Err(Failure::new(Exit::Failure, "interrupted")),
    };
    if shown.is_err() {
        node.stop().await?;
        return shown;
    }
    let address = listener.as_ref().map(TcpListener::local_addr).transpose()?;
    let end = show::farewell(args.lang, folder.kept(), address);
    match listener {
        Some(listener) => {
            let served = serve::run_node(node, listener, signals).await;
            end.and(served)
        }
        None => {
            node.stop().await?;
            end
        }
    }
}

async fn play_and_show(node: &Node, clock: &SystemClock, lang: Language) -> Outcome {
    let day = |year, month, day| {
        Day::from_ymd(year, month, day)
            .ok_or_else(|| Failure::new(Exit::Failure, "no such day in the demo"))
    };
    let (first, last) = (day(2025, 1, 1)?, day(2026, 12, 31)?);
    let story = Story::tell(first, last);
    let start = clock.monotonic();
    let api = node.api();
    let (commands, days) = play(&api, &story, first, last).await?;
    let played = Played { commands, days, took: clock.monotonic().saturating_sub(start) };
    show::all(node, &api, lang, &story, &played, last).await
}

/// Plays the story day by day. Answers how many commands and days it had.
async fn play(api: &Api, story: &Story, first: Day, last: Day) -> Outcome<(usize, usize)> {
    let request = story::ledger(company::NAME, first);
    api.create_ledger(Request::new(request)).await?;
    let progress = ProgressBar::new(story.days.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:40.cyan/dim} {msg}") {
        progress.set_style(style.progress_chars("━╸─"));
    }
    let mut commands = 1;
    let mut today = first;
    for (day, phases) in &story.days {
        progress.set_message(day.to_string());
        if *day > today {
            advance(api, *day).await?;
            today = *day;
        }
        let all: Vec<v1::Command> = phases
            .values()
            .flatten()
            .map(|command| v1::Command { command: Some(command.clone()) })
            .collect();
        commands += all.len() + 1;
        for batch in all.chunks(BATCH) {
            execute(api, *day, batch.to_vec()).await?;
        }
        progress.inc(1);
    }
    if today < last {
        advance(api, last).await?;
    }
    progress.finish_and_clear();
    let days = last.since(first).unsigned_abs();
    Ok((commands, usize::try_from(days).unwrap_or_default() + 1))
}

async fn advance(api: &Api, day: Day) -> Outcome {
    let request = v1::AdvanceClockRequest {
        ledger_id: company::LEDGER.to_owned(),
        to: Some(output::day(day)),
        ..Default::default()
    };
    api.advance_clock(Request::new(request)).await?;
    Ok(())
}

async fn execute(api: &Api, day: Day, commands: Vec<v1::Command>) -> Outcome {
    let answer = api.execute(Request::new(v1::ExecuteRequest { commands })).await?;
    for result in answer.into_inner().results {
        if let Some(Done::Error(error)) = result.result {
            let message = format!("on {day} a command was refused: {}", Told::from(error));
            return Err(Failure::new(Exit::Failure, message));
        }
    }
    Ok(())
}

/// The data folder of the demo: removed in the end, unless it was asked for.
struct Folder {
    path: PathBuf,
    is_kept: bool,
}

impl Folder {
    fn new(keep: Option<&Path>) -> Outcome<Self> {
        let Some(path) = keep else {
            let name = format!("encours-demo-{}", std::process::id());
            return Ok(Self { path: std::env::temp_dir().join(name), is_kept: false });
        };
        if path.exists() {
            return Err(Failure::usage(format!("--keep {}: it exists", path.display()))
                .hint("give a folder that does not exist yet"));
        }
        Ok(Self { path: path.to_owned(), is_kept: true })
    }

    fn kept(&self) -> Option<&Path> {
        self.is_kept.then_some(self.path.as_path())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.is_kept {
            // Nobody needs to know where that fails: the system clears its temporary folder.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
