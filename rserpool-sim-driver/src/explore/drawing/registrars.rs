//! How the registrars of a plan know each other, and what befalls them as a group. All of it is
//! drawn from a stream of its own.

use std::time::Duration;

use rserpool_core::base::RegistrarId;
use rserpool_core::registrar::TakeoverWinner;

use super::dice::Dice;
use crate::explore::plan::{Plan, RegistrarPlan};
use crate::fault::Fault;
use crate::id::HostId;

/// How many registrars there are; most worlds are small.
pub(super) fn draw_size(dice: &mut Dice) -> usize {
    dice.pick(&[1, 1, 1, 2, 2, 3, 3, 3, 4, 5, 6, 7])
}

/// How registrars learn of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Acquaintance {
    /// Each is configured to know all others.
    All,
    /// Each but the first is configured to know one of those before it.
    Chain,
    /// By multicast.
    Multicast,
}

/// Draws what the registrars of a scope have in common, and whom each knows.
pub(super) fn draw(dice: &mut Dice, registrars: &mut [RegistrarPlan], startup: Duration) {
    use Acquaintance::{All, Chain, Multicast};
    let how = dice.pick(&[All, All, All, Chain, Multicast]);
    let winner = match dice.chance(80) {
        true => TakeoverWinner::LargerId,
        false => TakeoverWinner::SmallerId,
    };
    let (scale, balance, suppress) = (dice.pick(&[1, 1, 1, 2, 4]), dice.chance(70), dice.chance(20));
    let octets = dice.pick(&[512, 1400, 8192, 65_000]);
    let at_once = dice.chance(50);
    let count = registrars.len();
    for (n, registrar) in registrars.iter_mut().enumerate() {
        let named = dice.chance(40);
        let id = dice.below(1_000_000) as u32 * 8 + n as u32 + 1;
        registrar.enrp_announce = how == Multicast;
        registrar.heartbeat_cycle *= scale;
        registrar.max_time_last_heard *= scale;
        registrar.max_time_no_response *= scale;
        registrar.takeover_winner = winner;
        (registrar.balance, registrar.suppress_unchanged) = (balance, suppress);
        registrar.handle_table_octets = octets;
        registrar.id = named.then_some(RegistrarId(id));
        registrar.knows = match how {
            All => (0..count).filter(|other| *other != n).map(HostId).collect(),
            Chain if n > 0 => vec![HostId(dice.below(n))],
            Chain | Multicast => Vec::new(),
        };
        registrar.start = match at_once {
            true => Duration::ZERO,
            false => dice.between(Duration::ZERO, startup),
        };
    }
}

/// Draws what befalls registrars: their deaths and restarts, and partitions.
pub(super) fn draw_faults(dice: &mut Dice, plan: &Plan, slow: bool) -> Vec<Vec<(Duration, Fault)>> {
    if plan.registrars.len() < 2 || dice.chance(25) {
        return Vec::new();
    }
    let scale = if slow { 20 } else { 1 };
    (0..dice.below(6)).map(|_| draw_fault(dice, plan, scale)).collect()
}

fn draw_fault(dice: &mut Dice, plan: &Plan, scale: u32) -> Vec<(Duration, Fault)> {
    let count = plan.registrars.len();
    let one = HostId(dice.below(count));
    let other = HostId((one.0 + 1 + dice.below(count - 1)) % count);
    let at = dice.between(Duration::ZERO, plan.chaos);
    let pause = match dice.chance(40) {
        true => dice.between(Duration::ZERO, Duration::from_millis(800)),
        false => dice.between(Duration::ZERO, Duration::from_secs(8)),
    };
    let back = at + pause * scale;
    let soon = at + dice.between(Duration::ZERO, Duration::from_millis(900)) * scale;
    match dice.below(10) {
        0 => vec![(at, Fault::Kill(one)), (back, Fault::Start(one))],
        1 => vec![(at, Fault::Kill(one)), (back, Fault::StartAnew(one))],
        2 => vec![(at, Fault::Kill(one))],
        3 => vec![
            (at, Fault::Kill(one)),
            (soon, Fault::Kill(other)),
            (back.max(soon), Fault::Start(one)),
            (back.max(soon), Fault::Start(other)),
        ],
        4 => vec![(at, Fault::Stop(one, Duration::from_secs(2) * scale)), (back, Fault::Start(one))],
        5 => vec![(at, Fault::Pause(one)), (back, Fault::Thaw(one))],
        6 => vec![(at, Fault::Block(one, other)), (back, Fault::Unblock(one, other))],
        7 => {
            // Registrars only: elements and users still reach both sides.
            let (left, right) = divide(dice, &all(0..count));
            vec![(at, Fault::Split(left.clone(), right.clone())), (back, Fault::Join(left, right))]
        }
        _ => {
            let hosts = count + plan.elements.len() + plan.users.len();
            let (left, right) = divide(dice, &all(0..hosts));
            vec![(at, Fault::Split(left.clone(), right.clone())), (back, Fault::Join(left, right))]
        }
    }
}

fn all(hosts: std::ops::Range<usize>) -> Vec<HostId> {
    hosts.map(HostId).collect()
}

/// Divides hosts into two groups.
fn divide(dice: &mut Dice, hosts: &[HostId]) -> (Vec<HostId>, Vec<HostId>) {
    let share = dice.pick(&[15, 50, 85]);
    hosts.iter().partition(|_| dice.chance(share))
}
