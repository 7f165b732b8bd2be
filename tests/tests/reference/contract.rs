//! The contract: the files of `proto/encours/v1` with their comments.

use std::collections::BTreeMap;
use std::path::PathBuf;

use encours_tests::root;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

const PACKAGE: &str = "encours.v1";

/// Where `syntax` stands in a file: what is written above it is about the whole file.
const SYNTAX: i32 = 12;

/// The files, and what is written above each thing in them.
pub(crate) struct Contract {
    set: FileDescriptorSet,
    /// By name of the file and path of the thing in its descriptor.
    comments: BTreeMap<(String, Vec<i32>), String>,
}

impl Contract {
    pub(crate) fn read() -> Self {
        let top = root().join("proto");
        let entries = std::fs::read_dir(top.join("encours/v1")).unwrap();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let mut set = protox::compile(files, [top]).expect("the contract compiles");
        set.file.sort_by(|one, other| one.name.cmp(&other.name));
        let mut comments = BTreeMap::new();
        for file in &set.file {
            for location in file.source_code_info.iter().flat_map(|info| &info.location) {
                if let Some(comment) = &location.leading_comments {
                    let path = (file.name().to_owned(), location.path.clone());
                    comments.insert(path, plain(comment));
                }
            }
        }
        Self { set, comments }
    }

    /// The files of our package, sorted.
    pub(crate) fn files(&self) -> impl Iterator<Item = &FileDescriptorProto> {
        self.set.file.iter().filter(|file| file.package() == PACKAGE)
    }

    /// What is written about the thing at a path of a file.
    pub(crate) fn comment(&self, file: &FileDescriptorProto, path: &[i32]) -> &str {
        let comment = self.comments.get(&(file.name().to_owned(), path.to_vec()));
        comment.unwrap_or_else(|| panic!("{}: nothing is said about {path:?}", file.name()))
    }

    /// What is written about a file.
    pub(crate) fn about(&self, file: &FileDescriptorProto) -> &str {
        self.comment(file, &[SYNTAX])
    }

    /// Everything that is written.
    pub(crate) fn comments(&self) -> impl Iterator<Item = &String> {
        self.comments.values()
    }
}

/// The page of a file: `ledger.md` for `encours/v1/ledger.proto`.
pub(crate) fn page_of(file: &FileDescriptorProto) -> String {
    let name = file.name().rsplit('/').next().unwrap_or_default();
    format!("{}.md", name.trim_end_matches(".proto"))
}

/// A comment without the space that stands before each of its lines.
fn plain(comment: &str) -> String {
    let lines = comment.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end());
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}
