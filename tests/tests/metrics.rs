//! The metrics of the real binary, on their own port, read over a raw socket.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::collections::BTreeMap;

use encours_tests::{Client, Company, Server, data_folder, http_get, run};

fn scrape(address: &str) -> BTreeMap<String, u64> {
    let page = http_get(address, "/metrics").unwrap();
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    samples
        .filter_map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            Some((name.to_owned(), value.parse().ok()?))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_follow_what_the_service_does() {
    let folder = data_folder();
    let server =
        Server::try_start_under(&["env", "ENCOURS_METRICS=127.0.0.1:0"], folder.path()).unwrap();
    let address = server.metrics_address();
    let before = scrape(&address);
    let company = Company::create(Client::connect(&server.url()).await, "acme", "2024-01-01").await;
    for n in 0..20 {
        company.customer(&format!("c{n}"), "One").await;
    }
    let position = company.position();
    let after = scrape(&address);
    let grown = |name: &str| after[name] - before[name];
    assert!(grown("encours_commands_total{outcome=\"accepted\"}") >= 21);
    assert_eq!(
        grown("encours_commands_total{outcome=\"accepted\"}"),
        grown("encours_command_duration_seconds_count{outcome=\"accepted\"}")
    );
    assert_eq!(grown("encours_frames_total"), grown("encours_fsync_seconds_count"));
    assert!(grown("encours_frames_total") >= 21, "each call waited for its frame");
    assert_eq!(grown("encours_events_total"), grown("encours_log_position"));
    assert!(grown("encours_log_bytes") >= 21 * 512);
    assert!(after["encours_log_position"] >= position);
    assert_eq!(after["encours_connections{state=\"http2\"}"], 1);
    let create = "encours_grpc_requests_total{method=\"encours.v1.CustomerService/CreateCustomer\",\
                  code=\"OK\"}";
    assert_eq!(after[create], 20);
    drop(company);
    let stopped = tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
    let lines: Vec<_> = stopped.ran.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("listening on http://127.0.0.1:"), "{lines:?}");
    assert_eq!(lines[1], format!("metrics on http://{address}/metrics"));
}

#[test]
fn metrics_beyond_this_machine_have_to_be_asked_for() {
    let folder = data_folder();
    let data = folder.path().to_str().unwrap();
    let serve = |metrics: &str, more: &[&str]| {
        let serve = ["serve", "--data", data, "--listen", "127.0.0.1:0", "--metrics", metrics];
        run(serve.iter().chain(more).copied())
    };
    let refused = serve("0.0.0.0:0", &[]).fails(2);
    assert!(refused.stderr.contains("--metrics 0.0.0.0:0"), "{refused}");
    let wrong = serve("127.0.0.1:0", &["--web-origin", "app.example.com"]).fails(2);
    assert!(wrong.stderr.contains("no origin"), "{wrong}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let refused = serve(&taken, &[]).fails(1);
    assert!(refused.stderr.contains(&taken) && refused.stderr.contains("--metrics"), "{refused}");
}
