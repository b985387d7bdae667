//! Audit and resynchronisation: what updates have missed (RFC 5353 section 3.6).
//!
//! A checksum that differs starts a download of the peer's own elements. What it does not list
//! goes, when the last page is there. A download that does not end well removes nothing; the next
//! heartbeat starts another, later and later while they do not help.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::download::is_endless;
use crate::base::{Instant, RegistrarId};
use crate::handlespace::PeHandle;
use crate::registrar::{Registrar, Timer};
use crate::wire::PoolEntry;

/// How often the time between two resynchronisations doubles at most: up to 16 heartbeat cycles.
const MAX_DOUBLINGS: u32 = 5;

/// How a registrar's copy of a peer's elements stands.
#[derive(Debug, Default)]
pub(super) struct Audit {
    session: Option<Session>,
    /// Resynchronisations since the checksums agreed last.
    attempts: u32,
    /// When the next one may begin.
    not_before: Option<Instant>,
    /// Until when the peer may remember how far a download has come.
    remembered: Option<Instant>,
}

#[cfg(test)]
impl Audit {
    pub(super) const fn is_under_way(&self) -> bool {
        self.session.is_some()
    }
}

/// A resynchronisation under way.
#[derive(Debug)]
struct Session {
    /// The elements of the peer that it has not listed yet.
    marked: BTreeSet<PeHandle>,
    /// Elements listed so far. A peer cannot own more than the handlespace may hold.
    received: usize,
}

impl Registrar {
    /// Compares the checksum that a peer has sent with ours (ENRP-3.6.1-03).
    pub(super) fn audit(&mut self, now: Instant, id: RegistrarId, checksum: u16) {
        if !self.is_serving() || self.shutdown.is_some() {
            return;
        }
        let ours = self.handlespace.checksum(id);
        let Some(peer) = self.enrp.peers.get_mut(&id) else { return };
        // In ones' complement both are zero (reading A2).
        let zero = |sum: u16| if sum == 0 { 0xffff } else { sum };
        if zero(ours) == zero(checksum) {
            peer.audit.attempts = 0;
            peer.audit.not_before = None;
            return;
        }
        let early = peer.audit.not_before.max(peer.audit.remembered).is_some_and(|at| now < at);
        if peer.audit.session.is_some() || peer.association.is_none() || early {
            return;
        }
        let pause = self.config.enrp.heartbeat_cycle / 2 * (1 << peer.audit.attempts.min(MAX_DOUBLINGS));
        peer.audit.attempts = peer.audit.attempts.saturating_add(1);
        peer.audit.not_before = Some(now + pause);
        let marked = self.handlespace_of(id).into_iter().collect();
        if let Some(peer) = self.enrp.peers.get_mut(&id) {
            peer.audit.session = Some(Session { marked, received: 0 });
        }
        self.counters.resynchronisations += 1;
        self.deadlines.set(Timer::Audit(id), now + self.config.enrp.max_time_no_response);
        self.ask_for_first_page(id, true);
    }

    /// A page that a peer was asked for.
    pub(super) fn audit_page(
        &mut self,
        now: Instant,
        sender: RegistrarId,
        rejected: bool,
        more: bool,
        pools: Vec<PoolEntry>,
    ) {
        let Some(peer) = self.enrp.peers.get_mut(&sender) else { return };
        let Some(session) = peer.audit.session.as_mut() else { return };
        if is_endless(&mut session.received, &pools, more, self.config.limits.elements) || rejected {
            return self.stop_audit(now, sender);
        }
        for entry in pools {
            for element in entry.elements {
                let pe = PeHandle { pool: self.handlespace.intern(&entry.handle), element: element.id };
                if element.home == sender {
                    self.claimed_in_table(now, sender, &pe, element);
                } else {
                    self.counters.updates_refused += 1;
                }
            }
        }
        match more {
            true => {
                self.deadlines.set(Timer::Audit(sender), now + self.config.enrp.max_time_no_response);
                self.ask_for_more_pages(sender, true);
            }
            false => self.sweep(now, sender),
        }
    }

    /// The last page is there: what is still marked is gone (ENRP-3.6.3-05).
    fn sweep(&mut self, now: Instant, id: RegistrarId) {
        self.deadlines.clear(&Timer::Audit(id));
        self.end_download(now, id);
        let session = self.enrp.peers.get_mut(&id).and_then(|peer| peer.audit.session.take());
        for pe in session.into_iter().flat_map(|session| session.marked) {
            if self.handlespace.get(&pe).is_some_and(|element| element.home == id) {
                self.handlespace.remove(&pe);
                self.ask_former(now, &pe);
            }
        }
    }

    /// Ends a resynchronisation that has not come to its end: nothing is removed.
    pub(in crate::registrar) fn stop_audit(&mut self, now: Instant, id: RegistrarId) {
        self.deadlines.clear(&Timer::Audit(id));
        self.end_download(now, id);
        if let Some(peer) = self.enrp.peers.get_mut(&id) {
            peer.audit.session = None;
        }
    }

    /// A page has not come in time, so none will.
    pub(in crate::registrar) fn audit_due(&mut self, now: Instant, id: RegistrarId) {
        self.stop_audit(now, id);
        self.forget_pages(id);
    }

    /// A peer has sent a page that nobody needs, or will: asked too soon, it would go on behind that,
    /// and what it skips would be swept.
    pub(super) fn let_forget(&mut self, now: Instant, id: RegistrarId) {
        let until = now + self.config.enrp.max_time_no_response;
        if let Some(peer) = self.enrp.peers.get_mut(&id) {
            peer.audit.remembered = Some(until);
        }
    }

    /// A peer has said that it owns an element: a resynchronisation shall not remove it.
    pub(super) fn unmark(&mut self, home: RegistrarId, pe: &PeHandle) {
        if let Some(session) = self.enrp.peers.get_mut(&home).and_then(|peer| peer.audit.session.as_mut()) {
            session.marked.remove(pe);
        }
    }

    /// The elements of one home.
    pub(in crate::registrar) fn handlespace_of(&self, home: RegistrarId) -> Vec<PeHandle> {
        let elements = self.handlespace.elements_after(None).filter(|(_, element)| element.home == home);
        elements.map(|(pool, element)| PeHandle { pool: pool.clone(), element: element.id }).collect()
    }
}
