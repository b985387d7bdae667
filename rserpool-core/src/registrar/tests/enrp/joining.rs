//! From the start to the first service (RFC 5353 section 3.2).

use super::*;

const RETRY: Duration = Duration::from_secs(2);

/// ENRP-3.2.2.1-03: a registrar without peers to ask serves at once, without a download.
#[test]
fn a_registrar_without_peers_serves_at_once() {
    let rig = Rig::serving();
    assert!(rig.registrar.is_serving());
    assert_eq!(rig.registrar.poll_timeout(), None);
}

/// ENRP-3.2.2.1-01, ENRP-3.2.2.2-01, -04, ENRP-3.2.3-01, -04, -06, -08, ENRP-2.1-03: presence
/// first, then the list, then the table, page by page; only then it serves.
#[test]
fn a_registrar_joins_through_its_mentor() {
    let mut rig = Rig::joining(&[HIGH]);
    let greeting = rig.from(A, HIGH, heartbeat(checksum(&[1, 3]), HIGH));
    assert_eq!(greeting, [to(A, HIGH, EnrpBody::ListRequest)]);
    assert_eq!(rig.notices(), [Notice::PeerFound { peer: HIGH, address: place(HIGH) }]);

    // The list tells of another registrar, which is contacted.
    let deadline = rig.now + NO_RESPONSE;
    let actions = rig.from(A, HIGH, list(&[LOW]));
    assert_eq!(actions, [contact(2, LOW, deadline), to(A, HIGH, table_request(false))]);
    assert_eq!(rig.known(), [LOW.0, HIGH.0]);

    assert_eq!(rig.from(A, HIGH, page(true, &[(1, HIGH)])), [to(A, HIGH, table_request(false))]);
    assert_eq!((rig.elements(), rig.registrar.is_serving()), (vec![1], false));
    // Each page is merged before the M flag is looked at.
    let actions = rig.from(A, HIGH, page(false, &[(2, LOW), (3, HIGH)]));
    assert_eq!(actions, cast(&[A], &rig.presence(false)));
    assert_eq!(rig.notices(), [Notice::Serving { mentor: Some(HIGH) }]);
    assert_eq!((rig.home(1), rig.home(2), rig.home(3)), (Some(HIGH), Some(LOW), Some(HIGH)));
}

/// ENRP-3.2.3-05, -06, -07: a missing pool is created with the policy of its first element, others
/// are added, and what is known already is overwritten.
#[test]
fn a_downloaded_table_is_merged() {
    let mut rig = Rig::joining(&[HIGH]);
    rig.from(A, HIGH, heartbeat(0xffff, HIGH));
    rig.from(A, HIGH, list(&[]));
    let random = |id: u32, life: i32| PoolElement {
        policy: Policy::Random,
        life: RegistrationLife(life),
        ..listed(id, HIGH)
    };
    let table = |more, elements: Vec<PoolElement>| EnrpBody::HandleTableResponse {
        rejected: false,
        more,
        pools: vec![PoolEntry { handle: POOL.into(), elements }],
    };
    rig.from(A, HIGH, table(true, vec![random(1, 3)]));
    assert_eq!(*rig.registrar.elements.listing.pool(&POOL.into()).unwrap().policy(), Policy::Random);
    rig.from(A, HIGH, table(true, vec![random(2, 1), random(1, 7)]));
    assert_eq!(rig.get(1).life, RegistrationLife(7));
    // One that does not fit the pool is left out (reading B30), and the rest goes on.
    rig.from(A, HIGH, table(false, vec![listed(3, HIGH), random(4, 1)]));
    assert_eq!(rig.elements(), [1, 2, 4]);
    assert!(rig.registrar.is_serving());
    assert_eq!(rig.registrar.ctx.counters.updates_refused, 1);
}

/// ENRP-3.2.2.1-02, ENRP-3.2.2.2-02: of several peers, the first that is there is the mentor; silence for
/// MAX-TIME-NO-RESPONSE makes a backup the mentor.
#[test]
fn a_silent_mentor_is_replaced_by_a_backup() {
    let mut rig = Rig::joining(&[HIGH, TOP]);
    assert_eq!(rig.from(A, HIGH, heartbeat(0xffff, HIGH)), [to(A, HIGH, EnrpBody::ListRequest)]);
    assert_eq!(rig.from(B, TOP, heartbeat(0xffff, TOP)), []);
    assert_eq!(rig.advance(NO_RESPONSE - Duration::from_millis(1)), []);
    assert_eq!(rig.advance(Duration::from_millis(1)), [to(B, TOP, EnrpBody::ListRequest)]);
    // The first one's answer no longer counts.
    assert_eq!(rig.from(A, HIGH, list(&[LOW])), []);
    assert_eq!((rig.known(), rig.registrar.ctx.counters.unexpected), (vec![HIGH.0, TOP.0], 1));
    assert_eq!(rig.from(B, TOP, list(&[])), [to(B, TOP, table_request(false))]);
}

/// ENRP-3.2.2.1-01: a stranger that comes first is not the mentor of a registrar that has a configured peer. Only
/// if none of those is there in time, one stranger is asked.
#[test]
fn configured_peers_are_the_mentors() {
    let mut rig = Rig::joining(&[HIGH]);
    rig.called_by(D, TOP);
    assert_eq!(rig.from(D, TOP, heartbeat(0xffff, TOP)), [to(D, TOP, rig.presence(true))]);
    assert_eq!(rig.from(A, HIGH, heartbeat(0xffff, HIGH)), [to(A, HIGH, EnrpBody::ListRequest)]);

    let mut rig = Rig::serving_with(|config| config.enrp.peers = vec![place(HIGH)]);
    rig.registrar.ctx.outbox.take_actions();
    for (association, id) in [(C, LOW), (D, TOP)] {
        rig.called_by(association, id);
        let greeted = [to(association, id, rig.presence(true))];
        assert_eq!(rig.from(association, id, heartbeat(0xffff, id)), greeted);
    }
    assert_eq!(rig.advance(NO_RESPONSE), [to(C, LOW, EnrpBody::ListRequest)]);
    rig.refuse(1, ConnectError::TimedOut);
    rig.notices();
    rig.advance(NO_RESPONSE);
    assert_eq!(rig.notices(), [Notice::Serving { mentor: None }], "the other stranger is not asked as well");
}

/// A mentor that gives one element after another for ever does not keep a registrar from its service.
#[test]
fn a_start_has_an_end() {
    let mut rig = Rig::joining(&[HIGH]);
    rig.from(A, HIGH, heartbeat(0xffff, HIGH));
    rig.from(A, HIGH, list(&[]));
    for id in 1..15 {
        assert_eq!(rig.from(A, HIGH, page(true, &[(id, HIGH)])), [to(A, HIGH, table_request(false))]);
        rig.advance(Duration::from_secs(4));
    }
    assert!(!rig.registrar.is_serving());
    rig.notices();
    rig.advance(Duration::from_secs(4));
    assert_eq!(rig.notices(), [Notice::Serving { mentor: None }]);
    assert_eq!(rig.elements().len(), 14);
    rig.registrar.check_enrp();
}

/// ENRP-3.2.3-11: the same while the table is downloaded; the download from the backup begins at the front.
#[test]
fn a_download_starts_anew_at_a_backup() {
    let mut rig = Rig::joining(&[HIGH, TOP]);
    rig.from(A, HIGH, heartbeat(0xffff, HIGH));
    rig.from(B, TOP, heartbeat(0xffff, TOP));
    rig.from(A, HIGH, list(&[]));
    rig.from(A, HIGH, page(true, &[(1, HIGH)]));
    assert_eq!(rig.advance(NO_RESPONSE), [to(B, TOP, EnrpBody::ListRequest)]);
    assert_eq!(rig.from(A, HIGH, page(false, &[(2, HIGH)])), [], "too late");
    assert_eq!(rig.elements(), [1]);
    rig.from(B, TOP, list(&[]));
    rig.from(B, TOP, page(false, &[(1, HIGH), (3, TOP)]));
    assert_eq!(rig.elements(), [1, 3]);
    assert!(rig.registrar.is_serving());
}

/// A mentor whose association breaks is replaced at once.
#[test]
fn a_mentor_that_dies_half_way_is_replaced() {
    let mut rig = Rig::joining(&[HIGH, TOP]);
    rig.from(A, HIGH, heartbeat(0xffff, HIGH));
    rig.from(B, TOP, heartbeat(0xffff, TOP));
    rig.from(A, HIGH, list(&[]));
    let deadline = rig.now + NO_RESPONSE;
    assert_eq!(rig.lose(A), [contact(3, HIGH, deadline), to(B, TOP, EnrpBody::ListRequest)]);
}

/// ENRP-3.2.2.2-06: after a rejection a backup is asked; if there is none, the same one again
/// after a few seconds.
#[test]
fn a_rejected_list_request_is_repeated() {
    let mut rig = Rig::joining(&[HIGH, TOP]);
    rig.from(A, HIGH, heartbeat(0xffff, HIGH));
    rig.from(B, TOP, heartbeat(0xffff, TOP));
    assert_eq!(rig.from(A, HIGH, no_list()), [to(B, TOP, EnrpBody::ListRequest)]);
    assert_eq!(rig.from(B, TOP, no_list()), []);
    assert_eq!(rig.advance(RETRY - Duration::from_millis(1)), []);
    assert_eq!(rig.advance(Duration::from_millis(1)), [to(A, HIGH, EnrpBody::ListRequest)]);
}

/// ENRP-3.2.3-11: a mentor that was slow, and is asked again, may go on where it stopped. What it brings is
/// not the whole table; therefore that is downloaded after it.
#[test]
fn a_download_that_begins_in_the_middle_is_repeated() {
    let mut rig = Rig::joining(&[HIGH]);
    rig.from(A, HIGH, heartbeat(0xffff, HIGH));
    rig.from(A, HIGH, list(&[]));
    rig.from(A, HIGH, page(true, &[(1, HIGH)]));
    assert_eq!(rig.advance(NO_RESPONSE - Duration::from_millis(1)), []);
    assert!(rig.notices().iter().all(|notice| !matches!(notice, Notice::Serving { .. })));
    rig.advance(Duration::from_millis(1));
    assert_eq!(rig.notices(), [Notice::Serving { mentor: None }]);

    let mut rig = Rig::joining_with(&[HIGH], |config| config.enrp.mentor_timeout = Duration::from_secs(60));
    rig.from(A, HIGH, heartbeat(0xffff, HIGH));
    rig.from(A, HIGH, list(&[]));
    rig.from(A, HIGH, page(true, &[(1, HIGH)]));
    assert_eq!(rig.advance(NO_RESPONSE), []);
    assert_eq!(rig.from(A, HIGH, page(true, &[(2, HIGH)])), [], "too late");
    assert_eq!(rig.advance(RETRY), [to(A, HIGH, EnrpBody::ListRequest)]);
    assert_eq!(rig.from(A, HIGH, list(&[])), [to(A, HIGH, table_request(false))]);
    assert_eq!(rig.from(A, HIGH, page(false, &[(3, HIGH)])), [to(A, HIGH, table_request(false))]);
    assert!(!rig.registrar.is_serving());
    rig.from(A, HIGH, page(false, &[(1, HIGH), (2, HIGH), (3, HIGH)]));
    assert_eq!((rig.elements(), rig.registrar.is_serving()), (vec![1, 2, 3], true));
}

/// ENRP-3.2.3-10: the same for a table request.
#[test]
fn a_rejected_table_request_is_repeated() {
    let mut rig = Rig::joining(&[HIGH]);
    rig.from(A, HIGH, heartbeat(0xffff, HIGH));
    rig.from(A, HIGH, list(&[]));
    assert_eq!(rig.from(A, HIGH, no_table()), []);
    assert_eq!(rig.advance(RETRY), [to(A, HIGH, EnrpBody::ListRequest)]);
    assert_eq!(rig.from(A, HIGH, list(&[])), [to(A, HIGH, table_request(false))]);
    rig.from(A, HIGH, page(false, &[]));
    assert_eq!(rig.notices().last(), Some(&Notice::Serving { mentor: Some(HIGH) }));
}

/// When the time to find a mentor is over, every registrar that is there is asked at most once more.
#[test]
fn a_mentor_that_is_silent_does_not_keep_a_registrar_from_service() {
    let mut rig = Rig::joining(&[HIGH, TOP]);
    rig.from(A, HIGH, heartbeat(0xffff, HIGH));
    rig.from(B, TOP, heartbeat(0xffff, TOP));
    assert_eq!(rig.advance(NO_RESPONSE), [to(B, TOP, EnrpBody::ListRequest)]);
    assert!(!rig.registrar.is_serving());
    let actions = rig.advance(NO_RESPONSE);
    // They may still know what we owned before.
    let asked = [to(A, HIGH, table_request(false)), to(B, TOP, table_request(false))];
    assert_eq!(actions, [cast(&[A, B], &rig.presence(false)), asked.to_vec()].concat());
    assert_eq!(rig.notices().last(), Some(&Notice::Serving { mentor: None }));
}

/// No registrar answers: ours serves alone when the time to find a mentor is over, and goes on looking.
#[test]
fn a_registrar_that_finds_no_mentor_serves_alone() {
    let mut rig = Rig::serving_with(|config| config.enrp.peers = vec![place(HIGH)]);
    let deadline = rig.now + NO_RESPONSE;
    assert_eq!(rig.registrar.ctx.outbox.take_actions(), [contact(1, HIGH, deadline)]);
    assert_eq!(rig.advance(NO_RESPONSE), []);
    assert_eq!(rig.notices(), [Notice::Serving { mentor: None }]);
    // The attempts never end, and their pauses grow to half a heartbeat cycle, varied by half.
    let mut pauses = Vec::new();
    for request in 1..12 {
        assert_eq!(rig.refuse(request, ConnectError::TimedOut), []);
        let before = rig.now;
        let deadline = |rig: &Rig| rig.now + NO_RESPONSE;
        let actions = rig.jump();
        assert_eq!(actions, [contact(request + 1, HIGH, deadline(&rig))]);
        pauses.push(rig.now.since(before).as_millis());
        rig.now += NO_RESPONSE;
    }
    assert!(pauses[0] < 3_000 && pauses.iter().all(|ms| *ms <= 22_500), "{pauses:?}");
    assert!(pauses[5..].iter().all(|ms| *ms >= 7_500), "{pauses:?}");
}

/// A download that goes on is not given up when the time to find a mentor is over.
#[test]
fn a_long_download_is_not_given_up() {
    let mut rig = Rig::joining(&[HIGH]);
    rig.from(A, HIGH, heartbeat(0xffff, HIGH));
    rig.from(A, HIGH, list(&[]));
    for id in 1..20 {
        rig.advance(Duration::from_secs(2));
        let asked = [to(A, HIGH, table_request(false))];
        assert_eq!(rig.from(A, HIGH, page(true, &[(id, HIGH)])), asked);
    }
    assert!(!rig.registrar.is_serving());
    rig.from(A, HIGH, page(false, &[(20, HIGH)]));
    assert_eq!((rig.elements().len(), rig.registrar.is_serving()), (20, true));
}

/// ENRP-3.2.2.2-05, ENRP-3.2.3-09, ENRP-2.3-02, ENRP-2.6-02: a registrar that is joining refuses requests for
/// lists and tables. Nor does it serve elements or users (ENRP-3.2.3-08).
#[test]
fn requests_while_joining_are_rejected() {
    let mut rig = Rig::joining(&[HIGH]);
    rig.from(A, HIGH, heartbeat(0xffff, HIGH));
    rig.called_by(B, TOP);
    assert_eq!(rig.from(B, NONE, EnrpBody::ListRequest), [to(B, NONE, no_list())]);
    assert_eq!(rig.from(B, NONE, table_request(false)), [to(B, NONE, no_table())]);
    assert_eq!(rig.from(B, NONE, table_request(true)), [to(B, NONE, no_table())]);
    assert_eq!(rig.connect(C, 4001), [abort(C)]);
    // Nor is ASAP answered where only ENRP is spoken.
    assert_eq!(rig.asap(B, &registration(1)), []);
    let resolution = AsapMessage::HandleResolution { handle: POOL.into(), subscribe: false, items: None };
    assert_eq!(rig.asap(B, &resolution), []);
    assert_eq!((rig.elements(), rig.registrar.elements.own.len()), (vec![], 0));
}

/// Updates that come while it joins are heeded: they may not be in the pages any more.
#[test]
fn updates_while_joining_are_heeded() {
    let mut rig = Rig::joining(&[HIGH]);
    rig.from(A, HIGH, heartbeat(0xffff, HIGH));
    rig.from(A, HIGH, list(&[]));
    rig.from(A, HIGH, page(true, &[(1, HIGH), (2, HIGH)]));
    rig.from(A, HIGH, add(3, HIGH));
    rig.from(A, HIGH, del(1, HIGH));
    rig.from(A, HIGH, page(false, &[(4, HIGH)]));
    assert_eq!(rig.elements(), [2, 3, 4]);
}

/// Elements that are listed as ours, from an earlier life under the same identifier, are asked
/// whether they live.
#[test]
fn a_restarted_registrar_takes_its_elements_back() {
    let mut rig = Rig::joining(&[HIGH]);
    rig.from(A, HIGH, heartbeat(0xffff, HIGH));
    rig.from(A, HIGH, list(&[]));
    let actions = rig.from(A, HIGH, page(false, &[(1, US)]));
    let deadline = rig.now + Duration::from_secs(5);
    let presence = rig.presence(false);
    assert_eq!(
        presence,
        EnrpBody::Presence {
            reply_required: false,
            checksum: Some(checksum(&[1])),
            server: Some(server(US)),
        }
    );
    assert_eq!(actions, [probe(2, 4001, deadline), to(A, NONE, presence)]);
    // It answers over the new association, and is told who its home is.
    let connected = Event::Connected(Connected::new(B, Origin::Attempt(ConnectId(2)), ASAP_PORT, peer(4001)));
    assert_eq!(rig.event(connected), [call(B, 1, true)]);
}

/// The homes of downloaded elements are looked after, even if the mentor that named them has died
/// before it could list them: otherwise no registrar might take their elements over.
#[test]
fn no_home_is_forgotten_that_was_downloaded() {
    let mut rig = Rig::joining(&[HIGH]);
    rig.from(A, HIGH, heartbeat(0xffff, HIGH));
    rig.from(A, HIGH, list(&[]));
    rig.from(A, HIGH, page(true, &[(1, HIGH)]));
    rig.lose(A);
    rig.refuse(2, ConnectError::Refused);
    assert_eq!(rig.known(), [] as [u32; 0]);
    rig.notices();
    rig.advance(NO_RESPONSE);
    assert_eq!(rig.notices(), [Notice::Serving { mentor: None }]);
    assert_eq!((rig.home(1), rig.known()), (Some(HIGH), vec![HIGH.0]));
    // It is not there. Therefore its elements get a new home.
    rig.advance(NO_RESPONSE);
    assert_eq!(rig.home(1), Some(US));
}

/// A shutdown while joining just ends.
#[test]
fn a_registrar_may_leave_before_it_serves() {
    let mut rig = Rig::joining(&[HIGH, TOP]);
    rig.from(A, HIGH, heartbeat(0xffff, HIGH));
    rig.from(A, HIGH, list(&[LOW]));
    rig.notices();
    let deadline = rig.now + Duration::from_secs(2);
    rig.registrar.begin_shutdown(rig.now, deadline);
    let cancelled = Action::CancelConnect { request: ConnectId(3) };
    assert_eq!(
        rig.registrar.ctx.outbox.take_actions(),
        [cancelled, shutdown(A, deadline), shutdown(B, deadline)]
    );
    assert_eq!(rig.from(A, HIGH, page(false, &[(1, HIGH)])), []);
    assert_eq!((rig.lose(A), rig.lose(B)), (vec![], vec![]));
    assert_eq!(rig.notices(), [Notice::Stopped]);
    assert_eq!(rig.registrar.poll_timeout(), None);
}

/// ENRP-3.2.1-01, ENRP-2.1-06: the identifier is drawn at random, is not zero, and stays.
#[test]
fn an_identifier_is_drawn_once() {
    let now = Instant::from_nanos(1);
    let ids: BTreeSet<_> =
        (0..100).map(|seed| Registrar::new(RegistrarConfig::rfc(None, seed), now).id()).collect();
    assert!(ids.len() == 100 && !ids.contains(&NONE));
    assert_eq!(
        Registrar::new(RegistrarConfig::rfc(None, 7), now).id(),
        Registrar::new(RegistrarConfig::rfc(None, 7), now).id()
    );
    let mut rig = Rig::with(|config| config.id = None);
    let id = rig.registrar.id();
    rig.called_by(A, HIGH);
    rig.from(A, HIGH, heartbeat(0xffff, HIGH));
    rig.live(Duration::from_secs(100), &[(A, HIGH)]);
    assert_eq!(rig.registrar.id(), id);
}

/// ENRP-4.2-01, -02, -03, ENRP-5.3-01, ENRP-5.4-01.
#[test]
fn the_defaults_are_those_of_rfc_5353() {
    let config = EnrpConfig::rfc();
    assert_eq!(config.heartbeat_cycle, Duration::from_secs(30));
    assert_eq!(config.max_time_last_heard, Duration::from_secs(61));
    assert_eq!(config.max_time_no_response, Duration::from_secs(5));
    assert!(!config.announce && !config.suppress_unchanged);
    assert_eq!(RegistrarConfig::rfc(None, 1).enrp_port, SctpPort(9901));
    assert_eq!(ProtocolId::ENRP, ProtocolId(12));
}
