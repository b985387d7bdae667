//! Handle resolution (RFC 5352 section 3.3, draft asap-hropt).

use alloc::vec::Vec;

use super::context::Context;
use super::listing::Listing;
use crate::base::{AssociationId, PoolHandle, ProtocolId};
use crate::wire::{AsapMessage, CauseCode, EncodeError, ErrorCause, PoolElement};

/// Answers with elements in the order in which the pool's policy selects them. `items` is how many the user
/// wants; 0, or nothing, leaves that to us.
pub(super) fn resolve(
    ctx: &mut Context,
    listing: &mut Listing,
    from: AssociationId,
    handle: PoolHandle,
    items: Option<u32>,
) {
    let count = match items {
        None | Some(0) => ctx.config.resolution_items,
        Some(items) => items.min(ctx.config.max_resolution_items),
    };
    let Some((policy, selected)) = listing.select(&handle, count as usize, &mut ctx.random) else {
        ctx.counters.resolutions_unknown += 1;
        let error = Some(ErrorCause::bare(CauseCode::UNKNOWN_POOL_HANDLE).into());
        let (policy, elements) = (None, Vec::new());
        let answer =
            AsapMessage::HandleResolutionResponse { updates: false, handle, policy, elements, error };
        return ctx.send_asap(from, &answer);
    };
    ctx.counters.resolutions += 1;
    let policy = Some(policy.clone());
    let elements: Vec<PoolElement> = selected.into_iter().map(as_seen_by_users).collect();
    let mut answer =
        AsapMessage::HandleResolutionResponse { updates: false, handle, policy, elements, error: None };
    loop {
        match answer.encode(ctx.config.padding) {
            Ok(bytes) => return ctx.outbox.send(from, ProtocolId::ASAP, bytes),
            // A message holds 65,535 octets: a user that wants as many as possible gets as many as fit.
            Err(EncodeError::TooLong(_)) => {}
            Err(_) => return,
        }
        let AsapMessage::HandleResolutionResponse { elements, .. } = &mut answer else { return };
        let fewer = elements.len() / 2;
        if fewer == 0 {
            return;
        }
        elements.truncate(fewer);
    }
}

/// An element without its ASAP transport, which concerns registrars only (reading A10).
fn as_seen_by_users(element: &PoolElement) -> PoolElement {
    PoolElement { asap_transport: None, ..element.clone() }
}
