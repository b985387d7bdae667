//! Two registrars with the same identifier (RFC 5353 section 3.2.1).
//!
//! An identifier never changes in a lifetime. A registrar whose random identifier is already in use draws
//! another, unless it has already sent it. Otherwise the one that opened the association stops: a newcomer with
//! a copied configuration must not end a registrar that has served for weeks.
//!
//! Nobody else may end one either. A registrar that serves believes only what it finds at an address of its
//! configuration, or where a peer at such an address has sent it; all else is told to the application.

use super::ourselves;
use super::peers::Peers;
use crate::base::{AssociationId, RegistrarId};
use crate::endpoint::{AbortCause, Action};
use crate::registrar::context::Context;
use crate::registrar::interface::Notice;
use crate::registrar::links::{Links, Opener};
use crate::registrar::listing::Listing;
use crate::wire::EnrpBody;

/// How a registrar with our identifier affects us.
#[must_use = "the caller stops the registrar"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::registrar) enum Namesake {
    /// It is ourselves, or it will stop, or it is not believed.
    Harmless,
    /// We opened the association: we stop.
    WasFirst,
}

/// A registrar speaks over an association under our own identifier.
pub(in crate::registrar) fn meet_namesake(
    ctx: &mut Context,
    links: &mut Links,
    listing: &Listing,
    peers: &mut Peers,
    from: AssociationId,
    body: &EnrpBody,
) -> Namesake {
    ctx.counters.spoofed += 1;
    let Some(link) = links.get(&from).filter(|link| link.registrar.is_none()) else {
        return Namesake::Harmless;
    };
    let EnrpBody::Presence { server: Some(server), .. } = body else { return Namesake::Harmless };
    if ourselves::description(ctx).as_ref() == Some(server) {
        // It is ourselves, at an address that we did not know to be ours.
        if let Some(contact) = link.contact {
            peers.contacts.drop_ourselves(ctx, contact);
        }
        ctx.abort(from, AbortCause::User);
        return Namesake::Harmless;
    }
    if link.opener == Opener::Peer {
        // The other registrar learns of it from our answer, before the end of the association reaches it.
        if !link.greeted {
            ourselves::greet(ctx, links, listing, from, RegistrarId::NONE);
        }
        let deadline = ctx.answer_due();
        ctx.outbox.act(Action::Shutdown { association: from, deadline });
        return Namesake::Harmless;
    }
    let believed = link.contact.is_some_and(|contact| peers.contacts.is_believed(contact));
    if !ctx.is_joining() && !believed {
        ctx.outbox.tell(Notice::IdentifierDoubted { id: ctx.id, peer: link.peer.clone() });
        if let Some(contact) = link.contact {
            peers.contacts.drop_ourselves(ctx, contact);
        }
        ctx.abort(from, AbortCause::User);
        return Namesake::Harmless;
    }
    ctx.outbox.tell(Notice::IdentifierTaken { id: ctx.id, peer: link.peer.clone() });
    ctx.abort(from, AbortCause::User);
    Namesake::WasFirst
}
