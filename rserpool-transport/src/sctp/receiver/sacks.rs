//! When the peer is told what has arrived: with the next data, for every second packet, at once if
//! something is missing or the peer asks for it, and else after a short wait (RFC 9260 section 6.2,
//! RFC 7053).

use rserpool_core::base::Instant;

use crate::sctp::chunk::Data;

#[derive(Debug, Default)]
pub(super) struct Sacks {
    /// Whether the packet that is being read has brought DATA.
    data: bool,
    /// When the SACK that is owed goes out, whatever happens.
    until: Option<Instant>,
    /// Packets with data since the last that was sent.
    packets: u8,
    /// Whether it may not wait.
    urgent: bool,
}

impl Sacks {
    /// DATA has arrived; the peer may have to hear of it at once.
    pub(super) const fn arrived(&mut self, data: &Data, urgent: bool) {
        self.data = true;
        self.urgent |= urgent || data.flags & Data::IMMEDIATE != 0;
    }

    /// The packet has been read. What it brought need not be told before `until`.
    pub(super) fn end_of_packet(&mut self, until: Instant) {
        if std::mem::take(&mut self.data) {
            self.packets = self.packets.saturating_add(1);
            self.urgent |= self.packets > 1;
            self.until.get_or_insert(until);
        }
    }

    /// The window is open again: the peer waits to hear that.
    pub(super) fn hurry(&mut self) {
        self.urgent = true;
        self.until.get_or_insert(Instant::ORIGIN);
    }

    /// Whether one is to be sent now; `anyway` if something else goes out. After one that tells of gaps the next
    /// is urgent: it may say that they are closed.
    pub(super) fn take(&mut self, now: Instant, anyway: bool, gaps: bool) -> bool {
        let due = self.until.is_some_and(|until| anyway || self.urgent || until <= now);
        if due {
            (self.until, self.packets, self.urgent) = (None, 0, gaps);
        }
        due
    }

    /// When [`Sacks::take`] says so in any case.
    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::ORIGIN + Duration::from_millis(millis)
    }

    /// A packet with one DATA chunk arrives; its SACK may wait until then.
    fn packet(sacks: &mut Sacks, flags: u8, urgent: bool, until: u64) {
        let payload = Bytes::from_static(b"x");
        sacks.arrived(&Data { flags, tsn: 1, stream: 0, sequence: 0, protocol: 0, payload }, urgent);
        sacks.end_of_packet(at(until));
    }

    #[test]
    fn one_packet_waits_and_a_second_does_not() {
        let mut sacks = Sacks::default();
        packet(&mut sacks, 3, false, 12);
        assert_eq!((sacks.take(at(0), false, false), sacks.deadline()), (false, Some(at(12))));
        packet(&mut sacks, 3, false, 15);
        assert!(sacks.take(at(3), false, false));
        assert_eq!((sacks.take(at(99), true, false), sacks.deadline()), (false, None));
        packet(&mut sacks, 3, false, 20);
        assert!(!sacks.take(at(19), false, false));
        assert!(sacks.take(at(20), false, false));
    }

    #[test]
    fn several_chunks_of_a_packet_are_one() {
        let mut sacks = Sacks::default();
        let payload = Bytes::from_static(b"x");
        let data = Data { flags: 3, tsn: 1, stream: 0, sequence: 0, protocol: 0, payload };
        (0..3).for_each(|_| sacks.arrived(&data, false));
        sacks.end_of_packet(at(12));
        sacks.end_of_packet(at(13));
        assert!(!sacks.take(at(1), false, false));
    }

    #[test]
    fn data_takes_it_along() {
        let mut sacks = Sacks::default();
        packet(&mut sacks, 3, false, 12);
        assert!(sacks.take(at(1), true, false));
    }

    #[test]
    fn the_peer_may_ask_for_it() {
        let mut sacks = Sacks::default();
        packet(&mut sacks, 3 | Data::IMMEDIATE, false, 12);
        assert!(sacks.take(at(1), false, false));
    }

    #[test]
    fn a_gap_is_told_at_once_and_so_is_its_end() {
        let mut sacks = Sacks::default();
        packet(&mut sacks, 3, true, 12);
        assert!(sacks.take(at(1), false, true));
        packet(&mut sacks, 3, false, 13);
        assert!(sacks.take(at(2), false, false));
        packet(&mut sacks, 3, false, 14);
        assert!(!sacks.take(at(3), false, false));
    }
}
