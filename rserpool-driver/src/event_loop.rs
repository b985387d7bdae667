//! The event loop: it takes commands, the time and what arrives, and hands out what an endpoint decides.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use futures_lite::Stream;
use futures_lite::future::poll_fn;
use rserpool_core::base::{CommandId, Instant};
use rserpool_core::endpoint::{Action, Output};
use rserpool_transport::Stack;
use rserpool_transport::node::{EndpointKey, Node};

use crate::announce::AnnounceSocket;
use crate::datagrams::RECEIVE_PAUSE;
use crate::delivery::{Delivery, Waiting};
use crate::fate::Fate;
use crate::io::{Intake, Io};
use crate::log::{Line, Log};
use crate::observed::Observed;
use crate::role::{Remark, Role};
use crate::runtime::{BoxFuture, Received, Runtime};

/// Commands taken in one round, before the sockets have their turn.
const COMMANDS_PER_ROUND: usize = 64;
/// Rounds in one turn, and how long a turn may last; then the timers have theirs, and the other tasks of the
/// runtime. A round over hostile datagrams of 64 KiB may take milliseconds.
const ROUNDS_PER_TURN: usize = 16;
const TURN: Duration = Duration::from_millis(10);
/// How long an endpoint may take to leave when its last handle is dropped.
const DROP_GRACE: Duration = Duration::from_secs(2);

/// What a handle asks for.
pub(super) enum Request<E: Role> {
    /// Something of the endpoint.
    Command { command: E::Command, waiting: Waiting<E> },
    /// To look at the endpoint.
    Look(Box<dyn FnOnce(&E) + Send>),
    /// To leave within this time; the channel is closed when it is done.
    Shutdown { within: Duration, done: Sender<()> },
}

/// One endpoint with its transport, its sockets and its queues.
///
/// The stack `S` is whatever `I` knows to serve; see [`Io`].
///
/// Each round flushes, passes notices on, takes commands, receives, and serves the timers, in this
/// order: after a standstill, what the network has brought counts before what seems overdue, so
/// timers wait until nothing has arrived or the turn is over. In one round, every source of work has a bound of
/// its own, so none can keep the others waiting.
pub(super) struct EventLoop<R, E: Role, S, I> {
    pub(super) parts: Parts<R, E>,
    pub(super) node: Node<Observed<E>, S>,
    pub(super) endpoint: EndpointKey,
    pub(super) io: I,
    pub(super) state: State,
}

/// What an event loop is made of beside the transport.
pub(super) struct Parts<R, E: Role> {
    pub(super) runtime: Arc<R>,
    /// The role and the identifier, on every line of the log.
    pub(super) span: tracing::Span,
    pub(super) announcements: Vec<AnnounceSocket>,
    pub(super) requests: Pin<Box<Receiver<Request<E>>>>,
    pub(super) remarks: Pin<Box<Receiver<Remark>>>,
    pub(super) delivery: Delivery<E>,
    pub(super) fate: Fate,
}

/// What the loop remembers between its rounds.
#[derive(Default)]
pub(super) struct State {
    received: Vec<Received>,
    sleep: Option<(Instant, BoxFuture)>,
    /// Until when no announcement is received, because a socket has failed.
    pause: Option<Instant>,
    last_command: u64,
    /// When to stop at the latest, once a shutdown has begun.
    stop_at: Option<Instant>,
    /// Dropped when the loop ends: those who wait for the end learn of it by that.
    done: Vec<Sender<()>>,
    log: Log,
}

impl<R: Runtime, E: Role, S: Stack, I: Io<S>> EventLoop<R, E, S, I> {
    pub(super) fn new(parts: Parts<R, E>, node: Node<Observed<E>, S>, endpoint: EndpointKey, io: I) -> Self {
        Self { parts, node, endpoint, io, state: State::default() }
    }

    /// Runs until the endpoint has left and everything is flushed, or until something panics, such as a policy of
    /// the application.
    pub(super) async fn run(mut self) {
        // Whose lines they are: several endpoints may log to one place.
        let span = self.parts.span.clone();
        poll_fn(|context| {
            // What has panicked is used no more, so it does not matter in what state it is.
            let turn = span.in_scope(|| catch_unwind(AssertUnwindSafe(|| self.poll(context))));
            turn.unwrap_or_else(|panic| {
                span.in_scope(|| self.parts.fate.panicked(&*panic));
                Poll::Ready(())
            })
        })
        .await;
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.pass_on();
        let end = self.parts.runtime.now() + TURN;
        for round in 0..ROUNDS_PER_TURN {
            if round > 0 && end <= self.parts.runtime.now() {
                break;
            }
            self.flush(context);
            let mut progress = self.parts.delivery.poll(context);
            progress |= self.take_commands(context);
            let received = self.receive(self.intake(), context) | self.receive_announcements(context);
            progress |= received || self.serve_timers(context);
            if self.state.stop_at.is_none() && self.node.is_stopped() {
                // Of its own accord: a registrar whose identifier is taken.
                self.begin_shutdown(DROP_GRACE);
                progress = true;
            }
            if self.is_finished() {
                self.flush(context);
                self.receive(Intake::Closed, context);
                return Poll::Ready(());
            }
            if !progress {
                return Poll::Pending;
            }
        }
        // A peer never stops sending: now the timers have their turn all the same.
        self.serve_timers(context);
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Sends what the node has to send, as far as the outside takes it.
    fn flush(&mut self, context: &mut Context<'_>) {
        let now = self.parts.runtime.now();
        for socket in &mut self.parts.announcements {
            if let Err(error) = socket.flush(context)
                && let Some(Line { suppressed }) = self.state.log.at(now).allow("announce")
            {
                tracing::warn!(%error, group = socket.label, suppressed, "announcement not sent");
            }
        }
        self.io.flush(&mut self.node, now, context);
    }

    fn take_commands(&mut self, context: &mut Context<'_>) -> bool {
        let mut progress = false;
        // While the network takes nothing, nothing more is begun.
        for _ in 0..COMMANDS_PER_ROUND {
            if !self.io.is_flushed() {
                break;
            }
            let Poll::Ready(request) = self.parts.requests.as_mut().poll_next(context) else { break };
            match request {
                Some(Request::Command { command, waiting })
                    if waiting.reply.is_closed() && E::needs_caller(&command) => {}
                Some(Request::Command { waiting, .. }) if self.parts.delivery.is_stale(&waiting.opens) => {}
                Some(Request::Command { command, waiting }) => {
                    let id = self.next_command();
                    self.parts.delivery.expect(id, waiting);
                    self.node.handle_command(self.parts.runtime.now(), self.endpoint, id, command);
                }
                Some(Request::Look(look)) => look(&self.node.endpoint(self.endpoint).0),
                Some(Request::Shutdown { within, done }) => {
                    self.state.done.push(done);
                    self.begin_shutdown(within);
                }
                None if self.state.stop_at.is_none() => self.begin_shutdown(DROP_GRACE),
                None => break,
            }
            self.pass_on();
            progress = true;
        }
        while let Poll::Ready(Some(remark)) = self.parts.remarks.as_mut().poll_next(context) {
            self.note(remark);
            self.pass_on();
            progress = true;
        }
        progress
    }

    /// Hands what has arrived to the node.
    fn receive(&mut self, intake: Intake, context: &mut Context<'_>) -> bool {
        let progress = self.io.receive(&mut self.node, intake, self.parts.runtime.now(), context);
        if progress {
            self.pass_on();
        }
        progress
    }

    const fn intake(&self) -> Intake {
        if self.parts.delivery.is_blocked() { Intake::Closed } else { Intake::Open }
    }

    fn receive_announcements(&mut self, context: &mut Context<'_>) -> bool {
        if self.pauses() {
            return false;
        }
        let mut progress = false;
        let mut failed = None;
        for socket in &mut self.parts.announcements {
            match socket.poll_receive(context, &mut self.state.received) {
                Poll::Ready(Ok(())) => {
                    let now = self.parts.runtime.now();
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
            self.pass_on();
        }
        progress
    }

    fn receive_failed(&mut self, error: &std::io::Error) {
        let now = self.parts.runtime.now();
        self.state.pause = Some(now + RECEIVE_PAUSE);
        if let Some(Line { suppressed }) = self.state.log.at(now).allow("receive") {
            tracing::warn!(%error, suppressed, "receiving failed");
        }
    }

    /// Whether a socket that has failed is still left alone.
    fn pauses(&mut self) -> bool {
        self.state.pause = self.state.pause.filter(|until| self.parts.runtime.now() < *until);
        self.state.pause.is_some()
    }

    /// Serves what is due and sleeps until what comes next. A sleep that ends too early is left
    /// alone, because most deadlines only ever move away.
    fn serve_timers(&mut self, context: &mut Context<'_>) -> bool {
        if self.state.pause.is_some() && !self.pauses() {
            return true;
        }
        let now = self.parts.runtime.now();
        for (kind, lines) in self.state.log.overdue(now) {
            tracing::warn!(kind, suppressed = lines, "more lines of this kind were left out");
        }
        let wanted = [
            self.node.poll_timeout(),
            self.state.stop_at,
            self.state.pause,
            self.io.poll_timeout(),
            self.state.log.poll_timeout(),
        ];
        let Some(due) = wanted.into_iter().flatten().min() else {
            self.state.sleep = None;
            return false;
        };
        if due <= now {
            self.node.handle_timeout(now);
            self.pass_on();
            return true;
        }
        let armed = match &mut self.state.sleep {
            Some((at, sleep)) if *at <= due => sleep,
            sleep => &mut sleep.insert((due, self.parts.runtime.sleep_until(due))).1,
        };
        if armed.as_mut().poll(context).is_pending() {
            return false;
        }
        self.state.sleep = None;
        true
    }

    /// Passes on what the node has decided; datagrams wait for the next flush.
    fn pass_on(&mut self) {
        let now = self.parts.runtime.now();
        while let Some((_, output)) = self.node.poll_output() {
            let log = self.state.log.at(now);
            match output {
                Output::Answer(id, answer) => {
                    E::log_answer(&answer, log);
                    self.parts.delivery.answer(id, answer);
                }
                Output::Notice(notice) => {
                    E::log(&notice, log);
                    self.parts.delivery.accept(notice);
                }
            }
        }
        while let Some(remark) = self.parts.delivery.pop_remark() {
            self.note(remark);
        }
        while let Some((channel, bytes)) = self.node.poll_announce() {
            for socket in self.parts.announcements.iter_mut().filter(|s| s.channel == channel) {
                socket.send(bytes.clone());
            }
        }
    }

    fn note(&mut self, remark: Remark) {
        if let Remark::Unwatched(pool) = &remark
            && self.parts.delivery.is_watched(pool)
        {
            return;
        }
        let now = self.parts.runtime.now();
        match remark {
            Remark::Request(session, request) => self.parts.delivery.give_up(session, request),
            Remark::Hold(association) => self.act(now, Action::Hold { association }),
            // Otherwise what its user has still to deliver would keep the association open.
            Remark::Release(association) | Remark::Visitor(association) => {
                self.act(now, Action::Release { association });
            }
            _ => {}
        }
        if let Some(command) = E::note(remark) {
            let id = self.next_command();
            self.node.handle_command(self.parts.runtime.now(), self.endpoint, id, command);
        }
    }

    /// Tells the transport what the endpoint does not need to know.
    fn act(&mut self, now: Instant, action: Action) {
        self.node.with_stack(now, |stack| stack.handle_action(now, action));
    }

    fn begin_shutdown(&mut self, within: Duration) {
        let now = self.parts.runtime.now();
        let deadline = now + within;
        self.state.stop_at = Some(self.state.stop_at.map_or(deadline, |at| at.min(deadline)));
        self.parts.delivery.stop_waiting();
        self.node.begin_shutdown(now, deadline);
    }

    fn is_finished(&self) -> bool {
        let Some(deadline) = self.state.stop_at else { return false };
        let left = self.node.is_idle();
        (left && self.io.is_flushed()) || deadline <= self.parts.runtime.now()
    }

    fn next_command(&mut self) -> CommandId {
        self.state.last_command += 1;
        CommandId(self.state.last_command)
    }
}
