//! Signed notes, as C2SP signed-note has them: a text, a blank line, lines with signatures.
//!
//! ```text
//! the text
//!
//! — <name of the key> <base64 of 4 bytes of the key's id and the signature>
//! ```
//!
//! WHY no library: the form is these few lines; the one crate for it brings a note's worth of other
//! algorithms. The signatures themselves are `ed25519-dalek`'s.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Ed25519, among the kinds of signatures.
const ED25519: u8 = 1;
/// What a private key begins with, as text.
const PRIVATE: &str = "PRIVATE+KEY";
/// What the line of a signature begins with.
const DASH: &str = "— ";
/// The most bytes of a note. WHY: who checks one does not know yet whether it is one.
pub(crate) const NOTE_MAX: usize = 64 * 1024;
/// The most signatures of a note.
const SIGNATURES_MAX: usize = 100;

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Its parts, between `+`, are not those of a key.
    #[error("it is no key: NAME+ID+BASE64 is expected")]
    Malformed,
    /// The name of a key has no spaces and no `+`.
    #[error("the name of the key is empty or has spaces or a +")]
    Name,
    /// The id is not that of the name and the key.
    #[error("the key's id does not belong to its name and bytes: it was altered")]
    Id,
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

/// Why a note is not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// It is no signed note.
    #[error("it is no signed note")]
    Malformed,
    /// It has no signature of the key.
    #[error("it has no signature of this key")]
    Unsigned,
    /// A signature of the key is not over this text.
    #[error("the signature does not match: the text or the signature was altered")]
    Signature,
}

/// The public part of a key, as others are given it: `name+id+base64`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    id: [u8; 4],
    key: VerifyingKey,
}

/// The private part of a key.
pub struct Signer {
    verifier: Verifier,
    key: SigningKey,
}

impl Verifier {
    fn new(name: &str, key: VerifyingKey) -> Result<Self, KeyError> {
        let wrong = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if name.is_empty() || name.contains(wrong) {
            return Err(KeyError::Name);
        }
        let mut digest = Sha256::new_with_prefix(name);
        digest.update([b'\n', ED25519]);
        digest.update(key.as_bytes());
        let [a, b, c, d, ..]: [u8; 32] = digest.finalize().into();
        Ok(Self { name: name.to_owned(), id: [a, b, c, d], key })
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// [`KeyError`]: it is none.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (name, id, bytes) = parts(text)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::Malformed)?;
        let verifier = Self::new(name, key)?;
        if hex(verifier.id) == id { Ok(verifier) } else { Err(KeyError::Id) }
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text of a note that this key has signed. Signatures of others are not looked at.
    ///
    /// # Errors
    /// [`NoteError`] where it has not, or the note was altered.
    pub fn open<'a>(&self, note: &'a str) -> Result<&'a str, NoteError> {
        let (text, signatures) = taken_apart(note)?;
        let own = signatures.iter().filter(|line| line.name == self.name && line.id == self.id);
        let mut signed = false;
        for line in own {
            let signature = Signature::from_slice(&line.bytes).map_err(|_| NoteError::Signature)?;
            let checked = self.key.verify_strict(text.as_bytes(), &signature);
            checked.map_err(|_| NoteError::Signature)?;
            signed = true;
        }
        if signed { Ok(text) } else { Err(NoteError::Unsigned) }
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = vec![ED25519];
        typed.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{}+{}", self.name, hex(self.id), BASE64.encode(typed))
    }
}

impl Signer {
    /// A new key of this name, from the system's random source.
    ///
    /// # Errors
    /// [`KeyError::Name`], [`KeyError::Random`].
    pub fn random(name: &str) -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(|_| KeyError::Random)?;
        Self::new(name, &seed)
    }

    fn new(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let key = SigningKey::from_bytes(seed);
        Ok(Self { verifier: Verifier::new(name, key.verifying_key())?, key })
    }

    /// Reads the text form, as [`to_text`](Self::to_text) and other tools for signed notes write it.
    ///
    /// # Errors
    /// [`KeyError`]: it is none.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim_end_matches('\n').strip_prefix(PRIVATE);
        let (name, id, seed) = parts(text.and_then(|t| t.strip_prefix('+')).unwrap_or_default())?;
        let signer = Self::new(name, &Zeroizing::new(seed))?;
        if hex(signer.verifier.id) == id { Ok(signer) } else { Err(KeyError::Id) }
    }

    /// `PRIVATE+KEY+name+id+base64` and a newline.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let Verifier { name, id, .. } = &self.verifier;
        let mut typed = Zeroizing::new(vec![ED25519]);
        typed.extend_from_slice(self.key.as_bytes());
        let secret = Zeroizing::new(BASE64.encode(&*typed));
        Zeroizing::new(format!("{PRIVATE}+{name}+{}+{}\n", hex(*id), *secret))
    }

    /// The public part.
    #[must_use]
    pub const fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The note with this text, which ends with a newline.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        let mut bytes = self.verifier.id.to_vec();
        bytes.extend_from_slice(&self.key.sign(text.as_bytes()).to_bytes());
        format!("{text}\n{DASH}{} {}\n", self.verifier.name, BASE64.encode(bytes))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

/// A line with a signature.
struct Line<'a> {
    name: &'a str,
    id: [u8; 4],
    bytes: Vec<u8>,
}

/// The text of a note, without looking at who signed it.
pub(crate) fn text_of(note: &str) -> Result<&str, NoteError> {
    Ok(taken_apart(note)?.0)
}

/// The keys that a note says it was signed by, as `name+id`.
pub(crate) fn signers_of(note: &str) -> String {
    let lines = taken_apart(note).map(|(_, lines)| lines).unwrap_or_default();
    let keys: Vec<_> = lines.iter().map(|line| format!("{}+{}", line.name, hex(line.id))).collect();
    keys.join(", ")
}

fn taken_apart(note: &str) -> Result<(&str, Vec<Line<'_>>), NoteError> {
    let is_text = note.len() <= NOTE_MAX && !note.contains(|c: char| c < ' ' && c != '\n');
    let blank = note.rfind("\n\n").filter(|_| is_text).ok_or(NoteError::Malformed)?;
    let (text, lines) = (&note[..=blank], &note[blank + 2..]);
    let lines = lines.strip_suffix('\n').ok_or(NoteError::Malformed)?;
    let signatures: Option<Vec<_>> = lines.split('\n').map(signature).collect();
    match signatures.filter(|signatures| signatures.len() <= SIGNATURES_MAX) {
        Some(signatures) => Ok((text, signatures)),
        None => Err(NoteError::Malformed),
    }
}

fn signature(line: &str) -> Option<Line<'_>> {
    let (name, encoded) = line.strip_prefix(DASH)?.split_once(' ')?;
    let bytes = BASE64.decode(encoded).ok()?;
    let (id, bytes) = bytes.split_first_chunk::<4>()?;
    (!name.is_empty()).then(|| Line { name, id: *id, bytes: bytes.to_vec() })
}

/// The parts of a key's text: its name, its id and its 32 bytes.
fn parts(text: &str) -> Result<(&str, &str, [u8; 32]), KeyError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(KeyError::Malformed);
    };
    let typed = Zeroizing::new(BASE64.decode(encoded).map_err(|_| KeyError::Malformed)?);
    match typed.split_first() {
        Some((&ED25519, bytes)) => {
            Ok((name, id, bytes.try_into().map_err(|_| KeyError::Malformed)?))
        }
        _ => Err(KeyError::Malformed),
    }
}

fn hex(id: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

#[cfg(test)]
mod tests;
