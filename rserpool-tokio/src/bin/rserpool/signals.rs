//! The signals that end the program, and the one that makes it read its configuration again.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Failure;

/// How long leaving may take after SIGTERM or Ctrl-C; the process ends within 2 s.
pub(crate) const LEAVE_WITHIN: Duration = Duration::from_millis(1_800);

/// SIGTERM and SIGINT.
pub(crate) struct Termination {
    terminate: Signal,
    interrupt: Signal,
}

impl Termination {
    /// From now on these signals do not end the process by themselves.
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for either.
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// SIGHUP.
pub(crate) fn hangup() -> Result<Signal, Failure> {
    Ok(signal(SignalKind::hangup())?)
}
