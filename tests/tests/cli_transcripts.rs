//! The command line as a reader sees it: sessions in `transcripts/`, commands with what they print, run
//! against a real server.
//!
//! A line `$ encours …` is a command, run without a shell; words stand in double quotes where they
//! hold spaces, and `NAME=VALUE` before it sets the environment. `$ cat > FILE` writes the lines up to
//! `END`. Below a command stands what it prints, standard output before standard error, and `? CODE`
//! where it does not end with 0. All is compared, positions and versions too; the address of the
//! server, times of recording, hashes, ids that the server makes up and how fast it was are masked.
//!
//! `ENCOURS_UPDATE_TRANSCRIPTS=1 cargo nextest run -p encours-tests --test cli_transcripts` writes the
//! files as they come out now: read the difference before committing it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use encours_tests::{Server, data_folder, encours, root};
use tempfile::TempDir;

/// A folder to run commands in, and a server for them.
struct Session {
    folder: TempDir,
    server: Server,
}

impl Session {
    fn open() -> Self {
        let folder = data_folder();
        let server = Server::start(&folder.path().join("data"));
        Self { folder, server }
    }

    /// Runs a command; answers what it printed and its exit code.
    fn run(&self, line: &str) -> (String, i32) {
        let mut words = words(line);
        let program = words.iter().position(|word| word == "encours").expect("a command");
        let mut command = Command::new(encours());
        command.current_dir(self.folder.path()).stdin(Stdio::null()).args(&words[program + 1..]);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ENCOURS_")) {
            command.env_remove(name);
        }
        command.env_remove("COLUMNS").env("ENCOURS_SERVER", self.server.url());
        for word in words.drain(..program) {
            let (name, value) = word.split_once('=').expect("NAME=VALUE");
            command.env(name, value);
        }
        let output = command.output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        // Exports end their lines as RFC 4180 has it; here they are lines as any other.
        let mut printed = printed.replace("\r\n", "\n");
        printed.push_str(std::str::from_utf8(&output.stderr).unwrap());
        let code = output.status.code().unwrap_or_else(|| panic!("{line}: a signal"));
        assert!(!printed.contains("panicked"), "{line}: {printed}");
        (self.masked(&printed), code)
    }

    /// What differs from run to run, replaced by what it is.
    fn masked(&self, text: &str) -> String {
        let text = text.replace(&self.server.url(), "http://127.0.0.1:50051");
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '.' | '-');
            let end = rest.find(|c| !part(c)).unwrap_or(rest.len()).max(first.len_utf8());
            let (word, after) = rest.split_at(end);
            out.push_str(mask(word).unwrap_or(word));
            rest = after;
        }
        let before = std::iter::once("").chain(out.lines());
        let lines = out.split_inclusive('\n').zip(before);
        lines.map(|(line, before)| mask_line(line, before)).collect()
    }
}

/// A line without the figures that depend on how fast the machine was.
fn mask_line(line: &str, before: &str) -> String {
    if before.ends_with("  seconds") || before.ends_with("  secondes") {
        let (figures, _) = line.trim_end().rsplit_once(' ').expect("figures before the seconds");
        return format!("{} <seconds>\n", figures.trim_end());
    }
    let first = line.split("  ").next().unwrap_or_default();
    match first {
        "frames" | "bytes" | "trames" | "octets" => format!("{first}  <number>\n"),
        "digest" | "empreinte" => format!("{first}  <hash>\n"),
        _ => {
            let mut ways = [" joués en ", " played in "].into_iter();
            let played = ways.find_map(|way| Some((line.split_once(way)?.0, way)));
            played.map_or_else(
                || line.to_owned(),
                |(days, way)| format!("{days}{way}<seconds>: <figures>\n"),
            )
        }
    }
}

fn mask(word: &str) -> Option<&'static str> {
    let all = |part: fn(&u8) -> bool| word.bytes().all(|byte| part(&byte));
    let byte = |at: usize| word.as_bytes().get(at).copied();
    if byte(10) == Some(b'T') && byte(13) == Some(b':') && word.ends_with('Z') {
        Some("<recorded>")
    } else if word.len() == 36
        && byte(14) == Some(b'7')
        && all(|b| b.is_ascii_hexdigit() || *b == b'-')
    {
        Some("<assigned>")
    } else if word.len() >= 32 && all(u8::is_ascii_hexdigit) {
        Some("<hash>")
    } else {
        None
    }
}

/// The words of a line: those in double quotes are whole.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().unwrap().push(c),
        }
    }
    words
}

/// Plays the commands of a transcript; answers the transcript as it came out.
fn play(text: &str) -> String {
    let session = Session::open();
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    let mut skipping = false;
    while let Some(line) = lines.next() {
        if let Some(file) = line.strip_prefix("$ cat > ") {
            let content: Vec<&str> = lines.by_ref().take_while(|line| *line != "END").collect();
            let content = content.join("\n") + "\n";
            fs::write(session.folder.path().join(file), &content).unwrap();
            write!(out, "{line}\n{content}END\n").unwrap();
            skipping = false;
        } else if let Some(command) = line.strip_prefix("$ ") {
            let (printed, code) = session.run(command);
            write!(out, "{line}\n{printed}").unwrap();
            if code != 0 {
                writeln!(out, "? {code}").unwrap();
            }
            out.push('\n');
            skipping = true;
        } else if line.starts_with("# ") {
            writeln!(out, "{line}").unwrap();
            skipping = false;
        } else if !skipping {
            writeln!(out, "{line}").unwrap();
        }
    }
    out.truncate(out.trim_end().len());
    out + "\n"
}

fn folder() -> PathBuf {
    root().join("tests/tests/transcripts")
}

fn holds(name: &str) {
    let path = folder().join(name);
    let expected = fs::read_to_string(&path).unwrap();
    let came = play(&expected);
    if std::env::var_os("ENCOURS_UPDATE_TRANSCRIPTS").is_some() {
        fs::write(&path, &came).unwrap();
        return;
    }
    compare(&path, &expected, &came);
}

fn compare(path: &Path, expected: &str, came: &str) {
    let ends = || std::iter::repeat("<end of file>");
    let pairs = expected.lines().chain(ends()).zip(came.lines().chain(ends()));
    let lines = expected.lines().count().max(came.lines().count());
    for (number, (expected, came)) in (1..=lines).zip(pairs) {
        let place = path.display();
        assert_eq!(
            came, expected,
            "{place}:{number}: what came out is on the left. Where that is right: \
             ENCOURS_UPDATE_TRANSCRIPTS=1"
        );
    }
}

#[test]
fn the_first_balance() {
    holds("first_balance.txt");
}

#[test]
fn corrections() {
    holds("corrections.txt");
}

#[test]
fn mistakes_are_one_clear_line() {
    holds("mistakes.txt");
}

#[test]
fn configuration() {
    holds("configuration.txt");
}

#[test]
fn in_french() {
    holds("french.txt");
}

#[test]
fn the_demo_in_french() {
    holds("demo_fr.txt");
}

#[test]
fn drafts_openings_and_limits() {
    holds("drafts.txt");
}

#[test]
fn reminders_plans_and_refunds() {
    holds("reminders.txt");
}

#[test]
fn lists_and_exports() {
    holds("lists.txt");
}

#[test]
fn reminders_in_french() {
    holds("french_reminders.txt");
}

#[test]
fn the_demo() {
    holds("demo.txt");
}

#[test]
fn help() {
    holds("help.txt");
}

#[test]
fn every_transcript_is_played() {
    let mut names: Vec<_> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    let played = [
        "configuration.txt",
        "corrections.txt",
        "demo.txt",
        "demo_fr.txt",
        "drafts.txt",
        "first_balance.txt",
        "french.txt",
        "french_reminders.txt",
        "help.txt",
        "lists.txt",
        "mistakes.txt",
        "reminders.txt",
    ];
    assert_eq!(names, played);
}
