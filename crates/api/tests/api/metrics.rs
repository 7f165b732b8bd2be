//! The page of metrics, read over a raw socket.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use encours_api::{Api, LinkFigures, PublisherFigures, RecoveryFigures};
use encours_domain::{Micros, Position};
use encours_log::Space;
use encours_proto::v1;
use encours_sim::SimClock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tonic::Code;

use crate::support::{NOW, Server, acme_on, customer, invoice, soon};
use crate::web::call;

/// A server whose metrics are served too, and their address.
async fn observed() -> (Server, String, SimClock) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let clock = SimClock::new(NOW);
    let shown = Arc::new(clock.clone());
    let server = Server::start_with(|api: Api| {
        let figures = PublisherFigures { up: true, position: Position(2), failures: 3 };
        let api = api.with_publisher(move || Some(figures));
        let link = LinkFigures { connected: true, ambiguous: 5, fenced: 6, gaps: 7 };
        let api = api.with_link(move || link);
        let took = Duration::from_millis(1_500);
        let recovery = RecoveryFigures { took, torn_bytes: 8, ..RecoveryFigures::default() };
        let api = api.with_recovery(recovery);
        let api = api.with_disk(|| Some(Space { used: 9, free: 1 }));
        tokio::spawn(api.clone().serve_metrics(listener, shown, std::future::pending()));
        api
    });
    (server.await, address, clock)
}

async fn get(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    soon("the page", stream.read_to_string(&mut text)).await.unwrap();
    text
}

/// The samples by name and labels. Checks the form of every line on the way.
pub(crate) async fn scrape(address: &str) -> BTreeMap<String, String> {
    let answer = get(address, "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    let (mut samples, mut types) = (BTreeMap::new(), BTreeSet::new());
    for line in body.lines() {
        if let Some(typed) = line.strip_prefix("# TYPE ") {
            assert!(types.insert(typed.split(' ').next().unwrap().to_owned()), "{line}");
        } else if !line.starts_with("# HELP ") {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let family = name.split('{').next().unwrap();
            let of = ["_bucket", "_sum", "_count"].iter().find_map(|end| family.strip_suffix(end));
            assert!(types.contains(family) || types.contains(of.unwrap_or("")), "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            assert!(samples.insert(name.to_owned(), value.to_owned()).is_none(), "twice: {line}");
        }
    }
    samples
}

#[tokio::test]
async fn what_happens_is_counted() {
    let (server, address, clock) = observed().await;
    let mut client = acme_on(&server).await;
    client.customer("ada").await;
    let status = client.invoices.issue_invoice(invoice("F1", "nobody", 100)).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let request = v1::CreateCustomerRequest { request_id: "r".into(), ..customer("bob") };
    for _ in 0..2 {
        client.customers.create_customer(request.clone()).await.unwrap();
    }
    let head = client.head().await;
    server.model.wait_for(encours_domain::Position(head)).await.unwrap();
    let samples = scrape(&address).await;
    let is = |name: &str, value: u64| assert_eq!(samples[name], value.to_string(), "{name}");
    is("encours_build_info{version=\"0.1.0\"}", 1);
    is("encours_commands_total{outcome=\"repeated\"}", 1);
    is("encours_commands_total{outcome=\"refused\"}", 1);
    is("encours_commands_total{outcome=\"overloaded\"}", 0);
    is("encours_command_duration_seconds_count{outcome=\"refused\"}", 1);
    is("encours_command_duration_seconds_bucket{outcome=\"refused\",le=\"+Inf\"}", 1);
    is("encours_log_position", head);
    is("encours_read_model_position", head);
    is("encours_read_model_lag_events", 0);
    is("encours_read_model_up", 1);
    is("encours_publisher_up", 1);
    is("encours_publisher_position", 2);
    is("encours_publisher_lag_events", head - 2);
    is("encours_publisher_failures_total", 3);
    is("encours_leader", 1);
    is("encours_nats_connected", 1);
    is("encours_append_ambiguous_total", 5);
    is("encours_fenced_total", 6);
    is("encours_gap_detected_total", 7);
    is("encours_recovery_torn_bytes", 8);
    is("encours_disk_used_percent", 90);
    is("encours_queue_depth", 0);
    is("encours_log_full", 0);
    is("encours_clocks{kind=\"test\"}", 1);
    is("encours_scheduler_lag_days{kind=\"test\"}", 0);
    is("encours_connections{state=\"http2\"}", 1);
    is("encours_connections{state=\"http1\"}", 0);
    let calls = |method: &str, code: &str| {
        format!("encours_grpc_requests_total{{method=\"encours.v1.{method}\",code=\"{code}\"}}")
    };
    is(&calls("CustomerService/CreateCustomer", "OK"), 3);
    is(&calls("InvoiceService/IssueInvoice", "NOT_FOUND"), 1);
    is(&calls("EventLogService/GetHead", "OK"), 1);
    let figure = |name: &str| samples[name].parse::<f64>().unwrap();
    assert!(figure("encours_log_bytes") > 500.0, "{samples:?}");
    assert!(figure("encours_events_total") >= 4.0, "{samples:?}");
    let frames = figure("encours_frames_total");
    assert_eq!(figure("encours_fsync_seconds_count").to_bits(), frames.to_bits());

    // A system clock whose days nobody opens falls behind.
    let other = v1::CreateLedgerRequest {
        ledger_id: "civil".into(),
        name: "Civil".into(),
        currency_code: "EUR".into(),
        time_zone: "UTC".into(),
        ..Default::default()
    };
    client.ledgers.create_ledger(other).await.unwrap();
    clock.set(Micros(NOW.0 + 86_400_000_000));
    let samples = scrape(&address).await;
    assert_eq!(samples["encours_scheduler_lag_days{kind=\"system\"}"], "1");
    // 08:00 of the day after.
    assert_eq!(samples["encours_scheduler_lag_seconds"], (8 * 3_600).to_string());
}

#[tokio::test]
async fn what_callers_send_adds_no_line() {
    let (server, address, _clock) = observed().await;
    let before = scrape(&address).await.len();
    for n in 0..20 {
        let path = format!("encours.v1.Nothing{n}/At{n}");
        let answer = call(&server, &path, &v1::GetHeadRequest::default(), &[]).await;
        assert!(answer.head.contains("grpc-status: 12"), "{}", answer.head);
    }
    let samples = scrape(&address).await;
    let other = "encours_grpc_requests_total{method=\"other\",code=\"UNIMPLEMENTED\"}";
    assert_eq!(samples[other], "20");
    assert_eq!(samples.len(), before + 1);
}

#[tokio::test]
async fn only_metrics_are_there() {
    let (_server, address, _clock) = observed().await;
    let other = get(&address, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(other.starts_with("HTTP/1.1 404"), "{other}");
    let post =
        get(&address, "POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").await;
    assert!(post.starts_with("HTTP/1.1 405"), "{post}");
    let head = get(&address, "HEAD /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
    let long = "x".repeat(20_000);
    let long = get(&address, &format!("GET /metrics HTTP/1.1\r\nx: {long}\r\n\r\n")).await;
    assert!(long.starts_with("HTTP/1.1 431"), "{long}");
}

#[tokio::test]
async fn the_page_of_operations_lists_every_metric() {
    let (_server, address, _clock) = observed().await;
    let answer = get(&address, "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let typed = answer.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let served: BTreeSet<_> = typed.filter_map(|line| line.split_once(' ')).collect();
    let page = include_str!("../../../../docs/operations.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `encours_"));
    let listed: BTreeSet<_> = rows
        .map(|row| {
            let (name, rest) = row.split_once("` | ").unwrap();
            (format!("encours_{name}"), rest.split([' ', '|']).next().unwrap())
        })
        .collect();
    let served: BTreeSet<_> =
        served.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect();
    assert_eq!(served, listed);
}
