//! The pages: README and all that lies under `docs`.

use std::fs;
use std::path::{Path, PathBuf};

use encours_tests::{every_file, root};

/// A page of the documentation.
pub(crate) struct Page {
    /// Its place below the workspace, such as `docs/concepts.md`.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// A block of code in a page.
pub(crate) struct Block<'a> {
    /// What is said after the backticks that begin it, such as `sh`.
    pub(crate) kind: &'a str,
    /// The number of its first line in the page, from 1.
    pub(crate) line: usize,
    pub(crate) lines: Vec<&'a str>,
}

/// Every page.
pub(crate) fn all() -> Vec<Page> {
    let tops = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root().join(name));
    let docs = every_file(&root().join("docs")).into_iter();
    let docs = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let installed = |path: &Path| path.components().any(|part| part.as_os_str() == "node_modules");
    let paths = tops.into_iter().chain(docs).filter(|path| !installed(path));
    paths.map(|path| Page::read(path.strip_prefix(root()).unwrap())).collect()
}

impl Page {
    /// The page at a path below the workspace.
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(root().join(path)).unwrap();
        Self { path: path.to_owned(), text }
    }

    /// The lines outside of blocks of code, with their numbers from 1.
    pub(crate) fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut in_block = false;
        (1..).zip(self.text.lines()).filter(move |(_, line)| {
            let fence = line.starts_with("```");
            in_block ^= fence;
            !in_block && !fence
        })
    }

    /// The blocks of code.
    pub(crate) fn blocks(&self) -> Vec<Block<'_>> {
        let mut blocks = Vec::new();
        let mut lines = (1..).zip(self.text.lines());
        while let Some((line, fence)) = lines.next() {
            if let Some(kind) = fence.strip_prefix("```") {
                let inner = lines.by_ref().map(|(_, line)| line);
                let inner = inner.take_while(|line| !line.starts_with("```")).collect();
                blocks.push(Block { kind, line: line + 1, lines: inner });
            }
        }
        blocks
    }
}
