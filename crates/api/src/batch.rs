//! `BatchService`: many commands on one call, pipelined in their order.

use std::pin::Pin;

use encours_domain::{Reason, Refusal};
use encours_proto::v1;
use encours_proto::v1::batch_service_server::BatchService;
use encours_proto::v1::command_result::Result as Shown;
use futures_util::stream::{self, Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

use crate::api::Api;
use crate::call::actor;
use crate::failure::Failure;

/// The most commands of one `Execute`.
pub const MAX_BATCH_COMMANDS: usize = 1_000;
/// Commands of one call that are under way at the same time: enough to fill a frame while the one
/// before is made durable.
const WINDOW: usize = 256;

#[tonic::async_trait]
impl BatchService for Api {
    async fn execute(
        &self,
        request: Request<v1::ExecuteRequest>,
    ) -> Result<Response<v1::ExecuteResponse>, Status> {
        let actor = actor(request.metadata())?;
        let commands = request.into_inner().commands;
        if commands.len() > MAX_BATCH_COMMANDS {
            let message = format!(
                "commands has {} entries, at most {MAX_BATCH_COMMANDS} are allowed",
                commands.len()
            );
            let refusal = Refusal::new(Reason::TooLarge, "commands", message)
                .with("count", commands.len())
                .with("limit", MAX_BATCH_COMMANDS);
            return Err(Failure::from(refusal).into());
        }
        // WHY buffered: the futures are started, and so the commands queued, in their order.
        let results = stream::iter(commands)
            .map(|command| self.result(command, actor.clone()))
            .buffered(WINDOW)
            .collect()
            .await;
        Ok(Response::new(v1::ExecuteResponse { results }))
    }

    type ExecuteStreamStream =
        Pin<Box<dyn Stream<Item = Result<v1::ExecuteStreamResponse, Status>> + Send>>;

    async fn execute_stream(
        &self,
        request: Request<Streaming<v1::ExecuteStreamRequest>>,
    ) -> Result<Response<Self::ExecuteStreamStream>, Status> {
        let actor = actor(request.metadata())?;
        let api = self.clone();
        let mut stopping = self.stopping.subscribe();
        let stopped = self.stopping.subscribe();
        let stop = async move {
            let _ = stopping.wait_for(|stopping| *stopping).await;
        };
        let results = request
            .into_inner()
            .take_until(Box::pin(stop))
            .map(move |message| {
                let (api, actor) = (api.clone(), actor.clone());
                async move {
                    let command = message?.command.unwrap_or_default();
                    let result = Some(api.result(command, actor).await);
                    Ok(v1::ExecuteStreamResponse { result })
                }
            })
            .buffered(WINDOW);
        // A caller must not take the end of the service for the end of its own commands.
        let end = stream::once(async move {
            if *stopped.borrow() { Some(Err(Failure::stopping().into())) } else { None }
        });
        Ok(Response::new(Box::pin(results.chain(end.filter_map(|end| async { end })))))
    }
}

impl Api {
    async fn result(&self, command: v1::Command, actor: String) -> v1::CommandResult {
        let result = match self.execute_command(command, actor).await {
            Ok(outcome) => Shown::Outcome(outcome),
            Err(failure) => Shown::Error(failure.into_message()),
        };
        v1::CommandResult { result: Some(result) }
    }
}
