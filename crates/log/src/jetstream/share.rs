//! Sharing keys with the other nodes.

use async_nats::jetstream::message::PublishMessage;

use super::log::JetStreamLog;
use super::problem::unavailable;
use crate::chain::ChainError;
use crate::error::LogError;

impl JetStreamLog {
    /// Puts records at the end of the keys stream; where it is not certain that they are there, looks.
    ///
    /// INVARIANT: the sequence that they have to follow is the one up to which this node has taken
    /// all keys in. It is never made to fit: where somebody else's keys have come in between, this
    /// writer is out of date, and its keys must not come after theirs.
    ///
    /// # Errors
    /// [`LogError::StreamFull`] where the keys stream has no room: nothing was stored, and frames
    /// that bring no keys still fit.
    pub(super) fn publish_keys(&mut self, records: &[u8]) -> Result<(), LogError> {
        self.running()?;
        let log = &self.link.options().log;
        let (stream, subject) = (log.keys_stream(), log.keys_subject());
        let doing = format!("sharing keys in stream {stream}");
        let sequence = self.keys_last + 1;
        let message = PublishMessage::build()
            .payload(records.to_vec().into())
            .expected_stream(&stream)
            .expected_last_sequence(self.keys_last);
        let publish = async {
            let sent = self.link.shared.context.send_publish(subject, message).await;
            let ack = sent.map_err(|error| self.publish_error(&doing, &error))?;
            let told = ack.await.map_err(|error| self.publish_error(&doing, &error))?;
            if told.sequence == sequence {
                return Ok(());
            }
            Err(unavailable(&doing, format!("they were taken for message {}", told.sequence)))
        };
        match self.link.block(self.link.ask(&doing, publish)) {
            Ok(()) => {}
            Err(error) if error.is_unavailable() => {
                let stored = self.link.block(self.link.message(&stream, sequence))?;
                let Some(stored) = stored else { return Err(error) };
                if stored.payload.as_ref() != records {
                    tracing::warn!(stream, sequence, "another writer has shared keys");
                    let frame = self.reader.tail().number.next();
                    return Err(LogError::NotNext { frame, source: ChainError::Previous });
                }
            }
            // WHY asked: the keys stream has a limit of its own, which a person is to make larger.
            Err(LogError::StreamFull { .. }) => {
                let info = self.link.block(self.link.info(&stream))?;
                let max_bytes = info.ok_or_else(|| self.link.missing(&stream))?.config.max_bytes;
                let max_bytes = u64::try_from(max_bytes).unwrap_or(u64::MAX);
                return Err(LogError::StreamFull { stream, max_bytes });
            }
            Err(error) => return Err(error),
        }
        self.keys_last = sequence;
        Ok(())
    }
}
