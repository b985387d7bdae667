//! The fourteen messages of ASAP (RFC 5352 section 2.2).

use alloc::vec::Vec;

use bytes::Bytes;

use super::{EncapsulationPorts, OperationError, Policy, PoolElement, Transport};
use crate::base::{ElementId, PoolHandle, RegistrarId};

/// The type of an ASAP message, known or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AsapType(pub u8);

/// An ASAP message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AsapMessage {
    /// ASAP_REGISTRATION (0x01): an element enters a pool, or renews its place in it.
    Registration {
        /// The pool.
        handle: PoolHandle,
        /// The element as it wants to be listed.
        element: PoolElement,
    },
    /// ASAP_DEREGISTRATION (0x02): an element leaves its pool.
    Deregistration {
        /// The pool.
        handle: PoolHandle,
        /// The element.
        element: ElementId,
    },
    /// ASAP_REGISTRATION_RESPONSE (0x03).
    RegistrationResponse {
        /// The R flag: the registration was refused.
        rejected: bool,
        /// The pool.
        handle: PoolHandle,
        /// The element.
        element: ElementId,
        /// Why it was refused, or, if it was not, a warning that values were altered.
        error: Option<OperationError>,
    },
    /// ASAP_DEREGISTRATION_RESPONSE (0x04); also sent unasked when a registration ends.
    DeregistrationResponse {
        /// The pool.
        handle: PoolHandle,
        /// The element.
        element: ElementId,
        /// Present if the deregistration was refused.
        error: Option<OperationError>,
    },
    /// ASAP_HANDLE_RESOLUTION (0x05).
    HandleResolution {
        /// The pool.
        handle: PoolHandle,
        /// The S flag: send further responses whenever the pool changes.
        subscribe: bool,
        /// The Handle Resolution option (draft asap-hropt, parameter 0x803f): how many elements
        /// are wanted; 0 means the registrar's own default, 0xffffffff as many as possible.
        items: Option<u32>,
    },
    /// ASAP_HANDLE_RESOLUTION_RESPONSE (0x06): positive without `error`, negative with it.
    HandleResolutionResponse {
        /// The A flag: further responses will follow.
        updates: bool,
        /// The pool.
        handle: PoolHandle,
        /// The overall policy; absent means round robin.
        policy: Option<Policy>,
        /// Elements, in the order in which they were selected.
        elements: Vec<PoolElement>,
        /// Why there are none.
        error: Option<OperationError>,
    },
    /// ASAP_ENDPOINT_KEEP_ALIVE (0x07).
    EndpointKeepAlive {
        /// The H flag: the sender wants to be the home registrar.
        home: bool,
        /// The sender.
        registrar: RegistrarId,
        /// The pool.
        handle: PoolHandle,
        /// Which element is meant: an addition of RSPLIB, understood by all.
        element: Option<ElementId>,
    },
    /// ASAP_ENDPOINT_KEEP_ALIVE_ACK (0x08).
    EndpointKeepAliveAck {
        /// The pool.
        handle: PoolHandle,
        /// The element that answers.
        element: ElementId,
    },
    /// ASAP_ENDPOINT_UNREACHABLE (0x09).
    EndpointUnreachable {
        /// The pool.
        handle: PoolHandle,
        /// The element that could not be reached.
        element: ElementId,
    },
    /// ASAP_SERVER_ANNOUNCE (0x0a).
    ServerAnnounce {
        /// The registrar.
        registrar: RegistrarId,
        /// Where it serves ASAP; none means SCTP at the source address of the datagram.
        transports: Vec<Transport>,
        /// UDP ports; `user` counts here.
        encapsulation: Option<EncapsulationPorts>,
    },
    /// ASAP_COOKIE (0x0b).
    Cookie {
        /// The state to be kept for the element.
        cookie: Bytes,
    },
    /// ASAP_COOKIE_ECHO (0x0c).
    CookieEcho {
        /// The state that another element left.
        cookie: Bytes,
    },
    /// ASAP_BUSINESS_CARD (0x0d).
    BusinessCard {
        /// The pool of the sender.
        handle: PoolHandle,
        /// The overall policy; not in the RFC, sent by RSPLIB.
        policy: Option<Policy>,
        /// Elements in the preferred order of failover.
        elements: Vec<PoolElement>,
    },
    /// ASAP_ERROR (0x0e).
    Error {
        /// What was wrong.
        error: OperationError,
    },
}
