//! The course of time: what is due happens, one thing after another.

use std::time::Duration;

use rserpool_core::base::Instant;
use rserpool_core::{element, user};

use super::World;
use crate::fault::Fault;
use crate::hosts::{Input, Wish};
use crate::id::HostId;
use crate::schedule::{AssociationStep, Occurrence};

impl World {
    /// Lets time pass. Stops early, and for good, at the first violation of an invariant.
    pub fn run_for(&mut self, duration: Duration) {
        self.run_until(self.clock + duration);
    }

    /// Lets time pass until `end`, or to the first violation.
    pub fn run_until(&mut self, end: Instant) {
        while self.violation.is_none() {
            let Some((at, occurrence)) = self.schedule.pop_until(end) else {
                self.clock = self.clock.max(end);
                return;
            };
            debug_assert!(at >= self.clock, "time goes back");
            self.clock = at;
            if self.judged && at >= self.judges.next_look() {
                let (judges, view) = self.judges_and_view();
                let verdict = judges.look(&view);
                self.verdict(verdict);
            }
            self.steps += 1;
            self.happen(occurrence);
        }
    }

    /// Makes something happen at a time to come; now, if the time has passed.
    pub fn at(&mut self, time: Instant, fault: Fault) {
        self.schedule.add(time.max(self.clock), Occurrence::Fault(fault));
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
                if self.host(host).life() == life {
                    self.input(host, Input::Event(event));
                }
            }
            Occurrence::Datagram { source, destination, bytes } => {
                self.datagram_arrives(source, destination, bytes);
            }
            Occurrence::Undelivered { host, undelivered } => self.undelivered(host, undelivered),
            Occurrence::Association(step) => self.association_step(step),
            Occurrence::Fault(fault) => self.apply(fault),
        }
    }

    fn association_step(&mut self, step: AssociationStep) {
        let (associations, mut around) = self.associations_and_surroundings();
        let Some(delivery) = associations.happen(&mut around, step) else { return };
        self.input(delivery.host, Input::Event(delivery.event));
        if let Some(key) = delivery.established {
            let (associations, mut around) = self.associations_and_surroundings();
            associations.established(&mut around, key);
        }
    }
}
