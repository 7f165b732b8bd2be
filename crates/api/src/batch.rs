//! `BatchService`: many commands on one call, pipelined in their order.

use std::sync::Arc;

use encours_domain::{Reason, Refusal};
use encours_engine::EngineHandle;
use encours_proto::v1;
use encours_proto::v1::batch_service_server::BatchService;
use futures_util::future;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use tokio::sync::watch;
use tonic::{Request, Response, Status, Streaming};

use crate::api::Api;
use crate::call::Caller;
use crate::failure::Failure;
use crate::forward::Road;
use crate::leader::Writing;
use crate::writes::WINDOW;

/// The most commands of one `Execute`.
pub const MAX_BATCH_COMMANDS: usize = 1_000;

#[tonic::async_trait]
impl BatchService for Api {
    async fn execute(
        &self,
        request: Request<v1::ExecuteRequest>,
    ) -> Result<Response<v1::ExecuteResponse>, Status> {
        let caller = Caller::of(request.metadata())?;
        let commands = request.into_inner().commands;
        bounded(&commands)?;
        let results = self.execute_commands(commands, &caller).await?;
        Ok(Response::new(v1::ExecuteResponse { results }))
    }

    type ExecuteStreamStream = BoxStream<'static, Answer>;

    async fn execute_stream(
        &self,
        request: Request<Streaming<v1::ExecuteStreamRequest>>,
    ) -> Result<Response<Self::ExecuteStreamStream>, Status> {
        let caller = Caller::of(request.metadata())?;
        Ok(Response::new(self.execute_each(request.into_inner(), caller).await?))
    }
}

/// A command of a stream, or what its caller has broken off with.
pub(crate) type Sent = Result<v1::ExecuteStreamRequest, Status>;
/// What became of one, or why there are no more.
pub(crate) type Answer = Result<v1::ExecuteStreamResponse, Status>;

/// # Errors
/// `TOO_LARGE` for more commands than a batch may have.
pub(crate) fn bounded(commands: &[v1::Command]) -> Result<(), Failure> {
    if commands.len() <= MAX_BATCH_COMMANDS {
        return Ok(());
    }
    let message = format!(
        "commands has {} entries, at most {MAX_BATCH_COMMANDS} are allowed",
        commands.len()
    );
    let refusal = Refusal::new(Reason::TooLarge, "commands", message)
        .with("count", commands.len())
        .with("limit", MAX_BATCH_COMMANDS);
    Err(refusal.into())
}

impl Api {
    /// Has the commands of a stream executed by the node that writes the log.
    pub(crate) async fn execute_each(
        &self,
        commands: impl Stream<Item = Sent> + Send + Unpin + 'static,
        caller: Caller,
    ) -> Result<BoxStream<'static, Answer>, Status> {
        let mut search = self.search(&caller);
        loop {
            let undone = match search.leader()? {
                Writing::Here(engine) => {
                    return Ok(self.stream_here(engine, search.change(), commands, caller.actor));
                }
                Writing::There(address) => match self.roads.open(&address, &caller).await {
                    Ok(road) => {
                        return Ok(self.stream_there(road, search.moved(&address), commands));
                    }
                    Err(undone) => undone,
                },
                Writing::Nobody => Failure::no_leader(),
            };
            search.wait(undone).await?;
        }
    }

    /// Executes the commands of a stream here, until the engine writes the log no more.
    fn stream_here(
        &self,
        engine: EngineHandle,
        change: impl Future<Output = ()> + Send + 'static,
        commands: impl Stream<Item = Sent> + Send + Unpin + 'static,
        actor: String,
    ) -> BoxStream<'static, Answer> {
        let api = Arc::new(self.clone());
        let of_end = Arc::clone(&api);
        let (cut, was_cut) = watch::channel(false);
        let stop = self.stopped();
        let end_of_input = Box::pin(async move {
            tokio::select! {
                () = stop => {}
                () = change => {}
            }
            cut.send_replace(true);
        });
        let results = commands
            .take_until(end_of_input)
            .map(move |message| {
                let (api, engine, actor) = (Arc::clone(&api), engine.clone(), actor.clone());
                async move {
                    let command = message?.command.unwrap_or_default();
                    let result = Some(api.result(&engine, command, actor).await);
                    Ok(v1::ExecuteStreamResponse { result })
                }
            })
            .buffered(WINDOW);
        // A caller must not take the end of the service for the end of its own commands.
        let end = async move { was_cut.borrow().then(|| Err(of_end.stepped_down().into())) };
        results.chain(stream::once(end).filter_map(future::ready)).boxed()
    }

    /// Hands the commands of a stream on, and its answers back.
    fn stream_there(
        &self,
        road: Road,
        moved: impl Future<Output = ()> + Send + 'static,
        commands: impl Stream<Item = Sent> + Send + Unpin + 'static,
    ) -> BoxStream<'static, Answer> {
        let (broken, why) = watch::channel(None);
        let (stop, cut) = (self.stopped(), broken.clone());
        let end_of_input = Box::pin(async move {
            stop.await;
            cut.send_replace(Some(Failure::stopping().into()));
        });
        let commands = commands.take_until(end_of_input).scan((), move |(), message| {
            let message = message.map_err(|status: Status| broken.send_replace(Some(status)));
            future::ready(message.ok())
        });
        let end = async move { why.borrow().clone().map(Err) };
        road.travel(commands, moved).chain(stream::once(end).filter_map(future::ready)).boxed()
    }

    /// Ends once the service stops.
    fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut stopping = self.stopping.subscribe();
        async move {
            // The sender lives as long as the services.
            let _ = stopping.wait_for(|stopping| *stopping).await;
        }
    }
}
