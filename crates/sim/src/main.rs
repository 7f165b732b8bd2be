//! `cargo run -p encours-sim`: runs seeds of the simulation and tells what they came across.

mod args;
mod report;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use encours_log::{Clock, SystemClock};
use encours_sim::{Failure, Tally};

use args::{Args, Asked};

/// Runs that shrinking a failure may take.
const SHRINKING_RUNS: u32 = 400;
/// Failures after which no more seeds are run.
const MOST_FAILURES: usize = 5;

fn main() -> ExitCode {
    let mut out = std::io::stdout();
    let args = match args::read(std::env::args().skip(1)) {
        Ok(Asked::Run(args)) => args,
        Ok(Asked::Help) => {
            // Nobody is left to be told where the output is closed.
            let _ = write!(out, "{}", args::HELP);
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "encours-sim: {why}\nTry --help.");
            return ExitCode::from(2);
        }
    };
    // A failed assertion is caught and told with its seed; what it prints itself says no more.
    std::panic::set_hook(Box::new(|_| {}));
    let clock = SystemClock::new();
    let (tally, failures) = run(&args, &clock);
    let _ = write!(out, "{}", report::summary(&tally, clock.monotonic()));
    let none = failures.is_empty();
    for failure in failures {
        let _ = write!(out, "{}", report::failure(&failure.shrink(SHRINKING_RUNS), &args));
    }
    if none { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs all seeds, on as many threads as are asked for.
fn run(args: &Args, clock: &SystemClock) -> (Tally, Vec<Failure>) {
    let next = AtomicU64::new(args.first);
    let end = args.first.saturating_add(args.seeds);
    let done = Mutex::new((Tally::default(), Vec::new(), 0_u64));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let enough = |failures: &Vec<Failure>| failures.len() >= MOST_FAILURES;
            if seed >= end || enough(&done.lock().unwrap_or_else(PoisonError::into_inner).1) {
                return;
            }
            let ran = encours_sim::run(seed, &args.setup);
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            match ran {
                Ok(tally) => done.0.add(&tally),
                Err(failure) => done.1.push(*failure),
            }
            done.2 += 1;
            progress(&done.0, (done.2, args.seeds, done.1.len()), clock);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..args.jobs {
            scope.spawn(work);
        }
    });
    let (tally, mut failures, _) = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.sort_by_key(|failure| failure.seed);
    (tally, failures)
}

/// A bar where somebody looks, else a line now and then.
fn progress(tally: &Tally, (ran, all, failed): (u64, u64, usize), clock: &SystemClock) {
    const WIDTH: usize = 30;
    let mut err = std::io::stderr();
    let seconds = clock.monotonic().as_secs();
    if err.is_terminal() {
        let filled = usize::try_from(ran * WIDTH as u64 / all.max(1)).unwrap_or(WIDTH);
        let bar: String = (0..WIDTH).map(|at| if at < filled { '#' } else { '-' }).collect();
        let end = if ran == all { "\n" } else { "" };
        let _ = write!(err, "\r[{bar}] {ran}/{all} seeds, {failed} failed, {seconds} s{end}");
    } else if ran.is_multiple_of(1_000) || ran == all {
        let commands = tally.commands;
        let _ =
            writeln!(err, "{ran}/{all} seeds, {commands} commands, {failed} failed, {seconds} s");
    }
}
