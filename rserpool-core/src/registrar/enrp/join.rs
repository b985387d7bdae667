//! From the start to the first service: mentor, peer list, handle table (RFC 5353 section 3.2).
//!
//! Every request has its deadline and every refusal its pause; a mentor that fails is replaced by a
//! backup. Who finds no mentor in time serves alone, and the audit brings it together with the
//! others when they are met.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::download::{Page, is_endless};
use super::peers::PeerList;
use crate::base::{Instant, RegistrarId};
use crate::handlespace::PeHandle;
use crate::registrar::{Notice, PeerState, Registrar, Timer};
use crate::wire::{EnrpBody, PoolEntry, ServerInformation};

/// Whether a registrar serves yet.
#[derive(Debug, Default)]
pub(super) enum Phase {
    Joining(Join),
    #[default]
    Serving,
}

/// A start under way.
#[derive(Debug, Default)]
pub(super) struct Join {
    mentor: Option<RegistrarId>,
    step: Step,
    /// The mentors that have refused or failed since the last pause.
    failed: BTreeSet<RegistrarId>,
    /// Elements downloaded from this mentor. A mentor that sends more than the handlespace may
    /// hold, or pages with nothing in them, would never end.
    received: usize,
    /// The time to find a mentor is over: we serve as soon as there is nobody left to ask.
    overdue: bool,
}

/// What the mentor has been asked for.
#[derive(Debug, Default, PartialEq, Eq)]
enum Step {
    #[default]
    List,
    Table,
}

impl Registrar {
    /// Whether it offers its services: it has the handlespace of its peers, or is alone.
    pub const fn is_serving(&self) -> bool {
        matches!(self.enrp.phase, Phase::Serving)
    }

    /// Looks for a mentor, or serves at once if there can be none (ENRP-3.2.2.1-03).
    pub(in crate::registrar) fn start_joining(&mut self, now: Instant) {
        let peers = self.config.enrp.peers.clone();
        if self.config.enrp.announce {
            self.heartbeat(now);
        }
        if peers.is_empty() && !self.config.enrp.announce {
            return self.serve(now, None);
        }
        self.enrp.phase = Phase::Joining(Join::default());
        self.deadlines.set(Timer::MentorTimeout, now + self.config.enrp.mentor_timeout);
        for peer in peers {
            self.contact(now, &peer, true, None);
        }
    }

    /// Makes a peer our mentor, if we need one: the first that is there.
    pub(super) fn seek_mentor(&mut self, now: Instant) {
        let Phase::Joining(join) = &mut self.enrp.phase else { return };
        if join.mentor.is_some() {
            return;
        }
        let there = |(id, peer): (&RegistrarId, &super::Peer)| {
            (peer.association.is_some() && !join.failed.contains(id)).then_some(*id)
        };
        let Some(mentor) = self.enrp.peers.iter().find_map(there) else { return };
        join.mentor = Some(mentor);
        join.step = Step::List;
        join.received = 0;
        self.wait_for_mentor(now);
        self.send_to_peer(mentor, EnrpBody::ListRequest);
    }

    fn wait_for_mentor(&mut self, now: Instant) {
        self.deadlines.set(Timer::Join, now + self.config.enrp.max_time_no_response);
    }

    /// The mentor has not answered in time, or the pause after refusals is over.
    pub(in crate::registrar) fn join_due(&mut self, now: Instant) {
        let Phase::Joining(join) = &mut self.enrp.phase else { return };
        if join.mentor.is_some() {
            return self.mentor_failed(now);
        }
        join.failed.clear();
        self.seek_mentor(now);
    }

    /// No mentor has been found in time. One that has been found may go on, and has its backups.
    pub(in crate::registrar) fn mentor_timeout(&mut self, now: Instant) {
        let Phase::Joining(join) = &mut self.enrp.phase else { return };
        match join.mentor {
            Some(_) => join.overdue = true,
            None => self.serve(now, None),
        }
    }

    /// A peer is gone; if it was our mentor we take another.
    pub(super) fn mentor_gone(&mut self, now: Instant, id: RegistrarId) {
        if let Phase::Joining(join) = &self.enrp.phase
            && join.mentor == Some(id)
        {
            self.mentor_failed(now);
        }
    }

    /// Turns to a backup mentor, or, if there is none, waits before all are asked again.
    fn mentor_failed(&mut self, now: Instant) {
        let Phase::Joining(join) = &mut self.enrp.phase else { return };
        let mentor = join.mentor.take();
        join.failed.extend(mentor);
        if let Some(mentor) = mentor {
            self.end_download(now, mentor);
        }
        self.deadlines.set(Timer::Join, now + self.config.enrp.mentor_retry);
        self.seek_mentor(now);
        if let Phase::Joining(Join { mentor: None, overdue: true, .. }) = &self.enrp.phase {
            self.serve(now, None);
        }
    }

    pub(super) fn handle_list(
        &mut self,
        now: Instant,
        sender: RegistrarId,
        rejected: bool,
        servers: Vec<ServerInformation>,
    ) {
        let Phase::Joining(join) = &mut self.enrp.phase else {
            return self.learn_list(now, sender, rejected, &servers);
        };
        if join.mentor != Some(sender) || join.step != Step::List {
            self.counters.unexpected += 1;
            return;
        }
        if rejected {
            return self.mentor_failed(now);
        }
        join.step = Step::Table;
        for server in &servers {
            self.learn_peer(now, server);
        }
        self.wait_for_mentor(now);
        self.ask_for_first_page(sender, false);
    }

    /// Learns of the peers of a peer; one that is still starting itself is asked again.
    fn learn_list(
        &mut self,
        now: Instant,
        sender: RegistrarId,
        rejected: bool,
        servers: &[ServerInformation],
    ) {
        // One that nobody asked for may say where our own name is taken: see `keep_newer`.
        if let Some(namesake) = servers.iter().find(|server| server.id == self.id) {
            self.learn_peer(now, namesake);
        }
        let asked = |peer: &&mut super::Peer| peer.list == PeerList::Asked;
        let Some(peer) = self.enrp.peers.get_mut(&sender).filter(asked) else {
            self.counters.unexpected += 1;
            return;
        };
        peer.list = if rejected { PeerList::Unasked } else { PeerList::Told };
        for server in servers {
            self.learn_peer(now, server);
        }
    }

    /// A page of a handle table: of the mentor's, or of the audit of a peer.
    pub(super) fn handle_table(
        &mut self,
        now: Instant,
        sender: RegistrarId,
        rejected: bool,
        more: bool,
        pools: Vec<PoolEntry>,
    ) {
        match self.take_page(sender) {
            Page::Wanted => {}
            unwanted => {
                self.counters.unexpected += u64::from(unwanted == Page::Unasked);
                if more {
                    self.let_forget(now, sender);
                }
                return;
            }
        }
        let Phase::Joining(join) = &mut self.enrp.phase else {
            return self.audit_page(now, sender, rejected, more, pools);
        };
        if is_endless(&mut join.received, &pools, more, self.config.limits.elements) || rejected {
            return self.mentor_failed(now);
        }
        for entry in pools {
            for element in entry.elements {
                let pe = PeHandle { pool: self.handlespace.intern(&entry.handle), element: element.id };
                self.enter(now, sender, &pe, element);
            }
        }
        match more {
            true => {
                self.wait_for_mentor(now);
                self.ask_for_more_pages(sender, false);
            }
            false => {
                self.end_download(now, sender);
                self.serve(now, Some(sender));
            }
        }
    }

    /// Offers our services. Elements that are listed as ours, from an earlier life under the same
    /// identifier, are asked whether they live.
    fn serve(&mut self, now: Instant, mentor: Option<RegistrarId>) {
        self.enrp.phase = Phase::Serving;
        if let Some(peer) = mentor.and_then(|mentor| self.enrp.peers.get_mut(&mentor)) {
            peer.list = PeerList::Told;
        }
        self.deadlines.clear(&Timer::Join);
        self.deadlines.clear(&Timer::MentorTimeout);
        self.outbox.tell(Notice::Serving { mentor });
        self.start_announcing(now);
        for pe in self.handlespace_of(self.id) {
            self.adopt(now, &pe);
        }
        self.watch_homes(now);
        let presence = self.presence(false);
        self.group_cast(presence);
        // Those met while we were joining may have told us what we could not check then.
        let heard = self.enrp.peers.iter().filter(|(_, peer)| peer.state == PeerState::Active);
        let heard: Vec<_> = heard.filter_map(|(id, peer)| Some((*id, peer.announced?))).collect();
        for (peer, checksum) in heard {
            self.audit(now, peer, checksum);
        }
    }

    /// Every home of an element is a peer, also one that died while we were joining: if nobody else
    /// takes its elements over, we do.
    fn watch_homes(&mut self, now: Instant) {
        let homes: Vec<RegistrarId> = self.handlespace.homes().map(|(home, ..)| home).collect();
        for home in homes {
            if home != self.id && !self.enrp.peers.contains_key(&home) && self.know_peer(now, home) {
                self.suspect(now, home);
            }
        }
    }
}
