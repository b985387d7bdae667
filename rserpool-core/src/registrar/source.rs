//! Whom limits are counted for.

use core::net::{IpAddr, Ipv6Addr};

use crate::base::SctpAddress;

/// Where a peer comes from: an address of IPv4; of IPv6 the network of 64 bits, all of whose addresses one host
/// may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source(IpAddr);

impl Source {
    /// That of a peer; one without addresses shares the source of all that have none.
    pub(super) fn of(peer: &SctpAddress) -> Self {
        let address = peer.addresses.first().map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::to_canonical);
        Self(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        })
    }
}
