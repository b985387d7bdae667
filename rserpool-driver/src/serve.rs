//! An element that serves calls: one function from request to answer.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, ProtocolId};
use rserpool_core::element::{Message, Notice};
use rserpool_core::endpoint::{CallFrame, CallId, CallKind};

use crate::element::PoolElement;
use crate::runtime::Runtime;

/// How many calls [`PoolElement::serve`] has in work at the same time. While there are so many, no further event is taken.
pub const SERVED_AT_ONCE: usize = 1_024;

/// A call that has come in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Incoming {
    /// The session in which it came.
    pub session: AssociationId,
    /// Its payload protocol identifier.
    pub protocol: ProtocolId,
    /// What the user asks.
    pub bytes: Bytes,
    pub(super) call: CallId,
    pub(super) stream: u16,
    pub(super) kind: CallKind,
}

impl Incoming {
    /// The call in an event; the event, if it is none.
    ///
    /// # Errors
    ///
    /// The event is no call.
    pub fn from_event(event: Notice) -> Result<Self, Notice> {
        Self::in_event(&event).ok_or(event)
    }

    pub(super) fn in_event(event: &Notice) -> Option<Self> {
        let Notice::Received { session, protocol: ProtocolId::CALL, stream, bytes, .. } = event else {
            return None;
        };
        let CallFrame { kind, call, protocol, bytes } = CallFrame::decode(bytes)?;
        let stream = *stream;
        kind.is_request().then_some(Self { session: *session, protocol, bytes, call, stream, kind })
    }

    /// The call without what is asked: what an element remembers of it.
    pub(super) fn name(&self) -> Self {
        Self { bytes: Bytes::new(), ..self.clone() }
    }

    /// The message that answers it.
    pub(super) fn answer(&self, kind: CallKind, bytes: Bytes) -> Message {
        let Self { session, protocol, call, stream, .. } = *self;
        let frame = CallFrame { kind, call, protocol, bytes };
        Message::new(session, ProtocolId::CALL, frame.encode()).stream(stream)
    }
}

pub(super) async fn serve<R, H, F>(element: &PoolElement<R>, handler: H)
where
    R: Runtime,
    H: Fn(Incoming) -> F,
    F: Future<Output = Bytes>,
{
    let handler = &handler;
    run(element, |incoming| answer(element, handler, incoming)).await;
}

/// Has one call answered.
async fn answer<R, H, F>(element: &PoolElement<R>, handler: &H, incoming: Incoming)
where
    R: Runtime,
    H: Fn(Incoming) -> F,
    F: Future<Output = Bytes>,
{
    let call = incoming.clone();
    // If its user has gone, nobody wants the answer.
    let _ = element.reply(&call, handler(incoming).await).await;
}

/// Begins the work for each call that comes in, and goes on with all of it.
async fn run<R: Runtime, W: Future<Output = ()>>(element: &PoolElement<R>, begin: impl Fn(Incoming) -> W) {
    let mut work: Vec<Pin<Box<W>>> = Vec::new();
    let mut ended = false;
    while !ended || !work.is_empty() {
        let mut next = pin!(element.next_event());
        let event = poll_fn(|context| {
            let before = work.len();
            work.retain_mut(|call| call.as_mut().poll(context).is_pending());
            if !ended
                && work.len() < SERVED_AT_ONCE
                && let Poll::Ready(event) = next.as_mut().poll(context)
            {
                return Poll::Ready(Some(event));
            }
            if work.len() < before { Poll::Ready(None) } else { Poll::Pending }
        })
        .await;
        match event {
            Some(Some(event)) => {
                work.extend(Incoming::from_event(event).ok().map(|call| Box::pin(begin(call))));
            }
            Some(None) => ended = true,
            None => {}
        }
    }
}
