//! A node's notary: it follows the log with a tree, and signs how the log stands.
//!
//! | in the data folder | what | backed up |
//! | --- | --- | --- |
//! | `keys/signing.key` | the private key, made at the first start | yes |
//! | `checkpoints/latest` | the newest checkpoint | yes |
//! | `checkpoints/2026-01-31` | the newest of each day (UTC) | yes |
//! | `proofs/tree` | made again from the log | no |

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use encours_log::{Disk, LogReader};
use zeroize::Zeroizing;

use crate::checkpoint::{Checkpoint, Newest, checkpoints_dir, day_path, latest_path, origin};
use crate::note::{KeyError, Signer, Verifier, signers_of};
use crate::saved::set_aside;
use crate::tree::{Tree, TreeError};

/// The most bytes of a key's file.
const KEY_MAX: u64 = 1024;

/// Why there is no checkpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotaryError {
    /// The key's file holds no key.
    #[error("{}: {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        source: KeyError,
    },
    /// The key is of another log.
    #[error("{} is the key of {found}, this is {expected}", path.display())]
    OtherLog {
        /// The file.
        path: PathBuf,
        /// What the key signs for.
        found: String,
        /// This log.
        expected: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The tree.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The log is not the one that was signed before. Nothing more is signed.
    #[error(
        "checkpoint_inconsistent: the log does not go on from the checkpoint at position {size}, \
         which was signed here before"
    )]
    Inconsistent {
        /// The size of the checkpoint.
        size: u64,
    },
}

/// A checkpoint as it was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The signed note.
    pub note: Arc<str>,
}

/// A node's tree, key and newest checkpoint.
pub struct Notary {
    tree: Arc<Tree>,
    signer: Signer,
    disk: Arc<dyn Disk>,
    data: PathBuf,
    newest: Mutex<Option<Signed>>,
    /// The newest checkpoint before this start, whichever key has signed it.
    before: Option<Checkpoint>,
    compared: Mutex<Compared>,
}

/// Whether the tree was held against the newest checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compared {
    /// Not yet.
    Not,
    /// It had another root, and is being built anew from the log.
    Differed,
    /// It agrees, or there was none.
    Agrees,
}

impl std::fmt::Debug for Notary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notary").field("tree", &self.tree).finish_non_exhaustive()
    }
}

fn key_path(data: &Path) -> PathBuf {
    data.join("keys").join("signing.key")
}

/// The key of a data folder, where there is one.
fn stored_signer(disk: &dyn Disk, data: &Path) -> Result<Option<Signer>, NotaryError> {
    let path = key_path(data);
    let wrong = |source| NotaryError::Key { path: path.clone(), source };
    if !disk.exists(&path).map_err(io_at(&path))? {
        return Ok(None);
    }
    let bytes = Zeroizing::new(disk.read_all(&path, KEY_MAX).map_err(io_at(&path))?);
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong(KeyError::Malformed))?;
    Ok(Some(Signer::parse(text).map_err(wrong)?))
}

/// The public part of the key in a data folder, where there is one.
pub(crate) fn stored_verifier(
    disk: &dyn Disk,
    data: &Path,
) -> Result<Option<Verifier>, NotaryError> {
    Ok(stored_signer(disk, data)?.map(|signer| signer.verifier().clone()))
}

impl Notary {
    /// The notary of a data folder and its log, with the key there, or a new one.
    ///
    /// # Errors
    /// [`NotaryError`] where the key cannot be used, read or made, or the checkpoints not be listed.
    pub fn open(
        reader: Arc<dyn LogReader>,
        disk: Arc<dyn Disk>,
        data: &Path,
    ) -> Result<Self, NotaryError> {
        let signer = signer(&*disk, data, &origin(reader.log_id()))?;
        let Newest { own, any } = Newest::of(&*disk, data, Some(signer.verifier()))?;
        if let (None, Some((checkpoint, note))) = (&own, &any) {
            tracing::warn!(
                key = %signer.verifier(), before = signers_of(note), position = checkpoint.size,
                "signing_key: another key has signed the checkpoints so far; those who check have to \
                 be given this one"
            );
        }
        let newest = own.map(|(checkpoint, note)| Signed { checkpoint, note: note.into() });
        let before = any.map(|(checkpoint, _)| checkpoint);
        let tree = Arc::new(Tree::load(reader, &*disk, data));
        let compared = Mutex::new(Compared::Not);
        let (data, newest) = (data.to_owned(), Mutex::new(newest));
        Ok(Self { tree, signer, disk, data, newest, before, compared })
    }

    /// The tree.
    #[must_use]
    pub fn tree(&self) -> Arc<Tree> {
        Arc::clone(&self.tree)
    }

    /// Whom to check its signatures with.
    #[must_use]
    pub const fn verifier(&self) -> &Verifier {
        self.signer.verifier()
    }

    /// The newest checkpoint.
    #[must_use]
    pub fn newest(&self) -> Option<Signed> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes up to `frames` more frames into the tree; true where that was all there are.
    ///
    /// # Errors
    /// [`NotaryError::Tree`], [`NotaryError::Inconsistent`].
    pub fn advance(&self, frames: u32) -> Result<bool, NotaryError> {
        let is_all = self.tree.advance(frames)?;
        self.compare()?;
        Ok(is_all && self.tree.size() == self.tree.log_size())
    }

    /// What the tree has to go on from: the newest checkpoint, whichever key has signed it.
    fn held(&self) -> Option<Checkpoint> {
        let newest = self.newest().map(|signed| signed.checkpoint);
        self.before.clone().into_iter().chain(newest).max_by_key(|checkpoint| checkpoint.size)
    }

    /// Holds the tree, once it is as large, against the newest checkpoint. A tree that does not agree is
    /// built anew before the log is blamed: its file, or this machine's memory, may have been altered.
    fn compare(&self) -> Result<(), NotaryError> {
        let mut compared = self.compared.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(checkpoint) = self.held() else { return Ok(()) };
        if *compared == Compared::Agrees || self.tree.size() < checkpoint.size {
            return Ok(());
        }
        let why = match self.tree.root(checkpoint.size) {
            Ok(root) if root == checkpoint.root => {
                *compared = Compared::Agrees;
                return Ok(());
            }
            Ok(_) if *compared == Compared::Differed => {
                return Err(NotaryError::Inconsistent { size: checkpoint.size });
            }
            Ok(_) => "it has another root than the newest checkpoint".to_owned(),
            // One of its own hashes is wrong, or the log was altered since it was read.
            Err(error @ TreeError::Altered { .. }) if *compared == Compared::Not => {
                error.to_string()
            }
            Err(error) => return Err(error.into()),
        };
        set_aside(&*self.disk, &self.data, &why);
        self.tree.reset();
        *compared = Compared::Differed;
        Ok(())
    }

    /// Has the tree held against the newest checkpoint once more.
    fn doubt(&self) {
        let mut compared = self.compared.lock().unwrap_or_else(PoisonError::into_inner);
        if *compared == Compared::Agrees {
            *compared = Compared::Not;
        }
    }

    /// Signs the tree as it stands, where it has grown since the newest checkpoint, and writes the
    /// files. `None`: there is nothing new.
    ///
    /// # Errors
    /// [`NotaryError`]; the newest checkpoint stays what it was.
    pub fn sign(&self) -> Result<Option<Signed>, NotaryError> {
        // INVARIANT: of two checkpoints that were signed here, one is the beginning of the other.
        self.doubt();
        self.compare()?;
        let head = self.tree.head();
        let signed = self.newest().map_or(0, |signed| signed.checkpoint.size);
        // What another key has signed and the tree has not come to is not compared yet.
        let held = self.held().map_or(0, |checkpoint| checkpoint.size);
        if head.size <= signed || head.size < held {
            return Ok(None);
        }
        let checkpoint = Checkpoint {
            log_id: self.tree.log_id(),
            size: head.size,
            root: head.root,
            frame: head.frame,
            frame_hash: head.frame_hash,
            recorded_at: head.recorded_at,
        };
        let note = self.signer.sign(&checkpoint.to_text());
        let dir = checkpoints_dir(&self.data);
        self.disk.create_dir_all(&dir).map_err(io_at(&dir))?;
        for path in [day_path(&self.data, &checkpoint.day()), latest_path(&self.data)] {
            self.disk.replace(&path, note.as_bytes()).map_err(io_at(&path))?;
        }
        let signed = Signed { checkpoint, note: note.into() };
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(signed.clone());
        Ok(Some(signed))
    }

    /// Writes the file from which the tree goes on.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn save(&self) -> io::Result<()> {
        self.tree.save(&*self.disk, &self.data)
    }
}

/// The key of a data folder, made where there is none.
fn signer(disk: &dyn Disk, data: &Path, name: &str) -> Result<Signer, NotaryError> {
    let path = key_path(data);
    if let Some(signer) = stored_signer(disk, data)? {
        if signer.verifier().name() != name {
            let found = signer.verifier().name().to_owned();
            return Err(NotaryError::OtherLog { path, found, expected: name.to_owned() });
        }
        return Ok(signer);
    }
    let wrong = |source| NotaryError::Key { path: path.clone(), source };
    let signer = Signer::random(name).map_err(wrong)?;
    disk.create_dir_all(&data.join("keys")).map_err(io_at(&path))?;
    disk.replace(&path, signer.to_text().as_bytes()).map_err(io_at(&path))?;
    tracing::info!(key = %signer.verifier(), "signing key made");
    Ok(signer)
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> NotaryError + use<> {
    let path = path.to_owned();
    move |source| NotaryError::Io { path, source }
}

#[cfg(test)]
mod tests;
