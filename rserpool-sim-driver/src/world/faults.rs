//! How faults and their repair change a world.

use std::time::Duration;

use rserpool_core::base::Instant;

use crate::fault::{Fault, Order};
use crate::hosts::Host;
use crate::hosts::{Program, Wish};
use crate::id::HostId;
use crate::network::Cable;
use crate::world::World;

impl World {
    /// Does something to the world now.
    pub fn apply(&mut self, fault: Fault) {
        match fault {
            Fault::Block(from, to) => self.block(&[from], &[to], true, false),
            Fault::Unblock(from, to) => self.block(&[from], &[to], false, false),
            Fault::Split(one, other) => self.block(&one, &other, true, true),
            Fault::Join(one, other) => self.block(&one, &other, false, true),
            Fault::Cables(cable) => {
                self.mark_world(&format!("cables are now {cable:?}"));
                self.network.set_cable(self.now(), cable);
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
                if let Some(body) = &mut self.host_mut(host).body {
                    body.begin_shutdown(now, now + within);
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
            Fault::Deafen(host) => {
                self.mark(host, "hears no announcements");
                self.host_mut(host).multicast = false;
                None
            }
            Fault::Undeafen(host) => {
                self.mark(host, "hears announcements again");
                self.host_mut(host).multicast = true;
                None
            }
            Fault::Move(host) => {
                self.disturb(host);
                let address = self.network.assign_address(host);
                self.history.moved.insert(host);
                self.history.movers.insert(host);
                self.mark(host, &format!("is at {address} now"));
                Some(host)
            }
            Fault::Order(host, order) if self.host(host).answers() => {
                self.mark(host, &format!("is told: {order:?}"));
                self.history.reports |= matches!(order, Order::Report | Order::Failover);
                self.wish(host, Wish::Order(order));
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

    fn disturb(&mut self, host: HostId) -> &mut Host {
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
            if !self.host(host).multicast {
                self.apply(Fault::Undeafen(host));
            }
        }
        let quiet = Cable { loss: 0, reordering: 0, duplication: 0, ..self.network.cable };
        self.apply(Fault::Cables(quiet));
        self.network.unblock_all(self.now());
        self.reassess_all();
    }

    /// Since when two hosts could work and talk without hindrance; `None` if they cannot.
    pub fn calm_since(&self, a: HostId, b: HostId) -> Option<Instant> {
        let well = self.host(a).is_well() && self.host(b).is_well();
        let cables = self.network.calm_since(a, b)?;
        well.then(|| cables.max(self.host(a).disturbed).max(self.host(b).disturbed))
    }

    /// Changes what a host runs from its next start on.
    pub fn set_program(&mut self, host: HostId, program: Program) {
        self.host_mut(host).program = program;
    }
}
