//! `IssueInvoice`: claims an amount from a customer.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::{Context, Decision, issuing, lookup};
use crate::content::Content;
use crate::currency::Currency;
use crate::event::{Draft, InvoiceContent, Rate, Tax};
use crate::id::Id;
use crate::limits::MAX_METADATA;
use crate::money::Money;
use crate::number::{InvoiceNo, Subject};
use crate::position::Day;
use crate::reference;
use crate::refusal::{Reason, Refusal};
use crate::series;
use crate::state::{Ledger, State};
use crate::tax;
use crate::terms::Due;
use crate::text;

/// Issues an invoice; number, customer, dates and amounts are fixed for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueInvoice {
    /// The ledger.
    pub ledger_id: Id,
    /// Its id; assigned where left out.
    pub invoice_id: Option<Id>,
    /// The customer that owes it.
    pub customer_id: Id,
    /// The number, where the caller numbers its own invoices; else the series allots one.
    pub number: Option<String>,
    /// The issue date; the ledger's today where left out.
    pub issue_date: Option<Day>,
    /// When it is due; the customer's terms, else the ledger's, where left out.
    pub due: Option<Due>,
    /// The customer's currency, else the ledger's, where left out.
    pub currency: Option<Currency>,
    /// What is claimed, tax included, in minor units; left out, what lines and taxes add up to.
    pub total: Option<i64>,
    /// What is sold.
    pub lines: Vec<InvoiceLine>,
    /// Tax by rate; left out, computed from the lines.
    pub taxes: Vec<Tax>,
    /// ISO 11649 reference (spaces ignored); made from the number where left out.
    pub reference: Option<String>,
    /// The customer's purchase-order number; may be empty.
    pub purchase_order: String,
    /// Free text; may be empty.
    pub text: String,
    /// The caller's own pairs.
    pub metadata: BTreeMap<String, String>,
    /// Whether it is issued though a credit limit would refuse it; not for a draft.
    pub override_credit_limit: bool,
}

/// A line as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceLine {
    /// What is sold.
    pub description: String,
    /// How many.
    pub quantity: Option<Decimal>,
    /// Price of one without tax, in whole units of the currency.
    pub unit_price: Option<Decimal>,
    /// Amount without tax in minor units; left out, quantity times price rounded half up.
    pub amount: Option<i64>,
    /// The tax rate; 0 where left out.
    pub rate: Rate,
}

impl IssueInvoice {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.text(1, self.ledger_id.as_str());
        out.optional_text(2, self.invoice_id.as_ref().map(Id::as_str));
        out.text(3, self.customer_id.as_str());
        out.optional_text(4, self.number.as_deref());
        out.optional_number(5, self.issue_date.map(|day| i64::from(day.number())));
        match self.due {
            None => {}
            Some(Due::Terms(terms)) => terms.content(6, out),
            Some(Due::Date(day)) => out.number(7, i64::from(day.number())),
        }
        out.optional_text(8, self.currency.as_ref().map(Currency::code));
        out.optional_number(9, self.total);
        for line in &self.lines {
            out.text(10, &line.description);
            out.optional_text(11, line.quantity.map(|n| n.normalize().to_string()).as_deref());
            out.optional_text(12, line.unit_price.map(|n| n.normalize().to_string()).as_deref());
            out.optional_number(13, line.amount);
            out.number(14, i64::from(line.rate.0));
        }
        for tax in &self.taxes {
            out.number(15, i64::from(tax.rate.0));
            out.number(16, tax.base);
            out.number(17, tax.tax);
        }
        out.optional_text(18, self.reference.as_deref());
        for (field, text) in [(19, &self.purchase_order), (20, &self.text)] {
            out.optional_text(field, Some(text.as_str()).filter(|text| !text.is_empty()));
        }
        for (key, value) in &self.metadata {
            out.text(21, key);
            out.text(22, value);
        }
        if self.override_credit_limit {
            out.number(23, 1);
        }
    }

    pub(super) const fn named(&self, _: &State) -> Option<Subject> {
        None
    }

    pub(super) fn decide(&self, state: &State, context: &Context) -> Result<Decision, Refusal> {
        let ledger = lookup::ledger(state, &self.ledger_id)?;
        let id = lookup::assigned(self.invoice_id.as_ref(), "invoice_id")?;
        if let Some((no, row)) = lookup::known_invoice(state, ledger, &id) {
            return if row.digest == context.digest {
                let subject = Subject::Invoice(ledger.no, no);
                Ok(Decision::Repeat { subject, position: row.created })
            } else {
                Err(lookup::id_exists("invoice_id", "invoice", &id))
            };
        }
        lookup::no_version(context)?;
        let draft = self.draft(state, ledger)?;
        let invoice = InvoiceNo(lookup::next_number(ledger.invoices.len(), "invoice_id")?);
        let overridden = self.override_credit_limit;
        issuing::issue(state, ledger, (invoice, id), draft, overridden).map(Decision::Accept)
    }

    /// What it says, checked by itself: amounts computed, dates and number left to be settled.
    pub(super) fn draft(&self, state: &State, ledger: &Ledger) -> Result<Draft, Refusal> {
        let (customer, row) = lookup::customer(state, ledger, &self.customer_id)?;
        if let Some(Due::Terms(terms)) = self.due {
            terms.check()?;
        }
        let currency = self.currency.or(row.currency).unwrap_or(ledger.currency);
        let (content, total) = self.carried(currency)?;
        let given = |number: &String| series::check_given(number, &ledger.invoice_series);
        Ok(Draft {
            customer,
            currency,
            total,
            number: self.number.as_ref().map(given).transpose()?,
            issue_date: self.issue_date,
            due: self.due,
            reference: self.reference.as_deref().map(reference::check).transpose()?,
            content,
        })
    }

    /// What travels along, checked, and the total.
    fn carried(&self, currency: Currency) -> Result<(InvoiceContent, i64), Refusal> {
        text::check("purchase_order", &self.purchase_order)?;
        text::check("text", &self.text)?;
        if self.metadata.len() > MAX_METADATA {
            return Err(text::too_many("metadata", self.metadata.len(), MAX_METADATA));
        }
        for (key, value) in &self.metadata {
            if key.is_empty() || key.len() > Id::MAX_LEN {
                let message = format!("the metadata key {key:?} must have 1 to 64 bytes");
                return Err(Refusal::new(Reason::InvalidText, "metadata", message));
            }
            text::check("metadata", key)?;
            text::check("metadata", value)?;
        }
        let lines = tax::lines(&self.lines, currency)?;
        let (taxes, total) = tax::add_up(&lines, &self.taxes, self.total, currency)?;
        if total < 0 {
            let total = Money::new(total, currency);
            return Err(Refusal::new(
                Reason::NotPositive,
                "total",
                format!("the total must be 0 or more, is {total}"),
            )
            .with("total", total));
        }
        let content = InvoiceContent {
            lines,
            taxes,
            purchase_order: self.purchase_order.clone(),
            text: self.text.clone(),
            metadata: self.metadata.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        };
        Ok((content, total))
    }
}
