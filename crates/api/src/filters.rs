//! Filters and orders of lists: from what a request asks for to what the read model takes.

use encours_domain::details::{Detail, DetailKind};
use encours_domain::number::{CustomerNo, LedgerNo};
use encours_domain::{Reason, Refusal};
use encours_projections::{
    AmountRange, CustomerFilter, DateRange, DunningState, InvoiceFilter, Order, PaymentFilter,
};
use encours_proto::command::optional_id;
use encours_proto::customer::customer_status;
use encours_proto::filter::{amounts, customer_label, days, invoice_label, search};
use encours_proto::invoice::{document, headline, kind, settlement, timing};
use encours_proto::money::{missing, unknown, unknown_word};
use encours_proto::v1;

use crate::api::{Api, unknown as unknown_id};
use crate::failure::Failure;

/// The orders that a list has, by name.
pub(crate) type Orders = &'static [(&'static str, Order)];

/// Orders of every list.
pub(crate) const BY_CREATION: Orders =
    &[("create_time", Order::Created), ("create_time desc", Order::CreatedDesc)];
/// Orders of lists of invoices.
pub(crate) const OF_INVOICES: Orders = &[
    ("create_time", Order::Created),
    ("create_time desc", Order::CreatedDesc),
    ("due_date", Order::Due),
    ("due_date desc", Order::DueDesc),
];
/// The highest level of a reminder.
const MAX_LEVEL: i32 = 9;

/// Reads an order, and how it is named; the first one where it is left out.
pub(crate) fn order(asked: &str, orders: Orders) -> Result<(Order, &'static str), Failure> {
    // Spaces say nothing, but for the one between field and direction.
    let asked = asked.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let asked = if asked.is_empty() { orders.first().map_or("", |order| order.0) } else { &asked };
    let found = orders.iter().find(|(name, _)| *name == asked);
    found.map(|(name, order)| (*order, *name)).ok_or_else(|| {
        let known: Vec<&str> = orders.iter().map(|(name, _)| *name).collect();
        unknown_word("order_by", asked, &known).into()
    })
}

impl Api {
    /// The number of a customer that a filter names.
    pub(crate) fn filtered_customer(
        &self,
        ledger: LedgerNo,
        customer_id: &str,
    ) -> Result<Option<CustomerNo>, Failure> {
        let id = optional_id("customer_id", customer_id)
            .map_err(|refusal| Failure::from(refusal.within("filter")))?;
        let Some(id) = id else { return Ok(None) };
        let found = self.model.customer_no(ledger, id.as_str()).value;
        found.map(Some).ok_or_else(|| {
            unknown_id(Reason::UnknownCustomer, "filter.customer_id", "customer", id.as_str())
        })
    }

    /// Reads which invoices are asked for.
    pub(crate) fn invoice_filter(
        &self,
        ledger: LedgerNo,
        asked: &v1::InvoiceFilter,
    ) -> Result<InvoiceFilter, Failure> {
        let label = asked.label.as_ref().map(|label| invoice_label("filter.label", label));
        let open = asked.open_amounts.as_ref();
        let (min_level, max_level) = levels(asked)?;
        Ok(InvoiceFilter {
            customer: self.filtered_customer(ledger, &asked.customer_id)?,
            headlines: each(&asked.statuses, "filter.statuses", headline)?,
            document: given(asked.document, "filter.document", document)?,
            settlement: given(asked.settlement, "filter.settlement", settlement)?,
            timing: given(asked.timing, "filter.timing", timing)?,
            dunning: given(asked.dunning, "filter.dunning", dunning)?,
            min_level,
            max_level,
            disputed: asked.disputed,
            planned: asked.payment_planned,
            open: asked.open,
            ever_overdue: asked.ever_overdue,
            over_limit: asked.over_limit,
            kinds: each(&asked.kinds, "filter.kinds", kind)?,
            label: label.transpose()?,
            text: search("filter.text", asked.text.clone())?,
            due: range_of_days("filter.due_dates", asked.due_dates)?,
            issued: range_of_days("filter.issue_dates", asked.issue_dates)?,
            open_amount: range_of_amounts("filter.open_amounts", open)?,
            hide_drafts: asked.hide_drafts,
        })
    }

    /// Reads which payments are asked for.
    pub(crate) fn payment_filter(
        &self,
        ledger: LedgerNo,
        asked: &v1::PaymentFilter,
    ) -> Result<PaymentFilter, Failure> {
        Ok(PaymentFilter {
            customer: self.filtered_customer(ledger, &asked.customer_id)?,
            has_unapplied: asked.has_unapplied,
        })
    }

    /// Opens the sealed names of a ledger's customers, for searches.
    pub(crate) fn name_of(&self, ledger: LedgerNo) -> impl Fn(CustomerNo, &[u8]) -> Option<String> {
        let keys = self.keys();
        move |customer, sealed| match keys.open_detail(ledger, customer, DetailKind::Name, sealed) {
            Ok(Detail::Name(name)) => Some(name),
            Ok(_) | Err(_) => None,
        }
    }
}

/// Reads which customers are asked for.
pub(crate) fn customer_filter(asked: &v1::CustomerFilter) -> Result<CustomerFilter, Failure> {
    let label = asked.label.as_ref().map(|label| customer_label("filter.label", label));
    let range = |field: &str, range: &Option<v1::MoneyRange>| {
        range_of_amounts(&format!("filter.{field}"), range.as_ref())
    };
    Ok(CustomerFilter {
        statuses: each(&asked.statuses, "filter.statuses", customer_status)?,
        label: label.transpose()?,
        text: search("filter.text", asked.text.clone())?,
        invoiced: range("invoiced", &asked.invoiced)?,
        collected: range("collected", &asked.collected)?,
        outstanding: range("outstanding", &asked.outstanding)?,
        overdue: range("overdue", &asked.overdue)?,
        unapplied: range("unapplied", &asked.unapplied)?,
    })
}

/// A facet that may be left out: 0 is not said.
fn given<T>(
    number: i32,
    field: &str,
    read: impl Fn(&str, i32) -> Result<T, Refusal>,
) -> Result<Option<T>, Failure> {
    if number == 0 { Ok(None) } else { Ok(Some(read(field, number)?)) }
}

/// Every entry of a list of numbers.
fn each<T>(
    numbers: &[i32],
    field: &str,
    read: impl Fn(&str, i32) -> Result<T, Refusal>,
) -> Result<Vec<T>, Failure> {
    let read_one = |(at, number): (usize, &i32)| read(&format!("{field}[{at}]"), *number);
    Ok(numbers.iter().enumerate().map(read_one).collect::<Result<_, _>>()?)
}

/// The least and the most level of reminders.
fn levels(asked: &v1::InvoiceFilter) -> Result<(Option<u8>, Option<u8>), Failure> {
    let level = |field: &str, level: Option<i32>| {
        let Some(level) = level else { return Ok(None) };
        u8::try_from(level).ok().filter(|_| level <= MAX_LEVEL).map(Some).ok_or_else(|| {
            let message = format!("{field} is {level}, 0 to {MAX_LEVEL} are allowed");
            Refusal::new(Reason::UnknownValue, field, message).with("level", level)
        })
    };
    let least = level("filter.least_reminder_level", asked.least_reminder_level)?;
    let most = level("filter.most_reminder_level", asked.most_reminder_level)?;
    if let (Some(least), Some(most)) = (least, most)
        && least > most
    {
        let field = "filter.most_reminder_level";
        let message = format!("{field} is {most}, below the least of {least}");
        let refusal = Refusal::new(Reason::ConflictingFields, field, message);
        return Err(refusal.with("least", least).with("most", most).into());
    }
    Ok((least, most))
}

fn dunning(field: &str, number: i32) -> Result<DunningState, Refusal> {
    use v1::DunningState as S;
    match S::try_from(number).map_err(|_| unknown(field, number))? {
        S::Unspecified => Err(missing(field)),
        S::None => Ok(DunningState::None),
        S::Level => Ok(DunningState::Level),
        S::OnHold => Ok(DunningState::OnHold),
        S::Stopped => Ok(DunningState::Stopped),
        S::Exhausted => Ok(DunningState::Exhausted),
    }
}

fn range_of_days(field: &str, range: Option<v1::DateRange>) -> Result<DateRange, Failure> {
    let (from, until) = range.map(|range| days(field, range)).transpose()?.unwrap_or_default();
    Ok(DateRange { from, until })
}

fn range_of_amounts(
    field: &str,
    range: Option<&v1::MoneyRange>,
) -> Result<Option<AmountRange>, Failure> {
    let range = range.map(|range| amounts(field, range)).transpose()?;
    Ok(range.map(|range| AmountRange {
        currency: range.currency,
        min: range.least,
        max: range.most,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_one_of_the_list() {
        assert_eq!(order("", BY_CREATION), Ok((Order::Created, "create_time")));
        assert_eq!(order("create_time", BY_CREATION), Ok((Order::Created, "create_time")));
        let newest = Ok((Order::CreatedDesc, "create_time desc"));
        assert_eq!(order("  create_time   desc ", BY_CREATION), newest);
        assert_eq!(order("due_date desc", OF_INVOICES), Ok((Order::DueDesc, "due_date desc")));
        for wrong in ["due_date", "create_time asc", "createtime", "create_time,due_date"] {
            let refused = order(wrong, BY_CREATION).unwrap_err().into_message();
            assert_eq!(
                (refused.reason.as_str(), refused.field.as_str()),
                ("UNKNOWN_VALUE", "order_by")
            );
            assert!(refused.message.contains("create_time, create_time desc"), "{refused:?}");
        }
    }

    #[test]
    fn levels_are_those_of_reminders() {
        let asked = |least, most| v1::InvoiceFilter {
            least_reminder_level: least,
            most_reminder_level: most,
            ..Default::default()
        };
        assert_eq!(levels(&asked(Some(0), Some(9))), Ok((Some(0), Some(9))));
        assert_eq!(levels(&asked(None, None)), Ok((None, None)));
        assert_eq!(levels(&asked(Some(3), Some(3))), Ok((Some(3), Some(3))));
        let refused = levels(&asked(Some(3), Some(2))).unwrap_err().into_message();
        assert_eq!(refused.reason, "CONFLICTING_FIELDS");
        assert!(levels(&asked(Some(-1), None)).is_err());
        assert!(levels(&asked(None, Some(10))).is_err());
    }
}
