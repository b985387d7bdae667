//! A policy of an application's own, without a change to this crate: the power of two choices.
//!
//! Two elements are drawn at random, and the one with the smaller load is taken. That spreads nearly
//! as well as the least used, and users that ask at the same time do not all run to the same element.
//!
//! The policy has a private number, carries the load as its value, and serves a registrar and a pool
//! user alike. Here both are driven by hand, so nothing but `rserpool-core` is needed; builders of a
//! runtime take the same configuration.
//!
//!     cargo run -p rserpool-core --example custom_policy

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use rserpool_core::base::{
    AssociationId, CommandId, ElementId, Instant, ProtocolId, Random, RegistrarId, SctpAddress, SctpPort,
    TransportAddress, UdpPort,
};
use rserpool_core::endpoint::{Action, Connected, Endpoint, Event, Origin};
use rserpool_core::policy::{NotPrivate, Policies, SelectionPolicy, Slot};
use rserpool_core::registrar::{Registrar, RegistrarConfig};
use rserpool_core::user::{Command, Open, Resolve, User, UserConfig};
use rserpool_core::wire::{
    AsapMessage, Padding, Policy, PolicyType, PoolElement, RegistrationLife, SctpTransport, Transport,
    TransportUse,
};

/// The number: private use, and adaptive, because loads change.
const TWO_CHOICES: PolicyType = PolicyType(0xc000_0002);

/// The policy with the load of one element, as a fraction of 0xffffffff.
fn two_choices(load: u32) -> Policy {
    Policy::Other { kind: TWO_CHOICES, data: Bytes::copy_from_slice(&load.to_be_bytes()) }
}

/// The elements of one pool.
#[derive(Debug, Default)]
struct TwoChoices {
    members: Vec<(Slot, u32)>,
}

impl SelectionPolicy for TwoChoices {
    fn insert(&mut self, slot: Slot, values: &Policy) {
        self.remove(slot);
        // What comes from the network may be anything: an element that states no load is full.
        let load = match values {
            Policy::Other { data, .. } => {
                data.first_chunk().map_or(u32::MAX, |load| u32::from_be_bytes(*load))
            }
            _ => u32::MAX,
        };
        self.members.push((slot, load));
    }

    fn remove(&mut self, slot: Slot) {
        self.members.retain(|(member, _)| *member != slot);
    }

    fn select(&mut self, random: &mut Random, count: usize, selected: &mut Vec<Slot>) {
        let mut left = self.members.clone();
        while selected.len() < count && !left.is_empty() {
            let first = random.below(left.len() as u64) as usize;
            let second = random.below(left.len() as u64) as usize;
            let better = if left[second].1 < left[first].1 { second } else { first };
            selected.push(left.swap_remove(better).0);
        }
    }
}

fn policies() -> Result<Policies, NotPrivate> {
    let mut policies = Policies::default();
    policies.add(TWO_CHOICES, TwoChoices::default)?;
    Ok(policies)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let now = Instant::from_nanos(0);
    let link = AssociationId::sctp(1);
    let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);

    // A registrar with the policy, and three elements: idle, half loaded, nearly full.
    let mut config = RegistrarConfig::rfc(Some(RegistrarId(1)), 7);
    config.policies = policies()?;
    let mut registrar = Registrar::new(config, now);
    let peer = SctpAddress::new(localhost, SctpPort(4001), UdpPort(4001));
    registrar.handle_event(now, Event::Connected(Connected::new(link, Origin::Peer, SctpPort(3863), peer)));
    for (id, load) in [(1, 0), (2, u32::MAX / 2), (3, u32::MAX / 10 * 9)] {
        tell(&mut registrar, now, link, &registration(id, two_choices(load)))?;
    }
    while registrar.poll_action().is_some() {}

    // Ten thousand questions for one element. The idle one wins whenever it is among the two drawn:
    // five times in nine; the fullest only if it was drawn twice: one time in nine.
    let question = AsapMessage::HandleResolution { handle: "pool".into(), subscribe: false, items: Some(1) };
    let mut counts = BTreeMap::new();
    for _ in 0..10_000 {
        tell(&mut registrar, now, link, &question)?;
        let Some(Action::Send { bytes, .. }) = registrar.poll_action() else {
            return Err("no answer".into());
        };
        *counts.entry(first_of(&bytes)?).or_insert(0_u32) += 1;
    }
    println!("registrar, 10,000 resolutions: {counts:?}");
    assert!(counts[&ElementId(1)].abs_diff(5_556) < 200 && counts[&ElementId(3)].abs_diff(1_111) < 150);

    // A pool user with the same policy. It is told of all three elements once, and opens a thousand
    // sessions from its cache; each begins by connecting to the element that the policy prefers.
    let mut config = UserConfig::rfc(7);
    config.hunt.registrars = vec![SctpAddress::new(localhost, SctpPort(3863), UdpPort(9899)).into()];
    config.policies = policies()?;
    let mut user = User::new(config);
    let resolve = Command::Resolve(Resolve::new("pool".into()).past_cache());
    user.handle_command(now, CommandId(0), resolve);
    while let Some(action) = user.poll_action() {
        let event = match action {
            Action::Connect { request, local_port, peer, .. } => {
                Event::Connected(Connected::new(link, Origin::Attempt(request), local_port, peer))
            }
            Action::Send { bytes, .. } => {
                let event =
                    Event::Message { association: link, protocol: ProtocolId::ASAP, stream: 0, bytes };
                registrar.handle_event(now, event);
                let Some(Action::Send { bytes, .. }) = registrar.poll_action() else {
                    return Err("no answer".into());
                };
                Event::Message { association: link, protocol: ProtocolId::ASAP, stream: 0, bytes }
            }
            _ => continue,
        };
        user.handle_event(now, event);
    }
    let mut counts = BTreeMap::new();
    for session in 1..=1_000 {
        user.handle_command(now, CommandId(session), Command::Open(Open::new("pool".into())));
        while let Some(action) = user.poll_action() {
            if let Action::Connect { peer: TransportAddress::Sctp(peer), .. } = action {
                *counts.entry(peer.port.0).or_insert(0_u32) += 1;
            }
        }
    }
    println!("user, 1,000 sessions, by port: {counts:?}");
    assert!(counts[&7001].abs_diff(556) < 60 && counts[&7003].abs_diff(111) < 50);
    Ok(())
}

fn tell(
    registrar: &mut Registrar,
    now: Instant,
    association: AssociationId,
    message: &AsapMessage,
) -> Result<(), Box<dyn std::error::Error>> {
    let bytes = message.encode(Padding::default())?;
    let event = Event::Message { association, protocol: ProtocolId::ASAP, stream: 0, bytes };
    registrar.handle_event(now, event);
    Ok(())
}

fn first_of(answer: &Bytes) -> Result<ElementId, Box<dyn std::error::Error>> {
    match AsapMessage::decode(answer)?.message {
        AsapMessage::HandleResolutionResponse { elements, .. } => {
            Ok(elements.first().ok_or("an empty answer")?.id)
        }
        other => Err(format!("{other:?} is no answer").into()),
    }
}

fn registration(id: u32, policy: Policy) -> AsapMessage {
    let transport = SctpTransport {
        port: 7000 + id as u16,
        usage: TransportUse::DataOnly,
        addresses: IpAddr::V4(Ipv4Addr::LOCALHOST).into(),
    };
    let element = PoolElement {
        id: ElementId(id),
        home: RegistrarId::NONE,
        life: RegistrationLife(300),
        user_transport: Transport::Sctp(transport),
        policy,
        asap_transport: None,
        encapsulation: None,
    };
    AsapMessage::Registration { handle: "pool".into(), element }
}

#[test]
fn the_loads_decide() -> Result<(), Box<dyn std::error::Error>> {
    main()
}
