//! What a registrar does, event by event: exact actions in their order.

mod alive;
mod enrp;
mod garbage;
mod questions;
mod registration;
mod rights;
mod subscriptions;
mod tcp;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use bytes::Bytes;

use super::attempts::MAX_PROBES;
use super::own::{FIRST_KEEP_ALIVE, MAX_PROBES_OF_ONE};
use super::*;
use crate::base::{ASAP_PORT, SctpAddress, UdpPort};
use crate::base::{ElementId, PoolHandle};
use crate::endpoint::{ConnectError, DownReason, HangUp};
use crate::wire::{
    CauseCode, EncapsulationPorts, ErrorCause, OperationError, Padding, Policy, PoolElement, PoolEntry,
    RegistrationLife, SctpTransport, Transport, TransportUse,
};

const ID: RegistrarId = RegistrarId(0x1);
const POOL: &str = "EchoPool";
const A: AssociationId = AssociationId::sctp(1);
const B: AssociationId = AssociationId::sctp(2);
const C: AssociationId = AssociationId::sctp(3);

/// A registrar with a clock of its own.
struct Rig {
    registrar: Registrar,
    now: Instant,
}

impl Rig {
    fn new() -> Self {
        Self::with(|_| ())
    }

    fn with(adjust: impl FnOnce(&mut RegistrarConfig)) -> Self {
        let mut config = RegistrarConfig::rfc(Some(ID), 1);
        adjust(&mut config);
        config.check().unwrap();
        let now = Instant::from_nanos(1_000_000_000);
        let mut rig = Self { registrar: Registrar::new(config, now), now };
        if rig.registrar.is_serving() {
            assert_eq!(rig.notices(), [Notice::Serving { mentor: None }]);
        }
        rig
    }

    fn event(&mut self, event: Event) -> Vec<Action> {
        self.registrar.handle_event(self.now, event);
        self.registrar.ctx.outbox.take_actions()
    }

    fn connect(&mut self, association: AssociationId, udp_port: u16) -> Vec<Action> {
        self.event(Event::Connected(Connected::new(association, Origin::Peer, ASAP_PORT, peer(udp_port))))
    }

    fn disconnect(&mut self, association: AssociationId) -> Vec<Action> {
        self.event(Event::Disconnected { association, reason: DownReason::Silent })
    }

    fn raw(
        &mut self,
        association: AssociationId,
        protocol: ProtocolId,
        bytes: impl Into<Bytes>,
    ) -> Vec<Action> {
        self.event(Event::Message { association, protocol, stream: 0, bytes: bytes.into() })
    }

    fn asap(&mut self, association: AssociationId, message: &AsapMessage) -> Vec<Action> {
        self.raw(association, ProtocolId::ASAP, message.encode(Padding::Padded).unwrap())
    }

    fn enrp(&mut self, association: AssociationId, receiver: RegistrarId, body: EnrpBody) -> Vec<Action> {
        let message = EnrpMessage { sender: RegistrarId::NONE, receiver, body };
        self.raw(association, ProtocolId::ENRP, message.encode(Padding::Padded).unwrap())
    }

    /// Connects an element and registers it; its first keep-alive is answered.
    fn register(&mut self, association: AssociationId, id: u32) {
        self.connect(association, 4000 + id as u16);
        assert_eq!(self.asap(association, &registration(id)), [granted(association, id)]);
        self.first_keep_alive(association, id);
        self.notices();
    }

    /// The keep-alive after a registration comes, and is answered.
    fn first_keep_alive(&mut self, association: AssociationId, id: u32) {
        assert_eq!(self.advance(FIRST_KEEP_ALIVE), [keep_alive(association, id)]);
        assert_eq!(self.asap(association, &ack(id)), []);
    }

    fn advance(&mut self, time: Duration) -> Vec<Action> {
        self.now += time;
        self.registrar.handle_timeout(self.now);
        self.registrar.ctx.outbox.take_actions()
    }

    /// Advances to the next deadline.
    fn jump(&mut self) -> Vec<Action> {
        let next = self.registrar.poll_timeout().unwrap();
        self.advance(next.since(self.now))
    }

    fn notices(&mut self) -> Vec<Notice> {
        let outputs = core::iter::from_fn(|| self.registrar.poll_output());
        let notice = |output| match output {
            Output::Notice(notice) => notice,
            Output::Answer(id, answer) => panic!("{id:?} was answered by {answer:?}"),
        };
        outputs.map(notice).collect()
    }

    fn elements(&self) -> Vec<u32> {
        self.registrar.elements.listing.elements_after(None).map(|(_, element)| element.id.0).collect()
    }

    fn get(&self, id: u32) -> &PoolElement {
        self.registrar.elements.listing.get(&pe(id)).unwrap()
    }
}

fn localhost() -> IpAddr {
    IpAddr::V4(Ipv4Addr::LOCALHOST)
}

fn peer(udp_port: u16) -> SctpAddress {
    SctpAddress::new(localhost(), SctpPort(7), UdpPort(udp_port))
}

fn pe(id: u32) -> PeHandle {
    PeHandle { pool: POOL.into(), element: ElementId(id) }
}

/// An element as it describes itself.
fn element(id: u32) -> PoolElement {
    PoolElement {
        id: ElementId(id),
        home: RegistrarId::NONE,
        life: RegistrationLife(300),
        user_transport: Transport::Sctp(SctpTransport {
            port: 7,
            usage: TransportUse::DataPlusControl,
            addresses: vec![localhost()].into(),
        }),
        policy: Policy::RoundRobin,
        asap_transport: None,
        encapsulation: None,
    }
}

fn registration(id: u32) -> AsapMessage {
    AsapMessage::Registration { handle: POOL.into(), element: element(id) }
}

fn ack(id: u32) -> AsapMessage {
    AsapMessage::EndpointKeepAliveAck { handle: POOL.into(), element: ElementId(id) }
}

fn unreachable(id: u32) -> AsapMessage {
    AsapMessage::EndpointUnreachable { handle: POOL.into(), element: ElementId(id) }
}

fn deregistration(id: u32) -> AsapMessage {
    AsapMessage::Deregistration { handle: POOL.into(), element: ElementId(id) }
}

fn asap_to(association: AssociationId, message: &AsapMessage) -> Action {
    let bytes = message.encode(Padding::Padded).unwrap();
    Action::Send { association, protocol: ProtocolId::ASAP, stream: 0, bytes }
}

fn enrp_to(association: AssociationId, body: EnrpBody) -> Action {
    let bytes =
        EnrpMessage { sender: ID, receiver: RegistrarId::NONE, body }.encode(Padding::Padded).unwrap();
    Action::Send { association, protocol: ProtocolId::ENRP, stream: 0, bytes }
}

fn granted(association: AssociationId, id: u32) -> Action {
    let (handle, element) = (POOL.into(), ElementId(id));
    asap_to(association, &AsapMessage::RegistrationResponse { rejected: false, handle, element, error: None })
}

fn rejected(association: AssociationId, id: u32, cause: ErrorCause) -> Action {
    let (handle, element, error) = (POOL.into(), ElementId(id), Some(cause.into()));
    asap_to(association, &AsapMessage::RegistrationResponse { rejected: true, handle, element, error })
}

fn deregistered(association: AssociationId, id: u32, error: Option<OperationError>) -> Action {
    let (handle, element) = (POOL.into(), ElementId(id));
    asap_to(association, &AsapMessage::DeregistrationResponse { handle, element, error })
}

fn keep_alive(association: AssociationId, id: u32) -> Action {
    let (handle, element) = (POOL.into(), Some(ElementId(id)));
    asap_to(association, &AsapMessage::EndpointKeepAlive { home: false, registrar: ID, handle, element })
}

fn probe(request: u64, udp_port: u16, deadline: Instant) -> Action {
    Action::Connect {
        request: ConnectId(request),
        local_port: ASAP_PORT,
        peer: peer(udp_port).into(),
        deadline,
    }
}
