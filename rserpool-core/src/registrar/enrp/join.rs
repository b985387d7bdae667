//! From the start to the first service: mentor, peer list, handle table (RFC 5353 section 3.2).
//!
//! Every request has its deadline and every refusal its pause; a mentor that fails is replaced by a backup. A
//! registrar that finds no mentor in time serves alone, and the audit reconciles it with the others when it
//! meets them.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::audit;
use super::contacts::Origin;
use super::ourselves::{self, Reply};
use super::pages::{Extent, Page, Table, TablePage};
use super::peer::PeerList;
use super::peers::Peers;
use super::{claims, presence};
use crate::base::RegistrarId;
use crate::registrar::announce;
use crate::registrar::context::{Context, Phase, Timer};
use crate::registrar::elements::Elements;
use crate::registrar::interface::Notice;
use crate::registrar::links::Links;
use crate::registrar::listing::Word;
use crate::wire::{EnrpBody, ServerInformation};

/// A start under way; nothing of it matters once the registrar serves.
#[derive(Debug, Default)]
pub(in crate::registrar) struct Join {
    mentor: Option<Mentor>,
    /// The mentors that have refused or failed since the last pause.
    failed: BTreeSet<RegistrarId>,
    /// Whether the time to find a mentor is over: we serve as soon as there is none left to ask.
    overdue: bool,
}

/// The peer from which we learn the handlespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mentor {
    id: RegistrarId,
    asked: Asked,
}

/// The present question to the mentor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    List,
    Table,
}

impl Join {
    /// Looks for a mentor. ENRP-3.2.2.1-03: a registrar without configured peers serves at once.
    pub(in crate::registrar) fn start(
        &mut self,
        ctx: &mut Context,
        links: &mut Links,
        elements: &mut Elements,
        peers: &mut Peers,
    ) {
        let addresses = ctx.config.enrp.peers.clone();
        if ctx.config.enrp.announce {
            // A peer that still holds an association with an earlier life of ours learns that it is over.
            presence::announce(ctx, elements, Reply::Required);
            ourselves::start_heartbeats(ctx);
            ctx.deadlines.set(Timer::Join, ctx.now + ctx.config.enrp.mentor_retry);
        }
        if addresses.is_empty() && !ctx.config.enrp.announce {
            return self.serve(ctx, links, elements, peers, None);
        }
        ctx.deadlines.set(Timer::MentorTimeout, ctx.now + ctx.config.enrp.mentor_timeout);
        for address in addresses {
            peers.contacts.contact(ctx, &address, Origin::Configured, None);
        }
    }

    /// Why we do not serve yet, in words.
    pub(in crate::registrar) fn reason(&self, peers: &Peers) -> String {
        match self.mentor {
            Some(Mentor { id, asked: Asked::List }) => format!("asks {id} for the list of registrars"),
            Some(Mentor { id, asked: Asked::Table }) => {
                let received = peers.get(&id).map_or(0, |peer| peer.pages.received());
                format!("downloads the handlespace from {id}: {received} elements so far")
            }
            None if self.failed.is_empty() => "no other registrar has answered yet".into(),
            None => format!("{} registrars have refused; they are asked again", self.failed.len()),
        }
    }

    /// Makes a peer our mentor, if we need one: the first that is there, and configured if any is (RFC 5353
    /// section 3.2.2.1). Until the time to find a mentor is over the configured ones are waited for; after that
    /// one stranger is asked.
    pub(in crate::registrar) fn seek_mentor(&mut self, ctx: &mut Context, peers: &Peers) {
        if !ctx.is_joining() || self.mentor.is_some() {
            return;
        }
        let configured = |id: &RegistrarId| peers.get(id).is_some_and(|peer| peer.configured);
        let strangers = match ctx.config.enrp.peers.is_empty() {
            true => true,
            false => self.overdue && self.failed.iter().all(configured),
        };
        let mut there = ctx.group.keys().filter(|id| !self.failed.contains(id));
        let first = there.clone().find(|id| configured(id)).or_else(|| there.find(|_| strangers));
        let Some(id) = first.copied() else { return };
        self.mentor = Some(Mentor { id, asked: Asked::List });
        wait_for_mentor(ctx);
        ctx.send_to_peer(id, EnrpBody::ListRequest);
    }

    /// The mentor has not answered in time, or the pause after refusals is over.
    pub(in crate::registrar) fn join_due(
        &mut self,
        ctx: &mut Context,
        links: &mut Links,
        elements: &mut Elements,
        peers: &mut Peers,
    ) {
        debug_assert!(ctx.is_joining(), "the deadline of a mentor outlived it");
        if let Some(mentor) = self.mentor {
            let peer = peers.get(&mentor.id);
            return match peer.and_then(|peer| peer.pages.patience(ctx, peer.last_heard)) {
                Some(until) => ctx.deadlines.set(Timer::Join, until),
                None => self.mentor_failed(ctx, links, elements, peers),
            };
        }
        self.failed.clear();
        self.seek_mentor(ctx, peers);
        if self.mentor.is_none() && ctx.config.enrp.announce {
            presence::announce(ctx, elements, Reply::Required);
            ctx.deadlines.set(Timer::Join, ctx.now + ctx.config.enrp.mentor_retry);
        }
    }

    /// The time to find a mentor is over. A mentor that has been found may continue, and has its backups, until
    /// the time to join is over as well.
    pub(in crate::registrar) fn mentor_search_due(
        &mut self,
        ctx: &mut Context,
        links: &mut Links,
        elements: &mut Elements,
        peers: &mut Peers,
    ) {
        debug_assert!(ctx.is_joining(), "the time to find a mentor outlived the start");
        if self.overdue {
            // What has come is kept, and the audits bring the rest.
            if let Some(peer) = self.mentor.and_then(|mentor| peers.peer_mut(mentor.id)) {
                peer.pages.give_up();
            }
            return self.serve(ctx, links, elements, peers, None);
        }
        self.overdue = true;
        self.seek_mentor(ctx, peers);
        if self.mentor.is_none() {
            return self.serve(ctx, links, elements, peers, None);
        }
        let enrp = &ctx.config.enrp;
        let left = enrp.join_timeout.saturating_sub(enrp.mentor_timeout);
        ctx.deadlines.set(Timer::MentorTimeout, ctx.now + left);
    }

    /// A peer is gone; if it was our mentor we take another.
    pub(in crate::registrar) fn mentor_gone(
        &mut self,
        ctx: &mut Context,
        links: &mut Links,
        elements: &mut Elements,
        peers: &mut Peers,
        id: RegistrarId,
    ) {
        if ctx.is_joining() && self.mentor.is_some_and(|mentor| mentor.id == id) {
            self.mentor_failed(ctx, links, elements, peers);
        }
    }

    /// Turns to a backup mentor, or, if there is none, waits before all are asked again.
    fn mentor_failed(
        &mut self,
        ctx: &mut Context,
        links: &mut Links,
        elements: &mut Elements,
        peers: &mut Peers,
    ) {
        if let Some(mentor) = self.mentor.take() {
            self.failed.insert(mentor.id);
            if let Some(peer) = peers.peer_mut(mentor.id) {
                peer.pages.give_up();
            }
        }
        ctx.deadlines.set(Timer::Join, ctx.now + ctx.config.enrp.mentor_retry);
        self.seek_mentor(ctx, peers);
        if self.mentor.is_none() && self.overdue {
            self.serve(ctx, links, elements, peers, None);
        }
    }

    /// A list of registrars, from the mentor or from a peer that was asked.
    pub(in crate::registrar) fn handle_list(
        &mut self,
        ctx: &mut Context,
        links: &mut Links,
        elements: &mut Elements,
        peers: &mut Peers,
        sender: RegistrarId,
        list: Option<Vec<ServerInformation>>,
    ) {
        if !ctx.is_joining() {
            return learn_list(ctx, peers, sender, list);
        }
        let Some(mentor) =
            self.mentor.as_mut().filter(|mentor| mentor.id == sender && mentor.asked == Asked::List)
        else {
            ctx.counters.unexpected += 1;
            return;
        };
        let Some(servers) = list else { return self.mentor_failed(ctx, links, elements, peers) };
        mentor.asked = Asked::Table;
        for server in &servers {
            peers.learn(ctx, server);
        }
        wait_for_mentor(ctx);
        if let Some(peer) = peers.peer_mut(sender) {
            peer.pages.ask_for_first(ctx, sender, Extent::Whole);
        }
    }

    /// A page of a handle table: of the mentor's, or for the audit of a peer.
    pub(in crate::registrar) fn handle_table(
        &mut self,
        ctx: &mut Context,
        links: &mut Links,
        elements: &mut Elements,
        peers: &mut Peers,
        sender: RegistrarId,
        page: TablePage,
    ) {
        let limit = ctx.config.limits.elements;
        let arrived = peers.peer_mut(sender).map_or(Page::Unasked, |peer| peer.pages.arrived(&page, limit));
        let pools = page.pools;
        match arrived {
            Page::Late => return,
            Page::Unasked => {
                ctx.counters.unexpected += 1;
                return;
            }
            _ if !ctx.is_joining() => {
                return audit::handle_page(ctx, links, elements, peers, sender, arrived, pools);
            }
            Page::Refused => return self.mentor_failed(ctx, links, elements, peers),
            Page::OneOfMany | Page::Last(_) => {}
        }
        debug_assert!(self.mentor.is_some_and(|mentor| mentor.id == sender && mentor.asked == Asked::Table));
        for entry in pools {
            for element in entry.elements {
                let pe = elements.listing.name(&entry.handle, element.id);
                claims::enter(ctx, elements, peers, sender, &pe, element, Word::Listed);
            }
        }
        let Some(peer) = peers.peer_mut(sender) else { return };
        if arrived == Page::Last(Table::Whole) {
            return self.serve(ctx, links, elements, peers, Some(sender));
        }
        wait_for_mentor(ctx);
        match arrived {
            Page::OneOfMany => peer.pages.ask_for_more(ctx, sender),
            // It went on where an earlier download had stopped.
            _ => peer.pages.ask_for_first(ctx, sender, Extent::Whole),
        }
    }

    /// Offers our services. Elements that are listed as ours, from an earlier life under the same identifier,
    /// are asked whether they live.
    fn serve(
        &mut self,
        ctx: &mut Context,
        links: &mut Links,
        elements: &mut Elements,
        peers: &mut Peers,
        mentor: Option<RegistrarId>,
    ) {
        debug_assert!(ctx.is_joining() && elements.own.is_empty());
        *self = Self::default();
        ctx.phase = Phase::Serving;
        if mentor.is_none() && ctx.config.id.is_some() {
            // After that time our peers must have noticed that we were away.
            let enrp = &ctx.config.enrp;
            ctx.past = Some(ctx.now + enrp.max_time_last_heard + enrp.max_time_no_response);
        }
        if let Some(peer) = mentor.and_then(|mentor| peers.peer_mut(mentor)) {
            peer.list = PeerList::Told;
        }
        ctx.deadlines.clear(&Timer::Join);
        ctx.deadlines.clear(&Timer::MentorTimeout);
        ctx.outbox.tell(Notice::Serving { mentor });
        announce::start(ctx);
        for pe in elements.listing.of_home(ctx.id) {
            claims::adopt(ctx, links, elements, &pe);
        }
        watch_homes(ctx, elements, peers);
        ourselves::show_life(ctx, &elements.listing);
        // Peers met while we were joining may have told us what we could not check then.
        let heard = peers.iter().filter(|(_, peer)| peer.is_active());
        let heard: Vec<_> = heard.filter_map(|(id, peer)| Some((*id, peer.announced?))).collect();
        for (peer, checksum) in heard {
            audit::compare(ctx, &mut elements.listing, peers, peer, checksum);
        }
    }
}

fn wait_for_mentor(ctx: &mut Context) {
    let due = ctx.answer_due();
    ctx.deadlines.set(Timer::Join, due);
}

/// Learns of the peers of a peer; one that has no list yet, because it is joining itself, is asked again.
fn learn_list(
    ctx: &mut Context,
    peers: &mut Peers,
    sender: RegistrarId,
    list: Option<Vec<ServerInformation>>,
) {
    // A list that we have not asked for may say where our own identifier is in use: see `Peers::choose`. Now that
    // we serve, only a configured peer is believed.
    let (namesakes, list) = match list {
        Some(list) => {
            let (namesakes, others) = list.into_iter().partition::<Vec<_>, _>(|server| server.id == ctx.id);
            (namesakes, Some(others))
        }
        None => (Vec::new(), None),
    };
    let believed = peers.get(&sender).is_some_and(|peer| peer.configured);
    for namesake in namesakes.iter().filter(|_| believed) {
        peers.learn(ctx, namesake);
    }
    let asked = peers.peer_mut(sender).filter(|peer| peer.list == PeerList::Asked);
    let Some(peer) = asked else {
        ctx.counters.unexpected += 1;
        return;
    };
    peer.list = if list.is_none() { PeerList::Unasked } else { PeerList::Told };
    for server in list.iter().flatten() {
        peers.learn(ctx, server);
    }
}

/// Every home of an element is a peer, even one that died while we were joining: if no other registrar takes
/// its elements over, we do.
fn watch_homes(ctx: &mut Context, elements: &Elements, peers: &mut Peers) {
    let homes: Vec<RegistrarId> = elements.listing.homes().map(|(home, ..)| home).collect();
    for home in homes {
        if home != ctx.id && !peers.contains_key(&home) && peers.enter(ctx, home) {
            peers.suspect(ctx, &elements.listing, home);
        }
    }
}
