//! The PE checksum (RFC 5353 section 3.6.2, RFC 1071).

use crate::base::{ElementId, PoolHandle};

/// The PE checksum over a set of elements, kept up to date as they come and go.
///
/// The sum is kept wide and unfolded, so that taking an element out is exact: a folded sum cannot
/// tell 0x0000 from 0xffff any more (reading A2). 2^48 words fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Checksum {
    sum: u64,
    elements: u64,
}

impl Checksum {
    /// Adds an element that is not in it yet.
    pub fn add(&mut self, handle: &PoolHandle, element: ElementId) {
        self.sum += words(handle, element);
        self.elements += 1;
    }

    /// Takes an element out that was added before.
    pub fn remove(&mut self, handle: &PoolHandle, element: ElementId) {
        debug_assert!(
            self.elements > 0 && self.sum >= words(handle, element),
            "{handle}/{element} is not in"
        );
        self.sum = self.sum.saturating_sub(words(handle, element));
        self.elements = self.elements.saturating_sub(1);
    }

    /// The checksum: the complement of the ones' complement sum, 0xffff over no elements.
    pub const fn value(self) -> u16 {
        let mut sum = self.sum;
        while sum > 0xffff {
            sum = (sum >> 16) + (sum & 0xffff);
        }
        !(sum as u16)
    }

    /// How many elements it is over.
    pub const fn elements(self) -> u64 {
        self.elements
    }
}

/// The 16-bit words of one element, added up: the handle, padded with zeros to a multiple of four
/// octets, then the PE identifier (reading A4).
fn words(handle: &PoolHandle, element: ElementId) -> u64 {
    let (pairs, rest) = handle.as_bytes().as_chunks();
    let pairs: u64 = pairs.iter().map(|pair| u64::from(u16::from_be_bytes(*pair))).sum();
    let rest = rest.first().map_or(0, |high| u64::from(*high) << 8);
    pairs + rest + u64::from(element.0 >> 16) + u64::from(element.0 & 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(elements: &[(&str, u32)]) -> Checksum {
        let mut checksum = Checksum::default();
        for (handle, element) in elements {
            checksum.add(&PoolHandle::from(*handle), ElementId(*element));
        }
        checksum
    }

    /// ENRP-3.6.2-01: the sum is over the padded handle and all four octets of the identifier; ENRP-3.6.2-02: it is
    /// the Internet checksum of RFC 1071. Values captured from RSPLIB (reading A2).
    #[test]
    fn agrees_with_a_foreign_implementation() {
        assert_eq!(over(&[]).value(), 0xffff);
        assert_eq!(over(&[("CalcAppPool", 0x5562_e917)]).value(), 0x8490);
        assert_eq!(over(&[("CalcAppPool", 0x3775_a3bd)]).value(), 0xe7d7);
        assert_eq!(over(&[("CalcAppPool", 0x5562_e917), ("CalcAppPool", 0x3775_a3bd)]).value(), 0x6c68);
        assert_eq!(over(&[("EchoPool", 0x0100_0001), ("EchoPool", 0x0100_0002)]).value(), 0x22a0);
    }

    /// ENRP-3.6.2-05: adding and subtracting one element gives the sum over those that are left.
    #[test]
    fn what_was_added_can_be_taken_out_again() {
        let mut checksum = over(&[("a", 0xffff_0000), ("EchoPool", 7)]);
        checksum.remove(&PoolHandle::from("a"), ElementId(0xffff_0000));
        assert_eq!(checksum, over(&[("EchoPool", 7)]));
        checksum.remove(&PoolHandle::from("EchoPool"), ElementId(7));
        assert_eq!(checksum.value(), 0xffff);
        assert_eq!(checksum.elements(), 0);
    }
}
