//! The threads that a process runs on, made sure of before it needs them.
//!
//! The system may let it have few: `ulimit -u` for its user, `TasksMax=` of a systemd unit, `pids` of a
//! container. tokio panics where it has work that blocks and not one thread for it, and other parts
//! fail half-way. So all that it takes is tried out first, and tokio keeps the threads that it has.

use std::io;
use std::num::NonZero;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::failure::{Exit, Failure, Outcome};

/// Threads for work that blocks that are there from the start to the end: what comes while no more can
/// be had waits for one of them. WHY several: one may read the whole log for a verification.
const BLOCKING: usize = 4;
/// The most of them. WHY so few: they are kept once they are there.
const BLOCKING_MOST: usize = 64;
/// Longer than any process lives.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);
/// How long the first threads wait for each other.
const TOGETHER: Duration = Duration::from_secs(5);
/// Threads of a log: the engine's three, the journal's, the read model's two, the notary's, that of its
/// part among several nodes, and one to spare.
const OF_A_LOG: usize = 9;
/// Threads of the store that read models are kept in, whatever their number.
const OF_THE_STORE: usize = 7;

/// Threads that are started where so many logs are served.
pub(crate) const fn of_logs(logs: usize) -> usize {
    OF_A_LOG * logs + OF_THE_STORE
}

/// A runtime whose work finds a thread, whatever the system allows later. `beside` are the threads that
/// are going to be started otherwise.
///
/// # Errors
/// Where the system does not let the process have as many.
pub(crate) fn runtime(beside: usize) -> Outcome<Runtime> {
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    try_out(workers + BLOCKING + beside)?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(workers)
        .max_blocking_threads(BLOCKING_MOST)
        .thread_keep_alive(FOR_EVER)
        .enable_all()
        .build()?;
    let there = Arc::new((Mutex::new(0), Condvar::new()));
    for _ in 0..BLOCKING {
        let there = Arc::clone(&there);
        // Each waits for the others, so that there is a thread for each.
        runtime.spawn_blocking(move || {
            let (count, changed) = &*there;
            let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
            *count += 1;
            changed.notify_all();
            drop(changed.wait_timeout_while(count, TOGETHER, |count| *count < BLOCKING));
        });
    }
    Ok(runtime)
}

/// Starts so many threads and lets them end.
fn try_out(wanted: usize) -> Outcome {
    let before = count();
    let end = Arc::new((Mutex::new(false), Condvar::new()));
    let mut threads: Vec<JoinHandle<()>> = Vec::with_capacity(wanted);
    let mut refused = None;
    while threads.len() < wanted && refused.is_none() {
        let seen = Arc::clone(&end);
        let waits = move || {
            let (over, changed) = &*seen;
            let over = over.lock().unwrap_or_else(PoisonError::into_inner);
            drop(changed.wait_while(over, |over| !*over));
        };
        match thread::Builder::new().spawn(waits) {
            Ok(thread) => threads.push(thread),
            Err(error) => refused = Some(error),
        }
    }
    let got = threads.len();
    *end.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
    end.1.notify_all();
    for thread in threads {
        // It has nothing to panic on.
        let _ = thread.join();
    }
    // WHY: a thread that was joined still counts for a moment.
    for _ in 0..1_000 {
        if count() <= before {
            break;
        }
        thread::sleep(Duration::from_millis(1));
    }
    refused.map_or(Ok(()), |error| Err(too_few(wanted, got, &error)))
}

/// Threads of this process; 0 where the system does not say.
fn count() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

fn too_few(wanted: usize, got: usize, error: &io::Error) -> Failure {
    let message = format!(
        "threads: {wanted} are needed beside the first one, and the system allows {got} now: {error}"
    );
    Failure::new(Exit::Unavailable, message).hint(
        "allow the user or the unit more: `ulimit -u`, LimitNPROC= and TasksMax= of systemd, pids of a \
         container; nothing was begun",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_were_tried_out_are_gone() {
        let before = count();
        try_out(200).unwrap();
        // Other tests of this process start and end threads, too.
        assert!(count() < before + 100);
    }

    #[test]
    fn what_is_missing_is_told_with_figures_and_what_to_do() {
        let failure = too_few(26, 7, &io::ErrorKind::WouldBlock.into());
        assert_eq!(failure.exit(), Exit::Unavailable);
        for part in ["26 are needed", "allows 7", "ulimit -u", "TasksMax="] {
            assert!(failure.to_string().contains(part), "{failure}");
        }
    }
}
