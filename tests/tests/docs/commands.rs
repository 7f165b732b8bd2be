//! The command lines that the documentation shows: their verbs and flags are those of the binary.

use std::collections::{BTreeMap, BTreeSet};

use encours_tests::run;

use crate::pages::{self, Page};

/// The languages of blocks that hold commands.
pub(crate) const SHELLS: [&str; 2] = ["sh", "console"];

/// What looks like one and is not: the text that the hash of the first frame begins with.
const NO_COMMAND: &str = "encours log genesis 1";

#[test]
fn every_command_line_has_verbs_and_flags_that_exist() {
    let mut helps = Helps::default();
    let mut commands = 0;
    for page in &pages::all() {
        for (line, command) in shown(page) {
            let Some(words) = arguments(&command) else { continue };
            commands += 1;
            if let Err(wrong) = helps.check(&words) {
                panic!("{}:{line}: {wrong}: {command}", page.path.display());
            }
        }
    }
    println!("{commands} commands, {} pages of help", helps.0.len());
    assert!(commands > 40, "only {commands} commands were found");
}

/// The commands of a page with the numbers of their lines: of its blocks and, where they begin with
/// `encours`, between backticks.
fn shown(page: &Page) -> Vec<(usize, String)> {
    let mut shown = Vec::new();
    for block in page.blocks().iter().filter(|block| SHELLS.contains(&block.kind)) {
        let commands = commands(&block.lines).into_iter();
        shown.extend(commands.map(|command| (block.line, command)));
    }
    for (number, line) in page.prose() {
        let spans = line.split('`').skip(1).step_by(2);
        let spans = spans.filter(|span| span.starts_with("encours ") && *span != NO_COMMAND);
        // Such as `encours log verify|stat`: more than one at a time.
        let spans = spans.filter(|span| !span.contains(['…', '|']));
        shown.extend(spans.map(|span| (number, span.to_owned())));
    }
    shown
}

/// The commands of a block: lines joined where they end with a backslash, split at `|`, `&&` and `;`,
/// without comments.
pub(crate) fn commands(lines: &[&str]) -> Vec<String> {
    let mut commands = vec![String::new()];
    for line in lines {
        let line = line.strip_prefix("$ ").unwrap_or(line);
        let (line, goes_on) = line.strip_suffix('\\').map_or((line, false), |line| (line, true));
        let (mut quote, mut before) = (None, ' ');
        for c in line.chars() {
            let plain = quote.is_none();
            match c {
                '#' if plain && before == ' ' => break,
                '|' | ';' | '&' if plain => commands.push(String::new()),
                c => {
                    if matches!(c, '"' | '\'') && (plain || quote == Some(c)) {
                        quote = plain.then_some(c);
                    }
                    commands.last_mut().unwrap().push(c);
                }
            }
            before = c;
        }
        if !goes_on {
            commands.push(String::new());
        }
    }
    commands.retain(|command| !command.trim().is_empty());
    commands.into_iter().map(|command| command.trim().to_owned()).collect()
}

/// The arguments that a command gives to `encours`; nothing where it runs something else.
pub(crate) fn arguments(command: &str) -> Option<Vec<String>> {
    let words = words(command);
    let assigns =
        |word: &&String| word.split_once('=').is_some_and(|(name, _)| !name.contains('-'));
    let program = words.iter().take_while(assigns).count();
    let first = words.get(program)?;
    let after = match first.as_str() {
        // `cargo run --release -- demo`, where it is the default binary that runs.
        "cargo" if words[program + 1] == "run" && !words.iter().any(|word| word == "-p") => {
            words.iter().position(|word| word == "--")?
        }
        name if name.rsplit('/').next() == Some("encours") => program,
        _ => return None,
    };
    let redirects = |word: &&String| !word.starts_with(['>', '<']);
    Some(words[after + 1..].iter().take_while(redirects).cloned().collect())
}

/// The words of a command as a shell splits it: what is quoted is whole.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in command.chars() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, ' ') => words.push(String::new()),
            (_, c) => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What the help of each verb tells, asked for once.
#[derive(Default)]
pub(crate) struct Helps(BTreeMap<Vec<String>, Help>);

/// What the help of a verb tells.
pub(crate) struct Help {
    pub(crate) verbs: BTreeSet<String>,
    flags: BTreeSet<String>,
}

impl Helps {
    pub(crate) fn of(&mut self, verbs: &[String]) -> &Help {
        self.0.entry(verbs.to_vec()).or_insert_with(|| {
            let told = run(verbs.iter().map(String::as_str).chain(["--help"])).ok().stdout;
            Help::read(&told)
        })
    }

    fn check(&mut self, words: &[String]) -> Result<(), String> {
        let mut verbs: Vec<String> = Vec::new();
        for word in words.iter().filter(|word| !word.starts_with('-')) {
            let help = self.of(&verbs);
            if help.verbs.contains(word) {
                verbs.push(word.clone());
            } else if !help.verbs.is_empty() && verbs.len() < 2 {
                return Err(format!("there is no verb {word}"));
            } else {
                break;
            }
        }
        let help = self.of(&verbs);
        let flags = words.iter().filter(|word| word.starts_with('-') && word.len() > 1);
        for flag in flags.filter_map(|flag| flag.split('=').next()) {
            if !help.flags.contains(flag) {
                return Err(format!("{} has no flag {flag}", verbs.join(" ")));
            }
        }
        Ok(())
    }
}

impl Help {
    /// What stands under `Commands:` and `Options:`.
    fn read(text: &str) -> Self {
        let mut help = Self { verbs: BTreeSet::new(), flags: BTreeSet::new() };
        let mut section = "";
        for line in text.lines().filter(|line| !line.is_empty()) {
            let indent = line.len() - line.trim_start().len();
            let mut words = line.split_whitespace();
            let first = words.next().unwrap_or_default();
            match (indent, section) {
                (0, _) => section = line,
                (2, "Commands:") => drop(help.verbs.insert(first.to_owned())),
                (2 | 6, "Options:") if first.starts_with('-') => {
                    // `-h, --help`, `--lang <LANG>`.
                    let names = [first].into_iter().chain(words.take(1));
                    let names = names.filter(|name| name.starts_with('-'));
                    help.flags.extend(names.map(|name| name.trim_end_matches(',').to_owned()));
                }
                _ => {}
            }
        }
        help
    }
}

#[test]
fn a_line_is_read_as_a_shell_reads_it() {
    let lines =
        ["A=1 encours invoice issue --line \"a;b;c\" \\", "  --number x  # why", "ls | head"];
    let commands = commands(&lines);
    assert_eq!(commands, ["A=1 encours invoice issue --line \"a;b;c\"   --number x", "ls", "head"]);
    let wanted = ["invoice", "issue", "--line", "a;b;c", "--number", "x"].map(str::to_owned);
    assert_eq!(arguments(&commands[0]).unwrap(), wanted);
    assert_eq!(arguments("ls"), None);
    let mut helps = Helps::default();
    let mut wrong = |line: &str| helps.check(&arguments(line).unwrap()).unwrap_err();
    assert_eq!(wrong("encours invoice eat --total 1"), "there is no verb eat");
    assert_eq!(wrong("encours invoice issue --totl 1"), "invoice issue has no flag --totl");
}
