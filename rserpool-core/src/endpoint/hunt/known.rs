//! The registrars that can be tried: those configured, and those heard in announcements.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;

use crate::base::{
    ASAP_PORT, DEFAULT_ENCAPSULATION_PORT, Instant, MAX_KEPT_ADDRESSES, TransportAddress, is_usable_address,
};
use crate::wire::{AsapMessage, EncapsulationPorts, Transport};

/// How many announced registrars are remembered. Announcements are not authenticated, so a flood
/// of them must not take memory (RFC 5352 section 9.2); an operational scope has fewer than ten.
pub const MAX_ANNOUNCED: usize = 64;

/// How many periods an announcement may stay away before its registrar is outdated
/// (reading B13).
const PERIODS: u32 = 3;

/// The longest period that is believed: a registrar announces itself every (N+1) seconds.
const LONGEST_PERIOD: Duration = Duration::from_secs(60);

/// The registrars announced so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Announced {
    heard: BTreeMap<TransportAddress, Heard>,
}

/// An announced registrar. It is remembered when outdated, because the period of announcements
/// longer than T7 could never be observed otherwise.
#[derive(Clone, Copy, Debug)]
struct Heard {
    last: Instant,
    /// When T7 expires.
    until: Instant,
}

impl Announced {
    /// The registrars whose T7 has not expired, in the order of their addresses.
    pub(super) fn current(&self, now: Instant) -> impl Iterator<Item = &TransportAddress> {
        self.heard.iter().filter(move |(_, heard)| now < heard.until).map(|(address, _)| address)
    }

    /// Takes a datagram of the announcement channel (ASAP-3.6-03, ASAP-3.6-04). Returns the
    /// registrars it names; `None` if it is no announcement. Without `tcp`, what is reached by TCP does
    /// not count.
    pub(super) fn hear(
        &mut self,
        now: Instant,
        outdate: Duration,
        source: SocketAddr,
        bytes: &Bytes,
        tcp: bool,
    ) -> Option<Vec<TransportAddress>> {
        let mut registrars = read_announcement(source, bytes)?;
        registrars.retain(|registrar| (tcp || !registrar.is_tcp()) && self.refresh(now, outdate, registrar));
        Some(registrars)
    }

    /// Starts or restarts T7 of a registrar; false if there is no room for it.
    fn refresh(&mut self, now: Instant, outdate: Duration, registrar: &TransportAddress) -> bool {
        let period = match self.heard.get(registrar) {
            Some(heard) => now.since(heard.last).min(LONGEST_PERIOD),
            None => Duration::ZERO,
        };
        if !self.heard.contains_key(registrar) && !self.make_room(now) {
            return false;
        }
        let until = now + outdate.max(period * PERIODS);
        self.heard.insert(registrar.clone(), Heard { last: now, until });
        true
    }

    /// Forgets the registrar that has been outdated for the longest time, if the table is full.
    fn make_room(&mut self, now: Instant) -> bool {
        if self.heard.len() < MAX_ANNOUNCED {
            return true;
        }
        let outdated = self.heard.iter().filter(|(_, heard)| heard.until <= now);
        match outdated.min_by_key(|(_, heard)| heard.last).map(|(address, _)| address.clone()) {
            Some(address) => self.heard.remove(&address).is_some(),
            None => false,
        }
    }
}

/// The registrars that an announcement names; `None` if it is none. Without a transport it is the one
/// at the datagram's source (reading A14).
pub(crate) fn read_announcement(source: SocketAddr, bytes: &Bytes) -> Option<Vec<TransportAddress>> {
    let AsapMessage::ServerAnnounce { transports, encapsulation, .. } =
        AsapMessage::decode(bytes).ok()?.message
    else {
        return None;
    };
    let udp_port = encapsulation.and_then(EncapsulationPorts::user_port);
    let udp_port = udp_port.unwrap_or(DEFAULT_ENCAPSULATION_PORT);
    let mut registrars = Vec::new();
    if transports.is_empty() {
        registrars.push(TransportAddress::new(source.ip(), ASAP_PORT, udp_port));
    }
    // One TCP transport has one address: those with the same port are one place.
    let mut by_tcp: Vec<TransportAddress> = Vec::new();
    for transport in transports {
        match transport {
            Transport::Sctp(sctp) => {
                let usable = sctp.addresses.iter().copied().filter(is_usable_address);
                let addresses: Vec<_> = usable.take(MAX_KEPT_ADDRESSES).collect();
                if sctp.port != 0 && !addresses.is_empty() {
                    registrars.push(TransportAddress::sctp(addresses, sctp.port, udp_port));
                }
            }
            Transport::Tcp { port, address, .. } if port != 0 && is_usable_address(&address) => {
                match by_tcp.iter_mut().find(|place| place.port == port) {
                    Some(place) if place.addresses.len() < MAX_KEPT_ADDRESSES => {
                        place.addresses.push(address);
                    }
                    Some(_) => {}
                    None => by_tcp.push(TransportAddress::tcp(alloc::vec![address], port)),
                }
            }
            _ => {}
        }
    }
    registrars.append(&mut by_tcp);
    Some(registrars)
}
