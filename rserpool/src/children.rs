//! This program as other processes: those of the demonstration, and elements that are killed to measure failovers.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::exit::Failure;

/// How long a process may take to end after SIGTERM; it is to take 2 s at most.
const END_WITHIN: Duration = Duration::from_secs(3);

/// This program, running as another process. It is killed when the value is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    events: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts this program with these arguments; `name` is for error messages.
    pub(crate) fn start(name: impl Into<String>, arguments: &[&str]) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        // What the caller has set for one command must not change the others.
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("RSERPOOL_") {
                command.env_remove(variable);
            }
        }
        // The log would tear the timeline apart; RUST_LOG brings it back.
        if std::env::var_os("RUST_LOG").is_none() {
            command.env("RUST_LOG", "off");
        }
        let name = name.into();
        let mut child =
            command.spawn().map_err(|error| Failure::failed(format!("cannot start {name}: {error}")))?;
        let output = child.stdout.take().ok_or_else(|| Failure::failed("a process without output"))?;
        Ok(Self { name, child, events: BufReader::new(output).lines() })
    }

    /// The next event that the process prints; an error when its output ends. Cancel safe.
    pub(crate) async fn next_event(&mut self) -> Result<Value, Failure> {
        match self.events.next_line().await? {
            Some(line) => serde_json::from_str(&line)
                .map_err(|error| Failure::failed(format!("{}: \"{line}\": {error}", self.name))),
            None => Err(Failure::failed(format!("{} has ended unexpectedly", self.name))),
        }
    }

    /// Waits for an event of this kind.
    pub(crate) async fn expect(&mut self, kind: &str, within: Duration) -> Result<Value, Failure> {
        let late = Failure::failed(format!("{}: no event \"{kind}\" within {within:?}", self.name));
        let wait = async {
            loop {
                let event = self.next_event().await?;
                if event["event"] == kind {
                    return Ok(event);
                }
            }
        };
        tokio::time::timeout(within, wait).await.map_err(|_| late)?
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Failure> {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok());
        let pid = pid.ok_or_else(|| Failure::failed(format!("{} has ended", self.name)))?;
        kill(Pid::from_raw(pid), signal)
            .map_err(|error| Failure::failed(format!("{}: {signal}: {error}", self.name)))
    }

    /// Writes a line to its input.
    pub(crate) async fn write(&mut self, line: &str) -> Result<(), Failure> {
        if let Some(input) = &mut self.child.stdin {
            input.write_all(format!("{line}\n").as_bytes()).await?;
            input.flush().await?;
        }
        Ok(())
    }

    /// Closes its input.
    pub(crate) fn close_input(&mut self) {
        self.child.stdin = None;
    }

    /// Waits until the process has ended by itself.
    pub(crate) async fn ended(&mut self) -> Result<ExitStatus, Failure> {
        match tokio::time::timeout(END_WITHIN, self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => Err(Failure::failed(format!("{} did not end within {END_WITHIN:?}", self.name))),
        }
    }

    /// Ends the process with SIGTERM; an error unless it ends in time and with 0.
    pub(crate) async fn stop(&mut self) -> Result<(), Failure> {
        self.signal(Signal::SIGTERM)?;
        let status = self.ended().await?;
        if status.success() { Ok(()) } else { Err(Failure::failed(format!("{}: {status}", self.name))) }
    }

    /// Kills the process, whatever state it is in, and waits for it.
    pub(crate) async fn kill(&mut self) {
        let _ = self.child.kill().await;
    }
}
