//! One line of the list: what was looked at, what was found, what to do next.

use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Cell, Column, Format, OutputArgs, Printer};

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As it has to be.
    Ok,
    /// It works, and deserves a look.
    Warning,
    /// Nobody could tell.
    NotChecked,
    /// It has to be put right; what the process then ends with.
    Failed(Exit),
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::NotChecked => "not checked",
            Self::Failed(_) => "FAILED",
        }
    }
}

/// A line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) verdict: Verdict,
    /// What was looked at.
    pub(super) name: &'static str,
    /// The server, stream or folder that it is about.
    pub(super) subject: String,
    /// What was found.
    pub(super) finding: String,
    /// What to do next; empty where nothing is to be done.
    pub(super) next: String,
}

impl Check {
    pub(super) fn ok(name: &'static str, subject: &str, finding: impl Into<String>) -> Self {
        Self::new(Verdict::Ok, name, subject, finding.into(), "")
    }

    pub(super) fn new(
        verdict: Verdict,
        name: &'static str,
        subject: &str,
        finding: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        let subject = subject.to_owned();
        Self { verdict, name, subject, finding: finding.into(), next: next.into() }
    }

    /// What could not be done at all, with the advice that the same failure gives elsewhere.
    pub(super) fn failure(name: &'static str, subject: &str, failure: &Failure) -> Self {
        let verdict = Verdict::Failed(failure.exit());
        let next = failure.advice().unwrap_or_default();
        Self::new(verdict, name, subject, failure.message(), next)
    }
}

const COLUMNS: [Column; 5] = [
    Column::left("result"),
    Column::left("check"),
    Column::left("subject"),
    Column::left("finding"),
    Column::left("next"),
];

/// Prints the list; fails where a check has.
pub(super) fn report(how: OutputArgs, checks: &[Check]) -> Outcome {
    let advised = checks.iter().any(|check| !check.next.is_empty());
    // People need no column for advice where there is none; programs find the same columns always.
    let columns = if how.format == Format::Table && !advised { &COLUMNS[..4] } else { &COLUMNS };
    let mut printer = Printer::start(how, "checks", columns)?;
    for check in checks {
        let mut row = vec![
            Cell::Status(check.verdict.word().to_owned()),
            Cell::text(check.name),
            Cell::text(&*check.subject),
            Cell::text(&*check.finding),
            Cell::text(&*check.next),
        ];
        row.truncate(columns.len());
        printer.row(row)?;
    }
    printer.finish()?;
    worst(checks)
}

/// The failure that the process ends with: damage before all else, then what does not pass by
/// itself.
fn worst(checks: &[Check]) -> Outcome {
    let exits = || {
        checks.iter().filter_map(|check| match check.verdict {
            Verdict::Failed(exit) => Some(exit),
            _ => None,
        })
    };
    let grave = [Exit::Damaged, Exit::Locked, Exit::Failure, Exit::Unavailable];
    let first = grave.into_iter().find(|exit| exits().any(|found| found == *exit));
    let Some(exit) = first.or_else(|| exits().next()) else { return Ok(()) };
    let message = match exits().count() {
        1 => "1 check has failed".to_owned(),
        count => format!("{count} checks have failed"),
    };
    Err(Failure::new(exit, message).hint("the list says for each what to do next"))
}

/// Bytes for people.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..=1_023 => format!("{bytes} bytes"),
        0x400..=0xf_ffff => format!("{} KiB", bytes >> 10),
        0x10_0000..=0x2_7fff_ffff => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(verdict: Verdict) -> Check {
        Check::new(verdict, "sync", "one", "found", "")
    }

    #[test]
    fn damage_is_graver_than_a_server_that_does_not_answer() {
        let failed = |exit| check(Verdict::Failed(exit));
        let list = [failed(Exit::Unavailable), check(Verdict::Ok), failed(Exit::Damaged)];
        let worst = worst(&list).unwrap_err();
        assert_eq!(worst.exit(), Exit::Damaged);
        assert!(worst.to_string().starts_with("2 checks have failed"), "{worst}");
    }

    #[test]
    fn what_was_not_checked_is_no_failure() {
        assert!(worst(&[check(Verdict::NotChecked), check(Verdict::Warning)]).is_ok());
    }

    #[test]
    fn sizes_are_told_in_their_unit() {
        assert_eq!(size(1_000), "1000 bytes");
        assert_eq!(size(1 << 20), "1 MiB");
        assert_eq!(size(10 << 30), "10 GiB");
    }
}
