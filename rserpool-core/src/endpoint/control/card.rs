//! Business cards: the elements that a failover is to try, in their order (RFC 5352 section 3.9).

use alloc::vec::Vec;

use bytes::Bytes;

use crate::base::PoolHandle;
use crate::endpoint::Refusal;
use crate::wire::{AsapMessage, Padding, PoolElement};

/// The most elements in a business card. A failover tries a few of them, and a peer must not fill the memory.
pub const MAX_CARD: usize = 64;

/// A card as a message.
pub(crate) fn encode(
    handle: PoolHandle,
    elements: Vec<PoolElement>,
    padding: Padding,
) -> Result<Bytes, Refusal> {
    if elements.len() > MAX_CARD {
        return Err(Refusal::Card);
    }
    let message = AsapMessage::BusinessCard { handle, policy: None, elements: each_once(elements) };
    message.encode(padding).map_err(|_| Refusal::Card)
}

/// The elements of a card that a peer has sent.
pub(crate) fn listed(elements: Vec<PoolElement>) -> Vec<PoolElement> {
    let mut elements = each_once(elements);
    elements.shrink_to_fit();
    elements
}

/// The first [`MAX_CARD`] different elements.
fn each_once(mut elements: Vec<PoolElement>) -> Vec<PoolElement> {
    let mut known = Vec::new();
    elements.retain(|element| {
        let new = known.len() < MAX_CARD && !known.contains(&element.id);
        if new {
            known.push(element.id);
        }
        new
    });
    elements
}
