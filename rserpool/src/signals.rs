//! The signals that end the program, and the one that makes it read its configuration again.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Failure;

/// How long leaving may take after SIGTERM or Ctrl-C; the process ends within 2 s.
pub(crate) const LEAVE_WITHIN: Duration = Duration::from_millis(1_800);
/// The same for a registrar, which hands its elements over to its peers first; it ends within 5 s.
pub(crate) const HAND_OVER_WITHIN: Duration = Duration::from_millis(4_800);

/// SIGTERM and SIGINT, and for all but a registrar SIGHUP: the terminal was closed.
pub(crate) struct Termination {
    terminate: Signal,
    interrupt: Signal,
    hangup: Option<Signal>,
}

impl Termination {
    /// From now on these signals do not end the process by themselves.
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self { hangup: Some(hangup()?), ..Self::without_hangup()? })
    }

    /// The same for a program that has another use for SIGHUP.
    pub(crate) fn without_hangup() -> Result<Self, Failure> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt, hangup: None })
    }

    /// Waits for any of them.
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            () = hung_up(&mut self.hangup) => {}
        }
    }
}

/// SIGHUP.
pub(crate) fn hangup() -> Result<Signal, Failure> {
    Ok(signal(SignalKind::hangup())?)
}

async fn hung_up(hangup: &mut Option<Signal>) {
    match hangup {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
