//! Taking over a dead peer (RFC 5353 section 3.5).

use super::*;

fn alive(checksum: u16) -> EnrpBody {
    EnrpBody::Presence { reply_required: false, checksum: Some(checksum), server: None }
}

/// A peer with one element has died; the others have just been heard. A is its association.
fn bereaved(target: RegistrarId, others: &[(AssociationId, RegistrarId)]) -> Rig {
    bereaved_with(target, others, |_| ())
}

fn bereaved_with(
    target: RegistrarId,
    others: &[(AssociationId, RegistrarId)],
    adjust: impl FnOnce(&mut RegistrarConfig),
) -> Rig {
    let mut rig = Rig::serving_with(adjust);
    rig.meet(A, target);
    for (association, id) in others {
        rig.meet(*association, *id);
    }
    rig.from(A, target, add(1, target));
    rig.lose(A);
    rig.refuse(1, ConnectError::Refused);
    rig.notices();
    rig
}

/// The association breaks, and nothing answers where the peer was.
fn die(rig: &mut Rig, association: AssociationId) -> Vec<Action> {
    let actions = rig.lose(association);
    let [Action::Connect { request, .. }] = actions[..] else { panic!("{actions:?}") };
    rig.event(Event::ConnectFailed { request, reason: ConnectError::Refused })
}

/// ENRP-3.5.1-01, -02, -03, -09, ENRP-3.5.2-01 to -04: all registrars are asked, the target too; when all
/// have acknowledged, the takeover is announced, the target is gone, its elements are ours, and each is told
/// so by a keep-alive with the H flag.
#[test]
fn a_dead_peer_is_taken_over() {
    let mut rig = Rig::serving();
    rig.meet(A, LOW);
    rig.meet(B, HIGH);
    rig.meet(D, TOP);
    rig.from(A, LOW, add(1, LOW));
    rig.live(Duration::from_secs(60), &[(B, HIGH), (D, TOP)]);
    rig.advance(Duration::from_secs(1));
    assert_eq!(rig.advance(NO_RESPONSE), cast(&[A, B, D], &init_takeover(LOW)));
    assert_eq!(rig.from(B, HIGH, takeover_ack(LOW)), []);
    // A second acknowledgement of the same peer does not count, nor does one for another target.
    assert_eq!(rig.from(B, HIGH, takeover_ack(LOW)), []);
    assert_eq!(rig.from(D, TOP, takeover_ack(HIGH)), []);
    let deadline = rig.now + NO_RESPONSE;
    let actions = rig.from(D, TOP, takeover_ack(LOW));
    let announced = cast(&[A, B, D], &takeover_server(LOW));
    assert_eq!(actions[..3], announced);
    assert_eq!(actions[3], abort(A));
    assert_eq!(actions.last(), Some(&probe_to(1, deadline, &actions)));
    assert_eq!((rig.known(), rig.home(1)), (vec![HIGH.0, TOP.0], Some(US)));
    assert_eq!(rig.registrar.elements.listing.checksum(US), checksum(&[1]));
    assert_eq!(
        rig.notices(),
        [Notice::PeerLost { peer: LOW }, Notice::TakenOver { target: LOW, by: US, elements: 1 }]
    );
    // The element is reached.
    let Some(Action::Connect { request, .. }) = actions.last().cloned() else { panic!() };
    let event = Event::Connected(Connected::new(E, Origin::Attempt(request), ASAP_PORT, peer(4001)));
    assert_eq!(rig.event(event), [call(E, 1, true)]);
    // It registers over that, and is told no more that it has a new home.
    rig.asap(E, &ack(1));
    let again = rig.asap(E, &registration(1));
    assert_eq!(again, [&[granted(E, 1)][..], &cast(&[B, D], &add(1, US))].concat());
    assert_eq!(rig.from(B, HIGH, alive(0xffff)), []);
}

fn probe_to(id: u16, deadline: Instant, actions: &[Action]) -> Action {
    let request = actions.iter().filter_map(|action| match action {
        Action::Connect { request, .. } => Some(request.0),
        _ => None,
    });
    probe(request.last().unwrap(), 4000 + id, deadline)
}

/// When one of two registrars dies, none is left to ask, and the survivor takes over at once.
#[test]
fn the_last_registrar_asks_nobody() {
    let rig = bereaved(HIGH, &[]);
    assert_eq!((rig.home(1), rig.known()), (Some(US), vec![]));
    assert_eq!(rig.registrar.ctx.counters.takeovers_won, 1);
}

/// Reading B2: a peer that does not acknowledge within MAX-TIME-NO-RESPONSE is asked once more; after that
/// silence is consent.
#[test]
fn a_missing_acknowledgement_delays_but_does_not_block() {
    let mut rig = bereaved(HIGH, &[(B, LOW), (D, TOP)]);
    rig.from(B, LOW, takeover_ack(HIGH));
    // Meanwhile it is looked for where it was.
    let actions = rig.advance(NO_RESPONSE);
    assert_eq!(actions[1..], [to(D, TOP, init_takeover(HIGH))]);
    assert_eq!(rig.home(1), Some(HIGH));
    let actions = rig.advance(NO_RESPONSE);
    assert_eq!(actions[..2], cast(&[B, D], &takeover_server(HIGH)));
    assert_eq!(rig.home(1), Some(US));
}

/// Reading B2: several die at once; the dead acknowledge nothing, and need not.
#[test]
fn several_may_die_at_once() {
    let mut rig = bereaved(HIGH, &[(B, LOW), (D, TOP)]);
    rig.from(D, TOP, add(2, TOP));
    assert_eq!(die(&mut rig, D)[0], to(B, NONE, init_takeover(TOP)));
    assert_eq!(rig.home(1), Some(HIGH));
    rig.from(B, LOW, takeover_ack(HIGH));
    assert_eq!((rig.home(1), rig.home(2)), (Some(US), Some(TOP)));
    rig.from(B, LOW, takeover_ack(TOP));
    assert_eq!((rig.home(2), rig.known()), (Some(US), vec![LOW.0]));
    // And the last one.
    die(&mut rig, B);
    assert_eq!(rig.known(), [] as [u32; 0]);
    assert_eq!(rig.registrar.ctx.counters.takeovers_won, 3);
}

/// ENRP-3.5.1-04: the target of a takeover says at once to all that it lives.
#[test]
fn a_target_says_that_it_lives() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.meet(B, LOW);
    rig.enlist(C, 1);
    assert_eq!(rig.from(A, HIGH, init_takeover(US)), cast(&[B, A], &rig.presence(false)));
    assert_eq!(rig.from(A, HIGH, takeover_server(US)), cast(&[B, A], &rig.presence(false)));
    assert_eq!((rig.home(1), rig.known()), (Some(US), vec![LOW.0, HIGH.0]));
}

/// ENRP-3.5.1-05, -10: presence of the target at any time stops everything.
#[test]
fn a_target_that_lives_stops_the_takeover() {
    let mut rig = bereaved(HIGH, &[(B, LOW)]);
    assert_eq!(rig.state(HIGH), Some(PeerState::TakingOver));
    rig.called_by(D, HIGH);
    rig.from(D, HIGH, alive(checksum(&[1])));
    assert_eq!(rig.state(HIGH), Some(PeerState::Active));
    assert_eq!(rig.registrar.ctx.counters.takeovers_stopped, 1);
    assert_eq!(rig.from(B, LOW, takeover_ack(HIGH)), []);
    assert!(!rig.advance(NO_RESPONSE).contains(&to(B, LOW, init_takeover(HIGH))));
    assert_eq!((rig.home(1), rig.known()), (Some(HIGH), vec![LOW.0, HIGH.0]));
}

/// The same for a peer whose association never broke.
#[test]
fn a_target_that_stood_still_stops_the_takeover() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.meet(B, LOW);
    rig.live(Duration::from_secs(60), &[(B, LOW)]);
    rig.advance(Duration::from_secs(1));
    assert_eq!(rig.advance(NO_RESPONSE), cast(&[B, A], &init_takeover(HIGH)));
    assert_eq!(rig.from(A, HIGH, alive(0xffff)), []);
    assert_eq!((rig.state(HIGH), rig.from(B, LOW, takeover_ack(HIGH))), (Some(PeerState::Active), vec![]));
}

/// ENRP-3.5.1-08, reading B3: neither target nor initiator: the target is not active any more, and
/// that is acknowledged. If nothing follows for three MAX-TIME-NO-RESPONSE, it is monitored again.
#[test]
fn a_takeover_of_somebody_else_is_acknowledged() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.meet(B, LOW);
    assert_eq!(rig.from(B, LOW, init_takeover(HIGH)), [to(B, LOW, takeover_ack(HIGH))]);
    assert_eq!(rig.state(HIGH), Some(PeerState::Inactive));
    rig.advance(NO_RESPONSE * 2);
    rig.from(B, LOW, alive(0xffff));
    assert_eq!(rig.advance(NO_RESPONSE), [to(A, HIGH, rig.presence(true))]);
    assert_eq!(rig.state(HIGH), Some(PeerState::Suspect));
    assert_eq!(rig.advance(NO_RESPONSE), cast(&[B, A], &init_takeover(HIGH)));
    // A sign of life of a target that others take over makes it active again.
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.meet(B, LOW);
    rig.from(B, LOW, init_takeover(HIGH));
    rig.from(A, HIGH, alive(0xffff));
    assert_eq!(rig.state(HIGH), Some(PeerState::Active));
}

/// ENRP-3.5.1-06, -07: of two initiators the larger identifier goes on.
#[test]
fn the_larger_identifier_wins() {
    let mut rig = bereaved(TOP, &[(B, LOW), (D, HIGH)]);
    assert_eq!(rig.from(B, LOW, init_takeover(TOP)), [], "it is to yield to us");
    assert_eq!(rig.state(TOP), Some(PeerState::TakingOver));
    assert_eq!(rig.from(D, HIGH, init_takeover(TOP)), [to(D, HIGH, takeover_ack(TOP))]);
    assert_eq!(rig.state(TOP), Some(PeerState::Inactive));
    // Acknowledgements that come now are of no use.
    assert_eq!(rig.from(B, LOW, takeover_ack(TOP)), []);
    assert_eq!(rig.from(D, HIGH, takeover_ack(TOP)), []);
    assert_eq!(rig.home(1), Some(TOP));
}

/// Reading B1: RSPLIB's order, by a setting.
#[test]
fn the_smaller_identifier_wins_if_that_is_set() {
    let smaller = |config: &mut RegistrarConfig| config.enrp.takeover_winner = TakeoverWinner::SmallerId;
    let mut rig = bereaved_with(TOP, &[(B, LOW), (D, HIGH)], smaller);
    assert_eq!(rig.from(D, HIGH, init_takeover(TOP)), []);
    assert_eq!(rig.from(B, LOW, init_takeover(TOP)), [to(B, LOW, takeover_ack(TOP))]);
}

/// ENRP-3.5.2-05: the winner's word: the target is gone, its elements have the sender as home, in
/// the checksums too.
#[test]
fn the_winner_is_believed() {
    let mut rig = bereaved(HIGH, &[(B, LOW)]);
    let elements = checksum(&[1]);
    rig.from(B, LOW, takeover_server(HIGH));
    assert_eq!((rig.known(), rig.home(1)), (vec![LOW.0], Some(LOW)));
    let sums = [HIGH, LOW].map(|id| rig.registrar.elements.listing.checksum(id));
    assert_eq!(sums, [0xffff, elements]);
    assert_eq!(rig.notices(), [Notice::TakenOver { target: HIGH, by: LOW, elements: 1 }]);
    assert!(rig.registrar.elements.own.is_empty());
    rig.registrar.check_enrp();
}

/// A registrar that was only frozen when it was taken over finds its association gone when it goes on. It is
/// looked for where it was.
#[test]
fn a_peer_that_was_given_up_sees_it() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.meet(B, LOW);
    let deadline = rig.now + NO_RESPONSE;
    assert_eq!(rig.from(B, LOW, takeover_server(HIGH)), [abort(A), contact(1, HIGH, deadline)]);
    assert_eq!(rig.known(), [LOW.0]);
    assert_eq!(rig.lose(A), []);
    rig.refuse(1, ConnectError::InUse);
    let actions = rig.jump();
    assert_eq!(actions, [contact(2, HIGH, rig.now + NO_RESPONSE)]);
    rig.reached(D, 2, HIGH);
    rig.from(D, HIGH, alive(0xffff));
    assert_eq!(rig.state(HIGH), Some(PeerState::Active));
}

/// A peer that another registrar takes over is not waited for.
#[test]
fn a_peer_that_others_take_over_need_not_acknowledge() {
    let mut rig = bereaved(HIGH, &[(B, LOW), (D, TOP)]);
    rig.from(B, LOW, takeover_ack(HIGH));
    rig.from(B, LOW, init_takeover(TOP));
    assert_eq!(rig.home(1), Some(US));
}

/// ENRP-6.2-02: a dead peer may have many elements, and they are not all called at once.
#[test]
fn keep_alives_to_many_elements_are_limited() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    for id in 1..=1000 {
        rig.from(A, HIGH, add(id, HIGH));
    }
    rig.lose(A);
    let connects =
        |actions: &[Action]| actions.iter().filter(|action| matches!(action, Action::Connect { .. })).count();
    let probed = connects(&rig.refuse(1, ConnectError::Refused));
    // One attempt is for the peer itself.
    assert_eq!((rig.registrar.elements.own.len(), probed), (1000, MAX_PROBES_OF_ONE + 1));
    // One that is settled makes room for another.
    assert_eq!(connects(&rig.refuse(10, ConnectError::TimedOut)), 1);
}
