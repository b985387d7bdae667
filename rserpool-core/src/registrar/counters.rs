//! The counters of a registrar.

use crate::endpoint::{HangUp, TransportCounters};

crate::endpoint::counters::counters! {
    /// Registrations granted to new elements.
    registrations,
    /// Registrations granted to elements that were registered already.
    reregistrations,
    /// Registrations refused.
    registrations_rejected,
    /// Deregistrations granted.
    deregistrations,
    /// Deregistrations refused.
    deregistrations_rejected,
    /// Elements removed because they did not answer a keep-alive.
    removed_silent,
    /// Elements removed because too many users reported them.
    removed_reported,
    /// Elements removed because their registration life ended.
    removed_expired,
    /// Handle resolutions answered with elements.
    resolutions,
    /// Handle resolutions of unknown pools.
    resolutions_unknown,
    /// Subscriptions to pools that were not granted, because there were as many as permitted.
    subscriptions_refused,
    /// Updates sent to subscribers.
    subscription_updates,
    /// Keep-alives sent.
    keep_alives,
    /// Keep-alives answered by the element that was asked.
    keep_alive_acks,
    /// Answers to keep-alives from another peer than the one asked, or unasked.
    keep_alive_acks_ignored,
    /// Reports of unreachable elements.
    unreachable_reports,
    /// Announcements sent.
    announcements,
    /// ENRP requests answered.
    enrp_requests,
    /// Heartbeats sent to all peers.
    heartbeats,
    /// Changes of own elements told to all peers.
    updates_sent,
    /// Changes of elements told by peers.
    updates_received,
    /// Elements and changes told by peers that do not fit, or are not theirs to tell.
    updates_refused,
    /// Resynchronisations begun because a checksum differed.
    resynchronisations,
    /// Takeovers of dead peers begun.
    takeovers_begun,
    /// Takeovers that were stopped by a sign of life.
    takeovers_stopped,
    /// Takeovers that were won.
    takeovers_won,
    /// Times that another registrar claimed an element of ours, and we insisted or asked the element.
    claims_contested,
    /// Elements that we have left to another home.
    elements_yielded,
    /// Elements offered to peers.
    offers_sent,
    /// Offered elements taken.
    offers_accepted,
    /// ENRP messages for another registrar.
    wrong_receiver,
    /// ENRP messages in the name of another registrar.
    spoofed,
    /// Registrars for which the peer list had no room.
    peers_refused,
    /// Messages that were not valid ASAP or ENRP messages.
    malformed,
    /// Valid messages that are not for a registrar, or not yet understood.
    unexpected,
    /// Messages with another payload protocol identifier.
    unknown_protocol,
    /// Errors sent.
    errors_sent,
    /// Errors received.
    errors_received,
    /// Clients accepted over TCP.
    tcp_accepted,
    /// Clients that were not accepted, because there were too many in all or from their address.
    tcp_refused,
    /// Clients disconnected because of a length that no message has.
    tcp_malformed,
    /// Clients disconnected because a message took too long.
    tcp_slow,
    /// Clients disconnected because they did not take an answer.
    tcp_unread,
    /// Clients disconnected because they asked for nothing, or for nothing more.
    tcp_silent,
    /// Clients disconnected because too much waited for them, or from them.
    tcp_flooding,
    /// Associations without a handshake of TLS that succeeded in time.
    handshakes_failed,
    /// Requests and messages of peers that may not do that.
    forbidden,
    /// Lines of the log that were lost, because their reader was too slow or they could not be written.
    log_lines_lost,
}

crate::endpoint::counters::gauges! {
    /// Pools in the handlespace.
    pools,
    /// Elements in the handlespace.
    elements,
    /// Elements whose home this registrar is.
    own_elements,
    /// Associations that are up.
    associations,
    /// Registrars in the peer list.
    peers,
    /// Addresses at which registrars are looked for.
    contacts,
    /// Subscriptions to pools.
    subscriptions,
    /// Deadlines that are armed.
    timers,
}

/// What a registrar has done so far, and how much it keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// The counts since its start.
    pub counters: Counters,
    /// How much it keeps at the moment.
    pub sizes: Sizes,
    /// What its transport has counted.
    pub transport: TransportCounters,
}

impl Figures {
    /// All of them by name: counters, sizes, and what the transport has counted.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        self.counters.named().chain(self.sizes.named()).chain(self.transport.named())
    }
}

impl Counters {
    /// The transport has disconnected a client, or has refused it.
    pub(super) const fn hung_up(&mut self, reason: HangUp) {
        let counter = match reason {
            HangUp::TooMany => &mut self.tcp_refused,
            HangUp::Malformed => &mut self.tcp_malformed,
            HangUp::Slow => &mut self.tcp_slow,
            HangUp::Unread => &mut self.tcp_unread,
            HangUp::Silent => &mut self.tcp_silent,
            HangUp::Flooding => &mut self.tcp_flooding,
            HangUp::Insecure => &mut self.handshakes_failed,
        };
        *counter += 1;
    }
}
