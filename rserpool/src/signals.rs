//! The signals that end the program, and the one that makes it read its configuration again.
//!
//! A signal that is ignored when the program starts, as under `nohup`, stays ignored.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Failure;

/// How long leaving may take after SIGTERM or Ctrl-C; the process ends within 2 s.
pub(crate) const LEAVE_WITHIN: Duration = Duration::from_millis(1_800);
/// The same for a registrar, which hands its elements over to its peers first; it ends within 5 s.
pub(crate) const HAND_OVER_WITHIN: Duration = Duration::from_millis(4_800);

/// SIGTERM and SIGINT.
pub(crate) struct Termination {
    terminate: Heard,
    interrupt: Heard,
}

impl Termination {
    /// From now on these signals do not end the process by themselves.
    pub(crate) fn new() -> Result<Self, Failure> {
        let terminate = Heard::new(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: Heard::new(SignalKind::interrupt())? })
    }

    /// Waits for either of them.
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            () = self.terminate.wait() => {}
            () = self.interrupt.wait() => {}
        }
    }
}

/// SIGHUP: from now on it does not end the process. Log rotation sends it, and a terminal that is closed; neither
/// is a reason to leave a pool.
pub(crate) fn hangup() -> Result<Heard, Failure> {
    Heard::new(SignalKind::hangup())
}

/// One signal; `None` if it is ignored.
pub(crate) struct Heard(Option<Signal>);

impl Heard {
    fn new(kind: SignalKind) -> Result<Self, Failure> {
        if is_ignored(kind) { Ok(Self(None)) } else { Ok(Self(Some(signal(kind)?))) }
    }

    /// Waits until it comes. Cancel safe.
    pub(crate) async fn wait(&mut self) {
        match &mut self.0 {
            Some(signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    }
}

/// Whether whoever has started this process wants it to ignore a signal. Where there is no `/proc`, as outside
/// of Linux, nobody can be asked without unsafe code, and every signal is heard.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored(&status).is_some_and(|mask| mask >> (kind.as_raw_value() - 1) & 1 == 1)
}

/// The set of ignored signals, a bit for each, in what Linux says of a process.
fn ignored(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ignored_signals_are_read() {
        let status = "Name:\trserpool\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t0\n";
        assert_eq!(ignored(status), Some(0x1001), "SIGHUP is 1, SIGPIPE is 13");
        assert_eq!(ignored("Name:\trserpool\n"), None);
    }
}
