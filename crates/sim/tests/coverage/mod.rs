//! What a workload worth its name comes across.

use std::collections::BTreeMap;

/// Commands, each accepted.
const ACCEPTED: &[&str] = &[
    "CreateLedger",
    "AdvanceClock",
    "CreateCustomer",
    "UpdateCustomer",
    "IssueInvoice",
    "MarkSent",
    "DisputeInvoice",
    "ResolveDispute",
    "CancelInvoice",
    "RecordPayment",
    "Allocate",
    "Deallocate",
    "ReversePayment",
    "IssueCreditNote",
    "CreateDraft",
    "UpdateDraft",
    "DeleteDraft",
    "IssueDraft",
    "AddOpeningItem",
    "CorrectOpeningItem",
    "PlanPayment",
    "CancelPlannedPayment",
    "SetCreditLimit",
    "RefundPayment",
    "StopReminders",
    "RecordReminder",
    "OpenDay",
    "RunDay",
];

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

/// Outcomes of commands that must have come across.
pub(crate) fn check_outcomes(outcomes: &BTreeMap<String, u32>) {
    let accepted = ACCEPTED.iter().map(|name| format!("{name} accepted"));
    for outcome in accepted.chain(REFUSED.iter().map(ToString::to_string)) {
        assert!(outcomes.contains_key(&outcome), "never came across: {outcome}");
    }
}

/// Events that must have been told.
pub(crate) fn check_told(told: &BTreeMap<String, u32>) {
    for event in TOLD {
        assert!(told.contains_key(*event), "never told: {event}");
    }
}
