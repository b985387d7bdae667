//! Random policies: elements are drawn in proportion to their weights.

use alloc::vec::Vec;

use super::terms::Terms;
use super::{Counting, SelectionPolicy, Slot};
use crate::base::Random;
use crate::wire::Policy;

/// Elements by weight.
///
/// They stand in groups of similar weight: group g holds the weights above 2^(g-1) up to 2^g. A
/// draw takes a group in proportion to its size times 2^g, a member evenly, and keeps it with the
/// probability weight / 2^g, which is above a half; otherwise it is repeated. So every element has
/// exactly its share, and neither a draw nor a change depends on how many there are.
#[derive(Debug)]
pub struct Lottery {
    /// The heaviest group first; most draws end there.
    groups: Vec<Group>,
    /// Elements of weight 0, drawn only if nobody has a weight (reading B35).
    idle: Group,
    /// The sum of what the groups span.
    span: u64,
    places: Vec<Place>,
    counting: Counting,
    /// Whether any element has ever had a load degradation.
    degrades: bool,
    /// Whether values are ignored.
    even: bool,
}

#[derive(Debug, Default)]
struct Group {
    bits: u32,
    members: Vec<(Slot, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    /// The place among the members of its group, or [`NOWHERE`].
    at: u32,
    weight: u32,
    degradation: u32,
    /// It is among those that the selection under way has chosen.
    chosen: bool,
}

/// How many elements of an answer are compared with each other for nothing.
const FEW: usize = 16;

const NOWHERE: u32 = u32::MAX;

const OUTSIDE: Place = Place { at: NOWHERE, weight: 0, degradation: 0, chosen: false };

impl Group {
    const fn span(&self) -> u64 {
        (self.members.len() as u64) << self.bits
    }
}

impl Lottery {
    /// In proportion to the weights.
    pub(super) const fn new(counting: Counting) -> Self {
        let idle = Group { bits: 0, members: Vec::new() };
        Self { groups: Vec::new(), idle, span: 0, places: Vec::new(), counting, degrades: false, even: false }
    }

    /// Evenly, whatever the values are.
    pub(super) const fn even() -> Self {
        let mut lottery = Self::new(Counting::First);
        lottery.even = true;
        lottery
    }

    fn place(&self, slot: Slot) -> Option<Place> {
        self.places.get(slot.index()).copied().filter(|place| place.at != NOWHERE)
    }

    fn group(&mut self, weight: u32) -> &mut Group {
        if weight == 0 {
            return &mut self.idle;
        }
        let bits = u32::BITS - (weight - 1).leading_zeros();
        let at = self.groups.iter().position(|group| group.bits <= bits).unwrap_or(self.groups.len());
        if self.groups.get(at).is_none_or(|group| group.bits != bits) {
            self.groups.insert(at, Group { bits, members: Vec::new() });
        }
        &mut self.groups[at]
    }

    fn enter(&mut self, slot: Slot, weight: u32) {
        let group = self.group(weight);
        let (at, span) = (group.members.len() as u32, 1 << group.bits);
        group.members.push((slot, weight));
        if weight != 0 {
            self.span += span;
        }
        let place = &mut self.places[slot.index()];
        (place.at, place.weight) = (at, weight);
    }

    fn leave(&mut self, slot: Slot) {
        let Place { at, weight, .. } = self.places[slot.index()];
        let group = self.group(weight);
        let span = 1 << group.bits;
        group.members.swap_remove(at as usize);
        let moved = group.members.get(at as usize).copied();
        if weight != 0 {
            self.span -= span;
        }
        if let Some((moved, _)) = moved {
            self.places[moved.index()].at = at;
        }
        self.places[slot.index()].at = NOWHERE;
    }

    /// Draws one of those that have a weight; there is one.
    fn draw(&self, random: &mut Random) -> Option<Slot> {
        if self.span == 0 {
            return None;
        }
        loop {
            let mut at = random.quick_below(self.span);
            for group in &self.groups {
                if at < group.span() {
                    let (slot, weight) = group.members[(at >> group.bits) as usize];
                    if at & ((1 << group.bits) - 1) < u64::from(weight) {
                        return Some(slot);
                    }
                    break;
                }
                at -= group.span();
            }
        }
    }

    /// Draws up to `count` different ones, each in proportion among those that are left.
    ///
    /// One that is drawn a second time is put aside until the end, so that not more than twice
    /// `count` draws are needed, whatever the weights are.
    fn draw_different(&mut self, random: &mut Random, count: usize, selected: &mut Vec<Slot>) {
        let begin = selected.len();
        // A few are compared with each other; many are marked.
        let few = count <= FEW;
        let mut aside = Vec::new();
        while selected.len() - begin < count {
            let Some(slot) = self.draw(random) else { break };
            let chosen =
                if few { selected[begin..].contains(&slot) } else { self.places[slot.index()].chosen };
            if chosen {
                aside.push(slot);
                self.leave(slot);
            } else {
                selected.push(slot);
                if !few {
                    self.places[slot.index()].chosen = true;
                }
            }
        }
        for slot in aside {
            let weight = self.places[slot.index()].weight;
            self.enter(slot, weight);
        }
        if !few {
            for slot in &selected[begin..] {
                self.places[slot.index()].chosen = false;
            }
        }
    }

    /// Draws among those without weight as if they had one.
    fn draw_idle(&mut self, random: &mut Random, count: usize, selected: &mut Vec<Slot>) {
        let total = self.idle.members.len();
        for at in 0..count.min(total) {
            let drawn = at + random.quick_below((total - at) as u64) as usize;
            self.idle.members.swap(at, drawn);
            for at in [at, drawn] {
                self.places[self.idle.members[at].0.index()].at = at as u32;
            }
            selected.push(self.idle.members[at].0);
        }
    }
}

impl SelectionPolicy for Lottery {
    fn insert(&mut self, slot: Slot, values: &Policy) {
        let (weight, degradation) = match Terms::of(values) {
            _ if self.even => (1, 0),
            Some(Terms::Share { weight, degradation }) => (weight, degradation),
            _ => return,
        };
        match self.place(slot) {
            Some(old) if old.weight == weight => {}
            Some(_) => {
                self.leave(slot);
                self.enter(slot, weight);
            }
            None => {
                if self.places.len() <= slot.index() {
                    self.places.resize(slot.index() + 1, OUTSIDE);
                }
                self.enter(slot, weight);
            }
        }
        self.places[slot.index()].degradation = degradation;
        self.degrades |= degradation > 0;
    }

    fn remove(&mut self, slot: Slot) {
        if self.place(slot).is_some() {
            self.leave(slot);
        }
    }

    fn select(&mut self, random: &mut Random, count: usize, selected: &mut Vec<Slot>) {
        let begin = selected.len();
        match count {
            _ if self.span == 0 => self.draw_idle(random, count, selected),
            0 => {}
            1 => selected.extend(self.draw(random)),
            _ => self.draw_different(random, count, selected),
        }
        if !self.degrades {
            return;
        }
        let counted = match self.counting {
            Counting::Listed => selected.len() - begin,
            Counting::First => 1,
        };
        for slot in selected[begin..].iter().take(counted) {
            let Place { weight, degradation, .. } = self.places[slot.index()];
            let less = weight.saturating_sub(degradation);
            if less != weight {
                self.leave(*slot);
                self.enter(*slot, less);
            }
        }
    }
}
