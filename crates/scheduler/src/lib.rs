//! Runs what is due: answers every opened day with `RunDay` until the day is finished.
//!
//! The scheduler follows the engine's clocks and has no state of its own: what is due is decided by
//! the engine, so that a lost, late or repeated `RunDay` does nothing wrong. What it promises: every
//! clock whose last finished day lies before its today gets its days run one after the other, in
//! bounded steps, as long as the engine takes commands; what can be tried again is, with a growing
//! pause.

mod hindrance;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use encours_domain::commands::RunDay;
use encours_domain::limits::MAX_RUN_DAY_ITEMS;
use encours_engine::{ClockInfo, Denied, EngineHandle, Reply, Submission};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{debug, info, warn};

use hindrance::Hindrances;

/// The first pause after a denial; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(10);
/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Who the scheduler's commands are by.
pub const ACTOR: &str = "scheduler";

/// The running scheduler. Dropping it stops it after the step it is at.
pub struct Scheduler {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Scheduler {
    /// Starts to follow the engine's clocks, on the current tokio runtime. It ends by itself when the
    /// engine stops.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn spawn(engine: EngineHandle) -> Self {
        let clocks = engine.clocks();
        let (stop, stopped) = watch::channel(false);
        let run_day = move |command: RunDay| {
            let engine = engine.clone();
            async move { engine.execute(Submission::new(command, ACTOR)).await }
        };
        let task = tokio::spawn(follow(clocks, stopped, run_day));
        Self { stop, task }
    }

    /// Stops after the step it is at.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        // The task neither panics on purpose nor is aborted; either way it has ended.
        if let Err(error) = self.task.await {
            warn!(%error, "the scheduler ended badly");
        }
    }
}

/// What a try at a clock came to.
enum Step {
    /// Something was done; the clocks will say what.
    Done,
    /// Later.
    Later,
    /// The engine is no longer there.
    Over,
}

/// Runs the days of all clocks until told to stop.
async fn follow<F>(
    mut clocks: watch::Receiver<Arc<[ClockInfo]>>,
    mut stopped: watch::Receiver<bool>,
    run_day: impl Fn(RunDay) -> F,
) where
    F: Future<Output = Result<Reply, Denied>>,
{
    let mut pause = PAUSE_MIN;
    let mut hindrances = Hindrances::default();
    while !*stopped.borrow() {
        let behind = next_days(&clocks.borrow_and_update());
        let mut held_up = false;
        for command in behind.iter().cloned() {
            match step(command, &run_day, &mut hindrances).await {
                Step::Done => {}
                Step::Later => held_up = true,
                Step::Over => return,
            }
            if *stopped.borrow() {
                return;
            }
        }
        if held_up {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
            pause = (pause * 2).min(PAUSE_MAX);
        } else {
            pause = PAUSE_MIN;
            hindrances.over();
        }
        // A `RunDay` answers when it is durable, and the clocks are told before it: where a day was
        // left unfinished, its clock says so here.
        if !held_up && next_days(&clocks.borrow()).is_empty() {
            tokio::select! {
                changed = clocks.changed() => if changed.is_err() { return },
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
        }
    }
}

/// The next day to run of every clock that is behind.
fn next_days(clocks: &[ClockInfo]) -> Vec<RunDay> {
    clocks
        .iter()
        .filter(|clock| clock.finished < clock.today)
        .filter_map(|clock| {
            let day = clock.finished.plus(1)?;
            Some(RunDay { clock: clock.no, day, limit: MAX_RUN_DAY_ITEMS })
        })
        .collect()
}

async fn step<F>(
    command: RunDay,
    run_day: &impl Fn(RunDay) -> F,
    hindrances: &mut Hindrances,
) -> Step
where
    F: Future<Output = Result<Reply, Denied>>,
{
    let (clock, day) = (command.clock.0, command.day);
    match run_day(command).await {
        Ok(reply) => {
            debug!(clock, %day, position = reply.position.0, "day run");
            Step::Done
        }
        Err(Denied::Stopping) => {
            info!("the engine is stopping, and so is the scheduler");
            Step::Over
        }
        Err(denied) => {
            // A refusal comes where the clock has moved on since; the next look shows where to.
            if hindrances.is_news(&denied) {
                warn!(clock, %day, %denied, "day not run; it is tried again and again");
            } else {
                debug!(clock, %day, %denied, "day not run");
            }
            Step::Later
        }
    }
}

#[cfg(test)]
mod tests;
