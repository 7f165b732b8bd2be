//! An engine that is asked things, and looked at.

use encours_domain::CustomerNo;
use encours_domain::commands::RunDay;
use encours_domain::{ClockNo, Day, State};
use encours_engine::{Denied, Reply, Submission, SyncEngine};
use encours_log::{Clock, FrameNumber, LogReader, verify_reader};

use super::clients::{Clients, Fate};
use super::follower::Follower;
use super::step::Ask;
use super::tally::Tally;
use crate::clock::SimClock;
use crate::disk::SimDisk;

/// Acknowledged commands that a check in the midst of a run sends again.
const SENT_AGAIN: usize = 8;
/// More days than any run opens.
const DAYS: u32 = 20_000;

/// What all nodes of a run share.
pub(crate) struct Around {
    pub(crate) clock: SimClock,
    /// The disk that the log lies on, where it lies on one that may stop.
    pub(crate) disk: Option<SimDisk>,
    pub(crate) clients: Clients,
    pub(crate) tally: Tally,
    /// Whether room for the log may run out.
    pub(crate) is_tight: bool,
}

impl Around {
    /// Reads the log beside the process: whether its disk has stopped is no matter.
    pub(crate) fn observe<T>(&mut self, look: impl FnOnce(&mut Self) -> T) -> T {
        let disk = self.disk.clone();
        disk.iter().for_each(|disk| disk.observe(true));
        let seen = look(self);
        disk.iter().for_each(|disk| disk.observe(false));
        seen
    }
}

/// Sends commands to an engine, and holds its answers against the log and the rules.
///
/// # Errors
/// What is wrong.
pub(crate) fn ask(
    engine: &mut SyncEngine,
    follower: &mut Follower,
    around: &mut Around,
    frames: &[Vec<Ask>],
) -> Result<(), String> {
    open_days(engine, follower, around)?;
    let frames: Vec<Vec<&Ask>> = frames.iter().map(|group| group.iter().collect()).collect();
    let asked: Vec<&Ask> = frames.iter().flatten().copied().collect();
    asked.iter().for_each(|ask| around.clients.send(ask));
    around.tally.commands += asked.len() as u64;
    let doubts = engine.ambiguous();
    let submissions = frames.iter().map(|group| group.iter().map(|ask| ask.submission()).collect());
    let answers = engine.execute_in_frames(submissions.collect());
    around.tally.ambiguous += engine.ambiguous() - doubts;
    let reader = engine.reader();
    around.observe(|around| {
        follower.pull(&*reader)?;
        for (ask, answer) in asked.into_iter().zip(&answers) {
            follower.answered(ask, answer, &mut around.clients, &mut around.tally)?;
        }
        follower.take_all(&*reader, &around.clients)
    })?;
    match engine.rows() {
        Some(rows) if engine.failed().is_none() => follower.compare(rows),
        _ => Ok(()),
    }
}

/// Opens the days that the time has come to.
fn open_days(
    engine: &mut SyncEngine,
    follower: &mut Follower,
    around: &mut Around,
) -> Result<(), String> {
    // Whether it may fail is for the node to know.
    let opened = engine.open_days();
    let reader = engine.reader();
    let before = follower.frames.len();
    around.observe(|around| follower.take_all(&*reader, &around.clients))?;
    // Without room for their frames the days stay closed, all or the later ones.
    if opened.is_ok() && follower.frames.len() > before && !around.is_tight {
        follower.days_are_open(around.clock.now())?;
    }
    Ok(())
}

/// Runs due days as the scheduler does.
///
/// # Errors
/// What is wrong.
pub(crate) fn run_days(
    engine: &mut SyncEngine,
    follower: &mut Follower,
    around: &mut Around,
    (limit, most): (u32, u32),
) -> Result<(), String> {
    open_days(engine, follower, around)?;
    let mut steps = most;
    for at in 0..follower.witness.model.clocks.len() {
        while steps > 0
            && let Some(day) = due_day(follower, at)
        {
            steps -= 1;
            let clock = ClockNo(u32::try_from(at).map_err(|e| e.to_string())?);
            let actor = format!("scheduler-{at}/{}/{limit}", day.number());
            let before = follower.witness.last();
            let answer = engine.execute(Submission::new(RunDay { clock, day, limit }, actor));
            let reader = engine.reader();
            around.observe(|around| follower.take_all(&*reader, &around.clients))?;
            match answer {
                Ok(reply) if !reply.repeated && follower.witness.last() > before => {}
                Ok(_) => return Err(format!("{day} of clock {at} yields nothing, and is not run")),
                Err(Denied::Refused(refusal)) => {
                    return Err(format!("{day} of clock {at} is not run: {refusal}"));
                }
                Err(_) => return Ok(()),
            }
            *around.tally.outcomes.entry("RunDay accepted".to_owned()).or_default() += 1;
            around.tally.days += u64::from(follower.witness.model.clocks[at].finished == day);
        }
    }
    engine.rows().map_or(Ok(()), |rows| follower.compare(rows))
}

/// The next day of a clock that is to be run.
fn due_day(follower: &Follower, at: usize) -> Option<Day> {
    let clock = &follower.witness.model.clocks[at];
    let next = clock.finished.plus(1)?;
    (next <= clock.today.max(clock.target)).then_some(next)
}

/// Looks at everything that must hold while nothing goes wrong.
///
/// # Errors
/// What does not hold.
pub(crate) fn check(
    engine: &mut SyncEngine,
    follower: &mut Follower,
    around: &mut Around,
    last: bool,
) -> Result<(), String> {
    open_days(engine, follower, around)?;
    if let Some(error) = engine.failed() {
        return Err(format!("the engine has failed: {error}"));
    }
    follower.days_are_open(around.clock.now())?;
    let reader = engine.reader();
    let report = verify_reader(&*reader, &mut |_| {}).map_err(|e| format!("the log: {e}"))?;
    if report.frames != reader.tail().number.0 || report.frames != follower.frames.len() as u64 {
        return Err(format!("{} frames of {}", report.frames, reader.tail().number));
    }
    if last {
        run_days(engine, follower, around, (1_000, DAYS))?;
        same_indexes(follower)?;
    }
    let rows = engine.rows().ok_or("the engine has failed")?;
    follower.same_state(rows)?;
    follower.compare(rows)?;
    books_balance(engine)?;
    details_open(engine)?;
    promises_hold(follower, &around.clients)?;
    around.clients.settle(&follower.done);
    send_again(engine, follower, around, last)
}

/// What was acknowledged is where it was said to be, what was denied is not there.
fn promises_hold(follower: &Follower, clients: &Clients) -> Result<(), String> {
    for (ask, fate) in clients.all() {
        let found = follower.done.get(&ask.tag);
        match (fate, found) {
            (Fate::Done(_, position), Some(there)) if *there == position => {}
            (Fate::Absent, None) | (Fate::Unknown, _) => {}
            (Fate::Done(_, position), _) => {
                return Err(format!("acknowledged at {position}, found at {found:?}: {ask}"));
            }
            (Fate::Absent, Some(_)) => return Err(format!("denied, but in the log: {ask}")),
        }
    }
    Ok(())
}

/// Commands sent again change nothing and are answered as before.
fn send_again(
    engine: &mut SyncEngine,
    follower: &mut Follower,
    around: &mut Around,
    last: bool,
) -> Result<(), String> {
    let done = around.clients.all().filter_map(|(ask, fate)| match fate {
        Fate::Done(subject, position) if ask.request.is_some() => {
            Some((ask.submission(), subject, position))
        }
        _ => None,
    });
    let count = if last { usize::MAX } else { SENT_AGAIN };
    let done: Vec<(Submission, _, _)> = done.rev().take(count).collect();
    let reader = engine.reader();
    let tail = reader.tail();
    for (submission, subject, position) in done {
        let who = submission.actor.clone();
        let answer = once_more(engine, &submission);
        let reply = answer.map_err(|e| format!("{who} was acknowledged at {position}, now {e}"))?;
        if !reply.repeated || (reply.subject, reply.position) != (subject, position) {
            return Err(format!("{who}: first {subject:?} at {position}, again {reply:?}"));
        }
    }
    if reader.tail() != tail {
        return Err("commands sent again were appended".to_owned());
    }
    follower.take_all(&*reader, &around.clients)
}

/// As a client does it: what can be tried again, is. A damaged file of request ids denies once.
fn once_more(engine: &mut SyncEngine, submission: &Submission) -> Result<Reply, Denied> {
    match engine.execute(submission.clone()) {
        Err(Denied::Unavailable { .. }) => engine.execute(submission.clone()),
        other => other,
    }
}

/// Indexes kept up to date are those that the rows make.
fn same_indexes(follower: &Follower) -> Result<(), String> {
    let state = &follower.witness.state;
    let again = State::from_rows(state.rows().clone());
    if ordered(&again) == ordered(state) {
        return Ok(());
    }
    Err("indexes built from rows differ from indexes kept up to date".to_owned())
}

/// The indexes that have an order. That of ids has none, and is asked with every command.
fn ordered(state: &State) -> String {
    let text = format!("{:?}", state.indexes());
    text.split_once("open_by_due").map(|(_, rest)| rest.to_owned()).unwrap_or(text)
}

fn books_balance(engine: &SyncEngine) -> Result<(), String> {
    let rows = engine.rows().ok_or("the engine has failed")?;
    for ledger in rows.ledgers.iter() {
        for (no, customer) in (0..).zip(ledger.customers.iter()) {
            if let Some(wrong) = customer.balances.iter().find(|balance| !balance.balances()) {
                return Err(format!("customer {no} of {}: {wrong:?}", ledger.id));
            }
            let of = |invoice: &&encours_domain::state::Invoice| invoice.customer.0 == no;
            let open: i128 =
                ledger.invoices.iter().filter(of).map(|invoice| i128::from(invoice.open)).sum();
            let outstanding: i128 =
                customer.balances.iter().map(|b| i128::from(b.outstanding)).sum();
            if open != outstanding {
                let id = &ledger.id;
                return Err(format!("customer {no} of {id}: {open} open, {outstanding} told"));
            }
        }
    }
    Ok(())
}

/// Every customer's details open under its key.
pub(crate) fn details_open(engine: &SyncEngine) -> Result<(), String> {
    let keys = engine.keys();
    for ledger in engine.rows().ok_or("the engine has failed")?.ledgers.iter() {
        for (no, customer) in (0..).zip(ledger.customers.iter()) {
            for (kind, sealed) in &customer.details {
                let opened = keys.open_detail(ledger.no, CustomerNo(no), *kind, sealed);
                opened.map_err(|e| format!("details of customer {no} of {}: {e:?}", ledger.id))?;
            }
        }
    }
    Ok(())
}

/// The rows that a log makes, read from its first frame by a reader that shares no code with the
/// engine's recovery.
pub(crate) fn replay(reader: &dyn LogReader) -> Result<State, String> {
    let mut state = State::default();
    let mut number = FrameNumber(1);
    while let Some(frame) = reader.read(number).map_err(|e| e.to_string())? {
        for (position, event) in frame.events() {
            let mut digest = [0; 16];
            let command = frame.command_of(position).ok_or("an event without a command")?;
            digest.copy_from_slice(&command.digest[..16]);
            let event = encours_schema::decode(event.kind, event.version, event.payload);
            state.apply(position, digest, &event.map_err(|e| e.to_string())?);
        }
        number = number.next();
    }
    Ok(state)
}
