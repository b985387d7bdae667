//! The send queue of one association: what waits, what is on its way, and how much that is.
//!
//! The engine gets a limited number of messages at a time, so that its own work per message
//! stays small; the rest waits here.

use std::collections::VecDeque;
use std::num::NonZeroU64;

use rserpool_core::base::ProtocolId;

use super::config::SctpConfig;
use super::engine::{Outgoing, Receipt};

#[derive(Debug)]
pub(super) struct Ledger {
    waiting: VecDeque<Outgoing>,
    /// Messages in the hands of the engine, and what they cost.
    flying: usize,
    flying_octets: usize,
    /// What all messages cost, waiting or flying.
    data: usize,
    control: usize,
    congested: bool,
    limits: Limits,
}

/// What happened to a message that was offered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Offer {
    Taken,
    /// Taken, and with it the bound of application data is reached, or half of the bound of control messages.
    Congested,
    /// Not taken: no bound would hold.
    Full,
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

/// Octets of control messages that wait to be sent at which no further message of the peer is taken: an answer has
/// up to 65,535 octets, a question may have 16. Over TCP it is the same.
const PAUSE_AT: usize = 1 << 16;

/// Octets and messages that the engine holds: enough for 2.5 MB/s over 100 ms, and few enough
/// for its lists, which it sorts again with every fragment.
const WINDOW_OCTETS: usize = 256 << 10;
const WINDOW_MESSAGES: usize = 1024;

impl Ledger {
    pub(super) fn new(config: &SctpConfig) -> Self {
        let limits = Limits {
            data: config.send_queue,
            overrun: config.send_queue.saturating_mul(2).saturating_add(config.max_message_size),
            control: config.control_queue,
            message: config.max_message_size,
        };
        Self {
            waiting: VecDeque::new(),
            flying: 0,
            flying_octets: 0,
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
        if !self.congested && (self.data >= self.limits.data || self.control >= self.limits.control / 2) {
            self.congested = true;
            return Offer::Congested;
        }
        Offer::Taken
    }

    /// The next message for the engine, if it may have one more.
    pub(super) fn release(&mut self) -> Option<(Outgoing, Receipt)> {
        if self.flying_octets >= WINDOW_OCTETS || self.flying >= WINDOW_MESSAGES {
            return None;
        }
        let message = self.waiting.pop_front()?;
        let cost = message.bytes.len() + OVERHEAD;
        self.flying += 1;
        self.flying_octets += cost;
        let receipt = receipt(cost, is_control(message.protocol));
        Some((message, receipt))
    }

    /// The peer has a message.
    pub(super) fn delivered(&mut self, receipt: Receipt) {
        let cost = (receipt.0.get() >> 2) as usize;
        let queued = if receipt.0.get() & 2 != 0 { &mut self.control } else { &mut self.data };
        *queued = queued.saturating_sub(cost);
        self.flying = self.flying.saturating_sub(1);
        self.flying_octets = self.flying_octets.saturating_sub(cost);
    }

    /// Whether the queue takes data again; tells so once.
    pub(super) fn drained(&mut self) -> bool {
        let has_room = self.data <= self.limits.data / 2 && self.control <= self.limits.control / 4;
        let drained = self.congested && has_room;
        if drained {
            self.congested = false;
        }
        drained
    }

    /// Whether the peer has to take what waits before it is given more to answer.
    pub(super) const fn is_paused(&self) -> bool {
        self.control >= PAUSE_AT || self.data >= self.limits.data
    }

    /// What all messages cost.
    pub(super) const fn cost(&self) -> usize {
        self.control + self.data
    }

    /// Whether the peer has everything.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.flying == 0
    }
}

/// What a message costs and which bound it counts against, in one number that is never 0.
fn receipt(cost: usize, control: bool) -> Receipt {
    Receipt(NonZeroU64::MIN | (cost as u64) << 2 | u64::from(control) << 1)
}

/// Control messages are bounded apart: see [`rserpool_core::endpoint::Event::Congested`]. Answers to questions for
/// counters are among them.
fn is_control(protocol: ProtocolId) -> bool {
    matches!(protocol, ProtocolId::ASAP | ProtocolId::ENRP | ProtocolId::MANAGEMENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        let config = SctpConfig { send_queue: 1000, control_queue: 2000, ..SctpConfig::fast(1) };
        Ledger::new(&config)
    }

    fn message(protocol: u32, length: usize) -> Outgoing {
        Outgoing { protocol: ProtocolId(protocol), stream: 0, bytes: vec![0; length].into() }
    }

    fn released(ledger: &mut Ledger) -> Vec<Receipt> {
        std::iter::from_fn(|| ledger.release()).map(|(_, receipt)| receipt).collect()
    }

    #[test]
    fn congestion_is_told_once_and_ends_at_half() {
        let mut ledger = ledger();
        let offers: Vec<_> = (0..4).map(|_| ledger.offer(message(0, 436))).collect();
        assert_eq!(offers, [Offer::Taken, Offer::Congested, Offer::Taken, Offer::Taken]);
        let receipts = released(&mut ledger);
        let mut drained = Vec::new();
        for receipt in receipts {
            ledger.delivered(receipt);
            drained.push(ledger.drained());
        }
        assert_eq!(drained, [false, false, true, false]);
        assert!(ledger.is_empty());
    }

    #[test]
    fn control_messages_have_their_own_bound() {
        let mut ledger = ledger();
        assert_eq!(ledger.offer(message(0, 1000)), Offer::Congested);
        let offers: Vec<_> = (0..5).map(|n| ledger.offer(message(11 + n % 2, 436))).collect();
        assert_eq!(offers, [Offer::Taken, Offer::Taken, Offer::Taken, Offer::Taken, Offer::Full]);
        for receipt in released(&mut ledger) {
            ledger.delivered(receipt);
        }
        assert_eq!((ledger.data, ledger.control, ledger.flying_octets), (0, 0, 0));
    }

    /// Who sends control messages of its own accord, such as cookies, learns in time that the peer takes none.
    #[test]
    fn control_messages_congest_before_they_end_the_association() {
        let mut ledger = ledger();
        let offers: Vec<_> = (0..4).map(|_| ledger.offer(message(11, 436))).collect();
        assert_eq!(offers, [Offer::Taken, Offer::Congested, Offer::Taken, Offer::Taken]);
        let mut drained = Vec::new();
        for receipt in released(&mut ledger) {
            ledger.delivered(receipt);
            drained.push(ledger.drained());
        }
        assert_eq!(drained, [false, false, true, false]);
    }

    #[test]
    fn the_engine_gets_no_more_than_a_window() {
        let mut ledger = Ledger::new(&SctpConfig::fast(1));
        (0..2000).for_each(|_| assert_eq!(ledger.offer(message(0, 1)), Offer::Taken));
        let receipts = released(&mut ledger);
        assert_eq!(receipts.len(), WINDOW_MESSAGES);
        receipts[..10].iter().for_each(|receipt| ledger.delivered(*receipt));
        assert_eq!(released(&mut ledger).len(), 10);
    }

    #[test]
    fn a_message_above_the_limit_is_not_taken() {
        let mut ledger = Ledger::new(&SctpConfig { max_message_size: 10, ..SctpConfig::fast(1) });
        assert_eq!(ledger.offer(message(0, 11)), Offer::Full);
        assert_eq!(ledger.offer(message(0, 10)), Offer::Taken);
    }
}
