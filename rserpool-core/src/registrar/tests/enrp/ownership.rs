//! An element whose home is claimed twice (readings B26 and B27, and what the RFC leaves open).

use super::*;
use crate::registrar::own::Watch;

/// A registrar with a larger and a smaller peer, and an element of its own over C.
fn rig() -> Rig {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.meet(B, LOW);
    rig.enlist(C, 1);
    rig
}

fn moved(to: RegistrarId) -> Vec<Notice> {
    vec![Notice::Moved { pe: pe(1), home: to }]
}

/// The element is claimed, and silent: it goes to the peer.
fn lose_to(rig: &mut Rig, association: AssociationId, peer: RegistrarId) {
    assert_eq!(rig.from(association, peer, add(1, peer)), [call(C, 1, false)]);
    assert_eq!(rig.advance(Duration::from_secs(5)), []);
    assert_eq!((rig.home(1), rig.notices()), (Some(peer), moved(peer)));
}

/// ENRP-1.1-01, reading B26: an element of ours is claimed. It is asked over the association by which it
/// registered; its answer decides, and not the identifiers.
#[test]
fn an_element_that_answers_is_kept() {
    for (association, peer) in [(A, HIGH), (B, LOW)] {
        let mut rig = rig();
        assert_eq!(rig.from(association, peer, add(1, peer)), [call(C, 1, false)]);
        assert_eq!(rig.home(1), Some(US));
        rig.registrar.check_enrp();
        let all = cast(&[B, A], &add(1, US));
        assert_eq!(rig.asap(C, &ack(1)), all);
        assert_eq!(rig.home(1), Some(US));
        // It is told, when a second is over.
        assert_eq!(rig.advance(Duration::from_secs(1)), [call(C, 1, true)]);
        assert_eq!(rig.asap(C, &ack(1)), []);
        rig.registrar.check_enrp();
    }
}

/// ENRP-3.3.1-05: an element of ours that does not answer, or whose association ends, is as the peer says, whichever
/// identifier is larger.
#[test]
fn an_element_that_is_silent_is_left_to_who_claims_it() {
    for (association, peer) in [(A, HIGH), (B, LOW)] {
        let mut silent = rig();
        let renewed = PoolElement { life: RegistrationLife(7), ..listed_elsewhere(1, peer) };
        let update = update(UpdateAction::ADD_PE, false, renewed.clone());
        assert_eq!(silent.from(association, peer, update.clone()), [call(C, 1, false)]);
        assert_eq!(silent.advance(Duration::from_millis(4_999)), []);
        assert_eq!(silent.home(1), Some(US));
        assert_eq!(silent.advance(Duration::from_millis(1)), []);
        assert_eq!((silent.get(1).clone(), silent.notices()), (renewed.clone(), moved(peer)));
        let counters = &silent.registrar.ctx.counters;
        assert_eq!(
            (counters.claims_contested, counters.elements_yielded, counters.removed_silent),
            (1, 1, 0)
        );
        silent.registrar.check_enrp();
        // It is no longer watched, and its late answer means nothing.
        assert_eq!(silent.asap(C, &ack(1)), []);

        let mut closes = rig();
        assert_eq!(closes.from(association, peer, update.clone()), [call(C, 1, false)]);
        assert_eq!(closes.lose(C), []);
        assert_eq!((closes.get(1).clone(), closes.notices()), (renewed.clone(), moved(peer)));
        closes.registrar.check_enrp();

        // It has left already, and we are about to look for it.
        let mut left = rig();
        left.lose(C);
        assert_eq!(left.from(association, peer, update), [Action::CancelConnect { request: ConnectId(1) }]);
        assert_eq!((left.get(1).clone(), left.notices()), (renewed.clone(), moved(peer)));
        left.registrar.check_enrp();
    }
}

/// Its registration with us is newer than the claim: the peers are told, and nothing is asked, even if they need
/// not be told of what is unchanged.
#[test]
fn a_registration_settles_a_claim() {
    for suppress in [false, true] {
        let mut rig = Rig::serving_with(|config| config.enrp.suppress_unchanged = suppress);
        rig.meet(A, HIGH);
        rig.enlist(C, 1);
        assert_eq!(rig.from(A, HIGH, add(1, HIGH)), [call(C, 1, false)]);
        assert_eq!(rig.asap(C, &registration(1)), [granted(C, 1), to(A, NONE, add(1, US))]);
        assert_eq!(rig.asap(C, &ack(1)), []);
        assert_eq!(rig.from(A, HIGH, add(1, HIGH)), []);
        rig.registrar.check_enrp();
    }
}

/// The registrar that claims it dies before the element could be asked: it is removed like any other.
#[test]
fn the_claim_of_a_dead_peer_is_void() {
    let mut rig = rig();
    rig.from(A, HIGH, add(1, HIGH));
    rig.from(B, LOW, takeover_server(HIGH));
    rig.notices();
    let gone = cast(&[B], &update(UpdateAction::DEL_PE, false, rig.get(1).clone()));
    let actions = rig.advance(Duration::from_secs(5));
    assert_eq!(actions[actions.len() - 2..], [gone, vec![deregistered(C, 1, None)]].concat());
    rig.registrar.check_enrp();
}

/// The registrar that claims it is taken over, rightly or not, and the element closes its association: to register
/// with that one, or because it dies. It is asked.
#[test]
fn an_element_that_leaves_for_a_registrar_that_we_do_not_know_is_asked() {
    let mut rig = rig();
    rig.from(A, HIGH, add(1, HIGH));
    rig.from(B, LOW, takeover_server(HIGH));
    rig.notices();
    let deadline = rig.now + Duration::from_secs(5);
    let actions = rig.event(Event::Disconnected { association: C, reason: DownReason::PeerShutdown });
    assert_eq!(actions, [probe(2, 4001, deadline)]);
    assert_eq!((rig.home(1), rig.notices()), (Some(US), vec![]));
    rig.registrar.check_enrp();
}

/// The registrar that claims an element has found it silent and removed it, before we have: nobody is left to whom
/// it could go. What another peer says of it does not void the claim.
#[test]
fn a_claim_ends_when_its_peer_removes_the_element() {
    let mut rig = rig();
    rig.from(A, HIGH, add(1, HIGH));
    assert_eq!(rig.from(A, HIGH, del(1, HIGH)), []);
    let gone = cast(&[B, A], &update(UpdateAction::DEL_PE, false, rig.get(1).clone()));
    let actions = rig.advance(Duration::from_secs(5));
    assert_eq!(actions[actions.len() - 3..], [gone, vec![deregistered(C, 1, None)]].concat());
    assert_eq!(rig.elements(), [] as [u32; 0]);
    rig.registrar.check_enrp();

    let mut rig = self::rig();
    rig.from(A, HIGH, add(1, HIGH));
    rig.from(B, LOW, del(1, LOW));
    rig.advance(Duration::from_secs(5));
    assert_eq!((rig.home(1), rig.notices()), (Some(HIGH), moved(HIGH)));
}

/// Both homes have found it silent at the same time, and left it to each other. The next heartbeat shows that, and
/// the audit follows at once, although audits have not helped before.
#[test]
fn an_element_that_is_left_to_each_other_is_found_out_at_once() {
    let mut rig = rig();
    let sum = |ids: &[u32]| {
        let checksum = Some(checksum(ids));
        EnrpBody::Presence { reply_required: false, checksum, server: None }
    };
    let cycle = rig.registrar.ctx.config.enrp.heartbeat_cycle;
    for _ in 0..2 {
        assert_eq!(rig.from(A, HIGH, sum(&[7])), [to(A, HIGH, table_request(true))]);
        rig.from(A, HIGH, page(false, &[]));
        rig.now += cycle / 2;
    }
    assert_eq!(rig.from(A, HIGH, sum(&[7])), [], "the pause doubles");
    rig.from(A, HIGH, add(1, HIGH));
    rig.advance(Duration::from_secs(5));
    assert_eq!(rig.home(1), Some(HIGH));
    assert_eq!(rig.from(A, HIGH, sum(&[])), [to(A, HIGH, table_request(true))]);
    assert_eq!(rig.from(A, HIGH, page(false, &[])), [call(C, 1, true)]);
    assert_eq!(rig.elements(), [] as [u32; 0]);
}

/// Both were its home while they could not talk, and it has renewed its registration with the other
/// one only: it does not end with us soon after we have got it back.
#[test]
fn an_element_that_is_kept_gets_a_whole_life() {
    let mut rig = rig();
    let (registered, life) = (rig.now, Duration::from_secs(300) - FIRST_KEEP_ALIVE);
    let ends = |rig: &Rig| rig.registrar.ctx.deadlines.get(&Timer::Life(pe(1)));
    rig.advance(Duration::from_secs(2));
    assert_eq!(ends(&rig), Some(registered + life));
    rig.from(B, LOW, add(1, LOW));
    rig.asap(C, &ack(1));
    assert_eq!(ends(&rig), Some(rig.now + Duration::from_secs(300)));
}

/// ENRP-6.2-02, SEC-2.14.3-01: peers that go on claiming an element cannot make us ask it more often than once a
/// second, nor tell all peers more often than that.
#[test]
fn repeated_claims_cause_one_keep_alive() {
    let mut rig = rig();
    let all = cast(&[B, A], &add(1, US));
    assert_eq!(rig.from(B, LOW, add(1, LOW)), [call(C, 1, false)]);
    for _ in 0..100 {
        assert_eq!(rig.from(B, LOW, add(1, LOW)), []);
        assert_eq!(rig.from(A, HIGH, add_elsewhere(1, HIGH)), []);
    }
    assert_eq!(rig.asap(C, &ack(1)), all);
    for _ in 0..100 {
        assert_eq!(rig.from(B, LOW, add(1, LOW)), []);
    }
    assert_eq!(rig.advance(Duration::from_millis(999)), []);
    assert_eq!(rig.advance(Duration::from_millis(1)), [call(C, 1, true)]);
    assert_eq!(rig.asap(C, &ack(1)), all);
    assert_eq!(rig.registrar.ctx.counters.claims_contested, 301);
}

/// An element of ours is listed in an audit: it is asked as well.
#[test]
fn a_claim_in_a_list_is_contested() {
    let mut rig = rig();
    let heartbeat =
        EnrpBody::Presence { reply_required: false, checksum: Some(checksum(&[1])), server: None };
    assert_eq!(rig.from(A, HIGH, heartbeat), [to(A, HIGH, table_request(true))]);
    assert_eq!(rig.from(A, HIGH, page(false, &[(1, HIGH)])), [call(C, 1, false)]);
    assert_eq!(rig.asap(C, &ack(1)), cast(&[B, A], &add(1, US)));
    assert_eq!(rig.home(1), Some(US));
}

/// Two registrars have taken an element over, and it has registered with neither. The larger identifier says
/// once that it is its own, the smaller one yields. Who says so again has asked the element.
#[test]
fn an_element_that_has_registered_with_neither() {
    let taken_over = || {
        let mut rig = Rig::serving();
        for (association, id) in [(A, HIGH), (B, LOW), (D, TOP)] {
            rig.meet(association, id);
        }
        rig.from(D, TOP, add(1, TOP));
        rig.lose(D);
        rig.refuse(1, ConnectError::Refused);
        rig.from(A, HIGH, takeover_ack(TOP));
        rig.from(B, LOW, takeover_ack(TOP));
        assert_eq!(rig.home(1), Some(US));
        rig.notices();
        rig
    };
    let mut rig = taken_over();
    assert_eq!(rig.from(B, LOW, add(1, LOW)), cast(&[B, A], &add(1, US)));
    assert_eq!(rig.home(1), Some(US));
    rig.registrar.check_enrp();
    rig.from(B, LOW, add(1, LOW));
    assert_eq!((rig.home(1), rig.notices()), (Some(LOW), moved(LOW)));
    rig.registrar.check_enrp();

    let mut rig = taken_over();
    rig.from(A, HIGH, add(1, HIGH));
    assert_eq!((rig.home(1), rig.notices()), (Some(HIGH), moved(HIGH)));

    // In a list: the smaller yields; the larger leaves it to the other to find out.
    let lists = |rig: &mut Rig, association, id| {
        rig.now += Duration::from_secs(15);
        let sum = EnrpBody::Presence { reply_required: false, checksum: Some(checksum(&[1])), server: None };
        assert_eq!(rig.from(association, id, sum), [to(association, id, table_request(true))]);
        rig.from(association, id, page(false, &[(1, id)]))
    };
    let mut rig = taken_over();
    assert_eq!(lists(&mut rig, B, LOW), []);
    assert_eq!(rig.home(1), Some(US));
    lists(&mut rig, A, HIGH);
    assert_eq!((rig.home(1), rig.notices()), (Some(HIGH), moved(HIGH)));
    rig.registrar.check_enrp();
}

/// The claim of a home to an element that it knows at another address than we do.
fn add_elsewhere(id: u32, home: RegistrarId) -> EnrpBody {
    update(UpdateAction::ADD_PE, false, listed_elsewhere(id, home))
}

fn listed_elsewhere(id: u32, home: RegistrarId) -> PoolElement {
    let asap = SctpTransport {
        port: 7,
        usage: TransportUse::DataOnly,
        addresses: IpAddr::from([192, 0, 2, 9]).into(),
    };
    PoolElement { asap_transport: Some(asap), ..listed(id, home) }
}

/// A claim that cannot be entered changes nothing but that the element is asked.
#[test]
fn an_inconsistent_claim_changes_nothing() {
    let mut rig = rig();
    let element = PoolElement { policy: Policy::Random, ..listed(1, HIGH) };
    assert_eq!(rig.from(A, HIGH, update(UpdateAction::ADD_PE, false, element)), [call(C, 1, false)]);
    assert_eq!((rig.home(1), rig.registrar.elements.own.len()), (Some(US), 1));
    rig.registrar.check_enrp();
    // An element that is silent is removed, whatever else is said of it.
    rig.advance(Duration::from_secs(5));
    assert_eq!(rig.elements(), [] as [u32; 0]);
    rig.registrar.check_enrp();
}

/// The new home gives the element up, perhaps because only it could not reach it: over the
/// association that we still have the element is asked, and comes back.
#[test]
fn a_former_element_that_answers_comes_back() {
    let mut rig = rig();
    lose_to(&mut rig, A, HIGH);
    assert_eq!(rig.from(A, HIGH, del(1, HIGH)), [call(C, 1, true)]);
    assert_eq!(rig.elements(), [] as [u32; 0]);
    // Only over that association.
    rig.connect(D, 4001);
    assert_eq!(rig.asap(D, &ack(1)), []);
    rig.registrar.check_enrp();
    let all = cast(&[B, A], &add(1, US));
    assert_eq!(rig.asap(C, &ack(1)), [all, vec![call(C, 1, true)]].concat());
    assert_eq!(rig.home(1), Some(US));
    rig.registrar.check_enrp();
    // It counts as registered: it is asked again if it is claimed again.
    rig.from(A, HIGH, add(1, HIGH));
    assert_eq!(rig.home(1), Some(US));
}

/// Asked whether it wants to come back, it leaves for good; its answer crossed that.
#[test]
fn a_former_element_that_leaves_does_not_come_back() {
    let mut rig = rig();
    lose_to(&mut rig, A, HIGH);
    assert_eq!(rig.from(A, HIGH, del(1, HIGH)), [call(C, 1, true)]);
    assert_eq!(rig.asap(C, &deregistration(1)), [deregistered(C, 1, None)]);
    assert_eq!(rig.asap(C, &ack(1)), []);
    assert_eq!(rig.elements(), [] as [u32; 0]);
    rig.registrar.check_enrp();
}

/// It comes back as it registered with us: what the other home listed may be an earlier life of it.
#[test]
fn a_former_element_comes_back_as_we_knew_it() {
    let mut rig = rig();
    let mut older = add(1, HIGH);
    if let EnrpBody::HandleUpdate { element, .. } = &mut older {
        element.life = RegistrationLife(7);
    }
    rig.from(A, HIGH, older);
    rig.advance(Duration::from_secs(5));
    assert_eq!(rig.get(1).life.0, 7);
    rig.from(A, HIGH, del(1, HIGH));
    let all = cast(&[B, A], &add(1, US));
    assert_eq!(rig.asap(C, &ack(1)), [all, vec![call(C, 1, true)]].concat());
    assert_eq!(rig.get(1).life.0, 300);
}

/// The same if the news of it was missed and an audit finds out.
#[test]
fn a_former_element_that_is_not_listed_any_more_is_asked() {
    let mut rig = rig();
    lose_to(&mut rig, A, HIGH);
    let heartbeat = EnrpBody::Presence { reply_required: false, checksum: Some(0xffff), server: None };
    rig.from(A, HIGH, heartbeat);
    assert_eq!(rig.from(A, HIGH, page(false, &[])), [call(C, 1, true)]);
    rig.asap(C, &ack(1));
    assert_eq!(rig.home(1), Some(US));
}

/// If it does not answer it is gone, and nothing is left of it.
#[test]
fn a_former_element_that_is_silent_is_forgotten() {
    let mut rig = rig();
    lose_to(&mut rig, A, HIGH);
    rig.from(A, HIGH, del(1, HIGH));
    // It may have been frozen, and take us for its home: it reads that when it thaws.
    assert_eq!(rig.advance(Duration::from_secs(5)), [deregistered(C, 1, None)]);
    rig.registrar.check_enrp();
    assert_eq!(rig.asap(C, &ack(1)), []);
    assert_eq!(rig.elements(), [] as [u32; 0]);
    assert!(rig.registrar.links[&C].elements.is_empty());
    // A hostile pair of element and peer cannot fill memory this way.
    for id in 2..100 {
        rig.enlist(C, id);
        rig.from(A, HIGH, add(id, HIGH));
    }
    rig.advance(Duration::from_secs(5));
    for id in 2..100 {
        assert_eq!(rig.home(id), Some(HIGH));
        rig.from(A, HIGH, del(id, HIGH));
    }
    rig.advance(Duration::from_secs(5));
    assert!(rig.registrar.links[&C].elements.is_empty());
}

/// Another registrar takes it meanwhile, or it registers with us, or its association ends.
#[test]
fn a_former_element_has_another_fate() {
    let mut rig = rig();
    lose_to(&mut rig, A, HIGH);
    rig.from(A, HIGH, del(1, HIGH));
    rig.from(B, LOW, add(1, LOW));
    rig.registrar.check_enrp();
    assert_eq!(rig.asap(C, &ack(1)), []);
    assert_eq!(rig.home(1), Some(LOW));

    rig.from(B, LOW, del(1, LOW));
    let actions = rig.asap(C, &registration(1));
    assert_eq!(actions[0], granted(C, 1));
    rig.registrar.check_enrp();
    assert_eq!(rig.home(1), Some(US));

    rig.from(A, HIGH, add(1, HIGH));
    rig.advance(Duration::from_secs(10));
    assert_eq!(rig.home(1), Some(HIGH));
    rig.from(A, HIGH, del(1, HIGH));
    assert_eq!(rig.lose(C), []);
    rig.registrar.check_enrp();
}

/// Another element contests the identifier at us, and a peer claims the element: it is asked once. The answer
/// refuses both; if it is silent, the element that waits at us is nearer.
#[test]
fn a_challenger_is_nearer_than_a_peer() {
    let contested = || {
        let mut rig = rig();
        rig.event(Event::Connected(Connected::new(D, Origin::Peer, ASAP_PORT, peer(5000))));
        assert_eq!(rig.asap(D, &registration(1)), [call(C, 1, false)]);
        assert_eq!(rig.from(A, HIGH, add(1, HIGH)), []);
        rig.notices();
        rig
    };
    let all = cast(&[B, A], &add(1, US));
    let cause = ErrorCause::bare(CauseCode::NON_UNIQUE_IDENTIFIER);
    let mut answers = contested();
    assert_eq!(answers.asap(C, &ack(1)), [vec![rejected(D, 1, cause)], all].concat());
    answers.registrar.check_enrp();
    let mut silent = contested();
    assert!(silent.advance(Duration::from_secs(5)).contains(&granted(D, 1)));
    assert_eq!(silent.home(1), Some(US));
    silent.registrar.check_enrp();
}

/// A challenger that turns out to be at the address of the element has its place, and is not its own challenger.
#[test]
fn a_challenger_that_is_rightful_waits_no_longer() {
    let mut rig = rig();
    rig.event(Event::Connected(Connected::new(D, Origin::Peer, ASAP_PORT, peer(5000))));
    assert_eq!(rig.asap(D, &registration(1)), [call(C, 1, false)]);
    rig.event(Event::Addresses { association: C, peer: peer(5000).into() });
    // RFC 5352 section 3.1: each of its registrations is answered.
    assert_eq!(rig.asap(D, &registration(1))[..2], vec![granted(D, 1); 2]);
    rig.registrar.check_enrp();
    rig.advance(FIRST_KEEP_ALIVE);
    assert_eq!(rig.asap(D, &ack(1)), []);
    assert_eq!(rig.home(1), Some(US));
    rig.registrar.check_enrp();
}

/// A former element that answers, and does not fit its pool any more, is told, and nothing is left of it.
#[test]
fn a_former_element_that_does_not_fit_is_told() {
    let mut rig = rig();
    lose_to(&mut rig, A, HIGH);
    assert_eq!(rig.from(A, HIGH, del(1, HIGH)), [call(C, 1, true)]);
    let random = PoolElement { policy: Policy::Random, ..listed(2, HIGH) };
    rig.from(A, HIGH, update(UpdateAction::ADD_PE, false, random));
    assert_eq!(rig.asap(C, &ack(1)), [deregistered(C, 1, None)]);
    assert!(rig.registrar.elements.former.is_empty() && rig.registrar.links[&C].elements.is_empty());
    rig.registrar.check_enrp();
}

/// An element that waits for its turn to be asked registers meanwhile, and goes again: it waits
/// once, at the end.
#[test]
fn an_element_waits_once() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    for id in 1..=300 {
        rig.from(A, HIGH, add(id, HIGH));
    }
    rig.lose(A);
    rig.refuse(1, ConnectError::Refused);
    assert_eq!(rig.registrar.elements.own.queued(), 300 - MAX_PROBES_OF_ONE);
    for round in 0..50 {
        rig.connect(AssociationId::sctp(100 + round), 4300);
        rig.asap(AssociationId::sctp(100 + round), &registration(300));
        rig.disconnect(AssociationId::sctp(100 + round));
        assert_eq!(rig.registrar.elements.own.queued(), 300 - MAX_PROBES_OF_ONE);
    }
    rig.registrar.check_enrp();
    // Nor does it wait when it has another home.
    rig.meet(B, LOW);
    rig.enlist(C, 299);
    assert_eq!(rig.registrar.elements.own.queued(), 299 - MAX_PROBES_OF_ONE);
    rig.meet(D, TOP);
    rig.from(D, TOP, add(300, TOP));
    assert_eq!(rig.registrar.elements.own.queued(), 298 - MAX_PROBES_OF_ONE);
    rig.registrar.check_enrp();
}

/// Room left by attempts that are no longer needed goes to the elements that wait.
#[test]
fn who_waits_gets_the_place_of_who_comes_by_itself() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    for id in 1..=300 {
        rig.from(A, HIGH, add(id, HIGH));
    }
    rig.lose(A);
    rig.refuse(1, ConnectError::Refused);
    rig.connect(C, 4001);
    for id in 1..=250 {
        rig.asap(C, &registration(id));
        rig.registrar.check_enrp();
    }
    assert_eq!(rig.registrar.elements.own.queued(), 0);
    let probed =
        rig.registrar.elements.own.values().filter(|own| matches!(own.watch, Watch::Probing(_))).count();
    assert_eq!(probed, 50);
}
