//! The ten messages of ENRP (RFC 5353 section 2).

use alloc::vec::Vec;

use bytes::Bytes;

use super::code_point::code_points;
use super::message::{self, decode_message};
use super::padding::Padding;
use super::parameter::{read_handle, write_handle};
use super::reader::{Fault, Reader, discard};
use super::writer::Writer;
use super::{
    DecodeError, Decoded, EncodeError, Malformed, OperationError, ParameterType, PoolElement, PoolEntry,
    ServerInformation,
};
use crate::base::{PoolHandle, RegistrarId};

/// The type of an ENRP message, known or not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnrpType(pub u8);

code_points!(EnrpType, "{:#04x}", {
    PRESENCE = 0x01 => "ENRP_PRESENCE",
    HANDLE_TABLE_REQUEST = 0x02 => "ENRP_HANDLE_TABLE_REQUEST",
    HANDLE_TABLE_RESPONSE = 0x03 => "ENRP_HANDLE_TABLE_RESPONSE",
    HANDLE_UPDATE = 0x04 => "ENRP_HANDLE_UPDATE",
    LIST_REQUEST = 0x05 => "ENRP_LIST_REQUEST",
    LIST_RESPONSE = 0x06 => "ENRP_LIST_RESPONSE",
    INIT_TAKEOVER = 0x07 => "ENRP_INIT_TAKEOVER",
    INIT_TAKEOVER_ACK = 0x08 => "ENRP_INIT_TAKEOVER_ACK",
    TAKEOVER_SERVER = 0x09 => "ENRP_TAKEOVER_SERVER",
    ERROR = 0x0a => "ENRP_ERROR",
});

impl EnrpType {
    /// The type that a message claims to have, without decoding it; `None` if it is empty.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        bytes.first().copied().map(Self)
    }
}

/// The Update Action of ENRP_HANDLE_UPDATE (RFC 5353 section 2.4), known or not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct UpdateAction(pub u16);

code_points!(UpdateAction, "{:#06x}", {
    ADD_PE = 0x0000 => "ADD_PE",
    DEL_PE = 0x0001 => "DEL_PE",
});

/// An ENRP message (RFC 5353 section 2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct EnrpMessage {
    /// The registrar that sends it; [`RegistrarId::NONE`] if the sender is not a registrar, or has no
    /// identifier yet.
    pub sender: RegistrarId,
    /// The registrar that is to receive it; [`RegistrarId::NONE`] if its identifier is not known, or if the
    /// message is for all.
    pub receiver: RegistrarId,
    /// The rest of the message, by its type.
    pub body: EnrpBody,
}

/// The content of an ENRP message, by its type. Non-exhaustive like [`AsapMessage`](super::AsapMessage).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum EnrpBody {
    /// ENRP_PRESENCE (0x01): a registrar is there.
    Presence {
        /// Flag 0x01, R: the receiver is to answer at once (reading A1).
        reply_required: bool,
        /// The PE checksum over the elements whose home the sender is (RFC 5353 section 3.6.2).
        checksum: Option<u16>,
        /// What the sender states about itself.
        server: Option<ServerInformation>,
    },
    /// ENRP_HANDLE_TABLE_REQUEST (0x02): asks for the next page of the handle table.
    HandleTableRequest {
        /// The W flag: only the elements whose home the receiver is.
        own_only: bool,
    },
    /// ENRP_HANDLE_TABLE_RESPONSE (0x03): a page of the handle table.
    HandleTableResponse {
        /// The R flag: the request is refused.
        rejected: bool,
        /// The M flag: another page follows if the receiver asks again.
        more: bool,
        /// Pools, each with some of its elements.
        pools: Vec<PoolEntry>,
    },
    /// ENRP_HANDLE_UPDATE (0x04): an element was added, changed or removed.
    HandleUpdate {
        /// Flag 0x01, draft enrp-takeover: the sender suggests a takeover of the element.
        takeover_suggested: bool,
        /// Whether the element is listed from now on, or not any more.
        action: UpdateAction,
        /// The handle of the pool (RFC 5354 section 3.9).
        handle: PoolHandle,
        /// The element, as the sender lists it.
        element: PoolElement,
    },
    /// ENRP_LIST_REQUEST (0x05): asks for the peers that the receiver knows.
    ListRequest,
    /// ENRP_LIST_RESPONSE (0x06): lists them.
    ListResponse {
        /// The R flag: the request is refused.
        rejected: bool,
        /// The peers of the sender, without the sender itself.
        servers: Vec<ServerInformation>,
    },
    /// ENRP_INIT_TAKEOVER (0x07): the sender is about to take over the elements of a dead peer.
    InitTakeover {
        /// The registrar that is taken for dead.
        target: RegistrarId,
    },
    /// ENRP_INIT_TAKEOVER_ACK (0x08): the receiver may do so.
    InitTakeoverAck {
        /// The registrar that is taken for dead.
        target: RegistrarId,
    },
    /// ENRP_TAKEOVER_SERVER (0x09): the sender has taken over the elements of a dead peer.
    TakeoverServer {
        /// The registrar whose elements have the sender for their home now.
        target: RegistrarId,
    },
    /// ENRP_ERROR (0x0a): the answer to a message that could not be read or understood.
    Error {
        /// What was wrong: at least one cause.
        error: OperationError,
    },
}

impl EnrpMessage {
    /// The type of this message.
    pub const fn message_type(&self) -> EnrpType {
        match self.body {
            EnrpBody::Presence { .. } => EnrpType::PRESENCE,
            EnrpBody::HandleTableRequest { .. } => EnrpType::HANDLE_TABLE_REQUEST,
            EnrpBody::HandleTableResponse { .. } => EnrpType::HANDLE_TABLE_RESPONSE,
            EnrpBody::HandleUpdate { .. } => EnrpType::HANDLE_UPDATE,
            EnrpBody::ListRequest => EnrpType::LIST_REQUEST,
            EnrpBody::ListResponse { .. } => EnrpType::LIST_RESPONSE,
            EnrpBody::InitTakeover { .. } => EnrpType::INIT_TAKEOVER,
            EnrpBody::InitTakeoverAck { .. } => EnrpType::INIT_TAKEOVER_ACK,
            EnrpBody::TakeoverServer { .. } => EnrpType::TAKEOVER_SERVER,
            EnrpBody::Error { .. } => EnrpType::ERROR,
        }
    }

    /// Reads one message, with or without its final padding.
    ///
    /// # Errors
    ///
    /// The message is malformed or of an unknown type; the error says what its receiver has to do. A bad
    /// ENRP_ERROR is never reported: otherwise two receivers could answer each other without end.
    pub fn decode(bytes: &Bytes) -> Result<Decoded<Self>, DecodeError> {
        decode_message(bytes, EnrpType::ERROR.0, |r, kind, flags| {
            if !EnrpType(kind).is_known() {
                return Err(discard(Malformed::UnknownMessage(kind)));
            }
            let sender = RegistrarId(r.u32("Sending Server's ID")?);
            let receiver = RegistrarId(r.u32("Receiving Server's ID")?);
            Ok(Self { sender, receiver, body: EnrpBody::read(r, EnrpType(kind), flags)? })
        })
    }

    /// Writes the message, padded to a multiple of four octets.
    ///
    /// # Errors
    ///
    /// A parameter or the message is longer than its 16-bit length can say, or a list is empty that must not
    /// be.
    pub fn encode(&self, padding: Padding) -> Result<Bytes, EncodeError> {
        let mut writer = Writer::new(self.message_type().0, self.body.flags(), 0);
        writer.u32(self.sender.0);
        writer.u32(self.receiver.0);
        self.body.write(&mut writer)?;
        writer.finish(padding, self.message_type().name())
    }
}

impl EnrpBody {
    fn read(r: &mut Reader<'_>, kind: EnrpType, flags: u8) -> Result<Self, Fault> {
        let (flag, more) = (flags & message::FLAG_0 != 0, flags & message::FLAG_1 != 0);
        Ok(match kind {
            EnrpType::PRESENCE => {
                let checksum = take_checksum(r)?;
                let server = match r.take(ParameterType::SERVER_INFORMATION)? {
                    Some(tlv) => Some(ServerInformation::read(r, &tlv)?),
                    None => None,
                };
                Self::Presence { reply_required: flag, checksum, server }
            }
            EnrpType::HANDLE_TABLE_REQUEST => Self::HandleTableRequest { own_only: flag },
            EnrpType::HANDLE_TABLE_RESPONSE => {
                Self::HandleTableResponse { rejected: flag, more, pools: take_pools(r)? }
            }
            EnrpType::HANDLE_UPDATE => {
                let action = UpdateAction(r.u16("Update Action")?);
                r.u16("reserved field")?;
                let handle = read_handle(r)?;
                let element = r.require(ParameterType::POOL_ELEMENT)?;
                let element = PoolElement::read(r, &element)?;
                Self::HandleUpdate { takeover_suggested: flag, action, handle, element }
            }
            EnrpType::LIST_REQUEST => Self::ListRequest,
            EnrpType::LIST_RESPONSE => {
                let mut servers = Vec::new();
                while let Some(tlv) = r.take(ParameterType::SERVER_INFORMATION)? {
                    servers.push(ServerInformation::read(r, &tlv)?);
                }
                Self::ListResponse { rejected: flag, servers }
            }
            EnrpType::INIT_TAKEOVER => Self::InitTakeover { target: read_target(r)? },
            EnrpType::INIT_TAKEOVER_ACK => Self::InitTakeoverAck { target: read_target(r)? },
            EnrpType::TAKEOVER_SERVER => Self::TakeoverServer { target: read_target(r)? },
            EnrpType::ERROR => {
                let error = r.require(ParameterType::OPERATION_ERROR)?;
                Self::Error { error: OperationError::read(r, &error)? }
            }
            EnrpType(unknown) => return Err(discard(Malformed::UnknownMessage(unknown))),
        })
    }

    const fn flags(&self) -> u8 {
        let (flag, more) = match self {
            Self::Presence { reply_required: flag, .. }
            | Self::HandleTableRequest { own_only: flag }
            | Self::HandleUpdate { takeover_suggested: flag, .. }
            | Self::ListResponse { rejected: flag, .. } => (*flag, false),
            Self::HandleTableResponse { rejected, more, .. } => (*rejected, *more),
            _ => (false, false),
        };
        (if flag { message::FLAG_0 } else { 0 }) | (if more { message::FLAG_1 } else { 0 })
    }

    fn write(&self, w: &mut Writer) -> Result<(), EncodeError> {
        match self {
            Self::Presence { checksum, server, .. } => {
                checksum.map_or(Ok(()), |checksum| write_checksum(w, checksum))?;
                server.as_ref().map_or(Ok(()), |server| server.write(w))
            }
            Self::HandleTableRequest { .. } | Self::ListRequest => Ok(()),
            Self::HandleTableResponse { pools, .. } => pools.iter().try_for_each(|pool| {
                if pool.elements.is_empty() {
                    return Err(EncodeError::Missing("Pool Element"));
                }
                write_handle(w, &pool.handle)?;
                pool.elements.iter().try_for_each(|element| element.write(w))
            }),
            Self::HandleUpdate { action, handle, element, .. } => {
                w.u16(action.0);
                w.u16(0);
                write_handle(w, handle)?;
                element.write(w)
            }
            Self::ListResponse { servers, .. } => servers.iter().try_for_each(|server| server.write(w)),
            Self::InitTakeover { target }
            | Self::InitTakeoverAck { target }
            | Self::TakeoverServer { target } => {
                w.u32(target.0);
                Ok(())
            }
            Self::Error { error } => error.write(w),
        }
    }
}

fn read_target(r: &mut Reader<'_>) -> Result<RegistrarId, Fault> {
    r.u32("Targeting Server's ID").map(RegistrarId)
}

/// Takes pool entries: each a handle and at least one element.
fn take_pools(r: &mut Reader<'_>) -> Result<Vec<PoolEntry>, Fault> {
    let mut pools = Vec::new();
    while r.next_is(ParameterType::POOL_HANDLE)? {
        let handle = read_handle(r)?;
        let elements = PoolElement::take_all(r)?;
        if elements.is_empty() {
            return Err(r.missing("Pool Element"));
        }
        pools.push(PoolEntry { handle, elements });
    }
    Ok(pools)
}

/// Takes the PE Checksum parameter (0xf) if it follows.
fn take_checksum(r: &mut Reader<'_>) -> Result<Option<u16>, Fault> {
    let Some(tlv) = r.take(ParameterType::PE_CHECKSUM)? else {
        return Ok(None);
    };
    let mut inner = r.enter(&tlv);
    let checksum = inner.u16("PE Checksum")?;
    inner.end_of_fields("PE Checksum")?;
    Ok(Some(checksum))
}

fn write_checksum(w: &mut Writer, checksum: u16) -> Result<(), EncodeError> {
    w.parameter(ParameterType::PE_CHECKSUM, |w| {
        w.u16(checksum);
        Ok(())
    })
}
