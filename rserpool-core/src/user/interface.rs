//! What the application can ask a pool user for, what it is answered, and what it is told unasked.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use bytes::Bytes;

use crate::base::{ElementId, PoolHandle, ProtocolId, TransportAddress};
use crate::endpoint::{DownReason, Refusal};
use crate::wire::{OperationError, Policy, PoolElement};

/// Identifies a session with a pool. The endpoint chooses it and never uses it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// Identifies a request within a session. The application chooses it, unique among the unanswered requests of
/// the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What happens to a message if its element fails before the message is answered.
///
/// An element fails when the transport says so: slow is not dead. A supervised message ends with
/// [`Command::Answered`], or with [`Notice::Unanswered`] if one of its [limits](RequestLimits) is reached, or
/// with its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Nothing. It is sent once and not supervised.
    Once,
    /// It is sent again to the next element, unless [`Command::Answered`] came before. The message is
    /// supervised.
    Retry(RequestId),
    /// The application is told with [`Notice::Unanswered`], and the message is not sent again. It is supervised
    /// like one with `Retry`.
    Report(RequestId),
}

/// How long, and how often, a supervised message is tried. What is `None` follows the configuration of the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RequestLimits {
    /// How long it may take in all, from when it is handed over
    /// ([`answer_deadline`](super::UserConfig::answer_deadline)).
    pub deadline: Option<Duration>,
    /// How often it is sent at most ([`max_deliveries`](super::UserConfig::max_deliveries)); 0 counts as 1.
    pub deliveries: Option<u32>,
    /// After how long without an answer the session moves to another element, although the present one lives;
    /// `None`: never. All requests of the session move with it, so that those with [`Delivery::Retry`] are
    /// carried out twice.
    pub move_after: Option<Duration>,
}

impl RequestLimits {
    /// The same limits with this deadline.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The same limits with so many deliveries at most.
    #[must_use]
    pub const fn deliveries(mut self, deliveries: u32) -> Self {
        self.deliveries = Some(deliveries);
        self
    }

    /// The same limits, and the session moves after so long without an answer.
    #[must_use]
    pub const fn move_after(mut self, time: Duration) -> Self {
        self.move_after = Some(time);
        self
    }
}

/// What the application can ask a user for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Resolve a handle. Answered by [`Answer::Resolved`].
    Resolve(Resolve),
    /// Tell of the changes of a pool from now on, by [`Notice::PoolChanged`] and [`Notice::PoolGone`]: first of how it is,
    /// then of each change. The registrar is asked to tell of them (the S flag, RFC 5352 section 2.2.5), and its word is
    /// kept in the cache; if it does not, the pool is asked for as often as the cache is renewed. Answered by
    /// [`Answer::Watching`].
    Watch {
        /// The handle of the pool, which need not exist yet.
        handle: PoolHandle,
    },
    /// Tell no longer of the changes of a pool. Answered by [`Answer::Noted`].
    Unwatch {
        /// The handle of the pool.
        handle: PoolHandle,
    },
    /// Remove a pool from the cache (RFC 5352 section 6.4). Answered by [`Answer::Noted`].
    Purge {
        /// The handle of the pool.
        handle: PoolHandle,
    },
    /// Open a session. Answered by [`Answer::Opened`].
    Open(Open),
    /// Send an application message. Answered by [`Answer::Done`].
    ///
    /// During a failover, requests with [`Delivery::Retry`] and [`Delivery::Report`] are kept for the next
    /// element. A message with [`Delivery::Once`] is refused with [`Refusal::Congested`], and
    /// [`Notice::Writable`] follows.
    Send(Message),
    /// Send a request whose answer names it. Answered by [`Answer::Called`] at the end of the call: with what the element
    /// has answered, or with why there is no answer. During a failover it is kept for the next element.
    /// [`Command::Answered`] gives it up.
    Call(Call),
    /// A request was answered, or is given up, and is no longer supervised. Answered by [`Answer::Done`].
    Answered {
        /// The session of the request.
        session: SessionId,
        /// The request that was answered.
        request: RequestId,
    },
    /// Give up the present element and move to another one. Answered by [`Answer::Done`].
    Failover {
        /// The session to be moved.
        session: SessionId,
        /// Whether the registrar is told that the element could not be reached, as
        /// [`Command::ReportUnreachable`] does. An element that answers must not be reported, even if it refuses
        /// to work: a registrar removes elements that are.
        unreachable: bool,
    },
    /// Report an element to the registrar (Transport.Failure, RFC 5352 section 6.9.2), and do not
    /// select it for a while. Nothing is sent unless something was sent to the element before
    /// (RFC 5352 section 3.5). Answered by [`Answer::Noted`].
    ReportUnreachable {
        /// The handle of the element's pool.
        handle: PoolHandle,
        /// The element that could not be reached.
        element: ElementId,
    },
    /// Hand out no more messages of a session until [`Command::Release`]: the application has no room for them. Its
    /// element has to wait, and the other sessions go on. Answered by [`Answer::Done`].
    Hold {
        /// The session whose messages have to wait.
        session: SessionId,
    },
    /// Hand out the messages of a session again. Answered by [`Answer::Done`].
    Release {
        /// The session whose messages are wanted.
        session: SessionId,
    },
    /// Tell the elements of all sessions, present and future, that the application is an element of a pool itself, and
    /// which elements of that pool are to be preferred when it fails (a business card, RFC 5352 section 3.9). `None`
    /// withdraws nothing that was sent, but no more is sent. Answered by [`Answer::Done`].
    SetCard(Option<Card>),
    /// End a session after delivering what is queued; requests are no longer resent. Answered by
    /// [`Answer::Done`]; [`Notice::Closed`] follows.
    Close {
        /// The session to be closed.
        session: SessionId,
    },
    /// Look for these registrars from the next hunt or round of a hunt on, instead of those in the configuration:
    /// their names may lead elsewhere by now. Answered by [`Answer::Noted`].
    UseRegistrars(Vec<TransportAddress>),
}

/// The pool to which the application itself belongs as an element.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Card {
    /// The handle of the pool.
    pub handle: PoolHandle,
    /// Its elements, the preferred one first: 1 to [`MAX_CARD`](crate::endpoint::MAX_CARD).
    pub elements: Vec<PoolElement>,
}

impl Card {
    /// The card of this pool.
    pub const fn new(handle: PoolHandle, elements: Vec<PoolElement>) -> Self {
        Self { handle, elements }
    }
}

/// A question for the elements of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resolve {
    /// The handle of the pool.
    pub handle: PoolHandle,
    /// How many elements are wanted (draft asap-hropt); `None`: the registrar decides.
    pub items: Option<u32>,
    /// Whether a cache entry that is not stale may be the answer.
    pub cached: bool,
}

impl Resolve {
    /// A question for as many elements as the registrar decides. A cache entry that is not stale may answer
    /// it.
    pub const fn new(handle: PoolHandle) -> Self {
        Self { handle, items: None, cached: true }
    }

    /// The same question for this many elements; `u32::MAX` means all.
    #[must_use]
    pub const fn items(mut self, items: Option<u32>) -> Self {
        self.items = items;
        self
    }

    /// The same question, asked of a registrar even if the cache could answer it.
    #[must_use]
    pub const fn past_cache(mut self) -> Self {
        self.cached = false;
        self
    }
}

/// A session to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Open {
    /// The handle of the pool.
    pub handle: PoolHandle,
    /// How long it may take; `None`: as long as [`UserConfig::open_timeout`](super::UserConfig::open_timeout) says.
    pub within: Option<Duration>,
}

impl Open {
    /// A session with an element of this pool.
    pub const fn new(handle: PoolHandle) -> Self {
        Self { handle, within: None }
    }

    /// The same session, which may take so long to open.
    #[must_use]
    pub const fn within(mut self, limit: Duration) -> Self {
        self.within = Some(limit);
        self
    }
}

/// An application message to be sent in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The session in which it is sent.
    pub session: SessionId,
    /// The payload protocol identifier, chosen by the application: neither 11 nor 12.
    pub protocol: ProtocolId,
    /// 1 to [`MAX_MESSAGE`](crate::endpoint::MAX_MESSAGE) octets.
    pub bytes: Bytes,
    /// What happens to it if its element fails.
    pub delivery: Delivery,
    /// How long, and how often, it is tried. Has no effect on a message that is not supervised.
    pub limits: RequestLimits,
}

impl Message {
    /// A message that is sent once, to the element that serves the session now.
    pub fn new(session: SessionId, protocol: ProtocolId, bytes: impl Into<Bytes>) -> Self {
        let limits = RequestLimits::default();
        Self { session, protocol, bytes: bytes.into(), delivery: Delivery::Once, limits }
    }

    /// The same message with another delivery.
    #[must_use]
    pub const fn delivery(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// The same message with other limits.
    #[must_use]
    pub const fn limits(mut self, limits: RequestLimits) -> Self {
        self.limits = limits;
        self
    }
}

/// A request whose answer names it ([`Command::Call`]). The element has to know calls; the framing is [`CallFrame`](crate::endpoint::CallFrame).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// The session in which it is made.
    pub session: SessionId,
    /// Its name among the unanswered requests of the session.
    pub request: RequestId,
    /// The payload protocol identifier, chosen by the application, of request and answer.
    pub protocol: ProtocolId,
    /// Up to [`MAX_LONG_MESSAGE`](crate::endpoint::pieces::MAX_LONG_MESSAGE) octets.
    pub bytes: Bytes,
    /// What happens to it if its element fails.
    pub delivery: CallDelivery,
    /// How long, and how often, it is tried.
    pub limits: RequestLimits,
}

impl Call {
    /// A call that is sent again to the next element if its element fails.
    pub fn new(
        session: SessionId,
        request: RequestId,
        protocol: ProtocolId,
        bytes: impl Into<Bytes>,
    ) -> Self {
        let limits = RequestLimits::default();
        Self { session, request, protocol, bytes: bytes.into(), delivery: CallDelivery::Retry, limits }
    }

    /// The same call with another delivery.
    #[must_use]
    pub const fn delivery(mut self, delivery: CallDelivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// The same call with other limits.
    #[must_use]
    pub const fn limits(mut self, limits: RequestLimits) -> Self {
        self.limits = limits;
        self
    }
}

/// What happens to a call if its element fails before it has answered, and how often the call may be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CallDelivery {
    /// It is sent again to the next element, which carries it out, although the one before may have done so, too.
    #[default]
    Retry,
    /// It ends with [`UnansweredReason::ElementFailed`]. It is carried out at most once.
    Report,
    /// It is sent again, but carried out at most once: an element that has it in work, or remembers its answer,
    /// answers. Any other refuses it, and it ends with [`UnansweredReason::ElementFailed`]. So it outlives an
    /// association whose element lives.
    Once,
}

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// It was not sent.
    #[error(transparent)]
    Refused(Refusal),
    /// It was given up.
    #[error("the call has no answer: {0}")]
    Unanswered(UnansweredReason),
    /// The session has ended.
    #[error("the session has ended before the answer: open another one")]
    Closed,
    /// The application has given it up.
    #[error("the call was given up")]
    GivenUp,
    /// In a protocol of the application: the request has no name by which its answer could be found.
    #[error("the request has no name in it: make the function that pairs answers with requests find one")]
    Nameless,
}

/// What ends a command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// To [`Command::Resolve`].
    Resolved(Result<Resolution, UserError>),
    /// To [`Command::Open`].
    Opened(Result<Opened, UserError>),
    /// To [`Command::Send`], [`Command::Answered`], [`Command::Failover`], [`Command::SetCard`],
    /// [`Command::Hold`], [`Command::Release`] and [`Command::Close`].
    Done(Result<(), Refusal>),
    /// To [`Command::Watch`]. At most [`MAX_WATCHED`](super::MAX_WATCHED) pools are watched at the same time.
    Watching(Result<(), UserError>),
    /// To [`Command::Call`]: what the element has answered.
    Called(Result<Bytes, CallError>),
    /// To [`Command::Purge`], [`Command::Unwatch`], [`Command::ReportUnreachable`] and [`Command::UseRegistrars`], which
    /// cannot fail.
    Noted,
}

impl Answer {
    /// The answer to a handle resolution that has succeeded.
    pub(super) const fn resolved(handle: PoolHandle, policy: Policy, elements: Vec<PoolElement>) -> Self {
        Self::Resolved(Ok(Resolution { handle, policy, elements }))
    }
}

/// The answer of a registrar about a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resolution {
    /// The handle of the pool.
    pub handle: PoolHandle,
    /// The policy of the pool.
    pub policy: Policy,
    /// Elements in the order that the registrar has chosen: the first is the one to use.
    pub elements: Vec<PoolElement>,
}

/// A session that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// The new session.
    pub session: SessionId,
    /// The element that serves it.
    pub element: ElementId,
    /// Where the element is.
    pub peer: TransportAddress,
}

/// How a session is; see [`User::session`](super::User::session).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionStatus {
    /// The pool.
    pub handle: PoolHandle,
    /// The element that serves it; `None` while it looks for one.
    pub element: Option<ElementId>,
    /// The requests and calls that are unanswered.
    pub unanswered: usize,
    /// The octets of the cookie that the next element would get.
    pub cookie_octets: Option<usize>,
    /// How often another element has taken over, so far.
    pub failovers: u64,
}

/// What the application is told unasked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The session has left its element, which has failed as a rule, and another one is being looked for.
    #[non_exhaustive]
    ElementFailed {
        /// The session of the element.
        session: SessionId,
        /// The element that it has left.
        element: ElementId,
        /// Why it was left.
        reason: FailureReason,
    },
    /// Another element serves the session. This notice comes before any message of that element.
    #[non_exhaustive]
    FailedOver {
        /// The session that was moved.
        session: SessionId,
        /// The previous element.
        from: ElementId,
        /// The present element; it is the same one if it has come back.
        to: ElementId,
        /// Where the present element is.
        peer: TransportAddress,
        /// Whether the state that an element before had left in a cookie was handed to it, before anything else.
        cookie_echoed: bool,
        /// The requests that were sent again.
        resent: Vec<RequestId>,
    },
    /// The element has left its state of the session in a cookie. It is kept instead of the one before, and handed to
    /// the element that will replace this one.
    #[non_exhaustive]
    CookieKept {
        /// The session of the cookie.
        session: SessionId,
        /// The element that sent it.
        element: ElementId,
        /// The octets of the cookie.
        octets: usize,
    },
    /// The element has said which elements are to be preferred when it fails, or, if the pool is another one, that it
    /// is the user of an application that belongs to that pool.
    #[non_exhaustive]
    PeerCard {
        /// The session of the element.
        session: SessionId,
        /// The element.
        element: ElementId,
        /// The pool of the card.
        handle: PoolHandle,
        /// The elements of that pool, the preferred one first, at most [`MAX_CARD`](crate::endpoint::MAX_CARD).
        elements: Vec<PoolElement>,
    },
    /// An application message.
    #[non_exhaustive]
    Received {
        /// The session in which it came.
        session: SessionId,
        /// The element that sent it.
        element: ElementId,
        /// Its payload protocol identifier.
        protocol: ProtocolId,
        /// Its octets.
        bytes: Bytes,
    },
    /// A request has ended without an answer. If one comes nevertheless, it is a message like any other.
    #[non_exhaustive]
    Unanswered {
        /// The session of the request.
        session: SessionId,
        /// The request.
        request: RequestId,
        /// Why it is given up.
        reason: UnansweredReason,
    },
    /// A session takes data again after [`Refusal::Congested`].
    #[non_exhaustive]
    Writable {
        /// The session that takes data.
        session: SessionId,
    },
    /// A session has ended.
    #[non_exhaustive]
    Closed {
        /// The session that has ended.
        session: SessionId,
        /// Why no other element could be found; `None` if the application closed the session.
        error: Option<UserError>,
    },
    /// A session takes long to open; told once, a second after [`Command::Open`].
    #[non_exhaustive]
    Opening {
        /// The handle of the pool.
        handle: PoolHandle,
        /// What is still missing.
        awaited: Awaited,
    },
    /// A pool that is watched is so now. Another home of an element, or another registration life, is no change.
    PoolChanged(Resolution),
    /// A pool that is watched does not exist now. It is told when it does.
    #[non_exhaustive]
    PoolGone {
        /// The handle of the pool.
        handle: PoolHandle,
    },
    /// The registrar that is asked says that a message of ours was wrong (ASAP_ERROR, RFC 5352 section 2.2.14).
    #[non_exhaustive]
    ErrorReported {
        /// Where the registrar is.
        registrar: TransportAddress,
        /// What it says.
        error: OperationError,
    },
    /// A registrar has accepted an association; it is the one that is asked from now on.
    #[non_exhaustive]
    RegistrarFound {
        /// Where it is.
        registrar: TransportAddress,
    },
    /// The association with the registrar that was asked has ended, or another one is asked because that does not
    /// answer. Without one, another is looked for when there is a question.
    #[non_exhaustive]
    RegistrarLost {
        /// Where it was.
        registrar: TransportAddress,
    },
    /// A round of the hunt has found no registrar; the hunt goes on.
    #[non_exhaustive]
    NoRegistrar {
        /// The registrars that were tried, in the order of their first attempts.
        tried: Vec<TransportAddress>,
    },
    /// All sessions are closed and the user is done.
    Stopped,
}

/// Why a request is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnansweredReason {
    /// The element failed, and the request is one with [`Delivery::Report`].
    #[error("its element has failed")]
    ElementFailed,
    /// It was not answered within its deadline.
    #[error("it was not answered before its deadline")]
    Deadline,
    /// It was sent as often as permitted, and its element has failed each time.
    #[error("it was sent as often as permitted, and its element has failed each time")]
    Deliveries,
}

/// What a session waits for that is being opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Awaited {
    /// A registrar that accepts an association.
    #[non_exhaustive]
    Registrar {
        /// The registrars that were tried; empty if none is known.
        tried: Vec<TransportAddress>,
    },
    /// The answer of a registrar.
    #[non_exhaustive]
    Answer {
        /// The registrar that was asked.
        registrar: TransportAddress,
    },
    /// An element that accepts an association.
    #[non_exhaustive]
    Element {
        /// The elements that are being tried.
        tried: Vec<TransportAddress>,
    },
}

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registrar { tried } if tried.is_empty() => f.write_str("no registrar is known so far"),
            Self::Registrar { tried } => write!(f, "no registrar answers so far ({})", listed(tried)),
            Self::Answer { registrar } => write!(f, "the registrar {registrar} has not answered so far"),
            Self::Element { tried } => write!(f, "no element answers so far ({})", listed(tried)),
        }
    }
}

/// Why a session has left its element.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FailureReason {
    /// The association ended.
    #[error("the association ended: {0}")]
    Disconnected(DownReason),
    /// A request was not answered within the time after which its session was to move
    /// ([`RequestLimits::move_after`]).
    #[error("a request was not answered in time")]
    Unanswered,
    /// The application asked for a failover.
    #[error("the application asked for a failover")]
    Asked,
}

/// Why a user could not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UserError {
    /// The registrar does not know the pool (cause 0x9).
    #[error(
        "no element has registered in this pool: check the pool handle, or try again when its servers are running"
    )]
    UnknownPool,
    /// A pool handle has 1 to [`PoolHandle::MAX_OCTETS`] octets.
    #[error("a pool handle has 1 to {} octets, and this one has {octets}: check it", PoolHandle::MAX_OCTETS)]
    #[non_exhaustive]
    InvalidHandle {
        /// The octets of the handle that was given.
        octets: usize,
    },
    /// The registrar refused for another cause.
    #[error("the registrar refused: {}", crate::wire::causes_text(&Some(.0.clone())))]
    Rejected(OperationError),
    /// No registrar answered within the permitted number of attempts.
    #[error("{}", no_registrar(tried))]
    NoRegistrar {
        /// The registrars that were tried; empty if none is known.
        tried: Vec<TransportAddress>,
    },
    /// The pool is known, but none of its elements could be reached in time.
    #[error(
        "none of the elements in the pool could be reached in time: check that its servers are running, then try again"
    )]
    NoElement,
    /// There are too many sessions or resolutions at the same time.
    #[error("too many sessions or resolutions at the same time: close a session, or raise max-sessions")]
    TooMany,
    /// The user is shutting down.
    #[error("the user is shutting down: start another one")]
    ShuttingDown,
    /// A driver says so: the code that ran the user has panicked, such as a policy of the application.
    #[error("the user has panicked ({0}): mend that, and start another one")]
    Panicked(String),
}

fn no_registrar(tried: &[TransportAddress]) -> String {
    if tried.is_empty() {
        return "no registrar is known, and none announces itself: name one".into();
    }
    alloc::format!("no registrar answers: check the addresses ({}), or name another one", listed(tried))
}

fn listed(addresses: &[TransportAddress]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{SctpAddress, SctpPort, UdpPort};

    #[test]
    fn an_error_without_a_registrar_says_where_it_was_sought() {
        let at = |host| SctpAddress::new([192, 0, 2, host].into(), SctpPort(3863), UdpPort(9899));
        let error = |tried| UserError::NoRegistrar { tried }.to_string();
        let both = "no registrar answers: check the addresses (192.0.2.1:9899/3863, 192.0.2.2:9899/3863), \
                    or name another one";
        assert_eq!(error(alloc::vec![at(1).into(), at(2).into()]), both);
        let none = "no registrar is known, and none announces itself: name one";
        assert_eq!(error(Vec::new()), none);
    }
}
