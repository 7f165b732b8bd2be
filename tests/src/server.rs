//! A server of the real binary on a real socket.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::binary::encours;
use crate::on_nats::ServerNats;
use crate::ports::http_get;
use crate::process::{Ran, signal, wait};

/// How long a server may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long a server may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// How long what a server said last may take to be read.
const READ_LIMIT: Duration = Duration::from_secs(5);
/// How long a server may take to say something.
const SAY_LIMIT: Duration = Duration::from_secs(60);
/// What is in the line that it says when its start is over.
const READY: &str = " ready address=";

/// A running `encours serve`; killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    data: PathBuf,
    address: String,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
    /// Those who read what it says; they end with it.
    readers: [JoinHandle<()>; 2],
    /// From the start of the process to the line that says it is ready.
    pub start_took: Duration,
}

/// How a server ended.
#[derive(Clone, Debug)]
pub struct Stopped {
    /// Exit code and what it said.
    pub ran: Ran,
    /// How long it took from the signal to the end.
    pub took: Duration,
}

impl Server {
    /// Starts a server on a folder and waits until it is ready.
    ///
    /// # Panics
    /// Where it ends instead, or is not ready within a minute.
    #[must_use]
    pub fn start(data: &Path) -> Self {
        Self::try_start(data).unwrap_or_else(|ran| panic!("the server did not start: {ran}"))
    }

    /// Starts a server on a folder; where it ends before it is ready, what it left.
    ///
    /// # Errors
    /// What the process left, where it ended.
    ///
    /// # Panics
    /// Where it does neither within a minute.
    pub fn try_start(data: &Path) -> Result<Self, Ran> {
        Self::try_start_under(&[], data)
    }

    /// As [`try_start`](Self::try_start), under another program, such as `strace -f`.
    ///
    /// # Errors
    /// What the process left, where it ended.
    ///
    /// # Panics
    /// Where it does neither within a minute.
    pub fn try_start_under(prefix: &[&str], data: &Path) -> Result<Self, Ran> {
        let nats = ServerNats::of_this_run(data);
        Self::launch(prefix, data, &nats.map(|nats| nats.arguments()).unwrap_or_default())
    }

    /// As [`try_start_under`](Self::try_start_under), with more arguments.
    ///
    /// # Errors
    /// What the process left, where it ended.
    ///
    /// # Panics
    /// Where it does neither within a minute.
    pub fn try_start_with(prefix: &[&str], data: &Path, more: &[&str]) -> Result<Self, Ran> {
        let nats = ServerNats::of_this_run(data);
        let mut arguments = nats.map(|nats| nats.arguments()).unwrap_or_default();
        arguments.extend(more.iter().map(|word| (*word).to_owned()));
        Self::launch(prefix, data, &arguments)
    }

    /// Starts a server on a folder whose log is kept by nats-servers, and waits until it is ready.
    ///
    /// # Panics
    /// Where it ends instead, or is not ready within a minute.
    #[must_use]
    pub fn start_on_nats(data: &Path, nats: &ServerNats) -> Self {
        Self::try_start_on_nats(data, nats, &[])
            .unwrap_or_else(|ran| panic!("the server did not start: {ran}"))
    }

    /// As [`start_on_nats`](Self::start_on_nats), with more arguments; where it ends before it is
    /// ready, what it left.
    ///
    /// # Errors
    /// What the process left, where it ended.
    ///
    /// # Panics
    /// Where it does neither within a minute.
    pub fn try_start_on_nats(data: &Path, nats: &ServerNats, more: &[&str]) -> Result<Self, Ran> {
        let mut arguments = nats.arguments();
        arguments.extend(more.iter().map(|word| (*word).to_owned()));
        Self::launch(&[], data, &arguments)
    }

    /// Starts a server under a prefix, with these arguments besides, and waits until it is ready.
    fn launch(prefix: &[&str], data: &Path, arguments: &[String]) -> Result<Self, Ran> {
        // Building the binary first, where it is to be built, is no part of its start.
        let binary = encours();
        let begun = Instant::now();
        let mut words = prefix.iter().map(OsStr::new).chain([binary.as_os_str()]);
        let mut child = Command::new(words.next().expect("at least the binary"))
            .args(words)
            .arg("serve")
            .arg("--data")
            .arg(data)
            // Short segments: a test rolls over them, and a start fills less.
            .args(["--listen", "127.0.0.1:0", "--segment-mib", "1"])
            .args(arguments)
            .env_remove("ENCOURS_SERVER")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("encours can be started");
        let (stdout, lines, out) = follow(child.stdout.take());
        let (stderr, _, err) = follow(child.stderr.take());
        let readers = [out, err];
        let data = data.to_owned();
        let (address, start_took) = (String::new(), Duration::ZERO);
        let mut server = Self { child, data, address, stdout, stderr, readers, start_took };
        loop {
            let left = START_LIMIT.saturating_sub(begun.elapsed());
            match lines.recv_timeout(left.min(Duration::from_millis(100))) {
                Ok(line) => {
                    if let Some(address) = address_in(&line) {
                        server.address = address;
                        server.start_took = begun.elapsed();
                        server.read_of_start();
                        return Ok(server);
                    }
                }
                // No more lines come, or none came for a while.
                Err(_) => {
                    if let Some(status) = server.child.try_wait().expect("a child can be asked") {
                        return Err(server.left(status.code()));
                    }
                }
            }
            if left.is_zero() {
                panic!("no ready line within {START_LIMIT:?}: {}", server.left(None));
            }
        }
    }

    /// Waits until all that it said of its start is read.
    ///
    /// WHY: the line with its address comes through another pipe, so that what a test looks for in
    /// [`said`](Self::said) may not be there yet when that line is.
    fn read_of_start(&self) {
        let begun = Instant::now();
        while !self.said().contains(READY) {
            assert!(begun.elapsed() < SAY_LIMIT, "it never said{READY}: {}", self.said());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Where it listens, such as `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens, without a scheme.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The address of its metrics, where it was started with `--metrics` on a port of loopback.
    ///
    /// # Panics
    /// Where it does not say so within some seconds.
    #[must_use]
    pub fn metrics_address(&self) -> String {
        // What it says comes through another pipe than the line that it is ready.
        for _ in 0..500 {
            let said = self.said();
            if let Some(line) = said.lines().find(|line| line.contains("metrics address=")) {
                let address =
                    line[line.find("127.0.0.1:").expect("an address")..].split_whitespace();
                return address.take(1).collect();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("no line on metrics: {}", self.said());
    }

    /// A figure of its metrics by name and labels; `None` where it tells none.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<u64> {
        let page = http_get(&self.metrics_address(), "/metrics")?;
        let mut samples = page.lines().filter_map(|line| line.rsplit_once(' '));
        samples.find(|(found, _)| *found == name)?.1.parse().ok()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        let started = self.child.id();
        // Under another program it is that one's child.
        let children = fs::read_to_string(format!("/proc/{started}/task/{started}/children"));
        let first = children.ok().and_then(|pids| pids.split(' ').next()?.parse().ok());
        first.unwrap_or(started)
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// What it said on standard error so far; all of its start is there.
    #[must_use]
    pub fn said(&self) -> String {
        text(&self.stderr)
    }

    /// The first line on standard error that says this, once it does: what it says may be read later
    /// than what it does is seen.
    ///
    /// # Panics
    /// Where it does not within a minute.
    pub async fn told(&self, what: &str) -> String {
        let begun = Instant::now();
        loop {
            let said = self.said();
            if let Some(line) = said.lines().find(|line| line.contains(what)) {
                return line.to_owned();
            }
            assert!(begun.elapsed() < SAY_LIMIT, "it never said {what:?}: {said}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// `kill -9`, at once.
    pub fn kill9(mut self) {
        self.kill_now();
    }

    /// SIGTERM, and waits for the end.
    ///
    /// # Panics
    /// Where it does not end within a minute.
    #[must_use]
    pub fn stop(mut self) -> Stopped {
        let begun = Instant::now();
        self.signal("TERM");
        let status = wait(&mut self.child, STOP_LIMIT);
        Stopped { ran: self.left(status.code()), took: begun.elapsed() }
    }

    /// Sends a signal by its name.
    ///
    /// # Panics
    /// Where it cannot be sent.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Waits for an end that the server comes to by itself.
    ///
    /// # Panics
    /// Where it does not within a minute.
    #[must_use]
    pub fn end(mut self) -> Ran {
        let status = wait(&mut self.child, STOP_LIMIT);
        self.left(status.code())
    }

    fn kill_now(&mut self) {
        let is_over = self.child.try_wait().is_ok_and(|status| status.is_some());
        if !is_over && self.pid() != self.child.id() {
            self.signal("KILL");
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }

    fn left(&self, code: Option<i32>) -> Ran {
        // The readers of the pipes may be a moment behind the end of the process, on a busy machine
        // a long one; a child of it that lives on may keep them for ever.
        let begun = Instant::now();
        while begun.elapsed() < READ_LIMIT && !self.readers.iter().all(JoinHandle::is_finished) {
            std::thread::sleep(Duration::from_millis(2));
        }
        Ran { code, stdout: text(&self.stdout), stderr: text(&self.stderr) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill_now();
        if std::thread::panicking() {
            eprintln!("-- the server of {} said:\n{}", self.data.display(), self.said());
        }
    }
}

fn text(shared: &Mutex<String>) -> String {
    shared.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Keeps what a pipe says and passes on its lines, for as long as somebody listens.
fn follow(
    pipe: Option<impl Read + Send + 'static>,
) -> (Arc<Mutex<String>>, Receiver<String>, JoinHandle<()>) {
    let said = Arc::new(Mutex::new(String::new()));
    let (sender, receiver) = channel();
    let shared = Arc::clone(&said);
    let reader = std::thread::spawn(move || {
        let lines = pipe.into_iter().flat_map(|pipe| BufReader::new(pipe).lines());
        for line in lines.map_while(Result::ok) {
            let mut said = shared.lock().unwrap_or_else(PoisonError::into_inner);
            said.push_str(&line);
            said.push('\n');
            drop(said);
            drop(sender.send(line));
        }
    });
    (said, receiver, reader)
}

/// The address of loopback in a line, with its port.
fn address_in(line: &str) -> Option<String> {
    let from = line.find("127.0.0.1:")?;
    let end = line[from..].find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':'));
    Some(line[from..end.map_or(line.len(), |end| from + end)].to_owned())
}
