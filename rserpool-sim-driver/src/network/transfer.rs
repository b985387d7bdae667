//! How modelled associations come up, carry messages and break, as those of SCTP do.
//!
//! * A connection needs both directions; it is tried again until its deadline. Two hosts that
//!   connect to each other between the same ports get one association.
//! * A peer that is not heard for the configured silence is given up.
//! * A process that does not know an association, because it has restarted or has ended it,
//!   answers its packets with an ABORT; a new one between the same ports replaces it.
//! * A shutdown delivers first what is queued in both directions, and becomes an abort at its
//!   deadline.
//!
//! Not modelled: flow control, so that there is no congestion, and several addresses of one host.

use std::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, ProtocolId};
use rserpool_core::endpoint::{AbortReason, Action, Channel, DownReason, Event};

use crate::hosts::Input;
use crate::id::{HostId, UDP_PORT};
use crate::network::{Association, Item, Side, State};
use crate::world::Occurrence;
use crate::world::World;

impl World {
    /// Does what an endpoint wants done.
    pub(crate) fn carry_out(&mut self, host: HostId, action: Action) {
        match action {
            Action::Connect { request, local_port, peer, deadline } => {
                self.connect(host, request, local_port, peer, deadline);
            }
            Action::CancelConnect { request } => {
                if let Some(attempt) = self.host_mut(host).attempts.remove(&request) {
                    self.abandon(&attempt);
                }
            }
            Action::Send { association, protocol, stream, bytes } => {
                self.check_message(host, association, protocol, &bytes);
                let Some((key, side)) = self.known(host, association) else { return };
                if self.associations.get(&key).is_some_and(|a| a.end(side).state == State::Up) {
                    self.capture(key, side, stream, protocol, &bytes);
                    self.push(key, side, Item::Message { protocol, stream, bytes });
                }
            }
            Action::Shutdown { association, deadline } => {
                let Some((key, side)) = self.known(host, association) else { return };
                let Some(open) = self.associations.get_mut(&key) else { return };
                if open.end(side).state == State::Up {
                    open.end_mut(side).state = State::Closing;
                    self.push(key, side, Item::Shutdown);
                    self.schedule(deadline, Occurrence::CloseDeadline { key, side });
                }
            }
            Action::Abort { association, cause: _ } => {
                if let Some((key, side)) = self.known(host, association) {
                    self.end(key, side, DownReason::Local);
                    self.send_abort(key, side);
                }
            }
            Action::Announce { channel, bytes } => self.announce(host, channel, &bytes),
        }
    }

    fn known(&self, host: HostId, association: AssociationId) -> Option<(u64, Side)> {
        self.host(host).known.get(&association).copied()
    }

    pub(crate) fn announce(&mut self, from: HostId, channel: Channel, bytes: &Bytes) {
        self.check_announce(from, channel, bytes);
        let source = (self.network.address(from), UDP_PORT).into();
        let hosts: Vec<(HostId, u32)> = self
            .hosts()
            .filter(|(id, host)| *id != from && host.hears(channel))
            .map(|(id, host)| (id, host.life))
            .collect();
        for (host, life) in hosts {
            let copies = 1 + u32::from(self.network.is_duplicated(from, host));
            for _ in 0..copies {
                if let Some(delay) = self.network.datagram(from, host) {
                    let event = Event::Announce { channel, source, bytes: bytes.clone() };
                    self.schedule(self.now() + delay, Occurrence::Input { host, life, event });
                }
            }
        }
    }

    // Carrying messages

    /// Whether what an end sends comes to the other host.
    fn can_pass(&self, open: &Association, side: Side) -> bool {
        let (from, to) = (open.end(side), open.end(side.other()));
        let (own, peer) = (self.host(from.host), self.host(to.host));
        self.network.is_open(from.host, to.host)
            && self.network.address(from.host) == from.address
            && self.network.address(to.host) == to.address
            && own.answers()
            && peer.body.is_some()
            && to.state != State::Opening
    }

    fn push(&mut self, key: u64, side: Side, item: Item) {
        let Some(open) = self.associations.get(&key) else { return };
        let passes = open.end(side).unsent.is_empty() && self.can_pass(open, side);
        if passes {
            return self.transmit(key, side, item);
        }
        let deadline = self.now() + self.sctp.max_silence;
        let Some(end) = self.associations.get_mut(&key).map(|open| open.end_mut(side)) else { return };
        end.unsent.push_back(item);
        // An unanswered message counts sooner than an unanswered heartbeat.
        if end.silent_at.is_some_and(|at| deadline < at) {
            end.silent_at = Some(deadline);
            self.schedule(deadline, Occurrence::Silence { key, side });
        }
    }

    fn transmit(&mut self, key: u64, side: Side, item: Item) {
        let Some(open) = self.associations.get(&key) else { return };
        let (from, to) = (open.end(side).host, open.end(side.other()).host);
        let (now, sctp) = (self.now(), self.sctp);
        let Some(time) = self.network.reliable(&sctp, from, to) else {
            return self.schedule(now + sctp.max_silence, Occurrence::GiveUp { key, side });
        };
        let Some(end) = self.associations.get_mut(&key).map(|open| open.end_mut(side)) else { return };
        end.last_arrival = end.last_arrival.max(now + time);
        let at = end.last_arrival;
        self.schedule(at, Occurrence::Arrive { key, side: side.other(), item });
    }

    /// Sends what could not be sent before, if it can be sent now.
    pub(crate) fn flush(&mut self, key: u64, side: Side) {
        let passes = self.associations.get(&key).is_some_and(|open| self.can_pass(open, side));
        if !passes {
            return;
        }
        let Some(open) = self.associations.get_mut(&key) else { return };
        for item in std::mem::take(&mut open.end_mut(side).unsent) {
            self.transmit(key, side, item);
        }
    }

    pub(crate) fn arrive(&mut self, key: u64, side: Side, item: Item) {
        let now = self.now();
        let Some(end) = self.associations.get(&key).map(|open| open.end(side)) else { return };
        let (host, id, state) = (end.host, end.id, end.state);
        if !end.is_known() {
            // Answered with an ABORT, if anybody is there.
            return self.schedule(now, Occurrence::Orphan { key, side: side.other(), once: true });
        }
        match item {
            Item::Message { protocol, stream, bytes } => {
                let event = Event::Message { association: id, protocol, stream, bytes };
                self.input(host, Input::Event(event));
            }
            Item::Shutdown => {
                let closing = state == State::Closing;
                self.end(key, side, if closing { DownReason::Local } else { DownReason::PeerShutdown });
                self.push(key, side, Item::ShutdownAck);
            }
            Item::ShutdownAck => self.end(key, side, DownReason::Local),
        }
    }

    // Ending

    /// A process does not know its end any more, and is told so.
    pub(crate) fn end(&mut self, key: u64, side: Side, reason: DownReason) {
        let Some(open) = self.associations.get_mut(&key) else { return };
        let end = open.end_mut(side);
        if !end.is_known() {
            return;
        }
        end.state = State::Gone;
        let (host, id, path) = (end.host, end.id, open.path(side));
        let host_of_end = self.host_mut(host);
        host_of_end.known.remove(&id);
        if host_of_end.paths.get(&path) == Some(&(key, side)) {
            host_of_end.paths.remove(&path);
        }
        self.input_soon(host, Event::Disconnected { association: id, reason });
        self.reassess(key);
    }

    /// Tells the peer with a packet that is not sent again.
    pub(crate) fn send_abort(&mut self, key: u64, side: Side) {
        let Some(open) = self.associations.get(&key) else { return };
        let (from, to) = (open.end(side).host, open.end(side.other()).host);
        let passes = self.can_pass(open, side);
        if let Some(delay) = self.network.datagram(from, to).filter(|_| passes) {
            self.schedule(self.now() + delay, Occurrence::Abort { key, side: side.other() });
        }
    }

    pub(crate) fn abort_arrives(&mut self, key: u64, side: Side) {
        self.end(key, side, DownReason::Aborted(AbortReason::default()));
    }

    pub(crate) fn close_deadline(&mut self, key: u64, side: Side) {
        if self.associations.get(&key).is_some_and(|open| open.end(side).is_known()) {
            self.end(key, side, DownReason::Local);
            self.send_abort(key, side);
        }
    }

    /// An end whose peer does not know the association sends a packet: a heartbeat, or a message.
    pub(crate) fn orphan(&mut self, key: u64, side: Side, once: bool) {
        let Some(open) = self.associations.get(&key) else { return };
        let (own, peer) = (open.end(side), open.end(side.other()));
        if own.state != State::Up || peer.is_known() {
            return;
        }
        let answered = self.can_pass(open, side) && self.host(peer.host).answers();
        let there_and_back = match answered {
            true => {
                let (a, b) = (own.host, peer.host);
                self.network.datagram(a, b).zip(self.network.datagram(b, a)).map(|(there, back)| there + back)
            }
            false => None,
        };
        match there_and_back {
            Some(time) => self.schedule(self.now() + time, Occurrence::Abort { key, side }),
            None if once => {}
            None => {
                let at = self.now() + self.sctp.heartbeat;
                self.schedule(at, Occurrence::Orphan { key, side, once });
            }
        }
    }

    /// The host's process is gone, and with it all that it knew.
    pub(crate) fn forget_all(&mut self, host: HostId) {
        for (_, attempt) in std::mem::take(&mut self.host_mut(host).attempts) {
            if let Some(key) = attempt.accepted
                && let Some(open) = self.associations.get_mut(&key)
            {
                open.opener.state = State::Gone;
                self.reassess(key);
            }
        }
        self.host_mut(host).paths.clear();
        for (_, (key, side)) in std::mem::take(&mut self.host_mut(host).known) {
            if let Some(open) = self.associations.get_mut(&key) {
                open.end_mut(side).state = State::Gone;
                self.reassess(key);
            }
        }
    }

    // Silence

    /// Whether packets of the peer arrive at an end.
    fn hears(&self, open: &Association, side: Side) -> bool {
        let (own, peer) = (open.end(side), open.end(side.other()));
        let arrives = peer.is_known()
            && self.host(peer.host).answers()
            && self.network.is_open(peer.host, own.host)
            && self.network.address(own.host) == own.address
            && self.network.address(peer.host) == peer.address;
        // Who is away cannot notice anything.
        arrives || !self.host(own.host).answers()
    }

    /// Something has changed for an association: who hears nothing any more loses patience, and
    /// what could not be sent is sent.
    pub(crate) fn reassess(&mut self, key: u64) {
        let now = self.now();
        for side in Side::BOTH {
            let Some(open) = self.associations.get(&key) else { return };
            if !open.opener.is_known() && !open.acceptor.is_known() {
                for host in [open.opener.host, open.acceptor.host] {
                    self.hosts[host.0].involved.remove(&key);
                }
                self.associations.remove(&key);
                return;
            }
            let end = open.end(side);
            if matches!(end.state, State::Gone | State::Opening) {
                continue;
            }
            let hears = self.hears(open, side);
            let watched = end.watched;
            let orphaned = !open.end(side.other()).is_known();
            let waits = !end.unsent.is_empty() || end.last_arrival > now;
            let was_silent = end.silent_at;
            let flush = !end.unsent.is_empty() && self.can_pass(open, side);
            let patience = self.sctp.max_silence + if waits { Duration::ZERO } else { self.sctp.heartbeat };
            let silent_at = match was_silent {
                _ if hears => None,
                Some(at) => Some(at),
                None => {
                    self.schedule(now + patience, Occurrence::Silence { key, side });
                    Some(now + patience)
                }
            };
            if orphaned && !watched {
                let at = now + self.sctp.heartbeat;
                self.schedule(at, Occurrence::Orphan { key, side, once: false });
            }
            if flush {
                let host = self.associations.get(&key).map(|open| open.end(side).host);
                let rto = self.sctp.rto_max.as_nanos() as u64;
                if let Some(host) = host {
                    let wait = Duration::from_nanos(self.host_mut(host).random.below(rto));
                    self.schedule(now + wait, Occurrence::Flush { key, side });
                }
            }
            if let Some(open) = self.associations.get_mut(&key) {
                open.end_mut(side).silent_at = silent_at;
                open.end_mut(side).watched = orphaned;
            }
        }
    }

    pub(crate) fn reassess_all(&mut self) {
        let keys: Vec<u64> = self.associations.keys().copied().collect();
        keys.into_iter().for_each(|key| self.reassess(key));
    }

    /// The same for all associations with an end on a host.
    pub(crate) fn reassess_host(&mut self, host: HostId) {
        let keys: Vec<u64> = self.host(host).involved.iter().copied().collect();
        keys.into_iter().for_each(|key| self.reassess(key));
    }

    pub(crate) fn silence(&mut self, key: u64, side: Side) {
        let now = self.now();
        let silent = |open: &Association| open.end(side).silent_at.is_some_and(|at| at <= now);
        if self.associations.get(&key).is_some_and(silent) {
            self.give_up(key, side);
        }
    }

    /// The peer counts as gone.
    pub(crate) fn give_up(&mut self, key: u64, side: Side) {
        if self.associations.get(&key).is_some_and(|open| open.end(side).is_known()) {
            self.end(key, side, DownReason::Silent);
            self.send_abort(key, side);
        }
    }

    /// A message for the capture.
    fn capture(&mut self, key: u64, side: Side, stream: u16, protocol: ProtocolId, bytes: &Bytes) {
        let (now, Some(capture)) = (self.clock, &mut self.capture) else { return };
        let Some(open) = self.associations.get(&key) else { return };
        capture.message(now, (key, side), open.end(side), open.end(side.other()), stream, protocol, bytes);
    }
}
