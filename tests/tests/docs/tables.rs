//! Tables of the documentation that list what the binary has: the same names, none more, none less.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use encours_tests::{NatsServer, Server, ServerNats, data_folder, http_get, is_embedded, root};

use crate::commands::Helps;
use crate::pages::Page;

/// How long anything may take to come about.
const LIMIT: Duration = Duration::from_secs(60);

/// The cells of the rows of a page's table that begins with this head.
fn table(page: &str, head: &str) -> Vec<Vec<String>> {
    let page = Page::read(Path::new(page));
    let lines = page.text.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split(" | ").map(str::to_owned).collect();
    let rows: Vec<_> = rows.map(cells).collect();
    assert!(!rows.is_empty(), "no table with {head}");
    rows
}

/// What stands between backticks.
fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_table_of_commands_has_every_verb() {
    let mut told = BTreeMap::new();
    for row in table("docs/command-line.md", "| command | verbs |") {
        let verbs = row.get(1).map(|cell| quoted(cell)).unwrap_or_default();
        told.extend(quoted(&row[0]).into_iter().map(|command| (command, verbs.clone())));
    }
    let mut helps = Helps::default();
    let mut there = BTreeMap::new();
    for command in helps.of(&[]).verbs.clone().into_iter().filter(|verb| verb != "help") {
        // `help` is in every help. The shells that `completions` takes are no verbs.
        let mut verbs = helps.of(std::slice::from_ref(&command)).verbs.clone();
        verbs.remove("help");
        if command == "completions" {
            verbs.extend(told.get(&command).cloned().unwrap_or_default());
        }
        there.insert(command, verbs);
    }
    assert_eq!(told, there);
}

/// The names and kinds of the metrics that a server tells.
fn metrics(server: &Server) -> BTreeMap<String, String> {
    let page = http_get(&server.metrics_address(), "/metrics").unwrap();
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types
        .filter_map(|line| line.split_once(' '))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect()
}

/// A server with a log of its own, and one whose log is kept by others, that publishes events.
#[test]
fn the_table_of_metrics_has_every_metric() {
    if !is_embedded("two servers are compared, of one kind each") {
        return;
    }
    let Some(nats) = NatsServer::start() else { return };
    let told = table("docs/operations.md", "| metric | kind, labels |");
    let kind = |cell: &str| cell.split(' ').next().unwrap_or_default().to_owned();
    let told: BTreeMap<String, String> = told
        .iter()
        .flat_map(|row| quoted(&row[0]).into_iter().map(|name| (name, kind(&row[1]))))
        .collect();
    let folder = data_folder();
    let alone = ["--metrics", "127.0.0.1:0"];
    let alone = Server::try_start_with(&[], &folder.path().join("alone"), &alone).unwrap();
    let logs = ServerNats::new(vec![nats.url()], "main");
    let more = ["--metrics", "127.0.0.1:0", "--publish-nats", &nats.url()];
    let node = Server::try_start_on_nats(&folder.path().join("node"), &logs, &more).unwrap();
    // A node publishes once it leads.
    let begun = Instant::now();
    while node.metric("encours_publisher_up").is_none() {
        assert!(begun.elapsed() < LIMIT, "it publishes: {}", node.said());
        std::thread::sleep(Duration::from_millis(20));
    }
    let there: BTreeMap<_, _> = metrics(&alone).into_iter().chain(metrics(&node)).collect();
    for (name, kind) in &there {
        assert_eq!(told.get(name), Some(kind), "{name} in docs/operations.md");
    }
    // Not told where the system knows no such limit.
    let some = ["encours_threads_limit", "encours_open_files_limit"];
    for name in told.keys().filter(|name| !some.contains(&name.as_str())) {
        assert!(there.contains_key(name), "{name} is in docs/operations.md, and told by no server");
    }
}

/// Codes of the log that no table explains: a sentence for people comes with each, and there is
/// nothing to be looked up.
const PLAIN: [&str; 5] = ["io", "locked", "no_log", "not_next", "options"];

#[test]
fn the_codes_of_a_log_that_is_refused_are_explained() {
    let source = fs::read_to_string(root().join("crates/log/src/error.rs")).unwrap();
    let (_, code) = source.split_once("pub const fn code(&self)").expect("the codes are there");
    let (code, _) = code.split_once("\n    }\n").expect("it ends");
    let codes: BTreeSet<_> = code.split('"').skip(1).step_by(2).collect();
    assert!(codes.len() > 15, "{codes:?}");
    let page = Page::read(Path::new("docs/operations.md"));
    // `ERROR frame_corrupt` as well as `log_unavailable`.
    let words: BTreeSet<_> =
        quoted(&page.text).iter().flat_map(|span| span.split(' ')).map(str::to_owned).collect();
    let unexplained: Vec<_> = codes.into_iter().filter(|code| !words.contains(*code)).collect();
    assert_eq!(unexplained, PLAIN, "docs/operations.md says what to do about the others");
}
