//! Giving elements away by the takeover suggestion flag (draft enrp-takeover): a registrar that leaves hands
//! over all of them; one that has clearly more than others hands over some.
//!
//! An offer with a receiver is meant for that registrar. An offer without one, as RSPLIB sends it, is meant
//! for the registrar whose identifier XOR that of the element is the largest among all but the sender. The
//! new home accepts an offer by its own update; until then nothing has changed.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::claims;
use super::peers::Peers;
use crate::base::{Instant, RegistrarId};
use crate::handlespace::PeHandle;
use crate::registrar::answers::HomeFlag;
use crate::registrar::context::{Context, HandOver, Phase, Timer};
use crate::registrar::elements::Elements;
use crate::registrar::links::Links;
use crate::registrar::listing::Word;
use crate::wire::{EnrpBody, PoolElement, UpdateAction};

/// At most this part of all elements is offered in one heartbeat cycle, so that a registrar that comes back
/// is not flooded by what it missed.
const OFFERED_PART: usize = 8;

/// Whether a hand-over has begun, or what is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::registrar) enum Leaving {
    /// Our elements are offered, and their new homes are waited for.
    Waits,
    /// There is nothing to wait for: all associations can be closed until then.
    Now(Instant),
}

/// Offers every element of ours to a peer, if there is a peer and an element.
pub(in crate::registrar) fn hand_over(
    ctx: &mut Context,
    elements: &mut Elements,
    peers: &Peers,
    deadline: Instant,
) -> Leaving {
    let mut loads = loads(ctx, elements, peers);
    if elements.own.is_empty() || loads.is_empty() || !ctx.is_serving() {
        return Leaving::Now(deadline);
    }
    for pe in elements.own.keys().cloned().collect::<Vec<_>>() {
        let lightest = loads.iter().min_by_key(|(_, load)| **load).map(|(id, _)| *id);
        if let Some(peer) = lightest {
            *loads.entry(peer).or_default() += 1;
            offer(ctx, elements, &pe, peer);
        }
    }
    wait_for_homes(ctx, HandOver { deadline, repeated: false });
    Leaving::Waits
}

/// Each of the two waits is as long as a peer may take to answer, if the deadline allows.
fn wait_for_homes(ctx: &mut Context, hand_over: HandOver) {
    let wait = ctx.config.enrp.max_time_no_response.min(hand_over.deadline.since(ctx.now) / 3);
    ctx.deadlines.set(Timer::HandOver, ctx.now + wait);
    ctx.phase = Phase::HandingOver(hand_over);
}

/// Elements that no peer has taken in time are offered to all, in case the peers only know that way. Then we
/// leave, and the rest is taken over like the elements of a dead registrar.
pub(in crate::registrar) fn hand_over_due(ctx: &mut Context, elements: &mut Elements) -> Leaving {
    let Phase::HandingOver(HandOver { deadline, repeated }) = ctx.phase else {
        debug_assert!(false, "the deadline of a hand-over outlived it");
        return Leaving::Waits;
    };
    if repeated {
        return Leaving::Now(deadline);
    }
    for pe in elements.own.keys().cloned().collect::<Vec<_>>() {
        offer(ctx, elements, &pe, RegistrarId::NONE);
    }
    wait_for_homes(ctx, HandOver { deadline, repeated: true });
    Leaving::Waits
}

/// A hand-over ends when the last element has gone.
pub(in crate::registrar) fn handed_over(ctx: &Context, elements: &Elements) -> Leaving {
    match ctx.phase {
        Phase::HandingOver(HandOver { deadline, .. }) if elements.own.is_empty() => Leaving::Now(deadline),
        _ => Leaving::Waits,
    }
}

/// Offers elements to peers that have fewer than their share, while nothing else is going on.
pub(super) fn balance(ctx: &mut Context, elements: &mut Elements, peers: &mut Peers) {
    if ctx.is_leaving() {
        return;
    }
    let passed = elements.own.take_offers();
    for (id, peer) in peers.peers_mut() {
        peer.offers.next_cycle(passed.contains(&id));
    }
    let mut loads = loads(ctx, elements, peers);
    let calm = loads.len() == peers.len() && ctx.is_serving();
    if !ctx.config.enrp.balance || !calm || loads.is_empty() {
        return;
    }
    let total = elements.own.len() + loads.values().sum::<usize>();
    let fair = total / (loads.len() + 1);
    // A tenth more than the fair share is accepted, because moving has its price. A registrar gives away only
    // what exceeds its share, and only to peers below theirs, so that elements do not swing back and forth.
    let surplus = elements.own.len().saturating_sub(fair);
    if surplus <= fair / 10 {
        return;
    }
    loads.retain(|id, _| peers.get(id).is_some_and(|peer| !peer.offers.is_spared()));
    let rooted =
        elements.own.iter().filter(|(_, own)| own.registrant().is_some() && own.home_flag == HomeFlag::Clear);
    let batch = surplus.min((total / OFFERED_PART).max(1));
    for pe in rooted.map(|(pe, _)| pe.clone()).take(batch).collect::<Vec<_>>() {
        let lightest = loads.iter_mut().filter(|(_, load)| **load < fair).min_by_key(|(_, load)| **load);
        let Some((peer, load)) = lightest else { break };
        *load += 1;
        let peer = *peer;
        offer(ctx, elements, &pe, peer);
    }
}

/// The peers that can take elements, with the number that each has.
fn loads(ctx: &Context, elements: &Elements, peers: &Peers) -> BTreeMap<RegistrarId, usize> {
    let able = peers.iter().filter(|(id, peer)| ctx.group.contains_key(id) && peer.is_active());
    able.map(|(id, _)| (*id, elements.listing.owned(*id))).collect()
}

/// Suggests that a peer, or with no identifier any peer, becomes the home of an element.
fn offer(ctx: &mut Context, elements: &mut Elements, pe: &PeHandle, peer: RegistrarId) {
    let Some(element) = elements.listing.get(pe).cloned() else {
        debug_assert!(false, "{pe} is ours and not listed");
        return;
    };
    elements.own.set_offered(pe, peer);
    ctx.counters.offers_sent += 1;
    let (handle, action) = (pe.pool.clone(), UpdateAction::ADD_PE);
    let body = EnrpBody::HandleUpdate { takeover_suggested: true, action, handle, element };
    match peer {
        RegistrarId::NONE => ctx.cast(body),
        _ => ctx.send_to_peer(peer, body),
    }
}

/// Whether a suggestion of `sender` is meant for us.
pub(in crate::registrar) fn is_offered_to_us(
    ctx: &Context,
    peers: &Peers,
    sender: RegistrarId,
    receiver: RegistrarId,
    pe: &PeHandle,
) -> bool {
    if !ctx.is_serving() || ctx.is_leaving() {
        return false;
    }
    let affinity = |id: RegistrarId| id.0 ^ pe.element.0;
    let mut others = peers
        .iter()
        .filter(|(id, peer)| **id != sender && ctx.group.contains_key(id) && peer.is_active())
        .map(|(id, _)| affinity(*id));
    receiver == ctx.id || others.all(|other| other < affinity(ctx.id))
}

/// Takes an element that its home has offered us, unless it has another home by now.
pub(in crate::registrar) fn accept_offer(
    ctx: &mut Context,
    links: &Links,
    elements: &mut Elements,
    peers: &mut Peers,
    sender: RegistrarId,
    pe: &PeHandle,
    element: PoolElement,
) {
    let home = elements.listing.get(pe).map_or(sender, |known| known.home);
    // An element that can be reached nowhere could not be asked whether it lives.
    let reachable = element.asap_address().is_some();
    if home != sender || !reachable || !claims::enter(ctx, elements, peers, sender, pe, element, Word::Listed)
    {
        return;
    }
    ctx.counters.offers_accepted += 1;
    claims::take_in(ctx, links, elements, pe);
}
