//! What lets an outsider check a log without trusting who keeps it: a Merkle tree over its events,
//! proofs from that tree, and signed checkpoints.
//!
//! - [`merkle`]: the hashing, the proofs and their checks, as RFC 6962 has them.
//! - [`Leaf`]: which bytes of an event are hashed.
//! - [`Tree`]: follows a log and answers roots and proofs; [`Tree::load`] goes on from a file that can
//!   be deleted at any time. [`Asked`] and [`Proved`] are what it is asked and what it answers.
//! - [`Signer`], [`Verifier`]: signed notes (C2SP signed-note, Ed25519).
//! - [`Checkpoint`]: what is signed (C2SP tlog-checkpoint).
//! - [`Notary`]: a node's tree, key and newest checkpoint, and their files.
//!
//! `docs/log-format.md` describes all of it for those who do not read this code.

mod checkpoint;
mod leaf;
pub mod merkle;
mod notary;
mod note;
mod proof;
mod prove;
mod saved;
#[cfg(test)]
mod testing;
mod tree;

pub use checkpoint::{
    Checkpoint, CheckpointError, NewestNote, StoredError, newest_known, newest_of, read_note,
    stored,
};
pub use leaf::{Leaf, leaves};
pub use merkle::Frontier;
pub use notary::{Notary, NotaryError, Signed};
pub use note::{KeyError, NoteError, Signer, Verifier};
pub use proof::{ConsistencyProof, InclusionProof};
pub use prove::{Asked, Growth, Proved};
pub use tree::{CHUNK, Head, Tree, TreeError};
