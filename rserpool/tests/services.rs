//! The services of the program, with elements that die.

#[allow(dead_code)]
mod support;

use serde_json::Value;
use support::{Process, check, run, until};

/// Two elements with this service, and how long they have to be listed for.
fn two(service: &str, pool: &str, address: &str, more: &[&str]) -> Vec<Process> {
    let start = |id| {
        let element = Process::start_element(service, address, &[&["--id", id], more].concat());
        element.line();
        element
    };
    let elements = vec![start("0x1"), start("0x2")];
    until(|| {
        let listed = run(&["resolve", pool, "--registrar", address, "--preset", "fast", "--json"]);
        listed.code == Some(0)
            && check("resolve", &listed.stdout)["elements"].as_array().is_some_and(|both| both.len() == 2)
    });
    elements
}

/// The element that is used dies; the numbers go on where they were.
#[test]
fn ping_pong_goes_on_where_its_element_died() {
    let (_registrar, address) = Process::registrar(&[]);
    let mut elements = two("pingpong", "PingPongPool", &address, &[]);
    let play =
        ["pingpong", "--registrar", &address, "--preset", "fast", "--interval", "10ms", "--seconds", "4"];
    let player = Process::start(&[&play[..], &["--json"]].concat());
    let pong = check("pingpong", &player.line());
    assert_eq!((&pong["event"], &pong["message"], &pong["reply"]), (&"pong".into(), &0.into(), &1.into()));
    let used = if pong["element"] == "0x1" { 0 } else { 1 };
    drop(elements.remove(used));
    let outcome = player.finish();
    assert_eq!(outcome.code, Some(0), "{} {}", outcome.stdout, outcome.stderr);
    let events: Vec<Value> = outcome.stdout.lines().map(|line| check("pingpong", line)).collect();
    let replies: Vec<u64> = events.iter().filter_map(|event| event["reply"].as_u64()).collect();
    assert!(replies.windows(2).all(|pair| pair[0] < pair[1]), "{replies:?}");
    let failovers: Vec<&Value> = events.iter().filter(|event| event["event"] == "failover").collect();
    assert!(failovers.len() == 1 && failovers[0]["cookie_echoed"] == true, "{failovers:?}");
    let sum = events.last().unwrap();
    assert_eq!((&sum["event"], &sum["lost"], &sum["went_back"]), (&"summary".into(), &0.into(), &0.into()));
    assert_eq!(sum["sent"], sum["answered"]);
}

/// A job of a second goes on at the other element with what its cookie says.
#[test]
fn a_job_goes_on_where_its_element_died() {
    let (_registrar, address) = Process::registrar(&[]);
    let mut elements = two("calcapp", "CalcAppPool", &address, &["--policy", "LeastUsed"]);
    let work = ["calcapp", "--registrar", &address, "--preset", "fast", "--jobs", "1", "--size", "8000000"];
    let player = Process::start(&[&work[..], &["--json"]].concat());
    let accepted = check("calcapp", &player.line());
    assert_eq!(accepted["event"], "accepted");
    // Its first cookie comes after five million calculations: five seconds.
    std::thread::sleep(std::time::Duration::from_millis(5_500));
    drop(elements.remove(if accepted["element"] == "0x1" { 0 } else { 1 }));
    let outcome = player.finish();
    assert_eq!(outcome.code, Some(0), "{} {}", outcome.stdout, outcome.stderr);
    let events: Vec<Value> = outcome.stdout.lines().map(|line| check("calcapp", line)).collect();
    let named = |name| events.iter().find(|event| event["event"] == name).unwrap();
    assert_eq!(named("failover")["cookie_echoed"], true);
    let took = named("completed")["took_ms"].as_f64().unwrap();
    assert!((8_000.0..13_000.0).contains(&took), "from the cookie, not from the beginning: {took}");
}

#[test]
fn what_the_small_services_send() {
    let (_registrar, address) = Process::registrar(&[]);
    let talk = |service, pool| {
        let element = Process::start_element(service, &address, &["--id", "0x1"]);
        element.line();
        until(|| run(&["resolve", pool, "--registrar", &address, "--preset", "fast"]).code == Some(0));
        let mut talk =
            Process::start(&["connect", pool, "--registrar", &address, "--preset", "fast", "--json"]);
        talk.write("hello\n");
        check("connect", &talk.line());
        check("connect", &talk.line())["text"].as_str().unwrap().to_string()
    };
    assert!(talk("daytime", "DaytimePool").ends_with("Z\r\n"));
    let lines = talk("chargen", "CharGenPool");
    assert!(lines.starts_with(" !\"#$%&'()*+,-./0123456789:;<=>?@ABC") && lines.len() == 16 * 74, "{lines}");
}
