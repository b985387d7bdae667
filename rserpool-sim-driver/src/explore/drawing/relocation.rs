//! A registrar that comes back at another address. Its peers learn of it from itself, or by its
//! announcements; elements and users that were configured with its old address do not. All of it is drawn
//! from a stream of its own.

use std::time::Duration;

use super::dice::Dice;
use crate::explore::plan::Plan;
use crate::fault::Fault;
use crate::id::HostId;

/// Draws such a change for one registrar at most: of two that know each other only by their
/// configuration neither would find the other again.
pub(super) fn draw(dice: &mut Dice, plan: &Plan, slow: bool) -> Vec<Vec<(Duration, Fault)>> {
    let count = plan.registrars.len();
    if count < 2 || dice.chance(75) {
        return Vec::new();
    }
    let one = HostId(dice.below(count));
    let at = dice.between(Duration::ZERO, plan.chaos);
    let pause = dice.between(Duration::ZERO, Duration::from_secs(4)) * if slow { 20 } else { 1 };
    // If not all know all others, a registrar may be known to one of them by its old address alone.
    let registrar = &plan.registrars[one.0];
    if registrar.knows.len() + 1 < count && !registrar.enrp_announce {
        return Vec::new();
    }
    vec![vec![(at, Fault::Kill(one)), (at, Fault::Move(one)), (at + pause, Fault::Start(one))]]
}
