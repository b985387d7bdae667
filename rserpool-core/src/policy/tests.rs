//! What RFC 5356 says of each policy, and what it leaves open.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::wire::PolicyType;

/// A pool with these elements, and a reproducible stream.
struct Pool {
    selection: Selection,
    random: Random,
}

impl Pool {
    fn new(values: &[Policy]) -> Self {
        Self::counting(Counting::Listed, values)
    }

    fn counting(counting: Counting, values: &[Policy]) -> Self {
        let selection = Selection::built_in(&values[0], counting).unwrap();
        let mut pool = Self { selection, random: Random::new(1) };
        for (slot, values) in (0..).zip(values) {
            pool.insert(slot, values);
        }
        pool
    }

    fn insert(&mut self, slot: u32, values: &Policy) {
        self.selection.insert(Slot(slot), values);
    }

    fn remove(&mut self, slot: u32) {
        self.selection.remove(Slot(slot));
    }

    fn select(&mut self, count: usize) -> Vec<u32> {
        let mut selected = Vec::new();
        self.selection.select(&mut self.random, count, &mut selected);
        selected.into_iter().map(|slot| slot.0).collect()
    }

    /// The first element of so many selections of `count`.
    fn firsts(&mut self, selections: usize, count: usize) -> Vec<u32> {
        (0..selections).map(|_| self.select(count)[0]).collect()
    }

    /// Asserts that first elements have these shares: chi-square with a bound that one seed in a
    /// thousand exceeds, for up to nine degrees of freedom; the seed is fixed.
    fn assert_shares(&mut self, shares: &[f64]) {
        let bounds = [0.0, 10.8, 13.8, 16.3, 18.5, 20.5, 22.5, 24.3, 26.1, 27.9];
        let selections = 20_000;
        let mut counts = vec![0.0; shares.len()];
        for first in self.firsts(selections, 2) {
            counts[first as usize] += 1.0;
        }
        let sum: f64 = shares.iter().sum();
        let mut chi_square = 0.0;
        for (count, share) in counts.iter().zip(shares) {
            let expected = share / sum * selections as f64;
            assert!(expected > 0.0 || *count == 0.0, "{counts:?}");
            chi_square += if expected > 0.0 { (count - expected).powi(2) / expected } else { 0.0 };
        }
        let freedom = shares.iter().filter(|share| **share > 0.0).count() - 1;
        assert!(chi_square < bounds[freedom], "{chi_square} {counts:?}");
    }
}

fn weighted_rounds<const N: usize>(weights: [u32; N]) -> [Policy; N] {
    weights.map(|weight| Policy::WeightedRoundRobin { weight })
}

fn least_used<const N: usize>(loads: [u32; N]) -> [Policy; N] {
    loads.map(|load| Policy::LeastUsed { load })
}

fn degrading<const N: usize>(values: [(u32, u32); N]) -> [Policy; N] {
    values.map(|(load, degradation)| Policy::LeastUsedDegradation { load, degradation })
}

fn every_policy() -> impl Iterator<Item = Policy> {
    PolicyType::KNOWN.iter().map(|kind| kind.name()).map(|name| {
        [":0.001:0.001", ":1:0.001", ":0.001", ":1", ""]
            .iter()
            .find_map(|values| format(name, values).parse().ok())
            .unwrap()
    })
}

fn format(name: &str, values: &str) -> String {
    alloc::format!("{name}{values}")
}

/// ASAP-2.2.6, POL-4.3.2-02, POL-4.4.2-02: no policy may list nothing, list an element twice, list more
/// than asked for, or list one that has left.
#[test]
fn every_policy_keeps_to_the_rules() {
    let mut seen = 0;
    for values in every_policy() {
        for counting in [Counting::Listed, Counting::First] {
            let mut pool = Pool::counting(counting, core::slice::from_ref(&values));
            assert_eq!((pool.select(0).len(), pool.select(1), pool.select(9)), (0, vec![0], vec![0]));
            pool.remove(0);
            pool.remove(0);
            assert_eq!(pool.select(3), []);
            let mut there = Vec::new();
            for step in 0..300_u32 {
                let slot = step * 7 % 20;
                if step % 3 == 0 {
                    pool.remove(slot);
                    there.retain(|other| *other != slot);
                } else {
                    pool.insert(slot, &values);
                    there.retain(|other| *other != slot);
                    there.push(slot);
                }
                let count = (step % 6) as usize;
                let mut selected = pool.select(count);
                assert_eq!(selected.len(), count.min(there.len()), "{values}");
                selected.sort_unstable();
                selected.dedup();
                assert_eq!(selected.len(), count.min(there.len()), "{values}");
                assert!(selected.iter().all(|slot| there.contains(slot)), "{values}");
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 2 * PolicyType::KNOWN.len());
}

/// POL-4.1.1-01, POL-4.1.2-01, POL-4.1.2-02, POL-4.1.2-03 (reading B37): the head moves on by one.
#[test]
fn round_robin() {
    let mut pool = Pool::new(&[const { Policy::RoundRobin }; 3]);
    assert_eq!([pool.select(2), pool.select(9), pool.select(0)], [vec![0, 1], vec![1, 2, 0], vec![]]);
    assert_eq!([pool.select(1), pool.select(1)], [[2], [0]]);
    // In mid-round, the head, 1, leaves. A new element is last in the round; one that is added again with
    // the same values keeps its position.
    pool.remove(1);
    pool.insert(7, &Policy::RoundRobin);
    pool.insert(2, &Policy::RoundRobin);
    assert_eq!(pool.firsts(5, 1), [2, 0, 7, 2, 0]);
}

/// POL-4.2.1-01: equal weights are exactly round robin, whichever elements come and go.
#[test]
fn equal_weights_are_round_robin() {
    let weight_one = Policy::WeightedRoundRobin { weight: 1 };
    let mut weighted = Pool::new(core::slice::from_ref(&weight_one));
    let mut plain = Pool::new(&[Policy::RoundRobin]);
    let mut random = Random::new(4);
    for _ in 0..2_000 {
        let slot = random.below(12) as u32;
        match random.below(8) {
            0 => (weighted.remove(slot), plain.remove(slot)),
            1 => (weighted.insert(slot, &weight_one), plain.insert(slot, &Policy::RoundRobin)),
            count => {
                let count = count as usize - 2;
                assert_eq!(weighted.select(count), plain.select(count));
                ((), ())
            }
        };
    }
}

/// POL-4.2.2-01: as often in each round as the weight says, also when a round is not over yet.
#[test]
fn weighted_round_robin_is_in_proportion() {
    let mut pool = Pool::new(&weighted_rounds([5, 1, 3, 0, 7]));
    for _ in 0..50 {
        let mut counts = [0; 5];
        pool.firsts(16, 3).into_iter().for_each(|first| counts[first as usize] += 1);
        assert_eq!(counts, [5, 1, 3, 0, 7]);
    }
    // Element 1 leaves, 4 comes back with another weight: the shares follow at once.
    pool.remove(1);
    pool.insert(4, &Policy::WeightedRoundRobin { weight: 1 });
    let mut counts = [0_u32; 5];
    pool.firsts(900, 1).into_iter().for_each(|first| counts[first as usize] += 1);
    assert_eq!((counts[1], counts[3]), (0, 0));
    assert!(counts[0].abs_diff(500) <= 3 && counts[2].abs_diff(300) <= 3 && counts[4].abs_diff(100) <= 3);
}

/// POL-4.2.2-02: the turns of an element are evenly spread. Between two of them are as many selections as
/// the sum of weights divided by its own, one more or less for each other element.
#[test]
fn weighted_round_robin_is_evenly_spread() {
    let weights = [8, 4, 3, 1];
    let mut pool = Pool::new(&weighted_rounds(weights));
    let sequence = pool.firsts(160, 1);
    assert_eq!(sequence[..16], [0, 1, 2, 0, 0, 1, 0, 3, 2, 0, 1, 0, 0, 2, 1, 0]);
    assert_eq!(sequence[..16], sequence[144..]);
    for (element, weight) in (0..).zip(weights) {
        let places: Vec<usize> = (0..160).filter(|at| sequence[*at] == element).collect();
        let gaps = places.windows(2).map(|pair| pair[1] - pair[0]);
        let even = 16 / weight as usize;
        assert!(gaps.clone().all(|gap| gap.abs_diff(even) <= 3), "{element}: {:?}", gaps.collect::<Vec<_>>());
    }
}

/// POL-3.2-01, readings B34 and B35: elements of weight 0 serve only if there are no others, and then in
/// turn.
#[test]
fn weight_zero_serves_only_in_need() {
    let mut pool = Pool::new(&weighted_rounds([0, 2, 0]));
    assert_eq!([pool.select(3), pool.select(3)], [[1], [1]]);
    pool.remove(1);
    assert_eq!([pool.select(3), pool.select(3), pool.select(3)], [[0, 2], [2, 0], [0, 2]]);
    pool.insert(1, &Policy::WeightedRoundRobin { weight: 1 });
    assert_eq!([pool.select(3), pool.select(3)], [[1], [1]]);

    let weights = [0, 3, 0].map(|weight| Policy::WeightedRandom { weight });
    let mut pool = Pool::new(&weights);
    assert_eq!([pool.select(3), pool.select(1)], [[1], [1]]);
    pool.remove(1);
    pool.assert_shares(&[1.0, 0.0, 1.0]);
    assert_eq!(pool.select(3).len(), 2);
    // Fully loaded elements of RLU have the weight 0 too.
    let loads = [u32::MAX, u32::MAX].map(|load| Policy::RandomizedLeastUsed { load });
    Pool::new(&loads).assert_shares(&[1.0, 1.0]);
}

/// POL-4.3.2-01, POL-4.3.2-02: evenly, none twice.
#[test]
fn random() {
    let mut pool = Pool::new(&[const { Policy::Random }; 10]);
    pool.assert_shares(&[1.0; 10]);
    let mut all = pool.select(20);
    all.sort_unstable();
    assert_eq!(all, (0..10).collect::<Vec<_>>());
}

/// POL-4.4.2-01, POL-4.4.1: shares are weights over their sum, for weights of all
/// sizes, and RAND is WRAND with all weights 1.
#[test]
fn weighted_random() {
    let weighted = |weights: &[u32]| -> Vec<Policy> {
        weights.iter().map(|weight| Policy::WeightedRandom { weight: *weight }).collect()
    };
    for weights in [&[1, 2, 3, 4, 5, 6, 7, 8, 9][..], &[1000, 1, 1, 300, 7], &[1, u32::MAX, 1 << 31]] {
        let shares: Vec<f64> = weights.iter().map(|weight| f64::from(*weight)).collect();
        // An element that is not expected in 20,000 selections is left out of a chi-square test.
        let shares: Vec<f64> =
            shares.iter().map(|share| if *share < 1e-6 * shares[0] { 0.0 } else { *share }).collect();
        let mut pool = Pool::new(&weighted(weights));
        if weights[1] == u32::MAX {
            pool.remove(0);
            pool.assert_shares(&[0.0, shares[1], shares[2]]);
        } else {
            pool.assert_shares(&shares);
        }
    }
    assert_eq!(
        Pool::new(&weighted(&[1; 9])).firsts(50, 3),
        Pool::new(&[const { Policy::Random }; 9]).firsts(50, 3)
    );
}

/// The second of two elements is drawn in proportion among those that are left.
#[test]
fn weighted_random_without_the_first() {
    let mut pool = Pool::new(&[1_000_000, 2, 1].map(|weight| Policy::WeightedRandom { weight }));
    let mut seconds = [0; 3];
    for _ in 0..3_000 {
        seconds[pool.select(2)[1] as usize] += 1;
    }
    assert!(seconds[1] > 1_900 && seconds[2] > 900 && seconds[1] + seconds[2] > 2_980, "{seconds:?}");
}

/// POL-4.5.2-01: descending priority; equal ones in turn.
#[test]
fn priority() {
    let mut pool = Pool::new(&[3, 9, 0, 9, u32::MAX].map(|priority| Policy::Priority { priority }));
    assert_eq!(pool.select(9), [4, 1, 3, 0, 2]);
    pool.remove(4);
    assert_eq!([pool.select(9), pool.select(9)], [[1, 3, 0, 2], [3, 1, 0, 2]]);
    pool.insert(2, &Policy::Priority { priority: 10 });
    assert_eq!(pool.select(1), [2]);
}

/// POL-5.1.2-01, POL-5.1.2-02: ascending load, equal loads in turn, none twice.
#[test]
fn least_used_first() {
    let mut pool = Pool::new(&least_used([7, 5, 5, u32::MAX, 5, 0]));
    assert_eq!(pool.select(9), [5, 1, 2, 4, 0, 3]);
    pool.insert(5, &Policy::LeastUsed { load: 6 });
    assert_eq!([pool.select(2), pool.select(2), pool.select(2)], [[1, 2], [2, 4], [4, 1]]);
    // An element that re-registers with the same load keeps its turn; a new one waits for its own.
    pool.insert(1, &Policy::LeastUsed { load: 5 });
    pool.insert(6, &Policy::LeastUsed { load: 5 });
    assert_eq!(pool.firsts(5, 1), [1, 2, 4, 6, 1]);
    pool.remove(2);
    assert_eq!(pool.firsts(4, 1), [4, 6, 1, 4]);
}

/// POL-5.2.2-01, POL-5.2.2-02: the counter of every listed element is raised (reading B33), adds to its load,
/// and is zero again after a re-registration.
#[test]
fn least_used_with_degradation() {
    let mut pool = Pool::new(&degrading([(0, 10), (0, 10), (0, 10)]));
    assert_eq!([pool.select(2), pool.select(1), pool.select(2)], [vec![0, 1], vec![2], vec![0, 1]]);
    let values = degrading([(0, 10), (5, 10), (12, 1)]);
    let mut pool = Pool::new(&values);
    assert_eq!(pool.firsts(6, 1), [0, 1, 0, 2, 2, 2]);
    // Loads are now 20, 15, 15.
    assert_eq!([pool.select(2), pool.select(2)], [[1, 2], [2, 0]]);
    pool.insert(1, &values[1]);
    pool.insert(0, &values[0]);
    assert_eq!(pool.firsts(3, 1), [0, 1, 0]);
    // As RSPLIB counts, only the first.
    let mut pool = Pool::counting(Counting::First, &values);
    assert_eq!([pool.select(2), pool.select(2), pool.select(3)], [vec![0, 1], vec![1, 0], vec![0, 2, 1]]);
}

/// Reading B33: sums saturate; saturated elements take turns.
#[test]
fn degradation_saturates() {
    let mut pool = Pool::counting(Counting::First, &degrading([(1, u32::MAX), (1, u32::MAX)]));
    assert_eq!(pool.firsts(4, 1), [0, 1, 0, 1]);
    pool.firsts(140_000, 1);
    assert_eq!(pool.firsts(4, 1), [0, 1, 0, 1]);
    pool.insert(1, &degrading([(2, 0)])[0]);
    assert_eq!(pool.select(2), [1, 0]);
}

/// POL-5.3.2-01, POL-5.3.2-02, and the example of section 5.3.1: 50 + 10 is less than 50 + 50.
#[test]
fn priority_least_used() {
    let percent = |load, degradation| Policy::PriorityLeastUsed { load, degradation };
    let mut pool = Pool::new(&[percent(50, 50), percent(50, 10), percent(30, 30)]);
    assert_eq!([pool.select(3), pool.select(3), pool.select(3)], [[1, 2, 0], [2, 1, 0], [1, 2, 0]]);
    // The sum of two full loads is above any one.
    let mut pool = Pool::new(&[percent(u32::MAX, u32::MAX), percent(u32::MAX, 5)]);
    assert_eq!(pool.select(2), [1, 0]);
}

/// Reading B33: PLUD is PLU with the load that LUD counts.
#[test]
fn priority_least_used_with_degradation() {
    let values = [(50, 50), (60, 10), (75, 1)]
        .map(|(load, degradation)| Policy::PriorityLeastUsedDegradation { load, degradation });
    let mut pool = Pool::new(&values);
    assert_eq!(pool.firsts(6, 1), [1, 2, 2, 2, 2, 1]);
    pool.insert(1, &values[1]);
    assert_eq!(pool.select(1), [1]);
}

/// POL-5.4.2-01: WRAND with the weights 0xffffffff - load; the degradation forms take their part.
#[test]
fn randomized_least_used() {
    let load = |percent: u32| (u64::from(u32::MAX) * u64::from(percent) / 100) as u32;
    let mut pool = Pool::new(&[0, 50, 75, 100].map(|part| Policy::RandomizedLeastUsed { load: load(part) }));
    pool.assert_shares(&[4.0, 2.0, 1.0, 0.0]);

    let values = [(0, 50), (20, 70), (50, 25)].map(|(part, less)| Policy::RandomizedPriorityLeastUsed {
        load: load(part),
        degradation: load(less),
    });
    Pool::new(&values).assert_shares(&[50.0, 10.0, 25.0]);

    // One selection takes the whole weight: the other is next, and then both are equal again.
    let degradation = u32::MAX;
    for all in [
        [0, 0].map(|load| Policy::RandomizedLeastUsedDegradation { load, degradation }),
        [0, 0].map(|load| Policy::RandomizedPriorityLeastUsedDegradation { load, degradation: load }),
    ] {
        let mut pool = Pool::new(&all);
        let firsts = pool.firsts(2, 1);
        let takes_turns = firsts == [0, 1] || firsts == [1, 0];
        assert!(takes_turns || matches!(all[0], Policy::RandomizedPriorityLeastUsedDegradation { .. }));
        pool.insert(0, &all[0]);
        pool.insert(1, &all[1]);
        assert_eq!(pool.select(2).len(), 2);
    }
    // RLUD: after one selection of element 0 its weight is three quarters.
    let values = Policy::RandomizedLeastUsedDegradation { load: 0, degradation: load(25) };
    let mut pool = Pool::new(core::slice::from_ref(&values));
    pool.select(1);
    let Selection::Lottery(lottery) = &pool.selection else { panic!() };
    assert_eq!(alloc::format!("{lottery:?}").matches("3221225472").count(), 2);
}

/// Draft rserpool-delay section 3.2: by load, then by distance, then in turn (reading B50 for the
/// factor).
#[test]
fn least_used_with_distance() {
    let at = |load, dpf, distance| Policy::LeastUsedDpf { load, dpf, distance };
    let mut pool = Pool::new(&[at(5, 0, 100), at(5, 0, 50), at(4, 0, 900), at(5, 0, 50), at(6, 0, 0)]);
    assert_eq!([pool.select(9), pool.select(3)], [vec![2, 1, 3, 0, 4], vec![2, 1, 3]]);
    pool.remove(2);
    assert_eq!([pool.select(3), pool.select(3)], [[1, 3, 0], [3, 1, 0]]);
    // 10 + 2 x 100 is more than 100 + 2 x 50.
    let mut pool = Pool::new(&[at(10, 2, 100), at(100, 2, 50), at(201, 0, 100)]);
    assert_eq!(pool.select(3), [1, 2, 0]);
    // With a measured distance, the same element is elsewhere in the order.
    pool.insert(1, &at(100, 2, 50).at_distance(60));
    assert_eq!(pool.select(3), [2, 0, 1]);

    let far =
        |load, degradation, distance| Policy::LeastUsedDegradationDpf { load, degradation, dpf: 1, distance };
    let mut pool = Pool::new(&[far(0, 10, 50), far(0, 100, 25)]);
    assert_eq!(pool.firsts(6, 1), [1, 0, 0, 0, 0, 0]);
    let far = |load, degradation| Policy::PriorityLeastUsedDpf { load, degradation, dpf: 1, distance: 50 };
    assert_eq!(Pool::new(&[far(5, 20), far(15, 9)]).firsts(2, 1), [1, 1]);
    let far =
        |degradation| Policy::PriorityLeastUsedDegradationDpf { load: 0, degradation, dpf: 1, distance: 9 };
    assert_eq!(Pool::new(&[far(20), far(9)]).firsts(4, 1), [1, 1, 0, 1]);
}

/// Reading B50: a quarter of the weight is lost for each millisecond.
#[test]
fn weighted_random_with_distance() {
    let dpf = 1 << 30;
    let at = |distance| Policy::WeightedRandomDpf { weight: 400, dpf, distance };
    Pool::new(&[at(0), at(1), at(3), at(4), at(u32::MAX)]).assert_shares(&[400.0, 299.0, 99.0, 0.0, 0.0]);
}

/// POL-4.1.3-01, POL-4.2.3-01, POL-4.3.3-01, POL-4.5.3-01, POL-5.1.3-01: what a user does with the
/// list that it was given (reading B60).
#[test]
fn pool_users() {
    let policies = Policies::default();
    let mut random = Random::new(1);
    for values in every_policy() {
        let of_user = policies.selection_of_user(&values, &mut random);
        let of_registrar = policies.selection(&values);
        let kind = |selection: &Option<Selection>| selection.as_ref().map(core::mem::discriminant);
        assert_eq!(kind(&of_user), kind(&of_registrar), "{values}");
    }
    // A user has selected what it uses, not all that it could use.
    let counts = degrading([(0, 10), (0, 10)]);
    let mut pool = Pool::new(&counts);
    pool.selection = policies.selection_of_user(&counts[0], &mut random).unwrap();
    for (slot, values) in (0..).zip(&counts) {
        pool.selection.append(Slot(slot), values);
    }
    assert_eq!([pool.select(2), pool.select(2), pool.select(2)], [[0, 1], [1, 0], [0, 1]]);
}

/// The list of a registrar is used in its order, even if the values tell another one; equal values take turns.
#[test]
fn a_list_keeps_its_order() {
    let list = least_used([5, 5, 9, 2, 9]);
    let mut ranked = Ranked::by_value(Counting::First);
    for (slot, values) in (0..).zip(&list) {
        ranked.append(Slot(slot), values);
    }
    let mut pool = Pool::new(&list);
    pool.selection = Selection::Ranked(ranked);
    assert_eq!([pool.select(5), pool.select(5)], [[0, 1, 2, 3, 4], [1, 0, 2, 3, 4]]);
}

#[test]
fn policies_of_an_application_have_private_numbers() {
    let mut policies = Policies::default();
    for kind in [PolicyType(7), PolicyType::ROUND_ROBIN, PolicyType::LEAST_USED_DPF] {
        assert_eq!(policies.add(kind, Ring::default), Err(NotPrivate(kind)));
    }
    let kind = PolicyType(0xc000_0001);
    let values = Policy::Other { kind, data: bytes::Bytes::new() };
    assert!(policies.selection(&values).is_none());
    policies.add(kind, Ring::default).unwrap();
    assert!(matches!(policies.selection(&values), Some(Selection::Custom(_))));
    assert!(matches!(policies.selection_of_user(&values, &mut Random::new(1)), Some(Selection::Custom(_))));
    assert_eq!(policies, policies.clone());
    assert_ne!(policies, Policies::default());
}
