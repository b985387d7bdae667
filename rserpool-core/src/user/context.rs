//! The context that every part of the user works with.

use bytes::Bytes;

use super::config::UserConfig;
use super::counters::Counters;
use super::interface::{Answer, Notice, SessionId};
use crate::base::{AssociationId, Deadlines, Instant, PoolHandle, ProtocolId, Random};
use crate::endpoint::Outbox;
use crate::endpoint::hunt::ConnectIds;
use crate::wire::AsapMessage;

#[derive(Debug)]
pub(super) struct Context {
    pub(super) config: UserConfig,
    pub(super) random: Random,
    pub(super) outbox: Outbox<Answer, Notice>,
    pub(super) counters: Counters,
    pub(super) connects: ConnectIds,
    pub(super) deadlines: Deadlines<Timer>,
    pub(super) phase: Phase,
    /// The business card for elements, as a message, if the application is an element, too.
    pub(super) card: Option<Bytes>,
}

/// The purpose of a deadline.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// T1 of a resolution.
    Request(PoolHandle),
    /// The limits of the requests of a session.
    Limits(SessionId),
    /// The next piece of a long request may go.
    Piece(SessionId),
    /// The next candidate of a search may be tried.
    Stagger(SessionId),
    /// A search that found no element begins again.
    Retry(SessionId),
    /// The application is told what a session waits for that takes long to open.
    Tell(SessionId),
    /// A search is given up.
    Search(SessionId),
    /// A resolution that waits for a registrar is given up.
    Wait(PoolHandle),
    /// A session looks for a standby, or looks at the one that it has.
    Standby(SessionId),
    /// A watched pool is asked for again.
    Watch(PoolHandle),
}

/// How far a shutdown has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    /// Every association is being closed.
    Closing {
        deadline: Instant,
    },
    Stopped,
}

impl Context {
    pub(super) const fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running)
    }

    /// Sends an ASAP message; false if it is too long to be one, and nothing is sent.
    pub(super) fn send(&mut self, to: AssociationId, message: &AsapMessage) -> bool {
        match message.encode(self.config.padding) {
            Ok(bytes) => {
                self.outbox.send(to, ProtocolId::ASAP, bytes);
                true
            }
            Err(_) => false,
        }
    }
}
