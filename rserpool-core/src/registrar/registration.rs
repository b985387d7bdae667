//! Registration and deregistration (RFC 5352 sections 3.1 and 3.2), and the removal of elements of ours.

use alloc::vec::Vec;

use super::answers;
use super::context::Context;
use super::elements::Elements;
use super::interface::{Notice, RemovalReason};
use super::links::Links;
use super::listing::{Change, Update, check_values};
use super::own::{Challenger, Contender, Registration, Taken, Verdict};
use crate::base::{AssociationId, PoolHandle, SctpAddress, TransportAddress};
use crate::handlespace::PeHandle;
use crate::wire::{
    CauseCode, EncapsulationPorts, ErrorCause, PoolElement, SctpTransport, Transport, TransportUse,
};

/// An element wants to register.
pub(super) fn handle_registration(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    from: AssociationId,
    handle: &PoolHandle,
    element: PoolElement,
) {
    let Some(link) = links.up(from) else { return };
    let pe = elements.listing.name(handle, element.id);
    // ASAP-2.1-01: an element speaks SCTP with its registrar. Only a user may come over TCP.
    let Some(peer) = link.peer.as_sctp() else {
        let cause = only_sctp(ctx);
        return answers::reject(ctx, links, from, &pe, cause);
    };
    if ctx.config.check_addresses && verified_transport(&element.user_transport, peer).is_none() {
        let cause = ErrorCause::invalid_values(element.to_parameter());
        return answers::reject(ctx, links, from, &pe, cause);
    }
    if let Err(cause) = check_values(&pe, &element) {
        return answers::reject(ctx, links, from, &pe, cause);
    }
    match elements.own.contender(&pe, from, link) {
        Contender::Rightful => grant(ctx, links, elements, from, &pe, element),
        Contender::Late => {
            let cause = ErrorCause::bare(CauseCode::NON_UNIQUE_IDENTIFIER);
            answers::reject(ctx, links, from, &pe, cause);
        }
        // The owner of the identifier is asked first: an answer refuses the newcomer, silence lets it in.
        // Therefore an element that was restarted with its old identifier gets back in.
        Contender::Challenger => {
            elements.own.set_challenger(&pe, Challenger { association: from, element });
            links.begin_challenge(from, &pe);
            elements.own.prompt(ctx, &mut elements.listing, &pe);
        }
    }
}

/// The cause for an element that comes over TCP: it must use our SCTP transport (reading B14).
fn only_sctp(ctx: &Context) -> ErrorCause {
    ErrorCause::inconsistent_transport(&Transport::Sctp(ctx.config.asap_transport()))
}

/// Lists an element with us as its home, and answers.
fn grant(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    from: AssociationId,
    pe: &PeHandle,
    element: PoolElement,
) {
    let Some(peer) = links.up(from).and_then(|link| link.peer.as_sctp().cloned()) else { return };
    let life = element.life;
    let stated = ctx.config.check_addresses.then(|| element.user_transport.clone());
    let element = as_home(ctx, element, &peer);
    let stated = stated.filter(|stated| *stated != element.user_transport);
    // All peers know it as it is: the RFC demands an update all the same (see the configuration).
    let known = ctx.config.enrp.suppress_unchanged
        && elements.own.get(pe).is_some_and(|own| own.announced_in == Some(ctx.group.epoch()))
        && elements.listing.get(pe) == Some(&element);
    // What we have added counts as well, or peers would refuse what we have granted.
    let change = match elements.listing.enter(pe, element) {
        Ok(change) => change,
        Err(cause) => return answers::reject(ctx, links, from, pe, cause),
    };
    match change {
        Change::Entered => ctx.counters.registrations += 1,
        Change::Renewed | Change::Removed(_) => ctx.counters.reregistrations += 1,
    }
    elements.former.forget(ctx, links, pe);
    let registration = Registration { from, peer: &peer, stated };
    let taken = elements.own.take(ctx, &mut elements.listing, links, pe, registration);
    if taken == Taken::Moved {
        ctx.outbox.tell(Notice::Registered { pe: pe.clone(), peer });
    }
    elements.own.renew_life(ctx, pe, life);
    answers::grant(ctx, from, pe);
    elements.listing.publish(ctx, pe, change, if known { Update::Needless } else { Update::Sent });
    // A new association may know nothing of us yet: its first keep-alive names its home.
    if taken == Taken::Moved {
        elements.own.check_alive_soon(ctx, &mut elements.listing, pe);
    }
}

/// More is known of where a peer is. What it has registered is listed with that: its other addresses are
/// needed when the first has failed.
pub(super) fn handle_addresses(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    association: AssociationId,
    peer: TransportAddress,
) {
    let Some(link) = links.get(&association) else { return };
    if let Some(peer) = peer.as_sctp() {
        // A UDP port may change with every packet: it is told when an element registers again.
        let mut grown = Vec::new();
        for pe in &link.elements {
            if elements.own.set_peer(pe, peer) {
                grown.push(pe.clone());
            }
        }
        for pe in grown {
            list_anew(ctx, elements, &pe, peer);
        }
    }
    links.set_peer(association, peer);
}

/// Addresses of an element's association have been verified: it is listed with them now, and the other
/// registrars are told. There are few of them, and their number only grows.
fn list_anew(ctx: &mut Context, elements: &mut Elements, pe: &PeHandle, peer: &SctpAddress) {
    if ctx.is_leaving() {
        return;
    }
    let (Some(own), Some(listed)) = (elements.own.get(pe), elements.listing.get(pe)) else { return };
    let mut element = listed.clone();
    if let Some(stated) = own.stated.clone() {
        element.user_transport = stated;
    }
    let element = as_home(ctx, element, peer);
    if elements.listing.get(pe) != Some(&element)
        && let Ok(change) = elements.listing.enter(pe, element)
    {
        elements.listing.publish(ctx, pe, change, Update::Sent);
    }
}

/// The element as we list it: we are its home, and its ASAP transport is where the registration came from
/// (RFC 5352 section 3.1 rule 4).
fn as_home(ctx: &Context, mut element: PoolElement, peer: &SctpAddress) -> PoolElement {
    let stated = element.encapsulation.unwrap_or_default();
    // The port that the parameter leaves open is the one seen, if both transports are one.
    let same_port = matches!(&element.user_transport, Transport::Sctp(sctp) if sctp.port == peer.port.0);
    let user = if stated.user == 0 && same_port { peer.udp_port.0 } else { stated.user };
    element.home = ctx.id;
    if ctx.config.check_addresses
        && let Some(verified) = verified_transport(&element.user_transport, peer)
    {
        element.user_transport = verified;
    }
    element.asap_transport = Some(SctpTransport {
        port: peer.port.0,
        usage: TransportUse::DataOnly,
        addresses: peer.addresses.as_slice().into(),
    });
    element.encapsulation = Some(EncapsulationPorts { user, asap: peer.udp_port.0 });
    element
}

/// A user transport without the addresses that its association does not have; `None` if nothing is left.
fn verified_transport(stated: &Transport, peer: &SctpAddress) -> Option<Transport> {
    let mut verified = stated.clone();
    verified.keep_addresses(|address| peer.addresses.contains(&address)).then_some(verified)
}

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
        let cause = only_sctp(ctx);
        return answers::keep_registered(ctx, from, pe, cause);
    }
    // ASAP-3.2-09: the request of an element that is not registered is fulfilled already.
    if elements.listing.get(pe).is_none() {
        elements.former.left(ctx, links, pe, from);
        return answers::deregistered(ctx, from, pe);
    }
    if !elements.own.get(pe).is_some_and(|own| own.is_spoken_for(from, link)) {
        return answers::keep_registered(ctx, from, pe, ErrorCause::bare(CauseCode::SECURITY));
    }
    remove(ctx, links, elements, pe, RemovalReason::Deregistered);
    answers::deregistered(ctx, from, pe);
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
    match reason {
        RemovalReason::Deregistered => ctx.counters.deregistrations += 1,
        RemovalReason::Silent => ctx.counters.removed_silent += 1,
        RemovalReason::Reported => ctx.counters.removed_reported += 1,
        RemovalReason::Expired => ctx.counters.removed_expired += 1,
    }
    ctx.outbox.tell(Notice::Removed { pe: pe.clone(), reason });
    // The owner of the identifier is silent or gone: its challenger takes its place.
    if let Some(challenger) = own.challenger {
        links.end_challenge(challenger.association, pe);
        grant(ctx, links, elements, challenger.association, pe, challenger.element);
    }
}
