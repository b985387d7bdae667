//! ENRP_HANDLE_UPDATE, and which registrar is an element's home (RFC 5353 section 3.3).
//!
//! An update of a peer replaces what we know of an element, its home as well (RFC 5353 section 3.3.1). What if
//! the home is ours? The element may have registered elsewhere; updates may have crossed; we may have been taken
//! over while we lived; the peer may lie. One rule decides: an element has an association over which it has
//! registered with its home alone. Therefore
//!
//! * if it has registered with us, and that association is up, it is asked over it. If it answers, it is ours,
//!   and we say so. If it is silent, or the association ends, it goes to the peer, unless that has removed it
//!   meanwhile;
//! * if that association has ended, it goes to the peer at once;
//! * if we have only made ourselves its home, and it has not registered with us, the larger identifier says
//!   once that it is its own, and the smaller one yields. Who says so again has asked the element: it goes there.
//!
//! Two homes that have claimed an element against each other may both find it silent, and each leaves it to the
//! other. Then neither lists it as its own; the next heartbeat shows that, and the audit that follows does not
//! wait.
//!
//! A peer that only lists an element of ours as its own, in an audit, may not know better. If the element has
//! registered with us it is asked, as above. If not, the smaller identifier yields, and the larger one leaves
//! it to the peer to find out.
//!
//! A registrar that has yielded, and later hears that the new home has given the element up, asks it over the
//! association that is still there, and takes it back if it answers.
//!
//! `tests/enrp/homes.rs` has two registrars and an element do this in every order.

use super::peers::Peers;
use crate::base::{AssociationId, RegistrarId};
use crate::handlespace::PeHandle;
use crate::registrar::answers;
use crate::registrar::context::Context;
use crate::registrar::elements::Elements;
use crate::registrar::foreign::Doubt;
use crate::registrar::interface::Notice;
use crate::registrar::links::Links;
use crate::registrar::listing::{Update, Word};
use crate::registrar::own::{Claim, Hold};
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
        enter(ctx, elements, peers, by, pe, element, Word::Registered);
        return;
    }
    let Some(own) = elements.own.get(pe) else { return };
    let offered = own.offered.is_some_and(|to| to == by || to == RegistrarId::NONE);
    match own.hold {
        Hold::Registered(_) if !offered => contest(ctx, elements, by, pe, element),
        Hold::Adopted if !offered && !own.insisted && ctx.id > by => {
            ctx.counters.claims_contested += 1;
            elements.own.set_insisted(pe);
            insist(ctx, elements, pe);
        }
        Hold::Registered(_) | Hold::Adopted | Hold::Left => {
            yield_to(ctx, links, elements, peers, by, pe, element);
            if offered && let Some(peer) = peers.peer_mut(by) {
                peer.offers.taken();
            }
        }
    }
}

/// Whether we are the home of an element. While we join, the listing may hold elements of ours from an earlier
/// life under the same identifier: they become ours when we serve.
fn is_ours(ctx: &Context, elements: &Elements, pe: &PeHandle) -> bool {
    let ours = ctx.is_serving() && elements.listing.get(pe).is_some_and(|element| element.home == ctx.id);
    debug_assert_eq!(ours, elements.own.contains_key(pe), "{pe} is listed as ours, or not, and watched");
    ours
}

/// A peer lists an element as its own.
pub(super) fn handle_listed(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    peers: &mut Peers,
    by: RegistrarId,
    pe: &PeHandle,
    element: PoolElement,
) {
    match elements.own.get(pe).map(|own| own.hold) {
        None => {
            enter(ctx, elements, peers, by, pe, element, Word::Listed);
        }
        Some(Hold::Registered(_)) => contest(ctx, elements, by, pe, element),
        Some(Hold::Adopted | Hold::Left) if ctx.id > by => {}
        Some(Hold::Adopted | Hold::Left) => {
            yield_to(ctx, links, elements, peers, by, pe, element);
        }
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
        elements.own.handle_removed_by_peer(ctx, &mut elements.listing, pe, by);
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
    word: Word,
) -> bool {
    let home = element.home;
    let entered = if home == ctx.id {
        elements.listing.enter(pe, element)
    } else if home == from || peers.enter(ctx, home) {
        elements.listing.enter_of_peer(pe, element, word)
    } else {
        let no_room = || ErrorCause::bare(CauseCode::LACK_OF_RESOURCES);
        Err(elements.listing.check_values(pe, &element).err().unwrap_or_else(no_room))
    };
    match entered {
        Ok(change) => {
            // An element that is asked because no home listed it has a home again.
            elements.former.need_no_answer(ctx, pe);
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

/// An element that has registered with us is claimed: it is asked. Peers that repeat their claims cannot make us
/// flood it.
fn contest(ctx: &mut Context, elements: &mut Elements, by: RegistrarId, pe: &PeHandle, element: PoolElement) {
    ctx.counters.claims_contested += 1;
    elements.own.set_claim(pe, Claim { by, element });
    elements.own.prompt(ctx, &mut elements.listing, pe);
}

/// An element of ours goes because it does not answer here. If a peer claims it, it is left to the peer. False
/// if no peer does.
pub(in crate::registrar) fn leave(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    peers: &mut Peers,
    pe: &PeHandle,
) -> bool {
    // An element that waits for the identifier at us is nearer than the word of a peer.
    if elements.own.get(pe).is_none_or(|own| own.challenger.is_some()) {
        return false;
    }
    let Some(Claim { by, element }) = elements.own.take_claim(pe) else { return false };
    if !peers.contains_key(&by) || !yield_to(ctx, links, elements, peers, by, pe, element) {
        return false;
    }
    // The peer may have done the same. Audits that did not help before must not delay the one that finds out.
    if let Some(peer) = peers.peer_mut(by) {
        peer.audit.agree();
    }
    true
}

/// Says to all peers and to the element that we are its home. It may have renewed its registration where it
/// is claimed, and not with us; therefore it gets a full life from now on, as if it were taken over.
pub(in crate::registrar) fn insist(ctx: &mut Context, elements: &mut Elements, pe: &PeHandle) {
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
    if !enter(ctx, elements, peers, by, pe, element, Word::Registered) {
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

/// Makes us the home of an element whose home gives it away, or does not know it, and says so to all peers.
pub(super) fn take_in(ctx: &mut Context, links: &Links, elements: &mut Elements, pe: &PeHandle) {
    adopt(ctx, links, elements, pe);
    if is_ours(ctx, elements, pe) {
        elements.listing.affirm(ctx, pe);
    }
}

/// A peer lists an element as ours of which we know nothing: it registered in an earlier life of ours. It is
/// asked whether it lives.
pub(super) fn resume(
    ctx: &mut Context,
    links: &Links,
    elements: &mut Elements,
    pe: &PeHandle,
    element: PoolElement,
) {
    if elements.listing.get(pe).is_some() {
        return;
    }
    if let Ok(change) = elements.listing.enter(pe, element) {
        // The peers know it as ours.
        elements.listing.publish(ctx, pe, change, Update::Needless);
        adopt(ctx, links, elements, pe);
    }
}

/// An element has answered a keep-alive. If it is a former one that was asked, it comes back to us; false if
/// it is not.
pub(in crate::registrar) fn handle_former_ack(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    from: AssociationId,
    pe: &PeHandle,
) -> bool {
    let Some(element) = elements.former.answered(ctx, from, pe) else { return false };
    debug_assert_eq!(element.home, ctx.id, "{pe} is as it registered with us");
    match elements.listing.enter(pe, element) {
        Ok(change) => {
            elements.listing.publish(ctx, pe, change, Update::Sent);
            adopt(ctx, links, elements, pe);
            elements.own.confirm(pe);
        }
        // Its pool has changed meanwhile. It must register anew to learn why.
        Err(_) => {
            elements.former.forget(ctx, links, pe);
            answers::deregistered(ctx, from, pe);
        }
    }
    true
}
