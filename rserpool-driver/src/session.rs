//! A session with a pool: one element at a time, replaced by another when it fails.

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_channel::{Receiver, bounded};
use bytes::Bytes;
use rserpool_core::base::{ElementId, PoolHandle, ProtocolId, TransportAddress};
use rserpool_core::element::Refusal;
use rserpool_core::endpoint::pieces::{self, Arrived, Assembly, MAX_LONG_MESSAGE};
use rserpool_core::user::{
    Answer, Command, Delivery, FailureReason, Message, Notice, Open, Opened, RequestId, RequestLimits,
    SessionId, SessionStatus, UnansweredReason, User, UserError,
};
use rserpool_core::wire::PoolElement;

use crate::delivery::{Opens, SessionEvents, SessionQueue, session_queue};
use crate::error::Stopped;
use crate::handle::{Handle, take, variant};
use crate::line::Line;
use crate::pairing::Pairs;
use crate::role::Remark;

/// A session with an element of a pool; clones are handles of the same one.
///
/// [`Session::call`] sends a request and returns its answer, if the servers know calls. Otherwise take the answers as
/// events, and acknowledge each with [`Session::answered`]: a request that is not
/// acknowledged ends with [`SessionEvent::Unanswered`] at its deadline. When the last handle is dropped, the session
/// closes.
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
    /// The session has left its element, which has failed as a rule, and another is being looked for.
    #[non_exhaustive]
    ElementFailed {
        /// The element.
        element: ElementId,
        /// Why it was left.
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
        /// Whether it was handed the state that an element before had left in a cookie, before anything else.
        cookie_echoed: bool,
        /// The requests that were sent again.
        resent: Vec<RequestId>,
    },
    /// The element has left its state of the session in a cookie, which the next element will get. Not told while many
    /// events wait to be taken.
    #[non_exhaustive]
    CookieKept {
        /// The element.
        element: ElementId,
        /// The octets of the cookie.
        octets: usize,
    },
    /// The element has named elements of a pool (a business card): those that are to be preferred when it fails, or, if
    /// it is another pool, those of the pool to which the user of this application belongs.
    #[non_exhaustive]
    PeerCard {
        /// The element.
        element: ElementId,
        /// The pool.
        handle: PoolHandle,
        /// Its elements, the preferred one first.
        elements: Vec<PoolElement>,
    },
    /// A request has ended without an answer: it has reached one of its [limits](RequestLimits), or it is one
    /// with [`Delivery::Report`] and its element has failed.
    #[non_exhaustive]
    Unanswered {
        /// The request.
        request: RequestId,
        /// Why it is given up.
        reason: UnansweredReason,
    },
    /// The session has ended; the last event.
    #[non_exhaustive]
    Closed {
        /// Why, unless the application closed it.
        error: Option<UserError>,
    },
}

pub(super) struct Shared {
    pub(super) handle: Handle<User>,
    pub(super) id: SessionId,
    element: AtomicU32,
    last_request: AtomicU64,
    /// Of requests that have none of their own.
    limits: RequestLimits,
    events: SessionEvents<User>,
    pub(super) pairs: Pairs,
    pub(super) writable: Receiver<()>,
    /// Those who wait to send.
    pub(super) line: Line,
    /// Those who send a long message: one at a time.
    long: Line,
    /// Those who make a long call: one at a time.
    pub(super) long_calls: Line,
    last_long: AtomicU32,
    /// The long message that arrives.
    assembly: Mutex<Assembly>,
}

impl Shared {
    /// The name of another request.
    pub(super) fn next_request(&self) -> RequestId {
        RequestId(self.last_request.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn assembly(&self) -> MutexGuard<'_, Assembly> {
        self.assembly.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is not limited by itself is limited as the session says.
    pub(super) fn limits(&self, mut own: RequestLimits) -> RequestLimits {
        own.deadline = own.deadline.or(self.limits.deadline);
        own.deliveries = own.deliveries.or(self.limits.deliveries);
        own.move_after = own.move_after.or(self.limits.move_after);
        own
    }

    /// Sends a message. Waits while the session is congested.
    pub(super) async fn deliver(
        &self,
        message: Message,
        opens: impl Fn() -> Opens<User>,
    ) -> Result<(), Refusal> {
        if self.line.is_empty() {
            match self.send(message.clone(), opens()).await {
                Err(Refusal::Congested) => {}
                result => return result,
            }
        }
        // Otherwise a large message would wait for as long as small ones flow.
        let _turn = self.line.turn().await;
        loop {
            match self.send(message.clone(), opens()).await {
                Err(Refusal::Congested) => {
                    self.writable.recv().await.map_err(|_| Refusal::UnknownSession)?;
                }
                result => return result,
            }
        }
    }

    async fn send(&self, message: Message, opens: Opens<User>) -> Result<(), Refusal> {
        let answer = self.handle.submit(Command::Send(message), opens).await?;
        let answer = answer.recv().await.map_err(|_| self.handle.outlook.reason())?;
        take(answer, variant!(Answer::Done))?
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The channel has no bound, so this fails only if the loop has ended.
        let _ = self.handle.remarks.try_send(Remark::Session(self.id));
    }
}

impl<R> Session<R> {
    pub(super) async fn open(
        handle: &Handle<User>,
        open: Open,
        limits: RequestLimits,
    ) -> Result<Self, UserError> {
        let (writable_sender, writable) = bounded(1);
        let pairs = Pairs::default();
        let (queue, events) = session_queue();
        let queue = SessionQueue { events: queue, pairs: pairs.clone(), writable: writable_sender };
        let answer = handle.submit(Command::Open(open), Opens::Session(queue)).await?;
        let opened = OpenAnswer { answer, handle }.wait().await??;
        let shared = Shared {
            handle: handle.clone(),
            id: opened.session,
            element: AtomicU32::new(opened.element.0),
            last_request: AtomicU64::new(0),
            limits,
            events,
            pairs,
            writable,
            line: Line::default(),
            long: Line::default(),
            long_calls: Line::default(),
            last_long: AtomicU32::new(0),
            assembly: Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared), runtime: PhantomData })
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The element that serves the session, as of the last event taken.
    pub fn element(&self) -> ElementId {
        ElementId(self.shared.element.load(Ordering::Relaxed))
    }

    /// How the session is: its element, what is unanswered, its cookie, how often it has moved.
    ///
    /// # Errors
    ///
    /// If the session has ended.
    pub async fn status(&self) -> Result<SessionStatus, Refusal> {
        let id = self.shared.id;
        self.shared.handle.look(move |user| user.session(id)).await?.ok_or(Refusal::UnknownSession)
    }

    /// Sends a message that is to be answered: while it is unanswered, it is sent again to each
    /// element that the session moves to, within the limits of the configuration. Waits while the session is
    /// congested.
    ///
    /// Cancel safe: a request whose future is dropped is given up, though it may have been sent once.
    ///
    /// # Errors
    ///
    /// If the session has ended, or `protocol` belongs to ASAP or ENRP.
    pub async fn request(&self, protocol: ProtocolId, bytes: impl Into<Bytes>) -> Result<RequestId, Refusal> {
        self.request_within(protocol, bytes, RequestLimits::default()).await
    }

    /// Like [`Session::request`], with limits of its own.
    ///
    /// # Errors
    ///
    /// Those of [`Session::request`].
    pub async fn request_within(
        &self,
        protocol: ProtocolId,
        bytes: impl Into<Bytes>,
        limits: RequestLimits,
    ) -> Result<RequestId, Refusal> {
        let request = self.shared.next_request();
        let given_up = GiveUp { shared: &self.shared, request };
        let message = Message::new(self.shared.id, protocol, bytes).delivery(Delivery::Retry(request));
        self.deliver(message.limits(self.shared.limits(limits))).await?;
        std::mem::forget(given_up);
        Ok(request)
    }

    /// Sends a message; `delivery` says what becomes of it when the element fails. Waits while the
    /// session is congested; events must be taken meanwhile. Who waits is served in the order of coming.
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
        self.deliver(Message::new(self.shared.id, protocol, bytes).delivery(delivery)).await
    }

    /// Sends a message once, unless the session has left an element more often than that: then it would be another one
    /// that gets it.
    pub(super) async fn send_to_present(
        &self,
        protocol: ProtocolId,
        bytes: Bytes,
        left: u64,
    ) -> Result<(), Refusal> {
        let present = || Opens::Present(self.shared.id, left);
        self.shared.deliver(Message::new(self.shared.id, protocol, bytes), present).await
    }

    async fn deliver(&self, message: Message) -> Result<(), Refusal> {
        self.shared.deliver(message, || Opens::Nothing).await
    }

    /// Sends a message of up to 16 MiB once ([`MAX_LONG_MESSAGE`](crate::MAX_LONG_MESSAGE)), in pieces, so that others
    /// have their turn in between. The other end has to know the framing: an
    /// [`ElementSession`](crate::ElementSession) gets the message as one. If the element fails before the last piece is on
    /// its way, the next element gets the whole.
    ///
    /// Cancel safe: the other end drops a message of which pieces are missing.
    ///
    /// # Errors
    ///
    /// [`Refusal::Length`] if it has no octets, or more than 16 MiB; if the session has ended.
    pub async fn send_long(&self, protocol: ProtocolId, bytes: impl Into<Bytes>) -> Result<(), Refusal> {
        let bytes = bytes.into();
        if !(1..=MAX_LONG_MESSAGE).contains(&bytes.len()) {
            return Err(Refusal::Length);
        }
        let _turn = self.shared.long.turn().await;
        loop {
            let left = self.shared.pairs.left();
            let number = self.shared.last_long.fetch_add(1, Ordering::Relaxed);
            match self.send_pieces(protocol, number, &bytes, left).await {
                Err(_) if self.shared.pairs.left() != left => {}
                sent => return sent,
            }
        }
    }

    async fn send_pieces(
        &self,
        protocol: ProtocolId,
        number: u32,
        bytes: &Bytes,
        left: u64,
    ) -> Result<(), Refusal> {
        for (protocol, piece) in pieces::cut(protocol, number, bytes) {
            self.send_to_present(protocol, piece, left).await?;
        }
        Ok(())
    }

    /// Like [`Session::send`], but does not wait while the session is congested, or while others wait to send.
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
        if !self.shared.line.is_empty() {
            return Err(Refusal::Congested);
        }
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

    /// Says that a request was answered, or gives it up: like [`Session::answered`], but without waiting, so that
    /// a destructor may call it. An answer that comes later is a message like any other.
    pub fn forget(&self, request: RequestId) {
        // The channel has no bound, so this fails only if the loop has ended.
        let _ = self.shared.handle.remarks.try_send(Remark::Request(self.shared.id, request));
    }

    /// Gives the present element up and moves to another. The element is not reported: it may be well, even if it
    /// refuses to work.
    ///
    /// # Errors
    ///
    /// If the session has ended.
    pub async fn fail_over(&self) -> Result<(), Refusal> {
        self.ask(Command::Failover { session: self.shared.id, unreachable: false }).await
    }

    /// Like [`Session::fail_over`], and tells the registrar that the element could not be reached, if something was
    /// sent to it. The registrar asks the element, and removes one that does not answer.
    ///
    /// # Errors
    ///
    /// If the session has ended.
    pub async fn fail_over_unreachable(&self) -> Result<(), Refusal> {
        self.ask(Command::Failover { session: self.shared.id, unreachable: true }).await
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
    /// If [`SESSION_QUEUE`](crate::SESSION_QUEUE) events wait, fewer if messages are longer than 4 KiB, the element
    /// has to wait until half of them are taken: nothing more is read from it. Other sessions go on.
    ///
    /// Cancel safe: no event is lost. Of several callers each event goes to one.
    pub async fn next_event(&self) -> Option<SessionEvent> {
        loop {
            let (notice, room) = self.shared.events.next().await?;
            if room {
                let _ = self.shared.handle.remarks.try_send(Remark::Room(self.shared.id));
            }
            let event = match notice {
                Notice::Received { element, protocol, bytes, .. } => {
                    match self.shared.assembly().add(protocol, bytes) {
                        Arrived::Message(protocol, bytes) | Arrived::Whole(protocol, bytes) => {
                            SessionEvent::Received { element, protocol, bytes }
                        }
                        Arrived::Piece | Arrived::Misfit | Arrived::NoRoom => continue,
                    }
                }
                Notice::ElementFailed { element, reason, .. } => {
                    self.shared.assembly().clear();
                    SessionEvent::ElementFailed { element, reason }
                }
                Notice::PeerCard { element, handle, elements, .. } => {
                    SessionEvent::PeerCard { element, handle, elements }
                }
                Notice::CookieKept { element, octets, .. } => SessionEvent::CookieKept { element, octets },
                Notice::FailedOver { from, to, peer, cookie_echoed, resent, .. } => {
                    self.shared.element.store(to.0, Ordering::Relaxed);
                    SessionEvent::FailedOver { from, to, peer, cookie_echoed, resent }
                }
                Notice::Unanswered { request, reason, .. } => SessionEvent::Unanswered { request, reason },
                Notice::Closed { error, .. } => SessionEvent::Closed { error },
                _ => continue,
            };
            return Some(event);
        }
    }

    async fn ask(&self, command: Command) -> Result<(), Refusal> {
        self.shared
            .handle
            .ask(command, variant!(Answer::Done))
            .await
            .unwrap_or_else(|stopped| Err(stopped.into()))
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

/// Dropped with the future of a request: nobody knows its name, so it is given up.
pub(super) struct GiveUp<'a> {
    pub(super) shared: &'a Shared,
    pub(super) request: RequestId,
}

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        let _ = self.shared.handle.remarks.try_send(Remark::Request(self.shared.id, self.request));
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
        take(self.answer.recv().await.map_err(|_| self.handle.outlook.reason())?, variant!(Answer::Opened))
    }
}

impl Drop for OpenAnswer<'_> {
    fn drop(&mut self) {
        self.answer.close();
        if let Ok(Answer::Opened(Ok(opened))) = self.answer.try_recv() {
            let _ = self.handle.remarks.try_send(Remark::Session(opened.session));
        }
    }
}
