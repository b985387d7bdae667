//! How an inspector asks, and how it reads the answers.

use alloc::vec;
use core::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::base::{ElementId, PoolHandle, UdpPort};
use crate::endpoint::{AbortReason, ConnectError, DownReason, Origin, PeerState};
use crate::wire::{
    AsapMessage, CauseCode, EncapsulationPorts, ErrorCause, Policy, PoolElement, RegistrationLife, Transport,
};

const LINK: AssociationId = AssociationId::sctp(1);
const SECOND: Duration = Duration::from_secs(1);

fn registrar() -> SctpAddress {
    SctpAddress::new(IpAddr::V4(Ipv4Addr::LOCALHOST), SctpPort(9901), UdpPort(20001))
}

fn config(registrar: Option<SctpAddress>) -> InspectorConfig {
    InspectorConfig { registrar, enrp_port: SctpPort(9901), timeout: SECOND, padding: Padding::Padded }
}

fn inspector() -> Inspector {
    let config = config(Some(registrar()));
    Inspector::new(config, Instant::ORIGIN)
}

/// Asks and connects; returns what is sent first.
fn asked(inspector: &mut Inspector, command: Command) -> Vec<Action> {
    inspector.handle_command(Instant::ORIGIN, CommandId(1), command);
    assert_eq!(
        inspector.outbox.take_actions(),
        [Action::Connect {
            request: ConnectId(1),
            local_port: SctpPort(0),
            peer: registrar().into(),
            deadline: Instant::ORIGIN + SECOND
        }]
    );
    let connected =
        Event::Connected(Connected::new(LINK, Origin::Attempt(ConnectId(1)), SctpPort(5), registrar()));
    inspector.handle_event(Instant::ORIGIN, connected);
    inspector.outbox.take_actions()
}

fn request(body: EnrpBody) -> Action {
    let message = EnrpMessage { sender: RegistrarId::NONE, receiver: RegistrarId::NONE, body };
    let bytes = message.encode(Padding::Padded).unwrap();
    Action::Send { association: LINK, protocol: ProtocolId::ENRP, stream: 0, bytes }
}

fn answer(inspector: &mut Inspector, body: EnrpBody) -> Vec<Action> {
    let message = EnrpMessage { sender: RegistrarId(7), receiver: RegistrarId::NONE, body };
    message_from(inspector, ProtocolId::ENRP, message.encode(Padding::Padded).unwrap())
}

fn message_from(inspector: &mut Inspector, protocol: ProtocolId, bytes: Bytes) -> Vec<Action> {
    inspector.handle_event(Instant::ORIGIN, Event::Message { association: LINK, protocol, stream: 0, bytes });
    inspector.outbox.take_actions()
}

fn failed(command: Command, error: InspectError) -> Option<Output<Answer, Notice>> {
    Some(Output::Answer(CommandId(1), command.failed(error)))
}

fn entry(pool: &str, ids: &[u32]) -> PoolEntry {
    let element = |id: &u32| PoolElement {
        id: ElementId(*id),
        home: RegistrarId(7),
        life: RegistrationLife(1),
        user_transport: Transport::Opaque(Bytes::from_static(b"x")),
        policy: Policy::RoundRobin,
        asap_transport: None,
        encapsulation: None,
    };
    PoolEntry { handle: PoolHandle::from(pool), elements: ids.iter().map(element).collect() }
}

#[test]
fn a_handlespace_is_put_together_from_its_pages() {
    let mut inspector = inspector();
    let table = EnrpBody::HandleTableRequest { own_only: false };
    assert_eq!(asked(&mut inspector, Command::Handlespace), [request(EnrpBody::ListRequest)]);
    let list = EnrpBody::ListResponse { rejected: false, servers: vec![] };
    assert_eq!(answer(&mut inspector, list), [request(table.clone())]);
    let page = |more, pools| EnrpBody::HandleTableResponse { rejected: false, more, pools };
    assert_eq!(
        answer(&mut inspector, page(true, vec![entry("a", &[1]), entry("b", &[1])])),
        [request(table)]
    );
    assert_eq!(answer(&mut inspector, page(false, vec![entry("b", &[2]), entry("c", &[1])])), []);
    let snapshot = Snapshot {
        registrar: RegistrarId(7),
        address: registrar(),
        peers: vec![],
        pools: vec![entry("a", &[1]), entry("b", &[1, 2]), entry("c", &[1])],
    };
    assert_eq!(
        inspector.poll_output(),
        Some(Output::Answer(CommandId(1), Answer::Handlespace(Ok(snapshot))))
    );
    assert_eq!(inspector.poll_timeout(), None);
}

/// ASAP-3.6-03: an inspector without a registrar waits for one to announce itself, and asks at its ENRP port.
#[test]
fn an_announced_registrar_is_asked() {
    let mut inspector = Inspector::new(config(None), Instant::ORIGIN);
    inspector.handle_command(Instant::ORIGIN, CommandId(1), Command::Handlespace);
    assert_eq!(inspector.outbox.take_actions(), []);
    assert_eq!(inspector.poll_timeout(), Some(Instant::ORIGIN + SECOND));

    let announce = |inspector: &mut Inspector, channel, bytes| {
        let source = "127.0.0.1:3863".parse().unwrap();
        inspector.handle_event(Instant::ORIGIN, Event::Announce { channel, source, bytes });
        inspector.outbox.take_actions()
    };
    let announcement = AsapMessage::ServerAnnounce {
        registrar: RegistrarId(7),
        transports: vec![],
        encapsulation: Some(EncapsulationPorts { user: 20001, asap: 0 }),
    };
    let announcement = announcement.encode(Padding::Padded).unwrap();
    assert_eq!(announce(&mut inspector, Channel::Enrp, announcement.clone()), []);
    assert_eq!(announce(&mut inspector, Channel::Asap, Bytes::from_static(b"nonsense")), []);
    let connect = Action::Connect {
        request: ConnectId(1),
        local_port: SctpPort(0),
        peer: registrar().into(),
        deadline: Instant::ORIGIN + SECOND,
    };
    assert_eq!(announce(&mut inspector, Channel::Asap, announcement.clone()), [connect]);
    assert_eq!(inspector.poll_timeout(), None);
    assert_eq!(announce(&mut inspector, Channel::Asap, announcement), [], "the first one counts");

    let mut alone = Inspector::new(config(None), Instant::ORIGIN);
    alone.handle_command(Instant::ORIGIN, CommandId(1), Command::Handlespace);
    alone.handle_timeout(Instant::ORIGIN + SECOND);
    assert_eq!(alone.poll_output(), failed(Command::Handlespace, InspectError::Unannounced));
    alone.begin_shutdown(Instant::ORIGIN, Instant::ORIGIN + SECOND);
    assert!(alone.is_stopped());
}

#[test]
fn counters_are_read() {
    let mut inspector = inspector();
    let bytes = Bytes::from_static(COUNTERS_REQUEST);
    let question = Action::Send { association: LINK, protocol: ProtocolId::MANAGEMENT, stream: 0, bytes };
    assert_eq!(asked(&mut inspector, Command::Counters), [question]);
    message_from(&mut inspector, ProtocolId::MANAGEMENT, Bytes::from_static(b"a 1\nb 20\n"));
    let counters = Answer::Counters(Ok(vec![("a".into(), 1), ("b".into(), 20)]));
    assert_eq!(inspector.poll_output(), Some(Output::Answer(CommandId(1), counters)));
}

#[test]
fn peers_are_read() {
    let question =
        |bytes| Action::Send { association: LINK, protocol: ProtocolId::MANAGEMENT, stream: 0, bytes };
    let ask = |answer: String| {
        let mut inspector = inspector();
        let sent = asked(&mut inspector, Command::Peers);
        assert_eq!(sent, [question(Bytes::from_static(PEERS_REQUEST))]);
        message_from(&mut inspector, ProtocolId::MANAGEMENT, answer.into());
        inspector.poll_output()
    };
    let peer = PeerStatus {
        id: RegistrarId(2),
        state: PeerState::TakingOver,
        connected: true,
        elements: 3,
        checksum: 0x1234,
        announced_checksum: None,
        address: Some(
            SctpAddress::new(IpAddr::V4(Ipv4Addr::LOCALHOST), SctpPort(9901), UdpPort(20002)).into(),
        ),
    };
    let line = "0x2\tbeing taken over\ttrue\t3\t0x1234\t-\t127.0.0.1:20002/9901";
    let told = |peers| Some(Output::Answer(CommandId(1), Answer::Peers(Ok(peers))));
    assert_eq!(ask(alloc::format!("{PEERS_HEADER}\n{line}\n")), told(vec![peer]));
    assert_eq!(ask(alloc::format!("{PEERS_HEADER}\n")), told(vec![]));
    let refused = failed(Command::Peers, InspectError::Unintelligible(registrar()));
    assert_eq!(ask(line.into()), refused);
    assert_eq!(ask(alloc::format!("{PEERS_HEADER}\n0x2\tactive\n")), refused);
    let error = ReportError { field: "state", text: "asleep".into() };
    let unreadable = failed(Command::Peers, InspectError::Unreadable { registrar: registrar(), error });
    assert_eq!(
        ask(alloc::format!("{PEERS_HEADER}\n{}\n", line.replace("being taken over", "asleep"))),
        unreadable
    );
}

#[test]
fn every_way_to_fail_is_told_apart() {
    let mut silent = inspector();
    asked(&mut silent, Command::Counters);
    silent.handle_timeout(Instant::ORIGIN + SECOND);
    assert_eq!(silent.poll_output(), failed(Command::Counters, InspectError::Unanswered(registrar())));
    assert_eq!(silent.outbox.take_actions(), [Action::Abort { association: LINK, cause: AbortCause::User }]);

    let mut dead = inspector();
    dead.handle_command(Instant::ORIGIN, CommandId(1), Command::Counters);
    let event = Event::ConnectFailed { request: ConnectId(1), reason: ConnectError::TimedOut };
    dead.handle_event(Instant::ORIGIN, event);
    assert_eq!(dead.poll_output(), failed(Command::Counters, InspectError::Unreachable(registrar())));

    let mut dying = inspector();
    asked(&mut dying, Command::Handlespace);
    let event =
        Event::Disconnected { association: LINK, reason: DownReason::Aborted(AbortReason::default()) };
    dying.handle_event(Instant::ORIGIN, event);
    assert_eq!(dying.poll_output(), failed(Command::Handlespace, InspectError::Unreachable(registrar())));

    let mut unwilling = inspector();
    asked(&mut unwilling, Command::Handlespace);
    answer(&mut unwilling, EnrpBody::ListResponse { rejected: true, servers: vec![] });
    assert_eq!(unwilling.poll_output(), failed(Command::Handlespace, InspectError::Refused(registrar())));

    let mut babbling = inspector();
    asked(&mut babbling, Command::Handlespace);
    message_from(&mut babbling, ProtocolId::ENRP, Bytes::from_static(b"nonsense"));
    assert_eq!(
        babbling.poll_output(),
        failed(Command::Handlespace, InspectError::Unintelligible(registrar()))
    );

    let mut mumbling = inspector();
    asked(&mut mumbling, Command::Counters);
    message_from(&mut mumbling, ProtocolId::MANAGEMENT, Bytes::from_static(b"nonsense"));
    assert_eq!(mumbling.poll_output(), failed(Command::Counters, InspectError::Unintelligible(registrar())));
}

/// A registrar that announces more pages and sends empty ones would keep the inspector for ever.
#[test]
fn an_endless_table_is_given_up() {
    let mut inspector = inspector();
    asked(&mut inspector, Command::Handlespace);
    answer(&mut inspector, EnrpBody::ListResponse { rejected: false, servers: vec![] });
    let page = EnrpBody::HandleTableResponse { rejected: false, more: true, pools: vec![] };
    assert_eq!(answer(&mut inspector, page), []);
    assert_eq!(
        inspector.poll_output(),
        failed(Command::Handlespace, InspectError::Unintelligible(registrar()))
    );
}

/// A message that a foreign registrar sends unasked is not an answer.
#[test]
fn other_messages_are_no_answer() {
    let mut inspector = inspector();
    asked(&mut inspector, Command::Handlespace);
    let error = EnrpBody::Error { error: ErrorCause::bare(CauseCode::UNSPECIFIED).into() };
    assert_eq!(answer(&mut inspector, error), []);
    assert_eq!(inspector.poll_output(), None);
}

#[test]
fn a_shutdown_ends_questions_and_the_association() {
    let mut inspector = inspector();
    asked(&mut inspector, Command::Handlespace);
    let deadline = Instant::ORIGIN + SECOND;
    inspector.begin_shutdown(Instant::ORIGIN, deadline);
    assert_eq!(inspector.poll_output(), failed(Command::Handlespace, InspectError::Busy));
    assert_eq!(inspector.outbox.take_actions(), [Action::Shutdown { association: LINK, deadline }]);
    let event = Event::Disconnected { association: LINK, reason: DownReason::Local };
    inspector.handle_event(Instant::ORIGIN, event);
    assert_eq!(inspector.poll_output(), Some(Output::Notice(Notice::Stopped)));
    assert!(inspector.is_stopped());
}
