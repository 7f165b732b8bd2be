//! The digest of a command's content, by which a repeat is known from another use of an id.

use encours_domain::content::Content;
use encours_domain::details::Detail;
use encours_domain::{Command, commands};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// The whole digest, as command records in the log hold it.
pub(crate) type FullDigest = [u8; 32];

/// The half of it that the domain keeps in its rows.
pub(crate) fn half(digest: &FullDigest) -> commands::Digest {
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    half
}

/// The digest of a command: SHA-256 over its set fields, each with its number, form and length.
///
/// Personal details go in as HMAC-SHA256 under `key`. WHY a key of the log and not of the customer:
/// the repeat of a `CreateCustomer` comes before anybody knows which customer it is about, and must
/// compare equal all the same. The digest stands in the log; without the key in `keys/` nobody can
/// test a guessed name against it.
///
/// `room` is overwritten; whoever keeps it saves making it anew for every command.
pub(crate) fn digest(command: &Command, key: &[u8; 32], room: &mut Vec<u8>) -> FullDigest {
    room.clear();
    room.extend_from_slice(b"encours command 1\n");
    command.content(&mut Hasher { bytes: room, key });
    Sha256::digest(room).into()
}

/// What is to be hashed, gathered. WHY: one long update of a hash is faster than many short ones.
struct Hasher<'a> {
    bytes: &'a mut Vec<u8>,
    key: &'a [u8; 32],
}

impl Hasher<'_> {
    fn field(&mut self, field: u16, form: u8, value: &[u8]) {
        let mut head = [form; 11];
        head[..2].copy_from_slice(&field.to_le_bytes());
        head[3..].copy_from_slice(&(value.len() as u64).to_le_bytes());
        self.bytes.extend_from_slice(&head);
        self.bytes.extend_from_slice(value);
    }
}

impl Content for Hasher<'_> {
    fn bytes(&mut self, field: u16, value: &[u8]) {
        self.field(field, 0, value);
    }

    fn personal(&mut self, field: u16, value: &Detail) {
        // HMAC fills a key up with zeros to a block.
        let mut block = Zeroizing::new([0; 64]);
        block[..32].copy_from_slice(self.key);
        let mut mac = <Hmac<Sha256> as KeyInit>::new((&*block).into());
        let mut text = |text: &str| {
            mac.update(&(text.len() as u64).to_le_bytes());
            mac.update(text.as_bytes());
        };
        match value {
            Detail::Name(name) => text(name),
            Detail::Address(address) => text(address),
            Detail::Note(note) => text(note),
            Detail::Contacts(contacts) => {
                for contact in contacts {
                    text(&contact.name);
                    text(&contact.email);
                    text(&contact.phone);
                }
            }
        }
        mac.update(&[crate::keys::kind_code(value.kind())]);
        let mac: [u8; 32] = mac.finalize().into_bytes().into();
        self.field(field, 1, &mac);
    }
}
