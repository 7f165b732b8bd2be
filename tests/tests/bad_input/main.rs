//! Bad input: each gets its canonical code, its reason and its field, and changes nothing. On a call
//! of its own and in a batch alike.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

mod amounts;
mod ask;
mod case;
mod dates;
mod ids;
mod receivables;
mod values;

use ask::{Ask, call, cancel, customer, explicit, invoice, ledger, payment, reverse};
use case::Case;
use encours_proto::v1;
use encours_tests::{Client, Company, Server, Told, data_folder, eur};
use tonic::{Code, Request, Status};

const LEDGER: &str = "acme";
const TEXT_MAX: usize = 4_096;

/// Two customers; Ada's invoice of 100 with 40 paid by `p1` of 45; a reversed payment, a cancelled
/// invoice, a ledger on a system clock.
async fn prepare(client: Client) -> Company {
    let company = Company::create(client, LEDGER, "2024-01-05").await;
    company.customer("ada", "Ada").await;
    company.customer("bob", "Bob").await;
    company.issue("i1", "ada", "100.00", "2024-02-01").await;
    let paid = v1::RecordPaymentRequest {
        payment_id: "p1".into(),
        customer_id: "ada".into(),
        amount: eur("45.00"),
        allocations: explicit("i1", eur("40.00")),
        ..Default::default()
    };
    company.pay(paid).await;
    let lost = v1::RecordPaymentRequest {
        payment_id: "p-reversed".into(),
        customer_id: "bob".into(),
        amount: eur("1.00"),
        ..Default::default()
    };
    company.pay(lost).await;
    let given = invoice(|r| {
        r.invoice_id = "given".into();
        r.request_id = "once".into();
        r.customer_id = "bob".into();
        r.number = "GIVEN-1".into();
    });
    let system = ledger(|r| {
        r.ledger_id = "system".into();
        r.test_clock = None;
    });
    let lost = invoice(|r| r.invoice_id = "cancelled".into());
    for ask in [reverse("p-reversed", 1), given, lost, cancel("cancelled"), system] {
        call(&company.client, ask).await.unwrap();
    }
    company.advance("2024-01-10").await;
    company
}

/// Checks an answer; what is wrong with it, if anything.
fn judge(case: &Case, status: Result<(), Status>) -> Option<String> {
    let Err(status) = status else { return Some(format!("{}: it was done", case.name)) };
    let told = Told::from(&status);
    let fields: Vec<_> = told.fields.iter().map(String::as_str).collect();
    let fields_fit = if case.field.is_empty() { fields.is_empty() } else { fields == [case.field] };
    let fits = told.code == case.code
        && told.reason == case.reason
        && told.domain == "encours"
        && fields_fit
        && !told.message.is_empty();
    let Case { name, code, reason, field, .. } = case;
    (!fits).then(|| format!("{name}: expected {code:?} {reason} {field:?}, got {told:?}"))
}

/// The same command in a batch: the same code, reason and field.
async fn judge_in_batch(client: &Client, case: &Case) -> Option<String> {
    let Ask::Do(command) = &case.ask else { return None };
    let command = v1::Command { command: Some(command.as_ref().clone()) };
    let request = v1::ExecuteRequest { commands: vec![command] };
    let answer = client.batch.clone().execute(request).await.unwrap().into_inner();
    let result = answer.results.into_iter().next().unwrap().result.unwrap();
    let v1::command_result::Result::Error(error) = result else {
        return Some(format!("{}: it was done in a batch", case.name));
    };
    let field_fits = case.field.is_empty() || error.field == case.field;
    let fits = error.code == case.code as i32 && error.reason == case.reason && field_fits;
    (!fits).then(|| format!("{} in a batch: {error:?}", case.name))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_input_is_told_and_changes_nothing() {
    let folder = data_folder();
    let server = Server::start(folder.path());
    let company = prepare(Client::connect(&server.url()).await).await;
    let head = company.client.head().await;
    let totals = company.totals().await;
    let mut wrong = Vec::new();
    let all =
        [ids::ids(), amounts::amounts(), dates::dates(), values::values(), receivables::cases()];
    let cases: Vec<_> = all.into_iter().flatten().collect();
    for case in &cases {
        wrong.extend(judge(case, call(&company.client, case.ask.clone()).await));
        wrong.extend(judge_in_batch(&company.client, case).await);
        let after = company.client.head().await;
        if (after.position, &after.frame_hash) != (head.position, &head.frame_hash) {
            wrong.push(format!(
                "{}: the log went from {} to {}",
                case.name, head.position, after.position
            ));
            break;
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert_eq!(company.totals().await, totals);
    println!("{} bad inputs, the log stays at position {}", cases.len(), head.position);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_tells_the_figures() {
    let folder = data_folder();
    let server = Server::start(folder.path());
    let company = prepare(Client::connect(&server.url()).await).await;
    let over = payment(|r| {
        r.amount = eur("500.00");
        r.allocations = explicit("i1", eur("75.50"));
    });
    let told = Told::from(&call(&company.client, over).await.unwrap_err());
    for figure in ["60.00", "75.50"] {
        assert!(told.message.contains(figure), "{told:?}");
        assert!(told.figures.values().any(|value| value.contains(figure)), "{told:?}");
    }
    println!("{}: {} {:?}", told.reason, told.message, told.figures);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_over_the_limit_are_refused_at_the_door() {
    let folder = data_folder();
    let server = Server::start(folder.path());
    let company = prepare(Client::connect(&server.url()).await).await;
    let head = company.client.head().await.position;
    let huge = customer(|r| r.note = "x".repeat(2 << 20));
    let status = call(&company.client, huge).await.unwrap_err();
    assert!(
        matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted | Code::InvalidArgument),
        "{status:?}"
    );
    // Metadata over the limit may cost the caller its connection, and nobody else's.
    let mut request = Request::new(v1::GetHeadRequest::default());
    request.metadata_mut().insert("x-large", "v".repeat(64 << 10).parse().unwrap());
    let mut other = Client::connect(&server.url()).await;
    assert!(other.log.get_head(request).await.is_err());
    // An actor that cannot be kept.
    let mut request = Request::new(v1::CreateCustomerRequest {
        ledger_id: LEDGER.into(),
        name: "New".into(),
        ..Default::default()
    });
    request.metadata_mut().insert("encours-actor", "a".repeat(129).parse().unwrap());
    let status = company.client.customers.clone().create_customer(request).await.unwrap_err();
    assert_eq!(Told::from(&status).reason, "INVALID_ACTOR");
    assert_eq!(company.client.head().await.position, head);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_grpc_does_no_harm() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let folder = data_folder();
    let server = Server::start(folder.path());
    let company = prepare(Client::connect(&server.url()).await).await;
    let address = server.url().trim_start_matches("http://").to_owned();
    for garbage in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 4096], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff"]
    {
        let mut socket = tokio::net::TcpStream::connect(&address).await.unwrap();
        drop(socket.write_all(garbage).await);
        let mut answer = vec![0; 1024];
        let read =
            tokio::time::timeout(std::time::Duration::from_secs(2), socket.read(&mut answer));
        drop(read.await);
    }
    company.customer("eve", "The server still answers").await;
    assert!(!server.said().contains("panicked"), "{}", server.said());
}

/// The most that a process has held of memory so far, in KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_unpacks_to_more_than_the_limit_is_refused_unread() {
    use tonic::codec::CompressionEncoding::Gzip;
    let folder = data_folder();
    let server = Server::start(folder.path());
    let company = prepare(Client::connect(&server.url()).await).await;
    let head = company.client.head().await.position;
    let peak = peak_kib(server.pid());
    let mut packing = company.client.customers.clone().send_compressed(Gzip);
    let bomb = v1::CreateCustomerRequest {
        ledger_id: LEDGER.into(),
        name: "New".into(),
        note: "x".repeat(64 << 20),
        ..Default::default()
    };
    let status = packing.create_customer(bomb).await.unwrap_err();
    assert!(
        matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted | Code::InvalidArgument),
        "{status:?}"
    );
    let grown = peak_kib(server.pid()).saturating_sub(peak);
    assert!(grown < 16 << 10, "64 MiB, packed: the server took {grown} KiB more");
    assert_eq!(company.client.head().await.position, head);
    // What is packed and within the limits is fine.
    let small = v1::CreateCustomerRequest {
        ledger_id: LEDGER.into(),
        name: "New".into(),
        note: "x".repeat(TEXT_MAX),
        ..Default::default()
    };
    packing.create_customer(small).await.unwrap();
    println!("64 MiB, packed: {:?}, {grown} KiB more at the peak", status.code());
}
