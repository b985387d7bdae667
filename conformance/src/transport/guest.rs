//! What the virtual machine looks like from inside; `vm/init` makes it so.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Our addresses, on two interfaces.
pub(super) const OUR_ADDRESSES: [IpAddr; 4] = addresses(1);

/// The peer's addresses, likewise.
pub(super) const PEER_ADDRESSES: [IpAddr; 4] = addresses(2);

const fn addresses(host: u8) -> [IpAddr; 4] {
    let last = host as u16;
    [
        IpAddr::V4(Ipv4Addr::new(10, 77, 0, host)),
        IpAddr::V4(Ipv4Addr::new(10, 77, 1, host)),
        IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, last)),
        IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 1, 0, 0, 0, last)),
    ]
}

/// The UDP port of the peer's kernel, `net.sctp.udp_port`.
pub(super) const UDP_PORT: u16 = 9899;

/// The first of our interfaces, which joins the first of each list of addresses.
pub(super) const OUR_INTERFACE: &str = "ours0";

/// Its other end.
pub(super) const PEER_INTERFACE: &str = "theirs0";

/// The network namespace of the peer, which that other end is in.
pub(super) const PEER_NAMESPACE: &str = "peer";

/// Whether this process runs inside.
pub(super) fn is_inside() -> bool {
    std::env::var_os("CONFORMANCE_VM").is_some()
}
