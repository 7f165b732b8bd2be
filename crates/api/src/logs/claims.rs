//! What is unique over all logs, for all nodes.

use encours_log::LogError;

/// Values that are given to keys once and for all.
#[tonic::async_trait]
pub trait Claims: Send + Sync + 'static {
    /// The value of a key, where it has one.
    ///
    /// # Errors
    /// Where nobody can tell just now.
    async fn find(&self, key: &str) -> Result<Option<String>, LogError>;

    /// Gives a key a value, where it has none yet; the one that it has from then on. Of several who
    /// do so at once all are told the same value.
    ///
    /// # Errors
    /// Where nobody can tell just now; the key may have the value or not.
    async fn claim(&self, key: &str, value: &str) -> Result<String, LogError>;
}

#[tonic::async_trait]
impl Claims for encours_log::Claims {
    async fn find(&self, key: &str) -> Result<Option<String>, LogError> {
        Self::find(self, key).await
    }

    async fn claim(&self, key: &str, value: &str) -> Result<String, LogError> {
        Self::claim(self, key, value).await
    }
}

/// The key under which the log of a ledger stands.
pub(super) fn ledger(id: &str) -> String {
    format!("ledger.{id}")
}

/// The key under which the log of a test clock stands.
pub(super) fn clock(id: &str) -> String {
    format!("clock.{id}")
}

/// The key under which the id stands that a new ledger was given, whose caller left it out.
pub(super) fn request(id: &str) -> String {
    format!("request.{id}")
}
