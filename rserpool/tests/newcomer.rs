//! What somebody at a terminal sees: each process has a pseudo-terminal of its own, as in the README.

#![allow(clippy::unwrap_used, reason = "only tests use this")]

#[allow(dead_code)]
mod support;

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::{PATIENCE, program};

/// A process with a terminal of its own.
struct Terminal {
    script: Child,
    keys: ChildStdin,
    screen: Receiver<String>,
    unseen: String,
}

impl Terminal {
    /// Types a command there; the program's log is off.
    fn run(arguments: &[&str]) -> Self {
        // `script` gives its command a terminal, and hands on what is typed and what is shown.
        let command = format!("ulimit -c 0; exec {} {}", program().join(" "), arguments.join(" "));
        let mut script = Command::new("script")
            .args(["--quiet", "--return", "--flush", "--command", &command, "/dev/null"])
            .env("SHELL", "/bin/sh")
            .env("RUST_LOG", "off")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (keys, mut shown) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut octets = [0; 4096];
            while let Ok(length @ 1..) = shown.read(&mut octets) {
                let _ = sender.send(String::from_utf8_lossy(&octets[..length]).into_owned());
            }
        });
        Self { script, keys, screen, unseen: String::new() }
    }

    fn type_in(&mut self, keys: &str) {
        let _ = self.keys.write_all(keys.as_bytes());
    }

    /// Waits until this is shown, and returns what was shown before it.
    fn see(&mut self, text: &str) -> String {
        let text = text.replace('\n', "\r\n");
        loop {
            if let Some((before, behind)) = self.unseen.split_once(&text) {
                let (before, behind) = (before.to_string(), behind.to_string());
                self.unseen = behind;
                return before;
            }
            let more = self.screen.recv_timeout(PATIENCE);
            self.unseen += &more.unwrap_or_else(|_| panic!("no {text:?}, but {:?}", self.unseen));
        }
    }

    /// The exit code, which comes soon.
    fn ended(&mut self) -> Option<i32> {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if let Some(status) = self.script.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        None
    }
}

impl Drop for Terminal {
    /// Ends the process by SIGQUIT: it does not end because its terminal is gone.
    fn drop(&mut self) {
        self.type_in("\u{1c}");
        if self.ended().is_none() {
            // What it has started would live on without it.
            let id = self.script.id();
            let path = format!("/proc/{id}/task/{id}/children");
            let children = std::fs::read_to_string(path).unwrap_or_default();
            for child in children.split_whitespace().filter_map(|id| id.parse().ok()) {
                let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
            }
        }
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

/// Whether this machine has a `script` that takes these options: that of util-linux.
fn there_are_terminals() -> bool {
    let there =
        Command::new("script").arg("--version").stdout(Stdio::null()).status().is_ok_and(|s| s.success());
    if !there {
        eprintln!("skipped: no script of util-linux here, which makes terminals");
    }
    there
}

#[test]
fn every_command_at_a_terminal_says_what_to_type_next() {
    if !there_are_terminals() {
        return;
    }
    let fast = ["--bind", "127.0.0.1:0", "--preset", "fast"];
    let registrar = [&["registrar", "--id", "0x1", "--announce", "no"][..], &fast].concat();
    let mut registrar = Terminal::run(&registrar);
    registrar.see("registrar 0x1 listens on UDP ");
    let address = registrar.see("\n");
    registrar.see(&format!("next: in another terminal, rserpool serve echo --registrar {address}\n"));
    let serve = |id: &str| {
        let all = [&["serve", "sleep", "--registrar", &address, "--id", id][..], &fast].concat();
        let mut element = Terminal::run(&all);
        element.see("is registered at ");
        element.see(&format!("next: in another terminal, rserpool connect EchoPool --registrar {address}\n"));
        element
    };

    let first = serve("0x2001");
    let mut talk = Terminal::run(&["connect", "EchoPool", "--registrar", &address, "--preset", "fast"]);
    talk.see("connected to 0x2001\n");
    talk.see("type a line to send it; Ctrl-D ends.");
    // The sign stands before what is typed, and comes again when it was answered.
    for line in ["one", "two"] {
        talk.see("\n> ");
        talk.type_in(&format!("{line}\n"));
        talk.see(&format!("{line}\n0x2001: {line}"));
    }
    // Nothing is typed while the element dies: what is said takes the place of the sign.
    talk.see("\n> ");
    let _second = serve("0x2002");
    drop(first);
    talk.see("\rrserpool: element 0x2001 failed: ");
    talk.see("moved from 0x2001 to 0x2002, 0 requests sent again\n> ");
    // An answer takes long: the user is told what is waited for.
    talk.type_in("1500ms three\n");
    talk.see("waiting for an answer of 0x2002, or for it to fail\n0x2002: 1500ms three\n> ");

    for (command, next) in [
        ("pools", "rserpool resolve POOL, or rserpool connect POOL, with the same --registrar"),
        ("health", "rserpool pools, or rserpool stats --explain, with the same --registrar"),
        ("stats", "rserpool stats --explain, with the same --registrar, says what the words mean"),
        ("stats --explain", "rserpool pools, with the same --registrar"),
        ("resolve EchoPool", "rserpool connect EchoPool, with the same --registrar"),
        ("bench --elements 1 --seconds 1", &format!("rserpool stats --explain --registrar {address}")),
    ] {
        let mut tool = Terminal::run(&[command, "--registrar", &address]);
        tool.see(&format!("\nnext: {next}\n"));
        assert_eq!(tool.ended(), Some(0), "{command}");
    }

    talk.type_in("\u{4}");
    talk.see("\nnext: rserpool pools, with the same --registrar");
    assert_eq!(talk.ended(), Some(0));
}

/// Nobody is there: that is said after a second, with what may help, and not only when everything was tried.
#[test]
fn whoever_waits_is_told_for_what() {
    if !there_are_terminals() {
        return;
    }
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = socket.local_addr().unwrap().to_string();
    let mut element = Terminal::run(&["serve", "echo", "--registrar", &silent]);
    element.see("no registrar has answered so far; Ctrl-C ends\n");
    element.see(&format!("next: in another terminal, rserpool registrar --bind {silent}"));
    let mut talk = Terminal::run(&["connect", "EchoPool", "--registrar", &silent]);
    talk.see(&format!("no registrar answers so far ({silent}/3863); Ctrl-C ends\n"));
    talk.type_in("\u{3}");
    assert_eq!(talk.ended(), Some(0));
}
