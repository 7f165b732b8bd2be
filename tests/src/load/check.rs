//! What was acknowledged is there, once, and the books say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use encours_proto::v1;
use encours_proto::v1::command::Command;
use encours_proto::v1::verify_log_response::Step;

use super::{Heard, LOAD_LEDGER, PATIENCE, PAUSE, Sent, send};
use crate::client::Client;
use crate::values::amount;

/// How long a command is repeated until somebody does it.
const LIMIT: Duration = Duration::from_secs(60);

/// Checks a node against what clients were told, of a ledger that nobody else writes to:
///
/// - each acknowledged command has its events in the log once, and they end at its position; each
///   unknown one has them once or not at all;
/// - repeated with its request id, each unknown one is done, once; from here on it counts as
///   acknowledged;
/// - the totals of the ledger are the sums of what was done;
/// - every frame is intact.
///
/// Answers with how many of the unknown ones had been done.
///
/// # Panics
/// Where something is not so.
pub async fn check(heard: &mut Heard, url: &str) -> u64 {
    let client = Client::lazy(url, LIMIT);
    check_events(&client, heard).await;
    let done_before = repeat_unknown(heard, url).await;
    check_events(&client, heard).await;
    check_sums(&client, heard).await;
    verify(&client).await;
    done_before
}

/// Repeats each command of unknown outcome with its request id until it is acknowledged; how many of
/// them had been done.
///
/// # Panics
/// Where one is refused, or nobody does it within a minute.
pub async fn repeat_unknown(heard: &mut Heard, url: &str) -> u64 {
    let client = Client::lazy(url, PATIENCE);
    let mut done_before = 0;
    for sent in std::mem::take(&mut heard.unknown) {
        let begun = Instant::now();
        let (position, repeat) = loop {
            match send(&client, &sent).await {
                Ok(done) => break done,
                Err(told) => {
                    let goes_on = told.is_of_faults() && begun.elapsed() < LIMIT;
                    assert!(goes_on, "{} is not done: {told:?}", sent.request_id);
                    tokio::time::sleep(PAUSE).await;
                }
            }
        };
        done_before += u64::from(repeat);
        heard.acknowledged.push((sent, position));
    }
    done_before
}

/// Has a node check every frame that it has; what came out.
///
/// # Panics
/// Where the log is not intact.
pub async fn verify(client: &Client) -> v1::VerifyResult {
    let mut steps = client.log.clone().verify_log(v1::VerifyLogRequest::default()).await;
    let steps = steps.as_mut().expect("VerifyLog").get_mut();
    let mut result = None;
    while let Some(message) = steps.message().await.expect("VerifyLog goes on") {
        if let Some(Step::Result(found)) = message.step {
            result = Some(found);
        }
    }
    let result = result.expect("VerifyLog ends with a result");
    assert!(result.intact, "{result:?}");
    result
}

/// Every acknowledged command has its events in the log: one run of positions that ends where the
/// acknowledgement said. Commands that were not acknowledged have one run or none.
async fn check_events(client: &Client, heard: &Heard) {
    let newest = heard.acknowledged.iter().map(|(_, position)| *position).max();
    let events = client.events_between(0, newest.unwrap_or_default()).await;
    let mut runs: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (event, position) in events.iter().zip(1..) {
        assert_eq!(event.position, position, "positions are dense");
        if event.request_id.is_empty() {
            continue;
        }
        let run = runs.entry(&event.request_id).or_insert((position, position - 1));
        assert_eq!(run.1 + 1, position, "{} is in the log twice", event.request_id);
        run.1 = position;
    }
    let mut positions = BTreeSet::new();
    for (sent, position) in &heard.acknowledged {
        let found = runs.get(sent.request_id.as_str()).map(|run| run.1);
        assert_eq!(found, Some(*position), "{} was acknowledged", sent.request_id);
        assert!(positions.insert(position), "two commands end at {position}");
    }
}

/// The ledger's totals are what the acknowledged commands add up to.
async fn check_sums(client: &Client, heard: &Heard) {
    let (mut invoiced, mut collected) = (0, 0);
    for (Sent { command, .. }, _) in &heard.acknowledged {
        match command {
            Command::IssueInvoice(request) => invoiced += cents(request.total.as_ref()),
            Command::RecordPayment(request) => collected += cents(request.amount.as_ref()),
            _ => {}
        }
    }
    let newest = heard.acknowledged.iter().map(|(_, position)| *position).max();
    let request = v1::GetLedgerTotalsRequest {
        ledger_id: LOAD_LEDGER.to_owned(),
        min_position: newest.unwrap_or_default(),
    };
    let totals = client.reports.clone().get_ledger_totals(request).await.expect("GetLedgerTotals");
    let balances = totals.into_inner().balances;
    let euro = balances.iter().find(|balance| balance.currency_code == "EUR");
    let found = euro.map_or((0, 0), |balance| {
        (cents(balance.invoiced.as_ref()), cents(balance.collected.as_ref()))
    });
    assert_eq!(found, (invoiced, collected), "cents invoiced and collected");
}

fn cents(money: Option<&v1::Money>) -> i64 {
    let text = amount(money);
    if text.is_empty() { 0 } else { text.replace('.', "").parse().expect("an amount in cents") }
}
