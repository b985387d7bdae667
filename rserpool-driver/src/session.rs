//! A session with a pool: one element at a time, replaced by another when it fails.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use async_channel::{Receiver, WeakSender, bounded};
use bytes::Bytes;
use rserpool_core::base::{ElementId, PoolHandle, ProtocolId, TransportAddress};
use rserpool_core::element::Refusal;
use rserpool_core::user::{
    Answer, Command, Delivery, FailureReason, Message, Notice, Open, Opened, RequestId, SessionId, User,
    UserError,
};

use crate::delivery::{EventReceiver, SessionQueue, next_event};
use crate::error::Stopped;
use crate::handle::{Handle, take, variant};

/// Events of one session that wait for the application, fewer if messages are longer than 4 KiB;
/// then the event loop of the user, with all its sessions, receives no more.
pub const SESSION_QUEUE: usize = 1024;

/// A session with an element of a pool; clones are handles of the same one.
///
/// Take its events all the time, and acknowledge each answer with [`Session::answered`]. When the
/// last handle is dropped, the session closes.
pub struct Session<R> {
    shared: Arc<Shared>,
    runtime: PhantomData<fn() -> R>,
}

/// What happens in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEvent {
    /// A message has arrived.
    #[non_exhaustive]
    Received {
        /// The element that sent it.
        element: ElementId,
        /// Its payload protocol identifier.
        protocol: ProtocolId,
        /// The message.
        bytes: Bytes,
    },
    /// The element has failed, and another is being looked for.
    #[non_exhaustive]
    ElementFailed {
        /// The element.
        element: ElementId,
        /// Why it counts as failed.
        reason: FailureReason,
    },
    /// Another element serves the session. Comes before any message of that element.
    #[non_exhaustive]
    FailedOver {
        /// The element before.
        from: ElementId,
        /// The element now; the same one if it has come back.
        to: ElementId,
        /// Where it is.
        peer: TransportAddress,
        /// The requests that were sent again.
        resent: Vec<RequestId>,
    },
    /// A request with [`Delivery::Report`] went unanswered, and its element has failed.
    #[non_exhaustive]
    Unanswered {
        /// The request.
        request: RequestId,
    },
    /// The session has ended; the last event.
    #[non_exhaustive]
    Closed {
        /// Why, unless the application closed it.
        error: Option<UserError>,
    },
}

struct Shared {
    handle: Handle<User>,
    id: SessionId,
    element: AtomicU32,
    last_request: AtomicU64,
    events: EventReceiver<User>,
    writable: Receiver<()>,
    /// Weak, so that waiting ends when the event loop forgets the session.
    writable_sender: WeakSender<()>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The channel has no bound, so this fails only if the loop has ended.
        let _ = self.handle.dropped_sessions.try_send(self.id);
    }
}

impl<R> Session<R> {
    pub(super) async fn open(handle: &Handle<User>, pool: PoolHandle) -> Result<Self, UserError> {
        let (event_sender, events) = bounded(SESSION_QUEUE);
        let (writable_sender, writable) = bounded(1);
        let weak = writable_sender.downgrade();
        let queue = SessionQueue { events: event_sender, writable: writable_sender };
        let answer = handle.submit(Command::Open(Open::new(pool)), Some(queue)).await?;
        let opened = OpenAnswer { answer, handle }.wait().await??;
        let shared = Shared {
            handle: handle.clone(),
            id: opened.session,
            element: AtomicU32::new(opened.element.0),
            last_request: AtomicU64::new(0),
            events,
            writable,
            writable_sender: weak,
        };
        Ok(Self { shared: Arc::new(shared), runtime: PhantomData })
    }

    /// The element that serves the session, as of the last event taken.
    pub fn element(&self) -> ElementId {
        ElementId(self.shared.element.load(Ordering::Relaxed))
    }

    /// Sends a message that is to be answered: while it is unanswered, it is sent again to each
    /// element that the session moves to. Waits while the session is congested.
    ///
    /// Cancel safe, but the message may have been sent when the future is dropped.
    ///
    /// # Errors
    ///
    /// If the session has ended, or `protocol` belongs to ASAP or ENRP.
    pub async fn request(&self, protocol: ProtocolId, bytes: impl Into<Bytes>) -> Result<RequestId, Refusal> {
        let request = RequestId(self.shared.last_request.fetch_add(1, Ordering::Relaxed) + 1);
        self.send(protocol, bytes, Delivery::Retry(request)).await?;
        Ok(request)
    }

    /// Sends a message; `delivery` says what becomes of it when the element fails. Waits while the
    /// session is congested; events must be taken meanwhile.
    ///
    /// Cancel safe, but the message may have been sent when the future is dropped.
    ///
    /// # Errors
    ///
    /// If the session has ended, or `protocol` belongs to ASAP or ENRP.
    pub async fn send(
        &self,
        protocol: ProtocolId,
        bytes: impl Into<Bytes>,
        delivery: Delivery,
    ) -> Result<(), Refusal> {
        let bytes = bytes.into();
        let mut turn = None;
        loop {
            match self.try_send(protocol, bytes.clone(), delivery).await {
                Err(Refusal::Congested) => {
                    if let Some(turn) = turn.take() {
                        Turn::end(turn);
                    }
                    self.shared.writable.recv().await.map_err(|_| Refusal::UnknownSession)?;
                    turn = Some(Turn(&self.shared.writable_sender));
                }
                result => return result,
            }
        }
    }

    /// Like [`Session::send`], but does not wait while the session is congested.
    ///
    /// # Errors
    ///
    /// [`Refusal::Congested`], and those of [`Session::send`].
    pub async fn try_send(
        &self,
        protocol: ProtocolId,
        bytes: impl Into<Bytes>,
        delivery: Delivery,
    ) -> Result<(), Refusal> {
        let message = Message::new(self.shared.id, protocol, bytes).delivery(delivery);
        self.ask(Command::Send(message)).await
    }

    /// Says that a request was answered, so that it is not supervised or sent again any more.
    ///
    /// # Errors
    ///
    /// If the session has ended.
    pub async fn answered(&self, request: RequestId) -> Result<(), Refusal> {
        self.ask(Command::Answered { session: self.shared.id, request }).await
    }

    /// Gives the present element up and moves to another.
    ///
    /// # Errors
    ///
    /// If the session has ended.
    pub async fn fail_over(&self) -> Result<(), Refusal> {
        self.ask(Command::Failover { session: self.shared.id }).await
    }

    /// Closes the session, after what is queued has been delivered; [`SessionEvent::Closed`]
    /// follows.
    ///
    /// # Errors
    ///
    /// If the session has ended.
    pub async fn close(&self) -> Result<(), Refusal> {
        self.ask(Command::Close { session: self.shared.id }).await
    }

    /// Waits for the next event; `None` after [`SessionEvent::Closed`].
    ///
    /// Cancel safe: no event is lost. Of several callers each event goes to one.
    pub async fn next_event(&self) -> Option<SessionEvent> {
        loop {
            let event = match next_event(&self.shared.events).await? {
                Notice::Received { element, protocol, bytes, .. } => {
                    SessionEvent::Received { element, protocol, bytes }
                }
                Notice::ElementFailed { element, reason, .. } => {
                    SessionEvent::ElementFailed { element, reason }
                }
                Notice::FailedOver { from, to, peer, resent, .. } => {
                    self.shared.element.store(to.0, Ordering::Relaxed);
                    SessionEvent::FailedOver { from, to, peer, resent }
                }
                Notice::Unanswered { request, .. } => SessionEvent::Unanswered { request },
                Notice::Closed { error, .. } => SessionEvent::Closed { error },
                _ => continue,
            };
            return Some(event);
        }
    }

    async fn ask(&self, command: Command) -> Result<(), Refusal> {
        self.shared.handle.ask(command, variant!(Answer::Done)).await.unwrap_or(Err(Refusal::ShuttingDown))
    }
}

impl<R> Clone for Session<R> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), runtime: PhantomData }
    }
}

impl<R> fmt::Debug for Session<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("id", &self.shared.id).field("element", &self.element()).finish()
    }
}

/// The one token for all callers that wait to send. A caller passes it on when it has sent, or when its
/// future is dropped.
struct Turn<'a>(&'a WeakSender<()>);

impl Turn<'_> {
    /// The session is congested again; the token will come anew.
    fn end(self) {
        std::mem::forget(self);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(sender) = self.0.upgrade() {
            let _ = sender.try_send(());
        }
    }
}

/// The answer to [`Command::Open`] until it is taken. Dropped, it closes a session that
/// was opened meanwhile; one that is opened later finds the channel closed.
struct OpenAnswer<'a> {
    answer: Receiver<Answer>,
    handle: &'a Handle<User>,
}

impl OpenAnswer<'_> {
    async fn wait(self) -> Result<Result<Opened, UserError>, Stopped> {
        take(self.answer.recv().await.map_err(|_| Stopped)?, variant!(Answer::Opened))
    }
}

impl Drop for OpenAnswer<'_> {
    fn drop(&mut self) {
        self.answer.close();
        if let Ok(Answer::Opened(Ok(opened))) = self.answer.try_recv() {
            let _ = self.handle.dropped_sessions.try_send(opened.session);
        }
    }
}
