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

/// ENRP-1.1-01: two registrars claim an element in crossing updates: the larger identifier keeps
/// it, and says so to all and to the element.
#[test]
fn the_larger_identifier_keeps_an_element() {
    let mut rig = rig();
    let all = cast(&[B, A], &add(1, US));
    assert_eq!(rig.from(B, LOW, add(1, LOW)), [all, vec![call(C, 1, true)]].concat());
    assert_eq!(rig.home(1), Some(US));
    assert_eq!(rig.from(A, HIGH, add(1, HIGH)), []);
    assert_eq!((rig.home(1), rig.registrar.elements.own.len()), (Some(HIGH), 0));
    assert_eq!(rig.notices(), moved(HIGH));
    rig.registrar.check_enrp();
    // It is no longer watched, and its late answer means nothing.
    assert_eq!(rig.asap(C, &ack(1)), []);
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
    assert_eq!(ends(&rig), Some(rig.now + Duration::from_secs(300)));
}

/// ENRP-6.2-02: a peer that goes on claiming an element cannot make us flood the element.
#[test]
fn repeated_claims_cause_one_keep_alive() {
    let mut rig = rig();
    let all = cast(&[B, A], &add(1, US));
    rig.from(B, LOW, add(1, LOW));
    for _ in 0..100 {
        assert_eq!(rig.from(B, LOW, add(1, LOW)), all);
    }
    rig.asap(C, &ack(1));
    assert_eq!(rig.from(B, LOW, add(1, LOW)), all);
    assert_eq!(rig.advance(Duration::from_secs(1)), [call(C, 1, true)]);
    assert_eq!(rig.registrar.ctx.counters.claims_contested, 102);
}

/// An element of ours is listed in an audit: the peer may not know better. Therefore we say that it is ours,
/// with a smaller identifier as well as with a larger one; the answer decides.
#[test]
fn a_claim_in_a_list_is_contested() {
    let mut rig = rig();
    let heartbeat =
        EnrpBody::Presence { reply_required: false, checksum: Some(checksum(&[1])), server: None };
    assert_eq!(rig.from(A, HIGH, heartbeat), [to(A, HIGH, table_request(true))]);
    let all = cast(&[B, A], &add(1, US));
    assert_eq!(rig.from(A, HIGH, page(false, &[(1, HIGH)])), [all, vec![call(C, 1, true)]].concat());
    assert_eq!(rig.home(1), Some(US));
    rig.from(A, HIGH, add(1, HIGH));
    assert_eq!(rig.home(1), Some(HIGH));
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

/// ENRP-1.1-01, reading B26: an element is claimed at another address. It may have been restarted there;
/// therefore it is left to the smaller identifier at once. It is asked at its old address, and told if it is
/// silent.
#[test]
fn an_element_that_is_claimed_elsewhere_is_asked() {
    let mut rig = rig();
    assert_eq!(rig.from(B, LOW, add_elsewhere(1, LOW)), [call(C, 1, true)]);
    assert_eq!(*rig.get(1), listed_elsewhere(1, LOW));
    assert_eq!((rig.notices(), rig.registrar.elements.own.len()), (moved(LOW), 0));
    assert_eq!(
        (rig.registrar.ctx.counters.claims_contested, rig.registrar.ctx.counters.elements_yielded),
        (1, 1)
    );
    rig.registrar.check_enrp();
    assert_eq!(rig.advance(Duration::from_secs(5)), [deregistered(C, 1, None)]);
    assert_eq!(rig.home(1), Some(LOW));
    rig.registrar.check_enrp();
    // No element is left to be asked when that home gives it up.
    assert_eq!(rig.from(B, LOW, del(1, LOW)), []);
}

/// It answers. Therefore it is still where it was, and another element has its identifier, or an old record
/// of it is listed: the larger identifier keeps it.
#[test]
fn an_element_that_answers_where_it_was_is_kept() {
    let mut rig = rig();
    let all = cast(&[B, A], &add(1, US));
    assert_eq!(rig.from(B, LOW, add_elsewhere(1, LOW)), [call(C, 1, true)]);
    assert_eq!(rig.asap(C, &ack(1)), [all, vec![call(C, 1, true)]].concat());
    assert_eq!(*rig.get(1), listed(1, US));
    rig.registrar.check_enrp();
    // The smaller one yields without a question: each would take it from the other forever.
    assert_eq!(rig.from(A, HIGH, add_elsewhere(1, HIGH)), []);
    assert_eq!(rig.asap(C, &ack(1)), []);
    assert_eq!(rig.home(1), Some(HIGH));
}

/// The same when a list says so, with a smaller identifier as well as with a larger one.
#[test]
fn an_element_that_is_listed_elsewhere_is_asked() {
    let mut rig = rig();
    rig.from(
        A,
        HIGH,
        EnrpBody::Presence { reply_required: false, checksum: Some(checksum(&[1])), server: None },
    );
    let elements = vec![listed_elsewhere(1, HIGH)];
    let pools = vec![PoolEntry { handle: POOL.into(), elements }];
    let page = EnrpBody::HandleTableResponse { rejected: false, more: false, pools };
    assert_eq!(rig.from(A, HIGH, page), [call(C, 1, true)]);
    assert_eq!((rig.home(1), rig.notices()), (Some(HIGH), moved(HIGH)));
    let all = cast(&[B, A], &add(1, US));
    assert_eq!(rig.asap(C, &ack(1)), [all, vec![call(C, 1, true)]].concat());
    assert_eq!(rig.home(1), Some(US));
}

/// Its association has ended already: it cannot be asked, and is not connected to again.
#[test]
fn an_element_without_association_is_left_to_who_knows_it_elsewhere() {
    let mut rig = rig();
    let probes = rig.lose(C);
    assert!(matches!(probes[..], [Action::Connect { request: ConnectId(1), .. }]), "{probes:?}");
    assert_eq!(rig.from(B, LOW, add_elsewhere(1, LOW)), [Action::CancelConnect { request: ConnectId(1) }]);
    assert_eq!((rig.home(1), rig.notices()), (Some(LOW), moved(LOW)));
    rig.registrar.check_enrp();
}

/// ENRP-6.2-02: claims from elsewhere make us send no flood either, neither to the element nor to peers.
#[test]
fn repeated_claims_from_elsewhere_cause_one_question() {
    let mut rig = rig();
    assert_eq!(rig.from(B, LOW, add_elsewhere(1, LOW)), [call(C, 1, true)]);
    for _ in 0..100 {
        assert_eq!(rig.from(B, LOW, add_elsewhere(1, LOW)), []);
    }
    // Nor do they change the meaning of the answer.
    rig.registrar.check_enrp();
    let all = cast(&[B, A], &add(1, US));
    assert_eq!(rig.asap(C, &ack(1)), [all, vec![call(C, 1, true)]].concat());
    assert_eq!(rig.home(1), Some(US));
}

/// A claim that cannot be entered changes nothing.
#[test]
fn an_inconsistent_claim_changes_nothing() {
    let mut rig = rig();
    let element = PoolElement { policy: Policy::Random, ..listed(1, HIGH) };
    assert_eq!(rig.from(A, HIGH, update(UpdateAction::ADD_PE, false, element)), []);
    assert_eq!((rig.home(1), rig.registrar.elements.own.len()), (Some(US), 1));
    rig.registrar.check_enrp();
}

/// The new home gives the element up, perhaps because only it could not reach it: over the
/// association that we still have the element is asked, and comes back.
#[test]
fn a_former_element_that_answers_comes_back() {
    let mut rig = rig();
    rig.from(A, HIGH, add(1, HIGH));
    rig.notices();
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
}

/// Asked whether it wants to come back, it leaves for good; its answer crossed that.
#[test]
fn a_former_element_that_leaves_does_not_come_back() {
    let mut rig = rig();
    rig.from(A, HIGH, add(1, HIGH));
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
    rig.from(A, HIGH, add(1, HIGH));
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
    rig.from(A, HIGH, add(1, HIGH));
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
        rig.from(A, HIGH, del(id, HIGH));
    }
    rig.advance(Duration::from_secs(5));
    assert!(rig.registrar.links[&C].elements.is_empty());
}

/// Another registrar takes it meanwhile, or it registers with us, or its association ends.
#[test]
fn a_former_element_has_another_fate() {
    let mut rig = rig();
    rig.from(A, HIGH, add(1, HIGH));
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
    rig.from(A, HIGH, del(1, HIGH));
    assert_eq!(rig.lose(C), []);
    rig.registrar.check_enrp();
}

/// Another element contests the identifier of one that we leave to another home: it is refused.
#[test]
fn a_challenger_is_refused_when_ownership_moves() {
    let mut rig = rig();
    rig.event(Event::Connected(Connected::new(D, Origin::Peer, ASAP_PORT, peer(5000))));
    rig.asap(D, &registration(1));
    rig.notices();
    let cause = ErrorCause::bare(CauseCode::NON_UNIQUE_IDENTIFIER);
    assert_eq!(rig.from(A, HIGH, add(1, HIGH)), [rejected(D, 1, cause)]);
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
