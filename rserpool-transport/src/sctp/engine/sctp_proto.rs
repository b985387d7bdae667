//! Sending by sctp-proto, which can start an association with two INITs exchanged elsewhere (SNAP).
//!
//! It knows a few payload protocol identifiers of WebRTC and no others. The flow remembers which TSN
//! belongs to which message: messages are handed over in order and fragmented in a known way.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use rserpool_core::base::{Instant, ProtocolId};
use sctp_proto::{
    AssociationHandle, ClientConfig, DatagramEvent, EndpointConfig, EndpointEvent, Event, Payload,
    PayloadProtocolIdentifier, TransportConfig,
};

use super::clock::Clock;
use super::{Acknowledgement, Broken, Drive, Engine, Outgoing, PORT, Receipt, inward};
use crate::sctp::chunk::{Init, MAX_FRAGMENT, at_or_before, kind};
use crate::sctp::config::SctpConfig;
use crate::sctp::packet::{self, CHUNK_HEADER, Chunk, Chunks, HEADER};

/// Sending by the crate sctp-proto: the default.
#[derive(Debug)]
pub struct SctpProto {
    /// The library's common part, one for all associations of a stack.
    endpoint: sctp_proto::Endpoint,
    transport: Arc<TransportConfig>,
    clock: Clock,
    last_tag: u32,
}

/// What is sent over one association.
#[derive(Debug)]
pub struct Flow {
    handle: AssociationHandle,
    association: Box<sctp_proto::Association>,
    /// The tag that the library takes for ours.
    tag: u32,
    /// What the library was given and the peer does not have yet.
    flying: VecDeque<Flying>,
    /// The TSN of the next fragment that the library gets.
    next_tsn: u32,
}

/// A message in the hands of the library.
#[derive(Debug)]
struct Flying {
    first: u32,
    last: u32,
    protocol: ProtocolId,
    receipt: Receipt,
}

/// The library wants an address for every peer and never looks at it.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9);

impl Engine for SctpProto {}

impl Drive for SctpProto {
    type Flow = Flow;

    fn new(config: &SctpConfig) -> Self {
        let millis = |d: std::time::Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX).max(1);
        let longest = u32::try_from(config.max_message_size).unwrap_or(u32::MAX);
        let transport = TransportConfig::default()
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

    fn open(&mut self, _: Instant, local: &Init, peer: &Init) -> Option<Flow> {
        // Made up, so that tags of different associations cannot collide in the library's tables.
        let ours = self.next_tag();
        let theirs = self.next_tag();
        let mut config = ClientConfig::new();
        config.transport = Arc::clone(&self.transport);
        let config =
            config.with_snap(init(Init { tag: ours, ..*local }), init(Init { tag: theirs, ..*peer }));
        let (handle, association) = self.endpoint.connect(config, NOWHERE).ok()?;
        let association = Box::new(association);
        Some(Flow { handle, association, tag: ours, flying: VecDeque::new(), next_tsn: local.tsn })
    }

    fn close(&mut self, flow: &Flow) {
        let _ = self.endpoint.handle_event(flow.handle, EndpointEvent::drained());
    }

    /// The library takes every length that the stack lets through.
    fn write(&mut self, _: Instant, flow: &mut Flow, message: &Outgoing, receipt: Receipt) -> bool {
        let protocol = PayloadProtocolIdentifier::Binary;
        if flow.association.stream(message.stream).is_err() {
            let _ = flow.association.open_stream(message.stream, protocol);
        }
        let Ok(mut stream) = flow.association.stream(message.stream) else { return false };
        if stream.write_sctp(&message.bytes, protocol).is_err() {
            return false;
        }
        let fragments = message.bytes.len().div_ceil(MAX_FRAGMENT).max(1) as u32;
        let (first, last) = (flow.next_tsn, flow.next_tsn.wrapping_add(fragments - 1));
        flow.flying.push_back(Flying { first, last, protocol: message.protocol, receipt });
        flow.next_tsn = last.wrapping_add(1);
        true
    }

    fn acknowledge(
        &mut self,
        now: Instant,
        flow: &mut Flow,
        sack: &Acknowledgement,
        mut delivered: impl FnMut(Receipt),
    ) -> Result<(), Broken> {
        let packet = packet::sign(inward(flow.tag, &sack.chunk));
        let now = self.clock.outward(now);
        let Some((_, DatagramEvent::AssociationEvent(event))) =
            self.endpoint.handle(now, NOWHERE, None, None, packet)
        else {
            return Err(Broken);
        };
        flow.association.handle_event(event);
        let mut result = Ok(());
        while let Some(event) = flow.association.poll() {
            if let Event::AssociationLost { .. } | Event::HandshakeFailed { .. } = event {
                result = Err(Broken);
            }
        }
        result?;
        flow.acknowledge(sack.cumulative, &mut delivered);
        Ok(())
    }

    fn transmit(&mut self, now: Instant, flow: &mut Flow, mut emit: impl FnMut(Chunk)) {
        let now = self.clock.outward(now);
        while let Some(transmit) = flow.association.poll_transmit(now) {
            let Payload::RawEncode(packets) = transmit.payload else { continue };
            for packet in packets {
                outward(packet, |tsn| flow.protocol(tsn)).for_each(&mut emit);
            }
        }
    }

    fn timeout(&self, flow: &Flow) -> Option<Instant> {
        flow.association.poll_timeout().map(|at| self.clock.inward(at))
    }

    fn handle_timeout(&mut self, now: Instant, flow: &mut Flow) {
        flow.association.handle_timeout(self.clock.outward(now));
    }
}

impl SctpProto {
    /// The library's tags are ours to choose; 0 is not allowed.
    fn next_tag(&mut self) -> u32 {
        self.last_tag = self.last_tag.checked_add(1).unwrap_or(1);
        self.last_tag
    }
}

impl Flow {
    /// The identifier of the message to which a fragment belongs.
    fn protocol(&self, tsn: u32) -> ProtocolId {
        let index = self.flying.partition_point(|f| at_or_before(f.last.wrapping_add(1), tsn));
        let flying = self.flying.get(index).filter(|f| at_or_before(f.first, tsn));
        flying.map_or(ProtocolId(0), |f| f.protocol)
    }

    /// The peer has everything up to `cumulative`.
    fn acknowledge(&mut self, cumulative: u32, delivered: &mut impl FnMut(Receipt)) {
        while self.flying.front().is_some_and(|f| at_or_before(f.last, cumulative)) {
            let Some(message) = self.flying.pop_front() else { break };
            delivered(message.receipt);
        }
    }
}

/// The DATA chunks of a packet of the library, with the identifiers put in.
fn outward(packet: Bytes, protocol: impl Fn(u32) -> ProtocolId) -> impl Iterator<Item = Chunk> {
    const TSN: usize = CHUNK_HEADER;
    const PROTOCOL: usize = CHUNK_HEADER + 8;
    let mut packet = packet.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    let mut rest = packet.get_mut(HEADER..).unwrap_or_default();
    while let Some([kind, _, high, low]) = rest.first_chunk().copied() {
        let length = usize::from(u16::from_be_bytes([high, low])).max(CHUNK_HEADER);
        if kind == kind::DATA
            && let Some(tsn) = rest.get(TSN..).and_then(|fields| fields.first_chunk())
        {
            let protocol = protocol(u32::from_be_bytes(*tsn)).0;
            if let Some(place) = rest.get_mut(PROTOCOL..PROTOCOL + 4) {
                place.copy_from_slice(&protocol.to_be_bytes());
            }
        }
        rest = rest.get_mut(length.next_multiple_of(4)..).unwrap_or_default();
    }
    let mut packet = packet.freeze();
    packet.advance(HEADER.min(packet.len()));
    Chunks::of(packet).filter(|chunk| chunk.kind == kind::DATA)
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

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;

    #[test]
    fn every_fragment_has_the_identifier_of_its_message_across_the_wrap() {
        let first = u32::MAX - 1;
        let mut engine = SctpProto::new(&SctpConfig::fast(1));
        let local = Init { tag: 1, window: 65_536, outbound: 1, inbound: 1, tsn: first };
        let mut flow = engine.open(Instant::ORIGIN, &local, &local).unwrap();
        for (protocol, length) in [(0, 1), (11, MAX_FRAGMENT), (7, MAX_FRAGMENT + 1)] {
            let protocol = ProtocolId(protocol);
            let message = Outgoing { protocol, stream: 0, bytes: vec![0; length].into() };
            let receipt = Receipt(NonZeroU64::new(length as u64).unwrap());
            assert!(engine.write(Instant::ORIGIN, &mut flow, &message, receipt));
        }
        let seen = |flow: &Flow| (0..5).map(|n| flow.protocol(first.wrapping_add(n)).0).collect::<Vec<_>>();
        assert_eq!(seen(&flow), [0, 11, 7, 7, 0]);
        let mut delivered = Vec::new();
        flow.acknowledge(first.wrapping_add(2), &mut |receipt| delivered.push(receipt));
        assert_eq!((delivered.len(), flow.flying.len()), (2, 1));
        assert_eq!(seen(&flow), [0, 0, 7, 7, 0]);
        flow.acknowledge(first.wrapping_add(3), &mut |receipt| delivered.push(receipt));
        assert_eq!((delivered.len(), flow.flying.len()), (3, 0));
    }
}
