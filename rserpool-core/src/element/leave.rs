//! Leaving the pool (RFC 5352 section 3.2), and a shutdown that loses nothing.

use super::membership::{Leaving, Step};
use super::{Element, Phase};
use super::{Notice, RegistrationError};
use crate::base::{AssociationId, CommandId, Instant, ProtocolId, TransportAddress};
use crate::endpoint::{AbortCause, Action, DownReason};
use crate::wire::{AsapMessage, OperationError};

/// How many T3 a deregistration may take in all: two attempts and the hunt between them.
const LEAVING_IN_T3: u32 = 3;

impl Element {
    /// Leaves the pool, before `limit` if there is one.
    pub(super) fn leave(&mut self, now: Instant, limit: Option<Instant>, command: Option<CommandId>) {
        let usual = now + self.config.deregistration_timeout.saturating_mul(LEAVING_IN_T3);
        let until = limit.map_or(usual, |limit| limit.min(usual));
        match &mut self.membership.step {
            Step::Left => {
                if let Some(id) = command {
                    self.out.answer(id, Notice::Deregistered);
                }
            }
            Step::Leaving(leaving) => {
                leaving.until = leaving.until.min(until);
                leaving.waiting.extend(command);
            }
            _ if !self.membership.listed => {
                self.hunt.stop(&mut self.out.actions);
                self.membership.step = Step::Left;
                if let Some(id) = command {
                    self.out.answer(id, Notice::Deregistered);
                }
            }
            _ => {
                let waiting = command.into_iter().collect();
                self.membership.step = Step::Leaving(Leaving { until, t3: None, retried: false, waiting });
                match self.home {
                    Some(_) => self.deregister(now),
                    None => self.seek(now, None),
                }
            }
        }
    }

    /// Sends a deregistration to the home registrar and starts T3.
    pub(super) fn deregister(&mut self, now: Instant) {
        let (Some(home), Step::Leaving(leaving)) = (&self.home, &mut self.membership.step) else { return };
        let request = AsapMessage::Deregistration { handle: self.config.handle.clone(), element: self.id };
        leaving.t3 = Some(now + self.config.deregistration_timeout);
        if let Ok(bytes) = request.encode(self.config.padding) {
            self.counters.deregistrations_sent += 1;
            self.out.send(home.association, ProtocolId::ASAP, bytes);
        }
    }

    pub(super) fn deregistration_response(
        &mut self,
        now: Instant,
        association: AssociationId,
        ours: bool,
        error: Option<OperationError>,
    ) {
        let from_home = self.home.as_ref().is_some_and(|home| home.association == association);
        match &self.membership.step {
            _ if !ours => self.counters.unexpected += 1,
            Step::Leaving(leaving) if from_home && leaving.t3.is_some() => {
                let result = match error {
                    None => Ok(()),
                    error => Err(RegistrationError::Rejected(error)),
                };
                self.left(result);
            }
            Step::Leaving(_) | Step::Left => self.counters.unexpected += 1,
            _ if error.is_some() => self.counters.unexpected += 1,
            // A registrar that was home once may forget us when it likes.
            _ if !from_home => self.counters.unexpected += 1,
            _ => self.removed(now),
        }
    }

    pub(super) fn leaving_timeout(&mut self, now: Instant) {
        let Step::Leaving(leaving) = &self.membership.step else { return };
        if leaving.until <= now {
            self.left(Err(RegistrationError::Unanswered));
        } else if leaving.t3.is_some_and(|t3| t3 <= now) {
            let silent = self.drop_home();
            self.leaving_interrupted(now, silent);
        }
    }

    /// T3 has expired or the home is lost: look for another registrar, once (ASAP-3.2-05).
    pub(super) fn leaving_interrupted(&mut self, now: Instant, lost: Option<TransportAddress>) {
        let Step::Leaving(leaving) = &mut self.membership.step else { return };
        leaving.t3 = None;
        if core::mem::replace(&mut leaving.retried, true) {
            self.left(Err(RegistrationError::Unanswered));
        } else {
            self.seek(now, lost);
        }
    }

    /// The deregistration has come to its end.
    pub(super) fn left(&mut self, result: Result<(), RegistrationError>) {
        self.hunt.stop(&mut self.out.actions);
        self.membership.granted = false;
        self.membership.listed = false;
        let notice = match result {
            Ok(()) => Notice::Deregistered,
            Err(error) => Notice::RegistrationFailed(error),
        };
        if let Step::Leaving(leaving) = core::mem::replace(&mut self.membership.step, Step::Left) {
            if leaving.waiting.is_empty() {
                self.out.tell(notice.clone());
            }
            for id in leaving.waiting {
                self.out.answer(id, notice.clone());
            }
        }
        if let Phase::Leaving { deadline } = self.phase {
            self.close_all(deadline);
        }
    }

    /// Leaves the pool first, so that no user is sent here any more, then closes every
    /// association, which delivers what is queued.
    pub(super) fn shut_down(&mut self, now: Instant, deadline: Instant) {
        if self.phase != Phase::Running {
            return;
        }
        self.phase = Phase::Leaving { deadline };
        // The other half of the time is for the associations.
        self.leave(now, Some(now + (deadline - now) / 2), None);
        if matches!(self.membership.step, Step::Left) {
            self.close_all(deadline);
        }
    }

    pub(super) fn phase_timeout(&mut self, now: Instant) {
        match self.phase {
            Phase::Leaving { deadline } if deadline <= now => {
                self.left(Err(RegistrationError::Unanswered));
                self.abort_all();
            }
            Phase::Closing { deadline } if deadline <= now => self.abort_all(),
            _ => {}
        }
    }

    pub(super) fn stop_if_closed(&mut self) {
        if matches!(self.phase, Phase::Closing { .. }) && self.associations.is_empty() {
            self.phase = Phase::Stopped;
            self.out.tell(Notice::Stopped);
        }
    }

    fn close_all(&mut self, deadline: Instant) {
        self.phase = Phase::Closing { deadline };
        for (association, open) in &mut self.associations {
            if !core::mem::replace(&mut open.closing, true) {
                self.out.act(Action::Shutdown { association: *association, deadline });
            }
        }
        self.stop_if_closed();
    }

    fn abort_all(&mut self) {
        self.home = None;
        self.registrars.clear();
        for (association, open) in core::mem::take(&mut self.associations) {
            self.out.act(Action::Abort { association, cause: AbortCause::User });
            self.session_ended(association, &open, DownReason::Local);
        }
        self.stop_if_closed();
    }
}
