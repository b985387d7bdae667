//! `rserpool attach`: servers that know nothing of pools are in them.

#![allow(clippy::unwrap_used, reason = "only tests use this")]

#[allow(dead_code)]
mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::{PATIENCE, Process, check, run};

/// The next event of this kind; none of the kinds that may not come before it.
fn next(process: &Process, kind: &str) -> Value {
    loop {
        let event = check("attach", &process.line());
        if event["event"] == kind {
            return event;
        }
    }
}

/// The elements of a pool that a registrar lists.
fn listed(registrar: &str, pool: &str) -> Vec<Value> {
    let outcome = run(&["resolve", pool, "--registrar", registrar, "--preset", "fast", "--json"]);
    match outcome.code {
        Some(0) => check("resolve", &outcome.stdout)["elements"].as_array().unwrap().clone(),
        _ => Vec::new(),
    }
}

const FAST: [&str; 6] = ["--preset", "fast", "--check-interval", "50ms", "--check-timeout", "10s"];

/// Each backend of one process is in its pool while it is healthy, with its own address.
#[test]
fn several_backends_come_and_go() {
    let (_registrar, at) = Process::registrar(&[]);
    // An address of its own: nobody else is to get the port when it is free.
    let (web, db) = (TcpListener::bind("127.0.0.2:0").unwrap(), TcpListener::bind("127.0.0.2:0").unwrap());
    let (web_at, db_at) = (web.local_addr().unwrap(), db.local_addr().unwrap());
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    let text = format!(
        "registrar = \"{at}\"\npool = \"Web\"\nbackend = [\"{web_at}\", \"{db_at} pool=Db id=0x11 policy=Priority:7\"]\n"
    );
    std::fs::write(file.path(), text).unwrap();
    let config = file.path().to_str().unwrap();
    let attach =
        Process::start(&[&["attach", "--config", config, "--drain", "0s", "--json"], &FAST[..]].concat());
    next(&attach, "registered");
    next(&attach, "registered");
    let in_db = listed(&at, "Db");
    assert_eq!((in_db.len(), &in_db[0]["id"]), (1, &Value::from("0x11")), "{in_db:?}");
    assert!(in_db[0].to_string().contains(&db_at.port().to_string()), "{in_db:?}");
    drop(web);
    assert_eq!(next(&attach, "failed")["backend"], web_at.to_string());
    next(&attach, "left");
    assert_eq!((listed(&at, "Web").len(), listed(&at, "Db").len()), (0, 1));
    assert_eq!(attach.terminate().code, Some(0));
    assert!(listed(&at, "Db").is_empty());
}

/// SIGTERM: the pool first, then the connections, then the command.
#[test]
fn it_leaves_drains_and_ends_its_command() {
    let (_registrar, at) = Process::registrar(&[]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let web_at = listener.local_addr().unwrap().to_string();
    let backend = format!("{web_at} check=none");
    let folder = tempfile::tempdir().unwrap();
    let note = folder.path().join("ended");
    let script = format!("trap 'echo ended > {}; exit' TERM; while :; do sleep 0.05; done", note.display());
    let flags = ["attach", "--pool", "Web", "--backend", &backend, "--registrar", &at, "--json"];
    let attach = Process::start(&[&flags, &FAST[..], &["--", "sh", "-c", &script]].concat());
    let mut client = TcpStream::connect(&web_at).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    next(&attach, "registered");
    attach.signal(Signal::SIGTERM);
    next(&attach, "left");
    assert!(listed(&at, "Web").is_empty());
    assert_eq!(next(&attach, "draining")["connections"], 1);
    // A transfer that has begun comes to its end.
    server.write_all(b"the end").unwrap();
    let mut octets = [0; 7];
    client.read_exact(&mut octets).unwrap();
    assert!(!note.exists());
    drop((client, server));
    assert_eq!(next(&attach, "drained")["connections"], 0);
    assert_eq!(attach.finish().code, Some(0));
    assert!(note.exists());
}

/// A command that dies takes its backend out of the pool at once, and is started again.
#[test]
fn a_command_that_dies_is_started_again() {
    let (_registrar, at) = Process::registrar(&[]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let backend = format!("{} check=none", listener.local_addr().unwrap());
    let flags = ["attach", "--pool", "Web", "--backend", &backend, "--registrar", &at, "--json"];
    // Its checks alone would not notice for an hour.
    let slow = ["--preset", "fast", "--check-interval", "1h", "--drain", "0s"];
    let attach = Process::start(&[&flags, &slow[..], &["--", "sleep", "1000"]].concat());
    let process = next(&attach, "command_started")["process"].as_i64().unwrap();
    next(&attach, "registered");
    kill(Pid::from_raw(process.try_into().unwrap()), Signal::SIGKILL).unwrap();
    let ended = next(&attach, "command_ended");
    assert_eq!(ended["status"], "signal: 9 (SIGKILL)");
    next(&attach, "left");
    next(&attach, "command_started");
    next(&attach, "registered");
    let begin = Instant::now();
    assert_eq!(attach.terminate().code, Some(0));
    assert!(begin.elapsed() < PATIENCE);
}

#[test]
fn what_is_wrong_is_one_line_and_64() {
    let wrong = |arguments: &[&str]| {
        let outcome = run(&[&["attach", "--registrar", "127.0.0.1:1"], arguments].concat());
        assert_eq!(outcome.code, Some(64), "{}", outcome.stderr);
        assert_eq!(outcome.stderr.trim_end().lines().count(), 1, "{}", outcome.stderr);
        outcome.stderr
    };
    assert!(wrong(&[]).contains("backend: name at least one"));
    assert!(
        wrong(&["--backend", "127.0.0.1:80"]).contains("pool: that of the backend 127.0.0.1:80 is not known")
    );
    let named = ["--pool", "Web", "--backend", "localhost:80"];
    assert!(wrong(&named).contains("--backend: \"localhost:80\" is no address of a server"));
    let unknown = ["--pool", "Web", "--backend", "127.0.0.1:80", "--check", "ftp"];
    assert!(wrong(&unknown).contains("--check: \"ftp\" is no check: write none, tcp,"));
    let none = ["attach", "--registrar", "127.0.0.1:1", "--pool", "Web", "--backend", "127.0.0.1:80"];
    let outcome = run(&[&none[..], &["--", "/no/such/command"]].concat());
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("cannot start /no/such/command"), "{}", outcome.stderr);
    let valid = run(&[&none[..], &["--validate", "--json"]].concat());
    assert_eq!(check("validate", &valid.stdout)["valid"], true);
}
