//! Folding the log.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use encours_domain::balance::Balance;
use encours_domain::state::State;
use encours_domain::{Currency, Day};
use encours_log::{Disk, EventLog, Journal, JournalOptions, LogReader, Position};
use encours_projections::{AsOf, CustomerFilter, MAX_PAGE, Page, ReadModel, StopError};

use crate::failure::{Exit, Failure, Outcome};
use crate::node::log_dir;
use crate::output::{Language, Unit, progress_bar};
use crate::overlay::Overlay;

/// Bytes of a segment that opening may make, in memory.
const SEGMENT_LEN: u64 = 1 << 20;
/// How often damage is looked at again before it is believed: a server may be writing there.
const LOOKS: u32 = 4;
/// Events between two moves of the progress bar.
const TELL: u64 = 1 << 10;

/// Opens the log of a data folder on a disk that takes writes into memory.
pub(super) fn open(data: &Path) -> Outcome<Arc<dyn LogReader>> {
    let mut looks = 1;
    loop {
        let disk: Arc<dyn Disk> = Arc::new(Overlay::default());
        let options = JournalOptions {
            segment_len: SEGMENT_LEN,
            background: false,
            ..JournalOptions::default()
        };
        match Journal::open(disk, &log_dir(data), options) {
            Ok((journal, _)) => return Ok(journal.reader()),
            Err(_) if looks < LOOKS => {
                looks += 1;
                std::thread::yield_now();
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Both sides of the ledgers, at one position.
pub(super) struct Player {
    reader: Arc<dyn LogReader>,
    lang: Language,
    /// What answers queries.
    pub(super) model: ReadModel,
    /// What decides commands.
    state: State,
}

impl Player {
    pub(super) fn new(reader: Arc<dyn LogReader>, lang: Language) -> Self {
        let model = ReadModel::by_hand(Arc::clone(&reader));
        Self { reader, lang, model, state: State::default() }
    }

    pub(super) fn reader(&self) -> Arc<dyn LogReader> {
        Arc::clone(&self.reader)
    }

    /// The digest of the business facts.
    pub(super) fn digest(&self) -> String {
        self.model.digest().value.to_string()
    }

    /// Folds on to a position, and holds the two sides against each other there.
    pub(super) fn play(&mut self, to: Position) -> Outcome {
        let progress = progress_bar(self.lang, "replaying", Unit::Events);
        progress.set_length(to.0);
        let (model, state) = (&self.model, &mut self.state);
        let mut at = Position::START;
        // WHY caught: the state stops with a panic where an event does not fit it.
        let folded = catch_unwind(AssertUnwindSafe(|| {
            model.fold_to(to, &mut |position, event| {
                at = position;
                // Which command an event belongs to changes no figure.
                state.apply(position, [0; 16], event);
                if position.0 % TELL == 0 {
                    progress.set_position(position.0);
                }
            })
        }));
        progress.finish_and_clear();
        match folded {
            Ok(Ok(_)) => self.agree(),
            Ok(Err(stopped)) => Err(unfolded(&stopped)),
            Err(_) => {
                Err(defect(&format!("the event at position {at} does not fit what is before it")))
            }
        }
    }

    /// Whether state and read model have the same balances, all facts counted: the state does not wait
    /// for a day to come.
    fn agree(&self) -> Outcome {
        let all = AsOf { date: Some(Day::MAX), known: None };
        for ledger in self.state.rows().ledgers.iter() {
            let mut page = Page::first(MAX_PAGE);
            let mut seen = 0;
            loop {
                let filter = CustomerFilter::default();
                let found = self.model.customers(ledger.no, &filter, all, page, &|_, _| None).value;
                for customer in &found.items {
                    let row = ledger.customers.get(customer.no.0);
                    let decided = row.map(|row| comparable(&row.balances)).unwrap_or_default();
                    if decided != comparable(&customer.balances) {
                        return Err(defect(&format!(
                            "customer {} of ledger {} has two balances: the state has {decided:?}, the \
                             read model {:?}",
                            customer.id,
                            ledger.id,
                            comparable(&customer.balances)
                        )));
                    }
                    seen += 1;
                }
                match found.next {
                    Some(next) => page.after = Some(next),
                    None => break,
                }
            }
            if seen != ledger.customers.len() {
                let wanted = ledger.customers.len();
                return Err(defect(&format!(
                    "ledger {} has {wanted} customers and {seen}",
                    ledger.id
                )));
            }
        }
        Ok(())
    }
}

/// What both sides have of a customer's balances: opening, invoiced, credited, collected, refunded,
/// outstanding and unapplied, in minor units by currency.
fn comparable(balances: &[Balance]) -> BTreeMap<Currency, [i64; 7]> {
    let figures = balances.iter().map(|b| {
        let money = [b.opening, b.invoiced, b.credited, b.collected];
        let [opening, invoiced, credited, collected] = money;
        let rest = [b.refunded, b.outstanding, b.unapplied];
        let [refunded, outstanding, unapplied] = rest;
        let all = [opening, invoiced, credited, collected, refunded, outstanding, unapplied];
        (b.currency, all)
    });
    figures.filter(|(_, figures)| *figures != [0; 7]).collect()
}

fn defect(what: &str) -> Failure {
    Failure::new(Exit::Damaged, format!("replay_failed: {what}"))
        .hint("keep the folder as it is: every byte of the log may be right all the same, see `encours log verify`")
}

fn unfolded(stopped: &StopError) -> Failure {
    match stopped {
        StopError::Log { source, .. } => source.clone().into(),
        _ => defect(&stopped.to_string()),
    }
}
