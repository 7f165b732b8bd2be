//! Runs a program to its end, with a limit on how long that may take.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::binary::encours;

/// How long a program may take.
const LIMIT: Duration = Duration::from_secs(120);

/// What a program left behind.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said beside.
    pub stderr: String,
}

impl Ran {
    /// Checks that it ended well.
    ///
    /// # Panics
    /// Where it did not.
    #[must_use]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{self}");
        self
    }

    /// Checks that it failed with this exit code.
    ///
    /// # Panics
    /// Where it did not.
    #[must_use]
    pub fn fails(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code, stdout, stderr } = self;
        write!(f, "exit code {code:?}\n-- stdout\n{stdout}\n-- stderr\n{stderr}")
    }
}

/// Runs `encours` with these arguments.
pub fn run<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Ran {
    run_program(encours(), arguments)
}

/// Runs a program with these arguments.
///
/// # Panics
/// Where it cannot be started, or takes longer than two minutes.
pub fn run_program<A: AsRef<OsStr>>(program: &Path, arguments: impl IntoIterator<Item = A>) -> Ran {
    Program::start(program, arguments).end()
}

/// A program that runs; killed when dropped.
#[derive(Debug)]
pub struct Program {
    child: Killed,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
}

/// A child that does not outlive its test.
#[derive(Debug)]
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Where it has ended already, there is nothing to kill.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Program {
    /// Starts a program with these arguments.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub fn start<A: AsRef<OsStr>>(program: &Path, arguments: impl IntoIterator<Item = A>) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .env_remove("ENCOURS_SERVER")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
        Self { child: Killed(child), stdout, stderr }
    }

    /// Starts a server on a folder, with a log of its own, and does not wait until it is ready.
    ///
    /// # Panics
    /// Where it cannot be started.
    #[must_use]
    pub fn serve(data: &Path) -> Self {
        let words = ["serve", "--listen", "127.0.0.1:0", "--segment-mib", "1", "--data"];
        Self::start(encours(), words.map(OsStr::new).into_iter().chain([data.as_os_str()]))
    }

    /// Sends a signal by its name.
    ///
    /// # Panics
    /// Where it cannot be sent.
    pub fn signal(&self, name: &str) {
        signal(self.child.0.id(), name);
    }

    /// `kill -9`, at once; what it left.
    ///
    /// # Panics
    /// Where it cannot be killed.
    #[must_use]
    pub fn kill9(mut self) -> Ran {
        self.child.0.kill().expect("a child can be killed");
        self.end()
    }

    /// Waits for its end; what it left.
    ///
    /// # Panics
    /// Where it does not end within two minutes.
    #[must_use]
    pub fn end(mut self) -> Ran {
        let status = wait(&mut self.child.0, LIMIT);
        let Self { stdout, stderr, .. } = self;
        let [stdout, stderr] = [stdout, stderr].map(|reader| reader.join().expect("a reader ends"));
        Ran { code: status.code(), stdout, stderr }
    }
}

/// Sends a signal to a process by its name; one that is held still stands still from here on.
///
/// # Panics
/// Where it cannot be sent, or a process does not come to stand still.
pub(crate) fn signal(id: u32, name: &str) {
    let status = Command::new("kill").args(["-s", name, &id.to_string()]).status();
    assert!(status.expect("kill can be run").success(), "kill -s {name} {id}");
    let begun = Instant::now();
    // WHY wait: its threads stop one after the other, and each may first end what it is at.
    while name == "STOP" && !stands_still(id) {
        assert!(begun.elapsed() < LIMIT, "process {id} does not stand still");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether every thread of a process is stopped, as far as the system tells.
fn stands_still(id: u32) -> bool {
    let mut threads = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    threads.all(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // Its state follows its name; one that has ended meanwhile has none.
        stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['T', 't', 'Z', 'X']))
    })
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            drop(pipe.read_to_end(&mut bytes));
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Waits for a child to end; kills it where it does not within `limit`.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return status;
        }
        if start.elapsed() > limit {
            drop(child.kill());
            drop(child.wait());
            panic!("process {} did not end within {limit:?}", child.id());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
