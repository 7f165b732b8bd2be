//! One path for every write: from a request message to a command, from what was answered to the
//! response message.

use encours_domain::{Command, Id, Position, Refusal};

use crate::money::{missing, optional};
use crate::v1::{self, command::Command as Message, command_outcome::Resource};
use crate::{
    credit, credit_note, customer, draft, invoice, ledger, opening, payment, plan, reminder,
};

/// A write as a caller asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// What is asked.
    pub command: Command,
    /// What a repeat is recognised by.
    pub request_id: Option<String>,
    /// Why.
    pub reason: String,
    /// The version that the caller believes current.
    pub expected_version: Option<Position>,
    /// Whether to answer in full and append nothing.
    pub validate_only: bool,
}

/// The request of a method that writes. Its response is made from the outcome of its command, so
/// that the method and the batch give the same answer.
pub trait WriteRequest: Sized {
    /// What the method answers.
    type Response;

    /// The command that the request stands for.
    fn into_command(self) -> Message;

    /// The response; `None` where the outcome shows another kind of resource, which is a defect.
    fn response(outcome: v1::CommandOutcome) -> Option<Self::Response>;
}

macro_rules! writes {
    ($($request:ident => $variant:ident, $response:ident { $field:ident: $resource:ident },
        $convert:path, ($($by:tt)?);)*) => {
        $(impl WriteRequest for v1::$request {
            type Response = v1::$response;

            fn into_command(self) -> Message {
                Message::$variant(self)
            }

            fn response(outcome: v1::CommandOutcome) -> Option<Self::Response> {
                let v1::CommandOutcome { position, repeat, resource } = outcome;
                match resource {
                    Some(Resource::$resource($field)) => {
                        Some(v1::$response { $field: Some($field), position, repeat })
                    }
                    _ => None,
                }
            }
        })*

        /// The ledger that a command is about, as its message names it; empty where it names none.
        #[must_use]
        pub fn ledger_id(message: &v1::Command) -> &str {
            match &message.command {
                None => "",
                $(Some(Message::$variant(request)) => &request.ledger_id,)*
            }
        }

        /// Reads a command.
        ///
        /// # Errors
        /// A refusal that names the field; `MISSING_FIELD` where no command is given.
        pub fn write(message: v1::Command) -> Result<Write, Refusal> {
            match message.command.ok_or_else(|| missing("command"))? {
                $(Message::$variant(mut request) => Ok(Write {
                    request_id: optional(std::mem::take(&mut request.request_id)),
                    reason: request.reason.clone(),
                    expected_version: request.expected_version.map(Position),
                    validate_only: request.validate_only,
                    command: $convert($($by)? request)?.into(),
                }),)*
            }
        }
    };
}

writes! {
    CreateLedgerRequest => CreateLedger, CreateLedgerResponse { ledger: Ledger },
        ledger::create_ledger, ();
    AdvanceClockRequest => AdvanceClock, AdvanceClockResponse { ledger: Ledger },
        ledger::advance_clock, (&);
    CreateCustomerRequest => CreateCustomer, CreateCustomerResponse { customer: Customer },
        customer::create_customer, ();
    UpdateCustomerRequest => UpdateCustomer, UpdateCustomerResponse { customer: Customer },
        customer::update_customer, ();
    IssueInvoiceRequest => IssueInvoice, IssueInvoiceResponse { invoice: Invoice },
        draft::issue_invoice, ();
    MarkSentRequest => MarkSent, MarkSentResponse { invoice: Invoice },
        invoice::mark_sent, (&);
    CancelInvoiceRequest => CancelInvoice, CancelInvoiceResponse { invoice: Invoice },
        invoice::cancel_invoice, ();
    DisputeInvoiceRequest => DisputeInvoice, DisputeInvoiceResponse { invoice: Invoice },
        invoice::dispute_invoice, ();
    ResolveDisputeRequest => ResolveDispute, ResolveDisputeResponse { invoice: Invoice },
        invoice::resolve_dispute, (&);
    RecordPaymentRequest => RecordPayment, RecordPaymentResponse { payment: Payment },
        payment::record_payment, ();
    AllocateRequest => Allocate, AllocateResponse { invoice: Invoice },
        payment::allocate, (&);
    DeallocateRequest => Deallocate, DeallocateResponse { invoice: Invoice },
        payment::deallocate, (&);
    ReversePaymentRequest => ReversePayment, ReversePaymentResponse { payment: Payment },
        payment::reverse_payment, (&);
    IssueCreditNoteRequest => IssueCreditNote, IssueCreditNoteResponse { credit_note: CreditNote },
        credit_note::issue_credit_note, ();
    CreateDraftRequest => CreateDraft, CreateDraftResponse { invoice: Invoice },
        draft::create_draft, ();
    UpdateDraftRequest => UpdateDraft, UpdateDraftResponse { invoice: Invoice },
        draft::update_draft, ();
    DeleteDraftRequest => DeleteDraft, DeleteDraftResponse { invoice: Invoice },
        draft::delete_draft, (&);
    PlanPaymentRequest => PlanPayment, PlanPaymentResponse { invoice: Invoice },
        plan::plan_payment, (&);
    CancelPlannedPaymentRequest => CancelPlannedPayment,
        CancelPlannedPaymentResponse { invoice: Invoice },
        plan::cancel_planned_payment, (&);
    StopRemindersRequest => StopReminders, StopRemindersResponse { invoice: Invoice },
        reminder::stop_reminders, ();
    RecordReminderRequest => RecordReminder, RecordReminderResponse { invoice: Invoice },
        reminder::record_reminder, ();
    AddOpeningItemRequest => AddOpeningItem, AddOpeningItemResponse { invoice: Invoice },
        opening::add_opening_item, ();
    CorrectOpeningItemRequest => CorrectOpeningItem,
        CorrectOpeningItemResponse { invoice: Invoice },
        opening::correct_opening_item, (&);
    SetCreditLimitRequest => SetCreditLimit, SetCreditLimitResponse { customer: Customer },
        credit::set_credit_limit, (&);
    CustomerServiceRecordReminderRequest => RecordCustomerReminder,
        CustomerServiceRecordReminderResponse { customer: Customer },
        reminder::record_customer_reminder, ();
    RefundPaymentRequest => RefundPayment, RefundPaymentResponse { payment: Payment },
        payment::refund_payment, ();
}

/// Reads an id that must be given.
///
/// # Errors
/// `MISSING_FIELD` where it is empty, `INVALID_ID` where it has a wrong form, naming `field`.
pub fn id(field: &'static str, text: &str) -> Result<Id, Refusal> {
    optional_id(field, text)?.ok_or_else(|| missing(field))
}

/// Reads an id that may be left out.
///
/// # Errors
/// `INVALID_ID`, naming `field`.
pub fn optional_id(field: &'static str, text: &str) -> Result<Option<Id>, Refusal> {
    if text.is_empty() { Ok(None) } else { Id::parse(field, text).map(Some) }
}
