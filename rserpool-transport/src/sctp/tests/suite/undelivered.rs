//! What the network says of packets that it could not deliver (RFC 9260 section 10, RFC 6951 section 5.5).

use super::*;
use crate::sctp::chunk::kind;

const CLOSED: Obstacle = Obstacle::PortClosed;
const TOO_BIG: fn(u32) -> Obstacle = |mtu| Obstacle::TooBig { mtu };

impl Net {
    /// The process of a stack is gone: its port is closed, and what is under way to it or from its timers is nothing.
    fn kill(&mut self, stack: usize) {
        self.frozen.insert(stack);
        let own: Vec<_> = self.hosts.iter().filter(|(_, host)| **host == stack).map(|(a, _)| *a).collect();
        self.obstacles.extend(own.into_iter().map(|address| (address, CLOSED)));
    }

    /// Another process at the place of one that is gone.
    fn start_anew(&mut self, stack: usize) {
        self.frozen.remove(&stack);
        self.obstacles.clear();
        self.stacks[stack] = Sctp::with_engine(SctpConfig::fast(99), address(stack));
        self.stacks[stack].listen(SctpPort(PORT));
    }

    fn report(&mut self, stack: usize, destination: SocketAddr, obstacle: Obstacle, quote: impl Into<Bytes>) {
        let report = Undelivered { destination, obstacle, quote: quote.into() };
        self.stacks[stack].handle_undelivered(self.now, report);
        self.drain(stack);
    }

    /// The last packet from stack 0.
    fn last_packet(&self) -> Bytes {
        let from = self.tap.iter().rev().find(|(source, ..)| source.port() == address(0).port());
        from.expect("something was sent").2.clone()
    }

    fn believed_and_ignored(&self, stack: usize) -> (u64, u64) {
        let counters = self.stacks[stack].counters();
        (counters.sctp_reports_believed, counters.sctp_reports_ignored)
    }
}

/// Both reports take one round trip of 2 ms, where silence takes 500 ms.
#[test]
fn a_process_that_died_is_noticed_by_the_next_packet_and_a_question() {
    let mut net = Net::fast();
    let (a, _) = net.pair();
    net.run_for(millis(50));
    net.kill(1);
    net.tap.clear();
    net.send(0, a, 0, "anybody there?");
    let took = net.run_until(|net| !net.events[0].is_empty());
    assert_eq!((took, net.take(0)), (millis(4), vec![down(a, DownReason::Unreachable)]));
    assert_eq!(net.kinds(), [(0, vec![kind::DATA]), (0, vec![kind::HEARTBEAT])], "nobody is told");
    let counters = net.stacks[0].counters();
    assert_eq!((counters.sctp_unreachable, counters.sctp_silent), (1, 0));
    assert_eq!((net.believed_and_ignored(0), net.stacks[0].associations()), ((2, 0), 0));
}

/// The HEARTBEAT of an idle association is a packet, too.
#[test]
fn an_idle_association_learns_of_it_by_its_next_heartbeat() {
    let mut net = Net::fast();
    let (a, _) = net.pair();
    net.run_for(millis(50));
    net.kill(1);
    let took = net.run_until(|net| !net.events[0].is_empty());
    assert!(took <= millis(200 + 4), "{took:?}");
    assert_eq!(net.take(0), [down(a, DownReason::Unreachable)]);
}

#[test]
fn one_report_ends_nothing_while_the_peer_answers() {
    let mut net = Net::fast();
    let (a, b) = net.pair();
    net.send(0, a, 0, "hello");
    let hello = net.last_packet();
    net.run_for(millis(100));
    net.take(1);
    for obstacle in [CLOSED, Obstacle::NoRoute] {
        net.run_for(millis(100));
        net.tap.clear();
        net.report(0, address(1), obstacle, hello.clone());
        net.run_for(millis(50));
        assert_eq!(net.kinds(), [(0, vec![kind::HEARTBEAT]), (1, vec![kind::HEARTBEAT_ACK])]);
    }
    net.send(0, a, 0, "still there");
    net.run_for(millis(50));
    assert_eq!((net.take(0), net.take(1)), (vec![], vec![message(b, 0, "still there")]));
    assert_eq!(net.believed_and_ignored(0), (2, 0));
}

/// Whoever sees our packets can return them by the thousand. As long as the peer is heard, nothing ends, and no more than
/// a hundred questions in a second are asked.
#[test]
fn thousands_of_reports_end_nothing_and_cost_little() {
    let mut net = Net::fast();
    let (a, b) = net.pair();
    net.send(0, a, 0, "hello");
    net.run_for(millis(100));
    net.take(1);
    net.tap.clear();
    net.send(0, a, 0, "hello");
    let hello = net.last_packet();
    net.tap.clear();
    for _ in 0..1_000 {
        for _ in 0..10 {
            net.report(0, address(1), CLOSED, hello.clone());
        }
        net.run_for(millis(1));
    }
    assert!(net.kinds().len() <= 2 * 105 + 2);
    net.send(0, a, 0, "still there");
    net.run_for(millis(50));
    let expected = vec![message(b, 0, "hello"), message(b, 0, "still there")];
    assert_eq!((net.take(0), net.take(1)), (vec![], expected));
    assert_eq!(net.believed_and_ignored(0), (10_000, 0));
}

/// A wrong tag, ports or address, other obstacles and other sizes: nothing is believed and nothing is sent.
#[test]
fn forged_reports_have_no_effect() {
    let mut net = Net::fast();
    let (a, _) = net.pair();
    net.send(0, a, 0, "hello");
    let hello = net.last_packet();
    net.run_for(millis(100));
    net.tap.clear();
    let mut forged = Vec::new();
    for octet in 0..8 {
        let mut wrong = hello.to_vec();
        wrong[octet] ^= 1;
        forged.push((address(1), Bytes::from(wrong)));
    }
    forged.extend((0..8).map(|octets| (address(1), hello.slice(..octets))));
    let elsewhere = ["127.0.0.1:9", "127.0.0.9:20002", "[::1]:20002", "0.0.0.0:0"];
    forged.extend(elsewhere.map(|elsewhere| (elsewhere.parse().unwrap(), hello.clone())));
    let count = forged.len() as u64;
    for _ in 0..100 {
        for (destination, quote) in &forged {
            for obstacle in [CLOSED, Obstacle::NoRoute, TOO_BIG(600)] {
                net.report(0, *destination, obstacle, quote.clone());
            }
        }
    }
    assert_eq!((net.kinds(), net.take(0)), (vec![], vec![]));
    assert_eq!(net.believed_and_ignored(0), (0, count * 300));
}

/// A quote with no more than ports and tag makes us ask. What comes back of the HEARTBEAT does not tell that it is it:
/// the silence of the peer decides, as without reports.
#[test]
fn a_short_quote_is_a_suspicion_and_no_proof() {
    for (quoted, took, reason) in [(27, 500, DownReason::Silent), (28, 4, DownReason::Unreachable)] {
        let mut net = Net::fast();
        let (a, _) = net.pair();
        net.run_for(millis(50));
        net.quoted = quoted;
        net.kill(1);
        net.send(0, a, 0, "anybody there?");
        assert_eq!(net.run_until(|net| !net.events[0].is_empty()), millis(took), "{quoted}");
        assert_eq!(net.take(0), [down(a, reason)]);
    }
}

/// A report of the first packet, then silence, as where errors are limited in rate: the next packet is a new chance.
#[test]
fn a_lost_report_is_made_up_by_the_next_packet() {
    let mut net = Net::fast();
    let (a, _) = net.pair();
    net.run_for(millis(50));
    net.kill(1);
    net.send(0, a, 0, "anybody there?");
    net.run_for(millis(3));
    net.wire.clear();
    let took = net.run_until(|net| !net.events[0].is_empty());
    // RTO.Min is 50 ms; the preset waits 100 ms as long as no round trip was measured.
    assert!(took <= millis(110), "{took:?}");
    assert_eq!(net.take(0), [down(a, DownReason::Unreachable)]);
}

/// The process is killed and another one starts in its place before our question arrives: it answers that it does
/// not know the association. A new one is opened at once.
#[test]
fn a_peer_that_restarts_meanwhile_is_not_lost() {
    let mut net = Net::fast();
    let (a, _) = net.pair();
    net.run_for(millis(50));
    net.kill(1);
    net.send(0, a, 0, "anybody there?");
    net.run_for(millis(1));
    net.start_anew(1);
    net.run_for(millis(10));
    assert_eq!(net.take(0), [down(a, aborted(12, "unknown association"))]);
    net.take(1);
    let (a, b) = net.pair();
    net.send(0, a, 0, "again");
    net.run_for(millis(10));
    assert_eq!((net.take(0), net.take(1)), (vec![], vec![message(b, 0, "again")]));
}

/// It opens an association itself, as an element does that registers again; the old one ends by that. Reports of
/// what was sent to the process before it do not touch the new one.
#[test]
fn late_reports_do_not_touch_the_association_that_comes_after() {
    let mut net = Net::fast();
    let (a, _) = net.pair();
    net.run_for(millis(50));
    net.kill(1);
    net.send(0, a, 0, "hello");
    let old = net.last_packet();
    net.run_for(millis(10));
    assert_eq!(net.take(0), [down(a, DownReason::Unreachable)]);
    net.start_anew(1);
    net.take(1);
    let (a, b) = net.pair();
    for _ in 0..10 {
        net.report(0, address(1), CLOSED, old.clone());
        net.run_for(millis(20));
    }
    net.send(0, a, 0, "new");
    net.run_for(millis(50));
    assert_eq!((net.take(0), net.take(1)), (vec![], vec![message(b, 0, "new")]));
    assert_eq!(net.believed_and_ignored(0).1, 10);
}

#[test]
fn a_refused_attempt_ends_at_once() {
    let mut net = Net::fast();
    net.kill(1);
    net.connect(0, 1);
    let took = net.run_until(|net| !net.events[0].is_empty());
    assert_eq!((took, net.take(0)), (millis(2), vec![failed(ConnectError::Refused)]));
    assert_eq!((net.kinds(), net.stacks[0].associations()), (vec![(0, vec![kind::INIT])], 0));
}

/// Two of three addresses refuse: the third gets its turn without the stagger.
#[test]
fn an_attempt_tries_the_other_addresses_first() {
    for obstacle in [CLOSED, Obstacle::NoRoute] {
        let mut net = Net::fast();
        let places = [1, 2].map(|network| address_in(network, 1));
        net.obstacles.extend(places.map(|place| (place, obstacle)));
        let addresses = places.into_iter().chain([address(1)]).map(|place| place.ip()).collect();
        net.connect_to(0, SctpAddress { addresses, ..peer(1) }, millis(5000));
        let took = net.run_until(|net| !net.events[0].is_empty());
        assert_eq!(took, millis(2 + 2 + 4), "{obstacle:?}");
        assert!(matches!(net.take(0)[..], [Event::Connected(_)]));
    }
}

/// Routes come and go: as long as there is time, the attempt goes on.
#[test]
fn an_attempt_survives_that_there_is_no_route_for_a_while() {
    let mut net = Net::fast();
    net.obstacles.insert(address(1), Obstacle::NoRoute);
    net.connect(0, 1);
    net.run_for(millis(1000));
    net.obstacles.clear();
    let took = net.run_until(|net| !net.events[0].is_empty());
    assert!(matches!(net.take(0)[..], [Event::Connected(_)]) && took <= millis(260), "{took:?}");
}

/// An INIT has no tag, but states ours, which a forger does not know.
#[test]
fn forged_reports_end_no_attempt() {
    let mut net = Net::fast();
    net.frozen.insert(1);
    net.connect(0, 1);
    let init = net.last_packet();
    for octet in [0, 1, 2, 3, 4, 7, 12, 16, 17, 18, 19] {
        let mut wrong = init.to_vec();
        wrong[octet] ^= 8;
        net.report(0, address(1), CLOSED, wrong);
    }
    (0..20).for_each(|octets| net.report(0, address(1), CLOSED, init.slice(..octets)));
    assert_eq!((net.take(0), net.believed_and_ignored(0)), (vec![], (0, 31)));
    net.report(0, address(1), CLOSED, init.slice(..20));
    assert_eq!(net.take(0), [failed(ConnectError::Refused)]);
}

/// Once the peer has answered, only its tag counts.
#[test]
fn an_attempt_that_has_an_answer_is_refused_by_what_quotes_its_cookie() {
    let mut net = Net::fast();
    net.connect(0, 1);
    let init = net.last_packet();
    net.run_until(|net| net.tap.iter().any(|(_, _, bytes)| bytes[12] == kind::COOKIE_ECHO));
    let echo = net.last_packet();
    net.frozen.insert(1);
    net.report(0, address(1), CLOSED, init);
    assert_eq!(net.take(0), []);
    net.report(0, address(1), CLOSED, echo);
    assert_eq!(net.take(0), [failed(ConnectError::Refused)]);
}

#[test]
fn no_route_leaves_the_association_to_the_silence_of_its_peer() {
    let mut net = Net::fast();
    let (a, b) = net.pair();
    net.run_for(millis(50));
    net.obstacles.insert(address(1), Obstacle::NoRoute);
    net.send(0, a, 0, "late");
    net.run_for(millis(300));
    net.obstacles.clear();
    net.run_for(millis(300));
    assert_eq!((net.take(0), net.take(1)), (vec![], vec![message(b, 0, "late")]));
    net.obstacles.insert(address(1), Obstacle::NoRoute);
    net.frozen.insert(1);
    let took = net.run_until(|net| !net.events[0].is_empty());
    assert!(took >= millis(500), "{took:?}");
    assert_eq!(net.take(0), [down(a, DownReason::Silent)]);
}

/// Both sides have everything; the process that waited for the last word has gone.
#[test]
fn a_shutdown_waits_for_nobody_who_is_gone() {
    let mut net = Net::fast();
    let (a, b) = net.pair();
    net.run_for(millis(50));
    let deadline = net.now + millis(5000);
    net.act(1, Action::Shutdown { association: b, deadline });
    net.kill(1);
    net.run_for(millis(3));
    assert_eq!(net.take(0), [down(a, DownReason::PeerShutdown)]);
    assert_eq!((net.stacks[0].associations.len(), net.believed_and_ignored(0)), (0, (1, 0)));
}
