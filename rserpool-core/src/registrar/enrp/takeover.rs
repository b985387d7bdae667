//! Taking over a dead peer: arbitration, enforcement, and bounds on every wait (RFC 5353 section
//! 3.5, readings B1 to B3).

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::base::{Instant, RegistrarId};
use crate::registrar::{Notice, PeerState, Registrar, TakeoverWinner, Timer};
use crate::wire::EnrpBody;

/// For how many MAX-TIME-NO-RESPONSE a peer that somebody else takes over is not monitored: that
/// one waits two of them itself at most.
const GUARD: u32 = 3;

/// An arbitration that we have begun.
#[derive(Debug)]
pub(super) struct Takeover {
    /// Who has not acknowledged yet.
    waiting: BTreeSet<RegistrarId>,
    /// The question was repeated already.
    repeated: bool,
}

#[cfg(test)]
impl Takeover {
    pub(super) fn waits_for(&self, those: impl Fn(&RegistrarId) -> bool) -> bool {
        self.waiting.iter().all(those)
    }
}

impl Registrar {
    /// Begins the arbitration for a dead peer (ENRP-3.5.1-01).
    pub(super) fn begin_takeover(&mut self, now: Instant, target: RegistrarId) {
        let Some(peer) = self.enrp.peers.get_mut(&target) else { return };
        if peer.state == PeerState::TakenOver {
            return;
        }
        peer.state = PeerState::TakenOver;
        self.deadlines.clear(&Timer::Peer(target));
        self.counters.takeovers_begun += 1;
        // Whom others take over, or we do, acknowledges nothing any more.
        let alive = |peer: &super::Peer| matches!(peer.state, PeerState::Active | PeerState::Suspect);
        let peers = self.enrp.peers.iter();
        let waiting = peers.filter(|(_, peer)| alive(peer)).map(|(id, _)| *id).collect();
        self.enrp.takeovers.insert(target, Takeover { waiting, repeated: false });
        self.group_cast(EnrpBody::InitTakeover { target });
        self.deadlines.set(Timer::Takeover(target), now + self.config.enrp.max_time_no_response);
        self.no_ack_from(now, target);
    }

    /// Nobody waits for an acknowledgement of this peer any more; arbitrations that waited only for
    /// it are won.
    pub(super) fn no_ack_from(&mut self, now: Instant, peer: RegistrarId) {
        let mut won = Vec::new();
        for (target, takeover) in &mut self.enrp.takeovers {
            takeover.waiting.remove(&peer);
            if takeover.waiting.is_empty() {
                won.push(*target);
            }
        }
        for target in won {
            self.enforce_takeover(now, target);
        }
    }

    /// Not everybody has acknowledged in time. They are asked once more; silence is consent then.
    pub(in crate::registrar) fn takeover_due(&mut self, now: Instant, target: RegistrarId) {
        let Some(takeover) = self.enrp.takeovers.get_mut(&target) else { return };
        if core::mem::replace(&mut takeover.repeated, true) {
            return self.enforce_takeover(now, target);
        }
        let waiting: Vec<RegistrarId> = takeover.waiting.iter().copied().collect();
        for peer in waiting {
            self.send_to_peer(peer, EnrpBody::InitTakeover { target });
        }
        self.deadlines.set(Timer::Takeover(target), now + self.config.enrp.max_time_no_response);
    }

    pub(super) fn handle_init_takeover(&mut self, now: Instant, sender: RegistrarId, target: RegistrarId) {
        if target == self.id {
            let presence = self.presence(false);
            return self.group_cast(presence);
        }
        if target == sender {
            self.counters.unexpected += 1;
            return;
        }
        if self.enrp.takeovers.contains_key(&target) {
            if !self.goes_before_us(sender) {
                return;
            }
            self.end_takeover(target);
        }
        if let Some(peer) = self.enrp.peers.get_mut(&target) {
            peer.state = PeerState::Inactive;
            self.deadlines.set(Timer::Peer(target), now + self.config.enrp.max_time_no_response * GUARD);
        }
        self.send_to_peer(sender, EnrpBody::InitTakeoverAck { target });
        self.no_ack_from(now, target);
    }

    /// Whether the takeover of a peer goes before our own of the same target.
    fn goes_before_us(&self, sender: RegistrarId) -> bool {
        match self.config.enrp.takeover_winner {
            TakeoverWinner::LargerId => self.id < sender,
            TakeoverWinner::SmallerId => self.id > sender,
        }
    }

    pub(super) fn handle_takeover_ack(&mut self, now: Instant, sender: RegistrarId, target: RegistrarId) {
        let Some(takeover) = self.enrp.takeovers.get_mut(&target) else { return };
        if takeover.waiting.remove(&sender) && takeover.waiting.is_empty() {
            self.enforce_takeover(now, target);
        }
    }

    /// We have won: the target goes, its elements are ours (ENRP-3.5.2-01 to -04).
    fn enforce_takeover(&mut self, now: Instant, target: RegistrarId) {
        if !self.end_takeover(target) {
            return;
        }
        self.counters.takeovers_won += 1;
        self.group_cast(EnrpBody::TakeoverServer { target });
        self.forget_peer(now, target);
        let elements = self.handlespace_of(target);
        self.outbox.tell(Notice::TakenOver { target, by: self.id, elements: elements.len() });
        for pe in elements {
            self.adopt(now, &pe);
        }
    }

    /// Somebody else has won (ENRP-3.5.2-05).
    pub(super) fn handle_takeover_server(&mut self, now: Instant, sender: RegistrarId, target: RegistrarId) {
        if target == self.id {
            // We live. Our heartbeat says so, and the audits that it causes give our elements back.
            let presence = self.presence(false);
            return self.group_cast(presence);
        }
        if target == sender {
            self.counters.unexpected += 1;
            return;
        }
        self.end_takeover(target);
        self.forget_peer(now, target);
        let elements = self.handlespace_of(target);
        self.outbox.tell(Notice::TakenOver { target, by: sender, elements: elements.len() });
        for pe in elements {
            if let Some(element) = self.handlespace.get(&pe).cloned() {
                let rehomed = crate::wire::PoolElement { home: sender, ..element };
                self.enter(now, sender, &pe, rehomed);
            }
        }
    }

    /// An arbitration that we have begun is over; tells whether there was one.
    fn end_takeover(&mut self, target: RegistrarId) -> bool {
        self.deadlines.clear(&Timer::Takeover(target));
        self.enrp.takeovers.remove(&target).is_some()
    }

    /// A sign of life: nobody takes this peer over, as far as it is up to us (ENRP-3.5.1-10).
    pub(super) fn target_lives(&mut self, now: Instant, id: RegistrarId) {
        if self.end_takeover(id) {
            self.counters.takeovers_stopped += 1;
        }
        self.trust(now, id);
    }
}
