//! Handle resolution (RFC 5352 section 3.3, draft asap-hropt).

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::context::Context;
use super::listing::Listing;
use crate::base::{AssociationId, PoolHandle};
use crate::handlespace::Pool;
use crate::wire::{AsapMessage, CauseCode, ErrorCause, Policy, PoolElement};

/// What a user was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    Elements,
    UnknownPool,
}

/// Whether a user hears of changes of the pool that it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Updates {
    Unwanted,
    /// There is no room for its subscription, or nothing to hear of.
    Refused,
    Promised,
}

/// Answers with elements in the order in which the pool's policy selects them. `items` is how many the user
/// wants; 0, or nothing, leaves that to us.
pub(super) fn resolve(
    ctx: &mut Context,
    listing: &mut Listing,
    from: AssociationId,
    handle: PoolHandle,
    items: Option<u32>,
    updates: Updates,
) {
    let count = count(ctx, listing, &handle, items);
    let Some((policy, selected)) = listing.select(&handle, count, &mut ctx.random) else {
        ctx.counters.resolutions_unknown += 1;
        return refuse(ctx, from, handle, CauseCode::UNKNOWN_POOL_HANDLE);
    };
    ctx.counters.resolutions += 1;
    let policy = policy.clone();
    let mut elements: Vec<PoolElement> = selected.into_iter().map(as_seen_by_users).collect();
    if updates != Updates::Unwanted {
        add_left_out(listing, &handle, count, &mut elements);
    }
    answer(ctx, from, updates == Updates::Promised, handle, policy, elements);
}

/// Who follows a pool is told of as many elements as updates list, also of those that the policy does not select at
/// present, such as those with the weight 0: or they would come and go with each kind of answer (reading B81). They
/// come last, and the user's own selection leaves them out as ours does.
fn add_left_out(listing: &Listing, handle: &PoolHandle, count: usize, elements: &mut Vec<PoolElement>) {
    let Some(pool) = listing.pool(handle).filter(|pool| elements.len() < count.min(pool.len())) else {
        return;
    };
    let selected: BTreeSet<_> = elements.iter().map(|element| element.id).collect();
    let left_out = pool.elements_after(None).filter(|element| !selected.contains(&element.id));
    elements.extend(left_out.take(count - selected.len()).map(as_seen_by_users));
}

/// Tells a subscriber how a pool is now, without selecting.
pub(super) fn update(
    ctx: &mut Context,
    listing: &Listing,
    to: AssociationId,
    handle: &PoolHandle,
    items: Option<u32>,
) -> Answered {
    let count = count(ctx, listing, handle, items);
    let Some(pool) = listing.pool(handle) else {
        refuse(ctx, to, handle.clone(), CauseCode::UNKNOWN_POOL_HANDLE);
        return Answered::UnknownPool;
    };
    let elements = pool.elements_after(None).take(count).map(as_seen_by_users).collect();
    answer(ctx, to, true, handle.clone(), pool.policy().clone(), elements);
    Answered::Elements
}

/// How many elements an answer has. A message holds 65,535 octets: a user that wants as many as possible gets as
/// many as fit. That is found out before, because what is selected counts as used (RFC 5356 section 5.2.2).
fn count(ctx: &Context, listing: &Listing, handle: &PoolHandle, items: Option<u32>) -> usize {
    let wanted = match items {
        None | Some(0) => ctx.config.resolution_items,
        Some(items) => items.min(ctx.config.max_resolution_items),
    };
    listing.pool(handle).map_or(0, Pool::room_in_answer).min(wanted as usize)
}

fn answer(
    ctx: &mut Context,
    to: AssociationId,
    updates: bool,
    handle: PoolHandle,
    policy: Policy,
    elements: Vec<PoolElement>,
) {
    let policy = Some(policy);
    let answer = AsapMessage::HandleResolutionResponse { updates, handle, policy, elements, error: None };
    ctx.send_asap(to, &answer);
}

/// Tells a user why it gets no elements.
pub(super) fn refuse(ctx: &mut Context, to: AssociationId, handle: PoolHandle, cause: CauseCode) {
    let error = Some(ErrorCause::bare(cause).into());
    let (policy, elements) = (None, Vec::new());
    let answer = AsapMessage::HandleResolutionResponse { updates: false, handle, policy, elements, error };
    ctx.send_asap(to, &answer);
}

/// An element without its ASAP transport, which concerns registrars only (reading A10).
pub(super) fn as_seen_by_users(element: &PoolElement) -> PoolElement {
    PoolElement { asap_transport: None, ..element.clone() }
}
