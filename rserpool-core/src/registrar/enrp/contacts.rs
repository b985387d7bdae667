//! Where other registrars may be, and the attempts to reach them.
//!
//! A contact is an address: configured, learned from a list or an announcement, or left behind by a peer that
//! was lost. As long as no association leads there it is tried again and again, with back-off; otherwise the
//! halves of a healed partition would never meet.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use super::ourselves;
use super::unproved::Unproved;
use crate::base::{AssociationId, ConnectId, Instant, RegistrarId, SctpAddress, Source};
use crate::endpoint::{AbortCause, ConnectError};
use crate::registrar::attempts::{Attempt, ContactId};
use crate::registrar::config::MAX_CONFIGURED_PEERS;
use crate::registrar::context::{Context, Timer};
use crate::registrar::interface::Notice;
use crate::registrar::links::Links;

/// The most contacts that are kept. Lists and announcements are not authenticated; an operational scope has
/// fewer than ten registrars.
pub(super) const MAX_CONTACTS: usize = 64;

/// Failed attempts after which an address that never answered is dropped. Otherwise a forged list could make
/// us probe 64 addresses of an attacker's choice forever.
const MAX_FAILURES: u32 = 8;

/// How an address became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It is in the configuration: it is never forgotten.
    Configured,
    /// Another registrar, or a datagram, has named it.
    Learned,
}

/// An address, and what is known of it.
#[derive(Debug)]
struct Contact {
    address: SctpAddress,
    origin: Origin,
    /// The registrar that was met there last.
    peer: Option<RegistrarId>,
    way: Way,
    /// The pause after the next failure.
    pause: Duration,
    /// Whether a registrar was ever met there.
    met: bool,
    /// Whether somebody has ever answered there, or come from there. That a registrar says to be there proves nothing.
    reached: bool,
    /// Whether somebody whom we believe has said that our own identifier is in use there.
    namesake: bool,
    /// Failed attempts since the last association.
    failures: u32,
    /// Associations in a row that ended soon after they had come up, before a contact would be tried again. The
    /// first is opened again at once; a peer that keeps closing them is given time.
    flaps: u32,
}

/// Whether an association leads to a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Idle,
    Attempt(ConnectId),
    /// An attempt has led to this association, at this time.
    Up(AssociationId, Instant),
}

/// The addresses where registrars may be.
#[derive(Debug, Default)]
pub(in crate::registrar) struct Contacts {
    entries: BTreeMap<ContactId, Contact>,
    last: u32,
    unproved: Unproved,
}

impl Contacts {
    pub(in crate::registrar) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Drops a contact that turned out to be ourselves, or to say so.
    pub(super) fn drop_ourselves(&mut self, ctx: &mut Context, id: ContactId) {
        self.entries.remove(&id);
        ctx.deadlines.clear(&Timer::Contact(id));
    }

    /// The contact for an address, a new one if necessary; `None` if there is no room.
    fn enter(&mut self, ctx: &mut Context, address: &SctpAddress, origin: Origin) -> Option<ContactId> {
        let known = self.entries.iter().find(|(_, contact)| contact.address.is_same_endpoint(address));
        if let Some((id, _)) = known {
            return Some(*id);
        }
        if self.entries.len() >= MAX_CONTACTS {
            let idle = |contact: &Contact| contact.origin == Origin::Learned && contact.way == Way::Idle;
            let oldest = *self.entries.iter().find(|(_, contact)| idle(contact))?.0;
            self.entries.remove(&oldest);
            ctx.deadlines.clear(&Timer::Contact(oldest));
        }
        self.last = self.last.wrapping_add(1);
        let contact = Contact {
            address: address.clone(),
            origin,
            peer: None,
            way: Way::Idle,
            pause: Duration::ZERO,
            met: false,
            reached: false,
            namesake: false,
            failures: 0,
            flaps: 0,
        };
        self.entries.insert(ContactId(self.last), contact);
        debug_assert!(self.entries.len() <= MAX_CONTACTS);
        Some(ContactId(self.last))
    }

    /// Whether an address is in the configuration.
    pub(super) fn is_configured(&self, address: &SctpAddress) -> bool {
        let configured = self.entries.values().filter(|contact| contact.origin == Origin::Configured);
        configured.map(|contact| &contact.address).any(|known| known.is_same_endpoint(address))
    }

    /// How many configured registrars may come from a source.
    pub(in crate::registrar) fn configured_at(&self, source: Source) -> usize {
        self.configured().filter(|address| Source::of(**address) == source).count()
    }

    /// The addresses of the configured registrars.
    pub(in crate::registrar) fn configured(&self) -> impl Iterator<Item = &IpAddr> {
        let configured = self.entries.values().filter(|contact| contact.origin == Origin::Configured);
        configured.flat_map(|contact| &contact.address.addresses)
    }

    /// Contacts an address where our own identifier is said to be in use, by somebody whom we believe.
    pub(super) fn contact_namesake(&mut self, ctx: &mut Context, address: &SctpAddress) {
        self.contact(ctx, address, Origin::Learned, None);
        for contact in self.entries.values_mut() {
            contact.namesake |= contact.address.is_same_endpoint(address);
        }
    }

    /// Whether a registrar at this contact is believed that our identifier is its own. Anybody could make us
    /// connect to an address, and stop us.
    pub(super) fn is_believed(&self, id: ContactId) -> bool {
        self.entries.get(&id).is_some_and(|contact| contact.namesake || contact.origin == Origin::Configured)
    }

    /// Notes which registrar was met at an address.
    pub(super) fn note_met_at(&mut self, address: &SctpAddress, peer: RegistrarId) {
        for contact in self.entries.values_mut() {
            if contact.address.is_same_endpoint(address) {
                contact.peer = Some(peer);
                contact.met = true;
            }
        }
    }

    /// Contacts a registrar at an address, unless that is under way or done.
    pub(super) fn contact(
        &mut self,
        ctx: &mut Context,
        address: &SctpAddress,
        origin: Origin,
        peer: Option<RegistrarId>,
    ) {
        if ourselves::is_own_address(ctx, address) {
            return;
        }
        let Some(id) = self.enter(ctx, address, origin) else { return };
        if let Some(contact) = self.entries.get_mut(&id) {
            contact.peer = peer.or(contact.peer);
            if contact.flaps <= 1 {
                contact.pause = Duration::ZERO;
            }
        }
        self.attempt(ctx, id);
    }

    /// Contacts the registrars at these addresses, which are the configured ones from now on. Those that were
    /// configured before are kept as long as somebody answers there.
    pub(in crate::registrar) fn configure(&mut self, ctx: &mut Context, addresses: &[SctpAddress]) {
        let addresses = &addresses[..addresses.len().min(MAX_CONFIGURED_PEERS)];
        for contact in self.entries.values_mut() {
            let configured = addresses.iter().any(|address| contact.address.is_same_endpoint(address));
            contact.origin = if configured { Origin::Configured } else { Origin::Learned };
        }
        for address in addresses {
            self.contact(ctx, address, Origin::Configured, None);
        }
    }

    /// Looks for a peer at once at an address; whether it has come from there itself is known.
    pub(super) fn seek_at(
        &mut self,
        ctx: &mut Context,
        address: &SctpAddress,
        peer: RegistrarId,
        proved: bool,
    ) {
        if !ourselves::is_own_address(ctx, address) {
            let id = self.enter(ctx, address, Origin::Learned);
            if let Some(contact) = id.and_then(|id| self.entries.get_mut(&id)) {
                contact.reached |= proved;
            }
            self.contact(ctx, address, Origin::Learned, Some(peer));
        }
    }

    /// A registrar has come from an address where it says to be.
    pub(super) fn note_proved(&mut self, address: &SctpAddress) {
        self.unproved.answered(address);
        for contact in self.entries.values_mut() {
            contact.reached |= contact.address.is_same_endpoint(address);
        }
    }

    /// Looks for a peer at once wherever it was met.
    pub(super) fn seek(&mut self, ctx: &mut Context, peer: RegistrarId) {
        let met = self.entries.iter().filter(|(_, contact)| contact.peer == Some(peer)).map(|(id, _)| *id);
        for id in met.collect::<Vec<_>>() {
            self.attempt(ctx, id);
        }
    }

    /// The time to try a contact again has come, or it was reached and has not named itself.
    pub(in crate::registrar) fn contact_due(&mut self, ctx: &mut Context, links: &Links, id: ContactId) {
        let Some(contact) = self.entries.get(&id) else {
            debug_assert!(false, "the deadline of a contact outlived it");
            return;
        };
        match contact.way {
            Way::Up(association, _) => {
                if links.get(&association).is_some_and(|link| link.registrar.is_none()) {
                    ctx.abort(association, AbortCause::User);
                }
            }
            Way::Idle | Way::Attempt(_) => self.attempt(ctx, id),
        }
    }

    fn attempt(&mut self, ctx: &mut Context, id: ContactId) {
        let Some(contact) = self.entries.get_mut(&id) else {
            debug_assert!(false, "{id:?} is unknown");
            return;
        };
        let up = contact.peer.is_some_and(|peer| ctx.group.contains_key(&peer));
        let pausing = contact.flaps > 1 && ctx.deadlines.get(&Timer::Contact(id)).is_some();
        if up || contact.way != Way::Idle || pausing || ctx.is_leaving() {
            return;
        }
        ctx.deadlines.clear(&Timer::Contact(id));
        if contact.is_unproved() {
            let address = contact.address.clone();
            let others = self.entries.values().filter(|other| other.is_unproved() && other.is_tried());
            if !self.unproved.has_room(ctx.now, &address, others.map(|other| &other.address)) {
                let later = ctx.now + ctx.random.vary_by_half(shortest_pause(ctx));
                ctx.deadlines.set(Timer::Contact(id), later);
                return;
            }
        }
        let Some(contact) = self.entries.get_mut(&id) else { return };
        let (deadline, port) = (ctx.answer_due(), ctx.config.enrp_port);
        let attempt = ctx.connect(Attempt::Registrar(id), port, contact.address.clone(), deadline);
        contact.way = Way::Attempt(attempt);
    }

    /// An attempt has failed. Returns the peer if it has refused: it is no longer there. A peer that is only
    /// silent has its own deadline.
    pub(in crate::registrar) fn contact_failed(
        &mut self,
        ctx: &mut Context,
        id: ContactId,
        reason: &ConnectError,
    ) -> Option<RegistrarId> {
        let contact = self.entries.get_mut(&id)?;
        debug_assert!(matches!(contact.way, Way::Attempt(_)), "{contact:?}");
        contact.way = Way::Idle;
        contact.failures = contact.failures.saturating_add(1);
        if contact.origin == Origin::Configured && contact.failures.is_power_of_two() {
            let (address, attempts) = (contact.address.clone(), contact.failures);
            ctx.outbox.tell(Notice::PeerUnanswered { address, reason: reason.clone(), attempts });
        }
        if contact.is_unproved() {
            self.unproved.failed(ctx.now, &contact.address);
        }
        let peer = contact.peer;
        let doubted = contact.is_unproved() && self.unproved.is_doubted(ctx.now, &contact.address);
        let hopeless = doubted || (!contact.met && contact.failures >= MAX_FAILURES);
        if contact.origin == Origin::Learned && hopeless {
            self.entries.remove(&id);
        } else {
            self.contact_later(ctx, id);
        }
        peer.filter(|_| *reason == ConnectError::Refused)
    }

    /// Tries a contact again after a pause, which doubles up to half a heartbeat cycle. Therefore two
    /// registrars meet within one cycle after the network lets them.
    fn contact_later(&mut self, ctx: &mut Context, id: ContactId) {
        let cycle = ctx.config.enrp.heartbeat_cycle;
        let Some(contact) = self.entries.get_mut(&id) else {
            debug_assert!(false, "{id:?} is unknown");
            return;
        };
        let shortest = shortest_pause(ctx);
        contact.pause = (contact.pause * 2).clamp(shortest, cycle / 2).max(Duration::from_millis(1));
        let wait = ctx.random.vary_by_half(contact.pause);
        ctx.deadlines.set(Timer::Contact(id), ctx.now + wait);
    }

    /// An attempt has succeeded. A registrar names itself in time after it was greeted.
    pub(in crate::registrar) fn contact_made(
        &mut self,
        ctx: &mut Context,
        links: &mut Links,
        id: ContactId,
        association: AssociationId,
    ) {
        if let Some(contact) = self.entries.get_mut(&id) {
            debug_assert!(matches!(contact.way, Way::Attempt(_)), "{contact:?}");
            contact.way = Way::Up(association, ctx.now);
            contact.failures = 0;
            contact.reached = true;
            self.unproved.answered(&contact.address);
        }
        links.set_contact(association, id);
        let due = ctx.answer_due();
        ctx.deadlines.set(Timer::Contact(id), due);
    }

    /// The association with a contact has ended.
    pub(in crate::registrar) fn contact_lost(&mut self, ctx: &mut Context, id: ContactId) {
        let Some(contact) = self.entries.get_mut(&id) else { return };
        if let Way::Up(_, since) = contact.way {
            let lasted = ctx.now.since(since) >= shortest_pause(ctx);
            contact.flaps = if lasted { 0 } else { contact.flaps.saturating_add(1) };
        }
        contact.way = Way::Idle;
        self.contact_later(ctx, id);
    }
}

impl Contact {
    /// Whether somebody has named the address, and nothing else speaks for it.
    fn is_unproved(&self) -> bool {
        self.origin == Origin::Learned && !self.reached
    }

    const fn is_tried(&self) -> bool {
        matches!(self.way, Way::Attempt(_))
    }
}

/// The pause before a contact is tried for the second time.
fn shortest_pause(ctx: &Context) -> Duration {
    ctx.config.enrp.heartbeat_cycle / 16
}

#[cfg(test)]
impl Contacts {
    /// Every contact is being tried, is reached, waits for its time, or belongs to a peer that is reached.
    pub(in crate::registrar) fn check(
        &self,
        ctx: &Context,
        links: &Links,
        timers: &mut alloc::collections::BTreeSet<Timer>,
    ) {
        assert!(self.entries.len() <= MAX_CONTACTS);
        for (id, contact) in &self.entries {
            let timer = ctx.deadlines.get(&Timer::Contact(*id)).is_some();
            timers.extend(timer.then_some(Timer::Contact(*id)));
            match contact.way {
                Way::Attempt(request) => {
                    assert_eq!(ctx.attempts.get(&request), Some(&Attempt::Registrar(*id)));
                }
                Way::Up(association, _) => assert_eq!(links[&association].contact, Some(*id)),
                Way::Idle => {
                    let there = contact.peer.is_some_and(|peer| ctx.group.contains_key(&peer));
                    assert!(timer || there, "a contact is forgotten: {contact:?}");
                }
            }
        }
        for (request, attempt) in ctx.attempts.iter() {
            if let Attempt::Registrar(contact) = attempt {
                assert_eq!(self.entries[contact].way, Way::Attempt(*request));
            }
        }
    }
}
