//! What must hold once the world has healed and come to rest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rserpool_core::base::{ElementId, Instant, PoolHandle};
use rserpool_core::handlespace::PeHandle;

use super::plan::{ElementPlan, Plan, RegistrarPlan, UserPlan};
use crate::applications::{Client, Server};
use crate::fault::Fault;
use crate::id::HostId;
use crate::violation::Violation;
use crate::world::World;

/// How long each process may take for a clean stop.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Timers that a registrar may have for each peer that it knows: heartbeat, last heard, no response,
/// its table, the next attempt to connect.
const PEER_TIMERS: u64 = 5;

/// Timers that a registrar may have for ENRP as a whole.
const ENRP_TIMERS: u64 = 4;

/// A world that has come to rest, and the plan that it has gone through.
#[derive(Debug)]
pub(super) struct Verdict<'a> {
    pub(super) world: &'a mut World,
    pub(super) plan: &'a Plan,
}

impl Verdict<'_> {
    /// Judges the world. Users are asked to resolve once more, which takes some time.
    pub(super) fn judge(&mut self) {
        // First: questions renew what registrars have promised.
        if let Err(violation) = self.judge_watches() {
            return self.world.violated(violation);
        }
        for (user, _) in self.plan.user_hosts() {
            self.world.resolve(user);
        }
        let asked = self.world.now();
        let answered = self.plan.users.iter().map(|user| user.config().request_timeout).max();
        let waited = self.plan.users.iter().map(|user| self.plan.longest_wait(user)).max();
        self.world.run_for(answered.unwrap_or_default() * 4 + waited.unwrap_or_default());
        if self.world.violation().is_some() {
            return;
        }
        let verdict = self
            .judge_agreement()
            .and_then(|()| self.judge_registrars())
            .and_then(|()| self.judge_elements())
            .and_then(|()| self.judge_users(asked));
        if let Err(violation) = verdict {
            return self.world.violated(violation);
        }
        self.judge_keep_alives();
        if self.world.violation().is_none() {
            self.wind_down();
        }
    }

    // Registrars

    fn judge_agreement(&self) -> Result<(), Violation> {
        let registrars: Vec<HostId> = self.plan.registrar_hosts().collect();
        if self.twins_contend() || self.plan.lacks_pools() {
            return Ok(());
        }
        self.world
            .agreement(&registrars)
            .and_then(|()| self.world.checksums_agree(&registrars))
            .and_then(|()| self.world.judges().judge_audits(&self.world.view()))
    }

    /// Two elements with one identifier at different registrars take the place from each other with
    /// every registration; only at one registrar the second is refused.
    fn twins_contend(&self) -> bool {
        self.plan.registrars.len() > 1 && self.plan.elements.iter().any(|element| element.id.is_some())
    }

    fn judge_registrars(&self) -> Result<(), Violation> {
        for host in self.plan.registrar_hosts() {
            let Some(registrar) = self.world.registrar(host) else { continue };
            let name = self.world.host(host).name();
            let space = registrar.handlespace();
            for (pool, element) in space.elements_after(None) {
                let alive = self.plan.element_hosts().any(|(id, _)| self.is_element(id, pool, element.id));
                if !alive {
                    let detail = format!("{name} lists {pool}/{}, which does not run", element.id);
                    return Err(Violation::new("at rest the dead are gone", detail));
                }
            }
            let figures: BTreeMap<&str, u64> = registrar.figures().named().collect();
            let figure = |name: &str| figures.get(name).copied().unwrap_or_default();
            let own = space.elements_after(None).filter(|(_, element)| element.home == registrar.id());
            let own_elements = own.count() as u64;
            let lives =
                space.elements_after(None).filter(|(_, e)| e.life.duration().is_some()).count() as u64;
            let plan = &self.plan.registrars[host.0];
            let announcements = u64::from(plan.announce) + u64::from(plan.enrp_announce);
            let peers = (registrar.peers().len() + plan.knows.len()) as u64;
            let expected_figures = [
                ("associations", self.world.host(host).associations() as u64),
                ("own_elements", own_elements),
                ("timers", lives + own_elements + announcements + PEER_TIMERS * peers + ENRP_TIMERS),
            ];
            for (what, expected) in expected_figures {
                // An element that is being connected to has no timer of its own; for peers there is
                // a bound.
                let fits = figure(what) == expected || (what == "timers" && figure(what) < expected);
                if !fits {
                    let detail = format!("{name} has {} {what}, not {expected}", figure(what));
                    return Err(Violation::new("tables and timers are those of what is alive", detail));
                }
            }
        }
        Ok(())
    }

    /// The registrars that run and that a process can find that knows `knows` from the start. The address of
    /// one that is elsewhere now is not known any more.
    fn findable(&self, knows: &[HostId]) -> Vec<HostId> {
        let announced = |host: &HostId| self.plan.registrars[host.0].announce;
        let known = |host: &HostId| knows.contains(host) && !self.world.judges().is_elsewhere(*host);
        self.plan
            .registrar_hosts()
            .filter(|host| self.world.registrar(*host).is_some() && (known(host) || announced(host)))
            .collect()
    }

    // Elements

    fn is_element(&self, host: HostId, pool: &PoolHandle, id: ElementId) -> bool {
        self.world.server(host).is_some_and(|s| s.element().id() == id && s.config().handle == *pool)
    }

    fn judge_elements(&self) -> Result<(), Violation> {
        for (host, element) in self.plan.element_hosts() {
            let Some(server) = self.world.server(host) else { continue };
            let (id, pool) = (server.element().id(), &server.config().handle);
            let twins =
                self.plan.element_hosts().filter(|(host, _)| self.is_element(*host, pool, id)).count();
            if twins > 1 || self.plan.lacks_pools() || self.findable(&element.knows).is_empty() {
                continue;
            }
            self.judge_element(self.world.host(host).name(), server)?;
        }
        Ok(())
    }

    /// It is listed by all registrars, or by none if it has left its pool.
    fn judge_element(&self, name: &str, server: &Server) -> Result<(), Violation> {
        let pe = PeHandle { pool: server.config().handle.clone(), element: server.element().id() };
        let running: Vec<HostId> =
            self.plan.registrar_hosts().filter(|host| self.world.registrar(*host).is_some()).collect();
        let listed = |host: HostId| self.world.registrar(host)?.handlespace().get(&pe);
        let listing = running.iter().filter(|host| listed(**host).is_some()).count();
        // All list it with the same home: that is a part of the agreement.
        let home = running.iter().find_map(|host| listed(*host)).map(|element| element.home);
        let detail = format!(
            "{name} ({pe}) is listed by {listing} of {} registrars, with the home {home:?}, is registered: {}, \
             its home is {}",
            running.len(),
            server.element().is_registered(),
            server.element().home(),
        );
        if server.has_left() {
            return match listing == 0 && !server.element().is_registered() {
                true => Ok(()),
                false => {
                    Err(Violation::new("at rest an element that has left its pool is not listed", detail))
                }
            };
        }
        let at_home = server.element().is_registered() && home == Some(server.element().home());
        if listing != running.len() || !at_home {
            return Err(Violation::new("at rest every element has exactly one home", detail));
        }
        if let Some((command, since)) = server.commands().oldest() {
            let detail = format!("{name}: {command:?} since {since:?}");
            return Err(Violation::new("one answer for each command", detail));
        }
        Ok(())
    }

    /// How many keep-alives each element that runs has answered.
    fn keep_alives(&self) -> BTreeMap<HostId, u64> {
        let answered = |host| self.world.server(host).map(|server| server.element().counters().keep_alives);
        self.plan.element_hosts().filter_map(|(host, _)| Some((host, answered(host)?))).collect()
    }

    /// Elements are asked again and again, or one that hangs would not be noticed: some time passes.
    fn judge_keep_alives(&mut self) {
        let before = self.keep_alives();
        let configs = self.plan.registrars.iter().map(RegistrarPlan::config);
        let asked = configs.map(|config| self.world.view().patience_with_element(&config)).max();
        self.world.run_for(asked.unwrap_or_default());
        let now = self.keep_alives();
        let is_member = |server: &Server| !server.has_left() && server.element().is_registered();
        let forgotten = self.plan.element_hosts().find(|(host, element)| {
            self.world.server(*host).is_some_and(is_member)
                && element.id.is_none()
                && !self.plan.lacks_pools()
                && !self.findable(&element.knows).is_empty()
                && before.get(host) == now.get(host)
        });
        if let Some((host, _)) = forgotten {
            let detail = self.world.host(host).name();
            self.world.violated(Violation::new("at rest every element is asked whether it lives", detail));
        }
    }

    // Users

    /// Users were asked to resolve at `asked`.
    fn judge_users(&self, asked: Instant) -> Result<(), Violation> {
        let now = self.world.now();
        for (host, user) in self.plan.user_hosts() {
            let Some(client) = self.world.client(host) else { continue };
            let (name, pool) = (self.world.host(host).name(), &client.load().pool);
            let patience = Duration::from_secs(2) + client.config().failover_deadline * 2;
            let late = |since| now.since(since) > patience;
            if let Some((command, since)) = client.commands().oldest().filter(|(_, since)| late(*since)) {
                let detail = format!("{name}: {command:?} since {since:?}");
                return Err(Violation::new("one answer for each command", detail));
            }
            // Two with one identifier expel each other, and the pool is empty in between.
            if !self.is_pool_known(user, pool) || self.twins_contend() || self.plan.lacks_pools() {
                continue;
            }
            match client.resolved() {
                Some((when, [_, ..])) if when >= asked => {}
                other => {
                    let detail = format!("{name} asked for {pool} at {asked:?} and got {other:?}");
                    return Err(Violation::new("users resolve what reachable registrars know", detail));
                }
            }
            let elements = self.plan.elements.iter().filter(|element| element.pool == user.pool);
            if !elements.into_iter().any(ElementPlan::turns_away) {
                let silence = self.plan.sctp.heartbeat + self.plan.sctp.max_silence;
                judge_sessions(now, silence + self.plan.longest_wait(user), name, client)?;
            }
        }
        Ok(())
    }

    fn judge_watches(&self) -> Result<(), Violation> {
        for (host, user) in self.plan.user_hosts() {
            if let Some(client) = self.world.client(host) {
                self.judge_watch(user, self.world.host(host).name(), client)?;
            }
        }
        Ok(())
    }

    /// A user that watches its pool knows it as all registrars list it.
    fn judge_watch(&self, user: &UserPlan, name: &str, client: &Client) -> Result<(), Violation> {
        let found = self.findable(&user.knows);
        let Some(registrar) = found.first().and_then(|host| self.world.registrar(*host)) else {
            return Ok(());
        };
        if !user.watch || self.twins_contend() || self.plan.lacks_pools() {
            return Ok(());
        }
        let pool = registrar.handlespace().pool(&client.load().pool);
        let listed: BTreeSet<_> =
            pool.iter().flat_map(|pool| pool.elements_after(None)).map(|e| e.id).collect();
        if client.watched() == Some(&listed) {
            return Ok(());
        }
        let detail =
            format!("{name} was told that there are {:?}, and there are {listed:?}", client.watched());
        Err(Violation::new("at rest who watches a pool knows it as it is listed", detail))
    }

    /// Whether a registrar that a user can find knows elements of a pool.
    fn is_pool_known(&self, user: &UserPlan, pool: &PoolHandle) -> bool {
        let knows = |host: &HostId| {
            self.world
                .registrar(*host)
                .is_some_and(|registrar| registrar.handlespace().pool(pool).is_some_and(|p| !p.is_empty()))
        };
        self.findable(&user.knows).iter().any(knows)
    }

    // The end

    /// Stops all processes cleanly: users, then elements, then registrars; each must come to its end,
    /// and elements must be off every list at once.
    fn wind_down(&mut self) {
        let users: Vec<HostId> = self.plan.user_hosts().map(|(host, _)| host).collect();
        let elements: Vec<HostId> = self.plan.element_hosts().map(|(host, _)| host).collect();
        for hosts in [users, elements, self.plan.registrar_hosts().collect()] {
            for &host in &hosts {
                self.world.apply(Fault::Stop(host, STOP_WITHIN));
            }
            self.world.run_for(STOP_WITHIN + self.world.sctp().rto_max);
            if let Some(host) = hosts.iter().find(|host| self.world.host(**host).process().is_some()) {
                let detail = format!("{} runs on", self.world.host(*host).name());
                self.world.violated(Violation::new("a process that is stopped ends in time", detail));
            }
            let elements_run = self.plan.element_hosts().any(|(host, _)| self.world.server(host).is_some());
            let lists = |host: HostId| {
                self.world.registrar(host).is_some_and(|r| r.handlespace().element_count() > 0)
            };
            if !elements_run && self.plan.registrar_hosts().any(lists) {
                let detail = "a registrar lists elements after all of them have stopped";
                self.world.violated(Violation::new("elements that stop leave no trace", detail));
            }
            if self.world.violation().is_some() {
                return;
            }
        }
        if let Some(detail) = self.world.open_associations() {
            self.world.violated(Violation::new("nothing is left when all have stopped", detail));
        }
    }
}

/// Every session is served, and every supervised request answered but for those of the last moment, those that
/// may still be served, and those whose association is broken though nobody has noticed it: `wait` at most.
fn judge_sessions(now: Instant, wait: Duration, name: &str, client: &Client) -> Result<(), Violation> {
    let patience = wait + client.load().interval + Duration::from_millis(500);
    for conversation in client.conversations() {
        if conversation.session().is_none() || conversation.element.is_none() {
            let detail = format!("{name}: {conversation:?}");
            return Err(Violation::new("at rest every session is served", detail));
        }
        let lost = conversation.unanswered.iter().find(|(_, asked)| now.since(**asked) > patience);
        if let Some((request, asked)) = lost {
            let detail = format!("{name}: {request:?} of {asked:?}");
            return Err(Violation::new("no supervised request is lost", detail));
        }
    }
    Ok(())
}
