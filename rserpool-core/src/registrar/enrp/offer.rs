//! Giving elements away by the takeover suggestion flag (draft enrp-takeover): a registrar that
//! leaves hands all of them over, one that has clearly more than others some.
//!
//! An offer with a receiver is meant for that one. One without, as RSPLIB sends them, is meant for
//! the registrar whose identifier XOR that of the element is the largest among all but the sender.
//! An offer is taken by the new home's own update; until then nothing has changed.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::base::{Instant, RegistrarId};
use crate::handlespace::PeHandle;
use crate::registrar::{PeerState, Registrar, Shutdown, Timer};
use crate::wire::{EnrpBody, PoolElement, UpdateAction};

/// At most this part of all elements is offered in one heartbeat cycle, so that a registrar that
/// comes back is not flooded by what it missed.
const OFFERED_PART: usize = 8;

/// Elements that are being handed over before we leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::registrar) struct HandOver {
    /// When everything must be over.
    pub(in crate::registrar) deadline: Instant,
    /// Those that nobody took were offered to all.
    repeated: bool,
}

/// For how many heartbeat cycles a peer that takes nothing is spared at most.
const MAX_SPARED: u32 = 64;

/// How a peer takes what it is offered. One that lets an offer pass may not know offers, or may
/// only be joining: it is spared, twice as long each time.
#[derive(Debug, Default)]
pub(super) struct Offers {
    /// For how many cycles it was spared last.
    pause: u32,
    /// How many of them are left.
    spared: u32,
}

impl Offers {
    fn next_cycle(&mut self, passed: bool) {
        self.spared = self.spared.saturating_sub(1);
        if passed {
            self.pause = (self.pause * 2).clamp(1, MAX_SPARED);
            self.spared = self.pause;
        }
    }
}

impl Registrar {
    /// Offers every own element to a peer; false if there is nobody, or nothing to offer.
    pub(in crate::registrar) fn hand_over(&mut self, now: Instant, deadline: Instant) -> bool {
        let elements: Vec<PeHandle> = self.own.keys().cloned().collect();
        let mut loads = self.loads();
        if elements.is_empty() || loads.is_empty() || !self.is_serving() {
            return false;
        }
        for pe in elements {
            let lightest = loads.iter().min_by_key(|(_, load)| **load).map(|(id, _)| *id);
            if let Some(peer) = lightest {
                *loads.entry(peer).or_default() += 1;
                self.offer(&pe, peer);
            }
        }
        self.shutdown = Some(Shutdown::HandingOver(HandOver { deadline, repeated: false }));
        self.deadlines.set(Timer::HandOver, self.hand_over_until(now, deadline));
        true
    }

    /// Each of the two waits is as long as a peer may take to answer, if the deadline allows.
    fn hand_over_until(&self, now: Instant, deadline: Instant) -> Instant {
        now + self.config.enrp.max_time_no_response.min(deadline.since(now) / 3)
    }

    /// What nobody has taken in time is offered to all, in case they only know that way; then we
    /// leave, and it is taken over like the elements of a dead registrar.
    pub(in crate::registrar) fn hand_over_due(&mut self, now: Instant) {
        let Some(Shutdown::HandingOver(HandOver { deadline, repeated })) = self.shutdown else { return };
        if repeated {
            return self.close_all(deadline);
        }
        for pe in self.own.keys().cloned().collect::<Vec<_>>() {
            self.offer(&pe, RegistrarId::NONE);
        }
        self.shutdown = Some(Shutdown::HandingOver(HandOver { deadline, repeated: true }));
        self.deadlines.set(Timer::HandOver, self.hand_over_until(now, deadline));
    }

    /// An element has gone: if it was the last, we need not wait any longer.
    pub(in crate::registrar) fn handed_over(&mut self) {
        if let Some(Shutdown::HandingOver(HandOver { deadline, .. })) = self.shutdown
            && self.own.is_empty()
        {
            self.close_all(deadline);
        }
    }

    /// Offers elements to peers that have fewer than their share, while nothing else is going on.
    pub(super) fn balance(&mut self) {
        if self.shutdown.is_some() {
            return;
        }
        let passed: BTreeSet<_> = self.own.values_mut().filter_map(|own| own.offered.take()).collect();
        for (id, peer) in &mut self.enrp.peers {
            peer.offers.next_cycle(passed.contains(id));
        }
        let mut loads = self.loads();
        let calm = loads.len() == self.enrp.peers.len() && self.is_serving();
        if !self.config.enrp.balance || !calm || loads.is_empty() {
            return;
        }
        let total = self.own.len() + loads.values().sum::<usize>();
        let fair = total / (loads.len() + 1);
        // A tenth more than fair is fair enough; moving has its price. Nobody gives more than makes it
        // even, and only to who has less than that, so nothing swings.
        let surplus = self.own.len().saturating_sub(fair);
        if surplus <= fair / 10 {
            return;
        }
        loads.retain(|id, _| self.enrp.peers.get(id).is_some_and(|peer| peer.offers.spared == 0));
        let settled = self.own.iter().filter(|(_, own)| own.registrant.is_some() && !own.claimed);
        let batch = surplus.min((total / OFFERED_PART).max(1));
        let elements: Vec<PeHandle> = settled.map(|(pe, _)| pe.clone()).take(batch).collect();
        for pe in elements {
            let lightest = loads.iter_mut().filter(|(_, load)| **load < fair).min_by_key(|(_, load)| **load);
            let Some((peer, load)) = lightest else { break };
            *load += 1;
            let peer = *peer;
            self.offer(&pe, peer);
        }
    }

    /// The peers that can take elements, with how many each has.
    fn loads(&self) -> BTreeMap<RegistrarId, usize> {
        let able = self
            .enrp
            .peers
            .iter()
            .filter(|(_, peer)| peer.association.is_some() && peer.state == PeerState::Active);
        able.map(|(id, _)| (*id, self.handlespace.owned(*id))).collect()
    }

    /// Suggests that a peer, or with no identifier any peer, becomes the home of an element.
    fn offer(&mut self, pe: &PeHandle, peer: RegistrarId) {
        let Some(element) = self.handlespace.get(pe).cloned() else { return };
        if let Some(own) = self.own.get_mut(pe) {
            own.offered = Some(peer);
        }
        self.counters.offers_sent += 1;
        let (handle, action) = (pe.pool.clone(), UpdateAction::ADD_PE);
        let body = EnrpBody::HandleUpdate { takeover_suggested: true, action, handle, element };
        match peer {
            RegistrarId::NONE => self.group_cast(body),
            _ => self.send_to_peer(peer, body),
        }
    }

    /// Whether a suggestion of `sender` is meant for us.
    pub(super) fn is_offered_to_us(&self, sender: RegistrarId, receiver: RegistrarId, pe: &PeHandle) -> bool {
        if !self.is_serving() || self.shutdown.is_some() {
            return false;
        }
        let affinity = |id: RegistrarId| id.0 ^ pe.element.0;
        let others = self.enrp.peers.iter().filter(|(id, peer)| {
            **id != sender && peer.association.is_some() && peer.state == PeerState::Active
        });
        receiver == self.id || others.map(|(id, _)| affinity(*id)).all(|other| other < affinity(self.id))
    }

    /// Takes an element that its home has offered us, unless somebody else has it by now.
    pub(super) fn accept_offer(
        &mut self,
        now: Instant,
        sender: RegistrarId,
        pe: &PeHandle,
        element: PoolElement,
    ) {
        let home = self.handlespace.get(pe).map_or(sender, |known| known.home);
        let reachable = super::ownership::is_reachable(&element);
        if home != sender || !reachable || !self.enter(now, sender, pe, element) {
            return;
        }
        self.counters.offers_accepted += 1;
        self.adopt(now, pe);
        if let Some(element) = self.handlespace.get(pe).filter(|element| element.home == self.id).cloned() {
            self.announce_update(UpdateAction::ADD_PE, pe, element);
        }
    }
}
