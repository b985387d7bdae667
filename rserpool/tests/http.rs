//! Metrics and health over HTTP, asked for as Prometheus, a container and somebody with bad intentions would.

#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, reason = "only tests use this")]

#[allow(dead_code)]
mod support;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use support::{PATIENCE, Process, check, run, until};

/// Sends octets and reads until the other side closes.
fn exchange(at: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Who is hung up on may see a reset instead of the end.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

/// The status and the content at this path.
fn get(at: SocketAddr, path: &str) -> (u16, String) {
    let answer = exchange(at, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
    let (head, content) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), content.into())
}

/// The value of each series.
fn metrics(at: SocketAddr) -> BTreeMap<String, f64> {
    let (status, content) = get(at, "/metrics");
    assert_eq!(status, 200);
    assert!(content.ends_with("# EOF\n"), "{content}");
    let series = content.lines().filter(|line| !line.starts_with('#'));
    series
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name.into(), value.parse().unwrap()))
        .collect()
}

/// Where it says that it listens.
fn address(schema: &str, process: &Process) -> SocketAddr {
    let line = check(schema, &process.line());
    assert_eq!(line["event"], "observable", "{line}");
    line["http"].as_str().unwrap().parse().unwrap()
}

#[test]
fn a_registrar_and_an_element_tell_how_they_are() {
    let (registrar, registrar_at) = Process::registrar(&["--json", "--http", "127.0.0.1:0"]);
    let at = address("registrar", &registrar);
    let element =
        Process::start_element("echo", &registrar_at, &["--json", "--id", "0x2001", "--http", "127.0.0.1:0"]);
    let element_at = address("serve", &element);
    until(|| get(element_at, "/readyz").0 == 200);
    let (_, how) = get(element_at, "/readyz");
    assert!(how.starts_with("element 0x2001 is registered"), "{how}");
    until(|| metrics(at).get("rserpool_pool_own_elements{pool=\"EchoPool\"}") == Some(&1.0));

    let of_registrar = metrics(at);
    for (name, value) in [
        ("rserpool_registrar_info{id=\"0x1\"}", 1.0),
        ("rserpool_registrar_state{state=\"serving\"}", 1.0),
        ("rserpool_registrar_state{state=\"leaving\"}", 0.0),
        ("rserpool_registrar_registrations_total", 1.0),
        ("rserpool_registrar_elements", 1.0),
        ("rserpool_pool_elements{pool=\"EchoPool\"}", 1.0),
        ("rserpool_pools_not_shown", 0.0),
    ] {
        assert_eq!(of_registrar.get(name), Some(&value), "{name}");
    }
    assert!(of_registrar["rserpool_registrar_sctp_datagrams_received_total"] > 0.0);
    for name in ["process_resident_memory_bytes", "process_start_time_seconds", "process_open_fds"] {
        assert!(of_registrar[name] > 0.0, "{name}");
    }
    let of_element = metrics(element_at);
    assert_eq!(of_element["rserpool_element_registered"], 1.0);
    assert_eq!(of_element["rserpool_element_info{id=\"0x2001\"}"], 1.0);

    assert_eq!(get(at, "/livez"), (200, "the event loop answers\n".into()));
    let (status, how) = get(at, "/readyz");
    assert!(
        status == 200 && how.starts_with("registrar 0x1 (version ") && how.contains("is serving"),
        "{how}"
    );
}

#[test]
fn an_element_that_finds_no_registrar_is_alive_and_not_ready() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let registrar = silent.local_addr().unwrap().to_string();
    let arguments = ["--json", "--id", "0x2001", "--http", "127.0.0.1:0"];
    let element = Process::start_element("echo", &registrar, &arguments);
    let at = address("serve", &element);
    assert_eq!(get(at, "/livez").0, 200);
    let (status, why) = get(at, "/readyz");
    assert!(status == 503 && why.starts_with("element 0x2001 is not registered"), "{status} {why}");
}

#[test]
fn a_registrar_that_seeks_its_peers_is_alive_and_not_ready() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let peer = silent.local_addr().unwrap().to_string();
    let arguments = [
        "--json",
        "--http",
        "127.0.0.1:0",
        "--peer",
        &peer,
        "--mentor-timeout",
        "1h",
        "--join-timeout",
        "1h",
    ];
    let (registrar, _) = Process::registrar(&arguments);
    let at = address("registrar", &registrar);
    assert_eq!(get(at, "/livez").0, 200);
    let (status, why) = get(at, "/readyz");
    assert!(status == 503 && why.contains("is starting: "), "{status} {why}");
}

#[test]
fn bad_clients_hold_nobody_up() {
    let (registrar, _) = Process::registrar(&["--json", "--http", "127.0.0.1:0"]);
    let at = address("registrar", &registrar);
    for path in ["/../../etc/passwd", "/metrics/..%2f..%2fetc/passwd", "/METRICS", "//livez"] {
        assert_eq!(get(at, path).0, 404, "{path}");
    }
    assert!(
        exchange(at, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            .starts_with("HTTP/1.1 405 ")
    );
    assert!(exchange(at, "nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    assert!(!exchange(at, &long).starts_with("HTTP/1.1 200 "));
    // All places are taken by clients that say nothing: further ones are hung up on, and those lose their places.
    let idle: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(at).unwrap()).collect();
    until(|| exchange(at, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 200 "));
    drop(idle);
}

#[test]
fn a_port_in_use_is_one_clear_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    let outcome = run(&["registrar", "--bind", "127.0.0.1:0", "--announce", "no", "--http", &at]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains(&format!("http: {at}: Address already in use")), "{}", outcome.stderr);
    let outcome = run(&["registrar", "--http", "localhost"]);
    assert_eq!(outcome.code, Some(64));
    assert!(outcome.stderr.contains("write IP, IP:TCP-PORT or [IPv6]:TCP-PORT"), "{}", outcome.stderr);
}
