//! What the event loop must know of an endpoint beyond the contract.

use rserpool_core::base::{AssociationId, PoolHandle};
use rserpool_core::endpoint::Endpoint;
use rserpool_core::user::{RequestId, SessionId};

use crate::log::Log;
use crate::pairing::Pairs;

/// The receiver of a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(unnameable_types, reason = "seals `Configuration`")]
pub enum Recipient {
    /// The application, in the order of events.
    Application,
    /// The application, through the handle of a session.
    Session(SessionId),
    /// Likewise, as the last event of the session.
    EndOfSession(SessionId),
    /// The callers that wait to send in a session.
    Writable(SessionId),
    /// Those who watch this pool. Only the newest notice is kept for each.
    Watchers(PoolHandle),
    /// The application, if it cares: what finds no room is dropped.
    Onlooker,
    /// None: the notice is only logged.
    None,
}

/// What an endpoint is told beside the commands: nobody waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(unnameable_types, reason = "seals `Configuration`")]
pub enum Remark {
    /// The last handle of a session was dropped, or its events are never taken.
    Session(SessionId),
    /// A request of a session was answered, or nobody waits for it any more.
    Request(SessionId, RequestId),
    /// The element of a session owes answers that it will never give.
    Stuck(SessionId),
    /// The queue of a session is full.
    Full(SessionId),
    /// The queue of a session has room again.
    Room(SessionId),
    /// The queue of a session of an element is full; nothing more is read from its user.
    Hold(AssociationId),
    /// It has room again.
    Release(AssociationId),
    /// The last handle of a session of an element was dropped, or its messages are never taken.
    Visitor(AssociationId),
    /// Nobody watches a pool any more.
    Unwatched(PoolHandle),
}

/// An endpoint that the event loop can drive.
#[expect(unnameable_types, reason = "seals `Configuration`")]
pub trait Role: Endpoint<Command: Send, Answer: Send, Notice: Clone + Send> + Send + 'static {
    /// The receiver of this notice.
    fn recipient(notice: &Self::Notice) -> Recipient;

    /// Whether the same notice comes again by itself, so that one may be left out while events
    /// wait.
    fn repeats(_notice: &Self::Notice) -> bool {
        false
    }

    /// Whether callers that wait for room are to try again.
    fn makes_room(_notice: &Self::Notice) -> bool {
        false
    }

    /// Whether no registrar has answered.
    fn tells_silence(_notice: &Self::Notice) -> bool {
        false
    }

    /// The octets of the message in an event.
    fn octets(_notice: &Self::Notice) -> usize {
        0
    }

    /// The session that this answer has opened.
    fn opened(_answer: &Self::Answer) -> Option<SessionId> {
        None
    }

    /// Whether this answer says that a command was carried out.
    fn is_done(_answer: &Self::Answer) -> bool {
        false
    }

    /// Pairs what happens in a session with its calls. What is left is for the application.
    fn pair(_pairs: &Pairs, notice: Self::Notice) -> (Option<Self::Notice>, Option<Remark>) {
        (Some(notice), None)
    }

    /// Whether by this answer a pool is watched.
    fn watches(_answer: &Self::Answer) -> bool {
        false
    }

    /// The command that follows from a remark.
    fn note(_remark: Remark) -> Option<Self::Command> {
        None
    }

    /// Whether a command need not be carried out if its caller has gone before it was taken.
    fn needs_caller(_command: &Self::Command) -> bool {
        false
    }

    /// Writes a notice to the log, unless lines of its kind come too fast.
    fn log(notice: &Self::Notice, log: &mut Log);

    /// Likewise an answer: its receiver knows of it, but what it tells of may matter to others.
    fn log_answer(_answer: &Self::Answer, _log: &mut Log) {}
}
