//! Peers that fall silent, freeze and come back (RFC 9260 section 8).

use super::*;

#[test]
fn an_idle_peer_that_vanishes_is_noticed() {
    let mut net = Net::fast();
    let (a, _) = net.pair();
    net.run_for(millis(1000));
    net.frozen.insert(1);
    let took = net.run_until(|net| !net.events[0].is_empty());
    assert!(took <= millis(700) && took >= millis(500), "{took:?}");
    assert_eq!(net.take(0), [down(a, DownReason::Silent)]);
    assert_eq!((net.stacks[0].associations(), net.stacks[0].poll_timeout()), (0, None));
    assert_eq!(net.stacks[0].counters().sctp_silent, 1);
}

#[test]
fn a_peer_that_does_not_take_data_is_noticed() {
    let mut net = Net::fast();
    let (a, _) = net.pair();
    net.frozen.insert(1);
    net.send(0, a, 0, "anybody there?");
    let took = net.run_until(|net| !net.events[0].is_empty());
    assert_eq!((took, net.take(0)), (millis(500), vec![down(a, DownReason::Silent)]));
}

#[test]
fn an_idle_association_lives_on_heartbeats() {
    let mut net = Net::fast();
    net.pair();
    net.tap.clear();
    net.run_for(Duration::from_secs(60));
    assert_eq!((net.take(0), net.take(1)), (vec![], vec![]));
    // One side asks, the other need not: about 5 HEARTBEATs per second and their answers.
    assert!((500..=620).contains(&net.tap.len()), "{}", net.tap.len());
    assert!(net.kinds().iter().all(|(_, kinds)| kinds[..] == [4] || kinds[..] == [5]));
}

#[test]
fn the_rfc_preset_sends_a_heartbeat_every_half_minute() {
    let mut net = Net::new(&[SctpConfig::rfc(1), SctpConfig::rfc(2)]);
    let (a, _) = net.pair();
    net.tap.clear();
    net.run_for(Duration::from_secs(3600));
    assert!((238..=242).contains(&net.tap.len()), "{}", net.tap.len());
    net.frozen.insert(1);
    let took = net.run_until(|net| !net.events[0].is_empty());
    assert_eq!(net.take(0), [down(a, DownReason::Silent)]);
    assert!(took <= Duration::from_secs(363 + 30), "{took:?}");
}

/// SIGSTOP and SIGCONT: the thawed process finds an ABORT among its packets.
#[test]
fn a_thawed_process_learns_that_it_was_given_up() {
    for timers_first in [false, true] {
        let mut net = Net::fast();
        let (a, b) = net.pair();
        net.frozen.insert(1);
        net.run_until(|net| !net.events[0].is_empty());
        assert_eq!(net.take(0), [down(a, DownReason::Silent)]);
        let abort = net.tap.last().unwrap().2.clone();
        net.run_for(Duration::from_secs(3600));
        net.frozen.clear();
        if timers_first {
            net.stacks[1].handle_timeout(net.now);
            net.drain(1);
            assert_eq!(net.take(1), []);
        }
        net.stacks[1].handle_datagram(net.now, address(0), abort);
        net.drain(1);
        assert_eq!(net.take(1), [down(b, aborted(12, "no answer"))]);
    }
}

/// A short stop is nobody's end, even with data under way in both directions.
#[test]
fn a_short_stop_loses_nothing() {
    let mut net = Net::fast();
    let (a, b) = net.pair();
    net.frozen.insert(1);
    net.send(0, a, 0, "to b");
    net.run_for(millis(450));
    net.frozen.clear();
    net.send(1, b, 0, "to a");
    net.run_for(millis(2000));
    assert_eq!((net.take(0), net.take(1)), (vec![message(a, 0, "to a")], vec![message(b, 0, "to b")]));
}

#[test]
fn a_jump_of_time_is_survived() {
    let mut net = Net::fast();
    let (a, b) = net.pair();
    net.send(0, a, 0, "before");
    net.run_for(millis(20));
    net.now += Duration::from_secs(100 * 365 * 86_400);
    net.stacks[0].handle_timeout(net.now);
    net.drain(0);
    net.stacks[1].handle_timeout(net.now);
    net.drain(1);
    net.send(0, a, 0, "after");
    net.run_for(millis(200));
    assert_eq!(net.take(1), [message(b, 0, "before"), message(b, 0, "after")]);
    // Back again: time does not run backwards for the stack.
    net.stacks[0].handle_timeout(Instant::ORIGIN);
    net.stacks[1].handle_datagram(Instant::ORIGIN, address(0), Bytes::new());
    assert_eq!(net.take(0), []);
}

/// A process that was killed and started again at the same UDP port answers with an ABORT.
#[test]
fn a_peer_that_has_forgotten_us_is_noticed_at_once() {
    let mut net = Net::fast();
    let (a, _) = net.pair();
    net.stacks[1] = Sctp::with_engine(SctpConfig::fast(9), address(1));
    net.send(0, a, 0, "who are you?");
    net.run_for(millis(2));
    assert_eq!(net.take(0), [down(a, aborted(12, "unknown association"))]);
    let (_, header, chunks) = net.tapped().pop().unwrap();
    assert_eq!((chunks[0].kind, chunks[0].flags), (6, 1));
    assert_eq!(header.source_port, SctpPort(PORT));
}

/// Progress is life: a message that is on its way for 1.6 s breaks nothing, in either direction, although a user
/// waits 200 ms for a sign of life only.
#[test]
fn a_slow_link_is_no_silence() {
    let mut net = Net::new(&[SctpConfig::fast_user(1), SctpConfig::fast(2)]);
    let (a, b) = net.pair();
    net.rate = Some(1_000_000);
    for (from, to, association, theirs) in [(0, 1, a, b), (1, 0, b, a)] {
        let long = Bytes::from(vec![7; 200_000]);
        net.send(from, association, 0, long.clone());
        let took = net.run_until(|net| !net.events[to].is_empty());
        assert!(took > millis(1_600), "{took:?}");
        assert_eq!(net.take(to), [message(theirs, 0, long)]);
        assert_eq!(net.take(from), []);
        net.run_for(millis(1_000));
    }
}

/// The transport of a user is what notices that an element is dead: with data under way, and without.
#[test]
fn a_user_notices_a_silent_peer_in_time() {
    let presets = [(SctpConfig::fast_user(1), 200, 400), (SctpConfig::rfc_user(1), 10_000, 15_000)];
    for (preset, asked, idle) in presets {
        for (data, expected) in [(true, asked), (false, idle)] {
            let mut net = Net::new(&[preset.clone(), SctpConfig::rfc(2)]);
            let (a, _) = net.pair();
            net.frozen.insert(1);
            if data {
                net.send(0, a, 0, "anybody there?");
            }
            let took = net.run_until(|net| !net.events[0].is_empty());
            assert_eq!(net.take(0), [down(a, DownReason::Silent)]);
            assert!(took <= millis(expected) && took + millis(5) >= millis(expected), "{took:?}");
        }
    }
}
