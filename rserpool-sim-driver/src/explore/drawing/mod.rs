//! Drawing a plan from its seed.

mod calls;
mod cards;
mod desertion;
mod dice;
mod faults;
mod hardship;
mod mixture;
mod moments;
mod policies;
mod registrars;
mod relocation;
mod sessions;
mod time_outs;
mod work;

use std::time::Duration;

use rserpool_core::base::ElementId;
use rserpool_core::wire::{Policy, RegistrationLife};

use super::plan::{ElementPlan, Plan, RegistrarPlan, Timers, UserPlan};
use crate::applications::Closing;
use crate::id::HostId;
use crate::network::{Cable, Sctp};
use crate::random::Purpose;
use dice::Dice;
pub use hardship::Hardship;

impl Plan {
    /// What `seed` stands for, with all hardships.
    pub fn draw(seed: u64) -> Self {
        Self::draw_with(seed, Hardship::ALL)
    }

    /// The same with no other hardships than these.
    pub fn draw_with(seed: u64, hardships: &[Hardship]) -> Self {
        let mut dice = Dice::new(seed, Purpose::Plan);
        let timers = if dice.chance(85) { Timers::Fast } else { Timers::Rfc };
        let mut scope_dice = Dice::new(seed, Purpose::Scope);
        let registrars = registrars::draw_size(&mut scope_dice);
        let announced = dice.chance(25);
        let pools = 1 + dice.below(3);
        let lives: &[i32] = match timers {
            Timers::Fast => &[2, 6, 12, 300, -1],
            Timers::Rfc => &[60, 300],
        };
        let life = RegistrationLife(dice.pick(lives));
        let mut plan = Self {
            seed,
            timers,
            cable: draw_cable(&mut dice),
            sctp: if timers == Timers::Fast || dice.chance(50) { Sctp::FAST } else { Sctp::RFC },
            chaos: Duration::ZERO,
            registrars: Vec::new(),
            elements: Vec::new(),
            users: Vec::new(),
            faults: Vec::new(),
        };
        for _ in 0..registrars {
            plan.registrars.push(draw_registrar(&mut dice, timers, announced));
        }
        let twins = dice.chance(5);
        let mut policy_dice = Dice::new(seed, Purpose::Policies);
        let kinds = policies::draw_kinds(&mut policy_dice, pools);
        let startup = match timers {
            Timers::Fast => Duration::from_secs(2),
            Timers::Rfc => Duration::from_secs(30),
        };
        if registrars > 1 {
            registrars::draw(&mut scope_dice, &mut plan.registrars, startup);
        }
        for n in 0..dice.crowd(200) {
            let mut element = draw_element(&mut dice, timers, pools, life);
            element.start = dice.between(Duration::ZERO, startup);
            element.knows = draw_known(&mut dice, registrars, announced);
            if twins && n < 2 {
                element.pool = pool(0);
                element.id = Some(ElementId(7));
            }
            let kind = (0..pools).find(|n| pool(*n) == element.pool).map_or(0, |n| kinds[n]);
            element.policy = policies::draw(&mut policy_dice, kind);
            plan.elements.push(element);
        }
        for _ in 0..dice.crowd(50) {
            let mut user = draw_user(&mut dice, timers, pools);
            user.start = dice.between(Duration::ZERO, startup);
            user.knows = draw_known(&mut dice, registrars, announced);
            plan.users.push(user);
        }
        let crowded = plan.elements.len() + plan.users.len() > 40;
        plan.chaos = match timers {
            Timers::Fast if crowded => dice.between(Duration::from_secs(5), Duration::from_secs(10)),
            Timers::Fast => dice.between(Duration::from_secs(5), Duration::from_secs(30)),
            Timers::Rfc => dice.between(Duration::from_secs(120), Duration::from_secs(600)),
        };
        plan.faults = faults::draw(&mut dice, &plan, timers == Timers::Rfc);
        let mut dice = Dice::new(seed, Purpose::Orders);
        plan.faults.extend(faults::draw_orders(&mut dice, &plan));
        plan.faults.extend(registrars::draw_faults(&mut scope_dice, &plan, timers == Timers::Rfc));
        plan.faults.extend(moments::draw(&mut Dice::new(seed, Purpose::Moments), &plan));
        let mut dice = Dice::new(seed, Purpose::Relocation);
        plan.faults.extend(relocation::draw(&mut dice, &plan, timers == Timers::Rfc));
        work::draw(&mut Dice::new(seed, Purpose::Work), &mut plan, hardships);
        sessions::draw(&mut Dice::new(seed, Purpose::Sessions), &mut plan);
        mixture::draw(&mut Dice::new(seed, Purpose::Mixture), &mut plan, hardships);
        let mut dice = Dice::new(seed, Purpose::TimeOuts);
        plan.faults.extend(time_outs::draw(&mut dice, &plan, hardships));
        let mut dice = Dice::new(seed, Purpose::Desertion);
        desertion::draw(&mut dice, &mut plan, hardships);
        calls::draw(&mut Dice::new(seed, Purpose::Calls), &mut plan);
        plan.faults.extend(cards::draw(&mut Dice::new(seed, Purpose::Cards), &plan));
        plan
    }
}

fn pool(number: usize) -> String {
    ["Pool", "EchoPool", "A pool with a rather long name"][number].into()
}

fn draw_cable(dice: &mut Dice) -> Cable {
    Cable {
        delay: dice.between(Duration::from_micros(50), Duration::from_millis(8)),
        jitter: match dice.chance(50) {
            true => dice.between(Duration::ZERO, Duration::from_millis(4)),
            false => Duration::ZERO,
        },
        loss: if dice.chance(15) { dice.below(50_000) as u32 } else { 0 },
        duplication: if dice.chance(20) { dice.below(100_000) as u32 } else { 0 },
        reordering: if dice.chance(20) { dice.below(100_000) as u32 } else { 0 },
        rate: 0,
    }
}

/// The registrars that an element or user knows from the start; none only if they announce themselves.
fn draw_known(dice: &mut Dice, registrars: usize, announced: bool) -> Vec<HostId> {
    let mut known: Vec<HostId> = (0..registrars).map(HostId).filter(|_| dice.chance(70)).collect();
    if known.is_empty() && !(announced && dice.chance(70)) {
        known.push(HostId(dice.below(registrars)));
    }
    known
}

fn draw_registrar(dice: &mut Dice, timers: Timers, announce: bool) -> RegistrarPlan {
    let preset = RegistrarPlan::preset(timers);
    RegistrarPlan {
        announce,
        keep_alive_interval: preset.keep_alive_interval * dice.pick(&[1, 1, 2, 4]),
        max_bad_pe_reports: dice.pick(&[0, 1, 3, 3, 3]),
        name_element_in_keep_alive: dice.chance(80),
        ..preset
    }
}

fn draw_element(dice: &mut Dice, timers: Timers, pools: usize, life: RegistrationLife) -> ElementPlan {
    let pool = pool(dice.below(pools));
    let interval = timers.element(pool.as_str().into()).reregistration_interval;
    let fits = interval.is_some_and(|interval| life.duration().is_none_or(|life| interval < life));
    let service = match dice.chance(20) {
        true => dice.between(Duration::ZERO, Duration::from_millis(60)),
        false => Duration::ZERO,
    };
    ElementPlan {
        timers,
        start: Duration::ZERO,
        knows: Vec::new(),
        pool,
        id: None,
        policy: Policy::RoundRobin,
        life,
        reregistration: interval.filter(|_| fits),
        service,
        slow: None,
        max_sessions: None,
        closes: Closing::Never,
        cookies: false,
        remembers: false,
    }
}

fn draw_user(dice: &mut Dice, timers: Timers, pools: usize) -> UserPlan {
    let pace = match timers {
        Timers::Fast => 1,
        Timers::Rfc => 20,
    };
    UserPlan {
        timers,
        start: Duration::ZERO,
        knows: Vec::new(),
        sessions: dice.pick(&[0, 1, 1, 1, 3]),
        interval: dice.between(Duration::from_millis(20), Duration::from_millis(400)) * pace,
        calls: None,
        octets: dice.pick(&[8, 64, 1400, 20_000]),
        large: None,
        poison: None,
        consuming: Duration::ZERO,
        cache_life: None,
        watch: false,
        resolve: dice
            .chance(50)
            .then(|| dice.between(Duration::from_millis(100), Duration::from_secs(2)) * pace),
        pool: pool(dice.below(pools)),
    }
}
