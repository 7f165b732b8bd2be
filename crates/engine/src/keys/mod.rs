//! Keys of customers: their personal details are stored under them and nowhere in clear.
//!
//! One random key per customer, made when the first detail is sealed, written to an append-only file
//! and synced *before* the frame that uses it. The log, snapshots and the read model hold ciphertext;
//! whoever destroys the key has erased the details everywhere at once.

mod file;
mod local;
mod shared;
mod store;

pub use file::KeyFileError;
pub(crate) use file::{AppendError, KeyFile};
pub(crate) use local::LocalKeys;
pub use local::{KeysOf, move_keys, read_key_bodies, read_keys, write_key_bodies};
pub(crate) use shared::bodies;
pub(crate) use store::{Key, NewKey, kind_code};
pub use store::{KeyError, KeyStore};
