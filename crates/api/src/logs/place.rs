//! Which log a ledger is in, and which one a new ledger goes to.

use encours_domain::Reason;
use encours_domain::number::ClockNo;
use encours_proto::command::id;
use encours_proto::v1;
use encours_proto::v1::command::Command as Message;
use encours_proto::v1::command_outcome::Resource;
use encours_proto::v1::command_result::Result as Shown;

use super::{Log, Logs, claims};
use crate::api::unknown;
use crate::call::Caller;
use crate::failure::Failure;

/// Why a ledger is to be in a log, and in which.
struct Home<'a> {
    log: &'a Log,
    /// What it is there by: a ledger or a clock, and its id; `None` where it is free to go elsewhere.
    by: Option<(&'static str, String)>,
}

impl Logs {
    /// The log of a ledger, where it is known here already.
    pub(super) fn known(&self, ledger_id: &str) -> Option<&Log> {
        self.logs.iter().find(|log| log.api.model.ledger_no(ledger_id).value.is_some())
    }

    /// The log of a ledger; `None` where there is no such ledger.
    pub(super) async fn whereabouts(&self, ledger_id: &str) -> Result<Option<&Log>, Failure> {
        if ledger_id.is_empty() {
            return Ok(None);
        }
        match self.known(ledger_id) {
            Some(log) => Ok(Some(log)),
            // It may be too new for the read models here, or there is none.
            None => self.claimed(&claims::ledger(ledger_id)).await,
        }
    }

    /// The log of a ledger that a call names.
    pub(super) async fn of_ledger(&self, ledger_id: &str) -> Result<&Log, Failure> {
        id("ledger_id", ledger_id)?;
        let found = self.whereabouts(ledger_id).await?;
        found.ok_or_else(|| unknown(Reason::UnknownLedger, "ledger_id", "ledger", ledger_id))
    }

    /// Where a new ledger would go, or is already.
    pub(super) async fn intended(
        &self,
        request: &v1::CreateLedgerRequest,
    ) -> Result<&Log, Failure> {
        let mut request = request.clone();
        self.recognise(&mut request).await?;
        let named = self.said(&request.log)?;
        Ok(self.home(&request, named).await?.log)
    }

    /// Finds the log for a new ledger and claims its id for it, which the request has from then on.
    /// A repeat finds the log of the first time. `batch` is the log that all commands of a call go
    /// to.
    ///
    /// # Errors
    /// Why there will be no such ledger; `OTHER_LOG` where it cannot be in the log that was named.
    pub(super) async fn place(
        &self,
        request: &mut v1::CreateLedgerRequest,
        batch: Option<&Log>,
        caller: &Caller,
    ) -> Result<&Log, v1::CommandError> {
        let named = self.said(&std::mem::take(&mut request.log)).map_err(Failure::into_message)?;
        self.recognise(request).await.map_err(Failure::into_message)?;
        let home = self.home(request, named.or(batch)).await.map_err(Failure::into_message)?;
        let is_in = |log: &Log, what: &str, id: &str| {
            let other = named.into_iter().chain(batch).find(|wanted| wanted.name != log.name);
            other.map_or(Ok(()), |wanted| {
                Err(Failure::other_log(what, id, &log.name, &wanted.name).into_message())
            })
        };
        let (what, id) =
            home.by.as_ref().map_or(("ledger", &request.ledger_id), |(what, id)| (*what, id));
        is_in(home.log, what, id)?;
        if request.validate_only || matches!(home.by, Some(("ledger", _))) {
            return Ok(home.log);
        }
        let id = self.tried(home.log, request, caller).await?;
        let log = self.claim(request, id, home.log).await.map_err(Failure::into_message)?;
        // Somebody else may have been faster, in another log.
        is_in(log, "ledger", &request.ledger_id)?;
        Ok(log)
    }

    /// Fills in the id that the ledger was given when the same request came before.
    async fn recognise(&self, request: &mut v1::CreateLedgerRequest) -> Result<(), Failure> {
        if request.ledger_id.is_empty() && !request.request_id.is_empty() {
            let key = claims::request(&request.request_id);
            let found = self.claims.find(&key).await;
            if let Some(id) = found.map_err(|error| Failure::unclaimed(&error))? {
                request.ledger_id = id;
            }
        }
        Ok(())
    }

    /// Where the ledger is or its clock is, else where it is wanted, else where there is least.
    async fn home<'a>(
        &'a self,
        request: &v1::CreateLedgerRequest,
        wanted: Option<&Log>,
    ) -> Result<Home<'a>, Failure> {
        if let Some(log) = self.whereabouts(&request.ledger_id).await? {
            return Ok(Home { log, by: Some(("ledger", request.ledger_id.clone())) });
        }
        if let Some(clock) = clock_id(request)
            && let Some(log) = self.log_of_clock(&clock).await?
        {
            return Ok(Home { log, by: Some(("clock", clock)) });
        }
        let log = match wanted {
            Some(log) => self.named(&log.name)?,
            None => self.least_loaded()?,
        };
        Ok(Home { log, by: None })
    }

    async fn log_of_clock(&self, clock_id: &str) -> Result<Option<&Log>, Failure> {
        let has_it = |log: &&Log| {
            let mut clocks = (0..).map_while(|no| log.api.model.clock(ClockNo(no)).value);
            clocks.any(|clock| clock.test && clock.id.as_str() == clock_id)
        };
        match self.logs.iter().find(has_it) {
            Some(log) => Ok(Some(log)),
            None => self.claimed(&claims::clock(clock_id)).await,
        }
    }

    /// The log with the fewest events, the first by name of several.
    fn least_loaded(&self) -> Result<&Log, Failure> {
        let events = |log: &&Log| log.api.reader.tail().next_position;
        let least = self.logs.iter().min_by_key(events);
        least.ok_or_else(|| Failure::internal("no log is kept here"))
    }

    /// The id that the ledger would have, found out by a dry run: what would be refused claims
    /// nothing.
    async fn tried(
        &self,
        log: &Log,
        request: &v1::CreateLedgerRequest,
        caller: &Caller,
    ) -> Result<String, v1::CommandError> {
        let trial = v1::CreateLedgerRequest { validate_only: true, ..request.clone() };
        let command = v1::Command { command: Some(Message::CreateLedger(trial)) };
        // Whatever became of a dry run, nothing was to be done.
        let Ok(mut results) = log.api.execute_commands(vec![command], caller).await else {
            return Err(Failure::no_leader().into_message());
        };
        match results.pop().and_then(|result| result.result) {
            Some(Shown::Error(error)) => Err(error),
            Some(Shown::Outcome(v1::CommandOutcome {
                resource: Some(Resource::Ledger(ledger)),
                ..
            })) => Ok(ledger.ledger_id),
            _ => Err(Failure::internal("the answer shows another kind of resource").into_message()),
        }
    }

    /// Claims what is to be unique; the log that has it, which is another one where somebody else
    /// was faster.
    async fn claim(
        &self,
        request: &mut v1::CreateLedgerRequest,
        id: String,
        log: &Log,
    ) -> Result<&Log, Failure> {
        let claim = async |key: String, value: &str| {
            let claimed = self.claims.claim(&key, value).await;
            claimed.map_err(|error| Failure::unclaimed(&error))
        };
        if request.ledger_id.is_empty() {
            request.ledger_id = id;
            if !request.request_id.is_empty() {
                let key = claims::request(&request.request_id);
                request.ledger_id = claim(key, &request.ledger_id).await?;
            }
        }
        let mut name = log.name.to_string();
        if let Some(clock) = clock_id(request) {
            name = claim(claims::clock(&clock), &name).await?;
        }
        name = claim(claims::ledger(&request.ledger_id), &name).await?;
        self.named(&name)
    }

    /// The log that a key was claimed for.
    async fn claimed(&self, key: &str) -> Result<Option<&Log>, Failure> {
        let found = self.claims.find(key).await.map_err(|error| Failure::unclaimed(&error))?;
        found.map(|name| self.named(&name)).transpose()
    }
}

/// The test clock of a new ledger, where it is to have one; its own where it names none.
fn clock_id(request: &v1::CreateLedgerRequest) -> Option<String> {
    let named = &request.test_clock.as_ref()?.clock_id;
    let id = if named.is_empty() { &request.ledger_id } else { named };
    (!id.is_empty()).then(|| id.clone())
}
