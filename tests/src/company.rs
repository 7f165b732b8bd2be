//! A ledger on a test clock, and the commands and questions of its main job in short form.

use std::sync::atomic::{AtomicU64, Ordering};

use encours_proto::v1;

use crate::client::Client;
use crate::values::{amount, date, eur};

/// A ledger in euro on a test clock of its own. Every read waits for what was written before.
#[derive(Debug)]
pub struct Company {
    /// The connection.
    pub client: Client,
    /// The ledger's id.
    pub ledger: String,
    position: AtomicU64,
}

impl Company {
    /// Creates the ledger, its clock on this day. Doing so again is a repeat.
    ///
    /// # Panics
    /// Where it is refused.
    pub async fn create(client: Client, ledger: &str, today: &str) -> Self {
        let request = v1::CreateLedgerRequest {
            ledger_id: ledger.to_owned(),
            name: "Atelier Encours".to_owned(),
            currency_code: "EUR".to_owned(),
            time_zone: "Europe/Paris".to_owned(),
            test_clock: Some(v1::TestClock { clock_id: String::new(), start_date: date(today) }),
            ..Default::default()
        };
        let answer = client.ledgers.clone().create_ledger(request).await.expect("CreateLedger");
        let company = Self { client, ledger: ledger.to_owned(), position: AtomicU64::new(0) };
        company.saw(answer.into_inner().position);
        company
    }

    /// A ledger that exists already, whatever its clock.
    #[must_use]
    pub fn existing(client: Client, ledger: &str) -> Self {
        Self { client, ledger: ledger.to_owned(), position: AtomicU64::new(0) }
    }

    /// The position of the newest write that this company knows of.
    pub fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }

    /// Notes a position: later reads wait for it.
    pub fn saw(&self, position: u64) {
        self.position.fetch_max(position, Ordering::Relaxed);
    }

    /// Creates a customer of this id and name.
    ///
    /// # Panics
    /// Where it is refused.
    pub async fn customer(&self, id: &str, name: &str) -> v1::Customer {
        let request = v1::CreateCustomerRequest {
            ledger_id: self.ledger.clone(),
            customer_id: id.to_owned(),
            name: name.to_owned(),
            ..Default::default()
        };
        let answer = self.client.customers.clone().create_customer(request).await;
        let answer = answer.expect("CreateCustomer").into_inner();
        self.saw(answer.position);
        answer.customer.expect("the customer")
    }

    /// Issues an invoice in euro today, due on a day, with a number of the ledger's series.
    ///
    /// # Panics
    /// Where it is refused.
    pub async fn issue(&self, id: &str, customer: &str, total: &str, due: &str) -> v1::Invoice {
        let request = v1::IssueInvoiceRequest {
            ledger_id: self.ledger.clone(),
            invoice_id: id.to_owned(),
            customer_id: customer.to_owned(),
            total: eur(total),
            due: date(due).map(v1::issue_invoice_request::Due::DueDate),
            ..Default::default()
        };
        let answer = self.client.invoices.clone().issue_invoice(request).await;
        let answer = answer.expect("IssueInvoice").into_inner();
        self.saw(answer.position);
        answer.invoice.expect("the invoice")
    }

    /// Records a payment.
    ///
    /// # Panics
    /// Where it is refused.
    pub async fn pay(&self, request: v1::RecordPaymentRequest) -> v1::Payment {
        let request = v1::RecordPaymentRequest { ledger_id: self.ledger.clone(), ..request };
        let answer = self.client.payments.clone().record_payment(request).await;
        let answer = answer.expect("RecordPayment").into_inner();
        self.saw(answer.position);
        answer.payment.expect("the payment")
    }

    /// Records a payment of so much for one invoice.
    ///
    /// # Panics
    /// Where it is refused.
    pub async fn pay_invoice(&self, id: &str, invoice: &str, amount: &str) -> v1::Payment {
        let request = v1::RecordPaymentRequest {
            payment_id: id.to_owned(),
            invoice_id: invoice.to_owned(),
            amount: eur(amount),
            ..Default::default()
        };
        self.pay(request).await
    }

    /// Moves the clock to a day.
    ///
    /// # Panics
    /// Where it is refused.
    pub async fn advance(&self, to: &str) {
        let request = v1::AdvanceClockRequest {
            ledger_id: self.ledger.clone(),
            to: date(to),
            ..Default::default()
        };
        let answer = self.client.ledgers.clone().advance_clock(request).await;
        let answer = answer.expect("AdvanceClock").into_inner();
        let clock = answer.ledger.and_then(|ledger| ledger.clock).expect("the clock");
        assert_eq!(clock.today, date(to), "it answers once the day is reached");
        assert_eq!(clock.finished, date(to), "it answers once the day is finished");
        self.saw(answer.position);
        // The days were opened and finished by events after the command's own.
        self.saw(self.client.head().await.position);
    }

    /// An invoice as it is now.
    ///
    /// # Panics
    /// Where there is none.
    pub async fn invoice(&self, id: &str) -> v1::Invoice {
        let request = v1::GetInvoiceRequest {
            ledger_id: self.ledger.clone(),
            invoice: Some(v1::get_invoice_request::Invoice::InvoiceId(id.to_owned())),
            min_position: self.position(),
            ..Default::default()
        };
        let answer = self.client.invoices.clone().get_invoice(request).await;
        answer.expect("GetInvoice").into_inner().invoice.expect("the invoice")
    }

    /// A payment as it is now.
    ///
    /// # Panics
    /// Where there is none.
    pub async fn payment(&self, id: &str) -> v1::Payment {
        let request = v1::GetPaymentRequest {
            ledger_id: self.ledger.clone(),
            payment_id: id.to_owned(),
            min_position: self.position(),
        };
        let answer = self.client.payments.clone().get_payment(request).await;
        answer.expect("GetPayment").into_inner().payment.expect("the payment")
    }

    /// A customer as it is now.
    ///
    /// # Panics
    /// Where there is none.
    pub async fn get_customer(&self, id: &str) -> v1::Customer {
        let request = v1::GetCustomerRequest {
            ledger_id: self.ledger.clone(),
            customer_id: id.to_owned(),
            min_position: self.position(),
            ..Default::default()
        };
        let answer = self.client.customers.clone().get_customer(request).await;
        answer.expect("GetCustomer").into_inner().customer.expect("the customer")
    }

    /// The ledger's totals now.
    ///
    /// # Panics
    /// Where the call fails.
    pub async fn totals(&self) -> v1::GetLedgerTotalsResponse {
        let request = v1::GetLedgerTotalsRequest {
            ledger_id: self.ledger.clone(),
            min_position: self.position(),
        };
        let answer = self.client.reports.clone().get_ledger_totals(request).await;
        answer.expect("GetLedgerTotals").into_inner()
    }

    /// Ageing as asked, in one page.
    ///
    /// # Panics
    /// Where the call fails.
    pub async fn ageing(&self, request: v1::GetAgeingRequest) -> v1::GetAgeingResponse {
        let request = v1::GetAgeingRequest {
            ledger_id: self.ledger.clone(),
            page_size: 1_000,
            min_position: self.position(),
            ..request
        };
        let answer = self.client.reports.clone().get_ageing(request).await;
        answer.expect("GetAgeing").into_inner()
    }

    /// Checks a customer's figures in euro: a name and an amount each, such as `outstanding 60.00`.
    ///
    /// # Panics
    /// Where one is another, or the figures do not balance.
    pub async fn expect_balance(&self, customer: &str, expected: &str) {
        let customer = self.get_customer(customer).await;
        let balance = customer.balances.iter().find(|balance| balance.currency_code == "EUR");
        let balance = balance.expect("figures in euro");
        for pair in expected.split(", ") {
            let (name, figure) = pair.split_once(' ').expect("a name and an amount");
            assert_eq!(figure_of(balance, name), figure, "{name} in {balance:?}");
        }
        check_identity(balance);
    }
}

fn figure_of(balance: &v1::Balance, name: &str) -> String {
    let figure = match name {
        "invoiced" => &balance.invoiced,
        "credited" => &balance.credited,
        "collected" => &balance.collected,
        "outstanding" => &balance.outstanding,
        "overdue" => &balance.overdue,
        "not_due" => &balance.not_due,
        "unapplied" => &balance.unapplied,
        "net" => &balance.net,
        other => panic!("no figure {other}"),
    };
    amount(figure.as_ref())
}

/// `net = outstanding - unapplied = invoiced - credited - collected`, and
/// `outstanding = overdue + not_due`.
fn check_identity(balance: &v1::Balance) {
    let of = |name| {
        let figure = figure_of(balance, name);
        figure.replace('.', "").parse::<i64>().expect("an amount in cents")
    };
    assert_eq!(of("net"), of("outstanding") - of("unapplied"), "{balance:?}");
    assert_eq!(of("net"), of("invoiced") - of("credited") - of("collected"), "{balance:?}");
    assert_eq!(of("outstanding"), of("overdue") + of("not_due"), "{balance:?}");
}
