//! A client that nobody here wrote: Python's `grpcio`, with server reflection.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use encours_tests::{Client, Server, data_folder, root, run_program, target};

/// The interpreter: the one that is named, or one of a virtual environment made here. Where there is
/// none to be had, why.
fn interpreter() -> Result<PathBuf, String> {
    if let Some(named) = std::env::var_os("ENCOURS_TEST_PYTHON") {
        return Ok(named.into());
    }
    let folder = target().join("python-tests");
    let python = folder.join("bin/python");
    let requirements = root().join("tests/python/requirements.txt");
    if imports(&python) {
        return Ok(python);
    }
    let run = |program: &Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        let output = command.args(arguments).output().map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if output.status.success() { Ok(()) } else { Err(said) }
    };
    run(Path::new("python3"), &["-m", "venv", folder.to_str().unwrap()])
        .map_err(|why| format!("no python3 that makes a virtual environment: {why}"))?;
    let requirements = requirements.to_str().unwrap();
    let install = ["-m", "pip", "install", "--quiet", "--timeout", "20", "--retries", "1", "-r"];
    run(&python, &[&install[..], &[requirements]].concat())
        .map_err(|why| format!("grpcio cannot be installed: {why}"))?;
    Ok(python)
}

/// Whether an interpreter is there and has what the client needs.
fn imports(python: &Path) -> bool {
    let needed = "import grpc, grpc_reflection, grpc_status";
    let output = Command::new(python).args(["-c", needed]).output();
    output.is_ok_and(|output| output.status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_client_learns_the_services_by_reflection() {
    let python = match interpreter() {
        Ok(python) => python,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
    let folder = data_folder();
    let server = Server::start(folder.path());
    let script = root().join("tests/python/client.py");
    let url = server.url();
    let address = url.trim_start_matches("http://");
    let ran = run_program(&python, [script.to_str().unwrap(), address]).ok();
    let events = Client::connect(&url).await.events_after(0).await;
    let by_python = events.iter().filter(|event| event.actor == "python").count();
    assert!(by_python >= 4, "the server knows who acted: {by_python}");
    println!("{}", ran.stdout.trim());
}
