//! Handle resolution (RFC 5352 section 3.3, draft asap-hropt).

use alloc::vec::Vec;

use super::context::Context;
use super::listing::Listing;
use crate::base::{AssociationId, PoolHandle};
use crate::handlespace::Pool;
use crate::wire::{AsapMessage, CauseCode, ErrorCause, PoolElement};

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
    // A message holds 65,535 octets: a user that wants as many as possible gets as many as fit. That is found
    // out before, because what is selected counts as used (RFC 5356 section 5.2.2).
    let count = listing.pool(&handle).map_or(0, Pool::room_in_answer).min(count as usize);
    let Some((policy, selected)) = listing.select(&handle, count, &mut ctx.random) else {
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
    let answer =
        AsapMessage::HandleResolutionResponse { updates: false, handle, policy, elements, error: None };
    ctx.send_asap(from, &answer);
}

/// An element without its ASAP transport, which concerns registrars only (reading A10).
fn as_seen_by_users(element: &PoolElement) -> PoolElement {
    PoolElement { asap_transport: None, ..element.clone() }
}
