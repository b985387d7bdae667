//! ASAP_SERVER_ANNOUNCE: telling elements and users where a registrar is (RFC 5352 section 3.6).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::{Registrar, Timer};
use crate::base::{Instant, RegistrarId};
use crate::endpoint::{Action, Channel};
use crate::wire::{AsapMessage, EncapsulationPorts, SctpTransport, Transport, TransportUse};

/// Other registrars that are counted at most: beyond that nobody announces often enough to
/// matter, and a liar fills no memory.
const MAX_OTHERS: usize = 64;

/// For how long a registrar counts after its last announcement, at least: T7's default.
const FORGET_AFTER: Duration = Duration::from_secs(5);

/// The other registrars that announce, with the time of their last announcement.
#[derive(Debug, Default)]
pub(super) struct OtherRegistrars(BTreeMap<RegistrarId, Instant>);

impl OtherRegistrars {
    fn heard(&mut self, now: Instant, registrar: RegistrarId) {
        if self.0.len() < MAX_OTHERS || self.0.contains_key(&registrar) {
            self.0.insert(registrar, now);
        }
    }

    /// How many there are; those not heard for three of their intervals are forgotten.
    fn count(&mut self, now: Instant, interval: Duration) -> u32 {
        let patience = FORGET_AFTER.max(interval * 3 * (self.0.len() as u32 + 1));
        self.0.retain(|_, last| now.since(*last) <= patience);
        self.0.len() as u32
    }
}

impl Registrar {
    pub(super) fn start_announcing(&mut self, now: Instant) {
        if self.config.announce {
            self.deadlines.set(Timer::Announce, now);
        }
    }

    /// Announces, and again after (N+1) x T6, N being the number of others that announce.
    pub(super) fn announce(&mut self, now: Instant) {
        // A configuration that was never checked must not make this loop for ever.
        let interval = self.config.announce_interval.max(Duration::from_millis(1));
        let others = self.others.count(now, interval);
        self.deadlines.set(Timer::Announce, now + interval * (others + 1));
        let message = AsapMessage::ServerAnnounce {
            registrar: self.id,
            // Without an address the receiver takes the source of the datagram.
            transports: if self.config.addresses.is_empty() { Vec::new() } else { self.transports() },
            encapsulation: (self.config.udp_port != 0)
                .then_some(EncapsulationPorts { user: self.config.udp_port, asap: 0 }),
        };
        if let Ok(bytes) = message.encode(self.config.padding) {
            self.counters.announcements += 1;
            self.outbox.act(Action::Announce { channel: Channel::Asap, bytes });
        }
    }

    /// Where we speak ASAP: SCTP with all addresses, and TCP with each.
    fn transports(&self) -> Vec<Transport> {
        let tcp = self.config.tcp.iter().flat_map(|tcp| {
            tcp.addresses.iter().map(|address| Transport::Tcp {
                port: tcp.port,
                reserved: 0,
                address: *address,
            })
        });
        core::iter::once(Transport::Sctp(self.asap_transport())).chain(tcp).collect()
    }

    /// Where we speak ASAP with elements.
    pub(super) fn asap_transport(&self) -> SctpTransport {
        SctpTransport {
            port: self.config.asap_port,
            usage: TransportUse::DataOnly,
            addresses: self.config.addresses.as_slice().into(),
        }
    }

    pub(super) fn handle_announce(&mut self, now: Instant, bytes: &Bytes) {
        // A datagram has no sender to whom an error could go: what cannot be read is counted.
        match AsapMessage::decode(bytes).map(|decoded| decoded.message) {
            Ok(AsapMessage::ServerAnnounce { registrar, .. }) if registrar != self.id => {
                self.others.heard(now, registrar);
            }
            Ok(AsapMessage::ServerAnnounce { .. }) => {}
            Ok(_) => self.counters.unexpected += 1,
            Err(_) => self.counters.malformed += 1,
        }
    }
}
