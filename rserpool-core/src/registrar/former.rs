//! Elements that were ours and have another home now, but have not closed the association over which they
//! registered. When the new home gives one up, it is asked whether it is alive here; if it answers it comes back.

use alloc::collections::BTreeMap;
use core::ops::Deref;

use super::answers::{self, HomeFlag};
use super::context::{Context, Timer};
use super::links::Links;
use crate::base::AssociationId;
use crate::handlespace::PeHandle;
use crate::wire::PoolElement;

/// A former element.
#[derive(Debug)]
pub(super) struct FormerElement {
    pub(super) association: AssociationId,
    /// As it registered with us. What its new home lists may be older: a claim may stem from an earlier life
    /// of the element.
    element: PoolElement,
    /// Whether it is being asked.
    pub(super) asked: bool,
}

/// The former elements. Reading goes through [`Deref`].
#[derive(Debug, Default)]
pub(super) struct Former(BTreeMap<PeHandle, FormerElement>);

impl Deref for Former {
    type Target = BTreeMap<PeHandle, FormerElement>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Former {
    /// An element has another home from now on.
    pub(super) fn add(&mut self, pe: &PeHandle, association: AssociationId, element: PoolElement) {
        let before = self.0.insert(pe.clone(), FormerElement { association, element, asked: false });
        debug_assert!(before.is_none(), "{pe} was ours and former at the same time");
    }

    /// The new home of an element has removed it. It is asked: it may have been unreachable only from there.
    pub(super) fn ask(&mut self, ctx: &mut Context, pe: &PeHandle) {
        let Some(former) = self.0.get_mut(pe) else { return };
        if ctx.is_leaving() {
            return;
        }
        former.asked = true;
        ctx.deadlines.set(Timer::Reclaim(pe.clone()), ctx.now + ctx.config.keep_alive_timeout);
        answers::keep_alive(ctx, former.association, pe, HomeFlag::Set);
    }

    /// An element answers a keep-alive. If it is a former one that was asked, it is returned as it
    /// registered.
    pub(super) fn answered(
        &mut self,
        ctx: &mut Context,
        from: AssociationId,
        pe: &PeHandle,
    ) -> Option<PoolElement> {
        let former = self.0.get(pe).filter(|former| former.association == from && former.asked)?;
        let element = former.element.clone();
        self.need_no_answer(ctx, pe);
        Some(element)
    }

    /// A former element has not answered: it is gone. If it was only frozen and takes us for its home, it
    /// reads that it is not listed when it thaws.
    pub(super) fn reclaim_due(&mut self, ctx: &mut Context, links: &mut Links, pe: &PeHandle) {
        if let Some(former) = self.0.get(pe) {
            answers::deregistered(ctx, former.association, pe);
        }
        self.forget(ctx, links, pe);
    }

    /// An element that was being asked need not be asked any longer: it has a home again.
    pub(super) fn need_no_answer(&mut self, ctx: &mut Context, pe: &PeHandle) {
        if let Some(former) = self.0.get_mut(pe).filter(|former| former.asked) {
            former.asked = false;
            ctx.deadlines.clear(&Timer::Reclaim(pe.clone()));
        }
    }

    /// An element cannot come back over this association: it has left, or the association has ended.
    pub(super) fn left(
        &mut self,
        ctx: &mut Context,
        links: &mut Links,
        pe: &PeHandle,
        association: AssociationId,
    ) {
        if self.0.get(pe).is_some_and(|former| former.association == association) {
            self.forget(ctx, links, pe);
        }
    }

    /// An element registers with us, or is gone: its time elsewhere does not matter any more.
    pub(super) fn forget(&mut self, ctx: &mut Context, links: &mut Links, pe: &PeHandle) {
        if let Some(association) = self.reclaim(ctx, pe) {
            links.untie(association, pe);
        }
    }

    /// An element is ours again, over the association that is returned.
    pub(super) fn reclaim(&mut self, ctx: &mut Context, pe: &PeHandle) -> Option<AssociationId> {
        let former = self.0.remove(pe)?;
        if former.asked {
            ctx.deadlines.clear(&Timer::Reclaim(pe.clone()));
        }
        Some(former.association)
    }
}
