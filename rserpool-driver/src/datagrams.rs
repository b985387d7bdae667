//! The UDP socket of one endpoint: sends and receives the datagrams of its stack.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use rserpool_core::base::Instant;
use rserpool_core::endpoint::Endpoint;
use rserpool_transport::node::Node;
use rserpool_transport::{Datagram, Datagrams, Stack, Undelivered};

use crate::families;
use crate::io::{Intake, Io};
use crate::log::{Line, Log};
use crate::runtime::{Received, Socket};

/// Datagrams handed to the socket at a time.
const SEND_BATCH: usize = 32;
/// How long a socket that fails to receive is left alone, so that the event loop does not spin.
pub(super) const RECEIVE_PAUSE: Duration = Duration::from_millis(10);

/// The socket, and what waits for it.
pub(super) struct DatagramIo {
    socket: Box<dyn Socket>,
    /// Where it is bound.
    local: SocketAddr,
    outgoing: VecDeque<Datagram>,
    received: Vec<Received>,
    /// Until when nothing is received, because the socket has failed.
    pause: Option<Instant>,
    log: Log,
}

impl DatagramIo {
    pub(super) fn new(socket: Box<dyn Socket>, local: SocketAddr) -> Self {
        let (outgoing, received) = (VecDeque::new(), Vec::new());
        Self { socket, local, outgoing, received, pause: None, log: Log::default() }
    }
}

impl<S: Stack + Datagrams> Io<S> for DatagramIo {
    fn flush<E: Endpoint>(&mut self, node: &mut Node<E, S>, now: Instant, context: &mut Context<'_>) {
        let outgoing = &mut self.outgoing;
        loop {
            while outgoing.len() < SEND_BATCH
                && let Some(datagram) = node.poll_datagram()
            {
                let destination = families::to_system(self.local, datagram.destination);
                outgoing.push_back(Datagram { destination, ..datagram });
            }
            if outgoing.is_empty() {
                return;
            }
            match self.socket.poll_send(context, outgoing.make_contiguous()) {
                Poll::Ready(Ok(sent)) => {
                    outgoing.drain(..sent.min(outgoing.len()));
                }
                Poll::Ready(Err(error)) => {
                    if let Some(lost) = outgoing.pop_front()
                        && let Some(Line { suppressed }) = self.log.at(now).allow("send")
                    {
                        let destination = families::from_system(lost.destination);
                        tracing::warn!(%destination, %error, suppressed, "datagram not sent");
                    }
                }
                Poll::Pending => return,
            }
        }
    }

    fn is_flushed(&self) -> bool {
        self.outgoing.is_empty()
    }

    fn receive<E: Endpoint>(
        &mut self,
        node: &mut Node<E, S>,
        intake: Intake,
        now: Instant,
        context: &mut Context<'_>,
    ) -> bool {
        self.pause = self.pause.filter(|until| now < *until);
        if intake == Intake::Closed || !self.outgoing.is_empty() || self.pause.is_some() {
            return false;
        }
        let polled = self.socket.poll_receive(context, &mut self.received);
        // What has arrived comes first: a peer that was heard is not given up.
        for Received { source, bytes } in self.received.drain(..) {
            node.handle_datagram(now, families::from_system(source), bytes);
        }
        let mut returned = false;
        while let Some(undelivered) = self.socket.next_undelivered() {
            let destination = families::from_system(undelivered.destination);
            node.handle_undelivered(now, Undelivered { destination, ..undelivered });
            returned = true;
        }
        match polled {
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(error)) => {
                self.pause = Some(now + RECEIVE_PAUSE);
                if let Some(Line { suppressed }) = self.log.at(now).allow("receive") {
                    tracing::warn!(%error, suppressed, "receiving failed");
                }
                false
            }
            Poll::Pending => returned,
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.pause
    }
}
