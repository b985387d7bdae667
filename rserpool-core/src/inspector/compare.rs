//! Whether the copies of the handlespace that several registrars hold are the same.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Snapshot;
use crate::base::RegistrarId;
use crate::handlespace::Checksum;

/// The elements of one home registrar in one copy, summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ownership {
    /// The number of elements.
    pub elements: usize,
    /// The PE checksum over them (RFC 5353 section 3.6.2).
    pub checksum: u16,
}

impl Ownership {
    /// No elements; 0xffff is the checksum over none.
    pub const NONE: Self = Self { elements: 0, checksum: 0xffff };
}

/// A copy in which the elements of one home differ from what that registrar itself lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The registrar that holds the copy.
    pub copy: RegistrarId,
    /// The home of the elements that differ.
    pub home: RegistrarId,
    /// The elements of this home in the copy.
    pub found: Ownership,
    /// The elements that the home registrar itself lists; if it was not asked, those in the first copy.
    pub expected: Ownership,
}

/// The elements of each home registrar in one copy, summed up. Elements without a home are left out: they
/// have just registered, and peers are told of them when they have one.
pub fn ownership(copy: &Snapshot) -> BTreeMap<RegistrarId, Ownership> {
    let mut homes: BTreeMap<RegistrarId, (usize, Checksum)> = BTreeMap::new();
    for pool in &copy.pools {
        for element in pool.elements.iter().filter(|element| element.home != RegistrarId::NONE) {
            let (elements, checksum) = homes.entry(element.home).or_default();
            *elements += 1;
            checksum.add(&pool.handle, element.id);
        }
    }
    let owned = |(elements, checksum): (usize, Checksum)| Ownership { elements, checksum: checksum.value() };
    homes.into_iter().map(|(home, sum)| (home, owned(sum))).collect()
}

/// All differences between these copies, ordered by copy and then by home. Copies that are taken while
/// elements come and go may differ for a moment.
pub fn differences(copies: &[Snapshot]) -> Vec<Difference> {
    let owned: Vec<_> = copies.iter().map(|copy| (copy.registrar, ownership(copy))).collect();
    differences_of(&owned)
}

/// The same from what [`ownership`] says of each copy, for those that do not want to keep the copies themselves.
pub fn differences_of(owned: &[(RegistrarId, BTreeMap<RegistrarId, Ownership>)]) -> Vec<Difference> {
    let mut homes: Vec<RegistrarId> = owned.iter().flat_map(|(_, homes)| homes.keys().copied()).collect();
    homes.sort_unstable();
    homes.dedup();
    let share =
        |homes: &BTreeMap<RegistrarId, Ownership>, home| homes.get(&home).copied().unwrap_or(Ownership::NONE);
    let mut differences = Vec::new();
    for (copy, owned_there) in owned {
        for home in &homes {
            let reference = owned.iter().find(|(registrar, _)| registrar == home).or_else(|| owned.first());
            let Some((_, reference)) = reference else { continue };
            let (found, expected) = (share(owned_there, *home), share(reference, *home));
            if found != expected {
                differences.push(Difference { copy: *copy, home: *home, found, expected });
            }
        }
    }
    differences
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use core::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::base::{ElementId, SctpAddress, SctpPort, UdpPort};
    use crate::wire::{Policy, PoolElement, PoolEntry, RegistrationLife, Transport};

    /// The copy of a registrar: elements with their homes.
    fn copy(registrar: u32, elements: &[(u32, u32)]) -> Snapshot {
        let element = |(id, home): &(u32, u32)| PoolElement {
            id: ElementId(*id),
            home: RegistrarId(*home),
            life: RegistrationLife::INFINITE,
            user_transport: Transport::Opaque(Vec::new().into()),
            policy: Policy::RoundRobin,
            asap_transport: None,
            encapsulation: None,
        };
        let elements = elements.iter().map(element).collect();
        Snapshot {
            registrar: RegistrarId(registrar),
            address: SctpAddress::new(IpAddr::V4(Ipv4Addr::LOCALHOST), SctpPort(9901), UdpPort(20001)),
            peers: Vec::new(),
            pools: vec![PoolEntry { handle: "EchoPool".into(), elements }],
        }
    }

    /// ENRP-3.6.2: each home has a checksum of its own; an element that has just registered has no home.
    #[test]
    fn elements_are_summed_up_by_home() {
        let owned = ownership(&copy(1, &[(0x0100_0001, 1), (0x0100_0002, 1), (7, 2), (8, 0)]));
        let homes: Vec<(u32, usize)> = owned.iter().map(|(home, owned)| (home.0, owned.elements)).collect();
        assert_eq!(homes, [(1, 2), (2, 1)]);
        assert_eq!(owned[&RegistrarId(1)].checksum, 0x22a0);
    }

    #[test]
    fn equal_copies_have_no_differences() {
        let elements = [(1, 1), (2, 2)];
        assert_eq!(differences(&[copy(1, &elements), copy(2, &elements), copy(3, &elements)]), []);
        assert_eq!(differences(&[copy(1, &[(1, 1), (9, 0)]), copy(2, &[(1, 1)])]), []);
        assert_eq!(differences(&[]), []);
    }

    #[test]
    fn a_difference_names_the_copy_and_the_home_whose_word_counts() {
        let found = differences(&[copy(1, &[(1, 1), (2, 2)]), copy(2, &[(2, 2)])]);
        assert_eq!((found.len(), found[0].copy, found[0].home), (1, RegistrarId(2), RegistrarId(1)));
        assert_eq!((found[0].found, found[0].expected.elements), (Ownership::NONE, 1));
        // Both claim the element: each copy is wrong about the other.
        let found = differences(&[copy(1, &[(1, 1)]), copy(2, &[(1, 2)])]);
        let named: Vec<(u32, u32)> = found.iter().map(|found| (found.copy.0, found.home.0)).collect();
        assert_eq!(named, [(1, 2), (2, 1)]);
    }

    #[test]
    fn elements_of_a_registrar_that_is_gone_are_compared_with_the_first_copy() {
        let found = differences(&[copy(1, &[(1, 9), (2, 9)]), copy(2, &[(1, 9)])]);
        assert_eq!((found.len(), found[0].copy, found[0].home), (1, RegistrarId(2), RegistrarId(9)));
    }
}
