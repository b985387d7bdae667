//! ASAP messages from elements and users.

use super::context::Context;
use super::elements::Elements;
use super::enrp::claims;
use super::foreign::Doubt;
use super::links::Links;
use super::resolution::Updates;
use super::rights::{self, Right};
use super::subscriptions::Subscriptions;
use super::{answers, registration, removal, resolution};
use crate::base::AssociationId;
use crate::handlespace::PeHandle;
use crate::wire::{AsapMessage, CauseCode, PoolElement};

/// Takes a message to the part that it concerns.
pub(super) fn handle_asap(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    subscriptions: &mut Subscriptions,
    from: AssociationId,
    message: AsapMessage,
) {
    match message {
        AsapMessage::Registration { handle, element } => {
            let pe = elements.listing.name(&handle, element.id);
            if !rights::permits(ctx, links, from, Right::Register(&pe)) {
                return answers::reject(ctx, links, (from, 1), &pe, rights::cause());
            }
            registration::handle_registration(ctx, links, elements, from, &handle, element);
        }
        AsapMessage::Deregistration { handle, element } => {
            let pe = PeHandle { pool: handle, element };
            if !rights::permits(ctx, links, from, Right::Register(&pe)) {
                return answers::keep_registered(ctx, from, &pe, rights::cause());
            }
            removal::handle_deregistration(ctx, links, elements, from, &pe);
        }
        AsapMessage::HandleResolution { handle, subscribe, items } => {
            if !rights::permits(ctx, links, from, Right::Resolve) {
                return resolution::refuse(ctx, from, handle, CauseCode::SECURITY);
            }
            let subscribe = subscribe && rights::permits(ctx, links, from, Right::Watch);
            let listing = &mut elements.listing;
            if !subscribe {
                subscriptions.unsubscribe(ctx, listing, from, &handle);
            }
            let updates = match subscribe {
                false => Updates::Unwanted,
                true if subscriptions.subscribe(ctx, listing, from, &handle, items) => Updates::Promised,
                true => Updates::Refused,
            };
            resolution::resolve(ctx, listing, from, handle, items, updates);
        }
        AsapMessage::EndpointKeepAliveAck { handle, element } => {
            let pe = PeHandle { pool: handle, element };
            // Who answers at the address of an element is not therefore the element.
            if !rights::permits(ctx, links, from, Right::Register(&pe)) {
                return;
            }
            if claims::handle_former_ack(ctx, links, elements, from, &pe) {
                return;
            }
            if let Some(finding) = elements.foreign.answered(ctx, links, from, &pe) {
                removal::settle_doubts(ctx, links, elements, &pe, finding);
                return;
            }
            let rivals = elements.own.handle_ack(ctx, &mut elements.listing, from, &pe);
            if let Some(challenger) = rivals.challenger {
                answers::refuse_challenger(ctx, links, &pe, challenger);
            }
            if rivals.claim.is_some() {
                claims::insist(ctx, elements, &pe);
            }
        }
        AsapMessage::EndpointUnreachable { handle, element } => {
            let pe = PeHandle { pool: handle, element };
            if !rights::permits(ctx, links, from, Right::Resolve) {
                return;
            }
            if rights::counts_reports(ctx, links, from) {
                handle_unreachable(ctx, elements, &pe);
            } else {
                ctx.counters.unreachable_reports += 1;
                elements.own.prompt(ctx, &mut elements.listing, &pe);
            }
        }
        // RFC 5352 section 4 gives a registrar no part in these. Errors do not come here.
        AsapMessage::Error { .. }
        | AsapMessage::RegistrationResponse { .. }
        | AsapMessage::DeregistrationResponse { .. }
        | AsapMessage::HandleResolutionResponse { .. }
        | AsapMessage::EndpointKeepAlive { .. }
        | AsapMessage::ServerAnnounce { .. }
        | AsapMessage::Cookie { .. }
        | AsapMessage::CookieEcho { .. }
        | AsapMessage::BusinessCard { .. } => ctx.counters.unexpected += 1,
    }
}

/// A user, or an element, cannot reach an element. Whoever is its home, it is asked (RFC 5352 section 3.5).
fn handle_unreachable(ctx: &mut Context, elements: &mut Elements, pe: &PeHandle) {
    ctx.counters.unreachable_reports += 1;
    if elements.own.contains_key(pe) {
        elements.own.handle_unreachable(ctx, &mut elements.listing, pe);
    } else if let Some(address) = elements.listing.get(pe).and_then(PoolElement::asap_address)
        && elements.foreign.has_room(pe)
    {
        elements.foreign.doubt(ctx, pe, &address, Doubt::Reported);
    }
}
