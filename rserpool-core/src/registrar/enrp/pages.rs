//! Asking a peer for its handle table, page by page (RFC 5353 sections 3.2.3 and 3.6.3).
//!
//! No message says which page of a table it is: each answer goes on where the one before it stopped, and only
//! the last one says that it is the last. How long a peer remembers where a table stands, we do not know
//! either. Therefore a table is known to be whole only if the answer right before its first page was the last
//! page of another one (or no page was ever asked for), and if each page since then has been read. A download
//! that begins in the middle, after one that was given up, is read to its end, which removes nothing; the next
//! one is whole.

use alloc::vec::Vec;

use crate::base::{Instant, RegistrarId};
use crate::registrar::context::Context;
use crate::wire::{EnrpBody, PoolEntry};

/// For how many MAX-TIME-NO-RESPONSE a page of a peer that is heard may take: other messages may be before it
/// on a slow link.
const PATIENCE: u32 = 4;

/// Which elements a download is about: the W flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// All that the peer lists.
    Whole,
    /// Those whose home the peer is.
    OwnOnly,
}

/// The next answer of a peer, as far as we can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Next {
    /// It begins a table.
    #[default]
    First,
    /// It may go on with a table that was begun.
    Middle,
}

/// A download that is under way.
#[derive(Debug)]
struct Download {
    extent: Extent,
    /// Whether it has begun at the first page.
    whole: bool,
    /// The elements received so far. A peer that sends more than the handlespace may hold, or pages with
    /// nothing in them, would never end.
    received: usize,
    /// When the page was asked for that comes next.
    asked: Instant,
}

/// The requests to one peer, and its answers.
#[derive(Debug, Default)]
pub(super) struct Pages {
    /// Requests over the present association that have not been answered. If a peer drops one, it stays so.
    unanswered: u32,
    /// What was asked for last.
    extent: Option<Extent>,
    next: Next,
    download: Option<Download>,
}

/// A page of a handle table, as its receiver reads it.
#[derive(Debug)]
pub(in crate::registrar) struct TablePage {
    /// The sender does not serve yet.
    pub(in crate::registrar) rejected: bool,
    /// Further pages can be asked for.
    pub(in crate::registrar) more: bool,
    pub(in crate::registrar) pools: Vec<PoolEntry>,
}

/// How the receiver takes a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// There are more.
    OneOfMany,
    /// It is the last.
    Last(Table),
    /// The peer refuses, or its table would never end: the download is over and the page not to be read.
    Refused,
    /// It was asked for, and the download has been given up.
    Late,
    /// It was not asked for.
    Unasked,
}

/// What a download that has come to its end has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// Every page: what was not on them is not listed.
    Whole,
    /// The last pages, and perhaps not the first.
    Tail,
}

impl Pages {
    /// Begins a download from a peer.
    pub(super) fn ask_for_first(&mut self, ctx: &mut Context, peer: RegistrarId, extent: Extent) {
        // An answer that is still under way may come first. It is a page of the same table, or it is not.
        let clear = self.unanswered == 0 || self.extent == Some(extent);
        let whole = self.next == Next::First && clear;
        self.download = Some(Download { extent, whole, received: 0, asked: ctx.now });
        self.ask(ctx, peer, extent);
    }

    /// Continues a download of which there is more.
    pub(super) fn ask_for_more(&mut self, ctx: &mut Context, peer: RegistrarId) {
        let Some(download) = &mut self.download else {
            debug_assert!(false, "no download from {peer} is under way");
            return;
        };
        download.asked = ctx.now;
        let extent = download.extent;
        self.ask(ctx, peer, extent);
    }

    fn ask(&mut self, ctx: &mut Context, peer: RegistrarId, extent: Extent) {
        self.unanswered += 1;
        self.extent = Some(extent);
        ctx.send_to_peer(peer, EnrpBody::HandleTableRequest { own_only: extent == Extent::OwnOnly });
    }

    /// A page has come. At most `limit` elements are received.
    pub(super) fn arrived(&mut self, page: &TablePage, limit: usize) -> Page {
        let Some(unanswered) = self.unanswered.checked_sub(1) else { return Page::Unasked };
        self.unanswered = unanswered;
        // A refusal does not move the place where a table stands.
        if !page.rejected {
            self.next = if page.more { Next::Middle } else { Next::First };
        }
        let Some(download) = &mut self.download else { return Page::Late };
        let elements: usize = page.pools.iter().map(|pool| pool.elements.len()).sum();
        download.received += elements;
        let endless = page.more && (elements == 0 || download.received > limit);
        let table = if download.whole { Table::Whole } else { Table::Tail };
        if page.rejected || endless {
            self.download = None;
            Page::Refused
        } else if page.more {
            Page::OneOfMany
        } else {
            self.download = None;
            Page::Last(table)
        }
    }

    /// Until when the page that was asked for may still come, if that is later than now: a peer that is heard
    /// may be slow.
    pub(super) fn patience(&self, ctx: &Context, last_heard: Instant) -> Option<Instant> {
        let answer = ctx.config.enrp.max_time_no_response;
        let asked = self.download.as_ref()?.asked;
        let until = (last_heard + answer).min(asked + answer * PATIENCE);
        (until > ctx.now).then_some(until)
    }

    /// How many elements the download that is under way has brought.
    pub(super) fn received(&self) -> usize {
        self.download.as_ref().map_or(0, |download| download.received)
    }

    /// Gives a download up. A page that is under way is not wanted.
    pub(super) fn give_up(&mut self) {
        self.download = None;
    }

    /// The association has ended: what was under way is lost, and may have moved the place where a table
    /// stands.
    pub(super) fn association_ended(&mut self) {
        if core::mem::take(&mut self.unanswered) > 0 {
            self.next = Next::Middle;
        }
        self.download = None;
    }
}
