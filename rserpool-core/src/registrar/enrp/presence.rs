//! ENRP_PRESENCE: heartbeats, questions for a sign of life, and what they tell (RFC 5353 sections
//! 2.1, 3.4.2 and 3.6.1).

use core::net::SocketAddr;

use bytes::Bytes;

use super::place::{address_of, describe};
use crate::base::{
    AssociationId, DEFAULT_ENCAPSULATION_PORT, ENRP_PORT, Instant, RegistrarId, TransportAddress,
};
use crate::endpoint::{Action, Channel};
use crate::registrar::{Registrar, Timer};
use crate::wire::{EnrpBody, EnrpMessage, ServerInformation};

impl Registrar {
    /// Our own ENRP_PRESENCE. It always has the checksum (reading B20) and, if we know where we
    /// are, our description.
    pub(super) fn presence(&self, reply_required: bool) -> EnrpBody {
        let checksum = Some(self.handlespace.checksum(self.id));
        EnrpBody::Presence { reply_required, checksum, server: self.description() }
    }

    /// Our own description; `None` if we do not know our addresses.
    pub(super) fn description(&self) -> Option<ServerInformation> {
        let ours = self.own_address();
        (!ours.addresses.is_empty()).then(|| describe(self.id, &ours))
    }

    /// ENRP_PRESENCE comes first on every association with a registrar.
    pub(super) fn greet(&mut self, association: AssociationId, peer: RegistrarId) {
        if let Some(link) = self.links.get_mut(&association) {
            link.greeted = true;
        }
        let presence = self.presence(true);
        self.send_enrp(association, peer, presence);
    }

    /// Begins to send heartbeats, as soon as there is anybody to hear them.
    pub(super) fn start_heartbeats(&mut self, now: Instant) {
        if self.deadlines.get(&Timer::Heartbeat).is_none() {
            self.deadlines.set(Timer::Heartbeat, now + self.config.enrp.heartbeat_cycle);
        }
    }

    /// PEER-HEARTBEAT-CYCLE is over.
    pub(in crate::registrar) fn heartbeat(&mut self, now: Instant) {
        if self.enrp.peers.is_empty() && !self.config.enrp.announce {
            return;
        }
        self.start_heartbeats(now);
        self.counters.heartbeats += 1;
        let presence = self.presence(false);
        if self.config.enrp.announce
            && let Some(bytes) = self.encode_enrp(RegistrarId::NONE, presence.clone())
        {
            self.outbox.act(Action::Announce { channel: Channel::Enrp, bytes });
        }
        self.group_cast(presence);
        self.balance();
    }

    pub(super) fn handle_presence(
        &mut self,
        now: Instant,
        from: AssociationId,
        sender: RegistrarId,
        reply_required: bool,
        checksum: Option<u16>,
        server: Option<ServerInformation>,
    ) {
        self.target_lives(now, sender);
        let seen = self.links.get(&from).map(|link| link.peer.clone());
        if let Some(peer) = self.enrp.peers.get_mut(&sender) {
            peer.announced = checksum.or(peer.announced);
            if let Some(mut server) = server.filter(|server| server.id == sender)
                && let Some(address) = address_of(&server, seen.as_ref())
            {
                self.enrp.contacts.is_met_at(&address, sender);
                // A list of peers must fit into one message, whatever they say of themselves.
                server.transport.addresses = address.addresses.clone().into();
                peer.address = Some(address);
                peer.server = Some(server);
            }
        }
        if reply_required {
            let presence = self.presence(false);
            self.send_enrp(from, sender, presence);
        }
        if let Some(checksum) = checksum {
            self.audit(now, sender, checksum);
        }
        self.ask_for_list(sender);
    }

    /// A datagram of ENRP's announcement channel. Nothing in it can be trusted (RFC 5353 section
    /// 6.2): it only says where a registrar may be.
    pub(in crate::registrar) fn handle_enrp_announce(
        &mut self,
        now: Instant,
        source: SocketAddr,
        bytes: &Bytes,
    ) {
        let Ok(decoded) = EnrpMessage::decode(bytes) else {
            self.counters.malformed += 1;
            return;
        };
        let EnrpMessage { sender, body: EnrpBody::Presence { server, .. }, .. } = decoded.message else {
            self.counters.unexpected += 1;
            return;
        };
        let server = server.filter(|server| server.id == sender);
        let address = server
            .and_then(|server| address_of(&server, None))
            .unwrap_or_else(|| TransportAddress::new(source.ip(), ENRP_PORT, DEFAULT_ENCAPSULATION_PORT));
        if sender == RegistrarId::NONE || self.is_ourselves(&address) {
            return;
        }
        if sender == self.id && !self.take_another_name() && self.config.addresses.is_empty() {
            // Perhaps our own announcement, come back.
            return;
        }
        if self.enrp.peers.get(&sender).is_none_or(|peer| peer.association.is_none()) {
            let known = self.enrp.peers.contains_key(&sender).then_some(sender);
            self.contact(now, &address, false, known);
        }
    }
}
