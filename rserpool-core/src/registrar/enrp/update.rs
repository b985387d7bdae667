//! ENRP_HANDLE_UPDATE: changes of own elements told, and those of others taken over (RFC 5353
//! section 3.3).

use super::ownership;
use crate::base::{Instant, RegistrarId};
use crate::handlespace::PeHandle;
use crate::registrar::registration::{admission_cause, check_values};
use crate::registrar::{Notice, Registrar};
use crate::wire::{EnrpBody, ErrorCause, PoolElement, UpdateAction};

impl Registrar {
    /// Tells all peers what one of our elements is like now, or that it is gone.
    pub(in crate::registrar) fn announce_update(
        &mut self,
        action: UpdateAction,
        pe: &PeHandle,
        element: PoolElement,
    ) {
        self.counters.updates_sent += 1;
        let handle = pe.pool.clone();
        self.group_cast(EnrpBody::HandleUpdate { takeover_suggested: false, action, handle, element });
    }

    pub(super) fn handle_update(
        &mut self,
        now: Instant,
        sender: RegistrarId,
        offered: bool,
        action: UpdateAction,
        pe: &PeHandle,
        element: PoolElement,
    ) {
        self.counters.updates_received += 1;
        match action {
            // Only the home registrar speaks for an element (RFC 5353 section 2.4).
            UpdateAction::ADD_PE if element.home != sender => self.counters.updates_refused += 1,
            UpdateAction::ADD_PE if offered => self.accept_offer(now, sender, pe, element),
            UpdateAction::ADD_PE => self.claimed(now, sender, pe, element),
            UpdateAction::DEL_PE => self.handle_removal(now, sender, pe),
            _ => self.counters.unexpected += 1,
        }
    }

    /// DEL_PE is obeyed only if it comes from the home registrar (reading B27).
    fn handle_removal(&mut self, now: Instant, sender: RegistrarId, pe: &PeHandle) {
        match self.handlespace.get(pe) {
            Some(element) if element.home == sender => {
                self.handlespace.remove(pe);
                self.ask_former(now, pe);
            }
            Some(_) => self.counters.updates_refused += 1,
            None => {}
        }
    }

    /// Enters an element that another registrar lists, with the home that is named there. One that
    /// cannot be entered changes nothing: there is no answer for it (reading B30).
    pub(super) fn enter(
        &mut self,
        now: Instant,
        from: RegistrarId,
        pe: &PeHandle,
        element: PoolElement,
    ) -> bool {
        let home = element.home;
        let known = home == self.id || self.know_peer(now, home);
        let vanished = self.handlespace.get(pe).is_none();
        let entered = match check_values(pe, &element) {
            Err(cause) => Err(cause),
            Ok(()) if !known => Err(ErrorCause::bare(crate::wire::CauseCode::LACK_OF_RESOURCES)),
            Ok(()) => self.handlespace.admit(&pe.pool, element).map_err(admission_cause),
        };
        if let Err(cause) = entered {
            self.counters.updates_refused += 1;
            if let Some(peer) = self.enrp.peers.get(&from).and_then(|peer| peer.address.clone()) {
                self.outbox.tell(Notice::Rejected { pe: pe.clone(), peer, cause: cause.code });
            }
            return false;
        }
        self.unmark(home, pe);
        // Who is asked because nobody lists it has a home again. Who is asked because somebody knows it
        // elsewhere is still asked when he says so twice.
        if vanished || home == self.id {
            ownership::forget_reclaim(self, pe);
        }
        true
    }
}
