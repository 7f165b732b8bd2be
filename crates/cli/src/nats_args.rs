//! The flags about the NATS servers that keep a log, for every command that has to do with one.

use std::num::NonZeroU8;
use std::path::PathBuf;

use clap::Args;
use encours_log::{LogName, ServerAddr, StreamOptions};

use crate::failure::{Failure, Outcome};

/// The log that is meant where none is named.
pub(crate) const DEFAULT_LOG: &str = "main";

/// The servers that keep a log, and how they do.
#[derive(Args, Clone, Debug)]
pub(crate) struct NatsArgs {
    /// The NATS servers that keep the log, such as nats://127.0.0.1:4222; several with commas between
    #[arg(long, env = "ENCOURS_NATS", value_name = "URL,...", value_delimiter = ',',
          hide_env_values = true, value_parser = server)]
    nats: Vec<ServerAddr>,

    #[command(flatten)]
    stream: StreamArgs,
}

/// How servers keep a log.
#[derive(Args, Clone, Debug)]
pub(crate) struct StreamArgs {
    /// A file with the credentials that the servers ask for
    #[arg(long, env = "ENCOURS_NATS_CREDENTIALS", value_name = "FILE")]
    nats_credentials: Option<PathBuf>,

    /// The name of the log there: 1 to 32 of a-z 0-9 _ -
    #[arg(long, env = "ENCOURS_LOG_ID", value_name = "NAME", default_value = DEFAULT_LOG)]
    log_id: LogName,

    /// Servers that each keep a copy of streams that are made
    #[arg(long, env = "ENCOURS_REPLICAS", value_name = "N", default_value = "1",
          value_parser = clap::value_parser!(u8).range(1..=5))]
    replicas: u8,

    /// MiB that a stream that is made for the log may hold
    #[arg(long, env = "ENCOURS_NATS_MAX_MIB", value_name = "N", default_value = "10240",
          value_parser = clap::value_parser!(u64).range(1..=1 << 30))]
    nats_max_mib: u64,
}

impl NatsArgs {
    /// What to connect with; `None` where no servers are named.
    ///
    /// # Errors
    /// Credentials without servers to show them to.
    pub(crate) fn options(&self) -> Outcome<Option<StreamOptions>> {
        match (&*self.nats, &self.stream.nats_credentials) {
            ([], None) => Ok(None),
            ([], Some(_)) => {
                Err(Failure::usage("--nats-credentials is given, and --nats is missing"))
            }
            (servers, _) => Ok(Some(self.stream.options(servers))),
        }
    }
}

impl StreamArgs {
    /// What to connect to these servers with.
    pub(crate) fn options(&self, servers: &[ServerAddr]) -> StreamOptions {
        StreamOptions {
            servers: servers.to_vec(),
            credentials: self.nats_credentials.clone(),
            log: self.log_id.clone(),
            replicas: NonZeroU8::new(self.replicas).unwrap_or(NonZeroU8::MIN),
            max_bytes: self.nats_max_mib << 20,
        }
    }
}

/// The address of a server, as a flag gives it.
pub(crate) fn server(text: &str) -> Result<ServerAddr, String> {
    text.parse().map_err(|error: std::io::Error| error.to_string())
}
