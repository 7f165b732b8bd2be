//! What breaks between the nodes of a log: nothing is done twice, nothing loops, nothing grows.

use std::time::Duration;

use encours_api::Writing;
use encours_proto::v1;
use encours_proto::v1::command::Command as C;
use encours_proto::v1::command_result::Result as R;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Streaming};

use crate::metrics::scrape;
use crate::nodes::{Node, command, two};
use crate::support::{Client, Server, acme_on, customer, invoice, reason, soon};

/// A way to a node that can be cut: its connections end and new ones are refused.
struct Way {
    address: String,
    carrying: JoinHandle<()>,
}

impl Way {
    async fn to(address: &str) -> Self {
        let address = address.trim_start_matches("http://").to_owned();
        Self::with(move |mut stream: TcpStream| {
            let address = address.clone();
            async move {
                let mut there = TcpStream::connect(address).await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut there).await;
            }
        })
        .await
    }

    /// One at whose end nobody ever answers.
    async fn to_nobody() -> Self {
        Self::with(|stream| async move {
            let _stream = stream;
            std::future::pending::<()>().await;
        })
        .await
    }

    async fn with<F: Future<Output = ()> + Send + 'static>(
        carry: impl Fn(TcpStream) -> F + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let carrying = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(carry(stream));
            }
        });
        Self { address, carrying }
    }

    fn cut(&self) {
        self.carrying.abort();
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.cut();
    }
}

/// A write that has to be answered within this.
fn within<T>(limit: Duration, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(limit);
    request
}

/// The address of a port that nobody listens on.
async fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

type Answers = Streaming<v1::ExecuteStreamResponse>;

async fn stream(client: &mut Client) -> (mpsc::Sender<v1::ExecuteStreamRequest>, Answers) {
    let (to, commands) = mpsc::channel(1);
    let opened = client.batch.execute_stream(ReceiverStream::new(commands)).await;
    (to, opened.unwrap().into_inner())
}

fn issue(no: usize) -> v1::ExecuteStreamRequest {
    let command = command(C::IssueInvoice(invoice(&format!("F{no}"), "ada", 100)));
    v1::ExecuteStreamRequest { command: Some(command) }
}

#[tokio::test]
async fn nodes_that_take_each_other_for_the_leader_do_not_loop() {
    let (server, mut leader, one, mut client) = two().await;
    let other = Node::over(&server, Writing::There(one.address.clone())).await;
    one.writing.send_replace(Writing::There(other.address.clone()));
    let before = leader.head().await;
    let begun = Instant::now();
    let request = within(Duration::from_secs(2), customer("ada"));
    let status = client.customers.create_customer(request).await.unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::Unavailable, "NO_LEADER"));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let (there, back) = (one.forwarded("undone").await, other.forwarded("undone").await);
    assert!((1..20).contains(&there), "{there}");
    assert_eq!(back, 0);
    // One that was handed on is answered at once.
    let mut handed_on = Request::new(customer("ada"));
    handed_on.metadata_mut().insert("encours-forwarded", "1".parse().unwrap());
    let begun = Instant::now();
    let status = client.customers.create_customer(handed_on).await.unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::Unavailable, "NOT_LEADER"));
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    assert_eq!(leader.head().await, before);
}

#[tokio::test]
async fn writes_wait_for_a_leader() {
    let (server, _leader, node, mut client) = two().await;
    let leading = Writing::There(server.address.clone());
    // Nobody leads, then one who is gone, then the leader.
    node.writing.send_replace(Writing::Nobody);
    let mut waiting = client.clone();
    let create = tokio::spawn(async move { waiting.customer("ada").await });
    let mut opening = client.clone();
    let opened = tokio::spawn(async move { stream(&mut opening).await });
    sleep(Duration::from_millis(300)).await;
    assert!(!create.is_finished() && !opened.is_finished());
    node.writing.send_replace(Writing::There(nowhere().await));
    sleep(Duration::from_millis(300)).await;
    assert!(!create.is_finished() && !opened.is_finished());
    node.writing.send_replace(leading);
    soon("the customer", create).await.unwrap();
    let (to, mut answers) = soon("the stream", opened).await.unwrap();
    to.send(issue(1)).await.unwrap();
    let answer = soon("the invoice", answers.message()).await.unwrap().unwrap();
    assert!(matches!(answer.result.unwrap().result, Some(R::Outcome(_))));
    assert!(node.forwarded("undone").await >= 2);
    // Then this node leads, and then nobody, for longer than the call has time.
    node.writing.send_replace(Writing::Here(server.engine()));
    client.customer("bob").await;
    node.writing.send_replace(Writing::Nobody);
    let request = within(Duration::from_millis(800), customer("cid"));
    let status = client.customers.create_customer(request).await.unwrap_err();
    assert_eq!(reason(&status), "NO_LEADER");
    let request = within(Duration::from_millis(800), v1::ExecuteRequest::default());
    let status = client.batch.execute(request).await.unwrap_err();
    assert_eq!(reason(&status), "NO_LEADER");
    let get = v1::GetLedgerRequest { ledger_id: "acme".into(), min_position: 0 };
    client.ledgers.get_ledger(get).await.unwrap();
}

#[tokio::test]
async fn a_leader_that_steps_down_leaves_writes_to_the_next() {
    let (server, _leader, node, mut client) = two().await;
    // The engine of the old leader has stopped; it does not know of the next one yet.
    let old = Node::over(&server, Writing::Here(stopped().await)).await;
    node.writing.send_replace(Writing::There(old.address.clone()));
    let mut waiting = client.clone();
    let create = tokio::spawn(async move { waiting.customer("ada").await });
    let mut at_old = old.client().await;
    let directly = tokio::spawn(async move { at_old.customer("bob").await });
    sleep(Duration::from_millis(300)).await;
    assert!(!create.is_finished() && !directly.is_finished());
    let commands =
        [customer("cid"), customer("dan")].map(|one| command(C::CreateCustomer(one))).to_vec();
    let results = old.client().await.batch.execute(v1::ExecuteRequest { commands }).await.unwrap();
    for result in results.into_inner().results {
        let Some(R::Error(error)) = result.result else { panic!("{result:?}") };
        assert_eq!((&*error.reason, error.retry_after_ms), ("NO_LEADER", 1_000));
    }
    old.writing.send_replace(Writing::There(server.address.clone()));
    node.writing.send_replace(Writing::There(server.address.clone()));
    soon("the customer", create).await.unwrap();
    soon("the other customer", directly).await.unwrap();
    client.invoice("F1", "ada", 100).await;
}

/// An engine that has stopped.
async fn stopped() -> encours_engine::EngineHandle {
    let server = Server::start().await;
    let engine = server.engine();
    engine.stop().await.unwrap();
    engine
}

#[tokio::test]
async fn a_stream_ends_where_its_leader_steps_down() {
    let server = Server::start().await;
    let mut leader = acme_on(&server).await;
    leader.customer("ada").await;
    let first = Node::over(&server, Writing::Here(server.engine())).await;
    let node = Node::over(&server, Writing::There(first.address.clone())).await;
    for address in [&first.address, &node.address] {
        first.writing.send_replace(Writing::Here(server.engine()));
        let (to, mut answers) = stream(&mut Client::to(address).await).await;
        let from = usize::from(*address == node.address) * 100;
        for no in from..from + 10 {
            to.send(issue(no)).await.unwrap();
            let answer = soon("an answer", answers.message()).await.unwrap().unwrap();
            assert!(matches!(answer.result.unwrap().result, Some(R::Outcome(_))), "{no}");
        }
        let before = leader.head().await;
        first.writing.send_replace(Writing::There(server.address.clone()));
        let status = soon("the end", answers.message()).await.unwrap_err();
        assert_eq!((status.code(), &*reason(&status)), (Code::Unavailable, "NO_LEADER"));
        let _ = to.send(issue(999)).await;
        assert_eq!(leader.head().await, before);
    }
}

#[tokio::test]
async fn a_leader_that_goes_away_in_the_middle_leaves_the_outcome_open() {
    let (server, mut leader, node, mut client) = two().await;
    leader.customer("ada").await;
    let way = Way::to(&server.address).await;
    node.writing.send_replace(Writing::There(way.address.clone()));
    let (to, mut answers) = stream(&mut client).await;
    to.send(issue(1)).await.unwrap();
    soon("an answer", answers.message()).await.unwrap().unwrap();
    way.cut();
    let status = soon("the end", answers.message()).await.unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::Unknown, "OUTCOME_UNKNOWN"));
    assert_eq!(node.forwarded("unknown").await, 1);
    // A call that is under way when the connection breaks is not sent a second time.
    let silent = Way::to_nobody().await;
    node.writing.send_replace(Writing::There(silent.address.clone()));
    let mut waiting = client.clone();
    let create =
        tokio::spawn(async move { waiting.customers.create_customer(customer("b")).await });
    sleep(Duration::from_millis(300)).await;
    silent.cut();
    node.writing.send_replace(Writing::There(server.address.clone()));
    let status = soon("the answer", create).await.unwrap().unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::Unknown, "OUTCOME_UNKNOWN"));
    assert_eq!(node.forwarded("unknown").await, 2);
    let none = v1::GetCustomerRequest {
        ledger_id: "acme".into(),
        customer_id: "b".into(),
        min_position: leader.head().await,
        ..Default::default()
    };
    let status = leader.customers.get_customer(none).await.unwrap_err();
    assert_eq!(reason(&status), "UNKNOWN_CUSTOMER");
    // Its caller sends it again.
    client.customer("b").await;
}

#[tokio::test]
async fn a_leader_that_does_not_answer_costs_no_more_than_the_calls_time() {
    let (_server, mut leader, node, mut client) = two().await;
    leader.customer("ada").await;
    let silent = Way::to_nobody().await;
    node.writing.send_replace(Writing::There(silent.address.clone()));
    let begun = Instant::now();
    let request = within(Duration::from_secs(2), customer("bob"));
    let status = client.customers.create_customer(request).await.unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::Unknown, "OUTCOME_UNKNOWN"));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    // Without a limit of its own it ends by the pings that nobody answers.
    let status = soon("the answer", client.customers.create_customer(customer("bob"))).await;
    assert_eq!(reason(&status.unwrap_err()), "OUTCOME_UNKNOWN");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    // A stream that was not taken may be opened anew: nothing of it was sent.
    let (_to, commands) = mpsc::channel(1);
    let request = within(Duration::from_secs(2), ReceiverStream::new(commands));
    let begun = Instant::now();
    let status = client.batch.execute_stream(request).await.unwrap_err();
    assert_eq!(reason(&status), "NO_LEADER");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_call_to_a_leader_that_stands_still_ends_once_another_one_leads() {
    let (server, mut leader, node, mut client) = two().await;
    leader.customer("ada").await;
    let silent = Way::to_nobody().await;
    node.writing.send_replace(Writing::There(silent.address.clone()));
    let (mut with_id, mut without_id) = (client.clone(), client.clone());
    let named = v1::CreateCustomerRequest { request_id: "once".into(), ..customer("bob") };
    let again = named.clone();
    let named = tokio::spawn(async move { with_id.customers.create_customer(named).await });
    let create = customer("cleo");
    let unnamed = tokio::spawn(async move { without_id.customers.create_customer(create).await });
    sleep(Duration::from_millis(300)).await;
    let begun = Instant::now();
    node.writing.send_replace(Writing::There(server.address.clone()));
    // With a request id it is sent again, and done once.
    let done = soon("the answer", named).await.unwrap().unwrap().into_inner();
    assert!(!done.repeat);
    let status = soon("the answer", unnamed).await.unwrap().unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::Unknown, "OUTCOME_UNKNOWN"));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let repeated = client.customers.create_customer(again).await.unwrap().into_inner();
    assert_eq!((repeated.repeat, repeated.position), (true, done.position));
}

#[tokio::test]
async fn a_doubt_is_not_forgotten_where_nobody_leads_afterwards() {
    let (_server, mut leader, node, mut client) = two().await;
    leader.customer("ada").await;
    let silent = Way::to_nobody().await;
    node.writing.send_replace(Writing::There(silent.address.clone()));
    let named = v1::CreateCustomerRequest { request_id: "once".into(), ..customer("bob") };
    let request = within(Duration::from_secs(4), named);
    let called = tokio::spawn(async move { client.customers.create_customer(request).await });
    sleep(Duration::from_millis(300)).await;
    silent.cut();
    node.writing.send_replace(Writing::Nobody);
    // The connection broke, so that it may have been done, and no later attempt tells.
    let status = soon("the answer", called).await.unwrap().unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::Unknown, "OUTCOME_UNKNOWN"));
}

/// How many streams of commands have ended at a node.
async fn ended(node: &Node) -> u64 {
    let ended = |name: &str| name.contains("ExecuteStream");
    let samples = scrape(&node.metrics).await;
    samples.iter().filter(|(name, _)| ended(name)).map(|(_, n)| n.parse::<u64>().unwrap()).sum()
}

#[tokio::test]
async fn a_stream_that_its_caller_drops_ends_at_the_leader_too() {
    let server = Server::start().await;
    acme_on(&server).await.customer("ada").await;
    let leading = Node::over(&server, Writing::Here(server.engine())).await;
    let node = Node::over(&server, Writing::There(leading.address.clone())).await;
    let mut client = node.client().await;
    for round in 0..3 {
        let mut streams = Vec::new();
        for no in 0..20 {
            let (to, mut answers) = stream(&mut client).await;
            to.send(issue(round * 100 + no)).await.unwrap();
            soon("an answer", answers.message()).await.unwrap().unwrap();
            streams.push((to, answers));
        }
        drop(streams);
    }
    soon("the end of the streams", async {
        while ended(&leading).await < 60 {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(node.forwarded("unknown").await, 0);
}

#[tokio::test]
async fn a_stream_that_is_not_read_is_held_up_and_holds_up_nobody() {
    let (_server, mut leader, _node, mut client) = two().await;
    leader.customer("ada").await;
    let (to, mut answers) = stream(&mut client).await;
    let mut sent = 0;
    while timeout(Duration::from_secs(1), to.send(issue(sent))).await.is_ok() {
        sent += 1;
        assert!(sent < 40_000, "nothing holds up a caller that does not read");
    }
    // Others go on, at the same connection.
    soon("a customer", client.customer("bob")).await;
    // Nothing is lost once it reads.
    drop(to);
    for no in 0..sent {
        let answer = soon("an answer", answers.message()).await.unwrap().unwrap();
        assert!(matches!(answer.result.unwrap().result, Some(R::Outcome(_))), "{no}");
    }
    assert!(soon("the end", answers.message()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_a_stream_as_at_the_leader() {
    let (_server, mut leader, node, mut follower) = two().await;
    leader.customer("ada").await;
    for client in [&mut leader, &mut follower] {
        let (to, mut answers) = stream(client).await;
        to.send(issue(1)).await.unwrap();
        soon("an answer", answers.message()).await.unwrap().unwrap();
        let mut large = issue(2);
        let text = "x".repeat(2 * encours_api::MAX_REQUEST_BYTES);
        let issue = v1::IssueInvoiceRequest { text, ..invoice("F2", "ada", 100) };
        large.command = Some(command(C::IssueInvoice(issue)));
        to.send(large).await.unwrap();
        let status = soon("the end", answers.message()).await.unwrap_err();
        assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
    }
    assert_eq!(node.forwarded("answered").await, 1);
}
