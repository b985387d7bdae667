//! What a service and whoever runs it say to each other.

use bytes::Bytes;
use rserpool_core::base::{AssociationId, Instant, ProtocolId};

/// A service of a pool element.
///
/// Every call may be followed by actions: drain [`Service::poll_action`] after each.
pub trait Service {
    /// Something has happened in a session.
    fn handle_event(&mut self, now: Instant, event: ServiceEvent);

    /// The deadline has passed.
    fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }

    /// When [`Service::handle_timeout`] is to be called.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// What is to be done next.
    fn poll_action(&mut self) -> Option<ServiceAction>;
}

/// What happens in a session with a user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceEvent {
    /// A session has begun.
    Opened {
        /// The association, which identifies the session.
        session: AssociationId,
    },
    /// The user has brought the newest cookie of the element that served it before (RFC 5352 section 3.8). This comes
    /// before everything that the user sends.
    Restored {
        /// The session.
        session: AssociationId,
        /// The content of the cookie.
        cookie: Bytes,
    },
    /// A message from the user.
    Received {
        /// The session.
        session: AssociationId,
        /// Its payload protocol identifier.
        protocol: ProtocolId,
        /// Its octets.
        bytes: Bytes,
    },
    /// All that was to be sent in this session is on its way: there is room for more.
    Room {
        /// The session.
        session: AssociationId,
    },
    /// The element is leaving, and the session is about to move: it waits for half a second for a cookie, the last one.
    /// Send it even if nothing has changed, or close the session, so that the user need not wait.
    CookieWanted {
        /// The session.
        session: AssociationId,
    },
    /// The session has ended.
    Closed {
        /// The session.
        session: AssociationId,
    },
}

/// What a service wants done.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ServiceAction {
    /// Send a message. If there is no room for it, it waits, and [`ServiceEvent::Room`] follows.
    Send {
        /// The session.
        session: AssociationId,
        /// Its payload protocol identifier.
        protocol: ProtocolId,
        /// Its octets.
        bytes: Bytes,
    },
    /// Give the user this cookie. A newer one replaces it.
    SendCookie {
        /// The session.
        session: AssociationId,
        /// Its content.
        cookie: Bytes,
    },
    /// End the session after all that is to be sent.
    Close {
        /// The session.
        session: AssociationId,
    },
    /// The element is loaded so much now, from 0 (idle) to 1: for adaptive policies.
    Load(f64),
}
