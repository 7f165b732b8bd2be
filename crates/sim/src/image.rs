//! One file of the simulated disk: what the disk has, what the system shows, and what lies between.

use crate::rng::Rng;

/// The piece that usually reaches the disk whole or not at all.
const SECTOR: u64 = 512;
/// The piece that always does.
const WORD: u64 = 8;

/// A change that is not durable yet.
#[derive(Clone, Debug)]
enum Change {
    Bytes { offset: u64, bytes: Vec<u8> },
    Length(u64),
}

/// A file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    /// What outlives a power cut.
    durable: Vec<u8>,
    /// What reads show.
    live: Vec<u8>,
    /// What was changed since the last sync, in order.
    pending: Vec<Change>,
}

impl Image {
    pub(crate) fn live(&self) -> &[u8] {
        &self.live
    }

    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) {
        put(&mut self.live, offset, bytes);
        self.pending.push(Change::Bytes { offset, bytes: bytes.to_vec() });
    }

    pub(crate) fn set_len(&mut self, len: u64) {
        self.live.resize(index(len), 0);
        self.pending.push(Change::Length(len));
    }

    pub(crate) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            apply(&mut self.durable, &change);
        }
    }

    /// A sync that fails: some of the changes have reached the disk, and the system forgets about
    /// the others. Whether it goes on showing them is up to it.
    pub(crate) fn fail_sync(&mut self, rng: &mut Rng) {
        let shown = if rng.one_in(2) { self.live.clone() } else { self.durable.clone() };
        self.cut_power(rng);
        self.live = shown;
    }

    /// Flips a bit of what is stored, wherever it is stored.
    pub(crate) fn flip(&mut self, bit: u64) {
        for bytes in [&mut self.live, &mut self.durable] {
            if let Some(byte) = bytes.get_mut(index(bit / 8)) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }

    /// Cuts or replaces what is stored, durably.
    pub(crate) fn reset(&mut self, bytes: Vec<u8>) {
        self.pending.clear();
        self.live.clone_from(&bytes);
        self.durable = bytes;
    }

    /// A power cut: of the pending changes some have reached the disk, whole or in parts.
    pub(crate) fn cut_power(&mut self, rng: &mut Rng) {
        let pending = std::mem::take(&mut self.pending);
        let reached = rng.index(pending.len() + 1);
        match rng.below(6) {
            // None.
            0 => {}
            // All.
            1 => pending.iter().for_each(|change| apply(&mut self.durable, change)),
            // Those up to one.
            2 => pending[..reached].iter().for_each(|change| apply(&mut self.durable, change)),
            // Those up to one, and that one in part.
            3 => {
                pending[..reached].iter().for_each(|change| apply(&mut self.durable, change));
                if let Some(Change::Bytes { offset, bytes }) = pending.get(reached) {
                    let end = offset + rng.below(bytes.len() as u64 + 1);
                    let whole = index((end - end % WORD).saturating_sub(*offset));
                    put(&mut self.durable, *offset, &bytes[..whole]);
                }
            }
            // The lengths, but no bytes.
            4 => {
                for change in &pending {
                    let len = match change {
                        Change::Bytes { offset, bytes } => {
                            self.durable.len().max(index(*offset) + bytes.len())
                        }
                        Change::Length(len) => index(*len),
                    };
                    self.durable.resize(len, 0);
                }
            }
            // Any sectors, in any order.
            _ => {
                for change in &pending {
                    match change {
                        Change::Bytes { offset, bytes } => {
                            put_some_sectors(&mut self.durable, *offset, bytes, rng);
                        }
                        Change::Length(_) if rng.one_in(2) => apply(&mut self.durable, change),
                        Change::Length(_) => {}
                    }
                }
            }
        }
        self.live.clone_from(&self.durable);
    }
}

fn apply(image: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Bytes { offset, bytes } => put(image, *offset, bytes),
        Change::Length(len) => image.resize(index(*len), 0),
    }
}

fn put(image: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let start = index(offset);
    let end = start + bytes.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    image[start..end].copy_from_slice(bytes);
}

fn put_some_sectors(image: &mut Vec<u8>, offset: u64, bytes: &[u8], rng: &mut Rng) {
    let mut at = 0;
    while at < bytes.len() {
        let here = offset + at as u64;
        let len = index(SECTOR - here % SECTOR).min(bytes.len() - at);
        if rng.one_in(2) {
            put(image, here, &bytes[at..at + len]);
        }
        at += len;
    }
}

pub(crate) fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
