//! The seam between the event loop and what carries octets: sockets, connections, or whatever a stack of your
//! own needs.

use std::task::Context;

use rserpool_core::base::Instant;
use rserpool_core::endpoint::Endpoint;
use rserpool_transport::Stack;
use rserpool_transport::node::Node;

/// Moves octets between a stack of type `S` and the outside, without waiting.
///
/// The event loop knows a stack by [`Stack`] alone; an `Io` knows how that stack faces the network. This crate
/// has one for every stack that implements [`rserpool_transport::Datagrams`] and one for every stack that
/// implements [`rserpool_transport::Streams`]; two of them in a pair `(A, B)` serve a stack that implements both,
/// `A` first in every round.
/// Another carrier is a stack and an `Io`, handed to [`Builder::carried_by`](super::Builder::carried_by).
///
/// Every function has to register the waker of `context` with each source that it finds empty and with each
/// sink that it finds full, as a future does.
pub trait Io<S: Stack>: Send + 'static {
    /// Sends what the stack has to send, as far as the outside takes it.
    fn flush<E: Endpoint>(&mut self, node: &mut Node<E, S>, now: Instant, context: &mut Context<'_>);

    /// Whether nothing waits to be sent. Until then the event loop takes no command.
    fn is_flushed(&self) -> bool;

    /// Hands a bounded part of what has arrived to the node, and says whether there was anything. A carrier with
    /// many connections serves a few of them and then the next few, so that a call takes some milliseconds at
    /// most: the other carriers and the timers wait for it. With [`Intake::Closed`] only what has been begun goes
    /// on: nothing new is received.
    fn receive<E: Endpoint>(
        &mut self,
        node: &mut Node<E, S>,
        intake: Intake,
        now: Instant,
        context: &mut Context<'_>,
    ) -> bool;

    /// When [`Io::receive`] wants to be called although nothing has arrived, such as after a pause.
    fn poll_timeout(&self) -> Option<Instant>;
}

/// Whether an endpoint takes more from the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intake {
    /// It does.
    Open,
    /// The application does not take its events, so peers have to wait.
    Closed,
}

impl<S: Stack, A: Io<S>, B: Io<S>> Io<S> for (A, B) {
    fn flush<E: Endpoint>(&mut self, node: &mut Node<E, S>, now: Instant, context: &mut Context<'_>) {
        self.0.flush(node, now, context);
        self.1.flush(node, now, context);
    }

    fn is_flushed(&self) -> bool {
        self.0.is_flushed() && self.1.is_flushed()
    }

    fn receive<E: Endpoint>(
        &mut self,
        node: &mut Node<E, S>,
        intake: Intake,
        now: Instant,
        context: &mut Context<'_>,
    ) -> bool {
        let first = self.0.receive(node, intake, now, context);
        self.1.receive(node, intake, now, context) || first
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.0.poll_timeout(), self.1.poll_timeout()].into_iter().flatten().min()
    }
}
