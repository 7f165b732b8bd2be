//! The reminder that goes out about an invoice: on a day that is run, or at once with a command
//! that starts or resumes its plan.

use crate::dunning;
use crate::event::{Event, ReminderEmitted};
use crate::number::InvoiceNo;
use crate::position::Day;
use crate::state::{Clock, Invoice, Ledger};

/// The step of the plan of `row`, the invoice as it is then, that goes out on a day.
///
/// A dispute holds the plan from when it is told, also where it is dated later: whoever knows of it
/// does not remind. One that ends on a day to come holds it until that day.
pub(super) fn on(ledger: &Ledger, invoice: InvoiceNo, row: &Invoice, day: Day) -> Option<Event> {
    if !row.is_reminded() || row.resolved_on.is_some_and(|resolved| resolved > day) {
        return None;
    }
    let facts = row.dunning_facts();
    let planned = dunning::emission(ledger.reminders, ledger.calendar, &facts, day)?;
    let open = Some(row.open_on(day)).filter(|open| *open > 0)?;
    let event = ReminderEmitted {
        ledger: ledger.no,
        invoice,
        step: planned.step,
        level: planned.step.level(),
        channel: planned.channel,
        template: planned.step.template().into(),
        planned: planned.date,
        date: day,
        open,
    };
    Some(event.into())
}

/// What goes out today with a command that leaves the invoice as `row`. After downtime nothing
/// does until a day is opened on time: that day tells the latest step.
pub(super) fn at_once(
    clock: &Clock,
    ledger: &Ledger,
    invoice: InvoiceNo,
    row: &Invoice,
) -> Option<Event> {
    clock.is_on_time(clock.today).then(|| on(ledger, invoice, row, clock.today)).flatten()
}
