//! Proofs from the tree over the log's events, and its newest checkpoint.

use std::sync::Arc;

use encours_audit::{Asked, Growth, Notary, Proved, Signed, Tree, TreeError};
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
        let newest = newest.as_ref().map(|signed| (signed.checkpoint.size, signed.note.as_ref()));
        let asked = Asked { position, old_size: old_tree_size, size: tree_size };
        let proved = self.tree.prove(asked, newest, REACH_FRAMES).map_err(unproved)?;
        Ok(answer(proved))
    }
}

/// Names the field that asks for too much.
fn unproved(error: TreeError) -> Failure {
    match error {
        TreeError::Beyond { what, size, .. } => {
            Failure::new(OUTSIDE_LOG, error.to_string()).about(what).with("size", size)
        }
        TreeError::Outside { .. } | TreeError::Behind { .. } => {
            Failure::from(error).about("tree_size")
        }
        _ => error.into(),
    }
}

fn answer(proved: Proved) -> v1::GetProofResponse {
    let Proved { log_id, size, root, checkpoint, inclusion, growth } = proved;
    let mut answer = v1::GetProofResponse {
        log_id: log_id.to_string(),
        tree_size: size,
        root: root.0.to_vec(),
        checkpoint: checkpoint.unwrap_or_default(),
        ..Default::default()
    };
    if let Some((leaf, hashes)) = inclusion {
        answer.leaf = Some(v1::LogLeaf {
            position: leaf.position.0,
            recorded_at_us: leaf.recorded_at.0,
            actor: leaf.actor,
            record: leaf.record,
        });
        answer.inclusion_path = path(hashes);
    }
    if let Some(Growth { old_size, old_root, path: hashes }) = growth {
        answer.old_tree_size = old_size;
        answer.old_root = old_root.0.to_vec();
        answer.consistency_path = path(hashes);
    }
    answer
}

fn path(hashes: Vec<Hash>) -> Vec<Vec<u8>> {
    hashes.into_iter().map(|hash| hash.0.to_vec()).collect()
}
