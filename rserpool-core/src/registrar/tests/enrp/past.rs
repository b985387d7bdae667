//! Elements of an earlier life under the same identifier, which ended before its peers noticed.

use super::*;

/// A registrar that was restarted and has found no mentor.
fn rig() -> Rig {
    let mut rig = Rig::serving();
    rig.registrar.ctx.past = Some(rig.now + Duration::from_secs(66));
    rig
}

fn everything() -> Action {
    to(A, HIGH, table_request(false))
}

/// ENRP-3.6.3-05: a peer that it meets is asked for everything that it lists, before it is told that we own
/// nothing: it would remove living elements. They are asked whether they live.
#[test]
fn a_peer_tells_what_we_owned_before_it_removes_it() {
    let mut rig = rig();
    rig.called_by(A, HIGH);
    let actions = rig.from(A, HIGH, heartbeat(checksum(&[2]), HIGH));
    assert_eq!(actions, [to(A, HIGH, rig.presence(true)), everything(), to(A, HIGH, EnrpBody::ListRequest)]);
    assert_eq!(rig.from(A, HIGH, table_request(true)), [], "it has to wait");
    let deadline = rig.now + Duration::from_secs(5);
    assert_eq!(rig.from(A, HIGH, page(true, &[(1, US)])), [probe(1, 4001, deadline), everything()]);
    let ours = to(A, HIGH, page(false, &[(1, US)]));
    assert_eq!(rig.from(A, HIGH, page(false, &[(2, HIGH), (3, LOW)])), [ours]);
    assert_eq!((rig.home(1), rig.home(2), rig.home(3)), (Some(US), Some(HIGH), None));
    rig.registrar.check_enrp();
    assert_eq!(rig.registrar.ctx.counters.resynchronisations, 0);
    // That was all: the next difference is an audit as any other.
    let differs = EnrpBody::Presence { reply_required: false, checksum: Some(0xffff), server: None };
    assert_eq!(rig.from(A, HIGH, differs), [to(A, HIGH, table_request(true))]);
}

/// What has registered with us meanwhile is as it registered.
#[test]
fn what_is_known_is_newer_than_the_past() {
    let mut rig = rig();
    rig.enlist(C, 1);
    rig.called_by(A, HIGH);
    rig.from(A, HIGH, heartbeat(0xffff, HIGH));
    let older = PoolElement { life: RegistrationLife(7), ..listed(1, US) };
    let pools = vec![PoolEntry { handle: POOL.into(), elements: vec![older] }];
    let table = EnrpBody::HandleTableResponse { rejected: false, more: false, pools };
    assert_eq!(rig.from(A, HIGH, table), []);
    assert_eq!(rig.get(1).life.0, 300);
}

/// A peer that refuses, is silent, or is met again, does not keep its question waiting for ever.
#[test]
fn a_peer_that_knows_nothing_is_answered() {
    let asked = || {
        let mut rig = rig();
        rig.enlist(C, 1);
        rig.called_by(A, HIGH);
        rig.from(A, HIGH, heartbeat(0xffff, HIGH));
        assert_eq!(rig.from(A, HIGH, table_request(true)), []);
        rig
    };
    let answer = to(A, HIGH, page(false, &[(1, US)]));
    let mut refused = asked();
    assert_eq!(refused.from(A, HIGH, no_table()), core::slice::from_ref(&answer));
    let mut silent = asked();
    silent.asap(C, &ack(1));
    assert!(silent.advance(NO_RESPONSE).contains(&answer));
    let mut lost = asked();
    lost.lose(A);
    lost.registrar.check_enrp();
    lost.called_by(B, HIGH);
    let actions = lost.from(B, HIGH, heartbeat(0xffff, HIGH));
    assert!(!actions.contains(&to(B, HIGH, table_request(false))), "it is asked once: {actions:?}");
}

/// Later our peers have noticed that we were away, and a registrar whose identifier is drawn anew had no
/// earlier life.
#[test]
fn the_past_has_an_end() {
    let mut late = rig();
    late.advance(Duration::from_secs(66));
    late.called_by(A, HIGH);
    let actions = late.from(A, HIGH, heartbeat(0xffff, HIGH));
    assert_eq!(actions, [to(A, HIGH, late.presence(true)), to(A, HIGH, EnrpBody::ListRequest)]);
    let drawn = Rig::with(|config| config.id = None);
    assert_eq!(drawn.registrar.ctx.past, None);
    assert_eq!(Rig::new().registrar.ctx.past, Some(Rig::new().now + Duration::from_secs(66)));
}
