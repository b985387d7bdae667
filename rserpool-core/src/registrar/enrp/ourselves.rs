//! What this registrar says of itself: its address, its description, and ENRP_PRESENCE (RFC 5353 sections
//! 2.1 and 3.4.2).

use crate::base::{AssociationId, RegistrarId, SctpAddress};
use crate::handlespace::Handlespace;
use crate::registrar::context::{Context, Timer};
use crate::registrar::links::Links;
use crate::wire::{EnrpBody, ServerInformation};

/// Where we speak ENRP, as far as we know it.
fn own_address(ctx: &Context) -> SctpAddress {
    SctpAddress::multihomed(ctx.config.addresses.clone(), ctx.config.enrp_port, ctx.config.udp_port)
}

/// Whether an address is one of our own, as far as we know them.
pub(super) fn is_own_address(ctx: &Context, address: &SctpAddress) -> bool {
    own_address(ctx).is_same_endpoint(address)
}

/// Our own description; `None` if we do not know our addresses.
pub(super) fn description(ctx: &Context) -> Option<ServerInformation> {
    let ours = own_address(ctx);
    (!ours.addresses.is_empty()).then(|| ServerInformation::at(ctx.id, &ours))
}

/// Whether the receiver of an ENRP_PRESENCE is to answer with its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::registrar) enum Reply {
    Required,
    Needless,
}

/// Our own ENRP_PRESENCE. It always has the checksum (reading B20) and, if we know where we are, our
/// description.
pub(super) fn presence(ctx: &Context, handlespace: &Handlespace, reply: Reply) -> EnrpBody {
    let checksum = Some(handlespace.checksum(ctx.id));
    let reply_required = reply == Reply::Required;
    EnrpBody::Presence { reply_required, checksum, server: description(ctx) }
}

/// Sends ENRP_PRESENCE, which comes first on every association with a registrar.
pub(in crate::registrar) fn greet(
    ctx: &mut Context,
    links: &mut Links,
    handlespace: &Handlespace,
    association: AssociationId,
    peer: RegistrarId,
) {
    links.set_greeted(association);
    let presence = presence(ctx, handlespace, Reply::Required);
    ctx.send_enrp(association, peer, presence);
}

/// Tells all peers that we are alive, outside the rhythm of heartbeats.
pub(super) fn show_life(ctx: &mut Context, handlespace: &Handlespace) {
    let presence = presence(ctx, handlespace, Reply::Needless);
    ctx.cast(presence);
}

/// Begins to send heartbeats, as soon as there is a peer to hear them.
pub(super) fn start_heartbeats(ctx: &mut Context) {
    if ctx.deadlines.get(&Timer::Heartbeat).is_none() {
        ctx.deadlines.set(Timer::Heartbeat, ctx.now + ctx.config.enrp.heartbeat_cycle);
    }
}
