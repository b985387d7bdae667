//! The associations that are up, with what must be known of each when it ends.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::IpAddr;
use core::ops::Deref;

use super::attempts::ContactId;
use crate::base::{AssociationId, RegistrarId, SctpAddress, SctpPort, TransportAddress, UdpPort};
use crate::endpoint::Security;
use crate::handlespace::PeHandle;

/// Which end opened an association.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opener {
    Us,
    Peer,
}

/// An association. Its fields are written by [`Links`] alone.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) peer: TransportAddress,
    pub(super) opener: Opener,
    /// Whom the peer has proved to be.
    pub(super) security: Security,
    /// Whether we have sent ENRP_PRESENCE over it.
    pub(super) greeted: bool,
    /// The registrar at the other end, once it has named itself.
    pub(super) registrar: Option<RegistrarId>,
    /// The contact that was reached by it.
    pub(super) contact: Option<ContactId>,
    /// The elements that registered over it: ours, and former ones.
    pub(super) elements: BTreeSet<PeHandle>,
    /// The elements whose identifiers it contests.
    pub(super) challenges: BTreeSet<PeHandle>,
}

/// The associations that are up. Reading goes through [`Deref`].
#[derive(Debug, Default)]
pub(super) struct Links {
    by_id: BTreeMap<AssociationId, Link>,
    /// Where their peers are: thousands of elements may be sought at one moment, that of their end.
    by_place: BTreeSet<(Place, AssociationId)>,
}

/// One address of an endpoint of SCTP.
type Place = (SctpPort, UdpPort, IpAddr);

impl Link {
    /// Whether its peer is at this address.
    pub(super) fn is_at(&self, address: &SctpAddress) -> bool {
        self.peer.as_sctp().is_some_and(|peer| peer.is_same_endpoint(address))
    }
}

impl Links {
    pub(super) fn open(
        &mut self,
        id: AssociationId,
        peer: TransportAddress,
        opener: Opener,
        security: Security,
    ) {
        let (elements, challenges) = (BTreeSet::new(), BTreeSet::new());
        let (greeted, registrar, contact) = (false, None, None);
        let link = Link { peer, opener, security, greeted, registrar, contact, elements, challenges };
        self.by_place.extend(places(&link.peer).map(|place| (place, id)));
        self.by_id.insert(id, link);
    }

    /// An association with an endpoint; the one that is up longest, if there are several.
    pub(super) fn with(&self, address: &SctpAddress) -> Option<AssociationId> {
        let oldest = |place| {
            let all = (place, AssociationId::sctp(0))..=(place, AssociationId::sctp(u64::MAX));
            self.by_place.range(all).next().map(|(_, id)| *id)
        };
        places_of(address).filter_map(oldest).min()
    }

    /// The association of an input that is being handled.
    pub(super) fn up(&self, id: AssociationId) -> Option<&Link> {
        let link = self.by_id.get(&id);
        debug_assert!(link.is_some(), "{id:?} is not up");
        link
    }

    pub(super) fn close(&mut self, id: AssociationId) -> Option<Link> {
        let link = self.by_id.remove(&id)?;
        self.leave(id, &link.peer);
        Some(link)
    }

    /// More is known of where the peer is.
    pub(super) fn set_peer(&mut self, id: AssociationId, peer: TransportAddress) {
        let before = self.by_id.get(&id).map(|link| link.peer.clone());
        if let Some(before) = before {
            self.leave(id, &before);
        }
        self.by_place.extend(places(&peer).map(|place| (place, id)));
        self.change(id, |link| link.peer = peer);
    }

    fn leave(&mut self, id: AssociationId, peer: &TransportAddress) {
        for place in places(peer) {
            self.by_place.remove(&(place, id));
        }
    }

    pub(super) fn set_greeted(&mut self, id: AssociationId) {
        self.change(id, |link| link.greeted = true);
    }

    /// Notes which registrar is at the other end.
    pub(super) fn name(&mut self, id: AssociationId, registrar: RegistrarId) {
        self.change(id, |link| link.registrar = Some(registrar));
    }

    /// Messages over the association no longer count as the word of a registrar.
    pub(super) fn unname(&mut self, id: AssociationId) {
        self.change(id, |link| link.registrar = None);
    }

    pub(super) fn set_contact(&mut self, id: AssociationId, contact: ContactId) {
        self.change(id, |link| link.contact = Some(contact));
    }

    /// An element speaks over the association.
    pub(super) fn tie(&mut self, id: AssociationId, pe: &PeHandle) {
        self.change(id, |link| {
            link.elements.insert(pe.clone());
        });
    }

    /// An element does not speak over the association any more, which may have ended.
    pub(super) fn untie(&mut self, id: AssociationId, pe: &PeHandle) {
        if let Some(link) = self.by_id.get_mut(&id) {
            link.elements.remove(pe);
        }
    }

    /// A process at the other end wants to register under the identifier of this element.
    pub(super) fn begin_challenge(&mut self, id: AssociationId, pe: &PeHandle) {
        self.change(id, |link| {
            link.challenges.insert(pe.clone());
        });
    }

    pub(super) fn end_challenge(&mut self, id: AssociationId, pe: &PeHandle) {
        self.change(id, |link| {
            link.challenges.remove(pe);
        });
    }

    fn change(&mut self, id: AssociationId, change: impl FnOnce(&mut Link)) {
        let link = self.by_id.get_mut(&id);
        debug_assert!(link.is_some(), "{id:?} is not up");
        if let Some(link) = link {
            change(link);
        }
    }
}

impl Deref for Links {
    type Target = BTreeMap<AssociationId, Link>;

    fn deref(&self) -> &Self::Target {
        &self.by_id
    }
}

fn places(peer: &TransportAddress) -> impl Iterator<Item = Place> {
    peer.as_sctp().into_iter().flat_map(places_of)
}

fn places_of(address: &SctpAddress) -> impl Iterator<Item = Place> {
    address.addresses.iter().map(|ip| (address.port, address.udp_port, *ip))
}
