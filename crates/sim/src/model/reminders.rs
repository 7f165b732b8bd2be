//! What is told of reminders, plans and credit limits: each event is expected before it is
//! recorded, and none that is expected may be missing.

use encours_domain::commands::Command;
use encours_domain::dunning::{Channel, Step};
use encours_domain::event::ReminderEmitted;
use encours_domain::{Day, Event};

use super::facts::{Book, StepOut};
use super::{Model, View};

impl Model {
    /// Whether reminders go out on a day: neither it nor a later one opened late.
    fn is_on_time(&self, clock: usize, day: Day) -> bool {
        self.clocks[clock].late.is_none_or(|late| late < day)
    }

    /// Checks and records what the events of a command say of reminders and planned payments,
    /// once its other facts are recorded.
    pub(super) fn follow(&mut self, command: &Command, events: &[Event]) -> Result<(), String> {
        let run = match command {
            Command::RunDay(c) => Some(c.day),
            _ => None,
        };
        for (at, event) in events.iter().enumerate() {
            match event {
                Event::ReminderEmitted(e) => {
                    let rest = &events[at + 1..];
                    self.remind(command, e, run, rest)?;
                }
                Event::PlannedPaymentLapsed(e) => {
                    let row = &mut self.books[e.ledger.0 as usize].invoices[e.invoice.0 as usize];
                    let expected = row.planned.take().and_then(|planned| planned.date.plus(1));
                    if expected != Some(e.date) || run.is_none() {
                        return Err(format!("{event:?}, expected on {expected:?}"));
                    }
                }
                _ => {}
            }
        }
        for event in events {
            self.nothing_missing(command, event)?;
        }
        Ok(())
    }

    fn remind(
        &mut self,
        command: &Command,
        e: &ReminderEmitted,
        run: Option<Day>,
        rest: &[Event],
    ) -> Result<(), String> {
        let (at, invoice) = (e.ledger.0 as usize, e.invoice.0 as usize);
        let (clock, today) = (self.books[at].clock, self.today(at));
        let day = run.unwrap_or(today);
        let book = &mut self.books[at];
        let expected = book.step_on(invoice, day);
        let open = book.open(invoice, View::as_of(day));
        let (level, template) = text_of(e.step);
        let fits = expected == Some((e.step, e.planned))
            && (e.date, e.level, &*e.template, e.channel) == (day, level, template, Channel::Email)
            && i128::from(e.open) == open;
        if !fits {
            return Err(format!("{e:?}: expected {expected:?} with {open} open on {day}"));
        }
        let (planned, step) = (e.planned, e.step);
        book.steps.push(StepOut { invoice, step, planned, date: day });
        book.invoices[invoice].level = book.invoices[invoice].level.max(level);
        if rest.iter().any(|event| about(event) == Some((at, invoice))) {
            return Err(format!("{e:?} is not the last event about its invoice"));
        }
        if !self.is_on_time(clock, day) {
            return Err(format!("{e:?}: {day} was opened late"));
        }
        let allowed = matches!(
            command,
            Command::MarkSent(_)
                | Command::ResolveDispute(_)
                | Command::AddOpeningItem(_)
                | Command::CorrectOpeningItem(_)
                | Command::Deallocate(_)
                | Command::ReversePayment(_)
                | Command::RefundPayment(_)
                | Command::CancelInvoice(_)
        );
        if run.is_none() && !allowed {
            return Err(format!("{e:?}: not by this command"));
        }
        Ok(())
    }

    /// What starts or resumes a plan leaves no step behind, and neither does a day.
    fn nothing_missing(&self, command: &Command, event: &Event) -> Result<(), String> {
        let (at, invoice) = match event {
            Event::DayFinished(e) => return self.nothing_left(e.clock.0 as usize, e.day),
            Event::InvoiceSent(e) => (e.ledger.0, e.invoice.0),
            Event::DisputeResolved(e) => (e.ledger.0, e.invoice.0),
            Event::InvoiceReopened(e) => (e.ledger.0, e.invoice.0),
            Event::OpeningItemAdded(e) => (e.ledger.0, e.invoice.0),
            Event::OpeningItemCorrected(e) => (e.ledger.0, e.invoice.0),
            _ => return Ok(()),
        };
        let (at, invoice) = (at as usize, invoice as usize);
        let (book, today) = (&self.books[at], self.today(at));
        // Sent again: what is to go out then goes out with its day.
        let again = matches!(command, Command::MarkSent(_))
            && book.sent.iter().filter(|sent| sent.invoice == invoice).count() > 1;
        // Corrected in its amount only: its plan runs on, and what days that wait to be run have not
        // told, they tell.
        let due = book.invoices[invoice].due;
        let mut dues = book.corrections.iter().rev().filter(|c| c.invoice == invoice).skip(1);
        let before = dues.next().map_or(book.invoices[invoice].first_due, |c| c.due);
        let waits = self.clocks[book.clock].finished < today;
        let runs_on = matches!(event, Event::OpeningItemCorrected(_)) && waits && before.0 == due;
        let step = book.step_on(invoice, today).filter(|_| !again && !runs_on);
        match step.filter(|_| self.is_on_time(book.clock, today)) {
            None => Ok(()),
            Some(step) => Err(format!("{} not reminded at once: {step:?}", event.name())),
        }
    }

    fn nothing_left(&self, clock: usize, day: Day) -> Result<(), String> {
        if !self.is_on_time(clock, day) {
            return Ok(());
        }
        for book in self.books.iter().filter(|book| book.clock == clock) {
            for no in 0..book.invoices.len() {
                let row = &book.invoices[no];
                if let Some(step) = book.step_on(no, day) {
                    return Err(format!("{day} finished, {} not reminded: {step:?}", row.id));
                }
                if row.planned.is_some_and(|planned| planned.date < day) {
                    return Err(format!("{day} finished, {} still planned", row.id));
                }
            }
        }
        Ok(())
    }
}

impl Book {
    /// Checks that a planned payment is told to be cleared exactly when it is, and forgets it then.
    /// `changed` is the latest day of what the command did to the invoice.
    pub(super) fn clear(
        &mut self,
        at: usize,
        (invoice, changed, today): (usize, Day, Day),
        events: &[Event],
    ) -> Result<(), String> {
        let told: Vec<Day> = events
            .iter()
            .filter_map(|event| match event {
                Event::PlannedPaymentCleared(e) => {
                    let here = (e.ledger.0 as usize, e.invoice.0 as usize) == (at, invoice);
                    here.then_some(e.date)
                }
                _ => None,
            })
            .collect();
        let open = self.open(invoice, View::ALL);
        let row = &mut self.invoices[invoice];
        let over = row.planned.is_some_and(|planned| planned.remaining == 0 || open == 0);
        let expected = if over { vec![changed.max(today)] } else { vec![] };
        if over {
            row.planned = None;
        }
        if told == expected {
            return Ok(());
        }
        Err(format!("plan of {} cleared on {told:?}, expected {expected:?}", row.id))
    }
}

/// Level and text of a step.
const fn text_of(step: Step) -> (u8, &'static str) {
    match step {
        Step::IssueNotice => (0, "issue-notice"),
        Step::Midpoint => (0, "before-due"),
        Step::DueDate => (0, "due"),
        Step::Overdue(1) => (1, "overdue-1"),
        Step::Overdue(2) => (2, "overdue-2"),
        Step::Overdue(3) => (3, "overdue-3"),
        Step::Overdue(level) => (level, "overdue-4"),
    }
}

/// The ledger and invoice that an event is about.
fn about(event: &Event) -> Option<(usize, usize)> {
    let (ledger, invoice) = match event {
        Event::InvoiceSent(e) => (e.ledger, e.invoice),
        Event::DisputeResolved(e) => (e.ledger, e.invoice),
        Event::InvoiceDue(e) => (e.ledger, e.invoice),
        Event::InvoiceOverdue(e) => (e.ledger, e.invoice),
        Event::InvoicePaid(e) => (e.ledger, e.invoice),
        Event::InvoiceReopened(e) => (e.ledger, e.invoice),
        Event::InvoiceCancelled(e) => (e.ledger, e.invoice),
        Event::OpeningItemAdded(e) => (e.ledger, e.invoice),
        Event::OpeningItemCorrected(e) => (e.ledger, e.invoice),
        Event::PlannedPaymentCleared(e) => (e.ledger, e.invoice),
        Event::PlannedPaymentLapsed(e) => (e.ledger, e.invoice),
        Event::ReminderEmitted(e) => (e.ledger, e.invoice),
        Event::Allocated(e) => (e.ledger, e.invoice),
        Event::Deallocated(e) => (e.ledger, e.invoice),
        _ => return None,
    };
    Some((ledger.0 as usize, invoice.0 as usize))
}
