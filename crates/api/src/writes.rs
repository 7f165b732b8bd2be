//! The one path of every write: message, leader, command, engine, answer.

use encours_domain::details::Detail;
use encours_domain::{Resource, resource};
use encours_engine::{Denied, EngineHandle, Reply, Submission};
use encours_proto::command::{WriteRequest, write};
use encours_proto::credit_note::credit_note_message;
use encours_proto::customer::customer_message;
use encours_proto::invoice::invoice_message;
use encours_proto::ledger::{clock_message, ledger_message};
use encours_proto::payment::payment_message;
use encours_proto::v1;
use encours_proto::v1::command::Command as Message;
use encours_proto::v1::command_result::Result as Shown;
use futures_util::stream::{self, StreamExt as _};
use tonic::{Request, Response, Status};

use crate::api::Api;
use crate::call::Caller;
use crate::failure::{Failure, status};
use crate::forward::{Broken, is_undone_result};
use crate::leader::Writing;

/// Commands of one call that are under way at the same time: enough to fill a frame while the one
/// before is made durable.
pub(crate) const WINDOW: usize = 256;

impl Api {
    /// Executes the write of a unary method.
    pub(crate) async fn write<R: WriteRequest>(
        &self,
        request: Request<R>,
    ) -> Result<Response<R::Response>, Status> {
        let caller = Caller::of(request.metadata())?;
        let command = v1::Command { command: Some(request.into_inner().into_command()) };
        let outcome = self.execute_command(command, &caller).await?;
        respond::<R>(outcome)
    }

    /// Has a command executed by the node that writes the log.
    pub(crate) async fn execute_command(
        &self,
        command: v1::Command,
        caller: &Caller,
    ) -> Result<v1::CommandOutcome, Status> {
        let mut results = self.execute_commands(vec![command], caller).await?;
        match results.pop().and_then(|result| result.result) {
            Some(Shown::Outcome(outcome)) => Ok(outcome),
            Some(Shown::Error(error)) => Err(status(error)),
            None => Err(Failure::internal("the answer is empty").into()),
        }
    }

    /// Has commands executed in their order by the node that writes the log.
    ///
    /// Where a leader that they were handed on to gives no answer, they are sent again if every one
    /// has a request id: what was done is then answered as it was.
    pub(crate) async fn execute_commands(
        &self,
        mut commands: Vec<v1::Command>,
        caller: &Caller,
    ) -> Result<Vec<v1::CommandResult>, Status> {
        let mut search = self.search(caller);
        let mut doubt = None;
        loop {
            let undone = match search.leader()? {
                Writing::Here(engine) => {
                    // WHY a lone one only: a copy of every batch would slow down the fast road. What
                    // of a batch is not done its caller sends again.
                    let kept = if commands.len() == 1 { commands.clone() } else { Vec::new() };
                    let results = self.results(&engine, commands, &caller.actor).await;
                    if kept.is_empty() || !results.iter().all(is_undone_result) {
                        return Ok(results);
                    }
                    commands = kept;
                    self.stepped_down()
                }
                Writing::There(address) => {
                    let moved = search.moved(&address);
                    match self.roads.execute(&address, commands.clone(), caller, moved).await {
                        Ok(results) => return Ok(results),
                        Err(Broken::Ended(status)) => return Err(status),
                        Err(Broken::Undone(undone)) => undone,
                        Err(Broken::Doubtful) => {
                            if !commands.iter().all(has_request_id) {
                                return Err(Failure::outcome_unknown().into());
                            }
                            doubt = Some(Failure::outcome_unknown());
                            Failure::no_leader()
                        }
                    }
                }
                Writing::Nobody => Failure::no_leader(),
            };
            if let Err(undone) = search.wait(undone).await {
                // What one attempt leaves open a later one that came to nothing does not close.
                return Err(doubt.unwrap_or(undone).into());
            }
        }
    }

    /// What becomes of commands that the engine here executes.
    async fn results(
        &self,
        engine: &EngineHandle,
        commands: Vec<v1::Command>,
        actor: &str,
    ) -> Vec<v1::CommandResult> {
        // WHY buffered: the futures are started, and so the commands queued, in their order.
        stream::iter(commands)
            .map(|command| self.result(engine, command, actor.to_owned()))
            .buffered(WINDOW)
            .collect()
            .await
    }

    /// What becomes of a command that the engine here executes.
    pub(crate) async fn result(
        &self,
        engine: &EngineHandle,
        command: v1::Command,
        actor: String,
    ) -> v1::CommandResult {
        let result = match self.execute(engine, command, actor).await {
            Ok(outcome) => Shown::Outcome(outcome),
            Err(failure) => Shown::Error(failure.into_message()),
        };
        v1::CommandResult { result: Some(result) }
    }

    async fn execute(
        &self,
        engine: &EngineHandle,
        command: v1::Command,
        actor: String,
    ) -> Result<v1::CommandOutcome, Failure> {
        if let Some(Message::CreateLedger(request)) = &command.command {
            self.is_log(&request.log)?;
        }
        if self.writes_stop
            && let Some(stopped) = self.model.health().stopped
        {
            return Err(stopped.into());
        }
        let write = write(command)?;
        let submission = Submission {
            command: write.command,
            request_id: write.request_id,
            actor,
            reason: write.reason,
            expected_version: write.expected_version,
            validate_only: write.validate_only,
        };
        match engine.execute(submission).await {
            Ok(reply) => self.outcome(reply),
            Err(Denied::Stopping) => Err(self.stepped_down()),
            Err(denied) => Err(denied.into()),
        }
    }

    fn outcome(&self, reply: Reply) -> Result<v1::CommandOutcome, Failure> {
        use v1::command_outcome::Resource as Shown;
        let shown = match reply.resource {
            None => None,
            Some(Resource::Clock(clock)) => Some(Shown::Clock(clock_message(&clock))),
            Some(Resource::Ledger(ledger)) => Some(Shown::Ledger(ledger_message(&ledger))),
            Some(Resource::Customer(customer)) => {
                let details = self.details(&customer, reply.previewed_details)?;
                Some(Shown::Customer(customer_message(&customer, details)))
            }
            Some(Resource::Invoice(invoice)) => {
                Some(Shown::Invoice(invoice_message(&invoice, None)))
            }
            Some(Resource::Payment(payment)) => Some(Shown::Payment(payment_message(&payment))),
            Some(Resource::CreditNote(note)) => Some(Shown::CreditNote(credit_note_message(&note))),
        };
        Ok(v1::CommandOutcome {
            position: reply.position.0,
            repeat: reply.repeated,
            resource: shown,
        })
    }

    /// The personal details of a customer in clear: `known` as they are, the others opened.
    pub(crate) fn details(
        &self,
        customer: &resource::Customer,
        known: Vec<Detail>,
    ) -> Result<Vec<Detail>, Failure> {
        let mut details = known;
        let keys = self.keys();
        for (kind, sealed) in &customer.details {
            if details.iter().all(|detail| detail.kind() != *kind) {
                let opened = keys.open_detail(customer.ledger, customer.no, *kind, sealed);
                details.push(opened.map_err(Failure::details)?);
            }
        }
        Ok(details)
    }
}

/// Whether a command may be sent again without being done twice.
fn has_request_id(command: &v1::Command) -> bool {
    write(command.clone()).is_ok_and(|write| write.request_id.is_some())
}

/// The response of a unary method.
pub(crate) fn respond<R: WriteRequest>(
    outcome: v1::CommandOutcome,
) -> Result<Response<R::Response>, Status> {
    R::response(outcome)
        .map(Response::new)
        .ok_or_else(|| Failure::internal("the answer shows another kind of resource").into())
}
