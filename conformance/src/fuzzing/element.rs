//! A pool element under any sequence of events.

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use rserpool_core::base::{ASAP_PORT, AssociationId, ElementId, ProtocolId, SctpAddress, SctpPort, UdpPort};
use rserpool_core::element::{Command, Element, ElementConfig, Message};
use rserpool_core::endpoint::hunt::HuntConfig;
use rserpool_core::wire::{Policy, PoolElement};

use super::input::Input;
use super::world::{World, ip};

const PORT: u16 = 7;

/// Events for an element: registrars and users come, speak and go.
pub fn element(octets: &[u8]) {
    let mut input = Input::new(octets);
    let world = World::new(Element::new(config(&mut input), Default::default()), &[PORT]);
    world.play(input, command, |element| assert!(element.sessions() <= MAX_SESSIONS));
}

const MAX_SESSIONS: usize = 3;

fn config(input: &mut Input<'_>) -> ElementConfig {
    let (flags, count) = (input.u8(), input.u8() % 6);
    let registrars = (0..count).map(|last| SctpAddress::new(ip(last), ASAP_PORT, UdpPort(9899))).collect();
    let mut hunt = if flags & 1 == 0 { HuntConfig::rfc(registrars) } else { HuntConfig::fast(registrars) };
    hunt.rounds = (flags & 2 != 0).then_some(2);
    let preset = if flags & 4 == 0 { ElementConfig::rfc } else { ElementConfig::fast };
    let mut config = preset("pool".into(), 7);
    config.addresses = vec![ip(100)];
    config.port = SctpPort(PORT);
    config.udp_port = UdpPort(9899);
    config.hunt = hunt;
    config.id = Some(ElementId(1));
    config.max_sessions = MAX_SESSIONS;
    config.control = flags & 8 == 0;
    config
}

fn command(input: &mut Input<'_>) -> Command {
    let session = AssociationId::sctp(u64::from(input.below(12)));
    match input.below(11) {
        0 => Command::Deregister,
        1 | 2 => Command::UpdatePolicy(Policy::RoundRobin),
        3 => Command::UpdatePolicy(Policy::LeastUsed { load: u32::from(input.u16()) << 16 }),
        4 => Command::Close { session },
        10 => {
            let element = PoolElement::arbitrary(&mut Unstructured::new(input.octets()));
            Command::SetCard(element.into_iter().collect())
        }
        8 | 9 => Command::SendCookie { session, cookie: Bytes::copy_from_slice(input.octets()) },
        _ => {
            let protocol = ProtocolId(u32::from(input.below(13)));
            let bytes = Bytes::copy_from_slice(input.octets());
            Command::Send(Message::new(session, protocol, bytes))
        }
    }
}
