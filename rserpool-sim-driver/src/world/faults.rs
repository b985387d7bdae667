//! How faults and their repair change a world.

use std::time::Duration;

use rserpool_core::element;
use rserpool_core::endpoint::MAX_CARD;
use rserpool_core::wire::PoolElement;

use super::World;
use crate::fault::{Fault, Order};
use crate::hosts::{Program, Wish};
use crate::id::HostId;
use crate::network::{Cable, Passage};

/// In which directions something passes between two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Directions {
    There,
    ThereAndBack,
}

impl World {
    /// Applies a fault to the world now.
    pub fn apply(&mut self, fault: Fault) {
        match fault {
            Fault::Block(from, to) => {
                self.set_passage(&[from], &[to], Passage::Closed, Directions::There);
            }
            Fault::Unblock(from, to) => {
                self.set_passage(&[from], &[to], Passage::Open, Directions::There);
            }
            Fault::Split(one, other) => {
                self.set_passage(&one, &other, Passage::Closed, Directions::ThereAndBack);
            }
            Fault::Join(one, other) => {
                self.set_passage(&one, &other, Passage::Open, Directions::ThereAndBack);
            }
            Fault::Lose(from, to) => self.set_updates(from, to, Passage::Closed),
            Fault::Keep(from, to) => self.set_updates(from, to, Passage::Open),
            Fault::Cables(cable) => {
                self.record.mark_world(self.clock, &format!("cables are now {cable:?}"));
                self.network.set_cable(self.clock, cable);
                self.reassess_all();
            }
            fault => {
                if let Some(host) = self.apply_to_host(fault) {
                    self.reassess_host(host);
                }
            }
        }
    }

    /// Applies a fault to a host, and returns the host if its associations may notice. A fault without a
    /// target, such as the stop of a host that does not run, does nothing.
    fn apply_to_host(&mut self, fault: Fault) -> Option<HostId> {
        let now = self.clock;
        match fault {
            Fault::Kill(host) if self.host(host).is_running() => {
                self.mark(host, "is killed");
                self.exit(host);
                Some(host)
            }
            Fault::Start(host) if !self.host(host).is_running() => {
                self.start(host);
                None
            }
            Fault::StartAnew(host) if !self.host(host).is_running() => {
                self.hosts.get_mut(host).forget_identity();
                self.start(host);
                None
            }
            Fault::Stop(host, within) if self.host(host).answers() => {
                self.mark(host, "is asked to stop");
                self.hosts.get_mut(host).stop(now, now + within);
                self.drain(host);
                Some(host)
            }
            Fault::Pause(host) if self.host(host).answers() => {
                self.mark(host, "stands still");
                self.hosts.get_mut(host).pause(now);
                Some(host)
            }
            Fault::Thaw(host) if self.host(host).is_paused() => {
                self.mark(host, "goes on");
                self.hosts.get_mut(host).thaw(now);
                self.catch_up(host);
                Some(host)
            }
            Fault::Slow(host, slowness) if self.host(host).is_running() => {
                self.mark(host, &format!("takes {slowness:?} for every input"));
                self.hosts.get_mut(host).slow(now, slowness);
                Some(host)
            }
            Fault::Unplug(host) => {
                self.mark(host, "is cut off");
                self.hosts.get_mut(host).disturb(now);
                self.network.unplug(host);
                Some(host)
            }
            Fault::Plug(host) if self.network.is_unplugged(host) => {
                self.mark(host, "is connected again");
                self.hosts.get_mut(host).disturb(now);
                self.network.plug(host);
                Some(host)
            }
            Fault::Deafen(host) => {
                self.mark(host, "hears no announcements");
                self.hosts.get_mut(host).deafen();
                None
            }
            Fault::Undeafen(host) => {
                self.mark(host, "hears announcements again");
                self.hosts.get_mut(host).undeafen();
                None
            }
            Fault::Move(host) => {
                self.hosts.get_mut(host).disturb(now);
                let address = self.network.assign_address(host);
                self.judges.moved(host);
                self.mark(host, &format!("is at {address} now"));
                Some(host)
            }
            Fault::Order(host, Order::Card) if self.host(host).answers() => {
                self.mark(host, "names others of its pool");
                let others = self.others_of_pool(host);
                self.wish(host, Wish::Element(element::Command::SetCard(others)));
                None
            }
            Fault::Order(host, order) if self.host(host).answers() => {
                self.mark(host, &format!("is told: {order:?}"));
                self.judges.told(now, host, order);
                self.wish(host, Wish::Order(order));
                None
            }
            _ => None,
        }
    }

    /// The other elements of its pool, the last one first, as users see them: from the first registrar that knows the
    /// pool.
    fn others_of_pool(&self, element: HostId) -> Vec<PoolElement> {
        let Some(server) = self.server(element) else { return Vec::new() };
        let pools = self
            .hosts
            .iter()
            .filter_map(|(host, _)| self.registrar(host)?.handlespace().pool(&server.config().handle));
        let listed = pools.take(1).flat_map(|pool| pool.elements_after(None));
        let others = listed.filter(|other| other.id != server.element().id());
        let mut others: Vec<_> =
            others.map(|other| PoolElement { asap_transport: None, ..other.clone() }).collect();
        others.reverse();
        others.truncate(MAX_CARD);
        others
    }

    /// Lets nothing, or everything, pass from each host of a group to each of another.
    fn set_passage(&mut self, from: &[HostId], to: &[HostId], passage: Passage, directions: Directions) {
        let now = self.clock;
        let what = match passage {
            Passage::Closed => "nothing passes",
            Passage::Open => "everything passes",
        };
        let names =
            |group: &[HostId]| group.iter().map(|id| self.host(*id).name()).collect::<Vec<_>>().join(" ");
        let (from_names, to_names) = (names(from), names(to));
        let text = match directions {
            Directions::There => format!("{what} from {from_names} to {to_names}"),
            Directions::ThereAndBack => format!("{what} between {from_names} and {to_names}"),
        };
        self.record.mark_world(now, &text);
        for (a, b) in from.iter().flat_map(|a| to.iter().map(move |b| (*a, *b))) {
            self.network.set_passage(now, a, b, passage);
            if directions == Directions::ThereAndBack {
                self.network.set_passage(now, b, a, passage);
            }
        }
        from.iter().for_each(|host| self.reassess_host(*host));
    }

    /// Lets updates of the handlespace get lost on their way from one registrar to another, or arrive.
    fn set_updates(&mut self, from: HostId, to: HostId, passage: Passage) {
        let what = if passage == Passage::Closed { "are lost" } else { "arrive" };
        let (a, b) = (self.host(from).name(), self.host(to).name());
        self.record.mark_world(self.clock, &format!("updates from {a} to {b} {what}"));
        self.network.set_updates(self.clock, from, to, passage);
    }

    /// Repairs everything: no host is cut off, slow or paused any longer. What is dead stays dead.
    pub fn heal(&mut self) {
        let hosts: Vec<HostId> = self.hosts().map(|(id, _)| id).collect();
        for &host in &hosts {
            self.apply(Fault::Plug(host));
            self.apply(Fault::Thaw(host));
            if self.host(host).is_slow() {
                self.apply(Fault::Slow(host, Duration::ZERO));
            }
            if !self.host(host).has_multicast() {
                self.apply(Fault::Undeafen(host));
            }
        }
        let quiet = Cable { loss: 0, reordering: 0, duplication: 0, ..*self.network.cable() };
        self.apply(Fault::Cables(quiet));
        self.network.open_all(self.clock);
        self.reassess_all();
    }

    /// Changes what a host runs from its next start on.
    pub fn set_program(&mut self, host: HostId, program: Program) {
        self.hosts.get_mut(host).set_program(program);
    }

    fn reassess_all(&mut self) {
        let (associations, mut around) = self.associations_and_surroundings();
        associations.reassess_all(&mut around);
    }

    pub(super) fn reassess_host(&mut self, host: HostId) {
        let (associations, mut around) = self.associations_and_surroundings();
        associations.reassess_host(&mut around, host);
    }
}
