//! Asking a peer for the pages of its handle table, several ahead (RFC 5353 section 3.2.3).
//!
//! Each page answers one request. One request at a time would cost a round trip for each page, and
//! pages are small; so as soon as a peer has said that there is more, some requests are kept under
//! way. Those that the last page makes superfluous are answered from the beginning again; these
//! answers are counted off and dropped.

use super::Peer;
use crate::base::{Instant, RegistrarId};
use crate::registrar::Registrar;
use crate::wire::{EnrpBody, PoolEntry};

/// Requests under way at the same time: the most pages that are sent for nothing at the end.
const AHEAD: u32 = 4;

/// The requests to one peer over the present association.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pages {
    /// Answers that are wanted.
    due: u32,
    /// Answers to requests of a download that has ended, which come first.
    stale: u32,
}

/// What a page is to its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// It was asked for.
    Wanted,
    /// It was, and is not needed any more.
    Stale,
    /// It was not.
    Unasked,
}

/// Counts the elements of a page, and tells whether the download would never end: there is more, but
/// the page brings nothing, or more has come than the handlespace may hold.
pub(super) fn is_endless(received: &mut usize, pools: &[PoolEntry], more: bool, limit: usize) -> bool {
    let entries: usize = pools.iter().map(|pool| pool.elements.len()).sum();
    *received += entries;
    more && (entries == 0 || *received > limit)
}

impl Registrar {
    /// Begins a download from a peer.
    pub(super) fn ask_for_first_page(&mut self, peer: RegistrarId, own_only: bool) {
        self.ask_for_pages(peer, own_only, 1);
    }

    /// Goes on with a download of which there is more.
    pub(super) fn ask_for_more_pages(&mut self, peer: RegistrarId, own_only: bool) {
        self.ask_for_pages(peer, own_only, AHEAD);
    }

    fn ask_for_pages(&mut self, id: RegistrarId, own_only: bool, due: u32) {
        let Some(peer) = self.enrp.peers.get_mut(&id) else { return };
        let missing = due.saturating_sub(peer.pages.due);
        peer.pages.due += missing;
        for _ in 0..missing {
            self.send_to_peer(id, EnrpBody::HandleTableRequest { own_only });
        }
    }

    /// A page has come.
    pub(super) fn take_page(&mut self, id: RegistrarId) -> Page {
        let Some(Peer { pages, .. }) = self.enrp.peers.get_mut(&id) else { return Page::Unasked };
        if let Some(stale) = pages.stale.checked_sub(1) {
            pages.stale = stale;
            return Page::Stale;
        }
        match pages.due.checked_sub(1) {
            Some(due) => {
                pages.due = due;
                Page::Wanted
            }
            None => Page::Unasked,
        }
    }

    /// The download is over: what is still under way is not wanted.
    pub(super) fn end_download(&mut self, now: Instant, id: RegistrarId) {
        let Some(Peer { pages, .. }) = self.enrp.peers.get_mut(&id) else { return };
        let due = core::mem::take(&mut pages.due);
        pages.stale += due;
        if due > 0 {
            self.let_forget(now, id);
        }
    }

    /// Nothing under way is expected to come any more.
    pub(super) fn forget_pages(&mut self, id: RegistrarId) {
        if let Some(Peer { pages, .. }) = self.enrp.peers.get_mut(&id) {
            *pages = Pages::default();
        }
    }
}
