//! What must hold at every step of several registrars together (RFC 5353).

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{Instant, PoolHandle, RegistrarId};
use rserpool_core::registrar::RegistrarConfig;
use rserpool_core::wire::{EnrpBody, EnrpMessage, UpdateAction};

use crate::HostId;
use crate::app::Violation;
use crate::host::Program;
use crate::network::Sctp;
use crate::world::World;

/// What is remembered of registrars.
#[derive(Debug, Default)]
pub(crate) struct Takeovers {
    /// When the registrars ended that do not run any more.
    ended: BTreeMap<RegistrarId, Instant>,
    /// Who has taken over whom, and when.
    won: Vec<(RegistrarId, HostId, Instant)>,
    /// Who has given whom up, and whether it has heard a sign of life since.
    lost: BTreeMap<(HostId, RegistrarId), bool>,
    /// When elements got another home.
    pub(crate) moves: Vec<Instant>,
    /// Who has asked whom for its own elements, and when, although they could talk all the time.
    audits: Vec<(Instant, HostId, HostId)>,
}

impl Takeovers {
    pub(crate) fn started(&mut self, registrar: RegistrarId) {
        self.ended.remove(&registrar);
    }

    pub(crate) fn ended(&mut self, now: Instant, registrar: RegistrarId) {
        self.ended.insert(registrar, now);
    }

    /// A registrar gives a peer up.
    pub(crate) fn lost(&mut self, host: HostId, peer: RegistrarId) {
        self.lost.insert((host, peer), false);
    }

    /// A registrar is handed an ENRP message. Only ENRP_PRESENCE is a sign of life.
    pub(crate) fn heard(&mut self, host: HostId, bytes: &Bytes) {
        if let (Some(1), Some(sender)) = (bytes.first(), bytes.get(4..8).and_then(<[u8]>::first_chunk))
            && let Some(heard) = self.lost.get_mut(&(host, RegistrarId(u32::from_be_bytes(*sender))))
        {
            *heard = true;
        }
    }
}

/// See [`World::scope_settles_within`].
pub(crate) fn settles_within(sctp: &Sctp, config: &RegistrarConfig) -> Duration {
    let enrp = &config.enrp;
    let detection = enrp.max_time_last_heard + enrp.max_time_no_response;
    let joining = enrp.mentor_timeout + enrp.mentor_retry + enrp.heartbeat_cycle * 2;
    (sctp.heartbeat + sctp.max_silence) * 2
        + (detection + joining) * 2
        + enrp.max_time_no_response * 4
        + Duration::from_millis(500)
}

impl World {
    /// The registrars that run.
    pub(crate) fn running_registrars(&self) -> Vec<HostId> {
        self.hosts().filter(|(id, _)| self.registrar(*id).is_some()).map(|(id, _)| id).collect()
    }

    /// Since when all registrars that run could work and talk without hindrance, and none has died;
    /// `None` if they cannot.
    pub(crate) fn scope_calm_since(&self) -> Option<Instant> {
        self.scope_calm_but_for(RegistrarId::NONE)
    }

    /// The same, as if one registrar had not died.
    fn scope_calm_but_for(&self, dead: RegistrarId) -> Option<Instant> {
        let running = self.running_registrars();
        let ended = self.books.takeovers.ended.iter().filter(|(id, _)| **id != dead);
        let mut since = ended.map(|(_, at)| *at).max().unwrap_or_default();
        for (n, a) in running.iter().enumerate() {
            since = since.max(self.calm_since(*a, *a)?);
            for b in &running[n + 1..] {
                since = since.max(self.calm_since(*a, *b)?);
            }
        }
        Some(since)
    }

    /// How long registrars need after a disturbance until they know each other, have noticed who
    /// is dead and have taken over its elements.
    pub(crate) fn scope_settles_within(&self, config: &RegistrarConfig) -> Duration {
        settles_within(&self.sctp, config)
    }

    fn registrar_config(&self, host: HostId) -> Option<&RegistrarConfig> {
        match self.host(host).program() {
            Program::Registrar(config) => Some(config),
            Program::Element(..) | Program::User(..) | Program::Custom(_) => None,
        }
    }

    /// A registrar has taken another one over: only a dead one, and only once.
    pub(crate) fn check_takeover(&mut self, host: HostId, target: RegistrarId) {
        if self.books.takeovers.lost.remove(&(host, target)) == Some(true) {
            let detail = format!("{} took over {target}", self.host(host).name);
            return self.violated(Violation::new("a sign of life stops a takeover", detail));
        }
        let Some(config) = self.registrar_config(host) else { return };
        let (now, settled) = (self.now(), self.scope_settles_within(config));
        let name = |host: HostId| self.host(host).name.clone();
        let alive = self
            .hosts()
            .map(|(id, _)| id)
            .find(|id| *id != host && self.registrar(*id).is_some_and(|registrar| registrar.id() == target));
        let violation = match alive {
            Some(alive) => {
                let calm = self.calm_since(host, alive).filter(|since| now.since(*since) > settled);
                calm.map(|since| {
                    let detail = format!(
                        "{} took over {}, with whom it could talk since {since:?}",
                        name(host),
                        name(alive)
                    );
                    Violation::new("no registrar is taken over that lives and can be reached", detail)
                })
            }
            None => {
                let ended = self.books.takeovers.ended.get(&target).copied();
                let calm = self.scope_calm_but_for(target).zip(ended);
                let twice = self.books.takeovers.won.iter().find(|(id, winner, when)| {
                    *id == target
                        && *winner != host
                        && calm.is_some_and(|(calm, ended)| ended <= *when && calm + settled <= ended)
                });
                twice.map(|(_, winner, when)| {
                    let detail = format!(
                        "{} and, at {when:?}, {} have taken over {target}",
                        name(host),
                        name(*winner)
                    );
                    Violation::new("a takeover has one winner", detail)
                })
            }
        };
        self.books.takeovers.won.push((target, host, now));
        if let Some(violation) = violation {
            self.violated(violation);
        }
    }

    /// A registrar has said that it does not know a pool: then nobody of its scope does.
    pub(crate) fn check_unknown_pool(&mut self, host: HostId, pool: &PoolHandle) {
        let Some(config) = self.registrar_config(host) else { return };
        let settled = self.scope_settles_within(config) + self.patience_with_element(config);
        let now = self.now();
        let settled_by = |since: Instant| now.since(since) > settled;
        // Reports that a user was told to make may be wrong.
        if self.books.reports || !self.scope_calm_since().is_some_and(settled_by) {
            return;
        }
        let users: Vec<HostId> =
            self.hosts().map(|(id, _)| id).filter(|id| self.client(*id).is_some()).collect();
        let running = self.running_registrars();
        let elsewhere = running.iter().find_map(|other| self.registrar(*other)?.handlespace().pool(pool));
        let Some(elsewhere) = elsewhere.filter(|elements| !elements.is_empty()) else { return };
        let element = self.hosts().find(|(element, _)| {
            self.server(*element).is_some_and(|server| {
                let registered = server.element().is_registered() && !server.has_left();
                registered
                    && server.config().handle == *pool
                    && elsewhere.get(server.element().id()).is_some()
                    && running.iter().all(|r| self.calm_since(*r, *element).is_some_and(settled_by))
                    // Users that could not reach it have reported it.
                    && users.iter().all(|u| self.calm_since(*u, *element).is_some_and(settled_by))
            })
        });
        if let Some((_, element)) = element {
            let detail =
                format!("{} does not know {pool}, in which {} is", self.host(host).name, element.name);
            self.violated(Violation::new("users resolve what reachable registrars know", detail));
        }
    }

    /// A registrar resynchronises with another one because a checksum differs. Between two that could
    /// talk all the time that happens only while elements move, which nobody knows yet.
    fn note_audit(&mut self, host: HostId, peer: RegistrarId) {
        let Some(config) = self.registrar_config(host) else { return };
        let (now, settled) = (self.now(), self.scope_settles_within(config));
        let is_it = |id: &HostId| self.registrar(*id).is_some_and(|registrar| registrar.id() == peer);
        let Some(peer) = self.hosts().map(|(id, _)| id).find(is_it) else { return };
        if self.scope_calm_since().is_some_and(|since| now.since(since) > settled) {
            self.books.takeovers.audits.push((now, host, peer));
        }
    }

    /// Nobody has missed an update without a reason.
    pub(crate) fn judge_audits(&self) -> Result<(), Violation> {
        let crossing = self.network.link.longest() * 6 + Duration::from_millis(5);
        let Takeovers { moves, audits, .. } = &self.books.takeovers;
        let near = |at: Instant| moves.iter().any(|moved| at.since(*moved).max(moved.since(at)) <= crossing);
        match audits.iter().find(|(at, ..)| !near(*at)) {
            None => Ok(()),
            Some((at, asker, asked)) => {
                let (a, b) = (&self.host(*asker).name, &self.host(*asked).name);
                let detail = format!("{a} had another checksum than {b} at {at:?}");
                Err(Violation::new("registrars that can talk miss no update", detail))
            }
        }
    }

    /// A registrar speaks for itself and its own elements only, and in pages of the size that is set.
    pub(crate) fn check_enrp(&mut self, host: HostId, message: &EnrpMessage, bytes: &Bytes) {
        let Some((registrar, config)) = self.registrar(host).zip(self.registrar_config(host)) else { return };
        let id = registrar.id();
        if message.body == (EnrpBody::HandleTableRequest { own_only: true }) {
            return self.note_audit(host, message.receiver);
        }
        let problem = match &message.body {
            _ if message.sender != id => Some("a sender that is not its own"),
            EnrpBody::HandleUpdate { action: UpdateAction::DEL_PE, element, .. } if element.home != id => {
                Some("the removal of an element of somebody else")
            }
            EnrpBody::HandleUpdate { action: UpdateAction::ADD_PE, element, .. } if element.home != id => {
                Some("an element of somebody else as an update")
            }
            EnrpBody::HandleTableResponse { rejected: true, pools, .. } if !pools.is_empty() => {
                Some("a refusal with pools")
            }
            EnrpBody::ListResponse { rejected: true, servers } if !servers.is_empty() => {
                Some("a refusal with servers")
            }
            EnrpBody::HandleTableResponse { pools, .. }
                if bytes.len() > config.handle_table_octets
                    && pools.iter().map(|pool| pool.elements.len()).sum::<usize>() > 1 =>
            {
                Some("a page that is too long")
            }
            EnrpBody::Presence { checksum: None, .. } => Some("a presence without checksum"),
            EnrpBody::InitTakeover { target } | EnrpBody::TakeoverServer { target } if *target == id => {
                Some("that it takes itself over")
            }
            _ => None,
        };
        if let Some(problem) = problem {
            let detail = format!("{} sent {problem}: {message:?}", self.host(host).name);
            self.violated(Violation::new("ENRP messages say what they may", detail));
        }
    }
}
