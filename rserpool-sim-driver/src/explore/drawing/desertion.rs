//! A time in which no registrar runs, and in which users open sessions all the same: with what they know.

use std::time::Duration;

use super::Hardship;
use super::dice::Dice;
use crate::explore::plan::Plan;
use crate::fault::{Fault, Order};

/// Draws it for a tenth of the worlds. What users know has become stale by the time at which they open sessions.
pub(super) fn draw(dice: &mut Dice, plan: &mut Plan, hardships: &[Hardship]) {
    if !dice.chance(10) || !hardships.contains(&Hardship::Desertion) {
        return;
    }
    // A round of the hunt, and all repetitions of a question.
    let vain = plan.users.iter().map(|user| {
        let config = user.config();
        config.hunt.timeout + config.request_timeout * (config.max_request_retransmits + 1)
    });
    let vain = vain.max().unwrap_or_default();
    let open = plan.users.iter().map(|user| user.config().open_timeout).max().unwrap_or_default();
    let lasts = vain * 6 + open;
    if plan.chaos <= lasts {
        return;
    }
    let begin = dice.between(Duration::ZERO, plan.chaos - lasts);
    let end = begin + lasts;
    let mut steps: Vec<(Duration, Fault)> =
        plan.registrar_hosts().map(|registrar| (begin, Fault::Kill(registrar))).collect();
    for (n, (user, _)) in plan.user_hosts().enumerate() {
        let close = begin + vain * 3 + vain * (n as u32 % 2);
        steps.push((close, Fault::Order(user, Order::Close)));
    }
    steps.extend(plan.registrar_hosts().map(|registrar| (end, Fault::Start(registrar))));
    plan.faults.push(steps);
    for user in &mut plan.users {
        user.cache_life = Some(vain);
    }
}
