//! What an allocation does to the row of an invoice; the decision and the rows share it.

use crate::number::Source;
use crate::position::Day;
use crate::state::{Invoice, InvoiceAllocation, spells};

impl Invoice {
    /// What a source has on this invoice.
    #[must_use]
    pub fn allocated_from(&self, source: Source) -> i64 {
        self.allocations.iter().filter(|a| a.source == source).map(|a| a.amount).sum()
    }

    /// The latest day of the allocations that taking `amount` of a source off would touch.
    pub(super) fn last_of(&self, source: Source, amount: i64) -> Day {
        let own = self.allocations.iter().rev().filter(|a| a.source == source);
        let touched = own.scan(amount, |left, allocation| {
            let touched = (*left > 0).then_some(allocation.date);
            *left -= allocation.amount;
            touched
        });
        touched.max().unwrap_or(self.issue_date)
    }

    /// Puts `amount` of a source on from a day on.
    pub(crate) fn put_on(&mut self, source: Source, amount: i64, date: Day) {
        self.open -= amount;
        self.allocations.push(InvoiceAllocation { source, amount, date });
        if let (Some(planned), Source::Payment(_)) = (&mut self.planned, source) {
            planned.remaining = (planned.remaining - amount).max(0);
        }
    }

    /// Takes `amount` of a source off on a day, the newest allocations first.
    pub(crate) fn take_off(&mut self, source: Source, amount: i64, date: Day) -> TakenOff {
        let mut left = amount;
        let mut parts = Vec::new();
        for allocation in self.allocations.iter_mut().rev() {
            if allocation.source == source && left > 0 {
                let part = allocation.amount.min(left);
                allocation.amount -= part;
                left -= part;
                parts.push((allocation.date, part));
            }
        }
        assert_eq!(left, 0, "what is taken off was allocated");
        for (from, amount) in &parts {
            spells::note(&mut self.spells, *from, date, *amount);
        }
        self.allocations.retain(|allocation| allocation.amount > 0);
        self.open += amount;
        if let (Some(planned), Source::Payment(_)) = (&mut self.planned, source) {
            planned.remaining = (planned.remaining + amount).min(planned.amount);
        }
        let gone = !self.allocations.iter().any(|allocation| allocation.source == source);
        TakenOff { parts, gone }
    }
}

/// What came off an invoice.
pub(crate) struct TakenOff {
    /// The days from which it had counted, and the amounts.
    pub(crate) parts: Vec<(Day, i64)>,
    /// Whether nothing of the source is left on the invoice.
    pub(crate) gone: bool,
}
