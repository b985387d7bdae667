//! Why an endpoint could not start, or has ended.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rserpool_core::base::{RegistrarId, TransportAddress};
use rserpool_core::endpoint::{Channel, ConfigError, Refusal};
use rserpool_core::user::UserError;

/// Why an endpoint could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A configured value cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// [`Builder::busy_poll`](crate::Builder::busy_poll) was asked for a longer span than
    /// [`MAX_BUSY_POLL`](crate::MAX_BUSY_POLL).
    #[error("busy_poll may be at most {longest:?}, and {asked:?} was asked for")]
    #[non_exhaustive]
    BusyPoll {
        /// The span that was asked for.
        asked: Duration,
        /// The longest that is permitted.
        longest: Duration,
    },
    /// The group given for the announcements is not a multicast address, or has no port.
    #[error("{}: {group} is not a multicast address with a port: name another group", group_key(*channel))]
    NoGroup {
        /// The channel of these announcements.
        channel: Channel,
        /// The group given.
        group: SocketAddr,
    },
    /// The group of the announcements and the address bound are of different families.
    #[error(
        "{}: {group} and the address bound must be of the same family, IPv4 or IPv6",
        group_key(*channel)
    )]
    OtherFamily {
        /// The channel of these announcements.
        channel: Channel,
        /// The group.
        group: SocketAddr,
    },
    /// An address that no packet from the socket can ever reach, or from which none can come: a registrar or
    /// peer of the other family, or an own address that was to be told to others.
    #[error(
        "nothing can be sent from {local} to {address}: bind to an address of the same family, or to [::], which reaches IPv4 and IPv6"
    )]
    #[non_exhaustive]
    Unreachable {
        /// The address that cannot be reached.
        address: SocketAddr,
        /// Where the socket is bound.
        local: SocketAddr,
    },
    /// An element was to register an address to which it is not bound (RFC 5352 sections 2.2.1 and 3.1).
    #[error(
        "addresses: {address} is not an address to which the element is bound ({local}). If it is that of a translator (NAT), say so with foreign_addresses"
    )]
    #[non_exhaustive]
    ForeignAddress {
        /// The address that was to be registered.
        address: IpAddr,
        /// Where the socket is bound.
        local: SocketAddr,
    },
    /// None of the names of registrars can be looked up; this is the last of them.
    #[error("cannot look up {name}: {source}. Check the name, or name the address of a registrar")]
    #[non_exhaustive]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The UDP port of SCTP encapsulation could not be bound.
    #[error("{}", bind_text(address, source))]
    Bind {
        /// The address and port asked for.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The TCP port of ASAP could not be bound.
    #[error("{}", listen_text(address, source))]
    Listen {
        /// The address and port.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The multicast group of the announcements could not be joined.
    #[error(
        "cannot join the announcement group {group} ({source}): name registrars instead, or bind to an interface that carries multicast"
    )]
    Join {
        /// The group and its port.
        group: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Bound to the unspecified address, and this machine seems to have no address that others could
    /// be told.
    #[error("no own address is known: bind to one address instead of all")]
    NoAddress,
    /// An element that could never register, or a user that could never ask: no registrar is configured, and
    /// announcements are not heard either.
    #[error("no registrar is configured and no announcements are heard: name a registrar or a group")]
    NoRegistrar,
    /// The operating system provides no random numbers for the seed.
    #[error("the operating system provides no random numbers ({0}): set a seed, for tests only")]
    Entropy(io::Error),
    /// The runtime cannot run an endpoint: it is not there, does not accept the socket, or has no timers.
    #[error(
        "the runtime cannot run an endpoint ({0}): start endpoints within the context of a runtime that has I/O and time"
    )]
    Runtime(io::Error),
}

/// The endpoint has ended, and answers no more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Stopped {
    /// It has left, as it was asked to.
    #[error("the endpoint has been shut down")]
    ShutDown,
    /// It has panicked.
    #[error(transparent)]
    Panicked(Panicked),
}

/// The code that runs an endpoint has panicked, such as a policy of the application. The endpoint is gone; those
/// that it has spoken with take it for dead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the endpoint has panicked ({message}): mend that, and start another one")]
#[non_exhaustive]
pub struct Panicked {
    /// What the panic says.
    pub message: String,
}

/// Why a registrar has ended without being asked to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Ended {
    /// Another registrar has its identifier.
    #[error(transparent)]
    IdentifierTaken(#[from] IdentifierTaken),
    /// It has panicked.
    #[error(transparent)]
    Panicked(#[from] Panicked),
}

/// Another registrar of the operational scope has the same identifier. An identifier never changes
/// (RFC 5353 section 2.1); therefore one of the two has to stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the registrar at {peer} also has the identifier {id}: give each registrar its own")]
#[non_exhaustive]
pub struct IdentifierTaken {
    /// The identifier.
    pub id: RegistrarId,
    /// Where the other one is.
    pub peer: TransportAddress,
}

/// An event loop that has ended counts as a user that is shutting down, unless it has panicked.
impl From<Stopped> for UserError {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::ShutDown => Self::ShuttingDown,
            Stopped::Panicked(Panicked { message }) => Self::Panicked(message),
        }
    }
}

/// Likewise for whoever has sessions.
impl From<Stopped> for Refusal {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::ShutDown => Self::ShuttingDown,
            Stopped::Panicked(_) => Self::Panicked,
        }
    }
}

/// The function of the builder that takes the group.
const fn group_key(channel: Channel) -> &'static str {
    match channel {
        Channel::Asap => "announce_group",
        Channel::Enrp => "enrp_announce_group",
    }
}

fn bind_text(address: &SocketAddr, source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            format!(
                "UDP port {address} is in use by another process: choose another, or port 0 for a free one"
            )
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("{address} is not an address of this machine: bind to one that is")
        }
        _ => format!("cannot bind UDP port {address}: {source}"),
    }
}

fn listen_text(address: &SocketAddr, source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            format!(
                "TCP port {address} is in use by another process: choose another, or none, for ASAP over TCP"
            )
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("{address} is not an address of this machine: bind to one that is")
        }
        _ => format!("cannot listen on TCP port {address}: {source}"),
    }
}
