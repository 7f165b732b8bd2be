//! Invoices: what is asked, what is shown.

use encours_domain::commands::{
    CancelInvoice, DisputeInvoice, InvoiceLine, IssueInvoice, MarkSent, ResolveDispute,
};
use encours_domain::event::{InvoiceContent, Line, Rate, Tax};
use encours_domain::labels::InvoiceLabels;
use encours_domain::resource::ItemKind;
use encours_domain::status::{Document, Dunning, Facets, Headline, Settlement, Timing};
use encours_domain::terms::Due;
use encours_domain::{Currency, Reason, Refusal, resource};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::command::{id, optional_id};
use crate::money::{
    currency, date_message, day, missing, money, money_in, money_message, optional, optional_day,
    terms, unknown,
};
use crate::plan::planned_message;
use crate::reminder::{next_message, sent_message};
use crate::v1;

/// Fraction digits of a rate in percent.
const RATE_DIGITS: u32 = 3;

/// Reads an invoice that is issued without a draft, or what a draft is to say.
pub(crate) fn direct_issue(request: v1::IssueInvoiceRequest) -> Result<IssueInvoice, Refusal> {
    let ledger_id = id("ledger_id", &request.ledger_id)?;
    let customer_id = id("customer_id", &request.customer_id)?;
    let currency = common_currency(&request)?;
    let total = match (&request.total, currency) {
        (Some(total), Some(currency)) => Some(money_in("total", total, currency)?),
        _ => None,
    };
    Ok(IssueInvoice {
        ledger_id,
        invoice_id: optional_id("invoice_id", &request.invoice_id)?,
        customer_id,
        number: optional(request.number),
        issue_date: optional_day("issue_date", request.issue_date)?,
        due: match request.due {
            None => None,
            Some(v1::issue_invoice_request::Due::Terms(by)) => {
                Some(Due::Terms(terms("terms", by)?))
            }
            Some(v1::issue_invoice_request::Due::DueDate(date)) => {
                Some(Due::Date(day("due_date", date)?))
            }
        },
        currency,
        total,
        lines: numbered(request.lines, "lines", |line| self::line(line, currency))?,
        taxes: numbered(request.taxes, "taxes", |tax| self::tax(&tax, currency))?,
        reference: optional(request.reference),
        purchase_order: request.purchase_order,
        text: request.text,
        metadata: request.metadata,
        override_credit_limit: request.override_credit_limit,
    })
}

/// Reads every entry of a list; a refusal names the entry, such as `lines[2].amount`.
fn numbered<M, T>(
    messages: Vec<M>,
    field: &str,
    read: impl Fn(M) -> Result<T, Refusal>,
) -> Result<Vec<T>, Refusal> {
    let read_one =
        |(at, message)| read(message).map_err(|refusal| refusal.within(&format!("{field}[{at}]")));
    messages.into_iter().enumerate().map(read_one).collect()
}

/// The currency that the request names, or else its first amount.
fn common_currency(request: &v1::IssueInvoiceRequest) -> Result<Option<Currency>, Refusal> {
    let named = currency("currency_code", &request.currency_code)?;
    if named.is_some() {
        return Ok(named);
    }
    let lines = request.lines.iter().enumerate().filter_map(|(at, line)| {
        line.amount.as_ref().map(|amount| (format!("lines[{at}].amount"), amount))
    });
    let taxes = request.taxes.iter().enumerate().filter_map(|(at, tax)| {
        tax.base.as_ref().map(|amount| (format!("taxes[{at}].base"), amount))
    });
    request
        .total
        .iter()
        .map(|total| ("total".to_owned(), total))
        .chain(lines)
        .chain(taxes)
        .next()
        .map(|(field, amount)| money(&field, amount).map(|money| money.currency))
        .transpose()
}

fn line(message: v1::InvoiceLine, currency: Option<Currency>) -> Result<InvoiceLine, Refusal> {
    let amount = match (&message.amount, currency) {
        (Some(amount), Some(currency)) => Some(money_in("amount", amount, currency)?),
        _ => None,
    };
    Ok(InvoiceLine {
        quantity: decimal("quantity", &message.quantity)?,
        unit_price: decimal("unit_price", &message.unit_price)?,
        amount,
        rate: rate("tax_rate", &message.tax_rate)?,
        description: message.description,
    })
}

fn tax(message: &v1::InvoiceTax, currency: Option<Currency>) -> Result<Tax, Refusal> {
    let amount = |field, amount: &Option<v1::Money>| match (amount, currency) {
        (Some(amount), Some(currency)) => money_in(field, amount, currency),
        _ => Err(missing(field)),
    };
    Ok(Tax {
        rate: rate("tax_rate", &message.tax_rate)?,
        base: amount("base", &message.base)?,
        tax: amount("tax", &message.tax)?,
    })
}

fn decimal(field: &str, text: &str) -> Result<Option<Decimal>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    // WHY: a decimal number has at most 28 digits; what is longer is cut in the message.
    // The library takes `1_000` for a thousand.
    let exact = Decimal::from_str_exact(text).ok().filter(|_| !text.contains('_'));
    exact.map(Some).ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        let message = format!("{field} is not a decimal number of at most 28 digits: {shown:?}");
        Refusal::new(Reason::InvalidAmount, field, message)
    })
}

fn rate(field: &str, text: &str) -> Result<Rate, Refusal> {
    let Some(percent) = decimal(field, text)?.map(|percent| percent.normalize()) else {
        return Ok(Rate::default());
    };
    if percent.scale() > RATE_DIGITS {
        return Err(Refusal::new(
            Reason::TooManyDecimals,
            field,
            format!("{field} is {percent}: a rate has at most {RATE_DIGITS} fraction digits"),
        )
        .with("rate", percent)
        .with("fraction_digits", RATE_DIGITS));
    }
    (percent <= Decimal::ONE_HUNDRED)
        .then(|| (percent * Decimal::ONE_THOUSAND).to_u32())
        .flatten()
        .map(Rate)
        .ok_or_else(|| {
            Refusal::new(
                Reason::InvalidAmount,
                field,
                format!("{field} is {percent} percent, 0 to 100 are allowed"),
            )
            .with("rate", percent)
        })
}

pub(crate) fn mark_sent(request: &v1::MarkSentRequest) -> Result<MarkSent, Refusal> {
    Ok(MarkSent {
        ledger_id: id("ledger_id", &request.ledger_id)?,
        invoice_id: id("invoice_id", &request.invoice_id)?,
        date: optional_day("date", request.date)?,
    })
}

pub(crate) fn cancel_invoice(request: v1::CancelInvoiceRequest) -> Result<CancelInvoice, Refusal> {
    Ok(CancelInvoice {
        ledger_id: id("ledger_id", &request.ledger_id)?,
        invoice_id: id("invoice_id", &request.invoice_id)?,
        credit_note_id: optional_id("credit_note_id", &request.credit_note_id)?,
        number: optional(request.number),
        date: optional_day("date", request.date)?,
        reason: request.reason,
        keep_unapplied: request.keep_unapplied,
    })
}

pub(crate) fn dispute_invoice(
    request: v1::DisputeInvoiceRequest,
) -> Result<DisputeInvoice, Refusal> {
    Ok(DisputeInvoice {
        ledger_id: id("ledger_id", &request.ledger_id)?,
        invoice_id: id("invoice_id", &request.invoice_id)?,
        date: optional_day("date", request.date)?,
        reason: request.reason,
    })
}

pub(crate) fn resolve_dispute(
    request: &v1::ResolveDisputeRequest,
) -> Result<ResolveDispute, Refusal> {
    Ok(ResolveDispute {
        ledger_id: id("ledger_id", &request.ledger_id)?,
        invoice_id: id("invoice_id", &request.invoice_id)?,
        date: optional_day("date", request.date)?,
    })
}

/// Writes an invoice; with `content` in the full view.
#[must_use]
pub fn invoice_message(
    invoice: &resource::Invoice,
    content: Option<&InvoiceContent>,
) -> v1::Invoice {
    let money = |minor| Some(money_message(minor, invoice.currency));
    v1::Invoice {
        ledger_id: invoice.ledger_id.to_string(),
        invoice_id: invoice.id.to_string(),
        number: invoice.number.to_string(),
        customer_id: invoice.customer_id.to_string(),
        total: money(invoice.total),
        open: money(invoice.open),
        credited: money(invoice.credited),
        credit_noted: money(invoice.credit_noted),
        issue_date: invoice.issue_date.map(date_message),
        due_date: invoice.due.map(|due| date_message(due.date)),
        grace_days: invoice.due.map_or(0, |due| i32::from(due.grace_days)),
        sent_on: invoice.sent_on.map(date_message),
        reference: invoice.reference.to_string(),
        status: headline_message(invoice.facets.headline()).into(),
        facets: Some(facets_message(invoice.facets)),
        content: content.map(|content| content_message(content, invoice.currency)),
        created_position: invoice.created.0,
        version: invoice.version.0,
        kind: kind_message(invoice.kind).into(),
        deleted: invoice.deleted,
        paid_before: money(invoice.paid_before),
        unapplied: money(invoice.unapplied),
        planned_payment: invoice.planned.map(|plan| planned_message(&plan, invoice.currency)),
        over_limit: money(invoice.over_limit),
        last_reminder: invoice.last_reminder.as_ref().map(sent_message),
        next_reminder: invoice.next_reminder.as_ref().map(next_message),
        // The labels are words for claims: a credit has none.
        labels: InvoiceLabels::ALL
            .iter()
            .filter(|_| invoice.kind != ItemKind::OpeningOwing)
            .map(|set| (set.id().to_owned(), set.label(invoice.facets).to_owned()))
            .collect(),
        draft: None,
    }
}

fn content_message(content: &InvoiceContent, currency: Currency) -> v1::InvoiceContent {
    v1::InvoiceContent {
        lines: content.lines.iter().map(|line| line_message(line, currency)).collect(),
        taxes: content
            .taxes
            .iter()
            .map(|tax| v1::InvoiceTax {
                tax_rate: rate_text(tax.rate),
                base: Some(money_message(tax.base, currency)),
                tax: Some(money_message(tax.tax, currency)),
            })
            .collect(),
        purchase_order: content.purchase_order.clone(),
        text: content.text.clone(),
        metadata: content.metadata.iter().cloned().collect(),
    }
}

fn line_message(line: &Line, currency: Currency) -> v1::InvoiceLine {
    let text = |number: Option<Decimal>| number.map_or_else(String::new, |n| n.to_string());
    v1::InvoiceLine {
        description: line.description.clone(),
        quantity: text(line.quantity),
        unit_price: text(line.unit_price),
        amount: Some(money_message(line.amount, currency)),
        tax_rate: rate_text(line.rate),
    }
}

fn rate_text(rate: Rate) -> String {
    Decimal::new(i64::from(rate.0), RATE_DIGITS).normalize().to_string()
}

fn facets_message(facets: Facets) -> v1::InvoiceFacets {
    v1::InvoiceFacets {
        document: match facets.document {
            Document::Issued => v1::DocumentState::Issued,
            Document::Cancelled => v1::DocumentState::Cancelled,
            Document::Draft => v1::DocumentState::Draft,
        }
        .into(),
        settlement: match facets.settlement {
            Settlement::Unpaid => v1::SettlementState::Unpaid,
            Settlement::PartiallyPaid => v1::SettlementState::PartiallyPaid,
            Settlement::Paid => v1::SettlementState::Paid,
        }
        .into(),
        timing: match facets.timing {
            Timing::NotDue => v1::TimingState::NotDue,
            Timing::Due => v1::TimingState::Due,
            Timing::Overdue => v1::TimingState::Overdue,
        }
        .into(),
        disputed: facets.disputed,
        dunning: dunning_message(facets.dunning).into(),
        reminder_level: i32::from(facets.level),
        payment_planned: facets.planned,
    }
}

/// Writes how far a follow-up went.
const fn dunning_message(dunning: Dunning) -> v1::DunningState {
    match dunning {
        Dunning::None => v1::DunningState::None,
        Dunning::Level(_) => v1::DunningState::Level,
        Dunning::OnHold => v1::DunningState::OnHold,
        Dunning::Stopped => v1::DunningState::Stopped,
        Dunning::Exhausted => v1::DunningState::Exhausted,
    }
}

/// Writes what an item is.
#[must_use]
pub const fn kind_message(kind: ItemKind) -> v1::InvoiceKind {
    match kind {
        ItemKind::Invoice => v1::InvoiceKind::Invoice,
        ItemKind::OpeningOwed => v1::InvoiceKind::OpeningOwed,
        ItemKind::OpeningOwing => v1::InvoiceKind::OpeningOwing,
    }
}

/// Reads what an item is.
///
/// # Errors
/// `UNKNOWN_VALUE` or `MISSING_FIELD`, naming `field`.
pub fn kind(field: &str, number: i32) -> Result<ItemKind, Refusal> {
    use v1::InvoiceKind as K;
    match K::try_from(number).map_err(|_| unknown(field, number))? {
        K::Unspecified => Err(missing(field)),
        K::Invoice => Ok(ItemKind::Invoice),
        K::OpeningOwed => Ok(ItemKind::OpeningOwed),
        K::OpeningOwing => Ok(ItemKind::OpeningOwing),
    }
}

/// Writes a headline status.
#[must_use]
pub const fn headline_message(headline: Headline) -> v1::InvoiceStatus {
    match headline {
        Headline::Cancelled => v1::InvoiceStatus::Cancelled,
        Headline::Paid => v1::InvoiceStatus::Paid,
        Headline::Overdue => v1::InvoiceStatus::Overdue,
        Headline::PartiallyPaid => v1::InvoiceStatus::PartiallyPaid,
        Headline::NotDue => v1::InvoiceStatus::NotDue,
        Headline::Draft => v1::InvoiceStatus::Draft,
        Headline::PaymentPlanned => v1::InvoiceStatus::PaymentPlanned,
    }
}

/// Reads a headline status.
///
/// # Errors
/// `UNKNOWN_VALUE` or `MISSING_FIELD`, naming `field`.
pub fn headline(field: &str, number: i32) -> Result<Headline, Refusal> {
    use v1::InvoiceStatus as S;
    match S::try_from(number).map_err(|_| unknown(field, number))? {
        S::Unspecified => Err(missing(field)),
        S::Cancelled => Ok(Headline::Cancelled),
        S::Paid => Ok(Headline::Paid),
        S::Overdue => Ok(Headline::Overdue),
        S::PartiallyPaid => Ok(Headline::PartiallyPaid),
        S::NotDue => Ok(Headline::NotDue),
        S::Draft => Ok(Headline::Draft),
        S::PaymentPlanned => Ok(Headline::PaymentPlanned),
    }
}

/// Reads a state of the document.
///
/// # Errors
/// `UNKNOWN_VALUE` or `MISSING_FIELD`, naming `field`.
pub fn document(field: &str, number: i32) -> Result<Document, Refusal> {
    use v1::DocumentState as S;
    match S::try_from(number).map_err(|_| unknown(field, number))? {
        S::Unspecified => Err(missing(field)),
        S::Issued => Ok(Document::Issued),
        S::Cancelled => Ok(Document::Cancelled),
        S::Draft => Ok(Document::Draft),
    }
}

/// Reads a state of settlement.
///
/// # Errors
/// `UNKNOWN_VALUE` or `MISSING_FIELD`, naming `field`.
pub fn settlement(field: &str, number: i32) -> Result<Settlement, Refusal> {
    use v1::SettlementState as S;
    match S::try_from(number).map_err(|_| unknown(field, number))? {
        S::Unspecified => Err(missing(field)),
        S::Unpaid => Ok(Settlement::Unpaid),
        S::PartiallyPaid => Ok(Settlement::PartiallyPaid),
        S::Paid => Ok(Settlement::Paid),
    }
}

/// Reads a state of timing.
///
/// # Errors
/// `UNKNOWN_VALUE` or `MISSING_FIELD`, naming `field`.
pub fn timing(field: &str, number: i32) -> Result<Timing, Refusal> {
    use v1::TimingState as S;
    match S::try_from(number).map_err(|_| unknown(field, number))? {
        S::Unspecified => Err(missing(field)),
        S::NotDue => Ok(Timing::NotDue),
        S::Due => Ok(Timing::Due),
        S::Overdue => Ok(Timing::Overdue),
    }
}
