//! Elements of other homes that somebody doubts: a user that cannot reach one, a peer that has removed one, or
//! a newcomer that wants its identifier. We ask the element ourselves, by a keep-alive without the H flag over
//! an association for this purpose: its home does not change by that (RFC 5352 section 3.5).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Deref;

use super::answers::{self, HomeFlag};
use super::attempts::Attempt;
use super::context::{Context, Timer};
use super::links::Links;
use super::own::Challenger;
use crate::base::{AssociationId, ConnectId, SctpAddress};
use crate::endpoint::{Action, ConnectError, DownReason};
use crate::handlespace::PeHandle;

/// How many elements can be doubted at once. More reports wait for the next user that meets the element; more
/// newcomers are believed.
const MAX_DOUBTED: usize = 64;

/// Why an element is doubted.
#[derive(Debug)]
pub(super) enum Doubt {
    /// A user says that it cannot reach the element.
    Reported,
    /// A peer that is not its home has removed it.
    RemovedByPeer,
    /// Another process wants to register under its identifier.
    Contested(Challenger),
}

/// How far the question has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Connecting(ConnectId),
    /// The keep-alive is on its way. `ours` says whether the association was opened for it.
    Asked {
        association: AssociationId,
        ours: bool,
    },
    /// It has answered, and is not asked again at once.
    Answered,
}

/// An element of another home that is being asked, or has just answered.
#[derive(Debug)]
pub(super) struct Doubted {
    /// Where it speaks ASAP.
    address: SctpAddress,
    step: Step,
    /// Whether it is asked for the second time, because it has closed the first association.
    again: bool,
    /// What has been said against it since it was last asked.
    doubts: Doubts,
}

/// What follows if an element does not answer.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// Whether it is removed at all: somebody says that it is gone.
    pub(super) gone: bool,
    /// Whether the peers are told: it was not one of them that told us.
    pub(super) told: bool,
    /// The registration that waits.
    pub(super) challenger: Option<Challenger>,
}

/// What is known of an element now.
#[must_use = "what follows is done by `removal`"]
#[derive(Debug)]
pub(super) enum Finding {
    /// It lives: nothing has changed, and its challenger is refused.
    Alive(Option<Challenger>),
    /// It has not answered.
    Silent(Doubts),
    /// It could not be asked: nothing has changed, and its challenger is believed.
    Unknown(Option<Challenger>),
}

/// The elements that are doubted. Reading goes through [`Deref`].
#[derive(Debug, Default)]
pub(super) struct Foreign(BTreeMap<PeHandle, Doubted>);

impl Deref for Foreign {
    type Target = BTreeMap<PeHandle, Doubted>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Foreign {
    /// Whether a doubt about an element can be taken up.
    pub(super) fn has_room(&self, pe: &PeHandle) -> bool {
        self.0.len() < MAX_DOUBTED || self.0.contains_key(pe)
    }

    /// Takes up a doubt about an element that speaks ASAP at `address`, and asks it, unless that is under way or
    /// has just been done. Returns a challenger that has to make way for a newer one.
    pub(super) fn doubt(
        &mut self,
        ctx: &mut Context,
        pe: &PeHandle,
        address: &SctpAddress,
        doubt: Doubt,
    ) -> Option<Challenger> {
        debug_assert!(self.has_room(pe), "too many are doubted");
        let is_new = !self.0.contains_key(pe);
        let unasked = || Doubted {
            address: address.clone(),
            step: Step::Answered,
            again: false,
            doubts: Doubts::default(),
        };
        let doubted = self.0.entry(pe.clone()).or_insert_with(unasked);
        let displaced = match doubt {
            Doubt::Reported => {
                (doubted.doubts.gone, doubted.doubts.told) = (true, true);
                None
            }
            Doubt::RemovedByPeer => {
                doubted.doubts.gone = true;
                None
            }
            Doubt::Contested(challenger) => challenger.displace(&mut doubted.doubts.challenger),
        };
        if is_new {
            doubted.ask(ctx, pe);
        }
        displaced
    }

    /// The association for a question has come up.
    pub(super) fn connected(
        &mut self,
        ctx: &mut Context,
        links: &Links,
        association: AssociationId,
        pe: &PeHandle,
    ) -> Option<Finding> {
        let (doubted, link) = (self.0.get_mut(pe)?, links.get(&association)?);
        debug_assert!(matches!(doubted.step, Step::Connecting(_)), "{pe} {doubted:?}");
        if link.is_at(&doubted.address) {
            doubted.ask_over(ctx, pe, association, true);
            return None;
        }
        close(ctx, links, association);
        self.silent(pe)
    }

    /// The attempt has failed. Only what the network said is evidence; if the ports are in use, the element is
    /// asked over the association that uses them.
    pub(super) fn connect_failed(
        &mut self,
        ctx: &mut Context,
        links: &Links,
        pe: &PeHandle,
        reason: &ConnectError,
    ) -> Option<Finding> {
        let doubted = self.0.get_mut(pe)?;
        debug_assert!(matches!(doubted.step, Step::Connecting(_)), "{pe} {doubted:?}");
        if *reason == ConnectError::InUse
            && let Some(open) = links.with(&doubted.address)
        {
            doubted.ask_over(ctx, pe, open, false);
            return None;
        }
        // It has no room for an association: it lives.
        if *reason == ConnectError::Busy {
            return Some(doubted.lives(ctx, pe));
        }
        if matches!(reason, ConnectError::InUse | ConnectError::TooMany | ConnectError::NoRoute) {
            return self.0.remove(pe).map(|doubted| Finding::Unknown(doubted.doubts.challenger));
        }
        self.silent(pe)
    }

    /// An element has answered a keep-alive. `None` if it was not this part that asked.
    pub(super) fn answered(
        &mut self,
        ctx: &mut Context,
        links: &Links,
        from: AssociationId,
        pe: &PeHandle,
    ) -> Option<Finding> {
        let doubted = self.0.get_mut(pe)?;
        let Step::Asked { association, ours } = doubted.step else { return None };
        if association != from {
            return None;
        }
        ctx.counters.keep_alive_acks += 1;
        if ours {
            close(ctx, links, association);
        }
        Some(doubted.lives(ctx, pe))
    }

    /// It has not answered; or it has answered a while ago, and may be asked again.
    pub(super) fn due(&mut self, ctx: &mut Context, links: &Links, pe: &PeHandle) -> Option<Finding> {
        let doubted = self.0.get_mut(pe)?;
        match doubted.step {
            Step::Asked { association, ours } => {
                if ours {
                    close(ctx, links, association);
                }
                return self.silent(pe);
            }
            Step::Answered if doubted.doubts.gone || doubted.doubts.challenger.is_some() => {
                doubted.ask(ctx, pe);
            }
            Step::Answered => {
                self.0.remove(pe);
            }
            Step::Connecting(_) => debug_assert!(false, "{pe} {doubted:?} has no deadline"),
        }
        None
    }

    /// An association has ended. An element that was being asked over one of its own is asked over a new one. So is
    /// one that has ended ours, but once: it may have needed the ports to look for a registrar.
    pub(super) fn disconnected(
        &mut self,
        ctx: &mut Context,
        id: AssociationId,
        reason: &DownReason,
    ) -> Vec<(PeHandle, Finding)> {
        let mut gone = Vec::new();
        for (pe, doubted) in &mut self.0 {
            let challenger = &mut doubted.doubts.challenger;
            challenger.take_if(|challenger| challenger.association == id);
            match doubted.step {
                Step::Asked { association, ours: true } if association == id => gone.push(pe.clone()),
                Step::Asked { association, ours: false } if association == id => doubted.ask(ctx, pe),
                _ => {}
            }
        }
        let finding = |pe: PeHandle| {
            ctx.deadlines.clear(&Timer::Foreign(pe.clone()));
            let doubted = self.0.get_mut(&pe)?;
            let finding = match reason {
                // It may have no room for an association: it lives.
                DownReason::Busy => Some(doubted.lives(ctx, &pe)),
                DownReason::Silent | DownReason::Unreachable => self.silent(&pe),
                _ if doubted.again => self.silent(&pe),
                _ => {
                    doubted.again = true;
                    doubted.ask(ctx, &pe);
                    None
                }
            };
            finding.map(|finding| (pe, finding))
        };
        gone.into_iter().filter_map(finding).collect()
    }

    /// The registration that waits for an identifier over an association waits no longer.
    pub(super) fn take_challenge(&mut self, pe: &PeHandle, from: AssociationId) -> Option<Challenger> {
        self.0.get_mut(pe)?.doubts.challenger.take_if(|challenger| challenger.association == from)
    }

    /// The question is needless: the element has registered with us, or has left. Returns its challenger.
    pub(super) fn settle(&mut self, ctx: &mut Context, links: &Links, pe: &PeHandle) -> Option<Challenger> {
        let doubted = self.0.remove(pe)?;
        ctx.deadlines.clear(&Timer::Foreign(pe.clone()));
        match doubted.step {
            Step::Connecting(request) => ctx.cancel(request),
            Step::Asked { association, ours: true } => close(ctx, links, association),
            Step::Asked { .. } | Step::Answered => {}
        }
        doubted.doubts.challenger
    }

    /// All associations are being closed, and nobody is asked any longer.
    pub(super) fn forget_all(&mut self) {
        self.0.clear();
    }

    fn silent(&mut self, pe: &PeHandle) -> Option<Finding> {
        self.0.remove(pe).map(|doubted| Finding::Silent(doubted.doubts))
    }
}

impl Doubted {
    /// It has shown that it lives, and is not asked again at once.
    fn lives(&mut self, ctx: &mut Context, pe: &PeHandle) -> Finding {
        (self.step, self.again) = (Step::Answered, false);
        ctx.deadlines.set(Timer::Foreign(pe.clone()), ctx.now + ctx.config.prompt_interval);
        Finding::Alive(core::mem::take(&mut self.doubts).challenger)
    }

    fn ask(&mut self, ctx: &mut Context, pe: &PeHandle) {
        ctx.deadlines.clear(&Timer::Foreign(pe.clone()));
        let deadline = ctx.now + ctx.config.keep_alive_timeout;
        let (attempt, port) = (Attempt::Foreign(pe.clone()), ctx.config.asap_port);
        self.step = Step::Connecting(ctx.connect(attempt, port, self.address.clone(), deadline));
    }

    fn ask_over(&mut self, ctx: &mut Context, pe: &PeHandle, association: AssociationId, ours: bool) {
        answers::keep_alive(ctx, association, pe, HomeFlag::Clear);
        ctx.deadlines.set(Timer::Foreign(pe.clone()), ctx.now + ctx.config.keep_alive_timeout);
        self.step = Step::Asked { association, ours };
    }
}

/// Closes an association that was opened for a question, so that its ports are free for one of the element's
/// own; unless something speaks over it by now.
fn close(ctx: &mut Context, links: &Links, association: AssociationId) {
    let Some(link) = links.get(&association) else { return };
    if link.elements.is_empty() && link.challenges.is_empty() {
        let deadline = ctx.now + ctx.config.keep_alive_timeout;
        ctx.outbox.act(Action::Shutdown { association, deadline });
    }
}

#[cfg(test)]
impl Doubted {
    /// The attempt, and the association, that the question waits for.
    pub(super) const fn waits_for(&self) -> (Option<ConnectId>, Option<AssociationId>) {
        match self.step {
            Step::Connecting(request) => (Some(request), None),
            Step::Asked { association, .. } => (None, Some(association)),
            Step::Answered => (None, None),
        }
    }
}
