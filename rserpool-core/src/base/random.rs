//! Random numbers that follow from a seed alone.

use core::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// A stream of random numbers: the same seed gives the same stream, on every machine.
///
/// The stream is ChaCha with eight rounds, which is good enough for PE identifiers ("good-quality", RFC 5352
/// section 3.1 R2.2). The program takes its seed from the operating system, a simulation from its scenario.
///
/// Selections use a second stream (SplitMix64), which takes a nanosecond for each number. An observer of
/// enough selections can predict the next ones, but gains nothing: every user may ask for every element
/// anyway.
#[derive(Clone, Debug)]
pub struct Random {
    good: ChaCha8Rng,
    quick: u64,
}

impl Random {
    /// The stream of this seed.
    pub fn new(seed: u64) -> Self {
        Self { good: ChaCha8Rng::seed_from_u64(seed), quick: seed }
    }

    /// A number of 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        self.good.next_u32()
    }

    /// A number of 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.good.next_u64()
    }

    /// A number below `bound` from the quick stream; 0 if `bound` is 0. The probability of each number is off
    /// by less than 2^-64 times `bound`.
    pub const fn quick_below(&mut self, bound: u64) -> u64 {
        self.quick = self.quick.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.quick;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^= x >> 31;
        ((x as u128 * bound as u128) >> 64) as u64
    }

    /// A number from 1 to 2^32 - 1: an identifier that is not "none".
    pub fn identifier(&mut self) -> u32 {
        loop {
            match self.next_u32() {
                0 => {}
                id => return id,
            }
        }
    }

    /// A number below `bound`; 0 if `bound` is 0. For a bound of 32 bits, the probability of each number is
    /// off by less than 2^-32.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A duration between half of `middle` and one and a half times it, evenly distributed: the variation of
    /// keep-alives that RFC 5352 section 3.5 asks for.
    pub fn vary_by_half(&mut self, middle: Duration) -> Duration {
        let nanos = u64::try_from(middle.as_nanos()).unwrap_or(u64::MAX);
        let span = nanos.saturating_add(1);
        Duration::from_nanos((nanos / 2).saturating_add(self.below(span)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_stream() {
        let (mut a, mut b, mut c) = (Random::new(7), Random::new(7), Random::new(8));
        let first: [u64; 4] = core::array::from_fn(|_| a.next_u64());
        assert_eq!(first, core::array::from_fn(|_| b.next_u64()));
        assert_ne!(first, core::array::from_fn(|_| c.next_u64()));
    }

    #[test]
    fn variation_stays_within_a_half_and_reaches_both_sides() {
        let mut random = Random::new(1);
        let middle = Duration::from_millis(100);
        let drawn = [(); 1000].map(|()| random.vary_by_half(middle));
        assert!(drawn.iter().all(|d| (50..=150).contains(&d.as_millis())));
        assert!(drawn.iter().any(|d| d.as_millis() < 60) && drawn.iter().any(|d| d.as_millis() > 140));
        assert_eq!(random.vary_by_half(Duration::MAX).as_nanos() >> 65, 0);
        assert_eq!((random.below(0), random.quick_below(0)), (0, 0));
    }

    #[test]
    fn the_quick_stream_is_even_and_leaves_the_other_alone() {
        let (mut a, mut b) = (Random::new(5), Random::new(5));
        let mut counts = [0u32; 8];
        for _ in 0..8_000 {
            counts[a.quick_below(8) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (900..=1100).contains(count)), "{counts:?}");
        assert_eq!(a.next_u64(), b.next_u64());
    }
}
