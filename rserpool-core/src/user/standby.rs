//! The element that a session keeps connected, so that a failover costs no handshake.

use super::search::Attempt;
use super::session::Serving;
use crate::base::{AssociationId, ConnectId, TransportAddress};

/// How far a session has come with its next element.
#[derive(Clone, Debug, Default)]
pub(super) enum Standby {
    /// It has none: none is wanted, or no other element was found.
    #[default]
    None,
    /// It is being connected by this request.
    Connecting(ConnectId, Attempt),
    /// It is connected. Its messages wait in the transport until it serves.
    Ready(Serving, TransportAddress),
}

impl Standby {
    pub(super) const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Takes the attempt of this request, if it is that of the standby.
    pub(super) fn take_attempt(&mut self, request: ConnectId) -> Option<Attempt> {
        match core::mem::take(self) {
            Self::Connecting(known, attempt) if known == request => Some(attempt),
            other => {
                *self = other;
                None
            }
        }
    }

    /// Takes what is connected over this association.
    pub(super) fn take_ready(&mut self, association: AssociationId) -> Option<Serving> {
        match self {
            Self::Ready(serving, _) if serving.association == association => {
                let serving = *serving;
                *self = Self::None;
                Some(serving)
            }
            _ => None,
        }
    }
}
