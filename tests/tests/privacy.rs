//! What a customer is called and how it is reached stands in clear nowhere under the data folder.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::fs;
use std::path::{Path, PathBuf};

use encours_proto::v1;
use encours_tests::{Client, Company, Server, data_folder, every_file};

/// What must be nowhere: as created, then as changed. Words that nothing else here contains.
const SECRETS: [[&str; 6]; 2] = [
    [
        "Zebulon Quartermain",
        "17 rue des Hirondelles-Perdues",
        "Philomène Ødegård",
        "philomene@quartermain-peltries.example",
        "+33 6 99 88 77 61",
        "Pays late since the flood of the Yzeron",
    ],
    [
        "Wilhelmina Vanterpool",
        "4 impasse du Chat-qui-Louche",
        "Barnabé Xylander",
        "barnabe@vanterpool-clocks.example",
        "+33 6 11 22 33 49",
        "Prefers letters, never a telephone call",
    ],
];

/// Words of the secrets: an index of words would give them away as well.
const WORDS: [&str; 8] = [
    "quartermain",
    "hirondelles",
    "philom",
    "yzeron",
    "vanterpool",
    "louche",
    "xylander",
    "barnab",
];

/// The bytes of a file up to the last that is not zero: a segment is mostly empty.
fn content(path: &Path) -> Vec<u8> {
    let mut bytes = fs::read(path).unwrap_or_default();
    let zeros = [0; 4096];
    let last = bytes.chunks(zeros.len()).rposition(|block| block != &zeros[..block.len()]);
    bytes.truncate(last.map_or(0, |last| (last + 1) * zeros.len()));
    bytes
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle))
}

/// In UTF-8 and in both byte orders of UTF-16.
fn spellings(text: &str) -> [Vec<u8>; 3] {
    let wide = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect();
    [text.as_bytes().to_vec(), wide(u16::to_le_bytes), wide(u16::to_be_bytes)]
}

/// Looks for every secret in every file; how many files and bytes were looked at.
fn grep(data: &Path, when: &str) {
    let secrets: Vec<&str> = SECRETS.iter().flatten().chain(&WORDS).copied().collect();
    let (mut files, mut looked_at) = (0, 0);
    let mut holders: Vec<PathBuf> = Vec::new();
    for path in every_file(data) {
        let bytes = content(&path);
        for secret in &secrets {
            for spelling in spellings(secret) {
                assert!(!holds(&bytes, &spelling), "{when}: {secret:?} in {}", path.display());
            }
        }
        if holds(&bytes, b"customer-in-clear") {
            holders.push(path);
        }
        files += 1;
        looked_at += bytes.len();
    }
    // The id may stand in clear, and shows that the search can find.
    assert!(!holders.is_empty(), "{when}: the customer's id is in no file");
    println!(
        "{when}: {files} files, {looked_at} bytes with content, none of {} texts; the id in {}",
        secrets.len(),
        holders.len()
    );
}

fn contact(secrets: &[&str; 6]) -> v1::Contact {
    v1::Contact {
        name: secrets[2].to_owned(),
        email: secrets[3].to_owned(),
        phone: secrets[4].to_owned(),
    }
}

fn expect_shown(customer: &v1::Customer, secrets: &[&str; 6]) {
    let shown = [&customer.name, &customer.address, &customer.note];
    assert_eq!(shown, [secrets[0], secrets[1], secrets[5]]);
    assert_eq!(customer.contacts, [contact(secrets)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_personal_detail_stands_in_clear() {
    let folder = data_folder();
    let server = Server::start(folder.path());
    let company = Company::create(Client::connect(&server.url()).await, "acme", "2024-01-01").await;
    let id = "customer-in-clear";
    let [first, second] = &SECRETS;
    let create = v1::CreateCustomerRequest {
        ledger_id: "acme".to_owned(),
        customer_id: id.to_owned(),
        request_id: "create-1".to_owned(),
        name: first[0].to_owned(),
        address: first[1].to_owned(),
        contacts: vec![contact(first)],
        note: first[5].to_owned(),
        ..Default::default()
    };
    let mut customers = company.client.customers.clone();
    let answer = customers.create_customer(create.clone()).await.unwrap().into_inner();
    expect_shown(&answer.customer.unwrap(), first);
    company.saw(answer.position);
    company.issue("i1", id, "100.00", "2024-01-31").await;
    expect_shown(&company.get_customer(id).await, first);
    grep(folder.path(), "while it runs");

    let update = v1::UpdateCustomerRequest {
        ledger_id: "acme".to_owned(),
        customer_id: id.to_owned(),
        name: Some(second[0].to_owned()),
        address: Some(second[1].to_owned()),
        contacts: Some(v1::ContactList { contacts: vec![contact(second)] }),
        note: Some(second[5].to_owned()),
        ..Default::default()
    };
    let answer = customers.update_customer(update).await.unwrap().into_inner();
    expect_shown(&answer.customer.unwrap(), second);
    company.saw(answer.position);
    expect_shown(&company.get_customer(id).await, second);
    grep(folder.path(), "after an update");

    // A clean stop writes the checkpoint and a snapshot.
    let stopped = server.stop();
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
    for secret in SECRETS.iter().flatten().chain(&WORDS) {
        let said = format!("{}{}", stopped.ran.stdout, stopped.ran.stderr).to_lowercase();
        assert!(!said.contains(&secret.to_lowercase()), "the server said {secret:?}");
    }
    grep(folder.path(), "after a stop");

    let server = Server::start(folder.path());
    let company = Company::create(Client::connect(&server.url()).await, "acme", "2024-01-01").await;
    expect_shown(&company.get_customer(id).await, second);
    let mut customers = company.client.customers.clone();
    let again = customers.create_customer(create).await.unwrap().into_inner();
    assert!(again.repeat, "the same command is still known");
    expect_shown(&again.customer.unwrap(), second);
    server.kill9();
    grep(folder.path(), "after a restart and kill -9");
}
