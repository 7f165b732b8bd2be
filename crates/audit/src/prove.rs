//! Which proof is made where one is asked for: the same from a server as from the files.

use encours_domain::Position;
use encours_log::{Hash, LogId};

use crate::leaf::Leaf;
use crate::tree::{Tree, TreeError};

/// What is to be proved; one of `position` and `old_size` at least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// That the event at this position is in the log; 0 where that is not asked.
    pub position: u64,
    /// That the log has only grown since it had this many events; 0 where that is not asked.
    pub old_size: u64,
    /// With how many events the log is meant; 0: as the newest checkpoint has it, or where that is older
    /// than what is asked, with all.
    pub size: u64,
}

/// What proves it. The proofs themselves are checked where they are put into
/// [`InclusionProof`](crate::InclusionProof) and [`ConsistencyProof`](crate::ConsistencyProof).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    /// The log.
    pub log_id: LogId,
    /// Events of the tree.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// The signed note of this very tree, where there is one.
    pub checkpoint: Option<String>,
    /// The event that was asked for, and the path from it to the root.
    pub inclusion: Option<(Leaf, Vec<Hash>)>,
    /// How the log was, where that was asked for.
    pub growth: Option<Growth>,
}

/// A tree, and why a larger one begins with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    /// Its events.
    pub old_size: u64,
    /// Its root.
    pub old_root: Hash,
    /// The consistency proof.
    pub path: Vec<Hash>,
}

impl Tree {
    /// Proves what is asked, where `newest` is the size of the newest checkpoint and its note. Takes up to
    /// `frames` frames in that the tree has not come to yet.
    ///
    /// # Errors
    /// [`TreeError::Beyond`] where position or old size are; [`TreeError::Outside`] where the log has fewer
    /// events than it is meant with, [`TreeError::Behind`] where the tree has; else [`TreeError`].
    pub fn prove(
        &self,
        asked: Asked,
        newest: Option<(u64, &str)>,
        frames: u32,
    ) -> Result<Proved, TreeError> {
        let Asked { position, old_size, size } = asked;
        let size = match (size, newest) {
            (0, Some((signed, _))) if position.max(old_size) <= signed => signed,
            (0, _) => self.log_size(),
            (size, _) => size,
        };
        for (what, asked) in [("position", position), ("old_tree_size", old_size)] {
            if asked > size {
                return Err(TreeError::Beyond { what, asked, size });
            }
        }
        self.reach(size, frames)?;
        let mut proved = Proved {
            log_id: self.log_id(),
            size,
            root: self.root(size)?,
            checkpoint: newest
                .filter(|(signed, _)| *signed == size)
                .map(|(_, note)| note.to_owned()),
            inclusion: None,
            growth: None,
        };
        if position > 0 {
            let position = Position(position);
            proved.inclusion = Some((self.leaf(position)?, self.inclusion(position, size)?));
        }
        if old_size > 0 {
            let (old_root, path) = (self.root(old_size)?, self.consistency(old_size, size)?);
            proved.growth = Some(Growth { old_size, old_root, path });
        }
        Ok(proved)
    }
}
