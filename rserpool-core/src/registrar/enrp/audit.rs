//! Audit and resynchronisation: what updates have missed (RFC 5353 section 3.6).
//!
//! A checksum that differs starts a download of the peer's own elements. Elements that the peer does not list
//! are removed when the last page has come, if the table is known to be whole. If it may not be, it is
//! downloaded once more. A download that fails removes nothing; the next heartbeat starts another, with growing
//! pauses while downloads do not help.
//!
//! A peer that has taken over another one may not have known all of its elements. Those that it does not list,
//! and that we know from that one, are not removed: we become their home ourselves.

use alloc::vec::Vec;

use super::claims;
use super::pages::{Extent, Page, Table};
use super::peers::Peers;
use crate::base::RegistrarId;
use crate::registrar::context::{Context, Timer};
use crate::registrar::elements::Elements;
use crate::registrar::links::Links;
use crate::registrar::listing::Listing;
use crate::wire::PoolEntry;

/// Compares the checksum that a peer has sent with ours (ENRP-3.6.1-03: equality needs no action).
pub(super) fn compare(
    ctx: &mut Context,
    listing: &mut Listing,
    peers: &mut Peers,
    id: RegistrarId,
    checksum: u16,
) {
    if !ctx.is_serving() || ctx.is_leaving() {
        return;
    }
    let ours = listing.checksum(id);
    let Some(peer) = peers.peer_mut(id) else { return };
    if peer.audit.may_know_our_past(ctx) && !peer.audit.is_under_way() && ctx.group.contains_key(&id) {
        listing.mark(id);
        peer.audit.begin_with_our_past(ctx, id);
        return peer.pages.ask_for_first(ctx, id, Extent::Whole);
    }
    // In ones' complement both are zero (reading A2).
    let zero = |sum: u16| if sum == 0 { 0xffff } else { sum };
    if zero(ours) == zero(checksum) {
        listing.agree(id);
        return peer.audit.agree();
    }
    if !ctx.group.contains_key(&id) || !peer.audit.may_begin(ctx) {
        return;
    }
    ctx.counters.resynchronisations += 1;
    listing.mark(id);
    peer.audit.begin(ctx, id);
    peer.pages.ask_for_first(ctx, id, Extent::OwnOnly);
}

/// Whether a peer is being asked for elements of an earlier life of ours.
pub(in crate::registrar) fn asks_for_our_past(peers: &Peers, id: RegistrarId) -> bool {
    peers.get(&id).is_some_and(|peer| peer.audit.asks_for_all())
}

/// A page of a peer's own elements has come, or of everything that it lists.
pub(super) fn handle_page(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    peers: &mut Peers,
    sender: RegistrarId,
    page: Page,
    pools: Vec<PoolEntry>,
) {
    let all = asks_for_our_past(peers, sender);
    let table = match page {
        Page::OneOfMany => None,
        Page::Last(table) => Some(table),
        Page::Refused | Page::Late | Page::Unasked => return stop(ctx, &mut elements.listing, peers, sender),
    };
    for entry in pools {
        for element in entry.elements {
            let pe = elements.listing.name(&entry.handle, element.id);
            // The page may be older than what another home has said meanwhile.
            let outdated = elements.listing.is_elsewhere(&pe, sender);
            if element.home == sender && outdated {
                continue;
            }
            if element.home == sender {
                claims::handle_listed(ctx, links, elements, peers, sender, &pe, element);
            } else if all && element.home == ctx.id {
                claims::resume(ctx, links, elements, &pe, element);
            } else if !all {
                ctx.counters.updates_refused += 1;
            }
        }
    }
    let Some(peer) = peers.peer_mut(sender).filter(|peer| peer.audit.is_under_way()) else { return };
    match table {
        None => {
            peer.audit.wait(ctx, sender);
            peer.pages.ask_for_more(ctx, sender);
        }
        Some(Table::Tail) => {
            peer.audit.wait(ctx, sender);
            elements.listing.mark(sender);
            let extent = if all { Extent::Whole } else { Extent::OwnOnly };
            peer.pages.ask_for_first(ctx, sender, extent);
        }
        Some(Table::Whole) => {
            peer.audit.end(ctx, sender);
            // ENRP-3.6.3-05: elements that are still marked are removed.
            for pe in elements.listing.take_marked(sender) {
                if elements.listing.is_inherited(&pe) && !ctx.is_leaving() {
                    claims::take_in(ctx, links, elements, &pe);
                } else {
                    claims::remove(ctx, elements, &pe);
                }
            }
        }
    }
}

/// Ends a resynchronisation before its last page: nothing is removed.
pub(super) fn stop(ctx: &mut Context, listing: &mut Listing, peers: &mut Peers, id: RegistrarId) {
    listing.unmark(id);
    if let Some(peer) = peers.peer_mut(id) {
        peer.audit.end(ctx, id);
        peer.pages.give_up();
    }
}

/// A page has not come in time.
pub(in crate::registrar) fn audit_due(
    ctx: &mut Context,
    listing: &mut Listing,
    peers: &mut Peers,
    id: RegistrarId,
) {
    match peers.get(&id).and_then(|peer| peer.pages.patience(ctx, peer.last_heard)) {
        Some(until) => ctx.deadlines.set(Timer::Audit(id), until),
        None => stop(ctx, listing, peers, id),
    }
}
