//! Giving elements away by the takeover suggestion flag (draft enrp-takeover; reading A23).

use super::*;

fn alive(rig: &Rig, id: RegistrarId) -> EnrpBody {
    heartbeat(rig.registrar.elements.listing.checksum(id), id)
}

/// Offers in a list of actions: to whom, and which elements.
fn offers(actions: &[Action]) -> Vec<(AssociationId, RegistrarId, u32)> {
    let offer = |action: &Action| {
        let Action::Send { association, protocol: ProtocolId::ENRP, bytes, .. } = action else { return None };
        let message = EnrpMessage::decode(bytes).unwrap().message;
        match message.body {
            EnrpBody::HandleUpdate {
                takeover_suggested: true,
                action: UpdateAction::ADD_PE,
                element,
                ..
            } => {
                assert_eq!(element.home, US);
                Some((*association, message.receiver, element.id.0))
            }
            _ => None,
        }
    };
    actions.iter().filter_map(offer).collect()
}

/// A registrar with this many elements over C, whose peers own nothing.
fn loaded(elements: u32, peers: &[(AssociationId, RegistrarId)]) -> Rig {
    let mut rig = Rig::serving_with(|config| {
        config.enrp.balance = true;
        config.keep_alive_interval = Duration::from_secs(1_000);
    });
    for id in 1..=elements {
        rig.enlist(C, id);
    }
    for (association, id) in peers {
        rig.meet(*association, *id);
    }
    rig
}

/// ASAP-3.6-02: announcements offer services. A registrar that hands its elements over, and turns away whoever
/// comes, makes none.
#[test]
fn a_registrar_that_leaves_does_not_announce_itself() {
    let mut rig = Rig::serving_with(|config| {
        config.announce = true;
        config.keep_alive_interval = Duration::from_secs(1_000);
    });
    rig.enlist(C, 1);
    rig.meet(A, HIGH);
    let announcements = rig.registrar.ctx.counters.announcements;
    assert!(announcements > 0);
    rig.registrar.begin_shutdown(rig.now, rig.now + Duration::from_secs(30));
    rig.registrar.ctx.outbox.take_actions();
    rig.advance(Duration::from_secs(4));
    assert!(matches!(rig.registrar.ctx.phase, Phase::HandingOver(_)));
    assert_eq!(rig.registrar.ctx.counters.announcements, announcements);
}

/// A registrar that leaves offers each element to the peer that has the fewest then. The update of its new
/// home takes it, whichever home that is; after the last one the associations are closed.
#[test]
fn a_registrar_that_leaves_hands_its_elements_over() {
    let mut rig = loaded(3, &[(A, HIGH), (B, LOW)]);
    rig.from(A, HIGH, add(9, HIGH));
    let deadline = rig.now + Duration::from_secs(30);
    rig.registrar.begin_shutdown(rig.now, deadline);
    let actions = rig.registrar.ctx.outbox.take_actions();
    assert_eq!(actions[0], to(B, LOW, offer(1, US)));
    assert_eq!(offers(&actions), [(B, LOW, 1), (B, LOW, 2), (A, HIGH, 3)]);
    assert_eq!(actions.len(), 3);
    // Its new home may have a smaller identifier or a larger one.
    assert_eq!(rig.from(B, LOW, add(1, LOW)), []);
    assert_eq!((rig.home(1), rig.registrar.elements.own.len()), (Some(LOW), 2));
    rig.from(A, HIGH, add(3, HIGH));
    assert_eq!(rig.connect(D, 5000), [abort(D)], "nobody new");
    let actions = rig.from(B, LOW, add(2, LOW));
    assert_eq!(actions, [shutdown(A, deadline), shutdown(B, deadline), shutdown(C, deadline)]);
    for association in [A, B, C] {
        assert_eq!(rig.lose(association), []);
    }
    assert!(rig.registrar.is_stopped());
    assert_eq!(rig.registrar.poll_timeout(), None);
}

/// A heartbeat that falls into a hand-over takes no offer back.
#[test]
fn offers_outlast_a_heartbeat() {
    let mut rig = Rig::serving_with(|config| config.enrp = EnrpConfig::fast());
    rig.enlist(C, 1);
    rig.meet(A, LOW);
    rig.now += Duration::from_millis(150);
    rig.from(A, LOW, heartbeat(0xffff, LOW));
    rig.registrar.begin_shutdown(rig.now, rig.now + Duration::from_secs(9));
    assert_eq!(offers(&rig.registrar.ctx.outbox.take_actions()), [(A, LOW, 1)]);
    assert_eq!(rig.advance(Duration::from_millis(50)), [to(A, NONE, rig.presence(false))]);
    rig.from(A, LOW, add(1, LOW));
    assert_eq!(rig.home(1), Some(LOW));
}

/// Elements that no peer has taken in MAX-TIME-NO-RESPONSE are offered to all, the way that RSPLIB knows;
/// after the same time again the registrar leaves anyway.
#[test]
fn a_hand_over_has_its_bounds() {
    let mut rig = loaded(2, &[(A, HIGH), (B, LOW)]);
    let deadline = rig.now + Duration::from_secs(20);
    rig.registrar.begin_shutdown(rig.now, deadline);
    assert_eq!(offers(&rig.registrar.ctx.outbox.take_actions()).len(), 2);
    rig.from(B, LOW, add(1, LOW));
    assert_eq!(offers(&rig.advance(NO_RESPONSE)), [(B, NONE, 2), (A, NONE, 2)]);
    let actions = rig.advance(NO_RESPONSE);
    assert_eq!(actions, [shutdown(A, deadline), shutdown(B, deadline), shutdown(C, deadline)]);
    // A short deadline shortens the waits.
    let mut rig = loaded(1, &[(A, HIGH)]);
    rig.registrar.begin_shutdown(rig.now, rig.now + Duration::from_secs(3));
    rig.registrar.ctx.outbox.take_actions();
    assert_eq!(offers(&rig.advance(Duration::from_secs(1))), [(A, NONE, 1)]);
}

/// An element that deregisters while we leave is answered, even the last one.
#[test]
fn the_last_element_may_deregister_during_a_hand_over() {
    let mut rig = loaded(1, &[(A, HIGH)]);
    let deadline = rig.now + Duration::from_secs(20);
    rig.registrar.begin_shutdown(rig.now, deadline);
    rig.registrar.ctx.outbox.take_actions();
    let actions = rig.asap(C, &deregistration(1));
    let closed = [shutdown(A, deadline), shutdown(C, deadline)];
    assert_eq!(actions, [&[to(A, NONE, del(1, US)), deregistered(C, 1, None)][..], &closed].concat());
}

/// Without a peer to hand over to, or anything to hand over, it just leaves.
#[test]
fn without_peers_there_is_nothing_to_wait_for() {
    for (mut rig, links) in [(loaded(1, &[]), vec![C]), (loaded(0, &[(A, HIGH)]), vec![A])] {
        let deadline = rig.now + Duration::from_secs(20);
        rig.registrar.begin_shutdown(rig.now, deadline);
        let closed: Vec<_> = links.iter().map(|link| shutdown(*link, deadline)).collect();
        assert_eq!(rig.registrar.ctx.outbox.take_actions(), closed);
    }
}

/// The other side: an offer to us is taken at once: the element is asked at its ASAP transport, and
/// all peers hear of its new home.
#[test]
fn an_offer_is_taken() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.meet(B, LOW);
    rig.from(A, HIGH, add(1, HIGH));
    let deadline = rig.now + Duration::from_secs(5);
    let actions = rig.directed(A, HIGH, US, offer(1, HIGH));
    assert_eq!(actions, [vec![probe(1, 4001, deadline)], cast(&[B, A], &add(1, US))].concat());
    assert_eq!(rig.home(1), Some(US));
    // An unknown element as well; but not one that has another home by now, nor one that cannot be asked.
    rig.directed(A, HIGH, US, offer(2, HIGH));
    rig.from(B, LOW, add(3, LOW));
    assert_eq!(rig.directed(A, HIGH, US, offer(3, HIGH)), []);
    let mute = PoolElement { asap_transport: None, ..listed(4, HIGH) };
    let mute = PoolElement {
        user_transport: Transport::Sctp(SctpTransport {
            port: 0,
            usage: TransportUse::DataPlusControl,
            addresses: localhost().into(),
        }),
        ..mute
    };
    assert_eq!(rig.directed(A, HIGH, US, update(UpdateAction::ADD_PE, true, mute)), []);
    assert_eq!([1, 2, 3, 4].map(|id| rig.home(id)), [Some(US), Some(US), Some(LOW), None]);
    assert_eq!(rig.registrar.ctx.counters.offers_accepted, 2);
    rig.registrar.check_enrp();
}

/// An offer to all is for the largest identifier XOR that of the element, the sender left out.
#[test]
fn an_offer_to_all_is_for_one() {
    // 0x50 ^ 1 = 0x51, 0x10 ^ 1 = 0x11; 0x50 ^ 0x4f = 0x1f, 0x10 ^ 0x4f = 0x5f.
    for (id, home) in [(1, US), (0x4f, HIGH)] {
        let mut rig = Rig::serving();
        rig.meet(A, HIGH);
        rig.meet(B, LOW);
        rig.from(A, HIGH, offer(id, HIGH));
        assert_eq!(rig.home(id), Some(home), "{id:#x}");
    }
}

/// An offer to another registrar, or while we leave, is an update like any other.
#[test]
fn an_offer_that_is_not_for_us_is_an_update() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.directed(A, HIGH, LOW, offer(1, HIGH));
    assert_eq!((rig.home(1), rig.registrar.ctx.counters.wrong_receiver), (None, 1));
    rig.enlist(C, 7);
    rig.registrar.begin_shutdown(rig.now, rig.now + Duration::from_secs(20));
    rig.directed(A, HIGH, US, offer(1, HIGH));
    assert_eq!(rig.home(1), Some(HIGH));
}

/// A registrar that has more than its share offers some elements to those that have less: at most an eighth
/// of all in one cycle, never more than makes it even, and an element that was taken is not offered again.
#[test]
fn elements_move_to_a_lightly_loaded_peer() {
    let mut rig = loaded(40, &[(A, LOW)]);
    let mut moved = Vec::new();
    for _ in 0..8 {
        let due = rig.registrar.ctx.deadlines.get(&Timer::Heartbeat).unwrap();
        let present = alive(&rig, LOW);
        rig.from(A, LOW, present);
        let offered = offers(&rig.advance(due.since(rig.now)));
        assert!(offered.len() <= 5);
        for (association, receiver, id) in offered {
            assert_eq!((association, receiver), (A, LOW));
            moved.push(id);
            rig.from(A, LOW, add(id, LOW));
        }
        rig.registrar.check_enrp();
    }
    assert_eq!(moved, (1..=20).collect::<Vec<_>>());
    assert_eq!(rig.registrar.elements.own.len(), 20);
}

/// A peer that lets an offer pass is not asked again and again. It may have been busy joining: it is asked
/// once more after some cycles.
#[test]
fn a_peer_that_takes_nothing_is_spared() {
    let mut rig = loaded(40, &[(A, LOW)]);
    let mut cycles = Vec::new();
    for cycle in 0..100 {
        let due = rig.registrar.ctx.deadlines.get(&Timer::Heartbeat).unwrap();
        let present = alive(&rig, LOW);
        rig.from(A, LOW, present);
        if !offers(&rig.advance(due.since(rig.now))).is_empty() {
            cycles.push(cycle);
        }
    }
    assert!(cycles.len() >= 2 && cycles.len() < 10, "{cycles:?}");
}

/// Nothing is offered while a peer is not well: it may be about to be taken over.
#[test]
fn nothing_moves_while_somebody_is_missing() {
    let mut rig = loaded(40, &[(A, LOW), (B, HIGH)]);
    let present = alive(&rig, LOW);
    rig.from(A, LOW, present.clone());
    rig.lose(B);
    assert_eq!(rig.state(HIGH), Some(PeerState::Suspect));
    rig.registrar.ctx.now = rig.now;
    rig.registrar.handle_timer(Timer::Heartbeat);
    assert_eq!(offers(&rig.registrar.ctx.outbox.take_actions()), []);
}
