//! Several registrars as processes on loopback: what they share, and what remains when one dies.

#![allow(clippy::unwrap_used, reason = "only tests use this")]

#[allow(dead_code)]
mod support;

use std::time::Instant;

use nix::sys::signal::Signal;
use serde_json::Value;
use support::{PATIENCE, Process, run};

const ELEMENTS: [&str; 6] = ["0x2001", "0x2002", "0x2003", "0x2004", "0x2005", "0x2006"];

/// What `pools` says, with its exit code.
fn pools(registrar: &str) -> (Option<i32>, Value) {
    let outcome = run(&["pools", "--registrar", registrar, "--preset", "fast", "--json"]);
    (outcome.code, serde_json::from_str(&outcome.stdout).unwrap_or(Value::Null))
}

/// The homes of all elements that a registrar lists.
fn homes(pools: &Value) -> Vec<(String, String)> {
    let pools = pools["pools"].as_array().into_iter().flatten();
    let elements = pools.flat_map(|pool| pool["elements"].as_array().into_iter().flatten());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    elements.map(|element| (text(&element["id"]), text(&element["home"]))).collect()
}

/// Waits until this registrar says that exactly these registrars serve, that their copies agree, and
/// that every one of these elements has one of them as its home.
fn await_agreement(registrar: &str, registrars: &[&str], elements: &[&str]) -> Value {
    let begin = Instant::now();
    loop {
        let (code, pools) = pools(registrar);
        let listed: Vec<&str> = pools["registrars"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|registrar| registrar["state"] == "serving")
            .filter_map(|registrar| registrar["id"].as_str())
            .collect();
        let homes = homes(&pools);
        let at_home = homes.iter().all(|(_, home)| registrars.contains(&home.as_str()));
        let ids: Vec<&str> = homes.iter().map(|(id, _)| id.as_str()).collect();
        if code == Some(0) && listed == registrars && at_home && ids == elements {
            assert_eq!(pools["agree"], true);
            return pools;
        }
        assert!(begin.elapsed() < PATIENCE, "{registrar}: {code:?} {pools:#}");
    }
}

/// Elements that know all these registrars, and whose home is the first of them at the beginning.
fn elements(registrars: &[&str]) -> Vec<Process> {
    let registrars = registrars.join(",");
    let elements = ELEMENTS.map(|id| Process::start_element("echo", &registrars, &["--id", id]));
    elements.iter().for_each(|element| drop(element.line()));
    elements.into()
}

/// ENRP-3.2.2, ENRP-3.3.1, ENRP-3.5: no registrar is a single point of failure.
#[test]
fn three_registrars_share_one_handlespace_and_survive_each_other() {
    let (first, a) = Process::registrar_at("127.0.0.1:0", "0x1", &[]);
    let (second, b) = Process::registrar_at("127.0.0.1:0", "0x2", &["--peer", &a]);
    let (third, c) = Process::registrar_at("127.0.0.1:0", "0x3", &["--peer", &a, "--peer", &b]);
    await_agreement(&c, &["0x1", "0x2", "0x3"], &[]);
    let elements = elements(&[&a]);
    for registrar in [&a, &b, &c] {
        let pools = await_agreement(registrar, &["0x1", "0x2", "0x3"], &ELEMENTS);
        assert!(pools["differences"].as_array().unwrap().is_empty());
    }
    let stats = run(&["stats", "--registrar", &b, "--preset", "fast", "--json"]);
    let stats: Value = serde_json::from_str(&stats.stdout).unwrap();
    let peers: Vec<(&Value, &Value, &Value)> = stats["registrars"]
        .as_array()
        .unwrap()
        .iter()
        .map(|peer| (&peer["id"], &peer["state"], &peer["connected"]))
        .collect();
    let (active, yes) = (Value::from("active"), Value::from(true));
    assert_eq!(peers, [(&"0x1".into(), &active, &yes), (&"0x3".into(), &active, &yes)]);

    // The home of the elements dies; then it comes back under its identifier, and catches up.
    first.signal(Signal::SIGKILL);
    drop(first);
    for registrar in [&b, &c] {
        await_agreement(registrar, &["0x2", "0x3"], &ELEMENTS);
    }
    let (first, a) = Process::registrar_at(&a, "0x1", &["--peer", &b, "--peer", &c]);
    for registrar in [&a, &b, &c] {
        await_agreement(registrar, &["0x1", "0x2", "0x3"], &ELEMENTS);
    }

    // One leaves: its elements have another home at once, and nobody waits for it.
    assert_eq!(second.terminate().code, Some(0));
    let (_, left) = pools(&c);
    assert!(homes(&left).iter().all(|(_, home)| home != "0x2" && home != "0x0"), "{left:#}");
    for registrar in [&a, &c] {
        await_agreement(registrar, &["0x1", "0x3"], &ELEMENTS);
    }
    for element in elements {
        assert_eq!(element.terminate().code, Some(0));
    }
    for registrar in [&a, &c] {
        await_agreement(registrar, &["0x1", "0x3"], &[]);
    }
    assert_eq!(third.terminate().code, Some(0));
    assert_eq!(first.terminate().code, Some(0));
}

/// Reading B2: nobody else is there to acknowledge the takeover.
#[test]
fn two_registrars_are_enough_for_a_takeover() {
    let (first, a) = Process::registrar_at("127.0.0.1:0", "0x1", &[]);
    let (_second, b) = Process::registrar_at("127.0.0.1:0", "0x2", &["--peer", &a]);
    let _elements = elements(&[&a]);
    await_agreement(&b, &["0x1", "0x2"], &ELEMENTS);
    first.signal(Signal::SIGKILL);
    drop(first);
    await_agreement(&b, &["0x2"], &ELEMENTS);
    let table = run(&["pools", "--registrar", &b, "--preset", "fast"]);
    let lines: Vec<&str> = table.stdout.lines().take(2).collect();
    assert!(lines[0].starts_with("registrar 0x2 (") && lines[1].starts_with('┌'), "{}", table.stdout);
}

/// ENRP-3.5.1: a conversation goes on while the registrar of its element, and of its user, is killed.
#[test]
fn resolutions_never_fail_as_long_as_one_registrar_lives() {
    let (first, a) = Process::registrar_at("127.0.0.1:0", "0x1", &[]);
    let (_second, b) = Process::registrar_at("127.0.0.1:0", "0x2", &["--peer", &a]);
    let _elements = elements(&[&a, &b]);
    await_agreement(&b, &["0x1", "0x2"], &ELEMENTS);
    drop(first);
    let begin = Instant::now();
    while begin.elapsed().as_secs() < 2 {
        let both = format!("{a},{b}");
        let resolved = run(&["resolve", "EchoPool", "--registrar", &both, "--preset", "fast", "--json"]);
        assert_eq!(resolved.code, Some(0), "{}", resolved.stderr);
    }
}

/// ENRP-3.2.1: an identifier never changes; of two that have the same, the one that came stops.
#[test]
fn a_registrar_whose_identifier_is_taken_ends_with_a_clear_line() {
    let (first, a) = Process::registrar_at("127.0.0.1:0", "0x1", &[]);
    let same = ["--peer", &a, "--log-filter", "off"];
    let outcome = Process::start_registrar("127.0.0.1:0", "0x1", &same).finish();
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert_eq!(
        outcome.stderr,
        format!(
            "rserpool: id: the registrar at {a}/9901 also has the identifier 0x1: give each registrar its own\n"
        )
    );
    await_agreement(&a, &["0x1"], &[]);
    assert_eq!(first.terminate().code, Some(0));
}

/// ENRP-3.2.3: while a registrar looks for a mentor it shows nothing, and is said to be starting.
#[test]
fn a_registrar_that_starts_is_said_to_be_starting() {
    // A port on which nobody answers, because this test holds it.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    let (_starting, a) =
        Process::registrar_at("127.0.0.1:0", "0x1", &["--peer", &silent, "--mentor-timeout", "1h"]);
    let outcome = run(&["pools", "--registrar", &a, "--preset", "fast"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));
    assert!(
        outcome.stderr.starts_with(&format!("rserpool: registrar {a}/9901 refused: it is starting")),
        "{}",
        outcome.stderr
    );
}

/// A peer that is listed and does not answer is no disagreement.
#[test]
fn a_registrar_that_hangs_is_unreachable() {
    let slow = ["--max-time-last-heard", "1h"];
    let (first, a) = Process::registrar_at("127.0.0.1:0", "0x1", &slow);
    let (second, b) = Process::registrar_at("127.0.0.1:0", "0x2", &["--peer", &a, slow[0], slow[1]]);
    await_agreement(&a, &["0x1", "0x2"], &[]);
    second.signal(Signal::SIGSTOP);
    let outcome = run(&["pools", "--registrar", &a, "--timeout", "100ms"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let row = |line: &&str| line.contains("0x2") && line.contains(&b) && line.contains("unreachable");
    assert!(outcome.stdout.lines().any(|line| row(&line)), "{}", outcome.stdout);
    assert_eq!(outcome.stderr, format!("rserpool: registrar 0x2 at {b}/9901 has not answered\n"));
    second.signal(Signal::SIGCONT);
    await_agreement(&a, &["0x1", "0x2"], &[]);
    assert_eq!(first.terminate().code, Some(0));
}
