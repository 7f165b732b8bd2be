//! What this process takes of what the system allows it. On other systems than Linux nothing is known.

use std::fs;

/// How many files, threads and bytes a process has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Open files, sockets among them.
    pub(crate) files: Option<u64>,
    pub(crate) threads: Option<u64>,
    /// Of memory.
    pub(crate) bytes: Option<u64>,
}

impl Taken {
    /// As it is now.
    pub(crate) fn now() -> Self {
        // The listing has a file of its own open.
        let files = fs::read_dir("/proc/self/fd").ok();
        let files = files.and_then(|files| u64::try_from(files.count()).ok()?.checked_sub(1));
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let bytes = figure(&status, "VmRSS:").and_then(|kib| kib.checked_mul(1_024));
        Self { files, threads: figure(&status, "Threads:"), bytes }
    }
}

/// The most files that this process may have open; `None` where nobody says so.
pub(crate) fn most_files() -> Option<u64> {
    figure(&fs::read_to_string("/proc/self/limits").ok()?, "Max open files")
}

/// The most threads that this process's user may have, those of all its processes together; `None`
/// where nobody says so. It does not bind a privileged user.
pub(crate) fn most_threads() -> Option<u64> {
    figure(&fs::read_to_string("/proc/self/limits").ok()?, "Max processes")
}

/// The first figure of the line that begins so.
fn figure(text: &str, begin: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(begin))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_the_first_of_its_line() {
        let text =
            "Max processes  7  8  processes\nMax open files            1024     4096     files\n";
        assert_eq!(figure(text, "Max open files"), Some(1_024));
        assert_eq!(
            figure("Max open files   unlimited  unlimited  files\n", "Max open files"),
            None
        );
        assert_eq!(figure(text, "VmRSS:"), None);
    }

    #[test]
    fn one_more_open_file_counts() {
        let before = Taken::now();
        let held: Vec<_> = (0..40).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        // Other tests of this process open and close files too.
        let grown = Taken::now().files.zip(before.files).map(|(now, before)| now > before + 20);
        drop(held);
        assert!(grown.is_none_or(|grown| grown));
        assert!(most_files().is_none_or(|most| most > 40));
        assert!(before.threads.is_none_or(|threads| threads >= 1));
        assert!(most_threads().is_none_or(|most| most >= 1));
    }
}
