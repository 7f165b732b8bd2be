//! Reminder plans: what went out and what is to come, of one invoice and of a ledger.

use encours_domain::dunning::{Channel, Planned, Policy, Step};
use encours_domain::number::LedgerNo;
use encours_domain::{Day, Position, resource};

use super::page::{MAX_SCAN, page};
use super::resources::Scope;
use super::{Items, Key, Page, View};
use crate::model::Ledger;
use crate::read_model::ReadModel;
use crate::rows::{ChangeKind, InvoiceFlags, InvoiceRow, Item, Plans};

/// How the reminder plan of an invoice stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PlanState {
    /// Its steps go out on their days.
    Running,
    /// There is none: the ledger has no policy, or it is a draft or an opening item owing.
    None,
    /// It waits until the invoice is sent.
    NotSent,
    /// A dispute holds it, also one dated later; after it the latest missed step goes out.
    Paused,
    /// Reminders were stopped for good.
    Stopped,
    /// Nothing is open.
    Ended,
    /// Every step went out.
    Exhausted,
}

/// A reminder that went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentReminder {
    /// The event.
    pub position: Position,
    /// The step of the plan; `None`: a person recorded it.
    pub step: Option<Step>,
    /// How severe it was.
    pub level: u8,
    /// How it went out.
    pub channel: Channel,
    /// The day the plan had for it; of one recorded its own.
    pub planned: Day,
    /// The day it went out.
    pub date: Day,
    /// What was open that day, in minor units; of one recorded 0.
    pub open: i64,
}

/// The reminder plan of an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReminderPlan {
    /// The invoice.
    pub invoice: resource::Invoice,
    /// How the plan stands.
    pub state: PlanState,
    /// What went out, oldest first: the first 1,000, among the first [`MAX_SCAN`] events about it.
    pub sent: Vec<SentReminder>,
    /// The steps to come, in order; also while the plan is paused, as if it were not. Empty where it
    /// is over.
    pub to_come: Vec<Planned>,
}

/// The next reminder of an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpcomingReminder {
    /// The invoice.
    pub invoice: resource::Invoice,
    /// Its next step.
    pub next: Planned,
}

/// The most reminders that a plan shows.
const MAX_SENT: usize = 1_000;

impl PlanState {
    fn of(row: &InvoiceRow, plans: Plans) -> Self {
        let has = |flags| row.flags.has(flags);
        match () {
            () if plans.policy == Policy::None => Self::None,
            () if has(InvoiceFlags::DRAFT | InvoiceFlags::OWING) => Self::None,
            () if has(InvoiceFlags::STOPPED) => Self::Stopped,
            () if row.open() == 0 => Self::Ended,
            () if has(InvoiceFlags::HELD) => Self::Paused,
            () if row.sent_on.is_none() => Self::NotSent,
            () if plans.is_exhausted(row) => Self::Exhausted,
            () => Self::Running,
        }
    }
}

impl ReadModel {
    /// The reminder plan of the invoice with this id; `None` where there is none.
    #[must_use]
    pub fn reminder_plan(&self, ledger: LedgerNo, invoice_id: &str) -> View<Option<ReminderPlan>> {
        self.view_ledger(ledger, |model, found| {
            let no = found.index.invoice(&found.tables, invoice_id)?;
            let row = found.tables.invoices.get(no)?;
            let scope = Scope::of(model, found, ledger)?;
            let state = PlanState::of(row, scope.plans);
            let goes_on = matches!(state, PlanState::Running | PlanState::Paused);
            Some(ReminderPlan {
                invoice: scope.invoice(&found.tables, no)?,
                state,
                sent: found.sent(no, row),
                to_come: scope.plans.to_come(row).filter(|_| goes_on).collect(),
            })
        })
    }

    /// The next reminders of the invoices whose plan runs, up to a day, by date, then by number; a
    /// place is that of [`Order::Due`](super::Order::Due) with the date of the step. It looks at
    /// every item with something open, but holds the lock only while it lists them: call it off the
    /// async workers.
    #[must_use]
    pub fn upcoming_reminders(
        &self,
        ledger: LedgerNo,
        until: Day,
        which: Page,
    ) -> View<Items<UpcomingReminder>> {
        let taken = self.view_ledger(ledger, |model, found| {
            let open: Vec<u32> = found.index.open_by_due.iter().map(|key| key.no()).collect();
            Some((Scope::of(model, found, ledger)?, open, found.tables.clone()))
        });
        let Some((scope, open, tables)) = taken.value else {
            return View { position: taken.position, value: Items::default() };
        };
        let next = |no| scope.plans.next(tables.invoices.get(no)?);
        let keys = open.into_iter().filter_map(|no| Some(Key::dated(next(no)?.date, no)));
        let last = Key::dated(until, u32::MAX);
        let wanted = |key: &Key| *key <= last && which.after.is_none_or(|after| *key > after);
        let mut keys: Vec<Key> = keys.filter(wanted).collect();
        keys.sort_unstable();
        let value = page(which, keys.into_iter(), |no| {
            Some(UpcomingReminder { invoice: scope.invoice(&tables, no)?, next: next(no)? })
        });
        View { position: taken.position, value }
    }
}

impl Ledger {
    /// The reminders of an invoice that went out.
    fn sent(&self, no: u32, row: &InvoiceRow) -> Vec<SentReminder> {
        let chain = self.tables.chain(&self.index.links, row.first, Item::Invoice(no));
        let sent = chain.take(MAX_SCAN).filter_map(|(_, change)| {
            let (ChangeKind::ReminderEmitted | ChangeKind::ReminderRecorded) = change.kind else {
                return None;
            };
            let reminder = self.tables.reminders.get(change.other)?;
            Some(SentReminder {
                position: Position(change.position),
                step: reminder.step,
                level: reminder.level,
                channel: reminder.channel,
                planned: reminder.planned,
                date: change.date,
                open: change.amount,
            })
        });
        sent.take(MAX_SENT).collect()
    }
}
