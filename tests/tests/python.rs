//! A client that nobody here wrote: Python's `grpcio`, with server reflection.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use encours_tests::{Client, Server, data_folder, python, root, run_program};

#[tokio::test(flavor = "multi_thread")]
async fn a_python_client_learns_the_services_by_reflection() {
    let interpreter = match python() {
        Ok(interpreter) => interpreter,
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
    let ran = run_program(&interpreter, [script.to_str().unwrap(), address]).ok();
    let events = Client::connect(&url).await.events_after(0).await;
    let by_python = events.iter().filter(|event| event.actor == "python").count();
    assert!(by_python >= 4, "the server knows who acted: {by_python}");
    println!("{}", ran.stdout.trim());
}
