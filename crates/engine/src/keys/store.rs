//! The keys in memory: sealing and opening details.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use encours_domain::details::{Detail, DetailKind};
use encours_domain::state::Rows;
use encours_domain::{CustomerNo, LedgerNo};
use zeroize::Zeroizing;

use crate::entropy::{Entropy, EntropyError};

/// Bytes of a key.
pub(crate) const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 24;
/// The form of a sealed detail: this byte, the nonce, the ciphertext with its tag.
const SEALED_FORM: u8 = 1;

/// A key in memory, wiped when dropped. Boxed, so that moving it leaves no copy behind.
pub(crate) type Key = Box<Zeroizing<[u8; KEY_LEN]>>;

/// A customer's new key, on its way into the file.
#[derive(Clone)]
pub(crate) struct NewKey {
    pub(crate) ledger: LedgerNo,
    pub(crate) customer: CustomerNo,
    pub(crate) key: Key,
}

/// The keys of a log's customers. Shared by the writer, which adds keys, and by readers, which open
/// details with them.
#[derive(Default)]
pub struct KeyStore {
    /// Unknown on a node that no other has given it yet.
    digest_key: RwLock<Option<Key>>,
    customers: RwLock<BTreeMap<(LedgerNo, CustomerNo), Key>>,
}

/// Why a detail cannot be opened or sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// There is no key for the customer: its details were erased, or `keys/` is older than the log.
    #[error("there is no key for customer {} of ledger {}", customer.0, ledger.0)]
    NoKey {
        /// The ledger.
        ledger: LedgerNo,
        /// The customer.
        customer: CustomerNo,
    },
    /// The bytes are not what was sealed under the customer's key for this detail.
    #[error("the sealed detail does not open under its key")]
    Damaged,
    /// A detail could not be sealed.
    #[error("a detail could not be sealed")]
    Seal,
    /// No random bytes for a key or nonce.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl KeyStore {
    pub(crate) fn new(digest_key: Key, customers: BTreeMap<(LedgerNo, CustomerNo), Key>) -> Self {
        let digest_key = RwLock::new(Some(digest_key));
        Self { digest_key, customers: RwLock::new(customers) }
    }

    /// The key that personal details go into digests under, where it is known.
    pub(crate) fn digest_key(&self) -> Option<Key> {
        self.digest_key.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_digest_key(&self, key: Key) {
        *self.digest_key.write().unwrap_or_else(PoisonError::into_inner) = Some(key);
    }

    /// Whether this is the customer's key.
    pub(crate) fn has(&self, new: &NewKey) -> bool {
        let customers = self.customers.read().unwrap_or_else(PoisonError::into_inner);
        customers.get(&(new.ledger, new.customer)) == Some(&new.key)
    }

    /// How many customers have a key.
    #[must_use]
    pub fn len(&self) -> usize {
        self.customers.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether no customer has a key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Opens a sealed detail.
    ///
    /// # Errors
    /// [`KeyError::NoKey`] where the customer has none, [`KeyError::Damaged`] where the bytes are not
    /// what was sealed for this customer and kind.
    pub fn open_detail(
        &self,
        ledger: LedgerNo,
        customer: CustomerNo,
        kind: DetailKind,
        sealed: &[u8],
    ) -> Result<Detail, KeyError> {
        let cipher = self.cipher(ledger, customer).ok_or(KeyError::NoKey { ledger, customer })?;
        let (form, rest) = sealed.split_first().ok_or(KeyError::Damaged)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>().ok_or(KeyError::Damaged)?;
        if *form != SEALED_FORM {
            return Err(KeyError::Damaged);
        }
        let payload = Payload { msg: text, aad: &bound_to(ledger, customer, kind) };
        let clear = cipher
            .decrypt(&XNonce::from(*nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| KeyError::Damaged)?;
        let detail: Detail = postcard::from_bytes(&clear).map_err(|_| KeyError::Damaged)?;
        if detail.kind() == kind { Ok(detail) } else { Err(KeyError::Damaged) }
    }

    /// Seals a detail: under the customer's key, else under `own`, which was made for it just before,
    /// else under a key that is made now and also returned. A new key must be durable before what is
    /// sealed under it, and is not in the store until it is [kept](Self::keep).
    pub(crate) fn seal(
        &self,
        entropy: &dyn Entropy,
        own: Option<&NewKey>,
        ledger: LedgerNo,
        customer: CustomerNo,
        detail: &Detail,
    ) -> Result<(Arc<[u8]>, Option<NewKey>), KeyError> {
        let mut made = None;
        let known = self.cipher(ledger, customer).or_else(|| own.map(|new| cipher(&new.key)));
        let cipher = match known {
            Some(cipher) => cipher,
            None => {
                let mut key: Key = Box::new(Zeroizing::new([0; KEY_LEN]));
                entropy.fill(key.as_mut_slice())?;
                let cipher = cipher(&key);
                made = Some(NewKey { ledger, customer, key });
                cipher
            }
        };
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce)?;
        let clear = Zeroizing::new(postcard::to_allocvec(detail).map_err(|_| KeyError::Seal)?);
        let payload = Payload { msg: &clear, aad: &bound_to(ledger, customer, detail.kind()) };
        let text = cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| KeyError::Seal)?;
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + text.len());
        sealed.push(SEALED_FORM);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&text);
        Ok((sealed.into(), made))
    }

    /// Takes a key into use.
    pub(crate) fn keep(&self, new: &NewKey) {
        let mut customers = self.customers.write().unwrap_or_else(PoisonError::into_inner);
        customers.insert((new.ledger, new.customer), new.key.clone());
    }

    /// Forgets a key whose frame did not become durable.
    pub(crate) fn forget(&self, ledger: LedgerNo, customer: CustomerNo) {
        let mut customers = self.customers.write().unwrap_or_else(PoisonError::into_inner);
        customers.remove(&(ledger, customer));
    }

    /// Forgets the keys of customers that are not in the log.
    ///
    /// WHY: such a key was written, but its frame was not. Perhaps its sync failed or never came, and
    /// no later one proves that it is durable; so when the number is allotted again, a new key is
    /// made and written.
    pub(crate) fn keep_only(&self, rows: &Rows) {
        let mut customers = self.customers.write().unwrap_or_else(PoisonError::into_inner);
        customers.retain(|(ledger, customer), _| {
            rows.ledger(*ledger).is_some_and(|ledger| customer.0 < ledger.customers.len())
        });
    }

    /// All keys, by ledger and customer.
    pub(crate) fn customers(&self) -> Vec<NewKey> {
        let customers = self.customers.read().unwrap_or_else(PoisonError::into_inner);
        let new = |(&(ledger, customer), key): (&(LedgerNo, CustomerNo), &Key)| NewKey {
            ledger,
            customer,
            key: key.clone(),
        };
        customers.iter().map(new).collect()
    }

    fn cipher(&self, ledger: LedgerNo, customer: CustomerNo) -> Option<XChaCha20Poly1305> {
        let customers = self.customers.read().unwrap_or_else(PoisonError::into_inner);
        customers.get(&(ledger, customer)).map(cipher)
    }
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&***key).into())
}

impl fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyStore").field("customers", &self.len()).finish_non_exhaustive()
    }
}

/// The number of a detail's kind, in what is authenticated with it.
pub(crate) const fn kind_code(kind: DetailKind) -> u8 {
    match kind {
        DetailKind::Name => 1,
        DetailKind::Address => 2,
        DetailKind::Contacts => 3,
        DetailKind::Note => 4,
    }
}

/// What a ciphertext is bound to, so that it opens for no other customer and as no other detail.
fn bound_to(ledger: LedgerNo, customer: CustomerNo, kind: DetailKind) -> [u8; 9] {
    let mut bound = [0; 9];
    bound[..4].copy_from_slice(&ledger.0.to_le_bytes());
    bound[4..8].copy_from_slice(&customer.0.to_le_bytes());
    bound[8] = kind_code(kind);
    bound
}
