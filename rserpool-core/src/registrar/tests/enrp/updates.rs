//! Changes of elements, told and heard (RFC 5353 section 3.3).

use super::*;
use crate::base::{SctpAddress, UdpPort};

/// Our update about an element of ours.
fn told(rig: &Rig, id: u32) -> EnrpBody {
    update(UpdateAction::ADD_PE, false, rig.get(id).clone())
}

/// ASAP-3.1-29, ENRP-3.3.1-01, -02, ENRP-1.1-01, -02, ENRP-2.1-03: every granted registration, also
/// one that changes nothing, goes to all peers with everything that is known of the element.
#[test]
fn registrations_are_told_to_all_peers() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.meet(B, LOW);
    rig.connect(C, 4001);
    let actions = rig.asap(C, &registration(1));
    let element = listed(1, US);
    assert_eq!(*rig.get(1), element);
    let all = cast(&[B, A], &update(UpdateAction::ADD_PE, false, element));
    assert_eq!(actions, [&[granted(C, 1)][..], &all].concat());
    let again = rig.asap(C, &registration(1));
    assert_eq!(again, [&[granted(C, 1)][..], &all].concat());
    assert_eq!(rig.registrar.ctx.counters.updates_sent, 2);
}

/// ENRP-3.3.1-02: an address of an element that its transport verifies after the registration is listed
/// at once, and told: a peer that takes the element over may need it.
#[test]
fn addresses_that_are_verified_later_are_told() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.enlist(C, 1);
    let addresses = vec![localhost(), IpAddr::from([127, 0, 0, 2])];
    let verified = SctpAddress { addresses: addresses.clone(), ..peer(4001) };
    let verified = Event::Addresses { association: C, peer: verified.into() };
    let actions = rig.event(verified.clone());
    assert_eq!(rig.get(1).asap_transport.as_ref().unwrap().addresses.to_vec(), addresses);
    assert_eq!(actions, [to(A, NONE, told(&rig, 1))]);
    assert_eq!(rig.event(verified), [], "nothing new");
    // A UDP port that changes with every packet makes no flood.
    let elsewhere = SctpAddress { addresses, udp_port: UdpPort(20_002), ..peer(4001) };
    assert_eq!(rig.event(Event::Addresses { association: C, peer: elsewhere.into() }), []);
}

/// ASAP-3.1-30, ASAP-3.2-12: no peer is told of a registration or a deregistration that is refused.
#[test]
fn refusals_are_told_to_nobody() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.enlist(C, 1);
    let other = PoolElement { policy: Policy::Random, ..element(2) };
    let cause = ErrorCause::inconsistent_policy(&Policy::RoundRobin);
    let actions = rig.asap(C, &AsapMessage::Registration { handle: POOL.into(), element: other });
    assert_eq!(actions, [rejected(C, 2, cause)]);
    rig.connect(D, 9000);
    let refused = Some(ErrorCause::bare(CauseCode::SECURITY).into());
    assert_eq!(rig.asap(D, &deregistration(1)), [deregistered(D, 1, refused)]);
}

/// An opt-in: re-registrations that change nothing are not told; others are.
#[test]
fn unchanged_registrations_may_be_kept_silent() {
    let mut rig = Rig::serving_with(|config| config.enrp.suppress_unchanged = true);
    rig.meet(A, HIGH);
    rig.enlist(C, 1);
    assert_eq!(rig.asap(C, &registration(1)), [granted(C, 1)]);
    let element = PoolElement { life: RegistrationLife(99), ..element(1) };
    let actions = rig.asap(C, &AsapMessage::Registration { handle: POOL.into(), element });
    assert_eq!(actions, [granted(C, 1), to(A, NONE, told(&rig, 1))]);
    assert_eq!(rig.get(1).life, RegistrationLife(99));
}

/// ASAP-3.2-12, ENRP-3.3.2-01, -02, ENRP-3.6.2-04: every way in which an element of ours goes is
/// told to all peers, with the complete element, when it is gone.
#[test]
fn removals_are_told_to_all_peers() {
    let gone = |rig: &Rig| update(UpdateAction::DEL_PE, false, rig.get(1).clone());
    let rig = || {
        let mut rig = Rig::serving();
        rig.meet(A, HIGH);
        rig.meet(B, LOW);
        rig.enlist(C, 1);
        rig
    };
    // It deregisters.
    let mut deregisters = rig();
    let all = cast(&[B, A], &gone(&deregisters));
    let mut actions = deregisters.asap(C, &deregistration(1));
    let answer = actions.iter().position(|action| *action == deregistered(C, 1, None)).unwrap();
    actions.remove(answer);
    assert_eq!(actions, all);
    assert_eq!(deregisters.elements(), [] as [u32; 0]);
    assert_eq!(deregisters.registrar.elements.listing.checksum(US), 0xffff);
    // The second time there is nothing to tell.
    assert_eq!(deregisters.asap(C, &deregistration(1)), [deregistered(C, 1, None)]);
    // It does not answer.
    let mut silent = rig();
    let all = cast(&[B, A], &gone(&silent));
    assert_eq!(silent.jump(), [call(C, 1, false)]);
    assert_eq!(silent.advance(Duration::from_secs(5)), [all, vec![deregistered(C, 1, None)]].concat());
    // Its life ends.
    let mut expired = rig();
    expired.registrar.ctx.config.keep_alive_interval = Duration::from_secs(10_000);
    expired.jump();
    expired.asap(C, &ack(1));
    let all = cast(&[B, A], &gone(&expired));
    let life = Timer::Life(pe(1));
    let ends = expired.registrar.ctx.deadlines.get(&life).unwrap();
    expired.live(ends.since(expired.now) - Duration::from_secs(1), &[(A, HIGH), (B, LOW)]);
    let actions = expired.advance(Duration::from_secs(1));
    assert_eq!(actions, [all, vec![deregistered(C, 1, None)]].concat());
}

/// ENRP-3.3.1-03, -04, -05, ENRP-3.6.2-04: a new pool, a new element, new attributes.
#[test]
fn additions_are_entered() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    let random = |id| PoolElement { policy: Policy::Random, ..listed(id, HIGH) };
    assert_eq!(rig.from(A, HIGH, update(UpdateAction::ADD_PE, false, random(1))), []);
    let pool = rig.registrar.elements.listing.pool(&POOL.into()).unwrap();
    assert_eq!((pool.policy(), pool.len()), (&Policy::Random, 1));
    rig.from(A, HIGH, update(UpdateAction::ADD_PE, false, random(2)));
    assert_eq!((rig.get(1), rig.get(2)), (&random(1), &random(2)));
    assert_eq!(rig.registrar.elements.listing.checksum(HIGH), checksum(&[1, 2]));
    let renewed = PoolElement { life: RegistrationLife(7), ..random(1) };
    rig.from(A, HIGH, update(UpdateAction::ADD_PE, false, renewed.clone()));
    assert_eq!(*rig.get(1), renewed);
    assert_eq!(rig.registrar.elements.listing.checksum(HIGH), checksum(&[1, 2]));
    assert_eq!(rig.registrar.ctx.counters.updates_received, 3);
    // The elements of others are watched by their home registrars.
    assert!(rig.registrar.elements.own.is_empty());
}

/// ENRP-3.3.2-03, -04: an element goes, its pool with the last; what is unknown is ignored.
#[test]
fn removals_are_heeded() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.from(A, HIGH, add(1, HIGH));
    rig.from(A, HIGH, add(2, HIGH));
    assert_eq!(rig.from(A, HIGH, del(1, HIGH)), []);
    assert_eq!((rig.elements(), rig.registrar.elements.listing.pool_count()), (vec![2], 1));
    assert_eq!(rig.from(A, HIGH, del(1, HIGH)), []);
    assert_eq!(rig.from(A, HIGH, del(2, HIGH)), []);
    assert_eq!((rig.elements(), rig.registrar.elements.listing.pool_count()), (vec![], 0));
    assert_eq!(rig.from(A, HIGH, del(2, HIGH)), []);
    assert_eq!(rig.registrar.ctx.counters.updates_refused, 0);
}

/// RFC 5353 section 2.4, reading B27: only the home registrar speaks for an element, whatever the update itself
/// says. What others say is gone is asked.
#[test]
fn only_the_home_registrar_is_heeded() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.meet(B, LOW);
    rig.enlist(C, 7);
    rig.from(A, HIGH, add(1, HIGH));
    for body in [add(2, HIGH), add(7, US)] {
        assert_eq!(rig.from(B, LOW, body), []);
    }
    assert_eq!(rig.from(B, LOW, del(1, HIGH)), [probe(1, 4001, rig.now + Duration::from_secs(5))]);
    assert_eq!(rig.from(B, LOW, del(7, US)), [call(C, 7, false)]);
    assert_eq!((rig.elements(), rig.home(1), rig.home(7)), (vec![1, 7], Some(HIGH), Some(US)));
    assert_eq!(rig.registrar.ctx.counters.updates_refused, 2);
}

/// A peer cannot fill the handlespace alone: it gets half of the pools and of the elements.
#[test]
fn a_peer_gets_half_of_the_room() {
    let mut rig = Rig::serving_with(|config| (config.limits.pools, config.limits.elements) = (200, 400));
    rig.meet(A, HIGH);
    rig.meet(B, LOW);
    let in_pool = |pool: u32, id, home| EnrpBody::HandleUpdate {
        takeover_suggested: false,
        action: UpdateAction::ADD_PE,
        handle: alloc::format!("{pool}").as_str().into(),
        element: listed(id, home),
    };
    for pool in 1..=150 {
        rig.from(A, HIGH, in_pool(pool, 1, HIGH));
    }
    assert_eq!(rig.registrar.elements.listing.pool_count(), 100);
    for id in 2..=250 {
        rig.from(A, HIGH, in_pool(1, id, HIGH));
    }
    assert_eq!(rig.registrar.elements.listing.element_count(), 200);
    rig.from(B, LOW, in_pool(101, 1, LOW));
    assert_eq!(rig.registrar.elements.listing.element_count(), 201);
    // It may renew what it has.
    let refused = rig.registrar.ctx.counters.updates_refused;
    rig.from(A, HIGH, in_pool(1, 1, HIGH));
    assert_eq!(rig.registrar.ctx.counters.updates_refused, refused);
}

/// An element that registers with another registrar has a new home; the old one hears of it.
#[test]
fn an_element_may_change_its_home() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.meet(B, LOW);
    rig.from(A, HIGH, add(1, HIGH));
    assert_eq!(rig.from(B, LOW, add(1, LOW)), []);
    assert_eq!(rig.home(1), Some(LOW));
    let sums = [LOW, HIGH].map(|id| rig.registrar.elements.listing.checksum(id));
    assert_eq!(sums, [checksum(&[1]), 0xffff]);
    // And to us.
    rig.connect(C, 4001);
    let actions = rig.asap(C, &registration(1));
    let all = cast(&[B, A], &add(1, US));
    assert_eq!(actions, [&[granted(C, 1)][..], &all].concat());
}

/// Reading B30: an update that does not fit the pool changes nothing; the pool stays as it is.
#[test]
fn inconsistent_updates_are_refused() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.enlist(C, 1);
    let policy = PoolElement { policy: Policy::Random, ..listed(2, HIGH) };
    let mut usage = listed(2, HIGH);
    let Transport::Sctp(sctp) = &mut usage.user_transport else { panic!() };
    sctp.usage = TransportUse::DataOnly;
    for (element, cause) in
        [(policy, CauseCode::INCONSISTENT_POLICY), (usage, CauseCode::INCONSISTENT_TRANSPORT_USE)]
    {
        assert_eq!(rig.from(A, HIGH, update(UpdateAction::ADD_PE, false, element)), []);
        assert_eq!(rig.notices(), [Notice::Rejected { pe: pe(2), peer: place(HIGH).into(), cause }]);
    }
    assert_eq!(rig.elements(), [1]);
    assert_eq!(rig.registrar.ctx.counters.updates_refused, 2);
}

/// A granted element is one that every peer takes as well: what a home registrar adds to it counts.
#[test]
fn what_is_granted_is_not_too_large_for_peers() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.connect(C, 4001);
    let with = |count: u8, id: u32| {
        let mut element = element(id);
        let Transport::Sctp(sctp) = &mut element.user_transport else { panic!() };
        sctp.addresses = (0..count).map(|n| IpAddr::V4(Ipv4Addr::new(10, 0, 0, n))).collect();
        element
    };
    let largest = (1..=255).take_while(|count| {
        let actions = rig.asap(
            C,
            &AsapMessage::Registration { handle: POOL.into(), element: with(*count, u32::from(*count)) },
        );
        actions.contains(&granted(C, u32::from(*count)))
    });
    let largest = u32::from(largest.last().unwrap());
    let granted = rig.get(largest).clone();
    assert!(granted.to_parameter().len() > 2_000);
    let mut other = Rig::serving();
    other.meet(A, HIGH);
    other.from(A, HIGH, update(UpdateAction::ADD_PE, false, PoolElement { home: HIGH, ..granted }));
    assert_eq!(other.elements(), [largest]);
}
