//! How associations end.

use rserpool_core::base::AssociationId;
use rserpool_core::endpoint::{AbortCause, AbortReason, DownReason, Event};

use super::association::State;
use super::{Associations, Surroundings};
use crate::id::HostId;
use crate::schedule::{AssociationStep, Repeat, Side};

impl Associations {
    /// A process ends an association at once.
    pub(crate) fn abort(
        &mut self,
        around: &mut Surroundings<'_>,
        host: HostId,
        association: AssociationId,
        cause: AbortCause,
    ) {
        if let Some((key, side)) = self.known(host, association) {
            self.end(around, key, side, DownReason::Local);
            self.send_abort(around, key, side, cause);
        }
    }

    /// A process does not know its end any more, and is told that it is gone.
    pub(super) fn end(&mut self, around: &mut Surroundings<'_>, key: u64, side: Side, reason: DownReason) {
        let Some(open) = self.open.get_mut(&key) else { return };
        let end = open.end_mut(side);
        if !end.is_known() {
            return;
        }
        end.state = State::Gone;
        let (host, association, path) = (end.host, end.id, open.path(side));
        let sockets = &mut self.sockets[host.0];
        sockets.known.remove(&association);
        if sockets.paths.get(&path) == Some(&(key, side)) {
            sockets.paths.remove(&path);
        }
        around.input_soon(host, Event::Disconnected { association, reason });
        self.reassess(around, key);
    }

    /// Tells the peer with a packet that is not sent again.
    pub(super) fn send_abort(
        &mut self,
        around: &mut Surroundings<'_>,
        key: u64,
        side: Side,
        cause: AbortCause,
    ) {
        let Some(open) = self.open.get(&key) else { return };
        let (from, to) = (open.end(side).host, open.end(side.other()).host);
        let passes = self.can_pass(around, open, side);
        if let Some(delay) = around.network.datagram(from, to).filter(|_| passes) {
            let step = AssociationStep::Abort { key, side: side.other(), cause };
            around.schedule.add_step(around.now + delay, step);
        }
    }

    pub(super) fn abort_arrives(
        &mut self,
        around: &mut Surroundings<'_>,
        key: u64,
        side: Side,
        cause: AbortCause,
    ) {
        let reason = match cause {
            AbortCause::OutOfResource => DownReason::Busy,
            AbortCause::User | AbortCause::ProtocolViolation => DownReason::Aborted(AbortReason::default()),
        };
        self.end(around, key, side, reason);
    }

    pub(super) fn close_deadline(&mut self, around: &mut Surroundings<'_>, key: u64, side: Side) {
        if self.open.get(&key).is_some_and(|open| open.end(side).is_known()) {
            self.end(around, key, side, DownReason::Local);
            self.send_abort(around, key, side, AbortCause::User);
        }
    }

    /// An end whose peer does not know the association sends a packet: a heartbeat, or a message.
    pub(super) fn orphan(&mut self, around: &mut Surroundings<'_>, key: u64, side: Side, repeat: Repeat) {
        let Some(open) = self.open.get(&key) else { return };
        let (own, peer) = (open.end(side), open.end(side.other()));
        if own.state != State::Up || peer.is_known() {
            return;
        }
        let (a, b) = (own.host, peer.host);
        let answered = self.can_pass(around, open, side) && around.hosts.get(b).answers();
        let there_and_back = match answered {
            true => around.network.datagram(a, b).zip(around.network.datagram(b, a)),
            false => None,
        };
        match (there_and_back, repeat) {
            (Some((there, back)), _) => {
                let step = AssociationStep::Abort { key, side, cause: AbortCause::User };
                around.schedule.add_step(around.now + (there + back), step);
            }
            (None, Repeat::Never) => {}
            (None, Repeat::EachHeartbeat) => {
                let step = AssociationStep::Orphan { key, side, repeat };
                around.schedule.add_step(around.now + self.sctp.heartbeat, step);
            }
        }
    }

    /// The process of a host is gone, and with it all that it knew.
    pub(crate) fn forget_all(&mut self, around: &mut Surroundings<'_>, host: HostId) {
        for (_, attempt) in std::mem::take(&mut self.sockets[host.0].attempts) {
            if let Some(key) = attempt.accepted
                && let Some(open) = self.open.get_mut(&key)
            {
                open.opener.state = State::Gone;
                self.reassess(around, key);
            }
        }
        self.sockets[host.0].paths.clear();
        for (_, (key, side)) in std::mem::take(&mut self.sockets[host.0].known) {
            if let Some(open) = self.open.get_mut(&key) {
                open.end_mut(side).state = State::Gone;
                self.reassess(around, key);
            }
        }
        debug_assert!(self.sockets[host.0].known.is_empty(), "a dead process knows no association");
    }
}
