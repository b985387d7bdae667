//! What an application asks of a registrar, what it is answered, and what it is told unasked.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::counters::Figures;
use super::rights::Rights;
use crate::base::{ProtocolId, RegistrarId, SctpAddress, TransportAddress};
use crate::endpoint::{ConnectError, HangUp, PeerStatus, Security};
use crate::handlespace::PeHandle;
use crate::wire::{CauseCode, DecodeError, PoolEntry};

/// What the application can ask a registrar for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// The whole handlespace. Answered by [`Answer::Pools`].
    Pools,
    /// Counters and sizes. Answered by [`Answer::Counters`].
    Counters,
    /// The other registrars. Answered by [`Answer::Peers`].
    Peers,
    /// Look for other registrars at these addresses from now on, instead of those in the configuration: their
    /// names may lead elsewhere by now. Answered by [`Answer::Done`].
    UsePeers(Vec<SctpAddress>),
    /// Judge by these rights from now on. What was granted before stays. Answered by [`Answer::Done`].
    UseRights(Box<Rights>),
    /// So many lines of the log of the process were lost since its start: only whoever writes them can count them,
    /// and whoever reads [`Counters`](super::Counters) should know. Answered by [`Answer::Done`].
    NoteLinesLost(u64),
}

/// What ends a command. No command of a registrar can fail.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// To [`Command::Pools`].
    Pools(Vec<PoolEntry>),
    /// To [`Command::Counters`].
    Counters(Box<Figures>),
    /// To [`Command::Peers`]: the other registrars, in the order of their identifiers.
    Peers(Vec<PeerStatus>),
    /// To [`Command::UsePeers`], [`Command::UseRights`] and [`Command::NoteLinesLost`].
    Done,
}

/// What the application is told unasked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The registrar offers its services now.
    #[non_exhaustive]
    Serving {
        /// The registrar from which it has its handlespace; `None` if it is alone.
        mentor: Option<RegistrarId>,
    },
    /// A peer has been heard for the first time, or again.
    #[non_exhaustive]
    PeerFound {
        /// Its ENRP server identifier.
        peer: RegistrarId,
        /// Where it is.
        address: SctpAddress,
    },
    /// Nobody answers at the address of a configured peer. Told of the first attempt in vain, and of every one whose
    /// number is a power of two: an operator needs to know, and no log is to be filled.
    #[non_exhaustive]
    PeerUnanswered {
        /// Where it should be.
        address: SctpAddress,
        /// Why the last attempt has failed.
        reason: ConnectError,
        /// Attempts in vain since an association was up.
        attempts: u32,
    },
    /// A peer is taken to be dead.
    #[non_exhaustive]
    PeerLost {
        /// Its ENRP server identifier.
        peer: RegistrarId,
    },
    /// The elements of a dead peer have a new home.
    #[non_exhaustive]
    TakenOver {
        /// The dead peer.
        target: RegistrarId,
        /// Their new home, which may be this registrar.
        by: RegistrarId,
        /// The number of those elements.
        elements: usize,
    },
    /// Another registrar has the same identifier. This one stops (RFC 5353 section 3.2.1 lets no
    /// identifier change): give it another.
    #[non_exhaustive]
    IdentifierTaken {
        /// The identifier.
        id: RegistrarId,
        /// Where the other one is.
        peer: TransportAddress,
    },
    /// A registrar at an address that is not configured says that our identifier is its own. It is not believed,
    /// because anybody could stop us that way: look whether two registrars have been given the same identifier.
    #[non_exhaustive]
    IdentifierDoubted {
        /// The identifier.
        id: RegistrarId,
        /// Where the other one is.
        peer: TransportAddress,
    },
    /// An element has entered a pool, or an element of ours now speaks from elsewhere.
    #[non_exhaustive]
    Registered {
        /// The element.
        pe: PeHandle,
        /// Where it registered from.
        peer: SctpAddress,
    },
    /// A registration was refused.
    #[non_exhaustive]
    Rejected {
        /// The element.
        pe: PeHandle,
        /// Where it tried to register from.
        peer: TransportAddress,
        /// The error cause.
        cause: CauseCode,
    },
    /// An element has left its pool.
    #[non_exhaustive]
    Removed {
        /// The element.
        pe: PeHandle,
        /// Why it has left.
        reason: RemovalReason,
    },
    /// An element of ours has another home now; it stays in the handlespace.
    #[non_exhaustive]
    Moved {
        /// The element.
        pe: PeHandle,
        /// Its new home.
        home: RegistrarId,
    },
    /// A message was not a valid ASAP or ENRP message.
    #[non_exhaustive]
    Malformed {
        /// Its sender.
        peer: TransportAddress,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// The receiver of a message of ours has answered that something is wrong with it.
    #[non_exhaustive]
    ErrorReceived {
        /// The receiver.
        peer: TransportAddress,
        /// ASAP or ENRP.
        protocol: ProtocolId,
        /// The first error cause.
        cause: CauseCode,
    },
    /// The transport has disconnected a client, or has refused it.
    #[non_exhaustive]
    HungUp {
        /// The client.
        peer: TransportAddress,
        /// Why the transport hung up.
        reason: HangUp,
    },
    /// Somebody wanted what it may not.
    #[non_exhaustive]
    Forbidden {
        /// Where it is.
        peer: TransportAddress,
        /// Whom it has proved to be.
        security: Security,
        /// What it wanted, as a clause that goes on from "may not".
        what: &'static str,
        /// The element that it wanted to register or deregister.
        element: Option<PeHandle>,
        /// The rule that is about it and does not grant that; `None` if no rule is about it.
        rule: Option<String>,
    },
    /// All associations are closed and the registrar is done.
    Stopped,
}

/// Why an element has left its pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemovalReason {
    /// It deregistered.
    #[error("deregistered")]
    Deregistered,
    /// It did not answer a keep-alive.
    #[error("no answer to a keep-alive")]
    Silent,
    /// More users reported it than MAX-BAD-PE-REPORT allows.
    #[error("reported as unreachable too often")]
    Reported,
    /// Its registration life ended.
    #[error("registration life ended")]
    Expired,
}
