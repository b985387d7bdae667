//! What sessions carry: state in cookies.

use super::dice::Dice;
use crate::explore::plan::Plan;

/// Draws for half of the worlds which elements leave the state of their sessions with their users: all, or some.
pub(super) fn draw(dice: &mut Dice, plan: &mut Plan) {
    if dice.chance(50) {
        let all = dice.chance(60);
        for element in &mut plan.elements {
            element.cookies = all || dice.chance(60);
        }
    }
}
