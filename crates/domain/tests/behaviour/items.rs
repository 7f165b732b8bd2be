//! Invoices, drafts and opening items share their ids: which commands take which of them.

use crate::scenario::*;
use encours_domain::commands::*;
use encours_domain::dunning::Channel;
use encours_domain::event::Direction;
use encours_domain::{Command, Reason};

fn update(name: &str) -> Command {
    UpdateDraft { invoice: invoice(name, 200) }.into()
}

fn delete(name: &str) -> Command {
    DeleteDraft { ledger_id: id("acme"), invoice_id: id(name) }.into()
}

fn opening(name: &str, direction: Direction) -> AddOpeningItem {
    AddOpeningItem {
        ledger_id: id("acme"),
        invoice_id: Some(id(name)),
        customer_id: id("dupont"),
        direction,
        amount: 100,
        paid: 0,
        currency: None,
        date: None,
        due_date: None,
        number: None,
        reference: None,
        sent_on: None,
    }
}

fn correct(name: &str) -> CorrectOpeningItem {
    CorrectOpeningItem {
        ledger_id: id("acme"),
        invoice_id: id(name),
        amount: Some(90),
        paid: None,
        currency: None,
        due_date: None,
        date: None,
    }
}

/// The commands about what a customer owes, all of which take an issued invoice.
fn about_claims(name: &str) -> Vec<Command> {
    let (ledger_id, invoice_id) = (|| id("acme"), || id(name));
    let (date, reason) = (None, String::new);
    vec![
        MarkSent { ledger_id: ledger_id(), invoice_id: invoice_id(), date }.into(),
        DisputeInvoice { ledger_id: ledger_id(), invoice_id: invoice_id(), date, reason: reason() }
            .into(),
        ResolveDispute { ledger_id: ledger_id(), invoice_id: invoice_id(), date }.into(),
        payment("q", 10, Put::Invoice(invoice_id())).into(),
        allocate(name, From::Anything, None).into(),
        deallocate_payment(name, "p", None).into(),
        StopReminders { ledger_id: ledger_id(), invoice_id: invoice_id(), reason: reason() }.into(),
        CancelPlannedPayment { ledger_id: ledger_id(), invoice_id: invoice_id() }.into(),
        PlanPayment {
            ledger_id: ledger_id(),
            invoice_id: invoice_id(),
            date: day("2026-02-01"),
            amount: None,
            currency: None,
        }
        .into(),
        RecordReminder {
            ledger_id: ledger_id(),
            target: ReminderTarget::Invoice(invoice_id()),
            level: 1,
            channel: Channel::Phone,
            date,
            text: String::new(),
        }
        .into(),
        RefundPayment {
            ledger_id: ledger_id(),
            payment_id: id("p"),
            invoice_id: Some(invoice_id()),
            amount: None,
            currency: None,
            method: None,
            date,
            reference: String::new(),
        }
        .into(),
    ]
}

fn crediting(name: &str) -> [Command; 2] {
    [cancel(name, true).into(), credit("c", name, 10, CreditUse::Keep).into()]
}

/// All of them are refused for this reason, in these words.
fn all_refused(s: &mut Scenario, commands: impl IntoIterator<Item = Command>, message: &str) {
    for command in commands {
        let name = command.name();
        let refusal = s.refuse(command);
        assert_eq!((refusal.reason, &*refusal.message), (Reason::WrongState, message), "{name}");
    }
}

#[test]
fn what_is_issued_is_no_draft() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 100));
    let commands = [update("a"), delete("a"), issue_draft("a").into()];
    all_refused(&mut s, commands, "invoice a is issued already");
    assert_eq!(s.reason(CreateDraft { invoice: invoice("a", 100) }), Reason::IdExists);
    assert_eq!(s.reason(correct("a")), Reason::WrongState);
}

#[test]
fn a_draft_is_neither_owed_nor_credited_nor_corrected() {
    let mut s = Scenario::new();
    s.accept(payment("p", 100, Put::Nothing));
    s.accept(CreateDraft { invoice: invoice("a", 100) });
    let commands = || about_claims("a").into_iter().chain(crediting("a"));
    let commands = || commands().chain([correct("a").into()]);
    all_refused(&mut s, commands(), "invoice a is a draft: issue it first");
    let part = ExplicitAllocation { invoice_id: id("a"), amount: 100 };
    let refusal = s.refuse(payment("q", 100, Put::Explicit(vec![part])));
    assert_eq!(refusal.reason, Reason::WrongState);
    assert_eq!(refusal.field, "allocations[0].invoice_id");
    let mut named = payment("named", 100, Put::Auto);
    named.reference = "DRAFT-1".into();
    s.accept(named);
    assert_eq!(s.figures("dupont"), (0, 0, 200), "a provisional number names nothing");
    assert_eq!(s.reason(invoice("a", 100)), Reason::IdExists);
    assert_eq!(s.reason(opening("a", Direction::Owed)), Reason::IdExists);
    s.accept(delete("a"));
    all_refused(&mut s, commands(), "invoice a is a deleted draft");
}

#[test]
fn an_opening_item_is_no_draft_and_is_corrected_not_credited() {
    let mut s = Scenario::new();
    for (name, direction) in [("owed", Direction::Owed), ("owing", Direction::Owing)] {
        s.accept(opening(name, direction));
        let commands = [update(name), delete(name), issue_draft(name).into()];
        all_refused(&mut s, commands, &format!("invoice {name} is an opening item"));
        let message = format!("invoice {name} is an opening item: correct it instead");
        all_refused(&mut s, crediting(name), &message);
        assert_eq!(s.reason(invoice(name, 100)), Reason::IdExists);
        assert_eq!(s.reason(CreateDraft { invoice: invoice(name, 100) }), Reason::IdExists);
    }
}

#[test]
fn an_opening_item_owing_is_a_credit_not_a_claim() {
    let mut s = Scenario::new();
    s.accept(payment("p", 100, Put::Nothing));
    s.accept(opening("owing", Direction::Owing));
    let message = "invoice owing is an opening item owing to the customer: it is a credit";
    all_refused(&mut s, about_claims("owing"), message);
    assert_eq!(s.figures("dupont"), (0, 0, 200));
}

/// The commands call their dates differently, and share the rules about them.
#[test]
fn a_refusal_of_a_date_names_it_as_the_command_does() {
    let mut s = Scenario::new();
    s.advance("2026-01-10");
    s.accept(invoice("a", 1_000));
    let early = Some(day("2026-01-09"));
    let field = |s: &mut Scenario, command: encours_domain::Command| s.refuse(command).field;
    let note = |issue_date| IssueCreditNote {
        issue_date,
        ..credit("c", "a", 1_000, CreditUse::OffsetThenKeep)
    };
    let cancelled = |date| CancelInvoice { date, ..cancel("a", false) };
    assert_eq!(field(&mut s, note(early).into()), "issue_date");
    assert_eq!(field(&mut s, cancelled(early).into()), "date");
    // The series allots no number after today.
    let late = Some(day("2026-01-11"));
    assert_eq!(field(&mut s, note(late).into()), "issue_date");
    assert_eq!(field(&mut s, cancelled(late).into()), "date");
    let back = AdvanceClock { ledger_id: id("acme"), to: day("2026-01-09"), outage: false };
    assert_eq!(field(&mut s, back.into()), "to");
}
