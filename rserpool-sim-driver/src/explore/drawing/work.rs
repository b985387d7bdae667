//! What servers and clients do to each other though all are well: requests that take long, servers that are
//! full or close sessions, large requests over slow cables, clients that take answers late. Each kind has its
//! own worlds, because one hides the other. All of it is drawn from a stream of its own.

use std::time::Duration;

use super::Hardship;
use super::dice::Dice;
use crate::applications::{Closing, Occasional};
use crate::explore::plan::{Plan, Timers};

/// Draws for half of the worlds what is unusual about their work.
pub(super) fn draw(dice: &mut Dice, plan: &mut Plan, hardships: &[Hardship]) {
    let kind = match dice.below(12) {
        0 | 1 => Hardship::SlowRequests,
        2 => Hardship::FullServers,
        3 => Hardship::ClosingServers,
        4 => Hardship::LargeRequests,
        5 => Hardship::SlowConsumers,
        _ => return,
    };
    if !hardships.contains(&kind) {
        return;
    }
    match kind {
        Hardship::SlowRequests => draw_slow(dice, plan),
        Hardship::FullServers => draw_full(dice, plan),
        Hardship::ClosingServers => draw_closing(dice, plan),
        Hardship::LargeRequests => draw_large(dice, plan),
        _ => draw_consumers(dice, plan),
    }
}

/// How much slower the clocks of a preset run.
fn pace(timers: Timers) -> u32 {
    match timers {
        Timers::Fast => 1,
        Timers::Rfc => 20,
    }
}

/// Requests that take longer than any time-out of a user: all of them at some servers, or one of a few.
fn draw_slow(dice: &mut Dice, plan: &mut Plan) {
    let all = dice.chance(50);
    let time = dice.between(Duration::from_millis(250), Duration::from_secs(3)) * pace(plan.timers);
    let one_of = 2 + dice.below(9) as u32;
    for element in &mut plan.elements {
        match all {
            true => element.service = if dice.chance(70) { time } else { element.service },
            false => element.slow = Some(Occasional { one_of, value: time }),
        }
    }
}

/// Servers that take fewer sessions than there are.
fn draw_full(dice: &mut Dice, plan: &mut Plan) {
    let most = 1 + dice.below(3);
    for element in &mut plan.elements {
        element.max_sessions = dice.chance(70).then_some(most);
    }
}

/// Servers that close sessions: all of them, or those in which they are asked for something that they do not
/// like.
fn draw_closing(dice: &mut Dice, plan: &mut Plan) {
    let at_once = dice.chance(40);
    let one_of = 3 + dice.below(20) as u32;
    for element in &mut plan.elements {
        element.closes = match at_once {
            true if dice.chance(60) => Closing::AtOnce,
            true => Closing::Never,
            false => Closing::Poison,
        };
    }
    for user in &mut plan.users {
        user.poison = (!at_once && dice.chance(50)).then_some(one_of);
    }
}

/// Requests that occupy a cable for longer than any time-out of a user. A client asks rarely enough that they
/// do not pile up.
fn draw_large(dice: &mut Dice, plan: &mut Plan) {
    let octets = dice.pick(&[60_000, 200_000, 900_000]);
    let time = dice.between(Duration::from_millis(150), Duration::from_secs(2)) * pace(plan.timers);
    plan.cable.rate = (octets as f64 / time.as_secs_f64()) as u32;
    for user in &mut plan.users {
        let one_of = 3 + dice.below(8) as u32;
        user.octets = user.octets.min(1400);
        user.interval = user.interval.max(time);
        user.large = dice.chance(70).then_some(Occasional { one_of, value: octets });
    }
}

/// Clients that take longer for an answer than a server.
fn draw_consumers(dice: &mut Dice, plan: &mut Plan) {
    let slow = dice.between(Duration::from_millis(5), Duration::from_millis(400)) * pace(plan.timers);
    for user in &mut plan.users {
        user.consuming = if dice.chance(60) { slow } else { Duration::ZERO };
    }
}
