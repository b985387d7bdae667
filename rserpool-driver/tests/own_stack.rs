//! A third carrier: a stack of the test's own, whose messages travel over channels in memory, runs under the
//! event loop as it is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use async_channel::{Receiver, Sender, unbounded};
use bytes::Bytes;
use futures_lite::Stream;
use rserpool_blocking::{
    ElementEvent, PoolElement, PoolUser, Preset, ProtocolId, Registrar, SessionEvent, Wait,
};
use rserpool_core::base::{
    AssociationId, ConnectId, Instant, SctpAddress, SctpPort, TransportAddress, UdpPort,
};
use rserpool_core::endpoint::{Action, ConnectError, Connected, DownReason, Endpoint, Event, Origin};
use rserpool_driver::{Intake, Io};
use rserpool_transport::Stack;
use rserpool_transport::node::Node;

/// Names a link at both of its ends: the end that has opened it, and a number of that end's choice.
type Link = (SocketAddr, u64);

/// What travels.
enum Frame {
    Open { link: Link, from_port: SctpPort, to_port: SctpPort },
    Accepted(Link),
    Refused(Link),
    Message { link: Link, protocol: ProtocolId, stream: u16, bytes: Bytes },
    Closed(Link),
}

/// An attempt to open a link.
struct Attempt {
    request: ConnectId,
    local_port: SctpPort,
    peer: TransportAddress,
    deadline: Instant,
}

/// A stack without packets: a frame arrives whole, once, and in its order, or its receiver is gone.
struct InMemory {
    here: SocketAddr,
    listening: BTreeSet<SctpPort>,
    attempts: BTreeMap<Link, Attempt>,
    names: BTreeMap<Link, AssociationId>,
    links: BTreeMap<AssociationId, (Link, SocketAddr)>,
    events: VecDeque<Event>,
    frames: VecDeque<(SocketAddr, Frame)>,
    last: u64,
}

impl InMemory {
    fn new(here: SocketAddr) -> Self {
        Self {
            here,
            listening: BTreeSet::new(),
            attempts: BTreeMap::new(),
            names: BTreeMap::new(),
            links: BTreeMap::new(),
            events: VecDeque::new(),
            frames: VecDeque::new(),
            last: 0,
        }
    }

    fn handle_frame(&mut self, from: SocketAddr, frame: Frame) {
        match frame {
            Frame::Open { link, from_port, to_port } if self.listening.contains(&to_port) => {
                self.frames.push_back((from, Frame::Accepted(link)));
                let peer = SctpAddress::new(from.ip(), from_port, UdpPort(from.port()));
                self.connected(link, from, Origin::Peer, to_port, peer);
            }
            Frame::Open { link, .. } => self.frames.push_back((from, Frame::Refused(link))),
            Frame::Accepted(link) => match self.attempts.remove(&link) {
                Some(Attempt { request, local_port, peer, .. }) => {
                    self.connected(link, from, Origin::Attempt(request), local_port, peer);
                }
                None => self.frames.push_back((from, Frame::Closed(link))),
            },
            Frame::Refused(link) => {
                if let Some(Attempt { request, .. }) = self.attempts.remove(&link) {
                    self.events.push_back(Event::ConnectFailed { request, reason: ConnectError::Refused });
                }
            }
            Frame::Message { link, protocol, stream, bytes } => {
                if let Some(association) = self.names.get(&link).copied() {
                    self.events.push_back(Event::Message { association, protocol, stream, bytes });
                }
            }
            Frame::Closed(link) => {
                if let Some(association) = self.names.get(&link).copied() {
                    self.ended(association, DownReason::PeerShutdown);
                }
            }
        }
    }

    fn connected(
        &mut self,
        link: Link,
        with: SocketAddr,
        origin: Origin,
        local_port: SctpPort,
        peer: impl Into<TransportAddress>,
    ) {
        self.last += 1;
        let association = AssociationId::sctp(self.last);
        self.names.insert(link, association);
        self.links.insert(association, (link, with));
        self.events.push_back(Event::Connected(Connected::new(association, origin, local_port, peer)));
    }

    fn ended(&mut self, association: AssociationId, reason: DownReason) -> Option<(Link, SocketAddr)> {
        let (link, with) = self.links.remove(&association)?;
        self.names.remove(&link);
        self.events.push_back(Event::Disconnected { association, reason });
        Some((link, with))
    }
}

impl Stack for InMemory {
    fn listen(&mut self, local_port: SctpPort) {
        self.listening.insert(local_port);
    }

    fn stop_listening(&mut self) {
        self.listening.clear();
    }

    fn handle_action(&mut self, _: Instant, action: Action) {
        match action {
            Action::Connect { request, local_port, peer, deadline } => {
                let Some((to, to_port)) =
                    peer.as_sctp().and_then(|peer| Some((peer.sockets().next()?, peer.port)))
                else {
                    self.events.push_back(Event::ConnectFailed { request, reason: ConnectError::NoRoute });
                    return;
                };
                self.last += 1;
                let link = (self.here, self.last);
                self.attempts.insert(link, Attempt { request, local_port, peer, deadline });
                self.frames.push_back((to, Frame::Open { link, from_port: local_port, to_port }));
            }
            Action::CancelConnect { request } => {
                self.attempts.retain(|_, attempt| attempt.request != request);
            }
            Action::Send { association, protocol, stream, bytes } => {
                if let Some((link, with)) = self.links.get(&association).copied() {
                    self.frames.push_back((with, Frame::Message { link, protocol, stream, bytes }));
                }
            }
            Action::Shutdown { association, .. } | Action::Abort { association, .. } => {
                if let Some((link, with)) = self.ended(association, DownReason::Local) {
                    self.frames.push_back((with, Frame::Closed(link)));
                }
            }
            Action::Hold { .. } | Action::Release { .. } | Action::Announce { .. } => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        let Self { attempts, events, .. } = self;
        attempts.retain(|_, attempt| {
            let late = attempt.deadline <= now;
            if late {
                let (request, reason) = (attempt.request, ConnectError::TimedOut);
                events.push_back(Event::ConnectFailed { request, reason });
            }
            !late
        });
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.attempts.values().map(|attempt| attempt.deadline).min()
    }

    fn associations(&self) -> usize {
        self.links.len() + self.attempts.len()
    }
}

/// The inboxes of all ends.
type Hub = Arc<Mutex<BTreeMap<SocketAddr, Sender<(SocketAddr, Frame)>>>>;

/// One place at the hub.
struct Plug {
    here: SocketAddr,
    hub: Hub,
    inbox: Pin<Box<Receiver<(SocketAddr, Frame)>>>,
}

impl Plug {
    fn new(hub: &Hub, here: SocketAddr) -> Self {
        let (sender, inbox) = unbounded();
        hub.lock().expect("nothing panics while it holds the lock").insert(here, sender);
        Self { here, hub: Arc::clone(hub), inbox: Box::pin(inbox) }
    }
}

impl Io<InMemory> for Plug {
    fn flush<E: Endpoint>(&mut self, node: &mut Node<E, InMemory>, now: Instant, _: &mut Context<'_>) {
        let hub = self.hub.lock().expect("nothing panics while it holds the lock");
        for (to, frame) in node.with_stack(now, |stack| std::mem::take(&mut stack.frames)) {
            if let Some(inbox) = hub.get(&to) {
                let _ = inbox.try_send((self.here, frame));
            }
        }
    }

    fn is_flushed(&self) -> bool {
        true
    }

    fn receive<E: Endpoint>(
        &mut self,
        node: &mut Node<E, InMemory>,
        intake: Intake,
        now: Instant,
        context: &mut Context<'_>,
    ) -> bool {
        if intake == Intake::Closed {
            return false;
        }
        let Poll::Ready(Some((from, frame))) = self.inbox.as_mut().poll_next(context) else { return false };
        node.with_stack(now, |stack| stack.handle_frame(from, frame));
        true
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

#[test]
fn a_pool_works_over_a_carrier_that_the_event_loop_does_not_know() {
    const GRACE: Duration = Duration::from_secs(2);
    let hub = Hub::default();
    let [registrar_at, element_at, user_at] = [1, 2, 3].map(|n| SocketAddr::from(([192, 0, 2, n], 1000)));
    let plug = |at| (InMemory::new(at), Plug::new(&hub, at));

    let (stack, io) = plug(registrar_at);
    let registrar = Registrar::builder().carried_by(registrar_at, stack, io).start().wait().unwrap();
    assert_eq!(registrar.local_addr(), registrar_at);
    let (stack, io) = plug(element_at);
    let element = PoolElement::builder("EchoPool")
        .registrar(registrar_at)
        .preset(Preset::Fast)
        .carried_by(element_at, stack, io)
        .start()
        .wait()
        .unwrap();
    while !matches!(element.next_event().wait(), Some(ElementEvent::Registered { .. })) {}
    let echo = element.clone();
    let serving = std::thread::spawn(move || {
        while let Some(event) = echo.next_event().wait() {
            if let ElementEvent::Received { session, protocol, bytes, .. } = event {
                echo.send(session, protocol, bytes).wait().unwrap();
            }
        }
    });

    let (stack, io) = plug(user_at);
    let user =
        PoolUser::builder().registrar(registrar_at).carried_by(user_at, stack, io).start().wait().unwrap();
    let session = user.connect("EchoPool").wait().unwrap();
    session.request(ProtocolId(0), "hello").wait().unwrap();
    let answer = std::iter::from_fn(|| session.next_event().wait()).find_map(|event| match event {
        SessionEvent::Received { bytes, .. } => Some(bytes),
        _ => None,
    });
    assert_eq!(answer.as_deref(), Some(&b"hello"[..]));

    user.shutdown(GRACE).wait();
    element.shutdown(GRACE).wait();
    registrar.shutdown(GRACE).wait();
    serving.join().unwrap();
}
