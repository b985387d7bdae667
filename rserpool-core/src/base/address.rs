//! Where a peer can be reached: with SCTP over UDP, or with TCP.

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

/// The UDP port of SCTP encapsulation (RFC 6951 section 5.1).
pub const DEFAULT_ENCAPSULATION_PORT: u16 = 9899;

/// The port of ASAP, of SCTP and of TCP alike (RFC 5352 section 8.2).
pub const ASAP_PORT: u16 = 3863;

/// The SCTP port of ENRP (RFC 5353 section 5.2).
pub const ENRP_PORT: u16 = 9901;

/// How many addresses of one endpoint are kept. A list of addresses comes from the network and must not take
/// memory without a bound; hosts with more than eight addresses are rare, and each is only another way to
/// the same endpoint.
pub const MAX_KEPT_ADDRESSES: usize = 8;

/// How many addresses of one endpoint a transport tries in order to connect. A stranger that registers or
/// announces addresses must not be able to make many packets out of one, and an endpoint that answers at none
/// of three addresses is taken to be unreachable.
pub const MAX_TRIED_ADDRESSES: usize = 3;

/// Whether a packet can be sent to this address: it is neither unspecified nor multicast.
pub const fn is_usable_address(address: &IpAddr) -> bool {
    !address.is_unspecified() && !address.is_multicast()
}

/// What carries messages to a transport address, and over an association.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Carrier {
    /// SCTP over UDP (RFC 6951).
    #[default]
    Sctp,
    /// TCP: only between users and registrars (RFC 5352 section 2.1).
    Tcp,
}

/// A transport address: the IP addresses of one endpoint, its port, and what carries messages there.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransportAddress {
    /// The addresses, in the order of preference; all of them are the same endpoint.
    pub addresses: Vec<IpAddr>,
    /// The SCTP or TCP port.
    pub port: u16,
    /// The UDP port under which SCTP packets are encapsulated (RFC 6951); 0 for TCP.
    pub udp_port: u16,
    /// What carries messages.
    pub carrier: Carrier,
}

impl TransportAddress {
    /// An SCTP endpoint with a single address.
    pub fn new(address: IpAddr, port: u16, udp_port: u16) -> Self {
        Self::sctp(alloc::vec![address], port, udp_port)
    }

    /// An SCTP endpoint.
    pub const fn sctp(addresses: Vec<IpAddr>, port: u16, udp_port: u16) -> Self {
        Self { addresses, port, udp_port, carrier: Carrier::Sctp }
    }

    /// A TCP endpoint.
    pub const fn tcp(addresses: Vec<IpAddr>, port: u16) -> Self {
        Self { addresses, port, udp_port: 0, carrier: Carrier::Tcp }
    }

    /// Whether TCP leads there.
    pub const fn is_tcp(&self) -> bool {
        matches!(self.carrier, Carrier::Tcp)
    }

    /// Whether somebody can be reached there at all: there is an address, and every port it takes.
    pub const fn is_complete(&self) -> bool {
        !self.addresses.is_empty() && self.port != 0 && (self.is_tcp() || self.udp_port != 0)
    }

    /// Whether both are the same endpoint, although one may list more of its addresses: the same
    /// carrier and ports, and an address in common.
    pub fn is_same_endpoint(&self, other: &Self) -> bool {
        let same_ports = self.port == other.port && self.udp_port == other.udp_port;
        let same_carrier = self.carrier == other.carrier;
        same_carrier && same_ports && self.addresses.iter().any(|address| other.addresses.contains(address))
    }
}

impl fmt::Display for TransportAddress {
    /// `127.0.0.1:20001/3863`: addresses and UDP port as one types them, then the SCTP port; or
    /// `tcp:127.0.0.1:3863`, with the TCP port.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_tcp() {
            f.write_str("tcp:")?;
        }
        for (i, address) in self.addresses.iter().enumerate() {
            let separator = if i == 0 { "" } else { "," };
            match address {
                IpAddr::V4(a) => write!(f, "{separator}{a}")?,
                IpAddr::V6(a) => write!(f, "{separator}[{a}]")?,
            }
        }
        match self.carrier {
            Carrier::Sctp => write!(f, ":{}/{}", self.udp_port, self.port),
            Carrier::Tcp => write!(f, ":{}", self.port),
        }
    }
}

impl fmt::Debug for TransportAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_port_of_tcp_is_another_endpoint_than_the_same_port_of_sctp() {
        let address: IpAddr = [192, 0, 2, 1].into();
        let (sctp, tcp) =
            (TransportAddress::new(address, 3863, 9899), TransportAddress::tcp(alloc::vec![address], 3863));
        assert_eq!(
            (sctp.to_string().as_str(), tcp.to_string().as_str()),
            ("192.0.2.1:9899/3863", "tcp:192.0.2.1:3863")
        );
        assert!(
            !tcp.is_same_endpoint(&sctp)
                && !tcp.is_same_endpoint(&TransportAddress { udp_port: 0, ..sctp.clone() })
        );
        assert!(
            tcp.is_same_endpoint(&TransportAddress::tcp(alloc::vec![[192, 0, 2, 9].into(), address], 3863))
        );
        assert!(
            tcp.is_complete()
                && sctp.is_complete()
                && !TransportAddress { udp_port: 0, ..sctp }.is_complete()
        );
    }
}
