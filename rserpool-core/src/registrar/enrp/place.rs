//! Where a registrar is: Server Information and the address to connect to (RFC 5354 section 3.11).

use alloc::vec::Vec;
use core::net::IpAddr;

use crate::base::{DEFAULT_ENCAPSULATION_PORT, RegistrarId, TransportAddress};
use crate::wire::{EncapsulationPorts, SctpTransport, ServerInformation, TransportUse};

/// How many addresses of a peer are kept; the transport tries no more than three.
const MAX_ADDRESSES: usize = 8;

/// Where a registrar speaks ENRP, by its own description. The UDP port is the one stated, the one
/// seen at the same place, or the default.
pub(super) fn address_of(
    server: &ServerInformation,
    seen: Option<&TransportAddress>,
) -> Option<TransportAddress> {
    let usable = |address: &&IpAddr| !address.is_unspecified() && !address.is_multicast();
    let addresses: Vec<_> =
        server.transport.addresses.iter().filter(usable).take(MAX_ADDRESSES).copied().collect();
    if addresses.is_empty() || server.transport.port == 0 {
        return None;
    }
    let here = |seen: &&TransportAddress| {
        seen.port == server.transport.port && seen.addresses.iter().any(|a| addresses.contains(a))
    };
    let udp_port = match server.encapsulation {
        Some(ports) if ports.user != 0 => ports.user,
        _ => seen.filter(here).map_or(DEFAULT_ENCAPSULATION_PORT, |seen| seen.udp_port),
    };
    Some(TransportAddress::sctp(addresses, server.transport.port, udp_port))
}

/// The description of a registrar at an address.
pub(super) fn describe(id: RegistrarId, address: &TransportAddress) -> ServerInformation {
    ServerInformation {
        id,
        transport: SctpTransport {
            port: address.port,
            usage: TransportUse::DataOnly,
            addresses: address.addresses.as_slice().into(),
        },
        encapsulation: (address.udp_port != 0)
            .then_some(EncapsulationPorts { user: address.udp_port, asap: 0 }),
    }
}
