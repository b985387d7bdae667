//! Scripts of TCP connections, with virtual time: for each input exactly what follows, in its order.

use std::time::Duration;

use rserpool_core::endpoint::AbortCause;

use super::connection::{CONGESTED_AT, MAX_DATA_OUTPUT, MAX_OUTPUT, PAUSE_AT};
use super::*;

const SERVICE: u16 = 3863;

struct Script {
    tcp: Tcp,
}

/// Everything that comes out of one input.
#[derive(Debug, PartialEq)]
struct Out {
    events: Vec<Event>,
    actions: Vec<ConnectionAction>,
}

fn out(events: impl Into<Vec<Event>>, actions: impl Into<Vec<ConnectionAction>>) -> Out {
    Out { events: events.into(), actions: actions.into() }
}

fn nothing() -> Out {
    out([], [])
}

fn at(ms: u64) -> Instant {
    Instant::ORIGIN + Duration::from_millis(ms)
}

fn client(host: u8) -> SocketAddr {
    SocketAddr::new([192, 0, 2, host].into(), 50_000 + u16::from(host))
}

fn registrar(hosts: &[u8]) -> TransportAddress {
    TransportAddress::tcp(hosts.iter().map(|host| [198, 51, 100, *host].into()).collect(), 3863)
}

/// The identifiers that the first, second ... connection has.
fn id(number: u64) -> ConnectionId {
    ConnectionId(number)
}

fn name_of(number: u64) -> AssociationId {
    AssociationId::tcp(number)
}

/// A message of this many octets, a multiple of four.
fn message(octets: u16) -> Bytes {
    let mut message = vec![5, 0];
    message.extend(octets.to_be_bytes());
    message.resize(octets.into(), 0x77);
    message.into()
}

fn accepted(number: u64, host: u8) -> Event {
    let peer = TransportAddress::tcp(vec![client(host).ip()], client(host).port());
    Event::Connected(Connected::new(name_of(number), Origin::Peer, SctpPort(SERVICE), peer))
}

fn heard(number: u64, bytes: Bytes) -> Event {
    Event::Message { association: name_of(number), protocol: ProtocolId::ASAP, stream: 0, bytes }
}

fn down(number: u64, reason: DownReason) -> Event {
    Event::Disconnected { association: name_of(number), reason }
}

fn hung_up(host: u8, reason: HangUp) -> Event {
    Event::HungUp { local_port: SctpPort(SERVICE), peer: address(client(host)).into(), reason }
}

fn write(number: u64, bytes: Bytes) -> ConnectionAction {
    ConnectionAction::Write { connection: id(number), bytes }
}

fn dropped(number: u64) -> ConnectionAction {
    ConnectionAction::Drop { connection: id(number) }
}

fn finish(number: u64) -> ConnectionAction {
    ConnectionAction::Finish { connection: id(number) }
}

fn open(number: u64, host: u8) -> ConnectionAction {
    let address = SocketAddr::new([198, 51, 100, host].into(), 3863);
    ConnectionAction::Open { connection: id(number), address }
}

impl Script {
    fn new() -> Self {
        Self::with(TcpConfig::default())
    }

    fn with(config: TcpConfig) -> Self {
        assert_eq!(config.check(), Ok(()));
        Self { tcp: Tcp::new(config, SctpPort(SERVICE)) }
    }

    fn drain(&mut self) -> Out {
        let events: Vec<_> = std::iter::from_fn(|| self.tcp.poll_event()).collect();
        out(events, std::iter::from_fn(|| self.tcp.poll_connection()).collect::<Vec<_>>())
    }

    fn accept(&mut self, ms: u64, host: u8) -> (Option<ConnectionId>, Out) {
        (self.tcp.accept(at(ms), client(host)), self.drain())
    }

    fn happens(&mut self, ms: u64, number: u64, event: ConnectionEvent) -> Out {
        self.tcp.handle_connection(at(ms), id(number), event);
        self.drain()
    }

    fn receive(&mut self, ms: u64, number: u64, octets: &[u8]) -> Out {
        self.happens(ms, number, ConnectionEvent::Received(Bytes::copy_from_slice(octets)))
    }

    fn act(&mut self, ms: u64, action: Action) -> Out {
        self.tcp.handle_action(at(ms), action);
        self.drain()
    }

    fn send(&mut self, ms: u64, number: u64, bytes: Bytes) -> Out {
        self.act(
            ms,
            Action::Send { association: name_of(number), protocol: ProtocolId::ASAP, stream: 0, bytes },
        )
    }

    fn connect(&mut self, ms: u64, request: u64, peer: TransportAddress, deadline: u64) -> Out {
        let (request, deadline) = (ConnectId(request), at(deadline));
        self.act(ms, Action::Connect { request, local_port: SctpPort(0), peer, deadline })
    }

    /// Time passes, to this moment, which is the next deadline.
    fn expire(&mut self, ms: u64) -> Out {
        assert_eq!(self.tcp.poll_timeout(), Some(at(ms)));
        if ms > 0 {
            self.tcp.handle_timeout(at(ms - 1));
            assert_eq!(self.drain(), nothing(), "before its time");
        }
        self.tcp.handle_timeout(at(ms));
        self.drain()
    }
}

/// A connection that asked once is up.
fn asked(config: TcpConfig) -> Script {
    let mut script = Script::with(config);
    script.accept(0, 1);
    assert_eq!(script.receive(0, 1, &message(16)), out([heard(1, message(16))], []));
    script
}

/// ASAP-2.1-02, ASAP-3.3-10: a question comes in, an answer goes out, both ends finish.
#[test]
fn a_client_asks_is_answered_and_leaves() {
    let mut script = Script::new();
    assert_eq!(script.accept(0, 1), (Some(id(1)), out([accepted(1, 1)], [])));
    assert_eq!(script.receive(1, 1, &message(16)[..7]), nothing());
    assert_eq!(script.receive(2, 1, &message(16)[7..]), out([heard(1, message(16))], []));
    // The length of an answer need not count its padding (reading A5).
    let answer = Bytes::from_static(&[6, 0, 0, 5, 1]);
    assert_eq!(script.send(3, 1, answer), out([], [write(1, Bytes::from_static(&[6, 0, 0, 5, 1, 0, 0, 0]))]));
    assert_eq!(script.happens(4, 1, ConnectionEvent::Ended), out([down(1, DownReason::PeerShutdown)], []));
    assert_eq!(script.tcp.associations(), 0);
    assert_eq!(script.happens(5, 1, ConnectionEvent::Written(7)), nothing());
    assert_eq!(script.happens(6, 1, ConnectionEvent::Written(1)), out([], [dropped(1)]));
    assert_eq!(script.tcp.poll_timeout(), None);
    assert_eq!((script.tcp.connections.len(), script.tcp.places.count(Source::of(client(1).ip()))), (0, 0));
}

/// Whoever finishes its half at once, as a shell does, is answered all the same.
#[test]
fn what_was_asked_before_the_end_is_answered() {
    let mut script = Script::new();
    script.accept(0, 1);
    script.tcp.handle_connection(at(1), id(1), ConnectionEvent::Received(message(16)));
    script.tcp.handle_connection(at(1), id(1), ConnectionEvent::Ended);
    assert_eq!(script.tcp.poll_event(), Some(heard(1, message(16))));
    assert_eq!(
        script.send(1, 1, message(8)),
        out([down(1, DownReason::PeerShutdown)], [write(1, message(8))])
    );
    assert_eq!(script.happens(2, 1, ConnectionEvent::Written(8)), out([], [dropped(1)]));
}

/// Half a message at the end is nobody's.
#[test]
fn a_message_that_is_cut_off_is_not_told() {
    let mut script = Script::new();
    script.accept(0, 1);
    script.receive(1, 1, &message(16)[..15]);
    let end = out([down(1, DownReason::PeerShutdown)], [dropped(1)]);
    assert_eq!(script.happens(2, 1, ConnectionEvent::Ended), end);
}

#[test]
fn a_length_that_cannot_be_ends_the_connection() {
    for octets in [[5, 0, 0, 3], [5, 0, 0x10, 1], [5, 0, 0xff, 0xff]] {
        let mut script = Script::new();
        script.accept(0, 1);
        let both = [&message(16)[..], &octets].concat();
        let end = [heard(1, message(16)), hung_up(1, HangUp::Malformed), down(1, DownReason::Violation)];
        assert_eq!(script.receive(1, 1, &both), out(end, [dropped(1)]));
        assert_eq!(script.receive(2, 1, &message(16)), nothing());
    }
    // What is too long for a question is not too long for an answer.
    let mut script = Script::new();
    script.connect(0, 1, registrar(&[1]), 1_000);
    script.happens(1, 1, ConnectionEvent::Opened);
    assert_eq!(script.receive(2, 1, &message(65_532)), out([heard(1, message(65_532))], []));
    // A registrar that we went to did not come to us: only its association ends.
    assert_eq!(script.receive(3, 1, &[6, 0, 0, 3]), out([down(1, DownReason::Violation)], [dropped(1)]));
}

/// A client that sends octet by octet has ten seconds for each message, not for each octet.
#[test]
fn a_slow_client_is_dropped() {
    let mut script = asked(TcpConfig::default());
    let question = message(16);
    for (i, octet) in question[..10].iter().enumerate() {
        assert_eq!(script.receive(1_000 + 1_000 * i as u64, 1, &[*octet]), nothing());
    }
    let end = [hung_up(1, HangUp::Slow), down(1, DownReason::Silent)];
    assert_eq!(script.expire(11_000), out(end, [dropped(1)]));
}

#[test]
fn who_never_asks_is_dropped_and_who_asks_may_stay_for_a_while() {
    let mut script = Script::new();
    script.accept(5, 1);
    let end = || out([hung_up(1, HangUp::Silent), down(1, DownReason::Silent)], [dropped(1)]);
    assert_eq!(script.expire(10_005), end());
    // Vanished without a word after a question: the same as idle.
    let mut script = asked(TcpConfig::default());
    assert_eq!(script.receive(250_000, 1, &message(16)), out([heard(1, message(16))], []));
    assert_eq!(script.tcp.poll_timeout(), Some(at(550_000)));
    script.tcp.handle_timeout(at(549_999));
    assert_eq!(script.drain(), nothing());
    assert_eq!(script.expire(550_000), end());
}

/// Every message that is to be written has the same time; one that is taken leaves the next its own.
#[test]
fn who_does_not_read_its_answers_is_dropped() {
    let mut script = asked(TcpConfig::default());
    script.send(1_000, 1, message(100));
    script.send(9_000, 1, message(100));
    assert_eq!(script.happens(20_000, 1, ConnectionEvent::Written(99)), nothing());
    assert_eq!(script.tcp.poll_timeout(), Some(at(31_000)));
    script.happens(30_000, 1, ConnectionEvent::Written(1));
    let end = [hung_up(1, HangUp::Unread), down(1, DownReason::Silent)];
    assert_eq!(script.expire(39_000), out(end, [dropped(1)]));
}

/// Half-closed, its association has ended; it is hung up on all the same when it takes no answer.
#[test]
fn who_has_finished_and_does_not_read_is_dropped() {
    let mut script = asked(TcpConfig::default());
    script.send(1_000, 1, message(100));
    let end = out([down(1, DownReason::PeerShutdown)], []);
    assert_eq!(script.happens(1_000, 1, ConnectionEvent::Ended), end);
    assert_eq!(script.expire(31_000), out([hung_up(1, HangUp::Unread)], [dropped(1)]));
}

/// A thousand questions at once, each of whose answers is a thousand times as long: no more are taken
/// while the answers to the first wait.
#[test]
fn a_client_is_read_no_faster_than_it_takes_answers() {
    let mut script = Script::new();
    script.accept(0, 1);
    let flood: Vec<u8> = (0..1_000).flat_map(|_| message(16)).collect();
    script.tcp.handle_connection(at(1), id(1), ConnectionEvent::Received(flood.into()));
    let mut answered = 0;
    let mut longest = 0;
    for round in 0..2_000 {
        while let Some(event) = script.tcp.poll_event() {
            assert_eq!(event, heard(1, message(16)));
            answered += 1;
            script.tcp.handle_action(
                at(round),
                Action::Send {
                    association: name_of(1),
                    protocol: ProtocolId::ASAP,
                    stream: 0,
                    bytes: message(16_000),
                },
            );
        }
        let waiting: usize = std::iter::from_fn(|| script.tcp.poll_connection())
            .map(|action| match action {
                ConnectionAction::Write { bytes, .. } => bytes.len(),
                other => panic!("{other:?}"),
            })
            .sum();
        longest = longest.max(waiting);
        if waiting == 0 {
            break;
        }
        assert_eq!(script.tcp.reads(id(1)), waiting < PAUSE_AT, "no more is read while it is to wait");
        script.tcp.handle_connection(at(round), id(1), ConnectionEvent::Written(waiting));
    }
    assert_eq!((answered, longest), (1_000, 5 * 16_000));
    assert!(script.tcp.reads(id(1)));
}

/// Of two that flood each has its turn.
#[test]
fn connections_take_turns() {
    let mut script = Script::new();
    script.accept(0, 1);
    script.accept(0, 2);
    let flood = |number: u64| Bytes::from([message(8), message(12 + 4 * number as u16)].concat());
    for number in [1, 2] {
        script.tcp.handle_connection(at(1), id(number), ConnectionEvent::Received(flood(number)));
    }
    let turns = [heard(1, message(8)), heard(2, message(8)), heard(1, message(16)), heard(2, message(20))];
    assert_eq!(script.drain(), out(turns, []));
}

/// Who has asked nothing makes room, then the address that has most; if there is neither, the newest is refused.
#[test]
fn connections_are_bounded_in_all_and_for_each_address() {
    let config = TcpConfig { max_connections: 4, max_per_address: 3, ..TcpConfig::default() };
    let mut script = Script::with(config);
    (1..=3).for_each(|number| assert_eq!(script.accept(0, 1).0, Some(id(number))));
    let refused = |host| (None, out([hung_up(host, HangUp::TooMany)], []));
    assert_eq!(script.accept(0, 1), refused(1), "three of one address");
    [1, 3].into_iter().for_each(|number| drop(script.receive(1, number, &message(8))));
    assert_eq!(script.accept(1, 2).0, Some(id(4)));
    script.receive(1, 4, &message(8));
    let failed = Event::ConnectFailed { request: ConnectId(1), reason: ConnectError::TooMany };
    assert_eq!(script.connect(1, 1, registrar(&[1]), 1_000), out([failed], []), "our own displace nobody");
    let gone = |number, host, reason: HangUp, next, newcomer| {
        let events = [hung_up(host, reason), down(number, reason.into()), accepted(next, newcomer)];
        (Some(id(next)), out(events, [dropped(number)]))
    };
    assert_eq!(script.accept(2, 3), gone(2, 1, HangUp::Silent, 5, 3), "the second has asked nothing");
    script.receive(2, 5, &message(8));
    assert_eq!(script.accept(3, 4), gone(3, 1, HangUp::TooMany, 6, 4), "the first address has two");
    script.receive(3, 6, &message(8));
    assert_eq!(script.accept(4, 5), refused(5), "four addresses have one each");
    assert_eq!(script.accept(4, 4), refused(4), "and one that has one gets no second");
    // Who goes makes room.
    script.happens(5, 1, ConnectionEvent::Lost);
    assert_eq!(script.accept(6, 1), (Some(id(7)), out([accepted(7, 1)], [])));
    script.tcp.stop_listening();
    script.happens(7, 7, ConnectionEvent::Lost);
    assert_eq!(script.accept(8, 5), (None, nothing()), "who leaves has nothing to complain of");
}

/// ASAP-3.3-03: a user opens a connection, asks, and closes it.
#[test]
fn we_open_a_connection_and_close_it() {
    let mut script = Script::new();
    assert_eq!(script.connect(0, 7, registrar(&[1]), 1_000), out([], [open(1, 1)]));
    assert_eq!((script.tcp.associations(), script.tcp.poll_timeout()), (1, Some(at(1_000))));
    let connected = Event::Connected(Connected::new(
        name_of(1),
        Origin::Attempt(ConnectId(7)),
        SctpPort(0),
        registrar(&[1]),
    ));
    assert_eq!(script.happens(1, 1, ConnectionEvent::Opened), out([connected], []));
    assert_eq!(script.tcp.poll_timeout(), None, "the registrar says how long it may last");
    assert_eq!(script.send(2, 1, message(16)), out([], [write(1, message(16))]));
    let shutdown = Action::Shutdown { association: name_of(1), deadline: at(500) };
    assert_eq!(script.act(3, shutdown), nothing());
    assert_eq!(script.send(3, 1, message(16)), nothing(), "too late");
    assert_eq!(script.happens(4, 1, ConnectionEvent::Written(16)), out([], [finish(1)]));
    let end = out([down(1, DownReason::Local)], [dropped(1)]);
    assert_eq!(script.happens(5, 1, ConnectionEvent::Ended), end);
    assert_eq!((script.tcp.associations(), script.tcp.poll_timeout()), (0, None));
}

#[test]
fn a_close_that_is_not_answered_ends_at_its_deadline() {
    let mut script = asked(TcpConfig::default());
    let shutdown = Action::Shutdown { association: name_of(1), deadline: at(500) };
    assert_eq!(script.act(3, shutdown), out([], [finish(1)]));
    assert_eq!(script.expire(500), out([down(1, DownReason::Local)], [dropped(1)]));
    let mut script = asked(TcpConfig::default());
    let abort = Action::Abort { association: name_of(1), cause: AbortCause::User };
    assert_eq!(script.act(3, abort.clone()), out([down(1, DownReason::Local)], [dropped(1)]));
    assert_eq!(script.act(4, abort), nothing());
}

/// The second address is tried after a while, the third at once when the others have failed.
#[test]
fn addresses_are_tried_one_after_the_other() {
    let mut script = Script::new();
    assert_eq!(script.connect(0, 1, registrar(&[1, 2, 3, 4]), 1_000), out([], [open(1, 1)]));
    assert_eq!(script.expire(250), out([], [open(2, 2)]));
    assert_eq!(script.happens(260, 1, ConnectionEvent::Failed(ConnectError::NoRoute)), nothing());
    let next = script.happens(270, 2, ConnectionEvent::Failed(ConnectError::Refused));
    assert_eq!(next, out([], [open(3, 3)]), "no more than three are tried");
    let failed = |reason| Event::ConnectFailed { request: ConnectId(1), reason };
    let end = script.happens(280, 3, ConnectionEvent::Failed(ConnectError::Refused));
    assert_eq!(end, out([failed(ConnectError::Refused)], []));
    assert_eq!((script.tcp.associations(), script.tcp.poll_timeout()), (0, None));

    script.connect(1_000, 2, registrar(&[1, 2]), 1_900);
    script.expire(1_250);
    let won = script.happens(1_300, 5, ConnectionEvent::Opened);
    assert_eq!(won.actions, [dropped(4)], "the first that is up is taken");
    assert!(
        matches!(won.events[..], [Event::Connected(Connected { association, .. })] if association == name_of(5))
    );

    script.connect(2_000, 1, registrar(&[1]), 2_100);
    assert_eq!(script.expire(2_100), out([failed(ConnectError::TimedOut)], [dropped(6)]));
    assert_eq!(script.happens(2_101, 6, ConnectionEvent::Opened), nothing());

    script.connect(3_000, 1, registrar(&[1]), 4_000);
    assert_eq!(script.act(3_001, Action::CancelConnect { request: ConnectId(1) }), out([], [dropped(7)]));
    assert_eq!(script.tcp.associations(), 1);
}

#[test]
fn nowhere_to_connect_to() {
    let mut script = Script::new();
    let failed = |reason| out([Event::ConnectFailed { request: ConnectId(1), reason }], []);
    let nowhere = [
        TransportAddress::tcp(vec![], 3863),
        TransportAddress::tcp(vec![[192, 0, 2, 1].into()], 0),
        TransportAddress::tcp(vec![[0, 0, 0, 0].into(), [224, 0, 1, 185].into()], 3863),
    ];
    for peer in nowhere {
        assert_eq!(script.connect(0, 1, peer, 1_000), failed(ConnectError::NoRoute));
    }
    script.connect(0, 1, registrar(&[1]), 1_000);
    assert_eq!(script.connect(0, 1, registrar(&[2]), 1_000), failed(ConnectError::InUse));
}

/// Only ASAP has a place in the stream.
#[test]
fn other_protocols_are_not_sent() {
    let mut script = asked(TcpConfig::default());
    for protocol in [ProtocolId::ENRP, ProtocolId::MANAGEMENT, ProtocolId(0)] {
        let send = Action::Send { association: name_of(1), protocol, stream: 0, bytes: message(8) };
        assert_eq!(script.act(1, send), nothing());
    }
}

/// Whoever sends without end, and a driver that reads although it should not, take no more memory.
#[test]
fn queues_have_an_end() {
    let mut script = asked(TcpConfig::default());
    let many = MAX_OUTPUT / 16_000;
    for _ in 0..many {
        assert_eq!(script.send(1, 1, message(16_000)).events, []);
    }
    let end = || out([hung_up(1, HangUp::Flooding), down(1, DownReason::QueueFull)], [dropped(1)]);
    assert_eq!(script.send(1, 1, message(16_000)), end());

    let mut script = asked(TcpConfig::default());
    script.send(1, 1, message(65_532));
    script.send(1, 1, message(8));
    let flood: Vec<u8> = (0..MAX_INPUT / 16).flat_map(|_| message(16)).collect();
    assert_eq!(script.receive(1, 1, &flood), nothing());
    assert_eq!(script.receive(1, 1, &message(16)), end());
}

/// A session over plain TCP: octets as they come, without any framing.
#[test]
fn octets_of_a_session_are_passed_as_they_are() {
    let mut script = Script::new();
    let server = TransportAddress::Octets(TcpAddress::new(vec![[198, 51, 100, 1].into()], 3863));
    assert_eq!(script.connect(0, 7, server.clone(), 500), out([], [open(1, 1)]));
    let connected = Connected::new(name_of(1), Origin::Attempt(ConnectId(7)), SctpPort(0), server);
    assert_eq!(script.happens(1, 1, ConnectionEvent::Opened), out([Event::Connected(connected)], []));
    let data = |bytes: &'static [u8]| Event::Message {
        association: name_of(1),
        protocol: ProtocolId::UNSPECIFIED,
        stream: 0,
        bytes: Bytes::from_static(bytes),
    };
    assert_eq!(script.receive(2, 1, b"a"), out([data(b"a")], []));
    let send = |bytes: Bytes, protocol| Action::Send { association: name_of(1), protocol, stream: 0, bytes };
    let hello = Bytes::from_static(b"hello");
    assert_eq!(script.act(3, send(hello.clone(), ProtocolId(77))), out([], [write(1, hello.clone())]));
    for ours in [ProtocolId::ASAP, ProtocolId::ENRP, ProtocolId::MANAGEMENT, ProtocolId::CALL] {
        assert_eq!(script.act(4, send(hello.clone(), ours)), nothing());
    }
    script.happens(5, 1, ConnectionEvent::Written(5));

    // Who is held is not read; what has come waits.
    assert!(script.tcp.reads(id(1)));
    assert_eq!(script.act(6, Action::Hold { association: name_of(1) }), nothing());
    assert!(!script.tcp.reads(id(1)));
    assert_eq!(script.receive(7, 1, b"bc"), nothing());
    let resume = ConnectionAction::Resume { connection: id(1) };
    assert_eq!(script.act(8, Action::Release { association: name_of(1) }), out([data(b"bc")], [resume]));
    assert!(script.tcp.reads(id(1)));
    // Silence is not the end: nothing is due.
    assert_eq!(script.tcp.poll_timeout(), None);
    let end = out([down(1, DownReason::PeerShutdown)], [dropped(1)]);
    assert_eq!(script.happens(9, 1, ConnectionEvent::Ended), end);
}

/// An endpoint waits while its peer does not read, and is hung up on if it does not.
#[test]
fn a_session_waits_for_a_server_that_is_slow() {
    let mut script = Script::new();
    let server = TransportAddress::Octets(TcpAddress::new(vec![[198, 51, 100, 1].into()], 3863));
    script.connect(0, 7, server, 500);
    script.happens(1, 1, ConnectionEvent::Opened);
    let piece = Bytes::from(vec![7; CONGESTED_AT / 2]);
    let send =
        Action::Send { association: name_of(1), protocol: ProtocolId(77), stream: 0, bytes: piece.clone() };
    assert_eq!(script.act(2, send.clone()), out([], [write(1, piece.clone())]));
    let congested = Event::Congested { association: name_of(1) };
    assert_eq!(script.act(3, send.clone()), out([congested], [write(1, piece.clone())]));
    assert_eq!(script.happens(4, 1, ConnectionEvent::Written(piece.len() - 1)), nothing());
    let drained = out([Event::Drained { association: name_of(1) }], []);
    assert_eq!(script.happens(5, 1, ConnectionEvent::Written(1)), drained);
    // One piece waits since 3 ms, and more than is kept comes behind it.
    for _ in 0..MAX_DATA_OUTPUT / piece.len() - 1 {
        script.act(6, send.clone());
    }
    assert_eq!(script.act(7, send), out([down(1, DownReason::QueueFull)], [dropped(1)]));
}
