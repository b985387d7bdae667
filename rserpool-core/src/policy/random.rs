//! Random: every element is equally likely, independent of earlier selections.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::SelectionPolicy;
use crate::base::{ElementId, Random};
use crate::wire::Policy;

/// Elements in an order of no meaning, so that a selection is a few exchanges at the front.
#[derive(Clone, Debug, Default)]
pub struct RandomOrder {
    elements: Vec<ElementId>,
    place: BTreeMap<ElementId, usize>,
}

impl RandomOrder {
    fn exchange(&mut self, a: usize, b: usize) {
        self.elements.swap(a, b);
        self.place.insert(self.elements[a], a);
        self.place.insert(self.elements[b], b);
    }
}

impl SelectionPolicy for RandomOrder {
    fn insert(&mut self, element: ElementId, _values: &Policy) {
        if !self.place.contains_key(&element) {
            self.place.insert(element, self.elements.len());
            self.elements.push(element);
        }
    }

    fn remove(&mut self, element: ElementId) {
        if let Some(place) = self.place.get(&element).copied() {
            self.exchange(place, self.elements.len() - 1);
            self.elements.pop();
            self.place.remove(&element);
        }
    }

    fn select(&mut self, random: &mut Random, count: usize, selected: &mut Vec<ElementId>) {
        let total = self.elements.len();
        for place in 0..count.min(total) {
            let drawn = place + random.below((total - place) as u64) as usize;
            self.exchange(place, drawn);
            selected.push(self.elements[place]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order_of(count: u32) -> RandomOrder {
        let mut order = RandomOrder::default();
        for id in 1..=count {
            order.insert(ElementId(id), &Policy::Random);
        }
        order
    }

    #[test]
    fn selects_different_elements_and_forgets_removed_ones() {
        let (mut order, mut random) = (order_of(10), Random::new(3));
        order.insert(ElementId(4), &Policy::Random);
        for gone in [1, 10, 5, 5] {
            order.remove(ElementId(gone));
        }
        for _ in 0..100 {
            let mut selected = Vec::new();
            order.select(&mut random, 20, &mut selected);
            selected.sort();
            assert_eq!(selected, [2, 3, 4, 6, 7, 8, 9].map(ElementId));
        }
    }

    /// RFC 5356 section 4.3: chi-square over the first choice, 9 degrees of freedom; 27.9 is
    /// exceeded by one seed in a thousand, and this seed is fixed.
    #[test]
    fn is_even() {
        let (mut order, mut random) = (order_of(10), Random::new(1));
        let mut counts = [0u32; 10];
        for _ in 0..10_000 {
            let mut selected = Vec::new();
            order.select(&mut random, 3, &mut selected);
            counts[selected[0].0 as usize - 1] += 1;
        }
        let chi_square: f64 = counts.iter().map(|&n| (f64::from(n) - 1000.0).powi(2) / 1000.0).sum();
        assert!(chi_square < 27.9, "{chi_square} {counts:?}");
    }
}
