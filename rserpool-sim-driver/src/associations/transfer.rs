//! What an association carries: messages, and the request to close.

use bytes::Bytes;
use rserpool_core::base::{AssociationId, Instant, ProtocolId};
use rserpool_core::endpoint::{DownReason, Event};
use rserpool_transport::sctp::ARRIVING;

use super::association::{Association, State};
use super::{Associations, Delivery, Surroundings};
use crate::id::HostId;
use crate::schedule::{AssociationStep, Item, Repeat, Side};

impl Associations {
    /// A process sends a message; over an association that is not up it goes nowhere.
    pub(crate) fn send(
        &mut self,
        around: &mut Surroundings<'_>,
        host: HostId,
        association: AssociationId,
        protocol: ProtocolId,
        stream: u16,
        bytes: Bytes,
    ) {
        let Some((key, side)) = self.known(host, association) else { return };
        if self.open.get(&key).is_some_and(|open| open.end(side).state == State::Up) {
            self.push(around, key, side, Item::Message { protocol, stream, bytes });
        }
    }

    /// A process closes an association: what it has sent before is still delivered, until the deadline.
    pub(crate) fn shut_down(
        &mut self,
        around: &mut Surroundings<'_>,
        host: HostId,
        association: AssociationId,
        deadline: Instant,
    ) {
        let Some((key, side)) = self.known(host, association) else { return };
        let Some(open) = self.open.get_mut(&key) else { return };
        if open.end(side).state == State::Up {
            open.end_mut(side).state = State::Closing;
            self.push(around, key, side, Item::Shutdown);
            around.schedule.add_step(deadline.max(around.now), AssociationStep::CloseDeadline { key, side });
        }
    }

    /// Whether what an end sends can be handed to the other one.
    pub(super) fn can_pass(&self, around: &Surroundings<'_>, open: &Association, side: Side) -> bool {
        self.reaches(around, open, side) && open.end(side.other()).state != State::Opening
    }

    /// Whether packets of an end reach the other host.
    pub(super) fn reaches(&self, around: &Surroundings<'_>, open: &Association, side: Side) -> bool {
        let (from, to) = (open.end(side), open.end(side.other()));
        around.network.is_open(from.host, to.host)
            && around.network.address(from.host) == from.address
            && around.network.address(to.host) == to.address
            && around.hosts.get(from.host).answers()
            && around.hosts.get(to.host).is_running()
    }

    pub(super) fn push(&mut self, around: &mut Surroundings<'_>, key: u64, side: Side, item: Item) {
        let Some(open) = self.open.get(&key) else { return };
        let passes = open.end(side).unsent.is_empty() && self.can_pass(around, open, side);
        if passes {
            return self.transmit(around, key, side, item);
        }
        let deadline = around.now + around.hosts.get(open.end(side).host).sctp(self.sctp).max_silence;
        let Some(end) = self.open.get_mut(&key).map(|open| open.end_mut(side)) else { return };
        end.unsent.push_back(item);
        // An unanswered message counts sooner than an unanswered heartbeat.
        if end.silent_at.is_some_and(|at| deadline < at) {
            end.silent_at = Some(deadline);
            around.schedule.add_step(deadline, AssociationStep::Silence { key, side });
        }
    }

    fn transmit(&mut self, around: &mut Surroundings<'_>, key: u64, side: Side, item: Item) {
        let Some(end) = self.open.get_mut(&key) else { return };
        let (from, to) = (end.end(side).host, end.end(side.other()).host);
        let Some(time) = around.network.reliable(&self.sctp, from, to) else {
            let at = around.now + self.sctp.max_silence;
            return around.schedule.add_step(at, AssociationStep::GiveUp { key, side });
        };
        let end = end.end_mut(side);
        let octets = match &item {
            Item::Message { bytes, .. } => bytes.len(),
            Item::Part | Item::Shutdown | Item::ShutdownAck => 0,
        };
        let begins = end.occupied_until.max(around.now);
        end.occupied_until = begins + around.network.cable().occupied(octets);
        // In order: not before what was sent earlier.
        end.last_arrival = end.last_arrival.max(end.occupied_until + time);
        let (side, arrival) = (side.other(), end.last_arrival);
        // As with the SCTP stack, a process hears of parts.
        let mut part = begins + time + ARRIVING;
        while part < arrival {
            around.schedule.add_step(part, AssociationStep::Arrive { key, side, item: Item::Part });
            part += ARRIVING;
        }
        around.schedule.add_step(arrival, AssociationStep::Arrive { key, side, item });
    }

    /// Sends what could not be sent before, if it can be sent now.
    pub(super) fn flush(&mut self, around: &mut Surroundings<'_>, key: u64, side: Side) {
        let passes = self.open.get(&key).is_some_and(|open| self.can_pass(around, open, side));
        if !passes {
            return;
        }
        let Some(open) = self.open.get_mut(&key) else { return };
        for item in std::mem::take(&mut open.end_mut(side).unsent) {
            self.transmit(around, key, side, item);
        }
    }

    pub(super) fn arrive(
        &mut self,
        around: &mut Surroundings<'_>,
        key: u64,
        side: Side,
        item: Item,
    ) -> Option<Delivery> {
        let end = self.open.get(&key)?.end(side);
        let (host, association, state) = (end.host, end.id, end.state);
        if !end.is_known() {
            // Answered with an ABORT, if a process is there.
            let step = AssociationStep::Orphan { key, side: side.other(), repeat: Repeat::Never };
            around.schedule.add_step(around.now, step);
            return None;
        }
        match item {
            Item::Message { protocol, stream, bytes } => {
                let event = Event::Message { association, protocol, stream, bytes };
                return Some(Delivery { host, event, established: None });
            }
            Item::Part => {
                return Some(Delivery { host, event: Event::Arriving { association }, established: None });
            }
            Item::Shutdown => {
                let closing = state == State::Closing;
                let reason = if closing { DownReason::Local } else { DownReason::PeerShutdown };
                self.end(around, key, side, reason);
                self.push(around, key, side, Item::ShutdownAck);
            }
            Item::ShutdownAck => self.end(around, key, side, DownReason::Local),
        }
        None
    }
}
