//! `LedgerService`.

use encours_domain::resource::Clock;
use encours_domain::{Day, Position, Reason};
use encours_projections::Order;
use encours_proto::command::id;
use encours_proto::ledger::{clock_message, ledger_message};
use encours_proto::money::day;
use encours_proto::v1;
use encours_proto::v1::ledger_service_server::LedgerService;
use tokio::time::timeout;
use tonic::{Request, Response, Status};

use crate::api::{Api, unknown};
use crate::call::{Caller, patience};
use crate::failure::{DAY_NOT_REACHED, Failure};
use crate::paging::List;
use crate::writes::respond;

#[tonic::async_trait]
impl LedgerService for Api {
    async fn create_ledger(
        &self,
        request: Request<v1::CreateLedgerRequest>,
    ) -> Result<Response<v1::CreateLedgerResponse>, Status> {
        self.write(request).await
    }

    async fn get_ledger(
        &self,
        request: Request<v1::GetLedgerRequest>,
    ) -> Result<Response<v1::GetLedgerResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.ready(&metadata, request.min_position).await?;
        let id = id("ledger_id", &request.ledger_id).map_err(Failure::from)?;
        let view = self.model.ledger(id.as_str());
        let ledger = view.value.ok_or_else(|| {
            unknown(Reason::UnknownLedger, "ledger_id", "ledger", &request.ledger_id)
        })?;
        Ok(Response::new(v1::GetLedgerResponse {
            ledger: Some(ledger_message(&ledger)),
            position: view.position.0,
        }))
    }

    async fn list_ledgers(
        &self,
        request: Request<v1::ListLedgersRequest>,
    ) -> Result<Response<v1::ListLedgersResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.is_log(&request.log)?;
        self.ready(&metadata, request.min_position).await?;
        let list = List::of("ListLedgers", &v1::ListLedgersRequest::default());
        let page = list.page(request.page_size, &request.page_token, Order::Created)?;
        let view = self.model.ledgers(page);
        let (ledgers, next_page_token) = list.answer(
            view.value,
            |ledger| Order::Created.key(ledger.no.0, None),
            |ledger| Ok(ledger_message(&ledger)),
        )?;
        let position = view.position.0;
        Ok(Response::new(v1::ListLedgersResponse { ledgers, next_page_token, position }))
    }

    async fn advance_clock(
        &self,
        request: Request<v1::AdvanceClockRequest>,
    ) -> Result<Response<v1::AdvanceClockResponse>, Status> {
        let caller = Caller::of(request.metadata())?;
        let patience = patience(request.metadata());
        let request = request.into_inner();
        let (to, dry_run) = (request.to, request.validate_only);
        let command = v1::Command { command: Some(v1::command::Command::AdvanceClock(request)) };
        let mut outcome = self.execute_command(command, &caller).await?;
        // The command was read, so its day is there and a day.
        if let (Some(to), false) = (to, dry_run) {
            let to = day("to", to).map_err(Failure::from)?;
            self.finish(&mut outcome, to, patience).await?;
        }
        respond::<v1::AdvanceClockRequest>(outcome)
    }
}

impl Api {
    /// Waits until the clock of the answered ledger has finished the day, and shows it so.
    ///
    /// WHY by the read model: it follows the days whichever node writes them.
    async fn finish(
        &self,
        outcome: &mut v1::CommandOutcome,
        to: Day,
        patience: std::time::Duration,
    ) -> Result<(), Failure> {
        let Some(v1::command_outcome::Resource::Ledger(shown)) = &mut outcome.resource else {
            return Ok(());
        };
        match timeout(patience, self.finished(&shown.ledger_id, to)).await {
            Ok(Some((clock, position))) => {
                shown.clock = Some(clock_message(&clock));
                outcome.position = outcome.position.max(position.0);
                Ok(())
            }
            Ok(None) | Err(_) => Err(Failure::new(
                DAY_NOT_REACHED,
                format!(
                    "the clock of {} has not finished {to} yet; it goes on by itself",
                    shown.ledger_id
                ),
            )
            .about("to")
            .with("to", to)
            .with("position", outcome.position)),
        }
    }

    /// The clock of a ledger once it has finished a day; `None` where the read model stops before.
    async fn finished(&self, ledger_id: &str, to: Day) -> Option<(Clock, Position)> {
        let mut position = self.model.position_watch();
        loop {
            position.borrow_and_update();
            let view = self.model.ledger(ledger_id);
            if let Some(ledger) = view.value.filter(|ledger| ledger.clock.finished >= to) {
                return Some((ledger.clock, view.position));
            }
            if self.model.health().stopped.is_some() || position.changed().await.is_err() {
                return None;
            }
        }
    }
}
