//! What a workload worth its name comes across.
//!
//! Every command of the domain is accepted, every reason to refuse is given, and besides what is named
//! here. A new command has no [`Kind`](crate::workload::Kind) until it is added there, and a new reason
//! stands in [`Reason::ALL`] by itself: both are missing until the generator makes them and the model
//! knows them.

use encours_domain::Reason;

use crate::workload::Kind;
use crate::world::Tally;

/// Commands and why they were refused or what else became of them.
const REFUSED: &[&str] = &[
    "AdvanceClock DayBackwards",
    "AdvanceClock NotATestClock",
    "Allocate CurrencyMismatch",
    "Allocate NothingLeft",
    "Allocate OverAllocation",
    "CancelInvoice MoneyAllocated",
    "CancelInvoice WrongState",
    "CorrectOpeningItem OverAllocation",
    "CreateDraft NumberExists",
    "Deallocate DatedBeforeFact",
    "Deallocate OverAllocation",
    "IssueCreditNote IssueDateOrder",
    "IssueCreditNote NothingLeft",
    "IssueCreditNote NumberReserved",
    "IssueCreditNote OverCredit",
    "IssueDraft IssueDateOrder",
    "IssueDraft WrongState",
    "IssueDraft repeated",
    "IssueInvoice AmountOverflow",
    "IssueInvoice CreditLimitExceeded",
    "IssueInvoice DueBeforeIssue",
    "IssueInvoice IdExists",
    "IssueInvoice InvalidReference",
    "IssueInvoice IssueDateOrder",
    "IssueInvoice NotPositive",
    "IssueInvoice NumberExists",
    "IssueInvoice NumberReserved",
    "IssueInvoice TooLarge",
    "IssueInvoice UnknownCustomer",
    "IssueInvoice repeated",
    "RecordPayment AmountOverflow",
    "RecordPayment CurrencyMismatch",
    "RecordPayment CustomerMismatch",
    "RecordPayment IdExists",
    "RecordPayment NotPositive",
    "RecordPayment OverAllocation",
    "RecordPayment UnknownInvoice",
    "RecordPayment repeated",
    "PlanPayment OverAllocation",
    "PlanPayment repeated",
    "RecordReminder UnknownValue",
    "RefundPayment DatedBeforeFact",
    "RefundPayment OverAllocation",
    "ResolveDispute WrongState",
    "ReversePayment DatedBeforeFact",
    "ReversePayment WrongState",
    "RunDay repeated",
    "UpdateDraft repeated",
];

/// Events, with what else tells them apart.
const TOLD: &[&str] = &[
    "CreditLimitExceeded overridden: false",
    "CreditLimitExceeded overridden: true",
    "DayOpened on time: false",
    "InvoiceCancelled",
    "InvoiceReopened",
    "OpeningItemCorrected not overdue: true",
    "PlannedPaymentCleared",
    "PlannedPaymentLapsed",
    "ReminderEmitted IssueNotice",
    "ReminderEmitted Midpoint",
    "ReminderEmitted DueDate",
    "ReminderEmitted Overdue(1)",
    "ReminderEmitted Overdue(2)",
    "ReminderEmitted Overdue(3)",
    "ReminderEmitted Overdue(4)",
];

/// What never came across over all these runs, in words; empty where everything did.
#[must_use]
pub fn missing(tally: &Tally) -> Vec<String> {
    let commands = Kind::ALL.iter().map(|kind| format!("{} accepted", kind.name()));
    let outcomes = commands.chain(REFUSED.iter().map(ToString::to_string));
    let mut missing: Vec<String> =
        outcomes.filter(|outcome| !tally.outcomes.contains_key(outcome)).collect();
    let told = TOLD.iter().filter(|event| !tally.told.contains_key(**event));
    missing.extend(told.map(|event| format!("{event} told")));
    let refusals = tally.refusals();
    let reasons = Reason::ALL.iter().map(|reason| format!("{reason:?}"));
    let never = reasons.filter(|reason| !refusals.contains_key(reason.as_str()));
    missing.extend(never.map(|reason| format!("{reason} as a reason to refuse")));
    let faults = tally.counts().into_iter().filter(|(_, count)| *count == 0);
    missing.extend(faults.map(|(name, _)| name.to_owned()));
    missing
}
