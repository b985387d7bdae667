//! What the user's side of a service and whoever runs it say to each other.

use bytes::Bytes;
use rserpool_core::base::{ElementId, Instant, ProtocolId};
use rserpool_core::user::RequestId;

/// The user's side of a service, in one session with its pool.
///
/// Every call may be followed by actions: drain [`Client::poll_action`] after each.
pub trait Client {
    /// What it tells the person who uses it.
    type Report;

    /// Something has happened in the session.
    fn handle_event(&mut self, now: Instant, event: ClientEvent);

    /// The deadline has passed.
    fn handle_timeout(&mut self, now: Instant);

    /// When [`Client::handle_timeout`] is to be called.
    fn poll_timeout(&self) -> Option<Instant>;

    /// What is to be done next.
    fn poll_action(&mut self) -> Option<ClientAction<Self::Report>>;
}

/// What happens in a session with a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The session is open.
    Opened {
        /// The element that serves it.
        element: ElementId,
    },
    /// Another element serves the session now. Requests without an answer were sent to it again, after the cookie.
    FailedOver {
        /// The element that serves it now.
        element: ElementId,
        /// Whether it was given a cookie.
        cookie_echoed: bool,
    },
    /// A message from the element.
    Received {
        /// Its payload protocol identifier.
        protocol: ProtocolId,
        /// Its octets.
        bytes: Bytes,
    },
    /// A request was given up without an answer.
    Unanswered(RequestId),
}

/// What the user's side of a service wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAction<R> {
    /// Send a message once, to the element that serves the session now.
    Send {
        /// Its payload protocol identifier.
        protocol: ProtocolId,
        /// Its octets.
        bytes: Bytes,
    },
    /// Send a request, and send it again to the next element if this one fails, until it is answered.
    Request {
        /// What the answer will name.
        request: RequestId,
        /// Its payload protocol identifier.
        protocol: ProtocolId,
        /// Its octets.
        bytes: Bytes,
    },
    /// The request was answered.
    Answered(RequestId),
    /// Move to another element.
    FailOver {
        /// Whether the present one does not answer any more; otherwise it lives, and nobody is told anything about it.
        unreachable: bool,
    },
    /// Tell the person who uses it.
    Report(R),
    /// The session is no longer needed.
    Close,
}
