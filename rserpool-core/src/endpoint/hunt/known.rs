//! The registrars that have announced themselves.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;

use crate::base::{
    ASAP_PORT, DEFAULT_ENCAPSULATION_PORT, Instant, MAX_KEPT_ADDRESSES, SctpAddress, SctpPort, TcpAddress,
    TransportAddress, is_usable_address,
};
use crate::wire::{AsapMessage, EncapsulationPorts, Transport};

/// The most announced registrars that are remembered. Announcements are not authenticated, so a flood of them
/// must not take memory (RFC 5352 section 9.2). An operational scope has fewer than ten registrars.
pub const MAX_ANNOUNCED: usize = 64;

/// A registrar is outdated when it has not announced itself for so many periods (reading B13).
const PERIODS: u32 = 3;

/// A registrar that is heard again so soon has announced itself in several groups at once: it does so each second
/// at the most.
const SHORTEST_PERIOD: Duration = Duration::from_millis(500);

/// The longest period between announcements that is taken for one: with N registrars it is N + 1 seconds.
const LONGEST_PERIOD: Duration = Duration::from_secs(60);

/// The registrars announced so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Announced {
    /// Sorted by address.
    heard: Vec<(TransportAddress, Heard)>,
}

/// An announced registrar. An outdated one is remembered: otherwise a period longer than T7 could not be
/// measured.
#[derive(Clone, Copy, Debug)]
struct Heard {
    last: Instant,
    /// When T7 expires.
    until: Instant,
    /// How often it was tried in vain since it last answered.
    silences: u32,
    /// Whether it has ever answered.
    answered: bool,
}

impl Announced {
    /// The registrars whose T7 has not expired, in the order of their addresses.
    pub(super) fn current(&self, now: Instant) -> impl Iterator<Item = &TransportAddress> {
        self.heard.iter().filter(move |(_, heard)| now < heard.until).map(|(address, _)| address)
    }

    /// A datagram has arrived on the announcement channel (ASAP-3.6-03 and ASAP-3.6-04: announced registrars
    /// are tried, and are outdated after T7). Returns the registrars it names; `None` if it is not an
    /// announcement. Without `tcp`, registrars that are reached by TCP are left out.
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

    /// Starts or restarts T7 of a registrar. False if there is no room for it.
    fn refresh(&mut self, now: Instant, outdate: Duration, registrar: &TransportAddress) -> bool {
        if self.get_mut(registrar).is_none() && !self.make_room(now) {
            return false;
        }
        let new = Heard { last: now, until: now, silences: 0, answered: false };
        let known = self.find_or_insert(registrar, new);
        let period = now.since(known.last).min(LONGEST_PERIOD);
        if period < SHORTEST_PERIOD {
            known.until = known.until.max(now + outdate);
        } else {
            (known.last, known.until) = (now, now + outdate.max(period * PERIODS));
        }
        debug_assert!(self.heard.len() <= MAX_ANNOUNCED, "announcements take no memory without a bound");
        true
    }

    /// If the table is full, forgets the registrar that has been outdated for the longest time, or else the one
    /// that was most often tried in vain and never answered: whoever floods the table does not answer. False if
    /// there is none.
    fn make_room(&mut self, now: Instant) -> bool {
        if self.heard.len() < MAX_ANNOUNCED {
            return true;
        }
        let outdated = self.heard.iter().filter(|(_, heard)| heard.until <= now);
        let silent = self.heard.iter().filter(|(_, heard)| heard.silences > 0 && !heard.answered);
        let goes = outdated
            .min_by_key(|(_, heard)| heard.last)
            .or_else(|| silent.max_by_key(|(_, heard)| heard.silences));
        match goes.map(|(address, _)| address.clone()) {
            Some(address) => {
                self.heard.retain(|(heard, _)| *heard != address);
                true
            }
            None => false,
        }
    }

    fn get_mut(&mut self, registrar: &TransportAddress) -> Option<&mut Heard> {
        self.heard.iter_mut().find(|(address, _)| address == registrar).map(|(_, heard)| heard)
    }

    fn find_or_insert(&mut self, registrar: &TransportAddress, new: Heard) -> &mut Heard {
        let at = match self.heard.binary_search_by(|(address, _)| address.cmp(registrar)) {
            Ok(at) => at,
            Err(at) => {
                self.heard.insert(at, (registrar.clone(), new));
                at
            }
        };
        &mut self.heard[at].1
    }

    /// A registrar was tried in vain.
    pub(super) fn silent(&mut self, registrar: &TransportAddress) {
        if let Some(heard) = self.get_mut(registrar) {
            heard.silences = heard.silences.saturating_add(1);
        }
    }

    /// A registrar has answered.
    pub(super) fn answered(&mut self, registrar: &TransportAddress) {
        if let Some(heard) = self.get_mut(registrar) {
            (heard.silences, heard.answered) = (0, true);
        }
    }

    /// How often a registrar was tried in vain since it last answered.
    pub(super) fn silences(&self, registrar: &TransportAddress) -> u32 {
        self.heard.iter().find(|(address, _)| address == registrar).map_or(0, |(_, heard)| heard.silences)
    }
}

/// The registrars that an announcement names; `None` if the datagram is not an announcement. Without a
/// transport, it is the registrar at the datagram's source (reading A14).
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
        registrars.push(SctpAddress::new(source.ip(), ASAP_PORT, udp_port).into());
    }
    // A TCP transport has one address: transports with the same port are one registrar.
    let mut by_tcp: Vec<TcpAddress> = Vec::new();
    for transport in transports {
        match transport {
            Transport::Sctp(sctp) => {
                let usable = sctp.addresses.iter().copied().filter(is_usable_address);
                let addresses: Vec<_> = usable.take(MAX_KEPT_ADDRESSES).collect();
                if sctp.port != 0 && !addresses.is_empty() {
                    registrars.push(TransportAddress::sctp(addresses, SctpPort(sctp.port), udp_port));
                }
            }
            Transport::Tcp { port, address, .. } if port != 0 && is_usable_address(&address) => {
                match by_tcp.iter_mut().find(|known| known.port == port) {
                    Some(known) if known.addresses.len() < MAX_KEPT_ADDRESSES => {
                        known.addresses.push(address);
                    }
                    Some(_) => {}
                    None => by_tcp.push(TcpAddress::new(alloc::vec![address], port)),
                }
            }
            _ => {}
        }
    }
    registrars.extend(by_tcp.into_iter().map(TransportAddress::Tcp));
    Some(registrars)
}
