//! `encours log prove`: proofs for those who do not trust who keeps the log.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use encours_audit::{ConsistencyProof, InclusionProof, Leaf, newest_of};
use encours_domain::Micros;
use encours_log::{Hash, LogId, OsDisk, Position};
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
    let asked = v1::GetProofRequest {
        log: args.source.log.clone(),
        position: args.position.unwrap_or_default(),
        tree_size: args.size.or(args.to).unwrap_or_default(),
        old_tree_size: args.from.unwrap_or_default(),
        ..Default::default()
    };
    match &args.source.data {
        Some(data) => of_folder(data, &asked),
        None => {
            let client = Client::connect(&args.source.server).await?;
            told(client.event_log().get_proof(asked).await?.into_inner())
        }
    }
}

/// A proof from the files.
fn of_folder(data: &Path, asked: &v1::GetProofRequest) -> Outcome {
    let v1::GetProofRequest { position, tree_size, old_tree_size, .. } = *asked;
    let tree = Folder::open(data)?.tree;
    let (newest, _) = newest_of(&OsDisk, data)?;
    let size = match (tree_size, &newest) {
        (0, Some((signed, _))) if position.max(old_tree_size) <= signed.size => signed.size,
        (0, _) => tree.size(),
        (size, _) => size,
    };
    if size > tree.size() {
        let message = format!("the log has {} events, {size} are asked for", tree.size());
        return Err(Failure::new(Exit::Refused, message));
    }
    let note = newest.filter(|(signed, _)| signed.size == size).map(|(_, note)| note);
    let root = tree.root(size).map_err(unproved)?;
    let top = (size, &root);
    if position > 0 {
        let position = Position(position);
        let path = tree.inclusion(position, size).map_err(unproved)?;
        let leaf = tree.leaf(position).map_err(unproved)?;
        return print(InclusionProof::new(tree.log_id(), top, &leaf, &path, note));
    }
    let path = tree.consistency(old_tree_size, size).map_err(unproved)?;
    let old_root = tree.root(old_tree_size).map_err(unproved)?;
    print(ConsistencyProof::new(tree.log_id(), (old_tree_size, &old_root), top, &path, note))
}

/// A proof that a server has told. It is checked before it is printed.
fn told(proof: v1::GetProofResponse) -> Outcome {
    let malformed = || Failure::new(Exit::Failure, "the server's answer is no proof");
    let hash = |bytes: &[u8]| bytes.try_into().map(Hash).map_err(|_| malformed());
    let path = |hashes: &[Vec<u8>]| hashes.iter().map(|it| hash(it)).collect::<Outcome<Vec<_>>>();
    let log_id: LogId = proof.log_id.parse().map_err(|_| malformed())?;
    let root = hash(&proof.root)?;
    let top = (proof.tree_size, &root);
    let note = Some(proof.checkpoint).filter(|note| !note.is_empty());
    if let Some(v1::LogLeaf { position, recorded_at_us, actor, record }) = proof.leaf {
        let (position, recorded_at) = (Position(position), Micros(recorded_at_us));
        let leaf = Leaf { position, recorded_at, actor, record };
        let path = path(&proof.inclusion_path)?;
        return print(InclusionProof::new(log_id, top, &leaf, &path, note));
    }
    let old_root = hash(&proof.old_root)?;
    let old = (proof.old_tree_size, &old_root);
    print(ConsistencyProof::new(log_id, old, top, &path(&proof.consistency_path)?, note))
}

fn print<T: Serialize, E: std::fmt::Display>(proof: Result<T, E>) -> Outcome {
    let proof = proof.map_err(|error| {
        Failure::new(Exit::Damaged, format!("the proof does not hold: {error}"))
    })?;
    let json = serde_json::to_string_pretty(&proof);
    let json = json.map_err(|error| Failure::new(Exit::Failure, error.to_string()))?;
    print_text(&format!("{json}\n"))
}
