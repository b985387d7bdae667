//! When the peer is told what has arrived: with the next data, for every second packet, at once if
//! something is missing or the peer asks for it, and else after a short wait (RFC 9260 section 6.2,
//! RFC 7053). The engines make a SACK for every packet; this holds it back.

use rserpool_core::base::Instant;

use super::chunk::{self, Data};
use super::engine::Portion;
use super::packet::Chunk;

#[derive(Debug)]
pub(super) struct Sacks {
    /// The last one that was made and not sent.
    held: Option<Chunk>,
    /// When it goes out, whatever happens.
    until: Instant,
    /// Packets with data since the last that was sent.
    packets: u8,
    /// Whether it may not wait.
    urgent: bool,
}

impl Sacks {
    pub(super) const fn new() -> Self {
        Self { held: None, until: Instant::ORIGIN, packets: 0, urgent: false }
    }

    /// A packet has arrived.
    pub(super) fn arrived(&mut self, portions: &[Portion]) {
        let data = portions.iter().filter_map(|portion| match portion {
            Portion::Data(data) => Some(data.flags),
            Portion::Sack(..) => None,
        });
        if let Some(flags) = data.reduce(|all, flags| all | flags) {
            self.packets = self.packets.saturating_add(1);
            self.urgent |= self.packets > 1 || flags & Data::IMMEDIATE != 0;
        }
    }

    /// The engine has made one, which says all that the one before did. It need not go out before
    /// `until`.
    pub(super) fn made(&mut self, sack: Chunk, until: Instant) {
        if self.held.is_none() {
            self.until = until;
        }
        // What closes a gap is told at once, too.
        let gaps = |sack: &Chunk| !chunk::is_plain_sack(sack);
        self.urgent |= gaps(&sack) || self.held.as_ref().is_some_and(gaps);
        self.held = Some(sack);
    }

    /// The one to be sent now; `anyway` if something else goes out.
    pub(super) fn take(&mut self, now: Instant, anyway: bool) -> Option<Chunk> {
        if !(anyway || self.urgent || self.until <= now) {
            return None;
        }
        let sack = self.held.take()?;
        // After a gap the next one is urgent: it may say that the gap is closed.
        self.urgent = !chunk::is_plain_sack(&sack);
        self.packets = 0;
        Some(sack)
    }

    /// When [`Sacks::take`] gives one in any case.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.held.as_ref().map(|_| self.until)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::{BufMut, Bytes, BytesMut};

    use super::super::chunk::{kind, sack};
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::ORIGIN + Duration::from_millis(millis)
    }

    fn data(flags: u8) -> Portion {
        let payload = Bytes::from_static(b"x");
        Portion::Data(Data { flags, tsn: 1, stream: 0, sequence: 0, protocol: 0, payload })
    }

    /// A SACK of TSN 7 that misses one.
    fn with_gap() -> Chunk {
        let mut body = BytesMut::from(&sack(7, 1000).body[..]);
        body[8..12].copy_from_slice(&[0, 1, 0, 0]);
        body.put_u32(0x0002_0002);
        Chunk::new(kind::SACK, body.freeze())
    }

    #[test]
    fn one_packet_waits_and_a_second_does_not() {
        let mut sacks = Sacks::new();
        sacks.arrived(&[data(3)]);
        sacks.made(sack(1, 9), at(12));
        assert_eq!((sacks.take(at(0), false), sacks.deadline()), (None, Some(at(12))));
        sacks.arrived(&[data(3)]);
        sacks.made(sack(2, 9), at(15));
        assert_eq!(sacks.take(at(3), false), Some(sack(2, 9)));
        assert_eq!((sacks.take(at(99), true), sacks.deadline()), (None, None));
        sacks.arrived(&[data(3)]);
        sacks.made(sack(3, 9), at(20));
        assert_eq!(sacks.take(at(19), false), None);
        assert_eq!(sacks.take(at(20), false), Some(sack(3, 9)));
    }

    #[test]
    fn data_takes_it_along() {
        let mut sacks = Sacks::new();
        sacks.arrived(&[data(3)]);
        sacks.made(sack(1, 9), at(12));
        assert_eq!(sacks.take(at(1), true), Some(sack(1, 9)));
    }

    #[test]
    fn the_peer_may_ask_for_it() {
        let mut sacks = Sacks::new();
        sacks.arrived(&[data(3 | Data::IMMEDIATE)]);
        sacks.made(sack(1, 9), at(12));
        assert_eq!(sacks.take(at(1), false), Some(sack(1, 9)));
    }

    #[test]
    fn a_gap_is_told_at_once_and_so_is_its_end() {
        let mut sacks = Sacks::new();
        sacks.arrived(&[data(3)]);
        sacks.made(with_gap(), at(12));
        assert_eq!(sacks.take(at(1), false), Some(with_gap()));
        sacks.arrived(&[data(3)]);
        sacks.made(sack(9, 9), at(13));
        assert_eq!(sacks.take(at(2), false), Some(sack(9, 9)));
        sacks.arrived(&[data(3)]);
        sacks.made(sack(10, 9), at(14));
        assert_eq!(sacks.take(at(3), false), None);
    }
}
