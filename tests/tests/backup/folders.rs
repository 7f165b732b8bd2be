//! Where backups lie: folders that are not meant, who may read them, small disks, members of a cluster.

use std::collections::BTreeSet;
use std::fs;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use encours_tests::{
    NatsServer, Server, ServerNats, Tmpfs, copy, data_folder, every_file, fingerprint, flip_bit,
    run,
};

use crate::{
    DAMAGED, FAILED, REFUSED, USAGE, backup, commands, digest, folder, go_on, opens_details,
    restore, row, text, verify_only,
};

#[test]
fn folders_that_are_not_meant_are_left_as_they_are() {
    let (folder, data, to) = folder();
    let at = |name: &str| folder.path().join(name);
    let _ = row(backup(&data, &to));
    let older = at("older");
    copy(&data, &older);
    // Somebody's folder.
    fs::create_dir(at("home")).unwrap();
    fs::write(at("home").join("letter"), "dear").unwrap();
    let before = fingerprint(&at("home"));
    let ran = backup(&data, &at("home")).fails(REFUSED);
    assert!(ran.stderr.contains("not_empty"), "{ran}");
    let _ = backup(&data, &older).fails(REFUSED);
    let ran = restore(&to, &at("home")).fails(REFUSED);
    assert!(ran.stderr.contains("is not touched"), "{ran}");
    assert_eq!(fingerprint(&at("home")), before);
    // An empty folder is as good as none.
    fs::create_dir(at("empty")).unwrap();
    let _ = row(restore(&to, &at("empty")));
    // The backup of another log.
    let (_other, other, _) = self::folder();
    let ran = backup(&other, &to).fails(REFUSED);
    assert!(ran.stderr.contains("wrong_log"), "{ran}");
    // A folder that has lost what the backup holds.
    go_on(&data, "F-2");
    let newest = row(backup(&data, &to));
    let ran = backup(&older, &to).fails(DAMAGED);
    assert!(ran.stderr.contains("log_rolled_back"), "{ran}");
    // One that went on by itself from there.
    for invoice in ["G-1", "G-2", "G-3"] {
        go_on(&older, invoice);
    }
    let ran = backup(&older, &to).fails(DAMAGED);
    assert!(ran.stderr.contains("log_diverged"), "{ran}");
    // One that is damaged.
    let damaged = at("damaged");
    copy(&data, &damaged);
    let log = every_file(&damaged.join("log"));
    flip_bit(log.iter().find(|path| text(path).ends_with("1.seg")).unwrap(), 8 * 1_000);
    let ran = backup(&damaged, &to).fails(DAMAGED);
    assert!(ran.stderr.contains("the backup before is as it was"), "{ran}");
    let keyless = at("keyless");
    copy(&data, &keyless);
    fs::remove_dir_all(keyless.join("keys")).unwrap();
    let ran = backup(&keyless, &to).fails(DAMAGED);
    assert!(ran.stderr.contains("customers.keys is missing"), "{ran}");
    assert_eq!(row(verify_only(&to))["tail_hash"], newest["tail_hash"]);
    let ran = backup(&at("nothing"), &to).fails(USAGE);
    assert!(ran.stderr.contains("no_log"), "{ran}");
}

#[test]
fn a_backup_is_read_by_its_owner_alone_and_names_no_key() {
    use std::os::unix::fs::PermissionsExt as _;

    let (_folder, data, to) = folder();
    let ran = backup(&data, &to).ok();
    for path in every_file(&to) {
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
    }
    let manifest = fs::read(to.join("backup.json")).unwrap();
    let verified = verify_only(&to).ok();
    let told =
        [&*manifest, ran.stdout.as_bytes(), ran.stderr.as_bytes(), verified.stdout.as_bytes()];
    let names = |what: &[u8]| told.iter().any(|told| told.windows(what.len()).any(|at| at == what));
    assert!(names(b"\"position\""), "what is looked for is found");
    // Any 32 bytes in a row may be a key, but not those that are mostly zeros.
    let bytes = fs::read(data.join("keys/customers.keys")).unwrap();
    let is_key = |bytes: &&[u8]| bytes.iter().collect::<BTreeSet<_>>().len() >= 20;
    let keys: Vec<_> = bytes.windows(32).filter(is_key).collect();
    assert!(!keys.is_empty(), "a customer has a key");
    for key in keys {
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let base64 = BASE64_STANDARD_NO_PAD.encode(key);
        assert!(!names(key) && !names(hex.as_bytes()) && !names(base64.as_bytes()), "{hex}");
    }
    let signing = fs::read_to_string(data.join("keys/signing.key")).unwrap();
    // PRIVATE+KEY+name+id+base64, and that may have a plus of its own.
    let secret = signing.trim_end().splitn(5, '+').nth(4).unwrap();
    assert!(secret.len() > 40 && !names(secret.as_bytes()), "the signing key");
}

#[test]
fn a_disk_that_is_too_small_is_told_and_the_backup_before_stays() {
    let (folder, data, _) = folder();
    let Some(small) = Tmpfs::mount(&folder.path().join("small"), "128k") else { return };
    let to = small.path().join("backup");
    // The last segment is a mebibyte, most of it zeros that take no room.
    let first = row(backup(&data, &to));
    let server = Server::start(&data);
    for n in 0..40 {
        let note = "x".repeat(2_000);
        let words = [
            "customer",
            "create",
            "--ledger",
            "shop",
            "--customer",
            &format!("c{n}"),
            "--name",
            "N",
            "--note",
            &note,
            "--server",
            &server.url(),
        ]
        .map(str::to_owned);
        let _ = run(words).ok();
        if n % 8 == 7 {
            let ran = run(["backup", "--data", text(&data), "--to", text(&to)]);
            if ran.code != Some(0) {
                let ran = ran.fails(FAILED);
                assert!(ran.stderr.contains("no_room"), "{ran}");
                assert!(row(verify_only(&to))["position"].as_u64() >= first["position"].as_u64());
                let _ = server.stop();
                return;
            }
        }
    }
    panic!("40 customers with long notes fit 128 KiB twice");
}

#[test]
fn a_member_on_nats_is_backed_up_as_a_folder_of_its_own() {
    let Some(nats) = NatsServer::start() else { return };
    let folder = data_folder();
    let at = |name: &str| folder.path().join(name);
    let mut options = ServerNats::new(vec![nats.url()], "main");
    options.max_mib = 64;
    let server = Server::start_on_nats(&at("member"), &options);
    commands(
        &server,
        &[
            "ledger create --ledger shop --currency EUR --test-clock 2026-01-05",
            "customer create --ledger shop --customer dupont --name Dupont --note regular",
        ],
    );
    let told = row(backup(&at("member"), &at("backup")));
    assert_eq!((&told["keys"], &told["result"]), (&1.into(), &"OK".into()));
    let _ = server.stop();
    let _ = row(restore(&at("backup"), &at("restored")));
    // It has no name of a node: it starts alone, where the servers are gone.
    let server = Server::start(&at("restored"));
    opens_details(&server);
    let _ = server.stop();
    assert_eq!(
        digest(&at("restored"), &told["position"]),
        digest(&at("member"), &told["position"])
    );
}
