//! The flags about the NATS servers that keep a log, for every command that has to do with one.

use std::fs::File;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::path::{Path, PathBuf};

use clap::Args;
use encours_log::{Access, LogName, ServerAddr, StreamOptions};

use crate::failure::{Failure, Outcome};

/// The log that is meant where none is named.
pub(crate) const DEFAULT_LOG: &str = "main";
/// The most logs of a process: each takes threads, memory and a connection of its own.
const LOGS_MAX: usize = 16;

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

    /// A PEM file with the authorities that servers at tls://... have their certificates from, in the
    /// place of the system's
    #[arg(long, env = "ENCOURS_NATS_CA", value_name = "FILE")]
    nats_ca: Option<PathBuf>,

    /// The name of the log there: 1 to 32 of a-z 0-9 _ -; `serve` takes several with commas between
    #[arg(long, env = "ENCOURS_LOG_ID", value_name = "NAME", value_delimiter = ',',
          default_value = DEFAULT_LOG)]
    log_id: Vec<LogName>,

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
    /// Credentials, a log's name or replicas without servers to use them with; several logs.
    pub(crate) fn options(&self) -> Outcome<Option<StreamOptions>> {
        if !self.nats.is_empty() {
            return self.stream.options(&self.nats).map(Some);
        }
        let StreamArgs { nats_credentials, nats_ca, log_id, replicas, .. } = &self.stream;
        let names_log = log_id.iter().any(|name| name.as_str() != DEFAULT_LOG);
        let given = [
            ("--nats-credentials", nats_credentials.is_some()),
            ("--nats-ca", nats_ca.is_some()),
            ("--log-id", names_log),
            ("--replicas", *replicas != 1),
        ];
        // WHY refused: where the servers' addresses got lost, a log of this machine's own would begin.
        match given.iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => {
                Err(Failure::usage(format!("{flag} is given, and --nats is missing")))
            }
            None => Ok(None),
        }
    }

    /// How many logs are named; one without names.
    pub(crate) fn logs(&self) -> usize {
        self.stream.log_id.len()
    }

    /// What to connect with for each log, in the order of their names; nothing where no servers are
    /// named.
    ///
    /// # Errors
    /// Credentials or several logs without servers; too many logs, the same one twice.
    pub(crate) fn each(&self) -> Outcome<Vec<StreamOptions>> {
        let mut names = self.stream.log_id.clone();
        names.sort();
        if let Some([name, _]) = names.array_windows().find(|[one, next]| one == next) {
            return Err(Failure::usage(format!("--log-id names {name} twice")));
        }
        if names.len() > LOGS_MAX {
            let count = names.len();
            return Err(Failure::usage(format!("--log-id names {count} logs, at most {LOGS_MAX}")));
        }
        if self.nats.is_empty() && names.len() > 1 {
            return Err(Failure::usage("--log-id names several logs, and --nats is missing"));
        }
        if self.nats.is_empty() {
            return self.options().map(|_| Vec::new());
        }
        names.into_iter().map(|name| self.stream.of(&self.nats, name)).collect()
    }
}

impl StreamArgs {
    /// What to connect to these servers with.
    ///
    /// # Errors
    /// Where several logs are named, or a file cannot be read.
    pub(crate) fn options(&self, servers: &[ServerAddr]) -> Outcome<StreamOptions> {
        match &*self.log_id {
            [name] => self.of(servers, name.clone()),
            _ => Err(Failure::usage("--log-id must name one log here")),
        }
    }

    fn of(&self, servers: &[ServerAddr], log: LogName) -> Outcome<StreamOptions> {
        let (credentials, ca) = (self.nats_credentials.clone(), self.nats_ca.clone());
        check_readable("--nats-credentials", credentials.as_deref())?;
        check_readable("--nats-ca", ca.as_deref())?;
        Ok(StreamOptions {
            servers: servers.to_vec(),
            access: Access { credentials, ca },
            log,
            replicas: NonZeroU8::new(self.replicas).unwrap_or(NonZeroU8::MIN),
            max_bytes: self.nats_max_mib << 20,
        })
    }
}

/// Refuses a file that a flag names and that cannot be read. WHY here: told once, before anything is
/// asked or made.
pub(crate) fn check_readable(flag: &str, file: Option<&Path>) -> Outcome {
    let Some(file) = file else { return Ok(()) };
    // A file of the user's, read and left alone: the trait Disk is for what Encours stores.
    let opened = File::open(file).and_then(|file| file.metadata());
    let why = match opened {
        Ok(found) if found.is_file() => return Ok(()),
        Ok(_) => "it is no file".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(Failure::usage(format!("{flag} {}: {why}", file.display())))
}

/// Refuses an address that the other nodes cannot reach this one at: one of this machine alone while
/// the servers are elsewhere, or none in particular.
pub(crate) fn check_reachable(address: &str, servers: &[ServerAddr]) -> Outcome {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let why = if is_unspecified(host) {
        "is no address to call"
    } else if is_loopback(host) && !servers.iter().all(|server| is_loopback(server.host())) {
        "is one of this machine alone, and the servers are elsewhere"
    } else {
        return Ok(());
    };
    Err(Failure::usage(format!("the other nodes are to reach this one at {address}, which {why}"))
        .hint("say --advertise with an address that they reach, such as 10.0.0.7:50051"))
}

fn ip(host: &str) -> Option<IpAddr> {
    host.trim_matches(['[', ']']).parse().ok()
}

fn is_unspecified(host: &str) -> bool {
    host.is_empty() || ip(host).is_some_and(|ip| ip.is_unspecified())
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || ip(host).is_some_and(|ip| ip.is_loopback())
}

/// The address of a server, as a flag gives it.
pub(crate) fn server(text: &str) -> Result<ServerAddr, String> {
    text.parse().map_err(|error: std::io::Error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_nodes_must_be_able_to_call() {
        let reachable = |address, servers: &[&str]| {
            let servers: Vec<_> = servers.iter().map(|url| server(url).unwrap()).collect();
            check_reachable(address, &servers).is_ok()
        };
        let (here, there) = (["nats://127.0.0.1:4222", "localhost"], ["nats://10.0.0.1:4222"]);
        assert!(reachable("127.0.0.1:50051", &here) && reachable("[::1]:50051", &here));
        assert!(reachable("10.0.0.7:50051", &there) && reachable("node-1:50051", &there));
        assert!(!reachable("127.0.0.1:50051", &there) && !reachable("[::1]:50051", &there));
        assert!(!reachable("0.0.0.0:50051", &here) && !reachable("[::]:50051", &there));
    }
}
