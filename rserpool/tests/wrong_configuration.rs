//! Wrong configuration files: each is refused with 64 and one line that names the file, the line, the key, and
//! what was meant.

#[allow(dead_code)]
mod support;

use support::run;

/// A command, a file, and what the line says behind the name of the file.
const CASES: [(&str, &str, &str); 36] = [
    ("registrar", "bnid = \"127.0.0.1\"", ":1: bnid: there is no such key; did you mean bind?"),
    ("registrar", "\npeers = [\"127.0.0.1\"]", ":2: peers: there is no such key; did you mean peer?"),
    (
        "registrar",
        "addresses = [\"127.0.0.1\"]",
        ":1: addresses: there is no such key; did you mean address?",
    ),
    (
        "registrar",
        "keep-alive-intervall = \"5s\"",
        ":1: keep-alive-intervall: there is no such key; did you mean keep-alive-interval?",
    ),
    (
        "registrar",
        "keep_alive_interval = \"5s\"",
        ":1: keep_alive_interval: there is no such key; did you mean keep-alive-interval?",
    ),
    ("registrar", "max-element = 5", ":1: max-element: there is no such key; did you mean max-elements?"),
    ("registrar", "colour = \"red\"", ":1: colour: there is no such key; --print-config lists all"),
    (
        "registrar",
        "pool = \"EchoPool\"",
        ":1: pool: there is no such key here; serve has one, but this command has not",
    ),
    (
        "registrar",
        "[sctp]\nrto-mim = \"1s\"",
        ":2: sctp.rto-mim: there is no such key; did you mean sctp-rto-min?",
    ),
    ("registrar", "[stcp]\nstreams = 3", ":1: stcp: there is no such table; did you mean sctp?"),
    (
        "registrar",
        "[tcp]\nlisten = true\n[sctp]\nstream = 3",
        ":4: sctp.stream: there is no such key; did you mean sctp-streams?",
    ),
    ("registrar", "preset = \"fats\"", ":1: preset: \"fats\" is none of rfc, fast, rack; did you mean fast?"),
    (
        "registrar",
        "takeover-winner = \"oldest\"",
        ":1: takeover-winner: \"oldest\" is none of larger-id, smaller-id",
    ),
    (
        "registrar",
        "keep-alive-interval = \"5\"",
        ":1: keep-alive-interval: \"5\" is not a duration: write 250ms, 5s or 2m",
    ),
    (
        "registrar",
        "keep-alive-interval = 5",
        ":1: keep-alive-interval: \"5\" is not a duration: write 250ms, 5s or 2m",
    ),
    ("registrar", "keep-alive-timeout = \"0s\"", ":1: keep-alive-timeout: must be from 1 ms to 30 days"),
    ("registrar", "\n\nmax-pools = 0", ":3: max-pools: must not be zero"),
    (
        "registrar",
        "max-pools = -1",
        ":1: max-pools: \"-1\" is not a whole number from 0 to 18446744073709551615",
    ),
    (
        "registrar",
        "max-pools = \"many\"",
        ":1: max-pools: \"many\" is not a whole number from 0 to 18446744073709551615",
    ),
    ("registrar", "asap-port = 70000", ":1: asap-port: \"70000\" is not a whole number from 0 to 65535"),
    ("registrar", "announce-ttl = 1.5", ":1: announce-ttl: \"1.5\" is not a whole number from 0 to 255"),
    (
        "registrar",
        "announce = \"perhaps\"",
        ":1: announce: \"perhaps\" is neither yes nor no: write one of them",
    ),
    ("registrar", "id = 0", ":1: id: 0 means no identifier: write 0x1 to 0xffffffff, or decimal digits"),
    ("registrar", "id = [1]", ":1: id: this takes one value, not a list"),
    (
        "registrar",
        "id = 1979-05-27",
        ":1: id: this is a date: write a text in quotes, a number, or yes or no",
    ),
    (
        "registrar",
        "bind = \"localhost\"",
        ":1: bind: \"localhost\" is not an address: write IP, IP:UDP-PORT or [IPv6]:UDP-PORT (names are not looked up)",
    ),
    (
        "registrar",
        "peer = [\"127.0.0.1\", \"300.1.2.3\"]",
        ":1: peer: \"300.1.2.3\" is not an address: write HOST, HOST:UDP-PORT, [IPv6]:UDP-PORT or tcp:HOST:TCP-PORT",
    ),
    ("registrar", "peer = [[\"127.0.0.1\"]]", ":1: peer: this is a list in a list: write one list"),
    (
        "registrar",
        "address = [\"nowhere\"]",
        ":1: address: \"nowhere\" is not an IP address: write 192.0.2.1 or 2001:db8::1",
    ),
    ("registrar", "streams = 3\n", ":1: streams: there is no such key; --print-config lists all"),
    ("registrar", "sctp-streams = 3\n[sctp]\nstreams = 3", ": this is set already"),
    ("registrar", "max-pools = 5\nmax-pools = 6", ":2: max-pools: duplicate key"),
    ("registrar", "max-pools = ", ":1: max-pools: "),
    ("serve echo", "policy = \"Best\"", ":1: policy: there is no policy \"Best\": write one of RoundRobin"),
    (
        "serve echo",
        "life = \"1500ms\"",
        ":1: life: \"1500ms\" is not a registration life: write whole seconds below 68 years, or infinite",
    ),
    ("stats", "id = 1", ":1: id: there is no such key here; registrar has one, but this command has not"),
];

#[test]
fn each_is_one_line_that_says_what_was_meant() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.toml");
    let path = file.to_str().unwrap();
    for (command, text, expected) in CASES {
        std::fs::write(&file, text).unwrap();
        let arguments: Vec<&str> = command.split(' ').chain(["--config", path]).collect();
        let outcome = run(&arguments);
        assert_eq!((outcome.code, &*outcome.stdout), (Some(64), ""), "{text}: {}", outcome.stderr);
        assert_eq!(outcome.stderr.lines().count(), 1, "{text}: {}", outcome.stderr);
        let line = outcome.stderr.strip_prefix(&format!("rserpool: {path}")).unwrap_or_else(|| {
            panic!("{text}: no file in {}", outcome.stderr);
        });
        let is_expected =
            line.starts_with(expected) || (expected.starts_with(": ") && line.contains(expected));
        assert!(is_expected, "{text}: {line} instead of {expected}");
        for word in
            ["usize", "u64", "u16", "struct", "enum", "variant", "expected a sequence", "invalid digit"]
        {
            assert!(!line.contains(word), "{text}: {line}");
        }
    }
}

/// A variable is as good as an option, under the name of its role; a name that is none is told of.
#[test]
fn variables_belong_to_roles() {
    let directory = tempfile::tempdir().unwrap();
    let _ = &directory;
    let validate = |command: &str, variables: &[(&str, &str)]| {
        let arguments: Vec<&str> =
            command.split(' ').chain(["--bind", "127.0.0.1:0", "--validate"]).collect();
        support::run_with(&arguments, "", variables)
    };
    let strange = [
        ("RSERPOOL_BIND", "192.0.2.1:1"),
        ("RSERPOOL_REGISTRAR_KEEP_ALIVE_INTERVALL", "5s"),
        ("RSERPOOL_PORT", "udp://10.0.0.1:9899"),
        ("RSERPOOL_ELEMENT_LIFE", "nonsense that is not ours"),
    ];
    let outcome = validate("registrar", &strange);
    assert_eq!((outcome.code, &*outcome.stdout), (Some(0), "configuration is valid\n"), "{}", outcome.stderr);
    assert_eq!(
        outcome.stderr.lines().collect::<Vec<_>>(),
        [
            "rserpool: RSERPOOL_BIND is not read: did you mean RSERPOOL_REGISTRAR_BIND?",
            "rserpool: RSERPOOL_PORT is not read: registrar has no such setting",
            "rserpool: RSERPOOL_REGISTRAR_KEEP_ALIVE_INTERVALL is not read: did you mean \
             RSERPOOL_REGISTRAR_KEEP_ALIVE_INTERVAL?",
        ]
    );
    let wrong = validate("registrar", &[("RSERPOOL_REGISTRAR_MAX_POOLS", "many")]);
    assert_eq!(wrong.code, Some(64));
    assert!(
        wrong.stderr.starts_with("rserpool: RSERPOOL_REGISTRAR_MAX_POOLS: \"many\" is not"),
        "{}",
        wrong.stderr
    );
    // The daemon's own variables are not those of a tool beside it.
    let (_registrar, address) = support::Process::registrar(&[]);
    let stats = ["stats", "--registrar", &address];
    let beside =
        support::run_with(&stats, "", &[("RSERPOOL_REGISTRAR_BIND", &address), ("RSERPOOL_BIND", &address)]);
    assert_eq!(beside.code, Some(0), "{}", beside.stderr);
}

/// What a start would find, `--validate` finds.
#[test]
fn validation_finds_what_a_start_would() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let busy = socket.local_addr().unwrap().to_string();
    for command in ["registrar", "serve echo --registrar 127.0.0.1", "resolve P --registrar 127.0.0.1"] {
        let validate = |bind: &str| {
            let arguments: Vec<&str> = command.split(' ').chain(["--bind", bind, "--validate"]).collect();
            let outcome = run(&arguments);
            (outcome.code, outcome.stderr)
        };
        assert_eq!(validate("127.0.0.1:0"), (Some(0), String::new()), "{command}");
        let (code, line) = validate(&busy);
        assert_eq!((code, line.contains("in use by another process")), (Some(1), true), "{command}: {line}");
        let (code, line) = validate("192.0.2.1:9899");
        assert_eq!(
            (code, line.contains("not an address of this machine")),
            (Some(1), true),
            "{command}: {line}"
        );
    }
    for command in
        ["registrar --peer", "serve echo --registrar", "resolve P --registrar", "stats --registrar"]
    {
        let arguments: Vec<&str> =
            command.split(' ').chain(["127.0.0.1:7", "--bind", "[::1]:0", "--validate"]).collect();
        let outcome = run(&arguments);
        assert_eq!(outcome.code, Some(64), "{command}: {}", outcome.stderr);
        assert!(
            outcome.stderr.starts_with("rserpool: nothing can be sent from "),
            "{command}: {}",
            outcome.stderr
        );
    }
}

/// One name of several that is not found is no reason to end.
#[test]
fn a_name_that_is_not_found_is_a_warning() {
    let (_registrar, address) = support::Process::registrar(&["--peer", "nowhere.invalid"]);
    let both = format!("nowhere.invalid,{address}");
    let element = support::Process::element(&address, "0x2001");
    let resolved = run(&["resolve", "EchoPool", "--registrar", &both, "--preset", "fast", "--json"]);
    assert_eq!(resolved.code, Some(0), "{}", resolved.stderr);
    assert!(resolved.stderr.contains("cannot look up nowhere.invalid"), "{}", resolved.stderr);
    let lost = support::Process::start_element("echo", &both, &[]);
    lost.error_with("nowhere.invalid");
    assert!(lost.line().contains("is registered at"));
    drop(element);
}

/// The help says what holds if nothing is said.
#[test]
fn the_help_shows_every_default_and_unit() {
    for command in ["registrar", "serve", "connect", "pools"] {
        let help = run(&[command, "--help"]).stdout;
        let mut option = String::new();
        let mut text = String::new();
        let mut without = Vec::new();
        for line in help.lines().chain(["      --end"]) {
            if line.trim_start().starts_with("--") || line.trim_start().starts_with("-h") {
                let is_setting = option.contains('<') || option.contains("[<");
                if is_setting && !option.contains("--config") && !text.contains("[default") {
                    without.push(option.clone());
                }
                option = line.trim().to_string();
                text = String::new();
            }
            text += line;
        }
        assert_eq!(without, [""; 0], "{command}");
        assert!(help.contains("TIME is a number with a unit"), "{help}");
    }
    assert!(run(&["policies"]).stdout.contains("WeightedRoundRobin:weight\n"));
}
