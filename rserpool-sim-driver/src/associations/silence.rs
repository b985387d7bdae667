//! How long an association lives without a sign of its peer.

use std::time::Duration;

use rserpool_core::endpoint::{AbortCause, DownReason};

use super::association::{Association, State};
use super::{Associations, Surroundings};
use crate::id::HostId;
use crate::schedule::{AssociationStep, Repeat, Side};

impl Associations {
    /// Something has changed for all associations.
    pub(crate) fn reassess_all(&mut self, around: &mut Surroundings<'_>) {
        let keys: Vec<u64> = self.open.keys().copied().collect();
        keys.into_iter().for_each(|key| self.reassess(around, key));
    }

    /// Something has changed for the associations with an end on a host.
    pub(crate) fn reassess_host(&mut self, around: &mut Surroundings<'_>, host: HostId) {
        let keys: Vec<u64> = self.sockets[host.0].involved.iter().copied().collect();
        keys.into_iter().for_each(|key| self.reassess(around, key));
    }

    /// Something has changed for an association: an end that hears nothing any more counts down, and
    /// what could not be sent is sent.
    pub(super) fn reassess(&mut self, around: &mut Surroundings<'_>, key: u64) {
        for side in Side::BOTH {
            let Some(open) = self.open.get(&key) else { return };
            if !open.opener.is_known() && !open.acceptor.is_known() {
                for host in [open.opener.host, open.acceptor.host] {
                    self.sockets[host.0].involved.remove(&key);
                }
                self.open.remove(&key);
                return;
            }
            self.reassess_end(around, key, side);
        }
        self.debug_check(key);
    }

    fn reassess_end(&mut self, around: &mut Surroundings<'_>, key: u64, side: Side) {
        let now = around.now;
        let Some(open) = self.open.get(&key) else { return };
        let end = open.end(side);
        if matches!(end.state, State::Gone | State::Opening) {
            return;
        }
        let (host, watched) = (end.host, end.watched);
        let orphaned = !open.end(side.other()).is_known();
        let waits = !end.unsent.is_empty() || end.last_arrival > now;
        let flush = !end.unsent.is_empty() && self.can_pass(around, open, side);
        let sctp = around.hosts.get(host).sctp(self.sctp);
        let patience = sctp.max_silence + if waits { Duration::ZERO } else { sctp.heartbeat };
        let silent_at = match end.silent_at {
            _ if hears(around, open, side) => None,
            Some(at) => Some(at),
            None => {
                around.schedule.add_step(now + patience, AssociationStep::Silence { key, side });
                Some(now + patience)
            }
        };
        if orphaned && !watched {
            let step = AssociationStep::Orphan { key, side, repeat: Repeat::EachHeartbeat };
            around.schedule.add_step(now + self.sctp.heartbeat, step);
        }
        if flush {
            // Its retransmission timer expires at some moment within the longest time-out.
            let rto = self.sctp.rto_max.as_nanos() as u64;
            let wait = Duration::from_nanos(around.hosts.get_mut(host).draw(rto));
            around.schedule.add_step(now + wait, AssociationStep::Flush { key, side });
        }
        if let Some(open) = self.open.get_mut(&key) {
            open.end_mut(side).silent_at = silent_at;
            open.end_mut(side).watched = orphaned;
        }
    }

    pub(super) fn silence(&mut self, around: &mut Surroundings<'_>, key: u64, side: Side) {
        let silent = |open: &Association| open.end(side).silent_at.is_some_and(|at| at <= around.now);
        if self.open.get(&key).is_some_and(silent) {
            self.give_up(around, key, side);
        }
    }

    /// The peer counts as gone.
    pub(super) fn give_up(&mut self, around: &mut Surroundings<'_>, key: u64, side: Side) {
        if self.open.get(&key).is_some_and(|open| open.end(side).is_known()) {
            self.end(around, key, side, DownReason::Silent);
            self.send_abort(around, key, side, AbortCause::User);
        }
    }
}

/// Whether packets of the peer arrive at an end.
fn hears(around: &Surroundings<'_>, open: &Association, side: Side) -> bool {
    let (own, peer) = (open.end(side), open.end(side.other()));
    let arrives = peer.is_known()
        && around.hosts.get(peer.host).answers()
        && around.network.is_open(peer.host, own.host)
        && around.network.address(own.host) == own.address
        && around.network.address(peer.host) == peer.address;
    // A process that stands still cannot notice anything.
    arrives || !around.hosts.get(own.host).answers()
}
