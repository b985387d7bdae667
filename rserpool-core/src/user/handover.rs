//! What the elements of a session have left with it for those that replace them.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::base::{ElementId, PoolHandle};
use crate::wire::PoolElement;

/// What a session carries from one element to the next. It ends with the session.
#[derive(Debug, Default)]
pub(super) struct Handover {
    cookie: Option<Bytes>,
    card: Option<Card>,
}

/// A business card that an element has sent.
#[derive(Debug)]
struct Card {
    handle: PoolHandle,
    /// The elements that have not failed since, the preferred one first.
    elements: Vec<PoolElement>,
}

impl Handover {
    /// The latest cookie that was received; an empty one is one, too. It stays until another one comes: an element
    /// that fails before it has sent its own leaves this one to the next.
    pub(super) const fn cookie(&self) -> Option<&Bytes> {
        self.cookie.as_ref()
    }

    /// Keeps a cookie instead of the one before.
    pub(super) fn keep_cookie(&mut self, cookie: &Bytes) {
        // A copy of its own: the octets may be a part of a message that is much longer.
        self.cookie = Some(Bytes::copy_from_slice(cookie));
    }

    /// Keeps a card instead of the one before (ASAP-3.9-04).
    pub(super) fn keep_card(&mut self, handle: PoolHandle, elements: Vec<PoolElement>) {
        self.card = Some(Card { handle, elements });
    }

    /// The elements of this pool that the latest card prefers (ASAP-3.9-06). That of another pool says nothing about
    /// this one.
    pub(super) fn preferred(&self, pool: &PoolHandle) -> &[PoolElement] {
        match &self.card {
            Some(card) if card.handle == *pool => &card.elements,
            _ => &[],
        }
    }

    /// An element has failed: it is not preferred any more.
    pub(super) fn strike(&mut self, element: ElementId) {
        if let Some(card) = &mut self.card {
            card.elements.retain(|listed| listed.id != element);
        }
    }
}
