//! What a registrar may do with a message of another one, judged before and after (RFC 5353).

use rserpool_core::base::{PoolHandle, ProtocolId, RegistrarId};
use rserpool_core::endpoint::Event;
use rserpool_core::handlespace::PeHandle;
use rserpool_core::registrar::Registrar;
use rserpool_core::wire::{EnrpBody, EnrpMessage, PoolElement, UpdateAction};

use crate::applications::Violation;

/// What must be the same after a message was handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exchange {
    /// Somebody speaks who is not the home of this element: it stays.
    Stranger(PeHandle, RegistrarId),
    /// A page of a peer's table, and not the last one: so many elements of the peer stay.
    Page(RegistrarId, usize),
}

/// The types of the messages that matter: of the others nothing is decoded.
const TABLE_RESPONSE: u8 = 3;
const UPDATE: u8 = 4;

impl Exchange {
    /// What a registrar is about to be told; `None` if it is nothing that is judged here.
    pub(crate) fn before(registrar: &Registrar, event: &Event) -> Option<Self> {
        let Event::Message { protocol: ProtocolId::ENRP, bytes, .. } = event else { return None };
        if !matches!(bytes.first(), Some(&(TABLE_RESPONSE | UPDATE))) {
            return None;
        }
        let EnrpMessage { sender, body, .. } = EnrpMessage::decode(bytes).ok()?.message;
        match body {
            EnrpBody::HandleUpdate { action: UpdateAction::DEL_PE, handle, element, .. } => {
                let pe = PeHandle { pool: handle, element: element.id };
                let home = registrar.handlespace().get(&pe)?.home;
                (home != sender).then_some(Self::Stranger(pe, home))
            }
            EnrpBody::HandleTableResponse { more: true, pools, .. } => {
                let space = registrar.handlespace();
                // A mentor lists all: what an earlier one told of as its own may have another home.
                let moves = |handle: &PoolHandle, element: &PoolElement| {
                    let pe = PeHandle { pool: handle.clone(), element: element.id };
                    !registrar.is_serving()
                        && element.home != sender
                        && space.get(&pe).is_some_and(|known| known.home == sender)
                };
                let moved =
                    pools.iter().map(|pool| pool.elements.iter().filter(|e| moves(&pool.handle, e)).count());
                Some(Self::Page(sender, space.owned(sender).saturating_sub(moved.sum())))
            }
            _ => None,
        }
    }

    /// Whether it is still so.
    pub(crate) fn judge(&self, registrar: &Registrar) -> Result<(), Violation> {
        let space = registrar.handlespace();
        match self {
            Self::Stranger(pe, home) if space.get(pe).map(|element| element.home) != Some(*home) => {
                let detail = format!("{} has removed {pe} of {home}", registrar.id());
                Err(Violation::new("only its home removes an element", detail))
            }
            Self::Page(peer, owned) if space.owned(*peer) < *owned => {
                let detail = format!("{} has removed elements of {peer}", registrar.id());
                Err(Violation::new("a resynchronisation removes nothing before its last page", detail))
            }
            _ => Ok(()),
        }
    }
}
