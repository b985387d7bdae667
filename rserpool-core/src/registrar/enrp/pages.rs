//! Asking a peer for the pages of its handle table, several ahead (RFC 5353 section 3.2.3).
//!
//! Each page answers one request. One request at a time would cost a round trip for each page, and pages are
//! small. Therefore, as soon as a peer has said that there is more, some requests are kept under way. Those
//! that the last page makes superfluous are answered from the beginning again; these answers are counted off
//! and dropped.

use crate::base::{Instant, RegistrarId};
use crate::registrar::context::Context;
use crate::wire::{EnrpBody, PoolEntry};

/// Requests under way at the same time, and therefore the most pages that are sent needlessly at the end.
const AHEAD: u32 = 4;

/// Which elements a download is about: the W flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// All that the peer lists.
    Whole,
    /// Those whose home the peer is.
    OwnOnly,
}

/// The requests to one peer over the present association.
#[derive(Debug, Default)]
pub(super) struct Pages {
    /// Answers that are wanted.
    due: u32,
    /// Answers to requests of a download that has ended, which come first.
    stale: u32,
    /// Until when the peer may remember how far a download has come. If it is asked too soon, it continues
    /// from there, and the elements that it skips would be removed.
    remembered: Option<Instant>,
}

/// How the receiver takes a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// It was asked for.
    Wanted,
    /// It was asked for, and is no longer needed.
    Stale,
    /// It was not asked for.
    Unasked,
}

impl Pages {
    /// Begins a download from a peer.
    pub(super) fn ask_for_first(&mut self, ctx: &mut Context, peer: RegistrarId, extent: Extent) {
        self.ask(ctx, peer, extent, 1);
    }

    /// Continues a download of which there is more.
    pub(super) fn ask_for_more(&mut self, ctx: &mut Context, peer: RegistrarId, extent: Extent) {
        self.ask(ctx, peer, extent, AHEAD);
    }

    fn ask(&mut self, ctx: &mut Context, peer: RegistrarId, extent: Extent, due: u32) {
        let missing = due.saturating_sub(self.due);
        self.due += missing;
        for _ in 0..missing {
            let own_only = extent == Extent::OwnOnly;
            ctx.send_to_peer(peer, EnrpBody::HandleTableRequest { own_only });
        }
    }

    /// A page has come, after which there may be more.
    pub(super) fn arrived(&mut self, ctx: &Context, more: bool) -> Page {
        let page = if let Some(stale) = self.stale.checked_sub(1) {
            self.stale = stale;
            Page::Stale
        } else if let Some(due) = self.due.checked_sub(1) {
            self.due = due;
            return Page::Wanted;
        } else {
            Page::Unasked
        };
        if more {
            self.remembered = Some(ctx.answer_due());
        }
        page
    }

    /// The download is over: what is still under way is not wanted.
    pub(super) fn end_download(&mut self, ctx: &Context) {
        let due = core::mem::take(&mut self.due);
        self.stale += due;
        if due > 0 {
            self.remembered = Some(ctx.answer_due());
        }
    }

    /// No page that is under way is expected any longer.
    pub(super) const fn expect_none(&mut self) {
        (self.due, self.stale) = (0, 0);
    }

    /// When a download can begin at the first page again; `None`: now.
    pub(super) const fn not_before(&self) -> Option<Instant> {
        self.remembered
    }
}

/// Counts the elements of a page, and tells whether the download would never end: there is more, but the page
/// brings nothing, or more has come than the handlespace may hold.
pub(super) fn is_endless(received: &mut usize, pools: &[PoolEntry], more: bool, limit: usize) -> bool {
    let entries: usize = pools.iter().map(|pool| pool.elements.len()).sum();
    *received += entries;
    more && (entries == 0 || *received > limit)
}
