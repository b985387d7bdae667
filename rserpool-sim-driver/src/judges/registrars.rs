//! What must hold at every step of several registrars together (RFC 5353).

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, ENRP_PORT, Instant, PoolHandle, RegistrarId};
use rserpool_core::handlespace::PeHandle;
use rserpool_core::registrar::{PeerState, Registrar, RegistrarConfig};
use rserpool_core::wire::{EnrpBody, EnrpMessage, PoolEntry, UpdateAction};

use crate::applications::Violation;
use crate::hosts::{Process, Program};
use crate::id::HostId;
use crate::judges::history::{Arbitration, Table, Takeovers};
use crate::network::Sctp;
use crate::world::{Mode, World};

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
        let ended = self.history.takeovers.ended.iter().filter(|(id, _)| **id != dead);
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

    /// Whether all registrars that run have had that time, and that in which an element is missed.
    pub(crate) fn scope_has_settled(&self, config: &RegistrarConfig) -> bool {
        let settled = self.scope_settles_within(config) + self.patience_with_element(config);
        self.scope_calm_since().is_some_and(|since| self.now().since(since) > settled)
    }

    fn registrar_config(&self, host: HostId) -> Option<&RegistrarConfig> {
        match self.host(host).program() {
            Program::Registrar(config) => Some(config),
            Program::Element(..) | Program::User(..) | Program::Custom(_) => None,
        }
    }

    /// A registrar has taken another one over: only a dead one, and only once.
    pub(crate) fn check_takeover(&mut self, host: HostId, target: RegistrarId) {
        let alive = self
            .hosts()
            .map(|(id, _)| id)
            .find(|id| *id != host && self.registrar(*id).is_some_and(|registrar| registrar.id() == target));
        let arbitration = self.history.takeovers.lost.remove(&(host, target));
        // Who comes back elsewhere may have taken the name of the peer: it is let in after that one's end.
        let elsewhere = alive.is_some_and(|alive| self.history.moved.contains(&alive));
        if !elsewhere && arbitration.as_ref().is_some_and(|arbitration| arbitration.alive) {
            let detail = format!("{} took over {target}", self.host(host).name);
            return self.violated(Violation::new("a sign of life stops a takeover", detail));
        }
        if let Some(passed) = arbitration.and_then(|arbitration| self.passed_over(host, &arbitration)) {
            let (a, b) = (&self.host(host).name, &self.host(passed).name);
            let detail = format!("{a} took over {target} before {b} had agreed");
            return self.violated(Violation::new("all have a say in a takeover", detail));
        }
        let Some(config) = self.registrar_config(host) else { return };
        let (now, settled) = (self.now(), self.scope_settles_within(config));
        let name = |host: HostId| self.host(host).name.clone();
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
                let ended = self.history.takeovers.ended.get(&target).copied();
                let calm = self.scope_calm_but_for(target).zip(ended);
                let twice = self.history.takeovers.won.iter().find(|(id, winner, when)| {
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
        self.history.takeovers.won.push((target, host, now));
        if let Some(violation) = violation {
            self.violated(violation);
        }
    }

    /// A registrar that could have agreed to a takeover, and was not waited for.
    fn passed_over(&self, host: HostId, arbitration: &Arbitration) -> Option<HostId> {
        let (registrar, config) = self.registrar(host).zip(self.registrar_config(host))?;
        let (now, settled) = (self.now(), self.scope_settles_within(config));
        // Silence is consent.
        if now.since(arbitration.begun) >= config.enrp.max_time_no_response * 2 {
            return None;
        }
        // Whoever was met since was not asked.
        let known = |id| {
            let met = self.history.takeovers.met.get(&(host, id));
            met.is_some_and(|met| *met < arbitration.begun)
                && registrar.peers().iter().any(|p| p.id == id && p.connected && p.state == PeerState::Active)
        };
        self.running_registrars().into_iter().find(|other| {
            let Some(id) = self.registrar(*other).map(Registrar::id) else { return false };
            let calm = self.calm_since(host, *other).is_some_and(|since| now.since(since) > settled);
            *other != host && calm && known(id) && !arbitration.acknowledged.contains(&id)
        })
    }

    /// A registrar has said that it does not know a pool: then nobody of its scope does.
    pub(crate) fn check_unknown_pool(&mut self, host: HostId, pool: &PoolHandle) {
        let Some(config) = self.registrar_config(host) else { return };
        let settled = self.scope_settles_within(config) + self.patience_with_element(config);
        let now = self.now();
        let settled_by = |since: Instant| now.since(since) > settled;
        if self.has_false_reports() || !self.scope_has_settled(config) {
            return;
        }
        let users: Vec<HostId> =
            self.hosts().map(|(id, _)| id).filter(|id| self.client(*id).is_some()).collect();
        let running = self.running_registrars();
        let mut scope = self.scope_of(host).into_iter();
        let elsewhere = scope.find_map(|other| self.registrar(other)?.handlespace().pool(pool));
        let Some(elsewhere) = elsewhere.filter(|elements| !elements.is_empty()) else { return };
        let element = self.hosts().find(|(element, _)| {
            self.server(*element).is_some_and(|server| {
                let registered = server.element().is_registered() && !server.has_left();
                let pe = PeHandle { pool: pool.clone(), element: server.element().id() };
                registered
                    // Two with one identifier expel each other.
                    && self.hosts_of(&pe).len() == 1
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

    /// The registrars that run and that this one can hear of. Who is configured to know only a dead one
    /// and was never met by anybody is in a scope of its own until that one comes back.
    fn scope_of(&self, host: HostId) -> BTreeSet<HostId> {
        let running = self.running_registrars();
        let mut scope = BTreeSet::from([host]);
        let mut fresh = vec![host];
        while let Some(one) = fresh.pop() {
            for other in &running {
                if (self.knows(one, *other) || self.knows(*other, one)) && scope.insert(*other) {
                    fresh.push(*other);
                }
            }
        }
        scope
    }

    /// Whether a registrar is configured to know another one, hears its announcements or has met it.
    fn knows(&self, one: HostId, other: HostId) -> bool {
        let configs = self.registrar_config(one).zip(self.registrar_config(other));
        let Some((config, others)) = configs else { return false };
        let Some(id) = self.registrar(other).map(Registrar::id) else { return false };
        let place = self.address(other, ENRP_PORT);
        config.enrp.peers.iter().any(|peer| peer.is_same_endpoint(&place))
            || config.enrp.announce && others.enrp.announce
            || self.history.takeovers.met.contains_key(&(one, id))
    }

    /// A registrar resynchronises with another one because a checksum differs. Between two that could
    /// talk all the time that happens only while elements move, which nobody knows yet.
    fn note_audit(&mut self, host: HostId, peer: RegistrarId) {
        let Some(config) = self.registrar_config(host) else { return };
        let (now, settled) = (self.now(), self.scope_settles_within(config));
        let is_it = |id: &HostId| self.registrar(*id).is_some_and(|registrar| registrar.id() == peer);
        let Some(peer) = self.hosts().map(|(id, _)| id).find(is_it) else { return };
        if self.scope_calm_since().is_some_and(|since| now.since(since) > settled) {
            self.history.takeovers.audits.push((now, host, peer));
        }
    }

    /// Nobody has missed an update without a reason.
    pub(crate) fn judge_audits(&self) -> Result<(), Violation> {
        let crossing = self.network.cable.longest() * 6 + Duration::from_millis(5);
        let Takeovers { moves, audits, .. } = &self.history.takeovers;
        let near = |at: Instant| moves.iter().any(|moved| at.since(*moved).max(moved.since(at)) <= crossing);
        let late = |(at, asker, asked): &(Instant, HostId, HostId)| {
            !near(*at) && !self.contended_before_heartbeat(*at, *asker, *asked, crossing)
        };
        match audits.iter().find(|audit| late(audit)) {
            None => Ok(()),
            Some((at, asker, asked)) => {
                let (a, b) = (&self.host(*asker).name, &self.host(*asked).name);
                let detail = format!("{a} had another checksum than {b} at {at:?}");
                Err(Violation::new("registrars that can talk miss no update", detail))
            }
        }
    }

    /// Two homes have claimed an element, and a third registrar may have heard last the one that yields:
    /// it finds out by the next heartbeat of either.
    fn contended_before_heartbeat(
        &self,
        at: Instant,
        asker: HostId,
        asked: HostId,
        crossing: Duration,
    ) -> bool {
        let Some(config) = self.registrar_config(asked) else { return false };
        let late = crossing + config.enrp.heartbeat_cycle;
        let is = |host: HostId, id| self.registrar(host).is_some_and(|registrar| registrar.id() == id);
        let party = |host: HostId, from: HostId, to| host == from || is(host, to);
        let mut yields = self.history.takeovers.yields.iter();
        yields.any(|(moved, from, to)| {
            let third = party(asked, *from, *to) && !party(asker, *from, *to);
            third && *moved <= at && at.since(*moved) <= late
        })
    }

    /// A registrar speaks for itself and its own elements only, and in pages of the size that is set.
    pub(crate) fn check_enrp(
        &mut self,
        host: HostId,
        over: AssociationId,
        message: &EnrpMessage,
        bytes: &Bytes,
    ) {
        if let EnrpBody::HandleTableResponse { rejected: false, more, pools } = &message.body {
            self.check_page(host, over, *more, pools);
        }
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

    /// A table lists, from its first page to its last, every element of its sender that was there all
    /// the time. (A packet may bring a request for a page and more: what a whole node has sent is judged when
    /// all of it has been handled, and the table may be another one then.)
    fn check_page(&mut self, host: HostId, over: AssociationId, more: bool, pools: &[PoolEntry]) {
        if self.mode == Mode::Packets {
            return;
        }
        let Some(config) = self.registrar_config(host) else { return };
        let patience = config.enrp.max_time_no_response;
        let Some(Process::Registrar(registrar)) = self.hosts[host.0].process() else { return };
        let (id, space) = (registrar.id(), registrar.handlespace());
        let now = self.clock;
        let first = || {
            let own = space.elements_after(None).filter(|(_, element)| element.home == id);
            let own = own.map(|(pool, element)| PeHandle { pool: pool.clone(), element: element.id });
            Table { missing: own.collect(), paged: now }
        };
        let table = self.history.tables.entry((host, over)).or_insert_with(first);
        // Asked for the next page late, it begins anew, or just did not: either is right.
        if now.since(table.paged) >= patience {
            table.missing.clear();
        }
        table.paged = now;
        // What is somebody else's now is passed over, and may have come back before the last page.
        let is_own = |pe: &PeHandle| space.get(pe).is_some_and(|element| element.home == id);
        table.missing.retain(is_own);
        for pool in pools {
            for element in &pool.elements {
                table.missing.remove(&PeHandle { pool: pool.handle.clone(), element: element.id });
            }
        }
        if more {
            return;
        }
        let table = self.history.tables.remove(&(host, over));
        if let Some(pe) = table.and_then(|table| table.missing.into_iter().next()) {
            let detail = format!("{} did not list {pe}", self.host(host).name);
            self.violated(Violation::new("a table lists everything", detail));
        }
    }
}
