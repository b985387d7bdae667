//! Automatic configuration: nobody is told an address, on loopback and on a network of its own.
//!
//! Every test has a group of its own, so that tests, and whatever else runs here, do not meet.

#![allow(clippy::unwrap_used, reason = "only tests use this")]

#[allow(dead_code)]
mod support;

use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{PATIENCE, Process, run};

/// A group with a port that nobody uses now.
fn group() -> String {
    let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    format!("239.255.77.1:{port}")
}

/// Runs `pools` until it lists so many serving registrars whose copies agree.
fn await_registrars(run: impl Fn() -> support::Outcome, expected: &[&str]) {
    let begin = Instant::now();
    loop {
        let outcome = run();
        let pools: Value = serde_json::from_str(&outcome.stdout).unwrap_or(Value::Null);
        let registrars = pools["registrars"].as_array().into_iter().flatten();
        let serving = registrars.filter(|registrar| registrar["state"] == "serving");
        let serving: Vec<&str> = serving.filter_map(|registrar| registrar["id"].as_str()).collect();
        if outcome.code == Some(0) && serving == expected {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "{outcome:?}");
    }
}

/// ASAP-3.6-01, ASAP-3.6-03
#[test]
fn elements_and_users_find_a_registrar_that_is_bound_to_loopback() {
    let group = group();
    let listen = ["--announce-group", &group, "--preset", "fast"];
    let registrar = Process::start(&[
        "registrar",
        "--bind",
        "127.0.0.1:0",
        "--id",
        "0x1",
        "--preset",
        "fast",
        "--announce-group",
        &group,
    ]);
    assert!(registrar.line().starts_with("registrar 0x1 listens on UDP 127.0.0.1:"));
    let mut arguments = vec!["serve", "echo", "--id", "0x2001", "--bind", "127.0.0.1:0"];
    arguments.extend(listen);
    let element = Process::start(&arguments);
    assert!(element.line().starts_with("element 0x2001 on UDP 127.0.0.1:"));

    for command in [vec!["resolve", "EchoPool"], vec!["connect", "EchoPool"], vec!["pools"], vec!["stats"]] {
        let outcome = run(&[&command[..], &listen, &["--bind", "127.0.0.1:0"]].concat());
        assert_eq!(outcome.code, Some(0), "{command:?}: {}", outcome.stderr);
        // Bound to all addresses it hears what is announced on loopback, too.
        let outcome = run(&[&command[..], &listen].concat());
        assert_eq!(outcome.code, Some(0), "{command:?}: {}", outcome.stderr);
    }
    assert_eq!(element.terminate().code, Some(0));
    assert_eq!(registrar.terminate().code, Some(0));
}

#[test]
fn without_any_registrar_it_is_said_that_none_announces_itself() {
    let group = group();
    let listen =
        ["--announce-group", &group, "--preset", "fast", "--log-filter", "off", "--bind", "127.0.0.1:0"];
    for command in [vec!["resolve", "EchoPool", "--attempts", "1"], vec!["pools", "--timeout", "300ms"]] {
        let outcome = run(&[&command[..], &listen].concat());
        assert_eq!(outcome.code, Some(2));
        assert!(
            outcome.stderr.starts_with("rserpool: no registrar announces itself: name one"),
            "{outcome:?}"
        );
        assert_eq!(outcome.stderr.lines().count(), 1);
    }
}

/// Reading B22: an extension.
#[test]
fn registrars_find_each_other_by_multicast() {
    let group = group();
    let meet = ["--enrp-announce", "yes", "--enrp-announce-group", &group];
    let (_first, _) = Process::registrar_at("127.0.0.1:0", "0x1", &meet);
    let (_second, b) = Process::registrar_at("127.0.0.1:0", "0x2", &meet);
    await_registrars(|| run(&["pools", "--registrar", &b, "--preset", "fast", "--json"]), &["0x1", "0x2"]);
}

/// Two network namespaces, joined by a cable; removed at the end.
struct Lan(String);

impl Lan {
    /// `None` with the reason if this machine or this user can make none.
    fn new(name: &str) -> Result<Self, String> {
        let lan = Self(format!("rsp-{name}-{}", std::process::id()));
        let (a, b) = (lan.host("a"), lan.host("b"));
        ip(&["netns", "add", &a])?;
        ip(&["netns", "add", &b])?;
        ip(&["-n", &a, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", &b])?;
        for (host, v4, v6) in [(&a, "10.77.0.1/24", "fd77::1/64"), (&b, "10.77.0.2/24", "fd77::2/64")] {
            ip(&["-n", host, "link", "set", "lo", "up"])?;
            ip(&["-n", host, "address", "add", v4, "dev", "cable"])?;
            ip(&["-n", host, "address", "add", v6, "dev", "cable", "nodad"])?;
            ip(&["-n", host, "link", "set", "cable", "up"])?;
        }
        // The kernel takes a moment to notice that both ends are plugged in.
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            let states = [&a, &b].map(|host| ip(&["-n", host, "-brief", "link", "show", "cable"]));
            if states.into_iter().all(|state| state.is_ok_and(|line| line.contains(" UP "))) {
                return Ok(lan);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err("the cable stays down".into())
    }

    /// The name of one of its two hosts.
    fn host(&self, host: &str) -> String {
        format!("{}-{host}", self.0)
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for host in ["a", "b"] {
            let _ = ip(&["netns", "delete", &self.host(host)]);
        }
    }
}

fn ip(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("ip").args(arguments).output().map_err(|error| format!("ip: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => {
            Err(format!("ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
        }
    }
}

/// Two hosts on a cable, bound to all addresses, the standard groups, no setting but the preset.
fn just_works(name: &str, bind: &[&str], address: &str) {
    let lan = match Lan::new(name) {
        Ok(lan) => lan,
        Err(reason) => return eprintln!("skipped: no network namespaces here: {reason}"),
    };
    let (a, b) = (lan.host("a"), lan.host("b"));
    let all = |command: &[&'static str]| [command, bind, &["--preset", "fast"]].concat();
    let first = Process::start_in(&a, &all(&["registrar", "--id", "0x1", "--enrp-announce"]));
    assert!(first.line().starts_with("registrar 0x1 listens"));
    let second = Process::start_in(&b, &all(&["registrar", "--id", "0x2", "--enrp-announce"]));
    assert!(second.line().starts_with("registrar 0x2 listens"));
    let free: Vec<String> = bind.iter().map(|word| word.replace(":9899", ":0")).collect();
    let free: Vec<&str> = free.iter().map(String::as_str).collect();
    let user = |command: &[&'static str]| [command, &free, &["--preset", "fast"]].concat();
    let element = Process::start_in(&b, &user(&["serve", "echo", "--id", "0x2001"]));
    assert!(element.line().starts_with("element 0x2001 on UDP "));

    let pools = || Process::start_in(&a, &user(&["pools", "--json"])).finish();
    await_registrars(pools, &["0x1", "0x2"]);
    let resolved = Process::start_in(&a, &user(&["resolve", "EchoPool"])).finish();
    assert_eq!(resolved.code, Some(0), "{}", resolved.stderr);
    assert!(resolved.stdout.contains(address), "{}", resolved.stdout);
    let mut talk = Process::start_in(&a, &user(&["connect", "EchoPool"]));
    talk.write("hello\n");
    assert_eq!(talk.finish().stdout, "0x2001: hello\n");
}

/// ASAP-3.6-01, ASAP-3.6-03
#[test]
fn two_hosts_on_a_lan_need_no_addresses() {
    just_works("v4", &[], "10.77.0.2");
}

/// ASAP-3.6-01 over IPv6: FF05::133 (RFC 5352 section 8.4).
#[test]
fn two_hosts_on_a_lan_need_no_addresses_over_ipv6() {
    just_works("v6", &["--bind", "[::]:9899"], "fd77::2");
}
