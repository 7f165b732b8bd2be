//! `encours payment list|show|record|allocate|deallocate|reverse|refund`.

mod change;

use clap::{Args, Subcommand};
use encours_domain::Day;
use encours_proto::v1;

use super::allocations::{self, Source};
use super::choices::Method;
use super::filters::{OrderArgs, PaymentFilterArgs};
use super::pages::{self, Written};
use super::{LedgerArgs, WriteArgs, amount, currency, day};
use crate::client::{Client, PAGE};
use crate::failure::{Failure, Outcome};
use crate::output::{self, Cell, Column};
use change::{AllocateArgs, DeallocateArgs, RefundArgs, ReverseArgs};

#[derive(Subcommand, Debug)]
pub(crate) enum PaymentVerb {
    /// The payments of a ledger
    #[command(after_help = "Examples:\n  encours payment list --ledger acme --unapplied")]
    List(ListArgs),
    /// One payment and what it is put against
    #[command(after_help = "Examples:\n  encours payment show P-1 --ledger acme")]
    Show(ShowArgs),
    /// Records money received
    #[command(after_help = RECORD_EXAMPLES)]
    Record(RecordArgs),
    /// Puts unapplied money or credit against an invoice of the same customer
    #[command(after_help = ALLOCATE_EXAMPLE)]
    Allocate(AllocateArgs),
    /// Takes what a payment or a credit note has on an invoice back to unapplied
    #[command(after_help = DEALLOCATE_EXAMPLE)]
    Deallocate(DeallocateArgs),
    /// Takes back what is left of a payment: its invoices reopen
    #[command(after_help = "Examples:\n  encours payment reverse P-1 --ledger acme --kind bounced")]
    Reverse(ReverseArgs),
    /// Pays money back to the customer: what is unapplied, or what is put against an invoice
    #[command(after_help = REFUND_EXAMPLES)]
    Refund(RefundArgs),
}

const RECORD_EXAMPLES: &str = "\
Examples:
  encours payment record --ledger acme --customer dupont --amount 450.00 --auto
  encours payment record --ledger acme --invoice F-1 --method cheque
  encours payment record --ledger acme --customer dupont --amount 450.00 \\
    --allocate F-1=300.00 --allocate F-2=150.00";

const REFUND_EXAMPLES: &str = "\
Examples:
  encours payment refund P-1 --ledger acme --reason \"paid twice\"
  encours payment refund P-1 --ledger acme --invoice F-1 --amount 50.00 --method transfer";

const ALLOCATE_EXAMPLE: &str = "\
Examples:
  encours payment allocate --ledger acme --invoice F-1 --payment P-1 --amount 50.00";

const DEALLOCATE_EXAMPLE: &str = "\
Examples:
  encours payment deallocate --ledger acme --invoice F-1 --payment P-1";

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// The payment
    #[arg(value_name = "PAYMENT")]
    payment: String,
    #[command(flatten)]
    target: LedgerArgs,
}

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    target: LedgerArgs,
    #[command(flatten)]
    filter: PaymentFilterArgs,
    #[command(flatten)]
    order: OrderArgs,
}

#[derive(Args, Debug)]
#[command(group(clap::ArgGroup::new("target_invoice").args(["invoice", "auto", "allocate"])))]
pub(crate) struct RecordArgs {
    #[command(flatten)]
    target: LedgerArgs,
    /// Who paid; the customer of --invoice where left out
    #[arg(
        long,
        value_name = "ID",
        default_value = "",
        hide_default_value = true,
        required_unless_present = "invoice"
    )]
    customer: String,
    /// What was received, such as 450.00 or "450.00 USD"; what is open on --invoice where left out
    #[arg(
        long,
        value_name = "AMOUNT",
        required_unless_present = "invoice",
        allow_hyphen_values = true
    )]
    amount: Option<String>,
    /// Puts it against this invoice, up to what is open on it
    #[arg(long, value_name = "ID")]
    invoice: Option<String>,
    /// Puts it against the invoice named by --reference, else of exactly this amount, else the
    /// oldest due
    #[arg(long)]
    auto: bool,
    /// Puts this much of it against this invoice; may be given several times
    #[arg(long, value_name = "INVOICE=AMOUNT", requires = "amount")]
    allocate: Vec<String>,
    /// Id of the new payment; assigned where left out
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    payment: String,
    /// The payer's reference
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reference: String,
    /// The day it was received; the ledger's today where left out
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    date: Option<Day>,
    /// How it came
    #[arg(long, value_enum, default_value = "other")]
    method: Method,
    #[command(flatten)]
    write: WriteArgs,
}

const COLUMNS: [Column; 11] = [
    Column::left("payment_id"),
    Column::left("customer_id"),
    Column::left("received_on"),
    Column::left("method"),
    Column::left("currency"),
    Column::right("amount"),
    Column::right("unapplied"),
    Column::right("refunded").spare(1),
    Column::right("reversed").spare(1),
    Column::left("reference").spare(1),
    Column::left("invoices"),
];

fn row(payment: &v1::Payment) -> Outcome<Vec<Cell>> {
    let currency = payment.amount.as_ref().map(|amount| amount.currency_code.as_str());
    let invoices: Vec<&str> =
        payment.allocations.iter().map(|allocation| allocation.invoice_id.as_str()).collect();
    Ok(vec![
        Cell::text(&payment.payment_id),
        Cell::text(&payment.customer_id),
        output::date(payment.received_on),
        Cell::word(output::word(payment.method().as_str_name(), "PAYMENT_METHOD_")),
        Cell::text(currency.unwrap_or_default()),
        output::money(payment.amount.as_ref())?,
        output::money(payment.unapplied.as_ref())?,
        output::money(payment.refunded.as_ref())?,
        output::money(payment.reversed.as_ref())?,
        Cell::text(&payment.reference),
        Cell::text(invoices.join(" ")),
    ])
}

pub(crate) async fn run(verb: &PaymentVerb) -> Outcome {
    match verb {
        PaymentVerb::List(args) => list(args).await,
        PaymentVerb::Show(args) => show(args).await,
        PaymentVerb::Record(args) => record(args).await,
        PaymentVerb::Allocate(args) => change::allocate(args).await,
        PaymentVerb::Deallocate(args) => change::deallocate(args).await,
        PaymentVerb::Reverse(args) => change::reverse(args).await,
        PaymentVerb::Refund(args) => change::refund(args).await,
    }
}

async fn list(args: &ListArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let request = v1::ListPaymentsRequest {
        ledger_id: ledger.clone(),
        filter: Some(args.filter.filter()),
        page_size: PAGE,
        min_position: client.position(ledger).await?,
        order_by: args.order.order.clone(),
        ..Default::default()
    };
    let rows = |payment: &v1::Payment| Ok(vec![row(payment)?]);
    pages::list(common.output, "payments", &COLUMNS, rows, async |page_token| {
        let request = v1::ListPaymentsRequest { page_token, ..request.clone() };
        client.payments().list_payments(request).await
    })
    .await
}

async fn show(args: &ShowArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let request = v1::GetPaymentRequest {
        ledger_id: ledger.clone(),
        payment_id: args.payment.clone(),
        min_position: client.position(ledger).await?,
    };
    let answer = client.payments().get_payment(request).await?.into_inner();
    let payment = answer.payment.unwrap_or_default();
    let mut more = vec![("version", Cell::Count(payment.version))];
    let reversal = reversal(&payment);
    if reversal != Cell::Empty {
        more.insert(0, ("reversal", reversal));
    }
    let source = Source {
        name: "payment",
        columns: &COLUMNS,
        row: row(&payment)?,
        // The last column is the allocations.
        shown: COLUMNS.len() - 1,
        more,
        allocations: &payment.allocations,
    };
    allocations::show(common.output, source)
}

/// Why a payment was taken back.
fn reversal(payment: &v1::Payment) -> Cell {
    let kind = output::word(payment.reversal().as_str_name(), "REVERSAL_KIND_");
    if kind.is_empty() { Cell::Empty } else { Cell::Word(kind) }
}

/// What `--allocate INVOICE=AMOUNT` says.
fn explicit(text: &str, currency_code: &str) -> Outcome<v1::ExplicitAllocation> {
    let (invoice_id, number) = text.split_once('=').ok_or_else(|| {
        Failure::usage(format!("--allocate {text:?} has no \"=\""))
            .hint("it looks like --allocate F-1=300.00")
    })?;
    let amount = Some(amount("--allocate", number, currency_code)?);
    Ok(v1::ExplicitAllocation { invoice_id: invoice_id.to_owned(), amount })
}

async fn record(args: &RecordArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let amount = match &args.amount {
        None => None,
        Some(text) => {
            let default = currency(&client, ledger, &args.customer).await?;
            Some(amount("--amount", text, &default)?)
        }
    };
    let of = amount.as_ref().map_or("", |amount| amount.currency_code.as_str());
    let allocations =
        args.allocate.iter().map(|text| explicit(text, of)).collect::<Outcome<_>>()?;
    let WriteArgs { request_id, validate_only, reason } = args.write.clone();
    let request = v1::RecordPaymentRequest {
        ledger_id: ledger.clone(),
        request_id,
        validate_only,
        reason,
        payment_id: args.payment.clone(),
        customer_id: args.customer.clone(),
        amount,
        method: v1::PaymentMethod::from(args.method).into(),
        received_on: args.date.map(output::day),
        reference: args.reference.clone(),
        invoice_id: args.invoice.clone().unwrap_or_default(),
        auto: args.auto,
        allocations,
        ..Default::default()
    };
    let answer = client.write(client.payments().record_payment(request)).await?;
    let payment = answer.payment.unwrap_or_default();
    let (version, position, repeat) = (payment.version, answer.position, answer.repeat);
    let done = Written { version, position, repeat, validate_only };
    let rows = vec![row(&payment)?];
    pages::written(common.output, "payment", &COLUMNS, rows, Vec::new(), &done)
}
