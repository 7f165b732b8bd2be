//! Drafts of invoices: what is asked, and what a draft says.

use encours_domain::commands::{
    Command, CreateDraft, DeleteDraft, IssueDraft, IssueInvoice, UpdateDraft,
};
use encours_domain::event::Draft;
use encours_domain::terms::Due;
use encours_domain::{Reason, Refusal};

use crate::command::id;
use crate::invoice::direct_issue;
use crate::money::{date_message, optional, optional_day, terms_message};
use crate::v1;

/// What a draft is asked to say is what its invoice would be asked to say.
macro_rules! invoice_of {
    ($request:expr, $due:path) => {{
        use $due as Asked;
        let request = $request;
        direct_issue(v1::IssueInvoiceRequest {
            ledger_id: request.ledger_id,
            invoice_id: request.invoice_id,
            customer_id: request.customer_id,
            number: request.number,
            issue_date: request.issue_date,
            due: request.due.map(|due| match due {
                Asked::Terms(terms) => v1::issue_invoice_request::Due::Terms(terms),
                Asked::DueDate(date) => v1::issue_invoice_request::Due::DueDate(date),
            }),
            currency_code: request.currency_code,
            total: request.total,
            lines: request.lines,
            taxes: request.taxes,
            reference: request.reference,
            purchase_order: request.purchase_order,
            text: request.text,
            metadata: request.metadata,
            // What surrounds a write is read beside its command.
            request_id: String::new(),
            expected_version: None,
            validate_only: false,
            reason: String::new(),
            from_draft: false,
            override_credit_limit: false,
        })
    }};
}

pub(crate) fn create_draft(request: v1::CreateDraftRequest) -> Result<CreateDraft, Refusal> {
    let invoice: IssueInvoice = invoice_of!(request, v1::create_draft_request::Due)?;
    Ok(CreateDraft { invoice })
}

pub(crate) fn update_draft(request: v1::UpdateDraftRequest) -> Result<UpdateDraft, Refusal> {
    id("ledger_id", &request.ledger_id)?;
    id("invoice_id", &request.invoice_id)?;
    let invoice: IssueInvoice = invoice_of!(request, v1::update_draft_request::Due)?;
    Ok(UpdateDraft { invoice })
}

pub(crate) fn delete_draft(request: &v1::DeleteDraftRequest) -> Result<DeleteDraft, Refusal> {
    Ok(DeleteDraft {
        ledger_id: id("ledger_id", &request.ledger_id)?,
        invoice_id: id("invoice_id", &request.invoice_id)?,
    })
}

/// Reads what issues an invoice, directly or from a draft.
pub(crate) fn issue_invoice(request: v1::IssueInvoiceRequest) -> Result<Command, Refusal> {
    if !request.from_draft {
        return direct_issue(request).map(Command::from);
    }
    if let Some(field) = beside_a_draft(&request) {
        return Err(Refusal::new(
            Reason::ConflictingFields,
            field,
            format!("from_draft and {field} are both given: the draft says it"),
        ));
    }
    let command = IssueDraft {
        ledger_id: id("ledger_id", &request.ledger_id)?,
        invoice_id: id("invoice_id", &request.invoice_id)?,
        issue_date: optional_day("issue_date", request.issue_date)?,
        number: optional(request.number),
        override_credit_limit: request.override_credit_limit,
    };
    Ok(command.into())
}

/// The first field that only a draft says, where one is given.
fn beside_a_draft(request: &v1::IssueInvoiceRequest) -> Option<&'static str> {
    use v1::issue_invoice_request::Due as Asked;
    let given = [
        (!request.customer_id.is_empty(), "customer_id"),
        (matches!(request.due, Some(Asked::Terms(_))), "terms"),
        (matches!(request.due, Some(Asked::DueDate(_))), "due_date"),
        (!request.currency_code.is_empty(), "currency_code"),
        (request.total.is_some(), "total"),
        (!request.lines.is_empty(), "lines"),
        (!request.taxes.is_empty(), "taxes"),
        (!request.reference.is_empty(), "reference"),
        (!request.purchase_order.is_empty(), "purchase_order"),
        (!request.text.is_empty(), "text"),
        (!request.metadata.is_empty(), "metadata"),
    ];
    given.iter().find(|(given, _)| *given).map(|(_, field)| *field)
}

/// Writes what a draft says beside amounts and content.
#[must_use]
pub fn draft_message(draft: &Draft) -> v1::DraftFields {
    use v1::draft_fields::Due as Said;
    let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().unwrap_or_default().to_owned();
    v1::DraftFields {
        number: text(&draft.number),
        due: draft.due.map(|due| match due {
            Due::Terms(terms) => Said::Terms(terms_message(terms)),
            Due::Date(date) => Said::DueDate(date_message(date)),
        }),
        reference: text(&draft.reference),
    }
}
