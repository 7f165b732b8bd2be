//! Checkpoints of the read model in sled, so that a start need not fold the whole log.
//!
//! They may be deleted at any time: the log is the truth. What is promised: a checkpoint is loaded
//! as a whole, exactly as it was written, or not at all.
//!
//! - A page lies under a key that ends in its *stamp*, the number of the checkpoint that wrote it. A
//!   new version of a page never overwrites the old one, which goes only after the new manifest is
//!   durable; so a crash at any moment leaves the last checkpoint whole.
//! - The manifest holds the stamp of every page, and its header a hash of all stamps. A page with an
//!   older stamp, as a power cut can leave it with a checksum that passes, is not found under the
//!   key that the manifest asks for.
//! - Each value carries a CRC32C over key and bytes.
//! - sled's `flush` does not sync on Linux. After it `db` is synced with `fdatasync`, after creation
//!   the folder and its parent too. sled opens files itself; that is why this module, alone in
//!   Encours, does not go through the trait `Disk`.
//! - A checkpoint made from a read model that turns out to differ from the log is marked by a file
//!   beside its folder, before anything else is done about it; what is marked is never loaded.
//! - The database is open only while it is loaded or written. Whatever sled reports or does on
//!   damage, panics included, ends in setting the folder aside and folding the log from its start.

mod folder;
mod paged;
mod store;
#[cfg(test)]
mod tests;
mod thread;

use std::path::{Path, PathBuf};

use encours_log::{Known, LogId};

use crate::model::{Model, Root, Seen};
use crate::tables::Tables;

pub(crate) use folder::{mark, unmark};
pub(crate) use thread::{Checkpointer, Trigger};

/// The most bytes of a stored value.
pub(crate) const PAGE_MAX: usize = 4_096;
/// The version of the read model's rows and tables. A change of them needs a new one: it is stored in
/// a folder of its own, `v3` for version 3, and that of an older version goes once there is a whole
/// checkpoint of this one.
pub const PROJECTION_VERSION: u32 = 3;

/// All tables at the end of a frame. A clone shares the pages.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) log_id: LogId,
    pub(crate) seen: Seen,
    /// That of the model.
    pub(crate) generation: u64,
    pub(crate) root: Root,
    /// By number of the ledger.
    pub(crate) ledgers: Vec<Tables>,
}

impl Snapshot {
    /// What a model knows now.
    pub(crate) fn of(log_id: LogId, model: &Model) -> Self {
        Self {
            log_id,
            seen: model.seen,
            generation: model.generation,
            root: model.root.clone(),
            ledgers: model.ledgers.iter().map(|ledger| ledger.tables.clone()).collect(),
        }
    }
}

/// What a folder of checkpoints held at start.
#[derive(Debug)]
pub struct Checkpoint {
    pub(crate) folder: PathBuf,
    pub(crate) loaded: Option<store::Loaded>,
    /// Why what was there is not used.
    pub(crate) refused: Option<String>,
}

impl Checkpoint {
    /// Loads the newest checkpoint from the views' folder of a data folder. Never fails: what cannot
    /// be used is set aside as `.damaged-v3`, of which one is kept, and the log is folded anew.
    /// Blocks for as long as reading takes.
    #[must_use]
    pub fn load(views: &Path) -> Self {
        let folder = views.join(format!("v{PROJECTION_VERSION}"));
        if folder::is_marked(&folder) {
            // The mark stays until there is a new checkpoint.
            folder::set_aside(&folder);
            let refused = Some("it was made from a read model that the log contradicts".to_owned());
            return Self { folder, loaded: None, refused };
        }
        let (loaded, refused) = match store::load(&folder) {
            Ok(loaded) => (loaded, None),
            Err(error) => {
                if error.is_damage() {
                    folder::set_aside(&folder);
                }
                (None, Some(error.to_string()))
            }
        };
        Self { folder, loaded, refused }
    }

    /// The last frame that the checkpoint has seen: the log must reach it.
    #[must_use]
    pub fn known(&self) -> Option<Known> {
        let seen = self.loaded.as_ref()?.snapshot.seen;
        Some(Known { source: "read model".to_owned(), number: seen.frame, hash: seen.hash })
    }

    /// Gives up what was loaded.
    pub(crate) fn refuse(&mut self, why: &str) {
        self.loaded = None;
        self.refused = Some(why.to_owned());
        folder::set_aside(&self.folder);
    }
}
