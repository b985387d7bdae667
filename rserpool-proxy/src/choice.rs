//! Which element of a pool gets the next connection: by the policy of the pool, but those that have failed lately come
//! last, and a client that is to stay where it was comes there first. Pure: time is handed in.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rserpool_core::base::{ElementId, Instant, Random};
use rserpool_core::policy::{Counting, Selection, SelectionPolicy, Slot};
use rserpool_core::wire::{Policy, PoolElement, Transport};

/// An element that serves by TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The element.
    pub element: ElementId,
    /// Where it serves.
    pub address: SocketAddr,
}

impl Target {
    /// Where an element serves by TCP; `None` if it does not.
    pub fn of(element: &PoolElement) -> Option<Self> {
        match &element.user_transport {
            Transport::Tcp { port, address, .. } if *port != 0 => {
                Some(Self { element: element.id, address: SocketAddr::new(*address, *port) })
            }
            _ => None,
        }
    }
}

/// The elements of one pool, as they were told last.
#[derive(Debug)]
pub struct Choice {
    policy: Option<Policy>,
    /// `None` if the policy is not known: then the order of the registrar is kept.
    selection: Option<Selection>,
    /// By their slots. A slot stays with its element, so that the policy remembers what it has selected.
    slots: Vec<Option<Known>>,
    /// How long an element that has failed is avoided.
    exclusion: Duration,
    random: Random,
}

#[derive(Debug)]
struct Known {
    target: Target,
    policy: Policy,
    /// It has failed, and is out of the selection until then.
    avoided_until: Option<Instant>,
}

impl Choice {
    /// A pool of which nothing is known yet.
    pub fn new(exclusion: Duration, seed: u64) -> Self {
        Self { policy: None, selection: None, slots: Vec::new(), exclusion, random: Random::new(seed) }
    }

    /// Takes the elements that the pool has now. Those that do not serve by TCP are left out; their number is returned.
    pub fn update(&mut self, policy: &Policy, elements: &[PoolElement]) -> usize {
        if self.policy.as_ref().map(Policy::kind) != Some(policy.kind()) {
            self.selection = Selection::built_in(policy, Counting::First);
            self.slots.clear();
            self.policy = Some(policy.clone());
        }
        let mut now = BTreeMap::new();
        for element in elements {
            if let Some(target) = Target::of(element) {
                now.entry(target.element).or_insert((target, &element.policy));
            }
        }
        let left_out = elements.len() - now.len();
        for (at, known) in self.slots.iter_mut().enumerate() {
            let Some(element) = known else { continue };
            match now.remove(&element.target.element) {
                Some((target, policy)) => {
                    // At another address it is another server, which has not failed.
                    let moved = element.target != target;
                    let back = moved && element.avoided_until.take().is_some();
                    if back || (element.policy != *policy && element.avoided_until.is_none()) {
                        insert(&mut self.selection, at, policy);
                    }
                    (element.target, element.policy) = (target, policy.clone());
                }
                None => {
                    remove(&mut self.selection, at);
                    *known = None;
                }
            }
        }
        // New ones in the order of the registrar.
        for id in elements.iter().map(|element| element.id) {
            let Some((target, policy)) = now.remove(&id) else { continue };
            let known = Known { target, policy: policy.clone(), avoided_until: None };
            let free = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
            insert(&mut self.selection, free, policy);
            if free == self.slots.len() {
                self.slots.push(Some(known));
            } else {
                self.slots[free] = Some(known);
            }
        }
        left_out
    }

    /// The pool is gone.
    pub fn clear(&mut self) {
        (self.policy, self.selection) = (None, None);
        self.slots.clear();
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.known().count()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the first element has to be used as long as it lives, and not just the one that answers first
    /// (RFC 5356 section 4.5.3).
    pub const fn is_ranked(&self) -> bool {
        matches!(self.policy, Some(Policy::Priority { .. }))
    }

    /// Makes one selection: all elements, in the order in which they are to be tried. A client that is `sticky` gets the
    /// same element first as long as the pool is the same, and loses it only if that element leaves or fails.
    pub fn order(&mut self, now: Instant, sticky: Option<IpAddr>) -> Vec<Target> {
        for at in 0..self.slots.len() {
            if let Some(known) = &mut self.slots[at]
                && known.avoided_until.is_some_and(|until| until <= now)
            {
                known.avoided_until = None;
                let policy = known.policy.clone();
                insert(&mut self.selection, at, &policy);
            }
        }
        let mut order: Vec<Target> = match &mut self.selection {
            Some(selection) => {
                let mut selected = Vec::new();
                selection.select(&mut self.random, self.slots.len(), &mut selected);
                selected
                    .into_iter()
                    .filter_map(|slot| self.slots.get(slot.index())?.as_ref())
                    .map(|known| known.target)
                    .collect()
            }
            None => {
                self.known().filter(|known| known.avoided_until.is_none()).map(|known| known.target).collect()
            }
        };
        if let Some(client) = sticky
            && let Some(at) = (0..order.len()).max_by_key(|at| affinity(client, order[*at].element))
        {
            order[..=at].rotate_right(1);
        }
        // The one that is avoided for the shortest time from now on has had the longest time to recover.
        let mut avoided: Vec<&Known> = self.known().filter(|known| known.avoided_until.is_some()).collect();
        avoided.sort_by_key(|known| known.avoided_until);
        order.extend(avoided.into_iter().map(|known| known.target));
        order
    }

    /// An element could not be reached: for a while it comes last. Returns whether that is news.
    pub fn failed(&mut self, now: Instant, target: Target) -> bool {
        let until = now + self.exclusion;
        let Some(at) = self.position(target) else { return false };
        let Some(known) = &mut self.slots[at] else { return false };
        let news = known.avoided_until.replace(until).is_none();
        if news {
            remove(&mut self.selection, at);
        }
        news
    }

    /// An element was reached.
    pub fn reached(&mut self, target: Target) {
        let Some(at) = self.position(target) else { return };
        let Some(known) = &mut self.slots[at] else { return };
        if known.avoided_until.take().is_some() {
            let policy = known.policy.clone();
            insert(&mut self.selection, at, &policy);
        }
    }

    fn known(&self) -> impl Iterator<Item = &Known> {
        self.slots.iter().flatten()
    }

    fn position(&self, target: Target) -> Option<usize> {
        self.slots.iter().position(|known| known.as_ref().is_some_and(|known| known.target == target))
    }
}

fn insert(selection: &mut Option<Selection>, at: usize, policy: &Policy) {
    if let Some(selection) = selection {
        selection.insert(Slot(at as u32), policy);
    }
}

fn remove(selection: &mut Option<Selection>, at: usize) {
    if let Some(selection) = selection {
        selection.remove(Slot(at as u32));
    }
}

/// How much a client is drawn to an element: the one with the largest number gets it (rendezvous hashing). All proxies
/// agree, and an element that leaves takes only its own clients along.
fn affinity(client: IpAddr, element: ElementId) -> u64 {
    let octets = match client.to_canonical() {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    };
    let mixed = mix(octets as u64) ^ mix((octets >> 64) as u64 ^ 0x9e37_79b9_7f4a_7c15);
    mix(mixed ^ u64::from(element.0))
}

/// The finaliser of SplitMix64, which spreads each bit over all others.
const fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use rserpool_core::base::RegistrarId;
    use rserpool_core::wire::RegistrationLife;

    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const EXCLUSION: Duration = Duration::from_secs(10);

    fn element(id: u32, policy: &str) -> PoolElement {
        PoolElement {
            id: ElementId(id),
            home: RegistrarId(1),
            life: RegistrationLife(300),
            user_transport: Transport::Tcp { port: 8000 + id as u16, reserved: 0, address: LOCAL },
            policy: policy.parse().unwrap(),
            asap_transport: None,
            encapsulation: None,
        }
    }

    fn choice(policies: &[(u32, &str)]) -> Choice {
        let mut choice = Choice::new(EXCLUSION, 1);
        update(&mut choice, policies);
        choice
    }

    fn update(choice: &mut Choice, policies: &[(u32, &str)]) {
        let elements: Vec<PoolElement> = policies.iter().map(|(id, policy)| element(*id, policy)).collect();
        assert_eq!(choice.update(&elements[0].policy.clone(), &elements), 0);
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    fn order(choice: &mut Choice, now: u64) -> Vec<u32> {
        choice.order(at(now), None).iter().map(|target| target.element.0).collect()
    }

    fn number(id: u32) -> Target {
        Target { element: ElementId(id), address: SocketAddr::new(LOCAL, 8000 + id as u16) }
    }

    #[test]
    fn round_robin_goes_on_through_changes_of_the_pool() {
        let (three, two) = (
            [(1, "RoundRobin"), (2, "RoundRobin"), (3, "RoundRobin")],
            [(1, "RoundRobin"), (3, "RoundRobin")],
        );
        let mut choice = choice(&three);
        assert_eq!((order(&mut choice, 0), order(&mut choice, 0)), (vec![1, 2, 3], vec![2, 3, 1]));
        // The same list again does not begin anew.
        update(&mut choice, &three);
        assert_eq!(order(&mut choice, 0), [3, 1, 2]);
        update(&mut choice, &two);
        let mut all = [order(&mut choice, 0)[0], order(&mut choice, 0)[0]];
        all.sort_unstable();
        assert_eq!(all, [1, 3]);
    }

    #[test]
    fn the_highest_priority_comes_first_until_it_fails() {
        let mut choice = choice(&[(1, "Priority:1"), (2, "Priority:9"), (3, "Priority:5")]);
        assert!(choice.is_ranked());
        assert_eq!(order(&mut choice, 0), [2, 3, 1]);
        assert!(choice.failed(at(0), number(2)));
        assert!(!choice.failed(at(1), number(2)), "no news");
        assert_eq!(order(&mut choice, 10), [3, 1, 2]);
        assert_eq!(order(&mut choice, 11), [2, 3, 1], "10 s after it has failed last");
        choice.failed(at(20), number(2));
        choice.reached(number(2));
        assert_eq!(order(&mut choice, 20), [2, 3, 1]);
    }

    /// The turns of one that has failed are shared by all others.
    #[test]
    fn one_that_has_failed_does_not_overload_its_neighbour() {
        let mut choice = choice(&[(1, "RoundRobin"), (2, "RoundRobin"), (3, "RoundRobin")]);
        choice.failed(at(0), number(1));
        let firsts: Vec<u32> = (0..4).map(|_| order(&mut choice, 0)[0]).collect();
        assert_eq!(firsts, [2, 3, 2, 3]);
        assert_eq!(order(&mut choice, 0).last(), Some(&1), "better than nobody");
    }

    #[test]
    fn one_that_has_moved_has_not_failed() {
        let mut choice = choice(&[(1, "Priority:9"), (2, "Priority:1")]);
        choice.failed(at(0), number(1));
        let mut moved = element(1, "Priority:9");
        moved.user_transport = Transport::Tcp { port: 9000, reserved: 0, address: LOCAL };
        choice.update(&moved.policy.clone(), &[moved, element(2, "Priority:1")]);
        assert_eq!(order(&mut choice, 0), [1, 2]);
        assert!(!choice.failed(at(0), number(1)), "who was at the old address does not count");
    }

    #[test]
    fn clients_stick_to_their_element() {
        let mut choice = choice(&[(1, "RoundRobin"), (2, "RoundRobin"), (3, "RoundRobin")]);
        let clients: Vec<IpAddr> = (0..=255).map(|last| IpAddr::from([192, 0, 2, last])).collect();
        let first = |choice: &mut Choice, client: &IpAddr| choice.order(at(0), Some(*client))[0].element.0;
        let before: Vec<u32> = clients.iter().map(|client| first(&mut choice, client)).collect();
        for id in 1..=3 {
            let share = before.iter().filter(|element| **element == id).count();
            assert!((60..=110).contains(&share), "{id}: {share} of 256");
        }
        let mapped = IpAddr::V6(std::net::Ipv4Addr::new(192, 0, 2, 7).to_ipv6_mapped());
        assert_eq!(first(&mut choice, &mapped), before[7]);
        choice.failed(at(0), number(2));
        for (client, before) in clients.iter().zip(before) {
            let now = first(&mut choice, client);
            assert!(now != 2 && (before == 2 || now == before), "{client}: {before}, {now}");
        }
    }

    #[test]
    fn others_than_tcp_are_left_out() {
        let mut choice = Choice::new(EXCLUSION, 1);
        let mut udp = element(2, "RoundRobin");
        udp.user_transport = Transport::Udp { port: 53, reserved: 0, address: LOCAL };
        let elements = [element(1, "RoundRobin"), udp];
        assert_eq!(choice.update(&Policy::RoundRobin, &elements), 1);
        assert_eq!(order(&mut choice, 0), [1]);
        choice.clear();
        assert!(choice.is_empty() && order(&mut choice, 0).is_empty());
    }
}
