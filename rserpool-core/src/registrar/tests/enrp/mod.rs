//! ENRP, event by event (RFC 5353).

mod announcements;
mod audit;
mod bad_input;
mod foreign;
mod homes;
mod joining;
mod namesakes;
mod offers;
mod ownership;
mod past;
mod peers;
mod random;
mod table;
mod takeover;
mod updates;

use super::*;
use crate::base::{ENRP_PORT, SctpAddress, UdpPort};
use crate::registrar::{PeerState, TakeoverWinner};
use crate::wire::{ServerInformation, UpdateAction};

/// The registrar under test, and others with smaller and larger identifiers.
const US: RegistrarId = RegistrarId(0x50);
const LOW: RegistrarId = RegistrarId(0x10);
const HIGH: RegistrarId = RegistrarId(0x90);
const TOP: RegistrarId = RegistrarId(0xa0);

const D: AssociationId = AssociationId::sctp(4);
const E: AssociationId = AssociationId::sctp(5);

const NO_RESPONSE: Duration = Duration::from_secs(5);
const NONE: RegistrarId = RegistrarId::NONE;

impl Rig {
    /// A registrar that serves alone and knows its address.
    fn serving() -> Self {
        Self::serving_with(|_| ())
    }

    fn serving_with(adjust: impl FnOnce(&mut RegistrarConfig)) -> Self {
        Self::with(|config| {
            config.id = Some(US);
            config.addresses = vec![localhost()];
            config.udp_port = UdpPort(20050);
            config.enrp.balance = false;
            adjust(config);
        })
        .without_past()
    }

    /// No peer knows an earlier life of it.
    fn without_past(mut self) -> Self {
        self.registrar.ctx.past = None;
        self
    }

    /// One that has yet to join, with the attempts to reach its configured peers answered: the
    /// first over A, the second over B, and so on.
    fn joining(peers: &[RegistrarId]) -> Self {
        Self::joining_with(peers, |_| ())
    }

    fn joining_with(peers: &[RegistrarId], adjust: impl FnOnce(&mut RegistrarConfig)) -> Self {
        let mut rig = Self::serving_with(|config| {
            config.enrp.peers = peers.iter().map(|peer| place(*peer)).collect();
            adjust(config);
        });
        let deadline = rig.now + rig.registrar.ctx.config.enrp.max_time_no_response;
        let attempts = rig.registrar.ctx.outbox.take_actions();
        let expected = peers.iter().zip(1..).map(|(peer, request)| contact(request, *peer, deadline));
        assert_eq!(attempts, expected.collect::<Vec<_>>());
        for (peer, request) in peers.iter().zip(1..) {
            let actions = rig.reached(AssociationId::sctp(request), request, *peer);
            assert_eq!(actions, [to(AssociationId::sctp(request), NONE, rig.presence(true))]);
        }
        rig
    }

    /// Another registrar opens an association.
    fn called_by(&mut self, association: AssociationId, id: RegistrarId) -> Vec<Action> {
        self.event(Event::Connected(Connected::new(association, Origin::Peer, ENRP_PORT, place(id))))
    }

    /// An attempt to reach another registrar succeeds.
    fn reached(&mut self, association: AssociationId, request: u64, id: RegistrarId) -> Vec<Action> {
        let request = Some(ConnectId(request));
        self.event(Event::Connected(Connected::new(association, request.into(), ENRP_PORT, place(id))))
    }

    fn from(&mut self, association: AssociationId, sender: RegistrarId, body: EnrpBody) -> Vec<Action> {
        self.directed(association, sender, NONE, body)
    }

    fn directed(
        &mut self,
        association: AssociationId,
        sender: RegistrarId,
        receiver: RegistrarId,
        body: EnrpBody,
    ) -> Vec<Action> {
        let message = EnrpMessage { sender, receiver, body };
        self.raw(association, ProtocolId::ENRP, message.encode(Padding::Padded).unwrap())
    }

    /// A registrar opens an association and becomes a peer that owns nothing.
    fn meet(&mut self, association: AssociationId, id: RegistrarId) {
        self.notices();
        assert_eq!(self.called_by(association, id), []);
        let actions = self.from(association, id, heartbeat(0xffff, id));
        let asked = [self.presence(true), EnrpBody::ListRequest];
        assert_eq!(actions, asked.map(|body| to(association, id, body)));
        assert_eq!(self.from(association, id, list(&[])), []);
        assert_eq!(self.notices(), [Notice::PeerFound { peer: id, address: place(id) }]);
    }

    /// What we say of ourselves.
    fn presence(&self, reply_required: bool) -> EnrpBody {
        let checksum = Some(self.registrar.elements.listing.checksum(US));
        EnrpBody::Presence { reply_required, checksum, server: Some(server(US)) }
    }

    /// An element registers; what is told to the peers is asserted elsewhere.
    fn enlist(&mut self, association: AssociationId, id: u32) {
        if !self.registrar.links.contains_key(&association) {
            self.connect(association, 4000 + id as u16);
        }
        self.asap(association, &registration(id));
        self.advance(FIRST_KEEP_ALIVE);
        self.asap(association, &ack(id));
        self.notices();
    }

    /// Lets time pass with the other registrars alive: their heartbeats come every ten seconds.
    fn live(&mut self, time: Duration, peers: &[(AssociationId, RegistrarId)]) {
        let end = self.now + time;
        while self.now < end {
            self.advance(Duration::from_secs(10).min(end.since(self.now)));
            for (association, id) in peers {
                let checksum = self.registrar.elements.listing.checksum(*id);
                self.from(*association, *id, heartbeat(checksum, *id));
            }
        }
    }

    fn state(&self, id: RegistrarId) -> Option<PeerState> {
        self.registrar.peers().into_iter().find(|peer| peer.id == id).map(|peer| peer.state)
    }

    fn known(&self) -> Vec<u32> {
        self.registrar.peers().iter().map(|peer| peer.id.0).collect()
    }

    fn home(&self, id: u32) -> Option<RegistrarId> {
        self.registrar.elements.listing.get(&pe(id)).map(|element| element.home)
    }

    fn lose(&mut self, association: AssociationId) -> Vec<Action> {
        self.disconnect(association)
    }

    fn refuse(&mut self, request: u64, reason: ConnectError) -> Vec<Action> {
        self.event(Event::ConnectFailed { request: ConnectId(request), reason })
    }
}

/// Where a registrar is.
fn place(id: RegistrarId) -> SctpAddress {
    SctpAddress::new(localhost(), ENRP_PORT, UdpPort(20_000 + id.0 as u16))
}

/// How it describes itself.
fn server(id: RegistrarId) -> ServerInformation {
    let transport =
        SctpTransport { port: ENRP_PORT.0, usage: TransportUse::DataOnly, addresses: localhost().into() };
    // 0x50 is 80, but the place of the registrar under test is 20050.
    let user = if id == US { 20_050 } else { place(id).udp_port.0 };
    ServerInformation { id, transport, encapsulation: Some(EncapsulationPorts { user, asap: 0 }) }
}

/// The heartbeat of a peer.
fn heartbeat(checksum: u16, id: RegistrarId) -> EnrpBody {
    EnrpBody::Presence { reply_required: false, checksum: Some(checksum), server: Some(server(id)) }
}

fn contact(request: u64, id: RegistrarId, deadline: Instant) -> Action {
    Action::Connect { request: ConnectId(request), local_port: ENRP_PORT, peer: place(id).into(), deadline }
}

/// A message from the registrar under test.
fn to(association: AssociationId, receiver: RegistrarId, body: EnrpBody) -> Action {
    let bytes = EnrpMessage { sender: US, receiver, body }.encode(Padding::Padded).unwrap();
    Action::Send { association, protocol: ProtocolId::ENRP, stream: 0, bytes }
}

/// The same to several, receiver 0.
fn cast(associations: &[AssociationId], body: &EnrpBody) -> Vec<Action> {
    associations.iter().map(|association| to(*association, NONE, body.clone())).collect()
}

/// An element as its home registrar lists it.
fn listed(id: u32, home: RegistrarId) -> PoolElement {
    let asap = SctpTransport { port: 7, usage: TransportUse::DataOnly, addresses: localhost().into() };
    let udp_port = 4000 + id as u16;
    let encapsulation = Some(EncapsulationPorts { user: udp_port, asap: udp_port });
    PoolElement { home, asap_transport: Some(asap), encapsulation, ..element(id) }
}

fn update(action: UpdateAction, takeover_suggested: bool, element: PoolElement) -> EnrpBody {
    EnrpBody::HandleUpdate { takeover_suggested, action, handle: POOL.into(), element }
}

fn add(id: u32, home: RegistrarId) -> EnrpBody {
    update(UpdateAction::ADD_PE, false, listed(id, home))
}

fn del(id: u32, home: RegistrarId) -> EnrpBody {
    update(UpdateAction::DEL_PE, false, listed(id, home))
}

fn offer(id: u32, home: RegistrarId) -> EnrpBody {
    update(UpdateAction::ADD_PE, true, listed(id, home))
}

fn table_request(own_only: bool) -> EnrpBody {
    EnrpBody::HandleTableRequest { own_only }
}

/// A page of a handle table with these elements of one pool.
fn page(more: bool, elements: &[(u32, RegistrarId)]) -> EnrpBody {
    let elements: Vec<_> = elements.iter().map(|(id, home)| listed(*id, *home)).collect();
    let pools = match elements.is_empty() {
        true => vec![],
        false => vec![PoolEntry { handle: POOL.into(), elements }],
    };
    EnrpBody::HandleTableResponse { rejected: false, more, pools }
}

fn no_table() -> EnrpBody {
    EnrpBody::HandleTableResponse { rejected: true, more: false, pools: vec![] }
}

fn list(servers: &[RegistrarId]) -> EnrpBody {
    EnrpBody::ListResponse { rejected: false, servers: servers.iter().map(|id| server(*id)).collect() }
}

fn no_list() -> EnrpBody {
    EnrpBody::ListResponse { rejected: true, servers: vec![] }
}

fn init_takeover(target: RegistrarId) -> EnrpBody {
    EnrpBody::InitTakeover { target }
}

fn takeover_ack(target: RegistrarId) -> EnrpBody {
    EnrpBody::InitTakeoverAck { target }
}

fn takeover_server(target: RegistrarId) -> EnrpBody {
    EnrpBody::TakeoverServer { target }
}

/// A keep-alive from the registrar under test.
fn call(association: AssociationId, id: u32, home: bool) -> Action {
    let (handle, element) = (POOL.into(), Some(ElementId(id)));
    asap_to(association, &AsapMessage::EndpointKeepAlive { home, registrar: US, handle, element })
}

fn shutdown(association: AssociationId, deadline: Instant) -> Action {
    Action::Shutdown { association, deadline }
}

fn abort(association: AssociationId) -> Action {
    Action::Abort { association, cause: AbortCause::User }
}

/// The checksum over elements of the one pool, computed here in the plainest way (RFC 1071).
fn checksum(ids: &[u32]) -> u16 {
    let mut sum: u32 = 0;
    for id in ids {
        for pair in [POOL.as_bytes(), &id.to_be_bytes()].concat().chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], pair[1]]));
            sum = (sum & 0xffff) + (sum >> 16);
        }
    }
    !(sum as u16)
}
