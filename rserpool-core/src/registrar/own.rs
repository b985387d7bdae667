//! The elements whose home this registrar is: who may speak for them, and how they leave.

use alloc::collections::BTreeSet;

use super::{Notice, Registrar, RemovalReason, Timer};
use crate::base::{AssociationId, ConnectId, Instant, RegistrarId, TransportAddress};
use crate::endpoint::Action;
use crate::handlespace::PeHandle;
use crate::wire::{AsapMessage, PoolElement, Transport, UpdateAction};

/// What a registrar knows of an element of its own beside the handlespace.
#[derive(Debug)]
pub(super) struct OwnElement {
    /// The association over which it registered, while that is up.
    pub(super) registrant: Option<AssociationId>,
    /// Where it registered from: its ASAP transport.
    pub(super) peer: TransportAddress,
    /// The user transport as it was registered, if addresses of it were left out.
    pub(super) stated: Option<Transport>,
    /// The association over which a keep-alive waits for its answer.
    pub(super) asked: Option<AssociationId>,
    /// The attempt to reach it while its association is down.
    pub(super) probe: Option<ConnectId>,
    /// Its place among those that wait until they may be connected to.
    pub(super) waits: Option<u64>,
    /// The last attempt to reach it failed, and there is one more.
    pub(super) hindered: bool,
    /// It has not registered with us yet, so our keep-alives tell it that we are its home.
    pub(super) claimed: bool,
    /// With how many peers an association had come up when all were told of its last registration.
    pub(super) told: Option<u64>,
    /// Whom we have offered to become its home; [`RegistrarId::NONE`] for all peers.
    pub(super) offered: Option<RegistrarId>,
    /// Who has reported that it is unreachable, since its last registration. Not more than
    /// MAX-BAD-PE-REPORT, because the next one removes the element.
    pub(super) reporters: BTreeSet<AssociationId>,
    /// Somebody else who wants to register under its identifier.
    pub(super) challenger: Option<Challenger>,
}

/// A registration under an identifier whose owner is being asked whether it is alive.
#[derive(Debug)]
pub(super) struct Challenger {
    pub(super) association: AssociationId,
    pub(super) element: PoolElement,
}

impl Registrar {
    /// Whether what comes over `from` may be taken as the word of this element: it is the
    /// association that registered it, or that one is down and the peer is the recorded one.
    pub(super) fn speaks_for(&self, from: AssociationId, pe: &PeHandle) -> bool {
        let (Some(own), Some(link)) = (self.own.get(pe), self.links.get(&from)) else { return false };
        match own.registrant {
            Some(registrant) => registrant == from,
            None => own.peer.is_same_endpoint(&link.peer),
        }
    }

    /// Removes an element of ours, with all that waits for it, and tells the element unless it
    /// has asked for it: it may be alive after all and want to come back. (RFC 5352 section 3.2
    /// asks for that when a life ends; a frozen process that thaws deserves it too.)
    pub(super) fn remove_own(&mut self, now: Instant, pe: &PeHandle, reason: RemovalReason) {
        let Some(own) = self.release(pe) else { return };
        if let Some(element) = self.handlespace.remove(pe) {
            self.announce_update(UpdateAction::DEL_PE, pe, element);
        }
        if let Some(registrant) = own.registrant
            && let Some(link) = self.links.get_mut(&registrant)
        {
            link.elements.remove(pe);
            if reason != RemovalReason::Deregistered {
                self.answer_deregistration(registrant, pe, None);
            }
        }
        match reason {
            RemovalReason::Deregistered => self.counters.deregistrations += 1,
            RemovalReason::Silent => self.counters.removed_silent += 1,
            RemovalReason::Reported => self.counters.removed_reported += 1,
            RemovalReason::Expired => self.counters.removed_expired += 1,
        }
        self.outbox.tell(Notice::Removed { pe: pe.clone(), reason });
        if let Some(challenger) = own.challenger {
            self.accept_challenger(now, pe, challenger);
        }
    }

    /// Watches over an element no longer.
    pub(super) fn release(&mut self, pe: &PeHandle) -> Option<OwnElement> {
        let own = self.own.remove(pe)?;
        self.handlespace.unwatch(pe);
        self.deadlines.clear(&Timer::Life(pe.clone()));
        self.cancel_probe(&own);
        Some(own)
    }

    /// Gives an attempt to reach an element up, if it is under way or waits for its turn.
    pub(super) fn cancel_probe(&mut self, own: &OwnElement) {
        if let Some(ticket) = own.waits {
            self.waiting.remove(&ticket);
        }
        if let Some(request) = own.probe
            && self.attempts.remove(&request).is_some()
        {
            self.outbox.act(Action::CancelConnect { request });
        }
    }

    /// The association over which an element registered has ended: ask it over a new one.
    pub(super) fn registrant_disconnected(&mut self, now: Instant, pe: &PeHandle, from: AssociationId) {
        let closing = self.is_closing();
        let Some(own) = self.own.get_mut(pe).filter(|own| own.registrant == Some(from)) else { return };
        own.registrant = None;
        own.asked = None;
        self.handlespace.unwatch(pe);
        if closing {
            return;
        }
        // Somebody who waits for its place gets it at once.
        if own.challenger.is_some() {
            self.remove_own(now, pe, RemovalReason::Silent);
        } else {
            self.check_alive(now, pe);
        }
    }

    pub(super) fn answer_deregistration(
        &mut self,
        to: AssociationId,
        pe: &PeHandle,
        error: Option<crate::wire::OperationError>,
    ) {
        let (handle, element) = (pe.pool.clone(), pe.element);
        self.send_asap(to, &AsapMessage::DeregistrationResponse { handle, element, error });
    }
}
