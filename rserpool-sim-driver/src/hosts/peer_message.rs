//! What a registrar may do with a message of another registrar (RFC 5353), judged on the spot: only here are
//! the moments before and after it both seen.

use rserpool_core::base::{PoolHandle, ProtocolId, RegistrarId};
use rserpool_core::endpoint::Event;
use rserpool_core::handlespace::PeHandle;
use rserpool_core::registrar::Registrar;
use rserpool_core::wire::{EnrpBody, EnrpMessage, PoolElement, UpdateAction};

use crate::violation::Violation;

/// What must still hold when a message has been handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expectation {
    /// The sender wants an element removed whose home it is not: the element stays, with this home.
    Stranger(PeHandle, RegistrarId),
    /// A page of a peer's table, and not the last one: at least this many elements of the peer stay.
    Page(RegistrarId, usize),
}

/// The types of the messages that are judged. Others are not decoded, which would take time.
const TABLE_RESPONSE: u8 = 3;
const UPDATE: u8 = 4;

impl Expectation {
    /// What must hold after a registrar has handled this event; `None` if the event is not judged here.
    pub(super) fn before(registrar: &Registrar, event: &Event) -> Option<Self> {
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
                // A mentor lists all elements: one that an earlier mentor listed as its own may have another home.
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

    /// Whether it still holds.
    pub(super) fn judge(&self, registrar: &Registrar) -> Result<(), Violation> {
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
