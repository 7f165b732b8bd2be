//! Servers that are reached over TLS, with certificates of an authority of one's own.

use std::path::{Path, PathBuf};
use std::process::Command;

use encours_tests::{NatsServer, Server, ServerNats, data_folder, run};

/// Files that openssl has made.
struct Certificates {
    ca: PathBuf,
    server: PathBuf,
    key: PathBuf,
}

/// Runs openssl in a folder; false, with the reason printed, where this machine has none.
fn openssl(folder: &Path, arguments: &str) -> bool {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output();
    match output {
        Err(why) => {
            println!("skipped: no openssl: {why}");
            false
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "openssl {arguments}: {said}");
            true
        }
    }
}

/// An authority, and a server's certificate for 127.0.0.1 from it.
fn certificates(folder: &Path) -> Option<Certificates> {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    let made = openssl(
        folder,
        &format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=authority -days 2"),
    );
    if !made {
        return None;
    }
    openssl(folder, &format!("req {key} -keyout key.pem -out request.pem -subj /CN=nats"));
    let signed = "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial";
    openssl(folder, &format!("{signed} -out server.pem -days 2 -extfile names"));
    let [ca, server, key] = ["ca.pem", "server.pem", "key.pem"].map(|name| folder.join(name));
    Some(Certificates { ca, server, key })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_on_servers_that_speak_tls() {
    let folder = data_folder();
    let Some(made) = certificates(&folder.path().join("ours")) else { return };
    let other = certificates(&folder.path().join("others")).expect("openssl was there");
    let settings = format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\", min_version: \"1.3\" }}",
        made.server.display(),
        made.key.display()
    );
    let Some(mut nats) = NatsServer::prepare(&settings) else { return };
    nats.restart();
    let url = nats.url().replace("nats://", "tls://");
    let ca = made.ca.to_str().unwrap();
    let with = |more: &[&str]| ServerNats {
        more: more.iter().map(|word| (*word).to_owned()).collect(),
        ..ServerNats::new(vec![url.clone()], "main")
    };
    let data = folder.path().join("data");
    let publish = ["--nats-ca", ca, "--publish-nats", &url, "--publish-ca", ca];
    let server = Server::start_on_nats(&data, &with(&publish));
    let create = "ledger create --ledger acme --currency EUR --test-clock 2026-01-05";
    let _ = run(create.split(' ').chain(["--server", &server.url()])).ok();
    let checked = run(["doctor", "--nats", &url, "--nats-ca", ca, "--nats-max-mib", "64"]).ok();
    assert!(checked.stdout.contains("as they have to be"), "{checked}");
    let _ = server.stop();
    let back = folder.path().join("back");
    let words = ["log", "copy", "--from-nats", &url, "--nats-ca", ca, "--to"];
    let _ = run(words.iter().chain(&[back.to_str().unwrap(), "--nats-max-mib", "64"])).ok();
    // The system does not know the authority, nor is another one of use.
    for more in [&[][..], &["--nats-ca", other.ca.to_str().unwrap()]] {
        let ran = Server::try_start_on_nats(&data, &with(more), &[]).unwrap_err().fails(1);
        assert!(ran.stderr.contains("log_denied") && ran.stderr.contains("TLS"), "{ran}");
        let words = ["doctor", "--nats", &url, "--nats-max-mib", "64"];
        let ran = run(words.iter().chain(more)).fails(1);
        assert!(ran.stdout.contains("TLS"), "{ran}");
    }
    let nowhere = folder.path().join("nowhere");
    let told =
        [(nowhere.to_str().unwrap(), 2, "No such file"), (made.key.to_str().unwrap(), 1, "PEM")];
    for (file, code, why) in told {
        let started = Server::try_start_on_nats(&data, &with(&["--nats-ca", file]), &[]);
        let ran = started.unwrap_err().fails(code);
        assert!(ran.stderr.contains(file) && ran.stderr.contains(why), "{ran}");
    }
    // Who asks for TLS does not go on without it.
    let Some(plain) = NatsServer::start() else { return };
    let url = plain.url().replace("nats://", "tls://");
    let ran = run(["doctor", "--nats", &url, "--nats-ca", ca]).fails(1);
    assert!(ran.stdout.contains("TLS"), "{ran}");
}
