//! Registration (RFC 5352 section 3.1).

use alloc::vec::Vec;

use bytes::Bytes;

use super::answers;
use super::context::Context;
use super::elements::Elements;
use super::foreign::Doubt;
use super::interface::Notice;
use super::links::{Link, Links};
use super::listing::{Change, Update};
use super::own::{Challenger, Contender, Registration, Taken};
use super::shares::Holder;
use crate::base::{AssociationId, PoolHandle, SctpAddress, Source, TransportAddress};
use crate::handlespace::PeHandle;
use crate::wire::{
    AsapMessage, CauseCode, EncapsulationPorts, ErrorCause, OperationError, PoolElement, SctpTransport,
    Transport, TransportUse,
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
    let pe = elements.listing.name(handle, element.id);
    register(ctx, links, elements, &pe, Challenger { association: from, element, answers: 1 });
}

/// The element of a registration that cannot be read as a whole, because of invalid values behind its identifier:
/// such a registration is refused (RFC 5352 section 3.1), not only reported as an error.
pub(super) fn named_in(elements: &Elements, bytes: &Bytes, report: &OperationError) -> Option<PeHandle> {
    report.causes.last().filter(|cause| cause.code == CauseCode::INVALID_VALUES)?;
    let (handle, element) = AsapMessage::named_in_registration(bytes)?;
    Some(elements.listing.name(&handle, element))
}

/// Grants or refuses a registration, or lets it wait for the owner of its identifier.
pub(super) fn register(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    pe: &PeHandle,
    newcomer: Challenger,
) {
    let Challenger { association: from, element, answers } = &newcomer;
    let (from, to) = (*from, (*from, *answers));
    let Some(link) = links.up(from) else { return };
    // ASAP-2.1-01: an element speaks SCTP with its registrar. Only a user may come over TCP.
    let Some(peer) = link.peer.as_sctp() else {
        let cause = only_sctp(ctx);
        return answers::reject(ctx, links, to, pe, cause);
    };
    if ctx.config.check_addresses && verified_transport(&element.user_transport, peer).is_none() {
        let cause = ErrorCause::invalid_values(element.to_parameter());
        return answers::reject(ctx, links, to, pe, cause);
    }
    if let Err(cause) = elements.listing.check_values(pe, element) {
        return answers::reject(ctx, links, to, pe, cause);
    }
    // The owner of the identifier is asked first: an answer refuses the newcomer, silence lets it in. Therefore
    // an element that was restarted with its old identifier gets back in.
    let displaced = match elements.own.contender(pe, from, link) {
        Contender::Challenger => {
            let displaced = elements.own.set_challenger(pe, newcomer);
            elements.own.prompt(ctx, &mut elements.listing, pe);
            displaced
        }
        // If nobody can be asked, the newcomer is believed, or a flood of questions would keep it out.
        Contender::Rightful => match owner_elsewhere(ctx, elements, pe, link, element) {
            Some(owner) if elements.foreign.has_room(pe) => {
                elements.foreign.doubt(ctx, pe, &owner, Doubt::Contested(newcomer))
            }
            _ => return grant(ctx, links, elements, pe, newcomer),
        },
    };
    if let Some(displaced) = displaced {
        answers::refuse_challenger(ctx, links, pe, displaced);
    }
    links.begin_challenge(from, pe);
}

/// Where the owner of an identifier can be asked, if it has another home and is not the process that registers
/// now. It is that process if it speaks from the recorded place, or serves its users there.
fn owner_elsewhere(
    ctx: &Context,
    elements: &Elements,
    pe: &PeHandle,
    link: &Link,
    element: &PoolElement,
) -> Option<SctpAddress> {
    let listed = elements.listing.get(pe).filter(|listed| listed.home != ctx.id)?;
    let (owner, peer) = (listed.asap_address()?, link.peer.as_sctp()?);
    let element = as_home(ctx, element.clone(), peer);
    let serves_there = element.user_transport == listed.user_transport
        && element.user_address().is_some_and(|address| Some(address) == listed.user_address());
    (!link.is_at(&owner) && !serves_there).then_some(owner)
}

/// The cause for an element that comes over TCP: it must use our SCTP transport (reading B14).
pub(super) fn only_sctp(ctx: &Context) -> ErrorCause {
    ErrorCause::inconsistent_transport(&Transport::Sctp(ctx.config.asap_transport()))
}

/// Lists an element with us as its home, and answers.
pub(super) fn grant(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    pe: &PeHandle,
    newcomer: Challenger,
) {
    let Challenger { association: from, element, answers } = newcomer;
    let Some(peer) = links.up(from).and_then(|link| link.peer.as_sctp().cloned()) else { return };
    // A process that waited for the identifier waits no longer; its earlier registrations are answered as well.
    let waited = elements.own.take_challenge(pe, from).or_else(|| elements.foreign.take_challenge(pe, from));
    if waited.is_some() {
        links.end_challenge(from, pe);
    }
    let answers = answers + waited.map_or(0, |waited| waited.answers);
    let life = element.life;
    let stated = ctx.config.check_addresses.then(|| element.clone());
    let element = as_home(ctx, element, &peer);
    let stated = stated.filter(|stated| stated.user_transport != element.user_transport);
    // RFC 5352 section 2.2.3: a registration that is granted, but not as it was asked for, gets a warning.
    let warning = stated.as_ref().map(|stated| ErrorCause::invalid_values(stated.to_parameter()));
    let stated = stated.map(|stated| stated.user_transport);
    // All peers know it as it is: the RFC demands an update all the same (see the configuration).
    let known = ctx.config.enrp.suppress_unchanged
        && elements.own.get(pe).is_some_and(|own| own.announced_in == Some(ctx.group.epoch()))
        && elements.listing.get(pe) == Some(&element);
    // What we have added counts as well, or peers would refuse what we have granted.
    let source = Source::of_peer(&peer);
    let holders = [Holder::Association(from), Holder::Source(source)];
    let held = [links.get(&from).map_or(0, |link| link.elements.len()), elements.own.count_from(source)];
    let limit = ctx.config.limits.elements.min(ctx.config.limits.elements_per_pool);
    let full = holders.iter().zip(held).any(|(holder, held)| held >= holder.share(limit));
    let entered = if full && elements.listing.get(pe).is_none() {
        Err(ErrorCause::bare(CauseCode::LACK_OF_RESOURCES))
    } else {
        elements.listing.register(pe, element, holders)
    };
    let change = match entered {
        Ok(change) => change,
        Err(cause) => return answers::reject(ctx, links, (from, answers), pe, cause),
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
    answers::grant(ctx, (from, answers), pe, warning);
    elements.listing.publish(ctx, pe, change, if known { Update::Needless } else { Update::Sent });
    if let Some(challenger) = elements.foreign.settle(ctx, links, pe) {
        answers::refuse_challenger(ctx, links, pe, challenger);
    }
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
        && let Some(change) = elements.listing.amend(pe, element)
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
