//! Events become public events, each with its own name and body.

use std::collections::BTreeSet;
use std::sync::Arc;

use encours_domain::calendar::Calendar;
use encours_domain::dunning::{Channel, Policy, Step};
use encours_domain::event::{
    Allocated, ClockAdvanced, ClockCreated, CreditLimitExceeded, CreditLimitSet, CreditNoteIssued,
    CreditPolicy, CustomerCreated, CustomerReminderRecorded, CustomerUpdated, DayFinished,
    DayOpened, Deallocated, Direction, DisputeResolved, Draft, DraftCreated, DraftDeleted,
    DraftUpdated, InvoiceCancelled, InvoiceContent, InvoiceDisputed, InvoiceDue, InvoiceIssued,
    InvoiceOverdue, InvoicePaid, InvoiceReopened, InvoiceSent, LedgerCreated, LogCreated,
    LogForked, Method, OpeningItemAdded, OpeningItemCorrected, PaymentPlanned, PaymentRecorded,
    PaymentRefunded, PaymentReversed, PlannedPaymentCancelled, PlannedPaymentCleared,
    PlannedPaymentLapsed, ReminderEmitted, ReminderRecorded, RemindersStopped, ReversalKind,
    WriterOpened,
};
use encours_domain::terms::{DueTerms, Terms};
use encours_domain::{
    ClockNo, CreditNoteNo, Currency, CustomerNo, Day, Event, Id, InvoiceNo, LedgerNo, Micros,
    PaymentNo, Position, Source,
};
use encours_proto::events::{
    EVENT_NAMES, Envelope, InvoiceName, Names, SourceName, event_name, public_event,
};
use encours_proto::v1;
use encours_proto::v1::public_event::Body;

const LEDGER: LedgerNo = LedgerNo(3);
const INVOICE: InvoiceNo = InvoiceNo(5);

struct Known;

fn id(text: &str) -> Option<Id> {
    Id::parse("id", text).ok()
}

fn eur() -> Currency {
    Currency::parse("currency", "EUR").unwrap()
}

fn day() -> Day {
    Day::from_ymd(2026, 1, 5).unwrap()
}

impl Names for Known {
    fn clock(&self, _: ClockNo) -> Option<Id> {
        id("clock")
    }
    fn ledger(&self, ledger: LedgerNo) -> Option<Id> {
        (ledger == LEDGER).then(|| id("acme"))?
    }
    fn customer(&self, _: LedgerNo, _: CustomerNo) -> Option<Id> {
        id("ada")
    }
    fn invoice(&self, _: LedgerNo, invoice: InvoiceNo) -> Option<InvoiceName> {
        (invoice == INVOICE).then(|| InvoiceName {
            id: id("F5").unwrap(),
            number: "INV-5".into(),
            customer_id: id("ada").unwrap(),
            currency: eur(),
            total: 10_000,
            due: Some(DueTerms { date: day(), grace_days: 3 }),
        })
    }
    fn payment(&self, _: LedgerNo, _: PaymentNo) -> Option<SourceName> {
        source("P1")
    }
    fn credit_note(&self, _: LedgerNo, _: CreditNoteNo) -> Option<SourceName> {
        source("C1")
    }
}

fn source(name: &str) -> Option<SourceName> {
    Some(SourceName { id: id(name)?, customer_id: id("ada")?, currency: eur() })
}

fn events_of_time() -> Vec<Event> {
    let (clock, on_time, test) = (ClockNo(1), true, true);
    let created =
        ClockCreated { clock, id: id("clock").unwrap(), test, zone: "UTC".into(), day: day() };
    vec![
        LogCreated { log_id: [7; 16] }.into(),
        WriterOpened { epoch: 2 }.into(),
        LogForked { log_id: [7; 16], frame: 3, frame_hash: [9; 32], position: Position(8) }.into(),
        created.into(),
        ClockAdvanced { clock, target: day(), outage: true }.into(),
        DayOpened { clock, day: day(), on_time }.into(),
        DayFinished { clock, day: day() }.into(),
    ]
}

fn events_of_invoices() -> Vec<Event> {
    let (ledger, invoice, date, open) = (LEDGER, INVOICE, day(), 4_000);
    let issued = InvoiceIssued {
        ledger,
        invoice,
        id: id("F5").unwrap(),
        customer: CustomerNo(0),
        number: "INV-5".into(),
        allotted: true,
        currency: eur(),
        total: 10_000,
        issue_date: date,
        due: DueTerms { date, grace_days: 3 },
        reference: "RF".into(),
        content: Arc::default(),
    };
    vec![
        issued.into(),
        InvoiceSent { ledger, invoice, date }.into(),
        InvoiceDisputed { ledger, invoice, date, reason: "late".into() }.into(),
        DisputeResolved { ledger, invoice, date }.into(),
        InvoiceDue { ledger, invoice, date, open }.into(),
        InvoiceOverdue { ledger, invoice, date, open }.into(),
        InvoicePaid { ledger, invoice, date }.into(),
        InvoiceReopened { ledger, invoice, date, open }.into(),
        InvoiceCancelled { ledger, invoice, date }.into(),
    ]
}

fn events_of_accounts() -> Vec<Event> {
    let (ledger, invoice, date, customer) = (LEDGER, INVOICE, day(), CustomerNo(0));
    let (currency, terms, payment) = (None, Some(Terms::OnReceipt), PaymentNo(0));
    let credit_note = CreditNoteNo(0);
    let ledger_created = LedgerCreated {
        ledger,
        id: id("acme").unwrap(),
        name: "Acme".into(),
        currency: eur(),
        clock: ClockNo(1),
        terms: Terms::DEFAULT,
        invoice_pattern: "I{seq:5}".into(),
        credit_note_pattern: "C{seq:5}".into(),
        calendar: Calendar::France,
        reminders: Policy::ThreeCases,
    };
    let (ada, details) = (id("ada").unwrap(), Vec::new());
    let created =
        CustomerCreated { ledger, customer, id: ada, currency, terms, details: details.clone() };
    let recorded = PaymentRecorded {
        ledger,
        payment,
        id: id("P1").unwrap(),
        customer,
        currency: eur(),
        amount: 6_000,
        method: Method::Cheque,
        received_on: date,
        reference: "".into(),
    };
    let kind = ReversalKind::Bounced;
    let issued = CreditNoteIssued {
        ledger,
        credit_note,
        id: id("C1").unwrap(),
        invoice,
        customer,
        number: "C1".into(),
        allotted: false,
        currency: eur(),
        amount: 1,
        issue_date: date,
        reason: "".into(),
    };
    let (amount, open_after, unapplied_after) = (6_000, 4_000, 0);
    let source = Source::Payment(payment);
    let made = Allocated { ledger, source, invoice, amount, date, open_after, unapplied_after };
    let source = Source::CreditNote(credit_note);
    let undone = Deallocated { ledger, source, invoice, amount, date, open_after, unapplied_after };
    vec![
        ledger_created.into(),
        created.into(),
        CustomerUpdated { ledger, customer, currency, terms, details }.into(),
        recorded.into(),
        PaymentReversed { ledger, payment, kind, amount, date }.into(),
        issued.into(),
        made.into(),
        undone.into(),
    ]
}

fn events_of_items() -> Vec<Event> {
    let (ledger, invoice, date, customer) = (LEDGER, INVOICE, day(), CustomerNo(0));
    let (f5, due) = (id("F5").unwrap(), DueTerms { date, grace_days: 0 });
    let draft = Arc::new(Draft {
        customer,
        currency: eur(),
        total: 10_000,
        number: None,
        issue_date: None,
        due: None,
        reference: None,
        content: InvoiceContent::default(),
    });
    let added = OpeningItemAdded {
        ledger,
        invoice,
        id: f5.clone(),
        customer,
        number: "OLD-5".into(),
        direction: Direction::Owed,
        currency: eur(),
        amount: 10_000,
        paid: 1_000,
        date,
        due,
        reference: "RF".into(),
        sent_on: None,
    };
    let (amount, paid, left_after, not_overdue) = (9_000, 1_000, 8_000, true);
    let corrected =
        OpeningItemCorrected { ledger, invoice, amount, paid, due, date, left_after, not_overdue };
    let (payment, method, unapplied_after) = (PaymentNo(0), Method::Card, 500);
    let reference = Arc::from("back");
    let refunded =
        PaymentRefunded { ledger, payment, amount, method, date, reference, unapplied_after };
    vec![
        DraftCreated { ledger, invoice, id: f5, draft: Arc::clone(&draft) }.into(),
        DraftUpdated { ledger, invoice, draft }.into(),
        DraftDeleted { ledger, invoice }.into(),
        added.into(),
        corrected.into(),
        refunded.into(),
    ]
}

fn events_of_follow_up() -> Vec<Event> {
    let (ledger, invoice, date, customer) = (LEDGER, INVOICE, day(), CustomerNo(0));
    let (limit, exposure, overridden) = (5_000, 7_500, true);
    let (level, channel, text): (u8, Channel, Arc<str>) = (2, Channel::Letter, "please".into());
    let (amount, planned_for) = (2_000, day());
    let emitted = ReminderEmitted {
        ledger,
        invoice,
        step: Step::Overdue(2),
        level,
        channel: Channel::Email,
        template: "overdue-2".into(),
        planned: date,
        date,
        open: 4_000,
    };
    let set = |limit| CreditLimitSet {
        ledger,
        customer,
        currency: eur(),
        limit,
        policy: CreditPolicy::Refuse,
    };
    let said =
        CustomerReminderRecorded { ledger, customer, level, channel, date, text: text.clone() };
    vec![
        set(Some(limit)).into(),
        said.into(),
        CreditLimitExceeded { ledger, invoice, customer, limit, exposure, overridden }.into(),
        PaymentPlanned { ledger, invoice, amount, planned_for, date }.into(),
        PlannedPaymentCancelled { ledger, invoice, date }.into(),
        PlannedPaymentCleared { ledger, invoice, date }.into(),
        PlannedPaymentLapsed { ledger, invoice, date }.into(),
        emitted.into(),
        ReminderRecorded { ledger, invoice, level, channel, date, text: text.clone() }.into(),
        RemindersStopped { ledger, invoice, date, reason: text }.into(),
    ]
}

fn envelope() -> Envelope<'static> {
    Envelope {
        log_id: "07",
        position: Position(9),
        recorded_at: Micros(1_500_000),
        actor: "eve",
        reason: "why",
        request_id: "r1",
    }
}

#[test]
fn every_event_has_a_public_form_of_its_own_name() {
    let events = [events_of_time(), events_of_invoices(), events_of_accounts(), events_of_items()];
    let events = events.into_iter().flatten().chain(events_of_follow_up());
    let mut names = BTreeSet::new();
    for event in events {
        let public = public_event(envelope(), &event, &Known).unwrap();
        assert_eq!(public.event, event_name(&event));
        assert!(public.event.starts_with(&format!("{}.", public.entity)), "{public:?}");
        assert_eq!(public.ledger_id.is_empty(), event.ledger().is_none(), "{public:?}");
        // The field of the body is named like the event.
        let body = format!("{:?}", public.body.unwrap());
        let variant: String = public.event.split(['.', '_']).map(capital).collect();
        assert!(body.starts_with(&format!("{variant}(")), "{variant}: {body}");
        assert!(names.insert(public.event), "twice");
    }
    let known: BTreeSet<String> = EVENT_NAMES.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(names, known);
    assert!(EVENT_NAMES.is_sorted());
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[test]
fn a_public_event_says_who_what_and_how_much() {
    let event = events_of_accounts().swap_remove(6);
    let public = public_event(envelope(), &event, &Known).unwrap();
    assert_eq!((public.actor.as_str(), public.reason.as_str()), ("eve", "why"));
    assert_eq!((public.position, public.request_id.as_str()), (9, "r1"));
    let recorded_at = prost_types::Timestamp { seconds: 1, nanos: 500_000_000 };
    assert_eq!(public.recorded_at, Some(recorded_at));
    assert_eq!((public.ledger_id.as_str(), public.customer_id.as_str()), ("acme", "ada"));
    let Some(Body::AllocationMade(made)) = public.body else { panic!() };
    let euros = |units| Some(v1::Money { currency_code: "EUR".into(), units, nanos: 0 });
    assert_eq!((made.amount, made.open_after), (euros(60), euros(40)));
    assert_eq!(made.source, Some(v1::allocation_made::Source::PaymentId("P1".into())));
    assert_eq!((made.invoice_id.as_str(), made.number.as_str()), ("F5", "INV-5"));
}

#[test]
fn a_reminder_says_all_that_is_needed_to_send_it() {
    let event = events_of_follow_up().swap_remove(7);
    let public = public_event(envelope(), &event, &Known).unwrap();
    assert_eq!(public.customer_id, "ada");
    let Some(Body::ReminderEmitted(emitted)) = public.body else { panic!() };
    assert_eq!((emitted.invoice_id.as_str(), emitted.number.as_str()), ("F5", "INV-5"));
    assert_eq!(emitted.step, i32::from(v1::ReminderStep::Overdue));
    assert_eq!((emitted.level, emitted.template.as_str()), (2, "overdue-2"));
    assert_eq!(emitted.channel, i32::from(v1::ReminderChannel::Email));
    let euros = |units| Some(v1::Money { currency_code: "EUR".into(), units, nanos: 0 });
    assert_eq!((emitted.open, emitted.total), (euros(40), euros(100)));
    let date = Some(v1::Date { year: 2026, month: 1, day: 5 });
    assert_eq!((emitted.due_date, emitted.date, emitted.planned_date), (date, date, date));
}

#[test]
fn items_tell_what_their_events_say_not_what_is_known_of_them_now() {
    let told = |at: usize| {
        let event = events_of_items().swap_remove(at);
        public_event(envelope(), &event, &Known).unwrap().body.unwrap()
    };
    let Body::DraftCreated(draft) = told(0) else { panic!() };
    assert_eq!((draft.number.as_str(), draft.issue_date, draft.due_date), ("", None, None));
    let Body::OpeningItemAdded(added) = told(3) else { panic!() };
    assert_eq!(added.number, "OLD-5");
    assert_eq!(added.due_date, Some(v1::Date { year: 2026, month: 1, day: 5 }));
    let Body::OpeningItemCorrected(corrected) = told(4) else { panic!() };
    assert!(corrected.not_overdue);
    assert_eq!(corrected.left_after.unwrap().units, 80);
}

#[test]
fn a_limit_that_is_lifted_has_no_policy() {
    let mut event = events_of_follow_up().swap_remove(0);
    let Event::CreditLimitSet(set) = &mut event else { panic!() };
    set.limit = None;
    let public = public_event(envelope(), &event, &Known).unwrap();
    let Some(Body::CustomerCreditLimitSet(lifted)) = public.body else { panic!() };
    assert_eq!((lifted.limit, lifted.policy), (None, 0));
    assert_eq!(lifted.currency_code, "EUR");
}

#[test]
fn an_opening_item_is_a_source_of_its_own() {
    let source = Source::Opening(INVOICE);
    let (amount, open_after, unapplied_after) = (6_000, 4_000, 0);
    let (ledger, invoice, date) = (LEDGER, INVOICE, day());
    let made = Allocated { ledger, source, invoice, amount, date, open_after, unapplied_after };
    let body = public_event(envelope(), &made.into(), &Known).unwrap().body;
    let Some(Body::AllocationMade(made)) = body else { panic!() };
    assert_eq!(made.source, Some(v1::allocation_made::Source::OpeningItemId("F5".into())));
}

#[test]
fn an_event_about_the_unknown_is_not_told() {
    let due = InvoiceDue { ledger: LEDGER, invoice: InvoiceNo(6), date: day(), open: 1 };
    assert_eq!(public_event(envelope(), &due.into(), &Known), None);
    let elsewhere = InvoiceDue { ledger: LedgerNo(4), invoice: INVOICE, date: day(), open: 1 };
    assert_eq!(public_event(envelope(), &elsewhere.into(), &Known), None);
}
