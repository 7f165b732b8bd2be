//! `encours log checkpoint`: the newest signed checkpoint, and the key to check it with.

use clap::Args;
use encours_audit::newest_of;
use encours_log::OsDisk;
use encours_proto::v1;

use super::prove::SourceArgs;
use crate::client::Client;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::print_text;

pub(super) const EXAMPLES: &str = "\
Examples:
  encours log checkpoint > 2026-01-31.checkpoint
  encours log checkpoint --key
  encours log checkpoint --data ./encours-data";

/// What `encours log checkpoint` takes.
#[derive(Args, Debug)]
pub(crate) struct CheckpointArgs {
    /// Prints the verifier key in its place: note it once, and keep it elsewhere
    #[arg(long)]
    key: bool,

    #[command(flatten)]
    source: SourceArgs,
}

pub(super) async fn run(args: &CheckpointArgs) -> Outcome {
    let (note, key) = match &args.source.data {
        Some(data) => {
            let (newest, verifier) = newest_of(&OsDisk, data)?;
            let none = |what: &str| {
                let message = format!("{} has no {what}", data.display());
                Failure::new(Exit::Refused, message)
                    .hint("a server makes a key at its first start and then signs once a minute")
            };
            if args.key {
                let verifier = verifier.ok_or_else(|| none("keys/signing.key that can be read"))?;
                (String::new(), verifier.to_string())
            } else {
                let (_, note) = newest.ok_or_else(|| none("checkpoint"))?;
                (note, String::new())
            }
        }
        None => {
            let client = Client::connect(&args.source.server).await?;
            let log = args.source.log.clone();
            let request = v1::GetCheckpointRequest { log, ..Default::default() };
            let told = client.event_log().get_checkpoint(request).await?.into_inner();
            (told.checkpoint, told.verifier_key)
        }
    };
    if args.key { print_text(&format!("{key}\n")) } else { print_text(&note) }
}
