//! Scripts of the hunt, with virtual time.

use super::*;
use crate::base::{DEFAULT_ENCAPSULATION_PORT, RegistrarId, UdpPort};
use crate::endpoint::testing::{at, cancel, connect, encode, ip, ms, registrar};
use crate::wire::{AsapMessage, EncapsulationPorts, SctpTransport, Transport, TransportUse};

struct Script {
    hunt: Hunt,
    ids: ConnectIds,
    actions: VecDeque<Action>,
}

impl Script {
    fn new(registrars: &[u8], rounds: Option<u32>) -> Self {
        let registrars = registrars.iter().copied().map(registrar).collect();
        let config = HuntConfig {
            timeout: ms(100),
            timeout_max: ms(300),
            rounds,
            outdate: ms(5_000),
            ..HuntConfig::rfc(registrars)
        };
        Self { hunt: Hunt::new(config, SctpPort(7)), ids: ConnectIds::default(), actions: VecDeque::new() }
    }

    fn start(&mut self, now: u64, avoid: Option<u8>) -> Vec<Action> {
        self.hunt.start(at(now), avoid.map(registrar), &mut self.ids, &mut self.actions);
        self.actions.drain(..).collect()
    }

    fn fail(&mut self, now: u64, request: u64) -> Vec<Action> {
        self.fail_because(now, request, &ConnectError::TimedOut)
    }

    fn fail_because(&mut self, now: u64, request: u64, reason: &ConnectError) -> Vec<Action> {
        assert!(self.hunt.handle_connect_failed(
            at(now),
            ConnectId(request),
            reason,
            &mut self.ids,
            &mut self.actions
        ));
        self.actions.drain(..).collect()
    }

    fn expire(&mut self, now: u64) -> (Option<RoundEnd>, Vec<Action>) {
        let end = self.hunt.handle_timeout(at(now), &mut self.ids, &mut self.actions);
        (end, self.actions.drain(..).collect())
    }

    fn announce(&mut self, now: u64, source: u8, message: &AsapMessage) -> (bool, Vec<Action>) {
        let source = SocketAddr::new(ip(source), 40_000);
        let bytes = encode(message);
        let heard = self.hunt.handle_announce(at(now), source, &bytes, &mut self.ids, &mut self.actions);
        (heard, self.actions.drain(..).collect())
    }
}

fn announcement(transports: Vec<Transport>, udp_port: u16) -> AsapMessage {
    let encapsulation = (udp_port != 0).then_some(EncapsulationPorts { user: udp_port, asap: 0 });
    AsapMessage::ServerAnnounce { registrar: RegistrarId(1), transports, encapsulation }
}

/// ASAP-3.6-07, ASAP-3.6-09, ASAP-3.6-10, ASAP-3.6-12, ASAP-3.6-15: configured registrars are tried, three at
/// the same time, until T5 expires; another one after each failure; the first that answers is the home.
#[test]
fn three_at_a_time_and_another_for_each_that_fails() {
    let mut script = Script::new(&[1, 2, 3, 4], None);
    let first: Vec<Action> = (1..=3).map(|i| connect(i, 7, registrar(i as u8), at(100))).collect();
    assert_eq!(script.start(0, None), first);
    assert_eq!(script.start(0, None), [], "a hunt that is on is not begun again");
    assert_eq!(script.fail(10, 2), [connect(4, 7, registrar(4), at(100))]);
    assert_eq!(script.fail(20, 1), []);
    assert!(!script.hunt.handle_connect_failed(
        at(20),
        ConnectId(1),
        &ConnectError::TimedOut,
        &mut script.ids,
        &mut script.actions
    ));
    assert_eq!(script.hunt.handle_connected(ConnectId(4), &mut script.actions), Some(registrar(4)));
    assert_eq!(script.actions, [cancel(3)]);
    assert!(!script.hunt.is_on());
    assert_eq!(script.hunt.poll_timeout(), None);
}

/// ASAP-3.6-13, ASAP-3.6-14: T5 doubles up to RETRAN-MAX, and other addresses come first. ASAP-3.6-12: those that
/// find no place are tried before T5 expires, in the place of a silent one.
#[test]
fn t5_doubles_up_to_its_bound_and_other_registrars_come_first() {
    let mut script = Script::new(&[1, 2, 3, 4], None);
    script.start(0, None);
    assert_eq!(script.hunt.poll_timeout(), Some(at(50)), "two turns of three within T5");
    assert_eq!(script.expire(49), (None, Vec::new()));
    let fourth = alloc::vec![cancel(1), connect(4, 7, registrar(4), at(100))];
    assert_eq!(script.expire(50), (None, fourth));
    assert_eq!(script.hunt.poll_timeout(), Some(at(100)));
    let tried = (1..=4).map(registrar).collect();
    let second = alloc::vec![
        cancel(2),
        cancel(3),
        cancel(4),
        connect(5, 7, registrar(1), at(300)),
        connect(6, 7, registrar(2), at(300)),
        connect(7, 7, registrar(3), at(300)),
    ];
    assert_eq!(script.expire(100), (Some(RoundEnd::GoesOn { tried }), second));
    script.expire(300);
    let third = connect(8, 7, registrar(4), at(600));
    assert_eq!(
        script.hunt.chase.as_ref().map(|chase| chase.deadline),
        Some(at(600)),
        "400 ms exceed the bound of 300 ms"
    );
    assert!(
        script
            .hunt
            .chase
            .as_ref()
            .is_some_and(|chase| chase.pending.iter().any(|attempt| attempt.request == ConnectId(8))),
        "{third:?}"
    );
}

/// Row F12 of a trial with another implementation: a registrar that refuses may be about to start. It is tried
/// again soon, with growing pauses, and not only when T5 expires for one that is silent.
#[test]
fn a_registrar_that_refuses_is_tried_again_soon() {
    let mut script = Script::new(&[1, 2], None);
    script.hunt.config.timeout = ms(1_000);
    let refuse =
        |script: &mut Script, now, request| script.fail_because(now, request, &ConnectError::Refused);
    script.start(0, None);
    assert_eq!(refuse(&mut script, 10, 1), []);
    assert_eq!(script.hunt.poll_timeout(), Some(at(110)));
    assert_eq!(script.expire(110), (None, vec![connect(3, 7, registrar(1), at(1_000))]));
    assert_eq!(refuse(&mut script, 120, 3), []);
    assert_eq!(script.expire(320), (None, vec![connect(4, 7, registrar(1), at(1_000))]));
    assert_eq!(script.hunt.handle_connected(ConnectId(4), &mut script.actions), Some(registrar(1)));
}

/// An association proves nothing: a registrar that accepts and then ends it is tried again with growing pauses,
/// until it has answered.
#[test]
fn a_registrar_that_accepts_and_does_not_answer_is_tried_with_growing_pauses() {
    let mut script = Script::new(&[1], None);
    script.hunt.config.timeout = ms(1_000);
    script.start(0, None);
    let mut now = 0;
    for (request, pause) in (1..7).zip([100, 200, 400, 800, 1_000, 1_000]) {
        assert_eq!(script.hunt.handle_connected(ConnectId(request), &mut script.actions), Some(registrar(1)));
        assert_eq!(script.start(now, Some(1)), [], "{pause}");
        now += pause;
        let (_, actions) = script.expire(now);
        assert!(
            matches!(actions[..], [Action::Connect { request: next, .. }] if next.0 == request + 1),
            "{pause}"
        );
    }
    assert_eq!(script.hunt.handle_connected(ConnectId(7), &mut script.actions), Some(registrar(1)));
    script.hunt.answered(&registrar(1));
    assert!(matches!(script.start(now, Some(1))[..], [Action::Connect { .. }]));
}

/// ASAP-9.2-08: announcements of registrars that do not exist keep nobody from one that does: it is tried within
/// one T5, and it stays in the table when it has answered.
#[test]
fn bogus_announcements_do_not_hide_a_registrar() {
    for config in [HuntConfig::rfc(Vec::new()), HuntConfig::fast(Vec::new())] {
        let timeout = config.timeout;
        let mut script = Script::new(&[], None);
        script.hunt = Hunt::of_user(config);
        let plain = announcement(Vec::new(), 0);
        let bogus = |script: &mut Script, now, from: usize| {
            for last in from..from + MAX_ANNOUNCED {
                script.announce(now, 100 + last as u8, &plain);
            }
        };
        bogus(&mut script, 0, 0);
        script.announce(1, 5, &plain);
        assert!(script.hunt.registrar_at(at(1), &registrar(5)).is_none(), "there is no room at first");
        let mut tried = script.start(2, None).contains(&connect(1, 0, registrar(5), at(2)));
        let mut announce = at(2) + timeout / 10;
        let mut found = None;
        while found.is_none() {
            let now = script.hunt.poll_timeout().unwrap().min(announce);
            assert!(now < at(2) + timeout * 2, "not found in time");
            let millis = now.as_nanos() / 1_000_000;
            let mut actions = Vec::new();
            if now == announce {
                bogus(&mut script, millis, 0);
                actions.extend(script.announce(millis, 5, &plain).1);
                announce += timeout / 10;
            }
            actions.extend(script.expire(millis + 1).1);
            found = actions.iter().find_map(|action| match action {
                Action::Connect { request, peer, .. } if *peer == registrar(5) => Some((*request, now)),
                _ => None,
            });
            tried |= found.is_some();
        }
        let (request, now) = found.unwrap();
        assert!(tried && now <= at(2) + timeout, "{now:?}");
        assert_eq!(script.hunt.handle_connected(request, &mut script.actions), Some(registrar(5)));
        script.hunt.answered(&registrar(5));
        let now = now.as_nanos() / 1_000_000;
        bogus(&mut script, now, MAX_ANNOUNCED);
        assert!(script.hunt.registrar_at(at(now), &registrar(5)).is_some(), "it has answered");
        script.actions.clear();
        let first = script.start(now, None);
        assert!(
            first
                .iter()
                .any(|action| matches!(action, Action::Connect { peer, .. } if *peer == registrar(5)))
        );
    }
}

/// ASAP-3.6-11: T5 begins anew with every hunt.
#[test]
fn success_resets_t5() {
    let mut script = Script::new(&[1], None);
    script.start(0, None);
    script.expire(100);
    assert_eq!(script.hunt.handle_connected(ConnectId(2), &mut script.actions), Some(registrar(1)));
    script.start(1_000, None);
    assert_eq!(script.hunt.poll_timeout(), Some(at(1_100)));
}

#[test]
fn gives_up_after_the_permitted_rounds() {
    let mut script = Script::new(&[1], Some(2));
    script.start(0, None);
    let tried = alloc::vec![registrar(1)];
    let again = alloc::vec![cancel(1), connect(2, 7, registrar(1), at(300))];
    assert_eq!(script.expire(100), (Some(RoundEnd::GoesOn { tried: tried.clone() }), again));
    assert_eq!(script.expire(300), (Some(RoundEnd::GivenUp { tried }), alloc::vec![cancel(2)]));
    assert!(!script.hunt.is_on());
}

/// ASAP-3.6-08: another registrar than the one that does not answer.
#[test]
fn the_silent_registrar_is_tried_only_when_nobody_else_is() {
    let mut script = Script::new(&[1, 2], None);
    assert_eq!(script.start(0, Some(1)), [connect(1, 7, registrar(2), at(100))]);
    assert_eq!(script.fail(5, 1), [connect(2, 7, registrar(1), at(100))]);
    let mut alone = Script::new(&[1], None);
    assert_eq!(alone.start(0, Some(1)), [connect(1, 7, registrar(1), at(100))]);
}

/// ASAP-3.6-01, ASAP-3.6-03, ASAP-3.6-05: announced registrars join the list, by their transports or by the
/// source.
#[test]
fn announced_registrars_are_tried_at_once() {
    let mut script = Script::new(&[], None);
    assert_eq!(script.start(0, None), []);
    let plain = announcement(Vec::new(), 0);
    assert_eq!(script.announce(10, 5, &plain), (true, alloc::vec![connect(1, 7, registrar(5), at(100))]));
    assert_eq!(script.announce(11, 5, &plain), (true, Vec::new()));
    let sctp = Transport::Sctp(SctpTransport {
        port: 4_000,
        usage: TransportUse::DataOnly,
        addresses: alloc::vec![ip(8), ip(9)].into(),
    });
    let tcp = Transport::Tcp { port: 3863, reserved: 0, address: ip(8) };
    let listed = TransportAddress::sctp(alloc::vec![ip(8), ip(9)], SctpPort(4_000), UdpPort(20_001));
    assert_eq!(
        script.announce(12, 5, &announcement(alloc::vec![tcp, sctp], 20_001)),
        (true, alloc::vec![connect(2, 7, listed, at(100))])
    );
    assert_eq!(DEFAULT_ENCAPSULATION_PORT, registrar::<SctpAddress>(5).udp_port);
    let error = AsapMessage::EndpointUnreachable { handle: "p".into(), element: crate::base::ElementId(1) };
    assert_eq!(script.announce(13, 5, &error), (false, Vec::new()));
}

/// ASAP-3.6-04, ASAP-3.6-06; reading B13: T7 is a minimum, stretched by the period observed.
#[test]
fn t7_outdates_but_follows_the_period() {
    let known = |script: &Script, now| script.hunt.registrar_at(at(now), &registrar(5)).is_some();
    let mut script = Script::new(&[], None);
    let plain = announcement(Vec::new(), 0);
    script.announce(0, 5, &plain);
    assert!(known(&script, 4_999) && !known(&script, 5_000));
    script.announce(6_000, 5, &plain);
    assert!(known(&script, 23_999) && !known(&script, 24_000), "three periods of 6 s");
    script.announce(24_000, 5, &plain);
    script.announce(25_000, 5, &plain);
    assert!(known(&script, 29_999) && !known(&script, 30_000), "T7 restarts");
}

/// ASAP-3.6-04: T7 restarts for every registrar that an announcement names, not for the first only.
#[test]
fn t7_restarts_for_all_that_are_announced() {
    let mut script = Script::new(&[], None);
    let at_port = |port| SctpAddress::new(ip(5), SctpPort(port), DEFAULT_ENCAPSULATION_PORT).into();
    let sctp = |port| {
        Transport::Sctp(SctpTransport { port, usage: TransportUse::DataOnly, addresses: ip(5).into() })
    };
    let both = announcement(alloc::vec![sctp(3863), sctp(4_000)], 0);
    script.announce(0, 5, &both);
    script.announce(1_000, 5, &both);
    for port in [3863, 4_000] {
        let known = |now| script.hunt.registrar_at(at(now), &at_port(port)).is_some();
        assert!(known(5_999) && !known(6_000), "{port}");
    }
}

/// ASAP-9.2-08: a flood of announcements takes no memory.
#[test]
fn a_flood_of_announcements_takes_no_memory() {
    let mut script = Script::new(&[], None);
    let announce = |script: &mut Script, now, port| {
        let sctp =
            SctpTransport { port, usage: TransportUse::DataOnly, addresses: alloc::vec![ip(1)].into() };
        script.announce(now, 1, &announcement(alloc::vec![Transport::Sctp(sctp)], 0));
    };
    for port in 1..=1_000 {
        announce(&mut script, u64::from(port), port);
    }
    let at_port = |port| SctpAddress::new(ip(1), SctpPort(port), DEFAULT_ENCAPSULATION_PORT).into();
    assert!(script.hunt.registrar_at(at(1_000), &at_port(MAX_ANNOUNCED as u16)).is_some());
    assert!(script.hunt.registrar_at(at(1_000), &at_port(MAX_ANNOUNCED as u16 + 1)).is_none());
    announce(&mut script, 6_000, 2_000);
    assert!(script.hunt.registrar_at(at(6_000), &at_port(2_000)).is_some(), "outdated ones make room");
}

/// An association that has ended holds its ports until the last packet of its shutdown: the same
/// registrar is tried again soon, not only after T5 (ASAP-3.6-08).
#[test]
fn ports_that_were_held_are_tried_again_soon() {
    let mut patient = Script::new(&[1], None);
    patient.hunt.config.timeout = ms(10_000);
    assert_eq!(patient.start(0, None), vec![connect(1, 7, registrar(1), at(10_000))]);
    assert_eq!(patient.fail_because(3, 1, &ConnectError::InUse), vec![]);
    assert_eq!(patient.hunt.poll_timeout(), Some(at(103)));
    assert_eq!(patient.expire(103), (None, vec![connect(2, 7, registrar(1), at(10_000))]));
    assert_eq!(patient.hunt.poll_timeout(), Some(at(10_000)));
    // Any other failure waits for T5.
    assert_eq!(patient.fail(200, 2), vec![]);
    assert_eq!(patient.hunt.poll_timeout(), Some(at(10_000)));
}

fn tcp(last: u8) -> TransportAddress {
    TransportAddress::tcp(alloc::vec![ip(last)], 3863)
}

/// ASAP-3.3-03, ASAP-3.6-09: registrars of both carriers, as they are configured.
#[test]
fn a_user_tries_what_is_configured_for_tcp_like_everybody_else() {
    let mut script = Script::new(&[1], None);
    let config =
        HuntConfig { registrars: vec![tcp(1), registrar(2), tcp(3), registrar(4)], ..script.hunt.config };
    assert_eq!(config.check(), Ok(()));
    script.hunt = Hunt::of_user(config);
    let first = [tcp(1), registrar(2), tcp(3)].into_iter().zip(1..);
    let first: Vec<Action> = first.map(|(place, i)| connect(i, 0, place, at(100))).collect();
    assert_eq!(script.start(0, None), first);
    assert_eq!(script.hunt.handle_connected(ConnectId(3), &mut script.actions), Some(tcp(3)));
}

/// ASAP-2.2.10-02: a registrar that is announced for TCP is tried when SCTP does not answer, or when no other
/// registrar is left: the shorter handshake of TCP would always be faster.
#[test]
fn a_user_tries_what_is_announced_for_tcp_last() {
    let both = |port| {
        let usage = TransportUse::DataOnly;
        let sctp = SctpTransport { port: 3863, usage, addresses: ip(1).into() };
        let by_tcp = |last| Transport::Tcp { port, reserved: 0, address: ip(last) };
        announcement(alloc::vec![by_tcp(1), Transport::Sctp(sctp), by_tcp(2)], 9899)
    };
    // Addresses with the same TCP port are one registrar.
    let tcp = TransportAddress::tcp(alloc::vec![ip(1), ip(2)], 3863);
    let mut script = Script::new(&[], None);
    script.hunt = Hunt::of_user(script.hunt.config);
    script.start(0, None);
    assert_eq!(script.announce(10, 1, &both(3863)).1, [connect(1, 0, registrar(1), at(100))]);
    let tried = alloc::vec![registrar(1)];
    let second = [cancel(1), connect(2, 0, tcp.clone(), at(300)), connect(3, 0, registrar(1), at(300))];
    assert_eq!(script.expire(100), (Some(RoundEnd::GoesOn { tried }), second.to_vec()));
    assert_eq!(script.hunt.handle_connected(ConnectId(2), &mut script.actions), Some(tcp.clone()));
    script.hunt.answered(&tcp);

    script.actions.clear();
    assert_eq!(script.start(1_000, None), [connect(4, 0, registrar(1), at(1_100))]);
    assert_eq!(script.fail(1_001, 4), [connect(5, 0, tcp, at(1_100))]);

    // Nothing is reached at port 0, and elements use SCTP only (ASAP-2.1-01).
    let mut script = Script::new(&[], None);
    script.start(0, None);
    assert_eq!(script.announce(10, 1, &both(3863)).1, [connect(1, 7, registrar(1), at(100))]);
    script.announce(10, 1, &both(0));
    assert_eq!(script.fail(11, 1), []);
}
