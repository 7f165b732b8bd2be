//! The event that creates an invoice, with all that the document says.

use std::sync::Arc;

use encours_domain::event::{self, InvoiceContent, Rate};
use encours_domain::{CustomerNo, InvoiceNo, LedgerNo};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::values;
use crate::error::{InvalidValue, Unfit};
use crate::{EventKind, Frozen};

/// `mantissa / 10^scale`; the mantissa has at most 96 bits, the scale is 0 to 28.
#[derive(Serialize, Deserialize)]
struct FrozenDecimal {
    mantissa: i128,
    scale: u32,
}

impl FrozenDecimal {
    const fn freeze(decimal: Decimal) -> Self {
        Self { mantissa: decimal.mantissa(), scale: decimal.scale() }
    }

    fn thaw(self, field: &'static str) -> Result<Decimal, InvalidValue> {
        let Self { mantissa, scale } = self;
        Decimal::try_from_i128_with_scale(mantissa, scale)
            .map_err(|_| InvalidValue::new(field, &format_args!("{mantissa} / 10^{scale}")))
    }
}

/// A tax rate in thousandths of a percent, at most 100 %.
fn rate(field: &'static str, thousandths: u32) -> Result<Rate, InvalidValue> {
    if thousandths <= 100_000 {
        Ok(Rate(thousandths))
    } else {
        Err(InvalidValue::new(field, &thousandths))
    }
}

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    description: &'a str,
    quantity: Option<FrozenDecimal>,
    unit_price: Option<FrozenDecimal>,
    amount: i64,
    rate: u32,
}

impl<'a> Line<'a> {
    fn freeze(line: &'a event::Line) -> Result<Self, InvalidValue> {
        Ok(Self {
            description: &line.description,
            quantity: line.quantity.map(FrozenDecimal::freeze),
            unit_price: line.unit_price.map(FrozenDecimal::freeze),
            amount: line.amount,
            rate: rate("lines.rate", line.rate.0)?.0,
        })
    }

    fn thaw(self) -> Result<event::Line, InvalidValue> {
        let decimal = |field, value: Option<FrozenDecimal>| {
            value.map(|decimal| decimal.thaw(field)).transpose()
        };
        Ok(event::Line {
            description: self.description.to_owned(),
            quantity: decimal("lines.quantity", self.quantity)?,
            unit_price: decimal("lines.unit_price", self.unit_price)?,
            amount: self.amount,
            rate: rate("lines.rate", self.rate)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Tax {
    rate: u32,
    base: i64,
    tax: i64,
}

impl Tax {
    fn freeze(tax: &event::Tax) -> Result<Self, InvalidValue> {
        Ok(Self { rate: rate("taxes.rate", tax.rate.0)?.0, base: tax.base, tax: tax.tax })
    }

    fn thaw(self) -> Result<event::Tax, InvalidValue> {
        Ok(event::Tax { rate: rate("taxes.rate", self.rate)?, base: self.base, tax: self.tax })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct Content<'a> {
    #[serde(borrow)]
    lines: Vec<Line<'a>>,
    taxes: Vec<Tax>,
    purchase_order: &'a str,
    text: &'a str,
    #[serde(borrow)]
    metadata: Vec<(&'a str, &'a str)>,
}

impl<'a> Content<'a> {
    pub(super) fn freeze(content: &'a InvoiceContent) -> Result<Self, InvalidValue> {
        Ok(Self {
            lines: content.lines.iter().map(Line::freeze).collect::<Result<_, _>>()?,
            taxes: content.taxes.iter().map(Tax::freeze).collect::<Result<_, _>>()?,
            purchase_order: &content.purchase_order,
            text: &content.text,
            metadata: content.metadata.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect(),
        })
    }

    pub(super) fn thaw(self) -> Result<InvoiceContent, InvalidValue> {
        Ok(InvoiceContent {
            lines: self.lines.into_iter().map(Line::thaw).collect::<Result<_, _>>()?,
            taxes: self.taxes.into_iter().map(Tax::thaw).collect::<Result<_, _>>()?,
            purchase_order: self.purchase_order.to_owned(),
            text: self.text.to_owned(),
            metadata: self.metadata.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect(),
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct InvoiceIssued<'a> {
    ledger: u32,
    invoice: u32,
    id: &'a str,
    customer: u32,
    number: &'a str,
    allotted: bool,
    currency: [u8; 3],
    total: i64,
    issue_date: i32,
    due_date: i32,
    grace_days: u8,
    reference: &'a str,
    #[serde(borrow)]
    content: Content<'a>,
}

impl<'a> Frozen<'a> for InvoiceIssued<'a> {
    const KIND: EventKind = EventKind::InvoiceIssued;
    const VERSION: u16 = 1;
    type Live = event::InvoiceIssued;

    fn freeze(event: &'a event::InvoiceIssued) -> Result<Self, Unfit> {
        let due = values::due("due_date", event.due.date.number(), event.due.grace_days)?;
        Ok(Self {
            ledger: event.ledger.0,
            invoice: event.invoice.0,
            id: event.id.as_str(),
            customer: event.customer.0,
            number: &event.number,
            allotted: event.allotted,
            currency: values::code(event.currency),
            total: values::not_negative("total", event.total)?,
            issue_date: event.issue_date.number(),
            due_date: due.date.number(),
            grace_days: due.grace_days,
            reference: &event.reference,
            content: Content::freeze(&event.content)?,
        })
    }

    fn thaw(self) -> Result<event::InvoiceIssued, InvalidValue> {
        Ok(event::InvoiceIssued {
            ledger: LedgerNo(self.ledger),
            invoice: InvoiceNo(self.invoice),
            id: values::id("id", self.id)?,
            customer: CustomerNo(self.customer),
            number: self.number.into(),
            allotted: self.allotted,
            currency: values::currency("currency", self.currency)?,
            total: values::not_negative("total", self.total)?,
            issue_date: values::day("issue_date", self.issue_date)?,
            due: values::due("due_date", self.due_date, self.grace_days)?,
            reference: self.reference.into(),
            content: Arc::new(self.content.thaw()?),
        })
    }
}
