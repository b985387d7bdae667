//! How elements leave: they deregister (RFC 5352 section 3.2), or are removed because they do not answer or their
//! life has ended. Who waits for their identifiers takes their place.

use super::context::Context;
use super::elements::Elements;
use super::foreign::{Doubts, Finding};
use super::interface::{Notice, RemovalReason};
use super::links::Links;
use super::listing::Update;
use super::own::{Challenger, Verdict};
use super::{answers, registration};
use crate::base::AssociationId;
use crate::handlespace::PeHandle;
use crate::wire::{CauseCode, ErrorCause};

/// An element wants to leave.
pub(super) fn handle_deregistration(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    from: AssociationId,
    pe: &PeHandle,
) {
    let Some(link) = links.up(from) else { return };
    if link.peer.is_tcp() {
        let cause = registration::only_sctp(ctx);
        return answers::keep_registered(ctx, from, pe, cause);
    }
    // ASAP-3.2-09: the request of an element that is not registered is fulfilled already.
    let Some(listed) = elements.listing.get(pe) else {
        elements.former.left(ctx, links, pe, from);
        return answers::deregistered(ctx, from, pe);
    };
    // An element of another home proves itself by the place from which it speaks (reading B52).
    let itself = match elements.own.get(pe) {
        Some(own) => own.is_spoken_for(from, link),
        None => listed.asap_address().is_some_and(|address| link.is_at(&address)),
    };
    if !itself {
        return answers::keep_registered(ctx, from, pe, ErrorCause::bare(CauseCode::SECURITY));
    }
    if elements.own.contains_key(pe) {
        remove(ctx, links, elements, pe, RemovalReason::Deregistered);
    } else {
        elements.former.left(ctx, links, pe, from);
        let challenger = elements.foreign.settle(ctx, links, pe);
        remove_foreign(ctx, elements, pe, RemovalReason::Deregistered, Update::Sent);
        let_in(ctx, links, elements, pe, challenger);
    }
    answers::deregistered(ctx, from, pe);
}

/// Does what has been found out about an element of another home that was doubted.
pub(super) fn settle_doubts(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    pe: &PeHandle,
    finding: Finding,
) {
    match finding {
        Finding::Alive(Some(challenger)) if elements.listing.get(pe).is_some() => {
            answers::refuse_challenger(ctx, links, pe, challenger);
        }
        // It has left in the meantime.
        Finding::Alive(challenger) => let_in(ctx, links, elements, pe, challenger),
        Finding::Silent(Doubts { gone, told, challenger }) => {
            let listed = elements.listing.get(pe).is_some_and(|listed| listed.home != ctx.id);
            if listed && (gone || challenger.is_some()) {
                let update = if told || challenger.is_some() { Update::Sent } else { Update::Needless };
                remove_foreign(ctx, elements, pe, RemovalReason::Silent, update);
            }
            let_in(ctx, links, elements, pe, challenger);
        }
        Finding::Unknown(Some(challenger)) if !elements.own.contains_key(pe) => {
            links.end_challenge(challenger.association, pe);
            registration::grant(ctx, links, elements, pe, challenger);
        }
        Finding::Unknown(challenger) => let_in(ctx, links, elements, pe, challenger),
    }
}

/// The registration that has waited is handled as if it came now.
fn let_in(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    pe: &PeHandle,
    challenger: Option<Challenger>,
) {
    if let Some(challenger) = challenger {
        links.end_challenge(challenger.association, pe);
        registration::register(ctx, links, elements, pe, challenger);
    }
}

/// Removes an element of another home, which may hang: the element has left, or does not answer. Peers ask it
/// themselves before they believe that (reading B27).
fn remove_foreign(
    ctx: &mut Context,
    elements: &mut Elements,
    pe: &PeHandle,
    reason: RemovalReason,
    update: Update,
) {
    let Some(change) = elements.listing.remove(pe) else { return };
    elements.listing.publish(ctx, pe, change, update);
    elements.former.ask(ctx, pe);
    count(ctx, reason);
    ctx.outbox.tell(Notice::Removed { pe: pe.clone(), reason });
}

const fn count(ctx: &mut Context, reason: RemovalReason) {
    let counter = match reason {
        RemovalReason::Deregistered => &mut ctx.counters.deregistrations,
        RemovalReason::Silent => &mut ctx.counters.removed_silent,
        RemovalReason::Reported => &mut ctx.counters.removed_reported,
        RemovalReason::Expired => &mut ctx.counters.removed_expired,
    };
    *counter += 1;
}

/// Does what a look at an element of ours has led to.
pub(super) fn conclude(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    pe: &PeHandle,
    verdict: Verdict,
) {
    if let Verdict::Goes(reason) = verdict {
        remove(ctx, links, elements, pe, reason);
    }
}

/// Removes an element of ours, with all that waits for it, and tells it unless it has asked for that: it
/// may be alive after all and want to come back. (RFC 5352 section 3.2 demands that when a life ends; a
/// frozen process that thaws needs it as well.)
fn remove(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    pe: &PeHandle,
    reason: RemovalReason,
) {
    let Some(own) = elements.own.release(ctx, &mut elements.listing, pe) else {
        debug_assert!(false, "{pe} is not ours");
        return;
    };
    let change = elements.listing.remove(pe);
    debug_assert!(change.is_some(), "{pe} is ours and not listed");
    if let Some(change) = change {
        elements.listing.publish(ctx, pe, change, Update::Sent);
    }
    if let Some(registrant) = own.registrant() {
        links.untie(registrant, pe);
        if reason != RemovalReason::Deregistered {
            answers::deregistered(ctx, registrant, pe);
        }
    }
    count(ctx, reason);
    ctx.outbox.tell(Notice::Removed { pe: pe.clone(), reason });
    // The owner of the identifier is silent or gone: its challenger takes its place.
    if let Some(challenger) = own.challenger {
        links.end_challenge(challenger.association, pe);
        registration::grant(ctx, links, elements, pe, challenger);
    }
}
