//! What nodes keep beside the logs: the buckets, and the mark of the last frame.

use encours_log::{Bucket, LogError, Mark, StreamFacts, StreamOptions, Survey};

use super::Placed;
use super::check::{Check, Verdict};
use super::streams;
use crate::failure::{Exit, Failure};

/// Judges where a bucket lies. That of the ledgers is there only where nodes keep several logs.
pub(super) fn placement(bucket: Bucket, placed: &Placed, wanted: usize) -> Vec<Check> {
    match (bucket, placed) {
        (Bucket::Ledgers, Ok(None) | Err(LogError::Denied { .. })) => Vec::new(),
        _ => streams::placement(&bucket.stream(), placed, wanted),
    }
}

/// Judges the settings of a bucket, where it is there.
pub(super) fn settings(bucket: Bucket, there: &Result<bool, LogError>) -> Option<Check> {
    let (name, stream) = ("settings", bucket.stream());
    Some(match there {
        Ok(false) => return None,
        Ok(true) => Check::ok(name, &stream, "as they have to be"),
        Err(error @ LogError::StreamConfig { .. }) => {
            let next = match bucket {
                Bucket::Leases => format!(
                    "delete it as the operator, `nats kv rm {}`: a node makes it anew",
                    bucket.name()
                ),
                Bucket::Ledgers | Bucket::Marks => {
                    format!("put them right as the operator: `nats stream edit {stream} …`")
                }
            };
            let verdict = Verdict::Failed(Exit::Damaged);
            Check::new(verdict, name, &stream, Failure::from(error.clone()).message(), next)
        }
        Err(error @ LogError::Denied { .. }) if bucket == Bucket::Ledgers => {
            let next = "needed where nodes keep several logs: see \"Several logs\" in \
                        docs/operations.md";
            Check::new(Verdict::NotChecked, name, &stream, error.to_string(), next)
        }
        Err(error) => Check::failure(name, &stream, &Failure::from(error.clone())),
    })
}

/// Holds the stream against the mark of its last frame, as a node does before it leads.
pub(super) async fn mark(
    survey: &Survey,
    options: &StreamOptions,
    facts: Option<&StreamFacts>,
    mark: &Result<Option<Mark>, LogError>,
) -> Check {
    let (name, subject) = ("mark", format!("{} {}", Bucket::Marks.name(), options.log));
    let mark = match mark {
        Ok(Some(mark)) => mark,
        Ok(None) => return Check::ok(name, &subject, "none yet: the node that leads writes it"),
        Err(error) => return Check::failure(name, &subject, &Failure::from(error.clone())),
    };
    match differs(survey, options, facts, mark).await {
        Ok(None) => {
            Check::ok(name, &subject, format!("frame {}, as the stream has it", mark.number))
        }
        Ok(Some(found)) => {
            let Mark { log_id, number, .. } = mark;
            let finding = format!("it has frame {number} of log {log_id}, the stream {found}");
            let next = "stop all nodes, keep their folders as they are, and see \"A stream that has \
                        lost frames\" in docs/operations.md";
            Check::new(Verdict::Failed(Exit::Damaged), name, &subject, finding, next)
        }
        Err(error) => Check::failure(name, &subject, &Failure::from(error)),
    }
}

/// What the stream holds in the place of the mark's frame; `None` where it holds that.
async fn differs(
    survey: &Survey,
    options: &StreamOptions,
    facts: Option<&StreamFacts>,
    mark: &Mark,
) -> Result<Option<String>, LogError> {
    let stream = options.log.log_stream();
    let Some(placed) = survey.placement(&stream).await? else {
        return Ok(Some("is missing".to_owned()));
    };
    if let Some(facts) = facts.filter(|facts| facts.log_id != mark.log_id) {
        return Ok(Some(format!("is of log {}", facts.log_id)));
    }
    Ok(match survey.frame_hash(&stream, mark.number).await? {
        Some(hash) if hash == mark.hash => None,
        Some(_) => Some("another one of that number".to_owned()),
        None => Some(format!("ends at frame {}", placed.last)),
    })
}
