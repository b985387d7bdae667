//! ASAP_SERVER_ANNOUNCE: telling elements and users where a registrar is (RFC 5352 section 3.6).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::config::RegistrarConfig;
use super::context::{Context, Timer};
use crate::base::{Instant, RegistrarId};
use crate::endpoint::{Action, Channel};
use crate::wire::{AsapMessage, EncapsulationPorts, Transport};

/// How many other registrars are counted (reading B99): an operational scope has fewer than ten. Somebody who announces
/// registrars that do not exist must not silence those that do: elements and users have to hear of us within ten T6.
const MAX_OTHERS: usize = 9;

/// The shortest time for which a registrar counts after its last announcement: T7's default.
const FORGET_AFTER: Duration = Duration::from_secs(5);

/// The other registrars that announce, with the time of their last announcement.
#[derive(Debug, Default)]
pub(super) struct OtherRegistrars(BTreeMap<RegistrarId, Instant>);

/// Announces from now on, if the configuration says so.
pub(super) fn start(ctx: &mut Context) {
    if ctx.config.announce {
        ctx.deadlines.set(Timer::Announce, ctx.now);
    }
}

impl OtherRegistrars {
    /// Announces, and again after (N+1) x T6, N being the number of others that announce.
    pub(super) fn announce_due(&mut self, ctx: &mut Context) {
        // A configuration that was never checked must not make this loop forever.
        let interval = ctx.config.announce_interval.max(Duration::from_millis(1));
        let others = self.count(ctx.now, interval);
        ctx.deadlines.set(Timer::Announce, ctx.now + interval * (others + 1));
        let message = AsapMessage::ServerAnnounce {
            registrar: ctx.id,
            // Without an address the receiver takes the source of the datagram.
            transports: if ctx.config.addresses.is_empty() { Vec::new() } else { transports(&ctx.config) },
            encapsulation: ctx
                .config
                .udp_port
                .is_set()
                .then_some(EncapsulationPorts { user: ctx.config.udp_port.0, asap: 0 }),
        };
        if let Ok(bytes) = message.encode(ctx.config.padding) {
            ctx.counters.announcements += 1;
            ctx.outbox.act(Action::Announce { channel: Channel::Asap, bytes });
        }
    }

    /// A datagram of ASAP's announcement channel. It has no sender to which an error could go: a datagram
    /// that cannot be read is counted.
    pub(super) fn handle_announce(&mut self, ctx: &mut Context, bytes: &Bytes) {
        match AsapMessage::decode(bytes).map(|decoded| decoded.message) {
            Ok(AsapMessage::ServerAnnounce { registrar, .. }) if registrar != ctx.id => {
                self.heard(ctx.now, registrar);
            }
            Ok(AsapMessage::ServerAnnounce { .. }) => {}
            Ok(_) => ctx.counters.unexpected += 1,
            Err(_) => ctx.counters.malformed += 1,
        }
    }

    fn heard(&mut self, now: Instant, registrar: RegistrarId) {
        if self.0.len() < MAX_OTHERS || self.0.contains_key(&registrar) {
            self.0.insert(registrar, now);
        }
    }

    /// How many there are. Those not heard for three of their intervals are forgotten.
    fn count(&mut self, now: Instant, interval: Duration) -> u32 {
        let patience = FORGET_AFTER.max(interval * 3 * (self.0.len() as u32 + 1));
        self.0.retain(|_, last| now.since(*last) <= patience);
        self.0.len() as u32
    }
}

/// Where we speak ASAP: SCTP with all addresses, and TCP with each, if that may be said.
fn transports(config: &RegistrarConfig) -> Vec<Transport> {
    let told = config.tcp.as_ref().filter(|_| config.announce_tcp);
    let tcp = told.into_iter().flat_map(|tcp| {
        tcp.addresses.iter().map(|address| Transport::Tcp { port: tcp.port, reserved: 0, address: *address })
    });
    core::iter::once(Transport::Sctp(config.asap_transport())).chain(tcp).collect()
}
