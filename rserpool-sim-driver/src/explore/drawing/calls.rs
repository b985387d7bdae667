//! Requests whose answers name them, and elements that remember them.

use rserpool_core::user::CallDelivery;

use super::dice::Dice;
use crate::explore::plan::Plan;

/// Draws for a third of the worlds which users make calls, what becomes of these when an element fails, and which
/// elements remember those that are to be carried out at most once: all, or some.
pub(super) fn draw(dice: &mut Dice, plan: &mut Plan) {
    if !dice.chance(33) {
        return;
    }
    for user in &mut plan.users {
        let delivery = dice.pick(&[CallDelivery::Retry, CallDelivery::Report, CallDelivery::Once]);
        user.calls = dice.chance(70).then_some(delivery);
    }
    let all = dice.chance(50);
    for element in &mut plan.elements {
        element.remembers = all || dice.chance(50);
    }
}
