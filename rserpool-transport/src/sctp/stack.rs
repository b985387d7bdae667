//! What goes in and comes out: actions and events on one side, datagrams on the other.

use std::net::SocketAddr;

use bytes::Bytes;
use rserpool_core::base::{Instant, SctpPort, Source};
use rserpool_core::endpoint::{
    AbortCause, Action, ConnectError, DownReason, Event, Reservation, TransportCounters,
};

use super::association::{Association, End};
use super::chunk::{self, cause};
use super::engine::{Engine, Outgoing};
use super::{Owner, Sctp, dispatch, undelivered};
use crate::{Datagram, Datagrams, Stack, Undelivered};

/// The most deadlines that are served at a time, some milliseconds of work. Peers that have all come at one moment, as those
/// of an attacker do, are all due for a HEARTBEAT at one moment, too. What has arrived is taken in between.
pub(super) const MAX_DUE: usize = 256;

impl<E: Engine> Stack for Sctp<E> {
    fn listen(&mut self, local_port: SctpPort) {
        self.listening.insert(local_port);
    }

    fn stop_listening(&mut self) {
        self.listening.clear();
    }

    fn handle_action(&mut self, now: Instant, action: Action) {
        self.core.now = self.core.now.max(now);
        match action {
            Action::Connect { request, local_port, peer, deadline } => match peer.as_sctp() {
                Some(peer) => self.connect(request, local_port, peer, deadline),
                None => self.core.failed(request, ConnectError::NoRoute),
            },
            Action::CancelConnect { request } => {
                self.forget(request, None);
            }
            Action::Send { association, protocol, stream, bytes } => {
                self.with(association, |a, core, _| a.send(core, Outgoing { protocol, stream, bytes }));
            }
            Action::Hold { association } => self.with(association, |a, _, _| {
                a.hold(true);
                Ok(())
            }),
            Action::Release { association } => self.with(association, |a, _, _| {
                a.hold(false);
                Ok(())
            }),
            Action::Shutdown { association, deadline } => self.with(association, |a, core, _| {
                a.shutdown(core, deadline);
                Ok(())
            }),
            Action::Abort { association, cause } => {
                let parting = Some(match cause {
                    AbortCause::User => chunk::abort(cause::USER_ABORT, "aborted by the user"),
                    AbortCause::OutOfResource => chunk::abort(cause::OUT_OF_RESOURCE, ""),
                    AbortCause::ProtocolViolation => {
                        chunk::abort(cause::PROTOCOL_VIOLATION, "RSerPool message not understood")
                    }
                });
                self.end(association, End { reason: DownReason::Local, parting });
            }
            Action::Announce { .. } => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.core.now = self.core.now.max(now);
        // Fetched first: what is due again at once waits for the next call.
        let now = self.core.now;
        let due: Vec<Owner> = std::iter::from_fn(|| self.deadlines.pop_due(now)).take(MAX_DUE).collect();
        for owner in due {
            match owner {
                Owner::Association(id) => self.with(id, Association::handle_timeout),
                Owner::Attempt(request) => {
                    if let Some(attempt) = self.attempts.get_mut(&request) {
                        let progress = attempt.handle_timeout(&mut self.core);
                        dispatch::progress(self, request, progress);
                    }
                }
            }
        }
    }

    /// Messages are handed out one by one, when they are fetched, so what an answer does to the send queue counts
    /// before the next question.
    fn poll_event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.core.events.pop_front() {
                return Some(event);
            }
            let id = self.ready.pop_front()?;
            let Some(association) = self.associations.get_mut(&id) else { continue };
            association.queued = false;
            if association.has_message() {
                association.take_message(&mut self.core);
                self.places.heard(id);
                self.touch(id);
            } else if association.is_paused() {
                self.core.counters.sctp_paused += 1;
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    fn counters(&self) -> TransportCounters {
        self.core.counters
    }

    fn reserve(&mut self, reservation: Reservation) {
        let Reservation { address, associations } = reservation;
        self.places.reserve(Source::of(address), associations);
    }

    /// Attempts, and associations that an endpoint knows. One that only waits for the last
    /// packet of its shutdown has delivered everything and does not count.
    fn associations(&self) -> usize {
        self.core.named + self.attempts.len()
    }
}

impl<E: Engine> Datagrams for Sctp<E> {
    fn handle_datagram(&mut self, now: Instant, source: SocketAddr, bytes: Bytes) {
        self.core.now = self.core.now.max(now);
        self.core.counters.sctp_datagrams_received += 1;
        dispatch::datagram(self, source, &bytes);
    }

    fn handle_undelivered(&mut self, now: Instant, undelivered: Undelivered) {
        self.core.now = self.core.now.max(now);
        undelivered::handle(self, &undelivered);
    }

    fn poll_datagram(&mut self) -> Option<Datagram> {
        loop {
            if let Some(datagram) = self.core.packets.pop_front() {
                return Some(datagram);
            }
            let id = self.dirty.pop_first()?;
            if let Some(association) = self.associations.get_mut(&id) {
                association.flush(&mut self.core, &mut self.engine);
                let deadline = association.deadline(&self.engine);
                self.deadlines.set(Owner::Association(id), deadline);
            }
        }
    }
}
