//! Links and paths lead to files of the repository, and to headings that are there.

use std::path::{Component, Path, PathBuf};

use encours_tests::root;

use crate::pages::{self, Page};

/// What a path of the repository begins with, where a page names one in its text.
const FOLDERS: [&str; 6] = ["docs/", "tests/", "crates/", "proto/", "deploy/", "benches/"];

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let pages = pages::all();
    let mut links = 0;
    for page in &pages {
        for (line, text) in page.prose() {
            for target in targets(text) {
                links += 1;
                check(page, line, target);
            }
        }
    }
    assert!(links > 50, "only {links} links were found");
}

#[test]
fn every_path_in_the_text_is_there() {
    let mut paths = 0;
    for page in &pages::all() {
        for (number, line) in page.text.lines().enumerate() {
            for path in paths_in(line) {
                paths += 1;
                let place = page.path.display();
                assert!(there(path), "{place}:{}: there is no {path}", number + 1);
            }
        }
    }
    assert!(paths > 20, "only {paths} paths were found");
}

/// What the links of a line lead to, those to other hosts left out.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
}

fn check(page: &Page, line: usize, target: &str) {
    let place = format!("{}:{line}", page.path.display());
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let folder = page.path.parent().unwrap_or(Path::new(""));
    let path = if path.is_empty() { page.path.clone() } else { plain(&folder.join(path)) };
    assert!(root().join(&path).exists(), "{place}: there is no {}", path.display());
    if !heading.is_empty() {
        let linked = Page::read(&path);
        let mut headings = linked.prose().filter_map(|(_, line)| anchor(line));
        assert!(
            headings.any(|anchor| anchor == heading),
            "{place}: {} has no heading #{heading}",
            path.display()
        );
    }
}

/// A path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(out.pop(), "{} leaves the repository", path.display()),
            part => out.push(part),
        }
    }
    out
}

/// What a heading is linked by; nothing where the line is none.
fn anchor(line: &str) -> Option<String> {
    let (marks, heading) = line.split_once(' ')?;
    if marks.is_empty() || marks.bytes().any(|byte| byte != b'#') {
        return None;
    }
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ');
    let kept: String = heading.trim().chars().filter(kept).collect();
    Some(kept.to_lowercase().replace(' ', "-"))
}

/// The paths of the repository that a line names.
fn paths_in(line: &str) -> impl Iterator<Item = &str> {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '*');
    let words = line.split(move |c| !part(c)).map(|word| word.trim_end_matches('.'));
    words.filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)))
}

/// Whether a path is there; with a star, whether its folder is.
fn there(path: &str) -> bool {
    let folder = path.split('*').next().unwrap_or_default();
    let folder = if folder == path { path } else { folder.rsplit_once('/').unwrap_or_default().0 };
    root().join(folder).exists()
}
