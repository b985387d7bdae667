//! Calls of a session: requests that end with their answer.

use async_channel::bounded;
use bytes::Bytes;
use rserpool_core::base::ProtocolId;
use rserpool_core::element::Refusal;
use rserpool_core::endpoint::MAX_CALL;
use rserpool_core::user::{
    Answer, Call, CallDelivery, CallError, Command, Delivery, Message, RequestId, RequestLimits,
};

use crate::delivery::Opens;
use crate::error::Stopped;
use crate::handle::{take, variant};
use crate::pairing::{Expected, Pairing};
use crate::session::{GiveUp, Session, Shared};

/// How a call is made; see [`Session::call_with`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CallOptions {
    /// How long, and how often, it is tried.
    pub limits: RequestLimits,
    /// What happens to it if its element fails.
    pub delivery: CallDelivery,
}

impl CallOptions {
    /// The same options with these limits.
    #[must_use]
    pub const fn limits(mut self, limits: RequestLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The same options with this delivery.
    #[must_use]
    pub const fn delivery(mut self, delivery: CallDelivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// The same options, and the call is carried out at most once ([`CallDelivery::Once`]).
    #[must_use]
    pub const fn at_most_once(self) -> Self {
        self.delivery(CallDelivery::Once)
    }
}

impl<R> Session<R> {
    /// Makes a call: sends a request and waits for its answer. Any number of calls may be under way at the same time, and
    /// be answered in any order. If the element fails, the request is sent again to the next one, within the limits of
    /// the configuration. Waits while the session is congested.
    ///
    /// The events of the session go on beside it ([`Session::next_event`]); answers of calls are none. The element must
    /// know calls: [`PoolElement::reply`](crate::PoolElement::reply) or [`PoolElement::serve`](crate::PoolElement::serve).
    ///
    /// A request or an answer has up to 16 MiB ([`MAX_LONG_MESSAGE`](crate::MAX_LONG_MESSAGE)). Of the requests that are longer
    /// than 1,048,552 octets and travel in pieces one is under way at a time in a session, the others wait; short ones go on.
    ///
    /// Cancel safe: a call whose future is dropped is given up, though it may have been carried out.
    ///
    /// # Errors
    ///
    /// Why there is no answer.
    pub async fn call(&self, protocol: ProtocolId, bytes: impl Into<Bytes>) -> Result<Bytes, CallError> {
        self.call_with(protocol, bytes, CallOptions::default()).await
    }

    /// Like [`Session::call`], with options of its own.
    ///
    /// # Errors
    ///
    /// Why there is no answer.
    pub async fn call_with(
        &self,
        protocol: ProtocolId,
        bytes: impl Into<Bytes>,
        options: CallOptions,
    ) -> Result<Bytes, CallError> {
        let shared = self.shared();
        let options = options.limits(shared.limits(options.limits));
        let request = shared.next_request();
        let given_up = GiveUp { shared, request };
        let answer = match shared.pairs.are_set() {
            true => make_paired(shared, request, protocol, bytes.into(), options).await,
            false => {
                let (bytes, CallOptions { limits, delivery }) = (bytes.into(), options);
                let _turn = match bytes.len() > MAX_CALL {
                    true => Some(shared.long_calls.turn().await),
                    false => None,
                };
                let call = Call::new(shared.id, request, protocol, bytes).limits(limits).delivery(delivery);
                make(shared, call).await
            }
        };
        // It has ended.
        std::mem::forget(given_up);
        answer
    }

    /// The same session, whose calls are messages in a protocol of the application, paired so. Set it before the first
    /// call; every clone of the session has it. In such a protocol, [`CallDelivery::Once`] is the same as
    /// [`CallDelivery::Report`].
    #[must_use]
    pub fn pairing(self, pairing: Pairing) -> Self {
        self.shared().pairs.set(pairing);
        self
    }
}

/// Makes a call whose answer is found by the application's own messages.
async fn make_paired(
    shared: &Shared,
    request: RequestId,
    protocol: ProtocolId,
    bytes: Bytes,
    CallOptions { limits, delivery }: CallOptions,
) -> Result<Bytes, CallError> {
    let _name = shared.pairs.name(request, protocol, &bytes)?;
    let delivery = match delivery {
        CallDelivery::Retry => Delivery::Retry(request),
        CallDelivery::Report | CallDelivery::Once => Delivery::Report(request),
    };
    let message = Message::new(shared.id, protocol, bytes).delivery(delivery).limits(limits);
    let (end, ended) = bounded(1);
    let expected = || Opens::Call(shared.id, Expected { request, end: end.clone() });
    shared.deliver(message, expected).await.map_err(CallError::Refused)?;
    // Now only the event loop has it.
    drop(end);
    ended.recv().await.unwrap_or(Err(CallError::Closed))
}

async fn make(shared: &Shared, call: Call) -> Result<Bytes, CallError> {
    if shared.line.is_empty() {
        let answer = shared.handle.ask(Command::Call(call.clone()), variant!(Answer::Called)).await;
        match answer.unwrap_or_else(stopped) {
            Err(CallError::Refused(Refusal::Congested)) => {}
            answer => return answer,
        }
    }
    let turn = shared.line.turn().await;
    loop {
        let answer = match shared.handle.submit(Command::Call(call.clone()), Opens::Nothing).await {
            Ok(answer) => answer,
            Err(reason) => return stopped(reason),
        };
        // Commands are carried out in their order. When this one, about a request that does not exist, is answered, the
        // call has been refused, or sent.
        let nothing = Command::Answered { session: call.session, request: RequestId(0) };
        if let Err(reason) = shared.handle.ask(nothing, variant!(Answer::Done)).await {
            return stopped(reason);
        }
        if answer.is_empty() {
            // The next one may send while this one waits for its answer.
            drop(turn);
            return match answer.recv().await {
                Ok(answer) => take(answer, variant!(Answer::Called)).unwrap_or_else(stopped),
                Err(_) => stopped(shared.handle.outlook.reason()),
            };
        }
        let ended = answer.recv().await.map_err(|_| shared.handle.outlook.reason());
        let ended = ended.and_then(|answer| take(answer, variant!(Answer::Called)));
        match ended.unwrap_or_else(stopped) {
            // It keeps its turn until there is room.
            Err(CallError::Refused(Refusal::Congested)) => {
                if shared.writable.recv().await.is_err() {
                    return Err(CallError::Closed);
                }
            }
            answer => return answer,
        }
    }
}

fn stopped(reason: Stopped) -> Result<Bytes, CallError> {
    Err(CallError::Refused(reason.into()))
}
