//! The registrar a user asks: hunted for when there is a question, replaced when it is silent.

use super::{Notice, UserError};
use super::{Timer, User};
use crate::base::{AssociationId, ElementId, Instant, PoolHandle, ProtocolId, TransportAddress};
use crate::endpoint::hunt::RoundEnd;
use crate::endpoint::{AbortCause, Action};
use crate::wire::AsapMessage;

/// How many reports may wait for a registrar; further ones are dropped, since a registrar finds
/// out by itself later.
const MAX_WAITING_REPORTS: usize = 64;

/// The registrar that is asked (ASAP-1.1-02).
#[derive(Debug)]
pub(super) struct Home {
    pub(super) association: AssociationId,
    pub(super) registrar: TransportAddress,
}

impl User {
    pub(super) fn is_home(&self, association: AssociationId) -> bool {
        self.home.as_ref().is_some_and(|home| home.association == association)
    }

    /// Looks for a registrar, another one than the present or the last one if possible.
    pub(super) fn seek_registrar(&mut self, now: Instant) {
        if self.hunt.is_on() || self.shutdown.is_some() {
            return;
        }
        self.counters.hunts += 1;
        let present = self.home.as_ref().map(|home| home.registrar.clone());
        let avoid = present.or_else(|| self.failed_registrar.take());
        self.hunt.start(now, avoid, &mut self.connects, &mut self.out.actions);
    }

    /// The hunt has found a registrar: it is asked everything that is unanswered
    /// (ASAP-3.3-05, ASAP-3.7.2-03).
    pub(super) fn registrar_found(&mut self, now: Instant, home: Home) {
        self.failed_registrar = None;
        let association = home.association;
        if let Some(old) = self.home.replace(home) {
            self.out.act(Action::Abort { association: old.association, cause: AbortCause::User });
        }
        while let Some((handle, element)) = self.reports.pop_front() {
            self.send_report(association, handle, element);
        }
        for handle in self.resolutions.handles() {
            if self.resolutions.may_send(&handle, self.config.max_request_retransmits) {
                self.ask(now, &handle);
            }
        }
    }

    /// The association with the registrar has ended (ASAP-3.3-05, ASAP-3.7.1-01).
    pub(super) fn registrar_lost(&mut self, now: Instant) {
        let Some(lost) = self.home.take() else { return };
        self.counters.homes_lost += 1;
        self.failed_registrar = Some(lost.registrar);
        if self.shutdown.is_some() {
            return;
        }
        for handle in self.resolutions.handles() {
            self.timers.clear(&Timer::Request(handle.clone()));
            if self.resolutions.may_send(&handle, self.config.max_request_retransmits) {
                self.timers.set(Timer::Wait(handle.clone()), now + self.config.failover_deadline);
            } else {
                self.unanswered(now, &handle);
            }
        }
        if !self.resolutions.is_empty() {
            self.seek_registrar(now);
        }
    }

    pub(super) fn hunt_timeout(&mut self, now: Instant) {
        match self.hunt.handle_timeout(now, &mut self.connects, &mut self.out.actions) {
            Some(RoundEnd::GoesOn { tried }) => self.out.tell(Notice::NoRegistrar { tried }),
            Some(RoundEnd::GivenUp { tried }) if self.home.is_none() => {
                self.reports.clear();
                for handle in self.resolutions.handles() {
                    self.resolved(now, &handle, Err(UserError::NoRegistrar { tried: tried.clone() }));
                }
            }
            // While a registrar is there, T1 decides whether it answers.
            Some(RoundEnd::GivenUp { .. }) | None => {}
        }
    }

    /// Ends a hunt that nobody waits for any more.
    pub(super) fn stop_idle_hunt(&mut self) {
        if self.resolutions.is_empty() && self.reports.is_empty() {
            self.hunt.stop(&mut self.out.actions);
        }
    }

    /// Tells the registrar that an element is unreachable: at most once for each failure, and only
    /// if something was sent to it (ASAP-3.5-01, ASAP-3.5-03, ASAP-3.5-04).
    pub(super) fn report(&mut self, now: Instant, handle: &PoolHandle, element: ElementId) {
        if !self.health.take_report(handle, element) {
            self.counters.reports_suppressed += 1;
            return;
        }
        match &self.home {
            Some(home) => self.send_report(home.association, handle.clone(), element),
            None => {
                if self.reports.len() < MAX_WAITING_REPORTS {
                    self.reports.push_back((handle.clone(), element));
                }
                self.seek_registrar(now);
            }
        }
    }

    fn send_report(&mut self, association: AssociationId, handle: PoolHandle, element: ElementId) {
        let report = AsapMessage::EndpointUnreachable { handle, element };
        if let Ok(bytes) = report.encode(self.config.padding) {
            self.counters.reports_sent += 1;
            self.out.send(association, ProtocolId::ASAP, bytes);
        }
    }
}
