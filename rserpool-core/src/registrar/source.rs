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
        Self::at(peer.addresses.first().map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |address| *address))
    }

    /// An address that stands for it.
    pub(super) const fn address(self) -> IpAddr {
        self.0
    }

    /// That of an address.
    pub(super) fn at(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            address @ IpAddr::V4(_) => address,
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        })
    }
}
