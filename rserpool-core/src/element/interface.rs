//! What the application can ask a pool element for, what it is answered, and what it is told unasked.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::base::{AssociationId, ProtocolId, RegistrarId, TransportAddress};
use crate::endpoint::{DownReason, Refusal};
use crate::wire::{OperationError, Policy};

/// What the application can ask an element for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Re-register at once with these policy values, for example a new load; also after
    /// [`Notice::RegistrationFailed`], but not after [`Command::Deregister`]. Answered by
    /// [`Answer::Done`].
    UpdatePolicy(Policy),
    /// Send an application message to a user. Answered by [`Answer::Done`].
    Send(Message),
    /// Close the association with a user, after what is queued has been delivered. Answered by
    /// [`Answer::Done`]; [`Notice::SessionClosed`] follows.
    Close {
        /// The association.
        session: AssociationId,
    },
    /// Leave the pool for good; sessions go on. Answered by [`Answer::Deregistered`].
    Deregister,
}

/// An application message to a user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The association with the user.
    pub session: AssociationId,
    /// The application's payload protocol identifier; never 11 (RFC 5352 section 5).
    pub protocol: ProtocolId,
    /// The stream.
    pub stream: u16,
    /// The message.
    pub bytes: Bytes,
}

impl Message {
    /// A message on stream 0.
    pub fn new(session: AssociationId, protocol: ProtocolId, bytes: impl Into<Bytes>) -> Self {
        Self { session, protocol, stream: 0, bytes: bytes.into() }
    }

    /// Sends it on this stream.
    #[must_use]
    pub const fn stream(mut self, stream: u16) -> Self {
        self.stream = stream;
        self
    }
}

/// What ends a command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// To [`Command::UpdatePolicy`], [`Command::Send`] and [`Command::Close`].
    Done(Result<(), Refusal>),
    /// To [`Command::Deregister`].
    Deregistered(Result<(), DeregistrationError>),
}

/// What the application is told unasked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The element is registered, for the first time or anew.
    Registered {
        /// The home registrar; [`RegistrarId::NONE`] until its first keep-alive names it.
        home: RegistrarId,
        /// Where it is.
        registrar: TransportAddress,
        /// Causes that came with a grant: values that the registrar altered.
        warning: Option<OperationError>,
    },
    /// A registration was refused, or every permitted attempt went unanswered; the element has
    /// stopped trying. It tries again on [`Command::UpdatePolicy`].
    RegistrationFailed(RegistrationError),
    /// The element is in no pool any more. A registrar has removed it, and it registers again by itself,
    /// unless it is shutting down.
    Deregistered,
    /// Another registrar has become the home.
    HomeChanged {
        /// The new home.
        home: RegistrarId,
    },
    /// A round of the hunt has found no registrar; the hunt goes on.
    NoRegistrar {
        /// The addresses tried.
        tried: Vec<TransportAddress>,
    },
    /// A user has sent its first application message. An association alone is no session: a
    /// registrar opens associations to the same port.
    SessionOpened {
        /// The association.
        session: AssociationId,
        /// Who.
        peer: TransportAddress,
    },
    /// An application message from a user.
    Received {
        /// The association.
        session: AssociationId,
        /// Its payload protocol identifier.
        protocol: ProtocolId,
        /// Its stream.
        stream: u16,
        /// The message.
        bytes: Bytes,
    },
    /// An association with a user has ended.
    SessionClosed {
        /// The association.
        session: AssociationId,
        /// Why.
        reason: DownReason,
    },
    /// A user takes data again after [`Refusal::Congested`].
    Writable {
        /// The association.
        session: AssociationId,
    },
    /// The element has left everything it should and is done.
    Stopped,
}

/// Why no registrar has confirmed that an element has left its pool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeregistrationError {
    /// The element was not asked to leave: it has stopped already.
    #[error(transparent)]
    Refused(Refusal),
    /// The element has left, and users may be sent to it until its registration life ends.
    #[error("the element has left unconfirmed, and is listed until its registration life ends: {0}")]
    Unconfirmed(RegistrationError),
}

/// Why an element is not registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationError {
    /// A registrar refused; the same registration must not be repeated (RFC 5352 section 3.1).
    #[error("the registrar refused the registration: {}", crate::wire::causes_text(.0))]
    Rejected(Option<OperationError>),
    /// No registrar answered as often as MAX-REG-ATTEMPT allows.
    #[error(
        "no registrar answered; check the addresses of the registrars, then update the policy to try again"
    )]
    Unanswered,
}
