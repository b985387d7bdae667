//! Audit and resynchronisation: what updates have missed (RFC 5353 section 3.6).
//!
//! A checksum that differs starts a download of the peer's own elements. Elements that the peer does not list
//! are removed when the last page has come. A download that fails removes nothing; the next heartbeat starts
//! another, with growing pauses while downloads do not help.

use alloc::vec::Vec;

use super::claims;
use super::pages::{Extent, is_endless};
use super::peers::Peers;
use crate::base::RegistrarId;
use crate::registrar::context::Context;
use crate::registrar::elements::Elements;
use crate::registrar::links::Links;
use crate::registrar::listing::Listing;
use crate::wire::PoolEntry;

/// A page of a handle table, as its receiver reads it.
#[derive(Debug)]
pub(in crate::registrar) struct TablePage {
    /// The sender does not serve yet.
    pub(in crate::registrar) rejected: bool,
    /// Further pages can be asked for.
    pub(in crate::registrar) more: bool,
    pub(in crate::registrar) pools: Vec<PoolEntry>,
}

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
    // In ones' complement both are zero (reading A2).
    let zero = |sum: u16| if sum == 0 { 0xffff } else { sum };
    if zero(ours) == zero(checksum) {
        return peer.audit.agree();
    }
    let early = peer.audit.not_before().max(peer.pages.not_before()).is_some_and(|at| ctx.now < at);
    if peer.audit.is_under_way() || !ctx.group.contains_key(&id) || early {
        return;
    }
    ctx.counters.resynchronisations += 1;
    listing.mark(id);
    peer.audit.begin(ctx, id);
    peer.pages.ask_for_first(ctx, id, Extent::OwnOnly);
}

/// A page that a peer was asked for has come.
pub(super) fn handle_page(
    ctx: &mut Context,
    links: &mut Links,
    elements: &mut Elements,
    peers: &mut Peers,
    sender: RegistrarId,
    page: TablePage,
) {
    let TablePage { rejected, more, pools } = page;
    let Some(received) = peers.peer_mut(sender).and_then(|peer| peer.audit.received()) else { return };
    if is_endless(received, &pools, more, ctx.config.limits.elements) || rejected {
        return stop(ctx, &mut elements.listing, peers, sender);
    }
    for entry in pools {
        for element in entry.elements {
            let pe = elements.listing.name(&entry.handle, element.id);
            if element.home == sender {
                claims::handle_listed(ctx, links, elements, peers, sender, &pe, element);
            } else {
                ctx.counters.updates_refused += 1;
            }
        }
    }
    let Some(peer) = peers.peer_mut(sender) else { return };
    if more {
        peer.audit.wait(ctx, sender);
        peer.pages.ask_for_more(ctx, sender, Extent::OwnOnly);
        return;
    }
    // The last page is there: ENRP-3.6.3-05, elements that are still marked are removed.
    peer.audit.end(ctx, sender);
    peer.pages.end_download(ctx);
    for pe in elements.listing.take_marked(sender) {
        claims::remove(ctx, elements, &pe);
    }
}

/// Ends a resynchronisation before its last page: nothing is removed.
pub(super) fn stop(ctx: &mut Context, listing: &mut Listing, peers: &mut Peers, id: RegistrarId) {
    listing.unmark(id);
    if let Some(peer) = peers.peer_mut(id) {
        peer.audit.end(ctx, id);
        peer.pages.end_download(ctx);
    }
}

/// A page has not come in time: no more are expected.
pub(in crate::registrar) fn audit_due(
    ctx: &mut Context,
    listing: &mut Listing,
    peers: &mut Peers,
    id: RegistrarId,
) {
    stop(ctx, listing, peers, id);
    if let Some(peer) = peers.peer_mut(id) {
        peer.pages.expect_none();
    }
}
