//! What can be done to a world: faults, their repair, and what operators do.

use std::time::Duration;

use rserpool_core::base::Instant;

use crate::HostId;
use crate::host::Program;
use crate::network::Link;
use crate::world::World;

/// Something that is done to a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process dies (SIGKILL).
    Kill(HostId),
    /// A process is started where none runs. An element keeps the identifier it had; a registrar
    /// has the configured one, or draws one.
    Start(HostId),
    /// The same, but whoever it is draws a new identifier.
    StartAnew(HostId),
    /// The process is asked to stop within a time (SIGTERM).
    Stop(HostId, Duration),
    /// The process stands still (SIGSTOP).
    Pause(HostId),
    /// It goes on (SIGCONT).
    Thaw(HostId),
    /// The process takes so long for every input; zero makes it fast again.
    Slow(HostId, Duration),
    /// The host is cut off from everybody.
    Unplug(HostId),
    /// It is connected again.
    Plug(HostId),
    /// Nothing gets from the first to the second.
    Block(HostId, HostId),
    /// It does again.
    Unblock(HostId, HostId),
    /// Nothing passes between two groups of hosts, in neither direction.
    Split(Vec<HostId>, Vec<HostId>),
    /// The end of [`Fault::Split`].
    Join(Vec<HostId>, Vec<HostId>),
    /// The host gets another address; its associations break.
    Move(HostId),
    /// All links become so.
    Links(Link),
    /// The application on the host does something.
    Order(HostId, Order),
}

/// What an application does now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// An element registers anew.
    UpdatePolicy,
    /// An element leaves its pool, until it is started again.
    Deregister,
    /// A user moves its sessions to other elements.
    Failover,
    /// A user closes its sessions, and opens others later.
    Close,
    /// A user reports the elements of its sessions as unreachable.
    Report,
    /// A user forgets what it knows of its pool.
    Purge,
}

impl Fault {
    /// Nothing passes between two hosts, in neither direction.
    pub const fn partition(a: HostId, b: HostId) -> [Self; 2] {
        [Self::Block(a, b), Self::Block(b, a)]
    }

    /// The end of [`Fault::partition`].
    pub const fn heal(a: HostId, b: HostId) -> [Self; 2] {
        [Self::Unblock(a, b), Self::Unblock(b, a)]
    }
}

impl World {
    /// Does something to the world now.
    pub fn apply(&mut self, fault: Fault) {
        match fault {
            Fault::Block(from, to) => self.block(&[from], &[to], true, false),
            Fault::Unblock(from, to) => self.block(&[from], &[to], false, false),
            Fault::Split(one, other) => self.block(&one, &other, true, true),
            Fault::Join(one, other) => self.block(&one, &other, false, true),
            Fault::Links(link) => {
                self.mark_world(&format!("links are now {link:?}"));
                self.network.set_link(self.now(), link);
                self.reassess_all();
            }
            fault => {
                if let Some(host) = self.apply_to_host(fault) {
                    self.reassess_host(host);
                }
            }
        }
    }

    /// Does something to a host, and tells which if its associations may notice it. What is not
    /// running cannot be stopped, and so on.
    fn apply_to_host(&mut self, fault: Fault) -> Option<HostId> {
        let now = self.now();
        match fault {
            Fault::Kill(host) if self.host(host).process().is_some() => {
                self.mark(host, "is killed");
                self.exit(host);
                Some(host)
            }
            Fault::Start(host) if self.host(host).process().is_none() => {
                self.start(host);
                None
            }
            Fault::StartAnew(host) if self.host(host).process().is_none() => {
                let anew = self.host_mut(host);
                anew.element = None;
                if let Program::Registrar(config) = &mut anew.program {
                    config.id = None;
                }
                self.start(host);
                None
            }
            Fault::Stop(host, within) if self.host(host).answers() => {
                self.mark(host, "is asked to stop");
                self.disturb(host).stopping = true;
                if let Some(process) = &mut self.host_mut(host).process {
                    process.begin_shutdown(now, now + within);
                }
                self.drain(host);
                Some(host)
            }
            Fault::Pause(host) if self.host(host).answers() => {
                self.mark(host, "stands still");
                self.disturb(host).paused = true;
                Some(host)
            }
            Fault::Thaw(host) if self.host(host).paused => {
                self.mark(host, "goes on");
                self.disturb(host).paused = false;
                self.catch_up(host);
                Some(host)
            }
            Fault::Slow(host, slowness) if self.host(host).process().is_some() => {
                self.mark(host, &format!("takes {slowness:?} for every input"));
                self.disturb(host).slowness = slowness;
                Some(host)
            }
            Fault::Unplug(host) => {
                self.mark(host, "is cut off");
                self.disturb(host);
                self.network.unplug(host, true);
                Some(host)
            }
            Fault::Plug(host) if self.network.is_unplugged(host) => {
                self.mark(host, "is connected again");
                self.disturb(host);
                self.network.unplug(host, false);
                Some(host)
            }
            Fault::Move(host) => {
                self.disturb(host);
                let address = self.network.assign_address(host);
                self.mark(host, &format!("is at {address} now"));
                Some(host)
            }
            Fault::Order(host, order) if self.host(host).answers() => {
                self.mark(host, &format!("is told: {order:?}"));
                self.books.reports |= matches!(order, Order::Report | Order::Failover);
                if let Some(process) = &mut self.host_mut(host).process {
                    process.order(now, order);
                }
                self.drain(host);
                None
            }
            _ => None,
        }
    }

    /// Lets nothing, or everything, pass from each host of a group to each of another, and back if
    /// `both`.
    fn block(&mut self, from: &[HostId], to: &[HostId], block: bool, both: bool) {
        let now = self.now();
        let what = if block { "nothing passes" } else { "everything passes" };
        let names = |group: &[HostId]| {
            group.iter().map(|id| self.host(*id).name.as_str()).collect::<Vec<_>>().join(" ")
        };
        let between = if both { "between" } else { "from" };
        let and = if both { "and" } else { "to" };
        let text = format!("{what} {between} {} {and} {}", names(from), names(to));
        self.mark_world(&text);
        for (a, b) in from.iter().flat_map(|a| to.iter().map(move |b| (*a, *b))) {
            self.network.block(now, a, b, block);
            if both {
                self.network.block(now, b, a, block);
            }
        }
        from.iter().for_each(|host| self.reassess_host(*host));
    }

    fn disturb(&mut self, host: HostId) -> &mut crate::host::Host {
        let now = self.now();
        let host = self.host_mut(host);
        host.disturbed = now;
        host
    }

    /// Repairs everything: nobody is cut off, slow or paused, and what is dead stays dead.
    pub fn heal(&mut self) {
        let hosts: Vec<HostId> = self.hosts().map(|(id, _)| id).collect();
        for &host in &hosts {
            self.apply(Fault::Plug(host));
            self.apply(Fault::Thaw(host));
            if !self.host(host).slowness.is_zero() {
                self.apply(Fault::Slow(host, Duration::ZERO));
            }
        }
        let quiet = Link { loss: 0, reordering: 0, duplication: 0, ..self.network.link };
        self.apply(Fault::Links(quiet));
        self.network.unblock_all(self.now());
        self.reassess_all();
    }

    /// Since when two hosts could work and talk without hindrance; `None` if they cannot.
    pub fn calm_since(&self, a: HostId, b: HostId) -> Option<Instant> {
        let well = self.host(a).is_well() && self.host(b).is_well();
        let links = self.network.calm_since(a, b)?;
        well.then(|| links.max(self.host(a).disturbed).max(self.host(b).disturbed))
    }

    /// Changes what a host runs from its next start on.
    pub fn set_program(&mut self, host: HostId, program: Program) {
        self.host_mut(host).program = program;
    }

    /// Whether announcements reach a host.
    pub fn set_multicast(&mut self, host: HostId, multicast: bool) {
        self.host_mut(host).multicast = multicast;
    }
}
