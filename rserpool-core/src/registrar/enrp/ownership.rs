//! Whose an element is: homes claimed twice, elements that come and go between registrars.
//!
//! Two registrars may each believe that they are an element's home: their updates have crossed, or
//! one was taken over while it lived. RFC 5353 says nothing of it (reading B26). Here the larger
//! identifier keeps the element, says so again and tells the element, by a keep-alive with the H
//! flag; the smaller yields when it hears that. Who has yielded and later hears that the new home
//! has given the element up asks it, over the association that is still there, and takes it back
//! if it answers: so crossing updates never leave an element without a home.
//!
//! Only one that has been started anew elsewhere, with its old identifier, is known in two places. Then
//! the larger identifier may be the home of what is no more, so it yields as well, and asks at once.

use alloc::collections::BTreeSet;

use crate::base::{AssociationId, DEFAULT_ENCAPSULATION_PORT, Instant, RegistrarId, TransportAddress};
use crate::handlespace::PeHandle;
use crate::registrar::own::OwnElement;
use crate::registrar::{Notice, Registrar, Timer};
use crate::wire::{CauseCode, ErrorCause, PoolElement, SctpTransport, Transport, UpdateAction};

/// An element that is not ours any more, but has not closed the association over which it registered.
#[derive(Debug)]
pub(super) struct Former {
    pub(super) association: AssociationId,
    /// As it registered with us. What its new home lists may be older: a claim can be that of a life
    /// of the element before.
    element: PoolElement,
}

impl Registrar {
    /// A peer says in an update that an element is its own.
    pub(super) fn claimed(&mut self, now: Instant, by: RegistrarId, pe: &PeHandle, element: PoolElement) {
        let Some(own) = self.own.get(pe) else {
            self.enter(now, by, pe, element);
            return;
        };
        if own.offered.is_some() || self.id < by {
            self.yield_to(now, by, pe, element);
        } else {
            self.contest(now, by, pe, element);
        }
    }

    /// A peer lists an element as its own. If it is ours, we say so: it may not know, and what it
    /// says then settles it.
    pub(super) fn claimed_in_table(
        &mut self,
        now: Instant,
        by: RegistrarId,
        pe: &PeHandle,
        element: PoolElement,
    ) {
        match self.own.contains_key(pe) {
            true => self.contest(now, by, pe, element),
            false => {
                self.enter(now, by, pe, element);
            }
        }
    }

    /// An element of ours is claimed. If it is claimed elsewhere than it is for us, it may have been
    /// started anew there, and what we know be of the life before: so it is left to the other home at
    /// once, and asked where we know it. It comes back to us if it answers.
    fn contest(&mut self, now: Instant, by: RegistrarId, pe: &PeHandle, element: PoolElement) {
        self.counters.claims_contested += 1;
        let places = self.own.get(pe).zip(asap_address(&element));
        let elsewhere = places.is_some_and(|(own, place)| !own.peer.is_same_endpoint(&place));
        if elsewhere && self.yield_to(now, by, pe, element) {
            self.ask_former(now, pe);
        } else {
            self.insist(now, pe);
        }
    }

    /// Says to all peers and to the element that we are its home. It may have renewed its registration
    /// where it is claimed, and not with us; so it gets a whole life from now on, as if it were taken over.
    fn insist(&mut self, now: Instant, pe: &PeHandle) {
        if let Some(element) = self.handlespace.get(pe).cloned() {
            self.renew_life(now, pe, element.life);
            self.announce_update(UpdateAction::ADD_PE, pe, element);
        }
        self.call_home(now, pe);
    }

    /// Leaves an element of ours to another home. If the element as told there does not fit its
    /// pool, nothing changes, and the answer is false.
    fn yield_to(&mut self, now: Instant, by: RegistrarId, pe: &PeHandle, element: PoolElement) -> bool {
        let before = self.handlespace.get(pe).cloned();
        if !self.enter(now, by, pe, element) {
            return false;
        }
        let Some(own) = self.release(pe) else { return false };
        if let (Some(association), Some(element)) = (own.registrant, before) {
            self.enrp.former.insert(pe.clone(), Former { association, element });
        }
        if let Some(challenger) = own.challenger {
            let cause = ErrorCause::bare(CauseCode::NON_UNIQUE_IDENTIFIER);
            self.end_challenge(challenger.association, pe);
            self.reject_registration(challenger.association, pe, cause);
        }
        self.counters.elements_yielded += 1;
        self.outbox.tell(Notice::Moved { pe: pe.clone(), home: by });
        true
    }

    /// Makes ourselves the home of an element that is in the handlespace, and calls it home.
    pub(super) fn adopt(&mut self, now: Instant, pe: &PeHandle) {
        let Some(mut element) = self.handlespace.get(pe).cloned() else { return };
        element.home = self.id;
        let life = element.life;
        forget_reclaim(self, pe);
        let former = self.enrp.former.remove(pe).map(|former| former.association);
        let registrant = former.filter(|former| self.links.contains_key(former));
        let link = registrant.and_then(|registrant| self.links.get(&registrant));
        let peer = link.map(|link| link.peer.clone()).or_else(|| asap_address(&element));
        let previous = self.handlespace.admit(&pe.pool, element);
        let (Some(peer), Ok(_)) = (peer, previous) else {
            // Nobody can ever ask it whether it lives.
            if let Some(element) = self.handlespace.remove(pe) {
                self.announce_update(UpdateAction::DEL_PE, pe, element);
            }
            return;
        };
        let own = OwnElement {
            stated: None,
            registrant,
            peer,
            asked: None,
            probe: None,
            waits: None,
            hindered: false,
            claimed: true,
            offered: None,
            told: None,
            reporters: BTreeSet::new(),
            challenger: None,
        };
        self.own.insert(pe.clone(), own);
        self.renew_life(now, pe, life);
        self.check_alive(now, pe);
    }

    /// The new home of an element has removed it, or knows it elsewhere. If we still have an association
    /// with it, it is asked: it may have been unreachable only from there, or have two namesakes.
    pub(super) fn ask_former(&mut self, now: Instant, pe: &PeHandle) {
        let Some(association) = self.enrp.former.get(pe).map(|former| former.association) else { return };
        if self.shutdown.is_some() {
            return;
        }
        self.enrp.reclaims.insert(pe.clone());
        self.deadlines.set(Timer::Reclaim(pe.clone()), now + self.config.keep_alive_timeout);
        self.send_keep_alive(association, pe, true);
    }

    /// A former element has answered: it comes back to us.
    pub(in crate::registrar) fn reclaim(&mut self, now: Instant, from: AssociationId, pe: &PeHandle) -> bool {
        let former = self.enrp.former.get(pe).filter(|former| former.association == from);
        let Some(element) = former.map(|former| former.element.clone()) else { return false };
        if !self.enrp.reclaims.remove(pe) {
            return false;
        }
        self.deadlines.clear(&Timer::Reclaim(pe.clone()));
        if self.handlespace.admit(&pe.pool, element.clone()).is_ok() {
            self.announce_update(UpdateAction::ADD_PE, pe, element);
            self.adopt(now, pe);
        }
        true
    }

    /// A former element has not answered: it is gone. If it was only frozen and takes us for its home,
    /// it reads that it is not listed when it thaws.
    pub(in crate::registrar) fn reclaim_unanswered(&mut self, pe: &PeHandle) {
        if let Some(association) = self.enrp.former.get(pe).map(|former| former.association) {
            self.answer_deregistration(association, pe, None);
        }
        self.forget_former(pe);
    }

    /// Over an association over which an element once registered, it does not come back any more: it has
    /// left, or the association has ended.
    pub(in crate::registrar) fn former_left(&mut self, pe: &PeHandle, association: AssociationId) {
        if self.enrp.former.get(pe).is_some_and(|former| former.association == association) {
            self.forget_former(pe);
        }
    }

    /// An element registers with us, or is gone: what was known of its time elsewhere is moot.
    pub(in crate::registrar) fn forget_former(&mut self, pe: &PeHandle) {
        if let Some(former) = self.enrp.former.remove(pe)
            && let Some(link) = self.links.get_mut(&former.association)
        {
            link.elements.remove(pe);
        }
        forget_reclaim(self, pe);
    }
}

/// Asks a former element no more.
pub(in crate::registrar) fn forget_reclaim(registrar: &mut Registrar, pe: &PeHandle) {
    if registrar.enrp.reclaims.remove(pe) {
        registrar.deadlines.clear(&Timer::Reclaim(pe.clone()));
    }
}

/// Whether an element can be asked whether it lives.
pub(super) fn is_reachable(element: &PoolElement) -> bool {
    asap_address(element).is_some()
}

/// Where an element speaks ASAP: at its ASAP transport, or where it serves its users.
fn asap_address(element: &PoolElement) -> Option<TransportAddress> {
    let ports = element.encapsulation.unwrap_or_default();
    let (sctp, udp_port): (&SctpTransport, u16) = match (&element.asap_transport, &element.user_transport) {
        (Some(sctp), _) => (sctp, ports.asap),
        (None, Transport::Sctp(sctp)) => (sctp, ports.user),
        _ => return None,
    };
    let udp_port = if udp_port == 0 { DEFAULT_ENCAPSULATION_PORT } else { udp_port };
    let address = TransportAddress::sctp(sctp.addresses.to_vec(), sctp.port, udp_port);
    (address.port != 0 && !address.addresses.is_empty()).then_some(address)
}
