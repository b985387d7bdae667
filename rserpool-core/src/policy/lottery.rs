//! Random policies: elements are drawn in proportion to their weights.

use alloc::vec::Vec;

use super::terms::Terms;
use super::{Counting, SelectionPolicy, Slot};
use crate::base::Random;
use crate::wire::Policy;

/// Elements that are drawn in proportion to their weights.
///
/// Elements of similar weight form a group: group g holds the weights above 2^(g-1) up to 2^g. A draw picks
/// a group in proportion to its size times 2^g, then one of its members evenly, and keeps that member with
/// the probability weight / 2^g, which is above one half; otherwise the draw is repeated. Every element
/// therefore has exactly its share, and the time of a draw or a change does not depend on their number.
#[derive(Debug)]
pub struct Lottery {
    /// In descending order of weight: most draws end at the first.
    groups: Vec<Group>,
    /// Elements of weight 0, drawn only if there are no others (reading B35).
    idle: Group,
    /// The sum of the groups' spans.
    span: u64,
    records: Vec<Record>,
    counting: Counting,
    /// Whether any element has ever had a load degradation. Otherwise selections change nothing.
    degrades: bool,
}

#[derive(Debug, Default)]
struct Group {
    bits: u32,
    members: Vec<(Slot, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    /// The index among the members of its group, or [`NOWHERE`].
    at: u32,
    weight: u32,
    degradation: u32,
    /// Whether the selection under way has chosen it.
    chosen: bool,
}

/// In an answer of up to so many elements, looking through those chosen is as fast as marking them.
const FEW: usize = 16;

const NOWHERE: u32 = u32::MAX;

const OUTSIDE: Record = Record { at: NOWHERE, weight: 0, degradation: 0, chosen: false };

impl Group {
    const fn span(&self) -> u64 {
        (self.members.len() as u64) << self.bits
    }
}

impl Lottery {
    pub(super) const fn new(counting: Counting) -> Self {
        let idle = Group { bits: 0, members: Vec::new() };
        Self { groups: Vec::new(), idle, span: 0, records: Vec::new(), counting, degrades: false }
    }

    fn record(&self, slot: Slot) -> Option<Record> {
        self.records.get(slot.index()).copied().filter(|record| record.at != NOWHERE)
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
        let record = &mut self.records[slot.index()];
        (record.at, record.weight) = (at, weight);
    }

    fn leave(&mut self, slot: Slot) {
        let Record { at, weight, .. } = self.records[slot.index()];
        let group = self.group(weight);
        let span = 1 << group.bits;
        debug_assert_eq!(
            group.members.get(at as usize),
            Some(&(slot, weight)),
            "records say where members are"
        );
        group.members.swap_remove(at as usize);
        let moved = group.members.get(at as usize).copied();
        if weight != 0 {
            self.span -= span;
        }
        if let Some((moved, _)) = moved {
            self.records[moved.index()].at = at;
        }
        self.records[slot.index()].at = NOWHERE;
    }

    /// Draws one of the elements that have a weight; `None` if there is none.
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

    /// Draws up to `count` different elements, each in proportion to its weight among those that are left.
    ///
    /// An element that is drawn a second time is put aside until the end, so that at most twice `count`
    /// draws are needed, whatever the weights are.
    fn draw_different(&mut self, random: &mut Random, count: usize, selected: &mut Vec<Slot>) {
        let begin = selected.len();
        let few = count <= FEW;
        let mut aside = Vec::new();
        while selected.len() - begin < count {
            let Some(slot) = self.draw(random) else { break };
            let chosen =
                if few { selected[begin..].contains(&slot) } else { self.records[slot.index()].chosen };
            if chosen {
                aside.push(slot);
                self.leave(slot);
            } else {
                selected.push(slot);
                if !few {
                    self.records[slot.index()].chosen = true;
                }
            }
        }
        for slot in aside {
            let weight = self.records[slot.index()].weight;
            self.enter(slot, weight);
        }
        if !few {
            for slot in &selected[begin..] {
                self.records[slot.index()].chosen = false;
            }
        }
    }

    /// Draws evenly among the elements of weight 0.
    fn draw_idle(&mut self, random: &mut Random, count: usize, selected: &mut Vec<Slot>) {
        let total = self.idle.members.len();
        for at in 0..count.min(total) {
            let drawn = at + random.quick_below((total - at) as u64) as usize;
            self.idle.members.swap(at, drawn);
            for at in [at, drawn] {
                self.records[self.idle.members[at].0.index()].at = at as u32;
            }
            selected.push(self.idle.members[at].0);
        }
    }
}

impl SelectionPolicy for Lottery {
    fn insert(&mut self, slot: Slot, values: &Policy) {
        let Some(Terms::Share { weight, degradation }) = Terms::of(values) else { return };
        match self.record(slot) {
            Some(old) if old.weight == weight => {}
            Some(_) => {
                self.leave(slot);
                self.enter(slot, weight);
            }
            None => {
                if self.records.len() <= slot.index() {
                    self.records.resize(slot.index() + 1, OUTSIDE);
                }
                self.enter(slot, weight);
            }
        }
        self.records[slot.index()].degradation = degradation;
        self.degrades |= degradation > 0;
    }

    fn remove(&mut self, slot: Slot) {
        if self.record(slot).is_some() {
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
            let Record { weight, degradation, .. } = self.records[slot.index()];
            let less = weight.saturating_sub(degradation);
            if less != weight {
                self.leave(*slot);
                self.enter(*slot, less);
            }
        }
    }
}
