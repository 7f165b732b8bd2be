//! Customers and their personal details.

use encours_domain::commands::{CreateCustomer, CustomerDetails, UpdateCustomer};
use encours_domain::details::{Contact, Detail};
use encours_domain::labels::CustomerLabels;
use encours_domain::status::CustomerStatus;
use encours_domain::{Refusal, resource};

use crate::command::{id, optional_id};
use crate::credit::credit_limit_message;
use crate::money::unknown;
use crate::money::{balance_message, currency, missing, optional, optional_terms, terms_message};
use crate::reminder::manual_message;
use crate::v1;

pub(crate) fn create_customer(
    request: v1::CreateCustomerRequest,
) -> Result<CreateCustomer, Refusal> {
    let contacts = contacts(request.contacts);
    Ok(CreateCustomer {
        ledger_id: id("ledger_id", &request.ledger_id)?,
        customer_id: optional_id("customer_id", &request.customer_id)?,
        currency: currency("currency_code", &request.currency_code)?,
        terms: optional_terms("terms", request.terms)?,
        details: CustomerDetails {
            name: optional(request.name),
            address: optional(request.address),
            contacts: Some(contacts).filter(|contacts| !contacts.is_empty()),
            note: optional(request.note),
        },
    })
}

pub(crate) fn update_customer(
    request: v1::UpdateCustomerRequest,
) -> Result<UpdateCustomer, Refusal> {
    Ok(UpdateCustomer {
        ledger_id: id("ledger_id", &request.ledger_id)?,
        customer_id: id("customer_id", &request.customer_id)?,
        currency: currency("currency_code", &request.currency_code)?,
        terms: optional_terms("terms", request.terms)?,
        details: CustomerDetails {
            name: request.name,
            address: request.address,
            contacts: request.contacts.map(|list| contacts(list.contacts)),
            note: request.note,
        },
    })
}

fn contacts(messages: Vec<v1::Contact>) -> Vec<Contact> {
    messages
        .into_iter()
        .map(|v1::Contact { name, email, phone }| Contact { name, email, phone })
        .collect()
}

/// Writes a customer with its details in clear, as far as they are given.
#[must_use]
pub fn customer_message(customer: &resource::Customer, details: Vec<Detail>) -> v1::Customer {
    let mut message = v1::Customer {
        ledger_id: customer.ledger_id.to_string(),
        customer_id: customer.id.to_string(),
        currency_code: customer.currency.map_or_else(String::new, |c| c.code().to_owned()),
        terms: customer.terms.map(terms_message),
        balances: customer.balances.iter().map(balance_message).collect(),
        status: customer_status_message(customer.status).into(),
        created_position: customer.created.0,
        version: customer.version.0,
        credit_limits: customer.credit_limits.iter().map(credit_limit_message).collect(),
        last_reminder: customer.reminder.map(|manual| manual_message(manual.level, manual.date)),
        labels: CustomerLabels::ALL
            .iter()
            .map(|set| (set.id().to_owned(), set.label(customer.status).to_owned()))
            .collect(),
        ..v1::Customer::default()
    };
    for detail in details {
        match detail {
            Detail::Name(name) => message.name = name,
            Detail::Address(address) => message.address = address,
            Detail::Note(note) => message.note = note,
            Detail::Contacts(contacts) => {
                message.contacts = contacts
                    .into_iter()
                    .map(|Contact { name, email, phone }| v1::Contact { name, email, phone })
                    .collect();
            }
        }
    }
    message
}

/// Writes a customer's status.
#[must_use]
pub const fn customer_status_message(status: CustomerStatus) -> v1::CustomerStatus {
    match status {
        CustomerStatus::Overdue => v1::CustomerStatus::Overdue,
        CustomerStatus::AwaitingPayment => v1::CustomerStatus::AwaitingPayment,
        CustomerStatus::InCredit => v1::CustomerStatus::InCredit,
        CustomerStatus::UpToDate => v1::CustomerStatus::UpToDate,
    }
}

/// Reads a customer's status.
///
/// # Errors
/// `UNKNOWN_VALUE` or `MISSING_FIELD`, naming `field`.
pub fn customer_status(field: &str, number: i32) -> Result<CustomerStatus, Refusal> {
    use v1::CustomerStatus as S;
    match S::try_from(number).map_err(|_| unknown(field, number))? {
        S::Unspecified => Err(missing(field)),
        S::Overdue => Ok(CustomerStatus::Overdue),
        S::AwaitingPayment => Ok(CustomerStatus::AwaitingPayment),
        S::InCredit => Ok(CustomerStatus::InCredit),
        S::UpToDate => Ok(CustomerStatus::UpToDate),
    }
}
