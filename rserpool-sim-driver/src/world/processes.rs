//! Processes: how they are started, handed what arrives, woken, drained and ended.

use std::net::SocketAddr;
use std::time::Duration;

use rserpool_core::base::ProtocolId;
use rserpool_core::element;
use rserpool_core::endpoint::{Action, Event};

use crate::applications::{Client, Server};
use crate::hosts::Startup;
use crate::hosts::{Body, Input, Output};
use crate::hosts::{Machinery, Process, Program, Report, Wish};
use crate::id::{HostId, UDP_PORT};
use crate::random::{Purpose, stream};
use crate::world::Occurrence;
use crate::world::{Mode, World};

impl World {
    /// Hands a process an event after what happens now.
    pub(crate) fn input_soon(&mut self, host: HostId, event: Event) {
        let life = self.host(host).life;
        self.schedule(self.clock, Occurrence::Input { host, life, event });
    }

    /// Hands a process something, or keeps it until the process can take it.
    pub(crate) fn input(&mut self, host: HostId, input: Input) {
        let clock = self.clock;
        let target = self.host_mut(host);
        if target.body.is_none() {
            return;
        }
        if target.paused {
            target.inbox.push_back(input);
        } else if clock < target.ready || !target.inbox.is_empty() {
            target.inbox.push_back(input);
            if target.inbox.len() == 1 {
                let (at, life) = (target.ready, target.life);
                self.schedule(at, Occurrence::Ready { host, life });
            }
        } else {
            self.handle(host, input);
        }
    }

    fn handle(&mut self, host: HostId, input: Input) {
        let clock = self.clock;
        let target = self.host_mut(host);
        let Some(body) = &mut target.body else { return };
        body.handle(clock, input);
        target.ready = clock + target.slowness;
        self.drain(host);
    }

    /// Lets a process, or its application, do something.
    pub(crate) fn wish(&mut self, host: HostId, wish: Wish) {
        let clock = self.clock;
        if let Some(body) = &mut self.host_mut(host).body {
            body.wish(clock, wish);
            self.drain(host);
        }
    }

    pub(crate) fn ready(&mut self, host: HostId, life: u32) {
        let target = self.host_mut(host);
        if target.life != life || target.paused {
            return;
        }
        let Some(input) = target.inbox.pop_front() else { return };
        self.handle(host, input);
        let target = self.host(host);
        if !target.inbox.is_empty() {
            self.schedule(target.ready.max(self.clock), Occurrence::Ready { host, life });
        }
    }

    pub(crate) fn wake(&mut self, host: HostId, life: u32) {
        let clock = self.clock;
        let target = self.host_mut(host);
        if target.life != life || target.wake.is_none_or(|at| clock < at) {
            return;
        }
        target.wake = None;
        if target.paused {
            return;
        }
        if clock < target.ready {
            let at = target.ready;
            target.wake = Some(at);
            return self.schedule(at, Occurrence::Wake { host, life });
        }
        self.time_out(host);
    }

    fn time_out(&mut self, host: HostId) {
        let clock = self.clock;
        let target = self.host_mut(host);
        let Some(body) = &mut target.body else { return };
        body.handle_timeout(clock);
        target.ready = clock + target.slowness;
        self.drain(host);
    }

    /// Lets a process that was stopped catch up: what has arrived, and its timers, in any order.
    pub(crate) fn catch_up(&mut self, host: HostId) {
        let timers_first = self.host_mut(host).random.below(2) == 0;
        if timers_first {
            self.time_out(host);
        }
        let life = self.host(host).life;
        for _ in 0..self.host(host).inbox.len() {
            if self.host(host).slowness > Duration::ZERO {
                return self.ready(host, life);
            }
            if let Some(input) = self.host_mut(host).inbox.pop_front() {
                self.handle(host, input);
            }
        }
        self.time_out(host);
    }

    /// Starts the host's program.
    pub(crate) fn start(&mut self, id: HostId) {
        let (clock, address) = (self.clock, self.network.address(id));
        let host = &mut self.hosts[id.0];
        host.life += 1;
        host.disturbed = clock;
        host.ready = clock;
        host.died = None;
        let seed = stream(self.seed, id, Purpose::Process(host.life)).next_u64();
        let process = match &mut host.program {
            Program::Registrar(config) => {
                config.addresses = vec![address];
                config.udp_port = UDP_PORT;
                config.seed = seed;
                Process::Registrar(Box::new(rserpool_core::registrar::Registrar::new(config.clone(), clock)))
            }
            Program::Element(config, service) => {
                config.addresses = vec![address];
                config.udp_port = UDP_PORT;
                config.seed = seed;
                let config = element::ElementConfig { id: config.id.or(host.element), ..config.clone() };
                Process::Element(Box::new(Server::new(config, *service, clock)))
            }
            Program::User(config, load) => {
                config.seed = seed;
                Process::User(Box::new(Client::new(config.clone(), load.clone(), clock)))
            }
            Program::Custom(custom) => {
                Process::Custom(Machinery(custom.start(Startup { now: clock, address, seed })))
            }
        };
        match &process {
            Process::Registrar(registrar) => self.history.takeovers.started(registrar.id()),
            Process::Element(server) => host.element = Some(server.element.id()),
            Process::User(_) | Process::Custom(_) => {}
        }
        host.body = Some(match self.mode {
            Mode::Messages => Body::endpoint(clock, process),
            Mode::Packets => {
                let seed = stream(self.seed, id, Purpose::Stack(host.life)).next_u64();
                let local = SocketAddr::new(address, UDP_PORT);
                Body::node(clock, process, &host.program.ports(), self.sctp.config(seed), local)
            }
        });
        self.mark(id, "starts");
        self.drain(id);
        self.reassess_host(id);
    }

    /// Ends the process on a host, without a word to anybody.
    pub(crate) fn exit(&mut self, host: HostId) {
        let clock = self.clock;
        if let Some(registrar) = self.registrar(host) {
            let id = registrar.id();
            self.history.takeovers.ended(clock, id);
        }
        self.history.tables.retain(|(sender, _), _| *sender != host);
        let gone = self.host_mut(host);
        gone.body = None;
        gone.peers.clear();
        gone.inbox.clear();
        gone.wake = None;
        gone.paused = false;
        gone.stopping = false;
        gone.slowness = Duration::ZERO;
        gone.disturbed = clock;
        gone.died = Some(clock);
        self.forget_all(host);
    }

    /// Carries out what a process has decided, until it wants nothing more.
    pub(crate) fn drain(&mut self, host: HostId) {
        let clock = self.clock;
        while let Some(body) = &mut self.hosts[host.0].body
            && let Some(output) = body.poll()
        {
            match output {
                Output::Action(action) => self.carry_out(host, action),
                Output::Datagram(datagram) => self.send_datagram(host, datagram),
                Output::Announce(channel, bytes) => self.announce(host, channel, &bytes),
                Output::Report(report) => self.heed(host, report),
            }
        }
        let target = &self.hosts[host.0];
        let Some(body) = &target.body else { return };
        if body.is_over() {
            self.mark(host, "has stopped");
            return self.exit(host);
        }
        let (next, life) = (body.poll_timeout(), target.life);
        if let Some(at) = next.map(|at| at.max(clock).max(target.ready))
            && target.wake.is_none_or(|wake| at < wake)
        {
            self.hosts[host.0].wake = Some(at);
            self.schedule(at, Occurrence::Wake { host, life });
        }
    }

    /// Takes note of what a process was handed, has done or was told.
    fn heed(&mut self, host: HostId, report: Report) {
        match report {
            Report::Heard(event) => {
                self.note_event(host, &event);
                if let Event::Message { protocol: ProtocolId::ENRP, bytes, .. } = &event {
                    self.history.takeovers.heard(host, bytes);
                }
            }
            Report::Did(Action::Send { association, protocol, bytes, .. }) => {
                self.check_message(host, association, protocol, &bytes);
            }
            Report::Did(_) => {}
            Report::Broke(violation) => self.violated(violation),
            Report::Told(note) => self.note_notice(host, note),
        }
    }
}
