//! Where a peer can be reached with SCTP over UDP.

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

/// The UDP port of SCTP encapsulation (RFC 6951 section 5.1).
pub const DEFAULT_ENCAPSULATION_PORT: u16 = 9899;

/// The SCTP port of ASAP (RFC 5352 section 8.2).
pub const ASAP_PORT: u16 = 3863;

/// The SCTP port of ENRP (RFC 5353 section 5.2).
pub const ENRP_PORT: u16 = 9901;

/// A transport address: the IP addresses of one SCTP endpoint, its SCTP port, and the UDP port
/// under which its packets are encapsulated (RFC 6951).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransportAddress {
    /// The addresses, in the order of preference; all of them are the same endpoint.
    pub addresses: Vec<IpAddr>,
    /// The SCTP port.
    pub port: u16,
    /// The UDP port.
    pub udp_port: u16,
}

impl TransportAddress {
    /// An endpoint with a single address.
    pub fn new(address: IpAddr, port: u16, udp_port: u16) -> Self {
        Self { addresses: alloc::vec![address], port, udp_port }
    }

    /// Whether both are the same endpoint, although one may list more of its addresses: the same
    /// ports, and an address in common.
    pub fn is_same_endpoint(&self, other: &Self) -> bool {
        let same_ports = self.port == other.port && self.udp_port == other.udp_port;
        same_ports && self.addresses.iter().any(|address| other.addresses.contains(address))
    }
}

impl fmt::Display for TransportAddress {
    /// `127.0.0.1:20001/3863`: addresses and UDP port as one types them, then the SCTP port.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, address) in self.addresses.iter().enumerate() {
            let separator = if i == 0 { "" } else { "," };
            match address {
                IpAddr::V4(a) => write!(f, "{separator}{a}")?,
                IpAddr::V6(a) => write!(f, "{separator}[{a}]")?,
            }
        }
        write!(f, ":{}/{}", self.udp_port, self.port)
    }
}

impl fmt::Debug for TransportAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
