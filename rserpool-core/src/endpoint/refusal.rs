//! Why an endpoint with sessions, an element or a user, does not carry a command out.

/// Why a command was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such session, or not any more.
    #[error("there is no such session any more: open another one, or wait for one")]
    UnknownSession,
    /// The session's queue is full; wait for `Writable`.
    #[error("the queue of the session is full: wait until the session is writable")]
    Congested,
    /// Application data must not carry PPID 11 (RFC 5352 section 5), nor 12.
    #[error("the payload protocol identifiers 11 and 12 belong to ASAP and ENRP: use another one")]
    ReservedProtocol,
    /// The message is empty, which SCTP does not know, or longer than
    /// [`MAX_MESSAGE`](crate::endpoint::MAX_MESSAGE) octets.
    #[error(
        "a message is empty or longer than {} octets: send several messages",
        crate::endpoint::MAX_MESSAGE
    )]
    Length,
    /// Nothing but data travels between the element and its users, since it has registered so
    /// ([`ElementConfig::control`](crate::element::ElementConfig::control)).
    #[error("the element has no control channel: let it register one, or send data only")]
    NoControlChannel,
    /// The element serves its users over plain TCP, so nothing tells its users which request an answer belongs to.
    #[error(
        "the element serves over plain TCP, which our calls cannot use: let the application pair its messages"
    )]
    OctetsOnly,
    /// The cookie is longer than [`MAX_COOKIE`](crate::endpoint::MAX_COOKIE) octets.
    #[error("a cookie has at most {} octets: keep less in it", crate::endpoint::MAX_COOKIE)]
    CookieLength,
    /// The business card lists more than [`MAX_CARD`](crate::endpoint::MAX_CARD) elements, or too many for one message.
    #[error(
        "a business card lists at most {} elements, in one message: list fewer",
        crate::endpoint::MAX_CARD
    )]
    Card,
    /// Another unanswered request of the session has the same identifier.
    #[error("an unanswered request has the same identifier: use another one")]
    DuplicateRequest,
    /// The endpoint is shutting down or has stopped.
    #[error("the endpoint is shutting down: start another one")]
    ShuttingDown,
    /// A driver says so: the code that ran the endpoint has panicked, such as a policy of the application.
    #[error("the endpoint has panicked, as `ended` and the log say: mend that, and start another one")]
    Panicked,
}
