//! `encours log prove`: proofs for those who do not trust who keeps the log.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use encours_audit::{
    Asked, Checkpoint, ConsistencyProof, Growth, InclusionProof, Leaf, Proved, TreeError, newest_of,
};
use encours_domain::Micros;
use encours_log::{Hash, OsDisk, Position};
use encours_proto::v1;
use serde::Serialize;

use crate::checkpoints::{Folder, unproved};
use crate::client::{Client, ServerArgs};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::print_text;

pub(super) const EXAMPLES: &str = "\
Examples:
  encours log prove --position 17 > proof.json
  encours log prove --position 17 --size 400 --data ./encours-data
  encours log prove --from 250 --to 400

The first two prove that the event is in the log, the third that the log of 400 events goes on from the
one of 250. What the fields are, and how to check them, is in docs/log-format.md; docs/verify.py and
docs/verify_checkpoint.py do.";

/// What `encours log prove` takes.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("what").required(true).args(["position", "from"])))]
pub(crate) struct ProveArgs {
    /// Proves that the event at this position is in the log
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    position: Option<u64>,

    /// ...as it was with this many events; as in the newest checkpoint where left out, or where that is
    /// older, with all
    #[arg(long, value_name = "SIZE", conflicts_with = "from",
          value_parser = clap::value_parser!(u64).range(1..))]
    size: Option<u64>,

    /// Proves that the log has only grown since it had this many events
    #[arg(long, value_name = "SIZE", value_parser = clap::value_parser!(u64).range(1..))]
    from: Option<u64>,

    /// ...until it had this many; as `--size` where left out
    #[arg(long, value_name = "SIZE", requires = "from",
          value_parser = clap::value_parser!(u64).range(1..))]
    to: Option<u64>,

    #[command(flatten)]
    source: SourceArgs,
}

/// The log that is meant.
#[derive(Args, Debug)]
pub(crate) struct SourceArgs {
    /// Reads the files of this data folder alone, without a server, a lock or a write
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,

    /// The log, where the server keeps several
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true,
        conflicts_with = "data"
    )]
    pub(crate) log: String,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

pub(super) async fn run(args: &ProveArgs) -> Outcome {
    let asked = Asked {
        position: args.position.unwrap_or_default(),
        old_size: args.from.unwrap_or_default(),
        size: args.size.or(args.to).unwrap_or_default(),
    };
    let proved = match &args.source.data {
        Some(data) => of_folder(data, asked)?,
        None => {
            let client = Client::connect(&args.source.server).await?;
            let request = v1::GetProofRequest {
                log: args.source.log.clone(),
                position: asked.position,
                tree_size: asked.size,
                old_tree_size: asked.old_size,
                ..Default::default()
            };
            of_answer(client.event_log().get_proof(request).await?.into_inner(), asked)?
        }
    };
    print(proved)
}

/// A proof from the files.
fn of_folder(data: &Path, asked: Asked) -> Outcome<Proved> {
    // WHY before the log: what was signed is durable, so the log is found to reach it, also while a server
    // goes on writing and signing.
    let (newest, _) = newest_of(&OsDisk, data)?;
    let newest = newest.as_ref().map(|(signed, note)| (signed.size, &**note));
    // The whole log is in it, so no frame is left to take in.
    Folder::open(data)?.tree.prove(asked, newest, 0).map_err(|error| match error {
        TreeError::Beyond { .. } | TreeError::Outside { .. } => {
            Failure::new(Exit::Refused, error.to_string()).hint(format!(
                "`encours log stat --data {}` shows how many events there are",
                data.display()
            ))
        }
        error => unproved(error),
    })
}

/// A proof that a server has told, where it is the one that was asked for. Whether it holds is checked
/// when it is printed.
fn of_answer(told: v1::GetProofResponse, asked: Asked) -> Outcome<Proved> {
    let malformed = || {
        Failure::new(Exit::Failure, "the server's answer is no proof")
            .hint("look whether that is Encours, at --server, and at what lies between")
    };
    let hash = |bytes: &[u8]| bytes.try_into().map(Hash).map_err(|_| malformed());
    let path = |hashes: &[Vec<u8>]| hashes.iter().map(|it| hash(it)).collect::<Outcome<Vec<_>>>();
    let inclusion = match told.leaf {
        Some(v1::LogLeaf { position, recorded_at_us, actor, record }) => {
            let (position, recorded_at) = (Position(position), Micros(recorded_at_us));
            Some((Leaf { position, recorded_at, actor, record }, path(&told.inclusion_path)?))
        }
        None => None,
    };
    let growth = match told.old_tree_size {
        0 => None,
        old_size => {
            let (old_root, path) = (hash(&told.old_root)?, path(&told.consistency_path)?);
            Some(Growth { old_size, old_root, path })
        }
    };
    let proved = Proved {
        log_id: told.log_id.parse().map_err(|_| malformed())?,
        size: told.tree_size,
        root: hash(&told.root)?,
        checkpoint: Some(told.checkpoint).filter(|note| !note.is_empty()),
        inclusion,
        growth,
    };
    is_asked(&proved, asked)?;
    Ok(proved)
}

/// Refuses an answer to another question: it may hold, and prove nothing of what is meant.
fn is_asked(proved: &Proved, asked: Asked) -> Outcome {
    let other = |what: String| {
        Err(Failure::new(Exit::Damaged, format!("the server's answer is another proof: {what}"))
            .hint("ask another node, or prove it from the files with --data"))
    };
    let position = proved.inclusion.as_ref().map_or(0, |(leaf, _)| leaf.position.0);
    let old_size = proved.growth.as_ref().map_or(0, |growth| growth.old_size);
    let size = if asked.size == 0 { proved.size } else { asked.size };
    for (what, wanted, found) in [
        ("the event at position", asked.position, position),
        ("a log that had this many events:", asked.old_size, old_size),
        ("a log of this many events:", size, proved.size),
    ] {
        if wanted != found {
            return other(format!("it is about {what} {found}, asked for was {wanted}"));
        }
    }
    let Some(note) = &proved.checkpoint else { return Ok(()) };
    // WHY the signature is not looked at: which key to believe is for those who are shown the proof.
    match Checkpoint::unchecked(note) {
        Err(error) => other(format!("its checkpoint: {error}")),
        Ok(of) if (of.log_id, of.size, of.root) != (proved.log_id, proved.size, proved.root) => {
            other(format!("its checkpoint is of another tree, of {} events", of.size))
        }
        Ok(_) => Ok(()),
    }
}

fn print(proved: Proved) -> Outcome {
    let Proved { log_id, size, root, checkpoint, inclusion, growth } = proved;
    let top = (size, &root);
    if let Some((leaf, path)) = inclusion {
        return print_json(InclusionProof::new(log_id, top, &leaf, &path, checkpoint));
    }
    let Some(Growth { old_size, old_root, path }) = growth else { return Ok(()) };
    print_json(ConsistencyProof::new(log_id, (old_size, &old_root), top, &path, checkpoint))
}

fn print_json<T: Serialize, E: std::fmt::Display>(proof: Result<T, E>) -> Outcome {
    let proof = proof.map_err(|error| {
        Failure::new(Exit::Damaged, format!("the proof does not hold: {error}"))
            .hint("ask another node, and look through the log: `encours log verify`")
    })?;
    let json = serde_json::to_string_pretty(&proof);
    let json = json.map_err(|error| Failure::new(Exit::Failure, error.to_string()))?;
    print_text(&format!("{json}\n"))
}

#[cfg(test)]
mod tests {
    use encours_log::{FrameNumber, LogId};

    use super::*;

    const LOG: LogId = LogId([7; 16]);

    fn checkpoint(size: u64, root: Hash) -> String {
        let (frame, frame_hash) = (FrameNumber(3), Hash([4; 32]));
        let recorded_at = Micros(0);
        let of = Checkpoint { log_id: LOG, size, root, frame, frame_hash, recorded_at };
        format!("{}\n\u{2014} nobody AAAAAAAA\n", of.to_text())
    }

    fn told(position: u64, old_tree_size: u64) -> v1::GetProofResponse {
        let hash = vec![9; 32];
        v1::GetProofResponse {
            log_id: LOG.to_string(),
            tree_size: 40,
            root: hash.clone(),
            leaf: (position > 0).then(|| v1::LogLeaf { position, ..Default::default() }),
            old_tree_size,
            old_root: hash,
            checkpoint: checkpoint(40, Hash([9; 32])),
            ..Default::default()
        }
    }

    #[test]
    fn the_answer_must_be_about_what_was_asked() {
        let position = Asked { position: 17, ..Asked::default() };
        let old = Asked { old_size: 17, ..Asked::default() };
        let sized = Asked { size: 40, ..position };
        for (asked, told) in [(position, told(17, 0)), (sized, told(17, 0)), (old, told(0, 17))] {
            assert_eq!(of_answer(told, asked).unwrap().size, 40);
        }
        let of = |size, root: u8| v1::GetProofResponse {
            checkpoint: checkpoint(size, Hash([root; 32])),
            ..told(17, 0)
        };
        for (asked, told, says) in [
            (position, told(18, 0), "position 18, asked for was 17"),
            (position, told(0, 17), "position 0, asked for was 17"),
            (old, told(0, 18), "events: 18, asked for was 17"),
            (old, told(17, 0), "position 17, asked for was 0"),
            (Asked { size: 39, ..position }, told(17, 0), "events: 40, asked for was 39"),
            (position, of(39, 9), "another tree, of 39 events"),
            (position, of(40, 8), "another tree, of 40 events"),
        ] {
            let failure = of_answer(told, asked).unwrap_err();
            assert_eq!(failure.exit(), Exit::Damaged);
            assert!(failure.message().contains(says), "no {says:?} in {failure}");
            assert!(failure.advice().is_some(), "{failure}");
        }
        let none = v1::GetProofResponse { root: vec![9; 31], ..told(17, 0) };
        assert!(of_answer(none, position).unwrap_err().message().contains("no proof"));
    }
}
