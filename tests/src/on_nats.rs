//! Servers whose log is kept by nats-servers.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::nats::NatsServer;

/// How many MiB a log and the keys beside it may take: many logs of tests share a server.
const MAX_MIB: u64 = 256;

/// What `encours serve` is told of the log that it keeps on nats-servers.
#[derive(Clone, Debug)]
pub struct ServerNats {
    /// Where the servers listen.
    pub urls: Vec<String>,
    /// The log's name.
    pub log: String,
    /// Copies of each stream.
    pub replicas: u8,
    /// MiB that the log may take.
    pub max_mib: u64,
    /// File of the credentials, where some are needed.
    pub credentials: Option<PathBuf>,
    /// More words for `encours serve`.
    pub more: Vec<String>,
}

impl ServerNats {
    /// A log of this name on these servers, with one copy.
    #[must_use]
    pub fn new(urls: Vec<String>, log: &str) -> Self {
        let (log, credentials, more) = (log.to_owned(), None, Vec::new());
        Self { urls, log, replicas: 1, max_mib: MAX_MIB, credentials, more }
    }

    /// The name of the log's stream.
    #[must_use]
    pub fn stream(&self) -> String {
        format!("ENCOURS_LOG_{}", self.log)
    }

    /// The words for `encours serve`.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let named = [
            ("--nats", Some(self.urls.join(","))),
            ("--log-id", Some(self.log.clone())),
            ("--replicas", Some(self.replicas.to_string())),
            ("--nats-max-mib", Some(self.max_mib.to_string())),
            (
                "--nats-credentials",
                self.credentials.as_ref().map(|file| file.display().to_string()),
            ),
        ];
        let given = named.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?]));
        given.flatten().chain(self.more.iter().cloned()).collect()
    }

    /// What `ENCOURS_TEST_LOG` asks for: nothing, or for `jetstream` a log of the folder's own on a
    /// server of this process, the same one each time.
    ///
    /// # Panics
    /// Where it asks for something else, or there is no nats-server.
    pub(crate) fn of_this_run(data: &Path) -> Option<Self> {
        match std::env::var("ENCOURS_TEST_LOG").as_deref() {
            Err(_) | Ok("embedded") => None,
            Ok("jetstream") => {
                let mut hasher = DefaultHasher::new();
                std::path::absolute(data).expect("a path").hash(&mut hasher);
                let log = format!("t{:016x}", hasher.finish());
                Some(Self::new(vec![of_this_process()], &log))
            }
            Ok(other) => panic!("ENCOURS_TEST_LOG is {other}: say embedded or jetstream"),
        }
    }
}

/// Whether servers keep their logs in their folders in this run; says so where they do not, and why
/// that is needed.
#[must_use]
pub fn is_embedded(why: &str) -> bool {
    let is_embedded = ServerNats::of_this_run(Path::new(".")).is_none();
    if !is_embedded {
        println!("skipped on JetStream: {why}");
    }
    is_embedded
}

/// The URL of a server that lives as long as this process.
fn of_this_process() -> String {
    static SERVER: OnceLock<Mutex<(NatsServer, Child)>> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        let server = NatsServer::start().expect("ENCOURS_TEST_LOG=jetstream needs a nats-server");
        let guard = guard(&server);
        Mutex::new((server, guard))
    });
    server.lock().unwrap_or_else(PoisonError::into_inner).0.url()
}

/// Ends a server, and removes its folder, once this process is gone: nothing drops what is static.
fn guard(server: &NatsServer) -> Child {
    let pid = server.pid().expect("it runs").to_string();
    let script = "read -r _; kill -9 \"$1\"; rm -rf -- \"$2\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", &pid]).arg(server.folder());
    // Its input ends with this process, however that ends.
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("sh can be started")
}
