//! Processes: how they are started, handed what arrives, woken and ended, and how what they want is
//! carried out.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, ProtocolId};
use rserpool_core::endpoint::{Action, Channel, Connected, Event};
use rserpool_core::registrar::Registrar;
use rserpool_transport::{Datagram, Obstacle, Undelivered};

use super::World;
use crate::applications::Note;
use crate::hosts::{Conditions, Handed, Input, Output, Report, Wish, Woken};
use crate::id::{HostId, UDP_PORT};
use crate::network::quote;
use crate::schedule::Occurrence;

/// The datagrams that wait for a process: what a socket buffer holds. More are lost.
const SOCKET_BUFFER: usize = 1_000;

/// The type of ENRP_HANDLE_UPDATE.
const UPDATE: u8 = 4;

impl World {
    /// Starts the host's program.
    pub(super) fn start(&mut self, host: HostId) {
        let address = self.network.address(host);
        let (now, mode, sctp, seed) = (self.clock, self.mode, self.sctp, self.seed);
        self.hosts.get_mut(host).start(Conditions { now, mode, sctp, seed, address });
        if let Some(registrar) = self.hosts.registrar(host) {
            self.judges.started(host, registrar.id());
        }
        self.mark(host, "starts");
        self.drain(host);
        self.reassess_host(host);
    }

    /// Ends the process on a host, without notice to others.
    pub(super) fn exit(&mut self, host: HostId) {
        let registrar = self.registrar(host).map(Registrar::id);
        let (judges, view) = self.judges_and_view();
        judges.ended(&view, host, registrar);
        self.hosts.get_mut(host).exit(self.clock);
        let (associations, mut around) = self.associations_and_surroundings();
        associations.forget_all(&mut around, host);
    }

    // What it is handed

    /// Hands a process something, or keeps it until the process can take it.
    pub(super) fn input(&mut self, host: HostId, input: Input) {
        match self.hosts.get_mut(host).input(self.clock, input) {
            Handed::Handled => self.drain(host),
            Handed::ReadyAt(at) => {
                let life = self.host(host).life();
                self.schedule.add(at, Occurrence::Ready { host, life });
            }
            Handed::Nothing => {}
        }
    }

    /// A slow process takes its next input.
    pub(super) fn ready(&mut self, host: HostId, life: u32) {
        let target = self.hosts.get_mut(host);
        if target.life() != life || target.is_paused() || !target.handle_waiting(self.clock) {
            return;
        }
        self.drain(host);
        if let Some(at) = self.host(host).ready_at(self.clock) {
            self.schedule.add(at, Occurrence::Ready { host, life });
        }
    }

    pub(super) fn wake(&mut self, host: HostId, life: u32) {
        let target = self.hosts.get_mut(host);
        if target.life() != life {
            return;
        }
        match target.wake(self.clock) {
            Woken::TimedOut => self.drain(host),
            Woken::At(at) => self.schedule.add(at, Occurrence::Wake { host, life }),
            Woken::Nothing => {}
        }
    }

    /// Lets a process that was frozen catch up: what has arrived, and its timers, in any order.
    pub(super) fn catch_up(&mut self, host: HostId) {
        let timers_first = self.hosts.get_mut(host).draw(2) == 0;
        if timers_first {
            self.time_out(host);
        }
        let life = self.host(host).life();
        for _ in 0..self.host(host).waiting() {
            if self.host(host).is_slow() {
                return self.ready(host, life);
            }
            if self.hosts.get_mut(host).handle_waiting(self.clock) {
                self.drain(host);
            }
        }
        self.time_out(host);
    }

    fn time_out(&mut self, host: HostId) {
        self.hosts.get_mut(host).time_out(self.clock);
        self.drain(host);
    }

    /// Lets a process, or its application, do something.
    pub(super) fn wish(&mut self, host: HostId, wish: Wish) {
        self.hosts.get_mut(host).wish(self.clock, wish);
        self.drain(host);
    }

    // What it wants

    /// Carries out what a process has decided, until it wants nothing more.
    pub(super) fn drain(&mut self, host: HostId) {
        while let Some(output) = self.hosts.get_mut(host).poll() {
            match output {
                Output::Action(action) => self.carry_out(host, action),
                Output::Datagram(datagram) => self.send_datagram(host, datagram),
                Output::Announce(channel, bytes) => self.announce(host, channel, &bytes),
                Output::Report(report) => self.handle_report(host, report),
            }
        }
        if self.host(host).is_over() {
            self.mark(host, "has stopped");
            return self.exit(host);
        }
        if let Some(at) = self.hosts.get_mut(host).poll_wake(self.clock) {
            let life = self.host(host).life();
            self.schedule.add(at, Occurrence::Wake { host, life });
        }
    }

    /// Does what an endpoint wants done over modelled associations.
    fn carry_out(&mut self, host: HostId, action: Action) {
        if let Action::Announce { channel, bytes } = action {
            return self.announce(host, channel, &bytes);
        }
        if let Action::Send { association, protocol, stream, bytes } = &action {
            self.message(host, *association, *protocol, bytes);
            if self.is_lost(host, *association, *protocol, bytes) {
                return;
            }
            if self.record.captures()
                && let Some(direction) = self.associations.direction(host, *association)
            {
                self.record.message(self.clock, direction, *stream, *protocol, bytes);
            }
        }
        let (associations, mut around) = self.associations_and_surroundings();
        let around = &mut around;
        match action {
            Action::Connect { request, local_port, peer, deadline } => {
                associations.connect(around, host, request, local_port, peer, deadline);
            }
            Action::CancelConnect { request } => associations.cancel(around, host, request),
            Action::Send { association, protocol, stream, bytes } => {
                associations.send(around, host, association, protocol, stream, bytes);
            }
            Action::Shutdown { association, deadline } => {
                associations.shut_down(around, host, association, deadline);
            }
            Action::Abort { association, cause } => associations.abort(around, host, association, cause),
            // Modelled associations have no receive window.
            Action::Hold { .. } | Action::Release { .. } => {}
            Action::Announce { .. } => {}
        }
    }

    /// A process sends a message.
    fn message(&mut self, host: HostId, over: AssociationId, protocol: ProtocolId, bytes: &Bytes) {
        if !self.network.is_unplugged(host) {
            self.traffic.add(protocol, bytes);
        }
        if self.judged {
            let (judges, view) = self.judges_and_view();
            let verdict = judges.message(&view, host, over, protocol, bytes);
            self.verdict(verdict);
        }
    }

    /// Whether a message is an update of the handlespace that gets lost on its way.
    fn is_lost(&self, host: HostId, over: AssociationId, protocol: ProtocolId, bytes: &Bytes) -> bool {
        let update = protocol == ProtocolId::ENRP && bytes.first() == Some(&UPDATE);
        let peer = self.host(host).peer(over).filter(|_| update);
        peer.is_some_and(|peer| !self.network.passes_updates(host, peer))
    }

    /// Sends an announcement to all that listen.
    fn announce(&mut self, from: HostId, channel: Channel, bytes: &Bytes) {
        if self.judged {
            let (judges, view) = self.judges_and_view();
            let verdict = judges.announcement(&view, from, channel, bytes);
            self.verdict(verdict);
        }
        let source = self.network.socket(from);
        let listeners: Vec<(HostId, u32)> = self
            .hosts()
            .filter(|(id, host)| *id != from && host.hears(channel))
            .map(|(id, host)| (id, host.life()))
            .collect();
        for (host, life) in listeners {
            for _ in 0..self.network.copies(from, host) {
                if let Some(delay) = self.network.datagram(from, host) {
                    let event = Event::Announce { channel, source, bytes: bytes.clone() };
                    self.schedule.add(self.clock + delay, Occurrence::Input { host, life, event });
                }
            }
        }
    }

    /// A node sends a datagram of its SCTP stack: the network delays, loses, duplicates and reorders it like
    /// any other. The stack itself decides what breaks an association.
    fn send_datagram(&mut self, from: HostId, datagram: Datagram) {
        let Datagram { destination, bytes } = datagram;
        let source = self.network.socket(from);
        self.record.datagram(self.clock, from, source, destination, &bytes);
        if let Some(forged) = self.network.forge(destination, &bytes) {
            self.tell_undelivered(self.network.cable().delay, from, forged);
        }
        let Some(to) = self.network.owner(destination.ip()) else {
            return self.send_back(from, from, destination, Obstacle::NoRoute, &bytes);
        };
        for _ in 0..self.network.copies(from, to) {
            if let Some(delay) = self.network.datagram(from, to) {
                let bytes = bytes.clone();
                self.schedule.add(self.clock + delay, Occurrence::Datagram { source, destination, bytes });
            }
        }
    }

    /// A datagram arrives at the host that has its destination address now, if there is one.
    pub(super) fn datagram_arrives(&mut self, source: SocketAddr, destination: SocketAddr, bytes: Bytes) {
        let Some(host) = self.network.owner(destination.ip()) else { return };
        if destination.port() != UDP_PORT.0 || !self.host(host).is_running() {
            if let Some(sender) = self.network.owner(source.ip()) {
                self.send_back(host, sender, destination, Obstacle::PortClosed, &bytes);
            }
        } else if self.host(host).waiting() < SOCKET_BUFFER {
            self.input(host, Input::Datagram(source, bytes));
        }
    }

    /// The network returns a datagram to its sender; that may get lost, too.
    fn send_back(
        &mut self,
        at: HostId,
        to: HostId,
        destination: SocketAddr,
        obstacle: Obstacle,
        bytes: &Bytes,
    ) {
        let undelivered = Undelivered { destination, obstacle, quote: quote(bytes) };
        if let Some(delay) = self.network.report(at, to) {
            self.tell_undelivered(delay, to, undelivered);
        }
    }

    fn tell_undelivered(&mut self, delay: Duration, host: HostId, undelivered: Undelivered) {
        self.schedule.add(self.clock + delay, Occurrence::Undelivered { host, undelivered });
    }

    /// A host is told that a datagram of it, or of a process before, was not delivered.
    pub(super) fn undelivered(&mut self, host: HostId, undelivered: Undelivered) {
        if self.host(host).waiting() < SOCKET_BUFFER {
            self.input(host, Input::Undelivered(undelivered));
        }
    }

    // What it reports

    /// Takes note of what a process was handed, has done or was told.
    fn handle_report(&mut self, host: HostId, report: Report) {
        match report {
            Report::Heard(event) => self.handle_event(host, &event),
            Report::Did(Action::Send { association, protocol, bytes, .. }) => {
                self.message(host, association, protocol, &bytes);
            }
            Report::Did(_) => {}
            Report::Broke(violation) => self.violated(violation),
            Report::Told(note) => self.handle_note(host, note),
        }
    }

    fn handle_event(&mut self, host: HostId, event: &Event) {
        if let Event::Connected(Connected { association, peer, .. }) = event
            && let Some(peer) = peer.addresses().iter().find_map(|address| self.network.owner(*address))
        {
            self.hosts.get_mut(host).connected(*association, peer);
        }
        self.record.event(self.clock, &self.hosts, host, event);
        match event {
            Event::Disconnected { association, .. } => self.hosts.get_mut(host).disconnected(*association),
            Event::Message { protocol, bytes, .. } if self.judged => {
                let (judges, view) = self.judges_and_view();
                judges.heard(&view, host, *protocol, bytes);
            }
            _ => {}
        }
    }

    fn handle_note(&mut self, host: HostId, note: Note) {
        self.record.notice(self.clock, &self.hosts, host, &note);
        if self.judged {
            let (judges, view) = self.judges_and_view();
            let verdict = judges.notice(&view, host, &note);
            self.verdict(verdict);
        }
        self.record.keep(self.clock, host, note);
    }
}
