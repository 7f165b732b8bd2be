//! The quick start is played: its commands work, and print what stands below them.
//!
//! `ENCOURS_UPDATE_TRANSCRIPTS=1 cargo test -p encours-tests --test docs quick_start` writes what they
//! print into the page: read the difference before committing it.

use std::path::Path;
use std::time::Instant;

use encours_tests::{Server, data_folder, encours, root, run_program};

use crate::commands::{SHELLS, arguments, commands};
use crate::pages::{Block, Page};

const PAGE: &str = "docs/quick-start.md";
const HOW: &str =
    "ENCOURS_UPDATE_TRANSCRIPTS=1 cargo test -p encours-tests --test docs quick_start";

/// Plays the blocks of commands that need the server only; answers the page with what they printed.
#[test]
fn quick_start_prints_what_it_says() {
    let page = Page::read(Path::new(PAGE));
    let folder = data_folder();
    let server = Server::start(&folder.path().join("encours-data"));
    let blocks = page.blocks();
    let mut lines: Vec<&str> = page.text.lines().collect();
    let begun = Instant::now();
    let (mut played, mut printed) = (0, Vec::new());
    for (at, block) in blocks.iter().enumerate().filter(|(_, block)| is_played(block)) {
        played += commands(&block.lines).len();
        let out = play(block, folder.path(), &server.url());
        // What it prints stands in a block of text right below.
        let below = block.line + block.lines.len() + 3;
        if let Some(shown) = blocks.get(at + 1).filter(|b| b.kind == "text" && b.line == below) {
            printed.push((shown, out));
        }
    }
    println!("{played} commands in {:?}", begun.elapsed());
    assert!(played > 8 && printed.len() > 3, "{played} commands, {} outputs", printed.len());
    for (shown, out) in printed.iter().rev() {
        let from = shown.line - 1;
        lines.splice(from..from + shown.lines.len(), out.lines());
    }
    let came = lines.join("\n") + "\n";
    if std::env::var_os("ENCOURS_UPDATE_TRANSCRIPTS").is_some() {
        std::fs::write(root().join(PAGE), came).unwrap();
        return;
    }
    for (number, (came, there)) in came.lines().zip(page.text.lines()).enumerate() {
        assert_eq!(came, there, "{PAGE}:{}: what came out is on the left: {HOW}", number + 1);
    }
    assert_eq!(came, page.text, "{HOW}");
}

/// Whether it only asks a server: builds and the server itself are left to the reader.
fn is_played(block: &Block<'_>) -> bool {
    let asks = |command: &String| {
        arguments(command).is_some_and(|words| !["serve", "demo"].contains(&words[0].as_str()))
    };
    SHELLS.contains(&block.kind) && commands(&block.lines).iter().all(asks)
}

/// Runs a block in a shell, as a reader who pastes it does.
fn play(block: &Block<'_>, folder: &Path, server: &str) -> String {
    let binary = encours().display();
    let script = format!(
        "set -e; cd '{}'; unset COLUMNS ENCOURS_LEDGER ENCOURS_OUTPUT ENCOURS_CONFIG; \
         export ENCOURS_SERVER={server}; encours() {{ '{binary}' \"$@\"; }}\n{}",
        folder.display(),
        block.lines.join("\n"),
    );
    let ran = run_program(Path::new("sh"), ["-c", &script]);
    assert_eq!(ran.code, Some(0), "{PAGE}:{}: {ran}", block.line);
    ran.stdout
}
