//! The registrar that a user asks. It is hunted for when there is a question, and replaced when it is silent.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;

use bytes::Bytes;

use super::context::Context;
use super::interface::Notice;
use crate::base::{AssociationId, ConnectId, ElementId, Instant, PoolHandle, TransportAddress};
use crate::endpoint::hunt::{Hunt, HuntConfig, RoundEnd};
use crate::endpoint::{AbortCause, Action, ConnectError};
use crate::wire::AsapMessage;

/// The most reports that wait for a registrar. Further ones are dropped, since the registrar notices dead
/// elements itself, later.
const MAX_WAITING_REPORTS: usize = 64;

/// The registrar that is asked, the hunt for one, and the reports that wait for it.
#[derive(Debug)]
pub(super) struct Registrar {
    hunt: Hunt,
    home: Option<Home>,
    /// The registrar that was lost last, not to be tried first.
    failed: Option<TransportAddress>,
    /// Unreachable elements to be reported when there is a registrar.
    reports: VecDeque<(PoolHandle, ElementId)>,
    /// Whether a round of the hunt or a question was in vain, and no registrar has answered since.
    silent: bool,
}

/// The registrar that is asked (ASAP-1.1-02: a user picks one registrar as its home).
#[derive(Debug)]
pub(super) struct Home {
    pub(super) association: AssociationId,
    pub(super) registrar: TransportAddress,
}

impl Registrar {
    pub(super) fn new(hunt: HuntConfig) -> Self {
        Self { hunt: Hunt::of_user(hunt), home: None, failed: None, reports: VecDeque::new(), silent: false }
    }

    pub(super) const fn home(&self) -> Option<&Home> {
        self.home.as_ref()
    }

    pub(super) fn is_home(&self, association: AssociationId) -> bool {
        self.home.as_ref().is_some_and(|home| home.association == association)
    }

    /// Looks for these registrars from now on, instead of those that were configured.
    pub(super) fn use_registrars(&mut self, registrars: Vec<TransportAddress>) {
        self.hunt.use_registrars(registrars);
    }

    /// The registrars tried in the present hunt.
    pub(super) fn tried(&self) -> Vec<TransportAddress> {
        self.hunt.tried()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.hunt.poll_timeout()
    }

    #[cfg(test)]
    pub(super) fn limit_rounds(&mut self, rounds: u32) {
        self.hunt.limit_rounds(rounds);
    }

    /// Whether no registrar has answered when one was last needed.
    pub(super) const fn is_silent(&self) -> bool {
        self.silent
    }

    /// The registrar that is asked has let T1 expire.
    pub(super) const fn note_silence(&mut self) {
        self.silent = true;
    }

    /// The registrar that is asked has answered.
    pub(super) fn answered(&mut self) {
        self.silent = false;
        if let Some(home) = &self.home {
            self.hunt.answered(&home.registrar);
        }
    }

    /// Whether no report waits for a registrar.
    pub(super) fn is_idle(&self) -> bool {
        self.reports.is_empty()
    }

    pub(super) const fn is_hunting(&self) -> bool {
        self.hunt.is_on()
    }

    /// Looks for a registrar, if possible for another one than the present or the last.
    pub(super) fn seek(&mut self, now: Instant, context: &mut Context) {
        if self.hunt.is_on() || !context.is_running() {
            return;
        }
        context.counters.hunts += 1;
        let present = self.home.as_ref().map(|home| home.registrar.clone());
        let avoid = present.or_else(|| self.failed.take());
        self.hunt.start(now, avoid, &mut context.connects, &mut context.outbox.actions);
    }

    pub(super) fn stop_hunt(&mut self, context: &mut Context) {
        self.hunt.stop(&mut context.outbox.actions);
    }

    /// An attempt has succeeded; false if it is not one of the hunt. The registrar found becomes the home
    /// and is told what waits for it.
    pub(super) fn handle_connected(
        &mut self,
        context: &mut Context,
        request: ConnectId,
        association: AssociationId,
    ) -> bool {
        let Some(registrar) = self.hunt.handle_connected(request, &mut context.outbox.actions) else {
            return false;
        };
        self.failed = None;
        let old = self.home.replace(Home { association, registrar: registrar.clone() });
        if let Some(Home { registrar, .. }) = &old {
            context.outbox.tell(Notice::RegistrarLost { registrar: registrar.clone() });
        }
        context.outbox.tell(Notice::RegistrarFound { registrar });
        if let Some(old) = old {
            context.outbox.act(Action::Abort { association: old.association, cause: AbortCause::User });
        }
        for (handle, element) in core::mem::take(&mut self.reports) {
            send_report(context, association, handle, element);
        }
        true
    }

    /// An attempt has failed; false if it is not one of the hunt.
    pub(super) fn handle_connect_failed(
        &mut self,
        now: Instant,
        context: &mut Context,
        request: ConnectId,
        reason: &ConnectError,
    ) -> bool {
        let (ids, actions) = (&mut context.connects, &mut context.outbox.actions);
        self.hunt.handle_connect_failed(now, request, reason, ids, actions)
    }

    /// The association with the registrar has ended.
    pub(super) fn handle_lost(&mut self, context: &mut Context) {
        if let Some(lost) = self.home.take() {
            context.counters.homes_lost += 1;
            context.outbox.tell(Notice::RegistrarLost { registrar: lost.registrar.clone() });
            self.failed = Some(lost.registrar);
        }
    }

    pub(super) fn handle_announce(
        &mut self,
        now: Instant,
        context: &mut Context,
        source: SocketAddr,
        bytes: &Bytes,
    ) {
        let (ids, actions) = (&mut context.connects, &mut context.outbox.actions);
        match self.hunt.handle_announce(now, source, bytes, ids, actions) {
            true => context.counters.announces += 1,
            false => context.counters.bad_announces += 1,
        }
    }

    /// A deadline of the hunt may have passed. Tells how a round has ended in which no registrar was found, unless
    /// there is one to ask: while one is there, T1 decides whether it answers. A hunt that nothing needs ends
    /// with its round.
    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
        context: &mut Context,
        needed: bool,
    ) -> Option<RoundEnd> {
        if !needed && self.hunt.is_round_over(now) {
            self.stop_hunt(context);
        }
        let end = self.hunt.handle_timeout(now, &mut context.connects, &mut context.outbox.actions)?;
        self.silent = true;
        match &end {
            RoundEnd::GoesOn { tried } => context.outbox.tell(Notice::NoRegistrar { tried: tried.clone() }),
            RoundEnd::GivenUp { .. } if self.home.is_none() => self.reports.clear(),
            RoundEnd::GivenUp { .. } => return None,
        }
        Some(end)
    }

    /// Tells the registrar that an element is unreachable, at once or when there is one.
    pub(super) fn report(
        &mut self,
        now: Instant,
        context: &mut Context,
        handle: &PoolHandle,
        element: ElementId,
    ) {
        match &self.home {
            Some(home) => send_report(context, home.association, handle.clone(), element),
            None => {
                if self.reports.len() < MAX_WAITING_REPORTS {
                    self.reports.push_back((handle.clone(), element));
                }
                self.seek(now, context);
            }
        }
    }

    /// The user is leaving: no registrar is looked for, and nothing more is reported.
    pub(super) fn begin_shutdown(&mut self, context: &mut Context) {
        self.stop_hunt(context);
        self.reports.clear();
    }

    /// Forgets the registrar; returns the association with it.
    pub(super) fn take_association(&mut self) -> Option<AssociationId> {
        self.home.take().map(|home| home.association)
    }
}

fn send_report(context: &mut Context, to: AssociationId, handle: PoolHandle, element: ElementId) {
    if context.send(to, &AsapMessage::EndpointUnreachable { handle, element }) {
        context.counters.reports_sent += 1;
    }
}
