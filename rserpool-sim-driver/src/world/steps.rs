//! The course of things: what is due happens, one thing after the other.

use std::time::Duration;

use rserpool_core::base::Instant;
use rserpool_core::{element, user};

use crate::fault::Fault;
use crate::hosts::Input;
use crate::hosts::{Program, Wish};
use crate::id::HostId;
use crate::world::Occurrence;
use crate::world::World;

impl World {
    /// Adds a host on which `program` starts at once. Seeds, and the addresses of elements and
    /// registrars, are set here.
    pub fn add(&mut self, name: impl Into<String>, program: Program) -> HostId {
        let id = self.add_idle(name, program);
        self.start(id);
        id
    }

    /// Lets time pass. Stops early, and for good, at the first violation of an invariant.
    pub fn run_for(&mut self, duration: Duration) {
        self.run_until(self.clock + duration);
    }

    /// Lets time pass until `end`.
    pub fn run_until(&mut self, end: Instant) {
        while self.history.violation.is_none() {
            let Some((at, occurrence)) = self.queue.pop_until(end) else {
                self.clock = self.clock.max(end);
                return;
            };
            self.clock = at;
            self.steps += 1;
            self.happen(occurrence);
        }
    }

    /// Makes something happen at a time to come.
    pub fn at(&mut self, time: Instant, fault: Fault) {
        self.schedule(time.max(self.clock), Occurrence::Fault(fault));
    }

    /// Gives the element on a host a command.
    pub fn element_command(&mut self, host: HostId, command: element::Command) {
        self.wish(host, Wish::Element(command));
    }

    /// Gives the user on a host a command.
    pub fn user_command(&mut self, host: HostId, command: user::Command) {
        self.wish(host, Wish::User(command));
    }

    /// Lets the user on a host ask for its pool.
    pub fn resolve(&mut self, host: HostId) {
        self.wish(host, Wish::Resolve);
    }

    fn happen(&mut self, occurrence: Occurrence) {
        match occurrence {
            Occurrence::Wake { host, life } => self.wake(host, life),
            Occurrence::Ready { host, life } => self.ready(host, life),
            Occurrence::Input { host, life, event } => {
                if self.host(host).life == life {
                    self.input(host, Input::Event(event));
                }
            }
            Occurrence::Datagram { source, destination, bytes } => {
                self.datagram_arrives(source, destination, bytes);
            }
            Occurrence::Handshake { host, life, request, step } => self.handshake(host, life, request, step),
            Occurrence::Arrive { key, side, item } => self.arrive(key, side, item),
            Occurrence::Abort { key, side } => self.abort_arrives(key, side),
            Occurrence::Flush { key, side } => self.flush(key, side),
            Occurrence::Silence { key, side } => self.silence(key, side),
            Occurrence::GiveUp { key, side } => self.give_up(key, side),
            Occurrence::Orphan { key, side, once } => self.orphan(key, side, once),
            Occurrence::CloseDeadline { key, side } => self.close_deadline(key, side),
            Occurrence::Fault(fault) => self.apply(fault),
        }
    }
}
