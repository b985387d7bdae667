//! Slow is not dead, and busy is not dead: what users see of servers that take long, or have no room.

#![allow(clippy::unwrap_used, reason = "only tests use this")]

#[allow(dead_code)]
mod support;

use serde_json::{Value, json};
use support::{Process, run, run_with};

fn events(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// An element that is registered, with the fast preset.
fn element(service: &str, registrar: &str, id: &str, more: &[&str]) -> Process {
    let element = Process::start_element(service, registrar, &[&["--id", id], more].concat());
    let line = element.line();
    assert!(line.contains("is registered at"), "{line}");
    element
}

fn figure(registrar: &str, name: &str) -> u64 {
    let outcome = run(&["stats", "--registrar", registrar, "--json"]);
    serde_json::from_str::<Value>(&outcome.stdout).unwrap()["counters"][name].as_u64().unwrap()
}

/// Requests that take longer than everything that decides about life and death with this preset: each is answered
/// once, by the element that got it, and nobody is reported.
#[test]
fn slow_requests_are_waited_for() {
    let (_registrar, address) = Process::registrar(&[]);
    let _elements = ["0x2001", "0x2002", "0x2003"].map(|id| element("sleep", &address, id, &[]));
    let arguments = ["connect", "EchoPool", "--registrar", &address, "--preset", "fast", "--json"];
    let outcome = run_with(&arguments, "1500ms slow\nfast\n", &[]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let told = events(&outcome.stdout);
    let serving = &told[0]["element"];
    let answer = |text: &str| json!({ "event": "answer", "element": serving, "text": text });
    assert_eq!(told[1..], [answer("fast"), answer("1500ms slow")]);
    assert_eq!(figure(&address, "unreachable_reports"), 0);
}

/// A request that is never answered ends at its deadline, and the element is not left for that.
#[test]
fn a_request_is_given_up_at_its_deadline() {
    let (_registrar, address) = Process::registrar(&[]);
    let _element = element("sleep", &address, "0x2001", &[]);
    let mut arguments = vec!["connect", "EchoPool", "--registrar", &address, "--preset", "fast", "--json"];
    arguments.extend(["--answer-deadline", "300ms"]);
    let outcome = run_with(&arguments, "1h sleep\n", &[]);
    let told = events(&outcome.stdout);
    assert_eq!(
        (told.len(), &told[1]["event"], &told[1]["text"]),
        (2, &json!("given_up"), &json!("1h sleep"))
    );
    let failure = support::check("error", &outcome.stderr);
    assert_eq!((outcome.code, &failure["error"]), (Some(1), &json!("one request was given up")));
}

/// One user more than an element takes: it is told so at once and reports nobody, and the first goes on.
#[test]
fn a_full_element_refuses_and_is_not_reported() {
    let (_registrar, address) = Process::registrar(&[]);
    let _element = element("echo", &address, "0x2001", &["--max-sessions", "1"]);
    let arguments = ["connect", "EchoPool", "--registrar", &address, "--preset", "fast", "--json"];
    let mut first = Process::start(&arguments);
    first.write("one\n");
    assert_eq!(events(&first.line())[0]["event"], "opened");
    assert_eq!(events(&first.line())[0]["text"], "one");
    let second = run_with(&arguments, "two\n", &[]);
    assert_eq!((second.code, &second.stdout[..]), (Some(1), ""), "{}", second.stderr);
    assert_eq!(figure(&address, "unreachable_reports"), 0);
    first.write("three\n");
    assert_eq!(events(&first.line())[0]["text"], "three");
    assert_eq!(first.finish().code, Some(0));
    // Now there is room.
    assert_eq!(run_with(&arguments, "two\n", &[]).code, Some(0));
}
