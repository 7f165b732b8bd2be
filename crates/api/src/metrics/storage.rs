//! What the metrics tell of the disk, and of what the last start found on it.

use std::time::Duration;

use encours_log::Space;

use super::page::{Kind, Page, Seconds};

/// What opening the data folder found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecoveryFigures {
    /// From the begin until commands could be taken.
    pub took: Duration,
    /// The frame of the snapshot that was used; 0 where none was.
    pub snapshot: u64,
    /// Frames read after it.
    pub frames: u64,
    /// Events applied from them.
    pub events: u64,
    /// Bytes of an unfinished write at the log's end that were dropped.
    pub torn_bytes: u64,
    /// Files of an interrupted process that were removed from the log's folder.
    pub cleaned: u64,
}

pub(super) fn recovery(page: &mut Page, figures: &RecoveryFigures) {
    let took = u64::try_from(figures.took.as_micros()).unwrap_or(u64::MAX);
    let help = "How long the last start took until commands could be taken.";
    page.single("encours_recovery_seconds", Kind::Gauge, help, Seconds(took));
    let help = "The frame of the snapshot that the last start used; 0: none.";
    page.single("encours_recovery_snapshot_frame", Kind::Gauge, help, figures.snapshot);
    let help = "Frames that the last start read after the snapshot.";
    page.single("encours_recovery_frames", Kind::Gauge, help, figures.frames);
    let help = "Events that the last start applied from them.";
    page.single("encours_recovery_events", Kind::Gauge, help, figures.events);
    let help = "Bytes of an unfinished write at the end of the log that the last start dropped.";
    page.single("encours_recovery_torn_bytes", Kind::Gauge, help, figures.torn_bytes);
    let help = "Files of an interrupted process that the last start removed from the log's folder.";
    page.single("encours_recovery_cleaned_files", Kind::Gauge, help, figures.cleaned);
}

pub(super) fn disk(page: &mut Page, space: Space) {
    let help = "Bytes that may still be used of the file system that the data folder lies on.";
    page.single("encours_disk_free_bytes", Kind::Gauge, help, space.free);
    let help = "How much of that file system is used, in percent.";
    page.single("encours_disk_used_percent", Kind::Gauge, help, space.percent());
}
