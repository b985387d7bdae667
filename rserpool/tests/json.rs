//! What the program prints as JSON is what the schemas in `schemas/` say, command by command.

#[allow(dead_code)]
mod support;

use serde_json::Value;
use support::{Process, check, run, run_with};

#[test]
fn every_command_keeps_to_its_schema() {
    let registrar = Process::start_registrar("127.0.0.1:0", "0x1", &["--json"]);
    let listening = check("registrar", &registrar.line());
    let a = listening["bind"].as_str().unwrap().to_string();
    let (_second, b) = Process::registrar_at("127.0.0.1:0", "0x2", &["--peer", &a]);
    let both = format!("{a},{b}");
    let policy = ["--policy", "LeastUsedDegradation:0.25:load=0.5", "--json"];
    let start = |id: &str| Process::start_element("echo", &both, &[&["--id", id][..], &policy].concat());
    let element = start("0x2001");
    let registered = check("serve", &element.line());
    assert!(registered["home"].is_null(), "not known before its first keep-alive: {registered}");
    let _other = start("0x2002");

    let resolve = ["resolve", "EchoPool", "--registrar", &a, "--preset", "fast", "--json"];
    support::until(|| check_if_ok("resolve", &run(&resolve)).is_some_and(|pool| two_elements(&pool)));
    let pools = ["pools", "--registrar", &a, "--json"];
    support::until(|| check_if_ok("pools", &run(&pools)).is_some_and(|all| two_elements(&all["pools"][0])));
    check("stats", &run(&["stats", "--registrar", &a, "--json"]).stdout);
    check("health", &run(&["health", "--registrar", &a, "--json"]).stdout);
    check("policies", &run(&["policies", "--json"]).stdout);
    let message = ["decode", "--protocol", "asap", "05000010", "0009000c", "4563686f506f6f6c", "--json"];
    check("decode", &run(&message).stdout);
    let bench = ["bench", "--registrar", &a, "--elements", "2", "--seconds", "1", "--json"];
    check("bench", &run(&bench).stdout);
    for mode in ["register", "session"] {
        check("bench", &run(&[&bench[..], &["--mode", mode]].concat()).stdout);
    }
    for command in ["pools", "stats", "health", "resolve EchoPool", "connect EchoPool", "serve echo"] {
        let command: Vec<&str> =
            command.split(' ').chain(["--registrar", &a, "--validate", "--json"]).collect();
        check("validate", &run(&command).stdout);
    }

    let mut talk = Process::start(&["connect", "EchoPool", "--registrar", &a, "--preset", "fast", "--json"]);
    talk.write("one\n");
    let used = check("connect", &talk.line())["element"].clone();
    check("connect", &talk.line());
    let watch = Process::start(&["watch", "EchoPool", "--registrar", &b, "--preset", "fast", "--json"]);
    assert!(two_elements(&check("watch", &watch.line())["pool"]));
    let used = if used == "0x2001" { element } else { _other };
    drop(used);
    let changed = check("watch", &watch.line());
    assert_eq!(changed["pool"]["elements"].as_array().map(Vec::len), Some(1), "{changed}");
    let nobody = Process::start(&["watch", "NoPool", "--registrar", &a, "--preset", "fast", "--json"]);
    assert_eq!(check("watch", &nobody.line())["event"], "gone");
    talk.write("two\n");
    let events: Vec<Value> = (0..3).map(|_| check("connect", &talk.line())).collect();
    assert_eq!(events[2]["event"], "answer", "{events:?}");
}

fn check_if_ok(schema: &str, outcome: &support::Outcome) -> Option<Value> {
    (outcome.code == Some(0)).then(|| check(schema, &outcome.stdout))
}

fn two_elements(pool: &Value) -> bool {
    pool["elements"].as_array().is_some_and(|elements| elements.len() == 2)
}

/// A program that reads JSON can read failures, too.
#[test]
fn failures_are_json_if_it_is_asked_for() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = socket.local_addr().unwrap().to_string();
    let (_registrar, address) = Process::registrar(&[]);
    let both = format!("{silent},{address}");
    let warned = run(&["stats", "--registrar", &both, "--json"]);
    assert_eq!(warned.code, Some(0), "{}", warned.stderr);
    let warning = check("warning", warned.stderr.trim_end());
    assert_eq!(warning["warning"], format!("registrar {silent}/9901 has not answered"));
    let cases: [(&[&str], i32); 6] = [
        (&["health", "--registrar", &silent, "--timeout", "200ms", "--json"], 2),
        (&["pools", "--registrar", &silent, "--timeout", "200ms", "--json"], 2),
        (&["stats", "--json", "--regstrar", &silent], 64),
        (&["registrar", "--json", "--max-pools", "0"], 64),
        (&["registrar", "--log", "json", "--bind", &silent], 1),
        (&["decode", "--json", "--protocol", "asap", "05"], 1),
    ];
    for (arguments, code) in cases {
        let outcome = run(arguments);
        assert_eq!(outcome.code, Some(code), "{arguments:?}: {}", outcome.stderr);
        let error = check("error", outcome.stderr.trim_end());
        assert_eq!(error["exit_code"], code);
    }
}

/// What `pools` says of a pool leads `resolve` to that pool, whatever its name is.
#[test]
fn handles_are_told_as_they_are() {
    let (_registrar, address) = Process::registrar(&[]);
    let names = ["two\nlines", "two\\nlines", "e\u{1b}[31mred"];
    let _elements: Vec<Process> = names
        .iter()
        .zip(1..)
        .map(|(name, id)| {
            let id = format!("0x{id}");
            let element = Process::start_element("echo", &address, &["--pool", name, "--id", &id]);
            element.line();
            element
        })
        .collect();
    let pools = check("pools", &run(&["pools", "--registrar", &address, "--json"]).stdout);
    for (name, id) in names.iter().zip(1..) {
        let listed = pools["pools"].as_array().unwrap().iter().find(|pool| pool["handle"] == *name);
        assert!(listed.is_some(), "{name:?} in {pools}");
        let resolved = run(&["resolve", name, "--registrar", &address, "--preset", "fast", "--json"]);
        let resolved = check("resolve", &resolved.stdout);
        assert_eq!(resolved["elements"][0]["id"], format!("0x{id}"));
    }
    // Tables are for people at terminals, which obey control characters.
    let table = run_with(&["pools", "--registrar", &address], "", &[]).stdout;
    assert!(!table.contains('\u{1b}') && table.contains("two\\nlines"), "{table}");
}
