//! What all associations and attempts of a stack share, without knowing the stack.

use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, ConnectId, Instant, Random};
use rserpool_core::endpoint::{ConnectError, DownReason, Event, TransportCounters};

use super::allowance::{Allowance, Limits};
use super::chunk::Init;
use super::config::SctpConfig;
use crate::Datagram;

/// What associations and attempts need from the stack.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) config: SctpConfig,
    pub(super) random: Random,
    pub(super) now: Instant,
    pub(super) events: VecDeque<Event>,
    /// Packets that are ready. Those of associations are made when they are fetched, so this
    /// holds no more than one input or one association causes.
    pub(super) packets: VecDeque<Datagram>,
    pub(super) strays: Allowance,
    pub(super) init_acks: Allowance,
    pub(super) counters: TransportCounters,
    /// Associations that an endpoint knows.
    pub(super) named: usize,
}

/// INIT ACKs in a second: each is up to three times as long as the INIT, whose source may be forged. So many
/// associations one process, or one host, may open in a second; all hosts together as many as they like.
const INIT_ACKS: Limits = Limits { all: u32::MAX, source: 5_000, socket: 2_500 };

impl Core {
    pub(super) fn new(config: SctpConfig, random: Random) -> Self {
        Self {
            strays: Allowance::new(config.stray_limits()),
            init_acks: Allowance::new(INIT_ACKS),
            config,
            random,
            now: Instant::ORIGIN,
            events: VecDeque::new(),
            packets: VecDeque::new(),
            counters: TransportCounters::default(),
            named: 0,
        }
    }

    /// Has a packet sent.
    pub(super) fn emit(&mut self, destination: SocketAddr, bytes: Bytes) {
        self.counters.sctp_datagrams_sent += 1;
        self.packets.push_back(Datagram { destination, bytes });
    }

    /// What we offer a peer: a fresh tag and a fresh first TSN.
    pub(super) fn offer(&mut self) -> Init {
        Init {
            tag: self.random.identifier(),
            window: self.config.receive_buffer,
            outbound: self.config.streams,
            inbound: self.config.streams,
            tsn: self.random.identifier(),
        }
    }

    /// Tells the endpoint that an association has ended.
    pub(super) fn disconnected(&mut self, association: AssociationId, reason: DownReason) {
        debug_assert!(self.named > 0, "an association ends once");
        self.named = self.named.saturating_sub(1);
        match reason {
            DownReason::Silent => self.counters.sctp_silent += 1,
            DownReason::Unreachable => self.counters.sctp_unreachable += 1,
            DownReason::Violation => self.counters.sctp_violations += 1,
            DownReason::QueueFull => self.counters.sctp_queue_full += 1,
            _ => {}
        }
        self.events.push_back(Event::Disconnected { association, reason });
    }

    pub(super) fn failed(&mut self, request: ConnectId, reason: ConnectError) {
        self.events.push_back(Event::ConnectFailed { request, reason });
    }
}
