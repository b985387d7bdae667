//! What each end of a measurement does, whatever carries it.

use std::time::{Duration, Instant as Clock};

use crate::UdpStack;
use bytes::Bytes;
use rserpool_core::base::{AssociationId, ConnectId, Instant, ProtocolId, SctpPort, TransportAddress};
use rserpool_core::endpoint::{Action, Connected, Event};

use super::{LENGTH, SPAN};

static MESSAGE: [u8; LENGTH] = [0x55; LENGTH];

/// Messages sent before the other business of an end has its turn.
const BURST: usize = 32;

/// One end with its stack.
pub(super) struct Side {
    pub(super) stack: Box<dyn UdpStack>,
    role: Role,
    association: Option<AssociationId>,
    congested: bool,
}

/// What an end does.
pub(super) enum Role {
    /// Sends without end.
    Source,
    /// Counts what arrives, since when, and the last time.
    Sink { count: u64, first: Option<Clock> },
    /// Sends a message back.
    Echo,
    /// Sends a message when the last one has come back, and notes how long that took.
    Ping { sent: Clock, first: Clock, trips: Vec<Duration> },
}

impl Role {
    pub(super) const fn sink() -> Self {
        Self::Sink { count: 0, first: None }
    }

    pub(super) fn ping() -> Self {
        Self::Ping { sent: Clock::now(), first: Clock::now(), trips: Vec::new() }
    }
}

impl Side {
    pub(super) fn new(stack: Box<dyn UdpStack>, role: Role) -> Self {
        Self { stack, role, association: None, congested: false }
    }

    pub(super) fn connect(&mut self, now: Instant, peer: TransportAddress) {
        let deadline = now + Duration::from_secs(10);
        self.stack.handle_action(
            now,
            Action::Connect { request: ConnectId(1), local_port: SctpPort(0), peer, deadline },
        );
    }

    /// Lets the end react to what has happened, and send if it is a source. Whether it did anything.
    pub(super) fn play(&mut self, now: Instant) -> bool {
        let mut busy = self.listen(now);
        for _ in 0..BURST {
            if self.congested || !matches!(self.role, Role::Source) || self.association.is_none() {
                break;
            }
            self.send(now);
            self.listen(now);
            busy = true;
        }
        busy
    }

    fn listen(&mut self, now: Instant) -> bool {
        let mut busy = false;
        while let Some(event) = self.stack.poll_event() {
            busy = true;
            match event {
                Event::Connected(Connected { association, .. }) => {
                    self.association = Some(association);
                    if matches!(self.role, Role::Ping { .. }) {
                        self.send(now);
                    }
                }
                Event::Congested { .. } => self.congested = true,
                Event::Drained { .. } => self.congested = false,
                Event::Message { .. } => self.message(now),
                _ => {}
            }
        }
        busy
    }

    fn message(&mut self, now: Instant) {
        match &mut self.role {
            Role::Source => {}
            Role::Sink { count, first } => {
                *count += 1;
                first.get_or_insert_with(Clock::now);
            }
            Role::Echo => self.send(now),
            Role::Ping { sent, trips, .. } => {
                trips.push(sent.elapsed());
                *sent = Clock::now();
                self.send(now);
            }
        }
    }

    fn send(&mut self, now: Instant) {
        let Some(association) = self.association else { return };
        let bytes = Bytes::from_static(&MESSAGE);
        self.stack
            .handle_action(now, Action::Send { association, protocol: ProtocolId(0), stream: 0, bytes });
    }

    /// Whether the measurement is over for this end.
    pub(super) fn is_done(&self) -> bool {
        match &self.role {
            Role::Source | Role::Echo => false,
            Role::Sink { first, .. } => first.is_some_and(|first| first.elapsed() >= SPAN),
            Role::Ping { first, .. } => first.elapsed() >= SPAN / 2,
        }
    }

    /// Messages in a second.
    pub(super) fn rate(&self) -> f64 {
        match &self.role {
            Role::Sink { count, first: Some(first) } => *count as f64 / first.elapsed().as_secs_f64(),
            _ => 0.0,
        }
    }

    /// The median of the round trips.
    pub(super) fn round_trip(&mut self) -> Duration {
        let Role::Ping { trips, .. } = &mut self.role else { return Duration::ZERO };
        trips.sort_unstable();
        trips.get(trips.len() / 2).copied().unwrap_or_default()
    }
}
