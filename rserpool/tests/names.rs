//! Names of registrars are looked up again while a conversation goes on. This test gives the program a file of hosts of
//! its own, which takes root.

#![allow(clippy::unwrap_used, reason = "only tests use this")]

#[allow(dead_code)]
mod support;

use std::process::Command;

use support::{Process, run};

#[test]
fn a_name_that_is_found_later_leads_to_a_registrar() {
    let unshare = ["--mount", "mount", "--bind", "/etc/hosts", "/etc/hosts"];
    if !Command::new("unshare").args(unshare).status().is_ok_and(|status| status.success()) {
        return eprintln!("skipped: this machine or this user cannot mount a file of hosts");
    }
    let directory = tempfile::tempdir().unwrap();
    let hosts = directory.path().join("hosts");
    std::fs::write(&hosts, "").unwrap();
    let script = format!(
        "exec unshare --mount sh -c 'mount --bind {} /etc/hosts && exec \"$0\" \"$@\"' \"$0\" \"$@\"",
        hosts.display()
    );

    let (first, a) = Process::registrar_at("127.0.0.1:0", "0x1", &[]);
    let (_second, b) = Process::registrar_at("127.0.0.1:0", "0x2", &["--peer", &a]);
    let element = Process::element(&a, "0x2001");
    let named = format!("{a},registrar.test:{}", b.rsplit(':').next().unwrap());
    let mut talk = Process::start_by(
        &script,
        &["connect", "EchoPool", "--registrar", &named, "--bind", "127.0.0.1:0", "--preset", "fast"],
    );
    talk.error_with("cannot look up registrar.test");
    talk.write("one\n");
    assert_eq!(talk.line(), "0x2001: one");

    // The name appears, and then all that the conversation knew so far is gone.
    std::fs::write(&hosts, "127.0.0.1 registrar.test\n").unwrap();
    std::thread::sleep(std::time::Duration::from_secs(4));
    let other = Process::element(&b, "0x2002");
    drop((first, element));
    let at_b = ["resolve", "EchoPool", "--registrar", &b, "--preset", "fast", "--json"];
    support::until(|| {
        let listed = run(&at_b).stdout;
        listed.contains("\"0x2002\"") && !listed.contains("\"0x2001\"")
    });
    talk.write("two\n");
    assert_eq!(talk.line(), "0x2002: two");
    drop(other);
}
