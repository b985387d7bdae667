//! How an association closes (RFC 9260 section 9.2).

use std::time::Duration;

use bytes::Bytes;
use rserpool_core::base::Instant;
use rserpool_core::endpoint::DownReason;

use super::{Association, End};
use crate::sctp::chunk::{self, cause, kind};
use crate::sctp::config::SctpConfig;
use crate::sctp::engine::Engine;
use crate::sctp::packet::Chunk;
use crate::sctp::shared::Core;

/// The states of RFC 9260 section 4 from ESTABLISHED on.
#[derive(Debug)]
pub(super) enum Phase {
    Open,
    /// SHUTDOWN-PENDING: our endpoint wants to close; what is queued goes out first.
    Pending(Instant),
    /// SHUTDOWN-SENT, and when to give up.
    Sent(Instant, Retry),
    /// SHUTDOWN-RECEIVED: the peer wants to close; what is queued goes out first.
    Received(Instant),
    /// SHUTDOWN-ACK-SENT: both sides have everything, only the peer's last word is missing.
    Acknowledged(Instant, Retry),
}

/// When to send something again: the wait doubles up to RTO.Max.
#[derive(Clone, Copy, Debug)]
pub(in crate::sctp) struct Retry {
    pub(in crate::sctp) at: Instant,
    wait: Duration,
}

/// For how many times RTO.Initial a SHUTDOWN ACK is sent again. Everything has been delivered by then.
const SHUTDOWN_ACK_WAITS: u32 = 4;

impl<E: Engine> Association<E> {
    /// Our endpoint wants to close.
    pub(in crate::sctp) fn shutdown(&mut self, core: &mut Core, deadline: Instant) {
        self.leaving = true;
        match &mut self.phase {
            Phase::Open => self.phase = Phase::Pending(deadline),
            Phase::Received(until) => *until = deadline.min(*until),
            Phase::Pending(_) | Phase::Sent(..) | Phase::Acknowledged(..) => {}
        }
        self.advance(core);
    }

    /// The peer wants to close.
    pub(super) fn peer_shutdown(&mut self, core: &Core) {
        match &self.phase {
            Phase::Open => self.phase = Phase::Received(core.now + core.config.shutdown_guard),
            // Both sides want it. What is still queued goes out first.
            Phase::Pending(until) | Phase::Sent(until, _) => self.phase = Phase::Received(*until),
            Phase::Received(_) => {}
            Phase::Acknowledged(..) => self.answer(Chunk::new(kind::SHUTDOWN_ACK, Bytes::new())),
        }
    }

    /// Takes the next step of a shutdown once the peer has everything, and our endpoint, too.
    pub(super) fn advance(&mut self, core: &mut Core) {
        if !self.ledger.is_empty() || self.receiver.has_message() {
            return;
        }
        let retry = Retry::new(core.now, &core.config);
        match self.phase {
            Phase::Pending(until) => {
                self.phase = Phase::Sent(until, retry);
                self.shutdown_due = true;
            }
            Phase::Received(_) => {
                let until = core.now + core.config.rto_initial * SHUTDOWN_ACK_WAITS;
                self.phase = Phase::Acknowledged(until, retry);
                self.answer(Chunk::new(kind::SHUTDOWN_ACK, Bytes::new()));
                // The peer's SHUTDOWN says that it has nothing more, and it has all of ours.
                let end = self.end(DownReason::PeerShutdown, None);
                core.disconnected(self.id, end.reason);
                self.named = false;
            }
            Phase::Open | Phase::Sent(..) | Phase::Acknowledged(..) => {}
        }
    }

    /// Time has passed for the shutdown. Whether anything else of the association still counts.
    pub(super) fn phase_due(&mut self, core: &mut Core) -> Result<bool, End> {
        let now = core.now;
        match &mut self.phase {
            Phase::Pending(until) | Phase::Sent(until, _) | Phase::Received(until) if *until <= now => {
                return Err(self.end(
                    DownReason::PeerShutdown,
                    Some(chunk::abort(cause::USER_ABORT, "shutdown took too long")),
                ));
            }
            Phase::Sent(_, retry) if retry.is_due(now) => {
                retry.back_off(now, &core.config);
                self.shutdown_due = true;
                self.destinations.suspect(now, &core.config);
            }
            Phase::Acknowledged(until, _) if *until <= now => {
                return Err(self.end(DownReason::PeerShutdown, None));
            }
            Phase::Acknowledged(_, retry) => {
                if retry.is_due(now) {
                    retry.back_off(now, &core.config);
                    self.destinations.suspect(now, &core.config);
                    let acknowledgement = Chunk::new(kind::SHUTDOWN_ACK, Bytes::new());
                    let remote = self.destinations.carry();
                    self.emit(core, remote, &[acknowledgement]);
                }
                // From here on only the limit above counts.
                return Ok(false);
            }
            _ => {}
        }
        Ok(true)
    }
}

impl Phase {
    /// When it wants to be looked at, if the rest of the association wants that at `alive`.
    pub(super) fn deadline(&self, alive: Instant) -> Instant {
        match self {
            Self::Open => alive,
            Self::Pending(until) | Self::Received(until) => alive.min(*until),
            Self::Sent(until, retry) => alive.min(*until).min(retry.at),
            Self::Acknowledged(until, retry) => retry.at.min(*until),
        }
    }
}

impl Retry {
    pub(in crate::sctp) fn new(now: Instant, config: &SctpConfig) -> Self {
        let wait = config.rto_initial.max(Duration::from_millis(1));
        Self { at: now + wait, wait }
    }

    pub(in crate::sctp) fn is_due(&self, now: Instant) -> bool {
        self.at <= now
    }

    pub(in crate::sctp) fn back_off(&mut self, now: Instant, config: &SctpConfig) {
        self.wait = (self.wait * 2).min(config.rto_max).max(Duration::from_millis(1));
        self.at = now + self.wait;
    }
}
