//! ASAP messages from elements and users.

use super::context::Context;
use super::elements::Elements;
use super::enrp::claims;
use super::links::Links;
use super::{answers, registration, resolution};
use crate::base::AssociationId;
use crate::handlespace::PeHandle;
use crate::wire::AsapMessage;

/// Takes a message to the part that it concerns.
pub(super) fn handle_asap(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    from: AssociationId,
    message: AsapMessage,
) {
    match message {
        AsapMessage::Registration { handle, element } => {
            registration::handle_registration(ctx, links, elements, from, &handle, element);
        }
        AsapMessage::Deregistration { handle, element } => {
            let pe = PeHandle { pool: handle, element };
            registration::handle_deregistration(ctx, links, elements, from, &pe);
        }
        AsapMessage::HandleResolution { handle, subscribe: _, items } => {
            resolution::resolve(ctx, &mut elements.listing, from, handle, items);
        }
        AsapMessage::EndpointKeepAliveAck { handle, element } => {
            let pe = PeHandle { pool: handle, element };
            if claims::handle_former_ack(ctx, links, elements, from, &pe) {
                return;
            }
            if let Some(challenger) = elements.own.handle_ack(ctx, &mut elements.listing, from, &pe) {
                answers::refuse_challenger(ctx, links, &pe, challenger.association);
            }
        }
        AsapMessage::EndpointUnreachable { handle, element } => {
            let pe = PeHandle { pool: handle, element };
            ctx.counters.unreachable_reports += 1;
            elements.own.handle_unreachable(ctx, &mut elements.listing, &pe);
        }
        AsapMessage::Error { .. } => ctx.counters.errors_received += 1,
        // RFC 5352 section 4 gives a registrar no part in these.
        AsapMessage::RegistrationResponse { .. }
        | AsapMessage::DeregistrationResponse { .. }
        | AsapMessage::HandleResolutionResponse { .. }
        | AsapMessage::EndpointKeepAlive { .. }
        | AsapMessage::ServerAnnounce { .. }
        | AsapMessage::Cookie { .. }
        | AsapMessage::CookieEcho { .. }
        | AsapMessage::BusinessCard { .. } => ctx.counters.unexpected += 1,
    }
}
