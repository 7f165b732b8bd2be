//! What a running server shows.

use std::collections::BTreeMap;

use encours_log::{LogId, Position};
use encours_proto::v1;
use encours_proto::v1::verify_log_response::Step;

use super::books::{Books, LedgerBook, Money, sum};
use crate::client::{Client, PAGE, ServerArgs};
use crate::failure::{Exit, Failure, Outcome};
use crate::output;

/// Seconds that a call may take: a page of the past may have to be added up.
const TIMEOUT: u64 = 120;

/// A server, and what it says of its log.
pub(super) struct Live {
    pub(super) url: String,
    client: Client,
    log_id: String,
    /// Digest of the facts that its read model holds...
    pub(super) digest: String,
    /// ...at this position.
    pub(super) position: Position,
}

impl Live {
    /// Has the server check its log and tell the digest of what it shows.
    pub(super) async fn ask(url: &str, log: &str) -> Outcome<Self> {
        let (server, actor) = (url.to_owned(), "encours-cli".to_owned());
        let client = Client::connect(&ServerArgs { server, actor, timeout: TIMEOUT }).await?;
        let request = v1::VerifyLogRequest { log: log.to_owned() };
        let mut steps = client.event_streams().verify_log(request).await?.into_inner();
        while let Some(answer) = steps.message().await? {
            let Some(Step::Result(result)) = answer.step else { continue };
            if !result.intact {
                let message = format!("{url}: its log is damaged: {}", result.problem);
                return Err(Failure::new(Exit::Damaged, message)
                    .hint("keep the folder as it is, and restore it from a backup"));
            }
            let (log_id, digest) = (result.log_id, result.digest);
            let position = Position(result.digest_position);
            return Ok(Self { url: url.to_owned(), client, log_id, digest, position });
        }
        Err(Failure::unfinished_check())
    }

    /// Refuses a folder that cannot be held against the server at `to`.
    pub(super) fn is_of(&self, log_id: LogId, end: Position, to: Position) -> Outcome {
        if self.log_id != log_id.to_string() {
            let (url, theirs) = (&self.url, &self.log_id);
            let message = format!("wrong_log: {url} keeps log {theirs}, the folder holds {log_id}");
            return Err(Failure::new(Exit::Damaged, message).hint(
                "give the folder of that server, or say with --log which of its logs is meant",
            ));
        }
        let shown = self.position;
        if to > end || to > shown {
            let (last, who) = if to > end { (end, "the folder") } else { (shown, "the server") };
            let message = format!("{who} is at position {last}, before {to}");
            return Err(Failure::new(Exit::Refused, message)
                .hint(format!("--to {} compares what both know", end.min(shown))));
        }
        Ok(())
    }

    /// What the server shows of these ledgers as known at a position.
    pub(super) async fn books(&self, of: &Books, position: Position) -> Outcome<Books> {
        let mut books = Books::default();
        for ledger in &of.ledgers {
            let each = self.customers(&ledger.id, position).await?;
            books.ledgers.push(LedgerBook {
                customers: each.len() as u64,
                total: sum(each.values()),
                each,
                ..ledger.clone()
            });
        }
        Ok(books)
    }

    async fn customers(
        &self,
        ledger: &str,
        position: Position,
    ) -> Outcome<BTreeMap<String, Money>> {
        let mut request = v1::ListCustomersRequest {
            ledger_id: ledger.to_owned(),
            page_size: PAGE,
            as_known_at: Some(v1::AsKnownAt {
                at: Some(v1::as_known_at::At::Position(position.0)),
            }),
            ..Default::default()
        };
        let mut each = BTreeMap::new();
        loop {
            let page = self.client.customers().list_customers(request.clone()).await?.into_inner();
            for customer in page.customers {
                let mut money = Money::new();
                for balance in &customer.balances {
                    let figures = [
                        &balance.opening,
                        &balance.invoiced,
                        &balance.credited,
                        &balance.collected,
                        &balance.refunded,
                        &balance.outstanding,
                        &balance.overdue,
                        &balance.unapplied,
                    ];
                    let (mut all, mut currency) = ([0; 8], None);
                    for (to, figure) in all.iter_mut().zip(figures) {
                        let Some(figure) = figure else { continue };
                        let figure = output::amount(figure)?;
                        *to = figure.minor;
                        currency = Some(figure.currency);
                    }
                    money.extend(currency.map(|currency| (currency, all)));
                }
                each.insert(customer.customer_id, money);
            }
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                return Ok(each);
            }
        }
    }
}
