//! Processor time by thread: what a command costs, whatever else the machine does meanwhile.

use std::collections::BTreeMap;

use crate::Took;

/// Nanoseconds of processor time that the threads of a process have had, by their names.
#[derive(Clone, Debug, Default)]
pub struct Cpu(BTreeMap<String, u64>);

impl Cpu {
    /// Of this process, and of the servers with these process ids, each as one line. Threads that have
    /// ended do not count, nor do those of a system without `/proc`.
    #[must_use]
    pub fn now(servers: &[u32]) -> Self {
        let mut times = BTreeMap::new();
        for (name, time) in threads("self") {
            *times.entry(name).or_default() += time;
        }
        for server in servers {
            let all: u64 = threads(&server.to_string()).iter().map(|(_, time)| time).sum();
            *times.entry("nats-server".to_owned()).or_default() += all;
        }
        Self(times)
    }

    /// Prints what each thread took since `before` for every command.
    #[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
    pub fn print_since(&self, before: &Self, took: Took) {
        let count = took.count.max(1);
        let mut sum = 0;
        print!("  processor, ns a command:");
        for (name, time) in &self.0 {
            let time = time.saturating_sub(before.0.get(name).copied().unwrap_or(0)) / count;
            sum += time;
            if time > 0 {
                print!(" {name} {time},");
            }
        }
        println!(" all {sum}");
    }
}

/// Name and time of each thread of a process.
fn threads(process: &str) -> Vec<(String, u64)> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    let of = |task: std::path::PathBuf| {
        let name = std::fs::read_to_string(task.join("comm")).ok()?;
        let times = std::fs::read_to_string(task.join("schedstat")).ok()?;
        Some((name.trim().to_owned(), times.split(' ').next()?.parse().ok()?))
    };
    tasks.filter_map(|task| of(task.ok()?.path())).collect()
}
