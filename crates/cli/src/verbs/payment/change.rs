//! `encours payment allocate|deallocate|reverse`: what becomes of money that was recorded.

use clap::{ArgGroup, Args, ValueEnum};
use encours_domain::Day;
use encours_proto::v1;

use super::super::pages::{self, Written};
use super::super::{ChangeArgs, LedgerArgs, WriteArgs, amount_on, day, invoice};
use super::{COLUMNS, reversal, row};
use crate::client::Client;
use crate::failure::Outcome;
use crate::output;

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("source").args(["payment", "credit_note", "from"])))]
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

/// What unapplied money an allocation may use.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Sources {
    CreditNotes,
    Payments,
}

impl From<Sources> for v1::AllocationSources {
    fn from(sources: Sources) -> Self {
        match sources {
            Sources::CreditNotes => Self::CreditNotes,
            Sources::Payments => Self::Payments,
        }
    }
}

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("source").args(["payment", "credit_note"]).required(true)))]
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
    kind: Kind,
    /// The day, not before the payment or its allocations; the ledger's today where left out
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    date: Option<Day>,
    #[command(flatten)]
    change: ChangeArgs,
}

/// Why a payment is taken back.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// It was typed in wrongly
    EntryError,
    /// It was recorded twice
    Duplicate,
    /// The cheque or direct debit bounced
    Bounced,
    /// The card holder took it back
    Chargeback,
}

impl From<Kind> for v1::ReversalKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::EntryError => Self::EntryError,
            Kind::Duplicate => Self::Duplicate,
            Kind::Bounced => Self::Bounced,
            Kind::Chargeback => Self::Chargeback,
        }
    }
}

pub(crate) async fn allocate(args: &AllocateArgs) -> Outcome {
    use v1::allocate_request::Source;
    let AllocateArgs { target, invoice, .. } = args;
    let client = Client::connect(&target.common.server).await?;
    let amount = amount_on(&client, target, invoice, "--amount", args.amount.as_ref()).await?;
    let payment = args.payment.clone().map(Source::PaymentId);
    let credit_note = args.credit_note.clone().map(Source::CreditNoteId);
    let from = args.from.map(|from| Source::Sources(v1::AllocationSources::from(from).into()));
    let WriteArgs { request_id, validate_only, reason } = args.change.write.clone();
    let request = v1::AllocateRequest {
        ledger_id: target.ledger.clone(),
        request_id,
        expected_version: args.change.expected_version,
        validate_only,
        reason,
        invoice_id: invoice.clone(),
        source: payment.or(credit_note).or(from),
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
    let WriteArgs { request_id, validate_only, reason } = args.change.write.clone();
    let request = v1::DeallocateRequest {
        ledger_id: target.ledger.clone(),
        request_id,
        expected_version: args.change.expected_version,
        validate_only,
        reason,
        invoice_id: invoice.clone(),
        source: payment.or(credit_note),
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
    pages::written(how, "invoice", &invoice::COLUMNS, rows, Vec::new(), done)
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
