//! The pool element: a server's place in a pool, and its side of the sessions with users.
//!
//! It finds a registrar, registers, renews the registration, answers keep-alives, follows a change of its
//! home registrar, and leaves cleanly (RFC 5352 sections 3.1, 3.2, 3.4 and 3.6). It passes application
//! messages through without looking at them, and hands cookies to users and from users to the application.
//!
//! The parts do not call each other: `membership` is the place in the pool, `registrar` the home registrar
//! and the hunt for one, `links` are the associations. What they decide is carried out here.

mod config;
mod context;
mod counters;
mod interface;
mod links;
mod load;
mod membership;
mod pace;
mod registrar;
mod seal;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use crate::base::{
    AssociationId, CommandId, ElementId, Instant, ProtocolId, Random, RegistrarId, TransportAddress,
};
#[doc(no_inline)]
pub use crate::endpoint::Refusal;
use crate::endpoint::received::{Received, asap_error};
use crate::endpoint::{
    AbortCause, Action, Channel, Connected, DownReason, Endpoint, Event, Origin, Outbox, Output,
};
use crate::wire::AsapMessage;
pub use config::ElementConfig;
use context::Context;
pub use counters::Counters;
pub use interface::{
    Answer, Command, DeregistrationError, Message, Notice, RegistrationError, Status, UpdateError,
};
use links::{Links, Taken};
use load::Loads;
use membership::{Due, Membership, Then};
use registrar::{Claim, Home, Registrar};
pub use seal::{CookieError, CookieSeal, Seal};

/// A pool element.
///
/// ```
/// use core::time::Duration;
/// use rserpool_core::base::{Instant, SctpAddress, SctpPort, UdpPort};
/// use rserpool_core::element::{Element, ElementConfig};
/// use rserpool_core::endpoint::{Action, Endpoint};
///
/// let registrar = SctpAddress::new([127, 0, 0, 1].into(), SctpPort(3863), UdpPort(20001));
/// let mut config = ElementConfig::fast("EchoPool".into(), 1);
/// config.addresses = vec![[127, 0, 0, 1].into()];
/// config.udp_port = UdpPort(40001);
/// config.hunt.registrars = vec![registrar.clone()];
/// config.check()?;
/// let mut element = Element::new(config, Instant::ORIGIN);
/// let Some(Action::Connect { local_port: SctpPort(7), peer, .. }) = element.poll_action() else { panic!() };
/// assert_eq!(peer, registrar.into());
/// # Ok::<(), rserpool_core::endpoint::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct Element {
    context: Context,
    registrar: Registrar,
    membership: Membership,
    links: Links,
    loads: Loads,
    phase: Phase,
}

/// How far a shutdown has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// Deregistering; sessions go on.
    Leaving {
        deadline: Instant,
    },
    /// Every association is being closed, a session when the requests in work are answered.
    Closing {
        deadline: Instant,
    },
    Stopped,
}

impl Element {
    /// An element that begins to hunt for a registrar at once.
    ///
    /// The configuration is not checked here: [`ElementConfig::check`] does that.
    pub fn new(config: ElementConfig, now: Instant) -> Self {
        let id = config.id.unwrap_or_else(|| ElementId(Random::new(config.seed).identifier()));
        let mut element = Self {
            registrar: Registrar::new(config.hunt.clone(), config.port),
            membership: Membership::new(config.policy.clone()),
            links: Links::default(),
            loads: Loads::default(),
            phase: Phase::Running,
            context: Context {
                config,
                id,
                counters: Counters::default(),
                outbox: Outbox::default(),
                card: None,
            },
        };
        element.seek(now, None);
        element
    }

    /// The PE identifier.
    pub const fn id(&self) -> ElementId {
        self.context.id
    }

    /// The home registrar; [`RegistrarId::NONE`] while there is none or it has not named itself.
    pub fn home(&self) -> RegistrarId {
        self.registrar.home().map_or(RegistrarId::NONE, |home| home.id)
    }

    /// Whether a registrar has granted the registration, and none has ended it since.
    pub const fn is_registered(&self) -> bool {
        self.membership.is_granted()
    }

    /// The number of sessions with users that are open.
    pub const fn sessions(&self) -> usize {
        self.links.sessions()
    }

    /// The number of messages received in these sessions that the application has not answered: each message
    /// that it sends counts as the answer to one that it has received in the same session.
    pub const fn open_requests(&self) -> usize {
        self.links.open_requests()
    }

    fn status(&self) -> Status {
        Status {
            home: Some(self.home()).filter(|home| *home != RegistrarId::NONE),
            registered: self.is_registered(),
            sessions: self.sessions(),
            open_requests: self.open_requests(),
        }
    }

    /// Counts of what has happened so far.
    pub const fn counters(&self) -> &Counters {
        &self.context.counters
    }

    fn handle_connected(
        &mut self,
        now: Instant,
        association: AssociationId,
        origin: Origin,
        peer: TransportAddress,
    ) {
        let Origin::Attempt(request) = origin else { return self.handle_accepted(now, association, peer) };
        match self.registrar.handle_connected(&mut self.context, request, association) {
            Some(home) => {
                self.links.opened(association, peer);
                let then = self.membership.handle_home(now, &mut self.context, home);
                self.carry_out(now, then, None);
            }
            None => self.context.outbox.act(Action::Abort { association, cause: AbortCause::User }),
        }
    }

    /// A peer has opened an association.
    fn handle_accepted(&mut self, now: Instant, association: AssociationId, peer: TransportAddress) {
        if self.phase != Phase::Running {
            return links::refuse(&mut self.context, association);
        }
        let is_registrar = self.registrar.known_at(now, &peer).is_some();
        if self.links.accept(&mut self.context, association, peer, is_registrar) && is_registrar {
            self.end_hunt_if_connected(now);
        }
    }

    fn handle_message(
        &mut self,
        now: Instant,
        association: AssociationId,
        protocol: ProtocolId,
        stream: u16,
        bytes: Bytes,
    ) {
        match protocol {
            _ if !self.links.contains(association) => {}
            ProtocolId::ASAP => self.handle_asap(now, association, &bytes),
            ProtocolId::ENRP => self.context.counters.unexpected += 1,
            _ => match self.links.handle_message(&mut self.context, association, protocol, stream, bytes) {
                Taken::Yes => {}
                Taken::LinkGone => self.handle_link_gone(now, association),
            },
        }
    }

    fn handle_asap(&mut self, now: Instant, association: AssociationId, bytes: &Bytes) {
        let Received { message, report } = AsapMessage::decode(bytes).into();
        let context = &mut self.context;
        if let Some(error) = report.and_then(|report| asap_error(report, context.config.padding)) {
            context.counters.errors_sent += 1;
            context.outbox.send(association, ProtocolId::ASAP, error);
        }
        let Ok(message) = message else {
            context.counters.malformed += 1;
            return;
        };
        self.registrar.heard(association);
        let home = self.registrar.home_at(association);
        let then = match message {
            AsapMessage::RegistrationResponse { rejected, handle, element, error } => match home {
                Some(home) if context.is_about_us(&handle, element) => {
                    let answer = if rejected { Err(error) } else { Ok(error) };
                    let then = self.membership.handle_answer(now, context, home, answer);
                    self.registrar.handle_served();
                    if !rejected && let Some(former) = self.registrar.take_former() {
                        self.links.close_registrar(now, &mut self.context, former);
                    }
                    then
                }
                _ => unexpected(context),
            },
            AsapMessage::DeregistrationResponse { handle, element, error }
                if context.is_about_us(&handle, element) =>
            {
                self.membership.handle_deregistration(now, context, home, error)
            }
            AsapMessage::EndpointKeepAlive { home, registrar, handle, element } => {
                // A keep-alive for another element, such as one of an earlier process, also shows that its
                // sender is a registrar. Whether it is one of ours is asked when one is needed.
                self.links.mark_registrar(association);
                if context.is_about_us(&handle, element.unwrap_or(context.id)) {
                    return self.handle_keep_alive(now, association, registrar, home);
                }
                context.counters.foreign_keep_alives += 1;
                Then::Nothing
            }
            AsapMessage::Error { error } => {
                context.counters.errors_received += 1;
                if let Some(home) = home {
                    self.membership.handle_error(context, home, error);
                }
                Then::Nothing
            }
            AsapMessage::CookieEcho { cookie } => {
                if self.links.handle_cookie_echo(context, association, &cookie) == Taken::LinkGone {
                    self.handle_link_gone(now, association);
                }
                return;
            }
            AsapMessage::BusinessCard { handle, policy: _, elements } => {
                if self.links.handle_card(context, association, handle, elements) == Taken::LinkGone {
                    self.handle_link_gone(now, association);
                }
                return;
            }
            _ => unexpected(context),
        };
        self.carry_out(now, then, None);
    }

    /// KA1 to KA2.4. An element that has left does not answer, so that no registrar lists it again.
    fn handle_keep_alive(
        &mut self,
        now: Instant,
        association: AssociationId,
        registrar: RegistrarId,
        wants_home: bool,
    ) {
        let context = &mut self.context;
        if self.membership.has_left() {
            context.counters.unexpected += 1;
            return;
        }
        let (handle, element) = (context.config.handle.clone(), context.id);
        context.send(association, &AsapMessage::EndpointKeepAliveAck { handle, element });
        context.counters.keep_alives += 1;
        if self.registrar.home_at(association).is_some() {
            self.membership.handle_keep_alive();
            self.registrar.handle_served();
        }
        match self.registrar.handle_keep_alive(context, association, registrar, wants_home) {
            Claim::None => {}
            Claim::Adopt => self.adopt(now, association, registrar),
            // The registrar may list us from an earlier process: now it gets a registration.
            Claim::Vacant => self.end_hunt_if_connected(now),
        }
    }

    fn handle_disconnected(&mut self, now: Instant, association: AssociationId, reason: DownReason) {
        if self.links.remove(&mut self.context, association, reason) {
            self.handle_link_gone(now, association);
        }
    }

    /// A link is gone: if it led to the home registrar, that is lost.
    fn handle_link_gone(&mut self, now: Instant, association: AssociationId) {
        if let Some(lost) = self.registrar.take_home_at(association) {
            self.context.counters.homes_lost += 1;
            let then = self.membership.handle_home_gone(&mut self.context);
            self.carry_out(now, then, Some(lost.registrar));
        }
        self.stop_if_closed();
    }

    /// Does what the membership has decided; a hunt tries the registrar to `avoid` last.
    fn carry_out(&mut self, now: Instant, then: Then, avoid: Option<TransportAddress>) {
        match then {
            Then::Nothing => {}
            Then::Seek => {
                if let Some(registrar) = avoid.clone() {
                    self.context.outbox.tell(Notice::RegistrarLost { registrar });
                }
                self.seek(now, avoid);
            }
            Then::LeaveHome => {
                let refuser = self.abort_home();
                self.seek(now, refuser);
            }
            Then::StopSeeking => self.registrar.stop_hunt(&mut self.context),
            Then::HasLeft => {
                self.registrar.stop_hunt(&mut self.context);
                if let Phase::Leaving { deadline } = self.phase {
                    self.close_all(now, deadline);
                }
            }
        }
    }

    /// Looks for a registrar other than `avoid`: one that is connected to us already, or by a hunt.
    fn seek(&mut self, now: Instant, avoid: Option<TransportAddress>) {
        if !self.registrar.is_hunting() && !self.take_connected_registrar(now, avoid.as_ref()) {
            self.registrar.start_hunt(now, &mut self.context, avoid);
        }
    }

    /// Ends a hunt that is on if a registrar has connected to us. This is necessary: a second association
    /// between the same two ports cannot come up.
    fn end_hunt_if_connected(&mut self, now: Instant) {
        if self.registrar.is_hunting() {
            self.take_connected_registrar(now, None);
        }
    }

    /// If a known registrar has an association with us, makes it our home.
    fn take_connected_registrar(&mut self, now: Instant, avoid: Option<&TransportAddress>) -> bool {
        let known = |peer: &TransportAddress| {
            self.registrar.known_at(now, peer).filter(|registrar| avoid != Some(*registrar)).cloned()
        };
        let Some((association, registrar)) = self.links.find_registrar(known) else { return false };
        let home = Home { association, registrar, id: RegistrarId::NONE, adopted: false };
        let home = self.registrar.set_home(&mut self.context, home);
        let then = self.membership.handle_home(now, &mut self.context, home);
        self.carry_out(now, then, None);
        true
    }

    /// Another registrar has taken the element over (KA2.4). It is registered with at once, over
    /// the association by which it spoke (reading B42).
    fn adopt(&mut self, now: Instant, association: AssociationId, id: RegistrarId) {
        let Some(registrar) = self.links.peer(association).cloned() else { return };
        self.context.counters.home_changes += 1;
        self.context.outbox.tell(Notice::HomeChanged { home: id });
        let home =
            self.registrar.set_home(&mut self.context, Home { association, registrar, id, adopted: true });
        let then = self.membership.handle_new_home(now, &mut self.context, home);
        self.carry_out(now, then, None);
    }

    /// Gives the silent home registrar up: a new attempt from the same port must not meet the old
    /// association.
    fn drop_home(&mut self, now: Instant) {
        let silent = self.abort_home();
        let then = self.membership.handle_home_gone(&mut self.context);
        self.carry_out(now, then, silent);
    }

    /// Ends the association with the home registrar, and says where that is.
    fn abort_home(&mut self) -> Option<TransportAddress> {
        let home = self.registrar.take_home()?;
        self.links.abort(&mut self.context, home.association);
        Some(home.registrar)
    }

    /// Leaves the pool, before `limit` if there is one; the end answers `command`.
    fn leave(&mut self, now: Instant, limit: Option<Instant>, command: Option<CommandId>) {
        let home = self.registrar.home();
        let then = self.membership.leave(now, &mut self.context, home, limit, command);
        self.carry_out(now, then, None);
    }

    fn close_all(&mut self, now: Instant, deadline: Instant) {
        self.phase = Phase::Closing { deadline };
        self.links.close_all(now, &mut self.context, deadline);
        self.stop_if_closed();
    }

    /// The shutdown has lasted too long: whatever is left is aborted.
    fn abort_all(&mut self) {
        self.registrar.take_home();
        self.links.abort_all(&mut self.context);
        self.stop_if_closed();
    }

    fn stop_if_closed(&mut self) {
        if matches!(self.phase, Phase::Closing { .. }) && self.links.is_empty() {
            self.phase = Phase::Stopped;
            self.context.outbox.tell(Notice::Stopped);
        }
    }

    /// Carries a command out, and answers it now or later.
    fn execute(&mut self, now: Instant, id: CommandId, command: Command) {
        let context = &mut self.context;
        let closing = matches!(self.phase, Phase::Closing { .. } | Phase::Stopped);
        let about_session = matches!(command, Command::Send(_) | Command::SendCookie { .. });
        let result = match command {
            Command::Send(Message { session, protocol, stream, bytes }) => {
                self.links.send(now, context, session, protocol, stream, bytes)
            }
            Command::SendCookie { session, cookie } => self.links.send_cookie(now, context, session, cookie),
            Command::SetCard(elements) => self.links.set_card(context, elements),
            Command::Close { session } => self.links.close(now, context, session),
            Command::Deregister if self.phase == Phase::Stopped => {
                let refused = DeregistrationError::Refused(Refusal::ShuttingDown);
                return context.outbox.answer(id, Answer::Deregistered(Err(refused)));
            }
            // The answer comes at the end of the deregistration.
            Command::Deregister => return self.leave(now, None, Some(id)),
            Command::UseRegistrars(registrars) => {
                self.registrar.use_registrars(registrars);
                Ok(())
            }
            Command::UpdatePolicy(policy) => {
                let then = self.membership.update_policy(now, context, self.registrar.home(), policy, id);
                return self.carry_out(now, then, None);
            }
            Command::SetLoad(load) => {
                context.outbox.answer(id, Answer::Done(Ok(())));
                let told = self.loads.set(now, context.config.load_interval, load);
                return self.tell_load(now, told);
            }
            Command::Status => {
                let status = self.status();
                return self.context.outbox.answer(id, Answer::Status(status));
            }
        };
        context.outbox.answer(
            id,
            Answer::Done(match result {
                Err(Refusal::UnknownSession) if closing && about_session => Err(Refusal::ShuttingDown),
                result => result,
            }),
        );
    }

    /// Registers with another load, if there is one to be told.
    fn tell_load(&mut self, now: Instant, load: Option<u32>) {
        let Some(load) = load else { return };
        let then = self.membership.set_load(now, &mut self.context, self.registrar.home(), load);
        self.carry_out(now, then, None);
    }

    /// What holds between the parts after every input.
    fn check_invariants(&self) {
        let home = self.registrar.home();
        debug_assert!(home.is_none_or(|home| self.links.contains(home.association)), "the home is linked");
        debug_assert!(home.is_some() || !self.membership.needs_home(), "there is a registrar to answer");
        debug_assert!(home.is_none() || !self.registrar.is_hunting(), "a home ends the hunt");
        debug_assert!(self.registrar.is_hunting() || !self.membership.is_seeking(), "seeking is hunting");
        debug_assert!(self.phase != Phase::Stopped || self.links.is_empty(), "stopped without links");
        debug_assert!(self.links.places() <= self.context.config.max_sessions, "sessions are bounded");
    }
}

fn unexpected(context: &mut Context) -> Then {
    context.counters.unexpected += 1;
    Then::Nothing
}

impl Endpoint for Element {
    type Command = Command;
    type Answer = Answer;
    type Notice = Notice;

    fn handle_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Connected(Connected { association, origin, peer, .. }) => {
                self.handle_connected(now, association, origin, peer);
            }
            Event::ConnectFailed { request, reason } => {
                self.registrar.handle_connect_failed(now, &mut self.context, request, &reason);
            }
            Event::Message { association, protocol, stream, bytes } => {
                self.handle_message(now, association, protocol, stream, bytes);
            }
            Event::Congested { association } => self.links.handle_congested(association),
            Event::Drained { association } => self.links.handle_drained(&mut self.context, association),
            Event::Disconnected { association, reason } => {
                self.handle_disconnected(now, association, reason);
            }
            Event::Announce { channel: Channel::Asap, source, bytes } => {
                self.registrar.handle_announce(now, &mut self.context, source, &bytes);
                self.end_hunt_if_connected(now);
            }
            Event::Addresses { .. }
            | Event::Arriving { .. }
            | Event::HungUp { .. }
            | Event::Announce { channel: Channel::Enrp, .. } => {}
        }
        self.check_invariants();
    }

    fn handle_command(&mut self, now: Instant, id: CommandId, command: Command) {
        self.execute(now, id, command);
        self.check_invariants();
    }

    fn handle_timeout(&mut self, now: Instant) {
        match self.membership.handle_timeout(now, &mut self.context, self.registrar.home()) {
            Due::HomeIsSilent => self.drop_home(now),
            Due::Then(then) => self.carry_out(now, then, None),
        }
        if self.registrar.handle_timeout(now, &mut self.context) {
            let then = self.membership.handle_hunt_given_up(&mut self.context);
            self.carry_out(now, then, None);
        }
        self.links.handle_timeout(now, &mut self.context);
        let load = self.loads.take_due(now, self.context.config.load_interval);
        self.tell_load(now, load);
        match self.phase {
            Phase::Leaving { deadline } if deadline <= now => {
                let then = self.membership.stop(&mut self.context);
                self.carry_out(now, then, None);
                self.abort_all();
            }
            Phase::Closing { deadline } if deadline <= now => self.abort_all(),
            _ => {}
        }
        self.check_invariants();
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.context.outbox.actions.pop_front()
    }

    fn poll_output(&mut self) -> Option<Output<Answer, Notice>> {
        self.context.outbox.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Leaving { deadline } | Phase::Closing { deadline } => Some(deadline),
            Phase::Running | Phase::Stopped => None,
        };
        let parts = [self.membership.deadline(), self.registrar.poll_timeout(), self.links.poll_timeout()];
        parts.into_iter().chain([self.loads.poll_timeout(), phase]).flatten().min()
    }

    /// Leaves the pool first, so that no user is sent here any more. Then sessions without open requests are
    /// closed in order, by which their users know at once that they have to move; the others follow as soon
    /// as their requests are answered, and what is left at the deadline is aborted. If the application uses cookies,
    /// the users get the last ones first: see [`Notice::CookieWanted`].
    fn begin_shutdown(&mut self, now: Instant, deadline: Instant) {
        if self.phase != Phase::Running {
            return;
        }
        self.phase = Phase::Leaving { deadline };
        // The other half of the time is for the associations.
        self.leave(now, Some(now + (deadline - now) / 2), None);
        if self.membership.has_left() {
            self.close_all(now, deadline);
        }
        self.check_invariants();
    }

    fn is_stopped(&self) -> bool {
        self.phase == Phase::Stopped
    }
}
