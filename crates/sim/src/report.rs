//! What a person is told at the end.

use std::fmt::Write;
use std::process::Command;
use std::time::Duration;

use encours_sim::{Failure, Tally, coverage};

use crate::args::Args;

/// The table at the end.
pub(crate) fn summary(tally: &Tally, took: Duration) -> String {
    let mut text = String::new();
    for (name, count) in tally.counts() {
        line(&mut text, name, count);
    }
    line(&mut text, "seconds", took.as_secs());
    let commands: u64 = accepted(tally).map(|(_, count)| count).sum();
    let _ = writeln!(text, "\ncommands accepted, {commands} in all");
    for (name, count) in accepted(tally) {
        line(&mut text, &name, count);
    }
    let refusals = tally.refusals();
    let all: u64 = refusals.values().sum();
    let _ = writeln!(text, "\nrefusals by reason, {all} in all");
    for (name, count) in refusals {
        line(&mut text, name, count);
    }
    let missing = coverage::missing(tally);
    if !missing.is_empty() {
        let _ = writeln!(text, "\nnever came across: {}", missing.join(", "));
    }
    text
}

fn accepted(tally: &Tally) -> impl Iterator<Item = (String, u64)> + '_ {
    tally.outcomes.iter().filter_map(|(outcome, count)| {
        Some((outcome.strip_suffix(" accepted")?.to_owned(), *count))
    })
}

fn line(text: &mut String, name: &str, count: u64) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  {name:<26}{count:>14}");
}

/// A failure: where, the line that repeats it, what it takes.
pub(crate) fn failure(failure: &Failure, args: &Args) -> String {
    let (seed, steps) = (failure.seed, args.setup.steps);
    let weights = args.weights.as_ref();
    let weights = weights.map_or(String::new(), |w| format!(" --weights '{w}'"));
    let commit = commit();
    let count = failure.steps();
    format!(
        "\nFAILED: seed {seed}, commit {commit}\n\
         repeat with: cargo run -p encours-sim -- --seed {seed} --steps {steps}{weights}\n\
         The shortest schedule found, {count} steps. {failure}\n"
    )
}

/// The commit that runs, as far as git knows.
fn commit() -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    let git = Command::new("git").args(["-C", root, "describe", "--always", "--dirty"]).output();
    git.ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(|| "unknown".to_owned(), |text| text.trim().to_owned())
}
