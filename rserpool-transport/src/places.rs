//! Who gives up a place when all are taken: associations over SCTP, connections over TCP.
//!
//! A stranger that says nothing after the handshake goes first. Otherwise the source that has most places gives one
//! to a source that has fewer. So one host cannot keep the others out, however many places it takes.

use std::collections::{BTreeMap, BTreeSet};

use rserpool_core::base::Source;

/// The places that peers have taken themselves, by source. Those that we have opened are not among them.
#[derive(Debug)]
pub(crate) struct Places<I> {
    sources: BTreeMap<Source, Taken<I>>,
    /// The sources by how many they have beyond what is kept for them.
    by_excess: BTreeSet<(usize, Source)>,
    /// Those of which nothing has been heard yet, in the order in which they came.
    silent: BTreeMap<I, Source>,
    /// For how many places of a source room is kept.
    reserved: BTreeMap<Source, usize>,
    /// All places that are taken.
    taken: usize,
}

/// The places of one source.
#[derive(Debug)]
struct Taken<I> {
    all: BTreeSet<I>,
    silent: BTreeSet<I>,
}

/// A place that is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victim<I> {
    /// One that has said nothing.
    Silent(I),
    /// One of the source that has most.
    Greedy(I),
}

impl<I: Copy + Ord> Places<I> {
    pub(crate) const fn new() -> Self {
        Self {
            sources: BTreeMap::new(),
            by_excess: BTreeSet::new(),
            silent: BTreeMap::new(),
            reserved: BTreeMap::new(),
            taken: 0,
        }
    }

    /// Keeps room for so many places of a source from now on: it gets them although all are taken, and does not
    /// give them up unless it says nothing.
    pub(crate) fn reserve(&mut self, source: Source, places: usize) {
        self.change(source, |reserved, _| *reserved = places);
    }

    /// A peer has taken a place. Names ascend.
    pub(crate) fn add(&mut self, source: Source, id: I) {
        self.change(source, |_, taken| {
            taken.all.insert(id);
            taken.silent.insert(id);
        });
        self.silent.insert(id, source);
    }

    /// The peer has said something.
    pub(crate) fn heard(&mut self, id: I) {
        if let Some(source) = self.silent.remove(&id)
            && let Some(taken) = self.sources.get_mut(&source)
        {
            taken.silent.remove(&id);
        }
    }

    /// A place is free again, if it was one of these.
    pub(crate) fn remove(&mut self, source: Source, id: I) {
        if self.sources.get(&source).is_some_and(|taken| taken.all.contains(&id)) {
            self.heard(id);
            self.change(source, |_, taken| {
                taken.all.remove(&id);
            });
        }
    }

    /// How many places are taken.
    pub(crate) const fn len(&self) -> usize {
        self.taken
    }

    /// How many places a source has.
    pub(crate) fn count(&self, source: Source) -> usize {
        self.sources.get(&source).map_or(0, |taken| taken.all.len())
    }

    /// Who gives a place to this source, if anyone does: of the source that has most the silent one that has waited
    /// longest, then that of any source; else the last that has come to the source that has most, so that those who
    /// were there first can go on. Places that are kept do not count as had.
    pub(crate) fn victim(&self, newcomer: Source) -> Option<Victim<I>> {
        let (most, greedy) = *self.by_excess.last()?;
        let taken = self.sources.get(&greedy)?;
        if let Some(id) = taken.silent.first().or_else(|| self.silent.keys().next()) {
            return Some(Victim::Silent(*id));
        }
        let then = (self.count(newcomer) + 1).saturating_sub(self.reserved_for(newcomer));
        let last = taken.all.last().filter(|_| most > then);
        last.copied().map(Victim::Greedy)
    }

    fn reserved_for(&self, source: Source) -> usize {
        self.reserved.get(&source).copied().unwrap_or_default()
    }

    fn change(&mut self, source: Source, act: impl FnOnce(&mut usize, &mut Taken<I>)) {
        let none = || Taken { all: BTreeSet::new(), silent: BTreeSet::new() };
        let mut reserved = self.reserved_for(source);
        let taken = self.sources.entry(source).or_insert_with(none);
        self.by_excess.remove(&(taken.all.len().saturating_sub(reserved), source));
        self.taken -= taken.all.len();
        act(&mut reserved, taken);
        self.taken += taken.all.len();
        if taken.all.is_empty() {
            self.sources.remove(&source);
        } else {
            self.by_excess.insert((taken.all.len().saturating_sub(reserved), source));
        }
        if reserved == 0 {
            self.reserved.remove(&source);
        } else {
            self.reserved.insert(source, reserved);
        }
        debug_assert_eq!(self.by_excess.len(), self.sources.len(), "each source is listed once");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [u8; 4] = [192, 0, 2, 1];
    const B: [u8; 4] = [192, 0, 2, 2];
    const C: [u8; 4] = [192, 0, 2, 3];

    fn source(address: [u8; 4]) -> Source {
        Source::of(address.into())
    }

    fn places(taken: &[([u8; 4], u32)]) -> Places<u32> {
        let mut places = Places::new();
        taken.iter().for_each(|(address, id)| places.add(source(*address), *id));
        places
    }

    #[test]
    fn who_says_nothing_goes_first_and_the_greediest_before_others() {
        let mut places = places(&[(A, 1), (B, 2), (B, 3), (B, 4)]);
        assert_eq!(places.victim(source(B)), Some(Victim::Silent(2)));
        places.heard(2);
        assert_eq!(places.victim(source(C)), Some(Victim::Silent(3)));
        places.heard(3);
        places.heard(4);
        assert_eq!(places.victim(source(B)), Some(Victim::Silent(1)));
    }

    #[test]
    fn the_source_with_most_places_gives_one_to_others() {
        let mut places = places(&[(A, 1), (B, 2), (B, 3), (B, 4)]);
        (1..=4).for_each(|id| places.heard(id));
        assert_eq!(places.victim(source(C)), Some(Victim::Greedy(4)));
        assert_eq!(places.victim(source(A)), Some(Victim::Greedy(4)));
        assert_eq!(places.victim(source(B)), None, "it has most itself");
        places.remove(source(B), 4);
        assert_eq!(places.victim(source(A)), None, "they would only change places");
        assert_eq!(places.victim(source(C)), Some(Victim::Greedy(3)));
        (1..=3).for_each(|id| [A, B].iter().for_each(|address| places.remove(source(*address), id)));
        assert_eq!((places.victim(source(C)), places.sources.len(), places.by_excess.len()), (None, 0, 0));
    }

    #[test]
    fn a_source_for_which_room_is_kept_gets_it_and_keeps_it() {
        // As many strangers as there are places, each with one: none would give it to another.
        let mut places = places(&[(A, 1), (B, 2), (C, 3), (C, 4), (C, 5)]);
        (1..=5).for_each(|id| places.heard(id));
        places.reserve(source(C), 3);
        let known = [192, 0, 2, 9];
        assert_eq!(places.victim(source(known)), None);
        places.reserve(source(known), 1);
        assert_eq!(places.victim(source(known)), Some(Victim::Greedy(2)));
        // Not one of the three that are kept for C, who has more than anybody else. Beyond those C is a stranger.
        assert_eq!(places.victim(source(C)), None);
        places.reserve(source(C), 0);
        assert_eq!(places.victim(source(A)), Some(Victim::Greedy(5)));
        places.reserve(source(known), 0);
        assert!(places.reserved.is_empty());
    }
}
