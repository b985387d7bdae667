//! What the application can ask a pool element for, what it is answered, and what it is told unasked.

use alloc::vec::Vec;

use bytes::Bytes;

use super::seal::CookieError;
use crate::base::{AssociationId, PoolHandle, ProtocolId, RegistrarId, SctpAddress, TransportAddress};
use crate::endpoint::{DownReason, Refusal};
use crate::wire::{OperationError, Policy, PoolElement};

/// What the application can ask an element for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Re-register at once with these policy values, for example a new load. This also starts a new attempt
    /// after [`Notice::RegistrationFailed`], but not after [`Command::Deregister`].
    ///
    /// Answered by [`Answer::Updated`]: at once, unless the element is registered with a policy of another
    /// type. Then the pool may not take it, and the answer comes when the registrar has decided. If it
    /// refuses, the last policy that was granted is registered again.
    UpdatePolicy(Policy),
    /// The application is loaded so much now, from 0 (idle) to `u32::MAX`: tell the registrar, if the policy of the pool
    /// goes by loads (RFC 5356 section 5). At once, but not more often than
    /// [`load_interval`](super::ElementConfig::load_interval) says. Answered by [`Answer::Done`].
    SetLoad(u32),
    /// Send an application message to a user. Answered by [`Answer::Done`].
    Send(Message),
    /// Leave the state of a session with its user, who hands it to the element that replaces this one (RFC 5352 section
    /// 3.8). The newest cookie counts; it has 0 to [`MAX_COOKIE`](crate::endpoint::MAX_COOKIE) octets. While the
    /// queue to the user is full, the cookie waits, and a newer one takes its place. Answered by [`Answer::Done`].
    ///
    /// It goes over stream 0: what the element has sent on other streams may overtake it, or be overtaken by it. So a
    /// cookie has to say what it covers, for example by the number of the last answer.
    SendCookie {
        /// The association with the user.
        session: AssociationId,
        /// The state, opaque to everybody else.
        cookie: Bytes,
    },
    /// Tell the users of all sessions, present and future, which elements of the pool they are to prefer when this one
    /// fails, the best one first (a business card, RFC 5352 section 3.9): those that hold a copy of its data, for
    /// example. At most [`MAX_CARD`](crate::endpoint::MAX_CARD); none withdraws nothing that was sent, but no more is
    /// sent. Answered by [`Answer::Done`].
    SetCard(Vec<PoolElement>),
    /// Close the association with a user, after what is queued has been delivered. Answered by
    /// [`Answer::Done`]; [`Notice::SessionClosed`] follows.
    Close {
        /// The association to close.
        session: AssociationId,
    },
    /// Leave the pool for good; sessions go on. Answered by [`Answer::Deregistered`].
    Deregister,
    /// Look for these registrars from now on, instead of those in the configuration: their names may lead
    /// elsewhere by now. A registrar that is in use stays in use. Answered by [`Answer::Done`].
    UseRegistrars(Vec<SctpAddress>),
    /// Say how the element is. Answered by [`Answer::Status`].
    Status,
}

/// An application message to a user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The association with the user.
    pub session: AssociationId,
    /// The payload protocol identifier, chosen by the application: neither 11 (RFC 5352 section 5) nor 12.
    pub protocol: ProtocolId,
    /// The SCTP stream; stream 0 is used if the user does not have it.
    pub stream: u16,
    /// 1 to [`MAX_MESSAGE`](crate::endpoint::MAX_MESSAGE) octets.
    pub bytes: Bytes,
}

impl Message {
    /// A message on stream 0.
    pub fn new(session: AssociationId, protocol: ProtocolId, bytes: impl Into<Bytes>) -> Self {
        Self { session, protocol, stream: 0, bytes: bytes.into() }
    }

    /// The same message on another stream.
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
    /// To [`Command::Send`], [`Command::SendCookie`], [`Command::SetCard`], [`Command::Close`],
    /// [`Command::SetLoad`] and [`Command::UseRegistrars`].
    Done(Result<(), Refusal>),
    /// To [`Command::UpdatePolicy`].
    Updated(Result<(), UpdateError>),
    /// To [`Command::Deregister`].
    Deregistered(Result<(), DeregistrationError>),
    /// To [`Command::Status`].
    Status(Status),
}

/// How an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The home registrar; `None` while there is none or it has not named itself.
    pub home: Option<RegistrarId>,
    /// Whether a registrar has granted the registration, and none has ended it since.
    pub registered: bool,
    /// The number of sessions with users that are open.
    pub sessions: usize,
    /// The number of messages received in these sessions that the application has not answered. Each message
    /// that it sends counts as the answer to one that it has received in the same session.
    pub open_requests: usize,
}

/// What the application is told unasked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The element is registered, for the first time or anew.
    #[non_exhaustive]
    Registered {
        /// The home registrar; [`RegistrarId::NONE`] until its first keep-alive names it.
        home: RegistrarId,
        /// Where the registrar is.
        registrar: TransportAddress,
        /// The values that the registrar has altered, as causes that came with the grant.
        warning: Option<OperationError>,
    },
    /// A registration was refused, or all permitted attempts went unanswered. The element tries again only
    /// after [`Command::UpdatePolicy`].
    RegistrationFailed(RegistrationError),
    /// A registrar has refused values of [`Command::UpdatePolicy`] that were answered already. The last ones
    /// that were granted are registered again.
    PolicyRefused(Option<OperationError>),
    /// The home registrar has reported an error (ASAP_ERROR, RFC 5352 section 2.2.14) instead of an answer to a
    /// registration or deregistration, for example because it cannot read the policy. Told once for each. The
    /// element goes on waiting, and then asks another registrar.
    #[non_exhaustive]
    ErrorReported {
        /// Where the registrar is.
        registrar: TransportAddress,
        /// What it has reported.
        error: OperationError,
    },
    /// The element has left its pool in a shutdown, but no registrar has confirmed it.
    DeregistrationFailed(DeregistrationError),
    /// A registrar has removed the element from its pool. The element registers again by itself, unless it is
    /// shutting down.
    Deregistered,
    /// Another registrar has become the home.
    #[non_exhaustive]
    HomeChanged {
        /// The new home registrar.
        home: RegistrarId,
    },
    /// The association with the home registrar has ended, or it does not answer any more. Another one is looked for;
    /// [`Notice::Registered`] tells when it is found.
    #[non_exhaustive]
    RegistrarLost {
        /// Where it was.
        registrar: TransportAddress,
    },
    /// A round of the hunt has found no registrar; the hunt goes on.
    #[non_exhaustive]
    NoRegistrar {
        /// The registrars that were tried.
        tried: Vec<TransportAddress>,
    },
    /// A user has sent its first application message, a cookie or a business card. An association without one is not a session,
    /// because registrars open associations to the same port.
    #[non_exhaustive]
    SessionOpened {
        /// The association, which identifies the session.
        session: AssociationId,
        /// Where the user is.
        peer: TransportAddress,
    },
    /// A user has come from another element, and brings the state that this has left in a cookie. Told right after
    /// [`Notice::SessionOpened`], before any message of the session.
    #[non_exhaustive]
    CookieEcho {
        /// The association with the user.
        session: AssociationId,
        /// The state, octet for octet.
        cookie: Bytes,
    },
    /// A user has brought a cookie that no element of the pool has sealed, or not lately: the session begins without its
    /// state. The application may close it.
    #[non_exhaustive]
    CookieRefused {
        /// The association with the user.
        session: AssociationId,
        /// What is wrong with the cookie.
        error: CookieError,
    },
    /// In a shutdown: the element is about to close a session that has moved on since its last cookie. It waits half a
    /// second for [`Command::SendCookie`], so that the next element gets the last state. Told only if a cookie was
    /// sent in the session before; an application that wants to be told sends one at the beginning.
    #[non_exhaustive]
    CookieWanted {
        /// The association with the user.
        session: AssociationId,
    },
    /// A user is an element of a pool itself, and names the elements of that pool in the order in which they are to be
    /// tried when it fails. An application that wants to talk to that pool opens a session with it.
    #[non_exhaustive]
    PeerCard {
        /// The association with the user.
        session: AssociationId,
        /// The pool of the user.
        handle: PoolHandle,
        /// Its elements, the preferred one first, at most [`MAX_CARD`](crate::endpoint::MAX_CARD).
        elements: Vec<PoolElement>,
    },
    /// An application message from a user.
    #[non_exhaustive]
    Received {
        /// The association over which it came.
        session: AssociationId,
        /// Its payload protocol identifier.
        protocol: ProtocolId,
        /// The SCTP stream on which it came.
        stream: u16,
        /// Its octets.
        bytes: Bytes,
    },
    /// An association with a user has ended.
    #[non_exhaustive]
    SessionClosed {
        /// The association that has ended.
        session: AssociationId,
        /// Why it has ended.
        reason: DownReason,
    },
    /// A user takes data again after [`Refusal::Congested`].
    #[non_exhaustive]
    Writable {
        /// The association with the user.
        session: AssociationId,
    },
    /// The element has left its pool, all associations are closed, and it is done.
    Stopped,
}

/// Why no registrar has confirmed that an element has left its pool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeregistrationError {
    /// The command was refused: the element has stopped already.
    #[error(transparent)]
    Refused(Refusal),
    /// The element has left, but a registrar did not take the deregistration. It may list the element until the
    /// registration life ends.
    #[error(
        "the registrar refused the deregistration, and may list the element until its registration life ends: {}",
        crate::wire::causes_text(.0)
    )]
    Rejected(Option<OperationError>),
    /// The element has left, but no registrar has answered. It may be listed until its registration life ends.
    #[error(
        "no registrar answered the deregistration: the element may be listed until its registration life ends"
    )]
    Unanswered,
}

/// Why other policy values were not registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// The command was refused: the element is leaving or has left.
    #[error(transparent)]
    Refused(Refusal),
    /// No registrar has granted them.
    #[error(transparent)]
    Registration(RegistrationError),
}

/// Why an element is not registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationError {
    /// A registrar refused. The same registration must not be repeated (RFC 5352 section 3.1).
    #[error("the registrar refused the registration: {}", crate::wire::causes_text(.0))]
    Rejected(Option<OperationError>),
    /// No registrar answered within the permitted number of attempts (MAX-REG-ATTEMPT).
    #[error(
        "no registrar answered: check the addresses of the registrars, then update the policy to try again"
    )]
    Unanswered,
}
