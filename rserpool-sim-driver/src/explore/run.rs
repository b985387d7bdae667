//! Carrying a plan out, and reducing one that fails to what it needs to fail.

use std::time::Duration;

use rserpool_core::base::Instant;

use super::plan::Plan;
use super::verdict::Verdict;
use crate::fault::Fault;
use crate::hosts::{Mode, Program};
use crate::record::TraceMode;
use crate::violation::Violation;
use crate::world::{World, WorldConfig};

/// What is kept of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunOptions {
    /// How endpoints talk.
    pub mode: Mode,
    /// How much of the trace.
    pub trace: TraceMode,
    /// Whether every message.
    pub capture: bool,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self { mode: Mode::Messages, trace: TraceMode::Hash, capture: false }
    }
}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// The first violation.
    pub violation: Option<Violation>,
    /// The hash of the trace.
    pub hash: u64,
    /// How many things happened.
    pub steps: u64,
    /// How much time passed in the world.
    pub simulated: Duration,
    /// The world at the end.
    pub world: World,
}

impl Plan {
    /// Carries the plan out.
    pub fn run(&self, options: RunOptions) -> Outcome {
        let mut world = self.build(options);
        for (at, fault) in self.faults.iter().flatten() {
            world.at(Instant::ORIGIN + *at, fault.clone());
        }
        world.run_for(self.chaos);
        if world.violation().is_none() {
            world.heal();
        }
        // Repairs that come after the end of the chaos still do; faults do not.
        let last = self.faults.iter().flatten().map(|(at, _)| *at).max().unwrap_or_default();
        world.run_for(last.saturating_sub(self.chaos));
        if world.violation().is_none() {
            world.heal();
            self.reconnect(&mut world);
        }
        world.run_for(self.time_to_rest());
        Verdict { world: &mut world, plan: self }.judge();
        let violation = world.violation().cloned();
        let simulated = world.now().since(Instant::ORIGIN);
        Outcome { violation, hash: world.trace().hash(), steps: world.steps(), simulated, world }
    }

    /// Where not every registrar is configured to know every other one, those that are dead may be
    /// all that the others know: they come back.
    fn reconnect(&self, world: &mut World) {
        let others = self.registrars.len() - 1;
        let sparse = self.registrars.iter().any(|r| r.knows.len() < others && !r.enrp_announce);
        for host in self.registrar_hosts().filter(|_| sparse) {
            world.apply(Fault::Start(host));
        }
    }

    fn build(&self, options: RunOptions) -> World {
        let mut world = World::new(WorldConfig {
            mode: options.mode,
            seed: self.seed,
            cable: self.cable,
            sctp: self.sctp,
            trace: options.trace,
            notes: false,
            capture: options.capture,
            judged: true,
        });
        for (n, registrar) in self.registrars.iter().enumerate() {
            let program = Program::Registrar(registrar.config());
            world.add_idle(format!("r{}", n + 1), program);
        }
        for (host, registrar) in self.registrar_hosts().zip(&self.registrars) {
            world.introduce(host, &registrar.knows);
            match registrar.start {
                Duration::ZERO => world.apply(Fault::Start(host)),
                start => world.at(Instant::ORIGIN + start, Fault::Start(host)),
            }
        }
        for (n, element) in self.elements.iter().enumerate() {
            let mut config = element.config();
            config.hunt.registrars = world.asap_addresses(&element.knows);
            let host = world.add_idle(format!("e{}", n + 1), Program::Element(config, element.service()));
            world.at(Instant::ORIGIN + element.start, Fault::Start(host));
        }
        for (n, user) in self.users.iter().enumerate() {
            let mut config = user.config();
            config.hunt.registrars = world.asap_addresses(&user.knows);
            let host = world.add_idle(format!("u{}", n + 1), Program::User(config, user.load()));
            world.at(Instant::ORIGIN + user.start, Fault::Start(host));
        }
        world
    }
}

/// Removes faults one at a time while the plan still fails.
pub fn shrink(plan: &Plan, fails: impl Fn(&Plan) -> bool) -> Plan {
    let mut plan = plan.clone();
    loop {
        let numbers = plan.fault_numbers();
        // The last ones first: what comes after the violation falls away at once.
        let smaller = numbers.iter().rev().find_map(|gone| {
            let rest: Vec<usize> = numbers.iter().copied().filter(|n| n != gone).collect();
            Some(plan.only(&rest)).filter(&fails)
        });
        match smaller {
            Some(smaller) => plan = smaller,
            None => return plan,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_faults_that_a_failure_needs_are_left() {
        let plan =
            (0..).map(Plan::draw).find(|plan| plan.faults.len() > 10).expect("a plan with many faults");
        let needs = [2, 7];
        let fails = |plan: &Plan| needs.iter().all(|fault| plan.fault_numbers().contains(fault));
        assert_eq!(shrink(&plan, fails).fault_numbers(), needs);
    }
}
