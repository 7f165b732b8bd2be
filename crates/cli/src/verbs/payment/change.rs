//! `encours payment allocate|deallocate|reverse|refund`: what becomes of money that was recorded.

use clap::{ArgGroup, Args};
use encours_domain::Day;
use encours_proto::v1;

use super::super::choices::{Method, Reversal, Sources};
use super::super::pages::{self, Written};
use super::super::{ChangeArgs, LedgerArgs, WriteArgs, amount_on, day, invoice};
use super::{COLUMNS, reversal, row};
use crate::client::Client;
use crate::failure::Outcome;
use crate::output;

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("source").args(["payment", "credit_note", "opening_item", "from"])))]
pub(crate) struct AllocateArgs {
    #[command(flatten)]
    target: LedgerArgs,
    /// The invoice
    #[arg(long, value_name = "ID")]
    invoice: String,
    /// Takes it from this payment
    #[arg(long, value_name = "ID")]
    payment: Option<String>,
    /// Takes it from this credit note
    #[arg(long, value_name = "ID")]
    credit_note: Option<String>,
    /// Takes it from this opening item owing to the customer
    #[arg(long, value_name = "ID")]
    opening_item: Option<String>,
    /// Takes it from whatever of these is unapplied, oldest first; credit notes, then payments where
    /// left out
    #[arg(long, value_enum)]
    from: Option<Sources>,
    /// How much; as much as fits where left out
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    amount: Option<String>,
    /// The day; the ledger's today where left out
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    date: Option<Day>,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("source").args(["payment", "credit_note", "opening_item"]).required(true)))]
pub(crate) struct DeallocateArgs {
    #[command(flatten)]
    target: LedgerArgs,
    /// The invoice
    #[arg(long, value_name = "ID")]
    invoice: String,
    /// Takes this payment off it
    #[arg(long, value_name = "ID")]
    payment: Option<String>,
    /// Takes this credit note off it
    #[arg(long, value_name = "ID")]
    credit_note: Option<String>,
    /// Takes this opening item owing to the customer off it
    #[arg(long, value_name = "ID")]
    opening_item: Option<String>,
    /// How much; all of it where left out
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    amount: Option<String>,
    /// The day, not before the allocation's; the ledger's today where left out
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    date: Option<Day>,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Args, Debug)]
pub(crate) struct ReverseArgs {
    /// The payment
    #[arg(value_name = "PAYMENT")]
    payment: String,
    #[command(flatten)]
    target: LedgerArgs,
    /// Why it is taken back
    #[arg(long, value_enum)]
    kind: Reversal,
    /// The day, not before the payment or its allocations; the ledger's today where left out
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    date: Option<Day>,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Args, Debug)]
pub(crate) struct RefundArgs {
    /// The payment
    #[arg(value_name = "PAYMENT")]
    payment: String,
    #[command(flatten)]
    target: LedgerArgs,
    /// Pays back what the payment has on this invoice, which reopens; what is unapplied where left
    /// out
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    invoice: String,
    /// How much; all of that where left out
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    amount: Option<String>,
    /// How; as the payment came where left out
    #[arg(long, value_enum)]
    method: Option<Method>,
    /// The day; the ledger's today where left out
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    date: Option<Day>,
    /// The reference of the refund
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reference: String,
    #[command(flatten)]
    change: ChangeArgs,
}

pub(crate) async fn allocate(args: &AllocateArgs) -> Outcome {
    use v1::allocate_request::Source;
    let AllocateArgs { target, invoice, .. } = args;
    let client = Client::connect(&target.common.server).await?;
    let amount = amount_on(&client, target, invoice, "--amount", args.amount.as_ref()).await?;
    let payment = args.payment.clone().map(Source::PaymentId);
    let credit_note = args.credit_note.clone().map(Source::CreditNoteId);
    let opening = args.opening_item.clone().map(Source::OpeningItemId);
    let from = args.from.map(|from| Source::Sources(v1::AllocationSources::from(from).into()));
    let WriteArgs { request_id, validate_only, reason } = args.change.write.clone();
    let request = v1::AllocateRequest {
        ledger_id: target.ledger.clone(),
        request_id,
        expected_version: args.change.expected_version,
        validate_only,
        reason,
        invoice_id: invoice.clone(),
        source: payment.or(credit_note).or(opening).or(from),
        amount,
        date: args.date.map(output::day),
    };
    let answer = client.write(client.payments().allocate(request)).await?;
    let invoice = answer.invoice.unwrap_or_default();
    let (version, position, repeat) = (invoice.version, answer.position, answer.repeat);
    print_invoice(target, &invoice, &Written { version, position, repeat, validate_only })
}

pub(crate) async fn deallocate(args: &DeallocateArgs) -> Outcome {
    use v1::deallocate_request::Source;
    let DeallocateArgs { target, invoice, .. } = args;
    let client = Client::connect(&target.common.server).await?;
    let amount = amount_on(&client, target, invoice, "--amount", args.amount.as_ref()).await?;
    let payment = args.payment.clone().map(Source::PaymentId);
    let credit_note = args.credit_note.clone().map(Source::CreditNoteId);
    let opening = args.opening_item.clone().map(Source::OpeningItemId);
    let WriteArgs { request_id, validate_only, reason } = args.change.write.clone();
    let request = v1::DeallocateRequest {
        ledger_id: target.ledger.clone(),
        request_id,
        expected_version: args.change.expected_version,
        validate_only,
        reason,
        invoice_id: invoice.clone(),
        source: payment.or(credit_note).or(opening),
        amount,
        date: args.date.map(output::day),
    };
    let answer = client.write(client.payments().deallocate(request)).await?;
    let invoice = answer.invoice.unwrap_or_default();
    let (version, position, repeat) = (invoice.version, answer.position, answer.repeat);
    print_invoice(target, &invoice, &Written { version, position, repeat, validate_only })
}

fn print_invoice(target: &LedgerArgs, changed: &v1::Invoice, done: &Written) -> Outcome {
    let rows = vec![invoice::row(changed)?];
    let how = target.common.output;
    pages::written(how, "invoice", invoice::COLUMNS, rows, Vec::new(), done)
}

pub(crate) async fn reverse(args: &ReverseArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let WriteArgs { request_id, validate_only, reason } = args.change.write.clone();
    let request = v1::ReversePaymentRequest {
        ledger_id: ledger.clone(),
        request_id,
        expected_version: args.change.expected_version,
        validate_only,
        reason,
        payment_id: args.payment.clone(),
        kind: v1::ReversalKind::from(args.kind).into(),
        date: args.date.map(output::day),
    };
    let answer = client.write(client.payments().reverse_payment(request)).await?;
    let payment = answer.payment.unwrap_or_default();
    let (version, position, repeat) = (payment.version, answer.position, answer.repeat);
    let done = Written { version, position, repeat, validate_only };
    let more = vec![("reversal", reversal(&payment))];
    pages::written(common.output, "payment", &COLUMNS, vec![row(&payment)?], more, &done)
}

pub(crate) async fn refund(args: &RefundArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let amount = match &args.amount {
        None => None,
        Some(text) => {
            let request = v1::GetPaymentRequest {
                ledger_id: ledger.clone(),
                payment_id: args.payment.clone(),
                min_position: client.position(ledger).await?,
            };
            let answer = client.payments().get_payment(request).await?.into_inner();
            let received = answer.payment.unwrap_or_default().amount.unwrap_or_default();
            Some(super::super::amount("--amount", text, &received.currency_code)?)
        }
    };
    let WriteArgs { request_id, validate_only, reason } = args.change.write.clone();
    let request = v1::RefundPaymentRequest {
        ledger_id: ledger.clone(),
        request_id,
        expected_version: args.change.expected_version,
        validate_only,
        reason,
        payment_id: args.payment.clone(),
        invoice_id: args.invoice.clone(),
        amount,
        method: args.method.map(v1::PaymentMethod::from).unwrap_or_default().into(),
        date: args.date.map(output::day),
        reference: args.reference.clone(),
    };
    let answer = client.write(client.payments().refund_payment(request)).await?;
    let payment = answer.payment.unwrap_or_default();
    let (version, position, repeat) = (payment.version, answer.position, answer.repeat);
    let done = Written { version, position, repeat, validate_only };
    let rows = vec![row(&payment)?];
    pages::written(common.output, "payment", &COLUMNS, rows, Vec::new(), &done)
}
