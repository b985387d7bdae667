//! The pool element: a server's place in a pool, and its half of the sessions with users.
//!
//! It finds a registrar, registers, renews the registration, answers keep-alives, follows a change
//! of its home registrar, and leaves cleanly (RFC 5352 sections 3.1, 3.2, 3.4 and 3.6). It passes
//! application messages through; what they mean is the application's business.

mod config;
mod counters;
mod home;
mod interface;
mod leave;
mod membership;
mod registration;
mod sessions;
#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::base::{
    AssociationId, CommandId, ConnectId, ElementId, Instant, ProtocolId, Random, RegistrarId,
    TransportAddress,
};
use crate::endpoint::hunt::{ConnectIds, Hunt, RoundEnd};
use crate::endpoint::received::{Received, asap_error};
use crate::endpoint::{AbortCause, Action, Channel, DownReason, Endpoint, Event, Outbox};
use crate::wire::AsapMessage;
pub use config::ElementConfig;
pub use counters::Counters;
use home::Home;
pub use interface::{Command, Notice, Refusal, RegistrationError};
use membership::Membership;
use sessions::Association;

/// A pool element.
///
/// ```
/// use core::time::Duration;
/// use rserpool_core::base::{Instant, TransportAddress};
/// use rserpool_core::element::{Element, ElementConfig};
/// use rserpool_core::endpoint::{Action, Endpoint, hunt::HuntConfig};
///
/// let registrar = TransportAddress::new([127, 0, 0, 1].into(), 3863, 20001);
/// let hunt = HuntConfig::fast(vec![registrar.clone()]);
/// let config = ElementConfig::fast("EchoPool".into(), vec![[127, 0, 0, 1].into()], 7, 40001, hunt, 1);
/// config.check()?;
/// let mut element = Element::new(config, Instant::ORIGIN);
/// let Some(Action::Connect { local_port: 7, peer, .. }) = element.poll_action() else { panic!() };
/// assert_eq!(peer, registrar);
/// # Ok::<(), rserpool_core::endpoint::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct Element {
    config: ElementConfig,
    id: ElementId,
    out: Outbox<Notice>,
    counters: Counters,
    connects: ConnectIds,
    hunt: Hunt,
    home: Option<Home>,
    membership: Membership,
    associations: BTreeMap<AssociationId, Association>,
    /// The associations with registrars: those that have spoken, and those known to be some.
    registrars: BTreeSet<AssociationId>,
    /// How many associations are sessions.
    sessions: usize,
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
    /// Every association is being closed.
    Closing {
        deadline: Instant,
    },
    Stopped,
}

impl Element {
    /// An element that begins to hunt for a registrar at once.
    ///
    /// The configuration is taken as it is; [`ElementConfig::check`] finds what cannot work.
    pub fn new(config: ElementConfig, now: Instant) -> Self {
        let id = config.id.unwrap_or_else(|| ElementId(Random::new(config.seed).identifier()));
        let mut element = Self {
            id,
            out: Outbox::default(),
            counters: Counters::default(),
            connects: ConnectIds::default(),
            // The registrar connects to the port it was contacted from.
            hunt: Hunt::new(config.hunt.clone(), config.port),
            home: None,
            membership: Membership::new(config.policy.clone()),
            associations: BTreeMap::new(),
            registrars: BTreeSet::new(),
            sessions: 0,
            phase: Phase::Running,
            config,
        };
        element.register(now);
        element
    }

    /// The PE identifier.
    pub const fn id(&self) -> ElementId {
        self.id
    }

    /// The home registrar; [`RegistrarId::NONE`] while there is none or it has not named itself.
    pub fn home(&self) -> RegistrarId {
        self.home.as_ref().map_or(RegistrarId::NONE, |home| home.id)
    }

    /// Whether a registrar has granted the registration, and none has ended it since.
    pub const fn is_registered(&self) -> bool {
        self.membership.granted
    }

    /// How many sessions with users are open.
    pub const fn sessions(&self) -> usize {
        self.sessions
    }

    /// What has happened so far, in numbers.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    fn connected(
        &mut self,
        now: Instant,
        association: AssociationId,
        request: Option<ConnectId>,
        peer: TransportAddress,
    ) {
        match request {
            None => self.accept(now, association, peer),
            Some(request) => match self.hunt.handle_connected(request, &mut self.out.actions) {
                Some(registrar) => {
                    self.associations.insert(association, Association::outbound(peer));
                    self.registrars.insert(association);
                    self.home_found(now, Home { association, registrar, id: RegistrarId::NONE });
                }
                None => self.out.act(Action::Abort { association, cause: AbortCause::User }),
            },
        }
    }

    fn message(
        &mut self,
        now: Instant,
        association: AssociationId,
        protocol: ProtocolId,
        stream: u16,
        bytes: Bytes,
    ) {
        match protocol {
            _ if !self.associations.contains_key(&association) => {}
            ProtocolId::ASAP => self.asap_message(now, association, &bytes),
            ProtocolId::ENRP => self.counters.unexpected += 1,
            _ => self.application_message(now, association, protocol, stream, bytes),
        }
    }

    fn asap_message(&mut self, now: Instant, association: AssociationId, bytes: &Bytes) {
        let Received { message, report } = AsapMessage::decode(bytes).into();
        if let Some(error) = report.and_then(|report| asap_error(report, self.config.padding)) {
            self.counters.errors_sent += 1;
            self.out.send(association, ProtocolId::ASAP, error);
        }
        let Ok(message) = message else {
            self.counters.malformed += 1;
            return;
        };
        match message {
            AsapMessage::RegistrationResponse { rejected, handle, element, error } => {
                let ours = self.names_us(&handle, element);
                self.registration_response(now, association, ours, rejected, error);
            }
            AsapMessage::DeregistrationResponse { handle, element, error } => {
                let ours = self.names_us(&handle, element);
                self.deregistration_response(now, association, ours, error);
            }
            AsapMessage::EndpointKeepAlive { home, registrar, handle, element } => {
                let ours = self.names_us(&handle, element.unwrap_or(self.id));
                self.keep_alive(now, association, ours, home, registrar);
            }
            AsapMessage::Error { .. } => self.counters.errors_received += 1,
            AsapMessage::Cookie { .. }
            | AsapMessage::CookieEcho { .. }
            | AsapMessage::BusinessCard { .. } => {
                self.counters.unsupported += 1;
            }
            _ => self.counters.unexpected += 1,
        }
    }

    fn disconnected(&mut self, now: Instant, association: AssociationId, reason: DownReason) {
        let Some(ended) = self.associations.remove(&association) else { return };
        self.registrars.remove(&association);
        self.session_ended(association, &ended, reason);
        if self.home.as_ref().is_some_and(|home| home.association == association) {
            self.home_lost(now);
        }
        self.stop_if_closed();
    }
}

impl Endpoint for Element {
    type Command = Command;
    type Notice = Notice;

    fn handle_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Connected { association, request, peer, local_port: _ } => {
                self.connected(now, association, request, peer);
            }
            Event::ConnectFailed { request, reason } => {
                let (ids, actions) = (&mut self.connects, &mut self.out.actions);
                self.hunt.handle_connect_failed(now, request, &reason, ids, actions);
            }
            Event::Message { association, protocol, stream, bytes } => {
                self.message(now, association, protocol, stream, bytes);
            }
            Event::Congested { association } => self.congested(association),
            Event::Drained { association } => self.drained(association),
            Event::Disconnected { association, reason } => self.disconnected(now, association, reason),
            Event::Announce { channel: Channel::Asap, source, bytes } => {
                let (ids, actions) = (&mut self.connects, &mut self.out.actions);
                match self.hunt.handle_announce(now, source, &bytes, ids, actions) {
                    true => self.counters.announces += 1,
                    false => self.counters.bad_announces += 1,
                }
                self.end_hunt_if_connected(now);
            }
            Event::Addresses { .. }
            | Event::HungUp { .. }
            | Event::Announce { channel: Channel::Enrp, .. } => {}
        }
    }

    fn handle_command(&mut self, now: Instant, id: CommandId, command: Command) {
        match command {
            Command::Send { session, protocol, stream, bytes } => {
                let notice = match self.send(session, protocol, stream, bytes) {
                    Ok(()) => Notice::Accepted,
                    Err(refusal) => Notice::Refused(refusal),
                };
                self.out.answer(id, notice);
            }
            Command::Close { session } => {
                let notice = match self.close(now, session) {
                    Ok(()) => Notice::Accepted,
                    Err(refusal) => Notice::Refused(refusal),
                };
                self.out.answer(id, notice);
            }
            Command::Deregister if self.phase == Phase::Stopped => {
                self.out.answer(id, Notice::Refused(Refusal::ShuttingDown));
            }
            Command::Deregister => self.leave(now, None, Some(id)),
            Command::UpdatePolicy(_) if self.phase != Phase::Running => {
                self.out.answer(id, Notice::Refused(Refusal::ShuttingDown));
            }
            Command::UpdatePolicy(policy) => {
                self.out.answer(id, Notice::Accepted);
                self.update_policy(now, policy);
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.membership_timeout(now);
        let (ids, actions) = (&mut self.connects, &mut self.out.actions);
        match self.hunt.handle_timeout(now, ids, actions) {
            Some(RoundEnd::GoesOn { tried }) => self.out.tell(Notice::NoRegistrar { tried }),
            Some(RoundEnd::GivenUp { tried }) => {
                self.out.tell(Notice::NoRegistrar { tried });
                self.hunt_given_up();
            }
            None => {}
        }
        self.phase_timeout(now);
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.out.actions.pop_front()
    }

    fn poll_notice(&mut self) -> Option<(Option<CommandId>, Notice)> {
        self.out.notices.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Leaving { deadline } | Phase::Closing { deadline } => Some(deadline),
            Phase::Running | Phase::Stopped => None,
        };
        [phase, self.membership.deadline(), self.hunt.poll_timeout()].into_iter().flatten().min()
    }

    fn begin_shutdown(&mut self, now: Instant, deadline: Instant) {
        self.shut_down(now, deadline);
    }

    fn is_stopped(&self) -> bool {
        self.phase == Phase::Stopped
    }
}
