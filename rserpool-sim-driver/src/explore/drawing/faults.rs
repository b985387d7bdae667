//! The faults of a plan: what breaks, and whether and when it is repaired.

use std::time::Duration;

use super::dice::Dice;
use crate::explore::plan::Plan;
use crate::fault::{Fault, Order};
use crate::id::HostId;
use crate::network::Cable;

/// Draws the faults of a plan, each with its repair.
pub(super) fn draw(dice: &mut Dice, plan: &Plan, slow: bool) -> Vec<Vec<(Duration, Fault)>> {
    let hosts = plan.registrars.len() + plan.elements.len() + plan.users.len();
    let most = dice.pick(&[0, 2, 5, 10, 30]);
    let scale = if slow { 20 } else { 1 };
    (0..dice.below(most + 1)).map(|_| draw_one(dice, plan, hosts, scale)).collect()
}

/// Draws what applications do beside their usual work.
pub(super) fn draw_orders(dice: &mut Dice, plan: &Plan) -> Vec<Vec<(Duration, Fault)>> {
    let hosts = plan.elements.len() + plan.users.len();
    if hosts == 0 || dice.chance(40) {
        return Vec::new();
    }
    let orders = |dice: &mut Dice| {
        let host = HostId(plan.registrars.len() + dice.below(hosts));
        let order = match is_element(plan, host) {
            true => dice.pick(&[Order::UpdatePolicy, Order::UpdatePolicy, Order::Deregister]),
            false => {
                dice.pick(&[Order::Failover, Order::Failover, Order::Close, Order::Report, Order::Purge])
            }
        };
        vec![(dice.between(Duration::ZERO, plan.chaos), Fault::Order(host, order))]
    };
    (0..dice.below(8)).map(|_| orders(dice)).collect()
}

fn draw_one(dice: &mut Dice, plan: &Plan, hosts: usize, scale: u32) -> Vec<(Duration, Fault)> {
    // Registrars are few: without help they would hardly ever break.
    let host = match dice.chance(25) {
        true => HostId(dice.below(plan.registrars.len())),
        false => HostId(dice.below(hosts)),
    };
    let other = HostId(dice.below(hosts));
    let (registrar, element) = (host.0 < plan.registrars.len(), is_element(plan, host));
    let at = dice.between(Duration::ZERO, plan.chaos);
    let pause = match dice.chance(50) {
        true => dice.between(Duration::ZERO, Duration::from_millis(800)),
        false => dice.between(Duration::ZERO, Duration::from_secs(6)),
    };
    let back = at + pause * scale;
    let instant = dice.between(Duration::ZERO, Duration::from_millis(20));
    match dice.below(14) {
        0 => vec![(at, Fault::Kill(host)), (back, Fault::Start(host))],
        // At once: before others have noticed.
        1 => vec![(at, Fault::Kill(host)), (at + instant, Fault::Start(host))],
        2 => vec![(at, Fault::Kill(host)), (back, Fault::StartAnew(host))],
        3 if !registrar || dice.chance(30) => vec![(at, Fault::Kill(host))],
        4 | 5 => vec![(at, Fault::Pause(host)), (back, Fault::Thaw(host))],
        6 => {
            let slowness = dice.between(Duration::ZERO, Duration::from_millis(40)) * scale;
            vec![(at, Fault::Slow(host, slowness)), (back, Fault::Slow(host, Duration::ZERO))]
        }
        7 => vec![(at, Fault::Unplug(host)), (back, Fault::Plug(host))],
        8 if host != other => vec![(at, Fault::Block(host, other)), (back, Fault::Unblock(host, other))],
        9 if host != other => {
            let begin = Fault::partition(host, other).map(|fault| (at, fault));
            begin.into_iter().chain(Fault::heal(host, other).map(|fault| (back, fault))).collect()
        }
        10 => {
            let within = dice.pick(&[0, 100, 1_000, 2_000, 10_000]);
            vec![(at, Fault::Stop(host, Duration::from_millis(within))), (back, Fault::Start(host))]
        }
        11 if element => {
            vec![(at, Fault::Kill(host)), (at, Fault::Move(host)), (at + instant, Fault::Start(host))]
        }
        11 if !registrar => vec![(at, Fault::Move(host))],
        12 => {
            let loss = dice.below(300_000) as u32;
            vec![(at, Fault::Cables(Cable { loss, ..plan.cable })), (back, Fault::Cables(plan.cable))]
        }
        13 if element => vec![
            (at, Fault::Pause(host)),
            (back, Fault::Thaw(host)),
            (back + instant, Fault::Pause(host)),
            (back + pause * scale, Fault::Thaw(host)),
        ],
        _ => vec![(at, Fault::Pause(host)), (at + instant, Fault::Thaw(host))],
    }
}

fn is_element(plan: &Plan, host: HostId) -> bool {
    (plan.registrars.len()..plan.registrars.len() + plan.elements.len()).contains(&host.0)
}
