//! Writes that are cancelled at any moment happen as a whole or not at all (F33).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use encours_proto::v1;
use encours_sim::Rng;
use encours_tests::data_folder;
use tokio::time::timeout;

use crate::{LEDGER, acme, start, times};

const SEED: u64 = 33;

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_write_is_done_as_a_whole_or_not_at_all() {
    let folder = data_folder();
    let server = start(folder.path(), &[]);
    let company = acme(&server).await;
    let mut rng = Rng::new(SEED);
    let mut answered = Vec::new();
    let (rounds, mut cut) = (times(300, 5_000), 0);
    for no in 0..rounds {
        let id = format!("P{no}");
        let issue = crate::issue(&format!("F{no}"), 0);
        let begun = Instant::now();
        company.client.invoices.clone().issue_invoice(issue).await.unwrap();
        let usual = u64::try_from(begun.elapsed().as_micros()).unwrap();
        // Several events: the payment, and that the invoice is paid.
        let pay = v1::RecordPaymentRequest {
            ledger_id: LEDGER.to_owned(),
            request_id: id.clone(),
            payment_id: id.clone(),
            invoice_id: format!("F{no}"),
            amount: encours_tests::eur("10.00"),
            ..Default::default()
        };
        let mut payments = company.client.payments.clone();
        // Before it arrives, while it is done, or too late: a write takes about as long as the last one.
        let moment = Duration::from_micros(rng.below(2 * usual));
        match timeout(moment, payments.record_payment(pay)).await {
            Ok(answer) => {
                answer.unwrap();
                answered.push(id);
            }
            // Dropped: the client resets the stream.
            Err(_) => cut += 1,
        }
    }
    let done = answered.len();
    assert!(cut > 0 && done > 0, "{cut} cut, {done} done (seed {SEED})");
    // What was under way has ended once a later write has.
    company.client.invoices.clone().issue_invoice(crate::issue("last", 0)).await.unwrap();
    let events = company.client.events_after(0).await;
    let mut of_write: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for event in events.iter().filter(|event| event.request_id.starts_with('P')) {
        of_write.entry(&event.request_id).or_default().push(&event.event);
    }
    for write in &answered {
        assert!(of_write.contains_key(&**write), "{write} was answered (seed {SEED})");
    }
    let whole = &of_write[&*answered[0]];
    assert!(whole.len() > 1, "{whole:?}");
    for (write, found) in &of_write {
        assert_eq!(found, whole, "{write} (seed {SEED})");
    }
    let happened = of_write.len();
    println!("{rounds} writes (seed {SEED}): {done} answered, {cut} cut off, {happened} happened");
    assert_eq!(server.stop().ran.code, Some(0));
}
