//! What a seed stands for: a topology, timers, load, and faults in their order.

use std::time::Duration;

use rserpool_core::element::ElementConfig;
use rserpool_core::registrar::RegistrarConfig;
use rserpool_core::user::UserConfig;

use crate::applications::{Load, Service};
use crate::fault::Fault;
use crate::id::HostId;
use crate::judges::settles_within;
use crate::network::{Cable, Sctp};

/// A registrar of a plan.
#[derive(Clone, Debug)]
pub struct RegistrarPlan {
    /// Its configuration; the addresses of peers are filled in.
    pub config: RegistrarConfig,
    /// The peers that it is configured to know.
    pub knows: Vec<HostId>,
    /// When it starts.
    pub start: Duration,
}

/// An element of a plan.
#[derive(Clone, Debug)]
pub struct ElementPlan {
    /// Its configuration; the addresses of registrars are filled in.
    pub config: ElementConfig,
    /// How it serves.
    pub service: Service,
    /// The registrars that it knows from the start.
    pub knows: Vec<HostId>,
    /// When it starts.
    pub start: Duration,
}

/// A user of a plan.
#[derive(Clone, Debug)]
pub struct UserPlan {
    /// Its configuration; the addresses of registrars are filled in.
    pub config: UserConfig,
    /// What it does.
    pub load: Load,
    /// The registrars that it knows from the start.
    pub knows: Vec<HostId>,
    /// When it starts.
    pub start: Duration,
}

/// Everything that a seed stands for. Hosts are numbered: registrars, elements, users.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// The registrars.
    pub registrars: Vec<RegistrarPlan>,
    /// The elements.
    pub elements: Vec<ElementPlan>,
    /// The users.
    pub users: Vec<UserPlan>,
    /// The cables at first.
    pub cable: Cable,
    /// The timers of SCTP.
    pub sctp: Sctp,
    /// The faults, each with its repair, numbered from 0.
    pub faults: Vec<Vec<(Duration, Fault)>>,
    /// When everything is healed.
    pub chaos: Duration,
    /// How long the world is given to come to rest.
    pub rest: Duration,
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

    /// Registrars.
    pub fn registrar_hosts(&self) -> impl Iterator<Item = HostId> + use<> {
        (0..self.registrars.len()).map(HostId)
    }

    /// Elements, with their hosts.
    pub fn element_hosts(&self) -> impl Iterator<Item = (HostId, &ElementPlan)> {
        let first = self.registrars.len();
        self.elements.iter().enumerate().map(move |(n, element)| (HostId(first + n), element))
    }

    /// Users, with their hosts.
    pub fn user_hosts(&self) -> impl Iterator<Item = (HostId, &UserPlan)> {
        let first = self.registrars.len() + self.elements.len();
        self.users.iter().enumerate().map(move |(n, user)| (HostId(first + n), user))
    }

    /// What the slowest chain of timers needs: associations break, registrars drop the dead,
    /// elements hunt, register, are refused and try again; registrars come to agree.
    pub(super) fn time_to_rest(&self) -> Duration {
        let silence = self.sctp.heartbeat + self.sctp.max_silence;
        let dropped = self.registrars.iter().map(|registrar| {
            registrar.config.keep_alive_interval * 2 + registrar.config.keep_alive_timeout * 2
        });
        let back = self.elements.iter().map(|element| {
            let config = &element.config;
            let attempts = config.registration_timeout * (config.max_registration_attempts + 2);
            config.hunt.timeout_max * 2 + attempts + config.reregistration()
        });
        let agreed = self.registrars.iter().map(|registrar| match self.registrars.len() {
            1 => Duration::ZERO,
            _ => settles_within(&self.sctp, &registrar.config),
        });
        let served = self.users.iter().map(|user| {
            let config = &user.config;
            config.hunt.timeout_max * 2 + config.exclusion + config.response_timeout * 4 + user.load.reopen
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
