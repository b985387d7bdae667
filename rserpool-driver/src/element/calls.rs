//! The calls that an element answers, and what it remembers of those that are carried out at most once.

use std::future::Future;

use bytes::Bytes;
use rserpool_core::element::{Command, Message, Notice, Refusal};
use rserpool_core::endpoint::pieces::{self, MAX_LONG_MESSAGE};

use super::PoolElement;
use crate::long_calls::is_long;
use crate::memory::CallCounters;
use crate::runtime::Runtime;
use crate::serve::{self, Incoming};

impl<R> PoolElement<R> {
    /// Answers a call. Waits while the queue to its user is full.
    ///
    /// Cancel safe, but the answer may have been sent when the future is dropped.
    ///
    /// # Errors
    ///
    /// [`Refusal::UnknownSession`] if its user has gone; [`Refusal::Length`] if the answer is longer than 16 MiB
    /// ([`MAX_LONG_MESSAGE`](crate::MAX_LONG_MESSAGE)).
    pub async fn reply(&self, call: &Incoming, bytes: impl Into<Bytes>) -> Result<(), Refusal>
    where
        R: Runtime,
    {
        let bytes = bytes.into();
        if bytes.len() > MAX_LONG_MESSAGE {
            return Err(Refusal::Length);
        }
        let answer = self.memory.answer(self.runtime.now(), call, bytes);
        if !is_long(&answer.bytes) {
            return self.send_in_turn(answer).await;
        }
        let Message { session, protocol, bytes, .. } = answer;
        let line = self.long_calls.line(session);
        let _turn = line.turn().await;
        for (protocol, piece) in pieces::cut(protocol, self.long_calls.next_number(), &bytes) {
            self.send_in_turn(Message::new(session, protocol, piece)).await?;
        }
        Ok(())
    }

    /// Serves calls until the element has ended: hands each to `handler`, and replies with what that returns. Up to
    /// [`SERVED_AT_ONCE`](crate::SERVED_AT_ONCE) calls are in work at the same time, all in the task that awaits this.
    /// Takes the events of the element; those that are no calls are dropped. An application that needs them takes them
    /// itself, and calls [`PoolElement::reply`].
    ///
    /// Dropped, it leaves the calls in work unanswered.
    pub async fn serve<H, F>(&self, handler: H)
    where
        R: Runtime,
        H: Fn(Incoming) -> F,
        F: Future<Output = Bytes>,
    {
        serve::serve(self, handler).await;
    }

    /// What became of the calls that were to be carried out at most once.
    pub fn call_counters(&self) -> CallCounters {
        self.memory.counters()
    }

    /// Whether an event concerns the application. A call that is to be carried out at most once, and has come before,
    /// does not.
    pub(crate) fn is_new(&self, event: &Notice) -> bool
    where
        R: Runtime,
    {
        if let Notice::Writable { session, .. } | Notice::SessionClosed { session, .. } = event {
            self.memory.resume(*session);
        }
        Incoming::in_event(event).is_none_or(|call| self.memory.arrive(self.runtime.now(), &call))
    }

    /// Sends what the calls that have come again are owed. What finds no room waits until its session has room.
    pub(crate) async fn pay_debts(&self) {
        while let Some((call, message)) = self.memory.owed() {
            match self.ask(Command::Send(message)).await {
                Err(Refusal::Congested) => self.memory.postpone(&call),
                // If its user has gone, nobody wants it.
                Ok(()) | Err(_) => self.memory.paid(&call),
            }
        }
    }
}
