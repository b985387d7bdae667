//! Registrars, elements and users of one scope that do not have the same preset, and registrars that page
//! their tables differently, or do not list all pools. All of it is drawn from a stream of its own.

use super::Hardship;
use super::dice::Dice;
use crate::explore::plan::{Plan, RegistrarPlan, Timers};

/// Draws for some of the worlds what differs in them.
pub(super) fn draw(dice: &mut Dice, plan: &mut Plan, hardships: &[Hardship]) {
    let mut drawn = |kind, percent| dice.chance(percent) && hardships.contains(&kind);
    let presets = drawn(Hardship::MixedPresets, 20);
    let pages = drawn(Hardship::MixedPages, 25);
    let lacking = drawn(Hardship::LackingPools, 4);
    let count = plan.registrars.len();
    let one = dice.below(count);
    let habits: Vec<usize> = (0..count).map(|_| dice.pick(&[512, 1400, 65_000])).collect();
    if pages {
        for (registrar, octets) in plan.registrars.iter_mut().zip(habits) {
            registrar.handle_table_octets = octets;
        }
    }
    // A copy that lacks a pool is never the same as the others.
    if lacking && count > 1 {
        plan.registrars[one].max_pools = 1;
    }
    if presets {
        draw_presets(dice, plan);
    }
}

/// In a world of fast timers, some endpoints have those of the RFCs. (The other way round, the few fast ones
/// would send for minutes.)
fn draw_presets(dice: &mut Dice, plan: &mut Plan) {
    if plan.timers == Timers::Rfc {
        return;
    }
    let share = dice.pick(&[20, 50]);
    for registrar in &mut plan.registrars {
        if dice.chance(share) {
            let rfc = RegistrarPlan::preset(Timers::Rfc);
            registrar.timers = Timers::Rfc;
            registrar.keep_alive_interval = rfc.keep_alive_interval;
            registrar.heartbeat_cycle = rfc.heartbeat_cycle;
            registrar.max_time_last_heard = rfc.max_time_last_heard;
            registrar.max_time_no_response = rfc.max_time_no_response;
        }
    }
    for element in &mut plan.elements {
        if dice.chance(share) {
            element.timers = Timers::Rfc;
        }
    }
    for user in &mut plan.users {
        if dice.chance(share) {
            user.timers = Timers::Rfc;
        }
    }
}
