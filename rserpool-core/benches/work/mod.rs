//! The work that all benchmarks do: the same as in the tables of RSPLIB's speed.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each benchmark takes its part, and all of it is known to work"
)]

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use rserpool_core::base::{ElementId, Instant, PoolHandle, Random, RegistrarId};
use rserpool_core::handlespace::{Handlespace, Limits, PeHandle};
use rserpool_core::policy::{Counting, Policies};
use rserpool_core::wire::{
    AsapMessage, Padding, Policy, PoolElement, RegistrationLife, SctpTransport, Transport, TransportUse,
};

/// Pools and elements in each.
pub(crate) const SIZES: [(u32, u32); 5] = [(1, 100), (1, 1_000), (1, 10_000), (1, 100_000), (1_000, 100)];

/// A policy with the values of each element.
#[derive(Clone, Copy)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) counting: Counting,
    pub(crate) values: fn(&mut Random) -> Policy,
}

const fn workload(name: &'static str, values: fn(&mut Random) -> Policy) -> Workload {
    Workload { name, counting: Counting::First, values }
}

fn load(random: &mut Random) -> u32 {
    random.next_u32()
}

fn weight(random: &mut Random) -> u32 {
    1 + random.below(10) as u32
}

/// Load degradation: one selection adds 1/1000 of a full load.
const DEGRADATION: u32 = u32::MAX / 1000;

/// The policies of the tables, with equal loads, in RSPLIB's mode: only the first element of an
/// answer counts.
pub(crate) const TABLE: [Workload; 6] = [
    workload("RR", |_| Policy::RoundRobin),
    workload("WRR", |r| Policy::WeightedRoundRobin { weight: weight(r) }),
    workload("RAND", |_| Policy::Random),
    workload("WRAND", |r| Policy::WeightedRandom { weight: weight(r) }),
    workload("LU", |_| Policy::LeastUsed { load: 0 }),
    workload("LUD", |_| Policy::LeastUsedDegradation { load: 0, degradation: DEGRADATION }),
];

/// What the tables do not have.
pub(crate) const BESIDE: [Workload; 10] = [
    workload("LU uniform", |r| Policy::LeastUsed { load: load(r) }),
    workload("LUD uniform", |r| Policy::LeastUsedDegradation { load: load(r), degradation: DEGRADATION }),
    Workload { name: "LUD RFC", counting: Counting::Listed, ..TABLE[5] },
    Workload {
        name: "LUD RFC uniform",
        counting: Counting::Listed,
        values: |r| Policy::LeastUsedDegradation { load: load(r), degradation: DEGRADATION },
    },
    workload("PRIO", |r| Policy::Priority { priority: weight(r) }),
    workload("PLU", |_| Policy::PriorityLeastUsed { load: 0, degradation: DEGRADATION }),
    workload("PLU uniform", |r| Policy::PriorityLeastUsed { load: load(r), degradation: DEGRADATION }),
    workload("RLU uniform", |r| Policy::RandomizedLeastUsed { load: load(r) }),
    workload("RLUD uniform", |r| Policy::RandomizedLeastUsedDegradation {
        load: load(r),
        degradation: DEGRADATION / 1_000,
    }),
    workload("LUD-DPF uniform", |r| Policy::LeastUsedDegradationDpf {
        load: load(r),
        degradation: DEGRADATION,
        dpf: 1_000,
        distance: 50 * r.below(5) as u32,
    }),
];

/// A handlespace and everything to be registered in it.
pub(crate) struct Bench {
    pub(crate) workload: Workload,
    pub(crate) space: Handlespace,
    pub(crate) elements: Vec<(PeHandle, PoolElement)>,
    pub(crate) handles: Vec<PoolHandle>,
    pub(crate) random: Random,
    next: usize,
}

impl Bench {
    /// An empty handlespace.
    pub(crate) fn new(workload: Workload, pools: u32, elements: u32) -> Self {
        let mut random = Random::new(1);
        let handles: Vec<_> = (0..pools).map(|n| PoolHandle::from(format!("Pool-{n:06}"))).collect();
        let mut all = Vec::new();
        for handle in &handles {
            let mut taken = BTreeSet::new();
            while taken.len() < elements as usize {
                let id = random.identifier();
                if !taken.insert(id) {
                    continue;
                }
                let element = element(id, (workload.values)(&mut random), 1);
                all.push((PeHandle { pool: handle.clone(), element: element.id }, element));
            }
        }
        let mut limits = Limits::default();
        (limits.pools, limits.elements_per_pool, limits.elements) = (1 << 20, 1 << 20, 1 << 20);
        let mut policies = Policies::default();
        policies.counting = workload.counting;
        let space = Handlespace::with_policies(limits, policies);
        // Questions come with handles of their own, as from the wire.
        let handles = handles.iter().map(|handle| PoolHandle::from(handle.to_text())).collect();
        let mut bench = Self { workload, space, elements: all, handles, random, next: 0 };
        bench.shuffle();
        bench
    }

    /// One with all its elements.
    pub(crate) fn full(workload: Workload, pools: u32, elements: u32) -> Self {
        let mut bench = Self::new(workload, pools, elements);
        bench.register_all();
        bench
    }

    /// Puts what is registered, deregistered and renewed into another order.
    pub(crate) fn shuffle(&mut self) {
        for i in (1..self.elements.len()).rev() {
            self.elements.swap(i, self.random.below(i as u64 + 1) as usize);
        }
    }

    /// Registers everything, each with its keep-alive timer armed; returns how many that were.
    pub(crate) fn register_all(&mut self) -> usize {
        for (pe, element) in &self.elements {
            self.space.admit(&pe.pool, element.clone()).unwrap();
            self.space.watch(pe, Instant::from_nanos(5_000_000_000 + self.random.quick_below(5_000_000_000)));
        }
        self.elements.len()
    }

    /// Removes everything, with its timers.
    pub(crate) fn deregister_all(&mut self) -> usize {
        for (pe, _) in &self.elements {
            self.space.remove(pe).unwrap();
        }
        self.elements.len()
    }

    /// Draws new loads, in advance.
    pub(crate) fn draw_loads(&mut self) {
        for (_, element) in &mut self.elements {
            element.policy = (self.workload.values)(&mut self.random);
        }
    }

    /// Makes one resolution in the next pool; returns how many elements it has listed.
    #[inline]
    pub(crate) fn resolve(&mut self, count: usize) -> usize {
        self.next += 617;
        if self.next >= self.handles.len() {
            self.next %= self.handles.len();
        }
        let (_, selected) = self.space.select(&self.handles[self.next], count, &mut self.random).unwrap();
        let listed = selected.len();
        selected.for_each(|element| {
            std::hint::black_box(element);
        });
        listed
    }
}

/// An element with so many addresses for its users, as a registrar lists it.
pub(crate) fn element(id: u32, policy: Policy, addresses: usize) -> PoolElement {
    let address = |n: usize| IpAddr::V4(Ipv4Addr::new(10, 0, 0, n as u8 + 1));
    let transport =
        |port, usage| SctpTransport { port, usage, addresses: (0..addresses).map(address).collect() };
    PoolElement {
        id: ElementId(id),
        home: RegistrarId(1),
        life: RegistrationLife(300),
        user_transport: Transport::Sctp(transport(7, TransportUse::DataOnly)),
        policy,
        asap_transport: Some(transport(3863, TransportUse::DataOnly)),
        encapsulation: None,
    }
}

/// The messages of the tables with their names, and a request beside them.
pub(crate) fn messages() -> [(&'static str, AsapMessage); 4] {
    let handle = PoolHandle::from("EchoPool");
    let seen = |id, addresses| PoolElement {
        asap_transport: None,
        ..element(id, Policy::LeastUsed { load: 0x1000_0000 }, addresses)
    };
    let response = |addresses| AsapMessage::HandleResolutionResponse {
        updates: false,
        handle: handle.clone(),
        policy: Some(Policy::LeastUsed { load: 0 }),
        elements: (1..=4).map(|id| seen(id, addresses)).collect(),
        error: None,
    };
    [
        ("registration", AsapMessage::Registration { handle: handle.clone(), element: seen(1, 1) }),
        (
            "resolution",
            AsapMessage::HandleResolution { handle: handle.clone(), subscribe: false, items: None },
        ),
        ("response, 4 elements", response(1)),
        ("response, 4 elements of 4 addresses", response(4)),
    ]
}

/// A message in octets, as a transport delivers it.
pub(crate) fn octets(message: &AsapMessage) -> Bytes {
    let octets = message.encode(Padding::Padded).unwrap();
    // A transport shares its buffer, so what is sliced off needs no memory of its own.
    let _shared = octets.clone();
    octets
}
