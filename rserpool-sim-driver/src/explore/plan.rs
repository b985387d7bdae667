//! What a world goes through: a topology, timers, load, and faults in their order.

use std::collections::BTreeSet;
use std::time::Duration;

use rserpool_core::base::{ElementId, PoolHandle, RegistrarId};
use rserpool_core::element::ElementConfig;
use rserpool_core::registrar::{RegistrarConfig, TakeoverWinner};
use rserpool_core::user::{CallDelivery, UserConfig};
use rserpool_core::wire::{Policy, RegistrationLife};

use crate::applications::{Closing, Load, Occasional, Service};
use crate::fault::Fault;
use crate::id::{ELEMENT_PORT, HostId};
use crate::judges::settles_within;
use crate::network::{Cable, Sctp};

/// A preset from which an endpoint starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timers {
    /// Those for a LAN (`fast`).
    Fast,
    /// Those of the RFCs (`rfc`).
    Rfc,
}

impl Timers {
    /// The preset of a registrar.
    pub(super) fn registrar(self) -> RegistrarConfig {
        match self {
            Self::Fast => RegistrarConfig::fast(None, 0),
            Self::Rfc => RegistrarConfig::rfc(None, 0),
        }
    }

    /// The preset of an element of a pool.
    pub(super) fn element(self, pool: PoolHandle) -> ElementConfig {
        let mut config = match self {
            Self::Fast => ElementConfig::fast(pool, 0),
            Self::Rfc => ElementConfig::rfc(pool, 0),
        };
        config.port = ELEMENT_PORT;
        config
    }

    /// The preset of a user.
    pub(super) fn user(self) -> UserConfig {
        match self {
            Self::Fast => UserConfig::fast(0),
            Self::Rfc => UserConfig::rfc(0),
        }
    }
}

/// A registrar of a plan: what differs from the preset, named as in [`RegistrarConfig`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrarPlan {
    /// Its preset.
    pub timers: Timers,
    /// When it starts.
    pub start: Duration,
    /// The peers that it is configured to know.
    pub knows: Vec<HostId>,
    /// Its identifier; drawn at each start if `None`.
    pub id: Option<RegistrarId>,
    /// Whether it announces itself to elements and users.
    pub announce: bool,
    /// Whether it announces itself to other registrars (`enrp.announce`).
    pub enrp_announce: bool,
    /// Between two keep-alives to one element.
    pub keep_alive_interval: Duration,
    /// MAX-BAD-PE-REPORT.
    pub max_bad_pe_reports: u32,
    /// Whether keep-alives name their element.
    pub name_element_in_keep_alive: bool,
    /// Octets in one page of a handle table.
    pub handle_table_octets: usize,
    /// The most pools that it lists (`limits.pools`). Less than there are, and its copy of the handlespace
    /// differs from the others for good.
    pub max_pools: usize,
    /// PEER-HEARTBEAT-CYCLE.
    pub heartbeat_cycle: Duration,
    /// MAX-TIME-LAST-HEARD.
    pub max_time_last_heard: Duration,
    /// MAX-TIME-NO-RESPONSE.
    pub max_time_no_response: Duration,
    /// Which of two takeovers goes on.
    pub takeover_winner: TakeoverWinner,
    /// Whether it offers elements to peers that have fewer.
    pub balance: bool,
    /// Whether it says nothing of re-registrations that change nothing.
    pub suppress_unchanged: bool,
}

impl RegistrarPlan {
    /// A registrar that has the values of the preset, knows no peer and starts at once.
    pub fn preset(timers: Timers) -> Self {
        let config = timers.registrar();
        Self {
            timers,
            start: Duration::ZERO,
            knows: Vec::new(),
            id: config.id,
            announce: config.announce,
            enrp_announce: config.enrp.announce,
            keep_alive_interval: config.keep_alive_interval,
            max_bad_pe_reports: config.max_bad_pe_reports,
            name_element_in_keep_alive: config.name_element_in_keep_alive,
            handle_table_octets: config.handle_table_octets,
            max_pools: config.limits.pools,
            heartbeat_cycle: config.enrp.heartbeat_cycle,
            max_time_last_heard: config.enrp.max_time_last_heard,
            max_time_no_response: config.enrp.max_time_no_response,
            takeover_winner: config.enrp.takeover_winner,
            balance: config.enrp.balance,
            suppress_unchanged: config.enrp.suppress_unchanged,
        }
    }

    /// Its configuration, without the addresses of peers.
    pub fn config(&self) -> RegistrarConfig {
        let mut config = self.timers.registrar();
        config.id = self.id;
        config.announce = self.announce;
        config.keep_alive_interval = self.keep_alive_interval;
        config.max_bad_pe_reports = self.max_bad_pe_reports;
        config.name_element_in_keep_alive = self.name_element_in_keep_alive;
        config.handle_table_octets = self.handle_table_octets;
        config.limits.pools = self.max_pools;
        config.enrp.announce = self.enrp_announce;
        config.enrp.heartbeat_cycle = self.heartbeat_cycle;
        config.enrp.max_time_last_heard = self.max_time_last_heard;
        config.enrp.max_time_no_response = self.max_time_no_response;
        config.enrp.takeover_winner = self.takeover_winner;
        config.enrp.balance = self.balance;
        config.enrp.suppress_unchanged = self.suppress_unchanged;
        config
    }
}

/// An element of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElementPlan {
    /// Its preset.
    pub timers: Timers,
    /// When it starts.
    pub start: Duration,
    /// The registrars that it knows from the start.
    pub knows: Vec<HostId>,
    /// The handle of its pool.
    pub pool: String,
    /// Its identifier; drawn at its first start if `None`.
    pub id: Option<ElementId>,
    /// The policy and its values.
    pub policy: Policy,
    /// Registration life.
    pub life: RegistrationLife,
    /// T4-reregistration; derived from the life if `None`.
    pub reregistration: Option<Duration>,
    /// How long it takes to answer one request.
    pub service: Duration,
    /// Requests that take longer.
    pub slow: Option<Occasional<Duration>>,
    /// The most sessions that it takes at the same time, if not as many as the preset says.
    pub max_sessions: Option<usize>,
    /// When it closes sessions of its own accord.
    pub closes: Closing,
    /// Whether it leaves the state of sessions with its users.
    pub cookies: bool,
    /// Whether it remembers calls that are to be carried out at most once.
    pub remembers: bool,
}

impl ElementPlan {
    /// Its configuration, without the addresses of registrars.
    pub fn config(&self) -> ElementConfig {
        let mut config = self.timers.element(self.pool());
        config.id = self.id;
        config.policy = self.policy.clone();
        config.life = self.life;
        config.reregistration_interval = self.reregistration;
        config.max_sessions = self.max_sessions.unwrap_or(config.max_sessions);
        config
    }

    /// How it serves.
    pub fn service(&self) -> Service {
        Service {
            time: self.service,
            slow: self.slow,
            closes: self.closes,
            cookies: self.cookies,
            remembers: self.remembers,
            ..Service::default()
        }
    }

    /// The longest time that it takes for a request.
    pub fn longest_service(&self) -> Duration {
        self.service.max(self.slow.map(|slow| slow.value).unwrap_or_default())
    }

    /// Whether it may turn users away, or end their sessions, though it is well.
    pub fn turns_away(&self) -> bool {
        self.max_sessions.is_some() || self.closes != Closing::Never
    }

    /// The handle of its pool.
    pub fn pool(&self) -> PoolHandle {
        PoolHandle::from(self.pool.as_str())
    }
}

/// A user of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserPlan {
    /// Its preset.
    pub timers: Timers,
    /// When it starts.
    pub start: Duration,
    /// The registrars that it knows from the start.
    pub knows: Vec<HostId>,
    /// The handle of the pool that it uses.
    pub pool: String,
    /// Sessions at the same time.
    pub sessions: usize,
    /// Between two requests of a session.
    pub interval: Duration,
    /// What becomes of its requests if their element fails, if they are calls.
    pub calls: Option<CallDelivery>,
    /// Octets of a request.
    pub octets: usize,
    /// Requests that are larger.
    pub large: Option<Occasional<usize>>,
    /// One of so many requests is one on which elements close the session that do so
    /// ([`Closing::Poison`]).
    pub poison: Option<u32>,
    /// How long the application takes for each answer; others wait meanwhile.
    pub consuming: Duration,
    /// Between two questions for the pool, past the cache.
    pub resolve: Option<Duration>,
    /// For how long it uses an answer of a registrar, if not for as long as the preset says.
    pub cache_life: Option<Duration>,
    /// Whether it watches the pool.
    pub watch: bool,
}

impl UserPlan {
    /// Its configuration, without the addresses of registrars.
    pub fn config(&self) -> UserConfig {
        let mut config = self.timers.user();
        config.cache_life = self.cache_life.unwrap_or(config.cache_life);
        config
    }

    /// What it does.
    pub fn load(&self) -> Load {
        let &Self { sessions, interval, calls, octets, large, poison, consuming, resolve, watch, .. } = self;
        Load {
            sessions,
            interval,
            calls,
            octets,
            large,
            poison,
            consuming,
            resolve,
            watch,
            ..Load::light(self.pool())
        }
    }

    /// The handle of the pool that it uses.
    pub fn pool(&self) -> PoolHandle {
        PoolHandle::from(self.pool.as_str())
    }
}

/// Everything that happens in a world. Hosts are numbered: registrars, elements, users.
///
/// A plan is drawn from a seed ([`Plan::draw`]) or read from a text; `to_string` and `parse` convert it to
/// text and back, see [`plan_text`](super::plan_text).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The seed of the world: of what its processes and cables draw.
    pub seed: u64,
    /// The preset of the endpoints that name none.
    pub timers: Timers,
    /// The timers of SCTP.
    pub sctp: Sctp,
    /// The cables at first.
    pub cable: Cable,
    /// When everything is healed.
    pub chaos: Duration,
    /// The registrars; at least one.
    pub registrars: Vec<RegistrarPlan>,
    /// The elements.
    pub elements: Vec<ElementPlan>,
    /// The users.
    pub users: Vec<UserPlan>,
    /// The faults, each with its repair, numbered from 0.
    pub faults: Vec<Vec<(Duration, Fault)>>,
}

impl Plan {
    /// The plan with none but these faults.
    pub fn only(&self, faults: &[usize]) -> Self {
        let mut plan = self.clone();
        plan.faults.iter_mut().enumerate().filter(|(n, _)| !faults.contains(n)).for_each(|(_, f)| f.clear());
        plan
    }

    /// The numbers of the faults that are left.
    pub fn fault_numbers(&self) -> Vec<usize> {
        (0..self.faults.len()).filter(|n| !self.faults[*n].is_empty()).collect()
    }

    /// The hosts of the registrars.
    pub fn registrar_hosts(&self) -> impl Iterator<Item = HostId> + use<> {
        (0..self.registrars.len()).map(HostId)
    }

    /// The elements, with their hosts.
    pub fn element_hosts(&self) -> impl Iterator<Item = (HostId, &ElementPlan)> {
        let first = self.registrars.len();
        self.elements.iter().enumerate().map(move |(n, element)| (HostId(first + n), element))
    }

    /// The users, with their hosts.
    pub fn user_hosts(&self) -> impl Iterator<Item = (HostId, &UserPlan)> {
        let first = self.registrars.len() + self.elements.len();
        self.users.iter().enumerate().map(move |(n, user)| (HostId(first + n), user))
    }

    /// How many hosts there are.
    pub fn host_count(&self) -> usize {
        self.registrars.len() + self.elements.len() + self.users.len()
    }

    /// How long the user waits for an answer if all are well: its request and the answer may wait for others on
    /// the way, the server takes its time, and so does the application for the answers before.
    pub fn longest_wait(&self, user: &UserPlan) -> Duration {
        let pool = self.elements.iter().filter(|element| element.pool == user.pool);
        let served = pool.map(ElementPlan::longest_service).max().unwrap_or_default();
        let load = user.load();
        let octets = load.large.map(|large| large.value).unwrap_or_default().max(load.octets);
        let unanswered = (load.window * load.sessions) as u32;
        served + self.cable.occupied(octets) * 4 + load.consuming * unanswered
    }

    /// Whether the copy of a registrar lacks pools for good.
    pub fn lacks_pools(&self) -> bool {
        let pools: BTreeSet<&str> = self.elements.iter().map(|element| element.pool.as_str()).collect();
        self.registrars.iter().any(|registrar| registrar.max_pools < pools.len())
    }

    /// How long the world is given to come to rest: what the slowest chain of timers needs. Associations
    /// break, registrars drop the dead, elements hunt, register, are refused and try again; registrars come
    /// to agree.
    pub fn time_to_rest(&self) -> Duration {
        let silence = self.sctp.heartbeat + self.sctp.max_silence;
        let registrars: Vec<RegistrarConfig> = self.registrars.iter().map(RegistrarPlan::config).collect();
        let dropped =
            registrars.iter().map(|config| config.keep_alive_interval * 2 + config.keep_alive_timeout * 2);
        let agreed = registrars.iter().map(|config| match registrars.len() {
            1 => Duration::ZERO,
            _ => settles_within(&self.sctp, config),
        });
        let back = self.elements.iter().map(|element| {
            let config = element.config();
            let attempts = config.registration_timeout * (config.max_registration_attempts + 2);
            config.hunt.timeout_max * 2 + attempts + config.reregistration()
        });
        let served = self.users.iter().map(|user| {
            let (config, load) = (user.config(), user.load());
            let wait = self.longest_wait(user) * 2;
            config.hunt.timeout_max * 2 + config.exclusion + config.retry_interval * 32 + load.reopen + wait
        });
        let longest = |times: &mut dyn Iterator<Item = Duration>| times.max().unwrap_or_default();
        silence * 2
            + longest(&mut dropped.into_iter())
            + longest(&mut agreed.into_iter())
            + longest(&mut back.into_iter())
            + longest(&mut served.into_iter())
            + Duration::from_secs(3)
    }
}
