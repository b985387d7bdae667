//! Sending by sctp-proto, which can start an association with two INITs exchanged elsewhere (SNAP).
//!
//! It knows a few payload protocol identifiers of WebRTC and no others: like the other fields of a message, they are
//! put in afterwards ([`Fragments`]).

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use rserpool_core::base::Instant;
use sctp_proto::{
    AssociationHandle, ClientConfig, DatagramEvent, EndpointConfig, EndpointEvent, Event, Payload,
    PayloadProtocolIdentifier, TransportConfig,
};

use super::clock::Clock;
use super::fragments::Fragments;
use super::{Acknowledgement, Broken, Drive, Engine, Outgoing, PORT, Receipt, inward};
use crate::sctp::chunk::{Init, at_or_before, kind};
use crate::sctp::config::SctpConfig;
use crate::sctp::packet::{self, CHUNK_HEADER, Chunk};

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
    fragments: Fragments,
    /// The last TSN that the peer has in sequence, of those that end a message.
    delivered: u32,
}

/// The one stream of the library.
const STREAM: u16 = 0;

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
        endpoint.max_payload_size(config.max_fragment() as u32);
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
        let delivered = local.tsn.wrapping_sub(1);
        Some(Flow { handle, association, tag: ours, fragments: Fragments::default(), delivered })
    }

    fn close(&mut self, flow: &Flow) {
        let _ = self.endpoint.handle_event(flow.handle, EndpointEvent::drained());
    }

    /// The library takes every length that the stack lets through.
    fn write(
        &mut self,
        _: Instant,
        flow: &mut Flow,
        message: &Outgoing,
        receipt: Receipt,
        size: usize,
    ) -> bool {
        let protocol = PayloadProtocolIdentifier::Binary;
        if flow.association.stream(STREAM).is_err() {
            let _ = flow.association.open_stream(STREAM, protocol);
        }
        let Ok(mut stream) = flow.association.stream(STREAM) else { return false };
        let mut fragments = flow.fragments.cut(message, receipt, size);
        fragments.all(|fragment| stream.write_sctp(&fragment, protocol).is_ok())
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
        // Each fragment has a TSN.
        while let Some(size) = flow.fragments.next_size() {
            let last = flow.delivered.wrapping_add(size as u32);
            if !at_or_before(last, sack.cumulative) {
                break;
            }
            flow.delivered = last;
            flow.fragments.delivered().into_iter().for_each(&mut delivered);
        }
        Ok(())
    }

    fn transmit(&mut self, now: Instant, flow: &mut Flow, mut emit: impl FnMut(Chunk)) {
        let now = self.clock.outward(now);
        while let Some(transmit) = flow.association.poll_transmit(now) {
            let Payload::RawEncode(packets) = transmit.payload else { continue };
            for packet in packets {
                let packet = packet.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
                flow.fragments.chunks(packet).for_each(&mut emit);
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
