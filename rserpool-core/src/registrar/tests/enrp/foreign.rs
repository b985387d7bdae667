//! Elements of other homes: reports about them, their leave, and newcomers under their identifiers (RFC 5352
//! sections 3.2 and 3.5; reading B27).

use super::*;

/// An element of HIGH, which is at A; LOW is at B.
fn rig() -> Rig {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.meet(B, LOW);
    rig.from(A, HIGH, add(1, HIGH));
    rig.connect(C, 9000);
    rig
}

fn ask_timeout(rig: &Rig) -> Instant {
    rig.now + Duration::from_secs(5)
}

/// The attempt to reach element 1 for a question succeeds.
fn reach(rig: &mut Rig, association: AssociationId, request: u64) -> Vec<Action> {
    let origin = Origin::Attempt(ConnectId(request));
    rig.event(Event::Connected(Connected::new(association, origin, ASAP_PORT, peer(4001))))
}

/// ASAP-3.5-05, ASAP-3.5-07: a report makes us ask an element, whoever its home is, without the H flag. It
/// answers and stays with its home; it is asked at most once a second.
#[test]
fn a_reported_element_of_another_home_is_asked() {
    let mut rig = rig();
    assert_eq!(rig.asap(C, &unreachable(1)), [probe(1, 4001, ask_timeout(&rig))]);
    assert_eq!(rig.asap(C, &unreachable(1)), []);
    assert_eq!(reach(&mut rig, D, 1), [call(D, 1, false)]);
    assert_eq!(rig.asap(D, &ack(1)), [shutdown(D, ask_timeout(&rig))]);
    rig.disconnect(D);
    for _ in 0..100 {
        assert_eq!(rig.asap(C, &unreachable(1)), []);
    }
    let due = rig.now + Duration::from_secs(6);
    assert_eq!(rig.advance(Duration::from_secs(1)), [probe(2, 4001, due)]);
    reach(&mut rig, E, 2);
    rig.asap(E, &ack(1));
    assert_eq!(rig.advance(Duration::from_secs(1)), []);
    assert_eq!((rig.home(1), rig.notices()), (Some(HIGH), vec![]));
    rig.registrar.check_enrp();
    assert_eq!(rig.asap(C, &unreachable(99)), [], "nobody knows 99");
}

/// ASAP-3.5-06: it does not answer, or cannot be reached: it is removed, and all peers are told, although
/// we are not its home.
#[test]
fn a_reported_element_of_another_home_that_is_dead_is_removed() {
    let all = cast(&[B, A], &del(1, HIGH));
    let removed = [Notice::Removed { pe: pe(1), reason: RemovalReason::Silent }];
    let mut silent = rig();
    silent.asap(C, &unreachable(1));
    reach(&mut silent, D, 1);
    let closed = shutdown(D, silent.now + Duration::from_secs(10));
    assert_eq!(silent.advance(Duration::from_secs(5)), [&[closed][..], &all].concat());
    assert_eq!((silent.home(1), silent.notices()), (None, removed.to_vec()));
    silent.registrar.check_enrp();

    let mut unreached = rig();
    unreached.asap(C, &unreachable(1));
    assert_eq!(unreached.refuse(1, ConnectError::TimedOut), all);
    assert_eq!((unreached.home(1), unreached.notices()), (None, removed.to_vec()));

    let mut lost = rig();
    lost.asap(C, &unreachable(1));
    reach(&mut lost, D, 1);
    assert_eq!(lost.disconnect(D), all);
    assert_eq!(lost.home(1), None);

    let mut closed = rig();
    closed.asap(C, &unreachable(1));
    reach(&mut closed, D, 1);
    let reason = DownReason::Unreachable;
    assert_eq!(closed.event(Event::Disconnected { association: D, reason }), all);
    assert_eq!(closed.home(1), None);
}

/// An element that closes the association over which it is asked may look for a registrar over the same ports. It is
/// asked once more, and not again and again if it closes that, too.
#[test]
fn an_element_of_another_home_that_hangs_up_is_asked_once_more() {
    for reason in [
        DownReason::PeerShutdown,
        DownReason::Aborted(crate::endpoint::AbortReason::default()),
        DownReason::Restarted,
    ] {
        let mut rig = rig();
        rig.asap(C, &unreachable(1));
        reach(&mut rig, D, 1);
        let asked = probe(2, 4001, ask_timeout(&rig));
        assert_eq!(rig.event(Event::Disconnected { association: D, reason: reason.clone() }), [asked]);
        assert_eq!(reach(&mut rig, E, 2), [call(E, 1, false)]);
        assert_eq!((rig.home(1), rig.notices()), (Some(HIGH), vec![]));
        rig.registrar.check_enrp();
        let all = cast(&[B, A], &del(1, HIGH));
        assert_eq!(rig.event(Event::Disconnected { association: E, reason }), all);
        assert_eq!(rig.home(1), None);
        rig.registrar.check_enrp();
    }
}

/// Who has no room for an association lives.
#[test]
fn a_busy_element_of_another_home_lives() {
    let mut refuses = rig();
    refuses.asap(C, &unreachable(1));
    assert_eq!(refuses.refuse(1, ConnectError::Busy), []);
    assert_eq!(refuses.home(1), Some(HIGH));
    refuses.registrar.check_enrp();

    let mut accepts = rig();
    accepts.asap(C, &unreachable(1));
    reach(&mut accepts, D, 1);
    assert_eq!(accepts.event(Event::Disconnected { association: D, reason: DownReason::Busy }), []);
    assert_eq!(accepts.home(1), Some(HIGH));
    accepts.registrar.check_enrp();
}

/// What hinders us is not evidence against an element. If the ports to it are in use, it is asked over the
/// association that uses them.
#[test]
fn what_hinders_us_is_not_evidence() {
    for reason in [ConnectError::TooMany, ConnectError::NoRoute, ConnectError::InUse] {
        let mut rig = rig();
        rig.asap(C, &unreachable(1));
        assert_eq!(rig.refuse(1, reason), []);
        assert_eq!(rig.home(1), Some(HIGH));
        rig.registrar.check_enrp();
    }
    let mut rig = rig();
    rig.connect(D, 4001);
    rig.asap(C, &unreachable(1));
    assert_eq!(rig.refuse(1, ConnectError::InUse), [call(D, 1, false)]);
    assert_eq!(rig.disconnect(D), [probe(2, 4001, ask_timeout(&rig))]);
    reach(&mut rig, E, 2);
    assert_eq!(rig.asap(E, &ack(1)), [shutdown(E, ask_timeout(&rig))]);
    assert_eq!(rig.home(1), Some(HIGH));
}

/// ASAP-3.2-08, ASAP-3.2-11, ASAP-3.2-12: an element leaves at another registrar than its home, which may
/// hang. It proves itself by the place from which it speaks; nobody else is obeyed.
#[test]
fn an_element_may_leave_anywhere() {
    let mut rig = rig();
    let refused = Some(ErrorCause::bare(CauseCode::SECURITY).into());
    assert_eq!(rig.asap(C, &deregistration(1)), [deregistered(C, 1, refused)]);
    rig.connect(D, 4001);
    let actions = rig.asap(D, &deregistration(1));
    assert_eq!(actions, [cast(&[B, A], &del(1, HIGH)), vec![deregistered(D, 1, None)]].concat());
    assert_eq!(rig.home(1), None);
    assert_eq!(rig.notices(), [Notice::Removed { pe: pe(1), reason: RemovalReason::Deregistered }]);
}

/// Reading B27: a peer that is not the home has removed an element. We ask it ourselves, and tell nobody.
#[test]
fn what_another_peer_has_removed_is_asked() {
    let mut rig = rig();
    assert_eq!(rig.from(B, LOW, del(1, HIGH)), [probe(1, 4001, ask_timeout(&rig))]);
    reach(&mut rig, D, 1);
    rig.asap(D, &ack(1));
    assert_eq!(rig.home(1), Some(HIGH));
    let due = rig.now + Duration::from_secs(6);
    rig.from(B, LOW, del(1, HIGH));
    assert_eq!(rig.advance(Duration::from_secs(1)), [probe(2, 4001, due)]);
    assert_eq!(rig.refuse(2, ConnectError::TimedOut), []);
    assert_eq!(rig.home(1), None);
}

/// Reading B27: an element of ours that a peer has removed is asked, and announced again if it answers.
#[test]
fn a_home_asserts_what_a_peer_has_removed() {
    let mut rig = rig();
    rig.enlist(D, 2);
    assert_eq!(rig.from(B, LOW, del(2, US)), [call(D, 2, false)]);
    assert_eq!(rig.asap(D, &ack(2)), cast(&[B, A], &add(2, US)));
    rig.advance(Duration::from_secs(1));
    rig.from(B, LOW, del(2, US));
    let actions = rig.advance(Duration::from_secs(5));
    assert_eq!(actions, [cast(&[B, A], &del(2, US)), vec![deregistered(D, 2, None)]].concat());
}

/// SEC-2.3.3-01, PARAM-3.12.5-01: an identifier that is taken is taken everywhere: its owner is asked before
/// another process gets it.
#[test]
fn an_identifier_is_taken_at_every_registrar() {
    let refused = rejected(C, 1, ErrorCause::bare(CauseCode::NON_UNIQUE_IDENTIFIER));
    let mut alive = rig();
    assert_eq!(alive.asap(C, &registration(1)), [probe(1, 4001, ask_timeout(&alive))]);
    assert_eq!(reach(&mut alive, D, 1), [call(D, 1, false)]);
    assert_eq!(alive.asap(D, &ack(1)), [shutdown(D, ask_timeout(&alive)), refused]);
    assert_eq!(alive.home(1), Some(HIGH));

    let mut dead = rig();
    dead.asap(C, &registration(1));
    let actions = dead.refuse(1, ConnectError::TimedOut);
    let told = update(UpdateAction::ADD_PE, false, dead.get(1).clone());
    let gone = cast(&[B, A], &del(1, HIGH));
    assert_eq!(actions, [gone, vec![granted(C, 1)], cast(&[B, A], &told)].concat());
    assert_eq!(dead.home(1), Some(US));

    // The process itself needs no proof, and ends the question about it.
    let mut itself = rig();
    itself.asap(C, &registration(1));
    itself.connect(D, 4001);
    let actions = itself.asap(D, &registration(1));
    let all = cast(&[B, A], &add(1, US));
    let over = Action::CancelConnect { request: ConnectId(1) };
    let answers = [vec![granted(D, 1)], all, vec![over, rejected_not_unique(C, 1)]].concat();
    assert_eq!((actions, itself.home(1)), (answers, Some(US)));
    itself.registrar.check_enrp();
}

fn rejected_not_unique(association: AssociationId, id: u32) -> Action {
    rejected(association, id, ErrorCause::bare(CauseCode::NON_UNIQUE_IDENTIFIER))
}

/// A process that waits for an identifier, and turns out to be its owner, has all of its registrations granted.
#[test]
fn an_owner_is_not_refused_for_having_waited() {
    let mut rig = rig();
    rig.connect(D, 4900);
    rig.asap(D, &registration(1));
    rig.asap(D, &registration(1));
    rig.event(Event::Addresses { association: D, peer: peer(4001).into() });
    let actions = rig.asap(D, &registration(1));
    assert_eq!(actions[..3], vec![granted(D, 1); 3]);
    assert!(!actions.contains(&rejected_not_unique(D, 1)));
    assert_eq!(rig.home(1), Some(US));
    rig.registrar.check_enrp();
}

/// The newest challenger replaces one that waits, and each registration is answered.
#[test]
fn challengers_elsewhere_replace_each_other() {
    let mut rig = rig();
    rig.asap(C, &registration(1));
    assert_eq!(rig.asap(C, &registration(1)), []);
    rig.connect(D, 9100);
    assert_eq!(rig.asap(D, &registration(1)), vec![rejected_not_unique(C, 1); 2]);
    assert_eq!(rig.disconnect(C), []);
    let actions = rig.refuse(1, ConnectError::TimedOut);
    assert_eq!(actions.iter().filter(|action| **action == granted(D, 1)).count(), 1);
    // One that goes away leaves the question behind, and nothing else.
    let mut gone = self::rig();
    gone.asap(C, &registration(1));
    assert_eq!(gone.disconnect(C), []);
    assert_eq!(gone.refuse(1, ConnectError::TimedOut), []);
    assert_eq!(gone.home(1), Some(HIGH));
}

/// Questions are bounded: more reports wait, and more newcomers are believed.
#[test]
fn few_elements_are_asked_at_once() {
    let mut rig = rig();
    for id in 2..=200 {
        rig.from(A, HIGH, add(id, HIGH));
    }
    let asked = (1..=200).filter(|id| !rig.asap(C, &unreachable(*id)).is_empty()).count();
    assert_eq!(asked, 64);
    assert_eq!(rig.asap(C, &registration(200))[0], granted(C, 200));
    rig.registrar.check_enrp();
}
