//! `RecordReminder`: notes a reminder that a person made.

use std::ops::RangeInclusive;

use super::{Context, Decision, lookup};
use crate::content::Content;
use crate::dunning::Channel;
use crate::event::{CustomerReminderRecorded, ReminderRecorded};
use crate::id::Id;
use crate::number::Subject;
use crate::position::Day;
use crate::refusal::{Reason, Refusal};
use crate::state::{Ledger, State};
use crate::text;

/// Notes a reminder made by hand; the plan goes on as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordReminder {
    /// The ledger.
    pub ledger_id: Id,
    /// What it was about.
    pub target: ReminderTarget,
    /// How severe it was: 1 to 9.
    pub level: u8,
    /// How it went out.
    pub channel: Channel,
    /// The day, not after today; the ledger's today where left out.
    pub date: Option<Day>,
    /// What was said; may be empty.
    pub text: String,
}

/// The levels that a reminder made by hand may have.
const LEVELS: RangeInclusive<u8> = 1..=9;

/// What a reminder made by hand was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReminderTarget {
    /// One invoice.
    Invoice(Id),
    /// All that a customer owes.
    Customer(Id),
}

impl RecordReminder {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.text(1, self.ledger_id.as_str());
        match &self.target {
            ReminderTarget::Invoice(id) => out.text(2, id.as_str()),
            ReminderTarget::Customer(id) => out.text(3, id.as_str()),
        }
        out.number(4, i64::from(self.level));
        out.number(5, self.channel as i64);
        out.optional_number(6, self.date.map(|day| i64::from(day.number())));
        out.optional_text(7, Some(self.text.as_str()).filter(|text| !text.is_empty()));
    }

    pub(super) fn named(&self, state: &State) -> Option<Subject> {
        let ledger = lookup::ledger(state, &self.ledger_id).ok()?;
        match &self.target {
            ReminderTarget::Invoice(id) => {
                let (no, _) = lookup::invoice(state, ledger, id).ok()?;
                Some(Subject::Invoice(ledger.no, no))
            }
            ReminderTarget::Customer(id) => {
                let (no, _) = lookup::customer(state, ledger, id).ok()?;
                Some(Subject::Customer(ledger.no, no))
            }
        }
    }

    pub(super) fn decide(&self, state: &State, context: &Context) -> Result<Decision, Refusal> {
        let ledger = lookup::ledger(state, &self.ledger_id)?;
        let (level, channel, no) = (self.level, self.channel, ledger.no);
        let text = self.text.as_str().into();
        // One that was sent by hand is also noted of what has been paid since, or is disputed.
        let event = match &self.target {
            ReminderTarget::Invoice(id) => {
                let (invoice, row) = lookup::owed(state, ledger, id)?;
                lookup::check_version(context, row.version)?;
                let date = self.checked(state, ledger, row.since())?;
                ReminderRecorded { ledger: no, invoice, level, channel, date, text }.into()
            }
            ReminderTarget::Customer(id) => {
                let (customer, row) = lookup::customer(state, ledger, id)?;
                lookup::check_version(context, row.version)?;
                let date = self.checked(state, ledger, Day::MIN)?;
                CustomerReminderRecorded { ledger: no, customer, level, channel, date, text }.into()
            }
        };
        Ok(Decision::Accept(vec![event]))
    }

    /// The day, not before `first`, once the fields that have ranges are checked.
    fn checked(&self, state: &State, ledger: &Ledger, first: Day) -> Result<Day, Refusal> {
        if !LEVELS.contains(&self.level) {
            let (level, least, most) = (self.level, LEVELS.start(), LEVELS.end());
            let message = format!("the level is {level}, it must be {least} to {most}");
            return Err(Refusal::new(Reason::UnknownValue, "level", message).with("level", level));
        }
        text::check("text", &self.text)?;
        let today = lookup::today(state, ledger)?;
        let date = lookup::not_before(self.date, today, first, "issue")?;
        if date > today {
            let message = format!("the date {date} lies after today, {today}");
            let refusal = Refusal::new(Reason::WrongState, "date", message);
            return Err(refusal.with("date", date).with("today", today));
        }
        Ok(date)
    }
}
