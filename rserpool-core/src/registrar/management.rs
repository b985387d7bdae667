//! Status, counters and peers as text: a private protocol of this project
//! ([`ProtocolId::MANAGEMENT`](crate::base::ProtocolId::MANAGEMENT)).
//!
//! A message with the octets `status` is answered by one that says who answers and how it is; `counters` by one
//! with a line `name value` for each counter; `peers` by one with a line for each peer, its fields separated by
//! tabs. They tell little more than the handlespace and the list of servers, which ENRP tells anyone; a setting
//! turns them off.

use alloc::format;
use alloc::string::String;
use core::fmt::Write;

use super::context::{Context, Phase};
use super::counters::{Figures, Sizes};
use super::elements::Elements;
use super::enrp::join::Join;
use super::enrp::peers::Peers;
use super::links::Links;
use super::subscriptions::Subscriptions;
use crate::endpoint::{RegistrarState, RegistrarStatus};

/// The version that a registrar says it has.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Who we are, and how we are.
pub(super) fn status(ctx: &Context, elements: &Elements, peers: &Peers, join: &Join) -> RegistrarStatus {
    let (state, reason) = match &ctx.phase {
        Phase::Joining => (RegistrarState::Starting, join.reason(peers)),
        Phase::Serving => (RegistrarState::Serving, company(ctx.group.len())),
        Phase::HandingOver(_) => {
            (RegistrarState::Leaving, format!("hands {} elements over to its peers", elements.own.len()))
        }
        Phase::Closing | Phase::Stopped => (RegistrarState::Leaving, "closes its associations".into()),
    };
    let uptime = ctx.now.since(ctx.started);
    RegistrarStatus { id: ctx.id, version: VERSION.into(), state, reason, uptime }
}

/// The registrars that we are associated with, in words.
fn company(peers: usize) -> String {
    match peers {
        0 => "no other registrar is connected".into(),
        1 => "1 other registrar is connected".into(),
        count => format!("{count} other registrars are connected"),
    }
}

/// Counters, and the sizes of what is kept.
pub(super) fn figures(
    ctx: &Context,
    links: &Links,
    elements: &Elements,
    subscriptions: &Subscriptions,
    peers: &Peers,
) -> Figures {
    let listing = &elements.listing;
    let sizes = Sizes {
        pools: listing.pool_count() as u64,
        elements: listing.element_count() as u64,
        own_elements: elements.own.len() as u64,
        associations: links.len() as u64,
        peers: peers.len() as u64,
        contacts: peers.contacts.len() as u64,
        subscriptions: subscriptions.len() as u64,
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
