//! Proofs as they are given to others: everything that is needed to check one, as JSON fields.
//!
//! Hashes and bytes are in base64. `docs/log-format.md` describes the fields.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use encours_log::{Hash, LogId};
use serde::Serialize;

use crate::leaf::Leaf;
use crate::merkle::{ProofError, check_consistency, check_inclusion};

/// Proves that an event is in a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InclusionProof {
    format: &'static str,
    log_id: String,
    size: u64,
    root: String,
    position: u64,
    recorded_at_us: i64,
    actor: String,
    record: String,
    path: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<String>,
}

/// Proves that a log has only grown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConsistencyProof {
    format: &'static str,
    log_id: String,
    old_size: u64,
    old_root: String,
    size: u64,
    root: String,
    path: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<String>,
}

impl InclusionProof {
    /// The proof that this event is in the tree of `size` leaves with this root; `checkpoint` is a
    /// signed note of that tree, where there is one.
    ///
    /// # Errors
    /// [`ProofError`] where it does not hold.
    pub fn new(
        log_id: LogId,
        (size, root): (u64, &Hash),
        leaf: &Leaf,
        path: &[Hash],
        checkpoint: Option<String>,
    ) -> Result<Self, ProofError> {
        let index = leaf.position.0.checked_sub(1).ok_or(ProofError::Outside)?;
        check_inclusion(index, size, &leaf.hash(), path, root)?;
        Ok(Self {
            format: "encours-inclusion-1",
            log_id: log_id.to_string(),
            size,
            root: encoded(root),
            position: leaf.position.0,
            recorded_at_us: leaf.recorded_at.0,
            actor: leaf.actor.clone(),
            record: BASE64.encode(&leaf.record),
            path: path.iter().map(encoded).collect(),
            checkpoint,
        })
    }
}

impl ConsistencyProof {
    /// The proof that the tree of `size` leaves goes on from the one of `old_size` leaves; `checkpoint`
    /// is a signed note of the former, where there is one.
    ///
    /// # Errors
    /// [`ProofError`] where it does not hold.
    pub fn new(
        log_id: LogId,
        (old_size, old_root): (u64, &Hash),
        (size, root): (u64, &Hash),
        path: &[Hash],
        checkpoint: Option<String>,
    ) -> Result<Self, ProofError> {
        check_consistency((old_size, old_root), (size, root), path)?;
        Ok(Self {
            format: "encours-consistency-1",
            log_id: log_id.to_string(),
            old_size,
            old_root: encoded(old_root),
            size,
            root: encoded(root),
            path: path.iter().map(encoded).collect(),
            checkpoint,
        })
    }
}

fn encoded(hash: &Hash) -> String {
    BASE64.encode(hash.0)
}
