//! What is written down of a world: its trace, the notices of its applications, and a capture.

mod capture;
mod summary;
mod trace;
mod traffic;

use std::net::SocketAddr;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, Instant, ProtocolId};
use rserpool_core::endpoint::{Connected, Event};
use rserpool_core::{element, user};

pub use trace::{Trace, TraceMode};
pub use traffic::{Sent, Traffic};

use crate::applications::Note;
use crate::associations::Direction;
use crate::hosts::Hosts;
use crate::id::HostId;
use crate::violation::Violation;
use capture::Capture;

/// The record of a world.
#[derive(Debug)]
pub(crate) struct Record {
    trace: Trace,
    notes: Option<Vec<(Instant, HostId, Note)>>,
    capture: Option<Capture>,
}

/// Which notices are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    All,
    Nothing,
}

impl Record {
    pub(crate) fn new(trace: TraceMode, notes: Keep, capture: Keep) -> Self {
        Self {
            trace: Trace::new(trace),
            notes: (notes == Keep::All).then(Vec::new),
            capture: (capture == Keep::All).then(Capture::new),
        }
    }

    pub(crate) const fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The notices that were kept.
    pub(crate) fn notes(&self) -> &[(Instant, HostId, Note)] {
        self.notes.as_deref().unwrap_or_default()
    }

    /// The capture as the content of a file, if one is made.
    pub(crate) fn take_capture(&mut self) -> Option<Vec<u8>> {
        self.capture.take().map(Capture::finish)
    }

    pub(crate) const fn captures(&self) -> bool {
        self.capture.is_some()
    }

    // What happens

    pub(crate) fn violation(&mut self, now: Instant, violation: &Violation) {
        self.trace.note(now, [99, 0], &[], || format!("VIOLATION {violation}"));
    }

    /// A line about a host.
    pub(crate) fn mark(&mut self, now: Instant, hosts: &Hosts, host: HostId, what: &str) {
        let words = [1, host.0 as u64];
        self.trace.note(now, words, what.as_bytes(), || format!("{} {what}", hosts.get(host).name()));
    }

    /// A line about the world.
    pub(crate) fn mark_world(&mut self, now: Instant, what: &str) {
        self.trace.note(now, [2, 0], what.as_bytes(), || format!("** {what}"));
    }

    /// A process was handed an event.
    pub(crate) fn event(&mut self, now: Instant, hosts: &Hosts, host: HostId, event: &Event) {
        let (kind, number, octets): (u64, u64, &[u8]) = match event {
            Event::Connected(Connected { association, .. }) => (10, association.number(), &[]),
            Event::ConnectFailed { request, .. } => (11, request.0, &[]),
            Event::Message { association, bytes, .. } => (12, association.number(), bytes),
            Event::Congested { association } => (13, association.number(), &[]),
            Event::Drained { association } => (14, association.number(), &[]),
            Event::Disconnected { association, .. } => (15, association.number(), &[]),
            Event::Announce { bytes, .. } => (16, 0, bytes),
            Event::Addresses { association, .. } => (17, association.number(), &[]),
            Event::HungUp { .. } => (18, 0, &[]),
            Event::Arriving { association } => (19, association.number(), &[]),
        };
        let words = [kind << 32 | host.0 as u64, number];
        self.trace.note(now, words, octets, || describe(hosts, host, event));
    }

    /// An application was told something. Routine answers are not worth a line.
    pub(crate) fn notice(&mut self, now: Instant, hosts: &Hosts, host: HostId, note: &Note) {
        let quiet = matches!(
            note,
            Note::UserAnswer(user::Answer::Done(Ok(())) | user::Answer::Noted | user::Answer::Called(Ok(_)))
                | Note::User(user::Notice::Received { .. })
                | Note::ElementAnswer(element::Answer::Done(Ok(())) | element::Answer::Updated(Ok(())))
                | Note::Element(element::Notice::Received { .. })
        );
        if quiet {
            return;
        }
        self.trace.note(now, [20, host.0 as u64], &[], || {
            let text = match note {
                Note::Registrar(notice) => format!("{notice:?}"),
                Note::Element(notice) => format!("{notice:?}"),
                Note::ElementAnswer(answer) => format!("{answer:?}"),
                Note::User(notice) => format!("{notice:?}"),
                Note::UserAnswer(user::Answer::Opened(Ok(opened))) => format!("{opened:?}"),
                Note::UserAnswer(answer) => format!("{answer:?}"),
                Note::Custom(notice) => notice.clone(),
            };
            format!("{} ! {text}", hosts.get(host).name())
        });
    }

    /// Keeps a notice, if notices are kept.
    pub(crate) fn keep(&mut self, now: Instant, host: HostId, note: Note) {
        if let Some(notes) = &mut self.notes {
            notes.push((now, host, note));
        }
    }

    /// A message is sent over a modelled association.
    pub(crate) fn message(
        &mut self,
        now: Instant,
        direction: Direction,
        stream: u16,
        protocol: ProtocolId,
        bytes: &Bytes,
    ) {
        if let Some(capture) = &mut self.capture {
            capture.message(now, direction, stream, protocol, bytes);
        }
    }

    /// A node sends a datagram.
    pub(crate) fn datagram(
        &mut self,
        now: Instant,
        host: HostId,
        source: SocketAddr,
        destination: SocketAddr,
        bytes: &Bytes,
    ) {
        self.trace.hash_octets(now, [30, host.0 as u64], bytes);
        if let Some(capture) = &mut self.capture {
            capture.datagram(now, source, destination, bytes);
        }
    }
}

/// An event in words.
fn describe(hosts: &Hosts, host: HostId, event: &Event) -> String {
    let name = hosts.get(host).name();
    let peer_of = |association: &AssociationId| {
        let peer = hosts.get(host).peer(*association);
        peer.map_or("nobody", |peer| hosts.get(peer).name())
    };
    match event {
        Event::Connected(Connected { association, origin, .. }) => {
            let how = if origin.attempt().is_some() { "connected to" } else { "accepted" };
            format!("{name} {how} {} ({})", peer_of(association), association.number())
        }
        Event::ConnectFailed { request, reason } => format!("{name} attempt {} failed: {reason}", request.0),
        Event::Message { association, protocol, bytes, .. } => {
            format!("{name} < {} {}", peer_of(association), summary::summary(*protocol, bytes))
        }
        Event::Arriving { association } => format!("{name} hears a part of {}", peer_of(association)),
        Event::Congested { association } => format!("{name} congested towards {}", peer_of(association)),
        Event::Drained { association } => format!("{name} drained towards {}", peer_of(association)),
        Event::Disconnected { association, reason } => {
            format!("{name} association {} ended: {reason}", association.number())
        }
        Event::Addresses { association, peer } => format!("{name} finds {} at {peer}", peer_of(association)),
        Event::HungUp { peer, reason, .. } => format!("{name} hung up on {peer}: {reason}"),
        Event::Announce { channel, bytes, .. } => {
            format!("{name} << {}", summary::announcement(*channel, bytes))
        }
    }
}
