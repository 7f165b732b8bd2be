//! The arguments, read by hand: there are seven.

use encours_sim::Setup;
use encours_sim::workload::Weights;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
The deterministic simulation of Encours: commands, faults and time from a seed, each reply checked
against an independent model of the rules.

Usage: cargo run --release -p encours-sim -- [OPTIONS]

  --seeds N      run this many seeds [default: 100]
  --first S      the first of them [default: 0]
  --seed S       run this one seed only
  --steps K      steps of each schedule [default: 80]
  --weights W    how often which command is made: Command=number,...; careless=n lets one in n
                 commands break a rule on purpose; or the name of a file of such lines
  --jobs J       threads [default: as many as there are processors]
  --help         this text

A failure prints its seed, the line that repeats it, and the shortest schedule that was found to fail.
Exit codes: 0 all seeds hold, 1 some do not, 2 wrong arguments.
";

/// What is asked for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// To run.
    Run(Args),
    /// To be told how to run.
    Help,
}

/// What to run.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) first: u64,
    pub(crate) seeds: u64,
    pub(crate) jobs: u64,
    pub(crate) setup: Setup,
    /// As given, for the line that repeats a failure.
    pub(crate) weights: Option<String>,
}

/// Reads the arguments after the program's name.
///
/// # Errors
/// Which argument cannot be meant, and why.
pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Asked, String> {
    let jobs = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let setup = Setup::default();
    let mut args = Args { first: 0, seeds: 100, jobs, setup, weights: None };
    while let Some(word) = words.next() {
        let (name, given) = match word.split_once('=') {
            Some((name, value)) if name.starts_with("--") => {
                (name.to_owned(), Some(value.to_owned()))
            }
            _ => (word, None),
        };
        if matches!(name.as_str(), "--help" | "-h") {
            return Ok(Asked::Help);
        }
        let known = ["--seeds", "--first", "--seed", "--steps", "--weights", "--jobs"];
        if !known.contains(&name.as_str()) {
            return Err(format!("there is no argument {name:?}"));
        }
        let value = given.or_else(|| words.next()).ok_or(format!("{name} needs a value"))?;
        let number = || {
            let number = value.parse::<u64>();
            number.map_err(|_| format!("{name} {value:?} is not a number from 0 to {}", u64::MAX))
        };
        match name.as_str() {
            "--seeds" => args.seeds = number()?,
            "--first" => args.first = number()?,
            "--seed" => (args.first, args.seeds) = (number()?, 1),
            "--steps" => args.setup.steps = number()?,
            "--jobs" => args.jobs = number()?.clamp(1, 256),
            _ => {
                args.setup.weights = Weights::parse(&weights(&value)?)?;
                args.weights = Some(value);
            }
        }
    }
    Ok(Asked::Run(args))
}

/// Weights as given, or as a file says.
fn weights(value: &str) -> Result<String, String> {
    if value.contains('=') {
        return Ok(value.to_owned());
    }
    let text = std::fs::read_to_string(value);
    let text = text.map_err(|e| format!("weights: {value:?} is no list, and no file: {e}"))?;
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    Ok(lines.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Result<Asked, String> {
        read(words.iter().map(ToString::to_string))
    }

    #[test]
    fn arguments_are_read_and_wrong_ones_named() {
        let Ok(Asked::Run(args)) = of(&["--seed", "7", "--steps=12", "--weights", "Allocate=9"])
        else {
            unreachable!()
        };
        assert_eq!((args.first, args.seeds, args.setup.steps), (7, 1, 12));
        assert_eq!(args.weights.as_deref(), Some("Allocate=9"));
        assert!(matches!(of(&["--seeds", "3", "--help"]), Ok(Asked::Help)));
        assert_eq!(of(&["--sedes", "3"]).unwrap_err(), "there is no argument \"--sedes\"");
        assert_eq!(of(&["--seeds"]).unwrap_err(), "--seeds needs a value");
        assert!(of(&["--seeds", "many"]).unwrap_err().contains("not a number"));
        assert!(of(&["--weights", "/nowhere"]).unwrap_err().contains("no list, and no file"));
    }
}
