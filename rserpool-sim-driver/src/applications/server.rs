//! The application of an element: it sends back what it is sent.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, CommandId, Instant, ProtocolId};
use rserpool_core::element::{Command, Element, ElementConfig, Message, Notice};
use rserpool_core::endpoint::{CallFrame, Endpoint};
use rserpool_core::wire::Policy;

use super::memory::{Arrival, Memory};
use super::{Commands, Occasional, is_poison};
use crate::fault::Order;
use crate::violation::Violation;

/// How an element serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// How long one request takes.
    pub time: Duration,
    /// Requests that take longer.
    pub slow: Option<Occasional<Duration>>,
    /// When it closes sessions of its own accord.
    pub closes: Closing,
    /// Whether it leaves the state of a session with its user, after each answer.
    pub cookies: bool,
    /// Whether it remembers calls that are to be carried out at most once.
    pub remembers: bool,
    /// After how long an element that has given up registering is told to try again; `None`
    /// leaves it alone.
    pub retry: Option<Duration>,
}

/// When an element closes sessions of its own accord.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Closing {
    /// Never.
    #[default]
    Never,
    /// On requests that a user has made for that.
    Poison,
    /// On the first request of each session.
    AtOnce,
}

impl Default for Service {
    fn default() -> Self {
        let retry = Some(Duration::from_secs(1));
        Self {
            time: Duration::ZERO,
            slow: None,
            closes: Closing::Never,
            cookies: false,
            remembers: false,
            retry,
        }
    }
}

/// An element with its application.
#[derive(Debug)]
pub struct Server {
    element: Element,
    config: ElementConfig,
    service: Service,
    commands: Commands,
    /// The answers to be sent, in the order of their times.
    answers: VecDeque<(Instant, AssociationId, ProtocolId, Bytes)>,
    /// The state of its sessions, if it leaves that with their users.
    states: BTreeMap<AssociationId, State>,
    memory: Memory,
    /// The requests that it has executed.
    executed: u64,
    retry: Option<Instant>,
    /// It was told to leave its pool.
    left: bool,
}

impl Server {
    pub(crate) fn new(config: ElementConfig, service: Service, now: Instant) -> Self {
        Self {
            element: Element::new(config.clone(), now),
            config,
            service,
            commands: Commands::default(),
            answers: VecDeque::new(),
            states: BTreeMap::new(),
            memory: Memory::new(service.remembers),
            executed: 0,
            retry: None,
            left: false,
        }
    }

    /// The endpoint.
    pub const fn element(&self) -> &Element {
        &self.element
    }

    pub(crate) const fn element_mut(&mut self) -> &mut Element {
        &mut self.element
    }

    /// Its configuration.
    pub const fn config(&self) -> &ElementConfig {
        &self.config
    }

    /// Whether it was told to leave its pool.
    pub const fn has_left(&self) -> bool {
        self.left
    }

    /// Whether it ends sessions, or refuses them, though it is well.
    pub(crate) fn turns_away(&self) -> bool {
        self.service.closes != Closing::Never || self.element.sessions() >= self.config.max_sessions
    }

    pub(crate) const fn commands(&self) -> &Commands {
        &self.commands
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let answer = self.answers.front().map(|(at, ..)| *at);
        [answer, self.retry].into_iter().flatten().min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while self.answers.front().is_some_and(|(at, ..)| *at <= now)
            && let Some((_, session, protocol, bytes)) = self.answers.pop_front()
        {
            let answer = match call(protocol, &bytes) {
                Some(frame) => self.memory.answer(session, &frame),
                None => Message::new(session, protocol, bytes),
            };
            let session = answer.session;
            self.command(now, Command::Send(answer));
            self.leave_state(now, session);
        }
        if self.retry.is_some_and(|at| at <= now) {
            self.retry = None;
            self.command(now, Command::UpdatePolicy(self.config.policy.clone()));
        }
    }

    pub(crate) fn order(&mut self, now: Instant, order: Order) {
        match order {
            Order::UpdatePolicy => {
                self.config.policy = busier(self.config.policy.clone());
                self.command(now, Command::UpdatePolicy(self.config.policy.clone()));
            }
            Order::Deregister => {
                self.left = true;
                self.command(now, Command::Deregister);
            }
            Order::Failover | Order::Close | Order::Report | Order::Purge | Order::Card => {}
        }
    }

    pub(crate) fn command(&mut self, now: Instant, command: Command) {
        let id = self.commands.begin(now);
        self.element.handle_command(now, id, command);
    }

    /// A request has come.
    fn receive(&mut self, now: Instant, session: AssociationId, protocol: ProtocolId, bytes: Bytes) {
        match call(protocol, &bytes).map(|frame| self.memory.arrive(session, &frame)) {
            Some(Arrival::InWork) => {}
            Some(Arrival::Answered(message)) => self.command(now, Command::Send(message)),
            Some(Arrival::New) | None => self.serve(now, session, protocol, bytes),
        }
    }

    /// Serves a request, or closes its session.
    fn serve(&mut self, now: Instant, session: AssociationId, protocol: ProtocolId, bytes: Bytes) {
        let closes = match self.service.closes {
            Closing::Never => false,
            Closing::Poison => {
                is_poison(&call(protocol, &bytes).map_or_else(|| bytes.clone(), |frame| frame.bytes))
            }
            Closing::AtOnce => true,
        };
        if closes {
            return self.command(now, Command::Close { session });
        }
        self.executed += 1;
        let slow = self.service.slow.and_then(|slow| slow.at(self.executed));
        let at = now + slow.unwrap_or(self.service.time);
        let place = self.answers.partition_point(|(earlier, ..)| *earlier <= at);
        self.answers.insert(place, (at, session, protocol, bytes));
        self.handle_timeout(now);
    }

    /// Counts an answer, and leaves the state of the session with its user.
    fn leave_state(&mut self, now: Instant, session: AssociationId) {
        if !self.service.cookies {
            return;
        }
        let name = (u64::from(self.element.id().0) << 32) | (self.executed & 0xffff_ffff);
        let state = self.states.entry(session).or_insert(State { name, count: 0 });
        state.count += 1;
        let cookie = state.write();
        self.command(now, Command::SendCookie { session, cookie });
    }

    /// The end of a command.
    pub(crate) fn answer(&mut self, id: CommandId) -> Result<(), Violation> {
        self.commands.end(id)
    }

    pub(crate) fn notice(&mut self, now: Instant, notice: &Notice) {
        match notice {
            Notice::Received { session, protocol, bytes, .. } => {
                self.receive(now, *session, *protocol, bytes.clone());
            }
            Notice::RegistrationFailed(_) if !self.left => {
                self.retry = self.service.retry.map(|retry| now + retry);
            }
            Notice::CookieEcho { session, cookie, .. } => {
                self.states.extend(State::read(cookie).map(|state| (*session, state)));
            }
            Notice::CookieWanted { session, .. } => self.leave_state(now, *session),
            Notice::SessionClosed { session, .. } => {
                self.states.remove(session);
            }
            Notice::Registered { .. } => self.retry = None,
            _ => {}
        }
    }
}

/// The call that a message is, if it is one.
fn call(protocol: ProtocolId, bytes: &Bytes) -> Option<CallFrame> {
    (protocol == ProtocolId::CALL).then(|| CallFrame::decode(bytes)).flatten()
}

/// The state of a session: something that no other session has, and how many answers it has had.
#[derive(Clone, Copy, Debug)]
struct State {
    name: u64,
    count: u64,
}

impl State {
    fn write(self) -> Bytes {
        [self.name.to_be_bytes(), self.count.to_be_bytes()].concat().into()
    }

    fn read(octets: &[u8]) -> Option<Self> {
        let (name, count) = octets.split_first_chunk()?;
        let count = count.first_chunk()?;
        Some(Self { name: u64::from_be_bytes(*name), count: u64::from_be_bytes(*count) })
    }
}

/// Other values of the same policy.
fn busier(policy: Policy) -> Policy {
    let more = |value: u32| value.wrapping_add(0x1234_5678);
    match policy {
        Policy::LeastUsed { load } => Policy::LeastUsed { load: more(load) },
        Policy::LeastUsedDegradation { load, degradation } => {
            Policy::LeastUsedDegradation { load: more(load), degradation }
        }
        Policy::PriorityLeastUsed { load, degradation } => {
            Policy::PriorityLeastUsed { load: more(load), degradation }
        }
        Policy::RandomizedLeastUsed { load } => Policy::RandomizedLeastUsed { load: more(load) },
        Policy::WeightedRandom { weight } => Policy::WeightedRandom { weight: weight + 1 },
        Policy::WeightedRoundRobin { weight } => Policy::WeightedRoundRobin { weight: weight + 1 },
        Policy::Priority { priority } => Policy::Priority { priority: priority + 1 },
        other => other,
    }
}
