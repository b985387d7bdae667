//! A pool user under any sequence of events.

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use rserpool_core::base::{ASAP_PORT, ElementId, PoolHandle, ProtocolId, SctpAddress, UdpPort};
use rserpool_core::endpoint::hunt::HuntConfig;
use rserpool_core::user::{
    Call, CallDelivery, Card, Command, Delivery, Message, Open, RequestId, Resolve, SessionId, User,
    UserConfig,
};
use rserpool_core::wire::PoolElement;

use super::input::Input;
use super::world::{World, ip};

const MAX_SESSIONS: usize = 3;

/// Events for a user: registrars and elements answer, speak and go.
pub fn user(octets: &[u8]) {
    let mut input = Input::new(octets);
    let world = World::new(User::new(config(&mut input)), &[40_001]);
    world.play(input, command, |user| assert!(user.sessions() <= MAX_SESSIONS));
}

fn config(input: &mut Input<'_>) -> UserConfig {
    let (flags, count) = (input.u8(), input.u8() % 6);
    let registrars =
        (0..count).map(|last| SctpAddress::new(ip(last), ASAP_PORT, UdpPort(9899)).into()).collect();
    let mut hunt = if flags & 1 == 0 { HuntConfig::rfc(registrars) } else { HuntConfig::fast(registrars) };
    hunt.rounds = (flags & 2 != 0).then_some(2);
    let mut config = if flags & 4 == 0 { UserConfig::rfc(7) } else { UserConfig::fast(7) };
    config.hunt = hunt;
    (config.max_sessions, config.max_cached_pools, config.max_unanswered_octets) = (MAX_SESSIONS, 2, 100);
    config
}

fn command(input: &mut Input<'_>) -> Command {
    let names = ["pool", "other", "third", ""];
    let handle = PoolHandle::from(names[usize::from(input.below(4))]);
    let (session, request) = (SessionId(input.below(6).into()), RequestId(input.below(6).into()));
    match input.below(14) {
        0 | 1 => {
            let items = (input.below(2) == 0).then(|| input.u16().into());
            let question = Resolve::new(handle).items(items);
            Command::Resolve(if input.below(2) == 0 { question } else { question.past_cache() })
        }
        2..=4 => Command::Open(Open::new(handle)),
        5 => Command::Purge { handle },
        6 => Command::Failover { session, unreachable: input.below(2) == 0 },
        7 => Command::ReportUnreachable { handle, element: ElementId(input.below(6).into()) },
        8 => Command::Close { session },
        13 => {
            let bytes = Bytes::copy_from_slice(input.octets());
            let call = Call::new(session, request, ProtocolId(0), bytes);
            let deliveries = [CallDelivery::Retry, CallDelivery::Report, CallDelivery::Once];
            Command::Call(call.delivery(deliveries[input.below(3) as usize]))
        }
        12 => {
            let element = PoolElement::arbitrary(&mut Unstructured::new(input.octets()));
            Command::SetCard(element.ok().map(|element| Card::new(handle, vec![element])))
        }
        9 => Command::Answered { session, request },
        _ => {
            let delivery = match input.below(3) {
                0 => Delivery::Once,
                1 => Delivery::Retry(request),
                _ => Delivery::Report(request),
            };
            let protocol = ProtocolId(u32::from(input.below(13)));
            let bytes = Bytes::copy_from_slice(input.octets());
            Command::Send(Message::new(session, protocol, bytes).delivery(delivery))
        }
    }
}
