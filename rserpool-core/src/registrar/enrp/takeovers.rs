//! Taking over a dead peer: arbitration, enforcement, and bounds on every wait (RFC 5353 section 3.5, readings
//! B1 to B3).

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::join::Join;
use super::peer::{Standing, Takeover};
use super::peers::{Fate, Peers};
use super::{audit, claims, ourselves};
use crate::base::RegistrarId;
use crate::registrar::config::TakeoverWinner;
use crate::registrar::context::Context;
use crate::registrar::elements::Elements;
use crate::registrar::interface::Notice;
use crate::registrar::links::Links;
use crate::registrar::listing::Word;
use crate::wire::{EnrpBody, PoolElement};

/// For how many MAX-TIME-NO-RESPONSE a peer that another registrar takes over is not monitored. That
/// registrar itself waits for at most two.
const GUARD: u32 = 3;

/// Does what follows if a peer has died: its elements need another home.
pub(in crate::registrar) fn conclude(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    peers: &mut Peers,
    join: &mut Join,
    id: RegistrarId,
    fate: Fate,
) {
    if fate == Fate::Lives {
        return;
    }
    ctx.outbox.tell(Notice::PeerLost { peer: id });
    audit::stop(ctx, &mut elements.listing, peers, id);
    if ctx.is_serving() && !ctx.is_leaving() {
        begin(ctx, peers, id);
        no_ack_from(ctx, links, elements, peers, join, id);
    } else {
        forget(ctx, links, elements, peers, join, id);
    }
}

/// Begins the arbitration for a dead peer (ENRP-3.5.1-01: all peers are asked, the target included).
fn begin(ctx: &mut Context, peers: &mut Peers, target: RegistrarId) {
    // Peers that others take over, or that we do, no longer acknowledge anything; neither does the target.
    let waiting: BTreeSet<RegistrarId> =
        peers.iter().filter(|(id, peer)| **id != target && peer.is_alive()).map(|(id, _)| *id).collect();
    let Some(peer) = peers.peer_mut(target) else {
        debug_assert!(false, "{target} has died and is not in the list");
        return;
    };
    debug_assert!(peer.takeover().is_none(), "{target} is being taken over already");
    ctx.counters.takeovers_begun += 1;
    let due = ctx.answer_due();
    peer.stand(ctx, target, Standing::TakingOver(Takeover { waiting, repeated: false }), due);
    ctx.cast(EnrpBody::InitTakeover { target });
}

/// We no longer wait for acknowledgements from this peer; arbitrations that waited only for it are won.
fn no_ack_from(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    peers: &mut Peers,
    join: &mut Join,
    id: RegistrarId,
) {
    let mut won = Vec::new();
    for (target, peer) in peers.peers_mut() {
        if let Some(takeover) = peer.takeover() {
            takeover.waiting.remove(&id);
            if takeover.waiting.is_empty() {
                won.push(target);
            }
        }
    }
    for target in won {
        enforce(ctx, links, elements, peers, join, target);
    }
}

/// Some peers have not acknowledged in time. They are asked once more; silence is consent then.
pub(in crate::registrar) fn takeover_due(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    peers: &mut Peers,
    join: &mut Join,
    target: RegistrarId,
) {
    let Some(takeover) = peers.peer_mut(target).and_then(|peer| peer.takeover()) else {
        debug_assert!(false, "the deadline of a takeover outlived it");
        return;
    };
    if takeover.repeated {
        return enforce(ctx, links, elements, peers, join, target);
    }
    takeover.repeated = true;
    for peer in &takeover.waiting {
        ctx.send_to_peer(*peer, EnrpBody::InitTakeover { target });
    }
    Takeover::wait(ctx, target);
}

/// Another registrar wants to take a peer over.
pub(in crate::registrar) fn handle_init_takeover(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    peers: &mut Peers,
    join: &mut Join,
    sender: RegistrarId,
    target: RegistrarId,
) {
    if target == ctx.id {
        return ourselves::show_life(ctx, &elements.listing);
    }
    if target == sender {
        ctx.counters.unexpected += 1;
        return;
    }
    if let Some(peer) = peers.peer_mut(target) {
        if peer.takeover().is_some() && !goes_before_us(ctx, sender) {
            return;
        }
        let until = ctx.now + ctx.config.enrp.max_time_no_response * GUARD;
        peer.stand(ctx, target, Standing::Inactive, until);
    }
    ctx.send_to_peer(sender, EnrpBody::InitTakeoverAck { target });
    no_ack_from(ctx, links, elements, peers, join, target);
}

/// Whether the takeover of a peer goes before our own of the same target.
fn goes_before_us(ctx: &Context, sender: RegistrarId) -> bool {
    match ctx.config.enrp.takeover_winner {
        TakeoverWinner::LargerId => ctx.id < sender,
        TakeoverWinner::SmallerId => ctx.id > sender,
    }
}

/// A peer acknowledges our takeover of another.
pub(in crate::registrar) fn handle_takeover_ack(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    peers: &mut Peers,
    join: &mut Join,
    sender: RegistrarId,
    target: RegistrarId,
) {
    let Some(takeover) = peers.peer_mut(target).and_then(|peer| peer.takeover()) else { return };
    if takeover.waiting.remove(&sender) && takeover.waiting.is_empty() {
        enforce(ctx, links, elements, peers, join, target);
    }
}

/// We have won (ENRP-3.5.2-01 to -04: the winner tells all peers, strikes the target off its list, becomes the
/// home of its elements and calls each of them).
fn enforce(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    peers: &mut Peers,
    join: &mut Join,
    target: RegistrarId,
) {
    // A takeover that is won may end another that is under way.
    if peers.peer_mut(target).and_then(|peer| peer.takeover()).is_none() {
        return;
    }
    ctx.counters.takeovers_won += 1;
    ctx.cast(EnrpBody::TakeoverServer { target });
    forget(ctx, links, elements, peers, join, target);
    let orphans = elements.listing.of_home(target);
    ctx.outbox.tell(Notice::TakenOver { target, by: ctx.id, elements: orphans.len() });
    for pe in orphans {
        claims::adopt(ctx, links, elements, &pe);
    }
}

/// Another registrar has won (ENRP-3.5.2-05: the target leaves the list, the winner is the home of its
/// elements).
pub(in crate::registrar) fn handle_takeover_server(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    peers: &mut Peers,
    join: &mut Join,
    sender: RegistrarId,
    target: RegistrarId,
) {
    if target == ctx.id {
        // We live. Our heartbeat says so, and the audits that it causes give our elements back.
        return ourselves::show_life(ctx, &elements.listing);
    }
    if target == sender {
        ctx.counters.unexpected += 1;
        return;
    }
    forget(ctx, links, elements, peers, join, target);
    // Our own takeover of the sender may have waited for the target alone, and is won now: it lives all the same.
    peers.enter(ctx, sender);
    let orphans = elements.listing.of_home(target);
    ctx.outbox.tell(Notice::TakenOver { target, by: sender, elements: orphans.len() });
    for pe in orphans {
        if let Some(element) = elements.listing.get(&pe).cloned() {
            let rehomed = PoolElement { home: sender, ..element };
            if claims::enter(ctx, elements, peers, sender, &pe, rehomed, Word::Listed) {
                elements.listing.inherit(&pe);
            }
        }
    }
}

/// Strikes a peer off the list, and ends what waits for it.
fn forget(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    peers: &mut Peers,
    join: &mut Join,
    id: RegistrarId,
) {
    if peers.forget(ctx, links, &mut elements.listing, id) {
        join.mentor_gone(ctx, links, elements, peers, id);
        no_ack_from(ctx, links, elements, peers, join, id);
    }
}
