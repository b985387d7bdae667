//! Events, actions and the trait: the contract in types.

use alloc::collections::VecDeque;
use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::{Security, TransportCounters};
use crate::base::{AssociationId, CommandId, ConnectId, Instant, ProtocolId, SctpPort, TransportAddress};

/// The longest message, in octets, that every transport takes. Endpoints refuse longer application messages
/// with [`Refusal::Length`](super::Refusal::Length).
pub const MAX_MESSAGE: usize = 1 << 20;

/// What happened outside.
///
/// Events and actions are the contract. Therefore both enums stay exhaustive: if there is one more, the compiler
/// shows where it has to be handled. Of their variants only [`Event::Connected`] holds a struct, because more
/// will be known of an association: the identity that TLS has verified, or the delay of its path. The others
/// say all that there is to say. How secure a connection must be follows from the configuration of the
/// transport, not from a single [`Action::Connect`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An association is up. It stays up until the one [`Event::Disconnected`] that ends it.
    Connected(Connected),
    /// The addresses of the peer have changed: another one was verified, or packets come from another UDP
    /// port.
    Addresses {
        /// The association with the peer.
        association: AssociationId,
        /// The peer, with all its verified addresses. The first is the one of [`Event::Connected`]; the UDP
        /// port belongs to it.
        peer: TransportAddress,
    },
    /// An attempt ended without an association.
    ConnectFailed {
        /// The attempt, as [`Action::Connect`] named it.
        request: ConnectId,
        /// Why it failed.
        reason: ConnectError,
    },
    /// A whole message has arrived.
    Message {
        /// The association over which it came.
        association: AssociationId,
        /// Its payload protocol identifier.
        protocol: ProtocolId,
        /// The SCTP stream on which it came; 0 over TCP.
        stream: u16,
        /// Its octets.
        bytes: Bytes,
    },
    /// A message is on its way: a part of it has arrived. Told from time to time while further parts arrive, so that
    /// a long answer over a slow link is not taken for silence. A transport that only sees whole messages never
    /// tells it.
    Arriving {
        /// The association over which it comes.
        association: AssociationId,
    },
    /// The data queue has reached its bound, or the queue of control messages half of its own: send nothing that can
    /// wait, application data above all, until [`Event::Drained`]. Messages
    /// that were handed over are kept, and there is room for some more that were decided on at the same time.
    /// If an endpoint sends on nevertheless, the association ends with [`DownReason::QueueFull`]. It also
    /// ends when the queue of control messages (ASAP, ENRP and answers to questions for counters), which has a
    /// larger bound of its own, is full; the protocols repair what is lost by that.
    Congested {
        /// The association with this queue.
        association: AssociationId,
    },
    /// The queues take data again.
    Drained {
        /// The association with this queue.
        association: AssociationId,
    },
    /// An association has ended; no event or action names it again.
    Disconnected {
        /// The association that has ended.
        association: AssociationId,
        /// Why it has ended.
        reason: DownReason,
    },
    /// The transport itself has hung up on a peer, or has not let it in. An endpoint counts this and logs it.
    /// If an association ends by it, [`Event::Disconnected`] follows.
    HungUp {
        /// Our port to which the peer had connected.
        local_port: SctpPort,
        /// Where the peer is.
        peer: TransportAddress,
        /// Why the transport hung up.
        reason: HangUp,
    },
    /// A datagram has arrived on an announcement channel.
    Announce {
        /// The channel on which it arrived.
        channel: Channel,
        /// The address and UDP port from which it came. Nothing proves them.
        source: SocketAddr,
        /// Its octets.
        bytes: Bytes,
    },
}

/// An association that is up: how it came up, and with which peer.
///
/// It is made with [`Connected::new`]. Later versions add fields, each with a setter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connected {
    /// Its name from now on.
    pub association: AssociationId,
    /// Which side opened it.
    pub origin: Origin,
    /// Our SCTP port; over TCP that of the endpoint to which connections go.
    pub local_port: SctpPort,
    /// The peer, with the UDP port from which its packets really come.
    pub peer: TransportAddress,
    /// How it is secured, and whom the peer has proved to be.
    pub security: Security,
}

impl Connected {
    /// An association of which nothing more is known: without TLS.
    pub fn new(
        association: AssociationId,
        origin: Origin,
        local_port: SctpPort,
        peer: impl Into<TransportAddress>,
    ) -> Self {
        Self { association, origin, local_port, peer: peer.into(), security: Security::Plain }
    }

    /// The same, secured like this.
    #[must_use]
    pub fn with_security(self, security: Security) -> Self {
        Self { security, ..self }
    }
}

/// Which side opened an association.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The peer.
    Peer,
    /// We did: it answers this attempt.
    Attempt(ConnectId),
}

impl Origin {
    /// The attempt that it answers, if we opened it.
    pub const fn attempt(self) -> Option<ConnectId> {
        match self {
            Self::Peer => None,
            Self::Attempt(request) => Some(request),
        }
    }
}

impl From<Option<ConnectId>> for Origin {
    /// The attempt that is answered; `None` if the peer opened the association.
    fn from(request: Option<ConnectId>) -> Self {
        request.map_or(Self::Peer, Self::Attempt)
    }
}

/// What an endpoint wants to be done outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open an association. Exactly one [`Event::Connected`] or [`Event::ConnectFailed`] answers, unless the
    /// attempt is cancelled before.
    Connect {
        /// Identifies the attempt; used only once.
        request: ConnectId,
        /// Our SCTP port; 0 lets the transport choose a free one on which no endpoint listens.
        local_port: SctpPort,
        /// The peer. The transport tries up to three of its addresses, staggered, and keeps the first that
        /// answers.
        peer: TransportAddress,
        /// When the attempt fails at the latest.
        deadline: Instant,
    },
    /// Cancel an attempt. No event answers. An [`Event::Connected`] may have been on its way, though; the
    /// endpoint answers it with [`Action::Abort`].
    CancelConnect {
        /// The attempt, as [`Action::Connect`] named it.
        request: ConnectId,
    },
    /// Send one message of 1 to [`MAX_MESSAGE`] octets, reliably and in order.
    Send {
        /// The association over which to send. If it is gone or is being shut down, nothing is sent.
        association: AssociationId,
        /// The payload protocol identifier of the message.
        protocol: ProtocolId,
        /// The SCTP stream. If the peer does not have it, the message is sent on stream 0.
        stream: u16,
        /// The octets of the message.
        bytes: Bytes,
    },
    /// Hand out no more messages of an association until [`Action::Release`]: its endpoint has no room for them. The
    /// association stays up. The transport keeps what arrives, until its receive window is full and the peer has to
    /// wait. A transport that has no such window may ignore it, and goes on handing out.
    Hold {
        /// The association whose messages have to wait.
        association: AssociationId,
    },
    /// Hand out the messages of an association again, those first that have waited.
    Release {
        /// The association whose messages are wanted.
        association: AssociationId,
    },
    /// Deliver what is queued, then close. [`Event::Disconnected`] follows, at the latest at `deadline`.
    Shutdown {
        /// The association to close.
        association: AssociationId,
        /// When the association is aborted instead.
        deadline: Instant,
    },
    /// End an association at once; [`Event::Disconnected`] follows with [`DownReason::Local`].
    Abort {
        /// The association to end.
        association: AssociationId,
        /// The cause that the peer is told.
        cause: AbortCause,
    },
    /// Send a datagram to an announcement channel.
    Announce {
        /// The channel on which to send.
        channel: Channel,
        /// The octets of the datagram.
        bytes: Bytes,
    },
}

/// A multicast group for announcements over UDP (readings B22 and B43).
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
    /// There was no answer in time. Over UDP, a closed port may look the same as a dead host.
    #[error("no answer in time")]
    TimedOut,
    /// The peer refused with an ABORT, or the network says that nobody listens there.
    #[error("refused by the peer")]
    Refused,
    /// The peer has no room for the association at present, and said so with an ABORT (cause 4, out of
    /// resource). It lives, and may have room later.
    #[error("the peer has no room")]
    Busy,
    /// No socket can send to the address, for example to an IPv6 address from an IPv4 socket.
    #[error("no route to the address")]
    NoRoute,
    /// The transport holds as many associations as its limit allows.
    #[error("too many associations")]
    TooMany,
    /// There is an association or an attempt between the same ports of both ends already.
    #[error("the ports are in use between the same two ends")]
    InUse,
    /// TLS was demanded, and the peer does not speak it, has proved nothing that we accept, or accepts nothing that we
    /// can prove. The text says what was wrong.
    #[error("TLS: {0}")]
    Insecure(String),
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
    /// The peer has no room for the association at present, and said so when it aborted it (cause 4, out of
    /// resource). It lives, and may have room later.
    #[error("the peer has no room")]
    Busy,
    /// The peer broke the protocol of the transport, or sent a message that was too long.
    #[error("the peer broke the protocol")]
    Violation,
    /// The peer has not answered for as long as the transport's limits allow.
    #[error("peer is silent")]
    Silent,
    /// Nobody listens where the peer was: the network says so, and a transport that can has made sure of it.
    #[error("nobody listens at the peer")]
    Unreachable,
    /// The peer has restarted and opened another association.
    #[error("peer restarted")]
    Restarted,
    /// A queue reached its bound: that of control messages, or that of data because the endpoint sent on after
    /// [`Event::Congested`].
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
    /// There are as many connections as permitted, in all or from the peer's address.
    #[error("too many connections")]
    TooMany,
    /// The peer sent a length that no message has, so what follows cannot be read.
    #[error("a message of impossible length")]
    Malformed,
    /// The peer began a message and did not end it in time.
    #[error("a message took too long")]
    Slow,
    /// The peer did not read an answer in time.
    #[error("an answer was not taken")]
    Unread,
    /// The peer asked for nothing, or for nothing more, for too long.
    #[error("nothing was asked for too long")]
    Silent,
    /// Too much was queued for the peer, or from it.
    #[error("too much in the queue")]
    Flooding,
    /// The handshake of TLS failed or took too long: the peer has no certificate that we accept, does not speak TLS, or
    /// does not accept ours.
    #[error("no TLS")]
    Insecure,
}

impl From<HangUp> for DownReason {
    /// How the association ends when the transport hangs up.
    fn from(reason: HangUp) -> Self {
        match reason {
            HangUp::Malformed | HangUp::Insecure => Self::Violation,
            HangUp::Slow | HangUp::Unread | HangUp::Silent => Self::Silent,
            HangUp::Flooding | HangUp::TooMany => Self::QueueFull,
        }
    }
}

/// What a peer said when it aborted an association (RFC 9260 section 3.3.10).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct AbortReason {
    /// The code of the first cause, such as 12 (the user at the peer asked for it) or 13 (the peer believes
    /// that we broke the protocol); `None` if the peer gave no cause. Cause 4 is [`DownReason::Busy`] instead.
    pub cause: Option<u16>,
    /// The text that came with cause 12 or 13: at most 128 octets, without control characters.
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
    /// The endpoint does not want the association (cause 12).
    User,
    /// The endpoint has no room for the association at present (cause 4, out of resource). The peer sees
    /// [`DownReason::Busy`] or [`ConnectError::Busy`].
    OutOfResource,
    /// The peer broke the protocol above the transport (cause 13).
    ProtocolViolation,
}

/// What an endpoint tells its application.
///
/// Exhaustive like [`Event`] and [`Action`]: a driver must pass both on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output<A, N> {
    /// The end of the command with this identifier.
    Answer(CommandId, A),
    /// A notice, which the application has not asked for.
    Notice(N),
}

/// What the endpoint `E` tells its application.
pub type OutputOf<E> = Output<<E as Endpoint>::Answer, <E as Endpoint>::Notice>;

/// A registrar, a pool element, a pool user, an inspector, or an endpoint of your own.
///
/// An endpoint that sends back every message, and does nothing else:
///
/// ```
/// use core::convert::Infallible;
/// use rserpool_core::base::{AssociationId, CommandId, Instant, ProtocolId};
/// use rserpool_core::endpoint::{Action, Endpoint, Event, Outbox, Output};
///
/// #[derive(Default)]
/// struct Echo {
///     outbox: Outbox<Infallible, Infallible>,
///     stopped: bool,
/// }
///
/// impl Endpoint for Echo {
///     type Command = Infallible;
///     type Answer = Infallible;
///     type Notice = Infallible;
///
///     fn handle_event(&mut self, _now: Instant, event: Event) {
///         if let Event::Message { association, protocol, stream, bytes } = event {
///             self.outbox.act(Action::Send { association, protocol, stream, bytes });
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
///         self.outbox.actions.pop_front()
///     }
///
///     fn poll_output(&mut self) -> Option<Output<Infallible, Infallible>> {
///         self.outbox.outputs.pop_front()
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
    /// What the application can ask for.
    type Command;
    /// What ends a command. Each command gets exactly one answer, at once or later.
    type Answer;
    /// What the application is told unasked.
    type Notice;

    /// Handles what happened outside.
    fn handle_event(&mut self, now: Instant, event: Event);

    /// Handles what the application asks for; the answer carries `id`.
    fn handle_command(&mut self, now: Instant, id: CommandId, command: Self::Command);

    /// Handles the deadlines that are due; does nothing if none is.
    fn handle_timeout(&mut self, now: Instant);

    /// The next thing to be done outside; `None` if there is nothing more.
    fn poll_action(&mut self) -> Option<Action>;

    /// The next thing to tell the application; `None` if there is nothing more.
    fn poll_output(&mut self) -> Option<Output<Self::Answer, Self::Notice>>;

    /// The earliest deadline, at which [`Endpoint::handle_timeout`] has to be called; `None` if there is
    /// none.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Begins to leave: tells registrars and peers, delivers what is queued, and closes; all before
    /// `deadline`.
    fn begin_shutdown(&mut self, now: Instant, deadline: Instant);

    /// Whether a shutdown that was begun has come to its end.
    fn is_stopped(&self) -> bool;

    /// What the transport has counted so far, told before each command and before each question for counters
    /// ([`ProtocolId::MANAGEMENT`]). Nothing follows from it.
    fn note_transport(&mut self, _counters: &TransportCounters) {}

    /// The next address whose associations are to find room although strangers have taken all. To be drained like the
    /// actions. A transport that has no limit does not need it. By default there is none.
    fn poll_reservation(&mut self) -> Option<Reservation> {
        None
    }
}

/// For how many associations that come from an address a transport keeps room from now on: peers that are configured,
/// elements that are registered. Of IPv6 the whole network of 64 bits is meant. What was said of the address before is
/// void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// Where they come from.
    pub address: IpAddr,
    /// How many; with 0 its associations are as those of any stranger again.
    pub associations: usize,
}

/// What an endpoint has decided and its driver has not fetched yet.
///
/// Both queues are drained after every input, so their length is bounded by what one input can cause.
#[derive(Debug)]
pub struct Outbox<A, N> {
    /// Actions in their order.
    pub actions: VecDeque<Action>,
    /// Answers and notices in their order.
    pub outputs: VecDeque<Output<A, N>>,
}

impl<A, N> Default for Outbox<A, N> {
    fn default() -> Self {
        Self { actions: VecDeque::new(), outputs: VecDeque::new() }
    }
}

impl<A, N> Outbox<A, N> {
    /// Queues an action.
    pub fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    /// Queues one message on stream 0, where all control messages travel.
    pub fn send(&mut self, association: AssociationId, protocol: ProtocolId, bytes: Bytes) {
        self.act(Action::Send { association, protocol, stream: 0, bytes });
    }

    /// Queues a notice.
    pub fn tell(&mut self, notice: N) {
        self.outputs.push_back(Output::Notice(notice));
    }

    /// Queues the one answer to a command.
    pub fn answer(&mut self, id: CommandId, answer: A) {
        self.outputs.push_back(Output::Answer(id, answer));
    }
}
