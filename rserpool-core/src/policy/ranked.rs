//! Policies that list the best first: weighted round robin, priority, least used and its forms.

use alloc::vec::Vec;

use super::order::{Entry, Order};
use super::terms::{DISTANCE_BITS, MAX_RANK, Terms};
use super::{Counting, SelectionPolicy, Slot};
use crate::base::Random;
use crate::wire::Policy;

/// Elements by rank, the smallest first; elements of equal rank take turns.
///
/// A selection reads the elements it lists from the end of a sorted list, and moves the first of them, or
/// all, to their new places.
#[derive(Debug)]
pub struct Ranked {
    order: Order,
    elements: Vec<Element>,
    len: u32,
    /// The turn given to the next element that is moved. Among equal ranks, the smaller turn comes first.
    turn: u32,
    moves: Moves,
    /// The position in the rounds at which an element joins that has no others before it.
    start: u64,
}

/// What a selection does to ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moves {
    /// It adds the load degradation to the first element, or to all that are listed. If that is zero, the
    /// element only goes behind its equals.
    Degrade(Counting),
    /// It moves the first element to its next place in the rounds.
    Rounds,
}

#[derive(Clone, Copy, Debug)]
struct Element {
    rank: u64,
    turn: u32,
    /// The load degradation, or the weight.
    step: u32,
}

/// An element that is not there: no turn is this large.
const OUTSIDE: Element = Element { rank: 0, turn: u32::MAX, step: 0 };

/// The rank of elements of weight 0, which are listed only if there are no others (reading B35).
const IDLE: u64 = u64::MAX;

impl Ranked {
    /// Lists the smallest value first.
    pub(super) const fn by_value(counting: Counting) -> Self {
        Self::new(Moves::Degrade(counting))
    }

    /// Lists in weighted turns.
    pub(super) const fn by_rounds() -> Self {
        Self::new(Moves::Rounds)
    }

    /// Lists in weighted turns, beginning somewhere in a round: the first element that is added has one of its
    /// turns next, and which one is drawn.
    pub(super) const fn in_mid_round(random: &mut Random) -> Self {
        let mut ranked = Self::new(Moves::Rounds);
        ranked.start = random.quick_below(ROUND_MASK);
        ranked
    }

    const fn new(moves: Moves) -> Self {
        Self { order: Order::new(), elements: Vec::new(), len: 0, turn: 0, moves, start: 0 }
    }

    /// Adds an element of a list that a registrar has sorted. If its value alone would place it before others of
    /// the list, the registrar knows more than the values tell, such as its own selections: the element goes
    /// right behind them.
    pub(super) fn append(&mut self, slot: Slot, values: &Policy) {
        let last = self.order.worst().map_or(0, rank_of);
        self.insert(slot, values);
        if let (Moves::Degrade(_), Some(own)) = (self.moves, self.element(slot))
            && own.rank < last
        {
            self.order.remove(entry(own.rank, own.turn, slot));
            self.reserve_turns();
            let behind = self.renew(slot, (last + 1).min(MAX_RANK));
            self.order.insert(behind);
        }
    }

    fn element(&self, slot: Slot) -> Option<Element> {
        self.elements.get(slot.index()).copied().filter(|element| element.turn != OUTSIDE.turn)
    }

    /// Rank and step of an element that is added, or whose values have changed.
    fn first_rank(&self, terms: Terms) -> (u64, u32) {
        match terms {
            Terms::Rank { value, degradation } => (value, degradation.unwrap_or(0)),
            Terms::Rounds { weight } => {
                let now = self.order.best().map(rank_of).filter(|rank| *rank != IDLE).unwrap_or(self.start);
                (next_in_rounds(now, weight), weight)
            }
            Terms::Turn | Terms::Share { .. } => (IDLE, 0),
        }
    }

    /// The rank after one selection.
    fn moved(&self, element: Element) -> u64 {
        match self.moves {
            Moves::Rounds => next_in_rounds(element.rank, element.step),
            Moves::Degrade(_) => {
                element.rank.saturating_add(u64::from(element.step) << DISTANCE_BITS).min(MAX_RANK)
            }
        }
    }

    /// Gives an element its new rank and the last turn; returns its entry.
    fn renew(&mut self, slot: Slot, rank: u64) -> Entry {
        let turn = self.turn;
        debug_assert!(turn < OUTSIDE.turn, "turns are reserved before they are given");
        self.turn += 1;
        let element = &mut self.elements[slot.index()];
        (element.rank, element.turn) = (rank, turn);
        entry(rank, turn, slot)
    }

    /// Makes sure that there is a turn for every element. Turns run out once in billions of selections; then
    /// elements get new ones in their present order, and rounds are counted from zero.
    fn reserve_turns(&mut self) {
        if OUTSIDE.turn - self.turn > self.len {
            return;
        }
        let base = match self.moves {
            Moves::Rounds => self.order.best().map_or(0, |best| rank_of(best) & !ROUND_MASK),
            Moves::Degrade(_) => 0,
        };
        let all: Vec<Entry> = self.order.iter().collect();
        self.order = Order::new();
        self.turn = 0;
        for old in all {
            let rank = rank_of(old);
            let rank = if rank == IDLE { IDLE } else { rank - base };
            let new = self.renew(slot_of(old), rank);
            self.order.insert(new);
        }
    }

    /// Lists up to `count` of the best; those of weight 0 only if there are no others.
    fn list(&self, count: usize, selected: &mut Vec<Slot>) {
        let nearest = self.order.nearest();
        let serves = self.order.best().is_some_and(|best| rank_of(best) != IDLE);
        let listed = |entry: &Entry| !serves || rank_of(*entry) != IDLE;
        if let Some(from) = nearest.len().checked_sub(count) {
            let best = nearest[from..].iter().rev();
            selected.extend(best.take_while(|entry| listed(entry)).map(|entry| slot_of(*entry)));
        } else {
            selected.extend(self.order.iter().take(count).take_while(listed).map(slot_of));
        }
    }
}

impl SelectionPolicy for Ranked {
    fn insert(&mut self, slot: Slot, values: &Policy) {
        let Some(terms) = Terms::of(values) else { return };
        self.reserve_turns();
        let (rank, step) = match (self.element(slot), terms) {
            // An element whose values have not changed keeps its turn.
            (Some(old), Terms::Rounds { weight }) if old.step == weight => return,
            (Some(old), terms) => {
                let (rank, step) = self.first_rank(terms);
                self.elements[slot.index()].step = step;
                if old.rank == rank {
                    return;
                }
                self.order.remove(entry(old.rank, old.turn, slot));
                (rank, step)
            }
            (None, terms) => {
                if self.elements.len() <= slot.index() {
                    self.elements.resize(slot.index() + 1, OUTSIDE);
                }
                self.len += 1;
                self.first_rank(terms)
            }
        };
        self.elements[slot.index()].step = step;
        let new = self.renew(slot, rank);
        self.order.insert(new);
    }

    fn remove(&mut self, slot: Slot) {
        if let Some(old) = self.element(slot) {
            self.order.remove(entry(old.rank, old.turn, slot));
            self.elements[slot.index()] = OUTSIDE;
            self.len -= 1;
        }
    }

    fn select(&mut self, _random: &mut Random, count: usize, selected: &mut Vec<Slot>) {
        let begin = selected.len();
        self.list(count, selected);
        let listed = &selected[begin..];
        self.reserve_turns();
        if self.moves == Moves::Degrade(Counting::Listed) {
            for _ in listed {
                self.order.pop_best();
            }
            for slot in listed {
                let new = self.renew(*slot, self.moved(self.elements[slot.index()]));
                self.order.insert(new);
            }
        } else if let Some(first) = listed.first() {
            let new = self.renew(*first, self.moved(self.elements[first.index()]));
            self.order.replace_best(new);
        }
    }
}

/// The bits of a rank that tell the position within a round; those above count rounds.
const ROUND_MASK: u64 = 0xffff_ffff;

/// The next position in the rounds after `now`. An element of weight w has its turns at (2j + 1) / 2w of each
/// round, for j from 0 to w - 1: as evenly spread as possible, as POL-4.2.2-02 asks, and
/// for weight 1 in the middle, so that equal weights are round robin.
const fn next_in_rounds(now: u64, weight: u32) -> u64 {
    if weight == 0 {
        return IDLE;
    }
    let (round, within, weight) = (now & !ROUND_MASK, now & ROUND_MASK, weight as u64);
    let mut j = (within * weight) >> 32;
    // Finds the first j whose position, rounded down, is after `within`, without a division.
    while j < weight && (2 * j + 1) << 31 < (within + 1) * weight {
        j += 1;
    }
    if j < weight { round + ((2 * j + 1) << 31) / weight } else { round + (1 << 32) + (1 << 31) / weight }
}

const fn entry(rank: u64, turn: u32, slot: Slot) -> Entry {
    (rank as u128) << 64 | (turn as u128) << 32 | slot.0 as u128
}

const fn rank_of(entry: Entry) -> u64 {
    (entry >> 64) as u64
}

const fn slot_of(entry: Entry) -> Slot {
    Slot(entry as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(ranked: &mut Ranked, count: usize) -> Vec<u32> {
        let mut selected = Vec::new();
        ranked.select(&mut Random::new(0), count, &mut selected);
        selected.into_iter().map(|slot| slot.0).collect()
    }

    /// Turns run out after 2^32 - 1 moves; what follows must not show it.
    #[test]
    fn new_turns_change_nothing() {
        for (mut one, values) in [
            (Ranked::by_rounds(), [1, 2, 3, 0].map(|weight| Policy::WeightedRoundRobin { weight })),
            (
                Ranked::by_value(Counting::Listed),
                [5, 5, 5, 9].map(|load| Policy::LeastUsedDegradation { load, degradation: 1 }),
            ),
        ] {
            let mut other = Ranked::new(one.moves);
            for (slot, values) in (0..).zip(&values) {
                one.insert(Slot(slot), values);
                other.insert(Slot(slot), values);
            }
            for _ in 0..7 {
                assert_eq!(selected(&mut one, 2), selected(&mut other, 2));
            }
            other.turn = u32::MAX - 6;
            for _ in 0..20 {
                assert_eq!(selected(&mut one, 2), selected(&mut other, 2));
            }
            assert!(other.turn < 1_000);
        }
    }

    /// Weights of all sizes: as many places in a round as the weight says, in ascending order.
    #[test]
    fn places_in_a_round() {
        let places = |weight, count: usize| -> Vec<u64> {
            core::iter::successors(Some(next_in_rounds(0, weight)), |now| Some(next_in_rounds(*now, weight)))
                .take(count)
                .collect()
        };
        assert_eq!(places(1, 2), [1 << 31, 3 << 31]);
        assert_eq!(places(2, 3), [1 << 30, 3 << 30, 5 << 30]);
        for weight in [3, 7, 1000] {
            let round = places(weight, weight as usize + 1);
            assert!(round[weight as usize - 1] < 1 << 32 && round[weight as usize] > 1 << 32);
        }
        let last = next_in_rounds(ROUND_MASK - 1, u32::MAX);
        assert!(last == ROUND_MASK || last == 1 << 32, "{last:#x}");
        assert_eq!(next_in_rounds(last.max(ROUND_MASK), u32::MAX), 1 << 32);
        assert_eq!(places(0, 1), [IDLE]);
    }
}
