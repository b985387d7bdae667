//! Lists and handle tables for those that ask (RFC 5353 sections 2.3, 2.6, 3.2.2.2 and 3.2.3).

use super::*;

fn answer(actions: &[Action]) -> (RegistrarId, bool, Vec<u32>) {
    let [Action::Send { bytes, .. }] = actions else { panic!("{actions:?}") };
    let message = EnrpMessage::decode(bytes).unwrap().message;
    let EnrpBody::HandleTableResponse { rejected: false, more, pools } = message.body else { panic!() };
    assert_eq!(message.sender, US);
    let ids = pools.iter().flat_map(|pool| &pool.elements).map(|element| element.id.0);
    (message.receiver, more, ids.collect())
}

/// Pages of exactly two elements of ours.
fn two_a_page() -> Rig {
    let mut rig = Rig::serving_with(|config| {
        config.handle_table_octets = 512;
        config.keep_alive_interval = Duration::from_secs(60);
    });
    rig.meet(A, HIGH);
    rig.connect(B, 4000);
    // A Pool Element has 184 octets with this.
    let large = |mut element: PoolElement| {
        let Transport::Sctp(sctp) = &mut element.user_transport else { panic!() };
        sctp.addresses = (1..=16).map(|n| IpAddr::V4(Ipv4Addr::new(127, 0, 0, n))).collect();
        element
    };
    for id in 1..=5 {
        let element = large(element(id));
        rig.asap(B, &AsapMessage::Registration { handle: POOL.into(), element });
    }
    rig.advance(FIRST_KEEP_ALIVE);
    for id in 1..=5 {
        rig.asap(B, &ack(id));
    }
    rig.from(A, HIGH, update(UpdateAction::ADD_PE, false, large(listed(6, HIGH))));
    rig.notices();
    rig
}

/// ENRP-3.2.2.2-03: all registrars that are known, but not the one that asks. One that described
/// itself is described in its own words, another one as it was met.
#[test]
fn a_mentor_lists_its_peers() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.called_by(B, LOW);
    let bare = EnrpBody::Presence { reply_required: false, checksum: None, server: None };
    rig.from(B, LOW, bare);
    assert_eq!(rig.from(A, HIGH, EnrpBody::ListRequest), [to(A, HIGH, list(&[LOW]))]);
    assert_eq!(rig.from(B, LOW, EnrpBody::ListRequest), [to(B, LOW, list(&[HIGH]))]);
    rig.called_by(C, TOP);
    assert_eq!(rig.from(C, NONE, EnrpBody::ListRequest), [to(C, NONE, list(&[LOW, HIGH]))]);
    // Also those that it cannot talk to at the moment.
    rig.lose(B);
    assert_eq!(rig.from(C, NONE, EnrpBody::ListRequest), [to(C, NONE, list(&[LOW, HIGH]))]);
}

/// ENRP-3.2.3-02, -03, ENRP-2.3-04: the mentor goes on where it stopped, and the next request after
/// the last page begins again. Every registrar has its own place.
#[test]
fn a_table_is_sent_page_by_page() {
    let mut rig = two_a_page();
    rig.called_by(C, TOP);
    let mut ask = |from, id| answer(&rig.from(from, id, table_request(false)));
    assert_eq!(ask(A, HIGH), (HIGH, true, vec![1, 2]));
    assert_eq!(ask(A, HIGH), (HIGH, true, vec![3, 4]));
    assert_eq!(ask(C, NONE), (NONE, true, vec![1, 2]));
    assert_eq!(ask(A, HIGH), (HIGH, false, vec![5, 6]));
    assert_eq!(ask(A, HIGH), (HIGH, true, vec![1, 2]));
    assert_eq!(ask(C, NONE), (NONE, true, vec![3, 4]));
}

/// ENRP-3.6.3-03, -06, reading B25: with the W flag only our own elements, in pages too; another
/// value of the flag begins a new session.
#[test]
fn own_elements_are_sent_on_demand() {
    let mut rig = two_a_page();
    let mut ask = |own_only| answer(&rig.from(A, HIGH, table_request(own_only)));
    assert_eq!(ask(true), (HIGH, true, vec![1, 2]));
    assert_eq!(ask(true), (HIGH, true, vec![3, 4]));
    assert_eq!(ask(true), (HIGH, false, vec![5]));
    assert_eq!(ask(true), (HIGH, true, vec![1, 2]));
    assert_eq!(ask(false), (HIGH, true, vec![1, 2]));
    assert_eq!(ask(true), (HIGH, true, vec![1, 2]));
}

/// ENRP-3.2.3-12: a session that is not continued is forgotten; the next begins at the front.
#[test]
fn a_download_that_stops_is_forgotten() {
    let mut rig = two_a_page();
    assert_eq!(answer(&rig.from(A, HIGH, table_request(false))).2, [1, 2]);
    rig.advance(NO_RESPONSE - Duration::from_millis(1));
    assert_eq!(answer(&rig.from(A, HIGH, table_request(false))).2, [3, 4]);
    rig.advance(NO_RESPONSE);
    assert_eq!(answer(&rig.from(A, HIGH, table_request(false))).2, [1, 2]);
}

/// Elements that go or come during a download do not disturb it (reading B25).
#[test]
fn a_table_may_change_while_it_is_sent() {
    let mut rig = two_a_page();
    assert_eq!(answer(&rig.from(A, HIGH, table_request(false))).2, [1, 2]);
    rig.asap(B, &deregistration(2));
    rig.asap(B, &deregistration(3));
    assert_eq!(answer(&rig.from(A, HIGH, table_request(false))).2, [4, 5]);
}

/// ENRP-2.3-04, reading B24: a registrar that has nothing says so.
#[test]
fn an_empty_table_is_an_answer() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    assert_eq!(rig.from(A, HIGH, table_request(false)), [to(A, HIGH, page(false, &[]))]);
    rig.from(A, HIGH, add(1, HIGH));
    assert_eq!(rig.from(A, HIGH, table_request(true)), [to(A, HIGH, page(false, &[]))]);
}
