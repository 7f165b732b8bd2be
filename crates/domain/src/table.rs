//! Tables of rows in shared pages: a clone copies a vector of pointers, a change copies one page.
//!
//! The writer's state and the read model are made of these, so that a snapshot, a report or a
//! checkpoint reads a consistent picture without stopping whoever writes.

use std::sync::Arc;

use serde::de::{SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Rows by dense number, from 0, in pages of `N` rows.
///
/// ```
/// use encours_domain::table::Table;
/// let mut table: Table<u64, 2> = Table::default();
/// for row in [10, 20, 30] {
///     table.push(row);
/// }
/// let before = table.clone();
/// if let Some(row) = table.get_mut(2) {
///     *row = 33;
/// }
/// assert_eq!((before.get(2), table.get(2)), (Some(&30), Some(&33)));
/// ```
#[derive(Clone, Debug)]
pub struct Table<T, const N: usize = 64> {
    pages: Vec<Arc<Vec<T>>>,
    len: u32,
}

impl<T, const N: usize> Default for Table<T, N> {
    fn default() -> Self {
        Self { pages: Vec::new(), len: 0 }
    }
}

impl<T, const N: usize> Table<T, N> {
    /// How many rows there are.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether there is no row.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The row with this number.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&T> {
        let number = number as usize;
        self.pages.get(number / N)?.get(number % N)
    }

    /// All rows in the order of their numbers.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.pages.iter().flat_map(|page| page.iter())
    }

    /// The pages, to compare by pointer and to write out.
    #[must_use]
    pub fn pages(&self) -> &[Arc<Vec<T>>] {
        &self.pages
    }
}

impl<T: Clone, const N: usize> Table<T, N> {
    /// Appends a row and tells its number.
    pub fn push(&mut self, row: T) -> u32 {
        let number = self.len;
        match self.pages.last_mut() {
            Some(page) if page.len() < N => {
                let page = Arc::make_mut(page);
                if page.len() == page.capacity() {
                    // A full page has no room to spare, whatever power of two comes next.
                    page.reserve_exact(page.len().max(4).min(N - page.len()));
                }
                page.push(row);
            }
            // WHY: small tables stay small, large ones fill a page without moving its rows.
            last => {
                let room = if last.is_some() { N } else { 1 };
                let mut page = Vec::with_capacity(room);
                page.push(row);
                self.pages.push(Arc::new(page));
            }
        }
        self.len += 1;
        number
    }

    /// The row with this number, to change; copies its page where a clone still reads it.
    pub fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        let number = number as usize;
        let page = self.pages.get_mut(number / N)?;
        Arc::make_mut(page).get_mut(number % N)
    }
}

impl<T: Serialize, const N: usize> Serialize for Table<T, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.len as usize))?;
        for row in self.iter() {
            rows.serialize_element(row)?;
        }
        rows.end()
    }
}

impl<'de, T: Deserialize<'de> + Clone, const N: usize> Deserialize<'de> for Table<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rows<T, const N: usize>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de> + Clone, const N: usize> Visitor<'de> for Rows<T, N> {
            type Value = Table<T, N>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("rows of a table")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Self::Value, A::Error> {
                let mut table = Table::default();
                while let Some(row) = rows.next_element()? {
                    table.push(row);
                }
                Ok(table)
            }
        }
        deserializer.deserialize_seq(Rows(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_pages_have_no_room_to_spare() {
        let mut table: Table<u32, 46> = Table::default();
        let mut before = table.clone();
        for row in 0..200 {
            assert_eq!(table.push(row), row);
            if row % 7 == 0 {
                before = table.clone();
            }
        }
        assert!(before.iter().copied().eq(0..197), "{before:?}");
        assert!(table.iter().copied().eq(0..200), "{table:?}");
        for page in table.pages() {
            assert!(page.capacity() <= 46, "{} rows in room for {}", page.len(), page.capacity());
        }
        let mut small: Table<u32, 46> = Table::default();
        small.push(1);
        assert_eq!(small.pages()[0].capacity(), 1, "a small table takes little");
    }
}
