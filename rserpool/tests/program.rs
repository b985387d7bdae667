//! Every command of the program as somebody at a terminal uses it, errors included.

#[allow(dead_code)]
mod support;

use std::io::Write;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use support::{Process, check, run, run_with};

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Waits until the registrar lists these elements.
fn await_elements(registrar: &str, expected: &[&str]) {
    let begin = std::time::Instant::now();
    loop {
        let pools = json_of(&run(&["pools", "--registrar", registrar, "--json"]).stdout);
        let pools = pools["pools"].as_array().into_iter().flatten();
        let elements = pools.flat_map(|pool| pool["elements"].as_array().into_iter().flatten());
        let listed: Vec<&str> = elements.filter_map(|element| element["id"].as_str()).collect();
        if listed == expected {
            return;
        }
        assert!(begin.elapsed() < support::PATIENCE, "{listed:?} instead of {expected:?}");
    }
}

#[test]
fn the_six_commands_in_separate_processes() {
    let (registrar, address) = Process::registrar(&[]);
    let element = Process::element(&address, "0x2001");
    // The element is confirmed by its first keep-alive; before that it has no home to show.
    await_elements(&address, &["0x2001"]);

    let pools = run(&["pools", "--registrar", &address, "--json"]);
    let pools = json_of(&pools.stdout);
    let udp_port = &pools["pools"][0]["elements"][0]["transports"][0]["udp_port"];
    assert!(udp_port.as_u64().is_some_and(|port| port > 0), "{pools}");
    let pool = json!({
        "handle": "EchoPool", "policy": "RoundRobin", "elements": [{
            "id": "0x2001", "home": "0x1", "life_s": 300, "policy": { "type": "RoundRobin" },
            "transports": [{
                "protocol": "sctp", "addresses": ["127.0.0.1"], "port": 7, "udp_port": udp_port, "control": true,
            }],
        }],
    });
    let own_port: u16 = address.rsplit(':').next().unwrap().parse().unwrap();
    let listed = json!({
        "id": "0x1", "state": "serving", "addresses": ["127.0.0.1"], "port": 9901, "udp_port": own_port,
        "own_elements": 1, "checksum": pools["registrars"][0]["checksum"], "elements": 1,
    });
    let expected = json!({
        "registrar": "0x1", "agree": true, "registrars": [listed], "differences": [], "pools": [pool],
    });
    assert_eq!(pools, expected);
    assert_ne!(listed["checksum"], "0xffff");
    let resolved = run(&["resolve", "EchoPool", "--registrar", &address, "--items", "1", "--json"]);
    assert_eq!((resolved.code, json_of(&resolved.stdout)), (Some(0), pool));

    let table = run(&["pools", "--registrar", &address]).stdout;
    // Who answers is said in the same words by the tools that ask.
    let heads = ["pools", "stats", "health"].map(|command| {
        let said = run(&[command, "--registrar", &address]).stdout;
        said.lines().next().unwrap_or_default().rsplit_once(" ago").map(|(head, _)| head.to_string()).unwrap()
    });
    let head = concat!("registrar 0x1 (version ", env!("CARGO_PKG_VERSION"), ") is serving: ");
    let same = |said: &String| {
        said.starts_with(head) && said.contains("no other registrar is connected; it was started")
    };
    assert!(heads.iter().all(same), "{heads:?}");
    let row = format!("127.0.0.1:{udp_port} sctp port 7");
    assert!(table.lines().any(|line| line.contains("0x2001") && line.contains(&row)), "{table}");

    let talk = run_with(&["connect", "EchoPool", "--registrar", &address], "hello\nworld\nhello\n", &[]);
    assert_eq!(talk.code, Some(0), "{}", talk.stderr);
    assert_eq!(talk.stdout, "0x2001: hello\n0x2001: world\n0x2001: hello\n");
    let talk = run_with(&["connect", "EchoPool", "--registrar", &address, "--json"], "hello\n", &[]);
    assert_eq!(
        talk.stdout.lines().map(json_of).collect::<Vec<_>>(),
        [
            json!({ "event": "opened", "element": "0x2001" }),
            json!({ "event": "answer", "element": "0x2001", "text": "hello" }),
        ]
    );

    let stats = json_of(&run(&["stats", "--registrar", &address, "--json"]).stdout);
    let (gauges, counters) = (&stats["gauges"], &stats["counters"]);
    assert_eq!(
        (&counters["registrations"], &gauges["elements"], &counters["malformed"]),
        (&1.into(), &1.into(), &0.into())
    );
    assert_eq!((&stats["registrar"]["id"], &stats["registrar"]["state"]), (&"0x1".into(), &"serving".into()));
    let text = run(&["stats", "--registrar", &address, "--explain"]).stdout;
    assert!(text.starts_with("registrar 0x1 (version "), "{text}");
    assert!(
        text.contains("\nreregistrations  ") && text.contains("Elements whose home this registrar is"),
        "{text}"
    );
    assert!(!text.contains("not known here"), "{text}");

    assert_eq!(element.terminate().code, Some(0));
    await_elements(&address, &[]);
    let empty = run(&["pools", "--registrar", &address]).stdout;
    assert!(empty.lines().count() == 2 && empty.ends_with(" ago\nno pools\n"), "{empty}");
    assert_eq!(registrar.terminate().code, Some(0));
}

#[test]
fn a_conversation_moves_on_when_its_element_dies() {
    let (_registrar, address) = Process::registrar(&[]);
    let mut elements: Vec<(&str, Process)> =
        ["0x2001", "0x2002"].map(|id| (id, Process::element(&address, id))).into();
    let mut talk =
        Process::start(&["connect", "EchoPool", "--registrar", &address, "--preset", "fast", "--json"]);
    talk.write("one\n");
    let first = json_of(&talk.line())["element"].as_str().unwrap().to_string();
    assert_eq!(json_of(&talk.line()), json!({ "event": "answer", "element": first, "text": "one" }));

    let place = elements.iter().position(|(id, _)| *id == first).unwrap();
    elements.remove(place).1.signal(Signal::SIGKILL);
    let second = elements[0].0;
    talk.write("two\n");
    assert_eq!(json_of(&talk.line())["event"], "element_failed");
    assert_eq!(
        json_of(&talk.line()),
        json!({ "event": "failover", "from": first, "to": second, "resent": 1 })
    );
    assert_eq!(json_of(&talk.line()), json!({ "event": "answer", "element": second, "text": "two" }));
    assert_eq!(talk.finish().code, Some(0));
}

#[test]
fn an_element_that_was_killed_gets_back_in_with_its_identifier() {
    let (_registrar, address) = Process::registrar(&[]);
    drop(Process::element(&address, "0x2001"));
    let again = Process::element(&address, "0x2001");
    await_elements(&address, &["0x2001"]);
    assert_eq!(again.terminate().code, Some(0));
}

/// A frozen element answers nothing, but nobody waits for it longer than the 2 s.
#[test]
fn a_registrar_ends_although_an_element_hangs() {
    let (registrar, address) = Process::registrar(&["--keep-alive-interval", "1h"]);
    let element = Process::element(&address, "0x2001");
    element.signal(Signal::SIGSTOP);
    assert_eq!(registrar.terminate().code, Some(0));
}

#[test]
fn an_element_ends_although_its_registrar_is_gone() {
    let (registrar, address) = Process::registrar(&[]);
    let element = Process::element(&address, "0x2001");
    drop(registrar);
    assert_eq!(element.terminate().code, Some(0));
}

#[test]
fn ipv6_in_brackets() {
    if std::net::UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("skipped: this machine has no IPv6");
        return;
    }
    let registrar = Process::start(&["registrar", "--bind", "[::1]:0", "--id", "17", "--preset", "fast"]);
    let line = registrar.line();
    let address = line.strip_prefix("registrar 0x11 listens on UDP ").unwrap();
    // Bound to all addresses, the element registers the one by which it reaches the registrar.
    let element =
        Process::start(&["serve", "echo", "--registrar", address, "--id", "0x2001", "--preset", "fast"]);
    assert!(element.line().starts_with("element 0x2001 on UDP [::]:"));
    let talk = run_with(&["connect", "EchoPool", "--registrar", address], "hello\n", &[]);
    assert_eq!((talk.code, talk.stdout.as_str()), (Some(0), "0x2001: hello\n"), "{}", talk.stderr);
}

/// What can never be reached is said at the start, and so is an address that is not the element's own.
#[test]
fn addresses_that_cannot_be_met_are_refused() {
    let bound = ["--bind", "127.0.0.1:20001", "--validate"];
    let refused = |command: &[&str]| {
        let outcome = run(&[command, &bound].concat());
        assert_eq!(outcome.code, Some(64), "{command:?}: {}", outcome.stderr);
        outcome.stderr
    };
    let family = "rserpool: nothing can be sent from 127.0.0.1:20001 to [::1]:20002: \
                  bind to an address of the same family, or to [::], which reaches IPv4 and IPv6\n";
    assert_eq!(refused(&["serve", "echo", "--registrar", "[::1]:20002"]), family);
    assert_eq!(refused(&["registrar", "--peer", "[::1]:20002"]), family);
    let foreign = refused(&["serve", "echo", "--registrar", "127.0.0.1:20002", "--address", "192.0.2.77"]);
    assert_eq!(
        foreign,
        "rserpool: addresses: 192.0.2.77 is not an address to which the element is bound (127.0.0.1:20001). \
         If it is that of a translator (NAT), say so with foreign-addresses\n"
    );
}

/// The other one may be an earlier process of the same element that is not given up yet: `serve` waits for its
/// place and serves then.
#[test]
fn an_element_whose_identifier_is_taken_tries_again() {
    let (_registrar, address) = Process::registrar(&[]);
    let first = Process::element(&address, "0x2001");
    let second = Process::start_element("echo", &address, &["--id", "0x2001"]);
    second.error_with("another element with this identifier is alive");
    assert_eq!(first.terminate().code, Some(0));
    assert!(second.line().starts_with("element 0x2001 on UDP 127.0.0.1:"));
    assert_eq!(second.terminate().code, Some(0));
}

/// ASAP-2.1-02, ASAP-3.3-10: users ask over TCP; everybody else is told to take SCTP.
#[test]
fn users_may_ask_over_tcp() {
    let registrar = Process::start_registrar("127.0.0.1:0", "0x1", &["--tcp", "127.0.0.1:0"]);
    let line = registrar.line();
    let places = line.strip_prefix("registrar 0x1 listens on UDP ").unwrap_or_else(|| panic!("{line}"));
    let (udp, tcp) = places.split_once(" and TCP ").unwrap_or_else(|| panic!("{line}"));
    let by_tcp = format!("tcp:{tcp}");
    let _element = Process::element(udp, "0x2001");

    let resolved = run(&["resolve", "EchoPool", "--registrar", &by_tcp, "--json"]);
    assert_eq!(json_of(&resolved.stdout)["elements"][0]["id"], "0x2001", "{}", resolved.stderr);
    let talk = run_with(&["connect", "EchoPool", "--registrar", &by_tcp], "hello\n", &[]);
    assert_eq!((talk.code, talk.stdout.as_str()), (Some(0), "0x2001: hello\n"), "{}", talk.stderr);
    let unknown = run(&["resolve", "NoSuchPool", "--registrar", &by_tcp]);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.starts_with("rserpool: unknown pool \"NoSuchPool\""), "{}", unknown.stderr);

    for command in [
        &["serve", "echo", "--registrar", &by_tcp][..],
        &["pools", "--registrar", &by_tcp],
        &["stats", "--registrar", &by_tcp],
        &["bench", "--registrar", &by_tcp],
        &["registrar", "--bind", "127.0.0.1:0", "--peer", &by_tcp],
    ] {
        let outcome = run(command);
        let line = format!(
            "rserpool: {by_tcp}: only connect and resolve reach a registrar by TCP; here it takes SCTP (RFC 5352 section 2.1)\n"
        );
        assert_eq!((outcome.code, outcome.stderr), (Some(64), line), "{command:?}");
    }
    let second = Process::start_registrar("127.0.0.1:0", "0x1", &["--tcp", tcp]).finish();
    let line = format!(
        "rserpool: TCP port {tcp} is in use by another process: choose another, or none, for ASAP over TCP\n"
    );
    assert_eq!((second.code, second.stderr), (Some(1), line));

    // Gone, it refuses at once; the user says where it has looked.
    assert_eq!(registrar.terminate().code, Some(0));
    let gone = ["resolve", "EchoPool", "--registrar", &by_tcp, "--preset", "fast", "--attempts", "1"];
    let gone = run(&[&gone[..], &["--log-filter", "off"]].concat());
    let line = format!("rserpool: no registrar is reachable: tried {by_tcp}\n");
    assert_eq!((gone.code, gone.stderr), (Some(2), line));
}

/// Clients that nobody can serve are named in the log, with the reason, and counted by `stats`.
#[test]
fn clients_that_are_hung_up_on_are_told() {
    let start =
        ["registrar", "--bind", "127.0.0.1:0", "--id", "0x1", "--announce", "no", "--tcp", "127.0.0.1:0"];
    let limits =
        ["--tcp-max-per-address", "2", "--tcp-message-timeout", "100ms", "--tcp-first-timeout", "20s"];
    let registrar = Process::start(&[&start[..], &limits].concat());
    let line = registrar.line();
    let (udp, tcp) =
        line.rsplit_once(" UDP ").and_then(|(_, places)| places.split_once(" and TCP ")).unwrap();
    let client = |octets: &[u8], reason: &str| {
        let mut stream = std::net::TcpStream::connect(tcp).unwrap();
        stream.write_all(octets).unwrap();
        let peer = stream.local_addr().unwrap();
        let line = registrar.error_with("hung up on a client");
        assert!(
            line.contains("WARN") && line.contains(&format!("peer=tcp:{peer} reason={reason}")),
            "{line}"
        );
    };
    client(b"GET / HTTP/1.1\r\n\r\n", "a message of impossible length");
    client(b"\x05\x00\x00\x10", "a message took too long");
    let silent = [0, 1].map(|_| std::net::TcpStream::connect(tcp).unwrap());
    client(b"", "too many connections");

    let stats = json_of(&run(&["stats", "--registrar", udp, "--json"]).stdout);
    let counters = ["accepted", "malformed", "slow", "refused", "unread", "silent", "flooding"];
    let counted = counters.map(|name| stats["counters"][format!("tcp_{name}")].as_u64());
    assert_eq!(counted, [4, 1, 1, 1, 0, 0, 0].map(Some), "{stats}");
    let text = run(&["stats", "--registrar", udp]).stdout;
    let line =
        text.lines().find(|line| line.starts_with("tcp_malformed ")).unwrap_or_else(|| panic!("{text}"));
    assert_eq!(line.split_whitespace().last(), Some("1"), "{text}");
    drop(silent);
}

/// TCP is on where SCTP has its standard port, off where several registrars share a host.
#[test]
fn where_a_registrar_listens_for_tcp_is_a_setting() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("registrar.toml");
    let validate = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let outcome = run(&["registrar", "--config", file.to_str().unwrap(), "--validate"]);
        (outcome.code, outcome.stderr)
    };
    let valid = (Some(0), String::new());
    assert_eq!(validate("bind = \"127.0.0.1:0\"\n[tcp]\nlisten = false\nidle-timeout = \"1m\"\n"), valid);
    // A port of its own: that of the standard may be in use on this machine.
    assert_eq!(validate("bind = \"127.0.0.1:0\"\ntcp = \"127.0.0.1:0\"\n"), valid);
    assert_eq!(validate("bind = \"127.0.0.1:0\"\n[tcp]\nlisten = \"127.0.0.1:0\"\n"), valid);
    for (text, key) in [
        ("[tcp]\nlisten = 3863\n", "listen"),
        ("[tcp]\nlisten = \"somewhere\"\n", "listen"),
        ("[tcp]\nmax-connections = 0\n", "tcp-max-connections"),
        ("[tcp]\nfirst-timeout = \"0s\"\n", "tcp-first-timeout"),
        ("tcp = \"perhaps\"\n", "tcp"),
    ] {
        let (code, text) = validate(text);
        assert_eq!((code, text.contains(key), text.lines().count()), (Some(64), true, 1), "{text}");
    }
}

/// An endpoint that asks its socket for ever would burn a core for nothing.
#[test]
fn busy_polling_has_an_end() {
    let user = ["connect", "P", "--registrar=127.0.0.1"];
    let element = ["serve", "echo", "--pool", "P", "--registrar=127.0.0.1"];
    for role in [&["registrar"][..], &element, &user] {
        let validate = |span: &str| {
            run(&[role, &["--bind=127.0.0.1:0", "--validate", "--busy-poll", span][..]].concat())
        };
        assert_eq!(validate("100us").code, Some(0), "{role:?}");
        let refused = validate("1s");
        assert_eq!(
            (refused.code, refused.stderr.contains("busy-poll: may be at most 10ms")),
            (Some(64), true)
        );
    }
}

#[test]
fn an_unknown_pool_is_a_clear_no() {
    let (_registrar, address) = Process::registrar(&[]);
    for command in ["resolve", "connect"] {
        let outcome = run(&[command, "NoSuchPool", "--registrar", &address]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));
        assert_eq!(
            outcome.stderr,
            "rserpool: unknown pool \"NoSuchPool\": no element is registered in it (cause 0x9); see rserpool pools\n"
        );
    }
}

#[test]
fn no_registrar_is_told_with_the_addresses_tried() {
    // Ports on which nobody answers, because this test holds them.
    let sockets = [0, 1].map(|_| std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
    let mut addresses = sockets.each_ref().map(|socket| socket.local_addr().unwrap());
    addresses.sort();
    let [a, b] = addresses.map(|address| address.to_string());
    let users = ["resolve", "connect"].map(|command| vec![command, "EchoPool", "--attempts", "2"]);
    let elements = [vec!["serve", "echo", "--attempts", "2", "--bind", "127.0.0.1:0"]];
    for mut arguments in users.into_iter().chain(elements) {
        arguments.extend(["--registrar", &a, "--registrar", &b, "--preset", "fast", "--log-filter", "off"]);
        let outcome = run(&arguments);
        assert_eq!(outcome.code, Some(2), "{arguments:?}");
        assert_eq!(
            outcome.stderr,
            format!("rserpool: no registrar is reachable: tried {a}/3863, {b}/3863\n"),
            "{arguments:?}"
        );
    }
    for command in ["pools", "stats", "health"] {
        let outcome = run(&[command, "--registrar", &a, "--timeout", "300ms"]);
        assert_eq!(outcome.code, Some(2));
        assert_eq!(
            outcome.stderr,
            format!("rserpool: registrar {a}/9901 cannot be reached: check its address and UDP port\n")
        );
    }
}

#[test]
fn of_several_registrars_one_is_enough() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    let (_registrar, address) = Process::registrar(&[]);
    let both = format!("{silent},{address}");
    let _element = Process::element(&address, "0x2001");
    let resolved = run(&["resolve", "EchoPool", "--registrar", &both, "--preset", "fast"]);
    assert_eq!(resolved.code, Some(0), "{}", resolved.stderr);
    let pools = run(&["pools", "--registrar", &both, "--timeout", "300ms"]);
    assert_eq!(pools.code, Some(0), "{}", pools.stderr);
}

#[test]
fn a_port_in_use_is_named() {
    let (_registrar, address) = Process::registrar(&[]);
    let second = run(&["registrar", "--bind", &address]);
    assert_eq!(second.code, Some(1));
    assert_eq!(
        second.stderr,
        format!(
            "rserpool: UDP port {address} is in use by another process: choose another, or port 0 for a free one\n"
        )
    );
}

/// Reading B31: all elements of a pool have one policy.
#[test]
fn another_policy_than_the_pools_is_refused() {
    let (_registrar, address) = Process::registrar(&[]);
    let _element = Process::element(&address, "0x2001");
    let policy = ["--policy", "LeastUsed", "--log-filter", "off"];
    let outcome = Process::start_element("echo", &address, &policy).finish();
    assert_eq!(outcome.code, Some(1));
    assert_eq!(
        outcome.stderr,
        "rserpool: the registrar refused the registration: Inconsistent Pooling Policy (0x0005): the pool has \
         RoundRobin (0x00000001), and this element LeastUsed: give all elements of a pool the same --policy\n"
    );
}

#[test]
fn bench_tells_what_it_has_done() {
    let (_registrar, address) = Process::registrar(&["--busy-poll", "100us"]);
    let outcome = run(&[
        "bench",
        "--registrar",
        &address,
        "--elements",
        "5",
        "--users",
        "2",
        "--seconds",
        "1",
        "--busy-poll",
        "100us",
        "--policy",
        "LeastUsed:load=0.5",
        "--json",
    ]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    let report = json_of(&outcome.stdout);
    assert_eq!((&report["elements"], &report["users"], &report["failed"]), (&json!(5), &json!(2), &json!(0)));
    assert!(report["resolutions"].as_u64().is_some_and(|count| count > 0), "{report}");
    let latency = |key: &str| report["resolution"][key].as_u64().unwrap();
    assert!(
        latency("p50_us") > 0
            && latency("p50_us") <= latency("p99_us")
            && latency("p99_us") <= latency("max_us")
    );
    // The elements have left.
    let pools = json_of(&run(&["pools", "--registrar", &address, "--json"]).stdout);
    assert_eq!(pools["pools"], json!([]));
}

#[test]
fn bench_asks_at_the_rate_that_it_was_told() {
    let (_registrar, address) = Process::registrar(&[]);
    let bench = ["bench", "--registrar", &address, "--elements", "2", "--seconds", "2", "--json"];
    let asked = run(&[&bench[..], &["--users", "4", "--rate", "100"]].concat());
    let report = json_of(&asked.stdout);
    let counts = |report: &Value, key: &str| report[key].as_u64().unwrap();
    let begun = counts(&report, "resolutions") + counts(&report, "failed") + counts(&report, "not_asked");
    assert_eq!((asked.code, begun), (Some(0), 200), "{report}");
    let called = run(&[&bench[..], &["--mode", "session", "--rate", "100"]].concat());
    let report = json_of(&called.stdout);
    assert_eq!((called.code, &report["asked_per_second"]), (Some(0), &json!(100.0)), "{report}");
    assert_eq!(counts(&report, "calls") + counts(&report, "not_asked"), 200, "{report}");
    let refused = run(&["bench", "--registrar", &address, "--mode", "register", "--users", "1"]);
    assert_eq!(
        (refused.code, refused.stderr.as_str()),
        (Some(64), "rserpool: --mode register has no users: leave --users and --rate out\n")
    );
}

#[test]
fn bench_measures_failovers() {
    let (_registrar, address) = Process::registrar(&[]);
    let (seconds, users) = (["--seconds", "3"], ["--users", "2"]);
    let bench = ["bench", "--registrar", &address, "--mode", "failover", "--preset", "fast", "--json"];
    let outcome = run(&[&bench[..], &seconds, &users].concat());
    let report = check("bench", &outcome.stdout);
    assert_eq!(
        (outcome.code, &report["failed"], &report["elements"]),
        (Some(0), &json!(0), &json!(3)),
        "{report}"
    );
    assert!(report["kills"].as_u64() >= Some(1) && report["calls"].as_u64() > Some(0), "{report}");
}

#[test]
fn bad_usage_is_one_line_that_names_the_key_and_64() {
    let cases: &[(&[&str], &str)] = &[
        (&["registrar", "--bnid", "127.0.0.1"], "--bnid"),
        (&["registrar", "--bind", "localhost"], "--bind"),
        (&["registrar", "--id", "0"], "--id"),
        (&["registrar", "--preset", "slow"], "--preset"),
        (&["registrar", "--keep-alive-interval", "5"], "--keep-alive-interval"),
        (&["registrar", "--keep-alive-interval", "0s"], "keep-alive-interval"),
        (&["registrar", "--asap-port", "9901"], "asap-port"),
        (&["registrar", "--log-filter", "a=b=c"], "log-filter"),
        (&["registrar", "--peer", "300.1.2.3"], "--peer"),
        (&["registrar", "--peer-heartbeat-cycle", "2m"], "max-time-last-heard"),
        (&["registrar", "--mentor-timeout", "0s"], "mentor-timeout"),
        (&["registrar", "--takeover-winner", "oldest"], "--takeover-winner"),
        (&["registrar", "--announce-ttl", "256"], "--announce-ttl"),
        (&["registrar", "--bind", "127.0.0.1:0", "--announce-group", "[ff05::133]:3863"], "announce-group"),
        (
            &["registrar", "--bind", "[::1]:0", "--enrp-announce", "--enrp-announce-group", "rsplib"],
            "enrp-announce-group",
        ),
        (&["serve"], "<SERVICE>"),
        (&["serve", "echo", "--announce", "no"], "registrar"),
        (&["serve", "echo", "--announce-group", "10.0.0.1:3863"], "--announce-group"),
        (&["serve", "echo", "--registrar", "127.0.0.1", "--policy", "Best"], "--policy"),
        (&["serve", "echo", "--registrar", "127.0.0.1", "--life", "0s"], "life"),
        (&["serve", "echo", "--registrar", "127.0.0.1", "--hunt-timeout", "0s"], "hunt-timeout"),
        (&["connect"], "<POOL>"),
        (&["connect", "EchoPool", "--announce", "no"], "registrar"),
        (&["resolve", "EchoPool", "--registrar", "127.0.0.1", "--items", "many"], "--items"),
        (&["pools", "--announce", "no"], "registrar"),
        (&["decode", "--protocol", "asap", "05zz"], "HEX"),
        (&["decode", "--protocol", "tcp", "05"], "--protocol"),
        (&["bogus"], "bogus"),
        (&["registrar", "--bind", "127.0.0.1:0", "--peer", "[::1]:1"], "bind"),
        (&["registrar", "--max-pools", "many"], "--max-pools"),
        (&["resolve", ""], "<POOL>"),
    ];
    for (arguments, key) in cases {
        let outcome = run(arguments);
        assert_eq!(outcome.code, Some(64), "{arguments:?}: {}", outcome.stderr);
        assert_eq!(outcome.stderr.lines().count(), 1, "{arguments:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(key), "{arguments:?}: {}", outcome.stderr);
        assert_eq!(outcome.stdout, "");
    }
}

#[test]
fn settings_come_from_flag_environment_and_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("registrar.toml");
    let path = file.to_str().unwrap();
    let validate = |text: &str, environment: &[(&str, &str)], arguments: &[&str]| {
        std::fs::write(&file, text).unwrap();
        let mut all = vec!["registrar", "--config", path, "--validate", "--bind", "127.0.0.1:0"];
        all.extend(arguments);
        let outcome = run_with(&all, "", environment);
        (outcome.code, if outcome.code == Some(0) { outcome.stdout } else { outcome.stderr })
    };
    let valid = (Some(0), "configuration is valid\n".to_string());
    assert_eq!(validate("id = \"0x1\"\n[sctp]\nstreams = 10\n", &[], &[]), valid);
    let peers =
        "peer = [\"127.0.0.1:20001\", \"localhost\"]\ntakeover-winner = \"smaller-id\"\nbalance = false\n";
    assert_eq!(validate(peers, &[], &[]), valid);
    let (code, line) = validate("", &[("RSERPOOL_REGISTRAR_PEER", "127.0.0.1:20001,::1:")], &[]);
    assert_eq!((code, line.starts_with("rserpool: RSERPOOL_REGISTRAR_PEER: ")), (Some(64), true), "{line}");
    assert_eq!(
        validate("id = 0x1\nkeepalive-timeout = \"5s\"\n", &[], &[]).1,
        format!(
            "rserpool: {path}:2: keepalive-timeout: there is no such key; did you mean keep-alive-timeout?\n"
        )
    );
    let refused = (Some(64), "rserpool: keep-alive-timeout: must be from 1 ms to 30 days\n".to_string());
    let refused_in_file =
        (Some(64), format!("rserpool: {path}:1: keep-alive-timeout: must be from 1 ms to 30 days\n"));
    let (zero, second) = ("keep-alive-timeout = \"0s\"\n", ("RSERPOOL_REGISTRAR_KEEP_ALIVE_TIMEOUT", "1s"));
    assert_eq!(validate(zero, &[], &[]), refused_in_file);
    assert_eq!(validate(zero, &[second], &[]), valid, "the environment comes before the file");
    assert_eq!(
        validate(zero, &[second], &["--keep-alive-timeout", "0s"]),
        refused,
        "a flag comes before both"
    );
    let sctp = |text: &str| validate(&format!("[sctp]\n{text}\n"), &[], &[]);
    for (text, key) in [
        ("rto-min = \"10s\"\nrto-initial = \"10s\"\nrto-max = \"1s\"", "sctp-rto-max"),
        ("rto-max = \"0s\"", "sctp-rto-max"),
        ("streams = 0", "sctp-streams"),
        ("max-associations = 0", "sctp-max-associations"),
        ("control-queue = 0", "sctp-control-queue"),
        ("max-message-size = 1", "sctp-max-message-size"),
    ] {
        let (code, text) = sctp(text);
        assert_eq!((code, text.contains(&format!(": {key}:"))), (Some(64), true), "{text}");
    }
    let missing = run(&["registrar", "--config", "/no/such/file", "--validate"]);
    assert_eq!(missing.code, Some(64));
    assert!(missing.stderr.starts_with("rserpool: config: cannot read /no/such/file"), "{}", missing.stderr);
}

#[test]
fn sighup_reads_the_file_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("registrar.toml");
    std::fs::write(&file, "max-pools = 5\n").unwrap();
    let (registrar, address) = Process::registrar(&["--config", file.to_str().unwrap(), "--log", "json"]);

    std::fs::write(&file, "max-pools = 6\n[log]\nfilter = \"info\"\n").unwrap();
    registrar.signal(Signal::SIGHUP);
    let line = json_of(&registrar.error_with("only a restart"));
    assert_eq!((&line["level"], &line["fields"]["key"]), (&"WARN".into(), &"max-pools".into()));

    std::fs::write(&file, "max-pool = 6\n").unwrap();
    registrar.signal(Signal::SIGHUP);
    registrar.error_with("nothing changed");
    assert_eq!(run(&["pools", "--registrar", &address]).code, Some(0), "it still serves");
    assert_eq!(registrar.terminate().code, Some(0));
}

#[test]
fn decode_shows_every_field() {
    let message = "05:00 00 10\n0009000c 4563686f506f6f6c";
    let text = run(&["decode", "--protocol", "asap", message]);
    assert_eq!(text.code, Some(0));
    assert!(text.stdout.starts_with("ASAP_HANDLE_RESOLUTION"), "{}", text.stdout);
    assert!(text.stdout.contains("Pool Handle: EchoPool"), "{}", text.stdout);

    let tree = run_with(&["decode", "--protocol", "asap", "-", "--json"], message, &[]);
    let tree = json_of(&tree.stdout);
    assert_eq!((&tree["name"], &tree["length"]), (&"ASAP_HANDLE_RESOLUTION".into(), &16.into()));

    let cut = run(&["decode", "--protocol", "asap", "0500001000090"]);
    assert_eq!(cut.code, Some(64), "an odd number of digits");
    let cut = run(&["decode", "--protocol", "asap", "05000010000900"]);
    assert_eq!(cut.code, Some(1));
    assert!(cut.stdout.starts_with("ASAP_HANDLE_RESOLUTION"), "as far as it can be read: {}", cut.stdout);
    assert!(cut.stderr.starts_with("rserpool: malformed message: "), "{}", cut.stderr);
}

#[test]
fn help_has_examples_and_packagers_get_their_files() {
    for command in [
        "registrar",
        "serve",
        "connect",
        "resolve",
        "pools",
        "stats",
        "health",
        "policies",
        "decode",
        "demo",
        "bench",
    ] {
        let help = run(&[command, "--help"]);
        assert_eq!(help.code, Some(0));
        assert!(help.stdout.contains(&format!("Examples:\n  rserpool {command}")), "{}", help.stdout);
        assert!(
            help.stdout.contains("--preset") || ["decode", "policies"].contains(&command),
            "{}",
            help.stdout
        );
        // Sentences are broken where the terminal ends, and nowhere else.
        let lines: Vec<&str> = help.stdout.lines().collect();
        let is_text = |line: &str| !line.is_empty() && !line.starts_with(' ') && !line.ends_with(':');
        for pair in lines.windows(2).filter(|pair| is_text(pair[0]) && is_text(pair[1])) {
            assert!(pair[0].len() > 75, "{command}: {pair:?}");
        }
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]).stdout;
        assert!(script.contains("keep-alive-interval") && !script.contains("demo-user"), "{shell}");
    }
    // A page for each command, under the name by which the others refer to it.
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(run(&["man", "--into", directory.path().to_str().unwrap()]).code, Some(0));
    let page = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
    let main = page("rserpool.1");
    assert!(main.contains("rserpool\\-stats(1)") && !main.contains("demo\\-user"), "{main}");
    assert!(page("rserpool-registrar.1").contains("keep\\-alive\\-interval"));
    for command in
        ["serve", "connect", "resolve", "pools", "stats", "health", "policies", "decode", "demo", "bench"]
    {
        let page = page(&format!("rserpool-{command}.1"));
        assert!(page.matches(".TH ").count() == 1 && page.contains("Examples"), "{page}");
        assert_eq!(run(&["man", command]).stdout, page);
    }
    assert_eq!(run(&["man"]).stdout, main);
    assert_eq!(run(&["man", "demo-user"]).code, Some(64));
    // With the commit, where it is built from a repository.
    let version = run(&["--version"]).stdout;
    let commit = version.strip_prefix(concat!("rserpool ", env!("CARGO_PKG_VERSION"))).unwrap().trim_end();
    let is_commit =
        |commit: &str| commit.len() == 12 && commit.chars().all(|digit| digit.is_ascii_hexdigit());
    let commit = commit.strip_prefix(" (commit ").and_then(|rest| rest.strip_suffix(')'));
    assert!(version.lines().count() == 1 && commit.is_none_or(is_commit), "{version}");
}

/// `rserpool pools | head -1` is no failure.
#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_rserpool"))
        .arg("man")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

/// Three registrars may log to one place: each line says whose it is, and the death of an element is a warning.
#[test]
fn log_lines_say_whose_they_are_and_how_bad_it_is() {
    let (registrar, address) = Process::registrar(&["--log-filter", "info,rserpool_driver=debug"]);
    let element = Process::element(&address, "0x2001");
    let line = registrar.error_with("ASAP_REGISTRATION");
    assert!(line.contains("DEBUG") && line.contains("registrar{id=\"0x1\"}"), "{line}");
    assert!(line.contains("Pool Handle EchoPool") && line.contains("PE Identifier 0x2001"), "{line}");
    let line = registrar.error_with("element registered");
    assert!(line.contains("INFO") && line.contains("pe=\"EchoPool/0x2001\""), "{line}");
    drop(element);
    let line = registrar.error_with("element removed");
    assert!(line.contains("WARN") && line.contains("registrar{id=\"0x1\"}"), "{line}");
    // One that is stopped is no reason to worry.
    let element = Process::element(&address, "0x2002");
    assert_eq!(element.terminate().code, Some(0));
    let line = registrar.error_with("element removed");
    assert!(line.contains("INFO"), "{line}");
}

/// A home that is not known is not said to be 0x0; and a renewal every few seconds is no line.
#[test]
fn an_element_tells_of_its_registration_once() {
    let (_registrar, address) = Process::registrar(&[]);
    let element = Process::start_element("echo", &address, &["--reregistration-interval", "100ms"]);
    let line = element.error_with("registered");
    assert!(!line.contains("0x0") && line.contains("element{id="), "{line}");
    std::thread::sleep(std::time::Duration::from_millis(700));
    let outcome = element.terminate();
    assert!(!outcome.stderr.contains(" registered"), "{}", outcome.stderr);
}

/// A peer that was named and is not there is told of, again and again.
#[test]
fn a_peer_that_does_not_answer_is_told() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = socket.local_addr().unwrap().to_string();
    let (registrar, address) = Process::registrar(&["--peer", &silent]);
    for _ in 0..2 {
        let line = registrar.error_with("peer does not answer");
        assert!(line.contains("WARN") && line.contains(&silent), "{line}");
    }
    let health = || run(&["health", "--registrar", &address]).stdout;
    support::until(|| health().contains("is serving: no other registrar is connected"));
}

/// While it looks for its mentor a registrar answers nobody, and says so.
#[test]
fn a_registrar_that_starts_is_not_healthy() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = socket.local_addr().unwrap().to_string();
    let (_registrar, address) = Process::registrar(&["--peer", &silent, "--mentor-timeout", "1h"]);
    let health = run(&["health", "--registrar", &address]);
    assert_eq!((health.code, &*health.stdout), (Some(1), ""), "{}", health.stderr);
    assert!(health.stderr.contains("is starting: no other registrar has answered yet"), "{}", health.stderr);
}

/// Of several registrars one that serves is enough, even if one that does not serve answers first.
#[test]
fn one_that_serves_makes_the_scope_healthy() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = socket.local_addr().unwrap().to_string();
    let starting = ["--peer", &silent, "--mentor-timeout", "1h"];
    let (_starting, a) = Process::registrar_at("127.0.0.1:0", "0x1", &starting);
    let (serving, b) = Process::registrar_at("127.0.0.1:0", "0x2", &[]);
    let health = ["health", "--registrar", &a, "--registrar", &b, "--timeout", "25s"];
    serving.signal(Signal::SIGSTOP);
    let process = Process::start(&health);
    std::thread::sleep(std::time::Duration::from_millis(500));
    serving.signal(Signal::SIGCONT);
    let outcome = process.finish();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stdout.starts_with("registrar 0x2 ("), "{}", outcome.stdout);
}

/// A receiver that finds fault with our messages does so again and again; one line says it.
#[test]
fn an_error_from_a_peer_is_logged_once() {
    let registrar = Process::start_registrar("127.0.0.1:0", "0x1", &["--tcp", "127.0.0.1:0"]);
    let line = registrar.line();
    let (udp, tcp) =
        line.rsplit_once(" UDP ").and_then(|(_, places)| places.split_once(" and TCP ")).unwrap();
    let error = |cause: u8| [0x0e, 0, 0, 12, 0, 0x0c, 0, 8, 0, cause, 0, 4];
    let mut client = std::net::TcpStream::connect(tcp).unwrap();
    for cause in [2, 2, 1, 2, 1] {
        client.write_all(&error(cause)).unwrap();
    }
    let errors = || {
        json_of(&run(&["stats", "--registrar", udp, "--json"]).stdout)["counters"]["errors_received"].clone()
    };
    support::until(|| errors() == 5);
    let log = registrar.terminate().stderr;
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("finds fault")).collect();
    assert!(lines.len() == 2 && lines[0].contains("(0x0002)") && lines[1].contains("(0x0001)"), "{log}");
}

/// A dead registrar is not waited for while another one answers.
#[test]
fn the_dead_do_not_hold_up_the_living() {
    let sockets = [0, 1].map(|_| std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
    let silent = sockets.each_ref().map(|socket| socket.local_addr().unwrap().to_string());
    let (_registrar, address) = Process::registrar(&["--peer", &silent[0]]);
    let all = format!("{},{},{address}", silent[0], silent[1]);
    support::until(|| run(&["health", "--registrar", &address]).code == Some(0));
    let mut silent = silent;
    silent.sort();
    for command in ["pools", "stats", "health"] {
        let begin = std::time::Instant::now();
        let outcome = run(&[command, "--registrar", &all, "--timeout", "25s"]);
        assert_eq!(outcome.code, Some(0), "{command}: {}", outcome.stderr);
        assert!(begin.elapsed().as_secs() < 20, "{command}");
        let said = silent.each_ref().map(|at| format!("rserpool: registrar {at}/9901 has not answered\n"));
        assert_eq!(outcome.stderr, said.concat(), "{command}");
    }
}
