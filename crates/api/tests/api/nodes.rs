//! Several nodes over one log: a follower answers reads and hands writes on to the leader.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use encours_api::{Api, Writing};
use encours_log::LogReader;
use encours_projections::{ReadModel, ReadModelOptions};
use encours_proto::v1;
use encours_proto::v1::command::Command as C;
use encours_proto::v1::command_outcome::Resource;
use encours_proto::v1::command_result::Result as R;
use encours_sim::SimClock;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use crate::errors::all_wrong;
use crate::metrics::scrape;
use crate::support::{
    Client, NOW, Server, acme_on, customer, date, eur, invoice, payment, reason, soon,
};

/// A node over the log of a server, told from outside who writes it.
pub(crate) struct Node {
    pub(crate) writing: watch::Sender<Writing>,
    pub(crate) address: String,
    pub(crate) metrics: String,
    model: ReadModel,
    stop: Option<oneshot::Sender<()>>,
}

impl Node {
    pub(crate) async fn over(server: &Server, writing: Writing) -> Self {
        Self::reading(server.engine().reader(), server, writing).await
    }

    /// A node that reads the log of the server in a way of its own.
    pub(crate) async fn reading(
        reader: Arc<dyn LogReader>,
        server: &Server,
        writing: Writing,
    ) -> Self {
        let engine = server.engine();
        let clock = Arc::new(SimClock::new(NOW));
        let options = ReadModelOptions {
            reader: Arc::clone(&reader),
            checkpoint: None,
            clock: Arc::clone(&clock) as _,
        };
        let model = ReadModel::open(options).unwrap();
        let writing = watch::Sender::new(writing);
        let keys = watch::Sender::new(engine.keys()).subscribe();
        let api = Api::of_node(model.clone(), reader, keys, writing.subscribe());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let pages = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let metrics = pages.local_addr().unwrap().to_string();
        tokio::spawn(api.clone().serve_metrics(pages, clock, std::future::pending()));
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            api.serve(listener, shutdown).await.unwrap();
        });
        Self { writing, address, metrics, model, stop: Some(stop) }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::to(&self.address).await
    }

    /// How often handing on has ended so.
    pub(crate) async fn forwarded(&self, outcome: &str) -> u64 {
        let name = format!("encours_forwarded_total{{outcome=\"{outcome}\"}}");
        scrape(&self.metrics).await[&name].parse().unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        self.model.stop();
    }
}

/// A leader with the ledger `acme`, and a follower of it.
pub(crate) async fn two() -> (Server, Client, Node, Client) {
    let server = Server::start().await;
    let at_leader = acme_on(&server).await;
    let follower = Node::over(&server, Writing::There(server.address.clone())).await;
    let at_follower = follower.client().await;
    (server, at_leader, follower, at_follower)
}

pub(crate) fn command(command: C) -> v1::Command {
    v1::Command { command: Some(command) }
}

/// All that a caller sees of an error, without the order of the figures.
fn said(status: &Status) -> String {
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    let figures: BTreeMap<_, _> = info.metadata.iter().collect();
    let (bad, retry) = (details.bad_request(), details.retry_info());
    let (code, message) = (status.code(), status.message());
    format!("{code:?} {message} {} {} {figures:?} {bad:?} {retry:?}", info.domain, info.reason)
}

#[tokio::test]
async fn what_is_written_at_a_follower_is_read_at_every_node() {
    let (_server, mut leader, node, mut follower) = two().await;
    let mut request = Request::new(customer("ada"));
    request.metadata_mut().insert("encours-actor", "ann".parse().unwrap());
    follower.customers.create_customer(request).await.unwrap();
    follower.invoice("F1", "ada", 4_000).await;
    let paid = v1::RecordPaymentRequest { invoice_id: "F1".into(), ..payment("P1", "ada", 1_500) };
    let paid = follower.payments.record_payment(paid).await.unwrap().into_inner();
    assert_eq!(paid.payment.unwrap().allocations.len(), 1);
    let get = v1::GetCustomerRequest {
        ledger_id: "acme".into(),
        customer_id: "ada".into(),
        min_position: paid.position,
        ..Default::default()
    };
    for client in [&mut follower, &mut leader] {
        let read = client.customers.get_customer(get.clone()).await.unwrap().into_inner();
        assert!(read.position >= paid.position);
        let customer = read.customer.unwrap();
        assert_eq!(customer.name, "Name of ada");
        assert_eq!(customer.balances[0].outstanding, Some(eur(2_500)));
    }
    let read = v1::ReadEventsRequest { min_position: paid.position, ..Default::default() };
    let events = follower.log.read_events(read).await.unwrap().into_inner().events;
    let actors: Vec<_> = events.iter().rev().map(|event| event.actor.as_str()).collect();
    assert_eq!(actors[..3], ["anonymous", "anonymous", "anonymous"]);
    assert!(actors.contains(&"ann"), "{actors:?}");
    assert_eq!(node.forwarded("answered").await, 3);
    let samples = scrape(&node.metrics).await;
    assert_eq!(samples["encours_leader"], "0");
    assert_eq!(samples["encours_queue_depth"], "0");
}

#[tokio::test]
async fn a_node_tells_its_role() {
    let (server, mut leader, node, mut follower) = two().await;
    let head = leader.log.get_head(v1::GetHeadRequest::default()).await.unwrap().into_inner();
    assert_eq!((head.role(), head.leader_address.as_str()), (v1::NodeRole::Leader, ""));
    let head = follower.log.get_head(v1::GetHeadRequest::default()).await.unwrap().into_inner();
    assert_eq!(head.role(), v1::NodeRole::Follower);
    assert_eq!(head.leader_address, server.address);
    node.writing.send_replace(Writing::Nobody);
    let head = follower.log.get_head(v1::GetHeadRequest::default()).await.unwrap().into_inner();
    assert_eq!((head.role(), head.leader_address.as_str()), (v1::NodeRole::Follower, ""));
    node.writing.send_replace(Writing::Here(server.engine()));
    let head = follower.log.get_head(v1::GetHeadRequest::default()).await.unwrap().into_inner();
    assert_eq!(head.role(), v1::NodeRole::Leader);
    assert_eq!(scrape(&node.metrics).await["encours_leader"], "1");
}

#[tokio::test]
async fn a_batch_keeps_its_order_on_the_way() {
    let (_server, _leader, node, mut follower) = two().await;
    let mut commands = Vec::new();
    for no in 0..100 {
        let (customer_id, invoice_id) = (format!("c{no}"), format!("F{no}"));
        let pay = v1::RecordPaymentRequest {
            invoice_id: invoice_id.clone(),
            ..payment(&format!("P{no}"), &customer_id, 100)
        };
        let sent = v1::MarkSentRequest {
            ledger_id: "acme".into(),
            invoice_id: invoice_id.clone(),
            ..Default::default()
        };
        commands.push(command(C::CreateCustomer(customer(&customer_id))));
        commands.push(command(C::IssueInvoice(invoice(&invoice_id, &customer_id, 100))));
        commands.push(command(C::MarkSent(sent)));
        commands.push(command(C::RecordPayment(pay)));
        // Refused, and does not stop the others.
        commands.push(command(C::IssueInvoice(invoice(&invoice_id, &customer_id, 101))));
    }
    let results = follower.batch.execute(v1::ExecuteRequest { commands }).await.unwrap();
    let results = results.into_inner().results;
    assert_eq!(results.len(), 500);
    let mut last = 0;
    for (at, result) in results.into_iter().enumerate() {
        match (at % 5, result.result.unwrap()) {
            (4, R::Error(error)) => assert_eq!((&*error.reason, error.code), ("ID_EXISTS", 6)),
            (0..4, R::Outcome(outcome)) => {
                assert!(outcome.position > last, "{at}");
                last = outcome.position;
                if let Some(Resource::Payment(payment)) = outcome.resource {
                    assert_eq!(payment.allocations.len(), 1);
                }
            }
            (_, result) => panic!("{at}: {result:?}"),
        }
    }
    assert_eq!(node.forwarded("answered").await, 1);
    let commands = vec![command(C::MarkSent(v1::MarkSentRequest::default())); 1_001];
    let status = follower.batch.execute(v1::ExecuteRequest { commands }).await.unwrap_err();
    assert_eq!(reason(&status), "TOO_LARGE");
    let none = follower.batch.execute(v1::ExecuteRequest { commands: Vec::new() }).await.unwrap();
    assert!(none.into_inner().results.is_empty());
}

#[tokio::test]
async fn a_stream_of_thousands_goes_through_a_follower() {
    const INVOICES: i64 = 3_000;
    let (_server, _leader, node, mut follower) = two().await;
    let (to, commands) = mpsc::channel(64);
    let mut answers =
        follower.batch.execute_stream(ReceiverStream::new(commands)).await.unwrap().into_inner();
    let send = tokio::spawn(async move {
        let first = [C::CreateCustomer(customer("ada"))];
        let issue = |no| C::IssueInvoice(invoice(&format!("F{no}"), "ada", 100 + no));
        for what in first.into_iter().chain((0..INVOICES).map(issue)) {
            let command = Some(command(what));
            to.send(v1::ExecuteStreamRequest { command }).await.unwrap();
        }
    });
    soon("the customer", answers.message()).await.unwrap().unwrap();
    for no in 0..INVOICES {
        let answer = soon("an answer", answers.message()).await.unwrap().unwrap();
        let Some(R::Outcome(outcome)) = answer.result.unwrap().result else { panic!("{no}") };
        let Some(Resource::Invoice(invoice)) = outcome.resource else { panic!("{no}") };
        assert_eq!(invoice.invoice_id, format!("F{no}"));
        assert_eq!(invoice.number, format!("INV-2026-{:05}", no + 1));
    }
    assert!(soon("the end", answers.message()).await.unwrap().is_none());
    send.await.unwrap();
    assert_eq!(node.forwarded("answered").await, 1);
}

#[tokio::test]
async fn errors_are_those_of_the_leader() {
    let (_server, mut leader, _node, mut follower) = two().await;
    leader.customer("ada").await;
    leader.invoice("F1", "ada", 4_000).await;
    let numbered = v1::IssueInvoiceRequest { number: "X-1".into(), ..invoice("F0", "ada", 4_000) };
    leader.invoices.issue_invoice(numbered).await.unwrap();
    for (_, wanted, _, request) in all_wrong() {
        let there = leader.invoices.issue_invoice(request.clone()).await.unwrap_err();
        let here = follower.invoices.issue_invoice(request).await.unwrap_err();
        assert_eq!(reason(&here), wanted);
        assert_eq!(said(&here), said(&there));
    }
    let mut wrong = Request::new(customer("bob"));
    wrong.metadata_mut().insert("encours-actor", "a".repeat(129).parse().unwrap());
    let status = follower.customers.create_customer(wrong).await.unwrap_err();
    assert_eq!(reason(&status), "INVALID_ACTOR");
}

#[tokio::test]
async fn a_request_of_the_full_size_goes_through_a_follower() {
    let (_server, mut leader, _node, mut follower) = two().await;
    leader.customer("ada").await;
    // Refused for its text, so that its size was none of the reasons.
    let sized = |size| {
        let request = invoice("F1", "ada", 100);
        let rest = encours_proto::Message::encoded_len(&request) + 5;
        v1::IssueInvoiceRequest { text: "x".repeat(size - rest), ..request }
    };
    let full = sized(encours_api::MAX_REQUEST_BYTES);
    assert_eq!(encours_proto::Message::encoded_len(&full), encours_api::MAX_REQUEST_BYTES);
    let there = leader.invoices.issue_invoice(full.clone()).await.unwrap_err();
    let here = follower.invoices.issue_invoice(full).await.unwrap_err();
    assert_eq!(reason(&here), "TOO_LARGE");
    assert_eq!(said(&here), said(&there));
    let more = sized(encours_api::MAX_REQUEST_BYTES + 1);
    let status = follower.invoices.issue_invoice(more).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
}

#[tokio::test]
async fn dry_runs_repeats_and_versions_are_settled_by_the_leader() {
    let (_server, mut leader, _node, mut follower) = two().await;
    leader.customer("ada").await;
    let issued = leader.invoice("F1", "ada", 4_000).await;
    let before = leader.head().await;
    let dry = v1::IssueInvoiceRequest { validate_only: true, ..invoice("F2", "ada", 100) };
    let shown = follower.invoices.issue_invoice(dry).await.unwrap().into_inner();
    assert_eq!(shown.invoice.unwrap().invoice_id, "F2");
    assert_eq!(leader.head().await, before);
    let stale = |expected_version| v1::MarkSentRequest {
        ledger_id: "acme".into(),
        invoice_id: "F1".into(),
        expected_version: Some(expected_version),
        ..Default::default()
    };
    let status = follower.invoices.mark_sent(stale(issued.version - 1)).await.unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::Aborted, "VERSION_MISMATCH"));
    follower.invoices.mark_sent(stale(issued.version)).await.unwrap();
    let request = v1::CreateCustomerRequest { request_id: "r".into(), ..customer("bob") };
    let first = follower.customers.create_customer(request.clone()).await.unwrap().into_inner();
    let again = leader.customers.create_customer(request).await.unwrap().into_inner();
    assert_eq!((first.repeat, again.repeat), (false, true));
    assert_eq!(first.position, again.position);
}

#[tokio::test]
async fn a_clock_is_moved_at_a_follower_until_its_days_are_finished() {
    let (server, mut leader, _node, mut follower) = two().await;
    leader.customer("ada").await;
    leader.invoice("F1", "ada", 4_000).await;
    let position = follower.advance(2026, 3, 1).await;
    assert!(position > 0);
    let get = v1::GetInvoiceRequest {
        ledger_id: "acme".into(),
        invoice: Some(v1::get_invoice_request::Invoice::InvoiceId("F1".into())),
        min_position: position,
        ..Default::default()
    };
    let read = follower.invoices.get_invoice(get).await.unwrap().into_inner().invoice.unwrap();
    assert_eq!(read.status(), v1::InvoiceStatus::Overdue);
    server.stop_days();
    let mut request = Request::new(v1::AdvanceClockRequest {
        ledger_id: "acme".into(),
        to: Some(date(2026, 3, 5)),
        ..Default::default()
    });
    request.set_timeout(Duration::from_secs(2));
    let begun = Instant::now();
    let status = follower.ledgers.advance_clock(request).await.unwrap_err();
    assert_eq!(reason(&status), "DAY_NOT_REACHED");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_read_at_a_follower_waits_for_its_position() {
    let (_server, mut leader, _node, mut follower) = two().await;
    leader.customer("ada").await;
    let head = leader.head().await;
    let get = |min_position| v1::GetLedgerRequest { ledger_id: "acme".into(), min_position };
    let read = follower.ledgers.get_ledger(get(head)).await.unwrap().into_inner();
    assert!(read.position >= head);
    let mut ahead = Request::new(get(head + 1));
    ahead.set_timeout(Duration::from_millis(500));
    let status = follower.ledgers.get_ledger(ahead).await.unwrap_err();
    assert_eq!(reason(&status), "POSITION_NOT_REACHED");
}
