//! Plays a file on a server, day by day: the clock opens the day, invoices are issued and sent,
//! disputes opened, then what was settled is resolved and paid.
//!
//! The same file gives the same commands in the same order with the same ids, so that playing it
//! again appends nothing.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use encours_domain::series::Pattern;
use encours_domain::{Day, Id};
use encours_proto::v1::{self, command::Command, command_result};
use indicatif::{ProgressBar, ProgressStyle};

use super::commands;
use super::plan::{Work, plan};
use super::rows::{Problem, Row};
use super::{ImportArgs, Source};
use crate::client::Client;
use crate::failure::{Exit, Failure, Outcome};
use crate::output;
use crate::status::Told;

/// Commands of one call: with the longest texts they fit the largest message that a server takes.
const BATCH: usize = 200;
/// The most days that a clock is moved at once: a call answers when the last of them is finished.
const ADVANCE_DAYS: i32 = 366;
/// How often a command that met a full queue is sent again.
const ATTEMPTS: u32 = 20;
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Played {
    /// What is wrong with rows that the server refused.
    pub(crate) problems: Vec<Problem>,
    /// Commands that appended something.
    pub(crate) appended: u64,
    /// Days that were opened.
    pub(crate) days: u64,
    /// The position of the last event that was written, or would have been.
    pub(crate) position: u64,
}

/// A command and the row it belongs to.
struct Step {
    row: usize,
    command: Command,
}

/// What an answer came to.
enum Noted {
    /// Done, or refused for good.
    Done,
    /// To be sent again.
    Again,
    /// The customer does not exist yet.
    UnknownCustomer,
}

/// A player on its way.
pub(crate) struct Player<'a> {
    client: &'a Client,
    args: &'a ImportArgs,
    source: &'a Source,
    /// The ledger's today.
    today: Day,
    played: Played,
    /// Rows that the server has refused something of: nothing more of them is played.
    refused: BTreeSet<usize>,
    /// Customers that the ledger has.
    customers: BTreeSet<Id>,
    progress: ProgressBar,
}

impl<'a> Player<'a> {
    /// Makes the ledger on a test clock of its own, or finds it.
    pub(crate) async fn open(
        client: &'a Client,
        args: &'a ImportArgs,
        source: &'a Source,
    ) -> Outcome<Self> {
        let mut player = Self {
            client,
            args,
            source,
            today: Day::MIN,
            played: Played::default(),
            refused: BTreeSet::new(),
            customers: BTreeSet::new(),
            progress: ProgressBar::hidden(),
        };
        player.today = player.ledger().await?;
        source.check_gaps(Some(player.today), args.max_gap)?;
        Ok(player)
    }

    async fn ledger(&mut self) -> Outcome<Day> {
        let ledger_id = self.args.ledger.clone();
        let request = v1::GetLedgerRequest { ledger_id, ..Default::default() };
        let ledger = match self.client.ledgers().get_ledger(request).await {
            Ok(answer) => answer.into_inner().ledger,
            Err(status) if status.code() == tonic::Code::NotFound => self.create().await?,
            Err(status) => return Err(status.into()),
        };
        let ledger = ledger.unwrap_or_default();
        let clock = ledger.clock.unwrap_or_default();
        let wanted = self.source.how.currency.code();
        if ledger.currency_code != wanted {
            return Err(Failure::new(
                Exit::Refused,
                format!(
                    "ledger {} is in {}, the import in {wanted}",
                    self.args.ledger, ledger.currency_code
                ),
            )
            .hint("choose another --ledger, or map a `currency` column"));
        }
        if !clock.test {
            return Err(Failure::new(
                Exit::Refused,
                format!("ledger {} is on the system's clock", self.args.ledger),
            )
            .hint("an import plays days of its own: choose another --ledger"));
        }
        self.check_numbers(&ledger.invoice_number_pattern);
        let today = clock.today.unwrap_or_default();
        encours_proto::money::day("today", today)
            .map_err(|refusal| Failure::new(Exit::Failure, refusal.to_string()))
    }

    async fn create(&mut self) -> Outcome<Option<v1::Ledger>> {
        let first = self.source.rows.iter().map(|(_, row)| row.issue_date).min();
        let start_date = first.map(output::day);
        let request = v1::CreateLedgerRequest {
            ledger_id: self.args.ledger.clone(),
            currency_code: self.source.how.currency.code().to_owned(),
            time_zone: self.args.time_zone.clone(),
            test_clock: Some(v1::TestClock { clock_id: String::new(), start_date }),
            ..Default::default()
        };
        let answer = self.client.write(self.client.ledgers().create_ledger(request)).await?;
        self.played.appended += u64::from(!answer.repeat);
        self.played.position = answer.position;
        Ok(answer.ledger)
    }

    /// Plays all days.
    pub(crate) async fn play(mut self) -> Outcome<Played> {
        let days = plan(&self.source.rows);
        let steps = days.values().map(|work| work.issued.len() + work.settled.len()).sum::<usize>();
        let style = ProgressStyle::with_template(
            "{prefix} {bar:32.cyan/dim} {pos}/{len} {msg:.dim} {elapsed:.dim}",
        );
        let prefix = self.args.output.lang.phrase("importing", &[]);
        self.progress = ProgressBar::new(steps as u64).with_prefix(prefix);
        if let Ok(style) = style {
            self.progress.set_style(style.progress_chars("━╸─"));
        }
        for (day, work) in &days {
            self.progress.set_message(day.to_string());
            self.advance(*day).await?;
            self.day(work).await?;
            self.progress.inc((work.issued.len() + work.settled.len()) as u64);
        }
        self.progress.finish_and_clear();
        Ok(self.played)
    }

    /// Opens the days up to this one; a clock that is further already stays where it is.
    async fn advance(&mut self, day: Day) -> Outcome {
        while self.today < day {
            let to = self.today.plus(ADVANCE_DAYS).map_or(day, |most| most.min(day));
            let request = v1::AdvanceClockRequest {
                ledger_id: self.args.ledger.clone(),
                to: Some(output::day(to)),
                ..Default::default()
            };
            let answer = self.client.write(self.client.ledgers().advance_clock(request)).await?;
            self.played.appended += 1;
            self.played.days += u64::from(to.since(self.today).unsigned_abs());
            self.played.position = self.played.position.max(answer.position);
            self.today = to;
        }
        Ok(())
    }

    /// Refuses rows whose number the ledger's own series could allot.
    fn check_numbers(&mut self, pattern: &str) {
        let Ok(series) = Pattern::parse("pattern", pattern) else { return };
        for at in 0..self.source.rows.len() {
            let number = &self.source.rows[at].1.number;
            if series.could_allot(number) {
                let message = format!("{number} has the form {pattern} of the ledger's own series");
                self.refuse(at, &Told::new("NUMBER_RESERVED", "number", message));
            }
        }
    }

    async fn day(&mut self, work: &Work) -> Outcome {
        let strangers =
            self.live(&work.issued, |player, row| !player.customers.contains(&row.customer_id));
        self.welcome(strangers).await?;
        let any = |_: &Self, _: &Row| true;
        let issue = |ledger: &str, row: &Row| commands::issue(ledger, row, false);
        self.execute(self.steps(&self.live(&work.issued, any), issue)).await?;
        // WHY after the answers: what follows names the invoice by id, and an invoice that was
        // refused because its id belongs to another one must not touch that other one.
        let disputed = |_: &Self, row: &Row| row.disputed;
        let mut facts = self.steps(&self.live(&work.issued, any), commands::sent);
        facts.extend(self.steps(&self.live(&work.issued, disputed), commands::dispute));
        facts.extend(self.steps(&self.live(&work.settled, disputed), commands::resolve));
        facts.extend(self.steps(&self.live(&work.settled, any), commands::payment));
        self.execute(facts).await.map(drop)
    }

    /// Creates the customers of these rows that the ledger does not have.
    ///
    /// WHY so carefully: a row that is refused must not leave its customer behind, and an invoice
    /// can be tried only once its customer is there. So ask first whether id and number are free.
    async fn welcome(&mut self, strangers: Vec<usize>) -> Outcome {
        let probe = |ledger: &str, row: &Row| commands::issue(ledger, row, true);
        let unknown = self.execute(self.steps(&strangers, probe)).await?;
        let known: Vec<usize> = strangers.into_iter().filter(|at| !unknown.contains(at)).collect();
        for at in self.live(&known, |_, _| true) {
            self.customers.insert(self.source.rows[at].1.customer_id.clone());
        }
        let mut new = Vec::new();
        for at in unknown {
            let row = &self.source.rows[at].1;
            let request = v1::GetInvoiceRequest {
                ledger_id: self.args.ledger.clone(),
                invoice: Some(v1::get_invoice_request::Invoice::Number(row.number.clone())),
                min_position: self.played.position,
                ..Default::default()
            };
            match self.client.invoices().get_invoice(request).await {
                Ok(_) => {
                    let message = format!("another invoice has the number {}", row.number);
                    self.refuse(at, &Told::new("NUMBER_EXISTS", "number", message));
                }
                Err(status) if status.code() != tonic::Code::NotFound => {
                    return Err(status.into());
                }
                Err(_) if self.customers.insert(row.customer_id.clone()) => new.push(at),
                Err(_) => {}
            }
        }
        self.execute(self.steps(&new, commands::customer)).await.map(drop)
    }

    /// Those of these rows that nothing was refused of and that `which` holds for.
    fn live(&self, rows: &[usize], which: impl Fn(&Self, &Row) -> bool) -> Vec<usize> {
        let live = |at: &usize| !self.refused.contains(at) && which(self, &self.source.rows[*at].1);
        rows.iter().copied().filter(live).collect()
    }

    fn steps(&self, rows: &[usize], command: impl Fn(&str, &Row) -> Command) -> Vec<Step> {
        let step = |at: &usize| Step {
            row: *at,
            command: command(&self.args.ledger, &self.source.rows[*at].1),
        };
        rows.iter().map(step).collect()
    }

    /// Sends commands and notes what is refused. Answers the rows whose customer is unknown.
    async fn execute(&mut self, steps: Vec<Step>) -> Outcome<Vec<usize>> {
        let mut attempts = 0;
        let mut unknown = Vec::new();
        let mut steps = VecDeque::from(steps);
        while !steps.is_empty() {
            let batch: Vec<Step> = steps.drain(..steps.len().min(BATCH)).collect();
            let commands = batch
                .iter()
                .map(|step| v1::Command { command: Some(step.command.clone()) })
                .collect();
            let request = v1::ExecuteRequest { commands };
            let results = self.client.write(self.client.batch().execute(request)).await?.results;
            if results.len() != batch.len() {
                let message = format!("{} answers to {} commands", results.len(), batch.len());
                return Err(Failure::new(Exit::Failure, message));
            }
            let mut again = Vec::new();
            for (step, result) in batch.into_iter().zip(results) {
                match self.note(&step, result.result)? {
                    Noted::Done => {}
                    Noted::Again => again.push(step),
                    Noted::UnknownCustomer => unknown.push(step.row),
                }
            }
            if !again.is_empty() {
                attempts += 1;
                if attempts > ATTEMPTS {
                    let message =
                        format!("the server is overloaded: {} commands wait", again.len());
                    return Err(Failure::new(Exit::Unavailable, message));
                }
                tokio::time::sleep(RETRY_AFTER).await;
                again.into_iter().rev().for_each(|step| steps.push_front(step));
            }
        }
        Ok(unknown)
    }

    fn note(&mut self, step: &Step, result: Option<command_result::Result>) -> Outcome<Noted> {
        let is_probe =
            matches!(&step.command, Command::IssueInvoice(request) if request.validate_only);
        match result {
            Some(command_result::Result::Outcome(_)) if is_probe => Ok(Noted::Done),
            Some(command_result::Result::Outcome(outcome)) => {
                self.played.appended += u64::from(!outcome.repeat);
                self.played.position = self.played.position.max(outcome.position);
                Ok(Noted::Done)
            }
            Some(command_result::Result::Error(error)) => {
                let told = Told::from(error);
                if told.retry {
                    return Ok(Noted::Again);
                }
                if is_probe && told.reason == "UNKNOWN_CUSTOMER" {
                    return Ok(Noted::UnknownCustomer);
                }
                self.refuse(step.row, &told);
                Ok(Noted::Done)
            }
            None => Err(Failure::new(Exit::Failure, "an answer without an outcome")),
        }
    }

    fn refuse(&mut self, at: usize, told: &Told) {
        if !self.refused.insert(at) {
            return;
        }
        let field = if told.field.is_empty() { "row" } else { told.field.as_str() };
        self.played.problems.push(Problem {
            file: self.source.path.clone(),
            line: self.source.rows[at].0,
            field: field.to_owned(),
            message: Told { field: String::new(), ..told.clone() }.to_string(),
        });
    }
}
