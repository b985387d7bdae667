//! What sessions carry: state in cookies; and which users have their registrar tell them of changes of their pool.

use super::dice::Dice;
use crate::explore::plan::Plan;

/// Draws for half of the worlds which elements leave the state of their sessions with their users: all, or some; and
/// for a third of them which users watch their pools.
pub(super) fn draw(dice: &mut Dice, plan: &mut Plan) {
    if dice.chance(50) {
        let all = dice.chance(60);
        for element in &mut plan.elements {
            element.cookies = all || dice.chance(60);
        }
    }
    if dice.chance(33) {
        for user in &mut plan.users {
            user.watch = dice.chance(50);
        }
    }
}
