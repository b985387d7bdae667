//! Events, actions and the trait: the contract that the module above states.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;

use bytes::Bytes;

use crate::base::{AssociationId, CommandId, ConnectId, Instant, ProtocolId, TransportAddress};

/// The longest message, in octets, that every transport takes. Application messages that are longer
/// are refused by the endpoints with a typed error.
pub const MAX_MESSAGE: usize = 1 << 20;

/// What happened outside.
///
/// Events and actions are the contract, so both enums stay exhaustive: the compiler tells whoever
/// implements a side of it when there is one more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An association is up. It stays up until the one [`Event::Disconnected`] that ends it.
    Connected {
        /// Its name from now on.
        association: AssociationId,
        /// The attempt it answers; `None` if the peer opened it.
        request: Option<ConnectId>,
        /// Our SCTP port.
        local_port: u16,
        /// The peer, with the UDP port from which its packets really come.
        peer: TransportAddress,
    },
    /// The addresses of the peer have changed: another one was verified, or its packets come from
    /// another UDP port.
    Addresses {
        /// Whose peer.
        association: AssociationId,
        /// The peer with all its verified addresses, first the one of [`Event::Connected`], and the
        /// UDP port of that.
        peer: TransportAddress,
    },
    /// An attempt ended without an association.
    ConnectFailed {
        /// The attempt.
        request: ConnectId,
        /// Why.
        reason: ConnectError,
    },
    /// One whole message has arrived.
    Message {
        /// Over this association.
        association: AssociationId,
        /// With this payload protocol identifier.
        protocol: ProtocolId,
        /// On this stream.
        stream: u16,
        /// The message.
        bytes: Bytes,
    },
    /// The data queue has reached its bound: send no more application data until
    /// [`Event::Drained`]. What was handed over is kept, and there is room for some more messages
    /// that were decided on at the same time. Whoever goes on ends the association with
    /// [`DownReason::QueueFull`]; so does a full queue of control messages (ASAP and ENRP), which
    /// has a larger bound of its own, and the protocols repair what was lost.
    Congested {
        /// Whose queue.
        association: AssociationId,
    },
    /// The data queue, congested before, takes data again.
    Drained {
        /// Whose queue.
        association: AssociationId,
    },
    /// An association has ended; no event or action names it again.
    Disconnected {
        /// Which.
        association: AssociationId,
        /// Why.
        reason: DownReason,
    },
    /// The transport has, of its own accord, hung up on a peer that had connected, or has not let it in.
    /// It is told to be counted and logged; if an association ends by it, [`Event::Disconnected`] says so.
    HungUp {
        /// Our port to which the peer had come.
        local_port: u16,
        /// The peer.
        peer: TransportAddress,
        /// Why.
        reason: HangUp,
    },
    /// A datagram has arrived on an announcement channel.
    Announce {
        /// The channel.
        channel: Channel,
        /// Where the datagram came from.
        source: SocketAddr,
        /// Its content.
        bytes: Bytes,
    },
}

/// What is to be done outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open an association; exactly one [`Event::Connected`] or [`Event::ConnectFailed`] answers,
    /// unless the attempt is cancelled first.
    Connect {
        /// The name of the attempt.
        request: ConnectId,
        /// Our SCTP port; 0 lets the transport choose a free one that nobody listens on.
        local_port: u16,
        /// The peer. Of several addresses the transport tries up to three, staggered, and keeps
        /// the first that answers.
        peer: TransportAddress,
        /// When to give up.
        deadline: Instant,
    },
    /// Give an attempt up. No event answers, except that an [`Event::Connected`] may have been on
    /// its way: the endpoint answers that with [`Action::Abort`].
    CancelConnect {
        /// The attempt.
        request: ConnectId,
    },
    /// Send one message of 1 to [`MAX_MESSAGE`] octets, reliably and in order.
    Send {
        /// Over this association; without effect if it is gone or being shut down.
        association: AssociationId,
        /// With this payload protocol identifier.
        protocol: ProtocolId,
        /// On this stream; 0 is taken instead of one that the peer does not have.
        stream: u16,
        /// The message.
        bytes: Bytes,
    },
    /// Deliver what is queued, then close; [`Event::Disconnected`] follows at the latest at
    /// `deadline`.
    Shutdown {
        /// Which association.
        association: AssociationId,
        /// When to abort instead.
        deadline: Instant,
    },
    /// End an association at once; [`Event::Disconnected`] follows with [`DownReason::Local`].
    Abort {
        /// Which association.
        association: AssociationId,
        /// What to tell the peer.
        cause: AbortCause,
    },
    /// Send a datagram to an announcement channel.
    Announce {
        /// The channel.
        channel: Channel,
        /// The datagram.
        bytes: Bytes,
    },
}

/// Where announcements travel, by UDP multicast (readings B22 and B43).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// ASAP_SERVER_ANNOUNCE, from registrars to elements and users.
    Asap,
    /// ENRP_PRESENCE, among registrars.
    Enrp,
}

/// Why an attempt to connect failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody answered in time. Over UDP a closed port looks the same as a dead host.
    #[error("no answer in time")]
    TimedOut,
    /// The peer refused with an ABORT.
    #[error("refused by the peer")]
    Refused,
    /// No socket can reach the address, for example an IPv6 address from an IPv4 socket.
    #[error("no route to the address")]
    NoRoute,
    /// The transport holds as many associations as its limit allows.
    #[error("too many associations")]
    TooMany,
    /// There is an association, or an attempt, between the same ports at both ends already.
    #[error("the ports are in use between the same two ends")]
    InUse,
}

/// Why an association ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DownReason {
    /// The peer closed it cleanly.
    #[error("closed by the peer")]
    PeerShutdown,
    /// The peer aborted it.
    #[error("aborted by the peer{0}")]
    Aborted(AbortReason),
    /// The peer broke the protocol of the transport, or sent a message that was too long.
    #[error("the peer broke the protocol")]
    Violation,
    /// The peer has not answered for as long as the transport's limits allow.
    #[error("peer is silent")]
    Silent,
    /// The peer has started anew and opened another association.
    #[error("peer restarted")]
    Restarted,
    /// The queue of control messages reached its bound; see [`Event::Congested`].
    #[error("send queue full")]
    QueueFull,
    /// We closed or aborted it ourselves.
    #[error("closed locally")]
    Local,
}

/// Why a transport has hung up on a peer, or has not let it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HangUp {
    /// There are as many connections as there may be, in all or from its address.
    #[error("too many connections")]
    TooMany,
    /// It sent a length that no message has, so that nothing can be told of what follows.
    #[error("a message of impossible length")]
    Malformed,
    /// It began a message and did not end it in time.
    #[error("a message took too long")]
    Slow,
    /// It did not take an answer in time.
    #[error("an answer was not taken")]
    Unread,
    /// It asked for nothing, or for nothing more, for too long.
    #[error("nothing was asked for too long")]
    Silent,
    /// More waited for it, or from it, than may.
    #[error("too much in the queue")]
    Flooding,
}

impl From<HangUp> for DownReason {
    /// How the association ends when the transport hangs up.
    fn from(reason: HangUp) -> Self {
        match reason {
            HangUp::Malformed => Self::Violation,
            HangUp::Slow | HangUp::Unread | HangUp::Silent => Self::Silent,
            HangUp::Flooding | HangUp::TooMany => Self::QueueFull,
        }
    }
}

/// What a peer said when it aborted an association (RFC 9260 section 3.3.10).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct AbortReason {
    /// The code of the first cause, such as 12 (the peer's user asked for it) or 13 (we broke the
    /// protocol, it believes); `None` if it named none.
    pub cause: Option<u16>,
    /// The text of cause 12 or 13: at most 128 octets, without control characters.
    pub text: String,
}

impl fmt::Display for AbortReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.cause, &self.text[..]) {
            (None, _) => Ok(()),
            (Some(cause), "") => write!(f, " (cause {cause})"),
            (Some(cause), text) => write!(f, " (cause {cause}: {text})"),
        }
    }
}

/// What an abort tells the peer; the transport encodes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbortCause {
    /// The user of the association asked for it.
    User,
    /// The peer broke the protocol above the transport.
    ProtocolViolation,
}

/// A registrar, a pool element, a pool user, or an endpoint of somebody's own.
///
/// One that sends back whatever it gets, and wants nothing:
///
/// ```
/// use core::convert::Infallible;
/// use rserpool_core::base::{AssociationId, CommandId, Instant, ProtocolId};
/// use rserpool_core::endpoint::{Action, Endpoint, Event, Outbox};
///
/// #[derive(Default)]
/// struct Echo {
///     out: Outbox<Infallible>,
///     stopped: bool,
/// }
///
/// impl Endpoint for Echo {
///     type Command = Infallible;
///     type Notice = Infallible;
///
///     fn handle_event(&mut self, _now: Instant, event: Event) {
///         if let Event::Message { association, protocol, stream, bytes } = event {
///             self.out.act(Action::Send { association, protocol, stream, bytes });
///         }
///     }
///
///     fn handle_command(&mut self, _now: Instant, _id: CommandId, command: Infallible) {
///         match command {}
///     }
///
///     fn handle_timeout(&mut self, _now: Instant) {}
///
///     fn poll_action(&mut self) -> Option<Action> {
///         self.out.actions.pop_front()
///     }
///
///     fn poll_notice(&mut self) -> Option<(Option<CommandId>, Infallible)> {
///         self.out.notices.pop_front()
///     }
///
///     fn poll_timeout(&self) -> Option<Instant> {
///         None
///     }
///
///     fn begin_shutdown(&mut self, _now: Instant, _deadline: Instant) {
///         self.stopped = true;
///     }
///
///     fn is_stopped(&self) -> bool {
///         self.stopped
///     }
/// }
///
/// let mut echo = Echo::default();
/// let (association, protocol) = (AssociationId::sctp(1), ProtocolId(0));
/// let heard = Event::Message { association, protocol, stream: 3, bytes: "hello".into() };
/// echo.handle_event(Instant::ORIGIN, heard);
/// let said = Action::Send { association, protocol, stream: 3, bytes: "hello".into() };
/// assert_eq!((echo.poll_action(), echo.poll_action()), (Some(said), None));
/// ```
pub trait Endpoint {
    /// What the application can ask for. Each command is answered by exactly one final notice.
    type Command;
    /// What the application is told.
    type Notice;

    /// Something happened outside.
    fn handle_event(&mut self, now: Instant, event: Event);

    /// The application asks for something; its final notice carries `id`.
    fn handle_command(&mut self, now: Instant, id: CommandId, command: Self::Command);

    /// Time has passed; does nothing if no deadline is due.
    fn handle_timeout(&mut self, now: Instant);

    /// The next thing to be done outside.
    fn poll_action(&mut self) -> Option<Action>;

    /// The next thing to tell the application; with an identifier if it answers a command.
    fn poll_notice(&mut self) -> Option<(Option<CommandId>, Self::Notice)>;

    /// The one deadline at which [`Endpoint::handle_timeout`] wants to be called.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Begins to leave: tell whoever must know, flush, close; all of it before `deadline`.
    fn begin_shutdown(&mut self, now: Instant, deadline: Instant);

    /// Whether a shutdown that was begun has come to its end.
    fn is_stopped(&self) -> bool;
}

/// What an endpoint has decided and nobody has fetched yet.
///
/// Both queues are drained after every input, so their length is bounded by what one input can
/// cause.
#[derive(Debug)]
pub struct Outbox<N> {
    /// Actions in their order.
    pub actions: VecDeque<Action>,
    /// Notices in their order.
    pub notices: VecDeque<(Option<CommandId>, N)>,
}

impl<N> Default for Outbox<N> {
    fn default() -> Self {
        Self { actions: VecDeque::new(), notices: VecDeque::new() }
    }
}

impl<N> Outbox<N> {
    /// Queues an action.
    pub fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    /// Queues one message on stream 0, where all control messages travel.
    pub fn send(&mut self, association: AssociationId, protocol: ProtocolId, bytes: Bytes) {
        self.act(Action::Send { association, protocol, stream: 0, bytes });
    }

    /// Queues a notice that answers no command.
    pub fn tell(&mut self, notice: N) {
        self.notices.push_back((None, notice));
    }

    /// Queues the final notice of a command.
    pub fn answer(&mut self, id: CommandId, notice: N) {
        self.notices.push_back((Some(id), notice));
    }

    /// All actions, for tests that assert them in their order.
    pub fn take_actions(&mut self) -> Vec<Action> {
        self.actions.drain(..).collect()
    }
}
