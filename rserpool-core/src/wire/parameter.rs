//! The parameters of RFC 5354 that are made of other parameters, and our encapsulation port.

use alloc::vec::Vec;
use core::time::Duration;

use super::code_point::code_points;
use super::reader::{Fault, Reader, Tlv};
use super::writer::Writer;
use super::{EncodeError, Policy, SctpTransport, Transport};
use crate::base::{ElementId, PoolHandle, RegistrarId};

/// The type of a parameter, known or not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParameterType(pub u16);

code_points!(ParameterType, "{:#06x}", {
    IPV4_ADDRESS = 0x1 => "IPv4 Address",
    IPV6_ADDRESS = 0x2 => "IPv6 Address",
    DCCP_TRANSPORT = 0x3 => "DCCP Transport",
    SCTP_TRANSPORT = 0x4 => "SCTP Transport",
    TCP_TRANSPORT = 0x5 => "TCP Transport",
    UDP_TRANSPORT = 0x6 => "UDP Transport",
    UDP_LITE_TRANSPORT = 0x7 => "UDP-Lite Transport",
    POLICY = 0x8 => "Pool Member Selection Policy",
    POOL_HANDLE = 0x9 => "Pool Handle",
    POOL_ELEMENT = 0xa => "Pool Element",
    SERVER_INFORMATION = 0xb => "Server Information",
    OPERATION_ERROR = 0xc => "Operation Error",
    COOKIE = 0xd => "Cookie",
    PE_IDENTIFIER = 0xe => "PE Identifier",
    PE_CHECKSUM = 0xf => "PE Checksum",
    OPAQUE_TRANSPORT = 0x10 => "Opaque Transport",
    HANDLE_RESOLUTION = 0x803f => "Handle Resolution",
    ENCAPSULATION_PORTS = 0xa6ab => "Encapsulation Ports",
});

impl ParameterType {
    /// Whether RFC 5354 defines it, so that every receiver knows it.
    pub(super) const fn is_standard(self) -> bool {
        matches!(self.0, 0x1..=0x10)
    }

    /// Whether it is one of the six transports.
    pub(super) const fn is_transport(self) -> bool {
        matches!(self.0, 0x3..=0x7 | 0x10)
    }
}

/// How long a registration lives (RFC 5354 section 3.10): seconds, -1 for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct RegistrationLife(pub i32);

impl RegistrationLife {
    /// The registration never expires.
    pub const INFINITE: Self = Self(-1);

    /// The life as a duration; `None` if it is infinite. The RFC does not define other negative values, which
    /// count as zero.
    pub fn duration(self) -> Option<Duration> {
        (self != Self::INFINITE).then(|| Duration::from_secs(u64::try_from(self.0).unwrap_or(0)))
    }
}

/// The unit of a registration life on the wire (reading B7).
///
/// RSPLIB counts milliseconds. Its registrars remove elements that a peer lists with a life in seconds a
/// thousand times too early, so everything in a scope with such a registrar has to use milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LifeUnit {
    /// As in RFC 5354 section 3.10.
    #[default]
    Seconds,
    /// As in RSPLIB.
    Milliseconds,
}

impl LifeUnit {
    /// A life in seconds, converted for a message. If the number is too large, it is the largest.
    pub const fn on_wire(self, life: RegistrationLife) -> RegistrationLife {
        match self {
            Self::Milliseconds if life.0 > 0 => RegistrationLife(life.0.saturating_mul(1000)),
            _ => life,
        }
    }

    /// The duration of a life from a message; `None` if it is infinite.
    pub fn duration(self, life: RegistrationLife) -> Option<Duration> {
        let seconds = life.duration()?;
        Some(match self {
            Self::Seconds => seconds,
            Self::Milliseconds => seconds / 1000,
        })
    }
}

/// A private parameter (0xa6ab): the UDP ports under which SCTP is encapsulated.
///
/// The top bits of its type ask others to skip it silently. It is the last parameter in Pool Element, in
/// Server Information and in ASAP_SERVER_ANNOUNCE. It is never inside a transport, where RSPLIB would abort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct EncapsulationPorts {
    /// The UDP port of the user transport, or of the server's transport; 0 if not stated.
    pub user: u16,
    /// The UDP port of the ASAP transport; 0 if not stated.
    pub asap: u16,
}

/// The Pool Element parameter (0xa, RFC 5354 section 3.10).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct PoolElement {
    /// The PE identifier, unique within the pool and not 0.
    pub id: ElementId,
    /// The home registrar; [`RegistrarId::NONE`] while there is none, or it is not known.
    pub home: RegistrarId,
    /// After what time the registration expires unless it is renewed.
    pub life: RegistrationLife,
    /// Where the element serves its users.
    pub user_transport: Transport,
    /// The policy of the pool, with the values of this element.
    pub policy: Policy,
    /// Where the element speaks ASAP with registrars. Its home registrar fills this in.
    pub asap_transport: Option<SctpTransport>,
    /// The UDP ports of both transports; `None` means 9899.
    pub encapsulation: Option<EncapsulationPorts>,
}

/// The Server Information parameter (0xb, RFC 5354 section 3.11).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct ServerInformation {
    /// The ENRP server identifier of the registrar.
    pub id: RegistrarId,
    /// Where it speaks ENRP.
    pub transport: SctpTransport,
    /// The UDP port of that transport, in `user`; `None` means 9899.
    pub encapsulation: Option<EncapsulationPorts>,
}

/// A pool in ENRP_HANDLE_TABLE_RESPONSE: its handle and some of its elements (RFC 5353 2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct PoolEntry {
    /// The handle of the pool.
    pub handle: PoolHandle,
    /// At least one element.
    #[cfg_attr(feature = "arbitrary", arbitrary(with = super::generate::some))]
    pub elements: Vec<PoolElement>,
}

impl EncapsulationPorts {
    /// Takes the parameter if it is there. Its number is private: a parameter of another length belongs to
    /// somebody else and is skipped, as its type asks.
    pub(super) fn take(reader: &mut Reader<'_>) -> Result<Option<Self>, Fault> {
        while let Some(tlv) = reader.take(ParameterType::ENCAPSULATION_PORTS)? {
            if tlv.end - tlv.at == Self::LENGTH {
                let mut inner = reader.enter(&tlv);
                return Ok(Some(Self { user: inner.u16("user port")?, asap: inner.u16("ASAP port")? }));
            }
        }
        Ok(None)
    }

    pub(super) fn write(self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.parameter(ParameterType::ENCAPSULATION_PORTS, |w| {
            w.u16(self.user);
            w.u16(self.asap);
            Ok(())
        })
    }

    const LENGTH: usize = 8;
}

impl PoolElement {
    /// Reads the parameter. The two transports are told apart by position (reading A11): the one before the
    /// policy is the user transport, the one after it the ASAP transport, which may be missing (A10).
    pub(super) fn read(reader: &mut Reader<'_>, tlv: &Tlv) -> Result<Self, Fault> {
        let inner = reader.enter(tlv);
        match Self::plain(inner.octets_left()) {
            Some(plain) => Ok(plain),
            None => Self::read_any(inner),
        }
    }

    /// Reads an element of any shape.
    pub(super) fn read_any(mut inner: Reader<'_>) -> Result<Self, Fault> {
        let id = ElementId(inner.u32("PE Identifier")?);
        let home = RegistrarId(inner.u32("Home ENRP Server Identifier")?);
        let life = RegistrationLife(inner.u32("Registration Life")?.cast_signed());
        let Some(user) = inner.take_if(ParameterType::is_transport)? else {
            return Err(inner.missing("User Transport"));
        };
        let user_transport = Transport::read(&mut inner, &user)?;
        if let Some(second) = inner.take_if(ParameterType::is_transport)? {
            return Err(inner.enter(&second).bad_value("second User Transport"));
        }
        let policy = inner.require(ParameterType::POLICY)?;
        let policy = Policy::read(&mut inner, &policy)?;
        let asap_transport = match inner.take_if(ParameterType::is_transport)? {
            Some(asap) if asap.kind() == ParameterType::SCTP_TRANSPORT => {
                Some(SctpTransport::read(&mut inner, &asap)?)
            }
            Some(asap) => return Err(inner.enter(&asap).bad_value("ASAP Transport")),
            None => None,
        };
        let encapsulation = EncapsulationPorts::take(&mut inner)?;
        inner.end_of_parameters()?;
        Ok(Self { id, home, life, user_transport, policy, asap_transport, encapsulation })
    }

    /// Reads in one step what nearly all elements are: SCTP transports with a single IPv4 address and a known
    /// policy, with nothing to report. `None` for everything else, correct or not.
    pub(super) fn plain(octets: &[u8]) -> Option<Self> {
        let (head, octets) = octets.split_first_chunk::<28>()?;
        let [a, b, c] = *head.first_chunk::<12>()?.as_chunks::<4>().0.first_chunk()?;
        let user_transport = Transport::Sctp(SctpTransport::plain(head.last_chunk()?)?);
        let (policy, octets) = Policy::plain(octets)?;
        let (asap_transport, octets) = match octets.split_first_chunk::<16>() {
            Some((transport, octets)) => (Some(SctpTransport::plain(transport)?), octets),
            None => (None, octets),
        };
        let encapsulation = match *octets {
            [] => None,
            [0xa6, 0xab, 0, 8, a, b, c, d] => Some(EncapsulationPorts {
                user: u16::from_be_bytes([a, b]),
                asap: u16::from_be_bytes([c, d]),
            }),
            _ => return None,
        };
        Some(Self {
            id: ElementId(u32::from_be_bytes(a)),
            home: RegistrarId(u32::from_be_bytes(b)),
            life: RegistrationLife(i32::from_be_bytes(c)),
            user_transport,
            policy,
            asap_transport,
            encapsulation,
        })
    }

    /// Takes all pool elements that follow.
    pub(super) fn take_all(reader: &mut Reader<'_>) -> Result<Vec<Self>, Fault> {
        let mut elements = Vec::new();
        while let Some(tlv) = reader.take(ParameterType::POOL_ELEMENT)? {
            elements.push(Self::read(reader, &tlv)?);
        }
        Ok(elements)
    }

    pub(super) fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.parameter(ParameterType::POOL_ELEMENT, |w| {
            let numbers = [self.id.0, self.home.0, self.life.0.cast_unsigned()];
            w.octets(numbers.map(u32::to_be_bytes).as_flattened());
            self.user_transport.write(w)?;
            self.policy.write(w)?;
            if let Some(transport) = &self.asap_transport {
                transport.write(w)?;
            }
            self.encapsulation.map_or(Ok(()), |ports| ports.write(w))
        })
    }
}

impl ServerInformation {
    pub(super) fn read(reader: &mut Reader<'_>, tlv: &Tlv) -> Result<Self, Fault> {
        let mut inner = reader.enter(tlv);
        let id = RegistrarId(inner.u32("Server ID")?);
        let Some(found) = inner.take_if(ParameterType::is_transport)? else {
            return Err(inner.missing("Server Transport"));
        };
        if found.kind() != ParameterType::SCTP_TRANSPORT {
            return Err(inner.enter(&found).bad_value("Server Transport"));
        }
        let transport = SctpTransport::read(&mut inner, &found)?;
        let encapsulation = EncapsulationPorts::take(&mut inner)?;
        inner.end_of_parameters()?;
        Ok(Self { id, transport, encapsulation })
    }

    pub(super) fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.parameter(ParameterType::SERVER_INFORMATION, |w| {
            w.u32(self.id.0);
            self.transport.write(w)?;
            self.encapsulation.map_or(Ok(()), |ports| ports.write(w))
        })
    }
}

/// Reads the Pool Handle parameter (0x9), which must follow.
pub(super) fn read_handle(reader: &mut Reader<'_>) -> Result<PoolHandle, Fault> {
    let tlv = reader.require(ParameterType::POOL_HANDLE)?;
    Ok(PoolHandle::new(reader.enter(&tlv).rest()))
}

pub(super) fn write_handle(writer: &mut Writer, handle: &PoolHandle) -> Result<(), EncodeError> {
    writer.parameter(ParameterType::POOL_HANDLE, |w| {
        w.octets(handle.as_bytes());
        Ok(())
    })
}

/// Takes the PE Identifier parameter (0xe) if it follows.
pub(super) fn take_identifier(reader: &mut Reader<'_>) -> Result<Option<ElementId>, Fault> {
    let Some(tlv) = reader.take(ParameterType::PE_IDENTIFIER)? else {
        return Ok(None);
    };
    let mut inner = reader.enter(&tlv);
    let id = inner.u32("PE Identifier")?;
    inner.end_of_fields("PE Identifier")?;
    Ok(Some(ElementId(id)))
}

/// Reads the PE Identifier parameter, which must follow.
pub(super) fn read_identifier(reader: &mut Reader<'_>) -> Result<ElementId, Fault> {
    match take_identifier(reader)? {
        Some(id) => Ok(id),
        None => Err(reader.missing("PE Identifier")),
    }
}

pub(super) fn write_identifier(writer: &mut Writer, id: ElementId) -> Result<(), EncodeError> {
    writer.parameter(ParameterType::PE_IDENTIFIER, |w| {
        w.u32(id.0);
        Ok(())
    })
}
