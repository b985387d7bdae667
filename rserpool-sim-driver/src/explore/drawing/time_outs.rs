//! Faults that last about as long as a time-out of those who notice them: pauses, restarts with the same
//! identifier, updates that are lost while all else arrives, and an element that leaves while its home stands
//! still. All of it is drawn from a stream of its own.

use std::time::Duration;

use super::Hardship;
use super::dice::Dice;
use crate::explore::plan::Plan;
use crate::fault::{Fault, Order};
use crate::id::HostId;

type Steps = Vec<(Duration, Fault)>;

/// Draws a few such faults for half of the worlds.
pub(super) fn draw(dice: &mut Dice, plan: &Plan, hardships: &[Hardship]) -> Vec<Steps> {
    if dice.chance(50) {
        return Vec::new();
    }
    let drawn = (0..1 + dice.below(3)).filter_map(|_| draw_one(dice, plan));
    drawn
        .filter(|(kind, _)| hardships.contains(kind))
        .map(|(_, steps)| steps)
        .filter(|steps| !steps.is_empty())
        .collect()
}

fn draw_one(dice: &mut Dice, plan: &Plan) -> Option<(Hardship, Steps)> {
    let registrars = plan.registrars.len();
    let one = HostId(dice.below(registrars));
    let other = HostId(dice.below(registrars));
    let at = dice.between(Duration::ZERO, plan.chaos);
    let enrp = &plan.registrars[one.0];
    let dead = enrp.max_time_last_heard + enrp.max_time_no_response;
    // Just before or after others have noticed.
    let while_unnoticed = dice.between(Duration::ZERO, dead * 2);
    Some(match dice.below(6) {
        0 => (Hardship::Restarts, vec![(at, Fault::Kill(one)), (at + while_unnoticed, Fault::Start(one))]),
        1 => {
            let back = at + while_unnoticed;
            (Hardship::RegistrarPauses, vec![(at, Fault::Pause(one)), (back, Fault::Thaw(one))])
        }
        2 => (Hardship::ElementPauses, repeated_pauses(dice, plan, at)?),
        3 if one != other => {
            let until = at + dice.between(Duration::ZERO, enrp.heartbeat_cycle * 8);
            (Hardship::LostUpdates, vec![(at, Fault::Lose(one, other)), (until, Fault::Keep(one, other))])
        }
        4 => {
            let element = draw_element(dice, plan)?;
            let leaves = at + dice.between(Duration::ZERO, enrp.keep_alive_interval);
            let steps = vec![
                (at, Fault::Pause(one)),
                (leaves, Fault::Order(element, Order::Deregister)),
                (at + dead * 3, Fault::Thaw(one)),
            ];
            (Hardship::LeavingMeanwhile, steps)
        }
        5 => (Hardship::Reports, reports(dice, plan, at)?),
        _ => return None,
    })
}

/// An element that stands still several times, a little longer than its home waits for an answer.
fn repeated_pauses(dice: &mut Dice, plan: &Plan, at: Duration) -> Option<Steps> {
    let element = draw_element(dice, plan)?;
    let asked = plan.registrars.iter().map(|registrar| {
        let config = registrar.config();
        config.keep_alive_interval * 2 + config.keep_alive_timeout
    });
    let pause = asked.max().unwrap_or_default();
    let between = pause * dice.pick(&[1, 2]) + dice.between(Duration::ZERO, pause);
    let pauses = (0..3 + dice.below(6) as u32).flat_map(|n| {
        let begin = at + (pause + between) * n;
        [(begin, Fault::Pause(element)), (begin + pause, Fault::Thaw(element))]
    });
    // Afterwards everything is healed.
    Some(pauses.filter(|(time, _)| *time < plan.chaos).collect())
}

/// Users that report an element again and again, although it is well, or just after its death.
fn reports(dice: &mut Dice, plan: &Plan, at: Duration) -> Option<Steps> {
    let users: Vec<HostId> = plan.user_hosts().map(|(host, _)| host).collect();
    let count = users.len();
    let between = dice.between(Duration::from_millis(1), Duration::from_millis(200));
    let mut steps: Steps = Vec::new();
    if dice.chance(30) {
        steps.push((at, Fault::Kill(draw_element(dice, plan)?)));
    }
    let reports = (0..(4 + dice.below(20)) as u32).filter(|_| count > 0);
    let reports = reports.map(|n| {
        let user = users[dice.below(count)];
        (at + between * n, Fault::Order(user, Order::Report))
    });
    steps.extend(reports.filter(|(time, _)| *time < plan.chaos));
    Some(steps)
}

fn draw_element(dice: &mut Dice, plan: &Plan) -> Option<HostId> {
    let first = plan.registrars.len();
    let count = plan.elements.len();
    (count > 0).then(|| HostId(first + dice.below(count)))
}
