//! What the peer sends: which of its DATA has arrived, what it is told about that, and the messages that come out
//! of it. This half of the transfer is done here and not by a library, because everything that it keeps is the
//! choice of a stranger: it is copied to its size, counted with its overhead, and bounded.

mod assembly;
mod sacks;
mod tsns;

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};
use rserpool_core::base::{Instant, ProtocolId};

use self::assembly::Assembly;
use self::sacks::Sacks;
use self::tsns::{Tsn, Tsns};
use super::chunk::{self, Data};
use super::config::SctpConfig;
use super::packet::Chunk;

pub(super) use self::assembly::Violation;

/// A message of the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) protocol: ProtocolId,
    pub(super) stream: u16,
    pub(super) bytes: Bytes,
}

/// What a message costs that waits for the endpoint, beyond its octets.
const OVERHEAD: usize = 64;

/// A window below this is as good as closed: most peers send packets of this size.
const OPEN: usize = 4 * 1500;

#[derive(Debug)]
pub(super) struct Receiver {
    tsns: Tsns,
    assembly: Assembly,
    /// Whole messages that the endpoint has not taken yet.
    inbox: VecDeque<Message>,
    inbox_cost: usize,
    /// The receive window when nothing is kept.
    capacity: usize,
    /// The window that the peer was told last.
    told: usize,
    sacks: Sacks,
    /// DATA that was not taken since the last call, because the window was full.
    refused: u64,
}

impl Receiver {
    /// Nothing has arrived; the peer begins with this TSN.
    pub(super) fn new(first: u32, config: &SctpConfig) -> Self {
        let capacity = config.receive_buffer as usize;
        Self {
            tsns: Tsns::new(first),
            assembly: Assembly::new(config.max_message_size),
            inbox: VecDeque::new(),
            inbox_cost: 0,
            capacity,
            told: capacity,
            sacks: Sacks::default(),
            refused: 0,
        }
    }

    /// A DATA chunk has arrived.
    ///
    /// # Errors
    /// The peer has broken the protocol.
    pub(super) fn add(&mut self, data: &Data) -> Result<(), Violation> {
        match self.tsns.find(data.tsn) {
            Tsn::New(tsn) if self.has_room(tsn, data.payload.len()) => {
                let gaps = self.tsns.has_gaps();
                self.tsns.add(tsn);
                // What closes a gap is told at once, as the gap was.
                self.sacks.arrived(data, gaps || self.tsns.has_gaps());
                let (inbox, cost) = (&mut self.inbox, &mut self.inbox_cost);
                self.assembly.add(tsn, data, &self.tsns, |message| {
                    *cost += message.bytes.len() + OVERHEAD;
                    inbox.push_back(message);
                })
            }
            // RFC 9260 section 6.2: what is not taken, or has come before, is answered at once.
            Tsn::Duplicate => {
                self.tsns.add_duplicate(data.tsn);
                self.sacks.arrived(data, true);
                Ok(())
            }
            Tsn::New(_) | Tsn::TooFar => {
                self.refused += 1;
                self.sacks.arrived(data, true);
                Ok(())
            }
        }
    }

    /// Whether a fragment is taken. What comes next in sequence is, even if other things fill the window: only it
    /// leads to messages that can be handed out. Unless it is those that fill the window.
    fn has_room(&self, tsn: u64, octets: usize) -> bool {
        let in_sequence = tsn == self.tsns.cumulative() + 1;
        self.kept() + Assembly::cost_of(octets) <= self.capacity || (in_sequence && self.inbox.is_empty())
    }

    /// A packet with DATA has been read; what has to be told about it may wait until then.
    pub(super) fn end_of_packet(&mut self, until: Instant) {
        self.sacks.end_of_packet(until);
    }

    /// The next message for the endpoint.
    pub(super) fn take(&mut self) -> Option<Message> {
        let message = self.inbox.pop_front()?;
        self.inbox_cost -= message.bytes.len() + OVERHEAD;
        if self.told < OPEN && self.window() >= self.capacity / 2 {
            self.sacks.hurry();
        }
        Some(message)
    }

    /// Whether there is a message for the endpoint.
    pub(super) fn has_message(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// What everything that is kept costs, in octets.
    pub(super) const fn kept(&self) -> usize {
        self.assembly.cost() + self.inbox_cost
    }

    fn window(&self) -> usize {
        self.capacity.saturating_sub(self.kept())
    }

    /// How much DATA was not taken since the last call.
    pub(super) fn take_refused(&mut self) -> u64 {
        std::mem::take(&mut self.refused)
    }

    /// The last TSN in sequence.
    pub(super) const fn cumulative(&self) -> u32 {
        self.tsns.cumulative() as u32
    }

    /// The SACK that is to be sent now; `anyway` if something else goes out.
    pub(super) fn take_sack(&mut self, now: Instant, anyway: bool) -> Option<Chunk> {
        self.sacks.take(now, anyway, self.tsns.has_gaps()).then(|| self.sack())
    }

    /// When [`Receiver::take_sack`] gives one in any case.
    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.sacks.deadline()
    }

    /// What there is to tell. A SACK that would not fit a packet is shortened: the peer learns of the later gaps
    /// when the earlier ones are closed.
    fn sack(&mut self) -> Chunk {
        self.told = self.window();
        let window = u32::try_from(self.told).unwrap_or(u32::MAX);
        let duplicates = self.tsns.take_duplicates();
        let blocks: Vec<_> = self.tsns.blocks().take(chunk::MAX_BLOCKS - duplicates.len()).collect();
        let mut body = BytesMut::from(&chunk::sack(self.cumulative(), window).body[..]);
        body[8..10].copy_from_slice(&(blocks.len() as u16).to_be_bytes());
        body[10..12].copy_from_slice(&(duplicates.len() as u16).to_be_bytes());
        for (start, end) in blocks {
            body.put_u16(start);
            body.put_u16(end);
        }
        duplicates.iter().for_each(|tsn| body.put_u32(*tsn));
        Chunk::new(chunk::kind::SACK, body.freeze())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sctp::chunk::parse_sack;

    const NOW: Instant = Instant::ORIGIN;

    /// A receiver whose window takes two fragments of 1,000 octets.
    fn receiver() -> Receiver {
        let config = SctpConfig { receive_buffer: 2_600, ..SctpConfig::fast(1) };
        Receiver::new(1, &config)
    }

    fn data(tsn: u32, flags: u8, octets: usize) -> Data {
        let sequence = (tsn - 1) as u16;
        Data { flags, tsn, stream: 0, sequence, protocol: 11, payload: vec![7; octets].into() }
    }

    /// A packet with this DATA arrives.
    fn put(receiver: &mut Receiver, data: &Data) {
        receiver.add(data).unwrap();
        receiver.end_of_packet(NOW + Duration::from_millis(12));
    }

    fn told(receiver: &mut Receiver) -> (u32, u32, Vec<(u16, u16)>) {
        let sack = receiver.take_sack(NOW, true).unwrap();
        let parsed = parse_sack(&sack).unwrap();
        (parsed.cumulative, parsed.window, parsed.blocks)
    }

    #[test]
    fn what_is_kept_narrows_the_window_and_what_exceeds_it_is_not_taken() {
        let mut receiver = receiver();
        for tsn in [2, 3, 4] {
            put(&mut receiver, &data(tsn, 3, 1000));
        }
        assert_eq!(told(&mut receiver), (0, 2_600 - 2 * 1_256, vec![(2, 3)]));
        assert_eq!((receiver.take_refused(), receiver.take_refused()), (1, 0));
        // The one that is missing is taken all the same, and lets the others out.
        put(&mut receiver, &data(1, 3, 1000));
        assert_eq!(told(&mut receiver), (3, 0, vec![]));
        // Now it is the endpoint that has to take something.
        put(&mut receiver, &data(4, 3, 1000));
        assert_eq!(told(&mut receiver).0, 3);
        assert!(receiver.take_sack(NOW, true).is_none());
        assert!(receiver.take().is_some() && receiver.take_sack(NOW, false).is_none());
        assert!(receiver.take().is_some());
        assert_eq!(receiver.take_sack(NOW, false).map(|sack| parse_sack(&sack).unwrap().window), Some(1_536));
        assert!(receiver.take().is_some() && receiver.take().is_none());
        assert_eq!(receiver.kept(), 0);
    }

    #[test]
    fn duplicates_are_told_and_not_kept() {
        let mut receiver = receiver();
        put(&mut receiver, &data(1, 3, 1));
        receiver.take();
        told(&mut receiver);
        for _ in 0..2 {
            put(&mut receiver, &data(1, 3, 60_000));
        }
        assert_eq!(receiver.kept(), 0);
        let sack = receiver.take_sack(NOW, false).unwrap();
        assert_eq!(sack.body[8..], [0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1]);
    }

    #[test]
    fn a_sack_fits_a_packet() {
        let mut receiver = Receiver::new(1, &SctpConfig::fast(1));
        (1..1000).for_each(|n| put(&mut receiver, &data(n * 2, 3, 1)));
        (1..20).for_each(|_| put(&mut receiver, &data(2, 3, 1)));
        let sack = receiver.take_sack(NOW, true).unwrap();
        assert_eq!(sack.size() + super::super::packet::HEADER, super::super::path_mtu::SMALL_PACKET);
        assert!(parse_sack(&sack).is_some());
    }
}
