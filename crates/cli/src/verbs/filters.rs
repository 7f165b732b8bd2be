//! Which entries of a list or an export are meant.

use clap::Args;
use encours_domain::labels::{CustomerLabels, InvoiceLabels};
use encours_proto::v1;

use super::choices::{
    CustomerStatus, Document, Dunning, InvoiceStatus, Kind, Settlement, Side, Timing,
};
use super::ranges::{self, Amounts, Levels};
use super::{currency, ledger};
use crate::client::Client;
use crate::failure::{Failure, Outcome};

/// Which invoices; what is given must all hold.
#[derive(Args, Clone, Debug)]
pub(crate) struct InvoiceFilterArgs {
    /// Only those of this customer
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    customer: String,
    /// Only those of this status; may be given several times
    #[arg(long, value_enum)]
    status: Vec<InvoiceStatus>,
    /// Only those with this label, such as libeo:planifié
    #[arg(long, value_name = "SET:LABEL", value_parser = label)]
    label: Option<v1::LabelFilter>,
    /// Only those with these words, each the beginning of a word of number, id, reference, purchase
    /// order, text, metadata or the customer's name
    #[arg(long, value_name = "WORDS", default_value = "", hide_default_value = true)]
    text: String,
    /// Only those due on these days
    #[arg(long, value_name = "FROM..TO", value_parser = ranges::days)]
    due: Option<v1::DateRange>,
    /// Only those issued on these days
    #[arg(long, value_name = "FROM..TO", value_parser = ranges::days)]
    issued: Option<v1::DateRange>,
    /// Only those with something open, or with this much, such as 100..500
    #[arg(long, value_name = "LEAST..MOST", num_args = 0..=1, default_missing_value = "any",
          value_parser = open)]
    open: Option<Open>,
    /// Only those that are contested, or are not
    #[arg(long, num_args = 0..=1, default_missing_value = "yes")]
    disputed: Option<Side>,
    /// Only those with a planned payment, or without
    #[arg(long, num_args = 0..=1, default_missing_value = "yes")]
    planned: Option<Side>,
    /// Only those that were overdue at some time, or never
    #[arg(long, num_args = 0..=1, default_missing_value = "yes")]
    ever_overdue: Option<Side>,
    /// Only those that passed the credit limit when they were issued, or did not
    #[arg(long, num_args = 0..=1, default_missing_value = "yes")]
    over_limit: Option<Side>,
    /// Only those in this state of the document
    #[arg(long, value_enum)]
    document: Option<Document>,
    /// Only those in this state of settlement
    #[arg(long, value_enum)]
    settlement: Option<Settlement>,
    /// Only those in this state of timing
    #[arg(long, value_enum)]
    timing: Option<Timing>,
    /// Only those in this state of the follow-up
    #[arg(long, value_enum)]
    dunning: Option<Dunning>,
    /// Only those with a reminder level in this range, 0 to 9
    #[arg(long, value_name = "LEAST..MOST", value_parser = ranges::levels)]
    level: Option<Levels>,
    /// Only those of this kind; may be given several times
    #[arg(long, value_enum)]
    kind: Vec<Kind>,
    /// Leaves drafts out
    #[arg(long)]
    hide_drafts: bool,
}

/// What `--open` says.
#[derive(Clone, Debug)]
enum Open {
    Something,
    Within(Amounts),
}

fn open(text: &str) -> Result<Open, String> {
    if text == "any" { Ok(Open::Something) } else { ranges::amounts(text).map(Open::Within) }
}

/// A label of a set.
fn label(text: &str) -> Result<v1::LabelFilter, String> {
    let (set, label) = text.split_once(':').ok_or("give SET:LABEL, such as libeo:planifié")?;
    Ok(v1::LabelFilter { label_set: set.to_owned(), label: label.to_owned() })
}

impl InvoiceFilterArgs {
    /// Refuses to look for drafts and to leave them out.
    fn can_hold(&self) -> Outcome<()> {
        let only_drafts = match self.status.as_slice() {
            [] => false,
            statuses => statuses.iter().all(|status| *status == InvoiceStatus::Draft),
        };
        let asked = match self.document {
            _ if !self.hide_drafts => return Ok(()),
            Some(Document::Draft) => "--document draft",
            _ if only_drafts => "--status draft",
            _ => return Ok(()),
        };
        Err(Failure::usage(format!("--hide-drafts cannot be used with {asked}")))
    }

    /// For the protocol.
    pub(super) async fn filter(
        &self,
        client: &Client,
        ledger_id: &str,
    ) -> Outcome<v1::InvoiceFilter> {
        self.can_hold()?;
        let open_amounts = match &self.open {
            Some(Open::Within(amounts)) => {
                let default = currency(client, ledger_id, &self.customer).await?;
                Some(amounts.within("--open", &default)?)
            }
            _ => None,
        };
        let level = self.level.unwrap_or(Levels { least: None, most: None });
        let statuses = self.status.iter().map(|status| v1::InvoiceStatus::from(*status).into());
        let kinds = self.kind.iter().map(|kind| v1::InvoiceKind::from(*kind).into());
        Ok(v1::InvoiceFilter {
            customer_id: self.customer.clone(),
            statuses: statuses.collect(),
            document: self.document.map(v1::DocumentState::from).unwrap_or_default().into(),
            settlement: self.settlement.map(v1::SettlementState::from).unwrap_or_default().into(),
            timing: self.timing.map(v1::TimingState::from).unwrap_or_default().into(),
            disputed: self.disputed.map(Side::is_yes),
            open: matches!(self.open, Some(Open::Something)).then_some(true),
            ever_overdue: self.ever_overdue.map(Side::is_yes),
            dunning: self.dunning.map(v1::DunningState::from).unwrap_or_default().into(),
            least_reminder_level: level.least,
            most_reminder_level: level.most,
            payment_planned: self.planned.map(Side::is_yes),
            kinds: kinds.collect(),
            label: self.label.clone(),
            text: self.text.clone(),
            due_dates: self.due,
            issue_dates: self.issued,
            open_amounts,
            hide_drafts: self.hide_drafts,
            over_limit: self.over_limit.map(Side::is_yes),
        })
    }
}

/// Which customers; what is given must all hold.
#[derive(Args, Clone, Debug)]
pub(crate) struct CustomerFilterArgs {
    /// Only those of this status; may be given several times
    #[arg(long, value_enum)]
    status: Vec<CustomerStatus>,
    /// Only those with this label, such as "tiime:en retard"
    #[arg(long, value_name = "SET:LABEL", value_parser = label)]
    label: Option<v1::LabelFilter>,
    /// Only those with these words, each the beginning of a word of name or id
    #[arg(long, value_name = "WORDS", default_value = "", hide_default_value = true)]
    text: String,
    /// Only those invoiced this much, such as 1000..
    #[arg(long, value_name = "LEAST..MOST", allow_hyphen_values = true,
          value_parser = ranges::amounts)]
    invoiced: Option<Amounts>,
    /// Only those who paid this much
    #[arg(long, value_name = "LEAST..MOST", allow_hyphen_values = true,
          value_parser = ranges::amounts)]
    collected: Option<Amounts>,
    /// Only those with this much open
    #[arg(long, value_name = "LEAST..MOST", allow_hyphen_values = true,
          value_parser = ranges::amounts)]
    outstanding: Option<Amounts>,
    /// Only those with this much overdue
    #[arg(long, value_name = "LEAST..MOST", allow_hyphen_values = true,
          value_parser = ranges::amounts)]
    overdue: Option<Amounts>,
    /// Only those with this much unapplied
    #[arg(long, value_name = "LEAST..MOST", allow_hyphen_values = true,
          value_parser = ranges::amounts)]
    unapplied: Option<Amounts>,
}

impl CustomerFilterArgs {
    /// For the protocol; amounts that name no currency have that of the ledger.
    pub(super) async fn filter(
        &self,
        client: &Client,
        ledger_id: &str,
    ) -> Outcome<v1::CustomerFilter> {
        let ranges = [
            ("--invoiced", &self.invoiced),
            ("--collected", &self.collected),
            ("--outstanding", &self.outstanding),
            ("--overdue", &self.overdue),
            ("--unapplied", &self.unapplied),
        ];
        let default = match ranges.iter().any(|(_, range)| range.is_some()) {
            true => {
                ledger(client, ledger_id, client.position(ledger_id).await?).await?.currency_code
            }
            false => String::new(),
        };
        let within = |(flag, range): (&str, &Option<Amounts>)| {
            range.as_ref().map(|range| range.within(flag, &default)).transpose()
        };
        let [invoiced, collected, outstanding, overdue, unapplied] = ranges.map(within);
        let statuses = self.status.iter().map(|status| v1::CustomerStatus::from(*status).into());
        Ok(v1::CustomerFilter {
            statuses: statuses.collect(),
            label: self.label.clone(),
            text: self.text.clone(),
            invoiced: invoiced?,
            collected: collected?,
            outstanding: outstanding?,
            overdue: overdue?,
            unapplied: unapplied?,
        })
    }
}

/// Which payments.
#[derive(Args, Clone, Debug)]
pub(crate) struct PaymentFilterArgs {
    /// Only those of this customer
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    customer: String,
    /// Only those with something unapplied, or with nothing
    #[arg(long, num_args = 0..=1, default_missing_value = "yes")]
    unapplied: Option<Side>,
}

impl PaymentFilterArgs {
    /// For the protocol.
    pub(super) fn filter(&self) -> v1::PaymentFilter {
        v1::PaymentFilter {
            customer_id: self.customer.clone(),
            has_unapplied: self.unapplied.map(Side::is_yes),
        }
    }
}

/// The order of a list.
#[derive(Args, Clone, Debug)]
pub(crate) struct OrderArgs {
    /// The order, such as "create_time desc"; by creation where left out
    #[arg(long, value_name = "FIELD[ desc]", default_value = "", hide_default_value = true)]
    pub(super) order: String,
}

/// A set of labels of invoices.
pub(super) fn invoice_labels(text: &str) -> Result<String, String> {
    let known = InvoiceLabels::by_id(text).is_some();
    let ids = InvoiceLabels::ALL.iter().map(|set| set.id());
    if known { Ok(text.to_owned()) } else { Err(one_of(ids)) }
}

/// A set of labels of customers.
pub(super) fn customer_labels(text: &str) -> Result<String, String> {
    let known = CustomerLabels::by_id(text).is_some();
    let ids = CustomerLabels::ALL.iter().map(|set| set.id());
    if known { Ok(text.to_owned()) } else { Err(one_of(ids)) }
}

fn one_of(ids: impl Iterator<Item = &'static str>) -> String {
    format!("the sets are {}", ids.collect::<Vec<_>>().join(", "))
}
