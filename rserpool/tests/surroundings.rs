//! Daemons in bad surroundings: outputs that are closed, full or not read, few descriptors, no rights, no home.
//! None of it ends them, and they still do their work.

#![allow(clippy::unwrap_used, reason = "only tests use this")]

#[allow(dead_code)]
mod support;

use std::fs::File;
use std::io::Read;
use std::net::UdpSocket;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::{PATIENCE, Process, run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_rserpool");

/// A daemon that is killed at the end of its test.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Daemon {
    fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.0.id()).unwrap()), signal).unwrap();
    }

    /// Sends SIGTERM and gives the exit code, or the number of the signal that killed it.
    fn terminate(mut self) -> i32 {
        self.signal(Signal::SIGTERM);
        let begin = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code().or_else(|| status.signal()).unwrap();
            }
            assert!(begin.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A port that is free, most likely still when it is used.
fn free_address() -> String {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn registrar(address: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["registrar", "--bind", address, "--id", "0x1", "--preset", "fast", "--announce", "no"]);
    command
}

fn element(registrars: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "echo", "--registrar", registrars, "--bind", "127.0.0.1:0", "--id", "0x2001"]);
    command.args(["--preset", "fast"]);
    command
}

fn shell(script: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script, PROGRAM]).args(arguments);
    command
}

/// Waits until the element is listed there.
fn await_listed(registrar: &str) {
    let begin = Instant::now();
    loop {
        let resolve = ["resolve", "EchoPool", "--registrar", registrar, "--preset", "fast", "--json"];
        if run(&resolve).stdout.contains("\"0x2001\"") {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "not listed");
    }
}

fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

/// A pipe whose reader is gone.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn daemons_live_on_without_anybody_who_reads_what_they_say() {
    let outputs: [fn() -> (Stdio, Stdio); 4] = [
        || (closed(), closed()),
        || (full().into(), full().into()),
        || (closed(), Stdio::null()),
        || (Stdio::null(), full().into()),
    ];
    for outputs in outputs {
        let address = free_address();
        let start = |command: &mut Command| {
            let (stdout, stderr) = outputs();
            Daemon::start(command.stdout(stdout).stderr(stderr))
        };
        let (registrar, element) = (start(&mut registrar(&address)), start(&mut element(&address)));
        await_listed(&address);
        assert_eq!((element.terminate(), registrar.terminate()), (0, 0));
    }
}

/// The finding: the element left its pool, with exit code 0, when it could not print its new home.
#[test]
fn an_element_stays_in_its_pool_when_its_home_dies_and_its_output_is_gone() {
    for output in [closed as fn() -> Stdio, || full().into()] {
        let (first, a) = Process::registrar_at("127.0.0.1:0", "0x1", &[]);
        let (_second, b) = Process::registrar_at("127.0.0.1:0", "0x2", &["--peer", &a]);
        let element = Daemon::start(element(&format!("{a},{b}")).stdout(output()).stderr(Stdio::null()));
        await_listed(&b);
        drop(first);
        // Long enough for the takeover, and for the element to have heard of it.
        std::thread::sleep(Duration::from_secs(3));
        await_listed(&b);
        assert_eq!(element.terminate(), 0);
    }
}

/// The finding: a full pipe on stderr froze a registrar for good.
#[test]
fn a_reader_of_the_log_that_stalls_stops_nobody() {
    let address = free_address();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let registrar = Daemon::start(
        registrar(&address).args(["--log-filter", "trace"]).stdout(Stdio::null()).stderr(writer),
    );
    let element = Daemon::start(element(&address).stdout(Stdio::null()).stderr(Stdio::null()));
    await_listed(&address);
    // Far more lines than a pipe holds.
    let load = ["bench", "--registrar", &address, "--elements", "150", "--users", "0", "--seconds", "1"];
    assert_eq!(run(&load).code, Some(0));
    assert_eq!(run(&load).code, Some(0));
    await_listed(&address);
    support::until(|| {
        let load = run(&load).code;
        let told = run(&["stats", "--registrar", &address, "--json"]).stdout;
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        load == Some(0) && told["counters"]["log_lines_lost"].as_u64().unwrap() > 0
    });
    drop(element);
    assert_eq!(registrar.terminate(), 0);
    let mut log = String::new();
    reader.read_to_string(&mut log).unwrap();
    assert!(log.contains("element registered"), "{log}");
}

#[test]
fn few_descriptors_a_read_only_directory_no_home_and_no_rights() {
    let scripts = [
        "ulimit -n 12; exec \"$0\" \"$@\"",
        "cd /proc/self && exec \"$0\" \"$@\"",
        "exec env -i \"$0\" \"$@\"",
        "export RSERPOOL_BIND=x RSERPOOL_CONFIG=/nowhere RSERPOOL_PORT=tcp://10.0.0.1:1 RSERPOOL_ID=0 \
         RSERPOOL_USER_BIND=nonsense RSERPOOL_INSPECTOR_PRESET=none RSERPOOL_REGISTRAR_COLOUR=red \
         RSERPOOL_ELEMENT_COLOUR=red; exec \"$0\" \"$@\"",
        "exec 1>&- 2>&- 0<&-; exec \"$0\" \"$@\"",
    ];
    for script in scripts {
        check_started_by(script);
    }
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        check_started_by("exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$0\" \"$@\"");
        check_started_by("exec unshare --pid --fork --kill-child \"$0\" \"$@\"");
    } else {
        eprintln!("skipped: not root, so neither uid nobody nor PID 1 is tried");
    }
}

/// A registrar and an element that this script starts do their work, and end with 0.
fn check_started_by(script: &str) {
    let address = free_address();
    let arguments = |command: &Command| -> Vec<String> {
        command.get_args().map(|argument| argument.to_str().unwrap().to_string()).collect()
    };
    let start = |command: Command| {
        let arguments = arguments(&command);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Daemon::start(shell(script, &arguments).stdout(Stdio::null()).stderr(Stdio::null()))
    };
    let (registrar, element) = (start(registrar(&address)), start(element(&address)));
    await_listed(&address);
    if script.contains("unshare") {
        // The signal reaches unshare, which kills its child: that PID 1 works is all there is to see.
        return;
    }
    assert_eq!((element.terminate(), registrar.terminate()), (0, 0), "{script}");
}

#[test]
fn hangup_ends_no_daemon_and_nohup_is_heeded() {
    let (_registrar, address) = Process::registrar(&[]);
    for script in ["exec \"$0\" \"$@\"", "trap '' HUP; exec \"$0\" \"$@\""] {
        let command = element(&address);
        let arguments: Vec<&str> = command.get_args().filter_map(|argument| argument.to_str()).collect();
        let element = Daemon::start(shell(script, &arguments).stdout(Stdio::null()).stderr(Stdio::null()));
        await_listed(&address);
        element.signal(Signal::SIGHUP);
        std::thread::sleep(Duration::from_millis(300));
        await_listed(&address);
        assert_eq!(element.terminate(), 0);
    }
}

/// The finding: a message about the failure was itself a panic.
#[test]
fn a_tool_that_cannot_speak_ends_with_1() {
    let (_registrar, address) = Process::registrar(&[]);
    for arguments in [
        &["resolve", "NoSuchPool", "--registrar", &address][..],
        &["pools", "--registrar", &address],
        &["stats", "--registrar", &address],
        &["decode", "--protocol", "asap", "05000010", "0009000c", "4563686f506f6f6c"],
        &["--help"],
        &["man"],
        &["completions", "bash"],
    ] {
        let mut command = Command::new(PROGRAM);
        let status = command.args(arguments).stdout(full()).stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(1), "{arguments:?}: {status}");
    }
}
