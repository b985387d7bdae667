//! The place of the element in its pool: registration, its answers and timers, and leaving (RFC 5352
//! sections 3.1 and 3.2).
//!
//! The home registrar is looked for elsewhere: what has to be done about it is returned as [`Then`].

use alloc::vec::Vec;

use super::context::Context;
use super::interface::{Answer, DeregistrationError, Notice, RegistrationError, UpdateError};
use super::pace::pause;
use super::registrar::Home;
use crate::base::{CommandId, Instant};
use crate::endpoint::Refusal;
use crate::wire::{
    AsapMessage, EncapsulationPorts, OperationError, Policy, PoolElement, SctpTransport, Transport,
    TransportUse,
};

/// A deregistration takes at most so many T3: two attempts and the hunt between them.
const LEAVING_IN_T3: u32 = 3;

/// The place of the element in its pool.
#[derive(Debug)]
pub(super) struct Membership {
    step: Step,
    /// The policy that the application wants.
    policy: Policy,
    /// The policy that was granted last, while the element is listed with it.
    granted: Option<Policy>,
    updates: Updates,
    listing: Listing,
    /// Registrations sent since the last one that was granted.
    attempts: u32,
    /// Removals by a registrar since the element last proved that it lives: it has answered a keep-alive, or a
    /// registrar has renewed its registration.
    removals: u32,
    /// When a registration was sent last.
    asked: Instant,
    /// Whether the registrar has answered the present request by an ASAP_ERROR, which was told.
    complained: bool,
}

/// The commands for another policy that a registrar has to decide on.
#[derive(Debug, Default)]
struct Updates {
    /// Those that the registration which was sent last answers.
    asked: Vec<CommandId>,
    /// Those that came after it.
    queued: Vec<CommandId>,
}

/// What the element is doing about its place.
#[derive(Debug)]
enum Step {
    /// It hunts for a registrar in order to register.
    Seeking,
    /// It waits for the answer to a registration with this policy.
    Registering { t2: Instant, policy: Policy },
    /// It is registered.
    Registered { t4: Instant },
    /// It was removed soon after it had registered, and waits before it registers anew.
    BackingOff { until: Instant },
    /// It has stopped trying.
    GivenUp(GivenUp),
    /// It leaves the pool.
    Leaving(Leaving),
    /// It has left the pool.
    Left,
}

/// Why no registration is tried any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GivenUp {
    Refused,
    Unanswered,
}

/// Whether registrars list the element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listing {
    No,
    /// One may: a registration was sent and not granted, or what was granted is given up.
    Perhaps,
    /// One has granted a registration, and none has ended it since.
    Granted,
}

/// A deregistration that is under way.
#[derive(Debug)]
struct Leaving {
    /// When it ends at the latest.
    until: Instant,
    /// When T3 expires, if the request has been sent.
    t3: Option<Instant>,
    asked: Asked,
    /// The commands to be answered.
    waiting: Vec<CommandId>,
}

/// The registrar that is asked to deregister the element: there is one more after the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    First,
    Second,
}

/// What follows for the home registrar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Then {
    Nothing,
    /// There is no home: look for one.
    Seek,
    /// The home registrar has made itself the home and then refused: give it up, and look for another one.
    LeaveHome,
    /// A hunt that is on is no longer needed.
    StopSeeking,
    /// The element has left its pool.
    HasLeft,
}

/// What follows from a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Due {
    /// The home registrar has not answered within T2 or T3: it is given up.
    HomeIsSilent,
    Then(Then),
}

impl Membership {
    /// An element that was never registered.
    pub(super) const fn new(policy: Policy) -> Self {
        Self {
            step: Step::Seeking,
            policy,
            granted: None,
            updates: Updates { asked: Vec::new(), queued: Vec::new() },
            listing: Listing::No,
            attempts: 0,
            removals: 0,
            asked: Instant::ORIGIN,
            complained: false,
        }
    }

    /// Whether a registrar has granted the registration, and none has ended it since.
    pub(super) const fn is_granted(&self) -> bool {
        matches!(self.listing, Listing::Granted)
    }

    pub(super) const fn has_left(&self) -> bool {
        matches!(self.step, Step::Left)
    }

    /// Whether the element waits for a hunt to find a registrar.
    pub(super) const fn is_seeking(&self) -> bool {
        matches!(self.step, Step::Seeking)
    }

    /// Whether what it is doing needs a home registrar.
    pub(super) const fn needs_home(&self) -> bool {
        matches!(self.step, Step::Registering { .. } | Step::Registered { .. })
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.step {
            Step::Registering { t2: at, .. }
            | Step::Registered { t4: at }
            | Step::BackingOff { until: at } => Some(*at),
            Step::Leaving(leaving) => Some(leaving.deadline()),
            Step::Seeking | Step::GivenUp(_) | Step::Left => None,
        }
    }

    /// Sends a registration to the home registrar and starts T2; without a home, seeks one.
    pub(super) fn register(&mut self, now: Instant, context: &mut Context, home: Option<&Home>) -> Then {
        let Some(home) = home else {
            self.step = Step::Seeking;
            return Then::Seek;
        };
        let (handle, element) = (context.config.handle.clone(), self.as_registered(context, home));
        if !context.send(home.association, &AsapMessage::Registration { handle, element }) {
            return self.give_up(context, RegistrationError::Rejected(None));
        }
        context.counters.registrations_sent += 1;
        self.attempts = self.attempts.saturating_add(1);
        (self.asked, self.complained) = (now, false);
        self.updates.asked.append(&mut self.updates.queued);
        if self.listing == Listing::No {
            self.listing = Listing::Perhaps;
        }
        let t2 = now + context.config.registration_timeout;
        self.step = Step::Registering { t2, policy: self.policy.clone() };
        Then::Nothing
    }

    /// The home registrar has granted a registration, perhaps with a warning, or refused it.
    pub(super) fn handle_answer(
        &mut self,
        now: Instant,
        context: &mut Context,
        home: &Home,
        answer: Result<Option<OperationError>, Option<OperationError>>,
    ) -> Then {
        let Step::Registering { policy, .. } = &self.step else {
            context.counters.unexpected += 1;
            return Then::Nothing;
        };
        debug_assert_ne!(self.listing, Listing::No, "a registration was sent");
        let policy = policy.clone();
        match answer {
            Err(error) => self.refused(now, context, home, &policy, error),
            Ok(warning) => {
                context.counters.registrations_granted += 1;
                let registrar = home.registrar.clone();
                context.outbox.tell(Notice::Registered { home: home.id, registrar, warning });
                if self.is_granted() {
                    self.removals = 0;
                }
                self.listing = Listing::Granted;
                self.attempts = 0;
                self.step = Step::Registered { t4: now + context.config.reregistration() };
                let outdated = policy != self.policy;
                self.granted = Some(policy);
                answer_updates(context, self.updates.asked.drain(..), &Ok(()));
                if outdated {
                    return self.register(now, context, Some(home));
                }
                // What came after the registration was replaced by what it had already.
                answer_updates(context, self.updates.queued.drain(..), &Ok(()));
                Then::Nothing
            }
        }
    }

    /// The home registrar has refused a registration with this policy.
    fn refused(
        &mut self,
        now: Instant,
        context: &mut Context,
        home: &Home,
        policy: &Policy,
        error: Option<OperationError>,
    ) -> Then {
        context.counters.registrations_refused += 1;
        if home.adopted {
            // It said by a keep-alive that it was our home, which anybody can say. Those that we were told of
            // decide.
            context.counters.homes_refused += 1;
            self.step = Step::Seeking;
            return Then::LeaveHome;
        }
        if self.listing == Listing::Perhaps {
            self.listing = Listing::No;
        }
        let error = RegistrationError::Rejected(error);
        let told = !self.updates.asked.is_empty();
        answer_updates(context, self.updates.asked.drain(..), &Err(UpdateError::Registration(error.clone())));
        if *policy != self.policy && !self.attempts_used_up(context) {
            return self.register(now, context, Some(home));
        }
        match self.granted.take_if(|granted| granted != policy) {
            // It is still listed with other values: they are what the pool takes.
            Some(granted) => {
                self.policy = granted;
                if !told && let RegistrationError::Rejected(error) = error {
                    context.outbox.tell(Notice::PolicyRefused(error));
                }
                self.register(now, context, Some(home))
            }
            None => self.give_up(context, error),
        }
    }

    /// The home registrar has reported an error. It may be what it answers instead of a response.
    pub(super) fn handle_error(&mut self, context: &mut Context, home: &Home, error: OperationError) {
        let asked =
            matches!(self.step, Step::Registering { .. } | Step::Leaving(Leaving { t3: Some(_), .. }));
        if asked && !core::mem::replace(&mut self.complained, true) {
            context.outbox.tell(Notice::ErrorReported { registrar: home.registrar.clone(), error });
        }
    }

    /// A registrar answers a deregistration, or has removed the element unasked. `home` is the home registrar
    /// if it is the sender.
    pub(super) fn handle_deregistration(
        &mut self,
        now: Instant,
        context: &mut Context,
        home: Option<&Home>,
        error: Option<OperationError>,
    ) -> Then {
        match (&self.step, home) {
            (Step::Leaving(Leaving { t3: Some(_), .. }), Some(_)) => {
                let result = match error {
                    None => Ok(()),
                    error => Err(DeregistrationError::Rejected(error)),
                };
                return self.leave_now(context, result);
            }
            (Step::Leaving(_) | Step::Left, _) => {}
            (_, Some(home)) if error.is_none() => return self.removed(now, context, home),
            // A former home registrar may forget us at any time.
            _ => {}
        }
        context.counters.unexpected += 1;
        Then::Nothing
    }

    /// The element has answered a keep-alive of its home registrar.
    pub(super) const fn handle_keep_alive(&mut self) {
        self.removals = 0;
    }

    /// The home registrar has removed the element although the application did not ask for it: the element's
    /// keep-alives went unanswered while this process was frozen, or the life has run out (ASAP-3.2-01: the
    /// element is removed and told so). The element lives, so it registers again at once.
    ///
    /// A registrar that removes it as soon as it has registered must not make it send a flood: a [`pause`] lies
    /// between two registrations. If the element could not prove in between that it lives, the registrar does
    /// not want it, and the pause grows.
    fn removed(&mut self, now: Instant, context: &mut Context, home: &Home) -> Then {
        context.counters.removals += 1;
        if self.is_granted() {
            context.outbox.tell(Notice::Deregistered);
        }
        self.granted = None;
        self.listing = match self.step {
            Step::Registering { .. } => Listing::Perhaps,
            _ => Listing::No,
        };
        if !matches!(self.step, Step::Registered { .. }) {
            return Then::Nothing;
        }
        let t2 = context.config.registration_timeout;
        let pause = pause(self.removals, t2, context.config.reregistration());
        self.removals = self.removals.saturating_add(1);
        let until = self.asked + pause;
        if until <= now {
            return self.register(now, context, Some(home));
        }
        self.step = Step::BackingOff { until };
        Then::Nothing
    }

    /// The application has other policy values. The answer to the command comes before what follows from it.
    pub(super) fn update_policy(
        &mut self,
        now: Instant,
        context: &mut Context,
        home: Option<&Home>,
        policy: Policy,
        command: CommandId,
    ) -> Then {
        if matches!(self.step, Step::Leaving(_) | Step::Left) {
            answer_updates(context, [command], &Err(UpdateError::Refused(Refusal::ShuttingDown)));
            return Then::Nothing;
        }
        let granted = self.granted.as_ref().map(Policy::kind);
        if granted.is_some_and(|granted| granted != policy.kind()) {
            self.updates.queued.push(command);
        } else {
            answer_updates(context, [command], &Ok(()));
        }
        self.policy = policy;
        match self.step {
            Step::Registered { .. } => self.register(now, context, home),
            Step::GivenUp(_) => self.register_anew(now, context, home),
            _ => Then::Nothing,
        }
    }

    /// The application is loaded so much now. A policy without a load stays as it is.
    pub(super) fn set_load(
        &mut self,
        now: Instant,
        context: &mut Context,
        home: Option<&Home>,
        load: u32,
    ) -> Then {
        let Some(policy) = self.policy.with_load(load).filter(|policy| *policy != self.policy) else {
            return Then::Nothing;
        };
        if matches!(self.step, Step::Leaving(_) | Step::Left) {
            return Then::Nothing;
        }
        self.policy = policy;
        match self.step {
            Step::Registered { .. } => self.register(now, context, home),
            _ => Then::Nothing,
        }
    }

    /// There is a home registrar now: do what could not be done without one.
    pub(super) fn handle_home(&mut self, now: Instant, context: &mut Context, home: &Home) -> Then {
        match self.step {
            Step::Seeking => self.register(now, context, Some(home)),
            Step::Leaving(_) => self.deregister(now, context, home),
            _ => Then::Nothing,
        }
    }

    /// Another registrar has made itself the home: it is registered with at once.
    pub(super) fn handle_new_home(&mut self, now: Instant, context: &mut Context, home: &Home) -> Then {
        match self.step {
            // What was refused is not sent again unchanged, whichever registrar asks (ASAP-3.1-14: a rejected
            // registration is not repeated).
            Step::GivenUp(GivenUp::Refused) | Step::Left => Then::Nothing,
            Step::Leaving(_) => self.deregister(now, context, home),
            _ => self.register_anew(now, context, Some(home)),
        }
    }

    /// The home registrar is lost or was given up (ASAP-3.1-10 and ASAP-3.2-05: another one is looked for).
    pub(super) fn handle_home_gone(&mut self, context: &mut Context) -> Then {
        let used_up = self.attempts_used_up(context);
        match &mut self.step {
            Step::Registering { .. } if used_up => self.give_up(context, RegistrationError::Unanswered),
            Step::Registering { .. } | Step::Registered { .. } => {
                self.step = Step::Seeking;
                Then::Seek
            }
            Step::Leaving(leaving) => {
                leaving.t3 = None;
                match core::mem::replace(&mut leaving.asked, Asked::Second) {
                    Asked::First => Then::Seek,
                    Asked::Second => self.leave_now(context, Err(DeregistrationError::Unanswered)),
                }
            }
            Step::Seeking | Step::BackingOff { .. } | Step::GivenUp(_) | Step::Left => Then::Nothing,
        }
    }

    /// The last permitted round of the hunt has found no registrar.
    pub(super) fn handle_hunt_given_up(&mut self, context: &mut Context) -> Then {
        match self.step {
            Step::Seeking => self.give_up(context, RegistrationError::Unanswered),
            Step::Leaving(_) => self.leave_now(context, Err(DeregistrationError::Unanswered)),
            _ => Then::Nothing,
        }
    }

    /// A deadline may have passed.
    pub(super) fn handle_timeout(&mut self, now: Instant, context: &mut Context, home: Option<&Home>) -> Due {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Due::Then(Then::Nothing);
        }
        match &self.step {
            Step::Registering { .. } => {
                context.counters.registrations_unanswered += 1;
                Due::HomeIsSilent
            }
            Step::Registered { .. } | Step::BackingOff { .. } => Due::Then(self.register(now, context, home)),
            Step::Leaving(leaving) if leaving.until <= now => {
                Due::Then(self.leave_now(context, Err(DeregistrationError::Unanswered)))
            }
            Step::Leaving(_) => Due::HomeIsSilent,
            Step::Seeking | Step::GivenUp(_) | Step::Left => Due::Then(Then::Nothing),
        }
    }

    /// Leaves the pool, before `limit` if there is one; the end answers `command`.
    pub(super) fn leave(
        &mut self,
        now: Instant,
        context: &mut Context,
        home: Option<&Home>,
        limit: Option<Instant>,
        command: Option<CommandId>,
    ) -> Then {
        let waiting = self.updates.asked.drain(..).chain(self.updates.queued.drain(..));
        answer_updates(context, waiting, &Err(UpdateError::Refused(Refusal::ShuttingDown)));
        let usual = now + context.config.deregistration_timeout.saturating_mul(LEAVING_IN_T3);
        let until = limit.map_or(usual, |limit| limit.min(usual));
        match &mut self.step {
            Step::Left => {
                answer_left(context, command);
                Then::Nothing
            }
            Step::Leaving(leaving) => {
                leaving.until = leaving.until.min(until);
                leaving.waiting.extend(command);
                Then::Nothing
            }
            _ if self.listing == Listing::No => {
                self.step = Step::Left;
                answer_left(context, command);
                Then::StopSeeking
            }
            _ => {
                let waiting = command.into_iter().collect();
                self.step = Step::Leaving(Leaving { until, t3: None, asked: Asked::First, waiting });
                home.map_or(Then::Seek, |home| self.deregister(now, context, home))
            }
        }
    }

    /// Leaves at once, unconfirmed if a deregistration is under way.
    pub(super) fn stop(&mut self, context: &mut Context) -> Then {
        self.leave_now(context, Err(DeregistrationError::Unanswered))
    }

    /// Sends a deregistration to the home registrar and starts T3.
    fn deregister(&mut self, now: Instant, context: &mut Context, home: &Home) -> Then {
        let Step::Leaving(leaving) = &mut self.step else { return Then::Nothing };
        self.complained = false;
        leaving.t3 = Some(now + context.config.deregistration_timeout);
        let (handle, element) = (context.config.handle.clone(), context.id);
        if context.send(home.association, &AsapMessage::Deregistration { handle, element }) {
            context.counters.deregistrations_sent += 1;
        }
        Then::Nothing
    }

    /// The deregistration has come to its end.
    fn leave_now(&mut self, context: &mut Context, result: Result<(), DeregistrationError>) -> Then {
        self.listing = Listing::No;
        self.granted = None;
        if let Step::Leaving(leaving) = core::mem::replace(&mut self.step, Step::Left) {
            for id in &leaving.waiting {
                context.outbox.answer(*id, Answer::Deregistered(result.clone()));
            }
            if leaving.waiting.is_empty() {
                context.outbox.tell(match result {
                    Ok(()) => Notice::Deregistered,
                    Err(error) => Notice::DeregistrationFailed(error),
                });
            }
        }
        Then::HasLeft
    }

    fn give_up(&mut self, context: &mut Context, error: RegistrationError) -> Then {
        if self.is_granted() {
            self.listing = Listing::Perhaps;
        }
        self.granted = None;
        let waiting = self.updates.asked.drain(..).chain(self.updates.queued.drain(..));
        answer_updates(context, waiting, &Err(UpdateError::Registration(error.clone())));
        self.step = Step::GivenUp(match error {
            RegistrationError::Rejected(_) => GivenUp::Refused,
            RegistrationError::Unanswered => GivenUp::Unanswered,
        });
        context.outbox.tell(Notice::RegistrationFailed(error));
        Then::StopSeeking
    }

    /// Registers with all attempts that are permitted.
    fn register_anew(&mut self, now: Instant, context: &mut Context, home: Option<&Home>) -> Then {
        self.attempts = 0;
        self.register(now, context, home)
    }

    /// Whether the number of attempts exceeds MAX-REG-ATTEMPT (ASAP-3.1-19: then report the error and stop;
    /// reading B10).
    const fn attempts_used_up(&self, context: &Context) -> bool {
        self.attempts > context.config.max_registration_attempts
    }

    /// The Pool Element parameter (ASAP-3.1-09: without an ASAP transport, which the registrar fills in).
    fn as_registered(&self, context: &Context, home: &Home) -> PoolElement {
        let config = &context.config;
        let usage = if config.control { TransportUse::DataPlusControl } else { TransportUse::DataOnly };
        let ports = EncapsulationPorts { user: config.udp_port.0, asap: config.udp_port.0 };
        PoolElement {
            id: context.id,
            home: home.id,
            life: config.life_unit.on_wire(config.life),
            user_transport: match config.tcp_service {
                Some((address, port)) => Transport::Tcp { port, reserved: 0, address },
                None => Transport::Sctp(SctpTransport {
                    port: config.port.0,
                    usage,
                    addresses: config.addresses.as_slice().into(),
                }),
            },
            policy: self.policy.clone(),
            asap_transport: None,
            encapsulation: config.udp_port.is_set().then_some(ports),
        }
    }
}

impl Leaving {
    fn deadline(&self) -> Instant {
        self.t3.map_or(self.until, |t3| t3.min(self.until))
    }
}

/// Answers commands for another policy.
fn answer_updates(
    context: &mut Context,
    commands: impl IntoIterator<Item = CommandId>,
    result: &Result<(), UpdateError>,
) {
    for id in commands {
        context.outbox.answer(id, Answer::Updated(result.clone()));
    }
}

/// Answers a command to leave: the element is in no pool.
fn answer_left(context: &mut Context, command: Option<CommandId>) {
    if let Some(id) = command {
        context.outbox.answer(id, Answer::Deregistered(Ok(())));
    }
}
