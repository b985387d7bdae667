//! The associations that are up, with what must be known of each when it ends.

use alloc::collections::{BTreeMap, BTreeSet};
use core::ops::Deref;

use super::attempts::ContactId;
use crate::base::{AssociationId, RegistrarId, SctpAddress, TransportAddress};
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
pub(super) struct Links(BTreeMap<AssociationId, Link>);

impl Link {
    /// Whether its peer is at this address.
    pub(super) fn is_at(&self, address: &SctpAddress) -> bool {
        self.peer.as_sctp().is_some_and(|peer| peer.is_same_endpoint(address))
    }
}

impl Links {
    pub(super) fn open(&mut self, id: AssociationId, peer: TransportAddress, opener: Opener) {
        let (elements, challenges) = (BTreeSet::new(), BTreeSet::new());
        let (greeted, registrar, contact) = (false, None, None);
        let link = Link { peer, opener, greeted, registrar, contact, elements, challenges };
        self.0.insert(id, link);
    }

    /// The association of an input that is being handled.
    pub(super) fn up(&self, id: AssociationId) -> Option<&Link> {
        let link = self.0.get(&id);
        debug_assert!(link.is_some(), "{id:?} is not up");
        link
    }

    pub(super) fn close(&mut self, id: AssociationId) -> Option<Link> {
        self.0.remove(&id)
    }

    /// More is known of where the peer is.
    pub(super) fn set_peer(&mut self, id: AssociationId, peer: TransportAddress) {
        self.change(id, |link| link.peer = peer);
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
        if let Some(link) = self.0.get_mut(&id) {
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
        let link = self.0.get_mut(&id);
        debug_assert!(link.is_some(), "{id:?} is not up");
        if let Some(link) = link {
            change(link);
        }
    }
}

impl Deref for Links {
    type Target = BTreeMap<AssociationId, Link>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
