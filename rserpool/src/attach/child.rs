//! The server that is started beside its element, and started again when it ends.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::json;
use tokio::process::Command;
use tokio::time::Instant;

use crate::exit::Failure;
use crate::output;

/// After how long a command that has ended is started again; then twice as long, and so on.
const AGAIN: Duration = Duration::from_secs(1);
/// The longest pause.
const AGAIN_MAX: Duration = Duration::from_secs(30);
/// A command that has run for so long is not one that cannot start.
const RUNS: Duration = Duration::from_secs(60);

/// A command and its arguments.
pub(super) struct ChildCommand {
    words: Vec<OsString>,
    stop_timeout: Duration,
    json: bool,
}

impl ChildCommand {
    /// `None` if there are no words.
    pub(super) fn new(words: Vec<OsString>, stop_timeout: Duration, json: bool) -> Option<Self> {
        (!words.is_empty()).then_some(Self { words, stop_timeout, json })
    }

    /// Starts it in a process group of its own: Ctrl-C is to reach it only when its connections have ended. What it
    /// prints goes to the standard error output, where it does not disturb our events.
    fn spawn(&self) -> std::io::Result<tokio::process::Child> {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).stdin(Stdio::null()).stdout(Stdio::from(std::io::stderr()));
        command.process_group(0).kill_on_drop(true).spawn()
    }

    fn tell(&self, event: &str, what: &str, more: serde_json::Value) {
        let name = self.words[0].to_string_lossy();
        if self.json {
            let mut line = json!({ "event": event, "command": name });
            if let (Some(line), serde_json::Value::Object(more)) = (line.as_object_mut(), more) {
                line.extend(more);
            }
            output::event(line);
        } else {
            output::event(format_args!("{name} {what}"));
        }
    }

    fn tell_started(&self, child: &tokio::process::Child) {
        let id = child.id().unwrap_or_default();
        self.tell("command_started", &format!("is started as process {id}"), json!({ "process": id }));
    }
}

/// A command that is kept running.
pub(super) struct Child {
    command: ChildCommand,
    state: State,
    pause: Duration,
}

enum State {
    Runs { child: tokio::process::Child, since: Instant },
    Waits { until: Instant },
}

impl Child {
    /// Starts it for the first time.
    ///
    /// # Errors
    /// If there is no such command.
    pub(super) fn start(command: ChildCommand) -> Result<Self, Failure> {
        let child = command.spawn().map_err(|error| {
            Failure::failed(format!("cannot start {}: {error}", command.words[0].to_string_lossy()))
        })?;
        command.tell_started(&child);
        Ok(Self { command, state: State::Runs { child, since: Instant::now() }, pause: AGAIN })
    }

    /// Waits until it has ended or was started again, and says whether it runs. Cancel safe.
    async fn changed(&mut self) -> bool {
        match &mut self.state {
            State::Runs { child, since } => {
                let status = match child.wait().await {
                    Ok(status) => status.to_string(),
                    Err(error) => error.to_string(),
                };
                if since.elapsed() >= RUNS {
                    self.pause = AGAIN;
                }
                let pause = self.pause;
                self.pause = (pause * 2).min(AGAIN_MAX);
                self.state = State::Waits { until: Instant::now() + pause };
                let said = format!("has ended ({status}); it is started again in {pause:?}");
                let more = json!({ "status": status, "again_in_seconds": pause.as_secs_f64() });
                self.command.tell("command_ended", &said, more);
                false
            }
            State::Waits { until } => {
                tokio::time::sleep_until(*until).await;
                match self.command.spawn() {
                    Ok(child) => {
                        self.command.tell_started(&child);
                        self.state = State::Runs { child, since: Instant::now() };
                        true
                    }
                    Err(error) => {
                        tracing::error!(%error, again_in = ?self.pause, "the command cannot be started");
                        self.state = State::Waits { until: Instant::now() + self.pause };
                        self.pause = (self.pause * 2).min(AGAIN_MAX);
                        false
                    }
                }
            }
        }
    }

    /// Ends it with SIGTERM, and with SIGKILL if it takes too long or somebody is in a `hurry`.
    pub(super) async fn stop(self, hurry: impl Future<Output = ()>) {
        let State::Runs { mut child, .. } = self.state else { return };
        let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()) else { return };
        let group = Pid::from_raw(id);
        // It may have ended this very moment.
        let _ = killpg(group, Signal::SIGTERM);
        tokio::select! {
            _ = child.wait() => return,
            () = tokio::time::sleep(self.command.stop_timeout) => {}
            () = hurry => {}
        }
        tracing::warn!(command = %self.command.words[0].to_string_lossy(), "the command does not end, and is killed");
        let _ = killpg(group, Signal::SIGKILL);
        let _ = child.wait().await;
    }
}

/// Waits until the command, if there is one, has ended or runs again, and says whether it runs.
pub(super) async fn changed(child: &mut Option<Child>) -> bool {
    match child {
        Some(child) => child.changed().await,
        None => std::future::pending().await,
    }
}
