//! What every packet suffers on its way.

use std::time::Duration;

use rserpool_core::base::Random;

/// What the cable between any two hosts does to packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cable {
    /// The time that a packet takes in one direction.
    pub delay: Duration,
    /// At most this much is added to the delay, evenly distributed.
    pub jitter: Duration,
    /// Packets lost, of a million.
    pub loss: u32,
    /// Datagrams delivered twice, of a million. Associations hide it.
    pub duplication: u32,
    /// Packets held back for twice the delay, of a million; others overtake them.
    pub reordering: u32,
    /// The octets that one direction of a modelled association carries in a second; 0 sets no limit. Small
    /// packets, such as handshakes and announcements, and the packets of whole nodes are not held up.
    pub rate: u32,
}

impl Cable {
    /// A LAN: 1 ms, nothing lost.
    pub const LAN: Self = Self {
        delay: Duration::from_millis(1),
        jitter: Duration::ZERO,
        loss: 0,
        duplication: 0,
        reordering: 0,
        rate: 0,
    };

    /// The longest time that a packet takes if it is not lost.
    pub fn longest(&self) -> Duration {
        let held_back = if self.reordering > 0 { self.held_back() } else { Duration::ZERO };
        self.delay + self.jitter + held_back
    }

    /// How long a message of this length occupies one direction of an association.
    pub(crate) fn occupied(&self, octets: usize) -> Duration {
        match self.rate {
            0 => Duration::ZERO,
            rate => Duration::from_secs_f64(octets as f64 / f64::from(rate)),
        }
    }

    /// Whether every packet arrives after the same time.
    pub(super) const fn is_certain(&self) -> bool {
        self.loss == 0 && self.jitter.is_zero() && self.reordering == 0
    }

    fn held_back(&self) -> Duration {
        self.delay * 2
    }

    pub(super) fn loses(&self, random: &mut Random) -> bool {
        self.loss > 0 && random.below(1_000_000) < u64::from(self.loss)
    }

    /// How long a packet takes that is not lost.
    pub(super) fn travel(&self, random: &mut Random) -> Duration {
        let jitter = u64::try_from(self.jitter.as_nanos()).unwrap_or(u64::MAX);
        let jitter = if jitter > 0 { random.below(jitter + 1) } else { 0 };
        let late = self.reordering > 0 && random.below(1_000_000) < u64::from(self.reordering);
        let held_back = if late { self.held_back() } else { Duration::ZERO };
        let time = self.delay + Duration::from_nanos(jitter) + held_back;
        debug_assert!(time <= self.longest(), "judges rely on the longest time");
        time
    }
}
