//! What registrars list: every element that can be reached and answers, and none that has left.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rserpool_core::base::{ASAP_PORT, Instant};
use rserpool_core::handlespace::PeHandle;
use rserpool_core::registrar::{Registrar, RegistrarConfig};

use super::scope::{Scope, settles_within};
use super::view::View;
use crate::applications::Server;
use crate::id::HostId;
use crate::violation::Violation;

/// How often the lists are looked at, at least.
const SHORTEST_LOOK: Duration = Duration::from_millis(100);
const LONGEST_LOOK: Duration = Duration::from_secs(2);

/// A registrar, in one life of its process, and an element, in one life of its.
type Place = ((HostId, u32), (HostId, u32));

/// The remembered facts about lists.
#[derive(Debug, Default)]
pub(super) struct Listings {
    /// The places that elements have.
    places: BTreeSet<Place>,
    /// What troubles elements, or has troubled them last.
    troubles: BTreeMap<HostId, Trouble>,
    /// When registrars have confirmed that elements have left, in one life of the process.
    left: BTreeMap<(HostId, u32), Instant>,
    /// When the lists are looked at next.
    next: Instant,
    /// Between two looks.
    interval: Duration,
}

/// A time in which an element could not be reached by all registrars, was not well, or knew none that runs.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    began: Instant,
    /// When it was last seen.
    seen: Instant,
    /// Since when it can be reached again.
    ended: Option<Instant>,
}

impl Trouble {
    const fn new(now: Instant) -> Self {
        Self { began: now, seen: now, ended: None }
    }

    /// Follows an element: `reached` says since when it can be reached.
    fn follow(&mut self, now: Instant, reached: Option<Instant>) {
        match (reached, self.ended) {
            (None, Some(_)) => *self = Self::new(now),
            (None, None) => self.seen = now,
            (Some(since), None) => self.ended = Some(since.max(self.seen)),
            // It was short.
            (Some(since), Some(ended)) if since > ended => {
                *self = Self { ended: Some(since), ..Self::new(since) };
            }
            (Some(_), Some(_)) => {}
        }
    }

    fn lasted(&self) -> Duration {
        self.ended.map(|ended| ended.since(self.began)).unwrap_or_default()
    }
}

impl Listings {
    /// When the lists are to be looked at next.
    pub(super) const fn next_look(&self) -> Instant {
        self.next
    }

    /// A registrar has confirmed that an element has left.
    pub(super) fn left(&mut self, view: &View<'_>, element: HostId) {
        self.left.insert((element, view.host(element).life()), view.now);
    }

    /// Looks at all lists.
    pub(super) fn look(
        &mut self,
        view: &View<'_>,
        scope: &Scope,
        registered: &BTreeMap<HostId, Instant>,
    ) -> Result<(), Violation> {
        let registrars = view.running_registrars();
        let configs = registrars.iter().filter_map(|host| view.registrar_config(*host));
        let interval = configs.map(|config| config.keep_alive_interval).min().unwrap_or(LONGEST_LOOK);
        self.interval = interval.clamp(SHORTEST_LOOK, LONGEST_LOOK);
        self.next = view.now + self.interval;
        let elements: Vec<(HostId, &Server)> =
            view.hosts().filter_map(|(id, _)| Some((id, view.server(id)?))).collect();
        for &(host, server) in &elements {
            let reach = Reach::of(view, &registrars, host);
            let reached = reach.since.filter(|_| knows_any(view, &registrars, host, server));
            self.troubles.entry(host).or_insert_with(|| Trouble::new(view.now)).follow(view.now, reached);
            let owner = pe_of(server);
            for &registrar in &registrars {
                let lists = view.registrar(registrar).is_some_and(|r| r.handlespace().get(&owner).is_some());
                let place = ((registrar, view.host(registrar).life()), (host, view.host(host).life()));
                if lists {
                    self.places.insert(place);
                    self.judge_left(view, scope, registrar, host, &owner)?;
                    continue;
                }
                if self.places.remove(&place) {
                    judge_loss(view, registered, &reach, registrar, host, server)?;
                }
                self.judge_absence(view, scope, registrar, host, server)?;
            }
        }
        Ok(())
    }

    /// An element that has left is off every list, as soon as updates have arrived.
    fn judge_left(
        &self,
        view: &View<'_>,
        scope: &Scope,
        registrar: HostId,
        element: HostId,
        pe: &PeHandle,
    ) -> Result<(), Violation> {
        let Some(left) = self.left.get(&(element, view.host(element).life())) else { return Ok(()) };
        let Some(config) = view.registrar_config(registrar) else { return Ok(()) };
        let update = view.longest_delay() * 4 + Duration::from_millis(100);
        let late = view.now.since(*left) > update && scope.was_settled_at(view, config, *left);
        if !late || view.hosts_of_element(pe).len() > 1 {
            return Ok(());
        }
        let detail = format!("{} lists {pe}, which has left at {left:?}", view.name(registrar));
        Err(Violation::new("an element that has left is not listed", detail))
    }

    /// An element that can be reached again is listed again within a bound: the time in which its
    /// associations are mended, in which it finds a registrar after having looked for one in vain, in which a
    /// registration that was lost is repeated, and in which its home has asked it.
    fn judge_absence(
        &self,
        view: &View<'_>,
        scope: &Scope,
        registrar: HostId,
        host: HostId,
        server: &Server,
    ) -> Result<(), Violation> {
        let Some(trouble) = self.troubles.get(&host) else { return Ok(()) };
        let Some(ended) = trouble.ended else { return Ok(()) };
        let running = view.running_registrars();
        let element = server.config();
        let vain = (trouble.lasted() + self.interval) * 2;
        let hunt = element.hunt.timeout + vain.min(element.hunt.timeout_max);
        let asked = longest(view, &running, asked);
        let bound = view.settled() + hunt + element.registration_timeout * 2 + asked;
        // First what can be told without a look at all others: there may be thousands.
        if view.now.since(ended) <= bound {
            return Ok(());
        }
        let mut configs = running.iter().filter_map(|host| view.registrar_config(*host));
        let settled = configs.all(|config| scope.is_settled(view, config));
        let refused = running.iter().any(|registrar| refuses_pools(view, *registrar));
        let acquainted = scope.around(view, registrar).len() == running.len();
        if !settled || refused || !acquainted || !is_expected(view, &running, host, server) {
            return Ok(());
        }
        let detail = format!(
            "{} does not list {} ({}), which can be reached since {ended:?}, more than {bound:?}",
            view.name(registrar),
            view.name(host),
            pe_of(server),
        );
        Err(Violation::new("an element that can be reached is listed again in time", detail))
    }
}

/// How far registrars can reach an element.
struct Reach {
    /// Since when all of them that work can, for as long as none stands still; `None` if one cannot.
    since: Option<Instant>,
    now: Instant,
    /// After this time nothing that was lost before has any more effect.
    patience: Duration,
}

impl Reach {
    /// A registrar that stands still, or is stopping, does nothing about an element; and one that has just
    /// started has no reason to.
    fn of(view: &View<'_>, registrars: &[HostId], element: HostId) -> Self {
        let at_work = registrars.iter().filter(|host| !view.host(**host).is_held());
        let reached = at_work.map(|registrar| view.reach_since(*registrar, element));
        let since = reached.reduce(|a, b| Some(a?.max(b?))).flatten();
        let patience = longest(view, registrars, asked) + view.settled();
        Self { since, now: view.now, patience }
    }

    /// Whether nothing that was lost can have any effect any more.
    fn is_settled(&self) -> bool {
        self.since.is_some_and(|since| self.now.since(since) > self.patience)
    }
}

/// An element that was on a list is not any more. That must not be if it can be reached.
fn judge_loss(
    view: &View<'_>,
    registered: &BTreeMap<HostId, Instant>,
    reach: &Reach,
    registrar: HostId,
    host: HostId,
    server: &Server,
) -> Result<(), Violation> {
    let running = view.running_registrars();
    let serving = view.registrar(registrar).is_some_and(Registrar::is_serving);
    if !reach.is_settled() || !serving || !is_expected(view, &running, host, server) {
        return Ok(());
    }
    if !view.host(registrar).is_well() {
        return Ok(());
    }
    // Where a registrar refuses a pool, what the home of an element lists counts.
    let home = view.host_of_registrar(server.element().home());
    let listed_at_home = home.and_then(|home| view.registrar(home)?.handlespace().get(&pe_of(server)));
    if running.iter().any(|registrar| refuses_pools(view, *registrar)) && listed_at_home.is_none() {
        return Ok(());
    }
    if !hears_of(view, registrar, server) || may_have_expired(view, registered, host, server) {
        return Ok(());
    }
    let detail = format!(
        "{} does not list {} ({}) any more, which registrars could reach since {:?}",
        view.name(registrar),
        view.name(host),
        pe_of(server),
        reach.since,
    );
    Err(Violation::new("an element that can be reached stays listed", detail))
}

/// Whether a registrar is the home of an element, or has been within reach of the home for long enough: otherwise
/// nobody can tell it where the element is, whatever the registrars between them know.
fn hears_of(view: &View<'_>, registrar: HostId, server: &Server) -> bool {
    let Some(config) = view.registrar_config(registrar) else { return false };
    view.host_of_registrar(server.element().home()).is_some_and(|home| {
        home == registrar || view.calm_for(home, registrar, settles_within(view.sctp, config))
    })
}

/// Whether the registration of an element may have run out: the element could not renew it, or some registrar, which
/// may believe that it is the home, cannot be told that the element renews it elsewhere.
fn may_have_expired(
    view: &View<'_>,
    registered: &BTreeMap<HostId, Instant>,
    host: HostId,
    server: &Server,
) -> bool {
    let Some(life) = server.config().life.duration() else { return false };
    let renewed = registered.get(&host).is_some_and(|at| view.now.since(*at) < life);
    !renewed || view.running_registrars().iter().any(|registrar| !hears_of(view, *registrar, server))
}

/// Whether a registrar may refuse a pool, because it takes fewer than usual.
fn refuses_pools(view: &View<'_>, registrar: HostId) -> bool {
    let usual = RegistrarConfig::rfc(None, 0).limits.pools;
    view.registrar_config(registrar).is_some_and(|config| config.limits.pools < usual)
}

/// Whether an element wants to be listed, and can be: it runs, it is the only one of its name, and it knows a
/// registrar that runs.
fn is_expected(view: &View<'_>, registrars: &[HostId], host: HostId, server: &Server) -> bool {
    !server.has_left()
        && view.host(host).is_well()
        && view.hosts_of_element(&pe_of(server)).len() == 1
        && knows_any(view, registrars, host, server)
}

/// Whether an element is configured to know one of these registrars, or hears the announcements of one.
fn knows_any(view: &View<'_>, registrars: &[HostId], host: HostId, server: &Server) -> bool {
    let known = &server.config().hunt.registrars;
    registrars.iter().any(|registrar| {
        let announces = view.registrar_config(*registrar).is_some_and(|config| config.announce);
        let address = view.service(*registrar, ASAP_PORT);
        announces && view.host(host).has_multicast()
            || known.iter().any(|known| known.is_same_endpoint(&address))
    })
}

fn pe_of(server: &Server) -> PeHandle {
    PeHandle { pool: server.config().handle.clone(), element: server.element().id() }
}

/// How long a registrar may take to ask an element and wait for its answer.
fn asked(config: &RegistrarConfig) -> Duration {
    config.keep_alive_interval * 2 + config.keep_alive_timeout * 2
}

fn longest(view: &View<'_>, registrars: &[HostId], time: fn(&RegistrarConfig) -> Duration) -> Duration {
    registrars.iter().filter_map(|host| view.registrar_config(*host)).map(time).max().unwrap_or_default()
}
