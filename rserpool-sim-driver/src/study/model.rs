//! A run: the world of a scenario, from its start to its end, and what was measured.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rserpool_core::base::{ASAP_PORT, ElementId, Instant, PoolHandle, ProtocolId};
use rserpool_core::element::ElementConfig;
use rserpool_core::policy::distance;
use rserpool_core::registrar::RegistrarConfig;
use rserpool_core::user::UserConfig;
use rserpool_core::wire::{AsapType, EnrpType, RegistrationLife};
use rserpool_services::calc_app::{CalcApp, CalcAppConfig, POOL};

use super::attacker::Attacker;
use super::calculating::{Calculating, Habits, SharedTally, Tally};
use super::draws::{capacities, outages};
use super::measures::Measures;
use super::scenario::{Failure, Scenario};
use crate::fault::Fault;
use crate::hosts::{Custom, Mode, Program};
use crate::id::{ELEMENT_PORT, HostId};
use crate::network::{Cable, Sctp};
use crate::record::TraceMode;
use crate::services::{ApplicationUser, ServiceElement};
use crate::world::{World, WorldConfig};

/// Associations outlast every failure of the paper: keep-alives alone find out. What was sent in vain is sent again
/// every 5 s.
const SCTP: Sctp = Sctp {
    heartbeat: Duration::from_secs(30),
    max_silence: Duration::from_secs(86_400),
    rto_initial: Duration::from_secs(1),
    rto_max: Duration::from_secs(5),
};

/// The shortest time that cached elements may be used: less counts as never.
const NEVER: Duration = Duration::from_nanos(1);

/// For ever, to a timer that must not be in the way.
const FOR_EVER: Duration = Duration::from_secs(31_536_000);

/// The steps in which elements tell their distance.
const DISTANCE_STEP: Duration = Duration::from_millis(50);

/// A run of a scenario.
#[derive(Debug)]
pub struct Run {
    world: World,
    scenario: Scenario,
    tally: SharedTally,
    registrars: Vec<HostId>,
}

impl Run {
    /// The world of a scenario at its start. `judged`: judges look at every step.
    pub fn new(scenario: &Scenario, seed: u64, judged: bool) -> Self {
        let scenario = scenario.clone();
        let world = World::new(WorldConfig {
            mode: Mode::Messages,
            seed,
            cable: cable(&scenario),
            sctp: SCTP,
            trace: TraceMode::Hash,
            notes: false,
            capture: false,
            judged,
        });
        let tally = Arc::new(Mutex::new(Tally::default()));
        let mut run = Self { world, scenario, tally, registrars: Vec::new() };
        run.world.set_between_sites(seconds(run.scenario.wan_delay_ms / 1000.0));
        run.add_registrars(seed);
        run.add_elements(seed);
        run.add_users(seed);
        run.add_attackers();
        run
    }

    /// The world.
    pub const fn world(&self) -> &World {
        &self.world
    }

    /// Lets the time of the scenario pass.
    pub fn pass(&mut self) {
        self.world.run_for(seconds(self.scenario.duration_s));
    }

    /// Lets the time of the scenario pass, and returns what was measured.
    pub fn finish(mut self) -> Measures {
        self.pass();
        self.measures()
    }

    /// What was measured so far.
    pub fn measures(&self) -> Measures {
        let tally = self.tally.lock().map(|tally| tally.clone()).unwrap_or_default();
        let traffic = self.world.traffic();
        let [cookies, echoes] =
            [AsapType::COOKIE, AsapType::COOKIE_ECHO].map(|kind| traffic.asap(kind).messages);
        let registrars = || self.registrars.iter().filter_map(|host| self.world.registrar(*host));
        let counters = |of: fn(&rserpool_core::registrar::Counters) -> u64| {
            registrars().map(|registrar| of(&registrar.figures().counters)).sum::<u64>() as f64
        };
        let mean =
            |sum: Duration, count: u64| if count == 0 { 0.0 } else { sum.as_secs_f64() / count as f64 };
        let own = |registrar: &rserpool_core::registrar::Registrar| registrar.figures().sizes.own_elements;
        Measures {
            completed: tally.completed as f64,
            handling_s: mean(tally.handling, tally.completed),
            rejected: tally.rejected as f64,
            failovers: tally.failovers as f64,
            failover_s: mean(tally.failing_over, tally.failovers),
            empty_pool: tally.empty as f64,
            asap_packets: (traffic.of(ProtocolId::ASAP).messages - cookies - echoes) as f64,
            cookies: cookies as f64,
            enrp_packets: traffic.of(ProtocolId::ENRP).messages as f64,
            resolutions: traffic.asap(AsapType::HANDLE_RESOLUTION).messages as f64,
            registrations: traffic.asap(AsapType::REGISTRATION).messages as f64,
            reports: traffic.asap(AsapType::ENDPOINT_UNREACHABLE).messages as f64,
            removals: counters(|counters| counters.removed_silent + counters.removed_reported),
            takeover_messages: traffic.enrp(EnrpType::TAKEOVER_SERVER).messages as f64,
            largest_share: largest_share(&registrars().map(own).collect::<Vec<_>>()),
            events: self.world.steps() as f64,
        }
    }

    fn add_registrars(&mut self, seed: u64) {
        let scenario = &self.scenario;
        let hosts: Vec<HostId> = (0..scenario.registrars)
            .map(|n| self.world.add_idle(format!("r{n}"), Program::Registrar(registrar(scenario))))
            .collect();
        for host in &hosts {
            let others: Vec<HostId> = hosts.iter().copied().filter(|other| other != host).collect();
            self.world.introduce(*host, &others);
        }
        hosts.iter().for_each(|host| self.world.apply(Fault::Start(*host)));
        self.registrars = hosts;
        if self.scenario.registrar_uptime_s > 0.0 {
            let (up, down) = (self.scenario.registrar_uptime_s, self.scenario.registrar_downtime_s);
            for host in self.registrars.clone() {
                self.fail(seed, host, (up, down), Fault::Kill, &|host| vec![Fault::Start(host)]);
            }
        }
    }

    fn add_elements(&mut self, seed: u64) {
        let capacities = capacities(&self.scenario, seed);
        for (n, capacity) in capacities.into_iter().enumerate() {
            let site = n % self.scenario.sites as usize;
            let mut config = self.element(capacity, site);
            config.hunt.registrars = self.world.asap_addresses(&self.known(n));
            // A killed process draws another identifier, unless it keeps the one that it has.
            if self.scenario.failure != Failure::Crash {
                config.id = Some(ElementId(stable_id(seed, n)));
            }
            let service = self.service(capacity);
            let program = ServiceElement::program(config, move |_| CalcApp::new(service));
            let host = self.world.add_idle(format!("e{n}"), Program::Custom(program));
            if site != 0 {
                self.world.set_site(host, site as u32);
            }
            self.world.apply(Fault::Start(host));
            if let Some(uptime) = self.scenario.uptime_s() {
                let means = (uptime, self.scenario.downtime_s);
                match self.scenario.failure {
                    Failure::Unreachable => {
                        self.fail(seed, host, means, Fault::Unplug, &|host| vec![Fault::Plug(host)]);
                    }
                    Failure::Crash => {
                        self.fail(seed, host, means, Fault::Kill, &|host| vec![Fault::Start(host)]);
                    }
                    Failure::Move => {
                        let back = |host| vec![Fault::Move(host), Fault::Start(host)];
                        self.fail(seed, host, means, Fault::Kill, &back);
                    }
                }
            }
        }
    }

    /// Schedules the failures of a host, and what ends them.
    fn fail(
        &mut self,
        seed: u64,
        host: HostId,
        (uptime_s, downtime_s): (f64, f64),
        begin: fn(HostId) -> Fault,
        end: &dyn Fn(HostId) -> Vec<Fault>,
    ) {
        let until = seconds(self.scenario.duration_s);
        for (from, to) in outages(seed, host, until, uptime_s, downtime_s) {
            self.world.at(Instant::ORIGIN + from, begin(host));
            for fault in end(host) {
                self.world.at(Instant::ORIGIN + to, fault);
            }
        }
    }

    fn add_users(&mut self, seed: u64) {
        let habits = Arc::new(Habits::of(&self.scenario, PoolHandle::from(POOL)));
        for n in 0..self.scenario.users as usize {
            let mut config = self.user();
            config.hunt.registrars = self.world.asap_addresses(&self.known(n));
            // The number that the host will get.
            let host = HostId((self.scenario.registrars + self.scenario.elements) as usize + n);
            let (habits, tally) = (habits.clone(), self.tally.clone());
            let program = ApplicationUser::program(config, move |_| {
                Calculating::new(habits.clone(), tally.clone(), seed, host)
            });
            let added = self.world.add(format!("u{n}"), Program::Custom(program));
            debug_assert_eq!(added, host, "hosts are numbered in turn");
        }
    }

    fn add_attackers(&mut self) {
        let scenario = &self.scenario;
        for n in 0..scenario.attackers as usize {
            let registrar = self.world.address(self.registrars[n % self.registrars.len()], ASAP_PORT);
            let (attack, interval) = (scenario.attack, seconds(scenario.attack_interval_s));
            let policy = scenario.policy.of_element(1.0, 0, scenario.delay_penalty, 0.0);
            let program = Custom::new(&[], move |startup| {
                Attacker::new(startup, registrar.clone(), attack, interval, policy.clone())
            });
            self.world.add(format!("x{n}"), Program::Custom(program));
        }
    }

    /// All registrars, in the order in which the host with this number prefers them.
    fn known(&self, n: usize) -> Vec<HostId> {
        let mut known = self.registrars.clone();
        let len = known.len();
        known.rotate_left(n % len);
        known
    }

    fn element(&self, capacity: f64, site: usize) -> ElementConfig {
        let scenario = &self.scenario;
        let delay = if site == 0 { scenario.delay_ms } else { scenario.wan_delay_ms };
        let distance = distance(seconds(delay / 1000.0), DISTANCE_STEP);
        let step = 1.0 / f64::from(scenario.max_jobs);
        let relative = capacity / scenario.capacity;
        let mut config = ElementConfig::rfc(PoolHandle::from(POOL), 0);
        config.port = ELEMENT_PORT;
        config.policy = scenario.policy.of_element(relative, distance, scenario.delay_penalty, step);
        config.life = RegistrationLife(scenario.registration_life() as i32);
        config.reregistration_interval = Some(seconds(scenario.reregistration_s));
        config.registration_timeout = seconds(scenario.answer_timeout_s);
        config.max_registration_attempts = u32::MAX;
        // A load is told at once.
        config.load_interval = NEVER;
        config.hunt.timeout = seconds(scenario.answer_timeout_s);
        config.hunt.timeout_max = seconds(scenario.answer_timeout_s);
        config
    }

    fn service(&self, capacity: f64) -> CalcAppConfig {
        let scenario = &self.scenario;
        let mut config = CalcAppConfig::default();
        config.capacity = capacity;
        config.max_jobs = scenario.max_jobs as usize;
        config.keep_alive_interval = seconds(scenario.session_keep_alive_interval_s);
        config.keep_alive_timeout = seconds(scenario.session_keep_alive_timeout_s);
        config.cookie_calculations = scenario.cookie_interval as u64;
        config.cookie_time = FOR_EVER;
        config
    }

    fn user(&self) -> UserConfig {
        let scenario = &self.scenario;
        let mut config = UserConfig::rfc(0);
        config.request_timeout = seconds(scenario.answer_timeout_s);
        config.cache_life = seconds(scenario.cache_s).max(NEVER);
        config.exclusion = seconds(scenario.exclusion_s);
        // One element after the other, as in the paper.
        config.connect_timeout = seconds(scenario.request_timeout_s);
        config.connect_stagger = FOR_EVER;
        config.open_timeout = FOR_EVER;
        config.failover_deadline = FOR_EVER;
        config.retry_interval = seconds(scenario.failover_pause_s);
        config.hunt.timeout = seconds(scenario.answer_timeout_s);
        config.hunt.timeout_max = seconds(scenario.answer_timeout_s);
        config
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn cable(scenario: &Scenario) -> Cable {
    Cable {
        delay: seconds(scenario.delay_ms / 1000.0),
        jitter: seconds(scenario.jitter_ms / 1000.0),
        loss: (scenario.loss * 1e6) as u32,
        ..Cable::LAN
    }
}

fn registrar(scenario: &Scenario) -> RegistrarConfig {
    let mut config = RegistrarConfig::rfc(None, 0);
    config.keep_alive_interval = seconds(scenario.keep_alive_interval_s);
    config.keep_alive_timeout = seconds(scenario.keep_alive_timeout_s);
    config.max_bad_pe_reports = scenario.max_bad_reports;
    config.prompt_interval = seconds(scenario.prompt_interval_s);
    config.resolution_items = scenario.max_elements;
    config.enrp.balance = scenario.takeover_suggestion;
    config.enrp.heartbeat_cycle = seconds(scenario.heartbeat_s);
    config.enrp.max_time_last_heard = seconds(scenario.heartbeat_s * 2.0 + 1.0);
    config
}

/// An identifier that an element keeps.
fn stable_id(seed: u64, n: usize) -> u32 {
    (crate::random::mix(seed ^ crate::random::mix(n as u64 + 1)) as u32).max(1)
}

/// The largest number of elements that one registrar is the home of, as a multiple of the mean.
fn largest_share(own: &[u64]) -> f64 {
    let sum: u64 = own.iter().sum();
    let most = own.iter().max().copied().unwrap_or_default();
    if sum == 0 { 0.0 } else { most as f64 * own.len() as f64 / sum as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::{CapacityDraw, PoolPolicy};

    fn run(change: impl FnOnce(&mut Scenario)) -> Measures {
        let mut scenario =
            Scenario { capacity_draw: CapacityDraw::Stratified, duration_s: 300.0, ..Scenario::default() };
        change(&mut scenario);
        scenario.check().expect("the scenario is possible");
        Run::new(&scenario, 1, true).finish()
    }

    #[test]
    fn a_run_twice_is_the_same_and_no_judge_complains() {
        let scenario = Scenario { availability: 0.5, duration_s: 200.0, ..Scenario::default() };
        let traces = [false, true].map(|judged| {
            let mut run = Run::new(&scenario, 3, judged);
            run.world.run_for(seconds(scenario.duration_s));
            assert_eq!(run.world.violation(), None);
            (run.world.trace().hash(), run.measures())
        });
        assert_eq!(traces[0], traces[1]);
    }

    /// Nothing is lost on the way: each request is asked for, accepted and completed, and its cookies travel.
    #[test]
    fn requests_are_completed_and_leave_cookies() {
        let measures = run(|_| {});
        assert!((270.0..350.0).contains(&measures.completed), "{measures:?}");
        assert_eq!(
            (measures.failovers, measures.rejected, measures.removals),
            (0.0, 0.0, 0.0),
            "{measures:?}"
        );
        assert!(
            measures.resolutions >= measures.completed && measures.cookies > measures.completed,
            "{measures:?}"
        );
    }

    #[test]
    fn a_cache_saves_resolutions() {
        let measures = run(|scenario| scenario.cache_s = 30.0);
        assert!(measures.resolutions < 0.6 * measures.completed, "{measures:?}");
    }

    #[test]
    fn elements_fail_in_three_ways() {
        for failure in [Failure::Unreachable, Failure::Crash, Failure::Move] {
            let measures = run(|scenario| (scenario.availability, scenario.failure) = (0.5, failure));
            assert!((100.0..300.0).contains(&measures.completed), "{failure:?}: {measures:?}");
            assert!(measures.failovers > 10.0 && measures.removals > 5.0, "{failure:?}: {measures:?}");
        }
    }

    #[test]
    fn registrars_are_taken_over() {
        let measures = run(|scenario| {
            (scenario.registrars, scenario.elements) = (3, 12);
            (scenario.registrar_uptime_s, scenario.heartbeat_s) = (60.0, 2.0);
        });
        assert!(measures.takeover_messages > 0.0 && measures.enrp_packets > 0.0, "{measures:?}");
        assert!(measures.completed > 200.0, "{measures:?}");
    }

    #[test]
    fn distance_counts_over_a_wide_area() {
        let far = |policy| {
            run(|scenario| {
                (scenario.policy, scenario.sites, scenario.users) = (policy, 3, 6);
                scenario.request_size = 1e6;
            })
        };
        let (blind, nearer) = (far(PoolPolicy::LeastUsed), far(PoolPolicy::LeastUsedDpf));
        assert!(nearer.handling_s < blind.handling_s, "{nearer:?} {blind:?}");
    }

    #[test]
    fn false_reports_remove_nobody() {
        let measures = run(|scenario| (scenario.attackers, scenario.attack_interval_s) = (1, 0.1));
        assert!(measures.reports > 1_000.0, "{measures:?}");
        assert_eq!(measures.removals, 0.0, "{measures:?}");
        // Without the limit each report makes the registrar ask, and still none removes an element that lives.
        let unlimited = run(|scenario| {
            (scenario.attackers, scenario.attack_interval_s, scenario.prompt_interval_s) = (1, 0.1, 0.0);
        });
        assert!(unlimited.asap_packets > measures.asap_packets + 1_000.0, "{unlimited:?} {measures:?}");
        assert_eq!(unlimited.removals, 0.0, "{unlimited:?}");
    }

    /// Some of the paper's claims, with few runs: what Least Used gains, what the others save, and that cookies change
    /// nothing as long as nothing fails. `rserpool-sim paper` judges all of them.
    #[test]
    fn least_used_completes_more_and_says_more() {
        let runs = |change: &dyn Fn(&mut Scenario)| {
            let runs = [1, 2].map(|seed| {
                let mut scenario =
                    Scenario { capacity_draw: CapacityDraw::Stratified, ..Scenario::default() };
                scenario.duration_s = 600.0;
                change(&mut scenario);
                Run::new(&scenario, seed, false).finish()
            });
            let sum = |of: fn(&Measures) -> f64| runs.iter().map(of).sum::<f64>();
            (sum(|run| run.completed), sum(|run| run.asap_packets))
        };
        let (least_used, round_robin) =
            (runs(&|_| {}), runs(&|scenario| scenario.policy = PoolPolicy::RoundRobin));
        let gap = 1.0 - round_robin.0 / least_used.0;
        assert!((0.35..0.52).contains(&gap), "{gap}");
        let saved = 1.0 - round_robin.1 / least_used.1;
        assert!((0.20..0.31).contains(&saved), "{saved}");
        assert_eq!(runs(&|scenario| scenario.cookie_interval = 1e9), least_used);
    }
}
