//! What must hold of the whole state between any two inputs, for the tests. The cost grows with the state;
//! cheap checks are assertions in the parts themselves, and run in the simulator as well.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::attempts::Attempt;
use super::context::{Phase, Timer};
use super::own::{Hold, OwnElement, Watch};
use super::{PeerState, Registrar};
use crate::base::{AssociationId, RegistrarId};
use crate::handlespace::{Checksum, PeHandle};

impl Registrar {
    pub(super) fn association_with(&self, peer: RegistrarId) -> Option<AssociationId> {
        self.ctx.group.get(&peer).copied()
    }

    /// Asserts the invariants; returns the timers that belong to what exists.
    pub(super) fn check_enrp(&self) -> BTreeSet<Timer> {
        assert!(!self.ctx.is_leaving());
        let mut timers = BTreeSet::new();
        self.check_peers(&mut timers);
        self.peers.contacts.check(&self.ctx, &self.links, &mut timers);
        self.check_elements(&mut timers);
        self.check_links(&mut timers);
        self.check_sums();
        self.check_subscriptions();
        let at_any_time = [Timer::Heartbeat, Timer::Announce, Timer::Join, Timer::MentorTimeout];
        timers.extend(at_any_time.into_iter().filter(|timer| self.is_armed(timer)));
        if self.ctx.phase == Phase::Joining {
            assert!(self.elements.own.is_empty() && !self.is_armed(&Timer::Announce));
        } else {
            assert!([Timer::Join, Timer::MentorTimeout].iter().all(|timer| !self.is_armed(timer)));
        }
        assert!(self.ctx.group.is_empty() || self.is_armed(&Timer::Heartbeat));
        timers
    }

    /// Asserts that exactly the pools with subscribers are followed, and only what is told has a timer.
    pub(super) fn check_subscriptions(&self) {
        let Self { ctx, links, elements, subscriptions, .. } = self;
        let pools: BTreeSet<_> = subscriptions.pools().cloned().collect();
        assert_eq!(&pools, elements.listing.followed());
        assert!(pools.iter().all(|pool| elements.listing.pool(pool).is_some()), "each of them is listed");
        assert!(subscriptions.associations().all(|association| links.contains_key(&association)));
        assert!(subscriptions.len() <= ctx.config.max_subscriptions);
    }

    fn is_armed(&self, timer: &Timer) -> bool {
        self.ctx.deadlines.get(timer).is_some()
    }

    fn check_peers(&self, timers: &mut BTreeSet<Timer>) {
        assert!(self.peers.len() <= 64);
        assert!(!self.peers.contains_key(&self.ctx.id) && !self.peers.contains_key(&RegistrarId::NONE));
        assert!(self.ctx.group.keys().all(|id| self.peers.contains_key(id)));
        for (id, peer) in self.peers.iter() {
            let (watched, taken_over) = (Timer::Peer(*id), Timer::Takeover(*id));
            let taking_over = peer.state() == PeerState::TakingOver;
            assert_eq!(
                (self.is_armed(&watched), self.is_armed(&taken_over)),
                (!taking_over, taking_over),
                "{id} {peer:?}"
            );
            timers.insert(if taking_over { taken_over } else { watched });
            assert!(peer.waits_for(|peer| self.peers.contains_key(peer)), "{peer:?}");
            let association = self.association_with(*id);
            if let Some(association) = association {
                let link = &self.links[&association];
                assert_eq!(link.registrar, Some(*id));
                assert!(link.greeted, "presence comes first");
            }
            let auditing = self.is_armed(&Timer::Audit(*id));
            assert_eq!(peer.is_under_audit(), auditing, "{id}");
            assert_eq!(self.elements.listing.is_marked(*id), auditing, "{id}");
            assert!(!auditing || association.is_some());
            timers.extend(auditing.then_some(Timer::Audit(*id)));
            let information = peer.described_as(*id);
            assert!(information.is_none_or(|server| server.transport.addresses.len() <= 8));
        }
    }

    fn check_elements(&self, timers: &mut BTreeSet<Timer>) {
        let (listing, own, former) = (&self.elements.listing, &self.elements.own, &self.elements.former);
        if self.is_serving() {
            assert_eq!(listing.of_home(self.ctx.id), own.keys().cloned().collect::<Vec<_>>());
            for (home, ..) in listing.homes() {
                assert!(home == self.ctx.id || self.peers.contains_key(&home), "nobody watches {home}");
            }
        }
        for (pe, former) in former.iter() {
            assert!(self.links[&former.association].elements.contains(pe));
            assert!(!own.contains_key(pe));
            assert!(listing.get(pe).is_some() || former.asked, "{pe}");
            assert!(!former.asked || listing.get(pe).is_none_or(|listed| listed.home != self.ctx.id));
            let timer = Timer::Reclaim(pe.clone());
            assert_eq!(self.is_armed(&timer), former.asked, "{pe}");
            timers.extend(former.asked.then_some(timer));
        }
        for (pe, doubted) in self.elements.foreign.iter() {
            let (request, association) = doubted.waits_for();
            let timer = Timer::Foreign(pe.clone());
            assert_eq!(self.is_armed(&timer), request.is_none(), "{pe} {doubted:?}");
            timers.extend(request.is_none().then_some(timer));
            assert!(association.is_none_or(|association| self.links.contains_key(&association)));
            let attempt = request.map(|request| self.ctx.attempts.get(&request));
            assert!(attempt.is_none_or(|attempt| attempt == Some(&Attempt::Foreign(pe.clone()))));
        }
        for (pe, element) in own.iter() {
            self.check_own(pe, element);
            let life = Timer::Life(pe.clone());
            timers.extend(self.is_armed(&life).then_some(life));
        }
        let queued = own.values().filter(|own| matches!(own.watch, Watch::Queued(_))).count();
        assert_eq!(own.queued(), queued);
        assert!(own.wait_rightly(&self.ctx));
        let probes = own.values().filter(|own| matches!(own.watch, Watch::Probing(_))).count();
        let attempts = self.ctx.attempts.values().filter(|attempt| matches!(attempt, Attempt::Element(_)));
        assert_eq!(attempts.count(), probes);
    }

    /// Each element waits for exactly one thing.
    pub(super) fn check_own(&self, pe: &PeHandle, own: &OwnElement) {
        let watched = self.elements.listing.watched(pe).is_some();
        match own.watch {
            Watch::Scheduled(association) | Watch::Asked(association) => {
                assert!(watched, "{pe} {own:?}");
                assert!(self.links[&association].elements.contains(pe), "{pe} {own:?}");
            }
            Watch::Down => assert!(watched, "{pe} {own:?}"),
            Watch::Probing(request) => {
                assert!(!watched, "{pe} {own:?}");
                assert_eq!(self.ctx.attempts.get(&request), Some(&Attempt::Element(pe.clone())));
            }
            Watch::Queued(ticket) => {
                assert!(!watched, "{pe} {own:?}");
                assert_eq!(self.elements.own.ticket_of(pe), Some(ticket));
            }
        }
        match own.hold {
            Hold::Registered(association) => assert_eq!(own.registrant(), Some(association), "{pe} {own:?}"),
            Hold::Adopted | Hold::Left => assert!(own.claim.is_none(), "{pe} {own:?}"),
        }
        if let Some(challenger) = &own.challenger {
            assert!(self.links[&challenger.association].challenges.contains(pe));
        }
    }

    fn check_links(&self, timers: &mut BTreeSet<Timer>) {
        let (own, former) = (&self.elements.own, &self.elements.former);
        for (id, link) in self.links.iter() {
            let former_of = |pe: &PeHandle| former.get(pe).map(|former| former.association);
            let ours = |pe: &PeHandle| own.get(pe).is_some_and(|own| own.registrant() == Some(*id));
            assert!(link.elements.iter().all(|pe| ours(pe) || former_of(pe) == Some(*id)));
            let download = Timer::Download(*id);
            assert_eq!(self.is_armed(&download), self.downloads.is_under_way(*id));
            timers.extend(self.downloads.is_under_way(*id).then_some(download));
            if let Some(peer) = link.peer.as_sctp() {
                let found = self.links.with(peer).expect("it is one");
                assert!(
                    found <= *id
                        && self.links[&found]
                            .peer
                            .as_sctp()
                            .is_some_and(|other| other.is_same_endpoint(peer))
                );
            }
        }
    }

    /// ENRP-3.6.2-05: what is kept up to date equals what is computed anew.
    fn check_sums(&self) {
        let mut sums: BTreeMap<RegistrarId, Checksum> = BTreeMap::new();
        for (pool, element) in self.elements.listing.elements_after(None) {
            sums.entry(element.home).or_default().add(pool, element.id);
        }
        let homes: Vec<_> = self.elements.listing.homes().collect();
        let expected = sums.iter().map(|(home, sum)| (*home, sum.elements() as usize, sum.value()));
        assert_eq!(homes, expected.collect::<Vec<_>>());
    }
}
