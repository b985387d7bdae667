//! What must hold at every step, whatever is broken. What concerns several registrars is in
//! [`crate::judges`].

use std::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, ElementId, Instant, PoolHandle, ProtocolId};
use rserpool_core::endpoint::Channel;
use rserpool_core::handlespace::PeHandle;
use rserpool_core::registrar::{Notice, RegistrarConfig, RemovalReason};
use rserpool_core::wire::{AsapMessage, EnrpBody, EnrpMessage};
use rserpool_core::{element, user};

use crate::applications::{Client, Note, Violation};
use crate::hosts::Host;
use crate::hosts::Program;
use crate::id::HostId;
use crate::world::{Mode, World};

impl World {
    /// Every message that is sent decodes, with nothing to report.
    pub(crate) fn check_message(
        &mut self,
        host: HostId,
        over: AssociationId,
        protocol: ProtocolId,
        bytes: &Bytes,
    ) {
        let problem = match protocol {
            ProtocolId::ASAP => match AsapMessage::decode(bytes) {
                Ok(decoded) if decoded.report.is_empty() => return self.check_asap(host, &decoded.message),
                Ok(decoded) => format!("{:?}", decoded.report),
                Err(error) => error.to_string(),
            },
            ProtocolId::ENRP => match EnrpMessage::decode(bytes) {
                Ok(decoded) if decoded.report.is_empty() => {
                    return self.check_enrp(host, over, &decoded.message, bytes);
                }
                Ok(decoded) => format!("{:?}", decoded.report),
                Err(error) => error.to_string(),
            },
            _ => return,
        };
        let detail = format!("{} sent {bytes:02x?}: {problem}", self.host(host).name);
        self.violated(Violation::new("every message decodes", detail));
    }

    /// The same for announcements, each channel of which has one kind of message.
    pub(crate) fn check_announce(&mut self, host: HostId, channel: Channel, bytes: &Bytes) {
        let fits = match channel {
            Channel::Asap => matches!(AsapMessage::decode(bytes), Ok(decoded)
                if decoded.report.is_empty() && matches!(decoded.message, AsapMessage::ServerAnnounce { .. })),
            Channel::Enrp => matches!(EnrpMessage::decode(bytes), Ok(decoded)
                if decoded.report.is_empty() && matches!(decoded.message.body, EnrpBody::Presence { .. })),
        };
        if !fits {
            let detail = format!("{} announced {bytes:02x?}", self.host(host).name);
            self.violated(Violation::new("every message decodes", detail));
        }
    }

    fn check_asap(&mut self, host: HostId, message: &AsapMessage) {
        match message {
            AsapMessage::HandleResolutionResponse { handle, error: Some(_), .. } => {
                self.check_unknown_pool(host, handle);
            }
            AsapMessage::HandleResolutionResponse { handle, elements, .. } => {
                let dead = elements.iter().find_map(|element| self.known_dead(host, handle, element.id));
                if let Some(detail) = dead {
                    self.violated(Violation::new("no selection of an element that is long dead", detail));
                }
            }
            AsapMessage::Registration { .. } => {
                self.history.registrations.insert(host, self.clock);
            }
            AsapMessage::Error { error } => {
                let detail = format!("{} sent {error:?}", self.host(host).name);
                self.violated(Violation::new("nobody finds fault with a message of ours", detail));
            }
            _ => {}
        }
    }

    /// Whether an element that a registrar selects has been dead for longer than its keep-alives
    /// explain.
    fn known_dead(&self, registrar: HostId, pool: &PoolHandle, element: ElementId) -> Option<String> {
        let Program::Registrar(config) = self.host(registrar).program() else { return None };
        let mut died: Option<Instant> = None;
        for (_, host) in self.hosts() {
            let Program::Element(program, _) = host.program() else { continue };
            let same = host.element == Some(element) && program.handle == *pool;
            if same && host.process().is_some() {
                return None;
            }
            if same && let Some(when) = host.died {
                died = died.max(Some(when.max(self.host(registrar).disturbed)));
            }
        }
        let died = died.filter(|_| self.host(registrar).is_well())?;
        // Of the elements of others it learns from them, or when it has taken them over.
        let registrars = self.hosts().filter(|(_, host)| matches!(host.program(), Program::Registrar(_)));
        let (died, patience) = match registrars.count() {
            1 => (died, self.patience_with_element(config)),
            _ => {
                let patience = self.scope_settles_within(config) + self.patience_with_element(config);
                (died.max(self.scope_calm_since()?), patience)
            }
        };
        let dead = self.now().since(died);
        (dead > patience).then(|| {
            let name = &self.host(registrar).name;
            format!("{name} selects {pool}/{element}, dead for {dead:?}, which it bears for {patience:?}")
        })
    }

    /// How long a registrar may list an element that is dead: until its next keep-alive, which is
    /// asked over the association and, should that break meanwhile, over a new one.
    pub(crate) fn patience_with_element(&self, config: &RegistrarConfig) -> Duration {
        config.keep_alive_interval * 3 / 2 + config.keep_alive_timeout * 2 + self.network.cable.longest() * 4
    }

    pub(crate) fn check_note(&mut self, host: HostId, note: &Note) {
        if let Note::Registrar(Notice::Moved { .. } | Notice::TakenOver { .. }) = note {
            self.history.takeovers.moves.push(self.clock);
        }
        match note {
            Note::Registrar(Notice::Moved { home, .. }) => {
                self.history.takeovers.yields.push((self.clock, host, *home));
            }
            Note::Registrar(Notice::PeerFound { peer, .. }) => {
                self.history.takeovers.met.insert((host, *peer), self.clock);
            }
            Note::Registrar(Notice::PeerLost { peer }) => {
                self.history.takeovers.lost(self.clock, host, *peer)
            }
            Note::Registrar(Notice::Removed { pe, reason }) => self.check_removal(host, pe, *reason),
            Note::User(user::Notice::ElementFailed { element, reason, .. }) => {
                self.check_failure(host, *element, reason);
            }
            Note::Element(element::Notice::Deregistered) => self.check_expulsion(host),
            Note::Element(element::Notice::Registered { .. }) => {
                self.history.moved.remove(&host);
            }
            Note::Registrar(Notice::TakenOver { target, by, .. })
                if self.registrar(host).is_some_and(|registrar| registrar.id() == *by) =>
            {
                self.check_takeover(host, *target);
            }
            Note::Registrar(Notice::Malformed { error, .. }) => {
                let detail = format!("{}: {error}", self.host(host).name);
                self.violated(Violation::new("nobody finds fault with a message of ours", detail));
            }
            _ => {}
        }
    }

    /// The hosts whose element has, or last had, this name.
    pub(crate) fn hosts_of(&self, pe: &PeHandle) -> Vec<HostId> {
        let is_it = |host: &Host| match host.program() {
            Program::Element(config, _) => host.element == Some(pe.element) && config.handle == pe.pool,
            Program::Registrar(_) | Program::User(..) | Program::Custom(_) => false,
        };
        self.hosts().filter(|(_, host)| is_it(host)).map(|(id, _)| id).collect()
    }

    /// Whether the requests of a user may come to wait for each other so long that they count as
    /// unanswered: real flow control does that to long ones.
    fn is_crowded(&self, client: &Client) -> bool {
        self.mode == Mode::Packets && client.load().octets > 1400
    }

    /// Whether users may have reported elements that are well: they were told to, or are impatient.
    pub(crate) fn has_false_reports(&self) -> bool {
        let mut clients = self.hosts().filter_map(|(id, _)| self.client(id));
        self.history.reports || clients.any(|client| self.is_crowded(client))
    }

    /// No element counts as failed that works and can be reached.
    fn check_failure(&mut self, user: HostId, element: ElementId, reason: &user::FailureReason) {
        let Some(client) = self.client(user) else { return };
        if self.is_crowded(client) && *reason == user::FailureReason::Unanswered {
            return;
        }
        let (pool, config) = (&client.load().pool, client.config());
        let serving = self.hosts_of(&PeHandle { pool: pool.clone(), element });
        let &[server] = serving.as_slice() else { return };
        let settled = (self.sctp.heartbeat + self.sctp.max_silence) * 2 + config.response_timeout * 2;
        let since = self.calm_since(user, server).filter(|_| *reason != user::FailureReason::Asked);
        if let Some(since) = since
            && self.now().since(since) > settled
        {
            let (a, b) = (&self.host(user).name, &self.host(server).name);
            let detail = format!("{a} gave {b} up ({reason}) although they could talk since {since:?}");
            self.violated(Violation::new("no element is given up without a reason", detail));
        }
    }

    /// No element believes that it was removed while its home lists it.
    fn check_expulsion(&mut self, host: HostId) {
        let Some(server) = self.server(host).filter(|server| !server.has_left()) else { return };
        let element = server.element();
        let pe = PeHandle { pool: server.config().handle.clone(), element: element.id() };
        let home =
            self.hosts().filter_map(|(id, _)| Some((id, self.registrar(id)?))).find(|(_, registrar)| {
                registrar.id() == element.home() && registrar.handlespace().get(&pe).is_some()
            });
        let settled = (self.sctp.heartbeat + self.sctp.max_silence) * 2;
        // A removal and a registration may cross; what follows is the answer to the latter.
        let crossing = self.network.cable.longest() * 2;
        if self.history.registrations.get(&host).is_some_and(|sent| self.now().since(*sent) <= crossing) {
            return;
        }
        if let Some((home, _)) = home
            && self.calm_since(home, host).is_some_and(|since| self.now().since(since) > settled)
        {
            let (a, b) = (&self.host(host).name, &self.host(home).name);
            let detail = format!("{a} ({pe}) believes that it was removed, but its home {b} lists it");
            self.violated(Violation::new("elements know whether they are listed", detail));
        }
    }

    /// No registration is lost while its element and its registrar live and can talk.
    fn check_removal(&mut self, registrar: HostId, pe: &PeHandle, reason: RemovalReason) {
        let Program::Registrar(config) = self.host(registrar).program() else { return };
        let id = self.registrar(registrar).map(rserpool_core::registrar::Registrar::id);
        let owners = self.hosts_of(pe);
        // Two with one identifier may well replace each other.
        let &[element] = owners.as_slice() else { return };
        // Who has left answers no former home any more.
        let Some(server) = self.server(element).filter(|server| !server.has_left()) else { return };
        let settled = self.sctp.heartbeat + self.sctp.max_silence + self.sctp.rto_max;
        let asked = config.keep_alive_interval * 2 + config.keep_alive_timeout * 2;
        let patience = match reason {
            RemovalReason::Deregistered => return,
            // Nobody answers any more where it was.
            RemovalReason::Silent if self.history.moved.contains(&element) => return,
            // Where it is may be known by registrars that are cut off from this one.
            RemovalReason::Silent
                if self.history.movers.contains(&element) && !self.scope_has_settled(config) =>
            {
                return;
            }
            RemovalReason::Silent => settled + asked,
            RemovalReason::Expired => {
                let Some(life) = server.config().life.duration() else { return };
                if Some(server.element().home()) != id {
                    return;
                }
                let attempts =
                    server.config().registration_timeout * 4 + server.config().hunt.timeout_max * 2;
                life + server.config().reregistration() + settled + asked + attempts
            }
            RemovalReason::Reported => {
                // Reports are true if any user had trouble with it. Who finds no registrar reports later.
                if self.has_false_reports() {
                    return;
                }
                let hunts =
                    self.hosts().filter_map(|(id, _)| Some(self.client(id)?.config().hunt.timeout_max * 2));
                let late = settled * 4 + hunts.max().unwrap_or_default();
                let users = self.hosts().filter(|(id, _)| self.client(*id).is_some());
                let trouble = users.filter_map(|(user, _)| match self.calm_since(user, element) {
                    Some(since) if self.now().since(since) > late => None,
                    _ => Some(()),
                });
                if trouble.count() > 0 {
                    return;
                }
                late
            }
            // A reason that nobody has judged yet is none.
            _ => Duration::ZERO,
        };
        if let Some(since) = self.calm_since(registrar, element)
            && self.now().since(since) > patience
        {
            let detail = format!(
                "{} removed {pe} ({reason}) although both could talk since {since:?}",
                self.host(registrar).name
            );
            self.violated(Violation::new("no registration is lost without a reason", detail));
        }
    }
}
