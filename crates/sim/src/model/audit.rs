//! The audit of emitted facts: due, overdue, paid, reopened and cancelled are told when they
//! happen, once, with the right figure.

use encours_domain::event::Direction;
use encours_domain::{Day, Event};

use super::{Book, Model, View};

/// What was told about an invoice so far.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    open: i128,
    cancelled: bool,
    due: bool,
    due_on: Option<Day>,
    /// Since it was issued or reopened last.
    overdue: bool,
    /// Spells told since the beginning.
    spells: u32,
}

/// Follows the events of a log beside the model.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    told: Vec<Vec<Told>>,
}

impl Audit {
    /// How many overdue spells were told, over all invoices.
    #[must_use]
    pub fn spells(&self) -> u32 {
        self.told.iter().flatten().map(|told| told.spells).sum()
    }

    /// Whether an invoice was told to be overdue since it was issued or reopened last.
    #[must_use]
    pub fn is_overdue(&self, book: usize, invoice: usize) -> bool {
        self.told.get(book).and_then(|told| told.get(invoice)).is_some_and(|told| told.overdue)
    }

    /// Checks the events of one command, which `model` has recorded.
    ///
    /// # Errors
    /// What was told wrongly, twice, or not at all.
    pub fn check(&mut self, model: &Model, events: &[Event]) -> Result<(), String> {
        self.make_room(model);
        for event in events {
            self.begin(event);
            self.check_time_fact(model, event)?;
        }
        for (at, book) in model.books.iter().enumerate() {
            for no in 0..book.invoices.len() {
                self.check_settlement(book, at, no, events)?;
            }
        }
        for event in events {
            if let Event::DayFinished(e) = event {
                self.check_day(model, e.clock.0 as usize, e.day)?;
            }
        }
        Ok(())
    }

    fn make_room(&mut self, model: &Model) {
        self.told.resize(model.books.len(), vec![]);
        for (told, book) in self.told.iter_mut().zip(&model.books) {
            for row in book.invoices.iter().skip(told.len()) {
                told.push(Told { due_on: Some(row.due), ..Told::default() });
            }
        }
    }

    /// What begins with an event: a claim, another due date, being open again.
    fn begin(&mut self, event: &Event) {
        match event {
            Event::InvoiceReopened(e) => {
                self.told[e.ledger.0 as usize][e.invoice.0 as usize].overdue = false;
            }
            Event::InvoiceIssued(e) => {
                let row = &mut self.told[e.ledger.0 as usize][e.invoice.0 as usize];
                row.open = e.total.into();
                row.due_on = Some(e.due.date);
            }
            Event::OpeningItemAdded(e) if e.direction == Direction::Owed => {
                let row = &mut self.told[e.ledger.0 as usize][e.invoice.0 as usize];
                row.open = (e.amount - e.paid).into();
            }
            Event::OpeningItemCorrected(e) => {
                let row = &mut self.told[e.ledger.0 as usize][e.invoice.0 as usize];
                row.overdue &= !e.not_overdue;
                if row.due_on != Some(e.due.date) && !row.overdue {
                    row.due = false;
                }
                row.due_on = Some(e.due.date);
            }
            _ => {}
        }
    }

    /// Due and overdue are told of what is open, not before their day and once.
    fn check_time_fact(&mut self, model: &Model, event: &Event) -> Result<(), String> {
        let (ledger, invoice, date, open, overdue) = match event {
            Event::InvoiceDue(e) => (e.ledger, e.invoice, e.date, e.open, false),
            Event::InvoiceOverdue(e) => (e.ledger, e.invoice, e.date, e.open, true),
            _ => return Ok(()),
        };
        let (at, no) = (ledger.0 as usize, invoice.0 as usize);
        let (book, told) = (&model.books[at], &mut self.told[at][no]);
        let row = &book.invoices[no];
        let (flag, from) =
            if overdue { (&mut told.overdue, row.overdue_from) } else { (&mut told.due, row.due) };
        let wrong = if *flag {
            "a second time"
        } else if date < from {
            "too early"
        } else if !open_then(book, no, date).contains(&open.into()) || open <= 0 {
            "with another open amount"
        } else {
            *flag = true;
            // What is overdue was due.
            told.due = true;
            told.spells += u32::from(overdue);
            return Ok(());
        };
        Err(format!("{} of {} told {wrong}: {event:?}", event.name(), row.id))
    }

    /// Paid, reopened and cancelled are told exactly when the open amount says so.
    fn check_settlement(
        &mut self,
        book: &Book,
        at: usize,
        no: usize,
        events: &[Event],
    ) -> Result<(), String> {
        let told = &mut self.told[at][no];
        let (open, cancelled) = (book.open(no, View::ALL), book.cancelled(no, View::ALL));
        let here = |ledger: u32, invoice: u32| ledger as usize == at && invoice as usize == no;
        let mut names: Vec<&str> = Vec::new();
        let mut touched = false;
        for event in events {
            match event {
                Event::InvoicePaid(e) if here(e.ledger.0, e.invoice.0) => names.push(event.name()),
                Event::InvoiceCancelled(e) if here(e.ledger.0, e.invoice.0) => {
                    names.push(event.name());
                }
                Event::InvoiceReopened(e) if here(e.ledger.0, e.invoice.0) => {
                    names.push(event.name());
                    if i128::from(e.open) != open {
                        return Err(format!("reopened with {}, model {open}", e.open));
                    }
                }
                Event::Allocated(e) => touched |= here(e.ledger.0, e.invoice.0),
                Event::Deallocated(e) => touched |= here(e.ledger.0, e.invoice.0),
                Event::InvoiceIssued(e) => touched |= here(e.ledger.0, e.invoice.0),
                Event::OpeningItemCorrected(e) => touched |= here(e.ledger.0, e.invoice.0),
                _ => {}
            }
        }
        let new_and_empty = events.iter().any(|event| match event {
            Event::InvoiceIssued(e) => e.total == 0 && here(e.ledger.0, e.invoice.0),
            Event::OpeningItemAdded(e) => {
                let owed = e.direction == Direction::Owed;
                owed && e.amount == e.paid && here(e.ledger.0, e.invoice.0)
            }
            _ => false,
        });
        let settled = (told.open > 0 && open == 0) || new_and_empty;
        let expected = [
            ("InvoicePaid", settled && !cancelled),
            ("InvoiceReopened", told.open == 0 && open > 0),
            ("InvoiceCancelled", cancelled && !told.cancelled),
        ];
        for (name, must) in expected {
            let count = names.iter().filter(|told| **told == name).count();
            // An invoice that is settled and unsettled in one command may say so or not.
            let passing = touched && told.open == 0 && open == 0 && name != "InvoiceCancelled";
            if (must && count != 1) || (!must && count != 0 && !(passing || settled && cancelled)) {
                let id = &book.invoices[no].id;
                return Err(format!("{name} of {id} was told {count} times: {names:?}"));
            }
        }
        told.open = open;
        told.cancelled = cancelled;
        Ok(())
    }

    /// A finished day leaves nothing untold.
    fn check_day(&self, model: &Model, clock: usize, day: Day) -> Result<(), String> {
        for (at, book) in model.books.iter().enumerate().filter(|(_, b)| b.clock == clock) {
            for (no, row) in book.invoices.iter().enumerate() {
                let told = self.told[at][no];
                if open_then(book, no, day).iter().any(|open| *open <= 0) {
                    continue;
                }
                if day >= row.overdue_from && !told.overdue {
                    return Err(format!("{day} finished, {} overdue and not told", row.id));
                }
                // What was told as overdue at once, while days before may still wait to be run, is not
                // told as due any more.
                if day == row.due && !told.due {
                    return Err(format!("{day} finished, {} due and not told", row.id));
                }
            }
        }
        Ok(())
    }
}

/// What was open on a day, and that without what a correction has taken away later. A day that is run
/// after the correction may tell either: the page does not say whether what was wrong was owed.
fn open_then(book: &Book, invoice: usize, day: Day) -> [i128; 2] {
    let open = book.open(invoice, View::as_of(day));
    let later = book.corrections.iter().filter(|c| c.invoice == invoice && c.date > day);
    [open, open + later.map(|c| i128::from(c.more.min(0))).sum::<i128>()]
}
