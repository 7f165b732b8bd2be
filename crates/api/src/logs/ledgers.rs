//! `LedgerService` over several logs.

use encours_proto::v1;
use encours_proto::v1::ledger_service_server::LedgerService;
use tonic::{Request, Response, Status};

use super::{Log, Logs};
use crate::api::Api;
use crate::call::Caller;
use crate::failure::{Failure, INVALID_PAGE_TOKEN, status};
use crate::paging::page_size;

impl Log {
    /// Says of a ledger that it is in this log.
    pub(super) fn sign(&self, ledger: Option<&mut v1::Ledger>) {
        if let Some(ledger) = ledger {
            self.name.as_ref().clone_into(&mut ledger.log);
        }
    }
}

#[tonic::async_trait]
impl LedgerService for Logs {
    async fn create_ledger(
        &self,
        request: Request<v1::CreateLedgerRequest>,
    ) -> Result<Response<v1::CreateLedgerResponse>, Status> {
        let caller = Caller::of(request.metadata())?;
        let (metadata, extensions, mut message) = request.into_parts();
        let log = self.place(&mut message, None, &caller).await.map_err(status)?;
        let request = Request::from_parts(metadata, extensions, message);
        let mut answer = <Api as LedgerService>::create_ledger(&log.api, request).await?;
        log.sign(answer.get_mut().ledger.as_mut());
        Ok(answer)
    }

    async fn get_ledger(
        &self,
        request: Request<v1::GetLedgerRequest>,
    ) -> Result<Response<v1::GetLedgerResponse>, Status> {
        let log = self.of_ledger(&request.get_ref().ledger_id).await?;
        let mut answer = <Api as LedgerService>::get_ledger(&log.api, request).await?;
        log.sign(answer.get_mut().ledger.as_mut());
        Ok(answer)
    }

    async fn list_ledgers(
        &self,
        request: Request<v1::ListLedgersRequest>,
    ) -> Result<Response<v1::ListLedgersResponse>, Status> {
        if let Some(log) = self.said(&request.get_ref().log)? {
            return Ok(Response::new(list(log, request).await?));
        }
        let (metadata, _, request) = request.into_parts();
        if request.min_position > 0 {
            return Err(Failure::missing_log(self.names()).into());
        }
        let size = page_size(request.page_size)?;
        let (mut at, mut page_token) = self.place_of(&request.page_token)?;
        let mut ledgers = Vec::new();
        let mut next_page_token = String::new();
        while let Some(log) = self.logs.get(at) {
            let left = size - ledgers.len();
            // One at least, so that the last page is one after which there is nothing.
            let page_size = i32::try_from(left.max(1)).unwrap_or(i32::MAX);
            let asked = v1::ListLedgersRequest { page_size, page_token, ..Default::default() };
            let mut asked = Request::new(asked);
            *asked.metadata_mut() = metadata.clone();
            let page = list(log, asked).await?;
            page_token = String::new();
            if left == 0 && !page.ledgers.is_empty() {
                next_page_token = token(log, "");
                break;
            }
            ledgers.extend(page.ledgers);
            if !page.next_page_token.is_empty() {
                next_page_token = token(log, &page.next_page_token);
                break;
            }
            at += 1;
        }
        Ok(Response::new(v1::ListLedgersResponse { ledgers, next_page_token, position: 0 }))
    }

    async fn advance_clock(
        &self,
        request: Request<v1::AdvanceClockRequest>,
    ) -> Result<Response<v1::AdvanceClockResponse>, Status> {
        let log = self.of_ledger(&request.get_ref().ledger_id).await?;
        let mut answer = <Api as LedgerService>::advance_clock(&log.api, request).await?;
        log.sign(answer.get_mut().ledger.as_mut());
        Ok(answer)
    }
}

impl Logs {
    /// The log, by its place, and the token in it that a page goes on at.
    fn place_of(&self, token: &str) -> Result<(usize, String), Failure> {
        if token.is_empty() {
            return Ok((0, String::new()));
        }
        let parts = token.split_once('.');
        let place = parts.and_then(|(name, rest)| {
            let at = self.logs.iter().position(|log| *log.name == *name)?;
            Some((at, rest.to_owned()))
        });
        place.ok_or_else(|| {
            let message = "page_token was not given for this list with this filter";
            Failure::new(INVALID_PAGE_TOKEN, message).about("page_token")
        })
    }
}

/// The token of a page that goes on in this log. A name has no dot in it.
fn token(log: &Log, rest: &str) -> String {
    format!("{}.{rest}", log.name)
}

/// A page of the ledgers of one log.
async fn list(
    log: &Log,
    request: Request<v1::ListLedgersRequest>,
) -> Result<v1::ListLedgersResponse, Status> {
    let mut page = <Api as LedgerService>::list_ledgers(&log.api, request).await?.into_inner();
    for ledger in &mut page.ledgers {
        log.sign(Some(ledger));
    }
    Ok(page)
}
