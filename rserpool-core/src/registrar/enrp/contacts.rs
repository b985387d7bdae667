//! Where other registrars may be, and the attempts to reach them.
//!
//! A contact is an address: configured, learned from a list or an announcement, or left behind by
//! a peer that was lost. As long as no association leads there it is tried again and again, with
//! back-off, or the halves of a healed partition would never meet.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use crate::base::{AssociationId, ConnectId, Deadlines, Instant, RegistrarId, TransportAddress};
use crate::endpoint::{AbortCause, Action, ConnectError};
use crate::registrar::{Attempt, Registrar, Timer};

/// How many contacts are kept. Lists and announcements are not authenticated; an operational scope
/// has fewer than ten registrars.
pub(super) const MAX_CONTACTS: usize = 64;

/// After how many attempts in vain a place is forgotten where nobody was ever met: whoever can send a
/// list or an announcement could have us knock at 64 doors of his choice for ever.
const MAX_FAILURES: u32 = 8;

/// The name of a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::registrar) struct ContactId(u32);

#[derive(Debug)]
pub(super) struct Contact {
    address: TransportAddress,
    configured: bool,
    /// Who was met there last.
    pub(super) peer: Option<RegistrarId>,
    pub(super) attempt: Option<ConnectId>,
    /// The association that an attempt has led to.
    pub(super) association: Option<AssociationId>,
    /// The pause after the next failure.
    pause: Duration,
    /// Whether a registrar was ever met there.
    met: bool,
    /// Attempts in vain since the last association.
    failures: u32,
    /// Since when the association is up.
    since: Instant,
    /// Associations in a row that ended soon after they had come up. The first is made again at
    /// once; who goes on closing them is given time.
    flaps: u32,
}

#[derive(Debug, Default)]
pub(super) struct Contacts {
    entries: BTreeMap<ContactId, Contact>,
    last: u32,
}

impl Contacts {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&self, contact: ContactId) -> Option<&Contact> {
        self.entries.get(&contact)
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = (&ContactId, &Contact)> {
        self.entries.iter()
    }

    pub(super) fn remove(&mut self, contact: ContactId) {
        self.entries.remove(&contact);
    }

    fn find(&self, address: &TransportAddress) -> Option<ContactId> {
        let same = self.entries.iter().find(|(_, contact)| contact.address.is_same_endpoint(address));
        same.map(|(id, _)| *id)
    }

    /// The contact for an address, a new one if need be; `None` if there is no room.
    fn enter(
        &mut self,
        deadlines: &mut Deadlines<Timer>,
        address: &TransportAddress,
        configured: bool,
    ) -> Option<ContactId> {
        if let Some(found) = self.find(address) {
            return Some(found);
        }
        if self.entries.len() >= MAX_CONTACTS {
            let idle = |contact: &Contact| contact.attempt.is_none() && contact.association.is_none();
            let oldest = self.entries.iter().find(|(_, contact)| !contact.configured && idle(contact));
            let oldest = *oldest?.0;
            self.entries.remove(&oldest);
            deadlines.clear(&Timer::Contact(oldest));
        }
        self.last = self.last.wrapping_add(1);
        let contact = Contact {
            address: address.clone(),
            configured,
            peer: None,
            attempt: None,
            association: None,
            pause: Duration::ZERO,
            met: false,
            failures: 0,
            since: Instant::ORIGIN,
            flaps: 0,
        };
        self.entries.insert(ContactId(self.last), contact);
        Some(ContactId(self.last))
    }

    /// Notes who is to be met at an address.
    pub(super) fn is_met_at(&mut self, address: &TransportAddress, peer: RegistrarId) {
        for contact in self.entries.values_mut() {
            if contact.address.is_same_endpoint(address) {
                contact.peer = Some(peer);
                contact.met = true;
            }
        }
    }
}

impl Registrar {
    /// Contacts a registrar at an address, unless that is under way or done.
    pub(super) fn contact(
        &mut self,
        now: Instant,
        address: &TransportAddress,
        configured: bool,
        peer: Option<RegistrarId>,
    ) {
        if self.is_ourselves(address) {
            return;
        }
        let Some(id) = self.enrp.contacts.enter(&mut self.deadlines, address, configured) else { return };
        if let Some(contact) = self.enrp.contacts.entries.get_mut(&id) {
            contact.peer = peer.or(contact.peer);
            if contact.flaps <= 1 {
                contact.pause = Duration::ZERO;
            }
        }
        self.try_contact(now, id);
    }

    /// Looks for a peer where it is said to be, and wherever it was met, at once.
    pub(super) fn contact_peer(
        &mut self,
        now: Instant,
        peer: RegistrarId,
        address: Option<TransportAddress>,
    ) {
        if let Some(address) = address {
            self.contact(now, &address, false, Some(peer));
            if self.enrp.peers.get(&peer).is_some_and(|peer| peer.met) {
                self.enrp.contacts.is_met_at(&address, peer);
            }
        }
        let others = self.enrp.contacts.entries.iter();
        let met: Vec<ContactId> =
            others.filter(|(_, contact)| contact.peer == Some(peer)).map(|(id, _)| *id).collect();
        for id in met {
            self.try_contact(now, id);
        }
    }

    /// The time to try a contact again has come, or it was tried and has not named itself.
    pub(in crate::registrar) fn contact_due(&mut self, now: Instant, id: ContactId) {
        let Some(contact) = self.enrp.contacts.get(id) else { return };
        match contact.association {
            Some(association) if self.links.get(&association).is_some_and(|l| l.registrar.is_none()) => {
                self.outbox.act(Action::Abort { association, cause: AbortCause::User });
            }
            Some(_) => {}
            None => self.try_contact(now, id),
        }
    }

    fn try_contact(&mut self, now: Instant, id: ContactId) {
        let Some(contact) = self.enrp.contacts.entries.get_mut(&id) else { return };
        let met = contact.peer.and_then(|peer| self.enrp.peers.get(&peer));
        let up = met.is_some_and(|peer| peer.association.is_some());
        let pausing = contact.flaps > 1 && self.deadlines.get(&Timer::Contact(id)).is_some();
        let busy = contact.attempt.is_some() || contact.association.is_some();
        if up || busy || pausing || self.shutdown.is_some() {
            return;
        }
        let request = self.connects.next_id();
        contact.attempt = Some(request);
        let peer = contact.address.clone();
        self.deadlines.clear(&Timer::Contact(id));
        self.attempts.insert(request, Attempt::Registrar(id));
        let deadline = now + self.config.enrp.max_time_no_response;
        self.outbox.act(Action::Connect { request, local_port: self.config.enrp_port, peer, deadline });
    }

    /// An attempt has failed. A peer that refuses is not there any more; one that is only silent has
    /// its own deadline.
    pub(in crate::registrar) fn contact_failed(
        &mut self,
        now: Instant,
        id: ContactId,
        reason: &ConnectError,
    ) {
        let Some(contact) = self.enrp.contacts.entries.get_mut(&id) else { return };
        contact.attempt = None;
        contact.failures = contact.failures.saturating_add(1);
        let peer = contact.peer;
        if !contact.configured && !contact.met && contact.failures >= MAX_FAILURES {
            self.enrp.contacts.remove(id);
        } else {
            self.contact_later(now, id);
        }
        if let Some(peer) = peer.filter(|_| *reason == ConnectError::Refused) {
            self.peer_refused(now, peer);
        }
    }

    /// Tries a contact again after a pause, which doubles up to half a heartbeat cycle: so two
    /// registrars meet within one cycle after the network lets them.
    fn contact_later(&mut self, now: Instant, id: ContactId) {
        let cycle = self.config.enrp.heartbeat_cycle;
        let Some(contact) = self.enrp.contacts.entries.get_mut(&id) else { return };
        contact.pause = (contact.pause * 2).clamp(cycle / 16, cycle / 2).max(Duration::from_millis(1));
        let wait = self.random.vary_by_half(contact.pause);
        self.deadlines.set(Timer::Contact(id), now + wait);
    }

    /// An attempt has succeeded: we introduce ourselves. Who does not answer is no registrar.
    pub(in crate::registrar) fn contact_made(
        &mut self,
        now: Instant,
        id: ContactId,
        association: AssociationId,
    ) {
        if let Some(contact) = self.enrp.contacts.entries.get_mut(&id) {
            contact.attempt = None;
            contact.association = Some(association);
            contact.failures = 0;
            contact.since = now;
        }
        if let Some(link) = self.links.get_mut(&association) {
            link.contact = Some(id);
        }
        self.deadlines.set(Timer::Contact(id), now + self.config.enrp.max_time_no_response);
        self.greet(association, RegistrarId::NONE);
    }

    /// The association with a contact has ended.
    pub(in crate::registrar) fn contact_lost(&mut self, now: Instant, id: ContactId) {
        if let Some(contact) = self.enrp.contacts.entries.get_mut(&id) {
            contact.association = None;
            let lasted = now.since(contact.since) >= self.config.enrp.heartbeat_cycle;
            contact.flaps = if lasted { 0 } else { contact.flaps.saturating_add(1) };
            self.contact_later(now, id);
        }
    }

    /// Whether an address is one of our own, as far as we know them.
    pub(super) fn is_ourselves(&self, address: &TransportAddress) -> bool {
        self.own_address().is_same_endpoint(address)
    }

    /// Where we speak ENRP, as far as we know it.
    pub(super) fn own_address(&self) -> TransportAddress {
        TransportAddress::sctp(self.config.addresses.clone(), self.config.enrp_port, self.config.udp_port)
    }
}
