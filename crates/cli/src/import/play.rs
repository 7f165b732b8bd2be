//! Plays a file on a server, day by day: the clock opens the day, invoices are issued and sent,
//! disputes opened, then what was settled is resolved and paid.
//!
//! The same file gives the same commands in the same order with the same ids, so that playing it
//! again appends nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use encours_domain::{Day, Id};
use encours_log::Hash;
use encours_proto::v1::{self, command, command_result};
use indicatif::{ProgressBar, ProgressStyle};

use super::plan::{Work, plan};
use super::rows::{Problem, Row};
use super::{ImportArgs, Source};
use crate::client::Client;
use crate::failure::{Exit, Failure, Outcome};
use crate::output;
use crate::status::Told;

/// Commands of one call: the most that the protocol takes.
const BATCH: usize = 1_000;
/// The most days that a clock is moved at once.
const ADVANCE_DAYS: i32 = 3_660;
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
    command: command::Command,
}

pub(crate) struct Player<'a> {
    client: &'a Client,
    args: &'a ImportArgs,
    source: &'a Source,
    /// The ledger's today.
    today: Day,
    played: Played,
    /// Rows that the server has refused something of: nothing more of them is played.
    refused: BTreeSet<usize>,
    /// Customers that could not be created.
    lost: BTreeMap<Id, Told>,
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
            lost: BTreeMap::new(),
            progress: ProgressBar::hidden(),
        };
        player.today = player.ledger().await?;
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
        let answer = self.client.ledgers().create_ledger(request).await?.into_inner();
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
        self.progress = ProgressBar::new(steps as u64).with_prefix("importing");
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
            let answer = self.client.ledgers().advance_clock(request).await?.into_inner();
            self.played.appended += 1;
            self.played.days += u64::from(to.since(self.today).unsigned_abs());
            self.played.position = self.played.position.max(answer.position);
            self.today = to;
        }
        Ok(())
    }

    async fn day(&mut self, work: &Work) -> Outcome {
        let customers = work.new_customers.iter().map(|at| self.customer(*at)).collect();
        self.execute(customers).await?;
        for at in &work.issued {
            let customer = &self.source.rows[*at].1.customer_id;
            if let Some(told) = self.lost.get(customer).cloned() {
                self.refuse(*at, &told);
            }
        }
        let live = |player: &Self, at: &usize| !player.refused.contains(at);
        let issued = work.issued.iter().filter(|at| live(self, at)).map(|at| self.issue(*at));
        self.execute(issued.collect()).await?;
        // WHY after the answers: what follows names the invoice by id, and an invoice that was
        // refused because its id belongs to another one must not touch that other one.
        let mut facts = Vec::new();
        let rows = |list: &'_ [usize]| -> Vec<usize> {
            list.iter().copied().filter(|at| live(self, at)).collect()
        };
        let (issued, settled) = (rows(&work.issued), rows(&work.settled));
        let disputed = |at: &&usize| self.source.rows[**at].1.disputed;
        facts.extend(issued.iter().map(|at| self.sent(*at)));
        facts.extend(issued.iter().filter(disputed).map(|at| self.dispute(*at)));
        facts.extend(settled.iter().filter(disputed).map(|at| self.resolve(*at)));
        facts.extend(settled.iter().map(|at| self.payment(*at)));
        self.execute(facts).await
    }

    /// Sends commands and notes what is refused.
    async fn execute(&mut self, steps: Vec<Step>) -> Outcome {
        let mut attempts = 0;
        let mut steps = std::collections::VecDeque::from(steps);
        while !steps.is_empty() {
            let batch: Vec<Step> = steps.drain(..steps.len().min(BATCH)).collect();
            let commands = batch
                .iter()
                .map(|step| v1::Command { command: Some(step.command.clone()) })
                .collect();
            let request = v1::ExecuteRequest { commands };
            let results = self.client.batch().execute(request).await?.into_inner().results;
            if results.len() != batch.len() {
                let message = format!("{} answers to {} commands", results.len(), batch.len());
                return Err(Failure::new(Exit::Failure, message));
            }
            let mut again = Vec::new();
            for (step, result) in batch.into_iter().zip(results) {
                again.extend(self.note(step, result.result)?);
            }
            if !again.is_empty() {
                attempts += 1;
                if attempts > ATTEMPTS {
                    let message =
                        format!("the server is overloaded: {} commands wait", again.len());
                    return Err(Failure::new(Exit::Unavailable, message)
                        .hint("import the file again later: what is done is kept"));
                }
                tokio::time::sleep(RETRY_AFTER).await;
                again.into_iter().rev().for_each(|step| steps.push_front(step));
            }
        }
        Ok(())
    }

    /// Notes an outcome; answers the command where it is to be sent again.
    fn note(
        &mut self,
        step: Step,
        result: Option<command_result::Result>,
    ) -> Outcome<Option<Step>> {
        match result {
            Some(command_result::Result::Outcome(outcome)) => {
                self.played.appended += u64::from(!outcome.repeat);
                self.played.position = self.played.position.max(outcome.position);
            }
            Some(command_result::Result::Error(error)) => {
                let told = Told::from(error);
                let is_customer = matches!(step.command, command::Command::CreateCustomer(_));
                if told.retry {
                    return Ok(Some(step));
                } else if !is_customer {
                    self.refuse(step.row, &told);
                } else if told.reason != "ID_EXISTS" {
                    // A customer that exists with other content is used as it is.
                    self.lost.insert(self.source.rows[step.row].1.customer_id.clone(), told);
                }
            }
            None => return Err(Failure::new(Exit::Failure, "an answer without an outcome")),
        }
        Ok(None)
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

    fn row(&self, at: usize) -> (String, &Row) {
        (self.args.ledger.clone(), &self.source.rows[at].1)
    }

    fn customer(&self, at: usize) -> Step {
        let (ledger_id, row) = self.row(at);
        let command = command::Command::CreateCustomer(v1::CreateCustomerRequest {
            ledger_id,
            customer_id: row.customer_id.to_string(),
            name: row.customer_name.clone(),
            ..Default::default()
        });
        Step { row: at, command }
    }

    fn issue(&self, at: usize) -> Step {
        let (ledger_id, row) = self.row(at);
        let (units, nanos) = row.total.to_units();
        let currency_code = row.total.currency.code().to_owned();
        let due = row.due_date.map(|due| v1::issue_invoice_request::Due::DueDate(output::day(due)));
        let command = command::Command::IssueInvoice(v1::IssueInvoiceRequest {
            ledger_id,
            invoice_id: row.invoice_id.to_string(),
            customer_id: row.customer_id.to_string(),
            number: row.number.clone(),
            issue_date: Some(output::day(row.issue_date)),
            due,
            total: Some(v1::Money { currency_code, units, nanos }),
            reference: row.reference.clone(),
            ..Default::default()
        });
        Step { row: at, command }
    }

    fn sent(&self, at: usize) -> Step {
        let (ledger_id, row) = self.row(at);
        let command = command::Command::MarkSent(v1::MarkSentRequest {
            ledger_id,
            request_id: derived(&row.invoice_id, "sent"),
            invoice_id: row.invoice_id.to_string(),
            date: Some(output::day(row.issue_date)),
            ..Default::default()
        });
        Step { row: at, command }
    }

    fn dispute(&self, at: usize) -> Step {
        let (ledger_id, row) = self.row(at);
        let command = command::Command::DisputeInvoice(v1::DisputeInvoiceRequest {
            ledger_id,
            request_id: derived(&row.invoice_id, "disputed"),
            reason: "disputed in the imported file".to_owned(),
            invoice_id: row.invoice_id.to_string(),
            date: Some(output::day(row.issue_date)),
            ..Default::default()
        });
        Step { row: at, command }
    }

    fn resolve(&self, at: usize) -> Step {
        let (ledger_id, row) = self.row(at);
        let command = command::Command::ResolveDispute(v1::ResolveDisputeRequest {
            ledger_id,
            request_id: derived(&row.invoice_id, "resolved"),
            invoice_id: row.invoice_id.to_string(),
            date: row.paid_on.map(|paid_on| output::day(paid_on.max(row.issue_date))),
            ..Default::default()
        });
        Step { row: at, command }
    }

    fn payment(&self, at: usize) -> Step {
        let (ledger_id, row) = self.row(at);
        let command = command::Command::RecordPayment(v1::RecordPaymentRequest {
            ledger_id,
            payment_id: derived(&row.invoice_id, "paid"),
            received_on: row.paid_on.map(output::day),
            invoice_id: row.invoice_id.to_string(),
            ..Default::default()
        });
        Step { row: at, command }
    }
}

/// An id made from an invoice's: the same each time, never longer than an id may be.
fn derived(invoice_id: &Id, what: &str) -> String {
    let plain = format!("{invoice_id}:{what}");
    if plain.len() <= Id::MAX_LEN {
        return plain;
    }
    // WHY a digest: two long ids may begin alike.
    let digest = Hash::of(invoice_id.as_str().as_bytes()).to_string();
    format!("{}:{}:{what}", &invoice_id.as_str()[..24], &digest[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_are_valid_and_differ() {
        let id = |text: &str| Id::parse("invoice_id", text).unwrap();
        assert_eq!(derived(&id("F1"), "paid"), "F1:paid");
        let (a, b) = ("x".repeat(63) + "a", "x".repeat(63) + "b");
        let (a, b) = (derived(&id(&a), "disputed"), derived(&id(&b), "disputed"));
        assert!(Id::parse("payment_id", &a).is_ok(), "{a}");
        assert_ne!(a, b);
    }
}
