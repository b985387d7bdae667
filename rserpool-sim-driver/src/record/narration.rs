//! What is told of a world: lines of its trace, kept notices, the first violation.

use rserpool_core::base::{AssociationId, ProtocolId};
use rserpool_core::endpoint::{Channel, Event};
use rserpool_core::{element, user};

use super::trace::summary;
use crate::applications::{Note, Violation};
use crate::id::HostId;
use crate::world::World;

impl World {
    pub(crate) fn violated(&mut self, violation: Violation) {
        self.trace.note(self.clock, [99, 0], &[], || format!("VIOLATION {violation}"));
        self.history.violation.get_or_insert(violation);
    }

    /// A line of the trace about a host.
    pub(crate) fn mark(&mut self, host: HostId, what: &str) {
        let name = &self.hosts[host.0].name;
        self.trace.note(self.clock, [1, host.0 as u64], what.as_bytes(), || format!("{name} {what}"));
    }

    /// A line of the trace about the world.
    pub(crate) fn mark_world(&mut self, what: &str) {
        self.trace.note(self.clock, [2, 0], what.as_bytes(), || format!("** {what}"));
    }

    pub(crate) fn note_event(&mut self, host: HostId, event: &Event) {
        if let Event::Connected { association, peer, .. } = event
            && let Some(peer) = peer.addresses.iter().find_map(|address| self.network.owner(*address))
        {
            self.hosts[host.0].peers.insert(*association, peer);
        }
        let name = &self.hosts[host.0].name;
        let who = |association: &AssociationId| {
            let peer = self.hosts[host.0].peers.get(association);
            peer.map_or("nobody", |peer| self.hosts[peer.0].name.as_str())
        };
        let (kind, number, octets): (u64, u64, &[u8]) = match event {
            Event::Connected { association, .. } => (10, association.number(), &[]),
            Event::ConnectFailed { request, .. } => (11, request.0, &[]),
            Event::Message { association, bytes, .. } => (12, association.number(), bytes),
            Event::Congested { association } => (13, association.number(), &[]),
            Event::Drained { association } => (14, association.number(), &[]),
            Event::Disconnected { association, .. } => (15, association.number(), &[]),
            Event::Announce { bytes, .. } => (16, 0, bytes),
            Event::Addresses { association, .. } => (17, association.number(), &[]),
            Event::HungUp { .. } => (18, 0, &[]),
        };
        let text = || match event {
            Event::Connected { association, request, .. } => {
                let how = if request.is_some() { "connected to" } else { "accepted" };
                format!("{name} {how} {} ({})", who(association), association.number())
            }
            Event::ConnectFailed { request, reason } => {
                format!("{name} attempt {} failed: {reason}", request.0)
            }
            Event::Message { association, protocol, bytes, .. } => {
                format!("{name} < {} {}", who(association), summary(*protocol, bytes))
            }
            Event::Congested { association } => format!("{name} congested towards {}", who(association)),
            Event::Drained { association } => format!("{name} drained towards {}", who(association)),
            Event::Disconnected { association, reason } => {
                format!("{name} association {} ended: {reason}", association.number())
            }
            Event::Addresses { association, peer } => {
                format!("{name} finds {} at {peer}", who(association))
            }
            Event::HungUp { peer, reason, .. } => format!("{name} hung up on {peer}: {reason}"),
            Event::Announce { channel, bytes, .. } => {
                format!("{name} << {}", summary(protocol_of(*channel), bytes))
            }
        };
        self.trace.note(self.clock, [kind << 32 | host.0 as u64, number], octets, text);
        if let Event::Disconnected { association, .. } = event {
            self.hosts[host.0].peers.remove(association);
        }
    }

    pub(crate) fn note_notice(&mut self, host: HostId, note: Note) {
        let name = &self.hosts[host.0].name;
        let quiet = matches!(
            note,
            Note::User(user::Notice::Accepted | user::Notice::Received { .. })
                | Note::Element(element::Notice::Accepted | element::Notice::Received { .. })
        );
        if !quiet {
            self.trace.note(self.clock, [20, host.0 as u64], &[], || {
                let text = match &note {
                    Note::Registrar(notice) => format!("{notice:?}"),
                    Note::Element(notice) => format!("{notice:?}"),
                    Note::User(notice) => format!("{notice:?}"),
                    Note::Custom(notice) => notice.clone(),
                };
                format!("{name} ! {text}")
            });
        }
        self.check_note(host, &note);
        if let Some(notes) = &mut self.notes {
            notes.push((self.clock, host, note));
        }
    }
}

/// The protocol that a channel of announcements speaks.
pub(crate) const fn protocol_of(channel: Channel) -> ProtocolId {
    match channel {
        Channel::Asap => ProtocolId::ASAP,
        Channel::Enrp => ProtocolId::ENRP,
    }
}
