//! What must hold of the state of ENRP between any two events, for the tests.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::contacts::MAX_CONTACTS;
use super::join::Phase;
use super::peers::MAX_PEERS;
use crate::base::{AssociationId, RegistrarId};
use crate::handlespace::{Checksum, PeHandle};
use crate::registrar::{Attempt, PeerState, Registrar, Timer};

impl Registrar {
    pub(in crate::registrar) fn association_with(&self, peer: RegistrarId) -> Option<AssociationId> {
        self.enrp.peers.get(&peer)?.association
    }

    /// Asserts the invariants; returns the timers that belong to what exists.
    pub(in crate::registrar) fn check_enrp(&self) -> BTreeSet<Timer> {
        assert!(self.shutdown.is_none());
        let mut timers = BTreeSet::new();
        self.check_peers(&mut timers);
        self.check_contacts(&mut timers);
        self.check_elements(&mut timers);
        self.check_sums();
        let at_any_time = [Timer::Heartbeat, Timer::Announce, Timer::Join, Timer::MentorTimeout];
        timers.extend(at_any_time.into_iter().filter(|timer| self.deadlines.get(timer).is_some()));
        if let Phase::Joining(_) = self.enrp.phase {
            assert!(self.own.is_empty() && self.deadlines.get(&Timer::Announce).is_none());
        } else {
            let joining = [Timer::Join, Timer::MentorTimeout];
            assert!(joining.iter().all(|timer| self.deadlines.get(timer).is_none()));
        }
        if self.enrp.peers.values().any(|peer| peer.association.is_some()) {
            assert!(self.deadlines.get(&Timer::Heartbeat).is_some());
        }
        timers
    }

    fn check_peers(&self, timers: &mut BTreeSet<Timer>) {
        assert!(self.enrp.peers.len() <= MAX_PEERS);
        assert!(!self.enrp.peers.contains_key(&self.id) && !self.enrp.peers.contains_key(&RegistrarId::NONE));
        for (id, peer) in &self.enrp.peers {
            let timer = Timer::Peer(*id);
            assert_eq!(
                self.deadlines.get(&timer).is_some(),
                peer.state != PeerState::TakenOver,
                "{id} {peer:?}"
            );
            assert_eq!(self.enrp.takeovers.contains_key(id), peer.state == PeerState::TakenOver, "{id}");
            if peer.state != PeerState::TakenOver {
                timers.insert(timer);
            }
            if let Some(association) = peer.association {
                let link = &self.links[&association];
                assert_eq!(link.registrar, Some(*id));
                assert!(link.greeted, "presence comes first");
            }
            let auditing = self.deadlines.get(&Timer::Audit(*id)).is_some();
            assert_eq!(peer.audit.is_under_way(), auditing, "{id}");
            assert!(!auditing || peer.association.is_some());
            timers.extend(auditing.then_some(Timer::Audit(*id)));
            let information = peer.information(*id);
            assert!(information.is_none_or(|server| server.transport.addresses.len() <= 8));
        }
        for (target, takeover) in &self.enrp.takeovers {
            timers.insert(Timer::Takeover(*target));
            assert!(self.deadlines.get(&Timer::Takeover(*target)).is_some());
            assert!(takeover.waits_for(|peer| self.enrp.peers.contains_key(peer)), "{takeover:?}");
        }
    }

    /// Every contact is being tried, or there, or waits for its time, or its peer is there.
    fn check_contacts(&self, timers: &mut BTreeSet<Timer>) {
        assert!(self.enrp.contacts.len() <= MAX_CONTACTS);
        let attempts: BTreeMap<_, _> = self.attempts.iter().collect();
        for (id, contact) in self.enrp.contacts.iter() {
            let timer = self.deadlines.get(&Timer::Contact(*id)).is_some();
            timers.extend(timer.then_some(Timer::Contact(*id)));
            if let Some(request) = contact.attempt {
                assert_eq!(attempts.get(&request), Some(&&Attempt::Registrar(*id)));
                assert!(contact.association.is_none());
            }
            if let Some(association) = contact.association {
                assert_eq!(self.links[&association].contact, Some(*id));
            }
            let there = contact.peer.and_then(|peer| self.association_with(peer)).is_some();
            let tried = contact.attempt.is_some() || contact.association.is_some();
            assert!(tried || timer || there, "a contact is forgotten: {contact:?}");
        }
        for attempt in self.attempts.values() {
            if let Attempt::Registrar(contact) = attempt {
                assert!(self.enrp.contacts.get(*contact).is_some_and(|contact| contact.attempt.is_some()));
            }
        }
    }

    fn check_elements(&self, timers: &mut BTreeSet<Timer>) {
        if self.is_serving() {
            assert_eq!(self.handlespace_of(self.id), self.own.keys().cloned().collect::<Vec<_>>());
            for (home, ..) in self.handlespace.homes() {
                assert!(home == self.id || self.enrp.peers.contains_key(&home), "nobody watches {home}");
            }
        }
        for (pe, former) in &self.enrp.former {
            assert!(self.links[&former.association].elements.contains(pe));
            assert!(!self.own.contains_key(pe));
            assert!(self.handlespace.get(pe).is_some() || self.enrp.reclaims.contains(pe), "{pe}");
        }
        for pe in &self.enrp.reclaims {
            let listed = self.handlespace.get(pe);
            assert!(self.enrp.former.contains_key(pe) && listed.is_none_or(|listed| listed.home != self.id));
            assert!(self.deadlines.get(&Timer::Reclaim(pe.clone())).is_some());
            timers.insert(Timer::Reclaim(pe.clone()));
        }
        for (pe, own) in &self.own {
            let armed = |timer: Timer| self.deadlines.get(&timer).is_some().then_some(timer);
            let watched = self.handlespace.watched(pe).is_some();
            let things = [watched, own.probe.is_some(), own.waits.is_some()];
            assert_eq!(things.into_iter().filter(|thing| *thing).count(), 1, "{pe} {own:?}");
            assert!(own.asked.is_none() || watched, "{pe} {own:?}");
            timers.extend(armed(Timer::Life(pe.clone())));
            if let Some(ticket) = own.waits {
                assert_eq!(self.waiting.get(&ticket), Some(pe));
            }
            if let Some(registrant) = own.registrant {
                assert!(self.links[&registrant].elements.contains(pe));
            }
            if let Some(challenger) = &own.challenger {
                assert!(self.links[&challenger.association].challenges.contains(pe));
            }
        }
        assert!(self.waiting.is_empty() || self.attempts.len() >= crate::registrar::MAX_PROBES);
        assert_eq!(self.waiting.len(), self.own.values().filter(|own| own.waits.is_some()).count());
        for (id, link) in &self.links {
            let former_of = |pe: &PeHandle| self.enrp.former.get(pe).map(|former| former.association);
            let ours = |pe: &PeHandle| self.own.get(pe).is_some_and(|own| own.registrant == Some(*id));
            assert!(link.elements.iter().all(|pe| ours(pe) || former_of(pe) == Some(*id)));
            let download = Timer::Download(*id);
            assert_eq!(self.deadlines.get(&download).is_some(), link.table.is_some());
            timers.extend(link.table.is_some().then_some(download));
        }
    }

    /// ENRP-3.6.2-05: what is kept up to date equals what is computed anew.
    fn check_sums(&self) {
        let mut sums: BTreeMap<RegistrarId, Checksum> = BTreeMap::new();
        for (pool, element) in self.handlespace.elements_after(None) {
            sums.entry(element.home).or_default().add(pool, element.id);
        }
        let homes: Vec<_> = self.handlespace.homes().collect();
        let expected = sums.iter().map(|(home, sum)| (*home, sum.elements() as usize, sum.value()));
        assert_eq!(homes, expected.collect::<Vec<_>>());
    }
}
