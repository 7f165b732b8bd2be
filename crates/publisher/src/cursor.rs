//! The local cursor: what was published last, for the case that the stream cannot tell.
//!
//! It is never needed while the stream holds a message. It tells where to go on after every message
//! was purged or has expired.

use std::io;
use std::path::{Path, PathBuf};

use encours_log::{Disk, LogId, Position};

use crate::message::Facts;

const TITLE: &str = "encours publisher cursor 1";
/// The longest file that is read.
const MAX_BYTES: u64 = 1024;

/// The last event that a stream has acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) log_id: LogId,
    pub(crate) stream: String,
    pub(crate) position: Position,
    /// The sequence of its message in the stream.
    pub(crate) sequence: u64,
    /// What tells the event from another one of that position, where that is known.
    pub(crate) facts: Option<Facts>,
}

impl Cursor {
    /// Where the cursor of a stream lies.
    pub(crate) fn path(folder: &Path, stream: &str) -> PathBuf {
        folder.join(format!("{stream}.cursor"))
    }

    /// The cursor of a stream; `None` where there is no file, or no cursor of this log in it.
    pub(crate) fn read(
        disk: &dyn Disk,
        folder: &Path,
        log_id: LogId,
        stream: &str,
    ) -> io::Result<Option<Self>> {
        let bytes = match disk.read_all(&Self::path(folder, stream), MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let text = String::from_utf8_lossy(&bytes);
        let cursor = Self::parse(&text);
        Ok(cursor.filter(|cursor| cursor.log_id == log_id && cursor.stream == stream))
    }

    /// Writes it in the place of the one before. Blocks.
    pub(crate) fn write(&self, disk: &dyn Disk, folder: &Path) -> io::Result<()> {
        disk.create_dir_all(folder)?;
        disk.replace(&Self::path(folder, &self.stream), self.text().as_bytes())
    }

    fn text(&self) -> String {
        let Self { log_id, stream, position, sequence, facts } = self;
        let facts = facts.as_ref().map(|facts| format!(" {facts}")).unwrap_or_default();
        format!("{TITLE}\n{log_id} {stream} {position} {sequence}{facts}\n")
    }

    fn parse(text: &str) -> Option<Self> {
        let line = text.strip_prefix(TITLE)?.strip_prefix('\n')?.strip_suffix('\n')?;
        let mut words = line.splitn(5, ' ');
        Some(Self {
            log_id: words.next()?.parse().ok()?,
            stream: words.next()?.to_owned(),
            position: Position(words.next()?.parse().ok()?),
            sequence: words.next()?.parse().ok()?,
            // Those of builds before this one have none.
            facts: words.next().map(|facts| Facts(facts.to_owned())),
        })
    }
}

#[cfg(test)]
mod tests {
    use encours_log::OsDisk;

    use super::*;

    #[test]
    fn a_cursor_reads_back_for_its_log_and_stream_only() {
        let folder = tempfile::tempdir().unwrap();
        let (here, other) = (LogId([1; 16]), LogId([2; 16]));
        let read = |log_id, stream| Cursor::read(&OsDisk, folder.path(), log_id, stream).unwrap();
        assert_eq!(read(here, "E"), None);
        for (position, facts) in [(7, None), (8, Some(Facts("then a.b c".to_owned())))] {
            let cursor = Cursor {
                log_id: here,
                stream: "E".to_owned(),
                position: Position(position),
                sequence: position + 2,
                facts,
            };
            cursor.write(&OsDisk, folder.path()).unwrap();
            assert_eq!(read(here, "E"), Some(cursor));
        }
        assert_eq!(read(other, "E"), None);
        assert_eq!(read(here, "F"), None);
    }

    #[test]
    fn a_damaged_cursor_is_none() {
        let id = LogId([1; 16]);
        for line in ["", "x", &format!("{id} E 1"), &format!("{id} E 1 b")] {
            assert_eq!(Cursor::parse(&format!("{TITLE}\n{line}\n")), None, "{line}");
        }
        assert_eq!(Cursor::parse(&format!("{id} E 1 2\n")), None);
    }
}
