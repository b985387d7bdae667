//! The real program in real processes, each bounded in time and killed at the end of its test.

#![allow(clippy::unwrap_used, reason = "only tests use this")]

mod schema;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long anything may take on a machine that is busy with something else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How a process ended, and what it said.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A process of the program, in the background.
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<String>,
    errors: Receiver<String>,
}

/// The words that start the program as at a terminal. Whoever runs the tests in the background may have them ignore
/// signals, and the program would go on ignoring them.
pub(crate) fn program() -> Vec<&'static str> {
    let program = env!("CARGO_BIN_EXE_rserpool");
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let signals = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT];
    if signals.iter().any(|signal| ignored & 1 << (*signal as u64 - 1) != 0) {
        vec!["env", "--default-signal=HUP,INT,QUIT", program]
    } else {
        vec![program]
    }
}

/// Runs the program to its end.
pub(crate) fn run(arguments: &[&str]) -> Outcome {
    run_with(arguments, "", &[])
}

/// Runs the program to its end with this input and environment.
pub(crate) fn run_with(arguments: &[&str], input: &str, environment: &[(&str, &str)]) -> Outcome {
    let mut process = Process::start_with(arguments, environment);
    process.write(input);
    process.input = None;
    process.finish()
}

impl Process {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    pub(crate) fn start_with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let words = program();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(arguments).envs(environment.iter().copied());
        Self::spawn(command)
    }

    /// Starts the program in a network namespace.
    pub(crate) fn start_in(namespace: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace, env!("CARGO_BIN_EXE_rserpool")]).args(arguments);
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command
            .env_remove("RUST_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let output = lines(child.stdout.take().unwrap());
        let errors = lines(child.stderr.take().unwrap());
        Self { child, input, output, errors }
    }

    /// Starts the program by a script of the shell, which has it and its arguments as `"$0" "$@"`.
    pub(crate) fn start_by(script: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", script, env!("CARGO_BIN_EXE_rserpool")]).args(arguments);
        Self::spawn(command)
    }

    /// A registrar with the fast preset on a free port, and its address.
    pub(crate) fn registrar(arguments: &[&str]) -> (Self, String) {
        Self::registrar_at("127.0.0.1:0", "0x1", arguments)
    }

    /// The same with this address and identifier.
    pub(crate) fn registrar_at(bind: &str, id: &str, arguments: &[&str]) -> (Self, String) {
        let registrar = Self::start_registrar(bind, id, arguments);
        let line = registrar.line();
        if let Ok(event) = serde_json::from_str::<serde_json::Value>(&line) {
            return (registrar, event["bind"].as_str().unwrap().to_string());
        }
        let address = line.rsplit(' ').next().unwrap().to_string();
        assert_eq!(line, format!("registrar {id} listens on UDP {address}"));
        (registrar, address)
    }

    /// The same, not waited for.
    pub(crate) fn start_registrar(bind: &str, id: &str, arguments: &[&str]) -> Self {
        let mut all = vec!["registrar", "--bind", bind, "--id", id, "--preset", "fast", "--announce", "no"];
        all.extend(arguments);
        Self::start(&all)
    }

    /// An echo element that is registered.
    pub(crate) fn element(registrar: &str, id: &str) -> Self {
        let element = Self::start_element("echo", registrar, &["--id", id]);
        let line = element.line();
        assert!(line.starts_with(&format!("element {id} on UDP 127.0.0.1:")), "{line}");
        assert!(line.ends_with(&format!("is registered at {registrar}/3863")), "{line}");
        element
    }

    /// An element with this service and the fast preset, not waited for; several registrars have commas between them.
    pub(crate) fn start_element(service: &str, registrars: &str, arguments: &[&str]) -> Self {
        let mut all = vec!["serve", service, "--registrar", registrars];
        all.extend(["--bind", "127.0.0.1:0", "--preset", "fast"]);
        all.extend(arguments);
        Self::start(&all)
    }

    pub(crate) fn write(&mut self, text: &str) {
        // A process that has ended already takes no input, and need not.
        let _ = self.input.as_mut().unwrap().write_all(text.as_bytes());
    }

    /// The next line of the standard output.
    pub(crate) fn line(&self) -> String {
        self.output.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            panic!("no line on stdout; stderr: {:?}", self.errors.try_iter().collect::<Vec<_>>())
        })
    }

    /// Waits for a line of the standard error output that contains this text.
    pub(crate) fn error_with(&self, text: &str) -> String {
        loop {
            let line =
                self.errors.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no \"{text}\" on stderr"));
            if line.contains(text) {
                return line;
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) fn terminate(self) -> Outcome {
        self.signal(Signal::SIGTERM);
        self.finish()
    }

    /// Closes the input and waits for the end.
    pub(crate) fn finish(mut self) -> Outcome {
        self.input = None;
        let begin = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(begin.elapsed() < PATIENCE, "the process does not end"),
            }
            thread::sleep(Duration::from_millis(5));
        };
        let text = |lines: &Receiver<String>| lines.iter().map(|line| line + "\n").collect();
        Outcome { code: status.code(), stdout: text(&self.output), stderr: text(&self.errors) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Checks one value against the schema of a command, and returns it.
pub(crate) fn check(schema: &str, text: &str) -> serde_json::Value {
    let value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{schema}: {error}: {text}"));
    schema::check(schema, &value).unwrap_or_else(|error| panic!("{schema}: {error}: {text}"));
    value
}

/// Waits until something is so.
pub(crate) fn until(mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "it never is");
    }
}
