//! What is unique over all logs of the same servers: keys that are given a value once and for all.
//!
//! No log can tell of another one whether an id is taken there. So an id is claimed here before it is
//! used, by a message that the servers take only where the key has none.

use std::fmt::Write as _;

use async_nats::jetstream::kv::{CreateErrorKind, Store};

use super::bucket::{Bucket, is_deletion};
use super::link::Link;
use super::problem::unavailable;
use crate::error::LogError;

/// Values that are given to keys once and for all. Clones share the connection.
#[derive(Clone)]
pub struct Claims {
    link: Link,
    store: Store,
}

impl Link {
    /// What is unique over all logs. The bucket is made where it is missing, with as many replicas as
    /// the logs have. Blocks.
    ///
    /// # Errors
    /// [`LogError::StreamConfig`] where the bucket is set up in another way,
    /// [`LogError::Unavailable`], [`LogError::Denied`].
    pub fn claims(&self) -> Result<Claims, LogError> {
        let store = self.block(self.open_bucket(Bucket::Ledgers))?;
        Ok(Claims { link: self.clone(), store })
    }
}

impl Claims {
    /// The value of a key, where it has one, as the bucket's leader knows it.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] where nobody can tell.
    pub async fn find(&self, key: &str) -> Result<Option<String>, LogError> {
        let doing = "looking up an id";
        self.link.ask(doing, self.read(doing, key)).await
    }

    /// Gives a key a value, where it has none yet; the one that it has from then on.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] where nobody can tell; the key may have the value or not.
    pub async fn claim(&self, key: &str, value: &str) -> Result<String, LogError> {
        let doing = "claiming an id";
        let claimed = self.link.ask(doing, async {
            match self.store.create(encoded(key), value.to_owned().into()).await {
                Ok(_) => Ok(Some(value.to_owned())),
                Err(error) if error.kind() == CreateErrorKind::AlreadyExists => {
                    self.read(doing, key).await
                }
                Err(error) => Err(unavailable(doing, error)),
            }
        });
        claimed.await?.ok_or_else(|| unavailable(doing, "it has just been given up"))
    }

    async fn read(&self, doing: &str, key: &str) -> Result<Option<String>, LogError> {
        let last = self.link.latest(doing, Bucket::Ledgers, &encoded(key), true).await?;
        let value = last.filter(|message| !is_deletion(message));
        Ok(value.map(|message| String::from_utf8_lossy(&message.payload).into_owned()))
    }
}

/// The key as it may stand in a subject: other bytes than `A-Z a-z 0-9 _ - .` as `=` and two digits,
/// and so a dot at either end, or beside another one.
fn encoded(key: &str) -> String {
    let mut encoded = String::with_capacity(key.len());
    for (at, byte) in key.bytes().enumerate() {
        let is_between = at > 0 && at + 1 < key.len() && !encoded.ends_with('.');
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => encoded.push(byte.into()),
            b'.' if is_between => encoded.push('.'),
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(encoded, "={byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_name_of_its_own_that_fits_in_a_subject() {
        let told = [
            ("ledger.acme", "ledger.acme"),
            ("ledger.fr/paris:2", "ledger.fr=2Fparis=3A2"),
            ("request.a.b", "request.a.b"),
            ("request.=2F*>", "request.=3D2F=2A=3E"),
            ("request..", "request.=2E"),
            ("request.a..b.", "request.a.=2Eb=2E"),
        ];
        for (key, name) in told {
            assert_eq!(encoded(key), name);
        }
    }
}
