//! Ledgers and clocks.

use encours_domain::calendar::Calendar;
use encours_domain::commands::{AdvanceClock, CreateLedger, Time};
use encours_domain::dunning::Policy;
use encours_domain::{Currency, Refusal, resource};

use crate::command::optional_id;
use crate::money::terms_message;
use crate::money::{
    date_message, day, missing, optional, optional_day, optional_terms, unknown_word,
};
use crate::{command::id, v1};

pub(crate) fn create_ledger(request: v1::CreateLedgerRequest) -> Result<CreateLedger, Refusal> {
    if request.currency_code.is_empty() {
        return Err(missing("currency_code"));
    }
    if request.time_zone.is_empty() {
        return Err(missing("time_zone"));
    }
    Ok(CreateLedger {
        ledger_id: optional_id("ledger_id", &request.ledger_id)?,
        name: request.name,
        currency: Currency::parse("currency_code", &request.currency_code)?,
        time_zone: request.time_zone,
        time: match request.test_clock {
            None => Time::System,
            Some(clock) => Time::Test {
                clock_id: optional_id("clock_id", &clock.clock_id)
                    .map_err(|refusal| refusal.within("test_clock"))?,
                start: optional_day("test_clock.start_date", clock.start_date)?,
            },
        },
        terms: optional_terms("terms", request.terms)?,
        invoice_pattern: optional(request.invoice_number_pattern),
        credit_note_pattern: optional(request.credit_note_number_pattern),
        calendar: named("calendar_id", &request.calendar_id, Calendar::by_id, || {
            Calendar::ALL.iter().map(|calendar| calendar.id()).collect()
        })?,
        reminders: named("reminder_policy_id", &request.reminder_policy_id, Policy::by_id, || {
            Policy::ALL.iter().map(|policy| policy.id()).collect()
        })?,
    })
}

/// What `field` names by an id; the default where it is left out.
fn named<T: Default>(
    field: &str,
    id: &str,
    by_id: impl Fn(&str) -> Option<T>,
    known: impl Fn() -> Vec<&'static str>,
) -> Result<T, Refusal> {
    if id.is_empty() {
        return Ok(T::default());
    }
    by_id(id).ok_or_else(|| unknown_word(field, id, &known()))
}

pub(crate) fn advance_clock(request: &v1::AdvanceClockRequest) -> Result<AdvanceClock, Refusal> {
    Ok(AdvanceClock {
        ledger_id: id("ledger_id", &request.ledger_id)?,
        to: day("to", request.to.ok_or_else(|| missing("to"))?)?,
        outage: request.outage,
    })
}

/// Writes a ledger.
#[must_use]
pub fn ledger_message(ledger: &resource::Ledger) -> v1::Ledger {
    v1::Ledger {
        ledger_id: ledger.id.to_string(),
        name: ledger.name.to_string(),
        currency_code: ledger.currency.code().to_owned(),
        clock: Some(clock_message(&ledger.clock)),
        terms: Some(terms_message(ledger.terms)),
        invoice_number_pattern: ledger.invoice_pattern.to_string(),
        credit_note_number_pattern: ledger.credit_note_pattern.to_string(),
        customer_count: ledger.customers,
        invoice_count: ledger.invoices,
        payment_count: ledger.payments,
        credit_note_count: ledger.credit_notes,
        created_position: ledger.created.0,
        version: ledger.version.0,
        calendar_id: ledger.calendar.id().to_owned(),
        reminder_policy_id: ledger.reminders.id().to_owned(),
        // Only who keeps several logs can tell.
        log: String::new(),
    }
}

/// Writes a clock.
#[must_use]
pub fn clock_message(clock: &resource::Clock) -> v1::Clock {
    v1::Clock {
        clock_id: clock.id.to_string(),
        test: clock.test,
        time_zone: clock.zone.to_string(),
        today: Some(date_message(clock.today)),
        finished: Some(date_message(clock.finished)),
        target: Some(date_message(clock.target)),
    }
}
