//! Scripts of the user, with virtual time: exact actions and notices for every event.

mod calls;
mod cards;
mod cookies;
mod failover;
mod random;
mod resolution;
mod selection;
mod sessions;
mod silence;
mod slow;
mod standby;
mod watches;

use alloc::vec;
use alloc::vec::Vec;

use super::{
    Answer, Awaited, Command, Delivery, FailureReason, MAX_UNANSWERED, Message, Notice, Open, Opened,
    RequestId, RequestLimits, Resolve, SessionId, UnansweredReason, User, UserConfig, UserError,
};
use crate::base::{
    AssociationId, CommandId, ConnectId, ElementId, PoolHandle, ProtocolId, RegistrarId, SctpAddress,
    SctpPort, TransportAddress, UdpPort,
};
use crate::element::Refusal;
use crate::endpoint::hunt::HuntConfig;
use crate::endpoint::testing::{
    DATA, abort, asap, at, cancel, connect, connect_failed, connected, data, disconnected,
    drain as drain_all, heard, ip, ms, registrar, shutdown,
};
use crate::endpoint::{AbortReason, Action, ConnectError, DownReason, Endpoint, Event, MAX_MESSAGE, Output};
use crate::wire::{
    AsapMessage, CauseCode, EncapsulationPorts, ErrorCause, OperationError, Policy, PoolElement,
    RegistrationLife, SctpTransport, Transport, TransportUse,
};

/// The association with the registrar in most scripts.
const HOME: u64 = 1;

type Step = (Vec<Action>, Vec<Output<Answer, Notice>>);

/// The fast preset: stagger 50 ms, connect 150 ms, retry 50 ms; but T1 is 100 ms
/// and a round of the hunt lasts 50 ms.
fn config(registrars: &[u8]) -> UserConfig {
    let registrars = registrars.iter().copied().map(registrar).collect();
    let hunt = HuntConfig { timeout: ms(50), timeout_max: ms(50), ..HuntConfig::fast(registrars) };
    UserConfig { request_timeout: ms(100), hunt, ..UserConfig::fast(1) }
}

fn user(registrars: &[u8]) -> User {
    User::new(config(registrars))
}

/// A user with one session, number 1, opened by command 1, with element 1 over association 2.
/// Elements 1 to `elements` are in the cache since 2 ms.
fn serving(elements: &[u32]) -> User {
    let mut user = user(&[1]);
    let step = command(&mut user, 0, 1, Command::Open(Open::new("pool".into())));
    assert_eq!(step, (vec![connect(1, 0, registrar(1), at(50))], vec![]));
    assert_eq!(event(&mut user, 1, connected(HOME, Some(1), registrar(1))), (vec![question(HOME)], vec![]));
    let step = event(&mut user, 2, resolved(HOME, elements));
    assert_eq!(step, (vec![connect(2, 0, place(1), at(152))], vec![]));
    let opened = Opened { session: SessionId(1), element: ElementId(1), peer: place(1) };
    let step = event(&mut user, 3, connected(2, Some(2), place(1)));
    assert_eq!(step, (vec![], vec![Output::Answer(CommandId(1), Answer::Opened(Ok(opened)))]));
    user
}

/// What the user does and says; but what becomes of the registrar is in scripts of its own, not in all of them.
fn drain(user: &mut User) -> Step {
    let (actions, mut outputs) = drain_all(user);
    let apart =
        |notice: &Notice| matches!(notice, Notice::RegistrarFound { .. } | Notice::RegistrarLost { .. });
    outputs.retain(|output| !matches!(output, Output::Notice(notice) if apart(notice)));
    (actions, outputs)
}

fn event(user: &mut User, now: u64, event: Event) -> Step {
    user.handle_event(at(now), event);
    drain(user)
}

fn command(user: &mut User, now: u64, id: u64, command: Command) -> Step {
    user.handle_command(at(now), CommandId(id), command);
    drain(user)
}

/// Lets the next deadline expire, which must be at `now`.
fn expire(user: &mut User, now: u64) -> Step {
    assert_eq!(user.poll_timeout(), Some(at(now)));
    user.handle_timeout(at(now));
    drain(user)
}

/// Sends request `id` within session 1.
fn send(user: &mut User, now: u64, delivery: Delivery, bytes: &'static str) -> Step {
    let session = SessionId(1);
    command(user, now, 9, Command::Send(Message::new(session, DATA, bytes).delivery(delivery)))
}

fn retry(id: u64) -> Delivery {
    Delivery::Retry(RequestId(id))
}

fn accepted(actions: Vec<Action>) -> Step {
    (actions, vec![Output::Answer(CommandId(9), Answer::Done(Ok(())))])
}

fn noted(actions: Vec<Action>) -> Step {
    (actions, vec![Output::Answer(CommandId(9), Answer::Noted)])
}

fn refused(refusal: Refusal) -> Step {
    (vec![], vec![Output::Answer(CommandId(9), Answer::Done(Err(refusal)))])
}

fn answered(user: &mut User, now: u64, id: u64) -> Step {
    command(user, now, 9, Command::Answered { session: SessionId(1), request: RequestId(id) })
}

fn question(association: u64) -> Action {
    question_for(association, "pool", None)
}

fn question_for(association: u64, handle: &str, items: Option<u32>) -> Action {
    asap(association, &AsapMessage::HandleResolution { handle: handle.into(), subscribe: false, items })
}

fn resolved(association: u64, elements: &[u32]) -> Event {
    heard(association, &answer("pool", elements.iter().copied().map(element).collect()))
}

fn answer(handle: &str, elements: Vec<PoolElement>) -> AsapMessage {
    AsapMessage::HandleResolutionResponse {
        updates: false,
        handle: handle.into(),
        policy: Some(Policy::RoundRobin),
        elements,
        error: None,
    }
}

fn refusal_of(association: u64, handle: &str, code: CauseCode) -> Event {
    let message = AsapMessage::HandleResolutionResponse {
        updates: false,
        handle: handle.into(),
        policy: None,
        elements: vec![],
        error: Some(ErrorCause::bare(code).into()),
    };
    heard(association, &message)
}

fn report(association: u64, element: u32) -> Action {
    let element = ElementId(element);
    asap(association, &AsapMessage::EndpointUnreachable { handle: "pool".into(), element })
}

/// Element `id` at 10.0.1.`id`, SCTP port 7, UDP port 40,000 + `id`.
fn element(id: u32) -> PoolElement {
    let SctpAddress { addresses, port: SctpPort(port), udp_port: UdpPort(udp_port) } = sctp_place(id);
    PoolElement {
        id: ElementId(id),
        home: RegistrarId(1),
        life: RegistrationLife(300),
        user_transport: Transport::Sctp(SctpTransport {
            port,
            usage: TransportUse::DataPlusControl,
            addresses: addresses.into(),
        }),
        policy: Policy::RoundRobin,
        asap_transport: None,
        encapsulation: Some(EncapsulationPorts { user: udp_port, asap: udp_port }),
    }
}

fn place(id: u32) -> TransportAddress {
    sctp_place(id).into()
}

fn sctp_place(id: u32) -> SctpAddress {
    SctpAddress::new([10, 0, 1, id as u8].into(), SctpPort(7), UdpPort(40_000 + id as u16))
}

fn element_failed(element: u32, reason: FailureReason) -> Output<Answer, Notice> {
    Output::Notice(Notice::ElementFailed { session: SessionId(1), element: ElementId(element), reason })
}

fn failed_over(from: u32, to: u32, resent: &[u64]) -> Output<Answer, Notice> {
    handed_over(from, to, false, resent)
}

fn handed_over(from: u32, to: u32, cookie_echoed: bool, resent: &[u64]) -> Output<Answer, Notice> {
    let resent = resent.iter().copied().map(RequestId).collect();
    let (from, to, peer) = (ElementId(from), ElementId(to), place(to));
    Output::Notice(Notice::FailedOver { session: SessionId(1), from, to, peer, cookie_echoed, resent })
}

fn unanswered(request: u64, reason: UnansweredReason) -> Output<Answer, Notice> {
    Output::Notice(Notice::Unanswered { session: SessionId(1), request: RequestId(request), reason })
}

fn closed(error: Option<UserError>) -> Output<Answer, Notice> {
    Output::Notice(Notice::Closed { session: SessionId(1), error })
}
