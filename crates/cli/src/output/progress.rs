//! How far a long command is, on a terminal.

use indicatif::{ProgressBar, ProgressStyle};

use super::Language;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Bytes,
    Events,
    Frames,
}

/// A bar on standard error; none where that is no terminal. Its length is 0 until it is set.
pub(crate) fn progress_bar(lang: Language, doing: &'static str, unit: Unit) -> ProgressBar {
    let count = match unit {
        Unit::Bytes => "{bytes}/{total_bytes}",
        Unit::Events => "{pos}/{len} events",
        Unit::Frames => "{pos}/{len} frames",
    };
    let template = format!("{{prefix}} {{bar:32.cyan/dim}} {count} {{elapsed:.dim}}");
    let bar = ProgressBar::new(0).with_prefix(lang.phrase(doing, &[]));
    let style = ProgressStyle::with_template(&template);
    style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style.progress_chars("━╸─")))
}
