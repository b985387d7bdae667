//! The names of hosts, and their ports.

use rserpool_core::base::{SctpPort, UdpPort};

/// The name of a host: its number in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub usize);

/// The UDP port of every host.
pub const UDP_PORT: UdpPort = UdpPort(9899);

/// The SCTP port of the elements.
pub(crate) const ELEMENT_PORT: SctpPort = SctpPort(7);
