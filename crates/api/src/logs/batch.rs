//! `BatchService` over several logs: all commands of a call go to one.

use encours_proto::command::ledger_id;
use encours_proto::v1;
use encours_proto::v1::batch_service_server::BatchService;
use encours_proto::v1::command::Command as Message;
use encours_proto::v1::command_outcome::Resource;
use encours_proto::v1::command_result::Result as Shown;
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use tokio::sync::mpsc;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::merge::{Merge, Place};
use super::{Log, Logs};
use crate::batch::{Answer, Sent, bounded};
use crate::call::{Caller, FORWARDED_METADATA, LOG_METADATA};
use crate::failure::Failure;

/// Commands of a stream that may wait for their answers.
const UNDER_WAY: usize = 4_096;

#[tonic::async_trait]
impl BatchService for Logs {
    async fn execute(
        &self,
        request: Request<v1::ExecuteRequest>,
    ) -> Result<Response<v1::ExecuteResponse>, Status> {
        if let Some(log) = self.handed_on(request.metadata())? {
            return log.api.execute(request).await;
        }
        let caller = Caller::of(request.metadata())?;
        let commands = request.into_inner().commands;
        bounded(&commands)?;
        let log = self.of_commands(&commands).await?;
        let (mut admitted, mut refused) = (Vec::with_capacity(commands.len()), Vec::new());
        for mut command in commands {
            let outcome = self.admit(&mut command, log, &caller).await;
            if outcome.is_ok() {
                admitted.push(command);
            }
            refused.push(outcome.err());
        }
        let mut done = Vec::new();
        if !admitted.is_empty() {
            done = log.api.execute_commands(admitted, &caller).await?;
        }
        done.iter_mut().for_each(|result| log.sign_result(result));
        let mut done = done.into_iter();
        let result = |error: Option<v1::CommandError>| match error {
            Some(error) => Some(v1::CommandResult { result: Some(Shown::Error(error)) }),
            None => done.next(),
        };
        let results = refused.into_iter().filter_map(result).collect();
        Ok(Response::new(v1::ExecuteResponse { results }))
    }

    type ExecuteStreamStream = BoxStream<'static, Answer>;

    async fn execute_stream(
        &self,
        request: Request<Streaming<v1::ExecuteStreamRequest>>,
    ) -> Result<Response<Self::ExecuteStreamStream>, Status> {
        // WHY before the first command: who hands a stream on sends none until it is taken.
        if let Some(log) = self.handed_on(request.metadata())? {
            return log.api.execute_stream(request).await;
        }
        let caller = Caller::of(request.metadata())?;
        let (logs, commands) = (self.clone(), request.into_inner());
        // WHY as the first answer: others too may wait to be taken before they send a command.
        let answers = stream::once(async move { logs.execute_each(commands, caller).await });
        Ok(Response::new(answers.try_flatten().boxed()))
    }
}

impl Logs {
    /// The log of a call that a node of the same log has handed on: it has been placed already.
    fn handed_on(&self, metadata: &MetadataMap) -> Result<Option<&Log>, Failure> {
        let name = metadata.get(LOG_METADATA).filter(|_| metadata.contains_key(FORWARDED_METADATA));
        let name = name.and_then(|name| name.to_str().ok());
        name.map(|name| self.named(name)).transpose()
    }

    /// The log of commands: that of the first ledger named, else of the first one that is known.
    async fn of_commands(&self, commands: &[v1::Command]) -> Result<&Log, Failure> {
        let first = commands.iter().find(|command| is_placed(command));
        if let Some(log) = match first.and_then(|first| first.command.as_ref()) {
            Some(Message::CreateLedger(request)) => Some(self.intended(request).await?),
            _ => self.whereabouts(first.map_or("", ledger_id)).await?,
        } {
            return Ok(log);
        }
        let known = commands.iter().find_map(|command| self.known(ledger_id(command)));
        // Whichever it is refuses them all.
        known.or(self.logs.first()).ok_or_else(|| Failure::internal("no log is kept here"))
    }

    /// Lets a command go to a log.
    async fn admit(
        &self,
        command: &mut v1::Command,
        log: &Log,
        caller: &Caller,
    ) -> Result<(), v1::CommandError> {
        if let Some(Message::CreateLedger(request)) = &mut command.command {
            return self.place(request, Some(log), caller).await.map(drop);
        }
        let id = ledger_id(command);
        match self.known(id).filter(|known| known.name != log.name) {
            Some(known) => {
                Err(Failure::other_log("ledger", id, &known.name, &log.name).into_message())
            }
            None => Ok(()),
        }
    }

    async fn execute_each(
        self,
        mut commands: Streaming<v1::ExecuteStreamRequest>,
        caller: Caller,
    ) -> Result<BoxStream<'static, Answer>, Status> {
        let mut stopping = self.front.stopping.subscribe();
        let first = tokio::select! {
            first = commands.message() => first?,
            // The sender is here.
            _ = stopping.wait_for(|stopping| *stopping) => return Err(Failure::stopping().into()),
        };
        let Some(first) = first else { return Ok(stream::empty().boxed()) };
        let log = self.of_commands(first.command.as_slice()).await?.clone();
        let (to_places, places) = mpsc::channel(UNDER_WAY);
        let (api, of_answers) = (log.api.clone(), log.clone());
        let acting = caller.clone();
        let state = (self, log, acting, to_places);
        let admitted = stream::iter([Sent::Ok(first)]).chain(commands);
        let admitted = stream::unfold((admitted, state), async |(mut commands, state)| {
            loop {
                let (logs, log, caller, places) = &state;
                let mut message = match commands.next().await? {
                    Ok(message) => message,
                    Err(broken) => return Some((Err(broken), (commands, state))),
                };
                let command = message.command.get_or_insert_default();
                let place = match logs.admit(command, log, caller).await {
                    Ok(()) => Place::Passed,
                    Err(error) => Place::Refused(error),
                };
                let passes = matches!(place, Place::Passed);
                // Nobody waits for answers any more where it fails.
                places.send(place).await.ok()?;
                if passes {
                    return Some((Ok(message), (commands, state)));
                }
            }
        });
        let answers = api.execute_each(admitted.boxed(), caller).await?;
        let answers = answers.map_ok(move |mut answer| {
            if let Some(result) = &mut answer.result {
                of_answers.sign_result(result);
            }
            answer
        });
        Ok(Merge::new(places, answers.boxed()).into_stream().boxed())
    }
}

impl Log {
    /// Says of the ledger in a result that it is in this log.
    fn sign_result(&self, result: &mut v1::CommandResult) {
        if let Some(Shown::Outcome(outcome)) = &mut result.result
            && let Some(Resource::Ledger(ledger)) = &mut outcome.resource
        {
            self.sign(Some(ledger));
        }
    }
}

/// Whether a command tells which log it is for.
fn is_placed(command: &v1::Command) -> bool {
    let creates = matches!(command.command, Some(Message::CreateLedger(_)));
    creates || !ledger_id(command).is_empty()
}
