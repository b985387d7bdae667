//! The group of registrars to which ENRP messages are sent: every peer with an association that is up.

use alloc::collections::BTreeMap;
use core::ops::Deref;

use crate::base::{AssociationId, RegistrarId};

/// The association with each peer, for as long as it is up. Reading goes through [`Deref`].
#[derive(Debug, Default)]
pub(super) struct Group {
    associations: BTreeMap<RegistrarId, AssociationId>,
    epoch: u64,
}

impl Group {
    /// Counts the associations that have ever joined. If the epoch is still the same, every present peer has
    /// been sent what went to all since then.
    pub(super) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The association is the one with the peer from now on.
    pub(super) fn join(&mut self, peer: RegistrarId, association: AssociationId) {
        self.epoch += 1;
        self.associations.insert(peer, association);
    }

    /// The peer cannot be reached any more.
    pub(super) fn leave(&mut self, peer: RegistrarId) -> Option<AssociationId> {
        self.associations.remove(&peer)
    }
}

impl Deref for Group {
    type Target = BTreeMap<RegistrarId, AssociationId>;

    fn deref(&self) -> &Self::Target {
        &self.associations
    }
}
