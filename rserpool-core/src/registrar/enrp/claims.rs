//! ENRP_HANDLE_UPDATE, and which registrar is an element's home (RFC 5353 section 3.3).
//!
//! Two registrars may each believe that they are an element's home: their updates have crossed, or one was
//! taken over while it lived. RFC 5353 does not mention it (reading B26). Here the larger identifier keeps the
//! element, says so again and tells the element, by a keep-alive with the H flag; the smaller yields when it
//! hears that. A registrar that has yielded, and later hears that the new home has given the element up, asks
//! it over the association that is still there, and takes it back if it answers. Therefore crossing updates
//! never leave an element without a home.
//!
//! Only an element that was restarted elsewhere, with its old identifier, is known at two addresses. Then the
//! larger identifier may be the home of an element that is gone. Therefore it yields as well, and asks the
//! element at once.

use super::peers::Peers;
use crate::base::{AssociationId, RegistrarId};
use crate::handlespace::PeHandle;
use crate::registrar::answers;
use crate::registrar::context::Context;
use crate::registrar::elements::Elements;
use crate::registrar::foreign::Doubt;
use crate::registrar::interface::Notice;
use crate::registrar::links::Links;
use crate::registrar::listing::{Change, Update};
use crate::wire::{CauseCode, ErrorCause, PoolElement};

/// A peer says in an update that an element is its own.
pub(in crate::registrar) fn handle_claim(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    peers: &mut Peers,
    by: RegistrarId,
    pe: &PeHandle,
    element: PoolElement,
) {
    if !is_ours(ctx, elements, pe) {
        enter(ctx, elements, peers, by, pe, element);
        return;
    }
    let offered = elements.own.get(pe).is_some_and(|own| own.offered.is_some());
    if offered || ctx.id < by {
        yield_to(ctx, links, elements, peers, by, pe, element);
    } else {
        contest(ctx, links, elements, peers, by, pe, element);
    }
}

/// Whether we are the home of an element. While we join, the listing may hold elements of ours from an earlier
/// life under the same identifier: they become ours when we serve.
pub(super) fn is_ours(ctx: &Context, elements: &Elements, pe: &PeHandle) -> bool {
    let ours = ctx.is_serving() && elements.listing.get(pe).is_some_and(|element| element.home == ctx.id);
    debug_assert_eq!(ours, elements.own.contains_key(pe), "{pe} is listed as ours, or not, and watched");
    ours
}

/// A peer lists an element as its own. If it is ours, we say so: the peer may not know, and its reply
/// decides.
pub(super) fn handle_listed(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    peers: &mut Peers,
    by: RegistrarId,
    pe: &PeHandle,
    element: PoolElement,
) {
    if is_ours(ctx, elements, pe) {
        contest(ctx, links, elements, peers, by, pe, element);
    } else {
        enter(ctx, elements, peers, by, pe, element);
    }
}

/// A peer says that an element is gone. We obey if the peer is its home; otherwise we ask the element ourselves
/// (reading B27).
pub(in crate::registrar) fn handle_removal(
    ctx: &mut Context,
    elements: &mut Elements,
    by: RegistrarId,
    pe: &PeHandle,
) {
    let Some(listed) = elements.listing.get(pe) else { return };
    if is_ours(ctx, elements, pe) {
        elements.own.handle_removed_by_peer(ctx, &mut elements.listing, pe);
    } else if listed.home == by {
        remove(ctx, elements, pe);
    } else if ctx.is_serving()
        && let Some(address) = listed.asap_address()
        && elements.foreign.has_room(pe)
    {
        elements.foreign.doubt(ctx, pe, &address, Doubt::RemovedByPeer);
    } else {
        ctx.counters.updates_refused += 1;
    }
}

/// Removes an element of another home. If it was ours before, it is asked whether it is alive here.
pub(super) fn remove(ctx: &mut Context, elements: &mut Elements, pe: &PeHandle) {
    if let Some(change) = elements.listing.remove(pe) {
        elements.listing.publish(ctx, pe, change, Update::Needless);
    }
    elements.former.ask(ctx, pe);
}

/// Enters an element that another registrar lists, with the home that is named there. False if it cannot be
/// entered; nothing changes then, and ENRP has no answer for it (reading B30).
pub(super) fn enter(
    ctx: &mut Context,
    elements: &mut Elements,
    peers: &mut Peers,
    from: RegistrarId,
    pe: &PeHandle,
    element: PoolElement,
) -> bool {
    let home = element.home;
    let entered = if home == ctx.id {
        elements.listing.enter(pe, element)
    } else if home == from || peers.enter(ctx, home) {
        elements.listing.enter_of_peer(pe, element)
    } else {
        let no_room = || ErrorCause::bare(CauseCode::LACK_OF_RESOURCES);
        Err(elements.listing.check_values(pe, &element).err().unwrap_or_else(no_room))
    };
    match entered {
        Ok(change) => {
            // An element that is asked because no home listed it has a home again. One that is asked because
            // it is known at another address stays in question even if the claim is repeated.
            let settled = matches!(change, Change::Entered) || home == ctx.id;
            if settled && elements.former.contains_key(pe) {
                elements.former.need_no_answer(ctx, pe);
            }
            elements.listing.publish(ctx, pe, change, Update::Needless);
            true
        }
        Err(cause) => {
            ctx.counters.updates_refused += 1;
            if let Some(peer) = peers.get(&from).and_then(|peer| peer.address.clone()) {
                ctx.outbox.tell(Notice::Rejected { pe: pe.clone(), peer: peer.into(), cause: cause.code });
            }
            false
        }
    }
}

/// An element of ours is claimed. If it is claimed at another address than we know, it may have been
/// restarted there, and our record is stale. Therefore it is left to the other home at once, and asked where
/// we know it. It comes back to us if it answers.
fn contest(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    peers: &mut Peers,
    by: RegistrarId,
    pe: &PeHandle,
    element: PoolElement,
) {
    ctx.counters.claims_contested += 1;
    let addresses = elements.own.get(pe).zip(element.asap_address());
    let elsewhere = addresses.is_some_and(|(own, claimed)| !own.peer.is_same_endpoint(&claimed));
    if elsewhere && yield_to(ctx, links, elements, peers, by, pe, element) {
        elements.former.ask(ctx, pe);
    } else {
        insist(ctx, elements, pe);
    }
}

/// Says to all peers and to the element that we are its home. It may have renewed its registration where it
/// is claimed, and not with us; therefore it gets a full life from now on, as if it were taken over.
fn insist(ctx: &mut Context, elements: &mut Elements, pe: &PeHandle) {
    if let Some(life) = elements.listing.get(pe).map(|element| element.life) {
        elements.own.renew_life(ctx, pe, life);
        elements.listing.affirm(ctx, pe);
    }
    elements.own.tell_home(ctx, &mut elements.listing, pe);
}

/// Leaves an element of ours to another home. False if the element as described there does not fit its pool;
/// then nothing changes.
fn yield_to(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    peers: &mut Peers,
    by: RegistrarId,
    pe: &PeHandle,
    element: PoolElement,
) -> bool {
    let before = elements.listing.get(pe).cloned();
    if !enter(ctx, elements, peers, by, pe, element) {
        return false;
    }
    let Some(own) = elements.own.release(ctx, &mut elements.listing, pe) else {
        debug_assert!(false, "{pe} was listed as ours and is not watched");
        return false;
    };
    if let (Some(association), Some(element)) = (own.registrant(), before) {
        elements.former.add(pe, association, element);
    }
    if let Some(challenger) = own.challenger {
        answers::refuse_challenger(ctx, links, pe, challenger);
    }
    ctx.counters.elements_yielded += 1;
    ctx.outbox.tell(Notice::Moved { pe: pe.clone(), home: by });
    true
}

/// Makes us the home of a listed element, and asks the element whether it lives. An element without an
/// address is removed: it could never be asked whether it lives.
pub(super) fn adopt(ctx: &mut Context, links: &Links, elements: &mut Elements, pe: &PeHandle) {
    let Some(element) = elements.listing.get(pe) else {
        debug_assert!(false, "{pe} is not listed");
        return;
    };
    let (life, stated_at) = (element.life, element.asap_address());
    let registrant = elements.former.reclaim(ctx, pe).filter(|former| links.contains_key(former));
    let link = registrant.and_then(|registrant| links.get(&registrant));
    let peer = link.and_then(|link| link.peer.as_sctp().cloned()).or(stated_at);
    if let Some(change) = elements.listing.rehome(pe, ctx.id) {
        // The peers know it from the takeover, or the caller tells them.
        elements.listing.publish(ctx, pe, change, Update::Needless);
    }
    if let Some(peer) = peer {
        elements.own.adopt(pe, registrant, peer);
        elements.own.renew_life(ctx, pe, life);
        elements.own.check_alive(ctx, &mut elements.listing, pe);
    } else if let Some(change) = elements.listing.remove(pe) {
        elements.listing.publish(ctx, pe, change, Update::Sent);
    }
}

/// An element has answered a keep-alive. If it is a former one that was asked, it comes back to us; false if
/// it is not.
pub(in crate::registrar) fn handle_former_ack(
    ctx: &mut Context,
    links: &Links,
    elements: &mut Elements,
    from: AssociationId,
    pe: &PeHandle,
) -> bool {
    let Some(element) = elements.former.answered(ctx, from, pe) else { return false };
    debug_assert_eq!(element.home, ctx.id, "{pe} is as it registered with us");
    if let Ok(change) = elements.listing.enter(pe, element) {
        elements.listing.publish(ctx, pe, change, Update::Sent);
        adopt(ctx, links, elements, pe);
    }
    true
}
