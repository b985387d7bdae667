//! Transport parameters (RFC 5354 sections 3.3 to 3.7 and 3.16).

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;

use super::reader::{Fault, Reader, Tlv};
use super::writer::Writer;
use super::{Addresses, EncodeError, ParameterType};

/// What a transport is used for (RFC 5354 section 3.4). Non-exhaustive: a field of 16 bits, of which two values
/// are defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum TransportUse {
    /// 0x0000: application data only.
    DataOnly,
    /// 0x0001: application data and ASAP control messages.
    DataPlusControl,
}

/// The SCTP Transport parameter (0x4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct SctpTransport {
    /// The SCTP port; nothing is reached at 0.
    pub port: u16,
    /// Whether users may send ASAP messages there.
    pub usage: TransportUse,
    /// At least one address; a transport without one cannot be encoded.
    pub addresses: Addresses,
}

/// Where and how an element serves its users (RFC 5354 sections 3.3 to 3.7 and 3.16). Non-exhaustive: each
/// transport has a parameter type of its own, and types are not used up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum Transport {
    /// SCTP (0x4).
    Sctp(SctpTransport),
    /// TCP (0x5): data only.
    Tcp {
        /// The port of this protocol.
        port: u16,
        /// The second half-word: reserved in the RFC, Transport Use in RSPLIB (reading A9). Elements send 0,
        /// receivers ignore it, and registrars pass it on unchanged.
        reserved: u16,
        /// The only address.
        address: IpAddr,
    },
    /// UDP (0x6): data only.
    Udp {
        /// The port of this protocol.
        port: u16,
        /// Reserved, passed on unchanged.
        reserved: u16,
        /// The only address.
        address: IpAddr,
    },
    /// UDP-Lite (0x7): data only.
    UdpLite {
        /// The port of this protocol.
        port: u16,
        /// Reserved, passed on unchanged.
        reserved: u16,
        /// The only address.
        address: IpAddr,
    },
    /// DCCP (0x3): data only.
    Dccp {
        /// The port of this protocol.
        port: u16,
        /// Reserved, passed on unchanged.
        reserved: u16,
        /// The DCCP service code (RFC 4340 section 8.1.2).
        service_code: u32,
        /// The only address.
        address: IpAddr,
    },
    /// Anything else (0x10): only the application knows what it means.
    Opaque(#[cfg_attr(feature = "arbitrary", arbitrary(with = super::generate::octets))] Bytes),
}

/// The type of a transport, by which the elements of a pool must agree (RFC 5352 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TransportKind {
    /// SCTP.
    Sctp,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// UDP-Lite.
    UdpLite,
    /// DCCP.
    Dccp,
    /// A transport that only the application understands.
    Opaque,
}

impl Transport {
    /// The type of this transport.
    pub const fn kind(&self) -> TransportKind {
        match self {
            Self::Sctp(_) => TransportKind::Sctp,
            Self::Tcp { .. } => TransportKind::Tcp,
            Self::Udp { .. } => TransportKind::Udp,
            Self::UdpLite { .. } => TransportKind::UdpLite,
            Self::Dccp { .. } => TransportKind::Dccp,
            Self::Opaque(_) => TransportKind::Opaque,
        }
    }

    /// Removes the addresses that do not `hold`. If none holds, changes nothing and returns false. An opaque
    /// transport has no addresses to be checked.
    pub(crate) fn keep_addresses(&mut self, hold: impl Fn(IpAddr) -> bool) -> bool {
        match self {
            Self::Sctp(sctp) => {
                let kept: Vec<IpAddr> = sctp.addresses.iter().copied().filter(|a| hold(*a)).collect();
                if !kept.is_empty() {
                    sctp.addresses = kept.as_slice().into();
                    return true;
                }
                false
            }
            Self::Tcp { address, .. }
            | Self::Udp { address, .. }
            | Self::UdpLite { address, .. }
            | Self::Dccp { address, .. } => hold(*address),
            Self::Opaque(_) => true,
        }
    }

    /// The port, at which nothing is reached if it is 0; `None` if only the application knows what it means.
    pub const fn port(&self) -> Option<u16> {
        match self {
            Self::Sctp(sctp) => Some(sctp.port),
            Self::Tcp { port, .. }
            | Self::Udp { port, .. }
            | Self::UdpLite { port, .. }
            | Self::Dccp { port, .. } => Some(*port),
            Self::Opaque(_) => None,
        }
    }

    /// Whether users may send ASAP messages there: only with SCTP.
    pub const fn usage(&self) -> TransportUse {
        match self {
            Self::Sctp(sctp) => sctp.usage,
            _ => TransportUse::DataOnly,
        }
    }
}

impl SctpTransport {
    /// Reads the parameter, which may contain only addresses.
    pub(super) fn read(reader: &mut Reader<'_>, tlv: &Tlv) -> Result<Self, Fault> {
        let mut inner = reader.enter(tlv);
        let port = inner.u16("SCTP port")?;
        let usage = match inner.u16("Transport Use")? {
            0 => TransportUse::DataOnly,
            1 => TransportUse::DataPlusControl,
            _ => return Err(inner.bad_value("Transport Use")),
        };
        let Some(first) = take_address(&mut inner)? else {
            inner.end_of_parameters()?;
            return Err(inner.missing("IP address"));
        };
        let addresses = match take_address(&mut inner)? {
            None => first.into(),
            Some(second) => {
                let mut addresses = alloc::vec![first, second];
                while let Some(address) = take_address(&mut inner)? {
                    addresses.push(address);
                }
                addresses.into()
            }
        };
        inner.end_of_parameters()?;
        Ok(Self { port, usage, addresses })
    }

    /// Reads the whole parameter in one step if it has a single IPv4 address.
    pub(super) fn plain(octets: &[u8; 16]) -> Option<Self> {
        let [0, 4, 0, 16, port @ .., 0, usage, 0, 1, 0, 8, a, b, c, d] = *octets else { return None };
        let usage = match usage {
            0 => TransportUse::DataOnly,
            1 => TransportUse::DataPlusControl,
            _ => return None,
        };
        let address = IpAddr::V4(Ipv4Addr::new(a, b, c, d));
        Some(Self { port: u16::from_be_bytes(port), usage, addresses: address.into() })
    }

    pub(super) fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        if self.addresses.is_empty() {
            return Err(EncodeError::Missing("IP address"));
        }
        writer.parameter(ParameterType::SCTP_TRANSPORT, |w| {
            let usage = match self.usage {
                TransportUse::DataOnly => 0,
                TransportUse::DataPlusControl => 1,
            };
            let [a, b] = self.port.to_be_bytes();
            w.octets(&[a, b, 0, usage]);
            self.addresses.iter().try_for_each(|address| write_address(w, address))
        })
    }
}

impl Transport {
    /// Reads the parameter, which is one of the six kinds of transport.
    pub(super) fn read(reader: &mut Reader<'_>, tlv: &Tlv) -> Result<Self, Fault> {
        if tlv.kind() == ParameterType::SCTP_TRANSPORT {
            return SctpTransport::read(reader, tlv).map(Self::Sctp);
        }
        let mut inner = reader.enter(tlv);
        if tlv.kind() == ParameterType::OPAQUE_TRANSPORT {
            return Ok(Self::Opaque(inner.rest()));
        }
        let port = inner.u16("port")?;
        let reserved = inner.u16("reserved field")?;
        let is_dccp = tlv.kind() == ParameterType::DCCP_TRANSPORT;
        let service_code = if is_dccp { inner.u32("DCCP service code")? } else { 0 };
        let Some(address) = take_address(&mut inner)? else {
            return Err(inner.missing("IP address"));
        };
        if take_address(&mut inner)?.is_some() {
            return Err(inner.bad_value("second IP address"));
        }
        inner.end_of_parameters()?;
        match tlv.kind() {
            ParameterType::TCP_TRANSPORT => Ok(Self::Tcp { port, reserved, address }),
            ParameterType::UDP_TRANSPORT => Ok(Self::Udp { port, reserved, address }),
            ParameterType::UDP_LITE_TRANSPORT => Ok(Self::UdpLite { port, reserved, address }),
            ParameterType::DCCP_TRANSPORT => Ok(Self::Dccp { port, reserved, service_code, address }),
            _ => Err(inner.bad_value("transport")),
        }
    }

    pub(super) fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        let (kind, port, reserved, address) = match self {
            Self::Sctp(sctp) => return sctp.write(writer),
            Self::Opaque(data) => {
                return writer.parameter(ParameterType::OPAQUE_TRANSPORT, |w| {
                    w.octets(data);
                    Ok(())
                });
            }
            Self::Tcp { port, reserved, address } => (ParameterType::TCP_TRANSPORT, port, reserved, address),
            Self::Udp { port, reserved, address } => (ParameterType::UDP_TRANSPORT, port, reserved, address),
            Self::UdpLite { port, reserved, address } => {
                (ParameterType::UDP_LITE_TRANSPORT, port, reserved, address)
            }
            Self::Dccp { port, reserved, address, .. } => {
                (ParameterType::DCCP_TRANSPORT, port, reserved, address)
            }
        };
        writer.parameter(kind, |w| {
            w.u16(*port);
            w.u16(*reserved);
            if let Self::Dccp { service_code, .. } = self {
                w.u32(*service_code);
            }
            write_address(w, address)
        })
    }
}

/// The next parameter, if it is an address (RFC 5354 sections 3.1 and 3.2).
fn take_address(reader: &mut Reader<'_>) -> Result<Option<IpAddr>, Fault> {
    let is_address = |kind| matches!(kind, ParameterType::IPV4_ADDRESS | ParameterType::IPV6_ADDRESS);
    let Some(tlv) = reader.take_if(is_address)? else {
        return Ok(None);
    };
    let mut inner = reader.enter(&tlv);
    let address = match tlv.kind() {
        ParameterType::IPV4_ADDRESS => IpAddr::from(inner.octets::<4>("IPv4 address")?),
        _ => IpAddr::from(inner.octets::<16>("IPv6 address")?),
    };
    inner.end_of_fields("IP address")?;
    Ok(Some(address))
}

fn write_address(writer: &mut Writer, address: &IpAddr) -> Result<(), EncodeError> {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            // Addresses are multiples of four octets, so no padding is needed before this one.
            writer.octets(&[0, 1, 0, 8, a, b, c, d]);
            Ok(())
        }
        IpAddr::V6(address) => writer.parameter(ParameterType::IPV6_ADDRESS, |w| {
            w.octets(&address.octets());
            Ok(())
        }),
    }
}
