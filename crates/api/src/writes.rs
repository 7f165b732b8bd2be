//! The one path of every write: message, command, engine, answer.

use encours_domain::details::Detail;
use encours_domain::{Resource, resource};
use encours_engine::{Reply, Submission};
use encours_proto::command::{WriteRequest, write};
use encours_proto::credit_note::credit_note_message;
use encours_proto::customer::customer_message;
use encours_proto::invoice::invoice_message;
use encours_proto::ledger::{clock_message, ledger_message};
use encours_proto::payment::payment_message;
use encours_proto::v1;
use tonic::{Request, Response, Status};

use crate::api::Api;
use crate::call::actor;
use crate::failure::Failure;

impl Api {
    /// Executes the write of a unary method.
    pub(crate) async fn write<R: WriteRequest>(
        &self,
        request: Request<R>,
    ) -> Result<Response<R::Response>, Status> {
        let actor = actor(request.metadata())?;
        let command = v1::Command { command: Some(request.into_inner().into_command()) };
        let outcome = self.execute_command(command, actor).await?;
        respond::<R>(outcome)
    }

    /// Executes a command and shows what it was about.
    pub(crate) async fn execute_command(
        &self,
        command: v1::Command,
        actor: String,
    ) -> Result<v1::CommandOutcome, Failure> {
        let write = write(command)?;
        let engine = self.writing.borrow().engine().cloned().ok_or_else(Failure::no_leader)?;
        let reply = engine
            .execute(Submission {
                command: write.command,
                request_id: write.request_id,
                actor,
                reason: write.reason,
                expected_version: write.expected_version,
                validate_only: write.validate_only,
            })
            .await?;
        self.outcome(reply)
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

/// The response of a unary method.
pub(crate) fn respond<R: WriteRequest>(
    outcome: v1::CommandOutcome,
) -> Result<Response<R::Response>, Status> {
    R::response(outcome)
        .map(Response::new)
        .ok_or_else(|| Failure::internal("the answer shows another kind of resource").into())
}
