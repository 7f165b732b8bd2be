//! Commands: one file each, with what it asks, how it is decided and what makes two of them equal.

mod add_opening_item;
mod advance_clock;
mod allocate;
mod allocation;
mod auto;
mod cancel_invoice;
mod cancel_planned_payment;
mod correct_opening_item;
mod create_customer;
mod create_draft;
mod create_ledger;
mod days;
mod deallocate;
mod delete_draft;
mod dispute_invoice;
mod issue_credit_note;
mod issue_draft;
mod issue_invoice;
mod issuing;
mod lookup;
mod mark_sent;
mod plan_payment;
mod record_payment;
mod record_reminder;
mod refund_payment;
mod reminder;
mod resolve_dispute;
mod reverse_payment;
mod set_credit_limit;
mod stop_reminders;
mod update_customer;
mod update_draft;

pub use add_opening_item::AddOpeningItem;
pub use advance_clock::AdvanceClock;
pub use allocate::{Allocate, From};
pub use cancel_invoice::CancelInvoice;
pub use cancel_planned_payment::CancelPlannedPayment;
pub use correct_opening_item::CorrectOpeningItem;
pub use create_customer::{CreateCustomer, CustomerDetails};
pub use create_draft::CreateDraft;
pub use create_ledger::{CreateLedger, Time};
pub use days::{OpenDay, RunDay};
pub use deallocate::Deallocate;
pub use delete_draft::DeleteDraft;
pub use dispute_invoice::DisputeInvoice;
pub use issue_credit_note::{CreditUse, IssueCreditNote};
pub use issue_draft::IssueDraft;
pub use issue_invoice::{InvoiceLine, IssueInvoice};
pub use mark_sent::MarkSent;
pub use plan_payment::PlanPayment;
pub use record_payment::{ExplicitAllocation, Put, RecordPayment};
pub use record_reminder::{RecordReminder, ReminderTarget};
pub use refund_payment::RefundPayment;
pub use resolve_dispute::ResolveDispute;
pub use reverse_payment::ReversePayment;
pub use set_credit_limit::SetCreditLimit;
pub use stop_reminders::StopReminders;
pub use update_customer::UpdateCustomer;
pub use update_draft::UpdateDraft;

use crate::content::Content;
use crate::event::Event;
use crate::id::Id;
use crate::number::Subject;
use crate::position::{Day, Position};
use crate::refusal::Refusal;
use crate::state::State;

macro_rules! commands {
    ($($name:ident),* $(,)?) => {
        /// Every command.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each variant holds the struct of its name")]
        pub enum Command { $($name($name),)* }

        $(impl std::convert::From<$name> for Command {
            fn from(command: $name) -> Self { Self::$name(command) }
        })*

        impl Command {
            /// The name of the command, such as `IssueInvoice`.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name),)* }
            }

            /// Writes what makes two commands the same: the set fields by number, so that a field
            /// added later leaves the content of older commands as it was.
            pub fn content(&self, out: &mut dyn Content) {
                out.text(0, self.name());
                match self { $(Self::$name(command) => command.content(out),)* }
            }

            /// Decides: the events that the command yields in this state, or why not.
            ///
            /// # Errors
            /// A [`Refusal`]; nothing is changed then.
            pub fn decide(
                &self,
                state: &State,
                context: &Context,
            ) -> Result<Decision, Refusal> {
                match self { $(Self::$name(command) => command.decide(state, context),)* }
            }

            /// What the command is about: what its fields name; for a command that creates
            /// something, what its events created, the last one where it created two things.
            #[must_use]
            pub fn subject(&self, state: &State, events: &[Event]) -> Option<Subject> {
                match self { $(Self::$name(command) => command.named(state),)* }
                    .or_else(|| events.iter().rev().find_map(Event::created))
            }
        }
    };
}

commands!(
    CreateLedger,
    AdvanceClock,
    CreateCustomer,
    UpdateCustomer,
    IssueInvoice,
    MarkSent,
    DisputeInvoice,
    ResolveDispute,
    CancelInvoice,
    RecordPayment,
    Allocate,
    Deallocate,
    ReversePayment,
    IssueCreditNote,
    CreateDraft,
    UpdateDraft,
    DeleteDraft,
    IssueDraft,
    AddOpeningItem,
    CorrectOpeningItem,
    PlanPayment,
    CancelPlannedPayment,
    SetCreditLimit,
    RefundPayment,
    StopReminders,
    RecordReminder,
    OpenDay,
    RunDay,
);

impl Command {
    /// The ledger that the command names: the scope of its request id. `None` for a ledger to be
    /// created without an id, and for the engine's own commands about clocks.
    #[must_use]
    pub fn ledger_id(&self) -> Option<&Id> {
        match self {
            Self::CreateLedger(c) => c.ledger_id.as_ref(),
            Self::AdvanceClock(c) => Some(&c.ledger_id),
            Self::CreateCustomer(c) => Some(&c.ledger_id),
            Self::UpdateCustomer(c) => Some(&c.ledger_id),
            Self::IssueInvoice(c) => Some(&c.ledger_id),
            Self::MarkSent(c) => Some(&c.ledger_id),
            Self::DisputeInvoice(c) => Some(&c.ledger_id),
            Self::ResolveDispute(c) => Some(&c.ledger_id),
            Self::CancelInvoice(c) => Some(&c.ledger_id),
            Self::RecordPayment(c) => Some(&c.ledger_id),
            Self::Allocate(c) => Some(&c.ledger_id),
            Self::Deallocate(c) => Some(&c.ledger_id),
            Self::ReversePayment(c) => Some(&c.ledger_id),
            Self::IssueCreditNote(c) => Some(&c.ledger_id),
            Self::CreateDraft(c) => Some(&c.invoice.ledger_id),
            Self::UpdateDraft(c) => Some(&c.invoice.ledger_id),
            Self::DeleteDraft(c) => Some(&c.ledger_id),
            Self::IssueDraft(c) => Some(&c.ledger_id),
            Self::AddOpeningItem(c) => Some(&c.ledger_id),
            Self::CorrectOpeningItem(c) => Some(&c.ledger_id),
            Self::PlanPayment(c) => Some(&c.ledger_id),
            Self::CancelPlannedPayment(c) => Some(&c.ledger_id),
            Self::SetCreditLimit(c) => Some(&c.ledger_id),
            Self::RefundPayment(c) => Some(&c.ledger_id),
            Self::StopReminders(c) => Some(&c.ledger_id),
            Self::RecordReminder(c) => Some(&c.ledger_id),
            Self::OpenDay(_) | Self::RunDay(_) => None,
        }
    }

    /// The id of what the command creates, where it creates something: the engine assigns a
    /// UUIDv7 where the caller left it out, before deciding.
    #[must_use]
    pub const fn new_id(&mut self) -> Option<&mut Option<Id>> {
        match self {
            Self::CreateLedger(c) => Some(&mut c.ledger_id),
            Self::CreateCustomer(c) => Some(&mut c.customer_id),
            Self::IssueInvoice(c) => Some(&mut c.invoice_id),
            Self::CreateDraft(c) => Some(&mut c.invoice.invoice_id),
            Self::AddOpeningItem(c) => Some(&mut c.invoice_id),
            Self::RecordPayment(c) => Some(&mut c.payment_id),
            Self::IssueCreditNote(c) => Some(&mut c.credit_note_id),
            Self::CancelInvoice(c) => Some(&mut c.credit_note_id),
            _ => None,
        }
    }
}

/// What surrounds a decision besides the state.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The position that the first event will have.
    pub position: Position,
    /// Digest of the command's content: what a repeat by id is recognised by.
    pub digest: Digest,
    /// The version that the caller believes the resource has.
    pub expected_version: Option<Position>,
    /// Today in the time zone that the command names; `None` where there is no such zone.
    pub zone_day: Option<Day>,
}

/// The first half of the SHA-256 digest of a command's content.
pub type Digest = [u8; 16];

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// These events happen, in this order.
    Accept(Vec<Event>),
    /// It was done before: nothing happens, and the answer is the first one's.
    Repeat {
        /// What it is about.
        subject: Subject,
        /// The position of the last event about it that the first one caused, or of its creation.
        position: Position,
    },
}
