//! Pages of lists: orders, places, and the bounds of what one call looks at.

use std::collections::BTreeSet;

use encours_domain::Day;

/// The most items of a page.
pub const MAX_PAGE: usize = 1_000;
/// The most rows that one call looks at for a page. Past it the page is short and says where to go
/// on.
pub const MAX_SCAN: usize = 10_000;

/// A place in a list: what a page token carries. It stays where it is while items are added, settled
/// and corrected, so that no item that stays in the list is shown twice or skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(pub u64);

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The oldest first.
    #[default]
    Created,
    /// The newest first.
    CreatedDesc,
    /// By due date, then by creation: invoices and opening items with something open only. Lists of
    /// other things take it as [`Order::Created`].
    Due,
    /// The other way round. Lists of other things take it as [`Order::CreatedDesc`].
    DueDesc,
}

/// Which page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The place after which the page begins; `None`: the first page.
    pub after: Option<Key>,
    /// How many items it has at most: 1 to [`MAX_PAGE`].
    pub limit: usize,
    /// The order of the list; a place holds for its order only.
    pub order: Order,
}

/// Items of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Items<T> {
    /// The items; may be fewer than asked for, or none, though more follow.
    pub items: Vec<T>,
    /// Where the next page begins, as [`Page::after`]; `None`: nothing follows.
    pub next: Option<Key>,
}

impl Key {
    /// The place of an item in a list by number.
    pub(super) const fn number(no: u32) -> Self {
        Self(no as u64)
    }

    /// The place of an item in a list by day, then number.
    pub(crate) const fn dated(day: Day, no: u32) -> Self {
        // Days before 1970 come first too.
        let day = day.number().cast_unsigned() ^ (1 << 31);
        Self((day as u64) << 32 | no as u64)
    }

    /// The number of the item.
    pub(crate) fn no(self) -> u32 {
        u32::try_from(self.0 & u64::from(u32::MAX)).unwrap_or(u32::MAX)
    }
}

impl Order {
    /// The place of the item with this number, and this due date where the list is by due date.
    #[must_use]
    pub const fn key(self, no: u32, due: Option<Day>) -> Key {
        match (self, due) {
            (Self::Due | Self::DueDesc, Some(due)) => Key::dated(due, no),
            _ => Key::number(no),
        }
    }

    /// Whether the last comes first.
    pub(super) const fn is_desc(self) -> bool {
        matches!(self, Self::CreatedDesc | Self::DueDesc)
    }
}

impl Page {
    /// The first page, the oldest items first.
    #[must_use]
    pub const fn first(limit: usize) -> Self {
        Self { after: None, limit, order: Order::Created }
    }

    /// The numbers of a table of `len` rows, from this page on.
    pub(super) fn numbers(self, len: u32) -> Box<dyn Iterator<Item = Key>> {
        let after = self.after.map(Key::no);
        if self.order.is_desc() {
            Box::new((0..after.unwrap_or(len).min(len)).rev().map(Key::number))
        } else {
            let first = after.map_or(0, |after| after.saturating_add(1));
            Box::new((first..len).map(Key::number))
        }
    }

    /// Those of ascending numbers that come from this page on.
    pub(super) fn among(self, numbers: &[u32]) -> Box<dyn Iterator<Item = Key> + '_> {
        let after = self.after.map(Key::no);
        if self.order.is_desc() {
            let end =
                after.map_or(numbers.len(), |after| numbers.partition_point(|no| *no < after));
            Box::new(numbers[..end].iter().rev().copied().map(Key::number))
        } else {
            let start = after.map_or(0, |after| numbers.partition_point(|no| *no <= after));
            Box::new(numbers[start..].iter().copied().map(Key::number))
        }
    }

    /// Those of a list by day, from this page on, with days from `from` to `until`.
    pub(super) fn between(
        self,
        dated: &BTreeSet<Key>,
        from: Option<Day>,
        until: Option<Day>,
    ) -> Box<dyn Iterator<Item = Key> + '_> {
        let mut low = Key::dated(from.unwrap_or(Day::MIN), 0).0;
        let mut high = Key::dated(until.unwrap_or(Day::MAX), u32::MAX).0;
        match self.after {
            Some(Key(after)) if self.order.is_desc() => high = high.min(after.saturating_sub(1)),
            Some(Key(after)) => low = low.max(after.saturating_add(1)),
            None => {}
        }
        if low > high {
            return Box::new(std::iter::empty());
        }
        let range = dated.range(Key(low)..=Key(high)).copied();
        if self.order.is_desc() { Box::new(range.rev()) } else { Box::new(range) }
    }
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self { items: Vec::new(), next: None }
    }
}

/// Collects a page: of the candidates, in order, `make` turns those that belong into items.
pub(super) fn page<T>(
    page: Page,
    candidates: impl Iterator<Item = Key>,
    make: impl FnMut(u32) -> Option<T>,
) -> Items<T> {
    collect(MAX_SCAN, page.limit.clamp(1, MAX_PAGE), page.after, candidates, make)
}

/// Collects at most `limit` items, looking at `scan` candidates at most.
pub(super) fn collect<T>(
    scan: usize,
    limit: usize,
    after: Option<Key>,
    candidates: impl Iterator<Item = Key>,
    mut make: impl FnMut(u32) -> Option<T>,
) -> Items<T> {
    let mut items = Vec::new();
    let mut last = after;
    for (scanned, key) in candidates.enumerate() {
        if items.len() == limit || scanned == scan {
            return Items { items, next: last };
        }
        items.extend(make(key.no()));
        last = Some(key);
    }
    Items { items, next: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i32) -> Day {
        Day::from_number(number).unwrap()
    }

    #[test]
    fn a_page_looks_at_a_bounded_number_of_rows() {
        let mut looked = 0;
        let which = Page::first(5);
        let found = page(which, which.numbers(1_000_000), |no| {
            looked += 1;
            (no == 15_000).then_some(no)
        });
        assert_eq!((found.items.len(), found.next, looked), (0, Some(Key(9_999)), MAX_SCAN));
        let which = Page { after: found.next, ..which };
        let found = page(which, which.numbers(1_000_000), |no| (no == 15_000).then_some(no));
        assert_eq!((found.items, found.next), (vec![15_000], Some(Key(19_999))));
    }

    #[test]
    fn keys_are_in_the_order_of_days_and_numbers() {
        let places = [(day(-3), 9), (day(0), 1), (day(0), 2), (day(7), 0), (Day::MAX, u32::MAX)];
        let keys: Vec<Key> = places.iter().map(|(day, no)| Key::dated(*day, *no)).collect();
        assert!(keys.is_sorted());
        for (key, place) in keys.iter().zip(places) {
            assert_eq!(key.no(), place.1);
        }
    }

    #[test]
    fn every_order_goes_on_where_it_stopped() {
        let dated: BTreeSet<Key> =
            (0..20).map(|no| Key::dated(day(no % 5), 20 - no.unsigned_abs())).collect();
        let numbers: Vec<u32> = (0..40).step_by(3).collect();
        let listed = |order, list: &dyn Fn(Page) -> Vec<Key>| {
            let all = list(Page { after: None, limit: 1, order });
            for (at, key) in all.iter().enumerate() {
                let rest = list(Page { after: Some(*key), limit: 1, order });
                assert_eq!(rest, all[at + 1..], "{order:?} after {key:?}");
            }
            all
        };
        for (up, down) in [(Order::Created, Order::CreatedDesc), (Order::Due, Order::DueDesc)] {
            for (from, until) in
                [(None, None), (Some(1), Some(3)), (Some(3), Some(1)), (Some(9), None)]
            {
                let bounds = (from.map(day), until.map(day));
                let lists: [&dyn Fn(Page) -> Vec<Key>; 3] = [
                    &|which| which.numbers(9).collect(),
                    &|which| which.among(&numbers).collect(),
                    &|which| which.between(&dated, bounds.0, bounds.1).collect(),
                ];
                for list in lists {
                    let mut there = listed(up, list);
                    there.reverse();
                    assert_eq!(listed(down, list), there);
                }
            }
        }
    }
}
