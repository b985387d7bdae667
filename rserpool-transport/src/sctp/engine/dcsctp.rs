//! The data phase by dcsctp, which can start an association from a snapshot of another.
//!
//! It carries payload protocol identifiers as they are and says of each message when the peer has
//! it. It is not `Send`, so the event loop of `rserpool-driver` does not use it.

use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

use ::dcsctp::api::handover::{HandoverSocketState, SocketHandoverState};
use ::dcsctp::api::{
    DcSctpSocket, LifecycleId, Message, Options, PpId, SendOptions, SocketEvent, SocketTime, StreamId,
    ZERO_CHECKSUM_ALTERNATE_ERROR_DETECTION_METHOD_LOWER_LAYER_DTLS,
};
use bytes::Bytes;
use rserpool_core::base::{Instant, ProtocolId};

use super::{Broken, Drive, Engine, Outgoing, PORT, Portion, Receipt, Received, inward};
use crate::sctp::chunk::{self, Data, Init, at_or_before, kind};
use crate::sctp::config::SctpConfig;
use crate::sctp::packet::{Chunk, Chunks, HEADER, MAX_PACKET};

/// The data phase by the crate dcsctp.
///
/// A stack with it cannot be sent to another thread.
pub struct Dcsctp {
    options: Options,
    /// A call that comes later than this after its deadline means that we were stopped.
    lateness: Duration,
    max_message_size: usize,
}

/// The data phase of one association.
pub struct Flow {
    socket: Box<dyn DcSctpSocket>,
    /// What the library is behind our time, because we were stopped in between.
    behind: Duration,
    /// Packets as the library makes them.
    packets: Vec<Vec<u8>>,
    runaway: Runaway,
}

/// How long the message is that arrives, for the library has no limit but its window. Counts what
/// was not lost on the way, so it lets a little too much pass; whole messages are measured exactly.
struct Runaway {
    highest: u32,
    octets: usize,
}

/// The tags of both sides, in headers that never leave this stack.
const TAG: u32 = 1;

/// What the library may hold beyond the window that the peer is told: without it, it would drop
/// the very fragment that it is waiting for, once the window is full of later ones.
const SLACK: u32 = 64 << 10;

/// The congestion window at the beginning (RFC 9260 section 7.2.1).
const INITIAL_WINDOW: u32 = 4404;

impl Engine for Dcsctp {}

impl Drive for Dcsctp {
    type Flow = Flow;

    fn new(config: &SctpConfig) -> Self {
        let window = config.receive_buffer.saturating_add(SLACK);
        let options = Options {
            local_port: PORT,
            remote_port: PORT,
            mtu: MAX_PACKET,
            max_message_size: usize::MAX,
            // The library stops at nine tenths.
            max_receiver_window_buffer_size: usize::try_from(u64::from(window) * 10 / 9 + 1)
                .unwrap_or(usize::MAX),
            // The ledger bounds what is queued.
            max_send_buffer_size: usize::MAX,
            per_stream_send_queue_limit: usize::MAX,
            rtt_max: Duration::from_secs(3600),
            rto_initial: config.rto_initial,
            rto_min: config.rto_min,
            rto_max: config.rto_max,
            max_timer_backoff_duration: Some(config.rto_max),
            min_rtt_variance: Duration::ZERO,
            heartbeat_interval: Duration::ZERO,
            immediate_sack_under_cwnd_mtus: 0,
            max_retransmissions: None,
            max_init_retransmits: None,
            enable_partial_reliability: false,
            // Checksums are made and checked outside.
            zero_checksum_alternate_error_detection_method:
                ZERO_CHECKSUM_ALTERNATE_ERROR_DETECTION_METHOD_LOWER_LAYER_DTLS,
            ..Options::default()
        };
        let lateness = config.rto_max.max(Duration::from_secs(1));
        Self { options, lateness, max_message_size: config.max_message_size }
    }

    fn open(&mut self, now: Instant, local: &Init, peer: &Init) -> Option<Flow> {
        let mut state = SocketHandoverState {
            socket_state: HandoverSocketState::Connected,
            my_verification_tag: TAG,
            my_initial_tsn: local.tsn,
            peer_verification_tag: TAG,
            peer_initial_tsn: peer.tsn,
            ..SocketHandoverState::default()
        };
        state.capabilities.zero_checksum = true;
        state.capabilities.negotiated_maximum_incoming_streams = local.inbound;
        state.capabilities.negotiated_maximum_outgoing_streams = local.outbound;
        state.tx.next_tsn = local.tsn;
        state.tx.cwnd = INITIAL_WINDOW;
        state.tx.rwnd = peer.window;
        state.tx.ssthresh = peer.window;
        state.rx.last_cumulative_acked_tsn = peer.tsn.wrapping_sub(1);
        let mut socket = ::dcsctp::new_socket("", &self.options);
        socket.advance_time(outward(now, Duration::ZERO));
        socket.restore_from_state(&state).ok()?;
        let runaway = Runaway { highest: peer.tsn.wrapping_sub(1), octets: 0 };
        Some(Flow { socket, behind: Duration::ZERO, packets: Vec::new(), runaway })
    }

    fn close(&mut self, _: &Flow) {}

    fn write(&mut self, now: Instant, flow: &mut Flow, message: &Outgoing, receipt: Receipt) -> bool {
        flow.advance(now, self.lateness);
        let options =
            SendOptions { lifecycle_id: LifecycleId::new(receipt.0.get()), ..SendOptions::default() };
        let stream = StreamId(message.stream);
        let message = Message::new(stream, PpId(message.protocol.0), message.bytes.to_vec());
        flow.socket.send(message, &options).is_ok()
    }

    fn receive(
        &mut self,
        now: Instant,
        flow: &mut Flow,
        portions: &[Portion],
        mut delivered: impl FnMut(Receipt),
    ) -> Result<(), Broken> {
        flow.advance(now, self.lateness);
        for portion in portions {
            if let Portion::Data(data) = portion
                && flow.runaway.add(data) > self.max_message_size
            {
                return Err(Broken);
            }
        }
        // Checksums are neither made nor looked at.
        if let Some(packet) = inward(TAG, portions, |data| (data.protocol, None)) {
            flow.socket.handle_input(&packet);
        }
        flow.take_events(&mut delivered)
    }

    fn read(&mut self, now: Instant, flow: &mut Flow, mut emit: impl FnMut(Received)) -> Result<(), Broken> {
        flow.advance(now, self.lateness);
        while let Some(message) = flow.socket.get_next_message() {
            if message.payload.len() > self.max_message_size {
                return Err(Broken);
            }
            let protocol = ProtocolId(message.ppid.0);
            emit(Received { protocol, stream: message.stream_id.0, bytes: message.payload.into() });
        }
        Ok(())
    }

    fn transmit(&mut self, now: Instant, flow: &mut Flow, mut emit: impl FnMut(Chunk)) {
        flow.advance(now, self.lateness);
        // What was delivered is told when a packet has come in, and none has.
        let _ = flow.take_events(&mut |_| {});
        for packet in flow.packets.drain(..) {
            let chunks = Chunks::of(Bytes::from(packet).slice(HEADER..));
            for chunk in chunks {
                match chunk.kind {
                    kind::DATA => emit(chunk),
                    kind::SACK => emit(chunk::narrow_sack(&chunk, SLACK)),
                    _ => {}
                }
            }
        }
    }

    fn timeout(&self, flow: &Flow) -> Option<Instant> {
        let at = flow.socket.poll_timeout();
        (at != SocketTime::infinite_future())
            .then(|| Instant::ORIGIN + (at - SocketTime::zero()) + flow.behind)
    }

    fn handle_timeout(&mut self, now: Instant, flow: &mut Flow) {
        flow.advance(now, self.lateness);
    }
}

impl Flow {
    /// Tells the library the time. If we were stopped, the time in between has not passed for it:
    /// it would run every timer as often as it should have.
    fn advance(&mut self, now: Instant, lateness: Duration) {
        let due = self.socket.poll_timeout();
        let late = outward(now, self.behind) - due;
        if late > lateness {
            self.behind += late;
        }
        self.socket.advance_time(outward(now, self.behind));
    }

    /// Takes what the library has done.
    fn take_events(&mut self, delivered: &mut impl FnMut(Receipt)) -> Result<(), Broken> {
        let mut result = Ok(());
        while let Some(event) = self.socket.poll_event() {
            match event {
                SocketEvent::SendPacket(packet) if packet.len() > HEADER => self.packets.push(packet),
                SocketEvent::OnLifecycleMessageDelivered(id) => {
                    let receipt = NonZeroU64::new(id.value()).map(Receipt);
                    receipt.into_iter().for_each(&mut *delivered);
                }
                SocketEvent::OnAborted(..) | SocketEvent::OnClosed() => result = Err(Broken),
                _ => {}
            }
        }
        result
    }
}

impl Runaway {
    /// A fragment has arrived; the octets of its message so far.
    fn add(&mut self, data: &Data) -> usize {
        if !at_or_before(data.tsn, self.highest) {
            self.highest = data.tsn;
            if data.flags & Data::BEGIN != 0 {
                self.octets = 0;
            }
            self.octets = self.octets.saturating_add(data.payload.len());
        }
        self.octets
    }
}

/// Our time as the library counts it.
fn outward(at: Instant, behind: Duration) -> SocketTime {
    SocketTime::zero() + at.since(Instant::ORIGIN).saturating_sub(behind)
}

impl fmt::Debug for Dcsctp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dcsctp").field("max_message_size", &self.max_message_size).finish_non_exhaustive()
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow").field("state", &self.socket.state()).finish_non_exhaustive()
    }
}
