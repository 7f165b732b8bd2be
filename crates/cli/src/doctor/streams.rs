//! What the streams of a log have to be: set up for durability and order, led, followed, with room, and
//! no shorter than what this machine has seen of them.

use std::path::Path;

use encours_log::{
    AccountFacts, FrameNumber, LogError, OsDisk, Placement, StreamFacts, StreamOptions, Survey,
    VerifyReport, verify,
};

use super::check::{Check, Verdict, size};
use crate::failure::{Exit, Failure};
use crate::node::log_dir;

/// How full a stream may be, in percent, until that deserves a look.
const FULL_PERCENT: u64 = 80;

/// Judges what the account may keep.
pub(super) fn account(facts: &Result<AccountFacts, LogError>, needed: u64) -> Check {
    let name = "account";
    let facts = match facts {
        Ok(facts) => facts,
        Err(error) => return Check::failure(name, "", &Failure::from(error.clone())),
    };
    let AccountFacts { stored_bytes, max_bytes } = *facts;
    let Some(max) = max_bytes else {
        let finding = format!("{} stored, no limit but the servers' own", size(stored_bytes));
        return Check::ok(name, "", finding);
    };
    let finding = format!("{} of {} stored", size(stored_bytes), size(max));
    if max.saturating_sub(stored_bytes) < needed {
        let finding = format!("{finding}, the streams will take {}", size(needed));
        let next = "raise max_file of the account, or lower --nats-max-mib";
        return Check::new(Verdict::Failed(Exit::Failure), name, "", finding, next);
    }
    Check::ok(name, "", finding)
}

/// Judges the settings of a log's streams, as a node does when it starts.
pub(super) fn settings(stream: &str, facts: &Result<StreamFacts, LogError>) -> Check {
    match facts {
        Ok(facts) => {
            let StreamFacts { log_id, last, .. } = facts;
            Check::ok(
                "settings",
                stream,
                format!("as they have to be; log {log_id}, {last} frames"),
            )
        }
        Err(error @ LogError::StreamConfig { stream, why }) => {
            let next = if why.contains("settings differ") {
                format!(
                    "put them right as the operator, `nats stream edit {stream} …`; where max_bytes \
                     alone is too small, --nats-max-mib may also say less"
                )
            } else {
                "see \"A stream that has lost frames\" in docs/operations.md".to_owned()
            };
            let verdict = Verdict::Failed(Exit::Damaged);
            Check::new(verdict, "settings", stream, Failure::from(error.clone()).message(), next)
        }
        Err(error) => Check::failure("settings", stream, &Failure::from(error.clone())),
    }
}

/// Judges where a stream lies.
pub(super) fn placement(
    stream: &str,
    found: &Result<Option<Placement>, LogError>,
    wanted: usize,
) -> Vec<Check> {
    let found = match found {
        Ok(Some(found)) => found,
        Ok(None) => {
            let finding = "not there yet: `encours serve --nats` and `encours log copy` make it";
            return vec![Check::ok("stream", stream, finding)];
        }
        Err(error) => return vec![Check::failure("stream", stream, &Failure::from(error.clone()))],
    };
    vec![replicas(stream, found, wanted), room(stream, found)]
}

fn replicas(stream: &str, found: &Placement, wanted: usize) -> Check {
    let Placement { replicas, leader, followers, .. } = found;
    let Some(leader) = leader else {
        let finding = "no server leads it: most of its servers are away";
        let next = "start the servers that keep it";
        return Check::new(Verdict::Failed(Exit::Unavailable), "replicas", stream, finding, next);
    };
    let behind: Vec<_> = followers
        .iter()
        .filter(|follower| !follower.current || follower.offline)
        .map(|follower| match (follower.offline, follower.lag) {
            (true, _) => format!("{} is away since {} s", follower.name, follower.silent.as_secs()),
            (false, lag) => format!("{} is {lag} entries behind", follower.name),
        })
        .collect();
    let finding = format!("{replicas}, led by {leader}");
    if !behind.is_empty() {
        let finding = format!("{finding}; {}", behind.join("; "));
        let next = "start that server, or wait until it has caught up";
        return Check::new(Verdict::Warning, "replicas", stream, finding, next);
    }
    if *replicas < wanted {
        let finding = format!("{finding}, and not {wanted}");
        let next = format!("`nats stream edit {stream} --replicas {wanted}` adds copies");
        return Check::new(Verdict::Warning, "replicas", stream, finding, next);
    }
    Check::ok("replicas", stream, finding)
}

fn room(stream: &str, found: &Placement) -> Check {
    let Ok(max) = u64::try_from(found.max_bytes) else {
        return Check::ok("room", stream, format!("{} taken, no limit", size(found.bytes)));
    };
    let finding = format!("{} of {} taken", size(found.bytes), size(max));
    if found.bytes.saturating_mul(100) >= max.saturating_mul(FULL_PERCENT) {
        let next = format!("`nats stream edit {stream} --max-bytes …` raises the limit");
        return Check::new(Verdict::Warning, "room", stream, finding, next);
    }
    Check::ok("room", stream, finding)
}

/// Holds the local copy of a data folder against the stream.
pub(super) async fn local_copy(
    survey: &Survey,
    options: &StreamOptions,
    facts: Option<&StreamFacts>,
    data: &Path,
) -> Check {
    let name = "local copy";
    let subject = data.display().to_string();
    let dir = log_dir(data);
    let checked = tokio::task::block_in_place(|| verify(&OsDisk, &dir, &[], &mut |_| {}));
    let local = match checked {
        Ok(report) => report,
        Err(error) => return Check::failure(name, &subject, &Failure::from(error)),
    };
    let Some(facts) = facts else {
        let finding =
            format!("intact up to frame {}, nothing to hold it against", local.tail.number);
        let next = "put right first what is said of the stream";
        return Check::new(Verdict::NotChecked, name, &subject, finding, next);
    };
    match against(survey, options, facts, &local).await {
        Ok(()) => {
            let finding =
                format!("intact, frame {} of the stream's {}", local.tail.number, facts.last);
            Check::ok(name, &subject, finding)
        }
        Err(error) => Check::failure(name, &subject, &Failure::from(error)),
    }
}

async fn against(
    survey: &Survey,
    options: &StreamOptions,
    facts: &StreamFacts,
    local: &VerifyReport,
) -> Result<(), LogError> {
    let stream = options.log.log_stream();
    if facts.log_id != local.log_id {
        let (found, expected) = (facts.log_id, local.log_id);
        return Err(LogError::WrongLog { file: format!("stream {stream}"), found, expected });
    }
    let number = local.tail.number;
    if number == FrameNumber(0) {
        return Ok(());
    }
    let found = match survey.frame_hash(&stream, number).await? {
        Some(hash) if hash == local.tail.hash => return Ok(()),
        Some(_) => "another frame of that number".to_owned(),
        None => format!("{} frames", facts.last),
    };
    Err(LogError::StreamDiverged {
        stream,
        found,
        known: "the local copy".to_owned(),
        wanted: number,
    })
}
