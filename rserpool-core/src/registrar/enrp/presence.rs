//! Heartbeats, and what the ENRP_PRESENCE of a peer tells (RFC 5353 sections 2.1, 3.4.2 and 3.6.1).

use core::net::SocketAddr;

use bytes::Bytes;

use super::contacts::Origin;
use super::ourselves::{self, Reply};
use super::peer::Peer;
use super::peers::Peers;
use super::{audit, offers};
use crate::base::{AssociationId, DEFAULT_ENCAPSULATION_PORT, ENRP_PORT, RegistrarId, SctpAddress};
use crate::endpoint::{Action, Channel};
use crate::registrar::context::Context;
use crate::registrar::elements::Elements;
use crate::registrar::links::Links;
use crate::registrar::listing::Listing;
use crate::wire::{EnrpBody, EnrpMessage, ServerInformation};

/// PEER-HEARTBEAT-CYCLE is over.
pub(in crate::registrar) fn heartbeat(ctx: &mut Context, elements: &mut Elements, peers: &mut Peers) {
    if peers.is_empty() && !ctx.config.enrp.announce {
        return;
    }
    ourselves::start_heartbeats(ctx);
    ctx.counters.heartbeats += 1;
    if ctx.config.enrp.announce {
        announce(ctx, elements, Reply::Needless);
    }
    ourselves::show_life(ctx, &elements.listing);
    offers::balance(ctx, elements, peers);
}

/// Sends ENRP_PRESENCE to whoever listens on ENRP's announcement channel.
pub(super) fn announce(ctx: &mut Context, elements: &Elements, reply: Reply) {
    let presence = ourselves::presence(ctx, &elements.listing, reply);
    if let Some(bytes) = ctx.encode_enrp(RegistrarId::NONE, presence) {
        ctx.outbox.act(Action::Announce { channel: Channel::Enrp, bytes });
    }
}

/// ENRP_PRESENCE, as its receiver reads it.
#[derive(Debug)]
pub(in crate::registrar) struct Presence {
    pub(in crate::registrar) reply: Reply,
    pub(in crate::registrar) checksum: Option<u16>,
    pub(in crate::registrar) server: Option<ServerInformation>,
}

/// A peer says that it lives; it may add its checksum and its description.
pub(in crate::registrar) fn handle_presence(
    ctx: &mut Context,
    links: &Links,
    elements: &mut Elements,
    peers: &mut Peers,
    from: AssociationId,
    sender: RegistrarId,
    presence: Presence,
) {
    let Presence { reply, checksum, server } = presence;
    peers.shows_life(ctx, sender);
    if let Some(peer) = peers.peer_mut(sender) {
        peer.announced = checksum.or(peer.announced);
    }
    if let Some(server) = server {
        peers.describe(sender, server, links.get(&from).and_then(|link| link.peer.as_sctp()));
    }
    if reply == Reply::Required {
        let presence = ourselves::presence(ctx, &elements.listing, Reply::Needless);
        ctx.send_enrp(from, sender, presence);
    }
    if let Some(checksum) = checksum {
        audit::compare(ctx, &mut elements.listing, peers, sender, checksum);
    }
    peers.ask_for_list(ctx, sender);
}

/// A datagram of ENRP's announcement channel. Nothing in it can be trusted (RFC 5353 section 6.2): it only
/// says where a registrar may be.
pub(in crate::registrar) fn handle_enrp_announce(
    ctx: &mut Context,
    listing: &Listing,
    peers: &mut Peers,
    source: SocketAddr,
    bytes: &Bytes,
) {
    let Ok(decoded) = EnrpMessage::decode(bytes) else {
        ctx.counters.malformed += 1;
        return;
    };
    let EnrpMessage { sender, body: EnrpBody::Presence { server, reply_required, .. }, .. } = decoded.message
    else {
        ctx.counters.unexpected += 1;
        return;
    };
    let server = server.filter(|server| server.id == sender);
    let address = server
        .and_then(|server| server.address(None))
        .unwrap_or_else(|| SctpAddress::new(source.ip(), ENRP_PORT, DEFAULT_ENCAPSULATION_PORT));
    if sender == RegistrarId::NONE || ourselves::is_own_address(ctx, &address) {
        return;
    }
    if sender == ctx.id && !ctx.draw_another_id() && ctx.config.addresses.is_empty() {
        // Perhaps our own announcement, come back.
        return;
    }
    if !ctx.group.contains_key(&sender) {
        let known = peers.contains_key(&sender).then_some(sender);
        peers.contacts.contact(ctx, &address, Origin::Learned, known);
    } else if reply_required && peers.get(&sender).is_some_and(Peer::is_active) {
        // A registrar that is starting asks for an answer. If it is this peer, it knows nothing of our
        // association with it, and ends that when it is asked over it.
        peers.suspect(ctx, listing, sender);
    }
}
