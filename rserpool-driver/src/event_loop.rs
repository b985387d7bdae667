//! The event loop: the only place that reads a clock, sockets and queues.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use futures_lite::Stream;
use futures_lite::future::poll_fn;

use super::announce::AnnounceSocket;
use super::delivery::{Delivery, Waiting};
use super::log::{Line, Log};
use super::role::Role;
use super::tcp::Connections;
use super::{BoxFuture, Received, Runtime, Socket};
use rserpool_core::base::{CommandId, Instant};
use rserpool_core::endpoint::Output;
use rserpool_core::user::SessionId;
use rserpool_transport::node::{EndpointKey, Node};
use rserpool_transport::{Carriers, Datagram};

/// Commands taken in one round, before the sockets have their turn.
const COMMANDS_PER_ROUND: usize = 64;
/// Rounds in one turn; then the other tasks of the runtime have theirs.
const ROUNDS_PER_TURN: usize = 16;
/// Datagrams handed to the socket at a time.
const SEND_BATCH: usize = 32;
/// How long an endpoint may take to leave when its last handle is dropped.
const DROP_GRACE: Duration = Duration::from_secs(2);
/// How long a socket that fails to receive is left alone, so that the loop does not spin.
const RECEIVE_PAUSE: Duration = Duration::from_millis(10);

/// What a handle asks for.
pub(super) enum Request<E: Role> {
    /// Something of the endpoint.
    Command { command: E::Command, waiting: Waiting<E> },
    /// To leave within this time; the channel is closed when it is done.
    Shutdown { within: Duration, done: Sender<()> },
}

/// One endpoint with its transport, its sockets and its queues.
///
/// Each round flushes, passes notices on, takes commands, receives, and serves the timers, in this
/// order: after a standstill, what the network has brought counts before what seems overdue, so
/// timers wait until the sockets are empty or the turn is over.
pub(super) struct EventLoop<R, E: Role> {
    pub(super) runtime: Arc<R>,
    pub(super) node: Node<E, Carriers>,
    pub(super) endpoint: EndpointKey,
    pub(super) socket: Box<dyn Socket>,
    pub(super) announcements: Vec<AnnounceSocket>,
    pub(super) connections: Connections,
    pub(super) requests: Pin<Box<Receiver<Request<E>>>>,
    pub(super) dropped_sessions: Pin<Box<Receiver<SessionId>>>,
    pub(super) delivery: Delivery<E>,
    pub(super) state: State,
}

/// What the loop remembers between its rounds.
#[derive(Default)]
pub(super) struct State {
    outgoing: VecDeque<Datagram>,
    received: Vec<Received>,
    sleep: Option<(Instant, BoxFuture)>,
    /// Until when nothing is received, because a socket has failed.
    pause: Option<Instant>,
    last_command: u64,
    /// When to stop at the latest, once a shutdown has begun.
    stop_at: Option<Instant>,
    /// Dropped when the loop ends, which tells those who wait for it.
    done: Vec<Sender<()>>,
    log: Log,
}

impl<R: Runtime, E: Role> EventLoop<R, E> {
    /// Runs until the endpoint has left and everything is flushed.
    pub(super) async fn run(mut self) {
        poll_fn(|context| self.poll(context)).await;
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.settle();
        for _ in 0..ROUNDS_PER_TURN {
            self.flush(context);
            let mut progress = self.delivery.poll(context);
            progress |= self.take_commands(context);
            let received =
                self.serve_connections(context) | self.receive(context) | self.receive_announcements(context);
            progress |= received || self.serve_timers(context);
            if self.state.stop_at.is_none() && self.node.is_stopped() {
                // Of its own accord: a registrar whose identifier is taken.
                self.begin_shutdown(DROP_GRACE);
                progress = true;
            }
            if self.is_finished() {
                self.flush(context);
                self.serve_connections(context);
                return Poll::Ready(());
            }
            if !progress {
                return Poll::Pending;
            }
        }
        // Somebody never stops sending: now the timers have their turn all the same.
        self.serve_timers(context);
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Sends what the node has to send, as far as the socket takes it.
    fn flush(&mut self, context: &mut Context<'_>) {
        let State { outgoing, log, .. } = &mut self.state;
        for socket in &mut self.announcements {
            if let Err(error) = socket.flush(context)
                && let Some(Line { suppressed }) = log.at(self.runtime.now()).allow("announce")
            {
                tracing::warn!(%error, group = socket.place, suppressed, "announcement not sent");
            }
        }
        loop {
            while outgoing.len() < SEND_BATCH
                && let Some(datagram) = self.node.poll_datagram()
            {
                outgoing.push_back(datagram);
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
                        && let Some(Line { suppressed }) = log.at(self.runtime.now()).allow("send")
                    {
                        tracing::warn!(destination = %lost.destination, %error, suppressed, "datagram not sent");
                    }
                }
                Poll::Pending => return,
            }
        }
    }

    fn take_commands(&mut self, context: &mut Context<'_>) -> bool {
        let mut progress = false;
        // With the socket full nothing more is begun.
        for _ in 0..COMMANDS_PER_ROUND {
            if !self.state.outgoing.is_empty() {
                break;
            }
            let Poll::Ready(request) = self.requests.as_mut().poll_next(context) else { break };
            match request {
                Some(Request::Command { command, waiting }) => {
                    let id = self.next_command();
                    self.delivery.expect(id, waiting);
                    self.node.handle_command(self.runtime.now(), self.endpoint, id, command);
                }
                Some(Request::Shutdown { within, done }) => {
                    self.state.done.push(done);
                    self.begin_shutdown(within);
                }
                None if self.state.stop_at.is_none() => self.begin_shutdown(DROP_GRACE),
                None => break,
            }
            self.settle();
            progress = true;
        }
        while let Poll::Ready(Some(session)) = self.dropped_sessions.as_mut().poll_next(context) {
            self.close(session);
            progress = true;
        }
        progress
    }

    fn receive(&mut self, context: &mut Context<'_>) -> bool {
        if self.delivery.is_blocked() || !self.state.outgoing.is_empty() || self.pauses() {
            return false;
        }
        match self.socket.poll_receive(context, &mut self.state.received) {
            Poll::Ready(Ok(())) => {
                let now = self.runtime.now();
                for Received { source, bytes } in std::mem::take(&mut self.state.received) {
                    self.node.handle_datagram(now, source, bytes);
                    self.settle();
                }
                true
            }
            Poll::Ready(Err(error)) => {
                self.receive_failed(&error);
                false
            }
            Poll::Pending => false,
        }
    }

    /// Writes to TCP connections, reads from them, accepts and opens them.
    fn serve_connections(&mut self, context: &mut Context<'_>) -> bool {
        let reads = !self.delivery.is_blocked();
        let (progress, failure) = self.connections.poll(&*self.runtime, &mut self.node, reads, context);
        if let Some(error) = failure
            && let Some(Line { suppressed }) = self.state.log.at(self.runtime.now()).allow("accept")
        {
            tracing::warn!(%error, suppressed, "no TCP connection accepted");
        }
        if progress {
            self.settle();
        }
        progress
    }

    fn receive_announcements(&mut self, context: &mut Context<'_>) -> bool {
        if self.pauses() {
            return false;
        }
        let mut progress = false;
        let mut failed = None;
        for socket in &mut self.announcements {
            match socket.poll_receive(context, &mut self.state.received) {
                Poll::Ready(Ok(())) => {
                    let now = self.runtime.now();
                    for Received { source, bytes } in self.state.received.drain(..) {
                        self.node.handle_announce(now, socket.channel, source, bytes);
                    }
                    progress = true;
                }
                Poll::Ready(Err(error)) => failed = Some(error),
                Poll::Pending => {}
            }
        }
        if let Some(error) = failed {
            self.receive_failed(&error);
        }
        if progress {
            self.settle();
        }
        progress
    }

    fn receive_failed(&mut self, error: &std::io::Error) {
        let now = self.runtime.now();
        self.state.pause = Some(now + RECEIVE_PAUSE);
        if let Some(Line { suppressed }) = self.state.log.at(now).allow("receive") {
            tracing::warn!(%error, suppressed, "receiving failed");
        }
    }

    /// Whether a socket that has failed is still left alone.
    fn pauses(&mut self) -> bool {
        self.state.pause = self.state.pause.filter(|until| self.runtime.now() < *until);
        self.state.pause.is_some()
    }

    /// Serves what is due and sleeps until what comes next. A sleep that ends too early is left
    /// alone, because most deadlines only ever move away.
    fn serve_timers(&mut self, context: &mut Context<'_>) -> bool {
        if self.state.pause.is_some() && !self.pauses() {
            return true;
        }
        let wanted = [self.node.poll_timeout(), self.state.stop_at, self.state.pause, self.connections.pause];
        let Some(due) = wanted.into_iter().flatten().min() else {
            self.state.sleep = None;
            return false;
        };
        let now = self.runtime.now();
        if due <= now {
            self.node.handle_timeout(now);
            self.settle();
            return true;
        }
        let armed = match &mut self.state.sleep {
            Some((at, sleep)) if *at <= due => sleep,
            sleep => &mut sleep.insert((due, self.runtime.sleep_until(due))).1,
        };
        if armed.as_mut().poll(context).is_pending() {
            return false;
        }
        self.state.sleep = None;
        true
    }

    /// Passes on what the node has decided; datagrams wait for the next flush.
    fn settle(&mut self) {
        let now = self.runtime.now();
        while let Some((_, output)) = self.node.poll_output() {
            let log = self.state.log.at(now);
            match output {
                Output::Answer(id, answer) => {
                    E::log_answer(&answer, log);
                    self.delivery.answer(id, answer);
                }
                Output::Notice(notice) => {
                    E::log(&notice, log);
                    self.delivery.accept(notice);
                }
            }
        }
        while let Some(session) = self.delivery.pop_abandoned() {
            self.close(session);
        }
        while let Some((channel, bytes)) = self.node.poll_announce() {
            for socket in self.announcements.iter_mut().filter(|s| s.channel == channel) {
                socket.send(bytes.clone());
            }
        }
    }

    fn close(&mut self, session: SessionId) {
        if let Some(command) = E::close(session) {
            let id = self.next_command();
            self.node.handle_command(self.runtime.now(), self.endpoint, id, command);
        }
    }

    fn begin_shutdown(&mut self, within: Duration) {
        let now = self.runtime.now();
        let deadline = now + within;
        self.state.stop_at = Some(self.state.stop_at.map_or(deadline, |at| at.min(deadline)));
        self.delivery.stop_waiting();
        self.node.begin_shutdown(now, deadline);
    }

    fn is_finished(&self) -> bool {
        let Some(deadline) = self.state.stop_at else { return false };
        let left = self.node.is_idle();
        (left && self.state.outgoing.is_empty()) || deadline <= self.runtime.now()
    }

    fn next_command(&mut self) -> CommandId {
        self.state.last_command += 1;
        CommandId(self.state.last_command)
    }
}
