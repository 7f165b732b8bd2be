//! `encours serve --publish-nats`: the publisher of public events beside the server.

use std::num::NonZeroU8;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use encours_api::{Api, PublicEvents, PublisherFigures, UnreadableEvents};
use encours_log::{Access, Disk, LogId, Position};
use encours_proto::v1::PublicEvent;
use encours_publisher::{
    CheckpointOptions, Format, Problem, Publisher, PublisherOptions, ServerAddr, Source, Status,
    stream_of,
};

use crate::failure::{Exit, Failure, Outcome};
use crate::nats_args::check_readable;

/// What `encours serve` takes about publishing.
#[derive(Args, Debug)]
pub(crate) struct PublishArgs {
    /// Publishes every event to a stream of these NATS servers, such as nats://127.0.0.1:4222;
    /// several with commas between
    #[arg(long, env = "ENCOURS_PUBLISH_NATS", value_name = "URL,...", value_delimiter = ',',
          hide_env_values = true, value_parser = server)]
    publish_nats: Vec<ServerAddr>,

    /// A file with the credentials that those servers ask for
    #[arg(
        long,
        env = "ENCOURS_PUBLISH_CREDENTIALS",
        value_name = "FILE",
        requires = "publish_nats"
    )]
    publish_credentials: Option<PathBuf>,

    /// A PEM file with the authorities that those at tls://... have their certificates from
    #[arg(long, env = "ENCOURS_PUBLISH_CA", value_name = "FILE", requires = "publish_nats")]
    publish_ca: Option<PathBuf>,

    /// The name of this log, where several publish to one NATS account
    #[arg(long, env = "ENCOURS_PUBLISH_AS", value_name = "NAME", requires = "publish_nats",
          value_parser = log_name)]
    publish_as: Option<String>,

    /// The stream, made where it does not exist; where none is given ENCOURS_EVENTS, or
    /// ENCOURS_EVENTS_NAME of a log that has a name
    #[arg(long, env = "ENCOURS_PUBLISH_STREAM", value_name = "NAME", value_parser = stream)]
    publish_stream: Option<String>,

    /// What the bodies of the messages are
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    publish_format: BodyFormat,

    /// Replicas of a stream that is made
    #[arg(long, value_name = "N", default_value = "1",
          value_parser = clap::value_parser!(u8).range(1..=5))]
    publish_replicas: u8,

    /// MiB past which a stream that is made drops its oldest messages; no limit without it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1 << 30))]
    publish_max_mib: Option<u64>,

    /// The first event to publish to a stream that does not tell where to go on
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(u64).range(1..))]
    publish_from: Option<u64>,
}

/// The bodies of messages.
#[derive(ValueEnum, Clone, Copy, Debug)]
enum BodyFormat {
    /// Proto3 JSON
    Json,
    /// Protobuf
    Protobuf,
}

fn server(text: &str) -> Result<ServerAddr, String> {
    text.parse().map_err(|error: std::io::Error| error.to_string())
}

fn stream(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if (1..=64).contains(&text.len()) && text.chars().all(allowed) {
        return Ok(text.to_owned());
    }
    Err("the name of a stream has 1 to 64 of A-Z a-z 0-9 _ -".to_owned())
}

fn log_name(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    if (1..=32).contains(&text.len()) && text.chars().all(allowed) {
        return Ok(text.to_owned());
    }
    Err("the name of a log has 1 to 32 of a-z 0-9 _ -".to_owned())
}

impl PublishArgs {
    /// # Errors
    /// Where something is said that can only be about one log.
    pub(crate) fn for_several(&self) -> Outcome {
        let given = [
            ("--publish-as", self.publish_as.is_some()),
            ("--publish-stream", self.publish_stream.is_some()),
            ("--publish-from", self.publish_from.is_some()),
        ];
        match given.iter().find(|(_, is_given)| *is_given) {
            None => Ok(()),
            Some((flag, _)) => {
                Err(Failure::usage(format!("{flag} is about one log, and --log-id names several"))
                    .hint("each log has a stream of its own, named after it"))
            }
        }
    }

    /// # Errors
    /// Where a file that is named cannot be read.
    pub(crate) fn check(&self) -> Outcome {
        check_readable("--publish-credentials", self.publish_credentials.as_deref())?;
        check_readable("--publish-ca", self.publish_ca.as_deref())
    }

    fn access(&self) -> Access {
        let (credentials, ca) = (self.publish_credentials.clone(), self.publish_ca.clone());
        Access { credentials, ca }
    }

    /// Where to put checkpoints, where public events are published.
    pub(crate) fn checkpoints(&self) -> Option<CheckpointOptions> {
        (!self.publish_nats.is_empty()).then(|| CheckpointOptions {
            servers: self.publish_nats.clone(),
            access: self.access(),
            replicas: NonZeroU8::new(self.publish_replicas).unwrap_or(NonZeroU8::MIN),
        })
    }

    /// What to publish and where to, where that is asked for. `log` is the log's own name, where it
    /// has one that is not the default.
    pub(crate) fn options(
        &self,
        data: &Path,
        disk: Arc<dyn Disk>,
        log: Option<&str>,
    ) -> Option<PublisherOptions> {
        if self.publish_nats.is_empty() {
            return None;
        }
        let log = self.publish_as.as_deref().or(log);
        Some(PublisherOptions {
            servers: self.publish_nats.clone(),
            access: self.access(),
            stream: self.publish_stream.clone().unwrap_or_else(|| stream_of(log)),
            log: log.map(str::to_owned),
            format: match self.publish_format {
                BodyFormat::Json => Format::Json,
                BodyFormat::Protobuf => Format::Protobuf,
            },
            replicas: NonZeroU8::new(self.publish_replicas).unwrap_or(NonZeroU8::MIN),
            max_bytes: self.publish_max_mib.map(|mib| mib << 20),
            from: self.publish_from.map(Position),
            folder: data.join("publisher"),
            disk,
        })
    }
}

/// Starts to publish the events of a node. Waits for no server.
pub(crate) fn spawn(api: &Api, options: PublisherOptions) -> Outcome<Publisher> {
    let started = Publisher::spawn(LogEvents(api.public_events()), options);
    started.map_err(|problem: Problem| Failure::new(Exit::Failure, problem.to_string()))
}

/// How a publisher is, for the metrics.
pub(crate) fn figures(status: &Status) -> PublisherFigures {
    PublisherFigures { up: status.up, position: status.published, failures: status.failures }
}

/// The events of this node's log.
struct LogEvents(PublicEvents);

impl Source for LogEvents {
    type Error = UnreadableEvents;

    fn log_id(&self) -> LogId {
        self.0.log_id()
    }

    fn tail(&self) -> Position {
        self.0.tail()
    }

    async fn wait_beyond(&self, after: Position) -> Result<(), UnreadableEvents> {
        self.0.wait_beyond(after).await
    }

    fn read(&self, after: Position, limit: usize) -> Result<Vec<PublicEvent>, UnreadableEvents> {
        self.0.read(after, limit)
    }
}
