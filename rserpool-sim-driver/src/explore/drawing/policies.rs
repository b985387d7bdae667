//! The policies of the pools of a plan, drawn from a stream of their own.

use rserpool_core::wire::Policy;

use super::dice::Dice;

/// How many policies there are to choose from.
const KINDS: usize = 16;

/// Draws a policy for each pool, as a number for [`draw`]. Round robin is what most use.
pub(super) fn draw_kinds(dice: &mut Dice, pools: usize) -> Vec<usize> {
    (0..pools).map(|_| if dice.chance(40) { 0 } else { dice.below(KINDS) }).collect()
}

/// Draws the values of one element. No weight is zero, because such an element is never selected.
pub(super) fn draw(dice: &mut Dice, kind: usize) -> Policy {
    let weight = 1 + dice.below(8) as u32;
    let [load, degradation, dpf] = [(); 3].map(|()| (dice.below(1000) as u32) << 20);
    let distance = dice.below(200) as u32;
    match kind {
        1 => Policy::WeightedRoundRobin { weight },
        2 => Policy::Random,
        3 => Policy::WeightedRandom { weight },
        4 => Policy::Priority { priority: weight },
        5 => Policy::LeastUsed { load },
        6 => Policy::LeastUsedDegradation { load, degradation },
        7 => Policy::PriorityLeastUsed { load, degradation },
        8 => Policy::RandomizedLeastUsed { load },
        9 => Policy::RandomizedLeastUsedDegradation { load, degradation },
        10 => Policy::PriorityLeastUsedDegradation { load, degradation },
        11 => Policy::RandomizedPriorityLeastUsed { load, degradation },
        12 => Policy::WeightedRandomDpf { weight, dpf, distance },
        13 => Policy::LeastUsedDpf { load, dpf, distance },
        14 => Policy::LeastUsedDegradationDpf { load, degradation, dpf, distance },
        15 => Policy::PriorityLeastUsedDpf { load, degradation, dpf, distance },
        _ => Policy::RoundRobin,
    }
}
