//! The handlespace as `pools` and `resolve` show it, in JSON and in tables.

use std::net::IpAddr;

use rserpool_core::base::PoolHandle;
use rserpool_core::inspector::Snapshot;
use rserpool_core::wire::{Policy, PoolElement, ServerInformation, Transport, TransportUse};
use serde::Serialize;
use serde_json::{Map, Value};

/// A registrar's view of the operational scope.
#[derive(Debug, Serialize)]
pub(crate) struct Handlespace {
    pub(crate) registrar: String,
    pub(crate) peers: Vec<Peer>,
    pub(crate) pools: Vec<Pool>,
}

/// Another registrar.
#[derive(Debug, Serialize)]
pub(crate) struct Peer {
    pub(crate) id: String,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) udp_port: Option<u16>,
}

/// A pool.
#[derive(Debug, Serialize)]
pub(crate) struct Pool {
    pub(crate) handle: String,
    pub(crate) policy: String,
    pub(crate) elements: Vec<Element>,
}

/// An element of a pool.
#[derive(Debug, Serialize)]
pub(crate) struct Element {
    pub(crate) id: String,
    pub(crate) home: String,
    /// Seconds; -1 means for ever.
    pub(crate) life_s: i32,
    pub(crate) policy: Map<String, Value>,
    pub(crate) transports: Vec<Address>,
    #[serde(skip)]
    pub(crate) policy_text: String,
}

/// Where an element serves its users.
#[derive(Debug, Serialize)]
pub(crate) struct Address {
    pub(crate) protocol: &'static str,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) udp_port: Option<u16>,
    pub(crate) control: bool,
}

impl Handlespace {
    pub(crate) fn new(snapshot: &Snapshot) -> Self {
        Self {
            registrar: snapshot.registrar.to_string(),
            peers: snapshot.peers.iter().map(Peer::new).collect(),
            pools: snapshot.pools.iter().map(|pool| Pool::new(&pool.handle, None, &pool.elements)).collect(),
        }
    }
}

impl Peer {
    fn new(server: &ServerInformation) -> Self {
        Self {
            id: server.id.to_string(),
            addresses: server.transport.addresses.to_vec(),
            port: server.transport.port,
            udp_port: server.encapsulation.map(|ports| ports.user).filter(|port| *port != 0),
        }
    }
}

impl Pool {
    /// `policy` is the pool's own if it is known; ENRP tells only those of the elements.
    pub(crate) fn new(handle: &PoolHandle, policy: Option<&Policy>, elements: &[PoolElement]) -> Self {
        let policy = policy.or_else(|| elements.first().map(|element| &element.policy));
        Self {
            handle: handle.to_string(),
            policy: policy.map_or("unknown", Policy::name).into(),
            elements: elements.iter().map(Element::new).collect(),
        }
    }
}

impl Element {
    fn new(element: &PoolElement) -> Self {
        let udp_port = element.encapsulation.map(|ports| ports.user).filter(|port| *port != 0);
        Self {
            id: element.id.to_string(),
            home: element.home.to_string(),
            life_s: element.life.0,
            policy: policy(&element.policy),
            transports: vec![Address::new(&element.user_transport, udp_port)],
            policy_text: element.policy.to_string(),
        }
    }
}

impl Address {
    fn new(transport: &Transport, udp_port: Option<u16>) -> Self {
        let (protocol, addresses, port) = match transport {
            Transport::Sctp(sctp) => ("sctp", sctp.addresses.to_vec(), sctp.port),
            Transport::Tcp { port, address, .. } => ("tcp", vec![*address], *port),
            Transport::Udp { port, address, .. } => ("udp", vec![*address], *port),
            Transport::UdpLite { port, address, .. } => ("udp-lite", vec![*address], *port),
            Transport::Dccp { port, address, .. } => ("dccp", vec![*address], *port),
            Transport::Opaque(_) => ("opaque", Vec::new(), 0),
        };
        let control = transport.usage() == TransportUse::DataPlusControl;
        Self { protocol, addresses, port, udp_port, control }
    }
}

/// The name, and each value: fractions from 0 to 1, everything else as whole numbers.
fn policy(policy: &Policy) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("type".into(), policy.name().into());
    for (field, value) in policy.values() {
        let name = field.name().to_lowercase().replace(' ', "_");
        let value: Value =
            if field.is_fraction() { (f64::from(value) / f64::from(u32::MAX)).into() } else { value.into() };
        object.insert(name, value);
    }
    object
}
