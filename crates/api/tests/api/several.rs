//! Several logs behind one listener: each call goes to the log of its ledger.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use encours_api::{Api, Claims, Logs, Writing};
use encours_engine::{Engine, EngineOptions};
use encours_log::{Clock, LogError, LogId, LogReader, MemoryLog};
use encours_projections::{ReadModel, ReadModelOptions};
use encours_proto::v1;
use encours_proto::v1::command::Command as C;
use encours_proto::v1::command_result::Result as R;
use encours_sim::{SimClock, SimDisk};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::every_rpc::outcome;
use crate::metrics::scrape;
use crate::support::{Client, NOW, customer, date, payment, reason, run_days, signing, soon};
use crate::valid::valid;

/// What the nodes of a test have in common.
#[derive(Clone, Default)]
struct Claimed(Arc<Mutex<BTreeMap<String, String>>>);

#[tonic::async_trait]
impl Claims for Claimed {
    async fn find(&self, key: &str) -> Result<Option<String>, LogError> {
        Ok(self.0.lock().unwrap().get(key).cloned())
    }

    async fn claim(&self, key: &str, value: &str) -> Result<String, LogError> {
        let mut claims = self.0.lock().unwrap();
        Ok(claims.entry(key.to_owned()).or_insert_with(|| value.to_owned()).clone())
    }
}

/// A log with its engine.
struct Part {
    engine: Engine,
    model: ReadModel,
    days: JoinHandle<()>,
}

fn model(reader: Arc<dyn LogReader>) -> ReadModel {
    let clock: Arc<dyn Clock> = Arc::new(SimClock::new(NOW));
    ReadModel::open(ReadModelOptions { reader, checkpoint: None, clock }).unwrap()
}

impl Part {
    fn open(no: u8) -> Self {
        let log = Box::new(MemoryLog::new(LogId([no; 16])));
        let disk = Arc::new(SimDisk::new(no.into()));
        let options = EngineOptions::new(log, disk, Arc::new(SimClock::new(NOW)));
        let engine = Engine::open(options, Path::new("/data")).unwrap();
        let days = tokio::spawn(run_days(engine.handle()));
        Self { model: model(engine.handle().reader()), engine, days }
    }

    fn tail(&self) -> u64 {
        self.engine.handle().reader().tail().next_position.0
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.days.abort();
        self.model.stop();
    }
}

/// A node over the logs `a` and `b`.
struct Node {
    address: String,
    metrics: String,
    _stop: oneshot::Sender<()>,
}

impl Node {
    async fn start(a: Api, b: Api, claims: &Claimed) -> Self {
        let named = [("b", b), ("a", a)].map(|(name, api)| (name.to_owned(), api));
        let logs = Logs::new(named.into(), Arc::new(claims.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let pages = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let metrics = pages.local_addr().unwrap().to_string();
        let clock = Arc::new(SimClock::new(NOW));
        tokio::spawn(logs.clone().serve_metrics(pages, clock, std::future::pending()));
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            logs.serve(listener, shutdown).await.unwrap();
        });
        Self { address, metrics, _stop: stop }
    }
}

/// Two logs that one node leads, and a node that follows both.
struct Two {
    a: Part,
    b: Part,
    claims: Claimed,
    leader: Node,
    follower: Node,
    models: [ReadModel; 2],
}

impl Two {
    /// `knows` says whether the follower reads the logs; else it knows of nothing in them.
    async fn start(knows: bool) -> Self {
        let (a, b, claims) = (Part::open(1), Part::open(2), Claimed::default());
        let api = |part: &Part| {
            let api = Api::new(part.engine.handle(), part.model.clone());
            signing(api, part.engine.handle().reader())
        };
        let leader = Node::start(api(&a), api(&b), &claims).await;
        let followed = |part: &Part| {
            let handle = part.engine.handle();
            let empty = || MemoryLog::new(handle.reader().log_id());
            let reader =
                if knows { handle.reader() } else { encours_log::EventLog::reader(&empty()) };
            let model = model(Arc::clone(&reader));
            let writing = watch::Sender::new(Writing::There(leader.address.clone())).subscribe();
            let keys = watch::Sender::new(handle.keys()).subscribe();
            let api = Api::of_node(model.clone(), Arc::clone(&reader), keys, writing);
            (model, signing(api, reader))
        };
        let ((model_a, api_a), (model_b, api_b)) = (followed(&a), followed(&b));
        let follower = Node::start(api_a, api_b, &claims).await;
        Self { a, b, claims, leader, follower, models: [model_a, model_b] }
    }

    async fn clients(&self) -> [Client; 2] {
        [Client::to(&self.leader.address).await, Client::to(&self.follower.address).await]
    }

    fn claimed(&self, key: &str) -> Option<String> {
        self.claims.0.lock().unwrap().get(key).cloned()
    }
}

impl Drop for Two {
    fn drop(&mut self) {
        self.models.iter().for_each(ReadModel::stop);
    }
}

fn ledger(id: &str, log: &str) -> v1::CreateLedgerRequest {
    v1::CreateLedgerRequest {
        ledger_id: id.into(),
        currency_code: "EUR".into(),
        time_zone: "Europe/Paris".into(),
        log: log.into(),
        ..Default::default()
    }
}

fn on_clock(id: &str, clock_id: &str, log: &str) -> v1::CreateLedgerRequest {
    let start_date = Some(date(2026, 1, 5));
    let test_clock = Some(v1::TestClock { clock_id: clock_id.into(), start_date });
    v1::CreateLedgerRequest { test_clock, ..ledger(id, log) }
}

async fn create(
    client: &mut Client,
    request: v1::CreateLedgerRequest,
) -> Result<v1::Ledger, Status> {
    let answer = client.ledgers.create_ledger(request).await?.into_inner();
    Ok(answer.ledger.unwrap())
}

/// The log that a refusal names.
fn named(status: &Status) -> (String, String) {
    let info = status.get_details_error_info().unwrap();
    (info.reason, info.metadata.get("log").cloned().unwrap_or_default())
}

fn other(log: &str) -> (String, String) {
    ("OTHER_LOG".to_owned(), log.to_owned())
}

#[tokio::test]
async fn every_method_goes_to_the_log_of_its_ledger() {
    for (home, away) in [("a", "b"), ("b", "a")] {
        let two = Two::start(true).await;
        let clients = two.clients().await;
        let mut at_leader = clients[0].clone();
        create(&mut at_leader, on_clock("acme", "", home)).await.unwrap();
        let part = |name| if name == "a" { &two.a } else { &two.b };
        let before = part(away).tail();
        for (no, (method, message)) in valid().iter().enumerate() {
            let path = format!("/encours.v1.{}", method.replacen('/', "Service/", 1));
            let position = encours_domain::Position(part(home).tail() - 1);
            for model in two.models.iter().chain([&part(home).model]) {
                // Of the log that it is about.
                let _ = tokio::time::timeout(
                    std::time::Duration::from_millis(20),
                    model.wait_for(position),
                )
                .await;
            }
            let channel = &clients[no % 2].channel;
            let ended = outcome(channel, &path, message).await;
            let by_log = ["/GetHead", "/VerifyLog", "/RebuildReadModel"];
            if by_log.iter().any(|name| path.ends_with(name)) {
                assert_eq!(reason(&ended.unwrap_err()), "MISSING_LOG", "{path}");
                continue;
            }
            assert!(ended.is_ok(), "{path}: {ended:?}");
            let text = String::from_utf8_lossy(message);
            if path.contains("/Execute") || !text.contains("acme") {
                continue;
            }
            let elsewhere: Vec<u8> = replaced(message, b"acme", b"nope");
            let refused = outcome(channel, &path, &elsewhere).await.unwrap_err();
            assert_eq!(reason(&refused), "UNKNOWN_LEDGER", "{path}: {refused:?}");
        }
        // The ledger that was created without a log went to the one with less in it.
        assert_eq!(two.claimed("ledger.other").as_deref(), Some(away));
        let clock = 3;
        assert!(part(away).tail() <= before + clock, "{}", part(away).tail());
    }
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for at in 0..=bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + from.len()].copy_from_slice(to);
        }
    }
    bytes
}

fn commands() -> Vec<v1::Command> {
    let north = |mut request: v1::CreateCustomerRequest, ledger: &str| {
        request.ledger_id = ledger.into();
        C::CreateCustomer(request)
    };
    let commands = [
        C::CreateLedger(ledger("new", "")),
        north(customer("bob"), "new"),
        north(customer("bob"), "south"),
        north(customer("bob"), "acme"),
        C::CreateLedger(ledger("newer", "b")),
        north(customer("bob"), "nowhere"),
        C::CreateLedger(ledger("south", "")),
        C::CreateLedger(ledger("wrong", "c")),
        C::RecordPayment(payment("P1", "bob", 100)),
    ];
    let mut commands: Vec<_> =
        commands.into_iter().map(|command| v1::Command { command: Some(command) }).collect();
    commands.push(v1::Command { command: None });
    commands
}

/// What becomes of [`commands`] behind one for `acme`, which is in log a.
const TOLD: [&str; 10] = [
    "",
    "",
    "OTHER_LOG b",
    "",
    "OTHER_LOG b",
    "UNKNOWN_LEDGER ",
    "OTHER_LOG b",
    "UNKNOWN_LOG c",
    "",
    "MISSING_FIELD ",
];

fn told(result: &v1::CommandResult) -> String {
    match result.result.as_ref().unwrap() {
        R::Outcome(_) => String::new(),
        R::Error(error) => {
            let log = error.figures.get("log").map_or("", String::as_str);
            format!("{} {log}", error.reason)
        }
    }
}

#[tokio::test]
async fn a_command_for_another_log_is_refused_in_its_place() {
    for at in [0, 1] {
        let two = Two::start(true).await;
        let mut client = two.clients().await[at].clone();
        create(&mut client, on_clock("acme", "", "a")).await.unwrap();
        create(&mut client, on_clock("south", "", "b")).await.unwrap();
        for model in two.models.iter().chain([&two.a.model, &two.b.model]) {
            model.wait_for(encours_domain::Position(2)).await.unwrap();
        }
        let first = v1::Command { command: Some(C::CreateCustomer(customer("ann"))) };
        let all: Vec<_> = [first].into_iter().chain(commands()).collect();
        let request = v1::ExecuteRequest { commands: all.clone() };
        let answer = client.batch.execute(request).await.unwrap().into_inner();
        assert_eq!(told(&answer.results[0]), "");
        let results: Vec<_> = answer.results[1..].iter().map(told).collect();
        assert_eq!(results, TOLD, "at {at}");
        let Some(R::Outcome(created)) = &answer.results[1].result else { panic!() };
        let Some(v1::command_outcome::Resource::Ledger(created)) = &created.resource else {
            panic!()
        };
        assert_eq!((&*created.ledger_id, &*created.log), ("new", "a"));
        // Once more, as a stream whose first command comes when it was taken: now all are repeats.
        let (to, from) = mpsc::channel(16);
        let stream = client.batch.execute_stream(ReceiverStream::new(from));
        let mut answers = soon("the stream", stream).await.unwrap().into_inner();
        let mut results = Vec::new();
        for command in all.iter().cycle().take(all.len() * 40) {
            let request = v1::ExecuteStreamRequest { command: Some(command.clone()) };
            to.send(request).await.unwrap();
            if to.capacity() == 0 || results.len() % 7 == 0 {
                let answer = soon("an answer", answers.message()).await.unwrap().unwrap();
                results.push(told(&answer.result.unwrap()));
            }
        }
        drop(to);
        while let Some(answer) = soon("an answer", answers.message()).await.unwrap() {
            results.push(told(&answer.result.unwrap()));
        }
        let wanted: Vec<_> =
            [""].iter().chain(&TOLD).copied().cycle().take(results.len()).collect();
        assert_eq!(results.len(), all.len() * 40);
        assert_eq!(results, wanted, "at {at}");
    }
}

#[tokio::test]
async fn a_ledger_too_new_for_a_node_is_found_by_its_claim() {
    let two = Two::start(false).await;
    let [mut at_leader, mut at_follower] = two.clients().await;
    create(&mut at_leader, on_clock("acme", "", "b")).await.unwrap();
    let answer = at_follower.customers.create_customer(customer("ann")).await.unwrap();
    assert!(answer.into_inner().position > 1);
    let mut batch = Vec::new();
    for (id, ledger_id) in [("bob", "acme"), ("eve", "nowhere")] {
        let request = v1::CreateCustomerRequest { ledger_id: ledger_id.into(), ..customer(id) };
        batch.push(v1::Command { command: Some(C::CreateCustomer(request)) });
    }
    let answer = at_follower.batch.execute(v1::ExecuteRequest { commands: batch }).await.unwrap();
    let results: Vec<_> = answer.into_inner().results.iter().map(told).collect();
    assert_eq!(results, ["", "UNKNOWN_LEDGER "]);
    // Created here, through the other node: there and then, and found again.
    let created = create(&mut at_follower, ledger("new", "")).await.unwrap();
    assert_eq!(created.log, two.claimed("ledger.new").unwrap());
    assert_eq!(create(&mut at_follower, ledger("new", "")).await.unwrap(), created);
}

#[tokio::test]
async fn ledgers_are_listed_log_by_log() {
    let two = Two::start(true).await;
    let mut client = two.clients().await[0].clone();
    let list = async |client: &mut Client, request: v1::ListLedgersRequest| {
        client.ledgers.list_ledgers(request).await.map(tonic::Response::into_inner)
    };
    let names = |ledgers: &[v1::Ledger]| -> Vec<String> {
        ledgers.iter().map(|ledger| format!("{}/{}", ledger.log, ledger.ledger_id)).collect()
    };
    for (created, logs) in [(0, ""), (1, "b"), (2, "bb"), (5, "aba")] {
        for (no, log) in logs.chars().enumerate() {
            let id = format!("l{}", created + no);
            create(&mut client, ledger(&id, &log.to_string())).await.unwrap();
        }
        for part in [&two.a, &two.b] {
            let tail = encours_domain::Position(part.tail() - 1);
            part.model.wait_for(tail).await.unwrap();
        }
        let all = list(&mut client, v1::ListLedgersRequest::default()).await.unwrap();
        assert_eq!((&*all.next_page_token, all.position), ("", 0));
        let all = names(&all.ledgers);
        for page_size in 1..=7 {
            let (mut seen, mut page_token, mut pages) = (Vec::new(), String::new(), 0);
            loop {
                let request =
                    v1::ListLedgersRequest { page_size, page_token, ..Default::default() };
                let page = list(&mut client, request).await.unwrap();
                seen.extend(names(&page.ledgers));
                page_token = page.next_page_token;
                pages += 1;
                if page_token.is_empty() {
                    break;
                }
            }
            assert_eq!(seen, all);
            assert_eq!(
                pages,
                all.len().div_ceil(usize::try_from(page_size).unwrap()).max(1),
                "{page_size}"
            );
        }
    }
    let of_b = v1::ListLedgersRequest { log: "b".into(), ..Default::default() };
    let of_b = list(&mut client, of_b).await.unwrap();
    assert_eq!(names(&of_b.ledgers), ["b/l1", "b/l2", "b/l3", "b/l6"]);
    assert!(of_b.position > 0);
    let wrong = |page_token: &str| v1::ListLedgersRequest {
        page_token: page_token.into(),
        ..Default::default()
    };
    for token in ["x", "c.", ".", "a.0", "a.00"] {
        let refused = list(&mut client, wrong(token)).await.unwrap_err();
        assert_eq!(reason(&refused), "INVALID_PAGE_TOKEN", "{token}");
    }
    let refused = v1::ListLedgersRequest { min_position: 1, ..Default::default() };
    assert_eq!(reason(&list(&mut client, refused).await.unwrap_err()), "MISSING_LOG");
    let refused = v1::ListLedgersRequest { log: "c".into(), ..Default::default() };
    let refused = list(&mut client, refused).await.unwrap_err();
    assert_eq!((refused.code(), &*reason(&refused)), (Code::NotFound, "UNKNOWN_LOG"));
    assert!(refused.message().contains("a, b"), "{refused:?}");
}

#[tokio::test]
async fn a_new_ledger_goes_where_it_is_named_or_least_is_or_its_clock_is() {
    let two = Two::start(true).await;
    let mut client = two.clients().await[0].clone();
    let mut logs = Vec::new();
    for id in ["l1", "l2", "l3", "l4"] {
        logs.push(create(&mut client, ledger(id, "")).await.unwrap().log);
    }
    logs.sort();
    assert_eq!(logs, ["a", "a", "b", "b"]);
    // A repeat finds it, also by another name of its log, and says so.
    let first = create(&mut client, ledger("l1", "")).await.unwrap();
    let away = if first.log == "a" { "b" } else { "a" };
    let refused = create(&mut client, ledger("l1", away)).await.unwrap_err();
    assert_eq!(named(&refused), other(&first.log));
    let changed = v1::CreateLedgerRequest { name: "Other".into(), ..ledger("l1", "") };
    assert_eq!(reason(&create(&mut client, changed).await.unwrap_err()), "ID_EXISTS");
    // What would be refused claims nothing, nor does a dry run.
    let wrong = v1::CreateLedgerRequest { currency_code: "XYZ".into(), ..ledger("l5", "a") };
    assert_eq!(reason(&create(&mut client, wrong).await.unwrap_err()), "INVALID_CURRENCY");
    let dry = v1::CreateLedgerRequest { validate_only: true, ..ledger("l5", "a") };
    assert_eq!(create(&mut client, dry).await.unwrap().log, "a");
    assert_eq!(two.claimed("ledger.l5"), None);
    assert_eq!(create(&mut client, ledger("l5", "b")).await.unwrap().log, "b");
    // The log of its clock.
    create(&mut client, on_clock("t1", "shared", "b")).await.unwrap();
    for _ in 0..20 {
        create(&mut client, ledger("", "b")).await.unwrap();
    }
    let request = v1::CreateLedgerRequest {
        test_clock: Some(v1::TestClock { clock_id: "shared".into(), start_date: None }),
        ..ledger("t2", "")
    };
    assert_eq!(create(&mut client, request).await.unwrap().log, "b");
    let refused = create(&mut client, on_clock("t3", "shared", "a")).await.unwrap_err();
    assert_eq!(named(&refused), other("b"));
    assert_eq!(two.claimed("ledger.t3"), None);
    let refused = create(&mut client, ledger("l6", "c")).await.unwrap_err();
    assert_eq!(reason(&refused), "UNKNOWN_LOG");
    // Without an id, but with one of the request: once, although the other log has less by then.
    let unnamed = v1::CreateLedgerRequest { request_id: "once".into(), ..ledger("", "") };
    let once = create(&mut client, unnamed.clone()).await.unwrap();
    for _ in 0..5 {
        create(&mut client, ledger("", &once.log)).await.unwrap();
    }
    assert_eq!(create(&mut client, unnamed.clone()).await.unwrap().ledger_id, once.ledger_id);
    let commands = vec![v1::Command { command: Some(C::CreateLedger(unnamed)) }];
    let answer = client.batch.execute(v1::ExecuteRequest { commands }).await.unwrap().into_inner();
    assert_eq!(answer.results.iter().map(told).collect::<Vec<_>>(), [""]);
}

#[tokio::test]
async fn of_two_who_create_a_ledger_in_two_logs_one_does() {
    let two = Two::start(true).await;
    let clients = two.clients().await;
    for no in 0..20 {
        let id = format!("l{no}");
        let created = |at: usize, log: &'static str| {
            let (mut client, request) = (clients[at].clone(), ledger(&id, log));
            async move { create(&mut client, request).await }
        };
        let (one, other_one) = tokio::join!(created(no % 2, "a"), created(1 - no % 2, "b"));
        let log = two.claimed(&format!("ledger.{id}")).unwrap();
        let (done, refused) = match (one, other_one) {
            (Ok(done), Err(refused)) | (Err(refused), Ok(done)) => (done, refused),
            both => panic!("{both:?}"),
        };
        assert_eq!((&done.log, named(&refused)), (&log, other(&log)));
    }
    for (part, name) in [(&two.a, "a"), (&two.b, "b")] {
        let tail = encours_domain::Position(part.tail() - 1);
        part.model.wait_for(tail).await.unwrap();
        let page = encours_projections::Page {
            after: None,
            limit: 100,
            order: encours_projections::Order::Created,
        };
        for ledger in part.model.ledgers(page).value.items {
            assert_eq!(two.claimed(&format!("ledger.{}", ledger.id)).as_deref(), Some(name));
        }
    }
}

#[tokio::test]
async fn what_is_about_a_log_names_it_or_a_ledger() {
    let two = Two::start(true).await;
    let mut client = two.clients().await[0].clone();
    create(&mut client, ledger("acme", "b")).await.unwrap();
    let head = async |client: &mut Client, log: &str, ledger_id: &str| {
        let request = v1::GetHeadRequest { log: log.into(), ledger_id: ledger_id.into() };
        client.log.get_head(request).await.map(tonic::Response::into_inner)
    };
    for (log, ledger_id, wanted) in
        [("a", "", "a"), ("b", "", "b"), ("", "acme", "b"), ("b", "acme", "b")]
    {
        let head = head(&mut client, log, ledger_id).await.unwrap();
        assert_eq!(head.log, wanted);
        let part = if wanted == "a" { &two.a } else { &two.b };
        assert_eq!(head.position, part.tail() - 1);
    }
    let refused = head(&mut client, "", "").await.unwrap_err();
    assert_eq!((refused.code(), &*reason(&refused)), (Code::InvalidArgument, "MISSING_LOG"));
    assert!(refused.message().ends_with("a, b"), "{refused:?}");
    assert_eq!(named(&head(&mut client, "a", "acme").await.unwrap_err()), other("b"));
    assert_eq!(reason(&head(&mut client, "c", "").await.unwrap_err()), "UNKNOWN_LOG");
    assert_eq!(reason(&head(&mut client, "", "nope").await.unwrap_err()), "UNKNOWN_LEDGER");
    let min_position = two.b.tail() - 1;
    let read = v1::ReadEventsRequest { log: "b".into(), min_position, ..Default::default() };
    let read = client.log.read_events(read).await.unwrap().into_inner();
    assert!(read.events.iter().any(|event| event.ledger_id == "acme"), "{read:?}");
    let refused = client.log.read_events(v1::ReadEventsRequest::default()).await.unwrap_err();
    assert_eq!(reason(&refused), "MISSING_LOG");
    let verify = v1::VerifyLogRequest { log: "a".into() };
    let mut steps = client.log.verify_log(verify).await.unwrap().into_inner();
    assert!(soon("a step", steps.message()).await.unwrap().is_some());
    // A server of one log knows it by the name that it has, where it has one.
    let (_server, mut client) = crate::support::acme().await;
    assert_eq!(reason(&head(&mut client, "a", "").await.unwrap_err()), "UNKNOWN_LOG");
    let refused = create(&mut client, ledger("new", "a")).await.unwrap_err();
    assert_eq!(reason(&refused), "UNKNOWN_LOG");
}

#[tokio::test]
async fn metrics_of_a_log_say_which() {
    let two = Two::start(true).await;
    let mut client = two.clients().await[0].clone();
    create(&mut client, ledger("acme", "b")).await.unwrap();
    let page = scrape(&two.leader.metrics).await;
    for (part, name) in [(&two.a, "a"), (&two.b, "b")] {
        let position = &page[&format!("encours_log_position{{log=\"{name}\"}}")];
        assert_eq!(*position, (part.tail() - 1).to_string());
        assert_eq!(page[&format!("encours_leader{{log=\"{name}\"}}")], "1");
    }
    let accepted = "encours_commands_total{log=\"b\",outcome=\"accepted\"}";
    // It was tried first.
    assert_eq!(page[accepted], "2");
    let created =
        "encours_grpc_requests_total{method=\"encours.v1.LedgerService/CreateLedger\",code=\"OK\"}";
    assert_eq!(page[created], "1");
    assert_eq!(scrape(&two.follower.metrics).await["encours_leader{log=\"a\"}"], "0");
}
