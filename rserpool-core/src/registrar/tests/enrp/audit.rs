//! Checksums that differ, and what follows (RFC 5353 section 3.6).

use super::*;

/// A heartbeat of HIGH, as if it owned these elements.
fn says(rig: &mut Rig, ids: &[u32]) -> Vec<Action> {
    rig.from(
        A,
        HIGH,
        EnrpBody::Presence { reply_required: false, checksum: Some(checksum(ids)), server: None },
    )
}

fn ask() -> Vec<Action> {
    vec![to(A, HIGH, table_request(true))]
}

/// A registrar that knows two elements of its peer and has one of its own.
fn rig() -> Rig {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.from(A, HIGH, add(1, HIGH));
    rig.from(A, HIGH, add(2, HIGH));
    rig.enlist(C, 7);
    rig
}

/// ENRP-3.6.1-01, -03, ENRP-3.6.2-03, reading B20: equal checksums need no action, nor does a
/// presence without one. Zero and 0xffff are the same (reading A2).
#[test]
fn agreement_needs_no_action() {
    let mut rig = rig();
    assert_eq!(says(&mut rig, &[1, 2]), []);
    let without = EnrpBody::Presence { reply_required: false, checksum: None, server: None };
    assert_eq!(rig.from(A, HIGH, without), []);
    assert_eq!(rig.registrar.ctx.counters.resynchronisations, 0);
    let mut empty = Rig::serving();
    empty.meet(A, HIGH);
    let zero = EnrpBody::Presence { reply_required: false, checksum: Some(0), server: None };
    assert_eq!(empty.from(A, HIGH, zero), []);
}

/// ENRP-3.6.1-04, ENRP-3.6.3-01, -02, -04, -05: a difference is put right at once: what the peer lists is
/// replaced, and what it no longer lists goes silently when the last page has come.
#[test]
fn a_difference_is_put_right() {
    let mut rig = rig();
    assert_eq!(says(&mut rig, &[2, 3]), ask());
    let renewed = PoolElement { life: RegistrationLife(7), ..listed(2, HIGH) };
    let pools = vec![PoolEntry { handle: POOL.into(), elements: vec![renewed.clone()] }];
    let first = EnrpBody::HandleTableResponse { rejected: false, more: true, pools };
    assert_eq!(rig.from(A, HIGH, first), [to(A, HIGH, table_request(true))]);
    assert_eq!(rig.elements(), [1, 2, 7], "nothing goes before the last page");
    assert_eq!(rig.from(A, HIGH, page(false, &[(3, HIGH)])), []);
    assert_eq!(rig.elements(), [2, 3, 7]);
    assert_eq!(*rig.get(2), renewed);
    assert_eq!(says(&mut rig, &[2, 3]), []);
    assert_eq!(rig.notices(), []);
    rig.registrar.check_enrp();
}

/// A peer has taken over another one without having known all of its elements. What it does not list is not removed:
/// we know it from the home before, and become its home.
#[test]
fn what_the_winner_of_a_takeover_does_not_know_is_taken_in() {
    let inherits = || {
        let mut rig = rig();
        rig.meet(B, TOP);
        for id in [3, 4] {
            rig.from(B, TOP, add(id, TOP));
        }
        rig.from(A, HIGH, takeover_server(TOP));
        assert_eq!((rig.home(3), rig.home(4)), (Some(HIGH), Some(HIGH)));
        rig
    };
    let mut rig = inherits();
    assert_eq!(says(&mut rig, &[2, 3]), ask());
    let deadline = rig.now + Duration::from_secs(5);
    let actions = rig.from(A, HIGH, page(false, &[(2, HIGH), (3, HIGH)]));
    let [Action::Connect { request, .. }, told] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(actions[0], probe(request.0, 4004, deadline));
    assert_eq!(*told, to(A, NONE, add(4, US)));
    // The element of its own that it does not list any more is gone.
    assert_eq!((rig.elements(), rig.home(3), rig.home(4)), (vec![2, 3, 4, 7], Some(HIGH), Some(US)));
    rig.registrar.check_enrp();

    // Once it has shown that it knows them, they are its own like any others.
    let shows: [fn(&mut Rig); 2] = [
        |rig| assert_eq!(says(rig, &[1, 2, 3, 4]), []),
        |rig| assert_eq!(rig.from(A, HIGH, add(4, HIGH)), []),
    ];
    for show in shows {
        let mut rig = inherits();
        show(&mut rig);
        assert_eq!(says(&mut rig, &[2, 3]), ask());
        assert_eq!(rig.from(A, HIGH, page(false, &[(2, HIGH), (3, HIGH)])), []);
        assert_eq!(rig.elements(), [2, 3, 7]);
    }
}

/// POL-5.2.2-02: only a registration begins the degradation of an element anew; that it is named in a table, or that
/// its home is taken over, does not.
#[test]
fn a_table_resets_no_degradation() {
    let degrading = |id| PoolElement {
        policy: Policy::LeastUsedDegradation { load: 0, degradation: 1 },
        ..listed(id, HIGH)
    };
    let resolve = AsapMessage::HandleResolution { handle: POOL.into(), subscribe: false, items: Some(1) };
    let next = |rig: &mut Rig| {
        let actions = rig.asap(C, &resolve);
        let [Action::Send { bytes, .. }] = &actions[..] else { panic!("{actions:?}") };
        let Ok(AsapMessage::HandleResolutionResponse { elements, .. }) =
            AsapMessage::decode(bytes).map(|decoded| decoded.message)
        else {
            panic!("not a response")
        };
        elements[0].id.0
    };
    let happens: [fn(&mut Rig, PoolElement); 4] = [
        |_, _| {},
        |rig, element| {
            let pools = vec![PoolEntry { handle: POOL.into(), elements: vec![element] }];
            assert_eq!(says(rig, &[1, 2, 9]), ask());
            rig.from(A, HIGH, EnrpBody::HandleTableResponse { rejected: false, more: true, pools });
        },
        |rig, _| drop(rig.from(B, LOW, takeover_server(HIGH))),
        // An update says that it has registered.
        |rig, element| drop(rig.from(A, HIGH, update(UpdateAction::ADD_PE, false, element))),
    ];
    for (happens, third) in happens.into_iter().zip([2, 2, 2, 1]) {
        let mut rig = Rig::serving();
        rig.meet(A, HIGH);
        rig.meet(B, LOW);
        rig.connect(C, 9000);
        for id in [1, 2] {
            rig.from(A, HIGH, update(UpdateAction::ADD_PE, false, degrading(id)));
        }
        assert_eq!([next(&mut rig), next(&mut rig), next(&mut rig)], [1, 2, 1]);
        happens(&mut rig, degrading(1));
        assert_eq!(next(&mut rig), third);
    }
}

/// An element gets another home while a page of the former one is on its way: the page does not give it back, neither
/// from a third registrar nor from us.
#[test]
fn a_page_is_older_than_a_move() {
    type Move = (fn(&mut Rig), RegistrarId);
    let moves: [Move; 3] = [
        (|rig| assert_eq!(rig.from(B, LOW, add(1, LOW)), []), LOW),
        (|rig| drop(rig.from(B, LOW, takeover_server(TOP))), LOW),
        (|rig| drop(rig.directed(A, HIGH, US, update(UpdateAction::ADD_PE, true, listed(1, HIGH)))), US),
    ];
    for (happens, home) in moves {
        let mut rig = rig();
        rig.meet(B, LOW);
        rig.meet(D, TOP);
        if home == LOW {
            rig.from(D, TOP, add(1, TOP));
        }
        assert_eq!(says(&mut rig, &[1, 2, 3]), ask());
        happens(&mut rig);
        rig.notices();
        assert_eq!(rig.from(A, HIGH, page(false, &[(1, HIGH), (2, HIGH), (3, HIGH)])), []);
        assert_eq!((rig.home(1), rig.home(3), rig.notices()), (Some(home), Some(HIGH), vec![]));
        rig.registrar.check_enrp();
    }
    // The next page is newer.
    let mut rig = rig();
    rig.meet(B, LOW);
    assert_eq!(says(&mut rig, &[1, 2, 3]), ask());
    rig.from(B, LOW, add(1, LOW));
    rig.from(A, HIGH, page(false, &[(2, HIGH), (3, HIGH)]));
    rig.now += Duration::from_secs(30);
    assert_eq!(says(&mut rig, &[1, 2, 3]), ask());
    rig.from(A, HIGH, page(false, &[(1, HIGH), (2, HIGH), (3, HIGH)]));
    assert_eq!(rig.home(1), Some(HIGH));
    // And so is what its home says itself.
    rig.now += Duration::from_secs(30);
    assert_eq!(says(&mut rig, &[]), ask());
    rig.from(B, LOW, add(1, LOW));
    rig.from(A, HIGH, add(1, HIGH));
    rig.from(A, HIGH, page(false, &[(1, HIGH)]));
    assert_eq!(rig.home(1), Some(HIGH));
}

/// A peer that owns nothing any more lists nothing (reading B24).
#[test]
fn an_empty_list_removes_all() {
    let mut rig = rig();
    assert_eq!(says(&mut rig, &[]), ask());
    assert_eq!(rig.from(A, HIGH, page(false, &[])), []);
    assert_eq!(rig.elements(), [7]);
}

/// ENRP-3.6.3-06: a rejection ends it, and removes nothing; the next differing checksum begins
/// another, but not in the same half heartbeat cycle.
#[test]
fn a_rejected_audit_is_repeated_later() {
    let mut rig = rig();
    assert_eq!(says(&mut rig, &[1]), ask());
    assert_eq!(rig.from(A, HIGH, no_table()), []);
    assert_eq!(rig.elements(), [1, 2, 7]);
    rig.now += Duration::from_millis(14_999);
    assert_eq!(says(&mut rig, &[1]), []);
    rig.now += Duration::from_millis(1);
    assert_eq!(says(&mut rig, &[1]), ask());
}

/// An audit that does not help is repeated later and later, up to 16 heartbeat cycles; after agreement the
/// pauses start again. A peer that makes its checksums agree and differ in turns gets no more than two audits
/// in a heartbeat cycle.
#[test]
fn audits_that_do_not_help_become_rare() {
    let mut rig = rig();
    let mut begun = Vec::new();
    for beat in 0..200u32 {
        if says(&mut rig, &[1]) == ask() {
            begun.push(beat);
            rig.from(A, HIGH, no_table());
        }
        rig.now += Duration::from_secs(30);
    }
    assert_eq!(begun, [0, 1, 2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192]);
    assert_eq!(says(&mut rig, &[1, 2]), []);
    assert_eq!(says(&mut rig, &[1]), ask());
    for _ in 0..450 {
        assert_eq!(rig.from(A, HIGH, no_table()), []);
        assert_eq!(says(&mut rig, &[1, 2]), []);
        assert_eq!(says(&mut rig, &[1]), []);
    }
    assert_eq!(says(&mut rig, &[1, 2]), []);
    rig.now += Duration::from_secs(15);
    assert_eq!(says(&mut rig, &[1]), ask());
}

/// A peer that is reached anew is audited at once, however long its audits did not help before.
#[test]
fn a_new_association_ends_long_pauses() {
    let mut rig = rig();
    for _ in 0..20 {
        says(&mut rig, &[1]);
        rig.from(A, HIGH, no_table());
        rig.now += Duration::from_secs(30);
    }
    assert_eq!(says(&mut rig, &[1]), []);
    rig.lose(A);
    rig.called_by(B, HIGH);
    let actions = rig.from(B, HIGH, heartbeat(checksum(&[1]), HIGH));
    assert!(actions.contains(&to(B, HIGH, table_request(true))), "{actions:?}");
}

/// A lost page ends the session in time, and nothing is removed; one audit runs at a time.
#[test]
fn a_lost_page_ends_an_audit() {
    let mut rig = rig();
    assert_eq!(says(&mut rig, &[2]), ask());
    assert_eq!(says(&mut rig, &[2]), []);
    assert_eq!(rig.from(A, HIGH, page(true, &[(2, HIGH)])), [to(A, HIGH, table_request(true))]);
    rig.advance(NO_RESPONSE);
    assert_eq!(rig.elements(), [1, 2, 7]);
    assert_eq!(rig.from(A, HIGH, page(false, &[])), [], "too late");
    assert_eq!((rig.elements(), rig.registrar.ctx.counters.unexpected), (vec![1, 2, 7], 0));
    assert_eq!(rig.from(A, HIGH, page(false, &[])), [], "unasked");
    assert_eq!((rig.elements(), rig.registrar.ctx.counters.unexpected), (vec![1, 2, 7], 1));
    rig.registrar.check_enrp();
}

/// ENRP-3.2.3-05, ENRP-3.6.3-05: a page that comes too late has moved the place where its sender goes on, and
/// nobody knows how long the sender remembers it. The next table may begin in the middle: what it brings is
/// entered, nothing is removed for it, and the one after it is whole.
#[test]
fn a_late_page_does_not_cost_its_elements() {
    let mut rig =
        Rig::serving_with(|config| config.enrp = EnrpConfig { balance: false, ..EnrpConfig::fast() });
    rig.meet(A, HIGH);
    for id in [1, 2, 3] {
        rig.from(A, HIGH, add(id, HIGH));
    }
    assert_eq!(says(&mut rig, &[1, 2, 4]), ask());
    rig.advance(Duration::from_millis(210));
    assert_eq!(rig.from(A, HIGH, page(true, &[(1, HIGH)])), []);
    assert_eq!((rig.elements(), rig.registrar.ctx.counters.unexpected), (vec![1, 2, 3], 0));
    // Much later, as far as we can tell.
    rig.live(Duration::from_secs(60), &[(A, HIGH)]);
    assert_eq!(says(&mut rig, &[1, 2, 4]), ask());
    assert_eq!(rig.from(A, HIGH, page(true, &[(2, HIGH)])), ask());
    assert_eq!(rig.from(A, HIGH, page(false, &[(4, HIGH)])), ask());
    assert_eq!(rig.elements(), [1, 2, 3, 4]);
    assert_eq!(rig.from(A, HIGH, page(true, &[(1, HIGH), (2, HIGH)])), ask());
    assert_eq!(rig.from(A, HIGH, page(false, &[(4, HIGH)])), []);
    assert_eq!(rig.elements(), [1, 2, 4]);
    assert_eq!(rig.registrar.ctx.counters.resynchronisations, 1 + 1);
    rig.registrar.check_enrp();
}

/// The same if the page is late by more than one audit: each answer goes on where the one before it stopped.
/// The one that is too much at the end is counted off.
#[test]
fn a_page_that_is_later_still_shifts_the_others() {
    let mut rig = rig();
    assert_eq!(says(&mut rig, &[2]), ask());
    rig.live(Duration::from_secs(60), &[(A, HIGH)]);
    assert_eq!(says(&mut rig, &[2]), ask());
    assert_eq!(rig.from(A, HIGH, page(true, &[(1, HIGH)])), ask());
    assert_eq!(rig.from(A, HIGH, page(false, &[(2, HIGH)])), []);
    assert_eq!(rig.from(A, HIGH, page(true, &[(1, HIGH)])), []);
    assert_eq!((rig.elements(), rig.registrar.ctx.counters.unexpected), (vec![1, 2], 0));
    // The next one begins in the middle.
    rig.live(Duration::from_secs(60), &[(A, HIGH)]);
    assert_eq!(says(&mut rig, &[2]), ask());
    assert_eq!(rig.from(A, HIGH, page(false, &[(2, HIGH)])), ask());
    assert_eq!(rig.elements(), [1, 2]);
}

/// An answer that was lost with its association may have moved the place, too.
#[test]
fn a_table_after_a_lost_page_may_begin_in_the_middle() {
    let mut rig = rig();
    assert_eq!(says(&mut rig, &[2]), ask());
    rig.lose(A);
    rig.now += Duration::from_secs(1);
    rig.called_by(B, HIGH);
    rig.from(B, HIGH, heartbeat(checksum(&[1, 2]), HIGH));
    rig.now += Duration::from_secs(60);
    let heartbeat =
        EnrpBody::Presence { reply_required: false, checksum: Some(checksum(&[2])), server: None };
    assert_eq!(rig.from(B, HIGH, heartbeat), [to(B, HIGH, table_request(true))]);
    assert_eq!(rig.from(B, HIGH, page(false, &[(2, HIGH)])), [to(B, HIGH, table_request(true))]);
    assert_eq!(rig.elements(), [1, 2, 7]);
    assert_eq!(rig.from(B, HIGH, page(false, &[(2, HIGH)])), []);
    assert_eq!(rig.elements(), [2, 7]);
}

/// A peer that is heard lives, and its page may be behind other messages. Its patience has an end.
#[test]
fn a_slow_page_is_waited_for_while_the_peer_is_heard() {
    let mut rig = rig();
    assert_eq!(says(&mut rig, &[2]), ask());
    for _ in 0..4 {
        rig.advance(NO_RESPONSE - Duration::from_secs(1));
        assert_eq!(rig.from(A, HIGH, add(2, HIGH)), []);
    }
    assert_eq!(rig.from(A, HIGH, page(true, &[(2, HIGH)])), ask());
    for _ in 0..5 {
        rig.advance(NO_RESPONSE - Duration::from_secs(1));
        rig.from(A, HIGH, add(2, HIGH));
    }
    assert_eq!(rig.from(A, HIGH, page(false, &[])), [], "too late");
    assert_eq!(rig.elements(), [1, 2]);
    rig.registrar.check_enrp();
}

/// The end of the association ends an audit as well.
#[test]
fn a_lost_association_ends_an_audit() {
    let mut rig = rig();
    says(&mut rig, &[]);
    rig.lose(A);
    rig.registrar.check_enrp();
    assert_eq!(rig.elements(), [1, 2, 7]);
}

/// Updates that come meanwhile count: what was told is not swept, what has another home is not
/// the peer's to sweep.
#[test]
fn updates_during_an_audit_count() {
    let mut rig = rig();
    rig.meet(B, LOW);
    says(&mut rig, &[2, 4]);
    rig.from(A, HIGH, add(4, HIGH));
    rig.from(A, HIGH, add(2, HIGH));
    rig.from(B, LOW, add(1, LOW));
    rig.from(A, HIGH, page(false, &[]));
    assert_eq!((rig.elements(), rig.home(1)), (vec![1, 2, 4, 7], Some(LOW)));
}

/// Reading B26: what the peer lists of others is not its to list.
#[test]
fn elements_of_others_in_a_list_are_ignored() {
    let mut rig = rig();
    says(&mut rig, &[1, 2, 3]);
    rig.from(A, HIGH, page(false, &[(1, HIGH), (2, HIGH), (3, LOW), (4, US)]));
    assert_eq!((rig.elements(), rig.known()), (vec![1, 2, 7], vec![HIGH.0]));
    assert_eq!(rig.registrar.ctx.counters.updates_refused, 2);
}

/// ENRP-3.6.2-04: checksums of all homes follow every change at once.
#[test]
fn checksums_follow_every_change() {
    let mut rig = rig();
    rig.meet(B, LOW);
    let sums = |rig: &Rig| [US, HIGH, LOW].map(|id| rig.registrar.elements.listing.checksum(id));
    assert_eq!(sums(&rig), [checksum(&[7]), checksum(&[1, 2]), 0xffff]);
    rig.from(B, LOW, add(1, LOW));
    assert_eq!(sums(&rig), [checksum(&[7]), checksum(&[2]), checksum(&[1])]);
    rig.connect(D, 4002);
    rig.asap(D, &registration(2));
    assert_eq!(sums(&rig), [checksum(&[2, 7]), 0xffff, checksum(&[1])]);
    rig.from(B, LOW, del(1, LOW));
    rig.asap(C, &deregistration(7));
    assert_eq!(sums(&rig), [checksum(&[2]), 0xffff, 0xffff]);
    let status = rig.registrar.peers();
    assert_eq!(
        (status[0].elements, status[0].checksum, status[0].announced_checksum),
        (0, 0xffff, Some(0xffff))
    );
}
