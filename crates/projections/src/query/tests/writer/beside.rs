//! The read model beside the writer: all of it, after random commands.

use std::collections::BTreeSet;

use encours_domain::balance::Balance;
use encours_domain::event::CreditPolicy;
use encours_domain::number::{CreditNoteNo, CustomerNo, InvoiceNo, PaymentNo, Subject};
use encours_domain::resource::Resource;
use encours_domain::{Day, Event};

use super::Writer;
use crate::CreditVerdict;
use crate::checkpoint::Checkpoint;
use crate::query::tests::past::compare_pasts;
use crate::query::tests::{NOW, all};
use crate::read_model::ReadModel;
use crate::testing::{LEDGER, currency, seeds};

impl Writer {
    /// Every resource of the ledger, as the writer shows it and as the read model does.
    fn compare(&self, read: &ReadModel, repeat: &str) {
        let ledger = self.state.rows().ledger(LEDGER).unwrap();
        let shown = |subject| self.state.resource(subject).unwrap();
        let found = Resource::Ledger(read.ledger("acme").value.unwrap());
        assert_eq!(found, shown(Subject::Ledger(LEDGER)), "{repeat}");
        for (no, row) in (0..).zip(ledger.customers.iter()) {
            let found = read.customer(LEDGER, row.id.as_str(), NOW).value.unwrap();
            let wanted = shown(Subject::Customer(LEDGER, CustomerNo(no)));
            assert_eq!(Resource::Customer(found), wanted, "{repeat}");
        }
        for (no, row) in (0..).zip(ledger.invoices.iter()) {
            let found = read.invoice(LEDGER, row.id.as_str()).value.unwrap();
            let wanted = shown(Subject::Invoice(LEDGER, InvoiceNo(no)));
            assert_eq!(Resource::Invoice(found), wanted, "{repeat}");
        }
        for (no, row) in (0..).zip(ledger.payments.iter()) {
            let found = read.payment(LEDGER, row.id.as_str()).value.unwrap();
            let wanted = shown(Subject::Payment(LEDGER, PaymentNo(no)));
            assert_eq!(Resource::Payment(found), wanted, "{repeat}");
        }
        for (no, row) in (0..).zip(ledger.credit_notes.iter()) {
            let found = read.credit_note(LEDGER, row.id.as_str()).value.unwrap();
            let wanted = shown(Subject::CreditNote(LEDGER, CreditNoteNo(no)));
            assert_eq!(Resource::CreditNote(found), wanted, "{repeat}");
        }
    }

    /// The exposure of every customer, and what the writer would decide of an invoice.
    fn compare_credit(&self, read: &ReadModel, repeat: &str) {
        for row in self.state.rows().ledger(LEDGER).unwrap().customers.iter() {
            for code in ["EUR", "USD"] {
                let code = currency(code);
                let check = read.check_credit(LEDGER, row.id.as_str(), code, 100).value.unwrap();
                let balance = row.balances.iter().find(|balance| balance.currency == code);
                let exposure = balance.map_or(0, Balance::net);
                let limit = row.credit_limits.iter().find(|limit| limit.currency == code);
                assert_eq!(check.exposure, exposure, "{repeat}");
                assert_eq!(check.exposure_after, exposure + 100, "{repeat}");
                assert_eq!(check.limit, limit.map(|limit| limit.limit), "{repeat}");
                let passed = limit.filter(|limit| limit.limit < exposure + 100);
                let verdict = match passed.map(|limit| limit.policy) {
                    None | Some(CreditPolicy::Allow) => CreditVerdict::Allowed,
                    Some(CreditPolicy::Warn) => CreditVerdict::Warned,
                    Some(CreditPolicy::Refuse) => CreditVerdict::Refused,
                };
                assert_eq!(check.verdict, verdict, "{repeat}");
            }
        }
    }

    /// The next reminders are those of the invoices.
    fn compare_reminders(&self, read: &ReadModel, repeat: &str) {
        let mut wanted = BTreeSet::new();
        for row in self.state.rows().ledger(LEDGER).unwrap().invoices.iter() {
            let invoice = read.invoice(LEDGER, row.id.as_str()).value.unwrap();
            let plan = read.reminder_plan(LEDGER, row.id.as_str()).value.unwrap();
            let emitted = plan.sent.iter().rev().find_map(|sent| Some((sent.step?, sent.date)));
            assert_eq!(emitted, invoice.last_reminder.map(|last| (last.step, last.date)));
            if let Some(next) = invoice.next_reminder {
                assert_eq!(plan.to_come.first(), Some(&next), "{repeat}");
                wanted.insert((next.date, invoice.no.0));
            }
        }
        let next = all(3, |page| read.upcoming_reminders(LEDGER, Day::MAX, page).value);
        let next: Vec<_> = next.iter().map(|r| (r.next.date, r.invoice.no.0)).collect();
        assert_eq!(next, wanted.into_iter().collect::<Vec<_>>(), "{repeat}");
    }
}

fn repeat(seed: u64, test: &str) -> String {
    format!("ENCOURS_SEED={seed} cargo test -p encours-projections {test}")
}

#[test]
fn the_read_model_shows_what_the_writer_does() {
    let mut seen = BTreeSet::new();
    let seeds = seeds(16);
    let one = seeds.len() == 1;
    for seed in seeds {
        let repeat = repeat(seed, "the_read_model_shows");
        let mut writer = Writer::new(seed, false);
        for round in 0..2 {
            (0..110).for_each(|_| writer.step());
            let read = writer.book.read();
            writer.compare(&read, &format!("{repeat}, round {round}"));
            writer.compare_credit(&read, &repeat);
            writer.compare_reminders(&read, &repeat);
            read.stop();
        }
        let read = writer.book.read();
        compare_pasts(&read, &writer.book, &mut writer.random, &repeat);
        read.stop();
        seen.extend(writer.book.events.iter().map(Event::name));
    }
    for name in EVENTS {
        assert!(one || seen.contains(name), "no {name} in any book");
    }
}

#[test]
fn a_start_from_a_checkpoint_shows_the_same() {
    for seed in seeds(4) {
        let repeat = repeat(seed, "a_start_from_a_checkpoint");
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::new(seed, true);
        (0..150).for_each(|_| writer.step());
        writer.book.read_from(Some(Checkpoint::load(dir.path()))).stop();
        (0..50).for_each(|_| writer.step());
        (0..2).for_each(|_| writer.advance(40));
        let checkpoint = Checkpoint::load(dir.path());
        assert!(checkpoint.known().is_some(), "{repeat}");
        let read = writer.book.read_from(Some(checkpoint));
        assert_eq!(read.health().rebuilt, None, "{repeat}");
        assert_eq!(read.digest().value, writer.book.model().digest(), "{repeat}");
        writer.compare(&read, &repeat);
        writer.compare_reminders(&read, &repeat);
        read.stop();
    }
}

/// The events of a ledger.
const EVENTS: [&str; 32] = [
    "CreditLimitSet",
    "CustomerReminderRecorded",
    "DraftCreated",
    "DraftUpdated",
    "DraftDeleted",
    "InvoiceIssued",
    "CreditLimitExceeded",
    "OpeningItemAdded",
    "OpeningItemCorrected",
    "PaymentPlanned",
    "PlannedPaymentCancelled",
    "PlannedPaymentCleared",
    "PlannedPaymentLapsed",
    "ReminderEmitted",
    "ReminderRecorded",
    "RemindersStopped",
    "InvoiceSent",
    "InvoiceDisputed",
    "DisputeResolved",
    "InvoiceDue",
    "InvoiceOverdue",
    "InvoicePaid",
    "InvoiceReopened",
    "InvoiceCancelled",
    "PaymentRecorded",
    "PaymentReversed",
    "PaymentRefunded",
    "CreditNoteIssued",
    "Allocated",
    "Deallocated",
    "CustomerCreated",
    "DayFinished",
];

#[test]
fn facts_dated_ahead_count_for_credit_at_once_and_for_the_rest_on_their_day() {
    for seed in seeds(16) {
        let repeat = repeat(seed, "facts_dated_ahead");
        let mut writer = Writer::new(seed, true);
        (0..150).for_each(|_| writer.step());
        let read = writer.book.read();
        writer.compare_credit(&read, &repeat);
        compare_pasts(&read, &writer.book, &mut writer.random, &repeat);
        read.stop();
        // Every fact has its day behind it.
        (0..2).for_each(|_| writer.advance(40));
        let read = writer.book.read();
        writer.compare(&read, &repeat);
        writer.compare_credit(&read, &repeat);
        read.stop();
    }
}
