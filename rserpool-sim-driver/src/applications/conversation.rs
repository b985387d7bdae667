//! What was said over the sessions of a user, one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rserpool_core::base::{ElementId, Instant};
use rserpool_core::user::{FailureReason, RequestId, SessionId};

/// A failover of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failover {
    /// The element before.
    pub from: ElementId,
    /// The element afterwards; `None` while it is looked for.
    pub to: Option<ElementId>,
    /// When the failure was noticed.
    pub noticed: Instant,
    /// When the other element took over.
    pub done: Option<Instant>,
    /// Why the element counted as failed.
    pub reason: FailureReason,
    /// The requests that were sent again.
    pub resent: Vec<RequestId>,
}

/// One session after the other, with what was said over them.
#[derive(Debug, Default)]
pub struct Conversation {
    pub(super) session: Option<SessionId>,
    /// It is being closed.
    pub(super) closing: bool,
    /// The element that serves the session.
    pub element: Option<ElementId>,
    /// The requests that are not answered, with the time they were handed over.
    pub unanswered: BTreeMap<RequestId, Instant>,
    /// Those of them whose answer has arrived and was not taken yet.
    pub(super) arrived: BTreeSet<RequestId>,
    /// Those that were sent again after their answer had arrived: another one may come.
    pub(super) repeated: BTreeSet<RequestId>,
    /// Requests handed over.
    pub asked: u64,
    /// Requests answered.
    pub answered: u64,
    /// The call that was answered last.
    pub(crate) last_call: Option<RequestId>,
    /// Requests that ended without an answer, of which the application was told: they were given up, or
    /// unanswered when their session ended.
    pub given_up: u64,
    /// Those whose answer may still come.
    pub(super) abandoned: BTreeSet<RequestId>,
    /// The longest time that an answered request took.
    pub slowest: Duration,
    /// Sessions opened.
    pub opened: u64,
    /// Failovers in their order.
    pub failovers: Vec<Failover>,
}

impl Conversation {
    /// The session, while one is open.
    pub const fn session(&self) -> Option<SessionId> {
        self.session
    }
}
