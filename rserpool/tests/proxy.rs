//! `rserpool proxy`: clients that know nothing of pools are served by one.

#![allow(clippy::unwrap_used, reason = "only tests use this")]

#[allow(dead_code)]
mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use nix::sys::signal::Signal;
use serde_json::Value;
use support::{Process, check, run};

fn next(process: &Process, kind: &str) -> Value {
    loop {
        let event = check("proxy", &process.line());
        if event["event"] == kind {
            return event;
        }
    }
}

/// The program at both ends: a server is attached, and a client comes through the proxy.
#[test]
fn a_client_is_served_and_the_proxy_is_drained() {
    let (_registrar, at) = Process::registrar(&[]);
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let backend = format!("{} check=none id=0x11", server.local_addr().unwrap());
    let attach =
        ["attach", "--pool", "Web", "--backend", &backend, "--registrar", &at, "--preset", "fast", "--json"];
    let _attach = Process::start(&attach);
    let proxy = [
        "proxy",
        "--listen",
        "127.0.0.1:0",
        "--pool",
        "Web",
        "--registrar",
        &at,
        "--preset",
        "fast",
        "--json",
    ];
    let proxy = Process::start(&proxy);
    let listen = next(&proxy, "listening")["listen"].as_str().unwrap().to_string();
    let mut client = TcpStream::connect(&listen).unwrap();
    let own = client.local_addr().unwrap().to_string();
    let (mut served, _) = server.accept().unwrap();
    client.write_all(b"question").unwrap();
    let mut octets = [0; 8];
    served.read_exact(&mut octets).unwrap();

    proxy.signal(Signal::SIGTERM);
    support::until(|| TcpStream::connect(&listen).is_err());
    // Those of these attempts that came through wait for a server that never takes them.
    drop(server);
    served.write_all(b"an answer").unwrap();
    drop(served);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "an answer");
    drop(client);
    let access = loop {
        let access = next(&proxy, "connection");
        if access["client"] == *own {
            break access;
        }
    };
    assert_eq!((&access["element"], &access["outcome"]), (&"0x11".into(), &"closed".into()), "{access}");
    assert_eq!((&access["sent_octets"], &access["received_octets"]), (&8.into(), &9.into()), "{access}");
    assert_eq!(proxy.finish().code, Some(0));
}

#[test]
fn what_is_wrong_is_one_line() {
    let code = |arguments: &[&str]| {
        let outcome = run(&[&["proxy", "--registrar", "127.0.0.1:1"], arguments].concat());
        (outcome.code, outcome.stderr.trim_end().to_string())
    };
    assert_eq!(code(&["--pool", "Web"]).0, Some(64));
    assert_eq!(
        code(&["--listen", "127.0.0.1:0"]).1,
        "rserpool: pool: name the pool that serves: --pool NAME"
    );
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let (status, error) = code(&["--listen", &taken, "--pool", "Web"]);
    assert!(status == Some(1) && error.contains(&format!("cannot listen at {taken}")), "{error}");
    let valid = run(&[
        "proxy",
        "--registrar",
        "127.0.0.1:1",
        "--listen",
        "127.0.0.1:0",
        "--pool",
        "Web",
        "--validate",
        "--json",
    ]);
    assert_eq!(check("validate", &valid.stdout)["valid"], true);
}
