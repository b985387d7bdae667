//! Hands answers to the callers of commands, and notices to a session or the application.

use std::collections::{BTreeMap, VecDeque};
use std::task::{Context, Poll};

use async_channel::{Receiver, Sender, TrySendError};
use rserpool_core::base::CommandId;
use rserpool_core::endpoint::Endpoint;
use rserpool_core::user::SessionId;

use crate::role::{Recipient, Role};
use crate::runtime::BoxFuture;

/// Octets of messages for which an event takes one more place in its queue: a queue of 1,024 places
/// holds no more than 4 MiB, and one message.
const OCTETS_PER_PLACE: usize = 4096;

/// The sending end of a queue of events. A long message takes several places; all but the first
/// hold `None`.
pub(super) type EventSender<E> = Sender<Option<<E as Endpoint>::Notice>>;
/// The receiving end of a queue of events.
pub(super) type EventReceiver<E> = Receiver<Option<<E as Endpoint>::Notice>>;

/// Where the events of a session go.
pub(super) struct SessionQueue<E: Role> {
    /// Its events.
    pub(super) events: EventSender<E>,
    /// Holds a token when the session takes data again.
    pub(super) writable: Sender<()>,
}

/// A command that has not been answered yet.
pub(super) struct Waiting<E: Role> {
    /// Where its answer goes.
    pub(super) reply: Sender<E::Answer>,
    /// The queue of the session that the command opens, if it opens one.
    pub(super) session: Option<SessionQueue<E>>,
}

/// The receivers of the answers and notices of one endpoint.
///
/// Every queue is bounded. A queue that is full holds the rest back in order, and
/// [`Delivery::is_blocked`] tells the event loop to receive nothing more meanwhile. Therefore the backlog
/// is no longer than what one batch of datagrams, the timers and the commands of a caller cause.
pub(super) struct Delivery<E: Role> {
    commands: BTreeMap<CommandId, Waiting<E>>,
    sessions: BTreeMap<SessionId, SessionQueue<E>>,
    application: EventSender<E>,
    backlog: VecDeque<(EventSender<E>, E::Notice)>,
    blocked: Option<BoxFuture>,
    abandoned: Vec<SessionId>,
    patient: bool,
}

impl<E: Role> Delivery<E> {
    pub(super) fn new(application: EventSender<E>) -> Self {
        Self {
            commands: BTreeMap::new(),
            sessions: BTreeMap::new(),
            application,
            backlog: VecDeque::new(),
            blocked: None,
            abandoned: Vec::new(),
            patient: true,
        }
    }

    /// The answer to this command will be waited for.
    pub(super) fn expect(&mut self, id: CommandId, waiting: Waiting<E>) {
        self.commands.insert(id, waiting);
    }

    /// The application may not take events any more: from now on those that find no place are
    /// dropped, so that leaving never waits for it.
    pub(super) fn stop_waiting(&mut self) {
        self.patient = false;
        self.blocked = None;
        for (queue, notice) in std::mem::take(&mut self.backlog) {
            let _ = queue.try_send(Some(notice));
        }
    }

    /// Whether a queue is full because its events are not taken.
    pub(super) const fn is_blocked(&self) -> bool {
        self.blocked.is_some()
    }

    /// A session whose handle was dropped before it learned of the session.
    pub(super) fn pop_abandoned(&mut self) -> Option<SessionId> {
        self.abandoned.pop()
    }

    /// Passes one notice on.
    pub(super) fn accept(&mut self, notice: E::Notice) {
        match E::recipient(&notice) {
            Recipient::None => {}
            Recipient::Application if self.is_blocked() && E::repeats(&notice) => {}
            Recipient::Application => {
                let queue = self.application.clone();
                self.enqueue(queue, notice);
            }
            Recipient::Writable(session) => {
                if let Some(queue) = self.sessions.get(&session) {
                    let _ = queue.writable.try_send(());
                }
            }
            Recipient::Session(session) => {
                if let Some(queue) = self.sessions.get(&session) {
                    let queue = queue.events.clone();
                    self.enqueue(queue, notice);
                }
            }
            Recipient::EndOfSession(session) => {
                if let Some(queue) = self.sessions.remove(&session) {
                    self.enqueue(queue.events, notice);
                }
            }
        }
    }

    /// Moves the backlog on; true if it moved.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> bool {
        let Some(blocked) = &mut self.blocked else { return false };
        if blocked.as_mut().poll(context) == Poll::Pending {
            return false;
        }
        self.blocked = None;
        while self.blocked.is_none() {
            let Some((queue, notice)) = self.backlog.pop_front() else { break };
            self.enqueue(queue, notice);
        }
        true
    }

    /// Passes the answer to a command on.
    pub(super) fn answer(&mut self, id: CommandId, answer: E::Answer) {
        let Some(Waiting { reply, session }) = self.commands.remove(&id) else { return };
        let opened = E::opened(&answer);
        if let (Some(id), Some(queue)) = (opened, session) {
            self.sessions.insert(id, queue);
        }
        // The reply channel holds one answer, so it can only be closed: the caller has gone.
        if let (Err(_), Some(id)) = (reply.try_send(answer), opened) {
            self.sessions.remove(&id);
            self.abandoned.push(id);
        }
    }

    fn enqueue(&mut self, queue: EventSender<E>, notice: E::Notice) {
        if self.blocked.is_some() {
            return self.backlog.push_back((queue, notice));
        }
        let mut more = E::octets(&notice) / OCTETS_PER_PLACE;
        let mut refused = queue.try_send(Some(notice));
        while refused.is_ok() && more > 0 {
            more -= 1;
            refused = queue.try_send(None);
        }
        if let Err(TrySendError::Full(place)) = refused
            && self.patient
        {
            self.blocked = Some(Box::pin(async move {
                let places = std::iter::once(place).chain((0..more).map(|_| None));
                for place in places {
                    if queue.send(place).await.is_err() {
                        break;
                    }
                }
            }));
        }
    }
}

/// Takes the next event; `None` when there will be none any more. Cancel safe.
pub(super) async fn next_event<N>(queue: &Receiver<Option<N>>) -> Option<N> {
    loop {
        if let Some(event) = queue.recv().await.ok()? {
            return Some(event);
        }
    }
}
