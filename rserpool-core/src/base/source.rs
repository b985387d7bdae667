//! Who counts as one stranger: the limits on what one host may have go by this.

use core::net::{IpAddr, Ipv6Addr};

use super::SctpAddress;

/// Where packets, connections or peers come from: an address of IPv4; of IPv6 the network of 64 bits, all of whose
/// addresses one host may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source(IpAddr);

impl Source {
    /// The source to which an address belongs.
    pub const fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !(u64::MAX as u128))),
        })
    }

    /// An address that stands for it.
    pub const fn address(self) -> IpAddr {
        self.0
    }

    /// That of a peer, by its first address; peers without any share one.
    pub fn of_peer(peer: &SctpAddress) -> Self {
        Self::of(peer.addresses.first().copied().unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_is_one_source() {
        let same = |a: &str, b: &str| Source::of(a.parse().unwrap()) == Source::of(b.parse().unwrap());
        assert!(same("192.0.2.1", "::ffff:192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
        assert!(same("2001:db8::1", "2001:db8::ffff:1:2:3"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
    }
}
