//! `EventLogService` over several logs.

use encours_proto::v1;
use encours_proto::v1::event_log_service_server::EventLogService;
use tonic::{Request, Response, Status};

use super::{Log, Logs};
use crate::api::Api;
use crate::failure::Failure;

#[tonic::async_trait]
impl EventLogService for Logs {
    type WatchEventsStream = <Api as EventLogService>::WatchEventsStream;
    type VerifyLogStream = <Api as EventLogService>::VerifyLogStream;
    type RebuildReadModelStream = <Api as EventLogService>::RebuildReadModelStream;

    async fn read_events(
        &self,
        request: Request<v1::ReadEventsRequest>,
    ) -> Result<Response<v1::ReadEventsResponse>, Status> {
        let v1::ReadEventsRequest { log, filter, .. } = request.get_ref();
        let log = self.meant(log, of_filter(filter.as_ref())).await?;
        log.api.read_events(request).await
    }

    async fn watch_events(
        &self,
        request: Request<v1::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let v1::WatchEventsRequest { log, filter, .. } = request.get_ref();
        let log = self.meant(log, of_filter(filter.as_ref())).await?;
        log.api.watch_events(request).await
    }

    async fn get_head(
        &self,
        request: Request<v1::GetHeadRequest>,
    ) -> Result<Response<v1::GetHeadResponse>, Status> {
        let v1::GetHeadRequest { log, ledger_id } = request.get_ref();
        let log = self.meant(log, ledger_id).await?;
        let mut answer = log.api.get_head(request).await?;
        log.name.as_ref().clone_into(&mut answer.get_mut().log);
        Ok(answer)
    }

    async fn verify_log(
        &self,
        request: Request<v1::VerifyLogRequest>,
    ) -> Result<Response<Self::VerifyLogStream>, Status> {
        let log = self.meant(&request.get_ref().log, "").await?;
        log.api.verify_log(request).await
    }

    async fn rebuild_read_model(
        &self,
        request: Request<v1::RebuildReadModelRequest>,
    ) -> Result<Response<Self::RebuildReadModelStream>, Status> {
        let log = self.meant(&request.get_ref().log, "").await?;
        log.api.rebuild_read_model(request).await
    }

    async fn get_proof(
        &self,
        request: Request<v1::GetProofRequest>,
    ) -> Result<Response<v1::GetProofResponse>, Status> {
        let v1::GetProofRequest { log, ledger_id, .. } = request.get_ref();
        let log = self.meant(log, ledger_id).await?;
        let mut answer = log.api.get_proof(request).await?;
        log.name.as_ref().clone_into(&mut answer.get_mut().log);
        Ok(answer)
    }

    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::GetCheckpointResponse>, Status> {
        let v1::GetCheckpointRequest { log, ledger_id } = request.get_ref();
        let log = self.meant(log, ledger_id).await?;
        let mut answer = log.api.get_checkpoint(request).await?;
        log.name.as_ref().clone_into(&mut answer.get_mut().log);
        Ok(answer)
    }
}

fn of_filter(filter: Option<&v1::EventFilter>) -> &str {
    filter.map_or("", |filter| &filter.ledger_id)
}

impl Logs {
    /// The log that a call is about by its name, or by that of a ledger in it.
    async fn meant(&self, name: &str, ledger_id: &str) -> Result<&Log, Failure> {
        let named = self.said(name)?;
        if ledger_id.is_empty() {
            return named.ok_or_else(|| Failure::missing_log(self.names()));
        }
        let log = self.of_ledger(ledger_id).await?;
        match named.filter(|named| named.name != log.name) {
            Some(named) => Err(Failure::other_log("ledger", ledger_id, &log.name, &named.name)),
            None => Ok(log),
        }
    }
}
