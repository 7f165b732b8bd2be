//! Proofs from the tree over the log's events, and its newest checkpoint.

use std::sync::Arc;

use encours_audit::{Notary, Signed, Tree};
use encours_domain::Position;
use encours_log::{Hash, LogReader};
use encours_proto::{money, v1};
use tokio::sync::Semaphore;

use crate::api::blocking;
use crate::failure::{Failure, NO_CHECKPOINT, OUTSIDE_LOG};

/// Proofs that are made at a time. For each of its parts, of which there are four, one reads the frames
/// of up to 768 events: a frame has up to 512 KiB.
const PROOFS: usize = 4;
/// Frames that a call takes into the tree by itself, where it asks for more than is there.
const REACH_FRAMES: u32 = 256;

/// The tree over a log, and who signs for it.
#[derive(Clone)]
pub(crate) struct Proofs {
    tree: Arc<Tree>,
    notary: Option<Arc<Notary>>,
    turns: Arc<Semaphore>,
}

impl Proofs {
    /// Without anybody who signs or follows.
    pub(crate) fn new(reader: Arc<dyn LogReader>) -> Self {
        let (tree, turns) = (Arc::new(Tree::new(reader)), Arc::new(Semaphore::new(PROOFS)));
        Self { tree, notary: None, turns }
    }

    pub(crate) fn of(notary: Arc<Notary>) -> Self {
        let (tree, turns) = (notary.tree(), Arc::new(Semaphore::new(PROOFS)));
        Self { tree, notary: Some(notary), turns }
    }

    fn newest(&self) -> Option<Signed> {
        self.notary.as_ref().and_then(|notary| notary.newest())
    }

    /// The newest checkpoint.
    pub(crate) fn checkpoint(&self) -> Result<v1::GetCheckpointResponse, Failure> {
        let signed = self.notary.as_ref().and_then(|notary| Some((notary, notary.newest()?)));
        let (notary, Signed { checkpoint, note }) = signed.ok_or_else(|| {
            Failure::new(NO_CHECKPOINT, "this node has signed no checkpoint of the log yet")
        })?;
        Ok(v1::GetCheckpointResponse {
            log_id: checkpoint.log_id.to_string(),
            checkpoint: note.as_ref().to_owned(),
            verifier_key: notary.verifier().to_string(),
            tree_size: checkpoint.size,
            // Only who keeps several logs tells.
            log: String::new(),
        })
    }

    /// The proofs that a request asks for.
    pub(crate) async fn prove(
        &self,
        request: v1::GetProofRequest,
    ) -> Result<v1::GetProofResponse, Failure> {
        if request.position == 0 && request.old_tree_size == 0 {
            return Err(money::missing("position").into());
        }
        // The semaphore is never closed.
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(|error| Failure::internal(error.to_string()))?;
        let proofs = self.clone();
        blocking(move || {
            let _turn = turn;
            proofs.now(&request)
        })
        .await
    }

    fn now(&self, request: &v1::GetProofRequest) -> Result<v1::GetProofResponse, Failure> {
        let v1::GetProofRequest { position, old_tree_size, tree_size, .. } = *request;
        let newest = self.newest();
        let size = match (tree_size, &newest) {
            (0, Some(signed)) if position.max(old_tree_size) <= signed.checkpoint.size => {
                signed.checkpoint.size
            }
            (0, _) => self.tree.log_size(),
            (size, _) => size,
        };
        let beyond = |field: &str, asked: u64| {
            let message = format!("{field} is {asked}, the tree has {size} events");
            Failure::new(OUTSIDE_LOG, message).about(field).with("size", size)
        };
        if position > size {
            return Err(beyond("position", position));
        }
        if old_tree_size > size {
            return Err(beyond("old_tree_size", old_tree_size));
        }
        let reached = self.tree.reach(size, REACH_FRAMES);
        reached.map_err(|error| Failure::from(error).about("tree_size"))?;
        let checkpoint = newest.filter(|signed| signed.checkpoint.size == size);
        let mut answer = v1::GetProofResponse {
            log_id: self.tree.log_id().to_string(),
            tree_size: size,
            root: self.tree.root(size)?.0.to_vec(),
            checkpoint: checkpoint.map_or_else(String::new, |signed| signed.note.to_string()),
            ..Default::default()
        };
        if position > 0 {
            let leaf = self.tree.leaf(Position(position))?;
            answer.leaf = Some(v1::LogLeaf {
                position,
                recorded_at_us: leaf.recorded_at.0,
                actor: leaf.actor,
                record: leaf.record,
            });
            answer.inclusion_path = path(self.tree.inclusion(Position(position), size)?);
        }
        if old_tree_size > 0 {
            answer.old_tree_size = old_tree_size;
            answer.old_root = self.tree.root(old_tree_size)?.0.to_vec();
            answer.consistency_path = path(self.tree.consistency(old_tree_size, size)?);
        }
        Ok(answer)
    }
}

fn path(hashes: Vec<Hash>) -> Vec<Vec<u8>> {
    hashes.into_iter().map(|hash| hash.0.to_vec()).collect()
}
