//! Registration: T2, T4, the attempts, and what follows an answer (RFC 5352 section 3.1).

use super::Element;
use super::membership::Step;
use super::{Notice, RegistrationError};
use crate::base::{AssociationId, ElementId, Instant, PoolHandle, ProtocolId, TransportAddress};
use crate::endpoint::{AbortCause, Action, DownReason};
use crate::wire::{
    AsapMessage, EncapsulationPorts, OperationError, Policy, PoolElement, SctpTransport, Transport,
    TransportUse,
};

impl Element {
    /// Whether a message is about this element.
    pub(super) fn names_us(&self, handle: &PoolHandle, element: ElementId) -> bool {
        *handle == self.config.handle && element == self.id
    }

    /// Sends a registration to the home registrar and starts T2; hunts if there is no home.
    pub(super) fn register(&mut self, now: Instant) {
        let Some(association) = self.home.as_ref().map(|home| home.association) else {
            self.membership.step = Step::Seeking;
            self.seek(now, None);
            return;
        };
        let registration =
            AsapMessage::Registration { handle: self.config.handle.clone(), element: self.as_registered() };
        let Ok(bytes) = registration.encode(self.config.padding) else {
            // Only a configuration that was never checked can be too long for a message.
            self.give_up(RegistrationError::Rejected(None));
            return;
        };
        self.out.send(association, ProtocolId::ASAP, bytes);
        self.counters.registrations_sent += 1;
        self.membership.attempts = self.membership.attempts.saturating_add(1);
        self.membership.changed = false;
        self.membership.listed = true;
        self.membership.step = Step::Registering { t2: now + self.config.registration_timeout };
    }

    pub(super) fn registration_response(
        &mut self,
        now: Instant,
        association: AssociationId,
        ours: bool,
        rejected: bool,
        error: Option<OperationError>,
    ) {
        let Some(home) = self.home.as_ref().filter(|home| ours && home.association == association) else {
            self.counters.unexpected += 1;
            return;
        };
        if !matches!(self.membership.step, Step::Registering { .. }) {
            self.counters.unexpected += 1;
            return;
        }
        if rejected {
            self.counters.registrations_refused += 1;
            self.membership.listed = self.membership.granted;
            if self.membership.changed && !self.attempts_used_up() {
                self.register(now);
            } else {
                self.give_up(RegistrationError::Rejected(error));
            }
            return;
        }
        self.counters.registrations_granted += 1;
        let notice = Notice::Registered { home: home.id, registrar: home.registrar.clone(), warning: error };
        self.out.tell(notice);
        self.membership.granted = true;
        self.membership.attempts = 0;
        self.membership.step = Step::Registered { t4: now + self.config.reregistration() };
        if self.membership.changed {
            self.register(now);
        }
    }

    /// A registrar has removed the element although nobody here asked for it: its keep-alives
    /// went unanswered while this process was frozen, or the life has run out (ASAP-3.2-01). The
    /// element registers again at once; if that happens again and again, ever later.
    pub(super) fn removed(&mut self, now: Instant) {
        self.counters.removals += 1;
        self.membership.listed = matches!(self.membership.step, Step::Registering { .. });
        if core::mem::take(&mut self.membership.granted) {
            self.out.tell(Notice::Deregistered);
        }
        if !matches!(self.membership.step, Step::Registered { .. }) {
            return;
        }
        let before = self.membership.removals;
        self.membership.removals = before.saturating_add(1);
        match before.checked_sub(1) {
            None => self.register(now),
            Some(doublings) => {
                let factor = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
                let delay = self.config.registration_timeout.saturating_mul(factor);
                let until = now + delay.min(self.config.reregistration());
                self.membership.step = Step::BackingOff { until };
            }
        }
    }

    pub(super) fn update_policy(&mut self, now: Instant, policy: Policy) {
        self.membership.policy = policy;
        match self.membership.step {
            Step::Registered { .. } => self.register(now),
            Step::GivenUp { .. } => {
                self.membership.attempts = 0;
                self.register(now);
            }
            Step::Registering { .. } => self.membership.changed = true,
            Step::Seeking | Step::BackingOff { .. } | Step::Leaving(_) | Step::Left => {}
        }
    }

    pub(super) fn membership_timeout(&mut self, now: Instant) {
        if self.membership.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        match self.membership.step {
            Step::Registering { .. } => {
                self.counters.registrations_unanswered += 1;
                let silent = self.drop_home();
                if self.attempts_used_up() {
                    self.give_up(RegistrationError::Unanswered);
                } else {
                    self.membership.step = Step::Seeking;
                    self.seek(now, silent);
                }
            }
            Step::Registered { .. } => {
                self.membership.removals = 0;
                self.register(now);
            }
            Step::BackingOff { .. } => self.register(now),
            Step::Leaving(_) => self.leaving_timeout(now),
            Step::Seeking | Step::GivenUp { .. } | Step::Left => {}
        }
    }

    /// Whether the number of attempts exceeds MAX-REG-ATTEMPT (ASAP-3.1-19, reading B10).
    pub(super) fn attempts_used_up(&self) -> bool {
        self.membership.attempts > self.config.max_registration_attempts
    }

    pub(super) fn give_up(&mut self, error: RegistrationError) {
        let refused = matches!(error, RegistrationError::Rejected(_));
        self.hunt.stop(&mut self.out.actions);
        self.membership.granted = false;
        self.membership.step = Step::GivenUp { refused };
        self.out.tell(Notice::RegistrationFailed(error));
    }

    /// The last permitted round of the hunt has found no registrar.
    pub(super) fn hunt_given_up(&mut self) {
        match self.membership.step {
            Step::Seeking => self.give_up(RegistrationError::Unanswered),
            Step::Leaving(_) => self.left(Err(RegistrationError::Unanswered)),
            _ => {}
        }
    }

    /// Gives the present home registrar up; returns where it is.
    pub(super) fn drop_home(&mut self) -> Option<TransportAddress> {
        let home = self.home.take()?;
        if let Some(ended) = self.associations.remove(&home.association) {
            self.registrars.remove(&home.association);
            // A new attempt from the same port must not meet the old association.
            self.out.act(Action::Abort { association: home.association, cause: AbortCause::User });
            self.session_ended(home.association, &ended, DownReason::Local);
        }
        Some(home.registrar)
    }

    /// The Pool Element parameter (R2; ASAP-3.1-09: without an ASAP transport).
    fn as_registered(&self) -> PoolElement {
        let config = &self.config;
        let usage = if config.control { TransportUse::DataPlusControl } else { TransportUse::DataOnly };
        PoolElement {
            id: self.id,
            home: self.home(),
            life: config.life_unit.on_wire(config.life),
            user_transport: Transport::Sctp(SctpTransport {
                port: config.port,
                usage,
                addresses: config.addresses.as_slice().into(),
            }),
            policy: self.membership.policy.clone(),
            asap_transport: None,
            encapsulation: (config.udp_port != 0)
                .then_some(EncapsulationPorts { user: config.udp_port, asap: config.udp_port }),
        }
    }
}
