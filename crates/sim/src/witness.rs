//! Who watches a log: what it says, command by command, against the reference model.

use std::collections::BTreeMap;

use encours_domain::commands::Digest;
use encours_domain::{Command, Day, Event, Position, State, Subject};

use crate::model::{Audit, Figures, Model, Verdict, View};

/// Everything that follows from a log, up to a position.
pub(crate) struct Witness {
    /// The state that the events make.
    pub(crate) state: State,
    /// What the ledgers should look like.
    pub(crate) model: Model,
    audit: Audit,
    last: Position,
    /// The last positions of commands.
    pub(crate) boundaries: Vec<Position>,
    /// Events by kind.
    pub(crate) told: BTreeMap<String, u64>,
}

impl Witness {
    pub(crate) fn new(zone_day: Day) -> Self {
        Self {
            state: State::default(),
            model: Model::new(zone_day),
            audit: Audit::default(),
            last: Position::START,
            boundaries: Vec::new(),
            told: BTreeMap::new(),
        }
    }

    /// The position of the last event.
    pub(crate) const fn last(&self) -> Position {
        self.last
    }

    /// Overdue spells told so far.
    pub(crate) fn spells(&self) -> u32 {
        self.audit.spells()
    }

    /// A customer's figures, all facts counted, as the writer counts them: overdue is what was told
    /// so. Days that wait to be run have told nothing yet. What was told and is open again only on a
    /// day to come counts all the while; the read model, which is asked as of a day, leaves it out.
    pub(crate) fn figures(&self, at: usize, customer: usize, today: Day) -> Vec<Figures> {
        let book = &self.model.books[at];
        let mut figures = book.figures(customer, View::ALL, today);
        for row in &mut figures {
            row.overdue = (0..)
                .zip(&book.invoices)
                .filter(|(_, item)| (item.customer, item.currency) == (customer, row.currency))
                .filter(|(no, _)| self.audit.is_overdue(at, *no))
                .map(|(no, _)| book.open(no, View::ALL))
                .sum();
        }
        figures
    }

    /// Takes in the events of an accepted command, as the log has them.
    ///
    /// # Errors
    /// What the rules, the model or the audit have against them.
    pub(crate) fn take(
        &mut self,
        mut command: Command,
        digest: Digest,
        events: &[Event],
    ) -> Result<(), String> {
        fill_id(&mut command, "to-be-assigned");
        let verdict = self.model.judge(&command);
        if !matches!(verdict, Verdict::Accept | Verdict::Silent) {
            return Err(format!("the rules say {verdict:?}, and the log has it"));
        }
        self.note(digest, events);
        let made = events.iter().rev().find_map(Event::created);
        if let Some(id) = made.and_then(|subject| self.id_of(subject)) {
            fill_given(&mut command, &id);
        }
        let last = self.last;
        self.model.record(&command, events, last)?;
        self.audit.check(&self.model, events).map_err(|told| format!("{told}; decided {events:?}"))
    }

    /// Takes in events that no command of a client has made.
    pub(crate) fn note(&mut self, digest: Digest, events: &[Event]) {
        for event in events {
            self.last = self.last.next();
            self.state.apply(self.last, digest, event);
            *self.told.entry(kind_of(event)).or_default() += 1;
        }
        self.boundaries.push(self.last);
    }

    fn id_of(&self, subject: Subject) -> Option<String> {
        use encours_domain::Resource as R;
        Some(match self.state.resource(subject)? {
            R::Clock(_) => return None,
            R::Ledger(row) => row.id.to_string(),
            R::Customer(row) => row.id.to_string(),
            R::Invoice(row) => row.id.to_string(),
            R::Payment(row) => row.id.to_string(),
            R::CreditNote(row) => row.id.to_string(),
        })
    }
}

/// Gives what a command creates an id, where the client left it to the engine.
pub(crate) fn fill_id(command: &mut Command, text: &str) {
    if let Some(slot @ None) = command.new_id() {
        *slot = encours_domain::Id::parse("id", text).ok();
    }
}

/// The id that the engine has assigned.
fn fill_given(command: &mut Command, text: &str) {
    if let Some(slot) = command.new_id()
        && slot.as_ref().is_some_and(|id| id.as_str() == "to-be-assigned")
    {
        *slot = encours_domain::Id::parse("id", text).ok();
    }
}

/// The name of an event, and what tells its kinds apart.
fn kind_of(event: &Event) -> String {
    match event {
        Event::ReminderEmitted(e) => format!("{} {:?}", event.name(), e.step),
        Event::CreditLimitExceeded(e) => format!("{} overridden: {}", event.name(), e.overridden),
        Event::OpeningItemCorrected(e) => {
            format!("{} not overdue: {}", event.name(), e.not_overdue)
        }
        Event::DayOpened(e) => format!("{} on time: {}", event.name(), e.on_time),
        _ => event.name().to_owned(),
    }
}
