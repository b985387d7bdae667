//! The data phase of an association, done by sctp-proto: fragmentation, retransmission,
//! congestion control, reassembly, order. Everything else is done by this stack.
//!
//! sctp-proto can start an association with two INITs exchanged elsewhere (SNAP). It is used
//! that way throughout: the handshake, shutdown, aborts and heartbeats of the library, with the
//! defects they have in version 0.10, never run. It is fed DATA and SACK chunks only, and of
//! what it sends only those two are taken. What it sees of the common header is made up, so
//! that tags of different associations cannot collide in its tables.
//!
//! It knows a few payload protocol identifiers of WebRTC and no others. Inbound, the identifier
//! is put in front of the message's first fragment on its way in, and taken off the whole
//! message. Outbound, the ledger knows which TSN belongs to which message.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use sctp_proto::{
    AssociationHandle, ClientConfig, DatagramEvent, EndpointConfig, EndpointEvent, Event, Payload,
    PayloadProtocolIdentifier, StreamEvent, TransportConfig,
};

use super::chunk::{Data, Init, MAX_FRAGMENT, kind};
use super::clock::Clock;
use super::config::SctpConfig;
use super::packet::{self, CHUNK_HEADER, Chunk, Header};
use crate::base::{Instant, ProtocolId};

/// The library's common part, one for all associations of a stack.
#[derive(Debug)]
pub(super) struct Engine {
    endpoint: sctp_proto::Endpoint,
    transport: Arc<TransportConfig>,
    clock: Clock,
    last_tag: u32,
}

/// The data phase of one association.
#[derive(Debug)]
pub(super) struct Flow {
    handle: AssociationHandle,
    association: Box<sctp_proto::Association>,
    /// The tag that the library takes for ours.
    tag: u32,
}

/// The peer has broken the protocol, or sent a message longer than we take: the flow is dead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken;

/// One message as it came out of the flow.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) protocol: ProtocolId,
    pub(super) stream: u16,
    pub(super) bytes: Bytes,
}

/// Octets of the payload protocol identifier in front of an inbound message.
const PREFIX: usize = 4;

/// The library wants an address for every peer and never looks at it.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9);

/// Two ports, likewise.
const PORT: u16 = 5000;

impl Engine {
    pub(super) fn new(config: &SctpConfig) -> Self {
        let millis = |d: std::time::Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX).max(1);
        let longest = u32::try_from(config.max_message_size + PREFIX).unwrap_or(u32::MAX);
        let transport = TransportConfig::default()
            .with_max_receive_buffer_size(config.receive_buffer)
            .with_max_receive_message_size(longest)
            .with_max_send_message_size(longest)
            .with_max_data_retransmits(None)
            .with_rto_initial_ms(millis(config.rto_initial))
            .with_rto_min_ms(millis(config.rto_min))
            .with_rto_max_ms(millis(config.rto_max))
            .with_local_port(PORT)
            .with_remote_port(PORT);
        let mut endpoint = EndpointConfig::new();
        endpoint.max_payload_size(MAX_FRAGMENT as u32);
        Self {
            // Without a server configuration: no INIT ever gets here.
            endpoint: sctp_proto::Endpoint::new(Arc::new(endpoint), None),
            transport: Arc::new(transport),
            clock: Clock::new(),
            last_tag: 0,
        }
    }

    /// Starts the data phase after a handshake. `None` if the library refuses the values.
    pub(super) fn open(&mut self, local: &Init, peer: &Init) -> Option<Flow> {
        let ours = self.next_tag();
        let theirs = self.next_tag();
        let mut config = ClientConfig::new();
        config.transport = Arc::clone(&self.transport);
        let config =
            config.with_snap(init(Init { tag: ours, ..*local }), init(Init { tag: theirs, ..*peer }));
        let (handle, association) = self.endpoint.connect(config, NOWHERE).ok()?;
        Some(Flow { handle, association: Box::new(association), tag: ours })
    }

    /// Forgets a flow.
    pub(super) fn close(&mut self, flow: &Flow) {
        let _ = self.endpoint.handle_event(flow.handle, EndpointEvent::drained());
    }

    /// Hands DATA and SACK chunks of one packet in, and whole messages out.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        flow: &mut Flow,
        chunks: &[Chunk],
        mut emit: impl FnMut(Received),
    ) -> Result<(), Broken> {
        let header = Header { source_port: PORT, destination_port: PORT, tag: flow.tag };
        let packet = packet::single(header, chunks);
        let now = self.clock.outward(now);
        let Some((_, DatagramEvent::AssociationEvent(event))) =
            self.endpoint.handle(now, NOWHERE, None, None, packet)
        else {
            return Err(Broken);
        };
        flow.association.handle_event(event);
        let mut result = Ok(());
        while let Some(event) = flow.association.poll() {
            match event {
                Event::Stream(StreamEvent::Readable { id }) => flow.read(id, &mut emit),
                Event::AssociationLost { .. } | Event::HandshakeFailed { .. } => result = Err(Broken),
                _ => {}
            }
        }
        // Streams are remembered by their number; the list of new ones is of no use here.
        while flow.association.accept_stream().is_some() {}
        result
    }

    /// What the flow wants to send now: SACK chunks first, DATA with its identifier filled in
    /// by `protocol`, which is asked with every TSN.
    pub(super) fn transmit(
        &self,
        now: Instant,
        flow: &mut Flow,
        protocol: impl Fn(u32) -> ProtocolId,
    ) -> Vec<Chunk> {
        let now = self.clock.outward(now);
        let (mut chunks, mut data) = (Vec::new(), Vec::new());
        while let Some(transmit) = flow.association.poll_transmit(now) {
            let Payload::RawEncode(packets) = transmit.payload else { continue };
            for chunk in packets.iter().filter_map(packet::parse).flat_map(|(_, chunks)| chunks) {
                match (chunk.kind, Data::parse(&chunk)) {
                    (kind::DATA, Some(mut fields)) => {
                        fields.protocol = protocol(fields.tsn).0;
                        data.push(fields.chunk(&[]));
                    }
                    (kind::SACK, _) => chunks.push(chunk),
                    _ => {}
                }
            }
        }
        chunks.append(&mut data);
        chunks
    }

    /// When the flow's next timer is due.
    pub(super) fn timeout(&self, flow: &Flow) -> Option<Instant> {
        flow.association.poll_timeout().map(|at| self.clock.inward(at))
    }

    /// Runs the flow's timers.
    pub(super) fn handle_timeout(&self, now: Instant, flow: &mut Flow) {
        flow.association.handle_timeout(self.clock.outward(now));
    }

    /// The library's tags are ours to choose; 0 is not allowed.
    fn next_tag(&mut self) -> u32 {
        self.last_tag = self.last_tag.checked_add(1).unwrap_or(1);
        self.last_tag
    }
}

impl Flow {
    /// Queues a message. The library takes every length that the stack lets through.
    pub(super) fn write(&mut self, stream: u16, bytes: &Bytes) -> bool {
        let protocol = PayloadProtocolIdentifier::Binary;
        if self.association.stream(stream).is_err() {
            let _ = self.association.open_stream(stream, protocol);
        }
        let Ok(mut stream) = self.association.stream(stream) else { return false };
        stream.write_sctp(bytes, protocol).is_ok()
    }

    fn read(&mut self, id: u16, emit: &mut impl FnMut(Received)) {
        let Ok(mut stream) = self.association.stream(id) else { return };
        while let Ok(Some(chunks)) = stream.read_sctp() {
            let mut message = vec![0; chunks.len()];
            if chunks.read(&mut message).is_err() || message.len() <= PREFIX {
                continue;
            }
            let mut bytes = Bytes::from(message);
            let protocol = ProtocolId(bytes.get_u32());
            emit(Received { protocol, stream: id, bytes });
        }
    }
}

/// A DATA chunk as the library shall see it: with its identifier in front of the first fragment,
/// and marked so that the SACK goes out with the next packet. The library's own delay of 200 ms
/// would make a peer with a short RTO send everything twice.
pub(super) fn inward(data: &Data) -> Option<Chunk> {
    let prefix = data.protocol.to_be_bytes();
    let prefix = if data.flags & Data::BEGIN == 0 { &[][..] } else { &prefix };
    let marked = Data {
        flags: data.flags | Data::IMMEDIATE,
        protocol: PayloadProtocolIdentifier::Binary as u32,
        ..data.clone()
    };
    // A chunk that fills a datagram of 64 KiB has no room for the prefix.
    (data.payload.len() + PREFIX + 2 * CHUNK_HEADER + 12 < usize::from(u16::MAX))
        .then(|| marked.chunk(prefix))
}

/// An INIT chunk as the library reads it.
fn init(init: Init) -> Bytes {
    let chunk = init.chunk(kind::INIT, &[]);
    let mut octets = BytesMut::with_capacity(CHUNK_HEADER + chunk.body.len());
    octets.put_u8(chunk.kind);
    octets.put_u8(0);
    octets.put_u16((CHUNK_HEADER + chunk.body.len()) as u16);
    octets.put_slice(&chunk.body);
    octets.freeze()
}
