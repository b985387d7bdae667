//! Where an element or a registrar can be reached, by what it states about itself.
//!
//! This is the one answer for every role: a user that wants to be served, a registrar that asks an
//! element whether it lives, and registrars that look for each other.

use alloc::vec;
use alloc::vec::Vec;

use crate::base::{
    DEFAULT_ENCAPSULATION_PORT, MAX_KEPT_ADDRESSES, RegistrarId, SctpAddress, SctpPort, TcpAddress,
    TransportAddress, UdpPort, is_usable_address,
};

use super::{EncapsulationPorts, PoolElement, SctpTransport, ServerInformation, Transport, TransportUse};

impl EncapsulationPorts {
    /// The UDP port of the user transport or of the server's transport, if one is stated.
    pub fn user_port(self) -> Option<UdpPort> {
        (self.user != 0).then_some(UdpPort(self.user))
    }

    /// The UDP port of the ASAP transport, if one is stated.
    pub fn asap_port(self) -> Option<UdpPort> {
        (self.asap != 0).then_some(UdpPort(self.asap))
    }
}

impl PoolElement {
    /// Where the element serves its users. `None` if that is not SCTP, or if the port or every address is
    /// missing. The addresses are those listed, usable or not: the transport leaves out those to which
    /// nothing can be sent.
    pub fn user_address(&self) -> Option<SctpAddress> {
        match &self.user_transport {
            Transport::Sctp(sctp) => {
                sctp.reached_by(self.encapsulation.and_then(EncapsulationPorts::user_port))
            }
            _ => None,
        }
    }

    /// Where users connect to for a session: by SCTP, or by TCP for data only. `None` for other transports, or if a
    /// port or every address is missing.
    pub fn session_address(&self) -> Option<TransportAddress> {
        match &self.user_transport {
            Transport::Tcp { port, address, .. } if *port != 0 => {
                Some(TransportAddress::Octets(TcpAddress::new(vec![*address], *port)))
            }
            _ => self.user_address().map(TransportAddress::Sctp),
        }
    }

    /// Where the element speaks ASAP: at its ASAP transport, or where it serves its users. `None` under the
    /// same conditions as [`PoolElement::user_address`].
    pub fn asap_address(&self) -> Option<SctpAddress> {
        match &self.asap_transport {
            Some(sctp) => sctp.reached_by(self.encapsulation.and_then(EncapsulationPorts::asap_port)),
            None => self.user_address(),
        }
    }
}

impl ServerInformation {
    /// The description of the registrar that speaks ENRP at `address`.
    pub fn at(id: RegistrarId, address: &SctpAddress) -> Self {
        let ports = EncapsulationPorts { user: address.udp_port.0, asap: 0 };
        Self {
            id,
            transport: SctpTransport {
                port: address.port.0,
                usage: TransportUse::DataOnly,
                addresses: address.addresses.as_slice().into(),
            },
            encapsulation: address.udp_port.is_set().then_some(ports),
        }
    }

    /// Where the registrar speaks ENRP: its usable addresses, at most [`MAX_KEPT_ADDRESSES`]. `None` if
    /// there is no such address, or no port.
    ///
    /// The UDP port is the one stated; otherwise the one from which packets of the same endpoint were
    /// `seen` to come; otherwise 9899.
    pub fn address(&self, seen: Option<&SctpAddress>) -> Option<SctpAddress> {
        let usable = self.transport.addresses.iter().copied().filter(is_usable_address);
        let addresses: Vec<_> = usable.take(MAX_KEPT_ADDRESSES).collect();
        if addresses.is_empty() || self.transport.port == 0 {
            return None;
        }
        let seen_here = seen.filter(|seen| {
            seen.port.0 == self.transport.port && seen.addresses.iter().any(|ip| addresses.contains(ip))
        });
        let udp_port = self
            .encapsulation
            .and_then(EncapsulationPorts::user_port)
            .or_else(|| seen_here.map(|seen| seen.udp_port))
            .unwrap_or(DEFAULT_ENCAPSULATION_PORT);
        Some(SctpAddress::multihomed(addresses, SctpPort(self.transport.port), udp_port))
    }
}

impl SctpTransport {
    /// The endpoint behind this UDP port, 9899 if none is stated; `None` without an SCTP port or an
    /// address.
    fn reached_by(&self, udp_port: Option<UdpPort>) -> Option<SctpAddress> {
        let udp_port = udp_port.unwrap_or(DEFAULT_ENCAPSULATION_PORT);
        let complete = self.port != 0 && !self.addresses.is_empty();
        complete.then(|| SctpAddress::multihomed(self.addresses.to_vec(), SctpPort(self.port), udp_port))
    }
}
