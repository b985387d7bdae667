//! Where a peer can be reached: with SCTP over UDP, or with TCP.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

/// Defines a port number that is shown as its decimal digits.
macro_rules! port {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub u16);

        impl $name {
            /// Whether it names a port: 0 means "none" or "any", depending on the place.
            pub const fn is_set(self) -> bool {
                self.0 != 0
            }
        }

        impl From<u16> for $name {
            fn from(port: u16) -> Self {
                Self(port)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

port! {
    /// A port of SCTP: it tells the endpoints behind one UDP port apart.
    SctpPort
}

port! {
    /// A port of UDP, in which the packets of SCTP are encapsulated (RFC 6951).
    UdpPort
}

/// The UDP port of SCTP encapsulation (RFC 6951 section 5.1).
pub const DEFAULT_ENCAPSULATION_PORT: UdpPort = UdpPort(9899);

/// The SCTP port of ASAP (RFC 5352 section 8.2).
pub const ASAP_PORT: SctpPort = SctpPort(3863);

/// The TCP port of ASAP (RFC 5352 section 8.2).
pub const ASAP_TCP_PORT: u16 = 3863;

/// The SCTP port of ENRP (RFC 5353 section 5.2).
pub const ENRP_PORT: SctpPort = SctpPort(9901);

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

/// An endpoint of SCTP over UDP.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SctpAddress {
    /// The addresses, in the order of preference; all of them are the same endpoint.
    pub addresses: Vec<IpAddr>,
    /// The SCTP port.
    pub port: SctpPort,
    /// The UDP port under which SCTP packets are encapsulated (RFC 6951).
    pub udp_port: UdpPort,
}

impl SctpAddress {
    /// An endpoint with a single address.
    pub fn new(address: IpAddr, port: SctpPort, udp_port: UdpPort) -> Self {
        Self { addresses: vec![address], port, udp_port }
    }

    /// An endpoint with any number of addresses.
    pub const fn multihomed(addresses: Vec<IpAddr>, port: SctpPort, udp_port: UdpPort) -> Self {
        Self { addresses, port, udp_port }
    }

    /// Whether a peer can be reached there at all: there is an address, and both ports.
    pub const fn is_complete(&self) -> bool {
        !self.addresses.is_empty() && self.port.is_set() && self.udp_port.is_set()
    }

    /// Where packets to the endpoint go, for each of its addresses.
    pub fn sockets(&self) -> impl Iterator<Item = SocketAddr> {
        self.addresses.iter().map(|address| SocketAddr::new(*address, self.udp_port.0))
    }

    /// Whether both are the same endpoint, although one may list more of its addresses: the same
    /// ports, and an address in common.
    pub fn is_same_endpoint(&self, other: &Self) -> bool {
        let same_ports = self.port == other.port && self.udp_port == other.udp_port;
        same_ports && share_an_address(&self.addresses, &other.addresses)
    }
}

/// An endpoint of TCP: registrars have one for their users (RFC 5352 section 2.1), and elements may serve their users
/// with one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TcpAddress {
    /// The addresses, in the order of preference; all of them are the same endpoint.
    pub addresses: Vec<IpAddr>,
    /// The TCP port.
    pub port: u16,
}

impl TcpAddress {
    /// An endpoint with any number of addresses.
    pub const fn new(addresses: Vec<IpAddr>, port: u16) -> Self {
        Self { addresses, port }
    }

    /// Whether a peer can be reached there at all: there is an address and a port.
    pub const fn is_complete(&self) -> bool {
        !self.addresses.is_empty() && self.port != 0
    }

    /// Where connections to the endpoint go, for each of its addresses.
    pub fn sockets(&self) -> impl Iterator<Item = SocketAddr> {
        self.addresses.iter().map(|address| SocketAddr::new(*address, self.port))
    }

    /// Whether both are the same endpoint, although one may list more of its addresses: the same
    /// port, and an address in common.
    pub fn is_same_endpoint(&self, other: &Self) -> bool {
        self.port == other.port && share_an_address(&self.addresses, &other.addresses)
    }
}

fn share_an_address(some: &[IpAddr], others: &[IpAddr]) -> bool {
    some.iter().any(|address| others.contains(address))
}

/// A transport address: the addresses and ports of one endpoint, by what carries messages there.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportAddress {
    /// SCTP over UDP (RFC 6951).
    Sctp(SctpAddress),
    /// TCP: only between users and registrars (RFC 5352 section 2.1).
    Tcp(TcpAddress),
    /// TCP between a user and an element: the octets of the application, and nothing else (RFC 5354 section 3.4, data
    /// only).
    Octets(TcpAddress),
}

impl TransportAddress {
    /// An endpoint of SCTP.
    pub const fn sctp(addresses: Vec<IpAddr>, port: SctpPort, udp_port: UdpPort) -> Self {
        Self::Sctp(SctpAddress::multihomed(addresses, port, udp_port))
    }

    /// An endpoint of TCP.
    pub const fn tcp(addresses: Vec<IpAddr>, port: u16) -> Self {
        Self::Tcp(TcpAddress::new(addresses, port))
    }

    /// What carries messages there.
    pub const fn carrier(&self) -> Carrier {
        match self {
            Self::Sctp(_) => Carrier::Sctp,
            Self::Tcp(_) | Self::Octets(_) => Carrier::Tcp,
        }
    }

    /// The addresses, in the order of preference.
    pub fn addresses(&self) -> &[IpAddr] {
        match self {
            Self::Sctp(sctp) => &sctp.addresses,
            Self::Tcp(tcp) | Self::Octets(tcp) => &tcp.addresses,
        }
    }

    /// Where packets or connections to the endpoint go, for each of its addresses.
    pub fn sockets(&self) -> impl Iterator<Item = SocketAddr> {
        let port = match self {
            Self::Sctp(sctp) => sctp.udp_port.0,
            Self::Tcp(tcp) | Self::Octets(tcp) => tcp.port,
        };
        self.addresses().iter().map(move |address| SocketAddr::new(*address, port))
    }

    /// The address of SCTP, if it is one.
    pub const fn as_sctp(&self) -> Option<&SctpAddress> {
        match self {
            Self::Sctp(sctp) => Some(sctp),
            Self::Tcp(_) | Self::Octets(_) => None,
        }
    }

    /// The address of TCP, if it is one.
    pub const fn as_tcp(&self) -> Option<&TcpAddress> {
        match self {
            Self::Sctp(_) => None,
            Self::Tcp(tcp) | Self::Octets(tcp) => Some(tcp),
        }
    }

    /// Whether TCP leads there.
    pub const fn is_tcp(&self) -> bool {
        matches!(self, Self::Tcp(_) | Self::Octets(_))
    }

    /// Whether a peer can be reached there at all: there is an address, and every port it takes.
    pub const fn is_complete(&self) -> bool {
        match self {
            Self::Sctp(sctp) => sctp.is_complete(),
            Self::Tcp(tcp) | Self::Octets(tcp) => tcp.is_complete(),
        }
    }

    /// Whether both are the same endpoint, although one may list more of its addresses: the same
    /// carrier and ports, and an address in common.
    pub fn is_same_endpoint(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Sctp(one), Self::Sctp(other)) => one.is_same_endpoint(other),
            (Self::Tcp(one), Self::Tcp(other)) | (Self::Octets(one), Self::Octets(other)) => {
                one.is_same_endpoint(other)
            }
            _ => false,
        }
    }

    /// What the order is made of.
    fn key(&self) -> (&[IpAddr], u16, UdpPort, u8) {
        match self {
            Self::Sctp(sctp) => (&sctp.addresses, sctp.port.0, sctp.udp_port, 0),
            Self::Tcp(tcp) => (&tcp.addresses, tcp.port, UdpPort(0), 1),
            Self::Octets(tcp) => (&tcp.addresses, tcp.port, UdpPort(0), 2),
        }
    }
}

impl From<SctpAddress> for TransportAddress {
    fn from(address: SctpAddress) -> Self {
        Self::Sctp(address)
    }
}

impl From<TcpAddress> for TransportAddress {
    fn from(address: TcpAddress) -> Self {
        Self::Tcp(address)
    }
}

/// By IP addresses first, so that all endpoints of one host are neighbours, whatever carries messages there.
impl Ord for TransportAddress {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for TransportAddress {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Writes addresses with commas between them, those of IPv6 in brackets.
fn write_addresses(f: &mut fmt::Formatter<'_>, addresses: &[IpAddr]) -> fmt::Result {
    for (i, address) in addresses.iter().enumerate() {
        let separator = if i == 0 { "" } else { "," };
        match address {
            IpAddr::V4(a) => write!(f, "{separator}{a}")?,
            IpAddr::V6(a) => write!(f, "{separator}[{a}]")?,
        }
    }
    Ok(())
}

impl fmt::Display for SctpAddress {
    /// `127.0.0.1:20001/3863`: addresses and UDP port as one types them, then the SCTP port.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_addresses(f, &self.addresses)?;
        write!(f, ":{}/{}", self.udp_port, self.port)
    }
}

impl fmt::Display for TcpAddress {
    /// `tcp:127.0.0.1:3863`, with the TCP port.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tcp:")?;
        write_addresses(f, &self.addresses)?;
        write!(f, ":{}", self.port)
    }
}

impl fmt::Display for TransportAddress {
    /// As [`SctpAddress`] or [`TcpAddress`] shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sctp(sctp) => sctp.fmt(f),
            Self::Tcp(tcp) | Self::Octets(tcp) => tcp.fmt(f),
        }
    }
}

impl fmt::Debug for SctpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for TcpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
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
        let at = |udp_port| TransportAddress::sctp(vec![address], SctpPort(3863), UdpPort(udp_port));
        let (sctp, tcp) = (at(9899), TransportAddress::tcp(vec![address], 3863));
        assert_eq!(
            (sctp.to_string().as_str(), tcp.to_string().as_str()),
            ("192.0.2.1:9899/3863", "tcp:192.0.2.1:3863")
        );
        assert!(!tcp.is_same_endpoint(&sctp) && !tcp.is_same_endpoint(&at(0)));
        assert!(tcp.is_same_endpoint(&TransportAddress::tcp(vec![[192, 0, 2, 9].into(), address], 3863)));
        assert!(tcp.is_complete() && sctp.is_complete() && !at(0).is_complete());
    }

    /// Elements and users try registrars in this order.
    #[test]
    fn endpoints_are_in_the_order_of_their_ip_addresses() {
        let [a, b]: [IpAddr; 2] = [[192, 0, 2, 1].into(), [192, 0, 2, 2].into()];
        let sctp = |ip| TransportAddress::sctp(vec![ip], ASAP_PORT, DEFAULT_ENCAPSULATION_PORT);
        let tcp = |ip| TransportAddress::tcp(vec![ip], ASAP_TCP_PORT);
        let mut places = [sctp(b), sctp(a), tcp(b), tcp(a)];
        places.sort();
        assert_eq!(places, [tcp(a), sctp(a), tcp(b), sctp(b)]);
    }
}
