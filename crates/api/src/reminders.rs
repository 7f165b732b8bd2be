//! Reminder plans and what is to be reminded of next.

use encours_domain::Refusal;
use encours_domain::{Currency, Reason};
use encours_projections::{Order, Page, PlanState, ReminderPlan, SentReminder, UpcomingReminder};
use encours_proto::command::id;
use encours_proto::money::{date_message, money_message, optional_day};
use encours_proto::reminder::{channel_message, next_message, step_message};
use encours_proto::v1;
use tonic::metadata::MetadataMap;

use crate::api::{Api, unknown};
use crate::failure::Failure;
use crate::invoices::unknown_invoice;
use crate::paging::List;

/// How far ahead is looked where a request does not say.
const DAYS_AHEAD: i32 = 30;

impl Api {
    /// The whole plan of an invoice.
    pub(crate) async fn reminder_plan(
        &self,
        metadata: &MetadataMap,
        request: v1::GetReminderPlanRequest,
    ) -> Result<v1::GetReminderPlanResponse, Failure> {
        self.ready(metadata, request.min_position).await?;
        let no = self.ledger_no(&request.ledger_id)?;
        let id = id("invoice_id", &request.invoice_id)?;
        let view = self.model.reminder_plan(no, id.as_str());
        let plan = view.value.ok_or_else(|| unknown_invoice("invoice_id", id.as_str()))?;
        let ledger = self.ledger(&request.ledger_id)?;
        Ok(v1::GetReminderPlanResponse {
            invoice_id: plan.invoice.id.to_string(),
            reminder_policy_id: ledger.reminders.id().to_owned(),
            calendar_id: ledger.calendar.id().to_owned(),
            state: state_message(plan.state).into(),
            entries: entries(&plan),
            position: view.position.0,
        })
    }

    /// The next reminders of a ledger until a day.
    pub(crate) async fn upcoming_reminders(
        &self,
        metadata: &MetadataMap,
        request: v1::ListUpcomingRemindersRequest,
    ) -> Result<v1::ListUpcomingRemindersResponse, Failure> {
        self.ready(metadata, request.min_position).await?;
        let no = self.ledger_no(&request.ledger_id)?;
        let until = match optional_day("until_date", request.until_date)? {
            Some(day) => day,
            None => {
                let today = self.ledger(&request.ledger_id)?.clock.today;
                today.plus(DAYS_AHEAD).ok_or_else(|| {
                    let message = "until_date is missing, and 30 days on is beyond the calendar";
                    Refusal::new(Reason::InvalidDate, "until_date", message)
                })?
            }
        };
        let scope = v1::ListUpcomingRemindersRequest {
            ledger_id: request.ledger_id,
            until_date: request.until_date,
            ..Default::default()
        };
        let list = List::of("ListUpcomingReminders", &scope);
        let page: Page = list.page(request.page_size, &request.page_token, Order::Created)?;
        let view = self.model.upcoming_reminders(no, until, page);
        let place =
            |entry: &UpcomingReminder| Order::Due.key(entry.invoice.no.0, Some(entry.next.date));
        let (reminders, next_page_token) =
            list.answer(view.value, place, |entry| Ok(upcoming_message(&entry)))?;
        let position = view.position.0;
        Ok(v1::ListUpcomingRemindersResponse { reminders, next_page_token, position })
    }

    /// The ledger with this id.
    pub(crate) fn ledger(
        &self,
        ledger_id: &str,
    ) -> Result<encours_domain::resource::Ledger, Failure> {
        let id = id("ledger_id", ledger_id)?;
        let found = self.model.ledger(id.as_str()).value;
        found.ok_or_else(|| unknown(Reason::UnknownLedger, "ledger_id", "ledger", ledger_id))
    }
}

const fn state_message(state: PlanState) -> v1::ReminderPlanState {
    match state {
        PlanState::Running => v1::ReminderPlanState::Running,
        PlanState::None => v1::ReminderPlanState::NotPlanned,
        PlanState::NotSent => v1::ReminderPlanState::NotSent,
        PlanState::Paused => v1::ReminderPlanState::Paused,
        PlanState::Stopped => v1::ReminderPlanState::Stopped,
        PlanState::Ended => v1::ReminderPlanState::Ended,
        PlanState::Exhausted => v1::ReminderPlanState::Exhausted,
    }
}

fn entries(plan: &ReminderPlan) -> Vec<v1::ReminderPlanEntry> {
    let currency = plan.invoice.currency;
    let sent = plan.sent.iter().map(|sent| sent_entry(sent, currency));
    let to_come = plan.to_come.iter().map(|next| v1::ReminderPlanEntry {
        state: v1::ReminderState::ToCome.into(),
        step: step_message(next.step).into(),
        level: i32::from(next.step.level()),
        channel: channel_message(next.channel).into(),
        template: next.step.template().to_owned(),
        planned_date: Some(date_message(next.date)),
        date: Some(date_message(next.date)),
        open: None,
        position: 0,
    });
    sent.chain(to_come).collect()
}

fn sent_entry(sent: &SentReminder, currency: Currency) -> v1::ReminderPlanEntry {
    let entry = v1::ReminderPlanEntry {
        state: v1::ReminderState::Recorded.into(),
        level: i32::from(sent.level),
        channel: channel_message(sent.channel).into(),
        date: Some(date_message(sent.date)),
        position: sent.position.0,
        ..Default::default()
    };
    let Some(step) = sent.step else { return entry };
    v1::ReminderPlanEntry {
        state: v1::ReminderState::Sent.into(),
        step: step_message(step).into(),
        template: step.template().to_owned(),
        planned_date: Some(date_message(sent.planned)),
        open: Some(money_message(sent.open, currency)),
        ..entry
    }
}

fn upcoming_message(entry: &UpcomingReminder) -> v1::UpcomingReminder {
    let invoice = &entry.invoice;
    v1::UpcomingReminder {
        invoice_id: invoice.id.to_string(),
        number: invoice.number.to_string(),
        customer_id: invoice.customer_id.to_string(),
        open: Some(money_message(invoice.open, invoice.currency)),
        due_date: invoice.due.map(|due| date_message(due.date)),
        reminder: Some(next_message(&entry.next)),
    }
}
