//! The sessions of an element, a handle for each.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_lite::future;
use rserpool_core::base::{AssociationId, ProtocolId, TransportAddress};
use rserpool_core::element::{Element, Message, Notice, Refusal};
use rserpool_core::endpoint::pieces::{self, Arrived, Assembly, MAX_LONG_MESSAGE};

use crate::delivery::{SessionEvents, next_event};
use crate::element::PoolElement;
use crate::line::Line;
use crate::role::Remark;
use crate::router::Accepted;
use crate::runtime::Runtime;
use crate::serve::Incoming;

/// A session of an element with one user, from [`PoolElement::accept`]; clones are handles of the same one. When the
/// last handle is dropped, the session closes, and its user moves to another element.
///
/// ```
/// use rserpool_driver::{PoolElement, Runtime};
///
/// # fn state_of(_: Option<&rserpool_driver::vocabulary::Bytes>) -> u32 { 0 }
/// # fn spawn(_: impl std::future::Future) {}
/// async fn serve<R: Runtime>(element: PoolElement<R>) {
///     while let Some(session) = element.accept().await {
///         spawn(async move {
///             let mut count = state_of(session.restored());
///             while let Some(message) = session.recv().await {
///                 count += 1;
///                 session.reply(&message, count.to_string()).await?;
///                 session.send_cookie(count.to_string()).await?;
///             }
///             Ok::<_, Box<dyn std::error::Error>>(())
///         });
///     }
/// }
/// ```
pub struct ElementSession<R: Runtime> {
    shared: Arc<Shared<R>>,
}

struct Shared<R: Runtime> {
    element: PoolElement<R>,
    session: AssociationId,
    peer: TransportAddress,
    restored: Option<Bytes>,
    events: SessionEvents<Element>,
    /// Those who send a long message: one at a time.
    long: Line,
    last_long: AtomicU32,
    /// The long message that arrives.
    assembly: Mutex<Assembly>,
}

impl<R: Runtime> Drop for Shared<R> {
    fn drop(&mut self) {
        // The channel has no bound, so this fails only if the loop has ended.
        let _ = self.element.remarks().try_send(Remark::Visitor(self.session));
    }
}

/// A message that has come in a session of an element.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceivedMessage {
    /// Its payload protocol identifier; that of the application, if it is a call.
    pub protocol: ProtocolId,
    /// The SCTP stream on which it came.
    pub stream: u16,
    /// What the user says.
    pub bytes: Bytes,
    /// The call, if it is one.
    pub call: Option<Incoming>,
}

impl<R: Runtime> PoolElement<R> {
    /// Waits for the next session with a user. `None` once the element has ended.
    ///
    /// From the first call on, the events of sessions come through their handles, and
    /// [`PoolElement::next_event`] has those of the element alone, of which the oldest are dropped beyond 64. Sessions
    /// that were opened before have no handle, so call it before the element is [registered](PoolElement::registered).
    ///
    /// Events of all sessions are handed out by whoever waits for one, here or in [`ElementSession::recv`]. A session
    /// that is slow stops no other one: when [`SESSION_QUEUE`](crate::SESSION_QUEUE) of its events wait, fewer if they
    /// are long, its user has to wait. If nobody waits for anything, the element counts as dead.
    ///
    /// Cancel safe: no session is lost.
    pub async fn accept(&self) -> Option<ElementSession<R>> {
        let accepted = self.router.accept();
        let Accepted { session, peer, restored, events } = self.wait_for(accepted.recv()).await.ok()?;
        let shared = Shared {
            element: self.clone(),
            session,
            peer,
            restored,
            events,
            long: Line::default(),
            last_long: AtomicU32::new(0),
            assembly: Mutex::new(Assembly::new(self.incomplete.clone())),
        };
        Some(ElementSession { shared: Arc::new(shared) })
    }

    /// Waits for something that an event of the element brings, and hands out the events that come meanwhile.
    pub(super) async fn wait_for<T>(&self, wanted: impl Future<Output = T>) -> T {
        let mut wanted = pin!(wanted);
        loop {
            self.pay_debts().await;
            let come = async { Ok((&mut wanted).await) };
            let mut next = pin!(next_event(&self.events));
            let handed_out = poll_fn(|context| {
                self.router.hand_out(|| next.as_mut().poll(context), |event| self.is_new(event))
            });
            match future::or(come, async { Err(handed_out.await) }).await {
                Ok(value) => return value,
                Err(None) => {
                    self.router.end();
                    return wanted.await;
                }
                Err(Some(remark)) => {
                    let _ = remark.map(|remark| self.remarks().try_send(remark));
                }
            }
        }
    }
}

impl<R: Runtime> ElementSession<R> {
    /// The association with the user, by which [`PoolElement`] names the session.
    pub fn id(&self) -> AssociationId {
        self.shared.session
    }

    /// Where the user is.
    pub fn peer(&self) -> &TransportAddress {
        &self.shared.peer
    }

    /// The element whose session it is.
    pub fn element(&self) -> &PoolElement<R> {
        &self.shared.element
    }

    /// The state that the element before has left with the user in a [cookie](PoolElement::send_cookie), if the session
    /// has moved here and the cookie is genuine.
    pub fn restored(&self) -> Option<&Bytes> {
        self.shared.restored.as_ref()
    }

    /// Waits for the next message; `None` once the session has ended. Drops other events:
    /// take [`ElementSession::next_event`] instead, to hear of [`Notice::CookieWanted`] for example.
    ///
    /// Cancel safe: no message is lost.
    pub async fn recv(&self) -> Option<ReceivedMessage> {
        loop {
            if let Some(received) = ReceivedMessage::in_event(self.next_event().await?) {
                return Some(received);
            }
        }
    }

    /// Waits for the next event of the session; `None` after [`Notice::SessionClosed`].
    ///
    /// Cancel safe: no event is lost. Of several callers each event goes to one.
    pub async fn next_event(&self) -> Option<Notice> {
        let Shared { element, session, events, assembly, .. } = &*self.shared;
        loop {
            let (event, room) = element.wait_for(events.next()).await?;
            if room {
                let _ = element.remarks().try_send(Remark::Release(*session));
            }
            let Notice::Received { protocol, bytes, .. } = &event else { return Some(event) };
            let arrived =
                assembly.lock().unwrap_or_else(PoisonError::into_inner).add(*protocol, bytes.clone());
            match arrived {
                Arrived::Message(..) => return Some(event),
                Arrived::Whole(protocol, bytes) => {
                    let event = with_message(event, protocol, bytes);
                    if element.is_new(&event) {
                        return Some(event);
                    }
                }
                Arrived::Piece | Arrived::Misfit => {}
                Arrived::NoRoom => {
                    let _ = element.remarks().try_send(Remark::Visitor(*session));
                }
            }
        }
    }

    /// Sends a message of up to 16 MiB ([`MAX_LONG_MESSAGE`](crate::MAX_LONG_MESSAGE)), in pieces, so that others have
    /// their turn in between. The user gets it as one. Waits while the queue to the user is full.
    ///
    /// Cancel safe: the user drops a message of which pieces are missing.
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
        let number = self.shared.last_long.fetch_add(1, Ordering::Relaxed);
        for (protocol, piece) in pieces::cut(protocol, number, &bytes) {
            self.send(protocol, piece).await?;
        }
        Ok(())
    }

    /// Sends a message to the user, on stream 0. Waits while the queue to it is full.
    ///
    /// Cancel safe, but the message may have been sent when the future is dropped.
    ///
    /// # Errors
    ///
    /// [`Refusal::UnknownSession`] if the session has ended; [`Refusal::Length`] if it has no octets, or more than a
    /// message may have.
    pub async fn send(&self, protocol: ProtocolId, bytes: impl Into<Bytes>) -> Result<(), Refusal> {
        let Shared { element, session, .. } = &*self.shared;
        element.send_in_turn(Message::new(*session, protocol, bytes)).await
    }

    /// Answers a message: a call with its answer, any other with a message of the same protocol on the same stream.
    /// Waits while the queue to the user is full.
    ///
    /// Cancel safe, but the answer may have been sent when the future is dropped.
    ///
    /// # Errors
    ///
    /// Those of [`ElementSession::send`].
    pub async fn reply(&self, received: &ReceivedMessage, bytes: impl Into<Bytes>) -> Result<(), Refusal> {
        let Shared { element, session, .. } = &*self.shared;
        match &received.call {
            Some(call) => element.reply(call, bytes).await,
            None => {
                let message = Message::new(*session, received.protocol, bytes).stream(received.stream);
                element.send_in_turn(message).await
            }
        }
    }

    /// Leaves the state of the session with its user; see [`PoolElement::send_cookie`].
    ///
    /// Cancel safe, but the cookie may have been sent when the future is dropped.
    ///
    /// # Errors
    ///
    /// Those of [`PoolElement::send_cookie`].
    pub async fn send_cookie(&self, cookie: impl Into<Bytes>) -> Result<(), Refusal> {
        self.shared.element.send_cookie(self.shared.session, cookie).await
    }

    /// Closes the session, after what is queued has been delivered.
    ///
    /// # Errors
    ///
    /// [`Refusal::UnknownSession`] if it has ended already.
    pub async fn close(&self) -> Result<(), Refusal> {
        self.shared.element.close(self.shared.session).await
    }
}

/// The event of a message, with its whole.
pub(super) fn with_message(mut event: Notice, whole: ProtocolId, octets: Bytes) -> Notice {
    if let Notice::Received { protocol, bytes, .. } = &mut event {
        (*protocol, *bytes) = (whole, octets);
    }
    event
}

impl ReceivedMessage {
    fn in_event(event: Notice) -> Option<Self> {
        match Incoming::from_event(event) {
            Ok(call) => {
                let Incoming { protocol, stream, bytes, .. } = call.clone();
                Some(Self { protocol, stream, bytes, call: Some(call) })
            }
            Err(Notice::Received { protocol, stream, bytes, .. }) => {
                Some(Self { protocol, stream, bytes, call: None })
            }
            Err(_) => None,
        }
    }
}

impl<R: Runtime> Clone for ElementSession<R> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<R: Runtime> fmt::Debug for ElementSession<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { session, peer, .. } = &*self.shared;
        f.debug_struct("ElementSession").field("session", session).field("peer", peer).finish()
    }
}
