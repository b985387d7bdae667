//! What the tests of the endpoints have in common.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use bytes::Bytes;

use super::{Action, ConnectError, Connected, DownReason, Endpoint, Event, Outbox, OutputOf};
use crate::base::{
    AssociationId, ConnectId, Instant, ProtocolId, SctpAddress, SctpPort, TransportAddress, UdpPort,
};
use crate::wire::{AsapMessage, Padding};

/// A payload protocol identifier of an application.
pub(crate) const DATA: ProtocolId = ProtocolId(7_777);

pub(crate) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The moment so many milliseconds after the origin.
pub(crate) fn at(milliseconds: u64) -> Instant {
    Instant::ORIGIN + ms(milliseconds)
}

pub(crate) fn ip(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
}

/// The registrar at address 10.0.0.`last`.
pub(crate) fn registrar<A: From<SctpAddress>>(last: u8) -> A {
    SctpAddress::new(ip(last), SctpPort(3863), UdpPort(9899)).into()
}

pub(crate) fn encode(message: &AsapMessage) -> Bytes {
    message.encode(Padding::default()).unwrap()
}

pub(crate) fn connect(request: u64, local_port: u16, peer: TransportAddress, deadline: Instant) -> Action {
    Action::Connect { request: ConnectId(request), local_port: SctpPort(local_port), peer, deadline }
}

pub(crate) fn cancel(request: u64) -> Action {
    Action::CancelConnect { request: ConnectId(request) }
}

pub(crate) fn abort(association: u64) -> Action {
    Action::Abort { association: AssociationId::sctp(association), cause: super::AbortCause::User }
}

pub(crate) fn shutdown(association: u64, deadline: Instant) -> Action {
    Action::Shutdown { association: AssociationId::sctp(association), deadline }
}

/// An ASAP message sent.
pub(crate) fn asap(association: u64, message: &AsapMessage) -> Action {
    data(association, ProtocolId::ASAP, encode(message))
}

/// A message sent.
pub(crate) fn data(association: u64, protocol: ProtocolId, bytes: impl Into<Bytes>) -> Action {
    Action::Send { association: AssociationId::sctp(association), protocol, stream: 0, bytes: bytes.into() }
}

pub(crate) fn connected(association: u64, request: Option<u64>, peer: TransportAddress) -> Event {
    let request = request.map(ConnectId);
    Event::Connected(Connected::new(AssociationId::sctp(association), request.into(), SctpPort(7), peer))
}

pub(crate) fn connect_failed(request: u64) -> Event {
    Event::ConnectFailed { request: ConnectId(request), reason: ConnectError::TimedOut }
}

/// An ASAP message received.
pub(crate) fn heard(association: u64, message: &AsapMessage) -> Event {
    received(association, ProtocolId::ASAP, encode(message))
}

/// A message received.
pub(crate) fn received(association: u64, protocol: ProtocolId, bytes: impl Into<Bytes>) -> Event {
    Event::Message { association: AssociationId::sctp(association), protocol, stream: 0, bytes: bytes.into() }
}

pub(crate) fn disconnected(association: u64, reason: DownReason) -> Event {
    Event::Disconnected { association: AssociationId::sctp(association), reason }
}

/// All that an endpoint has ready: actions, answers and notices.
pub(crate) fn drain<E: Endpoint>(endpoint: &mut E) -> (Vec<Action>, Vec<OutputOf<E>>) {
    let actions = core::iter::from_fn(|| endpoint.poll_action()).collect();
    let outputs = core::iter::from_fn(|| endpoint.poll_output()).collect();
    (actions, outputs)
}

impl<A, N> Outbox<A, N> {
    /// All actions, in their order.
    pub(crate) fn take_actions(&mut self) -> Vec<Action> {
        self.actions.drain(..).collect()
    }
}
