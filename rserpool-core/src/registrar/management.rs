//! Counters and peers as text: a private protocol of this project
//! ([`ProtocolId::MANAGEMENT`](crate::base::ProtocolId::MANAGEMENT)).
//!
//! A message with the octets `counters` is answered by one with a line `name value` for each
//! counter; `peers` by one with a line for each peer, its fields separated by tabs. They tell no more than
//! the handlespace and the list of servers, which ENRP tells anyone; a setting turns them off.

use alloc::string::String;
use core::fmt::Write;

use super::context::Context;
use super::counters::{Figures, Sizes};
use super::elements::Elements;
use super::enrp::peers::Peers;
use super::links::Links;

/// Counters, and the sizes of what is kept.
pub(super) fn figures(ctx: &Context, links: &Links, elements: &Elements, peers: &Peers) -> Figures {
    let listing = &elements.listing;
    let sizes = Sizes {
        pools: listing.pool_count() as u64,
        elements: listing.element_count() as u64,
        own_elements: elements.own.len() as u64,
        associations: links.len() as u64,
        peers: peers.len() as u64,
        contacts: peers.contacts.len() as u64,
        timers: (ctx.deadlines.len() + listing.watch_count()) as u64,
    };
    Figures { counters: ctx.counters, sizes, transport: ctx.transport }
}

/// One line for each counter.
pub(super) fn counters_text(figures: &Figures) -> String {
    let mut text = String::new();
    for (name, value) in figures.named() {
        let _ = writeln!(text, "{name} {value}");
    }
    text
}
