//! Sessions: opened, used, closed.

use super::*;
use crate::base::TcpAddress;
use crate::base::{SctpAddress, UdpPort};
use crate::endpoint::{Connected, Origin};
use crate::user::interface::{Call, CallError};

fn open(user: &mut User, now: u64, id: u64) -> Step {
    command(user, now, id, Command::Open(Open::new("pool".into())))
}

fn opened(id: u64, session: u64, element: u32) -> Output<Answer, Notice> {
    let (session, peer) = (SessionId(session), place(element));
    Output::Answer(CommandId(id), Answer::Opened(Ok(Opened { session, element: ElementId(element), peer })))
}

fn failure(id: u64, error: UserError) -> Output<Answer, Notice> {
    Output::Answer(CommandId(id), Answer::Opened(Err(error)))
}

/// ASAP-6.5.1-01, ASAP-6.5.2-01, ASAP-6.5.2.1-01: round robin over what is known, begun where the
/// registrar says.
#[test]
fn sessions_take_turns() {
    let mut user = serving(&[1, 2, 3]);
    for (now, id, element) in [(10, 2, 2), (20, 3, 3), (30, 4, 1)] {
        let request = id + 1;
        assert_eq!(
            open(&mut user, now, id),
            (vec![connect(request, 0, place(element), at(now + 150))], vec![])
        );
        let step = event(&mut user, now + 1, connected(request, Some(request), place(element)));
        assert_eq!(step, (vec![], vec![opened(id, id, element)]));
    }
    let mut rotated = user_told(&[3, 1, 2]);
    assert_eq!(open(&mut rotated, 10, 2), (vec![connect(2, 0, place(3), at(160))], vec![]));
    assert_eq!(open(&mut rotated, 10, 3), (vec![connect(3, 0, place(1), at(160))], vec![]));
}

/// A user that was told these elements by a resolution at 2 ms.
fn user_told(elements: &[u32]) -> User {
    let mut user = user(&[1]);
    command(&mut user, 0, 1, Command::Resolve(Resolve::new("pool".into())));
    event(&mut user, 1, connected(HOME, Some(1), registrar(1)));
    event(&mut user, 2, resolved(HOME, elements));
    user
}

/// A dead element costs the stagger, not the whole time-out: up to three are tried.
#[test]
fn candidates_race_and_the_first_wins() {
    let mut user = user_told(&[1, 2, 3, 4]);
    assert_eq!(open(&mut user, 10, 2), (vec![connect(2, 0, place(1), at(160))], vec![]));
    assert_eq!(expire(&mut user, 60), (vec![connect(3, 0, place(2), at(210))], vec![]));
    assert_eq!(expire(&mut user, 110), (vec![connect(4, 0, place(3), at(260))], vec![]));
    user.handle_timeout(at(159));
    assert_eq!(drain(&mut user), (vec![], vec![]), "three at the same time");
    assert_eq!(event(&mut user, 160, connect_failed(2)), (vec![report(HOME, 1)], vec![]));
    assert_eq!(expire(&mut user, 160), (vec![connect(5, 0, place(4), at(310))], vec![]));
    let step = event(&mut user, 170, connected(2, Some(4), place(3)));
    assert_eq!(step, (vec![cancel(3), cancel(5)], vec![opened(2, 1, 3)]));
    // Element 1 did not answer, and is left out for a while.
    open(&mut user, 180, 3);
    event(&mut user, 181, connect_failed(6));
    let step = open(&mut user, 190, 4);
    assert!(!step.0.contains(&connect(8, 0, place(1), at(340))));
}

#[test]
fn an_unanswered_candidate_is_replaced_at_once_when_it_fails() {
    let mut user = user_told(&[1, 2]);
    open(&mut user, 10, 2);
    let step = event(&mut user, 11, connect_failed(2));
    assert_eq!(step, (vec![report(HOME, 1), connect(3, 0, place(2), at(161))], vec![]));
    // All have failed: the registrar may know better.
    let step = event(&mut user, 12, connect_failed(3));
    assert_eq!(step, (vec![report(HOME, 2), question(HOME)], vec![]));
    let step = event(&mut user, 13, resolved(HOME, &[1, 2]));
    assert_eq!(step, (vec![], vec![failure(2, UserError::NoElement)]));
    assert_eq!((user.sessions(), user.poll_timeout()), (0, None));
    // When there is no other one, the element that failed longest ago is the first to be tried again.
    assert_eq!(open(&mut user, 14, 3), (vec![connect(4, 0, place(1), at(164))], vec![]));
}

/// ASAP-2.1-03, PARAM-3.5-02: an element may serve over a transport that a session cannot use; it is not
/// connected to.
#[test]
fn unusable_transports_are_skipped() {
    let mut user = user_told(&[1]);
    let udp = Transport::Udp { port: 7, reserved: 0, address: ip(1) };
    let udp = PoolElement { user_transport: udp, ..element(1) };
    let default_port = PoolElement { encapsulation: None, ..element(2) };
    command(&mut user, 3, 2, Command::Resolve(Resolve::new("pool".into()).past_cache()));
    event(&mut user, 4, heard(HOME, &answer("pool", vec![udp, default_port])));
    let peer = SctpAddress { udp_port: UdpPort(9899), ..sctp_place(2) };
    assert_eq!(open(&mut user, 10, 3), (vec![connect(2, 0, peer.into(), at(160))], vec![]));
}

/// RFC 5354 section 3.2: an element may serve over plain TCP. Data goes there as it is; there is no control channel, and no
/// room for calls.
#[test]
fn a_session_over_tcp_has_data_only() {
    let mut user = user_told(&[1]);
    let transport = Transport::Tcp { port: 80, reserved: 0, address: ip(1) };
    let tcp = |id| PoolElement { user_transport: transport.clone(), encapsulation: None, ..element(id) };
    command(&mut user, 3, 2, Command::Resolve(Resolve::new("pool".into()).past_cache()));
    event(&mut user, 4, heard(HOME, &answer("pool", vec![tcp(1)])));
    let place = TransportAddress::Octets(TcpAddress::new(vec![ip(1)], 80));
    assert_eq!(open(&mut user, 10, 3), (vec![connect(2, 0, place.clone(), at(160))], vec![]));
    let association = AssociationId::tcp(2);
    let connected = Connected::new(association, Origin::Attempt(ConnectId(2)), SctpPort(0), place.clone());
    let opened = Answer::Opened(Ok(Opened { session: SessionId(1), element: ElementId(1), peer: place }));
    let step = event(&mut user, 11, Event::Connected(connected));
    assert_eq!(step, (vec![], vec![Output::Answer(CommandId(3), opened)]));
    let sent = Action::Send { association, protocol: DATA, stream: 0, bytes: "a".into() };
    assert_eq!(send(&mut user, 12, retry(1), "a"), accepted(vec![sent]));
    let call = Call::new(SessionId(1), RequestId(9), DATA, "b");
    let refused = Answer::Called(Err(CallError::Refused(Refusal::OctetsOnly)));
    let step = command(&mut user, 13, 4, Command::Call(call));
    assert_eq!(step, (vec![], vec![Output::Answer(CommandId(4), refused)]));
}

#[test]
fn opening_fails_with_its_reason() {
    let mut user = user(&[1]);
    open(&mut user, 0, 1);
    event(&mut user, 1, connected(HOME, Some(1), registrar(1)));
    let step = event(&mut user, 2, refusal_of(HOME, "pool", CauseCode::UNKNOWN_POOL_HANDLE));
    assert_eq!(step, (vec![], vec![failure(1, UserError::UnknownPool)]));
    open(&mut user, 3, 2);
    let step = event(&mut user, 4, heard(HOME, &answer("pool", vec![])));
    assert_eq!(step, (vec![], vec![failure(2, UserError::NoElement)]));
    let mut alone = User::new(UserConfig { open_timeout: ms(75), ..config(&[1]) });
    open(&mut alone, 0, 1);
    expire(&mut alone, 50);
    let in_vain = UserError::NoRegistrar { tried: vec![registrar(1)] };
    assert_eq!(expire(&mut alone, 75), (vec![], vec![failure(1, in_vain)]));
    assert_eq!(expire(&mut alone, 100), (vec![cancel(2)], vec![]));
    assert_eq!(alone.poll_timeout(), None);
    let mut small = User::new(UserConfig { max_sessions: 1, ..config(&[1]) });
    open(&mut small, 0, 1);
    assert_eq!(open(&mut small, 0, 2), (vec![], vec![failure(2, UserError::TooMany)]));
}

/// An application that waits is told what for, and it does not wait longer than it wants to.
#[test]
fn opening_tells_what_it_waits_for_and_ends_in_time() {
    let told = |awaited| Output::Notice(Notice::Opening { handle: "pool".into(), awaited });
    let until = |user: &mut User, end: u64| {
        let mut outputs = vec![];
        while let Some(now) = user.poll_timeout().filter(|now| *now <= at(end)) {
            user.handle_timeout(now);
            outputs.extend(drain(user).1.into_iter().map(|output| (now, output)));
        }
        outputs.retain(|(_, output)| !matches!(output, Output::Notice(Notice::NoRegistrar { .. })));
        outputs
    };
    let opening = |user: &mut User, within| {
        command(user, 0, 1, Command::Open(Open::new("pool".into()).within(ms(within))));
    };
    let mut alone = user(&[1]);
    opening(&mut alone, 3_000);
    let nobody = UserError::NoRegistrar { tried: vec![registrar(1)] };
    let awaited = told(Awaited::Registrar { tried: vec![registrar(1)] });
    let outputs = until(&mut alone, 10_000);
    assert_eq!(outputs, [(at(1_000), awaited), (at(3_000), failure(1, nobody))]);

    let mut patient = User::new(UserConfig { request_timeout: ms(20_000), ..config(&[1]) });
    opening(&mut patient, 2_000);
    event(&mut patient, 1, connected(HOME, Some(1), registrar(1)));
    let outputs = until(&mut patient, 1_000);
    assert_eq!(outputs, [(at(1_000), told(Awaited::Answer { registrar: registrar(1) }))]);
    event(&mut patient, 1_001, resolved(HOME, &[1]));
    assert_eq!(until(&mut patient, 2_000).pop(), Some((at(2_000), failure(1, UserError::NoElement))));

    let mut slow = User::new(UserConfig { connect_timeout: ms(20_000), ..config(&[1]) });
    opening(&mut slow, 2_000);
    event(&mut slow, 1, connected(HOME, Some(1), registrar(1)));
    event(&mut slow, 2, resolved(HOME, &[1]));
    let outputs = until(&mut slow, 2_000);
    let awaited = told(Awaited::Element { tried: vec![place(1)] });
    assert_eq!(outputs, [(at(1_000), awaited), (at(2_000), failure(1, UserError::NoElement))]);
    assert_eq!(slow.poll_timeout(), None);
}

/// ASAP-5-03: data does not carry the identifier of ASAP. ASAP-6.6-01: a message names its element.
#[test]
fn passes_messages_through() {
    let mut user = serving(&[1]);
    assert_eq!(send(&mut user, 10, Delivery::Once, "a"), accepted(vec![data(2, DATA, "a")]));
    assert_eq!(send(&mut user, 10, retry(1), "b"), accepted(vec![data(2, DATA, "b")]));
    assert_eq!(send(&mut user, 10, retry(1), "b"), refused(Refusal::DuplicateRequest));
    for protocol in [ProtocolId::ASAP, ProtocolId::ENRP] {
        let delivery = Delivery::Once;
        let send = Command::Send(Message::new(SessionId(1), protocol, "a").delivery(delivery));
        assert_eq!(command(&mut user, 11, 9, send), refused(Refusal::ReservedProtocol));
    }
    let got =
        Notice::Received { session: SessionId(1), element: ElementId(1), protocol: DATA, bytes: "B".into() };
    let received = crate::endpoint::testing::received;
    assert_eq!(event(&mut user, 12, received(2, DATA, "B")), (vec![], vec![Output::Notice(got)]));
    assert_eq!(answered(&mut user, 13, 1), accepted(vec![]));
    assert_eq!(user.poll_timeout(), None);
    assert_eq!(event(&mut user, 15, received(2, ProtocolId::ENRP, "x")), (vec![], vec![]));
    assert_eq!(user.counters().unexpected, 1);
    let unknown = Command::Answered { session: SessionId(7), request: RequestId(1) };
    assert_eq!(command(&mut user, 16, 9, unknown), refused(Refusal::UnknownSession));
}

#[test]
fn a_full_queue_is_told_and_so_is_its_end() {
    let mut user = serving(&[1]);
    let writable = Output::Notice(Notice::Writable { session: SessionId(1) });
    event(&mut user, 10, Event::Congested { association: AssociationId::sctp(2) });
    assert_eq!(send(&mut user, 11, retry(1), "a"), refused(Refusal::Congested));
    let step = event(&mut user, 12, Event::Drained { association: AssociationId::sctp(2) });
    assert_eq!(step, (vec![], vec![writable.clone()]));
    let mut bounded = serving(&[1]);
    bounded.context.config.max_unanswered_octets = 4;
    send(&mut bounded, 10, retry(1), "abc");
    assert_eq!(send(&mut bounded, 11, retry(2), "de"), refused(Refusal::Congested));
    assert_eq!(send(&mut bounded, 11, Delivery::Once, "de"), accepted(vec![data(2, DATA, "de")]));
    let (_, notices) = answered(&mut bounded, 12, 1);
    assert_eq!(notices, [writable, Output::Answer(CommandId(9), Answer::Done(Ok(())))]);
}

/// An application that takes no messages of one session makes the element of that session wait, also the next one,
/// and nobody else.
#[test]
fn a_session_is_held_until_there_is_room() {
    let association = AssociationId::sctp;
    let mut user = serving(&[1, 2]);
    let hold = || Command::Hold { session: SessionId(1) };
    let release = || Command::Release { session: SessionId(1) };
    let held = accepted(vec![Action::Hold { association: association(2) }]);
    assert_eq!(command(&mut user, 10, 9, hold()), held);
    assert_eq!(command(&mut user, 10, 9, hold()), accepted(vec![]));
    event(&mut user, 20, disconnected(2, DownReason::Silent));
    let (actions, _) = event(&mut user, 22, connected(3, Some(3), place(2)));
    assert_eq!(actions, [Action::Hold { association: association(3) }]);
    let released = accepted(vec![Action::Release { association: association(3) }]);
    assert_eq!(command(&mut user, 23, 9, release()), released);
    assert_eq!(command(&mut user, 23, 9, release()), accepted(vec![]));
    command(&mut user, 24, 9, hold());
    // What the element has still to deliver does not keep the association open.
    let close = Command::Close { session: SessionId(1) };
    let (actions, _) = command(&mut user, 25, 9, close);
    assert_eq!(actions, [Action::Release { association: association(3) }, shutdown(3, at(10_025))]);
    assert_eq!(command(&mut user, 26, 9, hold()), refused(Refusal::UnknownSession));
}

#[test]
fn closes_a_session() {
    let mut user = serving(&[1]);
    send(&mut user, 9, retry(1), "a");
    let close = || Command::Close { session: SessionId(1) };
    assert_eq!(command(&mut user, 10, 9, close()), accepted(vec![shutdown(2, at(10_010))]));
    assert_eq!(user.poll_timeout(), None, "requests are not supervised any more");
    assert_eq!(command(&mut user, 11, 9, close()), refused(Refusal::UnknownSession));
    assert_eq!(send(&mut user, 11, Delivery::Once, "a"), refused(Refusal::UnknownSession));
    assert_eq!(event(&mut user, 12, disconnected(2, DownReason::Local)), (vec![], vec![closed(None)]));
    assert_eq!(user.sessions(), 0);
}

#[test]
fn a_user_accepts_no_associations() {
    let mut user = user(&[1]);
    assert_eq!(event(&mut user, 1, connected(5, None, place(1))), (vec![abort(5)], vec![]));
    assert_eq!(event(&mut user, 1, connected(6, Some(77), place(1))), (vec![abort(6)], vec![]));
}

#[test]
fn shutdown_closes_everything_and_stops() {
    let mut user = serving(&[1, 2]);
    command(&mut user, 10, 2, Command::Resolve(Resolve::new("other".into())));
    command(&mut user, 10, 3, Command::Open(Open::new("other".into())));
    user.begin_shutdown(at(20), at(1_000));
    let unresolved = Output::Answer(CommandId(2), Answer::Resolved(Err(UserError::ShuttingDown)));
    let ended = vec![unresolved, failure(3, UserError::ShuttingDown)];
    assert_eq!(drain(&mut user), (vec![shutdown(2, at(1_000)), shutdown(HOME, at(1_000))], ended));
    assert_eq!(open(&mut user, 21, 4), (vec![], vec![failure(4, UserError::ShuttingDown)]));
    assert_eq!(send(&mut user, 21, Delivery::Once, "a"), refused(Refusal::ShuttingDown));
    assert_eq!(event(&mut user, 22, disconnected(2, DownReason::Local)), (vec![], vec![closed(None)]));
    let step = event(&mut user, 23, disconnected(HOME, DownReason::Local));
    assert_eq!(step, (vec![], vec![Output::Notice(Notice::Stopped)]));
    assert_eq!((user.is_stopped(), user.poll_timeout()), (true, None));
}

#[test]
fn shutdown_ends_in_time_whoever_is_silent() {
    let mut user = serving(&[1]);
    user.begin_shutdown(at(20), at(1_000));
    drain(&mut user);
    let step = expire(&mut user, 1_000);
    assert_eq!(step, (vec![abort(2), abort(HOME)], vec![closed(None), Output::Notice(Notice::Stopped)]));
    let mut idle = self::user(&[1]);
    idle.begin_shutdown(at(0), at(1_000));
    assert_eq!(drain(&mut idle), (vec![], vec![Output::Notice(Notice::Stopped)]));
}

/// A message that no transport takes is refused here: resent, it would end the association with one element
/// after another.
#[test]
fn messages_have_a_length() {
    let mut user = serving(&[1]);
    for (id, octets, taken) in
        [(1, 0, false), (2, 1, true), (3, MAX_MESSAGE, true), (4, MAX_MESSAGE + 1, false)]
    {
        user.context.config.max_unanswered_octets = usize::MAX;
        let (session, bytes) = (SessionId(1), bytes::Bytes::from(vec![7; octets]));
        let send = Command::Send(Message::new(session, DATA, bytes).delivery(retry(id)));
        let (actions, notices) = command(&mut user, 10, 9, send);
        let answer = if taken { Answer::Done(Ok(())) } else { Answer::Done(Err(Refusal::Length)) };
        assert_eq!(
            (actions.len(), notices),
            (usize::from(taken), vec![Output::Answer(CommandId(9), answer)])
        );
    }
}

/// An association that we overfilled ourselves says nothing about the element (ASAP-3.5-01).
#[test]
fn a_full_queue_of_ours_is_not_reported() {
    let mut user = serving(&[1]);
    send(&mut user, 10, retry(1), "a");
    let (actions, _) = event(&mut user, 11, disconnected(2, DownReason::QueueFull));
    let reports = actions.iter().filter(|action| matches!(action, Action::Send { .. }));
    assert_eq!(reports.count(), 1, "the question for elements, and no report");
    assert_eq!(user.counters().reports_sent, 0);
}

/// A failover does not send more at once than the data queue of the transport holds: the unanswered requests,
/// 64 octets of overhead for each, and one of any length.
#[test]
fn a_failover_fits_into_the_queue_of_the_transport() {
    let config = UserConfig::rfc(1);
    let at_once = config.max_unanswered_octets + MAX_UNANSWERED * 64;
    assert!(at_once <= 2 << 20, "the data queue of SCTP ends an association above 2 MiB and a message");
}

/// ASAP-7.1-01, ASAP-7.1-05, ASAP-7.1-07, ASAP-7.2-01, ASAP-7.3-02, ASAP-7.3-03
#[test]
fn the_defaults_are_those_of_the_rfc() {
    let config = UserConfig::rfc(1);
    let seconds = core::time::Duration::from_secs;
    assert_eq!((config.request_timeout, config.max_request_retransmits), (seconds(15), 2));
    assert_eq!((config.hunt.timeout, config.hunt.timeout_max), (seconds(10), seconds(60)));
    assert_eq!((config.hunt.outdate, config.cache_life), (seconds(5), seconds(30)));
}

/// POL-4.5.3-01: the element of the highest priority that lives serves. Nobody races it; when it does not answer,
/// the next one has its turn.
#[test]
fn priorities_are_not_raced() {
    let mut user = user(&[1]);
    open(&mut user, 0, 1);
    event(&mut user, 1, connected(HOME, Some(1), registrar(1)));
    let element = |id, priority| PoolElement { policy: Policy::Priority { priority }, ..element(id) };
    let listed = AsapMessage::HandleResolutionResponse {
        updates: false,
        handle: "pool".into(),
        policy: Some(Policy::Priority { priority: 9 }),
        elements: vec![element(1, 9), element(2, 5)],
        error: None,
    };
    let step = event(&mut user, 2, heard(HOME, &listed));
    assert_eq!(step, (vec![connect(2, 0, place(1), at(152))], vec![]));
    user.handle_timeout(at(151));
    assert_eq!(drain(&mut user), (vec![], vec![]));
    let step = event(&mut user, 152, connect_failed(2));
    assert_eq!(step, (vec![report(HOME, 1), connect(3, 0, place(2), at(302))], vec![]));
}
