//! Elements that name others of their pool to their users, and moves of sessions afterwards.

use std::time::Duration;

use super::dice::Dice;
use crate::explore::plan::Plan;
use crate::fault::{Fault, Order};

/// Draws for a third of the worlds which elements do so, and when; some do it again. Users move some time later: a card
/// matters to nobody else.
pub(super) fn draw(dice: &mut Dice, plan: &Plan) -> Vec<Vec<(Duration, Fault)>> {
    if !dice.chance(33) {
        return Vec::new();
    }
    let mut steps = Vec::new();
    let when = |dice: &mut Dice| dice.between(Duration::ZERO, plan.chaos);
    for (element, _) in plan.element_hosts() {
        for _ in 0..dice.pick(&[0, 1, 1, 2]) {
            steps.push(vec![(when(dice), Fault::Order(element, Order::Card))]);
        }
    }
    for (user, _) in plan.user_hosts() {
        if dice.chance(50) {
            steps.push(vec![(when(dice), Fault::Order(user, Order::Failover))]);
        }
    }
    steps
}
