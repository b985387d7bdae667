//! The user's side of ping pong.

use alloc::collections::{BTreeSet, VecDeque};
use core::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{ElementId, Instant};
use rserpool_core::user::RequestId;

use super::{Message, PROTOCOL};
use crate::client::{Client, ClientAction, ClientEvent};

/// How a user plays ping pong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PingPongConfig {
    /// The time between two pings; the next one does not wait for the answer to the one before.
    pub interval: Duration,
    /// The octets of data in a ping, at most 65,515.
    pub data: usize,
    /// The most pings without an answer; further ones wait.
    pub window: usize,
    /// After how long it ends by itself; `None`: never.
    pub limit: Option<Duration>,
}

impl Default for PingPongConfig {
    /// Two pings a second without data, and at most 1,000 of them without an answer.
    fn default() -> Self {
        Self { interval: Duration::from_millis(500), data: 0, window: 1_000, limit: None }
    }
}

/// An answer, as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pong {
    /// The element that has answered.
    pub element: ElementId,
    /// The number of the ping.
    pub message: u64,
    /// The number of the answer in the whole session.
    pub reply: u64,
    /// By how much `reply` is not above that of the answer before: state that went back. 0 if all is well.
    pub back: u64,
}

/// How it went so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Pings sent, without repetitions.
    pub sent: u64,
    /// Pings answered.
    pub answered: u64,
    /// Pings given up without an answer.
    pub lost: u64,
    /// Answers to pings that were answered before; they are told to nobody.
    pub duplicates: u64,
    /// Answers whose number was not above that of the answer before.
    pub went_back: u64,
    /// Elements that have taken over the session.
    pub failovers: u64,
}

/// Sends pings and tells of the pongs.
#[derive(Debug)]
pub struct PingPongClient {
    config: PingPongConfig,
    element: Option<ElementId>,
    open: BTreeSet<u64>,
    next_ping: Option<Instant>,
    ends: Option<Instant>,
    /// No more pings: it leaves when all are answered.
    leaving: bool,
    closed: bool,
    last_reply: u64,
    summary: Summary,
    actions: VecDeque<ClientAction<Pong>>,
}

impl PingPongClient {
    /// A player whose session is about to open.
    pub const fn new(config: PingPongConfig) -> Self {
        let summary = Summary { sent: 0, answered: 0, lost: 0, duplicates: 0, went_back: 0, failovers: 0 };
        Self {
            config,
            element: None,
            open: BTreeSet::new(),
            next_ping: None,
            ends: None,
            leaving: false,
            closed: false,
            last_reply: 0,
            summary,
            actions: VecDeque::new(),
        }
    }

    /// How it went so far.
    pub const fn summary(&self) -> Summary {
        self.summary
    }

    /// Sends no more pings; the session is closed when the open ones are answered.
    pub fn finish(&mut self) {
        self.leaving = true;
        (self.next_ping, self.ends) = (None, None);
        self.close_if_done();
    }

    fn ping(&mut self, now: Instant) {
        if self.open.len() < self.config.window {
            let number = self.summary.sent;
            self.summary.sent += 1;
            self.open.insert(number);
            let data = Bytes::from(alloc::vec![0; self.config.data]);
            let bytes = Message::Ping { message: number, data }.encode();
            self.actions.push_back(ClientAction::Request {
                request: RequestId(number),
                protocol: PROTOCOL,
                bytes,
            });
        }
        self.next_ping = Some(now + self.config.interval);
    }

    fn pong(&mut self, message: u64, reply: u64) {
        let Some(element) = self.element else { return };
        if !self.open.remove(&message) {
            self.summary.duplicates += 1;
            return;
        }
        self.summary.answered += 1;
        let back = match self.last_reply {
            0 => 0,
            last => (last + 1).saturating_sub(reply),
        };
        self.summary.went_back += u64::from(back > 0);
        self.last_reply = self.last_reply.max(reply);
        self.actions.push_back(ClientAction::Answered(RequestId(message)));
        self.actions.push_back(ClientAction::Report(Pong { element, message, reply, back }));
    }

    fn close_if_done(&mut self) {
        if self.leaving && self.open.is_empty() && !self.closed {
            self.closed = true;
            self.actions.push_back(ClientAction::Close);
        }
    }
}

impl Client for PingPongClient {
    type Report = Pong;

    fn handle_event(&mut self, now: Instant, event: ClientEvent) {
        match event {
            ClientEvent::Opened { element } => {
                self.element = Some(element);
                self.ends = self.config.limit.map(|limit| now + limit);
                self.ping(now);
            }
            ClientEvent::FailedOver { element, .. } => {
                self.element = Some(element);
                self.summary.failovers += 1;
            }
            ClientEvent::Received { protocol: PROTOCOL, bytes } => {
                if let Ok(Message::Pong { message, reply, .. }) = Message::decode(&bytes) {
                    self.pong(message, reply);
                }
            }
            ClientEvent::Received { .. } => {}
            ClientEvent::Unanswered(RequestId(message)) => {
                if self.open.remove(&message) {
                    self.summary.lost += 1;
                }
            }
        }
        self.close_if_done();
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.ends.is_some_and(|at| at <= now) {
            self.finish();
        } else if self.next_ping.is_some_and(|at| at <= now) {
            self.ping(now);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.next_ping.into_iter().chain(self.ends).min()
    }

    fn poll_action(&mut self) -> Option<ClientAction<Pong>> {
        self.actions.pop_front()
    }
}
