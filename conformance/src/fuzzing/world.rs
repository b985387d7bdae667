//! The world around one endpoint: a transport that keeps its side of the contract, and watches
//! whether the endpoint keeps its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{
    AssociationId, CommandId, ConnectId, Instant, ProtocolId, SctpAddress, SctpPort, TcpAddress,
    TransportAddress, UdpPort,
};
use rserpool_core::endpoint::{
    AbortReason, Action, CallFrame, CallId, Channel, ConnectError, Connected, DownReason, Endpoint, Event,
    MAX_MESSAGE, Output,
};
use rserpool_core::wire::{AsapMessage, EnrpMessage};

use super::input::Input;
use super::invent;

/// How many inputs one run has at most, and how long it lasts: the fuzzer finds more in many short
/// runs.
const MAX_STEPS: usize = 400;
const MAX_TIME: Duration = Duration::from_secs(1_800);

/// How many calls are remembered.
const MAX_CALLS: usize = 4;

/// An attempt to connect that is under way.
struct Attempt {
    local_port: u16,
    peer: TransportAddress,
    deadline: Instant,
}

pub(super) struct World<E: Endpoint> {
    pub(super) endpoint: E,
    pub(super) now: Instant,
    /// Time passes until then.
    end: Instant,
    /// Associations that are up, with the deadline of those that are being closed.
    associations: BTreeMap<AssociationId, Option<Instant>>,
    /// Associations that the endpoint has aborted, and has not been told that they are gone.
    aborted: Vec<AssociationId>,
    attempts: BTreeMap<ConnectId, Attempt>,
    last_attempt: Option<ConnectId>,
    last_association: u64,
    commands: u64,
    unanswered: BTreeSet<CommandId>,
    /// The names of the calls that the endpoint has spoken of last.
    calls: Vec<CallId>,
    /// The SCTP ports on which peers can come.
    ports: &'static [u16],
    /// Whether to print what happens (environment variable FUZZ_TRACE).
    trace: bool,
}

pub(super) fn ip(last: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, last).into()
}

impl<E: Endpoint> World<E>
where
    E::Answer: Debug,
    E::Notice: Debug,
{
    pub(super) fn new(endpoint: E, ports: &'static [u16]) -> Self {
        let mut world = Self {
            endpoint,
            now: Instant::ORIGIN,
            end: Instant::ORIGIN + MAX_TIME,
            associations: BTreeMap::new(),
            aborted: Vec::new(),
            attempts: BTreeMap::new(),
            last_attempt: None,
            last_association: 0,
            commands: 0,
            unanswered: BTreeSet::new(),
            calls: Vec::new(),
            ports,
            trace: std::env::var_os("FUZZ_TRACE").is_some(),
        };
        world.settle();
        world
    }

    /// Plays the input to its end, then lets the endpoint leave. `check` looks at it after every
    /// step, `command` makes commands out of the input.
    pub(super) fn play(
        mut self,
        mut input: Input<'_>,
        command: impl Fn(&mut Input<'_>) -> E::Command,
        check: impl Fn(&E),
    ) {
        for _ in 0..MAX_STEPS {
            if input.is_empty() {
                break;
            }
            self.step(&mut input, &command);
            check(&self.endpoint);
        }
        self.leave();
    }

    /// Everything that can happen.
    fn step(&mut self, input: &mut Input<'_>, command: &impl Fn(&mut Input<'_>) -> E::Command) {
        match input.below(20) {
            0 | 1 => {
                let port = self.ports[usize::from(input.u8()) % self.ports.len()];
                let place = input.u8();
                let peer =
                    SctpAddress::new(ip(place % 6), SctpPort(5000 + u16::from(place % 3)), UdpPort(9899));
                self.connected(None, port, peer.into());
            }
            2 | 3 => {
                if let Some((request, attempt)) = self.take_attempt(input.u8()) {
                    self.connected(Some(request), attempt.local_port, attempt.peer);
                }
            }
            4 => {
                let reasons = [
                    ConnectError::TimedOut,
                    ConnectError::Refused,
                    ConnectError::NoRoute,
                    ConnectError::TooMany,
                    ConnectError::InUse,
                ];
                let reason = reasons[usize::from(input.below(5))].clone();
                if let Some((request, _)) = self.take_attempt(input.u8()) {
                    self.event(Event::ConnectFailed { request, reason });
                }
            }
            5 => {
                let reasons = [
                    DownReason::PeerShutdown,
                    DownReason::Aborted(AbortReason::default()),
                    DownReason::Silent,
                    DownReason::Restarted,
                    DownReason::QueueFull,
                    DownReason::Unreachable,
                ];
                let reason = reasons[usize::from(input.below(6))].clone();
                if let Some(association) = self.pick(input.u8()) {
                    self.disconnected(association, reason);
                }
            }
            6 => self.message(input, ProtocolId::ASAP, |input| Bytes::copy_from_slice(input.octets())),
            7 => self.message(input, ProtocolId::ENRP, |input| Bytes::copy_from_slice(input.octets())),
            8 | 9 => self.message(input, ProtocolId::ASAP, |input| invent::asap(input.octets())),
            10 | 11 => {
                self.message(input, ProtocolId::ENRP, |input| invent::enrp(input.u8(), input.octets()));
            }
            12 => {
                let protocol = [ProtocolId(0), ProtocolId(7_777), ProtocolId::MANAGEMENT, ProtocolId::CALL]
                    [usize::from(input.below(4))];
                let calls = std::mem::take(&mut self.calls);
                self.message(input, protocol, |input| match protocol {
                    ProtocolId::CALL => invent::call(&calls, input.u8(), input.octets()),
                    _ => Bytes::copy_from_slice(input.octets()),
                });
                // What was said meanwhile is newer.
                self.calls.extend(calls);
            }
            13 => {
                let source = SocketAddr::new(ip(input.below(6)), 3863);
                let bytes = match input.below(4) {
                    0 => Bytes::copy_from_slice(input.octets()),
                    1 => invent::asap(input.octets()),
                    _ => invent::enrp(input.u8(), input.octets()),
                };
                let channel = if input.below(2) == 0 { Channel::Asap } else { Channel::Enrp };
                self.event(Event::Announce { channel, source, bytes });
            }
            14 => {
                let wait = Duration::from_millis(input.u16().into());
                self.advance(self.now + wait);
            }
            15 | 16 => {
                if let Some(deadline) = self.endpoint.poll_timeout() {
                    self.advance(deadline.max(self.now));
                }
            }
            17 | 18 => {
                self.commands += 1;
                let id = CommandId(self.commands);
                self.unanswered.insert(id);
                let command = command(input);
                self.endpoint.handle_command(self.now, id, command);
                self.settle();
            }
            _ => {
                let (association, congested) = (self.pick(input.u8()), input.below(2) == 0);
                if let Some(association) = association {
                    let drained = Event::Drained { association };
                    self.event(if congested { Event::Congested { association } } else { drained });
                }
            }
        }
        self.end_aborted();
    }

    fn message(
        &mut self,
        input: &mut Input<'_>,
        protocol: ProtocolId,
        bytes: impl FnOnce(&mut Input<'_>) -> Bytes,
    ) {
        let association = self.pick(input.u8());
        let bytes = bytes(input);
        // A transport delivers no empty message.
        if let Some(association) = association.filter(|_| !bytes.is_empty()) {
            self.event(Event::Message { association, protocol, stream: 0, bytes });
        }
    }

    fn pick(&self, place: u8) -> Option<AssociationId> {
        let count = self.associations.len().max(1);
        self.associations.keys().nth(usize::from(place) % count).copied()
    }

    fn take_attempt(&mut self, place: u8) -> Option<(ConnectId, Attempt)> {
        let count = self.attempts.len().max(1);
        let request = *self.attempts.keys().nth(usize::from(place) % count)?;
        Some((request, self.attempts.remove(&request)?))
    }

    fn connected(&mut self, request: Option<ConnectId>, local_port: u16, peer: TransportAddress) {
        self.last_association += 1;
        // The packets come from one address, and the transport says which.
        let address = peer.addresses().first().copied().unwrap_or_else(|| ip(1));
        let (association, peer) = match peer {
            TransportAddress::Sctp(sctp) => {
                let peer = SctpAddress::new(address, sctp.port, sctp.udp_port);
                (AssociationId::sctp(self.last_association), TransportAddress::from(peer))
            }
            TransportAddress::Tcp(tcp) => {
                let peer = TransportAddress::tcp(vec![address], tcp.port);
                (AssociationId::tcp(self.last_association), peer)
            }
            TransportAddress::Octets(tcp) => {
                let peer = TransportAddress::Octets(TcpAddress::new(vec![address], tcp.port));
                (AssociationId::tcp(self.last_association), peer)
            }
            other => unreachable!("nobody connects to {other}"),
        };
        self.associations.insert(association, None);
        // A port of our own choice, where the endpoint has left it to us.
        let local_port = if local_port == 0 { 40_000 } else { local_port };
        self.event(Event::Connected(Connected::new(association, request.into(), SctpPort(local_port), peer)));
    }

    fn disconnected(&mut self, association: AssociationId, reason: DownReason) {
        self.associations.remove(&association);
        self.event(Event::Disconnected { association, reason });
    }

    fn event(&mut self, event: Event) {
        self.trace("event", &event);
        self.endpoint.handle_event(self.now, event);
        self.settle();
    }

    fn end_aborted(&mut self) {
        while let Some(association) = self.aborted.pop() {
            self.event(Event::Disconnected { association, reason: DownReason::Local });
        }
    }

    /// Lets time pass; the transport's own deadlines come in between.
    fn advance(&mut self, until: Instant) {
        let until = until.min(self.end).max(self.now);
        loop {
            self.end_aborted();
            let attempt = self.attempts.iter().map(|(id, attempt)| (attempt.deadline, *id)).min();
            let closing = self.associations.iter().filter_map(|(id, at)| Some(((*at)?, *id))).min();
            let next = [attempt.map(|(at, _)| at), closing.map(|(at, _)| at), self.endpoint.poll_timeout()];
            let Some(next) = next.into_iter().flatten().min().filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            if let Some((_, request)) = attempt.filter(|(at, _)| *at <= self.now) {
                self.attempts.remove(&request);
                self.event(Event::ConnectFailed { request, reason: ConnectError::TimedOut });
            } else if let Some((_, association)) = closing.filter(|(at, _)| *at <= self.now) {
                self.disconnected(association, DownReason::Local);
            } else {
                self.trace("timeout", &"");
                self.endpoint.handle_timeout(self.now);
                self.settle();
                let deadline = self.endpoint.poll_timeout();
                assert!(
                    deadline.is_none_or(|deadline| deadline > self.now),
                    "a deadline that was served stays"
                );
            }
        }
        self.now = self.now.max(until);
    }

    /// Carries out what the endpoint wants, and checks that it may want it.
    fn settle(&mut self) {
        while let Some(action) = self.endpoint.poll_action() {
            self.trace("  action", &action);
            match action {
                Action::Connect { request, local_port, peer, deadline } => {
                    assert!(self.last_attempt < Some(request), "names of attempts are never reused");
                    self.last_attempt = Some(request);
                    assert!(deadline > self.now, "there is time to connect");
                    self.attempts.insert(request, Attempt { local_port: local_port.0, peer, deadline });
                }
                Action::CancelConnect { request } => {
                    assert!(self.attempts.remove(&request).is_some(), "only what is under way is cancelled");
                }
                Action::Send { association, protocol, bytes, .. } => {
                    assert!(self.is_known(association), "a message over an association that is gone");
                    assert!((1..=MAX_MESSAGE).contains(&bytes.len()));
                    readable(protocol, &bytes);
                    if protocol == ProtocolId::CALL
                        && let Some(frame) = CallFrame::decode(&bytes)
                    {
                        self.calls.truncate(MAX_CALLS - 1);
                        self.calls.insert(0, frame.call);
                    }
                }
                Action::Hold { association } | Action::Release { association } => {
                    assert!(self.is_known(association), "an association that is gone is held");
                }
                Action::Shutdown { association, deadline } => {
                    assert!(self.is_known(association), "an association that is gone is closed");
                    if let Some(closing) = self.associations.get_mut(&association) {
                        *closing = Some(deadline.max(self.now));
                    }
                }
                Action::Abort { association, .. } => {
                    assert!(self.is_known(association), "an association that is gone is aborted");
                    if self.associations.remove(&association).is_some() {
                        self.aborted.push(association);
                    }
                }
                Action::Announce { channel, bytes } => match channel {
                    Channel::Asap => readable(ProtocolId::ASAP, &bytes),
                    Channel::Enrp => readable(ProtocolId::ENRP, &bytes),
                },
            }
        }
        while let Some(output) = self.endpoint.poll_output() {
            self.trace("  output", &output);
            if let Output::Answer(id, _) = output {
                assert!(self.unanswered.remove(&id), "a command is answered once");
            }
        }
    }

    fn trace(&self, what: &str, value: &impl Debug) {
        if self.trace {
            eprintln!("{:?} {what} {value:?}", self.now);
        }
    }

    fn is_known(&self, association: AssociationId) -> bool {
        self.associations.contains_key(&association) || self.aborted.contains(&association)
    }

    /// Whoever is asked to leave leaves, and owes nothing then.
    fn leave(&mut self) {
        let deadline = self.now + Duration::from_secs(10);
        self.end = deadline + Duration::from_secs(1);
        self.trace("shutdown", &deadline);
        self.endpoint.begin_shutdown(self.now, deadline);
        self.settle();
        for _ in 0..10_000 {
            self.end_aborted();
            if self.endpoint.is_stopped() {
                break;
            }
            let closing = self.associations.values().copied().flatten();
            let attempts = self.attempts.values().map(|attempt| attempt.deadline);
            let next = closing.chain(attempts).chain(self.endpoint.poll_timeout()).min();
            assert!(next.is_some(), "an endpoint that leaves waits for something");
            self.advance(next.unwrap_or(deadline));
        }
        assert!(self.endpoint.is_stopped(), "an endpoint that is asked to leave leaves");
        assert!(self.now <= deadline + Duration::from_secs(1), "it leaves in time");
        assert_eq!(self.endpoint.poll_timeout(), None, "who has stopped waits for nothing");
        assert!(self.attempts.is_empty(), "no attempt outlives the endpoint");
        assert!(self.unanswered.is_empty(), "every command is answered");
    }
}

/// What an endpoint sends, every receiver can read.
fn readable(protocol: ProtocolId, bytes: &Bytes) {
    match protocol {
        ProtocolId::ASAP => {
            let decoded = AsapMessage::decode(bytes);
            assert!(decoded.as_ref().is_ok_and(|decoded| decoded.report.is_empty()), "{decoded:?}");
        }
        ProtocolId::ENRP => {
            let decoded = EnrpMessage::decode(bytes);
            assert!(decoded.as_ref().is_ok_and(|decoded| decoded.report.is_empty()), "{decoded:?}");
        }
        _ => {}
    }
}
