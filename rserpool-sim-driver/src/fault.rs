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
    /// A process is started where none runs; an element keeps the identifier it had.
    Start(HostId),
    /// The same, but an element draws a new identifier.
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
        let now = self.now();
        match fault {
            Fault::Kill(host) if self.host(host).process().is_some() => {
                self.mark(host, "is killed");
                self.exit(host);
            }
            Fault::Start(host) if self.host(host).process().is_none() => self.start(host),
            Fault::StartAnew(host) if self.host(host).process().is_none() => {
                self.host_mut(host).element = None;
                self.start(host);
            }
            Fault::Stop(host, within) if self.host(host).answers() => {
                self.mark(host, "is asked to stop");
                self.disturb(host).stopping = true;
                if let Some(process) = &mut self.host_mut(host).process {
                    process.begin_shutdown(now, now + within);
                }
                self.drain(host);
            }
            Fault::Pause(host) if self.host(host).answers() => {
                self.mark(host, "stands still");
                self.disturb(host).paused = true;
            }
            Fault::Thaw(host) if self.host(host).paused => {
                self.mark(host, "goes on");
                self.disturb(host).paused = false;
                self.catch_up(host);
            }
            Fault::Slow(host, slowness) if self.host(host).process().is_some() => {
                self.mark(host, &format!("takes {slowness:?} for every input"));
                self.disturb(host).slowness = slowness;
            }
            Fault::Unplug(host) => {
                self.mark(host, "is cut off");
                self.disturb(host);
                self.network.unplug(host, true);
            }
            Fault::Plug(host) if self.network.is_unplugged(host) => {
                self.mark(host, "is connected again");
                self.disturb(host);
                self.network.unplug(host, false);
            }
            Fault::Block(from, to) | Fault::Unblock(from, to) => {
                let block = matches!(fault, Fault::Block(..));
                let what = if block { "nothing passes" } else { "everything passes" };
                let (a, b) = (&self.host(from).name, &self.host(to).name);
                self.mark_world(&format!("{what} from {a} to {b}"));
                self.network.block(now, from, to, block);
            }
            Fault::Move(host) => {
                self.disturb(host);
                let address = self.network.assign_address(host);
                self.mark(host, &format!("is at {address} now"));
            }
            Fault::Links(link) => {
                self.mark_world(&format!("links are now {link:?}"));
                self.network.set_link(now, link);
            }
            Fault::Order(host, order) if self.host(host).answers() => {
                self.mark(host, &format!("is told: {order:?}"));
                self.books.reports |= matches!(order, Order::Report | Order::Failover);
                if let Some(process) = &mut self.host_mut(host).process {
                    process.order(now, order);
                }
                return self.drain(host);
            }
            // What is not running cannot be stopped, and so on.
            _ => return,
        }
        self.reassess_all();
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
        for (from, to) in self.network.blocked() {
            self.apply(Fault::Unblock(from, to));
        }
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
