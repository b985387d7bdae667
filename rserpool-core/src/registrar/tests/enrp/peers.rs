//! The peer list, heartbeats and silence (RFC 5353 sections 3.4.1 to 3.4.3).

use super::*;
use crate::base::{SctpAddress, UdpPort};

const CYCLE: Duration = Duration::from_secs(30);

fn ask(reply_required: bool, checksum: Option<u16>) -> EnrpBody {
    EnrpBody::Presence { reply_required, checksum, server: None }
}

/// ENRP-3.4-01, ENRP-3.4.1-01, -02, ENRP-3.1-01, ENRP-2.1-04, ENRP-3.6.1-02: whatever an unknown
/// registrar says, it is a peer from then on and gets ENRP_PRESENCE with reply-required, over the
/// association on which it spoke.
#[test]
fn any_message_makes_a_peer() {
    let bodies = [
        add(1, HIGH),
        del(1, HIGH),
        takeover_ack(LOW),
        list(&[LOW]),
        page(false, &[]),
        EnrpBody::Error { error: ErrorCause::bare(CauseCode::UNSPECIFIED).into() },
    ];
    for body in bodies {
        let mut rig = Rig::serving();
        rig.called_by(A, HIGH);
        assert_eq!(rig.from(A, HIGH, body), [to(A, HIGH, rig.presence(true))]);
        assert_eq!(rig.notices()[0], Notice::PeerFound { peer: HIGH, address: place(HIGH) });
        assert_eq!((rig.known(), rig.state(HIGH)), (vec![HIGH.0], Some(PeerState::Active)));
    }
    // A presence is answered, and the sender is asked which registrars it knows.
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    // A request is answered as well, after the presence.
    let mut rig = Rig::serving();
    rig.called_by(A, HIGH);
    let actions = rig.from(A, HIGH, EnrpBody::ListRequest);
    assert_eq!(actions, [to(A, HIGH, rig.presence(true)), to(A, HIGH, list(&[]))]);
}

/// ENRP-2.1-05, ENRP-2.1-04, ENRP-3.6.1-02: a question is answered at once with checksum and
/// description, and the answer asks nothing back.
#[test]
fn a_question_for_a_sign_of_life_is_answered() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.enlist(C, 1);
    let actions = rig.from(A, HIGH, ask(true, None));
    let (checksum, server) = (Some(checksum(&[1])), Some(server(US)));
    assert_eq!(actions, [to(A, HIGH, EnrpBody::Presence { reply_required: false, checksum, server })]);
    assert_eq!(rig.from(A, HIGH, ask(false, None)), []);
}

/// ENRP-3.4.2-01, ENRP-4.2-01, ENRP-3.6-01, ENRP-3.6.1-02: a heartbeat to all peers every
/// PEER-HEARTBEAT-CYCLE, encoded once, with the checksum of that moment.
#[test]
fn heartbeats_go_to_all_peers() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.meet(B, LOW);
    let end = rig.now + CYCLE;
    assert_eq!(rig.advance(CYCLE - Duration::from_millis(1)), []);
    assert_eq!(rig.advance(Duration::from_millis(1)), cast(&[B, A], &rig.presence(false)));
    assert_eq!(rig.now, end);
    assert_eq!(rig.advance(CYCLE), cast(&[B, A], &rig.presence(false)));
    assert_eq!(rig.registrar.ctx.counters.heartbeats, 2);
}

/// ENRP-3.4.3-01, -02, -03, -04, ENRP-4.2-02, -03: any message counts as a sign of life; after
/// MAX-TIME-LAST-HEARD without one the peer is asked, and after MAX-TIME-NO-RESPONSE without an
/// answer it is dead and taken over.
#[test]
fn a_silent_peer_is_asked_and_then_taken_to_be_dead() {
    let mut rig = Rig::serving_with(|config| config.enrp.heartbeat_cycle = Duration::from_secs(60));
    rig.meet(A, HIGH);
    rig.meet(B, LOW);
    rig.advance(Duration::from_secs(20));
    rig.from(B, LOW, ask(false, None));
    rig.advance(Duration::from_secs(10));
    rig.from(A, HIGH, takeover_ack(TOP));
    rig.advance(Duration::from_secs(29));
    rig.from(B, LOW, ask(false, None));
    assert_eq!(rig.advance(Duration::from_secs(1)), cast(&[B, A], &rig.presence(false)));
    assert_eq!(rig.advance(Duration::from_millis(30_999)), []);
    assert_eq!(rig.advance(Duration::from_millis(1)), [to(A, HIGH, rig.presence(true))]);
    assert_eq!(rig.state(HIGH), Some(PeerState::Suspect));
    // Any message from it will do.
    rig.advance(NO_RESPONSE - Duration::from_millis(1));
    rig.from(A, HIGH, table_request(true));
    assert_eq!(rig.state(HIGH), Some(PeerState::Active));
    rig.notices();
    for _ in 0..6 {
        rig.advance(Duration::from_secs(10));
        rig.from(B, LOW, ask(false, None));
    }
    assert_eq!(rig.advance(Duration::from_secs(1)), [to(A, HIGH, rig.presence(true))]);
    assert_eq!(rig.advance(NO_RESPONSE), cast(&[B, A], &init_takeover(HIGH)));
    assert_eq!(rig.notices(), [Notice::PeerLost { peer: HIGH }]);
    assert_eq!(rig.state(HIGH), Some(PeerState::TakingOver));
}

/// ENRP-3.4.3-03: if its association has ended, the peer has MAX-TIME-NO-RESPONSE to be
/// found again where it was.
#[test]
fn a_lost_association_is_replaced_in_time() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    let deadline = rig.now + NO_RESPONSE;
    assert_eq!(rig.lose(A), [contact(1, HIGH, deadline)]);
    assert_eq!(rig.state(HIGH), Some(PeerState::Suspect));
    assert_eq!(rig.reached(B, 1, HIGH), [to(B, NONE, rig.presence(true))]);
    assert_eq!(rig.from(B, HIGH, ask(false, None)), [to(B, HIGH, EnrpBody::ListRequest)]);
    assert_eq!(rig.state(HIGH), Some(PeerState::Active));
    assert_eq!(rig.notices(), [Notice::PeerFound { peer: HIGH, address: place(HIGH) }]);
    // Another time it is not found.
    let deadline = rig.now + NO_RESPONSE;
    assert_eq!(rig.lose(B), [contact(2, HIGH, deadline)]);
    rig.refuse(2, ConnectError::TimedOut);
    assert_eq!(rig.state(HIGH), Some(PeerState::Suspect));
    rig.advance(NO_RESPONSE);
    assert_eq!(rig.notices()[0], Notice::PeerLost { peer: HIGH });
}

/// ENRP-3.4.3-03 ("if that send fails"): a refusal where it was is as good as silence.
#[test]
fn a_peer_that_is_refused_is_dead_at_once() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.lose(A);
    rig.refuse(1, ConnectError::Refused);
    assert_eq!(
        rig.notices(),
        [Notice::PeerLost { peer: HIGH }, Notice::TakenOver { target: HIGH, by: US, elements: 0 }]
    );
    assert_eq!(rig.known(), [] as [u32; 0]);
}

/// A peer at whose address a newcomer speaks has been restarted under another identifier.
#[test]
fn a_peer_that_comes_back_under_another_name_is_known() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.from(A, HIGH, add(1, HIGH));
    rig.lose(A);
    rig.event(Event::Connected(Connected::new(B, Origin::Peer, ENRP_PORT, place(HIGH))));
    let actions = rig.from(B, TOP, ask(false, Some(0xffff)));
    // Its elements are looked after as soon as the one peer agrees: the newcomer itself.
    let list = EnrpBody::ListRequest;
    let bodies = [(TOP, rig_presence(0xffff, true)), (NONE, init_takeover(HIGH)), (TOP, list)];
    assert_eq!(actions, bodies.map(|(receiver, body)| to(B, receiver, body)));
    assert_eq!(rig.state(HIGH), Some(PeerState::TakingOver));
    rig.from(B, TOP, takeover_ack(HIGH));
    assert_eq!((rig.known(), rig.home(1)), (vec![TOP.0], Some(US)));
}

fn rig_presence(checksum: u16, reply_required: bool) -> EnrpBody {
    EnrpBody::Presence { reply_required, checksum: Some(checksum), server: Some(server(US)) }
}

/// An address is not that of a registrar if what answers there does not name itself: the association is given
/// up, and the address is tried again later.
#[test]
fn a_nameless_contact_is_given_up() {
    let mut rig = Rig::serving_with(|config| config.enrp.peers = vec![place(HIGH)]);
    rig.registrar.ctx.outbox.take_actions();
    assert_eq!(rig.reached(A, 1, HIGH), [to(A, NONE, rig.presence(true))]);
    let actions = rig.advance(NO_RESPONSE);
    assert_eq!(actions, [abort(A)]);
    assert_eq!(rig.lose(A), []);
    let actions = rig.jump();
    assert_eq!(actions, [contact(2, HIGH, rig.now + NO_RESPONSE)]);
    assert_eq!(rig.known(), [] as [u32; 0]);
}

/// Two associations with the same peer: the one that the larger identifier opened stays, and both
/// ends see it so.
#[test]
fn of_two_associations_one_is_closed() {
    for (peer, kept) in [(HIGH, B), (LOW, A)] {
        // A was opened by us, B by the peer.
        let mut rig = Rig::serving_with(|config| config.enrp.peers = vec![place(peer)]);
        rig.registrar.ctx.outbox.take_actions();
        rig.reached(A, 1, peer);
        rig.from(A, peer, heartbeat(0xffff, peer));
        rig.from(A, peer, list(&[]));
        rig.from(A, peer, page(false, &[]));
        rig.called_by(B, peer);
        let closed = if kept == A { B } else { A };
        let actions = rig.from(B, peer, heartbeat(0xffff, peer));
        assert_eq!(actions[0], shutdown(closed, rig.now + NO_RESPONSE));
        assert_eq!(rig.registrar.association_with(peer), Some(kept));
        // What is on its way over the other still counts, and its end means nothing.
        rig.from(closed, peer, add(1, peer));
        assert_eq!(rig.home(1), Some(peer));
        assert_eq!(rig.lose(closed), []);
        assert_eq!((rig.state(peer), rig.elements()), (Some(PeerState::Active), vec![1]));
        assert_eq!(rig.advance(CYCLE), [to(kept, NONE, rig.presence(false))]);
    }
}

/// A peer that has restarted at the same place opens another association: that is the newer one.
#[test]
fn a_restarted_peer_is_heard_over_its_new_association() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.called_by(B, HIGH);
    let actions = rig.from(B, HIGH, heartbeat(0xffff, HIGH));
    let bodies = [rig.presence(true), EnrpBody::ListRequest].map(|body| to(B, HIGH, body));
    assert_eq!(actions, [&[shutdown(A, rig.now + NO_RESPONSE)][..], &bodies].concat());
    assert_eq!(rig.registrar.association_with(HIGH), Some(B));
    assert_eq!(rig.lose(A), []);
    assert_eq!(rig.state(HIGH), Some(PeerState::Active));
}

/// A registrar speaks in the name of a peer, but from elsewhere: the peer is asked first. If it lives,
/// nothing changes.
#[test]
fn a_peers_name_cannot_be_taken_while_it_lives() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.event(Event::Connected(Connected::new(B, Origin::Peer, ENRP_PORT, place(TOP))));
    let actions = rig.from(B, HIGH, add(1, HIGH));
    // The newcomer is told where its identifier is in use, and can find out (RFC 5353 section 3.2.1).
    let told = to(B, HIGH, list(&[HIGH]));
    assert_eq!(actions, [told, shutdown(B, rig.now + NO_RESPONSE), to(A, HIGH, rig.presence(true))]);
    assert_eq!((rig.state(HIGH), rig.elements()), (Some(PeerState::Suspect), vec![]));
    rig.from(A, HIGH, ask(false, None));
    assert_eq!(rig.state(HIGH), Some(PeerState::Active));
    rig.lose(B);
    assert_eq!(rig.registrar.association_with(HIGH), Some(A));
}

/// The same while the peer is taken over: the arbitration goes on as it was.
#[test]
fn a_takeover_is_not_restarted_by_a_false_name() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.meet(B, LOW);
    let both = |rig: &mut Rig| rig.from(B, LOW, ask(false, None));
    for _ in 0..6 {
        rig.advance(Duration::from_secs(10));
        both(&mut rig);
    }
    rig.advance(Duration::from_secs(1));
    rig.advance(NO_RESPONSE);
    assert_eq!(rig.state(HIGH), Some(PeerState::TakingOver));
    rig.event(Event::Connected(Connected::new(C, Origin::Peer, ENRP_PORT, place(TOP))));
    let told = to(C, HIGH, list(&[HIGH]));
    assert_eq!(rig.from(C, HIGH, add(1, HIGH)), [told, shutdown(C, rig.now + NO_RESPONSE)]);
    assert_eq!(rig.state(HIGH), Some(PeerState::TakingOver));
}

/// Every contact where a lost peer was met is tried again, even one that was given up because the peer had
/// come to us.
#[test]
fn configured_contacts_of_a_lost_peer_are_tried_again() {
    let mut rig = Rig::serving_with(|config| {
        let elsewhere = SctpAddress::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), ENRP_PORT, UdpPort(1));
        config.enrp.peers = vec![elsewhere];
    });
    rig.advance(NO_RESPONSE);
    rig = rig.without_past();
    rig.registrar.ctx.outbox.take_actions();
    // It is reached there, and comes to us from another address; its larger identifier decides.
    rig.reached(A, 1, HIGH);
    rig.from(A, HIGH, ask(false, None));
    rig.called_by(B, HIGH);
    rig.from(B, HIGH, ask(false, None));
    rig.lose(A);
    assert_eq!(rig.registrar.association_with(HIGH), Some(B));
    rig.notices();
    // Another registrar takes it over while its association is still up.
    rig.meet(C, LOW);
    rig.from(C, LOW, takeover_server(HIGH));
    rig.lose(B);
    let mut tried = 0;
    for _ in 0..20 {
        tried += rig.jump().iter().filter(|action| matches!(action, Action::Connect { .. })).count();
        rig.from(C, LOW, ask(false, None));
    }
    assert!(tried >= 1);
}

/// The names of peers may lead elsewhere while a registrar runs: new addresses are contacted, and an old one is
/// tried as long as any learned one.
#[test]
fn peers_may_be_configured_anew() {
    let mut rig = Rig::serving();
    let deadline = rig.now + NO_RESPONSE;
    let use_peers = |rig: &mut Rig, id, peers: &[RegistrarId]| {
        let command = Command::UsePeers(peers.iter().map(|peer| place(*peer)).collect());
        rig.registrar.handle_command(rig.now, CommandId(id), command);
        assert_eq!(rig.registrar.poll_output(), Some(Output::Answer(CommandId(id), Answer::Done)));
        rig.registrar.ctx.outbox.take_actions()
    };
    assert_eq!(use_peers(&mut rig, 1, &[HIGH]), [contact(1, HIGH, deadline)]);
    assert_eq!(use_peers(&mut rig, 2, &[LOW]), [contact(2, LOW, deadline)]);
    assert_eq!(use_peers(&mut rig, 3, &[LOW]), [], "it is being contacted");
    rig.refuse(2, ConnectError::TimedOut);
    let mut tries = vec![rig.refuse(1, ConnectError::TimedOut)];
    while rig.registrar.peers.contacts.len() > 1 && tries.len() < 100 {
        for action in rig.jump() {
            let Action::Connect { request, .. } = action else { continue };
            tries.push(rig.refuse(request.0, ConnectError::TimedOut));
        }
    }
    assert_eq!(rig.registrar.peers.contacts.len(), 1, "the one that is no longer configured is forgotten");
}
