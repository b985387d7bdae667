//! The crate sctp-proto without anything of ours, behind the same trait so that it is driven alike.
//!
//! One association, one stream; good for measurements only.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, Instant, ProtocolId, SctpAddress, SctpPort, UdpPort};
use rserpool_core::endpoint::{Action, Connected, Event, Origin};
use rserpool_transport::sctp::SctpConfig;
use rserpool_transport::{Datagram, Datagrams, Stack};
use sctp_proto::{
    Association, AssociationHandle, ClientConfig, DatagramEvent, Endpoint, EndpointConfig, Payload,
    PayloadProtocolIdentifier, ServerConfig, StreamEvent, Transmit, TransportConfig,
};

/// The library with one association.
pub(super) struct Alone {
    endpoint: Endpoint,
    transport: Arc<TransportConfig>,
    association: Option<(AssociationHandle, Association)>,
    origin: std::time::Instant,
    now: Instant,
    events: VecDeque<Event>,
    packets: VecDeque<Datagram>,
    congested: bool,
}

/// Octets queued at which its user has to wait, and those at which it goes on: as our stack has it.
const FULL: usize = 1 << 20;
const LOW: usize = FULL / 2;

const ID: AssociationId = AssociationId::sctp(1);
const BINARY: PayloadProtocolIdentifier = PayloadProtocolIdentifier::Binary;

impl Alone {
    pub(super) fn new(config: &SctpConfig) -> Self {
        let transport = TransportConfig::default().with_max_receive_buffer_size(config.receive_buffer);
        let transport = Arc::new(transport);
        let mut server = ServerConfig::new();
        server.transport = Arc::clone(&transport);
        Self {
            endpoint: Endpoint::new(Arc::new(EndpointConfig::new()), Some(Arc::new(server))),
            transport,
            association: None,
            origin: std::time::Instant::now(),
            now: Instant::ORIGIN,
            events: VecDeque::new(),
            packets: VecDeque::new(),
            congested: false,
        }
    }

    fn clock(&self, at: Instant) -> std::time::Instant {
        self.origin + at.since(Instant::ORIGIN)
    }

    fn events(&mut self) {
        let Some((handle, association)) = &mut self.association else { return };
        while let Some(event) = association.poll_endpoint_event() {
            if let Some(event) = self.endpoint.handle_event(*handle, event) {
                association.handle_event(event);
            }
        }
        while let Some(event) = association.poll() {
            match event {
                sctp_proto::Event::Connected => {
                    let _ = association.open_stream(0, BINARY);
                    let remote = association.remote_addr();
                    self.events.push_back(Event::Connected(Connected::new(
                        ID,
                        Origin::Peer,
                        SctpPort(0),
                        SctpAddress::new(remote.ip(), SctpPort(0), UdpPort(remote.port())),
                    )));
                }
                sctp_proto::Event::Stream(StreamEvent::Readable { id }) => {
                    let Ok(mut stream) = association.stream(id) else { continue };
                    while let Ok(Some(chunks)) = stream.read_sctp() {
                        let mut message = vec![0; chunks.len()];
                        let _ = chunks.read(&mut message);
                        self.events.push_back(Event::Message {
                            association: ID,
                            protocol: ProtocolId(0),
                            stream: id,
                            bytes: message.into(),
                        });
                    }
                }
                _ => {}
            }
        }
        while association.accept_stream().is_some() {}
        if self.congested && queued(association) <= LOW {
            self.congested = false;
            self.events.push_back(Event::Drained { association: ID });
        }
    }
}

fn queued(association: &mut Association) -> usize {
    association.stream(0).and_then(|stream| stream.buffered_amount()).unwrap_or(0)
}

fn packets(transmit: Transmit) -> Vec<Datagram> {
    let destination = transmit.remote;
    let Payload::RawEncode(packets) = transmit.payload else { return Vec::new() };
    packets.into_iter().map(|bytes| Datagram { destination, bytes }).collect()
}

impl Datagrams for Alone {
    fn handle_datagram(&mut self, now: Instant, source: SocketAddr, bytes: Bytes) {
        self.now = now;
        let clock = self.clock(now);
        match self.endpoint.handle(clock, source, None, None, bytes) {
            Some((handle, DatagramEvent::NewAssociation(association))) => {
                self.association = Some((handle, association));
            }
            Some((_, DatagramEvent::AssociationEvent(event))) => {
                if let Some((_, association)) = &mut self.association {
                    association.handle_event(event);
                }
            }
            None => {}
        }
        self.events();
    }

    fn poll_datagram(&mut self) -> Option<Datagram> {
        let clock = self.clock(self.now);
        while let Some(transmit) = self.endpoint.poll_transmit() {
            self.packets.extend(packets(transmit));
        }
        if self.packets.is_empty()
            && let Some((_, association)) = &mut self.association
            && let Some(transmit) = association.poll_transmit(clock)
        {
            self.packets.extend(packets(transmit));
        }
        self.packets.pop_front()
    }
}

impl Stack for Alone {
    fn listen(&mut self, _: SctpPort) {}

    fn stop_listening(&mut self) {}

    fn handle_action(&mut self, now: Instant, action: Action) {
        self.now = now;
        match action {
            Action::Connect { peer, .. } => {
                let mut config = ClientConfig::new();
                config.transport = Arc::clone(&self.transport);
                let Some(remote) = peer.sockets().next() else { return };
                self.association = self.endpoint.connect(config, remote).ok();
            }
            Action::Send { bytes, .. } => {
                let Some((_, association)) = &mut self.association else { return };
                if let Ok(mut stream) = association.stream(0) {
                    let _ = stream.write_sctp(&bytes, BINARY);
                }
                if !self.congested && queued(association) >= FULL {
                    self.congested = true;
                    self.events.push_back(Event::Congested { association: ID });
                }
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        let clock = self.clock(now);
        if let Some((_, association)) = &mut self.association {
            association.handle_timeout(clock);
        }
        self.events();
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let (_, association) = self.association.as_ref()?;
        association.poll_timeout().map(|at| Instant::ORIGIN + at.saturating_duration_since(self.origin))
    }

    fn associations(&self) -> usize {
        usize::from(self.association.is_some())
    }
}
