//! What the lines of each export say. The columns are a contract: `report.proto` names them.

use std::collections::BTreeMap;

use encours_domain::balance::Balance;
use encours_domain::details::Detail;
use encours_domain::event::{Method, ReversalKind};
use encours_domain::number::LedgerNo;
use encours_domain::resource::{Customer, Invoice, ItemKind, Payment};
use encours_domain::state::CreditLimit;
use encours_domain::status::Dunning;
use encours_domain::{Currency, Id, Money};
use encours_projections::{AsOf, InvoiceFilter, Items, Page, PaymentFilter, View};

use super::csv::Table;
use super::{Export, Lines};
use crate::api::Api;
use crate::failure::Failure;

const INVOICES: &str = "invoice_id,number,kind,customer_id,customer_name,status,issue_date,\
    due_date,sent_on,currency,total,paid_before,credited,credit_noted,open,unapplied,reference,\
    disputed,planned_date,planned_amount,dunning,reminder_level,next_reminder_date\r\n";
const CUSTOMERS: &str = "customer_id,name,status,currency,opening,invoiced,credited,collected,\
    refunded,outstanding,overdue,not_due,unapplied,net,credit_limit\r\n";
const PAYMENTS: &str = "payment_id,customer_id,customer_name,received_on,method,currency,amount,\
    unapplied,refunded,reversed,reversal,reference,allocations\r\n";

impl Export {
    /// The line that names the columns.
    pub(super) fn head(&self) -> String {
        match self {
            Self::Invoices(_) => INVOICES,
            Self::Customers(..) => CUSTOMERS,
            Self::Payments(_) => PAYMENTS,
        }
        .to_owned()
    }
}

/// The names of the customers of a page, each opened once.
struct CustomerNames<'a> {
    api: &'a Api,
    ledger: LedgerNo,
    known: BTreeMap<Id, String>,
}

impl CustomerNames<'_> {
    fn of(&mut self, customer_id: &Id) -> Result<&str, Failure> {
        if !self.known.contains_key(customer_id) {
            let found = self.api.model.customer(self.ledger, customer_id.as_str(), AsOf::default());
            let customer = found.value.ok_or_else(|| Failure::internal("a customer is missing"))?;
            let name = self.api.customer_name(&customer)?;
            self.known.insert(customer_id.clone(), name);
        }
        Ok(self.known.get(customer_id).map_or("", String::as_str))
    }
}

impl Api {
    /// The lines of a page. Reads keys and opens names: call it off the async workers.
    pub(super) fn lines(
        &self,
        ledger: LedgerNo,
        export: &Export,
        page: Page,
    ) -> Result<Lines, Failure> {
        let names = CustomerNames { api: self, ledger, known: BTreeMap::new() };
        match export {
            Export::Invoices(filter) => self.invoice_lines(ledger, filter, page, names),
            Export::Customers(filter, as_of) => {
                let name = self.name_of(ledger);
                let view = self.model.customers(ledger, filter, *as_of, page, &name);
                let default = self.currency_of(ledger)?;
                written(view, |customer, table| {
                    customer_lines(&customer, &self.customer_name(&customer)?, default, table);
                    Ok(())
                })
            }
            Export::Payments(filter) => self.payment_lines(ledger, *filter, page, names),
        }
    }

    fn invoice_lines(
        &self,
        ledger: LedgerNo,
        filter: &InvoiceFilter,
        page: Page,
        mut names: CustomerNames<'_>,
    ) -> Result<Lines, Failure> {
        let view = self.model.invoices(ledger, filter, page, &self.name_of(ledger));
        written(view, |invoice, table| {
            invoice_line(&invoice, names.of(&invoice.customer_id)?, table);
            Ok(())
        })
    }

    fn payment_lines(
        &self,
        ledger: LedgerNo,
        filter: PaymentFilter,
        page: Page,
        mut names: CustomerNames<'_>,
    ) -> Result<Lines, Failure> {
        let view = self.model.payments(ledger, filter, page);
        written(view, |payment, table| {
            payment_line(&payment, names.of(&payment.customer_id)?, table);
            Ok(())
        })
    }

    fn customer_name(&self, customer: &Customer) -> Result<String, Failure> {
        let named = |detail| match detail {
            Detail::Name(name) => Some(name),
            _ => None,
        };
        let details = self.details(customer, Vec::new())?;
        Ok(details.into_iter().find_map(named).unwrap_or_default())
    }

    fn currency_of(&self, ledger: LedgerNo) -> Result<Currency, Failure> {
        let id = self.model.ledger_id(ledger);
        let found = id.and_then(|id| self.model.ledger(id.as_str()).value);
        found.map(|ledger| ledger.currency).ok_or_else(|| Failure::internal("a ledger is missing"))
    }
}

/// The lines that `write` makes of the items.
fn written<T>(
    view: View<Items<T>>,
    mut write: impl FnMut(T, &mut Table) -> Result<(), Failure>,
) -> Result<Lines, Failure> {
    let mut table = Table::default();
    for item in view.value.items {
        write(item, &mut table)?;
    }
    Ok(Lines { table, next: view.value.next, position: view.position })
}

fn invoice_line(invoice: &Invoice, customer_name: &str, table: &mut Table) {
    let currency = invoice.currency;
    let planned = invoice.planned.map(|plan| Money::new(plan.amount, currency).number());
    table
        .field(invoice.id.as_str())
        .free(&invoice.number)
        .field(match invoice.kind {
            ItemKind::Invoice => "INVOICE",
            ItemKind::OpeningOwed => "OPENING_OWED",
            ItemKind::OpeningOwing => "OPENING_OWING",
        })
        .field(invoice.customer_id.as_str())
        .free(customer_name)
        .field(invoice.facets.headline().name())
        .day(invoice.issue_date)
        .day(invoice.due.map(|due| due.date))
        .day(invoice.sent_on)
        .field(currency.code())
        .amount(invoice.total, currency)
        .amount(invoice.paid_before, currency)
        .amount(invoice.credited, currency)
        .amount(invoice.credit_noted, currency)
        .amount(invoice.open, currency)
        .amount(invoice.unapplied, currency)
        .free(&invoice.reference)
        .field(if invoice.facets.disputed { "true" } else { "false" })
        .day(invoice.planned.map(|plan| plan.date))
        .field(planned.as_deref().unwrap_or_default())
        .field(match invoice.facets.dunning {
            Dunning::None => "NONE",
            Dunning::Level(_) => "LEVEL",
            Dunning::OnHold => "ON_HOLD",
            Dunning::Stopped => "STOPPED",
            Dunning::Exhausted => "EXHAUSTED",
        })
        .field(&invoice.facets.level.to_string())
        .day(invoice.next_reminder.map(|next| next.date));
    table.end();
}

/// One line for each currency that the customer has figures or a limit in.
fn customer_lines(customer: &Customer, name: &str, default: Currency, table: &mut Table) {
    let mut balances = customer.balances.clone();
    let limited = customer.credit_limits.iter().map(|limit| limit.currency);
    let fallback = customer.currency.unwrap_or(default);
    let of_nothing = (balances.is_empty() && customer.credit_limits.is_empty()).then_some(fallback);
    for currency in limited.chain(of_nothing) {
        if balances.iter().all(|balance| balance.currency != currency) {
            balances.push(Balance::zero(currency));
        }
    }
    for balance in &balances {
        let currency = balance.currency;
        let of = |limit: &&CreditLimit| limit.currency == currency;
        let limit = customer.credit_limits.iter().find(of);
        let limit = limit.map(|limit| Money::new(limit.limit, currency).number());
        table
            .field(customer.id.as_str())
            .free(name)
            .field(customer.status.name())
            .field(currency.code())
            .amount(balance.opening, currency)
            .amount(balance.invoiced, currency)
            .amount(balance.credited, currency)
            .amount(balance.collected, currency)
            .amount(balance.refunded, currency)
            .amount(balance.outstanding, currency)
            .amount(balance.overdue, currency)
            .amount(balance.outstanding - balance.overdue, currency)
            .amount(balance.unapplied, currency)
            .amount(balance.net(), currency)
            .field(limit.as_deref().unwrap_or_default());
        table.end();
    }
}

fn payment_line(payment: &Payment, customer_name: &str, table: &mut Table) {
    let currency = payment.currency;
    let put = payment.allocations.iter().map(|allocation| {
        format!("{}={}", allocation.invoice_id, Money::new(allocation.amount, currency).number())
    });
    let put = put.collect::<Vec<_>>().join(" ");
    table
        .field(payment.id.as_str())
        .field(payment.customer_id.as_str())
        .free(customer_name)
        .day(Some(payment.received_on))
        .field(match payment.method {
            Method::Transfer => "TRANSFER",
            Method::Card => "CARD",
            Method::DirectDebit => "DIRECT_DEBIT",
            Method::Cheque => "CHEQUE",
            Method::Cash => "CASH",
            Method::Other => "OTHER",
        })
        .field(currency.code())
        .amount(payment.amount, currency)
        .amount(payment.unapplied, currency)
        .amount(payment.refunded, currency)
        .amount(payment.reversed, currency)
        .field(match payment.reversal {
            None => "",
            Some(ReversalKind::EntryError) => "ENTRY_ERROR",
            Some(ReversalKind::Duplicate) => "DUPLICATE",
            Some(ReversalKind::Bounced) => "BOUNCED",
            Some(ReversalKind::Chargeback) => "CHARGEBACK",
        })
        .free(&payment.reference)
        .field(&put);
    table.end();
}
