//! The ten messages of ENRP (RFC 5353 section 2).

use alloc::vec::Vec;

use super::{OperationError, PoolElement, PoolEntry, ServerInformation};
use crate::base::{PoolHandle, RegistrarId};

/// The type of an ENRP message, known or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnrpType(pub u8);

/// The Update Action of ENRP_HANDLE_UPDATE (RFC 5353 section 2.4), known or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UpdateAction(pub u16);

/// An ENRP message: its sender and receiver, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrpMessage {
    /// The sending registrar.
    pub sender: RegistrarId,
    /// The receiving registrar; [`RegistrarId::NONE`] if it is not known or everybody is meant.
    pub receiver: RegistrarId,
    /// What it says.
    pub body: EnrpBody,
}

/// What an ENRP message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnrpBody {
    /// ENRP_PRESENCE (0x01).
    Presence {
        /// Flag 0x01: the receiver is to answer at once (`ambiguities` A1).
        reply_required: bool,
        /// The checksum over the elements that the sender owns.
        checksum: Option<u16>,
        /// The sender's own entry.
        server: Option<ServerInformation>,
    },
    /// ENRP_HANDLE_TABLE_REQUEST (0x02).
    HandleTableRequest {
        /// The W flag: only the elements that the receiver owns.
        own_only: bool,
    },
    /// ENRP_HANDLE_TABLE_RESPONSE (0x03).
    HandleTableResponse {
        /// The R flag: the request is refused.
        rejected: bool,
        /// The M flag: there is more; ask again.
        more: bool,
        /// The pools, each with some of its elements.
        pools: Vec<PoolEntry>,
    },
    /// ENRP_HANDLE_UPDATE (0x04).
    HandleUpdate {
        /// Flag 0x01, draft enrp-takeover: the sender suggests a takeover of the element.
        takeover_suggested: bool,
        /// What happened to the element.
        action: UpdateAction,
        /// The pool.
        handle: PoolHandle,
        /// The element.
        element: PoolElement,
    },
    /// ENRP_LIST_REQUEST (0x05).
    ListRequest,
    /// ENRP_LIST_RESPONSE (0x06).
    ListResponse {
        /// The R flag: the request is refused.
        rejected: bool,
        /// The peers of the sender.
        servers: Vec<ServerInformation>,
    },
    /// ENRP_INIT_TAKEOVER (0x07).
    InitTakeover {
        /// The registrar that is taken to be dead.
        target: RegistrarId,
    },
    /// ENRP_INIT_TAKEOVER_ACK (0x08).
    InitTakeoverAck {
        /// The registrar that is taken to be dead.
        target: RegistrarId,
    },
    /// ENRP_TAKEOVER_SERVER (0x09).
    TakeoverServer {
        /// The registrar whose elements the sender has taken over.
        target: RegistrarId,
    },
    /// ENRP_ERROR (0x0a).
    Error {
        /// What was wrong.
        error: OperationError,
    },
}
