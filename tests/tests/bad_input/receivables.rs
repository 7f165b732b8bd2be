//! Drafts, opening items, credit limits, planned payments, refunds, reminders and filters of lists.

use encours_proto::v1;
use encours_proto::v1::command::Command;
use encours_tests::{date, eur};

use crate::LEDGER;
use crate::ask::Ask;
use crate::case::{Case, invalid, refused, unknown};

fn draft(change: impl FnOnce(&mut v1::CreateDraftRequest)) -> Ask {
    let mut request = v1::CreateDraftRequest {
        ledger_id: LEDGER.to_owned(),
        customer_id: "ada".to_owned(),
        total: eur("10.00"),
        ..Default::default()
    };
    change(&mut request);
    Ask::Do(Box::new(Command::CreateDraft(request)))
}

fn opening(change: impl FnOnce(&mut v1::AddOpeningItemRequest)) -> Ask {
    let mut request = v1::AddOpeningItemRequest {
        ledger_id: LEDGER.to_owned(),
        customer_id: "ada".to_owned(),
        direction: v1::OpeningItemDirection::Owing.into(),
        amount: eur("10.00"),
        ..Default::default()
    };
    change(&mut request);
    Ask::Do(Box::new(Command::AddOpeningItem(request)))
}

fn limit(change: impl FnOnce(&mut v1::SetCreditLimitRequest)) -> Ask {
    let mut request = v1::SetCreditLimitRequest {
        ledger_id: LEDGER.to_owned(),
        customer_id: "ada".to_owned(),
        limit: eur("500.00"),
        policy: v1::CreditPolicy::Refuse.into(),
        ..Default::default()
    };
    change(&mut request);
    Ask::Do(Box::new(Command::SetCreditLimit(request)))
}

fn plan(change: impl FnOnce(&mut v1::PlanPaymentRequest)) -> Ask {
    let mut request = v1::PlanPaymentRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: "i1".to_owned(),
        date: date("2024-01-20"),
        ..Default::default()
    };
    change(&mut request);
    Ask::Do(Box::new(Command::PlanPayment(request)))
}

fn refund(change: impl FnOnce(&mut v1::RefundPaymentRequest)) -> Ask {
    let mut request = v1::RefundPaymentRequest {
        ledger_id: LEDGER.to_owned(),
        payment_id: "p1".to_owned(),
        amount: eur("1.00"),
        ..Default::default()
    };
    change(&mut request);
    Ask::Do(Box::new(Command::RefundPayment(request)))
}

fn reminder(change: impl FnOnce(&mut v1::RecordReminderRequest)) -> Ask {
    let mut request = v1::RecordReminderRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: "i1".to_owned(),
        level: 1,
        channel: v1::ReminderChannel::Phone.into(),
        ..Default::default()
    };
    change(&mut request);
    Ask::Do(Box::new(Command::RecordReminder(request)))
}

fn from_draft(change: impl FnOnce(&mut v1::IssueInvoiceRequest)) -> Ask {
    let mut request = v1::IssueInvoiceRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: "i1".to_owned(),
        from_draft: true,
        ..Default::default()
    };
    change(&mut request);
    Ask::Do(Box::new(Command::IssueInvoice(request)))
}

fn delete(invoice_id: &str) -> Ask {
    Ask::Do(Box::new(Command::DeleteDraft(v1::DeleteDraftRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: invoice_id.to_owned(),
        ..Default::default()
    })))
}

fn correct(invoice_id: &str) -> Ask {
    Ask::Do(Box::new(Command::CorrectOpeningItem(v1::CorrectOpeningItemRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: invoice_id.to_owned(),
        amount: eur("9.00"),
        ..Default::default()
    })))
}

fn list(change: impl FnOnce(&mut v1::InvoiceFilter)) -> Ask {
    let mut filter = v1::InvoiceFilter::default();
    change(&mut filter);
    Ask::ListInvoices(Box::new(v1::ListInvoicesRequest {
        ledger_id: LEDGER.to_owned(),
        filter: Some(filter),
        ..Default::default()
    }))
}

fn labelled(label_set: &str, label: &str) -> Option<v1::LabelFilter> {
    Some(v1::LabelFilter { label_set: label_set.to_owned(), label: label.to_owned() })
}

pub(crate) fn cases() -> Vec<Case> {
    [documents(), money(), filters()].into_iter().flatten().collect()
}

fn documents() -> Vec<Case> {
    vec![
        invalid(
            "a draft of nobody",
            draft(|r| r.customer_id.clear()),
            "MISSING_FIELD",
            "customer_id",
        ),
        unknown(
            "a draft of a stranger",
            draft(|r| r.customer_id = "eve".into()),
            "UNKNOWN_CUSTOMER",
        ),
        invalid("a draft below 0", draft(|r| r.total = eur("-1.00")), "NOT_POSITIVE", "total"),
        unknown("no draft to delete", delete("nothing"), "UNKNOWN_INVOICE"),
        refused("an invoice is no draft", delete("i1"), "WRONG_STATE"),
        invalid(
            "a draft issued with what it says itself",
            from_draft(|r| r.customer_id = "ada".into()),
            "CONFLICTING_FIELDS",
            "customer_id",
        ),
        invalid(
            "a draft without an id",
            from_draft(|r| r.invoice_id.clear()),
            "MISSING_FIELD",
            "invoice_id",
        ),
        invalid(
            "an opening item for neither",
            opening(|r| r.direction = 0),
            "MISSING_FIELD",
            "direction",
        ),
        invalid(
            "a credit with a due date",
            opening(|r| r.due_date = date("2024-03-01")),
            "CONFLICTING_FIELDS",
            "due_date",
        ),
        refused("more paid than there was", opening(|r| r.paid = eur("10.01")), "OVER_ALLOCATION"),
        refused("an invoice is no opening item", correct("i1"), "WRONG_STATE"),
        invalid("a reminder of level 0", reminder(|r| r.level = 0), "UNKNOWN_VALUE", "level"),
        invalid("a reminder of level 10", reminder(|r| r.level = 10), "UNKNOWN_VALUE", "level"),
        invalid("a reminder by no means", reminder(|r| r.channel = 0), "MISSING_FIELD", "channel"),
        refused("a reminder of tomorrow", reminder(|r| r.date = date("2024-01-11")), "WRONG_STATE"),
    ]
}

fn money() -> Vec<Case> {
    vec![
        invalid("a limit that does nothing", limit(|r| r.policy = 0), "MISSING_FIELD", "policy"),
        invalid("a forgotten limit", limit(|r| r.limit = None), "CONFLICTING_FIELDS", "policy"),
        invalid("a limit below 0", limit(|r| r.limit = eur("-1.00")), "NOT_POSITIVE", "limit"),
        invalid("a policy of tomorrow", limit(|r| r.policy = 77), "UNKNOWN_VALUE", "policy"),
        refused(
            "a limit in two currencies",
            limit(|r| r.currency_code = "USD".into()),
            "CURRENCY_MISMATCH",
        ),
        invalid("a plan without a day", plan(|r| r.date = None), "MISSING_FIELD", "date"),
        invalid("a plan of nothing", plan(|r| r.amount = eur("0.00")), "NOT_POSITIVE", "amount"),
        refused(
            "a plan of more than is open",
            plan(|r| r.amount = eur("60.01")),
            "OVER_ALLOCATION",
        ),
        refused("a plan for yesterday", plan(|r| r.date = date("2024-01-09")), "DATED_BEFORE_FACT"),
        refused(
            "a plan for a cancelled invoice",
            plan(|r| r.invoice_id = "cancelled".into()),
            "NOTHING_LEFT",
        ),
        invalid(
            "a refund of nothing",
            refund(|r| r.amount = eur("0.00")),
            "NOT_POSITIVE",
            "amount",
        ),
        refused(
            "a refund of more than is left",
            refund(|r| r.amount = eur("5.01")),
            "OVER_ALLOCATION",
        ),
        refused(
            "a refund of what was taken back",
            refund(|r| r.payment_id = "p-reversed".into()),
            "WRONG_STATE",
        ),
        refused(
            "a refund from an invoice it never paid",
            refund(|r| r.invoice_id = "cancelled".into()),
            "NOTHING_LEFT",
        ),
    ]
}

fn filters() -> Vec<Case> {
    let order = Ask::ListInvoices(Box::new(v1::ListInvoicesRequest {
        ledger_id: LEDGER.to_owned(),
        order_by: "total".to_owned(),
        ..Default::default()
    }));
    vec![
        invalid("an order that is none", order, "UNKNOWN_VALUE", "order_by"),
        invalid(
            "a label set of another list",
            list(|f| f.label = labelled("tiime", "à jour")),
            "UNKNOWN_VALUE",
            "filter.label.label_set",
        ),
        invalid(
            "a label of another set",
            list(|f| f.label = labelled("libeo", "relance 1")),
            "UNKNOWN_VALUE",
            "filter.label.label",
        ),
        invalid(
            "levels from high to low",
            list(|f| (f.least_reminder_level, f.most_reminder_level) = (Some(2), Some(1))),
            "CONFLICTING_FIELDS",
            "filter.most_reminder_level",
        ),
        invalid(
            "days that end before they begin",
            list(|f| {
                f.due_dates =
                    Some(v1::DateRange { first: date("2024-02-02"), last: date("2024-02-01") });
            }),
            "INVALID_DATE",
            "filter.due_dates.last",
        ),
        invalid(
            "amounts of nothing",
            list(|f| f.open_amounts = Some(v1::MoneyRange::default())),
            "MISSING_FIELD",
            "filter.open_amounts.least",
        ),
        invalid("a long search", list(|f| f.text = "é".repeat(129)), "TOO_LARGE", "filter.text"),
        unknown(
            "invoices of a stranger",
            list(|f| f.customer_id = "eve".into()),
            "UNKNOWN_CUSTOMER",
        ),
    ]
}
