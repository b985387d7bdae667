//! The send queue of one association: what waits, what is on its way, and how much that is.
//!
//! The engine gets a limited number of messages at a time, so that its own work per message
//! stays small; the rest waits here. The ledger also knows the payload protocol identifier of
//! every TSN, because messages are handed over in order and fragmented in a known way.

use std::collections::VecDeque;

use bytes::Bytes;

use super::chunk::{MAX_FRAGMENT, at_or_before};
use super::config::SctpConfig;
use crate::base::ProtocolId;

/// A message to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) protocol: ProtocolId,
    pub(super) stream: u16,
    pub(super) bytes: Bytes,
}

#[derive(Debug)]
pub(super) struct Ledger {
    waiting: VecDeque<Outgoing>,
    flying: VecDeque<Flying>,
    /// Octets counted in `flying`.
    flying_octets: usize,
    /// The TSN of the next fragment that the engine gets.
    next_tsn: u32,
    data: usize,
    control: usize,
    congested: bool,
    limits: Limits,
}

/// What happened to a message that was offered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Offer {
    Taken,
    /// Taken, and with it the bound of application data is reached.
    Congested,
    /// Not taken: no bound would hold.
    Full,
}

/// A message in the hands of the engine.
#[derive(Debug)]
struct Flying {
    first: u32,
    last: u32,
    protocol: ProtocolId,
    cost: usize,
}

#[derive(Debug)]
struct Limits {
    data: usize,
    /// Where an application that ignores the congestion is stopped.
    overrun: usize,
    control: usize,
    message: usize,
}

/// What a message costs beyond its octets.
const OVERHEAD: usize = 64;

/// Octets and messages that the engine holds: enough for 2.5 MB/s over 100 ms, and few enough
/// for its lists, which it sorts again with every fragment.
const WINDOW_OCTETS: usize = 256 << 10;
const WINDOW_MESSAGES: usize = 1024;

impl Ledger {
    /// An empty queue whose first fragment will have the TSN `first`.
    pub(super) fn new(first: u32, config: &SctpConfig) -> Self {
        let limits = Limits {
            data: config.send_queue,
            overrun: config.send_queue.saturating_mul(2).saturating_add(config.max_message_size),
            control: config.control_queue,
            message: config.max_message_size,
        };
        Self {
            waiting: VecDeque::new(),
            flying: VecDeque::new(),
            flying_octets: 0,
            next_tsn: first,
            data: 0,
            control: 0,
            congested: false,
            limits,
        }
    }

    /// Queues a message.
    pub(super) fn offer(&mut self, message: Outgoing) -> Offer {
        let cost = message.bytes.len() + OVERHEAD;
        let (queued, limit) = if is_control(message.protocol) {
            (&mut self.control, self.limits.control)
        } else {
            (&mut self.data, self.limits.overrun)
        };
        if message.bytes.len() > self.limits.message || *queued + cost > limit {
            return Offer::Full;
        }
        *queued += cost;
        self.waiting.push_back(message);
        if !self.congested && self.data >= self.limits.data {
            self.congested = true;
            return Offer::Congested;
        }
        Offer::Taken
    }

    /// The next message for the engine, if it may have one more.
    pub(super) fn release(&mut self) -> Option<Outgoing> {
        if self.flying_octets >= WINDOW_OCTETS || self.flying.len() >= WINDOW_MESSAGES {
            return None;
        }
        let message = self.waiting.pop_front()?;
        let cost = message.bytes.len() + OVERHEAD;
        let fragments = message.bytes.len().div_ceil(MAX_FRAGMENT).max(1) as u32;
        let last = self.next_tsn.wrapping_add(fragments - 1);
        self.flying.push_back(Flying { first: self.next_tsn, last, protocol: message.protocol, cost });
        self.flying_octets += cost;
        self.next_tsn = last.wrapping_add(1);
        Some(message)
    }

    /// The identifier of the message to which a fragment belongs.
    pub(super) fn protocol(&self, tsn: u32) -> Option<ProtocolId> {
        let index = self.flying.partition_point(|f| at_or_before(f.last.wrapping_add(1), tsn));
        self.flying.get(index).filter(|f| at_or_before(f.first, tsn)).map(|f| f.protocol)
    }

    /// The peer has everything up to `cumulative`. Tells whether the queue takes data again.
    pub(super) fn acknowledge(&mut self, cumulative: u32) -> bool {
        while self.flying.front().is_some_and(|f| at_or_before(f.last, cumulative)) {
            let Some(message) = self.flying.pop_front() else { break };
            self.flying_octets -= message.cost;
            let queued = if is_control(message.protocol) { &mut self.control } else { &mut self.data };
            *queued -= message.cost;
        }
        let drained = self.congested && self.data <= self.limits.data / 2;
        if drained {
            self.congested = false;
        }
        drained
    }

    /// Whether the peer has everything.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.flying.is_empty()
    }
}

/// Control messages are bounded apart: see [`crate::endpoint::Event::Congested`].
fn is_control(protocol: ProtocolId) -> bool {
    protocol == ProtocolId::ASAP || protocol == ProtocolId::ENRP
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(first: u32) -> Ledger {
        let config = SctpConfig { send_queue: 1000, control_queue: 2000, ..SctpConfig::fast(1) };
        Ledger::new(first, &config)
    }

    fn message(protocol: u32, length: usize) -> Outgoing {
        Outgoing { protocol: ProtocolId(protocol), stream: 0, bytes: vec![0; length].into() }
    }

    #[test]
    fn every_fragment_has_the_identifier_of_its_message_across_the_wrap() {
        let first = u32::MAX - 1;
        let mut ledger = ledger(first);
        for (protocol, length) in [(0, 1), (11, MAX_FRAGMENT), (7, MAX_FRAGMENT + 1)] {
            assert_ne!(ledger.offer(message(protocol, length)), Offer::Full);
            assert!(ledger.release().is_some());
        }
        let seen: Vec<_> = (0..5).map(|n| ledger.protocol(first.wrapping_add(n)).map(|p| p.0)).collect();
        assert_eq!(seen, [Some(0), Some(11), Some(7), Some(7), None]);
        assert_eq!(ledger.protocol(first - 1), None);
        ledger.acknowledge(first.wrapping_add(2));
        assert_eq!(ledger.protocol(first), None);
        assert_eq!(ledger.protocol(first.wrapping_add(2)), Some(ProtocolId(7)));
        assert!(!ledger.is_empty());
        ledger.acknowledge(first.wrapping_add(3));
        assert!(ledger.is_empty());
    }

    #[test]
    fn congestion_is_told_once_and_ends_at_half() {
        let mut ledger = ledger(1);
        let offers: Vec<_> = (0..4).map(|_| ledger.offer(message(0, 436))).collect();
        assert_eq!(offers, [Offer::Taken, Offer::Congested, Offer::Taken, Offer::Taken]);
        while ledger.release().is_some() {}
        let drained: Vec<_> = (1..=4).map(|tsn| ledger.acknowledge(tsn)).collect();
        assert_eq!(drained, [false, false, true, false]);
    }

    #[test]
    fn control_messages_have_their_own_bound() {
        let mut ledger = ledger(1);
        assert_eq!(ledger.offer(message(0, 1000)), Offer::Congested);
        let offers: Vec<_> = (0..5).map(|n| ledger.offer(message(11 + n % 2, 436))).collect();
        assert_eq!(offers, [Offer::Taken, Offer::Taken, Offer::Taken, Offer::Taken, Offer::Full]);
    }

    #[test]
    fn the_engine_gets_no_more_than_a_window() {
        let mut ledger = Ledger::new(1, &SctpConfig::fast(1));
        (0..2000).for_each(|_| assert_eq!(ledger.offer(message(0, 1)), Offer::Taken));
        assert_eq!(std::iter::from_fn(|| ledger.release()).count(), WINDOW_MESSAGES);
        ledger.acknowledge(10);
        assert_eq!(std::iter::from_fn(|| ledger.release()).count(), 10);
    }

    #[test]
    fn a_message_above_the_limit_is_not_taken() {
        let mut ledger = Ledger::new(1, &SctpConfig { max_message_size: 10, ..SctpConfig::fast(1) });
        assert_eq!(ledger.offer(message(0, 11)), Offer::Full);
        assert_eq!(ledger.offer(message(0, 10)), Offer::Taken);
    }
}
