//! Texts of rows: ids, numbers, references and sealed details, appended and never changed.
//!
//! A row keeps one [`Block`] of 8 bytes for all its texts, so that rows stay small and fixed, and a
//! text is stored once in pages like those of the tables.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Bytes of a page of the heap.
pub(crate) const HEAP_PAGE: usize = 4_000;

const LENGTH_BITS: u32 = 24;
const LENGTH_MASK: u64 = (1 << LENGTH_BITS) - 1;
/// Bytes that stand before each text: its length.
const PREFIX: usize = 4;

/// Where some texts lie: 40 bits of offset (a terabyte), 24 bits of length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Block(pub(crate) u64);

impl Block {
    fn new(offset: usize, length: usize) -> Option<Self> {
        let (offset, length) = (u64::try_from(offset).ok()?, u64::try_from(length).ok()?);
        let fits = offset < 1 << (64 - LENGTH_BITS) && length <= LENGTH_MASK;
        fits.then_some(Self(offset << LENGTH_BITS | length))
    }

    fn range(self) -> Option<(usize, usize)> {
        let offset = usize::try_from(self.0 >> LENGTH_BITS).ok()?;
        let length = usize::try_from(self.0 & LENGTH_MASK).ok()?;
        Some((offset, offset.checked_add(length)?))
    }
}

/// The texts of a ledger. A clone shares the pages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heap {
    pages: Vec<Arc<Vec<u8>>>,
    len: usize,
}

impl Heap {
    /// Appends texts as one block; `None` where block or heap are full.
    pub(crate) fn put(&mut self, texts: &[&[u8]]) -> Option<Block> {
        let length = texts.iter().map(|text| PREFIX + text.len()).sum();
        let block = Block::new(self.len, length)?;
        let within = self.len % HEAP_PAGE;
        // WHY: most blocks lie in one page, which need be asked for only once.
        if within > 0
            && within + length <= HEAP_PAGE
            && let Some(page) = self.pages.last_mut()
        {
            let page = Arc::make_mut(page);
            for text in texts {
                page.extend_from_slice(&u32::try_from(text.len()).ok()?.to_le_bytes());
                page.extend_from_slice(text);
            }
            self.len += length;
            return Some(block);
        }
        for text in texts {
            self.append(&u32::try_from(text.len()).ok()?.to_le_bytes());
            self.append(text);
        }
        Some(block)
    }

    /// Appends bytes; also how a stored page comes back.
    pub(crate) fn append(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.len.is_multiple_of(HEAP_PAGE) {
                self.pages.push(Arc::new(Vec::with_capacity(HEAP_PAGE)));
            }
            let room = (HEAP_PAGE - self.len % HEAP_PAGE).min(bytes.len());
            let (now, later) = bytes.split_at(room);
            if let Some(page) = self.pages.last_mut() {
                Arc::make_mut(page).extend_from_slice(now);
            }
            self.len += room;
            bytes = later;
        }
    }

    /// The bytes of the text with this index in its block.
    pub(crate) fn bytes(&self, block: Block, index: usize) -> Option<Cow<'_, [u8]>> {
        let (mut at, end) = block.range()?;
        for _ in 0..index {
            at = self.text_at(at, end)?.1;
        }
        let (start, after) = self.text_at(at, end)?;
        self.slice(start, after)
    }

    /// The text with this index in its block.
    pub(crate) fn text(&self, block: Block, index: usize) -> Option<Cow<'_, str>> {
        Some(match self.bytes(block, index)? {
            Cow::Borrowed(bytes) => Cow::Borrowed(std::str::from_utf8(bytes).ok()?),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8(bytes).ok()?),
        })
    }

    /// Start and end of the text whose length stands at `at`.
    fn text_at(&self, at: usize, end: usize) -> Option<(usize, usize)> {
        let start = at.checked_add(PREFIX)?;
        let length: [u8; PREFIX] = self.slice(at, start)?.as_ref().try_into().ok()?;
        let after = start.checked_add(usize::try_from(u32::from_le_bytes(length)).ok()?)?;
        (after <= end).then_some((start, after))
    }

    fn slice(&self, start: usize, end: usize) -> Option<Cow<'_, [u8]>> {
        let (page, within) = (start / HEAP_PAGE, start % HEAP_PAGE);
        let length = end.checked_sub(start)?;
        if end > self.len {
            return None;
        }
        if length == 0 {
            return Some(Cow::Borrowed(&[]));
        }
        if let Some(bytes) = self.pages.get(page)?.get(within..within + length) {
            return Some(Cow::Borrowed(bytes));
        }
        let mut bytes = Vec::with_capacity(length);
        let (mut page, mut within) = (page, within);
        while bytes.len() < length {
            let rest = self.pages.get(page)?.get(within..)?;
            bytes.extend_from_slice(&rest[..rest.len().min(length - bytes.len())]);
            (page, within) = (page + 1, 0);
        }
        Some(Cow::Owned(bytes))
    }

    /// The pages, to compare by pointer and to write out.
    pub(crate) fn pages(&self) -> &[Arc<Vec<u8>>] {
        &self.pages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_across_pages() {
        let mut heap = Heap::default();
        let texts: Vec<String> =
            (0..60).map(|n| "é".repeat(n * 37 % 500) + &n.to_string()).collect();
        let blocks: Vec<Block> = texts
            .chunks(2)
            .map(|pair| heap.put(&[pair[0].as_bytes(), b"", pair[1].as_bytes()]).unwrap())
            .collect();
        assert!(heap.pages().len() > 3);
        for (pair, block) in texts.chunks(2).zip(blocks) {
            assert_eq!(heap.text(block, 0).unwrap(), pair[0]);
            assert_eq!(heap.text(block, 1).unwrap(), "");
            assert_eq!(heap.text(block, 2).unwrap(), pair[1]);
            assert_eq!(heap.text(block, 3), None);
        }
        assert_eq!(heap.text(Block(u64::MAX), 0), None);
        assert_eq!(heap.text(Block(3 << LENGTH_BITS | 2), 0), None);
    }
}
