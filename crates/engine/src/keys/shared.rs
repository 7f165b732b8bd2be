//! Records of the key file on their way to other nodes.
//!
//! A body has the form of a key file: 64-byte records, their checksums over their index in the body.
//! The first says which log the keys belong to and, where a file has a ledger's number, how many
//! records follow. Next comes the digest key where the receiver may have none yet, then customers'
//! keys. Bodies are read in order, and later records win.

use std::collections::BTreeMap;

use encours_domain::{CustomerNo, LedgerNo};
use encours_log::LogId;
use zeroize::Zeroizing;

use super::file::{
    KIND_CUSTOMER, KIND_DIGEST, KIND_LOG, RECORD_LEN, check, key_in, number, record,
};
use super::store::{KEY_LEN, Key, NewKey};

/// The longest body.
const BODY_MAX: usize = 256 << 10;
/// Customers' keys in a body, beside log and digest key.
const CUSTOMERS_MAX: usize = BODY_MAX / RECORD_LEN - 2;

/// Records as another node has shared them.
pub(crate) struct Shared {
    pub(crate) log_id: LogId,
    pub(crate) digest_key: Option<Key>,
    pub(crate) customers: BTreeMap<(LedgerNo, CustomerNo), Key>,
}

impl Shared {
    /// Reads a body; `None` where it is damaged or of another form.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let mut records = (0..).zip(body.chunks(RECORD_LEN));
        let (_, first) = records.next()?;
        let count = u32::try_from(body.len().div_ceil(RECORD_LEN) - 1).ok()?;
        let is_first = check(0, first) && number(first, 0) == KIND_LOG;
        if !is_first || number(first, 4) != count {
            return None;
        }
        let mut id = [0; 16];
        id.copy_from_slice(&first[12..28]);
        let mut shared = Self { log_id: LogId(id), digest_key: None, customers: BTreeMap::new() };
        for (index, bytes) in records {
            if !check(index, bytes) {
                return None;
            }
            match (index, number(bytes, 0)) {
                (1, KIND_DIGEST) => shared.digest_key = Some(key_in(bytes)),
                (_, KIND_CUSTOMER) => {
                    let customer = (LedgerNo(number(bytes, 4)), CustomerNo(number(bytes, 8)));
                    shared.customers.insert(customer, key_in(bytes));
                }
                _ => return None,
            }
        }
        Some(shared)
    }
}

/// The bodies that carry these keys; the first one also the digest key, where there is one. None
/// where there is nothing to carry.
pub(crate) fn bodies<'a>(
    log_id: LogId,
    digest_key: Option<&'a Key>,
    customers: &'a [NewKey],
) -> impl Iterator<Item = Zeroizing<Vec<u8>>> + 'a {
    let head = digest_key.filter(|_| customers.is_empty());
    let alone = head.map(|digest| body(log_id, Some(digest), &[]));
    let chunks = customers.chunks(CUSTOMERS_MAX).enumerate();
    alone
        .into_iter()
        .chain(chunks.map(move |(n, chunk)| body(log_id, digest_key.filter(|_| n == 0), chunk)))
}

fn body(log_id: LogId, digest_key: Option<&Key>, customers: &[NewKey]) -> Zeroizing<Vec<u8>> {
    let count = customers.len() + usize::from(digest_key.is_some());
    let mut bytes = Zeroizing::new(Vec::with_capacity((count + 1) * RECORD_LEN));
    let mut id = [0; KEY_LEN];
    id[..16].copy_from_slice(&log_id.0);
    // A body has at most 4096 records.
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&*record(0, KIND_LOG, count, 0, &id));
    let mut index = 1;
    if let Some(digest_key) = digest_key {
        bytes.extend_from_slice(&*record(index, KIND_DIGEST, 0, 0, digest_key));
        index += 1;
    }
    for (index, new) in (index..).zip(customers) {
        let (ledger, customer) = (new.ledger.0, new.customer.0);
        bytes.extend_from_slice(&*record(index, KIND_CUSTOMER, ledger, customer, &new.key));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: LogId = LogId([7; 16]);

    fn key(fill: u8) -> Key {
        Box::new(Zeroizing::new([fill; KEY_LEN]))
    }

    fn news(count: u32) -> Vec<NewKey> {
        let new = |n: u32| NewKey {
            ledger: LedgerNo(n % 3),
            customer: CustomerNo(n),
            key: key(n.to_le_bytes()[0]),
        };
        (0..count).map(new).collect()
    }

    #[test]
    fn what_is_shared_is_read_again_in_bodies_of_bounded_length() {
        for count in [0, 1, 4_094, 4_095, 10_000] {
            let customers = news(count);
            let digest = key(200);
            let (mut read, mut heads) = (BTreeMap::new(), 0);
            for (n, body) in bodies(LOG, Some(&digest), &customers).enumerate() {
                assert!(body.len() <= BODY_MAX);
                let shared = Shared::read(&body).unwrap();
                assert_eq!(shared.log_id, LOG);
                assert_eq!(shared.digest_key.is_some(), n == 0);
                heads += shared.digest_key.map_or(0, |shared| u32::from(shared == digest));
                read.extend(shared.customers);
            }
            let all = customers.iter().map(|new| ((new.ledger, new.customer), new.key.clone()));
            assert_eq!((read, heads), (all.collect(), 1));
        }
        assert_eq!(bodies(LOG, None, &[]).count(), 0);
    }

    #[test]
    fn a_damaged_body_is_noticed() {
        let body = bodies(LOG, Some(&key(1)), &news(3)).next().unwrap();
        assert!(Shared::read(&body).is_some());
        for bit in 0..body.len() * 8 {
            let mut damaged = body.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Shared::read(&damaged).is_none(), "bit {bit}");
        }
        for len in 0..body.len() {
            assert!(Shared::read(&body[..len]).is_none(), "cut to {len}");
        }
        assert!(Shared::read(&[&body[..], &body[..RECORD_LEN]].concat()).is_none());
    }
}
