//! What all associations and attempts of a stack share, without knowing the stack.

use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, ConnectId, Instant, Random};
use rserpool_core::endpoint::{ConnectError, DownReason, Event};

use super::allowance::Allowance;
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
    pub(super) counters: Counters,
    /// Associations that an endpoint knows.
    pub(super) named: usize,
}

/// What has happened since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Datagrams that arrived.
    pub datagrams_received: u64,
    /// Datagrams that were made.
    pub datagrams_sent: u64,
    /// Datagrams that are no SCTP packet, or whose checksum is wrong.
    pub malformed: u64,
    /// Packets that belong to no association, or carry a wrong tag.
    pub strays: u64,
    /// Those among them that got no answer because too many came.
    pub strays_ignored: u64,
    /// Associations that came up.
    pub connected: u64,
    /// Associations that were given up because the peer was silent.
    pub silent: u64,
    /// DATA that was not taken, because the receive window was full or it was too far ahead.
    pub data_refused: u64,
    /// Associations that were aborted because all together kept too much, and these most.
    pub memory_full: u64,
}

impl Core {
    pub(super) fn new(config: SctpConfig, random: Random) -> Self {
        Self {
            strays: Allowance::new(config.stray_replies),
            config,
            random,
            now: Instant::ORIGIN,
            events: VecDeque::new(),
            packets: VecDeque::new(),
            counters: Counters::default(),
            named: 0,
        }
    }

    /// Has a packet sent.
    pub(super) fn emit(&mut self, destination: SocketAddr, bytes: Bytes) {
        self.counters.datagrams_sent += 1;
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
        self.counters.silent += u64::from(reason == DownReason::Silent);
        self.events.push_back(Event::Disconnected { association, reason });
    }

    pub(super) fn failed(&mut self, request: ConnectId, reason: ConnectError) {
        self.events.push_back(Event::ConnectFailed { request, reason });
    }
}
