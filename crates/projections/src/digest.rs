//! The digest of the business facts: the same log gives the same digest on every machine, whether
//! the read model was folded from the start or came from a checkpoint.
//!
//! It is the SHA-256 of a text, `encours-digest-v2` and then one line for each clock, ledger,
//! customer, invoice, payment, credit note and fact of the history, in the order of their numbers,
//! fields apart by tabs. Texts go in as they are, dates as day numbers, amounts as minor units. How
//! far the log has been folded is no business fact: events of the log itself change nothing here.

use std::fmt::Write as _;

use encours_domain::Day;
use sha2::{Digest as _, Sha256};

use crate::counts::Totals;
use crate::fold::read_details;
use crate::heap::{Block, Heap};
use crate::model::{Ledger, Model, Root};
use crate::query::View;
use crate::read_model::ReadModel;
use crate::rows::{ClockRow, InvoiceFlags, LedgerRow, NONE};
use crate::tables::Tables;

/// The digest of the business facts. Shown as its version and 64 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(pub [u8; 32]);

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("encours-digest-v2:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl ReadModel {
    /// The digest of the business facts. It walks over everything, beside the fold: for checks, not
    /// for every request. Blocks, so call it off the async workers.
    #[must_use]
    pub fn digest(&self) -> View<Digest> {
        let View { position, value: facts } = self.view(Model::facts);
        View { position, value: facts.digest() }
    }
}

/// The business facts of a model, apart from it. It shares the pages, so that taking it is quick
/// and reading it needs no lock.
#[derive(Debug)]
pub(crate) struct Facts {
    root: Root,
    /// By number.
    ledgers: Vec<LedgerFacts>,
}

/// Those of a ledger.
#[derive(Debug)]
struct LedgerFacts {
    tables: Tables,
    totals: Totals,
}

/// Feeds lines to the hash.
struct Lines {
    hash: Sha256,
    line: String,
}

impl Lines {
    fn line(&mut self, fields: std::fmt::Arguments<'_>) {
        self.line.clear();
        // Writing to a string does not fail.
        let _ = writeln!(self.line, "{fields}");
        self.hash.update(self.line.as_bytes());
    }
}

fn text(heap: &Heap, block: Block, index: usize) -> std::borrow::Cow<'_, str> {
    heap.text(block, index).unwrap_or_default()
}

impl Model {
    pub(crate) fn facts(&self) -> Facts {
        let ledger = |ledger: &Ledger| LedgerFacts {
            tables: ledger.tables.clone(),
            totals: ledger.index.counts.totals(),
        };
        Facts { root: self.root.clone(), ledgers: self.ledgers.iter().map(ledger).collect() }
    }
}

impl Facts {
    pub(crate) fn digest(&self) -> Digest {
        let mut lines = Lines { hash: Sha256::new(), line: String::new() };
        lines.line(format_args!("encours-digest-v2"));
        for row in self.root.clocks.iter() {
            self.clock_row(row, &mut lines);
        }
        for row in self.root.days.iter() {
            let day = row.day.number();
            lines.line(format_args!("day\t{}\t{}\t{day}", row.position, row.clock));
        }
        for (row, ledger) in self.root.ledgers.iter().zip(&self.ledgers) {
            self.ledger_row(row, &mut lines);
            ledger.documents(&mut lines);
            ledger.customers(&mut lines);
            ledger.history(&mut lines);
        }
        Digest(lines.hash.finalize().into())
    }

    fn clock_row(&self, row: &ClockRow, lines: &mut Lines) {
        let heap = &self.root.heap;
        let (id, zone) = (text(heap, row.texts, 0), text(heap, row.texts, 1));
        let days = (row.today.number(), row.finished.number(), row.target.number());
        lines.line(format_args!("clock\t{id}\t{zone}\t{}\t{days:?}", row.test));
    }

    fn ledger_row(&self, row: &LedgerRow, lines: &mut Lines) {
        let text = |index| text(&self.root.heap, row.texts, index);
        let (id, name, invoices, notes) = (text(0), text(1), text(2), text(3));
        lines.line(format_args!(
            "ledger\t{id}\t{name:?}\t{}\t{}\t{:?}\t{:?}\t{invoices:?}\t{notes:?}\t{}",
            row.currency, row.clock, row.terms, row.plans, row.created
        ));
    }
}

impl LedgerFacts {
    fn customers(&self, lines: &mut Lines) {
        for row in self.tables.customers.iter() {
            let id = text(&self.tables.heap, row.texts, 0);
            lines.line(format_args!(
                "customer\t{id}\t{:?}\t{:?}\t{:?}\t{}\t{}",
                row.currency, row.terms, row.reminder, row.created, row.version
            ));
            for (_, limit) in self.tables.limits(row.limit) {
                let (currency, policy) = (limit.currency, limit.policy);
                lines.line(format_args!("limit\t{currency}\t{:?}\t{policy:?}", limit.limit));
            }
            for (kind, sealed) in read_details(&self.tables.heap, row.details) {
                lines.line(format_args!("detail\t{kind:?}\t{sealed:02x?}"));
            }
            for b in self.tables.balances(row.balance) {
                lines.line(format_args!(
                    "balance\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
                    b.currency,
                    b.opening,
                    b.invoiced,
                    b.credited,
                    b.collected,
                    b.refunded,
                    b.outstanding,
                    b.overdue,
                    b.unapplied
                ));
            }
        }
    }

    fn documents(&self, lines: &mut Lines) {
        let heap = &self.tables.heap;
        for row in self.tables.invoices.iter() {
            let text = |index| text(heap, row.texts, index);
            let (id, number, reference, words) = (text(0), text(1), text(2), text(3));
            let amounts = [row.total, row.left, row.credited, row.credit_noted];
            let amounts = (amounts, row.paid_before, row.over_limit);
            let due = row.due.map(|due| (due.date.number(), due.grace_days));
            let dates = (row.issue_date.map(Day::number), due, row.sent_on.map(Day::number));
            let mut flags = row.flags;
            flags.set(InvoiceFlags::CANCELLED, row.is_cancelled());
            lines.line(format_args!(
                "invoice\t{id}\t{number:?}\t{reference:?}\t{words:?}\t{}\t{}\t{amounts:?}\t{dates:?}\t{:?}",
                row.customer, row.currency, flags
            ));
            let planned = row.planned.map(|plan| (plan.amount, plan.remaining, plan.date.number()));
            let step = row.last_step.map(|e| (e.step, e.planned.number(), e.date.number()));
            let (level, content) = (row.level, row.content);
            lines.line(format_args!("follow-up\t{planned:?}\t{step:?}\t{level}\t{content}"));
            self.allocated(row.allocation, lines);
        }
        for row in self.tables.payments.iter() {
            let (id, reference) = (text(heap, row.texts, 0), text(heap, row.texts, 1));
            let amounts = (row.amount, row.unapplied, row.refunded, row.reversed);
            lines.line(format_args!(
                "payment\t{id}\t{reference:?}\t{}\t{}\t{amounts:?}\t{:?}\t{:?}\t{}",
                row.customer,
                row.currency,
                row.reversal,
                row.method,
                row.received_on.number()
            ));
            self.allocated(row.allocation, lines);
        }
        for row in self.tables.credit_notes.iter() {
            let (id, number) = (text(heap, row.texts, 0), text(heap, row.texts, 1));
            let amounts = (row.amount, row.unapplied);
            lines.line(format_args!(
                "credit note\t{id}\t{number:?}\t{}\t{}\t{}\t{amounts:?}\t{}",
                row.invoice,
                row.customer,
                row.currency,
                row.issue_date.number()
            ));
            self.allocated(row.allocation, lines);
        }
    }

    /// Allocations, the newest first.
    fn allocated(&self, newest: u32, lines: &mut Lines) {
        let mut at = newest;
        while let Some(row) = self.tables.allocations.get(at) {
            let date = row.date.number();
            lines.line(format_args!("allocation\t{}\t{}\t{date}", row.invoice, row.amount));
            at = row.next;
        }
    }

    fn history(&self, lines: &mut Lines) {
        for row in self.tables.history.iter() {
            let other = if row.other == NONE { -1 } else { i64::from(row.other) };
            lines.line(format_args!(
                "fact\t{}\t{:?}\t{}\t{other}\t{}\t{}",
                row.position,
                row.kind,
                row.item,
                row.amount,
                row.date.number()
            ));
        }
        for row in self.tables.corrections.iter() {
            let (position, day) = (row.position, row.date.number());
            let before = (row.before.date.number(), row.before.grace_days);
            lines.line(format_args!("correction\t{}\t{position}\t{day}\t{before:?}", row.invoice));
        }
        for row in self.tables.reminders.iter() {
            let (step, planned) = (row.step, row.planned.number());
            lines.line(format_args!(
                "reminder\t{step:?}\t{}\t{:?}\t{planned}",
                row.level, row.channel
            ));
        }
        lines.line(format_args!("totals\t{:?}", self.totals));
    }
}

#[cfg(test)]
mod tests {
    use encours_domain::event::WriterOpened;
    use encours_domain::number::{PaymentNo, Source};

    use crate::testing::Book;

    fn book() -> Book {
        let mut book = Book::new();
        book.customer();
        book.invoice(0, 100, 0, 10);
        book.payment(0, 500, 2);
        book.allocate(Source::Payment(PaymentNo(0)), 0, 100, 2);
        book.credit_note("EUR", 0, 0, 30, 0);
        book.open_day(11);
        book.overdue(0, 11);
        book
    }

    /// A change of this value is a change of the digest's version.
    #[test]
    fn the_digest_of_a_known_book_stays() {
        assert_eq!(
            book().model().digest().to_string(),
            "encours-digest-v2:41c10f6346b35efda6326e9630075e8f7d7f727dbe7d16f4a5c63e0447bbea47"
        );
    }

    #[test]
    fn every_fact_changes_it_and_the_log_does_not() {
        let digest = book().model().digest();
        let mut later = book();
        later.push(WriterOpened { epoch: 2 });
        assert_eq!(later.model().digest(), digest);
        for events in 1..book().events.len() {
            let mut shorter = book();
            shorter.events.truncate(events);
            assert_ne!(shorter.model().digest(), digest, "{events} events");
        }
    }
}
