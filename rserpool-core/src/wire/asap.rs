//! The fourteen messages of ASAP (RFC 5352 section 2.2).

use alloc::vec::Vec;

use bytes::Bytes;

use super::code_point::code_points;
use super::message::{self, decode_message};
use super::padding::Padding;
use super::parameter::{read_handle, read_identifier, take_identifier, write_handle, write_identifier};
use super::reader::{Fault, Header, Reader, discard};
use super::writer::Writer;
use super::{
    DecodeError, Decoded, EncapsulationPorts, EncodeError, Malformed, OperationError, ParameterType, Policy,
    PoolElement, Transport,
};
use crate::base::{ElementId, PoolHandle, RegistrarId};

/// The type of an ASAP message, known or not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AsapType(pub u8);

code_points!(AsapType, "{:#04x}", {
    REGISTRATION = 0x01 => "ASAP_REGISTRATION",
    DEREGISTRATION = 0x02 => "ASAP_DEREGISTRATION",
    REGISTRATION_RESPONSE = 0x03 => "ASAP_REGISTRATION_RESPONSE",
    DEREGISTRATION_RESPONSE = 0x04 => "ASAP_DEREGISTRATION_RESPONSE",
    HANDLE_RESOLUTION = 0x05 => "ASAP_HANDLE_RESOLUTION",
    HANDLE_RESOLUTION_RESPONSE = 0x06 => "ASAP_HANDLE_RESOLUTION_RESPONSE",
    ENDPOINT_KEEP_ALIVE = 0x07 => "ASAP_ENDPOINT_KEEP_ALIVE",
    ENDPOINT_KEEP_ALIVE_ACK = 0x08 => "ASAP_ENDPOINT_KEEP_ALIVE_ACK",
    ENDPOINT_UNREACHABLE = 0x09 => "ASAP_ENDPOINT_UNREACHABLE",
    SERVER_ANNOUNCE = 0x0a => "ASAP_SERVER_ANNOUNCE",
    COOKIE = 0x0b => "ASAP_COOKIE",
    COOKIE_ECHO = 0x0c => "ASAP_COOKIE_ECHO",
    BUSINESS_CARD = 0x0d => "ASAP_BUSINESS_CARD",
    ERROR = 0x0e => "ASAP_ERROR",
});

impl AsapType {
    /// The type that a message claims to have, without decoding it; `None` if it is empty.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        bytes.first().copied().map(Self)
    }
}

/// An ASAP message (RFC 5352 section 2.2).
///
/// Non-exhaustive: drafts add messages, and a receiver has to expect types that it does not know anyway.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum AsapMessage {
    /// ASAP_REGISTRATION (0x01): an element enters a pool, or renews its place in it.
    Registration {
        /// The handle of the pool (RFC 5354 section 3.9).
        handle: PoolHandle,
        /// The element as it asks to be listed.
        element: PoolElement,
    },
    /// ASAP_DEREGISTRATION (0x02): an element leaves its pool.
    Deregistration {
        /// The handle of the pool (RFC 5354 section 3.9).
        handle: PoolHandle,
        /// The PE identifier of the element (RFC 5354 section 3.14).
        element: ElementId,
    },
    /// ASAP_REGISTRATION_RESPONSE (0x03): a registrar grants or refuses a registration.
    RegistrationResponse {
        /// The R flag: the registration was refused.
        rejected: bool,
        /// The handle of the pool (RFC 5354 section 3.9).
        handle: PoolHandle,
        /// The PE identifier of the element (RFC 5354 section 3.14).
        element: ElementId,
        /// Why it was refused; without the R flag, a warning that the registrar has altered values.
        error: Option<OperationError>,
    },
    /// ASAP_DEREGISTRATION_RESPONSE (0x04): the answer to a deregistration. A registrar also sends it unasked
    /// when it ends a registration.
    DeregistrationResponse {
        /// The handle of the pool (RFC 5354 section 3.9).
        handle: PoolHandle,
        /// The PE identifier of the element (RFC 5354 section 3.14).
        element: ElementId,
        /// Why it was refused; `None` if it was not.
        error: Option<OperationError>,
    },
    /// ASAP_HANDLE_RESOLUTION (0x05): a user asks for elements of a pool.
    HandleResolution {
        /// The handle of the pool (RFC 5354 section 3.9).
        handle: PoolHandle,
        /// The S flag: send further responses whenever the pool changes.
        subscribe: bool,
        /// The Handle Resolution option (draft asap-hropt, parameter 0x803f): how many elements are wanted.
        /// 0 means the registrar's default, 0xffffffff as many as possible.
        items: Option<u32>,
    },
    /// ASAP_HANDLE_RESOLUTION_RESPONSE (0x06): positive without `error`, negative with it.
    HandleResolutionResponse {
        /// The A flag: further responses will follow.
        updates: bool,
        /// The handle of the pool (RFC 5354 section 3.9).
        handle: PoolHandle,
        /// The policy of the pool; `None` means round robin.
        policy: Option<Policy>,
        /// The elements in the order in which they were selected.
        elements: Vec<PoolElement>,
        /// Why there are no elements.
        error: Option<OperationError>,
    },
    /// ASAP_ENDPOINT_KEEP_ALIVE (0x07): a registrar asks an element whether it is alive.
    EndpointKeepAlive {
        /// The H flag: the sender wants to be the home registrar.
        home: bool,
        /// The registrar that sends it.
        registrar: RegistrarId,
        /// The handle of the pool (RFC 5354 section 3.9).
        handle: PoolHandle,
        /// The element that is meant; `None`: whichever element of the pool receives it. An addition of
        /// RSPLIB that other implementations understand.
        element: Option<ElementId>,
    },
    /// ASAP_ENDPOINT_KEEP_ALIVE_ACK (0x08): an element answers that it is alive.
    EndpointKeepAliveAck {
        /// The handle of the pool (RFC 5354 section 3.9).
        handle: PoolHandle,
        /// The element that answers.
        element: ElementId,
    },
    /// ASAP_ENDPOINT_UNREACHABLE (0x09): a user reports an element to the registrar.
    EndpointUnreachable {
        /// The handle of the pool (RFC 5354 section 3.9).
        handle: PoolHandle,
        /// The element that could not be reached.
        element: ElementId,
    },
    /// ASAP_SERVER_ANNOUNCE (0x0a): a registrar announces itself, by UDP multicast.
    ServerAnnounce {
        /// The ENRP server identifier of the registrar.
        registrar: RegistrarId,
        /// Where it speaks ASAP: SCTP or TCP. Empty means SCTP at the source address of the datagram (reading
        /// A14).
        #[cfg_attr(feature = "arbitrary", arbitrary(with = super::generate::server_transports))]
        transports: Vec<Transport>,
        /// The UDP port of its SCTP transports, in `user`.
        encapsulation: Option<EncapsulationPorts>,
    },
    /// ASAP_COOKIE (0x0b): an element gives its user state to keep, for the element that replaces it.
    Cookie {
        /// The state, opaque to the user.
        #[cfg_attr(feature = "arbitrary", arbitrary(with = super::generate::octets))]
        cookie: Bytes,
    },
    /// ASAP_COOKIE_ECHO (0x0c): a user hands that state to the next element.
    CookieEcho {
        /// The state that the last element left.
        #[cfg_attr(feature = "arbitrary", arbitrary(with = super::generate::octets))]
        cookie: Bytes,
    },
    /// ASAP_BUSINESS_CARD (0x0d): an element that is also a user names itself, or other elements for a
    /// failover.
    BusinessCard {
        /// The handle of the sender's pool.
        handle: PoolHandle,
        /// The policy of the pool. The RFC does not name it; RSPLIB sends it.
        policy: Option<Policy>,
        /// The elements, in the order in which a failover is to try them.
        #[cfg_attr(feature = "arbitrary", arbitrary(with = super::generate::some))]
        elements: Vec<PoolElement>,
    },
    /// ASAP_ERROR (0x0e): the answer to a message that could not be read or understood.
    Error {
        /// What was wrong: at least one cause.
        error: OperationError,
    },
}

impl AsapMessage {
    /// The type of this message.
    pub const fn message_type(&self) -> AsapType {
        match self {
            Self::Registration { .. } => AsapType::REGISTRATION,
            Self::Deregistration { .. } => AsapType::DEREGISTRATION,
            Self::RegistrationResponse { .. } => AsapType::REGISTRATION_RESPONSE,
            Self::DeregistrationResponse { .. } => AsapType::DEREGISTRATION_RESPONSE,
            Self::HandleResolution { .. } => AsapType::HANDLE_RESOLUTION,
            Self::HandleResolutionResponse { .. } => AsapType::HANDLE_RESOLUTION_RESPONSE,
            Self::EndpointKeepAlive { .. } => AsapType::ENDPOINT_KEEP_ALIVE,
            Self::EndpointKeepAliveAck { .. } => AsapType::ENDPOINT_KEEP_ALIVE_ACK,
            Self::EndpointUnreachable { .. } => AsapType::ENDPOINT_UNREACHABLE,
            Self::ServerAnnounce { .. } => AsapType::SERVER_ANNOUNCE,
            Self::Cookie { .. } => AsapType::COOKIE,
            Self::CookieEcho { .. } => AsapType::COOKIE_ECHO,
            Self::BusinessCard { .. } => AsapType::BUSINESS_CARD,
            Self::Error { .. } => AsapType::ERROR,
        }
    }

    /// Reads one message, with or without its final padding.
    ///
    /// # Errors
    ///
    /// The message is malformed or of an unknown type; the error says what its receiver has to do. A bad
    /// ASAP_ERROR is never reported: otherwise two receivers could answer each other without end.
    pub fn decode(bytes: &Bytes) -> Result<Decoded<Self>, DecodeError> {
        decode_message(bytes, AsapType::ERROR.0, |r, kind, flags| Self::read(r, AsapType(kind), flags))
    }

    /// Writes the message, padded to a multiple of four octets.
    ///
    /// # Errors
    ///
    /// A parameter or the message is longer than its 16-bit length can say, or a list is empty that must not
    /// be.
    pub fn encode(&self, padding: Padding) -> Result<Bytes, EncodeError> {
        let elements = match self {
            Self::HandleResolutionResponse { elements, .. } => elements.len(),
            _ => 0,
        };
        let mut writer = Writer::new(self.message_type().0, self.flags(), elements);
        self.write(&mut writer)?;
        writer.finish(padding, self.message_type().name())
    }

    /// Whom a registration names that cannot be read as a whole. `None` if it is none, or cannot be read that
    /// far.
    pub(crate) fn named_in_registration(bytes: &Bytes) -> Option<(PoolHandle, ElementId)> {
        let header = Header::read(bytes).ok().filter(|header| header.kind == AsapType::REGISTRATION.0)?;
        let mut report = Vec::new();
        let mut r = Reader::new(bytes, &header, &mut report);
        let handle = read_handle(&mut r).ok()?;
        let element = r.require(ParameterType::POOL_ELEMENT).ok()?;
        let id = r.enter(&element).u32("PE Identifier").ok()?;
        Some((handle, ElementId(id)))
    }

    fn read(r: &mut Reader<'_>, kind: AsapType, flags: u8) -> Result<Self, Fault> {
        let flag = flags & message::FLAG_0 != 0;
        Ok(match kind {
            AsapType::REGISTRATION => {
                let handle = read_handle(r)?;
                let element = r.require(ParameterType::POOL_ELEMENT)?;
                Self::Registration { handle, element: PoolElement::read(r, &element)? }
            }
            AsapType::DEREGISTRATION => {
                Self::Deregistration { handle: read_handle(r)?, element: read_identifier(r)? }
            }
            AsapType::REGISTRATION_RESPONSE => Self::RegistrationResponse {
                rejected: flag,
                handle: read_handle(r)?,
                element: read_identifier(r)?,
                error: OperationError::take(r)?,
            },
            AsapType::DEREGISTRATION_RESPONSE => Self::DeregistrationResponse {
                handle: read_handle(r)?,
                element: read_identifier(r)?,
                error: OperationError::take(r)?,
            },
            AsapType::HANDLE_RESOLUTION => {
                Self::HandleResolution { handle: read_handle(r)?, subscribe: flag, items: take_items(r)? }
            }
            AsapType::HANDLE_RESOLUTION_RESPONSE => Self::HandleResolutionResponse {
                updates: flag,
                handle: read_handle(r)?,
                policy: Policy::take(r)?,
                elements: PoolElement::take_all(r)?,
                error: OperationError::take(r)?,
            },
            AsapType::ENDPOINT_KEEP_ALIVE => Self::EndpointKeepAlive {
                home: flag,
                registrar: RegistrarId(r.u32("Server Identifier")?),
                handle: read_handle(r)?,
                element: take_identifier(r)?,
            },
            AsapType::ENDPOINT_KEEP_ALIVE_ACK => {
                Self::EndpointKeepAliveAck { handle: read_handle(r)?, element: read_identifier(r)? }
            }
            AsapType::ENDPOINT_UNREACHABLE => {
                Self::EndpointUnreachable { handle: read_handle(r)?, element: read_identifier(r)? }
            }
            AsapType::SERVER_ANNOUNCE => Self::ServerAnnounce {
                registrar: RegistrarId(r.u32("Server Identifier")?),
                transports: take_server_transports(r)?,
                encapsulation: EncapsulationPorts::take(r)?,
            },
            AsapType::COOKIE => Self::Cookie { cookie: read_cookie(r)? },
            AsapType::COOKIE_ECHO => Self::CookieEcho { cookie: read_cookie(r)? },
            AsapType::BUSINESS_CARD => {
                let (handle, policy) = (read_handle(r)?, Policy::take(r)?);
                let elements = PoolElement::take_all(r)?;
                if elements.is_empty() {
                    return Err(r.missing("Pool Element"));
                }
                Self::BusinessCard { handle, policy, elements }
            }
            AsapType::ERROR => {
                let error = r.require(ParameterType::OPERATION_ERROR)?;
                Self::Error { error: OperationError::read(r, &error)? }
            }
            AsapType(unknown) => return Err(discard(Malformed::UnknownMessage(unknown))),
        })
    }

    const fn flags(&self) -> u8 {
        let flag = match self {
            Self::RegistrationResponse { rejected: flag, .. }
            | Self::HandleResolution { subscribe: flag, .. }
            | Self::HandleResolutionResponse { updates: flag, .. }
            | Self::EndpointKeepAlive { home: flag, .. } => *flag,
            _ => false,
        };
        if flag { message::FLAG_0 } else { 0 }
    }

    fn write(&self, w: &mut Writer) -> Result<(), EncodeError> {
        match self {
            Self::Registration { handle, element } => {
                write_handle(w, handle)?;
                element.write(w)
            }
            Self::Deregistration { handle, element }
            | Self::EndpointKeepAliveAck { handle, element }
            | Self::EndpointUnreachable { handle, element } => {
                write_handle(w, handle)?;
                write_identifier(w, *element)
            }
            Self::RegistrationResponse { handle, element, error, .. }
            | Self::DeregistrationResponse { handle, element, error } => {
                write_handle(w, handle)?;
                write_identifier(w, *element)?;
                error.as_ref().map_or(Ok(()), |error| error.write(w))
            }
            Self::HandleResolution { handle, items, .. } => {
                write_handle(w, handle)?;
                items.map_or(Ok(()), |items| write_items(w, items))
            }
            Self::HandleResolutionResponse { handle, policy, elements, error, .. } => {
                write_handle(w, handle)?;
                policy.as_ref().map_or(Ok(()), |policy| policy.write(w))?;
                elements.iter().try_for_each(|element| element.write(w))?;
                error.as_ref().map_or(Ok(()), |error| error.write(w))
            }
            Self::EndpointKeepAlive { registrar, handle, element, .. } => {
                w.u32(registrar.0);
                write_handle(w, handle)?;
                element.map_or(Ok(()), |element| write_identifier(w, element))
            }
            Self::ServerAnnounce { registrar, transports, encapsulation } => {
                w.u32(registrar.0);
                transports.iter().try_for_each(|transport| transport.write(w))?;
                encapsulation.map_or(Ok(()), |ports| ports.write(w))
            }
            Self::Cookie { cookie } | Self::CookieEcho { cookie } => {
                w.parameter(ParameterType::COOKIE, |w| {
                    w.octets(cookie);
                    Ok(())
                })
            }
            Self::BusinessCard { handle, policy, elements } => {
                if elements.is_empty() {
                    return Err(EncodeError::Missing("Pool Element"));
                }
                write_handle(w, handle)?;
                policy.as_ref().map_or(Ok(()), |policy| policy.write(w))?;
                elements.iter().try_for_each(|element| element.write(w))
            }
            Self::Error { error } => error.write(w),
        }
    }
}

fn read_cookie(r: &mut Reader<'_>) -> Result<Bytes, Fault> {
    let tlv = r.require(ParameterType::COOKIE)?;
    Ok(r.enter(&tlv).rest())
}

/// Takes the transports of ASAP_SERVER_ANNOUNCE, where only SCTP and TCP are permitted.
fn take_server_transports(r: &mut Reader<'_>) -> Result<Vec<Transport>, Fault> {
    let serves_asap = |kind| matches!(kind, ParameterType::SCTP_TRANSPORT | ParameterType::TCP_TRANSPORT);
    let mut transports = Vec::new();
    while let Some(tlv) = r.take_if(serves_asap)? {
        transports.push(Transport::read(r, &tlv)?);
    }
    Ok(transports)
}

/// Takes the Handle Resolution option if it follows (draft asap-hropt).
fn take_items(r: &mut Reader<'_>) -> Result<Option<u32>, Fault> {
    let Some(tlv) = r.take(ParameterType::HANDLE_RESOLUTION)? else {
        return Ok(None);
    };
    let mut inner = r.enter(&tlv);
    let items = inner.u32("number of items")?;
    inner.end_of_fields("Handle Resolution option")?;
    Ok(Some(items))
}

fn write_items(w: &mut Writer, items: u32) -> Result<(), EncodeError> {
    w.parameter(ParameterType::HANDLE_RESOLUTION, |w| {
        w.u32(items);
        Ok(())
    })
}
