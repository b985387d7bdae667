//! Faults at moments that matter: a death or a sign of life just when others decide what it means.
//! All of it is drawn from a stream of its own.

use std::time::Duration;

use super::dice::Dice;
use crate::explore::plan::Plan;
use crate::fault::Fault;
use crate::id::HostId;

/// Draws a few such moments.
pub(super) fn draw(dice: &mut Dice, plan: &Plan) -> Vec<Vec<(Duration, Fault)>> {
    if dice.chance(60) {
        return Vec::new();
    }
    (0..1 + dice.below(3)).map(|_| draw_one(dice, plan)).collect()
}

fn draw_one(dice: &mut Dice, plan: &Plan) -> Vec<(Duration, Fault)> {
    let count = plan.registrars.len();
    let one = HostId(dice.below(count));
    let at = dice.between(Duration::ZERO, plan.chaos);
    let enrp = &plan.registrars[one.0];
    // By then its peers have got no answer to their question for a sign of life, and ask each other.
    let dead = enrp.max_time_last_heard + enrp.max_time_no_response;
    match dice.below(4) {
        // It lives, and a registrar that has to agree is silent: the arbitration takes its time.
        0 | 1 if count > 2 => {
            let other = HostId((one.0 + 1 + dice.below(count - 1)) % count);
            let back = at + dead + dice.between(Duration::ZERO, enrp.max_time_no_response * 2);
            let silent = at + dice.between(enrp.max_time_no_response, dead);
            vec![
                (at, Fault::Pause(one)),
                (silent, Fault::Pause(other)),
                (back, Fault::Thaw(one)),
                (back + enrp.max_time_no_response, Fault::Thaw(other)),
            ]
        }
        // Exactly one dies, after everything else.
        2 => vec![(plan.chaos, Fault::Kill(one))],
        // It misses what is announced.
        _ => vec![(at, Fault::Deafen(one)), (at + dead * 4, Fault::Undeafen(one))],
    }
}
