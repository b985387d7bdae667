//! What a handlespace admits, selects and counts.

use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::wire::{PolicyType, RegistrationLife, SctpTransport, Transport, TransportUse};

const LIMITS: Limits = Limits { pools: 3, elements_per_pool: 3, elements: 5 };
const HOME: RegistrarId = RegistrarId(1);

pub(super) fn element(id: u32) -> PoolElement {
    PoolElement {
        id: ElementId(id),
        home: HOME,
        life: RegistrationLife(300),
        user_transport: Transport::Sctp(SctpTransport {
            port: 7,
            usage: TransportUse::DataPlusControl,
            addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)].into(),
        }),
        policy: Policy::RoundRobin,
        asap_transport: None,
        encapsulation: None,
    }
}

pub(super) fn pe(pool: &str, id: u32) -> PeHandle {
    PeHandle { pool: pool.into(), element: ElementId(id) }
}

/// ASAP-3.1-20, ASAP-3.1-23, ASAP-3.2-08: the pool lives as long as it has an element.
#[test]
fn a_pool_comes_with_its_first_element_and_goes_with_its_last() {
    let mut space = Handlespace::new(LIMITS);
    let handle = PoolHandle::from("EchoPool");
    assert_eq!(space.admit(&handle, element(1)), Ok(Admission::New));
    assert_eq!(space.admit(&handle, element(2)), Ok(Admission::New));
    let mut renewed = element(1);
    renewed.life = RegistrationLife(5);
    assert_eq!(space.admit(&handle, renewed), Ok(Admission::Renewed));
    assert_eq!(space.get(&pe("EchoPool", 1)).map(|e| e.life), Some(RegistrationLife(5)));
    assert_eq!((space.pool_count(), space.element_count()), (1, 2));
    assert!(space.remove(&pe("EchoPool", 1)).is_some());
    assert!(space.remove(&pe("EchoPool", 1)).is_none());
    assert!(space.remove(&pe("EchoPool", 2)).is_some());
    assert_eq!((space.pool_count(), space.element_count(), space.checksum(HOME)), (0, 0, 0xffff));
    assert!(space.homes.is_empty());
}

/// POL-5.2.2-01, POL-5.3.2-01: only a registration sets a load degradation back to 0. What else becomes known of
/// an element, such as another address or home, does not.
#[test]
fn only_a_registration_resets_a_load_degradation() {
    let handle = PoolHandle::from("EchoPool");
    let with =
        |id| PoolElement { policy: Policy::LeastUsedDegradation { load: 0, degradation: 1 }, ..element(id) };
    let moved = |id| PoolElement { home: RegistrarId(2), ..with(id) };
    let third = |again: &dyn Fn(&mut Handlespace)| {
        let mut space = Handlespace::new(LIMITS);
        let mut random = Random::new(1);
        let mut first = |space: &mut Handlespace| {
            let (_, selected) = space.select(&handle, 1, &mut random).unwrap();
            selected.map(|element| element.id.0).next()
        };
        space.admit(&handle, with(1)).unwrap();
        space.admit(&handle, with(2)).unwrap();
        assert_eq!([first(&mut space), first(&mut space), first(&mut space)], [Some(1), Some(2), Some(1)]);
        again(&mut space);
        first(&mut space)
    };
    assert_eq!(third(&|space| assert_eq!(space.amend(&handle, moved(1)), Ok(Admission::Renewed))), Some(2));
    assert_eq!(third(&|space| assert_eq!(space.admit(&handle, with(1)), Ok(Admission::Renewed))), Some(1));
}

/// ASAP-3.1-21, ASAP-3.1-22: the first element decides, the others must agree.
#[test]
fn an_element_that_does_not_fit_is_refused_and_changes_nothing() {
    let mut space = Handlespace::new(LIMITS);
    let handle = PoolHandle::from("EchoPool");
    space.admit(&handle, element(1)).unwrap();
    let before = space.checksum(HOME);

    let other_policy = PoolElement { policy: Policy::Random, ..element(1) };
    let other_kind = PoolElement { user_transport: Transport::Opaque(bytes::Bytes::new()), ..element(2) };
    let mut other_use = element(2);
    if let Transport::Sctp(sctp) = &mut other_use.user_transport {
        sctp.usage = TransportUse::DataOnly;
    }
    let private = Policy::Other { kind: PolicyType(0x8000_0001), data: bytes::Bytes::new() };
    let unknown = PoolElement { policy: private.clone(), ..element(1) };

    use AdmissionError::{Inconsistent as Differs, UnsupportedPolicy};
    assert_eq!(space.admit(&handle, other_policy), Err(Differs(Inconsistent::Policy(Policy::RoundRobin))));
    assert_eq!(
        space.admit(&handle, other_kind),
        Err(Differs(Inconsistent::Transport(element(1).user_transport)))
    );
    assert_eq!(
        space.admit(&handle, other_use),
        Err(Differs(Inconsistent::Use(TransportUse::DataPlusControl)))
    );
    assert_eq!(space.admit(&"New".into(), unknown), Err(UnsupportedPolicy(private)));
    assert_eq!((space.pool_count(), space.element_count(), space.checksum(HOME)), (1, 1, before));
}

/// ASAP-3.1-26: limits refuse the newcomer, never one that is there already.
#[test]
fn limits_hold() {
    let mut space = Handlespace::new(LIMITS);
    for id in 1..=3 {
        space.admit(&"a".into(), element(id)).unwrap();
    }
    assert_eq!(space.admit(&"a".into(), element(4)), Err(AdmissionError::Full(Limit::ElementsPerPool)));
    assert_eq!(space.admit(&"a".into(), element(3)), Ok(Admission::Renewed));
    space.admit(&"b".into(), element(1)).unwrap();
    space.admit(&"c".into(), element(1)).unwrap();
    assert_eq!(space.admit(&"d".into(), element(1)), Err(AdmissionError::Full(Limit::Pools)));
    assert_eq!(space.admit(&"c".into(), element(2)), Err(AdmissionError::Full(Limit::Elements)));
    assert_eq!(space.element_count(), 5);
}

/// An element that changes its home moves from one checksum to the other.
#[test]
fn a_new_home_takes_the_element_into_its_checksum() {
    let mut space = Handlespace::new(LIMITS);
    space.admit(&"EchoPool".into(), element(1)).unwrap();
    let one = space.checksum(HOME);
    space.admit(&"EchoPool".into(), PoolElement { home: RegistrarId(2), ..element(1) }).unwrap();
    assert_eq!((space.checksum(HOME), space.checksum(RegistrarId(2))), (0xffff, one));
    assert_eq!((space.owned(HOME), space.owned(RegistrarId(2))), (0, 1));
    space.admit(&"EchoPool".into(), element(2)).unwrap();
    let homes: Vec<_> = space.homes().collect();
    assert_eq!(homes, [(HOME, 1, space.checksum(HOME)), (RegistrarId(2), 1, one)]);
}

#[test]
fn elements_are_listed_in_one_order_from_any_point() {
    let mut space = Handlespace::new(LIMITS);
    for (pool, id) in [("b", 1), ("a", 2), ("a", 1), ("c", 9)] {
        space.admit(&pool.into(), element(id)).unwrap();
    }
    let list = |after: Option<PeHandle>| -> Vec<PeHandle> {
        space
            .elements_after(after.as_ref())
            .map(|(pool, e)| PeHandle { pool: pool.clone(), element: e.id })
            .collect()
    };
    let all = [pe("a", 1), pe("a", 2), pe("b", 1), pe("c", 9)];
    assert_eq!(list(None), all);
    assert_eq!(list(Some(pe("a", 1))), all[1..]);
    assert_eq!(list(Some(pe("a", 7))), all[2..]);
    assert_eq!(list(Some(pe("aa", 0))), all[2..]);
    assert_eq!(list(Some(pe("c", 9))), []);
}

/// The elements of one home alone, in the same order and from any point.
#[test]
fn elements_of_one_home_are_listed_in_that_order() {
    let mut space = Handlespace::new(LIMITS);
    let other = RegistrarId(2);
    for (pool, id, home) in [("b", 1, HOME), ("a", 2, HOME), ("a", 1, other), ("c", 9, HOME)] {
        space.admit(&pool.into(), PoolElement { home, ..element(id) }).unwrap();
    }
    let list = |space: &Handlespace, home, after: Option<PeHandle>| -> Vec<PeHandle> {
        let elements = space.elements_of_home_after(home, after.as_ref());
        elements.map(|(pool, e)| PeHandle { pool: pool.clone(), element: e.id }).collect()
    };
    let all = [pe("a", 2), pe("b", 1), pe("c", 9)];
    assert_eq!(list(&space, HOME, None), all);
    assert_eq!(list(&space, HOME, Some(pe("a", 2))), all[1..]);
    assert_eq!(list(&space, HOME, Some(pe("a", 7))), all[1..]);
    assert_eq!(list(&space, HOME, Some(pe("c", 9))), []);
    assert_eq!(list(&space, other, None), [pe("a", 1)]);
    space.admit(&"a".into(), PoolElement { home: other, ..element(2) }).unwrap();
    space.remove(&pe("b", 1));
    assert_eq!(space.names_of_home(HOME).collect::<Vec<_>>(), [&pe("c", 9)]);
    assert_eq!(space.names_of_home(other).collect::<Vec<_>>(), [&pe("a", 1), &pe("a", 2)]);
    assert_eq!(list(&space, RegistrarId(3), None), []);
}

#[test]
fn selection_goes_by_the_policy_of_the_pool() {
    let mut space = Handlespace::new(LIMITS);
    let mut random = Random::new(1);
    assert!(space.select(&"EchoPool".into(), 2, &mut random).is_none());
    for id in 1..=3 {
        space.admit(&"EchoPool".into(), element(id)).unwrap();
    }
    let mut next = || {
        let (_, selected) = space.select(&"EchoPool".into(), 2, &mut random).unwrap();
        selected.map(|e| e.id.0).collect::<Vec<_>>()
    };
    assert_eq!([next(), next(), next()], [[1, 2], [2, 3], [3, 1]]);
}

/// Many pools, so that the index grows and misses some; their numbers are used again.
#[test]
fn pools_are_found_however_many_there_are() {
    let limits = Limits { pools: 2_000, elements_per_pool: 3, elements: 2_000 };
    let mut space = Handlespace::new(limits);
    let handle = |n: u32| PoolHandle::from(alloc::format!("pool {n}"));
    for round in 0..2 {
        for n in 0..1_000 {
            assert_eq!(space.admit(&handle(n), element(n + 1)), Ok(Admission::New));
        }
        for n in 0..1_000 {
            let pool = space.pool(&handle(n)).unwrap();
            assert_eq!((pool.handle(), pool.get(ElementId(n + 1)).unwrap().id.0), (&handle(n), n + 1));
        }
        assert!(space.pool(&handle(1_000)).is_none());
        let order: Vec<_> = space.pools().map(|(handle, _)| handle.clone()).collect();
        assert!(order.is_sorted() && order.len() == 1_000);
        for n in (0..1_000).filter(|n| round == 1 || n % 3 == 0) {
            assert!(space.remove(&PeHandle { pool: handle(n), element: ElementId(n + 1) }).is_some());
            assert!(space.pool(&handle(n)).is_none());
        }
        for n in (0..1_000).filter(|n| round == 0 && n % 3 != 0) {
            assert!(space.remove(&PeHandle { pool: handle(n), element: ElementId(n + 1) }).is_some());
        }
        assert_eq!((space.pool_count(), space.element_count(), space.pools.len()), (0, 0, 1_000));
    }
}

/// A drawn history of registrations against maps of the standard library: what is listed, where,
/// and by whom it is owned.
#[test]
fn slots_are_used_again_and_nothing_gets_lost() {
    let limits = Limits { pools: 9, elements_per_pool: 500, elements: 500 };
    let (mut space, mut expected) = (Handlespace::new(limits), BTreeMap::new());
    let mut random = Random::new(3);
    for _ in 0..5_000 {
        let pe = pe(["a", "b", "c"][random.below(3) as usize], 1 + random.below(100) as u32);
        if random.below(5) < 3 {
            let home = RegistrarId(1 + random.below(2) as u32);
            let life = RegistrationLife(1 + random.below(9) as i32);
            let element = PoolElement { home, life, ..element(pe.element.0) };
            let known = expected.insert(pe.clone(), element.clone()).is_some();
            let admission = if known { Admission::Renewed } else { Admission::New };
            assert_eq!(space.admit(&pe.pool, element), Ok(admission));
        } else {
            assert_eq!(space.remove(&pe), expected.remove(&pe));
        }
    }
    let listed = space.elements_after(None).map(|(pool, e)| (pe(&pool.to_text(), e.id.0), e.clone()));
    assert_eq!(listed.collect::<BTreeMap<_, _>>(), expected);
    for home in [1, 2].map(RegistrarId) {
        let mut checksum = Checksum::default();
        for (pe, _) in expected.iter().filter(|(_, element)| element.home == home) {
            checksum.add(&pe.pool, pe.element);
        }
        assert_eq!(space.checksum(home), checksum.value());
    }
}

/// A policy of the application may list what is not there, twice, and too much; answers do not.
#[test]
fn a_careless_policy_is_held_to_the_rules() {
    #[derive(Debug)]
    struct Careless;
    impl crate::policy::SelectionPolicy for Careless {
        fn insert(&mut self, _: Slot, _: &Policy) {}
        fn remove(&mut self, _: Slot) {}
        fn select(&mut self, _: &mut Random, _: usize, selected: &mut Vec<Slot>) {
            selected.extend([7, 1, 1, 0, 2, 2].map(Slot));
        }
    }
    let mut policies = Policies::default();
    policies.add(PolicyType(0x8000_0001), || Careless).unwrap();
    let mut space = Handlespace::with_policies(LIMITS, policies);
    let policy = Policy::Other { kind: PolicyType(0x8000_0001), data: bytes::Bytes::new() };
    for id in 1..=3 {
        space.admit(&"a".into(), PoolElement { policy: policy.clone(), ..element(id) }).unwrap();
    }
    let (_, selected) = space.select(&"a".into(), 4, &mut Random::new(1)).unwrap();
    assert_eq!(selected.map(|e| e.id.0).collect::<Vec<_>>(), [2, 1]);
}
