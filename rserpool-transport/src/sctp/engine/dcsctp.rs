//! Sending by dcsctp, which can start an association from a snapshot of another.
//!
//! The fields of messages are put in afterwards, as with the other library ([`Fragments`]). It is not `Send`, so the event loop of `rserpool-driver` does not use it.

use std::fmt;
use std::time::Duration;

use ::dcsctp::api::handover::{HandoverSocketState, SocketHandoverState};
use ::dcsctp::api::{
    DcSctpSocket, LifecycleId, Message, Options, PpId, SendOptions, SocketEvent, SocketTime, StreamId,
    ZERO_CHECKSUM_ALTERNATE_ERROR_DETECTION_METHOD_LOWER_LAYER_DTLS,
};
use bytes::BytesMut;
use rserpool_core::base::Instant;

use super::fragments::Fragments;
use super::{Acknowledgement, Broken, Drive, Engine, Outgoing, PORT, Receipt, inward};
use crate::sctp::chunk::Init;
use crate::sctp::config::SctpConfig;
use crate::sctp::packet::{Chunk, HEADER};

/// Sending by the crate dcsctp.
///
/// A stack with it cannot be sent to another thread.
pub struct Dcsctp {
    options: Options,
    /// A call that comes later than this after its deadline means that we were stopped.
    lateness: Duration,
}

/// What is sent over one association.
pub struct Flow {
    socket: Box<dyn DcSctpSocket>,
    /// What the library is behind our time, because we were stopped in between.
    behind: Duration,
    /// Packets as the library makes them.
    packets: Vec<Vec<u8>>,
    fragments: Fragments,
}

/// The one stream of the library.
const STREAM: StreamId = StreamId(0);

/// The tags of both sides, in headers that never leave this stack.
const TAG: u32 = 1;

/// The congestion window at the beginning (RFC 9260 section 7.2.1).
const INITIAL_WINDOW: u32 = 4404;

impl Engine for Dcsctp {}

impl Drive for Dcsctp {
    type Flow = Flow;

    fn new(config: &SctpConfig) -> Self {
        let options = Options {
            local_port: PORT,
            remote_port: PORT,
            mtu: config.max_packet(),
            max_message_size: usize::MAX,
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
        Self { options, lateness }
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
        let fragments = Fragments::default();
        Some(Flow { socket, behind: Duration::ZERO, packets: Vec::new(), fragments })
    }

    fn close(&mut self, _: &Flow) {}

    fn write(
        &mut self,
        now: Instant,
        flow: &mut Flow,
        message: &Outgoing,
        receipt: Receipt,
        size: usize,
    ) -> bool {
        flow.advance(now, self.lateness);
        let mut fragments = flow.fragments.cut(message, receipt, size).peekable();
        while let Some(fragment) = fragments.next() {
            // The last one tells when the peer has the message.
            let lifecycle_id = fragments.peek().is_none().then(|| LifecycleId::new(1)).flatten();
            let message = Message::new(STREAM, PpId(0), fragment.to_vec());
            let options = SendOptions { lifecycle_id, ..SendOptions::default() };
            if flow.socket.send(message, &options).is_err() {
                return false;
            }
        }
        true
    }

    fn acknowledge(
        &mut self,
        now: Instant,
        flow: &mut Flow,
        sack: &Acknowledgement,
        mut delivered: impl FnMut(Receipt),
    ) -> Result<(), Broken> {
        flow.advance(now, self.lateness);
        // Checksums are neither made nor looked at.
        flow.socket.handle_input(&inward(TAG, &sack.chunk));
        flow.take_events(&mut delivered)
    }

    fn transmit(&mut self, now: Instant, flow: &mut Flow, mut emit: impl FnMut(Chunk)) {
        flow.advance(now, self.lateness);
        // What was delivered is told when a packet has come in, and none has.
        let _ = flow.take_events(&mut |_| {});
        for packet in flow.packets.drain(..) {
            flow.fragments.chunks(BytesMut::from(&packet[..])).for_each(&mut emit);
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
                SocketEvent::OnLifecycleMessageDelivered(_) => {
                    self.fragments.delivered().into_iter().for_each(&mut *delivered);
                }
                SocketEvent::OnAborted(..) | SocketEvent::OnClosed() => result = Err(Broken),
                _ => {}
            }
        }
        result
    }
}

/// Our time as the library counts it.
fn outward(at: Instant, behind: Duration) -> SocketTime {
    SocketTime::zero() + at.since(Instant::ORIGIN).saturating_sub(behind)
}

impl fmt::Debug for Dcsctp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dcsctp").finish_non_exhaustive()
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow").field("state", &self.socket.state()).finish_non_exhaustive()
    }
}
