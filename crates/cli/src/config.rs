//! The configuration file: TOML, two tables, and nothing in it that is not also a flag.
//!
//! A value of the file becomes the default of its flag, so that flags stand above the environment,
//! the environment above the file, and the file above what is built in. `[serve]` takes every flag of
//! `encours serve`; a key of `[client]` takes effect wherever the environment variable of its name
//! does. What is wrong with a file is told with its line; nothing in it is skipped.

use std::ffi::OsString;
use std::fmt::Display;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::failure::{Failure, Outcome};

/// Keys of `[client]`, each the flag and, in capitals after `ENCOURS_`, the variable of that name.
const CLIENT: [&str; 6] = ["server", "actor", "timeout", "ledger", "output", "lang"];
/// The largest file that is read: far above what the known keys can fill.
const MAX_BYTES: u64 = 1 << 20;

/// The file to read: `--config FILE`, else `ENCOURS_CONFIG`, else none.
pub(crate) fn path(arguments: &[OsString], variable: Option<OsString>) -> Option<PathBuf> {
    let mut words = arguments.iter().skip(1).take_while(|word| *word != "--");
    while let Some(word) = words.next() {
        if word == "--config" {
            return words.next().map(PathBuf::from);
        }
        if let Some(path) = word.to_str().and_then(|word| word.strip_prefix("--config=")) {
            return Some(path.into());
        }
    }
    variable.filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// What is wrong with the value of a flag, told of the environment variable where it comes from one.
pub(crate) fn variable(
    command: &Command,
    arguments: &[OsString],
    error: &clap::Error,
) -> Option<String> {
    let ContextValue::String(flag) = error.get(ContextKind::InvalidArg)? else { return None };
    let name = flag.strip_prefix("--")?.split([' ', '=']).next()?;
    let words = arguments.iter().filter_map(|word| word.to_str()).take_while(|word| *word != "--");
    let mut words = words.filter_map(|word| word.strip_prefix("--"));
    if words.any(|word| word.split('=').next() == Some(name)) {
        return None;
    }
    let variable = variable_of(command, name)?;
    std::env::var_os(&variable)?;
    Some(error.to_string().replacen(&format!("'{flag}'"), &variable, 1))
}

/// The environment variable of a flag, wherever below a command it stands.
fn variable_of(command: &Command, name: &str) -> Option<String> {
    let mut flags = command.get_arguments().filter(|flag| flag.get_long() == Some(name));
    let own = flags.find_map(|flag| Some(flag.get_env()?.to_str()?.to_owned()));
    own.or_else(|| command.get_subcommands().find_map(|below| variable_of(below, name)))
}

/// Reads a file and sets its values as defaults of the command line.
pub(crate) fn apply(command: Command, path: &Path) -> Outcome<Command> {
    let mut text = String::new();
    // A file of the user's, read and left alone: the trait Disk is for what Encours stores.
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| Failure::usage(format!("--config {}: {error}", path.display())))?;
    if text.len() as u64 > MAX_BYTES {
        let path = path.display();
        return Err(Failure::usage(format!("--config {path}: longer than {MAX_BYTES} bytes")));
    }
    set(command, &Source { path, text: &text })
}

/// A file that was read.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    /// A mistake at a byte of the file.
    fn wrong(&self, at: usize, why: impl Display) -> Failure {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = 1 + before.matches('\n').count();
        Failure::usage(format!("{}:{line}: {why}", self.path.display()))
    }
}

fn set(mut command: Command, source: &Source<'_>) -> Outcome<Command> {
    let tables = DeTable::parse(source.text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        source.wrong(at, error.message())
    })?;
    let mut tables: Vec<_> = tables.get_ref().iter().collect();
    tables.sort_by_key(|(name, _)| name.span().start);
    for (name, table) in tables {
        let start = name.span().start;
        let DeValue::Table(table) = table.get_ref() else {
            return Err(source.wrong(start, stray(name.get_ref())));
        };
        let known = match name.get_ref().as_ref() {
            "serve" => serve_keys(&command),
            "client" => CLIENT.map(str::to_owned).to_vec(),
            other => {
                let why = format!("[{other}] is unknown; the tables are [serve] and [client]");
                return Err(source.wrong(start, why));
            }
        };
        let mut keys: Vec<_> = table.iter().collect();
        keys.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in keys {
            let table = name.get_ref();
            if !known.iter().any(|name| name == key.get_ref()) {
                let known = known.join(", ");
                let why =
                    format!("{} is unknown in [{table}]; its keys are {known}", key.get_ref());
                return Err(source.wrong(key.span().start, why));
            }
            command = set_key(command, source, table, key, value)?;
        }
    }
    Ok(command)
}

fn stray(key: &str) -> String {
    format!("{key} stands in no table; the tables are [serve] and [client]")
}

/// The flags of `encours serve`.
fn serve_keys(command: &Command) -> Vec<String> {
    let serve = command.find_subcommand("serve");
    let flags = serve.into_iter().flat_map(Command::get_arguments);
    flags.filter(|flag| flag.get_long().is_some()).map(|flag| flag.get_id().to_string()).collect()
}

/// Sets a value as the default of every flag that the key stands for.
fn set_key(
    command: Command,
    source: &Source<'_>,
    table: &str,
    key: &Spanned<std::borrow::Cow<'_, str>>,
    value: &Spanned<DeValue<'_>>,
) -> Outcome<Command> {
    let name = key.get_ref().as_ref();
    let wrong = |why: String| source.wrong(value.span().start, format!("{name}: {why}"));
    let mut checked: Option<Result<Vec<String>, String>> = None;
    let mut change = |flag: Arg| {
        let checked = checked.get_or_insert_with(|| checked_texts(value.get_ref(), &flag));
        match checked {
            Ok(texts) => flag.default_values(texts.clone()).required(false),
            Err(_) => flag,
        }
    };
    let command = if table == "serve" {
        command.mut_subcommand("serve", |serve| serve.mut_arg(name, &mut change))
    } else {
        let variable = format!("ENCOURS_{}", name.to_uppercase());
        everywhere(command, &mut |flag| {
            if flag.get_env().is_some_and(|env| *env == *variable) { change(flag) } else { flag }
        })
    };
    match checked {
        Some(Err(why)) => Err(wrong(why)),
        _ => Ok(command),
    }
}

/// Changes the flags of a command and of all below it.
fn everywhere(command: Command, change: &mut dyn FnMut(Arg) -> Arg) -> Command {
    let command = command.mut_args(&mut *change);
    command.mut_subcommands(|below| everywhere(below, change))
}

/// The values of a key as they would be written on the command line: several where the flag may be
/// given several times.
fn checked_texts(value: &DeValue<'_>, flag: &Arg) -> Result<Vec<String>, String> {
    let one = |value: &DeValue<'_>| text(value, flag).and_then(|text| check(flag, text));
    match (value, flag.get_action()) {
        (DeValue::Array(values), ArgAction::Append) => {
            values.iter().map(|value| one(value.get_ref())).collect()
        }
        _ => one(value).map(|text| vec![text]),
    }
}

/// A value as it would be written on the command line.
fn text(value: &DeValue<'_>, flag: &Arg) -> Result<String, String> {
    let switch = matches!(flag.get_action(), ArgAction::SetTrue);
    match value {
        DeValue::Boolean(value) if switch => Ok(value.to_string()),
        _ if switch => Err("give true or false".to_owned()),
        DeValue::String(text) => Ok(text.clone().into_owned()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().replace('_', "")),
        other => {
            Err(format!("give a text or a whole number; this is of type {}", other.type_str()))
        }
    }
}

/// Has the flag itself judge a value, so that the file is held to the rules of the command line.
fn check(flag: &Arg, text: String) -> Result<String, String> {
    let Some(long) = flag.get_long().filter(|_| flag.get_action().takes_values()) else {
        return Ok(text);
    };
    let alone = flag.clone().env(Resettable::Reset).default_value(Resettable::Reset);
    let alone = Command::new("file").no_binary_name(true).arg(alone.required(false));
    let Err(error) = alone.try_get_matches_from([format!("--{long}={text}")]) else {
        return Ok(text);
    };
    Err(match (error.get(ContextKind::ValidValue), std::error::Error::source(&error)) {
        (Some(ContextValue::Strings(known)), _) if !known.is_empty() => {
            format!("{text:?} is unknown; give one of {}", known.join(", "))
        }
        (_, Some(why)) => format!("{text:?}: {why}"),
        _ => format!("{text:?} makes no sense"),
    })
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, FromArgMatches as _};

    use super::*;
    use crate::args::Cli;

    const PATH: &str = "encours.toml";

    fn set_in(text: &str) -> Outcome<Command> {
        set(Cli::command(), &Source { path: Path::new(PATH), text })
    }

    fn refused(text: &str) -> String {
        set_in(text).unwrap_err().to_string()
    }

    fn parsed(text: &str, line: &str) -> String {
        let command = set_in(text).unwrap();
        let matches = command.try_get_matches_from(line.split(' ')).unwrap();
        format!("{:?}", Cli::from_arg_matches(&matches).unwrap())
    }

    #[test]
    fn a_value_is_the_default_of_its_flag() {
        let file = "[serve]\nlisten = \"127.0.0.1:7\"\nsegment_mib = 8\ninsecure = true\n\
                    [client]\nledger = \"acme\"\noutput = \"csv\"\n";
        let serve = parsed(file, "encours serve");
        for part in ["listen: \"127.0.0.1:7\"", "segment_mib: 8", "insecure: true"] {
            assert!(serve.contains(part), "{part}: {serve}");
        }
        let list = parsed(file, "encours customer list");
        assert!(list.contains("ledger: \"acme\"") && list.contains("format: Csv"), "{list}");
        let other = parsed(file, "encours customer list --ledger b --output json");
        assert!(other.contains("ledger: \"b\"") && other.contains("format: Json"), "{other}");
    }

    #[test]
    fn an_import_names_its_ledger_itself() {
        let command = set_in("[client]\nledger = \"acme\"\n").unwrap();
        assert!(command.try_get_matches_from(["encours", "import", "a.csv"]).is_err());
    }

    #[test]
    fn mistakes_are_told_with_their_line_and_what_is_known() {
        let unknown = refused("# ours\n[serve]\nlisten = \"127.0.0.1:1\"\nport = 1\n");
        assert!(
            unknown.starts_with("encours.toml:4: port is unknown in [serve]; its keys are data,")
        );
        assert_eq!(
            refused("[client]\n\noutput = \"xml\"\n"),
            "encours.toml:3: output: \"xml\" is unknown; give one of table, json, csv"
        );
        assert_eq!(
            refused("[sevre]\n"),
            "encours.toml:1: [sevre] is unknown; the tables are [serve] and [client]"
        );
        assert!(refused("ledger = \"acme\"\n").contains(":1: ledger stands in no table"));
        assert!(
            refused("[serve]\nsegment_mib = 5000\n").contains(":2: segment_mib: \"5000\": 5000")
        );
        assert!(refused("[serve]\ninsecure = \"yes\"\n").contains(":2: insecure: give true or"));
        assert!(refused("[client]\nserver = [1]\n").contains("of type array"));
        assert!(refused("[client]\nserver =\n").starts_with("encours.toml:2: "));
        assert!(refused("[client]\nserver = 1\nserver = 2\n").starts_with("encours.toml:3: "));
    }

    #[test]
    fn the_file_is_named_by_the_flag_else_by_the_variable() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        let variable = || Some(OsString::from("v"));
        assert_eq!(path(&words("encours serve --config a"), variable()), Some("a".into()));
        assert_eq!(path(&words("encours --config=b serve"), None), Some("b".into()));
        assert_eq!(path(&words("encours serve"), variable()), Some("v".into()));
        assert_eq!(path(&words("encours x -- --config a"), Some(OsString::new())), None);
    }

    #[test]
    fn every_key_is_documented() {
        let page = include_str!("../../../docs/configuration.md");
        let serve = serve_keys(&Cli::command());
        for key in serve.iter().map(String::as_str).chain(CLIENT) {
            assert!(page.contains(&format!("| `{key}` |")), "docs/configuration.md lacks {key}");
        }
    }
}
